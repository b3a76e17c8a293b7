package flow

import (
	"net/netip"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/tlsopen"
)

// TLS is what is known of the TLS connection that a message came in, or that a finding speaks of. It is read only once
// it is handed out; what becomes known later is in a new one.
type TLS struct {
	Version   string // "1.0", "1.1", "1.2", "1.3"; "" before the ServerHello
	Suite     string // name of the IANA register; "" before the ServerHello
	SNI       string // host name that the client asked for (RFC 6066 3)
	ALPN      string // application protocol that the server chose (RFC 7301): "h2", "http/1.1"
	Resumed   bool   // keys go back to an earlier connection
	EarlyData bool   // the client sent data before the handshake was done (RFC 8446 2.3)
	State     string // one of the TLS constants
	Alert     string // the fatal alert that ended the connection, in words
}

// The values of [TLS.State].
const (
	TLSDecrypted = "decrypted"
	TLSNoKey     = "no_key"
	TLSFailed    = "failed" // the handshake failed
)

// TLSKeys finds the secrets of TLS connections. Its methods are called in the goroutine of the Decoder.
type TLSKeys = tlsopen.Keys

// noTLSKeys is TLSKeys without any.
type noTLSKeys struct{}

func (noTLSKeys) Secret(string, [32]byte) []byte { return nil }
func (noTLSKeys) Premaster([]byte) []byte        { return nil }
func (noTLSKeys) Growing() bool                  { return false }

// tlsConn is one TLS connection; both of its directions, and the streams inside them, point to it.
type tlsConn struct {
	d      *Decoder
	c      *tlsopen.Conn
	out    [2]*stream // what carries it; index is streamData.side
	in     [2]*stream // what is inside
	was    [2]*stream // what carried it, also when that has ended
	enc    *encap
	segs   []record.Segment
	info   *TLS              // as handed out last
	src    [2]netip.AddrPort // of the sides
	where  Context           // where it was seen last
	alert  string
	failed bool
	told   bool // the connection was summarised
	left   bool // its streams are to leave the road
	opened bool // counted as opened
	closer int  // side that closed or reset the connection first, -1
	reset  bool
	ending bool // the input ends, or the connection is pushed out by others
}

// tlsCost is what a connection costs beside its octets.
const tlsCost = 2048

// tlsInfo is what is known of the TLS connection that a stream belongs to, nil for none.
func (s *streamData) tlsInfo() *TLS {
	if s.tls == nil {
		return nil
	}
	return s.tls.snapshot()
}

// wsTransport is the transport of what comes in WebSocket messages of the stream.
func (s *streamData) wsTransport() string {
	if s.outer != nil {
		return WSS
	}
	return WS
}

// peer is the other direction of a stream's connection; nil when it is not known or not looked at. For a stream inside
// TLS it is the one inside the other direction.
func (d *Decoder) peer(st *stream) *stream {
	if st.streamData == nil {
		return nil
	}
	if st.outer != nil {
		return st.tls.in[1-st.side]
	}
	if r := d.streams.opposite(&st.key); r != nil && r.streamData != nil {
		return r
	}
	return nil
}

