package xmlpull

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Kind says what an Event is.
type Kind uint8

// The kinds of events.
const (
	None    Kind = iota
	Start        // start tag, or the first half of an empty-element tag
	End          // end tag, or the second half of an empty-element tag (then of no length)
	Text         // character data
	CData        // a CDATA section
	Comment      // a comment
	PI           // a processing instruction; Local is its target
)

var kindNames = [...]string{"none", "start", "end", "text", "cdata", "comment", "pi"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Limits of one document; zero means the default.
type Limits struct {
	Size       int // octets, 4 MiB
	Depth      int // open elements, 64
	Items      int // elements and attributes, 50,000
	Namespaces int // declarations in scope, 256
}

func (l Limits) withDefaults() Limits {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&l.Size, 4<<20)
	def(&l.Depth, 64)
	def(&l.Items, 50_000)
	def(&l.Namespaces, 256)
	return l
}

// A Binding is a declared name space: prefix (empty for the default one) and URI.
type Binding struct {
	Prefix, URI []byte
}

// An Attr is one attribute of a start tag, declarations of name spaces included.
type Attr struct {
	Prefix, Local []byte // as written; a declaration is xmlns:p or xmlns alone (Prefix empty)
	Space         []byte // resolved; nil without prefix
	Value         []byte // decoded and normalised
	Off, End      int    // the whole attribute
	ValOff        int    // the value between its quotes, as written
	ValEnd        int
	Exact         bool // Value is the input between ValOff and ValEnd
	Decl          bool // a declaration of a name space
}

// An Event is one piece of a document. Its slices point into the input, or into a buffer of the Reader where decoding
// was needed, and are valid until the next call.
type Event struct {
	Kind          Kind
	Prefix, Local []byte // Start, End, PI (target)
	Space         []byte // Start, End: resolved name space, nil for none
	Attrs         []Attr // Start
	Text          []byte // Text, CData, Comment, PI: decoded content
	Off, End      int    // the octets of the event
	TextOff       int    // content as written
	TextEnd       int
	Exact         bool // Text is the input between TextOff and TextEnd
	Empty         bool // Start: an empty-element tag
	Depth         int  // open elements, this one included
}

// Cause says which rule was broken.
type Cause uint8

// The causes of an Error.
const (
	Truncated     Cause = iota + 1 // the document ends early
	Syntax                         // markup that is none
	BadName                        // not a name
	BadChar                        // a character XML does not allow, or not UTF-8
	BadEntity                      // not one of the five entities, nor a character reference
	Mismatch                       // end tag of another element
	BadAttr                        // attribute without a quoted value, or "<" in it
	DuplicateAttr                  // attribute twice in one tag
	Doctype                        // document type declaration
	Encoding                       // not UTF-8
	Version                        // not XML 1.0
	BadDecl                        // XML declaration malformed or out of place
	BadComment                     // "--" inside a comment
	CDataEnd                       // "]]>" in character data
	Outside                        // something beside the root element
	NoRoot                         // no element at all
	Namespace                      // rules of name spaces
	LimitSize                      // larger than the limit
	LimitDepth                     // deeper than the limit
	LimitItems                     // more elements and attributes, or name spaces, than the limit
)

var causeNames = [...]string{"", "truncated", "syntax", "name", "character", "entity", "mismatch", "attribute",
	"duplicate attribute", "document type", "encoding", "version", "declaration", "comment", "CDATA end", "outside root",
	"no root", "name space", "size limit", "depth limit", "item limit"}

// Limit tells a limit of this package from a defect of the document.
func (c Cause) Limit() bool { return c >= LimitSize }

func (c Cause) String() string {
	if int(c) < len(causeNames) {
		return causeNames[c]
	}
	return fmt.Sprintf("Cause(%d)", uint8(c))
}

// An Error is a place where a document is not well-formed, or beyond a limit. Off never exceeds the input's length.
type Error struct {
	Off   int
	Cause Cause
	Text  string
}

func (e *Error) Error() string { return fmt.Sprintf("xml: octet %d: %s", e.Off, e.Text) }

// A Reader is for one goroutine and can be used again. The zero value is ready for Reset. Its buffers go on referring to
// the last input until they are used again; drop the Reader where that matters.
type Reader struct {
	b       []byte
	i       int
	lim     Limits
	ev      Event
	attrs   []Attr
	ns      []Binding
	stack   []element
	buf     []byte
	items   int
	err     *Error
	nsErr   *Error
	content bool // an element's content and not a document
	root    bool // the root element was seen
	half    bool // the end of an empty-element tag is due
	done    bool
	cut     bool // the input was cut at the limit
}

