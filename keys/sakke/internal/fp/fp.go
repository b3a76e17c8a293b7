// Package fp is the prime field F_p of SAKKE parameter set 1 (RFC 6509
// appendix A), with p of 1024 bits and p = 3 mod 4.
//
// An Element is held in Montgomery form x·R mod p, R = 2^1024, sixteen limbs,
// always less than p. Receivers are destinations and are returned; arguments
// and receiver may be the same Element or overlap in full. All arithmetic is
// variable time: it serves an analyser working offline.
//
// On amd64 the products are assembly, with MULX, ADCX and ADOX (gen.go) or, twice
// as fast, with AVX-512 IFMA (gen_ifma.go), whichever the processor has. Elsewhere
// and with the build tag purego they are Go. The tests hold each of the three to
// math/big.
package fp

//go:generate go run gen.go
//go:generate go run gen_ifma.go
//go:generate go run gen_lanes.go

import (
	"encoding/binary"
	"errors"
	"math/big"
	"math/bits"
)

// Size is the length of an encoded element in octets.
const Size = 128

// An Element is an integer modulo p. The zero value is zero and valid.
type Element struct {
	l [16]uint64 // little-endian limbs of x·R mod p
}

// modulus is p.
var modulus = [16]uint64{
	0x666d807afea85feb, 0x80c5df10ac7ace87, 0xfce3e82389857db0, 0x9f94d6af56971f1f,
	0xa7cf3c521c3c09aa, 0xb6aff4a831852a82, 0x512ac5cd65681ce1, 0xe26c6487326b4cd4,
	0x356d27f4a666a6d0, 0xe791b39ff7c88a19, 0x228730d531a59cb0, 0xf40aab27e2fc0f1b,
	0xbe9ae358b3e01a2e, 0x416c0ce19cb48261, 0x65c61198dad0657a, 0x997abb1f0a563fda,
}

// negInv is -p^-1 mod 2^64.
const negInv = 0x290420077c8f2f3d

// one is R mod p, rr is R^2 mod p.
var (
	one = Element{[16]uint64{
		0x99927f850157a015, 0x7f3a20ef53853178, 0x031c17dc767a824f, 0x606b2950a968e0e0,
		0x5830c3ade3c3f655, 0x49500b57ce7ad57d, 0xaed53a329a97e31e, 0x1d939b78cd94b32b,
		0xca92d80b5999592f, 0x186e4c60083775e6, 0xdd78cf2ace5a634f, 0x0bf554d81d03f0e4,
		0x41651ca74c1fe5d1, 0xbe93f31e634b7d9e, 0x9a39ee67252f9a85, 0x668544e0f5a9c025,
	}}
	rr = Element{[16]uint64{
		0xe199c8ceed17b0a1, 0x7ffd8b4be3620f7f, 0xca865d5f4f76e245, 0x623ff8dc27ecf5cb,
		0x229900e1d19bb697, 0xed6aef26ea40c71f, 0xa3aed42cc906365c, 0x17d461b69eab6451,
		0x2009367d7d666da9, 0x8bcad1dcb63c1d56, 0x5a126231c31a92dc, 0x5fb41b0eb8d94c5b,
		0xc113d394843f623c, 0x5d8d8e74f159f1eb, 0xae4ba7edb5d48c14, 0x191640b9698af16a,
	}}
)

var modulusBig = func() *big.Int {
	b := make([]byte, 0, Size)
	for i := 15; i >= 0; i-- {
		b = binary.BigEndian.AppendUint64(b, modulus[i])
	}
	return new(big.Int).SetBytes(b)
}()

// Modulus returns a copy of p.
func Modulus() *big.Int { return new(big.Int).Set(modulusBig) }

// ErrRange says that an encoding is not below p.
var ErrRange = errors.New("field element not less than p")

// ErrLength says that an encoding is not of Size octets.
var ErrLength = errors.New("field element not of 128 octets")

// Zero sets z = 0.
func (z *Element) Zero() *Element { *z = Element{}; return z }

// One sets z = 1.
func (z *Element) One() *Element { *z = one; return z }

// Set sets z = x.
func (z *Element) Set(x *Element) *Element { *z = *x; return z }

// SetUint64 sets z = x.
func (z *Element) SetUint64(x uint64) *Element {
	*z = Element{[16]uint64{x}}
	return z.Mul(z, &rr)
}

// SetCanonicalBytes sets z to the big-endian integer b of exactly Size octets.
// An integer of p or more is refused (a coordinate x+p can still fit into the
// 128 octets). On error z is unchanged.
func (z *Element) SetCanonicalBytes(b []byte) (*Element, error) {
	if len(b) != Size {
		return nil, ErrLength
	}
	var t Element
	for i := range t.l {
		t.l[i] = binary.BigEndian.Uint64(b[Size-8-8*i:])
	}
	var c uint64
	for i := range t.l {
		_, c = bits.Sub64(t.l[i], modulus[i], c)
	}
	if c == 0 {
		return nil, ErrRange
	}
	return z.Mul(&t, &rr), nil
}

// SetBig sets z = x mod p, for any sign and size of x.
func (z *Element) SetBig(x *big.Int) *Element {
	var b [Size]byte
	new(big.Int).Mod(x, modulusBig).FillBytes(b[:])
	z.SetCanonicalBytes(b[:]) // cannot fail: reduced just above
	return z
}

// Big returns z as an integer below p.
func (z *Element) Big() *big.Int {
	b := z.Bytes()
	return new(big.Int).SetBytes(b[:])
}

