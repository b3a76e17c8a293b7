package xmlsec

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Limits bound what [Parse] accepts. The zero value of a member means its
// default; nothing is ever unlimited.
type Limits struct {
	Bytes         int // octets of input; default 8 MiB
	Depth         int // nested elements; default 64
	Elements      int // elements; default 65536
	Nodes         int // elements, texts, comments and processing instructions; default 131072
	Attributes    int // attributes and namespace declarations of one element; default 128
	AllAttributes int // the same over the document; default 131072
	Name          int // octets of one name; default 1024
}

// Defaults of [Limits].
const (
	DefaultBytes         = 8 << 20
	DefaultDepth         = 64
	DefaultElements      = 1 << 16
	DefaultNodes         = 1 << 17
	DefaultAttributes    = 128
	DefaultAllAttributes = 1 << 17
	DefaultName          = 1024
)

func (l Limits) check() (Limits, error) {
	for _, m := range []struct {
		v    *int
		def  int
		name string
	}{
		{&l.Bytes, DefaultBytes, "Bytes"}, {&l.Depth, DefaultDepth, "Depth"},
		{&l.Elements, DefaultElements, "Elements"}, {&l.Nodes, DefaultNodes, "Nodes"},
		{&l.Attributes, DefaultAttributes, "Attributes"}, {&l.AllAttributes, DefaultAllAttributes, "AllAttributes"},
		{&l.Name, DefaultName, "Name"},
	} {
		if *m.v < 0 {
			return l, fmt.Errorf("xmlsec: Limits.%s is negative", m.name)
		}
		if *m.v == 0 {
			*m.v = m.def
		}
	}
	return l, nil
}

// Parse reads one XML document: XML 1.0 in UTF-8 with or without a byte order
// mark, namespace-well-formed, without a document type declaration and hence
// without entities beyond the five predefined ones. The octets are checked in
// one linear pass which also builds the tree; etree's own reader, which is more
// forgiving, never sees them. Attribute values and line ends are normalised as
// XML 1.0 2.11 and 3.3.3 say, so that the tree is fit for canonicalisation.
//
// On error the returned document holds what was read before the defect, with
// open elements closed there, and Partial is set.
func Parse(b []byte, lim Limits) (*Doc, error) {
	lim, err := lim.check()
	d := &Doc{Tree: etree.NewDocument(), Source: b, info: make(map[*etree.Element]*elementInfo, len(b)/64)}
	if err != nil {
		d.Partial = true
		return d, err
	}
	p := parser{lim: lim, doc: d}
	return d, p.run(b, &d.Tree.Element)
}

// Context is the surrounding of a decrypted fragment: the element whose content
// it is, and the namespaces in scope there.
type Context struct {
	Tag        string            // with its prefix; empty gives "fragment"
	Namespaces map[string]string // prefix (empty: default namespace) to name
}

// ParseFragment reads element content, that is text, elements or a mixture of
// both, as it comes out of [Decrypt]. The result's root is a shell: an element
// named as the context says which declares the context's namespaces and has the
// fragment as its content. The limits and the error are as for [Parse];
// octet offsets count from the beginning of plain.
func ParseFragment(plain []byte, ctx Context, lim Limits) (*Doc, error) {
	lim, err := lim.check()
	d := &Doc{Tree: etree.NewDocument(), Source: plain, info: make(map[*etree.Element]*elementInfo, 4)}
	if err != nil {
		d.Partial = true
		return d, err
	}
	p := parser{lim: lim, doc: d, fragment: true}
	tag := ctx.Tag
	if tag == "" {
		tag = "fragment"
	}
	if prefix, local, ok := strings.Cut(tag, ":"); ok && ctx.Namespaces[prefix] == "" {
		tag = local
	}
	shell := d.Tree.CreateElement(tag)
	for _, prefix := range sortedKeys(ctx.Namespaces) {
		uri := ctx.Namespaces[prefix]
		switch {
		case prefix == "xml" || prefix == "xmlns" || prefix != "" && uri == "":
			continue // not declarable
		case prefix == "":
			if uri == "" {
				continue
			}
			shell.CreateAttr("xmlns", uri)
		default:
			shell.CreateAttr("xmlns:"+prefix, uri)
		}
		p.ns.bind(prefix, uri)
	}
	uri, _ := p.ns.lookup(shell.Space)
	d.info[shell] = &elementInfo{span: Span{0, len(plain)}, content: Span{0, len(plain)}, ns: uri,
		attrs: make([]attrInfo, len(shell.Attr))}
	return d, p.run(plain, shell)
}

