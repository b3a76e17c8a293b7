//go:build ignore

// This program writes fp_ifma_amd64.s, the products of the field with
// AVX-512-IFMA on vectors of four digits of 52 bits.
package main

import (
	"bytes"
	"fmt"
	"math/big"
	"os"
)

// A number of up to 1040 bits is five vectors X0..X4 of four digits. A product
// goes through the digits of the other factor by their place c = 0..3 in the
// vectors: that of digit 4a+c with X_k belongs to vector k+a, moved up by c
// digits (the low halves) or c+1 (the high halves). The sums of equal place are
// collected, the highest first, and moved up by one digit before the next are
// added, so that only 3 moves are needed.
const (
	vectors = 5
	digits  = 20
)

// Registers.
func acc(i int) string { return fmt.Sprintf("Y%d", i) }    // sum
func hi(i int) string  { return fmt.Sprintf("Y%d", 10+i) } // of a place, high halves
func fac(i int) string { return fmt.Sprintf("Y%d", 20+i) } // the factor which is not split

const (
	digit1 = "Y25"
	digit2 = "Y26"
	zero   = "Y27"
	mask   = "Y28" // 2^52-1
	bad    = "Y29" // or of all digits: above 52 bits they are not digits
	tmp    = "Y30"
	tmp2   = "Y31"
)

// Scratch memory at BP: the digits of one factor, and a sum of products.
const (
	atDigits = 0
	atSum    = 8 * digits
	frame    = atSum + 32*2*vectors
)

type asm struct{ bytes.Buffer }

func (a *asm) p(f string, args ...any) { fmt.Fprintf(a, "\t"+f+"\n", args...) }

func (a *asm) text(doc, decl string) { fmt.Fprintf(a, "\n// %s\nTEXT %s\n", doc, decl) }

// data writes a constant.
func (a *asm) data(name string, octets []byte) {
	fmt.Fprintln(a)
	for i := 0; i < len(octets); i += 8 {
		v := uint64(0)
		for j := range 8 {
			v |= uint64(octets[i+j]) << (8 * j)
		}
		fmt.Fprintf(a, "DATA %s<>+%d(SB)/8, $0x%016x\n", name, i, v)
	}
	fmt.Fprintf(a, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, len(octets))
}

func quads(v ...uint64) (out []byte) {
	for _, x := range v {
		for j := range 8 {
			out = append(out, byte(x>>(8*j)))
		}
	}
	return out
}

func split(x *big.Int) []byte {
	var d []uint64
	for i := range digits {
		t := new(big.Int).Rsh(x, uint(52*i))
		d = append(d, t.And(t, big.NewInt(1<<52-1)).Uint64())
	}
	return quads(d...)
}

// The digits of x·2^8: digit 4k+j begins at octet 26k-1 + {0, 6, 13, 19}[j], bit
// 0 or 4. Its octets are picked out of the two 32-octet pieces of x which have
// them, index 32 and up being the second.

func pieceOf(k int) int { return max(0, 26*k-1) / 32 }

func (a *asm) constants(p *big.Int) {
	r := new(big.Int).Lsh(big.NewInt(1), 52*digits)
	inv := new(big.Int).ModInverse(p, r)
	a.data("modulus52", split(p))
	a.data("negInv52", split(inv.Sub(r, inv)))
	for k := range vectors {
		var pick []byte
		for _, start := range []int{0, 6, 13, 19} {
			for i := range 8 {
				o := 26*k - 1 + start + i - 32*pieceOf(k)
				pick = append(pick, byte(o)&63) // what lies outside is masked
			}
		}
		a.data(fmt.Sprintf("pick%d", k), pick)
	}
	const m = 1<<52 - 1
	a.data("shift52", quads(0, 4, 0, 4))
	a.data("first52", quads(m&^0xff, m, m, m)) // of the lowest digits
	a.data("last52", quads(m, m, m, 1<<44-1))  // of the highest
	a.data("mask52", quads(m, m, m, m))
	a.data("packRight", quads(0, 12, 0, 12))
	a.data("packLeft", quads(52, 64, 52, 64))
	for i := range 4 {
		var pack []byte
		for b := 32 * i; b < 32*i+32; b++ {
			k, o := b/26, b%26
			pack = append(pack, byte(32*(k-i)+16*(o/13)+o%13))
		}
		a.data(fmt.Sprintf("pack%d", i), pack)
	}
}

