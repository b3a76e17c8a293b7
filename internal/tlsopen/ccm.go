package tlsopen

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

var errTag = errors.New("tag mismatch")

// ccm opens AES-CCM with nonces of 12 octets (RFC 3610 with L = 3, RFC 6655).
type ccm struct {
	block cipher.Block
	tag   int
}

// mac is CBC-MAC over the formatted input (RFC 3610 2.2); the additional data is shorter than 0xff00 octets.
func (c *ccm) mac(nonce, plain, ad []byte) (x [16]byte) {
	x[0] = byte((c.tag-2)/2)<<3 | 2
	if len(ad) > 0 {
		x[0] |= 0x40
	}
	copy(x[1:13], nonce)
	x[13], x[14], x[15] = byte(len(plain)>>16), byte(len(plain)>>8), byte(len(plain))
	c.block.Encrypt(x[:], x[:])
	add := func(b []byte, at int) {
		for len(b) > 0 {
			n := subtle.XORBytes(x[at:], x[at:], b)
			b, at = b[n:], 0
			c.block.Encrypt(x[:], x[:])
		}
	}
	if len(ad) > 0 {
		var n [2]byte
		binary.BigEndian.PutUint16(n[:], uint16(len(ad)))
		x[0], x[1] = x[0]^n[0], x[1]^n[1]
		add(ad, 2)
	}
	add(plain, 0)
	return x
}

func (c *ccm) counter(nonce []byte) (a [16]byte) {
	a[0] = 2
	copy(a[1:13], nonce)
	return a
}

// Open is that of cipher.AEAD.
func (c *ccm) Open(dst, nonce, ciphertext, ad []byte) ([]byte, error) {
	n := len(ciphertext) - c.tag
	if n < 0 || n >= 1<<24 {
		return nil, errTag
	}
	a := c.counter(nonce)
	var s0 [16]byte
	ctr := cipher.NewCTR(c.block, a[:])
	ctr.XORKeyStream(s0[:], s0[:])
	from := len(dst)
	out := append(dst, ciphertext[:n]...)
	ctr.XORKeyStream(out[from:], out[from:])
	t := c.mac(nonce, out[from:], ad)
	subtle.XORBytes(t[:], t[:], s0[:])
	if subtle.ConstantTimeCompare(t[:c.tag], ciphertext[n:]) != 1 {
		clear(out[from:])
		return nil, errTag
	}
	return out, nil
}
