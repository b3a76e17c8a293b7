package session

import (
	"fmt"
	"runtime"
	"testing"
)

// small are limits that every test of this file drives over their edge.
var small = Limits{Transactions: 8, Users: 4, Sessions: 5, Publications: 3, Subscriptions: 2, Nonces: 4, Profiles: 2, Events: 20, SessionEvents: 6, PerUser: 3, Evidence: 4}

func userN(i int) (string, string, string) {
	return fmt.Sprintf("sip:ue%d@mcptt.example.org", i), fmt.Sprintf("sip:user%d@example.org", i), fmt.Sprintf("urn:uuid:%d", i)
}

func TestEveryLimit(t *testing.T) {
	var s scene
	for i := range 40 {
		u, id, client := userN(i)
		s.answer(s.request("REGISTER", as(u), auth(id, client), call(u), csk(fmt.Sprintf("2%07x", i), id), func(e *Event) {
			e.Ciphers = []Cipher{{KeyID: csk1, IV: uint64(i), Text: 1}}
			e.Profiles = []Profile{{MCPTT, id, 1}}
			e.Infos[0].Digest = uint64(i)
		}), 200)
		s.answer(s.request("PUBLISH", as(u), auth(id, client), settings(client), call("p"+u), func(e *Event) { e.Infos[0].Digest = uint64(i) }), 200)
		s.request("SUBSCRIBE", as(u), call("s"+u))
	}
	// One user with too much of everything.
	for i := range 20 {
		c := tagged(MCPTT)
		c.URI, c.Instance = fmt.Sprintf("sip:ue1@192.0.2.%d", i), fmt.Sprint(i)
		s.answer(s.request("REGISTER", auth(alice, fmt.Sprintf("urn:uuid:c%d", i)), contact(c), csk(fmt.Sprintf("2%07x", 99+i), alice), func(e *Event) { e.Infos[0].Digest = uint64(1000 + i) }), 200)
	}
	for i := range 20 {
		s.answer(s.request("PUBLISH", auth(alice, "urn:uuid:c19"), settings("urn:uuid:c19"), func(e *Event) { e.Settings[0].Profile = int64(i) }), []int{200, 403}[i%2])
	}
	left := 0
	o := runEvents(t, s.events, Config{Limits: small, Evicted: func(x *Session) {
		left++
		if x.State == Requested || x.State == Fresh {
			t.Errorf("a session leaves as %s", x.State)
		}
		if len(x.AppendJSON(nil)) == 0 {
			t.Error("no JSON")
		}
	}})
	st := o.tr.Stats()
	for name, n := range map[string]uint64{"transactions": st.EvictedTransactions, "users": st.EvictedUsers, "sessions": st.EvictedSessions, "publications": st.EvictedPublications,
		"subscriptions": st.EvictedSubscriptions, "nonces": st.EvictedNonces, "profiles": st.EvictedProfiles, "events": st.EvictedEvents, "per user": st.EvictedPerUser, "facts": st.EvictedFacts} {
		if n == 0 {
			t.Errorf("%s: nothing was evicted", name)
		}
	}
	tr := o.tr
	for name, x := range map[string][2]int{"transactions": {tr.transactions.len(), small.Transactions}, "attempts": {tr.attempts.len(), small.Transactions}, "users": {tr.users.len(), small.Users},
		"members": {tr.members.len(), small.Users}, "sessions": {tr.sessions.len(), small.Sessions}, "publications": {tr.publications.len(), small.Publications},
		"subscriptions": {tr.subscribed.len(), small.Subscriptions}, "nonces": {tr.ivs.len(), small.Nonces}, "profiles": {tr.documents.len(), small.Profiles}, "queue": {tr.queue.n, small.Events}} {
		if x[0] > x[1] {
			t.Errorf("%s: %d entries, limit %d", name, x[0], x[1])
		}
	}
	kept := 0
	for _, x := range o.sessions {
		kept += len(x.Events())
		if len(x.Events()) > small.SessionEvents || len(x.Evidence) > small.Evidence || len(x.History) > small.Evidence || len(x.Keys) > 8 {
			t.Errorf("session %d is over its limits", x.ID)
		}
	}
	for e := tr.users.head; e != nil; e = e.next {
		if u := e.v; len(u.sessions) > small.PerUser || len(u.bindings) > small.PerUser || len(u.keys) > small.PerUser {
			t.Errorf("user %s is over the limits", u.impu)
		}
	}
	if kept > small.Events {
		t.Errorf("%d events kept, limit %d", kept, small.Events)
	}
	if uint64(left) != st.EvictedSessions || int(st.Sessions) != left+len(o.sessions) {
		t.Errorf("%d sessions, %d handed out, %d kept", st.Sessions, left, len(o.sessions))
	}
}

