// Package mikeyparse reads and writes MIKEY messages, and above all the
// MIKEY-SAKKE I_MESSAGE that 3GPP mission critical services put into SIP.
//
// Start with [Decode], which finds the octets of a message in whatever form a
// body or an SDP line carries them, and with [Parse], which turns the octets
// into a [Message]: a [Header] and a chain of typed payloads.
//
//	raw, form, err := mikeyparse.Decode(body)
//	m, err := mikeyparse.Parse(raw, nil)
//
// [Names] reads only identifiers, without allocating, for a planner; [KeyMgmt]
// walks the SDP lines; [ParseProtected] and [ParseKeyParameters] read what stands
// around and inside encrypted key parameters. [TS.Near] settles which of the
// forms that products use a time stamp has.
//
// Promises. No octets make a function panic, hang or use memory out of
// proportion to the input; every count has a limit ([Limits]). What was read is
// returned together with the error. A defect of the wire that leaves the chain
// readable is a [Deviation], never an error. [Message.AppendBinary] is the exact
// inverse of [Parse] for every input within the limits, broken ones included.
// A [Tracer] is told each field once, in order, without gaps and overlaps. The
// values of a message share the octets given to Parse; nothing is copied.
//
// Covered: RFC 3830 (6.1 to 6.15), RFC 4563 (empty map, Key ID), RFC 4567 (SDP
// lines), RFC 4650 and RFC 4738 (data types, error, CSB ID extension), RFC 5410,
// RFC 6043 (GENERIC-ID map, IDR, TR, RANDR, TP, TICKET), RFC 6267 (IBAKE and ESK
// from outside), RFC 6509 (SAKKE), and TS 33.180 annex E: SAKKE-to-self, key
// parameters with their protected envelope (8.5.4.1), identity hiding.
//
// Left out: all cryptography (signatures, decapsulation, key derivation are in
// other packages), the content of encrypted parts, and the SK and ECCPT
// sub-payloads of RFC 6267, which occur inside encrypted data only and stay raw.
package mikeyparse
