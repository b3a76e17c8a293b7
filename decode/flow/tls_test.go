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
