package flow

import "encoding/binary"

// PPP protocol numbers (iana.org).
const (
	pppIPv4   = 0x0021
	pppIPv6   = 0x0057
	pppMPLS   = 0x0281
	pppMPLSUp = 0x0283
)

// ppp reads RFC 1661 with or without the address and control octets of HDLC framing (RFC 1662) and with a protocol
// field of one or two octets. There is no name for PPP itself in the list of encapsulations when it is the link layer.
func (d *Decoder) ppp(p *packet, b []byte) {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b = b[2:]
	}
	if !d.need(b, 2) {
		return
	}
	proto := binary.BigEndian.Uint16(b)
	if b[0]&1 != 0 { // protocol field compression
		proto, b = uint16(b[0]), b[1:]
	} else {
		b = b[2:]
	}
	switch proto {
	case pppIPv4:
		d.ipv4(p, b)
	case pppIPv6:
		d.ipv6(p, b)
	case pppMPLS, pppMPLSUp:
		d.mpls(p, b)
	default:
		d.see(VerdictNetwork)
	}
}

// pppoe reads the session stage of RFC 2516. The session is in the context of both directions of a flow.
func (d *Decoder) pppoe(p *packet, b []byte) {
	if !d.need(b, 6) {
		return
	}
	if b[0] != 0x11 {
		d.malformed()
		return
	}
	if b[1] != 0 { // discovery stage
		d.stats.TunnelSignals++
		d.see(VerdictNetwork)
		return
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if !d.enter(p, encPPPoE, uint64(binary.BigEndian.Uint16(b[2:])), true) {
		return
	}
	b = b[6:]
	if n <= len(b) {
		b = b[:n]
	} else {
		p.cut = true
	}
	d.ppp(p, b)
}

// chdlc reads Cisco HDLC; the protocol is an EtherType.
func (d *Decoder) chdlc(p *packet, b []byte) {
	if !d.need(b, 4) {
		return
	}
	if b[0] != 0x0f && b[0] != 0x8f && b[0] != 0xbf {
		d.see(VerdictNetwork)
		return
	}
	d.ethertype(p, binary.BigEndian.Uint16(b[2:]), b[4:])
}
