package decode

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/lab"
)

// webMessage decodes one HTTP message. A response is given with the target of its request.
func webMessage(t testing.TB, text, asked string) *record.Record {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	raw := strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n"
	h := &flow.HTTP{Version: "1.1", HeaderEnd: len(raw), ContentEnd: len(raw) + len(body), Conn: 1, Exchange: 1, Authority: "server.example.org"}
	lines := strings.Split(head, "\n")
	start := strings.SplitN(lines[0], " ", 3)
	if strings.HasPrefix(start[0], "HTTP/") {
		_, _ = fmt.Sscan(start[1], &h.Status)
		h.Reason, h.RequestMethod, h.RequestTarget, h.RequestHost = start[2], "POST", asked, "server.example.org"
	} else {
		h.Request, h.Method, h.Target = true, start[0], start[1]
	}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		h.Header = append(h.Header, flow.HTTPField{Name: name, Value: value, Off: uint32(strings.Index(raw, l) + len(name) + 2), Len: uint32(len(value))})
	}
	opt := everything()
	opt.Limits = opt.Limits.withDefaults()
	w := newWorker(&opt)
	r := w.message(context.Background(), &flow.Unit{Data: []byte(raw + body), HTTP: h, Time: lab.Epoch.UnixNano(), Transport: "tcp", Frames: []uint64{1}}, 1)
	checkTree(t, r)
	return r
}

func webToken(scope string, exp int64) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(fmt.Sprintf(`{"mcptt_id":"sip:a@example.org","client_id":"c","scope":%q,"exp":%d}`, scope, exp))) + "." + enc(make([]byte, 32))
}

// TestWebChecks sees each check of the HTTP half fire, with its severity, and stay silent on what is right.
func TestWebChecks(t *testing.T) {
	later := lab.Epoch.Unix() + 3600
	const (
		keyprov   = "POST /keymanagement/identity/v1/keyprov HTTP/1.1\n"
		profile   = "GET /org.3gpp.mcptt.user-profile/users/sip:a@example.org/p.xml HTTP/1.1\n"
		groups    = "GET /org.openmobilealliance.groups/global/byGroupID/sip:g@example.org HTTP/1.1\n"
		challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWBuGJSstw-cM"
		ask       = "GET /authorize?client_id=c&redirect_uri=x&state=s&acr_values=3gpp:acr:password"
		form      = "POST /token HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\n"
		code      = "grant_type=authorization_code&code=c&redirect_uri=x&client_id=c"
		verifier  = "&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
		json      = "HTTP/1.1 200 OK\nContent-Type: application/json\n\n"
		xml       = "HTTP/1.1 403 Forbidden\nContent-Type: application/xml\n\n"
	)
	bearer := func(scope string) string { return "Authorization: Bearer " + webToken(scope, later) }
	good := ask + "&response_type=code&scope=openid+3gpp:mc:ptt_service&code_challenge_method=S256&code_challenge=" + challenge + " HTTP/1.1"
	change := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	fired := map[string]bool{}
	for _, c := range []struct{ id, fire, silent string }{
		{"bearer-missing", keyprov, keyprov + bearer("3gpp:mc:ptt_key_management_service")},
		{"bearer-missing", profile, profile + bearer("3gpp:mc:ptt_config_management_service")},
		{"bearer-missing", groups, groups + bearer("3gpp:mcptt:group_management_server")},
		{"bearer-refused", "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer error=\"invalid_token\"", "HTTP/1.1 200 OK\nServer: x"},
		{"bearer-refused", "HTTP/1.1 403 Forbidden\nServer: x", "HTTP/1.1 404 Not Found\nServer: x"},
		{"bearer-refused", "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer", "HTTP/1.1 304 Not Modified\nServer: x"},
		{"idm-error", json + `{"error":"invalid_grant"}`, json + `{"access_token":"x","token_type":"bearer"}`},
		{"idm-missing", change("&state=s", ""), good},
		{"idm-missing", form + code, form + code + verifier},
		{"idm-missing", json + `{"access_token":"x"}`, json + `{"access_token":"x","token_type":"bearer"}`},
		{"idm-scope-openid", change("openid+", ""), good},
		{"idm-response-type", change("type=code", "type=token"), good},
		{"idm-grant-password", form + "grant_type=password&username=u&password=p", form + code + verifier},
		{"idm-pkce-missing", change("&code_challenge="+challenge, ""), good},
		{"idm-pkce-plain", change("S256", "plain"), good},
		{"idm-pkce-method", change("S256", "S512"), good},
		{"idm-pkce-challenge", change(challenge, "short"), good},
		{"idm-pkce-verifier", form + code + "&code_verifier=short", form + code + verifier},
		{"idm-token-type", json + `{"access_token":"x","token_type":"mac"}`, json + `{"access_token":"x","token_type":"Bearer"}`},
		{"kms-error", xml + `<KmsResponse xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0" Version="1.0.0"><UserUri>sip:a@example.org</UserUri><KmsUri>k</KmsUri><Time>2024-01-01T00:00:00Z</Time><KmsError><ErrorCode>17</ErrorCode><ErrorMsg>no</ErrorMsg></KmsError></KmsResponse>`,
			"HTTP/1.1 200 OK\nContent-Type: application/xml\n\n" + `<KmsResponse xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0" Version="1.0.0"><UserUri>sip:a@example.org</UserUri><KmsUri>k</KmsUri><Time>2024-01-01T00:00:00Z</Time></KmsResponse>`},
		{"TOK-03", keyprov + "Authorization: Bearer " + webToken("3gpp:mc:ptt_key_management_service", later-7200), keyprov + bearer("3gpp:mc:ptt_key_management_service")},
	} {
		is := func(f record.Finding) bool { return f.ID == c.id }
		const asked = "/keymanagement/identity/v1/keyprov"
		r := webMessage(t, c.fire, asked)
		i := slices.IndexFunc(r.Findings, is)
		if i < 0 {
			t.Errorf("%s does not fire on %q: %v", c.id, c.fire, ids(r))
			continue
		}
		if k := slices.IndexFunc(webTable, func(k Check) bool { return k.ID == c.id }); k >= 0 && (r.Findings[i].Severity > webTable[k].Severity || r.Findings[i].Clause == "" || r.Findings[i].Message == "") {
			t.Errorf("%s: %+v is not as registered", c.id, r.Findings[i])
		}
		if r := webMessage(t, c.silent, asked); slices.ContainsFunc(r.Findings, is) {
			t.Errorf("%s fires on %q", c.id, c.silent)
		}
		fired[c.id] = true
	}
	seen := map[string]bool{}
	for _, c := range webTable {
		if !fired[c.ID] {
			t.Errorf("no test sees %s fire", c.ID)
		}
		if c.Title == "" || c.Fires == "" || c.Clause == "" || !strings.ContainsRune("SCIR?-", rune(c.Evidence)) || seen[c.ID] {
			t.Errorf("incomplete or repeated entry %+v", c)
		}
		seen[c.ID] = true
	}
}
