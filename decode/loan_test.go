package decode

import (
	"context"
	"testing"
	"unsafe"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
)

// keeper is a sink that keeps, against the rules, where the octets of messages lay.
type keeper struct {
	lines
	places map[*byte]bool
}

func (k *keeper) Encode(dst []byte, r *record.Record) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(r.Sources) > 0 {
		k.places[unsafe.SliceData(r.Sources[0].Data)] = true
	}
	return dst
}

type noTracker struct{}

func (noTracker) Read(*record.Record) any                          { return nil }
func (noTracker) Add(any, *record.Builder) (none []record.Finding) { return nil }
func (noTracker) Frame(*capture.Frame) (none *capture.Notice)      { return nil }
func (noTracker) Message(_ string, _ []uint64)                     {}

// The memory of messages serves others where nothing outlives them, and is never used again where something may.
func TestForgets(t *testing.T) {
	const n = 20000
	for _, c := range []struct {
		name    string
		opt     Options
		forgets bool
	}{
		{"plain", Options{}, true},
		{"dormant ring", Options{Ring: keys.NewRing(&keys.Material{}, keys.RingLimits{}), Dormant: true}, true},
		{"ring", Options{Ring: keys.NewRing(&keys.Material{}, keys.RingLimits{})}, false},
		{"tracker", Options{Tracker: noTracker{}}, false},
		{"checks", Options{Checks: &CheckConfig{}}, false},
		{"tap", Options{Tap: noTracker{}}, false},
		{"units", Options{Units: func(*flow.Unit) {}}, false},
	} {
		sink := keeper{places: map[*byte]bool{}}
		if sum, err := Run(context.Background(), &datagrams{n: n}, c.opt, &sink); err != nil || sum.Messages() != n {
			t.Fatalf("%s: %v, %d messages", c.name, err, sum.Messages())
		}
		if again := len(sink.places) < n/2; again != c.forgets {
			t.Errorf("%s: %d messages lay in %d places", c.name, n, len(sink.places))
		}
	}
}
