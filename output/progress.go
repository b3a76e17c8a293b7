package output

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A Progress is one line on a terminal's standard error that says how far a run has come. Without a terminal every
// method does nothing. It is safe for concurrent use.
type Progress struct {
	mu    sync.Mutex
	w     io.Writer
	width int
	last  time.Time
	drawn bool
	now   func() time.Time
}

// NewProgress draws on w, which is a terminal of the given width when terminal is true.
func NewProgress(w io.Writer, terminal bool, width int) *Progress {
	p := &Progress{width: width, now: time.Now}
	if terminal {
		p.w = w
	}
	if p.width <= 0 {
		p.width = 80
	}
	return p
}

// Update shows done of total octets (total 0: unknown) and the number of messages, at most ten times a second.
func (p *Progress) Update(done, total int64, messages uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w == nil || p.now().Sub(p.last) < 100*time.Millisecond {
		return
	}
	p.last = p.now()
	s := fmt.Sprintf("%.1f MB", float64(done)/1e6)
	if total > 0 {
		part := min(max(float64(done)/float64(total), 0), 1)
		filled := int(part * 20)
		s = fmt.Sprintf("[%s%s] %3d%% of %.1f MB", strings.Repeat("#", filled), strings.Repeat(".", 20-filled), int(part*100), float64(total)/1e6)
	}
	s += fmt.Sprintf(", %d messages", messages)
	s = s[:min(len(s), p.width-1)]
	fmt.Fprintf(p.w, "\r\x1b[K%s", s)
	p.drawn = true
}

// Clear takes the line away, so that something else can be written; the next Update draws it again. It is also what to
// call at the end.
func (p *Progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w != nil && p.drawn {
		io.WriteString(p.w, "\r\x1b[K")
		p.drawn = false
		p.last = time.Time{}
	}
}
