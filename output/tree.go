package output

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/mcxdump/mcxdump/decode/record"
)

// treeFormat shows every node in Wireshark's manner: a line for the record, then one line a node.
type treeFormat struct {
	o      Options
	shapes *shapes // nil for the plain road alone
}

func newTree(o Options) (Format, error) {
	t := &treeFormat{o: o}
	if !o.Hex { // octet ranges are never the same
		t.shapes = newShapes()
	}
	return t, nil
}

// Needs is everything.
func (t *treeFormat) Needs() record.Want { return record.All() }

// Append appends the record's lines and an empty line.
func (t *treeFormat) Append(dst []byte, r *record.Record) []byte {
	dst, _ = t.AppendOpen(dst, r)
	return dst
}

// AppendRoots appends the lines of a tree without its head.
func (t *treeFormat) AppendRoots(dst []byte, r *record.Record) []byte {
	w := treeWriter{dst: dst, o: &t.o, r: r}
	w.roots(t.shapes)
	return w.dst
}

func (w *treeWriter) roots(t *shapes) {
	if w.at != nil || w.r.Type != record.Message {
		t = nil // findings stand between the nodes
	}
	for j := 0; j < len(w.r.Nodes); j = max(int(w.r.Nodes[j].End), j+1) {
		if t == nil || !w.shaped(t, j) {
			w.node(j, 1)
		}
	}
}

// shaped appends a root by its shape where that is known, or remembers it. It returns false when nothing was written.
func (w *treeWriter) shaped(t *shapes, j int) bool {
	set, nodes, s := t.find(w.r.Nodes, j)
	if s != nil {
		return w.fill(s, nodes)
	}
	if set == nil {
		return false
	}
	from := len(w.dst)
	w.watch = &shaper{}
	w.node(j, 1)
	set.keep(w.watch.shape(w.dst[from:], from, nodes, j, layoutClass))
	w.watch = nil
	return true
}

// kindOf is the kind of a node's value.
func kindOf(n *record.Node) record.Kind {
	if n.Field.Kind == record.Protected {
		return n.Field.Of
	}
	return n.Field.Kind
}

// layoutClass is the class of a text that decides about more than the place where it stands.
func layoutClass(n *record.Node) textClass {
	if k := kindOf(n); container(k) || k == record.String && slices.Contains(labels[:], n.Field.Key()) {
		return classOf(n.Str)
	}
	return anyText
}

// fill writes the values of nodes into their shape. It returns false, with nothing written, where a value takes several lines.
func (w *treeWriter) fill(s *shape, nodes []record.Node) bool {
	from := len(w.dst)
	at, dst := from, w.dst[:cap(w.dst)]
	for i := range s.pieces {
		p := &s.pieces[i]
		n := &nodes[p.node]
		dst = s.begin(dst, at, p, n)
		at += p.size
		if p.form == pieceText && copyPlain(dst[at:], n.Str, '\\') {
			at += len(n.Str)
			continue
		}
		w.dst = dst[:at]
		if !w.piece(n, p.form) {
			w.dst = w.dst[:from]
			return false
		}
		at, dst = len(w.dst), w.dst[:cap(w.dst)]
	}
	w.dst = append(dst[:at], s.tail()...)
	return true
}

// piece writes a value as the plain road does, or returns false.
func (w *treeWriter) piece(n *record.Node, form pieceForm) bool {
	switch form {
	case pieceProtection:
		w.protection(w.r.Protection(n), n.Flags&record.HasValue != 0)
		return true
	case pieceText, pieceLabel:
		w.wire(n.Str)
		w.dst = appendMarks(w.dst, n)
		return strings.IndexByte(n.Str, '\n') < 0
	}
	return w.value(n, kindOf(n)) == ""
}

// mark shows what was written from an offset on to whoever makes a shape.
func (w *treeWriter) mark(from, j int, form pieceForm) {
	if w.watch == nil {
		return
	}
	if form == pieceLabel && w.r.Nodes[j].Flags&incomplete == 0 {
		form = pieceText
	}
	if (form == pieceText || form == pieceLabel) && strings.IndexByte(w.r.Nodes[j].Str, '\n') >= 0 {
		w.watch.broken = true
	}
	w.watch.mark(from, len(w.dst), j, form)
}

