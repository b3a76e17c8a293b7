// Package decode is the pipeline from captured frames to records, and the home of the two registers that make mcxdump
// grow: bodies (body_*.go, one file a body type) and checks (check_*.go, one file a group of checks).
//
// Start with [Run], which reads a capture.Source and hands finished records to a [Sink] in input order, or with
// [Body], which decodes one body without a capture.
//
// Its promises: the same records for any number of workers; every defect is a finding and never an abort; what could
// be read is in the tree; every limit is counted. It covers TS 24.379, 24.281 and 24.282 (bodies), TS 33.180 (their
// protection), RFC 3261 and friends through package sipparse, and RFC 3830 and friends through package mikeyparse.
// It leaves out cryptography (package keys) and presentation (package output).
package decode
