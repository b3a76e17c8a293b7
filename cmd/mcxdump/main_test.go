package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/output"
	"github.com/mcxdump/mcxdump/output/schematest"
)

var update = flag.Bool("update", false, "write the goldens")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mcxdump": main, "ranges": ranges})
}

func TestScripts(t *testing.T) {
	pcaps, err := filepath.Abs("../../testdata/pcaps")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PCAPS", pcaps)
			e.Setenv("NO_COLOR", "")
			return nil
		},
	})
}

// call runs the program in process.
func call(t *testing.T, stdin []byte, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, bytes.NewReader(stdin), &out, &errs)
	return out.String(), errs.String(), code
}

// knownAnswer are the captures that testdata/pcaps/known-answer.mcxkeys opens.
var knownAnswer = map[string]bool{"register-protected": true, "register-confidentiality": true, "register-integrity": true, "publish-protected": true,
	"migration-protected": true, "third-party-register": true, "tcp-disorder": true, "sctp": true, "websocket": true}

// TestOpened looks at what matters in the opened captures: every protected element decrypted, every signature valid.
func TestOpened(t *testing.T) {
	for name := range knownAnswer {
		path := "../../testdata/pcaps/" + name + ".pcap"
		for _, more := range [][]string{nil, {"--one-pass"}, {"--workers", "1"}, {"--workers", "5", "--one-pass"}} {
			args := append([]string{"read", "--json", path, "--keys", "../../testdata/pcaps/known-answer.mcxkeys"}, more...)
			out, errs, code := call(t, nil, args...)
			if code != exitOK {
				t.Fatalf("%s: code %d: %s", name, code, errs)
			}
			for _, bad := range []string{`"state":"no_key"`, `"state":"failed"`, `"state":"invalid"`, `"state":"unresolved"`, `"digest":"mismatch"`} {
				if strings.Contains(out, bad) {
					t.Errorf("%s %v has %s", name, more, bad)
				}
			}
			if !strings.Contains(out, `"key":{"state":"recovered"`) || !strings.Contains(out, `"signature":{"state":"valid"}`) {
				t.Errorf("%s %v: the I_MESSAGE is not recovered and verified", name, more)
			}
		}
	}
}

// TestGoldens holds every capture of the repository in every format to what it printed last, and the count of messages
// to what the lab says it wrote.
func TestGoldens(t *testing.T) {
	published, err := os.ReadFile("../../docs/schema/mcxdump-1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if want := output.SchemaJSON(record.Fields()); string(want) != string(published) {
		t.Error("docs/schema/mcxdump-1.schema.json is not what the register gives: run go generate ./...")
	}
	schema, err := schematest.New(published)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range lab.Captures() {
		t.Run(c.Name, func(t *testing.T) {
			t.Chdir("../..")
			path := "testdata/pcaps/" + c.Name
			formats := []string{"table", "json", "tree"}
			if strings.HasPrefix(c.Name, "shape-") {
				formats = formats[:1] // the message is the same in all of them
			}
			wantCode := exitOK
			if c.Name == "truncated.pcap" {
				wantCode = exitFailed
			}
			opened := knownAnswer[strings.TrimSuffix(c.Name, ".pcap")]
			if opened {
				formats = append(formats, "opened.table", "opened.json", "opened.tree")
			}
			for _, name := range formats {
				format := strings.TrimPrefix(name, "opened.")
				args := []string{"read", "-T", format, path}
				if format == "tree" {
					args = append(args, "--hex")
				}
				if name != format {
					args = append(args, "--keys", "testdata/pcaps/known-answer.mcxkeys")
				}
				got, errs, code := call(t, nil, args...)
				if code != wantCode {
					t.Errorf("-T %s ends with code %d, want %d: %s", format, code, wantCode, errs)
				}
				golden := filepath.Join("cmd/mcxdump/testdata/golden", c.Name+"."+name)
				if *update {
					if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatalf("%v (run with -update)", err)
				}
				if got != string(want) {
					t.Errorf("-T %s differs from %s:\n%s", format, golden, firstDifference(got, string(want)))
				}
				if format == "json" {
					for line := range strings.Lines(got) {
						if err := schema.Validate([]byte(line)); err != nil {
							t.Errorf("a record breaks the published schema: %v\n%s", err, line)
						}
					}
					if n := strings.Count(got, `"record":"message"`); n != c.Messages {
						t.Errorf("%d messages, the lab wrote %d", n, c.Messages)
					}
				}
			}
			one, _, _ := call(t, nil, "read", "--json", "--workers", "1", path)
			many, _, _ := call(t, nil, "read", "--json", "--workers", "7", path)
			if one != many {
				t.Errorf("one worker and seven differ:\n%s", firstDifference(one, many))
			}
		})
	}
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return "line " + strconv.Itoa(i+1) + "\n got " + as[i] + "\nwant " + bs[i]
		}
	}
	return "lengths " + strconv.Itoa(len(as)) + " and " + strconv.Itoa(len(bs)) + " lines"
}

