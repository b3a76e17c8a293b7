package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Format is a capture file format.
type Format uint8

// The formats a Writer writes.
const (
	PcapNG Format = iota // pcapng 1.0
	Pcap                 // classic pcap 2.4
)

// WriterOptions say what file to write. The zero value is a little-endian pcapng without interfaces: add them
// with Writer.AddInterface.
type WriterOptions struct {
	Format     Format
	Micro      bool // microseconds instead of nanoseconds
	BigEndian  bool
	SnapLen    uint32      // longer packets are cut; 0 means no limit
	Interfaces []Interface // Link, Name, Description, SnapLen, Filter, OS, Hardware, Comment and FCS are used; exactly one for Pcap

	Hardware, OS, Application, Comment string // options of the section header
}

// A Writer writes a capture file. It keeps octets back until Flush or until 64 KiB are there, and writes nothing
// of its own making (no clock, no version), so that the same calls give the same octets. The first error of the
// underlying writer is given by every later call.
type Writer struct {
	w      io.Writer
	o      WriterOptions
	order  binary.AppendByteOrder
	ifaces []Interface
	buf    []byte
	size   int64
	clamp  uint64
	err    error
}

// Errors of a Writer. The packet is not written; the Writer can be used further.
var (
	ErrInterface = errors.New("no such interface")
	ErrLinkType  = errors.New("link type is not that of the interface")
	ErrFormat    = errors.New("classic pcap cannot hold this")
	ErrTooLong   = errors.New("longer than a block can be")
)

const flushAt = 64 << 10

// NewWriter writes the file header and the given interfaces.
func NewWriter(w io.Writer, o WriterOptions) (*Writer, error) {
	wr := &Writer{w: w, o: o, order: binary.LittleEndian}
	if o.BigEndian {
		wr.order = binary.BigEndian
	}
	if o.Format == Pcap {
		return wr, wr.pcapHeader()
	}
	b := wr.begin(blockSHB)
	b = wr.order.AppendUint32(b, byteOrderMagic)
	b = wr.order.AppendUint16(b, 1)
	b = wr.order.AppendUint16(b, 0)
	b = wr.order.AppendUint64(b, ^uint64(0))
	opts := wr.text(nil, optComment, o.Comment)
	opts = wr.text(opts, 2, o.Hardware)
	opts = wr.text(opts, 3, o.OS)
	opts = wr.text(opts, 4, o.Application)
	if err := wr.finish(wr.endOptions(b, opts)); err != nil {
		return nil, err
	}
	for _, i := range wr.o.Interfaces {
		if _, err := wr.AddInterface(i); err != nil {
			return nil, err
		}
	}
	return wr, nil
}

func (w *Writer) pcapHeader() error {
	if len(w.o.Interfaces) != 1 {
		return fmt.Errorf("%w: it has exactly one interface, not %d", ErrFormat, len(w.o.Interfaces))
	}
	i := w.o.Interfaces[0]
	w.ifaces = w.o.Interfaces[:1:1]
	magic, field, snap := uint32(magicNano), uint32(i.Link), w.snap(&i)
	if w.o.Micro {
		magic = magicMicro
	}
	if i.FCS > 0 {
		field |= 0x04000000 | uint32(i.FCS/2&15)<<28
	}
	if snap == 0 {
		snap = usualLen
	}
	b := w.order.AppendUint32(w.buf, magic)
	b = w.order.AppendUint16(b, 2)
	b = w.order.AppendUint16(b, 4)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = w.order.AppendUint32(b, snap)
	return w.took(w.order.AppendUint32(b, field))
}

// snap is the snap length of an interface: the smaller one of the two that are set.
func (w *Writer) snap(i *Interface) uint32 {
	if w.o.SnapLen == 0 || i.SnapLen != 0 && i.SnapLen < w.o.SnapLen {
		return i.SnapLen
	}
	return w.o.SnapLen
}

