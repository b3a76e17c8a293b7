package xmlsec

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Keys derived from the test CSK 000102…0f with CSK-ID 2abcdef0 for
// sip:alice@example.org (TS 33.180 F.1.4, FC 0x51 and 0x52).
const (
	katConf = "14d4b8b07e0ccf4fa0d16f90ac16973f"
	katInt  = "aec8b2fa0cb4004a21a63d7723a3c9ff"
	katIV   = "000102030405060708090a0b"
	katURI  = "sip:4xsdOwTfFZq6G3nh0kwjgvO0VkooBLMEm07+uh4X+y0CZ58=;iv=AAECAwQFBgcICQoL;key-id=Krze8A==;alg=128-aes-gcm@mc1-encrypted.3gppnetwork.org"
)

func conf(t testing.TB) Key { return NewKey("K_conf", unhex(t, katConf)) }

func TestDecryptKAT(t *testing.T) {
	d := mustParse(t, sealedName)
	ed := Child(d.Root(), NSEnc, "EncryptedData")
	var asked KeyQuery
	plain, info, err := Decrypt(ed, func(q KeyQuery) []Key {
		asked = q
		return []Key{NewKey("wrong", make([]byte, 16)), NewKey("short", make([]byte, 3)), {}, conf(t)}
	})
	if err != nil || string(plain) != "<mcpttURI>sip:bob@example.org</mcpttURI>" {
		t.Fatalf("%q, %v", plain, err)
	}
	if asked != (KeyQuery{"Krze8A==", "2abcdef0", URIAES128GCM}) {
		t.Errorf("asked for %+v", asked)
	}
	if info.Key != "K_conf" || info.Tried != 2 || info.KeyID != "2abcdef0" || info.Type != TypeContent || info.Algorithm != URIAES128GCM ||
		info.Assumed || info.Unauthenticated || hex.EncodeToString(info.IV) != katIV || info.Octets != 12+40+16 {
		t.Errorf("%+v", info)
	}
	f, err := ParseFragment(plain, ContextOf(d.Root()), Limits{})
	if err != nil || Text(f.Root().ChildElements()[0]) != "sip:bob@example.org" {
		t.Errorf("fragment: %v", err)
	}
	el, err := Encrypt(plain, EncryptOptions{Key: unhex(t, katConf), KeyName: "Krze8A==", IV: unhex(t, katIV)})
	if err != nil {
		t.Fatal(err)
	}
	x := C14N{Exclusive: true}
	if got, want := string(x.Element(el)), string(x.Element(ed)); got != want {
		t.Errorf("Encrypt gives\n%s, want\n%s", got, want)
	}
}

// fill puts a CipherValue and an EncryptionMethod into an EncryptedData.
func fill(method, value string) string {
	if method != "" {
		method = `<x:EncryptionMethod Algorithm="` + method + `"/>`
	}
	return `<x:EncryptedData xmlns:x="` + NSEnc + `">` + method + `<x:CipherData><x:CipherValue>` + value + `</x:CipherValue></x:CipherData></x:EncryptedData>`
}

