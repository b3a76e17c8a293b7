package decode

import (
	"strings"
	"testing"
)

const (
	signedPart = `<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"></mcpttinfo>`
	signedDoc  = `<signatures xmlns="urn:3gpp:ns:mcpttSignedDoc:1.0"><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"></ds:SignatureMethod><ds:Reference URI="cid:b1@example.org"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>PJSaZad2ju1TEBTTu+0mMoCaxAL8UTuKsoZH2jNc0cI=</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>3ZfUpQ5lg4uMFOjrk6gQGpiDtLMPQlIRP/RL96HROKY=</ds:SignatureValue><ds:KeyInfo><ds:KeyName>Krze8A==</ds:KeyName></ds:KeyInfo></ds:Signature></signatures>`
	typSigned  = "application/vnd.3gpp.mcptt-signed+xml"
)

func TestSigned(t *testing.T) {
	part := func(id, data string) []Part {
		return []Part{{Path: "1", Type: "application/sdp", ContentID: "x"}, {Path: "2", Type: typMCPTT, ContentID: id, Data: []byte(data)}}
	}
	for _, c := range []struct {
		what, doc     string
		siblings      []Part
		digest, state string
		findings      string
	}{
		{"as it is", signedDoc, part("b1@example.org", signedPart), "ok", "no_key", ""},
		{"bare Content-ID", strings.Replace(signedDoc, "cid:", "", 1), part("b1@example.org", signedPart), "ok", "no_key", ""},
		{"in brackets", strings.Replace(signedDoc, "cid:b1@example.org", "&lt;b1@example.org>", 1), part("b1@example.org", signedPart), "ok", "no_key", ""},
		{"percent-encoded", strings.Replace(signedDoc, "cid:b1@", "CID:b1%40", 1), part("B1@example.org", signedPart), "ok", "no_key", ""},
		{"a line end more", signedDoc, part("b1@example.org", signedPart+"\r\n"), "ok", "no_key", ""},
		{"changed", signedDoc, part("b1@example.org", signedPart+" "), "mismatch", "invalid", ""},
		{"dangling", signedDoc, part("b2@example.org", signedPart), "unresolved", "unresolved", ""},
		{"lone", signedDoc, nil, "unresolved", "unresolved", ""},
		{"transform", strings.Replace(signedDoc, `<ds:DigestMethod`, `<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/></ds:Transforms><ds:DigestMethod`, 1), part("b1@example.org", signedPart), "ok", "no_key", ""},
		{"other methods", strings.NewReplacer("#hmac-sha256", "#hmac-sha1", "xmlenc#sha256", "xmldsig#sha1").Replace(signedDoc), part("b1@example.org", signedPart), "mismatch", "invalid", "SEC-17 SEC-17"},
		{"key name", strings.Replace(signedDoc, "Krze8A==", "me", 1), part("b1@example.org", signedPart), "ok", "no_key", "SEC-09"},
		{"root", strings.Replace(signedDoc, "mcpttSignedDoc", "mcpttSigned", 1), part("b1@example.org", signedPart), "ok", "no_key", "XML-01"},
		{"digest value", strings.Replace(signedDoc, "PJSa", "!!!!", 1), part("b1@example.org", signedPart), "unresolved", "unresolved", "XML-11"},
	} {
		r, words := dissectWith(t, bodyByType(typSigned), typSigned, []byte(c.doc), everything(), c.siblings)
		if got := value(t, r, "signatures.references.digest"); got != c.digest {
			t.Errorf("%s: digest %q, want %q\n%s", c.what, got, c.digest, dump(r))
		}
		if got := value(t, r, "signatures.state"); got != c.state {
			t.Errorf("%s: state %q, want %q", c.what, got, c.state)
		}
		if got := ids(r); got != c.findings {
			t.Errorf("%s: findings %q, want %q\n%s", c.what, got, c.findings, dump(r))
		}
		if c.what == "as it is" {
			for name, want := range map[string]string{"key_id": "2abcdef0", "signature_method": "hmac-sha256", "references.body": "2", "references.uri": "cid:b1@example.org"} {
				if got := value(t, r, "signatures."+name); got != want {
					t.Errorf("%s is %q", name, got)
				}
			}
			if got := strings.Join(words, ";"); got != "signed mcptt-info" {
				t.Errorf("words %q", got)
			}
		}
	}
}
