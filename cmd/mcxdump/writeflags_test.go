package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestReadWriteTwoPasses: with keys a file is read twice, and written once.
func TestReadWriteTwoPasses(t *testing.T) {
	const in = "../../testdata/pcaps/publish-protected.pcap"
	want, _, _ := call(t, nil, "read", in, "-T", "fields", "-e", "number", "-e", "sip.call_id")
	path := filepath.Join(t.TempDir(), "x.pcapng")
	if _, e, code := call(t, nil, "read", in, "--keys", "../../testdata/pcaps/known-answer.mcxkeys", "-w", path); code != exitOK {
		t.Fatal(code, e)
	}
	if got, _, _ := call(t, nil, "read", path, "-T", "fields", "-e", "number", "-e", "sip.call_id"); got != want || strings.Count(got, "\n") == 0 {
		t.Errorf("%s, want %s", got, want)
	}
}
