package decode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"go.uber.org/goleak"
)

// stopping is a sink, a source and a tap that can end the run at any stage: at its number n of frames read, records
// encoded or batches written.
type stopping struct {
	datagrams
	stage string
	n     int
	stop  func()
	err   error        // for the stages that can fail
	seen  atomic.Int64 // several workers encode
}

func (s *stopping) at(stage string) error {
	if s.stage == stage {
		if s.seen.Add(1) == int64(s.n) {
			s.stop()
			return s.err
		}
	}
	return nil
}

func (s *stopping) Next(f *capture.Frame) error {
	if err := s.at("read"); err != nil {
		return err
	}
	return s.datagrams.Next(f)
}

func (s *stopping) Write([]byte) error { return s.at("write") }

func (s *stopping) Encode(dst []byte, _ *record.Record) []byte {
	s.at("encode")
	return append(dst, 'x')
}

// plainTracker tracks nothing and has something to add to every message.
type plainTracker struct{ s *stopping }

func (p plainTracker) Read(r *record.Record) any { return r.Number }
func (p plainTracker) Add(any, *record.Builder) []record.Finding {
	p.s.at("track")
	return nil
}

// openStopping prints records before the tracker has spoken.
type openStopping struct{ *stopping }

func (o openStopping) EncodeOpen(dst []byte, _ *record.Record) ([]byte, int, bool) {
	o.at("encode")
	return append(dst, 'x'), len(dst), true
}
func (o openStopping) EncodeRoots(dst []byte, _ *record.Record) []byte { return dst }

// However a run ends, and at whatever stage, it ends soon, says why, and leaves no goroutine behind.
func TestRunEnds(t *testing.T) {
	broken := errors.New("broken")
	before := goleak.IgnoreCurrent()
	for _, stage := range []string{"read", "encode", "write", "track", "never"} {
		for _, n := range []int{1, 2, 100, 3000} {
			for _, fails := range []bool{false, true} {
				for _, tracked := range []string{"", "held", "open"} {
					name := fmt.Sprint(stage, n, fails, tracked)
					ctx, cancel := context.WithCancel(context.Background())
					s := &stopping{datagrams: datagrams{n: 5000, told: true}, stage: stage, n: n, stop: cancel}
					if fails {
						s.stop, s.err = func() {}, broken
					}
					opt := Options{Workers: 3}
					var sink Sink = s
					if tracked != "" {
						opt.Tracker = plainTracker{s}
					}
					if tracked == "open" {
						sink = openStopping{s}
					}
					ended := make(chan error, 1)
					go func() {
						_, err := Run(ctx, s, opt, sink)
						ended <- err
					}()
					var err error
					select {
					case err = <-ended:
					case <-time.After(30 * time.Second):
						t.Fatalf("%s: does not end", name)
					}
					reached := s.seen.Load() >= int64(n) && stage != "never"
					switch {
					case !reached || fails && (stage == "track" || stage == "encode"): // which cannot fail
						if err != nil {
							t.Errorf("%s: %v", name, err)
						}
					case fails && !errors.Is(err, broken):
						t.Errorf("%s: ended with %v", name, err)
					case !fails && err != nil && !errors.Is(err, context.Canceled):
						t.Errorf("%s: ended with %v", name, err)
					case !fails && err == nil && (stage == "read" || stage == "encode") && n < 1000:
						t.Errorf("%s: was not told that it was cancelled", name)
					}
					cancel()
					if err := goleak.Find(before); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
		}
	}
}

var _ io.Closer = (*stopping)(nil)
