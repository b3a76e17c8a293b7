package decode

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

const typMCPTT = "application/vnd.3gpp.mcptt-info+xml"

func compactJWS(header, claims, sig string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(header)) + "." + e([]byte(claims)) + "." + sig
}

var (
	sig86 = strings.Repeat("x", 86)
	// goodToken expires 59 minutes after noon.
	goodToken = compactJWS(`{"alg":"ES256","typ":"JWT"}`, `{"mcptt_id":"sip:alice@example.org","exp":1704113940,"scope":"openid 3gpp:mc:ptt_service","client_id":"mc"}`, sig86)
)

const kat = `AAECAwQFBgcICQoLrB8OcRLEIoiWXWvl0hokw/6GVBAKpYDPPNG5Ads/UgtGAQeJeeZtYbzL6uZBEIkWYsC91YgbR0M=`

func encrypted(cipher string) string {
	return `<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Content">` +
		`<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"/>` +
		`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:KeyName>Krze8A==</ds:KeyName></ds:KeyInfo>` +
		`<xenc:CipherData><xenc:CipherValue>` + cipher + `</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>`
}

// mcptt wraps children of mcptt-Params in a document.
func mcptt(params string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params>` + params + `</mcptt-Params></mcpttinfo>`
}

var (
	clearToken  = `<mcptt-access-token type="Normal"><mcpttString>` + goodToken + `</mcpttString></mcptt-access-token>`
	clearClient = `<mcptt-client-id type="Normal"><mcpttString>urn:uuid:2f6b8c4e-1a2b-4c3d-9e8f-0a1b2c3d4e5f</mcpttString></mcptt-client-id>`
	// TS 24.379 7.2.1 in both branches, 7A.2.1 in both branches.
	registerClear  = mcptt(clearToken + clearClient)
	registerSealed = mcptt(`<mcptt-access-token type="Encrypted">` + encrypted(kat) + `</mcptt-access-token><mcptt-client-id type="Encrypted">` + encrypted(kat) + `</mcptt-client-id>`)
	migrateClear   = mcptt(clearToken + `<mcptt-request-uri type="Normal"><mcpttURI>sip:alice@home.example.org</mcpttURI></mcptt-request-uri><anyExt><selected-user-profile-index><user-profile-index>3</user-profile-index></selected-user-profile-index></anyExt>`)
	migrateSealed  = mcptt(`<mcptt-access-token type="Encrypted">` + encrypted(kat) + `</mcptt-access-token><mcptt-request-uri type="Encrypted">` + encrypted(kat) +
		`</mcptt-request-uri><anyExt><selected-user-profile-index>` + encrypted(kat) + `</selected-user-profile-index></anyExt>`)
)

func TestInfoClear(t *testing.T) {
	r, words := dissectOne(t, typMCPTT, []byte(registerClear), everything())
	if ids(r) != "" {
		t.Fatalf("a standard body has findings\n%s", dump(r))
	}
	for name, want := range map[string]string{
		"mcptt_info.access_token":                 goodToken[:len(goodToken)-86] + "[86 characters withheld]",
		"mcptt_info.access_token.protection":      "none",
		"mcptt_info.access_token.state":           "clear",
		"mcptt_info.access_token.header":          `{"alg":"ES256","typ":"JWT"}`,
		"mcptt_info.access_token.claims.mcptt_id": `"sip:alice@example.org"`,
		"mcptt_info.access_token.claims.exp":      `1704113940`,
		"mcptt_info.access_token.expires_in":      `3540`,
		"mcptt_info.client_id":                    "urn:uuid:2f6b8c4e-1a2b-4c3d-9e8f-0a1b2c3d4e5f",
	} {
		if got := value(t, r, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got, want := strings.Join(words, "; "), "MCPTT authorisation; token for sip:alice@example.org expires in 59 min; client id urn:uuid:2f6b8c4e-1a2b-4c3d-9e8f-0a1b2c3d4e5f"; got != want {
		t.Errorf("words\n%s\nwant\n%s", got, want)
	}
	if len(r.Sources[0].Masked) != 1 {
		t.Fatalf("masks: %v", r.Sources[0].Masked)
	}
	m := r.Sources[0].Masked[0]
	if got := string(r.Sources[0].Data[m.Off : m.Off+m.Len]); got != sig86 {
		t.Errorf("masked is %q", got)
	}
	for _, n := range r.Nodes {
		if strings.Contains(n.Str, sig86) {
			t.Errorf("%s shows the secret", n.Field.Name)
		}
	}
	opt := everything()
	opt.ShowSecrets = true
	r, _ = dissectOne(t, typMCPTT, []byte(registerClear), opt)
	if got := value(t, r, "mcptt_info.access_token"); got != goodToken || len(r.Sources[0].Masked) != 0 {
		t.Errorf("with secrets: %q, masked %v", got, r.Sources[0].Masked)
	}
}

func TestInfoSealed(t *testing.T) {
	r, words := dissectOne(t, typMCPTT, []byte(registerSealed), everything())
	if ids(r) != "" {
		t.Fatalf("a standard body has findings\n%s", dump(r))
	}
	for name, want := range map[string]string{
		"mcptt_info.access_token":                   "",
		"mcptt_info.access_token.protection":        "encrypted",
		"mcptt_info.access_token.state":             "no_key",
		"mcptt_info.access_token.reason":            "no_key",
		"mcptt_info.access_token.key_id":            "2abcdef0",
		"mcptt_info.access_token.algorithm":         "aes128-gcm",
		"mcptt_info.access_token.ciphertext_length": "68",
		"mcptt_info.client_id.state":                "no_key",
	} {
		if got := value(t, r, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got, want := strings.Join(words, "; "), "MCPTT authorisation; token encrypted (CSK 2abcdef0, no key); client id encrypted (CSK 2abcdef0, no key)"; got != want {
		t.Errorf("words\n%s\nwant\n%s", got, want)
	}
}

func TestInfoMigration(t *testing.T) {
	r, _ := dissectOne(t, typMCPTT, []byte(migrateClear), everything())
	if ids(r) != "" || value(t, r, "mcptt_info.selected_user_profile_index") != "3" || value(t, r, "mcptt_info.request_uri") != "sip:alice@home.example.org" {
		t.Errorf("clear\n%s", dump(r))
	}
	r, _ = dissectOne(t, typMCPTT, []byte(migrateSealed), everything())
	if ids(r) != "" || value(t, r, "mcptt_info.selected_user_profile_index.state") != "no_key" || value(t, r, "mcptt_info.request_uri.key_id") != "2abcdef0" {
		t.Errorf("sealed\n%s", dump(r))
	}
}

// What a key opens is read as if it had stood in the clear.
func TestInfoOpened(t *testing.T) {
	var plain string
	setUnsealer(t, func(c *Context, s *sealedData) ([]byte, record.Protection) {
		return []byte(plain), record.Protection{Encrypted: true, State: record.Opened, KeyID: s.keyID, Algorithm: s.algorithm}
	})
	for _, plain = range []string{"<mcpttString>" + goodToken + "</mcpttString>", goodToken} {
		r, words := dissectOne(t, typMCPTT, []byte(registerSealed), everything())
		if ids(r) != "" {
			t.Fatalf("findings\n%s", dump(r))
		}
		if got := value(t, r, "mcptt_info.access_token.claims.mcptt_id"); got != `"sip:alice@example.org"` {
			t.Errorf("mcptt_id is %s\n%s", got, dump(r))
		}
		if got := value(t, r, "mcptt_info.access_token.state"); got != "decrypted" {
			t.Errorf("state is %s", got)
		}
		for _, n := range r.Nodes {
			if n.Field == mcpttInfo.byName["mcptt-access-token"].f.f && r.Sources[n.Src].Kind != record.Decrypted {
				t.Errorf("the token is in source %d", n.Src)
			}
		}
		if !strings.Contains(strings.Join(words, ";"), "token decrypted") {
			t.Errorf("words %q", words)
		}
		masked := 0
		for _, s := range r.Sources {
			for _, m := range s.Masked {
				masked++
				if got := string(s.Data[m.Off : m.Off+m.Len]); got != sig86 {
					t.Errorf("masked is %q", got)
				}
			}
		}
		if masked != 1 {
			t.Errorf("%d masks", masked)
		}
	}
	plain = "<user-profile-index>7</user-profile-index>"
	r, _ := dissectOne(t, typMCPTT, []byte(mcptt(`<anyExt><selected-user-profile-index>`+encrypted(kat)+`</selected-user-profile-index></anyExt>`)), everything())
	if got := value(t, r, "mcptt_info.selected_user_profile_index"); got != "7" {
		t.Errorf("profile %q\n%s", got, dump(r))
	}
	plain = "<mcpttBoolean>true</mcpttBoolean>"
	r, words := dissectOne(t, typMCPTT, []byte(mcptt(`<emergency-ind type="Encrypted">`+encrypted(kat)+`</emergency-ind>`)), everything())
	if got := value(t, r, "mcptt_info.emergency_ind"); got != "true" || strings.Join(words, "") != "emergency" {
		t.Errorf("emergency %q %q\n%s", got, words, dump(r))
	}
}

func TestInfoFindings(t *testing.T) {
	wrap := func(name, attrs, inner string) string { return "<" + name + attrs + ">" + inner + "</" + name + ">" }
	uri := `<mcpttURI>sip:a@b</mcpttURI>`
	for _, c := range []struct{ what, in, want string }{
		{"plain session", mcptt(`<session-type>prearranged</session-type><mcptt-request-uri type="Normal">` + uri + `</mcptt-request-uri><emergency-ind type="Normal"><mcpttBoolean>true</mcpttBoolean></emergency-ind><broadcast-ind>0</broadcast-ind>`), ""},
		{"empty", mcptt(``), ""},
		{"no Params", `<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"/>`, ""},
		{"prefixed", `<m:mcpttinfo xmlns:m="urn:3gpp:ns:mcpttInfo:1.0"><m:mcptt-Params><m:session-type>chat</m:session-type></m:mcptt-Params></m:mcpttinfo>`, ""},
		{"globals in both places", `<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><anyExt><urgency-ind>high</urgency-ind></anyExt></mcptt-Params><anyExt><used-priority>3</used-priority></anyExt></mcpttinfo>`, ""},
		{"foreign element", mcptt(`<x:y xmlns:x="urn:x">z</x:y>`), ""},
		{"associated group, both types", mcptt(`<associated-group-id>sip:g@b</associated-group-id>`), ""},
		{"associated group, newer", mcptt(`<associated-group-id type="Normal">` + uri + `</associated-group-id>`), ""},
		{"poc-settings name space for the profile", mcptt(`<anyExt><s:selected-user-profile-index xmlns:s="urn:3gpp:mcsSettings:1.0"><s:user-profile-index>1</s:user-profile-index></s:selected-user-profile-index></anyExt>`), ""},
		{"client id as URI", mcptt(wrap("mcptt-client-id", ` type="Normal"`, `<mcpttURI>urn:uuid:1</mcpttURI>`)), ""},
		{"request-type", mcptt(`<anyExt><request-type>private-call-call-back-request</request-type><time-of-request>2024-01-01T12:00:00Z</time-of-request></anyExt>`), ""},
		{"two aliases to bind", mcptt(`<anyExt><binding-fa-uri>sip:1@x</binding-fa-uri><binding-fa-uri>sip:2@x</binding-fa-uri></anyExt>`), ""},

		{"wrong root", `<foo/>`, "XML-01"},
		{"wrong name space", strings.ReplaceAll(registerClear, "urn:3gpp:ns:mcpttInfo:1.0", "urn:x"), "XML-01"},
		{"no name space", strings.ReplaceAll(registerClear, ` xmlns="urn:3gpp:ns:mcpttInfo:1.0"`, ""), "XML-01"},
		{"children unqualified", `<m:mcpttinfo xmlns:m="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><session-type>chat</session-type></mcptt-Params></m:mcpttinfo>`, "XML-01"},
		{"order", mcptt(clearClient + clearToken), "XML-02"},
		{"twice", mcptt(clearToken + clearToken), "XML-02"},
		{"type value", mcptt(wrap("mcptt-request-uri", ` type="normal"`, uri)), "XML-03"},
		{"no type", mcptt(wrap("mcptt-request-uri", ``, uri)), "XML-04"},
		{"no value child", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, ``)), "XML-05"},
		{"two value children", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, uri+uri)), "XML-05"},
		{"bare text", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, `sip:a@b`)), "XML-05"},
		{"no EncryptedData", mcptt(wrap("mcptt-request-uri", ` type="Encrypted"`, uri)), "XML-06"},
		{"EncryptedData though Normal", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, encrypted(kat))), "XML-07"},
		{"EncryptedData without type", mcptt(wrap("mcptt-request-uri", ``, encrypted(kat))), "XML-07"},
		{"EncryptedData in a plain type", mcptt(wrap("session-type", ``, encrypted(kat))), "XML-07"},
		{"token as URI", mcptt(strings.ReplaceAll(clearToken, "mcpttString", "mcpttURI")), "XML-08"},
		{"type on session-type", mcptt(wrap("session-type", ` type="Normal"`, `chat`)), "XML-09"},
		{"unknown", mcptt(`<new-thing>1</new-thing>`), "XML-10"},
		{"global as a direct child", mcptt(`<multiple-devices-ind type="Normal"><mcpttBoolean>true</mcpttBoolean></multiple-devices-ind>`), "XML-10"},
		{"boolean", mcptt(wrap("emergency-ind", ` type="Normal"`, `<mcpttBoolean>TRUE</mcpttBoolean>`)), "XML-11"},
		{"plain boolean", mcptt(wrap("broadcast-ind", ``, `yes`)), "XML-11"},
		{"enumeration", mcptt(`<anyExt><urgency-ind>huge</urgency-ind></anyExt>`), "XML-11"},
		{"integer", mcptt(`<anyExt><used-priority>-3</used-priority></anyExt>`), "XML-11"},
		{"time", mcptt(`<anyExt><time-of-request>noon</time-of-request></anyExt>`), "XML-11"},
		{"profile index", mcptt(`<anyExt><selected-user-profile-index><user-profile-index>x</user-profile-index></selected-user-profile-index></anyExt>`), "XML-11"},
		{"element in plain text", mcptt(wrap("session-type", ``, `<mcpttString>chat</mcpttString>`)), "XML-11"},
		{"doctype", `<!DOCTYPE a>` + registerClear, "XML-12"},
		{"latin 1", strings.Replace(registerClear, "UTF-8", "ISO-8859-1", 1), "XML-12"},
		{"example of 4.8", `<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params></mcptt-Params></mcptt-info>`, "XML-12"},
		{"prefix not declared", `<x:mcpttinfo/>`, "XML-01 XML-12"},
		{"another service", strings.NewReplacer("mcpttinfo", "mcvideoinfo", "mcpttInfo", "mcvideoInfo", "mcptt-", "mcvideo-", "mcpttString", "mcvideoString").Replace(mcptt(clearClient)), "MIME-05"},

		{"algorithm", strings.ReplaceAll(mcptt(wrap("mcptt-request-uri", ` type="Encrypted"`, encrypted(kat))), "aes128-gcm", "aes256-gcm"), "SEC-07"},
		{"Type", strings.ReplaceAll(mcptt(wrap("mcptt-request-uri", ` type="Encrypted"`, encrypted(kat))), "#Content", "#Element"), "SEC-08"},
		{"KeyName", strings.ReplaceAll(mcptt(wrap("mcptt-request-uri", ` type="Encrypted"`, encrypted(kat))), "Krze8A==", "csk"), "SEC-09"},
		{"short cipher text", mcptt(wrap("mcptt-request-uri", ` type="Encrypted"`, encrypted("AAECAwQFBgcICQoL"))), "SEC-11"},
		{"cipher text no base64", mcptt(wrap("mcptt-request-uri", ` type="Encrypted"`, encrypted("!!"))), "XML-11"},

		{"opaque token", mcptt(wrap("mcptt-access-token", ` type="Normal"`, `<mcpttString>abcdef</mcpttString>`)), "TOK-01"},
		{"token with spaces", mcptt(wrap("mcptt-access-token", ` type="Normal"`, `<mcpttString>`+strings.Replace(goodToken, ".", ". ", 1)+`</mcpttString>`)), "TOK-01"},
		{"alg none", token1(`{"alg":"none"}`, `{"mcptt_id":"a","exp":1704113940}`, ""), "TOK-02"},
		{"no signature", token1(`{"alg":"ES256"}`, `{"mcptt_id":"a"}`, ""), "TOK-02"},
		{"expired", token1(`{"alg":"ES256"}`, `{"mcptt_id":"a","exp":1704110399}`, sig86), "TOK-03"},
		{"no MC ID", token1(`{"alg":"ES256"}`, `{"sub":"a","exp":1704113940}`, sig86), "TOK-05"},
		{"claim twice", token1(`{"alg":"ES256"}`, `{"mcptt_id":"a","aud":1,"aud":[2]}`, sig86), "token-repeated-claim"},
		{"claim without a name twice", token1(`{"alg":"ES256"}`, `{"mcptt_id":"a","":1,"":[2]}`, sig86), "token-repeated-claim"},

		{"URI of the KAT", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, `<mcpttURI>`+katURI+`</mcpttURI>`)), ""},
		{"URI escaped", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, `<mcpttURI>`+strings.ReplaceAll(strings.ReplaceAll(katURI, "+", "%2B"), "==", "%3d%3D")+`</mcpttURI>`)), ""},
		{"URI without @", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, `<mcpttURI>`+strings.ReplaceAll(katURI, "@", "")+`</mcpttURI>`)), ""},
		{"URI without iv", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, `<mcpttURI>`+strings.ReplaceAll(katURI, ";iv=AAECAwQFBgcICQoL", "")+`</mcpttURI>`)), "SEC-19"},
		{"URI with a bad key", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, `<mcpttURI>`+strings.ReplaceAll(katURI, "Krze8A==", "!")+`</mcpttURI>`)), "SEC-19"},
		{"URI elsewhere", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, `<mcpttURI>`+strings.ReplaceAll(katURI, "mc1-encrypted.3gppnetwork.org", "example.org")+`</mcpttURI>`)), "SEC-20"},
		{"URI algorithm", mcptt(wrap("mcptt-request-uri", ` type="Normal"`, `<mcpttURI>`+strings.ReplaceAll(katURI, "128-aes-gcm", "256-aes-gcm")+`</mcpttURI>`)), "SEC-21"},
	} {
		r, _ := dissectOne(t, typMCPTT, []byte(c.in), everything())
		if got := ids(r); got != c.want {
			t.Errorf("%s: findings %q, want %q\n%s\n%s", c.what, got, c.want, c.in, dump(r))
		}
		// The line view must find the same without building a node.
		q, _ := dissectOne(t, typMCPTT, []byte(c.in), Options{})
		if got := ids(q); got != c.want || len(q.Nodes) > 0 {
			t.Errorf("%s: line view has findings %q and %d nodes", c.what, got, len(q.Nodes))
		}
	}
}

