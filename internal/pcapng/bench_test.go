package pcapng

import (
	"bytes"
	"io"
	"testing"
)

// The budget: more than 5 GB/s on packets of 200 octets, and no allocation for a packet.
func BenchmarkReader(b *testing.B) {
	for _, bb := range []struct {
		name string
		o    WriterOptions
		p    Packet
	}{
		{"pcap", WriterOptions{Format: Pcap}, Packet{}},
		{"pcapBigEndian", WriterOptions{Format: Pcap, BigEndian: true}, Packet{}},
		{"pcapng", WriterOptions{}, Packet{}},
		{"pcapngMicro", WriterOptions{Micro: true}, Packet{}},
		{"pcapngFlags", WriterOptions{}, Packet{Flags: 1}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			file := benchFile(b, bb.o, bb.p, 32<<20)
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			src := bytes.NewReader(file)
			for b.Loop() {
				src.Seek(0, io.SeekStart)
				r, err := NewReader(src, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				var p Packet
				for err == nil {
					err = r.Next(&p)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchFile(tb testing.TB, o WriterOptions, p Packet, size int) []byte {
	o.Interfaces = []Interface{{Link: 1}}
	var buf bytes.Buffer
	w, err := NewWriter(&buf, o)
	if err != nil {
		tb.Fatal(err)
	}
	p.Data, p.Orig, p.Link = make([]byte, 200), 200, 1
	for k := 0; w.Size() < int64(size); k++ {
		p.Time = t0*1e9 + int64(k)*1000
		if err := w.WritePacket(&p); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// Next allocates nothing for a packet.
func TestNoAllocations(t *testing.T) {
	for _, o := range []WriterOptions{{Format: Pcap}, {}} {
		r, err := NewReader(bytes.NewReader(benchFile(t, o, Packet{Flags: 1}, 4<<20)), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		if n := testing.AllocsPerRun(10000, func() {
			if err := r.Next(&p); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a packet", r.Format(), n)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	for _, o := range []WriterOptions{{Format: Pcap}, {}} {
		name := map[Format]string{Pcap: "pcap", PcapNG: "pcapng"}[o.Format]
		b.Run(name, func(b *testing.B) {
			o.Interfaces = []Interface{{Link: 1}}
			w, err := NewWriter(io.Discard, o)
			if err != nil {
				b.Fatal(err)
			}
			p := Packet{Data: make([]byte, 200), Orig: 200, Link: 1, Time: t0 * 1e9}
			b.SetBytes(200)
			b.ReportAllocs()
			for b.Loop() {
				if err := w.WritePacket(&p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
