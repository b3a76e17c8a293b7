package sipparse

import (
	"bytes"
	"iter"
)

// NameAddr is the value of From, To, Contact, Route and their kin: name-addr or addr-spec with header parameters, RFC
// 3261 20 and 25.1. Spans are octets of Raw.
type NameAddr struct {
	Raw     []byte
	Star    bool // Contact: *
	Display Span // without its quotes
	Quoted  bool // the display name was a quoted string; its escapes are still inside
	Angle   bool
	URISpan Span
	URI     URI  // its spans are octets of URI.Raw, which is URISpan of Raw
	Params  Span // after the first ";" outside of the URI
}

// ParseNameAddr reads one name-addr or addr-spec with its parameters. Without angle brackets a ";" begins the header
// parameters, as RFC 3261 20 says. What could be read is returned together with the error.
func ParseNameAddr(b []byte) (NameAddr, error) {
	na, e := parseNameAddr(b)
	if e.ID != DiagNone {
		return na, &Error{ID: e.ID, Off: e.Off, Field: "address"}
	}
	return na, nil
}

func parseNameAddr(b []byte) (na NameAddr, e fault) {
	e = na.split(b, true)
	return na, e
}

// SplitNameAddr is ParseNameAddr without a look into the URI and the parameters: URI is left empty, and what is wrong is
// not told.
func SplitNameAddr(b []byte) (na NameAddr) {
	na.split(b, false)
	return na
}

// split finds the parts; deep has it look into the URI and the parameters too.
func (na *NameAddr) split(b []byte, deep bool) (e fault) {
	na.Raw = b
	na.URI.PortNum = -1
	i := skipWS(b, 0)
	if i == len(b) {
		e.set(DiagAddrEmpty, i)
		return e
	}
	if b[i] == '*' && skipWS(b, i+1) == len(b) {
		na.Star = true
		return e
	}
	angle := -1
	if b[i] == '"' {
		end, ok := quotedEnd(b, i)
		if !ok {
			e.set(DiagUnbalancedQuotes, i)
			// The quote was never closed: go on as if it were an octet of the name.
			if angle = bytes.IndexByte(b[i:], '<'); angle >= 0 {
				angle += i
				f, t := trim(b, i+1, angle)
				na.Display = span(f, t)
			}
		} else {
			na.Display, na.Quoted = span(i+1, end-1), true
			if angle = bytes.IndexByte(b[end:], '<'); angle >= 0 {
				angle += end
			}
			if j := skipWS(b, end); angle >= 0 && j != angle || angle < 0 && j < len(b) {
				e.set(DiagDisplayName, j)
			}
		}
		if angle < 0 {
			e.set(DiagAddrEmpty, len(b))
			return e
		}
	} else if angle = bytes.IndexByte(b[i:], '<'); angle >= 0 {
		angle += i
		// A "<" inside a quoted parameter value does not make a name-addr.
		if q := bytes.IndexByte(b[i:angle], '"'); q >= 0 && bytes.IndexByte(b[i:i+q], ';') >= 0 {
			angle = -1
		} else {
			f, t := trim(b, i, angle)
			na.Display = span(f, t)
			for k := f; k < t; k++ {
				if class[b[k]]&(clToken|clWS) == 0 {
					e.set(DiagDisplayName, k)
					break
				}
			}
		}
	}
	var after int
	if angle >= 0 {
		na.Angle = true
		f := angle + 1
		t := len(b)
		after = t
		if j := bytes.IndexByte(b[f:], '>'); j >= 0 {
			t = f + j
			after = t + 1
		} else {
			e.set(DiagUnbalancedAngle, angle)
		}
		uf, ut := trim(b, f, t)
		if uf != f || ut != t {
			e.set(DiagAngleSpace, f)
		}
		na.URISpan = span(uf, ut)
	} else {
		t := i
		for t < len(b) && b[t] != ';' && class[b[t]]&clWS == 0 {
			if b[t] == ',' || b[t] == '?' {
				e.set(DiagAddrNeedsAngle, t)
			}
			t++
		}
		na.URISpan = span(i, t)
		after = t
	}
	if na.URISpan.Len == 0 {
		e.set(DiagAddrEmpty, int(na.URISpan.Off))
	} else if deep {
		u, ue := parseURI(na.URISpan.In(b))
		na.URI = u
		if ue.ID != DiagNone {
			e.set(ue.ID, int(na.URISpan.Off)+ue.Off)
		}
	}
	j := skipWS(b, after)
	if j == len(b) {
		return e
	}
	if b[j] != ';' {
		if b[j] == ',' {
			e.set(DiagListNotAllowed, j)
		} else {
			e.set(DiagParamSyntax, j)
		}
		k := bytes.IndexByte(b[j:], ';')
		if k < 0 {
			return e
		}
		j += k
	}
	na.Params = span(j+1, len(b))
	if deep {
		checkParams(b, j+1, len(b), &e)
	}
	return e
}

