package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/output"
)

// TestManySessions: what the tables let go is printed all the same, once, in order; in a budget that is too small for the
// order, ahead of others.
func TestManySessions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.pcap")
	if _, e, code := call(t, nil, "lab", "-w", file, "--seed", "3", "--users", "400", "--scenario", "register-clear", "--size", "messages=2400"); code != exitOK {
		t.Fatal(e)
	}
	budget, stories := storeBudget, maxStories
	defer func() { sessionLimits, storeBudget, maxStories = session.Limits{}, budget, stories }()
	number := map[string]*regexp.Regexp{
		"--json": regexp.MustCompile(`(?m)^{"schema":"mcxdump.sessions/1","record":"session","id":(\d+)`), "--tree": regexp.MustCompile(`(?m)^Session (\d+):`),
		"--release=18": regexp.MustCompile(`(?m)^sip:.* (\d+)-\d+ `), // the table: by the frame
	}
	for view, re := range number {
		for _, tight := range []bool{false, true} {
			sessionLimits = session.Limits{Sessions: 50, Users: 50}
			storeBudget, maxStories = budget, 1<<30
			if tight {
				storeBudget, maxStories = 2000, 100
			}
			out, e, code := call(t, nil, "sessions", file, view)
			var ids []int
			for _, m := range re.FindAllStringSubmatch(out, -1) {
				n, _ := strconv.Atoi(m[1])
				ids = append(ids, n)
			}
			sorted := slices.Clone(ids)
			slices.Sort(sorted)
			if code != exitOK || len(slices.Compact(slices.Clone(sorted))) != len(ids) || len(ids) < 1000 {
				t.Errorf("%s, tight %v: code %d, %d sessions, %d different\n%s", view, tight, code, len(ids), len(slices.Compact(sorted)), e)
			}
			if view != "--tree" && !tight && !slices.IsSorted(ids) {
				t.Errorf("%s: out of order", view)
			}
			if said := strings.Contains(e, "in no user's story"); said != (tight && view == "--tree") {
				t.Errorf("%s, tight %v: %q", view, tight, e)
			}
			if (strings.Contains(e, "behind others") || strings.Contains(e, "apart from")) && !tight {
				t.Errorf("%s: %q", view, e)
			}
		}
	}
	sessionLimits, storeBudget = session.Limits{Sessions: 50, Users: 50}, 2000
	if _, e, _ := call(t, nil, "sessions", file, "--tree"); !strings.Contains(e, "apart from their users' stories") {
		t.Errorf("nothing is told of the stories: %q", e)
	}
	// One is alive to the end: others do not wait for it for ever.
	for _, json := range []bool{true, false} {
		var out, e bytes.Buffer
		p := newSessionPrinter(&streams{out: &out, err: &e}, &sessionsOptions{json: json}, time.Time{}, time.Time{})
		for id := 2; id <= 2000; id++ {
			p.add(&session.Session{ID: id, IMPU: "sip:user@example.org"})
		}
		p.add(&session.Session{ID: 1, IMPU: "sip:first@example.org"})
		if err := p.end(nil); err != nil || strings.Count(out.String(), "sip:user@") != 1999 || strings.Count(out.String(), "sip:first@") != 1 ||
			!strings.Contains(e.String(), "mcxdump: 1 sessions are shown behind others") {
			t.Errorf("json %v: %d octets, %q, %v", json, out.Len(), e.String(), err)
		}
	}
}

// TestSessionColumns: at usual widths the table says who, what, how it ended and why; wider ones add the rest.
func TestSessionColumns(t *testing.T) {
	row := []string{"sip:+491510000001@ims.example.org", "fb6ace0e-941d-4910-8d03-7ab69d6f196a", "recording", "authorization_code", "encrypted, signed", "251c1e4a no_key",
		"37dfbc4af9d5302a valid to 10:00:00, 3 scopes", "1", "automatic", "logged_off", "200 to REGISTER; the server's own answer is not visible here", "12", "4-53", "73.032s"}
	for width, hidden := range map[int]string{80: "client how protection key token profile answer messages frames duration", 130: "client token profile answer messages frames duration", 200: "token profile answer", 320: ""} {
		c := output.NewColumns(sessionColumns, output.Options{Terminal: true, Width: width})
		c.Measure(row)
		if got := strings.Join(c.Hidden(), " "); got != hidden {
			t.Errorf("%d columns hide %q, want %q", width, got, hidden)
		}
	}
}
