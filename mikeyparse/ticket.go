package mikeyparse

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"strconv"
)

// TicketType is the kind of a ticket (RFC 6043 6.10); it has 16 bits.
type TicketType uint16

// The registered types.
const (
	TicketBase TicketType = 1 // RFC 6043 6.10
	Ticket3GPP TicketType = 2 // RFC 6043 6.10
)

func (v TicketType) String() string {
	switch v {
	case TicketBase:
		return "MIKEY base ticket"
	case Ticket3GPP:
		return "3GPP base ticket"
	}
	return "TicketType(" + strconv.Itoa(int(v)) + ")"
}

// TicketPolicy is the part that TP and TICKET payloads share, as described in
// RFC 6043, 6.10.
type TicketPolicy struct {
	TicketType TicketType
	Subtype    uint8
	Version    uint8
	PRF        PRF    // 7 bits
	Flags      uint16 // 12 bits: D is the highest, O the lowest
	Reserved   uint8  // 5 bits, 0
	Data       []byte
}

// Flag reports the flag with the given letter, 'D' to 'O'.
func (t *TicketPolicy) Flag(letter byte) bool {
	return letter >= 'D' && letter <= 'O' && t.Flags>>('O'-letter)&1 != 0
}

type ticketNames struct{ next, kind, subtype, version, flags, length, data string }

var (
	tpFields     = ticketNames{"tp.next", "tp.type", "tp.subtype", "tp.version", "tp.prf_flags", "tp.length", "tp.data"}
	ticketFields = ticketNames{"ticket.next", "ticket.type", "ticket.subtype", "ticket.version", "ticket.prf_flags", "ticket.tp_length", "ticket.tp_data"}
)

func (p *parser) readTicketPolicy(names *ticketNames) (next PayloadType, t TicketPolicy) {
	p.spec = "RFC 6043 6.10"
	next = PayloadType(p.u8(names.next))
	t.TicketType = TicketType(p.u16(names.kind))
	t.Subtype = p.u8(names.subtype)
	t.Version = p.u8(names.version)
	v := p.u24(names.flags)
	t.PRF, t.Flags, t.Reserved = PRF(v>>17), uint16(v>>5)&0xfff, uint8(v)&0x1f
	if p.err == nil && t.Reserved != 0 {
		p.deviate(DevReserved, p.off-1, p.off, names.flags, "RFC 6043 6.10", fmt.Sprintf("reserved bits are %02x", t.Reserved))
	}
	t.Data = p.lv16(names.length, names.data)
	return next, t
}

func (t *TicketPolicy) append(b []byte, next PayloadType) ([]byte, error) {
	if t.PRF > 0x7f || t.Flags > 0xfff || t.Reserved > 0x1f {
		return b, errTooLong
	}
	b = binary.BigEndian.AppendUint16(append(b, uint8(next)), uint16(t.TicketType))
	v := uint32(t.PRF)<<17 | uint32(t.Flags)<<5 | uint32(t.Reserved)
	b = append(b, t.Subtype, t.Version, uint8(v>>16), uint8(v>>8), uint8(v))
	return appendLV16(b, t.Data)
}

// TP is the ticket policy payload as described in RFC 6043, 6.10.
type TP struct {
	Base
	TicketPolicy
}

var _ encoding.BinaryAppender = (*TP)(nil)

// Type returns TypeTP.
func (*TP) Type() PayloadType { return TypeTP }

func (p *parser) readTP() *TP {
	t := new(TP)
	t.Next, t.TicketPolicy = p.readTicketPolicy(&tpFields)
	return t
}

// AppendBinary appends the wire form.
func (t *TP) AppendBinary(b []byte) ([]byte, error) { return t.append(b, t.Next) }

// TICKET is the ticket payload as described in RFC 6043, 6.10.
type TICKET struct {
	Base
	TicketPolicy
	Ticket    []byte
	Initiator []byte
}

var _ encoding.BinaryAppender = (*TICKET)(nil)

// Type returns TypeTICKET.
func (*TICKET) Type() PayloadType { return TypeTICKET }

func (p *parser) readTICKET() *TICKET {
	t := new(TICKET)
	t.Next, t.TicketPolicy = p.readTicketPolicy(&ticketFields)
	t.Ticket = p.lv16("ticket.length", "ticket.data")
	t.Initiator = p.lv16("ticket.initiator_length", "ticket.initiator_data")
	return t
}

// AppendBinary appends the wire form.
func (t *TICKET) AppendBinary(b []byte) ([]byte, error) {
	b, err := t.append(b, t.Next)
	if err != nil {
		return b, err
	}
	if b, err = appendLV16(b, t.Ticket); err != nil {
		return b, err
	}
	return appendLV16(b, t.Initiator)
}
