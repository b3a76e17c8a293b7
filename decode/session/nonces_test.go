package session

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The packed table answers as the general one does.
func TestNonceTable(t *testing.T) {
	for _, limit := range []int{1, 2, 7, 64, 100} {
		g := rand.New(rand.NewPCG(uint64(limit), 1))
		packed, plain := newNonceTable(limit), newTable[uint64](limit, nil)
		for i := range 20000 {
			c := Cipher{KeyID: fmt.Sprint(g.IntN(40)), IV: g.Uint64N(uint64(limit)/20 + 1), Text: g.Uint64N(3)}
			key := append([]byte(c.KeyID), ' ', byte(c.IV))
			text, again := packed.seen(&c)
			want, known := plain.get(key)
			if !known {
				plain.put(key, c.Text)
			}
			if again != known || text != want || packed.len() != plain.len() || packed.evicted != plain.evicted {
				t.Fatalf("limit %d, step %d, %+v: %d %v, want %d %v; %d of %d, %d and %d evicted", limit, i, c, text, again, want, known,
					packed.len(), plain.len(), packed.evicted, plain.evicted)
			}
		}
		if packed.evicted == 0 {
			t.Errorf("limit %d: nothing left", limit)
		}
	}
}
