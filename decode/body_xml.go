package decode

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/xmlpull"
)

// An xmlDoc is a document, or the content of an element that was decrypted, as a flat tree over the octets of a part.
// Node 0 stands for the document itself; what is inside the root element was read even when the document breaks off.
// What a document has in common with others of the same markup may be a template's, which is never written.
type xmlDoc struct {
	p     *Part
	r     xmlpull.Reader
	nodes []xmlNode
	attrs []xmlAttrName
	at    [][xmlPlaces]int32 // places of each node in the document, or in the template's
	valAt [][2]int32         // of each attribute's value
	shift []int32            // how far what lies behind each slot of the template has moved
	t     *xmlTemplate       // nil for a document that was read
	run   *planRun           // is told what is asked of the values; nil but when a plan is made
	own   [][]byte           // texts that had to be put together, and values of attributes that had to be decoded
	scope []xmlpull.Binding  // in scope outside the document: of the element whose content it is
	err   *xmlpull.Error
	nsErr *xmlpull.Error

	mine struct { // memory of documents that are read
		nodes []xmlNode
		attrs []xmlAttrName
		at    [][xmlPlaces]int32
		valAt [][2]int32
	}
}

// An xmlNode is one element, without its places.
type xmlNode struct {
	space, local              []byte
	parent, first, last, next int32
	attr, attrEnd             int32
	own                       int32 // of the text in xmlDoc.own, from 1; 0 when there is none
	exact                     bool  // the text is the part's octets
	closed                    bool  // its end was read
}

// The places of a node: the element, its content, and its character data without that of its children.
const (
	xmlOff = iota
	xmlIn
	xmlTextOff
	xmlTextEnd
	xmlInEnd
	xmlEnd
	xmlPlaces
)

// An xmlAttrName is an attribute or a declaration of a name space, without its value.
type xmlAttrName struct {
	prefix, local []byte
	own           int32 // of a value that is not the part's octets in xmlDoc.own, from 1
	decl          bool
}

// An xmlAttr is the value of an attribute, and where it stands.
type xmlAttr struct {
	Value    []byte
	off, end int
}

var xmlDocs = sync.Pool{New: func() any { return new(xmlDoc) }}

// readXML reads a part as a document. The caller gives it back with free.
func (c *Context) readXML(p *Part) *xmlDoc { return c.readXMLScope(p, nil, false) }

func (c *Context) readXMLScope(p *Part, scope []xmlpull.Binding, content bool) *xmlDoc {
	d := xmlDocs.Get().(*xmlDoc)
	d.p, d.scope = p, scope
	if content || c.xml == nil {
		d.read(c, scope, content)
	} else if !c.xml.read(c, d) {
		d.read(c, nil, false)
		c.xml.learn(c, d)
	}
	return d
}

