package mikeyparse

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"time"
)

// ProtAlg is the payload algorithm of a protected payload (TS 33.180 8.5.4.1).
type ProtAlg uint8

// The known algorithms.
const (
	ProtAES128GCM ProtAlg = 1 // TS 33.180 8.5.4.1
	ProtAES256GCM ProtAlg = 2 // TS 33.180 8.5.4.1
)

var protAlgNames = []string{"", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"}

func (v ProtAlg) String() string { return enumName("ProtAlg", uint8(v), protAlgNames) }

// Protected is an MCData protected payload as described in TS 33.180, 8.5.4.1.
// Key parameters travel in it, and so do MCData signalling and data payloads.
type Protected struct {
	Off, End    int
	MessageType uint8
	DateTime    uint64 // Unix seconds, 40 bits
	PayloadID   uint32
	Sequence    uint8
	Algorithm   ProtAlg
	HasSigAlg   bool // newer releases may have one octet more before the IV
	SigAlg      uint8
	IV          []byte // 16 octets, all of them the GCM nonce
	DPPKID      uint32
	IEI         uint8
	Sealed      []byte // ciphertext and tag
	Tail        []byte // octets behind, see IMessage
	AAD         []byte // what the tag covers besides: from the message type to the DPPK-ID

	idOff int // place of the DPPK-ID
}

var _ encoding.BinaryAppender = (*Protected)(nil)

// Encrypted reports the flag of the message type octet.
func (q *Protected) Encrypted() bool { return q.MessageType&0x40 != 0 }

// Authenticated reports the flag of the message type octet.
func (q *Protected) Authenticated() bool { return q.MessageType&0x80 != 0 }

// Message returns the message type without its flags: 1 SDS signalling, 2 FD
// signalling, 3 data payload and so on (TS 24.282 15.2.2).
func (q *Protected) Message() uint8 { return q.MessageType & 0x3f }

// Time returns the date and time.
func (q *Protected) Time() time.Time { return time.Unix(int64(q.DateTime), 0).UTC() }

// IMessage returns the MIKEY message that may follow the sealed payload as one
// TLV element, or nil.
func (q *Protected) IMessage() []byte {
	r := reader{b: q.Tail, end: len(q.Tail)}
	r.u8("iei")
	if v := r.lv16("length", "i_message"); r.err == nil && r.left() == 0 && len(v) > 0 {
		return v
	}
	return nil
}

// Places of the fields behind the IV when there is no signalling algorithm.
const (
	protIV    = 12
	protID    = protIV + 16
	protLen   = protID + 5
	protFixed = protLen + 2
)

// hasID reports whether id stands at octet off of b.
func hasID(b []byte, off int, id uint32) bool {
	return len(b) >= off+4 && binary.BigEndian.Uint32(b[off:]) == id
}

// fits reports whether the sealed payload's length at octet off of b covers
// just the rest.
func fits(b []byte, off int) bool {
	return len(b) >= off+2 && int(binary.BigEndian.Uint16(b[off:])) == len(b)-off-2
}

// looksProtected tells an envelope from plain key parameters. Plain ones are
// short and start with a key type, never with a flag bit.
func looksProtected(b []byte, id uint32) bool {
	if len(b) > 0 && b[0]&0xc0 != 0 {
		return true
	}
	return len(b) >= protFixed && (hasID(b, protID, id) || hasID(b, protID+1, id)) && id != 0
}

// sigAlgOctet decides where the DPPK-ID is: at octet 28 or, behind a
// signalling algorithm, at 29. The identifier expected there says so; without
// it the length of the sealed payload does.
func sigAlgOctet(b []byte, id uint32) bool {
	if id != 0 && hasID(b, protID, id) != hasID(b, protID+1, id) {
		return hasID(b, protID+1, id)
	}
	return !fits(b, protLen) && fits(b, protLen+1)
}

// ParseProtected reads a protected payload. id is the DPPK-ID expected in it
// (the CSB ID for key parameters) or 0. What was read is returned with the error.
func ParseProtected(b []byte, id uint32, see Tracer) (*Protected, error) {
	l := Limits{}.withDefaults()
	p := parser{reader: reader{b: b, end: len(b), see: see}, lim: l}
	q := new(Protected)
	p.readProtected(q, id)
	return q, p.finish()
}

// finish traces what is left and hands out the failure.
func (p *parser) finish() error {
	fail := p.err
	p.err = nil
	if p.left() > 0 {
		p.rest("undecoded")
	}
	if fail != nil {
		return fail
	}
	return nil
}

func (p *parser) readProtected(q *Protected, id uint32) {
	p.spec = "TS 33.180 8.5.4.1"
	start := p.off
	q.HasSigAlg = sigAlgOctet(p.b[p.off:p.end], id)
	q.Off = p.off
	q.MessageType = p.u8("protected.message_type")
	q.DateTime = p.u40("protected.date_time")
	q.PayloadID = p.u32("protected.payload_id")
	q.Sequence = p.u8("protected.sequence")
	q.Algorithm = ProtAlg(p.u8("protected.algorithm"))
	if q.HasSigAlg {
		q.SigAlg = p.u8("protected.signalling_algorithm")
	}
	q.IV = p.bytes("protected.iv", 16)
	q.idOff = p.off
	q.DPPKID = p.u32("protected.dppk_id")
	if p.err == nil {
		q.AAD = p.b[start:p.off:p.off]
	}
	q.IEI = p.u8("protected.iei")
	q.Sealed = p.lv16("protected.length", "protected.sealed")
	if p.err == nil && p.left() > 0 {
		q.Tail = p.rest("protected.tail")
	}
	q.End = p.off
}

// AppendBinary appends the wire form.
func (q *Protected) AppendBinary(b []byte) ([]byte, error) {
	b, err := q.AppendAAD(b)
	if err != nil {
		return b, err
	}
	if b, err = appendLV16(append(b, q.IEI), q.Sealed); err != nil {
		return b, err
	}
	return append(b, q.Tail...), nil
}

// AppendAAD appends the octets from the message type to the DPPK-ID, the
// additional data of the seal, from the fields.
func (q *Protected) AppendAAD(b []byte) ([]byte, error) {
	if len(q.IV) != 16 || q.DateTime >= 1<<40 {
		return b, errTooLong
	}
	b = append(b, q.MessageType, uint8(q.DateTime>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(q.DateTime))
	b = binary.BigEndian.AppendUint32(b, q.PayloadID)
	b = append(b, q.Sequence, uint8(q.Algorithm))
	if q.HasSigAlg {
		b = append(b, q.SigAlg)
	}
	b = append(b, q.IV...)
	return binary.BigEndian.AppendUint32(b, q.DPPKID), nil
}

// Equal reports whether two envelopes have the same wire form.
func (q *Protected) Equal(o *Protected) bool {
	a, errA := q.AppendBinary(nil)
	b, errB := o.AppendBinary(nil)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
