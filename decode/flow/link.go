package flow

import (
	"encoding/binary"
	"fmt"

	"github.com/mcxdump/mcxdump/decode/record"
)

// LINKTYPE_ values that are decoded (tcpdump.org/linktypes.html).
const (
	linkNull     = 0 // BSD loopback, host byte order of the writer
	linkEthernet = 1
	linkPPP      = 9
	linkRaw12    = 12 // raw IP as OpenBSD and others number it
	linkRaw14    = 14
	linkPPPHDLC  = 50 // PPP in HDLC-like framing
	linkPPPoE    = 51
	linkRaw      = 101
	linkCHDLC    = 104
	linkLoop     = 108 // OpenBSD loopback, network byte order
	linkSLL      = 113
	linkPPPDir   = 166 // PPP with a direction octet
	linkPPPWith  = 204
	linkIPv4     = 228
	linkIPv6     = 229
	linkNFLOG    = 239
	linkExported = 252 // Wireshark upper PDU
	linkSLL2     = 276
	linkMPLS     = 219
)

func (d *Decoder) link(p *packet, link uint16, b []byte) {
	switch link {
	case linkEthernet:
		d.ethernet(p, b)
	case linkNull, linkLoop:
		d.loopback(p, b)
	case linkPPP, linkPPPHDLC:
		d.ppp(p, b)
	case linkPPPDir, linkPPPWith:
		if d.need(b, 1) {
			d.ppp(p, b[1:])
		}
	case linkPPPoE:
		d.pppoe(p, b)
	case linkCHDLC:
		d.chdlc(p, b)
	case linkRaw12, linkRaw14, linkRaw:
		d.ip(p, b)
	case linkIPv4:
		d.ipv4(p, b)
	case linkIPv6:
		d.ipv6(p, b)
	case linkSLL:
		d.sll(p, b)
	case linkSLL2:
		d.sll2(p, b)
	case linkNFLOG:
		d.nflog(p, b)
	case linkExported:
		d.exported(p, b)
	case linkMPLS:
		d.mpls(p, b)
	default:
		d.unknownLink(link)
	}
}

// unknownLink counts a link type that is not decoded and reports it once.
func (d *Decoder) unknownLink(link uint16) {
	d.see(VerdictUnknown)
	if d.stats.UnknownLinks == nil {
		d.stats.UnknownLinks = make(map[uint16]uint64)
	}
	d.stats.UnknownLinks[link]++ // bounded by the 65536 values of a link type
	if d.stats.UnknownLinks[link] == 1 {
		d.h.Finding(record.Finding{ID: "link-unknown", Severity: record.Warning, Clause: "tcpdump.org/linktypes.html",
			Message: fmt.Sprintf("frames of link type %d are not decoded", link), Frames: d.frameList()}, d.context(nil, ""))
	}
}

// need reports whether b has n octets and otherwise counts a malformed layer.
func (d *Decoder) need(b []byte, n int) bool {
	if len(b) >= n {
		return true
	}
	d.malformed()
	return false
}

func (d *Decoder) malformed() {
	d.see(VerdictMalformed)
	d.stats.Malformed++
}

// loopback reads the four octets of address family, in either byte order, before BSD loopback traffic.
func (d *Decoder) loopback(p *packet, b []byte) {
	if !d.need(b, 4) {
		return
	}
	family := binary.BigEndian.Uint32(b)
	if family&0xffff == 0 || family > 0xffff {
		family = binary.LittleEndian.Uint32(b)
	}
	switch family {
	case 2, 24, 28, 30, 10: // AF_INET; AF_INET6 of NetBSD, FreeBSD, Darwin and Linux
		d.ip(p, b[4:])
	default:
		d.see(VerdictNetwork)
	}
}

// sll reads Linux cooked capture (LINKTYPE_LINUX_SLL).
func (d *Decoder) sll(p *packet, b []byte) {
	if d.need(b, 16) {
		d.cooked(p, binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[14:]), b[16:])
	}
}

// sll2 reads Linux cooked capture version 2 (LINKTYPE_LINUX_SLL2).
func (d *Decoder) sll2(p *packet, b []byte) {
	if d.need(b, 20) {
		d.cooked(p, binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b), b[20:])
	}
}

// cooked goes on after a Linux cooked header. Netlink, GRE and radiotap devices number their protocols otherwise.
func (d *Decoder) cooked(p *packet, arphrd, proto uint16, b []byte) {
	const arphrdGRE, arphrdNetlink, arphrdRadiotap = 778, 824, 803
	switch {
	case arphrd == arphrdNetlink || arphrd == arphrdRadiotap:
		d.see(VerdictNetwork)
	case proto == 0x0004: // 802.2 after the cooked header
		d.llc(p, b)
	default:
		d.ethertype(p, proto, b)
	}
}

// nflog reads the attributes of LINKTYPE_NFLOG and goes on with its payload (type 9). Other attributes, such as the
// prefix and the interface indices, tell nothing about the packet's addresses.
func (d *Decoder) nflog(p *packet, b []byte) {
	if !d.need(b, 4) {
		return
	}
	family := b[0]
	if b[1] != 0 { // version
		d.malformed()
		return
	}
	const payload = 9
	for b = b[4:]; len(b) >= 4; {
		// Lengths and types are in the host byte order of the writer; a length beyond the frame tells the other order.
		n, t := int(binary.LittleEndian.Uint16(b)), binary.LittleEndian.Uint16(b[2:])
		if n < 4 || n > len(b) && !p.cut || t > 0xff && t&0x7fff > 0xff {
			n, t = int(binary.BigEndian.Uint16(b)), binary.BigEndian.Uint16(b[2:])
		}
		if n < 4 {
			break
		}
		if t&0x7fff == payload {
			if !d.enter(p, encNFLOG, 0, true) {
				return
			}
			if n > len(b) {
				p.cut = true
			}
			b = b[4:min(n, len(b))]
			switch family {
			case 2, 10:
				d.ip(p, b)
			case 7: // AF_BRIDGE
				d.ethernet(p, b)
			default:
				d.ip(p, b)
			}
			return
		}
		n = (n + 3) &^ 3
		if n > len(b) {
			break
		}
		b = b[n:]
	}
	d.malformed()
}
