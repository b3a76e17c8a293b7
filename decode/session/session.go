package session

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// How a user asked for service authorisation.
const (
	ByRegister  = "register"  // TS 24.379 7.2.1
	ByPublish   = "publish"   // TS 24.379 7.2.2
	ByMigration = "migration" // TS 24.379 7A.2.1
	BySettings  = "settings"  // TS 24.379 7.2.3: no authorisation of its own in the capture
)

// A Session is one service authorisation: an IMPU, an MC service and a client, with what is known of it and from where.
type Session struct {
	ID       int // in order of first message, from 1
	IMPU     string
	Aliases  []string // other public user identities it was seen under
	Service  Service
	How      string
	MCID     string // MC service ID
	Primary  string // migration: MC service ID in the primary system
	ClientID string

	Confidentiality, Integrity bool // seen in use
	Key                        *Key // in use now
	Keys                       []*Key
	KeyState                   string // decrypted, no_key, failed: what could be done with what the key protects
	SignatureState             string // of the XML signatures

	Token           Token
	Profile         int64 // -1: not seen
	AnswerMode      string
	Multiplex       string // "true", "false", "" when not seen
	MultipleDevices bool

	State    State
	Cause    string   // in words
	Hints    []string // what the capture shows that may explain a refusal
	Status   int      // of the last final response
	Warnings []Warning

	Contact, Instance, GRUU string
	Continuity              []string
	IPsec                   *IPsec // security agreement of the registration; nil when none was seen

	File                    string
	First, Last             int64
	FirstNumber, LastNumber uint64
	FirstFrame, LastFrame   uint64
	Frames                  []uint64 // bounded, the first ones
	Messages                int
	Retransmissions         int
	Until                   int64 // end of what was granted, 0 when unknown or without end
	Responses               int   // final responses with a known request
	ResponseMin             int64 // nanoseconds
	ResponseMax             int64
	ResponseSum             int64
	ThirdParty              uint64 // number of the third-party REGISTER, 0 when none was seen
	ThirdPartyStatus        int
	TiedBy                  string // how it was tied to the UE's REGISTER
	Rejections              int

	Evidence []Evidence
	History  []Transition
	Lost     int // facts and transitions over the limit

	events     *eventList
	user       *user
	attempt    *attempt // the one whose answer is awaited
	authorised bool     // a request with a token was accepted
	unopened   string   // the last body's element that did not open although a key fits its name, and why
	tagged     bool     // its REGISTER had the tags of the service
	noClient   bool     // the last request for authorisation had no client ID
	settingsOK bool     // a PUBLISH with an answer mode was accepted
	answered   bool
	evicted    bool
	bodies     []uint64
	callID     string
	exchange   *exchange // over HTTP: the one whose answer is awaited

	// Of an authorisation over HTTP.
	Server      string   // host name
	Members     []string // MC service IDs that it speaks of: of the token, UserUri, the user of an XCAP path
	OAuthClient string   // client_id of the IdM's request
	Actions     []Action
	KeySets     []KeySet // that the KMS provided
	TrK, InK    string   // names of the transport and the integrity key
	Learned     int      // keys that mcxdump took over from it
	Trail       *Trail   // of the token last presented, or issued
	Tokens      []*Trail // issued by the IdM
	From        int      // session that it goes on from: whose refresh or security token was used
}

// Evidence says which message gave a fact.
type Evidence struct {
	Fact   string // user, client_id, binding, key, token, profile_index, answer_mode, ...
	Value  string
	Number uint64
	Frame  uint64
	Field  string // registered name of the field it was read from
	KeyID  string // key that opened it
}

// A Transition is one step of a session.
type Transition struct {
	Time     int64
	Number   uint64
	Frame    uint64
	From, To State
	Cause    string
}

// A Key is one client-server key in the life of a session.
type Key struct {
	ID        string
	Type      string
	Way       string // upload, download, named (used without having been delivered in the capture)
	Number    uint64
	Frame     uint64
	Time      int64
	State     string // recovered, no_key, failed; "" for a key that was only named
	Signature string // of the I_MESSAGE
	Initiator string
	Responder string
	Accepted  bool
	Replaced  string // identifier of the key that replaced it
	at        uint64 // number of the message that replaced it
	Misused   int    // messages that used it after it was replaced
}

