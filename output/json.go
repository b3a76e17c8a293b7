package output

import (
	"bytes"
	"encoding/json"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Marks that end a value of which a part is missing.
const (
	WithheldMark = "[withheld]" // a secret was left out
	CutMark      = "[cut]"      // the value was longer than the limit
)

// repeated is put after the key of a member that, by its field, occurs once and came again on the wire.
const repeated = "_repeated"

// jsonFormat without shapes is the plain road.
type jsonFormat struct{ shapes *shapes }

func newJSON(Options) (Format, error) { return jsonFormat{newShapes()}, nil }

// Needs is everything: JSON leaves nothing out.
func (jsonFormat) Needs() record.Want { return record.All() }

// Append appends the record as one line of JSON.
func (f jsonFormat) Append(dst []byte, r *record.Record) []byte {
	dst, _ = f.AppendOpen(dst, r)
	return dst
}

// AppendRoots appends members.
func (f jsonFormat) AppendRoots(dst []byte, r *record.Record) []byte {
	e := encoder{r: r, keys: loadKeys(), shapes: f.shapes}
	return e.members(dst, 0, len(r.Nodes), e.keys.top, true)
}

// AppendOpen appends the record as one line of JSON; members may follow those of its tree.
func (f jsonFormat) AppendOpen(dst []byte, r *record.Record) (out []byte, at int) {
	e := encoder{r: r, keys: loadKeys(), shapes: f.shapes}
	dst = append(dst, `{"schema":"`+record.Schema+`","record":`...)
	dst = appendJSONString(dst, r.Type.String())
	if r.Number != 0 {
		dst = append(dst, `,"number":`...)
		dst = strconv.AppendUint(dst, r.Number, 10)
	}
	if r.Type != record.SummaryType {
		dst = append(dst, `,"time":"`...)
		dst = appendRFC3339(dst, r.Time)
		dst = append(dst, '"')
	}
	if len(r.Frames) > 0 {
		dst = append(dst, `,"frames":`...)
		dst = appendUints(dst, r.Frames)
	}
	dst = appendMember(dst, `,"file":`, r.File)
	dst = appendMember(dst, `,"interface":`, r.Interface)
	dst = appendMember(dst, `,"transport":`, r.Transport)
	if len(r.Encap) > 0 {
		dst = append(dst, `,"encapsulation":[`...)
		for i, s := range r.Encap {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONString(dst, s)
		}
		dst = append(dst, ']')
	}
	if r.Quoted {
		dst = append(dst, `,"quoted":true`...)
	}
	if r.Src.Addr().IsValid() {
		dst = append(dst, `,"src":{"ip":`...)
		dst = appendJSONEndpoint(dst, r, true)
	}
	if r.Dst.Addr().IsValid() {
		dst = append(dst, `,"dst":{"ip":`...)
		dst = appendJSONEndpoint(dst, r, false)
	}
	dst = appendMember(dst, `,"info":`, r.Info)
	dst = e.members(dst, 0, len(r.Nodes), e.keys.top, true)
	at = len(dst)
	if len(r.Findings) > 0 {
		dst = append(dst, `,"findings":[`...)
		for i := range r.Findings {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONFinding(dst, &r.Findings[i])
		}
		dst = append(dst, ']')
	}
	return append(dst, '}', '\n'), at
}

func appendMember(dst []byte, key, s string) []byte {
	if s == "" {
		return dst
	}
	return appendJSONString(append(dst, key...), s)
}

func appendUints(dst []byte, us []uint64) []byte {
	dst = append(dst, '[')
	for i, u := range us {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, u, 10)
	}
	return append(dst, ']')
}

func appendJSONEndpoint(dst []byte, r *record.Record, src bool) []byte {
	a := r.Dst
	if src {
		a = r.Src
	}
	if a.Addr().Zone() != "" {
		dst = appendJSONString(dst, a.Addr().String())
	} else {
		dst = append(a.Addr().AppendTo(append(dst, '"')), '"')
	}
	dst = append(dst, `,"port":`...)
	return append(strconv.AppendUint(dst, uint64(a.Port()), 10), '}')
}

