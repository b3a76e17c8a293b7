package flow

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// long is a SIP message with a body of n octets.
func long(n int) string {
	body := make([]byte, n)
	for i := range body {
		body[i] = "0123456789abcdef"[(i/16+i)%16]
	}
	if n > 2 {
		body[n-2], body[n-1] = '\r', '\n'
	}
	head, _, _ := strings.Cut(sipRequest, "Content-Length")
	return head + "Content-Length: " + itoa(n) + "\r\n\r\n" + string(body)
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// A part is one fragment: octets [off, end) of the datagram's payload.
type part struct {
	off, end int
	more     bool
}

// split cuts n octets into fragments of size octets; the last one may be short.
func split(n, size int) (list []part) {
	for off := 0; off < n; off += size {
		list = append(list, part{off, min(off+size, n), off+size < n})
	}
	return list
}

// fragFrame makes the frame of one fragment of IP payload b.
func fragFrame(v6 bool, id int, df bool, b []byte, p part) []byte {
	return fragFrameProto(v6, protoUDP, id, df, b, p)
}

func fragFrameProto(v6 bool, proto byte, id int, df bool, b []byte, p part) []byte {
	if v6 {
		return build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoFragment}, fragHeader{proto, p.off, p.more, uint32(id)}, b[p.off:p.end])
	}
	w := p.off / 8
	if p.more {
		w |= 0x2000
	}
	if df {
		w |= 0x4000
	}
	return build(etherHeader{etIPv4}, ipHeader{proto: proto, id: id, frag: w}, b[p.off:p.end])
}

func TestFragments(t *testing.T) {
	msg := long(3000)
	dgram := build(udpHeader{40000, 5070}, msg)
	n := len(dgram)
	order := func(list []part, idx ...int) (out []part) {
		for _, i := range idx {
			out = append(out, list[i])
		}
		return out
	}
	three := split(n, 1200)
	for _, c := range []struct {
		name   string
		list   []part
		df     bool
		frames []uint64
		overl  bool
	}{
		{"in order", three, false, []uint64{1, 2, 3}, false},
		{"don't fragment", three, true, []uint64{1, 2, 3}, false},
		{"reverse", order(three, 2, 1, 0), false, []uint64{1, 2, 3}, false},
		{"duplicates", order(three, 0, 0, 1, 0, 1, 2), false, []uint64{1, 3, 6}, false},
		{"copies after the end", order(three, 0, 1, 2, 2, 1, 0), false, []uint64{1, 2, 3}, false},
		{"short last", split(n, n/8*8), false, nil, false},
		{"tiny first", append([]part{{0, 8, true}, {8, 16, true}}, []part{{16, 1200, true}, {1200, n, false}}...), false, []uint64{1, 2, 3, 4}, false},
		{"overlap", []part{{0, 1200, true}, {800, 2400, true}, {2400, n, false}}, false, []uint64{1, 2, 3}, true},
		{"covering overlap", []part{{800, 1200, true}, {1600, 2000, true}, {0, 2400, true}, {2400, n, false}}, false, []uint64{1, 2, 3, 4}, true},
	} {
		for _, v6 := range []bool{false, true} {
			f := newFeed(Config{})
			for _, p := range c.list {
				f.frame(fragFrame(v6, 7, c.df, dgram, p))
			}
			f.d.Flush()
			if len(f.units) != 1 || string(f.units[0].Data) != msg {
				t.Errorf("%s v6=%v: %d units, %+v", c.name, v6, len(f.units), f.d.stats)
				continue
			}
			u := f.units[0]
			if c.frames != nil && !slices.Equal(u.Frames, c.frames) || !u.Reassembled && len(c.list) > 1 || u.Truncated || unitHas(u, "frag-overlap") != c.overl {
				t.Errorf("%s v6=%v: %+v", c.name, v6, u)
			}
			checkSegments(t, u, len(msg))
			if len(f.findings) > 0 {
				t.Errorf("%s: %v", c.name, f.findings)
			}
		}
	}
}

