package flow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// collect is a handler that keeps everything.
type collect struct {
	units    []*Unit
	findings []record.Finding
	contexts []Context
}

func (c *collect) Unit(u *Unit) {
	v := *u
	v.Loan.Hold()
	c.units = append(c.units, &v)
}
func (c *collect) Finding(f record.Finding, x Context) {
	c.findings = append(c.findings, f)
	c.contexts = append(c.contexts, x)
}

func (c *collect) texts() (t []string) {
	for _, u := range c.units {
		t = append(t, string(u.Data))
	}
	return t
}

func (c *collect) has(id string) bool {
	for _, f := range c.findings {
		if f.ID == id {
			return true
		}
	}
	for _, u := range c.units {
		if unitHas(u, id) {
			return true
		}
	}
	return false
}

func unitHas(u *Unit, id string) bool {
	return slices.ContainsFunc(u.Findings, func(f record.Finding) bool { return f.ID == id })
}

// feed is a decoder with frames numbered and one millisecond apart.
type feed struct {
	collect
	d    *Decoder
	link uint16
	n    uint64
	time int64
	step int64
}

func newFeed(cfg Config) *feed {
	f := &feed{link: linkEthernet, time: 1_700_000_000e9, step: 1e6}
	f.d = New(cfg, f)
	return f
}

func (f *feed) frame(b []byte) { f.cut(b, len(b)) }

// cut gives the first n octets of a frame.
func (f *feed) cut(b []byte, n int) {
	f.n++
	f.time += f.step
	// The data must not be kept: it is overwritten after the call.
	c := bytes.Clone(b[:n])
	f.d.Frame(&Frame{Number: f.n, Time: f.time, Data: c, Orig: uint32(len(b)), Link: f.link, File: "f", Interface: "i"})
	for i := range c {
		c[i] = 0xee
	}
}

func udp4(p ...any) []any {
	return append([]any{ipHeader{proto: protoUDP}, udpHeader{40000, 40001}}, p...)
}
func udp6(p ...any) []any {
	return append([]any{ipHeader{v6: true, proto: protoUDP}, udpHeader{40000, 40001}}, p...)
}

