package flow

import (
	"encoding/binary"
	"net/netip"
)

// Protocol numbers (iana.org).
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoIPIP     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoESP      = 50
	protoAH       = 51
	protoICMPv6   = 58
	protoNone     = 59
	protoDest     = 60
	protoEtherIP  = 97
	protoL2TP     = 115
	protoSCTP     = 132
	protoMobility = 135
	protoUDPLite  = 136
	protoMPLS     = 137
	protoHIP      = 139
	protoShim6    = 140
	protoEthernet = 143
)

// ip reads IPv4 or IPv6 by the version nibble.
func (d *Decoder) ip(p *packet, b []byte) {
	if !d.need(b, 1) {
		return
	}
	switch b[0] >> 4 {
	case 4:
		d.ipv4(p, b)
	case 6:
		d.ipv6(p, b)
	default:
		d.malformed()
	}
}

// ipv4 reads RFC 791.
func (d *Decoder) ipv4(p *packet, b []byte) {
	if !d.need(b, 20) {
		return
	}
	hl := int(b[0]&15) * 4
	if b[0]>>4 != 4 || hl < 20 || hl > len(b) {
		d.malformed()
		return
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	frag := binary.BigEndian.Uint16(b[6:])
	switch {
	case total == 0:
		// Segmentation offload: the capture was taken before the length was filled in; the frame says how long it is.
	case total < hl:
		d.malformed()
		return
	case total <= len(b):
		// What follows is padding of Ethernet. A frame that was cut off behind the datagram is whole for our purpose.
		b = b[:total]
		p.cut = false
	default:
		p.cut = true
	}
	p.v6 = false
	p.src, p.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	proto := b[9]
	if frag&0x3fff != 0 {
		id := uint32(binary.BigEndian.Uint16(b[4:]))
		d.fragment(p, proto, id, int(frag&0x1fff)*8, frag&0x2000 != 0, b[hl:])
		return
	}
	d.transport(p, proto, b[hl:])
}

// ipv6 reads RFC 8200 with its extension headers.
func (d *Decoder) ipv6(p *packet, b []byte) {
	if !d.need(b, 40) {
		return
	}
	if b[0]>>4 != 6 {
		d.malformed()
		return
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	next := b[6]
	p.v6 = true
	p.src, p.dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	b = b[40:]
	if n == 0 && next == protoHopByHop {
		n = jumbo(b) // RFC 2675; 0 when there is no such option
	}
	switch {
	case n == 0: // segmentation offload
	case n <= len(b):
		b = b[:n]
		p.cut = false
	default:
		p.cut = true
	}
	d.extensions(p, next, b)
}

// jumbo returns the length of the jumbo payload option in a hop-by-hop header, 0 when there is none.
func jumbo(b []byte) int {
	if len(b) < 8 {
		return 0
	}
	opt := b[2:min(len(b), 8+int(b[1])*8)]
	for len(opt) >= 2 {
		switch {
		case opt[0] == 0:
			opt = opt[1:]
		case opt[0] == 0xc2 && opt[1] == 4 && len(opt) >= 6:
			if n := binary.BigEndian.Uint32(opt[2:]); n > 65535 && n <= 1<<30 {
				return int(n)
			}
			return 0
		default:
			if 2+int(opt[1]) > len(opt) {
				return 0
			}
			opt = opt[2+int(opt[1]):]
		}
	}
	return 0
}

// extensions walks IPv6 extension headers up to the transport; each takes at least 8 octets, so the walk is linear.
func (d *Decoder) extensions(p *packet, next byte, b []byte) {
	for {
		switch next {
		case protoHopByHop, protoRouting, protoDest, protoMobility, protoHIP, protoShim6:
			if !d.need(b, 8) {
				return
			}
			n := 8 + int(b[1])*8
			if !d.need(b, n) {
				return
			}
			next, b = b[0], b[n:]
		case protoFragment:
			if !d.need(b, 8) {
				return
			}
			w := binary.BigEndian.Uint16(b[2:])
			id := binary.BigEndian.Uint32(b[4:])
			off, more := int(w&0xfff8), w&1 != 0
			if off == 0 && !more {
				// An atomic fragment is a whole datagram and has nothing to do with others of its identification (RFC 6946).
				next, b = b[0], b[8:]
				continue
			}
			d.fragment(p, b[0], id, off, more, b[8:])
			return
		default:
			d.transport(p, next, b)
			return
		}
	}
}

// transport goes on with the payload of a whole IP datagram.
func (d *Decoder) transport(p *packet, proto byte, b []byte) {
	switch proto {
	case protoUDP, protoUDPLite:
		d.udp(p, b)
	case protoTCP:
		d.tcp(p, b)
	case protoSCTP:
		d.sctp(p, b)
	case protoICMP, protoICMPv6:
		d.icmp(p, proto == protoICMPv6, b)
	case protoIPIP:
		kind := encIPIP
		if p.v6 {
			kind = encIP6
		}
		if d.enter(p, kind, 0, true) {
			d.ipv4(p, b)
		}
	case protoIPv6:
		kind := enc6in4
		if p.v6 {
			kind = encIP6
		}
		if d.enter(p, kind, 0, true) {
			d.ipv6(p, b)
		}
	case protoGRE:
		d.gre(p, b)
	case protoESP:
		d.esp(p, b, false)
	case protoAH:
		// RFC 4302: the length counts 32-bit words less two, in IPv4 and IPv6 alike.
		if !d.need(b, 12) {
			return
		}
		n := 8 + int(b[1])*4
		if n < 12 || !d.need(b, n) {
			d.malformed()
			return
		}
		if p.depth++; p.depth > d.cfg.Depth {
			d.limit(LimitDepth)
			return
		}
		d.extensions(p, b[0], b[n:])
	case protoL2TP:
		d.l2tpIP(p, b)
	case protoMPLS:
		d.mpls(p, b)
	case protoEtherIP: // RFC 3378
		if d.need(b, 2) && d.enter(p, encLAN, 0, true) {
			d.ethernet(p, b[2:])
		}
	case protoEthernet: // RFC 8986 10.1
		if d.enter(p, encLAN, 0, true) {
			d.ethernet(p, b)
		}
	case protoHopByHop, protoRouting, protoDest, protoMobility, protoHIP, protoShim6, protoFragment:
		// Extension headers after AH, or in IPv4, where they have no meaning.
		if p.v6 {
			d.extensions(p, proto, b)
			return
		}
		d.see(VerdictOther)
	default:
		d.see(VerdictOther)
	}
}