func appendJSONFinding(dst []byte, f *record.Finding) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendJSONString(dst, f.ID)
	dst = append(dst, `,"severity":`...)
	dst = appendJSONString(dst, f.Severity.String())
	dst = appendMember(dst, `,"clause":`, f.Clause)
	dst = append(dst, `,"message":`...)
	dst = appendJSONString(dst, f.Message)
	dst = appendMember(dst, `,"body":`, f.Body)
	dst = appendMember(dst, `,"field":`, f.Field)
	if len(f.Frames) > 0 {
		dst = append(dst, `,"frames":`...)
		dst = appendUints(dst, f.Frames)
	}
	if f.HasRange {
		dst = append(dst, `,"source":`...)
		dst = strconv.AppendUint(dst, uint64(f.Source), 10)
		dst = append(dst, `,"offset":`...)
		dst = strconv.AppendUint(dst, uint64(f.Off), 10)
		dst = append(dst, `,"length":`...)
		dst = strconv.AppendUint(dst, uint64(f.Len), 10)
	}
	return append(dst, '}')
}

// keyTable holds, for each field of the register, its member name ready to append and a number that equal names share.
type keyTable struct {
	of        []fieldKey
	ids       map[string]int
	top       []uint64 // set of names that the fixed part of a record uses
	protected []uint64 // set of names that a protected object uses
}

type fieldKey struct {
	text string // `,"name":`
	id   int
}

// begin appends the name, after a comma where a member came before.
func (k *fieldKey) begin(dst []byte, comma bool) []byte {
	if comma {
		return append(dst, k.text...)
	}
	return append(dst, k.text[1:]...)
}

var (
	keysMu sync.Mutex
	keys   atomic.Pointer[keyTable]
)

// topNames are the members of a record beside its tree, protectedNames those of a protected object.
var (
	topNames = []string{"schema", "record", "number", "time", "frames", "file", "interface", "transport", "encapsulation",
		"quoted", "src", "dst", "info", "findings"}
	protectedNames = []string{"protection", "state", "reason", "variant", "key_id", "algorithm", "integrity", "value"}
)

func loadKeys() *keyTable {
	if t := keys.Load(); t != nil {
		return t
	}
	return growKeys()
}

// growKeys reads the register again: it is complete after package initialisation, but a test may add to it.
func growKeys() *keyTable {
	keysMu.Lock()
	defer keysMu.Unlock()
	t := &keyTable{ids: map[string]int{}}
	number := func(k string) int {
		id, ok := t.ids[k]
		if !ok {
			id = len(t.ids)
			t.ids[k] = id
		}
		return id
	}
	for _, f := range record.Fields() {
		t.of = append(t.of, fieldKey{"," + string(appendJSONString(nil, f.Key())) + ":", number(f.Key())})
	}
	set := func(names []string) []uint64 {
		bits := make([]uint64, keyWords)
		for _, n := range names {
			if id := number(n); id < keyWords*64 {
				bits[id/64] |= 1 << (id % 64)
			}
		}
		return bits
	}
	t.top, t.protected = set(topNames), set(protectedNames)
	keys.Store(t)
	return t
}

// keyWords bounds the set of member names that members checks without allocating; more names take the slow way.
const keyWords = 16

type encoder struct {
	r    *record.Record
	keys *keyTable
	// careful says that a name came twice in an object of this record: from then on each object is looked through before
	// it is written, so that objects in one another are not written again and again.
	careful bool

	shapes *shapes // nil for the plain road alone
	tries  int     // stretches that were compared with shapes
	watch  *shaper // while a shape is made
}

func (e *encoder) key(f *record.Field) *fieldKey {
	if f.ID() >= len(e.keys.of) {
		e.keys = growKeys()
	}
	return &e.keys.of[f.ID()]
}

// next is the index of the sibling after node j.
func (e *encoder) next(j int) int { return max(int(e.r.Nodes[j].End), j+1) }

