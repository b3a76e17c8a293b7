package xmlsec

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Namespaces of XML Encryption and XML Signature, and EncryptedData types.
const (
	NSEnc   = "http://www.w3.org/2001/04/xmlenc#"
	NSEnc11 = "http://www.w3.org/2009/xmlenc11#"
	NSSig   = "http://www.w3.org/2000/09/xmldsig#"

	TypeContent      = NSEnc + "Content"
	TypeElement      = NSEnc + "Element"
	TypeEncryptedKey = NSEnc + "EncryptedKey"
)

// Algorithm identifiers of content ciphers (XML Encryption 1.1 5.2).
const (
	URIAES128GCM = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
	URIAES192GCM = "http://www.w3.org/2009/xmlenc11#aes192-gcm"
	URIAES256GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
	URIAES128CBC = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
	URIAES192CBC = "http://www.w3.org/2001/04/xmlenc#aes192-cbc"
	URIAES256CBC = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
)

type contentCipher struct {
	size int // octets of the key
	gcm  bool
}

var ciphers = map[string]contentCipher{
	URIAES128GCM: {16, true}, URIAES192GCM: {24, true}, URIAES256GCM: {32, true},
	URIAES128CBC: {16, false}, URIAES192CBC: {24, false}, URIAES256CBC: {32, false},
}

const (
	gcmIV  = 12 // XML Encryption 1.1 5.2.4
	gcmTag = 16
)

// DecryptInfo describes an EncryptedData and how it was opened. What could be
// read is there also when opening it failed.
type DecryptInfo struct {
	ID        string
	Type      string // EncryptedData/@Type, normally [TypeContent]
	MimeType  string
	Algorithm string // as stated, or as assumed
	Assumed   bool   // EncryptionMethod is absent; AES-GCM was tried
	KeyName   string // as written, white space trimmed
	KeyID     string // the same as 8 hex digits, when it is an identifier
	IV        []byte // initialisation vector, for finding its reuse
	Octets    int    // length of the cipher text, with IV and tag
	Key       string // label of the key that opened it
	Tried     int    // keys tried
	// Unauthenticated is set for CBC, where nothing proves the key: the first
	// candidate was taken whose padding and UTF-8 are right.
	Unauthenticated bool
	Wrapped         *UnwrapInfo // EncryptedKey that gave the key, if any
}

// Decrypt opens an EncryptedData (TS 33.180 9.3.4.2, TS 24.379 6.6.2.3.3, XML
// Encryption 1.1). EncryptionMethod and KeyInfo may be absent: then AES-128-GCM
// is assumed (AES-256-GCM for keys of 32 octets) and the key function is asked
// for all keys. An EncryptedKey in KeyInfo is unwrapped with keys of its own
// KeyName.
//
// The error is ErrNoKey, ErrTag, [ErrMalformed] or [ErrUnsupportedAlgorithm],
// and the info is never nil. The plain text is the caller's.
func Decrypt(ed *etree.Element, keys KeyFunc) ([]byte, *DecryptInfo, error) {
	info := &DecryptInfo{}
	if !Is(ed, NSEnc, "EncryptedData") {
		return nil, info, ErrMalformed{"not an EncryptedData"}
	}
	info.ID = ed.SelectAttrValue("Id", "")
	info.Type = ed.SelectAttrValue("Type", "")
	info.MimeType = ed.SelectAttrValue("MimeType", "")
	keyInfo := Child(ed, NSSig, "KeyInfo")
	info.KeyName = keyName(keyInfo)
	info.KeyID, _ = KeyIDFromName(info.KeyName)
	ct, err := info.read(ed)
	if err != nil {
		return nil, info, err
	}
	var candidates []Key
	var wrapErr error
	for i, ek := range Children(keyInfo, NSEnc, "EncryptedKey") {
		if i == maxRecipients {
			break
		}
		key, w, err := Unwrap(ek, keys)
		if info.Wrapped == nil || err == nil {
			info.Wrapped, wrapErr = w, err
		}
		if err == nil {
			candidates = append(candidates, NewKey(w.Key, key))
			break
		}
	}
	stated := info.Algorithm
	if info.Assumed {
		stated = ""
	}
	candidates = append(candidates, keys.ask(info.KeyName, stated)...)
	plain, err := info.open(ct, candidates, false)
	if wrapErr != nil && (err == ErrNoKey || err == ErrTag) {
		err = wrapErr
	}
	return plain, info, err
}

// maxRecipients bounds the EncryptedKey elements of one KeyInfo that are tried.
const maxRecipients = 8

