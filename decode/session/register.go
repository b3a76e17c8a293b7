package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// register handles a UE's REGISTER: as captured, or as the S-CSCF relayed it inside a third-party REGISTER (then m is
// not e's own message).
func (t *Tracker) register(e *Event, m *Message, a *attempt) *Link {
	d := m.details()
	t.stats.Registrations++
	u := t.user(m.To.URI, m.CallID)
	a.kind, a.user, a.contacts, a.expires, a.star = "registration", u, slices.Clone(d.Contacts), d.Expires, d.Star
	a.dereg = d.Star || d.Expires == 0 && !anyExpires(d.Contacts) || len(d.Contacts) > 0 && allZero(d.Contacts)
	if a.dereg {
		t.stats.Deregistrations++
	}
	t.tagChecks(u, m, a)
	t.knownKey(e, u, m, a, "REG-07")
	t.deliver(e, u, m, a, "upload")

	for i := range d.Infos {
		in := &d.Infos[i]
		if !in.Token.Present || slices.ContainsFunc(d.Infos[:i], func(o Info) bool { return o.Service == in.Service && o.Token.Present }) {
			continue
		}
		if a.dereg {
			continue // the sessions of its contacts are logged off below
		}
		how := ByRegister
		if in.RequestURI.Present || in.Profile.Present {
			how = ByMigration
			t.migration(u, in)
		}
		a.token = true
		c := contactOf(d.Contacts, in.Service)
		s := t.authorisation(e, u, m, in, how, c, a)
		s.tagged = (c.Tags | c.ICSIs).Has(in.Service)
		t.item(a, s, opAuthorise)
		t.ask(s, e, a, "REGISTER with an access token")
	}
	// What is registered already and is not authorised anew: refreshed, or logged off.
	for _, s := range u.sessions {
		if !s.live() || a.has(s) {
			continue
		}
		c, mine := s.among(d.Contacts)
		switch {
		case d.Star:
			t.item(a, s, opLogOff)
		case !mine:
		case zero(c, d.Expires):
			t.item(a, s, opLogOff)
		case !(c.Tags | c.ICSIs).Has(s.Service):
			// Without the tags: a log-off where they were there before.
			if b := u.binding(c, d.Contacts); s.tagged || b != nil && (b.tags|b.icsis).Has(s.Service) {
				t.item(a, s, opLogOff)
			} else {
				t.item(a, s, opRefresh)
			}
		case s.State == Challenged && s.callID == m.CallID && !d.mc():
			// The answer to the challenge does not repeat the bodies.
			t.item(a, s, opAuthorise)
			t.ask(s, e, a, "REGISTER with credentials; the access token came with the first one")
		default:
			t.item(a, s, opRefresh)
		}
	}
	kind := "registration"
	if len(a.items) > 0 {
		switch it := a.items[0]; it.op {
		case opAuthorise:
			kind = "register"
			if it.s.How == ByMigration {
				kind = "migration"
			}
		case opLogOff:
			kind = "log_off"
		case opRefresh:
			kind = "refresh"
			t.stats.Refreshes++
		}
	}
	a.kind = kind
	for _, it := range a.items {
		t.touch(it.s, e, false)
	}
	if len(a.items) > 0 {
		return t.newLink(Link{}).of(a.items[0].s, kind)
	}
	if d.Services|tagsOf(d.Contacts) == 0 && !d.mc() && len(u.sessions) == 0 && len(u.bindings) == 0 {
		return t.newLink(Link{Kind: kind, IMPU: u.impu})
	}
	l := t.newLink(Link{Kind: kind, IMPU: u.impu})
	if svc := tagsOf(d.Contacts); svc != 0 {
		for s := range services {
			if svc.Has(s) {
				l.Service = s.String()
				break
			}
		}
	}
	return l
}

func tagsOf(cs []Contact) (set Services) {
	for i := range cs {
		set |= cs[i].Tags | cs[i].ICSIs
	}
	return set
}

func anyExpires(cs []Contact) bool {
	return slices.ContainsFunc(cs, func(c Contact) bool { return c.Expires > 0 })
}

func allZero(cs []Contact) bool {
	return !slices.ContainsFunc(cs, func(c Contact) bool { return c.Expires != 0 })
}

