package decode

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Signatures of access tokens: JWS (RFC 7515) with the keys of a JWK Set (RFC 7517), algorithms of RFC 7518 3.

// A JWKS is a JWK Set: the keys with which identity management servers sign.
type JWKS struct{ keys []jwk }

type jwk struct {
	kid, alg string
	key      any // *rsa.PublicKey, *ecdsa.PublicKey or []byte
}

// Len is the number of keys that can be used.
func (s *JWKS) Len() int { return len(s.keys) }

// ParseJWKS reads a JWK Set, or one JWK (RFC 7517 4, 5). Keys of other kinds and for other uses are passed over; a set
// without any usable key is an error.
func ParseJWKS(b []byte) (*JWKS, error) {
	type member struct {
		Kty, Use, Kid, Alg, Crv, N, E, X, Y, K string
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, fmt.Errorf("no JWK Set (RFC 7517 5): %w", err)
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{b}
	}
	s := &JWKS{}
	var last error
	for i, raw := range set.Keys {
		var m member
		if err := json.Unmarshal(raw, &m); err != nil {
			last = fmt.Errorf("key %d: %w", i+1, err)
			continue
		}
		if m.Use != "" && m.Use != "sig" {
			continue
		}
		k := jwk{kid: m.Kid, alg: m.Alg}
		var err error
		switch m.Kty {
		case "RSA":
			k.key, err = rsaKey(m.N, m.E)
		case "EC":
			k.key, err = ecKey(m.Crv, m.X, m.Y)
		case "oct":
			var o []byte
			if o, err = base64.RawURLEncoding.DecodeString(m.K); err == nil && len(o) == 0 {
				err = fmt.Errorf("k is empty")
			}
			k.key = o
		default:
			err = fmt.Errorf("kty is %q", m.Kty)
		}
		if err != nil {
			last = fmt.Errorf("key %d: %w", i+1, err)
			continue
		}
		s.keys = append(s.keys, k)
	}
	if len(s.keys) == 0 {
		if last == nil {
			last = fmt.Errorf("there is none")
		}
		return nil, fmt.Errorf("no key of the JWK Set can be used: %w", last)
	}
	return s, nil
}

func rsaKey(n, e string) (*rsa.PublicKey, error) {
	nb, err := base64.RawURLEncoding.DecodeString(n)
	if err != nil {
		return nil, fmt.Errorf("n: %w", err)
	}
	eb, err := base64.RawURLEncoding.DecodeString(e)
	if err != nil {
		return nil, fmt.Errorf("e: %w", err)
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(nb), E: int(new(big.Int).SetBytes(eb).Uint64())}
	if len(eb) > 4 || k.E < 3 || k.N.BitLen() < 512 || k.N.BitLen() > 16384 {
		return nil, fmt.Errorf("no RSA key of 512 to 16384 bits")
	}
	return k, nil
}

func ecKey(crv, x, y string) (*ecdsa.PublicKey, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	c := curves[crv]
	if c == nil {
		return nil, fmt.Errorf("crv is %q", crv)
	}
	size := (c.Params().BitSize + 7) / 8
	point := append(make([]byte, 0, 1+2*size), 4)
	for _, v := range []string{x, y} {
		b, err := base64.RawURLEncoding.DecodeString(v)
		if err != nil || len(b) > size {
			return nil, fmt.Errorf("no coordinate of %s", crv)
		}
		point = append(append(point, make([]byte, size-len(b))...), b...)
	}
	return ecdsa.ParseUncompressedPublicKey(c, point)
}

// jwsAlgs are the algorithms of RFC 7518 3.1 that sign or authenticate.
var jwsAlgs = map[string]struct {
	hash crypto.Hash
	kind byte // R PKCS #1, P PSS, E ECDSA, H HMAC
	bits int  // of the curve
}{
	"RS256": {crypto.SHA256, 'R', 0}, "RS384": {crypto.SHA384, 'R', 0}, "RS512": {crypto.SHA512, 'R', 0},
	"PS256": {crypto.SHA256, 'P', 0}, "PS384": {crypto.SHA384, 'P', 0}, "PS512": {crypto.SHA512, 'P', 0},
	"ES256": {crypto.SHA256, 'E', 256}, "ES384": {crypto.SHA384, 'E', 384}, "ES512": {crypto.SHA512, 'E', 521},
	"HS256": {crypto.SHA256, 'H', 0}, "HS384": {crypto.SHA384, 'H', 0}, "HS512": {crypto.SHA512, 'H', 0},
}

