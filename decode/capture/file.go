package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/mcxdump/mcxdump/internal/pcapng"
)

// meter counts what is read of all inputs. It is read by Progress from other goroutines.
type meter struct{ read, total atomic.Int64 }

// counted counts the octets that come out of a file.
type counted struct {
	r io.Reader
	n int64
	m *meter
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.m.read.Add(int64(n))
	return n, err
}

// bounded stops decompression that expands beyond the limits.
type bounded struct {
	r   io.Reader
	in  *counted
	l   *Limits
	n   int64
	out *int64
}

func (b *bounded) Read(p []byte) (int, error) {
	most := b.l.ExpandFree
	if k := b.in.n; k > (1<<62)/b.l.ExpandRatio {
		most = 1 << 62
	} else {
		most = max(most, k*b.l.ExpandRatio)
	}
	if b.n >= most {
		// The end may be right here: ask for one octet before complaining.
		var one [1]byte
		n, err := b.r.Read(one[:])
		if n == 0 {
			return 0, err
		}
		return 0, fmt.Errorf("%w: %d octets came of %d (limit %d, or %d times what is read)", ErrExpansion, b.n, b.in.n, b.l.ExpandFree, b.l.ExpandRatio)
	}
	if int64(len(p)) > most-b.n {
		p = p[:most-b.n]
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	*b.out += int64(n)
	return n, err
}

// A file is one input while it is open.
type file struct {
	path  string
	index int
	std   bool // standard input
	size  int64
	plain bool // a regular file: it can be opened again

	f       *os.File
	raw     *counted
	zstd    *zstd.Decoder
	rd      *pcapng.Reader
	number  uint64
	pkt     pcapng.Packet
	names   []string // of the interfaces
	faults  int      // in the list
	ended   bool
	peeking bool  // only the first time is wanted: no callbacks, no counts
	key     int64 // time of the frame to come, for the merge
}

// prefixed gives back octets that were read to recognise the input.
type prefixed struct {
	head []byte
	r    io.Reader
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	return p.r.Read(b)
}

// open opens the input and reads the header of the capture.
func (f *file) open(s *files, in io.Reader) *FileError {
	expanded := &s.stats.Expanded
	if !f.std {
		fd, err := os.Open(f.path)
		if err != nil {
			return openError(f.path, err)
		}
		if f.f, in = fd, fd; !f.plain {
			in = Interruptible(fd, s.stop)
		}
	}
	f.raw = &counted{r: in, m: &s.meter}
	if f.peeking { // what is read now is read again later
		f.raw.m, expanded = new(meter), new(int64)
	}
	head := make([]byte, 4)
	n := 0
	for n < len(head) {
		m, err := f.raw.Read(head[n:])
		n += m
		if err == io.EOF {
			break
		}
		if err != nil {
			return &FileError{File: f.path, Off: int64(n), Err: err}
		}
	}
	src := io.Reader(&prefixed{head: head[:n], r: f.raw})
	var err error
	switch what := compression(head[:n]); what {
	case "gzip":
		d := &named{what: what, in: f.raw}
		var z *gzip.Reader
		if z, err = gzip.NewReader(bufio.NewReaderSize(src, 64<<10)); err != nil {
			err = d.name(err)
			break
		}
		d.r, d.begun = z, true
		src = &bounded{r: d, in: f.raw, l: &s.o.Limits, out: expanded}
	case "zstd":
		f.zstd, err = zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(uint64(s.o.Limits.Window)))
		src = &bounded{r: &named{r: f.zstd, what: what, in: f.raw}, in: f.raw, l: &s.o.Limits, out: expanded}
	}
	if err != nil {
		return &FileError{File: f.path, Off: -1, Err: err}
	}
	f.rd, err = pcapng.NewReader(src, pcapng.Limits{Block: s.o.Limits.Block, Secrets: s.o.Limits.Secrets, Chunk: s.chunk})
	if err != nil {
		f.rd = nil
		return f.fault(err)
	}
	if s.o.OnSecrets != nil && !f.peeking {
		f.rd.OnSecrets = func(sec pcapng.Secrets) { s.o.OnSecrets(f.path, uint32(sec.Type), sec.Reveal()) }
	}
	return nil
}

// compression names the compression by its magic: RFC 1952 2.3.1 and RFC 8878 3.1.1 (3.1.2 for skippable frames).
func compression(b []byte) string {
	switch {
	case len(b) < 2:
	case b[0] == 0x1f && b[1] == 0x8b:
		return "gzip"
	case len(b) < 4:
	case b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd, b[0]&0xf0 == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18:
		return "zstd"
	}
	return ""
}

// named says which decompressor failed, and where in the file.
type named struct {
	r     io.Reader
	what  string
	in    *counted
	begun bool // gzip: the header of a member was good
}