// read reads the part from its beginning.
func (d *xmlDoc) read(c *Context, scope []xmlpull.Binding, content bool) {
	p := d.p
	var l xmlpull.Limits
	if c.opt != nil {
		l.Size, l.Depth, l.Items = c.opt.Limits.XMLOctets, c.opt.Limits.XMLDepth, c.opt.Limits.XMLNodes
	}
	if content {
		d.r.ResetContent(p.Data, l, scope)
	} else {
		d.r.Reset(p.Data, l)
	}
	size := int32(len(p.Data))
	nodes, at := append(d.mine.nodes[:0], xmlNode{parent: -1}), append(d.mine.at[:0], [xmlPlaces]int32{xmlInEnd: size, xmlEnd: size})
	attrs, valAt := d.mine.attrs[:0], d.mine.valAt[:0]
	d.t, d.run, d.own = nil, nil, d.own[:0]
	cur := int32(0)
	for d.r.Next() {
		ev := d.r.Event()
		switch ev.Kind {
		case xmlpull.Start:
			k := int32(len(nodes))
			from := len(attrs)
			for i := range ev.Attrs {
				a := &ev.Attrs[i]
				own := int32(0)
				if !a.Exact {
					d.own = append(d.own, append([]byte(nil), a.Value...))
					own = int32(len(d.own))
				}
				attrs = append(attrs, xmlAttrName{prefix: a.Prefix, local: a.Local, own: own, decl: a.Decl})
				valAt = append(valAt, [2]int32{int32(a.ValOff), int32(a.ValEnd)})
			}
			nodes = append(nodes, xmlNode{space: ev.Space, local: ev.Local, parent: cur, attr: int32(from), attrEnd: int32(len(attrs))})
			at = append(at, [xmlPlaces]int32{xmlOff: int32(ev.Off), xmlEnd: size, xmlIn: int32(ev.End), xmlInEnd: size})
			if par := &nodes[cur]; par.last == 0 {
				par.first, par.last = k, k
			} else {
				nodes[par.last].next = k
				par.last = k
			}
			cur = k
		case xmlpull.End:
			n := &nodes[cur]
			n.closed = true
			at[cur][xmlEnd], at[cur][xmlInEnd] = int32(ev.End), int32(ev.Off)
			cur = n.parent
		case xmlpull.Text, xmlpull.CData:
			n, o := &nodes[cur], &at[cur]
			empty := n.own == 0 && !n.exact
			switch {
			case empty && len(trimSpace(ev.Text)) == 0:
			case empty && ev.Exact:
				n.exact, o[xmlTextOff], o[xmlTextEnd] = true, int32(ev.TextOff), int32(ev.TextEnd)
			case n.own == 0:
				var old []byte
				if n.exact {
					old = p.Data[o[xmlTextOff]:o[xmlTextEnd]]
				} else {
					o[xmlTextOff] = int32(ev.TextOff)
				}
				d.own = append(d.own, append(append([]byte(nil), old...), ev.Text...))
				n.own, n.exact, o[xmlTextEnd] = int32(len(d.own)), false, int32(ev.TextEnd)
			default:
				d.own[n.own-1] = append(d.own[n.own-1], ev.Text...)
				o[xmlTextEnd] = int32(ev.TextEnd)
			}
		}
	}
	d.nodes, d.attrs, d.at, d.valAt = nodes, attrs, at, valAt
	d.mine.nodes, d.mine.attrs, d.mine.at, d.mine.valAt = nodes, attrs, at, valAt
	if e, ok := d.r.Err().(*xmlpull.Error); ok {
		d.err = e
	}
	if e, ok := d.r.NamespaceErr().(*xmlpull.Error); ok {
		d.nsErr = e
	}
}

// pos is a place of a node in the document.
func (d *xmlDoc) pos(n int32, what int) int {
	v := d.at[n][what]
	if d.t != nil {
		v += d.shift[d.t.places[n][what]]
	}
	return int(v)
}

// raw is the character data of an element with the white space around it.
func (d *xmlDoc) raw(n int32) []byte {
	if d.run != nil {
		d.run.text(d, n)
	}
	return d.octets(n)
}

// octets is raw for those who ask the question themselves.
func (d *xmlDoc) octets(n int32) []byte {
	switch nd := &d.nodes[n]; {
	case nd.exact:
		from, to := d.pos(n, xmlTextOff), d.pos(n, xmlTextEnd)
		return d.p.Data[from:to:to]
	case nd.own > 0:
		return d.own[nd.own-1]
	}
	return nil
}

// attrAt is the value of an attribute.
func (d *xmlDoc) attrAt(k int32) xmlAttr {
	if d.run != nil {
		d.run.attr(d, k)
	}
	return d.value(k)
}

// value is attrAt for those who ask the question themselves.
func (d *xmlDoc) value(k int32) xmlAttr {
	v := &d.valAt[k]
	off, end := int(v[0]), int(v[1])
	if d.t != nil {
		s := &d.t.valuePlaces[k]
		off, end = off+int(d.shift[s[0]]), end+int(d.shift[s[1]])
	}
	if own := d.attrs[k].own; own > 0 {
		return xmlAttr{d.own[own-1], off, end}
	}
	return xmlAttr{d.p.Data[off:end:end], off, end}
}

// free gives the document back; nothing of it may be used any more. A large one is left to the garbage collector, for
// the pool would keep its octets.
func (d *xmlDoc) free() {
	if cap(d.mine.nodes) > 4096 || len(d.p.Data) > 64<<10 {
		return
	}
	d.p, d.t, d.run, d.scope, d.err, d.nsErr = nil, nil, nil, nil, nil, nil
	clear(d.own)
	xmlDocs.Put(d)
}

