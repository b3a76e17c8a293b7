package esp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func opener(t testing.TB, enc string, ek []byte, auth string, ak []byte) *Opener {
	t.Helper()
	sa, err := New(enc, ek, auth, ak)
	if err != nil {
		t.Fatalf("%s %s: %v", enc, auth, err)
	}
	o, err := sa.Opener()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestMACs has the vectors of RFC 3566 4.6 and RFC 4493 4.
func TestMACs(t *testing.T) {
	count := make([]byte, 32)
	for i := range count {
		count[i] = byte(i)
	}
	text := unhex(t, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	ck := "2b7e151628aed2a6abf7158809cf4f3c"
	for _, v := range []struct {
		mac  func([]byte) (macFunc, error)
		key  string
		msg  []byte
		want string
	}{
		{xcbc, "000102030405060708090a0b0c0d0e0f", nil, "75f0251d528ac01c4573dfd584d79f29"},
		{xcbc, "000102030405060708090a0b0c0d0e0f", count[:3], "5b376580ae2f19afe7219ceef172756f"},
		{xcbc, "000102030405060708090a0b0c0d0e0f", count[:16], "d2a246fa349b68a79998a4394ff7a263"},
		{xcbc, "000102030405060708090a0b0c0d0e0f", count[:20], "47f51b4564966215b8985c63055ed308"},
		{cmac, ck, nil, "bb1d6929e95937287fa37d129b756746"},
		{cmac, ck, text[:16], "070a16b46b4d4144f79bdd9dd04a287c"},
		{cmac, ck, text[:40], "dfa66747de9ae63030ca32611497c827"},
		{cmac, ck, text, "51f0bebf7e3b9d92fc49741779363cfe"},
	} {
		f, err := v.mac(unhex(t, v.key))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(f(nil, v.msg)); got != v.want {
			t.Errorf("%d octets: %s, want %s", len(v.msg), got, v.want)
		}
		for cut := range v.msg { // in two parts
			if got := hex.EncodeToString(f(nil, v.msg[:cut], v.msg[cut:])); got != v.want {
				t.Errorf("cut at %d: %s", cut, got)
			}
		}
	}
}

// TestRFC3602 opens the ESP packet of RFC 3602 4, case 5.
func TestRFC3602(t *testing.T) {
	pkt := unhex(t, "00004321 00000001 e96e8c08ab465763fd098d45dd3ff893"+
		"f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6")
	o := opener(t, "AES-CBC [RFC3602]", unhex(t, "90d382b410eeba7ad938c46cec1a82bf"), "null", nil)
	plain := o.Open(make([]byte, len(pkt)), pkt, 0)
	want := "08000ebda70a00008e9c083db95b0700"
	for i := 8; i < 56; i++ {
		want += fmt.Sprintf("%02x", i)
	}
	want += "0102030405060708090a0b0c0d0e0e01"
	if got := hex.EncodeToString(plain); got != want {
		t.Errorf("%s", got)
	}
	sealed, err := o.Seal(nil, 0x4321, 1, pkt[8:24], 1, plain[:len(plain)-16], -1, nil)
	if err != nil || !bytes.Equal(sealed, pkt) {
		t.Errorf("%x %v", sealed, err)
	}
}

// TestRFC3686 has test vector 1 of RFC 3686 6.
func TestRFC3686(t *testing.T) {
	o := opener(t, "aes-ctr", unhex(t, "ae6852f8121067cc4bf7a5765577f39e00000030"), "null", nil)
	pkt := append(make([]byte, 16), unhex(t, "e4095d4fb7a7b3792d6175a3261311b8")...)
	if got := o.Open(make([]byte, len(pkt)), pkt, 0); string(got) != "Single block msg" {
		t.Errorf("%q", got)
	}
}

// TestEveryPair seals and opens with every pair of algorithms, verifies, and sees that what was changed does not.
func TestEveryPair(t *testing.T) {
	key := make([]byte, 64)
	for i := range key {
		key[i] = byte(i*7 + 1)
	}
	high := uint32(3)
	n := 0
	for _, e := range encAlgs {
		lens := e.keys
		if e.mode == modeNull {
			lens = []int{0}
		}
		for _, kl := range lens {
			auths := authAlgs[:len(authAlgs)-1]
			if e.icvs != nil {
				auths = auths[:1]
			}
			for _, a := range auths {
				var ak []byte
				if a.make != nil {
					ak = key[:16]
				}
				o := opener(t, e.name, key[:kl], a.name, ak)
				for size := range 40 {
					for _, esn := range []*uint32{nil, &high} {
						payload := key[:size]
						pkt, err := o.Seal(nil, 0xbeef, 9, key, 17, payload, -1, esn)
						if err != nil {
							t.Fatal(err)
						}
						icv := o.ICVs(nil)[0]
						if (len(pkt)-icv)%4 != 0 || !o.Fits(len(pkt), icv) {
							t.Fatalf("%s %s: %d octets", e.name, a.name, len(pkt))
						}
						plain := o.Open(make([]byte, len(pkt)), pkt, icv)
						if !bytes.HasPrefix(plain, payload) || plain[len(plain)-1] != 17 || len(plain)-2-int(plain[len(plain)-2]) != size {
							t.Fatalf("%s/%d %s: %x", e.name, kl, a.name, plain)
						}
						if got := o.Verify(pkt, plain, icv, esn); got != (icv > 0) {
							t.Fatalf("%s %s: verified %v", e.name, a.name, got)
						}
						if icv == 0 {
							continue
						}
						other := &high
						if esn != nil {
							other = nil
						}
						if o.Verify(pkt, plain, icv, other) {
							t.Fatalf("%s %s verifies with another sequence number", e.name, a.name)
						}
						for _, at := range []int{0, 5, len(pkt) - 1} {
							bad := slices.Clone(pkt)
							bad[at] ^= 1
							if o.Verify(bad, o.Open(make([]byte, len(bad)), bad, icv), icv, esn) {
								t.Fatalf("%s %s verifies with octet %d changed", e.name, a.name, at)
							}
						}
						n++
					}
				}
			}
		}
	}
	if n < 2000 {
		t.Errorf("only %d packets", n)
	}
}

// TestLengthOnTheWire: the plain text lies where the cipher text was, so that an offset in one is one in the other.
func TestLengthOnTheWire(t *testing.T) {
	o := opener(t, "aes-gcm", make([]byte, 20), "", nil)
	pkt, _ := o.Seal(nil, 1, 1, make([]byte, 8), 17, []byte("hello, world"), -1, nil)
	dst := make([]byte, len(pkt))
	o.Open(dst, pkt, 16)
	if string(dst[16:28]) != "hello, world" {
		t.Errorf("%q", dst)
	}
}

func TestNewErrors(t *testing.T) {
	k := func(n int) []byte { return make([]byte, n) }
	for _, v := range []struct {
		enc  string
		ek   []byte
		auth string
		ak   []byte
		want string
	}{
		{"aes-cbc", k(15), "", nil, "the key of aes-cbc has 15 octets instead of 16, 24 or 32"},
		{"aes-gcm", k(16), "", nil, "the key of aes-gcm has 16 octets instead of 20, 28 or 36 (the last 4 are the salt)"},
		{"aes-cbc", nil, "", nil, "aes-cbc needs a key of 16, 24 or 32 octets"},
		{"null", k(16), "", nil, "null encryption takes no key"},
		{"rot13", k(16), "", nil, "the encryption algorithm is none of null, aes-cbc"},
		{"null", nil, "crc32", nil, "the integrity algorithm is none of null, hmac-md5-96"},
		{"aes-gcm", k(20), "hmac-sha-1-96", k(20), "aes-gcm checks integrity itself and takes no hmac-sha-1-96 beside it"},
		{"aes-cbc", k(16), "null", k(20), "the integrity algorithm null takes no key"},
		{"aes-cbc", k(16), "aes-xcbc-mac-96", k(20), "the key of aes-xcbc-mac-96 has 20 octets instead of 16"},
		{"any", k(16), "", nil, "the encryption algorithm has to be known"},
		{"null", k(16), "aes-gmac", k(20), "null encryption takes no key"},
	} {
		if _, err := New(v.enc, v.ek, v.auth, v.ak); err == nil || !strings.Contains(err.Error(), v.want) {
			t.Errorf("%s %s: %v", v.enc, v.auth, err)
		}
	}
	for name, want := range map[string]string{"AES-CBC [RFC3602]": "aes-cbc", "TripleDES-CBC [RFC2451]": "des-ede3-cbc", "3des": "des-ede3-cbc",
		"cbc(des3_ede)": "des-ede3-cbc", "rfc4106(gcm(aes))": "aes-gcm", "AES-GCM with 8 octet ICV [RFC4106]": "aes-gcm-8", "aes_gcm_12": "aes-gcm-12", "": "", "NULL": "null"} {
		if a := findEnc(name); name != "" && (a == nil || a.name != want) {
			t.Errorf("%q: %+v", name, a)
		}
	}
	for name, want := range map[string]string{"HMAC-SHA-1-96 [RFC2404]": "hmac-sha-1-96", "hmac-sha1-96": "hmac-sha-1-96", "hmac(md5)": "hmac-md5-96",
		"HMAC-SHA-256-96 [draft-ietf-ipsec-ciph-sha-256-00]": "hmac-sha-256-96", "hmac-sha256": "hmac-sha-256-128", "any-96": "any-96", "ANY 128 bit authentication [No Checking]": "any-128", "none": "null"} {
		if a := findAuth(name); a == nil || a.name != want {
			t.Errorf("%q: %+v", name, a)
		}
	}
}

// TestAliases: every other name leads to an algorithm.
func TestAliases(t *testing.T) {
	for name := range aliases {
		if findEnc(name) == nil && findAuth(name) == nil {
			t.Errorf("%q leads nowhere", name)
		}
	}
}

func TestCovers(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	sa := SA{SPI: 7, Dst: netip.MustParsePrefix("192.0.2.0/24")}
	if !sa.Covers(7, a) || sa.Covers(8, a) || sa.Covers(7, netip.MustParseAddr("198.51.100.1")) || !(&SA{AnySPI: true}).Covers(9, a) || !sa.Covers(7, netip.AddrFrom16(a.As16())) {
		t.Error("the wrong packets are covered")
	}
}

// TestSilent: no way of printing shows a key.
func TestSilent(t *testing.T) {
	key := []byte("0123456789abcdefsalt")
	o := opener(t, "aes-gcm", key, "", nil)
	h := opener(t, "null", nil, "hmac-sha-1-96", key)
	for _, v := range []any{o, o.SA(), *o.SA(), h, h.SA(), []SA{*h.SA()}, struct{ S SA }{*o.SA()}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "0123") || strings.Contains(s, "30313233") || strings.Contains(s, "48, 49, 50") || strings.Contains(s, "48 49 50") {
				t.Errorf("%s of %T: %s", verb, v, s)
			}
		}
	}
}

