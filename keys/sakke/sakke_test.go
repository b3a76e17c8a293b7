package sakke

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
	"github.com/mcxdump/mcxdump/keys/sakke/internal/fp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\t' {
			return -1
		}
		return r
	}, s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rfc holds RFC 6508 appendix A.
var rfc = struct{ z, zx, zy, b, ssv, r, rx, ry, w, mask, h, kx, ky string }{
	z: "aff429d35f84b110d094803b3595a6e2998bc99f",
	zx: `5958ef1b1679bf099b3a030df255aa6a23c1d8f143d4d23f753e69bd27a832f3
	     8cb4ad53ddef4260b0fe8bb45c4c1ff510effe300367a37b61f701d914aef097
	     24825fa0707d61a6dff4fbd7273566cdde352a0b04b7c16a78309be640697de7
	     47613a5fc195e8b9f328852a579db8f99b1d0034479ea9c5595f47c4b2f54ff2`,
	zy: `1508d37514dcf7a8e143a6058c09a6bf2c9858ca37c258065ae6bf7532bc8b5b
	     63383866e0753c5ac0e72709f8445f2e6178e065857e0eda10f68206b63505ed
	     87e534fb2831ff957fb7dc619dae61301eeacc2fda3680ea4999258a833cea8f
	     c67c6d19487fb449059f26cc8aab655ab58b7cc796e24e9a394095754f5f8bae`,
	b:   "323031312d30320074656c3a2b34343737303039303031323300",
	ssv: "123456789abcdef0123456789abcdef0",
	r: `13ee3e1b8dac5db168b1ceb32f0566a4c273693f78baffa2a2ee6a686e6bd90f
	    8206ccab84e7f42ed39bd4fb131012ecca2ecd2119414560c17cab46b956a80f
	    58a3302eb3e2c9a228fba7ed34d8aca2392da1ffb0b17b2320ae09aaedfd0235
	    f6fe0eb65337a63f9cc97728b8e5ad0460fade144369aa5b2166213247712096`,
	rx: `44e8ad44ab8592a6a5a3ddca5cf896c718043606a01d650def37a01f37c228c3
	     32fc317354e2c274d4daf8ad001054c76ce57971c6f4486d5723043261c506eb
	     f5be438f53de04f067c776e0dd3b71a6290133283725a532f21af145126dc1d7
	     77ecc27be50835bd28098b8a73d9f801d893793a41ff5c49b87e79f2be4d56ce`,
	ry: `557e134ad85bb1d4b9ce4f8be4b08a12babf55b1d6f1d7a638019ea28e15ab1c
	     9f76375fdd1210d4f4351b9a009486b7f3ed46c965ded2d80dade4f38c6721d5
	     2c3ad103a10ebd2959248b4ef006836bf097448e6107c9edee9fb704823df199
	     f832c905ae45f8a247a072d8ef729eabc5e27574b07739b34be74a532f747b86`,
	w: `7d2a8438e6291c649b6579eb3b79eae948b1de9e5f7d1f4070a08f8db6b3c515
	    6f2201affbb5cb9d82aa3ec0d0398b89abc78a13a760c0bf3f77e63d0df3f1a3
	    41a41b8811df197fd6cd0f003125606f4f109f400f7292a10d255e3c0ebccb42
	    53fb182c68f09cf6cd9c4a53da6c74ad007af36b8bca979d5895e282f483fcd6`,
	mask: "9bd4ea1e801d37e62ad2fab0d4f5bbf7",
	h:    "89e0bc661aa1e91638e6acc84e496507",
	kx: `93af67e5007ba6e6a80da793da300fa4b52d0a74e25e6e7b2b3d6ee9d18a9b5c
	     5023597bd82d8062d34019563ba1d25c0dc56b7b979d74aa50f29fbf11cc2c93
	     f5dfca615e609279f6175ceadb00b58c6bee1e7a2a47c4f0c456f05259a6fa94
	     a634a40dae1df593d4fecf688d5fc678be7efc6df3d6835325b83b2c6e69036b`,
	ky: `155f0a27241094b04bfb0bdfac6c670a65c325d39a069f03659d44ca27d3be8d
	     f311172b554160181cbe94a2a783320ced590bc42644702cf371271e496bf20f
	     588b78a1bc01ecbb6559934bdd2fb65d2884318a33d1a42adf5e33cc5800280b
	     28356497f87135bab9612a17260424409ac15fee996b744c332151235decb0f5`,
}

func same(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %x, want %x", name, got, want)
	}
}

