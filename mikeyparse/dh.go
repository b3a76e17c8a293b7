package mikeyparse

import (
	"encoding"
	"encoding/binary"
	"fmt"
)

// CacheType says whether the envelope key may be cached (RFC 3830 6.3). Only 2
// bits are carried.
type CacheType uint8

// The registered values.
const (
	CacheNone   CacheType = 0 // RFC 3830 6.3
	CacheAlways CacheType = 1 // RFC 3830 6.3
	CacheCSB    CacheType = 2 // RFC 3830 6.3
)

var cacheTypeNames = []string{"No cache", "Cache", "Cache for CSB"}

func (v CacheType) String() string { return enumName("CacheType", uint8(v), cacheTypeNames) }

// PKE is the envelope data payload as described in RFC 3830, 6.3.
type PKE struct {
	Base
	Cache CacheType
	Data  []byte // at most 16383 octets
}

var _ encoding.BinaryAppender = (*PKE)(nil)

// Type returns TypePKE.
func (*PKE) Type() PayloadType { return TypePKE }

func (p *parser) readPKE() *PKE {
	p.spec = "RFC 3830 6.3"
	k := new(PKE)
	k.Next = PayloadType(p.u8("pke.next"))
	v := p.u16("pke.cache_length")
	k.Cache = CacheType(v >> 14)
	k.Data = p.bytes("pke.data", int(v&0x3fff))
	return k
}

// AppendBinary appends the wire form.
func (k *PKE) AppendBinary(b []byte) ([]byte, error) {
	if k.Cache > 3 || len(k.Data) > 0x3fff {
		return b, errTooLong
	}
	b = binary.BigEndian.AppendUint16(append(b, uint8(k.Next)), uint16(k.Cache)<<14|uint16(len(k.Data)))
	return append(b, k.Data...), nil
}

// DHGroup is a Diffie-Hellman group (RFC 3830 6.4).
type DHGroup uint8

// The registered groups.
const (
	DHOakley5 DHGroup = 0 // RFC 3830 6.4, 1536 bits
	DHOakley1 DHGroup = 1 // RFC 3830 6.4, 768 bits
	DHOakley2 DHGroup = 2 // RFC 3830 6.4, 1024 bits
)

var dhGroupNames = []string{"OAKLEY 5", "OAKLEY 1", "OAKLEY 2"}

func (v DHGroup) String() string { return enumName("DHGroup", uint8(v), dhGroupNames) }

// width returns the octets of a public value; 0 for a group nobody registered.
func (v DHGroup) width() int {
	switch v {
	case DHOakley5:
		return 192
	case DHOakley1:
		return 96
	case DHOakley2:
		return 128
	}
	return 0
}

// DH is the Diffie-Hellman payload as described in RFC 3830, 6.4.
type DH struct {
	Base
	Group    DHGroup
	Value    []byte
	Reserved uint8 // 4 bits, 0
	KV       KV
}

var _ encoding.BinaryAppender = (*DH)(nil)

// Type returns TypeDH.
func (*DH) Type() PayloadType { return TypeDH }

func (p *parser) readDH() *DH {
	p.spec = "RFC 3830 6.4"
	d := new(DH)
	d.Next = PayloadType(p.u8("dh.next"))
	d.Group = DHGroup(p.u8("dh.group"))
	n := d.Group.width()
	if n == 0 {
		p.unknown("dh.group", 1, d.Group)
	}
	d.Value = p.bytes("dh.value", n)
	v := p.u8("dh.kv")
	d.Reserved = v >> 4
	if p.err == nil && d.Reserved != 0 {
		p.deviate(DevReserved, p.off-1, p.off, "dh.kv", "RFC 3830 6.4", fmt.Sprintf("reserved bits are %x", d.Reserved))
	}
	d.KV = p.readKV(KVType(v&0xf), p.off-1, &dhKV)
	return d
}

// AppendBinary appends the wire form.
func (d *DH) AppendBinary(b []byte) ([]byte, error) {
	if n := d.Group.width(); n == 0 || n != len(d.Value) || d.Reserved > 0xf || d.KV.Type > 0xf {
		return b, fmt.Errorf("%w: %s with %d octets", ErrValue, d.Group, len(d.Value))
	}
	b = append(append(b, uint8(d.Next), uint8(d.Group)), d.Value...)
	return d.KV.append(append(b, d.Reserved<<4|uint8(d.KV.Type)))
}