// read takes algorithm, initialisation vector and length from an EncryptedData
// or EncryptedKey and returns the cipher text with its initialisation vector.
func (info *DecryptInfo) read(el *etree.Element) ([]byte, error) {
	stated, err := method(el)
	if err != nil {
		return nil, err
	}
	info.Algorithm = stated
	if stated == "" {
		info.Algorithm, info.Assumed = URIAES128GCM, true
	}
	c, ok := ciphers[info.Algorithm]
	if !ok {
		return nil, ErrUnsupportedAlgorithm{stated}
	}
	info.Unauthenticated = !c.gcm
	text, err := cipherValue(el)
	if err != nil {
		return nil, err
	}
	ct, err := decodeBase64(text)
	if err != nil {
		return nil, ErrMalformed{"CipherValue is not base64"}
	}
	info.Octets = len(ct)
	n := 16
	if c.gcm {
		n = gcmIV
	}
	if len(ct) >= n {
		info.IV = bytes.Clone(ct[:n])
	}
	if c.gcm && len(ct) < gcmIV+gcmTag {
		return nil, ErrMalformed{"CipherValue is too short for initialisation vector and tag"}
	}
	if !c.gcm && (len(ct) < 32 || len(ct)%16 != 0) {
		return nil, ErrMalformed{"CipherValue is no initialisation vector and whole blocks"}
	}
	return ct, nil
}

// open tries the keys.
func (info *DecryptInfo) open(ct []byte, candidates []Key, isKey bool) ([]byte, error) {
	c := ciphers[info.Algorithm]
	work := budget(DefaultWork)
	for _, k := range candidates {
		key := k.reveal()
		if len(key) != c.size && !(info.Assumed && len(key) == 32) {
			continue
		}
		if !work.spend(len(ct)) {
			return nil, ErrWork
		}
		info.Tried++
		plain, err := open(key, ct, c.gcm)
		if err != nil {
			continue
		}
		// Nothing proves a CBC key, but text is UTF-8 and keys have their lengths.
		if n := len(plain); !c.gcm && (isKey && n != 16 && n != 24 && n != 32 || !isKey && !utf8.Valid(plain)) {
			continue
		}
		info.Key = k.Label
		if info.Assumed && len(key) == 32 {
			info.Algorithm = URIAES256GCM
		}
		return plain, nil
	}
	if info.Tried == 0 {
		return nil, ErrNoKey
	}
	return nil, ErrTag
}

// open decrypts what has been checked to be long enough.
func open(key, ct []byte, gcm bool) ([]byte, error) {
	block, err := newAES(key)
	if err != nil {
		return nil, err
	}
	if gcm {
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		plain, err := aead.Open(nil, ct[:gcmIV], ct[gcmIV:], nil)
		if err != nil {
			return nil, ErrTag
		}
		return plain, nil
	}
	plain := make([]byte, len(ct)-16)
	cipher.NewCBCDecrypter(block, ct[:16]).CryptBlocks(plain, ct[16:])
	pad := int(plain[len(plain)-1]) // XML Encryption 1.1 5.2.1: only the last octet counts
	if pad < 1 || pad > 16 {
		return nil, ErrTag
	}
	return plain[:len(plain)-pad], nil
}

// method returns EncryptionMethod/@Algorithm, empty when the element is absent.
func method(el *etree.Element) (string, error) {
	m := Children(el, NSEnc, "EncryptionMethod")
	switch {
	case len(m) == 0:
		return "", nil
	case len(m) > 1:
		return "", ErrMalformed{"two EncryptionMethod elements"}
	}
	a := m[0].SelectAttr("Algorithm")
	if a == nil || a.Value == "" {
		return "", ErrMalformed{"EncryptionMethod without Algorithm"}
	}
	return a.Value, nil
}

// cipherValue returns the text of the one CipherValue.
func cipherValue(el *etree.Element) (string, error) {
	data := Children(el, NSEnc, "CipherData")
	if len(data) != 1 {
		return "", ErrMalformed{"not exactly one CipherData"}
	}
	v := Children(data[0], NSEnc, "CipherValue")
	if len(v) != 1 {
		if Child(data[0], NSEnc, "CipherReference") != nil {
			return "", ErrUnsupportedAlgorithm{NSEnc + "CipherReference"}
		}
		return "", ErrMalformed{"not exactly one CipherValue"}
	}
	return Text(v[0]), nil
}

// keyName returns the first KeyName of a KeyInfo that is not empty.
func keyName(keyInfo *etree.Element) string {
	for _, n := range Children(keyInfo, NSSig, "KeyName") {
		if s := strings.TrimSpace(Text(n)); s != "" {
			return s
		}
	}
	return ""
}

