package flow

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/hep"
	"github.com/mcxdump/mcxdump/sipparse"
)

// TCP flags.
const (
	tcpFIN = 0x01
	tcpSYN = 0x02
	tcpRST = 0x04
	tcpACK = 0x10
)

// flowKey tells one direction of a connection.
type flowKey struct {
	src, dst     [16]byte
	ctx          uint64
	sport, dport uint16
}

func keyOf(p *packet) flowKey {
	k := flowKey{src: p.src.As16(), dst: p.dst.As16(), ctx: p.flow, sport: p.sport, dport: p.dport}
	if p.v6 {
		k.ctx = ^k.ctx
	}
	return k
}

func (k flowKey) reverse() flowKey {
	k.src, k.dst, k.sport, k.dport = k.dst, k.src, k.dport, k.sport
	return k
}

type streamState uint8

const (
	streamIgnored streamState = iota // not SIP: each segment is only looked at for a start line
	streamProbe                      // not decided yet
	streamSIP
	streamWS
	streamHTTP // HTTP/1
	streamHEP
	streamTLS
	streamH2
	streamClosed // ended: retransmissions are still known
)

// A stream is one direction of a TCP connection. All that an uninteresting one keeps is this entry.
type stream struct {
	key        flowKey
	prev, next *stream // by last use
	list       *streamList
	held       int64
	isn        uint32
	nextSeq    uint32
	state      streamState
	syn        bool  // isn is known
	due        int64 // on the clock, when expireStreams has to look; 0 when the stream is not in the heap
	at         int   // place in the heap
	conn       *httpConn
	*streamData
}

// streamData is what a stream that is looked at needs.
type streamData struct {
	off    int64 // stream offset of nextSeq
	probe  []byte
	tries  int // segments that were searched for a start line, when the capture began in the middle
	framer *sipparse.Framer
	base   int64 // stream offset of the framer's offset 0
	ws     *wsReader
	http   *httpReader
	hep    *hepReader
	h2     *h2Reader
	spans  spanMap
	recent [16]recentSegment
	nth    int

	wait      []*piece // out of order; offsets are stream offsets
	waitBytes int
	since     int64 // on the clock, when the hole before wait was found
	acked     bool  // the receiver acknowledged octets beyond the hole
	cutAt     int64 // stream offset at which the capture cut a segment off; -1

	fin       bool
	finOff    int64
	reset     int64 // on the clock, when a RST was seen; 0
	junk      int64 // octets of junk since the last message
	saidJunk  bool
	lost      bool // out of step: no message since a gap or junk
	findings  []record.Finding
	transport string // TCP or OverTLS
	tls       *tlsConn
	side      int     // which of the two directions of tls this one is
	outer     *stream // what carries the stream when it is the inside of TLS; nil for TCP
	enc       *encap
	src, dst  netip.AddrPort
	file      string
	iface     string
	lastFrame uint64
}

// recentSegment remembers a segment that was delivered, to tell a retransmission from other octets at its place.
type recentSegment struct {
	off int64
	n   int
	sum uint64
}

const (
	streamCost   = 256      // octets that an entry costs
	dataCost     = 1024     // what a stream that is looked at costs beside its octets
	window       = 16 << 20 // sequence numbers farther away are another connection's, or the capture lost all between
	ackedWait    = 200e6    // how long octets are waited for that the receiver has acknowledged, nanoseconds
	resetWait    = 1e9      // how long a stream goes on after a RST, which may be a stale one
	maxJunkRun   = 64 << 10 // octets of junk after which a stream is no longer SIP
	midTries     = 16       // segments of a stream without SYN that are searched for a start line
	maxProbe     = 16 << 10 // octets to decide upon what a stream is
	maxSpans     = 32768    // stretches of the offset-to-frame map of one stream
	spanCost     = 24
	maxStreamErr = 8 // findings kept for one message
)

// tcp reads RFC 9293 3.1. The checksum is not verified, options are not looked at.
func (d *Decoder) tcp(p *packet, b []byte) {
	if !d.need(b, 20) {
		return
	}
	n := int(b[12]>>4) * 4
	if n < 20 {
		d.malformed()
		return
	}
	p.sport, p.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if p.quoted {
		d.see(VerdictOther)
		return
	}
	if n > len(b) {
		d.malformed()
		return
	}
	d.segment(p, binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), b[13], b[n:])
}

