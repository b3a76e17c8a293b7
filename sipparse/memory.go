package sipparse

import "encoding/binary"

// A Memory is what a reader of many messages remembers of those before: start lines, and the lines of some header
// sections. What one kind of device sends looks alike, so that mostly the name of the next header field is known before
// it is read, and often its value is one that was checked already. It only ever says which octets to compare with: what
// differs from them is read as if nothing were remembered, and the outcome is always the same. The zero value is ready;
// it is for one goroutine, and no traffic makes it larger than some 300 kB.
type Memory struct {
	sets [formSets]formSet
}

// What a Memory keeps at most. Of a longer section it has the beginning.
const (
	formSets  = 16   // by the beginning of the start line
	formWays  = 4    // forms of messages that begin alike
	formLines = 48   // lines of a form
	formText  = 2048 // octets of its lines
	startText = 256  // octets of a start line
	lineText  = 192  // octets of a line that is kept with its value
)

// A formSet is what is remembered of messages that begin alike.
type formSet struct {
	forms [formWays]form
	last  uint8 // the form that the message before had
	next  uint8 // the form to give up for a new one
	pupil pupil
	begin beginning
}

// A pupil decides when to learn: after what was not known, but the less often the less of it comes again.
type pupil struct {
	pause uint8 // what is passed over after it learned
	wait  uint8 // of that, what is still to come
}

// knew is called for what was known.
func (p *pupil) knew() {
	if p.pause > 0 {
		p.pause--
	}
}

// learns tells whether what was not known is to be learned.
func (p *pupil) learns() bool {
	if p.wait > 0 {
		p.wait--
		return false
	}
	p.pause = uint8(min(2*int(p.pause)+1, 255))
	p.wait = p.pause
	return true
}

// A beginning is a start line that has no defect, with its line end, and what it says.
type beginning struct {
	text                                                      []byte
	method, requestURI, version, reason, statusSpan, wholeRow Span
	status                                                    int
	request                                                   bool
	pupil                                                     pupil
}

// A form is the header section of an earlier message.
type form struct {
	text  []byte
	lines []formLine
}

// A formLine is one line of a form: "Name: " and, where it may serve again, a value and the line end.
type formLine struct {
	word, mask uint64 // its first eight octets, without those of the value
	at         uint16 // where it begins in text
	size       uint16 // octets of the line with its line end; 0: the value is not kept
	value      uint16 // octets of the value
	head       uint8  // octets of name, colon and spaces
	name       uint8  // octets of the name
	id         HeaderID
	compact    bool
	any        bool  // a value is clean whatever it is
	same       uint8 // how many other values may still come before this one is compared no longer
}

const (
	patience  = 16 // what formLine.same begins with
	mostWrong = 2  // lines that may differ before a message is read without its form
)

// trail is where a message is in a form.
type trail struct {
	set   *formSet
	form  *form // nil: nothing is expected
	line  int   // of form
	wrong int   // lines that were not as expected
}

// statusBegin is "SIP/2.0 ".
const statusBegin = 0x20302e322f504953

// set is for messages that begin like raw, of 12 octets or more.
func (mem *Memory) set(raw []byte) *formSet {
	h := binary.LittleEndian.Uint64(raw)
	if h == statusBegin {
		h += uint64(binary.LittleEndian.Uint32(raw[8:]))
	}
	return &mem.sets[h*0x9E3779B97F4A7C15>>60]
}

// recall takes the start line from memory when it is the one that is there. It gives the offset behind it, 0 when not.
func (m *Message) recall(g *beginning) int {
	n := len(g.text)
	if n == 0 || len(m.Raw) < n || string(m.Raw[:n]) != string(g.text) {
		return 0
	}
	m.Request, m.Status = g.request, g.status
	m.Method, m.RequestURI, m.Version, m.Reason, m.StatusSpan, m.StartLine = g.method, g.requestURI, g.version, g.reason, g.statusSpan, g.wholeRow
	g.pupil.knew()
	return n
}

// learn remembers the start line of a message, which ends before pos.
func (g *beginning) learn(m *Message, pos int) {
	if !g.pupil.learns() || len(m.Diags) > 0 || pos > startText || int(m.StartLine.Off) != 0 || m.Raw[pos-1] != '\n' {
		return
	}
	g.text = append(g.text[:0], m.Raw[:pos]...)
	g.request, g.status = m.Request, m.Status
	g.method, g.requestURI, g.version, g.reason, g.statusSpan, g.wholeRow = m.Method, m.RequestURI, m.Version, m.Reason, m.StatusSpan, m.StartLine
}

// expect has the header fields read along the form of the message before.
func (m *Message) expect(s *formSet) {
	m.trail = trail{set: s, form: &s.forms[s.last]}
}

