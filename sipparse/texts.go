package sipparse

import "encoding/binary"

// texts remembers short strings that were made of octets, so that the same octets give the same string without an
// allocation. It keeps as many as it has places; who comes to a place last stays there.
type texts [32]string

// maxText is the most octets of a string that is remembered.
const maxText = 128

func (t *texts) text(b []byte) string {
	n := len(b)
	if n < 8 || n > maxText {
		return string(b)
	}
	h := (binary.LittleEndian.Uint64(b) ^ binary.LittleEndian.Uint64(b[n-8:])) * 0x9E3779B97F4A7C15
	s := &t[h>>59]
	if *s != string(b) {
		*s = string(b)
	}
	return *s
}