type parser struct {
	lim      Limits
	doc      *Doc
	s        string // the input up to the first octet that is no character
	i        int
	fragment bool
	ns       scope
	open     []openElement
	cur      *etree.Element
	root     bool // root element seen
	ran      bool // ran out of input
	elements int
	nodes    int
	attrs    int
	seen     map[string]struct{} // attribute names of one element, when there are many
	raw      []rawAttr
	spare    []parsedElement // allocated in lots
}

type parsedElement struct {
	el   etree.Element
	info elementInfo
}

type openElement struct {
	el   *etree.Element
	info *elementInfo
	name string
	mark int
}

type rawAttr struct {
	prefix, local string
	value         string
	span          Span
	off           int
	ns            string
}

func (p *parser) run(b []byte, into *etree.Element) error {
	p.cur = into
	s := string(b)
	var cut *Error
	if len(s) > p.lim.Bytes {
		cut = &Error{p.lim.Bytes, "document", "", fmt.Sprintf("more than %d octets", p.lim.Bytes), ErrLimit}
		s = s[:p.lim.Bytes]
	}
	if off, what := badCharacter(s); off >= 0 {
		spec, kind := "XML 1.0 2.2", ErrSyntax
		if what == "" {
			spec, what, kind = "XML 1.0 4.3.3", "not UTF-8", ErrEncoding
			if off == 0 && len(s) > 1 && (s[0] == 0xfe && s[1] == 0xff || s[0] == 0xff && s[1] == 0xfe) {
				what = "UTF-16 is not supported"
			}
		}
		cut = &Error{off, "character", spec, what, kind}
		s = s[:off]
	}
	p.s = s
	err := p.document()
	if cut != nil && (err == nil || p.ran || err.Off >= cut.Off) {
		err = cut
	}
	if err == nil {
		return nil
	}
	p.doc.Partial = true
	for _, o := range p.open {
		o.info.content.End, o.info.span.End = p.i, p.i
	}
	return err
}

// badCharacter finds the first octet that does not belong to a Char (XML 1.0
// 2.2), or -1. An empty text means that the octets are not UTF-8 at all.
func badCharacter(s string) (int, string) {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
				return i, fmt.Sprintf("U+%04X is no XML character", c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n <= 1 {
			return i, ""
		}
		if r == 0xfffe || r == 0xffff {
			return i, fmt.Sprintf("U+%04X is no XML character", r)
		}
		i += n
	}
	return -1, ""
}

func (p *parser) syntax(off int, field, spec, what string) *Error {
	return &Error{off, field, spec, what, ErrSyntax}
}

// early is syntax for running out of input; when the input was cut off at an
// octet that is no character, or at the limit, that is the defect to report.
func (p *parser) early(off int, field, spec, what string) *Error {
	p.ran = true
	return p.syntax(off, field, spec, what)
}

func (p *parser) limit(off int, field string, n int) *Error {
	return &Error{off, field, "", fmt.Sprintf("more than %d", n), ErrLimit}
}

func (p *parser) document() *Error {
	if strings.HasPrefix(p.s, "\ufeff") {
		p.i = 3
	}
	if strings.HasPrefix(p.s[p.i:], "<?xml") && len(p.s) > p.i+5 && (isSpace(p.s[p.i+5]) || p.s[p.i+5] == '?') {
		if err := p.declaration(); err != nil {
			return err
		}
	}
	for p.i < len(p.s) {
		var err *Error
		if p.s[p.i] != '<' {
			err = p.text()
		} else if p.i+1 == len(p.s) {
			err = p.early(p.i, "markup", "XML 1.0 2.4", "document ends early")
		} else {
			switch p.s[p.i+1] {
			case '/':
				err = p.endTag()
			case '?':
				err = p.instruction()
			case '!':
				err = p.bang()
			default:
				err = p.startTag()
			}
		}
		if err != nil {
			return err
		}
	}
	switch {
	case len(p.open) > 0:
		return p.early(p.i, "element", "XML 1.0 2.1", "document ends inside an element")
	case !p.fragment && !p.root:
		return p.early(p.i, "document", "XML 1.0 2.1", "no root element")
	}
	return nil
}

