package sakke

import (
	"math/big"
	"sync"

	"github.com/mcxdump/mcxdump/keys/sakke/internal/fp"
)

// The pairing with a fixed first argument K.
//
// Miller's loop for <K,R> computes f_n, n = q-1, where f_m is the function on E
// with divisor m(K) - ([m]K) - (m-1)(O). A step of the loop goes from m to
// m' = 2^k·m + d, d small and of either sign, and C = [m]K to C' = [m']K:
//
//	f_m' = f_m^(2^k) · G,  div G = 2^k(C) + |d|(±K) - (C') - (2^k+|d|-1)(O)
//
// up to vertical lines, which lie in F_p at the distorted argument and mean
// nothing in PF_p. Times one more vertical line, at C', G has its poles at O
// only,
//
//	div G = 2^k(C) + |d|(±K) + (-C') - N(O),  N = 2^k+|d|+1
//
// and so is a polynomial A(x) + y·B(x) with a pole of order N: deg A ≤ N/2 and
// deg B ≤ (N-3)/2. It is the product of the tangents and chords of the usual
// steps, divided by the verticals which cancel: exactly, so with no inversion.
// At the distorted R, (-x, iy), divided by y and scaled to a monic B,
//
//	G = e + i·h,  e = Σ a_j·(-x)^j/y,  h = Σ b_j·(-x)^j
//
// in which the powers are the same for all steps, and e and h are inner products
// with one reduction each. Two plain doublings cost 6 products for G instead of
// 11 for two lines and two multiplications.
//
// Which k and d to take is a shortest path through the digits of q-1, found once.

// step is one step of the loop.
type step struct {
	k int // doublings
	d int // then [d]K is added
}

// poles is N of the step.
func (s step) poles() int { return 1<<s.k + abs(s.d) + 1 }

// sizeA and sizeB are the numbers of coefficients kept; that of the leading term
// of B is 1 and is not kept.
func (s step) sizeA() int { return s.poles()/2 + 1 }
func (s step) sizeB() int { return (s.poles() - 3) / 2 }

// cost is the price of the step in half products, a reduction being one half.
func (s step) cost() int {
	c := 4*s.k + s.sizeA() + 1
	if s.sizeB() == 0 {
		return c + 4 // h = 1: two products
	}
	return c + s.sizeB() + 1 + 6
}

func abs(x int) int { return max(x, -x) }

// steps are those the search may take. (1, ±2) is missing because from C = K it
// would have to add [2]K to [2]K.
var steps = []step{
	{1, 0}, {1, 1}, {1, -1}, {2, 0}, {2, 1}, {2, -1}, {2, 2}, {2, -2},
	{3, 0}, {3, 1}, {3, -1}, {3, 2}, {3, -2},
}

// maxPowers bounds the powers of x a step needs.
const maxPowers = 7

