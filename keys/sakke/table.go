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

// polynomial is A(x) + y·B(x), coefficients from the constant up, as many as na
// and nb say. B is never zero.
type polynomial struct {
	a, b   [10]fp.Element
	na, nb int
}

// setLine sets g to the line y - l·(x - c.x) - c.y, which is y - lx + (l·c.x - c.y).
func (g *polynomial) setLine(c *affine, l *fp.Element) {
	g.na, g.nb = 2, 1
	g.a[0].Mul(l, &c.x)
	g.a[0].Sub(&g.a[0], &c.y)
	g.a[1].Neg(l)
	g.b[0].One()
}

// squareInto sets the first 2n-1 elements of out to f², f of n coefficients:
// each mixed product once.
func squareInto(out, f []fp.Element) {
	n := len(f)
	clear(out[:max(0, 2*n-1)])
	var t fp.Element
	for i := range f {
		for j := i + 1; j < n; j++ {
			out[i+j].Add(&out[i+j], t.Mul(&f[i], &f[j]))
		}
	}
	for i := range max(0, 2*n-1) {
		out[i].Double(&out[i])
		if i%2 == 0 {
			out[i].Add(&out[i], t.Square(&f[i/2]))
		}
	}
}

// addCurve adds f·(x³-3x), that is f·y², to out.
func addCurve(out, f []fp.Element) {
	var t fp.Element
	for i := range f {
		out[i+3].Add(&out[i+3], &f[i])
		t.Double(&f[i])
		t.Add(&t, &f[i])
		out[i+1].Sub(&out[i+1], &t)
	}
}

// square sets g = g²: A² + y²B² + y·2AB.
func (g *polynomial) square() {
	var h polynomial
	var t fp.Element
	h.na = max(2*g.na-1, 2*g.nb-1+3)
	h.nb = g.na + g.nb - 1
	squareInto(h.a[:], g.a[:g.na])
	if g.nb == 1 && g.b[0].IsOne() { // a line: no products with B
		for i := range g.na {
			h.b[i].Double(&g.a[i])
		}
		addCurve(h.a[:], g.b[:1])
	} else {
		squareInto(h.b[:], g.b[:g.nb])
		addCurve(h.a[:], h.b[:2*g.nb-1])
		clear(h.b[:])
		for i := range g.na {
			for j := range g.nb {
				h.b[i+j].Add(&h.b[i+j], t.Mul(&g.a[i], &g.b[j]))
			}
		}
		for i := range h.nb {
			h.b[i].Double(&h.b[i])
		}
	}
	*g = h
}

// mulLine sets g = g·l, l a line v + y with v linear in x:
// Av + y²B + y(A + Bv).
func (g *polynomial) mulLine(l *polynomial) {
	var h polynomial
	h.na = max(g.na+1, g.nb+3)
	h.nb = max(g.na, g.nb+1)
	linear := func(out, f []fp.Element) {
		out[0].Mul(&f[0], &l.a[0])
		for i := 1; i < len(f); i++ {
			out[i].Dot2(&f[i], &l.a[0], &f[i-1], &l.a[1])
		}
		out[len(f)].Mul(&f[len(f)-1], &l.a[1])
	}
	linear(h.a[:], g.a[:g.na])
	addCurve(h.a[:], g.b[:g.nb])
	linear(h.b[:], g.b[:g.nb])
	for i := range g.na {
		h.b[i].Add(&h.b[i], &g.a[i])
	}
	*g = h
}

// divide sets g = g/(x-v), which must leave no rest.
func (g *polynomial) divide(v *fp.Element) {
	g.na = horner(g.a[:g.na], v)
	g.nb = horner(g.b[:g.nb], v)
}

// horner divides f by x-v in place and returns the number of coefficients left.
func horner(f []fp.Element, v *fp.Element) int {
	var t fp.Element
	for i := len(f) - 2; i >= 0; i-- {
		f[i].Add(&f[i], t.Mul(&f[i+1], v)) // f[i+1] is coefficient i of the quotient
	}
	copy(f, f[1:])
	f[len(f)-1] = fp.Element{}
	return len(f) - 1
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

	size := 0
	for _, s := range plan {
		size += s.sizeA() + s.sizeB()
	}
	t := &lineTable{make([]fp.Element, 0, size)}
	leading := make([]fp.Element, 0, len(plan))
	i := 0 // at[i] is the point before the next doubling or addition
	var g, l polynomial
	for _, s := range plan {
		g.setLine(&at[i], &slopes[i])
		i++
		for range s.k - 1 {
			// G is squared; the two verticals at the point between cancel
			l.setLine(&at[i], &slopes[i])
			g.square()
			g.mulLine(&l)
			g.divide(&at[i].x)
			g.divide(&at[i].x)
			i++
		}
		if s.d != 0 {
			l.setLine(&at[i], &slopes[i])
			g.mulLine(&l)
			g.divide(&at[i].x)
			i++
		}
		if s.d == 2 || s.d == -2 {
			if s.d == 2 {
				l.setLine(key, &slope2)
			} else {
				l.setLine(&minusKey, &minusSlope)
			}
			g.mulLine(&l)
			g.divide(&twice.x)
		}
		t.coefficients = append(t.coefficients, g.a[:s.sizeA()]...)
		t.coefficients = append(t.coefficients, g.b[:s.sizeB()]...)
		leading = append(leading, g.b[s.sizeB()])
	}
	if !fp.VarTimeInvertAll(leading) {
		return nil, false
	}
	rest := t.coefficients
	for n, s := range plan {
		l := s.sizeA() + s.sizeB()
		if s.poles()%2 != 0 {
			rest = rest[l:] // B is monic: y·x^(N-3)/2 is the leading term of G
			continue
		}
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