// segment takes one TCP segment.
func (d *Decoder) segment(p *packet, seq, ack uint32, flags byte, b []byte) {
	d.see(VerdictStream)
	k := keyOf(p)
	st := d.streams.find(&k)
	if flags&tcpACK != 0 {
		if r := d.streams.opposite(&k); r != nil && r.streamData != nil {
			d.ackFor(r, ack)
			d.see(VerdictTransport)
		}
	}
	if flags&tcpRST != 0 {
		if st != nil && st.streamData != nil {
			st.reset = d.clock.now
			d.schedule(st)
		}
		d.tlsReset(k, true)
		return // what a RST carries is not data (RFC 9293 3.10.7.3)
	}
	if flags&tcpSYN != 0 {
		if st != nil && st.syn && st.isn == seq && st.state != streamClosed {
			if len(b) == 0 {
				return // retransmitted
			}
		} else {
			if st != nil {
				d.forgetStream(st) // the ports are used again
			}
			st = d.newStream(p, k, seq+1)
			st.syn, st.isn = true, seq
		}
		seq++
	}
	if len(b) == 0 && flags&tcpFIN == 0 {
		return
	}
	if st == nil {
		if len(b) == 0 {
			return
		}
		st = d.newStream(p, k, seq)
		st.tries = midTries
	}
	d.streams.use(st)

	switch st.state {
	case streamIgnored:
		if !d.worthALook(b) {
			return
		}
		d.open(st, p, seq)
	case streamClosed:
		if int32(seq+uint32(len(b))-st.nextSeq) <= 0 && int32(st.nextSeq-seq) < window || !d.worthALook(b) {
			if len(b) > 0 {
				d.stats.Retransmissions++
			}
			return
		}
		d.open(st, p, seq)
	}
	st.enc, st.file, st.iface, st.lastFrame = p.enc, d.cur.File, d.cur.Interface, d.cur.Number
	if st.state != streamProbe && (st.state != streamHTTP && st.state != streamH2 || st.conn.mcx) {
		d.see(VerdictTransport)
	}
	st.reset = 0
	if len(b) > 0 {
		d.stats.Segments++
	}

	diff := int64(int32(seq - st.nextSeq))
	if diff > window || diff < -window {
		// Another connection whose SYN is not in the capture, or so much lost that nothing can be put together.
		d.gap(st, 0)
		d.dropWaiting(st)
		if st.gone() {
			d.open(st, p, seq)
		}
		st.nextSeq, diff = seq, 0
	}
	if flags&tcpFIN != 0 && !st.fin {
		st.fin, st.finOff = true, st.off+diff+int64(len(b))
	}
	tls := st.state == streamTLS
	d.accept(st, p, st.off+diff, b)
	if d.cfg.Keep != nil && (tls || st.state == streamTLS) {
		d.tmp = append(d.tmp[:0], p.pieces...)
		d.cfg.Keep(d.cur.File, frameNumbers(append(d.tmp, record.Segment{Frame: d.cur.Number})))
	}
	d.settle(st)
	d.enforce()
}

// worthALook reports whether a segment of an ignored stream begins like SIP or HTTP.
func (d *Decoder) worthALook(b []byte) bool {
	return sipparse.LooksLikeStart(b) || wsLooksSIP(b) || httpLooks(b) || hep.Looks(b) || h2Looks(b)
}