// TestRFC6508 recomputes every value of appendix A, by the reference and by
// each fast path.
func TestRFC6508(t *testing.T) {
	id, ssv := unhex(t, rfc.b), unhex(t, rfc.ssv)
	zOctets := append([]byte{4}, unhex(t, rfc.zx+rfc.zy)...)
	kOctets := append([]byte{4}, unhex(t, rfc.kx+rfc.ky)...)
	rOctets := append([]byte{4}, unhex(t, rfc.rx+rfc.ry)...)
	sed := append(bytes.Clone(rOctets), unhex(t, rfc.h)...)

	z := new(big.Int).SetBytes(unhex(t, rfc.z))
	refZ := refMul(z, refBase)
	same(t, "reference Z", refZ.bytes(), zOctets)
	refK := refExtract(z, id)
	same(t, "reference RSK", refK.bytes(), kOctets)
	if !refVerify(refZ, id, refK) {
		t.Error("reference: the RSK does not verify")
	}
	same(t, "reference SED", refEncapsulate(refZ, id, ssv), sed)
	same(t, "reference SSV", refDecapsulate(refZ, id, sed, refK), ssv)

	r := scalarR(ssv, id)
	same(t, "r", r.FillBytes(make([]byte, 128)), unhex(t, rfc.r))
	w := powerOfG(r)
	wb := w.Bytes()
	same(t, "g^r", wb[:], unhex(t, rfc.w))
	same(t, "mask", mask(&w, 16, 0), unhex(t, rfc.mask))

	master, err := NewMasterSecret(unhex(t, rfc.z))
	if err != nil {
		t.Fatal(err)
	}
	pub := master.Public()
	same(t, "Z", pub.Bytes(), zOctets)
	parsed, err := ParsePublicKey(zOctets)
	if err != nil || !parsed.Equal(pub) {
		t.Fatal("ParsePublicKey", err)
	}
	key, err := master.Extract(id)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "RSK", key.Reveal(), kOctets)
	if err := key.Verify(pub, id); err != nil {
		t.Error(err)
	}
	out, err := pub.EncapsulateSSV(id, ssv, 0)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "SED", out, sed)

	rPoint, err := parsePoint(rOctets)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain", "with tables"} {
		got, v, err := key.Decapsulate(pub, id, sed)
		if err != nil || v != 0 {
			t.Fatalf("%s: %v, %v", name, v, err)
		}
		same(t, name+": SSV", got, ssv)
		w, ok := key.s().pair(&rPoint)
		wb := w.Bytes()
		if !ok {
			t.Error(name + ": pairing")
		}
		same(t, name+": w", wb[:], unhex(t, rfc.w))
		if err := key.Precompute(pub, id); err != nil {
			t.Fatal(err)
		}
	}
	if key.s().table.Load() == nil {
		t.Error("there was no table")
	}
	t.Logf("user key with tables: %d octets; public key: %d; %d steps", key.MemorySize(), pub.MemorySize(), len(schedule()))
}

// TestHashToIntegerRange follows the intermediate values the digest of appendix
// A gives for q, and the lengths for powers of two.
func TestHashToIntegerRange(t *testing.T) {
	in := append(unhex(t, rfc.ssv), unhex(t, rfc.b)...)
	same(t, "v_1..v_4", hashBlocks(in, 4), unhex(t, `
		fa2656ca1d2dbd79015ae918773dfedc24957c91e3c9c33540d6bf6d7c3c0055
		f016cd6759620ad787669e3add887df625895a910cee148691a06735b2f0a248
		ac45c6f97f83bce0a2bbd0a14cf4d7f4cb3590fbfaf93ae71c64e426185710b5
		e65d50bd551a54ef981f535e072de98d2223acad4621e0263b0a61eac56db078`))
	same(t, "mod q", HashToIntegerRange(in, orderQ).Bytes(), unhex(t, rfc.r))
	one := big.NewInt(1)
	for _, row := range []struct {
		n    *big.Int
		l    int
		mod  bool
		name string
	}{
		{new(big.Int).Lsh(one, 128), 1, true, "2^128"},
		{new(big.Int).Lsh(one, 256), 1, true, "2^256"},
		{new(big.Int).Add(new(big.Int).Lsh(one, 256), one), 2, true, "2^256+1"},
		{new(big.Int).Lsh(one, 257), 2, true, "2^257"},
		{orderQ, 4, true, "q"},
		{one, 0, true, "1"},
		{big.NewInt(2), 1, true, "2"},
	} {
		v := new(big.Int).SetBytes(hashBlocks(in, row.l))
		if got, want := HashToIntegerRange(in, row.n), v.Mod(v, row.n); got.Cmp(want) != 0 {
			t.Errorf("%s: got %x, want %x", row.name, got, want)
		}
	}
}

func TestParameters(t *testing.T) {
	four := new(big.Int).Lsh(orderQ, 2)
	if four.Sub(four, big.NewInt(1)).Cmp(fieldP) != 0 || !orderQ.ProbablyPrime(8) || orderQ.BitLen() != orderBits {
		t.Error("p + 1 is not 4q, or q not a prime of 1022 bits")
	}
	if !refBase.onCurve() || !baseP.onCurve() || !refMul(orderQ, refBase).infinite() || !baseP.hasOrderQ() {
		t.Error("P is not of order q")
	}
	if refPairing(refBase, refBase).Cmp(pairingG) != 0 {
		t.Error("<P,P> is not g")
	}
	w, ok := varTimePairing(&baseP, &baseP)
	if !ok || !w.Equal(&elementG) {
		t.Error("the fast <P,P> is not g")
	}
}

// TestSchedule replays the steps on integers and looks at the digits of q-1.
func TestSchedule(t *testing.T) {
	m, cost := big.NewInt(1), 0
	want := new(big.Int).Sub(orderQ, big.NewInt(1))
	for _, s := range schedule() {
		m.Lsh(m, uint(s.k)).Add(m, big.NewInt(int64(s.d)))
		cost += s.cost()
		if s.sizeA() > maxPowers || s.sizeB() >= maxPowers {
			t.Fatalf("%v needs more powers", s)
		}
	}
	if m.Cmp(want) != 0 {
		t.Fatal("the steps do not end at q-1")
	}
	t.Logf("%d steps, %d products", len(schedule()), cost/2)
	if cost/2 > 5100 {
		t.Errorf("%d products", cost/2)
	}
	m.SetInt64(0)
	weight := 0
	for i := len(millerDigits()) - 1; i >= 0; i-- {
		d := int64(millerDigits()[i])
		m.Lsh(m, 1).Add(m, big.NewInt(d))
		if d != 0 {
			weight++
		}
	}
	if m.Cmp(want) != 0 || weight > 190 {
		t.Fatalf("%d digits of q-1 are not zero", weight)
	}
}

