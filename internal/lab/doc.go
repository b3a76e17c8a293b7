// Package lab is a small MCX world that writes traffic: clients, an IMS core, an MCX server, and the networks between
// them, down to the octets of a capture. Tests, benchmarks and the captures in testdata/pcaps come from it.
//
// Start with [Captures], which lists every capture of the repository with what it shows, or with [New] and the
// methods of [Net], which put one SIP message on a wire of a given [Shape].
//
// Everything is deterministic: the same seed gives the same octets. The package writes only; nothing of it runs in
// the analyser. Its packet builders are its own so that the decoder is not tested against itself.
package lab
