package decode

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/keys"
)

// keyedChecks are the checks that need keys, with the test that sees each fire.
var keyedChecks = []string{"SEC-04", "SEC-12", "SEC-13", "SEC-15"}

// TestRegisterCovered holds the register to what fires: each check of one message has a case here, each one of several is
// in the register of package session, whose own tests see it fire.
func TestRegisterCovered(t *testing.T) {
	cases := map[string]bool{}
	for _, c := range checkCases {
		cases[c.id] = true
	}
	for _, id := range keyedChecks {
		cases[id] = true
	}
	cross := map[string]session.Check{}
	for _, c := range session.Checks() {
		cross[c.ID] = c
	}
	seen := map[string]bool{}
	for _, c := range Checks() {
		if c.Title == "" || c.Fires == "" || c.Clause == "" || !strings.ContainsRune("SCIR?-", rune(c.Evidence)) || seen[c.ID] {
			t.Errorf("incomplete or repeated entry %+v", c)
		}
		seen[c.ID] = true
		switch s, ok := cross[c.ID]; {
		case c.Cross && !ok:
			t.Errorf("%s needs several messages, but package session does not have it", c.ID)
		case c.Cross && s.Severity > c.Severity && c.ID != "TPR-06":
			t.Errorf("%s: severity %v here, %v in package session", c.ID, c.Severity, s.Severity)
		case !c.Cross && !cases[c.ID]:
			t.Errorf("no test sees %s fire", c.ID)
		}
	}
	for id := range cases {
		if !seen[id] {
			t.Errorf("%s fires but is not registered", id)
		}
	}
	for id := range cross {
		if regexp.MustCompile(`^[A-Z]+-\d\d$`).MatchString(id) && !seen[id] {
			t.Errorf("package session has %s, the register does not", id)
		}
	}
}

// TestRegisterIsTheDigest holds ids, severities and evidence to section 9 of the digest.
func TestRegisterIsTheDigest(t *testing.T) {
	b, err := os.ReadFile("../../shared/spec/ts24379.md")
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("the digest is not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([A-Z]+-\d\d) \|[^|]*\| ([EWN-]) \|.*\| ([^|]*) \|$`)
	// The addendum to the digest reads RFC 4354 in full and code 140 in an implementation.
	better := map[string]byte{"PUB-19": 'C', "PUB-26": 'C', "SEC-12": 'I'}
	want := map[string]bool{"TOK-07": true} // of --jwks; not in the digest
	for _, m := range row.FindAllStringSubmatch(string(b), -1) {
		id := m[1]
		want[id] = true
		c, ok := CheckByID(id)
		if !ok {
			t.Errorf("%s is not registered", id)
			continue
		}
		evidence := byte('-')
		if e := strings.TrimSpace(m[3]); e != "" {
			evidence = e[0]
		}
		if x, ok := better[id]; ok {
			evidence = x
		}
		sev := map[string]record.Severity{"E": record.Error, "W": record.Warning, "N": record.Note, "-": record.Note}[m[2]]
		if c.Severity != soften(sev, evidence) || c.Evidence != evidence {
			t.Errorf("%s is %v on evidence %c, the digest has %v on %c", id, c.Severity, c.Evidence, sev, evidence)
		}
	}
	if len(want) != 133 {
		t.Errorf("%d ids in the digest and our own, want 133", len(want))
	}
	for _, c := range Checks() {
		if !want[c.ID] {
			t.Errorf("%s is not in the digest", c.ID)
		}
	}
}

func TestSoften(t *testing.T) {
	for _, c := range []struct {
		in   record.Severity
		e    byte
		want record.Severity
	}{{record.Error, 'S', record.Error}, {record.Error, 'C', record.Error}, {record.Error, 'I', record.Error}, {record.Error, 'R', record.Warning},
		{record.Note, 'R', record.Note}, {record.Error, '?', record.Note}, {record.Error, '-', record.Error}} {
		if got := soften(c.in, c.e); got != c.want {
			t.Errorf("soften(%v, %c) = %v, want %v", c.in, c.e, got, c.want)
		}
	}
}

// collect is a sink that keeps the findings of the register by message.
type collect struct{ ids map[string]bool }

func (s *collect) Encode(dst []byte, r *record.Record) []byte {
	for _, id := range registered(r) {
		dst = append(append(dst, id...), '\n')
	}
	return dst
}

func (s *collect) Write(b []byte) error {
	for id := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
		s.ids[id] = true
	}
	return nil
}

