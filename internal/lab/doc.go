// Package lab is a small MCX world that writes traffic: clients, an IMS core, MCX servers, key management servers, and the
// networks between them, down to the octets of a capture. Tests, benchmarks, mcxdump lab and the captures in
// testdata/pcaps come from it.
//
// Start with [Captures], which lists every capture of the repository with what it shows, or with [NewSystem], which has
// users and a cryptography of its own: [Scenarios] lists what its users can do, [System.Write] writes it,
// [System.WriteKeys] writes the keys. [New] and the methods of [Net] put one message on a wire of a given [Shape].
//
// Its promises: the same seed gives the same octets; each form of key file alone opens what its scenario says. It covers
// TS 24.379 clauses 7.2, 7.3 and 7A.2.1 with 6.6, TS 33.180 5.4 to 5.8, 9.3 and annexes D to F. The package writes only;
// nothing of it runs in the analyser. Its packets, EncryptedData and default signatures are written by code of its own, so
// that the decoder is not tested against itself, and xmlsec1 reads them in a test; I_MESSAGEs come from package mikeyparse.
// It leaves out media, floor control and KMS traffic over HTTP.
package lab
