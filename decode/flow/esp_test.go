package flow

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// espPacket wraps a payload in ESP with null encryption.
func espPacket(next byte, icv int, b []byte) []byte {
	out := cat(be32(0xabcd), be32(7), b)
	pad := 0
	for (len(out)+2)%4 != 0 {
		pad++
		out = append(out, byte(pad))
	}
	out = append(out, byte(pad), next)
	for i := range icv {
		out = append(out, byte(i*37+201))
	}
	return out
}

func TestESP(t *testing.T) {
	u := build(udpHeader{40000, 40001}, sipRequest)
	in4, in6 := build(udp4(sipRequest)...), build(udp6(sipRequest)...)
	for _, icv := range []int{0, 12, 16, 24, 32} {
		for name, b := range map[string][]byte{
			"udp":     build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoESP}, espPacket(protoUDP, icv, u)),
			"tunnel4": build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, espPacket(protoIPIP, icv, in4)),
			"tunnel6": build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, espPacket(protoIPv6, icv, in6)),
			"in udp":  build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{4500, 60000}, espPacket(protoUDP, icv, u)),
		} {
			f := newFeed(Config{})
			f.frame(b)
			if !slices.Equal(f.texts(), []string{sipRequest}) || f.units[0].Truncated || f.units[0].Encap[0] != "esp" || f.units[0].Src.Port() != 40000 {
				t.Errorf("%s, check value of %d: %q %+v", name, icv, f.texts(), f.d.stats)
			}
		}
	}
	// A stream that goes on under another SPI.
	a := request("INVITE", 700)
	f := newFeed(Config{})
	for i, off := range []int{0, 500} {
		seg := build(tcpHeader{sport: 5060, dport: 5070, seq: uint32(off), flags: tcpACK}, a[off:min(len(a), off+500+i*1000)])
		e := espPacket(protoTCP, 12, seg)
		e[3] = byte(i)
		f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, e))
	}
	if !slices.Equal(f.texts(), []string{a}) || strings.Join(f.units[0].Encap, " ") != "esp" {
		t.Errorf("%q", f.texts())
	}
	// Cut off by the capture.
	f = newFeed(Config{})
	b := build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, espPacket(protoUDP, 12, u))
	f.cut(b, len(b)-100)
	if len(f.units) != 1 || !f.units[0].Truncated {
		t.Errorf("%v", f.units)
	}
}

// TestESPEncrypted: random octets are not taken for packets, and what cannot be read is told without end neither in number
// nor in memory.
func TestESPEncrypted(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	f := newFeed(Config{})
	const n = 20000
	for range n {
		b := make([]byte, 100)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, b))
	}
	f.d.Flush()
	s := f.d.Stats()
	if len(f.units) != 0 || s.Encrypted < n-3 || s.ESP != n || s.Limits[LimitSPIs] == 0 || len(s.UnreadSPIs) != maxESPListed || len(f.d.esps.m) != 4096 {
		t.Errorf("%+v", s)
	}
	told := 0
	for _, g := range f.findings {
		switch g.ID {
		case "esp-no-key":
			told++
		case "flow-limit":
		default:
			t.Errorf("%+v", g)
		}
	}
	if told != maxESPTold {
		t.Errorf("told %d times", told)
	}
}

// TestESPPadding: padding of zeros, other protocols inside, and packets of which only the SA's history tells how they are
// laid out.
func TestESPPadding(t *testing.T) {
	u := build(udpHeader{40000, 40001}, sipRequest+"x")
	e := espPacket(protoUDP, 12, u)
	end := len(e) - 12 - 2
	if n := int(e[end]); n < 2 {
		t.Fatalf("padding of %d", n)
	}
	zero := slices.Clone(e)
	clear(zero[end-int(e[end]) : end])
	odd := slices.Clone(e)
	odd[end-1] = 0x77
	icmp := espPacket(protoICMP, 12, []byte{8, 0, 0, 0, 1, 2, 3, 4})
	for name, c := range map[string]struct {
		list  [][]byte
		units int
		null  uint64
	}{
		"zeros":            {[][]byte{zero}, 1, 1},
		"neither":          {[][]byte{odd}, 0, 0},
		"a ping":           {[][]byte{icmp}, 0, 0},
		"a ping after SIP": {[][]byte{e, icmp}, 1, 2},
	} {
		f := newFeed(Config{})
		for _, b := range c.list {
			f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, b))
		}
		if len(f.units) != c.units || f.d.stats.ESPNull != c.null || f.d.stats.Encrypted != uint64(len(c.list))-c.null {
			t.Errorf("%s: %d units, %+v", name, len(f.units), f.d.stats)
		}
	}
}

// TestESPMedia: media on the port of ESP is not told of as so many SPIs.
func TestESPMedia(t *testing.T) {
	f := newFeed(Config{})
	for i := range 300 {
		b := make([]byte, 172)
		b[0], b[1], b[2], b[3] = 0x80, 8, byte(i>>8), byte(i)
		f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{20000, 4500}, b))
	}
	f.d.Flush()
	if len(f.findings) != 0 || f.d.stats.Encrypted != 300 {
		t.Errorf("%d findings, %+v", len(f.findings), f.d.stats)
	}
}
