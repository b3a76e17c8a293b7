package xmlsec

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// maxWrapped bounds wrapped key material; the largest known is an RSK of 257 octets.
const maxWrapped = 64 << 10

var kwIV = [8]byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6} // RFC 3394 2.2.3.1

var kwpIV = [4]byte{0xa6, 0x59, 0x59, 0xa6} // RFC 5649 3

// WrapKey wraps a key with AES key wrap (RFC 3394). The key's length is a
// multiple of 8 octets and at least 16.
func WrapKey(kek, key []byte) ([]byte, error) {
	if len(key) < 16 || len(key)%8 != 0 || len(key) > maxWrapped {
		return nil, fmt.Errorf("xmlsec: a key of %d octets cannot be wrapped (RFC 3394 2.2.1)", len(key))
	}
	return wrap(kek, kwIV, key)
}

// UnwrapKey undoes [WrapKey]; ErrTag means the wrong key-encryption key.
func UnwrapKey(kek, wrapped []byte) ([]byte, error) {
	if len(wrapped) < 24 {
		return nil, ErrMalformed{"wrapped key is too short (RFC 3394 2.2.2)"}
	}
	iv, key, err := unwrap(kek, wrapped)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(iv[:], kwIV[:]) != 1 {
		return nil, ErrTag
	}
	return key, nil
}

// WrapKeyPadded wraps a key of any length but zero with padding (RFC 5649).
func WrapKeyPadded(kek, key []byte) ([]byte, error) {
	if len(key) == 0 || len(key) > maxWrapped {
		return nil, fmt.Errorf("xmlsec: a key of %d octets cannot be wrapped (RFC 5649 4.1)", len(key))
	}
	var iv [8]byte
	copy(iv[:], kwpIV[:])
	binary.BigEndian.PutUint32(iv[4:], uint32(len(key)))
	padded := make([]byte, (len(key)+7)/8*8)
	copy(padded, key)
	if len(padded) > 8 {
		return wrap(kek, iv, padded)
	}
	c, err := newAES(kek)
	if err != nil {
		return nil, err
	}
	out := append(iv[:], padded...)
	c.Encrypt(out, out)
	return out, nil
}

// UnwrapKeyPadded undoes [WrapKeyPadded]; ErrTag means the wrong key-encryption key.
func UnwrapKeyPadded(kek, wrapped []byte) ([]byte, error) {
	var iv [8]byte
	var key []byte
	switch {
	case len(wrapped) < 16 || len(wrapped)%8 != 0:
		return nil, ErrMalformed{"wrapped key is no multiple of 8 octets, or too short (RFC 5649 4.2)"}
	case len(wrapped) == 16:
		c, err := newAES(kek)
		if err != nil {
			return nil, err
		}
		var out [16]byte
		c.Decrypt(out[:], wrapped)
		iv, key = [8]byte(out[:8]), append([]byte(nil), out[8:]...)
	default:
		var err error
		if iv, key, err = unwrap(kek, wrapped); err != nil {
			return nil, err
		}
	}
	n := int64(binary.BigEndian.Uint32(iv[4:]))
	ok := subtle.ConstantTimeCompare(iv[:4], kwpIV[:])
	if ok != 1 || n > int64(len(key)) || n <= int64(len(key)-8) {
		return nil, ErrTag
	}
	for _, b := range key[n:] {
		if b != 0 {
			return nil, ErrTag
		}
	}
	return key[:n], nil
}

func newAES(key []byte) (cipherBlock, error) {
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("xmlsec: an AES key has 16, 24 or 32 octets, not %d", len(key))
	}
	return c, nil
}

type cipherBlock interface {
	BlockSize() int
	Encrypt(dst, src []byte)
	Decrypt(dst, src []byte)
}

// wrap is RFC 3394 2.2.1 in its index-based form.
func wrap(kek []byte, iv [8]byte, key []byte) ([]byte, error) {
	c, err := newAES(kek)
	if err != nil {
		return nil, err
	}
	n := len(key) / 8
	out := make([]byte, 8+len(key))
	copy(out[8:], key)
	var b [16]byte
	copy(b[:8], iv[:])
	for j := range 6 {
		for i := 1; i <= n; i++ {
			copy(b[8:], out[8*i:])
			c.Encrypt(b[:], b[:])
			copy(out[8*i:8*i+8], b[8:])
			t := binary.BigEndian.Uint64(b[:8]) ^ uint64(n*j+i)
			binary.BigEndian.PutUint64(b[:8], t)
		}
	}
	copy(out, b[:8])
	return out, nil
}

// unwrap is RFC 3394 2.2.2 without the check of the initial value.
func unwrap(kek, wrapped []byte) (iv [8]byte, key []byte, err error) {
	if len(wrapped)%8 != 0 || len(wrapped) < 16 {
		return iv, nil, ErrMalformed{"wrapped key is no multiple of 8 octets (RFC 3394 2.2.2)"}
	}
	if len(wrapped) > maxWrapped {
		return iv, nil, ErrMalformed{"wrapped key is longer than any key"}
	}
	c, err := newAES(kek)
	if err != nil {
		return iv, nil, err
	}
	n := len(wrapped)/8 - 1
	key = append([]byte(nil), wrapped[8:]...)
	var b [16]byte
	copy(b[:8], wrapped)
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			t := binary.BigEndian.Uint64(b[:8]) ^ uint64(n*j+i)
			binary.BigEndian.PutUint64(b[:8], t)
			copy(b[8:], key[8*(i-1):])
			c.Decrypt(b[:], b[:])
			copy(key[8*(i-1):8*i], b[8:])
		}
	}
	return [8]byte(b[:8]), key, nil
}

