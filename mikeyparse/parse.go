package mikeyparse

import (
	"encoding"
	"encoding/binary"
	"fmt"
)

// Limits bound what Parse does. A zero field stands for its default.
type Limits struct {
	Message  int // octets of a message; default 65536
	Payloads int // payloads in the chain; default 256
	Entries  int // entries of one list: policy parameters, groups, key IDs; default 1024
}

func (l Limits) withDefaults() Limits {
	if l.Message <= 0 {
		l.Message = 64 << 10
	}
	if l.Payloads <= 0 {
		l.Payloads = 256
	}
	if l.Entries <= 0 {
		l.Entries = 1024
	}
	return l
}

// A Payload is one element of the chain. The set is closed: the types of this
// package, one for each registered payload, and [Raw] for everything else.
type Payload interface {
	Type() PayloadType
	// Range returns the octets [off,end) of the payload in the input.
	Range() (off, end int)
	encoding.BinaryAppender
	base() *Base
}

// Base is the part all payloads share: the next-payload octet as it was read
// (SIGN has none) and the place in the input. Only Next is written.
type Base struct {
	Next     PayloadType
	Off, End int
}

// Range returns the octets [off,end) of the payload in the input.
func (p *Base) Range() (off, end int) { return p.Off, p.End }

func (p *Base) base() *Base { return p }

// A Message is a MIKEY message as described in RFC 3830, 6: a header and a
// chain of payloads. Octet strings in it share the input of Parse.
type Message struct {
	Header   Header
	Payloads []Payload

	// Partial is the payload in which reading failed, with the fields read up
	// to there, or nil. Its octets are in Rest; AppendBinary does not write it.
	Partial Payload

	// Rest holds the octets that belong to no payload: those behind the last
	// one, or all from the first that could not be read. RestOff is their place.
	Rest    []byte
	RestOff int

	Deviations []Deviation
}

// room is what an ordinary I_MESSAGE needs, so that one allocation does.
type room struct {
	m        Message
	payloads [12]Payload
	t        T
	rand     RAND
	idr      [4]IDR
	sp       SP
	params   [12]SPParam
	sakke    SAKKE
	ext      GenExt
	prot     Protected
	sign     SIGN
	generic  [2]GenericID
	srtp     [2]SRTPID
	nIDR     int
	used     uint8
}

const (
	usedT = 1 << iota
	usedRAND
	usedSP
	usedSAKKE
	usedExt
	usedProt
	usedSIGN
)

// pick returns the prepared value the first time and a new one afterwards.
func pick[V any](r *room, flag uint8, v *V) *V {
	if r.used&flag != 0 {
		return new(V)
	}
	r.used |= flag
	return v
}

type parser struct {
	reader
	lim  Limits
	room *room // nil, like hdr, when a structure is read on its own
	hdr  *Header
	devs []Deviation
}

func (p *parser) deviate(k Kind, off, end int, field, spec, text string) {
	p.devs = append(p.devs, Deviation{k, off, end, field, spec, text})
}

// sakkeMessage reports whether the rules of RFC 6509 and TS 33.180 apply.
func (p *parser) sakkeMessage() bool { return p.hdr != nil && p.hdr.DataType == DataSAKKE }

// Parse reads a message within the default limits. The message returned is
// never nil and holds what was read; err is nil or an *Error. see may be nil.
func Parse(b []byte, see Tracer) (*Message, error) { return Limits{}.Parse(b, see) }

// Parse reads a message within the limits l.
func (l Limits) Parse(b []byte, see Tracer) (*Message, error) { return l.parse(b, see, new(room)) }

// A Parser reads message after message in the same memory: what it returns is
// good until its next call. The zero value is ready.
type Parser struct{ room room }

// Parse is [Parse].
func (p *Parser) Parse(b []byte, see Tracer) (*Message, error) {
	p.room = room{}
	return Limits{}.parse(b, see, &p.room)
}

func (l Limits) parse(b []byte, see Tracer, rm *room) (*Message, error) {
	l = l.withDefaults()
	m := &rm.m
	if len(b) > l.Message {
		m.Header.partial, m.Rest = true, b
		return m, &Error{Off: l.Message, Field: "undecoded", Spec: "RFC 3830 6",
			Err: fmt.Errorf("%w: %d octets, at most %d", ErrLimit, len(b), l.Message)}
	}
	p := parser{reader: reader{b: b, end: len(b), see: see}, lim: l, room: rm, hdr: &m.Header}
	mapKnown := p.readHeader(&m.Header)
	if p.err == nil {
		p.checkHeader(&m.Header)
	}
	m.Payloads = rm.payloads[:0]
	if p.err == nil && mapKnown {
		p.chain(m)
	} else if p.err != nil {
		m.Header.partial = true
		m.RestOff = 0
	} else {
		m.RestOff = p.off
	}
	fail := p.err
	p.err = nil
	if p.left() > 0 {
		p.rest("undecoded")
	}
	if m.RestOff < len(b) && (fail != nil || !mapKnown) {
		m.Rest = b[m.RestOff:len(b):len(b)]
	}
	if fail == nil {
		p.checkMessage(m, mapKnown)
	}
	m.Deviations = p.devs
	if fail != nil {
		return m, fail
	}
	return m, nil
}

