// Package filter is the display filter: Wireshark's language (version 4) over the fields of a record.
//
// Start with [Compile] and ask [Filter.Match] for each record.
//
// Its promises: a compiled filter is immutable and may be used by several goroutines; matching allocates nothing except
// in lower(), upper(), string() and arithmetic on text made anew; every error has a place in the text, what is wrong,
// and where it helps a hint; length, depth and size of a filter are limited.
//
// Semantics are Wireshark's: a comparison with an absent field is false; == is true when any value equals; != when all
// differ (and there is one); === when all equal; !== (or ~=) when any differs; <, >, contains, matches and in when any
// value does. "any" and "all" in front of the left side change that. "not" binds closest, then "and", "xor", "or".
// matches (~) is a regular expression in Go's syntax (RE2), not sensitive to case.
//
// It differs from Wireshark where the value model does: a slice of text is a slice of its octets; times may be RFC
// 3339; xor (^^) and division on sets of values exist; there is no layer operator (#), no raw operator (@), no
// reference (${}) and no macro. Names that Wireshark's users know are accepted for ours: see [Aliases].
package filter