// AddInterface describes one more interface and gives its number, to be used as Packet.Interface.
func (w *Writer) AddInterface(i Interface) (int, error) {
	if w.o.Format == Pcap {
		return 0, fmt.Errorf("%w: a second interface", ErrFormat)
	}
	b := w.begin(blockIDB)
	b = w.order.AppendUint16(b, i.Link)
	b = append(b, 0, 0)
	b = w.order.AppendUint32(b, w.snap(&i))
	opts := w.text(nil, optComment, i.Comment)
	opts = w.text(opts, 2, i.Name)
	opts = w.text(opts, 3, i.Description)
	if !w.o.Micro {
		opts = w.option(opts, 9, []byte{9})
	}
	if i.Filter != "" {
		opts = w.text(opts, 11, "\x00"+i.Filter)
	}
	opts = w.text(opts, 12, i.OS)
	if i.FCS > 0 {
		opts = w.option(opts, 13, []byte{byte(i.FCS)})
	}
	opts = w.text(opts, 15, i.Hardware)
	if err := w.finish(w.endOptions(b, opts)); err != nil {
		return 0, err
	}
	w.ifaces = append(w.ifaces, i)
	return len(w.ifaces) - 1, nil
}

// WritePacket writes one packet. Packets of another link type than their interface's are refused. Times that the
// format cannot hold are clamped to the nearest one that it can, and counted.
func (w *Writer) WritePacket(p *Packet) error {
	if p.Interface < 0 || p.Interface >= len(w.ifaces) {
		return fmt.Errorf("%w: %d of %d", ErrInterface, p.Interface, len(w.ifaces))
	}
	i := &w.ifaces[p.Interface]
	if p.Link != i.Link {
		return fmt.Errorf("%w: %d, not %d", ErrLinkType, p.Link, i.Link)
	}
	data := p.Data
	if s := w.snap(i); s != 0 && uint64(len(data)) > uint64(s) {
		data = data[:s]
	}
	if uint64(len(data)) > 1<<31 {
		return fmt.Errorf("packet of %d octets: %w", len(data), ErrTooLong)
	}
	t := p.Time
	if t < 0 {
		t = 0
		w.clamp++
	}
	if w.o.Format == Pcap {
		return w.record(data, p.Orig, t)
	}
	if w.o.Micro {
		t /= 1000
	}
	b := w.begin(blockEPB)
	b = w.order.AppendUint32(b, uint32(p.Interface))
	b = w.order.AppendUint32(b, uint32(uint64(t)>>32))
	b = w.order.AppendUint32(b, uint32(t))
	b = w.order.AppendUint32(b, uint32(len(data)))
	b = w.order.AppendUint32(b, p.Orig)
	b = pad(append(b, data...), len(data))
	if len(p.Comments) > 0 || p.Flags != 0 || p.Drops != 0 {
		var opts []byte
		for _, c := range p.Comments {
			opts = w.option(opts, optComment, []byte(c))
		}
		if p.Flags != 0 {
			opts = w.option(opts, 2, w.order.AppendUint32(nil, p.Flags))
		}
		if p.Drops != 0 {
			opts = w.option(opts, 4, w.order.AppendUint64(nil, p.Drops))
		}
		b = w.endOptions(b, opts)
	}
	return w.finish(b)
}

func (w *Writer) record(data []byte, orig uint32, t int64) error {
	sec, frac := t/1e9, t%1e9
	if sec > 1<<32-1 {
		sec, frac = 1<<32-1, 999999999
		w.clamp++
	}
	if w.o.Micro {
		frac /= 1000
	}
	b := w.order.AppendUint32(w.buf, uint32(sec))
	b = w.order.AppendUint32(b, uint32(frac))
	b = w.order.AppendUint32(b, uint32(len(data)))
	b = w.order.AppendUint32(b, orig)
	return w.took(append(b, data...))
}

