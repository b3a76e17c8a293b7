package sipparse

import (
	"bytes"
	"iter"
	"strconv"
)

// Part is one node of the MIME tree of a body, RFC 2045, RFC 2046 and RFC 5621.
type Part struct {
	Path        string // "1"; parts of a multipart: "1.1", "1.2"
	Parent      int    // index of the multipart it is in, -1 for the body itself
	Container   bool   // a multipart that was split; its parts follow
	Depth       int    // 0 for the body itself
	Type        MediaType
	ContentID   string // without angle brackets
	Disposition string // the disposition type in lower case: "render", "session", ...
	Encoding    string // Content-Transfer-Encoding in lower case, empty when there is none
	Headers     []Header
	// Raw is the part's content on the wire, without its header. With baseOff 0 or from Message.Parts it is a span of
	// the buffer given; when Derived it is one of the decoded Data of an ancestor.
	Raw     Span
	Off     int  // of the content, as Raw.Off
	Derived bool // a multipart above was transfer-decoded, so no span points into the buffer given
	Data    []byte
	Decoded bool // Data is the outcome of a transfer decoding; otherwise it aliases the buffer given
	Diags   []Diag

	src  []byte // what the spans of Headers point into, from octet base on
	base int
}

// Bytes gives the octets of a span of the part's headers.
func (p *Part) Bytes(s Span) []byte {
	if int(s.Off) < p.base {
		return nil
	}
	return Span{s.Off - uint32(p.base), s.Len}.In(p.src)
}

// Value gives the value of the part's first header field of a kind, nil when there is none. A body that is no multipart
// has the header fields of its message, not its own, and gives none.
func (p *Part) Value(id HeaderID) []byte {
	for h := range p.All(id) {
		return p.Bytes(h.Value)
	}
	return nil
}

// All gives the part's header fields of a kind.
func (p *Part) All(id HeaderID) iter.Seq[*Header] {
	return func(yield func(*Header) bool) {
		for i := range p.Headers {
			if p.Headers[i].ID == id && !yield(&p.Headers[i]) {
				return
			}
		}
	}
}

func (p *Part) diag(id DiagID, off, n int, detail string) {
	p.Diags = append(p.Diags, Diag{ID: id, Off: uint32(off), Len: uint32(n), Detail: detail})
}

// Parts gives the MIME tree of the message's body, depth-first, multiparts included and marked. A body that is no
// multipart is one part with Path "1"; without a body there is none. A message/sip part is one part.
func (m *Message) Parts(l Limits) []Part {
	var sp Splitter
	return sp.Parts(m, l)
}

// SplitParts is Parts for a body that is not in a Message. baseOff is added to every offset.
func SplitParts(contentType []byte, body []byte, baseOff int, l Limits) []Part {
	if len(body) == 0 || baseOff < 0 {
		return nil
	}
	if len(body) > maxRaw-min(baseOff, maxRaw) {
		body = body[:maxRaw-min(baseOff, maxRaw)]
	}
	sp := Splitter{lim: l.withDefaults()}
	p := sp.grow()
	p.Raw, p.Off, p.Data, p.src, p.base = span(baseOff, baseOff+len(body)), baseOff, body, body, baseOff
	sp.root(contentType, nil, nil, nil)
	return sp.parts
}

// A Splitter finds the MIME trees of message after message in the same memory. The zero value is ready.
type Splitter struct {
	asked   Limits // what lim was made of
	lim     Limits
	parts   []Part
	decoded int // octets made by transfer decoding
	full    bool
	seen    []string        // Content-IDs
	ids     map[string]bool // the same, when they are many
	msg     Message         // for the header of a part
	delim   []byte          // delimiters of the multiparts that are open
	cids    texts           // Content-IDs of earlier messages
	used    bool            // there was a message before
	memory  *partMemory     // nil for the first message
}

// What a Splitter keeps for the next message at most.
const (
	keepParts   = 32
	keepHeaders = 64
)

