package sakke

import (
	"bytes"
	"math/big"

	"github.com/mcxdump/mcxdump/keys/sakke/internal/fp"
)

// This file is RFC 6508 written down with math/big, affine points and one
// inversion a step: slow, plain, and independent of the rest of the package,
// which the tests hold to it.

var fieldP = fp.Modulus()

// refPoint is an affine point of E; nil coordinates are infinity.
type refPoint struct{ x, y *big.Int }

var refBase = refPoint{baseX, baseY}

func (p refPoint) infinite() bool { return p.x == nil }

func (p refPoint) onCurve() bool {
	// y² = x³ - 3x
	r := new(big.Int).Mul(p.x, p.x)
	r.Sub(r, big.NewInt(3)).Mul(r, p.x)
	return r.Sub(r, new(big.Int).Mul(p.y, p.y)).Mod(r, fieldP).Sign() == 0
}

func (p refPoint) bytes() []byte {
	b := make([]byte, PointSize)
	b[0] = 4
	p.x.FillBytes(b[1 : 1+ElementSize])
	p.y.FillBytes(b[1+ElementSize:])
	return b
}

// refParse reads a point of order q; ok is false for anything else.
func refParse(b []byte) (p refPoint, ok bool) {
	if len(b) != PointSize || b[0] != 4 {
		return p, false
	}
	p = refPoint{new(big.Int).SetBytes(b[1 : 1+ElementSize]), new(big.Int).SetBytes(b[1+ElementSize:])}
	if p.x.Cmp(fieldP) >= 0 || p.y.Cmp(fieldP) >= 0 || !p.onCurve() {
		return p, false
	}
	return p, refMul(orderQ, p).infinite()
}

// refSlope is the slope of the tangent (p = q) or the chord, nil if vertical.
func refSlope(p, q refPoint) *big.Int {
	num, den := new(big.Int), new(big.Int)
	if p.x.Cmp(q.x) == 0 {
		// 3(x²-1)/(y+y)
		num.Mul(p.x, p.x).Sub(num, big.NewInt(1)).Mul(num, big.NewInt(3))
		den.Add(p.y, q.y)
	} else {
		num.Sub(q.y, p.y)
		den.Sub(q.x, p.x)
	}
	if den.Mod(den, fieldP).Sign() == 0 {
		return nil
	}
	return num.Mul(num, den.ModInverse(den, fieldP)).Mod(num, fieldP)
}

func refAdd(p, q refPoint) refPoint {
	if p.infinite() {
		return q
	}
	if q.infinite() {
		return p
	}
	l := refSlope(p, q)
	if l == nil {
		return refPoint{}
	}
	x := new(big.Int).Mul(l, l)
	x.Sub(x, p.x).Sub(x, q.x).Mod(x, fieldP)
	y := new(big.Int).Sub(p.x, x)
	y.Mul(y, l).Sub(y, p.y).Mod(y, fieldP)
	return refPoint{x, y}
}

// refMul is [k]p for k ≥ 0; k is not reduced.
func refMul(k *big.Int, p refPoint) refPoint {
	var r refPoint
	for i := k.BitLen() - 1; i >= 0; i-- {
		r = refAdd(r, r)
		if k.Bit(i) == 1 {
			r = refAdd(r, p)
		}
	}
	return r
}

// refMulC is (a+ib)(c+id).
func refMulC(a, b, c, d *big.Int) (re, im *big.Int) {
	re = new(big.Int).Mul(a, c)
	re.Sub(re, new(big.Int).Mul(b, d)).Mod(re, fieldP)
	im = new(big.Int).Mul(a, d)
	im.Add(im, new(big.Int).Mul(b, c)).Mod(im, fieldP)
	return re, im
}

