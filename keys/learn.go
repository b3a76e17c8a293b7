package keys

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// What a KMS hands out inside the capture (TS 33.180 annex D) enters the ring like what the user gave, with two differences: it
// is seen by the messages from that one on only, as every learned thing is, and where both have an answer, the user's goes
// first. A certificate of the user for a KMS keeps those of the wire from deciding whether a signature is valid.

// since is something with the message that brought it.
type since[T any] struct {
	seq uint64
	v   T
}

// taught is what the ring learned from KMS documents. It is guarded by Ring.mu.
type taught struct {
	kms       map[string][]since[*KMS]
	users     map[[32]byte][]since[*UserKey]
	byURI     map[string][]since[*UserKey]
	all       []since[*UserKey]
	transport []since[Named]
	integrity []since[Named]
	has       map[string]uint64 // what is there, with the message that brought it
	epochs    []uint64          // messages that brought certificates or user keys, ascending
}

func newTaught() taught {
	return taught{kms: map[string][]since[*KMS]{}, users: map[[32]byte][]since[*UserKey]{}, byURI: map[string][]since[*UserKey]{}, has: map[string]uint64{}}
}

// Learned counts what one KMS document brought that the ring did not have before it.
type Learned struct {
	Certificates, UserKeys, Transport, Integrity int
	Dropped                                      int // over the limit
}

// PromiseMaterial announces, in capture order, that message seq may bring key material of a KMS. [Ring.Unwrap] and
// [Ring.ReadKMS] of later messages wait for it.
func (r *Ring) PromiseMaterial(seq uint64) *Promise {
	p := &Promise{seq: seq, material: true, done: make(chan struct{})}
	r.announce(p)
	return p
}

// ReadKMS reads a KMS document that message q carries: with every transport and integrity key that the message may know
// of, the user's first. What it holds is learned when learn is set. See [ReadKMSXML] for the material and the error.
func (r *Ring) ReadKMS(q *Query, doc []byte, o XMLOptions, learn bool) (*Material, Learned, error) {
	r.waitMaterial(q)
	o.Transport, o.Integrity, o.KMSs = append([]Named(nil), r.mat.Transport...), append([]Named(nil), r.mat.Integrity...), r.mat.KMSs
	r.mu.Lock()
	o.Transport = append(o.Transport, visibleOf(r, r.taught.transport, q.Seq)...)
	o.Integrity = append(o.Integrity, visibleOf(r, r.taught.integrity, q.Seq)...)
	var uris []string
	for uri := range r.taught.kms {
		uris = append(uris, uri)
	}
	slices.Sort(uris)
	for _, uri := range uris {
		for _, k := range visibleOf(r, r.taught.kms[uri], q.Seq) {
			o.KMSs = append(o.KMSs[:len(o.KMSs):len(o.KMSs)], *k)
		}
	}
	r.mu.Unlock()
	m, err := ReadKMSXML(doc, o)
	var n Learned
	if learn {
		n = r.LearnMaterial(q.Seq, m)
	}
	return m, n, err
}

// visibleOf lists what message seq may know of, the latest first, as keys that replace others come later.
func visibleOf[T any](r *Ring, list []since[T], seq uint64) []T {
	var out []T
	for i := len(list) - 1; i >= 0; i-- {
		if r.visible(list[i].seq, seq) {
			out = append(out, list[i].v)
		}
	}
	return out
}

