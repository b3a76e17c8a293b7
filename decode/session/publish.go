package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A publication is one event state (RFC 3903): the chain of entity tags that began with an initial PUBLISH.
type publication struct {
	session *Session
	etag    string
	steps   int
}

func publicationKey(k []byte, impu, event, etag string) []byte {
	k = append(append(k[:0], impu...), 0)
	k = append(append(k, event...), 0)
	return append(k, etag...)
}

// identity finds the user that a request comes from: the identity that the network asserted, the one the UE prefers,
// or From (TS 24.229 5.7.1.3A).
func (t *Tracker) identity(m *Message) (u *user, impu string) {
	d := m.details()
	for _, list := range [][]string{d.Asserted, d.Preferred, {m.From.URI}} {
		for _, x := range list {
			if impu == "" {
				impu = x
			}
			if u := t.known(x); u != nil {
				return u, x
			}
		}
	}
	return nil, impu
}

// serviceOf chooses the service of a request without an info body.
func serviceOf(d *Details) Service {
	set := d.Services | tagsOf(d.Contacts)
	for s := range services {
		if set.Has(s) {
			return s
		}
	}
	return MCPTT
}

// publish handles a PUBLISH for the MC server's settings (TS 24.379 7.2.2, 7.2.3, 7.3.5).
func (t *Tracker) publish(e *Event, a *attempt) *Link {
	d := e.Details
	t.stats.Publications++
	u, impu := t.identity(&e.Message)
	if u == nil {
		u = t.user(impu, e.CallID)
	}
	a.user, a.dereg, a.kind = u, d.Expires == 0, "settings"
	var c Contact
	c.Expires = -1
	if len(d.Contacts) > 0 {
		c = d.Contacts[0]
	}
	token := slices.ContainsFunc(d.Infos, func(in Info) bool { return in.Token.Present })
	a.token = token
	if token {
		t.knownKey(e, u, &e.Message, a, "PUB-15")
	} else {
		t.used(e, u, &e.Message)
	}
	t.deliver(e, u, &e.Message, a, "upload")
	for i := range d.Settings {
		a.answerMode = a.answerMode || d.Settings[i].AnswerMode != ""
	}

	var byTag *Session
	if d.IfMatch != "" {
		t.key = publicationKey(t.key, u.impu, d.Event, d.IfMatch)
		if p, ok := t.publications.get(t.key); ok && p.session.user == u {
			byTag = p.session
		}
	}
	switch {
	case d.Expires == 0:
		a.kind = "log_off"
		var ss []*Session
		for i := range d.Infos {
			if s := t.resolve(u, t.clueOf(&e.Message, &d.Infos[i], &c)); s != nil {
				ss = append(ss, s)
			}
		}
		if byTag != nil && len(ss) == 0 {
			ss = append(ss, byTag)
		}
		if len(ss) == 0 {
			if s := t.resolve(u, clue{service: serviceOf(d), contact: contactKey(&c), instance: c.Instance}); s != nil {
				ss = append(ss, s)
			}
		}
		for _, s := range ss {
			if t.expire(s); s.live() {
				t.item(a, s, opLogOff)
			}
		}
	case len(d.Infos) == 0:
		s := byTag
		if s == nil || !s.live() {
			s = t.resolve(u, clue{service: serviceOf(d), contact: contactKey(&c), instance: c.Instance})
		}
		if s != nil {
			if a.kind = "refresh"; d.HasPoC {
				a.kind = "settings"
				t.settings(e, s, d)
			}
			t.item(a, s, opRefresh)
		}
	}
	if d.Expires != 0 {
		for i := range d.Infos {
			in := &d.Infos[i]
			if in.Token.Present {
				a.kind, a.service = "publish", in.Service
				s := t.authorisation(e, u, &e.Message, in, ByPublish, &c, a)
				t.settings(e, s, d)
				t.item(a, s, opAuthorise)
				t.ask(s, e, a, "PUBLISH with an access token")
				continue
			}
			t.beforeAuthorisation(e, u, a)
			s := byTag
			if s == nil || s.Service != in.Service || !s.live() {
				s = t.resolve(u, t.clueOf(&e.Message, in, &c))
			}
			if s == nil {
				s = t.newSession(u, in.Service, BySettings, e)
			}
			t.learn(e, s, &e.Message, in)
			t.place(s, &c)
			t.settings(e, s, d)
			t.item(a, s, opSettings)
			if s.State != Accepted {
				t.ask(s, e, a, "PUBLISH of settings without a token")
			}
		}
	}
	for _, it := range a.items {
		t.touch(it.s, e, false)
	}
	if len(a.items) > 0 {
		return t.newLink(Link{}).of(a.items[0].s, a.kind)
	}
	return t.newLink(Link{Kind: a.kind, IMPU: u.impu, Service: serviceOf(d).String()})
}