// TestReadBack reads our own JSON and prints it again: the same octets.
func TestReadBack(t *testing.T) {
	for _, c := range lab.Captures() {
		first, _, _ := call(t, nil, "read", "--json", "../../testdata/pcaps/"+c.Name)
		again, errs, code := call(t, []byte(first), "read", "--json", "-")
		if code != exitOK || again != first {
			t.Errorf("%s: code %d, %s\n%s", c.Name, code, errs, firstDifference(again, first))
		}
	}
}

// TestNoSecrets looks for the signature part of every token and for key octets in every output.
func TestNoSecrets(t *testing.T) {
	for _, c := range lab.Captures() {
		raw, err := os.ReadFile("../../testdata/pcaps/" + c.Name)
		if err != nil {
			t.Fatal(err)
		}
		secrets := append(tokenSignatures(raw), webSecrets(raw)...)
		if c.Name == "chain.pcap" && len(webSecrets(raw)) < 10 {
			t.Fatalf("the test finds %d secrets of the HTTP half in a capture that has more", len(webSecrets(raw)))
		}
		if c.Name == "register-clear.pcap" && len(secrets) == 0 {
			t.Fatal("the test finds no token in a capture that has one")
		}
		for _, args := range [][]string{{"-T", "table"}, {"--tree", "--hex"}, {"--json"}, {"-T", "fields", "-e", "mcptt_info.access_token", "-e", "sip.headers.value"}, {"--json", "--redact"}} {
			out, errs, _ := call(t, nil, append([]string{"read", "../../testdata/pcaps/" + c.Name}, args...)...)
			for _, s := range secrets {
				if strings.Contains(out+errs, s) {
					t.Errorf("%s %v prints the signature of a token", c.Name, args)
				}
				if hexed := hexOf(s); strings.Contains(strings.ReplaceAll(out, " ", ""), hexed) {
					t.Errorf("%s %v prints the signature of a token in hex", c.Name, args)
				}
			}
		}
		if strings.HasPrefix(c.Name, "chain") {
			out, _, _ := call(t, nil, "read", "../../testdata/pcaps/"+c.Name, "--json", "--redact")
			for _, who := range []string{"alice", "bob", "carol"} {
				if i := strings.Index(out, who); i >= 0 {
					t.Errorf("%s --redact shows %s: %q", c.Name, who, out[max(0, i-40):i+40])
				}
			}
		}
		if len(secrets) > 0 {
			out, _, _ := call(t, nil, "read", "../../testdata/pcaps/"+c.Name, "--json", "--show-secrets")
			if !strings.Contains(out, secrets[0]) && !strings.Contains(c.Name, "malformed") {
				t.Errorf("%s: --show-secrets shows no token", c.Name)
			}
		}
	}
}

// webSecrets are the keys (but PVT, which every signature shows), codes, passwords and refresh tokens of KMS documents, forms and JSON, as far as they stand in
// one frame.
func webSecrets(b []byte) (out []string) {
	for _, m := range webSecret.FindAllSubmatch(b, -1) {
		for _, s := range m[1:] {
			if len(s) > 0 {
				out = append(out, string(s))
			}
		}
	}
	return out
}

var webSecret = regexp.MustCompile(`<(?:UserDecryptKey|UserSigningKeySSK)[^>]*>([0-9a-f]{64})` +
	`|[?&]?(?:code|code_verifier|password|refresh_token)=([A-Za-z0-9_-]{12,})|"refresh_token":"([^"]{12,})"`)

func tokenSignatures(b []byte) []string {
	var out []string
	for s := string(b); ; {
		i := strings.Index(s, "eyJ")
		if i < 0 {
			return out
		}
		s = s[i:]
		end := strings.IndexFunc(s, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
		})
		if end < 0 {
			end = len(s)
		}
		if parts := strings.Split(s[:end], "."); len(parts) == 3 && len(parts[2]) > 40 {
			out = append(out, parts[2])
		}
		s = s[min(end+1, len(s)):]
	}
}

func hexOf(s string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := range min(len(s), 16) {
		b.WriteByte(digits[s[i]>>4])
		b.WriteByte(digits[s[i]&15])
	}
	return b.String()
}
