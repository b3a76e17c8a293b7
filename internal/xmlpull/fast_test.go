package xmlpull

import (
	"math/rand/v2"
	"testing"
)

// plainText stops where looking at one octet after the other stops.
func TestPlainText(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 50000 {
		b := make([]byte, rnd.IntN(40))
		for i := range b {
			if b[i] = 'a' + byte(rnd.IntN(26)); rnd.IntN(12) == 0 {
				b[i] = byte(rnd.IntN(256))
			}
		}
		from := rnd.IntN(len(b) + 1)
		want := from
		for want < len(b) && class[b[want]]&cText != 0 {
			want++
		}
		if got := plainText(b, from); got != want {
			t.Fatalf("%q from %d: %d, not %d", b, from, got, want)
		}
	}
}