// report turns what is wrong with the document into a finding.
func (d *xmlDoc) report(c *Context) {
	if e := d.err; e != nil && e.Cause.Limit() {
		c.Find("limit-xml", record.Warning, "mcxdump", "the rest of the XML document was not read: "+e.Text, d.p, nil, d.p.Place(e.Off, 0))
	} else if e != nil {
		c.Find("XML-12", record.Error, "XML 1.0 2.1", "malformed or unsafe XML: "+e.Text, d.p, nil, d.p.Place(e.Off, 0))
	}
	if e := d.nsErr; e != nil && d.err == nil {
		c.Find("XML-12", record.Error, "Namespaces in XML 1.0 6", "malformed or unsafe XML: "+e.Text, d.p, nil, d.p.Place(e.Off, 0))
	}
}

// unread reports a document of which not even the root element could be read.
func (d *xmlDoc) unread(c *Context) {
	if d.err != nil {
		c.B.Str(fBodyError, d.err.Text, d.p.Place(d.err.Off, 0))
	}
	d.report(c)
}

// root is the index of the root element, 0 when there is none.
func (d *xmlDoc) root() int32 { return d.nodes[0].first }

// kids ranges over the child elements of a node.
func (d *xmlDoc) kids(n int32) func(yield func(int32) bool) {
	return func(yield func(int32) bool) {
		for k := d.nodes[n].first; k != 0; k = d.nodes[k].next {
			if !yield(k) {
				return
			}
		}
	}
}

// child finds the first child element with a local name and, unless space is empty, a name space.
func (d *xmlDoc) child(n int32, space, local string) int32 {
	for k := d.nodes[n].first; k != 0; k = d.nodes[k].next {
		if string(d.nodes[k].local) == local && (space == "" || string(d.nodes[k].space) == space) {
			return k
		}
	}
	return 0
}

// is tells whether a node has this expanded name.
func (d *xmlDoc) is(n int32, space, local string) bool {
	return n != 0 && string(d.nodes[n].local) == local && string(d.nodes[n].space) == space
}

// attrOf finds an attribute without a name space.
func (d *xmlDoc) attrOf(n int32, local string) (xmlAttr, bool) {
	k := d.attr(n, local)
	if k < 0 {
		return xmlAttr{}, false
	}
	return d.attrAt(k), true
}

// attr is its index, -1 when there is none.
func (d *xmlDoc) attr(n int32, local string) int32 {
	for k := d.nodes[n].attr; k < d.nodes[n].attrEnd; k++ {
		if a := &d.attrs[k]; !a.decl && len(a.prefix) == 0 && string(a.local) == local {
			return k
		}
	}
	return -1
}

// length64 is how many octets the character data of an element is base64 of. With fewer than least, or without being
// that, it makes a difference.
func (d *xmlDoc) length64(n int32, least int) (int, bool) {
	if d.run != nil {
		return d.run.base64(d, n, least)
	}
	return length64(d.octets(n))
}

// whole tells whether an element was read to its end; of one that was not, nothing is said to be missing or wrong.
func (d *xmlDoc) whole(n int32) bool { return d.nodes[n].closed || n == 0 && d.err == nil }

// place is where an element stands.
func (d *xmlDoc) place(n int32) record.Place {
	off := d.pos(n, xmlOff)
	return d.p.Place(off, d.pos(n, xmlEnd)-off)
}

// content is where the character data of an element stands.
func (d *xmlDoc) content(n int32) record.Place {
	off := d.pos(n, xmlTextOff)
	return d.p.Place(off, d.pos(n, xmlTextEnd)-off)
}

func (d *xmlDoc) attrPlace(a xmlAttr) record.Place { return d.p.Place(a.off, a.end-a.off) }

// text is the character data of an element without white space around it.
func (d *xmlDoc) text(n int32) []byte { return trimSpace(d.raw(n)) }

