package eccsi

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"strings"
	"testing"

	"filippo.io/nistec"

	"github.com/mcxdump/mcxdump/internal/testkit"
	"github.com/mcxdump/mcxdump/keys/eccsi/internal/p256"
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

func bigHex(t testing.TB, s string) *big.Int { return new(big.Int).SetBytes(unhex(t, s)) }

// rfc holds RFC 6507 appendix A.
var rfc = struct{ id, ksak, v, j, kpak, pvt, hs, ssk, m, he, s, y, sig string }{
	id:   "323031312d30320074656c3a2b34343737303039303031323300",
	ksak: "012345", v: "023456", j: "034567",
	kpak: `0450d4670bde75244f28d2838a0d25558a7a72686d4522d4c8273fb6442aebfa93
	       dbdd37551afd263b5dfd617f3960c65a8c298850ff99f20366dce7d4367217f4`,
	pvt: `04758a142779be89e829e71984cb40ef758cc4ad775fc5b9a3e1c8ed52f6fa36d9
	      a79d247692f4eda3a6bdab77d6aa6474a464ae4934663c5265ba7018ba091f79`,
	hs:  "490f3febbc1c902f6289723d7f8cbf79db88930849d19f38f0295b5c276c14d1",
	ssk: "23f374ae1f4033f3e9dbddaaef20f4cf0b86bbd5a138a5ae9e7e006b34489a0d",
	m:   "6d65737361676500",
	he:  "111f90eae8271c96df9b3d6726768d9ee9b18145d7ec152cfa9c23d1c4f02285",
	s:   "e09b528d0ef8d6df1aa3ecbf80110cfcec9fc68252cebb679f4134846940ccfd",
	y: `04833898d939c0013bb05027286f95cce037c11bd25799423c76e48362a4959978
	    95d0473a1cd6186ee9f0c104b472499e1a24d6ce3d85173f02ebbd945c25f604`,
	sig: `269d4c8fdeb66a74e4ef8c0d5dcc597ddfe6029c2affc4936008cd2cc1045d81
	      e09b528d0ef8d6df1aa3ecbf80110cfcec9fc68252cebb679f4134846940ccfd
	      04758a142779be89e829e71984cb40ef758cc4ad775fc5b9a3e1c8ed52f6fa36
	      d9a79d247692f4eda3a6bdab77d6aa6474a464ae4934663c5265ba7018ba091f79`,
}

// TestRFC6507 recomputes every value of appendix A.
func TestRFC6507(t *testing.T) {
	same := func(name string, got []byte, want string) {
		t.Helper()
		if !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("%s: got %x, want %x", name, got, unhex(t, want))
		}
	}
	id, m := unhex(t, rfc.id), unhex(t, rfc.m)
	master, err := NewMasterSecret(unhex(t, rfc.ksak))
	if err != nil {
		t.Fatal(err)
	}
	pub := master.Public()
	same("KPAK", pub.Bytes(), rfc.kpak)
	key := master.extract(bigHex(t, rfc.v), id)
	same("PVT", key.PVT(), rfc.pvt)
	same("SSK", key.Reveal(), rfc.ssk)
	hs := hashHS(pub.octets[:], id, key.PVT())
	same("HS", hs[:], rfc.hs)
	if err := key.Validate(pub, id); err != nil {
		t.Error(err)
	}
	sig := key.sign(bigHex(t, rfc.j), pub, id, m)
	same("signature", sig, rfc.sig)
	he := hashHE(hs, sig[:32], m)
	same("HE", scalar(new(big.Int).SetBytes(he[:])), rfc.he)
	same("s", sig[32:64], rfc.s)
	v, err := pub.Verifier(id, key.PVT())
	if err != nil {
		t.Fatal(err)
	}
	y := v.y.Base().Bytes()
	same("Y", y[:], rfc.y)
	if err := pub.Verify(id, m, sig); err != nil {
		t.Error(err)
	}
	if !refVerify(pub.Bytes(), id, m, sig) || !refValidate(pub.Bytes(), id, key.Reveal(), key.PVT()) {
		t.Error("the reference disagrees")
	}
}

