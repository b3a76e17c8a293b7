package session

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// A grant is one authorisation request, and what became of it (RFC 6749 4.1, RFC 7636).
type grant struct {
	number, frame     uint64
	client, redirect  string
	scope             string
	challenge, method string
	asked             bool   // the request is in the capture
	session           int    // number; the table of sessions may have let it go
	code              string // fingerprint
	codeNumber        uint64
	used              uint64 // number of the token request that redeemed the code
}

func (t *Tracker) grantKey(kind byte, parts ...string) []byte {
	t.key = append(t.key[:0], kind)
	for _, p := range parts {
		t.key = append(append(t.key, p...), 0)
	}
	return t.key
}

// idmSession opens the authentication of a user who is not known yet.
func (t *Tracker) idmSession(e *Event, how, host string) *Session {
	s := t.openSession("", IdM, how, e)
	s.Server = host
	t.fact(s, e, "server", host, "http.host", "")
	return s
}

// idmRequest handles a request to an IdM.
func (t *Tracker) idmRequest(e *Event, x *exchange) {
	p := e.HTTP.IdM
	switch {
	case p.Kind == "authorisation_request":
		t.authorizeRequest(e, x, p)
	case p.Kind == "token_request" || p.GrantType != "":
		t.tokenRequest(e, x, p)
	case p.Kind == "authorisation_response" && p.Code != "":
		// The redirection goes over HTTP too (RFC 8252 7.3).
		x.what = "redirection with a code"
		if g, s := t.byState(p); s != nil {
			x.grant, x.session = g, s
			t.granted(e, x, s, p)
		}
	default:
		// The log-in form, or something else of the IdM: it belongs to the authorisation request whose state it names.
		x.what, x.object = e.Method, clipText(e.HTTP.Path, 160)
		if p.Kind == "user_authentication" {
			x.what, x.object = "log-in of the user", ""
		}
		g, s := t.byState(p)
		if s == nil {
			// It names no state: the client's last authorisation request that waits for a log-in.
			if g, _ = t.grants.get(t.grantKey('a', e.HTTP.Host, e.Src.Addr().String())); g != nil && g.code == "" {
				s = t.sessionByID(g.session)
			}
		}
		if s != nil {
			x.grant, x.session = g, s
		}
	}
}

// byState finds the authorisation request whose state a message names, and its session.
func (t *Tracker) byState(p *IdMPart) (*grant, *Session) {
	if p.State == "" {
		return nil, nil
	}
	g, ok := t.grants.get(t.grantKey('s', p.State))
	if !ok {
		return nil, nil
	}
	return g, t.sessionByID(g.session)
}

// sessionByID finds a session that is still in the table.
func (t *Tracker) sessionByID(id int) *Session {
	s, _ := t.sessions.get(t.sessionIDKey(id))
	return s
}

// authorizeRequest opens a grant (TS 33.180 B.4.2.2).
func (t *Tracker) authorizeRequest(e *Event, x *exchange, p *IdMPart) {
	x.what = "authorisation request"
	old, s := t.byState(p)
	if s == nil || old.client != p.ClientID || old.code != "" { // else the same request again, after the log-in page
		s = t.idmSession(e, ByCode, e.HTTP.Host)
	}
	g := &grant{number: e.Number, frame: e.frame(), client: p.ClientID, redirect: p.RedirectURI, scope: p.Scope, challenge: p.Challenge, method: p.Method, asked: true, session: s.ID}
	if p.State != "" {
		t.grants.put(t.grantKey('s', p.State), g)
	}
	t.grants.put(t.grantKey('r', p.ClientID, p.RedirectURI), g)
	t.grants.put(t.grantKey('a', e.HTTP.Host, e.Src.Addr().String()), g)
	x.grant, x.session, x.client = g, s, p.ClientID
	s.OAuthClient = p.ClientID
	s.Token.Scope, s.Token.ClientID = p.Scope, p.ClientID
	t.fact(s, e, "oauth_client", p.ClientID, "idm.client_id", "")
	t.move(s, Requested, e, "authorisation request of client "+p.ClientID)
	s.exchange = x
}

// tokenRequest redeems a code, a refresh token or a security token (TS 33.180 B.4.2.4, B.5, B.7 to B.9).
func (t *Tracker) tokenRequest(e *Event, x *exchange, p *IdMPart) {
	x.kind, x.client = kindTokens, p.ClientID
	var s *Session
	switch how := grantWords(p.GrantType); how {
	case ByCode:
		x.what = "token request with a code"
		s = t.redeem(e, x, p)
	case ByRefresh:
		x.what = "refresh of tokens"
		s = t.refresh(e, x, p)
	default:
		x.what = "token request, " + strings.ReplaceAll(how, "_", " ")
		s = t.idmSession(e, how, e.HTTP.Host)
		t.subject(e, s, p)
	}
	x.session = s
	if p.ClientID != "" {
		s.OAuthClient = p.ClientID
		t.fact(s, e, "oauth_client", p.ClientID, "idm.client_id", "")
	}
	if p.Resource != "" {
		t.fact(s, e, "partner_domain", p.Resource, "idm.resource", "")
	}
	t.move(s, Requested, e, x.what)
	s.exchange = x
}