func TestWNAF(t *testing.T) {
	for w := uint(2); w < 7; w++ {
		for k := range int64(600) {
			sum, zeros := int64(0), int(w)
			d := wnaf(big.NewInt(k), w)
			for i, x := range d {
				sum += int64(x) << i
				if x == 0 {
					zeros++
					continue
				}
				if zeros < int(w)-1 || x%2 == 0 || int64(x) >= 1<<(w-1) || int64(x) <= -1<<(w-1) {
					t.Fatalf("width %d: %d is %v", w, k, d)
				}
				zeros = 0
			}
			if sum != k {
				t.Fatalf("width %d: %d is %v", w, k, d)
			}
		}
	}
	if d := wnaf(new(big.Int).Sub(orderQ, big.NewInt(1)), 2); weightOf(d) != 353 {
		t.Errorf("the NAF of q-1 has weight %d", weightOf(d))
	}
}

func weightOf(digits []int8) (n int) {
	for _, d := range digits {
		if d != 0 {
			n++
		}
	}
	return n
}

// testMul returns [k]a, k ≥ 0, by doubling and adding.
func testMul(k *big.Int, a *affine) point {
	var r point
	for i := k.BitLen() - 1; i >= 0; i-- {
		r.double(&r)
		if k.Bit(i) == 1 {
			r.add(&r, a)
		}
	}
	return r
}

func randomScalar(r *mrand.Rand) *big.Int {
	var b [ElementSize]byte
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	x := new(big.Int).SetBytes(b[:])
	return x.Mod(x, orderQ)
}

func toRef(a *affine) refPoint { return refPoint{a.x.Big(), a.y.Big()} }

func fromRef(p refPoint) affine {
	return affine{*new(fp.Element).SetBig(p.x), *new(fp.Element).SetBig(p.y)}
}

func (p *point) ref() refPoint {
	a, ok := p.affine()
	if !ok {
		return refPoint{}
	}
	return toRef(&a)
}

func (p refPoint) equal(q refPoint) bool {
	if p.infinite() || q.infinite() {
		return p.infinite() && q.infinite()
	}
	return p.x.Cmp(q.x) == 0 && p.y.Cmp(q.y) == 0
}

// lowOrder are points of E of small order: (0,0) of order 2, and a point of
// order 4; and one of order 4q.
func lowOrder(t testing.TB) (two, four, all affine) {
	r := mrand.New(mrand.NewPCG(9, 9))
	for {
		x := new(big.Int).Mod(randomScalar(r), fieldP)
		yy := new(big.Int).Mul(x, x)
		yy.Sub(yy, big.NewInt(3)).Mul(yy, x).Mod(yy, fieldP)
		y := new(big.Int).ModSqrt(yy, fieldP)
		if y == nil {
			continue
		}
		p := refPoint{x, y}
		q := refMul(orderQ, p)
		if q.infinite() {
			continue
		}
		q2 := refAdd(q, q)
		if q2.infinite() {
			continue // of order 2
		}
		return fromRef(q2), fromRef(q), fromRef(p)
	}
}

func TestLowOrder(t *testing.T) {
	two, four, all := lowOrder(t)
	for name, a := range map[string]affine{"order 2": two, "order 4": four, "order 4q": all} {
		if !a.onCurve() || a.hasOrderQ() {
			t.Errorf("%s: not on the curve, or taken for order q", name)
		}
		var e *Error
		if _, err := ParsePublicKey(a.bytes()); !errors.Is(err, ErrOrder) || !errors.As(err, &e) || e.Field != "Z" {
			t.Errorf("Z of %s: %v", name, err)
		}
		if _, err := ParseUserKey(a.bytes()); !errors.Is(err, ErrOrder) || !errors.As(err, &e) || e.Field != "RSK" {
			t.Errorf("RSK of %s: %v", name, err)
		}
		if _, ok := newLineTable(&a); ok && name != "order 4q" {
			t.Errorf("a line table for a point of %s", name)
		}
		varTimePairing(&a, &baseP)
		varTimePairing(&baseP, &a)
		varTimePairing(&a, &a)
	}
	if !two.x.IsZero() || !two.y.IsZero() {
		t.Error("the point of order 2 is not (0,0)")
	}
}

// TestHasOrderQ compares the test by halving with the multiplication by q, for
// points of each order the curve has.
func TestHasOrderQ(t *testing.T) {
	r := mrand.New(mrand.NewPCG(6, 6))
	two, four, all := lowOrder(t)
	var minusFour affine
	minusFour.neg(&four)
	orders := map[string]int{}
	for range 40 {
		p := testMul(randomScalar(r), &all) // of order q, 2q or 4q
		for _, b := range []*affine{&two, &four, &minusFour} {
			a, ok := p.affine()
			if !ok {
				t.Fatal("infinite")
			}
			q := testMul(orderQ, &a)
			if got := a.hasOrderQ(); got != q.infinite() {
				t.Fatalf("hasOrderQ = %v for %x", got, a.bytes())
			} else if got {
				orders["q"]++
			} else if q.y.IsZero() {
				orders["2q"]++
			} else {
				orders["4q"]++
			}
			p.add(&p, b)
		}
	}
	if orders["q"] < 9 || orders["2q"] < 9 || orders["4q"] < 9 {
		t.Errorf("points of order %v", orders)
	}
}

