package flow

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// A fragRun is the one datagram at a time whose fragments are coming one behind the other: the first one tells by its UDP
// header how long it will be, so that the octets go at once to where the datagram is read from. Whatever does not
// continue it turns it into pieces, as if they had been kept from the beginning.
type fragRun struct {
	set *fragSet // nil: there is none
	w   *whole   // segs are the fragments
	b   []byte   // what has come; the capacity is the length of the datagram
}

// beginRun tries to make a run of a datagram that nothing has come of yet but b, its first fragment, in packet p.
func (d *Decoder) beginRun(s *fragSet, p *packet, b []byte) bool {
	if d.frags.noRuns || p.cut || p.base != nil || s.proto != protoUDP || len(b) < 9 || s.have > 0 || s.total >= 0 || len(s.seen) > 0 || s.overlap || s.conflict {
		return false
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	places := n/len(b) + 2
	if n <= len(b) || n > loanOctets/4 || places > loanPlaces/4 || d.wanted(p, s.proto, b) != sipparse.Yes {
		return false
	}
	d.endRun()
	w := d.takeWhole()
	d.run = fragRun{set: s, w: w, b: w.room(d, n, places)}
	w.segs = w.segs[:0]
	s.checked = true
	return true
}

// continues appends fragment b, at octet off of the datagram, to the run if it is what comes next.
func (d *Decoder) continues(s *fragSet, p *packet, off int, more bool, b []byte) bool {
	r := &d.run
	if r.set != s && (off != 0 || !more || !d.beginRun(s, p, b)) {
		return false
	}
	end := off + len(b)
	if off != len(r.b) || len(b) == 0 || end > cap(r.b) || more != (end < cap(r.b)) || p.cut || p.base != nil || len(r.w.segs) >= d.cfg.FragmentPieces {
		d.endRun()
		return false
	}
	r.b = append(r.b, b...)
	r.w.segs = append(r.w.segs, record.Segment{Off: uint32(off), Frame: d.cur.Number})
	s.seen = append(s.seen, fragSeen{off: off, n: len(b)})
	s.have = end
	if !more {
		s.total = end
	}
	n := int64(len(b) + pieceCost + seenCost)
	s.held += n
	d.frags.bytes += n
	return true
}

// endRun turns the run into pieces.
func (d *Decoder) endRun() {
	r := d.run
	if r.set == nil {
		return
	}
	d.run = fragRun{}
	for i, g := range r.w.segs {
		end := len(r.b)
		if i+1 < len(r.w.segs) {
			end = int(r.w.segs[i+1].Off)
		}
		q := d.pool.take(int64(g.Off), r.b[g.Off:end], d.cur.Time, func(dst []record.Segment, _ []byte) []record.Segment {
			return append(dst, record.Segment{Frame: g.Frame})
		})
		r.set.list = append(r.set.list, q)
	}
	d.sum(r.set, r.b)
	r.w.base = r.b
	d.putWhole(r.w, r.w.at+cap(r.b))
}

// runDone goes on with the datagram that the run has become, of which all has come.
func (d *Decoder) runDone() {
	r := d.run
	d.run = fragRun{}
	s, w := r.set, r.w
	q := s.pkt
	q.whole, q.base, q.pieces, q.cut = w, r.b, w.segs, false
	w.base = r.b
	d.stats.FragmentCompleted++
	s.state, s.doneAt = fragDone, d.clock.now
	d.frags.drop(s, &d.pool)
	d.keepRaw(s, r.b, w.loan)
	d.datagramWhole(&q, s.proto, s)
}

// rawOctets is how much of complete datagrams is kept as it is, to know copies of their fragments by; of others sums are.
const rawOctets = 1 << 20

// keepRaw keeps the octets of a complete datagram, instead of the sums of its fragments.
func (d *Decoder) keepRaw(s *fragSet, b []byte, l *Loan) {
	t := &d.frags
	l.Hold()
	s.raw, s.rawLoan, s.rawPrev = b, l, t.rawLast
	if t.rawLast != nil {
		t.rawLast.rawNext = s
	} else {
		t.rawFirst = s
	}
	t.rawLast = s
	for t.rawOctets += len(b); t.rawOctets > rawOctets; {
		old := t.rawFirst
		d.sum(old, old.raw)
		t.dropRaw(old)
	}
}

// dropRaw gives the octets of a datagram back, if there are any.
func (t *fragTable) dropRaw(s *fragSet) {
	if s.raw == nil {
		return
	}
	if s.rawPrev != nil {
		s.rawPrev.rawNext = s.rawNext
	} else {
		t.rawFirst = s.rawNext
	}
	if s.rawNext != nil {
		s.rawNext.rawPrev = s.rawPrev
	} else {
		t.rawLast = s.rawPrev
	}
	t.rawOctets -= len(s.raw)
	s.rawLoan.GiveBack()
	s.raw, s.rawLoan, s.rawPrev, s.rawNext = nil, nil, nil, nil
}

// sum makes the sums of the fragments of a datagram, b.
func (d *Decoder) sum(s *fragSet, b []byte) {
	for i := range s.seen {
		x := &s.seen[i]
		x.sum = maphash.Bytes(d.seed, b[x.off:x.off+x.n])
	}
}

// isCopy tells whether a fragment is one of those that a complete datagram was put together from.
func (d *Decoder) isCopy(s *fragSet, off int, b []byte) bool {
	if s.raw != nil {
		for _, x := range s.seen {
			if x.off == off && x.n == len(b) {
				return bytes.Equal(s.raw[off:off+len(b)], b)
			}
		}
		return false
	}
	return s.isCopy(off, len(b), maphash.Bytes(d.seed, b))
}
