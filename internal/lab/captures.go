package lab

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// A Capture is one file of testdata/pcaps: its name, what it shows, and how it is written.
type Capture struct {
	Name     string
	Shows    string
	Messages int // SIP and HTTP messages inside, quoted ones included
	Write    func(w io.Writer) error
}

// both, conf and integ are the protected branches of 7.2.1 and 7.2.2.
var (
	clear = Protection{}
	both  = Protection{Confidentiality: true, Integrity: true}
	conf  = Protection{Confidentiality: true}
	integ = Protection{Integrity: true}
)

// Captures lists the captures of testdata/pcaps.
func Captures() []Capture {
	cs := []Capture{
		{"register-clear.pcap", "REGISTER for service authorisation without protection (TS 24.379 7.2.1) and its 200", 2, registers(clear)},
		{"register-protected.pcap", "REGISTER with CSK, encrypted token and client ID, signed mcptt-info (7.2.1), and its 200", 2, registers(both)},
		{"register-confidentiality.pcap", "REGISTER with encryption only (7.2.1)", 2, registers(conf)},
		{"register-integrity.pcap", "REGISTER with a plain token, signed (7.2.1: legal)", 2, registers(integ)},
		{"publish-clear.pcap", "PUBLISH for authorisation and settings (7.2.2), its 200 with SIP-ETag, a settings-only PUBLISH (7.2.3), and log-off", 6, publishes(clear)},
		{"publish-protected.pcap", "the same, encrypted and signed", 6, publishes(both)},
		{"migration-clear.pcap", "REGISTER for migration service authorisation (7A.2.1)", 2, migrations(clear)},
		{"migration-protected.pcap", "the same with CSK, encrypted and signed", 2, migrations(both)},
		{"third-party-register.pcap", "S-CSCF to MCPTT server: the UE's protected REGISTER and its 200 inside message/sip (TS 24.229 5.4.1.7)", 2, thirdParty},
		{"warnings.pcap", "responses with Warning 399 and MC codes (4.4), and one with the code in the wrong place", 10, warnings},
		{"attributes.pcap", "encrypted URIs in the attributes of a resource list (6.6.2.3.4)", 2, attributes},
		{"tcp-segments.pcap", "TCP: messages cut over segments, several in a segment, keep-alives, both directions", 8, tcpSegments},
		{"tcp-disorder.pcap", "TCP: segments out of order, repeated and overlapping, sequence numbers wrapping around", 8, tcpDisorder},
		{"tcp-gap.pcap", "TCP: a lost segment inside a body: that message is shown as far as it goes, the next one is found again", 4, tcpGap},
		{"tcp-midstream.pcap", "TCP: the capture starts in the middle of a message", 2, tcpMidstream},
		{"sctp.pcap", "SCTP: DATA chunks, fragmented and bundled", 2, sctpCapture},
		{"websocket.pcap", "SIP over WebSocket (RFC 7118): masked, fragmented, with a ping between", 2, websocket},
		{"tls.pcapng", "TLS, with the secrets of the first connection in the file: a protected REGISTER and its 200 over TLS 1.3; a handshake that the client ends with an alert; a connection without a key", 2, tlsCapture},
		{"http.pcap", "HTTP in its forms: pipelined requests, gzip, chunks and a trailer on one connection; HTTP/2 with prior knowledge, streams that take turns, CONTINUATION, padding and a reset on another", 11, httpCapture},
		{"icmp-quoted.pcap", "a REGISTER quoted in an ICMP error", 3, icmpQuoted},
		{"exported-pdu.pcap", "Wireshark's exported PDUs (link type 252)", 2, exportedPDU},
		{"gzip.pcap.gz", "the protected REGISTER in a gzip file", 2, gzipped(registers(both))},
		{"truncated.pcap", "a capture that is cut off inside its last frame", 1, truncated(registers(both))},
		{"malformed.pcap", "MCX bodies with defects: bad XML, wrong root, Encrypted without EncryptedData, a damaged I_MESSAGE", 5, malformed},
		{"media.pcap", "one REGISTER among 200 RTP packets, a DNS query and an HTTP request", 1, media},
	}
	cs = append(cs, worlds()...)
	cs = append(cs, Capture{"ims-esp.pcap", "a registration with AKA: REGISTER and 401 with a security agreement, then four messages in ESP (TS 33.203), which ims-esp.mcxkeys opens", 2, imsESP})
	for _, s := range Shapes {
		cs = append(cs, Capture{"shape-" + s.Name + ".pcap", "the protected REGISTER and its 200 over " + s.Name, 2, shaped(s)})
	}
	return cs
}