// TestPointArithmetic compares additions and multiples with the reference,
// among them the exceptional ones, and the combs at the edges.
func TestPointArithmetic(t *testing.T) {
	r := mrand.New(mrand.NewPCG(2, 2))
	two, four, all := lowOrder(t)
	list := []affine{baseP, two, four, all}
	for range 3 {
		list = append(list, fromRef(refMul(randomScalar(r), refBase)))
	}
	for i := range list {
		var minus affine
		list = append(list, *minus.neg(&list[i]))
	}
	scale := *new(fp.Element).SetUint64(0x123456789)
	for i := range list {
		for j := range list {
			// the first summand with a Z other than 1
			var p point
			var s2 fp.Element
			s2.Square(&scale)
			p.x.Mul(&list[i].x, &s2)
			p.y.Mul(&list[i].y, s2.Mul(&s2, &scale))
			p.z = scale
			if !p.equalAffine(&list[i]) || i != j && p.equalAffine(&list[j]) && list[i] != list[j] {
				t.Fatal("equalAffine")
			}
			sum := p
			n := sum.add(&sum, &list[j])
			if want := refSlope(toRef(&list[i]), toRef(&list[j])); want != nil {
				// the slope is N/Z'
				n.Mul(&n, elementInverse(&sum.z))
				if n.Big().Cmp(want) != 0 {
					t.Fatalf("slope of points %d and %d", i, j)
				}
			}
			if !sum.ref().equal(refAdd(toRef(&list[i]), toRef(&list[j]))) {
				t.Fatalf("sum of points %d and %d", i, j)
			}
			p.double(&p)
			if !p.ref().equal(refAdd(toRef(&list[i]), toRef(&list[i]))) {
				t.Fatalf("double of point %d", i)
			}
		}
		var inf point
		inf.double(&inf)
		if !inf.infinite() || inf.equalAffine(&list[i]) {
			t.Fatal("double of infinity")
		}
		inf.add(&inf, &list[i])
		if !inf.equalAffine(&list[i]) {
			t.Fatal("infinity + a")
		}
	}
	scalars := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), big.NewInt(3), new(big.Int).Sub(orderQ, big.NewInt(1)),
		new(big.Int).Sub(orderQ, big.NewInt(2)), orderQ, new(big.Int).Add(orderQ, big.NewInt(5)), new(big.Int).Lsh(big.NewInt(1), 1021),
		new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 1021), big.NewInt(1)), randomScalar(r), randomScalar(r)}
	zPoint := fromRef(refMul(big.NewInt(77), refBase))
	cz := newComb(&zPoint, combTeeth)
	for i, k := range scalars {
		want := refMul(k, refBase)
		p := mulCombs(combP().recode(k))
		if !p.ref().equal(want) {
			t.Errorf("comb: [%x]P", k)
		}
		if p = testMul(k, &baseP); !p.ref().equal(want) {
			t.Errorf("testMul: [%x]P", k)
		}
		l := scalars[(i*5+3)%len(scalars)]
		p = mulCombs(combP().recode(k), cz.recode(l))
		if !p.ref().equal(refAdd(want, refMul(l, toRef(&zPoint)))) {
			t.Errorf("combs: [%x]P + [%x]Z", k, l)
		}
		w := powerOfG(k)
		if w.Big().Cmp(refPower(pairingG, new(big.Int).Mod(k, orderQ))) != 0 {
			t.Errorf("g^%x", k)
		}
	}
}

func elementInverse(x *fp.Element) *fp.Element {
	var z fp.Element
	z.VarTimeInvert(x)
	return &z
}

// TestEqualAffine: both coordinates count.
func TestEqualAffine(t *testing.T) {
	var p point
	p.setAffine(&baseP)
	one := *new(fp.Element).One()
	x, y := baseP, baseP
	x.x.Add(&x.x, &one)
	y.y.Add(&y.y, &one)
	if !p.equalAffine(&baseP) || p.equalAffine(&x) || p.equalAffine(&y) {
		t.Error("equalAffine")
	}
}

// TestPairing: both fast pairings equal the reference, are symmetric and
// bilinear, <[a]P,[b]P> = g^ab.
func TestPairing(t *testing.T) {
	r := mrand.New(mrand.NewPCG(3, 3))
	for i := range 4 {
		a, b := randomScalar(r), randomScalar(r)
		switch i {
		case 0:
			a = big.NewInt(1)
		case 1:
			a, b = big.NewInt(2), new(big.Int).Sub(orderQ, big.NewInt(1))
		}
		pa, pb := fromRef(refMul(a, refBase)), fromRef(refMul(b, refBase))
		want := powerOfG(new(big.Int).Mul(a, b))
		if i < 2 && refPairing(toRef(&pa), toRef(&pb)).Cmp(want.Big()) != 0 {
			t.Fatal("reference: not bilinear")
		}
		if w, ok := varTimePairing(&pa, &pb); !ok || !w.Equal(&want) {
			t.Fatal("varTimePairing")
		}
		if w, ok := varTimePairing(&pb, &pa); !ok || !w.Equal(&want) {
			t.Fatal("varTimePairing is not symmetric")
		}
		table, ok := newLineTable(&pa)
		if !ok {
			t.Fatal("no table")
		}
		if w, ok := table.varTimePairing(&pb); !ok || !w.Equal(&want) {
			t.Fatal("pairing by table")
		}
		if w, ok := table.varTimePairing(&pa); !ok || w.Big().Cmp(refPower(pairingG, new(big.Int).Mul(a, a))) != 0 {
			t.Fatal("pairing of a point with itself by table")
		}
	}
	// a pairing is never a proof of order: (0,0) gives no value, or one without
	// meaning, and does not panic
	table, _ := newLineTable(&baseP)
	two, four, all := lowOrder(t)
	if _, ok := table.varTimePairing(&two); ok {
		t.Error("(0,0) by table")
	}
	table.varTimePairing(&four)
	table.varTimePairing(&all)
}

type world struct {
	master *MasterSecret
	pub    *PublicKey
	key    *UserKey
	id     []byte
}

var theWorld = sync.OnceValues(func() (world, error) {
	// always the same, so that what fails can be repeated
	master, err := NewMasterSecret(bytes.Repeat([]byte{0x1b, 0x57, 0xc3}, 42))
	if err != nil {
		return world{}, err
	}
	id := bytes.Repeat([]byte{0xa5}, 32)
	key, err := master.Extract(id)
	return world{master, master.Public(), key, id}, err
})

