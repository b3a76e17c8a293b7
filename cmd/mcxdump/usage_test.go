package main

import (
	"encoding/base64"
	"encoding/hex"
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
		{"time before key periods", []string{"keys", "uid", "--user", "sip:a", "--kms", "k", "--time", "1800-01-01T00:00:00Z"}, "before the first key period"},
		{"unknown body", []string{"decode", "--type", "nosuchbody"}, "--type nosuchbody is unknown; there are media types and data, "},
		{"field in a filter", []string{"read", pcap, "-Y", `sip.methd == "A"`}, "did you mean sip.method"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, code := call(t, []byte("x"), tt.args...)
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

// TestDecodeForms: the text forms of octets are told apart, for every body that may be written in them.
func TestDecodeForms(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"sip", "OPTIONS sip:a@example.org SIP/2.0\r\nCall-ID: x1\r\n\r\n", `"call_id":"x1"`},
		{"mcptt-info", `<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><session-type>chat</session-type></mcptt-Params></mcpttinfo>`, `"session_type":"chat"`},
		{"poc-settings", `<?xml version="1.0"?><poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"><entity id="e1"/></poc-settings>`, `"id":"e1"`},
		{"sdp", "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n", `"session_version":"1"`},
	} {
		b64 := base64.StdEncoding.EncodeToString([]byte(tt.body))
		for form, in := range map[string]string{"raw": tt.body, "hex": hex.EncodeToString([]byte(tt.body)), "base64": b64, "folded base64": b64[:40] + "\n" + b64[40:] + "\n"} {
			for _, args := range [][]string{{"decode", "--json"}, {"decode", "--json", "--type", tt.name}} {
				out, errs, code := call(t, []byte(in), args...)
				if code != exitOK || !strings.Contains(out, tt.want) {
					t.Errorf("%s in %s, %v: exit code %d, %s%s; want %s", tt.name, form, args, code, out, errs, tt.want)
				}
			}
		}
	}
}

// TestReadBackWrongLines: a line that cannot be read is told and passed over (docs/json.md, Reading back).
func TestReadBackWrongLines(t *testing.T) {
	const message = `{"schema":"mcxdump/1","record":"message","number":1,"time":"2024-01-01T00:00:00.000000000Z"}`
	in := "\n" + message + "\ngarbage\n" + strings.Replace(message, `"number":1`, `"number":2`, 1) + "\n" + strings.Repeat("x\n", 20)
	out, errs, code := call(t, []byte(in), "read", "-", "--json")
	if code != exitFailed || strings.Count(out, "\n") != 2 || !strings.Contains(out, `"number":2`) {
		t.Errorf("exit code %d, output %q", code, out)
	}
	if strings.Count(errs, "standard input: line ") != 10 || !strings.Contains(errs, "line 3") || !strings.Contains(errs, "11 more lines could not be read") {
		t.Errorf("errors %q", errs)
	}
}
