package flow

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// tlsFeed writes what a TLS connection sent as segments of at most mss octets.
type tlsFeed struct {
	*feed
	side [2]*conn
	off  [2]int
}

func newTLSFeed(cfg Config) *tlsFeed {
	f := newFeed(cfg)
	t := &tlsFeed{feed: f}
	t.connect(40000)
	return t
}

// connect begins another connection of the client.
func (t *tlsFeed) connect(port int) {
	t.off = [2]int{}
	t.side[0] = &conn{f: t.feed, isn: 1000, ports: [2]int{port, 5061}, layers: []any{etherHeader{etIPv4}}}
	t.side[1] = &conn{f: t.feed, isn: 7000, ports: [2]int{5061, port}, layers: []any{etherHeader{etIPv4}}, back: true}
	t.side[0].syn()
	t.side[1].syn()
}

func (t *tlsFeed) send(side int, b []byte, mss int) {
	for len(b) > 0 {
		n := min(len(b), mss)
		t.side[side].data(t.off[side], string(b[:n]))
		t.off[side] += n
		b = b[n:]
	}
}

func (t *tlsFeed) play(log []testkit.TLSWrite, mss int) {
	for _, w := range log {
		t.send(w.Side, w.Octets, mss)
	}
}

func (t *tlsFeed) fin(side int) { t.side[side].fin(t.off[side]) }

func sipTalk() (lines [][2]string, want [2][]string) {
	a, ok, b := request("REGISTER", 3000), strings.Replace(long(20), "MESSAGE sip:b@example.org SIP/2.0", "SIP/2.0 200 OK", 1), request("BYE", 0)
	return [][2]string{{a, ok}, {b, ok}}, [2][]string{{a, b}, {ok, ok}}
}

func TestTLS(t *testing.T) {
	certs := testkit.TLSCertificates(t)
	lines, want := sipTalk()
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS12, tls.VersionTLS13} {
		for _, mss := range []int{1400, 100, 60000} {
			k := &testkit.KeyLog{}
			log, errs := testkit.Converse(&tls.Config{MinVersion: v, MaxVersion: v, InsecureSkipVerify: true, KeyLogWriter: k, ServerName: "sip.example.org"},
				&tls.Config{MinVersion: v, Certificates: certs}, lines)
			if errs[0] != nil {
				t.Fatal(errs)
			}
			f := newTLSFeed(Config{TLSKeys: k})
			f.play(log, mss)
			f.fin(0)
			f.fin(1)
			f.d.Flush()
			var got [2][]string
			for _, u := range f.units {
				side := 0
				if u.Src.Port() == 5061 {
					side = 1
				}
				got[side] = append(got[side], string(u.Data))
				if u.Transport != OverTLS || u.TLS == nil || u.TLS.State != TLSDecrypted || u.TLS.SNI != "sip.example.org" || !u.Stream || u.Truncated || len(u.Findings) > 0 {
					t.Errorf("%+v %+v", u, u.TLS)
				}
				checkSegments(t, u, len(u.Data))
				if mss == 100 && side == 0 && len(u.Data) > 3000 && len(u.Frames) < 30 {
					t.Errorf("%d frames", len(u.Frames))
				}
			}
			if !slices.Equal(got[0], want[0]) || !slices.Equal(got[1], want[1]) || len(f.findings) > 0 {
				t.Errorf("version %x, %d octets a segment: %d and %d messages, %v, %+v", v, mss, len(got[0]), len(got[1]), f.findings, f.d.stats)
			}
			if s := f.d.stats; s.TLSConnections != 1 || s.TLSOpened != 1 || s.TLSNoKey+s.TLSFailed > 0 {
				t.Errorf("%+v", s)
			}
			if n := f.d.streams.bytes(); n != 0 {
				t.Errorf("%d octets held", n)
			}
		}
	}
}

