package decode

import (
	"bytes"

	"github.com/mcxdump/mcxdump/internal/xmlpull"
)

// Programs write one document after another with the same markup around other values. A template is a document that was
// read before; where another one differs from it in plain values only, in the text of elements and in attributes, it
// has the same tree, with other places. TestXMLTemplate holds it to the reader.
type xmlTemplate struct {
	data        []byte
	nodes       []xmlNode
	at          [][xmlPlaces]int32
	places      [][xmlPlaces]uint16 // of each node: how many slots end before each of its places
	attrs       []xmlAttrName
	valAt       [][2]int32
	valuePlaces [][2]uint16 // of each attribute: how many slots end before its value, and before the end of it
	slots       []xmlSlot
	used        uint64
	plan        *xmlPlan // nil when there is none
	misfits     int
}

// An xmlSlot is a value that may be another: the text of an element, or the value of an attribute, which ends with quote.
type xmlSlot struct {
	off, end int
	quote    byte // 0 for text
}

const (
	maxTemplates     = 8
	maxTemplateSize  = 16 << 10
	maxTemplateItems = 512 // nodes and slots each
	// A template costs a second reading. What was found by one pays for others: documents of ever new markup get few.
	templateCost    = 4
	maxTemplateFund = 32
	missesPerHit    = 16
)

// xmlTemplates are the templates of one worker.
type xmlTemplates struct {
	list   []*xmlTemplate
	clock  uint64
	spent  int // of maxTemplateFund
	misses int
	shift  []int32

	// What find found last, and in which octets: shift is for them.
	hit     *xmlTemplate
	hitData []byte

	fresh    *xmlTemplate // learned last, until makePlan
	patience int          // misfits before another document may be the template
	run      *planRun     // for its documents
}

// find looks for the template of a document and leaves in x.shift how far the octets behind each slot have moved.
func (x *xmlTemplates) find(c *Context, b []byte) *xmlTemplate {
	if len(b) == 0 || len(b) > maxTemplateSize || c.opt != nil && c.opt.Limits.XMLOctets > 0 && len(b) > c.opt.Limits.XMLOctets {
		return nil
	}
	if x.hit != nil && len(x.hitData) == len(b) && &x.hitData[0] == &b[0] {
		t := x.hit
		x.hit = nil
		return t
	}
	x.hit = nil
	for _, t := range x.list {
		if x.match(t, b) {
			x.hit, x.hitData = t, b
			return t
		}
	}
	return nil
}

// hits accounts for a document that a template was good for.
func (x *xmlTemplates) hits(t *xmlTemplate) {
	x.hit, x.hitData = nil, nil
	x.clock++
	t.used = x.clock
	x.spent = max(x.spent-1, 0)
}

// read fills d, whose part is set, from a template. It returns false when none fits.
func (x *xmlTemplates) read(c *Context, d *xmlDoc) bool {
	t := x.find(c, d.p.Data)
	if t != nil {
		x.hits(t)
		x.fill(t, d)
		return true
	}
	if x.misses++; x.misses%missesPerHit == 0 {
		x.spent = max(x.spent-1, 0)
	}
	return false
}

// match tells whether b is the template's document but for its values. It sets x.shift.
func (x *xmlTemplates) match(t *xmlTemplate, b []byte) bool {
	shift := append(x.shift[:0], 0)
	i, j := 0, 0 // in the template, in b
	for k := range t.slots {
		s := &t.slots[k]
		if n := s.end + 1 - i; n <= len(b)-j && bytes.Equal(b[j:j+n], t.data[i:s.end+1]) {
			// The same value, up to what ends it: algorithms and name spaces hardly ever differ.
			i, j = s.end, j+n-1
			shift = append(shift, int32(j-i))
			continue
		}
		n := s.off - i
		if len(b)-j < n || !bytes.Equal(b[j:j+n], t.data[i:s.off]) {
			return false
		}
		j += n
		from := j
		if s.quote == 0 {
			j = xmlpull.PlainText(b, j)
			if j >= len(b) || b[j] != '<' || j == from || b[from] <= ' ' && len(trimSpace(b[from:j])) == 0 {
				return false
			}
		} else {
			j = xmlpull.PlainValue(b, j)
			if j >= len(b) || b[j] != s.quote {
				return false
			}
		}
		i = s.end
		shift = append(shift, int32(j-i))
	}
	x.shift = shift
	return bytes.Equal(b[j:], t.data[i:])
}

