package sipparse

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// frameAll frames octets that come in pieces of a size, to the end of the stream. The frames are copies.
func frameAll(b []byte, size int) []Frame { return frameWith(b, size, Limits{}) }

func frameWith(b []byte, size int, l Limits) []Frame {
	f := NewFramer(l)
	var out []Frame
	keep := func(fr Frame) {
		fr.Data = bytes.Clone(fr.Data)
		fr.Diags = append([]Diag(nil), fr.Diags...)
		out = append(out, fr)
	}
	for len(b) > 0 {
		n := min(size, len(b))
		f.Write(b[:n])
		b = b[n:]
		for {
			fr, err := f.Next()
			if err != nil {
				break
			}
			keep(fr)
		}
	}
	for {
		fr, ok := f.Flush()
		if !ok {
			return out
		}
		keep(fr)
	}
}

func describe(frs []Frame) string {
	var s []string
	for _, fr := range frs {
		d := fmt.Sprintf("%v %d+%d", fr.Kind, fr.Off, len(fr.Data))
		if fr.Truncated {
			d += " cut"
		}
		for _, x := range fr.Diags {
			d += " " + x.ID.String()
		}
		s = append(s, d)
	}
	return strings.Join(s, "; ")
}

func checkTiling(t testing.TB, frs []Frame, in []byte) {
	t.Helper()
	var all []byte
	for _, fr := range frs {
		if fr.Off != uint64(len(all)) || len(fr.Data) == 0 {
			t.Fatalf("frame at %d with %d octets, want it at %d: %s", fr.Off, len(fr.Data), len(all), describe(frs))
		}
		for _, d := range fr.Diags {
			if int(d.Off) > len(fr.Data) {
				t.Fatalf("diagnostic outside its frame: %v", d)
			}
		}
		all = append(all, fr.Data...)
	}
	if !bytes.Equal(all, in) {
		t.Fatalf("the frames hold %d octets, the stream had %d", len(all), len(in))
	}
}

func msg(cseq int, head, body string) string {
	return "OPTIONS sip:a@b SIP/2.0\r\nCSeq: " + strconv.Itoa(cseq) + " OPTIONS\r\n" + head + "\r\n" + body
}