func (p *parser) inContent() bool { return p.fragment || len(p.open) > 0 }

func (p *parser) countNode(off int) *Error {
	if p.nodes++; p.nodes > p.lim.Nodes {
		return p.limit(off, "nodes", p.lim.Nodes)
	}
	return nil
}

// declaration reads the XML declaration (XML 1.0 2.8).
func (p *parser) declaration() *Error {
	const field, spec = "XML declaration", "XML 1.0 2.8"
	start := p.i
	end := strings.Index(p.s[p.i:], "?>")
	if end < 0 {
		return p.early(start, field, spec, "not terminated")
	}
	body, at := p.s[start+5:start+end], start+5
	next := start + end + 2
	order := 0
	for {
		n := 0
		for n < len(body) && isSpace(body[n]) {
			n++
		}
		if n == len(body) {
			break
		}
		if n == 0 {
			return p.syntax(at, field, spec, "white space expected")
		}
		body, at = body[n:], at+n
		name, rest, ok := strings.Cut(body, "=")
		if !ok {
			return p.syntax(at, field, spec, "pseudo-attribute without a value")
		}
		name = strings.TrimRight(name, " \t\r\n")
		value := strings.TrimLeft(rest, " \t\r\n")
		if value == "" || value[0] != '"' && value[0] != '\'' {
			return p.syntax(at, field, spec, "value not quoted")
		}
		q := strings.IndexByte(value[1:], value[0])
		if q < 0 {
			return p.syntax(at, field, spec, "value not terminated")
		}
		v := value[1 : 1+q]
		switch {
		case name == "version" && order == 0:
			if v != "1.0" {
				return p.syntax(at, field, spec, "version is not 1.0")
			}
			order = 1
		case name == "encoding" && order == 1:
			if !strings.EqualFold(v, "UTF-8") {
				return &Error{at, field, "XML 1.0 4.3.3", "declared encoding is not UTF-8", ErrEncoding}
			}
			order = 2
		case name == "standalone" && (order == 1 || order == 2):
			if v != "yes" && v != "no" {
				return p.syntax(at, field, "XML 1.0 2.9", "standalone is neither yes nor no")
			}
			order = 3
		default:
			return p.syntax(at, field, spec, "unknown or misplaced pseudo-attribute")
		}
		tail := value[2+q:]
		at += len(body) - len(tail)
		body = tail
	}
	if order == 0 {
		return p.syntax(start, field, spec, "version missing")
	}
	if !p.fragment {
		p.cur.CreateProcInst("xml", strings.TrimLeft(p.s[start+5:next-2], " \t\r\n"))
	}
	p.i = next
	return nil
}

func (p *parser) text() *Error {
	start := p.i
	n := strings.IndexByte(p.s[start:], '<')
	if n < 0 {
		n = len(p.s) - start
	}
	raw := p.s[start : start+n]
	if !p.inContent() {
		for i := range len(raw) {
			if !isSpace(raw[i]) {
				if p.root {
					return p.syntax(start+i, "document", "XML 1.0 2.1", "text after the root element")
				}
				return p.syntax(start+i, "document", "XML 1.0 2.1", "text before the root element")
			}
		}
		p.i += n
		return nil
	}
	if i := strings.Index(raw, "]]>"); i >= 0 {
		return p.syntax(start+i, "text", "XML 1.0 2.4", "]]> outside a CDATA section")
	}
	if err := p.countNode(start); err != nil {
		return err
	}
	v, err := p.decode(raw, start, "text", false)
	if err != nil {
		return err
	}
	p.cur.CreateText(v)
	p.i += n
	return nil
}

