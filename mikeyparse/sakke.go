package mikeyparse

import (
	"encoding"
	"fmt"
)

// SAKKEParams names the parameter set of SAKKE (RFC 6509 7).
type SAKKEParams uint8

// The registered parameter set.
const SAKKEParamSet1 SAKKEParams = 1 // RFC 6509 appendix A

var sakkeParamsNames = []string{"", "Parameter Set 1"}

func (v SAKKEParams) String() string { return enumName("SAKKEParams", uint8(v), sakkeParamsNames) }

// IDScheme says how the identifier of the receiver is formed (RFC 6509 4.2).
type IDScheme uint8

// The registered schemes.
const (
	IDSchemeTel IDScheme = 1 // RFC 6509 table 5, tel URI with monthly keys
	IDSchemeMCX IDScheme = 2 // TS 33.180 E.5, hashed UID of F.2.1
)

var idSchemeNames = []string{"", "tel URI with monthly keys", "3GPP MCX hashed UID"}

func (v IDScheme) String() string { return enumName("IDScheme", uint8(v), idSchemeNames) }

// The lengths of SAKKE data under parameter set 1 (RFC 6508 4): a point of 257
// octets and the masked key.
const (
	sedPoint   = 257
	sedLen128  = sedPoint + 16
	sedLen256  = sedPoint + 32
	sedDropped = sedPoint + 15 // the producer lost a leading zero of the masked key
)

// SAKKE is the SAKKE payload as described in RFC 6509, 4.2.
type SAKKE struct {
	Base
	Params   SAKKEParams
	IDScheme IDScheme
	Data     []byte // SAKKE encapsulated data: R (04, Rx, Ry) and H
}

var _ encoding.BinaryAppender = (*SAKKE)(nil)

// Type returns TypeSAKKE.
func (*SAKKE) Type() PayloadType { return TypeSAKKE }

// Split returns the point R and the masked key H of the data under parameter
// set 1. ok is false when there are not enough octets for both.
func (s *SAKKE) Split() (r, h []byte, ok bool) {
	if len(s.Data) <= sedPoint {
		return nil, nil, false
	}
	return s.Data[:sedPoint:sedPoint], s.Data[sedPoint:], true
}

type sakkeNames struct{ next, params, scheme, length, data string }

var (
	sakkeFields = sakkeNames{"sakke.next", "sakke.params", "sakke.id_scheme", "sakke.length", "sakke.data"}
	selfFields  = sakkeNames{"sakke_to_self.next", "sakke_to_self.params", "sakke_to_self.id_scheme", "sakke_to_self.length", "sakke_to_self.data"}
)

func (p *parser) readSAKKE(s *SAKKE, names *sakkeNames) *SAKKE {
	p.spec = "RFC 6509 4.2"
	start := p.off
	s.Next = PayloadType(p.u8(names.next))
	s.Params = SAKKEParams(p.u8(names.params))
	s.IDScheme = IDScheme(p.u8(names.scheme))
	s.Data = p.lv16(names.length, names.data)
	if p.err != nil {
		return s
	}
	if s.Params != SAKKEParamSet1 {
		p.deviate(DevSAKKEParams, start+1, start+2, names.params, "RFC 6509 7", s.Params.String()+" instead of "+SAKKEParamSet1.String())
		return s // nothing is known about the data of another set
	}
	if s.IDScheme != IDSchemeMCX {
		p.deviate(DevIDScheme, start+2, start+3, names.scheme, "TS 33.180 E.5", s.IDScheme.String()+" instead of "+IDSchemeMCX.String())
	}
	switch len(s.Data) {
	case sedLen128:
	case sedDropped:
		p.deviate(DevSEDLength, start+3, p.off, names.length, "RFC 6508 4", "272 octets instead of 273: the producer dropped a leading zero octet of the masked key")
	case sedLen256:
		p.deviate(DevSEDLength, start+3, p.off, names.length, "TS 33.180 E.1.1", "289 octets instead of 273: a key of 32 octets")
	default:
		p.deviate(DevSEDLength, start+3, p.off, names.length, "RFC 6508 4", fmt.Sprintf("%d octets instead of 273", len(s.Data)))
	}
	if len(s.Data) > 0 && s.Data[0] != 4 {
		p.deviate(DevSEDPoint, start+5, start+6, names.data, "RFC 6508 4", fmt.Sprintf("point starts with %02x instead of 04", s.Data[0]))
	}
	return s
}

// AppendBinary appends the wire form.
func (s *SAKKE) AppendBinary(b []byte) ([]byte, error) {
	return appendLV16(append(b, uint8(s.Next), uint8(s.Params), uint8(s.IDScheme)), s.Data)
}
