package session_test

import (
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
	"github.com/mcxdump/mcxdump/keys"
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

// events decodes a capture of testdata/pcaps, with the lab's key or without.
func events(t testing.TB, name string, withKey bool) []*session.Event {
	t.Helper()
	path := filepath.Join("..", "..", "testdata", "pcaps", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	src, err := capture.Open([]string{path}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := decode.Options{Want: record.All()}
	if withKey {
		m, err := keys.Load(nil, keys.LoadOptions{CSK: []string{labCSK}})
		if err != nil {
			t.Fatal(err)
		}
		o.Ring = keys.NewRing(m, keys.RingLimits{})
		defer o.Ring.Close()
	}
	var s sink
	if _, err := decode.Run(context.Background(), src, o, &s); err != nil && !strings.Contains(name, "truncated") {
		t.Fatal(err)
	}
	slices.SortFunc(s.events, func(a, b *session.Event) int { return int(a.Number) - int(b.Number) })
	return s.events
}

// follow gives events to a tracker and returns what came of it: the sessions and the ids of the findings.
func follow(t testing.TB, es []*session.Event) (*session.Tracker, []*session.Session, []string) {
	t.Helper()
	tr := session.NewTracker(session.Config{})
	var ids []string
	for _, e := range es {
		for _, f := range tr.Add(e).Findings {
			if f.Clause == "" || f.Message == "" {
				t.Errorf("finding without clause or message: %+v", f)
			}
			ids = append(ids, f.ID)
		}
	}
	tr.Finish()
	return tr, tr.Sessions(), ids
}

func TestCaptures(t *testing.T) {
	for _, name := range []string{"register-clear.pcap", "register-protected.pcap", "publish-clear.pcap", "publish-protected.pcap", "migration-clear.pcap", "migration-protected.pcap", "third-party-register.pcap", "warnings.pcap"} {
		for _, key := range []bool{true, false} {
			_, ss, ids := follow(t, events(t, name, key))
			t.Logf("%s key=%v findings %v", name, key, ids)
			for _, s := range ss {
				t.Logf("  %s %s how=%s mc=%s client=%s state=%s cause=%q conf=%v int=%v key=%v prof=%d am=%s", s.IMPU, s.Service, s.How, s.MCID, s.ClientID, s.State, s.Cause, s.Confidentiality, s.Integrity, s.Key, s.Profile, s.AnswerMode)
				for _, h := range s.History {
					t.Logf("     %d %s -> %s %s", h.Number, h.From, h.To, h.Cause)
				}
			}
		}
	}
}
