package session

import "iter"

// A table is a bounded map in order of last use: the longest idle entry leaves first.
type table[V any] struct {
	m          map[string]*entry[V]
	head, tail *entry[V] // head: longest idle
	max        int
	evicted    uint64
	onEvict    func(V)
}

type entry[V any] struct {
	key        string
	v          V
	prev, next *entry[V]
}

func newTable[V any](max int, onEvict func(V)) table[V] {
	return table[V]{m: map[string]*entry[V]{}, max: max, onEvict: onEvict}
}

func (t *table[V]) len() int { return len(t.m) }

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

// get finds an entry and makes it the one last used.
func (t *table[V]) get(key []byte) (v V, ok bool) {
	e := t.m[string(key)]
	if e == nil {
		return v, false
	}
	if e != t.tail {
		t.unlink(e)
		t.push(e)
	}
	return e.v, true
}

// put adds or replaces an entry; at the limit the longest idle one leaves.
func (t *table[V]) put(key []byte, v V) {
	if e := t.m[string(key)]; e != nil {
		e.v = v
		if e != t.tail {
			t.unlink(e)
			t.push(e)
		}
		return
	}
	if len(t.m) >= t.max {
		t.evict()
	}
	e := &entry[V]{key: string(key), v: v}
	t.m[e.key] = e
	t.push(e)
}

func (t *table[V]) evict() {
	e := t.head
	if e == nil {
		return
	}
	t.unlink(e)
	delete(t.m, e.key)
	t.evicted++
	if t.onEvict != nil {
		t.onEvict(e.v)
	}
}

func (t *table[V]) remove(key []byte) {
	if e := t.m[string(key)]; e != nil {
		t.unlink(e)
		delete(t.m, e.key)
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
	if e := t.head; e != nil {
		t.unlink(e)
		delete(t.m, e.key)
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
