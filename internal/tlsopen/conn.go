package tlsopen

import "bytes"

// Keys finds the secrets of connections. What it returns is not changed.
type Keys interface {
	// Secret is the secret of a line of a key log (NSS format): its label and the random of the ClientHello; nil for none.
	Secret(label string, random [32]byte) []byte
	// Premaster opens a premaster secret that was encrypted to an RSA key; nil when there is no such key.
	Premaster(encrypted []byte) []byte
	// Growing says that a key may still come that is not there yet: records wait for it, up to Limits.Queue.
	Growing() bool
}

// A Sink takes what a Conn finds, in order. It may not call the Conn.
type Sink interface {
	// Data is application data of one record that lay at [off, end) of the stream of a side. It is valid during the call.
	Data(side int, b []byte, off, end int64)
	// Lost says that an unknown number of octets of a side's application data is missing.
	Lost(side int)
	// Problem reports a defect.
	Problem(p Problem)
	// Alert reports a fatal alert that a side sent.
	Alert(side int, a Alert)
	// End says why nothing more will come of the connection, although its streams may go on.
	End(r Reason)
}

// A Problem is a defect of a connection; each kind is reported once for each direction.
type Problem struct {
	Kind   ProblemKind
	Side   int
	Record uint64 // its number in the direction, from 1; 0 when no record is at fault
	Off    int64  // where it begins in the stream
	End    int64
}

// A ProblemKind is a kind of defect.
type ProblemKind uint8

const (
	ProblemTag       ProblemKind = iota // the tag of a record is wrong: other keys, or octets that were changed
	ProblemMAC                          // the MAC or the padding is wrong
	ProblemRecord                       // octets that are no record
	ProblemHandshake                    // a handshake message that ends early, or is longer than Limits.Handshake
	ProblemGiveUp                       // a direction is given up after several records that could not be opened
	ProblemNoKey                        // the other direction can be opened, this one has no secret
	ProblemEarlyData                    // early data without its key was passed over
	ProblemCut                          // the direction ends in the middle of a record
	numProblems
)

// A Reason is why a connection came to an end for the onlooker.
type Reason uint8

const (
	EndNoKey       Reason = iota + 1 // there is no key for it
	EndHidden                        // no key, and the handshake was ended by an alert that is encrypted; Info.HiddenAlert
	EndUnsupported                   // cipher suite, compression or version are not supported
	EndNoHello                       // the ClientHello, by which keys are found, is not there
	EndNoAnswer                      // records wait for a ServerHello that is not there
	EndBroken                        // both directions were given up
)

// Limits of one connection; zero means the default.
type Limits struct {
	Handshake int // octets of one handshake message; 128 KiB
	Queue     int // octets of a direction that wait for the other one or for a key; 256 KiB
}

// Info is what is known of a connection.
type Info struct {
	Client       int // side of the client, -1 when it is not known
	Version      uint16
	Suite        uint16 // with Version 0 not known
	SNI          string
	Offered      []string // application protocols that the client offered
	ALPN         string   // the one that the server chose
	Resumed      bool
	EarlyData    bool // there was early data
	EarlyRefused bool // and the server did not accept it
	Retried      bool // with a HelloRetryRequest
	Opened       bool // at least one record was opened
	Finished     bool // the handshake came to its end, as far as it can be seen
	HiddenAlert  int  // side that sent an encrypted alert in the handshake, -1 for none
	Certificates int
	Certificate  []byte // DER of the server's first one, up to 16 KiB
}

const (
	maxFragment = 1<<14 + 2048 // RFC 5246 6.2.3
	ahead       = 64           // sequence numbers that are tried after a loss
	maxFails    = 8            // records in a row that cannot be opened, after which a direction is given up
	maxDER      = 16 << 10
	watchBytes  = 256 << 10 // octets of a direction without a key after which the end of its handshake is not waited for
	keyQueue    = 64 << 10  // octets of a direction that wait for a key only
	minSealed   = 22        // octets of the shortest record that is worth counting as lost
)

// A Conn follows one connection. It is for one goroutine.
type Conn struct {
	keys Keys
	sink Sink
	sess *Sessions
	lim  Limits
	half [2]half
	info Info
	n    negotiation
	// version is that of the ServerHello, 0 before it.
	version uint16
	suite   suite
	retried bool
	over    bool
	final   bool // nothing more will come: nothing is waited for
	noKey   bool
	fin     [2]bool // Finished of a side, as far as it can be seen
	scratch []byte
}

