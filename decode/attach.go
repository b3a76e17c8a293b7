package decode

import (
	"github.com/mcxdump/mcxdump/decode/record"
)

const (
	// sessionNodes is more than a tracker adds to a record.
	sessionNodes = 64
	// maxRedone is how many more messages than one in redoneShare may have to be decoded twice before records are held.
	maxRedone   = 256
	redoneShare = 8
)

// printOpen prints message i of a batch in the worker, with room for what the tracker will add. It returns false when
// the record has to be held: what prints it wants it whole, or the tracker has something to find in every other message.
func (p *pipeline) printOpen(b *batch, i int, r *record.Record, ev any) bool {
	if p.open == nil || b.items[i].keys || len(r.Nodes)+sessionNodes > record.DefaultNodes || p.redone.Load() > maxRedone {
		return false
	}
	at := len(b.out)
	var out []byte
	var root int
	var ok bool
	if try(func() { out, root, ok = p.open.EncodeOpen(b.out, r) }) != "" || !ok {
		return false // encode tells of a fault
	}
	from := len(b.found)
	b.out, b.found = out, append(b.found, r.Findings...)
	b.held = append(b.held, held{at: at, end: len(out), root: root, ev: ev, item: i, from: from, to: len(b.found)})
	return true
}

// attach gives the events of a batch to the tracker, in order, and prints the records that waited with what it says
// about them, between those that did not.
func (p *pipeline) attach(dst []byte, b *batch) []byte {
	from := 0
	for i := range b.held {
		h := &b.held[i]
		dst = append(dst, b.out[from:h.at]...)
		from = h.at
		if h.rec == nil {
			dst = p.complete(dst, b, h)
			from = h.end
			continue
		}
		rb := record.Builder{R: h.rec, Want: p.opt.Want}
		fs := p.trackAdd(h.ev, &rb)
		b.stats.findings(fs)
		p.opt.Monitor.findings(fs)
		dst = p.encode(b, dst, h.rec)
		if cap(h.rec.Nodes) <= maxSpareNodes {
			p.spares.Put(h.rec)
		}
	}
	return append(dst, b.out[from:]...)
}

// complete puts what the tracker adds into a record that is printed already. Where it changes the findings, which may
// stand anywhere, the message is decoded once more.
func (p *pipeline) complete(dst []byte, b *batch, h *held) []byte {
	r := &p.added
	*r = record.Record{Type: record.Message, Nodes: r.Nodes[:0], Findings: append(r.Findings[:0], b.found[h.from:h.to]...)}
	p.adder.Want = p.opt.Want
	p.adder.Reset(r)
	fs := p.trackAdd(h.ev, &p.adder)
	b.stats.findings(fs)
	p.opt.Monitor.findings(fs)
	if len(fs) == 0 && len(r.Findings) == h.to-h.from {
		if p.redone.Load() > 0 {
			p.redone.Add(-1)
		}
		if h.root < 0 || len(r.Nodes) == 0 {
			return append(dst, b.out[h.at:h.end]...)
		}
		dst = append(dst, b.out[h.at:h.root]...)
		dst = p.open.EncodeRoots(dst, r)
		return append(dst, b.out[h.root:h.end]...)
	}
	p.redone.Add(redoneShare)
	if p.again == nil {
		p.again = newWorker(p.opt)
	}
	whole := p.decode(p.again, &b.items[h.item])
	shift := int32(len(whole.Nodes))
	for _, n := range r.Nodes {
		n.End += shift
		whole.Nodes = append(whole.Nodes, n)
	}
	whole.Findings = append(whole.Findings[:0], r.Findings...)
	return p.encode(b, dst, whole)
}