// grantWords brings a grant type to one of the By constants.
func grantWords(grant string) string {
	switch {
	case grant == "authorization_code":
		return ByCode
	case grant == "refresh_token":
		return ByRefresh
	case strings.HasSuffix(grant, "token-exchange"):
		return ByExchange
	case strings.HasSuffix(grant, "jwt-bearer"):
		return ByJWT
	}
	return ByGrant
}

// redeem finds the authorisation request whose code is shown, and holds the code verifier against its challenge.
func (t *Tracker) redeem(e *Event, x *exchange, p *IdMPart) *Session {
	g, ok := t.grants.get(t.grantKey('c', p.Code))
	byCode := ok && p.Code != ""
	if !byCode {
		// The answer with the code is not in the capture: the client's last request for this redirect URI.
		if g, ok = t.grants.get(t.grantKey('r', p.ClientID, p.RedirectURI)); ok && (g.code != "" || g.used != 0 || p.ClientID == "") {
			g = nil
		}
		if !ok {
			g = nil
		}
	}
	var s *Session
	if g != nil {
		s = t.sessionByID(g.session)
	}
	if s == nil {
		s = t.idmSession(e, ByCode, e.HTTP.Host)
		g = &grant{number: e.Number, frame: e.frame(), client: p.ClientID, redirect: p.RedirectURI, session: s.ID}
	}
	x.grant = g
	if g.used != 0 {
		t.find("code-reuse", fmt.Sprintf("an authorisation code is used a second time: message %d had redeemed it", g.used), "", "idm.code", e.frame())
		if !s.live() || s.State == Accepted {
			s = t.inherit(t.idmSession(e, ByCode, e.HTTP.Host), g.session)
		}
	}
	g.used = e.Number
	if g.code == "" && p.Code != "" {
		g.code = p.Code
		t.grants.put(t.grantKey('c', p.Code), g)
	}
	if !g.asked {
		return s
	}
	if byCode && g.client != "" && p.ClientID != "" && g.client != p.ClientID {
		t.find("token-client", fmt.Sprintf("the code was granted to client %q (message %d) and is redeemed by client %q", g.client, g.number, p.ClientID), "", "idm.client_id", g.frame, e.frame())
	}
	t.pkce(e, g, p)
	return s
}

// pkce holds a code verifier against the challenge (RFC 7636 4.6).
func (t *Tracker) pkce(e *Event, g *grant, p *IdMPart) {
	switch {
	case g.challenge == "":
		// That the request lacks it is a look at one message.
	case p.Verifier == "":
		t.find("pkce-mismatch", fmt.Sprintf("the token request has no code_verifier, though the authorisation request in message %d had a code_challenge", g.number), "", "idm", g.frame, e.frame())
	case g.method == "S256" && p.Verifier != g.challenge, (g.method == "" || g.method == "plain") && p.Verifier != s256Of(g.challenge):
		t.find("pkce-mismatch", fmt.Sprintf("the code_verifier does not fit the code_challenge of the authorisation request in message %d (%s)", g.number, firstNonEmpty(g.method, "plain")), "", "idm.code_verifier", g.frame, e.frame())
	}
}