func TestDecryptErrors(t *testing.T) {
	const value = "AAECAwQFBgcICQoLrB8OcRLEIoiWXWvl0hokw/6GVBAKpYDPPNG5Ads/UgtGAQeJeeZtYbzL6uZBEIkWYsC91YgbR0M="
	b64 := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	right := Keys(conf(t))
	for _, c := range []struct {
		name, in string
		keys     KeyFunc
		want     error
	}{
		{"no method", fill("", value), right, nil},
		{"white space and no padding", fill(URIAES128GCM, "\n "+value[:40]+"\r\n\t"+strings.TrimRight(value[40:], "=")), right, nil},
		{"URL alphabet", fill(URIAES128GCM, strings.NewReplacer("+", "-", "/", "_").Replace(value)), right, nil},
		{"CDATA and comment", fill(URIAES128GCM, value[:8]+"<!-- x --><![CDATA["+value[8:]+"]]>"), right, nil},
		{"wrong key", fill(URIAES128GCM, value), Keys(NewKey("", make([]byte, 16))), ErrTag},
		{"no key function", fill(URIAES128GCM, value), nil, ErrNoKey},
		{"no keys", fill(URIAES128GCM, value), Keys(), ErrNoKey},
		{"keys of a wrong length", fill(URIAES256GCM, value), right, ErrNoKey},
		{"changed", fill(URIAES128GCM, "B"+value[1:]), right, ErrTag},
		{"unknown cipher", fill("urn:x", value), right, ErrUnsupportedAlgorithm{"urn:x"}},
		{"triple DES", fill(NSEnc+"tripledes-cbc", value), right, ErrUnsupportedAlgorithm{NSEnc + "tripledes-cbc"}},
		{"empty method", strings.Replace(fill("urn:x", value), "urn:x", "", 1), right, ErrMalformed{"EncryptionMethod without Algorithm"}},
		{"empty", fill(URIAES128GCM, ""), right, ErrMalformed{"CipherValue is too short for initialisation vector and tag"}},
		{"11 octets", fill(URIAES128GCM, b64(11)), right, ErrMalformed{"CipherValue is too short for initialisation vector and tag"}},
		{"27 octets", fill(URIAES128GCM, b64(27)), right, ErrMalformed{"CipherValue is too short for initialisation vector and tag"}},
		{"28 octets", fill(URIAES128GCM, b64(28)), right, ErrTag},
		{"not base64", fill(URIAES128GCM, "****"), right, ErrMalformed{"CipherValue is not base64"}},
		{"CBC short", fill(URIAES128CBC, b64(16)), right, ErrMalformed{"CipherValue is no initialisation vector and whole blocks"}},
		{"CBC ragged", fill(URIAES128CBC, b64(33)), right, ErrMalformed{"CipherValue is no initialisation vector and whole blocks"}},
		{"no data", `<EncryptedData xmlns="` + NSEnc + `"/>`, right, ErrMalformed{"not exactly one CipherData"}},
		{"no value", `<EncryptedData xmlns="` + NSEnc + `"><CipherData/></EncryptedData>`, right, ErrMalformed{"not exactly one CipherValue"}},
		{"two values", `<EncryptedData xmlns="` + NSEnc + `"><CipherData><CipherValue/><CipherValue/></CipherData></EncryptedData>`, right, ErrMalformed{"not exactly one CipherValue"}},
		{"reference", `<EncryptedData xmlns="` + NSEnc + `"><CipherData><CipherReference URI="http://x/"/></CipherData></EncryptedData>`, right, ErrUnsupportedAlgorithm{NSEnc + "CipherReference"}},
		{"other namespace", `<EncryptedData/>`, right, ErrMalformed{"not an EncryptedData"}},
	} {
		d := mustParse(t, c.in)
		plain, info, err := Decrypt(d.Root(), c.keys)
		if !errors.Is(err, c.want) || info == nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if strings.HasPrefix(c.name, "unknown") && (info.Algorithm != "urn:x" || info.Unauthenticated || info.IV != nil) {
			t.Errorf("%s: %+v", c.name, info)
		}
		if (err == nil) != (string(plain) == "<mcpttURI>sip:bob@example.org</mcpttURI>") {
			t.Errorf("%s: %q", c.name, plain)
		}
	}
	if _, info, err := Decrypt(nil, nil); err == nil || info == nil {
		t.Error("nil element")
	}
	// Each cut of the value is an error, never a panic.
	for n := range value {
		if _, _, err := Decrypt(mustParse(t, fill(URIAES128GCM, value[:n])).Root(), right); err == nil && n < len(value)-1 {
			t.Errorf("cut at %d opens", n)
		}
	}
}

