package mikeyparse

import (
	"fmt"
	"testing"
)

func TestNames(t *testing.T) {
	b := unhex(t, csk641)
	n, ok := Names(b)
	got := fmt.Sprintf("%v %s %08x %s %v %s %s %s %s %d %d %d %v", ok, n.DataType, n.CSBID, n.KeyType(), n.Time.Time().Year(),
		n.Initiator.Of(b), n.Responder.Of(b), n.InitiatorKMS.Of(b), n.ResponderKMS.Of(b), len(n.RAND.Of(b)), len(n.SAKKE.Of(b)), len(n.Sign.Of(b)), n.InitiatorUID.Present())
	if want := "true SAKKE I_MESSAGE 2abcdef0 CSK 2024 sip:alice@example.org mcptt.example.org kms.example.org kms.example.org 16 273 131 false"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if a := testing.AllocsPerRun(100, func() { Names(b) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
	if a := testing.AllocsPerRun(100, func() { Parse(b, nil) }); a > 4 {
		t.Errorf("Parse: %v allocations", a)
	}
	if s := (Span{600, 700}).Of(b); s != nil {
		t.Errorf("span beyond the end: %x", s)
	}
	// What was read before the damage is there.
	n, ok = Names(b[:70])
	if ok || n.CSBID != 0x2abcdef0 || !n.HasTime || !n.RAND.Present() || n.Initiator.Present() {
		t.Errorf("cut: %v %+v", ok, n)
	}
}

func TestNamesThirdParty(t *testing.T) {
	for _, v := range thirdParty(t) {
		b := v.raw(t)
		n, ok := Names(b)
		if !ok || fmt.Sprintf("%08x", n.CSBID) != v.Header.CSBID || !n.HasTime || !n.Sign.Present() || !n.InitiatorKMS.Present() || !n.ResponderKMS.Present() ||
			n.Initiator.Present() == n.InitiatorUID.Present() || n.Responder.Present() == n.ResponderUID.Present() {
			t.Errorf("%s: %v %+v", v.ID, ok, n)
		}
		if y := n.Time.Time().Year(); y < 2021 || y > 2026 {
			t.Errorf("%s: %s (%s)", v.ID, n.Time.Time(), n.Time.Form())
		}
	}
}

func BenchmarkNames(b *testing.B) {
	msg := unhex(b, csk641)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Names(msg); !ok {
			b.Fatal("not read")
		}
	}
}