// The states of a token's signature.
const (
	tokenValid       = "valid"
	tokenInvalid     = "invalid"
	tokenNoKey       = "no_key"
	tokenUnsupported = "unsupported"
	tokenUnsigned    = "unsigned"
)

// verify gives the state of the signature of a JWS in compact form. A key fits when its kind and curve do and, where
// both sides name one, its alg and kid.
func (s *JWKS) verify(raw []byte, alg, kid string) string {
	i := bytes.LastIndexByte(raw, '.')
	if i < 0 || i == len(raw)-1 || alg == "none" {
		return tokenUnsigned
	}
	a, ok := jwsAlgs[alg]
	if !ok {
		return tokenUnsupported
	}
	sig, err := base64.RawURLEncoding.DecodeString(string(bytes.TrimRight(raw[i+1:], "=")))
	if err != nil {
		return tokenInvalid
	}
	h := a.hash.New()
	h.Write(raw[:i])
	sum := h.Sum(nil)
	state := tokenNoKey
	for _, k := range s.keys {
		if kid != "" && k.kid != "" && k.kid != kid || k.alg != "" && k.alg != alg {
			continue
		}
		good := false
		switch key := k.key.(type) {
		case *rsa.PublicKey:
			if a.kind == 'R' {
				good = rsa.VerifyPKCS1v15(key, a.hash, sum, sig) == nil
			} else if a.kind == 'P' {
				good = rsa.VerifyPSS(key, a.hash, sum, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
			} else {
				continue
			}
		case *ecdsa.PublicKey:
			if a.kind != 'E' || key.Curve.Params().BitSize != a.bits {
				continue
			}
			if n := (a.bits + 7) / 8; len(sig) == 2*n {
				good = ecdsa.Verify(key, sum, new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:]))
			}
		case []byte:
			if a.kind != 'H' {
				continue
			}
			m := hmac.New(a.hash.New, key)
			m.Write(raw[:i])
			good = hmac.Equal(m.Sum(nil), sig)
		}
		if good {
			return tokenValid
		}
		state = tokenInvalid
	}
	return state
}

// tokenStates are the fields of the state of a token's signature, by the token's other fields.
var tokenStates = func() map[*tokenFields]*record.Field {
	m := map[*tokenFields]*record.Field{}
	for _, s := range infoServices {
		m[s.token] = reg(s.name+"_info.access_token.signature", "State of the signature: valid, invalid, no_key, unsupported or unsigned; only with a key set (--jwks)", "RFC 7515 5.2", record.String)
	}
	return m
}()

// tokenState verifies the signature of a token where a key set was given, and notes the state beside its claims.
func (c *Context) tokenState(t *token, tf *tokenFields) {
	f := tokenStates[tf]
	if f == nil || c.opt == nil || c.opt.Checks == nil || c.opt.Checks.JWKS == nil {
		return
	}
	c.B.Str(f, c.opt.Checks.JWKS.verify(t.raw, t.alg, t.kid()), record.Place{})
}

func (t *token) kid() string {
	for _, m := range t.head {
		if m.name == "kid" {
			return jsonText(m.value)
		}
	}
	return ""
}

// tokenSignature is TOK-07.
func (c *checkRun) tokenSignature(in *checkInfo, f *record.Field) {
	k := c.child(in.token, tokenStates[in.s.token])
	if c.str(k) != tokenInvalid {
		return
	}
	c.fire("TOK-07", nil, in.p, f, c.at(in.token), "token signature does not verify with the key set (header %s)", quoted([]byte(c.str(c.child(in.token, in.s.token.header)))))
}
