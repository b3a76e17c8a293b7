package decode

import (
	"bytes"
	"context"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/lab"
)

// damages are what one octet of a message can suffer: to become another, to go, to be doubled, to be where it is cut.
var damages = []func(b []byte, i int) []byte{
	func(b []byte, i int) []byte { b[i] = 'Y'; return b },
	func(b []byte, i int) []byte { b[i] = '<'; return b },
	func(b []byte, i int) []byte { b[i] = '"'; return b },
	func(b []byte, i int) []byte { b[i] = 0; return b },
	func(b []byte, i int) []byte { b[i] ^= 0x80; return b },
	func(b []byte, i int) []byte { return append(b[:i], b[i+1:]...) },
	func(b []byte, i int) []byte { return append(b[:i+1], append([]byte{b[i]}, b[i+1:]...)...) },
	func(b []byte, i int) []byte { return b[:i] },
	// Cut, and one of the last tags before that is none.
	func(b []byte, i int) []byte {
		b = b[:i]
		at := i
		for range 1 + i%10 {
			if k := bytes.LastIndexByte(b[:at], '<'); k >= 0 {
				at = k
			}
		}
		if at < i {
			b[at] = 'Y'
		}
		return b
	},
}

// TestEveryOctet damages each octet of an authorisation in every way, and runs the checks: records stay well-formed, and what they
// point at is there.
func TestEveryOctet(t *testing.T) {
	x := &checkLab{labWorld(t), lab.KnownCSK()}
	var messages [][]byte
	for _, enc := range []bool{false, true} {
		d := x.publish(x.tok(enc) + x.cid(enc))
		d.parts = append([]lab.Part{x.mikey()}, d.parts...)
		if enc {
			x.sign(d)
		}
		// A document that does not begin like one goes as text.
		text := bytes.ReplaceAll(d.bytes(), []byte("<?xml"), []byte("xml"))
		messages = append(messages, d.bytes(), text, bytes.ReplaceAll(text, []byte("Content-Type: "+lab.TypeInfo), []byte("Content-Type: application/json")))
	}
	for _, whole := range messages {
		opt := Options{Want: record.All(), Checks: &CheckConfig{}}
		opt.Limits = opt.Limits.withDefaults()
		w := newWorker(&opt)
		step := 3
		if testing.Short() {
			step = 11
		}
		for k, damage := range damages {
			for i := k % step; i < len(whole); i += step {
				data := damage(bytes.Clone(whole), i)
				r := w.message(context.Background(), cutUnit(data), 1)
				checkTree(t, r)
			}
		}
	}
}
