package sipparse

import "iter"

// TokenParams is a token with parameters: an event type (RFC 6665 8.2.1), a subscription state (RFC 6665 8.2.3), a
// security mechanism (RFC 3329 2.2), a reason's protocol (RFC 3326 2), a disposition type (RFC 3261 20.11), an option or
// a content coding. Spans are octets of Raw.
type TokenParams struct {
	Raw    []byte
	Token  Span
	Params Span
}

// ParseEvent reads the value of Event or one of Allow-Events.
func ParseEvent(b []byte) (TokenParams, error) { return tokenParams(b, DiagEventSyntax, "Event") }

// ParseSubscriptionState reads the value of Subscription-State.
func ParseSubscriptionState(b []byte) (TokenParams, error) {
	return tokenParams(b, DiagSubscriptionState, "Subscription-State")
}

// ParseSecurity reads one value of Security-Client, Security-Server or Security-Verify.
func ParseSecurity(b []byte) (TokenParams, error) {
	return tokenParams(b, DiagSecuritySyntax, "security mechanism")
}

// ParseReason reads one value of Reason, such as SIP;cause=200;text="Call completed elsewhere".
func ParseReason(b []byte) (TokenParams, error) { return tokenParams(b, DiagReasonSyntax, "Reason") }

// ParseToken reads any other token with parameters.
func ParseToken(b []byte) (TokenParams, error) { return tokenParams(b, DiagParamSyntax, "token") }

func tokenParams(b []byte, id DiagID, field string) (TokenParams, error) {
	tp, e := parseToken(b, id)
	if e.ID != DiagNone {
		return tp, &Error{ID: e.ID, Off: e.Off, Field: field}
	}
	return tp, nil
}

func parseToken(b []byte, id DiagID) (tp TokenParams, e fault) {
	tp.Raw = b
	f := skipWS(b, 0)
	i := f
	for i < len(b) && b[i] != ';' && class[b[i]]&clWS == 0 {
		if class[b[i]]&clToken == 0 {
			e.set(id, i)
		}
		i++
	}
	tp.Token = span(f, i)
	if i == f {
		e.set(id, f)
	}
	i = skipWS(b, i)
	if i == len(b) {
		return tp, e
	}
	if b[i] != ';' {
		e.set(id, i)
		for i < len(b) && b[i] != ';' {
			i++
		}
		if i == len(b) {
			return tp, e
		}
	}
	tp.Params = span(i+1, len(b))
	checkParams(b, i+1, len(b), &e)
	return tp, e
}

// Text is the token as it is.
func (tp *TokenParams) Text() string { return string(tp.Token.In(tp.Raw)) }

// ParamSeq gives the parameters; their spans are octets of Raw.
func (tp *TokenParams) ParamSeq() iter.Seq[Param] { return ParamsIn(tp.Raw, tp.Params) }

// Param gives the value of a parameter without quotes; ok is false when it is not there.
func (tp *TokenParams) Param(name string) (value []byte, ok bool) {
	p, ok := paramIn(tp.Raw, tp.Params, name, ';')
	return p.Value.In(tp.Raw), ok
}
