package sakke

import (
	"math/big"
	"sync"

	"github.com/mcxdump/mcxdump/keys/sakke/internal/fp"
)

// quad is re + i·im in F_p² = F_p[i], i² = -1. Values of the pairing are
// elements of PF_p = F_p²*/F_p*: a factor in F_p means nothing, and im/re is the
// representative which is encoded.
type quad struct{ re, im fp.Element }

// square sets f = g²: (a+ib)² = (a+b)(a-b) + i·2ab. f may be g.
func (f *quad) square(g *quad) {
	var s, d fp.Element
	s.Add(&g.re, &g.im)
	d.Sub(&g.re, &g.im)
	f.im.Mul(&g.re, &g.im)
	f.im.Double(&f.im)
	f.re.Mul(&s, &d)
}

// mul sets f = g·h: (a+ib)(e+ih) = ae - bh + i(ah + be). f may be g or h.
func (f *quad) mul(g, h *quad) {
	var minus, re fp.Element
	minus.Neg(&g.im)
	re.Dot2(&g.re, &h.re, &minus, &h.im)
	f.im.Dot2(&g.re, &h.im, &g.im, &h.re)
	f.re = re
}

// mulUnit sets f = g·(1+it). f may be g.
func (f *quad) mulUnit(g *quad, t *fp.Element) {
	var x, y fp.Element
	x.Mul(&g.im, t)
	y.Mul(&g.re, t)
	f.re.Sub(&g.re, &x)
	f.im.Add(&g.im, &y)
}

// mulLine sets f = g·(e+i). f may be g.
func (f *quad) mulLine(g *quad, e *fp.Element) {
	var x, y fp.Element
	x.Mul(&g.re, e)
	y.Mul(&g.im, e)
	x.Sub(&x, &g.im)
	f.im.Add(&y, &g.re)
	f.re = x
}

// ratio returns im/re, the representative in PF_p; ok is false if re = 0, which
// no element of odd order is.
func (f *quad) ratio() (w fp.Element, ok bool) {
	if !w.VarTimeInvert(&f.re) {
		return w, false
	}
	w.Mul(&w, &f.im)
	return w, true
}

// millerWindow is the width of the digits of q-1: odd numbers below 2^millerWindow/2
// and their negatives, about one in millerWindow+1 of which is not zero.
const millerWindow = 5

var millerDigits = sync.OnceValue(func() []int8 {
	return wnaf(new(big.Int).Sub(orderQ, big.NewInt(1)), millerWindow)
})

// miller is a run of Miller's loop for the first argument r at the second, q.
type miller struct {
	f quad  // f_m(q), where
	c point // C = [m]r
	q *affine
}

// double goes from m to 2m. With C = (X/Z², Y/Z³) and the slope M/Z' the tangent
// at C, evaluated at the distorted q, (-x, iy), and cleared of denominators,
// which lie in F_p and mean nothing, is
//
//	M(Z²x + X) - 2Y² + i·Z'Z²y
func (m *miller) double() {
	m.f.square(&m.f)
	var l quad
	x := m.c.x
	n, zz, yy2 := m.c.double(&m.c)
	l.re.Mul(&zz, &m.q.x)
	l.re.Add(&l.re, &x)
	l.re.Mul(&l.re, &n)
	l.re.Sub(&l.re, &yy2)
	l.im.Mul(&zz, &m.q.y)
	l.im.Mul(&l.im, &m.c.z)
	m.f.mul(&m.f, &l)
}

// odd is [d]r with f_d(q) and what is constant in the chords through it.
type odd struct {
	a   affine
	f   quad
	sum fp.Element // x of q plus x of a
	neg fp.Element // -y of a
}

// add goes from m to m+d, or to m-d if minus. The chord through C and [d]r is
//
//	N(x + xd) - Z'yd + i·Z'y
//
// with the slope N/Z'. Then f_(m+d) = f_m · f_d · chord. For -d, -yd takes the
// place of yd, and f_(-d) is the conjugate of f_d, since f_(-d)(x, y) is
// f_d(x, -y) up to vertical lines, which are in F_p too.
func (m *miller) add(o *odd, minus bool) {
	a, fd, y := o.a, o.f, &o.neg
	if minus {
		a.neg(&o.a)
		fd.im.Neg(&o.f.im)
		y = &o.a.y
	}
	if !fd.im.IsZero() { // f_1 is 1
		m.f.mul(&m.f, &fd)
	}
	var l quad
	n := m.c.add(&m.c, &a)
	l.re.Dot2(&n, &o.sum, &m.c.z, y)
	l.im.Mul(&m.c.z, &m.q.y)
	m.f.mul(&m.f, &l)
}

// varTimePairing is the Tate-Lichtenbaum pairing <r,q> of RFC 6508 section 3.2
// by Miller's algorithm in Jacobian coordinates, with digits of several bits.
// Points outside the subgroup of order q give a number without meaning, or
// ok = false; nothing panics.
func varTimePairing(r, q *affine) (w fp.Element, ok bool) {
	m := miller{q: q}
	m.f.re.One()
	m.c.setAffine(r)

	// [2]r, then the odd multiples, two apart
	var table [1 << (millerWindow - 2)]odd
	table[0].a, table[0].f = *r, m.f
	m.double()
	var two odd
	if two.a, ok = m.c.affine(); !ok {
		return w, false
	}
	two.f = m.f
	two.prepare(q)
	m.f.im.Zero()
	m.f.re.One()
	m.c.setAffine(r)
	z := make([]fp.Element, len(table))
	points := make([]point, len(table))
	z[0].One()
	points[0] = m.c
	for i := 1; i < len(table); i++ {
		m.add(&two, false)
		table[i].f, points[i], z[i] = m.f, m.c, m.c.z
	}
	if !fp.VarTimeInvertAll(z) {
		return w, false
	}
	for i := range table {
		table[i].a = points[i].toAffine(&z[i])
		table[i].prepare(q)
	}

	digits := millerDigits()
	top := &table[digits[len(digits)-1]>>1]
	m.f = top.f
	m.c.setAffine(&top.a)
	for i := len(digits) - 2; i >= 0; i-- {
		m.double()
		if d := digits[i]; d > 0 {
			m.add(&table[d>>1], false)
		} else if d < 0 {
			m.add(&table[-d>>1], true)
		}
	}
	// t = v^((p+1)/q) = v⁴
	m.f.square(&m.f)
	m.f.square(&m.f)
	return m.f.ratio()
}

func (o *odd) prepare(q *affine) {
	o.sum.Add(&q.x, &o.a.x)
	o.neg.Neg(&o.a.y)
}