// members appends the nodes from first to end and their siblings as members; comma says that one came before.
func (e *encoder) members(dst []byte, first, end int, reserved []uint64, comma bool) []byte {
	if e.careful && !e.regular(first, end, reserved) {
		return e.irregular(dst, first, end, reserved, comma)
	}
	var seen [keyWords]uint64
	copy(seen[:], reserved)
	start, more := len(dst), comma
	nodes := e.r.Nodes
	for j := first; j < end; {
		f := nodes[j].Field
		k := e.key(f)
		if k.id >= keyWords*64 || seen[k.id/64]&(1<<(k.id%64)) != 0 {
			e.careful = true
			return e.irregular(dst[:start], first, end, reserved, comma)
		}
		seen[k.id/64] |= 1 << (k.id % 64)
		if !f.List {
			if present(&nodes[j]) {
				dst = k.begin(dst, more)
				dst = e.value(dst, j)
				more = true
			}
			j = e.next(j)
			continue
		}
		open := false
		for ; j < end && nodes[j].Field == f; j = e.next(j) {
			switch {
			case !present(&nodes[j]):
				continue
			case open:
				dst = append(dst, ',')
			default:
				dst = append(k.begin(dst, more), '[')
				open, more = true, true
			}
			dst = e.value(dst, j)
		}
		if open {
			dst = append(dst, ']')
		}
	}
	return dst
}

// regular reports whether each name occurs once, or once as an unbroken run of a List field.
func (e *encoder) regular(first, end int, reserved []uint64) bool {
	if first < end && e.next(first) >= end && reserved == nil {
		return true // an only child
	}
	var seen [keyWords]uint64
	copy(seen[:], reserved)
	var prev *record.Field
	for j := first; j < end; j = e.next(j) {
		f := e.r.Nodes[j].Field
		if f == prev && f.List {
			continue
		}
		prev = f
		id := e.key(f).id
		if id >= keyWords*64 || seen[id/64]&(1<<(id%64)) != 0 {
			return false
		}
		seen[id/64] |= 1 << (id % 64)
	}
	return true
}

// irregular gathers equal names first, so that no object has the same member twice. What repeats although its field is
// not a list, or would hide a fixed member, goes to an array under the name with "_repeated" after it.
func (e *encoder) irregular(dst []byte, first, end int, reserved []uint64, comma bool) []byte {
	e.disorder()
	type group struct {
		key   string
		list  bool
		nodes []int
	}
	var groups []group
	index := map[string]int{}
	for j := first; j < end; j = e.next(j) {
		n := &e.r.Nodes[j]
		if !present(n) {
			continue
		}
		k := n.Field.Key()
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, group{key: k, list: n.Field.List})
		}
		groups[i].nodes = append(groups[i].nodes, j)
	}
	for _, g := range groups {
		taken := false
		if reserved != nil {
			if id := e.keys.ids[g.key]; id < keyWords*64 {
				taken = reserved[id/64]&(1<<(id%64)) != 0
			}
		}
		if !taken && !g.list {
			if comma {
				dst = append(dst, ',')
			}
			comma = true
			dst = append(appendJSONString(dst, g.key), ':')
			dst = e.value(dst, g.nodes[0])
			g.nodes = g.nodes[1:]
		}
		if len(g.nodes) == 0 {
			continue
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		if taken || !g.list {
			g.key += repeated
		}
		dst = append(appendJSONString(dst, g.key), ':', '[')
		for i, j := range g.nodes {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.value(dst, j)
		}
		dst = append(dst, ']')
	}
	return dst
}

// present reports whether the node has something to say: an absent value is left out.
func present(n *record.Node) bool {
	switch n.Field.Kind {
	case record.Object, record.Map, record.Protected:
		return true
	}
	return hasText(n, n.Field.Kind)
}

// hasText reports whether a value of the kind is written: it has one, or a mark stands for it.
func hasText(n *record.Node, k record.Kind) bool {
	if n.Flags&record.HasValue != 0 {
		return true
	}
	return n.Flags&record.Withheld != 0 && (k == record.String || k == record.Octets || k == record.Addr)
}

func (e *encoder) value(dst []byte, j int) []byte {
	n := &e.r.Nodes[j]
	end := int(n.End)
	switch n.Field.Kind {
	case record.Object:
		if end-j >= shapeMin && e.shapes != nil {
			return e.shaped(dst, j)
		}
		return e.object(dst, j)
	case record.Map:
		dst = append(dst, '{')
		dst = e.entries(dst, j+1, end)
		return append(dst, '}')
	case record.Protected:
		return e.protected(dst, j)
	}
	return e.scalar(dst, j, n.Field.Kind)
}