// accept puts the octets b at stream offset off where they belong.
func (d *Decoder) accept(st *stream, p *packet, off int64, b []byte) {
	if len(b) == 0 {
		return
	}
	end := off + int64(len(b))
	if off < st.off { // all or a part was there before
		d.stats.Retransmissions++
		if end-off > 1 && st.conflicts(off, b, d.seed) { // one octet: a keep-alive (RFC 9293 3.8.4), whose octet is garbage
			d.stats.Overlaps++
			d.stats.Conflicts++
			d.note(st, record.Finding{ID: "tcp-overlap", Severity: record.Warning, Clause: "RFC 9293 3.10.7.4",
				Message: "a retransmission differs from the octets sent first, which are taken", Frames: d.frameList()})
		}
		if end <= st.off {
			return
		}
		b = b[st.off-off:]
		off = st.off
	}
	if off == st.off && len(st.wait) == 0 {
		d.deliver(st, b, d.cur.Time, func(b []byte, at uint32, dst []record.Segment) []record.Segment { return d.origin(dst, p, b, at) })
		if p.cut && !st.gone() {
			st.cutAt = st.off
		}
		return
	}
	if off > st.off && len(st.wait) == 0 {
		st.since, st.acked = d.clock.now, false
	}
	if off > st.off {
		d.stats.OutOfOrder++
	}
	list, r := d.pool.add(st.wait, off, b, d.cur.Time, func(dst []record.Segment, b []byte) []record.Segment { return d.origin(dst, p, b, 0) })
	st.wait = list
	st.waitBytes += r.added
	if r.duplicate {
		d.stats.Retransmissions++
	}
	if r.overlaps {
		d.stats.Overlaps++
		if r.conflict {
			d.stats.Conflicts++
			d.note(st, record.Finding{ID: "tcp-overlap", Severity: record.Warning, Clause: "RFC 9293 3.10.7.4",
				Message: "segments overlap with differing octets; the first ones are taken", Frames: d.frameList()})
		}
	}
	d.deliverWaiting(st)
	for len(st.wait) > 0 {
		switch {
		case st.cutAt == st.off: // the capture does not have them, whoever waits
		case st.waitBytes > d.cfg.StreamBytes:
			d.limit(LimitStreamBytes)
		case len(st.wait) > d.cfg.StreamSegments:
			d.limit(LimitStreamSegments)
		default:
			d.schedule(st)
			return
		}
		d.skipHole(st)
	}
}

// deliverWaiting hands on what waited and is in order now.
func (d *Decoder) deliverWaiting(st *stream) {
	n := 0
	for n < len(st.wait) && st.wait[n].off <= st.off {
		q := st.wait[n]
		n++
		st.waitBytes -= len(q.data)
		d.deliver(st, q.data, q.time, func(_ []byte, at uint32, dst []record.Segment) []record.Segment {
			for _, g := range q.segs {
				g.Off += at
				dst = append(dst, g)
			}
			return dst
		})
		if st.gone() {
			return
		}
	}
	if n > 0 {
		d.pool.put(st.wait[:n])
		st.wait = append(st.wait[:0], st.wait[n:]...)
		clear(st.wait[len(st.wait):cap(st.wait)])
		st.since, st.acked = d.clock.now, false // of the next hole, if there is one
	}
}

// skipHole gives up the octets before what waits.
func (d *Decoder) skipHole(st *stream) {
	n := st.wait[0].off - st.off
	d.gap(st, n)
	if st.gone() {
		return
	}
	st.off += n
	st.nextSeq += uint32(n)
	d.deliverWaiting(st)
}

func (d *Decoder) dropWaiting(st *stream) {
	if st.streamData != nil {
		st.wait, st.waitBytes = nil, 0
	}
}

// deliver hands octets on that are next in order. origin appends where they came from, placed at an offset.
func (d *Decoder) deliver(st *stream, b []byte, time int64, origin func(b []byte, at uint32, dst []record.Segment) []record.Segment) {
	if st.state == streamHTTP && st.http.passes(len(b)) { // a download that nobody wants to see
		st.off += int64(len(b))
		st.nextSeq += uint32(len(b))
		return
	}
	if st.outer == nil {
		st.remember(st.off, b, d.seed)
	}
	st.spans.add(st.off, b, time, origin)
	st.off += int64(len(b))
	st.nextSeq += uint32(len(b))
	switch st.state {
	case streamProbe:
		st.probe = append(st.probe, b...)
		d.decide(st)
	case streamSIP:
		if st.lost && sipparse.LooksLikeStart(b) {
			// Out of step. Messages often begin with a segment, and the line before need not have ended.
			st.framer.Gap(0)
			d.frames(st)
			if st.state != streamSIP {
				return
			}
		}
		st.framer.Write(b)
		d.frames(st)
	case streamTLS:
		d.tlsOctets(st, b, st.off-int64(len(b)))
	case streamWS:
		d.wsWrite(st, b)
	case streamHTTP:
		if st.http.state == httpLost && (sipparse.LooksLikeStart(b) || wsLooksSIP(b)) {
			d.again(st, b)
			return
		}
		d.httpWrite(st, b)
	case streamHEP:
		d.hepWrite(st, b)
	case streamH2:
		d.h2Write(st, b)
	}
}

