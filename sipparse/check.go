package sipparse

import (
	"bytes"
	"strconv"
	"time"
)

// checkHeader looks at the value of a header field that the meaning of the message hangs on. It runs on each header
// field of each message, so it allocates nothing while all is well.
func (m *Message) checkHeader(h *Header) {
	v := h.Value.In(m.Raw)
	switch {
	case len(v) == 0:
		m.emptyValue(h)
	case !m.clean(h.ID, v):
		m.examine(h, v)
	}
}

// clean tells at one look that a value has nothing that examine would find.
func (m *Message) clean(id HeaderID, v []byte) bool {
	switch id {
	case HdrVia:
		return cleanVia(v, m.topVia())
	case HdrCSeq:
		return m.cleanCSeq(v)
	case HdrMaxForwards:
		return cleanNumber(v) && (len(v) < 3 || len(v) == 3 && string(v) <= "255")
	case HdrContentLength:
		return m.cleanLength(v)
	case HdrWarning, HdrDate, HdrAuthorization, HdrProxyAuthorization, HdrWWWAuthenticate, HdrProxyAuthenticate, HdrRAck:
		return false
	case HdrFrom:
		return cleanAddrs(v, false, "tag", true)
	case HdrContact:
		return cleanAddrs(v, true, "expires", false)
	case HdrContentType:
		return cleanMediaType(v)
	case HdrEvent, HdrSubscriptionState:
		return cleanTokens(v, false)
	case HdrAcceptContact, HdrRejectContact, HdrReason, HdrSecurityClient, HdrSecurityServer, HdrSecurityVerify:
		return cleanTokens(v, true)
	case HdrSessionExpires, HdrMinSE, HdrRetryAfter:
		return cleanDelta(v)
	}
	switch flags := headerTable[id].flags; {
	case flags&hAddr != 0:
		return cleanAddrs(v, flags&hList != 0, "", false)
	case flags&hNumber != 0:
		return cleanNumber(v)
	}
	return true
}

// unchecked tells whether clean says so of every value of a kind.
func unchecked(id HeaderID) bool {
	var m Message
	return id != HdrContentLength && m.clean(id, []byte("<\\"))
}

// topVia tells whether the newest header field is the first Via.
func (m *Message) topVia() bool { return int(m.first[HdrVia]) == len(m.Headers) }

// examine finds what is wrong with a value, if anything.
func (m *Message) examine(h *Header, v []byte) {
	var e fault
	switch h.ID {
	case HdrContentLength:
		m.contentLength(h, v)
	case HdrVia:
		m.checkVia(h, v)
	case HdrCSeq:
		m.checkCSeq(h, v)
	case HdrMaxForwards:
		n, over, ok := number(v)
		switch {
		case !ok:
			e.ID = DiagNumberSyntax
		case over || n > 255:
			e.ID = DiagMaxForwardsRange
		}
	case HdrWarning:
		m.checkList(h, v, func(v []byte) (e fault) { _, e = parseWarning(v); return e })
	case HdrDate:
		e = checkDate(v)
	case HdrContentType:
		var buf [maxMediaType]byte
		_, _, e = scanMediaType(v, buf[:0])
	case HdrEvent:
		_, e = parseToken(v, DiagEventSyntax)
	case HdrSubscriptionState:
		_, e = parseToken(v, DiagSubscriptionState)
	case HdrSecurityClient, HdrSecurityServer, HdrSecurityVerify:
		m.checkList(h, v, func(v []byte) (e fault) { _, e = parseToken(v, DiagSecuritySyntax); return e })
	case HdrReason:
		m.checkList(h, v, func(v []byte) (e fault) { _, e = parseToken(v, DiagReasonSyntax); return e })
	case HdrAcceptContact, HdrRejectContact:
		m.checkList(h, v, func(v []byte) (e fault) { _, e = parseToken(v, DiagParamSyntax); return e })
	case HdrRetryAfter, HdrSessionExpires, HdrMinSE:
		_, e = parseDelta(v)
	case HdrAuthorization, HdrProxyAuthorization, HdrWWWAuthenticate, HdrProxyAuthenticate:
		_, e = parseAuth(v)
	case HdrRAck:
		_, e = parseRAck(v)
	default:
		switch flags := headerTable[h.ID].flags; {
		case flags&(hAddr|hList) == hAddr|hList:
			m.checkAddrList(h, v)
		case flags&hAddr != 0:
			var na NameAddr
			na, e = parseNameAddr(v)
			if h.ID == HdrFrom && e.ID == DiagNone {
				if _, ok := paramIn(v, na.Params, "tag", ';'); !ok {
					e.ID = DiagMissingTag
				}
			}
		case flags&hNumber != 0:
			_, e = delta(v)
		}
	}
	m.fault(h, 0, len(v), e)
}