// fill makes the tree of the document that match has found: the template's, with places that have moved.
func (x *xmlTemplates) fill(t *xmlTemplate, d *xmlDoc) {
	d.t, d.nodes, d.attrs, d.at, d.valAt = t, t.nodes, t.attrs, t.at, t.valAt
	d.shift, x.shift = x.shift, d.shift
	d.own, d.err, d.nsErr, d.run = d.own[:0], nil, nil, x.run
}

// learn makes a template of a document that was read, when it is worth it.
func (x *xmlTemplates) learn(c *Context, d *xmlDoc) {
	b := d.p.Data
	x.fresh = nil
	if d.err != nil || d.nsErr != nil || len(b) > maxTemplateSize || len(d.nodes) > maxTemplateItems || x.spent+templateCost > maxTemplateFund {
		return
	}
	x.spent += templateCost
	t := newTemplate(c, b)
	if t == nil {
		return
	}
	x.clock++
	t.used, x.fresh = x.clock, t
	if len(x.list) < maxTemplates {
		x.list = append(x.list, t)
		return
	}
	oldest := 0
	for i, o := range x.list {
		if o.used < x.list[oldest].used {
			oldest = i
		}
	}
	x.list[oldest] = t
}

// newTemplate reads a copy of the octets, which the template keeps. It returns nil for a document that cannot be one:
// with text that had to be decoded or put together.
func newTemplate(c *Context, b []byte) *xmlTemplate {
	b = bytes.Clone(b)
	d := &xmlDoc{p: &Part{Data: b}}
	d.read(c, nil, false)
	if len(d.own) > 0 || d.err != nil || d.nsErr != nil {
		return nil
	}
	t := &xmlTemplate{data: b, nodes: d.nodes, at: d.at, attrs: d.attrs, valAt: d.valAt}
	// Slots in the order of the document: the attributes of an element stand before its text.
	for i := range d.nodes {
		n, o := &d.nodes[i], &d.at[i]
		for k := n.attr; k < n.attrEnd; k++ {
			if v := d.valAt[k]; !d.attrs[k].decl && v[1] > v[0] {
				t.slots = append(t.slots, xmlSlot{int(v[0]), int(v[1]), b[v[1]]})
			}
		}
		off, end := int(o[xmlTextOff]), int(o[xmlTextEnd])
		switch {
		case !n.exact:
		case i == 0:
			return nil
		case b[off-1] == '>' && b[end] == '<' && xmlpull.PlainText(b, off) == end:
			t.slots = append(t.slots, xmlSlot{off: off, end: end})
		}
	}
	if len(t.slots) > maxTemplateItems {
		return nil
	}
	for k := 1; k < len(t.slots); k++ {
		if t.slots[k].off < t.slots[k-1].end {
			return nil // text behind a child element
		}
	}
	t.places = make([][xmlPlaces]uint16, len(t.nodes))
	for i := range t.nodes {
		for k, off := range t.at[i] {
			t.places[i][k] = t.before(int(off))
		}
	}
	t.valuePlaces = make([][2]uint16, len(t.attrs))
	for i, v := range t.valAt {
		t.valuePlaces[i] = [2]uint16{t.before(int(v[0])), t.before(int(v[1]))}
	}
	return t
}

// before counts the slots that end at an offset or before it.
func (t *xmlTemplate) before(off int) (n uint16) {
	for k := range t.slots {
		if t.slots[k].end <= off {
			n++
		}
	}
	return n
}
