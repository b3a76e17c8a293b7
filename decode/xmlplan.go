package decode

import (
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Where nothing is looked at but the words about a body, and what in it is protected, most documents are told apart by a
// few of their values only: an encrypted one by the identifier of its key, and by whether the rest is base64 at all. A
// plan is what a dissector made of a template, with the questions it asked of the values in it; of a document with the
// same markup and the same answers it would make the same. FuzzXMLPlan holds plans to the dissectors.
type xmlPlan struct {
	body  *BodyType
	asks  []planQuestion
	says  [][]planPiece
	nodes []planNode
	prots []planProt
	mcx   bool
}

// A planNode is a node without a value, or with the length of one of the plan's values. Its place counts from the
// document, its End and Prot from the plan's first.
type planNode struct {
	n         record.Node
	from, end int // how many slots end before its place, and before the end of it
	size      int // whose length it shows, from 1; 0 for none
}

// A planProt is a protection whose key may be one of the plan's keys.
type planProt struct {
	p   record.Protection
	key int // from 1; 0 for the one in p
}

// A planQuestion is one that a dissector asked of a value, with the answer that the plan is for.
type planQuestion struct {
	slot  int
	kind  planKind
	least int    // planBase64: octets
	top   uint8  // planKeyID: what the identifier begins with, its type (TS 33.180 G.1)
	nth   int    // planBase64, planKeyID: which of the plan's values or keys it is, from 1
	found bool   // planBody
	name  string // planBody
}

type planKind uint8

const (
	planSame   planKind = iota // the value is the template's
	planBase64                 // it is base64 of so many octets
	planKeyID                  // it names a key of the same type
	planBody                   // it refers to a body of the same name, or to none
)

// A planPiece is text, or the identifier of one of the plan's keys.
type planPiece struct {
	text string
	key  int // from 1; 0 for text
}

const (
	maxPlanKeys  = 16 // and values
	maxPlanSays  = 12 // below the limit of words
	maxPlanItems = 64 // nodes and protections each
	// A template whose plan does not fit others makes room for another one, ever less often.
	firstMisfits = 32
	maxMisfits   = 1 << 20
)

// dissect is what the body's Dissect is, by a plan where there is one.
func (x *xmlTemplates) dissect(c *Context, body *BodyType, p *Part) {
	if x.follow(c, body, p) {
		return
	}
	x.fresh = nil
	body.Dissect(c, p)
	x.makePlan(c, body)
}

// follow makes of a part what its dissector would, when a plan tells it.
func (x *xmlTemplates) follow(c *Context, body *BodyType, p *Part) bool {
	t := x.find(c, p.Data)
	if t == nil {
		return false
	}
	pl := t.plan
	if pl == nil || pl.body != body {
		return x.misfit(t)
	}
	var ids [maxPlanKeys + 1]string
	var sizes [maxPlanKeys + 1]int
	for i := range pl.asks {
		q := &pl.asks[i]
		s := &t.slots[q.slot]
		v := p.Data[s.off+int(x.shift[q.slot]) : s.end+int(x.shift[q.slot+1])]
		switch q.kind {
		case planSame:
			if string(v) != string(t.data[s.off:s.end]) {
				return x.misfit(t)
			}
		case planBase64:
			n, ok := length64(v)
			if !ok || n < q.least {
				return x.misfit(t)
			}
			sizes[q.nth] = n
		case planKeyID:
			id := c.keyID(trimSpace(v))
			if id == "" || id[0] != q.top {
				return x.misfit(t)
			}
			ids[q.nth] = id
		case planBody:
			if found, name := c.refersTo(v); found != q.found || name != q.name {
				return x.misfit(t)
			}
		}
	}
	if !pl.grow(c.B, x.shift, p, &ids, &sizes) {
		return x.misfit(t)
	}
	c.mcx = c.mcx || pl.mcx
	var room [8]string
	for _, say := range pl.says {
		parts := room[:0]
		for _, piece := range say {
			if piece.key > 0 {
				parts = append(parts, ids[piece.key])
			} else {
				parts = append(parts, piece.text)
			}
		}
		if len(parts) == 1 {
			c.Say(parts[0])
		} else {
			c.Say(c.join(parts...))
		}
	}
	x.hits(t)
	return true
}

// grow adds the nodes and protections; it does nothing and returns false when there is no room for all of them.
func (pl *xmlPlan) grow(b *record.Builder, shift []int32, p *Part, ids *[maxPlanKeys + 1]string, sizes *[maxPlanKeys + 1]int) bool {
	if len(pl.nodes) == 0 {
		return true
	}
	nodes, prots := b.Graft(len(pl.nodes), len(pl.prots))
	if nodes == nil {
		return false
	}
	base, protBase := int32(len(b.R.Nodes)-len(nodes)), uint16(len(b.R.Prots)-len(prots))
	for i := range pl.nodes {
		from, n := &pl.nodes[i], &nodes[i]
		*n = from.n
		n.End += base
		if from.size > 0 {
			n.Num = int64(sizes[from.size])
		}
		if n.Prot > 0 {
			n.Prot += protBase
		}
		if n.Flags&record.HasRange != 0 {
			off := int32(n.Off) + shift[from.from]
			n.Len = uint32(int32(from.n.Off+from.n.Len) + shift[from.end] - off)
			n.Off = uint32(int32(p.Off) + off)
			n.Src = uint16(p.Src)
		}
	}
	for i := range pl.prots {
		prots[i] = pl.prots[i].p
		if k := pl.prots[i].key; k > 0 {
			prots[i].KeyID = ids[k]
		}
	}
	return true
}

// misfit counts documents of a template that its plan did not fit.
func (x *xmlTemplates) misfit(t *xmlTemplate) bool {
	if x.patience == 0 {
		x.patience = firstMisfits
	}
	if t.misfits++; t.misfits >= x.patience {
		x.patience = min(2*x.patience, maxMisfits)
		for i, o := range x.list {
			if o == t {
				x.list = append(x.list[:i], x.list[i+1:]...)
				x.hit = nil
				break
			}
		}
	}
	return false
}

// makePlan makes a plan for the template that was learned last, in the message that it comes from. There is none when
// the dissector finds something, shows a value, or looks at what no question was made for.
func (x *xmlTemplates) makePlan(c *Context, body *BodyType) {
	t := x.fresh
	x.fresh, x.hit, x.hitData = nil, nil, nil
	if t == nil {
		return
	}
	first, second := newPlanRun(t, 0), newPlanRun(t, 1)
	if !first.dissect(c, body) || !second.dissect(c, body) || len(first.says) != len(second.says) || len(first.rec.Nodes) != len(second.rec.Nodes) || len(first.sizes) != len(second.sizes) || len(first.says) > maxPlanSays {
		return
	}
	pl := &xmlPlan{body: body, asks: first.asks, mcx: first.mcx}
	for i := range first.says {
		say, ok := planPieces(first.says[i], second.says[i], first.ids, second.ids)
		if !ok {
			return
		}
		pl.says = append(pl.says, say)
	}
	for i, n := range first.rec.Nodes {
		size := 0
		if n.Flags&record.HasValue != 0 {
			if size = 1 + slices.Index(first.sizes, int(n.Num)); size == 0 || second.rec.Nodes[i].Num != int64(second.sizes[size-1]) {
				return
			}
		}
		pl.nodes = append(pl.nodes, planNode{n, int(t.before(int(n.Off))), int(t.before(int(n.Off + n.Len))), size})
	}
	for _, p := range first.rec.Prots {
		pl.prots = append(pl.prots, planProt{p, 1 + slices.Index(first.ids, p.KeyID)})
	}
	// What it makes of the document itself, and were all keys the same, has to be what the dissector makes of it.
	for _, r := range []*planRun{first, second, newPlanRun(t, 2), newPlanRun(t, 3)} {
		if r.rec == nil && !r.dissect(c, body) || !pl.fits(r) {
			return
		}
	}
	t.plan = pl
}

// fits tells whether the plan makes the same of the template's document as the dissector.
func (pl *xmlPlan) fits(r *planRun) bool {
	if len(r.says) != len(pl.says) || len(r.rec.Nodes) != len(pl.nodes) || len(r.rec.Prots) != len(pl.prots) || r.mcx != pl.mcx || !slices.Equal(r.asks, pl.asks) {
		return false
	}
	for i, say := range pl.says {
		var b strings.Builder
		for _, piece := range say {
			if piece.key > 0 {
				b.WriteString(r.ids[piece.key-1])
			} else {
				b.WriteString(piece.text)
			}
		}
		if b.String() != r.says[i] {
			return false
		}
	}
	for i, n := range r.rec.Nodes {
		want := pl.nodes[i].n
		if k := pl.nodes[i].size; k > 0 {
			want.Num = int64(r.sizes[k-1])
		}
		if n != want {
			return false
		}
	}
	for i, p := range r.rec.Prots {
		want := pl.prots[i].p
		if k := pl.prots[i].key; k > 0 {
			want.KeyID = r.ids[k-1]
		}
		if p != want {
			return false
		}
	}
	return true
}

// planPieces takes what was said with two sets of keys apart.
func planPieces(a, b string, idsA, idsB []string) (say []planPiece, ok bool) {
	if len(a) != len(b) {
		return nil, false
	}
	from := 0
	for i := 0; i < len(a); {
		key := 0
		for k := range idsA {
			if strings.HasPrefix(a[i:], idsA[k]) && strings.HasPrefix(b[i:], idsB[k]) {
				key = k + 1
			}
		}
		switch {
		case key > 0:
			if from < i {
				say = append(say, planPiece{text: a[from:i]})
			}
			say = append(say, planPiece{key: key})
			i += len(idsA[key-1])
			from = i
		case a[i] != b[i]:
			return nil, false
		default:
			i++
		}
	}
	if from < len(a) {
		say = append(say, planPiece{text: a[from:]})
	}
	return say, len(say) > 0
}

// A planRun has a dissector read a template's own document and keeps what it asks. In the first two runs other keys stand
// in the place of those that are named, unlike one another in every digit behind the first, and values have other
// lengths; in the third they are what they are, and in the fourth all the same.
type planRun struct {
	t     *xmlTemplate
	kind  int
	asks  []planQuestion
	ids   []string // of each planKeyID, as the dissector was told
	sizes []int    // and of each planBase64
	rec   *record.Record
	says  []string
	mcx   bool
	never bool // no plan
}

func newPlanRun(t *xmlTemplate, kind int) *planRun { return &planRun{t: t, kind: kind} }

// dissect returns false when there is no plan to be had.
func (r *planRun) dissect(c *Context, body *BodyType) bool {
	rec := &record.Record{Sources: []record.Source{{Data: r.t.data, Parent: -1}}}
	b := &record.Builder{R: rec, Want: c.B.Want}
	own := &Context{B: b, opt: c.opt, msg: c.msg, xml: &xmlTemplates{list: []*xmlTemplate{r.t}, run: r}}
	body.Dissect(own, &Part{Data: r.t.data})
	r.rec, r.says, r.mcx = rec, own.words, own.mcx
	if r.never || len(rec.Findings) > 0 || len(rec.Sources) != 1 || len(rec.Sources[0].Masked) > 0 || b.Dropped > 0 || own.learns ||
		len(rec.Nodes) > maxPlanItems || len(rec.Prots) > maxPlanItems {
		return false
	}
	for i := range rec.Nodes {
		// A number alone can be the length of a value.
		if n := &rec.Nodes[i]; n.Flags&^(record.HasRange|record.Generated|record.HasValue) != 0 || n.Key != "" || n.Str != "" || n.Src != 0 ||
			n.Flags&record.HasValue == 0 && n.Num != 0 {
			return false
		}
	}
	return true
}

// ask keeps a question about the value that begins at an offset of the template; it returns false when the value is
// part of the markup.
func (r *planRun) ask(off int32, attr bool, q planQuestion) bool {
	for k := range r.t.slots {
		if s := &r.t.slots[k]; s.off == int(off) && (s.quote != 0) == attr {
			q.slot = k
			r.asks = append(r.asks, q)
			return true
		}
	}
	return false
}

// text is asked for the character data of an element.
func (r *planRun) text(d *xmlDoc, n int32) {
	if d.nodes[n].exact {
		r.ask(d.at[n][xmlTextOff], false, planQuestion{})
	}
}

// base64 is asked whether that is base64, and no less than so many octets. It returns how many.
func (r *planRun) base64(d *xmlDoc, n int32, least int) (int, bool) {
	size, ok := length64(d.octets(n))
	nth := len(r.sizes) + 1
	if !ok || size < least || nth > maxPlanKeys || !r.ask(d.at[n][xmlTextOff], false, planQuestion{kind: planBase64, least: least, nth: nth}) {
		r.never = true
		return size, ok
	}
	switch r.kind {
	case 0:
		size = 1<<24 + nth
	case 1:
		size = 1<<25 + nth
	case 3:
		size = 1 << 26
	}
	r.sizes = append(r.sizes, size)
	return size, true
}

// keyID is asked for the identifier that it names.
func (r *planRun) keyID(c *Context, d *xmlDoc, n int32) string {
	id := c.keyID(trimSpace(d.octets(n)))
	nth := len(r.ids) + 1
	if id == "" || nth > maxPlanKeys {
		r.never = true
		return id
	}
	if !d.nodes[n].exact || !r.ask(d.at[n][xmlTextOff], false, planQuestion{kind: planKeyID, top: id[0], nth: nth}) {
		return id
	}
	const digits = "0123456789abcdef"
	fake := []byte(id)
	for i := 1; i < len(fake); i++ {
		switch r.kind {
		case 0:
			fake[i] = digits[fold(i, nth)]
		case 1:
			fake[i] = digits[fold(i, nth)|8]
		case 3:
			fake[i] = digits[i]
		}
	}
	r.ids = append(r.ids, string(fake))
	return string(fake)
}

// fold makes the digits of every one of the plan's keys other ones.
func fold(i, nth int) int { return (i + nth + i*(nth>>3)) & 7 }

// body is asked for the body that an attribute refers to.
func (r *planRun) body(c *Context, d *xmlDoc, k int32) {
	found, name := c.refersTo(d.value(k).Value)
	if d.attrs[k].own > 0 {
		r.never = true
		return
	}
	r.ask(d.valAt[k][0], true, planQuestion{kind: planBody, found: found, name: name})
}

// attr is asked for the value of an attribute.
func (r *planRun) attr(d *xmlDoc, k int32) {
	if !d.attrs[k].decl {
		r.ask(d.valAt[k][0], true, planQuestion{})
	}
}

// unplanned tells a run that what follows depends on more than the values of the document.
func (d *xmlDoc) unplanned() {
	if d.run != nil {
		d.run.never = true
	}
}

// refersTo names the body that a Reference is to.
func (c *Context) refersTo(uri []byte) (found bool, name string) {
	if p := c.byContentID(uri); p != nil {
		return true, bodyName(p)
	}
	return false, ""
}