// tunnels lists every encapsulation that is decoded, each around a plain SIP datagram.
func tunnels() []struct {
	name  string
	link  uint16
	b     []byte
	encap string
} {
	type row = struct {
		name  string
		link  uint16
		b     []byte
		encap string
	}
	sip := sipRequest
	tun := func(port int, rest ...any) []byte {
		return build(append([]any{etherHeader{etIPv4}, ipHeader{proto: protoUDP, src: "198.51.100.1", dst: "198.51.100.2"}, udpHeader{1234, port}}, rest...)...)
	}
	inIP := func(v6 bool, proto byte, rest ...any) []byte {
		t, h := etIPv4, ipHeader{proto: proto, src: "198.51.100.1", dst: "198.51.100.2"}
		if v6 {
			t, h = etIPv6, ipHeader{v6: true, proto: proto, src: "2001:db8:f::1", dst: "2001:db8:f::2"}
		}
		return build(append([]any{etherHeader{t}, h}, rest...)...)
	}
	in4, in6 := build(udp4(sip)...), build(udp6(sip)...)
	lan4 := build(etherHeader{etIPv4}, in4)
	pad := func(b []byte) []byte { return append(slices.Clone(b), 0, 0, 0, 0, 0, 0, 0) }
	gtp := func(flags byte, opt []byte, in []byte) raw {
		return raw(cat([]byte{flags, 255}, be16(len(opt)+len(in)), be32(0x1234), opt, in))
	}
	tlv := func(t int, b []byte) []byte {
		c := cat([]byte{byte(4 + len(b)), 0, byte(t), 0}, b)
		for len(c)%4 != 0 {
			c = append(c, 0)
		}
		return c
	}
	tag := func(t int, b []byte) []byte { return cat(be16(t), be16(len(b)), b) }
	pdu := func(rest ...[]byte) []byte { return cat(cat(rest...), be16(0), be16(0)) }
	ports := cat(tag(25, be32(40000)), tag(26, be32(40001)))
	a4 := cat(tag(20, []byte{192, 0, 2, 1}), tag(21, []byte{192, 0, 2, 2}))
	h6 := ipHeader{v6: true}
	s6, d6 := h6.addrs()
	a6 := cat(tag(22, s6.AsSlice()), tag(23, d6.AsSlice()))
	ext := func(next byte, b []byte) []byte { return cat([]byte{next, 1}, make([]byte, 14), b) }
	u := build(udpHeader{40000, 40001}, sip)
	rows := []row{
		{"ethernet ipv4", 1, build(etherHeader{etIPv4}, in4), ""},
		{"ethernet padding", 1, pad(build(etherHeader{etIPv4}, in4)), ""},
		{"ethernet ipv6", 1, build(etherHeader{etIPv6}, in6), ""},
		{"ethernet ipv6 padding", 1, pad(build(etherHeader{etIPv6}, in6)), ""},
		{"802.1q", 1, build(append(lan(1, false), in4)...), "vlan"},
		{"802.1q ipv6", 1, build(append(lan(1, true), in6)...), "vlan"},
		{"802.1q twice", 1, build(append(lan(2, false), in4)...), "qinq vlan"},
		{"802.1ad", 1, build(etherHeader{etQinQ}, tagHeader{7, etVLAN}, tagHeader{8, etIPv4}, in4), "qinq vlan"},
		{"0x9100", 1, build(etherHeader{etQinQ9100}, tagHeader{7, etVLAN}, tagHeader{8, etIPv4}, in4), "qinq vlan"},
		{"802.3 snap", 1, build(etherHeader{8 + len(in4)}, raw{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, in4), ""},
		{"802.2 ip", 1, build(etherHeader{3 + len(in4)}, raw{6, 6, 3}, in4), ""},
		{"null little endian", 0, build(raw{2, 0, 0, 0}, in4), ""},
		{"null big endian", 0, build(raw{0, 0, 0, 2}, in4), ""},
		{"null ipv6 darwin", 0, build(raw{30, 0, 0, 0}, in6), ""},
		{"null ipv6 freebsd", 0, build(raw{0, 0, 0, 28}, in6), ""},
		{"loop", 108, build(raw{0, 0, 0, 24}, in6), ""},
		{"raw ipv4", 101, in4, ""}, {"raw ipv6", 101, in6, ""}, {"raw 12", 12, in4, ""}, {"raw 14", 14, in6, ""},
		{"ipv4", 228, in4, ""}, {"ipv6", 229, in6, ""},
		{"ppp", 9, build(raw{0, 0x21}, in4), ""},
		{"ppp compressed protocol", 9, build(raw{0x21}, in4), ""},
		{"ppp hdlc", 50, build(raw{0xff, 3, 0, 0x57}, in6), ""},
		{"ppp with direction", 204, build(raw{1, 0xff, 3, 0, 0x21}, in4), ""},
		{"chdlc", 104, build(raw{0x0f, 0, 8, 0}, in4), ""},
		{"pppoe", 1, build(etherHeader{etPPPoE}, raw{0x11, 0, 0, 9}, be16(2+len(in4)), raw{0, 0x21}, pad(in4)), "pppoe"},
		{"pppoe link", 51, build(raw{0x11, 0, 0, 9}, be16(2+len(in6)), raw{0, 0x57}, in6), "pppoe"},
		{"sll", 113, build(raw{0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0}, in4), ""},
		{"sll vlan", 113, build(raw{0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x81, 0, 0, 5, 0x86, 0xdd}, in6), "vlan"},
		{"sll2", 276, build(raw{0x86, 0xdd, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0}, in6), ""},
		{"nflog", 239, build(raw{2, 0, 0, 0}, tlv(10, []byte("prefix\x00")), raw{byte(4 + len(in4)), byte((4 + len(in4)) >> 8), 9, 0}, in4), "nflog"},
		{"nflog big endian", 239, build(raw{10, 0, 0, 0}, raw{0, 5, 0, 10, 0, 0, 0, 0}, be16(4+len(in6)), raw{0, 9}, in6), "nflog"},
		{"mpls", 1, build(etherHeader{etMPLS}, be32(16<<12|64), be32(17<<12|0x100|64), in4), "mpls mpls"},
		{"mpls ipv6", 1, build(etherHeader{etMPLS}, be32(16<<12|0x100|64), in6), "mpls"},
		{"mpls pseudowire", 1, build(etherHeader{etMPLS}, be32(16<<12|0x100|64), raw{0, 0, 0, 0}, lan4), "mpls eth"},
		{"mpls pseudowire without control word", 1, build(etherHeader{etMPLS}, be32(16<<12|0x100|64), raw{2}, lan4[1:]), "mpls eth"},
		{"mpls link", 219, build(be32(17<<12|0x100|64), in4), "mpls"},
		{"ipip", 1, inIP(false, protoIPIP, in4), "ipip"},
		{"6in4", 1, inIP(false, protoIPv6, in6), "6in4"},
		{"4in6", 1, inIP(true, protoIPIP, in4), "ip6tnl"},
		{"6in6", 1, inIP(true, protoIPv6, in6), "ip6tnl"},
		{"gre", 1, inIP(false, protoGRE, raw{0, 0, 8, 0}, in4), "gre"},
		{"gre key seq checksum", 1, inIP(false, protoGRE, raw{0xb0, 0, 0x86, 0xdd, 1, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1}, in6), "gre"},
		{"gre ethernet", 1, inIP(true, protoGRE, raw{0x20, 0, 0x65, 0x58, 0, 0, 7, 0}, lan4), "gre eth"},
		{"gre pptp", 1, inIP(false, protoGRE, raw{0x30, 0x81, 0x88, 0x0b, 0, 9, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 3, 0, 0x21}, in4), "gre"},
		{"gre in udp", 1, tun(portGRE, raw{0, 0, 8, 0}, in4), "gre"},
		{"erspan 1", 1, inIP(false, protoGRE, raw{0, 0, 0x88, 0xbe}, lan4), "gre erspan"},
		{"erspan 2", 1, inIP(false, protoGRE, raw{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 0, 1, 0, 0, 0, 0}, lan4), "gre erspan"},
		{"erspan 3", 1, inIP(false, protoGRE, raw{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, lan4), "gre erspan"},
		{"erspan 3 subheader", 1, inIP(false, protoGRE, raw{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8}, lan4), "gre erspan"},
		{"vxlan", 1, tun(portVXLAN, raw{8, 0, 0, 0, 0, 0, 9, 0}, lan4), "vxlan"},
		{"vxlan old port", 1, tun(portVXLANOl, raw{8, 0, 0, 0, 0, 0, 9, 0}, lan4), "vxlan"},
		{"vxlan gpe", 1, tun(portVXLANGPE, raw{0x0c, 0, 0, 2, 0, 0, 9, 0}, in6), "vxlan"},
		{"geneve", 1, tun(portGENEVE, raw{0, 0, 0x65, 0x58, 0, 0, 9, 0}, lan4), "geneve eth"},
		{"geneve options ipv4", 1, tun(portGENEVE, raw{2, 0, 8, 0, 0, 0, 9, 0, 1, 2, 3, 1, 0, 0, 0, 1}, in4), "geneve"},
		{"gtpu", 1, tun(portGTPU, gtp(0x30, nil, in4)), "gtpu"},
		{"gtpu ipv6", 1, tun(portGTPU, gtp(0x30, nil, in6)), "gtpu"},
		{"gtpu sequence", 1, tun(portGTPU, gtp(0x32, []byte{0, 1, 0, 0x85}, in4)), "gtpu"},
		{"gtpu n-pdu", 1, tun(portGTPU, gtp(0x31, []byte{0, 0, 7, 0}, in4)), "gtpu"},
		{"gtpu pdu session container", 1, tun(portGTPU, gtp(0x34, []byte{0, 0, 0, 0x85, 1, 0, 9, 0}, in4)), "gtpu"},
		{"gtpu two extensions", 1, tun(portGTPU, gtp(0x36, []byte{0, 1, 0, 0x85, 2, 0, 9, 0, 0, 0, 0, 0xc0, 1, 0, 1, 0}, in6)), "gtpu"},
		{"gtpu ethernet", 1, tun(portGTPU, gtp(0x30, nil, lan4)), "gtpu eth"},
		{"gtpu in gtpu", 1, tun(portGTPU, gtp(0x30, nil, tun(portGTPU, gtp(0x30, nil, in4))[14:])), "gtpu gtpu"},
		{"l2tp", 1, tun(portL2TP, raw{0x40, 2}, be16(12+len(in4)), raw{0, 1, 0, 2, 0xff, 3, 0, 0x21}, in4), "l2tp"},
		{"l2tp offset", 1, tun(portL2TP, raw{0x02, 2, 0, 1, 0, 2, 0, 2, 9, 9, 0, 0x21}, in4), "l2tp"},
		{"l2tpv3", 1, inIP(false, protoL2TP, raw{0, 0, 0, 5, 1, 2, 3, 4}, lan4), "l2tp"},
		{"etherip", 1, inIP(false, protoEtherIP, raw{0x30, 0}, lan4), "eth"},
		{"mpls in udp", 1, tun(portMPLS, be32(17<<12|0x100|64), in4), "mpls"},
		{"exported sip", 252, pdu(tag(12, []byte("sip")), a4, tag(24, be32(3)), ports), "exported"},
		{"exported sip ipv6", 252, pdu(tag(12, []byte("sip\x00")), a6, tag(24, be32(3)), ports), "exported"},
		{"exported ip", 252, cat(pdu(tag(12, []byte("ip"))), in4), "exported"},
		{"exported ethernet", 252, cat(pdu(tag(11, be32(1)), tag(12, []byte("eth"))), lan4), "exported"},
		{"ipv4 options", 1, build(etherHeader{etIPv4}, ipHeader{proto: protoUDP, options: []byte{7, 7, 4, 0, 0, 0, 0, 0}}, u), ""},
		{"ipv4 length zero", 1, build(etherHeader{etIPv4}, ipHeader{proto: protoUDP, total: -1}, u), ""},
		{"ipv6 length zero", 1, build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoUDP, total: -1}, u), ""},
		{"ipv6 extensions", 1, build(etherHeader{etIPv6}, ipHeader{v6: true, proto: 0}, ext(protoDest, ext(protoRouting, ext(protoUDP, u)))), ""},
		{"ipv6 atomic fragment", 1, build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoFragment}, fragHeader{next: protoUDP, id: 9}, u), ""},
		{"ah", 1, build(etherHeader{etIPv4}, ipHeader{proto: protoAH}, raw{protoUDP, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, u), ""},
	}
	for i := range rows {
		if strings.HasPrefix(rows[i].name, "exported sip") {
			rows[i].b = append(rows[i].b, sip...)
		}
	}
	return rows
}