var framerRows = []struct {
	name, in, want string
	lim            Limits
}{
	{"empty", "", "", Limits{}},
	{"one", msg(1, "Content-Length: 2\r\n", "ab"), "message 0+65", Limits{}},
	{"two in one", msg(1, "l:2\r\n", "ab") + msg(2, "L : 0\r\n", ""), "message 0+51; message 51+51", Limits{}},
	{"folded length", msg(1, "Content-Length:\r\n  2\r\n", "ab"), "message 0+68", Limits{}},
	{"leading zeros", msg(1, "l: 0002\r\n", "ab"), "message 0+55", Limits{}},
	{"pings", "\r\n\r\n" + msg(1, "l:0\r\n", "") + "\r\n\r\n\r\n" + msg(2, "l:0\r\n", "") + "\r\n", "ping 0+4; message 4+49; ping 53+4; pong 57+2; message 59+49; pong 108+2", Limits{}},
	{"no length", msg(1, "", "") + msg(2, "l:0\r\n", ""), "message 0+44 content-length-missing; message 44+49", Limits{}},
	{"no length, body", msg(1, "", "v=0\r\n") + msg(2, "l:0\r\n", ""), "message 0+44 content-length-missing; junk 44+5 resync; message 49+49", Limits{}},
	{"bad length", msg(1, "l: x\r\n", "body\r\n") + msg(2, "l:0\r\n", ""), "message 0+56 unusable-length; message 56+49", Limits{}},
	{"empty length", msg(1, "l:\r\n", "body\r\n") + msg(2, "l:0\r\n", ""), "message 0+54 unusable-length; message 54+49", Limits{}},
	{"negative length", msg(1, "l: -5\r\n", "") + msg(2, "l:0\r\n", ""), "message 0+51 unusable-length; message 51+49", Limits{}},
	{"huge length", msg(1, "l: 99999999999999999999999\r\n", "x\r\n") + msg(2, "l:0\r\n", ""), "message 0+75 unusable-length; message 75+49", Limits{}},
	{"above the limit", msg(1, "l: 17\r\n", strings.Repeat("x", 17)) + "\r\n" + msg(2, "l:0\r\n", ""),
		"message 0+67 cut unusable-length content-length-limit; junk 67+3; message 70+49", Limits{Body: 16}},
	{"at the limit", msg(1, "l: 16\r\n", strings.Repeat("x", 16)), "message 0+67", Limits{Body: 16}},
	{"conflicting lengths", msg(1, "l: 3\r\nContent-Length: 4\r\n", "abcd\r\n") + msg(2, "l:0\r\n", ""), "message 0+75 unusable-length; message 75+49", Limits{}},
	{"agreeing lengths", msg(1, "l: 4\r\nContent-Length: 4\r\n", "abcd") + msg(2, "l:0\r\n", ""), "message 0+73; message 73+49", Limits{}},
	{"junk first", "hello\r\nworld\r\n" + msg(1, "l:0\r\n", ""), "junk 0+14 resync; message 14+49", Limits{}},
	{"http", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "junk 0+27 resync", Limits{}},
	{"bare LF", "OPTIONS sip:a@b SIP/2.0\nl: 2\n\nab" + msg(2, "l:0\r\n", ""), "message 0+32; message 32+49", Limits{}},
	{"no empty line", "OPTIONS sip:a@b SIP/2.0\r\nCSeq: 1 OPTIONS\r\n" + msg(2, "l:0\r\n", ""), "message 0+42 cut missing-empty-line; message 42+49", Limits{}},
	{"no empty line before a response", "OPTIONS sip:a@b SIP/2.0\r\nCSeq: 1 OPTIONS\r\nSIP/2.0 200 OK\r\nl:0\r\n\r\n", "message 0+42 cut missing-empty-line; message 42+23", Limits{}},
	{"start line in a body", msg(1, "l: 49\r\n", msg(2, "l:0\r\n", "")), "message 0+100", Limits{}},
	{"end in the header", "OPTIONS sip:a@b SIP/2.0\r\nCSeq: 1", "message 0+32 cut end-of-stream", Limits{}},
	{"end in the body", msg(1, "l: 10\r\n", "abc"), "message 0+54 cut end-of-stream", Limits{}},
	{"end in the start line", "REGISTER sip:exam", "message 0+17 cut end-of-stream", Limits{}},
	{"header above the limit", "OPTIONS sip:a@b SIP/2.0\r\nX: " + strings.Repeat("x", 100) + "\r\n\r\n" + msg(2, "l:0\r\n", ""), "message 0+64 cut header-too-large; junk 64+68; message 132+49", Limits{Header: 64}},
	{"start line above the limit", "OPTIONS sip:" + strings.Repeat("x", 100) + " SIP/2.0\r\n\r\n" + msg(2, "l:0\r\n", ""), "junk 0+124 resync; message 124+49", Limits{Header: 64}},
	{"start line above the limit and cut off, after junk", "junk\r\nOPTIONS sip:" + strings.Repeat("x", 100) + " SIP/2.0", "junk 0+126 resync", Limits{Header: 64}},
	{"start line above the limit and cut off, after an open body", msg(1, "l: x\r\n", "body\r\nOPTIONS sip:"+strings.Repeat("x", 100)+" SIP/2.0"),
		"message 0+176 cut unusable-length end-of-stream", Limits{Header: 64}},
	{"lone CR", "\r" + msg(1, "l:0\r\n", ""), "junk 0+50 resync", Limits{}},
	{"no ping", "\r\na\n" + msg(1, "l:0\r\n", ""), "pong 0+2; junk 2+2 resync; message 4+49", Limits{}},
	{"CR at the end", "\r\n\r", "pong 0+2; junk 2+1 resync", Limits{}},
	{"long junk", strings.Repeat("j", 10000) + "\r\n" + msg(1, "l:0\r\n", ""), "junk 0+4096 resync; junk 4096+4096 resync; junk 8192+1810 resync; message 10002+49", Limits{}},
	{"start line in the middle of a junk line", strings.Repeat("j", 4096) + msg(1, "l:0\r\n", "") + msg(2, "l:0\r\n", ""),
		"junk 0+4096 resync; junk 4096+49 resync; message 4145+49", Limits{}},
}

func TestFramer(t *testing.T) {
	for _, tt := range framerRows {
		t.Run(tt.name, func(t *testing.T) {
			for size := 1; size <= len(tt.in)+1; size++ {
				if size > 150 && size < len(tt.in) && size%997 != 0 {
					continue
				}
				frs := frameWith([]byte(tt.in), size, tt.lim)
				checkTiling(t, frs, []byte(tt.in))
				if got := describe(frs); got != tt.want {
					t.Fatalf("in pieces of %d\n got %s\nwant %s", size, got, tt.want)
				}
			}
		})
	}
}

// TestFramerAgreesWithParse: the body that Parse sees is the rest of the frame.
func TestFramerAgreesWithParse(t *testing.T) {
	for _, tt := range framerRows {
		for _, fr := range frameWith([]byte(tt.in), len(tt.in)+1, tt.lim) {
			if fr.Kind != FrameMessage {
				continue
			}
			var m Message
			if err := m.Parse(fr.Data, Options{}); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			} else if m.Extra.Len != 0 {
				t.Errorf("%s: %d octets after the body", tt.name, m.Extra.Len)
			}
		}
	}
}

