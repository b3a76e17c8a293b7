package flow

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// fragKey tells which datagram a fragment belongs to: RFC 791 3.2 with the protocol for IPv4, RFC 8200 4.5 without it
// for IPv6, and the VLAN or tunnel that it is in.
type fragKey struct {
	src, dst [16]byte
	ctx      uint64
	id       uint32
	proto    byte
	v6       bool
}

type fragState uint8

const (
	fragOpen fragState = iota
	fragDead           // known not to be SIP, or given up: later fragments leave at once
	fragDone           // complete; remembered for a moment, to know copies of its fragments
)

// fragSeen remembers one fragment of a complete datagram.
type fragSeen struct {
	off, n int
	sum    uint64
}

type fragSet struct {
	key        fragKey
	prev, next *fragSet // by age
	born       int64    // on the clock
	doneAt     int64
	state      fragState
	proto      byte // of the first fragment (RFC 8200 4.5: the others' is not looked at)
	checked    bool // the first fragment was judged
	total      int  // length of the datagram, -1 while the last fragment is missing
	have       int
	list       []*piece
	seen       []fragSeen
	held       int64

	// The octets of a complete datagram whose fragments have no sums, in a list of such datagrams.
	raw              []byte
	rawLoan          *Loan
	rawPrev, rawNext *fragSet

	overlap, conflict bool
	frames            []uint64 // for the finding about overlaps
	pkt               packet   // of the first fragment, or the latest
	cur               Frame    // of the latest fragment
}

const (
	fragCost      = 512 // octets that a set costs beside its pieces
	seenCost      = 24
	fragCopyTime  = 200e6 // how long copies of the fragments of a complete datagram are known, nanoseconds
	maxDatagram   = 65535
	maxFragFrames = 16
)

// fragTable holds the incomplete datagrams, oldest first.
type fragTable struct {
	m              map[fragKey]*fragSet
	oldest, newest *fragSet
	bytes          int64
	pending        []*fragSet // given up, still to be read as far as they go
	free           []*fragSet // whose memory serves the next ones
	last           *fragSet   // that was found; nil when it is gone

	rawFirst, rawLast *fragSet // with octets instead of sums
	rawOctets         int
	noRuns            bool // for tests
}

const maxFreeSets = 64

// find returns the entry of a key, nil when there is none. Fragments of a datagram mostly come in a row.
func (t *fragTable) find(k *fragKey) *fragSet {
	if s := t.last; s != nil && s.key == *k {
		return s
	}
	s := t.m[*k]
	if s != nil {
		t.last = s
	}
	return s
}

func (t *fragTable) add(s *fragSet) {
	t.m[s.key] = s
	t.last = s
	s.prev = t.newest
	if s.prev != nil {
		s.prev.next = s
	} else {
		t.oldest = s
	}
	t.newest = s
	s.held = fragCost
	t.bytes += fragCost
}

func (t *fragTable) remove(s *fragSet) {
	delete(t.m, s.key)
	if t.last == s {
		t.last = nil
	}
	t.dropRaw(s)
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		t.oldest = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		t.newest = s.prev
	}
	s.prev, s.next = nil, nil
	t.bytes -= s.held
	s.held = 0
	if s.state != fragOpen && len(t.free) < maxFreeSets && cap(s.seen) <= 64 && cap(s.list) <= 64 {
		t.free = append(t.free, s)
	}
}

// make gives an entry, in used memory if there is some.
func (t *fragTable) make() *fragSet {
	n := len(t.free)
	if n == 0 {
		return new(fragSet)
	}
	s := t.free[n-1]
	t.free = t.free[:n-1]
	*s = fragSet{list: s.list[:0], seen: s.seen[:0]}
	return s
}

func (t *fragTable) drop(s *fragSet, pool *piecePool) { // keeps the entry and frees what it holds
	pool.put(s.list)
	clear(s.list)
	s.list = s.list[:0]
	keep := int64(fragCost + seenCost*len(s.seen))
	t.bytes += keep - s.held
	s.held = keep
}

