package fp

import (
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// edges are the integers at which a carry or a subtraction may go astray.
func edges() []*big.Int {
	p := Modulus()
	var out []*big.Int
	add := func(x *big.Int) { out = append(out, new(big.Int).Mod(x, p)) }
	for _, d := range []int64{-2, -1, 0, 1, 2, 3} {
		add(big.NewInt(d))
	}
	for _, k := range []uint{63, 64, 65, 511, 512, 513, 1022, 1023} {
		x := new(big.Int).Lsh(big.NewInt(1), k)
		add(x)
		add(x.Sub(x, big.NewInt(1)))
	}
	half := new(big.Int).Rsh(p, 1)
	add(half)
	add(half.Add(half, big.NewInt(1)))
	// Montgomery forms 1, p-1 and 2^1023-1: limbs of ones in memory
	rInv := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 1024), p)
	for _, m := range []*big.Int{big.NewInt(1), new(big.Int).Sub(p, big.NewInt(1)),
		new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 1023), big.NewInt(1)),
		new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 512), big.NewInt(1))} {
		add(new(big.Int).Mul(m, rInv))
	}
	return out
}

func random(r *rand.Rand) *big.Int {
	var b [Size]byte
	for i := 0; i < Size; i += 8 {
		w := r.Uint64()
		switch r.IntN(8) { // runs of ones and zeros are where carries run far
		case 0:
			w = 0
		case 1:
			w = ^uint64(0)
		}
		binary.BigEndian.PutUint64(b[i:], w)
	}
	return new(big.Int).Mod(new(big.Int).SetBytes(b[:]), modulusBig)
}

func elem(x *big.Int) *Element { return new(Element).SetBig(x) }

// kernels are the implementations present in this build.
type kernel struct {
	name   string
	mul    func(z, x, y *[16]uint64)
	square func(z, x *[16]uint64)
	dot2   func(z, a, b, c, d *[16]uint64)
	dot    func(z *[16]uint64, x, y []Element)
}

func kernels() []kernel {
	return append([]kernel{
		{"generic", mulGeneric, func(z, x *[16]uint64) { mulGeneric(z, x, x) }, dot2Generic, dotGeneric},
		{"selected", mul, square, dot2, dot},
	}, assembled...)
}

// assembled are those which the processor has beside the one selected.
var assembled []kernel

func TestModulus(t *testing.T) {
	p := Modulus()
	if !p.ProbablyPrime(8) || p.BitLen() != 1024 || p.Bit(0) != 1 || p.Bit(1) != 1 {
		t.Fatal("p is not a 1024-bit prime of 3 mod 4")
	}
	if lo, ni := modulus[0], uint64(negInv); lo*ni != ^uint64(0) {
		t.Fatal("negInv is not -1/p mod 2^64")
	}
	if elem(big.NewInt(1)).l != one.l {
		t.Fatal("one")
	}
	if new(Element).One().Big().Cmp(big.NewInt(1)) != 0 {
		t.Fatal("one does not read back")
	}
}

// checkOps compares every operation on (a, b, c, d) with math/big.
func checkOps(t *testing.T, k kernel, a, b, c, d *big.Int) {
	t.Helper()
	p := modulusBig
	ea, eb, ec, ed := elem(a), elem(b), elem(c), elem(d)
	check := func(op string, got *Element, want *big.Int) {
		t.Helper()
		if subLimbs(new([16]uint64), &got.l, &modulus) != 1 {
			t.Fatalf("%s %s: not reduced for %x, %x, %x, %x", k.name, op, a, b, c, d)
		}
		if w := new(big.Int).Mod(want, p); got.Big().Cmp(w) != 0 {
			t.Fatalf("%s %s: got %x, want %x for %x, %x, %x, %x", k.name, op, got.Big(), w, a, b, c, d)
		}
	}
	n := func() *big.Int { return new(big.Int) }
	var z Element
	k.mul(&z.l, &ea.l, &eb.l)
	check("mul", &z, n().Mul(a, b))
	k.square(&z.l, &ea.l)
	check("square", &z, n().Mul(a, a))
	k.dot2(&z.l, &ea.l, &eb.l, &ec.l, &ed.l)
	sum := n().Add(n().Mul(a, b), n().Mul(c, d))
	check("dot2", &z, sum)
	k.dot(&z.l, []Element{*ea, *ec, *eb}, []Element{*eb, *ed, *ec})
	sum.Add(sum, n().Mul(b, c))
	check("dot", &z, sum)
	k.dot(&z.l, nil, nil)
	check("empty dot", &z, n())
	check("add", z.Add(ea, eb), n().Add(a, b))
	check("sub", z.Sub(ea, eb), n().Sub(a, b))
	check("neg", z.Neg(ea), n().Neg(a))
	check("double", z.Double(ea), n().Lsh(a, 1))

	// aliasing: the receiver may be any argument
	z = *ea
	k.mul(&z.l, &z.l, &eb.l)
	check("mul aliased left", &z, n().Mul(a, b))
	z = *eb
	k.mul(&z.l, &ea.l, &z.l)
	check("mul aliased right", &z, n().Mul(a, b))
	z = *ea
	k.square(&z.l, &z.l)
	check("square aliased", &z, n().Mul(a, a))
	z = *ea
	k.dot2(&z.l, &z.l, &z.l, &z.l, &z.l)
	check("dot2 aliased", &z, n().Lsh(n().Mul(a, a), 1))
	z = *ea
	check("add aliased", z.Add(&z, &z), n().Lsh(a, 1))
	z = *ea
	check("sub aliased", z.Sub(eb, &z), n().Sub(b, a))
	z = *ea
	check("neg aliased", z.Neg(&z), n().Neg(a))
	xs := []Element{*ea, *eb, *ec}
	k.dot(&xs[1].l, xs, xs)
	sum = n().Add(n().Add(n().Mul(a, a), n().Mul(b, b)), n().Mul(c, c))
	check("dot aliased", &xs[1], sum)
}