func (d *named) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF {
		err = d.name(err)
	}
	return n, err
}

func (d *named) name(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the %s data ends early, after %d octets: %w", d.what, d.in.n, io.ErrUnexpectedEOF)
	}
	if d.begun && errors.Is(err, gzip.ErrHeader) {
		return fmt.Errorf("what follows the gzip data is not gzip: %w", err)
	}
	return fmt.Errorf("the %s data is damaged, within its first %d octets: %w", d.what, d.in.n, err)
}

// next reads the next packet into f.pkt. Faults that reading can go on after are reported and passed by.
func (f *file) next(s *files) bool {
	for !f.ended {
		err := f.rd.Next(&f.pkt)
		if err == nil {
			f.number++
			return true
		}
		if err == io.EOF || errors.Is(err, ErrStopped) {
			break
		}
		if !f.peeking {
			s.report(f, f.fault(err))
		}
		var e *pcapng.Error
		if !errors.As(err, &e) || !e.Resumed {
			break
		}
	}
	f.ended = true
	return false
}

// peek finds the time of the first frame and closes the file again. It tells whether there is any use in reading
// it; if not, the fault was reported.
func (f *file) peek(s *files) bool {
	f.peeking = true
	err := f.open(s, nil)
	f.key = math.MinInt64 // without a frame: at once, to report its faults
	if err == nil && f.next(s) {
		f.key = f.pkt.Time
	}
	f.close()
	f.peeking, f.ended, f.number = false, false, 0
	if err != nil {
		s.report(f, err)
		return false
	}
	return true
}

// start opens the file and reads its first frame. It tells whether there is one; faults are reported.
func (f *file) start(s *files) bool {
	if err := f.open(s, s.o.Stdin); err != nil {
		f.close()
		s.report(f, err)
		return false
	}
	if !f.next(s) {
		s.finish(f)
		return false
	}
	f.key = f.pkt.Time
	return true
}

// addTo adds what the file's own reader counted.
func (f *file) addTo(st *Stats) {
	if f.rd == nil {
		return
	}
	c := f.rd.Counts()
	st.Tolerated += c.ShortPackets + c.BadOptions + c.BadTrailers + c.BadRecords + c.Unknown + c.OverLimit
	for _, i := range f.rd.Interfaces() {
		st.Drops += i.Dropped()
	}
}

func (f *file) fault(err error) *FileError {
	fe := &FileError{File: f.path, Off: -1, Err: err}
	if e, ok := errors.AsType[*pcapng.Error](err); ok {
		fe.Off = e.Off
	}
	return fe
}

// fill makes a Frame of the packet read last.
func (f *file) fill(fr *Frame) {
	p := &f.pkt
	fr.Number, fr.Time, fr.Data, fr.Orig, fr.Link = f.number, p.Time, p.Data, p.Orig, p.Link
	fr.Direction = p.Direction()
	fr.FileIndex, fr.File, fr.Offset, fr.Comments = f.index, f.path, p.Off, p.Comments
	if p.Interface >= len(f.names) {
		f.learn()
	}
	fr.Interface = f.names[p.Interface]
}

// learn keeps the names of interfaces described since the last call.
func (f *file) learn() {
	all := f.rd.Interfaces()
	for k := len(f.names); k < len(all); k++ {
		name := all[k].Name
		if name == "" {
			name = all[k].Description
		}
		f.names = append(f.names, name)
	}
}

// close lets go of everything but the counters.
func (f *file) close() {
	if f.zstd != nil {
		f.zstd.Close()
		f.zstd = nil
	}
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
	f.rd, f.raw, f.pkt, f.names = nil, nil, pcapng.Packet{}, nil
}

// stat looks at an input before anything is read.
func (f *file) stat(o *Options) *FileError {
	if f.path == "-" {
		if f.std = true; o.Stdin == nil {
			return &FileError{File: "-", Off: -1, Err: errors.New("is not available here")}
		}
		// Standard input may be a file: then its size is known.
		if fd, ok := o.Stdin.(*os.File); ok {
			if st, err := fd.Stat(); err == nil && st.Mode().IsRegular() {
				f.size = st.Size()
			}
		}
		return nil
	}
	st, err := os.Stat(f.path)
	if err != nil {
		return openError(f.path, err)
	}
	if st.IsDir() {
		return &FileError{File: f.path, Off: -1, Err: errors.New("is a directory"), Hint: "name the files in it, as " + f.path + "/*.pcap*"}
	}
	if f.plain = st.Mode().IsRegular(); f.plain {
		f.size = st.Size()
	}
	return nil
}

// openError says what the system said, without repeating the path.
func openError(path string, err error) *FileError {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return &FileError{File: path, Off: -1, Err: err}
}