// negotiation is one handshake; in TLS 1.2 there may be several (renegotiation).
type negotiation struct {
	hello    *clientHello
	server   *serverHello
	done     bool // ServerHelloDone: a full handshake
	resumed  bool
	keyed    bool // ClientKeyExchange was seen
	premast  []byte
	ticket   []byte
	msgs     [2][]byte // handshake messages so far, for the session hash
	helloLen int       // of msgs of the client: the ClientHello
	cut      bool      // messages are missing
	dropped  bool      // msgs are not kept
	master   secret
	openers  [2]opener
}

// half is one direction.
type half struct {
	buf    []byte
	off    int64 // stream offset of buf[0]
	skip   int64 // octets of a broken record still to come
	resync bool  // where the next record begins is not known
	search search
	nth    uint64
	closed bool

	queue  []queued
	queued int

	hs     []byte // handshake messages, the last one incomplete
	hsSkip int    // octets of a message that is too long, still to come

	cur     opener
	seq     uint64
	sealed  bool // TLS 1.2: the next record is under the keys of the latest handshake
	phase   int  // TLS 1.3: see conn13.go
	traffic secret
	next    opener // of phase nextOf
	nextSec secret
	nextOf  int
	lost    int // records that may be missing before the next one
	fails   int // records in a row that could not be opened
	silent  int // octets passed over without a key
	seen    int // octets of sealed records, of a connection without key
	dead    bool
	said    [numProblems]bool
}

// queued is a record that waits, or a gap.
type queued struct {
	raw  []byte
	off  int64
	nth  uint64
	lost int // of a gap
}

// New returns a Conn. sessions remembers the master secrets of sessions for those that are resumed, and may be shared.
func New(k Keys, sink Sink, sessions *Sessions, lim Limits) *Conn {
	if lim.Handshake <= 0 {
		lim.Handshake = 128 << 10
	}
	if lim.Queue <= 0 {
		lim.Queue = 256 << 10
	}
	return &Conn{keys: k, sink: sink, sess: sessions, lim: lim, info: Info{Client: -1, HiddenAlert: -1}}
}

// Info is what is known so far.
func (c *Conn) Info() *Info { return &c.info }

// Held is how many octets a direction holds.
func (c *Conn) Held(side int) int64 {
	h := &c.half[side]
	n := cap(h.buf) + h.queued + 48*cap(h.queue) + cap(h.hs) + cap(c.n.msgs[side])
	if side == 0 {
		n += cap(c.scratch) + len(c.info.Certificate)
	}
	return int64(n)
}

// Needed is the stream offset from which on octets of a side are still to be told of by [Sink.Data].
func (c *Conn) Needed(side int) int64 {
	h := &c.half[side]
	if len(h.queue) > 0 {
		return h.queue[0].off
	}
	return h.off
}

// Over reports whether nothing more will come of the connection.
func (c *Conn) Over() bool { return c.over }

// LooksLikeRecord reports whether b begins like a record.
func LooksLikeRecord(b []byte) bool {
	if len(b) < 5 || b[0] < typeCCS || b[0] > typeHeartbeat || b[1] != 3 || b[2] > 4 {
		return false
	}
	n := int(b[3])<<8 | int(b[4])
	return n <= maxFragment && (n > 0 || b[0] == typeData)
}

// LooksLikeHandshake reports whether b begins with a record that holds the beginning of a ClientHello or a ServerHello.
// More is set when b is too short to tell.
func LooksLikeHandshake(b []byte) (yes, more bool) {
	want := [...]byte{typeHandshake, 3}
	for i, c := range want {
		if i >= len(b) {
			return false, len(b) > 0
		}
		if b[i] != c {
			return false, false
		}
	}
	if len(b) > 2 && b[2] > 4 {
		return false, false
	}
	if len(b) < 11 {
		return false, true
	}
	if !LooksLikeRecord(b) || b[5] != msgClientHello && b[5] != msgServerHello {
		return false, false
	}
	n := int(b[6])<<16 | int(b[7])<<8 | int(b[8])
	return n >= 38 && n < 1<<18 && b[9] == 3 && b[10] <= 4, false
}

