package flow

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// httpState says what an httpReader expects next.
type httpState uint8

const (
	httpStart     httpState = iota // a start line and the fields after it
	httpBody                       // content of a known length
	httpToClose                    // content that ends with the connection
	httpChunkLine                  // the line that begins a chunk
	httpChunkData
	httpChunkEnd // the line end after a chunk's octets
	httpTrailer
	httpHold // what comes next depends on the answer to CONNECT or an upgrade
	httpLost // out of step: a start line is looked for
)

// An httpReader frames one direction of an HTTP/1 connection (RFC 9112).
type httpReader struct {
	state httpState
	buf   []byte // octets that are not used up: a section or line that is not complete
	scan  int    // where the search for its end goes on
	line  bool   // with scan above 0: its start line is whole and is one
	left  int64  // octets of content or chunk to come
	guess bool   // whether there is content at all is not known: the request is missing and may be a HEAD

	httpMessage
	asks  bool // it sends requests
	moved bool // the stream is in the list of those that matter
	told  bool // the stream is out of step, and that was reported
}

func (r *httpReader) buffered() int64 {
	return int64(cap(r.buf)) + r.held()
}

// beHTTP makes the stream HTTP/1 from octet at of what was collected, b, on.
func (d *Decoder) beHTTP(st *stream, b []byte, at int) {
	d.stats.StreamsHTTP++
	st.state, st.http, st.probe = streamHTTP, &httpReader{}, nil
	if c := d.join(st); st.tries > 0 {
		c.unsure = true
	}
	if at > 0 {
		d.note(st, record.Finding{ID: "tcp-midstream", Severity: record.Note, Clause: "RFC 9112 6.3",
			Message: fmt.Sprintf("the capture began in the middle of the stream; %d octets before the first start line were skipped", at),
			Frames:  d.streamFrames(st)})
	}
	d.httpWrite(st, b[at:])
}

// passes lets n octets pass that lie inside content which is not kept.
func (r *httpReader) passes(n int) bool {
	if r.state != httpBody && r.state != httpChunkData || r.keep || r.guess || len(r.buf) > 0 || int64(n) >= r.left {
		return false
	}
	r.left -= int64(n)
	return true
}

// httpWrite takes the next octets of an HTTP/1 stream.
func (d *Decoder) httpWrite(st *stream, b []byte) {
	r := st.http
	in := b
	if len(r.buf) > 0 {
		r.buf = append(r.buf, b...)
		in = r.buf
	}
	n := d.httpTake(st, in)
	if st.gone() || st.http != r {
		return // another reader has the rest
	}
	if r.buf = append(r.buf[:0], in[n:]...); len(r.buf) == 0 && cap(r.buf) > maxProbe {
		r.buf = nil
	}
	st.spans.drop(st.off - int64(len(r.buf)))
}

