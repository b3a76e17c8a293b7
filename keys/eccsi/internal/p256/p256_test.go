package p256

import (
	"crypto/elliptic"
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"testing"

	"filippo.io/nistec"
)

var (
	bigP = elliptic.P256().Params().P
	bigN = elliptic.P256().Params().N
)

func (z *Element) big() *big.Int {
	o := z.Bytes()
	return new(big.Int).SetBytes(o[:])
}

func element(x *big.Int) (z Element) {
	z.setReduced(new(big.Int).Mod(x, bigP).FillBytes(make([]byte, 32)))
	return z
}

func scalar(x *big.Int) (z Scalar) {
	z.SetBytes(new(big.Int).Mod(x, bigN).FillBytes(make([]byte, 32)))
	return z
}

// edges are the integers at which a carry or a subtraction may go astray.
func edges() []*big.Int {
	var out []*big.Int
	for _, m := range []*big.Int{bigP, bigN} {
		for d := int64(-3); d <= 3; d++ {
			out = append(out, new(big.Int).Add(m, big.NewInt(d)), big.NewInt(d+3))
		}
		rInv := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 256), m)
		for _, k := range []uint{32, 64, 96, 128, 192, 224, 255} {
			x := new(big.Int).Lsh(big.NewInt(1), k)
			out = append(out, x, new(big.Int).Sub(x, big.NewInt(1)), new(big.Int).Mul(x, rInv))
			x = new(big.Int).Sub(m, x)
			out = append(out, x, new(big.Int).Mul(x, rInv))
		}
	}
	for _, x := range out {
		x.Mod(x, new(big.Int).Lsh(big.NewInt(1), 256))
	}
	return out
}

func random(r *rand.Rand) *big.Int {
	var o [32]byte
	for i := 0; i < 32; i += 8 {
		w := r.Uint64()
		switch r.IntN(8) { // runs of ones and zeros are where carries run far
		case 0:
			w = 0
		case 1:
			w = ^uint64(0)
		}
		binary.BigEndian.PutUint64(o[i:], w)
	}
	return new(big.Int).SetBytes(o[:])
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// checkField holds every operation, in each implementation, to math/big.
func checkField(t *testing.T, x, y *big.Int) {
	t.Helper()
	a, b := element(x), element(y)
	check := func(name string, got *Element, want *big.Int) {
		t.Helper()
		if want.Mod(want, bigP).Cmp(got.big()) != 0 {
			t.Fatalf("%s of %x and %x: got %x, want %x", name, x, y, got.big(), want)
		}
		if _, c := new(big.Int).DivMod(limbs(*got), bigP, new(big.Int)); c.Cmp(limbs(*got)) != 0 {
			t.Fatalf("%s of %x and %x is not reduced", name, x, y)
		}
	}
	var z Element
	for name, f := range map[string]func(z, x, y *Element){"selected": mul, "generic": mulGeneric} {
		f(&z, &a, &b)
		check(name+" product", &z, new(big.Int).Mul(x, y))
		z = a
		f(&z, &z, &z)
		check(name+" product in place", &z, new(big.Int).Mul(x, x))
	}
	check("square", z.Square(&a), new(big.Int).Mul(x, x))
	check("sum", z.Add(&a, &b), new(big.Int).Add(x, y))
	check("difference", z.Sub(&a, &b), new(big.Int).Sub(x, y))
	check("negative", z.Neg(&a), new(big.Int).Neg(x))
	z = a
	check("sum in place", z.Add(&z, &z), new(big.Int).Add(x, x))

	// and modulo n
	s, u := scalar(x), scalar(y)
	var v Scalar
	v.Mul(&s, &u)
	want := new(big.Int).Mul(x, y)
	if limbs(Element(v)).Cmp(want.Mod(want, bigN)) != 0 {
		t.Fatalf("%x·%x mod n: got %x, want %x", x, y, limbs(Element(v)), want)
	}
	if v.SetBytes(x.FillBytes(make([]byte, 32))); limbs(Element(v)).Cmp(new(big.Int).Mod(x, bigN)) != 0 {
		t.Fatalf("%x mod n: got %x", x, limbs(Element(v)))
	}
}

func limbs(e Element) *big.Int {
	x := new(big.Int)
	for i := 3; i >= 0; i-- {
		x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(e[i]))
	}
	return x
}

func TestField(t *testing.T) {
	for _, x := range edges() {
		for _, y := range edges() {
			checkField(t, x, y)
		}
	}
	r := newRand()
	for range 20000 {
		checkField(t, random(r), random(r))
	}
	for _, x := range edges() {
		a := element(x)
		var z Element
		z.invert(&a)
		want := new(big.Int).ModInverse(new(big.Int).Mod(x, bigP), bigP)
		if want == nil {
			want = new(big.Int)
		}
		if z.big().Cmp(want) != 0 {
			t.Fatalf("1/%x: got %x", x, z.big())
		}
	}
}

func FuzzField(f *testing.F) {
	for _, x := range edges() {
		f.Add(x.FillBytes(make([]byte, 32)), x.FillBytes(make([]byte, 32)))
	}
	f.Fuzz(func(t *testing.T, x, y []byte) {
		if len(x) == 32 && len(y) == 32 {
			checkField(t, new(big.Int).SetBytes(x), new(big.Int).SetBytes(y))
		}
	})
}

