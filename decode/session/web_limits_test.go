package session

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// webStory is random traffic of two users over HTTP and SIP, with everything missing that can be.
func webStory(seed uint64) *scene {
	r := rand.New(rand.NewPCG(seed, 2))
	s := story(seed)
	s.events = s.events[:min(len(s.events), 40)]
	ids := []string{alice, bob, ""}
	kinds := []string{"authorisation_request", "authorisation_response", "user_authentication", "token_request", "token_response", "token_error", ""}
	grants := []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", "password", ""}
	status := []int{200, 200, 200, 302, 304, 400, 401, 403, 404, 407, 500, 100}
	few := func() string { return fmt.Sprint(r.IntN(3)) }
	tok := func() Token {
		t := access(ids[r.IntN(3)], "f"+few())
		t.Issuer = []string{issuer, "", "other"}[r.IntN(3)]
		t.HasExp = r.IntN(2) == 0
		return t
	}
	part := func(e *Event) {
		switch r.IntN(6) {
		case 0, 1:
			p := IdMPart{Kind: kinds[r.IntN(len(kinds))], ClientID: few(), RedirectURI: few(), State: few(), Challenge: []string{"", s256}[r.IntN(2)], Method: []string{"", "S256", "plain"}[r.IntN(3)],
				Verifier: []string{"", s256}[r.IntN(2)], Code: []string{"", "c" + few()}[r.IntN(2)], GrantType: grants[r.IntN(len(grants))], Refresh: "r" + few(), ExpiresIn: int64(r.IntN(400) - 1)}
			if r.IntN(2) == 0 {
				p.Subject = tok()
			}
			if r.IntN(4) == 0 {
				p.Error = "invalid_grant"
			}
			for range r.IntN(3) {
				p.Issued = append(p.Issued, Issued{[]string{"access", "id", "refresh"}[r.IntN(3)], tok()})
			}
			e.HTTP.IdM = &p
		case 2:
			e.HTTP.KMS = &KMSPart{Operation: "keyprov", User: ids[r.IntN(3)], Error: []string{"", "", "5"}[r.IntN(3)], Sets: []KeySet{{User: ids[r.IntN(3)], PeriodNo: r.Int64N(5)}}, TrK: few()}
		case 3:
			e.HTTP.XCAP = &XCAPPart{AUID: []string{"org.3gpp.mcptt.user-profile", "org.openmobilealliance.groups", "resource-lists"}[r.IntN(3)], User: ids[r.IntN(3)]}
		case 4:
			e.HTTP.Record = "GET /r"
		}
		if r.IntN(2) == 0 {
			e.HTTP.Bearer = tok()
		}
	}
	for range 40 {
		q := s.ask(kmsAddr, "h"+few(), "POST", "/x", part)
		if r.IntN(6) == 0 {
			q.HTTP.Exchange = 0
		}
		if r.IntN(8) > 0 {
			s.reply(q, status[r.IntN(len(status))], part)
		}
		s.wait(int64(r.IntN(200)))
	}
	return s
}

// TestWebStories holds random traffic to what is possible, in tables that are wide and in tables that are always full,
// and lets every outcome be written.
func TestWebStories(t *testing.T) {
	for seed := range uint64(60) {
		for _, l := range []Limits{{}, {Transactions: 3, Users: 1, Sessions: 2, Publications: 1, Subscriptions: 1, Tokens: 1, Exchanges: 2, Nonces: 1, Profiles: 1, Events: 3, SessionEvents: 2, PerUser: 1, Evidence: 2}} {
			var left []*Session
			o := runEvents(t, webStory(seed).events, Config{Limits: l, Evicted: func(x *Session) { left = append(left, x) }})
			all := append(left, o.sessions...)
			slices.SortFunc(all, func(a, b *Session) int { return a.ID - b.ID })
			n := 0
			for _, c := range Chains(all, o.tr.Tokens()) {
				n += len(c.Sessions())
				if c.Verdict == "" || !json.Valid(c.AppendJSON(nil)) {
					t.Errorf("chain %d: %s", c.ID, c.AppendJSON(nil))
				}
			}
			if n != len(all) {
				t.Errorf("%d sessions in chains, %d in all", n, len(all))
			}
			for _, x := range all {
				if !json.Valid(x.AppendJSON(nil)) || len(Ladder(x.Events(), LadderOptions{})) == 0 {
					t.Errorf("session %d", x.ID)
				}
			}
		}
	}
}