// TestTLSWithoutKey: one note for each server and name, and the streams leave the road.
func TestTLSWithoutKey(t *testing.T) {
	certs := testkit.TLSCertificates(t)
	lines, _ := sipTalk()
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		f := newTLSFeed(Config{})
		for i := range 5 {
			log, errs := testkit.Converse(&tls.Config{MaxVersion: v, InsecureSkipVerify: true, ServerName: "sip.example.org"}, &tls.Config{Certificates: certs}, lines)
			if errs[0] != nil {
				t.Fatal(errs)
			}
			if i > 0 {
				f.connect(40000 + i)
			}
			f.play(log, 1400)
			if n := f.d.streams.bytes(); n != int64(i+1)*2*streamCost {
				t.Errorf("%d octets held after %d connections", n, i+1)
			}
		}
		if len(f.units) > 0 || len(f.findings) != 1 || f.findings[0].ID != "tls-no-key" || !strings.Contains(f.findings[0].Message, "SNI sip.example.org, TLS 1.") {
			t.Errorf("%v", f.findings)
		}
		if x := f.contexts[0]; x.TLS == nil || x.TLS.State != TLSNoKey || x.Dst.Port() != 5061 {
			t.Errorf("%+v %+v", x, x.TLS)
		}
		f.d.Flush()
		if len(f.findings) != 2 || !strings.HasPrefix(f.findings[1].Message, "4 more TLS connections") || f.d.stats.TLSNoKey != 5 {
			t.Errorf("%v %+v", f.findings, f.d.stats)
		}
	}
}

func TestTLSFailed(t *testing.T) {
	certs := testkit.TLSCertificates(t)
	for _, x := range []struct {
		name           string
		client, server *tls.Config
		key            bool
		want           string
	}{
		{"1.2", &tls.Config{MaxVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), ServerName: "sip.example.org"}, &tls.Config{}, false, "the client ended the handshake: bad_certificate (the certificate is corrupt, or its signature does not verify) (SNI sip.example.org, TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256); the server's certificate is for CN=sip.example.org, issued by CN=sip.example.org (itself)"},
		{"1.3", &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "sip.example.org"}, &tls.Config{}, true, "the client ended the handshake: bad_certificate (the certificate is corrupt, or its signature does not verify) (SNI sip.example.org, TLS 1.3, TLS_AES_128_GCM_SHA256); the server's certificate is for CN=sip.example.org, issued by CN=sip.example.org (itself)"},
		{"1.3 without key", &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "sip.example.org"}, &tls.Config{}, false, "the client ended the handshake with an alert that is encrypted (SNI sip.example.org, TLS 1.3, TLS_AES_128_GCM_SHA256)"},
		{"version", &tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true, ServerName: "a"}, &tls.Config{MinVersion: tls.VersionTLS13}, false, "the server ended the handshake: protocol_version (the offered protocol version is not supported) (SNI a)"},
	} {
		k := &testkit.KeyLog{}
		x.client.KeyLogWriter, x.server.Certificates = k, certs
		log, _ := testkit.Converse(x.client, x.server, [][2]string{{"x", "y"}})
		cfg := Config{}
		if x.key {
			cfg.TLSKeys = k
		}
		f := newTLSFeed(cfg)
		f.play(log, 1400)
		f.fin(0)
		f.fin(1)
		f.d.Flush()
		if len(f.findings) != 1 || f.findings[0].ID != "tls-alert" || f.findings[0].Message != x.want || f.contexts[0].TLS.State != TLSFailed {
			t.Errorf("%s: %v", x.name, f.findings)
		}
	}
}

func TestTLSUnanswered(t *testing.T) {
	log, _ := testkit.Converse(&tls.Config{InsecureSkipVerify: true, ServerName: "a", NextProtos: []string{"sip"}}, &tls.Config{MaxVersion: tls.VersionTLS11}, nil)
	hello := log[0].Octets
	for _, x := range []struct {
		name string
		end  func(f *tlsFeed)
		want string
	}{
		{"reset", func(f *tlsFeed) { f.side[1].rst(0) }, "the server reset the connection instead of answering the ClientHello"},
		{"closed", func(f *tlsFeed) { f.fin(1) }, "the server closed the connection without answering the ClientHello"},
		{"given up", func(f *tlsFeed) { f.fin(0) }, "the client gave up: the ClientHello was not answered"},
		{"end", func(f *tlsFeed) {}, "the capture ends before the ClientHello is answered"},
		{"not TLS", func(f *tlsFeed) { f.send(1, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 100) }, "the answer to the ClientHello is not TLS"},
	} {
		f := newTLSFeed(Config{})
		f.send(0, hello, 1400)
		x.end(f)
		f.d.Flush()
		if len(f.findings) != 1 || f.findings[0].ID != "tls-unanswered" || f.findings[0].Message != x.want+", which offers sip (SNI a)" {
			t.Errorf("%s: %v", x.name, f.findings)
		}
	}
}

