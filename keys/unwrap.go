package keys

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/keys/sakke"
	"github.com/mcxdump/mcxdump/mikeyparse"
)

// KeyState is what became of the key inside an I_MESSAGE.
type KeyState string

const (
	Recovered  KeyState = "recovered"
	KeyMissing KeyState = "no_key"
	KeyFailed  KeyState = "failed"
)

// SignatureState is the verdict on an I_MESSAGE's ECCSI signature.
type SignatureState string

const (
	SignatureValid   SignatureState = "valid"
	SignatureInvalid SignatureState = "invalid"
	SignatureNoKey   SignatureState = "no_key"
	SignatureAbsent  SignatureState = "absent"
)

// Unwrapped is what came of one I_MESSAGE. It is immutable.
type Unwrapped struct {
	CSBID uint32
	Type  Type

	State    KeyState
	Reason   Reason   // of a key that was not recovered
	Hint     string   // the same in words
	Key      Secret   // the SSV
	Variants []string // deviations that had to be accommodated, in words
	Self     bool     // recovered from the SAKKE-to-self payload
	From     Origin   // where the RSK or master secret came from

	Signature       SignatureState
	SignatureReason Reason
	SignatureHint   string
	SignatureFrom   Origin // where the KPAK came from that proved it

	// The parties as the message gives them: a text, or a hidden UID.
	Initiator, Responder       string
	InitiatorUID, ResponderUID []byte
	InitiatorKMS, ResponderKMS string
	NTP                        uint64 // seconds

	GMKID    uint32 // of a group key message that tells it
	HasGMKID bool

	Params      *mikeyparse.KeyParameters // opened key parameters
	ParamsPlain []byte
	ParamsState KeyState // "" when there are none
	Sessions    []Session
}

// A Session is one crypto session of an I_MESSAGE with its SRTP master key and salt.
type Session struct {
	ID        uint8
	Key, Salt Secret
	MKI       []byte
}

type unwrapEntry struct {
	seq  uint64
	done chan struct{}
	res  *Unwrapped
}

// unwrapKey names one outcome: what comes of a message depends on the KMS documents before it too.
type unwrapKey struct {
	hash  [32]byte
	epoch int
}

// Unwrap opens an I_MESSAGE: it verifies the signature, decapsulates the key and opens the key parameters. The same octets
// are worked on once however often they are seen, unless a KMS document in between may have brought what was missing.
func (r *Ring) Unwrap(q *Query, raw []byte) *Unwrapped {
	r.waitMaterial(q)
	h := unwrapKey{hash: sha256.Sum256(raw)}
	r.mu.Lock()
	h.epoch = r.epoch(q.Seq)
	e := r.seen[h]
	if g := r.good[h.hash]; e == nil && g != nil && g.epoch <= h.epoch {
		e = g.unwrapEntry // more keys would not change it
	}
	if e == nil {
		if len(r.order) >= r.lim.Messages {
			r.stats.MessagesDropped++
			r.forget(r.order[0])
			r.order = r.order[1:]
		}
		e = &unwrapEntry{seq: q.Seq, done: make(chan struct{})}
		r.seen[h] = e
		r.order = append(r.order, h)
		r.mu.Unlock()
		res := r.unwrap(q, raw)
		r.mu.Lock()
		e.res = res
		r.stats.Unwrapped++
		if r.seen[h] == e {
			r.fail(h, e, true)
		}
		if res.State == Recovered {
			r.stats.Recovered++
			r.hold(e.seq, res)
		}
		if !e.final() {
			r.keepForRetry(q, raw)
		}
		if g := r.good[h.hash]; res.whole() && r.seen[h] == e && (g == nil || g.epoch > h.epoch) {
			r.good[h.hash] = &goodEntry{e, h.epoch}
		}
		r.mu.Unlock()
		close(e.done)
		return res
	}
	r.stats.Repeated++
	r.mu.Unlock()
	<-e.done
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.Seq < e.seq {
		listed := r.seen[h] == e
		if listed {
			r.fail(h, e, false)
		}
		e.seq = q.Seq
		if listed {
			r.fail(h, e, true)
		}
		if e.res.State == Recovered {
			r.hold(e.seq, e.res)
		}
	}
	return e.res
}

