package flow

import (
	"encoding/binary"

	"github.com/mcxdump/mcxdump/sipparse"
)

// espICV lists the lengths of integrity check values that IPsec of IMS uses with null encryption: 96 bits (HMAC-MD5-96
// and HMAC-SHA-1-96 of TS 33.203 annex H, AES-GMAC aside), 128 bits (HMAC-SHA-256-128, AES-GMAC), 192 and 256 bits, and none.
var espICV = [...]int{12, 16, 24, 32, 0}

// esp looks for RFC 4303 with null encryption (RFC 2410), which the access of IMS uses where encryption is not asked for
// (TS 33.203 7.1): the payload is in the clear between the sequence number and the trailer. It is recognised by its
// content, as RFC 5879 describes: padding of 1, 2, 3 and so on, a next header of UDP, TCP or IP, and a payload that
// agrees with it. Encrypted packets are not decrypted here.
func (d *Decoder) esp(p *packet, b []byte) {
	d.see(VerdictOther)
	if p.quoted || len(b) < 8+8+2 {
		return
	}
	for _, icv := range espICV {
		end := len(b) - icv
		if end < 8+8+2 {
			continue
		}
		if p.cut {
			// The trailer is not there. What begins with a SIP start line behind a UDP header is believed.
			if q := b[8:]; len(q) > 8 && sipparse.LooksLikeStart(q[8:]) {
				d.espPayload(p, protoUDP, q)
			}
			return
		}
		pad, next := int(b[end-2]), b[end-1]
		if 8+8+pad+2 > end || (end-8)%4 != 0 {
			continue
		}
		tail := b[end-2-pad : end-2]
		if !counts(tail) {
			continue
		}
		if q := b[8 : end-2-pad]; espFits(next, q) {
			d.espPayload(p, next, q)
			return
		}
	}
	d.stats.Encrypted++
}

func (d *Decoder) espPayload(p *packet, next byte, b []byte) {
	// The SPI differs by direction and changes with each registration, so it is no part of a flow.
	if d.enter(p, encESP, 0, false) {
		d.transport(p, next, b)
	}
}

// counts reports whether padding is 1, 2, 3 and so on (RFC 4303 2.4).
func counts(pad []byte) bool {
	for i, c := range pad {
		if int(c) != i+1 {
			return false
		}
	}
	return true
}

// espFits reports whether b is a whole packet of the protocol, by what its own header says.
func espFits(proto byte, b []byte) bool {
	switch proto {
	case protoUDP:
		return len(b) >= 8 && int(binary.BigEndian.Uint16(b[4:])) == len(b)
	case protoTCP:
		return len(b) >= 20 && int(b[12]>>4)*4 >= 20 && int(b[12]>>4)*4 <= len(b) && b[12]&0x0e == 0
	case protoIPIP:
		return len(b) >= 20 && b[0]>>4 == 4 && int(binary.BigEndian.Uint16(b[2:])) == len(b)
	case protoIPv6:
		return len(b) >= 40 && b[0]>>4 == 6 && int(binary.BigEndian.Uint16(b[4:]))+40 == len(b)
	}
	return false
}
