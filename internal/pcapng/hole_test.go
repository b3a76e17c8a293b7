package pcapng

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestHoles: behind a hole of any length the next record is found at its first octet, also when that begins with zeros
// itself, and a hole of a gigabyte costs no more than reading it.
func TestHoles(t *testing.T) {
	for n := range 300 {
		hole := strings.Repeat("\x00", 16+n)
		for _, order := range []func() *builder{le, be} {
			for _, sec := range []uint32{t0, t0 &^ 0xff, t0 &^ 0xffff} {
				w := order().pcap(magicMicro, 2, 4, 65535, 1).rec(sec, 1, 5, "first").raw(hole)
				at := len(w.b)
				w.rec(sec, 0, 6, "second").rec(sec, 0, 6, "third!")
				list, faults, _ := readAll(t, rd(w.b), Limits{})
				// Zeros in front of it may be taken for the beginning of a record that begins with zeros.
				if join(list) != "first,second,third!" || len(faults) != 1 || !strings.Contains(faults[0].Error(), fmt.Sprintf("reading goes on at octet %d", at)) {
					t.Fatalf("a hole of %d octets before octet %d: %q, %v", 16+n, at, join(list), faults)
				}
			}
		}
		w := le().shb().idb(1, 0).epb(0, 1, 5, "first").raw(strings.Repeat("\x00", 16+n&^3)).epb(0, 2, 6, "second")
		if list, _, _ := readAll(t, rd(w.b), Limits{}); join(list) != "first,second" {
			t.Fatalf("a hole of %d octets between blocks: %q", 16+n&^3, join(list))
		}
	}
	for n := range 40 {
		b := append(bytes.Repeat([]byte{0}, n), 1, 0, 0)
		if zeroRun(b) != n || zeroRun(b[:n]) != n {
			t.Errorf("%d zeros", n)
		}
	}
}