func (m *Message) fault(h *Header, from, to int, e fault) {
	if e.ID == DiagNone {
		return
	}
	off := min(e.Off, to)
	detail := ""
	switch h.ID {
	case HdrCSeq, HdrMaxForwards, HdrDate, HdrContentType, HdrEvent, HdrSubscriptionState, HdrRetryAfter, HdrSessionExpires,
		HdrMinSE, HdrRAck, HdrExpires, HdrMinExpires, HdrRSeq:
		detail = clipText(h.Value.In(m.Raw)[from:to])
	}
	m.diag(e.ID, h.ID, int(h.Value.Off)+off, to-off, detail)
}

// clipText is the beginning of a text for a diagnostic. It is used where no identity and no credential can be: those
// are shown by their place only, so that who redacts values need not search diagnostics.
func clipText(v []byte) string {
	if len(v) <= 32 {
		return strconv.Quote(string(v))
	}
	return strconv.Quote(string(v[:32])) + "..."
}

// emptyValue notes an empty value where the grammar needs one.
func (m *Message) emptyValue(h *Header) {
	switch h.ID {
	case HdrContentLength:
		m.clCount++
		m.clBad = true
		m.diag(DiagContentLengthSyntax, h.ID, int(h.Value.Off), 0, "")
		return
	case HdrSupported, HdrAccept, HdrAcceptEncoding, HdrAcceptLanguage, HdrAllow, HdrAllowEvents, HdrSubject, HdrOrganization,
		HdrRecvInfo, HdrUnsupported, HdrPEarlyMedia:
		return // may be empty, RFC 3261 25.1
	}
	m.diag(DiagEmptyValue, h.ID, int(h.Value.Off), 0, "")
}

// checkList runs a check over the elements of a list.
func (m *Message) checkList(h *Header, v []byte, check func([]byte) fault) {
	l := listScanner{b: v}
	for l.more() {
		s := l.next()
		if s.Len == 0 {
			m.diag(DiagListEmpty, h.ID, int(h.Value.Off+s.Off), 0, "")
			continue
		}
		e := check(s.In(v))
		e.Off += int(s.Off)
		m.fault(h, int(s.Off), s.End(), e)
	}
}

func (m *Message) checkAddrList(h *Header, v []byte) {
	l := listScanner{b: v}
	for l.more() {
		s := l.next()
		if s.Len == 0 {
			m.diag(DiagListEmpty, h.ID, int(h.Value.Off+s.Off), 0, "")
			continue
		}
		el := s.In(v)
		na, e := parseNameAddr(el)
		if h.ID == HdrContact && e.ID == DiagNone {
			if p, ok := paramIn(el, na.Params, "expires", ';'); ok {
				if _, e = delta(p.Value.In(el)); e.ID != DiagNone {
					e.Off = int(p.Value.Off)
				}
			}
		}
		e.Off += int(s.Off)
		m.fault(h, int(s.Off), s.End(), e)
	}
}