type world struct {
	master *MasterSecret
	pub    *PublicKey
	key    *UserKey
	id, m  []byte
	sig    []byte
}

func newWorld(t testing.TB) world {
	t.Helper()
	master, err := GenerateMasterSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := world{master: master, pub: master.Public(), id: bytes.Repeat([]byte{7}, 32), m: bytes.Repeat([]byte("I_MESSAGE"), 60)}
	if w.key, err = master.Extract(rand.Reader, w.id); err != nil {
		t.Fatal(err)
	}
	if w.sig, err = w.key.Sign(rand.Reader, w.pub, w.id, w.m); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRoundTrip(t *testing.T) {
	for range 20 {
		w := newWorld(t)
		if err := w.key.Validate(w.pub, w.id); err != nil {
			t.Fatal(err)
		}
		if err := w.pub.Verify(w.id, w.m, w.sig); err != nil {
			t.Fatal(err)
		}
		pub, err := ParsePublicKey(w.pub.Bytes())
		if err != nil || !pub.Equal(w.pub) {
			t.Fatal("KPAK does not read back", err)
		}
		key, err := ParseUserKey(append([]byte{0, 0}, w.key.Reveal()...), w.key.PVT()) // 34 octets, as one product writes it
		if err != nil {
			t.Fatal(err)
		}
		if err := key.Validate(pub, w.id); err != nil {
			t.Fatal(err)
		}
		again, err := NewMasterSecret(w.master.Reveal())
		if err != nil || !again.Public().Equal(w.pub) {
			t.Fatal("KSAK does not read back", err)
		}
	}
}

// TestFlips changes each bit of a signature, some of identifier and message,
// and asks the reference about the malleable ones.
func TestFlips(t *testing.T) {
	w := newWorld(t)
	var cache Cache
	for i := range len(w.sig) * 8 {
		bad := bytes.Clone(w.sig)
		bad[i/8] ^= 1 << (i % 8)
		if w.pub.Verify(w.id, w.m, bad) == nil {
			t.Fatalf("bit %d of the signature flipped, and accepted", i)
		}
		if cache.Verify(w.pub, w.id, w.m, bad) == nil {
			t.Fatalf("bit %d of the signature flipped, and accepted by the cache", i)
		}
	}
	for i := range len(w.id) * 8 {
		bad := bytes.Clone(w.id)
		bad[i/8] ^= 1 << (i % 8)
		if err := w.pub.Verify(bad, w.m, w.sig); !errors.Is(err, ErrMismatch) {
			t.Fatalf("identifier bit %d: %v", i, err)
		}
		if err := w.key.Validate(w.pub, bad); !errors.Is(err, ErrInvalid) {
			t.Fatalf("identifier bit %d: Validate: %v", i, err)
		}
	}
	for i := range len(w.m) {
		bad := bytes.Clone(w.m)
		bad[i] ^= 1
		if err := w.pub.Verify(w.id, bad, w.sig); !errors.Is(err, ErrMismatch) {
			t.Fatalf("message octet %d: %v", i, err)
		}
	}
	other := newWorld(t)
	if err := other.pub.Verify(w.id, w.m, w.sig); !errors.Is(err, ErrMismatch) {
		t.Fatal("another KMS:", err)
	}
	if err := w.key.Validate(other.pub, w.id); !errors.Is(err, ErrInvalid) {
		t.Fatal("another KMS:", err)
	}
	for n := range len(w.sig) {
		var e *Error
		if err := w.pub.Verify(w.id, w.m, w.sig[:n]); !errors.Is(err, ErrLength) || !errors.As(err, &e) || e.Field != "signature" {
			t.Fatalf("%d octets: %v", n, err)
		}
	}
	var e *Error
	if err := w.pub.Verify(w.id, w.m, append(bytes.Clone(w.sig), 0)); !errors.Is(err, ErrLength) || !errors.As(err, &e) || e.Field != "signature" {
		t.Fatal("130 octets:", err)
	}
	// a Verifier is for one PVT, though it does not compute with it again
	v, err := w.pub.Verifier(w.id, w.key.PVT())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Verify(w.m, append(bytes.Clone(w.sig[:64]), other.key.PVT()...)); !errors.Is(err, ErrMismatch) || !errors.As(err, &e) || e.Field != "PVT" {
		t.Fatal("another PVT:", err)
	}
}

// TestMalleable: q-s verifies as s does, because only Jx is compared. It may
// not be refused. s = 0 modulo q must be: J would be infinite.
func TestMalleable(t *testing.T) {
	w := newWorld(t)
	s := new(big.Int).SetBytes(w.sig[32:64])
	bad := bytes.Clone(w.sig)
	new(big.Int).Sub(orderQ, s).FillBytes(bad[32:64])
	if err := w.pub.Verify(w.id, w.m, bad); err != nil {
		t.Fatal("q-s:", err)
	}
	for _, s := range []*big.Int{new(big.Int), orderQ} {
		s.FillBytes(bad[32:64])
		if err := w.pub.Verify(w.id, w.m, bad); !errors.Is(err, ErrZero) {
			t.Fatalf("s = %x: %v", s, err)
		}
	}
}

// TestWideRS sets r and s to integers at and above q and p; the verdict is the
// reference's.
func TestWideRS(t *testing.T) {
	w := newWorld(t)
	all := bytes.Repeat([]byte{0xff}, 32)
	one := append(make([]byte, 31), 1)
	vals := [][]byte{all, one, make([]byte, 32), orderQ.Bytes(), fieldP.Bytes(), w.sig[:32], w.sig[32:64],
		new(big.Int).Sub(orderQ, big.NewInt(1)).Bytes(), new(big.Int).Add(orderQ, big.NewInt(1)).Bytes(), new(big.Int).Add(fieldP, big.NewInt(1)).Bytes()}
	for _, r := range vals {
		for _, s := range vals {
			sig := bytes.Clone(w.sig)
			copy(sig, r)
			copy(sig[32:], s)
			if got, want := w.pub.Verify(w.id, w.m, sig) == nil, refVerify(w.pub.Bytes(), w.id, w.m, sig); got != want {
				t.Errorf("r=%x s=%x: got %v, reference %v", r, s, got, want)
			}
		}
	}
}

// verifierOf is a Verifier with any Y and HS, and G for a PVT.
func verifierOf(t *testing.T, y *nistec.P256Point, hs [32]byte) *Verifier {
	t.Helper()
	var p p256.Point
	if b := y.Bytes(); len(b) == PointSize { // infinity has one octet
		var a p256.Affine
		if !a.SetBytes(b) {
			t.Fatalf("%x is not a point", b)
		}
		p.SetAffine(&a)
	}
	return newVerifier(&p, hs, refG.bytes())
}

// forge makes a Verifier and a signature which meet at a J with the abscissa x:
// with s = 1, Y = (J - [HE]G)/r, where r is x+p.
func forge(t *testing.T, x int64, m []byte) (*Verifier, []byte) {
	t.Helper()
	bx := big.NewInt(x)
	yy := new(big.Int).Mul(bx, bx)
	yy.Sub(yy, big.NewInt(3)).Mul(yy, bx).Add(yy, refB)
	y := new(big.Int).ModSqrt(yy, fieldP)
	if y == nil {
		t.Fatalf("%d is not an abscissa of P-256", x)
	}
	j, err := parsePoint(refPoint{bx, y}.bytes())
	if err != nil {
		t.Fatal(err)
	}
	r := new(big.Int).Add(bx, fieldP)
	sig := r.FillBytes(make([]byte, 64))
	r.FillBytes(sig[:32])
	big.NewInt(1).FillBytes(sig[32:])
	hs := [32]byte{1}
	sum := hashHE(hs, sig[:32], m)
	he := new(big.Int).SetBytes(sum[:])
	neg := mulBase(he.Neg(he))
	v := verifierOf(t, mulPoint(neg.Add(neg, j), r.ModInverse(r, orderQ)), hs)
	return v, append(sig, v.pvt[:]...)
}

// TestWideR accepts an r of p+5, above both p and q, and an s of q+1.
func TestWideR(t *testing.T) {
	m := []byte("message")
	v, sig := forge(t, 5, m)
	if err := v.Verify(m, sig); err != nil {
		t.Fatal("r = p+5:", err)
	}
	new(big.Int).Add(orderQ, big.NewInt(1)).FillBytes(sig[32:64])
	if err := v.Verify(m, sig); err != nil {
		t.Fatal("s = q+1:", err)
	}
	sig[0] ^= 1
	if err := v.Verify(m, sig); !errors.Is(err, ErrMismatch) {
		t.Fatal("another r:", err)
	}
}

// TestZeroJx: Jx = 0 is refused although it equals r modulo p (RFC 6507 section
// 5.2.2 step 6).
func TestZeroJx(t *testing.T) {
	m := []byte("message")
	v, sig := forge(t, 0, m)
	if err := v.Verify(m, sig); !errors.Is(err, ErrMismatch) {
		t.Fatal(err)
	}
}

// TestInfinity: Y = -[HE/r]G makes J infinite whatever s is.
func TestInfinity(t *testing.T) {
	m := []byte("message")
	r := append(make([]byte, 31), 9)
	hs := [32]byte{1}
	he := hashHE(hs, r, m)
	k := new(big.Int).SetBytes(he[:])
	k.Neg(k)
	v := verifierOf(t, mulBase(k.Mul(k, new(big.Int).ModInverse(big.NewInt(9), orderQ))), hs)
	sig := append(append(bytes.Clone(r), bytes.Repeat([]byte{3}, 32)...), v.pvt[:]...)
	if err := v.Verify(m, sig); !errors.Is(err, ErrInfinity) {
		t.Fatal(err)
	}
}

// badPoints are encodings which no field may take.
func badPoints(t testing.TB, good []byte) map[string][]byte {
	edit := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	y := new(big.Int).SetBytes(good[33:])
	out := map[string][]byte{
		"empty":        {},
		"infinity":     {0},
		"short":        good[:64],
		"long":         append(bytes.Clone(good), 0),
		"hybrid 06":    edit(func(b []byte) { b[0] = 6 }),
		"hybrid 07":    edit(func(b []byte) { b[0] = 7 }),
		"compressed":   append([]byte{2 + good[64]&1}, good[1:33]...),
		"prefix 00":    edit(func(b []byte) { b[0] = 0 }),
		"off curve":    edit(func(b []byte) { b[64] ^= 1 }),
		"all zero":     append([]byte{4}, make([]byte, 64)...),
		"x = p":        edit(func(b []byte) { fieldP.FillBytes(b[1:33]) }),
		"x of ones":    edit(func(b []byte) { copy(b[1:33], bytes.Repeat([]byte{0xff}, 32)) }),
		"y swapped":    append(append([]byte{4}, good[33:]...), good[1:33]...),
		"twisted sign": edit(func(b []byte) { new(big.Int).Xor(y, big.NewInt(2)).FillBytes(b[33:]) }),
	}
	// a point with x < 2^256-p, written with x+p: on the curve, not canonical
	yy := new(big.Int).Add(new(big.Int).SetInt64(125-15), refB)
	if r := new(big.Int).ModSqrt(yy, fieldP); r != nil {
		b := refPoint{big.NewInt(5), r}.bytes()
		new(big.Int).Add(fieldP, big.NewInt(5)).FillBytes(b[1:33])
		out["x+p"] = b
	} else {
		t.Fatal("5 is not an abscissa")
	}
	return out
}

func TestBadPoints(t *testing.T) {
	w := newWorld(t)
	for name, b := range badPoints(t, w.key.PVT()) {
		var e *Error
		if _, err := ParsePublicKey(b); !errors.As(err, &e) || e.Field != "KPAK" {
			t.Errorf("KPAK %s: %v", name, err)
		}
		if _, err := ParseUserKey([]byte{1}, b); !errors.As(err, &e) || e.Field != "PVT" {
			t.Errorf("PVT %s: %v", name, err)
		}
		if len(b) == PointSize {
			err := w.pub.Verify(w.id, w.m, append(bytes.Clone(w.sig[:64]), b...))
			if !errors.Is(err, ErrPoint) {
				t.Errorf("PVT in signature, %s: %v", name, err)
			}
		}
	}
}

func TestBadScalars(t *testing.T) {
	pvt := refG.bytes()
	for name, row := range map[string]struct {
		b   []byte
		err error
	}{
		"empty":   {nil, ErrRange},
		"zero":    {make([]byte, 32), ErrRange},
		"zeros":   {make([]byte, 4000), ErrRange},
		"q":       {orderQ.Bytes(), ErrRange},
		"ones":    {bytes.Repeat([]byte{0xff}, 32), ErrRange},
		"too big": {append([]byte{1}, make([]byte, 32)...), ErrLength},
		"one":     {[]byte{1}, nil},
		"q-1":     {new(big.Int).Sub(orderQ, big.NewInt(1)).Bytes(), nil},
		"34":      {append(make([]byte, 33), 1), nil},
	} {
		if _, err := ParseUserKey(row.b, pvt); !errors.Is(err, row.err) {
			t.Errorf("SSK %s: %v", name, err)
		}
		if _, err := NewMasterSecret(row.b); !errors.Is(err, row.err) {
			t.Errorf("KSAK %s: %v", name, err)
		}
	}
}

// TestSSKOfOthers: a valid SSK with another PVT, or changed, is not valid.
func TestSSKOfOthers(t *testing.T) {
	w := newWorld(t)
	ssk := w.key.Reveal()
	ssk[31] ^= 1
	k, err := ParseUserKey(ssk, w.key.PVT())
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Validate(w.pub, w.id); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	// its signatures do not verify either
	sig, err := k.Sign(rand.Reader, w.pub, w.id, w.m)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.pub.Verify(w.id, w.m, sig); !errors.Is(err, ErrMismatch) {
		t.Fatal(err)
	}
}

// TestAgainstReference signs and validates at random and at the edges.
func TestAgainstReference(t *testing.T) {
	r := mrand.New(mrand.NewPCG(1, 1))
	for i := range 30 {
		k := big.NewInt(int64(i + 1))
		if i%2 == 1 {
			k.Sub(orderQ, k)
		}
		master, err := NewMasterSecret(k.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		id := make([]byte, r.IntN(80))
		m := make([]byte, r.IntN(300))
		key := master.extract(new(big.Int).Sub(orderQ, big.NewInt(int64(i+1))), id)
		pub := master.Public()
		if !refValidate(pub.Bytes(), id, key.Reveal(), key.PVT()) {
			t.Fatal("extracted key is not valid")
		}
		sig := key.sign(big.NewInt(int64(r.Uint32())+1), pub, id, m)
		if !refVerify(pub.Bytes(), id, m, sig) {
			t.Fatal("reference refuses the signature")
		}
		if err := pub.Verify(id, m, sig); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInfiniteY: a signer whose Y is infinite, J = [s·HE]G.
func TestInfiniteY(t *testing.T) {
	hs := [32]byte{1}
	v := verifierOf(t, nistec.NewP256Point(), hs)
	m := []byte("message")
	sig := bytes.Repeat([]byte{3}, 64)
	he := hashHE(hs, sig[:32], m)
	if err := v.Verify(m, append(sig, refG.bytes()...)); !errors.Is(err, ErrMismatch) {
		t.Fatal(err)
	}
	// s = 1/HE makes J = G, but r goes into HE: step 6 itself
	k := new(big.Int).SetBytes(he[:])
	scalarS := k.ModInverse(k, orderQ).FillBytes(make([]byte, 32))
	copy(sig[32:], scalarS)
	she, _, err := scalars(hs, m, sig)
	if err != nil {
		t.Fatal(err)
	}
	var j p256.Point
	j.Sum(p256.Term{Table: p256.Generator(), Scalar: she})
	if !j.HasX(baseG[1:33]) || compare(&j, baseG[1:33]) != nil || compare(&j, baseG[33:65]) == nil {
		t.Fatal("J is not G")
	}
}

// TestCacheIsBounded: signers get a Verifier with their second good signature,
// bad ones none, and the least recently used goes first.
func TestCacheIsBounded(t *testing.T) {
	w := newWorld(t)
	c := Cache{Entries: 3}
	good := func(id []byte, sig []byte, held int) {
		t.Helper()
		if err := c.Verify(w.pub, id, w.m, sig); err != nil {
			t.Fatal(err)
		}
		if c.Len() != held {
			t.Fatalf("%d Verifiers held, want %d", c.Len(), held)
		}
	}
	var ids, sigs [20][]byte
	for i := range ids {
		ids[i] = []byte{byte(i)}
		key, err := w.master.Extract(rand.Reader, ids[i])
		if err != nil {
			t.Fatal(err)
		}
		if sigs[i], err = key.Sign(rand.Reader, w.pub, ids[i], w.m); err != nil {
			t.Fatal(err)
		}
	}
	good(w.id, w.sig, 0)
	good(w.id, w.sig, 1)
	for i := range ids {
		for range 3 {
			if err := c.Verify(w.pub, ids[i], w.m, w.sig); !errors.Is(err, ErrMismatch) {
				t.Fatal(err)
			}
		}
		held := min(i+1, 3)
		good(ids[i], sigs[i], held)
		held = min(i+2, 3)
		good(ids[i], sigs[i], held)
		good(w.id, w.sig, held) // used, so it stays
		if _, ok := c.hot.get(cacheKey(hashHS(w.pub.octets[:], w.id, w.key.PVT()))); !ok {
			t.Fatal("the Verifier used last was forgotten")
		}
	}
	if n := len(c.met.at); n != 3*metPerEntry || c.met.order.Len() != n {
		t.Fatalf("%d signers remembered", n)
	}
	if n := c.MemorySize(); n < 3*64*p256.AffineSize || n > 3*VerifierSize+20*150 {
		t.Fatalf("%d octets", n)
	}
	if err := c.Verify(w.pub, w.id, w.m, nil); !errors.Is(err, ErrLength) {
		t.Fatal(err)
	}
	v, err := w.pub.Verifier(w.id, w.key.PVT())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Verify(w.m, w.sig[:128]); !errors.Is(err, ErrLength) {
		t.Fatal(err)
	}
}

func TestDestroy(t *testing.T) {
	w := newWorld(t)
	w.key.Destroy()
	w.master.Destroy()
	if w.key.Reveal() != nil || w.master.Reveal() != nil {
		t.Fatal("secret survives")
	}
	if err := w.key.Validate(w.pub, w.id); !errors.Is(err, ErrDestroyed) {
		t.Fatal(err)
	}
	if _, err := w.key.Sign(rand.Reader, w.pub, w.id, w.m); !errors.Is(err, ErrDestroyed) {
		t.Fatal(err)
	}
	if _, err := w.master.Extract(rand.Reader, w.id); !errors.Is(err, ErrDestroyed) {
		t.Fatal(err)
	}
}

func TestRandomFailure(t *testing.T) {
	w := newWorld(t)
	none := bytes.NewReader(nil)
	if _, err := w.key.Sign(none, w.pub, w.id, w.m); err == nil {
		t.Fatal("signed without randomness")
	}
	if _, err := w.master.Extract(none, w.id); err == nil {
		t.Fatal("extracted without randomness")
	}
	if _, err := GenerateMasterSecret(none); err == nil {
		t.Fatal("generated without randomness")
	}
	// a source which first gives 0 and q is asked again
	src := bytes.NewReader(append(append(make([]byte, 32), orderQ.Bytes()...), append(make([]byte, 31), 5)...))
	x, err := randomScalar(src)
	if err != nil || x.Int64() != 5 {
		t.Fatal(x, err)
	}
}

// TestWithheld prints keys by every verb, alone and nested, and as JSON and log
// lines, and looks for the secret in hex, decimal and raw octets.
func TestWithheld(t *testing.T) {
	secret := bytes.Repeat([]byte{0x5a}, 32)
	master, err := NewMasterSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseUserKey(secret, refG.bytes())
	if err != nil {
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
	word := uint64(0x5a5a5a5a5a5a5a5a)
	testkit.Withheld(t, withheldText, []string{"5a5a5a", "5A5A5A", "ZZZ", fmt.Sprint(word), "90 90 90", new(big.Int).SetBytes(secret).String(), fmt.Sprintf("%o", word), fmt.Sprintf("%b", word)}, values...)
}

func TestErrorText(t *testing.T) {
	_, err := ParsePublicKey(nil)
	if got, want := err.Error(), "eccsi: KPAK (RFC 6507 5.1.1): wrong length"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzVerify: the fast verification and the reference agree on any octets.
func FuzzVerify(f *testing.F) {
	sig, kpak, id, m := unhex(f, rfc.sig), unhex(f, rfc.kpak), unhex(f, rfc.id), unhex(f, rfc.m)
	f.Add(kpak, id, m, sig)
	f.Add(kpak, id, []byte{}, sig)
	f.Add(sig[64:], id, m, sig)
	f.Fuzz(func(t *testing.T, kpak, id, m, sig []byte) {
		pub, err := ParsePublicKey(kpak)
		if (err == nil) == refParse(kpak).infinite() {
			t.Fatalf("KPAK: %v", err)
		}
		if err != nil {
			return
		}
		if got, want := pub.Verify(id, m, sig) == nil, refVerify(kpak, id, m, sig); got != want {
			t.Fatalf("got %v, reference %v", got, want)
		}
	})
}

func BenchmarkECCSI(b *testing.B) {
	w := newWorld(b)
	v, err := w.pub.Verifier(w.id, w.key.PVT())
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, f func() bool) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(w.m)))
			defer testkit.ReportCPU(b)()
			for b.Loop() {
				if !f() {
					b.Fatal("failed")
				}
			}
		})
	}
	run("verify/reference", func() bool { return refVerify(w.pub.octets[:], w.id, w.m, w.sig) })
	run("verify/uncached", func() bool { return w.pub.Verify(w.id, w.m, w.sig) == nil })
	run("verify/cached", func() bool { return v.Verify(w.m, w.sig) == nil })
	var c Cache
	run("verify/cache", func() bool { return c.Verify(w.pub, w.id, w.m, w.sig) == nil })
	run("verifier", func() bool { v, err := w.pub.Verifier(w.id, w.key.PVT()); return err == nil && v != nil })
	run("sign", func() bool { _, err := w.key.Sign(rand.Reader, w.pub, w.id, w.m); return err == nil })
	run("validate", func() bool { return w.key.Validate(w.pub, w.id) == nil })
	run("extract", func() bool { _, err := w.master.Extract(rand.Reader, w.id); return err == nil })
}