type element struct {
	prefix, local, space []byte
	ns                   int // declarations in scope outside of it
}

// Reset begins a document.
func (r *Reader) Reset(b []byte, l Limits) { r.reset(b, l, false) }

// ResetContent begins the content of an element: any number of elements and character data, with the name spaces that
// the element has in scope. The Reader keeps the bindings' slices.
func (r *Reader) ResetContent(b []byte, l Limits, scope []Binding) {
	r.reset(b, l, true)
	r.ns = append(r.ns, scope...)
	if len(r.ns) > r.lim.Namespaces {
		r.ns = r.ns[:r.lim.Namespaces]
	}
}

func (r *Reader) reset(b []byte, l Limits, content bool) {
	*r = Reader{b: b, lim: l.withDefaults(), attrs: r.attrs[:0], ns: r.ns[:0], stack: r.stack[:0], buf: r.buf[:0], content: content}
	if len(b) > r.lim.Size {
		r.b, r.cut = b[:r.lim.Size], true
	}
	if !content {
		r.prolog()
	}
}

// Event returns the event that Next moved to.
func (r *Reader) Event() *Event { return &r.ev }

// Offset is the octet up to which the input has been read.
func (r *Reader) Offset() int { return r.i }

// Err returns why the reader stopped, or nil at the end of a well-formed document.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// NamespaceErr returns the first breach of the rules of name spaces, or nil.
func (r *Reader) NamespaceErr() error {
	if r.nsErr == nil {
		return nil
	}
	return r.nsErr
}

func (r *Reader) fail(off int, c Cause, format string, args ...any) bool {
	if r.err == nil {
		if r.cut && off >= len(r.b) {
			c, format, args = LimitSize, "document is larger than %d octets", []any{r.lim.Size}
		}
		r.err = &Error{Off: min(off, len(r.b)), Cause: c, Text: fmt.Sprintf(format, args...)}
	}
	r.ev = Event{}
	return false
}

func (r *Reader) nsFail(off int, format string, args ...any) {
	if r.nsErr == nil {
		r.nsErr = &Error{Off: off, Cause: Namespace, Text: fmt.Sprintf(format, args...)}
	}
}

// Classes of octets.
const (
	cText      = 1 << iota // plain character data: no markup, no CR, no "]", ASCII
	cNameStart             // ASCII characters that begin a name, without ":"
	cName                  // ASCII characters within a name, without ":"
	cSpace
	cValue // plain in an attribute value between either quotes
)

var class = func() (t [256]uint8) {
	for c := range 128 {
		b := byte(c)
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_':
			t[c] |= cNameStart | cName
		case b >= '0' && b <= '9', b == '-', b == '.':
			t[c] |= cName
		case b == ' ', b == '\t', b == '\n', b == '\r':
			t[c] |= cSpace
		}
		if b >= 0x20 || b == '\t' || b == '\n' {
			if b != '<' && b != '&' && b != ']' {
				t[c] |= cText
			}
			if b != '<' && b != '&' && b != '"' && b != '\'' && b >= 0x20 {
				t[c] |= cValue
			}
		}
	}
	return t
}()

// commonDecls are XML declarations with which most documents begin.
var commonDecls = [...][]byte{[]byte(`<?xml version="1.0" encoding="UTF-8"?>`), []byte(`<?xml version="1.0" encoding="utf-8"?>`)}

