package record

import "slices"

// DefaultNodes is the number of nodes one record may have before the rest is counted and left out.
const DefaultNodes = 50_000

// A Builder grows one Record's tree in preorder. The zero value with R set is ready; Want limits what is built.
// It is for one goroutine.
type Builder struct {
	R    *Record
	Want Want
	// MaxNodes bounds the tree; 0 means DefaultNodes. Dropped counts what did not fit.
	MaxNodes int
	Dropped  int

	stack []int32
}

// Reset points the builder at another record and keeps its buffers.
func (b *Builder) Reset(r *Record) {
	b.R, b.Dropped, b.stack = r, 0, b.stack[:0]
}

// A Place is a range of octets in a source. The zero Place is "nowhere": a generated node.
type Place struct {
	Src      int
	Off, Len uint32
	Known    bool
}

// At makes a Place.
func At(src int, off, length int) Place {
	if src < 0 || src > 0xffff || off < 0 || length < 0 {
		return Place{}
	}
	return Place{Src: src, Off: uint32(off), Len: uint32(length), Known: true}
}

// Wants reports whether anything looks at the field; callers use it to skip work.
func (b *Builder) Wants(f *Field) bool { return b.Want.Has(f) }

func (b *Builder) add(f *Field, p Place) *Node {
	limit := b.MaxNodes
	if limit <= 0 {
		limit = DefaultNodes
	}
	r := b.R
	k := len(r.Nodes)
	if k >= limit {
		b.Dropped++
		return nil
	}
	if k < cap(r.Nodes) {
		r.Nodes = r.Nodes[:k+1]
	} else {
		r.Nodes = append(r.Nodes, Node{})
	}
	// Every member is set: the memory may be that of an earlier record's node. Set one by one, they are written once.
	n := &r.Nodes[k]
	n.Field, n.Key, n.Str, n.Num = f, "", "", 0
	n.End, n.Prot = int32(k+1), 0
	if p.Known {
		n.Off, n.Len, n.Src, n.Flags = p.Off, p.Len, uint16(p.Src), HasRange
	} else {
		n.Off, n.Len, n.Src, n.Flags = 0, 0, 0, Generated
	}
	return n
}

// Open starts an object, map or protected element; Close ends it. It returns false when the node was not built
// (unwanted, or the limit is reached); Close must be called all the same.
func (b *Builder) Open(f *Field, p Place) bool {
	if !b.Want.Has(f) {
		b.stack = append(b.stack, -1)
		return false
	}
	if b.add(f, p) == nil {
		b.stack = append(b.stack, -1)
		return false
	}
	b.stack = append(b.stack, int32(len(b.R.Nodes)-1))
	return true
}

// Close ends what Open began.
func (b *Builder) Close() {
	k := len(b.stack) - 1
	i := b.stack[k]
	b.stack = b.stack[:k]
	if i >= 0 {
		b.R.Nodes[i].End = int32(len(b.R.Nodes))
	}
}

// Depth is the number of open objects.
func (b *Builder) Depth() int { return len(b.stack) }

// Node adds a leaf and returns it for its value to be set; nil when the field is unwanted or the limit is reached.
// The pointer is valid until the next call.
func (b *Builder) Node(f *Field, p Place) *Node {
	if !b.Want.Has(f) {
		return nil
	}
	return b.add(f, p)
}

// Last returns the node that the innermost Open built, or nil.
func (b *Builder) Last() *Node {
	if len(b.stack) == 0 {
		return nil
	}
	if i := b.stack[len(b.stack)-1]; i >= 0 {
		return &b.R.Nodes[i]
	}
	return nil
}

// Str adds a text leaf.
func (b *Builder) Str(f *Field, s string, p Place) *Node {
	n := b.Node(f, p)
	if n != nil {
		n.Str = s
		n.Flags |= HasValue
	}
	return n
}

// Octets adds an octet string.
func (b *Builder) Octets(f *Field, s []byte, p Place) *Node {
	n := b.Node(f, p)
	if n != nil {
		n.Str = string(s)
		n.Flags |= HasValue
	}
	return n
}

// Num adds a Uint, Int or Time leaf.
func (b *Builder) Num(f *Field, v int64, p Place) *Node {
	n := b.Node(f, p)
	if n != nil {
		n.Num = v
		n.Flags |= HasValue
	}
	return n
}

// Bool adds a Bool leaf.
func (b *Builder) Bool(f *Field, v bool, p Place) *Node {
	n := b.Node(f, p)
	if n != nil {
		if v {
			n.Num = 1
		}
		n.Flags |= HasValue
	}
	return n
}

// Entry adds an entry of a Map that is open.
func (b *Builder) Entry(m *Field, key, value string, p Place) *Node {
	n := b.Node(m.entry, p)
	if n != nil {
		n.Key, n.Str = key, value
		n.Flags |= HasValue
	}
	return n
}

// Protect attaches a protection to a node of Kind Protected and returns the stored copy, valid until the next call.
func (b *Builder) Protect(n *Node, p Protection) *Protection {
	if n == nil || len(b.R.Prots) >= maxProts {
		return nil
	}
	b.R.Prots = append(b.R.Prots, p)
	n.Prot = uint16(len(b.R.Prots))
	return &b.R.Prots[n.Prot-1]
}

// Graft makes room for nodes and protections that are known as they are, and returns it for all of their members to be
// set, nil when it would go beyond a limit. The indices in them count from the record's first.
func (b *Builder) Graft(nodes, prots int) ([]Node, []Protection) {
	limit := b.MaxNodes
	if limit <= 0 {
		limit = DefaultNodes
	}
	r := b.R
	n, p := len(r.Nodes), len(r.Prots)
	if nodes == 0 || n+nodes > limit || p+prots > maxProts {
		return nil, nil
	}
	r.Nodes = slices.Grow(r.Nodes, nodes)[:n+nodes]
	r.Prots = slices.Grow(r.Prots, prots)[:p+prots]
	return r.Nodes[n:], r.Prots[p:]
}

// maxProts bounds the protections of one record, which nodes name by 16 bits.
const maxProts = 0xfffe

// MaxSources bounds the derived octet runs of one record.
const MaxSources = 4096

// Source adds a derived source and returns its index, or -1 at the limit.
func (b *Builder) Source(s Source) int {
	if len(b.R.Sources) >= MaxSources {
		b.Dropped++
		return -1
	}
	b.R.Sources = append(b.R.Sources, s)
	return len(b.R.Sources) - 1
}

// MaxFindings bounds the findings of one record; the rest is counted in Dropped.
const MaxFindings = 256

// Finding adds a finding.
func (b *Builder) Finding(f Finding) {
	if len(b.R.Findings) >= MaxFindings {
		b.Dropped++
		return
	}
	b.R.Findings = append(b.R.Findings, f)
}
