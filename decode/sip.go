package decode

import (
	"bytes"
	"strconv"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

func itoa(n int) string { return strconv.Itoa(n) }

// headerField maps a header field to the register, nil where it has no typed fields of its own.
func headerField(id sipparse.HeaderID) *record.Field {
	switch id {
	case sipparse.HdrCallID:
		return fSIPCallID
	case sipparse.HdrCSeq:
		return fSIPCSeq
	case sipparse.HdrFrom:
		return fSIPFrom.self
	case sipparse.HdrTo:
		return fSIPTo.self
	case sipparse.HdrContact:
		return fSIPContact
	case sipparse.HdrVia:
		return fSIPVia
	case sipparse.HdrExpires:
		return fSIPExpires
	case sipparse.HdrEvent:
		return fSIPEvent
	case sipparse.HdrWarning:
		return fSIPWarning
	case sipparse.HdrContentType:
		return fSIPContentType
	case sipparse.HdrContentLength:
		return fSIPContentLength
	case sipparse.HdrMaxForwards:
		return fSIPMaxForwards
	case sipparse.HdrOther:
		return nil
	}
	return fSIPHeaders
}

// header opens the sip object and fills it. The caller closes it.
func (w *worker) header(m *message) {
	b, s := &w.b, &m.sip
	if !b.Open(fSIP, record.At(m.src, m.base, s.HeaderEnd)) {
		return
	}
	if s.Request {
		b.Str(fSIPType, "request", record.Place{})
		b.Str(fSIPMethod, text(s.Bytes(s.Method)), m.place(s.Method))
		b.Str(fSIPRequestURI, text(s.Bytes(s.RequestURI)), m.place(s.RequestURI))
	} else {
		b.Str(fSIPType, "response", record.Place{})
		if s.Status >= 0 {
			b.Num(fSIPStatus, int64(s.Status), m.place(s.StatusSpan))
		}
		b.Str(fSIPReason, text(s.Bytes(s.Reason)), m.place(s.Reason))
	}
	if v := s.Bytes(s.Version); len(v) > 0 && string(v) != "SIP/2.0" {
		b.Str(fSIPVersion, text(v), m.place(s.Version))
	}
	if w.lean {
		w.warnings(m) // which have a word to say
		return
	}
	w.single(m, sipparse.HdrCallID, fSIPCallID)
	w.cseq(m)
	w.address(m, sipparse.HdrFrom, &fSIPFrom)
	w.address(m, sipparse.HdrTo, &fSIPTo)
	w.contacts(m)
	w.vias(m)
	w.uris(m, sipparse.HdrRoute, fSIPRoute)
	w.uris(m, sipparse.HdrRecordRoute, fSIPRecordRoute)
	w.uris(m, sipparse.HdrPath, fSIPPath)
	w.uris(m, sipparse.HdrPAssertedIdentity, fSIPPAI)
	w.uris(m, sipparse.HdrPPreferredIdentity, fSIPPPI)
	w.list(m, sipparse.HdrPAssertedService, fSIPPAS)
	w.list(m, sipparse.HdrPPreferredService, fSIPPPS)
	w.acceptContacts(m)
	w.event(m)
	w.number(m, sipparse.HdrExpires, fSIPExpires)
	w.single(m, sipparse.HdrSIPETag, fSIPETag)
	w.single(m, sipparse.HdrSIPIfMatch, fSIPIfMatch)
	w.single(m, sipparse.HdrSubscriptionState, fSIPSubState)
	w.number(m, sipparse.HdrMaxForwards, fSIPMaxForwards)
	w.single(m, sipparse.HdrUserAgent, fSIPUserAgent)
	w.single(m, sipparse.HdrServer, fSIPServer)
	w.warnings(m)
	w.authorizations(m)
	w.security(m)
	w.single(m, sipparse.HdrContentType, fSIPContentType)
	w.number(m, sipparse.HdrContentLength, fSIPContentLength)
	w.headers(m)
}

// value is a header's value as text, with folds made single spaces (RFC 3261 7.3.1).
func (m *message) value(h *sipparse.Header) string {
	v := m.sip.Bytes(h.Value)
	if h.Folded {
		return string(sipparse.Unfold(v))
	}
	return text(v)
}

func (w *worker) single(m *message, id sipparse.HeaderID, f *record.Field) {
	if !w.b.Wants(f) {
		return
	}
	if h, ok := m.sip.First(id); ok {
		w.b.Str(f, m.value(h), m.place(h.Value))
	}
}

func (w *worker) number(m *message, id sipparse.HeaderID, f *record.Field) {
	if !w.b.Wants(f) {
		return
	}
	if h, ok := m.sip.First(id); ok {
		v := m.sip.Bytes(h.Value)
		if i := bytes.IndexAny(v, " \t;"); i > 0 { // Expires and Session-Expires may have parameters
			v = v[:i]
		}
		if n, err := strconv.ParseUint(string(v), 10, 63); err == nil {
			w.b.Num(f, int64(n), m.place(h.Value))
		}
	}
}

func (w *worker) cseq(m *message) {
	if !w.b.Wants(fSIPCSeq) {
		return
	}
	h, ok := m.sip.First(sipparse.HdrCSeq)
	if !ok {
		return
	}
	v, err := sipparse.ParseCSeq(m.sip.Bytes(h.Value))
	w.b.Open(fSIPCSeq, m.place(h.Value))
	if err == nil || v.Number > 0 {
		w.b.Num(fSIPCSeqNumber, int64(v.Number), m.place(h.Value))
	}
	if v.Method.Len > 0 {
		w.b.Str(fSIPCSeqMethod, text(v.Method.In(m.sip.Bytes(h.Value))), m.place(h.Value))
	}
	w.b.Close()
}

func (w *worker) address(m *message, id sipparse.HeaderID, f *address) {
	if !w.b.Wants(f.self) {
		return
	}
	h, ok := m.sip.First(id)
	if !ok {
		return
	}
	na, at := sipparse.SplitNameAddr(m.sip.Bytes(h.Value)), placer{m, h.Value.Off}
	w.b.Open(f.self, m.place(h.Value))
	if u := na.URISpan.In(na.Raw); len(u) > 0 {
		w.b.Str(f.uri, text(u), at.place(na.URISpan))
	}
	if t, _ := na.Param("tag"); len(t) > 0 {
		w.b.Str(f.tag, text(t), m.place(h.Value))
	}
	if d := displayName(&na); d != "" {
		w.b.Str(f.display, d, at.place(na.Display))
	}
	w.b.Close()
}

// A placer says where in the record a span of a header field's value lies.
type placer struct {
	m   *message
	off uint32 // of the value
}

func (p placer) place(s sipparse.Span) record.Place {
	return p.m.place(sipparse.Span{Off: p.off + s.Off, Len: s.Len})
}

// all is the place of a value of n octets.
func (p placer) all(n int) record.Place { return p.place(sipparse.Span{Len: uint32(n)}) }

// displayName is the display name of an address; it shares the message's octets where they are what it is.
func displayName(na *sipparse.NameAddr) string {
	d := na.Display.In(na.Raw)
	if bytes.IndexByte(d, '\n') >= 0 || bytes.IndexByte(d, '\r') >= 0 {
		return na.DisplayName()
	}
	return unquoted(d, na.Quoted)
}

// unquoted is the inside of a quoted string without its escapes, or a token as it is.
func unquoted(v []byte, quoted bool) string {
	if quoted && bytes.IndexByte(v, '\\') >= 0 {
		return sipparse.Unquote(v)
	}
	return text(v)
}

// elements calls do for each member of a comma-separated header field, over all its occurrences.
func (w *worker) elements(m *message, id sipparse.HeaderID, do func(h *sipparse.Header, at placer, v []byte)) {
	if !m.sip.Has(id) {
		return
	}
	for h := range m.sip.All(id) {
		v := m.sip.Bytes(h.Value)
		for e := range sipparse.SplitList(v) {
			do(h, placer{m, h.Value.Off + e.Off}, e.In(v))
		}
	}
}

func (w *worker) contacts(m *message) {
	if !w.b.Wants(fSIPContact) {
		return
	}
	w.elements(m, sipparse.HdrContact, func(_ *sipparse.Header, at placer, v []byte) {
		na := sipparse.SplitNameAddr(v)
		w.b.Open(fSIPContact, at.all(len(v)))
		if na.Star {
			w.b.Str(fSIPContactURI, "*", at.all(len(v)))
		} else if u := na.URISpan.In(na.Raw); len(u) > 0 {
			w.b.Str(fSIPContactURI, text(u), at.place(na.URISpan))
		}
		if d := displayName(&na); d != "" {
			w.b.Str(fSIPContactDisplay, d, at.place(na.Display))
		}
		w.params(fSIPContactParams, na.Raw, na.Params, at)
		w.b.Close()
	})
}

// params adds a Map of parameters; a parameter without a value has the empty one.
func (w *worker) params(f *record.Field, raw []byte, s sipparse.Span, at placer) {
	if s.Len == 0 || !w.b.Wants(f) {
		return
	}
	w.b.Open(f, at.place(s))
	for p := range sipparse.ParamsIn(raw, s) {
		w.param(f, raw, &p, at.place(paramSpan(&p)))
	}
	w.b.Close()
}

// authParams lists the parameters of credentials or of a challenge, which commas separate (RFC 9110 11.2).
func (w *worker) authParams(f *record.Field, a *sipparse.Auth, at func(sipparse.Span) record.Place) {
	if a.Params.Len == 0 || !w.b.Wants(f) {
		return
	}
	w.b.Open(f, at(a.Params))
	for p := range a.ParamSeq() {
		n := w.param(f, a.Raw, &p, at(paramSpan(&p)))
		if n != nil && !w.opt.ShowSecrets && keyParam(p.Name.In(a.Raw)) {
			if shown, cut := withhold(n.Str, false); cut {
				n.Str = shown
				n.Flags |= record.Withheld
			}
		}
	}
	w.b.Close()
}

func (w *worker) param(f *record.Field, raw []byte, p *sipparse.Param, at record.Place) *record.Node {
	return w.b.Entry(f, text(p.Name.In(raw)), unquoted(p.Value.In(raw), p.Quoted), at)
}

// paramSpan reaches from the name of a parameter to the end of its value.
func paramSpan(p *sipparse.Param) sipparse.Span {
	end := p.Value.Off + p.Value.Len
	return sipparse.Span{Off: p.Name.Off, Len: max(p.Name.Len, end-min(p.Name.Off, end))}
}

func (w *worker) vias(m *message) {
	if !w.b.Wants(fSIPVia) {
		return
	}
	w.elements(m, sipparse.HdrVia, func(_ *sipparse.Header, at placer, v []byte) {
		via := sipparse.SplitVia(v)
		w.b.Open(fSIPVia, at.all(len(v)))
		if via.Transport.Len > 0 {
			w.b.Str(fSIPViaTranspo, text(via.Transport.In(v)), at.place(via.Transport))
		}
		if via.Host.Len > 0 {
			w.b.Str(fSIPViaHost, text(via.Host.In(v)), at.place(via.Host))
		}
		if via.PortNum >= 0 {
			w.b.Num(fSIPViaPort, int64(via.PortNum), at.place(via.Port))
		}
		if br, _ := via.Param("branch"); len(br) > 0 {
			w.b.Str(fSIPViaBranch, text(br), at.place(via.Params))
		}
		w.params(fSIPViaParams, v, via.Params, at)
		w.b.Close()
	})
}

// uris adds the URI of each name-addr of a list.
func (w *worker) uris(m *message, id sipparse.HeaderID, f *record.Field) {
	if !w.b.Wants(f) {
		return
	}
	w.elements(m, id, func(_ *sipparse.Header, at placer, v []byte) {
		na := sipparse.SplitNameAddr(v)
		if u := na.URISpan.In(na.Raw); len(u) > 0 {
			w.b.Str(f, text(u), at.place(na.URISpan))
		}
	})
}

func (w *worker) list(m *message, id sipparse.HeaderID, f *record.Field) {
	if !w.b.Wants(f) {
		return
	}
	w.elements(m, id, func(_ *sipparse.Header, at placer, v []byte) {
		if len(v) > 0 {
			w.b.Str(f, text(v), at.all(len(v)))
		}
	})
}

func (w *worker) acceptContacts(m *message) {
	if !w.b.Wants(fSIPAcceptContact) {
		return
	}
	w.elements(m, sipparse.HdrAcceptContact, func(_ *sipparse.Header, at placer, v []byte) {
		w.b.Open(fSIPAcceptContact, at.all(len(v)))
		if i := bytes.IndexByte(v, ';'); i >= 0 {
			w.params(fSIPAcceptContactParams, v, sipparse.Span{Off: uint32(i + 1), Len: uint32(len(v) - i - 1)}, at)
		}
		w.b.Close()
	})
}

func (w *worker) event(m *message) {
	if !w.b.Wants(fSIPEvent) && !w.b.Wants(fSIPEventParams) {
		return
	}
	h, ok := m.sip.First(sipparse.HdrEvent)
	if !ok {
		return
	}
	v := m.sip.Bytes(h.Value)
	at := placer{m, h.Value.Off}
	name, _, _ := bytes.Cut(v, []byte(";"))
	name = bytes.TrimSpace(name)
	w.b.Str(fSIPEvent, text(name), at.all(len(name)))
	if i := bytes.IndexByte(v, ';'); i >= 0 {
		w.params(fSIPEventParams, v, sipparse.Span{Off: uint32(i + 1), Len: uint32(len(v) - i - 1)}, at)
	}
}

// warnings shows each Warning and the MC code inside a 399 (TS 24.379 4.4.1, 4.4.2).
func (w *worker) warnings(m *message) {
	if !m.sip.Has(sipparse.HdrWarning) {
		return
	}
	w.elements(m, sipparse.HdrWarning, func(_ *sipparse.Header, at placer, v []byte) {
		wn, err := sipparse.ParseWarning(v)
		txt := sipparse.Unquote(wn.Text.In(v))
		w.b.Open(fSIPWarning, at.all(len(v)))
		if err == nil || wn.Code > 0 {
			w.b.Num(fSIPWarningCode, int64(wn.Code), at.place(wn.Digits))
		}
		if a := wn.Agent.In(v); len(a) > 0 {
			w.b.Str(fSIPWarningAgent, text(a), at.place(wn.Agent))
		}
		w.b.Str(fSIPWarningText, txt, at.place(wn.Text))
		if code, ok := mcCode(txt); ok && wn.Code == 399 {
			w.b.Num(fSIPWarningMCCode, int64(code), at.place(wn.Text))
		}
		w.b.Close()
		if txt != "" {
			w.c.Say("warning: " + txt)
		}
	})
}

// mcCode reads the three digits that begin the text of a Warning 399 of an MC server.
func mcCode(s string) (int, bool) {
	if len(s) < 3 || len(s) > 3 && s[3] != ' ' {
		return 0, false
	}
	n := 0
	for i := range 3 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// authorizations shows credentials and challenges; of a bearer token everything but its signature, of a password
// nothing.
func (w *worker) authorizations(m *message) {
	if !w.b.Wants(fSIPAuth) {
		return
	}
	for i := range m.sip.Headers {
		h := &m.sip.Headers[i]
		switch h.ID {
		case sipparse.HdrAuthorization, sipparse.HdrProxyAuthorization, sipparse.HdrWWWAuthenticate, sipparse.HdrProxyAuthenticate:
		default:
			continue
		}
		v := m.sip.Bytes(h.Value)
		a, _ := sipparse.ParseAuth(v)
		at := placer{m, h.Value.Off}
		w.b.Open(fSIPAuth, m.place(h.Value))
		w.b.Str(fSIPAuthHeader, h.ID.String(), m.place(h.Name))
		w.b.Str(fSIPAuthScheme, text(a.Scheme.In(v)), at.place(a.Scheme))
		if secretScheme(a.Scheme.In(v)) {
			_, rest, _ := bytes.Cut(v, []byte(" "))
			shown, cut := withhold(string(bytes.TrimSpace(rest)), w.opt.ShowSecrets)
			if n := w.b.Str(fSIPAuthToken, shown, m.place(h.Value)); n != nil && cut {
				n.Flags |= record.Withheld
			}
		} else {
			w.authParams(fSIPAuthParams, &a, at.place)
		}
		w.b.Close()
	}
}

func (w *worker) security(m *message) {
	if !w.b.Wants(fSIPSecurity) {
		return
	}
	for _, id := range [...]sipparse.HeaderID{sipparse.HdrSecurityClient, sipparse.HdrSecurityServer, sipparse.HdrSecurityVerify} {
		w.elements(m, id, func(h *sipparse.Header, at placer, v []byte) {
			name, _, more := bytes.Cut(v, []byte(";"))
			name = bytes.TrimSpace(name)
			w.b.Open(fSIPSecurity, at.all(len(v)))
			w.b.Str(fSIPSecurityHeader, h.ID.String(), m.place(h.Name))
			w.b.Str(fSIPSecurityMechanism, text(name), at.all(len(name)))
			if i := bytes.IndexByte(v, ';'); more {
				w.params(fSIPSecurityParams, v, sipparse.Span{Off: uint32(i + 1), Len: uint32(len(v) - i - 1)}, at)
			}
			w.b.Close()
		})
	}
}

// headers lists every header field as it was on the wire.
func (w *worker) headers(m *message) {
	b := &w.b
	if !b.Wants(fSIPHeaders) {
		return
	}
	for i := range m.sip.Headers {
		h := &m.sip.Headers[i]
		if !b.Open(fSIPHeaders, record.At(m.src, m.base+int(h.Name.Off), h.Value.End()-int(h.Name.Off))) {
			b.Close()
			continue
		}
		b.Str(fSIPHeaderName, text(m.sip.Bytes(h.Name)), m.place(h.Name))
		v, cut := m.value(h), false
		if m.secret && mayHoldSecret(h.ID, v) {
			v, cut = scrub(h.ID, v, w.opt.ShowSecrets)
		}
		if n := b.Str(fSIPHeaderValue, v, m.place(h.Value)); n != nil && cut {
			n.Flags |= record.Withheld
		}
		b.Close()
	}
}
