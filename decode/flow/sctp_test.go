package flow

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

func sctpFrame(tag uint32, src, dst string, chunks ...[]byte) []byte {
	return build(etherHeader{etIPv4}, ipHeader{proto: protoSCTP, src: src, dst: dst}, sctpHeader{5060, 5062, tag}, cat(chunks...))
}

func TestSCTP(t *testing.T) {
	a, b, c := request("INVITE", 3000), request("NOTIFY", 30), request("BYE", 0)
	third := func(i int) []byte { return []byte(a[i*1100 : min(len(a), (i+1)*1100)]) }
	p := [3][]byte{dataChunk(2, 10, 1, 1, third(0)), dataChunk(0, 11, 1, 1, third(1)), dataChunk(1, 12, 1, 1, third(2))}
	whole := func(tsn uint32, m string) []byte { return dataChunk(3, tsn, 2, 5, []byte(m)) }
	sack := []byte{3, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	for _, x := range []struct {
		name   string
		frames [][][]byte
		want   []string
	}{
		{"whole", [][][]byte{{whole(1, b)}, {whole(2, c)}}, []string{b, c}},
		{"bundled", [][][]byte{{sack, whole(1, b), whole(2, c)}}, []string{b, c}},
		{"fragmented", [][][]byte{{p[0]}, {p[1]}, {p[2]}}, []string{a}},
		{"out of order", [][][]byte{{p[2]}, {whole(13, b)}, {p[0]}, {p[1]}}, []string{b, a}},
		{"retransmitted", [][][]byte{{p[0]}, {p[0]}, {p[1]}, {p[2]}, {p[1]}, {whole(13, b)}, {whole(13, b)}}, []string{a, b}},
		{"not sip", [][][]byte{{dataChunk(3, 1, 0, 0, []byte("\x01\x00\x02\x01m3ua"))}, {dataChunk(2, 2, 0, 0, []byte("\x00\x0f"))}, {dataChunk(1, 3, 0, 0, []byte("rest"))}}, nil},
		{"tsn wrap", [][][]byte{{dataChunk(2, 0xffffffff, 1, 1, third(0))}, {dataChunk(1, 1, 1, 1, third(2))}, {dataChunk(0, 0, 1, 1, third(1))}}, []string{a}},
	} {
		f := newFeed(Config{})
		for _, chunks := range x.frames {
			f.frame(sctpFrame(77, "", "", chunks...))
		}
		if got := f.texts(); !slices.Equal(got, x.want) {
			t.Errorf("%s: %d units, want %d, %+v", x.name, len(got), len(x.want), f.d.stats)
		}
		for _, u := range f.units {
			if u.Transport != SCTP || u.Stream || u.Truncated || len(u.Findings) > 0 || u.Reassembled != (len(u.Frames) > 1) {
				t.Errorf("%s: %+v", x.name, u)
			}
			checkSegments(t, u, len(u.Data))
		}
		f.d.Flush()
		if len(f.units) != len(x.want) || f.d.assocs.bytes != 0 || len(f.d.assocs.m) != 0 {
			t.Errorf("%s: %d units after the end, %d octets", x.name, len(f.units), f.d.assocs.bytes)
		}
	}
}

func TestSCTPSegments(t *testing.T) {
	a := request("INVITE", 3000)
	f := newFeed(Config{})
	f.frame(sctpFrame(1, "", "", dataChunk(1, 12, 1, 1, []byte(a[2000:]))))
	f.frame(sctpFrame(1, "192.0.2.9", "192.0.2.10", dataChunk(2, 10, 1, 1, []byte(a[:1000])), dataChunk(0, 11, 1, 1, []byte(a[1000:2000])))) // another path
	if len(f.units) != 1 || !slices.Equal(f.units[0].Segments, []record.Segment{{Off: 0, Frame: 2}, {Off: 2000, Frame: 1}}) || !slices.Equal(f.units[0].Frames, []uint64{1, 2}) {
		t.Errorf("%+v", f.units)
	}
}

func TestSCTPIncomplete(t *testing.T) {
	a := request("INVITE", 3000)
	f := newFeed(Config{})
	f.frame(sctpFrame(1, "", "", dataChunk(2, 10, 1, 1, []byte(a[:1000]))))
	f.frame(sctpFrame(1, "", "", dataChunk(1, 12, 1, 1, []byte(a[2000:]))))
	f.d.Flush()
	if len(f.units) != 1 || !f.units[0].Truncated || string(f.units[0].Data) != a[:1000] || !unitHas(f.units[0], "sctp-incomplete") {
		t.Errorf("%+v", f.units)
	}
}

// TestSCTPSameTSN: a generator that numbers every chunk alike is read, and told of.
func TestSCTPSameTSN(t *testing.T) {
	b, c := request("NOTIFY", 30), request("BYE", 0)
	f := newFeed(Config{})
	for _, m := range []string{b, c, b} {
		f.frame(sctpFrame(0, "", "", dataChunk(3, 0, 0, 0, []byte(m))))
	}
	if got := f.texts(); !slices.Equal(got, []string{b, c}) || !unitHas(f.units[1], "sctp-tsn") {
		t.Errorf("%q", got)
	}
}

func TestSCTPIData(t *testing.T) {
	a := request("INVITE", 1000)
	chunk := func(flags byte, tsn, mid, fsn uint32, b string) []byte {
		c := cat([]byte{chunkIData, flags}, be16(20+len(b)), be32(tsn), be16(1), be16(0), be32(mid), be32(fsn), []byte(b))
		for len(c)%4 != 0 {
			c = append(c, 0)
		}
		return c
	}
	f := newFeed(Config{})
	f.frame(sctpFrame(5, "", "", chunk(2, 1, 7, 0, a[:400]), chunk(0, 2, 7, 1, a[400:900])))
	f.frame(sctpFrame(5, "", "", chunk(1, 3, 7, 2, a[900:])))
	if !slices.Equal(f.texts(), []string{a}) {
		t.Errorf("%q", f.texts())
	}
}

// TestSCTPFlood: associations and fragments without an end are bounded.
func TestSCTPFlood(t *testing.T) {
	f := newFeed(Config{Associations: 50})
	f.step = 1000
	for i := range 2000 {
		f.frame(sctpFrame(uint32(i), "", "", dataChunk(2, 1, 0, 0, []byte(request("BYE", 0)))))
		if len(f.d.assocs.m) > 50 {
			t.Fatal(len(f.d.assocs.m))
		}
	}
	if f.d.stats.Limits[LimitAssociations] != 1950 {
		t.Errorf("%+v", f.d.stats.Limits)
	}
	f = newFeed(Config{AssocBytes: 100000})
	f.step = 1000
	for i := range 20000 {
		f.frame(sctpFrame(9, "", "", dataChunk(0, uint32(i*2), 0, 0, []byte(strings.Repeat("x", 500)))))
		if f.d.assocs.bytes > 200000 {
			t.Fatal(f.d.assocs.bytes)
		}
	}
	f.d.Flush()
	if f.d.assocs.bytes != 0 {
		t.Error(f.d.assocs.bytes)
	}
}

// TestSCTPOtherMessage: numbers in a row do not make one message of fragments that belong to two.
func TestSCTPOtherMessage(t *testing.T) {
	a := request("INVITE", 1000)
	f := newFeed(Config{})
	f.frame(sctpFrame(5, "", "", dataChunk(2, 1, 1, 1, []byte(a[:600])), dataChunk(1, 2, 1, 2, []byte(a[600:]))))
	f.frame(sctpFrame(5, "", "", dataChunk(2, 3, 1, 3, []byte(a[:600])), dataChunk(1, 4, 2, 3, []byte(a[600:]))))
	f.d.Flush()
	for _, u := range f.units {
		if !u.Truncated || string(u.Data) != a[:600] {
			t.Errorf("%q", u.Data)
		}
	}
	if len(f.units) != 2 {
		t.Errorf("%d units", len(f.units))
	}
}