func ethernet() Shape { return Shapes[0] }

// dialogs runs one script on a fresh Ethernet world.
func dialogs(seed uint64, script func(w *World)) func(io.Writer) error {
	return on(ethernet(), seed, script)
}

func on(s Shape, seed uint64, script func(w *World)) func(io.Writer) error {
	return func(out io.Writer) error {
		w, err := New(out, s, seed)
		if err != nil {
			return err
		}
		script(w)
		return w.Close()
	}
}

func (w *World) up(b []byte)   { w.Net.UDP(w.UE, w.Core, b); w.wait(18 * time.Millisecond) }
func (w *World) down(b []byte) { w.Net.UDP(w.Core, w.UE, b); w.wait(250 * time.Millisecond) }

func (w *World) wait(d time.Duration) { w.Net.Clock = w.Net.Clock.Add(d) }

func ok(d *Dialog, via string) []byte {
	return d.Response(via, 200, "OK", "Contact: <sip:ue1@"+d.w.UE.String()+">"+contactTags+";expires=600000\r\nP-Associated-URI: <"+impu+">\r\n", nil)
}

func registers(p Protection) func(io.Writer) error {
	return dialogs(1, func(w *World) {
		d := w.Dialog()
		w.up(w.Register(d, "UDP", KnownCSK(), p))
		w.down(ok(d, "UDP"))
	})
}

func shaped(s Shape) func(io.Writer) error {
	return on(s, 2, func(w *World) {
		d := w.Dialog()
		w.up(w.Register(d, "UDP", KnownCSK(), both))
		w.down(ok(d, "UDP"))
	})
}

func publishes(p Protection) func(io.Writer) error {
	return dialogs(3, func(w *World) {
		d := w.Dialog()
		w.up(w.Publish(d, "UDP", KnownCSK(), p))
		w.down(d.Response("UDP", 200, "OK", "SIP-ETag: e1\r\nExpires: 4294967295\r\n", nil))
		d = w.Dialog()
		w.up(w.PublishSettings(d, "UDP", KnownCSK(), p, "e1"))
		w.down(d.Response("UDP", 200, "OK", "SIP-ETag: e2\r\nExpires: 4294967295\r\n", nil))
		d = w.Dialog()
		w.up(w.Remove(d, "UDP", "e2"))
		w.down(d.Response("UDP", 200, "OK", "SIP-ETag: e3\r\nExpires: 0\r\n", nil))
	})
}

func migrations(p Protection) func(io.Writer) error {
	return dialogs(4, func(w *World) {
		d := w.Dialog()
		w.up(w.Migrate(d, "UDP", KnownCSK(), p))
		w.down(ok(d, "UDP"))
	})
}

func thirdParty(out io.Writer) error {
	return dialogs(5, func(w *World) {
		ue := w.Dialog()
		inner := w.Register(ue, "UDP", KnownCSK(), both)
		answer := ok(ue, "UDP")
		d := w.Dialog()
		w.Net.UDP(w.Core, w.AS, w.ThirdParty(d, "UDP", inner, answer))
		w.wait(5 * time.Millisecond)
		w.Net.UDP(w.AS, w.Core, d.Response("UDP", 200, "OK", "", nil))
	})(out)
}

func warnings(out io.Writer) error {
	return dialogs(6, func(w *World) {
		for _, a := range []struct {
			status  int
			reason  string
			headers string
		}{
			{403, "Forbidden", warning("101 service authorisation failed")},
			{403, "Forbidden", warning("139 integrity protection check failed")},
			{404, "Not Found", warning("141 user unknown to the participating function")},
			{486, "Busy Here", warning("164 limit of simultaneous service authorisations")},
			{403, "Forbidden", "Warning: 101 mcptt.example.org \"service authorisation failed\"\r\n"},
		} {
			d := w.Dialog()
			w.up(w.Publish(d, "UDP", KnownCSK(), clear))
			w.down(d.Response("UDP", a.status, a.reason, a.headers, nil))
		}
	})(out)
}

