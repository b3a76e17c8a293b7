package flow

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// head reads a header section whose first line is a start line; what is wrong in it becomes notes.
func (r *httpMessage) head(b []byte) *HTTP {
	h := &HTTP{HeaderEnd: len(b), Status: -1}
	s := string(b) // one copy that all values share
	end := strings.IndexByte(s, '\n')
	cut := end < 0 // the capture ends in it
	if cut {
		end = len(s)
	}
	line, next := s[:end], min(end+1, len(s))
	if k := len(line); k > 0 && line[k-1] == '\r' {
		line = line[:k-1]
	} else if !cut {
		r.note("http-bare-lf", record.Note, "RFC 9112 2.2", "lines end with a bare LF", end, 1)
	}
	if strings.HasPrefix(line, "HTTP/1.") && httpStatusLine([]byte(line)) {
		h.Version, h.Status = line[7:8], int(line[9]-'0')*100+int(line[10]-'0')*10+int(line[11]-'0')
		if len(line) > 13 {
			h.Reason = line[13:]
		}
		if h.Status < 100 || h.Status > 599 || len(line) > 12 && line[12] != ' ' {
			r.note("http-status", record.Warning, "RFC 9110 15", fmt.Sprintf("status line %q", clipped([]byte(line))), 0, len(line))
		}
	} else {
		h.Request = true
		sp, last := strings.IndexByte(line, ' '), strings.LastIndexByte(line, ' ')
		h.Method, h.Target, h.Version = line[:sp], line[sp+1:last], line[len(line)-1:]
		if strings.IndexByte(h.Target, ' ') >= 0 || strings.IndexByte(h.Target, '\t') >= 0 {
			r.note("http-target", record.Error, "RFC 9112 3", "the request target holds white space", sp+1, last-sp-1)
		}
	}
	r.fields(h, s, next, 0, false)
	hosts := 0
	for i := range h.Header {
		if f := &h.Header[i]; equalFold([]byte(f.Name), "host") {
			if hosts++; hosts == 1 {
				h.Authority = f.Value
			} else {
				r.note("http-host", record.Error, "RFC 9112 3.2", "more than one Host field", int(f.Off), int(f.Len))
			}
		}
	}
	if h.Request {
		if hosts == 0 && h.Version == "1" && strings.HasSuffix(s, "\n") {
			r.note("http-host", record.Error, "RFC 9112 3.2", "no Host field in a request of HTTP/1.1", 0, len(line))
		}
		if h.Method == "CONNECT" {
			h.Authority = h.Target
		} else if scheme, rest, ok := strings.Cut(h.Target, "://"); ok && !strings.ContainsAny(scheme, "/?") {
			h.Scheme = strings.ToLower(scheme)
			if k := strings.IndexAny(rest, "/?#"); k >= 0 {
				rest = rest[:k]
			}
			h.Authority = rest // it goes before the Host field (RFC 9112 3.2.2)
		}
	} else {
		h.Authority = ""
	}
	return h
}

// fields reads field lines (RFC 9112 5) of s from octet i on; at is where s begins in the message.
func (r *httpMessage) fields(h *HTTP, s string, i, at int, trailer bool) {
	var folds []string // of the last field, its first line before them
	unfold := func() {
		if len(folds) > 0 {
			h.Header[len(h.Header)-1].Value = strings.Join(folds, " ")
			folds = folds[:0]
		}
	}
	defer unfold()
	for i < len(s) {
		end := strings.IndexByte(s[i:], '\n')
		if end < 0 {
			if end = len(s) - i; strings.IndexByte(s[i:], ':') < 0 {
				return // cut off
			}
		}
		line, from := s[i:i+end], i
		i += end + 1
		if k := len(line); k > 0 && line[k-1] == '\r' {
			line = line[:k-1]
		} else if i <= len(s) {
			r.note("http-bare-lf", record.Note, "RFC 9112 2.2", "lines end with a bare LF", at+from+end, 1)
		}
		if line == "" {
			continue
		}
		if len(h.Header) >= maxHTTPFields {
			r.note("http-fields", record.Warning, "mcxdump", "more fields than the limit; the rest was left out", at+from, len(s)-from)
			return
		}
		if line[0] == ' ' || line[0] == '\t' {
			n := len(h.Header) - 1
			if n < 0 || h.Header[n].Trailer != trailer {
				r.note("http-field", record.Error, "RFC 9112 2.2", "white space stands before the first field", at+from, len(line))
				continue
			}
			r.note("http-fold", record.Warning, "RFC 9112 5.2", "a field is folded over lines", at+from, len(line))
			f := &h.Header[n]
			if len(folds) == 0 && f.Value != "" {
				folds = append(folds, f.Value)
			}
			if t := strings.Trim(line, " \t"); t != "" {
				folds = append(folds, t)
			}
			f.Len = uint32(at+from+len(strings.TrimRight(line, " \t"))) - f.Off
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			r.note("http-field", record.Error, "RFC 9112 5", "a line of the header section is no field", at+from, len(line))
			continue
		}
		if bare := strings.TrimRight(name, " \t"); len(bare) < len(name) {
			r.note("http-field-space", record.Warning, "RFC 9112 5.1", "white space stands between a field's name and its colon, which readers take differently", at+from, len(name))
			name = bare
		}
		if !isFieldName(name) {
			r.note("http-field-name", record.Warning, "RFC 9110 5.1", fmt.Sprintf("field name %q", clipped([]byte(name))), at+from, max(len(name), 1))
		}
		off := from + len(line) - len(value)
		v := strings.TrimLeft(value, " \t")
		off += len(value) - len(v)
		v = strings.TrimRight(v, " \t")
		if strings.ContainsAny(v, "\r\x00") {
			r.note("http-field-value", record.Warning, "RFC 9110 5.5", "a field's value has a CR or NUL inside, which readers take differently", at+off, len(v))
		}
		unfold()
		h.Header = append(h.Header, HTTPField{Name: name, Value: v, Off: uint32(at + off), Len: uint32(len(v)), Trailer: trailer})
	}
}