// follow reads header fields from pos on while they are what the form has next. It gives where it stopped.
func (m *Message) follow(pos, limit int) int {
	raw, t := m.Raw, &m.trail
	f := t.form
	for {
		b := raw[pos:]
		if len(b) < 8 || b[0] == '\r' || b[0] == '\n' {
			return pos
		}
		word := binary.LittleEndian.Uint64(b)
		if t.line >= len(f.lines) || word&f.lines[t.line].mask != f.lines[t.line].word {
			if f = t.other(b, word); f == nil {
				return pos
			}
		}
		l := &f.lines[t.line]
		n := len(m.Headers)
		if n >= limit || n >= cap(m.Headers) {
			return pos
		}
		if size := int(l.size); l.same > 0 {
			if len(b) > size && string(b[:size]) == string(f.text[l.at:int(l.at)+size]) && b[size] != ' ' && b[size] != '\t' {
				m.Headers = m.Headers[:n+1]
				h := &m.Headers[n]
				h.ID, h.Compact, h.Folded = l.id, l.compact, false
				h.Name, h.Value = Span{uint32(pos), uint32(l.name)}, Span{uint32(pos) + uint32(l.head), uint32(l.value)}
				m.count(h, pos, pos+size-2)
				pos += size
				t.line++
				continue
			}
			l.same--
		}
		v := int(l.head)
		if v > 8 && (len(b) < v || string(b[:v]) != string(f.text[l.at:int(l.at)+v])) {
			if f = t.other(b, word); f == nil {
				return pos
			}
			l = &f.lines[t.line]
			v = int(l.head)
		}
		b = b[v:]
		end := printable(b)
		if end+2 >= len(b) || b[end] != '\r' || b[end+1] != '\n' || b[end+2] == ' ' || b[end+2] == '\t' || b[0] == ' ' {
			return pos
		}
		next := pos + v + end + 2
		for end > 0 && b[end-1] == ' ' {
			end--
		}
		m.Headers = m.Headers[:n+1]
		h := &m.Headers[n]
		h.ID, h.Compact, h.Folded = l.id, l.compact, false
		h.Name, h.Value = Span{uint32(pos), uint32(l.name)}, Span{uint32(pos + v), uint32(end)}
		m.count(h, pos, next-2)
		if !m.part && (!l.any || end == 0) && l.id != HdrOther {
			m.checkHeader(h)
		}
		pos = next
		t.line++
	}
}

// other looks for a form that has the line which b begins with where the message is, or for that line behind the one that was
// expected. It gives nil when there is none, and no more forms once too many lines were wrong.
func (t *trail) other(b []byte, word uint64) *form {
	for i := range t.set.forms {
		if f := &t.set.forms[i]; f.has(t.line, b, word) {
			t.form, t.set.last = f, uint8(i)
			return f
		}
	}
	if t.form.has(t.line+1, b, word) {
		t.line++
		return t.form
	}
	if t.line < len(t.form.lines) && t.form.lines[t.line].mask == 0 {
		return nil
	}
	if t.wrong++; t.wrong > mostWrong {
		t.form = nil
	}
	return nil
}

// has tells whether b begins with name, colon and spaces of a line.
func (f *form) has(line int, b []byte, word uint64) bool {
	if line >= len(f.lines) {
		return false
	}
	l := &f.lines[line]
	n := int(l.head)
	return word&l.mask == l.word && len(b) >= n && string(b[:n]) == string(f.text[l.at:int(l.at)+n])
}

// learn remembers the header section of a message that was not as expected, unless that helped too seldom of late.
func (s *formSet) learn(m *Message) {
	if m.trail.wrong == 0 {
		s.pupil.knew()
		return
	}
	if !s.pupil.learns() {
		return
	}
	f := &s.forms[s.next]
	s.last, s.next = s.next, (s.next+1)%formWays
	f.text, f.lines = f.text[:0], f.lines[:0]
	for i := range m.Headers {
		if !f.add(m, &m.Headers[i]) {
			break
		}
	}
}

// add puts a header field at the end of a form. It tells whether there is room for more. A header field that is not written in
// the plainest way has a line that none is like.
func (f *form) add(m *Message, h *Header) bool {
	raw, from, v := m.Raw, int(h.Name.Off), int(h.Value.Off)
	l := formLine{word: 1, id: h.ID, compact: h.Compact, any: unchecked(h.ID), name: uint8(h.Name.Len), head: uint8(v - from), at: uint16(len(f.text))}
	end := h.Value.End()
	for end < len(raw) && raw[end] == ' ' {
		end++
	}
	size := end + 2 - from
	if h.Folded || !plainHead(raw, from, h) || end+1 >= len(raw) || raw[end] != '\r' || raw[end+1] != '\n' || !plain(h.Value.In(raw)) {
		f.lines = append(f.lines, l)
		return len(f.lines) < formLines
	}
	if len(f.text)+max(int(l.head), lineText) > formText {
		return false
	}
	l.mask = 1<<64 - 1
	if l.head < 8 {
		l.mask = 1<<(8*uint(l.head)) - 1
	}
	var first [8]byte
	copy(first[:], raw[from:end])
	l.word = binary.LittleEndian.Uint64(first[:]) & l.mask
	keep := int(l.head)
	if size <= lineText && constant(h.ID) && h.Value.Len > 0 && m.clean(h.ID, h.Value.In(raw)) {
		l.size, l.value, l.same, keep = uint16(size), uint16(h.Value.Len), patience, size
	}
	f.text = append(f.text, raw[from:from+keep]...)
	f.lines = append(f.lines, l)
	return len(f.lines) < formLines
}

// plainHead tells whether a header field begins, at the beginning of a line, with a token, a colon and spaces only.
func plainHead(raw []byte, from int, h *Header) bool {
	v := int(h.Value.Off)
	if from == 0 || raw[from-1] != '\n' || v-from > 64 || h.Name.Len == 0 || h.Name.End() >= v || raw[h.Name.End()] != ':' {
		return false
	}
	for _, c := range raw[h.Name.End()+1 : v] {
		if c != ' ' {
			return false
		}
	}
	for _, c := range h.Name.In(raw) {
		if class[c]&clToken == 0 {
			return false
		}
	}
	return true
}

// constant tells whether the octets of a value alone decide whether it is clean, and nothing is to be noted when it is. Credentials
// are not kept either.
func constant(id HeaderID) bool {
	switch id {
	case HdrVia, HdrCSeq, HdrContentLength, HdrAuthorization, HdrProxyAuthorization, HdrWWWAuthenticate, HdrProxyAuthenticate:
		return false
	}
	return true
}