// tlsDecide finds out whether a stream is TLS from its first octets, b. done says that there is nothing else to decide.
func (d *Decoder) tlsDecide(st *stream, b []byte) (done bool) {
	if st.outer != nil {
		return false
	}
	if r := d.peer(st); r != nil && r.state == streamTLS {
		if len(b) < 5 && b[0] >= 20 && b[0] <= 24 {
			return true
		}
		if tlsopen.LooksLikeRecord(b) || st.tries > 0 {
			d.beTLS(st, b, r.tls, 1-r.side)
			return true
		}
		d.tlsNotAnswered(r.tls, "the answer to the ClientHello is not TLS")
		d.tlsLeave(r.tls)
		return false
	}
	yes, more := tlsopen.LooksLikeHandshake(b)
	switch {
	case yes:
		c := &tlsConn{d: d, closer: -1}
		c.c = tlsopen.New(d.cfg.TLSKeys, c, d.sessions, tlsopen.Limits{Handshake: d.cfg.TLSHandshake, Queue: d.cfg.TLSQueue})
		d.stats.TLSConnections++
		d.beTLS(st, b, c, 0)
		return true
	case more:
		return true
	}
	if st.tries > 0 && b[0] == 23 && tlsopen.LooksLikeRecord(b) && tlsChain(b) {
		d.stats.TLSMidstream++
		d.tlsTell(record.Finding{ID: "tls-midstream", Severity: record.Note, Clause: "RFC 8446 4.1.2",
			Message: "the capture began in the middle of a TLS connection: without its ClientHello no key can be found for it", Frames: d.streamFrames(st)},
			d.streamContext(st), tlsServerKey{id: "tls-midstream", server: lowPort(st.src, st.dst)})
		d.ignore(st)
		return true
	}
	return false
}

// tlsChain reports whether the record that b begins with fits what follows it in b.
func tlsChain(b []byte) bool {
	n := 5 + int(b[3])<<8 + int(b[4])
	if n < 5+17 {
		return false
	}
	if len(b) < n+3 {
		return len(b) <= n
	}
	return b[n] >= 20 && b[n] <= 24 && b[n+1] == 3 && b[n+2] == b[2]
}

// lowPort is the endpoint that is likely to be the server.
func lowPort(a, b netip.AddrPort) netip.AddrPort {
	if b.Port() < a.Port() {
		return b
	}
	return a
}

// beTLS makes the stream one side of a TLS connection, from what was collected, b, on.
func (d *Decoder) beTLS(st *stream, b []byte, c *tlsConn, side int) {
	d.stats.StreamsTLS++
	st.state, st.tls, st.side, st.probe = streamTLS, c, side, nil
	c.out[side], c.was[side], c.enc, c.src[side], c.src[1-side] = st, st, st.enc, st.src, st.dst
	if st.tries > 0 && !tlsopen.LooksLikeRecord(b) {
		c.c.Gap(side, 0)
	}
	if r := c.out[1-side]; r != nil && r.list == &d.streams.lists[listSIP] {
		d.streams.move(st, listSIP)
	}
	d.tlsOctets(st, b, st.off-int64(len(b)))
}

// tlsOctets gives the next octets of a side to the connection.
func (d *Decoder) tlsOctets(st *stream, b []byte, off int64) {
	c := st.tls
	c.where = d.streamContextOf(st)
	c.c.Write(st.side, b, off)
	if c.left {
		d.tlsLeave(c)
		return
	}
	st.spans.drop(c.c.Needed(st.side))
	if !c.opened && c.c.Info().Opened {
		c.opened = true
		d.stats.TLSOpened++
		for _, o := range c.out {
			if o != nil && o.streamData != nil {
				d.streams.move(o, listSIP)
			}
		}
	}
	if c.opened {
		d.see(VerdictTransport)
	}
	if r := c.out[1-st.side]; r != nil && !r.gone() {
		d.account(r)
	}
}

// tlsGap tells a connection that octets of a side are missing, and notes it for the message that is open inside.
func (d *Decoder) tlsGap(st *stream, n int64, f record.Finding) {
	c := st.tls
	if in := c.in[st.side]; in != nil && !in.gone() {
		d.note(in, f)
	}
	c.where = d.streamContextOf(st)
	c.c.Gap(st.side, n)
	if c.left {
		d.tlsLeave(c)
	}
}

// inner is the stream inside a side, made when its first octets come; nil when nobody wants it.
func (c *tlsConn) inner(side int) *stream {
	in, out := c.in[side], c.out[side]
	if in == nil {
		was := c.was[side]
		if was == nil {
			return nil
		}
		in = &stream{key: was.key, state: streamProbe, syn: true, streamData: &streamData{cutAt: -1, transport: OverTLS, tls: c, side: side, outer: was,
			enc: c.enc, src: c.src[side], dst: c.src[1-side], file: c.where.File, iface: c.where.Interface, lastFrame: c.where.Number}}
		c.in[side] = in
	}
	if in.gone() {
		return nil
	}
	if out != nil && out.streamData != nil {
		in.enc, in.file, in.iface, in.lastFrame = out.enc, out.file, out.iface, out.lastFrame
	}
	return in
}

