package output

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A shape is the text around the values of a stretch of nodes. Messages of one kind have the same fields in the same order, so
// that of the next one only the values have to be written. It is taken from what the plain road wrote, and holds for nodes
// that are the same in all on which that text depends.
type shape struct {
	nodes  []shapeNode
	pieces []shapePiece
	text   []byte // all of it, with room for a chunk behind it
	last   int    // where the text behind the last value begins
}

func (s *shape) tail() []byte { return s.text[s.last : len(s.text)-shapeChunk] }

// shapeNode is what a node has to be.
type shapeNode struct {
	field *record.Field
	end   int32 // relative to the first node
	flags record.Flags
	entry bool // of a Map: the name counts
	text  textClass
	key   string
}

// textClass is what the tree's layout depends on in a text.
type textClass uint8

const (
	anyText  textClass = iota
	noText             // ""
	someText           // up to maxLabel octets
	longText
)

func classOf(s string) textClass {
	switch {
	case s == "":
		return noText
	case len(s) <= maxLabel:
		return someText
	}
	return longText
}

// shapePiece is constant text and the value that follows it.
type shapePiece struct {
	from, size int // in the shape's text
	node       int // relative
	form       pieceForm
}

// shapeChunk is how much text is copied at a time where there is less.
const shapeChunk = 32

// pieceForm is how a value is written.
type pieceForm uint8

const (
	pieceScalar pieceForm = iota // by its kind
	pieceText                    // what stands between the quotes of a string
	pieceHex                     // between those of octets
	pieceUint
	pieceProtection // what is known of a protection
	pieceLabel      // text with its marks, wherever it stands
)

const (
	shapeBits = 6
	shapeSets = 64 // of shapes that are known at a time; 1<<shapeBits
	shapeWays = 4  // shapes of a set; 256 are 12 MB at the worst
	shapeMin  = 5  // nodes; fewer are not worth it
	shapeMax  = 512
	shapeText = 16 << 10 // octets, with the values of the nodes that it is made of
	// shapeTries is how many stretches of a record are compared with shapes: no more, so that the work for hostile ones stays in
	// proportion to their size.
	shapeTries = 32
	// shapePatience is how many strange stretches come to a set before the next one is remembered there.
	shapePatience = 4
)

// shapes are those of the stretches that came lately, in sets by a look at a few of their nodes. It is shared by workers.
type shapes struct {
	sets     [shapeSets]shapeSet
	patience uint32
}

type shapeSet struct {
	ways    [shapeWays]atomic.Pointer[shape]
	strange atomic.Uint32 // stretches without a shape since one was made
	made    atomic.Uint32
}

func newShapes() *shapes { return &shapes{patience: shapePatience} }

// find looks for the shape of node j and what is below it. Where it returns a set and no shape, it is time to make that of these
// nodes and to put it there.
func (t *shapes) find(all []record.Node, j int) (set *shapeSet, nodes []record.Node, s *shape) {
	end := int(all[j].End)
	n := end - j
	if n < shapeMin || n > shapeMax || end > len(all) {
		return nil, nil, nil
	}
	nodes = all[j:end]
	h := uint32(n)
	for _, i := range [...]int{0, n / 4, n / 2, n * 3 / 4, n - 1} {
		h = h*0x9e3779b1 + uint32(nodes[i].Field.ID()) + uint32(nodes[i].Flags)<<20
	}
	set = &t.sets[h*0x9e3779b1>>(32-shapeBits)]
	for i := range set.ways {
		if s = set.ways[i].Load(); s != nil && s.fits(nodes) {
			return nil, nodes, s
		}
	}
	if set.strange.Add(1) <= t.patience {
		return nil, nodes, nil
	}
	set.strange.Store(0)
	return set, nodes, nil
}

// keep remembers a shape, unless it is nil.
func (t *shapeSet) keep(s *shape) {
	if s != nil {
		t.ways[t.made.Add(1)%shapeWays].Store(s)
	}
}

// fits compares nodes with those of the shape.
func (s *shape) fits(nodes []record.Node) bool {
	if len(s.nodes) != len(nodes) {
		return false
	}
	first := nodes[0].End - s.nodes[0].end
	for i := range s.nodes {
		k, n := &s.nodes[i], &nodes[i]
		if k.field != n.Field || k.end != n.End-first || k.flags != n.Flags {
			return false
		}
		if k.entry && k.key != n.Key || k.text != anyText && k.text != classOf(n.Str) {
			return false
		}
	}
	return true
}

// incomplete are the flags of values that may have marks behind them.
const incomplete = record.Cut | record.Withheld

// begin writes the text of a piece at an offset of dst, with room behind it for the text of its node. Whole chunks are copied, over
// what comes next.
func (s *shape) begin(dst []byte, at int, p *shapePiece, n *record.Node) []byte {
	if need := p.size + len(n.Str) + shapeChunk; len(dst)-at < need {
		dst = slices.Grow(dst[:at], need)
		dst = dst[:cap(dst)]
	}
	if p.size <= shapeChunk {
		*(*[shapeChunk]byte)(dst[at:]) = *(*[shapeChunk]byte)(s.text[p.from:])
	} else {
		copy(dst[at:], s.text[p.from:p.from+p.size])
	}
	return dst
}

// A shaper watches the plain road write a stretch.
type shaper struct {
	marks  []mark
	broken bool // the text is not in the order of the nodes
}

// mark is where a value was written.
type mark struct {
	from, to, node int
	form           pieceForm
}

func (w *shaper) mark(from, to, node int, form pieceForm) {
	w.marks = append(w.marks, mark{from, to, node, form})
}

// shape makes a shape of the text of nodes, of which the first is node j and which began at from; or nil.
func (w *shaper) shape(text []byte, from int, nodes []record.Node, j int, class func(*record.Node) textClass) *shape {
	if w.broken || len(text) > shapeText {
		return nil
	}
	s := &shape{nodes: make([]shapeNode, len(nodes)), pieces: make([]shapePiece, len(w.marks))}
	for i := range nodes {
		n := &nodes[i]
		end := int(n.End) - j
		if end <= i || end > len(nodes) {
			return nil
		}
		k := shapeNode{field: n.Field, end: int32(end), flags: n.Flags, text: class(n)}
		if k.entry = isEntry(n.Field); k.entry {
			k.key = strings.Clone(n.Key)
		}
		s.nodes[i] = k
	}
	at := 0
	for i, m := range w.marks {
		m.from, m.to, m.node = m.from-from, m.to-from, m.node-j
		if m.from < at || m.to < m.from || m.to > len(text) || m.node < 0 || m.node >= len(nodes) {
			return nil
		}
		s.pieces[i] = shapePiece{len(s.text), m.from - at, m.node, m.form}
		s.text = append(s.text, text[at:m.from]...)
		at = m.to
	}
	s.last = len(s.text)
	s.text = append(append(s.text, text[at:]...), make([]byte, shapeChunk)...)
	return s
}

// isEntry reports whether nodes of the field have names of their own.
func isEntry(f *record.Field) bool {
	p := f.Parent()
	return p != nil && p.Kind == record.Map && p.Entry() == f
}
