package mikeyparse

import (
	"encoding"
	"encoding/binary"
	"fmt"
)

// SigType is the kind of a signature (RFC 3830 6.5). Only 4 bits are carried.
type SigType uint8

// The registered signature types.
const (
	SigRSAPKCS1 SigType = 0 // RFC 3830 6.5
	SigRSAPSS   SigType = 1 // RFC 3830 6.5
	SigECCSI    SigType = 2 // RFC 6509 table 6
)

var sigTypeNames = []string{"RSA/PKCS#1/1.5", "RSA/PSS", "ECCSI"}

func (v SigType) String() string { return enumName("SigType", uint8(v), sigTypeNames) }

// eccsiLen is r, s and the PVT point with P-256 (RFC 6507 5.2.1).
const eccsiLen = 32 + 32 + 65

// SIGN is the signature payload as described in RFC 3830, 6.5. It is always
// the last one and has no next-payload octet: Base.Next is not used.
type SIGN struct {
	Base
	SigType   SigType
	Signature []byte // at most 4095 octets
}

var _ encoding.BinaryAppender = (*SIGN)(nil)

// Type returns TypeSIGN.
func (*SIGN) Type() PayloadType { return TypeSIGN }

// ECCSI returns the parts of an ECCSI signature: r, s and the public
// validation token. ok is false for another type or length.
func (s *SIGN) ECCSI() (r, sig, pvt []byte, ok bool) {
	if s.SigType != SigECCSI || len(s.Signature) != eccsiLen {
		return nil, nil, nil, false
	}
	return s.Signature[:32:32], s.Signature[32:64:64], s.Signature[64:], true
}

func (p *parser) readSIGN() *SIGN {
	p.spec = "RFC 3830 6.5"
	s := pick(p.room, usedSIGN, &p.room.sign)
	start := p.off
	v := p.u16("sign.type_length")
	s.SigType = SigType(v >> 12)
	s.Signature = p.bytes("sign.signature", int(v&0xfff))
	if p.err != nil {
		return s
	}
	switch {
	case p.sakkeMessage() && s.SigType != SigECCSI:
		p.deviate(DevSignType, start, start+2, "sign.type_length", "TS 33.180 E.1.2", s.SigType.String()+" instead of ECCSI")
	case s.SigType == SigECCSI && len(s.Signature) != eccsiLen:
		p.deviate(DevSignLength, start, start+2, "sign.type_length", "RFC 6507 5.2.1", fmt.Sprintf("ECCSI signature of %d octets instead of %d", len(s.Signature), eccsiLen))
	}
	return s
}

// AppendBinary appends the wire form.
func (s *SIGN) AppendBinary(b []byte) ([]byte, error) {
	if len(s.Signature) > 0xfff || s.SigType > 0xf {
		return b, errTooLong
	}
	b = binary.BigEndian.AppendUint16(b, uint16(s.SigType)<<12|uint16(len(s.Signature)))
	return append(b, s.Signature...), nil
}

// SignedOctets returns what a signature over the message may cover. raw is the
// input of Parse. RFC 3830 5.2 includes the two octets in front of the
// signature (its type and length); some products leave them out. Both are nil
// when the message has no signature.
func (m *Message) SignedOctets(raw []byte) (withHeader, withoutHeader []byte) {
	s := m.Sign()
	if s == nil || s.Off < 0 || s.Off+2 > len(raw) {
		return nil, nil
	}
	return raw[: s.Off+2 : s.Off+2], raw[:s.Off:s.Off]
}
