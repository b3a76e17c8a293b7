// Package tlsopen reads TLS connections as an onlooker who may hold their keys: records, handshake messages, the key
// schedule, decryption. It is pure: octets of both directions in, events out, keys by a call.
//
// Start with [New], which takes [Keys] and a [Sink]; give it the octets of each direction with [Conn.Write], what is
// missing with [Conn.Gap] and the end with [Conn.Close].
//
// It covers TLS 1.0 to 1.3 (RFC 2246, RFC 4346, RFC 5246, RFC 8446) with AES in GCM (RFC 5288), CCM (RFC 6655) and CBC
// (RFC 5246, RFC 3268, RFC 7366), 3DES in CBC, ChaCha20-Poly1305 (RFC 7905) and NULL suites; resumption, renegotiation
// (RFC 5746), extended master secret (RFC 7627), key update, early data and hello retry requests.
//
// Its promises: no panic on any octets, memory bounded by [Limits]; no octet of application data is handed out whose
// tag or MAC is wrong; a gap costs the records that it touches, and the sequence number is found again.
//
// It leaves out compression, RC4, other ciphers than the above, encrypted ClientHello, and DTLS. Certificates and
// Finished messages are not verified: an onlooker trusts the keys he was given.
package tlsopen