// chain reads the payloads. On failure p.err is set and m.RestOff is the start
// of the payload that failed.
func (p *parser) chain(m *Message) {
	next := m.Header.Next
	for next != TypeLast {
		m.RestOff = p.off
		if len(m.Payloads) >= p.lim.Payloads {
			p.spec = "RFC 3830 6"
			p.fail("undecoded", fmt.Errorf("%w: more than %d payloads", ErrLimit, p.lim.Payloads))
			return
		}
		start := p.off
		pl := p.readPayload(next)
		if p.err != nil {
			if !p.err.undecodable() {
				pl.base().Off, pl.base().End = start, p.off
				m.Partial = pl
				return
			}
			// The layout hangs on a value nobody registered: keep the rest.
			p.deviate(DevUndecodable, p.err.Off, p.end, p.err.Field, p.err.Spec, p.err.Err.Error())
			p.err = nil
			pl = nil
		}
		if pl == nil {
			p.rest("undecoded")
			m.Payloads = append(m.Payloads, &Raw{Base: Base{Off: start, End: p.off}, PayloadType: next, Data: p.b[start:p.off:p.off]})
			m.RestOff = p.off
			return
		}
		base := pl.base()
		base.Off, base.End = start, p.off
		m.Payloads = append(m.Payloads, pl)
		if next == TypeSIGN {
			break // SIGN has no next-payload octet (RFC 3830 6.5)
		}
		next = base.Next
	}
	m.RestOff = p.off
	if p.left() > 0 {
		if n := len(m.Payloads); n > 0 && m.Payloads[n-1].Type() == TypeSIGN {
			s := m.Payloads[n-1].(*SIGN)
			p.deviate(DevSignNotLast, s.Off, s.Off+2, "sign.type_length", "RFC 3830 6.5",
				fmt.Sprintf("signature length %d, but %d octets are left", len(s.Signature), len(s.Signature)+p.left()))
		}
		p.deviate(DevTrailing, p.off, p.end, "trailing", "RFC 3830 6",
			fmt.Sprintf("%d octets behind the last payload", p.left()))
		m.Rest = p.rest("trailing")
	}
}

// readPayload reads one payload; nil stands for a type of unknown layout.
func (p *parser) readPayload(t PayloadType) Payload {
	switch t {
	case TypeKEMAC:
		return p.readKEMAC()
	case TypePKE:
		return p.readPKE()
	case TypeDH:
		return p.readDH()
	case TypeSIGN:
		return p.readSIGN()
	case TypeT:
		return p.readT()
	case TypeID:
		return p.readID()
	case TypeCERT:
		return p.readCERT()
	case TypeCHASH:
		return p.readCHASH()
	case TypeV:
		return p.readV()
	case TypeSP:
		return p.readSP()
	case TypeRAND:
		return p.readRAND()
	case TypeERR:
		return p.readERR()
	case TypeTR:
		return p.readTR()
	case TypeIDR:
		return p.readIDR()
	case TypeRANDR:
		return p.readRANDR()
	case TypeTP:
		return p.readTP()
	case TypeTICKET:
		return p.readTICKET()
	case TypeKeyData:
		p.deviate(DevKeyDataOutside, p.off, p.off, "keydata.next", "RFC 3830 6.13", "Key data outside KEMAC")
		return p.readKeyData()
	case TypeGenExt:
		return p.readGenExt()
	case TypeIBAKE:
		return p.readIBAKE()
	case TypeESK:
		return p.readESK()
	case TypeSAKKE:
		return p.readSAKKE(pick(p.room, usedSAKKE, &p.room.sakke), &sakkeFields)
	}
	p.spec = "RFC 3830 6"
	if p.left() == 0 {
		p.u8("undecoded")
		return &Raw{PayloadType: t}
	}
	switch t {
	case TypeSK, TypeECCPT:
		p.deviate(DevKeyDataOutside, p.off, p.end, "undecoded", "RFC 6267 table 3", t.String()+" outside its encrypted payload, kept raw")
		return nil
	}
	p.deviate(DevUnknownPayload, p.off, p.end, "undecoded", "RFC 3830 6.1", t.String()+" is not registered, the rest is kept raw")
	return nil
}

// AppendBinary appends the wire form of the message to b. For a message that
// Parse returned it appends exactly the octets that were parsed.
func (m *Message) AppendBinary(b []byte) ([]byte, error) {
	if m.Header.partial {
		return append(b, m.Rest...), nil
	}
	b, err := m.Header.AppendBinary(b)
	if err != nil {
		return b, err
	}
	for i, p := range m.Payloads {
		if b, err = p.AppendBinary(b); err != nil {
			return b, fmt.Errorf("mikey: payload %d (%s): %w", i, p.Type(), err)
		}
	}
	return append(b, m.Rest...), nil
}

