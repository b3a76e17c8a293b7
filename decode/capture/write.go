package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/pcapng"
)

// WriteOptions say what files to write. The zero value writes one pcapng file.
type WriteOptions struct {
	// A new file is begun when one of these is reached; with any of them set, names are numbered as dumpcap does it:
	// trace.pcapng becomes trace_00001_20240101120000.pcapng.
	Duration time.Duration // of packet time, from the first frame of the file
	FileSize int64         // octets
	Packets  uint64
	// Files is how many are kept: the oldest is removed when there would be one more. 0 keeps all.
	Files int

	Compress string // "", gzip or zstd: a file is compressed when it is closed
	Stdout   io.Writer

	// OnlySIP writes only frames that Message names. Frames are held back for it: Hold octets (default 8 MiB) and
	// HoldTime of packet time (default 6 s, longer than a gap in a stream is waited for).
	OnlySIP  bool
	Hold     int
	HoldTime time.Duration

	Application string
	Snap        int
	Filter      string
	// Devices, if set, tells what is captured on: the interfaces are described before the first frame, and their
	// counters are written at the end of each file.
	Devices func() []Device
	// Secrets, if set, gives TLS key log lines, but the first since, and how many there are: each file gets them in decryption
	// secrets blocks, new ones as they come.
	Secrets func(since int) (lines []byte, n int)
	// Flush is how long a frame may stay in memory; default 1 s. Negative: until the buffer is full.
	Flush time.Duration
}

func (o WriteOptions) rotates() bool { return o.Duration > 0 || o.FileSize > 0 || o.Packets > 0 }

// A FileWriter writes frames to capture files. What is on disk always ends with a whole block. A fault of the disk ends
// the writing and is told once, as a Notice; the frames after it are counted and not written.
//
// Frame and Message are for one goroutine; the others may be called from any.
type FileWriter struct {
	path string
	o    WriteOptions

	mu      sync.Mutex
	f       *os.File
	out     *whole
	w       *pcapng.Writer
	name    string
	ids     map[ifaceKey]int
	perFile uint64
	secrets int   // lines in the file
	started int64 // time of the first frame of the file
	serial  int
	kept    []string // names of the ring, oldest first
	err     error
	told    bool
	last    int64
	now     func() time.Time

	hold hold

	written, octets, lost, late uint64
	files                       int

	stop, stopped chan struct{}
	squeeze       chan string
	squeezed      chan struct{}
	squeezeErr    error // under mu
}

type ifaceKey struct {
	file int
	name string
	link uint16
}

// WriteStats are what a FileWriter did.
type WriteStats struct {
	Frames, Octets uint64
	Lost           uint64 // frames that came after the disk failed
	Late           uint64 // frames of messages that were not held back any more when the message was complete
	Files          int
	Name           string // of the file at hand
}

// NewFileWriter creates the first file, readable by the owner only: captures hold what users say about themselves.
func NewFileWriter(path string, o WriteOptions) (*FileWriter, error) {
	if o.Hold <= 0 {
		o.Hold = 8 << 20
	}
	if o.HoldTime <= 0 {
		o.HoldTime = 6 * time.Second
	}
	if o.Flush == 0 {
		o.Flush = time.Second
	}
	switch o.Compress {
	case "", "gzip", "zstd":
	default:
		return nil, fmt.Errorf("files can be compressed by gzip or zstd, not by %q", o.Compress)
	}
	if path == "-" && (o.rotates() || o.Compress != "" || o.Stdout == nil) {
		return nil, errors.New("standard output cannot be rotated or compressed")
	}
	w := &FileWriter{path: path, o: o, now: time.Now}
	w.hold = hold{limit: o.Hold, age: int64(o.HoldTime), want: make(map[holdKey]*held)}
	if err := w.open(false); err != nil {
		return nil, err
	}
	if o.Compress != "" {
		w.squeeze, w.squeezed = make(chan string, 64), make(chan struct{})
		go w.squeezer(w.squeeze)
	}
	if o.Flush > 0 {
		w.stop, w.stopped = make(chan struct{}), make(chan struct{})
		go w.flusher(w.stop)
	}
	return w, nil
}

// whole writes to a file and takes back what was written in part, so that the file ends with a whole block.
type whole struct {
	f    *os.File
	good int64
}

