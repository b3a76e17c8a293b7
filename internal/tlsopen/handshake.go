package tlsopen

import "bytes"

// handshake takes handshake octets of a side, which go on across records (RFC 8446 5.1).
func (c *Conn) handshake(side int, b []byte, r *record, nth uint64) {
	h := &c.half[side]
	if h.hsSkip > 0 {
		n := min(h.hsSkip, len(b))
		h.hsSkip -= n
		b = b[n:]
	}
	data := b
	if len(h.hs) > 0 {
		h.hs = append(h.hs, b...)
		data = h.hs
	}
	at := 0
	for !c.over && !h.dead && len(data)-at >= 4 {
		rest := data[at:]
		n := 4 + int(rest[1])<<16 + int(rest[2])<<8 + int(rest[3])
		if rest[0] > maxMsgType || n > c.lim.Handshake {
			c.problem(side, ProblemHandshake, nth, r.off, r.end)
			if c.n.cut = true; rest[0] <= maxMsgType && n > len(rest) {
				h.hsSkip = n - len(rest)
			}
			h.hs = nil
			return
		}
		if len(rest) < n {
			break
		}
		at += n
		c.message(side, rest[0], rest[4:n], rest[:n], r, nth)
	}
	if c.over || h.dead {
		return
	}
	left := data[at:]
	if len(h.hs) > 0 {
		if len(left) == 0 {
			h.hs = nil
			return
		}
		h.hs = h.hs[:copy(h.hs, left)]
		return
	}
	if len(left) > 0 {
		h.hs = append([]byte(nil), left...)
	}
}

// message takes one handshake message; raw has its header.
func (c *Conn) message(side int, typ byte, b, raw []byte, r *record, nth uint64) {
	if c.info.Client >= 0 && (typ == msgClientHello && side != c.info.Client || typ == msgServerHello && side == c.info.Client) {
		c.problem(side, ProblemHandshake, nth, r.off, r.end)
		return
	}
	ok := true
	switch typ {
	case msgClientHello:
		ok = c.clientHello(side, b)
	case msgServerHello:
		ok = c.serverHello(side, b)
	case msgEncryptedExts:
		ok = c.encryptedExtensions(b)
	case msgCertificate:
		ok = c.certificate(side, b)
	case msgServerHelloDone:
		c.n.done = true
	case msgClientKeyExchange:
		if c.n.keyed = true; c.suite.rsa {
			e := reader{b: b}
			c.n.premast = bytes.Clone(e.vec(2))
			ok = !e.bad
		}
	case msgNewSessionTicket:
		if c.version != 0 && c.version < version13 {
			t := reader{b: b}
			t.num(4)
			c.n.ticket = bytes.Clone(t.vec(2))
			if m := c.n.master.reveal(); m != nil && len(c.n.ticket) > 0 {
				c.sess.put(ticketID(c.n.ticket), m)
			}
		}
	case msgEndOfEarlyData:
		if h := &c.half[side]; c.version == version13 && h.phase == phaseEarly {
			c.enter(side, phaseHandshake)
		}
	case msgFinished:
		c.fin[side] = true
		c.info.Finished = c.fin[0] && c.fin[1]
		if h := &c.half[side]; c.version == version13 && h.phase < phaseData {
			c.enter(side, phaseData)
		}
	case msgKeyUpdate:
		if h := &c.half[side]; c.version == version13 && h.phase >= phaseData && h.cur != nil {
			c.enter(side, h.phase+1)
		}
	}
	if !ok {
		c.problem(side, ProblemHandshake, nth, r.off, r.end)
	}
	c.keep(side, typ, raw)
}

// keep gathers the messages up to the ClientKeyExchange, for the session hash (RFC 7627 3).
func (c *Conn) keep(side int, typ byte, raw []byte) {
	n := &c.n
	switch {
	case n.cut, n.dropped, c.version == version13, n.openers[0] != nil, typ == msgHelloRequest, typ == msgNewSessionTicket, typ == msgFinished,
		side == c.info.Client && n.keyed && typ != msgClientKeyExchange:
		return
	case n.server != nil && !c.suite.rsa && c.keys.Secret("PMS_CLIENT_RANDOM", n.hello.randomOrZero()) == nil:
		n.dropped, n.msgs = true, [2][]byte{}
		return
	case len(n.msgs[side])+len(raw) > c.lim.Handshake:
		n.dropped, n.msgs = true, [2][]byte{}
		return
	}
	n.msgs[side] = append(n.msgs[side], raw...)
	if typ == msgClientHello {
		n.helloLen = len(n.msgs[side])
	}
}

func (h *clientHello) randomOrZero() (z [32]byte) {
	if h == nil {
		return z
	}
	return h.random
}

func (c *Conn) clientHello(side int, b []byte) bool {
	h, ok := parseClientHello(b)
	c.info.Client = side
	again := c.retried && c.version == 0
	if c.version == 0 {
		if c.info.SNI = h.sni; len(h.alpn) > 0 {
			c.info.Offered = h.alpn
		}
	}
	if again && h.random == c.n.hello.randomOrZero() {
		h.earlyData = c.n.hello.earlyData // what came of it may still be on the way
	}
	c.half[side].phase = phaseEarly
	if c.n.server != nil && c.n.hello == nil { // captured out of order
		c.info.SNI, c.info.Offered = h.sni, h.alpn
		c.n.hello = &h
		return ok
	}
	c.n.master.zero()
	c.n = negotiation{hello: &h}
	return ok
}

func (c *Conn) serverHello(side int, b []byte) bool {
	h, ok := parseServerHello(b)
	if h.version == 0 || len(b) < 38 {
		return false
	}
	if c.info.Client < 0 {
		c.info.Client = 1 - side
	}
	if h.version == version13 && h.retry() {
		c.retried, c.info.Retried = true, true
		c.info.Version, c.info.Suite = h.version, h.suite
		return ok
	}
	if c.version == version13 || c.version != 0 && h.version != c.version {
		return false // a second ServerHello is one of a renegotiation, which keeps the version
	}
	if c.n.server != nil {
		return false
	}
	c.n.server = &h
	c.version, c.suite = h.version, suiteOf(h.suite)
	c.info.Version, c.info.Suite = h.version, h.suite
	if h.alpn != "" {
		c.info.ALPN = h.alpn
	}
	if h.psk {
		c.info.Resumed = true
	}
	if h.version < 0x0300 || h.version > version13 {
		c.end(EndUnsupported)
	}
	return ok
}

func (c *Conn) encryptedExtensions(b []byte) bool {
	r := reader{b: b}
	early := false
	ok := extensions(&r, func(typ int, e reader) {
		switch typ {
		case extALPN:
			list := reader{b: e.vec(2)}
			c.info.ALPN = wireName(list.vec(1))
		case extEarlyData:
			early = true
		}
	})
	if h := c.n.hello; c.version == version13 && h != nil && h.earlyData {
		if early {
			c.info.EarlyData = true
		} else {
			c.info.EarlyRefused = true
		}
	}
	return ok
}

func (c *Conn) certificate(side int, b []byte) bool {
	if side == c.info.Client {
		return true
	}
	der, n, ok := firstCertificate(b, c.version == version13)
	if c.info.Certificates = n; len(der) <= maxDER {
		c.info.Certificate = bytes.Clone(der)
	}
	return ok
}
