package xmlsec

import (
	"maps"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Doc is a document that [Parse] has checked: an etree tree and the place of
// every element in the octets it was read from. It may be read by several
// goroutines at once as long as none changes the tree.
type Doc struct {
	Tree    *etree.Document
	Source  []byte // the octets given to Parse
	Partial bool   // reading stopped at a defect

	info map[*etree.Element]*elementInfo
}

// Span is a range of octets of [Doc.Source].
type Span struct{ Start, End int }

type elementInfo struct {
	span, content Span
	ns            string
	attrs         []attrInfo
}

type attrInfo struct {
	value Span
	ns    string
}

// Root returns the root element, or nil when a defect came before it. Of a
// fragment it is the shell around the content.
func (d *Doc) Root() *etree.Element { return d.Tree.Root() }

// Span returns the octets of an element from its start tag through its end tag.
// The second result is false for an element that [Parse] did not read.
func (d *Doc) Span(el *etree.Element) (Span, bool) {
	if i, ok := d.info[el]; ok {
		return i.span, true
	}
	return Span{}, false
}

// ContentSpan returns the octets between the tags of an element.
func (d *Doc) ContentSpan(el *etree.Element) (Span, bool) {
	if i, ok := d.info[el]; ok {
		return i.content, true
	}
	return Span{}, false
}

// AttrSpan returns the octets of the value of el.Attr[n], without its quotes.
func (d *Doc) AttrSpan(el *etree.Element, n int) (Span, bool) {
	if i, ok := d.info[el]; ok && n >= 0 && n < len(i.attrs) {
		return i.attrs[n].value, true
	}
	return Span{}, false
}

// Namespace returns the namespace name of an element in constant time.
func (d *Doc) Namespace(el *etree.Element) string {
	if i, ok := d.info[el]; ok {
		return i.ns
	}
	return Namespace(el)
}

// AttrNamespace returns the namespace name of el.Attr[n]: empty for an attribute
// without a prefix, and http://www.w3.org/2000/xmlns/ for a declaration.
func (d *Doc) AttrNamespace(el *etree.Element, n int) string {
	if n < 0 || n >= len(el.Attr) {
		return ""
	}
	if i, ok := d.info[el]; ok && n < len(i.attrs) {
		return i.attrs[n].ns
	}
	switch a := &el.Attr[n]; {
	case a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns":
		return xmlnsNS
	case a.Space == "xml":
		return xmlNS
	default:
		return a.NamespaceURI()
	}
}

// Namespace returns the namespace name of an element of any etree tree.
func Namespace(el *etree.Element) string {
	if el.Space == "xml" {
		return xmlNS
	}
	return el.NamespaceURI()
}

// Is reports whether el has the given expanded name.
func Is(el *etree.Element, namespace, local string) bool {
	return el != nil && el.Tag == local && Namespace(el) == namespace
}

// Text returns the character data of an element's own content, CDATA sections
// included and comments, processing instructions and child elements left out.
// (etree's Text stops at the first child element or processing instruction.)
func Text(el *etree.Element) string {
	var first string
	var b strings.Builder
	n := 0
	for _, c := range el.Child {
		if t, ok := c.(*etree.CharData); ok {
			switch n++; n {
			case 1:
				first = t.Data
			case 2:
				b.WriteString(first)
				fallthrough
			default:
				b.WriteString(t.Data)
			}
		}
	}
	if n < 2 {
		return first
	}
	return b.String()
}

// Children returns the child elements with the given expanded name.
func Children(el *etree.Element, namespace, local string) []*etree.Element {
	var out []*etree.Element
	if el == nil {
		return nil
	}
	for _, c := range el.Child {
		if e, ok := c.(*etree.Element); ok && Is(e, namespace, local) {
			out = append(out, e)
		}
	}
	return out
}

// Child returns the first child element with the given expanded name, or nil.
func Child(el *etree.Element, namespace, local string) *etree.Element {
	if el == nil {
		return nil
	}
	for _, c := range el.Child {
		if e, ok := c.(*etree.Element); ok && Is(e, namespace, local) {
			return e
		}
	}
	return nil
}

// Find returns, in document order, the elements with the given expanded name at
// or below el, at most limit of them; zero means no limit of its own.
func (d *Doc) Find(el *etree.Element, namespace, local string, limit int) []*etree.Element {
	var out []*etree.Element
	var walk func(*etree.Element) bool
	walk = func(e *etree.Element) bool {
		if e.Tag == local && d.Namespace(e) == namespace {
			if out = append(out, e); len(out) == limit {
				return false
			}
		}
		for _, c := range e.Child {
			if ce, ok := c.(*etree.Element); ok && !walk(ce) {
				return false
			}
		}
		return true
	}
	if el != nil {
		walk(el)
	}
	return out
}

// ContextOf returns the context of an element's content, for [ParseFragment].
// For decrypted text the element is the parent of the EncryptedData, whether its
// Type is Content or Element.
func ContextOf(el *etree.Element) Context {
	ns := map[string]string{}
	for e := el; e != nil; e = e.Parent() {
		for i := range e.Attr {
			a := &e.Attr[i]
			prefix, ok := declares(a)
			if !ok || prefix == "xml" {
				continue
			}
			if _, hidden := ns[prefix]; !hidden {
				ns[prefix] = a.Value
			}
		}
	}
	maps.DeleteFunc(ns, func(_, uri string) bool { return uri == "" })
	return Context{Tag: el.FullTag(), Namespaces: ns}
}

// declares tells whether an attribute is a namespace declaration, and of which prefix.
func declares(a *etree.Attr) (prefix string, ok bool) {
	if a.Space == "xmlns" {
		return a.Key, true
	}
	return "", a.Space == "" && a.Key == "xmlns"
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