func TestEncryptRoundTrip(t *testing.T) {
	for uri, c := range ciphers {
		for n := range 40 {
			key := bytes.Repeat([]byte{7}, c.size)
			plain := bytes.Repeat([]byte("x"), n)
			for _, bare := range []bool{false, true} {
				if bare && (!c.gcm || c.size == 24) {
					continue
				}
				el, err := Encrypt(plain, EncryptOptions{Algorithm: uri, Key: key, Bare: bare})
				if err != nil {
					t.Fatal(err)
				}
				got, info, err := Decrypt(el, Keys(NewKey("other", make([]byte, c.size)), NewKey("k", key)))
				if err != nil || !bytes.Equal(got, plain) || info.Key != "k" && c.gcm || info.Algorithm != uri || info.Assumed != bare || info.Unauthenticated == c.gcm {
					if !c.gcm && info.Key == "other" {
						continue // nothing proves a CBC key; one wrong key in some is taken
					}
					t.Fatalf("%s, %d octets: %v %+v", uri, n, err, info)
				}
			}
		}
		if _, err := Encrypt(nil, EncryptOptions{Algorithm: uri, Key: make([]byte, c.size), IV: make([]byte, 3)}); err == nil {
			t.Error("an IV of 3 octets is accepted")
		}
	}
	if _, err := Encrypt(nil, EncryptOptions{Key: make([]byte, 15)}); err == nil || strings.Contains(err.Error(), "\x00") {
		t.Errorf("%v", err)
	}
	if _, err := Encrypt(nil, EncryptOptions{Algorithm: "urn:x"}); !errors.Is(err, ErrUnsupportedAlgorithm{"urn:x"}) {
		t.Errorf("%v", err)
	}
}