// refPairing is <R,Q> as in RFC 6508 section 3.2, for points of order q:
//
//	v = 1; C = R
//	for each bit of q-1 below the top one:
//	    l = 3(Cx²-1)/(2Cy);  v = v²·(l(Qx+Cx) - Cy + i·Qy);  C = 2C
//	    if the bit is 1:
//	        l = (Cy-Ry)/(Cx-Rx);  v = v·(l(Qx+Cx) - Cy + i·Qy);  C = C+R
//	t = v^((p+1)/q);  result = Im(t)/Re(t)
func refPairing(r, q refPoint) *big.Int {
	re, im := big.NewInt(1), new(big.Int)
	c := r
	line := func(l *big.Int) {
		e := new(big.Int).Add(q.x, c.x)
		e.Mul(e, l).Sub(e, c.y).Mod(e, fieldP)
		re, im = refMulC(re, im, e, q.y)
	}
	n := new(big.Int).Sub(orderQ, big.NewInt(1))
	for i := n.BitLen() - 2; i >= 0; i-- {
		re, im = refMulC(re, im, re, im)
		line(refSlope(c, c))
		c = refAdd(c, c)
		if n.Bit(i) == 1 {
			line(refSlope(c, r))
			c = refAdd(c, r)
		}
	}
	re, im = refMulC(re, im, re, im)
	re, im = refMulC(re, im, re, im)
	return im.Mul(im, re.ModInverse(re, fieldP)).Mod(im, fieldP)
}

// refPower is g^r in PF_p: (1+ig)^r, as imaginary over real part.
func refPower(g, r *big.Int) *big.Int {
	re, im := big.NewInt(1), new(big.Int)
	for i := r.BitLen() - 1; i >= 0; i-- {
		re, im = refMulC(re, im, re, im)
		if r.Bit(i) == 1 {
			re, im = refMulC(re, im, big.NewInt(1), g)
		}
	}
	return im.Mul(im, re.ModInverse(re, fieldP)).Mod(im, fieldP)
}

// refReceiver is [b]P + Z.
func refReceiver(z refPoint, id []byte) refPoint {
	b := new(big.Int).SetBytes(id)
	return refAdd(refMul(b, refBase), z)
}

// refMask is HashToIntegerRange(w, 2^(8n)) for n octets.
func refMask(w *big.Int, n int) []byte {
	lim := new(big.Int).Lsh(big.NewInt(1), uint(8*n))
	return HashToIntegerRange(w.FillBytes(make([]byte, ElementSize)), lim).FillBytes(make([]byte, n))
}

func refXor(a, b []byte) []byte {
	out := bytes.Clone(a)
	for i := range out {
		out[i] ^= b[i]
	}
	return out
}

// refExtract is RFC 6508 section 6.1.1: [1/(a+z)]P.
func refExtract(z *big.Int, id []byte) refPoint {
	k := new(big.Int).SetBytes(id)
	k.Add(k, z).Mod(k, orderQ)
	return refMul(k.ModInverse(k, orderQ), refBase)
}

// refVerify is the check of RFC 6508 section 6.1.2: <[a]P+Z, K> = g.
func refVerify(z refPoint, id []byte, key refPoint) bool {
	return refPairing(refReceiver(z, id), key).Cmp(pairingG) == 0
}

// refEncapsulate is RFC 6508 section 6.2.1.
func refEncapsulate(z refPoint, id, ssv []byte) []byte {
	r := HashToIntegerRange(append(bytes.Clone(ssv), id...), orderQ)
	point := refMul(r, refReceiver(z, id))
	w := refPower(pairingG, r)
	return append(point.bytes(), refXor(ssv, refMask(w, len(ssv)))...)
}

// refDecapsulate is RFC 6508 section 6.2.2; nil when a check fails.
func refDecapsulate(z refPoint, id, sed []byte, key refPoint) []byte {
	if len(sed) < PointSize {
		return nil
	}
	point, ok := refParse(sed[:PointSize])
	if !ok {
		return nil
	}
	h := sed[PointSize:]
	ssv := refXor(h, refMask(refPairing(point, key), len(h)))
	r := HashToIntegerRange(append(bytes.Clone(ssv), id...), orderQ)
	test := refMul(r, refReceiver(z, id))
	if test.infinite() || test.x.Cmp(point.x) != 0 || test.y.Cmp(point.y) != 0 {
		return nil
	}
	return ssv
}
