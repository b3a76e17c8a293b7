package pcapng

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
)

// A builder makes capture files octet by octet, apart from Writer, so that the two are checked against each other
// and every fault can be made.
type builder struct {
	b     []byte
	order binary.AppendByteOrder
}

func le() *builder { return &builder{order: binary.LittleEndian} }
func be() *builder { return &builder{order: binary.BigEndian} }

func (w *builder) u16(v ...uint16) *builder {
	for _, x := range v {
		w.b = w.order.AppendUint16(w.b, x)
	}
	return w
}

func (w *builder) u32(v ...uint32) *builder {
	for _, x := range v {
		w.b = w.order.AppendUint32(w.b, x)
	}
	return w
}

func (w *builder) u64(v uint64) *builder { w.b = w.order.AppendUint64(w.b, v); return w }
func (w *builder) raw(s string) *builder { w.b = append(w.b, s...); return w }

// pcap is a classic file header.
func (w *builder) pcap(magic uint32, major, minor uint16, snap, link uint32) *builder {
	return w.u32(magic).u16(major, minor).u32(0, 0, snap, link)
}

func (w *builder) rec(sec, frac uint32, orig int, data string) *builder {
	return w.u32(sec, frac, uint32(len(data)), uint32(orig)).raw(data)
}

// block is a pcapng block whose body f writes; it is padded.
func (w *builder) block(typ uint32, f func(*builder)) *builder {
	body := &builder{order: w.order}
	f(body)
	for len(body.b)%4 != 0 {
		body.b = append(body.b, 0)
	}
	n := uint32(len(body.b) + 12)
	return w.u32(typ, n).raw(string(body.b)).u32(n)
}

func (w *builder) opt(code uint16, v string) *builder {
	w.u16(code, uint16(len(v))).raw(v)
	for len(w.b)%4 != 0 { // blocks begin on multiples of four in these tests
		w.b = append(w.b, 0)
	}
	return w
}

func (w *builder) shb(opts ...func(*builder)) *builder {
	return w.block(blockSHB, func(b *builder) {
		b.u32(byteOrderMagic).u16(1, 0).u64(^uint64(0))
		for _, o := range opts {
			o(b)
		}
	})
}

func (w *builder) idb(link uint16, snap uint32, opts ...func(*builder)) *builder {
	return w.block(blockIDB, func(b *builder) {
		b.u16(link, 0).u32(snap)
		for _, o := range opts {
			o(b)
		}
	})
}

func (w *builder) epb(iface uint32, ticks uint64, orig int, data string, opts ...func(*builder)) *builder {
	return w.block(blockEPB, func(b *builder) {
		b.u32(iface, uint32(ticks>>32), uint32(ticks), uint32(len(data)), uint32(orig)).raw(data)
		for len(b.b)%4 != 0 {
			b.b = append(b.b, 0)
		}
		for _, o := range opts {
			o(b)
		}
	})
}

func option(code uint16, v string) func(*builder) { return func(b *builder) { b.opt(code, v) } }

// A got is a packet kept.
type got struct {
	Packet
	data string
}

// readAll reads everything, faults included. Reading must end.
func readAll(t testing.TB, src io.Reader, l Limits) (list []got, faults []*Error, r *Reader) {
	t.Helper()
	r, err := NewReader(src, l)
	if err != nil {
		if e, ok := err.(*Error); ok {
			return nil, []*Error{e}, nil
		}
		t.Fatalf("NewReader: %v", err)
	}
	list, faults = drain(t, r)
	return list, faults, r
}

func drain(t testing.TB, r *Reader) (list []got, faults []*Error) {
	t.Helper()
	var p Packet
	for n := 0; ; n++ {
		if n > 1<<24 {
			t.Fatal("reading does not end")
		}
		err := r.Next(&p)
		if err == nil {
			list = append(list, got{p, string(p.Data)})
			continue
		}
		if err == io.EOF {
			if again := r.Next(&p); again != io.EOF {
				t.Fatalf("after EOF: %v", again)
			}
			return
		}
		e, ok := err.(*Error)
		if !ok {
			t.Fatalf("error of type %T: %v", err, err)
		}
		faults = append(faults, e)
		if !e.Resumed {
			if again := r.Next(&p); again != err {
				t.Fatalf("after a final error: %v", again)
			}
			return
		}
	}
}

// dripping gives k octets a Read.
type dripping struct {
	b []byte
	k int
}

func (d *dripping) Read(p []byte) (int, error) {
	if len(d.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), d.k)], d.b)
	d.b = d.b[n:]
	return n, nil
}

func rd(b []byte) io.Reader { return bytes.NewReader(b) }