func TestStacks(t *testing.T) {
	for _, c := range tunnels() {
		t.Run(c.name, func(t *testing.T) {
			f := newFeed(Config{})
			f.link = c.link
			f.frame(c.b)
			if len(f.units) != 1 {
				t.Fatalf("%d units, %+v", len(f.units), f.d.Stats())
			}
			u := f.units[0]
			if string(u.Data) != sipRequest || u.Truncated || u.Quoted || u.Stream || u.Reassembled || len(u.Findings) > 0 {
				t.Errorf("%+v\n%s", u, u.Data)
			}
			if got := strings.Join(u.Encap, " "); got != c.encap {
				t.Errorf("encapsulation %q, want %q", got, c.encap)
			}
			want4, want6 := "192.0.2.1:40000 192.0.2.2:40001", "[2001:db8::1]:40000 [2001:db8::2]:40001"
			if got := u.Src.String() + " " + u.Dst.String(); got != want4 && got != want6 {
				t.Errorf("addresses %s", got)
			}
			if u.Transport != UDP || u.Time != f.time || !slices.Equal(u.Frames, []uint64{1}) || u.File != "f" || u.Interface != "i" ||
				!slices.Equal(u.Segments, []record.Segment{{Off: 0, Frame: 1}}) {
				t.Errorf("%+v", u)
			}
			if f.d.stats.Verdicts[VerdictSIP] != 1 || f.d.stats.Malformed != 0 {
				t.Errorf("%+v", f.d.stats)
			}
			if !slices.Contains(append(EncapNames(), ""), strings.Split(c.encap, " ")[0]) {
				t.Errorf("unlisted name %s", c.encap)
			}
		})
	}
}