// A user is a public user identity with what is bound to it.
type user struct {
	impu       string
	firstCall  string
	sessions   []*Session
	bindings   []binding
	keys       []*Key
	associated []string // implicit registration set (P-Associated-URI)
	ipsec      []*IPsec
	issuers    []string // of tokens that were used without migration
	authorised bool
	registrar  string // Contact of the S-CSCF's third-party REGISTERs
}

// A binding is a registered contact with the services whose tags it carries.
type binding struct {
	uri, instance string
	tags, icsis   Services
}

// op is what an attempt wants of a session.
type op uint8

const (
	opAuthorise op = iota
	opThirdParty
	opSettings
	opRefresh
	opLogOff
	opOther
)

type item struct {
	s  *Session
	op op
}

// An attempt is one request, over all the hops on which it was captured.
type attempt struct {
	number, frame uint64
	time          int64
	callID        string
	method, kind  string
	user          *user
	items         []item
	contacts      []Contact
	expires       int64
	dereg, star   bool
	mc            bool // carries bodies of service authorisation
	token         bool
	xml           bool
	protected     bool
	third         bool
	held          bool // PUB-29 or RSP-16 waits for the answer
	answerMode    bool
	ifMatch       string
	service       Service
	keys          []*Key // delivered by it
	called        []string
	owns          bool            // REG-07 or PUB-15 was looked at
	missing       *record.Finding // and this came of it
	status        int
	repeats       int
}

// eventList are the messages that a session keeps for its ladder.
type eventList struct {
	list []*Event
	skip int // entries of the tracker's queue that stand for messages already dropped
}

func (s *Session) live() bool { return !s.State.Ended() && !s.evicted }

// Duration is the time from the first to the last message, in nanoseconds.
func (s *Session) Duration() int64 { return max(0, s.Last-s.First) }

// Events are the messages kept for the ladder, in order.
func (s *Session) Events() []*Event {
	if s.events == nil {
		return nil
	}
	return s.events.list
}

// Failed reports whether the user was refused, now or on the way, or never got an answer.
func (s *Session) Failed() bool {
	return s.State == Rejected || s.State == Unknown || s.State == Challenged || s.State == Requested || s.Rejections > 0
}

// Is reports whether a session is about somebody: an IMPU, an MC service ID, a client ID or a contact, as a URI or as a
// part of one.
func (s *Session) Is(who string) bool {
	who = strings.ToLower(strings.TrimSpace(who))
	if who == "" {
		return false
	}
	for _, x := range slices.Concat([]string{s.IMPU, s.MCID, s.Primary, s.ClientID, s.Contact, s.Instance}, s.Aliases, s.Members) {
		if x != "" && (sameURI(x, who) || strings.Contains(strings.ToLower(x), who)) {
			return true
		}
	}
	return false
}

// Mentions reports whether an identity of the session contains a text.
func (s *Session) Mentions(text string) bool {
	return slices.ContainsFunc(slices.Concat([]string{s.IMPU, s.MCID, s.Primary, s.ClientID, s.OAuthClient}, s.Aliases, s.Members), func(x string) bool { return strings.Contains(x, text) })
}

// Scopes are the scopes of the token.
func (s *Session) Scopes() []string { return strings.Fields(s.Token.Scope) }

// move changes the state where such a transition exists and writes it into the history.
func (t *Tracker) move(s *Session, to State, e *Event, cause string) bool {
	if s.evicted || !s.State.Can(to) {
		return false
	}
	tr := Transition{Time: t.now, From: s.State, To: to, Cause: cause}
	if e != nil {
		tr.Number, tr.Frame = e.Number, e.frame()
	}
	if to == Expired && s.Until > 0 {
		tr.Time = min(t.now, s.Until)
	}
	s.State = to
	if to == Rejected {
		s.Rejections++
	}
	s.Cause = cause
	if len(s.History) >= t.cfg.Limits.Evidence {
		// The beginning tells how it started, the end how it stands: the middle goes.
		half := t.cfg.Limits.Evidence / 2
		s.History = slices.Delete(s.History, half, half+1)
		s.Lost++
		t.stats.EvictedFacts++
	}
	s.History = append(s.History, tr)
	return true
}

