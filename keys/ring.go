package keys

import (
	"bytes"
	"cmp"
	"context"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcxdump/mcxdump/keys/eccsi"
	"github.com/mcxdump/mcxdump/keys/sakke"
)

// RingLimits bound what traffic can make a Ring hold; zero means the default (docs/limits.md).
type RingLimits struct {
	URIs     int // URIs learned from the capture; default 65536
	Messages int // distinct I_MESSAGEs whose outcome is kept; default 65536
	Tables   int // RSKs with precomputed tables, about 400 kB each; default 48
	RSKs     int // user keys derived from master secrets; default 4096
	Search   int // URIs tried as P0 for one element; default 1024
	Material int // certificates and keys learned from KMS documents in the capture; default 8192
}

func (l RingLimits) withDefaults() RingLimits {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&l.URIs, 65536)
	def(&l.Messages, 65536)
	def(&l.Tables, 48)
	def(&l.RSKs, 4096)
	def(&l.Search, 1024)
	def(&l.Material, 8192)
	return l
}

// A Ring answers for one run: it unwraps I_MESSAGEs, remembers what they carried, and finds the key for an element or a
// signature. It is for many goroutines.
//
// Its answers depend on the order of the capture and not on who asks first: what message n sees is what the user gave
// and what messages before n brought. Before the messages are worked on in parallel, a planner announces in order
// which of them will bring keys ([Ring.Promise]); a look-up waits for the earlier ones that matter. After [Ring.Freeze]
// (the second pass over a file) everything learned is seen by everyone and nothing waits.
type Ring struct {
	lim RingLimits
	mat *Material

	kms      map[string][]*KMS // by URI
	masters  map[string][]*Master
	userKeys map[[32]byte][]*UserKey
	byURI    map[string][]*UserKey // "uri kms"
	verifier eccsi.Cache

	frozen atomic.Bool

	mu           sync.Mutex
	held         map[uint32][]*heldKey
	uris         []learned
	uriAt        map[string]int
	uids         map[uidSpace]*uidTable
	seen         map[unwrapKey]*unwrapEntry
	good         map[[32]byte]*goodEntry // those of seen that recovered the key and verified, of the first epoch
	order        []unwrapKey             // keys of seen, oldest first
	derived      map[string]*sakke.UserKey
	derivedOrder []string
	hot          map[*sakke.UserKey]*heat
	ahead        map[aheadKey][]byte // SSVs of Ahead not asked for yet
	aheadKeys    map[*sakke.UserKey]bool
	slots        []*Promise
	taught       taught
	unopened     map[uint32][]unopened // I_MESSAGEs of which no key was had, by the identifier that they carry, ascending
	collecting   bool                  // Freeze will come
	retry        []retry
	retryOctets  int

	stats RingStats
}

// RingStats count what a Ring did and what did not fit.
type RingStats struct {
	Unwrapped, Recovered, Repeated uint64
	URIs, URIsDropped              uint64
	MessagesDropped                uint64
	RetriesDropped                 uint64 // I_MESSAGEs that are not tried again before the second pass
	SearchCut                      uint64 // elements for which not all URIs could be tried
	Material, MaterialDropped      uint64 // certificates and keys learned from KMS documents, and those over the limit
}

// learned is a URI of the capture and the message that first had it.
type learned struct {
	uri string
	seq uint64
}

// uidSpace is what makes the UIDs of all URIs comparable: one KMS and one period.
type uidSpace struct {
	kms                    string
	period, offset, number uint64
}

type uidTable struct {
	uri  map[[32]byte]int // UID to index in uris
	upto int
}

// heldKey is a key that can be looked up by its identifier.
type heldKey struct {
	Key
	seq   uint64 // message that brought it, 0 for the user's
	msg   *Unwrapped
	known atomic.Pointer[binding] // what opened something last
}

// binding is a confirmed pair of user and variant: a tag or HMAC agreed.
type binding struct {
	user string
	v    Variant
}

type heat struct {
	uses int
}