func contactKey(c *Contact) string {
	if c.URI == "" {
		return ""
	}
	return canon(c.URI)
}

func (t *Tracker) clueOf(m *Message, in *Info, c *Contact) clue {
	return clue{service: in.Service, client: in.ClientID.Text, digest: in.Digest, token: in.Token.Fingerprint, keyID: t.keyFor(m.details(), in), contact: contactKey(c), instance: c.Instance}
}

// beforeAuthorisation is PUB-29: settings for a user that nothing in the capture has authorised. When the capture may
// have begun after that, the answer decides.
func (t *Tracker) beforeAuthorisation(e *Event, u *user, a *attempt) {
	if u.authorised || a.held {
		return
	}
	for _, s := range u.sessions {
		if s.State == Unknown || s.State == Requested || s.State == Challenged {
			a.held = true
			return
		}
	}
	if u.firstCall == e.CallID {
		a.held = true
		return
	}
	t.find("PUB-29", "settings before any successful authorisation of "+strconv.Quote(u.impu)+": expect 404 with 141", "", "bodies")
}

// settings takes over what a poc-settings document says of a session.
func (t *Tracker) settings(e *Event, s *Session, d *Details) {
	for i := range d.Settings {
		n := &d.Settings[i]
		if len(d.Settings) > 1 && s.ClientID != "" && !strings.EqualFold(n.ID, s.ClientID) {
			continue
		}
		if n.AnswerMode != "" && n.AnswerMode != s.AnswerMode {
			s.AnswerMode = n.AnswerMode
			t.fact(s, e, "answer_mode", n.AnswerMode, "poc_settings.entity.answer_mode", "")
		}
		if n.Profile >= 0 && n.Profile != s.Profile {
			s.Profile = n.Profile
			t.fact(s, e, "profile_index", strconv.FormatInt(n.Profile, 10), "poc_settings.entity.selected_user_profile_index", "")
		}
		if n.Multiplex != "" {
			s.Multiplex = n.Multiplex
		}
		if s.ClientID == "" && strings.HasPrefix(lower(n.ID), "urn:") {
			// TS 24.379 7.2.1A NOTE 2: the entity's id is the client's instance URN.
			s.ClientID = n.ID
			t.fact(s, e, "client_id", n.ID, "poc_settings.entity.id", "")
		}
		t.profileKnown(s, n)
	}
}