// convert leaves the digits of the number at reg, times 2^8, in out.
func (a *asm) convert(reg string, out func(int) string) {
	for k := range vectors {
		first := pieceOf(k)
		second := min(first+1, 3)
		a.p("VMOVDQU64 pick%d<>(SB), %s", k, out(k))
		a.p("VMOVDQU64 %d(%s), %s", 32*first, reg, tmp)
		a.p("VPERMI2B %d(%s), %s, %s", 32*second, reg, tmp, out(k))
		a.p("VPSRLVQ shift52<>(SB), %s, %s", out(k), out(k))
		switch k {
		case 0:
			a.p("VPANDQ first52<>(SB), %s, %s", out(k), out(k))
		case vectors - 1:
			a.p("VPANDQ last52<>(SB), %s, %s", out(k), out(k))
		default:
			a.p("VPANDQ %s, %s, %s", mask, out(k), out(k))
		}
	}
}

// toMemory stores digits for the broadcasts.
func (a *asm) toMemory(v func(int) string) {
	for k := range vectors {
		a.p("VMOVDQU64 %s, %d(BP)", v(k), atDigits+32*k)
	}
}

func (a *asm) digit(n int, reg string) { a.p("VPBROADCASTQ %d(BP), %s", atDigits+8*n, reg) }

// moveUp moves acc[from..to] up by one digit.
func (a *asm) moveUp(from, to int) {
	for j := to; j >= from; j-- {
		low := zero
		if j > from {
			low = acc(j - 1)
		}
		a.p("VALIGNQ $3, %s, %s, %s", low, acc(j), acc(j))
	}
}

// multiply is acc[from..to] = fac · digits in memory, of which the vectors below
// from and above to are left out, together with what they would carry.
// operand names the factor: registers or memory.
func (a *asm) multiply(from, to int, operand func(int) string) {
	for j := from; j <= to; j++ {
		a.p("VPXORQ %s, %s, %s", acc(j), acc(j), acc(j))
	}
	for c := 3; c >= 0; c-- {
		for j := from; j <= to; j++ {
			a.p("VPXORQ %s, %s, %s", hi(j), hi(j), hi(j))
		}
		for i := range vectors {
			up, h := 0, 4*i+c-1
			if c == 0 {
				up, h = 1, 4*i+3 // a place of 4 is one vector up
			}
			a.digit(4*i+c, digit1)
			a.digit(h, digit2)
			for k := range vectors {
				if j := k + i; j >= from && j <= to {
					a.p("VPMADD52LUQ %s, %s, %s", operand(k), digit1, acc(j))
				}
				if j := k + i + up; j >= from && j <= to {
					a.p("VPMADD52HUQ %s, %s, %s", operand(k), digit2, hi(j))
				}
			}
		}
		for j := from; j <= to; j++ {
			a.p("VPADDQ %s, %s, %s", hi(j), acc(j), acc(j))
		}
		if c > 0 {
			a.moveUp(from, to)
		}
	}
}

// square is acc = fac², the digits in memory too: of two vectors both products
// are the same, once is enough, and twice is added.
func (a *asm) square() {
	for j := range 2 * vectors {
		a.p("VPXORQ %s, %s, %s", acc(j), acc(j), acc(j))
	}
	for c := 3; c >= 0; c-- {
		for j := range 2 * vectors {
			a.p("VPXORQ %s, %s, %s", hi(j), hi(j), hi(j))
		}
		for i := range vectors {
			up, h := 0, 4*i+c-1
			if c == 0 {
				up, h = 1, 4*i+3
			}
			a.digit(4*i+c, digit1)
			a.digit(h, digit2)
			for k := range i + 1 {
				to := hi
				if k == i {
					to = acc
				}
				a.p("VPMADD52LUQ %s, %s, %s", fac(k), digit1, to(k+i))
				a.p("VPMADD52HUQ %s, %s, %s", fac(k), digit2, to(k+i+up))
			}
		}
		for j := range 2 * vectors {
			a.p("VPADDQ %s, %s, %s", hi(j), acc(j), acc(j))
			a.p("VPADDQ %s, %s, %s", hi(j), acc(j), acc(j))
		}
		if c > 0 {
			a.moveUp(0, 2*vectors-1)
		}
	}
}

