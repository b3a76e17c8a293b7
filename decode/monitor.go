package decode

import (
	"sync"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// A Monitor looks into a run while it goes on, from any goroutine. It costs a lock for each frame, and for each record with findings.
type Monitor struct {
	mu  sync.Mutex // held while a frame is decoded
	dec *flow.Decoder
	p   *pipeline

	tally tally
}

// A Snapshot is what a Monitor sees.
type Snapshot struct {
	Flow      flow.Stats
	Gauges    flow.Gauges
	Unprinted uint64 // messages left out because output stood still
}

// Snapshot waits for the frame at hand, which may wait for output as long as Options.Patience. Before the run begins
// everything is zero.
func (m *Monitor) Snapshot() (s Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dec == nil {
		return s
	}
	s.Flow, s.Gauges = m.dec.Stats(), m.dec.Gauges()
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	s.Unprinted = m.p.unprinted
	return s
}

// Tally tells what was decoded so far. It waits for nothing.
func (m *Monitor) Tally() Tally { return m.tally.get() }

// record counts a record; nil does nothing.
func (m *Monitor) record(r *record.Record) {
	if m != nil {
		m.tally.record(r)
	}
}

// findings counts what the tracker adds.
func (m *Monitor) findings(fs []record.Finding) {
	if m != nil {
		m.tally.findings(fs)
	}
}

// flush ends the input.
func (m *Monitor) flush(dec *flow.Decoder) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
	}
	dec.Flush()
}

// begin shows the Monitor a run; nil does nothing, as with frame.
func (m *Monitor) begin(p *pipeline, dec *flow.Decoder) {
	if m != nil {
		m.mu.Lock()
		m.p, m.dec = p, dec
		m.mu.Unlock()
	}
}

// frame decodes one frame.
func (m *Monitor) frame(dec *flow.Decoder, f *flow.Frame) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
	}
	dec.Frame(f)
}