// zero tells whether a contact is removed (RFC 3261 10.2.2).
func zero(c *Contact, expires int64) bool {
	return c.Expires == 0 || c.Expires < 0 && expires == 0
}

// contactOf chooses the contact of a service.
func contactOf(cs []Contact, s Service) *Contact {
	for i := range cs {
		if cs[i].Tags.Has(s) || cs[i].ICSIs.Has(s) {
			return &cs[i]
		}
	}
	if len(cs) > 0 {
		return &cs[0]
	}
	return &Contact{Expires: -1}
}

// among finds the session's contact in a REGISTER. A session whose contact is not known belongs to the only one there.
func (s *Session) among(cs []Contact) (*Contact, bool) {
	for i := range cs {
		if c := &cs[i]; s.Contact != "" && canon(c.URI) == s.Contact {
			return c, true
		}
	}
	if s.Instance != "" {
		// After a change of address: the instance's contact for the service, else the one without tags.
		for i := range cs {
			if c := &cs[i]; c.Instance == s.Instance && (c.Tags | c.ICSIs).Has(s.Service) {
				return c, true
			}
		}
		for i := range cs {
			if c := &cs[i]; c.Instance == s.Instance && (c.Tags|c.ICSIs == 0 || len(cs) == 1) {
				return c, true
			}
		}
	}
	if len(cs) == 1 && s.Contact == "" && s.Instance == "" {
		return &cs[0], true
	}
	return nil, false
}

func (a *attempt) has(s *Session) bool {
	return slices.ContainsFunc(a.items, func(it item) bool { return it.s == s })
}

func (t *Tracker) item(a *attempt, s *Session, o op) {
	if !a.has(s) && len(a.items) < 4*t.cfg.Limits.PerUser {
		a.items = append(a.items, item{s, o})
	}
}

// ask notes that a request for authorisation is out.
func (t *Tracker) ask(s *Session, e *Event, a *attempt, cause string) {
	s.attempt, s.callID = a, a.callID
	t.move(s, Requested, e, cause)
}

// authorisation finds or opens the session that a body with a token asks for, and takes over what it says.
func (t *Tracker) authorisation(e *Event, u *user, m *Message, in *Info, how string, c *Contact, a *attempt) *Session {
	d := m.details()
	mc := in.Token.IDs[in.Service]
	key := t.keyFor(d, in)
	k := clue{service: in.Service, how: how, client: in.ClientID.Text, mcID: mc, digest: in.Digest, token: in.Token.Fingerprint, keyID: key, contact: canon(c.URI), instance: c.Instance}
	if c.URI == "" {
		k.contact = ""
	}
	s := t.resolve(u, k)
	if s != nil && mc != "" && s.MCID != "" && !sameURI(mc, s.MCID) && s.authorisedBefore() {
		// Another user on the same client: the one before was not logged off.
		if s.State == Accepted && !a.dereg {
			t.find("binding-mc-id", fmt.Sprintf("the client of %s was authorised for %q (message %d) and is now asked for by %q without a log-off between", u.impu, s.MCID, s.FirstNumber, mc), in.Body, fieldOf(in.Service, "access_token"), s.FirstFrame, e.frame())
		}
		if t.move(s, Replaced, e, "replaced by "+mc) {
			s.attempt = nil
		}
		s = nil
	}
	if s == nil {
		s = t.newSession(u, in.Service, how, e)
	}
	if s.How != how {
		s.How = how
		if how == ByMigration || how == ByRegister || how == ByPublish {
			t.fact(s, e, "how", how, "", "")
		}
	}
	t.learn(e, s, m, in)
	t.place(s, c)
	if s.IPsec == nil {
		s.IPsec = u.ipsecOf(m.CallID)
	}
	if m.Request && len(e.Inner) > 0 && &e.Message != m && !sameURI(e.To.URI, u.impu) {
		s.alias(canon(e.To.URI))
	}
	return s
}

func (s *Session) authorisedBefore() bool { return s.authorised || s.State == Accepted }

func (s *Session) alias(impu string) {
	if impu != "" && impu != s.IMPU && !slices.Contains(s.Aliases, impu) && len(s.Aliases) < 8 {
		s.Aliases = append(s.Aliases, impu)
	}
}

