package sipparse

import (
	"strconv"
	"strings"
	"testing"
)

// mcpttInvite is an MCPTT group call: 22 header fields, SDP, mcptt-info and a resource list, about 2 KB.
func mcpttInvite() []byte {
	sdp := "v=0\r\no=- 3862 3862 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 50000 RTP/AVP 105\r\na=rtpmap:105 AMR-WB/16000\r\nm=application 50002 udp MCPTT\r\na=fmtp:MCPTT mc_queueing;mc_priority=5\r\n"
	info := `<?xml version="1.0" encoding="UTF-8"?><mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><session-type>prearranged</session-type><mcptt-request-uri type="Normal"><mcpttURI>sip:group1@mcptt.example.org</mcpttURI></mcptt-request-uri></mcptt-Params></mcpttinfo>`
	body := "--bnd\r\nContent-Type: application/sdp\r\n\r\n" + sdp + "\r\n--bnd\r\nContent-Type: application/vnd.3gpp.mcptt-info+xml\r\n\r\n" + info + "\r\n--bnd--\r\n"
	head := "INVITE sip:mcptt-orig-part@ims.example.org SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKnashds7;rport\r\n" +
		"Max-Forwards: 70\r\n" +
		"From: <sip:user1@ims.example.org>;tag=9fxced76sl\r\n" +
		"To: <sip:mcptt-orig-part@ims.example.org>\r\n" +
		"Call-ID: 3848276298220188511@192.0.2.11\r\n" +
		"CSeq: 1 INVITE\r\n" +
		"Contact: <sip:user1@192.0.2.11:5060>;+g.3gpp.mcptt;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt\"\r\n" +
		"Route: <sip:pcscf.ims.example.org:5060;lr>, <sip:orig@scscf.ims.example.org;lr>\r\n" +
		"P-Preferred-Identity: <sip:user1@ims.example.org>\r\n" +
		"P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.mcptt\r\n" +
		"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=001010001000019B\r\n" +
		"Accept-Contact: *;+g.3gpp.mcptt;require;explicit\r\n" +
		"Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt\";require;explicit\r\n" +
		"Session-Expires: 1800;refresher=uac\r\n" +
		"Supported: timer, 100rel, tdialog\r\n" +
		"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, MESSAGE, INFO, NOTIFY\r\n" +
		"Accept: application/sdp, application/vnd.3gpp.mcptt-info+xml\r\n" +
		"Answer-Mode: Auto\r\n" +
		"Privacy: none\r\n" +
		"User-Agent: mcptt-client/1.4\r\n" +
		"Content-Type: multipart/mixed;boundary=bnd\r\n" +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	return []byte(head + body)
}

func BenchmarkParse(b *testing.B) {
	raw := mcpttInvite()
	var m Message
	if err := m.Parse(raw, Options{Datagram: true}); err != nil || len(m.Headers) != 22 || len(m.Diags) != 0 {
		b.Fatal(err, len(m.Headers), m.Diags)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if err := m.Parse(raw, Options{Datagram: true}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkYardstick looks up each octet of the same message in a table and does nothing else: a measure of the machine
// and its load. Parse should cost less than twice as much.
func BenchmarkYardstick(b *testing.B) {
	raw := mcpttInvite()
	b.SetBytes(int64(len(raw)))
	sum := 0
	for b.Loop() {
		for _, c := range raw {
			sum += int(class[c])
		}
	}
	if sum == 0 {
		b.Fatal("sum")
	}
}

func BenchmarkParts(b *testing.B) {
	raw := mcpttInvite()
	var m Message
	if err := m.Parse(raw, Options{Datagram: true}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(m.Body.Len))
	for b.Loop() {
		if len(m.Parts(Limits{})) != 3 {
			b.Fatal("parts")
		}
	}
}

func BenchmarkLooksLikeStart(b *testing.B) {
	for name, in := range map[string]string{
		"rtp":      "\x80\x69\x12\x34\x00\x00\x00\xa0\xde\xad\xbe\xef" + strings.Repeat("\x55", 160),
		"dns":      "zz\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01",
		"http":     "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
		"invite":   string(mcpttInvite()),
		"response": "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\n\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			p := []byte(in)
			b.ReportAllocs()
			for b.Loop() {
				LooksLikeStart(p)
			}
		})
	}
}
