package sipparse

import "iter"

// Auth is the value of Authorization, WWW-Authenticate and their kin, RFC 3261 20.7 and RFC 7235 2.1. Spans are octets of
// Raw.
type Auth struct {
	Raw    []byte
	Scheme Span
	Token  Span // a single credential instead of parameters, as after "Bearer"
	Params Span // separated by commas
}

// ParseAuth reads credentials or a challenge. What could be read is returned together with the error.
func ParseAuth(b []byte) (Auth, error) {
	a, e := parseAuth(b)
	if e.ID != DiagNone {
		return a, &Error{ID: e.ID, Off: e.Off, Field: "authentication"}
	}
	return a, nil
}

func parseAuth(b []byte) (a Auth, e fault) {
	a.Raw = b
	f := skipWS(b, 0)
	i := f
	for i < len(b) && is(b[i], clToken) {
		i++
	}
	a.Scheme = span(f, i)
	j := skipWS(b, i)
	if i == f || j == i && i < len(b) {
		e.set(DiagAuthSyntax, i)
	}
	_, t := trim(b, j, len(b))
	if j >= t {
		return a, e
	}
	// token68 is one word of token octets, "/" and "+", with "=" only at its end.
	k := j
	for k < t && (is(b[k], clToken) || b[k] == '/') {
		k++
	}
	for k < t && b[k] == '=' {
		k++
	}
	if k == t {
		a.Token = span(j, t)
		return a, e
	}
	a.Params = span(j, t)
	sc := scanParams(b, a.Params, ',')
	for sc.more() {
		if p, pe := sc.next(); pe.ID != DiagNone {
			e.set(pe.ID, pe.Off)
		} else if !p.HasValue {
			e.set(DiagAuthSyntax, int(p.Name.Off))
		}
	}
	return a, e
}

// SchemeText is the scheme as it is.
func (a *Auth) SchemeText() string { return string(a.Scheme.In(a.Raw)) }

// ParamSeq gives the parameters; their spans are octets of Raw.
func (a *Auth) ParamSeq() iter.Seq[Param] { return paramSeq(a.Raw, a.Params, ',') }

// Param gives the value of a parameter without quotes; ok is false when it is not there.
func (a *Auth) Param(name string) (value []byte, ok bool) {
	p, ok := paramIn(a.Raw, a.Params, name, ',')
	return p.Value.In(a.Raw), ok
}