// AppendOpen appends the record's lines and an empty line; further nodes belong before the findings without a place.
func (t *treeFormat) AppendOpen(dst []byte, r *record.Record) (out []byte, at int) {
	w := treeWriter{dst: dst, o: &t.o, r: r}
	w.head()
	w.placeFindings()
	w.roots(t.shapes)
	at = len(w.dst)
	for i := range r.Findings {
		if w.at == nil || w.at[i] < 0 {
			w.finding(&r.Findings[i], 1)
		}
	}
	if t.o.Hex {
		for i := range r.Sources {
			w.dump(i)
		}
	}
	return append(w.dst, '\n'), at
}

type treeWriter struct {
	dst []byte
	o   *Options
	r   *record.Record
	at  []int // for each finding the node below which it is shown, or -1

	watch *shaper // while a shape is made
}

// maxIndent bounds the indentation, not the depth.
const maxIndent = 40

func (w *treeWriter) indent(depth int) {
	w.dst = append(w.dst, blanks[:4*min(depth, maxIndent)]...)
}

var blanks = strings.Repeat("    ", maxIndent)

func (w *treeWriter) sgr(code string) {
	if w.o.Color && code != "" {
		w.dst = append(append(append(w.dst, "\x1b["...), code...), 'm')
	}
}

func (w *treeWriter) plain() {
	if w.o.Color {
		w.dst = append(w.dst, "\x1b[0m"...)
	}
}

func (w *treeWriter) str(s string)  { w.dst = append(w.dst, s...) }
func (w *treeWriter) wire(s string) { w.dst = AppendSafe(w.dst, s) }

// head is the line of the record itself.
func (w *treeWriter) head() {
	r := w.r
	w.sgr(bold)
	switch {
	case r.Type == record.SummaryType:
		w.str("Summary")
	case len(r.Frames) == 1:
		w.str("Frame ")
	case len(r.Frames) > 1:
		w.str("Frames ")
	default:
		w.wire(r.Type.String())
	}
	w.dst = appendFrames(w.dst, r.Frames)
	if r.Number != 0 {
		w.str(": message ")
		w.dst = strconv.AppendUint(w.dst, r.Number, 10)
	}
	if r.Type != record.SummaryType {
		w.str(", ")
		w.dst = appendRFC3339(w.dst, r.Time)
	}
	if r.Src.Addr().IsValid() || r.Dst.Addr().IsValid() {
		w.str(", ")
		w.dst = appendAddrPort(w.dst, r.Src)
		w.str(" -> ")
		w.dst = appendAddrPort(w.dst, r.Dst)
	}
	for _, e := range r.Encap {
		w.str(", ")
		w.wire(e)
	}
	if r.Transport != "" {
		w.str(", ")
		w.wire(r.Transport)
	}
	if len(r.Sources) > 0 && r.Sources[0].Data != nil {
		w.str(", ")
		w.dst = strconv.AppendInt(w.dst, int64(len(r.Sources[0].Data)), 10)
		w.str(" octets")
	}
	if r.Quoted {
		w.str(", quoted in an ICMP error")
	}
	w.plain()
	w.str("\n")
	for _, p := range [...]struct{ title, s string }{{"File", r.File}, {"Interface", r.Interface}, {"Info", r.Info}} {
		if p.s != "" {
			w.indent(1)
			w.str(p.title)
			w.str(": ")
			w.wire(p.s)
			w.str("\n")
		}
	}
}

// appendFrames writes frame numbers with runs drawn together: 3-5,9.
func appendFrames(dst []byte, fs []uint64) []byte {
	for i := 0; i < len(fs); {
		j := i
		for j+1 < len(fs) && fs[j+1] == fs[j]+1 {
			j++
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, fs[i], 10)
		if j > i {
			dst = append(dst, '-')
			dst = strconv.AppendUint(dst, fs[j], 10)
		}
		i = j + 1
	}
	return dst
}

