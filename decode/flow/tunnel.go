package flow

import "encoding/binary"

// mpls reads a label stack (RFC 3032) and what is below it: IP by the version nibble, else an Ethernet pseudowire with
// or without control word (RFC 4385, RFC 4448).
func (d *Decoder) mpls(p *packet, b []byte) {
	for {
		if !d.need(b, 4) {
			return
		}
		w := binary.BigEndian.Uint32(b)
		if !d.enter(p, encMPLS, uint64(w>>12), false) {
			return
		}
		b = b[4:]
		if w&0x100 != 0 {
			break
		}
	}
	if !d.need(b, 1) {
		return
	}
	switch b[0] >> 4 {
	case 4:
		d.ipv4(p, b)
	case 6:
		d.ipv6(p, b)
	case 0:
		// A control word is followed by an Ethernet frame. Without one, a MAC address that begins with 0 is here.
		if !d.need(b, 4) || !d.enter(p, encLAN, 0, true) {
			return
		}
		if len(b) >= 14 && plainEtherType(b) && !(len(b) >= 18 && plainEtherType(b[4:])) {
			d.ethernet(p, b)
			return
		}
		d.ethernet(p, b[4:])
	case 1: // associated channel (RFC 5586)
		d.stats.TunnelSignals++
		d.see(VerdictNetwork)
	default:
		if d.enter(p, encLAN, 0, true) {
			d.ethernet(p, b)
		}
	}
}

// plainEtherType reports whether an Ethernet frame at b names a protocol that leads to IP.
func plainEtherType(b []byte) bool {
	switch binary.BigEndian.Uint16(b[12:]) {
	case etIPv4, etIPv6, etVLAN, etQinQ, etMPLS, etPPPoE, 0x0806:
		return true
	}
	return false
}

// gre reads RFC 2784 with key and sequence number (RFC 2890), the routing of RFC 1701 left out, and version 1 of PPTP
// (RFC 2637). ERSPAN and NVGRE (RFC 7637) are in it.
func (d *Decoder) gre(p *packet, b []byte) {
	if !d.need(b, 4) {
		return
	}
	flags, proto := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	const hasSum, hasRouting, hasKey, hasSeq, hasAck = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
	version := flags & 7
	if version > 1 || flags&hasRouting != 0 {
		d.malformed()
		return
	}
	n := 4
	if flags&hasSum != 0 {
		n += 4
	}
	var key uint32
	if flags&hasKey != 0 {
		if !d.need(b, n+4) {
			return
		}
		key = binary.BigEndian.Uint32(b[n:])
		n += 4
	}
	if flags&hasSeq != 0 {
		n += 4
	}
	if version == 1 {
		if flags&hasAck != 0 {
			n += 4
		}
		key = 0 // payload length and call number, which differs by direction
	}
	if !d.need(b, n) || !d.enter(p, encGRE, uint64(key), proto != etPPP) {
		return
	}
	b = b[n:]
	switch {
	case proto == etERSPAN || proto == etERSPAN3:
		d.erspan(p, proto, flags&hasSeq != 0, b)
	case len(b) == 0:
		d.stats.TunnelSignals++ // keep-alive of GRE
		d.see(VerdictNetwork)
	case proto == 0x0001, proto == 0x0000 && b[0]>>4 == 4: // Cisco's and odd IPv4
		d.ip(p, b)
	default:
		d.ethertype(p, proto, b)
	}
}

// erspan reads ERSPAN (draft-foschiano-erspan): type I has no header and no GRE sequence number, type II 8 octets, type
// III 12 octets and 8 more on a flag.
func (d *Decoder) erspan(p *packet, proto uint16, sequence bool, b []byte) {
	n, id := 0, uint64(0)
	switch {
	case proto == etERSPAN && !sequence:
	case !d.need(b, 12):
		return
	case proto == etERSPAN && b[0]>>4 == 1:
		n = 8
	case proto == etERSPAN && b[0]>>4 == 0:
		n = 0 // type I with a sequence number
	default:
		n = 12
		if b[11]&1 != 0 {
			n = 20
		}
	}
	if n > 0 {
		id = uint64(binary.BigEndian.Uint16(b) & 0x0fff) // the VLAN that was mirrored
	}
	if !d.need(b, n) || !d.enter(p, encERSPAN, id, true) {
		return
	}
	d.ethernet(p, b[n:])
}

// udpTunnel goes on with the payload of a UDP port that belongs to a tunnel. A payload whose header is not sane is
// taken for something else on that port.
func (d *Decoder) udpTunnel(p *packet, b []byte) {
	for _, port := range [2]uint16{p.dport, p.sport} {
		switch port {
		case portGTPU:
			if d.gtpu(p, b) {
				return
			}
		case portVXLAN, portVXLANOl, portVXLANGPE:
			if d.vxlan(p, b) {
				return
			}
		case portGENEVE:
			if d.geneve(p, b) {
				return
			}
		case portL2TP:
			if d.l2tp(p, b) {
				return
			}
		case portGRE:
			if len(b) >= 4 && b[0]&0x4f == 0 && b[1]&0x7f == 0 {
				d.gre(p, b)
				return
			}
		case portESP:
			d.espUDP(p, b)
			return
		case portMPLS:
			if len(b) >= 4 {
				d.mpls(p, b)
				return
			}
		}
	}
	if d.espPort(p.dport) || d.espPort(p.sport) {
		d.espUDP(p, b)
		return
	}
	d.see(VerdictMedia)
}

