// Package esp opens and seals packets of the IP Encapsulating Security Payload (RFC 4303) with the algorithms that the
// access of IMS uses (TS 33.203 annex H and I) and the usual ones beside them. It knows nothing of captures.
//
// Start with [New], which checks names and key lengths, then [SA.Opener]. An SA and an Opener never print their keys.
//
// Octets of a packet:
//
//	0               SPI
//	4               sequence number, the low 32 bits of an extended one
//	8               initialisation vector, 0, 8 or 16 octets
//	8+iv            payload, padding (0 to 255), pad length (1), next header (1); encrypted
//	end-icv         integrity check value, 0 to 32 octets
package esp