// schedule is the cheapest way from m = 1 to m = q-1 by steps. It works from the
// lowest bit: what is left after i bits is (n >> i) + carry, carry 0 or 1.
var schedule = sync.OnceValue(func() []step {
	n := new(big.Int).Sub(orderQ, big.NewInt(1))
	type node struct {
		cost int
		by   step
		next [2]int
	}
	const far = 1 << 30
	bits := n.BitLen()
	// best[i][c] is the cheapest way to (n >> i) + c; the end is where that is 1
	best := make([][2]node, bits+4)
	for i := len(best) - 1; i >= 0; i-- {
		for c := range 2 {
			b := &best[i][c]
			b.cost = far
			v := new(big.Int).Rsh(n, uint(i))
			v.Add(v, big.NewInt(int64(c)))
			if v.Sign() == 0 {
				continue
			}
			if v.IsInt64() && v.Int64() == 1 {
				b.cost = 0
				continue
			}
			for _, s := range steps {
				j := i + s.k
				if j >= len(best) {
					continue
				}
				low := 0
				for t := range s.k {
					low |= int(n.Bit(i+t)) << t
				}
				low += c
				carry := 0
				if s.d != low {
					carry = 1
					if s.d != low-1<<s.k {
						continue
					}
				}
				if cost := best[j][carry].cost + s.cost(); cost < b.cost {
					*b = node{cost, s, [2]int{j, carry}}
				}
			}
		}
	}
	var out []step
	for at := [2]int{0, 0}; best[at[0]][at[1]].cost > 0; {
		b := best[at[0]][at[1]]
		out = append(out, b.by)
		at = b.next
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
})

// lineTable holds the coefficients of all steps for one K, A before B.
type lineTable struct{ coefficients []fp.Element }

func (t *lineTable) memory() int { return len(t.coefficients) * ElementSize }

// polynomial is A(x) + y·B(x), coefficients from the constant up.
type polynomial struct{ a, b []fp.Element }

// mulPoly is the product of two polynomials in x.
func mulPoly(f, g []fp.Element) []fp.Element {
	if len(f) == 0 || len(g) == 0 {
		return nil
	}
	out := make([]fp.Element, len(f)+len(g)-1)
	var t fp.Element
	for i := range f {
		for j := range g {
			out[i+j].Add(&out[i+j], t.Mul(&f[i], &g[j]))
		}
	}
	return out
}

func addPoly(f, g []fp.Element) []fp.Element {
	if len(f) < len(g) {
		f, g = g, f
	}
	out := append([]fp.Element(nil), f...)
	for i := range g {
		out[i].Add(&out[i], &g[i])
	}
	return out
}

// mulCurve is f·(x³-3x), that is f·y².
func mulCurve(f []fp.Element) []fp.Element {
	if len(f) == 0 {
		return nil
	}
	out := make([]fp.Element, len(f)+3)
	var t fp.Element
	for i := range f {
		out[i+3].Add(&out[i+3], &f[i])
		t.Double(&f[i])
		t.Add(&t, &f[i])
		out[i+1].Sub(&out[i+1], &t)
	}
	return out
}

// divide is f/(x-v), which must leave no rest. Horner's scheme.
func divide(f []fp.Element, v *fp.Element) []fp.Element {
	if len(f) <= 1 {
		return nil
	}
	out := make([]fp.Element, len(f)-1)
	var t fp.Element
	out[len(out)-1] = f[len(f)-1]
	for i := len(out) - 1; i > 0; i-- {
		out[i-1].Add(t.Mul(&out[i], v), &f[i])
	}
	return out
}

// mul is (a+yb)(c+yd) = ac + y²bd + y(ad+bc).
func (f polynomial) mul(g polynomial) polynomial {
	return polynomial{
		addPoly(mulPoly(f.a, g.a), mulCurve(mulPoly(f.b, g.b))),
		addPoly(mulPoly(f.a, g.b), mulPoly(f.b, g.a)),
	}
}

func (f polynomial) divide(v *fp.Element) polynomial {
	return polynomial{divide(f.a, v), divide(f.b, v)}
}

// line is y - l·(x - c.x) - c.y.
func line(c *affine, l *fp.Element) polynomial {
	var k, minus fp.Element
	k.Mul(l, &c.x)
	k.Sub(&k, &c.y)
	minus.Neg(l)
	return polynomial{[]fp.Element{k, minus}, []fp.Element{*new(fp.Element).One()}}
}

// newLineTable runs Miller's loop for key, which must have order q, and keeps
// the function of each step; false if a step degenerates, which it does for
// points of another order only.
func newLineTable(key *affine) (*lineTable, bool) {
	// addends [d]K for d = ±1, ±2, and the tangents at ±K
	var two point
	two.setAffine(key)
	slope2, _, _ := two.double(&two)
	twice, ok := two.affine()
	if !ok {
		return nil, false
	}
	var inv fp.Element
	inv.VarTimeInvert(&two.z)
	slope2.Mul(&slope2, &inv)
	var minusKey, minusTwice affine
	minusKey.neg(key)
	minusTwice.neg(&twice)
	minusSlope := *new(fp.Element).Neg(&slope2)
	addend := map[int]*affine{1: key, -1: &minusKey, 2: &twice, -2: &minusTwice}

	// all points of the loop, and the numerators of the slopes between them
	plan := schedule()
	var c point
	c.setAffine(key)
	points := []point{c}
	var slopes []fp.Element
	for _, s := range plan {
		for range s.k {
			m, _, _ := c.double(&c)
			points, slopes = append(points, c), append(slopes, m)
		}
		if s.d != 0 {
			n := c.add(&c, addend[s.d])
			points, slopes = append(points, c), append(slopes, n)
		}
	}
	z := make([]fp.Element, len(points))
	for i := range points {
		z[i] = points[i].z
	}
	if !fp.VarTimeInvertAll(z) {
		return nil, false
	}
	at := make([]affine, len(points))
	for i := range points {
		at[i] = points[i].toAffine(&z[i])
		if i > 0 {
			slopes[i-1].Mul(&slopes[i-1], &z[i])
		}
	}

	t := new(lineTable)
	var leading []fp.Element
	i := 0 // at[i] is the point before the next doubling or addition
	for _, s := range plan {
		g := line(&at[i], &slopes[i])
		i++
		for range s.k - 1 {
			// G is squared; the two verticals at the point between cancel
			v := &at[i].x
			g = g.mul(g).mul(line(&at[i], &slopes[i])).divide(v).divide(v)
			i++
		}
		if s.d != 0 {
			g = g.mul(line(&at[i], &slopes[i])).divide(&at[i].x)
			i++
			switch s.d {
			case 2:
				g = g.mul(line(key, &slope2)).divide(&twice.x)
			case -2:
				g = g.mul(line(&minusKey, &minusSlope)).divide(&twice.x)
			}
		}
		a, b := make([]fp.Element, s.sizeA()), make([]fp.Element, s.sizeB()+1)
		copy(a, g.a)
		copy(b, g.b)
		t.coefficients = append(append(t.coefficients, a...), b[:s.sizeB()]...)
		leading = append(leading, b[s.sizeB()])
	}
	if !fp.VarTimeInvertAll(leading) {
		return nil, false
	}
	rest := t.coefficients
	for n, s := range plan {
		l := s.sizeA() + s.sizeB()
		for j := range l {
			rest[j].Mul(&rest[j], &leading[n])
		}
		rest = rest[l:]
	}
	return t, true
}

// varTimePairing is <R,K> = <K,R> by the table; ok is false for r = (0,0).
func (t *lineTable) varTimePairing(r *affine) (w fp.Element, ok bool) {
	var yInv fp.Element
	if !yInv.VarTimeInvert(&r.y) {
		return w, false
	}
	var x, xy [maxPowers]fp.Element // (-x)^j and (-x)^j/y
	var minus fp.Element
	minus.Neg(&r.x)
	x[0].One()
	xy[0] = yInv
	for j := 1; j < maxPowers; j++ {
		x[j].Mul(&x[j-1], &minus)
		xy[j].Mul(&xy[j-1], &minus)
	}
	f := quad{re: *new(fp.Element).One()}
	rest := t.coefficients
	var l quad
	for _, s := range schedule() {
		for range s.k {
			f.square(&f)
		}
		na, nb := s.sizeA(), s.sizeB()
		l.re.InnerProduct(rest[:na], xy[:na])
		if nb == 0 {
			f.mulLine(&f, &l.re)
		} else {
			l.im.InnerProduct(rest[na:na+nb], x[:nb])
			l.im.Add(&l.im, &x[nb])
			f.mul(&f, &l)
		}
		rest = rest[na+nb:]
	}
	f.square(&f)
	f.square(&f)
	return f.ratio()
}
