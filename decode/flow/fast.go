package flow

import (
	"encoding/binary"
	"math"
	"net/netip"

	"github.com/mcxdump/mcxdump/internal/hep"
	"github.com/mcxdump/mcxdump/sipparse"
)

// quick decodes the most common stack of all, of untagged Ethernet or raw IP, IPv4 without options, and UDP or TCP, as the
// seam does. It returns stays for what the seam has to look at, and leaves for what is to be read layer by layer.
func quick(link uint16, b []byte, c *common) int {
	switch link {
	case linkEthernet:
		if len(b) < 34 || b[12] != etIPv4>>8 || b[13] != etIPv4&0xff {
			return stays
		}
		b = b[14:]
	case linkRaw, linkRaw12, linkRaw14, linkIPv4:
		if len(b) < 20 {
			return stays
		}
	default:
		return stays
	}
	if b[0] != 0x45 {
		return stays
	}
	if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return leaves // a fragment
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total < 20 || total > len(b) {
		return stays
	}
	c.proto = b[9]
	from, to := [4]byte(b[12:16]), [4]byte(b[16:20])
	b = b[20:total]
	switch c.proto {
	case protoUDP:
		if len(b) < 8 {
			return leaves
		}
		n := int(binary.BigEndian.Uint16(b[4:]))
		if n < 8 || n > len(b) {
			return leaves
		}
		c.payload = b[8:n]
	case protoTCP:
		if len(b) < 20 {
			return leaves
		}
		n := int(b[12]>>4) * 4
		if n < 20 || n > len(b) {
			return leaves
		}
		c.seq, c.ack, c.flags = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), b[13]&(tcpFIN|tcpSYN|tcpRST|tcpACK)
		c.payload = b[n:]
	default:
		return stays
	}
	c.vlan, c.v6, c.src, c.dst = -1, false, netip.AddrFrom4(from), netip.AddrFrom4(to)
	c.sport, c.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	return 0
}

// look is the fixed-offset look that nearly all frames end with: Ethernet (up to two tags), Linux cooked or raw IP, then
// IPv4 without options or IPv6 without extension headers, then UDP whose payload cannot be SIP, a keep-alive or a
// tunnel. It returns leaves when the frame has left the road. It allocates nothing and keeps nothing; whatever it is not
// sure of goes the long way (stays). For TCP without tags it returns the offset of the IP header.
func look(link uint16, frame []byte) int {
	var t uint16
	b, tags := frame, 0
	switch link {
	case linkEthernet:
		if len(b) < 14 {
			return stays
		}
		t = binary.BigEndian.Uint16(b[12:])
		b = b[14:]
		for tags < 2 {
			if t != etVLAN && t != etQinQ {
				break
			}
			if len(b) < 4 {
				return stays
			}
			t = binary.BigEndian.Uint16(b[2:])
			b = b[4:]
			tags++
		}
	case linkSLL:
		if len(b) < 16 {
			return stays
		}
		t = binary.BigEndian.Uint16(b[14:])
		b = b[16:]
	case linkSLL2:
		if len(b) < 20 {
			return stays
		}
		t = binary.BigEndian.Uint16(b)
		b = b[20:]
	case linkRaw, linkRaw12, linkRaw14, linkIPv4, linkIPv6:
		if len(b) == 0 {
			return stays
		}
		switch b[0] >> 4 {
		case 4:
			if t = etIPv4; link == linkIPv6 {
				return stays
			}
		case 6:
			if t = etIPv6; link == linkIPv4 {
				return stays
			}
		}
	default:
		return stays
	}
	var u []byte // UDP header and what follows
	var n int    // length of the IP payload
	switch t {
	case etIPv4:
		// No options, no fragment.
		if len(b) < 29 || b[0] != 0x45 || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			return stays
		}
		if b[9] != protoUDP {
			if b[9] == protoTCP && tags == 0 {
				return len(frame) - len(b)
			}
			return stays
		}
		n = int(binary.BigEndian.Uint16(b[2:])) - 20
		u = b[20:]
	case etIPv6:
		if len(b) < 49 || b[0]>>4 != 6 {
			return stays
		}
		if b[6] != protoUDP {
			if b[6] == protoTCP && tags == 0 {
				return len(frame) - len(b)
			}
			return stays
		}
		n = int(binary.BigEndian.Uint16(b[4:]))
		u = b[40:]
	default:
		return stays
	}
	m := int(binary.BigEndian.Uint16(u[4:])) // UDP length
	if m < 9 || m > n {
		return stays
	}
	if special(binary.BigEndian.Uint16(u)) || special(binary.BigEndian.Uint16(u[2:])) {
		return stays
	}
	if u[8]&0x80 != 0 {
		return leaves // RTP, RTCP: no message begins so
	}
	if m < 13 || m > len(u) {
		return stays // a keep-alive perhaps, or cut off
	}
	if sipparse.LooksLikeStart(u[8:m]) || hep.Looks(u[8:m]) || dtlsHello(u[8:m]) {
		return stays
	}
	return leaves
}

// What look returns beside the offset of an IP header, and quick beside 0.
const (
	stays  = -1
	leaves = -2
)

// lookTCP is the look at a segment in IP datagram b, of which look said that it is TCP without options or extension
// headers. It reports whether the segment has left: it belongs to a stream that is known not to be SIP, and does not
// begin like SIP itself.
func (d *Decoder) lookTCP(b []byte) bool {
	var k flowKey
	n := 0
	if b[0]>>4 == 4 {
		n, k.src, k.dst = int(binary.BigEndian.Uint16(b[2:])), v4mapped, v4mapped
		copy(k.src[12:], b[12:16])
		copy(k.dst[12:], b[16:20])
		if n < 20 || n > len(b) {
			return false
		}
		b = b[20:n]
	} else {
		n = 40 + int(binary.BigEndian.Uint16(b[4:]))
		k.src, k.dst, k.ctx = [16]byte(b[8:24]), [16]byte(b[24:40]), ^uint64(0)
		if n > len(b) {
			return false
		}
		b = b[40:n]
	}
	if len(b) < 20 || b[13]&(tcpSYN|tcpFIN|tcpRST) != 0 {
		return false
	}
	n = int(b[12]>>4) * 4
	if n < 20 || n >= len(b) {
		return false
	}
	k.sport, k.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	st := d.streams.find(&k)
	if st == nil || st.state != streamIgnored || d.worthALook(b[n:]) {
		return false
	}
	if r := d.streams.opposite(&k); r != nil && r.streamData != nil {
		return false
	}
	d.streams.use(st)
	return true
}

var v4mapped = [16]byte{10: 0xff, 11: 0xff}

// special reports whether a port has to do with SIP or a tunnel, so that the payload is looked at more closely.
func special(port uint16) bool {
	return specialPorts[port>>6]>>(port&63)&1 != 0
}

var specialPorts = func() (m [1024]uint64) {
	for port := range uint16(math.MaxUint16) {
		if port == portSIP || port == portSIPS || tunnelPort(port) {
			m[port>>6] |= 1 << (port & 63)
		}
	}
	return m
}()
