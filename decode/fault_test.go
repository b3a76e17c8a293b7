package decode

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// Everything else in these tests must see a panic as one.
func init() { trapFaults = false }

// mixed is a source of SIP messages with a text body, the second of which says what makes the dissector of text fail.
type mixed struct{ datagrams }

func (d *mixed) Next(f *capture.Frame) error {
	if err := d.datagrams.Next(f); err != nil {
		return err
	}
	body := "harmless"
	if d.at == 2 {
		body = "mischief"
	}
	head := strings.ReplaceAll(string(f.Data[28:]), "OPTIONS", "MESSAGE")
	text := strings.Replace(head, "Content-Length: 0", "Content-Type: text/plain\r\nContent-Length: 8", 1) + body
	b := f.Data[:28]
	b[2], b[3] = byte((28+len(text))>>8), byte(28+len(text))
	b[24], b[25] = byte((8+len(text))>>8), byte(8+len(text))
	f.Data, f.Orig = append(b, text...), uint32(28+len(text))
	return nil
}

// told is a sink of a line for each record: number, fields, findings.
type told struct{ strings.Builder }

func (s *told) Encode(dst []byte, r *record.Record) []byte {
	if r.Type != record.Message {
		return dst
	}
	dst = fmt.Appendf(dst, "%d", r.Number)
	for i := range r.Nodes {
		switch r.Nodes[i].Field {
		case fSIPMethod, textField:
			dst = fmt.Appendf(dst, " %s", r.Nodes[i].Str)
		}
	}
	for _, f := range r.Findings {
		dst = fmt.Appendf(dst, " %v %s %s", f.Severity, f.ID, f.Message)
	}
	return append(dst, '\n')
}

func (s *told) Write(b []byte) error { s.Builder.Write(b); return nil }

// TestFault: a message that a dissector fails on is told of, by its place in the code, with its header fields; those before and
// behind it are as ever.
func TestFault(t *testing.T) {
	trapFaults = true
	bt := bodyByType("text/plain")
	whole := bt.Dissect
	defer func() { trapFaults, bt.Dissect = false, whole }()
	tracked := false
	bt.Dissect = func(c *Context, p *Part) {
		if i := len("mischief"); string(p.Data) == "mischief" && p.Data[i] == 0 {
			c.Say("never")
		}
		if c.opt.Checks == nil || c.opt.Tracker != nil != tracked {
			t.Error("the worker goes on with less")
		}
		whole(c, p)
	}
	for _, workers := range []int{1, 3} {
		for _, tracked = range []bool{false, true} {
			var s told
			opt := Options{Want: record.All(), Workers: workers, Checks: &CheckConfig{}}
			if tracked {
				opt.Tracker = plainTracker{&stopping{}}
			}
			sum, err := Run(context.Background(), &mixed{datagrams{n: 4, told: true}}, opt, &s)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(s.String()), "\n")
			if len(lines) != 4 || sum.work.Errors != 1 || sum.work.Messages != 4 {
				t.Fatalf("%d errors in %q", sum.work.Errors, lines)
			}
			for i, l := range lines {
				want := fmt.Sprint(i+1, " MESSAGE harmless")
				if i == 1 {
					want = "2 MESSAGE error internal-fault mcxdump fails on this message, at decode.TestFault.func2 (fault_test.go:"
					if !strings.Contains(l, "): index out of range [8] with length 8; no more than its header fields are shown.") {
						t.Error(l)
					}
				}
				if !strings.HasPrefix(l, want) {
					t.Errorf("workers %d, tracked %v: %q, want %q", workers, tracked, l, want)
				}
			}
		}
	}
}

// brittle is a sink that fails on the second message's words, and a tracker that fails on the third's event.
type brittle struct{ told }

func (s *brittle) Encode(dst []byte, r *record.Record) []byte {
	if r.Number == 2 && len(r.Nodes) > 0 {
		panic("secret")
	}
	return s.told.Encode(dst, r)
}

func (s *brittle) Read(r *record.Record) any {
	if r.Number == 3 {
		panic("secret")
	}
	return r.Number
}

func (s *brittle) Add(ev any, b *record.Builder) []record.Finding {
	if ev.(uint64) == 4 {
		panic("secret")
	}
	return nil
}

// TestFaultElsewhere: printing and following a session can fail too.
func TestFaultElsewhere(t *testing.T) {
	trapFaults = true
	defer func() { trapFaults = false }()
	var s brittle
	sum, err := Run(context.Background(), &mixed{datagrams{n: 4, told: true}}, Options{Want: record.All(), Workers: 1, Tracker: &s}, &s)
	lines := strings.Split(strings.TrimSpace(s.String()), "\n")
	if err != nil || len(lines) != 4 || sum.work.Errors != 3 {
		t.Fatalf("%d errors, %v: %q", sum.work.Errors, err, lines)
	}
	for i, want := range []string{"1 MESSAGE harmless",
		"2 error internal-fault mcxdump fails on this message, printing it at decode.(*brittle).Encode (fault_test.go:",
		"3 MESSAGE harmless error internal-fault mcxdump fails on this message, following its session at decode.(*brittle).Read (",
		"4 MESSAGE harmless error internal-fault mcxdump fails on this message, following its session at decode.(*brittle).Add ("} {
		if !strings.HasPrefix(lines[i], want) || strings.Contains(lines[i], "secret") {
			t.Errorf("%q, want %q", lines[i], want)
		}
	}
	bt := bodyByType("text/plain")
	whole := bt.Dissect
	defer func() { bt.Dissect = whole }()
	bt.Dissect = func(*Context, *Part) { panic("secret") }
	if r := Body(context.Background(), "text/plain", []byte("x"), time.Unix(0, 0), Options{Want: record.All()}); len(r.Findings) != 1 || r.Findings[0].ID != FaultID || string(r.Sources[0].Data) != "x" {
		t.Errorf("%+v", r)
	}
}

// TestFaultTwice: where the header fields cannot be read either, the octets are there, and what a panic holds is not said.
func TestFaultTwice(t *testing.T) {
	trapFaults = true
	field := fSIPFrom
	defer func() { trapFaults, fSIPFrom = false, field }()
	var want record.Want
	want.Add(fSIPMethod, fSIPCSeq)
	w := newWorker(&Options{Want: want})
	u := &flow.Unit{Data: []byte("OPTIONS sip:a@b SIP/2.0\r\nFrom: <sip:b@c>;tag=1\r\n\r\n"), Transport: "tcp", Frames: []uint64{7}}
	fSIPFrom = address{}
	r := w.guarded(context.Background(), u, 3)
	fSIPFrom = field
	if len(r.Findings) != 1 || r.Number != 3 || r.Frames[0] != 7 || string(r.Sources[0].Data) != string(u.Data) || !strings.Contains(r.Findings[0].Message, "no more than its octets are shown") {
		t.Errorf("%+v", r)
	}
	w.mend()
	if w.skim || w.whole != nil {
		t.Error("the worker reads no bodies any more")
	}
	func() {
		defer func() {
			if s := faultOf(recover()); !strings.HasPrefix(s, "at decode.TestFaultTwice.func") || strings.Contains(s, "secret") {
				t.Error(s)
			}
		}()
		panic("secret")
	}()
}
