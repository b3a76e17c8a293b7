package flow

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// costs are octets that would be work out of proportion to their number for a reader that looks at things again and
// again. Each makes n octets or so; hang says that there was a loop without end.
var costs = []struct {
	name string
	do   func(k *talk, n int)
}{
	{"padding longer than its frame", func(k *talk, n int) {
		c := newH2Side()
		k.client(string(h2Preface))
		for len(c.out.Bytes()) < n {
			c.frame(h2Data, h2Padded, 1, []byte{200, 1, 2, 3, 4})
			c.get(1, kmsInit)
		}
		k.client(c.take())
	}},
	{"frames that continue nothing, with streams open", func(k *talk, n int) {
		c := newH2Side()
		k.client(string(h2Preface))
		for i := range 900 {
			c.headers(uint32(2*i+1), false, ":method", "PUT", ":scheme", "http", ":path", kmsInit, ":authority", "kms")
		}
		k.client(c.take())
		for range n / 1400 {
			for range 150 {
				c.more(1, false, nil)
			}
			c.get(1, kmsInit)
			k.client(c.take())
		}
	}},
	{"a dynamic table that is full", func(k *talk, n int) {
		c, s := newH2Side(), newH2Side()
		s.settings(1, maxHpackTable)
		k.server(s.take()).client(string(h2Preface))
		for i := 0; i*60000 < n; i++ {
			c.fields(uint32(2*i+1), h2EndHeaders|h2EndStream, append([]byte{0x3f, 0xe1, 0xff, 0x3f}, bytes.Repeat([]byte{0x40, 0, 0}, 20000)...))
		}
		k.client(c.take())
	}},
	{"an index that stands for a long value", func(k *talk, n int) {
		c := newH2Side()
		s := newH2Side()
		s.settings(1, maxHpackTable)
		k.server(s.take()).client(string(h2Preface))
		c.enc.SetMaxDynamicTableSizeLimit(maxHpackTable)
		c.enc.SetMaxDynamicTableSize(maxHpackTable)
		c.headers(1, true, "x", strings.Repeat("b", 60000))
		for i := 1; i*60000 < n; i++ {
			c.fields(uint32(2*i+1), h2EndHeaders|h2EndStream, bytes.Repeat([]byte{0xbe}, 60000))
		}
		k.client(c.take())
	}},
	{"start lines without an end", func(k *talk, n int) { k.client(strings.Repeat("GET /a HTTP/1.1\n", n/16)) }},
	{"start lines that end in CR", func(k *talk, n int) { k.client(strings.Repeat("GET /a HTTP/1.1\r", n/16)) }},
	{"start lines with a control character", func(k *talk, n int) { k.client(strings.Repeat("GET /\x7f HTTP/1.1\n", n/17)) }},
	{"status lines without an end", func(k *talk, n int) { k.server(strings.Repeat("HTTP/1.1 200\n", n/13)) }},
	{"folds", func(k *talk, n int) {
		for range n / 60000 {
			k.client("GET /a HTTP/1.1\r\nHost: kms\r\nX: a\n" + strings.Repeat(" b\n", 59900/3) + "\n")
		}
	}},
	{"a section in small segments", func(k *talk, n int) {
		k.mss = 20
		k.client("GET /" + strings.Repeat("a", maxHTTPLine-100) + " HTTP/1.1\r\n" + strings.Repeat("a: b\r\n", n/6))
	}},
	{"chunks of one octet", func(k *talk, n int) {
		k.client(get(kmsInit)).server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", n/6) + "0\r\n\r\n")
	}},
	{"SIP and HTTP in turn", func(k *talk, n int) {
		k.mss = 60000
		k.client(strings.Repeat("OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\nGET /a HTTP/1.1\r\n\r\n", n/66))
	}},
	{"WebSocket frames and HTTP in turn", func(k *talk, n int) {
		k.mss = 60000
		k.client(strings.Repeat("GET /a HTTP/1.1\r\n\r\n\x81\x84\x00\x00\x00\x00\r\n\r\n", n/29))
	}},
	{"pipelined requests", func(k *talk, n int) { k.client(strings.Repeat(get("/a"), n/40)) }},
}

// TestHTTPCost: twice the octets cost about twice as much, whatever they are.
func TestHTTPCost(t *testing.T) {
	var loads []testkit.Load
	for _, x := range costs {
		loads = append(loads, testkit.Load{Name: x.name, Size: 240_000, Do: func(n int) {
			k, f := newTalk(Config{AllHTTP: true})
			k.mss = 1400
			k.open()
			x.do(k, n)
			k.end()
			checkHTTP(t, f)
		}})
	}
	testkit.Linear(t, loads)
}

// BenchmarkHTTPCost measures them by name.
func BenchmarkHTTPCost(b *testing.B) {
	for _, x := range costs {
		b.Run(strings.ReplaceAll(x.name, " ", "-"), func(b *testing.B) {
			b.SetBytes(1 << 18)
			b.ReportAllocs()
			for b.Loop() {
				k, _ := newTalk(Config{AllHTTP: true})
				k.mss = 1400
				k.open()
				x.do(k, 1<<18)
				k.end()
			}
		})
	}
}

// TestHTTPFolds: folded lines are joined by single spaces, empty ones leave nothing.
func TestHTTPFolds(t *testing.T) {
	for _, x := range [][2]string{
		{"X: a\r\n b\r\n", "a b"}, {"X:\r\n b\r\n", "b"}, {"X: a\r\n \r\n\tb\r\n", "a b"}, {"X: \r\n \r\n", ""}, {"X: a\r\n b\r\nY: c\r\n d\r\n", "a b"},
	} {
		k, f := newTalk(Config{AllHTTP: true})
		k.open().client("GET / HTTP/1.1\r\nHost: h\r\n" + x[0] + "\r\n").close().end()
		if len(f.units) != 1 || f.units[0].HTTP.Get("x") != x[1] {
			t.Errorf("%q: %q", x[0], fmt.Sprint(f.units))
		}
		if y := f.units[0].HTTP.Get("y"); strings.Contains(x[0], "Y") && y != "c d" {
			t.Errorf("%q", y)
		}
	}
}
