// Package xmlpull reads XML 1.0 from octets, one event at a time, without copying and without a document type.
//
// Start with [Reader.Reset], which takes the octets of a document, and [Reader.Next], which moves to the next [Event];
// [Reader.Err] tells at the end whether the document was whole.
//
//	var r xmlpull.Reader
//	r.Reset(body, xmlpull.Limits{})
//	for r.Next() {
//		switch ev := r.Event(); ev.Kind { ... }
//	}
//	if err := r.Err(); err != nil { ... }
//
// Promises. No octets make it panic or hang; time and memory are linear in the input; size, depth, number of elements
// and attributes, and number of name spaces in scope have limits. Every event lies at octet offsets of the input.
// Everything that stood before an error has been delivered when the error is reported. What breaks the rules of name
// spaces only (an undeclared prefix) does not stop the reader; [Reader.NamespaceErr] has it.
//
// It covers XML 1.0 (fifth edition) and Namespaces in XML 1.0 for documents in UTF-8 without a document type
// declaration, and the content of an element on its own ([Reader.ResetContent]). It leaves out DTDs, external entities,
// other encodings and XML 1.1, each of which is an error of its own [Cause].
package xmlpull