// checkSegments: segments begin at 0, ascend, and their frames are the unit's frames.
func checkSegments(t *testing.T, u *Unit, n int) {
	t.Helper()
	if len(u.Segments) == 0 || u.Segments[0].Off != 0 {
		t.Errorf("segments %v", u.Segments)
		return
	}
	var frames []uint64
	for i, s := range u.Segments {
		if i > 0 && s.Off <= u.Segments[i-1].Off || int(s.Off) >= n {
			t.Errorf("segments %v of %d octets", u.Segments, n)
		}
		frames = append(frames, s.Frame)
	}
	for _, n := range frames {
		if !slices.Contains(u.Frames, n) {
			t.Errorf("frame %d is missing in %v", n, u.Frames)
		}
	}
	if !slices.IsSorted(u.Frames) || len(slices.Compact(slices.Clone(u.Frames))) != len(u.Frames) {
		t.Errorf("frames %v, segments %v", u.Frames, u.Segments)
	}
}

func TestFragmentSegments(t *testing.T) {
	msg := long(3000)
	dgram := build(udpHeader{40000, 5070}, msg)
	f := newFeed(Config{})
	list := split(len(dgram), 1200)
	for _, i := range []int{1, 2, 0} {
		f.frame(fragFrame(false, 7, false, dgram, list[i]))
	}
	want := []record.Segment{{Off: 0, Frame: 3}, {Off: 1192, Frame: 1}, {Off: 2392, Frame: 2}}
	if len(f.units) != 1 || !slices.Equal(f.units[0].Segments, want) {
		t.Errorf("%v", f.units[0].Segments)
	}
	if s := f.d.Stats(); s.Fragments != 3 || s.FragmentSets != 1 || s.FragmentCompleted != 1 || s.Verdicts[VerdictFragment] != 2 {
		t.Errorf("%+v", s)
	}
}

// TestFragmentShortLast: a last fragment below 8 octets, which gopacket's reassembly refuses.
func TestFragmentShortLast(t *testing.T) {
	for tail := 1; tail <= 8; tail++ {
		msg := long(800)
		for (len(msg)+8)%8 != tail%8 {
			msg = long(800 + tail)
			msg = msg[:len(msg)-((len(msg)+8-tail)%8)]
		}
		dgram := build(udpHeader{40000, 5070}, msg)
		f := newFeed(Config{})
		for _, p := range split(len(dgram), len(dgram)-tail) {
			f.frame(fragFrame(false, 1, false, dgram, p))
		}
		if len(f.units) != 1 || string(f.units[0].Data) != msg {
			t.Errorf("tail of %d: %+v", tail, f.d.stats)
		}
	}
}

// TestFragmentKeys: the same identification for another protocol, another VLAN and other addresses is another datagram.
func TestFragmentKeys(t *testing.T) {
	a, b := long(2000), strings.ReplaceAll(long(2000), "MESSAGE", "OPTIONS")
	da, db := build(udpHeader{40000, 5070}, a), build(udpHeader{40000, 5070}, b)
	sctp := build(sctpHeader{5060, 5060, 9}, dataChunk(3, 1, 0, 0, []byte(b)))
	for _, c := range []struct {
		name  string
		other func(p part) []byte
		n     int
	}{
		{"protocol", func(p part) []byte { return fragFrameProto(false, protoSCTP, 7, false, sctp, p) }, len(sctp)},
		{"vlan", func(p part) []byte {
			return build(append(lan(1, false), fragFrame(false, 7, false, db, p)[14:])...)
		}, len(db)},
		{"version", func(p part) []byte { return fragFrame(true, 7, false, db, p) }, len(db)},
		{"tunnel", func(p part) []byte {
			in := fragFrame(false, 7, false, db, p)[14:]
			return build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{portGTPU, portGTPU}, raw(cat([]byte{0x30, 255}, be16(len(in)), be32(5))), in)
		}, len(db)},
	} {
		f := newFeed(Config{})
		la, lb := split(len(da), 1200), split(c.n, 1200)
		for i := range la {
			f.frame(fragFrame(false, 7, false, da, la[i]))
			f.frame(c.other(lb[i]))
		}
		if got := f.texts(); len(got) != 2 || got[0] != a || got[1] != b {
			t.Errorf("%s: %d units, %+v", c.name, len(got), f.d.stats)
		}
	}
}

