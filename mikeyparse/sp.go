package mikeyparse

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
)

// ProtType is a security protocol (RFC 3830 6.10).
type ProtType uint8

// The registered protocols.
const (
	ProtSRTP  ProtType = 0 // RFC 3830 6.10
	ProtTESLA ProtType = 1 // RFC 4442
)

var protTypeNames = []string{"SRTP", "TESLA"}

func (v ProtType) String() string { return enumName("ProtType", uint8(v), protTypeNames) }

// SPParamType is a parameter of an SRTP policy (RFC 3830 6.10.1).
type SPParamType uint8

// The registered SRTP policy parameters.
const (
	SPEncrAlg         SPParamType = 0  // RFC 3830 6.10.1
	SPEncrKeyLen      SPParamType = 1  // RFC 3830 6.10.1
	SPAuthAlg         SPParamType = 2  // RFC 3830 6.10.1
	SPAuthKeyLen      SPParamType = 3  // RFC 3830 6.10.1
	SPSaltLen         SPParamType = 4  // RFC 3830 6.10.1
	SPPRF             SPParamType = 5  // RFC 3830 6.10.1
	SPKDR             SPParamType = 6  // RFC 3830 6.10.1
	SPSRTPEncr        SPParamType = 7  // RFC 3830 6.10.1
	SPSRTCPEncr       SPParamType = 8  // RFC 3830 6.10.1
	SPFECOrder        SPParamType = 9  // RFC 3830 6.10.1
	SPSRTPAuth        SPParamType = 10 // RFC 3830 6.10.1
	SPAuthTagLen      SPParamType = 11 // RFC 3830 6.10.1
	SPPrefixLen       SPParamType = 12 // RFC 3830 6.10.1
	SPROCRate         SPParamType = 13 // RFC 4771
	SPSRTPAuthAlg     SPParamType = 14 // RFC 4771
	SPSRTCPAuthAlg    SPParamType = 15 // RFC 4771
	SPSRTPAuthKeyLen  SPParamType = 16 // RFC 4771
	SPSRTCPAuthKeyLen SPParamType = 17 // RFC 4771
	SPSRTPAuthTagLen  SPParamType = 18 // RFC 4771
	SPSRTCPAuthTagLen SPParamType = 19 // RFC 4771
	SPAEADAuthTagLen  SPParamType = 20 // RFC 7714
)

var spParamNames = []string{
	"encryption algorithm", "session encryption key length", "authentication algorithm",
	"session authentication key length", "session salt key length", "SRTP PRF",
	"key derivation rate", "SRTP encryption", "SRTCP encryption", "FEC order",
	"SRTP authentication", "authentication tag length", "SRTP prefix length",
	"ROC transmission rate", "SRTP authentication algorithm", "SRTCP authentication algorithm",
	"SRTP session authentication key length", "SRTCP session authentication key length",
	"SRTP authentication tag length", "SRTCP authentication tag length", "AEAD authentication tag length",
}

func (v SPParamType) String() string { return enumName("SPParamType", uint8(v), spParamNames) }

// SPParam is one parameter of a policy.
type SPParam struct {
	Type  SPParamType
	Value []byte
}

// Uint returns the value as a big-endian number, when it has 1 to 8 octets.
func (q SPParam) Uint() (v uint64, ok bool) {
	if len(q.Value) == 0 || len(q.Value) > 8 {
		return 0, false
	}
	for _, o := range q.Value {
		v = v<<8 | uint64(o)
	}
	return v, true
}

var (
	srtpEncrNames = []string{"NULL", "AES-CM", "AES-F8", "SEED-CTR", "SEED-CCM", "SEED-GCM", "AES-GCM", "ARIA-CTR", "ARIA-GCM"}
	srtpAuthNames = []string{"NULL", "HMAC-SHA-1", "RCCm1", "RCCm2", "RCCm3"}
	srtpPRFNames  = []string{"AES-CM", "SEED-CTR", "ARIA-CTR"}
	offOnNames    = []string{"off", "on"}
	fecNames      = []string{"FEC then SRTP"}
)