// TestStackCuts gives every beginning of every stack: no panic, no unit before the start line is there, and a unit that
// is marked as truncated from there on.
func TestStackCuts(t *testing.T) {
	line := strings.Index(sipRequest, "\r\n")
	for _, c := range tunnels() {
		head := bytes.Index(c.b, []byte("MESSAGE "))
		for n := range c.b {
			f := newFeed(Config{})
			f.link = c.link
			f.cut(c.b, n)
			f.d.Flush()
			got := n - head // octets of the message that are there
			switch {
			case got >= len(sipRequest): // only padding was cut
				if len(f.units) != 1 || f.units[0].Truncated {
					t.Fatalf("%s cut at %d: %v", c.name, n, f.units)
				}
			case got >= line:
				if len(f.units) != 1 || !f.units[0].Truncated || string(f.units[0].Data) != sipRequest[:got] {
					t.Fatalf("%s cut at %d (%d of the message): %d units, %+v", c.name, n, got, len(f.units), f.d.Stats())
				}
			case got < 12 && len(f.units) != 0:
				t.Fatalf("%s cut at %d: a unit of %d octets", c.name, n, got)
			}
		}
	}
}

// TestNotSIP: what is no SIP leaves with its verdict and without a unit or a finding.
func TestNotSIP(t *testing.T) {
	u := func(port int, b ...byte) []byte {
		return build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{port, port}, b)
	}
	rtp := make([]byte, 172)
	rtp[0] = 0x80
	for _, c := range []struct {
		name string
		link uint16
		b    []byte
		want Verdict
	}{
		{"rtp", 1, u(4000, rtp...), VerdictMedia},
		{"rtp on 5060", 1, u(5060, rtp...), VerdictMedia},
		{"stun", 1, u(3478, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), VerdictMedia},
		{"dns", 1, u(53, 'I', 'N', 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w', 'w', 'w', 0, 0, 1, 0, 1), VerdictMedia},
		{"empty", 1, u(5060), VerdictMedia},
		{"crlf crlf", 1, u(5060, []byte("\r\n\r\n")...), VerdictKeepAlive},
		{"crlf crlf anywhere", 1, u(9999, []byte("\r\n\r\n")...), VerdictKeepAlive},
		{"zeroes", 1, u(5060, 0, 0, 0, 0), VerdictKeepAlive},
		{"http", 1, u(80, []byte("GET / HTTP/1.1\r\n\r\n")...), VerdictMedia},
		{"arp", 1, build(etherHeader{0x806}, make([]byte, 46)), VerdictNetwork},
		{"stp", 1, build(etherHeader{38}, raw{0x42, 0x42, 3}, make([]byte, 43)), VerdictNetwork},
		{"ospf", 1, build(etherHeader{etIPv4}, ipHeader{proto: 89}, make([]byte, 44)), VerdictOther},
		{"ping", 1, build(etherHeader{etIPv4}, ipHeader{proto: protoICMP}, raw{8, 0, 0, 0, 0, 0, 0, 0}, sipRequest), VerdictOther},
		{"gtp echo", 1, u(portGTPU, 0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0), VerdictNetwork},
		{"gtp end marker", 1, u(portGTPU, 0x30, 254, 0, 0, 0, 0, 0, 1), VerdictNetwork},
		{"gtp bad extension", 1, u(portGTPU, 0x34, 255, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0x85, 0, 0, 0, 0), VerdictMalformed},
		{"gtp version 2", 1, u(portGTPU, 0x48, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0), VerdictMedia},
		{"pppoe discovery", 1, build(etherHeader{etPPPoEDisc}, raw{0x11, 9, 0, 0, 0, 0}), VerdictNetwork},
		{"ip version 5", 101, []byte{0x55, 0, 0, 20, 0, 0}, VerdictMalformed},
		{"short header", 101, []byte{0x43, 0, 0, 20, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, VerdictMalformed},
		{"empty frame", 1, nil, VerdictMalformed},
		{"tcp ack", 1, build(etherHeader{etIPv4}, ipHeader{proto: protoTCP}, tcpHeader{flags: tcpACK}), VerdictStream},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFeed(Config{})
			f.link = c.link
			f.frame(c.b)
			f.d.Flush()
			if len(f.units) != 0 || len(f.findings) != 0 || f.d.stats.Verdicts[c.want] != 1 {
				t.Errorf("%v %v %+v", f.texts(), f.findings, f.d.stats)
			}
		})
	}
}