// fragment keeps one fragment, b at octet off of its datagram, and goes on with the datagram when it is complete.
func (d *Decoder) fragment(p *packet, proto byte, id uint32, off int, more bool, b []byte) {
	d.see(VerdictFragment)
	d.stats.Fragments++
	if p.quoted {
		// A quoted fragment tells of SIP only when it is the first one.
		if off == 0 {
			p.cut = true
			d.transport(p, proto, b)
		}
		return
	}
	k := fragKey{src: p.src.As16(), dst: p.dst.As16(), ctx: p.part, id: id, proto: proto, v6: p.v6}
	if p.v6 {
		k.proto = 0
	}
	s := d.frags.find(&k)
	if s != nil && s.state == fragDone {
		if d.clock.now-s.doneAt < fragCopyTime && d.isCopy(s, off, b) {
			d.stats.FragmentDuplicates++
			return
		}
		d.frags.remove(s)
		s = nil
	}
	if s == nil {
		for old := d.frags.oldest; old != nil && old.state == fragDone && d.clock.now-old.doneAt >= fragCopyTime; old = d.frags.oldest {
			d.frags.remove(old)
		}
		if len(d.frags.m) >= d.cfg.FragmentSets {
			if old := d.frags.oldest; old.state == fragDone {
				d.frags.remove(old) // kept to know copies by; nothing is lost
			} else {
				d.limit(LimitFragmentSets)
				d.giveUp(old)
			}
		}
		s = d.frags.make()
		s.key, s.born, s.total, s.proto = k, d.clock.now, -1, proto
		d.frags.add(s)
		d.wake(s.born + int64(d.cfg.FragmentTimeout))
		d.stats.FragmentSets++
	}
	if s.state == fragDead {
		return
	}
	if off+len(b) > maxDatagram {
		// Longer than any datagram (the "ping of death"); with jumbograms there are no fragments.
		d.stats.Malformed++
		d.kill(s)
		return
	}
	s.cur = d.cur
	s.cur.Data = nil
	if off == 0 || !s.checked {
		s.pkt = *p
		s.pkt.base, s.pkt.pieces, s.pkt.whole = nil, nil, nil
	}
	if off == 0 && !s.checked {
		s.proto = proto
	}
	if d.continues(s, p, off, more, b) {
		if !more {
			d.runDone()
		}
		d.enforce()
		return
	}
	end := off + len(b)
	if s.total >= 0 && end > s.total { // beyond the end that an earlier fragment gave; that one wins
		s.overlap, s.conflict = true, true
		d.stats.Overlaps++
		d.stats.Conflicts++
		b = b[:max(0, s.total-off)]
	}
	if !more && s.total < 0 && !p.cut {
		s.total = end
		if n := len(s.list); n > 0 && s.list[n-1].end() > int64(end) {
			s.total = int(s.list[n-1].end())
			s.conflict = true
		}
	}
	if len(b) > 0 {
		list, r := d.pool.add(s.list, int64(off), b, d.cur.Time, func(dst []record.Segment, b []byte) []record.Segment { return d.origin(dst, p, b, 0) })
		s.list = list
		s.have += r.added
		switch {
		case r.duplicate:
			d.stats.FragmentDuplicates++
		case r.overlaps:
			s.overlap = true
			d.stats.Overlaps++
			if r.conflict {
				s.conflict = true
				d.stats.Conflicts++
			}
			if len(s.frames) < maxFragFrames {
				s.frames = append(s.frames, d.cur.Number)
			}
		}
		n := int64(r.added + r.pieces*pieceCost + seenCost)
		s.held += n
		d.frags.bytes += n
		if len(s.list) > d.cfg.FragmentPieces {
			d.limit(LimitFragmentPieces)
			d.kill(s)
			return
		}
		s.seen = append(s.seen, fragSeen{off, len(b), maphash.Bytes(d.seed, b)})
		if len(s.seen) > d.cfg.FragmentPieces { // copies without an end
			d.limit(LimitFragmentPieces)
			d.kill(s)
			return
		}
	}
	if !s.checked && len(s.list) > 0 && s.list[0].off == 0 {
		switch d.wanted(&s.pkt, s.proto, s.list[0].data) {
		case sipparse.No:
			d.kill(s)
			return
		case sipparse.Yes:
			s.checked = true
		}
	}
	if s.total >= 0 && s.have >= s.total && s.list[len(s.list)-1].end() == int64(s.total) {
		d.stats.FragmentCompleted++
		q, proto := d.assemble(s), s.proto
		s.state, s.doneAt = fragDone, d.clock.now
		d.frags.drop(s, &d.pool)
		q.cut = false
		d.datagramWhole(&q, proto, nil)
	}
	d.enforce()
}

