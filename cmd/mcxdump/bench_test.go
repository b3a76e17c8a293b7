package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"

	"github.com/mcxdump/mcxdump/internal/lab"
)

// BenchmarkRead is the whole road on one capture, from octets to printed records, per format. The environment variable
// MCXDUMP_BENCH names another capture than the built-in one.
func BenchmarkRead(b *testing.B) {
	name := os.Getenv("MCXDUMP_BENCH")
	if name == "" {
		var capture bytes.Buffer
		for _, c := range lab.Captures() {
			if c.Name == "publish-protected.pcap" {
				if err := c.Write(&capture); err != nil {
					b.Fatal(err)
				}
			}
		}
		// The same frames many times over: a header, then records.
		file := bytes.Repeat(capture.Bytes()[24:], 2000)
		file = append(append([]byte(nil), capture.Bytes()[:24]...), file...)
		name = b.TempDir() + "/bench.pcap"
		if err := os.WriteFile(name, file, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	size := int64(0)
	if st, err := os.Stat(name); err != nil {
		b.Fatal(err)
	} else {
		size = st.Size()
	}
	for _, args := range [][]string{{"table"}, {"fields", "-e", "sip.call_id", "-e", "sip.method", "-e", "sip.from.uri"}, {"json"}, {"tree"}} {
		b.Run(args[0], func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			for b.Loop() {
				if code := run(context.Background(), append([]string{"read", name, "-T"}, args...), nil, io.Discard, io.Discard); code != 0 {
					b.Fatal(code)
				}
			}
		})
	}
}
