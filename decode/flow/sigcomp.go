package flow

import (
	"encoding/binary"
	"fmt"

	"github.com/mcxdump/mcxdump/decode/record"
)

// sigcomp is the header of a SigComp message (RFC 3320 7):
//
//	0   1 1 1 1 1 T len: T says that a returned feedback item follows; len is 1, 2 or 3 for a partial state identifier of
//	    6, 9 or 12 octets, 0 for uploaded bytecode
//	1   returned feedback: an octet below 128, or 128 plus its length and so many octets
//	    partial state identifier, or length of the bytecode (12 bits), destination (4 bits) and the bytecode
//	    what was compressed
type sigcomp struct {
	feedback []byte // with its first octet
	state    []byte // partial state identifier
	code     []byte // uploaded bytecode
	dest     int    // address in the UDVM that the bytecode goes to
	nack     []byte // from the reason on; this is a NACK (RFC 4077 3.1) and no message
	rest     []byte
}

// parseSigComp reads the header. ok is false for what is none, or whose lengths do not fit.
func parseSigComp(b []byte) (m sigcomp, ok bool) {
	if len(b) < 2 || b[0] < 0xf8 {
		return m, false
	}
	first := b[0]
	b = b[1:]
	if first&4 != 0 {
		n := 1
		if b[0]&0x80 != 0 {
			n += int(b[0] & 0x7f)
		}
		if n > len(b) {
			return m, false
		}
		m.feedback, b = b[:n], b[n:]
	}
	if n := int(first & 3); n > 0 {
		if n = 3 + 3*n; n > len(b) {
			return m, false
		}
		m.state, m.rest = b[:n], b[n:]
		return m, true
	}
	if len(b) < 2 {
		return m, false
	}
	n, dest := int(binary.BigEndian.Uint16(b)>>4), int(b[1]&15)
	b = b[2:]
	if n == 0 {
		// Version 1 of NACK: reason, opcode, program counter (2), SHA-1 of the message (20), details.
		if dest != 1 || len(b) < 24 {
			return m, false
		}
		m.nack = b
		return m, true
	}
	if dest == 0 || n > len(b) { // 7.2: the destination 0 is reserved
		return m, false
	}
	m.dest, m.code, m.rest = 64*(dest+1), b[:n], b[n:]
	return m, true
}

// append writes the header and what follows it.
func (m *sigcomp) append(dst []byte) []byte {
	first := byte(0xf8)
	if m.feedback != nil {
		first |= 4
	}
	if m.state != nil {
		first |= byte(len(m.state)/3 - 1)
	}
	dst = append(append(dst, first), m.feedback...)
	switch {
	case m.state != nil:
		dst = append(dst, m.state...)
	case m.nack != nil:
		return append(append(dst, 0, 1), m.nack...)
	default:
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.code)<<4|(m.dest/64-1)))
		dst = append(dst, m.code...)
	}
	return append(dst, m.rest...)
}

// String says in words what the header tells.
func (m *sigcomp) String() string {
	switch {
	case m.nack != nil:
		return fmt.Sprintf("a NACK (RFC 4077) with reason %d for the message with SHA-1 %x", m.nack[0], m.nack[4:24])
	case m.state != nil:
		return fmt.Sprintf("%d octets that continue from state %x", len(m.rest), m.state)
	}
	return fmt.Sprintf("%d octets behind %d octets of bytecode for address %d", len(m.rest), len(m.code), m.dest)
}

// sigcompDatagram reports a SigComp message in UDP: on the ports of SIP, or in ESP, where nothing but SIP is to be expected
// (elsewhere RTP and others begin with the same bits). It is not decompressed.
func (d *Decoder) sigcompDatagram(p *packet, b []byte) bool {
	if len(b) == 0 || b[0] < 0xf8 || !sipPort(p) && (d.layer == nil || d.layer.Tunnel) {
		return false
	}
	m, ok := parseSigComp(b)
	if !ok {
		return false
	}
	d.stats.SigComp++
	d.see(VerdictTransport)
	d.h.Finding(record.Finding{ID: "sigcomp", Severity: record.Warning, Clause: "RFC 3320 7", Frames: d.frameList(),
		Message: "a SigComp message is not decompressed: " + m.String()}, d.context(p, UDP))
	return true
}

// sigcompStream reports once a TCP direction from or to a port of SIP that begins with a SigComp message (RFC 3320 4.2.2).
// The message may go on in segments that have not come yet.
func (d *Decoder) sigcompStream(st *stream, b []byte) {
	port := func(n uint16) bool { return n == portSIP || n == portSIPS }
	if len(b) < 4 || b[0] < 0xf8 || !st.syn || !port(st.key.sport) && !port(st.key.dport) {
		return
	}
	plain, ended := sigcompUnquote(b)
	if !ended {
		plain = append(plain, make([]byte, 0xfff)...) // as long as bytecode can be
	}
	m, ok := parseSigComp(plain)
	if !ok {
		return
	}
	what := fmt.Sprintf("it uploads %d octets of bytecode for address %d", len(m.code), m.dest)
	if m.nack != nil {
		what = "it is a NACK (RFC 4077)"
	} else if m.state != nil {
		what = fmt.Sprintf("it continues from state %x", m.state)
	}
	d.stats.SigComp++
	d.see(VerdictTransport)
	d.h.Finding(record.Finding{ID: "sigcomp", Severity: record.Warning, Clause: "RFC 3320 7", Frames: d.streamFrames(st),
		Message: "the stream begins with a SigComp message and is not decompressed: " + what}, d.streamContext(st))
}

// sigcompUnquote takes the first message out of a stream: 0xffff ends it, 0xff and n stand for 0xff with n octets behind it
// that are no quotation.
func sigcompUnquote(b []byte) (plain []byte, ended bool) {
	for i := 0; i < len(b); i++ {
		plain = append(plain, b[i])
		if b[i] != 0xff {
			continue
		}
		if i++; i == len(b) {
			break
		}
		if b[i] == 0xff {
			return plain[:len(plain)-1], true
		}
		if b[i] > 0x7f { // reserved
			return plain, false
		}
		n := min(int(b[i]), len(b)-i-1)
		plain = append(plain, b[i+1:i+1+n]...)
		i += n
	}
	return plain, false
}