// Algorithm identifiers of key wrapping (XML Encryption 1.1 5.6).
const (
	URIKeyWrap128       = "http://www.w3.org/2001/04/xmlenc#kw-aes128"
	URIKeyWrap192       = "http://www.w3.org/2001/04/xmlenc#kw-aes192"
	URIKeyWrap256       = "http://www.w3.org/2001/04/xmlenc#kw-aes256"
	URIKeyWrapPadded128 = "http://www.w3.org/2009/xmlenc11#kw-aes-128-pad"
	URIKeyWrapPadded192 = "http://www.w3.org/2009/xmlenc11#kw-aes-192-pad"
	URIKeyWrapPadded256 = "http://www.w3.org/2009/xmlenc11#kw-aes-256-pad"
)

// keyWrapSize returns the length of the key-encryption key of an algorithm.
func keyWrapSize(uri string) int {
	switch uri {
	case URIKeyWrap128, URIKeyWrapPadded128:
		return 16
	case URIKeyWrap192, URIKeyWrapPadded192:
		return 24
	case URIKeyWrap256, URIKeyWrapPadded256:
		return 32
	}
	return 0
}

// UnwrapInfo describes an EncryptedKey and how it was opened. What could be read
// is there also when opening it failed.
type UnwrapInfo struct {
	ID             string
	Algorithm      string // as stated; empty when EncryptionMethod is absent
	KeyName        string // of the key-encryption key
	KeyID          string // the same as 8 hex digits, when it is an identifier
	CarriedKeyName string // name of the key inside
	Recipient      string
	Variant        string // encoding and method that matched, such as "base64, RFC 5649"
	Key            string // label of the key that opened it
	Tried          int    // keys tried
}

// Unwrap opens an EncryptedKey (TS 33.180 annex D, XML Encryption 1.1 3.5). An
// implementation in the field announces kw-aes256, pads as RFC 5649 and writes
// hex, so both encodings and both methods are tried whatever is announced:
// base64 before hex, RFC 5649 before RFC 3394. The check values decide, and
// [UnwrapInfo] names the variant.
//
// The error is ErrNoKey, ErrTag, [ErrMalformed] or [ErrUnsupportedAlgorithm].
func Unwrap(ek *etree.Element, keys KeyFunc) ([]byte, *UnwrapInfo, error) {
	info := &UnwrapInfo{}
	if !Is(ek, NSEnc, "EncryptedKey") {
		return nil, info, ErrMalformed{"not an EncryptedKey"}
	}
	info.ID = ek.SelectAttrValue("Id", "")
	info.Recipient = ek.SelectAttrValue("Recipient", "")
	if c := Child(ek, NSEnc, "CarriedKeyName"); c != nil {
		info.CarriedKeyName = strings.TrimSpace(Text(c))
	}
	info.KeyName = keyName(Child(ek, NSSig, "KeyInfo"))
	info.KeyID, _ = KeyIDFromName(info.KeyName)
	stated, err := method(ek)
	info.Algorithm = stated
	if err != nil {
		return nil, info, err
	}
	if _, ok := ciphers[stated]; ok { // a key encrypted as if it were content
		var d DecryptInfo
		ct, err := d.read(ek)
		if err != nil {
			return nil, info, err
		}
		key, err := d.open(ct, keys.ask(info.KeyName, stated), true)
		info.Key, info.Tried = d.Key, d.Tried
		if err == nil {
			info.Variant = "base64, content cipher"
		}
		return key, info, err
	}
	size := keyWrapSize(stated)
	if stated != "" && size == 0 {
		return nil, info, ErrUnsupportedAlgorithm{stated}
	}
	text, err := cipherValue(ek)
	if err != nil {
		return nil, info, err
	}
	if len(text) > 4*maxWrapped {
		return nil, info, ErrMalformed{"wrapped key is longer than any key"}
	}
	type coded struct {
		name   string
		octets []byte
	}
	var codings []coded
	if b, err := decodeBase64(text); err == nil && len(b)%8 == 0 && len(b) >= 16 {
		codings = append(codings, coded{"base64", b})
	}
	if b, err := decodeHex(text); err == nil && len(b)%8 == 0 && len(b) >= 16 {
		codings = append(codings, coded{"hex", b})
	}
	if len(codings) == 0 {
		return nil, info, ErrMalformed{"CipherValue is no wrapped key: a multiple of 8 octets, at least 16, in base64 or hex"}
	}
	work := budget(DefaultWork)
	for _, k := range keys.ask(info.KeyName, stated) {
		kek := k.reveal()
		if size != 0 && len(kek) != size || size == 0 && len(kek) != 16 && len(kek) != 24 && len(kek) != 32 {
			continue
		}
		info.Tried++
		for _, c := range codings {
			for _, m := range []struct {
				name string
				open func(kek, wrapped []byte) ([]byte, error)
			}{{"RFC 5649", UnwrapKeyPadded}, {"RFC 3394", UnwrapKey}} {
				if !work.spend(12 * len(c.octets)) {
					return nil, info, ErrWork
				}
				if key, err := m.open(kek, c.octets); err == nil {
					info.Variant, info.Key = c.name+", "+m.name, k.Label
					return key, info, nil
				}
			}
		}
	}
	if info.Tried == 0 {
		return nil, info, ErrNoKey
	}
	return nil, info, ErrTag
}
