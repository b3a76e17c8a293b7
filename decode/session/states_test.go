package session

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestStates drives each branch of the state machine.
func TestStates(t *testing.T) {
	authPub := func(s *scene, cs ...change) *Event {
		return s.request("PUBLISH", append([]change{auth(alice, clientID), settings(clientID)}, cs...)...)
	}
	for _, c := range []struct {
		name  string
		play  func(*scene)
		how   string
		state State
		cause string
		path  string // states of the history
	}{
		{"register", func(s *scene) { s.answer(s.request("REGISTER", auth(alice, clientID)), 200) }, ByRegister, Accepted, "200 to REGISTER", "requested accepted"},
		{"register challenged", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 401)
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
		}, ByRegister, Accepted, "200", "requested challenged requested accepted"},
		{"register challenged by a proxy, bodies in the first only", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 407)
			s.answer(s.request("REGISTER"), 200)
		}, ByRegister, Accepted, "200", "requested challenged requested accepted"},
		{"challenge not answered", func(s *scene) { s.answer(s.request("REGISTER", auth(alice, clientID)), 401) }, ByRegister, Challenged, "401 Unauthorized", "requested challenged"},
		{"retry dropped", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 401)
			r := s.request("REGISTER", auth(alice, clientID))
			s.events = s.events[:len(s.events)-1]
			s.answer(r, 200)
		}, ByRegister, Accepted, "the request is not in the capture", "requested challenged accepted"},
		{"register refused", func(s *scene) { s.answer(s.request("REGISTER", auth(alice, clientID)), 403) }, ByRegister, Rejected, "403 Forbidden", "requested rejected"},
		{"no answer", func(s *scene) { s.request("REGISTER", auth(alice, clientID)) }, ByRegister, Unknown, "the answer is not in the capture", "requested unknown"},
		{"provisional only", func(s *scene) { s.answer(s.request("REGISTER", auth(alice, clientID)), 100) }, ByRegister, Unknown, "not in the capture", "requested unknown"},
		{"late answer after a long silence", func(s *scene) {
			r := s.request("PUBLISH", auth(alice, clientID))
			s.wait(300)
			s.request("OPTIONS")
			s.answer(r, 200)
			s.answer(authPub(s), 200)
		}, ByPublish, Accepted, "200 to PUBLISH", "requested unknown requested accepted"},
		{"refused by the server behind", func(s *scene) {
			r := s.request("REGISTER", auth(alice, clientID))
			s.answer(r, 200)
			s.answer(s.thirdParty(r), 403, warning(101, "service authorisation failed"))
		}, ByRegister, Rejected, "403 Forbidden; 101 service authorisation failed", "requested accepted rejected"},
		{"refused by the server before the 200 passes", func(s *scene) {
			r := s.request("REGISTER", auth(alice, clientID))
			s.answer(s.thirdParty(r), 403, warning(101, "service authorisation failed"))
			s.answer(r, 200)
		}, ByRegister, Rejected, "101 service authorisation failed", "requested rejected"},
		{"third party alone", func(s *scene) {
			r := s.request("REGISTER", auth(alice, clientID))
			s.events = nil
			s.answer(s.thirdParty(r), 200)
		}, ByRegister, Accepted, "of the server to the third-party REGISTER", "requested accepted"},
		{"third party alone, unanswered", func(s *scene) {
			r := s.request("REGISTER", auth(alice, clientID))
			s.events = nil
			s.thirdParty(r)
		}, ByRegister, Unknown, "not in the capture", "requested unknown"},
		{"third party with the registrar's 200", func(s *scene) {
			r := s.request("REGISTER", auth(alice, clientID))
			s.events = nil
			s.thirdParty(r, func(e *Event) { e.Inner = append(e.Inner, Message{Status: 200, Method: "REGISTER"}) })
		}, ByRegister, Accepted, "carries the 200", "requested accepted"},
		{"publish", func(s *scene) { s.answer(authPub(s), 200) }, ByPublish, Accepted, "200 to PUBLISH", "requested accepted"},
		{"publish refused", func(s *scene) { s.answer(authPub(s), 403, warning(139, "integrity protection check failed")) }, ByPublish, Rejected, "139 integrity protection check failed", "requested rejected"},
		{"publish refused, table text added", func(s *scene) { s.answer(authPub(s), 486, warning(164, "zu viele")) }, ByPublish, Rejected, "164 zu viele (164: limit of simultaneous service authorisations)", "requested rejected"},
		{"publish refused then granted", func(s *scene) {
			s.answer(authPub(s), 403)
			s.answer(authPub(s), 200)
		}, ByPublish, Accepted, "200", "requested rejected requested accepted"},
		{"settings only", func(s *scene) { s.answer(s.request("PUBLISH", settingsOnly(alice, clientID)), 200) }, BySettings, Accepted, "settings", "requested accepted"},
		{"settings only, no binding", func(s *scene) {
			s.answer(s.request("PUBLISH", settingsOnly(alice, clientID)), 404, warning(141, "user unknown to the participating function"))
		}, BySettings, Rejected, "404 Not Found; 141", "requested rejected"},
		{"settings after authorisation", func(s *scene) {
			s.answer(authPub(s), 200)
			s.answer(s.request("PUBLISH", settingsOnly(alice, clientID)), 200)
		}, ByPublish, Accepted, "200", "requested accepted"},
		{"binding lost", func(s *scene) {
			s.answer(authPub(s), 200)
			s.answer(s.request("PUBLISH", settingsOnly(alice, clientID)), 404, warning(141, "user unknown to the participating function"))
		}, ByPublish, Rejected, "141", "requested accepted rejected"},
		{"migration", func(s *scene) {
			s.answer(s.request("REGISTER", auth("sip:a@partner", ""), migrate(alice, "https://p")), 200)
		}, ByMigration, Accepted, "200", "requested accepted"},
		{"migration refused", func(s *scene) {
			s.answer(s.request("REGISTER", auth("sip:a@partner", ""), migrate(alice, "https://p")), 403)
		}, ByMigration, Rejected, "403", "requested rejected"},
		{"log-off by Expires 0 in REGISTER", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
			s.answer(s.request("REGISTER", expires(0)), 200)
		}, ByRegister, LoggedOff, "de-registered", "requested accepted logged_off"},
		{"log-off by a contact's expires", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
			c := tagged(MCPTT)
			c.Expires = 0
			s.answer(s.request("REGISTER", contact(c)), 200)
		}, ByRegister, LoggedOff, "de-registered", "requested accepted logged_off"},
		{"log-off by *", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
			s.answer(s.request("REGISTER", expires(0), func(e *Event) { e.Contacts, e.Star = nil, true }), 200)
		}, ByRegister, LoggedOff, "de-registered", "requested accepted logged_off"},
		{"log-off by a re-REGISTER without tags", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
			s.answer(s.request("REGISTER", contact(tagged())), 200)
		}, ByRegister, LoggedOff, "without the tags", "requested accepted logged_off"},
		{"log-off refused", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
			s.answer(s.request("REGISTER", contact(tagged())), 500)
		}, ByRegister, Accepted, "200", "requested accepted"},
		{"one tag dropped is no log-off", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
			c := tagged(MCPTT)
			c.Tags = 0
			s.answer(s.request("REGISTER", contact(c)), 200)
		}, ByRegister, Accepted, "200", "requested accepted"},
		{"log-off by PUBLISH", func(s *scene) {
			s.answer(authPub(s), 200)
			s.answer(s.request("PUBLISH", expires(0), ifMatch(s.events[len(s.events)-1].ETag)), 200)
		}, ByPublish, LoggedOff, "Expires 0", "requested accepted logged_off"},
		{"log-off of an authorisation whose answer is missing", func(s *scene) {
			authPub(s)
			s.answer(s.request("PUBLISH", expires(0)), 200)
		}, ByPublish, LoggedOff, "Expires 0", "requested unknown logged_off"},
		{"expired", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID), expires(600)), 200, expires(60))
			s.wait(61)
			s.request("OPTIONS")
		}, ByRegister, Expired, "not refreshed", "requested accepted expired"},
		{"granted by the contact", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID), expires(60)), 200, contact(Contact{URI: "sip:ue1@192.0.2.10:5060", Expires: 7200}))
			s.wait(3600)
			s.request("OPTIONS")
		}, ByRegister, Accepted, "200", "requested accepted"},
		{"refreshed in time", func(s *scene) {
			for range 5 {
				s.answer(s.request("REGISTER", auth(alice, clientID), expires(60)), 200)
				s.wait(50)
			}
		}, ByRegister, Accepted, "200", "requested accepted"},
		{"refreshed without a token", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID), expires(60)), 200)
			s.wait(50)
			s.answer(s.request("REGISTER", expires(60)), 200)
			s.wait(50)
			s.request("OPTIONS")
		}, ByRegister, Accepted, "200", "requested accepted"},
		{"refresh refused", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
			s.answer(s.request("REGISTER"), 403)
		}, ByRegister, Rejected, "403", "requested accepted rejected"},
		{"refresh challenged", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
			s.answer(s.request("REGISTER"), 401)
			s.answer(s.request("REGISTER"), 200)
		}, ByRegister, Accepted, "200", "requested accepted"},
		{"interval too brief", func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID)), 423)
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
		}, ByRegister, Accepted, "200", "requested accepted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s scene
			c.play(&s)
			x := s.run(t).one(t)
			if x.How != c.how || x.State != c.state || !strings.Contains(x.Cause, c.cause) {
				t.Errorf("how %s, state %s, cause %q; want %s, %s, %q", x.How, x.State, x.Cause, c.how, c.state, c.cause)
			}
			var path []string
			for _, h := range x.History {
				path = append(path, h.To.String())
			}
			if got := strings.Join(path, " "); got != c.path {
				t.Errorf("history %q, want %q", got, c.path)
			}
			if !json.Valid(x.AppendJSON(nil)) {
				t.Errorf("not JSON: %s", x.AppendJSON(nil))
			}
		})
	}
}