// place takes over where the client is.
func (t *Tracker) place(s *Session, c *Contact) {
	if c.URI != "" {
		s.Contact = canon(c.URI)
	}
	if c.Instance != "" {
		s.Instance = c.Instance
	}
	if c.PubGRUU != "" {
		s.GRUU = c.PubGRUU
	}
	for _, p := range c.Continuity {
		if !slices.Contains(s.Continuity, p) && len(s.Continuity) < 16 {
			s.Continuity = append(s.Continuity, p)
		}
	}
}

func fieldOf(s Service, element string) string { return s.String() + "_info." + element }

// keyFor is the identifier of the key that protects a body: the one its elements or its signature name, else the one
// delivered beside it.
func (t *Tracker) keyFor(d *Details, in *Info) string {
	for _, v := range []*Value{&in.Token.Value, &in.ClientID, &in.RequestURI, &in.Profile} {
		if v.Encrypted && v.KeyID != "" {
			return v.KeyID
		}
	}
	for i := range d.Signatures {
		if s := &d.Signatures[i]; s.KeyID != "" && (len(s.Bodies) == 0 || slices.Contains(s.Bodies, in.Body)) {
			return s.KeyID
		}
	}
	if len(d.IMessages) > 0 {
		return d.IMessages[0].CSBID
	}
	return ""
}

// signatureStates are the outcomes for a signature, the best first.
var signatureStates = []string{"valid", "no_key", "unresolved", "invalid"}

// learn takes over what an info body says, with its evidence.
func (t *Tracker) learn(e *Event, s *Session, m *Message, in *Info) {
	d := m.details()
	if in.Digest != 0 && !slices.Contains(s.bodies, in.Digest) {
		if len(s.bodies) >= 8 {
			s.bodies = slices.Delete(s.bodies, 0, 1)
		}
		s.bodies = append(s.bodies, in.Digest)
	}
	s.Confidentiality = s.Confidentiality || in.Encrypted > 0
	signed, worst := false, -1
	for i := range d.Signatures {
		g := &d.Signatures[i]
		signed = signed || len(g.Bodies) == 0 || slices.Contains(g.Bodies, in.Body)
		if n := slices.Index(signatureStates, g.State); n > worst {
			s.SignatureState, worst = g.State, n
		}
	}
	s.unopened = ""
	for _, v := range []struct {
		v    *Value
		name string
	}{{&in.Token.Value, "token"}, {&in.ClientID, "client ID"}, {&in.RequestURI, "request URI"}, {&in.Profile, "profile index"}} {
		if v.v.Encrypted && v.v.State == "failed" && s.unopened == "" {
			s.unopened = "the " + v.name + " could not be decrypted: " + v.v.Reason
		}
	}
	s.Integrity = s.Integrity || signed
	if in.Token.Encrypted {
		s.KeyState = in.Token.State
	} else if in.ClientID.Encrypted {
		s.KeyState = in.ClientID.State
	}
	if in.Token.Present {
		s.noClient = !in.ClientID.Present
		tok := in.Token
		if tok.Fingerprint == "" && s.Token.Fingerprint != "" {
			tok = s.Token // still sealed: what an earlier message showed holds until it is known better
		}
		if tok.Fingerprint != s.Token.Fingerprint && tok.Fingerprint != "" {
			t.fact(s, e, "token", tok.Fingerprint, fieldOf(in.Service, "access_token"), tok.KeyID)
		}
		s.Token = tok
		if s.How != ByMigration && tok.Issuer != "" && s.user != nil && !slices.Contains(s.user.issuers, tok.Issuer) && len(s.user.issuers) < 8 {
			s.user.issuers = append(s.user.issuers, tok.Issuer)
		}
		if in.Token.Fingerprint != "" {
			t.present(e, s, &tok, in.Service, in.Body, fieldOf(in.Service, "access_token"))
		}
		if id := tok.IDs[in.Service]; id != "" {
			t.bindUser(e, s, id, fieldOf(in.Service, "access_token.claims."+s.Service.String()+"_id"), in.Token.KeyID)
		}
	}
	if v := in.RequestURI; v.Present && v.Text != "" {
		if s.How == ByMigration {
			if s.Primary != v.Text {
				s.Primary = v.Text
				t.fact(s, e, "primary_id", v.Text, fieldOf(in.Service, "request_uri"), v.KeyID)
			}
		} else if s.MCID == "" && !in.Token.Present && m.Method == "PUBLISH" {
			t.bindUser(e, s, v.Text, fieldOf(in.Service, "request_uri"), v.KeyID)
		}
	}
	if v := in.ClientID; v.Present && v.Text != "" && s.ClientID == "" {
		s.ClientID = v.Text
		t.fact(s, e, "client_id", v.Text, fieldOf(in.Service, "client_id"), v.KeyID)
		t.clientBinding(e, s, in)
	}
	if v := in.Profile; v.Present && v.Text != "" {
		t.setProfile(e, s, v.Text, fieldOf(in.Service, "selected_user_profile_index"), v.KeyID)
	}
	if id := t.keyFor(d, in); id != "" && (in.Encrypted > 0 || signed || len(d.IMessages) > 0) {
		t.useKey(e, s, id)
	}
}

