package flow

import (
	"bytes"
	"compress/flate"
	"slices"
	"strings"
	"testing"
)

const (
	wsUpgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: chat, sip\r\nSec-WebSocket-Version: 13\r\n\r\n"
	wsSwitch  = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)

// wsFrame makes one frame; mask nil for a server's.
func wsFrame(first byte, mask []byte, b string) string {
	h := []byte{first, 0}
	switch n := len(b); {
	case n < 126:
		h[1] = byte(n)
	case n < 65536:
		h[1] = 126
		h = append(h, be16(n)...)
	default:
		h[1] = 127
		h = append(append(h, 0, 0, 0, 0), be32(uint32(n))...)
	}
	if mask == nil {
		return string(h) + b
	}
	h[1] |= wsMasked
	p := []byte(b)
	for i := range p {
		p[i] ^= mask[i%4]
	}
	return string(h) + string(mask) + string(p)
}

func TestWebSocket(t *testing.T) {
	a, b, big := request("INVITE", 700), request("BYE", 0), request("MESSAGE", 70000)
	noLength := strings.Replace(b, "Content-Length: 0\r\n", "", 1) // RFC 7118 does not need one
	mask := []byte{1, 0x80, 0xfe, 7}
	for _, c := range []struct {
		name   string
		stream string
		want   []string
	}{
		{"client", wsUpgrade + wsFrame(0x81, mask, a) + wsFrame(0x81, mask, noLength), []string{a, noLength}},
		{"server", wsSwitch + wsFrame(0x81, nil, a) + wsFrame(0x82, nil, b), []string{a, b}},
		{"large", wsSwitch + wsFrame(0x81, mask, big) + wsFrame(0x81, mask, b), []string{big, b}},
		{"fragmented", wsUpgrade + wsFrame(0x01, mask, a[:100]) + wsFrame(0x89, mask, "ping") + wsFrame(0x00, mask, a[100:300]) + wsFrame(0x80, mask, a[300:]) + wsFrame(0x82, mask, b), []string{a, b}},
		{"keep-alive and others", wsUpgrade + wsFrame(0x81, mask, "\r\n\r\n") + wsFrame(0x81, mask, "{}") + wsFrame(0x8a, mask, "") + wsFrame(0x81, mask, "") + wsFrame(0x81, mask, b), []string{b}},
		{"mid-stream server", wsFrame(0x81, nil, a) + wsFrame(0x81, nil, b), []string{a, b}},
		{"mid-stream client", wsFrame(0x82, mask, a) + wsFrame(0x81, mask, b), []string{a, b}},
		{"two in one message", wsUpgrade + wsFrame(0x81, mask, a+b), []string{a + b}},
		{"not sip", strings.Replace(wsUpgrade, "chat, sip", "chat", 1) + wsFrame(0x81, mask, "{}"), nil},
	} {
		for _, size := range []int{1 << 20, 1400, 100, 7, 1} {
			if size == 1 && len(c.stream) > 60000 {
				continue
			}
			co, f := newConn(Config{})
			co.ports = [2]int{443, 8080}
			for off := 0; off < len(c.stream); off += size {
				n := min(off+size, len(c.stream))
				if n-off > 60000 {
					n = off + 60000
				}
				co.data(off, c.stream[off:n])
				if size > 60000 && n == off+60000 {
					co.data(n, c.stream[n:])
				}
			}
			co.fin(len(c.stream))
			if got := f.texts(); !slices.Equal(got, c.want) {
				t.Errorf("%s in %d: %d units, want %d, %+v", c.name, size, len(got), len(c.want), f.d.stats)
				continue
			}
			for _, u := range f.units {
				if u.Transport != WS || u.Stream || u.Truncated || len(u.Findings) > 0 {
					t.Errorf("%s: %+v", c.name, u)
				}
				if size > 100 { // below, a frame brought only a header
					checkSegments(t, u, len(u.Data))
				}
			}
		}
	}
}

// TestWebSocketSegments: the payload's octets, not those of the headers, are counted.
func TestWebSocketSegments(t *testing.T) {
	a := request("INVITE", 700)
	s := wsUpgrade + wsFrame(0x01, []byte("abcd"), a[:400]) + wsFrame(0x80, []byte("efgh"), a[400:])
	co, f := newConn(Config{})
	h := len(wsUpgrade)
	co.data(0, s[:h+8+100])
	co.data(h+108, s[h+108:h+8+400+8+50])
	co.data(h+466, s[h+466:])
	if len(f.units) != 1 || string(f.units[0].Data) != a {
		t.Fatal(f.units)
	}
	var got []int
	for _, x := range f.units[0].Segments {
		got = append(got, int(x.Off), int(x.Frame))
	}
	if !slices.Equal(got, []int{0, 1, 100, 2, 450, 3}) {
		t.Errorf("%v", got)
	}
}

func TestWebSocketGap(t *testing.T) {
	a, b := request("INVITE", 700), request("BYE", 0)
	s := wsUpgrade + wsFrame(0x81, []byte("abcd"), a)
	co, f := newConn(Config{})
	co.data(0, s[:len(s)-500])
	co.data(len(s), wsFrame(0x81, []byte("efgh"), b))
	f.d.Flush()
	if len(f.units) != 2 || !f.units[0].Truncated || !unitHas(f.units[0], "tcp-gap") || string(f.units[1].Data) != b || f.units[1].Transport != WS {
		t.Errorf("%q", f.texts())
	}
}

