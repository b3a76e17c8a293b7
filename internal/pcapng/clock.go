package pcapng

import (
	"math"
	"math/bits"
)

// A clock turns the ticks of one interface into Unix nanoseconds, as described in pcapng 4.2 (if_tsresol,
// if_tsoffset). Results outside int64 saturate; no resolution divides by zero or shifts out of range.
type clock struct {
	mul    uint64 // fast path: nanoseconds a tick; 0 means slow path
	limit  uint64 // largest tick value the fast path may take
	resol  uint8
	offset int64 // seconds
}

var pow10 = [20]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

func newClock(resol uint8, offset int64) clock {
	c := clock{resol: resol, offset: offset}
	if resol <= 9 && offset == 0 {
		c.mul = pow10[9-resol]
		c.limit = math.MaxInt64 / c.mul
	}
	return c
}

func (c *clock) nanos(ticks uint64) int64 {
	if c.mul != 0 && ticks <= c.limit {
		return int64(ticks * c.mul)
	}
	return c.slow(ticks)
}

// slow works in 128 bits: ticks * 10^9 < 2^94 and |offset| * 10^9 < 2^93, so no step overflows.
func (c *clock) slow(ticks uint64) int64 {
	var hi, lo uint64
	n := uint(c.resol & 0x7f)
	switch {
	case c.resol&0x80 != 0: // 2^-n
		hi, lo = bits.Mul64(ticks, 1e9)
		if n >= 64 {
			hi, lo = 0, hi>>(n-64)
		} else {
			hi, lo = hi>>n, lo>>n|hi<<(64-n)
		}
	case n <= 9:
		hi, lo = bits.Mul64(ticks, pow10[9-n])
	case n-9 < uint(len(pow10)):
		lo = ticks / pow10[n-9]
	}
	neg := c.offset < 0
	off := uint64(c.offset)
	if neg {
		off = -off
	}
	ohi, olo := bits.Mul64(off, 1e9)
	var carry uint64
	if neg {
		lo, carry = bits.Sub64(lo, olo, 0)
		hi, _ = bits.Sub64(hi, ohi, carry)
	} else {
		lo, carry = bits.Add64(lo, olo, 0)
		hi, _ = bits.Add64(hi, ohi, carry)
	}
	switch {
	case hi == 0 && lo <= math.MaxInt64, hi == math.MaxUint64 && lo > math.MaxInt64:
		return int64(lo)
	case int64(hi) < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}