// NewRing makes a ring of what key files gave.
func NewRing(m *Material, l RingLimits) *Ring {
	r := &Ring{lim: l.withDefaults(), mat: m,
		kms: map[string][]*KMS{}, masters: map[string][]*Master{}, userKeys: map[[32]byte][]*UserKey{}, byURI: map[string][]*UserKey{},
		held: map[uint32][]*heldKey{}, uriAt: map[string]int{}, uids: map[uidSpace]*uidTable{}, seen: map[unwrapKey]*unwrapEntry{}, good: map[[32]byte]*goodEntry{}, taught: newTaught(), unopened: map[uint32][]unopened{},
		derived: map[string]*sakke.UserKey{}, hot: map[*sakke.UserKey]*heat{}, ahead: map[aheadKey][]byte{}, aheadKeys: map[*sakke.UserKey]bool{}}
	for i := range m.KMSs {
		k := &m.KMSs[i]
		r.kms[k.URI] = append(r.kms[k.URI], k)
	}
	for i := range m.Masters {
		k := &m.Masters[i]
		r.masters[k.KMS.URI] = append(r.masters[k.KMS.URI], k)
		r.kms[k.KMS.URI] = append(r.kms[k.KMS.URI], &k.KMS)
	}
	for i := range m.UserKeys {
		r.addUserKey(&m.UserKeys[i])
	}
	for i := range m.Keys {
		k := &m.Keys[i]
		r.held[k.ID] = append(r.held[k.ID], &heldKey{Key: *k})
	}
	for _, u := range m.MCIDs {
		r.learn(0, u)
	}
	for i := range m.Keys {
		r.learn(0, m.Keys[i].URI)
	}
	for i := range m.UserKeys {
		r.learn(0, m.UserKeys[i].URI)
	}
	return r
}

// addUserKey indexes a user key under every UID that it may be meant for: the one that the KMS gave, and those computed
// from its URI with and without scheme.
func (r *Ring) addUserKey(k *UserKey) {
	add := func(uid [32]byte) {
		if !slices.Contains(r.userKeys[uid], k) {
			r.userKeys[uid] = append(r.userKeys[uid], k)
		}
	}
	if len(k.UID) == 32 {
		add([32]byte(k.UID))
	}
	for _, sp := range r.spaces(0, k.KMS) {
		for _, u := range withAndWithoutScheme(k.URI) {
			add(UID(u, k.KMS, sp.period, sp.offset, k.Period))
		}
	}
	for _, u := range withAndWithoutScheme(k.URI) {
		r.byURI[u+" "+k.KMS] = append(r.byURI[u+" "+k.KMS], k)
	}
}

// spaces lists the key periods of a KMS as the certificates give them that message seq may know of; without one, the default.
func (r *Ring) spaces(seq uint64, kms string) []uidSpace {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spacesLocked(seq, kms, false)
}

// spacesLocked is spaces for who holds the lock; with always set, the default is listed in any case.
func (r *Ring) spacesLocked(seq uint64, kms string, always bool) []uidSpace {
	var out []uidSpace
	for _, k := range r.kmsLocked(seq, kms) {
		s := uidSpace{kms: kms, period: k.Period, offset: k.Offset}
		if k.Period != 0 && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if s := (uidSpace{kms: kms, period: DefaultPeriod, offset: DefaultOffset}); len(out) == 0 || always && !slices.Contains(out, s) {
		out = append(out, s)
	}
	return out
}

// hasPeriod reports whether a certificate gives the KMS's key period, so that it is not an assumption.
func (r *Ring) hasPeriod(seq uint64, kms string) bool {
	return slices.ContainsFunc(r.kmsOf(seq, kms), func(k *KMS) bool { return k.Period != 0 })
}

func withAndWithoutScheme(uri string) []string {
	if rest, ok := strings.CutPrefix(uri, "sip:"); ok {
		return []string{uri, rest}
	}
	if strings.Contains(uri, ":") {
		return []string{uri}
	}
	return []string{uri, "sip:" + uri}
}

// Collect says that a collecting pass begins, which Freeze ends.
func (r *Ring) Collect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collecting = true
}

// A retry is an I_MESSAGE that could not be opened wholly in the collecting pass.
type retry struct {
	raw  []byte
	seq  uint64
	time time.Time
}

