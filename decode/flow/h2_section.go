package flow

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// An h2Section is a header or trailer section that was decoded.
type h2Section struct {
	from, end int64 // stream offsets of its frames
	stream    uint32
	ends      bool // the message has no content, or ends with it
	push      bool

	pseudo  [6]string // as h2Pseudos
	seen    [6]bool
	fields  []hpackField
	size    int
	dropped int
	notes   []record.Finding
	late    bool
	partial bool // fields are not known
}

// The pseudo-header fields (RFC 9113 8.3, RFC 8441 4).
const (
	psMethod = iota
	psScheme
	psAuthority
	psPath
	psStatus
	psProtocol
)

var h2Pseudos = [...]string{":method", ":scheme", ":authority", ":path", ":status", ":protocol"}

func (x *h2Section) note(id string, sev record.Severity, clause, text string) {
	for i := range x.notes {
		if x.notes[i].ID == id && x.notes[i].Message == text {
			return
		}
	}
	if len(x.notes) < maxHTTPNotes {
		x.notes = append(x.notes, record.Finding{ID: id, Severity: sev, Clause: clause, Message: text})
	}
}

// add takes one field.
func (x *h2Section) add(f hpackField) {
	if f.unknown && f.name == "" && f.value == "" {
		return // counted by the decoder
	}
	if strings.HasPrefix(f.name, ":") {
		for i, name := range h2Pseudos {
			if f.name != name {
				continue
			}
			if x.seen[i] {
				x.note("h2-pseudo", record.Error, "RFC 9113 8.3", "pseudo-header field "+name+" occurs twice")
			}
			if len(x.fields) > 0 && !x.late {
				x.late = true
				x.note("h2-pseudo", record.Error, "RFC 9113 8.3", "a pseudo-header field stands after other fields")
			}
			x.pseudo[i], x.seen[i] = f.value, true
			x.size += len(f.value)
			return
		}
	}
	// An index of one octet may stand for the longest of fields: what is beyond the limit is not looked at.
	if x.size += len(f.name) + len(f.value) + 4; x.size > maxHTTPHead || len(x.fields) >= maxHTTPFields {
		x.dropped++
		return
	}
	if strings.HasPrefix(f.name, ":") {
		x.note("h2-pseudo", record.Error, "RFC 9113 8.3", fmt.Sprintf("unknown pseudo-header field %q", clipped([]byte(f.name))))
	} else if upper(f.name) || !isFieldName(f.name) && !f.unknown {
		x.note("http-field-name", record.Warning, "RFC 9113 8.2.1", fmt.Sprintf("field name %q", clipped([]byte(f.name))))
	}
	if strings.ContainsAny(f.value, "\r\n\x00") {
		x.note("http-field-value", record.Error, "RFC 9113 8.2.1", "a field's value has a CR, LF or NUL inside")
	}
	switch f.name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		x.note("h2-connection-field", record.Warning, "RFC 9113 8.2.2", "field "+f.name+" has no place in HTTP/2")
	}
	x.fields = append(x.fields, f)
}

