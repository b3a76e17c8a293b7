package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode"
)

// TestCaptureStorm is TestMutatedCaptures without processes, and so with many more captures, each damaged two to four times over: no
// command panics, tells of a fault, prints a key or JSON that is none. MCXDUMP_STORM says for how long, such as 30m; MCXDUMP_STORM_AT
// takes one capture of a series, as the log of a failure names it: 17/42.
func TestCaptureStorm(t *testing.T) {
	var length time.Duration
	if s := os.Getenv("MCXDUMP_STORM"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	if testing.Short() && length == 0 {
		t.Skip("makes thirty captures with the lab first; go test without -short, as in CI, runs it")
	}
	c := &campaign{t: t, dir: t.TempDir()}
	c.collect()
	series, rounds := uint64(1), 40
	if length > 0 {
		series, rounds = uint64(time.Now().UnixNano()), math.MaxInt
	}
	first := 0
	if at := os.Getenv("MCXDUMP_STORM_AT"); at != "" {
		if _, err := fmt.Sscanf(at, "%d/%d", &series, &first); err != nil {
			t.Fatal(err)
		}
		rounds = first + 1
	}
	began, n, name := time.Now(), 0, ""
	finished := false
	defer func() {
		if !finished {
			t.Logf("%d/%d, %s", series, n, name)
		}
	}()
	path := filepath.Join(c.dir, "x.pcap")
	for n = first; n < rounds; n++ {
		if length > 0 && time.Since(began) > length {
			break
		}
		r := rand.New(rand.NewPCG(series, uint64(n)))
		at := r.IntN(len(c.seeds))
		s, m := c.seeds[at], c.scenes[at]
		for range 2 + r.IntN(3) {
			m = mutate(r, m, c.scenes)
		}
		file := m.file()
		if len(file) > 2<<20 {
			continue
		}
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		views := [][]string{{"read", path, "--json"}, {"read", path, "--tree", "--hex"}, {"read", path}, {"check", path, "--json", "--fail-on", "never"}, {"sessions", path, "--json"}, {"sessions", path, "--tree"},
			{"read", path, "-T", "fields", "-e", "sip.method", "-e", "sip.headers.value", "-e", "mcptt_info.client_id", "-e", "info"}, {"ladder", path, "--user", "sip:"}, {"read", path, "--json", "--all-http", "--redact"}, {"read", path, "-q", "-w", filepath.Join(c.dir, "y.pcapng")}}
		args := views[r.IntN(len(views))]
		if r.IntN(2) == 0 {
			args = append(args, "--keys", s.keys)
		}
		name = fmt.Sprintf("%s %s: %v", s.name, strings.Join(m.names, "+"), args)
		out, errs, code := call(t, nil, args...)
		if code < 0 || code > exitUsage || code == exitUsage && args[0] != "ladder" {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		if strings.Contains(out, decode.FaultID) || strings.Contains(out, "mcxdump fails on") {
			i := strings.Index(out, "mcxdump fails on")
			t.Fatalf("a fault: %.500s", out[max(i, 0):])
		}
		for _, leak := range s.leaks {
			if bytes.Contains([]byte(out), leak) || bytes.Contains([]byte(errs), leak) {
				i := max(strings.Index(out, string(leak)), 0)
				t.Fatalf("a key is shown, %s: %q", leak, out[max(i-600, 0):min(i+100, len(out))])
			}
		}
		if len(args) > 2 && args[2] == "--json" {
			for l := range strings.Lines(out) {
				if !json.Valid([]byte(l)) {
					t.Fatalf("no JSON: %.1000q", l)
				}
			}
		}
		os.Remove(filepath.Join(c.dir, "y.pcapng"))
	}
	finished = true
	if length > 0 {
		fmt.Printf("%d captures\n", n)
	}
}