// maxRetryOctets bounds the I_MESSAGEs that are kept to be tried again.
const maxRetryOctets = 16 << 20

// keepForRetry keeps an I_MESSAGE for Freeze.
func (r *Ring) keepForRetry(q *Query, raw []byte) {
	if !r.collecting || r.frozen.Load() {
		return
	}
	if r.retryOctets += len(raw); r.retryOctets > maxRetryOctets {
		r.retryOctets -= len(raw)
		r.stats.RetriesDropped++
		return
	}
	r.retry = append(r.retry, retry{bytes.Clone(raw), q.Seq, q.Time})
}

// Freeze ends the collecting pass: everything learned so far is visible to every message, what could not be opened is
// tried once more with the material that came later, and nothing waits any more. What is known does not change after it, so that
// the second pass may ask in any order.
func (r *Ring) Freeze() {
	r.freeze()
	list := r.retry
	slices.SortStableFunc(list, func(a, b retry) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), bytes.Compare(a.raw, b.raw))
	})
	var next atomic.Int64
	var work sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(list) {
					return
				}
				r.Unwrap(&Query{Seq: list[i].seq, Time: list[i].time}, list[i].raw)
			}
		})
	}
	work.Wait()
	r.retry, r.retryOctets = nil, 0
}

func (r *Ring) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for h, e := range r.seen {
		if !e.final() {
			r.forget(h)
		}
	}
	r.order = slices.DeleteFunc(r.order, func(h unwrapKey) bool { return r.seen[h] == nil })
	r.slots = nil
	r.frozen.Store(true)
}

// Stats returns the counters.
func (r *Ring) Stats() RingStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.URIs = uint64(len(r.uris))
	return s
}

// Close overwrites what the ring recovered and derived. The Material stays the caller's.
func (r *Ring) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, hs := range r.held {
		for _, h := range hs {
			if h.seq != 0 || h.msg != nil {
				h.Key.Key.Zero()
			}
		}
	}
	for _, k := range r.derived {
		k.Destroy()
	}
	for _, u := range r.taught.all {
		u.v.SSK.Zero()
		if u.v.RSK != nil {
			u.v.RSK.Destroy()
		}
	}
	for _, list := range [][]since[Named]{r.taught.transport, r.taught.integrity} {
		for _, k := range list {
			k.v.Key.Zero()
		}
	}
	r.held, r.derived, r.seen, r.order = map[uint32][]*heldKey{}, map[string]*sakke.UserKey{}, map[unwrapKey]*unwrapEntry{}, nil
	r.good, r.taught = map[[32]byte]*goodEntry{}, newTaught()
	for _, ssv := range r.ahead {
		clear(ssv)
	}
	clear(r.ahead)
}

// Learn adds a URI that message seq shows, as a candidate for P0 and for hidden identities.
func (r *Ring) Learn(seq uint64, uri string) {
	if uri == "" || len(uri) > 512 || r.frozen.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.learn(seq, uri)
}

func (r *Ring) learn(seq uint64, uri string) {
	if uri == "" {
		return
	}
	if i, ok := r.uriAt[uri]; ok {
		r.uris[i].seq = min(r.uris[i].seq, seq)
		return
	}
	if len(r.uris) >= r.lim.URIs {
		r.stats.URIsDropped++
		return
	}
	uri = strings.Clone(uri) // do not hold on to the message
	r.uriAt[uri] = len(r.uris)
	r.uris = append(r.uris, learned{uri, seq})
}