func TestFramerGap(t *testing.T) {
	a, b := msg(1, "l:20\r\n", "012345678901234567\r\n"), msg(2, "l:0\r\n", "")
	whole := a + b
	for _, tt := range []struct {
		name     string
		from, to int
		n        int64
		want     string
	}{
		{"in a body", 55, 60, 5, "message 0+55 cut gap; junk 60+10; message 70+49"},
		{"to the end of a body", 55, 70, 15, "message 0+55 cut gap; message 70+49"},
		{"unknown number in a body", 55, 70, 0, "message 0+55 cut gap; message 55+49"},
		{"in a header", 30, 40, 10, "message 0+30 cut gap; junk 40+30; message 70+49"},
		{"over the next start line", 60, 80, 20, "message 0+60 cut gap; junk 80+39"},
		{"between messages", 70, 75, 5, "message 0+70; junk 75+44"},
		{"first octets", 0, 70, 70, "message 70+49"},
		{"last octets", 60, 119, 59, "message 0+60 cut gap"},
		{"in the first start line", 3, 70, 67, "junk 0+3 resync; message 70+49"},
	} {
		for size := 1; size < 130; size++ {
			f := NewFramer(Limits{})
			var frs []Frame
			drain := func() {
				for {
					fr, err := f.Next()
					if err != nil {
						return
					}
					fr.Data, fr.Diags = bytes.Clone(fr.Data), append([]Diag(nil), fr.Diags...)
					frs = append(frs, fr)
				}
			}
			write := func(s string) {
				for len(s) > 0 {
					n := min(size, len(s))
					f.Write([]byte(s[:n]))
					s = s[n:]
					if size%3 != 0 { // some callers drain later
						drain()
					}
				}
			}
			write(whole[:tt.from])
			f.Gap(tt.n)
			write(whole[tt.to:])
			drain()
			for {
				fr, ok := f.Flush()
				if !ok {
					break
				}
				fr.Data, fr.Diags = bytes.Clone(fr.Data), append([]Diag(nil), fr.Diags...)
				frs = append(frs, fr)
			}
			if got := describe(frs); got != tt.want {
				t.Fatalf("%s, in pieces of %d\n got %s\nwant %s", tt.name, size, got, tt.want)
			}
			for _, fr := range frs {
				if tt.n > 0 && string(fr.Data) != whole[fr.Off:fr.Off+uint64(len(fr.Data))] {
					t.Fatalf("%s: frame at %d has other octets", tt.name, fr.Off)
				}
			}
		}
	}
}

// streams are octets of which each is cheap, in whatever number.
var streams = []struct {
	name string
	make func(n int) string
}{
	{"long header", func(n int) string {
		return "OPTIONS sip:a@b SIP/2.0\r\n" + strings.Repeat("X: y\r\n", n/6) + "l: 0\r\n\r\n"
	}},
	{"long line", func(n int) string { return "OPTIONS sip:" + strings.Repeat("a", n) }},
	{"folds", func(n int) string {
		return "OPTIONS sip:a@b SIP/2.0\r\nl:" + strings.Repeat("\r\n ", n/3) + "5\r\n\r\n12345"
	}},
	{"junk lines", func(n int) string { return strings.Repeat("OPTIONS sip:a@b\r\n", n/17) }},
	{"junk", func(n int) string { return strings.Repeat("\xff", n) }},
	{"line ends", func(n int) string { return strings.Repeat("\n", n) }},
	{"pings", func(n int) string { return strings.Repeat("\r\n", n/2) }},
	{"open body", func(n int) string { return msg(1, "l: x\r\n", strings.Repeat("OPTIONS sip:a SIP/2.\n", n/21)) }},
	{"no length body", func(n int) string { return msg(1, fmt.Sprintf("l: %d\r\n", n), strings.Repeat("x", n)) }},
	{"many", func(n int) string { return strings.Repeat(msg(1, "l:0\r\n", ""), n/50) }},
}

// TestFramerLinear: octet by octet is not much dearer than all at once, and what is searched goes forward.
func TestFramerLinear(t *testing.T) {
	var loads []testkit.Load
	for _, x := range streams {
		loads = append(loads, testkit.Load{Name: x.name, Size: 20_000, Do: func(n int) {
			in := []byte(x.make(n))
			checkTiling(t, frameAll(in, 1), in)
		}})
	}
	testkit.Linear(t, loads)
}

