package lab

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"
)

// h2 frame types and flags (RFC 9113 6).
const (
	h2Data, h2Headers, h2Reset, h2Settings, h2GoAway, h2Continuation = 0, 1, 3, 4, 7, 9

	h2EndStream, h2EndHeaders, h2Padded = 0x1, 0x4, 0x8
)

func h2Frame(typ, flags byte, stream int, payload ...[]byte) []byte {
	b := cat(payload...)
	return cat(be32(len(b))[1:], []byte{typ, flags}, be32(stream), b)
}

// hpackText is a string without Huffman code (RFC 7541 5.2).
func hpackText(s string) []byte {
	if len(s) < 127 {
		return append([]byte{byte(len(s))}, s...)
	}
	b := []byte{127}
	n := len(s) - 127
	for ; n >= 128; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(append(b, byte(n)), s...)
}

// An hpackTable is an encoder's dynamic table, newest first: what was sent once is an index the next time.
type hpackTable []string

// block writes a field block of "name: value" lines, each added to the table (RFC 7541 6.1, 6.2.1).
func (t *hpackTable) block(lines ...string) (b []byte) {
next:
	for _, l := range lines {
		for i, have := range *t {
			if have == l {
				b = append(b, 0x80|byte(62+i))
				continue next
			}
		}
		i := strings.Index(l[1:], ": ") + 1
		b = cat(b, []byte{0x40}, hpackText(l[:i]), hpackText(l[i+2:]))
		*t = append(hpackTable{l}, *t...)
	}
	return b
}

func gzipText(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close() // to memory
	return b.Bytes()
}

// chunked cuts content into chunks of n octets (RFC 9112 7.1), the first with an extension, then a trailer.
func chunked(b []byte, n int, trailer string) []byte {
	var out []byte
	for i := 0; i < len(b); i += n {
		part, ext := b[i:min(i+n, len(b))], ""
		if i == 0 {
			ext = ";part=1"
		}
		out = fmt.Appendf(out, "%x%s\r\n%s\r\n", len(part), ext, part)
	}
	return append(out, "0\r\n"+trailer+"\r\n"...)
}

// httpCapture is the framing of HTTP in its forms: pipelined requests, gzip, chunks and a trailer on one connection;
// HTTP/2 with prior knowledge on another: streams that take turns, a dynamic table, CONTINUATION, padding, a reset.
func httpCapture(out io.Writer) error {
	const profile = `<?xml version="1.0" encoding="UTF-8"?><mcptt-user-profile xmlns="urn:3gpp:mcptt:user-profile:1.0" XUI-URI="sip:alice@mcptt.mc.example.org" user-profile-index="1"><Name xml:lang="en">Dispatcher</Name><Status>true</Status></mcptt-user-profile>`
	const group = `<?xml version="1.0" encoding="UTF-8"?><group xmlns="urn:oma:xml:poc:list-service"><list-service uri="sip:rescue@gms.mc.example.org"><list><entry uri="sip:alice@mcptt.mc.example.org"/></list></list-service></group>`
	const refusal = `{"error":"invalid_grant","error_description":"the refresh token was revoked"}`
	form := "grant_type=refresh_token&refresh_token=0123456789abcdef0123456789&client_id=UE-alice"
	return dialogs(23, func(w *World) {
		say := func(s *Stream, up bool, mss int, parts ...[]byte) {
			for _, send := range s.Send(up, cat(parts...), mss) {
				send()
			}
			w.wait(20 * time.Millisecond)
		}
		s := w.Net.Dial(addr("192.0.2.10:40031"), addr("192.0.2.31:80"), 7000)
		say(s, true, 1360, // three requests in one segment
			[]byte("GET /.well-known/openid-configuration HTTP/1.1\r\nHost: idms.mc.example.org\r\n\r\n"),
			fmt.Appendf(nil, "POST /idms/token HTTP/1.1\r\nHost: idms.mc.example.org\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(form), form),
			[]byte("GET /xcap-root/org.3gpp.mcptt.user-profile/users/sip:alice@mcptt.mc.example.org/mcptt-user-profile-1.xml HTTP/1.1\r\nHost: cms.mc.example.org\r\nAccept-Encoding: gzip\r\n\r\n"))
		z := gzipText(`{"issuer":"https://idms.mc.example.org","authorization_endpoint":"https://idms.mc.example.org/idms/authorize","token_endpoint":"https://idms.mc.example.org/idms/token"}`)
		say(s, false, 90,
			fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(z), z),
			[]byte("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: Server-Timing\r\n\r\n"), chunked([]byte(refusal), 20, "Server-Timing: db;dur=53\r\n"),
			[]byte("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.3gpp.mcptt-user-profile+xml\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"), chunked(gzipText(profile), 64, ""))
		s.Close()

		s = w.Net.Dial(addr("192.0.2.10:40032"), addr("192.0.2.34:80"), 9000)
		var up, down hpackTable
		get := func(path string) []byte {
			return up.block(":method: GET", ":scheme: http", ":path: "+path, ":authority: gms.mc.example.org", "user-agent: mcx-lab/1")
		}
		say(s, true, 1360, []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), h2Frame(h2Settings, 0, 0),
			h2Frame(h2Headers, h2EndStream|h2EndHeaders, 1, get("/org.openmobilealliance.groups/global/byGroupID/sip:rescue@gms.mc.example.org")))
		second := get("/org.openmobilealliance.groups/global/byGroupID/sip:none@gms.mc.example.org")
		say(s, true, 1360, h2Frame(h2Headers, h2EndStream, 3, second[:9]), h2Frame(h2Continuation, 0, 3, second[9:40]), h2Frame(h2Continuation, h2EndHeaders, 3, second[40:]),
			h2Frame(h2Headers, h2EndStream|h2EndHeaders, 5, get("/org.openmobilealliance.groups/global/byGroupID/sip:slow@gms.mc.example.org")))
		say(s, false, 1360, h2Frame(h2Settings, 0, 0), h2Frame(h2Settings, 1, 0),
			h2Frame(h2Headers, h2EndHeaders, 1, down.block(":status: 200", "content-type: application/vnd.oma.poc.groups+xml", "server: mcx-lab/1")),
			h2Frame(h2Data, 0, 1, []byte(group[:80])),
			h2Frame(h2Headers, h2EndStream|h2EndHeaders, 3, down.block(":status: 404", "server: mcx-lab/1")),
			h2Frame(h2Data, h2EndStream|h2Padded, 1, []byte{8}, []byte(group[80:]), make([]byte, 8)))
		say(s, true, 1360, h2Frame(h2Settings, 1, 0), h2Frame(h2Reset, 0, 5, be32(8)))
		say(s, false, 1360, h2Frame(h2GoAway, 0, 0, be32(5), be32(0)))
		s.Close()
	})(out)
}