// final reports whether more material would change nothing.
func (e *unwrapEntry) final() bool {
	return e.res != nil && e.res.State == Recovered && e.res.Signature == SignatureValid
}

// goodEntry is an outcome that nothing can better, with its epoch.
type goodEntry struct {
	*unwrapEntry
	epoch int
}

func (u *Unwrapped) whole() bool {
	return u.State == Recovered && (u.Signature == SignatureValid || u.Signature == SignatureAbsent)
}

// forget drops the outcome of a message.
func (r *Ring) forget(h unwrapKey) {
	if g := r.good[h.hash]; g != nil && g.epoch == h.epoch {
		delete(r.good, h.hash)
	}
	if e := r.seen[h]; e != nil {
		r.fail(h, e, false)
	}
	delete(r.seen, h)
}

// An unopened is an I_MESSAGE whose key could not be recovered.
type unopened struct {
	seq uint64
	key unwrapKey
	res *Unwrapped
}

// fail adds an outcome to those that brought no key, or takes it away.
func (r *Ring) fail(h unwrapKey, e *unwrapEntry, is bool) {
	if e.res == nil || e.res.State == Recovered {
		return
	}
	x := unopened{e.seq, h, e.res}
	list := r.unopened[e.res.CSBID]
	at, found := slices.BinarySearchFunc(list, x, func(a, b unopened) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.key.epoch, b.key.epoch), bytes.Compare(a.key.hash[:], b.key.hash[:]))
	})
	switch {
	case is && !found:
		list = slices.Insert(list, at, x)
	case !is && found:
		list = slices.Delete(list, at, at+1)
	default:
		return
	}
	if len(list) == 0 {
		delete(r.unopened, e.res.CSBID)
	} else {
		r.unopened[e.res.CSBID] = list
	}
}

// Retrace goes through the steps of Unwrap once more for q.Explain, whatever is known already. It changes nothing.
func (r *Ring) Retrace(q *Query, raw []byte) { r.unwrap(q, raw) }

// hold makes a recovered key available by its identifier, from the earliest message on that brought it.
func (r *Ring) hold(seq uint64, u *Unwrapped) {
	id := u.CSBID
	if u.HasGMKID {
		id = u.GMKID
	}
	seq = max(seq, 1)
	for i, h := range r.held[id] {
		if !h.Key.Key.Equal(u.Key) {
			continue
		}
		// A heldKey is read without the lock, so a changed one takes its place.
		n := &heldKey{Key: h.Key, seq: h.seq, msg: h.msg}
		n.known.Store(h.known.Load())
		switch {
		case h.msg == nil && h.URI == "":
			n.msg = u // the user's key; the message tells whose it is
		case h.msg != nil && h.seq != 0 && seq < h.seq:
			n.seq, n.msg = seq, u
		default:
			return
		}
		r.held[id][i] = n
		return
	}
	if len(r.held[id]) >= 64 {
		r.stats.MessagesDropped++
		return
	}
	r.held[id] = append(r.held[id], &heldKey{Key: Key{Type: u.Type, ID: id, Key: u.Key, Origin: Origin{Name: "capture"}}, seq: seq, msg: u})
}

// party is the URI of the initiator or responder, de-anonymised where it is hidden and can be; sure says that the
// message names it or its UID agrees.
func (r *Ring) party(q *Query, u *Unwrapped, initiator bool) (uri string, sure bool) {
	name, uid, kms := u.Responder, u.ResponderUID, u.ResponderKMS
	if initiator {
		name, uid, kms = u.Initiator, u.InitiatorUID, u.InitiatorKMS
	}
	if name != "" {
		return name, true
	}
	if len(uid) == 0 {
		return "", false
	}
	who := r.whoIs(q.Seq, uid, kms, u.NTP)
	if who == "" && !r.frozen.Load() {
		r.wait(q, 0, true) // an earlier message may be about to show the URI
		who = r.whoIs(q.Seq, uid, kms, u.NTP)
	}
	return who, who != ""
}

// Parties returns the URIs of both ends as message q may know them, "" where they stay hidden.
func (r *Ring) Parties(q *Query, u *Unwrapped) (initiator, responder string) {
	initiator, _ = r.party(q, u, true)
	responder, _ = r.party(q, u, false)
	return initiator, responder
}

