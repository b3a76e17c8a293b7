package keys

import (
	"strconv"

	"github.com/mcxdump/mcxdump/internal/xmlsec"
)

// A SignatureKeys hands integrity keys to the verification of one XML signature and says afterwards which one it was.
type SignatureKeys struct {
	r    *Ring
	q    *Query
	id   uint32
	name bool

	all     bool // the likely users did not fit: everything is tried
	tried   []tried
	certain bool
	absent  Outcome
}

type tried struct {
	h       *heldKey
	b       binding
	variant string // where the key is not the named one
}

// SignatureKeys prepares the search for the key of a signature (TS 33.180 F.1.4, FC 0x52).
func (r *Ring) SignatureKeys(q *Query, id uint32, named bool) *SignatureKeys {
	return &SignatureKeys{r: r, q: q, id: id, name: named}
}

// Keys lists the candidates for xmlsec; each is derived when it is tried.
func (s *SignatureKeys) Keys(xmlsec.KeyQuery) []xmlsec.Key {
	s.tried, s.certain = nil, false
	s.r.wait(s.q, s.id, !s.name)
	hs := s.r.candidates(s.q, s.id, s.name)
	if len(hs) == 0 && s.name {
		s.r.wait(s.q, s.id, true)
		hs = s.r.candidates(s.q, s.id, s.name)
	}
	if len(hs) == 0 {
		s.absent = Outcome{KeyID: s.id}
		s.absent.Reason, s.absent.Hint = s.r.absent(s.q, s.id, s.name)
		if o := s.r.misnamed(s.q, s.id, s.name, Integrity, func([]byte) bool { return false }); o.Reason != "" {
			s.absent = o
		}
		return s.misnamed()
	}
	var out []xmlsec.Key
	for _, h := range hs {
		for b, certain := range s.r.bindings(s.q, h, !s.all) {
			s.certain = s.certain || certain
			n := len(s.tried)
			s.tried = append(s.tried, tried{h, b, b.v.String()})
			out = append(out, xmlsec.KeyFrom(strconv.Itoa(n), func() []byte {
				return DeriveXPK(h.Key.Key.Reveal(), Integrity, b.user, h.ID, b.v)
			}))
		}
	}
	return out
}

// misnamed lists what a product may have meant by an identifier that names no key.
func (s *SignatureKeys) misnamed() []xmlsec.Key {
	if !s.name {
		return nil
	}
	var out []xmlsec.Key
	for _, h := range s.r.strangers(s.q, s.id) {
		for b, _ := range s.r.bindings(s.q, h, true) {
			for _, name := range [...]uint32{s.id, h.ID} {
				n := len(s.tried)
				s.tried = append(s.tried, tried{h, b, keyNameMismatch})
				out = append(out, xmlsec.KeyFrom(strconv.Itoa(n), func() []byte {
					return DeriveXPK(h.Key.Key.Reveal(), Integrity, b.user, name, b.v)
				}))
			}
		}
	}
	return out
}

// More widens the search from the likely users to all, once; it reports whether that can change anything.
func (s *SignatureKeys) More() bool {
	if s.all || s.absent.Reason != "" {
		return false
	}
	s.all = true
	return true
}

// Outcome says how it ended: label is that of the key that proved the signature, "" when none did.
func (s *SignatureKeys) Outcome(label string) Outcome {
	if n, err := strconv.Atoi(label); err == nil && n < len(s.tried) {
		t := s.tried[n]
		if t.variant != keyNameMismatch {
			t.h.known.Store(&t.b)
		}
		s.q.explain("signature verified with P0 ", t.b.user, variantWords(t.b.v), ", key from ", t.h.Origin.String())
		o := Outcome{OK: true, KeyID: t.h.ID, User: t.b.user, Variant: t.variant, Origin: t.h.Origin, Tried: n + 1}
		if t.variant == keyNameMismatch {
			o.Reason = ReasonKeyName
		}
		return o
	}
	if len(s.tried) == 0 || s.absent.Reason != "" {
		if s.absent.Reason == "" {
			return Outcome{KeyID: s.id, Reason: ReasonNoKey, Hint: "no key was asked for"}
		}
		s.q.explain("signature: ", s.absent.Hint)
		return s.absent
	}
	out := Outcome{KeyID: s.tried[0].h.ID, Origin: s.tried[0].h.Origin, Tried: len(s.tried)}
	if s.certain {
		out.Reason, out.Hint = ReasonHMACMismatch, "the HMAC differs with every user and variant ("+itoa(len(s.tried))+" tries)"
	} else {
		out.Reason = ReasonP0Unknown
		out.Hint = "the key is there, but not whose it is: none of " + itoa(len(s.tried)) + " tries with the URIs of the capture fitted; give the MC service ID with MCID"
	}
	s.q.explain("signature: ", out.Hint)
	return out
}
