package eccsi

import (
	"container/list"
	"sync"
)

// A Cache remembers signers and keeps the Verifiers of those met last. A
// Verifier is made when a second signature of a signer verifies, so that neither
// a signer met once nor a bad signature costs one. The Cache is bounded, the
// least recently used goes first, and it may be used by several goroutines. The
// zero Cache is ready.
type Cache struct {
	// Entries is the greatest number of Verifiers kept, VerifierSize octets
	// each; zero means DefaultCacheEntries. Of four times as many signers it is
	// known that they were met, about 150 octets each.
	Entries int

	mu  sync.Mutex
	met lru[struct{}]
	hot lru[*Verifier]
}

// DefaultCacheEntries is the size of a zero Cache, 4.5 MiB.
const DefaultCacheEntries = 1024

// metPerEntry is how many signers are remembered for one Verifier kept.
const metPerEntry = 4

// cacheKey is what Y depends on. HS binds KPAK, ID and PVT, but Y holds KPAK
// also by itself, so nothing but HS is needed: two keys with equal HS would be
// a collision of SHA-256.
type cacheKey [32]byte

// Verify is [PublicKey.Verify] with the Verifier taken from the cache.
func (c *Cache) Verify(pub *PublicKey, id, message, signature []byte) error {
	if len(signature) != SignatureSize {
		return &Error{"signature", "RFC 6507 5.2.2", ErrLength}
	}
	pvt := signature[2*ScalarSize:]
	key := cacheKey(hashHS(pub.octets[:], id, pvt))
	c.mu.Lock()
	v, ok := c.hot.get(key)
	c.mu.Unlock()
	if ok {
		return v.Verify(message, signature)
	}
	if err := pub.verify(key, message, signature); err != nil {
		return err
	}
	limit := c.Entries
	if limit <= 0 {
		limit = DefaultCacheEntries
	}
	c.mu.Lock()
	_, again := c.met.get(key)
	if !again {
		c.met.put(key, struct{}{}, metPerEntry*limit)
	}
	c.mu.Unlock()
	if !again {
		return nil
	}
	v, err := pub.verifier(key, pvt)
	if err != nil {
		return err // cannot be: the signature was good
	}
	c.mu.Lock()
	c.hot.put(key, v, limit)
	c.mu.Unlock()
	return nil
}

// Len returns the number of Verifiers held.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.hot.at)
}

// MemorySize returns the octets held, about.
func (c *Cache) MemorySize() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.hot.at)*VerifierSize + len(c.met.at)*150
}

// lru is a bounded map which forgets what was not asked for the longest. The
// zero value is empty and ready.
type lru[V any] struct {
	at    map[cacheKey]*list.Element // of lruEntry[V]
	order list.List                  // the one used last in front
}

type lruEntry[V any] struct {
	key   cacheKey
	value V
}

func (l *lru[V]) get(key cacheKey) (v V, ok bool) {
	e := l.at[key]
	if e == nil {
		return v, false
	}
	l.order.MoveToFront(e)
	return e.Value.(lruEntry[V]).value, true
}

// put adds v unless key is there, and forgets until there are limit entries.
func (l *lru[V]) put(key cacheKey, v V, limit int) {
	if _, dup := l.get(key); dup {
		return
	}
	if l.at == nil {
		l.at = make(map[cacheKey]*list.Element)
	}
	l.at[key] = l.order.PushFront(lruEntry[V]{key, v})
	for len(l.at) > limit {
		last := l.order.Back()
		l.order.Remove(last)
		delete(l.at, last.Value.(lruEntry[V]).key)
	}
}