func newWorld(t testing.TB) world {
	t.Helper()
	w, err := theWorld()
	if err != nil {
		t.Fatal(err)
	}
	// each test has its own key, without the tables of others
	w.key, err = ParseUserKey(w.key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	refZ, ok := refParse(w.pub.Bytes())
	if !ok {
		t.Fatal("reference refuses Z")
	}
	for i, id := range [][]byte{w.id, {}, {0}, {0, 0, 1}, []byte("2011-02\x00tel:+447700900123\x00"), bytes.Repeat([]byte{0xff}, 200), []byte(hex.EncodeToString(w.id))} {
		key, err := w.master.Extract(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := key.Verify(w.pub, id); err != nil {
			t.Fatal(err)
		}
		if i == 5 && !refVerify(refZ, id, toRef(&key.s().key)) {
			t.Fatal("reference refuses the key")
		}
		for _, size := range []int{SSVSize, WideSSVSize} {
			ssv := make([]byte, size)
			rand.Read(ssv)
			sed, err := w.pub.EncapsulateSSV(id, ssv, 0)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				same(t, "SED against the reference", sed, refEncapsulate(refZ, id, ssv))
				same(t, "SSV by the reference", refDecapsulate(refZ, id, sed, toRef(&key.s().key)), ssv)
			}
			got, v, err := key.Decapsulate(w.pub, id, sed)
			if err != nil || v != 0 {
				t.Fatalf("identifier %x: %v, %v", id, v, err)
			}
			same(t, "SSV", got, ssv)
		}
		ssv, sed, err := w.pub.Encapsulate(rand.Reader, id)
		if err != nil || len(sed) != SEDSize {
			t.Fatal(err)
		}
		got, _, err := key.Decapsulate(w.pub, id, sed)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "drawn SSV", got, ssv)
	}
	again, err := NewMasterSecret(w.master.Reveal())
	if err != nil || !again.Public().Equal(w.pub) {
		t.Fatal("z does not read back", err)
	}
}

// TestMany opens random messages with tables; every SSV comes back.
func TestMany(t *testing.T) {
	w := newWorld(t)
	if err := w.key.Precompute(w.pub, w.id); err != nil {
		t.Fatal(err)
	}
	for range 60 {
		ssv, sed, err := w.pub.Encapsulate(rand.Reader, w.id)
		if err != nil {
			t.Fatal(err)
		}
		got, v, err := w.key.Decapsulate(w.pub, w.id, sed)
		if err != nil || v != 0 || !bytes.Equal(got, ssv) {
			t.Fatal(v, err)
		}
	}
}

// TestVariants makes each deviating message and reads it back, and looks for
// the name of the deviation.
func TestVariants(t *testing.T) {
	w := newWorld(t)
	if err := w.key.Precompute(w.pub, w.id); err != nil {
		t.Fatal(err)
	}
	r := mrand.New(mrand.NewPCG(4, 4))
	seen := map[Variant]int{}
	check := func(ssv []byte, v, want Variant) {
		t.Helper()
		sed, err := w.pub.EncapsulateSSV(w.id, ssv, v)
		if err != nil {
			t.Fatal(err)
		}
		got, gotV, err := w.key.Decapsulate(w.pub, w.id, sed)
		if err != nil || gotV != want || !bytes.Equal(got, ssv) {
			t.Fatalf("%v: got %v, %v", want, gotV, err)
		}
		seen[want]++
	}
	zeroW, zeroH := 0, 0
	for range 3000 {
		ssv := make([]byte, []int{SSVSize, WideSSVSize}[r.IntN(2)])
		for i := range ssv {
			ssv[i] = byte(r.Uint32())
		}
		w16 := powerOfG(scalarR(ssv, w.id))
		if len(ssv) == WideSSVSize && seen[MaskV2] < 3 {
			check(ssv, MaskV2, MaskV2)
		}
		if b := w16.Bytes(); b[0] == 0 && zeroW < 3 {
			zeroW++
			check(ssv, 0, 0)
			check(ssv, ShortW, ShortW)
		}
		// a mask equal to the SSV in its first octet gives an H with a zero
		if m := mask(&w16, len(ssv), 0); m[0] == ssv[0] && zeroH < 3 {
			zeroH++
			check(ssv, 0, 0)
			check(ssv, ShortH, ShortH)
		}
		if zeroW == 3 && zeroH == 3 && seen[MaskV2] == 3 {
			break
		}
	}
	for _, v := range []Variant{0, MaskV2, ShortH, ShortW} {
		if seen[v] == 0 {
			t.Errorf("%v was not seen", v)
		}
	}
	for v, want := range map[Variant]string{0: "standard", MaskV2: "mask-v2", ShortH | ShortW: "short-h+short-w", 64: "Variant(64)", 64 | MaskV2: "mask-v2+Variant(64)"} {
		if v.String() != want {
			t.Errorf("got %q, want %q", v, want)
		}
	}
}

// TestFlips: no message with a changed bit opens, and the error says where it
// went wrong.
func TestFlips(t *testing.T) {
	w := newWorld(t)
	_, sed, err := w.pub.Encapsulate(rand.Reader, w.id)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.key.Precompute(w.pub, w.id); err != nil {
		t.Fatal(err)
	}
	for i := range len(sed) * 8 {
		bad := bytes.Clone(sed)
		bad[i/8] ^= 1 << (i % 8)
		ssv, _, err := w.key.Decapsulate(w.pub, w.id, bad)
		if ssv != nil || err == nil {
			t.Fatalf("bit %d: accepted", i)
		}
		want := []error{ErrCurve, ErrCoordinate}
		switch {
		case i < 8:
			want = []error{ErrPrefix}
		case i >= 8*PointSize:
			want = []error{ErrTest}
		}
		if !errors.Is(err, want[0]) && !errors.Is(err, want[len(want)-1]) {
			t.Fatalf("bit %d: %v", i, err)
		}
	}
	for n := range len(sed) {
		ssv, _, err := w.key.Decapsulate(w.pub, w.id, sed[:n])
		want := ErrLength
		if n >= SEDSize-maxLost {
			want = ErrTest
		}
		if ssv != nil || !errors.Is(err, want) {
			t.Fatalf("%d octets: %v", n, err)
		}
	}
	for n := range 40 {
		ssv, _, err := w.key.Decapsulate(w.pub, w.id, append(bytes.Clone(sed), make([]byte, n+1)...))
		want := ErrLength
		if l := SSVSize + n + 1; l <= WideSSVSize && l >= WideSSVSize-maxLost {
			want = ErrTest
		}
		if ssv != nil || !errors.Is(err, want) {
			t.Fatalf("%d octets too many: %v", n+1, err)
		}
	}
}

