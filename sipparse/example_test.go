package sipparse_test

import (
	"fmt"

	"github.com/mcxdump/mcxdump/sipparse"
)

func ExampleMessage_Parse() {
	raw := []byte("PUBLISH sip:mcptt.example.org SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK77\r\n" +
		"f: <sip:user1@example.org>;tag=49583\r\n" +
		"t: <sip:user1@example.org>\r\n" +
		"i: 843817637684230@192.0.2.1\r\n" +
		"CSeq: 8 REGISTER\r\n" +
		"Max-Forwards: 70\r\n" +
		"Event: poc-settings\r\n" +
		"c: application/poc-settings+xml\r\n" +
		"l: 4\r\n\r\n<a/>")
	var m sipparse.Message
	if err := m.Parse(raw, sipparse.Options{Datagram: true}); err != nil {
		fmt.Println(err)
		return
	}
	from, _ := m.From()
	fmt.Println(m.MethodText(), from.Text(from.URISpan), m.ValueText(sipparse.HdrEvent))
	for _, p := range m.Parts(sipparse.Limits{}) {
		fmt.Println(p.Path, p.Type.Full, string(p.Data))
	}
	for _, d := range m.Diags {
		fmt.Println(d, "-", d.Clause())
	}
	// Output:
	// PUBLISH sip:user1@example.org poc-settings
	// 1 application/poc-settings+xml <a/>
	// error cseq-method at octet 188 (CSeq): CSeq method differs from the request's method: "REGISTER" in a "PUBLISH" request - RFC 3261 8.1.1.5
}

func ExampleFramer() {
	f := sipparse.NewFramer(sipparse.Limits{})
	for _, segment := range []string{
		"OPTIONS sip:a@example.org SIP/2.0\r\nl: 3\r", "\n\r\nab", "c\r\n\r", "\nSIP/2.0 200 OK\r\nl: 0\r\n\r\n",
	} {
		f.Write([]byte(segment))
		for {
			fr, err := f.Next()
			if err != nil {
				break // sipparse.ErrMore
			}
			fmt.Println(fr.Kind, fr.Off, len(fr.Data))
		}
	}
	// Output:
	// message 0 46
	// ping 46 4
	// message 50 24
}
