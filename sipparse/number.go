package sipparse

import (
	"iter"
	"math"
)

// ParseNumber reads the number of Max-Forwards, Content-Length, Min-Expires, RSeq and their kin. A value that does not
// fit in 32 bits is an error and 2^32-1.
func ParseNumber(b []byte) (uint32, error) {
	f, t := trim(b, 0, len(b))
	n, e := delta(b[f:t])
	if e.ID != DiagNone {
		return n, &Error{ID: e.ID, Off: f, Field: "number"}
	}
	return n, nil
}

// delta reads delta-seconds. RFC 3261 20.19 limits them to 2^32-1.
func delta(b []byte) (uint32, fault) {
	n, over, ok := number(b)
	switch {
	case !ok:
		return 0, fault{ID: DiagNumberSyntax}
	case over || n > math.MaxUint32:
		return math.MaxUint32, fault{ID: DiagNumberRange}
	}
	return uint32(n), fault{}
}

// Delta is a number of seconds with parameters, as in Session-Expires (RFC 4028 4), Min-SE and Retry-After (RFC 3261
// 20.33, which may have a comment too).
type Delta struct {
	Raw     []byte
	Seconds uint32
	Comment Span // without its parentheses
	Params  Span
}

// ParseExpires reads the value of Expires, Min-Expires, Session-Expires, Min-SE or Retry-After. What could be read is
// returned together with the error.
func ParseExpires(b []byte) (Delta, error) {
	d, e := parseDelta(b)
	if e.ID != DiagNone {
		return d, &Error{ID: e.ID, Off: e.Off, Field: "delta-seconds"}
	}
	return d, nil
}

func parseDelta(b []byte) (d Delta, e fault) {
	d.Raw = b
	f := skipWS(b, 0)
	i := f
	for i < len(b) && is(b[i], clDigit) {
		i++
	}
	d.Seconds, e = delta(b[f:i])
	if e.ID != DiagNone {
		e.Off = f
	}
	i = skipWS(b, i)
	if i < len(b) && b[i] == '(' {
		end, ok := commentEnd(b, i)
		if !ok {
			e.set(DiagUnbalancedComment, i)
			d.Comment = span(i+1, end)
			return d, e
		}
		d.Comment = span(i+1, end-1)
		i = skipWS(b, end)
	}
	if i == len(b) {
		return d, e
	}
	if b[i] != ';' {
		e.set(DiagNumberSyntax, i)
		return d, e
	}
	d.Params = span(i+1, len(b))
	checkParams(b, i+1, len(b), &e)
	return d, e
}

// ParamSeq gives the parameters; their spans are octets of Raw.
func (d *Delta) ParamSeq() iter.Seq[Param] { return ParamsIn(d.Raw, d.Params) }

// Param gives the value of a parameter; ok is false when it is not there.
func (d *Delta) Param(name string) (value []byte, ok bool) {
	p, ok := paramIn(d.Raw, d.Params, name, ';')
	return p.Value.In(d.Raw), ok
}