// RFC 3394 section 4 and RFC 5649 section 6.
func TestKeyWrapVectors(t *testing.T) {
	const kek = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	const key = "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F"
	for _, c := range []struct {
		name      string
		kek, key  string
		want      string
		wrap, unw func(_, _ []byte) ([]byte, error)
	}{
		{"RFC 3394 4.1", kek[:32], key[:32], "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5", WrapKey, UnwrapKey},
		{"RFC 3394 4.2", kek[:48], key[:32], "96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D", WrapKey, UnwrapKey},
		{"RFC 3394 4.3", kek, key[:32], "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7", WrapKey, UnwrapKey},
		{"RFC 3394 4.4", kek[:48], key[:48], "031D33264E15D33268F24EC260743EDCE1C6C7DDEE725A936BA814915C6762D2", WrapKey, UnwrapKey},
		{"RFC 3394 4.5", kek, key[:48], "A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1", WrapKey, UnwrapKey},
		{"RFC 3394 4.6", kek, key, "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21", WrapKey, UnwrapKey},
		{"RFC 5649 6, 20 octets", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a", WrapKeyPadded, UnwrapKeyPadded},
		{"RFC 5649 6, 7 octets", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f", WrapKeyPadded, UnwrapKeyPadded},
	} {
		got, err := c.wrap(unhex(t, c.kek), unhex(t, c.key))
		if err != nil || !strings.EqualFold(hex.EncodeToString(got), c.want) {
			t.Errorf("%s: %x, %v", c.name, got, err)
		}
		back, err := c.unw(unhex(t, c.kek), unhex(t, c.want))
		if err != nil || !strings.EqualFold(hex.EncodeToString(back), c.key) {
			t.Errorf("%s: unwrapped %x, %v", c.name, back, err)
		}
		whole := unhex(t, c.want)
		for i := range whole {
			bad := bytes.Clone(whole)
			bad[i] ^= 1
			if _, err := c.unw(unhex(t, c.kek), bad); !errors.Is(err, ErrTag) {
				t.Errorf("%s: octet %d changed: %v", c.name, i, err)
			}
			if _, err := c.unw(unhex(t, c.kek), whole[:i]); err == nil {
				t.Errorf("%s: cut at %d is accepted", c.name, i)
			}
		}
	}
	for n := 1; n <= 300; n++ {
		key := bytes.Repeat([]byte{0x5a}, n)
		w, err := WrapKeyPadded(make([]byte, 32), key)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := UnwrapKeyPadded(make([]byte, 32), w); err != nil || !bytes.Equal(back, key) {
			t.Fatalf("%d octets: %v", n, err)
		}
		if _, err := UnwrapKey(make([]byte, 32), w); err == nil {
			t.Fatalf("%d octets: RFC 5649 taken for RFC 3394", n)
		}
	}
	for _, bad := range []int{0, 8, 15, 17, maxWrapped + 8} {
		if _, err := WrapKey(make([]byte, 16), make([]byte, bad)); err == nil {
			t.Errorf("%d octets wrapped without padding", bad)
		}
	}
	if _, err := UnwrapKey(make([]byte, 5), make([]byte, 24)); err == nil {
		t.Error("a KEK of 5 octets is accepted")
	}
	if _, err := UnwrapKey(make([]byte, 16), make([]byte, maxWrapped+8)); err == nil {
		t.Error("an endless key is accepted")
	}
}

func TestUnwrapVariants(t *testing.T) {
	kek := bytes.Repeat([]byte{0x11}, 32)
	trk := bytes.Repeat([]byte{0x22}, 32)
	rsk := bytes.Repeat([]byte{0x33}, 257)
	for _, c := range []struct {
		key  []byte
		o    WrapOptions
		want string
	}{
		{trk, WrapOptions{}, "base64, RFC 3394"},
		{trk, WrapOptions{Hex: true}, "hex, RFC 3394"},
		{rsk, WrapOptions{Padded: true}, "base64, RFC 5649"},
		{rsk, WrapOptions{Padded: true, Hex: true}, "hex, RFC 5649"},
		{trk, WrapOptions{Padded: true, Hex: true}, "hex, RFC 5649"},
	} {
		c.o.KEK, c.o.KeyName, c.o.CarriedKeyName = kek, "tk.12.user@example.org", "tk.13.user@example.org"
		el, err := Wrap(c.key, c.o)
		if err != nil {
			t.Fatal(err)
		}
		key, info, err := Unwrap(el, Keys(NewKey("wrong", make([]byte, 32)), NewKey("TrK", kek)))
		if err != nil || !bytes.Equal(key, c.key) || info.Variant != c.want || info.Key != "TrK" || info.Tried != 2 ||
			info.KeyName != "tk.12.user@example.org" || info.CarriedKeyName != "tk.13.user@example.org" || info.Algorithm != URIKeyWrap256 {
			t.Errorf("%s: %v %+v", c.want, err, info)
		}
		if _, _, err := Unwrap(el, Keys(NewKey("", make([]byte, 32)))); !errors.Is(err, ErrTag) {
			t.Errorf("%s: wrong key: %v", c.want, err)
		}
		if _, _, err := Unwrap(el, Keys(NewKey("", make([]byte, 16)))); !errors.Is(err, ErrNoKey) {
			t.Errorf("%s: short key: %v", c.want, err)
		}
	}
	if _, err := Wrap(rsk, WrapOptions{KEK: kek}); err == nil {
		t.Error("257 octets wrapped without padding")
	}
	malformed := func(method, value string) error {
		_, _, err := Unwrap(mustParse(t, strings.ReplaceAll(fill(method, value), "EncryptedData", "EncryptedKey")).Root(), Keys(NewKey("", kek)))
		return err
	}
	var m ErrMalformed
	for _, v := range []string{"", "AA==", "zz", "abcde", strings.Repeat("0", 47), strings.Repeat("A", 5*maxWrapped)} {
		if err := malformed(URIKeyWrap256, v); !errors.As(err, &m) {
			t.Errorf("%.10q: %v", v, err)
		}
	}
	if err := malformed(NSEnc+"rsa-1_5", "AA=="); !errors.Is(err, ErrUnsupportedAlgorithm{NSEnc + "rsa-1_5"}) {
		t.Error(err)
	}
	if _, _, err := Unwrap(nil, nil); !errors.As(err, &m) {
		t.Error(err)
	}
}

// An EncryptedData whose key is wrapped inside its KeyInfo, the key wrapped as
// such and encrypted as content.
func TestDecryptWithEncryptedKey(t *testing.T) {
	kek, key := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 16)
	wrapped, err := Wrap(key, WrapOptions{KEK: kek, KeyName: "kek"})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := Encrypt(key, EncryptOptions{Algorithm: URIAES256GCM, Key: kek, KeyName: "kek"})
	if err != nil {
		t.Fatal(err)
	}
	sealed.Tag = "EncryptedKey"
	cbc, err := Encrypt(key, EncryptOptions{Algorithm: URIAES256CBC, Key: kek, KeyName: "kek"})
	if err != nil {
		t.Fatal(err)
	}
	cbc.Tag = "EncryptedKey"
	for _, ek := range []*etree.Element{wrapped, sealed, cbc} {
		ed, err := Encrypt([]byte("hello"), EncryptOptions{Key: key, KeyName: "unknown"})
		if err != nil {
			t.Fatal(err)
		}
		Child(ed, NSSig, "KeyInfo").AddChild(ek)
		find := func(q KeyQuery) []Key {
			if q.Name == "kek" {
				return []Key{NewKey("the KEK", kek)}
			}
			return nil
		}
		plain, info, err := Decrypt(ed, find)
		if err != nil || string(plain) != "hello" || info.Wrapped == nil || info.Wrapped.Key != "the KEK" || info.KeyName != "unknown" {
			t.Errorf("%v %+v", err, info)
		}
		// One recipient of several.
		other, err := Wrap(key, WrapOptions{KEK: bytes.Repeat([]byte{3}, 32), KeyName: "other"})
		if err != nil {
			t.Fatal(err)
		}
		Child(ed, NSSig, "KeyInfo").InsertChildAt(0, other)
		if plain, info, err := Decrypt(ed, find); err != nil || string(plain) != "hello" || info.Wrapped.Key != "the KEK" {
			t.Errorf("second recipient: %v %+v", err, info)
		}
		if _, _, err := Decrypt(ed, nil); !errors.Is(err, ErrNoKey) {
			t.Errorf("no key: %v", err)
		}
		// The content key may be known when the key-encryption key is not.
		plain, _, err = Decrypt(ed, func(q KeyQuery) []Key {
			if q.Name == "unknown" {
				return []Key{NewKey("", key)}
			}
			return nil
		})
		if err != nil || string(plain) != "hello" {
			t.Errorf("content key: %v", err)
		}
	}
}

// A key cannot be printed.
func TestKeyKeepsSilent(t *testing.T) {
	secret := []byte("0123456789abcdef")
	k := NewKey("CSK 2abcdef0", secret)
	secret[0] = 'X'
	if string(k.reveal()) != "0123456789abcdef" {
		t.Error("NewKey does not copy")
	}
	if got := KeyFrom("l", func() []byte { return []byte("four") }); got.String() != "l [4 octets withheld]" {
		t.Error(got.String())
	}
	nested := struct {
		K  Key
		P  *Key
		M  map[string]Key
		in Key
	}{k, &k, map[string]Key{"a": k}, k}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", k, &k, nested)
	}
	j, err := json.Marshal(struct{ A, B any }{k, nested.M})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", k, "nested", nested)
	for _, bad := range []string{"123456789", "31323334", "49 50 51", "MDEyMzQ", "61 62", "0x31"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("%q in %s", bad, out.String())
		}
	}
	if !strings.Contains(k.String(), "CSK 2abcdef0 [16 octets withheld]") {
		t.Error(k.String())
	}
	// Nor does any error tell it.
	for _, n := range []int{1, 15, 16, 17, 32} {
		s := strings.Repeat("K", n)
		_, e1 := Encrypt(nil, EncryptOptions{Key: []byte(s), Algorithm: URIAES192GCM})
		_, e2 := WrapKey([]byte(s), make([]byte, 17))
		_, e3 := UnwrapKey([]byte(s), make([]byte, 24))
		_, e4 := SealURI("sip:a", SealOptions{Key: []byte(s), KeyID: "x"})
		_, _, e5 := Decrypt(mustParse(t, sealedName).Root().ChildElements()[0], Keys(NewKey("l", []byte(s))))
		for i, err := range []error{e1, e2, e3, e4, e5} {
			if err == nil || strings.Contains(err.Error(), "K") && strings.Contains(err.Error(), s+" ") || strings.Contains(err.Error(), "4b4b") {
				t.Errorf("%d, %d: %v", n, i, err)
			}
		}
	}
}