func TestServicesAlike(t *testing.T) {
	for svc := range services {
		var s scene
		c := contact(tagged(svc))
		s.answer(s.request("REGISTER", authFor(svc, alice, clientID), c), 200)
		s.answer(s.request("REGISTER", contact(tagged())), 200)
		x := s.run(t).one(t)
		if x.Service != svc || x.State != LoggedOff {
			t.Errorf("%s: %s", svc, x.State)
		}
	}
	// One REGISTER for all three: three sessions; one of them logs off, the others stay.
	var s scene
	all := []change{authFor(MCPTT, alice, clientID), authFor(MCVideo, alice, clientID), authFor(MCData, alice, clientID), contact(tagged(MCPTT, MCVideo, MCData))}
	s.answer(s.request("REGISTER", all...), 200)
	s.answer(s.request("REGISTER", contact(tagged(MCPTT, MCData))), 200)
	o := s.run(t)
	if len(o.sessions) != 3 {
		t.Fatalf("%d sessions", len(o.sessions))
	}
	for _, x := range o.sessions {
		want := Accepted
		if x.Service == MCVideo {
			want = LoggedOff
		}
		if x.State != want {
			t.Errorf("%s is %s, want %s", x.Service, x.State, want)
		}
	}
}

func TestSeveralContactsAndClients(t *testing.T) {
	// A contact for each service; the one for MCVideo is removed.
	a, b := tagged(MCPTT), tagged(MCVideo)
	b.URI = "sip:video@192.0.2.10:5060"
	var s scene
	s.answer(s.request("REGISTER", authFor(MCPTT, alice, clientID), authFor(MCVideo, alice, "urn:uuid:v"), contact(a, b)), 200)
	b.Expires = 0
	s.answer(s.request("REGISTER", contact(a, b)), 200)
	o := s.run(t)
	if len(o.sessions) != 2 || o.sessions[0].State != Accepted || o.sessions[1].State != LoggedOff {
		t.Errorf("sessions: %v %v", o.sessions[0].State, o.sessions[1].State)
	}
	// Two clients of one user under one IMPU.
	s = scene{}
	second := tagged(MCPTT)
	second.URI, second.Instance = "sip:ue1@192.0.2.20:5060", "urn:gsma:imei:2"
	s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
	s.answer(s.request("REGISTER", auth(alice, "urn:uuid:two"), contact(second), call("other")), 200)
	s.answer(s.request("REGISTER", contact(second), expires(0), call("other")), 200)
	o = s.run(t)
	if len(o.sessions) != 2 || o.sessions[0].State != Accepted || o.sessions[1].State != LoggedOff {
		t.Errorf("two clients: %d sessions", len(o.sessions))
	}
	// The same, with client IDs that nobody can read: contact and instance tell.
	s = scene{}
	s.answer(s.request("REGISTER", auth(alice, clientID), csk(csk1, ""), sealed(csk1, false)), 200)
	s.answer(s.request("REGISTER", auth(alice, "urn:uuid:two"), csk(csk2, ""), sealed(csk2, false), contact(second), call("other"), func(e *Event) { e.Infos[0].Digest = 5 }), 200)
	if o = s.run(t); len(o.sessions) != 2 {
		t.Errorf("two sealed clients: %d sessions", len(o.sessions))
	}
}