// play runs one scenario of the lab through the pipeline and lists what fires.
func play(t *testing.T, name string, withKeys bool, cfg CheckConfig) []string {
	t.Helper()
	s, err := lab.NewSystem(lab.Options{Seed: 5, Users: 1})
	if err != nil {
		t.Fatal(err)
	}
	sc, err := lab.ScenarioByName(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out bytes.Buffer
	if _, _, err := s.Write(&out, lab.Shapes[0], []lab.Scenario{sc}, 0); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a.pcap")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	opt := Options{Checks: &cfg, Workers: 1}
	if withKeys {
		master, err := s.MasterSecrets()
		if err != nil {
			t.Fatal(err)
		}
		for n, b := range map[string][]byte{"k.json": master, "k.mcxkeys": s.Identities()} {
			if err := os.WriteFile(filepath.Join(dir, n), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m, err := keys.Load([]string{filepath.Join(dir, "k.json"), filepath.Join(dir, "k.mcxkeys")}, keys.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		opt.Ring = keys.NewRing(m, keys.RingLimits{})
		defer opt.Ring.Close()
	}
	src, err := capture.Open([]string{file}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	sink := &collect{ids: map[string]bool{}}
	if _, err := Run(context.Background(), src, opt, sink); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for id := range sink.ids {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// TestChecksOnScenarios runs the lab's scenarios, right and wrong, with and without keys.
func TestChecksOnScenarios(t *testing.T) {
	wrong := map[string]struct{ keyed, blind string }{
		"fail-token-expired":      {"TOK-03", "TOK-03"},
		"fail-token-scope":        {"TOK-04", "TOK-04"},
		"fail-bearer-expired":     {"TOK-03", "TOK-03"},
		"fail-token-none":         {"TOK-02", "TOK-02"},
		"fail-client-id-missing":  {"PUB-12", "PUB-12"},
		"fail-tags-missing":       {"REG-01 REG-18", "REG-01 REG-18"},
		"fail-token-clear":        {"REG-09 REG-10 REG-18", "REG-09 REG-10 REG-18"},
		"fail-signature":          {"SEC-15", ""},
		"fail-digest":             {"SEC-14", "SEC-14"},
		"fail-tag":                {"SEC-12", ""},
		"fail-key-name":           {"SEC-10", "SEC-10"},
		"fail-imessage-signature": {"SEC-04", ""},
		"fail-mdsi-twice":         {"REG-13", "REG-13"},
		"fail-period":             {"SEC-05", "SEC-05"},
		// By right, and yet worth a word: a key that an earlier message delivered, which one message cannot know; a plain
		// token over UDP; an encrypted index that the schema does not have.
		"register-again":          {"", "REG-07"},
		"register-clear":          {"REG-18", "REG-18"},
		"register-integrity":      {"REG-18", "REG-18"},
		"migrate-clear":           {"REG-18", "REG-18"},
		"migrate-integrity":       {"REG-18", "REG-18"},
		"migrate-confidentiality": {"MIG-08", "MIG-08"},
		"migrate-protected":       {"MIG-08", "MIG-08"},
	}
	for _, s := range lab.Scenarios() {
		if testing.Short() && wrong[s.Name].keyed == "" {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			if got := strings.Join(play(t, s.Name, false, CheckConfig{}), " "); got != wrong[s.Name].blind {
				t.Errorf("without keys %q, want %q", got, wrong[s.Name].blind)
			}
			keyed := wrong[s.Name].keyed
			if strings.HasPrefix(s.Name, "derivation-") {
				keyed = "SEC-13" // every way to derive a key but the expected one
			}
			if got := strings.Join(play(t, s.Name, true, CheckConfig{}), " "); got != keyed {
				t.Errorf("with keys %q, want %q", got, keyed)
			}
		})
	}
}

// TestFallbackDerivation is SEC-13: a key cut from the other end of the derivation's output.
func TestFallbackDerivation(t *testing.T) {
	x := &checkLab{labWorld(t), lab.KnownCSK()}
	block, err := aes.NewCipher(keys.DeriveXPK(x.k.Key, keys.Confidentiality, x.k.User, x.k.ID, keys.Variant{First: true}))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	iv := make([]byte, 12)
	sealed := gcm.Seal(bytes.Clone(iv), iv, []byte("<mcpttString>"+checkClient+"</mcpttString>"), nil)
	d := x.register(x.tok(true) + x.cid(true))
	i, j := strings.LastIndex(d.parts[0].Body, "<xenc:CipherValue>"), strings.LastIndex(d.parts[0].Body, "</xenc:CipherValue>")
	d.parts[0].Body = d.parts[0].Body[:i+18] + base64.StdEncoding.EncodeToString(sealed) + d.parts[0].Body[j:]
	d.parts = append([]lab.Part{x.mikey()}, d.parts...)
	m, err := keys.Load(nil, keys.LoadOptions{CSK: []string{fmt.Sprintf("%08x=%x@%s", x.k.ID, x.k.Key, x.k.User)}})
	if err != nil {
		t.Fatal(err)
	}
	ring := keys.NewRing(m, keys.RingLimits{})
	defer ring.Close()
	r := Body(context.Background(), "sip", d.bytes(), lab.Epoch, Options{Checks: &CheckConfig{}, Ring: ring})
	if got := strings.Join(registered(r), " "); got != "SEC-13" {
		t.Errorf("findings %q, want SEC-13\n%s", got, dump(r))
	}
}

// TestSilence holds the checks to silence where a rule only seems to be broken.
func TestSilence(t *testing.T) {
	x := &checkLab{labWorld(t), lab.KnownCSK()}
	for name, f := range map[string]func() *draft{
		"affiliation by PUBLISH (TS 24.379 9.2.1.2)": func() *draft {
			d := x.publish(x.uri(false))
			d.header("Event", "Event: presence")
			d.parts[1] = lab.Part{Type: "application/pidf+xml", ContentID: "p", Body: `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@example.org"/>`}
			return d
		},
		"REGISTER without MC bodies": func() *draft { d := x.register(""); d.parts = nil; return d },
		"REGISTER of a telephony client": func() *draft {
			d := x.register("")
			d.parts = nil
			d.header("Contact", `Contact: <sip:ue1@192.0.2.10:5060>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"`)
			return d
		},
		"third-party REGISTER for telephony": func() *draft {
			d := thirdPartyDraft(func(*checkLab, *draft) {})(x)
			d.uri = "sip:tas.example.org"
			return d
		},
		"quoted by ICMP": func() *draft {
			d := x.register(x.tok(false))
			d.transport = "quoted"
			return d
		},
		"third-party REGISTER that ends": func() *draft {
			d := thirdPartyDraft(func(*checkLab, *draft) {})(x)
			d.header("Expires", "Expires: 0")
			return d
		},
		"PUBLISH of presence": func() *draft {
			d := x.publish("")
			d.header("Event", "Event: presence")
			d.parts = nil
			return d
		},
		"two I_MESSAGEs of different services": func() *draft {
			d := x.register(x.tok(true) + x.cid(true))
			o := x.mikey()
			b := []byte(o.Body)
			b[10] = 8 // the CS ID of MCVideo
			o.Body = string(b)
			d.parts = append([]lab.Part{x.mikey(), o}, d.parts...)
			return d
		},
		"two contacts at one address": func() *draft {
			d := x.register(x.tok(false) + x.cid(false))
			d.headers = append(d.headers, "Contact: <sip:other@192.0.2.10>"+checkTags)
			return d
		},
		"scope of release 13": func() *draft {
			d := x.register(x.tok(false) + x.cid(false))
			d.edit("info+xml", labToken(x.k.User), labJWS(`{"alg":"RS256"}`, `{"mcptt_id":"sip:a@b","scope":"openid 3gpp:mcptt:ptt_server vendor:thing","exp":`+exp(60)+`}`))
			return d
		},
		"scopes as a list": func() *draft {
			d := x.register(x.tok(false) + x.cid(false))
			d.edit("info+xml", labToken(x.k.User), labJWS(`{"alg":"RS256"}`, `{"mcptt_id":"sip:a@b","scope":["openid","3gpp:mc:ptt_service"],"exp":`+exp(60)+`}`))
			return d
		},
		"MCVideo": func() *draft {
			return asService(x.register(x.tok(false)+x.cid(false)), "mcvideo", "video", `;+g.3gpp.mcvideo;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcvideo"`)
		},
		"MCData": func() *draft {
			return asService(x.register(x.tok(false)+x.cid(false)), "mcdata", "data", `;+g.3gpp.mcdata.fd;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcdata.fd"`)
		},
		"plain token behind the first proxy": func() *draft {
			d := x.register(x.tok(false) + x.cid(false))
			d.transport = "udp"
			d.headers = append(d.headers, "Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK9")
			return d
		},
	} {
		d := f()
		r := checked(t, d.bytes(), d.cfg, d.transport)
		if got := registered(r); got != nil {
			t.Errorf("%s: findings %q\n%s", name, got, dump(r))
		}
	}
}

// TestOtherServices holds the clauses of findings to the specification of the service.
func TestOtherServices(t *testing.T) {
	x := &checkLab{labWorld(t), lab.KnownCSK()}
	for name, want := range map[string]string{"mcptt": "TS 24.379 7.2.1", "mcvideo": "TS 24.281 7.2.1", "mcdata": "TS 24.282 7.2.1"} {
		d := x.register(x.tok(false) + x.cid(false))
		if name != "mcptt" {
			asService(d, name, strings.TrimPrefix(name, "mc"), "")
		}
		d.header("Contact", "Contact: <sip:ue1@192.0.2.10:5060>")
		r := checked(t, d.bytes(), CheckConfig{}, "tls")
		if got := strings.Join(registered(r), " "); got != "REG-01" || r.Findings[0].Clause != want || r.Findings[0].Body != "" {
			t.Errorf("%s: %q %+v, want REG-01 and %s", name, got, r.Findings, want)
		}
		d = x.publish(x.tok(false))
		d.header("P-Preferred-Service", "P-Preferred-Service: "+icsiPrefix+name)
		d.header("Accept-Contact", "Accept-Contact: *;+g.3gpp."+name+";require;explicit")
		if name != "mcptt" {
			asService(d, name, strings.TrimPrefix(name, "mc"), "")
		}
		// MCData publishes the profile alone.
		d.edit("settings+xml", "<am-settings><answer-mode>automatic</answer-mode></am-settings>", "", "<m:multiplex-support>true</m:multiplex-support>", "")
		want := map[string]string{"mcptt": "PUB-12 PUB-18 PUB-23", "mcvideo": "PUB-12 PUB-18 PUB-23", "mcdata": "PUB-12"}[name]
		r = checked(t, d.bytes(), CheckConfig{}, "tls")
		if got := strings.Join(registered(r), " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestCombined is one REGISTER for two services of which one signs: the other's body is none of its business.
func TestCombined(t *testing.T) {
	x := &checkLab{labWorld(t), lab.KnownCSK()}
	d := x.register(x.tok(false) + x.cid(false))
	v := asService(x.register(x.tok(false)+x.cid(false)), "mcvideo", "video", "")
	v.parts[0].ContentID = "video@ue1"
	x.sign(d)
	d.parts = append(d.parts, x.mikey(), v.parts[0])
	d.header("Contact", `Contact: <sip:ue1@192.0.2.10:5060>;+g.3gpp.mcptt;+g.3gpp.mcvideo;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt,urn%3Aurn-7%3A3gpp-service.ims.icsi.mcvideo"`)
	if got := registered(checked(t, d.bytes(), CheckConfig{}, "tls")); got != nil {
		t.Errorf("findings %q", got)
	}
	d.cfg.Integrity = On
	if got := strings.Join(registered(checked(t, d.bytes(), d.cfg, "tls")), " "); got != "SEC-18 REG-11" {
		t.Errorf("findings %q, want SEC-18 and REG-11 about MCVideo", got)
	}
}

// TestInnerPaths looks where the findings about an embedded REGISTER point.
func TestInnerPaths(t *testing.T) {
	x := &checkLab{labWorld(t), lab.KnownCSK()}
	in := x.register(x.tok(false))
	in.parts = append(in.parts, lab.Part{Type: "text/plain", Body: "x"})
	in.header("Contact", "Contact: <sip:ue1@192.0.2.10>")
	d := thirdPartyDraft(func(_ *checkLab, d *draft) {
		d.parts = []lab.Part{{Type: "text/plain", Body: "y"}, inside(in)}
	})(x)
	r := checked(t, d.bytes(), CheckConfig{}, "udp")
	got := map[string]string{}
	for _, f := range r.Findings {
		got[f.ID] = f.Body
		if f.ID == "REG-01" && string(r.Sources[f.Source].Data[f.Off:f.Off+f.Len]) != "<sip:ue1@192.0.2.10>" {
			t.Errorf("REG-01 points at %q", r.Sources[f.Source].Data[f.Off:f.Off+f.Len])
		}
	}
	if got["REG-01"] != "1.2" || got["REG-06"] != "1.1" {
		t.Errorf("bodies %v, want REG-01 at the message/sip body 1.2 and REG-06 at the inner body 1.1", got)
	}
}

// TestCutMessages runs the checks on every beginning of a message: what the capture cut off is not missing.
func TestCutMessages(t *testing.T) {
	x := &checkLab{labWorld(t), lab.KnownCSK()}
	d := x.publish(x.tok(true) + x.cid(true))
	d.parts = append([]lab.Part{x.mikey()}, d.parts...)
	x.sign(d)
	all := d.bytes()
	opt := Options{Checks: &CheckConfig{}}
	opt.Limits = opt.Limits.withDefaults()
	w := newWorker(&opt)
	for n := range all {
		r := w.message(context.Background(), cutUnit(all[:n]), 1)
		for _, id := range registered(r) {
			// What the dissectors say of half a body has tests of its own.
			if c, _ := CheckByID(id); c.at != atBody {
				t.Fatalf("%d of %d octets: %s\n%s", n, len(all), id, dump(r))
			}
		}
	}
}

// TestReceiver is REG-14 with hidden identities: only with keys is it known whom the I_MESSAGE is for.
func TestReceiver(t *testing.T) {
	for _, c := range []struct {
		mdsi string
		keys bool
		want string
	}{{"mcptt.mc.example.org", true, ""}, {"mcptt.other.example.org", true, "REG-14"}, {"mcptt.other.example.org", false, ""}} {
		if got := strings.Join(play(t, "register-protected", c.keys, CheckConfig{MDSI: []string{c.mdsi}}), " "); got != c.want {
			t.Errorf("MDSI %s, keys %v: %q, want %q", c.mdsi, c.keys, got, c.want)
		}
	}
}

func FuzzChecks(f *testing.F) {
	x := &checkLab{labWorld(f), lab.KnownCSK()}
	for _, c := range checkCases {
		f.Add(c.draft(x).bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, cfg := range []CheckConfig{{}, {Confidentiality: On, Integrity: On, MDSI: []string{"a"}, Release: 13, Role: "server"}} {
			r := checked(t, b, cfg, "udp")
			for _, f := range r.Findings {
				k, ok := CheckByID(f.ID)
				if ok && f.Severity > k.Severity {
					t.Fatalf("%s is %v, at most %v", f.ID, f.Severity, k.Severity)
				}
			}
		}
	})
}

func BenchmarkChecks(b *testing.B) {
	x := &checkLab{labWorld(b), lab.KnownCSK()}
	d := x.publish(x.tok(true) + x.cid(true))
	d.parts = append([]lab.Part{x.mikey()}, d.parts...)
	x.sign(d)
	data := d.bytes()
	for _, on := range []bool{false, true} {
		opt := Options{Want: record.All()}
		if on {
			opt.Checks = &CheckConfig{}
		}
		opt.Limits = opt.Limits.withDefaults()
		w := newWorker(&opt)
		u := cutUnit(data)
		u.Truncated = false
		b.Run(map[bool]string{false: "off", true: "on"}[on], func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				w.message(context.Background(), u, 1)
			}
		})
	}
}

// TestJWKS signs tokens with every algorithm and verifies them, whole and damaged.
func TestJWKS(t *testing.T) {
	enc := base64.RawURLEncoding.EncodeToString
	rk, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("a secret of thirty-two octets !!")
	set := fmt.Sprintf(`{"kty":"RSA","kid":"r","use":"sig","n":%q,"e":"AQAB"},{"kty":"oct","kid":"h","k":%q},{"kty":"RSA","use":"enc","n":"","e":""},{"kty":"OKP"}`, enc(rk.N.Bytes()), enc(secret))
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	ec := map[string]*ecdsa.PrivateKey{}
	for name, c := range curves {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		ec[name] = k
		point, err := k.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		n := (len(point) - 1) / 2
		set += fmt.Sprintf(`,{"kty":"EC","kid":"e","crv":%q,"x":%q,"y":%q}`, name, enc(point[1:1+n]), enc(point[1+n:]))
	}
	ks, err := ParseJWKS([]byte(`{"keys":[` + set + `]}`))
	if err != nil || ks.Len() != 5 {
		t.Fatalf("%v, %d keys", err, ks.Len())
	}
	sum := func(h crypto.Hash, b []byte) []byte { d := h.New(); d.Write(b); return d.Sum(nil) }
	hashes := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}
	sign := func(alg string, b []byte) (kid string, sig []byte) {
		h := hashes[alg[2:]]
		var err error
		switch alg[:2] {
		case "RS":
			kid = "r"
			sig, err = rsa.SignPKCS1v15(rand.Reader, rk, h, sum(h, b))
		case "PS":
			kid = "r"
			sig, err = rsa.SignPSS(rand.Reader, rk, h, sum(h, b), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		case "ES":
			kid = "e"
			name := map[string]string{"256": "P-256", "384": "P-384", "512": "P-521"}[alg[2:]]
			var r, s *big.Int
			r, s, err = ecdsa.Sign(rand.Reader, ec[name], sum(h, b))
			n := (curves[name].Params().BitSize + 7) / 8
			sig = append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...)
		case "HS":
			kid = "h"
			m := hmac.New(sha256.New, secret)
			switch alg[2:] {
			case "384":
				m = hmac.New(sha512.New384, secret)
			case "512":
				m = hmac.New(sha512.New, secret)
			}
			m.Write(b)
			sig = m.Sum(nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return kid, sig
	}
	x := &checkLab{labWorld(t), lab.KnownCSK()}
	for alg := range jwsAlgs {
		kid, _ := sign(alg, nil)
		text := enc([]byte(fmt.Sprintf(`{"alg":%q,"kid":%q}`, alg, kid))) + "." + enc([]byte(`{"mcptt_id":"sip:a@b","scope":"3gpp:mc:ptt_service","exp":`+exp(60)+`}`))
		_, sig := sign(alg, []byte(text))
		good := text + "." + enc(sig)
		sig[len(sig)-1] ^= 1
		for want, tok := range map[string]string{tokenValid: good, tokenInvalid: text + "." + enc(sig)} {
			d := x.register(x.elem(false, "mcptt-access-token", "mcpttString", tok) + x.cid(false))
			r := checked(t, d.bytes(), CheckConfig{JWKS: ks}, "tls")
			if got := value(t, r, "mcptt_info.access_token.signature"); got != want {
				t.Errorf("%s: %q, want %q", alg, got, want)
			}
			if fired := slices.Contains(registered(r), "TOK-07"); fired != (want == tokenInvalid) {
				t.Errorf("%s %s: TOK-07 fires: %v", alg, want, fired)
			}
		}
	}
	for alg, want := range map[string]string{"none": tokenUnsigned, "EdDSA": tokenUnsupported} {
		if got := ks.verify([]byte("a.b.c"), alg, ""); got != want {
			t.Errorf("%s: %s, want %s", alg, got, want)
		}
	}
	if got := ks.verify([]byte("a.b.AAAA"), "RS256", "another"); got != tokenNoKey {
		t.Errorf("a kid that no key has: %s", got)
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"keys":[]}`, `{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]}`, `{"keys":[{"kty":"oct","k":""}]}`} {
		if _, err := ParseJWKS([]byte(bad)); err == nil {
			t.Errorf("%s is read as a key set", bad)
		}
	}
}

func TestCheckConfig(t *testing.T) {
	for _, c := range []CheckConfig{{Release: 12}, {Release: 21}, {Role: "cook"}, {Integrity: 9}} {
		if c.Check() == nil {
			t.Errorf("%+v passes", c)
		}
	}
	if err := (&CheckConfig{Release: 18, Role: "ue", Integrity: On}).Check(); err != nil {
		t.Error(err)
	}
	for _, s := range []string{"auto", "on", "off"} {
		if v, err := ParseTri(s); err != nil || v.String() != s {
			t.Errorf("%s is read as %v, %v", s, v, err)
		}
	}
	if _, err := ParseTri("maybe"); err == nil {
		t.Error("maybe passes")
	}
}
