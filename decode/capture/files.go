package capture

import (
	"errors"
	"io"
	"math"
	"sync"
)

// files is the Source over capture files: one read straight on, several merged by a heap over the time of their
// next frame.
type files struct {
	o     Options
	chunk int
	list  []*file
	heap  []*file // of what is not finished; unused for one file
	cur   *file   // the file whose frame was given last and is still in its buffer
	meter meter
	stats Stats
	last  int64
	err   error // given by every further Next

	stop     chan struct{}
	stopOnce sync.Once
}

// Open gives the frames of all paths in time order; frames of the same time come in the order of the paths. "-"
// is Options.Stdin.
//
// A path that cannot be opened is an error at once. An input that turns out to be no capture is one at once if
// there is nothing else to read; else it is reported like any other fault of a file, while the others are read.
func Open(paths []string, o Options) (Source, error) {
	if len(paths) == 0 {
		return nil, errors.New("no capture file named")
	}
	o.Limits = o.Limits.withDefaults()
	s := &files{o: o, chunk: 256 << 10, stop: make(chan struct{})}
	if len(paths) > 64 {
		s.chunk = 64 << 10
	}
	var faults Errors
	var size int64
	known, std := true, 0
	for k, path := range paths {
		f := &file{path: path, index: k}
		if err := f.stat(&o); err != nil {
			faults = append(faults, err)
			continue
		}
		if f.std {
			std++
		}
		known = known && (f.plain || f.size > 0)
		size += f.size
		s.list = append(s.list, f)
	}
	if std > 1 {
		faults = append(faults, &FileError{File: "-", Off: -1, Err: errors.New("is named more than once")})
	}
	if len(faults) > 0 {
		return nil, faults.orOne()
	}
	if known {
		s.stats.Size = size
		s.meter.total.Store(size)
	}
	if err := s.begin(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// orOne gives a single fault as itself.
func (e Errors) orOne() error {
	if len(e) == 1 {
		return e[0]
	}
	return e
}

// begin opens what has to be open before the first frame.
func (s *files) begin() error {
	s.stats.Files = len(s.list)
	s.last = math.MinInt64
	if len(s.list) == 1 {
		if err := s.list[0].open(s, s.o.Stdin); err != nil {
			return err
		}
		return nil
	}
	for _, f := range s.list {
		// Regular files are looked into for their first time only, and opened when it is their turn, so that a
		// ring of a thousand files needs one or two open at once.
		ok := false
		if f.plain {
			ok = f.peek(s)
		} else {
			ok = f.start(s)
		}
		if ok {
			s.heap = append(s.heap, f)
		}
	}
	for k := len(s.heap)/2 - 1; k >= 0; k-- {
		s.down(k)
	}
	if len(s.heap) == 0 {
		// Nothing to read. Captures without a frame are no fault; if nothing could be opened, say so now.
		var e Errors
		for _, fe := range s.stats.List {
			if fe.Off < 0 {
				e = append(e, fe)
			}
		}
		if len(e) == len(s.list) {
			return e
		}
	}
	return nil
}

// Next implements Source.
func (s *files) Next(fr *Frame) error {
	if s.err != nil {
		return s.err
	}
	if s.stopped() {
		return s.end()
	}
	if len(s.list) == 1 {
		f := s.list[0]
		if f.rd != nil && f.next(s) {
			f.fill(fr)
			s.count(fr)
			return nil
		}
		s.finish(f)
		return s.end()
	}
	if f := s.cur; f != nil {
		s.cur = nil
		if f.next(s) {
			f.key = f.pkt.Time
			s.down(0)
		} else {
			s.pop()
		}
	}
	for len(s.heap) > 0 {
		f := s.heap[0]
		if f.rd == nil {
			if f.start(s) {
				s.down(0)
			} else {
				s.pop()
			}
			continue
		}
		s.cur = f
		f.fill(fr)
		s.count(fr)
		return nil
	}
	return s.end()
}

func (s *files) count(fr *Frame) {
	s.stats.Frames++
	s.stats.Octets += uint64(len(fr.Data))
	if uint64(len(fr.Data)) < uint64(fr.Orig) {
		s.stats.Truncated++
	}
	s.stats.Comments += uint64(len(fr.Comments))
	if fr.Time < s.last {
		s.stats.Backward++
	}
	s.last = fr.Time
}

// end tells how it all went.
func (s *files) end() error {
	if s.err = io.EOF; len(s.stats.List) > 0 {
		s.err = append(Errors(nil), s.stats.List...)
	}
	return s.err
}

// report notes a fault of a file.
func (s *files) report(f *file, fe *FileError) {
	if s.stats.Errors++; f.faults >= s.o.Limits.Errors {
		return
	}
	f.faults++
	s.stats.List = append(s.stats.List, fe)
	if s.o.OnError != nil {
		s.o.OnError(fe)
	}
}

// pop takes the first file off the heap: it is finished.
func (s *files) pop() {
	s.finish(s.heap[0])
	n := len(s.heap) - 1
	s.heap[0], s.heap[n] = s.heap[n], nil
	s.heap = s.heap[:n]
	s.down(0)
}

// finish adds what a file knows at its end, and closes it.
func (s *files) finish(f *file) {
	f.addTo(&s.stats)
	f.close()
}

// before is the order of the merge: time, then place among the paths, which makes it stable.
func before(a, b *file) bool {
	if a.key != b.key {
		return a.key < b.key
	}
	return a.index < b.index
}

// down restores the heap below k.
func (s *files) down(k int) {
	h := s.heap
	for {
		c := 2*k + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && before(h[c+1], h[c]) {
			c++
		}
		if !before(h[c], h[k]) {
			return
		}
		h[k], h[c] = h[c], h[k]
		k = c
	}
}

// Stats implements Source.
func (s *files) Stats() Stats {
	st := s.stats
	st.Read = s.meter.read.Load()
	st.List = append(Errors(nil), st.List...)
	for _, f := range s.list {
		f.addTo(&st)
	}
	return st
}

// Progress implements Progresser.
func (s *files) Progress() (read, total int64) { return s.meter.read.Load(), s.meter.total.Load() }

// Seekable implements Rewinder.
func (s *files) Seekable() bool {
	for _, f := range s.list {
		if !f.plain {
			return false
		}
	}
	return true
}

// Rewind implements Rewinder.
func (s *files) Rewind() error {
	if !s.Seekable() {
		return errors.New("the input cannot be read twice: it is not made of regular files only")
	}
	for _, f := range s.list {
		f.close()
		f.number, f.faults, f.ended, f.key = 0, 0, false, 0
	}
	s.heap, s.cur, s.err = nil, nil, nil
	s.stats = Stats{Size: s.stats.Size}
	s.meter.read.Store(0)
	return s.begin()
}

// Close implements Source. It does not close Options.Stdin.
func (s *files) Close() error {
	for _, f := range s.list {
		s.finish(f)
	}
	s.heap, s.cur = nil, nil
	if s.err == nil {
		s.err = errClosed
	}
	return nil
}

var errClosed = errors.New("the source is closed")

var (
	_ Rewinder   = (*files)(nil)
	_ Progresser = (*files)(nil)
	_ Stopper    = (*files)(nil)
)
