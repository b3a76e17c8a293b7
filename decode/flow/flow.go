package flow

import (
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"net/netip"
	"slices"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/tlsopen"
	"github.com/mcxdump/mcxdump/sipparse"
)

// A Frame is one captured frame. Data need only be valid during the call of [Decoder.Frame].
type Frame struct {
	Number    uint64 // 1-based within the file
	Time      int64  // Unix nanoseconds
	Data      []byte
	Orig      uint32 // length on the wire; more than len(Data) when the capture cut the frame off
	Link      uint16 // LINKTYPE_ value
	File      string
	FileIndex int
	Interface string
}

// A Unit is one framed message, or junk that began like one. Units come in the order in which they became complete.
// Everything in a unit is the receiver's, for good when Loan is nil.
type Unit struct {
	Data        []byte           // a copy
	Loan        *Loan            // what Data, Frames and Segments are cut from; only with [Config.Lend], and never of HTTP
	Time        int64            // packet time of the frame that completed it
	Frames      []uint64         // frame numbers in order, without duplicates
	Segments    []record.Segment // which frame each stretch of Data came from; one entry for the whole of an inflated message
	Transport   string           // one of the Transport constants
	Encap       []string         // shared, read only; outermost first
	Src, Dst    netip.AddrPort
	File        string
	Interface   string
	Quoted      bool // quoted in an ICMP error
	Truncated   bool // octets at the end are missing
	Stream      bool // from a stream transport, framed by Content-Length
	Reassembled bool // put together from IP fragments, TCP segments, SCTP chunks or WebSocket frames
	Findings    []record.Finding
	TLS         *TLS      // the TLS connection that it came in, as known by then; nil for none. Read only
	ESP         *ESPLayer // nil when it was not inside ESP
	HTTP        *HTTP     // an HTTP message; nil for SIP. Read only
}

// The values of [Unit.Transport].
const (
	UDP  = "udp"
	TCP  = "tcp"
	SCTP = "sctp"
	WS   = "ws"
	// OverTLS and WSS are TCP and WebSocket inside TLS.
	OverTLS = "tls"
	WSS     = "wss"
)

// A Context says where a finding that belongs to no message was made.
type Context struct {
	Number    uint64 // frame at hand, 0 at the end of the input
	Time      int64
	File      string
	Interface string
	Transport string // "" when none is known
	Encap     []string
	Src, Dst  netip.AddrPort
	TLS       *TLS // as in Unit
}

// A Handler receives what a Decoder finds, in order, in the goroutine that calls the Decoder.
type Handler interface {
	// Unit receives one message. The unit is valid during the call, what it refers to beyond it; of a unit with a Loan as
	// long as the receiver holds that.
	Unit(*Unit)
	// Finding receives a finding that belongs to no message: a gap between two messages of a stream, a limit reached, junk.
	Finding(record.Finding, Context)
}

// A Decoder turns frames into units. It is for one goroutine.
type Decoder struct {
	cfg   Config
	h     Handler
	stats Stats

	clock clock
	cur   Frame // the frame at hand; Data is cleared after the call
	// verdict on the frame at hand, the most telling one of its layers
	verdict Verdict

	lends  bool // loans come back
	loan   *Loan
	loans  *loans
	unit   Unit // the one at hand
	encaps encapTree
	agents map[agentKey]string
	pool   piecePool
	whole  []*whole // memory for datagrams put together
	tmp    []record.Segment

	seam    *seam
	com     common
	flate   io.ReadCloser // re-used for each compressed WebSocket message
	seed    maphash.Seed
	due     int64 // when expire is to be called, on the clock
	frags   fragTable
	run     fragRun
	streams streamTable

	sessions   *tlsopen.Sessions
	tlsServers map[tlsServerKey]*tlsServer
	tlsOrder   []tlsServerKey
	assocs     assocTable

	espKeys          espKeys
	esps             espTable
	agreed           espAgreements
	espBufs          [][]byte // plain text by the nesting of ESP
	espLevel         int
	icvs             []int     // scratch of espTry
	layer            *ESPLayer // innermost ESP layer of the packet at hand
	espPorts         []uint16
	sip              sipparse.Message // scratch of learnSecurity
	conns, exchanges uint64           // HTTP connections and exchanges that were numbered
}

