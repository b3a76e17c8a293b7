package main

import (
	"encoding/xml"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/output"
	"github.com/mcxdump/mcxdump/output/schematest"
)

// TestCheckOutputs runs check over every capture of the repository: each line of JSON fits the published schema, JUnit is
// XML, one worker and many say the same because JSON comes in capture order, and a baseline accepts all that it lists.
func TestCheckOutputs(t *testing.T) {
	published, err := os.ReadFile("../../docs/schema/mcxdump.check-1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(published) != string(output.CheckSchemaJSON()) {
		t.Error("docs/schema/mcxdump.check-1.schema.json is not what output gives: run go generate ./...")
	}
	schema, err := schematest.New(published)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	total := 0
	for _, c := range lab.Captures() {
		if strings.HasPrefix(c.Name, "shape-") {
			continue // the message is the same in all of them
		}
		path := "../../testdata/pcaps/" + c.Name
		out, errs, code := call(t, nil, "check", path, "--json", "--fail-on", "never")
		if code != exitOK && c.Name != "truncated.pcap" {
			t.Errorf("%s: code %d: %s", c.Name, code, errs)
		}
		for line := range strings.Lines(out) {
			total++
			if err := schema.Validate([]byte(line)); err != nil {
				t.Errorf("%s: a finding breaks the schema: %v\n%s", c.Name, err, line)
			}
		}
		report, _, _ := call(t, nil, "check", path, "--junit", "-")
		d := xml.NewDecoder(strings.NewReader(report))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
		}
		base := dir + "/" + c.Name
		call(t, nil, "check", path, "--write-baseline", base)
		after, _, code := call(t, nil, "check", path, "--baseline", base, "--fail-on", "note")
		if code == exitFindings || !strings.Contains(after, "0 errors, 0 warnings, 0 notes") {
			t.Errorf("%s: code %d with its own baseline:\n%s", c.Name, code, after)
		}
	}
	if total < 20 {
		t.Errorf("%d findings in all captures", total)
	}
}

func TestFingerprint(t *testing.T) {
	f := func(m string) string { return fingerprint(&checkFinding{ID: "X-01", Message: m}) }
	same := [][2]string{{`it is "a\"b" 5 s`, `it is "c" 17 s`}, {"key 2abcdef0", "key 20000000"}, {`"1"`, `"2"`}}
	for _, s := range same {
		if f(s[0]) != f(s[1]) {
			t.Errorf("%q and %q differ", s[0], s[1])
		}
	}
	if f("a missing") == f("b missing") {
		t.Error("two sentences have one fingerprint")
	}
}

func TestCheckCodes(t *testing.T) {
	const dir = "../../testdata/pcaps/"
	for _, c := range []struct {
		args string
		want int
	}{
		{dir + "failures.pcap", exitFindings},
		{dir + "failures.pcap --fail-on never", exitOK},
		{dir + "register-clear.pcap", exitOK},
		{dir + "register-clear.pcap --fail-on warning", exitFindings},
		{dir + "failures.pcap --write-baseline -", exitOK},
		{dir + "truncated.pcap", exitFailed},
		{dir + "nobody.pcap", exitFailed},
		{dir + "failures.pcap --jwks " + dir + "nobody.json", exitFailed},
		{dir + "failures.pcap --baseline " + dir + "nobody.txt", exitFailed},
		{dir + "failures.pcap --integrity 1", exitUsage},
		{"", exitUsage},
	} {
		if out, errs, code := call(t, nil, append([]string{"check"}, strings.Fields(c.args)...)...); code != c.want {
			t.Errorf("check %s: code %d, want %d\n%s%s", c.args, code, c.want, out, errs)
		}
	}
}
