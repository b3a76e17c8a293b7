package sipparse

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// traffic is messages of many users as one kind of client and server send them: a PUBLISH with five bodies, and its answer. With
// strange, no header field name and no order of them occurs twice.
func traffic(n int, strange bool) (all [][]byte) {
	rnd := rand.New(rand.NewPCG(4, 2))
	mikey := make([]byte, 700)
	for i := range mikey {
		mikey[i] = byte(rnd.Uint32())
	}
	info := strings.Repeat("<a b=\"c\">d</a>", 100)
	odd := func() string {
		if !strange {
			return ""
		}
		return fmt.Sprintf("X-%x: %x\r\n", rnd.Uint64(), rnd.Uint64())
	}
	for i := range n {
		user, boundary := fmt.Sprintf("+49151%07d", rnd.IntN(10000000)), fmt.Sprintf("mcx-%x", rnd.Uint64())
		via := fmt.Sprintf("Via: SIP/2.0/UDP 10.45.%d.%d:5060;branch=z9hG4bK%x\r\n", i>>8&255, i&255, rnd.Uint32())
		from := fmt.Sprintf("From: <sip:%s@ims.example.org>;tag=%x\r\nTo: <sip:%s@ims.example.org>", user, rnd.Uint32(), user)
		call := fmt.Sprintf("Call-ID: %x@192.0.2.10\r\nCSeq: %d PUBLISH\r\n", rnd.Uint64(), rnd.IntN(100))
		part := func(head, body string) string {
			return "--" + boundary + "\r\n" + head + odd() + "\r\n" + body + "\r\n"
		}
		body := part("Content-Type: application/mikey\r\nContent-Transfer-Encoding: binary\r\n", string(mikey)) +
			part("Content-Type: application/vnd.3gpp.mcptt-info+xml\r\nContent-ID: <mcpttinfo@alice>\r\n", info) +
			part("Content-Type: application/poc-settings+xml\r\nContent-ID: <mcpttsettings@alice>\r\n", info[:600]) +
			part("Content-Type: application/vnd.3gpp.mcptt-signed+xml\r\nContent-ID: <mcpttsigned@alice>\r\n", info[:900]) +
			"--" + boundary + "--\r\n"
		lines := []string{via, "Max-Forwards: 70\r\n", from + "\r\n", call, odd(),
			fmt.Sprintf("Contact: <sip:%s@10.45.%d.%d:5060>;+g.3gpp.mcptt;+g.3gpp.icsi-ref=\"urn%%3Aurn-7%%3A3gpp-service.ims.icsi.mcptt\"\r\n", user, i>>8&255, i&255),
			"Accept-Contact: *;+g.3gpp.mcptt;require;explicit\r\n",
			"Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt\";require;explicit\r\n",
			"P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.mcptt\r\n", odd(),
			"P-Preferred-Identity: <sip:" + user + "@ims.example.org>\r\n", "Event: poc-settings\r\n", "Expires: 4294967295\r\n",
			"Content-Type: multipart/mixed;boundary=\"" + boundary + "\"\r\n", fmt.Sprintf("Content-Length: %d\r\n", len(body))}
		if strange {
			rnd.Shuffle(len(lines), func(i, k int) { lines[i], lines[k] = lines[k], lines[i] })
		}
		all = append(all, []byte("PUBLISH sip:mcptt-part@mc.example.org SIP/2.0\r\n"+strings.Join(lines, "")+"\r\n"+body),
			[]byte("SIP/2.0 200 OK\r\n"+via+odd()+from+";tag=as1\r\n"+call+"SIP-ETag: e1\r\n"+odd()+"Expires: 4294967295\r\nContent-Length: 0\r\n\r\n"))
	}
	return all
}

// BenchmarkTraffic is message after message, with what was remembered of those before and without.
func BenchmarkTraffic(b *testing.B) {
	for _, strange := range []bool{false, true} {
		all := traffic(500, strange)
		for _, mem := range []*Memory{nil, {}} {
			name := fmt.Sprintf("strange=%v/memory=%v", strange, mem != nil)
			b.Run("parse/"+name, func(b *testing.B) {
				var m Message
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if m.Parse(all[i], Options{Datagram: true, Memory: mem}) != nil || len(m.Diags) > 0 {
						b.Fatal(m.Diags)
					}
					if i++; i == len(all) {
						i = 0
					}
				}
			})
		}
		b.Run(fmt.Sprintf("parts/strange=%v", strange), func(b *testing.B) {
			var m Message
			var sp Splitter
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				m.Parse(all[i], Options{Datagram: true})
				if len(sp.Parts(&m, Limits{})) == 1 {
					b.Fatal("parts")
				}
				if i++; i == len(all) {
					i = 0
				}
			}
		})
	}
}