// fromServer reports whether the message goes from the server to the user: a key download (TS 33.180 5.8) or a group key.
func (u *Unwrapped) fromServer() bool {
	if u.Type == MuSiK || u.Type == GMK {
		return true
	}
	return u.Type == CSK && u.Initiator != "" && !strings.Contains(u.Initiator, "@") && (u.Responder == "" || strings.Contains(u.Responder, "@"))
}

// read takes the time and the parties from a message.
func (u *Unwrapped) read(q *Query, m *mikeyparse.Message) {
	if t := m.Timestamp(); t != nil {
		tm := t.Time()
		if !q.Time.IsZero() {
			tm = t.Near(q.Time).Time
		}
		u.NTP = NTPSeconds(tm.Unix())
	}
	text := func(d *mikeyparse.IDR) (string, []byte) {
		if d == nil {
			return "", nil
		}
		if uid, ok := d.UID(); ok {
			return "", uid
		}
		s, _ := d.Text()
		return s, nil
	}
	u.Initiator, u.InitiatorUID = text(m.Initiator())
	u.Responder, u.ResponderUID = text(m.Responder())
	u.InitiatorKMS, _ = text(m.InitiatorKMS())
	u.ResponderKMS, _ = text(m.ResponderKMS())
	if u.ResponderKMS == "" {
		u.ResponderKMS = u.InitiatorKMS
	}
	if u.InitiatorKMS == "" {
		u.InitiatorKMS = u.ResponderKMS
	}
}

func (r *Ring) unwrap(q *Query, raw []byte) *Unwrapped {
	u := &Unwrapped{State: KeyMissing, Signature: SignatureAbsent}
	m, err := mikeyparse.Parse(raw, nil)
	if m == nil {
		u.State, u.Reason, u.Hint = KeyFailed, ReasonMalformed, "the message is not readable"
		return u
	}
	u.CSBID, u.Type = m.CSBID(), TypeOf(m.CSBID())
	u.GMKID, u.HasGMKID = m.GMKID()
	if m.Header.DataType != mikeyparse.DataSAKKE {
		u.Reason, u.Hint = ReasonUnsupported, "a "+m.Header.DataType.String()+" message, not MIKEY-SAKKE"
		return u
	}
	u.read(q, m)
	r.signature(q, u, m, raw)
	if err != nil && m.SAKKE() == nil {
		u.State, u.Reason, u.Hint = KeyFailed, ReasonMalformed, "the message breaks off before its SAKKE payload"
		return u
	}
	r.decapsulate(q, u, m)
	if u.State == Recovered {
		r.parameters(u, m)
		u.sessions(m)
	}
	return u
}

// identity lists the UIDs that a party may have, the likely ones first, with words for what each assumes.
type identity struct {
	uid    []byte
	period uint64
	words  string
}

func (r *Ring) identities(seq uint64, name string, uid []byte, kms string, ntp uint64) []identity {
	if uid != nil {
		return []identity{{uid: uid}}
	}
	if name == "" {
		return nil
	}
	var out []identity
	assumed := !r.hasPeriod(seq, kms)
	spaces := append(r.spaces(seq, kms), uidSpace{kms: kms, period: tenYearsInMilliseconds})
	for k, sp := range spaces {
		for i, no := range periods(ntp, sp) {
			for j, n := range withAndWithoutScheme(name) {
				id := UID(n, kms, sp.period, sp.offset, no)
				words := ""
				switch {
				case k == len(spaces)-1:
					if no != 0 {
						continue
					}
					words = "UID with key period 315360000000 (ten years in milliseconds), as one product has it"
				case i > 0:
					words = "UID of key period " + itoa(int(no)) + ", a neighbour of the time stamp's"
				case j > 0:
					words = "UID of " + n
				case assumed:
					words = "key period 2592000 s and offset 0 assumed"
				}
				out = append(out, identity{id[:], no, words})
			}
		}
	}
	return out
}

// tenYearsInMilliseconds is the UserKeyPeriod of a product whose UIDs are otherwise by F.2.1.
const tenYearsInMilliseconds = 315360000000

