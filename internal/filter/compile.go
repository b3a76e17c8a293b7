package filter

import (
	"fmt"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A Filter is a compiled display filter. It is immutable and safe for concurrent use. The nil Filter and the filter of
// an empty text match everything.
type Filter struct {
	text  string
	match pred
	want  record.Want
	tree  *expr
}

type pred func(r *record.Record) bool

// Compile reads a filter. The error, when there is one, is an *Error.
func Compile(text string) (*Filter, error) {
	if len(text) > MaxText {
		return nil, &Error{Off: MaxText, Len: 1, Msg: fmt.Sprintf("a filter longer than %d octets", MaxText)}
	}
	if strings.Trim(text, " \t\r\n") == "" {
		return &Filter{text: text}, nil
	}
	p := parser{lexer: lexer{text: text}}
	e, err := p.parse()
	if err != nil {
		return nil, err
	}
	return &Filter{text: text, match: compile(e), want: p.want, tree: e}, nil
}

// Match reports whether the filter passes the record.
func (f *Filter) Match(r *record.Record) bool { return f == nil || f.match == nil || f.match(r) }

// Needs is the set of fields that the filter looks at.
func (f *Filter) Needs() record.Want {
	var w record.Want
	if f != nil {
		w.Merge(f.want)
	}
	return w
}

// String returns the filter's text.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	return f.text
}

func compile(e *expr) pred {
	switch e.op {
	case opNot:
		k := compile(e.kids[0])
		return func(r *record.Record) bool { return !k(r) }
	case opAnd, opOr, opXor:
		kids := make([]pred, len(e.kids))
		for i, k := range e.kids {
			kids[i] = compile(k)
		}
		return join(e.op, kids)
	case opExists:
		return compileExists(e.l)
	case opIn:
		return compileIn(e)
	}
	return compileTest(e)
}

func join(op boolOp, kids []pred) pred {
	a, b := kids[0], kids[1]
	switch {
	case op == opAnd && len(kids) == 2:
		return func(r *record.Record) bool { return a(r) && b(r) }
	case op == opOr && len(kids) == 2:
		return func(r *record.Record) bool { return a(r) || b(r) }
	case op == opXor:
		return func(r *record.Record) bool {
			x := false
			for _, k := range kids {
				x = x != k(r)
			}
			return x
		}
	}
	stop := op == opOr
	return func(r *record.Record) bool {
		for _, k := range kids {
			if k(r) == stop {
				return stop
			}
		}
		return !stop
	}
}

func compileExists(o *operand) pred {
	if o.op == isField {
		kids := make([]pred, len(o.src))
		for i, s := range o.src {
			kids[i] = s.exists()
		}
		if len(kids) == 1 {
			return kids[0]
		}
		return join(opOr, kids)
	}
	q := compileOperand(o)
	if o.op == isArith { // a & b alone: some bit is set
		return func(r *record.Record) bool {
			for v, at := q(r, 0); at >= 0; v, at = q(r, at) {
				if v.n != 0 {
					return true
				}
			}
			return false
		}
	}
	return func(r *record.Record) bool { _, at := q(r, 0); return at >= 0 }
}

// comparable reports whether two values of one class have an order: addresses of one family have.
func comparable(a, b *val) bool { return a.k != record.Addr || a.a.BitLen() == b.a.BitLen() }

// relations over single values.
var relations = map[string]func(a, b val) bool{
	"==": func(a, b val) bool { return equal(&a, &b) },
	"!=": func(a, b val) bool { return !equal(&a, &b) },
	"<":  func(a, b val) bool { return comparable(&a, &b) && orderMasked(&a, &b) < 0 },
	"<=": func(a, b val) bool { return comparable(&a, &b) && orderMasked(&a, &b) <= 0 },
	">":  func(a, b val) bool { return comparable(&a, &b) && orderMasked(&a, &b) > 0 },
	">=": func(a, b val) bool { return comparable(&a, &b) && orderMasked(&a, &b) >= 0 },
	"contains": func(a, b val) bool {
		return strings.Contains(a.s, b.s)
	},
}

