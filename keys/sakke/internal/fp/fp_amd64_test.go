//go:build amd64 && !purego

package fp

import (
	"math/big"
	"math/bits"
	"math/rand/v2"
	"testing"
)

func init() {
	if haveIFMA { // not selected then
		assembled = append(assembled, kernel{"ADX", mulADX, squareADX, dot2ADX, func(z *[16]uint64, x, y []Element) {
			if len(x) == 0 {
				dotGeneric(z, x, y)
				return
			}
			dotADX(z, &x[0].l, &y[0].l, len(x))
		}})
	}
}

// TestOlderProcessors runs what a processor without the extensions runs.
func TestOlderProcessors(t *testing.T) {
	ifma, adx := haveIFMA, haveADX
	defer func() { haveIFMA, haveADX = ifma, adx }()
	r := rand.New(rand.NewPCG(13, 14))
	for _, step := range []func(){func() { haveIFMA = false }, func() { haveADX = false }} {
		step()
		for range 50 {
			checkOps(t, kernel{"selected", mul, square, dot2, dot}, random(r), random(r), random(r), random(r))
		}
	}
}

// TestLongCarry: digits of 52 bits such that one of the product is all ones when
// a carry comes in. The vectors do not take it further and have to say so.
func TestLongCarry(t *testing.T) {
	if !haveIFMA {
		t.Skip("no AVX-512 IFMA")
	}
	// Times 3·2^8, with the low half of one digit all ones but for 8 bits, in
	// which the high half of the digit below it can be added: X = -1/3 mod 2^44,
	// and the bits above chosen for that high half.
	third := new(big.Int).ModInverse(big.NewInt(-3), new(big.Int).Lsh(big.NewInt(1), 44)).Uint64()
	high := func(want uint64) uint64 {
		for top := range uint64(256) {
			d := top<<44 | third
			if hi, lo := bits.Mul64(d, 3<<8); hi<<12|lo>>52 == want && lo&(1<<52-1) == 1<<52-256 {
				return d
			}
		}
		t.Fatal("no such digit")
		return 0
	}
	x := new(big.Int)
	put := func(n uint, d uint64) { x.Or(x, new(big.Int).Lsh(new(big.Int).SetUint64(d), 52*n)) }
	put(4, high(300)) // what comes in from here makes a carry of the next
	put(5, high(255)) // which is 2^52-256+300, and the one after 2^52-1
	put(6, third)
	x.Rsh(x, 8) // conversion takes numbers times 2^8
	var a, b Element
	for i := range a.l {
		a.l[i] = new(big.Int).Rsh(x, uint(64*i)).Uint64()
	}
	b.l[0] = 3
	z := Element{[16]uint64{7, 7, 7}}
	was := z
	if top := mulIFMA(&z.l, &a.l, &b.l); top != tooFar || z != was {
		t.Fatalf("mulIFMA returns %x and %x", top, z.l)
	}
	if top := dot2IFMA(&z.l, &a.l, &b.l, &a.l, new([16]uint64)); top != tooFar || z != was {
		t.Fatalf("dot2IFMA returns %x", top)
	}
	if top := dotIFMA(&z.l, &a.l, &b.l, 1); top != tooFar || z != was {
		t.Fatalf("dotIFMA returns %x", top)
	}
	for _, k := range kernels() {
		checkOps(t, k, a.Big(), b.Big(), a.Big(), new(big.Int))
		checkOps(t, k, b.Big(), a.Big(), b.Big(), a.Big())
	}
}
