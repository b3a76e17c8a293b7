package flow

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/esp"
	"github.com/mcxdump/mcxdump/sipparse"
)

// An ICVState says what is known of the integrity check value of an ESP packet.
type ICVState uint8

const (
	ICVNone      ICVState = iota // the packet has none
	ICVUnchecked                 // no key to check it with
	ICVOK
	ICVBad
)

var icvNames = [...]string{"none", "unchecked", "ok", "bad"}

// String is the value of esp.icv in JSON.
func (s ICVState) String() string {
	if int(s) < len(icvNames) {
		return icvNames[s]
	}
	return fmt.Sprintf("ICVState(%d)", uint8(s))
}

// An ESPLayer is the innermost ESP layer (RFC 4303) around a message: that of the packet that completed it.
type ESPLayer struct {
	SPI, Sequence uint32
	Enc           string // "null", "aes-cbc" ...
	Auth          string // "hmac-sha-1-96" ...; "" when it is not known, or part of Enc
	ICV           ICVState
	ICVLen        int  // octets
	Tunnel        bool // an IP packet is inside
	UDP           bool // in UDP (RFC 3948)
}

// esp reads one ESP packet (RFC 4303). With a key of its SPI it is verified and decrypted. Without one, null encryption
// (RFC 2410), which the access of IMS uses where encryption is not asked for (TS 33.203 7.1), is recognised by content,
// as RFC 5879 describes: padding of 1, 2, 3 and so on, a next header of UDP, TCP or IP, and a payload that agrees with it.
// What is not readable is counted for its SPI and told once.
func (d *Decoder) esp(p *packet, b []byte, udp bool) {
	d.see(VerdictOther)
	if p.quoted {
		return
	}
	if len(b) < esp.HeaderSize+2 {
		d.malformed()
		return
	}
	d.stats.ESP++
	l := ESPLayer{SPI: binary.BigEndian.Uint32(b), Sequence: binary.BigEndian.Uint32(b[4:]), UDP: udp}
	s := d.espState(l.SPI, p, udp)
	s.packets++
	in, ok := d.espKeyed(p, s, b, &l)
	if !ok {
		in, ok = espNull(p, s, b, &l)
	}
	if !ok {
		d.espUnread(p, s)
		return
	}
	s.wrong, s.half = nil, false
	if l.Enc == "null" && s.used == nil {
		d.stats.ESPNull++
	} else {
		d.stats.ESPDecrypted++
	}
	s.read++
	if !p.cut && s.again(l.Sequence) {
		d.stats.ESPDuplicates++
	}
	l.Tunnel = in.next == protoIPIP || in.next == protoIPv6
	outer, messages := d.layer, d.stats.Messages
	d.layer = &l
	d.espLevel++
	// The SPI differs by direction and changes with each registration, so it is no part of a flow.
	if d.enter(p, encESP, 0, false) {
		d.transport(p, in.next, in.payload)
	}
	d.espLevel--
	d.layer = outer
	if d.espLevel < len(d.espBufs) {
		poison(d.espBufs[d.espLevel])
	}
	if l.ICV == ICVBad {
		d.stats.ESPBadICV++
		if d.stats.Messages == messages && !s.toldICV && d.espMayTell() {
			s.toldICV = true
			f := badICV(&l)
			f.Frames = d.frameList()
			d.h.Finding(f, d.context(p, ""))
		}
	}
}

// espPort reports whether a UDP port was said to carry ESP.
func (d *Decoder) espPort(port uint16) bool { return slices.Contains(d.espPorts, port) }

// espUDP reads a datagram of a port that ESP shares with IKE (RFC 3948 2): four octets of zero come before IKE, one of 0xff
// keeps the binding of an address translator.
func (d *Decoder) espUDP(p *packet, b []byte) {
	switch {
	case len(b) == 1 && b[0] == 0xff, len(b) >= 4 && binary.BigEndian.Uint32(b) == 0:
		d.stats.TunnelSignals++
		d.see(VerdictNetwork)
	case len(b) < esp.HeaderSize+2:
		d.see(VerdictMedia)
	default:
		d.esp(p, b, true)
	}
}