// FuzzOpen: no octets make Open or Verify panic or write beyond the packet, and what opens seals to the same octets where
// the padding is the usual one.
func FuzzOpen(f *testing.F) {
	key := make([]byte, 64)
	for i := range key {
		key[i] = byte(i)
	}
	var openers []*Opener
	for _, e := range encAlgs {
		kl := 0
		if e.keys != nil {
			kl = e.keys[0]
		}
		auth, ak := "hmac-sha-1-96", key[:20]
		if e.icvs != nil {
			auth, ak = "", nil
		}
		o := opener(f, e.name, key[:kl], auth, ak)
		pkt, err := o.Seal(nil, 1, 2, key, 17, []byte("payload"), -1, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(len(openers)), uint8(0), pkt)
		openers = append(openers, o)
	}
	f.Fuzz(func(t *testing.T, which, which2 uint8, pkt []byte) {
		o := openers[int(which)%len(openers)]
		icvs := o.ICVs(nil)
		icv := icvs[int(which2)%len(icvs)]
		dst := bytes.Repeat([]byte{0xa5}, len(pkt)+8)
		was := slices.Clone(pkt)
		plain := o.Open(dst[:len(pkt)], pkt, icv)
		if !bytes.Equal(dst[len(pkt):], bytes.Repeat([]byte{0xa5}, 8)) || !bytes.Equal(pkt, was) {
			t.Fatal("written beyond the packet")
		}
		ok := o.Verify(pkt, plain, icv, nil)
		if plain == nil || !o.Fits(len(pkt), icv) {
			return
		}
		pad := int(plain[len(plain)-2])
		if pad+2 > len(plain) || pad >= max(4, o.sa.enc.unit) {
			return
		}
		for i, c := range plain[len(plain)-2-pad : len(plain)-2] {
			if int(c) != i+1 {
				return
			}
		}
		again, err := o.Seal(nil, binary.BigEndian.Uint32(pkt), binary.BigEndian.Uint32(pkt[4:]), pkt[8:8+o.sa.enc.iv], plain[len(plain)-1], plain[:len(plain)-2-pad], icv, nil)
		if err != nil {
			return // a check value that the algorithm does not make
		}
		if !bytes.Equal(again[:len(again)-icv], pkt[:len(pkt)-icv]) || ok && !bytes.Equal(again, pkt) {
			t.Fatalf("%x became %x", pkt, again)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	for _, v := range []struct{ enc, auth string }{{"aes-cbc", "hmac-sha-1-96"}, {"aes-gcm", ""}, {"des-ede3-cbc", "hmac-md5-96"}, {"null", "hmac-sha-256-128"}} {
		b.Run(v.enc+"/"+v.auth, func(b *testing.B) {
			e := findEnc(v.enc)
			kl := 0
			if e.keys != nil {
				kl = e.keys[0]
			}
			var ak []byte
			if v.auth != "" {
				ak = make([]byte, 20)
			}
			o := opener(b, v.enc, make([]byte, kl), v.auth, ak)
			pkt, err := o.Seal(nil, 1, 2, make([]byte, 16), 17, make([]byte, 1000), -1, nil)
			if err != nil {
				b.Fatal(err)
			}
			icv, dst := o.ICVs(nil)[0], make([]byte, len(pkt))
			b.SetBytes(int64(len(pkt)))
			b.ReportAllocs()
			for b.Loop() {
				if !o.Verify(pkt, o.Open(dst, pkt, icv), icv, nil) {
					b.Fatal("not verified")
				}
			}
		})
	}
}