// placeFindings chooses for each finding the smallest node that holds its octets, then the first of its field.
func (w *treeWriter) placeFindings() {
	r := w.r
	if len(r.Findings) == 0 {
		return
	}
	w.at = make([]int, len(r.Findings))
	for i := range r.Findings {
		f := &r.Findings[i]
		w.at[i] = -1
		var ref record.Ref
		if f.Field != "" {
			ref, _ = record.Lookup(f.Field)
		}
		best, named := -1, -1
		for j := range r.Nodes {
			n := &r.Nodes[j]
			if named < 0 && ref.Field != nil && n.Field == ref.Field {
				named = j
			}
			if !f.HasRange || n.Flags&record.HasRange == 0 || n.Src != f.Source || n.Off > f.Off ||
				uint64(n.Off)+uint64(n.Len) < uint64(f.Off)+uint64(f.Len) {
				continue
			}
			if best < 0 || n.Len <= r.Nodes[best].Len {
				best = j
			}
		}
		if best < 0 {
			best = named
		}
		w.at[i] = best
	}
}

func (w *treeWriter) finding(f *record.Finding, depth int) {
	w.indent(depth)
	w.sgr(severityColor(f.Severity))
	w.str("[")
	w.str(title(f.Severity.String()))
	w.str(" ")
	w.wire(f.ID)
	if f.Clause != "" {
		w.str(" (")
		w.wire(f.Clause)
		w.str(")")
	}
	w.str(": ")
	w.wire(f.Message)
	if f.Body != "" {
		w.str("; body ")
		w.wire(f.Body)
	}
	if len(f.Frames) > 0 {
		w.str("; frame ")
		w.dst = appendFrames(w.dst, f.Frames)
	}
	w.str("]")
	w.plain()
	w.str("\n")
}

func title(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-32) + s[1:]
}

// treeField is what the tree has to know of a field.
type treeField struct {
	title string // fit to be printed
	entry bool   // of a Map: the node has its name
	list  bool   // an object of a list, which may be a pair of name and value
}

var treeFields atomic.Pointer[[]treeField]

// treeFieldOf looks a field up; the register is complete after package initialisation, but a test may add to it.
func treeFieldOf(f *record.Field) *treeField {
	if t := treeFields.Load(); t != nil && f.ID() < len(*t) {
		return &(*t)[f.ID()]
	}
	var t []treeField
	for _, f := range record.Fields() {
		p := f.Parent()
		t = append(t, treeField{Safe(f.Title), p != nil && p.Kind == record.Map && p.Entry() == f, f.Kind == record.Object && f.List})
	}
	treeFields.Store(&t)
	return &t[f.ID()]
}

func (w *treeWriter) node(j, depth int) {
	n := &w.r.Nodes[j]
	f := treeFieldOf(n.Field)
	w.indent(depth)
	generated := n.Flags&record.Generated != 0 && n.Flags&record.HasRange == 0 && w.r.Type == record.Message
	if f.list {
		if name, value := w.pair(j); value != nil {
			w.pairLine(j, name, value, depth)
			return
		}
	}
	if generated {
		w.str("[")
	}
	if f.entry {
		w.wire(n.Key)
	} else {
		w.sgr(bold)
		w.str(f.title)
		w.plain()
	}
	var block string
	k := kindOf(n)
	if n.Flags&(record.HasValue|record.Withheld) != 0 && !(container(k) && n.Str == "") {
		w.str(": ")
		from := len(w.dst)
		block = w.value(n, k)
		if form := pieceScalar; w.watch != nil {
			if n.Flags&incomplete == 0 && (k == record.String || k == record.Addr) {
				form = pieceText
			}
			w.mark(from, j, form)
			w.watch.broken = w.watch.broken || block != ""
		}
	}
	if k == record.Object && n.Field.List && n.Str == "" {
		w.label(j)
	}
	if n.Field.Kind == record.Protected {
		from := len(w.dst)
		w.protection(w.r.Protection(n), n.Flags&record.HasValue != 0)
		w.mark(from, j, pieceProtection)
	}
	if generated {
		w.str("]")
	}
	w.octets(n)
	w.str("\n")
	if block != "" {
		w.block(block, depth+1)
	}
	w.findingsAt(j, depth+1)
	for c := j + 1; c < int(n.End); c = max(int(w.r.Nodes[c].End), c+1) {
		w.node(c, depth+1)
	}
}

