package mikeyparse

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
)

// Header is the common header as described in RFC 3830, 6.1.
type Header struct {
	Version  uint8
	DataType DataType
	Next     PayloadType
	V        bool // a verification message is expected; must be 0 in SAKKE (RFC 6509 4.1)
	PRF      PRF  // 7 bits
	CSBID    uint32
	// NumCS is the number of crypto sessions as it was read. For the SRTP-ID and
	// GENERIC-ID maps AppendBinary writes the number of entries instead.
	NumCS   uint8
	MapType MapType
	SRTP    []SRTPID    // entries of map type 0; entry i has CS ID i+1
	Generic []GenericID // entries of map type 2
	End     int         // octet behind the header

	partial bool // reading failed in the header
}

var _ encoding.BinaryAppender = (*Header)(nil)

// SRTPID is an entry of the SRTP-ID map as described in RFC 3830, 6.1.1.
type SRTPID struct {
	PolicyNo uint8
	SSRC     uint32 // 0: chosen by the responder
	ROC      uint32
}

// GenericID is an entry of the GENERIC-ID map as described in RFC 6043, 6.1.1.
type GenericID struct {
	CSID     uint8
	ProtType ProtType
	S        bool   // session data holds ROC and SEQ behind the SSRC
	Policies []byte // at most 127 policy numbers
	Session  []byte
	SPI      []byte // MKI; key identifiers in MCX
}

// SSRC returns the SSRC of the session data when it is there.
func (g *GenericID) SSRC() (ssrc uint32, ok bool) {
	if g.ProtType != ProtSRTP || len(g.Session) < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(g.Session), true
}

// readHeader reports whether the map was understood, so that the payloads
// behind it can be found.
func (p *parser) readHeader(h *Header) (known bool) {
	p.spec = "RFC 3830 6.1"
	h.Version = p.u8("hdr.version")
	h.DataType = DataType(p.u8("hdr.data_type"))
	h.Next = PayloadType(p.u8("hdr.next"))
	vprf := p.u8("hdr.v_prf")
	h.V, h.PRF = vprf&0x80 != 0, PRF(vprf&0x7f)
	h.CSBID = p.u32("hdr.csb_id")
	h.NumCS = p.u8("hdr.num_cs")
	h.MapType = MapType(p.u8("hdr.map_type"))
	h.End = p.off
	if p.err != nil {
		return false
	}
	switch h.MapType {
	case MapSRTPID:
		p.spec = "RFC 3830 6.1.1"
		h.SRTP = p.room.srtp[:0]
		for range h.NumCS {
			e := SRTPID{p.u8("hdr.srtp.policy_no"), p.u32("hdr.srtp.ssrc"), p.u32("hdr.srtp.roc")}
			if p.err != nil {
				return true
			}
			h.SRTP = append(h.SRTP, e)
		}
	case MapEmpty: // no octets, whatever the number says
	case MapGenericID:
		p.spec = "RFC 6043 6.1.1"
		h.Generic = p.room.generic[:0]
		for range h.NumCS {
			var g GenericID
			g.CSID = p.u8("hdr.generic.cs_id")
			g.ProtType = ProtType(p.u8("hdr.generic.prot_type"))
			sp := p.u8("hdr.generic.s_num_policies")
			g.S = sp&0x80 != 0
			g.Policies = p.bytes("hdr.generic.policies", int(sp&0x7f))
			g.Session = p.lv16("hdr.generic.session_length", "hdr.generic.session")
			g.SPI = p.lv8("hdr.generic.spi_length", "hdr.generic.spi")
			if p.err != nil {
				return true
			}
			h.Generic = append(h.Generic, g)
		}
	default:
		p.deviate(DevMapType, p.off-1, p.end, "hdr.map_type", "RFC 3830 6.1.1",
			h.MapType.String()+" is not registered, the rest is kept raw")
		return false
	}
	h.End = p.off
	return true
}

// checkHeader reports what is wrong with a header that could be read.
func (p *parser) checkHeader(h *Header) {
	if h.Version != 1 {
		p.deviate(DevVersion, 0, 1, "hdr.version", "RFC 3830 6.1", fmt.Sprintf("version %d instead of 1", h.Version))
	}
	if int(h.DataType) >= len(dataTypeNames) {
		p.deviate(DevDataType, 1, 2, "hdr.data_type", "RFC 3830 6.1", h.DataType.String()+" is not registered")
	}
	if h.DataType != DataSAKKE {
		return
	}
	if h.V {
		p.deviate(DevVSet, 3, 4, "hdr.v_prf", "RFC 6509 4.1", "V is set, but a SAKKE message has no answer")
	}
	if h.PRF != PRFHMACSHA256 {
		p.deviate(DevPRF, 3, 4, "hdr.v_prf", "TS 33.180 E.1.2", h.PRF.String()+" instead of "+PRFHMACSHA256.String())
	}
	switch {
	case h.MapType == MapSRTPID:
		p.deviate(DevMapLegacy, 9, 10, "hdr.map_type", "TS 33.180 E.1.2", "SRTP-ID map instead of an empty or GENERIC-ID map")
	case h.MapType == MapGenericID && h.NumCS == 0:
		p.deviate(DevMapCount, 8, 10, "hdr.num_cs", "TS 33.180 E.1.2", "GENERIC-ID map without a crypto session")
	case h.MapType == MapEmpty && h.NumCS != 0:
		p.deviate(DevMapCount, 8, 10, "hdr.num_cs", "RFC 4563 5", fmt.Sprintf("empty map beside %d crypto sessions", h.NumCS))
	}
}

var errTooLong = errors.New("value too long for its length field")

// AppendBinary appends the wire form.
func (h *Header) AppendBinary(b []byte) ([]byte, error) {
	n := int(h.NumCS)
	switch h.MapType {
	case MapSRTPID:
		n = len(h.SRTP)
	case MapGenericID:
		n = len(h.Generic)
	}
	if n > 255 || h.PRF > 0x7f {
		return b, fmt.Errorf("mikey: header: %w", errTooLong)
	}
	vprf := uint8(h.PRF)
	if h.V {
		vprf |= 0x80
	}
	b = append(b, h.Version, uint8(h.DataType), uint8(h.Next), vprf)
	b = binary.BigEndian.AppendUint32(b, h.CSBID)
	b = append(b, uint8(n), uint8(h.MapType))
	switch h.MapType {
	case MapSRTPID:
		for _, e := range h.SRTP {
			b = append(b, e.PolicyNo)
			b = binary.BigEndian.AppendUint32(b, e.SSRC)
			b = binary.BigEndian.AppendUint32(b, e.ROC)
		}
	case MapGenericID:
		for _, g := range h.Generic {
			if len(g.Policies) > 0x7f {
				return b, fmt.Errorf("mikey: header: %w", errTooLong)
			}
			sp := uint8(len(g.Policies))
			if g.S {
				sp |= 0x80
			}
			b = append(b, g.CSID, uint8(g.ProtType), sp)
			b = append(b, g.Policies...)
			var err error
			if b, err = appendLV16(b, g.Session); err != nil {
				return b, err
			}
			if b, err = appendLV8(b, g.SPI); err != nil {
				return b, err
			}
		}
	}
	return b, nil
}

func appendLV8(b, v []byte) ([]byte, error) {
	if len(v) > 0xff {
		return b, errTooLong
	}
	return append(append(b, uint8(len(v))), v...), nil
}

func appendLV16(b, v []byte) ([]byte, error) {
	if len(v) > 0xffff {
		return b, errTooLong
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...), nil
}