func (f *whole) Write(b []byte) (int, error) {
	n, err := f.f.Write(b)
	if err == nil {
		f.good += int64(n)
		return n, nil
	}
	f.good += wholeBlocks(b[:max(n, 0)])
	if f.f.Truncate(f.good) == nil {
		f.f.Seek(f.good, io.SeekStart)
	}
	return n, err
}

// wholeBlocks is how many octets of b are whole pcapng blocks, b beginning with one.
func wholeBlocks(b []byte) (n int64) {
	for len(b) >= 12 {
		size := binary.LittleEndian.Uint32(b[4:]) // as the writer has it
		if size < 12 || uint64(size) > uint64(len(b)) {
			break
		}
		n += int64(size)
		b = b[size:]
	}
	return n
}

// open begins a file. again appends a section to what may be there.
func (w *FileWriter) open(again bool) error {
	if w.path == "-" {
		return w.begin(w.o.Stdout)
	}
	w.name = w.path
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if w.o.rotates() {
		w.serial++
		ext := filepath.Ext(w.path)
		w.name = fmt.Sprintf("%s_%05d_%s%s", strings.TrimSuffix(w.path, ext), w.serial, w.now().Format("20060102150405"), ext)
	} else if again {
		flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	f, err := os.OpenFile(w.name, flags, 0o600)
	if err != nil {
		return err
	}
	w.f, w.out = f, &whole{f: f}
	if again {
		if st, err := f.Stat(); err == nil {
			w.out.good = st.Size()
		}
	}
	if err := w.begin(w.out); err != nil {
		f.Close()
		return err
	}
	if w.o.rotates() {
		w.kept = append(w.kept, w.name)
		for w.o.Files > 0 && len(w.kept) > w.o.Files {
			for _, ext := range []string{"", ".gz", ".zst"} {
				os.Remove(w.kept[0] + ext)
			}
			w.kept = w.kept[1:]
		}
	}
	return nil
}

func (w *FileWriter) begin(to io.Writer) (err error) {
	if w.w, err = pcapng.NewWriter(to, pcapng.WriterOptions{Application: w.o.Application}); err != nil {
		return err
	}
	w.ids, w.perFile = map[ifaceKey]int{}, 0
	w.files++
	if w.o.Devices != nil {
		for _, d := range w.o.Devices() {
			if d.Name == Any { // frames of it name their own interface
				continue
			}
			if _, err := w.iface(ifaceKey{0, d.Name, d.Link}); err != nil {
				return err
			}
		}
	}
	w.secrets = 0
	if err := w.writeSecrets(); err != nil {
		return err
	}
	return w.w.Flush()
}

// writeSecrets writes those that the file does not have.
func (w *FileWriter) writeSecrets() error {
	if w.o.Secrets == nil {
		return nil
	}
	lines, n := w.o.Secrets(w.secrets)
	defer clear(lines)
	w.secrets = n
	for len(lines) > 0 { // a reader may refuse long blocks
		end := len(lines)
		if end > maxSecrets {
			end = bytes.LastIndexByte(lines[:maxSecrets], '\n') + 1
			if end == 0 {
				end = maxSecrets
			}
		}
		if err := w.w.WriteSecrets(pcapng.SecretsTLSKeyLog, lines[:end]); err != nil {
			return err
		}
		lines = lines[end:]
	}
	return nil
}

// maxSecrets bounds one block of secrets; a line is far shorter.
const maxSecrets = 1 << 20

// iface gives the number of an interface in the file at hand.
func (w *FileWriter) iface(k ifaceKey) (int, error) {
	if id, ok := w.ids[k]; ok {
		return id, nil
	}
	id, err := w.w.AddInterface(pcapng.Interface{Link: k.link, Name: k.name, SnapLen: uint32(w.o.Snap), Filter: w.o.Filter})
	if err == nil {
		w.ids[k] = id
	}
	return id, err
}

// Frame writes a frame, or holds it back until it is known whether a message came in it.
func (w *FileWriter) Frame(f *Frame) *Notice {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = f.Time
	if w.err == nil {
		if w.o.OnlySIP {
			w.hold.put(f)
			for w.err == nil {
				h := w.hold.due(f.Time)
				if h == nil {
					break
				}
				if h.wanted {
					w.fail(w.write(&h.Frame))
				}
				w.hold.free(h)
			}
		} else {
			w.fail(w.write(f))
		}
	} else {
		w.lost++
	}
	return w.notice()
}

// Message marks frames that a message came in.
func (w *FileWriter) Message(file string, frames []uint64) {
	if !w.o.OnlySIP {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range frames {
		if h := w.hold.want[holdKey{file, n}]; h != nil {
			h.wanted = true
		} else {
			w.late++
		}
	}
}

func (w *FileWriter) notice() *Notice {
	err := w.err
	switch {
	case err != nil && !w.told:
		w.told = true
		return &Notice{Time: w.last, Finding: record.Finding{ID: "write-failed", Severity: record.Error, Clause: "mcxdump",
			Message: fmt.Sprintf("frames are not written any more: %v; %s ends with the last whole one, and decoding goes on", err, w.name)}}
	case w.squeezeErr != nil:
		err, w.squeezeErr = w.squeezeErr, nil
		return &Notice{Time: w.last, Finding: record.Finding{ID: "write-compress", Severity: record.Warning, Clause: "mcxdump",
			Message: fmt.Sprintf("a file that was written is left uncompressed: %v", err)}}
	}
	return nil
}

// fail notes the first fault. The file is closed with what is in it.
func (w *FileWriter) fail(err error) {
	if err == nil || w.err != nil {
		return
	}
	w.err = err
	if w.f != nil {
		w.f.Close()
		w.f = nil
	}
}

func (w *FileWriter) write(f *Frame) error {
	if w.perFile > 0 {
		full := w.o.FileSize > 0 && w.w.Size() >= w.o.FileSize || w.o.Packets > 0 && w.perFile >= w.o.Packets ||
			w.o.Duration > 0 && f.Time-w.started >= int64(w.o.Duration)
		if full {
			if err := w.finish(); err != nil {
				return err
			}
			if err := w.open(false); err != nil {
				return err
			}
		}
	}
	if w.perFile == 0 {
		w.started = f.Time
	}
	id, err := w.iface(ifaceKey{f.FileIndex, f.Interface, f.Link})
	if err != nil {
		return err
	}
	if err := w.w.WritePacket(&pcapng.Packet{Data: f.Data, Orig: f.Orig, Time: f.Time, Link: f.Link, Interface: id, Flags: uint32(f.Direction & 3), Comments: f.Comments}); err != nil {
		return err
	}
	w.perFile++
	w.written++
	w.octets += uint64(len(f.Data))
	return nil
}

// finish ends the file at hand with its statistics.
func (w *FileWriter) finish() error {
	if err := w.writeSecrets(); err != nil {
		return err
	}
	if w.o.Devices != nil {
		for _, d := range w.o.Devices() {
			id, ok := w.ids[ifaceKey{0, d.Name, d.Link}]
			if !ok {
				if d.Name != Any {
					continue
				}
				var err error
				if id, err = w.iface(ifaceKey{0, d.Name, d.Link}); err != nil {
					return err
				}
			}
			if err := w.w.WriteStats(id, pcapng.Statistics{Time: max(w.last, 0), Received: d.Received, OSDropped: d.Dropped, Has: pcapng.HasReceived | pcapng.HasOSDropped}); err != nil {
				return err
			}
		}
	}
	if err := w.w.Flush(); err != nil {
		return err
	}
	if w.f == nil {
		return nil
	}
	err := w.f.Close()
	w.f = nil
	if err == nil && w.squeeze != nil {
		select {
		case w.squeeze <- w.name:
		default:
			w.squeezeErr = fmt.Errorf("%s: compression does not keep up", w.name)
		}
	}
	return err
}

// Reopen begins a new file: the next one of a ring, else the same name again, which may have been moved away. If it has
// not been, a new section is appended: nothing is lost.
func (w *FileWriter) Reopen() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.path == "-" {
		return w.err
	}
	squeeze := w.squeeze
	if !w.o.rotates() {
		w.squeeze = nil // it may be another's file by now
	}
	err := w.finish()
	w.squeeze = squeeze
	if err == nil {
		err = w.open(true)
	}
	w.fail(err)
	return err
}

// Stats tells what was written so far.
func (w *FileWriter) Stats() WriteStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return WriteStats{Frames: w.written, Octets: w.octets, Lost: w.lost, Late: w.late, Files: w.files, Name: w.name}
}

