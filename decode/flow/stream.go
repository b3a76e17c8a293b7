package flow

import (
	"fmt"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// decide finds out what an undecided stream is from its first octets.
func (d *Decoder) decide(st *stream) {
	// Keep-alives may come for hours before the first message of a connection that was captured from the middle.
	b := st.probe
	n := 0
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	if n == len(b) {
		if n >= 64 {
			d.stats.KeepAlives += uint64(n / 4)
			d.see(VerdictKeepAlive)
			st.probe = st.probe[:0]
			st.spans.drop(st.off)
		}
		return
	}
	if d.tlsDecide(st, b) {
		return
	}
	switch sipparse.StartPrefix(b) {
	case sipparse.Yes:
		d.beSIP(st, b, 0)
		return
	case sipparse.More:
		if len(b) < maxProbe {
			return
		}
	}
	switch hepPrefix(b) {
	case sipparse.Yes:
		d.beHEP(st, b, 0)
		return
	case sipparse.More:
		return
	}
	switch wsFirst(b) {
	case sipparse.Yes:
		d.beWS(st, b)
		return
	case sipparse.More:
		if len(b) < maxProbe {
			return
		}
	}
	switch d.h2Prefix(st, b) {
	case sipparse.Yes:
		d.beH2(st, b, false)
		return
	case sipparse.More:
		if len(b) < maxProbe {
			return
		}
	}
	switch httpPrefix(b) {
	case sipparse.Yes:
		d.beHTTP(st, b, 0)
		return
	case sipparse.More:
		if len(b) < maxProbe {
			return
		}
	}
	if st.tries > 0 { // the capture began in the middle, or octets are missing
		at := sipparse.FindStart(b, 0)
		if h := findHEP(b); h >= 0 && (at < 0 || h < at) {
			d.beHEP(st, b, h)
			return
		}
		if at >= 0 {
			d.stats.Junk += uint64(at)
			d.beSIP(st, b, at)
			return
		}
		if h2Looks(b) {
			d.beH2(st, b, true)
			return
		}
		if at := httpFind(b, 0); at >= 0 {
			d.beHTTP(st, b, at)
			return
		}
		// A SIP message may be binary in its middle (MIKEY bodies), so the first octets decide nothing; text is
		// searched for longer.
		st.tries--
		if !text(b) {
			st.tries -= 3
		}
		if st.tries > 0 {
			st.probe = st.probe[:0]
			st.spans.drop(st.off)
			return
		}
	}
	d.sigcompStream(st, b)
	d.ignore(st)
}

// text reports whether b begins like a line of text, as the middle of a SIP message does.
func text(b []byte) bool {
	for _, c := range b[:min(len(b), 16)] {
		if c < ' ' && c != '\r' && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// beSIP makes the stream SIP from octet at of what was collected, b, on.
func (d *Decoder) beSIP(st *stream, b []byte, at int) {
	d.stats.StreamsSIP++
	d.see(VerdictTransport)
	st.state, st.framer = streamSIP, sipparse.NewFramer(d.cfg.SIP)
	st.base = st.off - int64(len(b)-at)
	d.streams.move(st, listSIP)
	st.framer.Write(b[at:])
	st.probe = nil
	if at > 0 {
		d.h.Finding(record.Finding{ID: "tcp-midstream", Severity: record.Note, Clause: "RFC 3261 18.3",
			Message: fmt.Sprintf("the capture began in the middle of the stream; %d octets before the first start line were skipped", at),
			Frames:  d.streamFrames(st)}, d.streamContext(st))
	}
	d.frames(st)
}

// frames hands out what the framer has.
func (d *Decoder) frames(st *stream) {
	for !st.gone() {
		fr, err := st.framer.Next()
		if err != nil {
			st.spans.drop(st.off - int64(st.framer.Buffered()))
			return
		}
		d.sipFrame(st, &fr)
	}
}

// sipFrame takes one piece that the framer cut out of a stream.
func (d *Decoder) sipFrame(st *stream, fr *sipparse.Frame) {
	switch fr.Kind {
	case sipparse.FramePing, sipparse.FramePong:
		d.stats.KeepAlives++
		d.see(VerdictKeepAlive)
	case sipparse.FrameMessage:
		st.junk, st.saidJunk, st.lost = 0, false, fr.Truncated
		off := st.base + int64(fr.Off)
		var time int64
		d.tmp, time = st.spans.segments(d.tmp[:0], off, off+int64(len(fr.Data)), 0)
		d.streamUnit(st, st.transport, fr.Data, d.tmp, time, fr.Truncated, fr.Diags)
	case sipparse.FrameJunk:
		d.stats.Junk += uint64(len(fr.Data))
		st.junk += int64(len(fr.Data))
		st.lost = true
		if !st.saidJunk && len(fr.Diags) > 0 { // after a gap the framer says nothing: the gap was reported
			st.saidJunk = true
			d.h.Finding(record.Finding{ID: "stream-junk", Severity: record.Warning, Clause: "RFC 3261 18.3",
				Message: "octets between two messages of the stream begin no SIP message", Frames: d.streamFrames(st)}, d.streamContext(st))
		}
		if st.junk > maxJunkRun {
			d.ignore(st)
		}
	}
}

// streamUnit hands out a message of a stream.
func (d *Decoder) streamUnit(st *stream, transport string, b []byte, segs []record.Segment, time int64, truncated bool, diags []sipparse.Diag) {
	d.emit(d.newStreamUnit(st, transport, b, segs, time, truncated, diags))
}

// newStreamUnit makes a unit of octets of a stream, or one without octets and places.
func (d *Decoder) newStreamUnit(st *stream, transport string, b []byte, segs []record.Segment, time int64, truncated bool, diags []sipparse.Diag) *Unit {
	u := &d.unit
	*u = Unit{
		Time: time, Transport: transport, Encap: st.enc.names, Src: st.src, Dst: st.dst,
		File: st.file, Interface: st.iface, Truncated: truncated, Stream: transport == TCP || transport == OverTLS,
		Findings: st.findings, TLS: st.tlsInfo(),
	}
	if len(b) > 0 {
		d.give(u, b, segs, segs)
	}
	st.findings = nil
	u.Reassembled = len(u.Frames) > 1
	for i := range diags {
		g := &diags[i]
		switch g.ID {
		case sipparse.DiagGap, sipparse.DiagContentLengthMissing, sipparse.DiagMissingEmptyLine:
			continue // told above, or by sipparse when it reads the message
		}
		f := record.Finding{ID: "sip-" + g.ID.String(), Severity: severity(g.Severity()), Clause: g.Clause(), Message: g.Message(), Frames: u.Frames}
		if int(g.Off) <= len(b) && int(g.Off)+int(g.Len) <= len(b) {
			f.Off, f.Len, f.HasRange = g.Off, g.Len, true
		}
		u.Findings = append(u.Findings, f)
	}
	return u
}

func severity(s sipparse.Severity) record.Severity {
	switch s {
	case sipparse.SevError:
		return record.Error
	case sipparse.SevWarning:
		return record.Warning
	}
	return record.Note
}
