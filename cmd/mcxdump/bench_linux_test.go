package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkAgainstTshark runs tshark and mcxdump in turns over the same synthetic captures, whole processes, output
// thrown away, and reports how many times the CPU time and the wall time tshark takes. It takes minutes, so it runs only
// when MCXDUMP_TSHARK holds a number of messages; MCXDUMP_TSHARK_SEED and MCXDUMP_TSHARK_KINDS choose the captures
// (internal/lab/against-tshark).
func BenchmarkAgainstTshark(b *testing.B) {
	messages, err := strconv.Atoi(os.Getenv("MCXDUMP_TSHARK"))
	if err != nil {
		b.Skip("MCXDUMP_TSHARK holds no number")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		b.Skip(err)
	}
	dir := b.TempDir()
	bin := filepath.Join(dir, "mcxdump")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	ten := []string{"-T", "fields"}
	for _, f := range strings.Fields("frame.number frame.time_epoch ip.src ip.dst sip.Call-ID sip.Method sip.from.addr sip.to.addr sip.Status-Code sip.CSeq.seq") {
		ten = append(ten, "-e", f)
	}
	ours := []string{"-T", "fields"}
	for _, f := range strings.Fields("number time src.ip dst.ip sip.call_id sip.method sip.from.uri sip.to.uri sip.status sip.cseq.number") {
		ours = append(ours, "-e", f)
	}
	views := []struct {
		name            string
		tshark, mcxdump []string
	}{
		{"line", []string{"-Y", "sip"}, nil},
		{"fields", append(ten, "-Y", "sip"), ours},
		{"json", []string{"-T", "json", "-Y", "sip"}, []string{"--json"}},
		{"tree", []string{"-V", "-Y", "sip"}, []string{"--tree"}},
	}
	seed, kinds := "7", "fragments tcp gtpu mixed"
	if s := os.Getenv("MCXDUMP_TSHARK_SEED"); s != "" {
		seed = s
	}
	if s := os.Getenv("MCXDUMP_TSHARK_KINDS"); s != "" {
		kinds = s
	}
	for _, kind := range strings.Fields(kinds) {
		name, size := filepath.Join(dir, kind+".pcap"), messages
		if kind == "mixed" {
			size /= 20 // one frame in a hundred is signalling
		}
		if code := run(context.Background(), []string{"lab", "-w", name, "--seed", seed, "--bulk", kind, "--size", "messages=" + strconv.Itoa(size)}, nil, io.Discard, io.Discard); code != 0 {
			b.Fatal(kind, code)
		}
		for _, v := range views {
			b.Run(kind+"/"+v.name, func(b *testing.B) {
				theirs, mine := cost{cpu: time.Hour, wall: time.Hour}, cost{cpu: time.Hour, wall: time.Hour}
				for b.Loop() {
					theirs.best(b, "tshark", append([]string{"-r", name}, v.tshark...)...)
					for range 3 { // the shorter run is the more easily disturbed
						mine.best(b, bin, append([]string{"read", name}, v.mcxdump...)...)
					}
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(theirs.cpu.Seconds()/mine.cpu.Seconds(), "cpu-ratio")
				b.ReportMetric(theirs.wall.Seconds()/mine.wall.Seconds(), "wall-ratio")
				b.ReportMetric(float64(theirs.peak)/1024, "tshark-MiB")
				b.ReportMetric(float64(mine.peak)/1024, "mcxdump-MiB")
			})
		}
	}
}

// cost is what the cheapest of several runs took, and the largest memory of any.
type cost struct {
	cpu, wall time.Duration
	peak      int64 // KiB
}

func (c *cost) best(b *testing.B, name string, args ...string) {
	b.Helper()
	cmd := exec.Command(name, args...)
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatal(fmt.Errorf("%s %q: %w", name, args, err))
	}
	c.wall = min(c.wall, time.Since(start))
	c.cpu = min(c.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.peak = max(c.peak, int64(u.Maxrss)) // 32 bits wide on 386
	}
}