func TestUnknownLink(t *testing.T) {
	f := newFeed(Config{})
	for _, l := range []uint16{105, 147, 105, 105} {
		f.link = l
		f.frame([]byte(sipRequest))
	}
	if s := f.d.Stats(); fmt.Sprint(s.UnknownLinks) != "map[105:3 147:1]" || s.Verdicts[VerdictUnknown] != 4 {
		t.Errorf("%+v", s)
	}
	if len(f.findings) != 2 || f.findings[0].ID != "link-unknown" || !strings.Contains(f.findings[0].Message, "105") {
		t.Errorf("%v", f.findings)
	}
}

// TestDepth: nesting beyond the limit is not followed, and told once.
func TestDepth(t *testing.T) {
	nest := func(n int) []byte {
		parts := []any{etherHeader{etIPv4}}
		for range n {
			parts = append(parts, ipHeader{proto: protoIPIP})
		}
		return build(append(parts, udp4(sipRequest)...)...)
	}
	f := newFeed(Config{Depth: 4})
	f.frame(nest(4))
	if len(f.units) != 1 || len(f.units[0].Encap) != 4 {
		t.Fatalf("%v", f.units)
	}
	f.frame(nest(5))
	f.frame(nest(5))
	if len(f.units) != 1 || f.d.stats.Limits[LimitDepth] != 2 || len(f.findings) != 1 || f.findings[0].ID != "flow-limit" {
		t.Fatalf("%v %v", f.units, f.findings)
	}
	f.frame(nest(700)) // as deep as a datagram can be
}

