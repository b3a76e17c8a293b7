package xmlsec_test

import (
	"fmt"

	"github.com/mcxdump/mcxdump/internal/xmlsec"
)

// An identity is sealed, put into a body, the body is signed beside it, and all
// of it is read back: verify first, decrypt after (TS 24.379 7.3.1A).
func Example() {
	confidentiality, integrity := []byte("confidentiality!"), []byte("integrity key!!!")
	name, _ := xmlsec.KeyNameFromID("2abcdef0")

	info, _ := xmlsec.Parse([]byte(`<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-calling-user-id type="Encrypted"/></mcptt-Params></mcpttinfo>`), xmlsec.Limits{})
	sealed, _ := xmlsec.Encrypt([]byte("<mcpttURI>sip:alice@example.org</mcpttURI>"), xmlsec.EncryptOptions{Key: confidentiality, KeyName: name})
	info.Tree.FindElement("//mcptt-calling-user-id").AddChild(sealed)
	body := xmlsec.C14N{}.Document(info.Tree) // the canonical form is a good one to send

	signatures, _ := xmlsec.Parse([]byte(`<signatures xmlns="urn:3gpp:ns:mcpttSignedDoc:1.0"/>`), xmlsec.Limits{})
	xmlsec.Sign(signatures.Root(), xmlsec.SignOptions{ID: "signature1", Key: integrity, KeyName: name,
		References: []xmlsec.SignReference{{URI: "cid:info@example.org", Octets: body}}})

	for _, r := range xmlsec.VerifyAll(signatures, xmlsec.VerifyOptions{
		Resolve: xmlsec.Parts([]xmlsec.Target{{ID: "<info@example.org>", Octets: body}}),
		Keys:    xmlsec.Keys(xmlsec.NewKey("K_int of 2abcdef0", integrity)),
	}, 0) {
		fmt.Println(r.ID, r.State(), r.KeyID)
		for _, ref := range r.Signed() {
			doc, err := xmlsec.Parse(ref.Octets, xmlsec.Limits{})
			if err != nil {
				fmt.Println(err)
				continue
			}
			for _, ed := range doc.Find(doc.Root(), xmlsec.NSEnc, "EncryptedData", 0) {
				plain, _, err := xmlsec.Decrypt(ed, xmlsec.Keys(xmlsec.NewKey("K_conf of 2abcdef0", confidentiality)))
				if err != nil {
					fmt.Println(err)
					continue
				}
				content, err := xmlsec.ParseFragment(plain, xmlsec.ContextOf(ed.Parent()), xmlsec.Limits{})
				if err != nil {
					fmt.Println(err)
				}
				for _, el := range content.Root().ChildElements() {
					fmt.Println(content.Namespace(el), el.Tag, xmlsec.Text(el))
				}
			}
		}
	}
	// Output:
	// signature1 valid 2abcdef0
	// urn:3gpp:ns:mcpttInfo:1.0 mcpttURI sip:alice@example.org
}
