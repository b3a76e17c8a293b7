package pcapng

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

// What is written is what the builder, which knows nothing of the Writer, makes.
func TestWriterOctets(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, WriterOptions{BigEndian: true, OS: "os", Interfaces: []Interface{{Link: 1, Name: "eth0", SnapLen: 8}}})
	if err != nil {
		t.Fatal(err)
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(w.WriteSecrets(SecretsTLSKeyLog, []byte("keys\n")))
	do(w.WritePacket(&Packet{Data: []byte("hello"), Orig: 5, Time: t0 * 1e9, Link: 1, Comments: []string{"why"}, Flags: 2, Drops: 3}))
	do(w.WritePacket(&Packet{Data: []byte("longer than eight"), Orig: 17, Time: -5, Link: 1}))
	do(w.WriteStats(0, Statistics{Time: 7, Start: 8, Received: 9, Has: HasStart | HasReceived | 3}))
	do(w.Flush())
	want := be().shb(option(3, "os"), option(0, "")).idb(1, 8, option(2, "eth0"), option(9, "\x09"), option(0, "")).
		block(blockDSB, func(b *builder) { b.u32(uint32(SecretsTLSKeyLog), 5).raw("keys\n") }).
		epb(0, t0*1e9, 5, "hello", option(1, "why"), func(b *builder) { b.u16(2, 4).u32(2).u16(4, 8).u64(3) }, option(0, "")).
		epb(0, 0, 17, "longer t").
		block(blockISB, func(b *builder) { b.u32(0, 0, 7).u16(2, 8).u32(0, 8).u16(4, 8).u64(9).u32(0) }).b
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("have %x\nwant %x", b.Bytes(), want)
	}
	if w.Size() != int64(len(want)) || w.Clamped() != 1 {
		t.Errorf("size %d of %d, %d clamped", w.Size(), len(want), w.Clamped())
	}

	b.Reset()
	w, err = NewWriter(&b, WriterOptions{Format: Pcap, Micro: true, Interfaces: []Interface{{Link: 276, FCS: 4}}})
	do(err)
	do(w.WritePacket(&Packet{Data: []byte("hello"), Orig: 60, Time: t0*1e9 + 7999, Link: 276}))
	do(w.WritePacket(&Packet{Data: []byte("x"), Orig: 1, Time: math.MaxInt64, Link: 276}))
	do(w.Flush())
	want = le().pcap(magicMicro, 2, 4, usualLen, 276|0x24000000).rec(t0, 7, 60, "hello").rec(math.MaxUint32, 999999, 1, "x").b
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("have %x\nwant %x", b.Bytes(), want)
	}
}

