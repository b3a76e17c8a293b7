package decode

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

// slow64 is decode64 one character at a time.
func slow64(b []byte) ([]byte, bool) {
	var out []byte
	var acc uint32
	bits, pad := 0, 0
	for _, c := range b {
		v := rev64[c]
		switch {
		case v < 64 && pad == 0:
			acc = acc<<6 | uint32(v)
			if bits += 6; bits >= 8 {
				bits -= 8
				out = append(out, byte(acc>>bits))
			}
		case c == '=':
			if pad++; pad > 2 {
				return out, false
			}
		case v == space64:
		default:
			return out, false
		}
	}
	return out, bits < 6 && (pad == 0 || bits > 0)
}

// The quick road of keyID comes to the same name as decode64.
func TestKeyIDFast(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	const set = "ABCXYZabcxyz059+/-_=! "
	named := 0
	c := new(Context) // which remembers the last name
	for range 20000 {
		b := []byte("AAAAAA==")
		for i := range b {
			if rnd.IntN(3) == 0 && (i < 6 || rnd.IntN(8) == 0) {
				b[i] = set[rnd.IntN(len(set))]
			}
		}
		want := ""
		if raw, ok := slow64(b); ok && len(raw) == 4 {
			want = hex.EncodeToString(raw)
			named++
		}
		near := append([]byte(nil), b...)
		near[rnd.IntN(6)] ^= 1
		c.keyID(near)
		if got := c.keyID(b); got != want {
			t.Fatalf("%q after %q: %q, not %q", b, near, got, want)
		}
	}
	if named < 1000 {
		t.Error("only", named, "were names")
	}
}

// The quick road of decode64 comes to the same octets and the same verdict as the slow one.
func TestDecode64Fast(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const good, odd = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_", "=\r\n !\x00\xff"
	whole := 0
	for range 20000 {
		b := make([]byte, rnd.IntN(40))
		for i := range b {
			b[i] = good[rnd.IntN(len(good))]
			if rnd.IntN(30) == 0 {
				b[i] = odd[rnd.IntN(len(odd))]
			}
		}
		want, ok1 := slow64(b)
		got, ok2 := decode64(b)
		if !bytes.Equal(got, want) || ok1 != ok2 {
			t.Fatalf("%q: %x %v, not %x %v", b, got, ok2, want, ok1)
		}
		if n, ok := length64(b); n != len(want) || ok != ok1 {
			t.Fatalf("%q: length %d %v, not %d %v", b, n, ok, len(want), ok1)
		}
		if ok2 && len(b) > 8 {
			whole++
		}
	}
	if whole < 1000 {
		t.Error("only", whole, "were whole")
	}
}