// checkVia looks at each element; what the branch is like matters in the topmost only.
func (m *Message) checkVia(h *Header, v []byte) {
	l := listScanner{b: v}
	top := m.topVia()
	for l.more() {
		s := l.next()
		if s.Len == 0 {
			m.diag(DiagListEmpty, h.ID, int(h.Value.Off+s.Off), 0, "")
			continue
		}
		el := s.In(v)
		via, e := parseVia(el)
		if top && e.ID == DiagNone {
			p, ok := paramIn(el, via.Params, "branch", ';')
			b := p.Value.In(el)
			e.Off = int(p.Value.Off)
			switch {
			case !ok:
				e = fault{ID: DiagViaNoBranch}
			case len(b) < len(BranchCookie) || string(b[:len(BranchCookie)]) != BranchCookie:
				e.ID = DiagViaBranchCookie
			case len(b) == len(BranchCookie):
				e.ID = DiagViaBranchEmpty
			}
		}
		top = false
		e.Off += int(s.Off)
		m.fault(h, int(s.Off), s.End(), e)
	}
}

func (m *Message) checkCSeq(h *Header, v []byte) {
	c, e := parseCSeq(v)
	if e.ID != DiagNone {
		m.fault(h, 0, len(v), e)
	}
	if m.Request && c.Method.Len > 0 && !bytes.Equal(c.Method.In(v), m.Method.In(m.Raw)) {
		m.diag(DiagCSeqMethod, h.ID, int(h.Value.Off+c.Method.Off), int(c.Method.Len),
			clipText(c.Method.In(v))+" in a "+clipText(m.Method.In(m.Raw))+" request")
	}
}

// checkDate reads a SIP-date, RFC 3261 20.17: an RFC 1123 date in GMT, such as Sat, 13 Nov 2010 23:29:00 GMT.
func checkDate(v []byte) fault {
	const layout = "Mon, 02 Jan 2006 15:04:05 "
	if len(v) != len(layout)+3 {
		return fault{ID: DiagDateSyntax}
	}
	for i := range len(layout) {
		c, l := v[i], layout[i]
		if is(l, clDigit) != is(c, clDigit) || is(l, clAlpha) != is(c, clAlpha) || !is(l, clDigit|clAlpha) && l != c {
			return fault{ID: DiagDateSyntax, Off: i}
		}
	}
	if string(v[len(layout):]) != "GMT" {
		return fault{ID: DiagDateZone, Off: len(layout)}
	}
	return fault{}
}

// ParseDate reads a SIP-date, RFC 3261 20.17.
func ParseDate(b []byte) (time.Time, error) {
	f, t := trim(b, 0, len(b))
	if e := checkDate(b[f:t]); e.ID != DiagNone {
		return time.Time{}, &Error{ID: e.ID, Off: f + e.Off, Field: "Date"}
	}
	d, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", string(b[f:t]))
	if err != nil {
		return time.Time{}, &Error{ID: DiagDateSyntax, Off: f, Field: "Date"}
	}
	return d, nil
}

func (m *Message) contentLength(h *Header, v []byte) {
	m.clCount++
	n, id := contentLength(v)
	if id != DiagNone {
		m.clBad = true
		m.diag(id, h.ID, int(h.Value.Off), len(v), clipText(v))
		return
	}
	if m.clCount > 1 {
		if m.ContentLength >= 0 && m.ContentLength != n {
			m.clOther = true
			m.diag(DiagContentLengthConflict, h.ID, int(h.Value.Off), len(v),
				strconv.FormatInt(m.ContentLength, 10)+" and "+strconv.FormatInt(n, 10))
		} else {
			m.diag(DiagDuplicateHeader, h.ID, int(h.Value.Off), len(v), "")
		}
		if m.ContentLength >= 0 {
			return
		}
	}
	m.ContentLength = n
}

// contentLength reads the value of a Content-Length header field. A number that does not fit is as large as can be, so
// that it is "too large" and not "no number".
func contentLength(v []byte) (int64, DiagID) {
	n, _, ok := number(v)
	if !ok {
		if len(v) > 1 && v[0] == '-' {
			if _, _, ok := number(v[1:]); ok {
				return -1, DiagContentLengthNegative
			}
		}
		return -1, DiagContentLengthSyntax
	}
	return int64(min(n, 1<<62)), DiagNone
}
