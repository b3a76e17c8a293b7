package flow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// An h2Side writes the frames of one direction.
type h2Side struct {
	out bytes.Buffer
	buf bytes.Buffer
	enc *hpack.Encoder
}

func newH2Side() *h2Side {
	s := &h2Side{}
	s.enc = hpack.NewEncoder(&s.buf)
	return s
}

func (s *h2Side) frame(typ, flags byte, id uint32, parts ...[]byte) {
	b := bytes.Join(parts, nil)
	s.out.Write([]byte{byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b)), typ, flags, byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
	s.out.Write(b)
}

func flag(on bool, f byte) byte {
	if on {
		return f
	}
	return 0
}

func (s *h2Side) settings(kv ...int) {
	var b []byte
	for i := 0; i < len(kv); i += 2 {
		b = append(append(b, be16(kv[i])...), be32(uint32(kv[i+1]))...)
	}
	s.frame(h2Settings, 0, 0, b)
}
func (s *h2Side) reset(id, code uint32) { s.frame(h2Reset, 0, id, be32(code)) }
func (s *h2Side) goAway(last, code uint32, t string) {
	s.frame(h2GoAway, 0, 0, be32(last), be32(code), []byte(t))
}
func (s *h2Side) more(id uint32, end bool, b []byte) {
	s.frame(h2Continuation, flag(end, h2EndHeaders), id, b)
}
func (s *h2Side) fields(id uint32, flags byte, b []byte) {
	s.frame(h2Headers, flags, id, b)
}
func (s *h2Side) padded(id uint32, end bool, b string, pad int) {
	s.frame(h2Data, flag(end, h2EndStream)|h2Padded, id, []byte{byte(pad)}, []byte(b), make([]byte, pad))
}

