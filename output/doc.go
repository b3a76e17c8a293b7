// Package output shows records: one line a message, the tree, JSON for jq, and chosen fields; and it reads its own JSON
// back.
//
// Start with [New], which makes a [Format] by its name, and [NewPrinter], which writes a Format's octets to a stream.
// [ReadJSON] is the way back.
//
// Its promises: a Format is a pure function of the record and may be called from several goroutines; the same record
// gives the same octets; nothing that came from the wire reaches a terminal unescaped ([Safe]); a secret that the
// decoder withheld stays withheld and is visibly marked; the first write error sticks and is reported. JSON follows the
// contract "mcxdump/1", described in docs/json.md and, for machines, by [SchemaJSON].
//
// A format knows no protocol: it walks the tree by the register of package record. Only Object, Map and Protected
// nodes have children; what a scalar node holds below itself is shown by the tree and left out of JSON.
//
// It leaves out how a record is made (package decode) and which records are shown (internal/filter). It cannot reach a
// key: it imports neither decode nor keys.
package output
