package sipparse

// WarningValue is one value of Warning, RFC 3261 20.43, such as
// 399 mcptt.example.org "140 unable to decrypt XML content". Spans are octets of Raw.
type WarningValue struct {
	Raw    []byte
	Code   int  // -1 when it is no number that fits
	Digits Span // of the code
	Agent  Span
	Text   Span // without quotes
	Quoted bool // the text's escapes are still inside
}

// ParseWarning reads one Warning value; split a list with SplitList first. What could be read is returned together with
// the error.
func ParseWarning(b []byte) (WarningValue, error) {
	w, e := parseWarning(b)
	if e.ID != DiagNone {
		return w, &Error{ID: e.ID, Off: e.Off, Field: "Warning"}
	}
	return w, nil
}

func parseWarning(b []byte) (w WarningValue, e fault) {
	w.Raw, w.Code = b, -1
	f := skipWS(b, 0)
	i := f
	for i < len(b) && is(b[i], clDigit) {
		i++
	}
	w.Digits = span(f, i)
	if n, over, ok := number(b[f:i]); ok && !over && n <= 1<<31-1 {
		w.Code = int(n)
	}
	if i-f != 3 {
		if i == f {
			e.set(DiagWarningSyntax, f)
		} else {
			e.set(DiagWarningCode, f)
		}
	}
	j := skipWS(b, i)
	if j == i && i > f {
		e.set(DiagWarningSyntax, i)
	}
	// warn-agent is a host with port or a pseudonym; take what is there up to white space or the text.
	i = j
	for i < len(b) && class[b[i]]&clWS == 0 && b[i] != '"' {
		i++
	}
	w.Agent = span(j, i)
	if i == j {
		e.set(DiagWarningSyntax, j)
	}
	i = skipWS(b, i)
	if i == len(b) || b[i] != '"' {
		e.set(DiagWarningSyntax, i)
		_, t := trim(b, i, len(b))
		w.Text = span(i, t)
		return w, e
	}
	end, ok := quotedEnd(b, i)
	if !ok {
		e.set(DiagUnbalancedQuotes, i)
		w.Text = span(i+1, len(b))
		return w, e
	}
	w.Text, w.Quoted = span(i+1, end-1), true
	if k := skipWS(b, end); k < len(b) {
		e.set(DiagWarningSyntax, k)
	}
	return w, e
}

// AgentText is the warn-agent as it is.
func (w *WarningValue) AgentText() string { return string(w.Agent.In(w.Raw)) }

// WarnText is the warn-text with escapes and folds undone.
func (w *WarningValue) WarnText() string {
	t := Unfold(w.Text.In(w.Raw))
	if w.Quoted {
		return Unquote(t)
	}
	return string(t)
}

// MCCode is the code of a mission critical warning text (TS 24.379 4.4): the digits that such a text begins with,
// as in "140 unable to decrypt XML content"; ok is false when there are none.
func (w *WarningValue) MCCode() (code int, text string, ok bool) {
	t := w.WarnText()
	i := 0
	for i < len(t) && i < 4 && is(t[i], clDigit) {
		code = code*10 + int(t[i]-'0')
		i++
	}
	if i != 3 || i < len(t) && t[i] != ' ' {
		return 0, t, false
	}
	if i < len(t) {
		i++
	}
	return code, t[i:], true
}
