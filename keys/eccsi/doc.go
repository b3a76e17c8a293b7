// Package eccsi implements ECCSI, the certificateless signatures of RFC 6507,
// over P-256 with SHA-256 (N = 32), the form which MIKEY-SAKKE (RFC 6509) and
// 3GPP TS 33.180 use.
//
// Begin with [ParsePublicKey], which reads the KPAK of a KMS, and
// [PublicKey.Verify]. Where one signer is met again and again, hold a
// [Verifier] for (KPAK, ID, PVT), or let a [Cache] hold them: it keeps multiples
// of the point Y = [HS]PVT + KPAK.
//
// # How it is fast
//
// Verification works on public data only, so it may take variable time: the
// scalars are multiplied out and J becomes one sum of multiples with common
// doublings (verify.go), over tables for G, KPAK and, once the signer is known,
// Y. The arithmetic is in internal/p256, with assembly on amd64. Keys and
// signatures are made with nistec.
//
// # Promises
//
// No octets given as signature, key, identifier or message make a call panic.
// A signature has exactly 129 octets. r and s are integers which may exceed p
// or q and are reduced, never refused (RFC 6507 section 5.2.2 sets no range);
// the comparison is of Jx and r modulo p. Every error is an *[Error] which says
// which field and clause failed. Types holding a secret print "[withheld]"
// under every verb, also inside other structures.
//
// # Clauses
//
// RFC 6507 section 5.1.1 (KMS keys), 5.1.2 (signing keys and their validation),
// 5.2.1 (signing), 5.2.2 (verification), appendix A (as the first test).
//
// # Left out
//
// Other curves and hashes; MIKEY framing; what an identifier is (the octets are
// the caller's: the 32-octet UID in MCX, some products write it as 64 hex
// characters). Arithmetic modulo q on secrets is variable time: this package
// serves an analyser and a laboratory, not an online KMS.
package eccsi
