package flow

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sort"

	"github.com/mcxdump/mcxdump/decode/record"
)

// streamList is a list of streams by last use.
type streamList struct {
	oldest, newest *stream
	bytes          int64
	n              int
}

func (l *streamList) push(st *stream) {
	st.list, st.prev, st.next = l, l.newest, nil
	if st.prev != nil {
		st.prev.next = st
	} else {
		l.oldest = st
	}
	l.newest = st
	l.bytes += st.held
	l.n++
}

func (l *streamList) cut(st *stream) {
	if st.prev != nil {
		st.prev.next = st.next
	} else {
		l.oldest = st.next
	}
	if st.next != nil {
		st.next.prev = st.prev
	} else {
		l.newest = st.prev
	}
	st.prev, st.next, st.list = nil, nil, nil
	l.bytes -= st.held
	l.n--
}

// Streams that are known to be SIP are in a list of their own, so that a flood of others does not push them out.
const (
	listPlain = iota
	listSIP
	numLists
)

type streamTable struct {
	m     map[flowKey]*stream
	near  [nearStreams]*stream // some of m, where find looks first
	lists [numLists]streamList
	heap  []*stream // by due
}

const nearStreams = 256

// place is where a stream may be among those near.
func (k *flowKey) place() int {
	h := (binary.LittleEndian.Uint32(k.src[12:])*0x85ebca6b ^ binary.LittleEndian.Uint32(k.dst[12:])) * 0x9e3779b1
	h = (h ^ uint32(k.sport)<<16 ^ uint32(k.dport)) * 0xc2b2ae35
	return int(h >> 24)
}

// find returns the stream of a key, nil when there is none.
func (t *streamTable) find(k *flowKey) *stream {
	near := &t.near[k.place()]
	if st := *near; st != nil && st.key == *k {
		return st
	}
	st := t.m[*k]
	if st != nil {
		*near = st
	}
	return st
}

// opposite returns the stream of the other direction, nil when there is none.
func (t *streamTable) opposite(k *flowKey) *stream {
	back := k.reverse()
	return t.find(&back)
}

func (t *streamTable) bytes() int64 { return t.lists[listPlain].bytes + t.lists[listSIP].bytes }

func (t *streamTable) use(st *stream) {
	if l := st.list; l.newest != st {
		l.cut(st)
		l.push(st)
	}
}

// move puts a stream, or the one that carries it, into another list.
func (t *streamTable) move(st *stream, list int) {
	if st.streamData != nil && st.outer != nil {
		st = st.outer
	}
	if st.list == nil {
		return // the carrier was forgotten
	}
	st.list.cut(st)
	t.lists[list].push(st)
}

func (t *streamTable) remove(st *stream) {
	if t.m[st.key] == st {
		delete(t.m, st.key)
	}
	if near := &t.near[st.key.place()]; *near == st {
		*near = nil
	}
	t.unschedule(st)
	st.part()
	if st.list != nil {
		st.list.cut(st)
	}
}

// newStream makes an entry whose next octet has sequence number seq.
func (d *Decoder) newStream(p *packet, k flowKey, seq uint32) *stream {
	if len(d.streams.m) >= d.cfg.Streams {
		d.limit(LimitStreams)
		old := d.streams.lists[listPlain].oldest
		if old == nil {
			old = d.streams.lists[listSIP].oldest
		}
		d.forgetStream(old)
	}
	st := &stream{key: k, held: streamCost}
	d.streams.m[k], d.streams.near[k.place()] = st, st
	d.streams.lists[listPlain].push(st)
	d.open(st, p, seq)
	return st
}

// open makes a stream undecided again, from sequence number seq on.
func (d *Decoder) open(st *stream, p *packet, seq uint32) {
	st.state, st.nextSeq = streamProbe, seq
	st.streamData = &streamData{cutAt: -1, transport: TCP, enc: p.enc, file: d.cur.File, iface: d.cur.Interface, lastFrame: d.cur.Number,
		src: netip.AddrPortFrom(p.src, p.sport), dst: netip.AddrPortFrom(p.dst, p.dport)}
}

// ignore drops a stream from the road. The layers that are at work on it see that it is gone; settle frees what is left.
func (d *Decoder) ignore(st *stream) {
	d.stats.StreamsIgnored++
	st.state = streamIgnored
	st.probe, st.framer, st.ws, st.hep, st.http, st.h2, st.wait, st.waitBytes, st.findings = nil, nil, nil, nil, nil, nil, nil, 0, nil
	st.spans = spanMap{}
}

// gone reports whether nothing is to be done for the stream any more.
func (st *stream) gone() bool {
	return st.streamData == nil || st.state == streamIgnored || st.state == streamClosed
}

func (s *streamData) remember(off int64, b []byte, seed maphash.Seed) {
	s.recent[s.nth&15] = recentSegment{off, len(b), maphash.Bytes(seed, b)}
	s.nth++
}