// Close writes what is held back and ends the file. It gives the error that ended the writing, if one did.
func (w *FileWriter) Close() error {
	if w.stop != nil {
		close(w.stop)
		<-w.stopped
		w.stop = nil
	}
	w.mu.Lock()
	for w.err == nil {
		h := w.hold.first()
		if h == nil {
			break
		}
		if h.wanted {
			w.fail(w.write(&h.Frame))
		}
		w.hold.free(h)
	}
	if w.err == nil {
		w.fail(w.finish())
		if w.err == nil {
			w.err = os.ErrClosed
			w.told = true
			defer func() { w.err = os.ErrClosed }()
		}
	}
	err := w.err
	squeeze := w.squeeze
	w.squeeze = nil
	w.mu.Unlock()
	if squeeze != nil {
		close(squeeze)
		<-w.squeezed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == os.ErrClosed {
		err = w.squeezeErr
		w.squeezeErr = nil
	}
	return err
}

func (w *FileWriter) flusher(stop <-chan struct{}) {
	defer close(w.stopped)
	t := time.NewTicker(w.o.Flush)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			w.mu.Lock()
			if w.err == nil {
				w.fail(w.writeSecrets())
			}
			if w.err == nil {
				w.fail(w.w.Flush())
			}
			w.mu.Unlock()
		}
	}
}

