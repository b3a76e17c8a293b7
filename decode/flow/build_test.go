package flow

import (
	"encoding/binary"
	"net/netip"
)

// The builders of test packets: each puts a header before what is inside it.

type header interface {
	wrap(inner []byte, next header) []byte
}

// build nests the headers and the payload, which is the last argument.
func build(parts ...any) []byte {
	var b []byte
	var inner header
	for i := len(parts) - 1; i >= 0; i-- {
		switch x := parts[i].(type) {
		case []byte:
			b = append(append([]byte{}, x...), b...)
		case string:
			b = append([]byte(x), b...)
		case []any:
			b = build(append(append([]any{}, x...), b)...)
			if len(x) > 0 {
				inner, _ = x[0].(header)
			}
		case header:
			b = x.wrap(b, inner)
			inner = x
		}
	}
	return b
}

func be16(v int) []byte    { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func cat(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// raw is a header given as octets.
type raw []byte

func (r raw) wrap(in []byte, _ header) []byte { return cat(r, in) }

type etherHeader struct{ t int }

func (e etherHeader) wrap(in []byte, _ header) []byte {
	return cat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, be16(e.t), in)
}

// tagHeader is the rest of a VLAN tag: the identifier and the type of what follows.
type tagHeader struct{ id, t int }

func (g tagHeader) wrap(in []byte, _ header) []byte { return cat(be16(g.id), be16(g.t), in) }

// lan is Ethernet with VLAN tags before IP.
func lan(tags int, v6 bool) []any {
	t := etIPv4
	if v6 {
		t = etIPv6
	}
	if tags == 0 {
		return []any{etherHeader{t}}
	}
	l := []any{etherHeader{etVLAN}}
	for i := range tags {
		next := etVLAN
		if i == tags-1 {
			next = t
		}
		l = append(l, tagHeader{100 + i, next})
	}
	return l
}

type ipHeader struct {
	v6       bool
	proto    byte
	src, dst string
	id       int
	frag     int // fragment word of IPv4: flags and offset
	options  []byte
	total    int // length field, -1 for zero, 0 for the right one
}

func (h ipHeader) addrs() (netip.Addr, netip.Addr) {
	s, d := h.src, h.dst
	if s == "" {
		if s, d = "192.0.2.1", "192.0.2.2"; h.v6 {
			s, d = "2001:db8::1", "2001:db8::2"
		}
	}
	return netip.MustParseAddr(s), netip.MustParseAddr(d)
}

func (h ipHeader) wrap(in []byte, _ header) []byte {
	src, dst := h.addrs()
	if h.v6 {
		n := len(in)
		if h.total != 0 {
			n = max(0, h.total)
		}
		return cat([]byte{0x60, 0, 0, 0}, be16(n), []byte{h.proto, 64}, src.AsSlice(), dst.AsSlice(), in)
	}
	hl := 20 + len(h.options)
	n := hl + len(in)
	if h.total != 0 {
		n = max(0, h.total)
	}
	b := cat([]byte{0x40 | byte(hl/4), 0}, be16(n), be16(h.id), be16(h.frag), []byte{64, h.proto, 0, 0}, src.AsSlice(), dst.AsSlice(), h.options)
	return append(b, in...)
}

// fragHeader is the fragment header of IPv6.
type fragHeader struct {
	next byte
	off  int
	more bool
	id   uint32
}

func (h fragHeader) wrap(in []byte, _ header) []byte {
	w := h.off
	if h.more {
		w |= 1
	}
	return cat([]byte{h.next, 0}, be16(w), be32(h.id), in)
}

type udpHeader struct{ sport, dport int }

func (h udpHeader) wrap(in []byte, _ header) []byte {
	return cat(be16(h.sport), be16(h.dport), be16(8+len(in)), be16(0), in)
}

type tcpHeader struct {
	sport, dport int
	seq, ack     uint32
	flags        byte
}

func (h tcpHeader) wrap(in []byte, _ header) []byte {
	return cat(be16(h.sport), be16(h.dport), be32(h.seq), be32(h.ack), []byte{5 << 4, h.flags}, be16(65535), be16(0), be16(0), in)
}

type sctpHeader struct {
	sport, dport int
	tag          uint32
}

func (h sctpHeader) wrap(in []byte, _ header) []byte {
	return cat(be16(h.sport), be16(h.dport), be32(h.tag), be32(0), in)
}

// dataChunk is a DATA chunk; flags: 2 begin, 1 end.
func dataChunk(flags byte, tsn uint32, stream, ssn int, b []byte) []byte {
	c := cat([]byte{0, flags}, be16(16+len(b)), be32(tsn), be16(stream), be16(ssn), be32(0), b)
	for len(c)%4 != 0 {
		c = append(c, 0)
	}
	return c
}
