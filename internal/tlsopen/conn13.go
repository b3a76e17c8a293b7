package tlsopen

import "strconv"

// TLS 1.3. A direction goes through phases, each with its own traffic secret (RFC 8446 7.1); after the last one each
// KeyUpdate begins another (7.2).
const (
	phaseEarly = iota // of the client only
	phaseHandshake
	phaseData
)

// label is that of a phase's secret in a key log.
func (c *Conn) label(side, phase int) string {
	who := "SERVER_"
	if side == c.info.Client {
		who = "CLIENT_"
	}
	switch phase {
	case phaseEarly:
		return who + "EARLY_TRAFFIC_SECRET"
	case phaseHandshake:
		return who + "HANDSHAKE_TRAFFIC_SECRET"
	}
	return who + "TRAFFIC_SECRET_" + strconv.Itoa(phase-phaseData)
}

// load makes the opener of a phase; nil without a secret.
func (c *Conn) load(side, phase int) (opener, secret) {
	h := &c.half[side]
	if h.next != nil && h.nextOf == phase {
		return h.next, h.nextSec
	}
	var traffic []byte
	switch {
	case phase > phaseData:
		if t := h.traffic.reveal(); h.phase == phase-1 && t != nil {
			traffic = expandLabel(c.suite, t, "traffic upd", len(t))
		}
	case c.n.hello != nil:
		traffic = append([]byte(nil), c.keys.Secret(c.label(side, phase), c.n.hello.random)...)
	}
	if len(traffic) == 0 {
		return nil, secret{}
	}
	o := opener13(c.suite, traffic)
	if o == nil {
		return nil, secret{}
	}
	return o, newSecret(traffic)
}

// enter begins a phase. Without a secret there is no opener.
func (c *Conn) enter(side, phase int) {
	h := &c.half[side]
	o, s := c.load(side, phase)
	h.next, h.nextSec = nil, secret{}
	h.traffic.zero()
	h.phase, h.cur, h.traffic, h.seq = phase, o, s, 0
}

// step13 takes one record of TLS 1.3 after the ServerHello.
func (c *Conn) step13(side int, r *record, nth uint64) bool {
	h := &c.half[side]
	switch r.typ() {
	case typeCCS:
		return true // for middleboxes (RFC 8446 5)
	case typeData:
	case typeAlert, typeHandshake:
		if h.cur == nil || r.typ() == typeAlert && len(r.frag) == 2 {
			c.clearRecord(side, r, nth)
			return true
		}
	}
	if h.phase == phaseEarly && side != c.info.Client {
		h.phase = phaseHandshake
	}
	if h.cur == nil {
		if c.n.hello == nil {
			if !c.final {
				return false // it may come out of order
			}
			c.end(EndNoHello)
			return true
		}
		if c.suite.mac != "" || c.suite.kind == kindOther {
			c.end(EndUnsupported)
			return true
		}
		if h.phase == phaseEarly && !c.n.hello.earlyData {
			h.phase = phaseHandshake
		}
		c.enter(side, h.phase)
		if h.cur == nil && !c.findable(side, h.phase) {
			if c.keys.Growing() && !c.final {
				return false
			}
			c.watch13(side, r)
			return true
		}
	}
	v := badTag
	if h.cur != nil {
		var plain []byte
		var typ byte
		if plain, typ, v = c.opens(h, r); v == opened {
			c.opened13(side, typ, plain, r, nth)
			return true
		}
	}
	// The next phases: what ends this one may be missing, or have no secret.
	last := phaseData
	if h.phase >= phaseData && (h.lost > 0 || h.fails > 0) {
		last = h.phase + 1
	}
	for p := h.phase + 1; p <= last; p++ {
		o, s := c.load(side, p)
		if o == nil {
			continue
		}
		tries := 1
		if h.lost > 0 || h.fails > 0 {
			tries = ahead
		}
		plain, typ, seq, w := c.try(h, o, r, 0, tries)
		if w != opened {
			h.next, h.nextSec, h.nextOf = o, s, p
			continue
		}
		h.traffic.zero()
		h.phase, h.cur, h.traffic, h.next = p, o, s, nil
		h.seq, h.lost, h.fails = seq+1, 0, 0
		c.opened13(side, typ, plain, r, nth)
		return true
	}
	if h.phase == phaseEarly { // early data whose key is not there
		c.info.EarlyData = true
		c.problem(side, ProblemEarlyData, nth, r.off, r.end)
		c.pass(side, r, nth)
		return true
	}
	if h.cur == nil { // handshake records without their secret
		if h.phase >= phaseData || !c.findable(side, h.phase) {
			if c.keys.Growing() && !c.final {
				return false
			}
			c.problem(side, ProblemNoKey, nth, r.off, r.end)
			c.giveUp(side)
			return true
		}
		c.pass(side, r, nth)
		return true
	}
	c.failed(side, r, nth, v)
	return true
}

// pass leaves a record out for which there is no key, within bounds.
func (c *Conn) pass(side int, r *record, nth uint64) {
	h := &c.half[side]
	if h.silent += len(r.frag); h.silent > watchBytes {
		c.problem(side, ProblemGiveUp, nth, r.off, r.end)
		c.giveUp(side)
	}
}

// findable reports whether there is a secret for a direction from a phase on.
func (c *Conn) findable(side, phase int) bool {
	for p := phase; p <= phaseData; p++ {
		if c.keys.Secret(c.label(side, p), c.n.hello.random) != nil {
			return true
		}
	}
	return false
}

func (c *Conn) opened13(side int, typ byte, plain []byte, r *record, nth uint64) {
	if c.half[side].phase == phaseEarly && typ == typeData {
		c.info.EarlyData = true
	}
	c.content(side, typ, plain, r, nth)
}

// watch13 looks on without a key until the handshake has come to its end. All records look alike, but an alert is
// shorter than any message of a handshake.
func (c *Conn) watch13(side int, r *record) {
	h := &c.half[side]
	if c.info.Opened || c.findable(1-side, c.firstPhase(1-side)) {
		c.problem(side, ProblemNoKey, 0, r.off, r.end)
		c.giveUp(side)
		return
	}
	c.noKey = true
	alert := len(r.frag) == c.suite.tag+3
	client := side == c.info.Client
	first := h.seen == 0
	h.seen += len(r.frag)
	switch {
	case client && c.n.hello.earlyData:
		c.info.EarlyData, c.info.Finished = true, true // the first of them, or the handshake went on without it
		c.end(EndNoKey)
	case alert && (first || !client):
		c.info.HiddenAlert = side
		c.end(EndHidden)
	case client:
		c.fin[side], c.info.Finished = true, true
		if alert || h.seen > watchBytes {
			c.end(EndNoKey)
		}
	case c.fin[c.info.Client], h.seen > watchBytes:
		c.end(EndNoKey)
	}
}

func (c *Conn) firstPhase(side int) int {
	if side == c.info.Client && c.n.hello.earlyData {
		return phaseEarly
	}
	return phaseHandshake
}