// orderMasked compares with a network by the network's own bits, as Wireshark does.
func orderMasked(a, b *val) int {
	switch {
	case a.k == record.Addr && b.bits > 0:
		pf, _ := a.a.Prefix(int(b.bits) - 1)
		return pf.Addr().Compare(b.a)
	case a.k == record.Addr && a.bits > 0:
		return -orderMasked(b, a)
	}
	return order(a, b)
}

var mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// single splits a relation into one over single values and whether all values must satisfy it.
func single(rel, quant string) (one string, all bool) {
	switch rel {
	case "!=":
		all = true
	case "===":
		rel, all = "==", true
	case "!==":
		rel = "!="
	}
	if quant != "" {
		all = quant == "all"
	}
	return rel, all
}

func compileTest(e *expr) pred {
	rel, all := single(e.rel, e.quant)
	l, r := e.l, e.r
	if e.re != nil {
		re := e.re
		return each(compileOperand(l), all, func(v val) bool { return re.MatchString(v.s) })
	}
	if e.lit == nil {
		return eachPair(compileOperand(l), compileOperand(r), all, relations[rel])
	}
	if e.flipped {
		l, rel = r, mirrored[rel]
	}
	if p := quickTest(l, rel, all, e.lit); p != nil {
		return p
	}
	lit, cmp := *e.lit, relations[rel]
	return each(compileOperand(l), all, func(v val) bool { return cmp(v, lit) })
}

// quickTest is the common case, a leaf of the tree against a literal, without a call for each value. It returns nil
// for every other case.
func quickTest(o *operand, rel string, all bool, lit *val) pred {
	if o.op != isField || len(o.src) != 1 || o.src[0].transports != nil {
		return nil
	}
	ref := o.src[0].ref
	if ref.Field.Get != nil || ref.Key != "" || ref.Sub != "" && ref.Sub != "value" {
		return nil
	}
	f, s, n := ref.Field, lit.s, lit.n
	switch {
	case textual(o.kind) && rel == "==" && !all:
		return func(r *record.Record) bool {
			for i := range r.Nodes {
				if x := &r.Nodes[i]; x.Field == f && x.Str == s && x.Flags&record.HasValue != 0 {
					return true
				}
			}
			return false
		}
	case textual(o.kind) && rel == "contains" && !all:
		return func(r *record.Record) bool {
			for i := range r.Nodes {
				if x := &r.Nodes[i]; x.Field == f && x.Flags&record.HasValue != 0 && strings.Contains(x.Str, s) {
					return true
				}
			}
			return false
		}
	case o.kind == record.Uint && lit.k == record.Int && n >= 0 && rel == "==" && !all:
		return func(r *record.Record) bool {
			for i := range r.Nodes {
				if x := &r.Nodes[i]; x.Field == f && x.Num == n && x.Flags&record.HasValue != 0 {
					return true
				}
			}
			return false
		}
	}
	return nil
}

// each asks every value, or any. Values are handed over by value: a pointer would send them to the heap.
func each(q seq, all bool, ok func(v val) bool) pred {
	return func(r *record.Record) bool {
		some := false
		for v, at := q(r, 0); at >= 0; v, at = q(r, at) {
			some = true
			if ok(v) != all {
				return !all
			}
		}
		return some && all
	}
}

func eachPair(l, r seq, all bool, ok func(a, b val) bool) pred {
	return func(rec *record.Record) bool {
		some := false
		for a, i := l(rec, 0); i >= 0; a, i = l(rec, i) {
			for b, j := r(rec, 0); j >= 0; b, j = r(rec, j) {
				some = true
				if ok(a, b) != all {
					return !all
				}
			}
		}
		return some && all
	}
}

// A member is one element of a set.
type member struct {
	lo, hi  val
	isRange bool
}

