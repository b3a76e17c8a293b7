package xmlsec

import (
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Algorithm identifiers of the canonicalisation methods (XML Signature 1.1 6.5).
const (
	URIC14N10          = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	URIC14N10Comments  = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
	URIC14N11          = "http://www.w3.org/2006/12/xml-c14n11"
	URIC14N11Comments  = "http://www.w3.org/2006/12/xml-c14n11#WithComments"
	URIExcC14N         = "http://www.w3.org/2001/10/xml-exc-c14n#"
	URIExcC14NComments = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"
)

// C14N is a canonicalisation method. The zero value is Canonical XML 1.0
// without comments.
type C14N struct {
	Exclusive bool     // Exclusive XML Canonicalization 1.0
	Version11 bool     // Canonical XML 1.1; no meaning when Exclusive
	Comments  bool     // with comments
	Prefixes  []string // InclusiveNamespaces PrefixList, "#default" for the default namespace; only when Exclusive
}

var c14nURIs = [...]struct {
	uri string
	m   C14N
}{
	{URIC14N10, C14N{}},
	{URIC14N10Comments, C14N{Comments: true}},
	{URIExcC14N, C14N{Exclusive: true}},
	{URIExcC14NComments, C14N{Exclusive: true, Comments: true}},
	{URIC14N11, C14N{Version11: true}},
	{URIC14N11Comments, C14N{Version11: true, Comments: true}},
}

// C14NByURI returns the method of an algorithm identifier.
func C14NByURI(uri string) (C14N, bool) {
	for _, c := range c14nURIs {
		if c.uri == uri {
			return c.m, true
		}
	}
	return C14N{}, false
}

// URI returns the algorithm identifier of the method.
func (m C14N) URI() string {
	for _, c := range c14nURIs {
		if c.m.Comments == m.Comments && c.m.Exclusive == m.Exclusive && (m.Exclusive || c.m.Version11 == m.Version11) {
			return c.uri
		}
	}
	return ""
}

// String returns a short name, such as "exc-c14n with comments".
func (m C14N) String() string {
	s := "c14n 1.0"
	switch {
	case m.Exclusive:
		s = "exc-c14n"
	case m.Version11:
		s = "c14n 1.1"
	}
	if m.Comments {
		s += " with comments"
	}
	return s
}

// Document returns the canonical form of a whole document. Namespace names are
// taken as they are: a relative one, which Canonical XML refuses, is no error
// here. (libxml2 up to at least 2.9.14 leaves an ampersand in a namespace name
// unescaped, against Canonical XML 1.0 2.3; this package escapes it.)
func (m C14N) Document(doc *etree.Document) []byte {
	if doc == nil {
		return nil
	}
	return m.append(nil, &doc.Element, nil)
}

// Element returns the canonical form of the document subset which is el and all
// below it, with the namespaces and xml: attributes that the method takes over
// from el's ancestors. The tree is not changed.
func (m C14N) Element(el *etree.Element) []byte {
	if el == nil {
		return nil
	}
	return m.append(nil, el, nil)
}

// append canonicalises el, or a document given by its nameless top element,
// leaving out the element skip with all below it.
func (m C14N) append(dst []byte, el, skip *etree.Element) []byte {
	if dst == nil {
		dst = make([]byte, 0, 1024)
	}
	w := canonical{m: m, dst: dst, skip: skip}
	for _, p := range m.Prefixes {
		if p == "#default" {
			p = ""
		}
		if w.listed == nil {
			w.listed = make(map[string]bool, len(m.Prefixes))
		}
		w.listed[p] = true
	}
	if el.Tag == "" && el.Parent() == nil {
		w.document(el)
		return w.dst
	}
	// Everything in scope at the apex, nearest declaration first.
	var chain []*etree.Element
	for e := el.Parent(); e != nil; e = e.Parent() {
		chain = append(chain, e)
	}
	for _, e := range slices.Backward(chain) {
		for i := range e.Attr {
			if prefix, ok := declares(&e.Attr[i]); ok {
				w.ns.bind(prefix, e.Attr[i].Value)
			}
		}
	}
	w.element(el, chain)
	return w.dst
}

type canonical struct {
	m        C14N
	dst      []byte
	skip     *etree.Element
	ns       scope // in the tree
	rendered scope // in the output
	listed   map[string]bool
	decl     []decl
	attrs    []sortedAttr
}

type decl struct{ prefix, uri string }

type sortedAttr struct{ ns, prefix, local, value string }

// document writes a document node: its root element, and before and after it the
// comments and processing instructions on lines of their own (C14N 1.0 2.3).
func (w *canonical) document(d *etree.Element) {
	root := false
	for _, c := range d.Child {
		switch t := c.(type) {
		case *etree.Element:
			if t != w.skip {
				w.element(t, nil)
			}
			root = true
		case *etree.ProcInst, *etree.Comment:
			if p, ok := t.(*etree.ProcInst); ok && p.Target == "xml" {
				continue // the XML declaration is no processing instruction
			}
			if _, ok := t.(*etree.Comment); ok && !w.m.Comments {
				continue
			}
			if root {
				w.dst = append(w.dst, '\n')
			}
			w.node(t)
			if !root {
				w.dst = append(w.dst, '\n')
			}
		}
	}
}

func (w *canonical) node(c etree.Token) {
	switch t := c.(type) {
	case *etree.Element:
		if t != w.skip {
			w.element(t, nil)
		}
	case *etree.CharData:
		w.text(t.Data)
	case *etree.Comment:
		if w.m.Comments {
			w.dst = append(w.dst, "<!--"...)
			w.plain(t.Data)
			w.dst = append(w.dst, "-->"...)
		}
	case *etree.ProcInst:
		w.dst = append(w.dst, "<?"...)
		w.dst = append(w.dst, t.Target...)
		if t.Inst != "" {
			w.dst = append(w.dst, ' ')
			w.plain(t.Inst)
		}
		w.dst = append(w.dst, "?>"...)
	}
}

// element writes an element. The ancestors, nearest first, are given for the
// apex of a document subset only.
func (w *canonical) element(el *etree.Element, ancestors []*etree.Element) {
	mark, shown := w.ns.mark(), w.rendered.mark()
	apex := ancestors != nil
	w.decl, w.attrs = w.decl[:0], w.attrs[:0]
	for i := range el.Attr {
		a := &el.Attr[i]
		if prefix, ok := declares(a); ok && prefix != "xml" {
			w.ns.bind(prefix, a.Value)
		}
	}
	switch {
	case !w.m.Exclusive && apex:
		for i := range w.ns.stack {
			w.declare(w.ns.stack[i].prefix)
		}
	case !w.m.Exclusive:
		for i := range el.Attr {
			if prefix, ok := declares(&el.Attr[i]); ok {
				w.declare(prefix)
			}
		}
	default:
		if apex {
			for prefix := range w.listed {
				w.declare(prefix)
			}
		}
		w.declare(el.Space)
		for i := range el.Attr {
			a := &el.Attr[i]
			if prefix, ok := declares(a); ok {
				if w.listed[prefix] {
					w.declare(prefix)
				}
			} else if a.Space != "" {
				w.declare(a.Space)
			}
		}
	}
	for i := range el.Attr {
		a := &el.Attr[i]
		if _, ok := declares(a); ok {
			continue
		}
		s := sortedAttr{"", a.Space, a.Key, a.Value}
		if a.Space != "" {
			s.ns, _ = w.ns.lookup(a.Space)
		}
		w.attrs = append(w.attrs, s)
	}
	if apex && !w.m.Exclusive {
		w.inherit(ancestors)
	}
	slices.SortFunc(w.decl, func(a, b decl) int { return strings.Compare(a.prefix, b.prefix) })
	slices.SortStableFunc(w.attrs, func(a, b sortedAttr) int {
		if c := strings.Compare(a.ns, b.ns); c != 0 {
			return c
		}
		return strings.Compare(a.local, b.local)
	})

	w.dst = append(w.dst, '<')
	w.name(el.Space, el.Tag)
	for _, d := range w.decl {
		if d.prefix == "" {
			w.dst = append(w.dst, ` xmlns="`...)
		} else {
			w.dst = append(w.dst, ` xmlns:`...)
			w.dst = append(w.dst, d.prefix...)
			w.dst = append(w.dst, `="`...)
		}
		w.value(d.uri)
		w.dst = append(w.dst, '"')
	}
	for _, a := range w.attrs {
		w.dst = append(w.dst, ' ')
		w.name(a.prefix, a.local)
		w.dst = append(w.dst, `="`...)
		w.value(a.value)
		w.dst = append(w.dst, '"')
	}
	w.dst = append(w.dst, '>')
	for _, c := range el.Child {
		w.node(c)
	}
	w.dst = append(w.dst, "</"...)
	w.name(el.Space, el.Tag)
	w.dst = append(w.dst, '>')
	w.ns.release(mark)
	w.rendered.release(shown)
}

// declare adds a namespace declaration to the start tag unless the output is
// already in that state.
func (w *canonical) declare(prefix string) {
	if prefix == "xml" || prefix == "xmlns" {
		return
	}
	uri, _ := w.ns.lookup(prefix)
	if was, _ := w.rendered.lookup(prefix); was == uri {
		return
	}
	if prefix != "" && uri == "" {
		return // not declared at all: only in trees that Parse did not make
	}
	w.decl = append(w.decl, decl{prefix, uri})
	w.rendered.bind(prefix, uri)
}

// inherit gives the apex of a document subset the xml: attributes of its
// ancestors: all of them in Canonical XML 1.0 (2.4); xml:lang, xml:space and the
// joined xml:base in 1.1 (2.4), where xml:id stays where it is.
func (w *canonical) inherit(ancestors []*etree.Element) {
	own := func(key string) int {
		return slices.IndexFunc(w.attrs, func(a sortedAttr) bool { return a.ns == xmlNS && a.local == key })
	}
	var bases []string
	have := map[string]bool{}
	for _, a := range w.attrs {
		if a.ns == xmlNS {
			have[a.local] = true
		}
	}
	for _, e := range ancestors {
		for i := range e.Attr {
			a := &e.Attr[i]
			if a.Space != "xml" {
				continue
			}
			if w.m.Version11 {
				if a.Key == "base" {
					bases = append(bases, a.Value)
					continue
				}
				if a.Key != "lang" && a.Key != "space" {
					continue
				}
			}
			if !have[a.Key] {
				have[a.Key] = true
				w.attrs = append(w.attrs, sortedAttr{xmlNS, "xml", a.Key, a.Value})
			}
		}
	}
	if len(bases) == 0 {
		return
	}
	at := own("base")
	base := bases[len(bases)-1]
	for _, b := range slices.Backward(bases[:len(bases)-1]) {
		base = joinBase(base, b)
	}
	if at >= 0 {
		base = joinBase(base, w.attrs[at].value)
		w.attrs = slices.Delete(w.attrs, at, at+1)
	} else {
		base = joinBase(base, "")
	}
	if base != "" {
		w.attrs = append(w.attrs, sortedAttr{xmlNS, "xml", "base", base})
	}
}

func (w *canonical) name(prefix, local string) {
	if prefix != "" {
		w.dst = append(w.dst, prefix...)
		w.dst = append(w.dst, ':')
	}
	w.dst = append(w.dst, local...)
}

func (w *canonical) text(s string) {
	from := 0
	for i := 0; i < len(s); i++ {
		var e string
		switch s[i] {
		case '&':
			e = "&amp;"
		case '<':
			e = "&lt;"
		case '>':
			e = "&gt;"
		case '\r':
			e = "&#xD;"
		default:
			continue
		}
		w.dst = append(w.dst, s[from:i]...)
		w.dst = append(w.dst, e...)
		from = i + 1
	}
	w.dst = append(w.dst, s[from:]...)
}

func (w *canonical) value(s string) {
	from := 0
	for i := 0; i < len(s); i++ {
		var e string
		switch s[i] {
		case '&':
			e = "&amp;"
		case '<':
			e = "&lt;"
		case '"':
			e = "&quot;"
		case '\t':
			e = "&#x9;"
		case '\n':
			e = "&#xA;"
		case '\r':
			e = "&#xD;"
		default:
			continue
		}
		w.dst = append(w.dst, s[from:i]...)
		w.dst = append(w.dst, e...)
		from = i + 1
	}
	w.dst = append(w.dst, s[from:]...)
}

// plain writes the text of a comment or processing instruction, which has no
// escapes; a carriage return cannot be in one that was parsed.
func (w *canonical) plain(s string) {
	for {
		i := strings.IndexByte(s, '\r')
		if i < 0 {
			w.dst = append(w.dst, s...)
			return
		}
		w.dst = append(w.dst, s[:i]...)
		w.dst = append(w.dst, "&#xD;"...)
		s = s[i+1:]
	}
}

// joinBase joins URI references as Canonical XML 1.1 2.4 and appendix A say:
// RFC 3986 5.2 with a base that may be relative, fragments dropped, leading
// ".." segments kept and repeated slashes folded.
func joinBase(base, ref string) string {
	b, r := splitURI(base), splitURI(ref)
	var t uriParts
	switch {
	case r.scheme != "":
		t = r
	case r.hasAuthority:
		t = r
		t.scheme = b.scheme
	default:
		t.scheme, t.authority, t.hasAuthority = b.scheme, b.authority, b.hasAuthority
		switch {
		case r.path == "":
			t.path, t.query, t.hasQuery = b.path, b.query, b.hasQuery
			if r.hasQuery {
				t.query, t.hasQuery = r.query, true
			}
		case strings.HasPrefix(r.path, "/"):
			t.path, t.query, t.hasQuery = r.path, r.query, r.hasQuery
		default:
			switch i := strings.LastIndexByte(b.path, '/'); {
			case b.hasAuthority && b.path == "":
				t.path = "/" + r.path
			case b.path == ".." || strings.HasSuffix(b.path, "/.."):
				t.path = b.path + "/" + r.path
			case i >= 0:
				t.path = b.path[:i+1] + r.path
			default:
				t.path = r.path
			}
			t.query, t.hasQuery = r.query, r.hasQuery
		}
	}
	t.path = cleanPath(t.path)
	var s strings.Builder
	if t.scheme != "" {
		s.WriteString(t.scheme + ":")
	}
	if t.hasAuthority {
		s.WriteString("//" + t.authority)
	}
	s.WriteString(t.path)
	if t.hasQuery {
		s.WriteString("?" + t.query)
	}
	return s.String()
}

// cleanPath removes dot segments, keeping those that lead out of a relative path.
func cleanPath(p string) string {
	if p == "" {
		return ""
	}
	rooted := p[0] == '/'
	var out []string
	dir := false // the path ends as a directory
	for seg := range strings.SplitSeq(strings.TrimLeft(p, "/"), "/") {
		dir = false
		switch seg {
		case "", ".":
			dir = true
		case "..":
			dir = true
			switch {
			case len(out) > 0 && out[len(out)-1] != "..":
				out = out[:len(out)-1]
			case !rooted:
				out = append(out, "..")
			}
		default:
			out = append(out, seg)
		}
	}
	s := strings.Join(out, "/")
	if rooted {
		s = "/" + s
	}
	if dir && len(out) > 0 {
		s += "/"
	}
	return s
}

type uriParts struct {
	scheme, authority, path, query string
	hasAuthority, hasQuery         bool
}

// splitURI is the regular expression of RFC 3986 appendix B, the fragment dropped.
func splitURI(s string) (u uriParts) {
	s, _, _ = strings.Cut(s, "#")
	s, u.query, u.hasQuery = strings.Cut(s, "?")
	if i := strings.IndexAny(s, ":/"); i > 0 && s[i] == ':' {
		u.scheme, s = s[:i], s[i+1:]
	}
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		u.hasAuthority = true
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			u.authority, s = rest[:i], rest[i:]
		} else {
			u.authority, s = rest, ""
		}
	}
	u.path = s
	return u
}