// vxlan reads RFC 7348, and the generic protocol extension (draft-ietf-nvo3-vxlan-gpe) when its flag is set.
func (d *Decoder) vxlan(p *packet, b []byte) bool {
	if len(b) < 8 || b[0]&0x08 == 0 || b[7] != 0 {
		return false
	}
	vni := uint64(binary.BigEndian.Uint32(b[4:]) >> 8)
	gpe := b[0]&0x04 != 0 // the flag that a next protocol is given
	if !d.enter(p, encVXLAN, vni, true) {
		return true
	}
	if !gpe {
		d.ethernet(p, b[8:])
		return true
	}
	switch b[3] {
	case 1, 2:
		d.ip(p, b[8:])
	case 3:
		d.ethernet(p, b[8:])
	case 5:
		d.mpls(p, b[8:])
	default:
		d.see(VerdictNetwork)
	}
	return true
}

// geneve reads RFC 8926; options are skipped.
func (d *Decoder) geneve(p *packet, b []byte) bool {
	if len(b) < 8 || b[0]>>6 != 0 || b[7] != 0 {
		return false
	}
	n := 8 + int(b[0]&0x3f)*4
	if len(b) < n {
		return false
	}
	vni := uint64(binary.BigEndian.Uint32(b[4:]) >> 8)
	if b[1]&0x80 != 0 { // control packet
		d.stats.TunnelSignals++
		d.see(VerdictNetwork)
		return true
	}
	if d.enter(p, encGENEVE, vni, true) {
		d.ethertype(p, binary.BigEndian.Uint16(b[2:]), b[n:])
	}
	return true
}

// l2tp reads the data messages of version 2 (RFC 2661 3.1) and of version 3 over UDP (RFC 3931 4.1.2). The tunnel and
// session differ by direction.
func (d *Decoder) l2tp(p *packet, b []byte) bool {
	if len(b) < 6 {
		return false
	}
	flags := binary.BigEndian.Uint16(b)
	const control, hasLength, hasSeq, hasOffset = 0x8000, 0x4000, 0x0800, 0x0200
	switch flags & 0x000f {
	case 2:
	case 3:
		if flags&control != 0 {
			d.stats.TunnelSignals++
			d.see(VerdictNetwork)
			return true
		}
		if len(b) < 8 {
			return false
		}
		d.l2tp3(p, binary.BigEndian.Uint32(b[4:]), b[8:])
		return true
	default:
		return false
	}
	if flags&control != 0 {
		d.stats.TunnelSignals++
		d.see(VerdictNetwork)
		return true
	}
	n := 2
	if flags&hasLength != 0 {
		if total := int(binary.BigEndian.Uint16(b[2:])); total >= 8 && total <= len(b) {
			b = b[:total]
		}
		n += 2
	}
	if len(b) < n+4 {
		return false
	}
	id := uint64(binary.BigEndian.Uint32(b[n:]))
	n += 4
	if flags&hasSeq != 0 {
		n += 4
	}
	if flags&hasOffset != 0 {
		if len(b) < n+2 {
			return false
		}
		n += 2 + int(binary.BigEndian.Uint16(b[n:]))
	}
	if len(b) < n {
		return false
	}
	if d.enter(p, encL2TP, id, false) {
		d.ppp(p, b[n:])
	}
	return true
}

// l2tpIP reads L2TPv3 over IP (RFC 3931 4.1.1): a session of zero is control.
func (d *Decoder) l2tpIP(p *packet, b []byte) {
	if !d.need(b, 4) {
		return
	}
	id := binary.BigEndian.Uint32(b)
	if id == 0 {
		d.stats.TunnelSignals++
		d.see(VerdictNetwork)
		return
	}
	d.l2tp3(p, id, b[4:])
}

// l2tp3 finds the payload of an L2TPv3 data message. Cookie and sublayer are agreed upon out of band; they are found by
// trying each length for an Ethernet frame that names IP, then for PPP and plain IP.
func (d *Decoder) l2tp3(p *packet, session uint32, b []byte) {
	if !d.enter(p, encL2TP, uint64(session), false) {
		return
	}
	for _, n := range [...]int{0, 4, 8, 12} { // cookie of 0, 4 or 8 octets, sublayer of 0 or 4
		if len(b) < n+14 {
			break
		}
		if plainEtherType(b[n:]) {
			d.ethernet(p, b[n:])
			return
		}
	}
	for _, n := range [...]int{0, 4, 8, 12} {
		if len(b) < n+4 {
			break
		}
		if b[n] == 0xff && b[n+1] == 3 {
			d.ppp(p, b[n:])
			return
		}
	}
	d.see(VerdictNetwork)
}
