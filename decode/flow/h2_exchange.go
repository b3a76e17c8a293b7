package flow

import (
	"fmt"
	"slices"

	"github.com/mcxdump/mcxdump/decode/record"
)

// An h2Exchange is one stream of an HTTP/2 connection: a request and its response.
type h2Exchange struct {
	q      *httpRequest
	asked  bool // the request was seen
	pushed bool // the server opened it (RFC 9113 8.4)
	side   [2]struct {
		httpMessage
		begun, done bool // the message's field section was seen; it has ended
	}
}

// h2Exchange finds the exchange of a stream identifier and opens it when it is new.
func (d *Decoder) h2Exchange(st *stream, id uint32) *h2Exchange {
	h := st.conn.h2
	if x := h.streams[id]; x != nil {
		return x
	}
	if len(h.streams) >= maxH2Streams {
		for len(h.order) > 0 {
			old := h.order[0]
			h.order = h.order[1:]
			if x := h.streams[old]; x != nil {
				if x.side[0].cur != nil || x.side[1].cur != nil {
					d.limit(LimitH2Streams)
				}
				for k := range x.side {
					d.h2End(st, x, k, st.off, true)
				}
				delete(h.streams, old)
				break
			}
		}
	}
	x := &h2Exchange{q: &httpRequest{}}
	h.streams[id] = x
	if len(h.order) >= 2*maxH2Streams {
		h.order = slices.DeleteFunc(h.order, func(id uint32) bool { return h.streams[id] == nil })
	}
	h.order = append(h.order, id)
	return x
}

// h2End hands out the message of one side of an exchange, when one is open.
func (d *Decoder) h2End(st *stream, x *h2Exchange, k int, end int64, truncated bool) {
	m := &x.side[k]
	if m.cur == nil {
		return
	}
	st.conn.h2.open -= m.held()
	st.conn.h2.begun[k]--
	m.done = true
	if len(m.msg) == 0 && m.keep {
		m.keep = false
	}
	from := st
	if p := d.peer(st); k != side(st.h2.server) && p != nil {
		from, end = p, p.off // of the other direction
	}
	d.httpUnit(from, &m.httpMessage, end, truncated)
	m.httpMessage = httpMessage{}
}

// h2Close forgets an exchange when both sides have ended.
func (d *Decoder) h2Close(st *stream, id uint32, x *h2Exchange) {
	if x.side[1].done && (x.side[0].done || !x.asked) {
		delete(st.conn.h2.streams, id)
	}
}

// h2Content takes octets of the content of a DATA frame.
func (d *Decoder) h2Content(st *stream, b []byte, stream int64) {
	r := st.h2
	x := st.conn.h2.streams[r.stream]
	if r.stream == 0 || x == nil || !r.known {
		return
	}
	m := &x.side[side(r.server)]
	if m.cur == nil || !m.keep {
		return
	}
	was := m.held()
	m.take(&st.spans, b, stream)
	st.conn.h2.open += m.held() - was
}

// h2DataEnd is called after a DATA frame.
func (d *Decoder) h2DataEnd(st *stream, end int64) {
	r := st.h2
	x := st.conn.h2.streams[r.stream]
	if r.stream == 0 || x == nil || !r.known || !r.ends {
		return
	}
	r.ends = false
	k := side(r.server)
	d.h2End(st, x, k, end, false)
	x.side[k].done = true
	d.h2Close(st, r.stream, x)
}

// h2ResetStream takes RST_STREAM.
func (d *Decoder) h2ResetStream(st *stream, id, code uint32, end int64) {
	r, h := st.h2, st.conn.h2
	x := h.streams[id]
	if x == nil {
		return
	}
	text := fmt.Sprintf("%s reset the stream: %s", r.name(), h2Error(code))
	told := code == 0 && x.side[1].done // after the response, the rest of the request is not wanted (RFC 9113 8.1)
	for k := range x.side {
		if m := &x.side[k]; m.cur != nil {
			m.note("h2-reset", record.Warning, "RFC 9113 6.4", text, 0, 0)
			told = told || m.keep
			d.h2End(st, x, k, end, true)
		}
	}
	if !told && (x.q.mcx || d.cfg.AllHTTP || st.conn.mcx) {
		if x.q.method != "" {
			text += fmt.Sprintf(" (%s %q)", x.q.method, clipped([]byte(x.q.target)))
		}
		d.h2Tell(st, record.Finding{ID: "h2-reset", Severity: record.Warning, Clause: "RFC 9113 6.4", Message: fmt.Sprintf("stream %d: %s", id, text)})
	}
	delete(h.streams, id)
}
