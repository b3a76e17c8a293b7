// Package sakke implements SAKKE, the identity-based key encapsulation of
// RFC 6508, with parameter set 1 of RFC 6509 (appendix A), in both directions:
// the one set which MIKEY-SAKKE and 3GPP TS 33.180 use.
//
// Begin with [ParseUserKey], which reads a receiver secret key (RSK), and
// [UserKey.Decapsulate]. When more than five messages are expected for one key,
// call [UserKey.Precompute] first, and [UserKey.DecapsulateMany] when they are at
// hand together. The other direction, for laboratories and
// tests, begins with [GenerateMasterSecret] and [PublicKey.Encapsulate].
//
// # Promises
//
// An SSV is returned only when TEST equals R (RFC 6508 section 6.2.2). No octets
// make a call panic, and each call does a bounded number of operations. Points
// are accepted uncompressed, with coordinates below p, on the curve; public and
// user keys also have order q. Every error is an *[Error] which says which field
// failed, under which clause, and why. Types holding a secret print
// "[withheld]" under every verb, also inside other structures.
//
// Two deviations of products are read, and reported as a [Variant]: a mask for
// a 256-bit SSV taken from v_2, and leading zero octets lost from H or from w.
//
// # How it is fast
//
// The field is in internal/fp: Montgomery form, assembly on amd64, sums of
// products with one reduction. A pairing against a precomputed key needs no point
// arithmetic: since <R,K> = <K,R>, the RSK goes first, and the functions of
// Miller's loop are kept as polynomials, up to three doublings and an addition
// merged into one (table.go). Multiples of P, Z and [b]P+Z and powers of g come
// from signed combs (comb.go). Whether a point has order q is told by halving it
// twice (curve.go). The file ref.go has all of it once more with math/big, as the
// RFC has it, and the tests hold each fast path to that.
//
// Where the processor has AVX-512 IFMA, products of the field take less than half
// of the time, and [UserKey.DecapsulateMany] opens eight messages for one key side
// by side (lanes.go).
//
// Counted in products of the field, decapsulation takes about 7,300 with tables
// and 25,500 without, encapsulation 3,600, extraction 1,800. By comparison,
// ref.go takes the time of about 500,000 for a decapsulation.
//
// # Clauses
//
// RFC 6508 section 3.2 (pairing), 4 (encodings), 5.1 (HashToIntegerRange), 6.1
// (RSK, extraction and verification), 6.2 (exchange), appendix A (as the first
// test); RFC 6509 appendix A.
//
// # Left out
//
// Other parameter sets; MIKEY payloads; how an identifier is made (the octets
// are the caller's: a 32-octet UID in MCX, which some products write as 64 hex
// characters). All arithmetic is variable time: this package serves an analyser
// and a laboratory, not an online KMS or terminal.
package sakke
