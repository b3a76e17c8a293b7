package p256

import "sync"

// A Table holds multiples of a point B for sums of multiples (Sum): of each
// [2^(j·span)]B the odd ones up to 2^(width-1)-1. The bits of a scalar are cut
// into pieces of span bits, so that the doublings of a sum are span instead of
// 256 if all its tables allow that.
type Table struct {
	width, span int
	parts       [][]Affine // parts[j][i] is [(2i+1)·2^(j·span)]B
}

// Base returns B.
func (t *Table) Base() *Affine { return &t.parts[0][0] }

// NewTable makes the table of b, width from 2 to 14, with 1, 2, 4, … parts.
func NewTable(b *Affine, width, parts int) *Table {
	t := &Table{width: width, span: 256 / parts}
	half := 1 << (width - 2)
	all := make([]Point, 0, parts*half)
	var base Point
	base.SetAffine(b)
	at := *b
	for j := range parts {
		if j > 0 {
			for range t.span {
				base.double()
			}
			// the curve has prime order, so that no multiple 2^i is infinite
			at, _ = base.Affine()
			base.SetAffine(&at)
		}
		all = append(all, oddMultiples(&at, half)...)
	}
	points := allAffine(all)
	for j := range parts {
		t.parts = append(t.parts, points[j*half:(j+1)*half:(j+1)*half])
	}
	return t
}

// oddMultiples returns a, 3a, 5a, …, n of them.
//
// With D = 2a = (X, Y, Z) the map (x, y) → (xZ², yZ³) goes to a curve with other
// coefficients, where D is (X, Y). The addition does not use the coefficients,
// so the multiples are summed there, and Z is put right at the end. No inversion
// is needed. None of the sums meets a special case, for n is small.
func oddMultiples(a *Affine, n int) []Point {
	out := make([]Point, n)
	var d Point
	d.SetAffine(a)
	d.double()
	step := Affine{d.X, d.Y}
	var zz Element
	zz.Square(&d.Z)
	p := Point{Z: one}
	p.X.Mul(&a.X, &zz)
	p.Y.Mul(&a.Y, zz.Mul(&zz, &d.Z))
	for i := range out {
		if i > 0 {
			p.addDistinct(&step)
		}
		out[i] = p
		out[i].Z.Mul(&p.Z, &d.Z)
	}
	return out
}

// generator is G.
var generator = Affine{
	Element{0x79e730d418a9143c, 0x75ba95fc5fedb601, 0x79fb732b77622510, 0x18905f76a53755c6},
	Element{0xddf25357ce95560a, 0x8b4ab8e4ba19e45c, 0xd2e88688dd21f325, 0x8571ff1825885d85},
}

// Generator is the table of G, 64 kB, made at the first call.
var Generator = sync.OnceValue(func() *Table { return NewTable(&generator, 10, 4) })

// A Term is [Scalar]B, B given by its table.
type Term struct {
	Table  *Table
	Scalar Scalar
}

// Sum sets p to the sum of the terms, with the doublings shared.
func (p *Point) Sum(terms ...Term) {
	type row struct {
		digits [257]int16
		n      int
		points []Affine
	}
	var rows [12]row // three terms of four parts need no more
	used := rows[:0]
	top := 0
	for i := range terms {
		t := terms[i].Table
		for j := range t.parts {
			used = append(used, row{points: t.parts[j]})
			r := &used[len(used)-1]
			r.n = terms[i].Scalar.digits(r.digits[:], j*t.span, (j+1)*t.span, t.width)
			top = max(top, r.n)
		}
	}
	*p = Point{}
	for i := top - 1; i >= 0; i-- {
		p.double()
		for j := range used {
			r := &used[j]
			if i >= r.n {
				continue
			}
			if d := r.digits[i]; d > 0 {
				p.Add(&r.points[d>>1])
			} else if d < 0 {
				p.sub(&r.points[-d>>1])
			}
		}
	}
}