// prolog takes the byte order mark and the XML declaration.
func (r *Reader) prolog() {
	b := r.b
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		r.i = 3
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")),
		bytes.HasPrefix(b, []byte("<\x00")), bytes.HasPrefix(b, []byte("\x00<")):
		r.fail(0, Encoding, "document is in UTF-16 or UTF-32, not UTF-8")
		return
	}
	if !bytes.HasPrefix(b[r.i:], []byte("<?xml")) || len(b) <= r.i+5 || class[b[r.i+5]]&cSpace == 0 {
		return
	}
	start := r.i
	for _, d := range commonDecls {
		if bytes.HasPrefix(b[start:], d) {
			r.i = start + len(d)
			return
		}
	}
	n := bytes.Index(b[start:], []byte("?>"))
	if n < 0 {
		r.fail(len(b), Truncated, "XML declaration does not end")
		return
	}
	s, off := b[start+5:start+n], start+5
	// version, encoding?, standalone?, in this order, each with white space before it
	for k, name := range []string{"version", "encoding", "standalone"} {
		j := skipSpace(s, 0)
		if !bytes.HasPrefix(s[j:], []byte(name)) {
			if k == 0 {
				r.fail(off+j, BadDecl, "XML declaration has no version")
				return
			}
			continue
		}
		if j == 0 {
			r.fail(off, BadDecl, "XML declaration lacks white space")
			return
		}
		j = skipSpace(s, j+len(name))
		if j >= len(s) || s[j] != '=' {
			r.fail(off+j, BadDecl, "XML declaration: %s has no value", name)
			return
		}
		j = skipSpace(s, j+1)
		if j >= len(s) || s[j] != '"' && s[j] != '\'' {
			r.fail(off+j, BadDecl, "XML declaration: value of %s is not quoted", name)
			return
		}
		e := bytes.IndexByte(s[j+1:], s[j])
		if e < 0 {
			r.fail(off+j, BadDecl, "XML declaration: value of %s does not end", name)
			return
		}
		v := s[j+1 : j+1+e]
		switch k {
		case 0:
			if string(v) != "1.0" {
				r.fail(off+j+1, Version, "XML version is %q, not 1.0", clip(v))
				return
			}
		case 1:
			if !bytes.EqualFold(v, []byte("utf-8")) && !bytes.EqualFold(v, []byte("us-ascii")) {
				r.fail(off+j+1, Encoding, "document declares the encoding %q, not UTF-8", clip(v))
				return
			}
		case 2:
			if string(v) != "yes" && string(v) != "no" {
				r.fail(off+j+1, BadDecl, "XML declaration: standalone is %q", clip(v))
				return
			}
		}
		s, off = s[j+e+2:], off+j+e+2
	}
	if j := skipSpace(s, 0); j < len(s) {
		r.fail(off+j, BadDecl, "XML declaration holds %q", clip(s[j:]))
		return
	}
	r.i = start + n + 2
}

func skipSpace(s []byte, j int) int {
	for j < len(s) && class[s[j]]&cSpace != 0 {
		j++
	}
	return j
}

func clip(b []byte) []byte { return b[:min(len(b), 40)] }

// Next moves to the next event. It returns false at the end and at an error; see Err.
func (r *Reader) Next() bool {
	if r.err != nil || r.done {
		r.ev = Event{}
		return false
	}
	if r.half {
		r.half = false
		return r.pop(r.i, r.i)
	}
	for {
		if r.i >= len(r.b) {
			return r.atEnd()
		}
		if r.b[r.i] != '<' {
			if ok, again := r.text(); !again {
				return ok
			}
			continue
		}
		if r.i+1 >= len(r.b) {
			return r.fail(len(r.b), Truncated, "document ends in a tag")
		}
		switch r.b[r.i+1] {
		case '/':
			return r.endTag()
		case '!':
			return r.bang()
		case '?':
			return r.pi()
		}
		return r.startTag()
	}
}

func (r *Reader) atEnd() bool {
	switch {
	case r.cut:
		return r.fail(len(r.b), LimitSize, "")
	case len(r.stack) > 0:
		return r.fail(len(r.b), Truncated, "document ends inside element %q", clip(r.stack[len(r.stack)-1].local))
	case !r.content && !r.root:
		return r.fail(len(r.b), NoRoot, "document has no element")
	}
	r.done = true
	r.ev = Event{}
	return false
}

// text delivers character data up to the next markup, or to the place of an error, which the next call finds.
// again is true for white space beside the root element, which is no event.
func (r *Reader) text() (ok, again bool) {
	b, start := r.b, r.i
	if !r.content && len(r.stack) == 0 {
		j := skipSpace(b, start)
		if j < len(b) && b[j] != '<' {
			what := "before"
			if r.root {
				what = "after"
			}
			return r.fail(j, Outside, "text %s the root element", what), false
		}
		r.i = j
		return false, true
	}
	j := start
	exact := true
	r.buf = r.buf[:0]
	mark := start // input up to mark is in buf when not exact
	flush := func(to int) {
		r.buf = append(r.buf, b[mark:to]...)
		exact = false
	}
	var bad Cause
scan:
	for {
		j = plainText(b, j)
		if j >= len(b) {
			break
		}
		switch c := b[j]; {
		case c == '<':
			break scan
		case c == ']':
			if bytes.HasPrefix(b[j:], []byte("]]>")) {
				bad = CDataEnd
				break scan
			}
			j++
		case c == '\r':
			flush(j)
			r.buf = append(r.buf, '\n')
			j++
			if j < len(b) && b[j] == '\n' {
				j++
			}
			mark = j
		case c == '&':
			v, n := entity(b[j:])
			if n == 0 {
				bad = BadEntity
				break scan
			}
			flush(j)
			r.buf = utf8.AppendRune(r.buf, v)
			j += n
			mark = j
		case c >= utf8.RuneSelf:
			n := charLen(b[j:])
			if n == 0 {
				bad = BadChar
				break scan
			}
			j += n
		default:
			bad = BadChar
			break scan
		}
	}
	if j == start {
		switch bad {
		case CDataEnd:
			return r.fail(j, CDataEnd, `"]]>" in character data`), false
		case BadEntity:
			return r.badEntity(j), false
		case BadChar:
			return r.badChar(j), false
		}
	}
	r.ev = Event{Kind: Text, Off: start, End: j, TextOff: start, TextEnd: j, Text: b[start:j:j], Exact: true, Depth: len(r.stack)}
	if !exact {
		r.buf = append(r.buf, b[mark:j]...)
		r.ev.Text, r.ev.Exact = r.buf, false
	}
	r.i = j
	return true, false
}

