package mikeyparse

import "encoding"

// IBAKE is the payload of identity-based authenticated key exchange as
// described in RFC 6267, 6.1.1. Its content is encrypted.
type IBAKE struct {
	Base
	Data []byte
}

var _ encoding.BinaryAppender = (*IBAKE)(nil)

// Type returns TypeIBAKE.
func (*IBAKE) Type() PayloadType { return TypeIBAKE }

func (p *parser) readIBAKE() *IBAKE {
	p.spec = "RFC 6267 6.1.1"
	k := new(IBAKE)
	k.Next = PayloadType(p.u8("ibake.next"))
	k.Data = p.lv16("ibake.length", "ibake.data")
	return k
}

// AppendBinary appends the wire form.
func (k *IBAKE) AppendBinary(b []byte) ([]byte, error) {
	return appendLV16(append(b, uint8(k.Next)), k.Data)
}

// ESK is the encrypted secret key payload as described in RFC 6267, 6.1.2.
type ESK struct {
	Base
	Data []byte
}

var _ encoding.BinaryAppender = (*ESK)(nil)

// Type returns TypeESK.
func (*ESK) Type() PayloadType { return TypeESK }

func (p *parser) readESK() *ESK {
	p.spec = "RFC 6267 6.1.2"
	k := new(ESK)
	k.Next = PayloadType(p.u8("esk.next"))
	k.Data = p.lv16("esk.length", "esk.data")
	return k
}

// AppendBinary appends the wire form.
func (k *ESK) AppendBinary(b []byte) ([]byte, error) {
	return appendLV16(append(b, uint8(k.Next)), k.Data)
}
