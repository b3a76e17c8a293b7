package session

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

const (
	impu     = "sip:ue1@mcptt.example.org"
	alice    = "sip:alice@example.org"
	bob      = "sip:bob@example.org"
	clientID = "urn:uuid:2f6b8c4e-1a2b-4c3d-9e8f-0a1b2c3d4e5f"
	instance = "urn:gsma:imei:35824005-694448-0"
	csk1     = "2abcdef0"
	csk2     = "2bcdef01"
)

var (
	ueAddr = netip.MustParseAddrPort("192.0.2.10:5060")
	pcscf  = netip.MustParseAddrPort("192.0.2.1:5060")
	scscf  = netip.MustParseAddrPort("192.0.2.2:5060")
	server = netip.MustParseAddrPort("192.0.2.3:5060")
)

// A scene writes traffic by hand: each call makes the next message.
type scene struct {
	n      uint64
	at     int64
	cseq   uint32
	events []*Event
}

type change func(*Event)

func (s *scene) put(e *Event) *Event {
	s.n++
	if s.at == 0 {
		s.at = 1_704_067_200 * second
	}
	s.at += second / 100
	e.Number, e.Time, e.Frames = s.n, s.at, []uint64{s.n}
	if e.Digest == 0 {
		e.Digest = 1000 + s.n
	}
	e.Transport = "udp"
	s.events = append(s.events, e)
	return e
}

func (s *scene) wait(seconds int64) { s.at += seconds * second }

func tagged(ss ...Service) Contact {
	return Contact{URI: "sip:ue1@192.0.2.10:5060", Expires: -1, Instance: instance, Tags: Of(ss...), ICSIs: Of(ss...)}
}

// request makes a request of the UE.
func (s *scene) request(method string, cs ...change) *Event {
	s.cseq++
	e := &Event{Src: ueAddr, Dst: pcscf, Message: Message{Request: true, Method: method, RequestURI: "sip:mcptt.example.org", CallID: "call-" + method, CSeq: s.cseq,
		From: Party{impu, "f"}, To: Party{URI: impu}, Branch: fmt.Sprintf("z9hG4bK%d", s.n+1), SentBy: "192.0.2.10", Details: &Details{Expires: -1}}}
	if method == "REGISTER" {
		e.Contacts, e.Expires = []Contact{tagged(MCPTT)}, 600000
	}
	if method == "PUBLISH" || method == "SUBSCRIBE" {
		e.Event, e.Expires, e.Services = "poc-settings", 4294967295, Of(MCPTT)
		e.Preferred = []string{impu}
		e.Contacts = []Contact{tagged(MCPTT)}
	}
	if method == "INVITE" || method == "MESSAGE" {
		e.Services, e.Preferred = Of(MCPTT), []string{impu}
	}
	for _, c := range cs {
		c(e)
	}
	return s.put(e)
}

// answer makes a response to a request.
func (s *scene) answer(r *Event, status int, cs ...change) *Event {
	e := &Event{Src: r.Dst, Dst: r.Src, Message: Message{Method: r.Method, Status: status, Reason: map[int]string{200: "OK", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}[status],
		CallID: r.CallID, CSeq: r.CSeq, From: r.From, To: Party{r.To.URI, "t"}, Branch: r.Branch, SentBy: r.SentBy, Details: &Details{Expires: -1}}}
	if status == 200 && r.Method == "PUBLISH" && r.details().Expires != 0 {
		e.ETag, e.Expires = fmt.Sprintf("e%d", s.n), r.details().Expires
	}
	for _, c := range cs {
		c(e)
	}
	return s.put(e)
}

func clear(text string) Value { return Value{Present: true, State: "clear", Text: text} }

func sealedWith(key, text string) Value {
	v := Value{Present: true, Encrypted: true, State: "no_key", Reason: "no_key", KeyID: key}
	if text != "" {
		v.State, v.Reason, v.Opened, v.Text = "decrypted", "", true, text
	}
	return v
}

func tokenOf(id string) Token {
	t := Token{Value: Value{Present: true, State: "clear"}, Fingerprint: "f-" + id, ClientID: "MCPTT_UE_1", Issuer: "https://idms.example.org", Scope: "openid 3gpp:mc:ptt_service", Exp: 1_704_070_800, HasExp: true}
	t.IDs = [services]string{id, id, id}
	return t
}

// auth adds an info body with a token and a client ID.
func auth(id, client string) change { return authFor(MCPTT, id, client) }

func authFor(svc Service, id, client string) change {
	return func(e *Event) {
		in := Info{Service: svc, Body: fmt.Sprintf("1.%d", len(e.Infos)+1), Token: tokenOf(id), Digest: 77 + uint64(svc)}
		if client != "" {
			in.ClientID = clear(client)
		}
		e.Infos = append(e.Infos, in)
	}
}

// sealed encrypts and signs what auth added; key "" delivers none.
func sealed(key string, opened bool) change {
	return func(e *Event) {
		for i := range e.Infos {
			in := &e.Infos[i]
			tok, cl := "", ""
			if opened {
				tok, cl = "x", in.ClientID.Text
			}
			if in.Token.Present {
				keep := in.Token
				in.Token = Token{Value: sealedWith(key, tok)}
				if opened {
					keep.Value = in.Token.Value
					keep.Text = ""
					in.Token = keep
				}
			}
			if in.ClientID.Present {
				in.ClientID = sealedWith(key, cl)
			}
			if in.RequestURI.Present {
				in.RequestURI = sealedWith(key, map[bool]string{true: in.RequestURI.Text}[opened])
			}
			in.Encrypted = 2
		}
		e.Signatures = append(e.Signatures, Signature{State: map[bool]string{true: "valid", false: "no_key"}[opened], KeyID: key, Bodies: []string{"1.1"}})
	}
}

