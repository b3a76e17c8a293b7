package session_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/keys"
)

// A walk writes the traffic of one user over HTTP and SIP, every exchange on a connection of its own.
type walk struct {
	t    *testing.T
	w    *lab.World
	port uint16
}

var servers = map[string]string{"idm.example.org": "192.0.2.20:80", "kms.example.org": "192.0.2.21:80", "cms.example.org": "192.0.2.22:80", "gms.example.org": "192.0.2.23:80", "rec.example.org": "192.0.2.24:80"}

// exchange is one request with its response; "" leaves the response out.
func (k *walk) exchange(host, request, answer string) {
	k.port++
	s := k.w.Net.Dial(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.10"), k.port), netip.MustParseAddrPort(servers[host]), uint32(k.port)<<8)
	send := func(up bool, text string) {
		for _, f := range s.Send(up, []byte(text), 1200) {
			f()
		}
		k.w.Net.Clock = k.w.Net.Clock.Add(20 * time.Millisecond)
	}
	head, body, _ := strings.Cut(request, "\n\n")
	send(true, strings.ReplaceAll(head, "\n", "\r\n")+fmt.Sprintf("\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", host, len(body), body))
	if answer != "" {
		head, body, _ = strings.Cut(answer, "\n\n")
		send(false, "HTTP/1.1 "+strings.ReplaceAll(head, "\n", "\r\n")+fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	}
	s.Close()
	k.w.Net.Clock = k.w.Net.Clock.Add(time.Second)
}

func jwt(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256","kid":"k1"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("signature-of-" + claims)[:32])
}

const (
	walkUser  = "sip:alice@example.org"
	walkProof = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	walkScope = "openid 3gpp:mc:ptt_service 3gpp:mc:ptt_key_management_service 3gpp:mc:ptt_config_management_service 3gpp:mc:ptt_group_management_service"
)

func access(exp time.Time) string {
	return jwt(fmt.Sprintf(`{"iss":"https://idm.example.org","mcptt_id":%q,"client_id":"MCPTT_UE_1","scope":%q,"exp":%d}`, walkUser, walkScope, exp.Unix()))
}

// logIn is the authentication; verifier is what the token request shows.
func (k *walk) logIn(token, verifier string) {
	sum := sha256.Sum256([]byte(walkProof))
	k.exchange("idm.example.org", "GET /authorize?response_type=code&client_id=MCPTT_UE_1&scope="+strings.NewReplacer(" ", "+", ":", "%3A").Replace(walkScope)+
		"&redirect_uri=mcptt%3A%2F%2Fcb&state=xyz&acr_values=3gpp%3Aacr%3Apassword&code_challenge_method=S256&code_challenge="+base64.RawURLEncoding.EncodeToString(sum[:])+" HTTP/1.1", "200 OK\nContent-Type: text/html\n\n<html><form/></html>")
	k.exchange("idm.example.org", "POST /login?state=xyz HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\nusername=alice&password=wonderland", "302 Found\nLocation: mcptt://cb?code=the-secret-code&state=xyz")
	k.exchange("idm.example.org", "POST /token HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\ngrant_type=authorization_code&code=the-secret-code&client_id=MCPTT_UE_1&redirect_uri=mcptt%3A%2F%2Fcb&code_verifier="+verifier,
		"200 OK\nContent-Type: application/json\n\n"+fmt.Sprintf(`{"access_token":%q,"token_type":"bearer","expires_in":3600,"refresh_token":"the-secret-refresh-token"}`, token))
}

func (k *walk) keys(token, status string) {
	auth := "\nAuthorization: Bearer " + token + "\nContent-Type: application/xml\n\n"
	body := `<KmsRequest xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0" Version="1.1.0"><UserUri>` + walkUser + `</UserUri><KmsUri>kms.example.org</KmsUri><Time>2024-01-01T00:00:00Z</Time><ClientReqUrl>http://kms.example.org/keymanagement/identity/v1/keyprov</ClientReqUrl></KmsRequest>`
	answer := status + "\nContent-Type: application/xml\n\n"
	if strings.HasPrefix(status, "200") {
		answer += `<KmsResponse xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0" Version="1.0.0"><UserUri>` + walkUser + `</UserUri><KmsUri>kms.example.org</KmsUri><Time>2024-01-01T00:00:00Z</Time><KmsMessage><KmsKeyProv Version="1.0.0"><KmsKeySet Version="1.1.0"><KmsUri>kms.example.org</KmsUri><UserUri>` + walkUser + `</UserUri><KeyPeriodNo>1514</KeyPeriodNo></KmsKeySet></KmsKeyProv></KmsMessage></KmsResponse>`
	}
	k.exchange("kms.example.org", "POST /keymanagement/identity/v1/keyprov HTTP/1.1"+auth+body, answer)
}

func (k *walk) get(host, path, token, status string) {
	k.exchange(host, "GET "+path+" HTTP/1.1\nAuthorization: Bearer "+token, status)
}

// publish is the service authorisation over SIP with the same token.
func (k *walk) publish(token string) {
	typ, body := lab.Multipart([]lab.Part{
		{Type: "application/vnd.3gpp.mcptt-info+xml", Body: `<?xml version="1.0"?><mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token type="Normal"><mcpttString>` + token + `</mcpttString></mcptt-access-token><mcptt-client-id type="Normal"><mcpttString>urn:uuid:2f6b8c4e-1a2b-4c3d-9e8f-0a1b2c3d4e5f</mcpttString></mcptt-client-id></mcptt-Params></mcpttinfo>`}})
	ue, core := netip.MustParseAddrPort("192.0.2.10:5060"), netip.MustParseAddrPort("192.0.2.1:5060")
	same := "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKw1\r\nFrom: <sip:ue1@mcptt.example.org>;tag=f\r\nTo: <sip:ue1@mcptt.example.org>\r\nCall-ID: walk@192.0.2.10\r\nCSeq: 1 PUBLISH\r\n"
	k.w.Net.UDP(ue, core, []byte("PUBLISH sip:participating@mcptt.example.org SIP/2.0\r\n"+same+"Event: poc-settings\r\nExpires: 3600\r\nP-Preferred-Identity: <sip:ue1@mcptt.example.org>\r\nContent-Type: "+typ+fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body)))
	k.w.Net.UDP(core, ue, []byte("SIP/2.0 200 OK\r\n"+same+"SIP-ETag: e1\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n"))
}

// walked writes a capture and gives its events.
func walked(t *testing.T, script func(*walk)) []*session.Event {
	t.Helper()
	var b bytes.Buffer
	shape, err := lab.ShapeByName("ethernet")
	if err != nil {
		t.Fatal(err)
	}
	w, err := lab.New(&b, shape, 5)
	if err != nil {
		t.Fatal(err)
	}
	script(&walk{t, w, 40000})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "walk.pcap")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return decodeFile(t, name, nil)
}