// fact writes down where a fact was learned.
func (t *Tracker) fact(s *Session, e *Event, fact, value, field, key string) {
	for i := range s.Evidence {
		if v := &s.Evidence[i]; v.Fact == fact && v.Value == value {
			return
		}
	}
	if len(s.Evidence) >= t.cfg.Limits.Evidence {
		s.Lost++
		t.stats.EvictedFacts++
		// A fact that a later one has overtaken makes room (the entity tags of a long chain of refreshes).
		i := slices.IndexFunc(s.Evidence, func(v Evidence) bool { return v.Fact == fact })
		if i < 0 {
			i = slices.IndexFunc(s.Evidence, func(v Evidence) bool { return v.Fact == "entity_tag" })
		}
		if i < 0 {
			return
		}
		s.Evidence = slices.Delete(s.Evidence, i, i+1)
	}
	s.Evidence = append(s.Evidence, Evidence{Fact: fact, Value: value, Number: e.Number, Frame: e.frame(), Field: field, KeyID: key})
}

// expire ends what was granted for a time that is over. It is looked at when a session is touched and at the end.
func (t *Tracker) expire(s *Session) {
	if s.State == Accepted && s.Until > 0 && t.now > s.Until {
		t.move(s, Expired, nil, "not refreshed before the granted time ran out")
	}
}

// touch notes that a message belongs to a session.
func (t *Tracker) touch(s *Session, e *Event, repeat bool) {
	if s.evicted {
		return
	}
	t.sessions.get(t.sessionKey(s))
	if s.LastNumber == e.Number {
		return // two roles of one message
	}
	s.Last, s.LastNumber, s.LastFrame = max(s.Last, t.now), e.Number, e.frame()
	s.Messages++
	s.IPsec.count(e)
	if repeat {
		s.Retransmissions++
	}
	for _, f := range e.Frames {
		if len(s.Frames) < 64 {
			s.Frames = append(s.Frames, f)
		}
	}
	t.keep(s, e, repeat)
}

// keep stores a compact copy of a message for the ladder; a repeated message is folded into its first copy.
func (t *Tracker) keep(s *Session, e *Event, repeat bool) {
	if t.cfg.NoLadders {
		return
	}
	l := s.events
	if repeat {
		for i := len(l.list) - 1; i >= 0 && i >= len(l.list)-16; i-- {
			k := l.list[i]
			if k.Digest == e.Digest && k.Src == e.Src && k.Dst == e.Dst {
				k.Repeats++
				return
			}
		}
	}
	if max := t.cfg.Limits.SessionEvents; len(l.list) >= max {
		half := max / 2
		l.list = slices.Delete(l.list, half, half+1)
		l.skip++
		t.stats.EvictedEvents++
	}
	l.list = append(l.list, e.compact())
	t.queue.push(l)
	if t.queue.n > t.cfg.Limits.Events {
		t.dropEvent()
	}
}

// dropEvent takes the oldest message out of its ladder.
func (t *Tracker) dropEvent() {
	for t.queue.n > 0 {
		l := t.queue.pop()
		if l.skip > 0 {
			l.skip--
			continue
		}
		if len(l.list) > 0 {
			l.list[0] = nil
			l.list = l.list[1:]
			t.stats.EvictedEvents++
			return
		}
	}
}

// queue is a ring of the ladders in the order in which their messages came.
type queue struct {
	ring    []*eventList
	from, n int
}

func (q *queue) push(l *eventList) {
	if q.n == len(q.ring) {
		ring := make([]*eventList, max(64, 2*len(q.ring)))
		for i := range q.n {
			ring[i] = q.ring[(q.from+i)%len(q.ring)]
		}
		q.ring, q.from = ring, 0
	}
	q.ring[(q.from+q.n)%len(q.ring)] = l
	q.n++
}

func (q *queue) pop() *eventList {
	l := q.ring[q.from]
	q.ring[q.from] = nil
	q.from = (q.from + 1) % len(q.ring)
	q.n--
	return l
}

func (t *Tracker) sessionKey(s *Session) []byte { return t.sessionIDKey(s.ID) }

