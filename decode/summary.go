package decode

import (
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// A Summary is what a run has to say at its end.
type Summary struct {
	Capture capture.Stats
	Flow    flow.Stats
	work    workStats
}

// workStats are the counters of the parallel stage; one per batch, merged in order.
type workStats struct {
	Messages, Requests, Responses uint64
	Notes, Warnings, Errors       uint64
	Encrypted, Signed             uint64
	Dropped                       uint64 // nodes, findings and sources over a record's limits
	MCX                           uint64
}

func (s *workStats) count(r *record.Record, w *worker) {
	if r.Type == record.Message {
		s.Messages++
		if w.response {
			s.Responses++
		} else {
			s.Requests++
		}
		if w.mcx {
			s.MCX++
		}
	}
	for i := range r.Findings {
		switch r.Findings[i].Severity {
		case record.Error:
			s.Errors++
		case record.Warning:
			s.Warnings++
		default:
			s.Notes++
		}
	}
	for i := range r.Prots {
		if r.Prots[i].Encrypted {
			s.Encrypted++
		}
	}
	s.Dropped += uint64(w.b.Dropped)
}

func (s *workStats) merge(o *workStats) {
	s.Messages += o.Messages
	s.Requests += o.Requests
	s.Responses += o.Responses
	s.Notes += o.Notes
	s.Warnings += o.Warnings
	s.Errors += o.Errors
	s.Encrypted += o.Encrypted
	s.Signed += o.Signed
	s.Dropped += o.Dropped
	s.MCX += o.MCX
}

func (s *Summary) add(f flow.Stats, c capture.Stats) { s.Flow, s.Capture = f, c }
