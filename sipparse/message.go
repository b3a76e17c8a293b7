package sipparse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Span is a range of octets of the buffer that was parsed.
type Span struct{ Off, Len uint32 }

// In gives the octets of the span in b, which must be the buffer that was parsed; what lies outside b is left away.
func (s Span) In(b []byte) []byte {
	lo := min(uint64(s.Off), uint64(len(b)))
	hi := min(uint64(s.Off)+uint64(s.Len), uint64(len(b)))
	return b[lo:hi:hi]
}

// End is the offset after the last octet.
func (s Span) End() int { return int(s.Off) + int(s.Len) }

// Empty tells whether the span has no octets.
func (s Span) Empty() bool { return s.Len == 0 }

func span(from, to int) Span { return Span{uint32(from), uint32(to - from)} }

// Header is one header field as it was on the wire. Value has no white space at its ends; folds are still inside.
type Header struct {
	ID      HeaderID
	Compact bool // the compact form of the name was used
	Folded  bool // the value goes over several lines
	Name    Span
	Value   Span
}

// Message is one SIP message. All spans are octets of Raw.
type Message struct {
	Raw        []byte
	Request    bool
	Method     Span // request
	RequestURI Span // request; without angle brackets when it wrongly had them
	Version    Span // "SIP/2.0"
	Reason     Span // response
	StatusSpan Span // response
	Status     int  // response; -1 when the digits do not fit in 31 bits
	StartLine  Span // without its line end
	Headers    []Header
	HeaderEnd  int    // offset of the first body octet
	Body       Span   // by Content-Length, or the rest
	Extra      Span   // octets of Raw after the body
	Diags      []Diag // every defect, in the order found

	// ContentLength is the value of the header field, -1 when there is none or none that can be used.
	ContentLength int64

	first [hdrCount]uint16 // index+1 of the first of each known header field
	state
}

// state is what Parse has to remember.
type state struct {
	maxDiags int
	clCount  int  // Content-Length header fields
	clBad    bool // one of them cannot be read
	clOther  bool // two of them differ
	dropped  bool // a diagnostic was dropped
	bareLF   bool // was noted
	nonASCII bool // was noted
	datagram bool
	part     bool // the header of a MIME part: no checks of SIP header fields
	trail    trail
}

// Options are the options of Parse. The zero value is for a message of a stream.
type Options struct {
	Datagram bool // without Content-Length the body is the rest (RFC 3261 18.3)
	Limits   Limits
	Memory   *Memory // of earlier messages, which makes it faster; nil: none
}

// ErrNoStartLine is the only error of Parse.
var ErrNoStartLine = errors.New("sipparse: no SIP start line (RFC 3261 7.1, 7.2)")

// maxRaw is the longest buffer that spans can point into.
const maxRaw = math.MaxInt32

// Parse reads raw as one message. It re-uses m and keeps raw, which must not change while m is in use. Only octets that
// do not begin with a start line (after empty lines) are an error; every other defect is in m.Diags.
func (m *Message) Parse(raw []byte, o Options) error {
	if len(raw) > maxRaw {
		raw = raw[:maxRaw]
	}
	lim := o.Limits.withDefaults()
	m.reset(raw, o.Datagram, lim)
	var known *formSet
	if o.Memory != nil && len(raw) >= 12 {
		known = o.Memory.set(raw)
		m.expect(known)
	}
	pos, err := m.start(known)
	if err != nil {
		m.trail = trail{}
		return err
	}
	pos, ended := m.parseHeaders(pos, lim.Headers)
	if !ended {
		m.diag(DiagMissingEmptyLine, HdrOther, pos, 0, "")
	}
	if known != nil {
		known.learn(m)
	}
	m.trail = trail{}
	m.HeaderEnd = pos
	m.body()
	m.mandatory()
	return nil
}

// start reads the start line and gives the offset of the line after it.
func (m *Message) start(known *formSet) (int, error) {
	if known != nil {
		if pos := m.recall(&known.begin); pos > 0 {
			return pos, nil
		}
	}
	raw := m.Raw
	pos := 0
	for pos < len(raw) && (raw[pos] == '\r' || raw[pos] == '\n') {
		pos++
	}
	if pos == len(raw) || !startOctet[raw[pos]] {
		return 0, ErrNoStartLine
	}
	p := prefix(raw[pos:])
	if p.v == No {
		return 0, ErrNoStartLine
	}
	line, complete := firstLine(raw[pos:])
	s := parseStart(line, complete, p, false)
	if !s.ok {
		return 0, ErrNoStartLine
	}
	if pos > 0 {
		m.diag(DiagLeadingCRLF, HdrOther, 0, pos, "")
	}
	m.startLine(line, pos, complete, s)
	pos += len(line)
	if complete {
		pos++
	}
	if known != nil {
		known.begin.learn(m, pos)
	}
	return pos, nil
}

