package eccsi

import "sync"

// A Cache keeps the Verifiers of the signers met last. It is bounded and may be
// used by several goroutines. The zero Cache is ready and holds
// DefaultCacheEntries.
type Cache struct {
	// Entries is the greatest number of Verifiers kept, about 400 octets
	// each; zero means DefaultCacheEntries.
	Entries int

	mu   sync.Mutex
	seen map[cacheKey]*Verifier
	ring []cacheKey // in order of arrival; next is the one to go
	next int
}

// DefaultCacheEntries is the size of a zero Cache.
const DefaultCacheEntries = 4096

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
	v := c.seen[key]
	c.mu.Unlock()
	if v == nil {
		var err error
		if v, err = pub.Verifier(id, pvt); err != nil {
			return err
		}
		c.put(key, v)
	}
	return v.Verify(message, signature)
}

func (c *Cache) put(key cacheKey, v *Verifier) {
	limit := c.Entries
	if limit <= 0 {
		limit = DefaultCacheEntries
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, dup := c.seen[key]; dup {
		return
	}
	if c.seen == nil {
		c.seen = make(map[cacheKey]*Verifier)
	}
	if len(c.ring) < limit {
		c.ring = append(c.ring, key)
	} else {
		delete(c.seen, c.ring[c.next])
		c.ring[c.next] = key
		c.next = (c.next + 1) % len(c.ring)
	}
	c.seen[key] = v
}

// Len returns the number of Verifiers held.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}