func whole(k *walk) {
	tok := access(k.w.Net.Clock.Add(time.Hour))
	k.logIn(tok, walkProof)
	k.keys(tok, "200 OK")
	k.get("cms.example.org", "/org.3gpp.mcptt.user-profile/users/sip:alice@example.org/user-profile-1.xml", tok, "200 OK")
	k.publish(tok)
	k.get("gms.example.org", "/org.openmobilealliance.groups/global/byGroupID/sip:group1@example.org", tok, "304 Not Modified")
	k.get("rec.example.org", "/recordings/7/replay", tok, "200 OK")
}

// TestWalk follows one user through a capture of every service, from octets to the story.
func TestWalk(t *testing.T) {
	tr, ss, ids := follow(t, walked(t, whole))
	sch := schema(t)
	var got []string
	for _, x := range ss {
		valid(t, sch, x)
		got = append(got, fmt.Sprintf("%s %s %s %s", x.Service, x.How, x.MCID, x.State))
		if x.Trail == nil || x.Trail.Issued == nil || x.Trail.IssuedTo != "MCPTT_UE_1" {
			t.Errorf("%s: the token is not followed to its issue: %+v", x.Service, x.Trail)
		}
	}
	const want = "idm authorization_code A accepted, kms bearer A accepted, cms bearer A accepted, mcptt publish A accepted, gms bearer A accepted, recording bearer A accepted"
	if g := strings.ReplaceAll(strings.Join(got, ", "), walkUser, "A"); g != want {
		t.Fatalf("sessions\n%s, want\n%s", g, want)
	}
	for _, id := range ids {
		if id != "TOK-06" {
			t.Errorf("finding %s on clean traffic", id)
		}
	}
	chains := session.Chains(ss, tr.Tokens())
	if len(chains) != 1 || chains[0].Verdict != "complete" || !chains[0].HTTP() || len(chains[0].Steps) != 6 {
		t.Fatalf("chains: %s", chains[0].AppendJSON(nil))
	}
	line := chains[0].AppendJSON(nil)
	if err := sch.Validate(line); err != nil {
		t.Errorf("%v in %s", err, line)
	}
	all := append([][]byte{line, session.Ladder(chains[0].Events(), session.LadderOptions{Width: 160})}, nil)
	for _, x := range ss {
		all = append(all, x.AppendJSON(nil))
	}
	for _, secret := range []string{"the-secret", walkProof, "wonderland", "eyJ", "signature-of"} {
		for _, b := range all {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("secret %q in %s", secret, b)
			}
		}
	}
	for _, host := range []string{"idm.example.org", "kms.example.org"} {
		if !bytes.Contains(all[1], []byte(host)) {
			t.Errorf("the ladder lacks %s:\n%s", host, all[1])
		}
	}
	if x := ss[1]; len(x.KeySets) != 1 || x.KeySets[0].PeriodNo != 1514 || len(x.Actions) != 1 || x.Actions[0].What != "keyprov" || x.ResponseMin <= 0 {
		t.Errorf("key management: %+v", x)
	}
	if x := ss[0]; x.OAuthClient != "MCPTT_UE_1" || x.Until == 0 || len(x.Tokens) != 2 {
		t.Errorf("authentication: %+v", x)
	}
}