func (t *Tracker) sessionIDKey(id int) []byte {
	t.key = strconv.AppendInt(t.key[:0], int64(id), 10)
	return t.key
}

// user finds or makes a user.
func (t *Tracker) user(uri, callID string) *user {
	impu := canon(uri)
	t.key = append(t.key[:0], impu...)
	if u, ok := t.users.get(t.key); ok {
		return u
	}
	u := &user{impu: impu, firstCall: callID}
	t.users.put(append(t.key[:0], impu...), u)
	return u
}

// known finds a user without making one.
func (t *Tracker) known(uri string) *user {
	if uri == "" {
		return nil
	}
	t.key = append(t.key[:0], canon(uri)...)
	u, _ := t.users.get(t.key)
	return u
}

// dropUser settles the sessions of a user who leaves the table.
func (t *Tracker) dropUser(u *user) {
	for _, s := range u.sessions {
		if s.user == u {
			s.user = nil
		}
	}
	u.sessions = nil
}

// dropSession settles a session that leaves and hands it to whoever wants it.
func (t *Tracker) dropSession(s *Session) {
	t.settle(s)
	s.evicted = true
	if u := s.user; u != nil {
		if i := slices.Index(u.sessions, s); i >= 0 {
			u.sessions = slices.Delete(u.sessions, i, i+1)
		}
	}
	if t.cfg.Evicted != nil {
		t.cfg.Evicted(s)
	}
	// The tracker's queue still holds the list; what it held goes with the session.
	old := s.events
	s.events = &eventList{list: old.list}
	old.list, old.skip = nil, 1<<30
	s.user, s.attempt, s.exchange = nil, nil, nil
}

// settle gives a session the state that holds when nothing more is known of it.
func (t *Tracker) settle(s *Session) {
	t.expire(s)
	if s.State == Requested {
		t.move(s, Unknown, nil, "the answer is not in the capture")
	}
	s.attempt, s.exchange = nil, nil
}

// openSession opens a session.
func (t *Tracker) openSession(impu string, svc Service, how string, e *Event) *Session {
	t.nextID++
	s := &Session{ID: t.nextID, IMPU: impu, Service: svc, How: how, Profile: -1, File: e.File, First: t.now, Last: t.now,
		FirstNumber: e.Number, FirstFrame: e.frame(), events: &eventList{}}
	t.stats.Sessions++
	t.sessions.put(t.sessionKey(s), s)
	return s
}

// newSession opens a session of a user.
func (t *Tracker) newSession(u *user, svc Service, how string, e *Event) *Session {
	s := t.openSession(u.impu, svc, how, e)
	s.user = u
	if len(u.sessions) >= t.cfg.Limits.PerUser {
		// The oldest one that has ended makes room, else the oldest.
		i := slices.IndexFunc(u.sessions, func(s *Session) bool { return !s.live() })
		i = max(i, 0)
		u.sessions[i].user = nil
		u.sessions = slices.Delete(u.sessions, i, i+1)
		t.stats.EvictedPerUser++
	}
	u.sessions = append(u.sessions, s)
	return s
}

// clue is what a message has to recognise its session by.
type clue struct {
	service  Service
	how      string // "" for any
	client   string
	mcID     string
	digest   uint64
	token    string // fingerprint
	keyID    string
	contact  string
	instance string
}

// resolve finds the live session of a user that a message belongs to.
func (t *Tracker) resolve(u *user, c clue) *Session {
	var weak *Session
	weaks := 0
	for i := len(u.sessions) - 1; i >= 0; i-- {
		s := u.sessions[i]
		if s.Service != c.service {
			continue
		}
		t.expire(s)
		if !s.live() {
			continue
		}
		if c.how != "" && (c.how == ByMigration) != (s.How == ByMigration) {
			continue
		}
		if c.client != "" && s.ClientID != "" {
			if strings.EqualFold(c.client, s.ClientID) {
				return s
			}
			continue
		}
		switch {
		case c.digest != 0 && slices.Contains(s.bodies, c.digest),
			c.token != "" && c.token == s.Token.Fingerprint,
			c.keyID != "" && s.Key != nil && c.keyID == s.Key.ID,
			c.instance != "" && c.instance == s.Instance,
			c.contact != "" && c.contact == s.Contact:
			return s
		}
		if c.contact == "" || s.Contact == "" || c.instance == "" && s.Instance == "" {
			weak = s
			weaks++
		}
	}
	if weaks == 1 {
		return weak
	}
	return nil
}

