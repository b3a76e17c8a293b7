package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An Action is one HTTP request of an authorisation and its answer.
type Action struct {
	What    string
	Object  string // what it is about: a document, a resource; an identity may be in it
	Number  uint64
	Frame   uint64
	Status  int // 0: the answer is not in the capture
	Outcome string
	NS      int64 // from request to answer
}

// An exchange is one HTTP request that waits for its response.
type exchange struct {
	number, frame uint64
	time          int64
	session       *Session
	service       Service
	kind, what    string
	object        string
	path, host    string
	shown         bool     // a token was presented
	users         []string // MC service IDs of that token
	grant         *grant
	client        string // OAuth client that asks for tokens
	answer        uint64
}

// Kinds of HTTP messages, for session.kind.
const (
	kindAuthorise = "authorization"
	kindTokens    = "token_request"
	kindKeys      = "key_management"
	kindConfig    = "configuration_management"
	kindGroups    = "group_management"
	kindRecording = "recording"
	kindWeb       = "http"
)

var webKinds = map[Service]string{KMS: kindKeys, CMS: kindConfig, GMS: kindGroups, Recording: kindRecording, Web: kindWeb, IdM: kindAuthorise}

// web handles an HTTP message.
func (t *Tracker) web(e *Event) *Link {
	if e.Request {
		t.stats.HTTPRequests++
		return t.webRequest(e)
	}
	return t.webResponse(e)
}

func (t *Tracker) exchangeKey(n uint64) []byte {
	t.key = strconv.AppendUint(t.key[:0], n, 10)
	return t.key
}

func (t *Tracker) webRequest(e *Event) *Link {
	h := e.HTTP
	x := &exchange{number: e.Number, frame: e.frame(), time: t.now, path: h.Path, host: h.Host}
	if h.Exchange != 0 {
		t.exchanges.put(t.exchangeKey(h.Exchange), x)
	}
	svc, ok := h.service()
	if !ok {
		return t.newLink(Link{Kind: "transaction"})
	}
	x.service, x.kind = svc, webKinds[svc]
	if svc == IdM {
		t.idmRequest(e, x)
	} else {
		t.webAsk(e, x)
	}
	s := x.session
	if s == nil {
		return t.newLink(Link{Kind: x.kind, Service: svc.String()})
	}
	t.act(s, e, x)
	t.touch(s, e, false)
	return t.newLink(Link{}).of(s, x.kind)
}

// webAsk notes a request to a server that wants a bearer token (TS 33.180 B.10).
func (t *Tracker) webAsk(e *Event, x *exchange) {
	h := e.HTTP
	tok := &h.Bearer
	x.shown, x.users = tok.Present, tok.users()
	x.what, x.object = actionWords(e)
	who := x.users
	if named := h.subject(); len(who) == 0 && named != "" {
		who = []string{named}
	}
	if len(who) == 0 && tok.Fingerprint != "" {
		// A token that names nobody belongs to whom it was issued to.
		t.key = append(t.key[:0], tok.Fingerprint...)
		if o, ok := t.tokens.get(t.key); ok && o.Issued != nil {
			who = o.IDs
		}
	}
	s := t.webSession(e, x.service, h.Host, who, tok)
	x.session = s
	if h.KMS != nil {
		t.keyRequest(e, s, h.KMS)
	}
	cause := e.Method + " without a bearer token"
	if tok.Present {
		s.How, cause = ByBearer, e.Method+" with a bearer token"
		t.takeToken(e, s, tok, h.Field)
	} else if s.Token.Fingerprint == "" {
		s.How = ByNothing
	}
	if s.State != Accepted {
		t.move(s, Requested, e, cause)
	}
	s.exchange = x
}

// subject is the user that a request itself names.
func (h *HTTP) subject() string {
	switch {
	case h.KMS != nil:
		return h.KMS.User
	case h.XCAP != nil:
		return h.XCAP.User
	}
	return ""
}

func containsURI(list []string, id string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return sameURI(x, id) })
}