// signature verifies the ECCSI signature with the KPAK of the initiator's KMS, over both coverages that exist in the field.
func (r *Ring) signature(q *Query, u *Unwrapped, m *mikeyparse.Message, raw []byte) {
	sign := m.Sign()
	if sign == nil {
		return
	}
	u.Signature = SignatureNoKey
	// A certificate that the user gave decides alone: the wire does not replace it.
	certs := withKPAK(r.kms[u.InitiatorKMS])
	if len(certs) == 0 {
		certs = withKPAK(r.kmsOf(q.Seq, u.InitiatorKMS))
	}
	if len(certs) == 0 {
		u.SignatureReason = ReasonNoKPAK
		u.SignatureHint = "no KPAK of " + quoteKMS(u.InitiatorKMS) + " was given"
		return
	}
	r1, s1, pvt, ok := sign.ECCSI()
	if !ok {
		u.Signature, u.SignatureReason, u.SignatureHint = SignatureInvalid, ReasonMalformed, "the SIGN payload holds no ECCSI signature of 129 octets"
		return
	}
	sig := append(append(append([]byte(nil), r1...), s1...), pvt...)
	with, without := m.SignedOctets(raw)
	ids := r.identities(q.Seq, u.Initiator, u.InitiatorUID, u.InitiatorKMS, u.NTP)
	for _, cert := range certs {
		for _, id := range ids {
			for form, octets := range [][]byte{id.uid, []byte(hex.EncodeToString(id.uid))} {
				for cover, msg := range [][]byte{with, without} {
					if r.verifier.Verify(cert.KPAK, octets, msg, sig) != nil {
						continue
					}
					u.Signature, u.SignatureFrom = SignatureValid, cert.Origin
					u.deviate(id.words)
					if form == 1 {
						u.deviate("signer named by the hex digits of its UID")
					}
					if cover == 1 {
						u.deviate("signature leaves the SIGN header out (RFC 3830 5.2 includes it)")
					}
					q.explain("signature valid, signer ", u.Initiator, " ", hex.EncodeToString(id.uid[:4]), "...")
					return
				}
			}
		}
	}
	u.Signature, u.SignatureReason = SignatureInvalid, ReasonMalformed
	u.SignatureHint = "the signature does not verify against the KPAK of " + quoteKMS(u.InitiatorKMS) + " for any identity of the initiator"
	if len(ids) == 0 {
		u.Signature, u.SignatureReason, u.SignatureHint = SignatureNoKey, ReasonNoKey, "the message does not name its initiator"
	}
	q.explain(u.SignatureHint)
}

func withKPAK(list []*KMS) (out []*KMS) {
	for _, k := range list {
		if k.KPAK != nil {
			out = append(out, k)
		}
	}
	return out
}

func quoteKMS(s string) string {
	if s == "" {
		return "an unnamed KMS"
	}
	return s
}

func (u *Unwrapped) deviate(words string) {
	if words == "" {
		return
	}
	for _, w := range u.Variants {
		if w == words {
			return
		}
	}
	u.Variants = append(u.Variants, words)
}

// decapsulate tries the responder's RSK, then the initiator's on SAKKE-to-self.
func (r *Ring) decapsulate(q *Query, u *Unwrapped, m *mikeyparse.Message) {
	s := m.SAKKE()
	if s == nil {
		u.State, u.Reason, u.Hint = KeyFailed, ReasonMalformed, "the message has no SAKKE payload"
		return
	}
	if r.open(q, u, s.Data, u.Responder, u.ResponderUID, u.ResponderKMS) {
		return
	}
	if self := m.SAKKEToSelf(); self != nil {
		was := *u
		if r.open(q, u, self.Data, u.Initiator, u.InitiatorUID, u.InitiatorKMS) {
			u.Self = true
			return
		}
		if was.Reason != ReasonNoRSK {
			u.State, u.Reason, u.Hint = was.State, was.Reason, was.Hint
		}
	}
}