// TestWalkGaps leaves one service out at a time: the story names it.
func TestWalkGaps(t *testing.T) {
	for stage, c := range map[string]struct {
		script func(*walk, string)
		words  string
	}{
		"idm": {func(k *walk, tok string) { k.keys(tok, "200 OK"); k.publish(tok) }, "no token issue in this capture: https://idm.example.org issued the token before it, or elsewhere"},
		"kms": {func(k *walk, tok string) { k.logIn(tok, walkProof); k.publish(tok) }, "no KMS exchange in this capture"},
		"cms": {func(k *walk, tok string) { k.logIn(tok, walkProof); k.keys(tok, "200 OK") }, "no configuration management in this capture: the user profile and the service configuration are not known from it"},
		"sip": {func(k *walk, tok string) { k.logIn(tok, walkProof) }, "no service authorisation over SIP in this capture"},
		"gms": {func(k *walk, tok string) { k.publish(tok) }, "no group management in this capture"},
	} {
		tr, ss, _ := follow(t, walked(t, func(k *walk) { c.script(k, access(k.w.Net.Clock.Add(time.Hour))) }))
		chains := session.Chains(ss, tr.Tokens())
		if len(chains) != 1 {
			t.Fatalf("%s: %d chains", stage, len(chains))
		}
		i := slices.IndexFunc(chains[0].Steps, func(s session.Step) bool { return s.Stage == stage })
		if i < 0 || chains[0].Steps[i].Gap != c.words || !strings.Contains(chains[0].Verdict, stage) {
			t.Errorf("%s: %s", stage, chains[0].AppendJSON(nil))
		}
	}
	// Refused by the KMS: the story stops there.
	tr, ss, _ := follow(t, walked(t, func(k *walk) {
		tok := access(k.w.Net.Clock.Add(time.Hour))
		k.logIn(tok, walkProof)
		k.keys(tok, "401 Unauthorized\nWWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"revoked\"")
	}))
	if c := session.Chains(ss, tr.Tokens()); len(c) != 1 || c[0].Verdict != "stops at kms: 401 Unauthorized; invalid_token: revoked" || !c[0].Failed() {
		t.Errorf("refused: %s", c[0].AppendJSON(nil))
	}
	// A verifier that does not fit.
	_, _, ids := follow(t, walked(t, func(k *walk) { k.logIn(access(k.w.Net.Clock.Add(time.Hour)), strings.Repeat("x", 43)) }))
	if !slices.Contains(ids, "pkce-mismatch") {
		t.Errorf("findings %v", ids)
	}
}

// chainFiles are the lab's captures of the HTTP half.
var chainFiles = []string{"chain.pcap", "chain-late.pcap", "chain-servers.pcap", "web-failures.pcap"}

