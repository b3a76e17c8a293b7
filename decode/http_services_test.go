package decode

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/lab/known"
)

const (
	typForm = "application/x-www-form-urlencoded"
	pkce    = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
)

// exchange decodes one HTTP message as a worker does.
func exchange(t testing.TB, h *flow.HTTP, data string, opt Options) *record.Record {
	t.Helper()
	opt.Limits = opt.Limits.withDefaults()
	w := newWorker(&opt)
	h.HeaderEnd, h.ContentEnd = strings.Index(data, "\r\n\r\n")+4, len(data)
	for line := range strings.SplitSeq(data[:h.HeaderEnd-4], "\r\n") {
		name, v, ok := strings.Cut(line, ": ")
		if !ok || strings.Contains(name, " ") {
			continue
		}
		h.Header = append(h.Header, flow.HTTPField{Name: name, Value: v, Off: uint32(strings.Index(data, line) + len(name) + 2), Len: uint32(len(v))})
	}
	u := flow.Unit{Data: []byte(data), HTTP: h}
	u.Time = noon
	r := w.message(t.Context(), &u, 7)
	checkTree(t, r)
	return r
}

func get(target, headers string) (*flow.HTTP, string) {
	return &flow.HTTP{Version: "1.1", Request: true, Method: "GET", Target: target, Authority: "h"}, "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n"
}

func reply(target, status, headers, body string, code int) (*flow.HTTP, string) {
	return &flow.HTTP{Version: "1.1", Status: code, Reason: status, RequestMethod: "GET", RequestTarget: target, RequestHost: "h"}, "HTTP/1.1 " + itoa(code) + " " + status + "\r\n" + headers + "\r\n" + body
}

