package flow

import (
	"sync"
	"sync/atomic"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A Loan is memory that the octets, segments and frame numbers of units are cut from. With [Config.Lend] it serves other
// units once all who hold it have given it back; without, it is the garbage collector's. Hold and GiveBack may be
// called from any goroutine.
type Loan struct {
	octets  []byte
	segs    []record.Segment
	frames  []uint64
	used    int // octets
	places  int // segments used, and frames
	holders atomic.Int32
	home    *loans // nil: it is not used again
}

// Octets of a loan, and segments and frames. What takes more than a quarter of either is allocated on its own.
const (
	loanOctets = 64 << 10
	loanPlaces = 192
	maxLoans   = 64 // kept for later use
)

// Hold keeps what was cut from the loan as it is until GiveBack is called as often. A nil Loan does nothing.
func (l *Loan) Hold() {
	if l != nil {
		l.holders.Add(1)
	}
}

// GiveBack ends one Hold.
func (l *Loan) GiveBack() {
	if l == nil || l.holders.Add(-1) > 0 || l.home == nil {
		return
	}
	poison(l.octets)
	poisonPlaces(l.segs, l.frames)
	l.used, l.places = 0, 0
	l.home.mu.Lock()
	defer l.home.mu.Unlock()
	if len(l.home.free) < maxLoans {
		l.home.free = append(l.home.free, l)
	}
}

func (l *Loan) fits(octets, places int) bool {
	return len(l.octets)-l.used >= octets && len(l.segs)-l.places >= places
}

// cut takes n octets.
func (l *Loan) cut(n int) []byte {
	b := l.octets[l.used : l.used+n : l.used+n]
	l.used += n
	return b
}

// cutPlaces takes room for n segments and as many frame numbers.
func (l *Loan) cutPlaces(n int) ([]record.Segment, []uint64) {
	i, j := l.places, l.places+n
	l.places = j
	return l.segs[i:j:j], l.frames[i:j:j]
}

// loans are the loans of a Decoder that were given back.
type loans struct {
	mu   sync.Mutex
	free []*Loan
}

func (h *loans) take() *Loan {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.free)
	if n == 0 {
		return nil
	}
	l := h.free[n-1]
	h.free = h.free[:n-1]
	return l
}

// room returns the loan at hand, which has room for so much; nil for more than a loan is for.
func (d *Decoder) room(octets, places int) *Loan {
	if octets > loanOctets/4 || places > loanPlaces/4 {
		return nil
	}
	l := d.loan
	if l != nil && l.fits(octets, places) {
		return l
	}
	l.GiveBack()
	l = nil
	if d.lends {
		l = d.loans.take()
	}
	if l == nil {
		l = &Loan{octets: make([]byte, loanOctets), segs: make([]record.Segment, loanPlaces), frames: make([]uint64, loanPlaces)}
		if d.lends {
			l.home = d.loans
		}
	}
	l.Hold() // the decoder's own
	d.loan = l
	return l
}

// StopLending has all units from now on own their memory. It is for the handler that finds, in the call of Unit or Finding,
// that it cannot give back what comes next.
func (d *Decoder) StopLending() {
	if d.lends {
		d.lends = false
		d.loan.GiveBack()
		d.loan = nil
	}
}

// give gives a unit its octets, a copy, its segments, and the frames of pieces.
func (d *Decoder) give(u *Unit, b []byte, segs, pieces []record.Segment) {
	n := max(len(segs), len(pieces))
	l := d.room(len(b), n)
	if l == nil {
		u.Data = append([]byte(nil), b...)
	} else {
		u.Data = l.cut(len(b))
		copy(u.Data, b)
	}
	d.givePlaces(u, l, segs, pieces)
}

// givePlaces gives a unit its segments and frames, from a loan that has room for them or is nil.
func (d *Decoder) givePlaces(u *Unit, l *Loan, segs, pieces []record.Segment) {
	n := max(len(segs), len(pieces))
	if l == nil {
		u.Segments, u.Frames = make([]record.Segment, len(segs)), frameNumbers(pieces)
		copy(u.Segments, segs)
		return
	}
	s, f := l.cutPlaces(n)
	u.Segments = s[:copy(s, segs)]
	u.Frames = frameNumbersInto(f[:0], pieces)
	if l.home != nil {
		u.Loan = l
	}
}
