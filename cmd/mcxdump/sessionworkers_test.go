package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/keys"
)

// TestSessionsForAnyWorkers runs captures of both halves with one worker and with several: the same sessions, stories and
// tokens, with keys that come from the capture itself.
func TestSessionsForAnyWorkers(t *testing.T) {
	for _, name := range []string{"chain.pcap", "chain-late.pcap", "chain-servers.pcap", "web-failures.pcap", "failures.pcap"} {
		var first []byte
		for _, workers := range []int{1, 2, 5, 5} {
			ring := keys.NewRing(&keys.Material{}, keys.RingLimits{})
			tr := tracker{Tracker: session.NewTracker(session.Config{})}
			src, err := capture.Open([]string{filepath.Join("..", "..", "testdata", "pcaps", name)}, capture.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := decode.Run(t.Context(), src, decode.Options{Tracker: tr, TwoPasses: true, Ring: ring, Workers: workers}, &nothing{}); err != nil {
				t.Fatal(err)
			}
			src.Close()
			ring.Close()
			tr.Finish()
			var out []byte
			for _, x := range tr.Sessions() {
				out = append(x.AppendJSON(out), '\n')
			}
			for _, c := range session.Chains(tr.Sessions(), tr.Tokens()) {
				out = append(c.AppendJSON(out), '\n')
			}
			if first == nil {
				first = out
			}
			if len(out) == 0 || !bytes.Equal(first, out) {
				t.Errorf("%s: %d workers give other sessions", name, workers)
			}
		}
	}
}