const katURI = `sip:4xsdOwTfFZq6G3nh0kwjgvO0VkooBLMEm07+uh4X+y0CZ58=;iv=AAECAwQFBgcICQoL;key-id=Krze8A==;alg=128-aes-gcm@mc1-encrypted.3gppnetwork.org`

func token1(header, claims, sig string) string {
	return mcptt(`<mcptt-access-token type="Normal"><mcpttString>` + compactJWS(header, claims, sig) + `</mcpttString></mcptt-access-token>`)
}

func TestInfoProtectedURI(t *testing.T) {
	in := mcptt(`<mcptt-request-uri type="Normal"><mcpttURI>` + katURI + `</mcpttURI></mcptt-request-uri>`)
	r, words := dissectOne(t, typMCPTT, []byte(in), everything())
	if got := value(t, r, "mcptt_info.request_uri.key_id") + value(t, r, "mcptt_info.request_uri.algorithm"); got != "2abcdef0aes128-gcm" {
		t.Errorf("%s\n%s", got, dump(r))
	}
	if got := strings.Join(words, ";"); got != "request URI encrypted (CSK 2abcdef0, no key)" {
		t.Errorf("words %q", got)
	}
	setUnsealer(t, func(c *Context, s *sealedData) ([]byte, record.Protection) {
		if len(s.iv) != 12 || len(s.cipher) != 35 || s.element {
			t.Errorf("IV of %d, cipher text of %d octets", len(s.iv), len(s.cipher))
		}
		return []byte("sip:bob@example.org"), record.Protection{Encrypted: true, State: record.Opened}
	})
	r, _ = dissectOne(t, typMCPTT, []byte(in), everything())
	if got := value(t, r, "mcptt_info.request_uri"); got != "sip:bob@example.org" {
		t.Errorf("%s\n%s", got, dump(r))
	}
}