// s256Of is the challenge that a verifier answers (RFC 7636 4.2). With the method plain the challenge is the verifier.
func s256Of(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// refresh finds the session whose refresh token is shown.
func (t *Tracker) refresh(e *Event, x *exchange, p *IdMPart) *Session {
	t.key = append(t.key[:0], p.Refresh...)
	tr, ok := t.tokens.get(t.key)
	if !ok || p.Refresh == "" {
		return t.idmSession(e, ByRefresh, e.HTTP.Host)
	}
	tr.ShownTotal++
	if len(tr.Shown) < t.cfg.Limits.PerUser {
		tr.Shown = append(tr.Shown, Showing{e.Number, e.frame(), t.now, IdM, tr.IssuedBy})
	}
	if tr.IssuedTo != "" && p.ClientID != "" && tr.IssuedTo != p.ClientID {
		t.find("token-client", fmt.Sprintf("the refresh token was issued to client %q (message %d) and is used by client %q", tr.IssuedTo, tr.Issued.Number, p.ClientID), "", "idm.client_id", tr.Issued.Frame, e.frame())
	}
	old := t.sessionByID(tr.IssuedBy)
	if old != nil {
		if t.expire(old); old.live() {
			return old
		}
	}
	return t.inherit(t.idmSession(e, ByRefresh, e.HTTP.Host), tr.IssuedBy)
}

// inherit lets a session go on from another one: the user is the same.
func (t *Tracker) inherit(s *Session, from int) *Session {
	s.From = from
	if old := t.sessionByID(from); old != nil {
		for _, id := range old.Members {
			s.member(id)
		}
	}
	return s
}

// subject takes over whom the token shown for an exchange is about.
func (t *Tracker) subject(e *Event, s *Session, p *IdMPart) {
	tok := &p.Subject
	if tok.Fingerprint == "" {
		return
	}
	x := t.trail(tok)
	x.ShownTotal++
	if len(x.Shown) < t.cfg.Limits.PerUser {
		x.Shown = append(x.Shown, Showing{e.Number, e.frame(), t.now, IdM, s.ID})
	}
	for _, id := range x.IDs {
		s.member(id)
	}
	t.fact(s, e, "subject_token", tok.Fingerprint, "idm", "")
	t.inherit(s, x.IssuedBy)
}

// idmResponse applies an answer of the IdM.
func (t *Tracker) idmResponse(e *Event, x *exchange) {
	p := e.HTTP.IdM
	if e.Status < finalResponse {
		return
	}
	if p == nil {
		p = &IdMPart{ExpiresIn: -1}
	}
	if p.Code != "" || p.Error != "" && p.State != "" {
		// The answer to the log-in carries the state of the authorisation request.
		if g, s := t.byState(p); s != nil {
			x.grant, x.session = g, s
		}
	}
	if x.session == nil && (p.Code != "" || len(p.Issued) > 0) {
		x.session = t.idmSession(e, ByCode, firstNonEmpty(e.HTTP.Host, e.Src.Addr().String()))
		t.move(x.session, Requested, e, "the request is not in the capture")
	}
	s := x.session
	if s == nil {
		return
	}
	if s.exchange == x {
		s.exchange = nil
	}
	words := answerWords(e)
	switch {
	case p.Error != "":
		t.refuse(s, e, words)
	case len(p.Issued) > 0:
		t.issued(e, x, s, p)
	case p.Code != "":
		t.granted(e, x, s, p)
	case x.kind == kindTokens && e.Status >= 300:
		t.refuse(s, e, words)
	case x.kind == kindTokens:
		t.accept(s, e, words+" to the token request; no token could be read in it")
	case e.Status >= 400 && e.Status != 401:
		t.refuse(s, e, words)
	case s.State == Requested && x.grant != nil && x.grant.code == "":
		t.move(s, Challenged, e, words+": the IdM asks the user to log in")
	}
}

// granted notes the code that an IdM hands out (TS 33.180 B.4.2.3).
func (t *Tracker) granted(e *Event, x *exchange, s *Session, p *IdMPart) {
	g := x.grant
	if g == nil {
		g = &grant{number: e.Number, frame: e.frame(), session: s.ID, client: x.client}
		x.grant = g
	}
	g.code, g.codeNumber = p.Code, e.Number
	t.grants.put(t.grantKey('c', p.Code), g)
	if s.State == Challenged || s.State == Rejected || s.State == Unknown {
		t.move(s, Requested, e, "a code is granted")
	}
	if s.State == Requested {
		s.Cause = "a code is granted; the token request is not in the capture"
	}
	t.fact(s, e, "code", p.Code, "idm.code", "")
}

// issued takes over the tokens of a token response (TS 33.180 B.4.2.5).
func (t *Tracker) issued(e *Event, x *exchange, s *Session, p *IdMPart) {
	kinds := make([]string, 0, 4)
	client := firstNonEmpty(x.client, s.OAuthClient)
	for i := range p.Issued {
		is := &p.Issued[i]
		if s.How == ByExchange && is.Kind == "access" {
			is.Kind = "security" // RFC 8693 2.2.1: access_token holds whatever was asked for
		}
		kinds = append(kinds, is.Kind)
		t.stats.Tokens++
		if is.Kind == "access" || is.Kind == "security" || !s.Token.Present {
			tok := is.Token
			if tok.Scope == "" {
				tok.Scope = firstNonEmpty(p.Scope, s.Token.Scope)
			}
			t.takeToken(e, s, &tok, "idm.tokens")
		} else {
			for _, id := range is.users() {
				s.member(id)
			}
		}
		if is.Fingerprint == "" {
			continue
		}
		t.issue(e, s, is, client)
		tr := t.trail(&is.Token)
		tr.IDs = s.Members
		if is.Kind == "access" || is.Kind == "security" {
			s.Trail = tr
		}
		if len(s.Tokens) < t.cfg.Limits.PerUser {
			s.Tokens = append(s.Tokens, tr)
		} else {
			t.stats.EvictedPerUser++
		}
	}
	cause := "issued: " + strings.Join(kinds, ", ")
	if p.ExpiresIn >= 0 && p.ExpiresIn < 1<<31 {
		cause += fmt.Sprintf("; for %d s", p.ExpiresIn)
		s.Until = t.now + p.ExpiresIn*second
	} else if s.Token.HasExp && s.Token.Exp > 0 && s.Token.Exp < maxSeconds {
		s.Until = s.Token.Exp * second
	}
	if s.State == Rejected || s.State == Challenged {
		t.move(s, Requested, e, "asked again")
	}
	t.accept(s, e, cause)
	s.authorised = true
	if s.State == Accepted {
		s.Cause = cause
	}
}
