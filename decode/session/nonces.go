package session

import "hash/maphash"

// nonceTable is the bounded set of IVs that were seen under keys, in order of last use. It holds them closely packed, since nearly
// every one that comes is new and takes the place of the oldest.
type nonceTable struct {
	entries    []nonce
	buckets    []int32 // 1-based entries, chained; their number is a power of two
	head, tail int32   // 1-based; head: longest idle
	max        int
	evicted    uint64
}

type nonce struct {
	key, iv, text     uint64 // fingerprints
	chain, prev, next int32
}

func newNonceTable(max int) nonceTable {
	return nonceTable{buckets: make([]int32, minBuckets), max: max}
}

func (t *nonceTable) len() int { return len(t.entries) }

func (t *nonceTable) bucket(key, iv uint64) *int32 {
	return &t.buckets[(key^iv*0x9e3779b97f4a7c15)>>32&uint64(len(t.buckets)-1)]
}

// seen notes a cipher text and returns the fingerprint of the one that had its IV under its key before; false when there was none.
func (t *nonceTable) seen(c *Cipher) (text uint64, again bool) {
	key := maphash.String(digestSeed, c.KeyID)
	for i := *t.bucket(key, c.IV); i != 0; i = t.entries[i-1].chain {
		if e := &t.entries[i-1]; e.iv == c.IV && e.key == key {
			t.unlink(i)
			t.push(i)
			return e.text, true
		}
	}
	var i int32
	if len(t.entries) < t.max {
		if len(t.entries) >= len(t.buckets) {
			t.grow()
		}
		t.entries = append(t.entries, nonce{})
		i = int32(len(t.entries))
	} else {
		i = t.head
		t.evicted++
		t.unlink(i)
		e := &t.entries[i-1]
		at := t.bucket(e.key, e.iv)
		for *at != i {
			at = &t.entries[*at-1].chain
		}
		*at = e.chain
	}
	at := t.bucket(key, c.IV)
	t.entries[i-1] = nonce{key: key, iv: c.IV, text: c.Text, chain: *at}
	*at = i
	t.push(i)
	return 0, false
}

func (t *nonceTable) grow() {
	t.buckets = make([]int32, 2*len(t.buckets))
	for i := range t.entries {
		e := &t.entries[i]
		at := t.bucket(e.key, e.iv)
		e.chain, *at = *at, int32(i+1)
	}
}

func (t *nonceTable) unlink(i int32) {
	e := &t.entries[i-1]
	if e.prev != 0 {
		t.entries[e.prev-1].next = e.next
	} else {
		t.head = e.next
	}
	if e.next != 0 {
		t.entries[e.next-1].prev = e.prev
	} else {
		t.tail = e.prev
	}
}

func (t *nonceTable) push(i int32) {
	e := &t.entries[i-1]
	e.prev, e.next = t.tail, 0
	if t.tail != 0 {
		t.entries[t.tail-1].next = i
	} else {
		t.head = i
	}
	t.tail = i
}