func (m *Message) reset(raw []byte, datagram bool, lim Limits) {
	m.Raw = raw
	m.Method, m.RequestURI, m.Version, m.Reason, m.StatusSpan, m.StartLine, m.Body, m.Extra = Span{}, Span{}, Span{}, Span{}, Span{}, Span{}, Span{}, Span{}
	m.Request, m.Status, m.HeaderEnd, m.ContentLength = false, 0, 0, -1
	m.Headers, m.Diags = m.Headers[:0], m.Diags[:0]
	clear(m.first[:])
	m.state = state{maxDiags: lim.Diags, datagram: datagram}
}

func (m *Message) diag(id DiagID, h HeaderID, off, n int, detail string) {
	if len(m.Diags) >= m.maxDiags {
		if !m.dropped {
			m.dropped = true
			m.Diags = append(m.Diags, Diag{ID: DiagTooManyDiags, Off: uint32(off)})
		}
		return
	}
	m.Diags = append(m.Diags, Diag{ID: id, Header: h, Off: uint32(off), Len: uint32(n), Detail: detail})
}

func (m *Message) startLine(line []byte, at int, complete bool, s startLine) {
	m.StartLine = span(at, at+s.end)
	m.Request = s.request
	if complete && (len(line) == 0 || line[len(line)-1] != '\r') {
		m.lineLF(at + len(line))
	}
	if !complete {
		m.diag(DiagStartLineCut, HdrOther, at+len(line), 0, "")
	}
	if !plain(line[:s.end]) {
		m.oddOctets(HdrOther, at, at+s.end)
	}
	if s.spaces {
		m.diag(DiagStartLineSpace, HdrOther, at, s.end, "")
	}
	if s.request {
		m.Method = span(at, at+s.method)
		u0, u1 := s.uri0, s.uri1
		if line[u0] == '<' {
			m.diag(DiagRequestURIAngle, HdrOther, at+u0, u1-u0, "")
			u0++
			if u1 > u0 && line[u1-1] == '>' {
				u1--
			}
		}
		m.RequestURI = span(at+u0, at+u1)
		m.Version = span(at+s.ver0, at+s.ver1)
		if s.trailingWS {
			m.diag(DiagStartLineTrailingSpace, HdrOther, at+s.end, len(line)-s.end, "")
		}
		uri := line[u0:u1]
		if cleanSIPURI(uri, 0) == len(uri) {
		} else if i := bytes.IndexAny(uri, " \t"); i >= 0 {
			m.diag(DiagRequestURISpace, HdrOther, at+u0+i, 1, "")
		} else if u, err := parseURI(uri); err.ID != DiagNone {
			m.diag(DiagRequestURIBad, HdrOther, at+u0+err.Off, 0, err.ID.String())
		} else if u.Headers.Len > 0 {
			m.diag(DiagRequestURIHeaders, HdrOther, at+u0+int(u.Headers.Off), int(u.Headers.Len), "")
		}
		switch {
		case s.noVersion:
			m.diag(DiagVersionMissing, HdrOther, at+s.end, 0, "")
			m.Version = Span{uint32(at + s.end), 0}
			return
		case s.cut:
			m.Version = Span{uint32(at + s.end), 0}
			return
		}
	} else {
		m.Version = span(at, at+s.ver1)
		m.StatusSpan = span(at+s.code0, at+s.code1)
		m.Reason = span(at+s.reason0, at+max(s.end, s.reason0))
		code := line[s.code0:s.code1]
		v, over, _ := number(code)
		if over || v > math.MaxInt32 {
			m.Status = -1
		} else {
			m.Status = int(v)
		}
		if len(code) != 3 || v < 100 || v > 699 {
			m.diag(DiagStatusRange, HdrOther, at+s.code0, len(code), string(code[:min(len(code), 24)]))
		}
		if s.code1 >= len(line) || line[s.code1] != ' ' && line[s.code1] != '\t' {
			m.diag(DiagReasonMissing, HdrOther, at+s.code1, 0, "")
		}
	}
	if v := m.Version.In(m.Raw); string(v) != "SIP/2.0" {
		if !equalFold(v, "sip/2.0") {
			m.diag(DiagVersionUnsupported, HdrOther, int(m.Version.Off), len(v), string(v[:min(len(v), 24)]))
		} else {
			m.diag(DiagVersionCase, HdrOther, int(m.Version.Off), len(v), "")
		}
	}
}

