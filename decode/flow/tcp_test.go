package flow

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A conn writes the segments of one direction of a connection.
type conn struct {
	f      *feed
	v6     bool
	isn    uint32
	ports  [2]int
	layers []any // around IP
	back   bool  // from the server
}

func (c *conn) segment(flags byte, off int, b string) []byte {
	h := ipHeader{v6: c.v6, proto: protoTCP}
	if c.back {
		h.src, h.dst = "192.0.2.2", "192.0.2.1"
	}
	p := append(slices.Clone(c.layers), h, tcpHeader{sport: c.ports[0], dport: c.ports[1], seq: c.isn + 1 + uint32(off), flags: flags}, b)
	return build(p...)
}

func (c *conn) syn()                   { c.f.frame(c.segment(tcpSYN, -1, "")) }
func (c *conn) data(off int, b string) { c.f.frame(c.segment(tcpACK, off, b)) }
func (c *conn) fin(off int)            { c.f.frame(c.segment(tcpACK|tcpFIN, off, "")) }
func (c *conn) rst(off int)            { c.f.frame(c.segment(tcpRST, off, "")) }
func (c *conn) ackOf(off int) {
	h := ipHeader{proto: protoTCP, src: "192.0.2.2", dst: "192.0.2.1"}
	c.f.frame(build(append(slices.Clone(c.layers), h, tcpHeader{sport: c.ports[1], dport: c.ports[0], seq: 9, ack: c.isn + 1 + uint32(off), flags: tcpACK})...))
}

func newConn(cfg Config) (*conn, *feed) {
	f := newFeed(cfg)
	return &conn{f: f, isn: 1000, ports: [2]int{40000, 5070}, layers: []any{etherHeader{etIPv4}}}, f
}

func request(method string, body int) string {
	return strings.ReplaceAll(long(body), "MESSAGE", method)
}

func TestTCP(t *testing.T) {
	a, b, c := request("INVITE", 700), request("NOTIFY", 30), request("BYE", 0)
	all := a + b + c
	type step struct {
		off, end int
	}
	for _, x := range []struct {
		name  string
		isn   uint32
		steps []step
		want  [][]uint64 // frames of the three messages, counted without the SYN
	}{
		{"one segment", 1000, []step{{0, len(all)}}, [][]uint64{{1}, {1}, {1}}},
		{"a segment a message", 1000, []step{{0, len(a)}, {len(a), len(a + b)}, {len(a + b), len(all)}}, [][]uint64{{1}, {2}, {3}}},
		{"in order", 1000, []step{{0, 100}, {100, 600}, {600, len(all)}}, [][]uint64{{1, 2, 3}, {3}, {3}}},
		{"out of order", 1000, []step{{100, 600}, {600, len(all)}, {0, 100}}, [][]uint64{{1, 2, 3}, {2}, {2}}},
		{"last first", 1000, []step{{600, len(all)}, {100, 600}, {0, 100}}, [][]uint64{{1, 2, 3}, {1}, {1}}},
		{"retransmission", 1000, []step{{0, 100}, {0, 100}, {100, len(all)}, {100, len(all)}, {0, len(all)}}, [][]uint64{{1, 3}, {3}, {3}}},
		{"longer retransmission", 1000, []step{{0, 100}, {0, 600}, {0, len(all)}}, [][]uint64{{1, 2, 3}, {3}, {3}}},
		{"overlap", 1000, []step{{0, 300}, {200, 600}, {500, len(all)}}, [][]uint64{{1, 2, 3}, {3}, {3}}},
		{"overlap of waiting", 1000, []step{{200, 600}, {300, 700}, {0, 400}, {650, len(all)}}, [][]uint64{{1, 2, 3, 4}, {4}, {4}}},
		{"wrap around", 0xffffffff - 250, []step{{0, 100}, {100, 400}, {300, 600}, {600, len(all)}}, [][]uint64{{1, 2, 3, 4}, {4}, {4}}},
		{"wrap around out of order", 0xffffffff - 250, []step{{400, len(all)}, {200, 400}, {0, 200}, {200, 400}}, [][]uint64{{1, 2, 3}, {1}, {1}}},
		{"wrap at the syn", 0xffffffff, []step{{0, len(all)}}, [][]uint64{{1}, {1}, {1}}},
		{"single octets first", 1000, []step{{0, 1}, {1, 2}, {2, 3}, {3, len(all)}}, [][]uint64{{1, 2, 3, 4}, {4}, {4}}},
	} {
		for _, syn := range []bool{true, false} {
			if !syn && x.steps[0].off != 0 {
				continue // nobody can know that something came before
			}
			co, f := newConn(Config{})
			co.isn = x.isn
			co.syn()
			if !syn {
				co, f = newConn(Config{})
				co.isn, f.n = x.isn, 1
			}
			for _, s := range x.steps {
				co.data(s.off, all[s.off:s.end])
			}
			co.fin(len(all))
			if got := f.texts(); !slices.Equal(got, []string{a, b, c}) {
				t.Errorf("%s syn=%v: %d units, %v %+v", x.name, syn, len(got), f.findings, f.d.stats)
				continue
			}
			for i, u := range f.units {
				var want []uint64
				for _, n := range x.want[i] {
					want = append(want, n+1)
				}
				if !slices.Equal(u.Frames, want) || u.Transport != TCP || !u.Stream || u.Truncated || len(u.Findings) > 0 || u.Reassembled != (len(want) > 1) {
					t.Errorf("%s message %d: frames %v, want %v, %v", x.name, i, u.Frames, want, u.Findings)
				}
				checkSegments(t, u, len(u.Data))
			}
			f.d.Flush()
			if len(f.units) != 3 || len(f.findings) > 0 {
				t.Errorf("%s: after the end: %v", x.name, f.findings)
			}
			if f.d.streams.bytes() != 0 || len(f.d.streams.m) != 0 {
				t.Errorf("%s: %d octets held", x.name, f.d.streams.bytes())
			}
		}
	}
}

