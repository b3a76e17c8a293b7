package sipparse

import "iter"

// Elements gives the elements of all header fields of a kind, in wire order: the header fields themselves, or what
// their commas separate when the header field is a list (RFC 3261 7.3.1). Empty elements are left out. Spans are octets
// of the message.
func (m *Message) Elements(id HeaderID) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		for h := range m.All(id) {
			if !id.List() {
				if h.Value.Len > 0 && !yield(h.Value) {
					return
				}
				continue
			}
			l := listScanner{b: h.Value.In(m.Raw)}
			for l.more() {
				s := l.next()
				s.Off += h.Value.Off
				if s.Len > 0 && !yield(s) {
					return
				}
			}
		}
	}
}

// Addresses gives the addresses of all header fields of a kind: Contact, Route, P-Asserted-Identity, ... What cannot be
// read fully is given as far as it can be; its defects are in the message's diagnostics.
func (m *Message) Addresses(id HeaderID) iter.Seq[NameAddr] {
	return func(yield func(NameAddr) bool) {
		for s := range m.Elements(id) {
			if na, _ := parseNameAddr(s.In(m.Raw)); !yield(na) {
				return
			}
		}
	}
}

// Address gives the first address of a kind of header field; ok is false when there is none.
func (m *Message) Address(id HeaderID) (na NameAddr, ok bool) {
	for na := range m.Addresses(id) {
		return na, true
	}
	return NameAddr{}, false
}

// From is the From header field, RFC 3261 20.20.
func (m *Message) From() (NameAddr, bool) { return m.Address(HdrFrom) }

// To is the To header field, RFC 3261 20.39.
func (m *Message) To() (NameAddr, bool) { return m.Address(HdrTo) }

// Contacts gives the Contact values, RFC 3261 20.10.
func (m *Message) Contacts() iter.Seq[NameAddr] { return m.Addresses(HdrContact) }

// URI is the Request-URI in its parts.
func (m *Message) URI() URI {
	u, _ := parseURI(m.RequestURI.In(m.Raw))
	return u
}

// CallID is the Call-ID, RFC 3261 20.8, folds undone.
func (m *Message) CallID() string { return string(Unfold(m.Value(HdrCallID))) }

// CSeq gives number and method, RFC 3261 20.16; ok is false when the header field is missing or not to be read.
func (m *Message) CSeq() (number uint64, method string, ok bool) {
	v := m.Value(HdrCSeq)
	c, e := parseCSeq(v)
	return c.Number, string(c.Method.In(v)), v != nil && (e.ID == DiagNone || e.ID == DiagCSeqRange)
}

// MethodText is the method of a request, and the method of CSeq of a response.
func (m *Message) MethodText() string {
	if m.Request {
		return m.Text(m.Method)
	}
	_, method, _ := m.CSeq()
	return method
}

// Vias gives the Via values, topmost first.
func (m *Message) Vias() iter.Seq[Via] {
	return func(yield func(Via) bool) {
		for s := range m.Elements(HdrVia) {
			if v, _ := parseVia(s.In(m.Raw)); !yield(v) {
				return
			}
		}
	}
}

// Branch is the branch of the topmost Via, which names the transaction (RFC 3261 17.1.3, 17.2.3).
func (m *Message) Branch() string {
	for v := range m.Vias() {
		return v.Branch()
	}
	return ""
}

// Warnings gives the Warning values.
func (m *Message) Warnings() iter.Seq[WarningValue] {
	return func(yield func(WarningValue) bool) {
		for s := range m.Elements(HdrWarning) {
			if w, _ := parseWarning(s.In(m.Raw)); !yield(w) {
				return
			}
		}
	}
}

// ContentType is the media type of the body; ok is false without the header field.
func (m *Message) ContentType() (mt MediaType, ok bool) {
	v := m.Value(HdrContentType)
	if len(v) == 0 {
		return mt, false
	}
	mt, _ = parseMediaType(v)
	return mt, true
}

// Event is the Event header field, RFC 6665 8.2.1.
func (m *Message) Event() (ev TokenParams, ok bool) {
	v := m.Value(HdrEvent)
	if len(v) == 0 {
		return ev, false
	}
	ev, _ = parseToken(v, DiagEventSyntax)
	return ev, true
}

// Expires is the Expires header field in seconds, RFC 3261 20.19; ok is false when it is missing or no number.
func (m *Message) Expires() (seconds uint32, ok bool) {
	v := m.Value(HdrExpires)
	n, e := delta(v)
	return n, v != nil && e.ID != DiagNumberSyntax
}

// ValueText is the value of the first header field of a kind with folds undone; empty when there is none.
func (m *Message) ValueText(id HeaderID) string { return string(Unfold(m.Value(id))) }

// Reaches tells whether a diagnostic is at least that severe.
func (m *Message) Reaches(s Severity) bool {
	for _, d := range m.Diags {
		if d.Severity() >= s {
			return true
		}
	}
	return false
}