// lineLF notes the first line that ends in LF alone; a message that has one mostly has only such.
func (m *Message) lineLF(at int) {
	if !m.bareLF {
		m.bareLF = true
		m.diag(DiagBareLF, HdrOther, at, 1, "")
	}
}

// oddOctets says what is not printable ASCII in Raw[from:to], a line without its end. HTAB is fine.
func (m *Message) oddOctets(h HeaderID, from, to int) {
	b := m.Raw[from:to]
	var seen [4]bool
	note := func(k int, id DiagID, i int) {
		if !seen[k] {
			seen[k] = true
			m.diag(id, h, from+i, 1, "")
		}
	}
	for i, c := range b {
		switch {
		case c == '\t' || c-0x20 <= 0x5e:
		case c == 0:
			note(0, DiagNUL, i)
		case c == '\r':
			note(1, DiagBareCR, i)
		case c < 0x20 || c == 0x7f:
			note(2, DiagControl, i)
		case !seen[3]:
			seen[3] = true
			if !utf8.Valid(b) {
				m.diag(DiagInvalidUTF8, h, from+i, 1, "")
			} else if !m.nonASCII {
				m.nonASCII = true
				m.diag(DiagNonASCII, h, from+i, 1, "")
			}
		}
	}
}

// parseHeaders reads header fields from pos on. It gives the offset of the first body octet, and whether the empty line
// was there.
func (m *Message) parseHeaders(pos, limit int) (int, bool) {
	raw := m.Raw
	full := false
	for ; pos < len(raw); m.trail.line++ {
		if m.trail.form != nil {
			pos = m.follow(pos, limit)
		}
		c := raw[pos]
		if c == '\n' {
			m.lineLF(pos)
			return pos + 1, true
		}
		if c == '\r' && pos+1 < len(raw) && raw[pos+1] == '\n' {
			return pos + 2, true
		}
		if n := len(m.Headers); n < limit && n < cap(m.Headers) {
			h := &m.Headers[:n+1][n]
			if next := quickHeader(raw, pos, h); next > 0 {
				m.Headers = m.Headers[:n+1]
				m.header(h, pos, next-2)
				pos = next
				continue
			}
		}
		// One header field: a line and its continuation lines.
		start, folded := pos, false
		var end int // of the last line, without its line end
		for {
			if i := pos + printable(raw[pos:]); i+1 < len(raw) && raw[i] == '\r' && raw[i+1] == '\n' {
				end = i
				pos = i + 2
			} else {
				end, pos = m.oddLine(pos, i)
			}
			if pos >= len(raw) || raw[pos] != ' ' && raw[pos] != '\t' {
				break
			}
			folded = true
		}
		if len(m.Headers) >= limit {
			if !full {
				full = true
				m.diag(DiagTooManyHeaders, HdrOther, start, 0, strconv.Itoa(limit))
			}
			continue
		}
		h, bad := splitHeader(raw, start, end, folded)
		if bad != DiagNone {
			if m.part {
				return start, false // content that no empty line separates from the header
			}
			m.diag(bad, h.ID, start, end-start, "")
		}
		m.Headers = append(m.Headers, h)
		m.header(&m.Headers[len(m.Headers)-1], start, end)
	}
	return len(raw), false
}

// quickHeader reads a header field of the most common shape into h: a known long name, a colon, printable octets, CR LF,
// no fold. It gives the offset of the next line, and 0 for any other shape.
func quickHeader(raw []byte, pos int, h *Header) (next int) {
	b := raw[pos:]
	if len(b) < 40 {
		return 0
	}
	first := binary.LittleEndian.Uint64(b)
	colon := octetIn(first, ':')
	last := first
	switch {
	case colon < 2:
		return 0
	case colon < 8:
		first &= 1<<(8*colon&63) - 1
		last = first
	default:
		if colon = octetIn(binary.LittleEndian.Uint64(b[8:]), ':'); colon == 8 {
			if colon = octetIn(binary.LittleEndian.Uint64(b[16:]), ':'); colon == 8 {
				if colon = octetIn(binary.LittleEndian.Uint64(b[24:]), ':'); colon == 8 {
					return 0
				}
				colon += 8
			}
			colon += 8
		}
		colon += 8
		last = binary.LittleEndian.Uint64(b[colon-8:])
	}
	id := lookup(b[:colon], first, last)
	if id == HdrOther {
		return 0
	}
	v := colon + 1
	for b[v] == ' ' {
		if v++; v == len(b) {
			return 0
		}
	}
	end := v + printable(b[v:])
	if end+2 >= len(b) || b[end] != '\r' || b[end+1] != '\n' || b[end+2] == ' ' || b[end+2] == '\t' {
		return 0
	}
	next = pos + end + 2
	for end > v && b[end-1] == ' ' {
		end--
	}
	h.ID, h.Compact, h.Folded = id, false, false
	h.Name = Span{uint32(pos), uint32(colon)}
	h.Value = Span{uint32(pos + v), uint32(end - v)}
	return next
}