func TestTagsDecideLogOff(t *testing.T) {
	// Registered without tags, authorised by PUBLISH: a refresh without tags is none.
	var s scene
	s.answer(s.request("REGISTER", contact(tagged())), 200)
	s.answer(s.request("PUBLISH", auth(alice, clientID)), 200)
	s.answer(s.request("REGISTER", contact(tagged())), 200)
	if x := s.run(t).one(t); x.State != Accepted {
		t.Errorf("never tagged: %s", x.State)
	}
	// Registered with tags, authorised by PUBLISH: it is.
	s = scene{}
	s.answer(s.request("REGISTER"), 200)
	s.answer(s.request("PUBLISH", auth(alice, clientID)), 200)
	s.answer(s.request("REGISTER", contact(tagged())), 200)
	if x := s.run(t).one(t); x.State != LoggedOff {
		t.Errorf("tagged: %s", x.State)
	}
	// Two contacts of one instance: the one that loses its tags logs off its own service only.
	a, b := tagged(MCPTT), tagged(MCVideo)
	b.URI = "sip:video@192.0.2.10:5060"
	for _, swap := range []bool{false, true} {
		order := func(x, y Contact) change {
			if swap {
				x, y = y, x
			}
			return contact(x, y)
		}
		s = scene{}
		s.answer(s.request("REGISTER", authFor(MCPTT, alice, clientID), authFor(MCVideo, alice, "urn:uuid:v"), order(a, b)), 200)
		off := a
		off.Tags, off.ICSIs = 0, 0
		s.answer(s.request("REGISTER", order(off, b)), 200)
		o := s.run(t)
		if len(o.sessions) != 2 || o.sessions[0].State != LoggedOff || o.sessions[1].State != Accepted {
			t.Errorf("two contacts, swapped %v: %s %s", swap, o.sessions[0].State, o.sessions[1].State)
		}
		if !o.has("REG-16") || o.has("REG-17") {
			t.Errorf("two contacts: %v", o.words)
		}
	}
}