// Write takes the next octets of a side; off is their stream offset.
func (c *Conn) Write(side int, b []byte, off int64) {
	h := &c.half[side]
	if c.over || h.dead && !h.waits() {
		h.buf, h.off = nil, off+int64(len(b))
		return
	}
	if len(h.buf) == 0 {
		h.off, h.search = off, search{} // what it knew is of octets that were dropped
	}
	if h.skip > 0 {
		n := min(h.skip, int64(len(b)))
		h.skip -= n
		b = b[n:]
		h.off = off + n
		if len(b) == 0 {
			return
		}
	}
	// Whole records are read where they lie; only what is left is kept.
	data := b
	if len(h.buf) > 0 {
		h.buf = append(h.buf, b...)
		data = h.buf
	}
	at := 0
	for !c.over {
		rest := data[at:]
		if h.resync {
			n, found := h.search.find(rest)
			at += n
			if !found {
				break
			}
			h.resync = false
			continue
		}
		if len(rest) < 5 {
			break
		}
		if !LooksLikeRecord(rest) {
			c.problem(side, ProblemRecord, 0, h.off+int64(at), h.off+int64(at)+5)
			h.resync = true
			c.gap(side, 1)
			continue
		}
		n := 5 + int(rest[3])<<8 + int(rest[4])
		if len(rest) < n {
			break
		}
		h.nth++
		c.put(side, rest[:n], h.off+int64(at), h.nth)
		at += n
	}
	if c.over {
		h.buf, h.off = nil, off+int64(len(b))
		return
	}
	left := data[at:]
	h.off += int64(at)
	switch {
	case len(left) == 0:
		if cap(h.buf) > 4<<10 {
			h.buf = nil
		}
		h.buf = h.buf[:0]
	case len(h.buf) > 0:
		h.buf = h.buf[:copy(h.buf, left)]
	default:
		h.buf = append(h.buf[:0], left...)
	}
}

// maxSearch is how many places a search holds that may be the beginning of a record: ciphertext looks like one now and then.
const maxSearch = 8

// A search looks for the beginning of a record in octets that come bit by bit.
type search struct {
	open []int // places, in what is kept, whose record has not come to its end
	next int   // the first place that was not looked at
}

// find looks for a record in b that is followed by another one, or by nothing; b begins with what find left of it before.
// The first n octets are of no use.
func (s *search) find(b []byte) (n int, found bool) {
	open := s.open[:0]
	for _, i := range s.open {
		if yes, more := beginsRecord(b[i:]); yes {
			s.open, s.next = s.open[:0], 0
			return i, true
		} else if more {
			open = append(open, i)
		}
	}
	i := s.next
look:
	for ; i < len(b); i++ {
		if b[i] < typeCCS || b[i] > typeData {
			continue
		}
		if len(b)-i < 5 {
			break
		}
		switch yes, more := beginsRecord(b[i:]); {
		case yes:
			s.open, s.next = s.open[:0], 0
			return i, true
		case more && len(open) == maxSearch:
			break look
		case more:
			open = append(open, i)
		}
	}
	n = i
	if len(open) > 0 {
		n = open[0]
	}
	for k := range open {
		open[k] -= n
	}
	s.open, s.next = open, i-n
	return n, false
}

// beginsRecord reports whether b begins with a record that is followed by another one, or by nothing. More is set while
// b does not tell.
func beginsRecord(b []byte) (yes, more bool) {
	if !LooksLikeRecord(b) {
		return false, false
	}
	end := 5 + int(b[3])<<8 + int(b[4])
	switch {
	case len(b) == end:
		return true, false
	case len(b) < end+3:
		return false, true
	}
	return b[end] >= typeCCS && b[end] <= typeHeartbeat && b[end+1] == 3 && b[end+2] == b[2], false
}

// Gap says that n octets of a side are missing before what comes next, 0 for an unknown number.
func (c *Conn) Gap(side int, n int64) {
	h := &c.half[side]
	if c.over {
		return
	}
	lost := 1
	rest := h.skip
	if len(h.buf) >= 5 && !h.resync {
		rest = int64(5+int(h.buf[3])<<8+int(h.buf[4])) - int64(len(h.buf))
	}
	switch {
	case n > 0 && rest >= n: // within one record, whose end is known
		h.skip = rest - n
	default:
		h.skip, h.resync = 0, true
		lost += int(min(max(n-rest, 0)/minSealed, ahead))
		if n == 0 {
			lost = ahead
		}
	}
	h.off += int64(len(h.buf)) + n
	h.buf = nil
	c.gap(side, lost)
}