// TestFragmentConflict: the octets that came first are taken and the finding says that they differ.
func TestFragmentConflict(t *testing.T) {
	msg := long(2000)
	dgram := build(udpHeader{40000, 5070}, msg)
	evil := []byte(strings.Replace(string(dgram), "hello", "HELLO", 1))
	for i := 1000; i < 1200; i++ {
		evil[i] = 'X'
	}
	f := newFeed(Config{})
	f.frame(fragFrame(false, 7, false, dgram, part{0, 1200, true}))
	f.frame(fragFrame(false, 7, false, evil, part{1000, 1400, true}))
	f.frame(fragFrame(false, 7, false, dgram, part{1400, len(dgram), false}))
	if len(f.units) != 1 || string(f.units[0].Data) != msg || !unitHas(f.units[0], "frag-overlap") || f.d.stats.Conflicts != 1 {
		t.Fatalf("%+v", f.d.stats)
	}
	if m := f.units[0].Findings[0].Message; !strings.Contains(m, "other octets") {
		t.Error(m)
	}
}

// TestFragmentNested: fragments inside a tunnel whose own datagrams are fragmented.
func TestFragmentNested(t *testing.T) {
	msg := long(3000)
	dgram := build(udpHeader{40000, 5070}, msg)
	f := newFeed(Config{})
	id := 100
	for _, p := range split(len(dgram), 1600) {
		in := fragFrame(false, 7, false, dgram, p)[14:]
		outer := build(udpHeader{portGTPU, portGTPU}, raw(cat([]byte{0x30, 255}, be16(len(in)), be32(5))), in)
		id++
		for _, q := range split(len(outer), 800) {
			f.frame(fragFrame(true, id, false, outer, q))
		}
	}
	if len(f.units) != 1 || string(f.units[0].Data) != msg || strings.Join(f.units[0].Encap, " ") != "gtpu" {
		t.Fatalf("%d units %+v", len(f.units), f.d.stats)
	}
	u := f.units[0]
	checkSegments(t, u, len(msg))
	if uint64(len(u.Frames)) != f.n || u.Frames[0] != 1 {
		t.Errorf("%v", u.Frames)
	}
}

// TestFragmentTCP: a TCP segment in fragments.
func TestFragmentTCP(t *testing.T) {
	msg := long(3000)
	seg := build(tcpHeader{sport: 5060, dport: 5061, seq: 1, flags: tcpACK}, msg)
	f := newFeed(Config{})
	for _, p := range split(len(seg), 1480) {
		f.frame(fragFrameProto(false, protoTCP, 7, false, seg, p))
	}
	if len(f.units) != 1 || string(f.units[0].Data) != msg {
		t.Fatalf("%+v", f.d.stats)
	}
	if want := []record.Segment{{Off: 0, Frame: 1}, {Off: 1460, Frame: 2}, {Off: 2940, Frame: 3}}; !slices.Equal(f.units[0].Segments, want) {
		t.Errorf("%v", f.units[0].Segments)
	}
}

// TestFragmentNotSIP: the first fragment tells, and the rest leaves at once, whichever comes first.
func TestFragmentNotSIP(t *testing.T) {
	rtp := append([]byte{0x80, 8}, make([]byte, 4000)...)
	dgram := build(udpHeader{40000, 40002}, rtp)
	for _, idx := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}} {
		f := newFeed(Config{})
		list := split(len(dgram), 1200)
		for _, i := range idx {
			f.frame(fragFrame(false, 7, false, dgram, list[i]))
		}
		if f.d.frags.bytes != fragCost || f.d.stats.FragmentDropped != 1 || f.d.stats.FragmentCompleted != 0 {
			t.Errorf("%v: %d octets held, %+v", idx, f.d.frags.bytes, f.d.stats)
		}
		f.d.Flush()
		if len(f.units)+len(f.findings) != 0 || f.d.frags.bytes != 0 {
			t.Errorf("%v %v", f.units, f.findings)
		}
	}
}

