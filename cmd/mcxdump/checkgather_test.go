package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
)

// seen compares what see takes out of records with what the fields' own look-up says.
type seen struct {
	nothing
	t *testing.T
	n int
}

func (s *seen) Encode(dst []byte, r *record.Record) []byte {
	saw := see(r)
	for i, name := range sawNames {
		ref, ok := record.Lookup(name)
		if !ok {
			s.t.Fatal(name)
		}
		var want record.Value
		for v := range ref.Values(r) {
			want = v
			break
		}
		if saw[i] != want {
			s.t.Errorf("message %d: %s is %+v, want %+v", r.Number, name, saw[i], want)
		}
	}
	s.n++
	return dst
}

func TestSee(t *testing.T) {
	for _, name := range []string{"lab-world.pcap", "failures.pcap", "third-party-register.pcap", "malformed.pcap"} {
		src, err := capture.Open([]string{filepath.Join("..", "..", "testdata", "pcaps", name)}, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := seen{t: t}
		if _, err := decode.Run(context.Background(), src, decode.Options{Want: record.All(), Workers: 1}, struct{ decode.Sink }{&s}); err != nil || s.n == 0 {
			t.Errorf("%s: %d records, %v", name, s.n, err)
		}
		src.Close()
	}
}

// FuzzFound: what a worker hands over of findings is what the report reads.
func FuzzFound(f *testing.F) {
	f.Add("alice mcptt", "REG-01", "a \"b\" 12", int64(5), uint64(7), uint8(9))
	f.Add("", "", "\xff\xfe", int64(-1), uint64(1<<63), uint8(0))
	f.Fuzz(func(t *testing.T, words, id, message string, at int64, number uint64, frames uint8) {
		x := checkFinding{ID: id, Message: message, Number: number, Fingerprint: "0011", Clause: "c", File: "f", Body: "1", Field: "sip", Accepted: frames%2 == 1}
		for i := range frames {
			x.Frames = append(x.Frames, uint64(i)<<i%64)
		}
		var b []byte
		for range 2 {
			b = append(appendFound(b, &x, record.Severity(frames%3), at, words), 2, 0, 0, 0, '{', '}')
		}
		valid := func(s string) string {
			var v string
			j, _ := json.Marshal(s)
			json.Unmarshal(j, &v)
			return v
		}
		for range 2 {
			var g found
			b = g.takeFound(b)
			if string(g.words) != valid(words) || string(g.id) != valid(id) || string(g.message) != valid(message) || g.time != at || g.number != number ||
				g.accepted != x.Accepted || g.sev != record.Severity(frames%3) || string(g.field) != "sip" || string(g.json) != "{}" || g.framesN != min(int(frames), groupFrames) {
				t.Fatalf("%+v of %+v", g, x)
			}
			if got := fmt.Sprint(g.frames[:g.framesN]); got != fmt.Sprint(x.Frames[:g.framesN]) {
				t.Fatalf("frames %s", got)
			}
		}
		if len(b) != 0 {
			t.Fatalf("%d octets left", len(b))
		}
	})
}

// TestShown: a message that was not judged is not passed over; what was not opened or kept is none of a check's.
func TestShown(t *testing.T) {
	for id, want := range map[string]bool{decode.FaultID: true, "sip-too-many-headers": true, "sip-holds-secrets": true, "http-fields": true, "limit-nodes": false} {
		if shown(&record.Finding{ID: id, Clause: "mcxdump"}) != want {
			t.Errorf("%s: want %v", id, want)
		}
	}
}

// TestCheckGroups: findings beyond the limit of groups are counted, and told of.
func TestCheckGroups(t *testing.T) {
	file := filepath.Join("..", "..", "testdata", "pcaps", "failures.pcap")
	whole, _, _ := call(t, nil, "check", file)
	old := maxGroups
	defer func() { maxGroups = old }()
	maxGroups = 3
	out, _, code := call(t, nil, "check", file)
	total := regexp.MustCompile(`(?m)^\d+ errors?, \d+ warnings?, \d+ notes? in \d+ messages`)
	if code != exitFindings || !strings.Contains(out, "findings beyond the limit of 3 groups are counted only") || total.FindString(out) != total.FindString(whole) || total.FindString(out) == "" {
		t.Errorf("code %d, %s", code, out)
	}
}