func TestThirdPartyTied(t *testing.T) {
	for _, c := range []struct {
		name string
		mod  change
		tied string
	}{
		{"same body", func(e *Event) {}, "body"},
		{"re-encoded body", func(e *Event) {
			d := *e.Inner[0].Details
			d.Infos = slices.Clone(d.Infos)
			d.Infos[0].Digest = 1
			e.Inner[0].Details = &d
		}, "call_id"},
		{"other Call-ID, same body", func(e *Event) { e.Inner[0].CallID = "b2bua" }, "body"},
		{"other Call-ID and body, same CSK", func(e *Event) {
			e.Inner[0].CallID = "b2bua"
			d := *e.Inner[0].Details
			d.Infos = slices.Clone(d.Infos)
			d.Infos[0].Digest = 1
			e.Inner[0].Details = &d
		}, "csk"},
	} {
		var s scene
		r := s.request("REGISTER", auth(alice, clientID), csk(csk1, alice), sealed(csk1, false))
		s.answer(r, 200)
		s.answer(s.thirdParty(r, c.mod), 200)
		x := s.run(t).one(t)
		if x.TiedBy != c.tied || x.ThirdParty == 0 || x.State != Accepted {
			t.Errorf("%s: tied by %q, state %s", c.name, x.TiedBy, x.State)
		}
	}
	// De-registration told by the S-CSCF alone.
	var s scene
	r := s.request("REGISTER", auth(alice, clientID))
	s.answer(r, 200)
	s.answer(s.thirdParty(r, expires(0), func(e *Event) { e.Inner = nil }), 200)
	if x := s.run(t).one(t); x.State != LoggedOff {
		t.Errorf("told by the S-CSCF: %s", x.State)
	}
	// Server side of the capture first, UE side after it: still one session.
	s = scene{}
	r = s.request("REGISTER", auth(alice, clientID))
	s.events = nil
	s.answer(s.thirdParty(r), 200)
	s.put(r)
	s.answer(r, 200)
	if x := s.run(t).one(t); x.State != Accepted || x.Messages != 4 {
		t.Errorf("reversed: %s after %d messages", x.State, x.Messages)
	}
}

func TestPublications(t *testing.T) {
	var s scene
	s.answer(s.request("PUBLISH", auth(alice, clientID), settings(clientID), expires(100)), 200)
	etag := s.events[1].ETag
	// A refresh: entity tag, no body.
	s.wait(50)
	s.answer(s.request("PUBLISH", ifMatch(etag), expires(100)), 200)
	etag = s.events[3].ETag
	// A modification.
	s.wait(50)
	s.answer(s.request("PUBLISH", ifMatch(etag), expires(100), settingsOnly(alice, clientID), func(e *Event) { e.Settings[0].AnswerMode = "manual" }), 200)
	x := s.run(t).one(t)
	if x.State != Accepted || x.AnswerMode != "manual" {
		t.Errorf("state %s, answer mode %s", x.State, x.AnswerMode)
	}
	tags := 0
	for _, v := range x.Evidence {
		if v.Fact == "entity_tag" {
			tags++
		}
	}
	if tags != 3 {
		t.Errorf("%d entity tags, want 3", tags)
	}
}

func TestNotify(t *testing.T) {
	var s scene
	s.answer(s.request("PUBLISH", auth(alice, clientID), settings(clientID)), 200)
	u := s.request("SUBSCRIBE")
	s.answer(u, 200)
	note := func(cseq uint32, mode string) {
		e := s.request("NOTIFY", call(u.CallID), from(server, ueAddr), func(e *Event) {
			e.Event, e.CSeq, e.SubState = "poc-settings", cseq, "active"
			e.HasPoC, e.Settings = true, []Entity{{ID: "urn:uuid:other", AnswerMode: "other", Profile: 9}, {ID: clientID, AnswerMode: mode, Profile: 4}}
		})
		s.answer(e, 200)
	}
	note(7, "manual")
	note(3, "stale")
	x := s.run(t).one(t)
	if x.AnswerMode != "manual" || x.Profile != 4 {
		t.Errorf("answer mode %q, profile %d", x.AnswerMode, x.Profile)
	}
}