// ValueName explains the value of an SRTP parameter: the registered name for
// an algorithm or a switch, the number for the others, and hexadecimal digits
// for what is too long to be either.
func (q SPParam) ValueName() string {
	v, ok := q.Uint()
	if !ok {
		return fmt.Sprintf("%x", q.Value)
	}
	var names []string
	switch q.Type {
	case SPEncrAlg: // RFC 3830, 5748, 7714, 8269
		names = srtpEncrNames
	case SPAuthAlg, SPSRTPAuthAlg, SPSRTCPAuthAlg: // RFC 3830, 4771
		names = srtpAuthNames
	case SPPRF: // RFC 3830, 5748, 8269
		names = srtpPRFNames
	case SPSRTPEncr, SPSRTCPEncr, SPSRTPAuth:
		names = offOnNames
	case SPFECOrder:
		names = fecNames
	}
	if v < uint64(len(names)) {
		return names[v]
	}
	return strconv.FormatUint(v, 10)
}

// SP is the security policy payload as described in RFC 3830, 6.10.
type SP struct {
	Base
	PolicyNo uint8
	ProtType ProtType
	Params   []SPParam
	Tail     []byte // octets within the payload that form no parameter
}

var _ encoding.BinaryAppender = (*SP)(nil)

// Type returns TypeSP.
func (*SP) Type() PayloadType { return TypeSP }

// Param returns the first parameter of the given type.
func (s *SP) Param(t SPParamType) (q SPParam, ok bool) {
	for _, q := range s.Params {
		if q.Type == t {
			return q, true
		}
	}
	return SPParam{}, false
}

// DefaultProfile returns the SRTP policy that holds for a key of the given type
// when the message has no security policy or no crypto session (TS 33.180
// E.2.2, E.3.2, E.4.2): AEAD_AES_128_GCM, for groups with the ROC in the tag.
func DefaultProfile(k KeyType) []SPParam {
	p := func(t SPParamType, v byte) SPParam { return SPParam{t, []byte{v}} }
	all := []SPParam{p(SPEncrAlg, 6), p(SPEncrKeyLen, 16), p(SPSaltLen, 12), p(SPPRF, 0), p(SPKDR, 0), p(SPAEADAuthTagLen, 16)}
	if k == KeyGMK {
		all = append(all, p(SPAuthAlg, 4), p(SPROCRate, 1), p(SPSRTPAuthTagLen, 4), p(SPSRTCPAuthTagLen, 0))
	}
	slices.SortFunc(all, func(a, b SPParam) int { return int(a.Type) - int(b.Type) })
	return all
}

func (p *parser) readSP() *SP {
	p.spec = "RFC 3830 6.10"
	s := pick(p.room, usedSP, &p.room.sp)
	if s == &p.room.sp {
		s.Params = p.room.params[:0]
	}
	start := p.off
	s.Next = PayloadType(p.u8("sp.next"))
	s.PolicyNo = p.u8("sp.policy_no")
	s.ProtType = ProtType(p.u8("sp.prot_type"))
	outer, ok := p.open("sp.length")
	if !ok {
		return s
	}
	mark := p.off
	for p.left() > 0 {
		if len(s.Params) >= p.lim.Entries {
			p.fail("sp.param.type", fmt.Errorf("%w: more than %d parameters", ErrLimit, p.lim.Entries))
			break
		}
		q := SPParam{SPParamType(p.u8("sp.param.type")), p.lv8("sp.param.length", "sp.param.value")}
		if p.err != nil {
			break
		}
		s.Params = append(s.Params, q)
		mark = p.off
	}
	var inner *Error
	s.Tail, inner = p.close(outer, mark, "sp.undecoded")
	p.inner(inner)
	if p.hdr != nil && p.hdr.MapType == MapEmpty {
		p.deviate(DevSPEmptyMap, start, p.off, "sp.policy_no", "RFC 4563 5", "security policy beside an empty map")
	}
	return s
}

// inner turns a failure inside a structure of known length into a deviation.
func (p *parser) inner(e *Error) {
	if e != nil {
		p.deviate(DevInner, e.Off, e.Off, e.Field, e.Spec, e.Err.Error())
	}
}

// AppendBinary appends the wire form.
func (s *SP) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, uint8(s.Next), s.PolicyNo, uint8(s.ProtType), 0, 0)
	at := len(b)
	for _, q := range s.Params {
		var err error
		if b, err = appendLV8(append(b, uint8(q.Type)), q.Value); err != nil {
			return b, err
		}
	}
	b = append(b, s.Tail...)
	return b, putLen16(b, at)
}

// putLen16 stores the number of octets from at on in the two octets before at.
func putLen16(b []byte, at int) error {
	n := len(b) - at
	if n > 0xffff {
		return errTooLong
	}
	binary.BigEndian.PutUint16(b[at-2:at], uint16(n))
	return nil
}