// TestStoriesInSmallTables runs the property test with tables that are always full.
func TestStoriesInSmallTables(t *testing.T) {
	for seed := range uint64(40) {
		runEvents(t, story(seed).events, Config{Limits: Limits{Transactions: 3, Users: 1, Sessions: 2, Publications: 1, Subscriptions: 1, Nonces: 1, Profiles: 1, Events: 3, SessionEvents: 2, PerUser: 1, Evidence: 2}})
	}
}

func TestEvidenceKeepsBothEnds(t *testing.T) {
	var s scene
	for i := range 30 {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), []int{403, 200}[i/29])
	}
	x := runEvents(t, s.events, Config{Limits: Limits{Evidence: 8, SessionEvents: 8}}).one(t)
	if x.History[0].From != Fresh || x.History[len(x.History)-1].To != Accepted || x.Lost == 0 || len(x.History) != 8 {
		t.Errorf("history of %d: %+v", len(x.History), x.History)
	}
	ev := x.Events()
	if len(ev) != 8 || ev[0].Number != 1 || ev[7].Number != 60 {
		t.Errorf("events %d to %d", ev[0].Number, ev[len(ev)-1].Number)
	}
}

func TestLimitsFor(t *testing.T) {
	d, h := LimitsFor(0), LimitsFor(defaultMemory/2)
	if d != (Limits{}).withDefaults() || h.Sessions != d.Sessions/2 || LimitsFor(1).Users != 64 || LimitsFor(1<<60).Users <= d.Users {
		t.Errorf("%+v", h)
	}
}

func TestTable(t *testing.T) {
	var gone []int
	tb := newTable(3, func(v int) { gone = append(gone, v) })
	for i := range 3 {
		tb.put([]byte{byte(i)}, i)
	}
	tb.get([]byte{0})
	tb.put([]byte{1}, 11)
	tb.put([]byte{3}, 3) // 2 is the longest idle
	if fmt.Sprint(gone) != "[2]" || tb.len() != 3 {
		t.Errorf("gone %v", gone)
	}
	tb.remove([]byte{0})
	tb.remove([]byte{9})
	if v, ok := tb.oldest(); !ok || v != 11 {
		t.Errorf("oldest %d", v)
	}
	tb.drop()
	tb.drop()
	tb.drop()
	if _, ok := tb.oldest(); ok || tb.len() != 0 || tb.head != nil || tb.tail != nil {
		t.Error("not empty")
	}
	tb.evict()
}

