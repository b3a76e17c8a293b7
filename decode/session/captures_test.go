package session_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/output/schematest"
)

type sink struct {
	mu     sync.Mutex
	events []*session.Event
}

func (s *sink) Encode(dst []byte, r *record.Record) []byte {
	if e := session.Read(r); e != nil {
		s.mu.Lock()
		s.events = append(s.events, e)
		s.mu.Unlock()
	}
	return dst
}
func (s *sink) Write([]byte) error { return nil }

const labCSK = "2abcdef0=000102030405060708090a0b0c0d0e0f@sip:alice@example.org"

// decodeFile reads the events of a capture.
func decodeFile(t testing.TB, path string, m *keys.Material) []*session.Event {
	t.Helper()
	src, err := capture.Open([]string{path}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	o := decode.Options{Want: record.All(), TwoPasses: true}
	if m != nil {
		o.Ring = keys.NewRing(m, keys.RingLimits{})
		defer o.Ring.Close()
	}
	var s sink
	if _, err := decode.Run(context.Background(), src, o, &s); err != nil && !strings.Contains(path, "truncated") {
		t.Fatal(err)
	}
	slices.SortFunc(s.events, func(a, b *session.Event) int { return int(a.Number) - int(b.Number) })
	return s.events
}

// events decodes a capture of testdata/pcaps, with the lab's key or without.
func events(t testing.TB, name string, withKey bool) []*session.Event {
	t.Helper()
	var m *keys.Material
	if withKey {
		var err error
		if m, err = keys.Load(nil, keys.LoadOptions{CSK: []string{labCSK}}); err != nil {
			t.Fatal(err)
		}
	}
	return decodeFile(t, filepath.Join("..", "..", "testdata", "pcaps", name), m)
}

// follow gives events to a tracker and returns the sessions and the ids of the findings.
func follow(t testing.TB, es []*session.Event) (tr *session.Tracker, ss []*session.Session, ids []string) {
	t.Helper()
	tr = session.NewTracker(session.Config{})
	for _, e := range es {
		for _, f := range tr.Add(e).Findings {
			ids = append(ids, f.ID)
			if _, ok := record.Lookup(f.Field); !ok && f.Field != "" {
				t.Errorf("%s: field %q is not registered", f.ID, f.Field)
			}
		}
	}
	tr.Finish()
	return tr, tr.Sessions(), ids
}

func schema(t *testing.T) *schematest.Schema {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema", "mcxdump.sessions-1.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := schematest.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid holds a session's JSON against the schema and looks for secrets in it.
func valid(t *testing.T, s *schematest.Schema, x *session.Session) {
	t.Helper()
	line := x.AppendJSON(nil)
	if err := s.Validate(line); err != nil {
		t.Errorf("%v in %s", err, line)
	}
	for _, secret := range []string{"000102030405060708090a0b0c0d0e0f", "eyJ"} {
		if bytes.Contains(line, []byte(secret)) {
			t.Errorf("secret %q in %s", secret, line)
		}
	}
	for _, v := range x.Evidence {
		if _, ok := record.Lookup(v.Field); !ok && v.Field != "" {
			t.Errorf("evidence of %s: field %q is not registered", v.Fact, v.Field)
		}
	}
	if bytes.ContainsAny(line, "\n\r\x1b") {
		t.Errorf("more than a line: %q", line)
	}
}

// brief is a session in a few words.
func brief(x *session.Session) string {
	key := "-"
	if x.Key != nil {
		key = x.Key.ID
	}
	return strings.Join([]string{x.IMPU, x.Service.String(), x.How, x.MCID, x.State.String(), key}, " ")
}

func TestCaptures(t *testing.T) {
	sch := schema(t)
	const ue = "sip:ue1@mcptt.example.org mcptt "
	for _, c := range []struct {
		name, open, sealed string
		findings           string
	}{
		{"register-clear.pcap", ue + "register sip:alice@example.org accepted -", ue + "register sip:alice@example.org accepted -", "TOK-06"},
		{"register-protected.pcap", ue + "register sip:alice@example.org accepted 2abcdef0", ue + "register  accepted 2abcdef0", "TOK-06"},
		{"register-confidentiality.pcap", ue + "register sip:alice@example.org accepted 2abcdef0", ue + "register  accepted 2abcdef0", "TOK-06"},
		{"register-integrity.pcap", ue + "register sip:alice@example.org accepted 2abcdef0", ue + "register sip:alice@example.org accepted 2abcdef0", "TOK-06"},
		{"publish-clear.pcap", ue + "publish sip:alice@example.org logged_off -", ue + "publish sip:alice@example.org logged_off -", "TOK-06"},
		{"publish-protected.pcap", ue + "publish sip:alice@example.org logged_off 2abcdef0", ue + "publish  logged_off 2abcdef0", "TOK-06"},
		{"migration-clear.pcap", ue + "migration sip:alice.partner@partner.example.net accepted -", ue + "migration sip:alice.partner@partner.example.net accepted -", "TOK-06"},
		{"migration-protected.pcap", ue + "migration sip:alice.partner@partner.example.net accepted 2abcdef0", ue + "migration  accepted 2abcdef0", "TOK-06"},
		{"third-party-register.pcap", ue + "register sip:alice@example.org accepted 2abcdef0", ue + "register  accepted 2abcdef0", "TOK-06"},
		{"shape-gtpu.pcap", ue + "register sip:alice@example.org accepted 2abcdef0", ue + "register  accepted 2abcdef0", "TOK-06"},
		{"warnings.pcap", ue + "publish sip:alice@example.org rejected -", ue + "publish sip:alice@example.org rejected -", "RSP-01 RSP-06 RSP-07 RSP-08 RSP-11 TOK-06"},
	} {
		for _, key := range []bool{true, false} {
			es := events(t, c.name, key)
			_, ss, ids := follow(t, es)
			if len(ss) != 1 {
				t.Errorf("%s: %d sessions", c.name, len(ss))
				continue
			}
			want := c.open
			if !key {
				want = c.sealed
			}
			if got := brief(ss[0]); got != want {
				t.Errorf("%s, key %v: %q, want %q", c.name, key, got, want)
			}
			slices.Sort(ids)
			if got := strings.Join(slices.Compact(ids), " "); key && got != c.findings {
				t.Errorf("%s: findings %s, want %s", c.name, got, c.findings)
			}
			valid(t, sch, ss[0])
			hidden := ss[0].Redacted(func(string) string { return "someone" })
			valid(t, sch, hidden)
			if line := string(hidden.AppendJSON(nil)); strings.Contains(line, "alice") || strings.Contains(line, "ue1@") || strings.Contains(line, "2f6b8c4e") {
				t.Errorf("%s: identity left in %s", c.name, line)
			}
		}
	}
}

// TestEveryCapture follows everything in testdata/pcaps, malformed and truncated ones too.
func TestEveryCapture(t *testing.T) {
	sch := schema(t)
	names, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcaps", "*.pcap*"))
	if err != nil || len(names) < 20 {
		t.Fatalf("%d captures, %v", len(names), err)
	}
	n := 0
	for _, name := range names {
		tr, ss, _ := follow(t, events(t, filepath.Base(name), true))
		n += len(ss)
		for _, x := range ss {
			valid(t, sch, x)
			session.Ladder(x.Events(), session.LadderOptions{Width: 80})
			if err := session.LadderSVG(x.Events(), &bytes.Buffer{}); err != nil {
				t.Error(err)
			}
		}
		if strings.HasPrefix(filepath.Base(name), "icmp-quoted") && tr.Stats().Quoted == 0 {
			t.Error("the quoted message was not recognised")
		}
	}
	if n < 20 {
		t.Errorf("%d sessions", n)
	}
}

// play decodes a scenario of the lab with the keys of the world that it came from.
func play(t *testing.T, names ...string) []*session.Event {
	t.Helper()
	return playWith(t, true, names...)
}

func playWith(t *testing.T, keyed bool, names ...string) []*session.Event {
	t.Helper()
	var list []lab.Scenario
	for _, n := range names {
		sc, err := lab.ScenarioByName(n)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, sc)
	}
	pcap, sys, err := lab.Pcap(lab.Options{Users: 1}, list...)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, b := range map[string][]byte{"a.pcap": pcap, "k.log": sys.KeyLog()} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !keyed {
		return decodeFile(t, filepath.Join(dir, "a.pcap"), nil)
	}
	m, err := keys.Load([]string{filepath.Join(dir, "k.log")}, keys.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return decodeFile(t, filepath.Join(dir, "a.pcap"), m)
}

// TestScenarios follows what the lab plays: the states, what is found, and silence where nothing is wrong.
func TestScenarios(t *testing.T) {
	sch := schema(t)
	// What says something of correct traffic: notes, and a protected PUBLISH whose 200 has clear XML (TS 24.379 F.6.3).
	says := map[string][]string{"register-challenge": {"REG-20"}, "logoff-register": {"REG-16"}, "logoff-one": {"REG-16"}, "multiple-devices": {"RSP-13", "SEC-23"}}
	want := map[string]string{
		"third-party-one": "accepted", "third-party-two": "accepted", "third-party-off": "logged_off", "logoff-register": "logged_off", "deregister": "logged_off",
		"logoff-publish": "logged_off", "register-combined": "accepted accepted accepted", "logoff-one": "logged_off accepted accepted", "answer-none": "unknown",
		"answer-403-101": "rejected", "answer-412": "accepted", "register-only": "", "publish-again": "accepted", "register-challenge": "accepted", "fail-tag": "rejected",
	}
	fires := map[string]string{"answer-403-101": "RSP-06 RSP-11", "answer-404-141": "PUB-29 RSP-07", "answer-486-164": "RSP-08 RSP-11", "answer-412": "RSP-14", "subscribe-refused": "RSP-16"}
	for _, sc := range lab.Scenarios() {
		_, ss, ids := follow(t, play(t, sc.Name))
		var states []string
		for _, x := range ss {
			states = append(states, x.State.String())
			valid(t, sch, x)
		}
		if w, ok := want[sc.Name]; ok && strings.Join(states, " ") != w {
			t.Errorf("%s: states %v, want %s", sc.Name, states, w)
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == "TOK-06" || sc.Clean && slices.Contains(says[sc.Name], id) })
		slices.Sort(ids)
		ids = slices.Compact(ids)
		if sc.Clean && len(ids) > 0 {
			t.Errorf("%s is clean and has %v", sc.Name, ids)
		}
		// Without keys the same states, and silence too.
		if sc.Clean {
			_, sealed, ids := follow(t, playWith(t, false, sc.Name))
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == "TOK-06" || slices.Contains(says[sc.Name], id) })
			if len(ids) > 0 || len(sealed) != len(ss) {
				t.Errorf("%s without keys: %d sessions instead of %d, findings %v", sc.Name, len(sealed), len(ss), ids)
			}
			for i := range min(len(sealed), len(ss)) {
				if sealed[i].State != ss[i].State || sealed[i].How != ss[i].How {
					t.Errorf("%s without keys: session %d is %s by %s, with them %s by %s", sc.Name, i, sealed[i].State, sealed[i].How, ss[i].State, ss[i].How)
				}
				valid(t, sch, sealed[i])
			}
		}
		if w, ok := fires[sc.Name]; ok && strings.Join(ids, " ") != w {
			t.Errorf("%s: %v, want %s", sc.Name, ids, w)
		}
	}
	// What the capture shows of the reason stands beside the server's words.
	for name, want := range map[string]string{"fail-token-expired": "expired", "fail-token-scope": "scope lacks", "fail-signature": "XML signature is invalid", "fail-tag": "could not be decrypted", "fail-client-id-missing": "no client ID"} {
		_, ss, _ := follow(t, play(t, name))
		if got := strings.Join(ss[0].Hints, "; "); !strings.Contains(got, want) {
			t.Errorf("%s: hints %q, want %q", name, got, want)
		}
	}
	// A CSK that the server replaces.
	_, ss, _ := follow(t, play(t, "key-download-csk"))
	if x := ss[0]; len(x.Keys) != 2 || x.Key != x.Keys[1] || x.Key.Way != "download" || x.Keys[0].Replaced != x.Key.ID {
		t.Errorf("keys %+v", x.Keys)
	}
}

