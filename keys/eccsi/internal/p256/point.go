package p256

// An Affine is a point of the curve other than infinity.
type Affine struct{ X, Y Element }

// AffineSize is the octets an Affine takes in memory.
const AffineSize = 64

// A Point is in Jacobian coordinates, (X/Z², Y/Z³); Z = 0 is infinity, and so
// the zero value is.
type Point struct{ X, Y, Z Element }

// PointSize is the length of an uncompressed point, 04‖x‖y.
const PointSize = 65

// SetBytes sets a to the point 04‖x‖y and reports whether that is one: 65
// octets, coordinates below p, on the curve. The cofactor is 1, so the order is
// right too. On false a has no meaning.
func (a *Affine) SetBytes(o []byte) bool {
	if len(o) != PointSize || o[0] != 4 {
		return false
	}
	if !a.X.setReduced(o[1:33]) || !a.Y.setReduced(o[33:]) {
		return false
	}
	// y² = x³ - 3x + b
	var l, r, t Element
	l.Square(&a.Y)
	r.Square(&a.X).Mul(&r, &a.X)
	t.Add(&a.X, &a.X).Add(&t, &a.X)
	r.Sub(&r, &t).Add(&r, &b)
	return l == r
}

// Bytes returns 04‖x‖y.
func (a *Affine) Bytes() (o [PointSize]byte) {
	o[0] = 4
	x, y := a.X.Bytes(), a.Y.Bytes()
	copy(o[1:], x[:])
	copy(o[33:], y[:])
	return o
}

// SetAffine sets p = a.
func (p *Point) SetAffine(a *Affine) *Point {
	p.X, p.Y, p.Z = a.X, a.Y, one
	return p
}

// Infinite reports whether p is the point at infinity.
func (p *Point) Infinite() bool { return p.Z.IsZero() }

// Affine returns p, which must not be infinite; ok is false if it is.
func (p *Point) Affine() (a Affine, ok bool) {
	if p.Infinite() {
		return a, false
	}
	var i Element
	return p.scale(i.invert(&p.Z)), true
}

// scale is (X/Z², Y/Z³), given 1/Z.
func (p *Point) scale(zInv *Element) (a Affine) {
	var t Element
	t.Square(zInv)
	a.X.Mul(&p.X, &t)
	a.Y.Mul(&p.Y, t.Mul(&t, zInv))
	return a
}

// allAffine converts points with one inversion (Montgomery's trick). None may
// be infinite.
func allAffine(ps []Point) []Affine {
	run := make([]Element, len(ps)) // Z_0·…·Z_i
	run[0] = ps[0].Z
	for i := 1; i < len(ps); i++ {
		run[i].Mul(&run[i-1], &ps[i].Z)
	}
	out := make([]Affine, len(ps))
	var inv, t Element
	inv.invert(&run[len(ps)-1])
	for i := len(ps) - 1; i > 0; i-- {
		out[i] = ps[i].scale(t.Mul(&inv, &run[i-1]))
		inv.Mul(&inv, &ps[i].Z)
	}
	out[0] = ps[0].scale(&inv)
	return out
}

// HasX reports whether the affine x of p is r modulo p, r of 32 octets
// big-endian, without an inversion: X = r·Z². No r is the x of infinity.
func (p *Point) HasX(r []byte) bool {
	var t, zz Element
	t.setReduced(r)
	t.Mul(&t, zz.Square(&p.Z))
	return !p.Infinite() && t == p.X
}

// Add sets p = p + a.
func (p *Point) Add(a *Affine) {
	if p.Infinite() {
		p.SetAffine(a)
		return
	}
	if p.addDistinct(a) {
		return
	}
	// the same x: a is p or -p
	var t, zz Element
	t.Mul(zz.Square(&p.Z), &p.Z).Mul(&t, &a.Y)
	if t == p.Y {
		p.double() // no point has Y = 0
	} else {
		*p = Point{}
	}
}

// sub sets p = p - a.
func (p *Point) sub(a *Affine) {
	minus := Affine{X: a.X}
	minus.Y.Neg(&a.Y)
	p.Add(&minus)
}

// doubleGeneric sets p = 2p,
//
//	M = 3(X-Z²)(X+Z²)
//	S = 4XY²
//	X' = M² - 2S
//	Y' = M(S-X') - 8Y⁴
//	Z' = 2YZ
//
// Infinity stays what it is.
func (p *Point) doubleGeneric() {
	var zz, m, u, yy2, s Element
	zz.Square(&p.Z)
	m.Sub(&p.X, &zz)
	m.Mul(&m, u.Add(&p.X, &zz))
	m.Add(&m, u.Add(&m, &m))
	p.Z.Mul(&p.Y, &p.Z)
	p.Z.Add(&p.Z, &p.Z)
	yy2.Square(&p.Y)
	yy2.Add(&yy2, &yy2)
	s.Mul(&p.X, &yy2)
	s.Add(&s, &s)
	yy2.Square(&yy2)
	yy2.Add(&yy2, &yy2)
	p.X.Square(&m)
	p.X.Sub(&p.X, &s).Sub(&p.X, &s)
	s.Sub(&s, &p.X)
	p.Y.Mul(&m, &s)
	p.Y.Sub(&p.Y, &yy2)
}

// addGeneric sets p = p + a, p not infinite,
//
//	H = xZ² - X
//	N = yZ³ - Y
//	X' = N² - H³ - 2XH²
//	Y' = N(XH² - X') - YH³
//	Z' = ZH
//
// and reports H ≠ 0. If H = 0 then p is left as it was.
func (p *Point) addGeneric(a *Affine) bool {
	var zz, h, n, hh, v Element
	zz.Square(&p.Z)
	h.Mul(&a.X, &zz)
	h.Sub(&h, &p.X)
	if h.IsZero() {
		return false
	}
	n.Mul(zz.Mul(&zz, &p.Z), &a.Y)
	n.Sub(&n, &p.Y)
	p.Z.Mul(&p.Z, &h)
	hh.Square(&h)
	h.Mul(&hh, &h)
	v.Mul(&p.X, &hh)
	p.X.Square(&n)
	p.X.Sub(&p.X, &h).Sub(&p.X, &v).Sub(&p.X, &v)
	v.Sub(&v, &p.X)
	h.Mul(&h, &p.Y)
	p.Y.Mul(&n, &v)
	p.Y.Sub(&p.Y, &h)
	return true
}
