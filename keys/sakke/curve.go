package sakke

import (
	"math/big"
	"sync"

	"github.com/mcxdump/mcxdump/keys/sakke/internal/fp"
)

// affine is a point of E other than infinity.
type affine struct{ x, y fp.Element }

// point is a point of E in Jacobian coordinates, (X/Z², Y/Z³); Z = 0 is
// infinity, and so the zero value is.
type point struct{ x, y, z fp.Element }

// setAffine sets p = a.
func (p *point) setAffine(a *affine) *point {
	p.x, p.y = a.x, a.y
	p.z.One()
	return p
}

func (p *point) infinite() bool { return p.z.IsZero() }

// neg sets a = -b.
func (a *affine) neg(b *affine) *affine {
	a.x = b.x
	a.y.Neg(&b.y)
	return a
}

// onCurve reports y² = x³ - 3x.
func (a *affine) onCurve() bool {
	var l, r, three fp.Element
	l.Square(&a.y)
	r.Square(&a.x)
	r.Sub(&r, three.SetUint64(3)).Mul(&r, &a.x)
	return l.Equal(&r)
}

// double sets p = 2q and returns the numerator of the tangent's slope,
//
//	M = 3(X²-Z⁴) = 3(X-Z²)(X+Z²)
//	Z' = 2YZ                        slope = M/Z'
//	S = 4XY²
//	X' = M² - 2S
//	Y' = M(S-X') - 8Y⁴
//
// together with Z² and 2Y², which the line also needs. p may be q. A point with
// Y = 0 gives infinity, and infinity gives itself.
func (p *point) double(q *point) (m, zz, yy2 fp.Element) {
	var s, t fp.Element
	zz.Square(&q.z)
	yy2.Square(&q.y)
	yy2.Double(&yy2)
	m.Sub(&q.x, &zz)
	t.Add(&q.x, &zz)
	m.Mul(&m, &t)
	t.Double(&m)
	m.Add(&m, &t)
	s.Mul(&q.x, &yy2)
	s.Double(&s)
	p.z.Mul(&q.y, &q.z)
	p.z.Double(&p.z)
	p.x.Square(&m)
	p.x.Sub(&p.x, &s)
	p.x.Sub(&p.x, &s)
	t.Double(&yy2)
	t.Neg(&t) // -8Y⁴ = -4Y²·2Y²
	s.Sub(&s, &p.x)
	p.y.Dot2(&m, &s, &t, &yy2)
	return m, zz, yy2
}

// add sets p = q + a and returns the numerator of the chord's slope,
//
//	H = xZ² - X
//	N = yZ³ - Y
//	Z' = ZH                         slope = N/Z'
//	X' = N² - H³ - 2XH²
//	Y' = N(XH² - X') - YH³
//
// p may be q. The cases q = a, q = -a and q infinite are told apart.
func (p *point) add(q *point, a *affine) (n fp.Element) {
	if q.infinite() {
		p.setAffine(a)
		return n
	}
	var h, hh, hhh, v, zz, t fp.Element
	zz.Square(&q.z)
	h.Mul(&a.x, &zz)
	h.Sub(&h, &q.x)
	n.Mul(&zz, &q.z)
	n.Mul(&n, &a.y)
	n.Sub(&n, &q.y)
	if h.IsZero() {
		if n.IsZero() {
			n, _, _ = p.double(q)
		} else {
			*p = point{}
		}
		return n
	}
	hh.Square(&h)
	hhh.Mul(&hh, &h)
	v.Mul(&hh, &q.x)
	p.z.Mul(&q.z, &h)
	t.Square(&n)
	t.Sub(&t, &hhh)
	t.Sub(&t, &v)
	p.x.Sub(&t, &v)
	v.Sub(&v, &p.x)
	hhh.Neg(&hhh)
	p.y.Dot2(&n, &v, &hhh, &q.y)
	return n
}

// equalAffine reports p = a without an inversion: X = xZ², Y = yZ³.
func (p *point) equalAffine(a *affine) bool {
	if p.infinite() {
		return false
	}
	var zz, t fp.Element
	zz.Square(&p.z)
	if !t.Mul(&a.x, &zz).Equal(&p.x) {
		return false
	}
	zz.Mul(&zz, &p.z)
	return t.Mul(&a.y, &zz).Equal(&p.y)
}

// toAffine is (X/Z², Y/Z³), given 1/Z.
func (p *point) toAffine(zInv *fp.Element) affine {
	var a affine
	var t fp.Element
	t.Square(zInv)
	a.x.Mul(&p.x, &t)
	t.Mul(&t, zInv)
	a.y.Mul(&p.y, &t)
	return a
}