func csk(id, from string) change {
	return func(e *Event) {
		e.IMessages = append(e.IMessages, IMessage{Body: "1.9", CSBID: id, KeyType: "CSK", Initiator: from, Responder: "mcptt.example.org", KeyState: "no_key", SigState: "no_key"})
	}
}

func settings(id string) change {
	return func(e *Event) {
		e.HasPoC = true
		e.Settings = append(e.Settings, Entity{ID: id, AnswerMode: "automatic", Profile: 1, Multiplex: "true"})
	}
}

func settingsOnly(id, client string) change {
	return func(e *Event) {
		e.Infos = append(e.Infos, Info{Service: MCPTT, Body: "1.1", RequestURI: clear(id), ClientID: clear(client), Digest: 99})
		settings(client)(e)
	}
}

func warning(mc int, text string) change {
	return func(e *Event) {
		e.Warnings = append(e.Warnings, Warning{Code: 399, Agent: "as.example.org", Text: fmt.Sprintf("%d %s", mc, text), MC: mc})
	}
}

func expires(n int64) change          { return func(e *Event) { e.Expires = n } }
func contact(c ...Contact) change     { return func(e *Event) { e.Contacts = c } }
func call(id string) change           { return func(e *Event) { e.CallID = id } }
func ifMatch(tag string) change       { return func(e *Event) { e.IfMatch = tag } }
func from(a, b netip.AddrPort) change { return func(e *Event) { e.Src, e.Dst = a, b } }
func as(x string) change {
	return func(e *Event) {
		e.From.URI, e.To.URI = x, x
		if e.Preferred != nil {
			e.Preferred = []string{x}
		}
	}
}

// migrate makes an info body that of a migration REGISTER.
func migrate(primary, issuer string) change {
	return func(e *Event) {
		in := &e.Infos[0]
		in.RequestURI, in.Profile, in.ClientID = clear(primary), clear("1"), Value{}
		in.Token.Issuer = issuer
	}
}

// thirdParty makes the S-CSCF's REGISTER that carries the UE's.
func (s *scene) thirdParty(ue *Event, cs ...change) *Event {
	in := ue.Message
	cs = append([]change{call("scscf-call"), from(scscf, server), func(e *Event) {
		e.From.URI, e.To.URI, e.SentBy = "sip:scscf.example.org", ue.To.URI, "192.0.2.2"
		e.Contacts = []Contact{{URI: "sip:scscf.example.org", Expires: -1}}
		e.Inner = []Message{in}
	}}, cs...)
	return s.request("REGISTER", cs...)
}

// outcome is what came of a scene.
type outcome struct {
	tr       *Tracker
	sessions []*Session
	ids      []string
	by       map[uint64][]string
	links    map[uint64]*Link
	words    []string
}

func (s *scene) run(t testing.TB) *outcome { return runEvents(t, s.events, Config{}) }

func runEvents(t testing.TB, es []*Event, c Config) *outcome {
	t.Helper()
	o := &outcome{tr: NewTracker(c), by: map[uint64][]string{}, links: map[uint64]*Link{}}
	for _, e := range es {
		x := o.tr.Add(e)
		if l := x.Session; l != nil {
			c := *l
			o.links[e.Number] = &c
		}
		for _, f := range x.Findings {
			if checkByID[f.ID] == nil || f.Clause == "" || f.Message == "" {
				t.Errorf("finding without register entry, clause or message: %+v", f)
			} else if f.Severity > checkByID[f.ID].Severity {
				t.Errorf("%s is harder than its register entry", f.ID)
			}
			o.ids = append(o.ids, f.ID)
			o.by[e.Number] = append(o.by[e.Number], f.ID)
			o.words = append(o.words, fmt.Sprintf("%d %s %s: %s", e.Number, f.ID, f.Severity, f.Message))
		}
	}
	o.tr.Finish()
	o.sessions = o.tr.Sessions()
	for _, x := range o.sessions {
		checkSession(t, x)
	}
	return o
}

// checkSession holds a session to what is possible.
func checkSession(t testing.TB, s *Session) {
	t.Helper()
	if s.State == Fresh || s.State == Requested {
		t.Errorf("session %d ends as %s", s.ID, s.State)
	}
	prev := Fresh
	for i, h := range s.History {
		if !h.From.Can(h.To) {
			t.Errorf("session %d: %s to %s is impossible", s.ID, h.From, h.To)
		}
		if s.Lost == 0 && h.From != prev {
			t.Errorf("session %d: transition %d starts at %s after %s", s.ID, i, h.From, prev)
		}
		prev = h.To
	}
	if len(s.History) == 0 || prev != s.State {
		t.Errorf("session %d: history ends at %s, state is %s", s.ID, prev, s.State)
	}
	if s.Last < s.First || s.Duration() < 0 {
		t.Errorf("session %d: time goes back", s.ID)
	}
	if s.Messages < 1 || len(s.Frames) == 0 {
		t.Errorf("session %d has no messages", s.ID)
	}
}

func (o *outcome) one(t testing.TB) *Session {
	t.Helper()
	if len(o.sessions) != 1 {
		t.Fatalf("%d sessions, want 1", len(o.sessions))
	}
	return o.sessions[0]
}

func (o *outcome) has(id string) bool { return slices.Contains(o.ids, id) }