func TestOperations(t *testing.T) {
	for _, k := range kernels() {
		t.Run(k.name, func(t *testing.T) {
			e := edges()
			for i, a := range e {
				for j, b := range e {
					checkOps(t, k, a, b, e[(i+j)%len(e)], e[(i+7*j+3)%len(e)])
				}
			}
			r := rand.New(rand.NewPCG(1, 2))
			for range 2000 {
				checkOps(t, k, random(r), random(r), random(r), random(r))
			}
		})
	}
}

// TestAddEdge adds pairs whose sum, in memory, has the highest limb of p, just
// below p, p itself, and just above.
func TestAddEdge(t *testing.T) {
	rInv := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 1024), modulusBig)
	r := rand.New(rand.NewPCG(11, 12))
	for _, d := range []int64{-3, -2, -1, 0, 1, 2, 3} {
		for range 50 {
			m := random(r) // limbs of x; those of y are p + d - m
			n := new(big.Int).Sub(modulusBig, m)
			n.Add(n, big.NewInt(d))
			if n.Sign() < 0 || n.Cmp(modulusBig) >= 0 {
				continue
			}
			x, y := new(big.Int).Mul(m, rInv), new(big.Int).Mul(n, rInv)
			want := new(big.Int).Mul(big.NewInt(d), rInv)
			var z Element
			z.Add(elem(x), elem(y))
			if z.Big().Cmp(want.Mod(want, modulusBig)) != 0 {
				t.Fatalf("limbs %x + %x = p%+d", m, n, d)
			}
		}
	}
}

// TestLongDots adds MaxDot products of p-1, the largest sum there is.
func TestLongDots(t *testing.T) {
	for _, k := range kernels() {
		rInv := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 1024), modulusBig)
		worst := elem(new(big.Int).Neg(rInv)) // limbs of p-1 in memory
		for n := range MaxDot + 1 {
			x := slices.Repeat([]Element{*worst}, n)
			var z Element
			k.dot(&z.l, x, x)
			want := new(big.Int).Mul(worst.Big(), worst.Big())
			want.Mul(want, big.NewInt(int64(n))).Mod(want, modulusBig)
			if z.Big().Cmp(want) != 0 {
				t.Fatalf("%s: sum of %d products", k.name, n)
			}
		}
	}
}

func TestEncoding(t *testing.T) {
	p := Modulus()
	for _, x := range edges() {
		b := elem(x).Bytes()
		if new(big.Int).SetBytes(b[:]).Cmp(x) != 0 {
			t.Fatalf("%x does not read back", x)
		}
		z, err := new(Element).SetCanonicalBytes(b[:])
		if err != nil || z.Big().Cmp(x) != 0 {
			t.Fatalf("SetCanonicalBytes(%x): %v", b, err)
		}
	}
	all := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 1024), big.NewInt(1))
	for _, x := range []*big.Int{p, new(big.Int).Add(p, big.NewInt(1)), all} {
		z := *new(Element).SetUint64(7)
		if _, err := z.SetCanonicalBytes(x.FillBytes(make([]byte, Size))); err != ErrRange {
			t.Fatalf("%x was taken: %v", x, err)
		}
		if !z.Equal(new(Element).SetUint64(7)) {
			t.Fatal("receiver changed on error")
		}
	}
	for n := range 2 * Size {
		if _, err := new(Element).SetCanonicalBytes(make([]byte, n)); (err == nil) != (n == Size) {
			t.Fatalf("%d octets: %v", n, err)
		}
	}
	if got := new(Element).SetUint64(1 << 63).Big(); got.Cmp(new(big.Int).Lsh(big.NewInt(1), 63)) != 0 {
		t.Fatal("SetUint64")
	}
}