// TestIdM holds each message of the identity management to its fields and findings.
func TestIdM(t *testing.T) {
	const auth = "/idms/authorize?response_type=code&client_id=UE-1&scope=openid%203gpp%3Amc%3Aptt_service&redirect_uri=http%3A%2F%2Fcb&state=s1&acr_values=3gpp%3Aacr%3Apassword&"
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"mcptt_id":"sip:a@b","exp":1704113940,"iss":"i","sub":"s","aud":"c","iat":1}`))
	token := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + claims + "." + sig86
	for _, c := range []struct {
		what     string
		h        *flow.HTTP
		data     string
		form     string // a lone form
		json     string // a lone JSON body
		want     map[string]string
		findings string
	}{
		{what: "authorisation", form: strings.SplitN(auth, "?", 2)[1] + pkce, want: map[string]string{"idm.message": "authorisation_request", "idm.client_id": "UE-1", "idm.scope": "openid,3gpp:mc:ptt_service",
			"idm.redirect_uri": "http://cb", "idm.acr_values": "3gpp:acr:password", "idm.code_challenge_method": "S256"}},
		{what: "plain PKCE", form: strings.SplitN(auth, "?", 2)[1] + "code_challenge=abc", findings: "idm-pkce-plain"},
		{what: "no PKCE", form: strings.SplitN(auth, "?", 2)[1], findings: "idm-pkce-missing"},
		{what: "unknown PKCE", form: strings.SplitN(auth, "?", 2)[1] + "code_challenge=abc&code_challenge_method=S512", findings: "idm-pkce-method"},
		{what: "short challenge", form: strings.SplitN(auth, "?", 2)[1] + "code_challenge=abc&code_challenge_method=S256", findings: "idm-pkce-challenge"},
		{what: "implicit, no openid", form: "response_type=token&client_id=a&scope=x&redirect_uri=r&state=s&acr_values=1&" + pkce, findings: "idm-response-type idm-scope-openid idm-acr"},
		{what: "bare authorisation", form: "response_type=code&client_id=a&" + pkce, findings: "idm-missing"},
		{what: "unknown scope", form: strings.Replace(strings.SplitN(auth, "?", 2)[1], "ptt_service", "rec_admin", 1) + pkce, findings: "idm-scope-unknown"},
		{what: "token by code", form: "grant_type=authorization_code&code=SplxlOBeZQQYbYS6WxSbIA&client_id=UE-1&redirect_uri=r&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
			want: map[string]string{"idm.message": "token_request", "idm.grant_type": "authorization_code", "idm.code": "[22 characters withheld]", "idm.code_fingerprint": fingerprint([]byte("SplxlOBeZQQYbYS6WxSbIA")),
				"idm.code_verifier": "[43 characters withheld]", "idm.verifier_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}},
		{what: "token by code, bare", form: "grant_type=authorization_code&code=x&code_verifier=y", findings: "idm-missing idm-pkce-verifier"},
		{what: "refresh", form: "grant_type=refresh_token&refresh_token=0123456789abcdef&scope=openid", want: map[string]string{"idm.tokens.kind": "refresh_token", "idm.tokens.token": "[16 characters withheld]", "idm.tokens.fingerprint": fingerprint([]byte("0123456789abcdef"))}},
		{what: "password", form: "grant_type=password&username=alice&password=geheim", want: map[string]string{"idm.username": "alice", "idm.secret": "[6 characters withheld]"}, findings: "idm-grant-password"},
		{what: "exchange", form: "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=" + token + "&subject_token_type=urn:ietf:params:oauth:token-type:access_token&resource=https%3A%2F%2Fp",
			want: map[string]string{"idm.resource": "https://p", "idm.tokens.kind": "subject_token", "idm.tokens.type": "urn:ietf:params:oauth:token-type:access_token", "idm.tokens.claims.mcptt_id": `"sip:a@b"`}},
		{what: "exchange, bare", form: "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange", findings: "idm-missing"},
		{what: "assertion", form: "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" + token, want: map[string]string{"idm.tokens.kind": "assertion"}},
		{what: "token response", json: `{"access_token":"` + token + `","token_type":"Bearer","expires_in":3600,"refresh_token":"r0123456789abcdef","id_token":"` + token + `"}`,
			want: map[string]string{"idm.message": "token_response", "idm.token_type": "Bearer", "idm.expires_in": "3600", "idm.tokens.kind": "access_token,id_token,refresh_token", "idm.tokens.expires_in": "3540,3540"}},
		{what: "token response, bare", json: `{"access_token":"` + token + `"}`, findings: "idm-missing"},
		{what: "token of another type", json: `{"access_token":"` + token + `","token_type":"mac"}`, findings: "idm-token-type"},
		{what: "ID token that is none", json: `{"access_token":"` + token + `","token_type":"Bearer","id_token":"abc"}`, findings: "idm-id-token"},
		{what: "ID token without claims", json: `{"access_token":"` + token + `","token_type":"Bearer","id_token":"e30.e30.` + sig86 + `"}`, findings: "idm-id-token"},
		{what: "error", json: `{"error":"invalid_grant","error_description":"used"}`, want: map[string]string{"idm.message": "token_error", "idm.error.code": "invalid_grant", "idm.error.description": "used"}, findings: "idm-error"},
		{what: "some error", json: `{"error":"no idea"}`, want: map[string]string{"idm.message": ""}},
		{what: "discovery", json: `{"issuer":"https://i","token_endpoint":"https://i/t"}`, want: map[string]string{"idm.message": "discovery"}},
		{what: "keys", json: `{"keys":[{"kty":"EC"}]}`, want: map[string]string{"idm.message": "key_set"}},
		{what: "anything", json: `{"sub":"a"}`, want: map[string]string{"idm.message": ""}},
		{what: "login", form: "username=bob&password=geheim", want: map[string]string{"idm.message": "user_authentication", "idm.username": "bob", "idm.secret": "[6 characters withheld]"}},
	} {
		typ, body := typForm, c.form
		if c.json != "" {
			typ, body = "application/json", c.json
		}
		r, _ := dissectOne(t, typ, []byte(body), everything())
		q, _ := dissectOne(t, typ, []byte(body), Options{})
		for name, want := range c.want {
			if got := value(t, r, name); got != want {
				t.Errorf("%s: %s is %q, want %q\n%s", c.what, name, got, want, dump(r))
			}
		}
		if got := ids(r); got != c.findings || ids(q) != got {
			t.Errorf("%s: findings %q, want %q; in the line view %q", c.what, got, c.findings, ids(q))
		}
		for _, secret := range []string{"geheim", "SplxlOBeZQQYbYS6WxSbIA", "dBjftJeZ4CVP", "0123456789abcdef", sig86} {
			if strings.Contains(dump(r), secret) {
				t.Errorf("%s shows %q", c.what, secret)
			}
		}
	}
	// The same in a query, and its answer in a Location.
	h, data := get(auth+pkce, "")
	if r := exchange(t, h, data, everything()); value(t, r, "idm.message") != "authorisation_request" || value(t, r, "idm.state") != "s1" || ids(r) != "" {
		t.Errorf("query: %s\n%s", ids(r), dump(r))
	}
	h, data = reply(auth+pkce, "Found", "Location: http://cb?code=SplxlOBeZQQYbYS6WxSbIA&state=s1\r\n", "", 302)
	if r := exchange(t, h, data, everything()); value(t, r, "idm.message") != "authorisation_response" || value(t, r, "idm.code") != "[22 characters withheld]" || strings.Contains(dump(r), "SplxlOBe") {
		t.Errorf("location: %s\n%s", ids(r), dump(r))
	}
	h, data = reply(auth, "Found", "Location: http://cb#error=access_denied&state=s1\r\n", "", 302)
	if r := exchange(t, h, data, everything()); value(t, r, "idm.error.code") != "access_denied" || ids(r) != "idm-error" {
		t.Errorf("location with an error: %s\n%s", ids(r), dump(r))
	}
	h, data = reply("/userinfo", "OK", "Content-Type: application/json\r\n", `{"sub":"alice"}`, 200)
	if r := exchange(t, h, data, everything()); value(t, r, "idm.message") != "user_info" || value(t, r, "idm.sub") != "alice" {
		t.Errorf("user info:\n%s", dump(r))
	}
}

// TestXCAPTarget takes targets apart.
func TestXCAPTarget(t *testing.T) {
	for _, c := range []struct {
		target string
		want   xcapTarget
		none   bool
	}{
		{"/xcap-root/org.3gpp.mcptt.user-profile/users/sip:a@b/mcptt-user-profile-1.xml", xcapTarget{auid: "org.3gpp.mcptt.user-profile", tree: "users", user: "sip:a@b", document: "mcptt-user-profile-1.xml", kind: "MCPTT user profile"}, false},
		{"https://cms:8443/a/b/org.3gpp.mcvideo.service-config/global/service-config.xml", xcapTarget{auid: "org.3gpp.mcvideo.service-config", tree: "global", document: "service-config.xml", kind: "MCVideo service configuration", unsure: true}, false},
		{"/org.openmobilealliance.groups/global/byGroupID/sip%3Ag%40b/~~/group/list-service%5b1%5d?xmlns(a=b)", xcapTarget{auid: "org.openmobilealliance.groups", tree: "global", document: "byGroupID/sip:g@b", selector: "group/list-service[1]", kind: "group document"}, false},
		{"/org.3gpp.mcdata.ue-init-config/users/x", xcapTarget{auid: "org.3gpp.mcdata.ue-init-config", tree: "users", user: "x", kind: "MCData UE initial configuration", unsure: true}, false},
		{"/org.3gpp.other.thing/users/x/y", xcapTarget{auid: "org.3gpp.other.thing", tree: "users", user: "x", document: "y"}, false},
		{"/resource-lists/users/sip:a@b/index", xcapTarget{auid: "resource-lists", tree: "users", user: "sip:a@b", document: "index", kind: "resource lists"}, false},
		{"/api/users/17", xcapTarget{}, true}, {"/users/a.b.c", xcapTarget{}, true}, {"/", xcapTarget{}, true}, {"*", xcapTarget{}, true}, {"https://host", xcapTarget{}, true}, {"", xcapTarget{}, true},
		{"/" + strings.Repeat("org.a.b/users/", 1000), xcapTarget{}, true},
	} {
		got, ok := parseXCAP(c.target)
		if ok == c.none || ok && got != c.want {
			t.Errorf("%.100s: %+v, %v", c.target, got, ok)
		}
	}
}

// configSamples hold one document of each kind, with what is shown of it.
var configSamples = []struct {
	typ, doc string
	want     map[string]string
	findings string
}{
	{"application/vnd.3gpp.mcptt-ue-init-config+xml", `<mcptt-UE-initial-configuration xmlns="urn:3gpp:mcptt:mcpttUEinitConfig:1.0" domain="d"><Default-user-profile User-ID="sip:a@b" user-profile-index="3"/><on-network><App-Server-Info><idms-auth-endpoint>https://i/a</idms-auth-endpoint><kms>https://k</kms></App-Server-Info>` +
		`<anyExt><MCPTT-Service-Details><Server-URI>sip:psi</Server-URI></MCPTT-Service-Details></anyExt><integrity-protection-enabled>true</integrity-protection-enabled><confidentiality-protection-enabled>no</confidentiality-protection-enabled></on-network></mcptt-UE-initial-configuration>`,
		map[string]string{"mc_document.kind": "ue_initial_configuration", "mc_document.service": "mcptt", "mc_document.domain": "d", "mc_document.default_user": "sip:a@b", "mc_document.default_user_profile_index": "3",
			"mc_document.servers.name": "idms-auth-endpoint,kms,mcptt-service-details/server-uri", "mc_document.servers.uri": "https://i/a,https://k,sip:psi", "mc_document.http_integrity": "true"}, "XML-11"},
	{"application/vnd.3gpp.mcptt-ue-config+xml", `<mcptt-UE-configuration xmlns="urn:3gpp:mcptt:mcpttUEConfig:1.0" domain="d" XUI-URI="sip:a@b"/>`, map[string]string{"mc_document.kind": "ue_configuration", "mc_document.user": "sip:a@b"}, ""},
	{"application/vnd.3gpp.mcvideo-user-profile+xml", `<mcvideo-user-profile xmlns="urn:3gpp:ns:mcvideo:user-profile:1.0" XUI-URI="sip:a@b" user-profile-index="2"><Name>Chief</Name><Status>true</Status><Pre-selected-indication>true</Pre-selected-indication><Common><MCVideoUserID><uri-entry>sip:v@b</uri-entry></MCVideoUserID></Common></mcvideo-user-profile>`,
		map[string]string{"mc_document.kind": "user_profile", "mc_document.service": "mcvideo", "mc_document.user_profile_index": "2", "mc_document.name": "Chief", "mc_document.pre_selected": "true", "mc_document.mc_id": "sip:v@b"}, ""},
	{"application/vnd.3gpp.mcptt-service-config+xml", `<service-configuration-info xmlns="urn:3gpp:ns:mcpttServiceConfig:1.0"><service-configuration-params domain="d"><on-network><signalling-protection><confidentiality-protection>false</confidentiality-protection></signalling-protection>` +
		`<protection-between-mcptt-servers><allow-signalling-protection>0</allow-signalling-protection></protection-between-mcptt-servers></on-network></service-configuration-params></service-configuration-info>`,
		map[string]string{"mc_document.kind": "service_configuration", "mc_document.confidentiality_protection": "false", "mc_document.integrity_protection": "", "mc_document.protection_between_servers": "false"}, ""},
	{"application/vnd.oma.poc.groups+xml", `<group xmlns="urn:oma:xml:poc:list-service"><list-service uri="sip:g@b"><display-name>G</display-name><list><entry uri="sip:a@b"/><entry uri="sip:c@b"/></list><x:key xmlns:x="u">` + base64.StdEncoding.EncodeToString(known.IMessage()) + `</x:key></list-service></group>`,
		map[string]string{"mc_document.kind": "group", "mc_document.user": "sip:g@b", "mc_document.members": "sip:a@b,sip:c@b", "mc_document.member_count": "2", "mc_document.keys.element": "key", "mc_document.keys.mikey.csb_id": "2abcdef0"}, ""},
	{"application/xcap-error+xml", `<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"><uniqueness-failure phrase="taken"/></xcap-error>`, map[string]string{"mc_document.errors.condition": "uniqueness-failure", "mc_document.errors.phrase": "taken"}, "xcap-error"},
	{"application/xcap-diff+xml", `<xcap-diff xmlns="urn:ietf:params:xml:ns:xcap-diff" xcap-root="r"><document sel="org.3gpp.mcptt.user-profile/users/sip:a@b/p"/></xcap-diff>`, map[string]string{"mc_document.kind": "xcap_diff", "mc_document.changed": "org.3gpp.mcptt.user-profile/users/sip:a@b/p"}, ""},
	{"application/xml", `<group><list-service/></group>`, map[string]string{"mc_document.kind": "", "xml.name": "group"}, ""},
}

