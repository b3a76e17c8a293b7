package mikeyparse

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"strings"
)

// ExtType is the kind of a general extension (RFC 3830 6.15).
type ExtType uint8

// The registered extension types.
const (
	ExtVendorID      ExtType = 0 // RFC 3830 6.15
	ExtSDPIDs        ExtType = 1 // RFC 3830 6.15, RFC 4567 4.1.4
	ExtTESLAIKey     ExtType = 2 // RFC 4442
	ExtKeyID         ExtType = 3 // RFC 4563 4
	ExtCSBID         ExtType = 4 // RFC 4738 6
	ExtBCAST         ExtType = 5 // RFC 5410 3
	ExtSAKKEToSelf   ExtType = 6 // TS 33.180 E.5
	ExtKeyParameters ExtType = 7 // TS 33.180 E.6
)

var extTypeNames = []string{"Vendor ID", "SDP IDs", "TESLA I-Key", "Key ID", "CSB_ID", "OMA BCAST", "SAKKE-to-self", "3GPP key parameters"}

func (v ExtType) String() string { return enumName("ExtType", uint8(v), extTypeNames) }

// KeyIDType is the kind of an identifier in a Key ID extension (RFC 4563 4).
type KeyIDType uint8

// The registered kinds.
const (
	KeyIDDomain  KeyIDType = 0 // RFC 4563 table 2, MBMS key domain
	KeyIDService KeyIDType = 1 // RFC 4563 table 2, MBMS service key
	KeyIDTraffic KeyIDType = 2 // RFC 4563 table 2, MBMS traffic key
)

var keyIDTypeNames = []string{"MBMS Key Domain ID", "MBMS Service Key ID", "MBMS Traffic Key ID"}

func (v KeyIDType) String() string { return enumName("KeyIDType", uint8(v), keyIDTypeNames) }

// KeyID is an entry of a Key ID extension as described in RFC 4563, 4.
type KeyID struct {
	Type KeyIDType
	ID   []byte
}

// BCASTType is the first octet of an OMA BCAST extension (RFC 5410 3).
type BCASTType uint8

// The registered subtypes.
const (
	BCASTLTKM          BCASTType = 1 // RFC 5410 3
	BCASTSTKM          BCASTType = 2 // RFC 5410 3
	BCASTLTKMReporting BCASTType = 3 // RFC 5410 3
	BCASTParental      BCASTType = 4 // RFC 5410 3
)

var bcastNames = []string{"", "LTKM", "STKM", "LTKM reporting", "parental control"}

func (v BCASTType) String() string { return enumName("BCASTType", uint8(v), bcastNames) }

// GenExt is the general extension payload as described in RFC 3830, 6.15.
// Data is what AppendBinary writes; the fields behind it are readings of Data.
type GenExt struct {
	Base
	ExtType ExtType
	Data    []byte

	KeyIDs    []KeyID        // ExtKeyID
	Self      *SAKKE         // ExtSAKKEToSelf
	Protected *Protected     // ExtKeyParameters, sealed
	Plain     *KeyParameters // ExtKeyParameters, as old products send them
}

var _ encoding.BinaryAppender = (*GenExt)(nil)

// Type returns TypeGenExt.
func (*GenExt) Type() PayloadType { return TypeGenExt }

// SDPIDs returns the list of offered key management protocols (RFC 4567 4.1.4).
func (x *GenExt) SDPIDs() []string {
	if x.ExtType != ExtSDPIDs || len(x.Data) == 0 {
		return nil
	}
	return strings.Split(string(x.Data), ";")
}

// CSBID returns the identifier of a CSB_ID extension (RFC 4738 6).
func (x *GenExt) CSBID() (id uint32, ok bool) {
	if x.ExtType != ExtCSBID || len(x.Data) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(x.Data), true
}

// BCAST splits an OMA BCAST extension (RFC 5410 3).
func (x *GenExt) BCAST() (t BCASTType, body []byte, ok bool) {
	if x.ExtType != ExtBCAST || len(x.Data) == 0 {
		return 0, nil, false
	}
	return BCASTType(x.Data[0]), x.Data[1:], true
}

// NewSAKKEToSelf wraps a SAKKE payload for the initiator (TS 33.180 E.5).
func NewSAKKEToSelf(s *SAKKE) (*GenExt, error) {
	inner := *s
	inner.Next = TypeLast
	data, err := inner.AppendBinary(nil)
	return &GenExt{ExtType: ExtSAKKEToSelf, Data: data, Self: &inner}, err
}