// PlainText returns where the run of plain character data that begins at j ends: ASCII without markup, entities, CR and
// "]", which stands for itself.
func PlainText(b []byte, j int) int { return plainText(b, j) }

// PlainValue is the same for an attribute value, which ends at either quote.
func PlainValue(b []byte, j int) int {
	for j < len(b) && class[b[j]]&cValue != 0 {
		j++
	}
	return j
}

// plainText skips character data of class cText from j on, eight octets at a time where they are far from its borders.
func plainText(b []byte, j int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for j+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[j:])
		// An octet of none of these has its high bit clear throughout: not ASCII, below a blank, "<", "&", "]". What is
		// above the first odd octet may be wrong, so that the octets of such a word are looked at one by one.
		odd := x | (x - 0x20*ones) | zeros(x^'<'*ones) | zeros(x^'&'*ones) | zeros(x^']'*ones)
		if odd&highs != 0 {
			break
		}
		j += 8
	}
	for j < len(b) && class[b[j]]&cText != 0 {
		j++
	}
	return j
}

// zeros has a high bit set where x may have a zero octet, and at least one when it has.
func zeros(x uint64) uint64 { return (x - 0x0101010101010101) &^ x }

func (r *Reader) badEntity(at int) bool {
	s := clip(r.b[at:])
	if i := bytes.IndexByte(s, ';'); i >= 0 {
		s = s[:i+1]
	} else if len(r.b)-at < 12 && !bytes.ContainsAny(s, " <\"'\n") {
		return r.fail(len(r.b), Truncated, "document ends in an entity reference")
	}
	return r.fail(at, BadEntity, "%q is no entity XML knows without a document type", s)
}

func (r *Reader) badChar(at int) bool {
	if c := r.b[at]; c < utf8.RuneSelf {
		return r.fail(at, BadChar, "character %U is not allowed in XML", c)
	}
	v, n := utf8.DecodeRune(r.b[at:])
	if v == utf8.RuneError && n <= 1 {
		return r.fail(at, BadChar, "octets %x are not UTF-8", r.b[at:min(at+4, len(r.b))])
	}
	return r.fail(at, BadChar, "character %U is not allowed in XML", v)
}

// charLen is the length of the character at the front of b, which is not ASCII; 0 when XML does not allow it.
func charLen(b []byte) int {
	v, n := utf8.DecodeRune(b)
	if v == utf8.RuneError && n <= 1 || v == 0xfffe || v == 0xffff {
		return 0
	}
	return n
}

func isChar(v rune) bool {
	return v == '\t' || v == '\n' || v == '\r' || v >= 0x20 && v <= 0xd7ff || v >= 0xe000 && v <= 0xfffd || v >= 0x10000 && v <= 0x10ffff
}

// entity reads the reference at the front of b, which begins with "&". n is 0 when there is none.
func entity(b []byte) (v rune, n int) {
	switch {
	case bytes.HasPrefix(b, []byte("&amp;")):
		return '&', 5
	case bytes.HasPrefix(b, []byte("&lt;")):
		return '<', 4
	case bytes.HasPrefix(b, []byte("&gt;")):
		return '>', 4
	case bytes.HasPrefix(b, []byte("&quot;")):
		return '"', 6
	case bytes.HasPrefix(b, []byte("&apos;")):
		return '\'', 6
	case len(b) < 4 || b[1] != '#':
		return 0, 0
	}
	i, base := 2, rune(10)
	if b[2] == 'x' {
		i, base = 3, 16
	}
	first := i
	for ; i < len(b) && b[i] != ';'; i++ {
		var d rune
		switch c := b[i]; {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case base == 16 && c >= 'a' && c <= 'f':
			d = rune(c-'a') + 10
		case base == 16 && c >= 'A' && c <= 'F':
			d = rune(c-'A') + 10
		default:
			return 0, 0
		}
		if v = v*base + d; v > 0x10ffff {
			return 0, 0
		}
	}
	if i == first || i >= len(b) || !isChar(v) {
		return 0, 0
	}
	return v, i + 1
}

