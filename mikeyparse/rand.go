package mikeyparse

import (
	"encoding"
	"fmt"
)

// RAND is the random number payload as described in RFC 3830, 6.11.
type RAND struct {
	Base
	Data []byte
}

var _ encoding.BinaryAppender = (*RAND)(nil)

// Type returns TypeRAND.
func (*RAND) Type() PayloadType { return TypeRAND }

func (p *parser) readRAND() *RAND {
	p.spec = "RFC 3830 6.11"
	r := pick(p.room, usedRAND, &p.room.rand)
	start := p.off
	r.Next = PayloadType(p.u8("rand.next"))
	r.Data = p.lv8("rand.length", "rand.data")
	if p.err == nil && len(r.Data) < 16 {
		p.deviate(DevRandShort, start+1, p.off, "rand.length", "RFC 3830 6.11", fmt.Sprintf("%d octets, at least 16 are expected", len(r.Data)))
	}
	return r
}

// AppendBinary appends the wire form.
func (r *RAND) AppendBinary(b []byte) ([]byte, error) {
	return appendLV8(append(b, uint8(r.Next)), r.Data)
}

// RANDRole says who chose the random number of a RANDR payload (RFC 6043 6.8).
type RANDRole uint8

// The registered roles.
const (
	RANDInitiator RANDRole = 1 // RFC 6043 6.8
	RANDResponder RANDRole = 2 // RFC 6043 6.8
	RANDKMS       RANDRole = 3 // RFC 6043 6.8
)

var randRoleNames = []string{"", "RANDRi", "RANDRr", "RANDRkms"}

func (v RANDRole) String() string { return enumName("RANDRole", uint8(v), randRoleNames) }

// RANDR is the random number payload with role indicator as described in RFC 6043, 6.8.
type RANDR struct {
	Base
	Role RANDRole
	Data []byte
}

var _ encoding.BinaryAppender = (*RANDR)(nil)

// Type returns TypeRANDR.
func (*RANDR) Type() PayloadType { return TypeRANDR }

func (p *parser) readRANDR() *RANDR {
	p.spec = "RFC 6043 6.8"
	r := new(RANDR)
	r.Next = PayloadType(p.u8("randr.next"))
	r.Role = RANDRole(p.u8("randr.role"))
	r.Data = p.lv8("randr.length", "randr.data")
	return r
}

// AppendBinary appends the wire form.
func (r *RANDR) AppendBinary(b []byte) ([]byte, error) {
	return appendLV8(append(b, uint8(r.Next), uint8(r.Role)), r.Data)
}