// decode resolves references and normalises line ends (XML 1.0 2.11) and, in an
// attribute value, white space (3.3.3). A white space character that was written
// as a reference stays what it is, which cannot be told any more once the
// references are gone: hence a tokenizer of our own.
func (p *parser) decode(raw string, off int, field string, attr bool) (string, *Error) {
	special := "&\r"
	if attr {
		special = "&\r\n\t"
	}
	k := strings.IndexAny(raw, special)
	if k < 0 {
		return raw, nil
	}
	var b strings.Builder
	b.Grow(len(raw))
	for {
		b.WriteString(raw[:k])
		switch c := raw[k]; c {
		case '&':
			r, n, err := p.reference(raw[k:], off+k, field)
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
			k += n
		default:
			k++
			if c == '\r' {
				if k < len(raw) && raw[k] == '\n' {
					k++
				}
				c = '\n'
			}
			if attr {
				c = ' '
			}
			b.WriteByte(c)
		}
		raw, off = raw[k:], off+k
		if k = strings.IndexAny(raw, special); k < 0 {
			b.WriteString(raw)
			return b.String(), nil
		}
	}
}

// reference reads a character or entity reference (XML 1.0 4.1) at the start of s.
func (p *parser) reference(s string, off int, field string) (rune, int, *Error) {
	const spec = "XML 1.0 4.1"
	if len(s) > 1 && s[1] == '#' {
		i, base, digits := 2, rune(10), 0
		if len(s) > 2 && s[2] == 'x' {
			i, base = 3, 16
		}
		var r rune
		for ; i < len(s); i++ {
			d := rune(hexDigit(s[i]))
			if d < 0 || d >= base {
				break
			}
			digits++
			if r = r*base + d; r > utf8.MaxRune {
				r = utf8.MaxRune + 1 // stays invalid, cannot overflow
			}
		}
		if digits == 0 || i == len(s) || s[i] != ';' {
			return 0, 0, p.syntax(off, field, spec, "malformed character reference")
		}
		if !isChar(r) {
			return 0, 0, p.syntax(off, field, spec, "reference to what is no XML character")
		}
		return r, i + 1, nil
	}
	for _, e := range predefined {
		if strings.HasPrefix(s[1:], e.name) {
			return e.r, 1 + len(e.name), nil
		}
	}
	n := 1
	for n < len(s) && n <= p.lim.Name && s[n] != ';' && isNameOctet(s[n]) {
		n++
	}
	if n > 1 && n < len(s) && s[n] == ';' {
		return 0, 0, &Error{off, field, spec, "undefined entity", ErrEntity}
	}
	return 0, 0, p.syntax(off, field, spec, "ampersand that begins no reference")
}

var predefined = [...]struct {
	name string
	r    rune
}{{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}}

func (p *parser) bang() *Error {
	start := p.i
	rest := p.s[start:]
	switch {
	case strings.HasPrefix(rest, "<!--"):
		const field, spec = "comment", "XML 1.0 2.5"
		n := strings.Index(rest[4:], "--")
		if n < 0 {
			return p.early(start, field, spec, "not terminated")
		}
		if !strings.HasPrefix(rest[4+n+2:], ">") {
			return p.syntax(start+4+n, field, spec, "-- inside a comment")
		}
		if err := p.countNode(start); err != nil {
			return err
		}
		p.cur.CreateComment(lineEnds(rest[4 : 4+n]))
		p.i += 4 + n + 3
	case strings.HasPrefix(rest, "<![CDATA["):
		const field, spec = "CDATA section", "XML 1.0 2.7"
		if !p.inContent() {
			return p.syntax(start, field, spec, "outside the root element")
		}
		n := strings.Index(rest[9:], "]]>")
		if n < 0 {
			return p.early(start, field, spec, "not terminated")
		}
		if err := p.countNode(start); err != nil {
			return err
		}
		p.cur.CreateCData(lineEnds(rest[9 : 9+n]))
		p.i += 9 + n + 3
	case strings.HasPrefix(rest, "<!DOCTYPE"):
		return &Error{start, "document type declaration", "XML 1.0 2.8", "refused", ErrDTD}
	default:
		return p.syntax(start, "markup", "XML 1.0 2.4", "unknown markup declaration")
	}
	return nil
}