func (t *Tracker) setProfile(e *Event, s *Session, text, field, key string) {
	var n int64
	for _, c := range []byte(strings.TrimSpace(text)) {
		if c < '0' || c > '9' || n > 1<<31 {
			return
		}
		n = n*10 + int64(c-'0')
	}
	if s.Profile != n {
		s.Profile = n
		t.fact(s, e, "profile_index", text, field, key)
	}
}

// bindUser notes which MC service ID a session is for.
func (t *Tracker) bindUser(e *Event, s *Session, id, field, key string) {
	if s.MCID != "" && sameURI(s.MCID, id) {
		return
	}
	first := s.MCID == ""
	s.MCID = id
	t.fact(s, e, "mc_id", id, field, key)
	t.fact(s, e, "binding", id+" = "+s.IMPU, field, key)
	if first && !sameURI(id, s.IMPU) {
		t.find("TOK-06", fmt.Sprintf("MC service ID %q is bound to the public user identity %q (TS 33.180 5.1.3.1); the two differ, as is normal", id, s.IMPU), "", field)
	}
	if s.user != nil {
		t.key = append(append(t.key[:0], byte('0'+s.Service)), canon(id)...)
		t.members.put(t.key, s.user)
	}
}

// member finds the user that an MC service ID is bound to.
func (t *Tracker) member(svc Service, id string) *user {
	if id == "" {
		return nil
	}
	t.key = append(append(t.key[:0], byte('0'+svc)), canon(id)...)
	u, _ := t.members.get(t.key)
	return u
}

// clientBinding looks for another public user identity that holds the same client of the same user: the server keeps
// one binding of MC service ID, client ID and IMPU.
func (t *Tracker) clientBinding(e *Event, s *Session, in *Info) {
	t.key = append(append(append(t.key[:0], 'c', byte('0'+s.Service)), lower(s.ClientID)...), 0)
	other, ok := t.members.get(t.key)
	if ok && other != s.user && s.user != nil {
		for _, o := range other.sessions {
			if o.Service != s.Service || !strings.EqualFold(o.ClientID, s.ClientID) || !o.live() || o.State != Accepted {
				continue
			}
			if t.expire(o); o.State != Accepted {
				continue
			}
			if slices.Contains(o.user.associated, s.IMPU) || slices.Contains(s.user.associated, o.IMPU) {
				continue
			}
			t.find("binding-impu", fmt.Sprintf("client ID %q is bound to %q (message %d) and is now used by %q", s.ClientID, o.IMPU, o.FirstNumber, s.IMPU), in.Body, fieldOf(in.Service, "client_id"), o.FirstFrame, e.frame())
			if s.MCID != "" && o.MCID != "" && sameURI(s.MCID, o.MCID) {
				t.move(o, Replaced, e, "replaced by "+s.IMPU)
			}
			break
		}
	}
	if s.user != nil {
		t.key = append(append(append(t.key[:0], 'c', byte('0'+s.Service)), lower(s.ClientID)...), 0)
		t.members.put(t.key, s.user)
	}
}