// octets appends a node's range.
func (w *treeWriter) octets(n *record.Node) {
	if !w.o.Hex || n.Flags&record.HasRange == 0 {
		return
	}
	w.sgr(dim)
	w.str(" [")
	if n.Src != 0 {
		w.str("source ")
		w.dst = strconv.AppendUint(w.dst, uint64(n.Src), 10)
		w.str(": ")
	}
	w.dst = strconv.AppendUint(w.dst, uint64(n.Off), 10)
	w.str("..")
	w.dst = strconv.AppendUint(w.dst, uint64(n.Off)+uint64(n.Len), 10)
	w.str(")")
	w.plain()
}

func (w *treeWriter) findingsAt(j, depth int) {
	for i, at := range w.at {
		if at == j {
			w.finding(&w.r.Findings[i], depth)
		}
	}
}

// pair recognises an object that is nothing but a name and a value, such as a header field: one line is enough.
func (w *treeWriter) pair(j int) (name, value *record.Node) {
	nodes := w.r.Nodes
	n := &nodes[j]
	if int(n.End) != j+3 || nodes[j+1].End != int32(j+2) {
		return nil, nil
	}
	name, value = &nodes[j+1], &nodes[j+2]
	for i, x := range []*record.Node{name, value} {
		if x.Field.Kind != record.String || x.Field.Key() != [...]string{"name", "value"}[i] || x.Flags&record.HasValue == 0 || strings.IndexByte(x.Str, '\n') >= 0 {
			return nil, nil
		}
	}
	return name, value
}

func (w *treeWriter) pairLine(j int, name, value *record.Node, depth int) {
	w.sgr(bold)
	from := len(w.dst)
	w.wire(name.Str)
	w.mark(from, j+1, pieceText)
	if w.watch != nil && name.Flags&incomplete != 0 {
		w.watch.broken = true // marks follow behind the name's colour
	}
	w.plain()
	w.dst = appendMarks(w.dst, name)
	w.str(": ")
	from = len(w.dst)
	w.wire(value.Str)
	w.dst = appendMarks(w.dst, value)
	w.mark(from, j+2, pieceLabel)
	w.octets(&w.r.Nodes[j])
	w.str("\n")
	for k := range 3 {
		w.findingsAt(j+k, depth+1)
	}
}

// maxLabel is the length of a text that may tell an object from others.
const maxLabel = 200

// labels are the members by which one object of a list is told from the others, best first.
var labels = [...]string{"name", "path", "uri", "id"}

// label appends the member that names an object of a list.
func (w *treeWriter) label(j int) {
	best, node := len(labels), -1
	for c := j + 1; c < int(w.r.Nodes[j].End) && best > 0; c = max(int(w.r.Nodes[c].End), c+1) {
		n := &w.r.Nodes[c]
		if n.Field.Kind != record.String || n.Flags&record.HasValue == 0 || n.Str == "" || len(n.Str) > maxLabel {
			continue
		}
		if i := slices.Index(labels[:best], n.Field.Key()); i >= 0 {
			best, node = i, c
		}
	}
	if node >= 0 {
		n := &w.r.Nodes[node]
		w.str(": ")
		from := len(w.dst)
		w.wire(n.Str)
		w.dst = appendMarks(w.dst, n)
		w.mark(from, node, pieceLabel)
	}
}

func container(k record.Kind) bool {
	return k == record.Object || k == record.Map || k == record.Protected
}