// TestEncapTree: no mixture of encapsulations grows the tree of interned lists without end.
func TestEncapTree(t *testing.T) {
	var tree encapTree
	tree.init()
	for i := range 1 << 16 {
		e := tree.root
		for n := i; n > 0; n /= int(numEncap) {
			e = tree.child(e, encapKind(n%int(numEncap)))
		}
	}
	if tree.left != 0 {
		t.Errorf("%d left", tree.left)
	}
}

func TestUDPLengths(t *testing.T) {
	edit := func(n int, tail string) []byte {
		b := build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{5060, 5060}, sipRequest+tail)
		b[14+20+4], b[14+20+5] = byte(n>>8), byte(n)
		return b
	}
	n := len(sipRequest)
	for _, c := range []struct {
		name      string
		b         []byte
		data      string
		truncated bool
		finding   bool
	}{
		{"shorter than ip", edit(8+n, "rest"), sipRequest, false, false},
		{"zero", edit(0, ""), sipRequest, false, false},
		{"too small", edit(5, ""), sipRequest, false, true},
		{"longer than ip", edit(8+n+10, ""), sipRequest, true, true},
		{"extra octets stay", edit(8+2*n, sipRequest), sipRequest + sipRequest, false, false},
	} {
		f := newFeed(Config{})
		f.frame(c.b)
		if len(f.units) != 1 || string(f.units[0].Data) != c.data || f.units[0].Truncated != c.truncated || unitHas(f.units[0], "udp-length") != c.finding {
			t.Errorf("%s: %+v %+v", c.name, f.units, f.d.stats)
		}
	}
}

func TestUDPJunk(t *testing.T) {
	f := newFeed(Config{})
	for _, port := range []int{5060, 7000} {
		f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{port, port}, "\x00\x01junk\n"+sipRequest))
	}
	f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{7000, 7000}, "\r\n\r\n"+sipRequest))
	if len(f.units) != 2 || string(f.units[0].Data) != sipRequest || !unitHas(f.units[0], "udp-junk") || f.units[1].Data[0] != '\r' {
		t.Errorf("%q", f.texts())
	}
}