// EncryptOptions describe an element to write with [Encrypt].
type EncryptOptions struct {
	Algorithm string // default [URIAES128GCM]
	Key       []byte
	KeyName   string // no KeyInfo when empty
	Type      string // default [TypeContent]
	IV        []byte // random when nil; given only in tests
	Bare      bool   // without EncryptionMethod
}

// Encrypt returns a new EncryptedData with the plain text, which is serialised
// element content, as TS 33.180 9.3.4.2 shows it.
func Encrypt(plain []byte, o EncryptOptions) (*etree.Element, error) {
	if o.Algorithm == "" {
		o.Algorithm = URIAES128GCM
	}
	if o.Type == "" {
		o.Type = TypeContent
	}
	c, ok := ciphers[o.Algorithm]
	if !ok {
		return nil, ErrUnsupportedAlgorithm{o.Algorithm}
	}
	if len(o.Key) != c.size {
		return nil, fmt.Errorf("xmlsec: the key has %d octets, the algorithm needs %d", len(o.Key), c.size)
	}
	ct, err := seal(o.Key, o.IV, plain, c.gcm)
	if err != nil {
		return nil, err
	}
	alg := o.Algorithm
	if o.Bare {
		alg = ""
	}
	return encrypted("EncryptedData", o.Type, alg, o.KeyName, ct), nil
}

// seal returns the initialisation vector and the cipher text.
func seal(key, iv, plain []byte, gcm bool) ([]byte, error) {
	block, err := newAES(key)
	if err != nil {
		return nil, err
	}
	n := gcmIV
	if !gcm {
		n = 16
	}
	if iv == nil {
		iv = make([]byte, n)
		if _, err := rand.Read(iv); err != nil {
			return nil, err
		}
	}
	if len(iv) != n {
		return nil, errors.New("xmlsec: wrong length of the initialisation vector")
	}
	out := append(make([]byte, 0, n+len(plain)+16), iv...)
	if gcm {
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		return aead.Seal(out, iv, plain, nil), nil
	}
	pad := 16 - len(plain)%16
	out = append(out, plain...)
	out = append(out, make([]byte, pad)...)
	out[len(out)-1] = byte(pad)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out[n:], out[n:])
	return out, nil
}

func encrypted(tag, typ, algorithm, name string, ct []byte) *etree.Element {
	el := etree.NewElement("xenc:" + tag)
	el.CreateAttr("xmlns:xenc", NSEnc)
	el.CreateAttr("Type", typ)
	if algorithm != "" {
		el.CreateElement("xenc:EncryptionMethod").CreateAttr("Algorithm", algorithm)
	}
	if name != "" {
		ki := el.CreateElement("ds:KeyInfo")
		ki.CreateAttr("xmlns:ds", NSSig)
		ki.CreateElement("ds:KeyName").CreateText(name)
	}
	el.CreateElement("xenc:CipherData").CreateElement("xenc:CipherValue").CreateText(base64.StdEncoding.EncodeToString(ct))
	return el
}

// WrapOptions describe an element to write with [Wrap].
type WrapOptions struct {
	KEK            []byte // key-encryption key of 16, 24 or 32 octets
	KeyName        string // its name
	CarriedKeyName string // name of the wrapped key, if it is to be told
	Padded         bool   // RFC 5649; needed when the key is no multiple of 8 octets
	Hex            bool   // write hex, as an implementation in the field does
}

// Wrap returns a new EncryptedKey as in KMS documents (TS 33.180 annex D). The
// announced algorithm is kw-aes for the length of the key, padded or not, since
// that is what is found in the field.
func Wrap(key []byte, o WrapOptions) (*etree.Element, error) {
	wrapKey := WrapKey
	if o.Padded {
		wrapKey = WrapKeyPadded
	}
	ct, err := wrapKey(o.KEK, key)
	if err != nil {
		return nil, err
	}
	uri := map[int]string{16: URIKeyWrap128, 24: URIKeyWrap192, 32: URIKeyWrap256}[len(o.KEK)]
	el := encrypted("EncryptedKey", TypeEncryptedKey, uri, o.KeyName, ct)
	if o.Hex {
		Child(Child(el, NSEnc, "CipherData"), NSEnc, "CipherValue").SetText(fmt.Sprintf("%X", ct))
	}
	if o.CarriedKeyName != "" {
		el.CreateElement("xenc:CarriedKeyName").CreateText(o.CarriedKeyName)
	}
	return el, nil
}
