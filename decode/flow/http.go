package flow

import (
	"bytes"

	"github.com/mcxdump/mcxdump/sipparse"
)

// HTTP is what the framing of one HTTP message found. It is immutable once it is handed out. Unit.Data is
//
//	header section | content | trailer section
//
// with the transfer coding of the content removed (chunks joined) and its content coding as it was sent. The sections of
// an HTTP/2 message are written out as HTTP/1.1 would have them, because HPACK leaves no octets to show.
type HTTP struct {
	Version   string // "1.0", "1.1", "2"
	Request   bool
	Method    string // of a request
	Target    string // of a request, as sent: origin, absolute, authority or asterisk form (RFC 9112 3.2)
	Scheme    string // HTTP/2: the pseudo-header field; else that of an absolute target
	Authority string // host and port: of the target, of :authority, or the Host field
	Status    int    // of a response; -1 when it is no number
	Reason    string // of a response in HTTP/1

	Header     []HTTPField // in wire order, without pseudo-header fields; trailer fields last
	HeaderEnd  int         // octets of the header section
	ContentEnd int         // Unit.Data[HeaderEnd:ContentEnd] is the content

	Conn     uint64 // number of the connection, in order of appearance, from 1
	Stream   uint32 // HTTP/2 stream identifier, 0 for HTTP/1
	Exchange uint64 // the same number for a request and its response, unique in a run; 0: no partner known

	// In a response, of its request; empty when that is not in the capture.
	RequestMethod, RequestTarget, RequestHost string
}

// An HTTPField is one field of a header or trailer section. Off and Len are the value in Unit.Data, folds included,
// which Value has as single spaces.
type HTTPField struct {
	Name, Value string
	Off, Len    uint32
	Trailer     bool
}

// Get returns the value of the first field of a name, which is given in lower case.
func (h *HTTP) Get(lower string) string {
	for i := range h.Header {
		if equalFold([]byte(h.Header[i].Name), lower) {
			return h.Header[i].Value
		}
	}
	return ""
}

// Limits of HTTP (docs/limits.md).
const (
	maxHTTPHead     = 64 << 10 // octets of a header or trailer section
	maxHTTPFields   = 1000     // fields of one message
	maxHTTPContent  = 16 << 20 // octets of content that are kept
	maxHTTPPending  = 256      // requests of a connection that wait for their responses
	maxHTTPHeld     = 64 << 10 // octets after a CONNECT or an upgrade that wait for the answer
	maxHTTPChunkExt = 4096     // octets of the line that begins a chunk
	maxHTTPLine     = 16 << 10 // octets of a start line
	maxHTTPNotes    = 16       // findings of one message
)

// An httpConn is what both directions of an HTTP connection share.
type httpConn struct {
	id      uint64
	sides   [2]*stream // those that have joined
	pending []*httpRequest
	early   []*httpRequest // stand for the requests of responses that were captured first
	unsure  bool           // octets are missing: requests and responses can only be told apart in turn
	mcx     bool           // an exchange of it had to do with MCX
	held    *httpRequest   // a CONNECT or an upgrade that is not answered
	goes    int            // what the connection goes on with
	h2      *h2Conn        // nil for HTTP/1
	h2Table int            // SETTINGS_HEADER_TABLE_SIZE for a side that has not begun
}

// httpRequest is what a response has to know of its request.
type httpRequest struct {
	method, target, host string
	exchange             uint64
	time                 int64 // packet time
	mcx                  bool
	upgrade              string // protocol that it asks for: "websocket", "h2c"
	sip                  bool   // websocket for SIP (RFC 7118 4)
}

func (q *httpRequest) size() int64 { return int64(len(q.method) + len(q.target) + len(q.host) + 128) }

// bytes is what a connection holds.
func (c *httpConn) bytes() (n int64) {
	for _, q := range c.pending {
		n += q.size()
	}
	if h := c.h2; h != nil {
		n += h.open + int64(len(h.streams))*512 + int64(len(h.order))*4
	}
	return n + 256 + int64(len(c.early))*128
}

