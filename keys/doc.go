// Package keys holds key material and everything that is derived from it: key files of every kind, the UID and key
// derivations of TS 33.180 annex F, and the ring that opens I_MESSAGEs, elements and signatures.
//
// Start with [Load], which reads key files, and with [NewRing], which answers for one run. [UID], [DeriveXPK]
// and their neighbours are the derivations by themselves.
//
// Its promises: a key never prints by accident ([Secret]); a wrong line of a key file is an error with file, line and
// what was expected; whatever opened something is named, with the variant that matched; the ring's answers depend on
// the order of the capture and not on the number of workers. It covers TS 33.180 5.2, 9.3, annexes D (documents), E
// and F, and RFC 3830 4.1.3. It leaves out the arithmetic (keys/sakke, keys/eccsi) and XML (internal/xmlsec).
package keys