// gap tells the reader of a stream that n octets are missing, 0 for an unknown number.
func (d *Decoder) gap(st *stream, n int64) {
	switch st.state {
	case streamProbe:
		st.probe, st.tries = nil, midTries
		st.spans.drop(st.off)
		return
	case streamSIP, streamWS, streamHEP:
	case streamTLS:
		if !st.tls.opened {
			d.tlsGap(st, n, record.Finding{})
			return
		}
	case streamHTTP:
		if !st.conn.mcx {
			d.httpGap(st, n)
			return
		}
	case streamH2:
		if !st.conn.mcx {
			d.h2Gap(st, n)
			return
		}
	default:
		return
	}
	d.stats.Gaps++
	d.stats.GapOctets += uint64(n)
	text := fmt.Sprintf("%d octets of the stream are missing", n)
	if n == 0 {
		text = "an unknown number of octets of the stream is missing"
	}
	if st.cutAt == st.off {
		text += ": the capture cut the frame off"
	}
	f := record.Finding{ID: "tcp-gap", Severity: record.Warning, Clause: "RFC 9293 3.4", Message: text, Frames: d.streamFrames(st)}
	if st.state == streamTLS {
		d.tlsGap(st, n, f)
		return
	}
	d.note(st, f)
	d.missing(st, n)
}

// missing tells the reader of a stream that is SIP, WebSocket or HTTP that n octets are missing, or an undecided one.
func (d *Decoder) missing(st *stream, n int64) {
	if st.state == streamProbe {
		st.probe, st.tries = nil, midTries
		st.spans.drop(st.off)
		return
	}
	switch st.state {
	case streamWS:
		d.wsGap(st)
		return
	case streamHEP:
		d.hepGap(st)
		return
	}
	if st.state == streamHTTP {
		if st.http.cur == nil && len(st.http.buf) == 0 {
			d.tell(st)
		}
		d.httpGap(st, n)
		return
	}
	if st.state == streamH2 {
		d.tell(st) // which of the messages that are open it is about is not known
		d.h2Gap(st, n)
		return
	}
	open := st.framer.Buffered() > 0
	st.lost = true
	st.framer.Gap(n)
	d.frames(st)
	if !open {
		d.tell(st) // no message was open
	}
}

func (d *Decoder) streamFrames(st *stream) []uint64 {
	if st.lastFrame == 0 {
		return nil
	}
	return []uint64{st.lastFrame}
}

// note keeps a finding for the message that is open.
func (d *Decoder) note(st *stream, f record.Finding) {
	if st.state == streamTLS {
		if st = st.tls.in[st.side]; st == nil || st.gone() {
			return
		}
	}
	if len(st.findings) < maxStreamErr {
		st.findings = append(st.findings, f)
	}
}

// tell reports the findings that belong to no message.
func (d *Decoder) tell(st *stream) {
	if st.gone() || len(st.findings) == 0 {
		return
	}
	list := st.findings
	st.findings = nil
	if st.state == streamProbe || (st.state == streamHTTP || st.state == streamH2) && !st.conn.mcx {
		return // nobody knows that it is SIP
	}
	for _, f := range list {
		d.h.Finding(f, d.streamContext(st))
	}
}

// streamContextOf is streamContext without what is inside the stream.
func (d *Decoder) streamContextOf(st *stream) Context {
	return Context{Number: d.cur.Number, Time: d.cur.Time, File: st.file, Interface: st.iface, Transport: st.transport,
		Encap: st.enc.names, Src: st.src, Dst: st.dst}
}

func (d *Decoder) streamContext(st *stream) Context {
	c := d.streamContextOf(st)
	c.TLS = st.tlsInfo()
	if st.ws != nil {
		c.Transport = st.wsTransport()
	}
	return c
}

// ackFor takes an acknowledgement by the receiver of a stream: octets of a hole that it has are not in the capture.
func (d *Decoder) ackFor(st *stream, ack uint32) {
	if len(st.wait) == 0 || st.acked {
		return
	}
	hole := st.nextSeq + uint32(st.wait[0].off-st.off)
	if n := int32(ack - hole); n >= 0 && n < window {
		st.acked = true
		d.schedule(st)
	}
}