// TestDigits puts the digits together again.
func TestDigits(t *testing.T) {
	r := newRand()
	list := edges()
	for range 500 {
		list = append(list, random(r))
	}
	for _, x := range list {
		x = new(big.Int).Mod(x, bigN)
		s := scalar(x)
		for w := 2; w <= 14; w++ {
			for _, span := range []int{256, 128, 64, 32} {
				sum := new(big.Int)
				for lo := 0; lo < 256; lo += span {
					d := make([]int16, span+1)
					n := s.digits(d, lo, lo+span, w)
					last := -w
					for i, v := range d {
						if v == 0 {
							continue
						}
						if v%2 == 0 || v >= 1<<(w-1) || -v >= 1<<(w-1) || i-last < w || i >= n {
							t.Fatalf("%x width %d: digit %d at %d, after %d, of %d", x, w, v, i, last, n)
						}
						last = i
						sum.Add(sum, new(big.Int).Lsh(big.NewInt(int64(v)), uint(lo+i)))
					}
				}
				if sum.Cmp(x) != 0 {
					t.Fatalf("%x width %d span %d: got %x", x, w, span, sum)
				}
			}
		}
	}
}

func multiple(k *big.Int) *nistec.P256Point {
	p, err := nistec.NewP256Point().ScalarBaseMult(new(big.Int).Mod(k, bigN).FillBytes(make([]byte, 32)))
	if err != nil {
		panic(err)
	}
	return p
}

func affine(t *testing.T, p *nistec.P256Point) *Affine {
	t.Helper()
	var a Affine
	if !a.SetBytes(p.Bytes()) {
		t.Fatalf("%x is refused", p.Bytes())
	}
	return &a
}

// bytes is as nistec's: one octet for infinity.
func (p *Point) bytes() []byte {
	a, ok := p.Affine()
	if !ok {
		return []byte{0}
	}
	o := a.Bytes()
	return o[:]
}

// checkSum holds [a]G + [b][k]G + [c][l]G to nistec.
func checkSum(t *testing.T, k, l, a, b, c *big.Int) {
	t.Helper()
	one := big.NewInt(1)
	if new(big.Int).Mod(k, bigN).Sign() == 0 {
		k = one
	}
	if new(big.Int).Mod(l, bigN).Sign() == 0 {
		l = one
	}
	want := new(big.Int).Add(a, new(big.Int).Add(new(big.Int).Mul(b, k), new(big.Int).Mul(c, l)))
	octets := multiple(want).Bytes()
	var p Point
	p.Sum(Term{Generator(), scalar(a)}, Term{NewTable(affine(t, multiple(k)), 5, 1), scalar(b)},
		Term{NewTable(affine(t, multiple(l)), 4, 4), scalar(c)})
	if got := p.bytes(); string(got) != string(octets) {
		t.Fatalf("[%x]G + [%x][%x]G + [%x][%x]G: got %x, want %x", a, b, k, c, l, got, octets)
	}
}

func TestSum(t *testing.T) {
	r := newRand()
	list := edges()
	for range 300 {
		pick := func() *big.Int {
			if r.IntN(3) == 0 {
				return list[r.IntN(len(list))]
			}
			return random(r)
		}
		checkSum(t, pick(), pick(), pick(), pick(), pick())
	}
	// terms that meet and cancel
	one, minus := big.NewInt(1), big.NewInt(-1)
	for _, k := range []*big.Int{one, big.NewInt(2), random(r)} {
		checkSum(t, one, one, k, k, k)
		checkSum(t, one, minus, new(big.Int), k, k)
		checkSum(t, minus, one, k, k, new(big.Int))
		checkSum(t, one, one, k, new(big.Int).Neg(k), new(big.Int))
	}
}

func FuzzSum(f *testing.F) {
	for _, x := range edges() {
		o := x.FillBytes(make([]byte, 32))
		f.Add(o, o, o, o, o)
	}
	f.Fuzz(func(t *testing.T, k, l, a, b, c []byte) {
		n := func(o []byte) *big.Int { return new(big.Int).SetBytes(o[:min(len(o), 32)]) }
		checkSum(t, n(k), n(l), n(a), n(b), n(c))
	})
}