// answerPublish applies the final answer to a PUBLISH.
func (t *Tracker) answerPublish(e *Event, a *attempt) {
	d, st := e.Details, e.Status
	switch {
	case st == 401 || st == 407:
		for _, it := range a.items {
			if it.op == opAuthorise || it.op == opSettings {
				t.move(it.s, Challenged, e, itoa(st)+" "+e.Reason)
			}
		}
		return
	case st/100 == 2:
		t.published(e, a)
	case st == 412:
		t.find("RSP-14", fmt.Sprintf("stale SIP-If-Match %q: the server knows no such entity tag", a.ifMatch), "", "sip.if_match", a.frame, e.frame())
	}
	if st >= 300 {
		if a.token {
			t.afterFailure(e, a)
		}
		if a.held {
			a.held = false
			t.find("PUB-29", "settings before any successful authorisation of "+strconv.Quote(a.user.impu)+", answered by "+itoa(st), "", "bodies", a.frame, e.frame())
		}
	}
	for i := range d.Infos {
		in := &d.Infos[i]
		if !in.MultipleDevices {
			continue
		}
		t.find("RSP-13", "the user is authorised on several clients (multiple-devices-ind is true)", in.Body, fieldOf(in.Service, "multiple_devices_ind"))
		for _, it := range a.items {
			if it.s.Service == in.Service {
				it.s.MultipleDevices = true
			}
		}
	}
	for _, it := range a.items {
		s := it.s
		switch {
		case st/100 == 2 && it.op == opAuthorise:
			t.authorised(s, e, a, itoa(st)+" to PUBLISH")
		case st/100 == 2 && it.op == opSettings:
			t.accept(s, e, itoa(st)+" to PUBLISH of settings")
			s.Status, s.answered = st, true
			if s.user != nil {
				s.user.authorised = true // a server without a binding answers 404
			}
		case st/100 == 2 && it.op == opLogOff:
			t.logOff(s, e, a)
		case st/100 == 2:
		case it.op == opAuthorise:
			t.reject(s, e)
		case it.op == opSettings && (s.State != Accepted || st == 403 || st == 404):
			t.reject(s, e)
		}
		if st/100 == 2 && it.op != opLogOff {
			s.settingsOK = s.settingsOK || a.answerMode
			if secs := d.Expires; secs > 0 && (s.How == ByPublish || s.How == BySettings) {
				if s.Until = 0; secs < 1<<31 {
					s.Until = t.now + secs*second
				}
			}
		}
	}
}

// published keeps the entity tag of an accepted PUBLISH and checks it (RFC 3903 6, 11.3).
func (t *Tracker) published(e *Event, a *attempt) {
	d := e.Details
	if a.ifMatch != "" && a.user != nil {
		t.publications.remove(publicationKey(t.key, a.user.impu, "poc-settings", a.ifMatch))
	}
	if a.dereg {
		return
	}
	if d.ETag == "" {
		t.find("RSP-09", "entity tag missing: the 2xx to a PUBLISH has no SIP-ETag", "", "sip.etag", a.frame, e.frame())
	}
	switch {
	case d.Expires < 0:
		t.find("RSP-10", "bad expiry in response: the 2xx to a PUBLISH has no Expires", "", "sip.expires", a.frame, e.frame())
	case a.expires >= 0 && d.Expires > a.expires:
		t.find("RSP-10", fmt.Sprintf("bad expiry in response: Expires %d is more than the %d asked for", d.Expires, a.expires), "", "sip.expires", a.frame, e.frame())
	}
	if d.ETag == "" || a.user == nil || len(a.items) == 0 {
		return
	}
	p := &publication{session: a.items[0].s, etag: d.ETag, steps: 1}
	t.publications.put(publicationKey(t.key, a.user.impu, "poc-settings", d.ETag), p)
	t.fact(p.session, e, "entity_tag", d.ETag, "sip.etag", "")
}

// afterFailure tells what a refused authorisation PUBLISH means (TS 24.379 7.2.2).
func (t *Tracker) afterFailure(e *Event, a *attempt) {
	if e.Status < 600 {
		t.find("RSP-11", "the client must consider itself not authorised: "+itoa(e.Status)+" to an authorisation PUBLISH", "", "sip.status", a.frame, e.frame())
	}
	if e.Status == 403 && len(e.Details.Warnings) == 0 {
		t.find("RSP-05", "403 to a service authorisation without a Warning: the reason is missing", "", "sip.warning", a.frame, e.frame())
	}
}