// opened decodes a capture with an empty ring: keys come from the KMS exchange inside.
func opened(t *testing.T, name string) []*session.Event {
	t.Helper()
	m, err := keys.Load(nil, keys.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return decodeFile(t, filepath.Join("..", "..", "testdata", "pcaps", name), m)
}

// TestChainCaptures holds the lab's captures to their stories.
func TestChainCaptures(t *testing.T) {
	sch := schema(t)
	want := map[string][]string{
		"chain.pcap": {
			"sip:alice@mcptt.mc.example.org: complete", "idm 2", "kms 1", "cms 1", "sip 1", "gms 1", "recording 2",
			"sip:alice-ue@mc.example.org: all that is here went well; not in this capture: idm, kms, sip, gms", "cms 1"},
		"chain-late.pcap": {"sip:alice@mcptt.mc.example.org: all that is here went well; not in this capture: idm, cms, gms", "kms 1", "sip 1"},
		"chain-servers.pcap": {
			"mcptt.mc.example.org: all that is here went well; not in this capture: idm, cms, sip, gms", "kms 1",
			"sip:gms@mc.example.org: all that is here went well; not in this capture: idm, cms, sip, gms", "kms 1",
			"sip:alice@mcptt.mc.example.org: all that is here went well; not in this capture: kms, cms, gms", "idm 1", "sip 1"},
		"web-failures.pcap": {
			"sip:alice@mcptt.mc.example.org: stops at kms: 403 Forbidden; insufficient_scope: not for this service", "idm 1", "kms 1",
			"sip:bob@mcptt.mc.example.org: stops at gms: 409 Conflict; the answer does not say that the token was refused", "idm 1", "kms 1", "gms 1",
			"sip:carol@mcptt.mc.example.org: stops at kms: 403 Forbidden; KMS error 17 user not known", "idm 1", "kms 1", "cms 1",
			"-: stops at idm: 400 Bad Request; invalid_grant: the code was used before", "idm 1",
			"-: stops at idm: 302 Found; invalid_request: code_challenge missing", "idm 1"},
	}
	for _, name := range chainFiles {
		tr, ss, _ := follow(t, opened(t, name))
		for _, x := range ss {
			valid(t, sch, x)
		}
		var got []string
		for _, c := range session.Chains(ss, tr.Tokens()) {
			if err := sch.Validate(c.AppendJSON(nil)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			got = append(got, strings.Join(append(c.Users, "-")[:1], "")+": "+c.Verdict)
			for _, s := range c.Steps {
				if len(s.Sessions) > 0 {
					got = append(got, fmt.Sprintf("%s %d", s.Stage, len(s.Sessions)))
				} else if s.Gap == "" {
					t.Errorf("%s: %s has neither sessions nor a gap", name, s.Stage)
				}
			}
		}
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want[name], "\n"))
		}
		// No identity is left when a session and its story are redacted.
		var hidden []*session.Session
		var trails []*session.Trail
		alias := func(s string) string { return fmt.Sprintf("id%x", sha256.Sum256([]byte(s)))[:10] }
		for _, x := range ss {
			hidden = append(hidden, x.Redacted(alias))
		}
		for _, x := range tr.Tokens() {
			trails = append(trails, x.Redacted(alias))
		}
		var out []byte
		for _, x := range hidden {
			out = append(x.AppendJSON(out), '\n')
		}
		for _, c := range session.Chains(hidden, trails) {
			out = append(c.AppendJSON(out), '\n')
		}
		for _, who := range []string{"alice", "bob@", "carol", "fb6ace0e"} {
			if i := bytes.Index(out, []byte(who)); i >= 0 {
				t.Errorf("%s: %q is left in …%s", name, who, out[max(0, i-120):min(len(out), i+40)])
			}
		}
	}
}

// TestTokenFollowed sees the one token of the chain everywhere.
func TestTokenFollowed(t *testing.T) {
	tr, ss, ids := follow(t, opened(t, "chain.pcap"))
	if slices.ContainsFunc(ids, func(id string) bool { return id != "TOK-06" }) {
		t.Errorf("findings on clean traffic: %v", ids)
	}
	x := tr.Tokens()[0]
	var got []string
	for _, p := range x.Shown {
		got = append(got, p.Service.String())
	}
	if x.Issued == nil || x.Issued.Number != 6 || x.Kind != "access" || strings.Join(got, " ") != "kms kms cms cms cms mcptt gms idm" {
		t.Errorf("%+v: %v", x, got)
	}
	if s := ss[0]; len(s.Tokens) != 6 || len(s.Actions) != 6 {
		t.Errorf("authentication: %d tokens, actions %+v", len(s.Tokens), s.Actions)
	}
}