func TestTCPSegments(t *testing.T) {
	a := request("INVITE", 700)
	co, f := newConn(Config{})
	co.syn()
	co.data(500, a[500:900])
	co.data(0, a[:500])
	co.data(900, a[900:])
	want := []record.Segment{{Off: 0, Frame: 3}, {Off: 500, Frame: 2}, {Off: 900, Frame: 4}}
	if len(f.units) != 1 || !slices.Equal(f.units[0].Segments, want) || f.units[0].Time != f.time {
		t.Fatalf("%+v", f.units)
	}
	if s := f.d.Stats(); s.Segments != 3 || s.OutOfOrder != 1 || s.StreamsSIP != 1 || s.Verdicts[VerdictTransport] != 1 || s.Verdicts[VerdictSIP] != 1 {
		t.Errorf("%+v", s)
	}
}

// TestTCPEnd: ends of streams that other reassemblers trip over.
func TestTCPEnd(t *testing.T) {
	a, b := request("INVITE", 700), request("BYE", 0)
	t.Run("fin before missing data", func(t *testing.T) {
		co, f := newConn(Config{})
		co.syn()
		co.data(0, a[:300])
		co.fin(len(a + b))
		co.data(500, (a + b)[500:])
		co.data(300, a[300:500])
		if !slices.Equal(f.texts(), []string{a, b}) {
			t.Errorf("%q", f.texts())
		}
	})
	t.Run("retransmission after fin", func(t *testing.T) {
		co, f := newConn(Config{})
		co.syn()
		co.data(0, a)
		co.fin(len(a))
		co.data(0, a)
		co.f.frame(co.segment(tcpFIN|tcpACK, 0, a))
		f.d.Flush()
		if !slices.Equal(f.texts(), []string{a}) || len(f.findings) > 0 {
			t.Errorf("%q", f.texts())
		}
	})
	t.Run("fin with data", func(t *testing.T) {
		co, f := newConn(Config{})
		co.data(0, a[:100])
		co.f.frame(co.segment(tcpFIN|tcpACK, 100, a[100:]))
		if !slices.Equal(f.texts(), []string{a}) {
			t.Errorf("%q", f.texts())
		}
	})
	t.Run("fin inside a message", func(t *testing.T) {
		co, f := newConn(Config{})
		co.data(0, a[:500])
		co.fin(500)
		if len(f.units) != 1 || !f.units[0].Truncated || string(f.units[0].Data) != a[:500] {
			t.Errorf("%+v", f.units)
		}
	})
	t.Run("stale rst", func(t *testing.T) {
		co, f := newConn(Config{})
		co.data(0, a[:500])
		co.rst(5)
		co.data(500, a[500:])
		co.data(len(a), b)
		if !slices.Equal(f.texts(), []string{a, b}) {
			t.Errorf("%q", f.texts())
		}
	})
	t.Run("rst", func(t *testing.T) {
		co, f := newConn(Config{})
		co.data(0, a[:500])
		co.rst(500)
		f.time += 2e9
		f.frame(build(etherHeader{0x806}, make([]byte, 46)))
		if len(f.units) != 1 || !f.units[0].Truncated || f.units[0].Time >= f.time {
			t.Errorf("%+v", f.units)
		}
	})
	t.Run("ports used again", func(t *testing.T) {
		co, f := newConn(Config{})
		co.syn()
		co.data(0, a[:500])
		co.isn = 777000
		co.syn()
		co.syn()
		co.data(0, b)
		if len(f.units) != 2 || !f.units[0].Truncated || string(f.units[1].Data) != b || f.units[1].Truncated {
			t.Errorf("%+v", f.units)
		}
	})
	t.Run("ports used again without syn", func(t *testing.T) {
		co, f := newConn(Config{})
		co.data(0, a)
		co.isn += 1 << 30
		co.data(0, b)
		if !slices.Equal(f.texts(), []string{a, b}) {
			t.Errorf("%q", f.texts())
		}
	})
	t.Run("data with syn", func(t *testing.T) {
		co, f := newConn(Config{})
		co.f.frame(co.segment(tcpSYN, -1, a[:400]))
		co.data(400, a[400:])
		if !slices.Equal(f.texts(), []string{a}) {
			t.Errorf("%q %+v", f.texts(), f.d.stats)
		}
	})
}