// tagChecks compares the tags of a REGISTER with those registered before.
func (t *Tracker) tagChecks(u *user, m *Message, a *attempt) {
	d := m.details()
	for i := range d.Contacts {
		c := &d.Contacts[i]
		if zero(c, d.Expires) {
			continue
		}
		b := u.binding(c, d.Contacts)
		if b == nil {
			continue
		}
		for s := range services {
			tag, icsi := b.tags.Has(s) && !c.Tags.Has(s), b.icsis.Has(s) && !c.ICSIs.Has(s)
			if !b.tags.Has(s) || !b.icsis.Has(s) {
				continue
			}
			switch {
			case tag && icsi && !tagsOf(d.Contacts).Has(s):
				t.find("REG-16", strings.ToUpper(s.String()[:2])+s.String()[2:]+" log-off by re-registration: the feature tag and the ICSI are gone from Contact", "", "sip.contact.params")
			case tag != icsi:
				what := "the feature tag g.3gpp." + s.String()
				if icsi {
					what = "the ICSI of " + s.String()
				}
				t.find("REG-17", "inconsistent "+s.String()+" log-off: only "+what+" is gone from Contact", "", "sip.contact.params")
			}
		}
	}
	if a.dereg {
		for i := range d.Infos {
			if d.Infos[i].Token.Present {
				t.find("REG-21", "an access token in a de-registration", d.Infos[i].Body, fieldOf(d.Infos[i].Service, "access_token"))
			}
		}
	}
}

// binding finds a registered contact among those of a request. After a change of address the instance tells, when it
// has one contact only and that one is not in the request itself.
func (u *user) binding(c *Contact, all []Contact) *binding {
	uri := canon(c.URI)
	for i := range u.bindings {
		if b := &u.bindings[i]; b.uri == uri {
			return b
		}
	}
	for i := range u.bindings {
		b := &u.bindings[i]
		if b.instance == "" || b.instance != c.Instance ||
			slices.ContainsFunc(u.bindings, func(o binding) bool { return o.instance == b.instance && o.uri != b.uri }) ||
			slices.ContainsFunc(all, func(o Contact) bool { return canon(o.URI) == b.uri }) {
			continue
		}
		return b
	}
	return nil
}

// bind takes over the contacts of a REGISTER that was accepted.
func (t *Tracker) bind(a *attempt) {
	u := a.user
	if u == nil {
		return
	}
	if a.star {
		u.bindings = nil
		return
	}
	for i := range a.contacts {
		c := &a.contacts[i]
		b := u.binding(c, a.contacts)
		if zero(c, a.expires) {
			if b != nil {
				u.bindings = slices.DeleteFunc(u.bindings, func(o binding) bool { return o == *b })
			}
			continue
		}
		n := binding{uri: canon(c.URI), instance: c.Instance, tags: c.Tags, icsis: c.ICSIs}
		if b != nil {
			*b = n
			continue
		}
		if len(u.bindings) >= t.cfg.Limits.PerUser {
			u.bindings = slices.Delete(u.bindings, 0, 1)
			t.stats.EvictedPerUser++
		}
		u.bindings = append(u.bindings, n)
	}
}

// migration checks the issuer of the token of a migration REGISTER (TS 24.379 7A.2.1).
func (t *Tracker) migration(u *user, in *Info) {
	if in.Token.Issuer == "" {
		return
	}
	primary := slices.Contains(u.issuers, in.Token.Issuer)
	if o := t.member(in.Service, in.RequestURI.Text); !primary && o != nil {
		primary = slices.Contains(o.issuers, in.Token.Issuer)
	}
	if primary {
		t.find("MIG-05", fmt.Sprintf("token should come from the partner IdM: its issuer %q is the one of the primary system", in.Token.Issuer), in.Body, fieldOf(in.Service, "access_token.claims.iss"))
	}
}