// Bytes returns the big-endian encoding of z, leading zeros kept.
func (z *Element) Bytes() [Size]byte {
	var t, plain Element
	plain.l[0] = 1 // z·R·1/R
	t.Mul(z, &plain)
	var b [Size]byte
	for i := range t.l {
		binary.BigEndian.PutUint64(b[Size-8-8*i:], t.l[i])
	}
	return b
}

// IsZero reports whether z = 0.
func (z *Element) IsZero() bool { return *z == Element{} }

// IsOne reports whether z = 1.
func (z *Element) IsOne() bool { return *z == one }

// Equal reports whether z = x. The representation is unique.
func (z *Element) Equal(x *Element) bool { return *z == *x }

// Add sets z = x + y.
func (z *Element) Add(x, y *Element) *Element {
	add(&z.l, &x.l, &y.l)
	return z
}

// Double sets z = 2x.
func (z *Element) Double(x *Element) *Element {
	add(&z.l, &x.l, &x.l)
	return z
}

// Sub sets z = x - y.
func (z *Element) Sub(x, y *Element) *Element {
	sub(&z.l, &x.l, &y.l)
	return z
}

// Neg sets z = -x.
func (z *Element) Neg(x *Element) *Element {
	return z.Sub(&Element{}, x)
}

// Mul sets z = x·y.
func (z *Element) Mul(x, y *Element) *Element {
	mul(&z.l, &x.l, &y.l)
	return z
}

// Square sets z = x².
func (z *Element) Square(x *Element) *Element {
	square(&z.l, &x.l)
	return z
}

// Dot2 sets z = a·b + c·d with one reduction for the two products.
func (z *Element) Dot2(a, b, c, d *Element) *Element {
	dot2(&z.l, &a.l, &b.l, &c.l, &d.l)
	return z
}

// MaxDot is the greatest number of products InnerProduct adds.
const MaxDot = 64

// InnerProduct sets z = x[0]·y[0] + … + x[n-1]·y[n-1] with one reduction for
// all products. It panics when the lengths differ or exceed MaxDot.
func (z *Element) InnerProduct(x, y []Element) *Element {
	if len(x) != len(y) || len(x) > MaxDot {
		panic("fp: bad length of an inner product")
	}
	dot(&z.l, x, y)
	return z
}

// VarTimeInvert sets z = 1/x by Lehmer's algorithm in math/big, and z = 0 when
// x = 0. It reports whether x had an inverse.
func (z *Element) VarTimeInvert(x *Element) bool {
	if x.IsZero() {
		z.Zero()
		return false
	}
	z.SetBig(new(big.Int).ModInverse(x.Big(), modulusBig))
	return true
}

// sqrtExponent is (p+1)/4.
var sqrtExponent = func() *big.Int {
	e := new(big.Int).Add(modulusBig, big.NewInt(1))
	return e.Rsh(e, 2)
}()

// VarTimeSqrt sets z = x^((p+1)/4) and reports whether z² = x. If x has no square
// root then z² = -x, because p = 3 mod 4. z may be x.
func (z *Element) VarTimeSqrt(x *Element) bool {
	const window = 5
	var odd [1 << (window - 1)]Element // x, x³, x⁵, …
	var xx Element
	odd[0] = *x
	xx.Square(x)
	for i := 1; i < len(odd); i++ {
		odd[i].Mul(&odd[i-1], &xx)
	}
	r := one
	for i := sqrtExponent.BitLen() - 1; i >= 0; {
		if sqrtExponent.Bit(i) == 0 {
			r.Square(&r)
			i--
			continue
		}
		// the longest run of at most window bits which ends in a one
		j := max(i-window+1, 0)
		for sqrtExponent.Bit(j) == 0 {
			j++
		}
		d := 0
		for k := i; k >= j; k-- {
			d = d<<1 | int(sqrtExponent.Bit(k))
			r.Square(&r)
		}
		r.Mul(&r, &odd[d>>1])
		i = j - 1
	}
	xx.Square(&r)
	ok := xx.Equal(x)
	*z = r
	return ok
}

// VarTimeIsSquare reports whether x has a square root. Zero has one.
func (z *Element) VarTimeIsSquare() bool { return big.Jacobi(z.Big(), modulusBig) >= 0 }

// VarTimeInvertAll replaces each element of x by its inverse, with one
// inversion and three products an element (Montgomery's trick). When one of
// them is zero it returns false and leaves x as it was.
func VarTimeInvertAll(x []Element) bool {
	if len(x) == 0 {
		return true
	}
	// run[i] = x[0]·…·x[i]
	run := make([]Element, len(x))
	run[0] = x[0]
	for i := 1; i < len(x); i++ {
		run[i].Mul(&run[i-1], &x[i])
	}
	var inv, t Element
	if !inv.VarTimeInvert(&run[len(x)-1]) {
		return false
	}
	for i := len(x) - 1; i > 0; i-- { // inv = 1/(x[0]·…·x[i])
		t.Mul(&inv, &run[i-1])
		inv.Mul(&inv, &x[i])
		x[i] = t
	}
	x[0] = inv
	return true
}

// add is z = x + y mod p. The sum has up to 1025 bits; its highest limb nearly
// always tells whether it is below p.
func add(z, x, y *[16]uint64) {
	c := addLimbs(z, x, y)
	if c == 0 && z[15] < modulus[15] {
		return
	}
	if c == 0 && z[15] == modulus[15] {
		var t [16]uint64
		if subLimbs(&t, z, &modulus) == 0 {
			*z = t
		}
		return
	}
	subLimbs(z, z, &modulus)
}

// sub is z = x - y mod p.
func sub(z, x, y *[16]uint64) {
	if subLimbs(z, x, y) != 0 {
		addLimbs(z, z, &modulus)
	}
}