func TestTokenRepeatedClaim(t *testing.T) {
	r, _ := dissectOne(t, typMCPTT, []byte(token1(`{"alg":"ES256"}`, `{"mcptt_id":"a", "aud" : 1, "aud":[2, 3],"aud":"\"}"}`, sig86)), everything())
	if got := value(t, r, "mcptt_info.access_token.claims.aud"); got != `[1,[2,3],"\"}"]` {
		t.Errorf("aud is %s", got)
	}
	r, _ = dissectOne(t, typMCPTT, []byte(token1(`{"alg":"ES256"}`, `{"a":1,"b":2,"b":3,"a":4,"mcptt_id":"x"}`, sig86)), everything())
	if got := value(t, r, "mcptt_info.access_token.claims.a") + value(t, r, "mcptt_info.access_token.claims.b"); got != `[1,4][2,3]` {
		t.Errorf("a and b are %s", got)
	}
}

func TestOpaqueTokenIsWithheld(t *testing.T) {
	r, _ := dissectOne(t, typMCPTT, []byte(mcptt(`<mcptt-access-token type="Normal"><mcpttString> 0123456789abcdef </mcpttString></mcptt-access-token>`)), everything())
	if got := value(t, r, "mcptt_info.access_token"); got != "[16 characters withheld]" {
		t.Errorf("token is shown as %q", got)
	}
	if got := value(t, r, "mcptt_info.access_token.fingerprint"); got != "9f9f5111f7b27a78" {
		t.Errorf("fingerprint %q", got)
	}
	m := r.Sources[0].Masked
	if len(m) != 1 || string(r.Sources[0].Data[m[0].Off:m[0].Off+m[0].Len]) != "0123456789abcdef" {
		t.Errorf("masked %v", m)
	}
}