// TestTCPProbes: keep-alives and zero-window probes of TCP.
func TestTCPProbes(t *testing.T) {
	a, b := request("INVITE", 700), request("BYE", 0)
	co, f := newConn(Config{})
	co.syn()
	co.data(0, a)
	co.data(len(a)-1, "\x00") // keep-alive with a garbage octet
	co.data(len(a)-1, "")
	co.data(len(a), b[:1]) // zero-window probe
	co.data(len(a), b[:1])
	co.data(len(a), "\x00") // keep-alive after it
	co.data(len(a)+1, b[1:])
	co.data(len(a+b), "\r\n\r\n")
	co.data(len(a+b)+4, "\r\n")
	co.data(len(a+b)+6, a)
	f.d.Flush()
	if !slices.Equal(f.texts(), []string{a, b, a}) || f.d.stats.KeepAlives != 2 || f.d.stats.Conflicts != 0 || len(f.findings) > 0 {
		t.Errorf("%q %+v", f.texts(), f.d.stats)
	}
	for _, u := range f.units {
		if len(u.Findings) > 0 {
			t.Error(u.Findings)
		}
	}
}

// TestTCPConflict: other octets at a place that was seen before, delivered or waiting; the first ones win.
func TestTCPConflict(t *testing.T) {
	a := request("INVITE", 700)
	evil := strings.Repeat("X", 100)
	for name, run := range map[string]func(co *conn){
		"delivered": func(co *conn) {
			co.data(0, a[:300])
			co.data(300, a[300:400])
			co.data(300, evil)
			co.data(400, a[400:])
		},
		"waiting": func(co *conn) {
			co.data(0, a[:200])
			co.data(300, a[300:400])
			co.data(300, evil)
			co.data(200, a[200:300])
			co.data(400, a[400:])
		},
		"filling": func(co *conn) {
			co.data(0, a[:300])
			co.data(350, a[350:400])
			co.data(300, a[300:350]+evil[:50])
			co.data(400, a[400:])
		},
	} {
		co, f := newConn(Config{})
		co.syn()
		run(co)
		if len(f.units) != 1 || string(f.units[0].Data) != a || !unitHas(f.units[0], "tcp-overlap") || f.d.stats.Conflicts != 1 {
			t.Errorf("%s: %q %+v", name, f.texts(), f.d.stats)
		}
	}
}