// lineEnds is XML 1.0 2.11.
func lineEnds(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

func (p *parser) instruction() *Error {
	const field, spec = "processing instruction", "XML 1.0 2.6"
	start := p.i
	name, err := p.name(start+2, field)
	if err != nil {
		return err
	}
	if strings.EqualFold(name, "xml") {
		return p.syntax(start, field, spec, "XML declaration not at the beginning")
	}
	if strings.IndexByte(name, ':') >= 0 {
		return &Error{start + 2, field, "Namespaces 1.0 7", "colon in the target", ErrNamespace}
	}
	rest := p.s[start+2+len(name):]
	n := strings.Index(rest, "?>")
	if n < 0 {
		return p.early(start, field, spec, "not terminated")
	}
	data := rest[:n]
	if data != "" && !isSpace(data[0]) {
		return p.syntax(start+2+len(name), field, spec, "white space expected after the target")
	}
	if err := p.countNode(start); err != nil {
		return err
	}
	p.cur.CreateProcInst(name, lineEnds(strings.TrimLeft(data, " \t\r\n")))
	p.i = start + 2 + len(name) + n + 2
	return nil
}

func (p *parser) endTag() *Error {
	const field, spec = "end tag", "XML 1.0 3.1"
	start := p.i
	if len(p.open) == 0 {
		return p.syntax(start, field, spec, "no element is open")
	}
	o := &p.open[len(p.open)-1]
	if !strings.HasPrefix(p.s[start+2:], o.name) {
		return p.syntax(start, field, spec, "name differs from the start tag")
	}
	i := start + 2 + len(o.name)
	for i < len(p.s) && isSpace(p.s[i]) {
		i++
	}
	if i == len(p.s) {
		return p.early(i, field, spec, "document ends early")
	}
	if p.s[i] != '>' {
		return p.syntax(start, field, spec, "name differs from the start tag")
	}
	p.i = i + 1
	o.info.content.End = start
	o.info.span.End = p.i
	p.ns.release(o.mark)
	p.cur = o.el.Parent()
	p.open = p.open[:len(p.open)-1]
	return nil
}

// name reads a Name (XML 1.0 2.3) at octet i.
func (p *parser) name(i int, field string) (string, *Error) {
	j := i
	for j < len(p.s) {
		c := p.s[j]
		if c < utf8.RuneSelf {
			if !isNameOctet(c) || j == i && (c == '-' || c == '.' || c >= '0' && c <= '9') {
				break
			}
			j++
			continue
		}
		r, n := utf8.DecodeRuneInString(p.s[j:])
		if !isNameRune(r, j == i) {
			break
		}
		j += n
	}
	if j == i {
		return "", p.syntax(i, field, "XML 1.0 2.3", "name expected")
	}
	if j-i > p.lim.Name {
		return "", p.limit(i, "octets of a name", p.lim.Name)
	}
	return p.s[i:j], nil
}

// qname splits a qualified name (Namespaces 1.0 4).
func (p *parser) qname(name string, off int, field string) (prefix, local string, err *Error) {
	prefix, local, ok := strings.Cut(name, ":")
	if !ok {
		return "", name, nil
	}
	r, _ := utf8.DecodeRuneInString(local)
	if prefix == "" || local == "" || strings.IndexByte(local, ':') >= 0 || !isNameRune(r, true) {
		return "", "", &Error{off, field, "Namespaces 1.0 4", "not a qualified name", ErrNamespace}
	}
	return prefix, local, nil
}

func (p *parser) startTag() *Error {
	const field, spec = "start tag", "XML 1.0 3.1"
	start := p.i
	name, err := p.name(start+1, field)
	if err != nil {
		return err
	}
	if !p.inContent() && p.root {
		return p.syntax(start, "document", "XML 1.0 2.1", "second root element")
	}
	if p.elements++; p.elements > p.lim.Elements {
		return p.limit(start, "elements", p.lim.Elements)
	}
	if err := p.countNode(start); err != nil {
		return err
	}
	if len(p.open) >= p.lim.Depth {
		return p.limit(start, "depth", p.lim.Depth)
	}
	prefix, local, err := p.qname(name, start+1, field)
	if err != nil {
		return err
	}
	i := start + 1 + len(name)
	p.raw = p.raw[:0]
	empty := false
	for {
		j := i
		for j < len(p.s) && isSpace(p.s[j]) {
			j++
		}
		if j == len(p.s) {
			return p.early(j, field, spec, "document ends early")
		}
		if p.s[j] == '>' {
			i = j + 1
			break
		}
		if p.s[j] == '/' {
			if j+1 == len(p.s) {
				return p.early(j+1, field, spec, "document ends early")
			}
			if p.s[j+1] != '>' {
				return p.syntax(j, field, spec, "/ without >")
			}
			i, empty = j+2, true
			break
		}
		if j == i {
			return p.syntax(j, field, spec, "white space expected")
		}
		if i, err = p.attribute(j); err != nil {
			return err
		}
	}

	mark := p.ns.mark()
	if err := p.namespaces(prefix, start); err != nil {
		p.ns.release(mark)
		return err
	}
	uri, _ := p.ns.lookup(prefix)
	if len(p.spare) == 0 {
		p.spare = make([]parsedElement, min(16, p.lim.Elements))
	}
	el, info := &p.spare[0].el, &p.spare[0].info
	p.spare = p.spare[1:]
	el.Space, el.Tag = prefix, local
	p.cur.AddChild(el)
	*info = elementInfo{span: Span{start, i}, content: Span{i, i}, ns: uri}
	if n := len(p.raw); n > 0 {
		info.attrs = make([]attrInfo, n)
		el.Attr = make([]etree.Attr, 0, n)
		for k := range p.raw {
			a := &p.raw[k]
			addAttr(el, a.prefix, a.local, a.value)
			info.attrs[k] = attrInfo{a.span, a.ns}
		}
	}
	p.doc.info[el] = info
	p.root = true
	p.i = i
	if empty {
		p.ns.release(mark)
		return nil
	}
	p.open = append(p.open, openElement{el, info, name, mark})
	p.cur = el
	return nil
}

// addAttr appends an attribute which is known to be new. etree's CreateAttr
// searches for an old one, which is quadratic; a copy of an attribute that
// etree made keeps its hidden pointer to the element.
func addAttr(el *etree.Element, prefix, local, value string) {
	if len(el.Attr) == 0 {
		el.CreateAttr("a", "")
		el.Attr[0].Space, el.Attr[0].Key, el.Attr[0].Value = prefix, local, value
		return
	}
	a := el.Attr[0]
	a.Space, a.Key, a.Value = prefix, local, value
	el.Attr = append(el.Attr, a)
}

// attribute reads one attribute at octet i into p.raw and returns where it ends.
func (p *parser) attribute(i int) (int, *Error) {
	const field, spec = "attribute", "XML 1.0 3.1"
	if len(p.raw) >= p.lim.Attributes {
		return 0, p.limit(i, "attributes of an element", p.lim.Attributes)
	}
	if p.attrs++; p.attrs > p.lim.AllAttributes {
		return 0, p.limit(i, "attributes", p.lim.AllAttributes)
	}
	name, err := p.name(i, field)
	if err != nil {
		return 0, err
	}
	a := rawAttr{off: i}
	if a.prefix, a.local, err = p.qname(name, i, field); err != nil {
		return 0, err
	}
	j := i + len(name)
	for j < len(p.s) && isSpace(p.s[j]) {
		j++
	}
	if j == len(p.s) || p.s[j] != '=' {
		return 0, p.syntax(j, field, spec, "= expected")
	}
	for j++; j < len(p.s) && isSpace(p.s[j]); j++ {
	}
	if j == len(p.s) || p.s[j] != '"' && p.s[j] != '\'' {
		return 0, p.syntax(j, field, spec, "value not quoted")
	}
	n := strings.IndexByte(p.s[j+1:], p.s[j])
	if n < 0 {
		return 0, p.early(j, field, spec, "value not terminated")
	}
	a.span = Span{j + 1, j + 1 + n}
	raw := p.s[a.span.Start:a.span.End]
	if k := strings.IndexByte(raw, '<'); k >= 0 {
		return 0, p.syntax(a.span.Start+k, field, spec, "< in a value")
	}
	if a.value, err = p.decode(raw, a.span.Start, "attribute value", true); err != nil {
		return 0, err
	}
	p.raw = append(p.raw, a)
	return a.span.End + 1, nil
}

// namespaces binds the declarations of one start tag and checks that every
// prefix is declared and no attribute is there twice (Namespaces 1.0 2 to 6).
func (p *parser) namespaces(prefix string, start int) *Error {
	bad := func(off int, spec, what string) *Error {
		return &Error{off, "namespace declaration", spec, what, ErrNamespace}
	}
	for k := range p.raw {
		a := &p.raw[k]
		switch {
		case a.prefix == "" && a.local == "xmlns":
			if a.value == xmlNS || a.value == xmlnsNS {
				return bad(a.off, "Namespaces 1.0 3", "reserved namespace as default")
			}
			a.ns = xmlnsNS
			p.ns.bind("", a.value)
		case a.prefix == "xmlns":
			switch {
			case a.local == "xmlns":
				return bad(a.off, "Namespaces 1.0 3", "prefix xmlns declared")
			case a.local == "xml":
				if a.value != xmlNS {
					return bad(a.off, "Namespaces 1.0 3", "prefix xml bound to another namespace")
				}
			case a.value == "":
				return bad(a.off, "Namespaces 1.0 5", "prefix undeclared")
			case a.value == xmlNS || a.value == xmlnsNS:
				return bad(a.off, "Namespaces 1.0 3", "reserved namespace bound to another prefix")
			default:
				p.ns.bind(a.local, a.value)
			}
			a.ns = xmlnsNS
		}
	}
	if _, ok := p.ns.lookup(prefix); !ok || prefix == "xmlns" {
		return &Error{start + 1, "element", "Namespaces 1.0 5", "prefix not declared", ErrNamespace}
	}
	for k := range p.raw {
		a := &p.raw[k]
		if a.prefix == "" || a.prefix == "xmlns" {
			continue
		}
		uri, ok := p.ns.lookup(a.prefix)
		if !ok {
			return &Error{a.off, "attribute", "Namespaces 1.0 5", "prefix not declared", ErrNamespace}
		}
		a.ns = uri
	}
	if k := p.duplicate(); k >= 0 {
		return p.syntax(p.raw[k].off, "attribute", "XML 1.0 3.1", "given twice")
	}
	return nil
}

// duplicate returns the first attribute whose expanded name was there before, or -1.
func (p *parser) duplicate() int {
	if len(p.raw) <= 8 {
		for k := 1; k < len(p.raw); k++ {
			for m := range k {
				if p.raw[k].local == p.raw[m].local && p.raw[k].ns == p.raw[m].ns {
					return k
				}
			}
		}
		return -1
	}
	if p.seen == nil {
		p.seen = make(map[string]struct{}, len(p.raw))
	}
	clear(p.seen)
	for k := range p.raw {
		key := p.raw[k].local + " " + p.raw[k].ns // a local name holds no space
		if _, ok := p.seen[key]; ok {
			return k
		}
		p.seen[key] = struct{}{}
	}
	return -1
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// isChar is Char of XML 1.0 2.2.
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= utf8.MaxRune
}

// isNameOctet is NameChar of XML 1.0 2.3 for ASCII; others count as name octets.
func isNameOctet(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == ':' || c == '-' || c == '.' || c >= utf8.RuneSelf
}

// isNameRune is NameStartChar or NameChar of XML 1.0 2.3 (fifth edition).
func isNameRune(r rune, first bool) bool {
	switch {
	case r == ':' || r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z':
		return true
	case r == '-' || r == '.' || r >= '0' && r <= '9' || r == 0xb7 || r >= 0x300 && r <= 0x36f || r == 0x203f || r == 0x2040:
		return !first
	case r == 0xd7 || r == 0xf7 || r == 0x37e:
		return false
	}
	return r >= 0xc0 && r <= 0x1fff || r == 0x200c || r == 0x200d || r >= 0x2070 && r <= 0x218f || r >= 0x2c00 && r <= 0x2fef ||
		r >= 0x3001 && r <= 0xd7ff || r >= 0xf900 && r <= 0xfdcf || r >= 0xfdf0 && r <= 0xfffd || r >= 0x10000 && r <= 0xeffff
}
