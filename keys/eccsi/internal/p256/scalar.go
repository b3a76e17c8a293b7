package p256

import "math/bits"

// A Scalar is an integer modulo n, the order of the group, less than n.
type Scalar [4]uint64

// order is n, orderInv is -1/n mod 2^64, orderRR is 2^512 mod n.
var (
	order   = Scalar{0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000}
	orderRR = Scalar{0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59, 0x66e12d94f3d95620}
)

const orderInv = 0xccd1c8aaee00bc4f

// SetBytes sets z to the big-endian integer o of 32 octets modulo n.
func (z *Scalar) SetBytes(o []byte) *Scalar {
	*z = load(o)
	z.settle(0)
	return z
}

// settle subtracts n from top·2^256 + z, less than 2n, unless it is below n.
func (z *Scalar) settle(top uint64) {
	var s Scalar
	var c uint64
	for i := range s {
		s[i], c = bits.Sub64(z[i], order[i], c)
	}
	if _, c = bits.Sub64(top, 0, c); c == 0 {
		*z = s
	}
}

// IsZero reports whether z = 0.
func (z *Scalar) IsZero() bool { return *z == Scalar{} }

// Mul sets z = x·y.
func (z *Scalar) Mul(x, y *Scalar) *Scalar {
	var t Scalar
	t.montgomery(x, &orderRR)
	return z.montgomery(&t, y)
}

// montgomery sets z = x·y/2^256 mod n.
func (z *Scalar) montgomery(x, y *Scalar) *Scalar {
	var t [6]uint64
	addMul := func(x *Scalar, y uint64) {
		var c, carry uint64
		for j := range x {
			hi, lo := bits.Mul64(x[j], y)
			lo, c = bits.Add64(lo, carry, 0)
			hi += c
			t[j], c = bits.Add64(t[j], lo, 0)
			carry = hi + c
		}
		t[4], c = bits.Add64(t[4], carry, 0)
		t[5] += c
	}
	for i := range y {
		addMul(x, y[i])
		addMul(&order, t[0]*orderInv)
		copy(t[:], t[1:])
		t[5] = 0
	}
	*z = Scalar(t[:4])
	z.settle(t[4])
	return z
}

// digits writes the non-adjacent form of width w of the bits from lo up to hi:
// their value is Σ d_i·2^i, each d_i zero or odd with |d_i| < 2^(w-1), and at
// least w-1 zeros between two which are not zero. d must have room for hi-lo+1
// digits, zeros. It returns the number of digits used.
func (z *Scalar) digits(d []int16, lo, hi, w int) (n int) {
	carry := 0
	for i := lo; i <= hi; {
		if z.bits(i, hi, 1) == carry { // the digit is zero
			i++
			continue
		}
		v := z.bits(i, hi, w) + carry
		carry = v >> (w - 1)
		d[i-lo] = int16(v - carry<<w)
		n = i - lo + 1
		i += w
	}
	return n
}

// bits returns w bits from bit i on; those from bit hi on are taken as zeros.
func (z *Scalar) bits(i, hi, w int) int {
	w = min(w, hi-i)
	if w <= 0 {
		return 0
	}
	v := z[i/64] >> (i % 64)
	if i%64+w > 64 && i/64 < 3 {
		v |= z[i/64+1] << (64 - i%64)
	}
	return int(v & (1<<w - 1))
}
