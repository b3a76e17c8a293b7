package sakke

import (
	"crypto/sha256"
	"math/big"
)

// HashToIntegerRange is the function of RFC 6508 section 5.1 with SHA-256:
//
//	A = hash(s),  h_0 = 32 zero octets,  l = ceil(lg(n)/256)
//	h_i = hash(h_(i-1)),  v_i = hash(h_i ‖ A),  i = 1..l
//	result = (v_1 ‖ … ‖ v_l) mod n
//
// lg(n) is the logarithm, so n = 2^256 needs one v. n must be positive.
func HashToIntegerRange(s []byte, n *big.Int) *big.Int {
	bits := n.BitLen()
	if n.TrailingZeroBits() == uint(bits-1) {
		bits-- // a power of two: lg(2^k) = k, and bit length k+1
	}
	v := new(big.Int).SetBytes(hashBlocks(s, (bits+255)/256))
	return v.Mod(v, n)
}

// hashBlocks returns v_1 ‖ … ‖ v_l.
func hashBlocks(s []byte, l int) []byte {
	out := make([]byte, 0, 32*l)
	var in [64]byte // h_i ‖ A
	a := sha256.Sum256(s)
	copy(in[32:], a[:])
	for range l {
		h := sha256.Sum256(in[:32])
		copy(in[:32], h[:])
		v := sha256.Sum256(in[:])
		out = append(out, v[:]...)
	}
	return out
}
