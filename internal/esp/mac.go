package esp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// xcbc is AES-XCBC-MAC (RFC 3566 4).
func xcbc(key []byte) (macFunc, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	var k [3][16]byte
	for i := range k {
		for j := range k[i] {
			k[i][j] = byte(i + 1)
		}
		b.Encrypt(k[i][:], k[i][:])
	}
	b, err = aes.NewCipher(k[0][:])
	if err != nil {
		return nil, err
	}
	return lastXor(b, k[1], k[2]), nil
}

// cmac is AES-CMAC (RFC 4493 2.3).
func cmac(key []byte) (macFunc, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	var l [16]byte
	b.Encrypt(l[:], l[:])
	k1 := double(l)
	return lastXor(b, k1, double(k1)), nil
}

// double multiplies by x in GF(2^128).
func double(a [16]byte) (out [16]byte) {
	hi, lo := binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(a[8:])
	carry := hi >> 63
	binary.BigEndian.PutUint64(out[:], hi<<1|lo>>63)
	binary.BigEndian.PutUint64(out[8:], lo<<1^carry*0x87)
	return out
}

// lastXor is a CBC-MAC whose last block is masked: with whole when it is full, with part when it had to be padded.
func lastXor(b cipher.Block, whole, part [16]byte) macFunc {
	return func(dst []byte, parts ...[]byte) []byte {
		var sum, block [16]byte
		n := 0
		for _, p := range parts {
			for len(p) > 0 {
				if n == len(block) { // there is more, so this is not the last one
					subtle.XORBytes(sum[:], sum[:], block[:])
					b.Encrypt(sum[:], sum[:])
					n = 0
				}
				k := copy(block[n:], p)
				n, p = n+k, p[k:]
			}
		}
		mask := &whole
		if n < len(block) {
			block[n] = 0x80
			clear(block[n+1:])
			mask = &part
		}
		subtle.XORBytes(sum[:], sum[:], block[:])
		subtle.XORBytes(sum[:], sum[:], mask[:])
		b.Encrypt(sum[:], sum[:])
		return append(dst, sum[:]...)
	}
}

// ccmTag is the authentication of CCM (RFC 3610 2.2) with a length field of 4 octets and a nonce of 11, as RFC 4309 3
// has it.
func ccmTag(b cipher.Block, nonce, aad, plain []byte, size int) []byte {
	var sum, block [16]byte
	sum[0] = 0x40 | byte(size-2)/2<<3 | 3
	copy(sum[1:12], nonce)
	binary.BigEndian.PutUint32(sum[12:], uint32(len(plain)))
	b.Encrypt(sum[:], sum[:])
	// The additional data is at most 12 octets, so its length and itself take one block.
	binary.BigEndian.PutUint16(block[:], uint16(len(aad)))
	copy(block[2:], aad)
	subtle.XORBytes(sum[:], sum[:], block[:])
	b.Encrypt(sum[:], sum[:])
	for len(plain) > 0 {
		n := subtle.XORBytes(sum[:], sum[:], plain)
		b.Encrypt(sum[:], sum[:])
		plain = plain[n:]
	}
	clear(block[:])
	block[0] = 3
	copy(block[1:12], nonce)
	b.Encrypt(block[:], block[:])
	subtle.XORBytes(sum[:], sum[:], block[:])
	return append([]byte(nil), sum[:size]...)
}