// whoIs finds the URI behind a hidden UID among those that message seq may know of: TS 33.180 E.7.
func (r *Ring) whoIs(seq uint64, uid []byte, kms string, ntp uint64) string {
	if len(uid) != 32 {
		return ""
	}
	want := [32]byte(uid)
	if ks := r.usersOf(seq, want); len(ks) > 0 && ks[0].URI != "" {
		return ks[0].URI
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, sp := range r.spacesLocked(seq, kms, false) {
		for _, no := range periods(ntp, sp) {
			sp.number = no
			t := r.uids[sp]
			if t == nil {
				if len(r.uids) >= 64 { // as many spaces as a capture can need; the oldest tables are rebuilt when asked for
					clear(r.uids)
				}
				t = &uidTable{uri: map[[32]byte]int{}}
				r.uids[sp] = t
			}
			for ; t.upto < len(r.uris); t.upto++ {
				for _, u := range withAndWithoutScheme(r.uris[t.upto].uri) {
					id := UID(u, kms, sp.period, sp.offset, no)
					if _, taken := t.uri[id]; !taken {
						t.uri[id] = t.upto
					}
				}
			}
			if i, ok := t.uri[want]; ok && r.visible(r.uris[i].seq, seq) {
				return r.uris[i].uri
			}
		}
	}
	return ""
}

// periods are the key period of a moment and its neighbours, for clocks that differ at a boundary.
func periods(ntp uint64, sp uidSpace) []uint64 {
	no := PeriodNo(ntp, sp.period, sp.offset)
	if no == 0 {
		return []uint64{0, 1}
	}
	return []uint64{no, no - 1, no + 1}
}

func (r *Ring) visible(brought, asks uint64) bool { return r.frozen.Load() || brought <= asks }

// A Promise is the announcement that a message will bring keys or URIs.
type Promise struct {
	seq      uint64
	ids      []uint32 // nil: it may bring anything
	material bool     // key material of a KMS
	done     chan struct{}
	once     sync.Once
}

// Promise announces, in capture order, that message seq will bring the keys with these identifiers, or with none given
// something that cannot be told yet.
func (r *Ring) Promise(seq uint64, ids []uint32) *Promise {
	p := &Promise{seq: seq, ids: ids, done: make(chan struct{})}
	r.announce(p)
	return p
}

func (r *Ring) announce(p *Promise) {
	if r.frozen.Load() {
		p.Keep()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := 0
	for i < len(r.slots) && r.slots[i].kept() {
		i++
	}
	if i > 0 {
		r.slots = append(r.slots[:0], r.slots[i:]...)
	}
	r.slots = append(r.slots, p)
}

// Keep says that the message has been worked on, whatever came of it.
func (p *Promise) Keep() { p.once.Do(func() { close(p.done) }) }

func (p *Promise) kept() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait waits for the promises of messages before seq: those that named the identifier, or all of them.
func (r *Ring) wait(q *Query, id uint32, all bool) {
	r.waitFor(q, func(p *Promise) bool { return all || slices.Contains(p.ids, id) })
}

func (r *Ring) waitFor(q *Query, which func(*Promise) bool) {
	if r.frozen.Load() {
		return
	}
	r.mu.Lock()
	var for_ []*Promise
	for _, p := range r.slots {
		if p.seq < q.Seq && which(p) {
			for_ = append(for_, p)
		}
	}
	r.mu.Unlock()
	ctx := q.Ctx
	if ctx == nil {
		ctx = context.Background()
	}
	for _, p := range for_ {
		select {
		case <-p.done:
		case <-ctx.Done():
			return
		}
	}
}

// A Query says which message asks.
type Query struct {
	Seq  uint64
	Ctx  context.Context
	Time time.Time // packet time, for reading ambiguous time stamps
	URIs []string  // URIs of the message at hand, tried before those of others
	// Delivered are the identifiers of the keys that I_MESSAGEs in the message at hand carry.
	Delivered []uint32
	// Explain, when set, receives one line for every step of a search.
	Explain func(step string)
}

func (q *Query) explain(parts ...string) {
	if q.Explain != nil {
		q.Explain(strings.Join(parts, ""))
	}
}

// An Outcome is how a search for the key of an element or signature ended.
type Outcome struct {
	OK      bool
	KeyID   uint32
	User    string // P0 that fitted
	Variant string // which reading of TS 33.180 F.1.4 fitted; "" for the expected one
	Origin  Origin // where the key came from
	Reason  Reason // why not; with OK only key_name_mismatch, for what opened with another key than the named one
	Hint    string // what would help, in words
	Tried   int
}

// Reason is why something could not be opened; the values are those of the JSON contract.
type Reason string

const (
	ReasonNone         Reason = ""
	ReasonNoKey        Reason = "no_key"
	ReasonNoRSK        Reason = "no_rsk"
	ReasonWrongRSK     Reason = "wrong_rsk"
	ReasonWrongPeriod  Reason = "wrong_period"
	ReasonNoKPAK       Reason = "no_kpak"
	ReasonP0Unknown    Reason = "p0_unknown"
	ReasonTagMismatch  Reason = "tag_mismatch"
	ReasonHMACMismatch Reason = "hmac_mismatch"
	ReasonUnsupported  Reason = "unsupported_algorithm"
	ReasonKeyName      Reason = "key_name_mismatch"
	ReasonMalformed    Reason = "malformed"
)

// Find searches the key that protects an element or signature: every key that the identifier names (without one, every
// CSK and SPK that message q may know of), the user's first; for each the possible users as P0; for each the variants. try
// is called with the derived key and says whether the tag or HMAC agrees.
func (r *Ring) Find(q *Query, id uint32, named bool, p Purpose, try func(key []byte) bool) Outcome {
	r.wait(q, id, !named)
	hs := r.candidates(q, id, named)
	if len(hs) == 0 && named {
		// A key that only comes out of something decrypted has no name in any promise.
		r.wait(q, id, true)
		hs = r.candidates(q, id, named)
	}
	out := Outcome{KeyID: id, Reason: ReasonNoKey}
	if len(hs) == 0 {
		out.Reason, out.Hint = r.absent(q, id, named)
		q.explain("key ", FormatID(id), ": ", out.Hint)
		if o := r.misnamed(q, id, named, p, try); o.OK || o.Reason != "" {
			return o
		}
		return out
	}
	sure := false
	for _, h := range hs {
		for c, certain := range r.bindings(q, h, false) {
			sure = sure || certain
			out.Tried++
			if try(DeriveXPK(h.Key.Key.Reveal(), p, c.user, h.ID, c.v)) {
				h.known.Store(&c)
				q.explain("opened with P0 ", c.user, variantWords(c.v), ", key from ", h.Origin.String())
				return Outcome{OK: true, KeyID: h.ID, User: c.user, Variant: c.v.String(), Origin: h.Origin, Tried: out.Tried}
			}
		}
		q.explain("key ", FormatID(h.ID), " from ", h.Origin.String(), ": nothing fitted after ", itoa(out.Tried), " tries")
	}
	out.KeyID = hs[0].ID
	out.Origin = hs[0].Origin
	switch {
	case !sure:
		out.Reason = ReasonP0Unknown
		out.Hint = "the key is there, but not whose it is: none of " + itoa(out.Tried) + " tries with the URIs of the capture fitted; give the MC service ID with MCID"
	case p == Integrity:
		out.Reason = ReasonHMACMismatch
		out.Hint = "the HMAC differs with every user and variant (" + itoa(out.Tried) + " tries)"
	default:
		out.Reason = ReasonTagMismatch
		out.Hint = "the tag differs with every user and variant (" + itoa(out.Tried) + " tries)"
	}
	q.explain(out.Hint)
	return out
}

// misnamed tries the keys that a product may have meant by an identifier which names none: those that the message at hand
// delivers, then those that the user gave; with the identifier as written and with their own. An empty Outcome says that
// there is nothing to try.
func (r *Ring) misnamed(q *Query, id uint32, named bool, p Purpose, try func(key []byte) bool) (out Outcome) {
	if !named {
		return out
	}
	for _, h := range r.strangers(q, id) {
		for b, _ := range r.bindings(q, h, true) {
			for _, name := range [...]uint32{id, h.ID} {
				out.Tried++
				if try(DeriveXPK(h.Key.Key.Reveal(), p, b.user, name, b.v)) {
					q.explain("opened with key ", FormatID(h.ID), " although ", FormatID(id), " is named, P0 ", b.user)
					return Outcome{OK: true, KeyID: h.ID, User: b.user, Variant: keyNameMismatch, Reason: ReasonKeyName, Origin: h.Origin, Tried: out.Tried}
				}
			}
		}
	}
	for _, other := range q.Delivered {
		if other != id && (TypeOf(other) == CSK || TypeOf(other) == SPK) {
			out.KeyID, out.Reason = id, ReasonKeyName
			out.Hint = "key " + FormatID(id) + " is named, but the I_MESSAGE in the same message delivers " + FormatID(other)
			q.explain(out.Hint)
			return out
		}
	}
	return Outcome{}
}

// keyNameMismatch is the variant of what opened with another key than the named one.
const keyNameMismatch = "key-name-mismatch"

// strangers lists at most 32 XML protection keys of another name: those of the message at hand, then the user's.
func (r *Ring) strangers(q *Query, id uint32) []*heldKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out, given []*heldKey
	for _, d := range q.Delivered {
		if d != id && (TypeOf(d) == CSK || TypeOf(d) == SPK) {
			out = append(out, r.held[d]...)
		}
	}
	for other, hs := range r.held {
		if other == id || slices.Contains(q.Delivered, other) || TypeOf(other) != CSK && TypeOf(other) != SPK {
			continue
		}
		for _, h := range hs {
			if h.seq == 0 {
				given = append(given, h)
			}
		}
	}
	slices.SortFunc(given, func(a, b *heldKey) int { return cmpUint(uint64(a.ID), uint64(b.ID)) })
	out = append(out, given...)
	return out[:min(len(out), 32)]
}

// bindings enumerates user and variant for one key in the order in which they are tried: what fitted last, the likely
// users with the expected reading, every other user that the capture shows, then the other readings with the likely
// users. certain says that the right user is among the likely ones. With likely set, the search ends before the others.
func (r *Ring) bindings(q *Query, h *heldKey, likely bool) func(yield func(binding, bool) bool) {
	return func(yield func(binding, bool) bool) {
		users, certain := r.users(q, h)
		if b := h.known.Load(); b != nil && !yield(*b, certain) {
			return
		}
		for _, u := range users {
			if !yield(binding{u, Variant{}}, certain) {
				return
			}
		}
		if likely {
			return
		}
		r.wait(q, 0, true) // what earlier messages show has to be known before everything is tried
		others := r.others(q, users)
		for _, u := range others {
			if !yield(binding{u, Variant{}}, certain) {
				return
			}
		}
		if n := 16 - len(users); n > 0 {
			users = append(users, others[:min(n, len(others))]...)
		}
		if len(users) == 0 {
			users = []string{""}
		}
		for _, v := range Variants()[1:] {
			for i, u := range users {
				if v.Raw && i > 0 {
					break
				}
				if !yield(binding{u, v}, certain) {
					return
				}
			}
		}
	}
}

func variantWords(v Variant) string {
	if s := v.String(); s != "" {
		return ", variant " + s
	}
	return ""
}

// candidates lists the keys in the order in which they are tried.
func (r *Ring) candidates(q *Query, id uint32, named bool) []*heldKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	var given, before, after []*heldKey
	add := func(h *heldKey) {
		switch {
		case h.seq == 0 && h.msg == nil:
			given = append(given, h)
		case h.seq <= q.Seq:
			before = append(before, h)
		case r.frozen.Load():
			after = append(after, h)
		}
	}
	if named {
		for _, h := range r.held[id] {
			add(h)
		}
	} else {
		for _, hs := range r.held {
			for _, h := range hs {
				if h.Type == CSK || h.Type == SPK {
					add(h)
				}
			}
		}
	}
	bySeq := func(a, b *heldKey) int {
		if a.seq != b.seq {
			return cmpUint(a.seq, b.seq)
		}
		return cmpUint(uint64(a.ID), uint64(b.ID))
	}
	slices.SortStableFunc(given, bySeq)
	slices.SortStableFunc(before, func(a, b *heldKey) int { return bySeq(b, a) }) // the latest first
	slices.SortStableFunc(after, bySeq)
	out := append(append(given, before...), after...)
	if !named && len(out) > 256 {
		out = out[:256]
	}
	return out
}

