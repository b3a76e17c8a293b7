package mikeyparse

// checkMessage reports what is wrong with a message that could be read to its
// end: the header's values and, for a SAKKE message, payloads that are absent.
func (p *parser) checkMessage(m *Message, complete bool) {
	p.checkHeader(&m.Header)
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
	missing(m.Timestamp() != nil, "t", "RFC 6509 2.1", "T")
	missing(m.RAND() != nil, "rand", "RFC 6509 2.1", "RAND")
	missing(m.Initiator() != nil, "idr", "TS 33.180 E.1.2", "IDRi (or IDRuidi)")
	missing(m.Responder() != nil, "idr", "TS 33.180 E.1.2", "IDRr (or IDRuidr)")
	missing(m.InitiatorKMS() != nil, "idr", "TS 33.180 E.1.2", "IDRkmsi")
	missing(m.ResponderKMS() != nil, "idr", "TS 33.180 E.1.2", "IDRkmsr")
	missing(m.SAKKE() != nil, "sakke", "RFC 6509 2.1", "SAKKE")
	missing(m.Sign() != nil, "sign", "RFC 6509 2.1", "SIGN")

	var seen [256]bool
	for _, pl := range m.Payloads {
		switch t := pl.Type(); t {
		case TypeT, TypeRAND, TypeSAKKE:
			if seen[t] {
				off, end := pl.Range()
				p.deviate(DevDuplicate, off, end, t.String(), "RFC 6509 2.1", "a second "+t.String()+" payload")
			}
			seen[t] = true
		}
	}
}
