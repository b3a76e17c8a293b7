package mikeyparse

import "encoding"

// Raw is a payload of unknown layout, as described in RFC 3830, 6: payloads
// have no common length field, so Data holds everything from the payload's
// first octet to the end of the message and Raw is always the last payload.
type Raw struct {
	Base
	PayloadType PayloadType
	Data        []byte
}

var _ encoding.BinaryAppender = (*Raw)(nil)

// Type returns the number the previous payload announced.
func (p *Raw) Type() PayloadType { return p.PayloadType }

// AppendBinary appends the wire form.
func (p *Raw) AppendBinary(b []byte) ([]byte, error) { return append(b, p.Data...), nil }
