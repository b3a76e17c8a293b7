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
func ParamsIn(b []byte, s Span) iter.Seq[Param] {
	return func(yield func(Param) bool) {
		pos, end := int(s.Off), min(s.End(), len(b))
		for pos < end {
			p, next, _ := nextParam(b, pos, end, ';')
			pos = next
			if p.Name.Len > 0 && !yield(p) {
				return
			}
		}
	}
}

func paramIn(b []byte, s Span, name string) ([]byte, bool) {
	pos, end := int(s.Off), min(s.End(), len(b))
	for pos < end {
		p, next, _ := nextParam(b, pos, end, ';')
		pos = next
		if int(p.Name.Len) == len(name) && equalFoldBytes(p.Name.In(b), []byte(name)) {
			return p.Value.In(b), true
		}
	}
	return nil, false
}

// nextParam reads the parameter at pos, up to sep or end, and gives the offset after the separator.
func nextParam(b []byte, pos, end int, sep byte) (p Param, next int, e fault) {
	i := pos
	for i < end && class[b[i]]&clWS != 0 {
		i++
	}
	n := i
	for i < end && class[b[i]]&clToken != 0 {
		i++
	}
	p.Name, p.Value = span(n, i), span(i, i)
	for i < end && class[b[i]]&clWS != 0 {
		i++
	}
	if i < end && b[i] != sep && b[i] != '=' {
		e.set(DiagParamSyntax, i)
		for i < end && b[i] != sep && b[i] != '=' {
			if b[i] == '"' {
				if q, ok := quotedEnd(b[:end], i); ok {
					i = q
					continue
				}
			}
			i++
		}
		f, t := trim(b, n, i)
		p.Name, p.Value = span(f, t), span(t, t)
	}
	if i < end && b[i] == '=' {
		p.HasValue = true
		if p.Name.Len == 0 {
			e.set(DiagParamSyntax, i)
		}
		i++
		for i < end && class[b[i]]&clWS != 0 {
			i++
		}
		v := i
		if i < end && b[i] == '"' {
			q, ok := quotedEnd(b[:end], i)
			if !ok {
				e.set(DiagUnbalancedQuotes, i)
				for i < end && b[i] != sep { // as if the quote were an octet of the value
					i++
				}
				_, t := trim(b, v+1, i)
				p.Value = span(v+1, max(t, v+1))
				return p, i + 1, e
			}
			p.Quoted = true
			p.Value = span(v+1, q-1)
			i = q
			for i < end && b[i] != sep {
				if class[b[i]]&clWS == 0 {
					e.set(DiagParamSyntax, i)
				}
				i++
			}
			return p, i + 1, e
		}
		for i < end && b[i] != sep {
			i++
		}
		_, t := trim(b, v, i)
		p.Value = span(v, t)
		if v == t {
			e.set(DiagParamSyntax, v)
		}
	} else if p.Name.Len == 0 {
		e.set(DiagParamEmpty, n)
	}
	return p, i + 1, e
}

// checkParams looks for the first defect among the parameters of b[pos:end].
func checkParams(b []byte, pos, end int, e *fault) {
	for {
		_, next, pe := nextParam(b, pos, end, ';')
		if pe.ID != DiagNone {
			e.set(pe.ID, pe.Off)
			return
		}
		if next > end {
			return
		}
		pos = next
	}
}