// open decapsulates SED for one party.
func (r *Ring) open(q *Query, u *Unwrapped, sed []byte, name string, uid []byte, kms string) bool {
	ids := r.identities(q.Seq, name, uid, kms, u.NTP)
	who := name
	if who == "" {
		who = "the hidden identity"
		if uid != nil {
			who += " " + hex.EncodeToString(uid[:4]) + "..."
		}
	}
	u.State, u.Reason, u.Hint = KeyMissing, ReasonNoRSK, "no RSK for "+who+" of "+quoteKMS(kms)+" was given"
	tried := false
	for _, id := range ids {
		q.explain("RSK for ", who, ": UID ", hex.EncodeToString(id.uid[:min(4, len(id.uid))]), "... ", id.words)
		for form := range 2 {
			octets := id.uid
			if form == 1 {
				octets = []byte(hex.EncodeToString(id.uid))
			}
			for _, k := range r.rsks(q.Seq, id.uid, kms, octets) {
				tried = true
				r.warm(k.rsk, k.z, octets)
				ssv, v, err := r.decapsulateOne(k, octets, sed)
				if err == nil {
					u.State, u.Reason, u.Hint = Recovered, ReasonNone, ""
					u.Key, u.From = NewSecret(ssv), k.from
					clear(ssv)
					u.deviate(id.words)
					if form == 1 {
						u.deviate("receiver named by the hex digits of its UID")
					}
					if v != 0 {
						u.deviate("SAKKE variant " + v.String())
					}
					q.explain("decapsulated with the RSK of ", who)
					return true
				}
				u.State = KeyFailed
				switch {
				case errors.Is(err, sakke.ErrKey):
					u.Reason, u.Hint = ReasonWrongRSK, "the RSK given for "+who+" is not the key of its UID in this key period"
				case errors.Is(err, sakke.ErrTest):
					u.Reason, u.Hint = ReasonMalformed, "the RSK of "+who+" is right, but R differs from TEST: the message is damaged or was made for somebody else"
				default:
					u.Reason, u.Hint = ReasonMalformed, err.Error()
				}
				q.explain(u.Hint)
			}
		}
	}
	if !tried {
		if k := r.otherPeriod(q.Seq, name, uid, kms); k != nil {
			u.Reason = ReasonWrongPeriod
			u.Hint = "the RSK held for " + who + " is of key period " + itoa(int(k.Period)) + ", needed is " + needed(ids)
		}
		q.explain(u.Hint)
	}
	return false
}

func needed(ids []identity) string {
	if len(ids) == 0 || ids[0].period == 0 {
		return "another"
	}
	return itoa(int(ids[0].period))
}

// otherPeriod finds a user key for the same identity in another key period.
func (r *Ring) otherPeriod(seq uint64, name string, uid []byte, kms string) *UserKey {
	if name != "" {
		for _, k := range r.namesOf(seq, name+" "+kms) {
			if k.RSK != nil {
				return k
			}
		}
		return nil
	}
	if uid == nil {
		return nil
	}
	// A hidden identity: does a URI whose key is held give this UID in another period?
	var held []*UserKey
	for i := range r.mat.UserKeys {
		held = append(held, &r.mat.UserKeys[i])
	}
	r.mu.Lock()
	held = append(held, visibleOf(r, r.taught.all, seq)...)
	r.mu.Unlock()
	spaces := r.spaces(seq, kms)
	for _, k := range held {
		if k.RSK == nil || k.KMS != kms {
			continue
		}
		for _, sp := range spaces {
			for d := uint64(1); d <= 24; d++ {
				for _, no := range []uint64{k.Period - d, k.Period + d} {
					if id := UID(k.URI, kms, sp.period, sp.offset, no); string(id[:]) == string(uid) {
						return k
					}
				}
			}
		}
	}
	return nil
}

// usable is an RSK with the Z that it goes with.
type usable struct {
	rsk  *sakke.UserKey
	z    *sakke.PublicKey
	from Origin
}

// rsks lists the user keys for a UID: those given, and those that master secrets give.
func (r *Ring) rsks(seq uint64, uid []byte, kms string, octets []byte) []usable {
	var out []usable
	if len(uid) == 32 {
		for _, k := range r.usersOf(seq, [32]byte(uid)) {
			if k.RSK == nil {
				continue
			}
			for _, name := range []string{k.KMS, kms} {
				for _, c := range r.kmsOf(seq, name) {
					if c.Z != nil {
						out = append(out, usable{k.RSK, c.Z, k.Origin})
					}
				}
				if k.KMS == kms {
					break
				}
			}
		}
	}
	for _, m := range r.masters[kms] {
		if m.SAKKE == nil {
			continue
		}
		if k := r.derive(m, octets); k != nil {
			out = append(out, usable{k, m.SAKKE.Public(), m.Origin})
		}
	}
	return out
}