// badICV is the finding about a packet whose check value is wrong; what it holds is shown all the same.
func badICV(l *ESPLayer) record.Finding {
	what := l.Enc
	if l.Auth != "" {
		what += ", " + l.Auth
	}
	return record.Finding{ID: "esp-icv", Severity: record.Warning, Clause: "RFC 4303 3.4.4",
		Message: fmt.Sprintf("the integrity check value of ESP packet %d of SPI %08x (%s) is wrong: it was changed on the way, or the authentication key is another", l.Sequence, l.SPI, what)}
}

// espInner is what an ESP packet holds.
type espInner struct {
	next    byte
	payload []byte
}

// How far the content of a packet speaks for having been decrypted rightly.
const (
	espNoFit = iota
	espWeak  // it may be chance: once in about a million packets
	espStrong
)

// espNull looks for a payload in the clear behind SPI and sequence number, or behind the initialisation vector of
// AES-GMAC (RFC 4543 3).
func espNull(p *packet, s *espState, b []byte, l *ESPLayer) (in espInner, ok bool) {
	if p.cut {
		for _, iv := range [...]int{0, 8} {
			if n := esp.HeaderSize + iv; len(b) > n {
				if in, ok := espCut(b[n:]); ok {
					l.Enc, l.ICV = "null", ICVUnchecked
					return in, true
				}
			}
		}
		return in, false
	}
	weak, found := espVariant{}, false
	try := func(v espVariant) bool {
		from, to := esp.HeaderSize+v.iv, len(b)-v.icv
		if to-from < 2 || (to-from)%4 != 0 {
			return false
		}
		got, fit := espTrailer(p, b[from:to])
		if fit == espWeak && !found {
			weak, found, in = v, true, got
		}
		if fit != espStrong {
			return false
		}
		s.null, in = &v, got
		l.nullAs(v)
		return true
	}
	if s.null != nil {
		v := *s.null
		if try(v) {
			return in, true
		}
		// Of an SA that is known to be in the clear, other protocols and other padding are believed too.
		if from, to := esp.HeaderSize+v.iv, len(b)-v.icv; to-from >= 2 && (to-from)%4 == 0 {
			if got, ok := espSplit(b[from:to]); ok && counts(b[from+len(got.payload):to-2]) {
				l.nullAs(v)
				return got, true
			}
		}
	}
	for _, n := range esp.ICVs {
		if try(espVariant{icv: n}) || n == 16 && try(espVariant{icv: n, iv: 8}) {
			return in, true
		}
	}
	if found && (s.null != nil || s.unread == 0) {
		l.nullAs(weak)
		return in, true
	}
	return espInner{}, false
}

// espVariant is how the packets of an SA in the clear are laid out.
type espVariant struct{ icv, iv int }

func (l *ESPLayer) nullAs(v espVariant) {
	l.Enc, l.ICVLen, l.ICV = "null", v.icv, ICVUnchecked
	if v.iv > 0 {
		l.Enc = "aes-gmac"
	}
	if v.icv == 0 {
		l.ICV = ICVNone
	}
}

// espSplit cuts the trailer off a plain text.
func espSplit(b []byte) (in espInner, ok bool) {
	n := len(b)
	if n < 2 || int(b[n-2])+2 > n {
		return in, false
	}
	return espInner{b[n-1], b[:n-2-int(b[n-2])]}, true
}