// takeToken takes over what a bearer token says, and follows it.
func (t *Tracker) takeToken(e *Event, s *Session, tok *Token, field string) {
	first := tok.Fingerprint != s.Token.Fingerprint
	if first && tok.Fingerprint != "" {
		t.fact(s, e, "token", tok.Fingerprint, field, "")
	}
	s.Token = *tok
	for i, id := range tok.IDs {
		if id != "" {
			s.member(id)
			t.fact(s, e, serviceNames[i]+"_id", id, field+".claims."+serviceNames[i]+"_id", "")
		}
	}
	if s.Service == IdM {
		return
	}
	t.present(e, s, tok, s.Service, "", field)
	if first {
		t.tokenScope(s, tok, field)
	}
}

// member notes an identity that a session speaks of.
func (s *Session) member(id string) {
	if id == "" || containsURI(s.Members, id) || len(s.Members) >= 8 {
		return
	}
	s.Members = append(s.Members, id)
	if s.MCID == "" {
		s.MCID = id
	}
}

// actionWords says what an HTTP request does, and to what.
func actionWords(e *Event) (what, object string) {
	h := e.HTTP
	switch {
	case h.KMS != nil && h.KMS.Operation != "":
		return h.KMS.Operation, ""
	case h.XCAP != nil:
		x := h.XCAP
		return e.Method + " " + firstNonEmpty(x.Kind, x.AUID), clipText(strings.TrimSpace(x.User+" "+x.Document), 160)
	case h.Record != "":
		return h.Record, clipText(h.Path, 160)
	}
	return e.Method, clipText(h.Path, 160)
}

// webSession finds or opens the authorisation of a user at a server. The user is known by an identity, else by the token,
// else by the address.
func (t *Tracker) webSession(e *Event, svc Service, host string, who []string, tok *Token) *Session {
	names := make([]string, 0, len(who)+2)
	for _, id := range who {
		names = append(names, "u"+e.HTTP.Role+canon(id))
	}
	if tok.Fingerprint != "" {
		names = append(names, "t"+tok.Fingerprint)
	}
	if len(who) == 0 && tok.Fingerprint == "" {
		names = append(names, "a"+e.Src.Addr().String())
	}
	var s *Session
	for _, n := range names {
		id, ok := t.servers.get(t.serverKey(svc, host, n))
		if !ok {
			continue
		}
		if o := t.sessionByID(id); o != nil {
			if t.expire(o); o.live() {
				s = o
				break
			}
		}
	}
	if s == nil {
		s = t.openSession("", svc, ByBearer, e)
		s.Server = host
		t.fact(s, e, "server", host, "http.host", "")
	}
	for _, n := range names {
		t.servers.put(t.serverKey(svc, host, n), s.ID)
	}
	for _, id := range who {
		s.member(id)
	}
	return s
}

func (t *Tracker) serverKey(svc Service, host, name string) []byte {
	t.key = append(append(append(append(t.key[:0], byte('0'+svc)), host...), 0), name...)
	return t.key
}

// act notes a request among the actions of its session.
func (t *Tracker) act(s *Session, e *Event, x *exchange) {
	if len(s.Actions) >= t.cfg.Limits.Evidence {
		// The first ones tell how it began, the last ones how it stands.
		half := t.cfg.Limits.Evidence / 2
		s.Actions = slices.Delete(s.Actions, half, half+1)
		s.Lost++
		t.stats.EvictedFacts++
	}
	s.Actions = append(s.Actions, Action{What: x.what, Object: x.object, Number: x.number, Frame: x.frame})
}

// webResponse handles an HTTP response.
func (t *Tracker) webResponse(e *Event) *Link {
	h := e.HTTP
	x, ok := t.exchanges.get(t.exchangeKey(h.Exchange))
	if !ok || h.Exchange == 0 {
		t.stats.HTTPOrphans++
		return t.webOrphan(e)
	}
	l := t.newLink(Link{Kind: "transaction", Request: x.number, HasTime: true, ResponseNS: max(0, t.now-x.time)})
	if e.Status >= finalResponse {
		t.stats.HTTPAnswered++
		x.answer = e.Number
	}
	if x.session == nil && h.IdM != nil {
		x.service, x.kind = IdM, kindAuthorise // a log-in form that was posted
	}
	if x.service == IdM {
		t.idmResponse(e, x)
	} else if x.session != nil {
		t.webAnswer(e, x)
	}
	s := x.session
	if s == nil {
		return l
	}
	for i := range s.Actions {
		if a := &s.Actions[i]; a.Number == x.number && e.Status >= finalResponse {
			a.Status, a.NS, a.Outcome = e.Status, l.ResponseNS, answerWords(e)
		}
	}
	if e.Status >= finalResponse {
		s.respond(l.ResponseNS)
		s.Status, s.answered = e.Status, true
	}
	t.touch(s, e, false)
	return l.of(s, x.kind)
}

