package keys

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestDocumentation reads every example of docs/keys.md, one by one and together, and finds each keyword and variant in it.
func TestDocumentation(t *testing.T) {
	b, err := os.ReadFile("../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	var files []string
	kinds := map[string]int{}
	for i, block := range strings.Split(text, "```") {
		if i%2 == 0 {
			continue
		}
		kind, body, _ := strings.Cut(block, "\n")
		kinds[kind]++
		m, err := Read("docs/keys.md "+kind, []byte(body))
		if err != nil {
			t.Errorf("block %d: %v", i/2+1, err)
		}
		for _, w := range m.Warnings {
			if !strings.Contains(w, "wrapped under the transport key") {
				t.Errorf("block %d: %s", i/2+1, w)
			}
		}
		files = append(files, write(t, fmt.Sprint(i), body))
	}
	if fmt.Sprint(kinds) != "map[json:1 keylog:2 xml:2]" {
		t.Errorf("%v", kinds)
	}
	// The wrapped key set opens with the transport key of the key log, read after it.
	files[0], files[len(files)-1] = files[len(files)-1], files[0]
	m, err := Load(files, LoadOptions{})
	if err != nil || len(m.Warnings) != 0 {
		t.Fatalf("%v %q", err, m.Warnings)
	}
	if len(m.Keys) != 7 || len(m.KMSs) != 2 || len(m.UserKeys) != 3 || len(m.Masters) != 1 || len(m.TLS) != 2 || len(m.ESP) != 2 {
		t.Errorf("%+v", m.Describe())
	}
	for _, v := range m.Verify(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)) {
		if !v.OK || v.Reason != "" && v.Reason != "identity is sip:alice@example.org" {
			t.Errorf("%+v", v)
		}
	}
	for _, e := range entries {
		if !strings.Contains(text, "`"+e.word+"`") || !strings.Contains(text, e.form) {
			t.Errorf("%s %s is not described", e.word, e.form)
		}
	}
	for _, v := range Variants() {
		if s := v.String(); s != "" && !strings.Contains(text, "| `"+s+"` |") {
			t.Errorf("the variant %s is not described", s)
		}
	}
	for _, n := range []int{MaxLines, MaxFiles, MaxEntries} {
		if !strings.Contains(text, fmt.Sprint(n)+" ") {
			t.Errorf("the limit %d is not described", n)
		}
	}
	for _, r := range []Reason{ReasonNoKey, ReasonNoRSK, ReasonWrongRSK, ReasonWrongPeriod, ReasonNoKPAK, ReasonP0Unknown, ReasonTagMismatch, ReasonHMACMismatch} {
		if !strings.Contains(text, "`"+string(r)+"`") {
			t.Errorf("the reason %s is not described", r)
		}
	}
}
