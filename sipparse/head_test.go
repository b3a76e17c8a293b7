package sipparse

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// slowCut looks for a start line inside a header section, after a message that broke off; 0 when there is none.
func slowCut(b []byte) int {
	pos := bytes.IndexByte(b, '\n') + 1
	for pos > 0 && pos < len(b) {
		nl := bytes.IndexByte(b[pos:], '\n')
		if nl < 0 {
			return 0
		}
		if line := b[pos : pos+nl]; endsInVersion(line) && strictStart(line, true) {
			return pos
		}
		pos += nl + 1
	}
	return 0
}

// slowLength gets the Content-Length out of a header section. Of several that agree one is as good as another.
func slowLength(b []byte) (int64, DiagID) {
	length, id := int64(-1), DiagContentLengthMissing
	pos := bytes.IndexByte(b, '\n') + 1
	for pos > 0 && pos < len(b) {
		nl := bytes.IndexByte(b[pos:], '\n')
		if nl < 0 {
			nl = len(b) - pos
		}
		if c := b[pos] | 0x20; c != 'c' && c != 'l' {
			pos += nl + 1
			continue
		}
		end, folded := pos+nl, false
		next := end + 1
		for next < len(b) && (b[next] == ' ' || b[next] == '\t') {
			nl := bytes.IndexByte(b[next:], '\n')
			if nl < 0 {
				nl = len(b) - next
			}
			end = next + nl
			next, folded = end+1, true
		}
		h, _ := splitHeader(b, pos, min(end, len(b)), folded)
		pos = next
		if h.ID != HdrContentLength {
			continue
		}
		n, bad := contentLength(h.Value.In(b))
		switch {
		case bad != DiagNone:
			return -1, bad
		case id == DiagNone && n != length:
			return -1, DiagContentLengthConflict
		}
		length, id = n, DiagNone
	}
	return length, id
}

// TestReadHead holds the one walk over a header section to two that each look for one thing.
func TestReadHead(t *testing.T) {
	pieces := []string{"Content-Length: 12", "content-length :12", "CONTENT-LENGTH:\t13 ", "l: 12", "L:12", "l 12", "l : 12", "l", "c", "Contact: <sip:a@b>", "Content-Type: a/b",
		"Content-Lengths: 5", "Content-Length", "Content-Length x: 4", "Call-ID: c", "lx: 3", " 12", "\t1", "", "\r", "SIP/2.0 200 OK", "INVITE sip:a@b SIP/2.0", " INVITE sip:a@b SIP/2.0",
		"OPTIONS sip:a@b SIP/2.0 ", "X: SIP/2.0", "l: 99999999999999999999", "l:", "Content-Length: 12, 12", "content-length\x00: 4"}
	r := rand.New(rand.NewPCG(1, 9))
	cuts, lengths, bad := 0, 0, 0
	for range 200000 {
		var s strings.Builder
		for range r.IntN(6) {
			s.WriteString(pieces[r.IntN(len(pieces))])
			s.WriteString([]string{"\r\n", "\n", "", "\r"}[min(r.IntN(8), 3)])
			if r.IntN(3) > 0 {
				s.WriteString("\r\n")
			}
		}
		b := []byte(s.String())
		if len(b) > 0 && r.IntN(4) == 0 {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		b = bytes.Clone(b) // no octet behind the end
		cut, length, id := readHead(b)
		if want := slowCut(b); cut != want {
			t.Fatalf("%q: cut at %d, not %d", b, cut, want)
		} else if cut > 0 {
			cuts++
			continue
		}
		if n, why := slowLength(b); n != length || why != id {
			t.Fatalf("%q: %d %v, not %d %v", b, length, id, n, why)
		}
		if id == DiagNone {
			lengths++
		} else if id != DiagContentLengthMissing {
			bad++
		}
	}
	if cuts < 1000 || lengths < 1000 || bad < 1000 {
		t.Error(cuts, lengths, bad)
	}
}