// octetIn gives the index of an octet in eight, 8 when it is not there.
func octetIn(x uint64, c byte) int {
	x ^= uint64(c) * ones
	return bits.TrailingZeros64((x-ones)&^x&highs) / 8
}

// oddLine is for a line that does not simply go from printable octets to CR LF; the first odd octet is at i. It gives the
// end of the line without line end, and the offset of the next line.
func (m *Message) oddLine(pos, i int) (end, next int) {
	raw := m.Raw
	if nl := bytes.IndexByte(raw[i:], '\n'); nl < 0 {
		next = len(raw)
		if end = next; end > pos && raw[end-1] == '\r' {
			end--
		}
	} else {
		end = i + nl
		next = end + 1
		if end > pos && raw[end-1] == '\r' {
			end--
		} else {
			m.lineLF(end)
		}
	}
	if i < end {
		m.oddOctets(HdrOther, i, end)
	}
	return end, next
}

// splitHeader finds name and value of one header field in raw[start:end].
func splitHeader(raw []byte, start, end int, folded bool) (h Header, id DiagID) {
	h.Folded = folded
	i := start
	for i < end && class[raw[i]]&clToken != 0 {
		i++
	}
	nameEnd := i
	for i < end && (raw[i] == ' ' || raw[i] == '\t') {
		i++
	}
	if i == end || raw[i] != ':' || nameEnd == start {
		// Not "token HCOLON": look for a colon anywhere in the first line.
		first := end
		if folded {
			if nl := bytes.IndexByte(raw[start:end], '\n'); nl >= 0 {
				first = start + nl
			}
		}
		colon := bytes.IndexByte(raw[start:first], ':')
		if colon < 0 {
			f, t := trim(raw, start, end)
			h.Name, h.Value = span(f, t), span(t, t)
			return h, DiagHeaderNoColon
		}
		f, t := trim(raw, start, start+colon)
		h.Name = span(f, t)
		i = start + colon
		id = DiagHeaderName
		if raw[start] == ' ' || raw[start] == '\t' {
			id = DiagFoldWithoutHeader
		}
	} else {
		h.Name = span(start, nameEnd)
	}
	f, t := trim(raw, i+1, end)
	h.Value = span(f, t)
	name := h.Name.In(raw)
	h.ID = LookupHeader(name)
	h.Compact = len(name) == 1 && h.ID != HdrOther
	return h, id
}

// header takes note of the newest header field, Raw[start:end].
func (m *Message) header(h *Header, start, end int) {
	if h.ID == HdrOther {
		return
	}
	m.count(h, start, end)
	if !m.part {
		m.checkHeader(h)
	}
}

// count takes note that the newest header field, Raw[start:end], is there.
func (m *Message) count(h *Header, start, end int) {
	if h.ID == HdrOther {
		return
	}
	if m.first[h.ID] == 0 {
		m.first[h.ID] = uint16(len(m.Headers))
	} else if headerTable[h.ID].flags&hSingle != 0 && h.ID != HdrContentLength {
		m.diag(DiagDuplicateHeader, h.ID, start, end-start, "")
	}
}

// body sets Body and Extra, RFC 3261 18.3.
func (m *Message) body() {
	rest := len(m.Raw) - m.HeaderEnd
	n := rest
	switch {
	case m.clBad || m.clOther:
		m.ContentLength = -1
	case m.clCount == 0:
		if !m.datagram {
			n = 0
			m.diag(DiagContentLengthMissing, HdrContentLength, m.HeaderEnd, 0, "")
		}
	case m.ContentLength > int64(rest):
		m.diag(DiagContentLengthTooLarge, HdrContentLength, int(m.valueSpan(HdrContentLength).Off), int(m.valueSpan(HdrContentLength).Len),
			strconv.FormatInt(m.ContentLength, 10)+" octets announced, "+strconv.Itoa(rest)+" there")
	default:
		n = int(m.ContentLength)
	}
	m.Body = span(m.HeaderEnd, m.HeaderEnd+n)
	m.Extra = span(m.HeaderEnd+n, len(m.Raw))
	if m.Extra.Len > 0 && m.clCount > 0 {
		if f, t := trim(m.Raw, m.HeaderEnd+n, len(m.Raw)); f == t {
			m.diag(DiagExtraOctets, HdrContentLength, m.Body.End(), int(m.Extra.Len), "")
		} else {
			m.diag(DiagContentLengthShort, HdrContentLength, m.Body.End(), int(m.Extra.Len),
				strconv.Itoa(int(m.Extra.Len))+" octets after the body")
		}
	}
	if m.Body.Len > 0 && m.first[HdrContentType] == 0 {
		m.diag(DiagMissingContentType, HdrContentType, m.HeaderEnd, 0, "")
	}
}