func (e *encoder) object(dst []byte, j int) []byte {
	dst = append(dst, '{')
	dst = e.members(dst, j+1, int(e.r.Nodes[j].End), nil, false)
	return append(dst, '}')
}

// scalar appends the value of node j, and shows it to whoever makes a shape.
func (e *encoder) scalar(dst []byte, j int, k record.Kind) []byte {
	from := len(dst)
	n := &e.r.Nodes[j]
	dst = appendScalar(dst, n, k)
	if e.watch == nil {
		return dst
	}
	plain := n.Flags&incomplete == 0
	switch {
	case plain && (k == record.String || k == record.Addr):
		e.watch.mark(from+1, len(dst)-1, j, pieceText)
	case plain && k == record.Octets:
		e.watch.mark(from+1, len(dst)-1, j, pieceHex)
	case k == record.Uint:
		e.watch.mark(from, len(dst), j, pieceUint)
	default:
		e.watch.mark(from, len(dst), j, pieceScalar)
	}
	return dst
}

// shaped appends an object by its shape where that is known, or remembers it.
func (e *encoder) shaped(dst []byte, j int) []byte {
	if e.watch != nil || e.tries >= shapeTries {
		return e.object(dst, j)
	}
	e.tries++
	set, nodes, s := e.shapes.find(e.r.Nodes, j)
	if s != nil {
		return e.fill(dst, s, nodes)
	}
	if set == nil || e.careful {
		return e.object(dst, j)
	}
	from := len(dst)
	e.watch = &shaper{}
	dst = e.object(dst, j)
	if !e.careful { // no name came twice
		set.keep(e.watch.shape(dst[from:], from, nodes, j, anyClass))
	}
	e.watch = nil
	return dst
}

func anyClass(*record.Node) textClass { return anyText }

// fill writes the values of nodes into their shape.
func (e *encoder) fill(dst []byte, s *shape, nodes []record.Node) []byte {
	at := len(dst)
	dst = dst[:cap(dst)]
	for i := range s.pieces {
		p := &s.pieces[i]
		n := &nodes[p.node]
		dst = s.begin(dst, at, p, n)
		at += p.size
		switch p.form {
		case pieceText:
			if copyPlain(dst[at:], n.Str, '"') {
				at += len(n.Str)
				continue
			}
			dst = appendJSONText(dst[:at], n.Str)
		case pieceHex:
			dst = appendHex(dst[:at], n.Str)
		case pieceUint:
			dst = appendUint(dst[:at], uint64(n.Num))
		case pieceProtection:
			dst = e.protection(dst[:at], n)
		default:
			dst = appendScalar(dst[:at], n, kindOf(n))
		}
		at = len(dst)
		dst = dst[:cap(dst)]
	}
	return append(dst[:at], s.tail()...)
}

func (e *encoder) protected(dst []byte, j int) []byte {
	n := &e.r.Nodes[j]
	dst = append(dst, '{')
	from := len(dst)
	dst = e.protection(dst, n)
	if e.watch != nil {
		e.watch.mark(from, len(dst), j, pieceProtection)
	}
	k := n.Field.Of
	switch {
	case k == record.Object || k == record.Map || k == record.Protected:
	case hasText(n, k):
		dst = append(dst, `,"value":`...)
		dst = e.scalar(dst, j, k)
	}
	dst = e.members(dst, j+1, int(n.End), e.keys.protected, true)
	return append(dst, '}')
}

// protection appends the members that say what is known of a node's protection.
func (e *encoder) protection(dst []byte, n *record.Node) []byte {
	p := e.r.Protection(n)
	if p == nil {
		return append(dst, `"protection":"none","state":"clear"`...)
	}
	if p.Encrypted {
		dst = append(dst, `"protection":"encrypted","state":`...)
	} else {
		dst = append(dst, `"protection":"none","state":`...)
	}
	dst = appendJSONString(dst, p.State.String())
	dst = appendMember(dst, `,"reason":`, p.Reason.String())
	dst = appendMember(dst, `,"variant":`, p.Variant)
	dst = appendMember(dst, `,"key_id":`, p.KeyID)
	dst = appendMember(dst, `,"algorithm":`, p.Algorithm)
	return appendMember(dst, `,"integrity":`, integrity(p))
}