// TestWebLimits drives the tables of the HTTP half over their edges.
func TestWebLimits(t *testing.T) {
	var s scene
	for i := range 60 {
		_, id, _ := userN(i)
		tok := access(id, fmt.Sprintf("t%d", i))
		s.logIn(tok)
		s.ask(kmsAddr, kmsHost, "POST", "/init", bearer(tok), kmsPart(KMSPart{Operation: "init", User: id}))
	}
	tok := access(alice, "aa")
	for i := range 40 {
		r := s.ask(kmsAddr, kmsHost, "POST", "/keyprov", bearer(tok), kmsPart(KMSPart{Operation: "keyprov", User: alice}))
		s.reply(r, 200, kmsPart(KMSPart{Sets: []KeySet{{User: alice, PeriodNo: int64(i)}}}))
	}
	l := small
	l.Tokens, l.Exchanges = 7, 6
	o := runEvents(t, s.events, Config{Limits: l})
	st, tr := o.tr.Stats(), o.tr
	for name, n := range map[string]uint64{"tokens": st.EvictedTokens, "exchanges": st.EvictedExchanges, "grants": st.EvictedGrants, "per user": st.EvictedPerUser, "facts": st.EvictedFacts, "sessions": st.EvictedSessions} {
		if n == 0 {
			t.Errorf("%s: nothing was evicted", name)
		}
	}
	for name, x := range map[string][2]int{"tokens": {tr.tokens.len(), 7}, "exchanges": {tr.exchanges.len(), 6}, "grants": {tr.grants.len(), 14}, "servers": {tr.servers.len(), 28}, "issuers": {tr.issuers.len(), 7}, "sessions": {tr.sessions.len(), l.Sessions}} {
		if x[0] > x[1] {
			t.Errorf("%s: %d entries, limit %d", name, x[0], x[1])
		}
	}
	for _, x := range o.sessions {
		if len(x.Actions) > l.Evidence || len(x.KeySets) > l.PerUser || len(x.Tokens) > l.PerUser || len(x.Members) > 8 {
			t.Errorf("session %d is over its limits", x.ID)
		}
	}
	for _, x := range tr.Tokens() {
		if len(x.Shown) > l.PerUser || x.ShownTotal < len(x.Shown) {
			t.Errorf("token %s is over its limits", x.Fingerprint)
		}
	}
	if st.HTTPUnanswered == 0 || st.HTTPRequests != 60*4+40 || st.Tokens != 120 {
		t.Errorf("%+v", st)
	}
}

// webStream is one user's chain over HTTP in eight messages: authorisation request and code, token request and tokens,
// key provisioning, a document.
func webStream(i int, e *Event, h *HTTP, d *Details) {
	u, step := i/8, i%8
	_, id, _ := userN(u % 100_000)
	*d = Details{Expires: -1}
	*e = Event{Number: uint64(i + 1), Time: 1_704_067_200*second + int64(i)*second/1000, Frames: []uint64{uint64(i + 1)}, Src: ueHTTP, Dst: idmAddr, Digest: uint64(i) + 1, Message: Message{Details: d}, HTTP: h}
	*h = HTTP{Path: "/x", Host: idmHost, Exchange: uint64(i/2 + 1), Field: "http.authorization"}
	name := itoa(u)
	tok := Token{Value: Value{Present: true}, Fingerprint: "f" + name, Scope: allScope, Issuer: issuer, IDs: [services]string{id}}
	if e.Request = step%2 == 0; e.Request {
		e.Method = "POST"
	} else {
		e.Status, e.Reason = 200, "OK"
	}
	switch step {
	case 0:
		h.IdM = &IdMPart{Kind: "authorisation_request", State: name, ClientID: "c", Challenge: s256, Method: "S256"}
	case 1:
		h.IdM = &IdMPart{Kind: "authorisation_response", State: name, Code: name}
	case 2:
		h.IdM = &IdMPart{Kind: "token_request", GrantType: "authorization_code", Code: name, ClientID: "c", Verifier: s256}
	case 3:
		h.IdM = &IdMPart{Kind: "token_response", ExpiresIn: 3600, Issued: []Issued{{"access", tok}}}
	case 4:
		h.Host, h.Bearer, h.KMS = kmsHost, tok, &KMSPart{Operation: "keyprov", User: id}
	case 5:
		h.KMS = &KMSPart{Sets: []KeySet{{User: id, PeriodNo: 1}}}
	case 6:
		h.Host, h.Bearer, h.XCAP = "cms", tok, &XCAPPart{AUID: "org.3gpp.mcptt.user-profile", User: id}
	}
}

// BenchmarkWeb is 800,000 messages of 100,000 users over HTTP; it reports the first and the last tenth apart, and what is
// held at the end.
func BenchmarkWeb(b *testing.B) {
	const n = 800_000
	b.ReportAllocs()
	for b.Loop() {
		tr := NewTracker(Config{})
		var e Event
		var h HTTP
		var d Details
		var first, last float64
		for tenth := range 10 {
			start := nano()
			for i := tenth * n / 10; i < (tenth+1)*n/10; i++ {
				webStream(i, &e, &h, &d)
				tr.Add(&e)
			}
			last = float64(nano()-start) / (n / 10)
			if tenth == 0 {
				first = last
			}
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(first, "ns/message-first")
		b.ReportMetric(last, "ns/message-last")
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB")
		if tr.Stats().Tokens != n/8 {
			b.Fatal(tr.Stats())
		}
	}
}