// checkChars finds the first character that XML does not allow, or -1, and whether there is a CR.
func checkChars(b []byte) (bad int, cr bool) {
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c >= 0x20 && c < utf8.RuneSelf, c == '\t', c == '\n':
			i++
		case c == '\r':
			cr = true
			i++
		case c < utf8.RuneSelf:
			return i, cr
		default:
			n := charLen(b[i:])
			if n == 0 {
				return i, cr
			}
			i += n
		}
	}
	return -1, cr
}

// raw makes an event whose content has no entities: CDATA, comment, PI.
func (r *Reader) raw(k Kind, from, to, end int) bool {
	bad, cr := checkChars(r.b[from:to])
	if bad >= 0 {
		return r.badChar(from + bad)
	}
	r.ev = Event{Kind: k, Off: r.i, End: end, TextOff: from, TextEnd: to, Text: r.b[from:to:to], Exact: !cr, Depth: len(r.stack)}
	if cr {
		r.buf = r.buf[:0]
		for i := from; i < to; i++ {
			c := r.b[i]
			if c == '\r' {
				c = '\n'
				if i+1 < to && r.b[i+1] == '\n' {
					i++
				}
			}
			r.buf = append(r.buf, c)
		}
		r.ev.Text = r.buf
	}
	r.i = end
	return true
}

func (r *Reader) bang() bool {
	b, i := r.b, r.i
	switch {
	case bytes.HasPrefix(b[i:], []byte("<!--")):
		n := bytes.Index(b[i+4:], []byte("--"))
		if n < 0 {
			return r.fail(len(b), Truncated, "comment does not end")
		}
		e := i + 4 + n
		if e+2 >= len(b) {
			return r.fail(len(b), Truncated, "comment does not end")
		}
		if b[e+2] != '>' {
			return r.fail(e, BadComment, `"--" inside a comment`)
		}
		return r.raw(Comment, i+4, e, e+3)
	case bytes.HasPrefix(b[i:], []byte("<![CDATA[")):
		if len(r.stack) == 0 && !r.content {
			return r.fail(i, Outside, "CDATA section beside the root element")
		}
		n := bytes.Index(b[i+9:], []byte("]]>"))
		if n < 0 {
			return r.fail(len(b), Truncated, "CDATA section does not end")
		}
		return r.raw(CData, i+9, i+9+n, i+n+12)
	case bytes.HasPrefix(b[i:], []byte("<!DOCTYPE")):
		return r.fail(i, Doctype, "document type declaration is not accepted")
	case bytes.HasPrefix([]byte("<!--"), b[i:]), bytes.HasPrefix([]byte("<![CDATA["), b[i:]), bytes.HasPrefix([]byte("<!DOCTYPE"), b[i:]):
		return r.fail(len(b), Truncated, "document ends in markup")
	}
	return r.fail(i, Syntax, "%q begins no markup XML has here", clip(b[i:min(i+12, len(b))]))
}

func (r *Reader) pi() bool {
	b, i := r.b, r.i
	j, colon := r.name(i + 2)
	if j < 0 {
		return false
	}
	target := b[i+2 : j]
	if bytes.EqualFold(target, []byte("xml")) {
		return r.fail(i, BadDecl, "XML declaration out of place")
	}
	if colon >= 0 {
		r.nsFail(i, "target of a processing instruction holds a colon")
	}
	n := bytes.Index(b[j:], []byte("?>"))
	if n < 0 {
		return r.fail(len(b), Truncated, "processing instruction does not end")
	}
	from := skipSpace(b[:j+n], j)
	if from == j && n > 0 {
		return r.fail(j, Syntax, "processing instruction lacks white space after its target")
	}
	if !r.raw(PI, from, j+n, j+n+2) {
		return false
	}
	r.ev.Local = target
	return true
}