// affine returns p, which must not be infinite; ok is false when it is.
func (p *point) affine() (a affine, ok bool) {
	var zInv fp.Element
	if !zInv.VarTimeInvert(&p.z) {
		return a, false
	}
	return p.toAffine(&zInv), true
}

// allAffine converts points with one inversion; false if one is infinite.
func allAffine(ps []point) ([]affine, bool) {
	z := make([]fp.Element, len(ps))
	for i := range ps {
		z[i] = ps[i].z
	}
	if !fp.VarTimeInvertAll(z) {
		return nil, false
	}
	out := make([]affine, len(ps))
	for i := range ps {
		out[i] = ps[i].toAffine(&z[i])
	}
	return out, true
}

// wnaf returns the digits of k in the non-adjacent form of width w, lowest first:
// k = Σ d_i·2^i, each d_i zero or odd with |d_i| < 2^(w-1), and at least w-1 zeros
// between two which are not zero.
func wnaf(k *big.Int, w uint) []int8 {
	var out []int8
	k = new(big.Int).Set(k)
	for k.Sign() > 0 {
		zeros := k.TrailingZeroBits()
		out = append(out, make([]int8, zeros)...)
		k.Rsh(k, zeros)
		d := int64(0)
		for i := range int(w) {
			d |= int64(k.Bit(i)) << i
		}
		if d >= 1<<(w-1) {
			d -= 1 << w
		}
		out = append(out, int8(d))
		k.Sub(k, big.NewInt(d)).Rsh(k, 1)
	}
	return out
}

// parsePoint reads 04‖x‖y with x and y below p, on the curve. The order is not
// looked at: checkOrder does that.
func parsePoint(b []byte) (a affine, err error) {
	if len(b) != PointSize {
		return a, ErrLength
	}
	if b[0] != 4 {
		return a, ErrPrefix
	}
	if _, err := a.x.SetCanonicalBytes(b[1 : 1+ElementSize]); err != nil {
		return a, ErrCoordinate
	}
	if _, err := a.y.SetCanonicalBytes(b[1+ElementSize:]); err != nil {
		return a, ErrCoordinate
	}
	if !a.onCurve() {
		return a, ErrCurve
	}
	return a, nil
}

// sqrtMinus12 is c with c² = -12. -1 and 3 are no squares modulo p, so -3 is one.
var sqrtMinus12 = sync.OnceValue(func() fp.Element {
	var c, t fp.Element
	if !c.VarTimeSqrt(t.Neg(t.SetUint64(12))) {
		panic("sakke: -12 is not a square")
	}
	return c
})

// hasOrderQ reports [q]a = 0. The cofactor is 4, and points of order 2, 4, 2q
// and 4q are on the curve too; (0,0) even satisfies the equation of SAKKE.
//
// It halves a twice instead of multiplying by q, in an eighth of the time. 3 is
// not a square, so (0,0) is the only point of order 2, E(F_p) is cyclic of order
// 4q, and the points sought are 4E, those which can be halved twice.
//
// (X,Y) is in 2E just when X is a square, X = s² (2-descent: X and X² - 3, the
// norm of X - √3, must be squares, and their product Y² is one). A half (x,y)
// has X = (x²+3)²/(4(x³-3x)), which in u = x - 3/x is u² - 4Xu + 12 = 0, hence
//
//	u = 2(X ± √(X²-3)) = 2(X ± Y/s)
//
// The product of the two is 12, not a square, so just one of them is, u = v².
// From u² + 12 = 4s²v² follows x = v(v ± 2s)/2, and the half is in 2E when this
// is a square (for both signs, since the product is -3). Times squares:
//
//	U = 2(X² + Ys) = us²     if U = V²:   is 2V(V + 2X) a square?
//	                         if U = -V²:  the other u has vs = cX/V, c² = -12:
//	                                      is 2c(c + 2V) a square?
func (a *affine) hasOrderQ() bool {
	var s, u, v, t, c fp.Element
	if !s.VarTimeSqrt(&a.x) || a.x.IsZero() {
		return false
	}
	u.Dot2(&a.x, &a.x, &a.y, &s)
	u.Double(&u)
	if v.VarTimeSqrt(&u) {
		c = v
		t.Double(&a.x)
	} else {
		c = sqrtMinus12()
		t.Double(&v)
	}
	t.Add(&t, &c)
	t.Mul(&t, &c)
	t.Double(&t)
	return t.VarTimeIsSquare()
}

// bytes returns 04‖x‖y.
func (a *affine) bytes() []byte {
	out := make([]byte, 1, PointSize)
	out[0] = 4
	x, y := a.x.Bytes(), a.y.Bytes()
	return append(append(out, x[:]...), y[:]...)
}
