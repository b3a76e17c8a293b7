package xmlsec

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// Algorithm identifiers of signatures and digests (XML Signature 1.1 6.1). The
// profile of TS 36.579-1 5.5.13 has HMAC-SHA-256 and SHA-256; the others are
// evaluated so that a deviation can be told from a forgery.
const (
	URIHMACSHA1   = "http://www.w3.org/2000/09/xmldsig#hmac-sha1"
	URIHMACSHA224 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha224"
	URIHMACSHA256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
	URIHMACSHA384 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha384"
	URIHMACSHA512 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512"

	URISHA1   = "http://www.w3.org/2000/09/xmldsig#sha1"
	URISHA224 = "http://www.w3.org/2001/04/xmldsig-more#sha224"
	URISHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
	URISHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	URISHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"
)

var hmacs = map[string]func() hash.Hash{
	URIHMACSHA1: sha1.New, URIHMACSHA224: sha256.New224, URIHMACSHA256: sha256.New,
	URIHMACSHA384: sha512.New384, URIHMACSHA512: sha512.New,
}

var digests = map[string]func() hash.Hash{
	URISHA1: sha1.New, URISHA224: sha256.New224, URISHA256: sha256.New,
	URISHA384: sha512.New384, URISHA512: sha512.New,
}

// State is the verdict on a signature.
type State uint8

// Verdicts on a signature. The zero value is not a good one.
const (
	StateUnknown     State = iota
	StateValid             // the key proves it
	StateInvalid           // HMAC or digest differs
	StateNoKey             // no candidate key
	StateUnresolved        // a reference has no target
	StateUnsupported       // an algorithm outside those this package knows
	StateMalformed         // the element does not have its form
)