// Parts is [Message.Parts]; what it gives is good until the next call.
func (sp *Splitter) Parts(m *Message, l Limits) []Part {
	return sp.Content(m.Raw, m.Body, m.Value(HdrContentType), m.Value(HdrContentID), m.Value(HdrContentDisposition), m.Value(HdrContentTransferEncoding), l)
}

// Content is Parts for the content of any message, body in raw, with the values of its header fields.
func (sp *Splitter) Content(raw []byte, body Span, ct, cid, disp, cte []byte, l Limits) []Part {
	if body.Len == 0 {
		return nil
	}
	if len(sp.parts) > keepParts {
		sp.parts = nil
	}
	for i := range sp.parts {
		if p := &sp.parts[i]; cap(p.Headers) > keepHeaders || cap(p.Diags) > keepHeaders {
			p.Headers, p.Diags = nil, nil
		}
	}
	if l != sp.asked || !sp.used {
		sp.asked, sp.lim = l, l.withDefaults()
	}
	sp.parts, sp.decoded, sp.full, sp.seen, sp.ids = sp.parts[:0], 0, false, sp.seen[:0], nil
	if !sp.used {
		sp.used = true
	} else if sp.memory == nil {
		sp.memory = new(partMemory)
	}
	p := sp.grow()
	p.Raw, p.Off, p.Data, p.src = body, int(body.Off), body.In(raw), raw
	sp.root(ct, cid, disp, cte)
	return sp.parts
}

// grow adds a part to the list and gives it, with the path of a root. Of what an earlier message left there, it has the
// memory of headers and diagnostics.
func (sp *Splitter) grow() *Part {
	n := len(sp.parts)
	if n == cap(sp.parts) {
		sp.parts = append(sp.parts, Part{Path: "1", Parent: -1})
		return &sp.parts[n]
	}
	sp.parts = sp.parts[:n+1]
	p := &sp.parts[n]
	p.Path, p.Parent, p.Depth = "1", -1, 0 // the rest is set in any case, but for
	p.Container, p.Derived, p.Decoded, p.base = false, false, false, 0
	p.Type, p.ContentID = MediaType{}, ""
	p.Headers, p.Diags = p.Headers[:0], p.Diags[:0]
	return p
}

// childPath is the path of part n of a multipart.
func childPath(parent string, n int) string {
	if parent == "1" && n <= len(firstPaths) {
		return firstPaths[n-1]
	}
	return parent + "." + strconv.Itoa(n)
}

var firstPaths = [...]string{"1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9", "1.10", "1.11", "1.12"}

func (sp *Splitter) root(ct, cid, disp, cte []byte) {
	p := &sp.parts[0]
	if len(ct) == 0 {
		p.diag(DiagMissingContentType, p.Off, 0, "")
	}
	sp.describe(p, ct, cid, disp, cte)
	sp.add(0)
}

// describe fills in what the header fields say.
func (sp *Splitter) describe(p *Part, ct, cid, disp, cte []byte) {
	if len(ct) > 0 {
		mt, e := parseMediaType(ct)
		p.Type = mt
		if e.ID != DiagNone {
			p.diag(e.ID, p.Off, 0, clip(ct))
		}
	}
	if len(cid) > 0 {
		id := cid
		if len(id) >= 2 && id[0] == '<' && id[len(id)-1] == '>' {
			id = id[1 : len(id)-1]
		} else {
			p.diag(DiagContentIDSyntax, p.Off, 0, clip(cid))
		}
		p.ContentID = sp.cids.text(id)
		sp.contentID(p)
	}
	if i := bytes.IndexByte(disp, ';'); i >= 0 {
		disp = disp[:i]
	}
	p.Disposition = lowerToken(disp)
	p.Encoding = lowerToken(cte)
}

// known tells whether a Content-ID has occurred before.
func (sp *Splitter) known(id string) bool {
	if sp.ids == nil {
		for _, s := range sp.seen {
			if s == id {
				return true
			}
		}
		if sp.seen = append(sp.seen, id); len(sp.seen) < 16 {
			return false
		}
		sp.ids = make(map[string]bool)
		for _, s := range sp.seen {
			sp.ids[s] = true
		}
		return false
	}
	if sp.ids[id] {
		return true
	}
	sp.ids[id] = true
	return false
}

