package sipparse

import (
	"slices"
	"strings"
	"testing"
)

// TestEdges: header fields and diagnostics of one message, at their limit and beyond it.
func TestEdges(t *testing.T) {
	lim := Limits{}.withDefaults()
	for over := range 2 {
		m := new(Message)
		if err := m.Parse([]byte("OPTIONS sip:a SIP/2.0\r\n"+strings.Repeat("Foo: y\r\n", lim.Headers+over)+"\r\n"), Options{}); err != nil {
			t.Fatal(err)
		}
		told := slices.ContainsFunc(m.Diags, func(d Diag) bool { return d.ID == DiagTooManyHeaders })
		if told != (over == 1) || len(m.Headers) != lim.Headers {
			t.Errorf("%d fields: %d kept, told %v", lim.Headers+over, len(m.Headers), told)
		}
		// Each line without a colon is a defect; so is what the message lacks, which is counted first.
		m = new(Message)
		const good = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n"
		if err := m.Parse([]byte(good+"\r\n"), Options{}); err != nil {
			t.Fatal(err)
		}
		n := lim.Diags - len(m.Diags)
		m = new(Message)
		if err := m.Parse([]byte(good+strings.Repeat("x\r\n", n+over)+"\r\n"), Options{}); err != nil {
			t.Fatal(err)
		}
		told = slices.ContainsFunc(m.Diags, func(d Diag) bool { return d.ID == DiagTooManyDiags })
		if told != (over == 1) || len(m.Diags) != lim.Diags+over {
			t.Errorf("%d defects: %d diagnostics, told %v", n+over, len(m.Diags), told)
		}
	}
}