func (m *member) has(v *val) bool {
	if !m.isRange {
		return equal(v, &m.lo)
	}
	return comparable(v, &m.lo) && order(v, &m.lo) >= 0 && order(v, &m.hi) <= 0
}

func compileIn(e *expr) pred {
	all, not := e.quant == "all", e.not
	members := e.members
	in := func(v val) bool {
		for i := range members {
			if members[i].has(&v) {
				return true
			}
		}
		return false
	}
	if len(members) > 8 && textual(e.l.kind) {
		exact := map[string]bool{}
		var rest []member
		for _, m := range members {
			if m.isRange {
				rest = append(rest, m)
			} else {
				exact[m.lo.s] = true
			}
		}
		in = func(v val) bool {
			if exact[v.s] {
				return true
			}
			for i := range rest {
				if rest[i].has(&v) {
					return true
				}
			}
			return false
		}
	}
	p := each(compileOperand(e.l), all, in)
	if not { // as Wireshark: the whole test is denied, so that an absent field passes
		return func(r *record.Record) bool { return !p(r) }
	}
	return p
}

func compileOperand(o *operand) seq {
	switch o.op {
	case isField:
		qs := make([]seq, len(o.src))
		for i, s := range o.src {
			qs[i] = s.values()
		}
		return concat(qs)
	case isSlice:
		return sliceOf(compileOperand(o.arg), o.spans)
	case isCall:
		return callOf(o)
	}
	q, op, lit := compileOperand2(o)
	litFirst := o.arg.op == isLiteral
	return func(r *record.Record, pos int64) (val, int64) {
		for v, at := q(r, pos); at >= 0; v, at = q(r, at) {
			a, b := &v, &lit
			if litFirst {
				a, b = b, a
			}
			if res, ok := calculate(op, a, b); ok {
				return res, at
			}
		}
		return val{}, end
	}
}

func compileOperand2(o *operand) (seq, string, val) {
	field := o.arg
	if field.op == isLiteral {
		field = o.arg2
	}
	return compileOperand(field), o.fn, o.lit
}

// sliceOf cuts values. A range that lies outside the value adds nothing, as in Wireshark, and a slice of nothing is
// absent.
func sliceOf(q seq, spans []span) seq {
	return func(r *record.Record, pos int64) (val, int64) {
		for v, at := q(r, pos); at >= 0; v, at = q(r, at) {
			out := ""
			for _, sp := range spans {
				if s, ok := sp.cut(v.s); ok && out == "" {
					out = s // one range needs no copy
				} else if ok {
					out += s
				}
			}
			if out != "" {
				return val{k: record.Octets, s: out}, at
			}
		}
		return val{}, end
	}
}

func callOf(o *operand) seq {
	q := compileOperand(o.arg)
	if o.fn == "count" {
		return func(r *record.Record, pos int64) (val, int64) {
			if pos > 0 {
				return val{}, end
			}
			n := uint64(0)
			for _, at := q(r, 0); at >= 0; _, at = q(r, at) {
				n++
			}
			v, _ := number(n)
			if n == 0 {
				return v, end // an absent field has no count, as in Wireshark
			}
			return v, 1
		}
	}
	apply := map[string]func(v val) val{
		"len":    func(v val) val { v, _ = number(uint64(len(v.s))); return v },
		"lower":  func(v val) val { return val{k: record.String, s: strings.ToLower(v.s)} },
		"upper":  func(v val) val { return val{k: record.String, s: strings.ToUpper(v.s)} },
		"string": toText,
	}[o.fn]
	return func(r *record.Record, pos int64) (val, int64) {
		v, at := q(r, pos)
		if at < 0 {
			return val{}, end
		}
		return apply(v), at
	}
}

// toText is the value as -T fields shows it.
func toText(v val) val {
	out := val{k: record.String}
	switch v.k {
	case record.String:
		out.s = v.s
	case record.Addr:
		out.s = v.a.String()
	default:
		out.s = string(record.Value{Kind: v.k, Str: v.s, Num: v.n, Valid: true}.AppendText(nil))
	}
	return out
}