// TestFramerScan: the search of the framer goes on where it was, and little is kept of junk.
func TestFramerScan(t *testing.T) {
	for _, x := range streams {
		in := x.make(100_000)
		f := NewFramer(Limits{})
		looked := 0
		for i := range len(in) {
			f.Write([]byte(in[i : i+1]))
			for {
				switch f.state {
				case inHeader, inOpenBody:
					looked += f.Buffered() - min(f.scan, f.Buffered())
				case inJunk:
					looked += f.Buffered() - min(max(f.scan, f.head), f.Buffered())
				}
				if _, err := f.Next(); err != nil {
					break
				}
			}
		}
		if looked > 12*len(in) {
			t.Errorf("%s: %d octets looked at of %d", x.name, looked, len(in))
		}
	}
	f := NewFramer(Limits{Header: 1000, Body: 1000})
	most := 0
	for range 100000 {
		f.Write([]byte("junk OPTIONS sip:a@b SIP/2.0 "))
		for {
			if _, err := f.Next(); err != nil {
				break
			}
		}
		most = max(most, f.Buffered())
	}
	if most > 2*junkChunk {
		t.Errorf("%d octets are kept of junk", most)
	}
}

func FuzzFramer(f *testing.F) {
	for _, tt := range framerRows {
		if len(tt.in) < 500 {
			f.Add([]byte(tt.in), uint8(3))
		}
	}
	f.Add([]byte(strings.Repeat("x", 4090)+"\r\n"+msg(1, "l:0\r\n", "")), uint8(9))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		lim := Limits{Header: 300, Body: 200}
		whole := frameWith(in, len(in)+1, lim)
		checkTiling(t, whole, in)
		for _, n := range []int{1, int(size%50) + 2} {
			pieces := frameWith(in, n, lim)
			checkTiling(t, pieces, in)
			if a, b := describe(whole), describe(pieces); a != b {
				t.Fatalf("pieces of %d\n got %s\nwant %s", n, b, a)
			}
		}
		for _, fr := range whole {
			if fr.Kind == FrameMessage && len(fr.Data) > lim.Header+lim.Body {
				t.Fatalf("a message of %d octets is above the limits", len(fr.Data))
			}
			if fr.Kind == FrameMessage && !LooksLikeStart(fr.Data) {
				t.Fatalf("message without start line: %q", fr.Data)
			}
		}
	})
}

func BenchmarkFramer(b *testing.B) {
	one := mcpttInvite()
	in := bytes.Repeat(one, 16)
	f := NewFramer(Limits{})
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		for p := in; len(p) > 0; {
			n := min(1400, len(p))
			f.Write(p[:n])
			p = p[n:]
			for {
				if _, err := f.Next(); err != nil {
					break
				}
			}
		}
	}
	if f.Buffered() != 0 {
		b.Fatal("octets left")
	}
}

// FuzzFramerGap: the frames around lost octets do not depend on the segments either, and no octet that was captured is
// lost or moved.
func FuzzFramerGap(f *testing.F) {
	two := msg(1, "l:20\r\n", "012345678901234567\r\n") + "\r\n\r\n" + msg(2, "l:x\r\n", "body\r\n") + msg(3, "l:0\r\n", "")
	for _, at := range []uint16{0, 30, 55, 70, 71, 80, 120} {
		f.Add([]byte(two), at, uint16(9), uint8(3))
		f.Add([]byte(two), at, uint16(0), uint8(7))
	}
	f.Fuzz(func(t *testing.T, in []byte, at, n uint16, size uint8) {
		cut := min(int(at), len(in))
		run := func(size int) (string, []byte) {
			fr := NewFramer(Limits{Header: 200, Body: 150})
			var desc string
			var all []byte
			next := uint64(0)
			take := func(x Frame) {
				if x.Off < next || len(x.Data) == 0 {
					t.Fatalf("frame at %d, the one before ended at %d", x.Off, next)
				}
				if want := uint64(len(all)); x.Off != want && x.Off != want+uint64(n) {
					t.Fatalf("frame at %d after %d octets and a gap of %d", x.Off, len(all), n)
				}
				next = x.Off + uint64(len(x.Data))
				all = append(all, x.Data...)
				desc += describe([]Frame{x}) + "\n"
			}
			write := func(b []byte) {
				for len(b) > 0 {
					k := min(size, len(b))
					fr.Write(b[:k])
					b = b[k:]
					for {
						x, err := fr.Next()
						if err != nil {
							break
						}
						take(x)
					}
				}
			}
			write(in[:cut])
			fr.Gap(int64(n))
			write(in[cut:])
			for {
				x, ok := fr.Flush()
				if !ok {
					break
				}
				take(x)
			}
			return desc, all
		}
		whole, octets := run(len(in) + 1)
		if !bytes.Equal(octets, in) {
			t.Fatalf("%d octets out, %d in", len(octets), len(in))
		}
		for _, k := range []int{1, int(size%40) + 2} {
			if pieces, _ := run(k); pieces != whole {
				t.Fatalf("in pieces of %d\n%s\nall at once\n%s", k, pieces, whole)
			}
		}
	})
}