// TestConfig holds each kind of document to its fields; every cut holds together.
func TestConfig(t *testing.T) {
	for _, c := range configSamples {
		r, _ := dissectOne(t, c.typ, []byte(c.doc), everything())
		for name, want := range c.want {
			if got := value(t, r, name); got != want {
				t.Errorf("%s: %s is %q, want %q\n%s", c.typ, name, got, want, dump(r))
			}
		}
		if got := ids(r); got != c.findings {
			t.Errorf("%s: findings %q, want %q", c.typ, got, c.findings)
		}
		for n := 0; n < len(c.doc); n++ {
			a, _ := dissectOne(t, c.typ, []byte(c.doc[:n]), everything())
			b, _ := dissectOne(t, c.typ, []byte(c.doc[:n]), Options{})
			if ids(a) != ids(b) {
				t.Fatalf("%s cut at %d: tree finds %q, line view %q", c.typ, n, ids(a), ids(b))
			}
		}
	}
}

// TestServices holds requests and answers of the services to what is said about them.
func TestServices(t *testing.T) {
	bearer := func(claims string) string {
		return "Authorization: Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + sig86 + "\r\n"
	}
	for _, c := range []struct {
		what     string
		h        *flow.HTTP
		data     string
		want     map[string]string
		findings string
	}{
		{"KMS", nil, "GET /keymanagement/identity/v1/keyprov/sip%3Aa%40b\n" + bearer(`{"exp":1704113940}`), map[string]string{"kms.operation": "keyprov", "kms.user_uri": "sip:a@b"}, ""},
		{"KMS without a token", nil, "GET /keymanagement/identity/v1/init\n", map[string]string{"kms.operation": "init"}, "bearer-missing"},
		{"unknown operation", nil, "GET /keymanagement/identity/v1/keydelete\n" + bearer(`{}`), map[string]string{"kms.operation": "keydelete"}, "kms-target"},
		{"time that is none", nil, "GET /keymanagement/identity/v1/keyprov/sip%3Aa%40b/now\n" + bearer(`{}`), nil, "kms-target"},
		{"initial configuration needs no token", nil, "GET /org.3gpp.mcptt.ue-init-config/users/a/b\n", map[string]string{"xcap.kind": "MCPTT UE initial configuration"}, ""},
		{"a profile does", nil, "GET /org.3gpp.mcptt.user-profile/users/sip:a@b/c\n", map[string]string{"xcap.user": "sip:a@b"}, "bearer-missing"},
		{"replay", nil, "GET /x\n" + bearer(`{"mcrec_id":"sip:r@b","scope":"3gpp:mc:replay"}`), map[string]string{"recording.role": "replay", "recording.action": "retrieve", "recording.mcrec_id": "sip:r@b", "recording.scope": "3gpp:mc:replay", "recording.unconfirmed": "true"}, ""},
		{"refused", nil, "401 /keymanagement/identity/v1/init\nWWW-Authenticate: Bearer realm=\"x\", error=\"invalid_token\", error_description=\"gone\"\r\n", map[string]string{"kms.operation": "init"}, "bearer-refused"},
		{"refused without a word", nil, "403 /keymanagement/identity/v1/init\n", nil, "bearer-refused"},
		{"refused elsewhere", nil, "403 /x\n", nil, ""},
		{"recording answered", nil, "204 /recording/targets\n", map[string]string{"recording.role": "admin", "recording.answer": "204 Said"}, ""},
	} {
		line, headers, _ := strings.Cut(c.data, "\n")
		first, target, _ := strings.Cut(line, " ")
		var h *flow.HTTP
		var data string
		if first == "GET" {
			h, data = get(target, headers)
		} else {
			code := int(first[0]-'0')*100 + int(first[1]-'0')*10 + int(first[2]-'0')
			h, data = reply(target, "Said", headers, "", code)
		}
		r := exchange(t, h, data, everything())
		for name, want := range c.want {
			if got := value(t, r, name); got != want {
				t.Errorf("%s: %s is %q, want %q\n%s", c.what, name, got, want, dump(r))
			}
		}
		if got := ids(r); got != c.findings {
			t.Errorf("%s: findings %q, want %q", c.what, got, c.findings)
		}
	}
}

