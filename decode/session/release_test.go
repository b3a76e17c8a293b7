package session_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/session"
)

// TestRelease: a tracker keeps nothing of an event that is given back after Add. What is given back is spoiled here.
func TestRelease(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcaps", "*.pcap*"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	outcome := func(es []*session.Event, release bool) string {
		var b strings.Builder
		tr := session.NewTracker(session.Config{})
		for _, e := range es {
			eff := tr.Add(e)
			fmt.Fprintf(&b, "%+v %+v\n", eff.Findings, eff.Withdraw)
			if l := eff.Session; l != nil {
				c := *l
				c.Session, c.Token = nil, nil
				fmt.Fprintf(&b, "%+v\n", c)
			}
			if release {
				session.Release(e)
			}
		}
		tr.Finish()
		for _, s := range tr.Sessions() {
			fmt.Fprintf(&b, "%s\n", s.AppendJSON(nil))
			for _, e := range s.Events() {
				fmt.Fprintf(&b, "\t%d %v %s %s %s\n", e.Number, e.Frames, e.Method, e.CallID, e.Label)
			}
		}
		for _, c := range session.Chains(tr.Sessions(), tr.Tokens()) {
			fmt.Fprintf(&b, "%s\n", c.AppendJSON(nil))
		}
		fmt.Fprintf(&b, "%+v\n", tr.Stats())
		return b.String()
	}
	with := 0
	for _, f := range files {
		if st, err := os.Stat(f); err != nil || st.Size() > 1<<20 {
			continue
		}
		want := outcome(events(t, filepath.Base(f), true), false)
		es := events(t, filepath.Base(f), true)
		undo := session.Spoil()
		got := outcome(es, true)
		undo()
		if with += len(es); got != want {
			a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Errorf("%s: after release\n%s\nwant\n%s", f, b[i], a[i])
					break
				}
			}
		}
	}
	if with < 100 {
		t.Errorf("%d events", with)
	}
}
