package flow

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"slices"
	"sort"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// SCTP chunk types (RFC 9260 3.2, RFC 8260).
const (
	chunkData  = 0
	chunkIData = 64
)

// assocKey tells one direction of an association. The verification tag and the ports do, since an association may use
// several addresses (RFC 9260 5.1.2); a tag of zero, which only INIT may have, comes with its addresses.
type assocKey struct {
	src, dst     [16]byte
	ctx          uint64
	sport, dport uint16
	tag          uint32
}

// An assoc is one direction of an SCTP association.
type assoc struct {
	key        assocKey
	prev, next *assoc
	held       int64
	sip        bool
	recent     [64]recentTSN
	nth        int
	parts      []*sctpPart // fragments of user messages, by TSN
	bytes      int
	dropNext   uint32 // TSN of the next fragment of a message that is not SIP
	dropping   bool
	last       packet // of the latest packet, for what is handed out at the end
	cur        Frame
}

type recentTSN struct {
	tsn   uint32
	n     int
	sum   uint64
	valid bool
}

// An sctpPart is one DATA chunk of a fragmented user message.
type sctpPart struct {
	tsn    uint32
	stream uint16
	mid    uint32 // stream sequence number or message identifier
	idata  bool
	begin  bool
	end    bool
	data   []byte
	time   int64
	segs   []record.Segment
}

type assocTable struct {
	m              map[assocKey]*assoc
	oldest, newest *assoc
	bytes          int64
}

const (
	assocCost = 3072
	partCost  = 128
	// maxPlainAssoc bounds what is kept of an association that has not shown SIP yet: fragments before a first one.
	maxPlainAssoc = 64 << 10
	maxParts      = 1024
)

func (t *assocTable) push(a *assoc) {
	a.prev, a.next = t.newest, nil
	if a.prev != nil {
		a.prev.next = a
	} else {
		t.oldest = a
	}
	t.newest = a
}

func (t *assocTable) cut(a *assoc) {
	if a.prev != nil {
		a.prev.next = a.next
	} else {
		t.oldest = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	} else {
		t.newest = a.prev
	}
}

// sctp reads RFC 9260. The checksum is not verified.
func (d *Decoder) sctp(p *packet, b []byte) {
	if !d.need(b, 12) {
		return
	}
	p.sport, p.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if p.quoted {
		d.see(VerdictOther)
		return
	}
	d.chunks(p, binary.BigEndian.Uint32(b[4:]), b[12:])
}

// chunks walks the chunks of a packet. Those that carry user messages are DATA and I-DATA (RFC 8260).
func (d *Decoder) chunks(p *packet, tag uint32, b []byte) {
	d.see(VerdictStream)
	for len(b) >= 4 {
		typ, flags, n := b[0], b[1], int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 {
			d.malformed()
			return
		}
		cut := n > len(b)
		c := b[:min(n, len(b))]
		b = b[min((n+3)&^3, len(b)):]
		head := 16
		if typ == chunkIData {
			head = 20
		}
		switch {
		case typ != chunkData && typ != chunkIData:
			continue
		case len(c) < head:
			d.malformed()
			return
		}
		part := sctpPart{tsn: binary.BigEndian.Uint32(c[4:]), stream: binary.BigEndian.Uint16(c[8:]), mid: uint32(binary.BigEndian.Uint16(c[10:])),
			begin: flags&2 != 0, end: flags&1 != 0, data: c[head:]}
		if typ == chunkIData {
			part.idata, part.mid = true, binary.BigEndian.Uint32(c[12:])
		}
		d.stats.Chunks++
		d.chunk(p, tag, &part, cut)
	}
}

// chunk takes one DATA chunk.
func (d *Decoder) chunk(p *packet, tag uint32, c *sctpPart, cut bool) {
	k := assocKey{ctx: p.flow, sport: p.sport, dport: p.dport, tag: tag}
	if tag == 0 {
		k.src, k.dst = p.src.As16(), p.dst.As16()
	}
	a := d.assocs.m[k]
	looks := c.begin && sipparse.LooksLikeStart(c.data)
	if c.begin && !looks && (c.end || sipparse.StartPrefix(c.data) == sipparse.No) {
		// A message that is not SIP. Of a fragmented one, the rest follows under the next numbers (RFC 9260 6.9).
		if a != nil {
			a.dropping, a.dropNext = !c.end, c.tsn+1
			if a.sip && keepAlive(c.data) {
				d.stats.KeepAlives++
				d.see(VerdictKeepAlive)
			}
		}
		return
	}
	if a == nil {
		if len(d.assocs.m) >= d.cfg.Associations {
			d.limit(LimitAssociations)
			d.forgetAssoc(d.assocs.oldest)
		}
		a = &assoc{key: k, held: assocCost}
		d.assocs.m[k] = a
		d.assocs.push(a)
		d.assocs.bytes += assocCost
	} else if d.assocs.newest != a {
		d.assocs.cut(a)
		d.assocs.push(a)
	}
	if !c.begin && a.dropping && a.dropNext == c.tsn {
		a.dropNext++
		a.dropping = !c.end
		return
	}
	sum := maphash.Bytes(d.seed, c.data)
	conflict := false
	for i := range a.recent {
		r := &a.recent[i]
		if !r.valid || r.tsn != c.tsn {
			continue
		}
		if r.n == len(c.data) && r.sum == sum {
			d.stats.Retransmissions++
			d.see(VerdictTransport)
			return
		}
		conflict = true
	}
	a.recent[a.nth&63] = recentTSN{c.tsn, len(c.data), sum, true}
	a.nth++
	a.last, a.cur = *p, d.cur
	a.last.findings, a.cur.Data = nil, nil
	if conflict {
		d.stats.Conflicts++
		p.findings = append(p.findings, record.Finding{ID: "sctp-tsn", Severity: record.Warning, Clause: "RFC 9260 6.2",
			Message: "a chunk has the transmission sequence number of another one with other octets", Frames: d.frameList()})
	}
	if looks {
		a.sip = true
	}
	if c.begin && c.end {
		if looks {
			d.datagram(p, SCTP, c.data, cut)
		}
		return
	}
	d.see(VerdictTransport)
	i := sort.Search(len(a.parts), func(i int) bool { return int32(a.parts[i].tsn-c.tsn) >= 0 })
	if i < len(a.parts) && a.parts[i].tsn == c.tsn {
		d.stats.Retransmissions++
		return
	}
	limit := d.cfg.AssocBytes
	if !a.sip {
		limit = min(limit, maxPlainAssoc)
	}
	if a.bytes+len(c.data)+partCost > limit || len(a.parts) >= maxParts {
		d.limit(LimitAssocBytes)
		d.assocFlush(a)
		i = 0
	}
	q := *c
	q.data, q.time, q.segs = slices.Clone(c.data), d.cur.Time, d.origin(nil, p, c.data, 0)
	a.parts = slices.Insert(a.parts, i, &q)
	d.assocHold(a, len(q.data)+partCost)
	d.assocJoin(a, p, i)
	d.enforce()
}