// carry moves what exceeds 52 bits of acc[from..from+4] up by one digit, once.
// A digit may exceed 52 bits afterwards, which is rare; bad remembers it. The
// carry out of the highest goes into next, if that is not "".
func (a *asm) carry(from int, next string) {
	c := hi
	for j := range vectors {
		a.p("VPSRLQ $52, %s, %s", acc(from+j), c(j))
	}
	for j := range vectors {
		a.p("VPANDQ %s, %s, %s", mask, acc(from+j), acc(from+j))
		low := zero
		if j > 0 {
			low = c(j - 1)
		}
		a.p("VALIGNQ $3, %s, %s, %s", low, c(j), c(vectors))
		a.p("VPADDQ %s, %s, %s", c(vectors), acc(from+j), acc(from+j))
		a.p("VPORQ %s, %s, %s", acc(from+j), bad, bad)
	}
	if next != "" {
		a.p("VALIGNQ $3, %s, %s, %s", c(vectors-1), zero, c(vectors))
		a.p("VPADDQ %s, %s, %s", c(vectors), next, next)
	}
}

// reduce takes the sum T in acc, which is 2^16 times a sum of products, to
// T/2^1040 modulo p, five vectors from acc[5] on, by Montgomery's method:
// m = -T/p mod 2^1040, (T + m·p)/2^1040.
//
// The low half of T + m·p is a multiple of 2^1040, so that the two highest digits
// of it tell the carry: with t = digit 19 + (digit 18 >> 52), which is short by
// less than 2 of that multiple of 2^52, it is (t+1) >> 52.
func (a *asm) reduce() {
	a.carry(0, acc(vectors))
	for j := range vectors + 1 { // what m·p is added to
		a.p("VMOVDQU64 %s, %d(BP)", acc(vectors-1+j), atSum+32*j)
	}
	a.toMemory(acc)
	constant := func(name string) func(int) string {
		return func(k int) string { return fmt.Sprintf("%s<>+%d(SB)", name, 32*k) }
	}
	for k := range vectors {
		a.p("VMOVDQU64 %s, %s", constant("negInv52")(k), fac(k))
	}
	a.multiply(0, vectors-1, fac)
	a.carry(0, "")
	a.toMemory(acc)
	for k := range vectors {
		a.p("VMOVDQU64 %s, %s", constant("modulus52")(k), fac(k))
	}
	a.multiply(vectors-2, 2*vectors-1, fac)
	for j := range vectors + 1 {
		a.p("VPADDQ %d(BP), %s, %s", atSum+32*j, acc(vectors-1+j), acc(vectors-1+j))
	}
	low := acc(vectors - 1)
	a.p("VPSRLQ $52, %s, %s", low, tmp)
	a.p("VALIGNQ $3, %s, %s, %s", zero, tmp, tmp)
	a.p("VPADDQ %s, %s, %s", tmp, low, low)
	a.p("VPTERNLOGQ $0xff, %s, %s, %s", tmp, tmp, tmp)
	a.p("VPSUBQ %s, %s, %s", tmp, low, low) // + 1
	a.p("VPSRLQ $52, %s, %s", low, low)
	a.p("VALIGNQ $3, %s, %s, %s", low, zero, low)
	a.p("VPADDQ %s, %s, %s", low, acc(vectors), acc(vectors))
	a.carry(vectors, "")
}

// finish stores acc[5..9] as 16 limbs at DI and leaves the limb above in AX, or
// 2^64-1, with nothing stored, if a carry went further than thought.
func (a *asm) finish() {
	a.p("VPSRLQ $52, %s, %s", bad, bad)
	a.p("VPTESTMQ %s, %s, K1", bad, bad)
	a.p("KMOVW K1, AX")
	a.p("TESTL AX, AX")
	a.p("JNE failed")
	for k := range vectors {
		u := acc(vectors + k)
		a.p("VPSHUFD $0x4e, %s, %s", u, tmp)
		a.p("VPSLLVQ packLeft<>(SB), %s, %s", tmp, tmp)
		a.p("VPSRLVQ packRight<>(SB), %s, %s", u, u)
		a.p("VPORQ %s, %s, %s", tmp, u, u)
	}
	for i := range 4 {
		a.p("VMOVDQU64 pack%d<>(SB), %s", i, acc(i))
		a.p("VPERMI2B %s, %s, %s", acc(vectors+i+1), acc(vectors+i), acc(i))
		a.p("VMOVDQU64 %s, %d(DI)", acc(i), 32*i)
	}
	a.p("VEXTRACTI64X2 $1, %s, X0", acc(2*vectors-1))
	a.p("VPEXTRQ $1, X0, AX")
	a.p("SHRQ $24, AX")
	a.p("VZEROUPPER")
	a.p("RET")
	fmt.Fprintln(a, "failed:")
	a.p("MOVQ $-1, AX")
	a.p("VZEROUPPER")
}

