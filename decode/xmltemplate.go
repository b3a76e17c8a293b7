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
	places      [][6]uint16 // of each node: how many slots end before its off, in, textOff, textEnd, inEnd and end
	attrs       []xmlpull.Attr
	valuePlaces [][4]uint16 // of each attribute: the same for its Off, ValOff, ValEnd and End
	slots       []xmlSlot
	used        uint64
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
	shift  []int
}

// read fills d, whose part is set, from a template. It returns false when none fits.
func (x *xmlTemplates) read(d *xmlDoc) bool {
	b := d.p.Data
	if len(b) == 0 || len(b) > maxTemplateSize {
		return false
	}
	for _, t := range x.list {
		if x.match(t, b) {
			x.clock++
			t.used = x.clock
			x.spent = max(x.spent-1, 0)
			x.fill(t, d)
			return true
		}
	}
	if x.misses++; x.misses%missesPerHit == 0 {
		x.spent = max(x.spent-1, 0)
	}
	return false
}

// match tells whether b is the template's document but for its values, and leaves in x.shift how far the octets behind
// each slot have moved.
func (x *xmlTemplates) match(t *xmlTemplate, b []byte) bool {
	shift := append(x.shift[:0], 0)
	i, j := 0, 0 // in the template, in b
	for k := range t.slots {
		s := &t.slots[k]
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
		shift = append(shift, j-i)
	}
	x.shift = shift
	return bytes.Equal(b[j:], t.data[i:])
}

// fill makes the tree of the document that match has found.
func (x *xmlTemplates) fill(t *xmlTemplate, d *xmlDoc) {
	b, shift := d.p.Data, x.shift
	d.nodes = append(d.nodes[:0], t.nodes...)
	for i := range d.nodes {
		n, at := &d.nodes[i], &t.places[i]
		n.off += shift[at[0]]
		n.in += shift[at[1]]
		n.inEnd += shift[at[4]]
		n.end += shift[at[5]]
		if n.textEnd > 0 {
			n.textOff += shift[at[2]]
			n.textEnd += shift[at[3]]
			n.text = b[n.textOff:n.textEnd:n.textEnd]
		}
	}
	d.attrs = append(d.attrs[:0], t.attrs...)
	for i := range d.attrs {
		a, at := &d.attrs[i], &t.valuePlaces[i]
		a.Off += shift[at[0]]
		a.ValOff += shift[at[1]]
		a.ValEnd += shift[at[2]]
		a.End += shift[at[3]]
		a.Value = b[a.ValOff:a.ValEnd:a.ValEnd]
	}
	d.err, d.nsErr = nil, nil
}

// learn makes a template of a document that was read, when it is worth it.
func (x *xmlTemplates) learn(c *Context, d *xmlDoc) {
	b := d.p.Data
	if d.err != nil || d.nsErr != nil || len(b) > maxTemplateSize || len(d.nodes) > maxTemplateItems || x.spent+templateCost > maxTemplateFund {
		return
	}
	x.spent += templateCost
	t := newTemplate(c, b)
	if t == nil {
		return
	}
	x.clock++
	t.used = x.clock
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
	t := &xmlTemplate{data: b, nodes: d.nodes, attrs: d.attrs}
	// Slots in the order of the document: the attributes of an element stand before its text.
	for i := range d.nodes {
		n := &d.nodes[i]
		for _, a := range d.attrs[n.attr:n.attrEnd] {
			switch {
			case !a.Exact:
				return nil
			case !a.Decl && a.ValEnd > a.ValOff:
				t.slots = append(t.slots, xmlSlot{a.ValOff, a.ValEnd, b[a.ValEnd]})
			}
		}
		switch {
		case n.textEnd == 0:
		case !n.exact || i == 0:
			return nil
		case b[n.textOff-1] == '>' && b[n.textEnd] == '<' && xmlpull.PlainText(b, n.textOff) == n.textEnd:
			t.slots = append(t.slots, xmlSlot{off: n.textOff, end: n.textEnd})
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
	t.places = make([][6]uint16, len(t.nodes))
	for i := range t.nodes {
		n := &t.nodes[i]
		for k, off := range [...]int{n.off, n.in, n.textOff, n.textEnd, n.inEnd, n.end} {
			t.places[i][k] = t.before(off)
		}
	}
	t.valuePlaces = make([][4]uint16, len(t.attrs))
	for i := range t.attrs {
		a := &t.attrs[i]
		for k, off := range [...]int{a.Off, a.ValOff, a.ValEnd, a.End} {
			t.valuePlaces[i][k] = t.before(off)
		}
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
