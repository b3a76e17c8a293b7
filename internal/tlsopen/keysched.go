package tlsopen

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
)

// A secret holds octets behind a function, so that nothing prints them by accident.
type secret struct{ octets func() []byte }

func newSecret(b []byte) secret { return secret{func() []byte { return b }} }

func (s secret) reveal() []byte {
	if s.octets == nil {
		return nil
	}
	return s.octets()
}

func (s secret) zero() { clear(s.reveal()) }

func (s suite) hash() func() hash.Hash {
	if s.sha384 {
		return sha512.New384
	}
	return sha256.New
}

// pHash is P_hash of RFC 5246 5; it is added to out by exclusive or.
func pHash(out []byte, h func() hash.Hash, key []byte, seed ...[]byte) {
	m := hmac.New(h, key)
	sum := func(parts ...[]byte) []byte {
		m.Reset()
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	a := sum(seed...)
	for len(out) > 0 {
		b := sum(append([][]byte{a}, seed...)...)
		n := min(len(b), len(out))
		for i := range n {
			out[i] ^= b[i]
		}
		out = out[n:]
		a = sum(a)
	}
}

// prf is the pseudorandom function of TLS 1.0 to 1.2 (RFC 2246 5, RFC 5246 5).
func prf(version uint16, s suite, n int, key []byte, label string, seed ...[]byte) []byte {
	out := make([]byte, n)
	seed = append([][]byte{[]byte(label)}, seed...)
	if version >= version12 {
		pHash(out, s.hash(), key, seed...)
		return out
	}
	half := (len(key) + 1) / 2
	pHash(out, md5.New, key[:half], seed...)
	pHash(out, sha1.New, key[len(key)-half:], seed...)
	return out
}

// sessionHash is the hash of the handshake so far for the extended master secret (RFC 7627 3).
func sessionHash(version uint16, s suite, parts ...[]byte) []byte {
	sum := func(h hash.Hash) []byte {
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	if version >= version12 {
		return sum(s.hash()())
	}
	return append(sum(md5.New()), sum(sha1.New())...)
}

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446 7.1).
func expandLabel(s suite, key []byte, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(6+len(label)))
	info = append(info, "tls13 "...)
	info = append(append(info, label...), 0)
	out, err := hkdf.Expand(s.hash(), key, string(info), n)
	if err != nil {
		return make([]byte, n) // lengths are constants of ours
	}
	return out
}