// TestWrongKey: another identifier, another key, another KMS, each named.
func TestWrongKey(t *testing.T) {
	w := newWorld(t)
	_, sed, err := w.pub.Encapsulate(rand.Reader, w.id)
	if err != nil {
		t.Fatal(err)
	}
	otherID := bytes.Repeat([]byte{0x5a}, 32)
	other, err := w.master.Extract(otherID)
	if err != nil {
		t.Fatal(err)
	}
	m2, err := GenerateMasterSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tables := range []bool{false, true} {
		if tables {
			if err := w.key.Precompute(w.pub, w.id); err != nil {
				t.Fatal(err)
			}
			if err := other.Precompute(w.pub, otherID); err != nil {
				t.Fatal(err)
			}
			if err := w.key.Precompute(w.pub, otherID); !errors.Is(err, ErrKey) {
				t.Fatal(err)
			}
		}
		for range 2 { // the second time from the kept answer
			for _, row := range []struct {
				name string
				key  *UserKey
				pub  *PublicKey
				id   []byte
				err  error
			}{
				{"right", w.key, w.pub, w.id, nil},
				{"key of another, message of another", other, w.pub, otherID, ErrTest},
				{"key of another", other, w.pub, w.id, ErrKey},
				{"identifier of another", w.key, w.pub, otherID, ErrKey},
				{"another KMS", w.key, m2.Public(), w.id, ErrKey},
				{"identifier in hex", w.key, w.pub, []byte(hex.EncodeToString(w.id)), ErrKey},
			} {
				ssv, _, err := row.key.Decapsulate(row.pub, row.id, sed)
				if !errors.Is(err, row.err) || (ssv == nil) != (row.err != nil) {
					t.Errorf("tables %v, %s: %v", tables, row.name, err)
				}
			}
		}
	}
	if w.key.s().bound.Load().test == nil {
		t.Error("a failure has thrown the tables away")
	}
}

// TestPrecomputeInvalid: a key which is not the identifier's costs no memory.
func TestPrecomputeInvalid(t *testing.T) {
	w := newWorld(t)
	if err := w.key.Precompute(w.pub, []byte("another")); !errors.Is(err, ErrKey) {
		t.Fatal(err)
	}
	if n := w.key.MemorySize(); n > 1000 {
		t.Errorf("%d octets", n)
	}
}

func TestDropTables(t *testing.T) {
	w := newWorld(t)
	if err := w.key.Verify(w.pub, w.id); err != nil {
		t.Fatal(err)
	}
	before := w.key.MemorySize()
	for range 2 {
		if err := w.key.Precompute(w.pub, w.id); err != nil {
			t.Fatal(err)
		}
		if got := w.key.MemorySize() - before - PointSize - len(w.id); got != TableSize() {
			t.Errorf("tables of %d octets, TableSize says %d", got, TableSize())
		}
		w.key.DropTables()
		if w.key.MemorySize() != before {
			t.Error("tables are still held")
		}
	}
	ssv, sed, err := w.pub.Encapsulate(rand.Reader, w.id)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := w.key.Decapsulate(w.pub, w.id, sed); err != nil || !bytes.Equal(got, ssv) {
		t.Error(err)
	}
}

