package eccsi

import (
	"bytes"
	"crypto/sha256"
	"math/big"
)

// This file is RFC 6507 written down with math/big and affine points, slow and
// plain. The tests hold the rest of the package to it.

// refPoint is an affine point of P-256; nil coordinates are infinity.
type refPoint struct{ x, y *big.Int }

var (
	refB, _ = new(big.Int).SetString("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b", 16)
	refG    = refParse(baseG)
)

// refParse returns infinity for what is not an uncompressed point of the curve.
func refParse(b []byte) refPoint {
	if len(b) != PointSize || b[0] != 4 {
		return refPoint{}
	}
	p := refPoint{new(big.Int).SetBytes(b[1:33]), new(big.Int).SetBytes(b[33:])}
	if p.x.Cmp(fieldP) >= 0 || p.y.Cmp(fieldP) >= 0 {
		return refPoint{}
	}
	// y² = x³ - 3x + b
	l := new(big.Int).Mul(p.y, p.y)
	r := new(big.Int).Mul(p.x, p.x)
	r.Sub(r, big.NewInt(3)).Mul(r, p.x).Add(r, refB)
	if l.Sub(l, r).Mod(l, fieldP).Sign() != 0 {
		return refPoint{}
	}
	return p
}

func (p refPoint) infinite() bool { return p.x == nil }

func (p refPoint) bytes() []byte {
	b := make([]byte, PointSize)
	b[0] = 4
	p.x.FillBytes(b[1:33])
	p.y.FillBytes(b[33:])
	return b
}

func refAdd(p, q refPoint) refPoint {
	if p.infinite() {
		return q
	}
	if q.infinite() {
		return p
	}
	num, den := new(big.Int), new(big.Int)
	if p.x.Cmp(q.x) == 0 {
		if den.Add(p.y, q.y).Mod(den, fieldP).Sign() == 0 {
			return refPoint{}
		}
		num.Mul(p.x, p.x).Sub(num, big.NewInt(1)).Mul(num, big.NewInt(3)) // 3x²-3
	} else {
		num.Sub(q.y, p.y)
		den.Sub(q.x, p.x).Mod(den, fieldP)
	}
	l := num.Mul(num, den.ModInverse(den, fieldP))
	x := new(big.Int).Mul(l, l)
	x.Sub(x, p.x).Sub(x, q.x).Mod(x, fieldP)
	y := new(big.Int).Sub(p.x, x)
	y.Mul(y, l).Sub(y, p.y).Mod(y, fieldP)
	return refPoint{x, y}
}

func refMul(k *big.Int, p refPoint) refPoint {
	k = new(big.Int).Mod(k, orderQ)
	var r refPoint
	for i := k.BitLen() - 1; i >= 0; i-- {
		r = refAdd(r, r)
		if k.Bit(i) == 1 {
			r = refAdd(r, p)
		}
	}
	return r
}

func refHash(parts ...[]byte) *big.Int {
	h := sha256.Sum256(bytes.Join(parts, nil))
	return new(big.Int).SetBytes(h[:])
}

// refVerify is RFC 6507 section 5.2.2 step by step.
func refVerify(kpak, id, message, sig []byte) bool {
	k := refParse(kpak)
	if len(sig) != SignatureSize || k.infinite() {
		return false
	}
	pvt := refParse(sig[64:])
	if pvt.infinite() {
		return false
	}
	hs := refHash(baseG, kpak, id, sig[64:])
	he := refHash(hs.FillBytes(make([]byte, 32)), sig[:32], message)
	y := refAdd(refMul(hs, pvt), k)
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:64])
	j := refMul(s, refAdd(refMul(he, refG), refMul(r, y)))
	return !j.infinite() && j.x.Sign() != 0 && j.x.Cmp(r.Mod(r, fieldP)) == 0
}

// refValidate is RFC 6507 section 5.1.2, the check of a received (SSK, PVT).
func refValidate(kpak, id, ssk, pvt []byte) bool {
	p, k := refParse(pvt), refParse(kpak)
	if p.infinite() || k.infinite() {
		return false
	}
	hs := refHash(baseG, kpak, id, pvt)
	neg := refMul(hs, p)
	if !neg.infinite() {
		neg.y = new(big.Int).Sub(fieldP, neg.y)
	}
	got := refAdd(refMul(new(big.Int).SetBytes(ssk), refG), neg)
	return !got.infinite() && bytes.Equal(got.bytes(), kpak)
}