// settle does what is left after octets were accepted: the end of the stream, and the accounts.
func (d *Decoder) settle(st *stream) {
	if st.streamData == nil {
		return
	}
	if st.gone() {
		st.streamData = nil
		if st.list != &d.streams.lists[listPlain] {
			d.streams.move(st, listPlain)
		}
		d.streams.unschedule(st)
		d.account(st)
		return
	}
	if st.fin && st.off >= st.finOff {
		d.closeStream(st)
		return
	}
	d.account(st)
}

// account brings the octets held up to date.
func (d *Decoder) account(st *stream) {
	if st.streamData != nil && st.outer != nil { // what is inside TLS counts with what carries it
		if st = st.outer; st.list == nil {
			return
		}
	}
	n := streamCost + st.holds()
	st.list.bytes += n - st.held
	st.held = n
}

// holds is what a stream holds beside its entry.
func (st *stream) holds() (n int64) {
	if st.streamData != nil {
		n += dataCost + int64(cap(st.probe)+st.waitBytes+len(st.wait)*pieceCost+len(st.spans.list)*spanCost)
		if st.framer != nil {
			n += int64(st.framer.Buffered())
		}
		if st.ws != nil {
			n += st.ws.buffered()
		}
		if st.http != nil {
			n += st.http.buffered()
		}
		if st.hep != nil {
			n += int64(cap(st.hep.buf))
		}
		if st.state == streamTLS {
			n += st.tls.tlsHeld(st.side)
		}
		if st.h2 != nil {
			n += st.h2.buffered()
		}
	}
	if c := st.conn; c != nil && (c.sides[0] == st || c.sides[0] == nil) {
		n += c.bytes()
	}
	return n
}

// closeStream hands out what is open and keeps the entry to know retransmissions.
func (d *Decoder) closeStream(st *stream) {
	if st.state == streamProbe {
		d.tlsReset(st.key, false)
	}
	d.finish(st)
	if d.peer(st) == nil { // nobody waits for what the connection knows
		if r := d.streams.opposite(&st.key); r != nil {
			r.part()
		}
		st.part()
	}
	st.state, st.streamData = streamClosed, nil
	d.streams.unschedule(st)
	d.streams.move(st, listPlain)
	d.account(st)
}

// finish hands out what is open in a stream.
func (d *Decoder) finish(st *stream) {
	for range len(st.wait) + 1 { // octets that waited for others which do not come any more
		if st.gone() || len(st.wait) == 0 {
			break
		}
		d.skipHole(st)
	}
	if st.gone() {
		return
	}
	switch st.state {
	case streamProbe:
		if sipparse.LooksLikeStart(st.probe) {
			d.beSIP(st, st.probe, 0)
			d.flushFramer(st)
		}
	case streamSIP:
		d.flushFramer(st)
	case streamWS:
		d.wsFlush(st)
	case streamTLS:
		d.tlsFinish(st)
		return
	case streamHTTP:
		d.httpFlush(st, st.fin && st.off >= st.finOff)
	case streamHEP:
		d.hepFlush(st)
	case streamH2:
		d.h2Flush(st)
	}
	d.tell(st)
}

func (d *Decoder) flushFramer(st *stream) {
	for !st.gone() {
		fr, ok := st.framer.Flush()
		if !ok {
			return
		}
		d.sipFrame(st, &fr)
	}
}

// forgetStream hands out what is open and removes the entry.
func (d *Decoder) forgetStream(st *stream) {
	if st.streamData != nil {
		d.finish(st)
	}
	d.streams.remove(st)
	st.streamData = nil
}

// flushStreams ends all streams, in the order in which they were last used.
func (d *Decoder) flushStreams() {
	for i := range d.streams.lists { // first what waited: it may need what the other direction knows
		for st := d.streams.lists[i].oldest; st != nil; {
			next := st.next
			for !st.gone() && len(st.wait) > 0 {
				d.skipHole(st)
			}
			st = next
		}
	}
	for i := range d.streams.lists {
		for st := d.streams.lists[i].oldest; st != nil; st = d.streams.lists[i].oldest {
			d.forgetStream(st)
		}
	}
}