// value appends a value, or returns the text that is better shown as a block of lines.
func (w *treeWriter) value(n *record.Node, k record.Kind) (block string) {
	switch k {
	case record.String, record.Object, record.Map, record.Protected, record.Addr:
		if strings.IndexByte(n.Str, '\n') >= 0 && strings.IndexByte(strings.TrimRight(n.Str, "\r\n"), '\n') >= 0 {
			block = n.Str
			w.dst = strconv.AppendInt(w.dst, int64(len(n.Str)), 10)
			w.str(" octets of text")
		} else {
			w.wire(n.Str)
		}
	case record.Raw:
		var b bytes.Buffer
		if len(n.Str) > 60 && json.Indent(&b, []byte(n.Str), "", "  ") == nil {
			w.dst = bytes.TrimSuffix(w.dst, []byte(" "))
			return b.String()
		}
		w.wire(n.Str)
	case record.Octets:
		w.dst = appendHex(w.dst, n.Str)
		if len(n.Str) > 16 {
			w.str(" (")
			w.dst = strconv.AppendInt(w.dst, int64(len(n.Str)), 10)
			w.str(" octets)")
		}
	default:
		if n.Flags&record.HasValue != 0 {
			w.number(n, k)
		}
	}
	if n.Flags&(record.Cut|record.Withheld) != 0 {
		w.dst = appendMarks(w.dst, n)
	}
	return block
}

// number is record.Value.AppendText of a number or a time.
func (w *treeWriter) number(n *record.Node, k record.Kind) {
	switch k {
	case record.Uint:
		w.dst = appendUint(w.dst, uint64(n.Num))
	case record.Time:
		w.dst = appendRFC3339(w.dst, n.Num)
	default:
		w.dst = record.Value{Kind: k, Num: n.Num, Valid: true}.AppendText(w.dst)
	}
}

// block shows text of several lines, each behind a bar.
func (w *treeWriter) block(s string, depth int) {
	s = strings.TrimRight(s, "\r\n")
	if s == "" {
		return
	}
	for line := range strings.SplitSeq(s, "\n") {
		w.indent(depth)
		w.str("| ")
		w.wire(strings.TrimSuffix(line, "\r"))
		w.str("\n")
	}
}

// protection says in words what is known.
func (w *treeWriter) protection(p *record.Protection, value bool) {
	if p == nil {
		return
	}
	col := green
	switch {
	case p.Encrypted && p.State == record.Failed:
		col = red
	case p.Encrypted && p.State != record.Opened:
		col = yellow
	case !p.Encrypted && !p.Signed:
		return
	}
	if value {
		w.str(" ")
	} else {
		w.str(": ")
	}
	w.sgr(col)
	w.str("(")
	if p.Encrypted {
		switch p.State {
		case record.Opened:
			w.str("decrypted")
			w.about(" with key ", p.KeyID)
			w.about(", variant ", p.Variant)
		case record.Failed:
			w.str("encrypted, decryption failed")
			w.reason(p)
			w.about(", key ", p.KeyID)
		case record.NoKey:
			w.str("encrypted, no key")
			w.about(" for ", p.KeyID)
			if p.Reason != record.ReasonNoKey {
				w.reason(p)
			}
		default:
			w.str("encrypted")
			w.about(", key ", p.KeyID)
			w.reason(p)
		}
		w.about(", ", p.Algorithm)
	}
	if p.Signed || p.Verified {
		if p.Encrypted {
			w.str(", ")
		}
		if p.Verified {
			w.str("signed, signature verified")
		} else {
			w.str("signed, not verified")
		}
	}
	w.str(")")
	w.plain()
}

func (w *treeWriter) about(words, s string) {
	if s != "" {
		w.str(words)
		w.wire(s)
	}
}

// reasonWords are the enumeration of the contract in plain words; an unknown one is shown as it is.
var reasonWords = map[string]string{
	"no_key": "no key", "no_rsk": "no receiver secret key", "wrong_rsk": "the receiver secret key is another user's",
	"wrong_period": "the key is of another period", "no_kpak": "no KMS public authentication key",
	"p0_unknown": "the MC service ID is not known", "tag_mismatch": "the authentication tag does not match",
	"digest_mismatch": "the digest does not match", "hmac_mismatch": "the HMAC does not match",
	"unresolved_reference": "a reference leads nowhere", "unsupported_algorithm": "the algorithm is not supported",
	"key_name_mismatch": "the key's name does not match", "malformed": "malformed",
}