// derive extracts the RSK of an identity from a master secret, once.
func (r *Ring) derive(m *Master, id []byte) *sakke.UserKey {
	name := m.KMS.URI + " " + string(id)
	r.mu.Lock()
	k := r.derived[name]
	r.mu.Unlock()
	if k != nil {
		return k
	}
	k, err := m.SAKKE.Extract(id)
	if err != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.derived[name]; old != nil {
		return old
	}
	if len(r.derivedOrder) >= r.lim.RSKs {
		delete(r.derived, r.derivedOrder[0])
		r.derivedOrder = r.derivedOrder[1:]
	}
	r.derived[name] = k
	r.derivedOrder = append(r.derivedOrder, name)
	return k
}

// warm builds the tables of an RSK at its second use, for as many RSKs as the limit allows: a server's key opens every
// CSK of a capture, a user's perhaps one.
func (r *Ring) warm(k *sakke.UserKey, z *sakke.PublicKey, id []byte) {
	r.mu.Lock()
	h := r.hot[k]
	if h == nil {
		if len(r.hot) >= r.lim.Tables {
			r.mu.Unlock()
			return
		}
		h = &heat{}
		r.hot[k] = h
	}
	h.uses++
	build := h.uses == 2
	r.mu.Unlock()
	if build {
		k.Precompute(z, id) // a key that does not verify gets no tables, and decapsulation says so
	}
}

// parameters opens the key parameters with the DPCK of the recovered key: their tag confirms the key once more.
func (r *Ring) parameters(u *Unwrapped, m *mikeyparse.Message) {
	x := m.KeyParameters()
	if x == nil {
		return
	}
	if x.Plain != nil {
		u.Params, u.ParamsState = x.Plain, Recovered
		return
	}
	p := x.Protected
	if p == nil {
		u.ParamsState = KeyFailed
		return
	}
	u.ParamsState = KeyFailed
	ssv := u.Key.Reveal()
	for i, key := range [][]byte{DPCK(ssv, p.DPPKID), DPCK(ssv[:min(16, len(ssv))], p.DPPKID)} {
		plain, err := openGCM(key, p.IV, p.Sealed, p.AAD)
		if err != nil {
			continue
		}
		if i == 1 {
			u.deviate("key parameters sealed with a DPCK of the first 16 octets")
		}
		u.ParamsState, u.ParamsPlain = Recovered, plain
		u.Params, _ = mikeyparse.ParseKeyParameters(plain, nil)
		return
	}
	u.deviate("the tag of the key parameters differs")
}

// openGCM opens AES-GCM with a nonce of any length.
func openGCM(key, iv, sealed, aad []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if len(iv) == 0 {
		return nil, errors.New("no IV")
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, len(iv))
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, iv, sealed, aad)
}

// sessions derives the SRTP master key and salt of every crypto session of the map; with an empty map those that TS
// 33.180 table E.1.3-1 gives the key type.
func (u *Unwrapped) sessions(m *mikeyparse.Message) {
	rand := m.RAND()
	if rand == nil {
		return
	}
	type cs struct {
		id  uint8
		mki []byte
	}
	var list []cs
	for _, g := range m.Header.Generic {
		list = append(list, cs{g.CSID, g.SPI})
	}
	if len(list) == 0 {
		ids := map[Type][]uint8{GMK: {4, 5}, PCK: {0, 1, 2, 3}, CSK: {6, 8}, MuSiK: {7, 9}}[u.Type]
		for _, id := range ids {
			list = append(list, cs{id, nil})
		}
	}
	for _, c := range list {
		key, salt := SRTP(u.Key.Reveal(), c.id, u.CSBID, rand.Data)
		u.Sessions = append(u.Sessions, Session{ID: c.id, Key: NewSecret(key), Salt: NewSecret(salt), MKI: c.mki})
	}
}

