package xmlsec

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/beevik/etree"
)

const (
	katBody   = `<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"></mcpttinfo>`
	katSigned = `<signatures xmlns="urn:3gpp:ns:mcpttSignedDoc:1.0"><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"></ds:SignatureMethod><ds:Reference URI="cid:b1@example.org"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>PJSaZad2ju1TEBTTu+0mMoCaxAL8UTuKsoZH2jNc0cI=</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>3ZfUpQ5lg4uMFOjrk6gQGpiDtLMPQlIRP/RL96HROKY=</ds:SignatureValue><ds:KeyInfo><ds:KeyName>Krze8A==</ds:KeyName></ds:KeyInfo></ds:Signature></signatures>`
)

func integ(t testing.TB) Key { return NewKey("K_int", unhex(t, katInt)) }

func verifyOne(t testing.TB, doc string, o VerifyOptions) *Result {
	t.Helper()
	all := VerifyAll(mustParse(t, doc), o, 0)
	if len(all) != 1 {
		t.Fatalf("%d signatures", len(all))
	}
	return all[0]
}

func katOptions(t testing.TB) VerifyOptions {
	return VerifyOptions{
		Resolve: Parts([]Target{{Octets: []byte("other"), ID: "<b2@example.org>"}, {Octets: []byte(katBody), ID: "<b1@example.org>"}}),
		Keys:    Keys(NewKey("wrong", make([]byte, 16)), integ(t)),
	}
}

func TestVerifyKAT(t *testing.T) {
	if len(katBody) != 57 {
		t.Fatalf("body has %d octets", len(katBody))
	}
	r := verifyOne(t, katSigned, katOptions(t))
	if r.State() != StateValid || r.Reason() != "" || r.MACErr != nil || r.Key != "K_int" || r.Tried != 2 || r.KeyID != "2abcdef0" ||
		r.Variant != "c14n 1.0" || r.Fallback || r.SignatureMethod != URIHMACSHA256 || r.CanonicalizationMethod != URIC14N10 {
		t.Errorf("%+v", r)
	}
	sum := sha256.Sum256(r.SignedInfo)
	if len(r.SignedInfo) != 553 || hex.EncodeToString(sum[:]) != "4d59c73899aedb2847b8e76d623ddfae5019e0ca815ad0fc9ca00dfbc02612ba" {
		t.Errorf("canonical SignedInfo has %d octets, %x", len(r.SignedInfo), sum)
	}
	s := r.Signed()
	if len(s) != 1 || string(s[0].Octets) != katBody || s[0].Variant != "raw octets" || s[0].Fallback || s[0].URI != "cid:b1@example.org" || !s[0].Outside || s[0].Err != nil {
		t.Errorf("%+v", s)
	}
	d := mustParse(t, `<signatures xmlns="urn:3gpp:ns:mcpttSignedDoc:1.0"/>`)
	if _, err := Sign(d.Root(), SignOptions{Key: unhex(t, katInt), KeyName: "Krze8A==", References: []SignReference{{URI: "cid:b1@example.org", Octets: []byte(katBody)}}}); err != nil {
		t.Fatal(err)
	}
	if got := string(C14N{}.Document(d.Tree)); got != katSigned {
		t.Errorf("Sign gives %s", got)
	}
}

