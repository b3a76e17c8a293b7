// Package record holds the one value that everything downstream of the decoder shares: a Record, which is one SIP
// (or HTTP) message, a finding about a stream, or the summary at the end.
//
// Start with [Register], which declares a field once under its stable dotted name, and with [Builder], which grows a
// Record's tree. A Record is immutable once the pipeline has handed it on; filters and printers read it from several
// goroutines without locks.
//
// The tree is a flat slice in preorder. A [Node] points at its [Field], at a range of octets in a [Source] (captured,
// reassembled, transfer-decoded, decrypted) and, where it applies, at a [Protection]. A field's name is the display
// filter's name, the argument of -e and the JSON path with bodies[] left out: one name, three uses.
//
// The package is a leaf: it imports the standard library only and knows no protocol. It leaves out how a record is
// made (decode) and how it is shown (output).
package record
