package keys

import (
	"crypto/sha256"

	"github.com/mcxdump/mcxdump/keys/sakke"
	"github.com/mcxdump/mcxdump/mikeyparse"
)

// I_MESSAGEs at hand together that go to one receiver are decapsulated side by side, in about half of the time. What
// that gives is kept for a moment and taken when the messages are unwrapped one by one: nothing else changes.

// maxAhead bounds what is kept for all workers together, and aheadKeys how many RSKs get the tables for it, 560 kB each.
const (
	maxAhead  = 1024
	aheadKeys = 16
)

// aheadKey is what a decapsulation depends on.
type aheadKey struct {
	rsk *sakke.UserKey
	z   *sakke.PublicKey
	id  string
	sed [32]byte // SHA-256
}

// Ahead decapsulates what it can of the I_MESSAGEs raw, which Unwrap is asked for next with the queries q. The caller
// calls done after that, and what was not asked for is forgotten.
func (r *Ring) Ahead(q []*Query, raw [][]byte) (done func()) {
	type group struct {
		key  aheadKey // without sed
		seds [][]byte
	}
	var groups []*group
	at := map[aheadKey]*group{}
	for i := range raw {
		k, id, sed := r.likely(q[i], raw[i])
		if k.rsk == nil {
			continue
		}
		key := aheadKey{rsk: k.rsk, z: k.z, id: string(id)}
		g := at[key]
		if g == nil {
			g = &group{key: key}
			at[key] = g
			groups = append(groups, g)
		}
		g.seds = append(g.seds, sed)
	}
	var kept []aheadKey
	for _, g := range groups {
		if len(g.seds) < sakke.ManyMin || !r.mayGoAhead(g.key.rsk) {
			continue
		}
		ssvs := g.key.rsk.DecapsulateMany(g.key.z, []byte(g.key.id), g.seds)
		r.mu.Lock()
		for i, ssv := range ssvs {
			if ssv == nil || len(r.ahead) >= maxAhead {
				clear(ssv)
				continue
			}
			key := g.key
			key.sed = sha256.Sum256(g.seds[i])
			if r.ahead[key] == nil {
				kept = append(kept, key)
			}
			r.ahead[key] = ssv
		}
		r.mu.Unlock()
	}
	return func() {
		for _, key := range kept {
			clear(r.takeAhead(key))
		}
	}
}

// likely is the RSK with which an I_MESSAGE that was not seen yet is tried first, if that is ready to go ahead.
func (r *Ring) likely(q *Query, raw []byte) (k usable, id, sed []byte) {
	h := unwrapKey{hash: sha256.Sum256(raw)}
	r.mu.Lock()
	h.epoch = r.epoch(q.Seq)
	known := r.seen[h] != nil || r.good[h.hash] != nil
	warm := len(r.hot) > 0
	r.mu.Unlock()
	if known || !warm {
		return k, nil, nil
	}
	m, _ := mikeyparse.Parse(raw, nil)
	if m == nil || m.Header.DataType != mikeyparse.DataSAKKE || m.SAKKE() == nil {
		return k, nil, nil
	}
	var u Unwrapped
	u.read(q, m)
	for _, id := range r.identities(q.Seq, u.Responder, u.ResponderUID, u.ResponderKMS, u.NTP) {
		if list := r.rsks(q.Seq, id.uid, u.ResponderKMS, id.uid); len(list) > 0 {
			if k := list[0]; k.rsk.Many(k.z, id.uid) {
				return k, id.uid, m.SAKKE().Data
			}
			return usable{}, nil, nil
		}
	}
	return k, nil, nil
}

// mayGoAhead counts the RSKs that have the tables.
func (r *Ring) mayGoAhead(k *sakke.UserKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.aheadKeys[k] && len(r.aheadKeys) < aheadKeys {
		r.aheadKeys[k] = true
	}
	return r.aheadKeys[k]
}

// takeAhead returns an SSV that Ahead found, once.
func (r *Ring) takeAhead(key aheadKey) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	ssv := r.ahead[key]
	delete(r.ahead, key)
	return ssv
}

// decapsulateOne is Decapsulate, or what Ahead has found.
func (r *Ring) decapsulateOne(k usable, id, sed []byte) (ssv []byte, v sakke.Variant, err error) {
	r.mu.Lock()
	some := len(r.ahead) > 0
	r.mu.Unlock()
	if some {
		if ssv := r.takeAhead(aheadKey{k.rsk, k.z, string(id), sha256.Sum256(sed)}); ssv != nil {
			return ssv, 0, nil
		}
	}
	return k.rsk.Decapsulate(k.z, id, sed)
}
