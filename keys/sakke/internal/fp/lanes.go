package fp

import "math/bits"

// Eight elements side by side, for processors with AVX-512 IFMA (HaveLanes).

// LaneCount is the number of elements in Lanes.
const LaneCount = 8

// Digits is an integer x·2^1040 mod p in digits of 52 bits, the lowest first.
type Digits [20]uint64

// Lanes holds eight integers x·2^1040 modulo p, digit by digit. They may exceed
// p: products are below 8p as long as no sum of products of their factors
// exceeds 2^18·p², and a number may be as large as 2^16·p. The digits are always
// below 2^52, except for what that leaves to the highest.
//
// Receivers may be arguments. Where HaveLanes is false all methods but Set panic.
type Lanes [20][LaneCount]uint64

// twoTo16 is 2^16, which makes x·2^1024 into x·2^1040.
var twoTo16 = *new(Element).SetUint64(1 << 16)

// Digits returns x for Lanes.
func (x *Element) Digits() (d Digits) {
	var t Element
	t.Mul(x, &twoTo16)
	return split(&t.l)
}

// split cuts an integer into digits.
func split(t *[16]uint64) (d Digits) {
	for i := range d {
		at := 52 * i
		v := t[at/64] >> (at % 64)
		if at%64 > 12 && at/64 < 15 {
			v |= t[at/64+1] << (64 - at%64)
		}
		d[i] = v & (1<<52 - 1)
	}
	return d
}

// Set puts d into one lane.
func (z *Lanes) Set(lane int, d *Digits) {
	for i := range d {
		z[i][lane] = d[i]
	}
}

// SetAll puts d into all lanes.
func (z *Lanes) SetAll(d *Digits) {
	for i := range d {
		for lane := range z[i] {
			z[i][lane] = d[i]
		}
	}
}

// back is 2^1024, by which a product is x·2^1024 again.
var back = func() (z Lanes) {
	var t Element
	t.l = [16]uint64{1}
	t.Mul(&t, &rr) // 2^1024 as an integer
	d := split(&t.l)
	z.SetAll(&d)
	return z
}()

// Elements returns the eight numbers.
func (x *Lanes) Elements() (out [LaneCount]Element) {
	var t Lanes
	t.Mul(x, &back)
	for lane := range out {
		var l [17]uint64
		for i := range t {
			at := 52 * i
			hi, lo := bits.Mul64(t[i][lane], 1<<(at%64))
			l[at/64] |= lo
			if at/64+1 < len(l) {
				l[at/64+1] |= hi
			}
		}
		z := &out[lane]
		copy(z.l[:], l[:16])
		settle(&z.l, &[18]uint64{
			l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7], l[8],
			l[9], l[10], l[11], l[12], l[13], l[14], l[15], l[16]})
	}
	return out
}

// Mul sets z = x·y.
func (z *Lanes) Mul(x, y *Lanes) *Lanes {
	dotLanes(z, &x, &y, 1)
	return z
}

// Square sets z = x².
func (z *Lanes) Square(x *Lanes) *Lanes { return z.Mul(x, x) }

// Dot2 sets z = a·b + c·d.
func (z *Lanes) Dot2(a, b, c, d *Lanes) *Lanes {
	x, y := [2]*Lanes{a, c}, [2]*Lanes{b, d}
	dotLanes(z, &x[0], &y[0], 2)
	return z
}

// InnerProduct sets z = x[0]·y[0] + …, the y being the same in all lanes. There
// must be as many of each, and one at least.
func (z *Lanes) InnerProduct(x []Lanes, y []Digits) *Lanes {
	if len(x) != len(y) || len(x) == 0 || len(x) > MaxDot {
		panic("fp: bad length of an inner product")
	}
	dotDigits(z, &x[0], &y[0], len(x))
	return z
}

// Add sets z = x + y, without a reduction.
func (z *Lanes) Add(x, y *Lanes) *Lanes {
	addLanes(z, x, y)
	return z
}

// Sub sets z = x - y + 32p, for y of at most 32p.
func (z *Lanes) Sub(x, y *Lanes) *Lanes {
	subLanes(z, x, y)
	return z
}

// SubMore sets z = x - y + 1024p, for y of at most 1024p.
func (z *Lanes) SubMore(x, y *Lanes) *Lanes {
	subMoreLanes(z, x, y)
	return z
}
