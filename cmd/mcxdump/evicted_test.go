package main

import (
	"path/filepath"
	"regexp"
	"testing"
)

// TestSessionsLeftOut: sessions beyond what is kept of those that the tables let go are told of.
func TestSessionsLeftOut(t *testing.T) {
	if testing.Short() {
		t.Skip("17,000 users")
	}
	file := filepath.Join(t.TempDir(), "users.pcap")
	if _, e, code := call(t, nil, "lab", "-w", file, "--seed", "3", "--users", "17000", "--scenario", "register-clear", "--size", "messages=34000"); code != exitOK {
		t.Fatal(e)
	}
	old := maxEvicted
	defer func() { maxEvicted = old }()
	for _, keep := range []int{old, 10} {
		maxEvicted = keep
		out, e, code := call(t, nil, "sessions", file, "--json")
		said := regexp.MustCompile(`\d+ sessions ended after 10 others had`).MatchString(e)
		if code != exitOK || len(out) == 0 || said != (keep == 10) {
			t.Errorf("%d kept: code %d, %d octets, %q", keep, code, len(out), e)
		}
	}
}