func TestTransactions(t *testing.T) {
	var s scene
	r := s.request("REGISTER", auth(alice, clientID))
	again := *r
	s.put(&again)
	a := s.answer(r, 200)
	twice := *a
	s.put(&twice)
	// The same request on the next hop.
	hop := *r
	hop.Branch, hop.SentBy, hop.Src, hop.Dst, hop.Digest = "z9hG4bKhop", "192.0.2.1", pcscf, scscf, 0
	s.put(&hop)
	s.answer(&hop, 200)
	o := s.run(t)
	st := o.tr.Stats()
	if st.Transactions != 2 || st.RequestRepeats != 1 || st.ResponseRepeats != 1 || st.Hops != 1 || st.Answered != 2 {
		t.Errorf("%+v", st)
	}
	x := o.one(t)
	if x.Messages != 6 || x.Retransmissions != 2 || len(x.History) != 2 {
		t.Errorf("messages %d, retransmissions %d, history %v", x.Messages, x.Retransmissions, x.History)
	}
	if l := o.links[3]; l == nil || l.Request != 1 || !l.HasTime || l.ResponseNS != 2*second/100 || l.State != "accepted" {
		t.Errorf("link of the answer: %+v", l)
	}
	if l := o.links[2]; l == nil || l.Repeat != 1 {
		t.Errorf("link of the repeated request: %+v", l)
	}
	if l := o.links[4]; l == nil || l.Repeat != 3 || l.Request != 1 {
		t.Errorf("link of the repeated answer: %+v", l)
	}

	// Branch reuse by a stack that knows one branch only: two transactions.
	s = scene{}
	one := func(e *Event) { e.Branch = "z9hG4bK-constant" }
	s.answer(s.request("REGISTER", one), 401)
	s.answer(s.request("REGISTER", one), 200)
	if st := s.run(t).tr.Stats(); st.Transactions != 2 || st.Answered != 2 || st.RequestRepeats != 0 {
		t.Errorf("constant branch: %+v", st)
	}
	// RFC 2543: no magic cookie.
	s = scene{}
	old := func(e *Event) { e.Branch = "1" }
	r = s.request("REGISTER", old)
	again = *r
	s.put(&again)
	s.answer(r, 200)
	s.answer(s.request("REGISTER", old), 200)
	if st := s.run(t).tr.Stats(); st.Transactions != 2 || st.OldStyle != 2 || st.RequestRepeats != 1 || st.Answered != 2 {
		t.Errorf("RFC 2543: %+v", st)
	}
	// CANCEL and ACK.
	s = scene{}
	i := s.request("INVITE")
	c := *i
	c.Method, c.Digest = "CANCEL", 0
	s.answer(s.put(&c), 200)
	s.answer(i, 487)
	k := *i
	k.Method, k.Digest = "ACK", 0
	s.put(&k)
	k2 := k
	s.put(&k2)
	if st := s.run(t).tr.Stats(); st.Transactions != 2 || st.Cancelled != 1 || st.Answered != 2 || st.RequestRepeats != 1 || st.Orphans != 0 {
		t.Errorf("CANCEL and ACK: %+v", st)
	}
	// Quoted messages stand outside.
	s = scene{}
	q := *s.request("REGISTER", auth(alice, clientID))
	q.Quoted = true
	s.events = nil
	s.put(&q)
	if o := s.run(t); len(o.sessions) != 0 || o.tr.Stats().Quoted != 1 || o.links[2] != nil {
		t.Errorf("quoted: %+v", o.tr.Stats())
	}
	// No answer at all.
	s = scene{}
	s.request("INVITE")
	if st := s.run(t).tr.Stats(); st.Unanswered != 1 {
		t.Errorf("unanswered: %+v", st)
	}
	// An answer without a request.
	s = scene{}
	r = s.request("PUBLISH", auth(alice, clientID))
	s.events = nil
	s.answer(r, 200)
	if st := s.run(t).tr.Stats(); st.Orphans != 1 {
		t.Errorf("orphan: %+v", st)
	}
}

func TestClock(t *testing.T) {
	tr := NewTracker(Config{})
	base := 1_704_067_200 * second
	for _, c := range []struct{ at, want int64 }{
		{base, base}, {base + 5, base + 5}, {base + 3, base + 5},
		{base + 400*maxJump, base + 5}, {base + 6, base + 6}, // one hostile time stamp
		{base + 3*maxJump, base + 6}, {base + 3*maxJump + second, base + 3*maxJump + second}, // a second one confirms
		{-1 << 63, base + 3*maxJump + second}, {1<<63 - 1, base + 3*maxJump + second},
	} {
		if tr.clock(c.at); tr.now != c.want {
			t.Errorf("clock(%d) = %d, want %d", c.at-base, tr.now-base, c.want-base)
		}
	}
	if st := tr.Stats(); st.TimeBacks != 2 || st.TimeJumps != 3 {
		t.Errorf("%+v", st)
	}
}

func TestCanon(t *testing.T) {
	for in, want := range map[string]string{
		"sip:Alice@Example.ORG;user=phone?x=y": "sip:Alice@example.org", "SIP:a@h:5060": "sip:a@h", "sip:a@h:5061": "sip:a@h:5061", "sip:H.org": "sip:h.org",
		"<sip:a@h>": "sip:a@h", "tel:+1-201-555.0123;phone-context=x": "tel:+12015550123", "": "", "  x ": "x", "urn:UUID:AB": "urn:uuid:ab",
		"sip:a;b=c@H;d": "sip:a;b=c@h", "http://X/y": "http://X/y", "sips:a@H": "sips:a@h", "<": "<", ":": ":",
	} {
		if got := canon(in); got != want {
			t.Errorf("canon(%q) = %q, want %q", in, got, want)
		}
	}
	if s := "sip:alice@example.org"; testing.AllocsPerRun(100, func() { canon(s) }) != 0 {
		t.Error("a canonical URI is copied")
	}
}