// integrity is the second axis of protection in one word.
func integrity(p *record.Protection) string {
	switch {
	case p.Verified:
		return "verified"
	case p.Signed:
		return "signed"
	}
	return ""
}

// entries appends a Map's members. A name that repeats becomes an array of its values.
func (e *encoder) entries(dst []byte, first, end int) []byte {
	if !e.fewEntries(first, end) {
		return e.manyEntries(dst, first, end)
	}
	comma := false
	for j := first; j < end; j = e.next(j) {
		k := entryKey(&e.r.Nodes[j])
		before, after := false, false
		for i := first; i < j && !before; i = e.next(i) {
			before = entryKey(&e.r.Nodes[i]) == k
		}
		if before {
			continue
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = append(appendJSONString(dst, k), ':')
		at := len(dst)
		dst = e.entryValue(dst, j)
		for i := e.next(j); i < end; i = e.next(i) {
			if entryKey(&e.r.Nodes[i]) != k {
				continue
			}
			if !after {
				after = true
				e.disorder()
				dst = append(dst, 0)
				copy(dst[at+1:], dst[at:])
				dst[at] = '['
			}
			dst = e.entryValue(append(dst, ','), i)
		}
		if after {
			dst = append(dst, ']')
		}
	}
	return dst
}

// fewEntries reports whether comparing each name with each is cheap, and safe: names that are not UTF-8 may become
// equal.
func (e *encoder) fewEntries(first, end int) bool {
	count := 0
	for j := first; j < end; j = e.next(j) {
		if count++; count > 32 || !utf8.ValidString(entryKey(&e.r.Nodes[j])) {
			return false
		}
	}
	return true
}

// disorder says that values are not written in the order of their nodes, each once and in its place.
func (e *encoder) disorder() {
	if e.watch != nil {
		e.watch.broken = true
	}
}

func (e *encoder) manyEntries(dst []byte, first, end int) []byte {
	e.disorder()
	var order []string
	groups := map[string][]int{}
	for j := first; j < end; j = e.next(j) {
		k := string(appendJSONString(nil, entryKey(&e.r.Nodes[j])))
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], j)
	}
	for i, k := range order {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, k...), ':')
		g := groups[k]
		if len(g) == 1 {
			dst = e.entryValue(dst, g[0])
			continue
		}
		dst = append(dst, '[')
		for i, j := range g {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.entryValue(dst, j)
		}
		dst = append(dst, ']')
	}
	return dst
}

// entryValue writes null for an entry without a value (a parameter that is a mere flag has the value "").
func (e *encoder) entryValue(dst []byte, j int) []byte {
	if !present(&e.r.Nodes[j]) {
		return append(dst, "null"...)
	}
	return e.value(dst, j)
}

func entryKey(n *record.Node) string {
	if p := n.Field.Parent(); p != nil && p.Kind == record.Map && p.Entry() == n.Field {
		return n.Key
	}
	return n.Field.Key()
}

func appendScalar(dst []byte, n *record.Node, k record.Kind) []byte {
	switch k {
	case record.String:
	case record.Uint:
		return appendUint(dst, uint64(n.Num))
	case record.Int:
		return strconv.AppendInt(dst, n.Num, 10)
	case record.Bool:
		return strconv.AppendBool(dst, n.Num != 0)
	case record.Octets:
		dst = appendHex(append(dst, '"'), n.Str)
		dst = appendMarks(dst, n)
		return append(dst, '"')
	case record.Time:
		dst = append(dst, '"')
		dst = appendRFC3339(dst, n.Num)
		return append(dst, '"')
	case record.Raw:
		return appendRaw(dst, n.Str)
	}
	dst = appendJSONString(dst, n.Str)
	if n.Flags&(record.Cut|record.Withheld) != 0 {
		dst = appendMarks(dst[:len(dst)-1], n)
		dst = append(dst, '"')
	}
	return dst
}

// appendHex appends octets as lower-case hex digits.
func appendHex(dst []byte, s string) []byte {
	at := len(dst)
	dst = slices.Grow(dst, 2*len(s))[:at+2*len(s)]
	to := dst[at:]
	for i := 0; i < len(s) && len(to) >= 2; i++ {
		d := hexPairs[s[i]]
		to[0], to[1] = byte(d), byte(d>>8)
		to = to[2:]
	}
	return dst
}

