package record

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
)

// Kind says how a field's value is held in a Node, compared by the display filter and written as JSON.
type Kind uint8

const (
	Object    Kind = iota // children only; a JSON object
	String                // text; a JSON string
	Uint                  // Node.Num as unsigned; a JSON number
	Int                   // Node.Num as signed; a JSON number
	Bool                  // Node.Num 0 or 1; true or false
	Octets                // Node.Str holds the octets; lower-case hex in JSON
	Time                  // Node.Num is Unix nanoseconds; RFC 3339 in JSON
	Addr                  // Node.Str is an IP address in text form; a JSON string, compared as an address or against a CIDR
	Protected             // an object by contract: protection, state, reason, variant, key_id, algorithm, value; Field.Of is the kind of value
	Map                   // an object whose member names come from the wire; its children are entries with Node.Key
	Raw                   // Node.Str is one JSON value, already valid and compact (claims of a token)
)

var kindNames = [...]string{"object", "string", "uint", "int", "bool", "octets", "time", "addr", "protected", "map", "json"}

// String returns the name that `mcxdump fields` prints.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// A Field is one entry of the register. Its Name is API: the filter name, the -e argument and, with bodies[] left
// out, the JSON path. Titles label the tree; Clause says where the value is specified.
type Field struct {
	Name   string
	Title  string
	Clause string
	Kind   Kind
	Of     Kind // kind of the value of a Protected field or of the entries of a Map
	List   bool // JSON: always an array, even of one
	// Identity marks values that --redact replaces by a pseudonym (URIs, client ids, names, addresses of people).
	Identity bool
	// Get reads a field that lives in the Record itself and not in its tree (number, time, src.ip, findings.id ...).
	Get func(r *Record, yield func(Value) bool)

	id     int
	key    string
	parent *Field
	entry  *Field // Map: the field that its entries point at
}

// ID is the field's index in the register, dense from 0, for bit sets.
func (f *Field) ID() int { return f.id }

// Key is the last part of the name: the member name in JSON.
func (f *Field) Key() string { return f.key }

// Parent is the field one dot up, or nil.
func (f *Field) Parent() *Field { return f.parent }

// Entry is the field that the entries of a Map point at.
func (f *Field) Entry() *Field { return f.entry }

var (
	regMu  sync.RWMutex
	fields []*Field
	byName = map[string]*Field{}
)

// Register declares a field and returns it. It is called from package initialisers; a duplicate, malformed or
// orphaned name, or a missing title or clause, panics, because a field's name is for ever.
func Register(f Field) *Field {
	regMu.Lock()
	defer regMu.Unlock()
	if err := checkName(f.Name); err != nil {
		panic("record.Register: " + err.Error())
	}
	if byName[f.Name] != nil {
		panic("record.Register: " + f.Name + " is registered twice")
	}
	if f.Title == "" || f.Clause == "" {
		panic("record.Register: " + f.Name + " needs a title and a clause")
	}
	p := &f
	p.id = len(fields)
	p.key = f.Name
	if i := strings.LastIndexByte(f.Name, '.'); i >= 0 {
		p.key = f.Name[i+1:]
		p.parent = byName[f.Name[:i]]
		if p.parent == nil {
			panic("record.Register: " + f.Name + " has no registered parent")
		}
	}
	fields = append(fields, p)
	byName[f.Name] = p
	if f.Kind == Map {
		e := &Field{Name: f.Name + ".*", Title: f.Title, Clause: f.Clause, Kind: f.Of, Identity: f.Identity, parent: p, key: "*"}
		if e.Kind == Object {
			e.Kind = String
		}
		e.id = len(fields)
		fields = append(fields, e)
		byName[e.Name] = e
		p.entry = e
	}
	return p
}

func checkName(n string) error {
	if n == "" {
		return fmt.Errorf("a field has no name")
	}
	for part := range strings.SplitSeq(n, ".") {
		if part == "" {
			return fmt.Errorf("%q has an empty part", n)
		}
		for i, c := range part {
			switch {
			case c >= 'a' && c <= 'z', c == '_' && i > 0, c >= '0' && c <= '9' && i > 0:
			default:
				return fmt.Errorf("%q is not lower-case snake_case", n)
			}
		}
	}
	return nil
}

// Fields returns the register in order of registration.
func Fields() []*Field {
	regMu.RLock()
	defer regMu.RUnlock()
	return slices.Clone(fields)
}

// Sub are the members that every Protected field has beside its own value, in the contract's order.
var Sub = []string{"protection", "state", "reason", "variant", "key_id", "algorithm", "integrity", "value"}

// A Ref is a name resolved against the register: the field, and where the name goes on below it either the member of
// a Protected field (Sub) or the key of a Map's entry.
type Ref struct {
	Field *Field
	Sub   string // one of Sub, "" for the value itself
	Key   string // entry of a Map; Field is then the Map's entry field
}