func (s State) String() string {
	switch s {
	case StateUnknown:
		return "unknown"
	case StateValid:
		return "valid"
	case StateInvalid:
		return "invalid"
	case StateNoKey:
		return "no_key"
	case StateUnresolved:
		return "unresolved"
	case StateUnsupported:
		return "unsupported"
	case StateMalformed:
		return "malformed"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Result is what [Verify] found out about one signature.
type Result struct {
	ID                     string
	KeyName                string // as written, white space trimmed
	KeyID                  string // the same as 8 hex digits, when it is an identifier
	CanonicalizationMethod string
	SignatureMethod        string
	HMACOutputLength       int // bits; 0 when not stated

	// MAC is the verdict on SignatureValue alone, without the references.
	MAC      State
	MACErr   error  // why it is not valid
	Key      string // label of the key that proved it
	Tried    int    // keys tried
	Variant  string // canonical form of SignedInfo that was proved
	Fallback bool   // and it is not the stated one

	// SignedInfo holds the canonical octets of SignedInfo: those that were
	// proved, or else those of the stated method.
	SignedInfo []byte

	References []Reference
}

// State is the verdict on the whole signature: valid means that a key proved
// SignedInfo, that there is a reference, and that every digest is right.
func (r *Result) State() State { s, _ := r.verdict(); return s }

// Reason names why the signature is not valid: malformed, unsupported_algorithm,
// hmac_mismatch, digest_mismatch, unresolved_reference or no_key; it is empty for
// a valid one.
func (r *Result) Reason() string { _, why := r.verdict(); return why }

func (r *Result) verdict() (State, string) {
	count := func(d Digest) int {
		n := 0
		for i := range r.References {
			if r.References[i].Digest == d {
				n++
			}
		}
		return n
	}
	switch {
	case r.MAC == StateInvalid:
		return StateInvalid, "hmac_mismatch"
	case count(DigestMismatch) > 0:
		return StateInvalid, "digest_mismatch"
	case r.MAC == StateMalformed || r.MAC == StateUnknown || count(DigestMalformed)+count(DigestUnknown) > 0 || len(r.References) == 0:
		return StateMalformed, "malformed"
	case r.MAC == StateUnsupported || count(DigestUnsupported) > 0:
		return StateUnsupported, "unsupported_algorithm"
	case count(DigestUnresolved) > 0:
		return StateUnresolved, "unresolved_reference"
	case r.MAC == StateNoKey:
		return StateNoKey, "no_key"
	}
	return StateValid, ""
}

// Signed returns the references whose octets are proved: the digest is right and
// a key proved SignedInfo. It is empty as long as the MAC is not valid, whatever
// the other references say.
func (r *Result) Signed() []Reference {
	if r.MAC != StateValid {
		return nil
	}
	var out []Reference
	for i := range r.References {
		if r.References[i].Digest == DigestOK {
			out = append(out, r.References[i])
		}
	}
	return out
}

// VerifyOptions say where targets and keys come from.
type VerifyOptions struct {
	Resolve Resolver // for references outside the document; see [Parts]
	Keys    KeyFunc
	Limits  Limits // for targets that have to be read as XML
	Strict  bool   // no fallback variants
}

// Verify checks one ds:Signature with HMAC (TS 33.180 9.3.5, TS 24.379 6.6.3.3.3
// and F.6, XML Signature 1.1 3.2). Digests are checked whether there is a key or
// not. Where the stated octets do not fit, near variants are tried, line ends and
// other canonical forms, and named; Strict turns that off.
//
// The tree is not changed, the result is never nil, and nothing in it is to be
// trusted as signed but what [Result.Signed] returns.
func Verify(sig *etree.Element, o VerifyOptions) *Result {
	r := &Result{}
	if !Is(sig, NSSig, "Signature") {
		r.MAC, r.MACErr = StateMalformed, ErrMalformed{"not a Signature"}
		return r
	}
	lim, err := o.Limits.check()
	if err != nil {
		r.MAC, r.MACErr = StateMalformed, err
		return r
	}
	s := newSpace(sig, o.Resolve, lim)
	r.ID = sig.SelectAttrValue("Id", "")
	r.KeyName = keyName(Child(sig, NSSig, "KeyInfo"))
	r.KeyID, _ = KeyIDFromName(r.KeyName)

	infos := Children(sig, NSSig, "SignedInfo")
	values := Children(sig, NSSig, "SignatureValue")
	if len(infos) != 1 || len(values) != 1 {
		r.MAC, r.MACErr = StateMalformed, ErrMalformed{"not exactly one SignedInfo and one SignatureValue"}
		if len(infos) != 1 {
			return r
		}
	}
	info := infos[0]
	if r.MAC == StateUnknown {
		r.mac(s, info, values[0], o)
	} else {
		r.methods(info)
	}
	refs := Children(info, NSSig, "Reference")
	if len(refs) > maxReferences {
		r.MAC, r.MACErr = StateMalformed, fmt.Errorf("%w: more than %d references", ErrLimit, maxReferences)
		refs = refs[:maxReferences]
	}
	if len(refs) == 0 && r.MACErr == nil {
		r.MACErr = ErrMalformed{"no Reference"}
	}
	for _, el := range refs {
		r.References = append(r.References, s.reference(el, o.Strict))
	}
	return r
}

// VerifyAll verifies the signatures of a document in document order, at most
// limit of them; zero means 64. Signatures inside ds:Object are among them.
func VerifyAll(d *Doc, o VerifyOptions, limit int) []*Result {
	if limit <= 0 {
		limit = 64
	}
	var out []*Result
	for _, sig := range d.Find(d.Root(), NSSig, "Signature", limit) {
		out = append(out, Verify(sig, o))
	}
	return out
}

// methods reads the algorithms of SignedInfo.
func (r *Result) methods(info *etree.Element) (c14n, sig *etree.Element) {
	if c14n = Child(info, NSSig, "CanonicalizationMethod"); c14n != nil {
		r.CanonicalizationMethod = c14n.SelectAttrValue("Algorithm", "")
	}
	if sig = Child(info, NSSig, "SignatureMethod"); sig != nil {
		r.SignatureMethod = sig.SelectAttrValue("Algorithm", "")
	}
	return c14n, sig
}

func (r *Result) mac(s *space, info, value *etree.Element, o VerifyOptions) {
	fail := func(st State, err error) { r.MAC, r.MACErr = st, err }
	cm, sm := r.methods(info)
	stated, known := C14NByURI(r.CanonicalizationMethod)
	if known {
		stated.Prefixes = prefixList(cm)
		m, err := s.canonical(material{el: info, comments: true}, stated)
		if err != nil {
			fail(StateMalformed, err)
			return
		}
		r.SignedInfo = m.octets
	}
	switch {
	case sm == nil || r.SignatureMethod == "":
		fail(StateMalformed, ErrMalformed{"no SignatureMethod"})
		return
	case hmacs[r.SignatureMethod] == nil:
		fail(StateUnsupported, ErrUnsupportedAlgorithm{r.SignatureMethod})
		return
	case cm == nil:
		fail(StateMalformed, ErrMalformed{"no CanonicalizationMethod"})
		return
	case !known:
		fail(StateUnsupported, ErrUnsupportedAlgorithm{r.CanonicalizationMethod})
		return
	}
	h := hmacs[r.SignatureMethod]
	size := h().Size()
	if l := Child(sm, NSSig, "HMACOutputLength"); l != nil {
		bits, err := outputLength(Text(l), size)
		r.HMACOutputLength = bits
		if err != nil {
			fail(StateMalformed, err)
			return
		}
		size = bits / 8
	}
	want, err := decodeBase64(Text(value))
	if err != nil {
		fail(StateMalformed, ErrMalformed{"SignatureValue is not base64"})
		return
	}
	if len(want) != size {
		fail(StateInvalid, fmt.Errorf("xmlsec: SignatureValue has %d octets instead of %d", len(want), size))
		return
	}
	keys := o.Keys.ask(r.KeyName, r.SignatureMethod)
	keys = slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return len(k.reveal()) == 0 })
	forms := []C14N{stated}
	if !o.Strict {
		for _, c := range c14nURIs {
			forms = append(forms, c.m)
		}
	}
	for n, c := range forms {
		octets := r.SignedInfo
		if n > 0 {
			if len(keys) == 0 {
				break
			}
			m, err := s.canonical(material{el: info, comments: true}, c)
			if err != nil {
				fail(StateMalformed, err)
				return
			}
			octets = m.octets
		}
		for _, k := range keys {
			if !s.work.spend(len(octets)) {
				fail(StateMalformed, ErrWork)
				return
			}
			if n == 0 {
				r.Tried++
			}
			mac := hmac.New(h, k.reveal())
			mac.Write(octets)
			if hmac.Equal(mac.Sum(nil)[:size], want) {
				r.MAC, r.Key, r.SignedInfo = StateValid, k.Label, octets
				r.Variant, r.Fallback = c.String(), n > 0
				return
			}
		}
	}
	if len(keys) == 0 {
		fail(StateNoKey, ErrNoKey)
		return
	}
	fail(StateInvalid, errors.New("xmlsec: no candidate key gives SignatureValue"))
}

