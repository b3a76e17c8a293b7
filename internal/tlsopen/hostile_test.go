package tlsopen

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// session is a recorded connection with the data of its records.
type session struct {
	name   string
	log    []testkit.TLSWrite
	keys   *testkit.KeyLog
	chunks [2]map[string]bool // data of each record
	text   [2]string
	tagged bool // an AEAD cipher
}

func sessions(t testing.TB) (list []session) {
	certs := testkit.TLSCertificates(t)
	talk := [][2]string{{"REGISTER one", "200 OK"}, {strings.Repeat("long ", 5000), strings.Repeat("answer ", 3000)}, {"bye", "200 done"}}
	for i := range 6 {
		talk = append(talk, [2]string{fmt.Sprintf("request %d", i), fmt.Sprintf("answer %d", i)})
	}
	for _, x := range []struct {
		version, suite uint16
	}{
		{tls.VersionTLS13, 0}, {tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, {tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256}, {tls.VersionTLS11, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA}, {tls.VersionTLS10, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA},
	} {
		k := &testkit.KeyLog{}
		log, errs := testkit.Converse(&tls.Config{CipherSuites: []uint16{x.suite}, MinVersion: x.version, MaxVersion: x.version, InsecureSkipVerify: true, KeyLogWriter: k, ServerName: "sip.example.org"},
			&tls.Config{Certificates: certs[1:], MinVersion: x.version, CipherSuites: []uint16{x.suite}}, talk)
		if errs[0] != nil {
			t.Fatal(errs)
		}
		s := session{name: VersionName(x.version) + " " + SuiteName(x.suite), log: log, keys: k, tagged: x.version == tls.VersionTLS13 || !strings.Contains(SuiteName(x.suite), "CBC")}
		s.chunks[0], s.chunks[1] = map[string]bool{}, map[string]bool{}
		got := &chunked{s: &s, learn: true}
		feedLog(New(k, got, nil, Limits{}), log)
		s.text = said(talk)
		list = append(list, s)
	}
	return list
}

// chunked is a Sink that holds data to those of a session.
type chunked struct {
	seen
	s     *session
	learn bool
	wrong int
}

func (c *chunked) Data(side int, b []byte, off, end int64) {
	c.seen.Data(side, b, off, end)
	if c.learn {
		c.s.chunks[side][string(b)] = true
	} else if !c.s.chunks[side][string(b)] {
		c.wrong++
	}
}

func feedLog(c *Conn, log []testkit.TLSWrite) {
	var off [2]int64
	for _, w := range log {
		c.Write(w.Side, w.Octets, off[w.Side])
		off[w.Side] += int64(len(w.Octets))
	}
	c.Close(0)
	c.Close(1)
}

// TestCuts: whatever is missing at the end, what is there is opened.
func TestCuts(t *testing.T) {
	for _, s := range sessions(t) {
		total := 0
		for _, w := range s.log {
			total += len(w.Octets)
		}
		step := 1
		if testing.Short() {
			step = 97
		}
		for n := 0; n < total; n += step {
			if n > 6000 && n < total-2000 {
				n += 500
			}
			got := &chunked{s: &s}
			c := New(s.keys, got, nil, Limits{})
			var off [2]int64
			left := n
			for _, w := range s.log {
				k := min(left, len(w.Octets))
				c.Write(w.Side, w.Octets[:k], off[w.Side])
				off[w.Side] += int64(k)
				if left -= k; left == 0 {
					break
				}
			}
			c.Close(0)
			c.Close(1)
			got.problems = slices.DeleteFunc(got.problems, func(p Problem) bool { return p.Kind == ProblemCut })
			if got.wrong > 0 || len(got.problems) > 0 || !strings.HasPrefix(s.text[0], got.data[0].String()) || !strings.HasPrefix(s.text[1], got.data[1].String()) {
				t.Fatalf("%s cut at %d: %d wrong, %+v", s.name, n, got.wrong, got.problems)
			}
		}
	}
}

// TestFlips: a changed octet is never shown as plain text, and a changed record is told of.
func TestFlips(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	tries := 400
	if testing.Short() {
		tries = 40
	}
	for _, s := range sessions(t) {
		told := 0
		for range tries {
			i := r.IntN(len(s.log))
			log := append([]testkit.TLSWrite(nil), s.log...)
			b := bytes.Clone(log[i].Octets)
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			log[i].Octets = b
			got := &chunked{s: &s}
			c := New(s.keys, got, NewSessions(2), Limits{})
			feedLog(c, log)
			if got.wrong > 0 {
				t.Fatalf("%s: plain text that nobody sent", s.name)
			}
			if len(got.problems) > 0 {
				told++
			} else if got.end == 0 && (got.data[0].String() != s.text[0] || got.data[1].String() != s.text[1]) && c.info.Version != 0 {
				t.Fatalf("%s: octets are missing and nothing is said: write %d, %+v", s.name, i, c.info)
			}
		}
		if told < tries/2 {
			t.Errorf("%s: %d of %d told", s.name, told, tries)
		}
	}
}

// TestGaps: what is missing costs the records that it touches, and the number of the next one is found.
func TestGaps(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	tries := 300
	if testing.Short() {
		tries = 30
	}
	for _, s := range sessions(t) {
		after, all := 0, 0
		for range tries {
			// Something of the data of one direction, behind the handshake.
			i := r.IntN(len(s.log)-10) + 8
			w := s.log[i]
			from := r.IntN(len(w.Octets))
			n := min(1+r.IntN(2000), len(w.Octets)-from)
			got := &chunked{s: &s}
			c := New(s.keys, got, nil, Limits{})
			var off [2]int64
			for k, x := range s.log {
				if k != i {
					c.Write(x.Side, x.Octets, off[x.Side])
				} else {
					c.Write(x.Side, x.Octets[:from], off[x.Side])
					size := int64(n)
					if r.IntN(4) == 0 {
						size = 0 // nobody knows how many
					}
					c.Gap(x.Side, size)
					c.Write(x.Side, x.Octets[from+n:], off[x.Side]+int64(from+n))
				}
				off[x.Side] += int64(len(x.Octets))
			}
			c.Close(0)
			c.Close(1)
			if got.wrong > 0 || got.data[1-w.Side].String() != s.text[1-w.Side] {
				t.Fatalf("%s: %d wrong, %+v", s.name, got.wrong, got.problems)
			}
			for _, p := range got.problems {
				if p.Kind == ProblemGiveUp {
					t.Fatalf("%s: given up after %d octets at %d of write %d", s.name, n, from, i)
				}
			}
			if i < len(s.log)-6 {
				all++
				last := []string{"request 5", "answer 5"}[w.Side]
				if strings.HasSuffix(got.data[w.Side].String(), last) {
					after++
				}
			}
		}
		if after < all {
			t.Errorf("%s: found again %d of %d times", s.name, after, all)
		}
	}
}

// TestSearch: octets that look like a long record do not hide the next one, however the octets come, and each place is
// looked at once.
func TestSearch(t *testing.T) {
	rec := func(n int) string { return "\x17\x03\x03\x00" + string(rune(n)) + strings.Repeat("r", n) }
	for _, tt := range []struct {
		name, in string
		at       int // -1: nowhere
	}{
		{"nothing before", rec(30) + rec(20), 0},
		{"followed by nothing", "junk" + rec(30), 4},
		{"false record before", "\x17\x03\x03\x3f\xffjunk" + rec(30) + rec(20), 9},
		{"false records before", strings.Repeat("\x17\x03\x03\x3f\xff", maxSearch) + rec(30) + rec(20), 5 * maxSearch},
		{"more false records than are held", strings.Repeat("\x17\x03\x03\x3f\xff", maxSearch+1) + rec(30) + rec(20), -1},
		{"false record that ends in between", "\x17\x03\x03\x00\x10junk" + rec(30) + rec(20), 9}, // at 21
		{"no record", strings.Repeat("\x17", 50), -1},
	} {
		for size := 1; size <= len(tt.in); size++ {
			var s search
			kept, off, got := "", 0, -1
			for rest := tt.in; rest != "" && got < 0; {
				n := min(size, len(rest))
				kept += rest[:n]
				rest = rest[n:]
				use, found := s.find([]byte(kept))
				if found {
					got = off + use
				}
				off, kept = off+use, kept[use:]
				if s.next > len(kept) || len(s.open) > maxSearch {
					t.Fatalf("%s: next %d of %d, %d open", tt.name, s.next, len(kept), len(s.open))
				}
			}
			if got != tt.at && (got != 0 || 21%size != 0) { // what ends with a piece counts as followed by nothing
				t.Errorf("%s, in pieces of %d: found at %d, want %d", tt.name, size, got, tt.at)
			}
		}
	}
}

// TestOrder: one direction may be captured before the other.
func TestOrder(t *testing.T) {
	for _, s := range sessions(t) {
		for first := range 2 {
			got := &chunked{s: &s}
			c := New(s.keys, got, nil, Limits{})
			for _, side := range []int{first, 1 - first} {
				var off int64
				for _, w := range s.log {
					if w.Side == side {
						c.Write(side, w.Octets, off)
						off += int64(len(w.Octets))
					}
				}
			}
			c.Close(0)
			c.Close(1)
			if got.data[0].String() != s.text[0] || got.data[1].String() != s.text[1] {
				t.Errorf("%s, side %d first: %d and %d octets, %+v, end %d", s.name, first, got.data[0].Len(), got.data[1].Len(), got.problems, got.end)
			}
		}
	}
}

// TestLateKeys: a key log that grows is waited for, up to a limit.
func TestLateKeys(t *testing.T) {
	for _, s := range sessions(t) {
		for _, at := range []int{len(s.log) / 2, len(s.log) + 1} {
			k := &testkit.KeyLog{More: true}
			got := &chunked{s: &s}
			c := New(k, got, nil, Limits{})
			var off [2]int64
			for i, w := range s.log {
				if i == at {
					k.Write(s.keys.Bytes())
				}
				c.Write(w.Side, w.Octets, off[w.Side])
				off[w.Side] += int64(len(w.Octets))
			}
			c.Close(0)
			c.Close(1)
			late := at > len(s.log)
			if late != (got.end == EndNoKey) || !late && (got.data[0].String() != s.text[0] || got.data[1].String() != s.text[1]) {
				t.Errorf("%s: key at %d: %d octets, end %d", s.name, at, got.data[0].Len(), got.end)
			}
		}
		// Too much waits.
		got := &chunked{s: &s}
		c := New(&testkit.KeyLog{More: true}, got, nil, Limits{Queue: 10000})
		feedLog(c, s.log)
		if got.end != EndNoKey || !c.Over() || c.Held(0)+c.Held(1) > 1000 {
			t.Errorf("%s: end %d, %d octets held", s.name, got.end, c.Held(0)+c.Held(1))
		}
	}
}

// TestPartialKeys: key logs that lack lines.
func TestPartialKeys(t *testing.T) {
	s := sessions(t)[0]
	for _, x := range []struct {
		without string
		want    [2]bool
	}{
		{"HANDSHAKE", [2]bool{true, true}},
		{"CLIENT_HANDSHAKE", [2]bool{true, true}},
		{"SERVER_TRAFFIC_SECRET_0", [2]bool{true, false}},
		{"CLIENT_", [2]bool{false, true}},
		{"TRAFFIC_SECRET_0", [2]bool{false, false}},
	} {
		k := &testkit.KeyLog{}
		for l := range strings.Lines(s.keys.String()) {
			if !strings.Contains(l, x.without) {
				k.WriteString(l)
			}
		}
		got := &chunked{s: &s}
		feedLog(New(k, got, nil, Limits{}), s.log)
		for side, want := range x.want {
			if (got.data[side].String() == s.text[side]) != want {
				t.Errorf("without %s: side %d: %d octets, %+v", x.without, side, got.data[side].Len(), got.problems)
			}
		}
		if x.want != [2]bool{true, true} && len(got.problems) == 0 && got.end == 0 {
			t.Errorf("without %s: nothing is said", x.without)
		}
	}
}

// TestHandshakeLimit: a handshake message over the limit is told of and not kept.
func TestHandshakeLimit(t *testing.T) {
	var over []byte
	for range 40 {
		over = append(over, record22(make([]byte, 16000))...)
	}
	hello := record22(append([]byte{1, 0, 0, 38, 3, 3}, make([]byte, 36)...))
	server := record22(append([]byte{2, 0, 0, 38, 3, 3}, append(make([]byte, 33), 0xc0, 0x2f, 0)...))
	for _, size := range []int{128 << 10, 128<<10 + 1} {
		got := &seen{}
		c := New(&testkit.KeyLog{}, got, nil, Limits{})
		c.Write(0, hello, 0)
		c.Write(1, server, 0)
		n := size - 4
		c.Write(1, record22([]byte{11, byte(n >> 16), byte(n >> 8), byte(n)}), 100)
		c.Write(1, over[:n+n/16000*5], 200)
		if limited := len(got.problems) == 1 && got.problems[0].Kind == ProblemHandshake; limited != (size > 128<<10) {
			t.Errorf("%d octets: %+v", size, got.problems)
		}
		if h := c.Held(1); size > 128<<10 && h > 40000 {
			t.Errorf("%d octets held", h)
		}
	}
}

func record22(b []byte) []byte {
	return append([]byte{22, 3, 3, byte(len(b) >> 8), byte(len(b))}, b...)
}

// TestCCM holds CCM to RFC 3610 8, packet vector 1 with its nonce cut... see TestOpenSSL for whole records.
func TestCCM(t *testing.T) {
	key, _ := hex.DecodeString("404142434445464748494a4b4c4d4e4f")
	b, err := suite{}.block(key)
	if err != nil {
		t.Fatal(err)
	}
	// SP 800-38C example 3: a nonce of 12 octets, a tag of 8, additional data of 20.
	nonce, _ := hex.DecodeString("101112131415161718191a1b")
	ad, _ := hex.DecodeString("000102030405060708090a0b0c0d0e0f10111213")
	plain, _ := hex.DecodeString("202122232425262728292a2b2c2d2e2f3031323334353637")
	sealed, _ := hex.DecodeString("e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951")
	c := &ccm{b, 8}
	if got, err := c.Open(nil, nonce, sealed, ad); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%x %v", got, err)
	}
	for i := range sealed {
		sealed[i] ^= 1
		if _, err := c.Open(nil, nonce, sealed, ad); err == nil {
			t.Error("a changed octet is not noticed")
		}
		sealed[i] ^= 1
	}
}