// TestPointOperations holds the assembly to the Go beside it, and both to
// nistec, special cases included.
func TestPointOperations(t *testing.T) {
	r := newRand()
	for range 500 {
		k, l := random(r), random(r)
		switch r.IntN(4) {
		case 0:
			l = k
		case 1:
			l = new(big.Int).Neg(k)
		}
		if new(big.Int).Mod(l, bigN).Sign() == 0 || new(big.Int).Mod(k, bigN).Sign() == 0 {
			continue
		}
		a := affine(t, multiple(l))
		var p Point
		p.SetAffine(affine(t, multiple(k)))
		z := element(random(r)) // any other Z
		if z.IsZero() {
			continue
		}
		var zz Element
		zz.Square(&z)
		p.Z = z
		p.X.Mul(&p.X, &zz)
		p.Y.Mul(&p.Y, zz.Mul(&zz, &z))

		d, g := p, p
		d.double()
		g.doubleGeneric()
		if d != g || string(d.bytes()) != string(multiple(new(big.Int).Lsh(k, 1)).Bytes()) {
			t.Fatalf("2·[%x]G", k)
		}
		d, g = p, p
		if ok := d.addDistinct(a); ok != g.addGeneric(a) || d != g {
			t.Fatalf("[%x]G + [%x]G", k, l)
		}
		d = p
		d.Add(a)
		if string(d.bytes()) != string(multiple(new(big.Int).Add(k, l)).Bytes()) {
			t.Fatalf("[%x]G + [%x]G", k, l)
		}
		d = p
		d.sub(a)
		if string(d.bytes()) != string(multiple(new(big.Int).Sub(k, l)).Bytes()) {
			t.Fatalf("[%x]G - [%x]G", k, l)
		}
		x := a.X.Bytes()
		p.SetAffine(a)
		p.double()
		if p.HasX(x[:]) {
			t.Fatal("another x")
		}
		x = affine(t, multiple(new(big.Int).Lsh(l, 1))).X.Bytes()
		if !p.HasX(x[:]) {
			t.Fatal("its own x")
		}
	}
	var inf Point
	inf.double()
	if !inf.Infinite() || inf.HasX(make([]byte, 32)) {
		t.Fatal("infinity")
	}
}

// TestSetBytes: what nistec takes is taken, what it refuses is refused.
func TestSetBytes(t *testing.T) {
	good := multiple(big.NewInt(3)).Bytes()
	r := newRand()
	try := func(o []byte) {
		t.Helper()
		var a Affine
		_, err := nistec.NewP256Point().SetBytes(o)
		if ok := a.SetBytes(o); ok != (err == nil && len(o) == PointSize) {
			t.Errorf("%x: got %v, nistec %v", o, ok, err)
		} else if back := a.Bytes(); ok && string(back[:]) != string(o) {
			t.Errorf("%x comes back as %x", o, back)
		}
	}
	try(good)
	try(nil)
	try([]byte{0})
	try(good[:64])
	for range 2000 {
		o := append([]byte(nil), good...)
		o[r.IntN(len(o))] ^= 1 << r.IntN(8)
		try(o)
	}
	// coordinates of p and more: x = p+5 is on the curve as 5 is
	for _, x := range []int64{0, 1, 2, 3, 4, 5} {
		bx := big.NewInt(x)
		y := new(big.Int).Exp(bx, big.NewInt(3), nil)
		y.Sub(y, new(big.Int).Mul(big.NewInt(3), bx)).Add(y, elliptic.P256().Params().B)
		if y.ModSqrt(y.Mod(y, bigP), bigP) == nil {
			continue
		}
		o := append([]byte{4}, bx.FillBytes(make([]byte, 32))...)
		o = append(o, y.FillBytes(make([]byte, 32))...)
		try(o)
		bx.Add(bx, bigP).FillBytes(o[1:33])
		try(o)
	}
}

func TestConstants(t *testing.T) {
	if b.big().Cmp(elliptic.P256().Params().B) != 0 {
		t.Error("b")
	}
	if one.big().Cmp(big.NewInt(1)) != 0 {
		t.Error("one")
	}
	if limbs(Element(order)).Cmp(bigN) != 0 {
		t.Error("n")
	}
	if got := generator.Bytes(); string(got[:]) != string(multiple(big.NewInt(1)).Bytes()) {
		t.Error("G")
	}
}

func BenchmarkP256(b *testing.B) {
	x, y := element(big.NewInt(12345)), element(new(big.Int).Sub(bigP, big.NewInt(999)))
	var z Element
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
	run("mul/generic", func() { mulGeneric(&z, &x, &y) })
	run("mul/selected", func() { mul(&z, &x, &y) })
	run("square/selected", func() { square(&z, &x) })
	run("invert", func() { z.invert(&x) })
	p := Point{generator.X, generator.Y, one}
	run("double/generic", func() { p.doubleGeneric() })
	run("double/selected", func() { p.double() })
	run("add/generic", func() { p.addGeneric(&generator) })
	run("add/selected", func() { p.addDistinct(&generator) })
	k := big.NewInt(987654321)
	k.Exp(k, big.NewInt(99), bigN)
	s := scalar(k)
	run("scalar/mul", func() { s.Mul(&s, &s) })
	a, _ := p.Affine()
	run("table/5x1", func() { NewTable(&a, 5, 1) })
	run("table/6x4", func() { NewTable(&a, 6, 4) })
	t5, t6 := NewTable(&a, 5, 1), NewTable(&a, 6, 4)
	run("sum/one", func() { p.Sum(Term{t5, s}) })
	run("sum/cached", func() { p.Sum(Term{Generator(), s}, Term{t6, s}) })
	np := multiple(k)
	o := k.FillBytes(make([]byte, 32))
	run("nistec/mult", func() { np.ScalarMult(np, o) })
	run("nistec/base", func() { np.ScalarBaseMult(o) })
}