// TestTLSMidstream: what began before the capture cannot be opened, and is said once.
func TestTLSMidstream(t *testing.T) {
	lines, _ := sipTalk()
	log, errs := testkit.Converse(&tls.Config{InsecureSkipVerify: true}, &tls.Config{Certificates: testkit.TLSCertificates(t)}, append(lines, lines...))
	if errs[0] != nil {
		t.Fatal(errs)
	}
	f := newFeed(Config{})
	c := &conn{f: f, isn: 1000, ports: [2]int{40000, 5061}, layers: []any{etherHeader{etIPv4}}}
	for i, w := range log[len(log)-6:] {
		if w.Side == 0 {
			c.data(5000*(i+1), string(w.Octets))
		}
	}
	f.d.Flush()
	if len(f.findings) != 1 || f.findings[0].ID != "tls-midstream" || len(f.units) > 0 {
		t.Errorf("%v", f.findings)
	}
}

// TestTLSInside: WebSocket and HTTP inside TLS, each with its transport.
func TestTLSInside(t *testing.T) {
	certs := testkit.TLSCertificates(t)
	a := request("INVITE", 300)
	for _, x := range []struct {
		name      string
		lines     [][2]string
		want      []string
		transport string
	}{
		{"websocket", [][2]string{{wsUpgrade, wsSwitch}, {wsFrame(0x81, []byte("abcd"), a), wsFrame(0x81, nil, a)}}, []string{a, a}, WSS},
		{"http", [][2]string{{"GET /keymanagement/identity/v1/init HTTP/1.1\r\nHost: kms.example.org\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}}, nil, OverTLS},
	} {
		k := &testkit.KeyLog{}
		log, errs := testkit.Converse(&tls.Config{InsecureSkipVerify: true, KeyLogWriter: k, ServerName: "kms.example.org"}, &tls.Config{Certificates: certs}, x.lines)
		if errs[0] != nil {
			t.Fatal(errs)
		}
		f := newTLSFeed(Config{TLSKeys: k})
		f.play(log, 1400)
		f.fin(0)
		f.fin(1)
		f.d.Flush()
		n := 0
		for _, u := range f.units {
			if u.HTTP != nil {
				if x.name == "http" && (u.Transport != OverTLS || u.HTTP.Exchange != 1) {
					t.Errorf("%s: %+v %+v", x.name, u, u.HTTP)
				}
				continue
			}
			if u.Transport != x.transport || u.TLS == nil || string(u.Data) != x.want[n] {
				t.Errorf("%s: %+v", x.name, u)
			}
			n++
		}
		if n != len(x.want) || x.name == "http" && len(f.units) != 2 || len(f.findings) > 0 {
			t.Errorf("%s: %d units, %v", x.name, len(f.units), f.findings)
		}
	}
}

// TestTLSGap: a lost segment costs a record; what follows is read, and the message says what is missing.
func TestTLSGap(t *testing.T) {
	a, b := request("INVITE", 3000), request("BYE", 0)
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		k := &testkit.KeyLog{}
		log, errs := testkit.Converse(&tls.Config{MaxVersion: v, InsecureSkipVerify: true, KeyLogWriter: k}, &tls.Config{Certificates: testkit.TLSCertificates(t)}, [][2]string{{b, "x"}, {a, "x"}, {b, "x"}, {b, "x"}})
		if errs[0] != nil {
			t.Fatal(errs)
		}
		f, lost := newTLSFeed(Config{TLSKeys: k}), false
		for _, w := range log {
			if len(w.Octets) > 1100 && w.Side == 0 && f.off[0] > 500 && !lost {
				lost = true
				f.send(0, w.Octets[:300], 500)
				f.off[0] += 500
				f.send(0, w.Octets[800:], 500)
				continue
			}
			f.send(w.Side, w.Octets, 1400)
		}
		f.d.Flush()
		var got []string
		for _, u := range f.units {
			if u.Src.Port() != 5061 {
				got = append(got, string(u.Data))
			}
		}
		if len(got) < 3 || got[0] != b || got[len(got)-1] != b || got[len(got)-2] != b || !f.has("tcp-gap") || f.d.stats.Gaps != 1 {
			t.Errorf("%x: %d messages, %v, %+v", v, len(got), f.findings, f.d.stats)
		}
	}
}

// TestTLSOrder: one direction was captured before the other.
func TestTLSOrder(t *testing.T) {
	lines, want := sipTalk()
	k := &testkit.KeyLog{}
	log, errs := testkit.Converse(&tls.Config{InsecureSkipVerify: true, KeyLogWriter: k}, &tls.Config{Certificates: testkit.TLSCertificates(t)}, lines)
	if errs[0] != nil {
		t.Fatal(errs)
	}
	for first := range 2 {
		f := newTLSFeed(Config{TLSKeys: k})
		for _, side := range []int{first, 1 - first} {
			for _, w := range log {
				if w.Side == side {
					f.send(side, w.Octets, 1400)
				}
			}
		}
		f.fin(first)
		f.fin(1 - first)
		f.d.Flush()
		n := [2]int{}
		for _, u := range f.units {
			side := 0
			if u.Src.Port() == 5061 {
				side = 1
			}
			if n[side] >= 2 || string(u.Data) != want[side][n[side]] || len(u.Frames) == 0 {
				t.Errorf("%+v", u)
			}
			n[side]++
		}
		if n != [2]int{2, 2} || len(f.findings) > 0 {
			t.Errorf("side %d first: %v messages, %v, %+v", first, n, f.findings, f.d.stats)
		}
	}
}

// TestTLSTag: other keys and changed octets are told of once.
func TestTLSTag(t *testing.T) {
	lines, _ := sipTalk()
	k := &testkit.KeyLog{}
	log, errs := testkit.Converse(&tls.Config{InsecureSkipVerify: true, KeyLogWriter: k}, &tls.Config{Certificates: testkit.TLSCertificates(t)}, append(lines, append(lines, lines...)...))
	if errs[0] != nil {
		t.Fatal(errs)
	}
	wrong := &testkit.KeyLog{}
	for l := range strings.Lines(k.String()) {
		wrong.WriteString(strings.TrimSpace(l)[:len(l)-4] + "0a\n")
	}
	f := newTLSFeed(Config{TLSKeys: wrong})
	f.play(log, 1400)
	f.d.Flush()
	if len(f.units) > 0 || !f.has("tls-tag") || len(f.findings) > 4 {
		t.Errorf("%v", f.findings)
	}
	for _, x := range f.findings {
		if x.ID == "tls-tag" && (len(x.Frames) == 0 || !strings.Contains(x.Message, "record ")) {
			t.Errorf("%+v", x)
		}
	}
}

// TestTLSServers: the table of what is told of is bounded.
func TestTLSServers(t *testing.T) {
	log, _ := testkit.Converse(&tls.Config{InsecureSkipVerify: true, ServerName: "name0"}, &tls.Config{Certificates: testkit.TLSCertificates(t)}, [][2]string{{"x", "y"}})
	for _, n := range []int{10, 11} {
		f := newTLSFeed(Config{TLSServers: 10})
		for i := range n {
			if i > 0 {
				f.connect(41000 + i)
			}
			for _, w := range log {
				b := w.Octets
				if w.Side == 0 {
					b = []byte(strings.Replace(string(b), "name0", "name"+string(rune('a'+i)), 1))
				}
				f.send(w.Side, b, 1400)
			}
		}
		f.d.Flush()
		if (f.d.stats.Limits[LimitTLSServers] == 1) != (n > 10) || f.d.stats.TLSNoKey != uint64(n) {
			t.Errorf("%d: %v, %+v", n, f.findings, f.d.stats)
		}
	}
}

func TestDTLS(t *testing.T) {
	f := newFeed(Config{})
	hello := append([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 48, 254, 253}, make([]byte, 50)...)
	for range 3 {
		f.frame(build(lan(0, false), ipHeader{proto: protoUDP}, udpHeader{30000, 5061}, hello))
		f.frame(build(lan(0, false), ipHeader{proto: protoUDP}, udpHeader{30000, 30002}, hello))
	}
	f.frame(rtpFrame(0, false))
	if len(f.findings) != 1 || f.findings[0].ID != "dtls" || f.d.stats.DTLSHellos != 6 {
		t.Errorf("%v", f.findings)
	}
}

// FuzzTLS gives both directions of a connection to the decoder, in segments.
func FuzzTLS(f *testing.F) {
	k := &testkit.KeyLog{}
	for _, name := range []string{"gcm12.txt", "cbc11.txt", "gcm13.txt"} {
		log, keys := testkit.ReadTLS(f, "../../internal/tlsopen/testdata/"+name)
		k.Write(keys.Bytes())
		var b []byte
		for _, w := range log {
			b = append(append(b, byte(w.Side), byte(len(w.Octets)>>8), byte(len(w.Octets))), w.Octets...)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		x := newTLSFeed(Config{TLSKeys: k, Memory: 1 << 20})
		for len(in) >= 3 {
			op, n := in[0], int(in[1])<<8|int(in[2])
			in = in[3:]
			side := int(op & 1)
			switch {
			case op&2 != 0:
				x.off[side] += n // lost
				x.time += int64(1e9)
			case op&4 != 0:
				x.fin(side)
			case op&8 != 0:
				x.side[side].rst(x.off[side])
			case op&16 != 0:
				x.connect(40000 + n)
			default:
				b := in[:min(n, len(in), 60000)]
				in = in[len(b):]
				x.send(side, b, 1400)
			}
			if h := x.d.streams.bytes(); h < 0 || h > 1<<20 {
				t.Fatalf("%d octets held", h)
			}
		}
		x.d.Flush()
		if h := x.d.streams.bytes(); h != 0 {
			t.Fatalf("%d octets held at the end", h)
		}
		for _, u := range x.units {
			for _, s := range u.Segments {
				if int(s.Off) > len(u.Data) {
					t.Fatalf("%+v", u)
				}
			}
		}
	})
}

// tlsFrames are the frames of a connection, for benchmarks.
func tlsFrames(b *testing.B, v uint16, lines [][2]string) (frames [][]byte, k *testkit.KeyLog, octets int64) {
	k = &testkit.KeyLog{}
	log, errs := testkit.Converse(&tls.Config{MaxVersion: v, InsecureSkipVerify: true, KeyLogWriter: k, ServerName: "sip.example.org"}, &tls.Config{Certificates: testkit.TLSCertificates(b)}, lines)
	if errs[0] != nil {
		b.Fatal(errs)
	}
	var off [2]int
	for _, w := range log {
		for x := w.Octets; len(x) > 0; {
			n := min(len(x), 1400)
			c := conn{isn: 1000, ports: [2]int{40000, 5061}, layers: []any{etherHeader{etIPv4}}}
			if w.Side == 1 {
				c.ports, c.back = [2]int{5061, 40000}, true
			}
			frames = append(frames, c.segment(tcpACK, off[w.Side], string(x[:n])))
			octets += int64(len(frames[len(frames)-1]))
			off[w.Side] += n
			x = x[n:]
		}
	}
	return frames, k, octets
}

// BenchmarkTLS is SIP in TLS 1.3: 2000 requests of 1 kB and their answers, decrypted and framed.
func BenchmarkTLS(b *testing.B) {
	var lines [][2]string
	for range 2000 {
		lines = append(lines, [2]string{request("MESSAGE", 700), strings.Replace(long(20), "MESSAGE sip:b@example.org SIP/2.0", "SIP/2.0 200 OK", 1)})
	}
	frames, k, octets := tlsFrames(b, tls.VersionTLS13, lines)
	b.SetBytes(octets)
	b.ReportAllocs()
	for b.Loop() {
		d := New(Config{TLSKeys: k}, nobody{})
		for i, f := range frames {
			d.Frame(&Frame{Number: uint64(i + 1), Time: int64(i) * 1000, Data: f, Orig: uint32(len(f)), Link: linkEthernet})
		}
		d.Flush()
		if d.stats.Messages != 4000 {
			b.Fatalf("%+v", d.stats)
		}
	}
}

// BenchmarkTLSWithoutKey is a handshake that is told of, and 1 MB of data that nobody can read.
func BenchmarkTLSWithoutKey(b *testing.B) {
	frames, _, octets := tlsFrames(b, tls.VersionTLS13, [][2]string{{"GET", strings.Repeat("x", 1<<20)}})
	b.SetBytes(octets)
	b.ReportAllocs()
	for b.Loop() {
		d := New(Config{}, nobody{})
		for i, f := range frames {
			d.Frame(&Frame{Number: uint64(i + 1), Time: int64(i) * 1000, Data: f, Orig: uint32(len(f)), Link: linkEthernet})
		}
		if d.stats.TLSNoKey != 1 {
			b.Fatalf("%+v", d.stats)
		}
	}
}
