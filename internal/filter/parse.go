package filter

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Limits of one filter.
const (
	MaxText  = 64 << 10 // octets
	MaxDepth = 200      // nesting
	MaxTerms = 10_000   // operands, literals and tests
)

type boolOp uint8

const (
	opOr boolOp = iota
	opXor
	opAnd
	opNot
	opTest   // l rel r
	opIn     // l in set
	opExists // l
)

// An expr is a node of the boolean part of the tree.
type expr struct {
	op   boolOp
	kids []*expr

	l, r  *operand
	rel   string // "==", "!=", "===", "!==", "<", "<=", ">", ">=", "contains", "matches"
	quant string // "any", "all" or ""
	not   bool   // not in
	set   []element

	// what check.go found out
	lit     *val // the literal side of a test
	flipped bool // the literal is the left side
	re      *regexp.Regexp
	members []member

	relOff int
	relEnd int
}

type element struct{ lo, hi *operand } // hi is nil for a single value

type operandOp uint8

const (
	isField operandOp = iota
	isLiteral
	isSlice
	isCall
	isArith
)

// An operand is a node of the value part of the tree.
type operand struct {
	op       operandOp
	off, end int

	// isField
	name string
	src  []source
	// isLiteral
	text string
	form tokenKind // tokWord, tokText, tokChar
	// isSlice, isCall, isArith
	arg   *operand
	spans []span
	fn    string // function, or arithmetic operator
	arg2  *operand

	kind  record.Kind // of the values; meaningless for a literal before it is resolved
	text0 bool        // a slice of text: compared with octets or text
	lit   val         // isArith: the number
}

type parser struct {
	lexer
	tok   token
	depth int
	terms int
	want  record.Want
}

func (p *parser) advance() *Error {
	t, err := p.next()
	if err != nil {
		return err
	}
	p.tok = t
	return nil
}

func (p *parser) isOp(op string) bool { return p.tok.kind == tokOp && p.tok.text == op }

func (p *parser) enter() *Error {
	p.depth++
	p.terms++
	if p.depth > MaxDepth {
		return &Error{Off: p.tok.off, Len: max(p.tok.end-p.tok.off, 1), Msg: fmt.Sprintf("nested deeper than %d", MaxDepth)}
	}
	return p.count()
}

func (p *parser) count() *Error {
	if p.terms > MaxTerms {
		return &Error{Off: p.tok.off, Len: max(p.tok.end-p.tok.off, 1), Msg: fmt.Sprintf("more than %d terms", MaxTerms)}
	}
	return nil
}

func (p *parser) unexpected(want string) *Error {
	if p.tok.kind == tokEnd {
		return &Error{Off: len(p.text), Len: 1, Msg: "the filter ends where " + want + " is expected"}
	}
	return &Error{Off: p.tok.off, Len: p.tok.end - p.tok.off, Msg: fmt.Sprintf("%q where %s is expected", p.text[p.tok.off:p.tok.end], want)}
}

func (p *parser) parse() (*expr, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokEnd {
		e := p.unexpected("\"and\", \"or\" or the end")
		switch strings.ToLower(p.tok.text) {
		case "and", "or", "not", "xor", "in", "contains", "matches", "eq", "ne":
			e.Hint = "operators are written in lower case"
		case "like":
			e.Hint = "use contains or matches"
		}
		return nil, e
	}
	return e, nil
}

func (p *parser) or() (*expr, *Error)  { return p.chain(opOr, "or", p.xor) }
func (p *parser) xor() (*expr, *Error) { return p.chain(opXor, "xor", p.and) }
func (p *parser) and() (*expr, *Error) { return p.chain(opAnd, "and", p.not) }

func (p *parser) chain(op boolOp, word string, sub func() (*expr, *Error)) (*expr, *Error) {
	first, err := sub()
	if err != nil || !p.isOp(word) {
		return first, err
	}
	e := &expr{op: op, kids: []*expr{first}}
	for p.isOp(word) {
		if err := p.advance(); err != nil {
			return nil, err
		}
		k, err := sub()
		if err != nil {
			return nil, err
		}
		e.kids = append(e.kids, k)
	}
	return e, nil
}

