package decode

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// capturedUnits are the SIP messages of the repository's captures.
func capturedUnits(t testing.TB) (units []flow.Unit) {
	files, err := filepath.Glob("../testdata/pcaps/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatal("no captures", err)
	}
	for _, name := range files {
		src, err := capture.Open([]string{name}, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		Run(context.Background(), src, Options{Workers: 1, Units: func(u *flow.Unit) {
			if u.HTTP == nil {
				units = append(units, *u)
			}
		}}, discard{})
		src.Close()
	}
	return units
}

// damaged is a message with a few changes.
func damaged(rnd *rand.Rand, b []byte) []byte {
	words := []string{"<", ">", "&amp;", "\"", ";", ",", "\r\n", "--", "\x00", "\xff", "A", "=", " ", "message/sip", "<a/>", "Content-Type: text/plain\r\n", "eyJhIjoxfQ.e30.AA"}
	b = bytes.Clone(b)
	for range rnd.IntN(4) {
		at := rnd.IntN(len(b))
		switch rnd.IntN(3) {
		case 0:
			b[at] = byte(rnd.IntN(256))
		case 1:
			b = append(b[:at:at], append([]byte(words[rnd.IntN(len(words))]), b[at:]...)...)
		default:
			b = append(b[:at:at], b[min(len(b), at+1+rnd.IntN(8)):]...)
		}
		if len(b) == 0 {
			return []byte("x")
		}
	}
	return b
}

// differ names the first member in which two records differ.
func differ(a, b *record.Record) string {
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range x.NumField() {
		if m := x.Field(i); m.Kind() == reflect.Slice && m.Len() == 0 && y.Field(i).Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			return x.Type().Field(i).Name
		}
	}
	return ""
}

// A worker says of every message what one says that has seen no other: nothing that it keeps shows. Nor does it show when a
// view wants the start line only and the rest of the header is passed over.
func TestWorkerMemory(t *testing.T) {
	units := capturedUnits(t)
	line := lineWant()
	fields := named("sip.call_id", "sip.from.uri", "sip.to.tag", "sip.via.branch", "sip.contact.params", "sip.content_type")
	rounds := 4000
	if testing.Short() {
		rounds = 800
	}
	for _, v := range []struct {
		name string
		opt  Options
	}{
		{"line", Options{Want: line}}, {"fields", Options{FieldsOnly: true, Want: fields}}, {"all", Options{Want: record.All(), Checks: &CheckConfig{}}},
	} {
		t.Run(v.name, func(t *testing.T) {
			v.opt.Limits = v.opt.Limits.withDefaults()
			w := newWorker(&v.opt)
			if w.lean != (v.name == "line") || w.skim != (v.name == "fields") {
				t.Fatalf("lean %v, skim %v", w.lean, w.skim)
			}
			rnd := rand.New(rand.NewPCG(1, 9))
			nodes, findings := 0, 0
			for i := range rounds {
				u := units[rnd.IntN(len(units))]
				u.Data = damaged(rnd, u.Data)
				fresh := newWorker(&v.opt)
				fresh.start, fresh.lean = false, false
				got, want := w.message(context.Background(), &u, uint64(i)), fresh.message(context.Background(), &u, uint64(i))
				if what := differ(got, want); what != "" {
					t.Fatalf("%s of %q", what, u.Data)
				}
				nodes, findings = nodes+len(got.Nodes), findings+len(got.Findings)
			}
			if nodes < rounds || findings == 0 {
				t.Error(nodes, "nodes,", findings, "findings")
			}
		})
	}
}