func TestKeyNames(t *testing.T) {
	for name, id := range map[string]string{
		"Krze8A==": "2abcdef0", "Krze8A": "2abcdef0", " Krze8A==\n": "2abcdef0", "_-8BAA": "ffef0100", "/+8BAA==": "ffef0100",
		"2ABCDEF0": "2abcdef0", "Ld1b8A==": "2ddd5bf0",
		"": "", "ink.12.user@example.org": "", "AAAA": "", "AAAAAAAA": "aaaaaaaa", "2abcdefg": "", strings.Repeat("A", 1<<20): "", "Krze8A===": "",
	} {
		got, ok := KeyIDFromName(name)
		if got != id || ok != (id != "") {
			t.Errorf("KeyIDFromName(%.20q) = %q, %v", name, got, ok)
		}
	}
	if n, err := KeyNameFromID("2abcdef0"); err != nil || n != "Krze8A==" {
		t.Errorf("%q, %v", n, err)
	}
	for _, id := range []string{"", "2abcde", "2abcdef00", "2abcdefg"} {
		if _, err := KeyNameFromID(id); err == nil {
			t.Errorf("%q is accepted", id)
		}
	}
}

// Many keys on a long text stop at the budget.
func TestWorkBudget(t *testing.T) {
	el, err := Encrypt(make([]byte, 4<<20), EncryptOptions{Key: make([]byte, 16)})
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]Key, 1000)
	for i := range keys {
		keys[i] = NewKey("", bytes.Repeat([]byte{1}, 16))
	}
	_, info, err := Decrypt(el, Keys(keys...))
	if !errors.Is(err, ErrWork) || !errors.Is(err, ErrLimit) || info.Tried < 10 || info.Tried > DefaultWork/(4<<20) {
		t.Errorf("%v, %d tried", err, info.Tried)
	}
}

