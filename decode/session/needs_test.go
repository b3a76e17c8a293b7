package session_test

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/decode/session"
)

// TestNeeds: an event of a record that has nothing but the fields of Needs is that of the whole record.
func TestNeeds(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcaps", "*.pcap*"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	read := func(path string, want record.Want) (out []string) {
		src, err := capture.Open([]string{path}, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		var s sink
		if _, err := decode.Run(context.Background(), src, decode.Options{Want: want}, &s); err != nil && !strings.Contains(path, "truncated") {
			t.Fatal(err)
		}
		slices.SortFunc(s.events, func(a, b *session.Event) int { return int(a.Number) - int(b.Number) })
		for _, e := range s.events {
			line := fmt.Sprintf("%+v|%+v|%+v|", e.Details, e.HTTP, e.Inner)
			if e.HTTP != nil {
				line += fmt.Sprintf("%+v %+v %+v", e.HTTP.IdM, e.HTTP.KMS, e.HTTP.XCAP)
			}
			for i := range e.Inner {
				line += fmt.Sprintf("%+v", e.Inner[i].Details)
				e.Inner[i].Details = nil
			}
			c := *session.Plain(e)
			out = append(out, fmt.Sprintf("%+v|", c)+strip(line))
		}
		return out
	}
	n := 0
	for _, f := range files {
		whole, part := read(f, record.All()), read(f, session.Needs())
		if n += len(whole); len(whole) != len(part) {
			t.Errorf("%s: %d events of %d", f, len(part), len(whole))
			continue
		}
		for i := range whole {
			if whole[i] != part[i] {
				t.Errorf("%s: event %d\n%s\nwant\n%s", f, i, part[i], whole[i])
				break
			}
		}
	}
	if n < 100 {
		t.Errorf("%d events", n)
	}
}

var addresses = regexp.MustCompile(`0x[0-9a-f]{8,}`)

// strip takes addresses of memory out of a text.
func strip(s string) string { return addresses.ReplaceAllString(s, "") }
