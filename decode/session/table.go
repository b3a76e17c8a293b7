package session

import (
	"hash/maphash"
	"iter"
)

// A table is a bounded hash table in order of last use: the longest idle entry leaves first. Entries that left are used
// again, so that a full table allocates nothing.
type table[V any] struct {
	buckets    []*entry[V] // chains by hash; their number is a power of two
	n          int
	head, tail *entry[V] // head: longest idle
	free       *entry[V] // chained by next
	max        int
	evicted    uint64
	onEvict    func(V)
}

type entry[V any] struct {
	hash       uint64
	key        []byte
	v          V
	chain      *entry[V]
	prev, next *entry[V]
}

const minBuckets = 16

func newTable[V any](max int, onEvict func(V)) table[V] {
	return table[V]{buckets: make([]*entry[V], minBuckets), max: max, onEvict: onEvict}
}

func (t *table[V]) len() int { return t.n }

// find returns the entry of a key, or nil, and the key's hash.
func (t *table[V]) find(key []byte) (*entry[V], uint64) {
	h := maphash.Bytes(digestSeed, key)
	for e := t.buckets[h&uint64(len(t.buckets)-1)]; e != nil; e = e.chain {
		if e.hash == h && string(e.key) == string(key) {
			return e, h
		}
	}
	return nil, h
}

func (t *table[V]) unlink(e *entry[V]) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		t.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		t.tail = e.prev
	}
	e.prev, e.next = nil, nil
}

func (t *table[V]) push(e *entry[V]) {
	e.prev = t.tail
	if t.tail != nil {
		t.tail.next = e
	} else {
		t.head = e
	}
	t.tail = e
}

// used makes an entry the one last used.
func (t *table[V]) used(e *entry[V]) {
	if e != t.tail {
		t.unlink(e)
		t.push(e)
	}
}

// get finds an entry and makes it the one last used.
func (t *table[V]) get(key []byte) (v V, ok bool) {
	e, _ := t.find(key)
	if e == nil {
		return v, false
	}
	t.used(e)
	return e.v, true
}

// put adds or replaces an entry; at the limit the longest idle one leaves.
func (t *table[V]) put(key []byte, v V) {
	e, h := t.find(key)
	if e != nil {
		e.v = v
		t.used(e)
		return
	}
	if e = t.free; e != nil {
		t.free, e.next = e.next, nil
	} else {
		e = &entry[V]{}
	}
	e.hash, e.key, e.v = h, append(e.key[:0], key...), v // the key may be scratch of whoever is told of what leaves
	if t.n >= t.max {
		t.evict()
	}
	if t.n >= len(t.buckets) {
		t.grow()
	}
	at := &t.buckets[h&uint64(len(t.buckets)-1)]
	e.chain, *at = *at, e
	t.push(e)
	t.n++
}

func (t *table[V]) grow() {
	b := make([]*entry[V], 2*len(t.buckets))
	for e := t.head; e != nil; e = e.next {
		at := &b[e.hash&uint64(len(b)-1)]
		e.chain, *at = *at, e
	}
	t.buckets = b
}

// maxSpareKey keeps the memory of an outsize key from being used again.
const maxSpareKey = 256

// take takes an entry out and returns its value.
func (t *table[V]) take(e *entry[V]) V {
	at := &t.buckets[e.hash&uint64(len(t.buckets)-1)]
	for *at != e {
		at = &(*at).chain
	}
	*at = e.chain
	t.unlink(e)
	t.n--
	v, key := e.v, e.key
	if cap(key) > maxSpareKey {
		key = nil
	}
	*e = entry[V]{key: key, next: t.free}
	t.free = e
	return v
}

func (t *table[V]) evict() {
	if t.head == nil {
		return
	}
	v := t.take(t.head)
	t.evicted++
	if t.onEvict != nil {
		t.onEvict(v)
	}
}

func (t *table[V]) remove(key []byte) {
	if e, _ := t.find(key); e != nil {
		t.take(e)
	}
}

// oldest returns the longest idle entry.
func (t *table[V]) oldest() (v V, ok bool) {
	if t.head == nil {
		return v, false
	}
	return t.head.v, true
}

// drop removes the longest idle entry without counting it as evicted.
func (t *table[V]) drop() {
	if t.head != nil {
		t.take(t.head)
	}
}

// each yields the entries, the longest idle first.
func (t *table[V]) each() iter.Seq[V] {
	return func(yield func(V) bool) {
		for e := t.head; e != nil; e = e.next {
			if !yield(e.v) {
				return
			}
		}
	}
}