// respond counts a response time.
func (s *Session) respond(ns int64) {
	if s.Responses == 0 || ns < s.ResponseMin {
		s.ResponseMin = ns
	}
	s.ResponseMax = max(s.ResponseMax, ns)
	s.ResponseSum += ns
	s.Responses++
}

// webOrphan places a response whose request is not in the capture: what it carries may still tell whose it is.
func (t *Tracker) webOrphan(e *Event) *Link {
	h := e.HTTP
	x := &exchange{time: t.now, path: h.Path, host: h.Host}
	switch {
	case h.IdM != nil && h.IdM.Kind != "":
		x.service, x.kind = IdM, kindAuthorise
		t.idmResponse(e, x)
	case h.KMS != nil:
		x.service, x.kind = KMS, kindKeys
		who := h.KMS.users()
		if len(who) == 0 {
			return nil
		}
		x.session = t.webSession(e, KMS, firstNonEmpty(h.Host, e.Src.Addr().String()), who[:1], &Token{})
		if x.session.State == Fresh {
			t.move(x.session, Requested, e, "the request is not in the capture")
		}
		t.webAnswer(e, x)
	}
	if x.session == nil {
		return nil
	}
	x.session.Status = e.Status
	t.touch(x.session, e, false)
	return t.newLink(Link{}).of(x.session, x.kind)
}

// answerWords says an answer: status, error of the challenge, error of the body.
func answerWords(e *Event) string {
	h := e.HTTP
	w := strings.TrimSpace(itoa(e.Status) + " " + e.Reason)
	for _, x := range []string{h.Error, h.failure()} {
		if x != "" {
			w += "; " + x
		}
	}
	return clipText(w, 240)
}

// failure is the error that a body tells.
func (h *HTTP) failure() string {
	switch {
	case h.IdM != nil && h.IdM.Error != "":
		return strings.TrimSuffix(h.IdM.Error+": "+h.IdM.ErrorText, ": ")
	case h.KMS != nil && h.KMS.Error != "":
		return "KMS error " + h.KMS.Error
	}
	return ""
}

// webAnswer applies the answer of a server that was shown a token, or none.
func (t *Tracker) webAnswer(e *Event, x *exchange) {
	s, st := x.session, e.Status
	if st < finalResponse {
		return
	}
	if s.exchange == x {
		s.exchange = nil
	}
	words := answerWords(e)
	switch {
	case e.HTTP.KMS != nil && e.HTTP.KMS.Error != "":
		t.refuse(s, e, words)
	case st/100 == 2 || st == 304:
		if s.State == Rejected || s.State == Challenged {
			t.move(s, Requested, e, "asked again")
		}
		t.accept(s, e, words+" to "+x.what)
		s.authorised = true
		if e.HTTP.KMS != nil {
			t.keyAnswer(e, x, s)
		}
	case st == 401 || st == 407:
		if x.shown {
			t.refuse(s, e, words)
		} else {
			t.move(s, Challenged, e, words)
		}
	case st == 403:
		t.refuse(s, e, words)
	case s.State == Accepted:
		// Not the user's authorisation: this document, this request.
	default:
		t.refuse(s, e, words+"; the answer does not say that the token was refused")
	}
}

// refuse notes a refusal with its reason in words.
func (t *Tracker) refuse(s *Session, e *Event, words string) {
	s.Status, s.answered = e.Status, true
	if t.move(s, Rejected, e, words) {
		s.Hints = s.webHints(t.now)
	}
}

// webHints are what of a request over HTTP may explain its refusal.
func (s *Session) webHints(now int64) (out []string) {
	tok := &s.Token
	if s.How == ByNothing {
		out = append(out, "the request has no bearer token")
	}
	if tok.HasExp && tok.Exp < now/second {
		out = append(out, "the token had expired "+strconv.FormatInt(now/second-tok.Exp, 10)+" s before")
	}
	if !scoped(s.Service, tok.Scope) {
		out = append(out, "the token's scope lacks "+webScopes[s.Service][0]+" and its twins")
	}
	if s.Trail != nil && s.Trail.Kind != "" && s.Trail.Kind != "access" {
		out = append(out, "the token was issued as "+s.Trail.Kind+" token")
	}
	return out
}