// conflicts reports whether b at off is one of the latest segments with other octets in it.
func (s *streamData) conflicts(off int64, b []byte, seed maphash.Seed) bool {
	for i := range s.recent {
		if r := &s.recent[i]; r.off == off && r.n == len(b) {
			return r.sum != maphash.Bytes(seed, b)
		}
	}
	return false
}

// schedule makes expireStreams look at a stream when its hole or its RST is due.
func (d *Decoder) schedule(st *stream) {
	due := int64(never)
	if len(st.wait) > 0 {
		due = st.since + int64(d.cfg.GapWait)
		if st.acked {
			due = min(due, st.since+ackedWait)
		}
	}
	if st.reset != 0 {
		due = min(due, st.reset+resetWait)
	}
	if due == never || st.due != 0 && st.due <= due {
		return // it is looked at before, and scheduled again then
	}
	t := &d.streams
	if st.due == 0 {
		t.heap = append(t.heap, st)
		st.at = len(t.heap) - 1
	}
	st.due = due
	t.up(st.at)
	d.wake(due)
}

// The heap is ordered by due; a stream knows its place in it.
func (t *streamTable) swap(i, j int) {
	h := t.heap
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (t *streamTable) up(i int) {
	for i > 0 {
		up := (i - 1) / 2
		if t.heap[up].due <= t.heap[i].due {
			break
		}
		t.swap(up, i)
		i = up
	}
}

func (t *streamTable) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(t.heap) {
			break
		}
		if c+1 < len(t.heap) && t.heap[c+1].due < t.heap[c].due {
			c++
		}
		if t.heap[i].due <= t.heap[c].due {
			break
		}
		t.swap(i, c)
		i = c
	}
}

// unschedule takes a stream out of the heap.
func (t *streamTable) unschedule(st *stream) {
	if st.due == 0 {
		return
	}
	i, last := st.at, len(t.heap)-1
	t.swap(i, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	if i < last {
		t.up(i)
		t.down(i)
	}
	st.due = 0
}

// expireStreams does what is due and returns when the next one is.
func (d *Decoder) expireStreams() int64 {
	for len(d.streams.heap) > 0 {
		st := d.streams.heap[0]
		if st.due > d.clock.now {
			return st.due
		}
		d.streams.unschedule(st)
		if st.gone() {
			d.settle(st)
			continue
		}
		if st.reset != 0 && st.reset+resetWait <= d.clock.now {
			d.closeStream(st)
			continue
		}
		if len(st.wait) > 0 {
			due := st.since + int64(d.cfg.GapWait)
			if st.acked {
				due = min(due, st.since+ackedWait)
			}
			if due <= d.clock.now {
				d.skipHole(st)
			}
		}
		d.settle(st)
		if !st.gone() {
			d.schedule(st)
		}
	}
	return never
}

// A span says that the octets of a stream from off on came from a frame.
type span struct {
	off, time int64
	frame     uint64
}

// spanMap maps the offsets of a stream to frames, for the octets that are still open.
type spanMap struct {
	list    []span
	scratch []record.Segment
}

func (m *spanMap) add(off int64, b []byte, time int64, origin func([]byte, uint32, []record.Segment) []record.Segment) {
	m.scratch = origin(b, 0, m.scratch[:0])
	for _, g := range m.scratch {
		n := len(m.list)
		if n > 0 && (m.list[n-1].frame == g.Frame || n >= maxSpans) {
			m.list[n-1].time = time
			continue
		}
		m.list = append(m.list, span{off + int64(g.Off), time, g.Frame})
	}
}

// find returns the index of the span that off is in, -1 when there is none.
func (m *spanMap) find(off int64) int {
	return sort.Search(len(m.list), func(i int) bool { return m.list[i].off > off }) - 1
}

// segments appends where the octets [off, end) of the stream came from, placed at offset at of a message, and returns
// the time of the latest one.
func (m *spanMap) segments(dst []record.Segment, off, end int64, at uint32) ([]record.Segment, int64) {
	i := max(m.find(off), 0)
	var time int64
	for ; i < len(m.list) && (m.list[i].off < end || i == 0); i++ {
		s := m.list[i]
		o := at + uint32(max(0, s.off-off))
		time = s.time
		if n := len(dst); n > 0 && dst[n-1].Frame == s.frame {
			continue
		}
		dst = append(dst, record.Segment{Off: o, Frame: s.frame})
	}
	return dst, time
}

// time is when octet off came.
func (m *spanMap) time(off int64) int64 {
	if i := m.find(off); i >= 0 {
		return m.list[i].time
	}
	return 0
}

// drop forgets what lies before off.
func (m *spanMap) drop(off int64) {
	i := m.find(off)
	if i > 0 && (i > 64 || i*2 >= len(m.list)) {
		m.list = append(m.list[:0], m.list[i:]...)
	}
}