// TestNodes writes a link into a record and reads it back by its registered names.
func TestNodes(t *testing.T) {
	r := &record.Record{}
	b := &record.Builder{R: r, Want: record.All()}
	session.AppendNodes(b, nil)
	l := &session.Link{Kind: "publish", Service: "mcptt", IMPU: "sip:a@b", MCID: "sip:c@d", MCPTTID: "sip:c@d", ClientID: "urn:x", State: "accepted", Reason: "200", Request: 7, HasTime: true, ResponseNS: 12_345_678, Repeat: 8}
	session.AppendNodes(b, l)
	for name, want := range map[string]string{"session.kind": "publish", "session.service": "mcptt", "session.impu": "sip:a@b", "session.mc_id": "sip:c@d", "session.mcptt_id": "sip:c@d",
		"session.client_id": "urn:x", "session.state": "accepted", "session.reason": "200", "session.request": "7", "session.response_time_ms": "12", "session.repeat_of": "8"} {
		ref, ok := record.Lookup(name)
		if !ok {
			t.Errorf("%s is not registered", name)
			continue
		}
		got := ""
		for v := range ref.Values(r) {
			got = string(v.AppendText(nil))
		}
		if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if b.Depth() != 0 {
		t.Error("not closed")
	}
}

// TestRead looks at what Read takes from real records, and that it owns its memory.
func TestRead(t *testing.T) {
	e := events(t, "third-party-register.pcap", true)[0]
	if e.Method != "REGISTER" || !e.Request || e.Expires != 600000 || len(e.Asserted) != 1 || len(e.Inner) != 2 || e.Digest == 0 || e.Branch == "" || e.SentBy != "192.0.2.10" {
		t.Errorf("%+v", e)
	}
	in := e.Inner[0]
	c := in.Contacts[0]
	if !c.Tags.Has(session.MCPTT) || !c.ICSIs.Has(session.MCPTT) || c.Instance != "urn:gsma:imei:35824005-694448-0" {
		t.Errorf("contact %+v", c)
	}
	tok := in.Infos[0].Token
	if !tok.Opened || tok.Text != "" || tok.Fingerprint == "" || tok.IDs[session.MCPTT] != "sip:alice@example.org" || tok.Issuer != "https://idms.example.org" || !tok.HasExp || !strings.Contains(tok.Scope, "3gpp:mc:ptt_service") {
		t.Errorf("token %+v", tok)
	}
	if len(in.IMessages) != 1 || in.IMessages[0].CSBID != "2abcdef0" || len(in.Signatures) != 1 || in.Signatures[0].State != "valid" || len(in.Signatures[0].Bodies) != 1 {
		t.Errorf("%+v %+v", in.IMessages, in.Signatures)
	}
	if len(e.Ciphers) != 2 || e.Ciphers[0].KeyID != "2abcdef0" || e.Ciphers[0].IV == e.Ciphers[1].IV {
		t.Errorf("ciphers %+v", e.Ciphers)
	}
	if e.Inner[1].Status != 200 || e.Inner[1].Request {
		t.Errorf("inner answer %+v", e.Inner[1])
	}
	w := events(t, "warnings.pcap", false)
	if x := w[1]; len(x.Warnings) != 1 || x.Warnings[0].MC != 101 || x.Warnings[0].Code != 399 || x.Warnings[0].Agent == "" {
		t.Errorf("%+v", x.Warnings)
	}
	for _, r := range []*record.Record{{Type: record.SummaryType}, {Type: record.FindingType}, {Type: record.Message}} {
		if session.Read(r) != nil {
			t.Errorf("an event of a %s", r.Type)
		}
	}
}

// BenchmarkRead is the cost of a protected REGISTER inside a third-party one for the workers.
func BenchmarkRead(b *testing.B) {
	path := filepath.Join("..", "..", "testdata", "pcaps", "third-party-register.pcap")
	src, err := capture.Open([]string{path}, capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	k := &reading{b: b}
	if _, err := decode.Run(context.Background(), src, decode.Options{Want: record.All(), Workers: 1}, k); err != nil {
		b.Fatal(err)
	}
}

type reading struct {
	b    *testing.B
	done bool
}

func (k *reading) Encode(dst []byte, r *record.Record) []byte {
	if k.done {
		return dst
	}
	k.done = true
	k.b.ReportAllocs()
	k.b.SetBytes(int64(len(r.Sources[0].Data)))
	for k.b.Loop() {
		session.Read(r)
	}
	return dst
}
func (*reading) Write([]byte) error { return nil }

// TestWholeLab follows every scenario of several users in one capture: nobody's messages end up with somebody else.
func TestWholeLab(t *testing.T) {
	var names []string
	for _, sc := range lab.Scenarios() {
		if sc.Clean {
			names = append(names, sc.Name)
		}
	}
	_, ss, _ := follow(t, play(t, names...))
	for _, x := range ss {
		if x.State == session.Unknown || x.State == session.Rejected {
			t.Errorf("session %d: %s, %s: %v", x.ID, brief(x), x.Cause, x.History)
		}
	}
	if len(ss) < 5 {
		t.Errorf("%d sessions", len(ss))
	}
}

// TestReadProfile builds the record of a user profile document.
func TestReadProfile(t *testing.T) {
	f := func(name string) *record.Field {
		ref, ok := record.Lookup(name)
		if !ok {
			t.Fatal(name)
		}
		return ref.Field
	}
	r := &record.Record{Number: 1, Time: 1}
	b := &record.Builder{R: r, Want: record.All()}
	b.Open(f("sip"), record.Place{})
	b.Str(f("sip.type"), "request", record.Place{})
	b.Str(f("sip.method"), "NOTIFY", record.Place{})
	b.Close()
	b.Open(f("bodies"), record.Place{})
	b.Open(f("xml"), record.Place{})
	b.Str(f("xml.name"), "mcvideo-user-profile", record.Place{})
	b.Open(f("xml.attributes"), record.Place{})
	b.Entry(f("xml.attributes"), "XUI-URI", "sip:alice@example.org", record.Place{})
	b.Entry(f("xml.attributes"), "user-profile-index", " 3 ", record.Place{})
	b.Close()
	b.Close()
	b.Close()
	e := session.Read(r)
	if e == nil || e.Method != "NOTIFY" || len(e.Profiles) != 1 || e.Profiles[0] != (session.Profile{Service: session.MCVideo, User: "sip:alice@example.org", Index: 3}) {
		t.Errorf("%+v", e)
	}
	// Ranges that point nowhere are survived.
	for i := range r.Nodes {
		r.Nodes[i].Flags |= record.HasRange
		r.Nodes[i].Src, r.Nodes[i].Off, r.Nodes[i].Len, r.Nodes[i].End = 9, 1<<31, 1<<31, 1<<30
	}
	session.Read(r)
}