func (s *h2Side) block(fields ...string) []byte {
	s.buf.Reset()
	for i := 0; i < len(fields); i += 2 {
		s.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(s.buf.Bytes())
}

// take is what was written since.
func (s *h2Side) take() string { t := s.out.String(); s.out.Reset(); return t }

func (s *h2Side) headers(id uint32, end bool, fields ...string) *h2Side {
	s.fields(id, flag(end, h2EndStream)|h2EndHeaders, s.block(fields...))
	return s
}

func (s *h2Side) data(id uint32, end bool, b string) *h2Side {
	s.frame(h2Data, flag(end, h2EndStream), id, []byte(b))
	return s
}

func (s *h2Side) get(id uint32, path string) *h2Side {
	return s.headers(id, true, ":method", "GET", ":scheme", "http", ":path", path, ":authority", "kms.example.org", "x-a", "1")
}

func (s *h2Side) ok(id uint32, body string) *h2Side {
	s.headers(id, body == "", ":status", "200", "content-type", "application/xml", "content-length", fmt.Sprint(len(body)))
	if body != "" {
		s.data(id, true, body)
	}
	return s
}

type h2Case struct {
	name string
	do   func(c, s *h2Side, line func())
	want []string
}

var h2Cases = []h2Case{
	{"one exchange", func(c, s *h2Side, turn func()) {
		c.get(1, "/a")
		turn()
		s.ok(1, "hello")
	}, []string{"GET /a #1/1", `200 GET /a #1/1 "hello"`}},
	{"interleaved", func(c, s *h2Side, turn func()) {
		c.get(1, "/a").get(3, "/b").get(5, "/c")
		turn()
		s.headers(3, false, ":status", "200").headers(1, false, ":status", "404").data(3, false, "3a").data(1, false, "1a")
		s.headers(5, true, ":status", "204").data(1, true, "1b").data(3, true, "3b")
	}, []string{"GET /a #1/1", "GET /b #2/3", "GET /c #3/5", "204 GET /c #3/5", `404 GET /a #1/1 "1a1b"`, `200 GET /b #2/3 "3a3b"`}},
	{"post with trailers", func(c, s *h2Side, turn func()) {
		c.headers(1, false, ":method", "POST", ":scheme", "http", ":path", "/p", ":authority", "kms").data(1, false, "ab").data(1, false, "")
		c.data(1, false, "c").headers(1, true, "x-sum", "1")
		turn()
		s.headers(1, false, ":status", "100").headers(1, false, ":status", "200").data(1, false, "ok").headers(1, true, "grpc-status", "0")
	}, []string{`POST /p #1/1 "abc" +x-sum`, "100 POST /p #1/1", `200 POST /p #1/1 "ok" +grpc-status`}},
	{"padding, priority and continuation", func(c, s *h2Side, turn func()) {
		b := c.block(":method", "GET", ":scheme", "http", ":path", "/a", ":authority", "kms", "x-b", strings.Repeat("b", 100))
		c.frame(h2Headers, h2EndStream|h2Padded|h2Prioritise, 1, []byte{7, 0, 0, 0, 0, 9}, b[:10], make([]byte, 7))
		c.more(1, false, b[10:30])
		c.more(1, false, nil)
		c.more(1, true, b[30:])
		turn()
		s.headers(1, false, ":status", "200").padded(1, false, "pad", 200)
		s.padded(1, true, "ded", 0)
	}, []string{"GET /a #1/1", `200 GET /a #1/1 "padded"`}},
	{"frames that say nothing", func(c, s *h2Side, turn func()) {
		c.frame(h2Ping, 0, 0, make([]byte, 8))
		c.frame(h2Window, 0, 0, be32(1000))
		c.frame(0xbe, 3, 77, []byte("unknown"))
		c.get(1, "/a").frame(h2Priority, 0, 1, be32(3), []byte{1})
		turn()
		s.frame(h2Settings, h2Ack, 0)
		s.ok(1, "1").goAway(1, 0, "")
	}, []string{"GET /a #1/1", `200 GET /a #1/1 "1"`}},
	{"reset", func(c, s *h2Side, turn func()) {
		c.get(1, "/a").get(3, "/b")
		turn()
		s.headers(1, false, ":status", "200").data(1, false, "half").reset(1, 2)
		s.reset(3, 7)
	}, []string{"GET /a #1/1", "GET /b #2/3", `200 GET /a #1/1 "half" cut !h2-reset`, "finding h2-reset"}},
	{"goaway", func(c, s *h2Side, turn func()) {
		c.get(1, "/a")
		turn()
		s.ok(1, "1").goAway(1, 11, "too many")
	}, []string{"GET /a #1/1", `200 GET /a #1/1 "1"`, "finding h2-goaway"}},
	{"push", func(c, s *h2Side, turn func()) {
		c.get(1, "/a")
		turn()
		s.frame(h2Push, h2EndHeaders, 1, be32(2), s.block(":method", "GET", ":scheme", "http", ":path", "/pushed", ":authority", "kms", "x-p", "1"))
		s.ok(2, "pushed").headers(1, true, ":status", "200", "x-p", "1")
	}, []string{"GET /a #1/1", "200 GET /a #1/1"}},
	{"table size", func(c, s *h2Side, turn func()) {
		s.settings(1, 65536)
		turn()
		c.enc.SetMaxDynamicTableSizeLimit(65536)
		c.enc.SetMaxDynamicTableSize(60000)
		c.get(1, "/a"+strings.Repeat("a", 5000))
		c.get(3, "/a"+strings.Repeat("a", 5000))
	}, []string{"GET /a" + strings.Repeat("a", 5000) + " #1/1", "GET /a" + strings.Repeat("a", 5000) + " #2/3"}},
	{"bad compression", func(c, s *h2Side, turn func()) {
		c.fields(1, h2EndStream|h2EndHeaders, []byte{0x82, 0x86, 0x84, 0xff, 0x70})
		c.get(3, "/b")
	}, []string{"GET / #1/1 !h2-compression", "GET /b #2/3 !tcp-midstream"}},
	{"pseudo-header fields", func(c, s *h2Side, turn func()) {
		c.headers(1, true, ":method", "GET", "x", "1", ":path", "/a", ":scheme", "http", ":path", "/b", "Connection", "x", "te", "a\nb")
		turn()
		s.headers(1, true, ":status", "20")
	}, []string{"GET /b #1/1 !h2-pseudo !h2-pseudo !http-field-name !http-field-value", "-1 GET /b #1/1 !h2-pseudo"}},
}

func playH2(x *h2Case, size int, cfg Config) *feed {
	c, s := newH2Side(), newH2Side()
	k, _ := newTalk(cfg)
	k.mss = size
	k.open()
	first := true
	turn := func() {
		if first {
			first = false
			c2, s2 := newH2Side(), newH2Side()
			c2.settings(5, 1<<20)
			s2.settings()
			k.client(string(h2Preface) + c2.take()).server(s2.take())
		}
		k.client(c.take())
		k.server(s.take())
	}
	x.do(c, s, turn)
	turn()
	k.close()
	return k.end()
}

// kmsMCX makes every case matter: its authority or path says so.
func TestH2(t *testing.T) {
	for i := range h2Cases {
		x := &h2Cases[i]
		for _, size := range []int{1 << 20, 50, 7, 1} {
			f := playH2(x, size, Config{AllHTTP: true})
			got := briefs(f)
			for i := range got {
				got[i] = strings.Replace(got[i], " !tcp-midstream", "", 1)
			}
			var want []string
			for _, w := range x.want {
				want = append(want, strings.Replace(w, " !tcp-midstream", "", 1))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s in segments of %d:\ngot  %.1000q\nwant %.1000q", x.name, size, got, want)
			}
			checkHTTP(t, f)
			if f.d.streams.bytes() != 0 {
				t.Errorf("%s: %d octets held", x.name, f.d.streams.bytes())
			}
		}
	}
	if f := playH2(&h2Cases[7], 1<<20, Config{}); f.d.stats.H2Pushes != 1 {
		t.Errorf("%d pushes", f.d.stats.H2Pushes)
	}
}

// TestH2EveryCut: nothing that is missing at the end does harm.
func TestH2EveryCut(t *testing.T) {
	for i := range h2Cases {
		x := &h2Cases[i]
		for side := range 2 {
			for n := 1; n < 400; n++ {
				c, s := newH2Side(), newH2Side()
				x.do(c, s, func() {})
				text := []string{string(h2Preface) + c.take(), "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + s.take()}
				if n >= len(text[side]) {
					break
				}
				k, f := newTalk(Config{AllHTTP: true})
				k.open().send(1-side, text[1-side]).send(side, text[side][:n]).end()
				checkHTTP(t, f)
			}
		}
	}
}

// TestH2Midstream: the capture begins inside the connection; fields that refer to what came before are not known.
func TestH2Midstream(t *testing.T) {
	c, s := newH2Side(), newH2Side()
	c.get(1, kmsInit)
	s.ok(1, "1")
	c.take()
	s.take()
	c.get(3, kmsInit)
	s.ok(3, "2")
	k, f := newTalk(Config{AllHTTP: true})
	k.client(c.take()).server(s.take())
	c.get(5, kmsInit+"?new").headers(7, true, ":method", "GET", ":scheme", "http", ":path", "/x", ":authority", "new.example.org", "x-b", "2")
	k.client(c.take()).close().end()
	got := briefs(f)
	want := []string{"GET #1/3 !h2-midstream !tcp-midstream", `200 GET #1/3 "2" !h2-midstream !tcp-midstream`, "GET " + kmsInit + "?new #2/5 !h2-midstream", "GET /x #3/7"}
	if !slices.Equal(got, want) {
		t.Errorf("\ngot  %q\nwant %q", got, want)
	}
	checkHTTP(t, f)
}

// TestH2Gap: octets are missing inside content and between frames.
func TestH2Gap(t *testing.T) {
	c, s := newH2Side(), newH2Side()
	c.settings()
	s.settings()
	k, f := newTalk(Config{})
	k.open().client(string(h2Preface) + c.get(1, kmsInit).get(3, kmsInit+"2").take())
	s.headers(1, false, ":status", "200").data(1, true, strings.Repeat("x", 500)).ok(3, "three")
	b := s.take()
	at := strings.Index(b, "xxxx")
	k.server(b[:at+100]).lose(1, 200).server(b[at+300:])
	c.get(5, kmsInit+"5")
	k.client(c.take())
	s.ok(5, "five")
	lost := len(s.take())
	s.ok(5, "five")
	k.lose(1, lost).server(s.take()).close().end()
	got := briefs(f)
	want := []string{"GET /keymanagement/identity/v1/init #1/1", "GET /keymanagement/identity/v1/init2 #2/3", "GET /keymanagement/identity/v1/init5 #3/5",
		"200 GET /keymanagement/identity/v1/init #1/1 [100 octets] cut", `200 GET /keymanagement/identity/v1/init2 #2/3 "three"`,
		`200 GET /keymanagement/identity/v1/init5 #3/5 "five" !h2-midstream !tcp-midstream`, "finding tcp-gap", "finding tcp-gap"}
	if !slices.Equal(got, want) {
		t.Errorf("\ngot  %q\nwant %q", got, want)
	}
	checkHTTP(t, f)
}

// TestH2Upgrade: HTTP/1.1 goes over to HTTP/2; the first request is answered on stream 1.
func TestH2Upgrade(t *testing.T) {
	for _, size := range []int{1 << 20, 11, 1} {
		c, s := newH2Side(), newH2Side()
		k, f := newTalk(Config{})
		k.mss = size
		k.open().client(get(kmsInit, "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"))
		s.settings()
		k.server("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + s.ok(1, "1").take())
		c.settings()
		k.client(string(h2Preface) + c.get(3, "/b").take()).server(s.ok(3, "3").take()).close().end()
		want := []string{"GET " + kmsInit + " #1", "101 GET " + kmsInit + " #1", "200 GET " + kmsInit + ` #1/1 "1"`, "GET /b #2/3", `200 GET /b #2/3 "3"`}
		if got := briefs(f); !slices.Equal(got, want) {
			t.Errorf("%d:\ngot  %q\nwant %q", size, got, want)
		}
	}
}

// TestH2Limits: floods cost a bounded amount.
func TestH2Limits(t *testing.T) {
	start := func() (*h2Side, *talk, *feed) {
		c := newH2Side()
		c.settings()
		k, f := newTalk(Config{})
		k.open().client(string(h2Preface) + c.take())
		return c, k, f
	}
	for over := range 2 { // streams that are never ended
		c, k, f := start()
		for i := range maxH2Streams + over {
			c.headers(uint32(2*i+1), false, ":method", "PUT", ":scheme", "http", ":path", kmsInit, ":authority", "kms")
		}
		k.client(c.take())
		if got := f.d.stats.Limits[LimitH2Streams] > 0; got != (over == 1) {
			t.Errorf("streams: %v at %d", got, over)
		}
		k.end()
		if len(f.units) != maxH2Streams+over {
			t.Errorf("%d units", len(f.units))
		}
	}
	// A flood of CONTINUATION, and a message after it.
	c, k, f := start()
	c.get(1, kmsInit)
	c.fields(3, 0, c.block(":method", "GET"))
	for range 3000 {
		c.more(3, false, bytes.Repeat([]byte{0x00, 0x01, 'x', 0x01, 'y'}, 100))
	}
	k.client(c.take())
	if n := f.d.streams.bytes(); n > 1<<20 {
		t.Errorf("%d octets held", n)
	}
	c.more(3, true, nil)
	k.client(c.get(5, "/after").take()).end()
	if got := briefs(f); len(got) != 4 || f.d.stats.Limits[LimitHTTPHead] == 0 || !strings.Contains(got[2], "h2-block") || !strings.HasPrefix(got[1], "GET /after") {
		t.Errorf("%q", got)
	}
	// A bomb: one long field, referred to again and again.
	c, k, f = start()
	b := c.block(":method", "GET", ":scheme", "http", ":path", kmsInit, ":authority", "kms", "x-bomb", strings.Repeat("b", 3000))
	c.fields(1, h2EndStream|h2EndHeaders, append(b, bytes.Repeat([]byte{0xbe}, 50000)...))
	k.client(c.take()).end()
	if got := briefs(f); len(got) != 2 || !strings.Contains(got[0], "http-fields") || len(f.units[0].Data) > maxHTTPHead+1000 {
		t.Errorf("%.500q", got)
	}
}
