package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Fields of the header are the same whether bodies were read or, as nobody asks for them, left alone. Asking for the
// words as well makes the bodies be read.
func TestFieldsOnly(t *testing.T) {
	files, err := filepath.Glob("../../testdata/pcaps/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatal("no captures", err)
	}
	args := []string{"read", "-T", "fields", "-E", "occurrence=a", "-e", "number", "-e", "time", "-e", "src.ip", "-e", "frames"}
	n := 0
	for _, f := range record.Fields() {
		if strings.HasPrefix(f.Name, "sip.") && f.Kind != record.Object && f.Kind != record.Map {
			args = append(args, "-e", f.Name)
			n++
		}
	}
	if n < 30 {
		t.Fatal("only", n, "fields")
	}
	read := func(args ...string) string {
		var out, errs bytes.Buffer
		run(context.Background(), args, nil, &out, &errs)
		return out.String()
	}
	seen := false
	for _, f := range files {
		fast := read(append(args, f)...)
		slow := strings.SplitAfter(read(append(args, "-e", "info", f)...), "\n")
		for i, l := range slow {
			if cut := strings.LastIndexByte(l, '\t'); cut >= 0 {
				seen = seen || len(l) > cut+2
				slow[i] = l[:cut] + "\n"
			}
		}
		if s := strings.Join(slow, ""); s != fast {
			t.Errorf("%s: the fields differ\n%s\n%s", f, fast, s)
		}
	}
	if !seen {
		t.Error("no capture has words")
	}
}
