package decode

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

func TestAnyXML(t *testing.T) {
	in := `<rl:resource-lists xmlns:rl="urn:ietf:params:xml:ns:resource-lists"><rl:list name="n"><rl:entry uri="` + strings.ReplaceAll(katURI, "&", "&amp;") + `"/><rl:entry uri="sip:carol@example.org">x</rl:entry></rl:list>` +
		`<loc>` + encrypted(kat) + `</loc></rl:resource-lists>`
	r, words := dissectOne(t, "application/resource-lists+xml", []byte(in), everything())
	if ids(r) != "" {
		t.Errorf("findings\n%s", dump(r))
	}
	for name, want := range map[string]string{
		"xml.name": "resource-lists", "xml.namespace": "urn:ietf:params:xml:ns:resource-lists", "xml.children.name": "list,entry,entry,loc",
		"xml.children.attributes.name": "n", "xml.children.text": "x", "xml.children.sealed.key_id": "2abcdef0,2abcdef0", "xml.children.sealed.at": "@uri,node()",
	} {
		if got := value(t, r, name); got != want {
			t.Errorf("%s is %q, want %q\n%s", name, got, want, dump(r))
		}
	}
	if got := strings.Join(words, ";"); got != "resource-lists, 2 entries" {
		t.Errorf("words %q", got)
	}
	setUnsealer(t, func(c *Context, s *sealedData) ([]byte, record.Protection) {
		p := record.Protection{Encrypted: true, State: record.Opened}
		if s.element {
			return []byte(`<Point a="1">here</Point><Point>there</Point>`), p
		}
		return []byte("sip:bob@example.org"), p
	})
	r, _ = dissectOne(t, "application/resource-lists+xml", []byte(in), everything())
	if got := value(t, r, "xml.children.sealed"); got != "sip:bob@example.org" {
		t.Errorf("sealed %q\n%s", got, dump(r))
	}
	if got := value(t, r, "xml.children.text"); got != "x,here,there" {
		t.Errorf("text %q\n%s", got, dump(r))
	}
}

func TestXMLByRoot(t *testing.T) {
	for _, typ := range []string{"application/xml", "text/xml", "application/vnd.example+xml"} {
		r, _ := dissectOne(t, typ, []byte(registerClear), everything())
		if value(t, r, "mcptt_info.client_id") == "" {
			t.Errorf("%s: %s", typ, dump(r))
		}
	}
}

func TestXMLLimits(t *testing.T) {
	for in, lim := range map[string]Limits{"<a><b/><b/></a>": {XMLNodes: 2}, "<a><b><c/></b></a>": {XMLDepth: 2}, "<a>xxxxxxxx</a>": {XMLOctets: 6}} {
		opt := everything()
		opt.Limits = lim
		r, _ := dissectOne(t, "application/xml", []byte(in), opt)
		if ids(r) != "limit-xml" || value(t, r, "xml.name") != "a" {
			t.Errorf("%s: %s", in, dump(r))
		}
	}
}

func TestXMLSecrets(t *testing.T) {
	r, _ := dissectOne(t, "application/xml", []byte(`<KmsKeySet><UserDecryptKey>0411</UserDecryptKey><UserPubTokenPVT>0422</UserPubTokenPVT><x password="hunter2"/></KmsKeySet>`), everything())
	if got := value(t, r, "xml.children.text"); got != "[4 characters withheld],0422" {
		t.Errorf("text %q", got)
	}
	if got := value(t, r, "xml.children.attributes.password"); got != "[7 characters withheld]" {
		t.Errorf("password %q", got)
	}
	if m := r.Sources[0].Masked; len(m) != 2 || string(r.Sources[0].Data[m[0].Off:m[0].Off+m[0].Len]) != "0411" {
		t.Errorf("masked %v", m)
	}
}

func TestJSONBody(t *testing.T) {
	in := `{ "access_token" : "abc\"d", "n": [1, {"refresh_token":"zzz"}], "scope":"openid" }`
	r, _ := dissectOne(t, "application/json", []byte(in), everything())
	if got, want := value(t, r, "json"), `{"access_token":"[6 characters withheld]","n":[1,{"refresh_token":"[3 characters withheld]"}],"scope":"openid"}`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if len(r.Sources[0].Masked) != 2 {
		t.Errorf("masked %v", r.Sources[0].Masked)
	}
	r, _ = dissectOne(t, "application/json", []byte(`{"a":`), everything())
	if ids(r) != "json-malformed" || value(t, r, "text") != `{"a":` {
		t.Errorf("malformed: %s", dump(r))
	}
}