// A subscription to poc-settings (TS 24.379 7.2.4, 7.3.6).
type subscription struct {
	user    *user
	service Service
	cseq    uint32 // of the last NOTIFY
}

func (t *Tracker) subscribe(e *Event, a *attempt) *Link {
	d := e.Details
	if d.Event != "poc-settings" {
		return t.other(e, a)
	}
	t.stats.Subscriptions++
	u, impu := t.identity(&e.Message)
	if u == nil {
		u = t.user(impu, e.CallID)
	}
	a.user, a.kind = u, "subscription"
	svc := serviceOf(d)
	if len(d.Infos) > 0 {
		svc = d.Infos[0].Service
	}
	t.key = append(t.key[:0], e.CallID...)
	t.subscribed.put(t.key, &subscription{user: u, service: svc})
	for i := range d.Infos {
		in := &d.Infos[i]
		if in.RequestURI.Text == "" {
			continue
		}
		a.held = a.held || !slices.ContainsFunc(u.sessions, func(s *Session) bool { return s.Service == in.Service && s.MCID != "" })
		for _, s := range u.sessions {
			if s.Service == in.Service && s.MCID != "" && s.live() && !sameURI(s.MCID, in.RequestURI.Text) && !u.holds(in.Service, in.RequestURI.Text) {
				t.find("RSP-16", fmt.Sprintf("subscription to the settings of %q by %q: expect 403", in.RequestURI.Text, s.MCID), in.Body, fieldOf(in.Service, "request_uri"))
				break
			}
		}
	}
	t.used(e, u, &e.Message)
	if s := u.current(svc); s != nil {
		t.item(a, s, opOther)
		t.touch(s, e, false)
		return t.newLink(Link{}).of(s, a.kind)
	}
	return t.newLink(Link{Kind: a.kind, IMPU: u.impu, Service: svc.String()})
}

// holds tells whether one of the user's sessions is for an MC service ID.
func (u *user) holds(svc Service, id string) bool {
	return slices.ContainsFunc(u.sessions, func(s *Session) bool { return s.Service == svc && s.MCID != "" && sameURI(s.MCID, id) })
}

// current is the user's latest live session of a service.
func (u *user) current(svc Service) *Session {
	for i := len(u.sessions) - 1; i >= 0; i-- {
		if s := u.sessions[i]; s.Service == svc && s.live() {
			return s
		}
	}
	return nil
}

func (t *Tracker) notify(e *Event, a *attempt) *Link {
	d := e.Details
	if d.Event != "poc-settings" {
		return t.other(e, a)
	}
	t.key = append(t.key[:0], e.CallID...)
	sub, ok := t.subscribed.get(t.key)
	if !ok {
		u := t.known(e.To.URI)
		if u == nil {
			u = t.known(e.RequestURI)
		}
		if u == nil {
			return t.newLink(Link{Kind: "notification"})
		}
		sub = &subscription{user: u, service: serviceOf(d)}
		t.subscribed.put(append(t.key[:0], e.CallID...), sub)
	}
	a.user, a.kind = sub.user, "notification"
	// The highest CSeq of the dialog is current (RFC 4354 5.8); a body that is missing changes nothing.
	if stale := sub.cseq != 0 && e.CSeq < sub.cseq; !stale {
		sub.cseq = e.CSeq
		for i := range d.Settings {
			n := &d.Settings[i]
			for _, s := range sub.user.sessions {
				if s.live() && s.Service == sub.service && s.ClientID != "" && strings.EqualFold(s.ClientID, n.ID) {
					t.settings(e, s, &Details{Settings: d.Settings[i : i+1]})
					t.item(a, s, opOther)
				}
			}
		}
	}
	if strings.HasPrefix(lower(d.SubState), "terminated") {
		t.key = append(t.key[:0], e.CallID...)
		t.subscribed.remove(t.key)
	}
	if len(a.items) == 0 {
		if s := sub.user.current(sub.service); s != nil {
			t.item(a, s, opOther)
		}
	}
	for _, it := range a.items {
		t.touch(it.s, e, false)
	}
	if len(a.items) > 0 {
		return t.newLink(Link{}).of(a.items[0].s, a.kind)
	}
	return t.newLink(Link{Kind: a.kind, IMPU: sub.user.impu, Service: sub.service.String()})
}