// thirdParty handles the S-CSCF's REGISTER to the MC server and ties it to the UE's own (TS 24.229 5.4.1.7).
func (t *Tracker) thirdParty(e *Event, in *Message, a *attempt) *Link {
	t.stats.ThirdParty++
	a.third, a.kind = true, "third_party_register"
	d := in.details()
	inner := t.known(in.To.URI)
	if e.To.URI != "" && in.To.URI != "" && !sameURI(e.To.URI, in.To.URI) {
		same := inner != nil && slices.Contains(inner.associated, canon(e.To.URI))
		for i := range e.Inner {
			for _, x := range e.Inner[i].details().Associated {
				same = same || sameURI(x, e.To.URI)
			}
		}
		if !same {
			t.find("TPR-03", fmt.Sprintf("public identity mismatch between outer REGISTER (%q) and inner REGISTER (%q)", e.To.URI, in.To.URI), "", "sip.to.uri")
		}
	}
	// The inner message's own REGISTER on the UE's side, when it was captured.
	t.key = attemptKey(t.key, in)
	ue, seen := t.attempts.get(t.key)
	if seen {
		t.sayAgain(ue)
		a.owns, a.missing = ue.owns, ue.missing
	}
	how := ""
	switch {
	case seen && ue.user != nil && len(ue.items) > 0:
		how = "call_id"
		if n := ue.items[0].s; len(d.Infos) > 0 && slices.Contains(n.bodies, d.Infos[0].Digest) {
			how = "body"
		}
		a.user, a.keys = ue.user, ue.keys
		for _, it := range ue.items {
			t.item(a, it.s, opThirdParty)
		}
	case seen && ue.user != nil:
		a.user = ue.user
	default:
		// Only this capture point, or the S-CSCF changed what names the message: what the bodies say decides.
		tie := t.tieOf(inner, d)
		virtual := &attempt{number: e.Number, frame: e.frame(), time: t.now, callID: in.CallID, method: "REGISTER", mc: d.mc(), protected: d.protected()}
		t.register(e, in, virtual)
		a.user, a.keys, a.owns, a.missing = virtual.user, virtual.keys, virtual.owns, virtual.missing
		for _, it := range virtual.items {
			o := it.op
			if o == opAuthorise {
				o = opThirdParty
				it.s.attempt = a
			}
			t.item(a, it.s, o)
			if it.s.FirstNumber != e.Number {
				how = tie
			}
		}
		t.key = attemptKey(t.key, in)
		if in.CallID != "" {
			t.attempts.put(t.key, virtual)
		}
		a.contacts, a.expires, a.star, a.dereg = virtual.contacts, virtual.expires, virtual.star, virtual.dereg
	}
	if how != "" {
		t.stats.ThirdPartyTied++
	}
	if e.details().Expires == 0 {
		// The S-CSCF tells the server of a de-registration (TS 24.229 5.4.1.7); it may carry no inner REGISTER's contact.
		for i := range a.items {
			a.items[i].op = opLogOff
		}
	}
	if cs := e.details().Contacts; a.user != nil && len(cs) > 0 {
		a.user.registrar = canon(cs[0].URI)
	}
	for _, it := range a.items {
		s := it.s
		s.ThirdParty = e.Number
		if how != "" {
			s.TiedBy = how
		}
		if !sameURI(e.To.URI, s.IMPU) {
			s.alias(canon(e.To.URI))
		}
		t.fact(s, e, "third_party_register", e.From.URI, "", "")
		t.touch(s, e, false)
	}
	// The registrar's answer, when the S-CSCF relays it too.
	for i := range e.Inner {
		r := &e.Inner[i]
		if r.Request {
			continue
		}
		if r.Status != 200 {
			t.find("TPR-06", fmt.Sprintf("embedded response is not 200 but %d", r.Status), "", "sip.status")
		}
		if r.Status/100 == 2 {
			t.grant(a, r.details())
			for _, it := range a.items {
				if it.op == opThirdParty || it.op == opAuthorise {
					t.accept(it.s, e, "registered: the third-party REGISTER carries the 200")
				}
			}
			if a.user != nil {
				a.user.associate(r.details().Associated)
			}
		}
	}
	if len(a.items) > 0 {
		return t.newLink(Link{}).of(a.items[0].s, a.kind)
	}
	l := t.newLink(Link{Kind: a.kind})
	if a.user != nil {
		l.IMPU = a.user.impu
	}
	return l
}

// tieOf says what a third-party REGISTER has in common with what is known of the user.
func (t *Tracker) tieOf(u *user, d *Details) string {
	if u == nil || len(d.Infos) == 0 {
		return "identity"
	}
	in := &d.Infos[0]
	key, how := t.keyFor(d, in), "identity"
	for _, s := range u.sessions {
		switch {
		case in.Digest != 0 && slices.Contains(s.bodies, in.Digest):
			return "body"
		case key != "" && s.Key != nil && s.Key.ID == key:
			how = "csk"
		case how == "identity" && in.Token.Fingerprint != "" && in.Token.Fingerprint == s.Token.Fingerprint:
			how = "token"
		}
	}
	return how
}

