//go:build amd64 && !purego

package fp

import "golang.org/x/sys/cpu"

// haveIFMA says whether the processor multiplies digits of 52 bits in vectors
// (AVX-512 IFMA) and moves single octets about in them (VBMI).
var haveIFMA = haveADX && cpu.X86.HasAVX512IFMA && cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ

// These leave the result in z, less than (n+1)·2^1024, its limb above the
// sixteen in top. In rare cases they do nothing and top is tooFar.

//go:noescape
func mulIFMA(z, x, y *[16]uint64) (top uint64)

//go:noescape
func squareIFMA(z, x *[16]uint64) (top uint64)

//go:noescape
func dot2IFMA(z, a, b, c, d *[16]uint64) (top uint64)

//go:noescape
func dotIFMA(z, x, y *[16]uint64, n int) (top uint64)

// tooFar says that a carry went further than the vectors take it.
const tooFar = ^uint64(0)

// below brings top·2^1024 + z below p.
func below(z *[16]uint64, top uint64) {
	for top != 0 || z[15] >= modulus[15] {
		var s [16]uint64
		b := subLimbs(&s, z, &modulus)
		if b > top {
			return
		}
		top -= b
		*z = s
	}
}