// squeezer compresses closed files, one at a time.
func (w *FileWriter) squeezer(names <-chan string) {
	defer close(w.squeezed)
	for name := range names {
		if err := compress(name, w.o.Compress); err != nil && !errors.Is(err, os.ErrNotExist) { // removed: the ring went on
			w.mu.Lock()
			w.squeezeErr = err
			w.mu.Unlock()
		}
	}
}

// compress replaces a file by its compressed form, under its name only when that is whole.
func compress(name, how string) (err error) {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	ext := ".gz"
	if how == "zstd" {
		ext = ".zst"
	}
	part := name + ext + ".part"
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(part)
		}
	}()
	var z io.WriteCloser
	if how == "zstd" {
		if z, err = zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true)); err != nil {
			return err
		}
	} else {
		z = gzip.NewWriter(out)
	}
	if _, err = io.Copy(z, in); err != nil {
		return err
	}
	if err = z.Close(); err != nil {
		return err
	}
	if err = out.Close(); err != nil {
		return err
	}
	if _, err = os.Stat(name); err != nil { // the ring has gone on meanwhile
		return err
	}
	if err = os.Rename(part, name+ext); err != nil {
		return err
	}
	return os.Remove(name)
}

// hold keeps frames back, oldest first, in memory that is used again.
type hold struct {
	limit, size int
	age         int64
	queue       []*held // from head
	head        int
	want        map[holdKey]*held
	spare       []*held
}

type holdKey struct {
	file   string
	number uint64
}

type held struct {
	Frame
	wanted bool
}

const heldCost = 384 // of a frame beside its octets

func (h *hold) put(f *Frame) {
	var e *held
	if n := len(h.spare); n > 0 {
		e, h.spare = h.spare[n-1], h.spare[:n-1]
	} else {
		e = &held{}
	}
	data := append(e.Data[:0], f.Data...)
	e.Frame, e.wanted = *f, false
	e.Data = data
	h.size += cap(data) + heldCost
	if h.head > 1024 && h.head > len(h.queue)/2 {
		h.queue = h.queue[:copy(h.queue, h.queue[h.head:])]
		h.head = 0
	}
	h.queue = append(h.queue, e)
	h.want[holdKey{f.File, f.Number}] = e
}

// due gives the oldest frame if there are too many or it is too old.
func (h *hold) due(now int64) *held {
	e := h.first()
	if e == nil || h.size <= h.limit && now-e.Time < h.age {
		return nil
	}
	return e
}

func (h *hold) first() *held {
	if h.head == len(h.queue) {
		return nil
	}
	return h.queue[h.head]
}

// free lets go of the oldest frame.
func (h *hold) free(e *held) {
	h.queue[h.head] = nil
	h.head++
	h.size -= cap(e.Data) + heldCost
	if k := (holdKey{e.File, e.Number}); h.want[k] == e {
		delete(h.want, k)
	}
	if len(h.spare) < 1024 && cap(e.Data) <= 4096 {
		e.Comments = nil
		h.spare = append(h.spare, e)
	}
}