// TestTCPGap: missing octets inside a message, between messages and inside the body; waiting is ended by an
// acknowledgement, by time, by a limit and by the end.
func TestTCPGap(t *testing.T) {
	a, b, c := request("INVITE", 700), request("NOTIFY", 30), request("BYE", 0)
	all := a + b + c
	tick := func(f *feed, by int64) {
		f.time += by
		f.frame(build(etherHeader{0x806}, make([]byte, 46)))
	}
	for _, x := range []struct {
		name string
		end  func(co *conn)
	}{
		{"time", func(co *conn) { tick(co.f, 4e9); tick(co.f, 2e9) }},
		{"acknowledged", func(co *conn) { co.ackOf(len(all)); tick(co.f, 3e8) }},
		{"end", func(co *conn) { co.f.d.Flush() }},
		{"fin", func(co *conn) { co.fin(len(all)); tick(co.f, 6e9) }},
		{"new syn", func(co *conn) { co.isn = 5; co.syn() }},
	} {
		co, f := newConn(Config{})
		co.syn()
		co.data(0, a[:500])
		co.data(len(a), b)
		co.data(len(a+b), c)
		if len(f.units) != 0 {
			t.Fatal("too early")
		}
		x.end(co)
		if len(f.units) != 3 {
			t.Errorf("%s: %d units %+v", x.name, len(f.units), f.d.stats)
			continue
		}
		u := f.units[0]
		if string(u.Data) != a[:500] || !u.Truncated || !unitHas(u, "tcp-gap") || string(f.units[1].Data) != b || f.units[1].Truncated || string(f.units[2].Data) != c {
			t.Errorf("%s: %+v", x.name, u)
		}
		if !slices.Equal(f.units[1].Frames, []uint64{3}) || f.units[1].Time > 1_700_000_000e9+3*f.step {
			t.Errorf("%s: %v", x.name, f.units[1])
		}
		if f.d.stats.Gaps != 1 || f.d.stats.GapOctets != uint64(len(a)-500) {
			t.Errorf("%s: %+v", x.name, f.d.stats)
		}
	}

	// Between two messages: the finding belongs to none.
	co, f := newConn(Config{})
	co.syn()
	co.data(0, a)
	co.data(len(a+b), c)
	f.d.Flush()
	if !slices.Equal(f.texts(), []string{a, c}) || len(f.findings) != 1 || f.findings[0].ID != "tcp-gap" || f.contexts[0].Transport != TCP || f.contexts[0].Dst.Port() != 5070 {
		t.Errorf("%q %v %v", f.texts(), f.findings, f.contexts)
	}

	// The gap ends inside a message: its rest is junk, the next start line is found.
	co, f = newConn(Config{})
	co.syn()
	co.data(0, a[:500])
	co.data(len(a)+50, all[len(a)+50:])
	f.d.Flush()
	if len(f.units) != 2 || string(f.units[1].Data) != c {
		t.Errorf("%q", f.texts())
	}
}

// TestTCPResync: after a gap a message is found at the beginning of a segment too, when the body before it does not end
// in a line end, as XML often does not.
func TestTCPResync(t *testing.T) {
	a, b := request("INVITE", 700), request("BYE", 0)
	co, f := newConn(Config{})
	co.syn()
	co.data(0, a[:200])
	co.data(300, a[300:len(a)-2]+"</x>")
	co.data(len(a)+2, b)
	co.data(len(a)+2+len(b), b)
	f.d.Flush()
	if got := f.texts(); len(got) != 3 || got[1] != b || got[2] != b {
		t.Errorf("%q", got)
	}
}

// TestTCPLimits: a stream cannot make the decoder keep more than its limits.
func TestTCPLimits(t *testing.T) {
	a, b := request("INVITE", 700), request("BYE", 0)
	for name, cfg := range map[string]Config{"bytes": {StreamBytes: 2000}, "segments": {StreamSegments: 4}} {
		co, f := newConn(cfg)
		co.syn()
		co.data(0, a[:500])
		off := len(a)
		for range 10 {
			co.data(off, b)
			off += len(b)
		}
		if len(f.units) != 11 || !f.has("flow-limit") {
			t.Errorf("%s: %d units %+v", name, len(f.units), f.d.stats)
		}
	}
}