// Data is application data of a record.
func (c *tlsConn) Data(side int, b []byte, off, end int64) {
	in, out := c.inner(side), c.out[side]
	if in == nil {
		return
	}
	var segs []record.Segment
	time := c.where.Time
	if out != nil && out.streamData != nil {
		segs, time = out.spans.segments(c.segs[:0], off, end, 0)
		c.segs = segs
	}
	if len(segs) == 0 {
		segs = []record.Segment{{Frame: in.lastFrame}}
	}
	c.d.deliver(in, b, time, func(_ []byte, at uint32, dst []record.Segment) []record.Segment {
		// The octets of a record lie in it in order, behind its header and what else goes before them.
		head := uint32(5)
		if c.c.Info().Version < 0x0304 {
			head = min(uint32(end-off)-uint32(len(b)), 13)
		}
		for _, g := range segs {
			o := min(max(g.Off, head)-head, uint32(len(b)-1))
			dst = append(dst, record.Segment{Off: at + o, Frame: g.Frame})
		}
		return dst
	})
	if c.in[side].gone() && (c.in[1-side] == nil || c.in[1-side].gone()) && c.in[1-side] != nil {
		c.left = true // nobody wants what is inside
	}
}

// Lost says that application data is missing.
func (c *tlsConn) Lost(side int) {
	if in := c.inner(side); in != nil {
		c.d.missing(in, 0)
	}
}

// tlsLeave takes the streams of a connection off the road.
func (d *Decoder) tlsLeave(c *tlsConn) {
	c.left = true
	for side, in := range c.in {
		if in != nil && !in.gone() {
			d.finish(in)
		}
		if in != nil && in.streamData != nil {
			in.part()
			in.streamData = nil
		}
		c.in[side] = nil
	}
	for side, o := range c.out {
		if c.out[side] = nil; o != nil && o.streamData != nil && o.tls == c && !o.gone() {
			d.ignore(o)
			d.settle(o)
		}
	}
}

// tlsFinish ends one side; with the second one the connection is summarised.
func (d *Decoder) tlsFinish(st *stream) {
	c, side := st.tls, st.side
	c.where = d.streamContextOf(st)
	if st.fin || st.reset != 0 {
		if c.closer < 0 {
			c.closer, c.reset = side, st.reset != 0
		}
	} else {
		c.ending = true
	}
	c.c.Close(side)
	if other := c.out[1-side]; other == nil || other.streamData == nil || other.gone() {
		c.c.Finish()
		d.tlsEnded(c)
	}
	if in := c.in[side]; in != nil && !in.gone() {
		in.fin, in.finOff = st.fin, in.off
		d.finish(in)
		in.part()
	}
	c.out[side] = nil
	if c.left {
		d.tlsLeave(c)
	}
}

// tlsHeld is what a side of a connection holds.
func (c *tlsConn) tlsHeld(side int) int64 {
	n := tlsCost/2 + c.c.Held(side)
	if in := c.in[side]; in != nil && in.streamData != nil {
		n += in.holds()
	}
	return n
}

// tlsReset notes that the sender of direction k has reset or closed the connection, of which it had sent nothing else.
func (d *Decoder) tlsReset(k flowKey, reset bool) {
	r := d.streams.opposite(&k)
	if r == nil || r.streamData == nil || r.state != streamTLS || r.tls.c.Info().Version != 0 {
		return
	}
	if c := r.tls; c.closer < 0 {
		c.closer, c.reset = 1-r.side, reset
		r.reset = d.clock.now // both directions end
		d.schedule(r)
	}
}
