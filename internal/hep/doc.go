// Package hep is HEP version 3 (EEP), in which SIP proxies and capture agents mirror messages to a collector: a list of
// chunks that tell the addresses, the protocol and the time, and the payload.
//
// Start with [Parse] and [Packet.AppendBinary]; [Looks] and [Size] cut packets out of a stream.
//
//	 0      1      2      3      4      5
//	+------+------+------+------+------+------+------------- ...
//	| 'H'  | 'E'  | 'P'  | '3'  |total length | chunks
//	+------+------+------+------+------+------+------------- ...
//
//	a chunk: vendor (16), type (16), length (16, these 6 octets included), value
//
// Clauses are those of "HEP3 Network Protocol Specification" (sipcapture.org); its generic chunks (vendor 0) are known, and
// others are counted. It leaves out HEP versions 1 and 2.
package hep