// join gives a stream the connection that it shares with the other direction.
func (d *Decoder) join(st *stream) *httpConn {
	if st.conn != nil {
		return st.conn
	}
	c := (*httpConn)(nil)
	r := d.peer(st)
	if r == nil && st.outer == nil {
		r = d.streams.opposite(&st.key) // closed perhaps, but what it asked is known
	}
	if r != nil && r.conn != nil && (r.conn.sides[0] == nil || r.conn.sides[1] == nil) {
		c = r.conn
		if c.sides[0] == nil {
			c.sides[0] = st
		} else {
			c.sides[1] = st
		}
	} else {
		d.conns++
		c = &httpConn{id: d.conns}
		c.sides[0] = st
	}
	c.mcx = c.mcx || st.outer != nil // whoever has the keys wants to see it
	st.conn = c
	return c
}

// part takes a stream out of its connection.
func (st *stream) part() {
	c := st.conn
	if c == nil {
		return
	}
	st.conn = nil
	for i, s := range c.sides {
		if s == st {
			c.sides[i] = nil
		}
	}
}

// exchangeOf gives a request its number when the first message of the exchange is handed out.
func (d *Decoder) exchangeOf(q *httpRequest) uint64 {
	if q.exchange == 0 {
		d.exchanges++
		q.exchange = d.exchanges
	}
	return q.exchange
}

// sent remembers a request that waits for its response.
func (d *Decoder) sent(c *httpConn, q *httpRequest) {
	for len(c.early) > 0 { // the answer was captured first
		e := c.early[0]
		if c.early = c.early[1:]; len(c.early) == 0 {
			c.early = nil
		}
		if !c.unsure || e.time >= q.time {
			q.exchange = d.exchangeOf(e)
			return
		}
	}
	if len(c.pending) >= maxHTTPPending {
		d.limit(LimitHTTPPending)
		c.pending, c.unsure = nil, true
	}
	c.pending = append(c.pending, q)
}

// answered finds the request of a response that began at a time; nil when it is not in the capture.
func (d *Decoder) answered(st *stream, time int64, interim bool) *httpRequest {
	c := st.conn
	if c.unsure { // in turn: the last one that was sent before
		for len(c.pending) > 1 && c.pending[1].time <= time {
			c.pending[0] = nil
			c.pending = c.pending[1:]
		}
	}
	if len(c.pending) == 0 {
		r := d.peer(st)
		if r == nil || interim || len(c.early) >= maxHTTPPending || !r.syn && len(r.wait) == 0 {
			return nil
		}
		c.early = append(c.early, &httpRequest{time: time})
		return c.early[len(c.early)-1]
	}
	q := c.pending[0]
	if !interim {
		c.pending[0] = nil
		if c.pending = c.pending[1:]; len(c.pending) == 0 {
			c.pending, c.unsure = nil, false
		}
	}
	return q
}

// httpPrefix decides whether a stream begins with an HTTP/1 start line: "METHOD target HTTP/1.x" or "HTTP/1.x ddd".
func httpPrefix(b []byte) sipparse.Verdict {
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	if len(b) == 0 {
		return sipparse.More
	}
	if begins(b, httpVersion) {
		if len(b) < 12 {
			return sipparse.More
		}
		if httpStatusLine(b) {
			return sipparse.Yes
		}
		return sipparse.No
	}
	n := 0
	for n < len(b) && n <= maxHTTPMethod && httpMethodOctet(b[n]) {
		n++
	}
	switch {
	case n == len(b) && n <= maxHTTPMethod:
		return sipparse.More
	case n == 0 || n > maxHTTPMethod || b[n] != ' ':
		return sipparse.No
	}
	if !httpTargetStart(b[n+1:]) {
		return sipparse.No
	}
	for i, c := range b[n+1:] {
		if c == '\n' {
			if _, ok := httpRequestLine(b[:n+1+i]); ok {
				return sipparse.Yes
			}
			return sipparse.No
		}
		if c < ' ' && c != '\r' && c != '\t' || c == 0x7f || i > maxHTTPLine {
			return sipparse.No
		}
	}
	return sipparse.More
}