// story is a long exchange with everything in it, for the property tests.
func story(seed uint64) *scene {
	r := rand.New(rand.NewPCG(seed, 1))
	var s scene
	users := []string{impu, "sip:ue2@mcptt.example.org"}
	ids := []string{alice, bob}
	clients := []string{clientID, "urn:uuid:two"}
	status := []int{200, 200, 200, 401, 403, 404, 412, 480, 486, 500, 302, 100}
	for range 60 {
		u := r.IntN(2)
		k := []string{csk1, csk2}[r.IntN(2)]
		svc := Service(r.IntN(int(services)))
		mods := []change{as(users[u])}
		method := "REGISTER"
		switch r.IntN(8) {
		case 0, 1:
			mods = append(mods, authFor(svc, ids[r.IntN(2)], clients[r.IntN(2)]))
		case 2:
			mods = append(mods, contact(tagged(Service(r.IntN(4)))))
		case 3:
			mods = append(mods, expires(int64(r.IntN(2)*60)))
		case 4:
			method = "PUBLISH"
			mods = append(mods, authFor(svc, ids[u], clients[r.IntN(2)]), settings(clients[r.IntN(2)]))
		case 5:
			method = "PUBLISH"
			mods = append(mods, settingsOnly(ids[u], clients[r.IntN(2)]), ifMatch(fmt.Sprintf("e%d", r.IntN(40))))
		case 6:
			method = "PUBLISH"
			mods = append(mods, expires(0))
		case 7:
			method = []string{"INVITE", "MESSAGE", "SUBSCRIBE", "NOTIFY", "CANCEL", "ACK"}[r.IntN(6)]
		}
		if r.IntN(3) == 0 {
			mods = append(mods, sealed(k, r.IntN(2) == 0))
		}
		if r.IntN(3) == 0 {
			mods = append(mods, csk(k, ids[u]))
		}
		if method == "NOTIFY" {
			mods = append(mods, func(e *Event) { e.Event = "poc-settings" }, settings(clients[u]))
		}
		e := s.request(method, mods...)
		if r.IntN(4) == 0 {
			c := *e
			s.put(&c)
		}
		if method == "REGISTER" && r.IntN(3) == 0 {
			s.answer(s.thirdParty(e, expires(int64(r.IntN(3)*300))), status[r.IntN(len(status))])
		}
		if r.IntN(8) > 0 {
			var w []change
			if r.IntN(3) == 0 {
				w = append(w, warning(100+r.IntN(110), "words"))
			}
			s.answer(e, status[r.IntN(len(status))], w...)
		}
		s.wait(int64(r.IntN(100)))
	}
	return &s
}

// TestDropping removes any subset of the messages: nothing panics and no session is in a state that cannot be.
func TestDropping(t *testing.T) {
	for seed := range uint64(60) {
		s := story(seed)
		r := rand.New(rand.NewPCG(seed, 2))
		for _, keep := range []int{100, 95, 70, 40, 10} {
			var es []*Event
			for _, e := range s.events {
				if r.IntN(100) < keep {
					es = append(es, e)
				}
			}
			o := runEvents(t, es, Config{})
			for _, x := range o.sessions {
				possible(t, x, es)
			}
		}
	}
	// Every subset of a short exchange.
	var s scene
	reg := s.request("REGISTER", auth(alice, clientID))
	s.answer(reg, 401)
	reg = s.request("REGISTER", auth(alice, clientID))
	s.answer(s.thirdParty(reg), 403)
	s.answer(reg, 200)
	s.answer(s.request("PUBLISH", auth(alice, clientID)), 200)
	s.answer(s.request("REGISTER", expires(0)), 200)
	for mask := range 1 << len(s.events) {
		var es []*Event
		for i, e := range s.events {
			if mask&(1<<i) != 0 {
				es = append(es, e)
			}
		}
		for _, x := range runEvents(t, es, Config{}).sessions {
			possible(t, x, es)
		}
	}
}

// possible holds the history of a session against the messages that were there: no grant without a 2xx, no refusal
// without a final answer, no challenge without 401 or 407.
func possible(t *testing.T, x *Session, es []*Event) {
	t.Helper()
	by := map[uint64]*Event{}
	for _, e := range es {
		by[e.Number] = e
	}
	for _, h := range x.History {
		e := by[h.Number]
		ok := true
		switch h.To {
		case Requested:
			ok = e != nil && e.Request
		case Accepted:
			ok = e != nil && (!e.Request && e.Status/100 == 2 || len(e.Inner) > 1)
		case Rejected:
			ok = e != nil && !e.Request && e.Status >= 300
		case Challenged:
			ok = e != nil && (e.Status == 401 || e.Status == 407)
		case LoggedOff:
			ok = e != nil && !e.Request && e.Status/100 == 2
		case Expired:
			ok = x.Until > 0
		}
		if !ok {
			t.Errorf("session %d goes from %s to %s by message %d, which cannot do that", x.ID, h.From, h.To, h.Number)
		}
	}
}

// TestOrder shuffles: any order of messages is survived.
func TestOrder(t *testing.T) {
	for seed := range uint64(30) {
		s := story(seed)
		rand.New(rand.NewPCG(seed, 3)).Shuffle(len(s.events), func(i, j int) { s.events[i], s.events[j] = s.events[j], s.events[i] })
		runEvents(t, s.events, Config{})
	}
}

// TestSame runs a story twice: the result is the same octet for octet.
func TestSame(t *testing.T) {
	write := func() (b []byte) {
		for _, x := range runEvents(t, story(5).events, Config{}).sessions {
			b = append(x.AppendJSON(b), '\n')
		}
		return b
	}
	if a, b := write(), write(); string(a) != string(b) || len(a) == 0 {
		t.Error("two runs differ")
	}
}

