package tlsopen

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// Content types of records (RFC 8446 5.1).
const (
	typeCCS       = 20
	typeAlert     = 21
	typeHandshake = 22
	typeData      = 23
	typeHeartbeat = 24 // RFC 6520
)

// A record is one record as sent.
type record struct {
	header   [5]byte
	frag     []byte
	off, end int64 // where it lies in the stream, header included
}

func (r *record) typ() byte { return r.header[0] }

// verdict is what became of a record.
type verdict uint8

const (
	opened    verdict = iota
	badTag            // the tag of an AEAD cipher is wrong
	badMAC            // MAC or padding is wrong
	tooLittle         // shorter than what protects it
)

// An opener opens the records of one direction under one key. open appends the content to dst; typ is the content type.
type opener interface {
	open(dst []byte, seq uint64, r *record) (plain []byte, typ byte, v verdict)
	// passed is told of each record, whatever became of it.
	passed(r *record)
}

type aead interface {
	Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error)
}

func (s suite) block(key []byte) (cipher.Block, error) {
	if s.des {
		return des.NewTripleDESCipher(key)
	}
	return aes.NewCipher(key)
}

func (s suite) blockSize() int {
	if s.des {
		return des.BlockSize
	}
	return aes.BlockSize
}

func (s suite) aead(key []byte) (aead, error) {
	if s.kind == kindChaCha {
		return chacha20poly1305.New(key)
	}
	b, err := s.block(key)
	if err != nil {
		return nil, err
	}
	if s.kind == kindCCM {
		return &ccm{b, s.tag}, nil
	}
	return cipher.NewGCM(b)
}

// macData is what MACs and AEAD ciphers of TLS 1.0 to 1.2 cover before the content (RFC 5246 6.2.3.1, 6.2.3.3).
func macData(seq uint64, r *record, n int) [13]byte {
	var b [13]byte
	binary.BigEndian.PutUint64(b[:], seq)
	copy(b[8:], r.header[:3])
	binary.BigEndian.PutUint16(b[11:], uint16(n))
	return b
}

// aead12 is RFC 5246 6.2.3.3 with a nonce of salt and explicit part (RFC 5288 3), or as RFC 7905 2 has it when explicit
// is 0.
type aead12 struct {
	c        aead
	iv       []byte
	explicit int
	tag      int
}

func (o *aead12) open(dst []byte, seq uint64, r *record) ([]byte, byte, verdict) {
	n := len(r.frag) - o.explicit - o.tag
	if n < 0 {
		return dst, 0, tooLittle
	}
	var nonce [12]byte
	copy(nonce[:], o.iv)
	if o.explicit > 0 {
		copy(nonce[len(o.iv):], r.frag[:o.explicit])
	} else {
		mask(&nonce, seq)
	}
	ad := macData(seq, r, n)
	out, err := o.c.Open(dst, nonce[:], r.frag[o.explicit:], ad[:])
	if err != nil {
		return dst, 0, badTag
	}
	return out, r.typ(), opened
}

func (*aead12) passed(*record) {}

// mask adds the sequence number to a nonce (RFC 8446 5.3).
func mask(nonce *[12]byte, seq uint64) {
	for i := range 8 {
		nonce[11-i] ^= byte(seq >> (8 * i))
	}
}

// aead13 is RFC 8446 5.2.
type aead13 struct {
	c   aead
	iv  [12]byte
	tag int

	nonce [12]byte // of the record at hand
}

func (o *aead13) open(dst []byte, seq uint64, r *record) ([]byte, byte, verdict) {
	if len(r.frag) < o.tag+1 {
		return dst, 0, tooLittle
	}
	o.nonce = o.iv
	mask(&o.nonce, seq)
	out, err := o.c.Open(dst, o.nonce[:], r.frag, r.header[:])
	if err != nil {
		return dst, 0, badTag
	}
	// The content type is the last octet that is not 0 (RFC 8446 5.4).
	n := len(out)
	for n > len(dst) && out[n-1] == 0 {
		n--
	}
	if n == len(dst) {
		return dst, 0, tooLittle
	}
	return out[:n-1], out[n-1], opened
}

func (*aead13) passed(*record) {}

// cbc is RFC 5246 6.2.3.2, with encrypt-then-MAC RFC 7366 3. In TLS 1.0 the last block of a record is the IV of the next
// (RFC 2246 6.2.3.2).
type cbc struct {
	block cipher.Block
	mac   hash.Hash
	etm   bool
	iv    []byte // TLS 1.0; nil: each record has its own
}

func (o *cbc) sum(seq uint64, r *record, b []byte) []byte {
	ad := macData(seq, r, len(b))
	o.mac.Reset()
	o.mac.Write(ad[:])
	o.mac.Write(b)
	return o.mac.Sum(nil)
}

