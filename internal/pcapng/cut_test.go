package pcapng

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// Every cut of small files: exactly the whole packets before the cut, and an error that names the place, or a
// clean end where the cut falls between records.
func TestEveryCut(t *testing.T) {
	type mark struct{ end, packets int }
	build := map[string]func() (*builder, []mark){
		"pcap": func() (*builder, []mark) {
			w := be().pcap(magicNano, 2, 4, 64, 1)
			m := []mark{{len(w.b), 0}}
			for k, s := range []string{"one", "", "three or more", strings.Repeat("x", 300)} {
				w.rec(t0+uint32(k), 5, len(s), s)
				m = append(m, mark{len(w.b), k + 1})
			}
			return w, m
		},
		"modified pcap": func() (*builder, []mark) {
			w := le().pcap(magicModified, 2, 4, 64, 1)
			m := []mark{{len(w.b), 0}}
			for k := range 3 {
				w.u32(t0, 1, 6, 6, 3).u16(8).raw("\x00\x00packet")
				m = append(m, mark{len(w.b), k + 1})
			}
			return w, m
		},
		"pcapng": func() (*builder, []mark) {
			w := le().shb(option(4, "app"), option(0, ""))
			m := []mark{{len(w.b), 0}}
			add := func(n int) { m = append(m, mark{len(w.b), n}) }
			w.idb(1, 0, option(2, "eth0"))
			add(0)
			w.epb(0, 1, 3, "one", option(1, "comment"))
			add(1)
			w.block(blockSPB, func(b *builder) { b.u32(5).raw("spb!!") })
			add(2)
			w.block(blockPB, func(b *builder) { b.u16(0, 0).u32(0, 0, 2, 2).raw("pb") })
			add(3)
			w.block(blockCustom, func(b *builder) { b.u32(1).raw("c") })
			add(3)
			w.block(77, func(b *builder) { b.raw("unknown") })
			add(3)
			w.block(blockDSB, func(b *builder) { b.u32(uint32(SecretsTLSKeyLog), 4).raw("keys") })
			add(3)
			w.block(blockISB, func(b *builder) { b.u32(0, 0, 0) })
			add(3)
			v := be().shb().idb(1, 0)
			w.raw(string(v.b[:28]))
			add(3)
			w.raw(string(v.b[28:]))
			add(3)
			w.order = v.order
			w.epb(0, 1, 100, strings.Repeat("y", 100))
			add(4)
			return w, m
		},
	}
	for name, f := range build {
		t.Run(name, func(t *testing.T) {
			w, marks := f()
			if marks[len(marks)-1].end != len(w.b) {
				t.Fatal("marks do not end with the file")
			}
			for cut := range len(w.b) + 1 {
				for _, drip := range []int{1 << 20, 1, 7} {
					var at mark
					for _, m := range marks {
						if m.end <= cut {
							at = m
						}
					}
					r, err := NewReader(&dripping{w.b[:cut], drip}, Limits{})
					if at.end == 0 {
						checkCutHeader(t, cut, err)
						continue
					}
					if err != nil {
						t.Fatalf("cut %d: %v", cut, err)
					}
					list, faults := drain(t, r)
					if len(list) != at.packets {
						t.Fatalf("cut %d: %d packets, want %d", cut, len(list), at.packets)
					}
					if cut == at.end {
						if len(faults) > 0 {
							t.Fatalf("cut %d is between records: %v", cut, faults[0])
						}
						continue
					}
					if len(faults) != 1 || faults[0].Off != int64(at.end) || faults[0].End != int64(cut) || !errors.Is(faults[0], io.ErrUnexpectedEOF) {
						t.Fatalf("cut %d: %v; want one fault at octet %d", cut, faults, at.end)
					}
				}
			}
		})
	}
}

func checkCutHeader(t *testing.T, cut int, err error) {
	t.Helper()
	var e *Error
	var n *NotCaptureError
	switch {
	case cut == 0:
		if !errors.As(err, &n) || !n.Empty || err.Error() != "the file is empty" {
			t.Fatalf("empty file: %v", err)
		}
	case !errors.As(err, &e) || !errors.Is(err, io.ErrUnexpectedEOF) || e.End != int64(cut):
		t.Fatalf("cut %d: %v", cut, err)
	}
}
