package main

import (
	"time"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/output"
)

// progress draws how far a capture has been read, on a terminal's standard error only, and only where it would not
// run into the output itself.
type progress struct {
	done chan struct{}
	end  chan struct{}
}

func newProgress(s *streams, src capture.Source, outputOnTerminal bool) *progress {
	p := &progress{}
	pr, ok := src.(capture.Progresser)
	if !ok || outputOnTerminal || terminal(s.err) == 0 {
		return p
	}
	p.done, p.end = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(p.end)
		bar := output.NewProgress(s.err, true, terminal(s.err))
		defer bar.Clear()
		t := time.NewTicker(200 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-p.done:
				return
			case <-t.C:
				read, total := pr.Progress()
				bar.Update(read, total, 0)
			}
		}
	}()
	return p
}

func (p *progress) stop() {
	if p.done != nil {
		close(p.done)
		<-p.end
	}
}