// trailer reads a trailer section that was at a stream offset; it follows the content.
func (r *httpMessage) trailer(sp *spanMap, b []byte, stream int64) {
	h := r.cur
	if h == nil || !r.keep {
		return
	}
	h.ContentEnd = len(r.msg)
	r.put(sp, b, stream)
	r.fields(h, string(b), 0, h.ContentEnd, true)
}

// isFieldName reports whether a string is a token (RFC 9110 5.6.2).
func isFieldName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return s != ""
}

// upgradeOf is the protocol that a message asks to go on with (RFC 9110 7.8), and whether it is WebSocket for SIP.
func upgradeOf(h *HTTP) (proto string, sip bool) {
	for i := range h.Header {
		f := &h.Header[i]
		switch {
		case equalFold([]byte(f.Name), "upgrade"):
			if hasToken([]byte(f.Value), "websocket") {
				proto = "websocket"
			} else if hasToken([]byte(f.Value), "h2c") {
				proto = "h2c"
			} else if proto == "" {
				proto = "other"
			}
		case equalFold([]byte(f.Name), "sec-websocket-protocol"):
			sip = sip || hasToken([]byte(f.Value), "sip")
		}
	}
	return proto, sip && proto == "websocket"
}

// What a connection goes on with after an upgrade or a CONNECT.
const (
	goesUndecided = iota
	goesHTTP
	goesSIP
	goesH2
	goesTunnel
	goesElsewhere
)

// answer tells the side that waits what became of its request.
func (d *Decoder) answer(st *stream, q *httpRequest, h *HTTP) {
	c := st.conn
	goes := goesHTTP
	proto, sip := upgradeOf(h)
	switch {
	case h.Status == 101 && (sip || q != nil && q.sip):
		goes = goesSIP
	case h.Status == 101 && proto == "h2c":
		goes = goesH2
	case h.Status == 101:
		goes = goesElsewhere
	case h.Status/100 == 2 && h.RequestMethod == "CONNECT":
		goes = goesTunnel
	}
	if goes == goesH2 && q != nil && c.held == nil {
		c.held = q
	}
	if goes == goesHTTP && (q == nil || q != c.held) {
		return
	}
	c.goes = goes
	p := d.peer(st)
	if p == nil || p.streamData == nil {
		return
	}
	switch {
	case p.state == streamHTTP && p.http.state == httpHold:
		d.httpWrite(p, nil)
	case p.state == streamWS && goes == goesHTTP: // refused
		b := bytes.Clone(p.ws.buf)
		c.goes, c.held = goesUndecided, nil
		p.ws = nil
		d.again(p, b)
	}
	if !p.gone() {
		d.account(p)
	}
}

// httpGoes lets a side that waits go on, when it is known with what; rest are the octets that it has. It reports whether
// another reader has taken them.
func (d *Decoder) httpGoes(st *stream, rest []byte) bool {
	r, c := st.http, st.conn
	goes := c.goes
	if goes == goesUndecided && c.held != nil {
		switch q := c.held; {
		case q.sip:
			d.beWS(st, rest) // the answer may not be in the capture, and is nearly always yes
			return true
		case len(rest) > 0 && q.method != "CONNECT" && httpLooks(rest):
			goes = goesHTTP // nobody changed the protocol
		case len(rest) > maxHTTPHeld:
			d.limit(LimitHTTPHeld)
			if goes = goesElsewhere; q.method == "CONNECT" {
				goes = goesTunnel
			}
		}
	}
	switch goes {
	case goesHTTP:
		c.goes, c.held, r.state = goesUndecided, nil, httpStart
	case goesSIP:
		d.beWS(st, rest)
		return true
	case goesH2:
		if q := c.held; q != nil && c.h2 == nil { // it is answered on stream 1 (RFC 7540 3.2)
			c.h2 = &h2Conn{streams: map[uint32]*h2Exchange{1: {q: q, asked: true}}, order: []uint32{1}}
			c.h2.streams[1].side[0].done = true
		}
		d.h2Side(st, r.asks)
		d.h2Write(st, bytes.Clone(rest))
		return true
	case goesTunnel:
		d.again(st, rest)
		return true
	case goesElsewhere:
		d.ignore(st)
		return true
	}
	return false
}