func TestVerifyVerdicts(t *testing.T) {
	sub := func(old, new string) string {
		if !strings.Contains(katSigned, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(katSigned, old, new, 1)
	}
	base := katOptions(t)
	noKey, noPart, wrong := base, base, base
	noKey.Keys = nil
	noPart.Resolve = nil
	wrong.Keys = Keys(NewKey("wrong", make([]byte, 16)))
	two := base
	two.Resolve = Parts([]Target{{ID: "b1@example.org"}, {ID: "<b1@example.org>"}})
	failing := base
	failing.Resolve = func(string) (Target, error) { return Target{}, errors.New("broken part") }
	reference := func() string {
		i, j := strings.Index(katSigned, "<ds:Reference"), strings.Index(katSigned, "</ds:SignedInfo>")
		return katSigned[i:j]
	}()
	for _, c := range []struct {
		name   string
		in     string
		o      VerifyOptions
		state  State
		reason string
		mac    State
		digest Digest
	}{
		{"good", katSigned, base, StateValid, "", StateValid, DigestOK},
		{"no key", katSigned, noKey, StateNoKey, "no_key", StateNoKey, DigestOK},
		{"wrong key", katSigned, wrong, StateInvalid, "hmac_mismatch", StateInvalid, DigestOK},
		{"no part", katSigned, noPart, StateUnresolved, "unresolved_reference", StateValid, DigestUnresolved},
		{"failing resolver", katSigned, failing, StateUnresolved, "unresolved_reference", StateValid, DigestUnresolved},
		{"two parts of one id", katSigned, two, StateUnresolved, "unresolved_reference", StateValid, DigestUnresolved},
		{"signature value", sub("3ZfU", "3ZfV"), base, StateInvalid, "hmac_mismatch", StateInvalid, DigestOK},
		{"digest value", sub("PJSa", "PJSb"), base, StateInvalid, "hmac_mismatch", StateInvalid, DigestMismatch},
		{"digest value, no key", sub("PJSa", "PJSb"), noKey, StateInvalid, "digest_mismatch", StateNoKey, DigestMismatch},
		{"namespace around", sub("mcpttSignedDoc:1.0", "mcpttSignedDoc:2.0"), base, StateInvalid, "hmac_mismatch", StateInvalid, DigestOK},
		{"RSA", sub(URIHMACSHA256, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"), base, StateUnsupported, "unsupported_algorithm", StateUnsupported, DigestOK},
		{"unknown c14n", sub(URIC14N10, "urn:x"), base, StateUnsupported, "unsupported_algorithm", StateUnsupported, DigestOK},
		{"unknown digest, no key", sub(URISHA256, "urn:md5"), noKey, StateUnsupported, "unsupported_algorithm", StateNoKey, DigestUnsupported},
		{"no reference", strings.Replace(katSigned, reference, "", 1), base, StateInvalid, "hmac_mismatch", StateInvalid, DigestUnknown},
		{"no reference, no key", strings.Replace(katSigned, reference, "", 1), noKey, StateMalformed, "malformed", StateNoKey, DigestUnknown},
		{"two SignedInfo", sub("</ds:SignedInfo>", "</ds:SignedInfo><ds:SignedInfo/>"), base, StateMalformed, "malformed", StateMalformed, DigestUnknown},
		{"no SignatureValue", sub("<ds:SignatureValue>3ZfUpQ5lg4uMFOjrk6gQGpiDtLMPQlIRP/RL96HROKY=</ds:SignatureValue>", ""), base, StateMalformed, "malformed", StateMalformed, DigestOK},
		{"SignatureValue no base64", sub("3ZfU", "!"), base, StateMalformed, "malformed", StateMalformed, DigestOK},
		{"short SignatureValue", sub("3ZfUpQ5lg4uMFOjrk6gQGpiDtLMPQlIRP/RL96HROKY=", "3ZfUpQ5lg4uMFOjrk6gQGg=="), base, StateInvalid, "hmac_mismatch", StateInvalid, DigestOK},
		{"empty SignatureValue", sub("3ZfUpQ5lg4uMFOjrk6gQGpiDtLMPQlIRP/RL96HROKY=", ""), base, StateInvalid, "hmac_mismatch", StateInvalid, DigestOK},
		{"short DigestValue, no key", sub("PJSa", ""), noKey, StateMalformed, "malformed", StateNoKey, DigestMalformed},
		{"no DigestMethod, no key", sub(`<ds:DigestMethod Algorithm="`+URISHA256+`"></ds:DigestMethod>`, ""), noKey, StateMalformed, "malformed", StateNoKey, DigestMalformed},
		{"no SignatureMethod", sub(`<ds:SignatureMethod Algorithm="`+URIHMACSHA256+`"></ds:SignatureMethod>`, ""), base, StateMalformed, "malformed", StateMalformed, DigestOK},
		{"no CanonicalizationMethod", sub(`<ds:CanonicalizationMethod Algorithm="`+URIC14N10+`"></ds:CanonicalizationMethod>`, ""), base, StateMalformed, "malformed", StateMalformed, DigestOK},
		{"no URI, no key", sub(` URI="cid:b1@example.org"`, ""), noKey, StateUnresolved, "unresolved_reference", StateNoKey, DigestUnresolved},
		{"XSLT, no key", sub("<ds:DigestMethod", `<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/></ds:Transforms><ds:DigestMethod`), noKey, StateUnsupported, "unsupported_algorithm", StateNoKey, DigestUnsupported},
		{"enveloped outside, no key", sub("<ds:DigestMethod", `<ds:Transforms><ds:Transform Algorithm="`+URIEnveloped+`"/></ds:Transforms><ds:DigestMethod`), noKey, StateNoKey, "no_key", StateNoKey, DigestOK},
		{"nine transforms, no key", sub("<ds:DigestMethod", `<ds:Transforms>`+strings.Repeat(`<ds:Transform Algorithm="`+URIBase64+`"/>`, 9)+`</ds:Transforms><ds:DigestMethod`), noKey, StateMalformed, "malformed", StateNoKey, DigestMalformed},
	} {
		r := verifyOne(t, c.in, c.o)
		d := DigestUnknown
		if len(r.References) > 0 {
			d = r.References[0].Digest
			if (d == DigestOK) != (r.References[0].Err == nil) || (d == DigestOK) != (r.References[0].Octets != nil) {
				t.Errorf("%s: digest %v with %v, %d octets", c.name, d, r.References[0].Err, len(r.References[0].Octets))
			}
		}
		if r.State() != c.state || r.Reason() != c.reason || r.MAC != c.mac || d != c.digest {
			t.Errorf("%s: %v %q, MAC %v (%v), digest %v", c.name, r.State(), r.Reason(), r.MAC, r.MACErr, d)
		}
		if (len(r.Signed()) > 0) != (c.mac == StateValid && c.digest == DigestOK) {
			t.Errorf("%s: %d signed", c.name, len(r.Signed()))
		}
		if c.mac != StateValid && r.MACErr == nil && c.state != StateMalformed {
			t.Errorf("%s: no reason for %v", c.name, r.MAC)
		}
	}
	if r := Verify(nil, VerifyOptions{}); r.State() != StateMalformed {
		t.Error("nil element")
	}
	if r := Verify(etree.NewElement("Signature"), VerifyOptions{}); r.State() != StateMalformed {
		t.Error("other namespace")
	}
	if r := Verify(mustParse(t, katSigned).Root().ChildElements()[0], VerifyOptions{Limits: Limits{Depth: -1}}); r.State() != StateMalformed {
		t.Error("negative limit")
	}
	if StateValid.String() != "valid" || State(77).String() != "State(77)" || Digest(77).String() != "Digest(77)" || (&Result{}).State() == StateValid {
		t.Error("names")
	}
}

// Near misses of a sloppy signer are found and named, but not when strict.
func TestVerifyVariants(t *testing.T) {
	const part = "<?xml version='1.0'?>\r\n<a xmlns:u='urn:u' ><!-- c --><b>é</b></a>\r\n"
	lf := strings.ReplaceAll(part, "\r\n", "\n")
	d := mustParse(t, part)
	for _, c := range []struct{ part, signed, want string }{
		{part, part, "raw octets"},
		{part, lf, "CRLF to LF"},
		{lf, part, "LF to CRLF"},
		{part, strings.TrimRight(part, "\r\n"), "final line ends removed"},
		{part, part + "\r\n", "final CRLF added"},
		{"\ufeff" + part, part, "byte order mark removed"},
		{part, string(C14N{}.Document(d.Tree)), "c14n 1.0"},
		{part, string(C14N{Comments: true}.Document(d.Tree)), "c14n 1.0 with comments"},
		{part, string(C14N{Exclusive: true}.Document(d.Tree)), "exc-c14n"},
		{part, string(C14N{Exclusive: true, Comments: true}.Document(d.Tree)), "exc-c14n with comments"},
	} {
		doc := etree.NewElement("s")
		sig, err := Sign(doc, SignOptions{Key: []byte("k"), References: []SignReference{{URI: "cid:x", Octets: []byte(c.signed)}}})
		if err != nil {
			t.Fatal(err)
		}
		o := VerifyOptions{Keys: Keys(NewKey("", []byte("k"))), Resolve: Parts([]Target{{ID: "x", Octets: []byte(c.part)}})}
		r := Verify(sig, o)
		ref := r.References[0]
		if r.State() != StateValid || ref.Variant != c.want || ref.Fallback != (c.want != "raw octets") || string(ref.Octets) != c.signed {
			t.Errorf("%s: %v, %+v", c.want, r.State(), ref)
		}
		o.Strict = true
		if r := Verify(sig, o); (r.State() == StateValid) != (c.want == "raw octets") {
			t.Errorf("%s, strict: %v", c.want, r.State())
		}
		o.Strict, o.Resolve = false, Parts([]Target{{ID: "x", Octets: []byte("<a>another</a>")}})
		if r := Verify(sig, o); r.Reason() != "digest_mismatch" {
			t.Errorf("%s, another part: %v", c.want, r.Reason())
		}
	}
	// SignedInfo in another canonical form than the stated one.
	doc := mustParse(t, `<s xmlns="urn:s" xmlns:q="urn:q"/>`)
	sig, err := Sign(doc.Root(), SignOptions{Key: []byte("k"), C14N: C14N{Exclusive: true}, References: []SignReference{{URI: "cid:x", Octets: []byte("y")}}})
	if err != nil {
		t.Fatal(err)
	}
	info := Child(sig, NSSig, "SignedInfo")
	Child(info, NSSig, "CanonicalizationMethod").CreateAttr("Algorithm", URIC14N10)
	mac := hmac.New(sha256.New, []byte("k"))
	mac.Write(C14N{Exclusive: true}.Element(info))
	Child(sig, NSSig, "SignatureValue").SetText(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	o := VerifyOptions{Keys: Keys(NewKey("", []byte("k"))), Resolve: Parts([]Target{{ID: "x", Octets: []byte("y")}})}
	if r := Verify(sig, o); r.State() != StateValid || r.Variant != "exc-c14n" || !r.Fallback || !bytes.Contains(r.SignedInfo, []byte(URIC14N10)) {
		t.Errorf("%v %s", r.State(), r.Variant)
	}
	o.Strict = true
	if r := Verify(sig, o); r.State() != StateInvalid {
		t.Errorf("strict: %v", r.State())
	}
}

func TestContentIDs(t *testing.T) {
	parts := Parts([]Target{{ID: "<b1@example.org>", Octets: []byte("1")}, {ID: " b%41@x ", Octets: []byte("2")}, {ID: "<a b@x>", Octets: []byte("3")}, {ID: ""}, {ID: "CASE@x", Octets: []byte("4")}})
	for uri, want := range map[string]string{
		"cid:b1@example.org": "1", "CID:b1@example.org": "1", "b1@example.org": "1", "<b1@example.org>": "1", " cid:<b1@example.org> ": "1", "<cid:b1@example.org>": "1",
		"cid:b1%40example.org": "1", "cid:b%2541@x": "2", "b%41@x": "2", "cid:a%20b@x": "3", "cid:case@X": "4", "cid:B1@example.org": "1",
		"": "", "cid:": "", "cid:b2@example.org": "", "http://example.org/": "", "<>": "",
	} {
		got, err := parts(uri)
		if string(got.Octets) != want || (want == "") != errors.Is(err, ErrUnresolved) {
			t.Errorf("%q: %q, %v", uri, got.Octets, err)
		}
		if (got.Note != "") != (uri == "cid:case@X" || uri == "cid:B1@example.org") {
			t.Errorf("%q: note %q", uri, got.Note)
		}
	}
	if _, err := Parts([]Target{{ID: "<A@x>"}, {ID: "<a@x>"}, {ID: "<b@x>"}})("cid:a@X"); !errors.Is(err, ErrAmbiguous) {
		t.Error("two parts that differ in case only")
	}
	if got, err := Parts([]Target{{ID: "<A@x>", Octets: []byte("A")}, {ID: "<a@x>", Octets: []byte("a")}})("cid:a@x"); err != nil || string(got.Octets) != "a" {
		t.Error("case does not decide")
	}
}

// A truncated HMAC is refused whatever it is compared with (CVE-2009-0217).
func TestHMACTruncation(t *testing.T) {
	full := hmac.New(sha256.New, unhex(t, katInt))
	for _, c := range []struct {
		length string
		ok     bool
	}{
		{"256", true}, {"128", true}, {" 136\n", true}, {"248", true},
		{"0", false}, {"1", false}, {"8", false}, {"64", false}, {"80", false}, {"120", false}, {"127", false}, {"129", false}, {"257", false}, {"264", false},
		{"512", false}, {"-8", false}, {"", false}, {"x", false}, {"99999999999999999999", false},
	} {
		doc := strings.Replace(katSigned, `hmac-sha256">`, `hmac-sha256"><ds:HMACOutputLength>`+c.length+`</ds:HMACOutputLength>`, 1)
		d := mustParse(t, doc)
		sig := d.Root().ChildElements()[0]
		full.Reset()
		full.Write(C14N{}.Element(Child(sig, NSSig, "SignedInfo")))
		n := 32
		fmt.Sscan(c.length, &n)
		// Give each length the value that a naive comparison would take.
		n = max(0, min(n/8, 32))
		Child(sig, NSSig, "SignatureValue").SetText(base64.StdEncoding.EncodeToString(full.Sum(nil)[:n]))
		r := Verify(sig, katOptions(t))
		if (r.State() == StateValid) != c.ok {
			t.Errorf("%q: %v, %v", c.length, r.State(), r.MACErr)
		}
		if !c.ok && (r.MAC != StateMalformed || len(r.Signed()) != 0) {
			t.Errorf("%q: MAC %v", c.length, r.MAC)
		}
	}
	for _, n := range []int{8, 120, 132, 264} {
		el := etree.NewElement("s")
		if _, err := Sign(el, SignOptions{Key: []byte("k"), OutputLength: n, References: []SignReference{{URI: "cid:x", Octets: []byte("y")}}}); err == nil || len(el.Child) != 0 {
			t.Errorf("%d bits signed", n)
		}
	}
}

func TestSignMethodsRoundTrip(t *testing.T) {
	for uri, h := range hmacs {
		for _, bits := range []int{0, max(128, h().Size()*4)} {
			for digest := range digests {
				for _, c := range c14nURIs {
					d := mustParse(t, `<r xmlns="urn:r" xmlns:q="urn:q" xml:lang="en"><q:p Id="one"><!-- c -->text &amp; <q:x/></q:p><tail/></r>`)
					m := c.m
					if m.Exclusive {
						m.Prefixes = []string{"q", "#default"}
					}
					_, err := Sign(d.Root(), SignOptions{ID: "s", Method: uri, OutputLength: bits, C14N: m, Key: []byte("key"), KeyName: "name", References: []SignReference{
						{URI: "#one", DigestMethod: digest, Transforms: []string{c.uri}, Prefixes: m.Prefixes, ID: "r1", Type: "urn:t"},
						{URI: "", DigestMethod: digest, Transforms: []string{URIEnveloped}},
						{URI: "#xpointer(/)", Transforms: []string{URIEnveloped, c.uri}},
						{URI: "#xpointer(id('one'))", Transforms: []string{c.uri}},
						{URI: "cid:part", Octets: []byte("<a b='1'/>"), Transforms: []string{c.uri}},
						{URI: "cid:part", Octets: []byte(" PGEv\nPg== "), Transforms: []string{URIBase64}},
					}})
					if err != nil {
						t.Fatal(err)
					}
					// Over the wire and back.
					wire := C14N{Comments: true}.Document(d.Tree)
					calls := 0
					r := verifyOne(t, string(wire), VerifyOptions{Strict: true, Keys: Keys(NewKey("k", []byte("key"))), Resolve: func(string) (Target, error) {
						if calls++; calls == 1 {
							return Target{Octets: []byte("<a b='1'/>")}, nil
						}
						return Target{Octets: []byte(" PGEv\nPg== ")}, nil
					}})
					if r.State() != StateValid || r.ID != "s" || r.KeyName != "name" || r.HMACOutputLength != bits || len(r.Signed()) != 6 {
						for _, ref := range r.References {
							t.Logf("%q %v %v", ref.URI, ref.Digest, ref.Err)
						}
						t.Fatalf("%s %s %s: %v %v", uri, digest, c.uri, r.State(), r.MACErr)
					}
					if r.References[0].Element == nil || r.References[0].Element.Tag != "p" || r.References[0].ID != "r1" || r.References[0].Type != "urn:t" || r.References[1].Element != nil {
						t.Errorf("targets")
					}
					// Comments are in the node set of an xpointer only (XML Signature 1.1 4.4.3.3).
					if bytes.Contains(r.References[0].Octets, []byte("<!--")) || bytes.Contains(r.References[3].Octets, []byte("<!--")) != c.m.Comments {
						t.Errorf("%s: comments", c.uri)
					}
					if bytes.Contains(r.References[1].Octets, []byte("SignatureValue")) || !bytes.Contains(r.References[1].Octets, []byte("<tail>")) {
						t.Errorf("enveloped: %s", r.References[1].Octets)
					}
					if string(r.References[5].Octets) != "<a/>" || string(r.References[4].Octets) != `<a b="1"></a>` {
						t.Errorf("base64: %q", r.References[5].Octets)
					}
				}
			}
		}
	}
}

// Moving signed content away and putting other content in its place must not
// leave the other content looking signed.
func TestSignatureWrapping(t *testing.T) {
	build := func() *Doc {
		d := mustParse(t, `<doc xmlns="urn:d"><body Id="b"><amount>1</amount></body></doc>`)
		if _, err := Sign(d.Root(), SignOptions{Key: []byte("k"), C14N: C14N{Exclusive: true}, References: []SignReference{{URI: "#b", Transforms: []string{URIExcC14N}}}}); err != nil {
			t.Fatal(err)
		}
		return d
	}
	o := VerifyOptions{Keys: Keys(NewKey("", []byte("k")))}
	good := string(C14N{}.Document(build().Tree))
	sigAt := strings.Index(good, "<ds:Signature ")
	sig := good[sigAt : len(good)-len("</doc>")]
	const body, forged = `<body Id="b"><amount>1</amount></body>`, `<body Id="b"><amount>1000000</amount></body>`
	wrapper := func(sig, before, after string) string {
		return `<doc xmlns="urn:d">` + before + sig + after + `</doc>`
	}
	inObject := strings.Replace(sig, "</ds:Signature>", "<ds:Object>"+body+"</ds:Object></ds:Signature>", 1)
	for _, c := range []struct {
		name, doc string
		valid     bool
	}{
		{"untouched", good, true},
		{"forged in place", wrapper(sig, forged, ""), false},
		{"original after, same Id", wrapper(sig, forged, body), false},
		{"original before, same Id", wrapper(sig, body, forged), false},
		{"original in Object, same Id", wrapper(inObject, forged, ""), false},
		{"original in a wrapper, same Id in other case", wrapper(sig, strings.Replace(forged, "Id=", "ID=", 1), "<w>"+body+"</w>"), false},
		{"same id as id", wrapper(sig, strings.Replace(forged, "Id=", "id=", 1), body), false},
		{"same id as xml:id", wrapper(sig, strings.Replace(forged, "Id=", "xml:id=", 1), body), false},
		{"original in Object, forged has another Id", wrapper(inObject, strings.Replace(forged, `"b"`, `"c"`, 1), ""), true},
		{"original in Object, forged has none", wrapper(inObject, strings.Replace(forged, ` Id="b"`, "", 1), ""), true},
		{"two SignedInfo", wrapper(strings.Replace(sig, "<ds:SignedInfo>", `<ds:SignedInfo><ds:Reference URI="#c"/></ds:SignedInfo><ds:SignedInfo>`, 1), body, ""), false},
		{"SignedInfo in Object", wrapper(strings.Replace(strings.Replace(sig, "<ds:SignedInfo>", "<ds:Object><ds:SignedInfo>", 1), "</ds:SignedInfo>", "</ds:SignedInfo></ds:Object>", 1), body, ""), false},
	} {
		r := Verify(mustParse(t, c.doc).Tree.FindElement("//Signature"), o)
		if (r.State() == StateValid) != c.valid {
			t.Errorf("%s: %v", c.name, r.State())
		}
		// Whatever the verdict, the forged octets are never among the signed ones.
		for _, s := range r.Signed() {
			if bytes.Contains(s.Octets, []byte("1000000")) || !bytes.Contains(s.Octets, []byte("<amount>1</amount>")) {
				t.Errorf("%s: %s taken for signed", c.name, s.Octets)
			}
		}
		if !c.valid && len(r.Signed()) > 0 {
			t.Errorf("%s: something is signed", c.name)
		}
	}
	// Nesting the signature in another element moves the target of "".
	d := mustParse(t, `<doc><a>1</a></doc>`)
	if _, err := Sign(d.Root(), SignOptions{Key: []byte("k"), References: []SignReference{{URI: "", Transforms: []string{URIEnveloped}}}}); err != nil {
		t.Fatal(err)
	}
	inner := string(C14N{}.Document(d.Tree))
	if r := verifyOne(t, inner, o); r.State() != StateValid {
		t.Fatal(r.State())
	}
	if r := verifyOne(t, "<evil>"+inner+"</evil>", o); r.State() == StateValid {
		t.Error("a nested document passes for the whole")
	}
}

func TestSignErrors(t *testing.T) {
	ref := []SignReference{{URI: "cid:x", Octets: []byte("y")}}
	for name, o := range map[string]SignOptions{
		"no key":              {References: ref},
		"no reference":        {Key: []byte("k")},
		"unknown method":      {Key: []byte("k"), References: ref, Method: "urn:x"},
		"unknown digest":      {Key: []byte("k"), References: []SignReference{{URI: "cid:x", Octets: []byte("y"), DigestMethod: "urn:x"}}},
		"unknown transform":   {Key: []byte("k"), References: []SignReference{{URI: "cid:x", Octets: []byte("y"), Transforms: []string{"urn:x"}}}},
		"no target":           {Key: []byte("k"), References: []SignReference{{URI: "cid:x"}}},
		"no element":          {Key: []byte("k"), References: []SignReference{{URI: "#x"}}},
		"itself":              {Key: []byte("k"), References: []SignReference{{URI: ""}}},
		"odd xpointer":        {Key: []byte("k"), References: []SignReference{{URI: "#xpointer(id(x))"}}},
		"not XML":             {Key: []byte("k"), References: []SignReference{{URI: "cid:x", Octets: []byte("y"), Transforms: []string{URIC14N10}}}},
		"not base64":          {Key: []byte("k"), References: []SignReference{{URI: "cid:x", Octets: []byte("!"), Transforms: []string{URIBase64}}}},
		"enveloped, outside":  {Key: []byte("k"), References: []SignReference{{URI: "cid:x", Octets: []byte("<a/>"), Transforms: []string{URIEnveloped}}}},
		"too many":            {Key: []byte("k"), References: []SignReference{{URI: "cid:x", Octets: []byte("y"), Transforms: make([]string, 9)}}},
		"too many references": {Key: []byte("k"), References: make([]SignReference, maxReferences+1)},
	} {
		el := etree.NewElement("s")
		if _, err := Sign(el, o); err == nil || len(el.Child) != 0 {
			t.Errorf("%s: %v, %d children left", name, err, len(el.Child))
		}
	}
}

// Several signatures in one document, and more than are looked at.
func TestVerifyAll(t *testing.T) {
	d := mustParse(t, `<signatures xmlns="urn:3gpp:ns:mcpttSignedDoc:1.0"/>`)
	var parts []Target
	for i := range 70 {
		id := fmt.Sprintf("b%d@x", i)
		body := []byte(fmt.Sprintf("body %d", i))
		parts = append(parts, Target{ID: "<" + id + ">", Octets: body})
		if _, err := Sign(d.Root(), SignOptions{ID: fmt.Sprintf("signature%d", i+1), Key: []byte("k"), References: []SignReference{{URI: "cid:" + id, Octets: body}}}); err != nil {
			t.Fatal(err)
		}
	}
	o := VerifyOptions{Keys: Keys(NewKey("", []byte("k"))), Resolve: Parts(parts)}
	wire := mustParse(t, string(C14N{}.Document(d.Tree)))
	if got := VerifyAll(wire, o, 0); len(got) != 64 || got[63].ID != "signature64" || got[63].State() != StateValid {
		t.Errorf("%d signatures", len(got))
	}
	if got := VerifyAll(wire, o, 100); len(got) != 70 || string(got[69].Signed()[0].Octets) != "body 69" {
		t.Errorf("%d signatures", len(got))
	}
	if got := VerifyAll(&Doc{Tree: etree.NewDocument()}, o, 0); len(got) != 0 {
		t.Error("signatures in nothing")
	}
}

// A document built to make verification expensive: the budget of work ends it.
func TestVerifyHostile(t *testing.T) {
	one := `<ds:Reference URI=""><ds:Transforms>` + strings.Repeat(`<ds:Transform Algorithm="`+URIC14N10+`"/>`, 8) + `</ds:Transforms><ds:DigestMethod Algorithm="` + URISHA256 + `"/><ds:DigestValue>` + strings.Repeat("A", 43) + `=</ds:DigestValue></ds:Reference>`
	doc := `<r xmlns:ds="` + NSSig + `"><pad>` + strings.Repeat("<x/>", 30000) + strings.Repeat("y", 2<<20) + `</pad><ds:Signature><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="` + URIC14N10 + `"/><ds:SignatureMethod Algorithm="` + URIHMACSHA256 + `"/>` +
		strings.Repeat(one, 300) + `</ds:SignedInfo><ds:SignatureValue>` + strings.Repeat("A", 43) + `=</ds:SignatureValue></ds:Signature></r>`
	keys := make([]Key, 5000)
	for i := range keys {
		keys[i] = NewKey("", []byte("k"))
	}
	r := verifyOne(t, doc, VerifyOptions{Keys: Keys(keys...)})
	if r.State() == StateValid || len(r.References) != maxReferences || !errors.Is(r.References[maxReferences-1].Err, ErrWork) {
		t.Errorf("%v, %d references", r.State(), len(r.References))
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(katSigned, katBody)
	d, err := Parse([]byte(`<r xmlns="urn:r"><p Id="one">x</p></r>`), Limits{})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := Sign(d.Root(), SignOptions{Key: unhex(f, katInt), OutputLength: 128, C14N: C14N{Exclusive: true, Prefixes: []string{"#default"}}, References: []SignReference{
		{URI: "#one", Transforms: []string{URIExcC14N}, Prefixes: []string{"a"}}, {URI: "", Transforms: []string{URIEnveloped}}, {URI: "cid:x", Octets: []byte("eA=="), Transforms: []string{URIBase64}}}}); err != nil {
		f.Fatal(err)
	}
	f.Add(string(C14N{}.Document(d.Tree)), "eA==")
	f.Fuzz(func(t *testing.T, s, part string) {
		d, err := Parse([]byte(s), Limits{})
		if err != nil {
			return
		}
		before := C14N{Comments: true}.Document(d.Tree)
		in := []byte(part)
		for _, sig := range d.Find(d.Root(), NSSig, "Signature", 3) {
			r := Verify(sig, VerifyOptions{Keys: Keys(integ(t)), Resolve: func(string) (Target, error) { return Target{Octets: in}, nil }})
			info := Child(sig, NSSig, "SignedInfo")
			refs := Children(info, NSSig, "Reference")
			for i, ref := range r.References {
				if ref.Digest != DigestOK {
					if ref.Octets != nil || ref.Err == nil {
						t.Fatalf("%+v", ref)
					}
					continue
				}
				h := digests[ref.DigestMethod]()
				h.Write(ref.Octets)
				if want, err := decodeBase64(Text(Child(refs[i], NSSig, "DigestValue"))); err != nil || !bytes.Equal(h.Sum(nil), want) {
					t.Fatal("the octets do not have the digest")
				}
			}
			if r.MAC == StateValid {
				mac := hmac.New(hmacs[r.SignatureMethod], unhex(t, katInt))
				mac.Write(r.SignedInfo)
				if v, err := decodeBase64(Text(Child(sig, NSSig, "SignatureValue"))); err != nil || len(v) < 16 || !bytes.HasPrefix(mac.Sum(nil), v) {
					t.Fatalf("%+v", r)
				}
			}
		}
		if !bytes.Equal(before, C14N{Comments: true}.Document(d.Tree)) || string(in) != part {
			t.Fatal("input changed")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	d, err := Parse([]byte(katSigned), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	sig := d.Root().ChildElements()[0]
	o := katOptions(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(katSigned) + len(katBody)))
	for b.Loop() {
		if r := Verify(sig, o); r.State() != StateValid {
			b.Fatal(r.State())
		}
	}
}

// One document, many readers; the race detector watches.
func TestConcurrentReaders(t *testing.T) {
	d := mustParse(t, katSigned)
	e := mustParse(t, benchXML)
	o := katOptions(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if r := Verify(d.Root().ChildElements()[0], o); r.State() != StateValid {
					t.Error(r.State())
				}
				ed := e.Find(e.Root(), NSEnc, "EncryptedData", 1)
				if _, _, err := Decrypt(ed[0], Keys(conf(t))); err != nil {
					t.Error(err)
				}
				C14N{Exclusive: true}.Document(e.Tree)
				ContextOf(ed[0])
			}
		})
	}
	wg.Wait()
}

// Base64 takes the string value of an element (XML Signature 1.1 6.6.2), and a
// signer who ignored his own transforms is found out.
func TestTransforms(t *testing.T) {
	o := VerifyOptions{Keys: Keys(NewKey("", []byte("k")))}
	d := mustParse(t, `<r><v Id="v">PGE<!-- no --><x>v</x><?p no?><![CDATA[Pg==]]></v></r>`)
	if _, err := Sign(d.Root(), SignOptions{Key: []byte("k"), References: []SignReference{
		{URI: "#v", Transforms: []string{URIBase64}}, {URI: "#v", Transforms: []string{URIBase64, URIExcC14N}},
		{URI: "", Transforms: []string{URIEnveloped, URIExcC14N, URIC14N10Comments}},
	}}); err != nil {
		t.Fatal(err)
	}
	r := verifyOne(t, string(C14N{Comments: true}.Document(d.Tree)), o)
	if r.State() != StateValid || string(r.References[0].Octets) != "<a/>" || string(r.References[1].Octets) != "<a></a>" || r.References[1].Variant != "exc-c14n" {
		t.Errorf("%v %+v", r.State(), r.References)
	}
	d = mustParse(t, `<r><v Id="v">PGEvPg==</v></r>`)
	if _, err := Sign(d.Root(), SignOptions{Key: []byte("k"), References: []SignReference{{URI: "", Transforms: []string{URIEnveloped, URIBase64}}}}); err == nil {
		// The string value of the whole is the text of v, since the signature is left out.
		if r := verifyOne(t, string(C14N{}.Document(d.Tree)), o); r.State() != StateValid || string(r.References[0].Octets) != "<a/>" {
			t.Errorf("%v", r.State())
		}
	} else {
		t.Error(err)
	}

	const part = "<a  b='1'>\r\n</a>"
	el := etree.NewElement("s")
	sig, err := Sign(el, SignOptions{Key: []byte("k"), References: []SignReference{{URI: "cid:x", Octets: []byte(part)}}})
	if err != nil {
		t.Fatal(err)
	}
	ref := Child(Child(sig, NSSig, "SignedInfo"), NSSig, "Reference")
	ts := etree.NewElement("ds:Transforms")
	ts.CreateElement("ds:Transform").CreateAttr("Algorithm", URIC14N10)
	ref.InsertChildAt(0, ts)
	o.Resolve = Parts([]Target{{ID: "x", Octets: []byte(part)}})
	if got := Verify(sig, o).References[0]; got.Digest != DigestOK || !got.Fallback || got.Variant != "raw octets" {
		t.Errorf("transform stated, not applied: %+v", got)
	}
	// The same for a part that is no XML at all.
	o.Resolve = Parts([]Target{{ID: "x", Octets: []byte("no XML")}})
	var e *Error
	if got := Verify(sig, o).References[0]; got.Digest != DigestMalformed || !errors.As(got.Err, &e) {
		t.Errorf("no XML: %+v", got)
	}
}

func TestNames(t *testing.T) {
	for i, want := range []string{"unknown", "valid", "invalid", "no_key", "unresolved", "unsupported", "malformed", "State(7)"} {
		if got := State(i).String(); got != want {
			t.Errorf("State %d is %q", i, got)
		}
	}
	for i, want := range []string{"unknown", "ok", "mismatch", "unresolved", "unsupported", "malformed", "Digest(6)"} {
		if got := Digest(i).String(); got != want {
			t.Errorf("Digest %d is %q", i, got)
		}
	}
	long := ErrUnsupportedAlgorithm{strings.Repeat("a", 1000) + "\x1b"}.Error()
	if len(long) > 200 || strings.Contains(long, "\x1b") || !strings.Contains(ErrUnsupportedAlgorithm{"urn:x"}.Error(), `"urn:x"`) {
		t.Error(long)
	}
}
