package decode

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// A Tally is what was decoded so far.
type Tally struct {
	Messages                uint64
	Errors, Warnings, Notes uint64                // findings by severity
	Transports              map[string]uint64     // messages
	Findings                map[FindingKey]uint64 // by kind
	States                  map[string]uint64     // encrypted elements by state, as record.State names it
}

// A FindingKey names a kind of findings.
type FindingKey struct {
	ID       string
	Severity record.Severity
}

// maxFindingKeys bounds the kinds of findings counted apart. There are far fewer.
const maxFindingKeys = 4096

// transports that are counted apart; all others, if there ever are any, together.
var transports = [...]string{flow.UDP, flow.TCP, flow.SCTP, flow.WS, flow.OverTLS, flow.WSS, "other"}

// tally counts in several goroutines.
type tally struct {
	messages   atomic.Uint64
	severities [record.Error + 1]atomic.Uint64
	transports [len(transports)]atomic.Uint64
	states     [record.Failed + 1]atomic.Uint64

	mu    sync.Mutex
	kinds map[FindingKey]uint64
}

// record counts a record, before the tracker has added to it.
func (t *tally) record(r *record.Record) {
	if r.Type == record.Message {
		t.messages.Add(1)
		k := slices.Index(transports[:], r.Transport)
		if k < 0 {
			k = len(transports) - 1
		}
		t.transports[k].Add(1)
	}
	for i := range r.Prots {
		if p := &r.Prots[i]; p.Encrypted && int(p.State) < len(t.states) {
			t.states[p.State].Add(1)
		}
	}
	t.findings(r.Findings)
}

func (t *tally) findings(fs []record.Finding) {
	if len(fs) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kinds == nil {
		t.kinds = make(map[FindingKey]uint64)
	}
	for i := range fs {
		f := &fs[i]
		t.severities[min(f.Severity, record.Error)].Add(1)
		key := FindingKey{f.ID, f.Severity}
		switch n := t.kinds[key]; {
		case n > 0:
			t.kinds[key] = n + 1
		case len(t.kinds) < maxFindingKeys:
			key.ID = strings.Clone(key.ID)
			t.kinds[key] = 1
		}
	}
}

func (t *tally) get() Tally {
	s := Tally{Messages: t.messages.Load(), Errors: t.severities[record.Error].Load(), Warnings: t.severities[record.Warning].Load(),
		Notes: t.severities[record.Note].Load(), Transports: make(map[string]uint64), States: make(map[string]uint64)}
	for k, name := range transports {
		s.Transports[name] = t.transports[k].Load()
	}
	for k := range t.states {
		s.States[record.State(k).String()] = t.states[k].Load()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Findings = maps.Clone(t.kinds)
	return s
}
