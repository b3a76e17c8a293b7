package esp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
)

// mode is how a block cipher is used.
type mode uint8

const (
	modeNull mode = iota
	modeCBC
	modeCTR
	modeGCM
	modeCCM
	modeGMAC // authenticates only; the payload behind the initialisation vector is in the clear
)

// encAlg is one encryption algorithm. Lengths are in octets.
type encAlg struct {
	name string
	mode mode
	keys []int // with the salt
	salt int
	iv   int
	unit int // what the cipher text is a multiple of
	make func(key []byte) (cipher.Block, error)
	icvs []int // of an algorithm that authenticates too, the usual one first
}

var aesKeys = []int{16, 24, 32}

func plus(keys []int, salt int) (out []int) {
	for _, k := range keys {
		out = append(out, k+salt)
	}
	return out
}

var encAlgs = []*encAlg{
	{name: "null", unit: 4},
	{name: "aes-cbc", mode: modeCBC, keys: aesKeys, iv: 16, unit: 16, make: aes.NewCipher},                                         // RFC 3602
	{name: "des-ede3-cbc", mode: modeCBC, keys: []int{24, 16}, iv: 8, unit: 8, make: tripleDES},                                    // RFC 2451
	{name: "des-cbc", mode: modeCBC, keys: []int{8}, iv: 8, unit: 8, make: des.NewCipher},                                          // RFC 2405
	{name: "aes-ctr", mode: modeCTR, keys: plus(aesKeys, 4), salt: 4, iv: 8, unit: 4, make: aes.NewCipher},                         // RFC 3686
	{name: "aes-gcm", mode: modeGCM, keys: plus(aesKeys, 4), salt: 4, iv: 8, unit: 4, make: aes.NewCipher, icvs: []int{16, 12, 8}}, // RFC 4106
	{name: "aes-ccm", mode: modeCCM, keys: plus(aesKeys, 3), salt: 3, iv: 8, unit: 4, make: aes.NewCipher, icvs: []int{16, 12, 8}}, // RFC 4309
	{name: "aes-gmac", mode: modeGMAC, keys: plus(aesKeys, 4), salt: 4, iv: 8, unit: 4, make: aes.NewCipher, icvs: []int{16}},      // RFC 4543
}

// tripleDES takes 24 octets, or the 16 of a CK, of which TS 33.203 annex I makes K1, K2, K1.
func tripleDES(key []byte) (cipher.Block, error) {
	if len(key) == 16 {
		key = slices.Concat(key, key[:8])
	}
	return des.NewTripleDESCipher(key)
}

// authAlg is one integrity algorithm with the length of its check value in octets.
type authAlg struct {
	name string
	icv  int
	keys []int // nil: any length, as HMAC takes it
	make func(key []byte) (macFunc, error)
}

// macFunc appends the whole check value of the parts to dst.
type macFunc func(dst []byte, parts ...[]byte) []byte

func hmacOf(h func() hash.Hash) func([]byte) (macFunc, error) {
	return func(key []byte) (macFunc, error) {
		m := hmac.New(h, key)
		return func(dst []byte, parts ...[]byte) []byte {
			m.Reset()
			for _, p := range parts {
				m.Write(p)
			}
			return m.Sum(dst)
		}, nil
	}
}

var authAlgs = []*authAlg{
	{name: "null"},
	{name: "hmac-md5-96", icv: 12, make: hmacOf(md5.New)},            // RFC 2403
	{name: "hmac-sha-1-96", icv: 12, make: hmacOf(sha1.New)},         // RFC 2404
	{name: "hmac-sha-256-128", icv: 16, make: hmacOf(sha256.New)},    // RFC 4868
	{name: "hmac-sha-256-96", icv: 12, make: hmacOf(sha256.New)},     // what came before it
	{name: "hmac-sha-384-192", icv: 24, make: hmacOf(sha512.New384)}, // RFC 4868
	{name: "hmac-sha-512-256", icv: 32, make: hmacOf(sha512.New)},    // RFC 4868
	{name: "aes-xcbc-mac-96", icv: 12, keys: []int{16}, make: xcbc},  // RFC 3566
	{name: "aes-cmac-96", icv: 12, keys: aesKeys, make: cmac},        // RFC 4494
	{name: "any", icv: -1}, // a check value of unknown kind that is skipped
}

