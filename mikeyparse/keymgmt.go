package mikeyparse

import (
	"bytes"
	"iter"
)

// A KeyMgmtLine is an attribute "a=key-mgmt" of a session description as
// described in RFC 4567, 3.1. Offsets count from the start of the description.
type KeyMgmtLine struct {
	Off, End         int    // the line without its end
	Media            int    // number of the m= section from 0, or -1 for the session level
	Proto            string // "mikey" for us
	Data             []byte // the text behind the protocol, base64 for MIKEY
	DataOff, DataEnd int
}

// Mikey reports whether the line holds a MIKEY message.
func (l *KeyMgmtLine) Mikey() bool { return bytes.EqualFold([]byte(l.Proto), []byte("mikey")) }

// Decode returns the octets of the MIKEY message.
func (l *KeyMgmtLine) Decode() ([]byte, error) {
	raw, _, err := Decode(l.Data)
	return raw, err
}

// KeyMgmt iterates over the a=key-mgmt lines of a session description. A space
// behind the colon is legal (RFC 4567 3.1); either end of line is accepted.
func KeyMgmt(sdp []byte) iter.Seq[KeyMgmtLine] {
	return func(yield func(KeyMgmtLine) bool) {
		media, off := -1, 0
		for line := range bytes.Lines(sdp) {
			start := off
			off += len(line)
			line = bytes.TrimRight(line, "\r\n")
			if bytes.HasPrefix(line, []byte("m=")) {
				media++
				continue
			}
			rest, ok := cutPrefixFold(line, keyMgmtPrefixes[0])
			if !ok {
				continue
			}
			rest = bytes.TrimLeft(rest, " \t")
			proto, data := rest, rest[len(rest):]
			if i := bytes.IndexAny(rest, " \t"); i >= 0 {
				proto, data = rest[:i], bytes.TrimLeft(rest[i:], " \t")
			}
			end := start + len(line)
			dataOff := end - len(data)
			data = bytes.TrimRight(data, " \t")
			l := KeyMgmtLine{start, end, media, string(proto), data, dataOff, dataOff + len(data)}
			if !yield(l) {
				return
			}
		}
	}
}
