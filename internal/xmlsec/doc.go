// Package xmlsec reads, canonicalises, verifies and decrypts the protected XML
// of mission critical signalling: XML Encryption 1.1 and XML Signature with
// HMAC as profiled by TS 24.379 6.6 and TS 33.180 9.3, and the wrapped keys and
// HMAC signatures of KMS documents (TS 33.180 annex D). It works on octets and
// asks for keys through a callback; it knows nothing of MIKEY, SIP or MIME.
//
// Start with [Parse], which checks an XML document and returns an etree tree
// with the place of every element, and then [Verify] or [Decrypt] on an element
// of it. Content that was decrypted goes through [ParseFragment]; protected
// identities in URI form go through [ParseProtectedURI]. [Sign], [Encrypt],
// [Wrap] and [SealURI] write the same things for tests and for the lab; a tree
// they are part of is best sent in its canonical form, see [C14N.Document], since
// etree's own writer does not escape white space in attribute values.
//
// Promises: no input makes the package panic, and time and memory are bounded
// by [Limits] and by [DefaultWork]; a tree given to a function is never
// modified, except by Sign, which adds a child to the parent it is given; what
// was read is returned together with the error; errors say the place, the field
// and the clause, and never hold key octets or decrypted text; a [Key] cannot be
// printed. A signature's result carries exactly the octets that were digested,
// so that nothing else can be taken for signed.
//
// Covered: XML 1.0 (fifth edition) and Namespaces 1.0 without a DTD, in UTF-8;
// Canonical XML 1.0 and 1.1, Exclusive XML Canonicalization 1.0, each with and
// without comments; XML Signature 1.1 with HMAC, references into the same
// document and to other body parts, the transforms c14n, enveloped-signature
// and base64; XML Encryption 1.1 with AES-GCM, AES-CBC, AES key wrap (RFC 3394)
// and AES key wrap with padding (RFC 5649); the URI form of TS 33.180 9.3.4.3
// under the domain of TS 23.003 26.2.
//
// Left out: DTDs and entities, other encodings, public-key signatures, XPath and
// XSLT transforms, manifests (all reported, none evaluated), CipherReference.
package xmlsec