// h2Section takes a section in its place: it begins a message, is an interim response, or is the trailer section.
func (d *Decoder) h2Section(st *stream, x *h2Section) {
	r, c := st.h2, st.conn
	if !r.known && (x.seen[psMethod] || x.seen[psPath] || x.seen[psStatus]) {
		server := x.seen[psStatus] != x.push // a promise comes from the server and looks like a request
		if d.h2Is(c, r, server); true {
			if p := d.peer(st); p != nil && p.h2 != nil && !p.h2.known {
				d.h2Is(c, p.h2, !server)
			}
		}
	}
	if !r.known {
		return
	}
	e := d.h2Exchange(st, x.stream)
	if x.push {
		d.stats.H2Pushes++
		e.pushed = true
		e.q.method, e.q.target, e.q.host = x.pseudo[psMethod], x.pseudo[psPath], x.pseudo[psAuthority]
		e.side[0].done, e.asked = true, true
		return
	}
	k := side(r.server)
	m := &e.side[k]
	if m.begun && m.cur != nil {
		d.h2Trailer(st, x, e, k)
		return
	}
	if m.done {
		return // of a stream that has ended
	}
	h := x.message(!r.server)
	h.Conn, h.Stream = c.id, x.stream
	if h.Request {
		e.asked = true
		e.q.method, e.q.target, e.q.host = strings.Clone(h.Method), strings.Clone(h.Target), strings.Clone(h.Authority)
		e.q.mcx = httpMCX(h, nil)
	} else {
		h.RequestMethod, h.RequestTarget, h.RequestHost = e.q.method, e.q.target, e.q.host
	}
	c.mcx = c.mcx || e.q.mcx || !h.Request && httpMCX(h, e.q)
	if m.cur == nil {
		c.h2.begun[k]++
	}
	m.cur, m.begun, m.joined = h, h.Request || h.Status/100 != 1, true
	m.keep = (d.cfg.AllHTTP || c.mcx) && !e.pushed
	m.setup = e.pushed // counted as such
	if m.keep {
		if e.asked {
			h.Exchange = d.exchangeOf(e.q)
		}
		m.notes = append(m.notes, x.notes...)
		m.msg = x.write(h, m.msg[:0])
		h.HeaderEnd = len(m.msg)
		segs, _ := st.spans.segments(nil, x.from, x.end, 0)
		for i, g := range segs {
			if g.Off = 0; i == 0 {
				m.segs = append(m.segs[:0], g)
			} else {
				m.more = append(m.more, g.Frame)
			}
		}
		c.h2.open += m.held()
		if r.mid {
			r.mid = false
			m.note("tcp-midstream", record.Note, "RFC 9113 3.4", "the capture began in the middle of the connection, or octets of it are missing", 0, 0)
		}
		d.streams.move(st, listSIP)
	}
	if x.ends || !m.begun {
		d.h2End(st, e, k, x.end, false)
		m.done = m.begun
		if x.ends {
			m.done = true
		}
		d.h2Close(st, x.stream, e)
	}
}

// h2Trailer takes a trailer section.
func (d *Decoder) h2Trailer(st *stream, x *h2Section, e *h2Exchange, k int) {
	m := &e.side[k]
	if m.keep {
		was := m.held()
		h := m.cur
		h.ContentEnd = len(m.msg)
		for i := range x.fields {
			m.msg = appendField(h, m.msg, &x.fields[i], true)
		}
		m.msg = append(m.msg, "\r\n"...)
		segs, _ := st.spans.segments(nil, x.from, x.end, uint32(h.ContentEnd))
		if len(segs) > 0 && len(m.segs) < maxSpans {
			m.segs = append(m.segs, segs[0])
		}
		for _, g := range segs {
			m.more = append(m.more, g.Frame)
		}
		for i := range x.seen {
			if x.seen[i] {
				x.note("h2-pseudo", record.Error, "RFC 9113 8.1", "a pseudo-header field stands in a trailer section")
			}
		}
		if !x.ends {
			x.note("h2-trailer", record.Error, "RFC 9113 8.1", "the stream goes on after a trailer section")
		}
		m.notes = append(m.notes, x.notes...)
		st.conn.h2.open += m.held() - was
	}
	d.h2End(st, e, k, x.end, false)
	d.h2Close(st, x.stream, e)
}