// httpTake reads what it can of in, which ends where the stream stands, and returns how many octets were used up.
func (d *Decoder) httpTake(st *stream, in []byte) int {
	r := st.http
	base := st.off - int64(len(in))
	i := 0
	for {
		rest := in[i:]
		switch r.state {
		case httpStart:
			for len(rest) > 0 && r.scan == 0 && (rest[0] == '\r' || rest[0] == '\n') { // RFC 9112 2.2
				rest = rest[1:]
				i++
			}
			if len(rest) == 0 {
				return i
			}
			v := sipparse.Yes
			if r.scan == 0 || !r.line { // a long line is not looked at with each segment
				v = httpPrefix(rest)
				r.line = v == sipparse.Yes
			}
			n := -1
			if v != sipparse.No {
				n = sectionEnd(rest, &r.scan)
			}
			switch {
			case v == sipparse.No || n > 0 && httpPrefix(rest[:n]) != sipparse.Yes:
				if d.httpAstray(st, rest); st.http != r {
					return 0
				}
				i++ // or the same start line would be found again
				continue
			case n > maxHTTPHead || n < 0 && len(rest) > maxHTTPHead:
				d.limit(LimitHTTPHead)
				d.httpLose(st, "a header section is longer than the limit", "mcxdump")
				// Start lines in what was searched begin sections that do not end in it either, but for the last.
				n = httpLast(rest[:max(n, maxHTTPHead)])
				if d.httpJunk(st, n); st.gone() {
					return 0
				}
				i += n
				continue
			case n < 0:
				return i
			}
			r.scan = 0
			i += n
			d.httpHead(st, rest[:n], base+int64(i-n))
			if st.http != r || r.state == httpHold && d.httpGoes(st, in[i:]) {
				return 0
			}
		case httpBody:
			if r.guess && begins(rest, httpVersion) {
				if len(rest) < 12 {
					return i
				}
				if httpStatusLine(rest) { // it was the answer to a HEAD
					r.left = 0
				}
			}
			if r.left > 0 && len(rest) == 0 {
				return i
			}
			if len(rest) > 0 {
				r.guess = false
			}
			n := int(min(r.left, int64(len(rest))))
			r.take(&st.spans, rest[:n], base+int64(i))
			i += n
			if r.left -= int64(n); r.left == 0 {
				d.httpDone(st, base+int64(i), false)
			}
		case httpToClose:
			if r.guess && begins(rest, httpVersion) {
				if len(rest) < 12 {
					return i
				}
				if httpStatusLine(rest) {
					d.httpDone(st, base+int64(i), false)
					continue
				}
			}
			if len(rest) > 0 {
				r.guess = false
			}
			r.take(&st.spans, rest, base+int64(i))
			return len(in)
		case httpChunkLine:
			n := bytes.IndexByte(rest, '\n')
			if n < 0 && len(rest) <= maxHTTPChunkExt {
				return i
			}
			size, err := int64(0), "line of a chunk is longer than the limit"
			if n >= 0 && n <= maxHTTPChunkExt {
				size, err = r.chunkSize(rest[:n])
			}
			if err != "" {
				d.httpLose(st, err, "RFC 9112 7.1")
				continue
			}
			i += n + 1
			if r.left, r.state = size, httpChunkData; size == 0 {
				r.state = httpTrailer
			}
		case httpChunkData:
			n := int(min(r.left, int64(len(rest))))
			r.take(&st.spans, rest[:n], base+int64(i))
			i += n
			if r.left -= int64(n); r.left > 0 {
				return i
			}
			r.state = httpChunkEnd
		case httpChunkEnd:
			switch {
			case len(rest) == 0 || len(rest) == 1 && rest[0] == '\r':
				return i
			case rest[0] == '\n':
				r.note("http-bare-lf", record.Warning, "RFC 9112 7.1", "a chunk ends with a bare LF, which readers take differently", 0, 0)
				i++
			case rest[0] == '\r' && rest[1] == '\n':
				i += 2
			default:
				d.httpLose(st, "a chunk is longer than its size says", "RFC 9112 7.1")
				continue
			}
			r.state = httpChunkLine
		case httpTrailer:
			n := 0
			switch {
			case len(rest) == 0 || rest[0] == '\r' && len(rest) == 1:
				return i
			case r.scan == 0 && rest[0] == '\n':
				n = 1
			case r.scan == 0 && rest[0] == '\r' && rest[1] == '\n':
				n = 2
			default:
				if n = sectionEnd(rest, &r.scan); n < 0 && len(rest) <= maxHTTPHead {
					return i
				}
				if n < 0 || n > maxHTTPHead {
					d.limit(LimitHTTPHead)
					d.httpLose(st, "a trailer section is longer than the limit", "mcxdump")
					continue
				}
				r.trailer(&st.spans, rest[:n], base+int64(i))
			}
			r.scan = 0
			i += n
			d.httpDone(st, base+int64(i), false)
		case httpHold:
			if d.httpGoes(st, rest) {
				return 0
			}
			if r.state == httpHold {
				return i
			}
		case httpLost:
			at := httpFind(rest, 0)
			if at < 0 { // a start line may be cut in two: keep the line that has no end yet
				n := len(rest)
				if k := bytes.LastIndexByte(rest, '\n') + 1; n-k <= maxHTTPLine {
					n = k
				}
				if d.httpJunk(st, n); st.gone() {
					return 0
				}
				return i + n
			}
			if d.httpJunk(st, at); st.gone() {
				return 0
			}
			i += at
			r.state, r.scan, r.told, st.junk = httpStart, 0, false, 0
		}
	}
}

