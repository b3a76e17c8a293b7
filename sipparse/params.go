package sipparse

import "iter"

// Param is one parameter, "name" or "name=value". Value has no quotes around it when Quoted; its escapes are still
// inside, see Unquote.
type Param struct {
	Name, Value Span
	Quoted      bool
	HasValue    bool
}

// Params gives the parameters of b, which are separated by semicolons (RFC 3261 25.1, generic-param). Semicolons in
// quoted strings do not separate. Empty parameters are passed over.
func Params(b []byte) iter.Seq[Param] { return ParamsIn(b, span(0, len(b))) }

// ParamsIn gives the parameters in a part of b; their spans are octets of b.
func ParamsIn(b []byte, s Span) iter.Seq[Param] { return paramSeq(b, s, ';') }

func paramSeq(b []byte, s Span, sep byte) iter.Seq[Param] {
	return func(yield func(Param) bool) {
		sc := scanParams(b, s, sep)
		for sc.more() {
			if p, _ := sc.next(); p.Name.Len > 0 && !yield(p) {
				return
			}
		}
	}
}

func paramIn(b []byte, s Span, name string, sep byte) (Param, bool) {
	sc := scanParams(b, s, sep)
	for sc.more() {
		p, _ := sc.next()
		if int(p.Name.Len) == len(name) && equalFoldBytes(p.Name.In(b), []byte(name)) {
			return p, true
		}
	}
	return Param{}, false
}

// paramScanner goes over parameters one by one. It remembers that a quote was never closed, since none after it can be
// closed either; without that, many of them would cost quadratic time.
type paramScanner struct {
	b        []byte
	pos, end int
	sep      byte
	unclosed bool
}

func scanParams(b []byte, s Span, sep byte) paramScanner {
	end := min(s.End(), len(b))
	if s.Len == 0 {
		end = -1 // no parameters, not one empty one
	}
	return paramScanner{b: b, pos: int(s.Off), end: end, sep: sep}
}

func (s *paramScanner) more() bool { return s.pos <= s.end }

func (s *paramScanner) ws(i int) int {
	for i < s.end && class[s.b[i]]&clWS != 0 {
		i++
	}
	return i
}

func (s *paramScanner) quoted(i int) (int, bool) {
	if s.unclosed {
		return 0, false
	}
	end, ok := quotedEnd(s.b[:s.end], i)
	s.unclosed = !ok
	return end, ok
}

// next reads the parameter at pos and goes on after its separator.
func (s *paramScanner) next() (p Param, e fault) {
	b, end := s.b, s.end
	n := s.ws(s.pos)
	i := n
	for i < end && class[b[i]]&clToken != 0 {
		i++
	}
	p.Name, p.Value = span(n, i), span(i, i)
	i = s.ws(i)
	if i < end && b[i] != s.sep && b[i] != '=' {
		e.set(DiagParamSyntax, i)
		for i < end && b[i] != s.sep && b[i] != '=' {
			if b[i] == '"' {
				if q, ok := s.quoted(i); ok {
					i = q
					continue
				}
			}
			i++
		}
		f, t := trim(b, n, i)
		p.Name, p.Value = span(f, t), span(t, t)
	}
	if i >= end || b[i] != '=' {
		if p.Name.Len == 0 {
			e.set(DiagParamEmpty, n)
		}
		s.pos = i + 1
		return p, e
	}
	p.HasValue = true
	if p.Name.Len == 0 {
		e.set(DiagParamSyntax, i)
	}
	v := s.ws(i + 1)
	i = v
	if v < end && b[v] == '"' {
		if q, ok := s.quoted(v); ok {
			p.Quoted = true
			p.Value = span(v+1, q-1)
			for i = q; i < end && b[i] != s.sep; i++ {
				if class[b[i]]&clWS == 0 {
					e.set(DiagParamSyntax, i)
				}
			}
			s.pos = i + 1
			return p, e
		}
		e.set(DiagUnbalancedQuotes, v)
		v++ // as if the quote were not there
	}
	for i = v; i < end && b[i] != s.sep; i++ {
	}
	_, t := trim(b, v, i)
	p.Value = span(v, t)
	if v == t {
		e.set(DiagParamSyntax, v)
	}
	for k := v; k < t && e.ID == DiagNone; k++ {
		switch b[k] {
		case ',':
			e.set(DiagListNotAllowed, k)
		case '"', '<', '>', ' ', '\t', '\r', '\n':
			e.set(DiagParamSyntax, k)
		}
	}
	s.pos = i + 1
	return p, e
}

// checkParams looks for the first defect among the parameters of b[pos:end].
func checkParams(b []byte, pos, end int, e *fault) {
	sc := paramScanner{b: b, pos: pos, end: end, sep: ';'}
	for sc.more() {
		if _, pe := sc.next(); pe.ID != DiagNone {
			e.set(pe.ID, pe.Off)
			return
		}
	}
}