// LearnMaterial adds certificates, user keys, transport and integrity keys that message seq brings. What the ring has
// already, from the user or from an earlier message, is passed over.
func (r *Ring) LearnMaterial(seq uint64, m *Material) Learned {
	var n Learned
	seq = max(seq, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.taught
	// room is false for what is known, and for what is too much. In the second pass over a file everything is known, and
	// counts for the message that brought it.
	room := func(id string, count *int) bool {
		by, known := t.has[id]
		switch {
		case known && by == seq:
			*count++
			return false
		case known:
			return false
		case r.frozen.Load():
			return false // those before it would or would not know
		case len(t.has) >= r.lim.Material:
			n.Dropped++
			r.stats.MaterialDropped++
			return false
		}
		t.has[id] = seq
		*count++
		r.stats.Material++
		return true
	}
	for i := range m.KMSs {
		k := &m.KMSs[i]
		if slices.ContainsFunc(r.kms[k.URI], func(o *KMS) bool { return o.id() == k.id() }) || !room(k.id(), &n.Certificates) {
			continue
		}
		t.kms[k.URI] = append(t.kms[k.URI], since[*KMS]{seq, k})
		if k.Period == 0 {
			continue
		}
		sp := uidSpace{kms: k.URI, period: k.Period, offset: k.Offset}
		for i := range r.mat.UserKeys {
			r.index(&r.mat.UserKeys[i], sp, seq)
		}
		for _, u := range t.all {
			r.index(u.v, sp, max(u.seq, seq))
		}
	}
	for i := range m.UserKeys {
		u := &m.UserKeys[i]
		if slices.ContainsFunc(r.byURI[u.URI+" "+u.KMS], func(o *UserKey) bool { return o.id() == u.id() }) || !room(u.id(), &n.UserKeys) {
			continue
		}
		t.all = append(t.all, since[*UserKey]{seq, u})
		if len(u.UID) == 32 {
			t.add([32]byte(u.UID), u, seq)
		}
		for _, sp := range r.spacesLocked(^uint64(0), u.KMS, true) {
			r.index(u, sp, seq)
		}
		for _, name := range withAndWithoutScheme(u.URI) {
			t.byURI[name+" "+u.KMS] = append(t.byURI[name+" "+u.KMS], since[*UserKey]{seq, u})
		}
		r.learn(seq, u.URI)
	}
	for _, x := range []struct {
		from  []Named
		given []Named
		to    *[]since[Named]
		kind  string
		count *int
	}{{m.Transport, r.mat.Transport, &t.transport, "TrK", &n.Transport}, {m.Integrity, r.mat.Integrity, &t.integrity, "InK", &n.Integrity}} {
		for _, k := range x.from {
			same := func(o Named) bool { return o.Name == k.Name && o.Key.Equal(k.Key) }
			if slices.ContainsFunc(x.given, same) || !room(x.kind+" "+k.Name+" "+string(k.Key.Reveal()), x.count) {
				continue
			}
			*x.to = append(*x.to, since[Named]{seq, k})
		}
	}
	if n.Certificates+n.UserKeys > 0 && !slices.Contains(t.epochs, seq) {
		t.epochs = append(t.epochs, seq)
		slices.Sort(t.epochs)
	}
	return n
}

// index adds a user key under the UIDs that one key period of its KMS gives it, for messages from seq on.
func (r *Ring) index(u *UserKey, sp uidSpace, seq uint64) {
	if u.KMS != sp.kms {
		return
	}
	for _, name := range withAndWithoutScheme(u.URI) {
		r.taught.add(UID(name, u.KMS, sp.period, sp.offset, u.Period), u, seq)
	}
}

func (t *taught) add(uid [32]byte, u *UserKey, seq uint64) {
	list := t.users[uid]
	for i := range list {
		if list[i].v == u {
			list[i].seq = min(list[i].seq, seq)
			return
		}
	}
	if len(list) < maxTries {
		t.users[uid] = append(list, since[*UserKey]{seq, u})
	}
}

// epoch counts the messages up to seq that brought certificates or user keys: two messages of one epoch see the same.
func (r *Ring) epoch(seq uint64) int {
	e := r.taught.epochs
	if r.frozen.Load() {
		return len(e)
	}
	return sort.Search(len(e), func(i int) bool { return e[i] > seq })
}

// kmsOf lists the certificates of a KMS that message seq may know of, the user's first.
func (r *Ring) kmsOf(seq uint64, uri string) []*KMS {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kmsLocked(seq, uri)
}

func (r *Ring) kmsLocked(seq uint64, uri string) []*KMS {
	given := r.kms[uri]
	learned := visibleOf(r, r.taught.kms[uri], seq)
	if len(learned) == 0 {
		return given
	}
	return append(given[:len(given):len(given)], learned[:min(len(learned), maxTries)]...)
}

// Certificates lists the certificates of a KMS that message q may know of, the user's first.
func (r *Ring) Certificates(q *Query, uri string) []*KMS { return r.kmsOf(q.Seq, uri) }

// usersOf lists the user keys under a UID that message seq may know of.
func (r *Ring) usersOf(seq uint64, uid [32]byte) []*UserKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	given := r.userKeys[uid]
	return append(given[:len(given):len(given)], visibleOf(r, r.taught.users[uid], seq)...)
}

// namesOf lists the user keys of a URI and KMS that message seq may know of.
func (r *Ring) namesOf(seq uint64, name string) []*UserKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	given := r.byURI[name]
	return append(given[:len(given):len(given)], visibleOf(r, r.taught.byURI[name], seq)...)
}

// id tells certificates apart by what they say.
func (k *KMS) id() string {
	var z, kpak []byte
	if k.Z != nil {
		z = k.Z.Bytes()
	}
	if k.KPAK != nil {
		kpak = k.KPAK.Bytes()
	}
	return fmt.Sprintf("KMS %q %d %d %x %x %q %d %d %v", k.URI, k.Period, k.Offset, z, kpak, k.CertURI, k.ValidFrom.Unix(), k.ValidTo.Unix(), k.Revoked)
}

// id tells user keys apart by their octets. It holds them.
func (u *UserKey) id() string {
	var b strings.Builder
	fmt.Fprintf(&b, "user %q %q %d %x %x ", u.URI, u.KMS, u.Period, u.UID, u.PVT)
	if u.RSK != nil {
		b.Write(u.RSK.Reveal())
	}
	b.WriteByte(' ')
	b.Write(u.SSK.Reveal())
	return b.String()
}

// waitMaterial waits for the KMS documents of messages before q.
func (r *Ring) waitMaterial(q *Query) {
	r.waitFor(q, func(p *Promise) bool { return p.material })
}