// name reads a name from i on and returns its end and the index of its first colon, or -1; the end is -1 at an error.
func (r *Reader) name(i int) (end, colon int) {
	b, colon := r.b, -1
	if i >= len(b) {
		r.fail(len(b), Truncated, "document ends where a name is due")
		return -1, -1
	}
	j := i
	for j < len(b) {
		c := b[j]
		if class[c]&cName != 0 {
			if j == i && class[c]&cNameStart == 0 {
				r.fail(i, BadName, "a name cannot begin with %q", c)
				return -1, -1
			}
			j++
			continue
		}
		if c == ':' {
			if colon < 0 {
				colon = j
			}
			j++
			continue
		}
		if c < utf8.RuneSelf {
			break
		}
		v, n := utf8.DecodeRune(b[j:])
		if v == utf8.RuneError && n <= 1 {
			r.badChar(j)
			return -1, -1
		}
		if !nameRune(v, j == i) {
			break
		}
		j += n
	}
	if j == i {
		r.fail(i, BadName, "%q where a name is due", clip(b[i:min(i+8, len(b))]))
		return -1, -1
	}
	return j, colon
}

// nameRune tells whether a character outside ASCII may stand in a name (XML 1.0 fifth edition, productions 4 and 4a).
func nameRune(v rune, first bool) bool {
	switch {
	case v >= 0xc0 && v <= 0x2ff:
		return v != 0xd7 && v != 0xf7
	case v >= 0x370 && v <= 0x1fff:
		return v != 0x37e
	case v == 0x200c, v == 0x200d, v >= 0x2070 && v <= 0x218f, v >= 0x2c00 && v <= 0x2fef, v >= 0x3001 && v <= 0xd7ff,
		v >= 0xf900 && v <= 0xfdcf, v >= 0xfdf0 && v <= 0xfffd, v >= 0x10000 && v <= 0xeffff:
		return true
	case first:
		return false
	}
	return v == 0xb7 || v >= 0x300 && v <= 0x36f || v == 0x203f || v == 0x2040
}

// split takes a qualified name apart.
func (r *Reader) split(i, j, colon int) (prefix, local []byte) {
	b := r.b
	if colon < 0 {
		return nil, b[i:j:j]
	}
	if colon == i || colon == j-1 || bytes.IndexByte(b[colon+1:j], ':') >= 0 {
		r.nsFail(i, "%q is not a qualified name", clip(b[i:j]))
		return nil, b[i:j:j]
	}
	return b[i:colon:colon], b[colon+1 : j : j]
}

const (
	xmlSpace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsSpace = "http://www.w3.org/2000/xmlns/"
)

var xmlURI, xmlnsURI = []byte(xmlSpace), []byte(xmlnsSpace)

// Lookup resolves a prefix ("" is the default name space) at the current place. ok is false for an undeclared prefix.
func (r *Reader) Lookup(prefix []byte) (uri []byte, ok bool) {
	for k := len(r.ns) - 1; k >= 0; k-- {
		if bytes.Equal(r.ns[k].Prefix, prefix) {
			if len(r.ns[k].URI) == 0 {
				return nil, len(prefix) == 0
			}
			return r.ns[k].URI, true
		}
	}
	if len(prefix) == 0 {
		return nil, true
	}
	if string(prefix) == "xml" {
		return xmlURI, true
	}
	return nil, false
}

func (r *Reader) startTag() bool {
	b, start := r.b, r.i
	if !r.content && len(r.stack) == 0 && r.root {
		return r.fail(start, Outside, "second root element")
	}
	j, colon := r.name(start + 1)
	if j < 0 {
		return false
	}
	nameEnd := j
	if len(r.stack) >= r.lim.Depth {
		return r.fail(start, LimitDepth, "elements are nested deeper than %d", r.lim.Depth)
	}
	if r.items++; r.items > r.lim.Items {
		return r.fail(start, LimitItems, "document has more than %d elements and attributes", r.lim.Items)
	}
	r.attrs, r.buf = r.attrs[:0], r.buf[:0]
	scope := len(r.ns)
	empty := false
	for {
		k := skipSpace(b, j)
		if k >= len(b) {
			return r.fail(len(b), Truncated, "document ends in a tag")
		}
		if b[k] == '>' {
			j = k + 1
			break
		}
		if b[k] == '/' {
			if k+1 >= len(b) {
				return r.fail(len(b), Truncated, "document ends in a tag")
			}
			if b[k+1] != '>' {
				return r.fail(k, Syntax, `"/" in a start tag is not followed by ">"`)
			}
			j, empty = k+2, true
			break
		}
		if k == j {
			return r.fail(k, Syntax, "%q in a start tag", clip(b[k:min(k+8, len(b))]))
		}
		if r.items++; r.items > r.lim.Items {
			return r.fail(k, LimitItems, "document has more than %d elements and attributes", r.lim.Items)
		}
		if j = r.attr(k); j < 0 {
			return false
		}
	}
	// Name spaces are resolved when all declarations of the tag are known.
	el := element{ns: scope}
	el.prefix, el.local = r.split(start+1, nameEnd, colon)
	var ok bool
	if el.space, ok = r.Lookup(el.prefix); !ok {
		r.nsFail(start+1, "prefix %q is not declared", clip(el.prefix))
	}
	for k := range r.attrs {
		a := &r.attrs[k]
		if a.Decl || len(a.Prefix) == 0 {
			continue
		}
		if a.Space, ok = r.Lookup(a.Prefix); !ok {
			r.nsFail(a.Off, "prefix %q is not declared", clip(a.Prefix))
		}
	}
	if len(r.attrs) > 1 && !r.unique() {
		return false
	}
	r.stack = append(r.stack, el)
	r.root = true
	r.half = empty
	r.ev = Event{Kind: Start, Prefix: el.prefix, Local: el.local, Space: el.space, Attrs: r.attrs, Off: start, End: j, Empty: empty, Depth: len(r.stack)}
	r.i = j
	return true
}

