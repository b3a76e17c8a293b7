package flow

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/sipparse"
)

// A fragPlay feeds a pair the fragments of datagrams as octets tell it to: in order and not, twice, changed, with gaps of
// time, cut off. One decoder puts datagrams together in runs, the other one from pieces.
type fragPlay struct {
	in    []byte
	p     *pair
	grams [][]byte
}

func (f *fragPlay) next(n int) int {
	if len(f.in) == 0 {
		return 0
	}
	c := int(f.in[0])
	f.in = f.in[1:]
	return c % n
}

// gram makes the payload of an IP datagram.
func (f *fragPlay) gram() []byte {
	n := []int{0, 30, 200, 900, 1500, 5000, 17000}[f.next(7)]
	var b []byte
	switch f.next(6) {
	default:
		b = build(udpHeader{5060, 40000}, long(n))
	case 3:
		b = build(udpHeader{4000, 4002}, make([]byte, n+20)) // not SIP
	case 4:
		inner := build(ipHeader{proto: protoUDP}, udpHeader{5060, 40000}, long(n))
		b = build(udpHeader{portGTPU, portGTPU}, raw(cat([]byte{0x30, 255}, be16(len(inner)), be32(7))), inner)
	case 5:
		inner := build(ipHeader{proto: protoUDP}, udpHeader{4000, 4002}, make([]byte, n+20))
		b = build(udpHeader{portGTPU, portGTPU}, raw(cat([]byte{0x30, 255}, be16(len(inner)), be32(7))), inner)
	}
	if f.next(8) == 7 { // a UDP length that is not that of the datagram
		at := 4 + f.next(2)
		b[at] ^= 1 << f.next(8)
	}
	return b
}

func (f *fragPlay) play() error {
	c := Config{}
	if f.next(4) == 3 {
		c.FragmentPieces, c.FragmentSets = 1+f.next(6), 1+f.next(4)
	}
	f.p = newPairOf(c)
	for range 1 + f.next(3) {
		f.grams = append(f.grams, f.gram())
	}
	for len(f.in) > 0 {
		k := f.next(len(f.grams))
		v6, id := f.next(8) == 7, f.next(3)
		b := f.grams[k]
		size := []int{8, 64, 480, 1480, 4000}[f.next(5)]
		parts := split(len(b), max(size, (len(b)/100+8)&^7))
		for i := range parts {
			p := parts[i]
			data, orig := b, 0
			switch f.next(24) {
			case 1:
				p = parts[f.next(len(parts))]
			case 2:
				continue
			case 3:
				if p.end > p.off {
					data = bytes.Clone(b)
					data[p.off+f.next(p.end-p.off)] ^= 0x20
				}
			case 4:
				p.off = max(0, p.off-8*f.next(4))
			case 5:
				p.more = !p.more
			case 6:
				f.p.now += int64(f.next(40)) * int64(10*time.Millisecond)
			case 7:
				orig = 1 + f.next(40)
			case 8:
				if err := f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{5060, 5062}, long(40)), 0); err != nil {
					return err
				}
			case 9: // another datagram in between
				o := f.grams[f.next(len(f.grams))]
				q := split(len(o), 1480)
				if err := f.frame(fragFrame(v6, 9+f.next(2), false, o, q[f.next(len(q))]), 0); err != nil {
					return err
				}
			case 10:
				p.end = p.off
			}
			n := 1
			if f.next(16) == 15 {
				n = 2
			}
			for range n {
				if err := f.frame(fragFrame(v6, id, false, data, p), orig); err != nil {
					return err
				}
			}
		}
	}
	f.p.da.Flush()
	f.p.db.Flush()
	return f.p.same()
}

func (f *fragPlay) frame(b []byte, orig int) error { return f.p.frame(linkEthernet, b, len(b)+orig) }

// TestFragmentRuns: datagrams that are put together as their fragments come are those that are put together from pieces, and so
// is all that is counted and held.
func TestFragmentRuns(t *testing.T) {
	n := 4000
	if testing.Short() {
		n = 400
	}
	var done, copies uint64
	for seed := range uint64(n) {
		r := rand.New(rand.NewPCG(seed, 11))
		in := make([]byte, 20+r.IntN(400))
		for i := range in {
			if in[i] = byte(r.Uint32()); r.IntN(3) > 0 {
				in[i] &= 0xc0 // mostly in order
			}
		}
		f := fragPlay{in: in}
		if err := f.play(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		s := f.p.da.Stats()
		done, copies = done+s.FragmentCompleted, copies+s.FragmentDuplicates
		if f.p.da.frags.rawOctets != 0 || f.p.da.frags.rawFirst != nil || f.p.da.run.set != nil {
			t.Fatalf("seed %d: %d octets are kept after the end", seed, f.p.da.frags.rawOctets)
		}
	}
	if done < 100 || copies < 100 {
		t.Errorf("%d datagrams and %d copies are too few", done, copies)
	}
}

func FuzzFragmentRuns(f *testing.F) {
	f.Add([]byte(strings.Repeat("\x00\x02\x00", 40)))
	f.Add([]byte(strings.Repeat("\x03\x04\x04\x01\x02\x03\x00\x00\x00", 20)))
	f.Add(bytes.Repeat([]byte{0, 0, 3, 0, 0, 0, 0, 2, 0, 9, 0, 0, 5}, 20))
	f.Fuzz(func(t *testing.T, in []byte) {
		play := fragPlay{in: in[:min(len(in), 1<<10)]}
		if err := play.play(); err != nil {
			t.Fatal(err)
		}
	})
}

// Octets of complete datagrams are kept up to a bound, and a copy is known by them and by their sums alike.
func TestFragmentRaw(t *testing.T) {
	var h collect
	d := New(Config{}, &h)
	n := uint64(0)
	send := func(id int, change bool) {
		b := build(udpHeader{5060, 40000}, long(12000))
		if change {
			b[5000] ^= 1
		}
		for _, p := range split(len(b), 1480) {
			n++
			x := fragFrame(false, id, false, b, p)
			d.Frame(&Frame{Number: n, Time: int64(n) * 1e3, Data: x, Orig: uint32(len(x)), Link: linkEthernet})
		}
	}
	const grams = 2 * rawOctets / 12000
	for id := range grams {
		send(id, false)
	}
	if r := d.frags.rawOctets; r > rawOctets || r < rawOctets-2*12000 {
		t.Errorf("%d octets are kept", r)
	}
	if first, last := d.frags.oldest, d.frags.newest; first.raw != nil || last.raw == nil || first.seen[0].sum == 0 || last.seen[0].sum != 0 {
		t.Error("it is not the oldest that have sums")
	}
	for _, id := range []int{0, grams - 1} {
		send(id, false)
	}
	if s := d.Stats(); s.FragmentDuplicates != 18 || s.FragmentSets != grams || len(h.units) != grams {
		t.Fatalf("%d copies, %d datagrams", s.FragmentDuplicates, s.FragmentSets)
	}
	for _, id := range []int{0, grams - 1} {
		send(id, true) // the fragment that differs begins another datagram
	}
	if s := d.Stats(); s.FragmentSets != grams+2 {
		t.Fatalf("%d datagrams", s.FragmentSets)
	}
	if !sipparse.LooksLikeStart(h.units[0].Data) {
		t.Error("no SIP")
	}
}
