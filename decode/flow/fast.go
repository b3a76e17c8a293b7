package flow

import (
	"encoding/binary"

	"github.com/mcxdump/mcxdump/sipparse"
)

// look is the fixed-offset look that nearly all frames end with: Ethernet (up to two tags), Linux cooked or raw IP, then
// IPv4 without options or IPv6 without extension headers, then UDP whose payload cannot be SIP, a keep-alive or a
// tunnel. It reports whether the frame has left the road. It allocates nothing and keeps nothing; whatever it is not
// sure of goes the long way.
func look(link uint16, b []byte) bool {
	var t uint16
	switch link {
	case linkEthernet:
		if len(b) < 14 {
			return false
		}
		t = binary.BigEndian.Uint16(b[12:])
		b = b[14:]
		for range 2 {
			if t != etVLAN && t != etQinQ {
				break
			}
			if len(b) < 4 {
				return false
			}
			t = binary.BigEndian.Uint16(b[2:])
			b = b[4:]
		}
	case linkSLL:
		if len(b) < 16 {
			return false
		}
		t = binary.BigEndian.Uint16(b[14:])
		b = b[16:]
	case linkSLL2:
		if len(b) < 20 {
			return false
		}
		t = binary.BigEndian.Uint16(b)
		b = b[20:]
	case linkRaw, linkRaw12, linkRaw14, linkIPv4, linkIPv6:
		if len(b) == 0 {
			return false
		}
		switch b[0] >> 4 {
		case 4:
			if t = etIPv4; link == linkIPv6 {
				return false
			}
		case 6:
			if t = etIPv6; link == linkIPv4 {
				return false
			}
		}
	default:
		return false
	}
	var u []byte // UDP header and what follows
	var n int    // length of the IP payload
	switch t {
	case etIPv4:
		// No options, no fragment, UDP.
		if len(b) < 29 || b[0] != 0x45 || b[9] != protoUDP || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			return false
		}
		n = int(binary.BigEndian.Uint16(b[2:])) - 20
		u = b[20:]
	case etIPv6:
		if len(b) < 49 || b[0]>>4 != 6 || b[6] != protoUDP {
			return false
		}
		n = int(binary.BigEndian.Uint16(b[4:]))
		u = b[40:]
	default:
		return false
	}
	m := int(binary.BigEndian.Uint16(u[4:])) // UDP length
	if m < 9 || m > n {
		return false
	}
	if special(binary.BigEndian.Uint16(u)) || special(binary.BigEndian.Uint16(u[2:])) {
		return false
	}
	if u[8]&0x80 != 0 {
		return true // RTP, RTCP: no message begins so
	}
	if m < 13 || m > len(u) {
		return false // a keep-alive perhaps, or cut off
	}
	return !sipparse.LooksLikeStart(u[8:m])
}

// special reports whether a port has to do with SIP or a tunnel, so that the payload is looked at more closely.
func special(port uint16) bool {
	return port>>1 == portSIP>>1 || tunnelPort(port)
}
