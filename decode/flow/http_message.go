package flow

import (
	"fmt"
	"slices"

	"github.com/mcxdump/mcxdump/decode/record"
)

// An httpMessage is an HTTP message while it is put together.
type httpMessage struct {
	cur    *HTTP            // nil when none is open
	msg    []byte           // its Unit.Data
	segs   []record.Segment // where msg came from
	notes  []record.Finding
	more   []uint64 // frames that brought none of msg as it stands there
	keep   bool     // it will be handed out
	setup  bool     // it sets up SIP over WebSocket
	joined bool     // framing stood between its octets
	over   int64    // octets of content beyond the limit
}

const keepMessage = 64 << 10 // an idle message keeps no larger memory

// held is what the message holds.
func (r *httpMessage) held() int64 { return int64(cap(r.msg) + 16*cap(r.segs) + 8*cap(r.more)) }

// note keeps a finding. off and n are octets of the message; n of 0 is no place.
func (r *httpMessage) note(id string, sev record.Severity, clause, text string, off, n int) {
	if len(r.notes) >= maxHTTPNotes {
		return
	}
	f := record.Finding{ID: id, Severity: sev, Clause: clause, Message: text}
	if n > 0 {
		f.Off, f.Len, f.HasRange = uint32(off), uint32(n), true
	}
	for i := range r.notes {
		if r.notes[i].ID == id && r.notes[i].Message == text {
			return
		}
	}
	r.notes = append(r.notes, f)
}

// take adds octets of content that were at a stream offset.
func (r *httpMessage) take(sp *spanMap, b []byte, stream int64) {
	if !r.keep || len(b) == 0 {
		return
	}
	if room := r.cur.HeaderEnd + maxHTTPContent - len(r.msg); len(b) > room {
		r.over += int64(len(b) - room)
		b = b[:room]
	}
	r.put(sp, b, stream)
}

// put adds octets to the message.
func (r *httpMessage) put(sp *spanMap, b []byte, stream int64) {
	if len(b) == 0 {
		return
	}
	if len(r.segs) < maxSpans {
		r.segs, _ = sp.segments(r.segs, stream, stream+int64(len(b)), uint32(len(r.msg)))
	}
	r.msg = append(r.msg, b...)
}

// httpUnit ends the message that is open, at a stream offset, and hands it out or counts it.
func (d *Decoder) httpUnit(st *stream, r *httpMessage, end int64, truncated bool) {
	h := r.cur
	if h == nil {
		return
	}
	switch {
	case r.keep:
		if h.ContentEnd == 0 {
			h.ContentEnd = len(r.msg)
		}
		if r.over > 0 {
			d.limit(LimitHTTPContent)
			r.note("http-content-limit", record.Warning, "mcxdump", fmt.Sprintf("the content is longer than the limit; its last %d octets were left out", r.over), 0, 0)
		}
		last, time := st.spans.segments(nil, end-1, end, 0)
		u := d.newStreamUnit(st, st.transport, nil, nil, time, truncated || r.over > 0, nil)
		u.Data, u.Segments, u.Frames = slices.Clone(r.msg), slices.Clone(r.segs), frameNumbers(r.segs)
		for _, g := range last { // a frame that brought only the end of the chunks
			r.more = append(r.more, g.Frame)
		}
		if len(r.more) > 0 {
			u.Frames = append(u.Frames, r.more...)
			slices.Sort(u.Frames)
			u.Frames = slices.Compact(u.Frames)
		}
		u.Reassembled = len(u.Frames) > 1 || r.joined
		for i := range r.notes {
			r.notes[i].Frames = u.Frames
		}
		u.Findings = append(u.Findings, r.notes...)
		u.HTTP = h
		d.emit(u)
	case !r.setup:
		d.stats.HTTPOther++
		st.findings = nil
	}
	*r = httpMessage{msg: r.msg[:0], segs: r.segs[:0]}
	if cap(r.msg) > keepMessage || cap(r.segs) > keepMessage/16 {
		r.msg, r.segs = nil, nil
	}
}
