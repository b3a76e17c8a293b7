package sipparse

import (
	"bytes"
	"iter"
)

// Via is one Via value, RFC 3261 20.42 and 18.1.1. Spans are octets of Raw.
type Via struct {
	Raw       []byte
	Protocol  Span // "SIP"
	Version   Span // "2.0"
	Transport Span // "UDP"
	Host      Span // an IPv6 address keeps its brackets
	Port      Span
	PortNum   int // -1 when there is none or none that can be used
	Params    Span
}

// ParseVia reads one Via value; split a list with SplitList first. What could be read is returned together with the
// error.
func ParseVia(b []byte) (Via, error) {
	v, e := parseVia(b)
	if e.ID != DiagNone {
		return v, &Error{ID: e.ID, Off: e.Off, Field: "Via"}
	}
	return v, nil
}

func parseVia(b []byte) (v Via, e fault) {
	e = v.split(b)
	if v.Params.Len > 0 {
		v.checkParams(&e)
	}
	return v, e
}

// SplitVia is ParseVia without a look at the parameters, and without telling what is wrong.
func SplitVia(b []byte) (v Via) {
	v.split(b)
	return v
}

func (v *Via) split(b []byte) (e fault) {
	v.Raw, v.PortNum = b, -1
	const usual = "SIP/2.0/"
	i := 0
	if len(b) > len(usual) && string(b[:len(usual)]) == usual {
		v.Protocol, v.Version = span(0, 3), span(4, 7)
		i = len(usual)
	} else {
		word := func() Span {
			i = skipWS(b, i)
			f := i
			for i < len(b) && class[b[i]]&clToken != 0 {
				i++
			}
			s := span(f, i)
			i = skipWS(b, i)
			return s
		}
		slash := func() {
			if i < len(b) && b[i] == '/' {
				i++
			} else {
				e.set(DiagViaSyntax, i)
			}
		}
		v.Protocol = word()
		slash()
		v.Version = word()
		slash()
		if e.ID == DiagNone && (!equalFold(v.Protocol.In(b), "sip") || string(v.Version.In(b)) != "2.0") {
			e.set(DiagViaVersion, int(v.Protocol.Off))
		}
	}
	i = skipWS(b, i)
	f := i
	for i < len(b) && class[b[i]]&clToken != 0 {
		i++
	}
	v.Transport = span(f, i)
	f = skipWS(b, i)
	if f == i || v.Transport.Len == 0 {
		e.set(DiagViaSyntax, i)
	}
	// sent-by
	i = f
	if i < len(b) && b[i] == '[' {
		if j := bytes.IndexByte(b[i:], ']'); j >= 0 {
			i += j + 1
		} else {
			e.set(DiagViaSyntax, i)
		}
	}
	for i < len(b) && b[i] != ';' && b[i] != ':' && class[b[i]]&clWS == 0 {
		if class[b[i]]&clHost == 0 {
			e.set(DiagViaSyntax, i)
		}
		i++
	}
	v.Host = span(f, i)
	if i == f {
		e.set(DiagViaSyntax, i)
	}
	i = skipWS(b, i)
	if i < len(b) && b[i] == ':' {
		f = skipWS(b, i+1)
		for i = f; i < len(b) && class[b[i]]&clDigit != 0; i++ {
		}
		v.Port = span(f, i)
		if n, over, ok := number(b[f:i]); !ok || over || n > 65535 {
			e.set(DiagURIPort, f)
		} else {
			v.PortNum = int(n)
		}
		i = skipWS(b, i)
	}
	if i < len(b) && b[i] != ';' {
		e.set(DiagViaSyntax, i)
		if j := bytes.IndexByte(b[i:], ';'); j >= 0 {
			i += j
		} else {
			i = len(b)
		}
	}
	if i < len(b) {
		v.Params = span(i+1, len(b))
		if i+1 == len(b) {
			e.set(DiagParamEmpty, i)
		}
	}
	return e
}

// checkParams is the check of generic parameters, but for the values of "received" and "maddr", which may hold colons
// and brackets anyway.
func (v *Via) checkParams(e *fault) { checkParams(v.Raw, int(v.Params.Off), v.Params.End(), e) }

// Text gives a part as a string, as it is.
func (v *Via) Text(s Span) string { return string(s.In(v.Raw)) }

// ParamSeq gives the parameters; their spans are octets of Raw.
func (v *Via) ParamSeq() iter.Seq[Param] { return ParamsIn(v.Raw, v.Params) }

// Param gives the value of a parameter; ok is false when it is not there.
func (v *Via) Param(name string) (value []byte, ok bool) {
	p, ok := paramIn(v.Raw, v.Params, name, ';')
	return p.Value.In(v.Raw), ok
}

// BranchCookie begins the branch of every RFC 3261 sender, RFC 3261 8.1.1.7.
const BranchCookie = "z9hG4bK"

// Branch is the branch parameter, the transaction's name (RFC 3261 17.2.3).
func (v *Via) Branch() string {
	b, _ := v.Param("branch")
	return string(b)
}