func (u *user) associate(uris []string) {
	for _, x := range uris {
		if c := canon(x); !slices.Contains(u.associated, c) && len(u.associated) < 16 {
			u.associated = append(u.associated, c)
		}
	}
}

// accept notes that a session was granted.
func (t *Tracker) accept(s *Session, e *Event, cause string) {
	if s.State == Accepted {
		return
	}
	if t.move(s, Accepted, e, cause) {
		s.attempt, s.Hints = nil, nil
	}
}

// grant sets how long an accepted REGISTER holds: the contact's own expires, the header field, what was asked for.
func (t *Tracker) grant(a *attempt, d *Details) {
	for _, it := range a.items {
		if it.op == opLogOff || it.s.How != ByRegister && it.s.How != ByMigration && it.op != opRefresh {
			continue
		}
		secs := int64(-1)
		if c, ok := it.s.among(d.Contacts); ok {
			secs = c.Expires
			t.place(it.s, c)
		}
		if secs < 0 {
			secs = d.Expires
		}
		if secs < 0 {
			if c, ok := it.s.among(a.contacts); ok {
				secs = c.Expires
			}
		}
		if secs < 0 {
			secs = a.expires
		}
		if secs > 0 && secs < 1<<31 {
			if it.s.How == ByRegister || it.s.How == ByMigration {
				it.s.Until = t.now + secs*second
			}
		}
	}
}

// answerRegister applies the final answer to a UE's REGISTER.
func (t *Tracker) answerRegister(e *Event, a *attempt) {
	d := e.details()
	switch st := e.Status; {
	case st == 401 || st == 407 || st == 494:
		if a.mc && st != 494 {
			t.find("REG-20", "MC bodies were sent before IMS authentication: the REGISTER is answered by "+itoa(st), "", "sip.status")
		}
		for _, it := range a.items {
			if it.op == opAuthorise {
				t.move(it.s, Challenged, e, itoa(st)+" "+e.Reason)
			}
		}
	case st == 423:
		// Interval too brief: the client asks again (RFC 3261 10.2.8).
	case st/100 == 2:
		t.grant(a, d)
		if a.user != nil {
			a.user.associate(d.Associated)
		}
		t.bind(a)
		for _, it := range a.items {
			switch it.op {
			case opAuthorise:
				cause := itoa(st) + " to REGISTER"
				if it.s.ThirdParty == 0 {
					cause += "; the server's own answer is not visible here"
				}
				t.authorised(it.s, e, a, cause)
			case opLogOff:
				t.logOff(it.s, e, a)
			case opRefresh:
				if it.s.State == Unknown || it.s.State == Requested {
					break
				}
				t.fact(it.s, e, "refresh", "registration", "", "")
			}
		}
	default:
		for _, it := range a.items {
			switch {
			case it.op == opAuthorise,
				it.op == opRefresh && it.s.State == Accepted && st >= 403 && st < 500 && st != 408:
				t.reject(it.s, e)
			}
		}
	}
}

// answerThirdParty applies the server's answer to a third-party REGISTER.
func (t *Tracker) answerThirdParty(e *Event, a *attempt) {
	st := e.Status
	if st >= 400 && st < 600 {
		t.find("TPR-07", fmt.Sprintf("the server answers the third-party REGISTER with %d: service authorisation rejection may trigger default handling", st), "", "sip.status")
		if st == 403 && len(e.details().Warnings) == 0 && a.mc {
			t.find("RSP-05", "403 to a service authorisation without a Warning: the reason is missing", "", "sip.warning")
		}
	}
	if st/100 == 2 {
		t.bind(a)
		if a.user != nil {
			t.grant(a, &noDetails)
		}
	}
	for _, it := range a.items {
		s := it.s
		s.ThirdPartyStatus = st
		switch {
		case st/100 == 2 && it.op == opLogOff:
			t.logOff(s, e, a)
		case st/100 == 2 && it.op == opThirdParty:
			t.authorised(s, e, a, itoa(st)+" of the server to the third-party REGISTER")
		case st >= 300 && (it.op == opThirdParty || it.op == opAuthorise):
			t.reject(s, e)
		}
	}
}