// stream writes the traffic of many users: REGISTER, 200, PUBLISH, 200 and six messages of use, ten a user.
func stream(i int, e *Event, d *Details) {
	u, step := i/10, i%10
	name, id, client := userN(u % 100_000)
	*d = Details{Expires: -1}
	*e = Event{Number: uint64(i + 1), Time: 1_704_067_200*second + int64(i)*second/1000, Frames: []uint64{uint64(i + 1)}, Src: ueAddr, Dst: pcscf, Digest: uint64(i) + 1, Transport: "udp"}
	e.Message = Message{CallID: name + itoa(step/2), CSeq: 1, From: Party{name, "f"}, To: Party{URI: name}, Branch: "z9hG4bK" + itoa(i/2), SentBy: "192.0.2.10", Details: d}
	switch step / 2 {
	case 0:
		e.Method = "REGISTER"
	case 1:
		e.Method = "PUBLISH"
	default:
		e.Method = "INVITE"
	}
	if e.Request = step%2 == 0; !e.Request {
		e.Status, e.Reason = 200, "OK"
		if e.Method == "PUBLISH" {
			d.ETag, d.Expires = "e"+itoa(i), 3600
		}
		return
	}
	d.Services = Of(MCPTT)
	d.Contacts = []Contact{tagged(MCPTT)}
	d.Contacts[0].Instance, d.Contacts[0].URI = client, name
	d.Expires = 3600
	if step < 4 {
		in := Info{Service: MCPTT, Body: "1.1", Token: tokenOf(id), ClientID: clear(client), Digest: uint64(u) + 1}
		d.Infos = []Info{in}
		if e.Method == "PUBLISH" {
			d.Event, d.HasPoC = "poc-settings", true
			d.Settings = []Entity{{ID: client, AnswerMode: "automatic", Profile: 1}}
		}
	}
}

// BenchmarkMillion is 1,000,000 messages of 100,000 users; it reports the first and the last tenth apart: the cost of a
// message must not grow.
func BenchmarkMillion(b *testing.B) {
	const n = 1_000_000
	b.ReportAllocs()
	for b.Loop() {
		tr := NewTracker(Config{})
		var before, after runtime.MemStats
		var e Event
		var first, last float64
		var firstB, lastB float64
		for tenth := range 10 {
			runtime.ReadMemStats(&before)
			start := nano()
			for i := tenth * n / 10; i < (tenth+1)*n/10; i++ {
				var d Details
				stream(i, &e, &d)
				tr.Add(&e)
			}
			took := float64(nano()-start) / (n / 10)
			runtime.ReadMemStats(&after)
			octets := float64(after.TotalAlloc-before.TotalAlloc) / (n / 10)
			if tenth == 0 {
				first, firstB = took, octets
			}
			last, lastB = took, octets
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(first, "first-ns/msg")
		b.ReportMetric(last, "last-ns/msg")
		b.ReportMetric(firstB, "first-B/msg")
		b.ReportMetric(lastB, "last-B/msg")
		b.ReportMetric(float64(after.HeapAlloc)/(1<<20), "heap-MiB")
		runtime.KeepAlive(tr)
	}
}

// BenchmarkAdd is one message of the stream, tables full.
func BenchmarkAdd(b *testing.B) {
	tr := NewTracker(Config{})
	var e Event
	i := 0
	for ; i < 300_000; i++ {
		var d Details
		stream(i, &e, &d)
		tr.Add(&e)
	}
	b.ReportAllocs()
	b.SetBytes(1)
	for b.Loop() {
		var d Details
		stream(i, &e, &d)
		tr.Add(&e)
		i++
	}
}

// TestFlat is the benchmark's claim in small: ten times the messages take no more memory.
func TestFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	l := Limits{Transactions: 500, Users: 500, Sessions: 500, Publications: 500, Nonces: 500, Events: 1000}
	heap := func(n int) uint64 {
		tr := NewTracker(Config{Limits: l})
		var e Event
		for i := range n {
			var d Details
			stream(i, &e, &d)
			tr.Add(&e)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if tr.users.len() > l.Users || tr.sessions.len() > l.Sessions {
			t.Error("over the limit")
		}
		runtime.KeepAlive(tr)
		return m.HeapAlloc
	}
	a, b := heap(20_000), heap(200_000)
	if b > a+a/2+1<<20 {
		t.Errorf("heap grows from %d to %d", a, b)
	}
}