// bindings lists the name spaces in scope inside an element, outermost first.
func (d *xmlDoc) bindings(n int32) []xmlpull.Binding {
	var path []int32
	for ; n > 0; n = d.nodes[n].parent {
		path = append(path, n)
	}
	out := append([]xmlpull.Binding(nil), d.scope...)
	for i := len(path) - 1; i >= 0; i-- {
		for k := d.nodes[path[i]].attr; k < d.nodes[path[i]].attrEnd; k++ {
			if a := &d.attrs[k]; a.decl {
				b := xmlpull.Binding{URI: d.attrAt(k).Value}
				if len(a.prefix) > 0 {
					b.Prefix = a.local
				}
				out = append(out, b)
			}
		}
	}
	return out
}

// trimSpace takes XML's white space off both ends.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	for len(b) > 0 {
		if e := b[len(b)-1]; e != ' ' && e != '\n' && e != '\t' && e != '\r' {
			break
		}
		b = b[:len(b)-1]
	}
	return b
}

// put adds a text leaf, cut at the limit of one value. The octets must not change as long as the record lives.
func (c *Context) put(f *record.Field, s []byte, at record.Place) *record.Node {
	n := c.B.Node(f, at)
	if n != nil {
		c.setText(n, s)
	}
	return n
}

func (c *Context) setText(n *record.Node, s []byte) {
	limit := 64 << 10
	if c.opt != nil && c.opt.Limits.ValueBytes > 0 {
		limit = c.opt.Limits.ValueBytes
	}
	if len(s) > limit {
		s = s[:limit]
		n.Flags |= record.Cut
	}
	n.Str = text(s)
	n.Flags |= record.HasValue
}

// regroup moves the items of each list in the object at node i together, where the first of them stands, so that a
// printer meets every member once. What stands in the document in another order keeps its order otherwise.
func regroup(r *record.Record, i int) {
	if i >= len(r.Nodes) {
		return
	}
	end := int(r.Nodes[i].End)
	split := false
	var last *record.Field
	var seen []*record.Field
	for k := i + 1; k < end && !split; k = int(r.Nodes[k].End) {
		f := r.Nodes[k].Field
		if f == last || !f.List {
			last = f
			continue
		}
		last = f
		for _, s := range seen {
			split = split || s == f
		}
		seen = append(seen, f)
	}
	if !split {
		return
	}
	old := append([]record.Node(nil), r.Nodes[i+1:end]...)
	at := i + 1
	move := func(k int) { // k counts from i+1
		n := int(old[k].End) - (i + 1) - k
		shift := int32(at - (i + 1) - k)
		for j := range n {
			r.Nodes[at+j] = old[k+j]
			r.Nodes[at+j].End += shift
		}
		at += n
	}
	lists := map[*record.Field][]int{}
	for k := 0; k < len(old); k = int(old[k].End) - (i + 1) {
		if old[k].Field.List {
			lists[old[k].Field] = append(lists[old[k].Field], k)
		}
	}
	for k := 0; k < len(old); k = int(old[k].End) - (i + 1) {
		f := old[k].Field
		if !f.List {
			move(k)
			continue
		}
		for _, j := range lists[f] {
			move(j)
		}
		delete(lists, f)
	}
}

// A treeFields is the set of fields under which an element of any kind is shown.
type treeFields struct {
	self, name, space, attrs, text *record.Field
	sealed                         *protField
	sealedAt                       *record.Field
	children                       *treeFields // its children's fields, at every depth
}

func registerTree(name, title, clause string, list bool) *treeFields {
	t := registerTreeLevel(name, title, clause, list)
	t.children = registerTreeLevel(name+".children", "Child element", clause, true)
	t.children.children = t.children
	return t
}

func registerTreeLevel(name, title, clause string, list bool) *treeFields {
	t := &treeFields{self: record.Register(record.Field{Name: name, Title: title, Clause: clause, Kind: record.Object, List: list})}
	t.name = reg(name+".name", "Element", clause, record.String)
	t.space = reg(name+".namespace", "Name space", clause, record.String)
	t.attrs = record.Register(record.Field{Name: name + ".attributes", Title: "Attributes", Clause: clause, Kind: record.Map, Of: record.String, Identity: true})
	t.text = record.Register(record.Field{Name: name + ".text", Title: "Text", Clause: clause, Kind: record.String, Identity: true})
	t.sealed = registerProtected(name+".sealed", "Protected value", "TS 33.180 9.3.4", record.String, true)
	t.sealedAt = reg(name+".sealed.at", "Where it stands: @attribute, text() or node()", "TS 33.180 9.3.4", record.String)
	return t
}