// authorised applies an acceptance: state, keys that are now in use, bindings.
func (t *Tracker) authorised(s *Session, e *Event, a *attempt, cause string) {
	if s.State == Rejected {
		return // the server refused what the registrar accepted
	}
	t.accept(s, e, cause)
	if a.third {
		s.Cause = cause // the server's own word
	}
	s.Status, s.authorised, s.answered = e.Status, true, true
	if s.user != nil {
		s.user.authorised = true
	}
	t.keysAccepted(s, e, a)
}

// reject notes a refusal with its reason in words.
func (t *Tracker) reject(s *Session, e *Event) {
	d := e.details()
	s.Status, s.Warnings, s.answered = e.Status, slices.Clone(d.Warnings), true
	if t.move(s, Rejected, e, causeWords(e, s.Service)) {
		s.attempt = nil
		s.Hints = s.hints(t.now)
	}
}

// scopeOf are the scopes that a token for a service has (TS 33.180 B.4.2.2), the one of release 13 last.
var scopeOf = [services][]string{
	{"3gpp:mc:ptt_service", "3gpp:mcptt:ptt_server"},
	{"3gpp:mc:video_service"},
	{"3gpp:mc:data_service"},
}

// hints are what of the request may explain its refusal.
func (s *Session) hints(now int64) (out []string) {
	tok := &s.Token
	if tok.HasExp && tok.Exp < now/second {
		out = append(out, "the token had expired "+strconv.FormatInt(now/second-tok.Exp, 10)+" s before")
	}
	if tok.Scope != "" && !slices.ContainsFunc(s.Scopes(), func(x string) bool { return slices.Contains(scopeOf[s.Service], x) }) {
		out = append(out, "the token's scope lacks "+scopeOf[s.Service][0])
	}
	if tok.Fingerprint != "" && tok.Issuer+tok.Scope+tok.ClientID != "" && tok.IDs[s.Service] == "" {
		out = append(out, "the token names no "+s.Service.String()+"_id")
	}
	if s.unopened != "" {
		out = append(out, s.unopened)
	}
	switch s.SignatureState {
	case "invalid", "unresolved":
		out = append(out, "the XML signature is "+s.SignatureState)
	}
	if s.Key != nil && s.Key.Signature == "invalid" {
		out = append(out, "the signature of the I_MESSAGE with CSK "+s.Key.ID+" is invalid")
	}
	if s.noClient && s.How != ByMigration {
		out = append(out, "the request has no client ID")
	}
	return out
}

// logOff ends an authorisation.
func (t *Tracker) logOff(s *Session, e *Event, a *attempt) {
	if s.State == Requested || s.State == Challenged {
		t.move(s, Unknown, e, "the answer is not in the capture")
	}
	s.Status = e.Status
	cause := "logged off by Expires 0"
	if a.method == "REGISTER" && !a.dereg && a.expires != 0 {
		cause = "logged off by a re-REGISTER without the tags of the service"
	} else if a.method == "REGISTER" {
		cause = "de-registered"
	}
	if t.move(s, LoggedOff, e, cause) {
		s.attempt = nil
	}
}

// orphan tries to place a final answer to a REGISTER whose request is not in the capture: the Call-ID of a challenged
// registration tells (RFC 3261 10.2: a UA uses one Call-ID for its registrations).
func (t *Tracker) orphan(e *Event) *Link {
	if e.Method != "REGISTER" || e.Status < 200 {
		return nil
	}
	u := t.known(e.To.URI)
	if u == nil {
		return nil
	}
	for _, s := range u.sessions {
		if s.callID != e.CallID || !s.live() || s.State != Challenged && s.State != Requested {
			continue
		}
		t.touch(s, e, false)
		switch {
		case e.Status == 401 || e.Status == 407:
			t.move(s, Challenged, e, itoa(e.Status)+" "+e.Reason)
		case e.Status/100 == 2:
			t.accept(s, e, itoa(e.Status)+" to REGISTER; the request is not in the capture")
			s.authorised, s.Status = true, e.Status
		default:
			t.reject(s, e)
		}
		return t.newLink(Link{}).of(s, "register")
	}
	return nil
}

// severityFor softens the checks that a capture's beginning may explain.
func severityFor(started bool) record.Severity {
	if started {
		return record.Error
	}
	return record.Warning
}