// New returns a Decoder that hands what it finds to h.
func New(cfg Config, h Handler) *Decoder {
	d := &Decoder{cfg: cfg.withDefaults(), h: h}
	d.clock.maxStep = int64(d.cfg.MaxStep)
	d.lends, d.loans = cfg.Lend, new(loans)
	d.encaps.init()
	d.seam = newSeam()
	d.seed, d.due = maphash.MakeSeed(), never
	d.frags.m = make(map[fragKey]*fragSet)
	d.streams.m = make(map[flowKey]*stream)
	d.sessions, d.tlsServers = tlsopen.NewSessions(d.cfg.TLSSessions), make(map[tlsServerKey]*tlsServer)
	d.assocs.m = make(map[assocKey]*assoc)
	d.esps.m = make(map[espKey]*espState)
	d.espKeys, d.espPorts = newESPKeys(d.cfg.ESP), d.cfg.ESPPorts
	return d
}

// Frame decodes one frame. Frames are given in capture order.
func (d *Decoder) Frame(f *Frame) {
	d.stats.Frames++
	d.stats.Octets += uint64(len(f.Data))
	d.clock.tick(f.Time)
	if uint64(f.Orig) > uint64(len(f.Data)) {
		d.stats.CutFrames++
	}
	if d.clock.now < d.due {
		at := look(f.Link, f.Data)
		if at == leaves && d.espPorts == nil {
			d.stats.Verdicts[VerdictMedia]++
			return
		}
		if at >= 0 && d.lookTCP(f.Data[at:]) {
			d.stats.Verdicts[VerdictStream]++
			return
		}
	}
	d.frame(f)
}

// frame decodes one frame the long way.
func (d *Decoder) frame(f *Frame) {
	d.cur = *f
	d.verdict = VerdictNone
	if d.clock.now >= d.due {
		d.expire()
	}
	p := packet{enc: d.encaps.root, cut: uint64(f.Orig) > uint64(len(f.Data))}
	if !d.common(&p, f.Link, f.Data) {
		d.link(&p, f.Link, f.Data)
	}
	if len(d.frags.pending) > 0 {
		d.drain()
	}
	d.stats.Verdicts[d.verdict]++
	d.cur.Data = nil
}

// Flush ends the input: messages still open are handed out as truncated, and incomplete fragment sets are reported.
// The Decoder may be used again afterwards.
func (d *Decoder) Flush() {
	last := d.cur
	d.flushStreams()
	open := d.stats.FragmentHeadless
	for d.frags.oldest != nil { // what is read of one datagram may be a fragment of another, one layer further in
		for s := d.frags.oldest; s != nil; s = d.frags.oldest {
			if s.state == fragOpen {
				d.stats.FragmentTimedOut++
			}
			d.giveUp(s)
		}
		d.drain()
	}
	d.flushStreams() // what those datagrams carried
	d.flushAssocs()
	d.flushTLS()
	d.flushESP()
	d.due = never
	d.cur = last
	d.cur.Number = 0
	if n := d.stats.FragmentHeadless - open; n > 0 {
		d.h.Finding(record.Finding{ID: "frag-incomplete", Severity: record.Note, Clause: "RFC 791 3.2",
			Message: fmt.Sprintf("the input ended with %d fragmented datagrams of which the first fragment is missing", n)}, d.context(nil, ""))
	}
}

// Stats returns the counters so far.
func (d *Decoder) Stats() Stats {
	s := d.stats
	s.TimeJumps, s.TimeBacks = d.clock.jumps, d.clock.backs
	s.UnknownLinks = maps.Clone(s.UnknownLinks)
	s.UnreadSPIs = d.unreadSPIs()
	return s
}

func (d *Decoder) see(v Verdict) { d.verdict = max(d.verdict, v) }

// A packet is what is known on the way inwards through the layers of one frame. Tunnels work on a copy.
type packet struct {
	enc          *encap
	flow         uint64 // context that keeps apart equal addresses in different VLANs and overlays
	part         uint64 // the same for fragments; it also holds GTP tunnels and MPLS labels
	depth        int
	src, dst     netip.Addr
	sport, dport uint16
	cut          bool // octets at the end are missing from the capture
	quoted       bool
	v6           bool

	// A datagram put together from fragments: base is all of its octets, pieces tell where they came from.
	base     []byte
	pieces   []record.Segment
	whole    *whole // whose octets are base
	findings []record.Finding
}