// tree shows an element and everything below it. Protected URIs and encrypted content anywhere in it go through the
// seam in protect.go; an encrypted element's own markup is not repeated.
func (c *Context) tree(d *xmlDoc, n int32, t *treeFields) {
	nd := &d.nodes[n]
	self := len(c.B.R.Nodes)
	built := c.B.Open(t.self, d.place(n))
	if built {
		off := d.pos(n, xmlOff)
		at := d.p.Place(off, max(d.pos(n, xmlIn)-off, 0))
		c.put(t.name, nd.local, at)
		if len(nd.space) > 0 {
			c.put(t.space, nd.space, at)
		}
	}
	c.treeAttrs(d, n, t)
	if txt := d.text(n); len(txt) > 0 {
		if secretElement(d, n) && !c.ShowSecrets() {
			off := d.pos(n, xmlTextOff)
			c.mask(d.p.Src, d.p.Off+off, d.pos(n, xmlTextEnd)-off)
			if k := c.put(t.text, withheldText(txt, 0, len(txt)), d.content(n)); k != nil {
				k.Flags |= record.Withheld
			}
		} else if u, ok := c.protectedURI(d.p, txt, d.content(n)); ok {
			c.treeSealed(d, u, t, "text()")
		} else {
			c.put(t.text, txt, d.content(n))
		}
	}
	c.treeKids(d, n, t)
	c.B.Close()
	if built {
		regroup(c.B.R, self)
	}
}

// secretElement tells whether the text of an element, or of its parent, is a key, a token or a password: key material
// of a KMS (TS 33.180 D.3.3.2), access tokens where no dissector knows them.
func secretElement(d *xmlDoc, n int32) bool {
	for range 2 {
		if n <= 0 {
			return false
		}
		if record.SecretElement(string(d.nodes[n].local)) {
			return true
		}
		n = d.nodes[n].parent
	}
	return false
}

func (c *Context) treeKids(d *xmlDoc, n int32, t *treeFields) {
	for k := range d.kids(n) {
		if d.is(k, nsXMLEnc, "EncryptedData") {
			c.treeSealed(d, c.encryptedData(d, k), t, "node()")
			continue
		}
		c.tree(d, k, t.children)
	}
}

func (c *Context) treeAttrs(d *xmlDoc, n int32, t *treeFields) {
	nd := &d.nodes[n]
	open := false
	for k := nd.attr; k < nd.attrEnd; k++ {
		if d.attrs[k].decl {
			continue
		}
		a, name := d.attrAt(k), &d.attrs[k]
		if !open {
			open = true
			off := d.pos(n, xmlOff)
			c.B.Open(t.attrs, d.p.Place(off, d.pos(n, xmlIn)-off))
		}
		if c.B.Wants(t.attrs) {
			key := string(name.local)
			if len(name.prefix) > 0 {
				key = string(name.prefix) + ":" + key
			}
			if e := c.B.Entry(t.attrs, key, "", d.attrPlace(a)); e != nil {
				if record.SecretMember(string(name.local)) && !c.ShowSecrets() {
					c.setText(e, withheldText(a.Value, 0, len(a.Value)))
					e.Flags |= record.Withheld
				} else {
					c.setText(e, a.Value)
				}
			}
		}
		if record.SecretMember(string(name.local)) && !c.ShowSecrets() {
			c.mask(d.p.Src, d.p.Off+a.off, a.end-a.off)
		}
	}
	if open {
		c.B.Close()
	}
	for k := nd.attr; k < nd.attrEnd; k++ {
		if d.attrs[k].decl {
			continue
		}
		a := d.attrAt(k)
		if u, ok := c.protectedURI(d.p, a.Value, d.attrPlace(a)); ok {
			c.treeSealed(d, u, t, "@"+string(d.attrs[k].local))
		}
	}
}