func TestForm(t *testing.T) {
	r, _ := dissectOne(t, "application/x-www-form-urlencoded", []byte("grant_type=authorization_code&code=abc%20d&&x&redirect_uri=https%3A%2F%2Fa+b&code=zz"), everything())
	for name, want := range map[string]string{"grant_type": "authorization_code", "code": "[5 characters withheld]", "redirect_uri": "https://a b", "x": ""} {
		if got := value(t, r, "form."+name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if m := r.Sources[0].Masked; len(m) != 2 || string(r.Sources[0].Data[m[0].Off:m[0].Off+m[0].Len]) != "abc%20d" {
		t.Errorf("masked %v", m)
	}
}

func TestTextAndData(t *testing.T) {
	r, _ := dissectOne(t, "text/plain", []byte("hello"), everything())
	if value(t, r, "text") != "hello" {
		t.Error(dump(r))
	}
	r, _ = dissectOne(t, "application/octet-stream", make([]byte, 100), everything())
	if value(t, r, "data.length") != "100" || value(t, r, "data.first") != strings.Repeat("00", 64) {
		t.Error(dump(r))
	}
	opt := everything()
	opt.Limits.ValueBytes = 3
	r, _ = dissectOne(t, "text/plain", []byte("hello"), opt)
	if value(t, r, "text") != "hel" || r.Nodes[0].Flags&record.Cut == 0 {
		t.Error(dump(r))
	}
}

var sdsMessage = func() []byte {
	b, err := hex.DecodeString("01" + "006592ae40" + strings.Repeat("11", 16) + strings.Repeat("22", 16) + "81" + "2201" + "21" + strings.Repeat("33", 16))
	if err != nil {
		panic(err)
	}
	return b
}()

func TestMCData(t *testing.T) {
	const sig, pay = "application/vnd.3gpp.mcdata-signalling", "application/vnd.3gpp.mcdata-payload"
	r, words := dissectOne(t, sig, sdsMessage, everything())
	for name, want := range map[string]string{
		"mcdata.message_name": "SDS SIGNALLING PAYLOAD", "mcdata.time": "2024-01-01T12:21:20.000000000Z", "mcdata.conversation_id": "11111111-1111-1111-1111-111111111111",
		"mcdata.elements.iei": "8,34,33", "mcdata.elements.value": "01,01," + strings.Repeat("33", 16),
	} {
		if got := value(t, r, name); got != want {
			t.Errorf("%s is %q, want %q\n%s", name, got, want, dump(r))
		}
	}
	if ids(r) != "" || strings.Join(words, "") != "MCData SDS SIGNALLING PAYLOAD" {
		t.Errorf("%q %q", ids(r), words)
	}
	r, _ = dissectOne(t, pay, []byte("\x03\x02\x78\x00\x03\x01hi\x78\x00\x02\x02\xff"), everything())
	if value(t, r, "mcdata.payloads.text") != "hi" || value(t, r, "mcdata.payloads.content_name") != "TEXT,BINARY" || ids(r) != "" {
		t.Error(dump(r))
	}
	for in, want := range map[string]string{"": "mcdata-malformed", "\x01\x00": "mcdata-malformed", "\x03": "mcdata-malformed", "\x03\x02\x78\x00\x01\x01": "mcdata-payloads", "\x03\x00\x10\x00": "mcdata-element", "\x03\x01\x78\x00\x09": "mcdata-malformed mcdata-payloads", "\x3f\x00": ""} {
		r, _ = dissectOne(t, pay, []byte(in), everything())
		if got := ids(r); got != want {
			t.Errorf("%q: %q, want %q\n%s", in, got, want, dump(r))
		}
	}
	envelope := append([]byte{0x43, 0, 0x65, 0x92, 0, 0x80, 0, 0, 0, 1, 2, 1}, make([]byte, 16)...)
	envelope = append(envelope, 0x2a, 0xbc, 0xde, 0xf0, 0x78, 0, 20)
	envelope = append(envelope, make([]byte, 20)...)
	r, words = dissectOne(t, sig, envelope, everything())
	for name, want := range map[string]string{"mcdata.protected.state": "no_key", "mcdata.protected.key_id": "2abcdef0", "mcdata.protected.algorithm": "aes128-gcm",
		"mcdata.protected.ciphertext_length": "20", "mcdata.protected.payload_id": "00000001", "mcdata.message_type": "3"} {
		if got := value(t, r, name); got != want {
			t.Errorf("%s is %q, want %q\n%s", name, got, want, dump(r))
		}
	}
	if ids(r) != "" || strings.Join(words, "") != "MCData DATA PAYLOAD encrypted (CSK 2abcdef0, no key)" {
		t.Errorf("%q %q", ids(r), words)
	}
}

// samples holds one good body of each type.
var samples = map[string][]string{
	typMCPTT:                                 {registerClear, registerSealed, migrateClear, migrateSealed},
	"application/vnd.3gpp.mcvideo-info+xml":  {strings.NewReplacer("mcptt", "mcvideo").Replace(registerSealed)},
	"application/vnd.3gpp.mcdata-info+xml":   {strings.NewReplacer("mcptt", "mcdata").Replace(registerSealed)},
	"application/mikey":                      {string(imessage)},
	"application/poc-settings+xml":           {poc(pocAM + pocUP + pocMX)},
	typSigned:                                {signedDoc},
	"application/sdp":                        {sdpOffer},
	"application/vnd.3gpp.mcdata-signalling": {string(sdsMessage)},
	"application/vnd.3gpp.mcdata-payload":    {"\x03\x01\x78\x00\x03\x01hi"},
	"application/json":                       {`{"a":[1,"b"],"access_token":"x"}`},
	"application/xml":                        {configSamples[0].doc, configSamples[4].doc, `<a b="` + katURI + `">` + encrypted(kat) + `<c>d</c></a>`},
	"application/x-www-form-urlencoded":      {"a=b&code=c&d"},
	typKMS:                                   {kmsRequest, kmsErrorDoc, kmsKRR, kmsWrapped},
	"text/plain":                             {"hello"},
	"application/octet-stream":               {"\x00\x01"},
}

// Every cut of every sample gives a tree that holds together, and never a crash.
func TestEveryCut(t *testing.T) {
	for typ, bodies := range samples {
		for _, body := range bodies {
			for n := range len(body) {
				r, _ := dissectOne(t, typ, []byte(body[:n]), everything())
				q, _ := dissectOne(t, typ, []byte(body[:n]), Options{})
				if ids(r) != ids(q) {
					t.Fatalf("%s cut at %d: tree finds %q, line view %q", typ, n, ids(r), ids(q))
				}
			}
		}
	}
}

// A cut of an XML body is one finding and not a heap of them.
func TestCutIsOneFinding(t *testing.T) {
	for _, body := range []string{registerClear, registerSealed, migrateClear, migrateSealed} {
		for n := 60; n < len(body)-1; n++ {
			r, _ := dissectOne(t, typMCPTT, []byte(body[:n]), everything())
			if got := ids(r); got != "XML-12" && got != "TOK-01 XML-12" && got != "TOK-02 XML-12" {
				t.Fatalf("cut at %d (%q): %s\n%s", n, body[max(0, n-40):n], got, dump(r))
			}
		}
	}
}

func TestSamplesCoverRegister(t *testing.T) {
	for _, b := range bodyTypes {
		found := false
		for typ := range samples {
			found = found || bodyByType(typ) == b
		}
		if !found && !strings.HasPrefix(b.Name, "sip") {
			t.Errorf("no sample of %s", b.Name)
		}
	}
}

// FuzzDissect gives any octets to every dissector. The tree must hold together, the line view must find the same, and
// what is opened by a key that fits everything is read by the same rules.
func FuzzDissect(f *testing.F) {
	i := 0
	for range bodyTypes {
		for _, bodies := range samples {
			for _, b := range bodies {
				f.Add(uint8(i), []byte(b), []byte(`<mcpttString>x</mcpttString>`))
			}
		}
		i++
	}
	f.Fuzz(func(t *testing.T, which uint8, data, plain []byte) {
		bt := bodyTypes[int(which)%len(bodyTypes)]
		if strings.HasPrefix(bt.Name, "sip") {
			return // needs a worker around it
		}
		r, _ := dissectWith(t, bt, bt.Types[0], data, everything(), nil)
		q, _ := dissectWith(t, bt, bt.Types[0], data, Options{}, nil)
		if ids(r) != ids(q) && len(r.Nodes) < record.DefaultNodes && len(r.Findings) < record.MaxFindings {
			t.Fatalf("tree finds %q, line view %q", ids(r), ids(q))
		}
		if len(q.Nodes) > 0 {
			t.Fatalf("line view builds %d nodes", len(q.Nodes))
		}
		opens := 0
		setUnsealer(t, func(c *Context, s *sealedData) ([]byte, record.Protection) {
			if opens++; opens > 4 {
				return nil, record.Protection{Encrypted: true, State: record.NoKey, Reason: record.ReasonNoKey}
			}
			return plain, record.Protection{Encrypted: true, State: record.Opened}
		})
		dissectWith(t, bt, bt.Types[0], data, everything(), []Part{{Path: "2", ContentID: "b1@example.org", Data: plain}})
	})
}

// A secret under its name is withheld also where it stands in JSON that is cut off, or in text.
func TestTextWithholds(t *testing.T) {
	for _, x := range []struct{ typ, body string }{
		{"application/json", `{"access_token":"opaquesecret","refresh_token":"opaquesecret`},
		{"text/plain", `<UserDecryptKey>opaquesecret</UserDecryptKey>`},
		{"text/plain", `grant_type=x&client_secret=opaquesecret&x`},
	} {
		for _, show := range []bool{false, true} {
			bt := bodyByType(x.typ)
			o := everything()
			o.ShowSecrets = show
			r, _ := dissectWith(t, bt, x.typ, []byte(x.body), o, nil)
			var text string
			for i := range r.Nodes {
				if r.Nodes[i].Field == textField {
					text = r.Nodes[i].Str
				}
			}
			if strings.Contains(text, "opaquesecret") != show || !show && (!strings.Contains(text, "withheld]") || len(r.Sources[0].Masked) == 0) {
				t.Errorf("%s, shown %v: %q, masked %v", x.typ, show, text, r.Sources[0].Masked)
			}
		}
	}
}