// other handles what is no part of authorisation: a key download, or the use of the service.
func (t *Tracker) other(e *Event, a *attempt) *Link {
	d := e.Details
	if e.Method == "MESSAGE" && len(d.IMessages) > 0 {
		if l := t.keyDownload(e, a); l != nil {
			return l
		}
	}
	if e.Method == "INVITE" {
		for _, x := range []string{e.RequestURI, e.To.URI} {
			if x = canon(x); x != "" && !slices.Contains(a.called, x) {
				a.called = append(a.called, x)
			}
		}
		for i := range d.Infos {
			for _, v := range []*Value{&d.Infos[i].CalledParty, &d.Infos[i].RequestURI} {
				if x := canon(v.Text); x != "" && !slices.Contains(a.called, x) && len(a.called) < 8 {
					a.called = append(a.called, x)
				}
			}
			a.service = d.Infos[i].Service
		}
	}
	set := d.Services | tagsOf(d.Contacts)
	for i := range d.Infos {
		set |= Of(d.Infos[i].Service)
	}
	if set == 0 {
		return nil
	}
	u, _ := t.identity(&e.Message)
	if u == nil {
		return nil
	}
	a.user, a.kind = u, "use"
	t.used(e, u, &e.Message)
	for s := range services {
		if !set.Has(s) {
			continue
		}
		cur := u.current(s)
		if cur == nil {
			continue
		}
		if e.Method == "INVITE" || e.Method == "MESSAGE" {
			t.unauthorised(e, u, s)
		}
		t.item(a, cur, opOther)
		t.touch(cur, e, false)
	}
	if len(a.items) == 0 {
		return nil
	}
	return t.newLink(Link{}).of(a.items[0].s, a.kind)
}

// unauthorised is RSP-12: the service is used although the last authorisation failed.
func (t *Tracker) unauthorised(e *Event, u *user, svc Service) {
	var failed *Session
	for _, s := range u.sessions {
		if s.Service != svc {
			continue
		}
		if s.State == Accepted {
			return
		}
		if s.State == Rejected {
			failed = s
		} else if s.live() {
			failed = nil
		}
	}
	if failed != nil {
		t.find("RSP-12", fmt.Sprintf("%s uses the service without authorisation: message %d was refused (%s)", e.Method, failed.LastRefusal(), failed.Cause), "", "sip.method", failed.FirstFrame, e.frame())
	}
}

// LastRefusal is the number of the message that refused the user last, 0 when none did.
func (s *Session) LastRefusal() uint64 {
	for i := len(s.History) - 1; i >= 0; i-- {
		if s.History[i].To == Rejected {
			return s.History[i].Number
		}
	}
	return 0
}

// fromRegistrar tells a third-party REGISTER that carries no other one: From is not To (RFC 3261 10.2), the network
// asserts an identity, which a UE cannot, or the Contact is the S-CSCF's.
func (t *Tracker) fromRegistrar(e *Event) bool {
	d := e.Details
	if e.From.URI != "" && !sameURI(e.From.URI, e.To.URI) {
		return true
	}
	if d.mc() || tagsOf(d.Contacts) != 0 {
		return false
	}
	u := t.known(e.To.URI)
	return len(d.Asserted) > 0 || u != nil && u.registrar != "" && len(d.Contacts) > 0 && canon(d.Contacts[0].URI) == u.registrar
}