// canon is a name in the form in which names are compared: lower case, no punctuation, no "[RFC 3602]" behind it.
func canon(s string) string {
	s, _, _ = strings.Cut(strings.ToLower(s), "[")
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// Other names in use: those of TS 33.203 annex H, of Wireshark's table of ESP SAs, of the Linux kernel and of IKE daemons.
var aliases = map[string]string{
	"none": "null", "encrnull": "null", "ciphernull": "null",
	"aes": "aescbc", "cbcaes": "aescbc", "aes128": "aescbc", "aes192": "aescbc", "aes256": "aescbc",
	"aes128cbc": "aescbc", "aes192cbc": "aescbc", "aes256cbc": "aescbc", "rijndaelcbc": "aescbc",
	"3des": "desede3cbc", "3descbc": "desede3cbc", "tripledes": "desede3cbc", "tripledescbc": "desede3cbc", "desede3": "desede3cbc", "cbcdes3ede": "desede3cbc",
	"des": "descbc", "cbcdes": "descbc",
	"rfc3686ctraes": "aesctr", "aes128ctr": "aesctr", "aes192ctr": "aesctr", "aes256ctr": "aesctr",
	"rfc4106gcmaes": "aesgcm", "aes128gcm": "aesgcm", "aes192gcm": "aesgcm", "aes256gcm": "aesgcm",
	"aesgcmwith16octeticv": "aesgcm16", "aesgcmwith12octeticv": "aesgcm12", "aesgcmwith8octeticv": "aesgcm8",
	"rfc4309ccmaes": "aesccm", "rfc4543gcmaes": "aesgmac", "nullauthaesgmac": "aesgmac",
	"hmacmd5": "hmacmd596", "md5": "hmacmd596", "md596": "hmacmd596",
	"hmacsha1": "hmacsha196", "sha1": "hmacsha196", "sha": "hmacsha196", "sha196": "hmacsha196",
	"hmacsha256": "hmacsha256128", "sha256": "hmacsha256128", "sha256128": "hmacsha256128",
	"hmacsha384": "hmacsha384192", "sha384": "hmacsha384192", "sha384192": "hmacsha384192",
	"hmacsha512": "hmacsha512256", "sha512": "hmacsha512256", "sha512256": "hmacsha512256",
	"xcbcaes": "aesxcbcmac96", "aesxcbc": "aesxcbcmac96", "aesxcbc96": "aesxcbcmac96", "cmacaes": "aescmac96", "aescmac": "aescmac96",
	"any96bitauthentication": "any96", "any128bitauthentication": "any128", "any192bitauthentication": "any192", "any256bitauthentication": "any256",
}

// findEnc finds an encryption algorithm; aes-gcm-8, -12 and -16 narrow the length of the check value.
func findEnc(name string) *encAlg {
	c := canon(name)
	if a, ok := aliases[c]; ok {
		c = a
	}
	for _, a := range encAlgs {
		if canon(a.name) == c {
			return a
		}
		for _, n := range a.icvs {
			if canon(a.name)+strconv.Itoa(n) == c {
				narrow := *a
				narrow.name, narrow.icvs = a.name+"-"+strconv.Itoa(n), []int{n}
				return &narrow
			}
		}
	}
	return nil
}

// findAuth finds an integrity algorithm; any-96, -128, -192 and -256 say how long a check value is that is not known.
func findAuth(name string) *authAlg {
	c := canon(name)
	if a, ok := aliases[c]; ok {
		c = a
	}
	for _, a := range authAlgs {
		if canon(a.name) == c {
			return a
		}
	}
	if bits, ok := strings.CutPrefix(c, "any"); ok {
		if n, err := strconv.Atoi(bits); err == nil && n%8 == 0 && slices.Contains(ICVs[:], n/8) {
			return &authAlg{name: "any-" + bits, icv: n / 8}
		}
	}
	return nil
}

// EncNames and AuthNames list the algorithms by their names.
func EncNames() []string { return names(encAlgs, func(a *encAlg) string { return a.name }) }

// AuthNames lists the integrity algorithms.
func AuthNames() []string { return names(authAlgs, func(a *authAlg) string { return a.name }) }

func names[T any](list []T, name func(T) string) (out []string) {
	for _, a := range list {
		out = append(out, name(a))
	}
	return out
}

// oneOf says which lengths a key may have.
func oneOf(list []int) string {
	s := make([]string, len(list))
	for i, n := range list {
		s[i] = strconv.Itoa(n)
	}
	if len(s) == 1 {
		return s[0]
	}
	return strings.Join(s[:len(s)-1], ", ") + " or " + s[len(s)-1]
}

func (a *encAlg) check(key []byte) error {
	switch {
	case a.mode == modeNull && len(key) > 0:
		return fmt.Errorf("null encryption takes no key")
	case a.mode == modeNull:
		return nil
	case len(key) == 0:
		return fmt.Errorf("%s needs a key of %s octets", a.name, oneOf(a.keys))
	case !slices.Contains(a.keys, len(key)):
		salt := ""
		if a.salt > 0 {
			salt = fmt.Sprintf(" (the last %d are the salt)", a.salt)
		}
		return fmt.Errorf("the key of %s has %d octets instead of %s%s", a.name, len(key), oneOf(a.keys), salt)
	}
	return nil
}

func (a *authAlg) check(key []byte) error {
	switch {
	case a.make == nil && len(key) > 0:
		return fmt.Errorf("the integrity algorithm %s takes no key", a.name)
	case len(key) > 0 && a.keys != nil && !slices.Contains(a.keys, len(key)):
		return fmt.Errorf("the key of %s has %d octets instead of %s", a.name, len(key), oneOf(a.keys))
	}
	return nil
}
