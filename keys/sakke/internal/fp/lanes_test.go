package fp

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// checkLanes holds the operations on lanes to math/big, eight pairs at a time.
func checkLanes(t *testing.T, a, b [LaneCount]*big.Int) {
	t.Helper()
	var x, y, z Lanes
	for i := range a {
		d, e := elem(a[i]).Digits(), elem(b[i]).Digits()
		x.Set(i, &d)
		y.Set(i, &e)
	}
	check := func(op string, got *Lanes, want func(a, b *big.Int) *big.Int) {
		t.Helper()
		for i := range got[:19] {
			for lane, d := range got[i] {
				if d >= 1<<52 {
					t.Fatalf("%s: digit %d of lane %d is %x", op, i, lane, d)
				}
			}
		}
		for lane, e := range got.Elements() {
			if w := want(a[lane], b[lane]); e.Big().Cmp(w.Mod(w, modulusBig)) != 0 {
				t.Fatalf("%s of %x and %x: got %x, want %x", op, a[lane], b[lane], e.Big(), w)
			}
			if subLimbs(new([16]uint64), &e.l, &modulus) != 1 {
				t.Fatalf("%s: lane %d is not reduced", op, lane)
			}
		}
	}
	n := func() *big.Int { return new(big.Int) }
	check("identity", &x, func(a, b *big.Int) *big.Int { return n().Set(a) })
	check("mul", z.Mul(&x, &y), func(a, b *big.Int) *big.Int { return n().Mul(a, b) })
	check("square", z.Square(&x), func(a, b *big.Int) *big.Int { return n().Mul(a, a) })
	check("add", z.Add(&x, &y), func(a, b *big.Int) *big.Int { return n().Add(a, b) })
	check("sub", z.Sub(&x, &y), func(a, b *big.Int) *big.Int { return n().Sub(a, b) })
	check("sub more", z.SubMore(&x, &y), func(a, b *big.Int) *big.Int { return n().Sub(a, b) })
	check("dot2", z.Dot2(&x, &y, &x, &x), func(a, b *big.Int) *big.Int { return n().Add(n().Mul(a, b), n().Mul(a, a)) })
	z = x
	check("mul in place", z.Mul(&z, &z), func(a, b *big.Int) *big.Int { return n().Mul(a, a) })

	// as large as the factors may be: (x - y + 1024p)·(x + y - x + 32p)
	var u, v Lanes
	u.SubMore(&x, &y)
	v.Add(&x, &y)
	v.Sub(&v, &x)
	check("large", z.Mul(&u, &v), func(a, b *big.Int) *big.Int { return n().Mul(n().Sub(a, b), b) })
	check("larger", z.Mul(&u, &u), func(a, b *big.Int) *big.Int { d := n().Sub(a, b); return d.Mul(d, d) })

	c := []Digits{elem(a[0]).Digits(), elem(b[1]).Digits(), elem(a[2]).Digits()}
	check("inner product", z.InnerProduct([]Lanes{x, y, x}, c), func(p, q *big.Int) *big.Int {
		s := n().Mul(p, a[0])
		s.Add(s, n().Mul(q, b[1]))
		return s.Add(s, n().Mul(p, a[2]))
	})
}

func TestLanes(t *testing.T) {
	if !HaveLanes() {
		t.Skip("no AVX-512 IFMA")
	}
	e := edges()
	r := rand.New(rand.NewPCG(15, 16))
	for i := range 600 {
		var a, b [LaneCount]*big.Int
		for l := range a {
			a[l], b[l] = e[(i+l)%len(e)], e[(i*7+3*l)%len(e)]
			if i%2 != 0 {
				a[l], b[l] = random(r), random(r)
			}
		}
		checkLanes(t, a, b)
	}
	worst := elem(big.NewInt(-1)).Digits()
	var x Lanes
	x.SetAll(&worst)
	for n := 1; n <= MaxDot; n++ {
		xs, ys := make([]Lanes, n), make([]Digits, n)
		for i := range xs {
			xs[i], ys[i] = x, worst
		}
		for _, got := range new(Lanes).InnerProduct(xs, ys).Elements() {
			if got.Big().Cmp(big.NewInt(int64(n))) != 0 {
				t.Fatalf("sum of %d products", n)
			}
		}
	}
}

// FuzzLanes puts two integers, and others made of them, into the lanes.
func FuzzLanes(f *testing.F) {
	for _, x := range edges() {
		o := x.FillBytes(make([]byte, Size))
		f.Add(o, o)
	}
	f.Fuzz(func(t *testing.T, x, y []byte) {
		if !HaveLanes() {
			t.Skip("no AVX-512 IFMA")
		}
		n := func(o []byte, lane int) *big.Int {
			v := new(big.Int).SetBytes(o[:min(len(o), 2*Size)])
			return v.Rsh(v, uint(17*lane)).Mod(v, modulusBig)
		}
		var a, b [LaneCount]*big.Int
		for lane := range a {
			a[lane], b[lane] = n(x, lane), n(y, LaneCount-lane)
		}
		checkLanes(t, a, b)
	})
}

func BenchmarkLanes(b *testing.B) {
	if !HaveLanes() {
		b.Skip("no AVX-512 IFMA")
	}
	var x, z Lanes
	d := elem(big.NewInt(-7)).Digits()
	x.SetAll(&d)
	xs, ys := []Lanes{x, x, x}, []Digits{d, d, d}
	b.Run("mul", func(b *testing.B) {
		for b.Loop() {
			z.Mul(&x, &x)
		}
	})
	b.Run("dot2", func(b *testing.B) {
		for b.Loop() {
			z.Dot2(&x, &x, &x, &x)
		}
	})
	b.Run("dot3", func(b *testing.B) {
		for b.Loop() {
			z.InnerProduct(xs, ys)
		}
	})
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			z.Add(&x, &x)
		}
	})
}
