package flow

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/hep"
	"github.com/mcxdump/mcxdump/sipparse"
)

// HEP version 3, in which proxies mirror SIP to a collector. A packet is known by its content, on any port; the message in
// it gets the addresses, the transport and the time that its chunks tell, and the capture agent is its interface.

const hepClause = "HEP3"

// maxAgents bounds the names of capture agents that are kept.
const maxAgents = 1024

// A mirrored is the message of one HEP packet.
type mirrored struct {
	hep.Packet
	message   []byte // shares the packet's octets but if inflated
	transport string
	truncated bool
	inflated  bool
	findings  []record.Finding
}

// hepDatagram takes a HEP packet that came in a datagram.
func (d *Decoder) hepDatagram(p *packet, b []byte) {
	d.see(VerdictOther)
	if !d.enter(p, encHEP, 0, false) {
		return
	}
	m, ok := d.mirrored(b, p.cut, d.context(p, UDP))
	if !ok {
		return
	}
	p.findings = append(p.findings, m.findings...)
	raw := m.message
	if m.inflated {
		raw = m.Payload
	}
	u := d.newDatagram(p, m.transport, raw, m.truncated)
	d.mirror(u, &m)
	d.emit(u)
}

// mirror gives a unit what the packet says of it.
func (d *Decoder) mirror(u *Unit, m *mirrored) {
	u.Src, u.Dst = m.Src, m.Dst
	if !m.Time.IsZero() {
		u.Time = m.Time.UnixNano()
	}
	u.Interface = d.agent(&m.Packet)
	u.Stream, u.Truncated = false, m.truncated
	if m.inflated { // its octets are at no places of the capture
		u.Data = bytes.Clone(m.message)
		u.Segments = u.Segments[:1:1]
		u.Reassembled = true
	}
}

// mirrored reads a packet; ok is false when there is no SIP message in it. c is for findings without a message.
func (d *Decoder) mirrored(b []byte, cut bool, c Context) (m mirrored, ok bool) {
	d.stats.HEP++
	var err error
	m.Packet, err = hep.Parse(b)
	if err != nil || m.Truncated && !cut {
		text := "the packet is longer than what it came in"
		if err != nil {
			text = err.Error()
		}
		d.stats.HEPMalformed++
		m.findings = append(m.findings, record.Finding{ID: "hep-malformed", Severity: record.Warning, Clause: hepClause,
			Message: "the HEP packet around the message is malformed: " + text, Frames: d.frameList()})
	}
	m.truncated, m.message = m.Truncated, m.Payload
	switch {
	case m.Type != hep.TypeSIP && (m.Type != 0 || !sipparse.LooksLikeStart(m.Payload)):
		d.stats.HEPOther++ // RTCP, reports, logs
	case m.Payload == nil:
		d.hepWithout(&m, "has no payload", c)
	default:
		if m.Compressed {
			m.inflated = true
			m.message, err = m.Inflate(d.cfg.HEPInflated)
			if m.truncated = err != nil; err == hep.ErrExpands {
				d.limit(LimitHEPInflated)
			} else if err != nil {
				m.findings = append(m.findings, record.Finding{ID: "hep-compressed", Severity: record.Warning, Clause: hepClause,
					Message: fmt.Sprintf("the compressed payload cannot be inflated: %v", err), Frames: d.frameList()})
			}
		}
		switch {
		case sipparse.LooksLikeStart(m.message):
			m.transport = hepTransport(m.Protocol)
			return m, true
		case keepAlive(m.message):
			d.stats.KeepAlives++
			d.see(VerdictKeepAlive)
		default:
			d.hepWithout(&m, "holds no SIP message, though it says so", c)
		}
	}
	return m, false
}

// hepWithout reports a packet without a message, the first time and at each tenfold count.
func (d *Decoder) hepWithout(m *mirrored, what string, c Context) {
	if d.stats.HEPEmpty++; !tenfold(d.stats.HEPEmpty) {
		return
	}
	f := record.Finding{ID: "hep-payload", Severity: record.Warning, Clause: hepClause, Frames: d.frameList(),
		Message: fmt.Sprintf("a HEP packet of %s %s (%d so far)", d.agent(&m.Packet), what, d.stats.HEPEmpty)}
	if len(m.findings) > 0 {
		f.Message += "; " + m.findings[0].Message
	}
	d.h.Finding(f, c)
}

// hepTransport names the transport that the message had between the proxy and its peer.
func hepTransport(proto uint8) string {
	switch proto {
	case hep.ProtoTCP:
		return TCP
	case hep.ProtoSCTP:
		return SCTP
	case hep.ProtoTLS:
		return OverTLS
	}
	return UDP
}