// OpenElement finds the key of an encrypted element or URI and opens it: AES-GCM with a 12-octet IV, no additional data
// (XML Encryption 1.1; TS 33.180 9.3.4). algorithm is the short name, "" for the default.
func (r *Ring) OpenElement(q *Query, id uint32, named bool, algorithm string, iv, sealed []byte) ([]byte, Outcome) {
	size := 0
	switch algorithm {
	case "", "aes128-gcm", "128-aes-gcm":
		size = 16
	case "aes256-gcm", "256-aes-gcm":
		size = 32
	default:
		return nil, Outcome{KeyID: id, Reason: ReasonUnsupported, Hint: "algorithm " + algorithm + " is not one of TS 33.180"}
	}
	if len(iv) != 12 || len(sealed) < 16 {
		return nil, Outcome{KeyID: id, Reason: ReasonMalformed, Hint: "IV, cipher text and tag are not complete"}
	}
	var plain []byte
	out := r.Find(q, id, named, Confidentiality, func(key []byte) bool {
		if algorithm != "" && len(key) != size {
			return false
		}
		p, err := openGCM(key, iv, sealed, nil)
		if err != nil {
			return false
		}
		plain = p
		if plain == nil {
			plain = []byte{}
		}
		return true
	})
	return plain, out
}

// OpenPayload opens an MCData protected payload (TS 33.180 8.5.4.1): AES-GCM with all octets of the IV as nonce, the octets
// up to the DPPK-ID as additional data, and the DPCK of the key that the DPPK-ID names. Group traffic may name the GMK by
// its GMK-ID or by the GUK-ID of a user, so both are looked for.
func (r *Ring) OpenPayload(q *Query, id uint32, iv, aad, sealed []byte) ([]byte, Outcome) {
	out := Outcome{KeyID: id, Reason: ReasonNoKey}
	if len(iv) == 0 || len(sealed) < 16 {
		out.Reason, out.Hint = ReasonMalformed, "IV, cipher text and tag are not complete"
		return nil, out
	}
	r.wait(q, id, false)
	hs := r.candidates(q, id, true)
	if TypeOf(id) == GMK {
		r.wait(q, id, true)
		hs = append(hs, r.byGUKID(q, id)...)
	}
	for _, h := range hs {
		key := h.Key.Key.Reveal()
		for i, dppk := range [][]byte{key, key[:min(16, len(key))]} {
			if i == 1 && len(key) == 16 {
				continue
			}
			for _, name := range []uint32{id, h.ID} {
				out.Tried++
				plain, err := openGCM(DPCK(dppk, name), iv, sealed, aad)
				if err != nil {
					continue
				}
				o := Outcome{OK: true, KeyID: id, Origin: h.Origin, Tried: out.Tried}
				if i == 1 {
					o.Variant = "dpck-of-16-octets"
				}
				if name != id {
					o.Variant = "dpck-by-gmk-id"
				}
				q.explain("payload opened with ", h.Type.String(), " ", FormatID(h.ID), " from ", h.Origin.String())
				if plain == nil {
					plain = []byte{}
				}
				return plain, o
			}
		}
	}
	if len(hs) == 0 {
		out.Reason, out.Hint = r.absent(q, id, true)
	} else {
		out.Reason, out.Hint = ReasonTagMismatch, "the tag differs with every key of that identifier ("+itoa(out.Tried)+" tries)"
	}
	q.explain(out.Hint)
	return nil, out
}

// byGUKID lists the group keys one of whose users has this GUK-ID: those whose message carried it, and those for which a URI
// that message q may know of gives it (TS 33.180 5.2.3).
func (r *Ring) byGUKID(q *Query, id uint32) []*heldKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*heldKey
	for _, hs := range r.held {
		for _, h := range hs {
			if h.Type != GMK || h.ID == id || h.seq > q.Seq && !r.frozen.Load() {
				continue
			}
			fits := h.msg != nil && h.msg.CSBID == id
			for n := 0; n < len(r.uris) && n < r.lim.Search && !fits; n++ {
				fits = r.visible(r.uris[n].seq, q.Seq) && GUKID(h.Key.Key.Reveal(), h.ID, r.uris[n].uri) == id
			}
			if fits {
				out = append(out, h)
			}
		}
	}
	slices.SortFunc(out, func(a, b *heldKey) int { return cmpUint(uint64(a.ID), uint64(b.ID)) })
	return out
}
