package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A Trail is one token, by its fingerprint, from where it was issued to every place where it was presented.
type Trail struct {
	Fingerprint string
	Kind        string // access, id, refresh, security; "" when it was not seen issued
	IDs         []string
	ClientID    string // of its claims
	Issuer      string
	Scope       string
	Exp         int64
	HasExp      bool
	Issued      *Showing // by the IdM, nil: not in the capture
	IssuedTo    string   // OAuth client that asked for it
	IssuedBy    int      // session of the IdM
	Shown       []Showing
	ShownTotal  int

	answered bool // a later message told of the missing issue
}

// A Showing is one message in which a token was issued or presented.
type Showing struct {
	Number, Frame uint64
	Time          int64
	Service       Service
	Session       int
}

// Tokens returns what is known of the tokens of the capture, in the order in which they were first seen.
func (t *Tracker) Tokens() []*Trail {
	out := make([]*Trail, 0, t.tokens.len())
	for x := range t.tokens.each() {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b *Trail) int {
		if x, y := a.first(), b.first(); x != y {
			return int(min(max(int64(x)-int64(y), -1), 1))
		}
		return strings.Compare(a.Fingerprint, b.Fingerprint)
	})
	return out
}

// first is the number of the first message that had the token.
func (x *Trail) first() uint64 {
	n := uint64(0)
	if x.Issued != nil {
		n = x.Issued.Number
	}
	if len(x.Shown) > 0 && (n == 0 || x.Shown[0].Number < n) {
		n = x.Shown[0].Number
	}
	return n
}

// trail finds or makes the trail of a token.
func (t *Tracker) trail(tok *Token) *Trail {
	t.key = append(t.key[:0], tok.Fingerprint...)
	x, ok := t.tokens.get(t.key)
	if !ok {
		x = &Trail{Fingerprint: tok.Fingerprint}
		t.tokens.put(t.key, x)
	}
	if tok.known() {
		x.IDs, x.ClientID, x.Issuer, x.Scope, x.Exp, x.HasExp = tok.users(), tok.ClientID, tok.Issuer, tok.Scope, tok.Exp, tok.HasExp
	}
	return x
}

// issue notes that an IdM hands out a token.
func (t *Tracker) issue(e *Event, s *Session, i *Issued, client string) {
	if i.Fingerprint == "" {
		return
	}
	x := t.trail(&i.Token)
	if x.Issued == nil && len(x.Shown) > 0 && i.Kind == "access" {
		f := &x.Shown[0]
		t.find("token-before-issue", fmt.Sprintf("the token %s is issued here, but message %d had presented it before", x.Fingerprint, f.Number), "", fIssued, f.Frame, e.frame())
	}
	if client != "" && i.ClientID != "" && client != i.ClientID && i.Kind == "access" {
		t.find("token-client", fmt.Sprintf("the access token %s is issued for client %q, but client %q asked for it", x.Fingerprint, i.ClientID, client), "", fIssued)
	}
	x.Kind, x.IssuedTo, x.IssuedBy = i.Kind, client, s.ID
	x.Issued = &Showing{e.Number, e.frame(), t.now, IdM, s.ID}
	if i.Kind == "access" && i.Issuer != "" {
		t.key = append(append(t.key[:0], "iss\x00"...), i.Issuer...)
		if _, ok := t.issuers.get(t.key); !ok {
			t.issuers.put(t.key, struct{}{})
		}
	}
}

