package lab

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// tool is xmlsec1 with the lab's keys.
type tool struct{ *testkit.Xmlsec1 }

// decrypt opens every EncryptedData of a document, one a call.
func (x tool) decrypt(k CSK, doc string) (string, int, error) {
	key, n := x.File(k.xpk(0x51)), 0
	for ; strings.Contains(doc, "<xenc:EncryptedData"); n++ {
		out, err := x.Run("--decrypt", "--aeskey:"+k.KeyName(), key, x.File([]byte(doc)))
		if err != nil {
			return doc, n, err
		}
		doc = string(out)
	}
	return doc, n, nil
}

// verify checks every Signature of a signed body against the other parts.
func (x tool) verify(k CSK, signed string, parts []Part) (int, error) {
	args := []string{"--verify", "--hmackey:" + k.KeyName(), x.File(k.xpk(0x52))}
	for _, p := range parts {
		if p.ContentID != "" {
			f := x.File([]byte(p.Body))
			args = append(args, "--url-map:cid:"+p.ContentID, f, "--url-map:"+p.ContentID, f)
		}
	}
	doc, n := x.File([]byte(signed)), strings.Count(signed, "<ds:Signature ")
	for i := range n {
		_, err := x.Run(append(append([]string{}, args...), "--node-xpath", fmt.Sprintf("//*[local-name()='Signature'][%d]", i+1), doc)...)
		if err != nil {
			return i, err
		}
	}
	return n, nil
}

// TestXmlsec1 lets xmlsec1 decrypt every element and verify every signature of the scenarios in which all is well, and of
// the others see where it fails.
func TestXmlsec1(t *testing.T) {
	x := tool{testkit.NewXmlsec1(t)}
	s, err := NewSystem(Options{Seed: 11, Users: 2})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Capture(io.Discard, ethernet())
	if err != nil {
		t.Fatal(err)
	}
	elements, signatures := 0, 0
	for _, sc := range Scenarios() {
		if strings.HasPrefix(sc.Name, "answer-") {
			continue // as publish-protected
		}
		failed := map[string]bool{}
		c.tap = func(k CSK, st Style, parts []Part) {
			for _, p := range parts {
				switch {
				case st.Bare: // xmlsec1 wants an EncryptionMethod
				case strings.HasSuffix(p.Type, "-info+xml") && sc.Name != "fail-key-name":
					plain, n, err := x.decrypt(k, p.Body)
					elements += n
					switch {
					case err != nil && sc.Fault == "tag_mismatch":
						failed[sc.Fault] = true
					case err != nil || st.Confidentiality && n == 0:
						t.Errorf("%s: %d elements: %v\n%s", sc.Name, n, err, p.Body)
					case st.Confidentiality && !strings.Contains(plain, "String>") && !strings.Contains(plain, "URI>"):
						t.Errorf("%s: %s", sc.Name, plain)
					}
				}
				if strings.HasSuffix(p.Type, "-signed+xml") {
					n, err := x.verify(k, p.Body, parts)
					signatures += n
					switch {
					case err != nil && strings.HasSuffix(sc.Fault, "_mismatch") && sc.Fault != "tag_mismatch":
						failed[sc.Fault] = true
					case err != nil || n == 0:
						t.Errorf("%s: %d signatures: %v\n%s", sc.Name, n, err, p.Body)
					}
				}
			}
		}
		sc.Play(c)
		if strings.HasSuffix(sc.Fault, "_mismatch") && sc.Fault != "key_name_mismatch" && !failed[sc.Fault] {
			t.Errorf("%s: xmlsec1 finds nothing wrong", sc.Name)
		}
	}
	if c.Net.err != nil || elements < 60 || signatures < 60 {
		t.Errorf("%d elements and %d signatures, %v", elements, signatures, c.Net.err)
	}
	// The documents of the KMS.
	docs, log, err := s.WrappedDocuments()
	if err != nil {
		t.Fatal(err)
	}
	ink := map[string]string{}
	for line := range strings.Lines(string(log)) {
		if w := strings.Fields(line); w[0] == "InK" {
			ink[w[1]] = w[2]
		}
	}
	n := 0
	for doc := range strings.Lines(string(docs)) {
		_, rest, _ := strings.Cut(doc[strings.Index(doc, "</ds:SignatureValue>"):], "<ds:KeyName>")
		name, _, _ := strings.Cut(rest, "<")
		if _, err := x.Run("--verify", "--hmackey:"+name, x.File(mustHex(ink[name])), "--id-attr:Id", "urn:3gpp:ns:mcsecKMSInterface:1.0:SignedKmsResponse", x.File([]byte(doc))); err != nil {
			t.Errorf("document %d by %s: %v", n, name, err)
		}
		n++
	}
	if n != 1+4+2*3 {
		t.Errorf("%d documents", n)
	}
}