func (p *parser) not() (*expr, *Error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	switch {
	case p.isOp("not"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		k, err := p.not()
		if err != nil {
			return nil, err
		}
		return &expr{op: opNot, kids: []*expr{k}}, nil
	case p.isOp("("):
		open := p.tok
		if err := p.advance(); err != nil {
			return nil, err
		}
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.isOp(")") {
			err := p.unexpected("\")\"")
			if p.tok.kind == tokEnd {
				err.Off, err.Msg = open.off, "\"(\" is not closed"
			}
			return nil, err
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		return e, nil
	}
	return p.test()
}

func relation(t token) bool {
	if t.kind != tokOp {
		return false
	}
	switch t.text {
	case "==", "!=", "===", "!==", "<", "<=", ">", ">=", "contains", "matches":
		return true
	}
	return false
}

func (p *parser) test() (*expr, *Error) {
	quant := ""
	if p.isOp("any") || p.isOp("all") {
		quant = p.tok.text
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	l, err := p.operand()
	if err != nil {
		return nil, err
	}
	if p.isOp("not") || p.isOp("in") {
		return p.membership(l, quant)
	}
	if !relation(p.tok) {
		if l.op == isLiteral {
			return nil, p.notField(l)
		}
		if quant != "" {
			return nil, p.unexpected("a comparison")
		}
		if l.op == isCall || l.op == isArith && l.fn != "&" {
			return nil, &Error{Off: l.off, Len: l.end - l.off, Msg: "a value that is not compared with anything"}
		}
		return &expr{op: opExists, l: l}, nil
	}
	var all []*expr
	for relation(p.tok) {
		e := &expr{op: opTest, l: l, rel: p.tok.text, quant: quant, relOff: p.tok.off, relEnd: p.tok.end}
		if err := p.advance(); err != nil {
			return nil, err
		}
		r, err := p.operand()
		if err != nil {
			return nil, err
		}
		e.r = r
		if err := p.resolve(e); err != nil {
			return nil, err
		}
		all = append(all, e)
		l = r
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return &expr{op: opAnd, kids: all}, nil
}

func (p *parser) membership(l *operand, quant string) (*expr, *Error) {
	e := &expr{op: opIn, l: l, quant: quant, relOff: p.tok.off}
	if p.isOp("not") {
		e.not = true
		if err := p.advance(); err != nil {
			return nil, err
		}
		if !p.isOp("in") {
			return nil, p.unexpected("\"in\"")
		}
	}
	e.relEnd = p.tok.end
	if l.op == isLiteral {
		return nil, p.notField(l)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.isOp("{") {
		err := p.unexpected("\"{\"")
		err.Hint = "a set is written {a, b, 5..9}"
		return nil, err
	}
	for {
		if err := p.advance(); err != nil {
			return nil, err
		}
		p.terms++
		if err := p.count(); err != nil {
			return nil, err
		}
		lo, err := p.literal()
		if err != nil {
			return nil, err
		}
		el := element{lo: lo}
		if p.isOp("..") {
			if err := p.advance(); err != nil {
				return nil, err
			}
			if el.hi, err = p.literal(); err != nil {
				return nil, err
			}
		}
		e.set = append(e.set, el)
		if p.isOp(",") {
			continue
		}
		if p.isOp("}") {
			break
		}
		return nil, p.unexpected("\",\" or \"}\"")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	return e, p.resolveSet(e)
}

// literal reads a set's element.
func (p *parser) literal() (*operand, *Error) {
	switch p.tok.kind {
	case tokWord, tokText, tokChar:
		o := &operand{op: isLiteral, off: p.tok.off, end: p.tok.end, text: p.tok.text, form: p.tok.kind}
		return o, p.advance()
	}
	return nil, p.unexpected("a value")
}

// operand := sum { "&" sum }; sum := product { ("+"|"-") product }; product := primary { ("*"|"/"|"%") primary }.
func (p *parser) operand() (*operand, *Error) { return p.arith(0) }

var arithOps = [...]string{"&", "+-", "*/%"}

func (p *parser) arith(level int) (*operand, *Error) {
	if level == len(arithOps) {
		return p.primary()
	}
	l, err := p.arith(level + 1)
	for err == nil && p.tok.kind == tokOp && len(p.tok.text) == 1 && strings.Contains(arithOps[level], p.tok.text) {
		op := p.tok
		p.terms++
		if err := p.count(); err != nil {
			return nil, err
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		var r *operand
		if r, err = p.arith(level + 1); err != nil {
			return nil, err
		}
		l = &operand{op: isArith, off: l.off, end: r.end, arg: l, arg2: r, fn: op.text}
		if err := p.checkArith(l, op); err != nil {
			return nil, err
		}
	}
	return l, err
}

func (p *parser) primary() (*operand, *Error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var o *operand
	switch {
	case p.isOp("{"): // groups arithmetic, as in Wireshark
		if err := p.advance(); err != nil {
			return nil, err
		}
		in, err := p.operand()
		if err != nil {
			return nil, err
		}
		if !p.isOp("}") {
			return nil, p.unexpected("\"}\"")
		}
		return in, p.advance()
	case p.tok.kind == tokText || p.tok.kind == tokChar:
		return p.literal()
	case p.tok.kind == tokWord:
		t := p.tok
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.isOp("(") {
			var err *Error
			if o, err = p.call(t); err != nil {
				return nil, err
			}
		} else if src, kind, ok := lookup(t.text); ok {
			o = &operand{op: isField, off: t.off, end: t.end, name: t.text, src: src, kind: kind}
			for _, s := range src {
				s.want(&p.want)
			}
		} else {
			o = &operand{op: isLiteral, off: t.off, end: t.end, text: t.text, form: tokWord}
		}
	default:
		return nil, p.unexpected("a field or a value")
	}
	for p.isOp("[") {
		if o.op == isLiteral {
			return nil, p.notField(o)
		}
		spans, err := p.brackets()
		if err != nil {
			return nil, err
		}
		if o.kind != record.String && o.kind != record.Octets && o.kind != record.Raw {
			return nil, &Error{Off: o.off, Len: o.end - o.off, Msg: fmt.Sprintf("a slice of a value of kind %s", o.kind), Hint: "text and octets can be sliced; string() makes text"}
		}
		o = &operand{op: isSlice, off: o.off, end: p.pos, arg: o, spans: spans, kind: record.Octets, text0: o.text0 || o.kind != record.Octets}
		p.terms++
		if err := p.count(); err != nil {
			return nil, err
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// functions, with the kind of their values.
var functions = map[string]record.Kind{"len": record.Uint, "count": record.Uint, "lower": record.String, "upper": record.String, "string": record.String}

func (p *parser) call(name token) (*operand, *Error) {
	kind, ok := functions[name.text]
	if !ok {
		return nil, &Error{Off: name.off, Len: name.end - name.off, Msg: fmt.Sprintf("unknown function %q", name.text), Hint: "there are len, count, lower, upper and string"}
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	arg, err := p.operand()
	if err != nil {
		return nil, err
	}
	o := &operand{op: isCall, fn: name.text, arg: arg, kind: kind, off: name.off}
	if !p.isOp(")") {
		return nil, p.unexpected("\")\"")
	}
	o.end = p.tok.end
	if arg.op == isLiteral {
		return nil, p.notField(arg)
	}
	bad := &Error{Off: arg.off, Len: arg.end - arg.off, Msg: fmt.Sprintf("%s() of a value of kind %s", name.text, arg.kind)}
	switch name.text {
	case "len":
		if !textual(arg.kind) {
			return nil, bad
		}
	case "lower", "upper":
		if !textual(arg.kind) || arg.kind == record.Octets && !arg.text0 {
			return nil, bad
		}
	case "string":
		if container(arg.kind) {
			return nil, bad
		}
	case "count":
		if arg.op != isField {
			bad.Msg = "count() takes a field"
			return nil, bad
		}
	}
	return o, p.advance()
}

// notField is the error for a literal where a field must stand.
func (p *parser) notField(o *operand) *Error {
	e := &Error{Off: o.off, Len: o.end - o.off}
	if o.form != tokWord {
		e.Msg = fmt.Sprintf("%s where a field is expected", p.text[o.off:o.end])
		return e
	}
	e.Msg = fmt.Sprintf("unknown field %q", o.text)
	e.Hint = hint(o.text)
	return e
}

// hint names fields that resemble an unknown one.
func hint(name string) string {
	if c := strings.ReplaceAll(name, "-", "_"); c != name {
		if _, _, ok := lookup(c); ok {
			return "names have underscores: " + c
		}
		if i := strings.IndexByte(name, '-'); i > 0 {
			if _, _, ok := lookup(name[:i]); ok {
				return "put blanks around - to subtract"
			}
		}
	}
	if c := strings.ToLower(name); c != name {
		if _, _, ok := lookup(c); ok {
			return "names are in lower case: " + c
		}
	}
	if near := record.Near(name); len(near) > 0 {
		return "did you mean " + strings.Join(near, ", ") + "?"
	}
	return "`mcxdump fields` lists the fields"
}