func (o *cbc) open(dst []byte, seq uint64, r *record) ([]byte, byte, verdict) {
	b, bs, ms := r.frag, o.block.BlockSize(), o.mac.Size()
	if o.etm {
		n := len(b) - ms
		if n < bs {
			return dst, 0, tooLittle
		}
		if !hmac.Equal(o.sum(seq, r, b[:n]), b[n:]) {
			return dst, 0, badMAC
		}
		b = b[:n]
	}
	iv := o.iv
	if iv == nil {
		if len(b) < bs {
			return dst, 0, tooLittle
		}
		iv, b = b[:bs], b[bs:]
	}
	if len(b) == 0 || len(b)%bs != 0 {
		return dst, 0, tooLittle
	}
	from := len(dst)
	out := append(dst, b...)
	p := out[from:]
	cipher.NewCBCDecrypter(o.block, iv).CryptBlocks(p, p)
	pad := int(p[len(p)-1])
	n := len(p) - 1 - pad
	if !o.etm {
		n -= ms
	}
	if n < 0 {
		return dst, 0, badMAC
	}
	for _, c := range p[len(p)-1-pad:] {
		if int(c) != pad {
			return dst, 0, badMAC
		}
	}
	if !o.etm && !hmac.Equal(o.sum(seq, r, p[:n]), p[n:n+ms]) {
		return dst, 0, badMAC
	}
	return out[:from+n], r.typ(), opened
}

func (o *cbc) passed(r *record) {
	if o.iv == nil {
		return
	}
	b := r.frag
	if o.etm {
		b = b[:max(0, len(b)-o.mac.Size())]
	}
	if n := len(b) - len(o.iv); n >= 0 {
		copy(o.iv, b[n:])
	}
}

// null is RFC 5246 6.2.3.1: a MAC and no encryption.
type null struct{ mac hash.Hash }

func (o *null) open(dst []byte, seq uint64, r *record) ([]byte, byte, verdict) {
	n := len(r.frag) - o.mac.Size()
	if n < 0 {
		return dst, 0, tooLittle
	}
	c := cbc{mac: o.mac}
	if !hmac.Equal(c.sum(seq, r, r.frag[:n]), r.frag[n:]) {
		return dst, 0, badMAC
	}
	return append(dst, r.frag[:n]...), r.typ(), opened
}

func (*null) passed(*record) {}

func newMAC(name string, key []byte) hash.Hash {
	switch name {
	case "MD5":
		return hmac.New(md5.New, key)
	case "SHA":
		return hmac.New(sha1.New, key)
	case "SHA384":
		return hmac.New(sha512.New384, key)
	}
	return hmac.New(sha256.New, key)
}

// openers12 makes the openers of client and server from a master secret (RFC 5246 6.3); nil when the suite is not
// supported.
func openers12(version uint16, s suite, master []byte, client, server *[32]byte, etm bool) (out [2]opener) {
	ivSize := 0
	switch s.kind {
	case kindOther:
		return out
	case kindGCM, kindCCM:
		ivSize = 4
	case kindChaCha:
		ivSize = 12
	case kindCBC:
		if version == version10 {
			ivSize = s.blockSize()
		}
	}
	ms := macSize(s.mac)
	b := prf(version, s, 2*(ms+s.key+ivSize), master, "key expansion", server[:], client[:])
	r := reader{b: b}
	var macs, keys, ivs [2][]byte
	for i, n := range []int{ms, s.key, ivSize} {
		to := [...]*[2][]byte{&macs, &keys, &ivs}[i]
		to[0], to[1] = r.take(n), r.take(n)
	}
	for i := range out {
		switch s.kind {
		case kindNull:
			out[i] = &null{newMAC(s.mac, macs[i])}
		case kindCBC:
			c, err := s.block(keys[i])
			if err != nil {
				return [2]opener{}
			}
			o := &cbc{block: c, mac: newMAC(s.mac, macs[i]), etm: etm}
			if ivSize > 0 {
				o.iv = append([]byte(nil), ivs[i]...)
			}
			out[i] = o
		default:
			c, err := s.aead(keys[i])
			if err != nil {
				return [2]opener{}
			}
			out[i] = &aead12{c: c, iv: append([]byte(nil), ivs[i]...), explicit: 12 - ivSize, tag: s.tag}
		}
	}
	clear(b)
	return out
}

// opener13 makes an opener from a traffic secret (RFC 8446 7.3); nil when the suite is none of TLS 1.3.
func opener13(s suite, traffic []byte) opener {
	if s.mac != "" || s.kind == kindOther {
		return nil
	}
	key := expandLabel(s, traffic, "key", s.key)
	defer clear(key)
	c, err := s.aead(key)
	if err != nil {
		return nil
	}
	o := &aead13{c: c, tag: s.tag}
	copy(o.iv[:], expandLabel(s, traffic, "iv", 12))
	return o
}