func TestStateNames(t *testing.T) {
	if State(99).String() != "State(99)" || Service(9).String() != "Service(9)" || State(99).Can(Accepted) {
		t.Error("unknown values")
	}
	for s := Fresh; s <= Unknown; s++ {
		for to := Fresh; to <= Unknown; to++ {
			if s.Ended() && s.Can(to) {
				t.Errorf("%s is over and goes to %s", s, to)
			}
		}
	}
	if len(States()) != int(Unknown) {
		t.Error("States")
	}
}

func TestIs(t *testing.T) {
	var s scene
	s.answer(s.request("PUBLISH", auth(alice, clientID)), 200)
	x := s.run(t).one(t)
	for who, want := range map[string]bool{alice: true, "ALICE": true, impu: true, "sip:UE1@mcptt.example.org;x=y": true, clientID: true, "2f6b8c4e": true, "192.0.2.10": true, bob: false, "": false, " ": false} {
		if x.Is(who) != want {
			t.Errorf("Is(%q) = %v", who, !want)
		}
	}
}

// TestLongLife refreshes a publication again and again: what was learned first is still there.
func TestLongLife(t *testing.T) {
	var s scene
	s.answer(s.request("PUBLISH", auth(alice, clientID), settings(clientID), expires(600)), 200)
	for range 200 {
		tag := s.events[len(s.events)-1].ETag
		s.wait(300)
		s.answer(s.request("PUBLISH", ifMatch(tag), expires(600)), 200)
	}
	o := s.run(t)
	x := o.one(t)
	facts := map[string]string{}
	for _, v := range x.Evidence {
		facts[v.Fact] = v.Value
	}
	if x.State != Accepted || facts["mc_id"] != alice || facts["client_id"] != clientID || facts["binding"] == "" || facts["entity_tag"] != s.events[len(s.events)-1].ETag {
		t.Errorf("%s %v", x.State, facts)
	}
	if o.tr.publications.len() != 1 {
		t.Errorf("%d publications for one chain", o.tr.publications.len())
	}
}

// FuzzStory turns octets into traffic: nothing panics, no session is in a state that cannot be, and the JSON is JSON.
func FuzzStory(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 7, 3, 3, 9, 0, 11, 4, 5, 6})
	f.Add([]byte("REGISTER 401 REGISTER 200 PUBLISH 403"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s scene
		users := []string{impu, "sip:ue2@mcptt.example.org", "", "\xff"}
		var last *Event
		for i := 0; i+2 < len(b) && i < 300; i += 3 {
			kind, x, y := b[i]%10, b[i+1], b[i+2]
			svc, id, client := Service(x%3), []string{alice, bob, "", "\xff"}[x/3%4], []string{clientID, "urn:uuid:two", "", "\x00"}[x/12%4]
			who := as(users[y%4])
			var mods []change
			if y&16 != 0 {
				mods = append(mods, csk([]string{csk1, csk2, "", "9"}[x%4], id), sealed([]string{csk1, csk2, ""}[y%3], y&32 != 0))
			}
			if y&64 != 0 {
				mods = append(mods, expires(int64(x%4)*100))
			}
			switch kind {
			case 0, 1:
				last = s.request("REGISTER", append([]change{who, authFor(svc, id, client)}, mods...)...)
			case 2:
				last = s.request("REGISTER", who, contact(tagged(svc)), expires(int64(x)-1))
			case 3:
				last = s.request("PUBLISH", append([]change{who, authFor(svc, id, client), settings(client)}, mods...)...)
			case 4:
				last = s.request("PUBLISH", append([]change{who, settingsOnly(id, client)}, mods...)...)
			case 5:
				last = s.request([]string{"INVITE", "ACK", "CANCEL", "MESSAGE", "NOTIFY", "SUBSCRIBE"}[x%6], append(mods, who)...)
			case 6:
				if last != nil && last.Request {
					s.answer(last, []int{100, 200, 302, 401, 403, 404, 407, 412, 423, 480, 486, 500, 603, 0, -1, 999}[x%16], warning(int(y), client))
				}
			case 7:
				if last != nil && last.Method == "REGISTER" {
					s.answer(s.thirdParty(last, expires(int64(y%3)*60), func(e *Event) {
						if y&8 != 0 {
							e.Inner = append(e.Inner, Message{Status: int(x), Method: "REGISTER"})
						}
					}), []int{200, 403}[x%2])
				}
			case 8:
				if last != nil {
					c := *last
					c.Digest += uint64(x % 2)
					s.put(&c)
				}
			case 9:
				s.at += (int64(x) - 20) * int64(y) * second
			}
		}
		limits := Limits{}
		if len(b)%2 == 1 {
			limits = Limits{Transactions: 4, Users: 2, Sessions: 2, Publications: 2, Subscriptions: 1, Nonces: 2, Profiles: 1, Events: 6, SessionEvents: 3, PerUser: 2, Evidence: 4}
		}
		for _, x := range runEvents(t, s.events, Config{Limits: limits}).sessions {
			if !json.Valid(x.AppendJSON(nil)) || strings.ContainsAny(string(x.AppendJSON(nil)), "\n\r\x00") {
				t.Errorf("JSON: %q", x.AppendJSON(nil))
			}
			Ladder(x.Events(), LadderOptions{Width: 40 + int(uint8(len(b)))})
		}
	})
}