// enter goes one layer inwards into an encapsulation; false when the nesting is deeper than the limit. id is the
// identifier that keeps overlapping address spaces apart; forFlow says that it is the same in both directions and for
// as long as a connection lives.
func (d *Decoder) enter(p *packet, kind encapKind, id uint64, forFlow bool) bool {
	if p.depth >= d.cfg.Depth {
		d.see(VerdictMalformed)
		d.limit(LimitDepth)
		return false
	}
	p.depth++
	p.enc = d.encaps.child(p.enc, kind)
	p.part = mix(p.part, uint64(kind)<<56|id)
	if !forFlow {
		id = 0
	}
	p.flow = mix(p.flow, uint64(kind)<<56|id)
	return true
}

// mix is a cheap 64-bit hash step (the finaliser of SplitMix64).
func mix(h, v uint64) uint64 {
	h ^= v + 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// origin appends to dst which frames the octets b of p came from, b being placed at offset at of a message.
// b must be cut out of p.base with its capacity intact when p was reassembled.
func (d *Decoder) origin(dst []record.Segment, p *packet, b []byte, at uint32) []record.Segment {
	if p.base == nil || cap(b) > cap(p.base) {
		return append(dst, record.Segment{Off: at, Frame: d.cur.Number})
	}
	off := uint32(cap(p.base) - cap(b))
	i := len(p.pieces) - 1
	for i > 0 && p.pieces[i].Off > off {
		i--
	}
	end := off + uint32(len(b))
	for ; i >= 0 && i < len(p.pieces); i++ {
		s := p.pieces[i]
		if s.Off >= end && s.Off > off {
			break
		}
		o := at
		if s.Off > off {
			o += s.Off - off
		}
		if n := len(dst); n > 0 && dst[n-1].Frame == s.Frame && o > at {
			continue
		}
		dst = append(dst, record.Segment{Off: o, Frame: s.Frame})
	}
	return dst
}

// datagram hands out one message that came in one piece, b, from the packet p.
func (d *Decoder) datagram(p *packet, transport string, b []byte, truncated bool) {
	d.emit(d.newDatagram(p, transport, b, truncated))
}

func (d *Decoder) newDatagram(p *packet, transport string, b []byte, truncated bool) *Unit {
	u := &d.unit
	// Every member is set, but for those that give and givePlaces set. One by one, they are written once.
	u.Loan, u.Time, u.Transport, u.Encap = nil, d.cur.Time, transport, p.enc.names
	u.Src, u.Dst = netip.AddrPortFrom(p.src, p.sport), netip.AddrPortFrom(p.dst, p.dport)
	u.File, u.Interface = d.cur.File, d.cur.Interface
	u.Quoted, u.Truncated, u.Stream, u.Reassembled = p.quoted, truncated, false, p.base != nil
	u.Findings, u.TLS, u.ESP, u.HTTP = p.findings, nil, nil, nil
	p.findings = nil
	d.tmp = d.origin(d.tmp[:0], p, b, 0)
	pieces := d.tmp
	if p.base != nil {
		pieces = p.pieces // those that brought only headers too
	}
	if l := d.keepWhole(p, b); l != nil {
		u.Data = b[:len(b):len(b)]
		d.givePlaces(u, l, d.tmp, pieces)
	} else {
		d.give(u, b, d.tmp, pieces)
	}
	return u
}

func (d *Decoder) emit(u *Unit) {
	d.see(VerdictSIP)
	d.stats.Messages++
	if d.layer != nil && slices.Contains(u.Encap, encapNames[encESP]) {
		l := *d.layer
		u.ESP = &l
		if l.ICV == ICVBad {
			f := badICV(&l)
			f.Frames = u.Frames
			u.Findings = append(u.Findings, f)
		}
	}
	d.learnSecurity(u)
	if u.Truncated {
		d.stats.Truncated++
	}
	d.h.Unit(u)
}

// frameNumbers lists the frames of segments in ascending order, each once.
func frameNumbers(segs []record.Segment) []uint64 {
	return frameNumbersInto(make([]uint64, 0, len(segs)), segs)
}

func frameNumbersInto(out []uint64, segs []record.Segment) []uint64 {
	sorted := true
	for _, s := range segs {
		sorted = sorted && (len(out) == 0 || out[len(out)-1] < s.Frame)
		out = append(out, s.Frame)
	}
	if sorted {
		return out
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (d *Decoder) context(p *packet, transport string) Context {
	c := Context{Number: d.cur.Number, Time: d.cur.Time, File: d.cur.File, Interface: d.cur.Interface, Transport: transport}
	if p != nil {
		c.Encap = p.enc.names
		if p.src.IsValid() {
			c.Src, c.Dst = netip.AddrPortFrom(p.src, p.sport), netip.AddrPortFrom(p.dst, p.dport)
		}
	}
	return c
}
