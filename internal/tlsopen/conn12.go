package tlsopen

import "crypto/sha256"

// TLS 1.0 to 1.2.

// state is what is known of a key.
type state uint8

const (
	ready state = iota
	waiting
	never
)

// step12 takes one record of TLS 1.0 to 1.2 after the ServerHello.
func (c *Conn) step12(side int, r *record, nth uint64) bool {
	h := &c.half[side]
	if h.cur == nil && !h.sealed {
		switch {
		case r.typ() == typeCCS:
			c.resumes(side)
			h.sealed = true
			return true
		case r.typ() == typeData: // the ChangeCipherSpec is missing
			h.sealed = true
		default:
			c.clearRecord(side, r, nth)
			return true
		}
	}
	if h.sealed {
		s, why := c.keys12(side)
		switch s {
		case waiting:
			return false
		case never:
			c.watch12(side, r, why)
			return true
		}
		h.cur, h.sealed, h.fails = c.n.openers[side], false, 0
		h.seq = 0
	}
	plain, typ, v := c.opens(h, r)
	o := h.cur
	if v == opened {
		c.content(side, typ, plain, r, nth)
	} else {
		c.failed(side, r, nth, v)
	}
	o.passed(r)
	return true
}

// resumes notes a ChangeCipherSpec that comes before what a full handshake has: the session is an earlier one.
func (c *Conn) resumes(side int) {
	if c.n.cut {
		return
	}
	if side == c.info.Client && !c.n.keyed || side != c.info.Client && !c.n.done {
		c.n.resumed = true
		c.info.Resumed = true
	}
}

// keys12 makes the openers of the latest handshake.
func (c *Conn) keys12(side int) (state, Reason) {
	n := &c.n
	if n.openers[0] != nil {
		return ready, 0
	}
	switch {
	case n.hello == nil && !c.final:
		return waiting, 0 // it may come out of order
	case n.hello == nil:
		return never, EndNoHello
	case n.server == nil:
		if c.final {
			return never, EndNoHello
		}
		return waiting, 0
	case c.suite.kind == kindOther || n.server.compressed || c.version < version10:
		return never, EndUnsupported
	}
	master := c.keys.Secret("CLIENT_RANDOM", n.hello.random)
	if master == nil && len(n.server.session) > 0 && string(n.server.session) == string(n.hello.session) {
		master = c.sess.get(n.server.session)
	}
	if master == nil && n.resumed && len(n.hello.ticket) > 0 {
		master = c.sess.get(ticketID(n.hello.ticket))
	}
	if master == nil && !n.resumed {
		pre := c.keys.Secret("PMS_CLIENT_RANDOM", n.hello.random)
		if pre == nil && c.suite.rsa && n.premast != nil {
			pre = c.keys.Premaster(n.premast)
		}
		switch {
		case !n.keyed && !c.final && side != c.info.Client && (pre != nil || c.suite.rsa):
			return waiting, 0 // for the ClientKeyExchange
		case pre != nil && n.server.ems:
			if n.keyed && !n.cut && !n.dropped {
				ch := n.msgs[c.info.Client]
				master = prf(c.version, c.suite, 48, pre, "extended master secret",
					sessionHash(c.version, c.suite, ch[:n.helloLen], n.msgs[1-c.info.Client], ch[n.helloLen:]))
			}
		case pre != nil:
			master = prf(c.version, c.suite, 48, pre, "master secret", n.hello.random[:], n.server.random[:])
		}
	}
	if master == nil {
		if c.keys.Growing() && !c.final {
			return waiting, 0
		}
		return never, EndNoKey
	}
	own := append([]byte(nil), master...)
	n.master = newSecret(own)
	n.openers = openers12(c.version, c.suite, own, &n.hello.random, &n.server.random, n.server.etm)
	n.msgs = [2][]byte{}
	if n.openers[0] == nil {
		return never, EndUnsupported
	}
	if len(n.server.session) > 0 {
		c.sess.put(n.server.session, own)
	}
	if n.ticket != nil {
		c.sess.put(ticketID(n.ticket), own)
	}
	return ready, 0
}

func ticketID(t []byte) []byte {
	sum := sha256.Sum256(t)
	return sum[:]
}

// watch12 looks on without a key until the handshake has come to its end.
func (c *Conn) watch12(side int, r *record, why Reason) {
	h := &c.half[side]
	if c.info.Opened { // a renegotiation whose secret is not there
		c.problem(side, ProblemNoKey, 0, r.off, r.end)
		c.giveUp(side)
		return
	}
	c.noKey = true
	h.seen += len(r.frag)
	switch {
	case why != EndNoKey:
		c.end(why)
	case r.typ() == typeAlert && !(c.fin[0] && c.fin[1]):
		c.info.HiddenAlert = side
		c.end(EndHidden)
	case r.typ() == typeHandshake:
		c.fin[side] = true
		c.info.Finished = c.fin[0] && c.fin[1]
		if c.info.Finished {
			c.end(EndNoKey)
		}
	case r.typ() == typeData, h.seen > watchBytes:
		c.info.Finished = c.info.Finished || r.typ() == typeData
		c.end(EndNoKey)
	}
}