// newLink returns the one link of the message at hand.
func (t *Tracker) newLink(l Link) *Link {
	t.link = l
	return &t.link
}

// of describes what a message is to a session.
func (l *Link) of(s *Session, kind string) *Link {
	l.Session, l.Kind, l.Service, l.IMPU, l.MCID, l.ClientID = s, kind, s.Service.String(), s.IMPU, s.MCID, s.ClientID
	l.State, l.Reason = s.State.String(), s.Cause
	if s.Service.HTTP() {
		l.Server, l.Token = s.Server, s.Trail
	} else if s.Trail != nil && s.Trail.Issued != nil {
		l.Token = s.Trail
	}
	if s.Service == MCPTT {
		l.MCPTTID = s.MCID
	}
	return l
}

// Add takes the next message in capture order and says what it did. A nil event does nothing.
func (t *Tracker) Add(e *Event) Effect {
	if e == nil {
		return Effect{}
	}
	t.stats.Events++
	if e.Quoted {
		t.stats.Quoted++
		return Effect{}
	}
	if e.Details == nil {
		c := *e
		c.Details = &Details{Expires: -1}
		e = &c
	}
	t.clock(e.Time)
	t.age()
	t.ageExchanges()
	t.out, t.owns = nil, false
	if e.HTTP != nil {
		t.nonces(e)
		t.profiles(e)
		return t.effect(t.web(e))
	}
	t.single(e)
	x, r := t.transact(e)
	var l *Link
	switch r {
	case newRequest:
		t.nonces(e)
		t.profiles(e)
		l = t.request(e, x)
		t.security(e)
	case repeatedRequest:
		l = t.newLink(Link{Kind: "transaction", Repeat: x.number})
		if x.attempt != nil {
			x.attempt.repeats++
			l = t.again(e, x.attempt, l, true)
		}
	case newResponse:
		t.nonces(e)
		l = t.newLink(Link{Kind: "transaction", Request: x.number, HasTime: true, ResponseNS: max(0, t.now-x.time)})
		if x.attempt != nil {
			l = t.answer(e, x, l)
		}
		t.security(e)
	case repeatedResponse:
		l = t.newLink(Link{Kind: "transaction", Request: x.number, HasTime: true, ResponseNS: max(0, t.now-x.time), Repeat: x.answer})
		if x.attempt != nil {
			l = t.again(e, x.attempt, l, true)
		}
	case orphanResponse:
		l = t.orphan(e)
	case ackRequest:
		if x != nil && x.attempt != nil {
			l = t.again(e, x.attempt, t.newLink(Link{Kind: "transaction"}), false)
		}
	}
	return t.effect(l)
}

// effect closes a message: what it did, with what was found.
func (t *Tracker) effect(l *Link) Effect {
	t.stats.Findings += uint64(len(t.out))
	eff := Effect{Session: l, Findings: t.out}
	t.out = nil
	if t.owns {
		eff.Withdraw = keyChecks
	}
	return eff
}

// again notes a further copy of a message of an attempt.
func (t *Tracker) again(e *Event, a *attempt, l *Link, repeat bool) *Link {
	if e.Request {
		t.sayAgain(a)
	}
	for _, it := range a.items {
		t.touch(it.s, e, repeat)
	}
	if len(a.items) > 0 {
		l.of(a.items[0].s, a.kind)
	}
	return l
}

// sayAgain repeats for another copy of a request what was found about its key.
func (t *Tracker) sayAgain(a *attempt) {
	t.owns = t.owns || a.owns
	if a.missing != nil {
		t.out = append(t.out, *a.missing)
	}
}