// TestWebSocketDeflate: permessage-deflate with and without a window that goes on (RFC 7692).
func TestWebSocketDeflate(t *testing.T) {
	a, b := request("INVITE", 70000), request("BYE", 0)
	for _, takeover := range []bool{true, false} {
		var buf bytes.Buffer
		z, err := flate.NewWriter(&buf, 9)
		if err != nil {
			t.Fatal(err)
		}
		deflate := func(m string) string {
			buf.Reset()
			if !takeover {
				z.Reset(&buf)
			}
			z.Write([]byte(m))
			z.Flush()
			return strings.TrimSuffix(buf.String(), "\x00\x00\xff\xff")
		}
		za, zb, zc := deflate(a), deflate(b), deflate(b)
		if takeover && len(zc) > 60 {
			t.Fatalf("the window does not go on: %d octets", len(zc))
		}
		key := []byte("mask")
		s := wsUpgrade + wsFrame(0x41, key, za[:100]) + wsFrame(0x80, key, za[100:]) + wsFrame(0xc1, key, zb) + wsFrame(0x81, key, b) + wsFrame(0xc1, key, zc)
		co, f := newConn(Config{})
		for off := 0; off < len(s); off += 150 {
			co.data(off, s[off:min(len(s), off+150)])
		}
		f.d.Flush()
		if !slices.Equal(f.texts(), []string{a, b, b, b}) || len(f.findings) > 0 {
			t.Errorf("takeover %v: %d units, %v", takeover, len(f.units), f.findings)
		}
		if u := f.units[0]; len(u.Frames) < 3 || len(u.Segments) != 1 || !u.Reassembled || u.Truncated {
			t.Errorf("%v %v", u.Frames, u.Segments)
		}
	}
	// A bomb: what is inflated is bounded.
	var buf bytes.Buffer
	z, _ := flate.NewWriter(&buf, 9)
	z.Write([]byte(b + strings.Repeat("x", 64<<20)))
	z.Flush()
	co, f := newConn(Config{})
	s := wsUpgrade + wsFrame(0xc1, nil, strings.TrimSuffix(buf.String(), "\x00\x00\xff\xff"))
	for off := 0; off < len(s); off += 1400 {
		co.data(off, s[off:min(len(s), off+1400)])
	}
	if len(f.units) != 1 || len(f.units[0].Data) != maxInflated || !f.units[0].Truncated {
		t.Errorf("%d units", len(f.units))
	}
}

func TestWebSocketBad(t *testing.T) {
	a, b := request("INVITE", 700), request("BYE", 0)
	co, f := newConn(Config{})
	co.data(0, wsUpgrade+wsFrame(0xc1, nil, "\x07compressed")+wsFrame(0x81, nil, a)+"\xff\xff")
	co.data(5000, wsFrame(0x81, nil, b))
	f.d.Flush()
	if !slices.Equal(f.texts(), []string{a, b}) || !f.has("ws-compressed") || !f.has("stream-junk") {
		t.Errorf("%q %v", f.texts(), f.findings)
	}
	// A length that nobody will ever send is not waited for in memory.
	co, f = newConn(Config{})
	co.data(0, wsUpgrade+"\x82\x7f\x00\x00\x00\xff\x00\x00\x00\x00")
	off := len(wsUpgrade) + 10
	for range 20000 {
		co.data(off, strings.Repeat("x", 1400))
		off += 1400
	}
	if held := f.d.streams.bytes(); held > 70<<20 {
		t.Errorf("%d octets held", held)
	}
}

// FuzzWebSocket: however a WebSocket stream is cut into segments, the same messages come out.
func FuzzWebSocket(f *testing.F) {
	b := request("BYE", 0)
	mask := []byte{1, 2, 3, 4}
	f.Add([]byte(wsFrame(0x81, mask, b)+wsFrame(0x89, mask, "x")+wsFrame(0x01, nil, b[:9])+wsFrame(0x80, mask, b[9:])), uint8(7))
	f.Add([]byte(wsFrame(0xc1, nil, "\x07")+wsFrame(0x82, nil, b)+"\xff\xff"), uint8(1))
	f.Add([]byte("\x82\x7f\x00\x00\x00\xff\x00\x00\x00\x00"), uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		if len(stream) > 20000 {
			return
		}
		s := wsUpgrade + string(stream)
		run := func(size int) []string {
			co, fe := newConn(Config{})
			co.syn()
			for off := 0; off < len(s); off += size {
				co.data(off, s[off:min(len(s), off+size)])
			}
			co.fin(len(s))
			fe.d.Flush()
			if fe.d.streams.bytes() != 0 {
				t.Fatal("state left")
			}
			var out []string
			for _, u := range fe.units {
				if u.Transport == WS {
					out = append(out, string(u.Data))
				}
			}
			return out
		}
		whole := run(len(s))
		cut := run(1 + int(size))
		// When the framing is lost, only a segment that begins with a message brings it back: then the runs may differ.
		if n := min(len(whole), len(cut)); !slices.Equal(whole[:n], cut[:n]) {
			t.Fatalf("%q\n%q", whole, cut)
		}
	})
}