// webUnanswered is told of an exchange whose answer did not come.
func (t *Tracker) webUnanswered(x *exchange) {
	if x.answer != 0 {
		return
	}
	t.stats.HTTPUnanswered++
	s := x.session
	if s == nil || s.evicted || s.exchange != x {
		return
	}
	s.exchange = nil
	if s.State == Requested {
		t.move(s, Unknown, nil, "the answer is not in the capture")
	}
}

// ageExchanges ends exchanges whose answer can no longer come, a few a message.
func (t *Tracker) ageExchanges() {
	for range 4 {
		x, ok := t.exchanges.oldest()
		if !ok || t.now-x.time < ageExchange {
			return
		}
		t.exchanges.drop()
		t.webUnanswered(x)
	}
}

// ageExchange is how long an HTTP response may take: a server may hold a request for minutes.
const ageExchange = 300 * second

// keyRequest takes over what a request to the KMS says (TS 33.180 D.2.2).
func (t *Tracker) keyRequest(e *Event, s *Session, k *KMSPart) {
	if k.User != "" {
		t.fact(s, e, "kms_user", k.User, "kms.user_uri", "")
	}
	if k.ClientID != "" && s.ClientID == "" {
		s.ClientID = k.ClientID
		t.fact(s, e, "client_id", k.ClientID, "kms.client_id", "")
	}
	t.wrapKeys(e, s, k)
}

// wrapKeys takes over the names of the transport and integrity keys of a message.
func (t *Tracker) wrapKeys(e *Event, s *Session, k *KMSPart) {
	if k.TrK != "" && s.TrK != k.TrK {
		s.TrK = k.TrK
		t.fact(s, e, "trk", k.TrK, "kms.trk_id", "")
	}
	if k.InK != "" && s.InK != k.InK {
		s.InK = k.InK
		t.fact(s, e, "ink", k.InK, "kms.ink_id", "")
	}
	if k.Signature != "" {
		s.SignatureState = k.Signature
	}
}

// users are those that a KMS message is about.
func (k *KMSPart) users() (out []string) {
	if k.User != "" {
		out = append(out, k.User)
	}
	for i := range k.Sets {
		if u := k.Sets[i].User; u != "" && !containsURI(out, u) {
			out = append(out, u)
		}
	}
	return out
}

// keyAnswer takes over what a KMS provisions, and holds it against the token: the keys are those of the MC service IDs in
// it (TS 33.180 5.1.3.1).
func (t *Tracker) keyAnswer(e *Event, x *exchange, s *Session) {
	k := e.HTTP.KMS
	t.wrapKeys(e, s, k)
	s.Learned += k.Learned
	for i := range k.Sets {
		set := k.Sets[i]
		if i := slices.IndexFunc(s.KeySets, func(o KeySet) bool {
			return sameURI(o.User, set.User) && o.PeriodNo == set.PeriodNo && o.KMS == set.KMS
		}); i >= 0 {
			s.KeySets[i] = set
		} else if len(s.KeySets) < t.cfg.Limits.PerUser {
			s.KeySets = append(s.KeySets, set)
		} else {
			s.Lost++
			t.stats.EvictedPerUser++
		}
		if set.User == "" {
			continue
		}
		t.fact(s, e, "keys_provisioned", fmt.Sprintf("%s period %d", set.User, set.PeriodNo), "kms.key_sets.user_uri", "")
		if len(x.users) > 0 && !containsURI(x.users, set.User) {
			t.find("kms-user", fmt.Sprintf("the KMS provides keys of %q, who is none of the token's MC service IDs (%s)", set.User, strings.Join(x.users, ", ")), "", "kms.key_sets.user_uri", x.frame, e.frame())
		}
	}
	if n := len(s.KeySets); n > 0 && s.State == Accepted {
		last := &s.KeySets[n-1]
		s.Cause = fmt.Sprintf("%s provided, of %s for period %d", Count(n, "key set"), firstNonEmpty(last.User, "an unnamed user"), last.PeriodNo)
	}
	for _, n := range k.NewTrK {
		t.fact(s, e, "new_trk", n, "kms.new_transport_key.name", "")
	}
	for _, n := range k.NewInK {
		t.fact(s, e, "new_ink", n, "kms.new_integrity_key.name", "")
	}
}
