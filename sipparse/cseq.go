package sipparse

import "math"

// CSeq is the value of CSeq, RFC 3261 20.16. Number is 2^64-1 when it does not even fit in 64 bits.
type CSeq struct {
	Number uint64
	Method Span // octets of the value that was given
}

// ParseCSeq reads a CSeq value. What could be read is returned together with the error.
func ParseCSeq(b []byte) (CSeq, error) {
	c, e := parseCSeq(b)
	if e.ID != DiagNone {
		return c, &Error{ID: e.ID, Off: e.Off, Field: "CSeq"}
	}
	return c, nil
}

func parseCSeq(b []byte) (c CSeq, e fault) {
	i := skipWS(b, 0)
	f := i
	for i < len(b) && is(b[i], clDigit) {
		i++
	}
	n, _, ok := number(b[f:i])
	if !ok {
		e.set(DiagCSeqSyntax, f)
	}
	c.Number = n
	if n > math.MaxInt32 {
		e.set(DiagCSeqRange, f)
	}
	j := skipWS(b, i)
	k := j
	for k < len(b) && is(b[k], clToken) {
		k++
	}
	c.Method = span(j, k)
	if j == i || k == j || skipWS(b, k) != len(b) {
		e.set(DiagCSeqSyntax, i)
	}
	return c, e
}

// RAck is the value of RAck, RFC 3262 7.2.
type RAck struct {
	RSeq, CSeq uint64
	Method     Span
}

// ParseRAck reads a RAck value. What could be read is returned together with the error.
func ParseRAck(b []byte) (RAck, error) {
	r, e := parseRAck(b)
	if e.ID != DiagNone {
		return r, &Error{ID: e.ID, Off: e.Off, Field: "RAck"}
	}
	return r, nil
}

func parseRAck(b []byte) (r RAck, e fault) {
	f := skipWS(b, 0)
	i := f
	for i < len(b) && is(b[i], clDigit) {
		i++
	}
	n, _, ok := number(b[f:i])
	r.RSeq = n
	if !ok || n > math.MaxUint32 {
		e.set(DiagRAckSyntax, f)
	}
	if i == len(b) || !is(b[i], clWS) {
		e.set(DiagRAckSyntax, i)
	}
	c, ce := parseCSeq(b[i:])
	r.CSeq, r.Method = c.Number, Span{c.Method.Off + uint32(i), c.Method.Len}
	if ce.ID != DiagNone {
		e.set(DiagRAckSyntax, i+ce.Off)
	}
	return r, e
}
