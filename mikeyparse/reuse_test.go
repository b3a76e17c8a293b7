package mikeyparse

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
)

// A Parser says of message after message what Parse says of each.
func FuzzParser(f *testing.F) {
	b := unhex(f, csk641)
	f.Add(b, b[:300])
	f.Add(zooMessage(f), b)
	for _, s := range zoo {
		f.Add(append(unhex(f, fmt.Sprintf("0100%02x00000000000001", uint8(s.kind))), unhex(f, s.hex)...), b)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var p Parser
		for _, b := range [][]byte{first, second, first} {
			got, err1 := p.Parse(b, nil)
			want, err2 := Parse(b, nil)
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(err1, err2) {
				t.Fatalf("%x: %+v %v, not %+v %v", b, got, err1, want, err2)
			}
			if again, err := got.AppendBinary(nil); err == nil && !bytes.Equal(again, b) {
				t.Fatalf("%x is written as %x", b, again)
			}
		}
	})
}
