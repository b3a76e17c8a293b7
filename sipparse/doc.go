// Package sipparse reads SIP: it finds messages in datagrams and streams, splits a message into a start line, a header
// table and a body without copying an octet, and splits the body into its MIME parts.
//
// Two calls to start with: [Message.Parse] for octets that are one message (a datagram, a frame), and [Framer] for the
// octets of one direction of a stream. [Message.Parts] then gives the bodies.
//
// Promises. No input makes the package panic, loop or grow without bound; work is linear in the input and every limit
// that is reached is a diagnostic. The input is never written to, and every [Span] points into it. A Message that is
// used again allocates nothing for well-formed traffic. What is wrong on the wire is a [Diag] with a place, a severity
// and the clause that is broken, beside all that could be read; only octets that do not begin with a SIP start line
// are an error.
//
// Covered: RFC 3261 clauses 7, 18.3, 19.1, 20 and 25; RFC 4475 (each of its messages is a row in a test); RFC 5626
// 4.4.1 (keep-alives); RFC 2045, 2046, 2183, 2392 and 5621 (bodies); RFC 3966 (tel), RFC 8141 (urn), RFC 3840
// (feature tags), RFC 3329, RFC 6665, RFC 7616 and RFC 3515 as far as their header fields go.
//
// Left out: transactions and dialogs, SDP, content encodings such as gzip (they are named, not undone), S/MIME, and the
// meaning of any body.
package sipparse
