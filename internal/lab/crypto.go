package lab

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/mcxdump/mcxdump/keys"
)

// A CSK is a client-server key as the lab hands it out: the key, its identifier, the I_MESSAGE that carries it, and the
// MC service ID that keys derived from it are bound to.
type CSK struct {
	Key      []byte
	ID       uint32
	User     string // P0 of the derivations
	IMessage []byte
	Reading  keys.Variant // another reading of TS 33.180 F.1.4 by which its owner derives keys
}

// KnownCSK is the key of the published known-answer set: test keys only, openable with the KMS data of that set.
func KnownCSK() CSK {
	return CSK{
		Key:  mustHex("000102030405060708090a0b0c0d0e0f"),
		ID:   0x2abcdef0,
		User: "sip:alice@example.org",
		IMessage: mustHex(`
  011a05012abcdef00102060001000000042abcdef00b00e93c7f00000000000e10a0a1a2a3a4a5a6a7a8a9aaabacadae
  af0e010100157369703a616c696365406578616d706c652e6f72670e020100116d637074742e6578616d706c652e6f72
  670e0601000f6b6d732e6578616d706c652e6f72670a0701000f6b6d732e6578616d706c652e6f72671a000000120001
  0601011004010c0501000601001401101501020111040e539c173778c14219bb0e048d02830aaefb2b0ffd0cf78f6398
  459ab4ced97ba975e6d788540aa48d52a734836f9090e1130cdec764fb03000df38ade34c071df63614749004d7569ab
  048cfc074278466c57f7a20b6bf8ba51447cd32dbe25d2d37b9964f3e02cc4674a52844c9842931c8050dd03e438181d
  b667485398934568ebd1ac0fed3208ce7af5abbbd7f114c452cb3c96ed673485f70d146fe43558032e636a4ed105b641
  1c630836279f8d8470d22363af288c27aaa0523ebd3da409a3193dc892068c874128287043b32386f1c533a3f7ccbb9b
  b6bf98a38382228140bc1013a43bd0ef5dd3d970546f82687242c17035774618440b418a78b2234bb41eb9c38a4c5450
  d5744440c1e904070044430065920080000000000001101112131415161718191a1b1c1d1e1f2abcdef07800219b5f37
  238ba34fc112baf76d736693eaa91c0c675d45ff6c21aaa834ab172c4cc020812fe1ebae51965c853e25e3f84f4a470d
  d89aed34a8f7e3e2b1e1ae2ca09514daf3625ae7546291650163ce85c3f19af6a14dfde8af686772650cd8c83b98e104
  04ed447e151155f0c88ea2710e19aa6c84f8e92730cddb425e68f92631b896b27b755c342a0e125acf74e010e18f3453
  a878ee65de2ab275f8513e9362a362347b`),
	}
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err) // a constant of this file
	}
	return b
}

// xpk derives the confidentiality (fc 0x51) or integrity (fc 0x52) key, TS 33.180 F.1.4.
func (k CSK) xpk(fc byte) []byte {
	if k.Reading != (keys.Variant{}) {
		return keys.DeriveXPK(k.Key, keys.Purpose(fc), k.User, k.ID, k.Reading)
	}
	s := cat([]byte{fc}, []byte(k.User), be16(len(k.User)), be32(int(k.ID)), be16(4))
	m := hmac.New(sha256.New, k.Key)
	m.Write(s)
	return m.Sum(nil)[16:]
}

// KeyName is the base64 form of the key identifier, as KeyName and key-id carry it.
func (k CSK) KeyName() string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, k.ID))
}

// seal encrypts under the confidentiality key with the lab's next IV and returns IV and ciphertext with tag.
func (w *World) seal(k CSK, plain string) (iv, ct []byte) {
	block, err := aes.NewCipher(k.xpk(0x51))
	if err != nil {
		panic(err) // the key is always 16 octets
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	iv = w.octets(12)
	return iv, gcm.Seal(nil, iv, []byte(plain), nil)
}

// Encrypted is the EncryptedData element around content, TS 24.379 6.6.2.3.3 and XML Encryption 1.1.
func (w *World) Encrypted(k CSK, content string) string {
	iv, ct := w.seal(k, content)
	return `<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Content">` +
		`<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"/>` +
		`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:KeyName>` + k.KeyName() + `</ds:KeyName></ds:KeyInfo>` +
		`<xenc:CipherData><xenc:CipherValue>` + base64.StdEncoding.EncodeToString(cat(iv, ct)) + `</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>`
}

// EncryptedURI is the protected form of a URI in an attribute, TS 24.379 6.6.2.3.4 and TS 23.003 26.2.
func (w *World) EncryptedURI(k CSK, uri string) string {
	iv, ct := w.seal(k, uri)
	return "sip:" + base64.StdEncoding.EncodeToString(ct) + ";iv=" + base64.StdEncoding.EncodeToString(iv) +
		";key-id=" + k.KeyName() + ";alg=128-aes-gcm@mc1-encrypted.3gppnetwork.org"
}

// Signed is an mcptt-signed body with one Signature per part, TS 24.379 F.6. It is written in canonical form, so that
// the signed octets are the written ones plus the inherited default namespace ns.
func (w *World) Signed(k CSK, ns string, parts ...Part) string {
	const ds = "http://www.w3.org/2000/09/xmldsig#"
	b := `<signatures xmlns="` + ns + `">`
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p.Body))
		info := `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"></ds:CanonicalizationMethod>` +
			`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"></ds:SignatureMethod>` +
			`<ds:Reference URI="cid:` + p.ContentID + `"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>` +
			`<ds:DigestValue>` + base64.StdEncoding.EncodeToString(sum[:]) + `</ds:DigestValue></ds:Reference></ds:SignedInfo>`
		m := hmac.New(sha256.New, k.xpk(0x52))
		m.Write([]byte(`<ds:SignedInfo xmlns="` + ns + `" xmlns:ds="` + ds + `">` + info))
		b += `<ds:Signature xmlns:ds="` + ds + `"><ds:SignedInfo>` + info +
			`<ds:SignatureValue>` + base64.StdEncoding.EncodeToString(m.Sum(nil)) + `</ds:SignatureValue>` +
			`<ds:KeyInfo><ds:KeyName>` + k.KeyName() + `</ds:KeyName></ds:KeyInfo></ds:Signature>`
	}
	return b + `</signatures>`
}

// Token is an access token as an IdM server issues it: a JWS whose signature is the lab's noise.
func (w *World) Token(mcID string) string {
	enc := base64.RawURLEncoding.EncodeToString
	head := `{"alg":"RS256","typ":"JWT","kid":"lab-1"}`
	exp := w.Net.Clock.Unix() + 3600
	body := `{"iss":"https://idms.example.org","mcptt_id":"` + mcID + `","client_id":"MCPTT_UE_1","scope":"openid 3gpp:mc:ptt_service 3gpp:mc:ptt_key_management_service","exp":` + itoa(exp) + `}`
	return enc([]byte(head)) + "." + enc([]byte(body)) + "." + enc(w.octets(64))
}