// mandatory notes the header fields that each message needs, RFC 3261 8.1.1 and 8.2.6.2.
func (m *Message) mandatory() {
	if m.first[HdrVia] == 0 || m.first[HdrFrom] == 0 || m.first[HdrTo] == 0 || m.first[HdrCallID] == 0 || m.first[HdrCSeq] == 0 {
		m.need(HdrVia, DiagMissingVia)
		m.need(HdrFrom, DiagMissingFrom)
		m.need(HdrTo, DiagMissingTo)
		m.need(HdrCallID, DiagMissingCallID)
		m.need(HdrCSeq, DiagMissingCSeq)
	}
	if m.Request {
		m.need(HdrMaxForwards, DiagMissingMaxForwards)
		switch string(m.Method.In(m.Raw)) {
		case "INVITE", "SUBSCRIBE", "REFER":
			m.need(HdrContact, DiagMissingContact)
		}
	}
}

func (m *Message) need(id HeaderID, d DiagID) {
	if m.first[id] == 0 {
		m.diag(d, id, m.HeaderEnd, 0, "")
	}
}

// First gives the first header field of a kind.
func (m *Message) First(id HeaderID) (h *Header, ok bool) {
	if id == HdrOther {
		for i := range m.Headers {
			if m.Headers[i].ID == HdrOther {
				return &m.Headers[i], true
			}
		}
		return nil, false
	}
	if id >= hdrCount || m.first[id] == 0 || int(m.first[id]) > len(m.Headers) {
		return nil, false
	}
	return &m.Headers[m.first[id]-1], true
}

// Has tells whether a header field of the kind is there.
func (m *Message) Has(id HeaderID) bool {
	_, ok := m.First(id)
	return ok
}

// All gives every header field of a kind, in wire order.
func (m *Message) All(id HeaderID) iter.Seq[*Header] {
	return func(yield func(*Header) bool) {
		from := 0
		if id != HdrOther && id < hdrCount {
			if from = int(m.first[id]) - 1; from < 0 {
				return
			}
		}
		for i := from; i < len(m.Headers); i++ {
			if m.Headers[i].ID == id && !yield(&m.Headers[i]) {
				return
			}
		}
	}
}

// Named gives every header field of that name in wire order; the name may be long or compact, in any case.
func (m *Message) Named(name string) iter.Seq[*Header] {
	id := LookupHeader([]byte(name))
	return func(yield func(*Header) bool) {
		for i := range m.Headers {
			h := &m.Headers[i]
			if h.ID == id && (id != HdrOther || equalFoldBytes(h.Name.In(m.Raw), []byte(name))) && !yield(h) {
				return
			}
		}
	}
}

// Value gives the value of the first header field of a kind, nil when there is none. Folds are still inside.
func (m *Message) Value(id HeaderID) []byte {
	if h, ok := m.First(id); ok {
		return h.Value.In(m.Raw)
	}
	return nil
}

func (m *Message) valueSpan(id HeaderID) Span {
	if h, ok := m.First(id); ok {
		return h.Value
	}
	return Span{}
}

// Bytes gives the octets of a span of the message; they are not a copy.
func (m *Message) Bytes(s Span) []byte { return s.In(m.Raw) }

// Text gives the octets of a span of the message as a string, as they are.
func (m *Message) Text(s Span) string { return string(s.In(m.Raw)) }

// Unfold gives a value with each fold, white space before it included, replaced by one space (RFC 3261 7.3.1). Without
// a fold it is b itself.
func Unfold(b []byte) []byte {
	if bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		if b[i] != '\r' && b[i] != '\n' {
			out = append(out, b[i])
			i++
			continue
		}
		for len(out) > 0 && (out[len(out)-1] == ' ' || out[len(out)-1] == '\t') {
			out = out[:len(out)-1]
		}
		i = skipWS(b, i)
		out = append(out, ' ')
	}
	return out
}