func (w *treeWriter) reason(p *record.Protection) {
	s := p.Reason.String()
	if s == "" {
		return
	}
	if words, ok := reasonWords[s]; ok {
		s = words
	}
	w.str(": ")
	w.wire(s)
}

// dump shows a source's octets, sixteen a line. Masked octets are shown only with Options.Secrets.
func (w *treeWriter) dump(i int) {
	s := &w.r.Sources[i]
	w.sgr(bold)
	w.str("Source ")
	w.dst = strconv.AppendInt(w.dst, int64(i), 10)
	w.str(" (")
	w.wire(s.Kind.String())
	if s.Name != "" {
		w.str(": ")
		w.wire(s.Name)
	}
	w.str("), ")
	w.dst = strconv.AppendInt(w.dst, int64(len(s.Data)), 10)
	w.str(" octets")
	if s.Parent >= 0 && i > 0 {
		w.str(" from source ")
		w.dst = strconv.AppendInt(w.dst, int64(s.Parent), 10)
		w.str(" [")
		w.dst = strconv.AppendUint(w.dst, uint64(s.ParentOff), 10)
		w.str("..")
		w.dst = strconv.AppendUint(w.dst, uint64(s.ParentOff)+uint64(s.ParentLen), 10)
		w.str(")")
	}
	if f, ok := w.r.FrameAt(i, 0); ok {
		w.str(", frame ")
		w.dst = strconv.AppendUint(w.dst, f, 10)
	}
	w.plain()
	w.str("\n")
	if s.Data == nil && w.o.Redact != nil {
		w.str("    (octets are not shown with redaction)\n")
		return
	}
	masked := w.masked(i)
	for off := 0; off < len(s.Data); off += 16 {
		row := s.Data[off:min(off+16, len(s.Data))]
		w.str("    ")
		for sh := 20; sh >= 0; sh -= 4 {
			w.dst = append(w.dst, hexDigits[off>>sh&15])
		}
		w.str("  ")
		for k := range 16 {
			switch {
			case k >= len(row):
				w.str("  ")
			case inside(masked, off+k):
				w.str("··")
			default:
				w.dst = append(w.dst, hexDigits[row[k]>>4], hexDigits[row[k]&15])
			}
			w.str(" ")
			if k == 7 {
				w.str(" ")
			}
		}
		w.str(" ")
		for k, c := range row {
			switch {
			case inside(masked, off+k):
				w.str("·")
			case c >= 0x20 && c < 0x7f:
				w.dst = append(w.dst, c)
			default:
				w.str(".")
			}
		}
		w.str("\n")
	}
}

// masked returns the source's secrets as sorted, merged ranges. A child that is a plain copy of a masked stretch of
// its parent is the decoder's to mask.
func (w *treeWriter) masked(i int) [][2]int {
	if w.o.Secrets {
		return nil
	}
	var out [][2]int
	// What no dissector could read may hold secrets too.
	for _, m := range append(record.PlainSecrets(w.r.Sources[i].Data), w.r.Sources[i].Masked...) {
		size := uint64(len(w.r.Sources[i].Data))
		if from, to := uint64(m.Off), min(uint64(m.Off)+uint64(m.Len), size); from < to {
			out = append(out, [2]int{int(from), int(to)})
		}
	}
	slices.SortFunc(out, func(a, b [2]int) int { return a[0] - b[0] })
	k := 0
	for _, m := range out {
		if k > 0 && m[0] <= out[k-1][1] {
			out[k-1][1] = max(out[k-1][1], m[1])
			continue
		}
		out[k] = m
		k++
	}
	return out[:k]
}

func inside(ranges [][2]int, off int) bool {
	i, _ := slices.BinarySearchFunc(ranges, off, func(r [2]int, off int) int {
		if r[1] <= off {
			return -1
		}
		return 1
	})
	return i < len(ranges) && ranges[i][0] <= off
}