// attr reads one attribute at k and returns the offset after it, or -1.
func (r *Reader) attr(k int) int {
	b := r.b
	j, colon := r.name(k)
	if j < 0 {
		return -1
	}
	// An attribute that fails is left in the list; nobody sees it, for the document ends here.
	r.attrs = append(r.attrs, Attr{Off: k})
	a := &r.attrs[len(r.attrs)-1]
	a.Prefix, a.Local = r.split(k, j, colon)
	v := skipSpace(b, j)
	if v >= len(b) {
		r.fail(len(b), Truncated, "document ends in a tag")
		return -1
	}
	if b[v] != '=' {
		r.fail(v, BadAttr, "attribute %q has no value", clip(b[k:j]))
		return -1
	}
	v = skipSpace(b, v+1)
	if v >= len(b) {
		r.fail(len(b), Truncated, "document ends in a tag")
		return -1
	}
	q := b[v]
	if q != '"' && q != '\'' {
		r.fail(v, BadAttr, "value of attribute %q is not quoted", clip(b[k:j]))
		return -1
	}
	v++
	e := v
	for e < len(b) && class[b[e]]&cValue != 0 {
		e++
	}
	if e < len(b) && b[e] == q {
		a.Value, a.Exact = b[v:e:e], true
	} else if e = r.value(a, v, e, q); e < 0 {
		return -1
	}
	a.ValOff, a.ValEnd, a.End = v, e, e+1
	end := a.End
	switch {
	case len(a.Prefix) == 0 && string(a.Local) == "xmlns":
		a.Decl, a.Space = true, xmlnsURI
		if s := string(a.Value); s == xmlSpace || s == xmlnsSpace {
			r.nsFail(k, "reserved name space as the default")
		}
		if !r.bind(k, nil, a) {
			return -1
		}
	case string(a.Prefix) == "xmlns":
		a.Decl, a.Space = true, xmlnsURI
		switch {
		case len(a.Value) == 0:
			r.nsFail(k, "prefix %q is bound to nothing", clip(a.Local))
		case string(a.Local) == "xmlns", (string(a.Local) == "xml") != (string(a.Value) == xmlSpace), string(a.Value) == xmlnsSpace:
			r.nsFail(k, "reserved prefix or name space is bound")
		}
		if !r.bind(k, a.Local, a) {
			return -1
		}
	}
	return end
}

// value reads the value of an attribute that begins at v and was plain up to e; q is its quote. It returns the offset
// of the closing quote, or -1.
func (r *Reader) value(a *Attr, v, e int, q byte) int {
	b, mark := r.b, v
	from := len(r.buf)
	a.Exact = true
	flush := func(c rune, n int) {
		r.buf = append(r.buf, b[mark:e]...)
		r.buf = utf8.AppendRune(r.buf, c)
		e += n
		mark = e
		a.Exact = false
	}
	for {
		for e < len(b) && class[b[e]]&cValue != 0 {
			e++
		}
		if e >= len(b) {
			r.fail(len(b), Truncated, "document ends in an attribute value")
			return -1
		}
		c := b[e]
		if c == q {
			break
		}
		switch {
		case c == '"', c == '\'':
			e++
		case c == '<':
			r.fail(e, BadAttr, `"<" in an attribute value`)
			return -1
		case c == '\r' && e+1 < len(b) && b[e+1] == '\n':
			flush(' ', 2)
		case c == '\t', c == '\n', c == '\r':
			flush(' ', 1)
		case c == '&':
			x, n := entity(b[e:])
			if n == 0 {
				r.badEntity(e)
				return -1
			}
			flush(x, n)
		default:
			n := 0
			if c >= utf8.RuneSelf {
				n = charLen(b[e:])
			}
			if n == 0 {
				r.badChar(e)
				return -1
			}
			e += n
		}
	}
	if a.Exact {
		a.Value = b[v:e:e]
	} else {
		r.buf = append(r.buf, b[mark:e]...)
		a.Value = r.buf[from:len(r.buf):len(r.buf)]
	}
	return e
}

