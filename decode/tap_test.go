package decode

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
)

// datagrams is a source of n datagrams with SIP, with a notice ahead of the last.
type datagrams struct {
	n, at int
	told  bool
}

func (d *datagrams) Next(f *capture.Frame) error {
	if d.at == d.n {
		return io.EOF
	}
	if d.at == d.n-1 && !d.told {
		d.told = true
		return &capture.Notice{Interface: "eth7", Finding: record.Finding{ID: "capture-drops", Severity: record.Warning, Clause: "mcxdump", Message: "lost"}}
	}
	d.at++
	text := fmt.Sprintf("OPTIONS sip:b@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.org>;tag=1\r\nTo: <sip:b@example.org>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", d.at, d.at)
	size := 28 + len(text)
	b := []byte{0x45, 0, byte(size >> 8), byte(size), 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0xc4, 0x13, 0xc4, byte((size - 20) >> 8), byte(size - 20), 0, 0}
	*f = capture.Frame{Number: uint64(d.at), Time: int64(d.at) * 1e6, Data: append(b, text...), Orig: uint32(size), Link: 101}
	return nil
}
func (d *datagrams) Stats() capture.Stats { return capture.Stats{Files: 1} }
func (d *datagrams) Close() error         { return nil }

// lines is a sink that counts and, if told to, blocks.
type lines struct {
	mu       sync.Mutex
	messages int
	findings []string
	gate     chan struct{}
}

func (l *lines) Encode(dst []byte, r *record.Record) []byte {
	if r.Type == record.Message {
		return append(dst, "m\n"...)
	}
	return append(dst, r.Findings[0].ID+" "+r.Interface+" "+r.Findings[0].Message+"\n"...)
}

func (l *lines) Write(b []byte) error {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range strings.Lines(string(b)) {
		if s == "m\n" {
			l.messages++
		} else {
			l.findings = append(l.findings, strings.TrimSpace(s))
		}
	}
	return nil
}

// look is a tap that notes what it sees.
type look struct {
	frames, messages int
	after            func(n int)
}

func (l *look) Frame(f *capture.Frame) *capture.Notice {
	l.frames++
	if l.after != nil {
		l.after(l.frames)
	}
	if l.frames == 3 {
		return &capture.Notice{Finding: record.Finding{ID: "write-failed", Severity: record.Error, Clause: "mcxdump", Message: "full"}}
	}
	return nil
}
func (l *look) Message(_ string, frames []uint64) { l.messages += len(frames) }

// Notices of the source and of the tap become findings, and count for nothing else.
func TestTap(t *testing.T) {
	var sink lines
	var tap look
	sum, err := Run(context.Background(), &datagrams{n: 10}, Options{Tap: &tap, Workers: 2}, &sink)
	if err != nil || sum.Messages() != 10 || sink.messages != 10 || tap.frames != 10 || tap.messages != 10 {
		t.Errorf("%v: %d messages, %d printed, tap %+v", err, sum.Messages(), sink.messages, tap)
	}
	if fmt.Sprint(sink.findings) != "[write-failed  full capture-drops eth7 lost]" {
		t.Errorf("%q", sink.findings)
	}
	if sum.Lost() {
		t.Error("something is lost")
	}
}

// Output that stands still does not hold up reading: messages are left out, counted and told of.
func TestPatience(t *testing.T) {
	const n = 5000
	sink := &lines{gate: make(chan struct{})}
	tap := &look{after: func(k int) {
		if k == n-10 { // nearly all were read while nothing was written
			close(sink.gate)
		}
	}}
	sum, err := Run(context.Background(), &datagrams{n: n}, Options{Tap: tap, Workers: 2, Patience: time.Millisecond}, sink)
	if err != nil || !sum.Lost() || sum.unprinted == 0 || int(sum.unprinted)+sink.messages != n || tap.frames != n {
		t.Errorf("%v: %d printed and %d left out of %d, %d frames", err, sink.messages, sum.unprinted, n, tap.frames)
	}
	told := 0
	for _, f := range sink.findings {
		var k int
		if strings.HasPrefix(f, "output-slow") {
			fmt.Sscanf(strings.TrimSpace(strings.TrimPrefix(f, "output-slow")), "%d messages", &k)
			told += k
		}
	}
	if told != int(sum.unprinted) {
		t.Errorf("told of %d, %d were left out: %q", told, sum.unprinted, sink.findings)
	}
}