// Text gives a part as a string, as it is.
func (na *NameAddr) Text(s Span) string { return string(s.In(na.Raw)) }

// DisplayName is the display name with escapes undone and folds away.
func (na *NameAddr) DisplayName() string {
	d := Unfold(na.Display.In(na.Raw))
	if na.Quoted {
		return Unquote(d)
	}
	return string(d)
}

// ParamSeq gives the header parameters; their spans are octets of Raw.
func (na *NameAddr) ParamSeq() iter.Seq[Param] { return ParamsIn(na.Raw, na.Params) }

// Param gives the value of a header parameter without quotes; ok is false when it is not there.
func (na *NameAddr) Param(name string) (value []byte, ok bool) {
	p, ok := paramIn(na.Raw, na.Params, name, ';')
	return p.Value.In(na.Raw), ok
}

// Tag is the tag parameter of From and To, RFC 3261 19.3.
func (na *NameAddr) Tag() string {
	v, _ := na.Param("tag")
	return string(v)
}

// SplitList gives the elements of a comma-separated value, RFC 3261 7.3.1. Commas in quoted strings, angle brackets and
// comments do not split. Elements have no white space at their ends; empty ones are given too.
func SplitList(b []byte) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		l := listScanner{b: b}
		for l.more() {
			if !yield(l.next()) {
				return
			}
		}
	}
}

// listScanner goes over the elements of a list one by one. A quote, bracket or comment that is never closed does not
// swallow the rest: it is an octet like others. That it is never closed holds for each of its kind that follows, which
// keeps the work linear.
type listScanner struct {
	b                         []byte
	pos                       int
	noQuote, noAngle, noParen bool
}

func (l *listScanner) more() bool { return l.pos <= len(l.b) }

func (l *listScanner) next() Span {
	b := l.b
	i := l.pos
scan:
	for ; i < len(b); i++ {
		switch b[i] {
		case ',':
			break scan
		case '"':
			if !l.noQuote {
				if end, ok := quotedEnd(b, i); ok {
					i = end - 1
				} else {
					l.noQuote = true
				}
			}
		case '<':
			if !l.noAngle {
				if j := bytes.IndexByte(b[i:], '>'); j >= 0 {
					i += j
				} else {
					l.noAngle = true
				}
			}
		case '(':
			// "(" is a comment only after white space; inside a URI it is an octet like others.
			if !l.noParen && (i == 0 || class[b[i-1]]&clWS != 0) {
				if end, ok := commentEnd(b, i); ok {
					i = end - 1
				} else {
					l.noParen = true
				}
			}
		}
	}
	f, t := trim(b, l.pos, i)
	l.pos = i + 1
	return span(f, t)
}

// commentEnd gives the offset after the closing parenthesis of the comment at i; comments nest.
func commentEnd(b []byte, i int) (int, bool) {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1, true
			}
		case '\\':
			i++
		}
	}
	return len(b), false
}

// quotedEnd gives the offset after the closing quote of the quoted string at i.
func quotedEnd(b []byte, i int) (int, bool) {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1, true
		case '\\':
			i++
		}
	}
	return len(b), false
}

// Unquote undoes the escapes of the inside of a quoted string, RFC 3261 25.1.
func Unquote(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) {
			i++
		}
		out = append(out, b[i])
	}
	return string(out)
}