// thirdPartyBare handles a third-party REGISTER without the UE's own inside: it tells of a registration only.
func (t *Tracker) thirdPartyBare(e *Event, a *attempt) *Link {
	t.stats.ThirdParty++
	a.third, a.kind, a.expires = true, "third_party_register", e.Details.Expires
	u := t.known(e.To.URI)
	if u == nil {
		return t.newLink(Link{Kind: a.kind, IMPU: canon(e.To.URI)})
	}
	a.user = u
	for _, s := range u.sessions {
		if !s.live() {
			continue
		}
		o := opOther
		if e.Details.Expires == 0 {
			o = opLogOff
		}
		t.item(a, s, o)
		t.touch(s, e, false)
	}
	if len(a.items) > 0 {
		return t.newLink(Link{}).of(a.items[0].s, a.kind)
	}
	return t.newLink(Link{Kind: a.kind, IMPU: u.impu})
}

// answer applies a new response to what its request wanted.
func (t *Tracker) answer(e *Event, x *transaction, l *Link) *Link {
	a := x.attempt
	if e.Status >= 200 {
		for _, it := range a.items {
			s := it.s
			s.Responses++
			s.ResponseSum += l.ResponseNS
			s.ResponseMax = max(s.ResponseMax, l.ResponseNS)
			if s.Responses == 1 || l.ResponseNS < s.ResponseMin {
				s.ResponseMin = l.ResponseNS
			}
		}
	}
	for _, it := range a.items {
		t.touch(it.s, e, false)
	}
	if a.user != nil {
		t.used(e, a.user, &e.Message)
	}
	if e.Status >= 200 && a.status != e.Status {
		a.status = e.Status
		t.asymmetric(e, a)
		switch {
		case a.third:
			t.answerThirdParty(e, a)
		case a.method == "REGISTER":
			t.answerRegister(e, a)
		case a.method == "PUBLISH":
			t.answerPublish(e, a)
		case a.kind == "subscription" && a.held && e.Status == 403:
			a.held = false
			t.find("RSP-16", "the subscription to poc-settings was refused: its request URI is probably not the subscriber's", "", "sip.status", a.frame, e.frame())
		case a.kind == "key_download" && e.Status/100 == 2:
			for _, it := range a.items {
				t.keysAccepted(it.s, e, a)
			}
		case a.method == "INVITE":
			t.settingsLost(e, a)
		}
	}
	if len(a.items) > 0 {
		l.of(a.items[0].s, a.kind)
	} else if a.kind != "" {
		l.Kind = a.kind
		if a.user != nil {
			l.IMPU = a.user.impu
		}
	}
	return l
}

// asymmetric is SEC-23: a protected request and its unprotected 2xx, or the reverse, when both have XML bodies.
func (t *Tracker) asymmetric(e *Event, a *attempt) {
	d := e.Details
	if e.Status/100 != 2 || !a.xml || len(d.Infos) == 0 && !d.HasPoC {
		return
	}
	if p := d.protected(); p != a.protected {
		words := "the request is protected, its " + itoa(e.Status) + " with XML is not"
		if p {
			words = "the request is not protected, its " + itoa(e.Status) + " is"
		}
		t.find("SEC-23", "asymmetric protection: "+words, "", "", a.frame, e.frame())
	}
}

// settingsLost is RSP-15: 480 with 146 for a user whose answer mode the server had accepted.
func (t *Tracker) settingsLost(e *Event, a *attempt) {
	if e.Status != 480 || !hasMC(e.Details, 146) {
		return
	}
	for _, x := range a.called {
		u := t.known(x)
		if u == nil {
			u = t.member(a.service, x)
		}
		if u == nil {
			continue
		}
		for _, s := range u.sessions {
			if s.settingsOK && s.State == Accepted && s.AnswerMode != "" {
				t.find("RSP-15", fmt.Sprintf("the server lost the service settings of %q: the answer mode was accepted earlier", x), "", "sip.warning", s.LastFrame, e.frame())
				return
			}
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