func cmpUint(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// users lists the likely MC service IDs to try as P0 for a key, and whether one of them is certain to be the right one.
func (r *Ring) users(q *Query, h *heldKey) (out []string, certain bool) {
	add := func(u string) {
		if u == "" {
			return
		}
		for _, v := range withAndWithoutScheme(u) {
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	if h.URI != "" {
		add(h.URI)
		certain = true
	}
	if m := h.msg; m != nil {
		i, ir := r.party(q, m, true)
		p, pr := r.party(q, m, false)
		if m.fromServer() {
			i, p, ir, pr = p, i, pr, ir
		}
		add(i)
		add(p)
		certain = certain || i != "" && ir
	}
	for _, u := range r.mat.MCIDs {
		if len(out) >= 64 {
			break
		}
		add(u)
	}
	for _, u := range q.URIs {
		add(u)
	}
	return out, certain
}

// others lists the URIs of the capture that message q may know of, without those in not.
func (r *Ring) others(q *Query, not []string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := make(map[string]bool, len(not))
	for _, u := range not {
		seen[u] = true
	}
	var out []string
	n := 0
	for _, l := range r.uris {
		if !r.visible(l.seq, q.Seq) {
			continue
		}
		if n++; n > r.lim.Search {
			r.stats.SearchCut++
			break
		}
		for _, v := range withAndWithoutScheme(l.uri) {
			if !seen[v] {
				seen[v] = true
				out = append(out, v)
			}
		}
	}
	return out
}

// absent says why no key with an identifier is there, and which I_MESSAGE would give it.
func (r *Ring) absent(q *Query, id uint32, named bool) (Reason, string) {
	if !named {
		return ReasonNoKey, "the element names no key, and no CSK or SPK is known"
	}
	r.mu.Lock()
	var last *Unwrapped
	list := r.unopened[id]
	// The latest before the message, otherwise the first after it.
	if k := sort.Search(len(list), func(i int) bool { return list[i].seq > q.Seq }); k > 0 {
		last = list[k-1].res
	} else if k < len(list) && r.frozen.Load() {
		last = list[k].res
	}
	r.mu.Unlock()
	if last == nil {
		return ReasonNoKey, "no key " + FormatID(id) + " was given, and no I_MESSAGE before this message carries it"
	}
	to := last.Responder
	if to == "" {
		to, _ = r.party(q, last, false)
	}
	if to == "" {
		to = "a hidden identity"
	}
	return last.Reason, "the I_MESSAGE to " + to + " carries " + FormatID(id) + " but could not be opened: " + last.Hint
}

func itoa(n int) string {
	if n == 0 {
		return "0"
	}
	var b [20]byte
	i := len(b)
	for ; n > 0; n /= 10 {
		i--
		b[i] = byte('0' + n%10)
	}
	return string(b[i:])
}

// String says where a key came from in words.
func (o Origin) String() string {
	switch {
	case o.Line > 0:
		return o.Name + ":" + itoa(o.Line)
	case o.Name == "":
		return "unknown"
	}
	return o.Name
}

// Recovered lists the keys that came out of I_MESSAGEs, in the order of the messages, each with the user that it was
// found to be bound to where that is known. They are copies; whoever asks has to have been asked for secrets.
func (r *Ring) Recovered() []Key {
	r.mu.Lock()
	var hs []*heldKey
	for _, list := range r.held {
		for _, h := range list {
			if h.msg != nil {
				hs = append(hs, h)
			}
		}
	}
	r.mu.Unlock()
	slices.SortFunc(hs, func(a, b *heldKey) int {
		if a.seq != b.seq {
			return cmpUint(a.seq, b.seq)
		}
		return cmpUint(uint64(a.ID), uint64(b.ID))
	})
	var out []Key
	for _, h := range hs {
		k := h.Key
		k.Key = NewSecret(h.Key.Key.Reveal())
		if b := h.known.Load(); b != nil {
			k.URI = b.user
		}
		if k.URI == "" && k.Type != GMK {
			i, p := r.Parties(&Query{Seq: 1<<63 - 1}, h.msg)
			if h.msg.fromServer() {
				i = p
			}
			k.URI = i
		}
		out = append(out, k)
	}
	return out
}