func (s *fragSet) isCopy(off, n int, sum uint64) bool {
	return slices.Contains(s.seen, fragSeen{off, n, sum})
}

// wanted judges a datagram by the octets it begins with.
func (d *Decoder) wanted(p *packet, proto byte, b []byte) sipparse.Verdict {
	switch proto {
	case protoUDP, protoUDPLite:
		if len(b) < 9 {
			return sipparse.More
		}
		sport, dport := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		if tunnelPort(sport) || tunnelPort(dport) || d.espPort(sport) || d.espPort(dport) || dport == portSIP || sport == portSIP {
			return sipparse.Yes
		}
		if v := hepPrefix(b[8:]); v != sipparse.No {
			return v
		}
		v := sipparse.StartPrefix(b[8:])
		if v == sipparse.More && sipparse.LooksLikeStart(b[8:]) {
			return sipparse.Yes
		}
		return v
	case protoTCP:
		if len(b) < 4 {
			return sipparse.More
		}
		q := *p
		q.sport, q.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		k := keyOf(&q)
		if st := d.streams.find(&k); st != nil && st.state == streamIgnored {
			return sipparse.No
		}
		return sipparse.Yes
	case protoSCTP, protoIPIP, protoIPv6, protoGRE, protoESP, protoAH, protoL2TP, protoMPLS, protoEtherIP, protoEthernet,
		protoHopByHop, protoRouting, protoDest, protoMobility, protoHIP, protoShim6:
		return sipparse.Yes
	}
	return sipparse.No
}

// kill gives a datagram up and keeps its entry, so that the rest of its fragments leave at once.
func (d *Decoder) kill(s *fragSet) {
	d.stats.FragmentDropped++
	if d.run.set == s {
		d.endRun()
	}
	s.state, s.seen = fragDead, nil
	d.frags.drop(s, &d.pool)
}

// assemble puts the octets that are there from the beginning on together; the packet that comes back knows where each
// came from.
func (d *Decoder) assemble(s *fragSet) packet {
	q := s.pkt
	w := d.takeWhole()
	q.whole, q.pieces = w, w.segs[:0]
	n := int64(0)
	for _, x := range s.list {
		if x.off != n {
			break
		}
		n = x.end()
	}
	q.base = w.room(d, int(n), len(s.list))
	for _, x := range s.list {
		if x.off >= n {
			break
		}
		for _, g := range x.segs {
			g.Off += uint32(x.off)
			q.pieces = append(q.pieces, g)
		}
		q.base = append(q.base, x.data...)
	}
	w.base, w.segs = q.base, q.pieces
	if s.overlap || s.conflict {
		what := "with the same octets"
		if s.conflict {
			what = "with other octets; the first ones are taken"
		}
		q.findings = append(q.findings, record.Finding{ID: "frag-overlap", Severity: record.Warning, Clause: "RFC 5722 4",
			Message: "fragments of the datagram overlap " + what, Frames: s.frames})
	}
	return q
}

// whole is memory for a datagram put together from fragments: its own, which is used again once the datagram has been
// read, or cut from a loan, so that a message in it need not be copied.
type whole struct {
	octets []byte
	segs   []record.Segment
	base   []byte // the datagram
	loan   *Loan  // nil: octets is used
	at     int    // where in the loan
	kept   bool   // by a unit
}

func (d *Decoder) takeWhole() *whole {
	n := len(d.whole)
	if n == 0 {
		return new(whole)
	}
	w := d.whole[n-1]
	d.whole = d.whole[:n-1]
	return w
}