// sectionEnd finds the end of a header or trailer section: the octet after the first empty line. scan is where the
// search goes on when more octets have come.
func sectionEnd(b []byte, scan *int) int {
	for i := *scan; ; {
		k := bytes.IndexByte(b[i:], '\n')
		if k < 0 {
			*scan = max(len(b)-1, 0)
			if n := len(b); n >= 2 && b[n-1] == '\r' && b[n-2] == '\n' {
				*scan = n - 2
			}
			return -1
		}
		i += k
		switch {
		case i+1 < len(b) && b[i+1] == '\n':
			return i + 2
		case i+2 < len(b) && b[i+1] == '\r' && b[i+2] == '\n':
			return i + 3
		case i+1 >= len(b) || i+2 >= len(b) && b[i+1] == '\r':
			*scan = i
			return -1
		}
		i++
	}
}

// httpHead reads a header section that was at a stream offset, and decides what follows it (RFC 9112 6.3).
func (d *Decoder) httpHead(st *stream, b []byte, stream int64) {
	r, c := st.http, st.conn
	r.notes = nil
	h := r.head(b)
	h.Version, h.Conn, r.cur = "1."+h.Version, c.id, h
	time := st.spans.time(stream)
	var q *httpRequest
	if r.asks = h.Request; r.asks {
		q = &httpRequest{method: h.Method, target: h.Target, host: h.Authority, time: time}
		q.upgrade, q.sip = upgradeOf(h)
		q.mcx = httpMCX(h, nil)
		d.sent(c, q)
	} else {
		if q = d.answered(st, time, h.Status/100 == 1 && h.Status != 101); q != nil {
			h.RequestMethod, h.RequestTarget, h.RequestHost = q.method, q.target, q.host
		}
	}
	c.mcx = c.mcx || q != nil && q.mcx || !h.Request && httpMCX(h, q)
	r.keep = d.cfg.AllHTTP || c.mcx
	if _, sip := upgradeOf(h); sip && (h.Request || h.Status == 101) && !d.cfg.AllHTTP {
		r.keep, r.setup = false, true // the set-up of SIP over WebSocket is no message of its own
	}
	if r.keep {
		if q != nil {
			h.Exchange = d.exchangeOf(q)
		}
		r.put(&st.spans, b, stream)
		if !r.moved {
			r.moved = true
			d.streams.move(st, listSIP)
		}
	}
	r.left, r.guess = 0, false
	n, chunked, known := r.length(h)
	switch {
	case h.Request && (h.Method == "CONNECT" || q.upgrade != "" && n == 0 && !chunked):
		d.httpDone(st, stream+int64(len(b)), false)
		r.state, c.held, c.goes = httpHold, q, goesUndecided
	case !h.Request && h.Status == 101, !h.Request && h.Status/100 == 2 && h.RequestMethod == "CONNECT":
		d.httpDone(st, stream+int64(len(b)), false)
		r.state = httpHold
	case !h.Request && (h.Status/100 == 1 || h.Status == 204 || h.Status == 304 || h.RequestMethod == "HEAD"):
		if (n > 0 || chunked) && (h.Status/100 == 1 || h.Status == 204) {
			r.note("http-content-barred", record.Warning, "RFC 9110 8.6", fmt.Sprintf("a %d response announces content, which it cannot have", h.Status), 0, len(b))
		}
		d.httpDone(st, stream+int64(len(b)), false)
	case chunked:
		r.state, r.joined = httpChunkLine, true
	case known:
		r.left = n
		r.guess = !h.Request && q == nil
		if r.state = httpBody; n == 0 {
			d.httpDone(st, stream+int64(len(b)), false)
		}
	case h.Request:
		d.httpDone(st, stream+int64(len(b)), false)
	default:
		r.state = httpToClose
		r.guess = q == nil
	}
	if !h.Request && (h.Status/100 != 1 || h.Status == 101) {
		d.answer(st, q, h)
	}
}