// request handles a request that opens a transaction.
func (t *Tracker) request(e *Event, x *transaction) *Link {
	d := e.Details
	t.key = attemptKey(t.key, &e.Message)
	if a, ok := t.attempts.get(t.key); ok && e.CallID != "" && e.Method != "ACK" && (t.now-a.time < ageInvite) {
		// The same request on a further hop: a new top Via, the same Call-ID and CSeq.
		x.attempt = a
		t.stats.Hops++
		return t.again(e, a, t.newLink(Link{Kind: "transaction"}), false)
	}
	a := &attempt{number: e.Number, frame: e.frame(), time: t.now, callID: e.CallID, method: e.Method, expires: d.Expires,
		mc: d.mc() || d.HasPoC, xml: len(d.Infos) > 0 || d.HasPoC, protected: d.protected(), ifMatch: d.IfMatch}
	if len(e.Inner) > 0 {
		if in := e.Inner[0].details(); e.Method == "REGISTER" {
			a.mc, a.protected = in.mc(), in.protected()
		}
	}
	var l *Link
	switch e.Method {
	case "REGISTER":
		if in := innerRegister(e); in != nil {
			l = t.thirdParty(e, in, a)
		} else if t.fromRegistrar(e) {
			l = t.thirdPartyBare(e, a)
		} else {
			l = t.register(e, &e.Message, a)
		}
	case "PUBLISH":
		if d.Event == "poc-settings" || d.Event == "" && (len(d.Infos) > 0 || d.HasPoC) {
			l = t.publish(e, a)
		}
	case "SUBSCRIBE":
		l = t.subscribe(e, a)
	case "NOTIFY":
		l = t.notify(e, a)
	default:
		l = t.other(e, a)
	}
	if l == nil && len(a.called) == 0 {
		return nil
	}
	x.attempt = a
	if e.CallID != "" {
		t.key = attemptKey(t.key, &e.Message)
		t.attempts.put(t.key, a)
	}
	return l
}

// attemptKey names a request over all its hops.
func attemptKey(k []byte, m *Message) []byte {
	k = append(append(strconv.AppendUint(k[:0], uint64(m.CSeq), 10), ' '), m.Method...)
	k = append(append(k, ' '), m.From.Tag...)
	return append(append(k, ' '), m.CallID...)
}

// innerRegister returns the UE's REGISTER inside a third-party REGISTER (TS 24.229 5.4.1.7), or nil.
func innerRegister(e *Event) *Message {
	for i := range e.Inner {
		if e.Inner[i].Request && e.Inner[i].Method == "REGISTER" {
			return &e.Inner[i]
		}
	}
	return nil
}

// unanswered is told of a transaction whose answer did not come.
func (t *Tracker) unanswered(a *attempt) {
	if a.status != 0 {
		return
	}
	for _, it := range a.items {
		if it.s.attempt != a || it.s.evicted {
			continue
		}
		it.s.attempt = nil
		if it.s.State == Requested && (it.op == opAuthorise || it.op == opSettings) {
			t.move(it.s, Unknown, nil, "the answer is not in the capture")
		}
	}
}

// Finish ends the capture: what still waits for an answer becomes unknown, what ran out has expired.
func (t *Tracker) Finish() {
	for x, ok := t.transactions.oldest(); ok; x, ok = t.transactions.oldest() {
		t.transactions.drop()
		t.ended(x)
	}
	for x, ok := t.exchanges.oldest(); ok; x, ok = t.exchanges.oldest() {
		t.exchanges.drop()
		t.webUnanswered(x)
	}
	for s := range t.sessions.each() {
		t.settle(s)
	}
}

// Sessions returns the sessions in the order of their first message.
func (t *Tracker) Sessions() []*Session {
	out := make([]*Session, 0, t.sessions.len())
	for s := range t.sessions.each() {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *Session) int { return a.ID - b.ID })
	return out
}

// find adds a finding of a registered check.
func (t *Tracker) find(id, message, body, field string, frames ...uint64) {
	t.findAs(id, checkByID[id].Severity, message, body, field, frames...)
}

func (t *Tracker) findAs(id string, sev record.Severity, message, body, field string, frames ...uint64) {
	for i := range t.out {
		if t.out[i].ID == id && t.out[i].Message == message && t.out[i].Body == body {
			return
		}
	}
	if len(t.out) >= maxList {
		return
	}
	t.out = append(t.out, record.Finding{ID: id, Severity: sev, Clause: checkByID[id].Clause, Message: message, Body: body, Field: field, Frames: frames})
}