func lowerToken(b []byte) string {
	f, t := trim(b, 0, len(b))
	if f == t {
		return ""
	}
	switch string(b[f:t]) { // saves an allocation
	case "binary":
		return "binary"
	case "8bit":
		return "8bit"
	case "7bit":
		return "7bit"
	case "base64":
		return "base64"
	case "render":
		return "render"
	case "session":
		return "session"
	case "attachment":
		return "attachment"
	case "signal":
		return "signal"
	}
	return string(bytes.ToLower(b[f:t]))
}

func clip(b []byte) string { return strconv.Quote(string(b[:min(len(b), 64)])) }

// add decodes the part at an index, then splits it when it is a multipart.
func (sp *Splitter) add(index int) {
	p := &sp.parts[index]
	multi := p.Type.Multipart()
	switch p.Encoding {
	case "", "7bit", "8bit", "binary":
	case "base64", "quoted-printable":
		if multi {
			p.diag(DiagTransferEncodingComposite, p.Off, 0, p.Encoding)
		}
		if sp.decoded+len(p.Data) > sp.lim.Decoded {
			p.diag(DiagDecodedLimit, p.Off, 0, strconv.Itoa(sp.lim.Decoded))
			break
		}
		bad := -1
		if p.Encoding == "base64" {
			p.Data, bad = decodeBase64(p.Data)
			if bad >= 0 {
				p.diag(DiagBase64, p.Off+bad, 1, "")
			}
		} else if p.Data, bad = decodeQP(p.Data); bad >= 0 {
			p.diag(DiagQuotedPrintable, p.Off+bad, 1, "")
		}
		p.Decoded = true
		sp.decoded += len(p.Data)
	default:
		p.diag(DiagTransferEncodingUnknown, p.Off, 0, clip([]byte(p.Encoding)))
	}
	if multi {
		n := len(sp.delim)
		sp.split(index)
		sp.delim = sp.delim[:n]
	}
}

// delimiter gives "--" and the boundary parameter; bad says that RFC 2046 does not allow it.
func (sp *Splitter) delimiter(mt *MediaType) (delim []byte, ok, bad bool) {
	n := len(sp.delim)
	sp.delim = append(sp.delim, "--"...)
	if v := boundaryAlone(mt.Params.In(mt.Raw)); v != nil {
		sp.delim = append(sp.delim, v...)
		delim = sp.delim[n:len(sp.delim):len(sp.delim)]
		return delim, true, len(v) > 70
	}
	for p := range mt.ParamSeq() {
		if !equalFoldBytes(p.Name.In(mt.Raw), []byte("boundary")) {
			continue
		}
		if v := p.Value.In(mt.Raw); bytes.IndexByte(v, '\\') < 0 && bytes.IndexByte(v, '\n') < 0 && bytes.IndexByte(v, '\r') < 0 {
			sp.delim = append(sp.delim, v...)
		} else {
			v, _ := mt.Param("boundary")
			sp.delim = append(sp.delim, v...)
		}
		break
	}
	if len(sp.delim) == n+2 {
		return nil, false, false
	}
	delim = sp.delim[n:len(sp.delim):len(sp.delim)]
	return delim, true, !goodBoundary(delim[2:])
}

// boundaryAlone is the value of the boundary parameter when it is the first, of octets that a boundary may have but for
// spaces, and in quotes or of a token's octets; else nil.
func boundaryAlone(params []byte) []byte {
	const name = "boundary="
	for len(params) > 0 && params[0] == ' ' {
		params = params[1:]
	}
	if len(params) <= len(name)+2 || string(params[:len(name)]) != name {
		return nil
	}
	v := params[len(name):]
	if v[0] == '"' {
		if v[len(v)-1] != '"' {
			return nil
		}
		v = v[1 : len(v)-1]
	}
	for _, c := range v {
		if class[c]&clBoundary == 0 || c == ' ' || c == ';' {
			return nil
		}
	}
	return v
}