// espTrailer reads a plain text of which nothing is verified, and says how far to believe it.
func espTrailer(p *packet, b []byte) (espInner, int) {
	in, ok := espSplit(b)
	if !ok {
		return in, espNoFit
	}
	pad := b[len(in.payload) : len(b)-2]
	if !counts(pad) && !zeros(pad) {
		return in, espNoFit
	}
	return in, espFits(p, in.next, in.payload)
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

// zeros reports whether padding is all zeros, which some stacks send against the clause.
func zeros(pad []byte) bool {
	for _, c := range pad {
		if c != 0 {
			return false
		}
	}
	return true
}

// espFits says how well b is a whole packet of the protocol, by what its own header says.
func espFits(p *packet, proto byte, b []byte) int {
	ok := false
	switch proto {
	case protoUDP:
		ok = len(b) >= 8 && int(binary.BigEndian.Uint16(b[4:])) == len(b)
	case protoTCP:
		if len(b) < 20 || int(b[12]>>4)*4 < 20 || int(b[12]>>4)*4 > len(b) || b[12]&0x0e != 0 {
			return espNoFit
		}
		if ok = checksumTCP(p, b); !ok {
			return espWeak // behind an address translator the checksum is that of other addresses (RFC 3948 3.1.2)
		}
	case protoIPIP:
		ok = len(b) >= 20 && b[0]>>4 == 4 && int(binary.BigEndian.Uint16(b[2:])) == len(b)
	case protoIPv6:
		ok = len(b) >= 40 && b[0]>>4 == 6 && int(binary.BigEndian.Uint16(b[4:]))+40 == len(b)
	}
	if ok {
		return espStrong
	}
	return espNoFit
}

// checksumTCP reports whether the checksum of a TCP segment between the addresses of p is right (RFC 9293 3.1).
func checksumTCP(p *packet, b []byte) bool {
	sum := uint32(protoTCP) + uint32(len(b))
	add := func(b []byte) {
		for ; len(b) > 1; b = b[2:] {
			sum += uint32(binary.BigEndian.Uint16(b))
		}
		if len(b) > 0 {
			sum += uint32(b[0]) << 8
		}
	}
	if p.v6 {
		src, dst := p.src.As16(), p.dst.As16()
		add(src[:])
		add(dst[:])
	} else {
		src, dst := p.src.As16(), p.dst.As16()
		add(src[12:])
		add(dst[12:])
	}
	add(b)
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return sum == 0xffff
}

// espCut looks at a plain text whose trailer is not in the capture. What begins with a SIP start line behind a UDP or TCP
// header is believed, and so is an IP header whose length reaches beyond what is there.
func espCut(b []byte) (espInner, bool) {
	if len(b) > 8 && sipparse.LooksLikeStart(b[8:]) {
		return espInner{protoUDP, b}, true
	}
	if len(b) > 20 {
		if n := int(b[12]>>4) * 4; n >= 20 && n < len(b) && sipparse.LooksLikeStart(b[n:]) {
			return espInner{protoTCP, b}, true
		}
		if b[0] == 0x45 && int(binary.BigEndian.Uint16(b[2:])) > len(b)-20 && checksumIPv4(b[:20]) {
			return espInner{protoIPIP, b}, true
		}
	}
	if len(b) > 28 && b[0] == 0x45 && b[9] == protoUDP && sipparse.LooksLikeStart(b[28:]) { // the checksum was left to hardware
		return espInner{protoIPIP, b}, true
	}
	if len(b) > 48 && b[0]>>4 == 6 && int(binary.BigEndian.Uint16(b[4:]))+40 > len(b)-20 &&
		(b[6] == protoUDP && sipparse.LooksLikeStart(b[48:]) || b[6] == protoTCP && len(b) > 60 && sipparse.LooksLikeStart(b[min(len(b), 40+int(b[52]>>4)*4):])) {
		return espInner{protoIPv6, b}, true
	}
	return espInner{}, false
}

// checksumIPv4 reports whether the checksum of an IPv4 header is right (RFC 791 3.1).
func checksumIPv4(h []byte) bool {
	sum := uint32(0)
	for ; len(h) > 1; h = h[2:] {
		sum += uint32(binary.BigEndian.Uint16(h))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return sum == 0xffff
}