func attributes(out io.Writer) error {
	return dialogs(7, func(w *World) {
		d, k := w.Dialog(), KnownCSK()
		list := `<?xml version="1.0" encoding="UTF-8"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>` +
			`<entry uri="` + w.EncryptedURI(k, "sip:bob@example.org") + `"/><entry uri="sip:carol@example.org"/></list></resource-lists>`
		body := info(`<session-type>private</session-type>`+w.element(k, conf, "mcptt-client-id", "mcpttString", clientID), "")
		sdp := "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 49170 RTP/AVP 105\r\ni=speech\r\na=rtpmap:105 AMR-WB/16000\r\n" +
			"m=application 49172 udp MCPTT\r\na=fmtp:MCPTT mc_queueing;mc_priority=5;mc_implicit_request\r\n"
		w.up(d.request("INVITE", participant, "UDP", "Contact: <sip:ue1@192.0.2.10:5060>"+contactTags+"\r\nP-Preferred-Service: "+ICSI+"\r\n", []Part{
			{Type: "application/sdp", Body: sdp}, {Type: TypeInfo, ContentID: "info@ue1", Body: body},
			{Type: "application/resource-lists+xml", ContentID: "list@ue1", Body: list}}))
		w.down(d.Response("UDP", 100, "Trying", "", nil))
	})(out)
}

// talk is the exchange that the TCP captures carry: client octets and server octets.
func (w *World) talk() (a, b []byte) {
	k := KnownCSK()
	d := w.Dialog()
	a = append(a, w.Register(d, "TCP", k, both)...)
	b = append(b, ok(d, "TCP")...)
	a = append(a, "\r\n\r\n"...)
	b = append(b, "\r\n"...)
	for range 3 {
		d = w.Dialog()
		a = append(a, w.Publish(d, "TCP", k, both)...)
		b = append(b, d.Response("TCP", 200, "OK", "SIP-ETag: e1\r\nExpires: 4294967295\r\n", nil)...)
	}
	return a, b
}

func tcpSegments(out io.Writer) error {
	return dialogs(8, func(w *World) {
		a, b := w.talk()
		s := w.Net.Dial(w.UE, w.Core, 1000)
		for _, send := range s.Send(true, a, 900) {
			send()
		}
		for _, send := range s.Send(false, b, 100_000) {
			send()
		}
		s.Close()
	})(out)
}

func tcpDisorder(out io.Writer) error {
	return dialogs(9, func(w *World) {
		a, b := w.talk()
		s := w.Net.Dial(w.UE, w.Core, 0xfffff000) // wraps around after 4 kB
		start := s.sa
		sends := s.Send(true, a, 700)
		for i := 0; i < len(sends); i += 4 {
			group := append([]func(){}, sends[i:min(i+4, len(sends))]...)
			w.rng.Shuffle(len(group), func(x, y int) { group[x], group[y] = group[y], group[x] })
			for _, send := range group {
				send()
			}
			group[0]() // repeated
		}
		w.Net.Segment(s.A, s.B, start+100, s.sb, psh|ack, a[100:900]) // an overlapping repetition
		for _, send := range s.Send(false, b, 333) {
			send()
		}
		s.Close()
	})(out)
}

func tcpGap(out io.Writer) error {
	return dialogs(10, func(w *World) {
		a, _ := w.talk()
		s := w.Net.Dial(w.UE, w.Core, 1000)
		for i, send := range s.Send(true, a, 900) {
			if i != 5 { // inside the body of the first PUBLISH
				send()
			}
		}
		s.Close()
	})(out)
}

func tcpMidstream(out io.Writer) error {
	return dialogs(11, func(w *World) {
		a, _ := w.talk()
		s := &Stream{n: w.Net, A: w.UE, B: w.Core, sa: 5000, sb: 6000}
		sends := s.Send(true, a, 900)
		for i, send := range sends {
			if i >= 6 { // the first PUBLISH has begun
				send()
			}
		}
	})(out)
}

func sctpCapture(out io.Writer) error {
	return dialogs(12, func(w *World) {
		d := w.Dialog()
		tsnA, tsnB := uint32(100), uint32(0xfffffffe)
		w.Net.SCTP(w.UE, w.Core, &tsnA, 0, 600, w.Register(d, "SCTP", KnownCSK(), both))
		w.wait(10 * time.Millisecond)
		w.Net.SCTP(w.Core, w.UE, &tsnB, 0, 200, ok(d, "SCTP"))
	})(out)
}