func TestInvert(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var list []Element
	for _, x := range append(edges(), random(r), random(r)) {
		e, z := elem(x), new(Element)
		ok := z.VarTimeInvert(e)
		if ok != (x.Sign() != 0) {
			t.Fatalf("VarTimeInvert(%x) = %v", x, ok)
		}
		if ok {
			list = append(list, *e)
			if !z.Mul(z, e).Equal(&one) {
				t.Fatalf("1/%x", x)
			}
		} else if !z.IsZero() {
			t.Fatal("1/0 is not given as 0")
		}
	}
	inv := slices.Clone(list)
	if !VarTimeInvertAll(inv) {
		t.Fatal("VarTimeInvertAll failed")
	}
	for i := range inv {
		if !inv[i].Mul(&inv[i], &list[i]).Equal(&one) {
			t.Fatalf("inverse %d", i)
		}
	}
	list = append(list, Element{})
	before := slices.Clone(list)
	if VarTimeInvertAll(list) || !slices.Equal(list, before) {
		t.Fatal("a zero went through, or the input was changed")
	}
	if !VarTimeInvertAll(nil) {
		t.Fatal("empty list")
	}
}

func TestSqrt(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, x := range append(edges(), random(r), random(r), random(r), random(r)) {
		var z, zz, minus Element
		ok := z.VarTimeSqrt(elem(x))
		if want := elem(x).VarTimeIsSquare(); ok != want {
			t.Fatalf("VarTimeSqrt(%x) = %v, VarTimeIsSquare = %v", x, ok, want)
		}
		zz.Square(&z)
		minus.Neg(elem(x))
		if ok && !zz.Equal(elem(x)) || !ok && !zz.Equal(&minus) {
			t.Fatalf("VarTimeSqrt(%x): the square is neither x nor -x", x)
		}
	}
}

func TestInnerProductLengths(t *testing.T) {
	for _, n := range [][2]int{{1, 2}, {MaxDot + 1, MaxDot + 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v did not panic", n)
				}
			}()
			new(Element).InnerProduct(make([]Element, n[0]), make([]Element, n[1]))
		}()
	}
}

// FuzzOperations reads four integers, reduces them and compares all kernels
// with math/big.
func FuzzOperations(f *testing.F) {
	for _, x := range edges() {
		b := x.FillBytes(make([]byte, Size))
		f.Add(b, b, b, b)
	}
	f.Fuzz(func(t *testing.T, a, b, c, d []byte) {
		in := make([]*big.Int, 4)
		for i, x := range [][]byte{a, b, c, d} {
			if len(x) > 2*Size {
				x = x[:2*Size]
			}
			in[i] = new(big.Int).Mod(new(big.Int).SetBytes(x), modulusBig)
		}
		for _, k := range kernels() {
			checkOps(t, k, in[0], in[1], in[2], in[3])
		}
	})
}

func BenchmarkField(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	x, y := random(r), random(r)
	b.Run("mul/reference", func(b *testing.B) {
		z := new(big.Int)
		for b.Loop() {
			z.Mod(z.Mul(x, y), modulusBig)
		}
	})
	for _, k := range kernels() {
		ex, ey := elem(x), elem(y)
		var z Element
		b.Run("mul/"+k.name, func(b *testing.B) {
			for b.Loop() {
				k.mul(&z.l, &ex.l, &ey.l)
			}
		})
		b.Run("square/"+k.name, func(b *testing.B) {
			for b.Loop() {
				k.square(&z.l, &ex.l)
			}
		})
		b.Run("dot2/"+k.name, func(b *testing.B) {
			for b.Loop() {
				k.dot2(&z.l, &ex.l, &ey.l, &ey.l, &ex.l)
			}
		})
		xs := []Element{*ex, *ey, *ex}
		b.Run("dot3/"+k.name, func(b *testing.B) {
			for b.Loop() {
				k.dot(&z.l, xs, xs)
			}
		})
	}
	ex, ey := elem(x), elem(y)
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			ex.Add(ex, ey)
		}
	})
	b.Run("sub", func(b *testing.B) {
		for b.Loop() {
			ex.Sub(ex, ey)
		}
	})
	b.Run("sqrt", func(b *testing.B) {
		var z Element
		for b.Loop() {
			z.VarTimeSqrt(ey)
		}
	})
	b.Run("jacobi", func(b *testing.B) {
		for b.Loop() {
			big.Jacobi(ey.Big(), modulusBig)
		}
	})
	b.Run("invert", func(b *testing.B) {
		var z Element
		for b.Loop() {
			z.VarTimeInvert(ey)
		}
	})
}