// present notes that a token is shown to a service, and follows it back to where it was issued.
func (t *Tracker) present(e *Event, s *Session, tok *Token, svc Service, body, field string) {
	if tok.Fingerprint == "" {
		return
	}
	x := t.trail(tok)
	if n := len(x.Shown); n > 0 && x.Shown[n-1].Number == e.Number {
		return // a body and its copy
	}
	again := slices.ContainsFunc(x.Shown, func(o Showing) bool { return o.Session == s.ID })
	x.ShownTotal++
	if len(x.Shown) < t.cfg.Limits.PerUser {
		x.Shown = append(x.Shown, Showing{e.Number, e.frame(), t.now, svc, s.ID})
	} else {
		t.stats.EvictedPerUser++
	}
	s.Trail = x
	switch {
	case x.Issued != nil && x.Kind != "" && x.Kind != "access" && !again:
		t.find("token-kind", fmt.Sprintf("the token %s was issued as %s token (message %d) and is presented to %s as an access token", x.Fingerprint, x.Kind, x.Issued.Number, svc), body, field, x.Issued.Frame, e.frame())
	case x.Issued != nil:
		t.fact(s, e, "token_issued", fmt.Sprintf("%s in message %d", x.Fingerprint, x.Issued.Number), "", "")
	case again || x.answered || tok.Issuer == "":
	default:
		t.key = append(append(t.key[:0], "iss\x00"...), tok.Issuer...)
		if _, ok := t.issuers.get(t.key); ok {
			x.answered = true
			t.find("token-not-issued", fmt.Sprintf("the token %s was not seen issued, though its issuer %q issues tokens in this capture", x.Fingerprint, tok.Issuer), body, field)
		}
	}
}

// webScopes are the scopes of which a token needs one for a server (TS 33.180 B.4.2.2, table B.4.2.2-1), those of
// release 13 last. The scopes of recording are not confirmed and are never a finding.
var webScopes = map[Service][]string{
	KMS: {"3gpp:mc:ptt_key_management_service", "3gpp:mc:video_key_management_service", "3gpp:mc:data_key_management_service", "3gpp:mcptt:key_management_server"},
	CMS: {"3gpp:mc:ptt_config_management_service", "3gpp:mc:video_config_management_service", "3gpp:mc:data_config_management_service", "3gpp:mcptt:config_management_server"},
	GMS: {"3gpp:mc:ptt_group_management_service", "3gpp:mc:video_group_management_service", "3gpp:mc:data_group_management_service", "3gpp:mcptt:group_management_server"},
}

// scoped reports whether a token with a scope may be shown to a service: true where nothing is known against it.
func scoped(svc Service, scope string) bool {
	want := webScopes[svc]
	if scope == "" || want == nil {
		return true
	}
	return slices.ContainsFunc(strings.Fields(scope), func(x string) bool { return slices.Contains(want, x) })
}

// tokenScope holds a bearer token against the server that it is presented to (TS 33.180 5.1.3.1: it shall be scoped for
// the service).
func (t *Tracker) tokenScope(s *Session, tok *Token, field string) {
	if !scoped(s.Service, tok.Scope) {
		t.find("token-scope", fmt.Sprintf("the token is not scoped for %s: %q has none of %s", serviceWords[s.Service], clipText(tok.Scope, 200), strings.Join(webScopes[s.Service][:3], ", ")), "", field)
	}
}

// serviceWords name the services in a sentence.
var serviceWords = map[Service]string{KMS: "key management", CMS: "configuration management", GMS: "group management"}

// fIssued is where tokens are handed out.
const fIssued = "idm"

// appendTrail adds the token that a message is about, and where it was issued.
func appendTrail(b *record.Builder, x *Trail) {
	if x == nil {
		return
	}
	b.Open(fToken, record.Place{})
	b.Str(fTokenPrint, x.Fingerprint, record.Place{})
	if x.Kind != "" {
		b.Str(fTokenKind, x.Kind, record.Place{})
	}
	if x.Issued != nil {
		b.Num(fTokenIssued, int64(x.Issued.Number), record.Place{})
	}
	b.Num(fTokenShown, int64(x.ShownTotal), record.Place{})
	b.Close()
}

// Redacted returns a copy in which the identities are replaced by what name makes of them.
func (x *Trail) Redacted(name func(string) string) *Trail {
	c := *x
	if x.IssuedTo != "" {
		c.IssuedTo = name(x.IssuedTo)
	}
	if x.ClientID != "" {
		c.ClientID = name(x.ClientID)
	}
	c.IDs = nil
	for _, id := range x.IDs {
		c.IDs = append(c.IDs, name(id))
	}
	return &c
}
