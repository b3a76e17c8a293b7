package filter

import (
	"fmt"
	"math"
	"regexp"

	"github.com/mcxdump/mcxdump/decode/record"
)

// resolve checks the kinds of a test's two sides and turns its literal into a value.
func (p *parser) resolve(e *expr) *Error {
	l, r := e.l, e.r
	if l.op == isLiteral && r.op == isLiteral || l.op == isLiteral && (e.rel == "contains" || e.rel == "matches") {
		return p.notField(l)
	}
	if e.quant != "" && l.op == isLiteral {
		return &Error{Off: l.off, Len: l.end - l.off, Msg: fmt.Sprintf("%q is followed by a value instead of a field", e.quant)}
	}
	for _, o := range []*operand{l, r} {
		if o.op != isLiteral && container(o.kind) {
			return &Error{Off: o.off, Len: o.end - o.off, Msg: fmt.Sprintf("%s is of kind %s and holds no value to compare", p.text[o.off:o.end], o.kind),
				Hint: "compare one of its members, or write it alone to ask whether it is there"}
		}
	}
	switch e.rel {
	case "matches":
		if !textual(l.kind) {
			return p.badKind(l, "matches")
		}
		if r.op != isLiteral || r.form != tokText {
			return &Error{Off: r.off, Len: r.end - r.off, Msg: "matches takes a regular expression in double quotes"}
		}
		re, err := regexp.Compile("(?i)" + r.text)
		if err != nil {
			return &Error{Off: r.off, Len: r.end - r.off, Msg: "not a regular expression: " + err.Error(), Hint: "the syntax is Go's (RE2): no look-around and no back-reference"}
		}
		e.re = re
		return nil
	case "contains":
		if !textual(l.kind) {
			return p.badKind(l, "contains")
		}
	}
	if l.op != isLiteral && r.op != isLiteral {
		if classOf(l.kind) != classOf(r.kind) {
			return &Error{Off: e.relOff, Len: e.relEnd - e.relOff, Msg: fmt.Sprintf("%s (%s) and %s (%s) do not compare",
				p.text[l.off:l.end], l.kind, p.text[r.off:r.end], r.kind), Hint: "string() makes text of a value"}
		}
		return nil
	}
	if r.op == isLiteral {
		v, err := p.literalFor(r, l.kind, l.text0)
		e.lit = &v
		return err
	}
	v, err := p.literalFor(l, r.kind, r.text0)
	e.lit, e.flipped = &v, true
	return err
}

func (p *parser) badKind(o *operand, op string) *Error {
	return &Error{Off: o.off, Len: o.end - o.off, Msg: fmt.Sprintf("%s of a value of kind %s", op, o.kind), Hint: "string() makes text of a value"}
}

func (p *parser) resolveSet(e *expr) *Error {
	if container(e.l.kind) {
		return p.badKind(e.l, "in")
	}
	for i := range e.set {
		el := &e.set[i]
		lo, err := p.literalFor(el.lo, e.l.kind, e.l.text0)
		if err != nil {
			return err
		}
		m := member{lo: lo}
		if el.hi != nil {
			if m.hi, err = p.literalFor(el.hi, e.l.kind, e.l.text0); err != nil {
				return err
			}
			m.isRange = true
			if m.lo.bits > 0 || m.hi.bits > 0 {
				return &Error{Off: el.lo.off, Len: el.hi.end - el.lo.off, Msg: "a range runs from one address to another, not between networks"}
			}
			if !comparable(&m.lo, &m.hi) || order(&m.lo, &m.hi) > 0 {
				return &Error{Off: el.lo.off, Len: el.hi.end - el.lo.off, Msg: "a range that holds nothing"}
			}
		}
		e.members = append(e.members, m)
	}
	return nil
}

// checkArith resolves the literal of an arithmetic operation. One side is a field, the other a number.
func (p *parser) checkArith(o *operand, op token) *Error {
	a, b := o.arg, o.arg2
	fail := func(x *operand, msg string) *Error {
		return &Error{Off: x.off, Len: x.end - x.off, Msg: msg}
	}
	if a.op == isLiteral && b.op == isLiteral {
		return p.fold(o, op)
	}
	field, lit := a, b
	if a.op == isLiteral {
		field, lit = b, a
	}
	switch {
	case classOf(field.kind) != numberClass:
		return fail(field, fmt.Sprintf("%s of a value of kind %s", op.text, field.kind))
	case lit.op != isLiteral:
		return fail(lit, fmt.Sprintf("%s takes a number on one side", op.text))
	}
	v, err := p.literalFor(lit, field.kind, false)
	if err != nil {
		return err
	}
	if (op.text == "/" || op.text == "%") && b == lit && v.n == 0 {
		return fail(lit, "division by zero")
	}
	o.lit = v
	o.kind = record.Int
	if op.text == "&" {
		o.kind = record.Uint
	}
	return nil
}

// fold turns an operation on two numbers into a number.
func (p *parser) fold(o *operand, op token) *Error {
	x, err := p.literalFor(o.arg, record.Int, false)
	if err != nil {
		return p.notField(o.arg)
	}
	y, err := p.literalFor(o.arg2, record.Int, false)
	if err != nil {
		return err
	}
	v, ok := calculate(op.text, &x, &y)
	if !ok {
		return &Error{Off: o.off, Len: o.end - o.off, Msg: "division by zero or a result out of range"}
	}
	*o = operand{op: isLiteral, off: o.off, end: o.end, text: string(record.Value{Kind: v.k, Num: v.n, Valid: true}.AppendText(nil)), form: tokWord}
	return nil
}

// calculate applies an arithmetic operator; ok is false where there is no result (division by zero, overflow).
func calculate(op string, a, b *val) (val, bool) {
	if op == "&" {
		return val{k: record.Uint, n: a.n & b.n}, true
	}
	if a.k == record.Uint && a.n < 0 || b.k == record.Uint && b.n < 0 {
		return val{}, false
	}
	x, y := a.n, b.n
	v := val{k: record.Int}
	switch op {
	case "+":
		v.n = x + y
		return v, (v.n > x) == (y > 0)
	case "-":
		v.n = x - y
		return v, (v.n < x) == (y > 0)
	case "*":
		v.n = x * y
		return v, x == 0 || v.n/x == y && !(x == -1 && y == math.MinInt64)
	case "/", "%":
		if y == 0 || x == math.MinInt64 && y == -1 {
			return val{}, false
		}
		if v.n = x / y; op == "%" {
			v.n = x % y
		}
		return v, true
	}
	return val{}, false
}