// split finds the parts of the multipart at an index, RFC 2046 5.1.1.
func (sp *Splitter) split(index int) {
	p := &sp.parts[index] // until the list grows
	body, base, derived, depth, path := p.Data, p.Off, p.Derived, p.Depth, p.Path
	src, srcBase := p.src, p.base
	if p.Decoded {
		base, derived, src, srcBase = 0, true, p.Data, 0
	}
	if depth >= sp.lim.Depth {
		p.diag(DiagDepthLimit, base, 0, strconv.Itoa(sp.lim.Depth))
		return
	}
	delim, ok, bad := sp.delimiter(&p.Type)
	switch {
	case !ok:
		p.diag(DiagBoundaryMissing, base, 0, "")
		boundary := guessBoundary(body)
		if boundary == "" {
			return
		}
		p.diag(DiagBoundaryGuessed, base, 0, clip([]byte(boundary)))
		delim = []byte("--" + boundary)
	case bad:
		p.diag(DiagBoundaryBad, base, 0, clip(delim[2:]))
	}
	first, next, closing, found := findDelimiter(body, 0, delim)
	if !found {
		p.diag(DiagBoundaryNeverSeen, base, 0, clip(delim[2:]))
		return
	}
	p.Container = true
	if f, t := trim(body, 0, first); f < t {
		p.diag(DiagPreamble, base+f, t-f, "")
	}
	if closing {
		p.diag(DiagPartEmpty, base+first, 0, "")
	}
	if sp.memory != nil {
		sp.memory.begin()
	}
	bareLF := false
	n := 0
	for !closing {
		p = &sp.parts[index]
		if next > 0 && body[next-1] == '\n' && (next < 2 || body[next-2] != '\r') && !bareLF {
			bareLF = true
			p.diag(DiagBoundaryBareLF, base+next-1, 1, "")
		}
		start := next
		if sp.full || len(sp.parts) >= sp.lim.Parts {
			if !sp.full {
				sp.full = true
				p.diag(DiagPartsLimit, base+start, 0, strconv.Itoa(sp.lim.Parts))
			}
			return
		}
		end, after, last, found := findDelimiter(body, start, delim)
		if !found {
			end, after, last = len(body), len(body), true
			p.diag(DiagBoundaryNotClosed, base+len(body), 0, "")
		}
		n++
		child := sp.grow()
		child.Path, child.Parent, child.Depth, child.Derived, child.src, child.base = childPath(path, n), index, depth+1, derived, src, srcBase
		sp.part(child, body, base, start, end)
		sp.add(len(sp.parts) - 1)
		next, closing = after, last
	}
	if f, t := trim(body, next, len(body)); f < t {
		sp.parts[index].diag(DiagEpilogue, base+f, t-f, "")
	}
}

// part reads the header of the part body[start:end]. base is the offset of body[0].
func (sp *Splitter) part(p *Part, body []byte, base, start, end int) {
	if sp.memory != nil && sp.recall(p, body, base, start, end) {
		return
	}
	m := &sp.msg
	m.Raw, m.Headers, m.Diags = body[:end], p.Headers, p.Diags
	clear(m.first[:])
	m.state = state{maxDiags: sp.lim.Diags, part: true}
	if sp.memory != nil {
		m.expect(&sp.memory.lines)
	}
	pos, ended := m.parseHeaders(start, sp.lim.Headers)
	if !ended && pos < end {
		m.diag(DiagPartNoEmptyLine, HdrOther, pos, 0, "")
	}
	p.Raw, p.Off, p.Data = span(base+pos, base+end), base+pos, body[pos:end:end]
	p.Headers = m.Headers
	p.Diags = m.Diags
	for i := range p.Diags {
		p.Diags[i].Off += uint32(base)
	}
	sp.describe(p, m.Value(HdrContentType), m.Value(HdrContentID), m.Value(HdrContentDisposition), m.Value(HdrContentTransferEncoding))
	if sp.memory != nil {
		sp.memory.lines.learn(m)
	}
	for i := range p.Headers {
		p.Headers[i].Name.Off += uint32(base)
		p.Headers[i].Value.Off += uint32(base)
	}
	if p.Type.Full == "" && len(p.Type.Raw) == 0 {
		p.Type.Full = "text/plain" // RFC 2045 5.2
	}
	if mem := sp.memory; mem != nil {
		if mem.prev = partHeads; ended && len(p.Diags) == 0 {
			mem.learn(p, body[start:pos], base+start)
		}
	}
	m.Raw, m.Headers, m.Diags = nil, nil, nil
}