// NewKeyParameters wraps sealed key parameters (TS 33.180 E.6).
func NewKeyParameters(q *Protected) (*GenExt, error) {
	data, err := q.AppendBinary(nil)
	return &GenExt{ExtType: ExtKeyParameters, Data: data, Protected: q}, err
}

func (p *parser) readGenExt() *GenExt {
	p.spec = "RFC 3830 6.15"
	x := pick(p.room, usedExt, &p.room.ext)
	start := p.off
	x.Next = PayloadType(p.u8("genext.next"))
	x.ExtType = ExtType(p.u8("genext.type"))
	outer, ok := p.open("genext.length")
	if !ok {
		return x
	}
	mark := p.off
	x.Data = p.b[p.off:p.end:p.end]
	switch x.ExtType {
	case ExtVendorID:
		p.rest("genext.vendor_id")
	case ExtSDPIDs:
		p.rest("genext.sdp_ids")
	case ExtTESLAIKey:
		p.rest("genext.tesla_ikey")
	case ExtKeyID:
		p.spec = "RFC 4563 4"
		for p.left() > 0 && p.err == nil {
			if len(x.KeyIDs) >= p.lim.Entries {
				p.fail("genext.key_id.type", fmt.Errorf("%w: more than %d entries", ErrLimit, p.lim.Entries))
				break
			}
			k := KeyID{KeyIDType(p.u8("genext.key_id.type")), p.lv8("genext.key_id.length", "genext.key_id.id")}
			if p.err == nil {
				x.KeyIDs = append(x.KeyIDs, k)
			}
		}
	case ExtCSBID:
		p.spec = "RFC 4738 6"
		p.u32("genext.csb_id")
	case ExtBCAST:
		p.spec = "RFC 5410 3"
		p.u8("genext.bcast.type")
		p.rest("genext.bcast.data")
	case ExtSAKKEToSelf:
		s := p.readSAKKE(new(SAKKE), &selfFields)
		s.Off, s.End = mark, p.off
		if p.err == nil {
			x.Self = s
			if s.Next != TypeLast {
				p.deviate(DevReserved, mark, mark+1, selfFields.next, "TS 33.180 E.5", fmt.Sprintf("next payload is %d instead of 0", s.Next))
			}
		}
	case ExtKeyParameters:
		p.readKeyParametersExt(x, start)
	default:
		p.rest("genext.data")
	}
	if p.err == nil && p.left() > 0 {
		p.deviate(DevInner, p.off, p.end, "genext.undecoded", p.spec, fmt.Sprintf("%d octets behind the content of %s", p.left(), x.ExtType))
	}
	_, inner := p.close(outer, mark, "genext.undecoded")
	p.inner(inner)
	return x
}

// readKeyParametersExt tells the protected envelope from the plain parameters
// of products that follow early releases.
func (p *parser) readKeyParametersExt(x *GenExt, start int) {
	var id uint32
	if p.hdr != nil {
		id = p.hdr.CSBID
	}
	if !looksProtected(x.Data, id) {
		p.deviate(DevKeyParamsPlain, start, p.end, "genext.data", "TS 33.180 E.6.1", "key parameters are not protected")
		x.Plain = p.readKeyParameters(new(KeyParameters))
		x.Plain.normalise(KeyTypeOf(id))
		return
	}
	q := pick(p.room, usedProt, &p.room.prot)
	p.readProtected(q, id)
	if p.err != nil {
		return
	}
	x.Protected = q
	if p.hdr != nil && q.DPPKID != id {
		p.deviate(DevDPPKID, q.idOff, q.idOff+4, "protected.dppk_id", "TS 33.180 E.6.1",
			fmt.Sprintf("DPPK-ID %08x differs from CSB ID %08x", q.DPPKID, id))
	}
	if q.HasSigAlg {
		p.deviate(DevSigAlgOctet, q.Off+12, q.Off+13, "protected.signalling_algorithm", "TS 33.180 8.5.4.1", "signalling algorithm octet before the IV")
	}
}

// AppendBinary appends the wire form.
func (x *GenExt) AppendBinary(b []byte) ([]byte, error) {
	return appendLV16(append(b, uint8(x.Next), uint8(x.ExtType)), x.Data)
}