// TestFragmentMissing: what is there of a SIP message is handed out, by time-out and at the end; a set without its
// first fragment is counted and told once.
func TestFragmentMissing(t *testing.T) {
	msg := long(3000)
	dgram := build(udpHeader{40000, 5070}, msg)
	list := split(len(dgram), 1200)
	var second int64 // time of the second fragment
	check := func(f *feed) {
		t.Helper()
		if len(f.units) != 1 {
			t.Fatalf("%d units %+v", len(f.units), f.d.stats)
		}
		u := f.units[0]
		if !u.Truncated || string(u.Data) != msg[:1192] || !unitHas(u, "frag-incomplete") || u.Time != second || !slices.Equal(u.Frames, []uint64{1}) {
			t.Errorf("%+v", u)
		}
		if f.d.stats.FragmentTimedOut == 0 {
			t.Errorf("%+v", f.d.stats)
		}
	}
	f := newFeed(Config{})
	f.frame(fragFrame(false, 7, false, dgram, list[0]))
	f.frame(fragFrame(false, 7, false, dgram, list[2]))
	second = f.time
	f.d.Flush()
	check(f)

	f = newFeed(Config{})
	f.frame(fragFrame(false, 7, false, dgram, list[0]))
	f.frame(fragFrame(false, 7, false, dgram, list[2]))
	second = f.time
	arp := build(etherHeader{0x806}, make([]byte, 46))
	for range 4 {
		if len(f.units) > 0 {
			t.Fatal("too early")
		}
		f.time += 9e9
		f.frame(arp)
	}
	check(f)
	if f.d.frags.bytes != 0 || len(f.d.frags.m) != 0 {
		t.Errorf("%d octets left", f.d.frags.bytes)
	}

	f = newFeed(Config{})
	f.frame(fragFrame(false, 7, false, dgram, list[1]))
	f.frame(fragFrame(false, 8, false, dgram, list[1]))
	f.d.Flush()
	if len(f.units) != 0 || len(f.findings) != 1 || !strings.Contains(f.findings[0].Message, "2 fragmented") {
		t.Errorf("%v", f.findings)
	}
}

// TestFragmentOversize: the ping of death and its kin.
func TestFragmentOversize(t *testing.T) {
	dgram := make([]byte, 65600)
	copy(dgram, build(udpHeader{40000, 5070}, long(100)))
	f := newFeed(Config{})
	f.frame(fragFrame(false, 7, false, dgram, part{0, 1200, true}))
	f.frame(fragFrame(false, 7, false, dgram, part{65528, 65600, false}))
	f.frame(fragFrame(false, 7, false, dgram, part{1200, 2400, true}))
	f.d.Flush()
	if len(f.units) != 0 || f.d.stats.FragmentDropped != 1 {
		t.Errorf("%+v", f.d.stats)
	}
}

// TestFragmentReuse: an identification that is used again, in the same second and later.
func TestFragmentReuse(t *testing.T) {
	a, b := long(2000), strings.ReplaceAll(long(2000), "MESSAGE", "OPTIONS")
	f := newFeed(Config{})
	for _, m := range []string{a, b, a} {
		dgram := build(udpHeader{40000, 5070}, m)
		for _, p := range split(len(dgram), 1200) {
			f.frame(fragFrame(false, 0, true, dgram, p))
		}
		f.time += 5e8
	}
	if got := f.texts(); len(got) != 3 || got[0] != a || got[1] != b || got[2] != a {
		t.Errorf("%d units", len(got))
	}
}

// TestFragmentNextHeader: only the first fragment's next header counts (RFC 8200 4.5).
func TestFragmentNextHeader(t *testing.T) {
	msg := long(2000)
	dgram := build(udpHeader{40000, 5070}, msg)
	list := split(len(dgram), 1200)
	for _, idx := range [][]int{{0, 1}, {1, 0}} {
		f := newFeed(Config{})
		for _, i := range idx {
			f.frame(fragFrameProto(true, []byte{protoUDP, protoTCP}[i], 7, false, dgram, list[i]))
		}
		if !slices.Equal(f.texts(), []string{msg}) {
			t.Errorf("%v: %+v", idx, f.d.stats)
		}
	}
}

// TestJumbogram: an IPv6 datagram above 65535 octets (RFC 2675).
func TestJumbogram(t *testing.T) {
	msg := long(70000)
	u := build(udpHeader{40000, 5070}, msg)
	u[4], u[5] = 0, 0
	n := uint32(8 + len(u))
	hop := cat([]byte{protoUDP, 0, 0xc2, 4}, be32(n))
	f := newFeed(Config{})
	f.frame(build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoHopByHop, total: -1}, hop, u, "padding"))
	if !slices.Equal(f.texts(), []string{msg}) || f.units[0].Truncated {
		t.Errorf("%d units %+v", len(f.units), f.d.stats)
	}
}
