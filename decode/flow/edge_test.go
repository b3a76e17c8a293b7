package flow

import (
	"strings"
	"testing"
	"time"
)

// TestEdges drives limits of the packet stage over their edge: at the limit nothing is counted, beyond it the counter
// rises and a finding tells.
func TestEdges(t *testing.T) {
	big := build(udpHeader{40000, 5070}, long(60000))
	hole := func(f *feed) conn {
		co := conn{f: f, isn: 1, ports: [2]int{40000, 5070}, layers: []any{etherHeader{etIPv4}}}
		co.syn()
		co.data(0, request("INVITE", 700)[:500])
		return co
	}
	for _, x := range []struct {
		limit Limit
		cfg   Config
		n     int // at the limit
		do    func(f *feed, n int)
	}{
		{LimitStreamBytes, Config{StreamBytes: 2000}, 2000, func(f *feed, n int) {
			co := hole(f)
			co.data(600, strings.Repeat("x", n))
		}},
		{LimitStreamSegments, Config{StreamSegments: 4}, 4, func(f *feed, n int) {
			co := hole(f)
			for i := range n {
				co.data(600+20*i, "x")
			}
		}},
		{LimitFragmentSets, Config{FragmentSets: 10}, 10, func(f *feed, n int) {
			for i := range n {
				f.frame(fragFrame(false, i, false, big, part{0, 800, true}))
			}
		}},
		{LimitFragmentPieces, Config{FragmentPieces: 10}, 10, func(f *feed, n int) {
			for i := range n {
				f.frame(fragFrame(false, 1, false, big, part{16 * i, 16*i + 8, true}))
			}
		}},
		{LimitAssociations, Config{Associations: 10}, 10, func(f *feed, n int) {
			for i := range n {
				f.frame(sctpFrame(uint32(i), "", "", dataChunk(2, 1, 0, 0, []byte(sipRequest[:200]))))
			}
		}},
		{LimitStreams, Config{Streams: 10}, 10, func(f *feed, n int) {
			for i := range n {
				co := conn{f: f, isn: 1, ports: [2]int{1000 + i, 5070}, layers: []any{etherHeader{etIPv4}}}
				co.data(0, sipRequest[:200])
			}
		}},
		{LimitMemory, Config{Memory: 1 << 20}, 10, func(f *feed, n int) {
			for i := range n {
				for k := range 60 {
					f.frame(fragFrame(false, i, false, big, part{800 * k, 800 * (k + 1), true}))
				}
				if n == 10 && i == 5 {
					return
				}
				f.frame(fragFrame(false, 100+i, false, big, part{0, 59200, true}))
			}
		}},
	} {
		for over := range 2 {
			f := newFeed(x.cfg)
			f.step = 1000
			x.do(f, x.n+over)
			if got := f.d.Stats().Limits[x.limit]; (got > 0) != (over == 1) || f.has("flow-limit") != (over == 1) {
				t.Errorf("%s at %d: bit %d times, %v", x.limit, x.n+over, got, f.findings)
			}
		}
	}

	// Octets of one SCTP direction: its incomplete messages are given up.
	for _, octets := range []int{1000, 200_000} {
		f := newFeed(Config{AssocBytes: 100_000})
		f.step = 1000
		for i := range octets / 500 {
			f.frame(sctpFrame(9, "", "", dataChunk(0, uint32(i*2), 0, 0, []byte(strings.Repeat("x", 500)))))
		}
		if got := f.d.Stats().Limits[LimitAssocBytes]; (got > 0) != (octets > 100_000) || f.has("flow-limit") != (octets > 100_000) {
			t.Errorf("%d octets of an association: bit %d times", octets, got)
		}
	}
}

// TestWaits: how long missing octets and fragments are waited for, in packet time.
func TestWaits(t *testing.T) {
	for _, late := range []bool{false, true} {
		f := newFeed(Config{GapWait: 2 * time.Second, FragmentTimeout: 2 * time.Second})
		co := conn{f: f, isn: 1, ports: [2]int{40000, 5070}, layers: []any{etherHeader{etIPv4}}}
		co.syn()
		m := request("INVITE", 700)
		co.data(0, m[:500])
		co.data(600, m[600:])
		f.frame(fragFrame(false, 1, false, build(udpHeader{40000, 5070}, long(3000)), part{0, 800, true}))
		for range 30 {
			f.time += 50e6
			if late {
				f.time += 50e6
			}
			f.frame(rtpFrame(0, false))
		}
		if f.has("tcp-gap") != late || f.d.Stats().FragmentTimedOut > 0 != late {
			t.Errorf("late %v: %v, %+v", late, f.findings, f.d.Stats())
		}
	}
}

// TestHTTPEdges: fields of a message, findings about a connection, the table of HPACK.
func TestHTTPEdges(t *testing.T) {
	for over := range 2 {
		k, f := newTalk(Config{})
		k.open().client("GET " + kmsInit + " HTTP/1.1\r\nHost: kms\r\n" + strings.Repeat("X: y\r\n", maxHTTPFields-1+over) + "\r\n").close().end()
		if len(f.units) != 1 || unitHas(f.units[0], "http-fields") != (over == 1) || len(f.units[0].HTTP.Header) != maxHTTPFields {
			t.Errorf("%d fields: %q", maxHTTPFields+over, briefs(f))
		}

		c := newH2Side()
		c.settings()
		k, f = newTalk(Config{AllHTTP: true})
		k.open().client(string(h2Preface) + c.take())
		server := newH2Side()
		server.settings(1, 2*maxHpackTable)
		k.server(server.take())
		// A dynamic table size update (RFC 7541 6.3) to the largest table that is kept, and one more.
		n := maxHpackTable + over - 31
		update := []byte{0x3f}
		for ; n >= 128; n >>= 7 {
			update = append(update, byte(n)|0x80)
		}
		c.fields(1, h2EndStream|h2EndHeaders, append(append(update, byte(n)), c.block(":method", "GET", ":scheme", "http", ":path", kmsInit, ":authority", "kms")...))
		k.client(c.take()).end()
		if told := f.has("h2-compression") || len(f.units) > 0 && unitHas(f.units[0], "h2-compression"); told != (over == 1) {
			t.Errorf("a table of %d octets: told %v, %q, %v", maxHpackTable+over, told, briefs(f), f.findings)
		}
	}
	// Findings about the streams of one connection.
	c := newH2Side()
	c.settings()
	k, f := newTalk(Config{AllHTTP: true})
	k.open().client(string(h2Preface) + c.take())
	for i := range 3 * maxH2Told {
		id := uint32(2*i + 1)
		c.get(id, kmsInit)
		c.reset(id, 1)
	}
	k.client(c.take()).end()
	if n := len(f.findings); n < maxH2Told || n > maxH2Told+2 {
		t.Errorf("%d findings about a connection", n)
	}
}