// WriteSecrets writes a Decryption Secrets Block (pcapng 4.7). It must come before the packets it opens.
func (w *Writer) WriteSecrets(t SecretsType, data []byte) error {
	if w.o.Format == Pcap {
		return fmt.Errorf("%w: decryption secrets", ErrFormat)
	}
	if uint64(len(data)) > 1<<31 {
		return fmt.Errorf("secrets of %d octets: %w", len(data), ErrTooLong)
	}
	b := w.begin(blockDSB)
	b = w.order.AppendUint32(b, uint32(t))
	b = w.order.AppendUint32(b, uint32(len(data)))
	return w.finish(pad(append(b, data...), len(data)))
}

// WriteStats writes an Interface Statistics Block (pcapng 4.6) with the counters that s.Has names.
func (w *Writer) WriteStats(iface int, s Statistics) error {
	if w.o.Format == Pcap {
		return fmt.Errorf("%w: statistics", ErrFormat)
	}
	if iface < 0 || iface >= len(w.ifaces) {
		return fmt.Errorf("%w: %d of %d", ErrInterface, iface, len(w.ifaces))
	}
	stamp := func(b []byte, t int64) []byte {
		if t < 0 {
			t = 0
			w.clamp++
		}
		if w.o.Micro {
			t /= 1000
		}
		return w.order.AppendUint32(w.order.AppendUint32(b, uint32(uint64(t)>>32)), uint32(t))
	}
	b := w.begin(blockISB)
	b = w.order.AppendUint32(b, uint32(iface))
	b = stamp(b, s.Time)
	var opts []byte
	for code, v := range [...]uint64{4: s.Received, 5: s.Dropped, 6: s.Accepted, 7: s.OSDropped, 8: s.Delivered} {
		switch {
		case code < 2 || s.Has&(1<<code) == 0:
		case code == 2:
			opts = w.option(opts, 2, stamp(nil, s.Start))
		case code == 3:
			opts = w.option(opts, 3, stamp(nil, s.End))
		default:
			opts = w.option(opts, uint16(code), w.order.AppendUint64(nil, v))
		}
	}
	return w.finish(w.endOptions(b, opts))
}

// Clamped counts times that were before 1970 or beyond what the format holds.
func (w *Writer) Clamped() uint64 { return w.clamp }

// Size is the length of the file so far, with what is not flushed yet: for ring buffers.
func (w *Writer) Size() int64 { return w.size }

// Flush hands everything to the underlying writer.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.w.Write(w.buf)
		w.buf = w.buf[:0]
	}
	return w.err
}

// begin starts a block behind what is buffered; finish sets its two lengths.
func (w *Writer) begin(typ uint32) []byte {
	b := w.order.AppendUint32(w.buf, typ)
	return append(b, 0, 0, 0, 0)
}

func (w *Writer) finish(b []byte) error {
	start := len(w.buf)
	n := uint32(len(b) - start + 4)
	b = w.order.AppendUint32(b, n)
	w.order.AppendUint32(b[start+4:start+4], n)
	return w.took(b)
}

// took accepts a longer buffer.
func (w *Writer) took(b []byte) error {
	if w.err != nil {
		return w.err
	}
	w.size += int64(len(b) - len(w.buf))
	if w.buf = b; len(b) >= flushAt {
		return w.Flush()
	}
	return nil
}

// text adds a text option if there is text. An option holds at most 65535 octets.
func (w *Writer) text(b []byte, code uint16, s string) []byte {
	if s == "" {
		return b
	}
	return w.option(b, code, []byte(s))
}

func (w *Writer) option(b []byte, code uint16, v []byte) []byte {
	v = v[:min(len(v), 65535)]
	b = w.order.AppendUint16(b, code)
	b = w.order.AppendUint16(b, uint16(len(v)))
	return pad(append(b, v...), len(v))
}

// endOptions adds a list of options and its end, if there are any.
func (w *Writer) endOptions(b, opts []byte) []byte {
	if len(opts) == 0 {
		return b
	}
	return append(append(b, opts...), 0, 0, 0, 0)
}

// pad fills up to a multiple of four after n octets.
func pad(b []byte, n int) []byte { return append(b, make([]byte, -n&3)...) }
