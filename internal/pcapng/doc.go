// Package pcapng reads and writes capture files: classic pcap and pcapng, by content, from any io.Reader.
//
// Start with [NewReader] and [Reader.Next]; to write, with [NewWriter] and [Writer.WritePacket].
//
// It reads classic pcap in both byte orders with microsecond, nanosecond and "modified" (0xa1b2cd34) magics as
// described in draft-ietf-opsawg-pcap, and pcapng as described in draft-ietf-opsawg-pcapng: any number of
// sections of either byte order, Interface Description (4.2), Enhanced Packet (4.3), Simple Packet (4.4), Name
// Resolution (4.5), Interface Statistics (4.6), Decryption Secrets (4.7), Custom (4.8) and the obsolete Packet
// Block (appendix A). Every other block is skipped by its length and counted.
//
// Promises:
//   - no length field of the input sizes an allocation: the buffer grows with octets that have really arrived,
//     and never beyond [Limits.Block] plus one chunk;
//   - everything before a fault is delivered, the fault is an [*Error] with its place in the file, and where a
//     later block or record can be recognised reading goes on there ([Error.Resumed]);
//   - malformed options, trailers and section lengths never cost a packet; they are counted in [Counts];
//   - a packet is delivered as soon as its own octets are there: the reader never waits to fill a chunk, and
//     never looks past an intact record;
//   - [Reader.Next] allocates nothing for a packet without comments. Packet.Data is a slice of the read buffer,
//     valid until the next call.
//
// It leaves out decompression (package decode/capture does that), every other capture format (they are named by
// [NotCaptureError]), the private variants of pcap that share its magic but not its record header (Red Hat 6.1,
// SuSE 6.3, Nokia, AIX), packet hashes, queue and verdict options, and the content of custom blocks.
package pcapng
