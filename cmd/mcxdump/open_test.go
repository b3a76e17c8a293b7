package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// What is printed before the tracker has spoken, and completed afterwards, is the same as what was held back and printed
// whole. A filter that looks at sessions has records held.
func TestOpenRecords(t *testing.T) {
	files, err := filepath.Glob("../../testdata/pcaps/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatal("no captures", err)
	}
	read := func(args ...string) string {
		var out, errs bytes.Buffer
		run(context.Background(), append([]string{"read"}, args...), nil, &out, &errs)
		return out.String()
	}
	const always = `session.kind == "none" or number >= 0 or record == "finding" or record == "summary"`
	sessions, said := 0, 0
	for _, f := range files {
		for _, format := range []string{"json", "tree"} {
			open, whole := read("-T", format, f), read("-T", format, "-Y", always, f)
			if open != whole {
				a, b := strings.Split(open, "\n"), strings.Split(whole, "\n")
				for i := range min(len(a), len(b)) {
					if a[i] != b[i] {
						t.Errorf("%s, %s, line %d:\n%s\n%s", f, format, i+1, a[i], b[i])
						break
					}
				}
			}
			sessions += strings.Count(open, `"session":{`)
			said += strings.Count(open, `"id":"REG-`) + strings.Count(open, `"id":"PUB-`)
		}
	}
	if sessions < 20 || said < 3 {
		t.Error("only", sessions, "messages with a session and", said, "findings of one")
	}
}