// FuzzServices gives any target and header to what is said of HTTP messages: the tree holds together, and the line view
// finds the same.
func FuzzServices(f *testing.F) {
	f.Add(true, "/keymanagement/identity/v1/keyprov/sip%3Aa%40b/D6B4323200000000", "Authorization: Bearer e30.e30.x")
	f.Add(true, "/a?response_type=code&client_id=x&code_challenge=y&scope=openid", "")
	f.Add(false, "/org.3gpp.mcptt.user-profile/users/sip:a@b/c/~~/d", `WWW-Authenticate: Bearer error="invalid_token"`)
	f.Add(false, "/recording/v1/replay", "Location: http://x?code=abc&state=d")
	f.Fuzz(func(t *testing.T, request bool, target, header string) {
		if strings.ContainsAny(target+header, "\r\n") || strings.Contains(target, " ") {
			return
		}
		message := func() (*flow.HTTP, string) {
			if request {
				return get(target, header+"\r\n")
			}
			return reply(target, "OK", header+"\r\n", "", 302)
		}
		h, data := message()
		if strings.Count(data, "\r\n\r\n") != 1 {
			return
		}
		a := exchange(t, h, data, everything())
		h, data = message()
		b := exchange(t, h, data, Options{})
		if !slices.Equal(serviceFindings(a), serviceFindings(b)) {
			t.Fatalf("tree finds %q, line view %q", ids(a), ids(b))
		}
	})
}

// serviceFindings lists the findings but those about the token in the http object, which is looked into when it is shown.
func serviceFindings(r *record.Record) []string {
	return slices.DeleteFunc(strings.Fields(ids(r)), func(id string) bool { return strings.HasPrefix(id, "TOK-") || id == "token-repeated-claim" })
}
