package flow

import (
	"testing"
)

func TestICMP(t *testing.T) {
	long := request("INVITE", 2000)
	in4, in6 := build(udp4(long)...), build(udp6(long)...)
	err4 := func(typ, words byte, q []byte) []byte {
		return build(etherHeader{etIPv4}, ipHeader{proto: protoICMP, src: "203.0.113.1", dst: "192.0.2.1"}, raw{typ, 3, 0, 0, 0, words, 0, 0}, q)
	}
	err6 := func(typ, words byte, q []byte) []byte {
		return build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoICMPv6, src: "2001:db8::9", dst: "2001:db8::1"}, raw{typ, 3, 0, 0, words, 0, 0, 0}, q)
	}
	ext := []byte{0x20, 0, 0, 0, 0, 8, 1, 1, 0, 0, 0x10, 1}
	for _, c := range []struct {
		name      string
		b         []byte
		octets    int // of the message
		truncated bool
	}{
		{"unreachable", err4(3, 0, in4[:548]), 520, true},
		{"whole", err4(3, 0, in4), len(long), false},
		{"time exceeded", err4(11, 0, in4[:300]), 272, true},
		{"with extensions", err4(3, 32, cat(in4[:128], ext)), 100, true},
		{"only the ports", err4(3, 0, in4[:28]), 0, false},
		{"echo", err4(8, 0, in4), 0, false},
		{"redirect", err4(5, 9, in4[:200]), 172, true},
		{"v6 unreachable", err6(1, 0, in6[:1232]), 1184, true},
		{"v6 too big", err6(2, 0, in6[:1232]), 1184, true},
		{"v6 with extensions", err6(3, 20, cat(in6[:160], ext)), 112, true},
		{"v6 echo", err6(128, 0, in6), 0, false},
		{"first fragment", err4(11, 0, fragFrame(false, 1, false, build(udpHeader{40000, 40001}, long), part{0, 1200, true})[14:]), 1192, true},
	} {
		f := newFeed(Config{})
		f.frame(c.b)
		f.d.Flush()
		if c.octets == 0 {
			if len(f.units) != 0 || f.d.stats.Verdicts[VerdictOther] != 1 {
				t.Errorf("%s: %v", c.name, f.texts())
			}
			continue
		}
		if len(f.units) != 1 {
			t.Errorf("%s: %d units %+v", c.name, len(f.units), f.d.stats)
			continue
		}
		u := f.units[0]
		if !u.Quoted || u.Truncated != c.truncated || string(u.Data) != long[:c.octets] || u.Src.Port() != 40000 || len(u.Findings) > 0 || u.Encap[0] != "icmp" {
			t.Errorf("%s: %d octets, %+v", c.name, len(u.Data), u)
		}
		if s := u.Src.Addr().String(); s != "192.0.2.1" && s != "2001:db8::1" {
			t.Errorf("%s: source %s", c.name, s)
		}
	}
}