func TestWriterErrors(t *testing.T) {
	for name, f := range map[string]func() error{
		"pcap without interface": func() error {
			_, err := NewWriter(io.Discard, WriterOptions{Format: Pcap})
			return err
		},
		"pcap with two interfaces": func() error {
			_, err := NewWriter(io.Discard, WriterOptions{Format: Pcap, Interfaces: make([]Interface, 2)})
			return err
		},
		"pcap with secrets": func() error {
			w, _ := NewWriter(io.Discard, WriterOptions{Format: Pcap, Interfaces: make([]Interface, 1)})
			return w.WriteSecrets(SecretsTLSKeyLog, nil)
		},
		"pcap with statistics": func() error {
			w, _ := NewWriter(io.Discard, WriterOptions{Format: Pcap, Interfaces: make([]Interface, 1)})
			return w.WriteStats(0, Statistics{})
		},
	} {
		if err := f(); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w, err := NewWriter(io.Discard, WriterOptions{Interfaces: []Interface{{Link: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WritePacket(&Packet{Interface: 1}); !errors.Is(err, ErrInterface) {
		t.Error(err)
	}
	if err := w.WritePacket(&Packet{Interface: -1}); !errors.Is(err, ErrInterface) {
		t.Error(err)
	}
	if err := w.WriteStats(1, Statistics{}); !errors.Is(err, ErrInterface) {
		t.Error(err)
	}
	if err := w.WritePacket(&Packet{Link: 2}); !errors.Is(err, ErrLinkType) {
		t.Error(err)
	}
	if err := w.WritePacket(&Packet{Link: 1}); err != nil {
		t.Error("a refused packet spoiled the writer:", err)
	}

	// An error of the underlying writer sticks, also when a buffer is full.
	full := errors.New("disk full")
	w, err = NewWriter(badWriter{full}, WriterOptions{Interfaces: []Interface{{Link: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	big := &Packet{Data: make([]byte, flushAt), Link: 1}
	for range 3 {
		if err := w.WritePacket(big); !errors.Is(err, full) {
			t.Error(err)
		}
	}
	if err := w.Flush(); !errors.Is(err, full) {
		t.Error(err)
	}
}

type badWriter struct{ err error }

func (b badWriter) Write([]byte) (int, error) { return 0, b.err }

// Written and read again, a packet is the same but for what the format says it cannot hold.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("hello"), uint32(60), int64(t0*1e9+1), uint32(2), uint64(3), "comment", uint16(276), uint8(0))
	f.Add([]byte{}, uint32(0), int64(-1), uint32(0), uint64(0), "", uint16(1), uint8(1))
	f.Add([]byte("x"), uint32(math.MaxUint32), int64(math.MaxInt64), uint32(math.MaxUint32), uint64(math.MaxUint64), strings.Repeat("c", 70000), uint16(65535), uint8(7))
	f.Add([]byte("\x0a\x0d\x0d\x0a"), uint32(4), int64(999), uint32(1), uint64(0), "\x00", uint16(113), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, orig uint32, when int64, flags uint32, drops uint64, comment string, link uint16, how uint8) {
		o := WriterOptions{Format: Format(how & 1), Micro: how&2 != 0, BigEndian: how&4 != 0, Interfaces: []Interface{{Link: link, Name: "if"}}}
		p := Packet{Data: data, Orig: orig, Time: when, Flags: flags, Drops: drops, Link: link, Comments: []string{comment}}
		var b bytes.Buffer
		w, err := NewWriter(&b, o)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := w.WritePacket(&p); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if w.Size() != int64(b.Len()) {
			t.Fatalf("size %d of %d", w.Size(), b.Len())
		}
		list, faults, r := readAll(t, rd(b.Bytes()), Limits{})
		if o.Format == Pcap && len(data) == 0 && orig == 0 && max(when, 0)/1000 == 0 {
			return // all zeros: what a crashed system leaves
		}
		if len(faults) > 0 || len(list) != 3 {
			t.Fatalf("%d packets, faults %v", len(list), faults)
		}
		want := p
		want.Time = max(want.Time, 0)
		if comment = comment[:min(len(comment), 65535)]; o.Format == PcapNG {
			want.Comments = []string{comment}
		} else {
			want.Flags, want.Drops, want.Comments = 0, 0, nil
			want.Time = min(want.Time, math.MaxUint32*1e9+999999999)
		}
		if o.Micro {
			want.Time -= want.Time % 1000
		}
		for _, g := range list {
			if g.data != string(data) || g.Orig != want.Orig || g.Time != want.Time || g.Flags != want.Flags || g.Drops != want.Drops || g.Link != link || !slices.Equal(g.Comments, want.Comments) {
				t.Fatalf("have %+v\nwant %+v", g.Packet, want)
			}
		}
		if c := r.Counts(); c.BadOptions+c.BadTrailers+c.ShortPackets+c.Skipped != 0 {
			t.Fatalf("%+v", c)
		}
	})
}

func ExampleWriter() {
	var b bytes.Buffer
	w, _ := NewWriter(&b, WriterOptions{Interfaces: []Interface{{Link: 1, Name: "eth0"}}})
	w.WritePacket(&Packet{Data: []byte("frame"), Orig: 5, Time: 1_700_000_000_000_000_000, Link: 1})
	w.Flush()

	r, _ := NewReader(&b, Limits{})
	var p Packet
	for r.Next(&p) == nil {
		fmt.Println(r.Format(), r.Interfaces()[p.Interface].Name, p.Time, string(p.Data))
	}
	// Output: pcapng 1.0 eth0 1700000000000000000 frame
}