func websocket(out io.Writer) error {
	return dialogs(13, func(w *World) {
		w.Core = netip.AddrPortFrom(w.Core.Addr(), 8080)
		s := w.Net.Dial(w.UE, w.Core, 77)
		run := func(sends []func()) {
			for _, send := range sends {
				send()
			}
		}
		run(s.Send(true, []byte("GET /sip HTTP/1.1\r\nHost: core.example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n"), 1400))
		run(s.Send(false, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n\r\n"), 1400))
		d := w.Dialog()
		m := w.Register(d, "WS", KnownCSK(), both)
		half := len(m) / 2
		run(s.Send(true, cat(wsFrame(2, false, true, m[:half]), wsFrame(9, true, true, []byte("ping")), wsFrame(0, true, true, m[half:])), 1000))
		// RFC 7118 5: no Content-Length is needed.
		answer := bytes.Replace(ok(d, "WS"), []byte("Content-Length: 0\r\n"), nil, 1)
		run(s.Send(false, cat(wsFrame(10, true, false, []byte("ping")), wsFrame(1, true, false, answer)), 1400))
		s.Close()
	})(out)
}

func icmpQuoted(out io.Writer) error {
	return dialogs(14, func(w *World) {
		d := w.Dialog()
		m := w.Register(d, "UDP", KnownCSK(), both)
		quoted := w.Net.ip(protoUDP, w.UE.Addr(), w.Core.Addr(), udp(w.UE, w.Core, m))
		w.Net.Packet(quoted)
		w.Net.Unreachable(w.Core.Addr(), w.UE.Addr(), quoted[:548])
		w.wait(500 * time.Millisecond)
		w.Net.Packet(quoted)
	})(out)
}

func exportedPDU(out io.Writer) error {
	return on(Shape{Name: "exported-pdu", Link: 252}, 15, func(w *World) {
		d := w.Dialog()
		w.Net.Exported(w.UE, w.Core, w.Register(d, "TLS", KnownCSK(), both))
		w.Net.Exported(w.Core, w.UE, ok(d, "TLS"))
	})(out)
}

func gzipped(write func(io.Writer) error) func(io.Writer) error {
	return func(out io.Writer) error {
		z, err := gzip.NewWriterLevel(out, gzip.BestCompression)
		if err != nil {
			return err
		}
		if err := write(z); err != nil {
			return err
		}
		return z.Close()
	}
}

func truncated(write func(io.Writer) error) func(io.Writer) error {
	return func(out io.Writer) error {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return err
		}
		_, err := out.Write(b.Bytes()[:b.Len()-100])
		return err
	}
}

func malformed(out io.Writer) error {
	return dialogs(16, func(w *World) {
		k := KnownCSK()
		send := func(parts ...Part) {
			d := w.Dialog()
			w.up(d.request("REGISTER", "sip:mcptt.example.org", "UDP", "Contact: <sip:ue1@192.0.2.10:5060>"+contactTags+"\r\n", parts))
		}
		good := info(w.element(k, clear, "mcptt-access-token", "mcpttString", w.Token(k.User)), "")
		send(Part{Type: TypeInfo, Body: good[:len(good)-40]})
		send(Part{Type: TypeInfo, Body: strings.ReplaceAll(good, "mcpttinfo", "mcptt-info")})
		send(Part{Type: TypeInfo, Body: info(`<mcptt-access-token type="Encrypted"><mcpttString>in the clear</mcpttString></mcptt-access-token>`, "")})
		damaged := append([]byte(nil), k.IMessage...)
		damaged[2] = 99 // no such payload
		send(Part{Type: TypeMikey, Body: string(damaged)}, Part{Type: TypeInfo, Body: good})
		send(Part{Type: TypeInfo, Body: `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>` + good})
	})(out)
}

func media(out io.Writer) error {
	return dialogs(17, func(w *World) {
		a, b := addr("192.0.2.10:49170"), addr("192.0.2.1:30000")
		for i := range 200 {
			if i == 100 {
				w.up(w.Register(w.Dialog(), "UDP", KnownCSK(), clear))
			}
			rtp := cat([]byte{0x80, 0x69}, be16(i), be32(i*320), be32(0x51b0), w.octets(160))
			w.Net.UDP(a, b, rtp)
		}
		w.Net.UDP(a, addr("192.0.2.53:53"), mustHex("abcd01000001000000000000036d6378076578616d706c65036f72670000010001"))
		s := w.Net.Dial(w.UE, addr("192.0.2.80:80"), 5)
		for _, send := range s.Send(true, []byte("GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n"), 1400) {
			send()
		}
		s.Close()
	})(out)
}

// worldSeed is the seed of the captures that have a cryptography of their own; one key file opens them all.
const worldSeed = 33180

// worlds are those captures.
func worlds() []Capture {
	day := []string{"register-protected", "register-combined", "third-party-two", "publish-protected", "settings-protected", "publish-mcvideo", "publish-mcdata", "subscribe-protected", "private-call", "logoff-publish"}
	var broken []string
	for _, s := range failures {
		broken = append(broken, s.Name)
	}
	var webBroken []string
	for _, s := range webScenarios {
		if strings.HasPrefix(s.Name, "fail-") {
			webBroken = append(webBroken, s.Name)
		}
	}
	return []Capture{
		{"chain.pcap", "one user's chain over HTTP and SIP, from identity management to recording: opens with no key file", 36, world("chain")},
		{"chain-servers.pcap", "MCPTT and group server get their keys from the KMS over HTTP, then a user logs in and authorises: opens with no key file", 16, world("chain-servers")},
		{"chain-late.pcap", "a REGISTER before its keys come from the KMS over HTTP: opens with no key file, read twice", 6, world("chain-late")},
		{"web-failures.pcap", "every way to fail of the HTTP half, one after another", 38, world(webBroken...)},
		{"lab-world.pcap", "three users and three services with a KMS of their own, hidden identities; lab-world.keys.json and lab-world.mcxkeys open it", 33, world(day...)},
		{"failures.pcap", "every way to fail, one after another, with the server's answers; the same keys", 41, world(broken...)},
		{"key-download.pcap", "a CSK and a MuSiK by MESSAGE (7.2.5), and settings under the new CSK; the same keys", 10, world("key-download-csk", "key-download-musik")},
		{"group-key.pcap", "a GMK for three members, by MESSAGE and in a group document, each under a GUK-ID of its own; the same keys", 12, world("group-key", "group-document")},
	}
}

func world(names ...string) func(io.Writer) error {
	return func(out io.Writer) error {
		s, err := NewSystem(Options{Seed: worldSeed})
		if err != nil {
			return err
		}
		var list []Scenario
		for _, n := range names {
			sc, err := ScenarioByName(n)
			if err != nil {
				return err
			}
			list = append(list, sc)
		}
		c, err := s.Capture(out, ethernet())
		if err != nil {
			return err
		}
		c.turns(list)
		return c.Close()
	}
}

// WorldKeys are the key files of the captures with a cryptography of their own, by name: master secrets, and the MC service
// IDs, which hidden identities do not tell.
func WorldKeys() (map[string][]byte, error) {
	s, err := NewSystem(Options{Seed: worldSeed})
	if err != nil {
		return nil, err
	}
	master, err := s.MasterSecrets()
	return map[string][]byte{"lab-world.keys.json": master, "lab-world.mcxkeys": append([]byte("# MC service IDs of the captures that lab-world.keys.json opens.\n"), s.Identities()...)}, err
}

// README is the text of testdata/pcaps/README.md.
func README() string {
	var b strings.Builder
	b.WriteString("# Captures\n\nWritten by `internal/lab` from fixed seeds; `go test ./internal/lab -update` writes them again. The protected ones use\nthe published known-answer client-server key 2abcdef0 (test keys only), unless their line says otherwise.\n\n| file | messages | shows |\n|---|---|---|\n")
	for _, c := range Captures() {
		fmt.Fprintf(&b, "| %s | %d | %s |\n", c.Name, c.Messages, c.Shows)
	}
	b.WriteString("\n`lab-world.keys.json` holds the master secrets of the KMS of lab-world.pcap, failures.pcap, key-download.pcap and group-key.pcap,\n`lab-world.mcxkeys` the MC service IDs, which hidden identities do not tell: give both to `--keys`. They are keys of nobody.\n")
	return b.String()
}

// WriteShapes writes the protected REGISTER and its 200 over one shape after the other. The shapes have one link type and
// one version of IP.
func WriteShapes(out io.Writer, shapes ...Shape) error {
	return on(shapes[0], 2, func(w *World) {
		for _, s := range shapes {
			w.Net.Shape = s
			d := w.Dialog()
			w.up(w.Register(d, "UDP", KnownCSK(), both))
			w.down(ok(d, "UDP"))
		}
	})(out)
}