// recall is part for a header section that is remembered. It tells whether it is.
func (sp *Splitter) recall(p *Part, body []byte, base, start, end int) bool {
	b := body[start:end]
	h := sp.memory.find(b)
	if h == nil || len(h.headers) > sp.lim.Headers {
		return false
	}
	n, id := h.section(b)
	if n == 0 {
		return false
	}
	pos := start + n
	p.Raw, p.Off, p.Data = span(base+pos, base+end), base+pos, body[pos:end:end]
	h.recall(p, base+start)
	if h.kind.Len > 0 {
		p.Type.Raw = b[h.kind.Off:h.kind.End():h.kind.End()]
	}
	if id != nil {
		p.Headers[len(p.Headers)-1].Value.Len = uint32(len(id) + 2)
		p.ContentID = sp.cids.text(id)
	}
	if p.ContentID != "" {
		sp.contentID(p)
	}
	return true
}

// contentID notes a Content-ID that another part has.
func (sp *Splitter) contentID(p *Part) {
	if sp.known(p.ContentID) {
		p.diag(DiagDuplicateContentID, p.Off, 0, clip([]byte(p.ContentID)))
	}
}

// findDelimiter looks for the next delimiter line at or after from: its content ends at end, what follows the line
// begins at next, closing is the closing delimiter.
func findDelimiter(b []byte, from int, delim []byte) (end, next int, closing, found bool) {
	start := from
	if from > 0 && from <= len(b) && b[from-1] != '\n' {
		from = nextLine(b, from)
	}
	for ; from <= len(b); from = nextLine(b, from) {
		i := from
		if len(b)-i < len(delim) || b[i] != '-' || b[i+1] != '-' || !bytes.Equal(b[i:i+len(delim)], delim) {
			continue
		}
		j := i + len(delim)
		closing = false
		if j+1 < len(b) && b[j] == '-' && b[j+1] == '-' {
			closing = true
			j += 2
		}
		for j < len(b) && (b[j] == ' ' || b[j] == '\t') {
			j++
		}
		switch {
		case j == len(b):
		case b[j] == '\n':
			j++
		case b[j] == '\r' && j+1 < len(b) && b[j+1] == '\n':
			j += 2
		case b[j] == '\r' && j+1 == len(b):
			j++
		default:
			if !closing {
				continue
			}
		}
		// The line end before the delimiter belongs to it.
		end = i
		if end > 0 {
			if end--; end > 0 && b[end-1] == '\r' {
				end--
			}
		}
		return max(end, start), j, closing, true
	}
	return 0, 0, false, false
}

// nextLine is the offset behind the next LF, more than len(b) when there is none.
func nextLine(b []byte, from int) int {
	if nl := bytes.IndexByte(b[from:], '\n'); nl >= 0 {
		return from + nl + 1
	}
	return len(b) + 1
}

func goodBoundary[T string | []byte](s T) bool {
	if len(s) > 70 || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !is(c, clBoundary) {
			return false
		}
	}
	return true
}

// guessBoundary takes the first line for a delimiter when it looks like one.
func guessBoundary(b []byte) string {
	f := skipWS(b, 0)
	line, _ := firstLine(b[f:])
	_, t := trim(line, 0, len(line))
	line = line[:t]
	if len(line) < 3 || len(line) > 72 || line[0] != '-' || line[1] != '-' || !goodBoundary(string(line[2:])) {
		return ""
	}
	return string(line[2:])
}