// TestTCPCut: segments that the capture cut off are not waited for.
func TestTCPCut(t *testing.T) {
	a, b := request("INVITE", 700), request("BYE", 0)
	co, f := newConn(Config{})
	co.syn()
	frame := co.segment(tcpACK, 0, a)
	f.cut(frame, len(frame)-300)
	co.data(len(a), b)
	if len(f.units) != 2 || !f.units[0].Truncated || string(f.units[0].Data) != a[:len(a)-300] || string(f.units[1].Data) != b || f.units[1].Truncated {
		t.Fatalf("%q %+v", f.texts(), f.d.stats)
	}
	if !strings.Contains(f.units[0].Findings[0].Message, "cut the frame off") {
		t.Error(f.units[0].Findings)
	}
}

// TestTCPMidstream: the capture began inside a message.
func TestTCPMidstream(t *testing.T) {
	a, b := request("INVITE", 700), request("BYE", 0)
	co, f := newConn(Config{})
	co.data(400, a[400:]+b)
	if !slices.Equal(f.texts(), []string{b}) || !f.has("tcp-midstream") {
		t.Errorf("%q %v", f.texts(), f.findings)
	}
	co, f = newConn(Config{})
	co.data(400, a[400:500]) // the next start line is in the second segment
	co.data(500, a[500:]+b)
	if !slices.Equal(f.texts(), []string{b}) {
		t.Errorf("%q", f.texts())
	}
	co, f = newConn(Config{})
	co.data(0, strings.Repeat("\r\n\r\n", 20)) // only keep-alives at first
	co.data(80, "\r\n\r\n")
	co.data(84, b)
	if len(f.units) != 1 || string(f.units[0].Data) != b || f.d.stats.KeepAlives == 0 {
		t.Errorf("%q %+v", f.texts(), f.d.stats)
	}
}

// TestTCPIgnored: a stream that is not SIP keeps only its entry, and comes back when SIP begins on it.
func TestTCPIgnored(t *testing.T) {
	b := request("BYE", 0)
	for _, first := range []string{"SSH-2.0-x\r\n", "\x00\x00\x00\x01", "HELO x\r\n"} {
		co, f := newConn(Config{})
		co.syn()
		co.data(0, first)
		for i := range 100 {
			co.data(1000*(i+1), strings.Repeat("\x17\x03\x03", 400))
		}
		if f.d.streams.bytes() > streamCost || f.d.stats.StreamsIgnored != 1 {
			t.Errorf("%q: %d octets held, %+v", first, f.d.streams.bytes(), f.d.stats)
		}
		co.data(200000, b)
		f.d.Flush()
		if !slices.Equal(f.texts(), []string{b}) || len(f.findings) != 0 {
			t.Errorf("%q: %q %v", first, f.texts(), f.findings)
		}
	}
}

// TestTCPHandover: a connection goes on when its GTP tunnel changes, and another VLAN is another connection.
func TestTCPHandover(t *testing.T) {
	a := request("INVITE", 700)
	gtp := func(teid uint32, in []byte) []byte {
		return build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{portGTPU, portGTPU}, raw(cat([]byte{0x30, 255}, be16(len(in)), be32(teid))), in)
	}
	co, f := newConn(Config{})
	co.layers = nil
	f.frame(gtp(1, co.segment(tcpACK, 0, a[:500])))
	f.frame(gtp(2, co.segment(tcpACK, 500, a[500:])))
	if !slices.Equal(f.texts(), []string{a}) {
		t.Errorf("%q", f.texts())
	}
	co, f = newConn(Config{})
	for _, off := range []int{0, 450} {
		for _, tag := range []int{5, 6} {
			co.layers = []any{etherHeader{etVLAN}, tagHeader{tag, etIPv4}}
			co.data(off, a[off:off+450])
		}
	}
	for _, tag := range []int{5, 6} {
		co.layers = []any{etherHeader{etVLAN}, tagHeader{tag, etIPv4}}
		co.data(900, a[900:])
	}
	if !slices.Equal(f.texts(), []string{a, a}) {
		t.Errorf("%d units", len(f.units))
	}
}

