package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// httpCaptures show the HTTP half.
var httpCaptures = []string{"chain.pcap", "chain-late.pcap", "chain-servers.pcap", "web-failures.pcap", "http.pcap", "tls.pcapng"}

var (
	reMarked = regexp.MustCompile(`(?m)^ *\[?(.*?)\]?$`)
	reOctets = regexp.MustCompile(`(?m)^(Frames? .*), [0-9]+ octets`)
)

// messages are the lines of each message of a tree. What has no octets in JSON is taken away: the mark of what was
// inferred, the length of the message, and with it the place of a finding among its neighbours.
func messages(tree string) (out []string) {
	for b := range strings.SplitSeq(tree, "\n\n") {
		if strings.HasPrefix(b, "Frame") {
			lines := strings.Split(reOctets.ReplaceAllString(reMarked.ReplaceAllString(strings.TrimSpace(b), "$1"), "$1"), "\n")
			slices.Sort(lines)
			out = append(out, strings.Join(lines, "\n"))
		}
	}
	return out
}

// TestHTTPReadBack: mcxdump's own JSON gives the tree that the capture gives.
func TestHTTPReadBack(t *testing.T) {
	for _, name := range httpCaptures {
		capture, back := "../../testdata/pcaps/"+name, filepath.Join(t.TempDir(), "out.ndjson")
		ndjson, _, code := call(t, nil, "read", capture, "--json")
		if code != exitOK {
			t.Fatal(name, code)
		}
		if err := os.WriteFile(back, []byte(ndjson), 0o600); err != nil {
			t.Fatal(err)
		}
		if again, _, _ := call(t, nil, "read", back, "--json"); again != ndjson {
			t.Errorf("%s: %s", name, firstDifference(again, ndjson))
		}
		tree, _, _ := call(t, nil, "read", capture, "--tree")
		fromJSON, _, _ := call(t, nil, "read", back, "--tree")
		want, got := messages(tree), messages(fromJSON)
		if len(want) == 0 || len(want) != len(got) {
			t.Fatalf("%s: %d messages, %d from JSON", name, len(want), len(got))
		}
		for i := range want {
			if want[i] != got[i] {
				t.Errorf("%s, message %d: %s", name, i+1, firstDifference(got[i], want[i]))
			}
		}
	}
}

// TestHTTPRedact: no identity of a user and no token is in what --redact prints of the HTTP half, in any format, also of
// JSON that is read back.
func TestHTTPRedact(t *testing.T) {
	who := regexp.MustCompile(`(?i)\b(alice|bob|carol|dave)|(?:@|%40)[a-z.]*mc\.example\.org|eyJ[A-Za-z0-9_-]{10,}`)
	formats := [][]string{{"-T", "table", "--check"}, {"--tree"}, {"--tree", "--hex"}, {"--json"},
		{"-T", "fields", "-e", "info", "-e", "http.target", "-e", "http.headers.value", "-e", "http.request.target", "-e", "http.authorization.token", "-e", "idm.client_id",
			"-e", "idm.tokens.token", "-e", "idm.sub", "-e", "idm.redirect_uri", "-e", "xcap.user", "-e", "xcap.document", "-e", "kms.user_uri", "-e", "findings"}}
	check := func(name string, args []string) {
		plain, _, code := call(t, nil, args...)
		if code != exitOK || name != "tls.pcapng" && !who.MatchString(plain) {
			t.Errorf("%v: code %d, and nobody is shown without --redact", args, code)
		}
		out, errs, _ := call(t, nil, append(args, "--redact")...)
		if len(out) < len(plain)/4 {
			t.Errorf("%v: --redact leaves %d of %d octets", args, len(out), len(plain))
		}
		for _, at := range who.FindAllStringIndex(out+errs, 5) {
			t.Errorf("%v --redact: %q", args, (out + errs)[max(0, at[0]-60):min(len(out+errs), at[1]+20)])
		}
	}
	for _, name := range httpCaptures {
		capture, back := "../../testdata/pcaps/"+name, filepath.Join(t.TempDir(), "out.ndjson")
		for _, format := range []string{"--tree", "--json", "--failed=false"} {
			check(name, []string{"sessions", capture, format})
		}
		ndjson, _, _ := call(t, nil, "read", capture, "--json")
		if err := os.WriteFile(back, []byte(ndjson), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{capture, back} {
			for _, format := range formats {
				check(name, append([]string{"read", from}, format...))
			}
		}
	}
}