// message is the section as an HTTP message.
func (x *h2Section) message(request bool) *HTTP {
	h := &HTTP{Version: "2", Request: request, Status: -1}
	if request {
		h.Method, h.Target, h.Scheme, h.Authority = x.pseudo[psMethod], x.pseudo[psPath], x.pseudo[psScheme], x.pseudo[psAuthority]
		if h.Method == "CONNECT" && h.Target == "" {
			h.Target = h.Authority
		}
		if !x.partial && (!x.seen[psMethod] || h.Method != "CONNECT" && (!x.seen[psPath] || !x.seen[psScheme])) {
			x.note("h2-pseudo", record.Error, "RFC 9113 8.3.1", "a request without its method, scheme or path")
		}
		if x.seen[psStatus] {
			x.note("h2-pseudo", record.Error, "RFC 9113 8.3.1", "a request with :status")
		}
	} else {
		if n, err := strconv.ParseUint(x.pseudo[psStatus], 10, 16); err == nil && len(x.pseudo[psStatus]) == 3 {
			h.Status = int(n)
		} else if !x.partial {
			x.note("h2-pseudo", record.Error, "RFC 9113 8.3.2", "a response without its status")
		}
		if x.seen[psMethod] || x.seen[psPath] {
			x.note("h2-pseudo", record.Error, "RFC 9113 8.3.2", "a response with pseudo-header fields of a request")
		}
	}
	for i := range x.fields {
		f := &x.fields[i]
		if h.Authority == "" && request && f.name == "host" {
			h.Authority = f.value
		}
		h.Header = append(h.Header, HTTPField{Name: f.name, Value: f.value})
	}
	return h
}

// write writes the section out as HTTP/1.1 would have it and gives the fields their places.
func (x *h2Section) write(h *HTTP, b []byte) []byte {
	if h.Request {
		b = append(b, h2Line(h.Method)...)
		b = append(b, ' ')
		b = append(b, h2Line(h.Target)...)
		b = append(b, " HTTP/2\r\n"...)
		if x.seen[psAuthority] {
			b = append(b, "host: "...)
			b = append(b, h2Line(x.pseudo[psAuthority])...)
			b = append(b, "\r\n"...)
		}
	} else {
		b = append(b, "HTTP/2 "...)
		b = append(b, h2Line(x.pseudo[psStatus])...)
		b = append(b, " \r\n"...)
	}
	h.Header = h.Header[:0]
	for i := range x.fields {
		b = appendField(h, b, &x.fields[i], false)
	}
	return append(b, "\r\n"...)
}

// appendField writes a field line.
func appendField(h *HTTP, b []byte, f *hpackField, trailer bool) []byte {
	name := f.name
	if f.unknown && name == "" {
		name = "unknown"
	}
	b = append(b, h2Line(name)...)
	b = append(b, ": "...)
	off := len(b)
	b = append(b, h2Line(f.value)...)
	h.Header = append(h.Header, HTTPField{Name: name, Value: f.value, Off: uint32(off), Len: uint32(len(b) - off), Trailer: trailer})
	return append(b, "\r\n"...)
}

// h2Lose gives up the framing; the reader looks for a segment that begins with plausible frames.
func (d *Decoder) h2Lose(st *stream, why, clause string) {
	d.h2Tell(st, record.Finding{ID: "h2-framing", Severity: record.Error, Clause: clause, Message: why + "; frames are looked for again"})
	d.h2Cut(st)
}

// h2Cut hands out what is open in one direction, of which octets are missing.
func (d *Decoder) h2Cut(st *stream) {
	r, h := st.h2, st.conn.h2
	if r.known {
		k := side(r.server)
		for _, id := range h.order {
			if h.begun[k] == 0 {
				break
			}
			if x := h.streams[id]; x != nil && x.side[k].cur != nil {
				d.h2End(st, x, k, st.off, true)
				d.h2Close(st, id, x)
			}
		}
	}
	buf := r.buf
	*r = h2Reader{server: r.server, known: r.known, lost: true, mid: true, buf: buf, hpack: r.hpack, block: r.block[:0]}
	r.hpack.reset(true)
}

// h2Gap tells the reader that n octets are missing, 0 for an unknown number.
func (d *Decoder) h2Gap(st *stream, n int64) {
	r := st.h2
	if n > 0 && n <= r.left && r.known { // inside the content of one message
		if x := st.conn.h2.streams[r.stream]; x != nil && r.stream != 0 {
			d.h2End(st, x, side(r.server), st.off, true)
		}
		r.buf = nil
		r.left -= n
		if r.left == 0 && r.pad == 0 {
			d.h2DataEnd(st, st.off)
		}
		return
	}
	r.buf = nil
	d.h2Cut(st)
}

// h2Flush hands out what is open at the end of the stream.
func (d *Decoder) h2Flush(st *stream) { d.h2Cut(st) }