// waits reports whether something of the direction waits.
func (h *half) waits() bool { return len(h.queue) > 0 }

// gap notes, in the order of the records, that some are missing.
func (c *Conn) gap(side, lost int) {
	h := &c.half[side]
	if h.waits() {
		h.queue = append(h.queue, queued{off: h.off, lost: lost})
		h.queued += 64
		c.bound(side)
		return
	}
	c.missing(side, lost)
}

func (c *Conn) missing(side, lost int) {
	h := &c.half[side]
	h.lost = min(h.lost+lost, ahead)
	h.hs, h.hsSkip = nil, 0
	c.n.cut = true
	if h.cur != nil || h.sealed {
		c.sink.Lost(side)
	}
}

// put takes one record.
func (c *Conn) put(side int, raw []byte, off int64, nth uint64) {
	h := &c.half[side]
	if h.waits() {
		// Something may have come that it waits for.
		c.pump()
		if c.over {
			return
		}
	}
	if !h.waits() && c.step(side, raw, off, nth) {
		if c.half[1-side].waits() {
			c.pump()
		}
		return
	}
	if c.over {
		return
	}
	h.queue = append(h.queue, queued{raw: bytes.Clone(raw), off: off, nth: nth})
	h.queued += len(raw)
	c.bound(side)
}

// bound gives up waiting when too much waits.
func (c *Conn) bound(side int) {
	most := c.lim.Queue
	if c.version != 0 && c.n.hello != nil && c.keys.Growing() { // only a key is waited for, which may never come
		most = min(most, keyQueue)
	}
	if c.half[side].queued > most {
		c.settle()
	}
}

// settle goes on without what was waited for.
func (c *Conn) settle() {
	c.final = true
	c.pump()
	c.final = false
	for i := range c.half {
		if c.half[i].waits() && !c.over { // no rule waits when final is set but those for the ServerHello
			c.end(EndNoAnswer)
		}
	}
}

// pump takes what waits, as far as it can be taken.
func (c *Conn) pump() {
	for again := true; again && !c.over; {
		again = false
		for side := range c.half {
			h := &c.half[side]
			for len(h.queue) > 0 && !c.over {
				q := h.queue[0]
				if q.raw == nil {
					c.missing(side, q.lost)
					h.queued -= 64
				} else {
					if !c.step(side, q.raw, q.off, q.nth) {
						break
					}
					h.queued -= len(q.raw)
				}
				if c.over {
					return
				}
				h.queue[0] = queued{}
				if h.queue = h.queue[1:]; len(h.queue) == 0 {
					h.queue, h.queued = nil, 0
				}
				again = true
			}
		}
	}
}

// Close says that a side has ended. With the second one everything that waits is decided about.
func (c *Conn) Close(side int) {
	h := &c.half[side]
	if n := int64(len(h.buf)); n > 0 && !c.over && h.cur != nil && !h.closed {
		c.problem(side, ProblemCut, h.nth+1, h.off, h.off+n)
		c.sink.Lost(side)
	}
	h.closed, h.buf = true, nil
	if c.half[1-side].closed {
		c.Finish()
	}
}

// Finish ends the connection: nothing is waited for any more.
func (c *Conn) Finish() {
	if c.over {
		return
	}
	c.settle()
	if c.over {
		return
	}
	if c.noKey {
		c.end(EndNoKey)
		return
	}
	c.drop()
}

// end tells why nothing more will come.
func (c *Conn) end(r Reason) {
	if c.over {
		return
	}
	c.drop()
	c.sink.End(r)
}

// drop forgets keys and octets.
func (c *Conn) drop() {
	c.over = true
	c.n.master.zero()
	for i := range c.half {
		h := &c.half[i]
		h.traffic.zero()
		h.nextSec.zero()
		c.half[i] = half{off: h.off, dead: true, closed: h.closed}
	}
	c.n = negotiation{}
	clear(c.scratch)
	c.scratch = nil
}

func (c *Conn) problem(side int, k ProblemKind, nth uint64, off, end int64) {
	h := &c.half[side]
	if h.said[k] {
		return
	}
	h.said[k] = true
	c.sink.Problem(Problem{k, side, nth, off, end})
}