// outputLength reads HMACOutputLength. A truncation below half of the HMAC or
// below 128 bits proves nothing (XML Signature 1.1 6.3.1, CVE-2009-0217).
func outputLength(s string, size int) (int, error) {
	bits, err := strconv.Atoi(strings.TrimSpace(s))
	switch {
	case err != nil || bits < 0:
		return 0, ErrMalformed{"HMACOutputLength is no number"}
	case bits < max(128, size*4) || bits > size*8 || bits%8 != 0:
		return bits, ErrMalformed{fmt.Sprintf("HMACOutputLength %d is not a multiple of 8 from %d to %d", bits, max(128, size*4), size*8)}
	}
	return bits, nil
}

// prefixList reads ec:InclusiveNamespaces/@PrefixList (Exclusive C14N 1.0 4).
func prefixList(el *etree.Element) []string {
	if n := Child(el, URIExcC14N, "InclusiveNamespaces"); n != nil {
		return strings.Fields(n.SelectAttrValue("PrefixList", ""))
	}
	return nil
}

// reference checks one ds:Reference.
func (s *space) reference(el *etree.Element, strict bool) (r Reference) {
	fail := func(d Digest, err error) Reference {
		r.Digest, r.Err = d, err
		return r
	}
	if a := el.SelectAttr("URI"); a != nil {
		r.URI = a.Value
	} else {
		r.NoURI = true
	}
	r.ID = el.SelectAttrValue("Id", "")
	r.Type = el.SelectAttrValue("Type", "")
	if m := Child(el, NSSig, "DigestMethod"); m != nil {
		r.DigestMethod = m.SelectAttrValue("Algorithm", "")
	}
	var list []transform
	for _, ts := range Children(el, NSSig, "Transforms") {
		for _, t := range Children(ts, NSSig, "Transform") {
			uri := t.SelectAttrValue("Algorithm", "")
			r.Transforms = append(r.Transforms, uri)
			list = append(list, transform{uri, prefixList(t)})
			if len(list) > maxTransforms {
				return fail(DigestMalformed, fmt.Errorf("%w: more than %d transforms", ErrLimit, maxTransforms))
			}
		}
	}
	values := Children(el, NSSig, "DigestValue")
	if r.DigestMethod == "" || len(values) != 1 {
		return fail(DigestMalformed, ErrMalformed{"Reference without DigestMethod or one DigestValue"})
	}
	m, err := s.start(&r)
	if err != nil {
		return fail(DigestUnresolved, err)
	}
	h := digests[r.DigestMethod]
	if h == nil {
		return fail(DigestUnsupported, ErrUnsupportedAlgorithm{r.DigestMethod})
	}
	want, err := decodeBase64(Text(values[0]))
	if err != nil || len(want) != h().Size() {
		return fail(DigestMalformed, ErrMalformed{"DigestValue is no base64 of the digest's length"})
	}
	try := func(v material) bool {
		d := h()
		d.Write(v.octets)
		if !hmac.Equal(d.Sum(nil), want) {
			return false
		}
		r.Digest, r.Octets, r.Variant = DigestOK, v.octets, v.variant
		return true
	}
	v, last, err := s.apply(m, list)
	if unsupported := (ErrUnsupportedAlgorithm{}); errors.As(err, &unsupported) {
		return fail(DigestUnsupported, err)
	}
	if errors.Is(err, ErrWork) {
		return fail(DigestMalformed, err)
	}
	if err == nil {
		if !s.work.spend(len(v.octets)) {
			return fail(DigestMalformed, ErrWork)
		}
		if try(v) {
			return r
		}
	}
	if !strict {
		if werr := s.fallbacks(&r, len(list) > 0, last, try); werr != nil {
			return fail(DigestMalformed, werr)
		}
		if r.Digest == DigestOK {
			r.Fallback = true
			return r
		}
	}
	if err != nil {
		return fail(DigestMalformed, err)
	}
	return fail(DigestMismatch, errors.New("xmlsec: DigestValue differs"))
}