var httpVersion = []byte("HTTP/1.")

const maxHTTPMethod = 32

// httpMethodOctet reports whether c occurs in a method. Methods of every registry are upper case (RFC 9110 9.1) but for
// Microsoft's BITS_POST and the "-" of some (VERSION-CONTROL).
func httpMethodOctet(c byte) bool { return c >= 'A' && c <= 'Z' || c == '-' || c == '_' }

// httpKnown reports whether a method is one that HTTP's peers are likely to use (RFC 9110 9.3, RFC 5789, RFC 4918).
func httpKnown(m []byte) bool {
	switch string(m) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK":
		return true
	}
	return false
}

// httpTargetStart is a quick look at how a request target begins (RFC 9112 3.2): a path, a URI, an authority, "*".
func httpTargetStart(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	c := b[0]
	return c == '/' || c == '*' || c == '[' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// httpStatusLine looks at the first 12 octets of a status line.
func httpStatusLine(b []byte) bool {
	return len(b) >= 12 && string(b[:7]) == "HTTP/1." && digit(b[7]) && b[8] == ' ' && digit(b[9]) && digit(b[10]) && digit(b[11])
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// httpRequestLine splits a complete line "method SP target SP HTTP/1.x"; the version is given by its last octet.
func httpRequestLine(line []byte) (target []byte, ok bool) {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	i := len(line) - len("HTTP/1.1")
	if i < 4 || string(line[i:i+7]) != "HTTP/1." || !digit(line[i+7]) || line[i-1] != ' ' {
		return nil, false
	}
	n := 0
	for n < len(line) && httpMethodOctet(line[n]) {
		n++
	}
	if n == 0 || n > maxHTTPMethod || line[n] != ' ' || n+1 >= i-1 {
		return nil, false
	}
	return line[n+1 : i-1], true
}

// httpLooks reports whether a segment begins with an HTTP/1 start line or the head of one. It is asked of every segment
// of streams that were given up, so the first octets decide.
func httpLooks(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	if b[0] == 'H' && httpStatusLine(b) {
		return true
	}
	return httpMethodOctet(b[0]) && httpMethodOctet(b[1]) && httpMethodOctet(b[2]) && httpPrefix(b) == sipparse.Yes
}

// httpFind is the offset of the next start line in b at or after from, -1 when there is none. A body ends without a line
// end, so a start line may follow anything.
func httpFind(b []byte, from int) int {
	for from < len(b) {
		k := bytes.Index(b[from:], httpVersion)
		if k < 0 {
			return -1
		}
		k += from
		if httpStatusLine(b[k:]) {
			return k
		}
		// The end of a request line? Then its method is the last one before, in the same line.
		if k > 0 && b[k-1] == ' ' && k+8 < len(b) && (b[k+8] == '\n' || b[k+8] == '\r' && (k+9 == len(b) || b[k+9] == '\n')) {
			for i := k - 2; i >= from && i > k-maxHTTPLine && b[i] >= ' '; i-- {
				if b[i] != ' ' {
					continue
				}
				j := i
				for j > from && httpMethodOctet(b[j-1]) {
					j--
				}
				if httpKnown(b[j:i]) && httpTargetStart(b[i+1:]) {
					return j
				}
			}
		}
		from = k + len(httpVersion)
	}
	return -1
}

// httpLast is the offset of the last start line in b after its first octet, len(b) when there is none.
func httpLast(b []byte) int {
	last := len(b)
	for k := httpFind(b, 1); k >= 0; k = httpFind(b, k+1) {
		last = k
	}
	return last
}
