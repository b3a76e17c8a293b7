package main

import (
	"strings"
	"testing"
)

// TestWrongUse holds wrong use to exit code 2 and to one sentence that helps.
func TestWrongUse(t *testing.T) {
	const pcap = "../../testdata/pcaps/warnings.pcap"
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown command", []string{"nosuchcommand"}, `unknown command "nosuchcommand"`},
		{"unknown command of keys", []string{"keys", "nosuchcommand"}, `unknown command "nosuchcommand"`},
		{"key without =", []string{"read", pcap, "--csk", "zz"}, "--csk: no =; expected ID=HEX or ID=HEX@URI"},
		{"short key", []string{"read", pcap, "--csk", "2abcdef0=00"}, "expected ID=HEX or ID=HEX@URI"},
		{"workers below zero", []string{"read", pcap, "--workers", "-3"}, "--workers is at least 1"},
		{"no field like it", []string{"fields", "qqqqqqqq"}, "mcxdump fields lists them all"},
		{"field in a filter", []string{"read", pcap, "-Y", `sip.methd == "A"`}, "did you mean sip.method"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, code := call(t, nil, tt.args...)
			if code != exitUsage || out != "" || strings.Count(errs, tt.want) != 1 {
				t.Errorf("exit code %d, output %q, errors %q; want %d, nothing, and once %q", code, out, errs, exitUsage, tt.want)
			}
		})
	}
}

// TestExplainNothing: a number beyond the last message is said to be so.
func TestExplainNothing(t *testing.T) {
	_, errs, code := call(t, nil, "read", "../../testdata/pcaps/warnings.pcap", "--explain", "11")
	if want := "--explain 11: there are 10 messages"; code != exitFailed || !strings.Contains(errs, want) {
		t.Errorf("exit code %d, errors %q; want %d and %q", code, errs, exitFailed, want)
	}
}
