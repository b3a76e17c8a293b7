package flow

import "encoding/binary"

// gtpu reads a GTP-U message (TS 29.281 5.1), version 1 only. It returns false when the header is not that of GTP-U.
// Only G-PDUs carry user traffic; echo, error indication, end marker and others are signalling.
func (d *Decoder) gtpu(p *packet, b []byte) bool {
	const gPDU = 255
	// Version 1, protocol type GTP (not GTP'); the spare bit is not looked at, as 5.1 asks.
	if len(b) < 8 || b[0]>>5 != 1 || b[0]&0x10 == 0 {
		return false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	switch b[1] {
	case gPDU:
	case 1, 2, 26, 31, 253, 254: // table 6.1-1
		d.stats.TunnelSignals++
		d.see(VerdictNetwork)
		return true
	default:
		return false
	}
	teid := uint64(binary.BigEndian.Uint32(b[4:]))
	body := b[8:]
	switch {
	case n <= len(body):
		body = body[:n]
		p.cut = false
	case !p.cut && n > len(body):
		// The length promises more than UDP brought. What is there is read.
		p.cut = true
	}
	if b[0]&0x07 != 0 { // sequence number, N-PDU number and next extension header are there when one flag is set
		if len(body) < 4 {
			d.malformed()
			return true
		}
		next := body[3]
		if b[0]&0x04 == 0 {
			next = 0 // without the E flag the field is not interpreted
		}
		body = body[4:]
		for next != 0 { // 5.2.1: the length counts groups of four octets; the last octet names the next header
			if len(body) < 4 || body[0] == 0 || int(body[0])*4 > len(body) {
				d.malformed()
				return true
			}
			m := int(body[0]) * 4
			next, body = body[m-1], body[m:]
		}
	}
	if !d.enter(p, encGTPU, teid, false) {
		return true
	}
	if len(body) == 0 {
		d.see(VerdictNetwork)
		return true
	}
	switch body[0] >> 4 {
	case 4:
		d.ipv4(p, body)
	case 6:
		d.ipv6(p, body)
	default:
		// PDU sessions of type Ethernet (TS 23.501 5.6.10.2), PPP and unstructured ones.
		switch {
		case len(body) >= 14 && plainEtherType(body):
			if d.enter(p, encLAN, 0, true) {
				d.ethernet(p, body)
			}
		case len(body) >= 4 && body[0] == 0xff && body[1] == 3:
			d.ppp(p, body)
		default:
			d.see(VerdictOther)
		}
	}
	return true
}