var update = flag.Bool("update", false, "record testdata anew")

// recorded are connections that stay the same, for the fuzz tests.
var recorded = []string{"gcm12.txt", "cbc11.txt", "gcm13.txt"}

func TestRecorded(t *testing.T) {
	if *update {
		certs := testkit.TLSCertificates(t)
		lines := [][2]string{{"REGISTER sip:example.org SIP/2.0\r\nContent-Length: 0\r\n\r\n", "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"}, {"more", "answer"}}
		for i, x := range [][2]uint16{{tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, {tls.VersionTLS11, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}, {tls.VersionTLS13, 0}} {
			k := &testkit.KeyLog{}
			log, errs := testkit.Converse(&tls.Config{CipherSuites: x[1:], MinVersion: x[0], MaxVersion: x[0], InsecureSkipVerify: true, KeyLogWriter: k, ServerName: "sip.example.org", CurvePreferences: []tls.CurveID{tls.X25519}},
				&tls.Config{Certificates: certs[:1], MinVersion: x[0], CipherSuites: x[1:]}, lines)
			if errs[0] != nil {
				t.Fatal(errs)
			}
			if err := os.WriteFile("testdata/"+recorded[i], testkit.AppendTLS(nil, log, k), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range recorded {
		log, k := testkit.ReadTLS(t, "testdata/"+name)
		_, got := replay(log, k, nil, 0)
		if !strings.HasPrefix(got.data[0].String(), "REGISTER") || !strings.HasSuffix(got.data[1].String(), "answer") || len(got.problems) > 0 {
			t.Errorf("%s: %+v", name, got.problems)
		}
	}
}

// FuzzConn gives octets in pieces to a connection whose keys are known: no panic, bounded memory, places inside the input.
func FuzzConn(f *testing.F) {
	keys := &testkit.KeyLog{}
	for _, name := range recorded {
		log, k := testkit.ReadTLS(f, "testdata/"+name)
		keys.Write(k.Bytes())
		var b []byte
		for _, w := range log {
			b = append(append(b, byte(w.Side), byte(len(w.Octets)>>8), byte(len(w.Octets))), w.Octets...)
		}
		f.Add(b)
	}
	f.Add([]byte{2, 0, 0, 3, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		got := &bounded{t: t}
		c := New(keys, got, NewSessions(4), Limits{Handshake: 4096, Queue: 8192})
		for len(in) >= 3 {
			op, n := in[0], int(in[1])<<8|int(in[2])
			in = in[3:]
			side := int(op & 1)
			b := in[:min(n, len(in))]
			switch {
			case op&2 != 0:
				c.Gap(side, int64(n))
				got.off[side] += int64(n)
				continue
			case op&4 != 0:
				c.Close(side)
				continue
			}
			in = in[len(b):]
			got.end[side] = got.off[side] + int64(len(b))
			c.Write(side, b, got.off[side])
			got.off[side] = got.end[side]
			if h := c.Held(0) + c.Held(1); h > 300<<10 {
				t.Fatalf("%d octets held", h)
			}
			if c.Needed(side) > got.off[side]+int64(maxFragment) {
				t.Fatalf("%d is needed of %d", c.Needed(side), got.off[side])
			}
		}
		c.Finish()
		if !c.Over() {
			t.Fatal("not over")
		}
	})
}

type bounded struct {
	seen
	t        *testing.T
	off, end [2]int64
}

func (b *bounded) Data(side int, p []byte, off, end int64) {
	if off < 0 || end > b.end[side] || off >= end {
		b.t.Fatalf("[%d, %d) of %d", off, end, b.end[side])
	}
}

func (b *bounded) Problem(p Problem) {
	if p.Off < 0 || p.Off > p.End {
		b.t.Fatalf("%+v", p)
	}
}

// BenchmarkOpen is decrypted octets a second, 16 KiB a record.
func BenchmarkOpen(b *testing.B) {
	certs := testkit.TLSCertificates(b)
	for _, x := range []struct {
		name           string
		version, suite uint16
	}{
		{"1.3-aes128-gcm", tls.VersionTLS13, 0},
		{"1.2-aes128-gcm", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		{"1.2-chacha20", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
		{"1.2-aes128-cbc-sha", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA},
	} {
		b.Run(x.name, func(b *testing.B) {
			k := &testkit.KeyLog{}
			log, errs := testkit.Converse(&tls.Config{CipherSuites: []uint16{x.suite}, MinVersion: x.version, MaxVersion: x.version, InsecureSkipVerify: true, KeyLogWriter: k, DynamicRecordSizingDisabled: true},
				&tls.Config{Certificates: certs[1:], MinVersion: x.version, CipherSuites: []uint16{x.suite}, DynamicRecordSizingDisabled: true}, [][2]string{{strings.Repeat("x", 4<<20), "y"}})
			if errs[0] != nil {
				b.Fatal(errs)
			}
			b.SetBytes(4 << 20)
			b.ReportAllocs()
			for b.Loop() {
				var n counter
				feedLog(New(k, &n, nil, Limits{}), log)
				if n.n != 4<<20+1 {
					b.Fatal(n.n)
				}
			}
		})
	}
}

type counter struct {
	seen
	n int
}

func (c *counter) Data(_ int, b []byte, _, _ int64) { c.n += len(b) }