func TestInfoOtherServices(t *testing.T) {
	for _, s := range []string{"mcvideo", "mcdata"} {
		tok := compactJWS(`{"alg":"ES256"}`, fmt.Sprintf(`{"%s_id":"sip:a@b","exp":1704113940}`, s), sig86)
		in := fmt.Sprintf(`<%[1]sinfo xmlns="urn:3gpp:ns:%[1]sInfo:1.0"><%[1]s-Params><%[1]s-access-token type="Normal"><%[1]sString>%[2]s</%[1]sString></%[1]s-access-token>`+
			`<%[1]s-request-uri type="Normal"><%[1]sURI>sip:g@b</%[1]sURI></%[1]s-request-uri><%[1]s-client-id type="Encrypted">%[3]s</%[1]s-client-id></%[1]s-Params></%[1]sinfo>`, s, tok, encrypted(kat))
		r, _ := dissectOne(t, "application/vnd.3gpp."+s+"-info+xml", []byte(in), everything())
		if ids(r) != "" {
			t.Errorf("%s\n%s", s, dump(r))
		}
		for name, want := range map[string]string{".request_uri": "sip:g@b", ".client_id.key_id": "2abcdef0", ".access_token.claims." + s + "_id": `"sip:a@b"`} {
			if got := value(t, r, s+"_info"+name); got != want {
				t.Errorf("%s%s is %q", s, name, got)
			}
		}
	}
}

func BenchmarkInfo(b *testing.B) {
	for _, bm := range []struct {
		name string
		opt  Options
	}{{"tree", everything()}, {"line", Options{}}} {
		b.Run(bm.name, func(b *testing.B) { benchBody(b, typMCPTT, []byte(registerClear), bm.opt) })
	}
}