// Kind is the kind of the values the Ref yields.
func (r Ref) Kind() Kind {
	switch {
	case r.Sub != "" && r.Sub != "value":
		return String
	case r.Field.Kind == Protected:
		return r.Field.Of
	}
	return r.Field.Kind
}

// Lookup resolves a dotted name: a registered field, a member of a Protected field (mcptt_info.client_id.state) or an
// entry of a Map (sip.contact.params.expires).
func Lookup(name string) (Ref, bool) {
	regMu.RLock()
	defer regMu.RUnlock()
	if f := byName[name]; f != nil {
		return Ref{Field: f}, true
	}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != '.' {
			continue
		}
		f := byName[name[:i]]
		if f == nil {
			continue
		}
		rest := name[i+1:]
		switch {
		case f.Kind == Map && rest != "":
			return Ref{Field: f.entry, Key: rest}, true
		case f.Kind == Protected && slices.Contains(Sub, rest):
			return Ref{Field: f, Sub: rest}, true
		}
		return Ref{}, false
	}
	return Ref{}, false
}

// Near returns registered names that resemble an unknown one, best first, at most five.
func Near(name string) []string {
	regMu.RLock()
	defer regMu.RUnlock()
	type cand struct {
		name string
		d    int
	}
	low := strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	var cs []cand
	for _, f := range fields {
		if strings.HasSuffix(f.Name, ".*") {
			continue
		}
		d := distance(low, f.Name)
		switch {
		case f.Name == low:
			d = 0
		case f.key == low || strings.HasSuffix(f.Name, "."+low):
			d = 1
		case len(low) >= 3 && strings.Contains(f.Name, low):
			d = min(d, 2)
		}
		if d <= max(2, len(low)/3) {
			cs = append(cs, cand{f.Name, d})
		}
	}
	slices.SortStableFunc(cs, func(a, b cand) int { return a.d - b.d })
	var out []string
	for _, c := range cs[:min(5, len(cs))] {
		out = append(out, c.name)
	}
	return out
}

// distance is the Levenshtein distance of two short names.
func distance(a, b string) int {
	if len(a) > 128 || len(b) > 128 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		prev := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cur := row[j]
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j]+1, row[j-1]+1, prev+cost)
			prev = cur
		}
	}
	return row[len(b)]
}

// A Want is the set of fields that filter and printer will look at, so that the decoder builds nothing else.
// The zero Want wants nothing; All wants everything.
type Want struct {
	all  bool
	bits []uint64
}

// All returns the set of every field.
func All() Want { return Want{all: true} }

// Add puts fields, everything above them and everything below them into the set.
func (w *Want) Add(fs ...*Field) {
	if w.all {
		return
	}
	w.AddAlone(fs...)
	for _, g := range Fields() {
		for _, f := range fs {
			if strings.HasPrefix(g.Name, f.Name) && len(g.Name) > len(f.Name) && g.Name[len(f.Name)] == '.' {
				w.set(g.id)
			}
		}
	}
}

// AddAlone adds fields with what they stand in, and nothing of what is below them.
func (w *Want) AddAlone(fs ...*Field) {
	if w.all {
		return
	}
	for _, f := range fs {
		for p := f; p != nil; p = p.parent {
			w.set(p.id)
		}
	}
}

// Merge adds the members of another set.
func (w *Want) Merge(o Want) {
	w.all = w.all || o.all
	for i, b := range o.bits {
		for len(w.bits) <= i {
			w.bits = append(w.bits, 0)
		}
		w.bits[i] |= b
	}
}

func (w *Want) set(id int) {
	for len(w.bits) <= id/64 {
		w.bits = append(w.bits, 0)
	}
	w.bits[id/64] |= 1 << (id % 64)
}

// Has reports whether the field is in the set.
func (w *Want) Has(f *Field) bool {
	return w.all || f.id/64 < len(w.bits) && w.bits[f.id/64]&(1<<(f.id%64)) != 0
}

// Everything reports whether the set is All.
func (w *Want) Everything() bool { return w.all }

// Values yields every value of a Ref in a record, in tree order.
func (ref Ref) Values(r *Record) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		f := ref.Field
		if f.Get != nil {
			f.Get(r, yield)
			return
		}
		for i := range r.Nodes {
			n := &r.Nodes[i]
			if n.Field != f || ref.Key != "" && !strings.EqualFold(n.Key, ref.Key) {
				continue
			}
			v := r.Value(n)
			if ref.Sub != "" && ref.Sub != "value" {
				v = r.sub(n, ref.Sub)
			}
			if !v.Valid {
				continue
			}
			if !yield(v) {
				return
			}
		}
	}
}