func FuzzDecrypt(f *testing.F) {
	f.Add(sealedName)
	f.Add(fill(URIAES128CBC, base64.StdEncoding.EncodeToString(make([]byte, 48))))
	f.Add(fill("", "AA=="))
	if el, err := Wrap(make([]byte, 32), WrapOptions{KEK: make([]byte, 32), KeyName: "k", CarriedKeyName: "c"}); err == nil {
		f.Add(string(C14N{}.Element(el)))
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse([]byte(s), Limits{})
		if err != nil {
			return
		}
		keys := Keys(conf(t), NewKey("z16", make([]byte, 16)), NewKey("z32", make([]byte, 32)))
		before := string(C14N{Comments: true}.Document(d.Tree))
		for _, el := range d.Find(d.Root(), NSEnc, "EncryptedData", 4) {
			if plain, info, err := Decrypt(el, keys); err == nil && (info.Key == "" || info.Octets <= len(plain)) {
				t.Fatalf("%+v for %d octets", info, len(plain))
			}
		}
		for _, el := range d.Find(d.Root(), NSEnc, "EncryptedKey", 4) {
			if key, info, err := Unwrap(el, keys); err == nil && (info.Key == "" || info.Variant == "" || len(key) == 0 && info.Variant != "base64, content cipher") {
				t.Fatalf("%+v", info)
			}
		}
		if string(C14N{Comments: true}.Document(d.Tree)) != before {
			t.Fatal("the tree was changed")
		}
	})
}

func BenchmarkDecrypt(b *testing.B) {
	d, err := Parse([]byte(sealedName), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	ed := d.Root().ChildElements()[0]
	keys := Keys(conf(b))
	b.ReportAllocs()
	b.SetBytes(40)
	for b.Loop() {
		if _, _, err := Decrypt(ed, keys); err != nil {
			b.Fatal(err)
		}
	}
}

// The check of RFC 5649 3 has three parts; each decides alone.
func TestPaddedUnwrapChecks(t *testing.T) {
	kek := make([]byte, 16)
	for _, c := range []struct {
		iv, key string
		ok      bool
	}{
		{"a65959a6 00000014", "11111111111111111111111111111111 11111111 00000000", true},
		{"a65959a6 00000018", "11111111111111111111111111111111 11111111 00000000", true},
		{"a65959a6 00000011", "11111111111111111111111111111111 11000000 00000000", true},
		{"a65959a6 00000010", "11111111111111111111111111111111 00000000 00000000", false}, // a whole block of padding
		{"a65959a6 00000019", "11111111111111111111111111111111 11111111 00000000", false}, // longer than the data
		{"a65959a6 ffffffff", "11111111111111111111111111111111 11111111 00000000", false},
		{"a65959a6 00000000", "11111111111111111111111111111111 11111111 00000000", false},
		{"a65959a6 00000014", "11111111111111111111111111111111 11111111 00000001", false}, // padding not zero
		{"a65959a7 00000014", "11111111111111111111111111111111 11111111 00000000", false},
	} {
		w, err := wrap(kek, [8]byte(unhex(t, c.iv)), unhex(t, c.key))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := UnwrapKeyPadded(kek, w); (err == nil) != c.ok || !c.ok && !errors.Is(err, ErrTag) {
			t.Errorf("%s %s: %v", c.iv, c.key, err)
		}
	}
}
