package mikeyparse

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// checkPattern holds what Match promises to Parse.
func checkPattern(t *testing.T, first, second []byte) (matched bool) {
	t.Helper()
	a, err := Parse(first, nil)
	if err != nil {
		return false
	}
	p := a.Pattern(first)
	if p == nil {
		return false
	}
	if !p.Match(first) {
		t.Fatalf("%x is none of its own pattern", first)
	}
	if !p.Match(second) {
		return false
	}
	b, err := Parse(second, nil)
	if err != nil || len(b.Deviations) > 0 || len(b.Payloads) != len(a.Payloads) || len(b.Rest) > 0 {
		t.Fatalf("%x, of the pattern of %x: %v, %d payloads, deviations %v", second, first, err, len(b.Payloads), b.Deviations)
	}
	if CSBIDOf(second) != b.CSBID() || a.KeyType() != b.KeyType() {
		t.Fatalf("%x: key %08x, not %08x of a %s", second, CSBIDOf(second), b.CSBID(), a.KeyType())
	}
	for i, x := range a.Payloads {
		y := b.Payloads[i]
		off, end := x.Range()
		off2, end2 := y.Range()
		if x.Type() != y.Type() || off != off2 || end != end2 {
			t.Fatalf("payload %d: %s at %d to %d and %s at %d to %d", i, x.Type(), off, end, y.Type(), off2, end2)
		}
		if d, ok := x.(*IDR); ok {
			s1, ok1 := d.Text()
			s2, ok2 := y.(*IDR).Text()
			if s1 != s2 || ok1 != ok2 || d.Role != y.(*IDR).Role {
				t.Fatalf("identity %q and %q", s1, s2)
			}
		}
	}
	return true
}

func TestPattern(t *testing.T) {
	first := unhex(t, csk641)
	m, err := Parse(first, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Deviations) > 0 {
		t.Fatal(m.Deviations)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	spans := m.Pattern(first).spans
	for _, s := range spans {
		if s.kind != spanAny {
			continue
		}
		b := bytes.Clone(first)
		for i := s.off; i < s.end; i++ {
			b[i] ^= byte(rnd.IntN(256))
		}
		b[csbTag] = b[csbTag]&15 | first[csbTag]&0xf0
		for _, k := range spans {
			if k.kind == spanKey {
				copy(b[k.off:k.end], b[csbTag:])
			}
		}
		if !checkPattern(t, first, b) {
			t.Errorf("other octets %d to %d make another pattern", s.off, s.end)
		}
	}
	// An octet anywhere: what is no value makes no match, or nothing else.
	matched := 0
	for i := range first {
		for _, x := range []byte{1, 0x10, 0x80, 0xff} {
			b := bytes.Clone(first)
			b[i] ^= x
			if checkPattern(t, first, b) {
				matched++
			}
		}
	}
	if matched < len(first) {
		t.Errorf("only %d messages matched", matched)
	}
	for tag := byte(0); tag < 16; tag++ {
		b := bytes.Clone(first)
		b[csbTag] = b[csbTag]&15 | tag<<4
		for _, k := range spans {
			if k.kind == spanKey {
				copy(b[k.off:k.end], b[csbTag:])
			}
		}
		if checkPattern(t, first, b) != (tag == first[csbTag]>>4) {
			t.Errorf("purpose tag %d", tag)
		}
	}
	late := bytes.Clone(first)
	ts := m.Timestamp()
	copy(late[ts.End-8:], []byte{0, 0, 0, 0, 0xe9, 0x3c, 0x7f, 0}) // NTP in the low half, which Parse finds odd
	if checkPattern(t, first, late) {
		t.Error("a time stamp of another form matched")
	}
	if other := append(bytes.Clone(first), 0); checkPattern(t, first, other) {
		t.Error("a longer message matched")
	}
	first[csbTag] = first[csbTag] & 15 // a group key
	if g, _ := Parse(first, nil); g.Pattern(first) != nil {
		t.Error("a pattern of a group key")
	}
}

func FuzzPattern(f *testing.F) {
	b := unhex(f, csk641)
	f.Add(b, b, uint16(40), byte(1))
	f.Add(zooMessage(f), b, uint16(4), byte(0x10))
	f.Fuzz(func(t *testing.T, first, second []byte, at uint16, x byte) {
		checkPattern(t, first, second)
		if len(first) > 0 {
			own := bytes.Clone(first)
			own[int(at)%len(own)] ^= x
			checkPattern(t, first, own)
		}
	})
}

func BenchmarkPattern(b *testing.B) {
	raw := unhex(b, csk641)
	m, _ := Parse(raw, nil)
	p := m.Pattern(raw)
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		p.Match(raw)
	}
}