func (r *Reader) bind(at int, prefix []byte, a *Attr) bool {
	if len(r.ns) >= r.lim.Namespaces {
		return r.fail(at, LimitItems, "more than %d name spaces are in scope", r.lim.Namespaces)
	}
	uri := a.Value
	if !a.Exact {
		uri = bytes.Clone(uri) // the buffer is used again
	}
	r.ns = append(r.ns, Binding{prefix, uri})
	return true
}

// unique checks that no attribute occurs twice, by name as written and by name space.
func (r *Reader) unique() bool {
	as := r.attrs
	twice := func(a *Attr) bool {
		return r.fail(a.Off, DuplicateAttr, "attribute %q occurs twice", clip(a.Local))
	}
	if len(as) <= 12 {
		for i := range as {
			for j := range i {
				if !bytes.Equal(as[i].Local, as[j].Local) {
					continue
				}
				if bytes.Equal(as[i].Prefix, as[j].Prefix) {
					return twice(&as[i])
				}
				if len(as[i].Prefix) > 0 && len(as[j].Prefix) > 0 && len(as[i].Space) > 0 && bytes.Equal(as[i].Space, as[j].Space) {
					r.nsFail(as[i].Off, "attribute %q occurs twice in one name space", clip(as[i].Local))
				}
			}
		}
		return true
	}
	type key struct{ a, b string }
	names, spaces := make(map[key]bool, len(as)), make(map[key]bool, len(as))
	for i := range as {
		k := key{string(as[i].Prefix), string(as[i].Local)}
		if names[k] {
			return twice(&as[i])
		}
		names[k] = true
		if len(as[i].Prefix) > 0 && len(as[i].Space) > 0 {
			k.a = string(as[i].Space)
			if spaces[k] {
				r.nsFail(as[i].Off, "attribute %q occurs twice in one name space", clip(as[i].Local))
			}
			spaces[k] = true
		}
	}
	return true
}

func (r *Reader) endTag() bool {
	b, start := r.b, r.i
	if len(r.stack) == 0 {
		return r.fail(start, Mismatch, "end tag without a start tag")
	}
	el := &r.stack[len(r.stack)-1]
	// The common end tag repeats the name as it was; no name has to be scanned for it.
	j := start + 2
	n := len(el.local)
	if len(el.prefix) > 0 {
		n += len(el.prefix) + 1
	}
	end := j + n
	if end < len(b) && (b[end] == '>' || class[b[end]]&cSpace != 0) && sameName(b[j:end], el) {
		end = skipSpace(b, end)
	} else {
		e, _ := r.name(j)
		if e < 0 {
			return false
		}
		if e < len(b) && !sameName(b[j:e], el) {
			return r.fail(start, Mismatch, "end tag %q closes element %q", clip(b[j:e]), clip(el.local))
		}
		end = skipSpace(b, e)
	}
	if end >= len(b) {
		return r.fail(len(b), Truncated, "document ends in a tag")
	}
	if b[end] != '>' {
		return r.fail(end, Syntax, "%q in an end tag", clip(b[end:min(end+8, len(b))]))
	}
	r.i = end + 1
	return r.pop(start, end+1)
}

func sameName(b []byte, el *element) bool {
	if p := len(el.prefix); p > 0 {
		return len(b) == p+1+len(el.local) && b[p] == ':' && bytes.Equal(b[:p], el.prefix) && bytes.Equal(b[p+1:], el.local)
	}
	return bytes.Equal(b, el.local)
}

func (r *Reader) pop(off, end int) bool {
	k := len(r.stack) - 1
	el := r.stack[k]
	r.stack = r.stack[:k]
	r.ns = r.ns[:el.ns]
	r.ev = Event{Kind: End, Prefix: el.prefix, Local: el.local, Space: el.space, Off: off, End: end, Depth: k + 1}
	return true
}