// hexPairs[c] is an octet's digits, the first one in the lower half.
var hexPairs = func() (t [256]uint16) {
	for c := range t {
		t[c] = uint16(hexDigits[c>>4]) | uint16(hexDigits[c&15])<<8
	}
	return
}()

// appendMarks says what is missing from a value, unless the value says so itself.
func appendMarks(dst []byte, n *record.Node) []byte {
	cut, held := needsMarks(n)
	if cut {
		dst = append(dst, CutMark...)
	}
	if held {
		dst = append(dst, WithheldMark...)
	}
	return dst
}

// needsMarks reports which marks a value lacks.
func needsMarks(n *record.Node) (cut, held bool) {
	held = n.Flags&record.Withheld != 0 && !strings.Contains(n.Str, "withheld]") && !strings.Contains(n.Str, "withheld,")
	cut = n.Flags&record.Cut != 0 && !strings.HasSuffix(strings.TrimSuffix(n.Str, WithheldMark), CutMark)
	return cut, held
}

// appendRaw appends one JSON value that came from the wire, made safe for one line and a terminal. What is not JSON
// becomes a string.
func appendRaw(dst []byte, s string) []byte {
	if !json.Valid([]byte(s)) {
		return appendJSONString(dst, s)
	}
	if strings.ContainsAny(s, "\n\r\t ") {
		var b bytes.Buffer
		if json.Compact(&b, []byte(s)) == nil {
			s = b.String()
		}
	}
	return AppendSafeJSON(dst, s)
}

// AppendSafeJSON appends JSON whose strings may hold characters that do not print (DEL, C1, bidirectional controls ...), which
// become \uNNNN: a line of it may be shown on a terminal.
func AppendSafeJSON(dst []byte, s string) []byte {
	// Outside its strings JSON is ASCII, so every other octet may be escaped where it stands.
	start := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf && s[i] != 0x7f {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if !strconv.IsPrint(r) || r == utf8.RuneError && n == 1 {
			dst = append(dst, s[start:i]...)
			dst = appendJSONRune(dst, r)
			start = i + n
		}
		i += n
	}
	return append(dst, s[start:]...)
}

// jsonPlain[c] is true for ASCII octets that stand for themselves in a JSON string.
var jsonPlain = func() (t [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		t[c] = c != '\\' && c != '"'
	}
	return
}()

// appendJSONString appends a JSON string. Besides what JSON demands it escapes every character that does not print
// (DEL, C1, U+2028, bidirectional controls ...), so that a line may be shown on a terminal; an octet that is not UTF-8
// becomes U+FFFD. < > & stay as they are.
func appendJSONString(dst []byte, s string) []byte {
	return append(appendJSONText(append(dst, '"'), s), '"')
}

// appendJSONText appends what stands between the quotes of a JSON string.
func appendJSONText(dst []byte, s string) []byte {
	i := jsonRun(s, 0)
	if i == len(s) {
		return append(dst, s...)
	}
	start := 0
	for i < len(s) {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
			if strconv.IsPrint(r) && !(r == utf8.RuneError && n == 1) {
				i = jsonRun(s, i+n)
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendJSONRune(dst, r)
		start = i + n
		i = jsonRun(s, start)
	}
	return append(dst, s[start:]...)
}

// jsonRun skips octets that stand for themselves in a JSON string from i on, eight at a time.
func jsonRun(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		if odd := oddOctets(word(s[i:]), '"'); odd != 0 {
			return i + bits.TrailingZeros64(odd)/8
		}
	}
	for i < len(s) && jsonPlain[s[i]] {
		i++
	}
	return i
}

// appendJSONRune appends one character that cannot stand for itself.
func appendJSONRune(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case utf8.RuneError:
		return append(dst, "\ufffd"...)
	}
	if r > 0xffff {
		r -= 0x10000
		dst = appendU(dst, 0xd800+r>>10)
		return appendU(dst, 0xdc00+r&0x3ff)
	}
	return appendU(dst, r)
}

func appendU(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// Members returns the names of a record's members beside its tree, in the order in which they are written.
func Members() []string { return slices.Clone(topNames) }