// giveUp ends one direction.
func (c *Conn) giveUp(side int) {
	h := &c.half[side]
	h.dead = true
	h.hs, h.cur, h.next = nil, nil, nil
	c.sink.Lost(side)
	if c.half[1-side].dead {
		c.end(EndBroken)
	}
}

// step takes one record; false says that it has to wait.
func (c *Conn) step(side int, raw []byte, off int64, nth uint64) bool {
	h := &c.half[side]
	if h.dead {
		return true
	}
	r := record{frag: raw[5:], off: off, end: off + int64(len(raw))}
	copy(r.header[:], raw)
	switch {
	case c.version == 0:
		return c.stepEarly(side, &r, nth)
	case c.version == version13:
		return c.step13(side, &r, nth)
	}
	return c.step12(side, &r, nth)
}

// stepEarly takes a record before the ServerHello.
func (c *Conn) stepEarly(side int, r *record, nth uint64) bool {
	switch r.typ() {
	case typeHandshake:
		c.handshake(side, r.frag, r, nth)
	case typeAlert:
		c.alert(side, r.frag)
	case typeCCS, typeData:
		if c.retried { // for middleboxes, and early data that the server has refused by its retry (RFC 8446 4.2.10)
			if r.typ() == typeData {
				c.info.EarlyData, c.info.EarlyRefused = true, true
			}
			return true
		}
		if c.info.Client < 0 || side != c.info.Client {
			c.end(EndNoHello) // the connection began before the capture
			return true
		}
		return false // what it is the ServerHello tells
	}
	return true
}

// clearRecord takes a record that is not protected.
func (c *Conn) clearRecord(side int, r *record, nth uint64) {
	switch r.typ() {
	case typeHandshake:
		c.handshake(side, r.frag, r, nth)
	case typeAlert:
		c.alert(side, r.frag)
	}
}

// content takes what was in a record that was opened.
func (c *Conn) content(side int, typ byte, b []byte, r *record, nth uint64) {
	c.info.Opened = true
	switch typ {
	case typeHandshake:
		c.handshake(side, b, r, nth)
	case typeAlert:
		c.alert(side, b)
	case typeCCS:
		if c.version < version13 {
			c.half[side].sealed = true
		}
	case typeData:
		if len(b) > 0 {
			c.sink.Data(side, b, r.off, r.end)
		}
	}
}

func (c *Conn) alert(side int, b []byte) {
	if len(b) != 2 {
		return
	}
	if a := Alert(b[1]); a.fatal(b[0], c.version == version13) {
		c.sink.Alert(side, a)
	}
}

// unseal opens a record with what next gives: openers in the order in which they are likely. A record that is missing
// moves the sequence number on.
func (c *Conn) try(h *half, o opener, r *record, from uint64, tries int) (plain []byte, typ byte, seq uint64, v verdict) {
	v = badTag
	for i := range uint64(tries) {
		plain, typ, v = o.open(c.scratch[:0], from+i, r)
		if v == opened {
			c.scratch = plain[:0]
			return plain, typ, from + i, v
		}
		if v == tooLittle {
			break
		}
	}
	return nil, 0, 0, v
}

// opens tries the opener at hand: the number that is due, then those around it when something is missing.
func (c *Conn) opens(h *half, r *record) (plain []byte, typ byte, v verdict) {
	var seq uint64
	plain, typ, seq, v = c.try(h, h.cur, r, h.seq, 1)
	if v != opened && v != tooLittle && (h.lost > 0 || h.fails > 0) {
		from := h.seq - min(h.seq, uint64(h.fails)) // one that failed need not have been one of the sender's
		plain, typ, seq, v = c.try(h, h.cur, r, from, ahead+h.fails)
	}
	if v == opened {
		h.seq, h.lost, h.fails = seq+1, 0, 0
	}
	return plain, typ, v
}

// failed notes a record that could not be opened.
func (c *Conn) failed(side int, r *record, nth uint64, v verdict) {
	h := &c.half[side]
	kind := ProblemTag
	if v == badMAC {
		kind = ProblemMAC
	}
	c.problem(side, kind, nth, r.off, r.end)
	h.seq++
	h.fails++
	h.hs, h.hsSkip = nil, 0
	if h.fails >= maxFails {
		c.problem(side, ProblemGiveUp, nth, r.off, r.end)
		c.giveUp(side)
		return
	}
	c.sink.Lost(side)
}
