package sipparse

// checkHeader looks at the value of a header field that the message's meaning hangs on.
func (m *Message) checkHeader(h *Header) {
	v := h.Value.In(m.Raw)
	switch h.ID {
	case HdrContentLength:
		m.contentLength(h, v)
	}
}

func (m *Message) contentLength(h *Header, v []byte) {
	m.clCount++
	n, id := contentLength(v)
	if id != DiagNone {
		m.clBad = true
		m.diag(id, h.ID, int(h.Value.Off), len(v), string(v[:min(len(v), 24)]))
		return
	}
	if m.clCount > 1 {
		if m.ContentLength >= 0 && m.ContentLength != n {
			m.clOther = true
			m.diag(DiagContentLengthConflict, h.ID, int(h.Value.Off), len(v), "")
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