// TestHostilePoints offers R, Z and RSK which are not what they should be.
func TestHostilePoints(t *testing.T) {
	w := newWorld(t)
	_, sed, err := w.pub.Encapsulate(rand.Reader, w.id)
	if err != nil {
		t.Fatal(err)
	}
	two, four, all := lowOrder(t)
	good, err := parsePoint(sed[:PointSize])
	if err != nil {
		t.Fatal(err)
	}
	withTwo := func(a, b *affine) []byte {
		var p point
		p.setAffine(a)
		p.add(&p, b)
		c, _ := p.affine()
		return c.bytes()
	}
	edit := func(f func(b []byte)) []byte {
		b := bytes.Clone(sed[:PointSize])
		f(b)
		return b
	}
	p := fp.Modulus()
	rows := []struct {
		name  string
		point []byte
		err   error
	}{
		{"compressed prefix", edit(func(b []byte) { b[0] = 2 }), ErrPrefix},
		{"hybrid prefix", edit(func(b []byte) { b[0] = 6 }), ErrPrefix},
		{"infinity as zeros", make([]byte, PointSize), ErrPrefix},
		{"(0,0)", two.bytes(), ErrOrder},
		{"order 4", four.bytes(), ErrOrder},
		{"order 4q", all.bytes(), ErrOrder},
		{"R + (0,0)", withTwo(&good, &two), ErrOrder},
		{"R + order 4", withTwo(&good, &four), ErrOrder},
		{"x = p", edit(func(b []byte) { p.FillBytes(b[1:129]) }), ErrCoordinate},
		{"y = p", edit(func(b []byte) { p.FillBytes(b[129:]) }), ErrCoordinate},
		{"(p,p)", append([]byte{4}, append(p.Bytes(), p.Bytes()...)...), ErrCoordinate},
		{"all ones", append([]byte{4}, bytes.Repeat([]byte{0xff}, 256)...), ErrCoordinate},
		{"(0,1)", edit(func(b []byte) { clear(b[1:]); b[256] = 1 }), ErrCurve},
		{"(1,0)", edit(func(b []byte) { clear(b[1:]); b[128] = 1 }), ErrCurve},
		{"swapped", append([]byte{4}, append(bytes.Clone(sed[129:257]), sed[1:129]...)...), nil},
	}
	// x+p fits into 128 octets when x < 2^1024-p
	for x := int64(2); ; x++ {
		yy := big.NewInt(x*x*x - 3*x)
		if y := new(big.Int).ModSqrt(yy, p); y != nil {
			b := make([]byte, PointSize)
			b[0] = 4
			big.NewInt(x).FillBytes(b[1:129])
			y.FillBytes(b[129:])
			rows = append(rows, struct {
				name  string
				point []byte
				err   error
			}{"small x", bytes.Clone(b), ErrOrder})
			new(big.Int).Add(p, big.NewInt(x)).FillBytes(b[1:129])
			rows = append(rows, struct {
				name  string
				point []byte
				err   error
			}{"x + p", b, ErrCoordinate})
			if a, err := parsePoint(rows[len(rows)-2].point); err != nil || a.hasOrderQ() {
				continue // one of order q: take the next for the first row
			}
			break
		}
		rows = rows[:15]
	}
	for _, tables := range []bool{false, true} {
		if tables {
			if err := w.key.Precompute(w.pub, w.id); err != nil {
				t.Fatal(err)
			}
		}
		for _, row := range rows {
			bad := append(bytes.Clone(row.point), sed[PointSize:]...)
			ssv, _, err := w.key.Decapsulate(w.pub, w.id, bad)
			var e *Error
			if ssv != nil || !errors.As(err, &e) || e.Field != "R" || row.err != nil && !errors.Is(err, row.err) {
				t.Errorf("R %s: %v", row.name, err)
			}
			if _, err := ParsePublicKey(row.point); err == nil || row.err != nil && !errors.Is(err, row.err) {
				t.Errorf("Z %s: %v", row.name, err)
			}
			if _, err := ParseUserKey(row.point); err == nil || row.err != nil && !errors.Is(err, row.err) {
				t.Errorf("RSK %s: %v", row.name, err)
			}
			if _, ok := refParse(row.point); ok {
				t.Errorf("reference takes %s", row.name)
			}
		}
	}
	for n := range PointSize * 2 {
		b := make([]byte, n)
		copy(b, sed)
		if _, err := ParsePublicKey(b); n != PointSize && !errors.Is(err, ErrLength) {
			t.Fatalf("Z of %d octets: %v", n, err)
		}
		if _, err := ParseUserKey(b); n != PointSize && !errors.Is(err, ErrLength) {
			t.Fatalf("RSK of %d octets: %v", n, err)
		}
	}
}