func (d *Decoder) assocHold(a *assoc, n int) {
	a.bytes += n
	a.held += int64(n)
	d.assocs.bytes += int64(n)
}

// assocJoin hands out the message that the part at index i belongs to when it is complete.
func (d *Decoder) assocJoin(a *assoc, p *packet, i int) {
	// Only the neighbours of the new part can have become complete; each part is walked over once a message unless
	// somebody sends a message backwards in thousands of parts, which maxParts bounds.
	first := i
	for !a.parts[first].begin {
		if first == 0 || !a.parts[first-1].before(a.parts[first]) {
			return
		}
		first--
	}
	last := i
	for !a.parts[last].end {
		if last+1 == len(a.parts) || !a.parts[last].before(a.parts[last+1]) {
			return
		}
		last++
	}
	d.assocEmit(a, p, first, last+1, false)
}

// before reports whether q goes on the message of c.
func (c *sctpPart) before(q *sctpPart) bool {
	return q.tsn == c.tsn+1 && q.stream == c.stream && q.mid == c.mid && q.idata == c.idata && !q.begin && !c.end
}

// assocEmit hands out the parts from first to before last as one message and forgets them.
func (d *Decoder) assocEmit(a *assoc, p *packet, first, last int, truncated bool) {
	n := 0
	for _, q := range a.parts[first:last] {
		n += len(q.data)
	}
	b := make([]byte, 0, n)
	var segs []record.Segment
	time := int64(0)
	for _, q := range a.parts[first:last] {
		for _, g := range q.segs {
			g.Off += uint32(len(b))
			if k := len(segs); k == 0 || segs[k-1].Frame != g.Frame {
				segs = append(segs, g)
			}
		}
		b = append(b, q.data...)
		time = max(time, q.time)
	}
	count := last - first
	a.parts = slices.Delete(a.parts, first, last)
	d.assocHold(a, -n-count*partCost)
	if !sipparse.LooksLikeStart(b) {
		return
	}
	a.sip = true
	u := &d.unit
	*u = Unit{
		Time: time, Transport: SCTP, Encap: p.enc.names,
		Src: netip.AddrPortFrom(p.src, p.sport), Dst: netip.AddrPortFrom(p.dst, p.dport),
		File: d.cur.File, Interface: d.cur.Interface, Truncated: truncated, Reassembled: true,
		Findings: p.findings,
	}
	d.give(u, b, segs, segs)
	p.findings = nil
	if truncated {
		d.stats.Gaps++
		u.Findings = append(u.Findings, record.Finding{ID: "sctp-incomplete", Severity: record.Warning, Clause: "RFC 9260 6.9",
			Message: "chunks of the message are missing", Frames: u.Frames})
	}
	d.emit(u)
}

// assocFlush hands out the beginnings of incomplete messages and forgets all parts.
func (d *Decoder) assocFlush(a *assoc) {
	cur := d.cur
	d.cur = a.cur
	p := a.last
	for len(a.parts) > 0 {
		n := 1
		for n < len(a.parts) && a.parts[n-1].before(a.parts[n]) {
			n++
		}
		if a.parts[0].begin {
			d.assocEmit(a, &p, 0, n, true)
			continue
		}
		for _, q := range a.parts[:n] {
			d.assocHold(a, -len(q.data)-partCost)
		}
		a.parts = slices.Delete(a.parts, 0, n)
	}
	d.cur = cur
}

func (d *Decoder) forgetAssoc(a *assoc) {
	d.assocFlush(a)
	d.assocs.cut(a)
	delete(d.assocs.m, a.key)
	d.assocs.bytes -= a.held
}

func (d *Decoder) flushAssocs() {
	for d.assocs.oldest != nil {
		d.forgetAssoc(d.assocs.oldest)
	}
}
