package decode

import (
	"context"
	"os"
	"testing"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// benchUnits are messages of the capture that MCXDUMP_BENCH names, or of one of the repository.
func benchUnits(b *testing.B, most int) (units []flow.Unit, size int64) {
	name := os.Getenv("MCXDUMP_BENCH")
	if name == "" {
		name = "../testdata/pcaps/publish-protected.pcap"
	}
	src, err := capture.Open([]string{name}, capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	Run(ctx, src, Options{Workers: 1, Units: func(u *flow.Unit) {
		if len(units) == most {
			cancel()
			return
		}
		units = append(units, *u)
		size += int64(len(u.Data))
	}}, discard{})
	if len(units) == 0 {
		b.Fatal("no messages")
	}
	return units, size
}

// named is the set of fields with these names.
func named(names ...string) (w record.Want) {
	for _, n := range names {
		ref, ok := record.Lookup(n)
		if !ok {
			panic(n)
		}
		w.Add(ref.Field)
	}
	return w
}

// lineWant is what one line a message wants.
func lineWant() record.Want {
	line := named("sip.method", "sip.status", "sip.reason", "sip.request_uri", "http.method", "http.status", "http.reason", "http.target")
	for _, f := range record.Fields() {
		if f.Kind == record.Protected {
			line.Add(f)
		}
	}
	return line
}

// BenchmarkMessage is one worker on framed messages: from octets to a record, for what each view wants.
func BenchmarkMessage(b *testing.B) {
	units, size := benchUnits(b, 2000)
	for _, v := range []struct {
		name string
		opt  Options
	}{
		{"line", Options{Want: lineWant()}},
		{"fields", Options{FieldsOnly: true, Want: named("sip.call_id", "sip.method", "sip.from.uri", "sip.to.tag", "sip.cseq.number", "sip.via.branch", "sip.contact.uri", "sip.status", "sip.expires", "sip.content_type")}},
		{"all", Options{Want: record.All()}},
		{"checks", Options{Want: record.All(), Checks: &CheckConfig{}}},
	} {
		b.Run(v.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			v.opt.Limits = v.opt.Limits.withDefaults()
			w := newWorker(&v.opt)
			nodes := 0
			for b.Loop() {
				nodes = 0
				for i := range units {
					nodes += len(w.message(context.Background(), &units[i], uint64(i+1)).Nodes)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(units)), "ns/message")
			b.ReportMetric(float64(nodes)/float64(len(units)), "nodes/message")
		})
	}
}