func TestMasterSecretRange(t *testing.T) {
	for name, row := range map[string]struct {
		b   []byte
		err error
	}{
		"empty":  {nil, ErrRange},
		"0":      {make([]byte, 1000), ErrRange},
		"1":      {[]byte{1}, ErrRange},
		"2":      {[]byte{0, 2}, nil},
		"q-1":    {new(big.Int).Sub(orderQ, big.NewInt(1)).Bytes(), nil},
		"q":      {orderQ.Bytes(), ErrRange},
		"ones":   {bytes.Repeat([]byte{0xff}, 128), ErrRange},
		"longer": {bytes.Repeat([]byte{0xff}, 129), ErrLength},
	} {
		if _, err := NewMasterSecret(row.b); !errors.Is(err, row.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoKey: the identifier -z has no RSK and nothing can be sent to it.
func TestNoKey(t *testing.T) {
	w := newWorld(t)
	z := new(big.Int).SetBytes(w.master.Reveal())
	id := z.Sub(orderQ, z).Bytes()
	if _, err := w.master.Extract(id); !errors.Is(err, ErrIdentifier) {
		t.Error(err)
	}
	if _, _, err := w.pub.Encapsulate(rand.Reader, id); !errors.Is(err, ErrIdentifier) {
		t.Error(err)
	}
	if err := w.key.Verify(w.pub, id); !errors.Is(err, ErrIdentifier) {
		t.Error(err)
	}
	_, sed, err := w.pub.Encapsulate(rand.Reader, w.id)
	if err != nil {
		t.Fatal(err)
	}
	if ssv, _, err := w.key.Decapsulate(w.pub, id, sed); ssv != nil || !errors.Is(err, ErrIdentifier) {
		t.Error(err)
	}
}

func TestBadSSV(t *testing.T) {
	w := newWorld(t)
	for n := range 40 {
		_, err := w.pub.EncapsulateSSV(w.id, make([]byte, n), 0)
		if (err == nil) != (n == SSVSize || n == WideSSVSize) {
			t.Errorf("%d octets: %v", n, err)
		}
	}
	none := bytes.NewReader(nil)
	if _, _, err := w.pub.Encapsulate(none, w.id); err == nil {
		t.Error("encapsulated without randomness")
	}
	if _, err := GenerateMasterSecret(none); err == nil {
		t.Error("generated without randomness")
	}
}

func TestDestroy(t *testing.T) {
	master, err := NewMasterSecret([]byte{0x12, 0x34})
	if err != nil {
		t.Fatal(err)
	}
	id := []byte("id")
	key, err := master.Extract(id)
	if err != nil {
		t.Fatal(err)
	}
	pub := master.Public()
	_, sed, err := pub.Encapsulate(rand.Reader, id)
	if err != nil {
		t.Fatal(err)
	}
	small := key.MemorySize()
	if err := key.Precompute(pub, id); err != nil {
		t.Fatal(err)
	}
	table := key.s().table.Load()
	if n := key.MemorySize(); n < 300_000 || n > 500_000 {
		t.Errorf("%d octets with tables", n)
	}
	key.Destroy()
	master.Destroy()
	if key.MemorySize() != small || key.Reveal() != nil || master.Reveal() != nil {
		t.Error("secret or tables survive")
	}
	for i := range table.coefficients {
		if !table.coefficients[i].IsZero() {
			t.Fatal("the table survives")
		}
	}
	if _, _, err := key.Decapsulate(pub, id, sed); !errors.Is(err, ErrDestroyed) {
		t.Error(err)
	}
	if err := key.Verify(pub, id); !errors.Is(err, ErrDestroyed) {
		t.Error(err)
	}
	if err := key.Precompute(pub, id); !errors.Is(err, ErrDestroyed) {
		t.Error(err)
	}
	if _, err := master.Extract(id); !errors.Is(err, ErrDestroyed) {
		t.Error(err)
	}
}

// TestConcurrent decapsulates, verifies and builds tables at once; it means
// most under the race detector.
func TestConcurrent(t *testing.T) {
	w := newWorld(t)
	pub, err := ParsePublicKey(w.pub.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	ssv, sed, err := w.pub.Encapsulate(rand.Reader, w.id)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if i%4 == 1 {
				if err := w.key.Precompute(pub, w.id); err != nil {
					t.Error(err)
				}
			}
			if i%4 == 2 {
				if err := w.key.Verify(pub, []byte("x")); !errors.Is(err, ErrKey) {
					t.Error(err)
				}
			}
			got, _, err := w.key.Decapsulate(pub, w.id, sed)
			if err != nil || !bytes.Equal(got, ssv) {
				t.Error(err)
			}
			w.key.MemorySize()
			pub.MemorySize()
		})
	}
	wg.Wait()
}

// TestWithheld prints keys by every verb, alone and nested, and as JSON and log
// lines, and looks for the secret in hex, decimal and raw octets.
func TestWithheld(t *testing.T) {
	w := newWorld(t)
	master, err := NewMasterSecret(bytes.Repeat([]byte{0x15}, 128))
	if err != nil {
		t.Fatal(err)
	}
	key := w.key
	if err := key.Precompute(w.pub, w.id); err != nil {
		t.Fatal(err)
	}
	type exported struct {
		M *MasterSecret
		K *UserKey
		V UserKey
	}
	type hidden struct {
		m *MasterSecret
		k *UserKey
		v UserKey
		w MasterSecret
	}
	values := []any{master, key, *master, *key, exported{master, key, *key}, &exported{master, key, *key},
		hidden{master, key, *key, *master}, &hidden{master, key, *key, *master}, []any{key, *key}, map[string]any{"k": *key}}
	leaks := []string{"151515", "21 21 21", "\x15\x15"}
	limb := key.s().key.x // in Montgomery form, as memory has it
	leaks = append(leaks, fmt.Sprint(limb)[2:20], fmt.Sprintf("%x", limb)[2:16], fmt.Sprintf("%#v", limb)[20:60])
	kb := key.Reveal()
	leaks = append(leaks, hex.EncodeToString(kb[1:9]), strings.ToUpper(hex.EncodeToString(kb[1:9])), key.s().key.x.Big().String()[:20])
	testkit.Withheld(t, withheldText, leaks, values...)
}

func TestErrorText(t *testing.T) {
	_, err := ParsePublicKey(nil)
	if got, want := err.Error(), "sakke: Z (RFC 6508 6.1): wrong length"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// BenchmarkSAKKE has the reference beside each operation.
func BenchmarkSAKKE(b *testing.B) {
	w := newWorld(b)
	ssv, sed, err := w.pub.Encapsulate(rand.Reader, w.id)
	if err != nil {
		b.Fatal(err)
	}
	refZ, _ := refParse(w.pub.Bytes())
	refK := toRef(&w.key.s().key)
	r, err := parsePoint(sed[:PointSize])
	if err != nil {
		b.Fatal(err)
	}
	z := new(big.Int).SetBytes(w.master.Reveal())
	raw := w.key.Reveal()
	cold, err := ParseUserKey(raw)
	if err != nil {
		b.Fatal(err)
	}
	if err := w.key.Precompute(w.pub, w.id); err != nil {
		b.Fatal(err)
	}
	run := func(name string, f func() bool) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(SEDSize)
			defer testkit.ReportCPU(b)()
			for b.Loop() {
				if !f() {
					b.Fatal("failed")
				}
			}
		})
	}
	opened := func(got []byte, _ Variant, err error) bool { return err == nil && bytes.Equal(got, ssv) }
	run("pairing/reference", func() bool { return refPairing(toRef(&r), refK) != nil })
	run("pairing/plain", func() bool { _, ok := varTimePairing(&r, &cold.s().key); return ok })
	run("pairing/table", func() bool { _, ok := w.key.s().pair(&r); return ok })
	run("decapsulate/reference", func() bool { return refDecapsulate(refZ, w.id, sed, refK) != nil })
	run("decapsulate/first", func() bool { return opened(cold.Decapsulate(w.pub, w.id, sed)) })
	run("decapsulate/table", func() bool { return opened(w.key.Decapsulate(w.pub, w.id, sed)) })
	run("encapsulate/reference", func() bool { return len(refEncapsulate(refZ, w.id, ssv)) == SEDSize })
	run("encapsulate/fast", func() bool { _, err := w.pub.EncapsulateSSV(w.id, ssv, 0); return err == nil })
	run("extract/reference", func() bool { return !refExtract(z, w.id).infinite() })
	run("extract/fast", func() bool { _, err := w.master.Extract(w.id); return err == nil })
	run("verify/reference", func() bool { return refVerify(refZ, w.id, refK) })
	run("verify/fast", func() bool {
		cold.s().asked.Store(nil)
		return cold.Verify(w.pub, w.id) == nil
	})
	run("parse-key", func() bool { _, err := ParseUserKey(raw); return err == nil })
	run("precompute", func() bool {
		key := newUserKey(cold.s().key)
		return key.Precompute(w.pub, w.id) == nil
	})
	run("comb", func() bool { return newComb(&cold.s().key, combTeeth) != nil })
}
