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

	"github.com/mcxdump/mcxdump/internal/lab/known"
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
		Key:      mustHex("000102030405060708090a0b0c0d0e0f"),
		ID:       0x2abcdef0,
		User:     "sip:alice@example.org",
		IMessage: known.IMessage(),
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
