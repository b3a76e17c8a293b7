package pcapng

import (
	"bytes"
	"testing"
)

// Whatever the octets: packets lie in the input in order, errors point into it, the buffer keeps its limit, and
// the result does not depend on how the octets arrive.
func FuzzReader(f *testing.F) {
	f.Add(le().pcap(magicMicro, 2, 4, 65535, 1).rec(t0, 7, 5, "hello").rec(t0, 8, 5, "world").b)
	f.Add(be().pcap(magicNano, 2, 3, 0, 276).rec(t0, 7, 5, "hello").u32(t0, 1, 0xffffff, 1).rec(t0, 1, 3, "abc").rec(t0, 1, 3, "abc").b)
	f.Add(le().pcap(magicModified, 2, 4, 9, 1).u32(t0, 1, 2, 9, 3).u16(8).raw("\x04\x00hi").raw("\x00\x00\x00\x00\x00").b)
	w := le().shb(option(4, "app")).idb(1, 0, option(9, "\xff"), option(14, "12345678")).epb(0, 1, 5, "hello", option(1, "c"), option(2, "abcd"))
	w.block(blockSPB, func(b *builder) { b.u32(3).raw("spb") }).block(blockPB, func(b *builder) { b.u16(0, 3).u32(0, 0, 2, 2).raw("pb") })
	w.block(blockDSB, func(b *builder) { b.u32(1, 4).raw("keys") }).block(blockISB, func(b *builder) { b.u32(0, 0, 0).u16(4, 8).u64(1) })
	w.block(blockNRB, func(b *builder) { b.opt(1, "abcdname\x00") }).block(blockCustom, func(b *builder) { b.u32(1) })
	f.Add(w.b)
	f.Add(append(bytes.Clone(w.b), be().shb().idb(1, 4).epb(0, 1, 9, "x").u32(6, 1<<30, 5).epb(0, 2, 2, "yy").b...))
	f.Add(le().shb().idb(1, 0).u32(6, 40, 0, 0, 0, 6, 6).raw("second\x00\x00").u32(77).epb(0, 2, 5, "third").b)
	f.Add(le().shb().idb(1, 0).u32(6, 38, 0, 0, 0, 6, 6).raw("second").u32(38).epb(0, 2, 5, "third").b)

	limits := Limits{Block: 64 << 10, Interfaces: 8, Comments: 4, Chunk: 4096, Secrets: 100}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		r, err := NewReader(rd(b), limits)
		r2, err2 := NewReader(&dripping{b, 1 + len(b)%13}, limits)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("whole: %v; in pieces: %v", err, err2)
		}
		if err != nil {
			return
		}
		given := 0
		r.OnSecrets = func(s Secrets) { given += len(s.Reveal()) }
		r.OnNames = func(a []byte, n string) {
			if len(a) != 4 && len(a) != 16 || n == "" {
				t.Fatalf("name %q of %x", n, a)
			}
		}
		list, faults := drain(t, r)
		list2, faults2 := drain(t, r2)
		if !bytes.Equal(in, b) {
			t.Fatal("input changed")
		}
		last := int64(-1)
		for k, g := range list {
			if g.Off <= last {
				t.Fatalf("packet %d at octet %d, after %d", k, g.Off, last)
			}
			last = g.Off
			if !liesAt(b, g) {
				t.Fatalf("packet %d at octet %d is not in the input", k, g.Off)
			}
			if len(g.Comments) > limits.Comments || g.Interface >= len(r.Interfaces()) {
				t.Fatalf("packet %+v", g)
			}
		}
		for _, e := range faults {
			if e.Off < 0 || e.Off > int64(len(b)) || e.End < e.Off || e.End > int64(len(b)) || e.Err == nil || e.Error() == "" {
				t.Fatalf("error %+v in %d octets", e, len(b))
			}
		}
		if len(list) != len(list2) || len(faults) != len(faults2) {
			t.Fatalf("whole: %d packets %v; in pieces: %d packets %v", len(list), faults, len(list2), faults2)
		}
		for k := range list {
			if list[k].data != list2[k].data || list[k].Time != list2[k].Time || list[k].Off != list2[k].Off {
				t.Fatalf("packet %d: %+v and %+v", k, list[k], list2[k])
			}
		}
		for k := range faults {
			if faults[k].Error() != faults2[k].Error() {
				t.Fatalf("fault %d: %v and %v", k, faults[k], faults2[k])
			}
		}
		if len(r.buf) > limits.Block+limits.Chunk || given > limits.Secrets || len(r.Interfaces()) > limits.Interfaces {
			t.Fatalf("buffer %d, secrets %d, interfaces %d", len(r.buf), given, len(r.Interfaces()))
		}
		if c := r.Counts(); c.Packets != uint64(len(list)) || c.Faults != uint64(len(faults)) {
			t.Fatalf("%+v", c)
		}
		if r.Offset() != int64(len(b)) {
			t.Fatalf("read to octet %d of %d", r.Offset(), len(b))
		}
	})
}

// liesAt tells whether a packet's octets stand behind the header of its record: 12 octets for a simple packet, 16
// or 24 in classic pcap, 28 in the other blocks.
func liesAt(b []byte, g got) bool {
	for _, head := range []int64{12, 16, 24, 28} {
		if from := g.Off + head; from+int64(len(g.data)) <= int64(len(b)) && string(b[from:from+int64(len(g.data))]) == g.data {
			return true
		}
	}
	return false
}