func TestIV(t *testing.T) {
	for in, want := range map[string]string{
		"<x:CipherValue>\n AAAABBBB CCCC\tDDDDEEEEFFFF==</x:CipherValue>": "AAAABBBBCCCCDDDD",
		"<CipherValue a='b'>AAAABBBBCCCCDDDDEEEE</CipherValue>":           "AAAABBBBCCCCDDDD",
		"<CipherValue>short</CipherValue>":                                "",
		"<CipherValue>AAAABBBBCCCCDDDDEEEE":                               "",
		"<CipherValue":                                                    "",
		"sip:QUJD;iv=AAAABBBBCCCCDDDD;key-id=Krze8A==;alg=128-aes-gcm@h":  "AAAABBBBCCCCDDDD",
		"sip:QUJD;iv=AAAA@h":                                              "", "": "", ";iv=": "",
	} {
		if iv, _ := ivOf([]byte(in)); string(iv) != want {
			t.Errorf("ivOf(%q) = %q, want %q", in, iv, want)
		}
	}
}

func TestTags(t *testing.T) {
	rd := new(reader)
	for _, c := range []struct {
		name, value string
		tags, icsis Services
	}{
		{"+g.3gpp.mcptt", "", Of(MCPTT), 0}, {"+G.3GPP.MCVideo", "", Of(MCVideo), 0}, {"g.3gpp.mcdata.sds", "", Of(MCData), 0}, {"+g.3gpp.mcdata", "", Of(MCData), 0}, {"+g.3gpp.mcpttx", "", 0, 0},
		{"+g.3gpp.icsi-ref", "urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt", 0, Of(MCPTT)},
		{"+g.3gpp.icsi-ref", "urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel,urn%3Aurn-7%3A3gpp-service.ims.icsi.mcvideo,urn:urn-7:3gpp-service.ims.icsi.mcdata.sds", 0, Of(MCVideo, MCData)},
		{"+g.3gpp.icsi-ref", "urn%3Aurn-7%3A3gpp-service.ims.icsi.mcpttx", 0, 0}, {"+sip.instance", "x", 0, 0}, {"", "", 0, 0},
		{"+g.3gpp.icsi-ref", "urn%3Aurn-7%3A3gpp-service.ims.icsx.mcptt", 0, 0}, {"+g.3gxp.icsi-ref", "urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt", 0, 0},
	} {
		for range 3 { // remembered, too, beside others of the same length
			if a, b := rd.services(c.name, c.value); a != c.tags || b != c.icsis {
				t.Errorf("%s=%s: %b %b, remembered", c.name, c.value, a, b)
			}
		}
		if a, b := featureServices(c.name, c.value); a != c.tags || b != c.icsis {
			t.Errorf("%s=%s: %b %b", c.name, c.value, a, b)
		}
	}
	c := Contact{Expires: -1}
	for _, p := range [][2]string{{"+g.3gpp.accesstype", "cellular"}, {"+g.3gpp.srvcc-alerting", ""}, {"+g.3gpp.smsip", ""}, {"reg-id", "2"}, {"pub-gruu", "sip:g"}, {"expires", "60"}, {"q", "0.5"}, {"+sip.instance", "<urn:x>"}} {
		new(reader).param(&c, p[0], p[1])
	}
	if fmt.Sprint(c.Continuity) != "[+g.3gpp.accesstype=cellular +g.3gpp.srvcc-alerting reg-id=2]" || c.Expires != 60 || c.Instance != "urn:x" || c.RegID != "2" || len(c.Features) != 3 {
		t.Errorf("%+v", c)
	}
}

func TestClaims(t *testing.T) {
	for in, want := range map[string]string{`"a"`: "a", `"a\u0062"`: "ab", `["x","y"]`: "x y", "": "", `"`: "", "12": "", `{"a":1}`: "", `[1]`: "", "null": ""} {
		if got := jsonText(in); got != want {
			t.Errorf("jsonText(%s) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]int64{"1704070800": 1704070800, "1704070800.9": 1704070800, "1.7e9": 1700000000, "-5": -5} {
		if got, ok := jsonSeconds(in); !ok || got != want {
			t.Errorf("jsonSeconds(%s) = %d", in, got)
		}
	}
	for _, in := range []string{"", "x", `"1"`, "1e300", "NaN", "-1e300"} {
		if _, ok := jsonSeconds(in); ok {
			t.Errorf("jsonSeconds(%q) is a time", in)
		}
	}
	// Far times must not overflow in JSON.
	var s scene
	s.answer(s.request("REGISTER", auth(alice, clientID), func(e *Event) { e.Infos[0].Token.Exp = 1 << 60 }), 200)
	if line := s.run(t).one(t).AppendJSON(nil); !json.Valid(line) || strings.Contains(string(line), `"expires"`) {
		t.Errorf("%s", line)
	}
	if f := copyFrames(nil, make([]uint64, 100)); len(f) != maxFrames {
		t.Errorf("%d frames", len(f))
	}
	if s := clipText(strings.Repeat("é", 10), 5); s != "éé…" {
		t.Errorf("clipped to %q", s)
	}
}
