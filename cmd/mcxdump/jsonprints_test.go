package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Every command's JSON may be shown on a terminal, and says what was sent.
func TestJSONPrints(t *testing.T) {
	const hostile = "\x7f\u009b" // as many octets as what it replaces
	dir := t.TempDir()
	pcap, keys := filepath.Join(dir, "x.pcap"), filepath.Join(dir, hostile+".mcxkeys")
	b, err := os.ReadFile("../../testdata/pcaps/register-clear.pcap")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pcap, bytes.ReplaceAll(b, []byte("ue1"), []byte(hostile)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keys, []byte("CSK 2abcdef0 000102030405060708090a0b0c0d0e0f\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"read", "--json", pcap}, {"check", "--json", "--fail-on", "never", pcap}, {"sessions", "--json", pcap}, {"keys", "show", "--json", keys}} {
		out, errs, code := call(t, nil, args...)
		said := false
		for line := range strings.Lines(out) {
			for _, r := range strings.TrimSuffix(line, "\n") {
				if !strconv.IsPrint(r) {
					t.Errorf("%v prints %U: %q", args, r, line)
					break
				}
			}
			var v any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Errorf("%v: %v", args, err)
			}
			again, _ := json.Marshal(v)
			said = said || strings.Contains(string(again), hostile)
		}
		if code != exitOK || !said {
			t.Errorf("%v: code %d, %s\n%s", args, code, errs, out)
		}
	}
}
