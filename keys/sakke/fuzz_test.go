package sakke

import (
	"bytes"
	"math/big"
	"testing"
)

// FuzzParse: the octets of a point are taken exactly when the reference takes
// them, and read back.
func FuzzParse(f *testing.F) {
	two, four, all := lowOrder(f)
	for _, a := range []affine{baseP, two, four, all} {
		b := a.bytes()
		f.Add(b)
		f.Add(b[:PointSize-1])
		b[PointSize-1] ^= 1
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, want := refParse(b)
		key, err := ParseUserKey(b)
		if (err == nil) != want {
			t.Fatalf("got %v, reference %v", err, want)
		}
		if _, err := ParsePublicKey(b); (err == nil) != want {
			t.Fatalf("got %v, reference %v", err, want)
		}
		if want && !bytes.Equal(key.Reveal(), b) {
			t.Fatal("does not read back")
		}
	})
}

// FuzzDecapsulate: any octets give an SSV or an error, never both, and what the
// reference opens is opened to the same SSV.
func FuzzDecapsulate(f *testing.F) {
	w := newWorld(f)
	for _, size := range []int{SSVSize, WideSSVSize} {
		for _, v := range []Variant{0, MaskV2} {
			sed, err := w.pub.EncapsulateSSV(w.id, make([]byte, size), v)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(w.id, sed)
			f.Add([]byte("another"), sed)
			f.Add(w.id, sed[:len(sed)-1])
		}
	}
	two, _, all := lowOrder(f)
	f.Add(w.id, append(two.bytes(), make([]byte, 16)...))
	f.Add(w.id, append(all.bytes(), make([]byte, 32)...))
	if err := w.key.Precompute(w.pub, w.id); err != nil {
		f.Fatal(err)
	}
	plain := newUserKey(w.key.s().key)
	refZ, _ := refParse(w.pub.Bytes())
	refK := toRef(&w.key.s().key)
	f.Fuzz(func(t *testing.T, id, sed []byte) {
		before := bytes.Clone(sed)
		ssv, v, err := w.key.Decapsulate(w.pub, id, sed)
		if (ssv == nil) == (err == nil) {
			t.Fatalf("%x and %v", ssv, err)
		}
		if !bytes.Equal(sed, before) {
			t.Fatal("the input was changed")
		}
		ssv2, v2, err2 := plain.Decapsulate(w.pub, id, sed)
		if !bytes.Equal(ssv, ssv2) || v != v2 || (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Fatalf("with tables %x %v %v, without %x %v %v", ssv, v, err, ssv2, v2, err2)
		}
		if len(sed) == SEDSize || len(sed) == PointSize+WideSSVSize {
			want := refDecapsulate(refZ, id, sed, refK)
			if v == 0 && !bytes.Equal(ssv, want) {
				t.Fatalf("got %x, reference %x", ssv, want)
			}
		}
	})
}

// FuzzExchange: what is encapsulated to an identifier is opened by its key, and
// not after any one bit has changed.
func FuzzExchange(f *testing.F) {
	w := newWorld(f)
	f.Add(w.id, make([]byte, 16), uint16(0))
	f.Add([]byte{}, bytes.Repeat([]byte{0xff}, 32), uint16(2100))
	f.Fuzz(func(t *testing.T, id, ssv []byte, flip uint16) {
		if len(ssv) < WideSSVSize {
			ssv = append(ssv, make([]byte, SSVSize)...)[:SSVSize]
		} else {
			ssv = ssv[:WideSSVSize]
		}
		sed, err := w.pub.EncapsulateSSV(id, ssv, 0)
		if err != nil {
			t.Fatal(err)
		}
		key, err := w.master.Extract(id)
		if err != nil {
			t.Fatal(err)
		}
		got, v, err := key.Decapsulate(w.pub, id, sed)
		if err != nil || v != 0 || !bytes.Equal(got, ssv) {
			t.Fatalf("%x, %v, %v", got, v, err)
		}
		i := int(flip) % (8 * len(sed))
		sed[i/8] ^= 1 << (i % 8)
		if got, _, err := key.Decapsulate(w.pub, id, sed); got != nil || err == nil {
			t.Fatalf("opened with bit %d changed", i)
		}
	})
}

// FuzzMultiply compares the combs and the power of g with the reference.
func FuzzMultiply(f *testing.F) {
	f.Add([]byte{}, []byte{1})
	f.Add(orderQ.Bytes(), new(big.Int).Sub(orderQ, big.NewInt(1)).Bytes())
	f.Add(bytes.Repeat([]byte{0xff}, 128), bytes.Repeat([]byte{0xff}, 127))
	z := fromRef(refMul(big.NewInt(12345), refBase))
	c := newComb(&z, combTeeth)
	f.Fuzz(func(t *testing.T, x, y []byte) {
		if len(x) > 2*ElementSize || len(y) > 2*ElementSize {
			return
		}
		k, l := new(big.Int).SetBytes(x), new(big.Int).SetBytes(y)
		p := mulCombs(combP().recode(k), c.recode(l))
		// [k]P + [l]Z = [k + 12345·l]P
		sum := new(big.Int).Mul(l, big.NewInt(12345))
		sum.Add(sum, k).Mod(sum, orderQ)
		if !p.ref().equal(refMul(sum, refBase)) {
			t.Fatalf("[%x]P + [%x]Z", k, l)
		}
		w := powerOfG(sum)
		if w.Big().Cmp(refPower(pairingG, sum)) != 0 {
			t.Fatalf("g^%x", sum)
		}
	})
}