// agent names a capture agent by its ID, and by its name if it has one.
func (d *Decoder) agent(p *hep.Packet) string {
	k := agentKey{id: p.Agent, node: string(p.Node[:min(len(p.Node), 64)])}
	if s, ok := d.agents[k]; ok {
		return s
	}
	s := "hep:" + strconv.FormatUint(uint64(k.id), 10)
	if k.node != "" {
		s += ":" + k.node
	}
	if d.agents == nil {
		d.agents = make(map[agentKey]string)
	}
	if len(d.agents) >= maxAgents {
		clear(d.agents)
	}
	d.agents[k] = s
	return s
}

type agentKey struct {
	id   uint32
	node string
}

// A hepReader cuts packets out of a TCP stream.
type hepReader struct {
	buf  []byte
	off  int64 // stream offset of buf[0]
	lost bool  // looking for the next packet
	said bool
}

// hepPrefix judges the first octets of a stream.
func hepPrefix(b []byte) sipparse.Verdict {
	switch {
	case hep.Size(b) > 0:
		return sipparse.Yes
	case len(b) < 6 && begins(b, []byte("HEP3")):
		return sipparse.More
	}
	return sipparse.No
}

// findHEP finds a packet in the middle of a stream; -1 when none begins there.
func findHEP(b []byte) int {
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], []byte("HEP3"))
		if i < 0 {
			return -1
		}
		if at += i; hep.Size(b[at:]) > 0 {
			return at
		}
	}
}

// beHEP makes the stream HEP from octet at of what was collected, b, on.
func (d *Decoder) beHEP(st *stream, b []byte, at int) {
	d.stats.Junk += uint64(at)
	d.see(VerdictTransport)
	st.state, st.probe, st.hep = streamHEP, nil, &hepReader{off: st.off - int64(len(b)-at)}
	d.streams.move(st, listSIP)
	d.hepWrite(st, b[at:])
}

// hepWrite takes the next octets of a HEP stream.
func (d *Decoder) hepWrite(st *stream, b []byte) {
	r := st.hep
	r.buf = append(r.buf, b...)
	i := 0
	for !st.gone() {
		rest := r.buf[i:]
		if r.lost || len(rest) >= 6 && hep.Size(rest) == 0 {
			if !r.lost && !r.said {
				r.said = true
				d.h.Finding(record.Finding{ID: "stream-junk", Severity: record.Warning, Clause: hepClause,
					Message: "octets of the stream begin no HEP packet", Frames: d.streamFrames(st)}, d.streamContext(st))
			}
			r.lost = true
			at := findHEP(rest)
			if at < 0 {
				n := max(0, len(rest)-5) // a header may be cut in two
				d.stats.Junk += uint64(n)
				i += n
				break
			}
			r.lost = false
			d.stats.Junk += uint64(at)
			i += at
			continue
		}
		n := hep.Size(rest)
		if n == 0 || len(rest) < n {
			break
		}
		d.hepStreamed(st, rest[:n], r.off+int64(i), false)
		i += n
	}
	if st.gone() {
		return
	}
	if i > 0 {
		r.buf = append(r.buf[:0], r.buf[i:]...)
		r.off += int64(i)
	}
	st.spans.drop(r.off)
}

// hepStreamed takes a packet that was at a stream offset; cut says that its end is missing.
func (d *Decoder) hepStreamed(st *stream, b []byte, off int64, cut bool) {
	enc := d.encaps.child(st.enc, encHEP)
	c := d.streamContext(st)
	c.Encap = enc.names
	m, ok := d.mirrored(b, cut, c)
	if !ok {
		return
	}
	from := off + int64(m.PayloadOff)
	segs, time := st.spans.segments(nil, from, from+int64(len(m.Payload)), 0)
	u := d.newStreamUnit(st, m.transport, m.message, segs, time, m.truncated, nil)
	u.Encap = enc.names
	u.Findings = append(u.Findings, m.findings...)
	d.mirror(u, &m)
	d.emit(u)
}

// hepGap tells the reader that octets are missing.
func (d *Decoder) hepGap(st *stream) {
	d.hepFlush(st)
	d.tell(st)
	r := st.hep
	r.buf, r.lost = r.buf[:0], true
	r.off = st.off
	st.spans.drop(st.off)
}

// hepFlush hands out what there is of the packet that is open.
func (d *Decoder) hepFlush(st *stream) {
	if r := st.hep; hep.Size(r.buf) > 0 && !r.lost {
		d.hepStreamed(st, r.buf, r.off, true)
	}
}
