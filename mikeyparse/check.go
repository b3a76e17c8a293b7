package mikeyparse

import (
	"fmt"
	"strings"
)

// csIDs lists the CS IDs a key may have (TS 33.180 table E.1.3-1).
var csIDs = map[KeyType]string{
	KeyGMK:   "\x04\x05",
	KeyPCK:   "\x00\x01\x02\x03",
	KeyCSK:   "\x06\x08",
	KeyMuSiK: "\x07\x09",
}

// checkMessage reports what is wrong with a SAKKE message that could be read
// to its end: payloads that are absent, identifiers that do not go together.
func (p *parser) checkMessage(m *Message, complete bool) {
	if m.Header.DataType != DataSAKKE || !complete {
		return
	}
	if n := len(m.Payloads); n > 0 {
		if _, raw := m.Payloads[n-1].(*Raw); raw {
			return // what seems to be absent may be in the raw part
		}
	}
	end := m.RestOff
	missing := func(present bool, field, spec, name string) {
		if !present {
			p.deviate(DevMissing, end, end, field, spec, name+" is missing")
		}
	}
	missing(m.Timestamp() != nil, "t", "TS 33.180 E.1.2", "T")
	missing(m.RAND() != nil, "rand", "TS 33.180 E.1.2", "RAND")
	missing(m.Initiator() != nil, "idr", "TS 33.180 E.1.2", "IDRi (or IDRuidi)")
	missing(m.Responder() != nil, "idr", "TS 33.180 E.1.2", "IDRr (or IDRuidr)")
	missing(m.InitiatorKMS() != nil, "idr", "TS 33.180 E.1.2", "IDRkmsi")
	missing(m.ResponderKMS() != nil, "idr", "TS 33.180 E.1.2", "IDRkmsr")
	missing(m.SAKKE() != nil, "sakke", "TS 33.180 E.1.2", "SAKKE")
	missing(m.Sign() != nil, "sign", "TS 33.180 E.1.2", "SIGN")

	if s := m.SAKKE(); s != nil && s.IDScheme == IDSchemeMCX {
		p.checkKey(m)
	}
	var seen [256]bool
	for _, pl := range m.Payloads {
		switch t := pl.Type(); t {
		case TypeT, TypeRAND, TypeSAKKE:
			if seen[t] {
				off, end := pl.Range()
				p.deviate(DevDuplicate, off, end, t.String(), "TS 33.180 E.1.2", "a second "+t.String()+" payload")
			}
			seen[t] = true
		}
	}
}

// checkKey looks at the identifiers of an MCX key.
func (p *parser) checkKey(m *Message) {
	key := m.KeyType()
	if key > KeyMuSiK {
		p.deviate(DevKeyType, 4, 8, "hdr.csb_id", "TS 33.180 annex G", fmt.Sprintf("purpose tag %d of CSB ID %08x is not assigned", key, m.CSBID()))
	}
	allowed, ok := csIDs[key]
	if !ok {
		return
	}
	for _, g := range m.Header.Generic {
		if !strings.Contains(allowed, string(rune(g.CSID))) {
			p.deviate(DevCSID, 10, m.Header.End, "hdr.generic.cs_id", "TS 33.180 E.1.3", fmt.Sprintf("CS ID %d does not belong to a %s", g.CSID, key))
		}
	}
}
