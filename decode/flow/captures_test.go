package flow_test

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/pcapng"
	"github.com/mcxdump/mcxdump/sipparse"
)

const captures = "../../../shared/pcaps/sip"

type sink struct {
	units    []*flow.Unit
	findings []record.Finding
}

func (s *sink) Unit(u *flow.Unit)                        { v := *u; s.units = append(s.units, &v) }
func (s *sink) Finding(f record.Finding, _ flow.Context) { s.findings = append(s.findings, f) }

// needData skips where the folder is absent, which continuous integration must not do.
func needData(t testing.TB, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// readCapture runs a file through a decoder.
func readCapture(t testing.TB, path string, cfg flow.Config) (*sink, flow.Stats) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapng.NewReader(bufio.NewReader(f), pcapng.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var s sink
	d := flow.New(cfg, &s)
	var p pcapng.Packet
	for n := uint64(1); ; n++ {
		if err := r.Next(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		d.Frame(&flow.Frame{Number: n, Time: p.Time, Data: p.Data, Orig: p.Orig, Link: p.Link, File: filepath.Base(path)})
	}
	d.Flush()
	return &s, d.Stats()
}

// differs lists the captures in which this package finds another number of messages than tshark, and why.
var differs = map[string]struct {
	units int
	why   string
}{}

// TestCaptures compares the number of messages in each real capture with the table of its README.
func TestCaptures(t *testing.T) {
	table := filepath.Join(captures, "README.md")
	needData(t, table)
	b, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(b)) {
		cell := strings.Split(line, "|")
		if len(cell) < 7 || !strings.Contains(cell[1], ".pcap") {
			continue
		}
		rows++
		name := strings.TrimSpace(cell[1])
		want, err := strconv.Atoi(strings.TrimSpace(cell[5]))
		if err != nil {
			t.Fatal(line)
		}
		t.Run(name, func(t *testing.T) {
			s, st := readCapture(t, filepath.Join(captures, name), flow.Config{})
			if x, ok := differs[name]; ok {
				want = x.units
			}
			for _, u := range s.units {
				var m sipparse.Message
				if err := m.Parse(u.Data, sipparse.Options{Datagram: !u.Stream}); err != nil {
					t.Errorf("frames %v: %v: %q", u.Frames, err, u.Data[:min(len(u.Data), 80)])
				}
				if len(u.Segments) == 0 || u.Segments[0].Off != 0 || len(u.Frames) == 0 {
					t.Errorf("frames %v segments %v", u.Frames, u.Segments)
				}
				for _, f := range u.Findings {
					t.Logf("frames %v: %s %s", u.Frames, f.ID, f.Message)
				}
			}
			for _, f := range s.findings {
				t.Logf("%s %s %v", f.ID, f.Message, f.Frames)
			}
			if len(s.units) != want {
				var frames [][]uint64
				for _, u := range s.units {
					frames = append(frames, u.Frames)
				}
				t.Errorf("%d messages, want %d: frames %v\n%+v", len(s.units), want, frames, st)
			}
		})
	}
	if rows < 20 {
		t.Fatalf("only %d rows in the table", rows)
	}
}