// httpDone ends the message that is open, at a stream offset, and hands it out. The reader expects the next one.
func (d *Decoder) httpDone(st *stream, end int64, truncated bool) {
	r := st.http
	r.state = httpStart
	d.httpUnit(st, &r.httpMessage, end, truncated)
}

// httpAstray is called when octets begin no message where one should begin.
func (d *Decoder) httpAstray(st *stream, rest []byte) {
	if sipparse.StartPrefix(rest) == sipparse.Yes || wsFirst(rest) == sipparse.Yes {
		d.again(st, rest) // something else goes on here
		return
	}
	d.httpLose(st, "octets between two messages of the stream begin no HTTP message", "RFC 9112 2.1")
}

// httpLose gives up the framing; the reader looks for the next start line.
func (d *Decoder) httpLose(st *stream, why, clause string) {
	r := st.http
	if r.cur != nil {
		r.note("http-framing", record.Error, clause, why, 0, 0)
		d.httpDone(st, st.off, true)
	} else if st.conn.mcx && !r.told {
		d.h.Finding(record.Finding{ID: "stream-junk", Severity: record.Warning, Clause: clause, Message: why, Frames: d.streamFrames(st)}, d.streamContext(st))
	}
	r.state, r.scan, r.told = httpLost, 0, true
	st.conn.unsure = true
}

// httpJunk counts octets that belong to no message.
func (d *Decoder) httpJunk(st *stream, n int) {
	if st.conn.mcx {
		d.stats.Junk += uint64(n)
	}
	if st.junk += int64(n); st.junk > maxJunkRun {
		d.ignore(st)
	}
}

// again makes a stream undecided, with octets that were not used up; what follows may be another protocol.
func (d *Decoder) again(st *stream, rest []byte) {
	b := slices.Clone(rest)
	st.part()
	st.state, st.http, st.probe, st.tries = streamProbe, nil, b, 0
	st.findings = nil
	if len(b) > 0 {
		d.decide(st)
	}
}

// httpFlush hands out what is open at the end of the stream. closed says that the sender closed it.
func (d *Decoder) httpFlush(st *stream, closed bool) {
	r := st.http
	switch {
	case r.cur != nil:
		d.httpDone(st, st.off, !closed || r.state != httpToClose)
	case r.state == httpStart && len(r.buf) > 0 && r.scan > 0 && httpPrefix(r.buf) == sipparse.Yes:
		b := r.buf // a header section without its end
		d.httpHead(st, b, st.off-int64(len(b)))
		if st.http == r && r.cur != nil {
			d.httpDone(st, st.off, true)
		}
	}
}

// httpGap tells the reader that n octets are missing, 0 for an unknown number.
func (d *Decoder) httpGap(st *stream, n int64) {
	r := st.http
	switch {
	case n > 0 && n <= r.left && (r.state == httpBody || r.state == httpChunkData):
		// The framing survives. What comes after the hole is not handed out: it would be taken for the octets before.
		state := r.state
		d.httpDone(st, st.off, true)
		if r.left -= n; r.left > 0 || state == httpChunkData {
			r.state = state
		}
		return
	case r.state == httpToClose:
		d.httpDone(st, st.off, true)
		r.state = httpToClose
		return
	}
	d.httpFlush(st, false)
	if st.gone() || st.http != r {
		return
	}
	r.state, r.scan, r.buf, r.told = httpLost, 0, nil, true
	st.conn.unsure = true
}