// putWhole takes memory back of which the datagram was read; end is where it ends in the loan.
func (d *Decoder) putWhole(w *whole, end int) {
	switch l := w.loan; {
	case l == nil:
		poison(w.octets[:cap(w.octets)])
	case w.kept:
	default:
		poison(l.octets[w.at:end])
		if l.used == end { // nobody has taken more
			l.used = w.at
		}
	}
	w.loan.GiveBack()
	w.base, w.loan = nil, nil
	if len(d.whole) < 4 {
		d.whole = append(d.whole, w)
	}
}

// room returns n octets of memory, empty.
func (w *whole) room(d *Decoder, n, pieces int) []byte {
	w.kept = false
	if w.loan = d.room(n, pieces); w.loan != nil {
		w.loan.Hold()
		w.at = w.loan.used
		return w.loan.cut(n)[:0]
	}
	if cap(w.octets) < n {
		w.octets = make([]byte, 0, n)
	}
	return w.octets[:0:n]
}

// keepWhole gives the loan that octets b of a datagram put together are cut from, which has room for its places, too;
// nil when they have to be copied.
func (d *Decoder) keepWhole(p *packet, b []byte) *Loan {
	w := p.whole
	if w == nil || w.loan == nil || w.loan.home != nil && !d.lends || !sameEnd(b, w.base) || !w.loan.fits(0, len(p.pieces)) {
		return nil
	}
	w.kept = true
	return w.loan
}

// sameEnd tells whether b is cut out of base with its capacity intact.
func sameEnd(b, base []byte) bool {
	n, m := cap(b), cap(base)
	return 0 < n && n <= m && &b[:n][n-1] == &base[:m][m-1]
}

// datagramWhole goes on with a datagram put together and takes its memory back; s is the entry that keeps its octets, if any.
func (d *Decoder) datagramWhole(q *packet, proto byte, s *fragSet) {
	w, base := q.whole, q.base
	if q.v6 {
		d.extensions(q, proto, base)
	} else {
		d.transport(q, proto, base)
	}
	if s != nil && !w.kept && len(s.raw) > 0 && &s.raw[0] == &base[0] { // the entry may be another datagram's by now
		d.sum(s, base)
		d.frags.dropRaw(s)
	}
	d.putWhole(w, w.at+cap(base))
}

// giveUp forgets the datagram. What it begins with is read later, in drain.
func (d *Decoder) giveUp(s *fragSet) {
	if d.run.set == s {
		d.endRun()
	}
	d.frags.remove(s)
	if s.state == fragOpen {
		d.frags.pending = append(d.frags.pending, s)
	}
}

// drain reads the beginnings of datagrams that were given up. It is called when no layer of a frame is at work, so that
// giving up one while another is read does not recurse.
func (d *Decoder) drain() {
	for len(d.frags.pending) > 0 {
		s := d.frags.pending[0]
		d.frags.pending = d.frags.pending[1:]
		if len(s.list) == 0 || s.list[0].off != 0 {
			d.stats.FragmentHeadless++
			continue
		}
		saved, verdict := d.cur, d.verdict
		d.cur = s.cur
		q := d.assemble(s)
		q.cut = true
		q.findings = append(q.findings, record.Finding{ID: "frag-incomplete", Severity: record.Warning, Clause: fragClause(q.v6),
			Message: fmt.Sprintf("fragments of the datagram are missing after octet %d", len(q.base)), Frames: frameNumbers(q.pieces)})
		d.datagramWhole(&q, s.proto, nil)
		d.cur, d.verdict = saved, verdict
	}
	d.frags.pending = nil
}

func fragClause(v6 bool) string {
	if v6 {
		return "RFC 8200 4.5"
	}
	return "RFC 791 3.2"
}

// expireFragments gives up what is older than the time-out and returns when the next one is due.
func (d *Decoder) expireFragments() int64 {
	for s := d.frags.oldest; s != nil; s = d.frags.oldest {
		if due := s.born + int64(d.cfg.FragmentTimeout); due > d.clock.now {
			return due
		}
		if s.state == fragOpen {
			d.stats.FragmentTimedOut++
		}
		d.giveUp(s)
	}
	return never
}
