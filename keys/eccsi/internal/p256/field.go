// Package p256 is variable-time arithmetic of the curve P-256 for verification,
// where every operand is public. Nothing secret may come here: signing and the
// keys of a KMS stay with nistec.
//
// A field Element is held in Montgomery form x·R mod p, R = 2^256, four limbs,
// always less than p = 2^256 - 2^224 + 2^192 + 2^96 - 1. On amd64 processors
// with BMI2 and ADX the products and the two point operations of the loop are
// assembly (gen.go), elsewhere and with the build tag purego they are Go; the
// tests hold both to math/big and to nistec.
package p256

//go:generate go run gen.go

import (
	"encoding/binary"
	"math/bits"
)

// An Element is an integer modulo p. The zero value is zero and valid.
// Receivers are destinations; they may be the arguments too.
type Element [4]uint64

const (
	p0 = 0xffffffffffffffff
	p1 = 0x00000000ffffffff
	p2 = 0
	p3 = 0xffffffff00000001
)

var (
	one = Element{1, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe}                  // R mod p
	rr  = Element{3, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd}                  // R² mod p
	b   = Element{0xd89cdf6229c4bddf, 0xacf005cd78843090, 0xe5a220abf7212ed6, 0xdc30061d04874834} // of y² = x³ - 3x + b
)

// setReduced sets z to the big-endian integer o of 32 octets modulo p, and
// reports whether it was less than p.
func (z *Element) setReduced(o []byte) (canonical bool) {
	t := load(o)
	var s [4]uint64
	var c uint64
	s[0], c = bits.Sub64(t[0], p0, 0)
	s[1], c = bits.Sub64(t[1], p1, c)
	s[2], c = bits.Sub64(t[2], p2, c)
	s[3], c = bits.Sub64(t[3], p3, c)
	if c == 0 {
		t = s
	}
	z.Mul((*Element)(&t), &rr)
	return c != 0
}

// load reads 32 octets as a big-endian integer.
func load(o []byte) (t [4]uint64) {
	for i := range t {
		t[i] = binary.BigEndian.Uint64(o[24-8*i:])
	}
	return t
}

// Bytes returns the 32 octets of z, big-endian.
func (z *Element) Bytes() (o [32]byte) {
	var t Element
	t.Mul(z, &Element{1})
	for i := range t {
		binary.BigEndian.PutUint64(o[24-8*i:], t[i])
	}
	return o
}

// IsZero reports whether z = 0.
func (z *Element) IsZero() bool { return z[0]|z[1]|z[2]|z[3] == 0 }

// Add sets z = x + y.
func (z *Element) Add(x, y *Element) *Element {
	var c, d uint64
	var t, s Element
	t[0], c = bits.Add64(x[0], y[0], 0)
	t[1], c = bits.Add64(x[1], y[1], c)
	t[2], c = bits.Add64(x[2], y[2], c)
	t[3], c = bits.Add64(x[3], y[3], c)
	s[0], d = bits.Sub64(t[0], p0, 0)
	s[1], d = bits.Sub64(t[1], p1, d)
	s[2], d = bits.Sub64(t[2], p2, d)
	s[3], d = bits.Sub64(t[3], p3, d)
	if _, d = bits.Sub64(c, 0, d); d != 0 {
		s = t
	}
	*z = s
	return z
}

// Sub sets z = x - y.
func (z *Element) Sub(x, y *Element) *Element {
	var c uint64
	z[0], c = bits.Sub64(x[0], y[0], 0)
	z[1], c = bits.Sub64(x[1], y[1], c)
	z[2], c = bits.Sub64(x[2], y[2], c)
	z[3], c = bits.Sub64(x[3], y[3], c)
	m := -c // p or zero is added
	z[0], c = bits.Add64(z[0], m, 0)
	z[1], c = bits.Add64(z[1], m&p1, c)
	z[2], c = bits.Add64(z[2], 0, c)
	z[3], _ = bits.Add64(z[3], m&p3, c)
	return z
}

// Neg sets z = -x.
func (z *Element) Neg(x *Element) *Element { return z.Sub(&Element{}, x) }

// Mul sets z = x·y.
func (z *Element) Mul(x, y *Element) *Element {
	mul(z, x, y)
	return z
}

// Square sets z = x².
func (z *Element) Square(x *Element) *Element {
	square(z, x)
	return z
}

// squareN sets z = x^(2^n), n > 0.
func (z *Element) squareN(x *Element, n int) *Element {
	z.Square(x)
	for range n - 1 {
		z.Square(z)
	}
	return z
}

// invert sets z = x^(p-2), which is 1/x, or 0 for x = 0, with
//
//	p-2 = 2^256 - 2^224 + 2^192 + 2^96 - 3
//
// as runs of ones: 32 of them, 31 zeros and a one, 96 zeros, 94 ones, 01.
func (z *Element) invert(x *Element) *Element {
	var x2, x3, x6, x12, x15, x30, x32, t Element
	x2.Square(x).Mul(&x2, x) // x_n = x^(2^n-1)
	x3.Square(&x2).Mul(&x3, x)
	x6.squareN(&x3, 3).Mul(&x6, &x3)
	x12.squareN(&x6, 6).Mul(&x12, &x6)
	x15.squareN(&x12, 3).Mul(&x15, &x3)
	x30.squareN(&x15, 15).Mul(&x30, &x15)
	x32.squareN(&x30, 2).Mul(&x32, &x2)
	t.squareN(&x32, 32).Mul(&t, x)
	t.squareN(&t, 128).Mul(&t, &x32)
	t.squareN(&t, 32).Mul(&t, &x32)
	t.squareN(&t, 30).Mul(&t, &x30)
	return z.Mul(t.squareN(&t, 2), x)
}

// mulGeneric is Montgomery's product, a row at a time. Since p = -1 mod 2^64,
// the lowest limb m is itself the multiple of p that clears it, and m·p is
//
//	-m + m·2^96 + m·p3·2^192
func mulGeneric(z, x, y *Element) {
	var t0, t1, t2, t3, t4 uint64
	for i := range 4 {
		var c, top uint64
		v := y[i]
		h0, l0 := bits.Mul64(x[0], v)
		h1, l1 := bits.Mul64(x[1], v)
		h2, l2 := bits.Mul64(x[2], v)
		h3, l3 := bits.Mul64(x[3], v)
		t0, c = bits.Add64(t0, l0, 0)
		t1, c = bits.Add64(t1, l1, c)
		t2, c = bits.Add64(t2, l2, c)
		t3, c = bits.Add64(t3, l3, c)
		t4, top = bits.Add64(t4, 0, c)
		t1, c = bits.Add64(t1, h0, 0)
		t2, c = bits.Add64(t2, h1, c)
		t3, c = bits.Add64(t3, h2, c)
		t4, c = bits.Add64(t4, h3, c)
		top += c

		m := t0
		hi, lo := bits.Mul64(m, p3)
		t0, c = bits.Add64(t1, m<<32, 0)
		t1, c = bits.Add64(t2, m>>32, c)
		t2, c = bits.Add64(t3, lo, c)
		t3, c = bits.Add64(t4, hi, c)
		t4 = top + c
	}
	var s Element
	var d uint64
	s[0], d = bits.Sub64(t0, p0, 0)
	s[1], d = bits.Sub64(t1, p1, d)
	s[2], d = bits.Sub64(t2, p2, d)
	s[3], d = bits.Sub64(t3, p3, d)
	if _, d = bits.Sub64(t4, 0, d); d != 0 {
		s = Element{t0, t1, t2, t3}
	}
	*z = s
}