// Link sets all next-payload fields from the order of Payloads, for a message
// that was put together by hand.
func (m *Message) Link() {
	next := TypeLast
	for i := len(m.Payloads) - 1; i >= 0; i-- {
		m.Payloads[i].base().Next = next
		next = m.Payloads[i].Type()
	}
	m.Header.Next = next
}

// find returns the first payload of type V.
func find[V Payload](m *Message) (v V) {
	for _, p := range m.Payloads {
		if v, ok := p.(V); ok {
			return v
		}
	}
	return v
}

// CSBID returns the crypto session bundle identifier; in MCX messages it is
// the identifier of the key (GUK-ID, PCK-ID, CSK-ID, MuSiK-ID).
func (m *Message) CSBID() uint32 { return m.Header.CSBID }

// GMKID returns the GMK-ID of a group key message: the first half of an SPI
// whose second half is the CSB ID, which is the GUK-ID (TS 33.180 E.2).
func (m *Message) GMKID() (id uint32, ok bool) {
	if m.KeyType() != KeyGMK {
		return 0, false
	}
	for _, g := range m.Header.Generic {
		if len(g.SPI) == 8 && binary.BigEndian.Uint32(g.SPI[4:]) == m.Header.CSBID {
			return binary.BigEndian.Uint32(g.SPI), true
		}
	}
	return 0, false
}

// KeyType returns the purpose tag of the CSB ID.
func (m *Message) KeyType() KeyType { return KeyTypeOf(m.Header.CSBID) }

// Timestamp returns the first T payload or nil.
func (m *Message) Timestamp() *T { return find[*T](m) }

// RAND returns the first RAND payload or nil.
func (m *Message) RAND() *RAND { return find[*RAND](m) }

// SAKKE returns the first SAKKE payload or nil. The one inside a general
// extension is SAKKEToSelf.
func (m *Message) SAKKE() *SAKKE { return find[*SAKKE](m) }

// SP returns the first security policy or nil.
func (m *Message) SP() *SP { return find[*SP](m) }

// Sign returns the signature payload or nil.
func (m *Message) Sign() *SIGN { return find[*SIGN](m) }

// KEMAC returns the first KEMAC payload or nil.
func (m *Message) KEMAC() *KEMAC { return find[*KEMAC](m) }

// IDR returns the first identity with the given role or nil.
func (m *Message) IDR(role IDRole) *IDR {
	for _, p := range m.Payloads {
		if id, ok := p.(*IDR); ok && id.Role == role {
			return id
		}
	}
	return nil
}

// Initiator returns IDRi, or IDRuidi when the identity is hidden, or nil.
func (m *Message) Initiator() *IDR {
	if id := m.IDR(RoleInitiator); id != nil {
		return id
	}
	return m.IDR(RoleUIDInitiator)
}

// Responder returns IDRr, or IDRuidr when the identity is hidden, or nil.
func (m *Message) Responder() *IDR {
	if id := m.IDR(RoleResponder); id != nil {
		return id
	}
	return m.IDR(RoleUIDResponder)
}

// InitiatorKMS returns IDRkmsi, or IDRkms where that stands for both, or nil.
func (m *Message) InitiatorKMS() *IDR {
	if id := m.IDR(RoleKMSInitiator); id != nil {
		return id
	}
	return m.IDR(RoleKMS)
}

// ResponderKMS returns IDRkmsr, or the last IDRkms where that stands for both,
// or nil.
func (m *Message) ResponderKMS() *IDR {
	if id := m.IDR(RoleKMSResponder); id != nil {
		return id
	}
	var last *IDR
	for _, p := range m.Payloads {
		if id, ok := p.(*IDR); ok && id.Role == RoleKMS {
			last = id
		}
	}
	return last
}

// Extension returns the first general extension of the given type or nil.
func (m *Message) Extension(t ExtType) *GenExt {
	for _, p := range m.Payloads {
		if x, ok := p.(*GenExt); ok && x.ExtType == t {
			return x
		}
	}
	return nil
}

// SAKKEToSelf returns the SAKKE payload encapsulated to the initiator (TS
// 33.180 E.5) or nil.
func (m *Message) SAKKEToSelf() *SAKKE {
	for _, p := range m.Payloads {
		if x, ok := p.(*GenExt); ok && x.Self != nil {
			return x.Self
		}
	}
	return nil
}

// KeyParameters returns the general extension with key parameters (TS 33.180
// E.6) or nil. Its Protected is set when they are sealed, its Plain when an old
// product sent them openly.
func (m *Message) KeyParameters() *GenExt { return m.Extension(ExtKeyParameters) }
