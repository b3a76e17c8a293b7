package capture

import (
	"errors"
	"io"
	"sync"
)

// ErrStopped is what a reader of [Interruptible] gives when it is stopped. An input that ends with it is no fault.
var ErrStopped = errors.New("reading was stopped")

// Interruptible makes a reader that may block for ever (a pipe, a terminal) give ErrStopped as soon as stop is closed. A
// read that blocks then goes on in the background until the process ends.
func Interruptible(r io.Reader, stop <-chan struct{}) io.Reader {
	return &interruptible{r: r, stop: stop, chunks: make(chan chunk)}
}

type interruptible struct {
	r      io.Reader
	stop   <-chan struct{}
	begin  sync.Once
	chunks chan chunk // without a buffer: what was given before is used up when the next one is taken
	rest   []byte
	err    error
}

type chunk struct {
	b   []byte
	err error
}

func (i *interruptible) Read(p []byte) (int, error) {
	i.begin.Do(func() { go i.pump() })
	select {
	case <-i.stop:
		return 0, ErrStopped
	default:
	}
	for len(i.rest) == 0 {
		if i.err != nil {
			return 0, i.err
		}
		select {
		case <-i.stop:
			return 0, ErrStopped
		case c := <-i.chunks:
			i.rest, i.err = c.b, c.err
		}
	}
	n := copy(p, i.rest)
	i.rest = i.rest[n:]
	return n, nil
}

// pump reads ahead into two buffers in turn.
func (i *interruptible) pump() {
	var bufs [2][]byte
	for k := 0; ; k ^= 1 {
		if bufs[k] == nil {
			bufs[k] = make([]byte, 64<<10)
		}
		n, err := i.r.Read(bufs[k])
		select {
		case <-i.stop:
			return
		case i.chunks <- chunk{bufs[k][:n], err}:
		}
		if err != nil {
			return
		}
	}
}

// A Stopper is a Source that can be told to end. Stop may be called from any goroutine; Next then gives io.EOF, or Errors
// if any file had a fault before.
type Stopper interface {
	Source
	Stop()
}

// Stop implements Stopper.
func (s *files) Stop() { s.stopOnce.Do(func() { close(s.stop) }) }

func (s *files) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}
