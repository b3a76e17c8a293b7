//go:build ignore

// This program writes p256_amd64.s: the field in MULX, ADCX and ADOX, and the
// two point operations which a multiplication is made of.
package main

import (
	"bytes"
	"fmt"
	"os"
)

type asm struct{ bytes.Buffer }

func (a *asm) p(f string, args ...any) { fmt.Fprintf(a, "\t"+f+"\n", args...) }

func (a *asm) text(doc, decl string) { fmt.Fprintf(a, "\n// %s\nTEXT %s\n", doc, decl) }

func mem(i int, reg string) string { return fmt.Sprintf("%d(%s)", 8*i, reg) }

var acc = []string{"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

// product is acc = x·y, x at SI, y at DI: rows of four limbs, low halves in one
// carry chain, high halves in the other.
func (a *asm) product() {
	a.p("MOVQ 0(DI), DX")
	a.p("MULXQ 0(SI), R8, R9")
	a.p("MULXQ 8(SI), AX, R10")
	a.p("MULXQ 16(SI), BX, R11")
	a.p("MULXQ 24(SI), CX, R12")
	a.p("ADDQ AX, R9")
	a.p("ADCQ BX, R10")
	a.p("ADCQ CX, R11")
	a.p("ADCQ $0, R12")
	for i := 1; i < 4; i++ {
		a.p("MOVQ %s, DX", mem(i, "DI"))
		a.p("XORL AX, AX") // both carry flags
		for j := range 4 {
			hi := "BX"
			if j == 3 {
				hi = acc[i+4]
			}
			a.p("MULXQ %s, AX, %s", mem(j, "SI"), hi)
			a.p("ADCXQ AX, %s", acc[i+j])
			if j < 3 {
				a.p("ADOXQ BX, %s", acc[i+j+1])
			}
		}
		a.p("MOVQ $0, AX")
		a.p("ADCXQ AX, %s", acc[i+4])
		a.p("ADOXQ AX, %s", acc[i+4])
	}
}

// square is acc = x², x at SI: mixed products once, doubled, and the squares.
func (a *asm) square() {
	a.p("MOVQ 0(SI), DX")
	a.p("MULXQ 8(SI), R9, R10")
	a.p("MULXQ 16(SI), AX, R11")
	a.p("MULXQ 24(SI), BX, R12")
	a.p("ADDQ AX, R10")
	a.p("ADCQ BX, R11")
	a.p("ADCQ $0, R12")
	a.p("MOVQ 8(SI), DX")
	a.p("MULXQ 16(SI), AX, BX")
	a.p("MULXQ 24(SI), CX, R13")
	a.p("ADDQ AX, R11")
	a.p("ADCQ BX, R12")
	a.p("ADCQ $0, R13")
	a.p("ADDQ CX, R12")
	a.p("ADCQ $0, R13")
	a.p("MOVQ 16(SI), DX")
	a.p("MULXQ 24(SI), AX, R14")
	a.p("ADDQ AX, R13")
	a.p("ADCQ $0, R14")
	a.p("XORL R15, R15")
	a.p("ADDQ R9, R9")
	for i := 2; i < 8; i++ {
		a.p("ADCQ %s, %s", acc[i], acc[i])
	}
	a.p("MOVQ 0(SI), DX")
	a.p("MULXQ DX, R8, AX")
	a.p("ADDQ AX, R9")
	for i := 1; i < 4; i++ {
		a.p("MOVQ %s, DX", mem(i, "SI"))
		a.p("MULXQ DX, AX, BX")
		a.p("ADCQ AX, %s", acc[2*i])
		a.p("ADCQ BX, %s", acc[2*i+1])
	}
}

// reduce is R8..R11 = acc/2^256 mod p. BX is p3 afterwards. The four low limbs
// are cleared one after the other: m·p = -m + m·2^96 + m·p3·2^192.
func (a *asm) reduce() {
	a.p("MOVQ $0xffffffff00000001, BX")
	for i := range 4 {
		r := func(j int) string { return acc[(i+j)%4] }
		a.p("MOVQ %s, DX", r(0))
		a.p("MOVQ DX, CX")
		a.p("MULXQ BX, AX, %s", r(0))
		a.p("SHLQ $32, CX")
		a.p("SHRQ $32, DX")
		a.p("ADDQ CX, %s", r(1))
		a.p("ADCQ DX, %s", r(2))
		a.p("ADCQ AX, %s", r(3))
		a.p("ADCQ $0, %s", r(0))
	}
	a.p("XORL AX, AX")
	a.p("ADDQ R12, R8")
	for i := 1; i < 4; i++ {
		a.p("ADCQ %s, %s", acc[4+i], acc[i])
	}
	a.p("ADCQ $0, AX")
	a.subtractP()
}

// subtractP brings AX·2^256 + R8..R11, less than 2p, below p. BX must be p3.
func (a *asm) subtractP() {
	for i := range 4 {
		a.p("MOVQ %s, %s", acc[i], acc[4+i])
	}
	a.p("MOVL $0xffffffff, CX")
	a.p("SUBQ $-1, R12")
	a.p("SBBQ CX, R13")
	a.p("SBBQ $0, R14")
	a.p("SBBQ BX, R15")
	a.p("SBBQ $0, AX")
	for i := range 4 {
		a.p("CMOVQCC %s, %s", acc[4+i], acc[i])
	}
}

// The operations on R8..R11 that follow need p3 in BX, as a product leaves it.

func (a *asm) load(m func(int) string) {
	for i := range 4 {
		a.p("MOVQ %s, %s", m(i), acc[i])
	}
}

func (a *asm) store(m func(int) string) {
	for i := range 4 {
		a.p("MOVQ %s, %s", acc[i], m(i))
	}
}

func (a *asm) add(m func(int) string) {
	a.p("XORL AX, AX")
	op := "ADDQ"
	for i := range 4 {
		a.p("%s %s, %s", op, m(i), acc[i])
		op = "ADCQ"
	}
	a.p("ADCQ $0, AX")
	a.subtractP()
}

func (a *asm) double() { a.add(func(i int) string { return acc[i] }) }

func (a *asm) sub(m func(int) string) {
	op := "SUBQ"
	for i := range 4 {
		a.p("%s %s, %s", op, m(i), acc[i])
		op = "SBBQ"
	}
	a.p("SBBQ AX, AX")
	a.p("MOVL AX, CX")
	a.p("MOVQ AX, DX")
	a.p("ANDQ BX, DX")
	a.p("ADDQ AX, R8")
	a.p("ADCQ CX, R9")
	a.p("ADCQ $0, R10")
	a.p("ADCQ DX, R11")
}

// The operands of a point operation: X, Y, Z of the point at BP, temporaries on
// the stack, the affine point whose address is kept in the frame.

type operand struct {
	reg string
	off int
}

func (o operand) limb(i int) string { return fmt.Sprintf("%d(%s)", o.off+8*i, o.reg) }

var (
	px, py, pz = operand{"BP", 0}, operand{"BP", 32}, operand{"BP", 64}
	ax, ay     = operand{"affine", 0}, operand{"affine", 32}
)

func tmp(n int) operand { return operand{"SP", 32 * n} }

func (a *asm) point(o operand, reg string) {
	if o.reg == "affine" {
		a.p("MOVQ a+8(FP), %s", reg)
		if o.off != 0 {
			a.p("ADDQ $%d, %s", o.off, reg)
		}
		return
	}
	a.p("LEAQ %d(%s), %s", o.off, o.reg, reg)
}

func (a *asm) mul(x, y operand) {
	a.point(x, "SI")
	a.point(y, "DI")
	a.p("CALL mul<>(SB)")
}

func (a *asm) sqr(x operand) {
	a.point(x, "SI")
	a.p("CALL square<>(SB)")
}

// pointDouble is Point.doubleGeneric.
func (a *asm) pointDouble() {
	zz, m, u, yy2, s, y8 := tmp(0), tmp(1), tmp(2), tmp(3), tmp(4), tmp(5)
	a.sqr(pz)
	a.store(zz.limb)
	a.load(px.limb)
	a.sub(zz.limb)
	a.store(m.limb)
	a.load(px.limb)
	a.add(zz.limb)
	a.store(u.limb)
	a.mul(m, u)
	a.store(m.limb)
	a.double()
	a.add(m.limb)
	a.store(m.limb)
	a.mul(py, pz)
	a.double()
	a.store(pz.limb)
	a.sqr(py)
	a.double()
	a.store(yy2.limb)
	a.mul(px, yy2)
	a.double()
	a.store(s.limb)
	a.sqr(yy2)
	a.double()
	a.store(y8.limb)
	a.sqr(m)
	a.sub(s.limb)
	a.sub(s.limb)
	a.store(px.limb)
	a.load(s.limb)
	a.sub(px.limb)
	a.store(s.limb)
	a.mul(m, s)
	a.sub(y8.limb)
	a.store(py.limb)
}

// pointAdd is Point.addGeneric.
func (a *asm) pointAdd() {
	zz, h, n, hh, hhh, v := tmp(0), tmp(1), tmp(2), tmp(3), tmp(4), tmp(5)
	a.sqr(pz)
	a.store(zz.limb)
	a.mul(ax, zz)
	a.sub(px.limb)
	a.store(h.limb)
	a.p("ORQ R9, R8")
	a.p("ORQ R11, R10")
	a.p("ORQ R10, R8")
	a.p("JEQ same")
	a.mul(zz, pz)
	a.store(zz.limb)
	a.mul(ay, zz)
	a.sub(py.limb)
	a.store(n.limb)
	a.mul(pz, h)
	a.store(pz.limb)
	a.sqr(h)
	a.store(hh.limb)
	a.mul(hh, h)
	a.store(hhh.limb)
	a.mul(px, hh)
	a.store(v.limb)
	a.sqr(n)
	a.sub(hhh.limb)
	a.sub(v.limb)
	a.sub(v.limb)
	a.store(px.limb)
	a.load(v.limb)
	a.sub(px.limb)
	a.store(v.limb)
	a.mul(py, hhh)
	a.store(hhh.limb)
	a.mul(n, v)
	a.sub(hhh.limb)
	a.store(py.limb)
}

func main() {
	a := new(asm)
	fmt.Fprint(a, `// Code generated by gen.go. DO NOT EDIT.

//go:build amd64 && !purego

#include "textflag.h"
`)
	a.text("R8..R11 = x·y: x at SI, y at DI. BX is p3 afterwards.", "mul<>(SB), NOSPLIT, $0-0")
	a.product()
	a.reduce()
	a.p("RET")
	a.text("R8..R11 = x²: x at SI. BX is p3 afterwards.", "square<>(SB), NOSPLIT, $0-0")
	a.square()
	a.reduce()
	a.p("RET")

	out := operand{"DI", 0}
	a.text("func mulADX(z, x, y *Element)", "·mulADX(SB), NOSPLIT, $0-24")
	a.p("MOVQ x+8(FP), SI")
	a.p("MOVQ y+16(FP), DI")
	a.p("CALL mul<>(SB)")
	a.p("MOVQ z+0(FP), DI")
	a.store(out.limb)
	a.p("RET")
	a.text("func squareADX(z, x *Element)", "·squareADX(SB), NOSPLIT, $0-16")
	a.p("MOVQ x+8(FP), SI")
	a.p("CALL square<>(SB)")
	a.p("MOVQ z+0(FP), DI")
	a.store(out.limb)
	a.p("RET")

	const frame = 6 * 32
	a.text("func doubleADX(p *Point)", fmt.Sprintf("·doubleADX(SB), NOSPLIT, $%d-8", frame))
	a.p("MOVQ p+0(FP), BP")
	a.pointDouble()
	a.p("RET")
	a.text("func addADX(p *Point, a *Affine) (ok bool)", fmt.Sprintf("·addADX(SB), NOSPLIT, $%d-17", frame))
	a.p("MOVQ p+0(FP), BP")
	a.pointAdd()
	a.p("MOVB $1, ok+16(FP)")
	a.p("RET")
	fmt.Fprintln(a, "same:")
	a.p("MOVB $0, ok+16(FP)")
	a.p("RET")
	if err := os.WriteFile("p256_amd64.s", a.Bytes(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