// treeSealed shows one protected value of a tree; the elements that were encrypted follow when it could be opened.
func (c *Context) treeSealed(d *xmlDoc, s *sealedData, t *treeFields, where string) {
	o := c.sealed(s)
	p := o.part(d.p)
	at := s.at
	var sub *xmlDoc
	var text []byte
	if p != nil {
		at = p.Place(0, len(p.Data))
		text = p.Data
		if s.element {
			sub = c.readXMLScope(p, s.scope(), true)
			defer sub.free()
			text = sub.text(0)
			if v := sub.root(); len(text) == 0 && v != 0 && sub.nodes[v].first == 0 && sub.nodes[v].next == 0 {
				text = sub.text(v)
			}
		}
	}
	built := c.B.Open(t.sealed.f, at)
	if built {
		c.protect(c.B.Last(), o.prot)
		if p != nil && len(text) > 0 {
			c.setText(c.B.Last(), text)
		}
		c.B.Str(t.sealedAt, where, record.Place{})
		c.B.Num(t.sealed.length, int64(s.length), s.at)
	}
	c.B.Close()
	if sub != nil {
		sub.report(c)
		c.treeKids(sub, 0, t)
	}
}

var xmlFields = registerTree("xml", "XML document", "XML 1.0 2.1", false)

func init() {
	registerBody(BodyType{Name: "xml", Types: []string{"application/xml", "text/xml", "*+xml"}, Look: looksLikeXML, Dissect: dissectXML})
	registerBody(dataBody) // last, for it takes every type
}

func looksLikeXML(b []byte) bool {
	if len(b) >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf {
		b = b[3:]
	}
	b = trimSpace(b[:min(len(b), 4096)])
	if len(b) < 4 || b[0] != '<' {
		return false
	}
	x := b[1]
	return x == '?' || x == '!' || x == '_' || x|0x20 >= 'a' && x|0x20 <= 'z'
}

// dissectXML shows a document of no type that has a dissector of its own; the root element may tell one nevertheless.
func dissectXML(c *Context, p *Part) {
	d := c.readXML(p)
	defer d.free()
	root := d.root()
	if root == 0 {
		d.unread(c)
		return
	}
	if b := bodyByRoot(d.nodes[root].space, d.nodes[root].local); b != nil {
		b.Dissect(c, p)
		return
	}
	c.mcx = c.mcx || strings.Contains(p.Type, "3gpp.mc") || bytes.Contains(d.nodes[root].space, []byte(":3gpp:"))
	c.tree(d, root, xmlFields)
	said := c.config(d, root)
	d.report(c)
	if !said {
		c.Say(xmlWords(d, root))
	}
}

// bodyByRoot finds a dissector by the expanded name of a root element.
func bodyByRoot(space, local []byte) *BodyType {
	for _, b := range bodyTypes {
		for _, r := range b.Roots {
			if len(r) == len(space)+1+len(local) && r[:len(space)] == string(space) && r[len(space)] == ' ' && r[len(space)+1:] == string(local) {
				return b
			}
		}
	}
	return nil
}

// xmlWords says what a document is about: its root, and for the common ones what is in it.
func xmlWords(d *xmlDoc, root int32) string {
	name := string(clip(d.nodes[root].local, 40))
	switch name {
	case "resource-lists":
		return counted(name, d.count("entry"), "entry", "entries")
	case "conference-info":
		return counted(name, d.count("user"), "user", "users")
	case "location-info", "command-list":
		if k := d.nodes[root].first; k != 0 {
			return name + " " + string(clip(d.nodes[k].local, 40))
		}
	case "presence":
		if n := d.count("affiliation"); n > 0 {
			return counted(name, n, "affiliation", "affiliations")
		}
	}
	return name
}

func (d *xmlDoc) count(local string) (n int) {
	for i := range d.nodes {
		if string(d.nodes[i].local) == local {
			n++
		}
	}
	return n
}

func counted(what string, n int, one, many string) string {
	if n == 1 {
		return what + ", 1 " + one
	}
	return what + ", " + strconv.Itoa(n) + " " + many
}

func clip(b []byte, n int) []byte { return b[:min(len(b), n)] }