func (a *asm) begin() {
	a.p("LEAQ 0(SP), BP")
	a.p("VPXORQ %s, %s, %s", zero, zero, zero)
	a.p("VPXORQ %s, %s, %s", bad, bad, bad)
	a.p("VMOVDQU64 mask52<>(SB), %s", mask)
}

func (a *asm) call(name, arg, reg string) {
	if arg != "" {
		a.p("MOVQ %s, %s", arg, reg)
	}
	a.p("CALL %s<>(SB)", name)
}

func (a *asm) end(z, ret string) {
	a.p("MOVQ %s, DI", z)
	a.p("CALL reduceIFMA<>(SB)")
	a.p("MOVQ AX, %s", ret)
	a.p("RET")
}

func main() {
	p, _ := new(big.Int).SetString("997abb1f0a563fda65c61198dad0657a416c0ce19cb48261be9ae358b3e01a2ef40aab27e2fc0f1b228730d531a59cb0e791b39ff7c88a19356d27f4a666a6d0e26c6487326b4cd4512ac5cd65681ce1b6aff4a831852a82a7cf3c521c3c09aa9f94d6af56971f1ffce3e82389857db080c5df10ac7ace87666d807afea85feb", 16)
	a := new(asm)
	fmt.Fprint(a, `// Code generated by gen_ifma.go. DO NOT EDIT.

//go:build amd64 && !purego

#include "textflag.h"
`)
	a.constants(p)

	a.text("acc = x·y·2^16: x at SI, y at DI.", "productIFMA<>(SB), NOSPLIT, $0-0")
	a.convert("DI", hi)
	a.toMemory(hi)
	a.convert("SI", fac)
	a.multiply(0, 2*vectors-1, fac)
	a.p("RET")
	a.text("z = acc/2^1040 mod p: z at DI, the limb above in AX.", "reduceIFMA<>(SB), NOSPLIT, $0-0")
	a.reduce()
	a.finish()
	a.p("RET")

	a.text("func mulIFMA(z, x, y *[16]uint64) (top uint64)", fmt.Sprintf("·mulIFMA(SB), NOSPLIT, $%d-32", frame))
	a.begin()
	a.p("MOVQ x+8(FP), SI")
	a.p("MOVQ y+16(FP), DI")
	a.p("CALL productIFMA<>(SB)")
	a.end("z+0(FP)", "top+24(FP)")

	a.text("func squareIFMA(z, x *[16]uint64) (top uint64)", fmt.Sprintf("·squareIFMA(SB), NOSPLIT, $%d-24", frame))
	a.begin()
	a.p("MOVQ x+8(FP), SI")
	a.convert("SI", fac)
	a.toMemory(fac)
	a.square()
	a.end("z+0(FP)", "top+16(FP)")

	sum := func(load, store bool) {
		for j := range 2 * vectors {
			if load {
				a.p("VPADDQ %d(BP), %s, %s", atSum+32*j, acc(j), acc(j))
			}
			if store {
				a.p("VMOVDQU64 %s, %d(BP)", acc(j), atSum+32*j)
			}
		}
	}
	a.text("func dot2IFMA(z, a, b, c, d *[16]uint64) (top uint64)", fmt.Sprintf("·dot2IFMA(SB), NOSPLIT, $%d-48", frame))
	a.begin()
	a.p("MOVQ a+8(FP), SI")
	a.p("MOVQ b+16(FP), DI")
	a.p("CALL productIFMA<>(SB)")
	sum(false, true)
	a.p("MOVQ c+24(FP), SI")
	a.p("MOVQ d+32(FP), DI")
	a.p("CALL productIFMA<>(SB)")
	sum(true, false)
	a.end("z+0(FP)", "top+40(FP)")

	a.text("func dotIFMA(z, x, y *[16]uint64, n int) (top uint64)\n//\n// x and y are arrays of n ≥ 1 elements.", fmt.Sprintf("·dotIFMA(SB), NOSPLIT, $%d-40", frame))
	a.begin()
	a.p("MOVQ x+8(FP), SI")
	a.p("MOVQ y+16(FP), DI")
	a.p("MOVQ n+24(FP), CX")
	a.p("CALL productIFMA<>(SB)")
	fmt.Fprintln(a, "next:")
	a.p("DECQ CX")
	a.p("JEQ done")
	sum(false, true)
	a.p("ADDQ $128, SI")
	a.p("ADDQ $128, DI")
	a.p("CALL productIFMA<>(SB)")
	sum(true, false)
	a.p("JMP next")
	fmt.Fprintln(a, "done:")
	a.end("z+0(FP)", "top+32(FP)")

	if err := os.WriteFile("fp_ifma_amd64.s", a.Bytes(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
