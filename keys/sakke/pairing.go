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

// millerDigits is the non-adjacent form of q-1, which has 353 digits other than
// zero where the binary form has 513.
var millerDigits = sync.OnceValue(func() []int8 {
	return naf(new(big.Int).Sub(orderQ, big.NewInt(1)))
})

// varTimePairing is the Tate-Lichtenbaum pairing <R,Q> of RFC 6508 section 3.2
// by Miller's algorithm in Jacobian coordinates. With C = (X/Z², Y/Z³) and the
// slope written as N/Z', the line at the distorted Q = (-x, iy) is, cleared of
// denominators, which lie in F_p and mean nothing,
//
//	tangent at C:   M(Z²x + X) - 2Y²  + i·Z'Z²y
//	chord with R:   N(x + xR) - Z'yR  + i·Z'y
//
// A digit -1 of q-1 adds -R; the vertical lines this brings are in F_p too.
// Points outside the subgroup of order q give a number without meaning, or
// ok = false; nothing panics.
func varTimePairing(r, q *affine) (w fp.Element, ok bool) {
	f := quad{re: *new(fp.Element).One()}
	var c point
	c.setAffine(r)
	var minus affine
	minus.neg(r)
	var sum, neg fp.Element
	sum.Add(&q.x, &r.x)
	neg.Neg(&r.y)

	digits := millerDigits()
	for i := len(digits) - 2; i >= 0; i-- {
		var l quad
		f.square(&f)
		x := c.x
		m, zz, yy2 := c.double(&c)
		l.re.Mul(&zz, &q.x)
		l.re.Add(&l.re, &x)
		l.re.Mul(&l.re, &m)
		l.re.Sub(&l.re, &yy2)
		l.im.Mul(&zz, &q.y)
		l.im.Mul(&l.im, &c.z)
		f.mul(&f, &l)
		if digits[i] == 0 {
			continue
		}
		// for -R the ordinate is -yR
		a, y := r, &neg
		if digits[i] < 0 {
			a, y = &minus, &r.y
		}
		n := c.add(&c, a)
		l.re.Dot2(&n, &sum, &c.z, y)
		l.im.Mul(&c.z, &q.y)
		f.mul(&f, &l)
	}
	// t = v^((p+1)/q) = v⁴
	f.square(&f)
	f.square(&f)
	return f.ratio()
}
