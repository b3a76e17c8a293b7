package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Messages whose memory serves others once they are printed, which is overwritten in these tests, read the same as messages
// that are kept for the one who writes frames.
func TestLent(t *testing.T) {
	dir := t.TempDir()
	read := func(args ...string) string {
		var out, errs bytes.Buffer
		if code := run(context.Background(), append([]string{"read"}, args...), nil, &out, &errs); code != 0 && !strings.Contains(strings.Join(args, " "), "truncated") {
			t.Fatalf("%q: exit code %d, %s", args, code, &errs)
		}
		return out.String()
	}
	fields := []string{"-T", "fields", "-E", "occurrence=a"}
	for _, f := range record.Fields() {
		if f.Kind != record.Object && f.Kind != record.Map {
			fields = append(fields, "-e", f.Name)
		}
	}
	captures, err := filepath.Glob("../../testdata/pcaps/*.pcap*")
	if err != nil || len(captures) == 0 {
		t.Fatal(captures, err)
	}
	for _, kind := range []string{"fragments", "tcp", "gtpu", "udp", "mixed", "scenarios", "scenarios over TCP"} {
		name := filepath.Join(dir, kind+".pcap")
		args := []string{"lab", "-w", name, "--seed", "3", "--size", "messages=600"}
		switch kind {
		case "scenarios":
			args = append(args, "--users", "7")
		case "scenarios over TCP":
			args = append(args, "--users", "5", "--domains", "2", "--tcp")
		case "mixed":
			args = append(args, "--size", "messages=150", "--bulk", kind)
		default:
			args = append(args, "--bulk", kind)
		}
		var errs bytes.Buffer
		if code := run(context.Background(), args, nil, &errs, &errs); code != 0 {
			t.Fatal(&errs)
		}
		captures = append(captures, name)
	}
	for _, name := range captures {
		for _, view := range [][]string{{"--workers", "3"}, {"--workers", "1", "-Y", "sip.method == PUBLISH"}, fields, {"-T", "fields", "-e", "sip.call_id", "-e", "sip.from.uri"},
			{"--json", "--workers", "3"}, {"--tree", "--workers", "2"}, {"--json", "-Y", "sip.method == PUBLISH"}} {
			view = append(view, name)
			lent, kept := read(view...), read(append(view, "-w", filepath.Join(dir, "out.pcapng"))...)
			if lent == kept && (!strings.HasPrefix(name, dir) || strings.Count(lent, "\n") > 50) {
				continue
			}
			a, b := strings.Split(lent, "\n"), strings.Split(kept, "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Fatalf("%s %.60q, line %d:\n%.2000s\n%.2000s", name, view, i, a[i], b[i])
				}
			}
			t.Errorf("%s %.60q: %d and %d lines", name, view, len(a), len(b))
		}
	}
}