// TestTCPJunk: octets between messages, and a stream that turns into something else.
func TestTCPJunk(t *testing.T) {
	a, b := request("INVITE", 700), request("BYE", 0)
	co, f := newConn(Config{})
	co.syn()
	co.data(0, a+"this is no SIP\r\n\r\n"+b)
	if !slices.Equal(f.texts(), []string{a, b}) || !f.has("stream-junk") {
		t.Errorf("%q %v", f.texts(), f.findings)
	}
	co, f = newConn(Config{})
	co.syn()
	co.data(0, a)
	junk := strings.Repeat("\xff\xfe", 2000)
	for i := range 100 {
		co.data(len(a)+i*4000, junk)
	}
	if f.d.stats.StreamsIgnored != 1 || f.d.streams.bytes() > streamCost {
		t.Errorf("%d %+v", f.d.streams.bytes(), f.d.stats)
	}
}

// TestTCPFlood: SYN floods and single segments do not push a SIP stream out, and the table stays bounded.
func TestTCPFlood(t *testing.T) {
	a := request("INVITE", 700)
	co, f := newConn(Config{Streams: 100})
	f.step = 1000
	co.syn()
	co.data(0, a[:500])
	for i := range 5000 {
		x := *co
		x.ports = [2]int{1000 + i, 80}
		if i%2 == 0 {
			x.syn()
		} else {
			x.data(0, "\x01\x02\x03")
		}
		if len(f.d.streams.m) > 100 {
			t.Fatal(len(f.d.streams.m))
		}
	}
	co.data(500, a[500:])
	if !slices.Equal(f.texts(), []string{a}) || f.d.stats.Limits[LimitStreams] != 4901 {
		t.Errorf("%q %+v", f.texts(), f.d.stats)
	}
	if len(f.findings) != 4 { // at 1, 10, 100 and 1000
		t.Errorf("%v", f.findings)
	}
}

// FuzzSegments: a stream of SIP messages, cut, repeated and reordered as the script says, gives only messages of the
// stream or beginnings of them, each message at most once, in order.
func FuzzSegments(f *testing.F) {
	var want []string
	stream := ""
	for i := range 4 {
		m := strings.Replace(request("INVITE", 100*i), "Call-ID: 1", "Call-ID: "+itoa(i+10), 1)
		want = append(want, m)
		stream += m
	}
	f.Add([]byte{0, 255, 1, 255, 2, 255, 3, 255, 4, 255, 5, 255, 6, 255}, uint32(0), true)
	f.Add([]byte{3, 200, 0, 255, 2, 10, 1, 255, 3, 3, 9, 255}, uint32(0xfffffe00), false)
	f.Add([]byte{0, 255, 5, 255, 200, 0, 201, 0, 1, 255}, uint32(7), true)
	f.Fuzz(func(t *testing.T, script []byte, isn uint32, syn bool) {
		co, fe := newConn(Config{StreamBytes: 4000, StreamSegments: 16})
		co.isn = isn
		if syn {
			co.syn()
		}
		for len(script) >= 2 {
			at, n := int(script[0])*8, int(script[1])*2
			script = script[2:]
			switch {
			case at >= 1900: // rare things
				switch n % 4 {
				case 0:
					co.rst(at - 1900)
				case 1:
					co.fin(len(stream))
				case 2:
					co.ackOf(at)
				case 3:
					fe.time += 6e9
				}
				continue
			case at > len(stream):
				continue
			}
			co.data(at, stream[at:min(len(stream), at+n)])
		}
		fe.d.Flush()
		next := 0
		for _, u := range fe.units {
			i := next
			for i < len(want) && !strings.HasPrefix(want[i], string(u.Data)) {
				i++
			}
			switch {
			case u.Truncated:
				if i == len(want) && !strings.Contains(stream, string(u.Data[:min(len(u.Data), 20)])) {
					t.Fatalf("not of the stream: %q", u.Data)
				}
			case i < len(want):
				next = i + 1
			case !strings.Contains(stream, string(u.Data)) && syn: // after a gap, "ITE sip:..." passes for a request
				t.Fatalf("not of the stream: %q", u.Data)
			case slices.Contains(want, string(u.Data)) && syn:
				t.Fatalf("out of order, or again: %q", u.Data)
			}
			if len(u.Frames) == 0 || len(u.Segments) == 0 || u.Segments[0].Off != 0 {
				t.Fatalf("%+v", u)
			}
		}
		if d := fe.d; d.streams.bytes() != 0 || len(d.streams.m)+len(d.streams.heap) != 0 {
			t.Fatal("state left")
		}
	})
}
