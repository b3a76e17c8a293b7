package sakke

import (
	"bytes"
	"io"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mcxdump/mcxdump/keys/sakke/internal/fp"
)

const (
	// SSVSize is n/8 of parameter set 1, the octets of a shared secret value.
	SSVSize = 16
	// WideSSVSize is the SSV of products which use n = 256.
	WideSSVSize = 32
	// SEDSize is the length of SAKKE encapsulated data, R‖H, for n = 128.
	SEDSize = PointSize + SSVSize
)

// A Variant says in which ways a message departs from RFC 6508. Zero is none.
type Variant uint8

const (
	// MaskV2 is a mask for n = 256 of v_2: l was computed as for 2^256+1
	// (RFC 6508 section 5.1 gives l = 1, hence v_1).
	MaskV2 Variant = 1 << iota
	// ShortH is an H without its leading zero octets (section 4 fixes n/8).
	ShortH
	// ShortW is a mask made from w without its leading zero octets (section 4
	// fixes L octets).
	ShortW
)

// String names the variants: "standard", "mask-v2+short-w".
func (v Variant) String() string {
	if v == 0 {
		return "standard"
	}
	var names []string
	for _, n := range []struct {
		bit  Variant
		name string
	}{{MaskV2, "mask-v2"}, {ShortH, "short-h"}, {ShortW, "short-w"}} {
		if v&n.bit != 0 {
			names = append(names, n.name)
			v &^= n.bit
		}
	}
	if v != 0 {
		names = append(names, "Variant("+big.NewInt(int64(v)).String()+")")
	}
	return strings.Join(names, "+")
}

// mask is HashToIntegerRange(w, 2^n) as n/8 octets, in the given variant.
func mask(w *fp.Element, size int, v Variant) []byte {
	b := w.Bytes()
	s := b[:]
	if v&ShortW != 0 {
		s = bytes.TrimLeft(s, "\x00")
	}
	l := 1
	if v&MaskV2 != 0 {
		l = 2
	}
	m := hashBlocks(s, l)
	return m[len(m)-size:]
}

// scalarR is r = HashToIntegerRange(SSV ‖ b, q).
func scalarR(ssv, id []byte) *big.Int {
	return HashToIntegerRange(append(bytes.Clone(ssv), id...), orderQ)
}

// A PublicKey is Z, the KMS public key (RFC 6508 section 6.1). It may be used by
// several goroutines.
type PublicKey struct {
	z      affine
	octets [PointSize]byte
	once   sync.Once
	comb   atomic.Pointer[comb]
}

// ParsePublicKey reads the 257 octets of a Z: a point of order q.
func ParsePublicKey(z []byte) (*PublicKey, error) {
	a, err := parsePoint(z)
	if err == nil && !a.hasOrderQ() {
		err = ErrOrder
	}
	if err != nil {
		return nil, &Error{"Z", "RFC 6508 6.1", err}
	}
	return newPublicKey(a), nil
}

func newPublicKey(a affine) *PublicKey {
	return &PublicKey{z: a, octets: [PointSize]byte(a.bytes())}
}

// Bytes returns the 257 octets of Z.
func (p *PublicKey) Bytes() []byte { return bytes.Clone(p.octets[:]) }

// Equal reports whether both are the same Z.
func (p *PublicKey) Equal(other *PublicKey) bool {
	return p == other || p != nil && other != nil && p.octets == other.octets
}

// Precompute builds the comb of Z, which is otherwise built at first use.
func (p *PublicKey) Precompute() { p.table() }

func (p *PublicKey) table() *comb {
	p.once.Do(func() { p.comb.Store(newComb(&p.z, combTeeth)) })
	return p.comb.Load()
}

// MemorySize returns the octets held for p, tables included.
func (p *PublicKey) MemorySize() int {
	n := 2*ElementSize + PointSize
	if c := p.comb.Load(); c != nil {
		n += c.memory()
	}
	return n
}

// mulReceiver is [r]([b]P + Z) = [rb]P + [r]Z.
func (p *PublicKey) mulReceiver(r *big.Int, id []byte) point {
	rb := new(big.Int).SetBytes(id)
	return mulCombs(combP().recode(rb.Mul(rb, r)), p.table().recode(r))
}

// receiver is [b]P + Z.
func (p *PublicKey) receiver(id []byte) point {
	pt := mulCombs(combP().recode(new(big.Int).SetBytes(id)))
	pt.add(&pt, &p.z)
	return pt
}

// Encapsulate draws an SSV of SSVSize octets from random and encapsulates it to
// id.
func (p *PublicKey) Encapsulate(random io.Reader, id []byte) (ssv, sed []byte, err error) {
	ssv = make([]byte, SSVSize)
	for {
		if _, err := io.ReadFull(random, ssv); err != nil {
			return nil, nil, &Error{"random", "RFC 6508 6.2.1", err}
		}
		// [r]([b]P+Z) is infinite for one SSV in 2^1022: draw again
		if sed, err = p.EncapsulateSSV(id, ssv, 0); err == nil {
			return ssv, sed, nil
		}
		if e, ok := err.(*Error); !ok || e.Err != ErrOrder {
			return nil, nil, err
		}
		if _, err := p.receiverPoint(id); err != nil {
			return nil, nil, err
		}
	}
}

// receiverPoint is receiver, with an error for an identifier without a key.
func (p *PublicKey) receiverPoint(id []byte) (affine, error) {
	pt := p.receiver(id)
	a, ok := pt.affine()
	if !ok {
		return a, &Error{"identifier", "RFC 6508 6.1.1", ErrIdentifier}
	}
	return a, nil
}

// EncapsulateSSV encapsulates ssv, of 16 or 32 octets, to id, as described in
// RFC 6508 section 6.2.1:
//
//	r = HashToIntegerRange(SSV ‖ b, q),  R = [r]([b]P + Z)
//	H = SSV xor HashToIntegerRange(g^r, 2^n),  SED = R ‖ H
//
// v other than zero makes the message as a deviating product would; a Variant
// which does not apply (MaskV2 for 16 octets, zeros which are not there) has no
// effect.
func (p *PublicKey) EncapsulateSSV(id, ssv []byte, v Variant) (sed []byte, err error) {
	if len(ssv) != SSVSize && len(ssv) != WideSSVSize {
		return nil, &Error{"SSV", "RFC 6508 6.2.1", ErrLength}
	}
	r := scalarR(ssv, id)
	pt := p.mulReceiver(r, id)
	a, ok := pt.affine()
	if !ok {
		return nil, &Error{"R", "RFC 6508 6.2.1", ErrOrder}
	}
	w := powerOfG(r)
	if len(ssv) == SSVSize {
		v &^= MaskV2
	}
	h := mask(&w, len(ssv), v)
	for i := range h {
		h[i] ^= ssv[i]
	}
	if v&ShortH != 0 {
		h = bytes.TrimLeft(h, "\x00")
	}
	return append(a.bytes(), h...), nil
}

// A MasterSecret is z, the KMS secret (RFC 6508 section 6.1).
type MasterSecret struct {
	withheld
	s func() *masterState
}

type masterState struct {
	z   *big.Int
	pub *PublicKey
}

// NewMasterSecret reads z, a big-endian integer in 2..q-1. Leading zero octets
// are allowed.
func NewMasterSecret(z []byte) (*MasterSecret, error) {
	z = bytes.TrimLeft(z, "\x00")
	if len(z) > ElementSize {
		return nil, &Error{"z", "RFC 6508 6.1", ErrLength}
	}
	k := new(big.Int).SetBytes(z)
	if k.BitLen() < 2 || k.Cmp(orderQ) >= 0 {
		return nil, &Error{"z", "RFC 6508 6.1", ErrRange}
	}
	pt := mulCombs(combP().recode(k))
	a, _ := pt.affine() // finite: 0 < z < q
	st := &masterState{k, newPublicKey(a)}
	return &MasterSecret{s: func() *masterState { return st }}, nil
}

// GenerateMasterSecret draws z from random.
func GenerateMasterSecret(random io.Reader) (*MasterSecret, error) {
	for {
		var b [ElementSize]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return nil, &Error{"random", "RFC 6508 6.1", err}
		}
		b[0] &= 1<<(orderBits-8*(ElementSize-1)) - 1
		if m, err := NewMasterSecret(b[:]); err == nil {
			return m, nil
		}
	}
}

// Public returns Z = [z]P.
func (m *MasterSecret) Public() *PublicKey { return m.s().pub }

// Reveal returns the 128 octets of z, or nil after Destroy.
func (m *MasterSecret) Reveal() []byte {
	if m.s().z.Sign() == 0 {
		return nil
	}
	return m.s().z.FillBytes(make([]byte, ElementSize))
}

// Destroy overwrites z. It must not run beside another call.
func (m *MasterSecret) Destroy() {
	z := m.s().z
	clear(z.Bits())
	z.SetInt64(0)
}

// Extract makes the RSK of id, as described in RFC 6508 section 6.1.1:
// K = [1/(a+z) mod q]P.
func (m *MasterSecret) Extract(id []byte) (*UserKey, error) {
	st := m.s()
	if st.z.Sign() == 0 {
		return nil, &Error{"z", "RFC 6508 6.1.1", ErrDestroyed}
	}
	k := new(big.Int).SetBytes(id)
	k.Add(k, st.z).Mod(k, orderQ)
	if k.Sign() == 0 {
		return nil, &Error{"identifier", "RFC 6508 6.1.1", ErrIdentifier}
	}
	pt := mulCombs(combP().recode(k.ModInverse(k, orderQ)))
	a, _ := pt.affine() // finite: the scalar is not 0
	return newUserKey(a), nil
}

// A UserKey is an RSK, the receiver secret key of one identifier under one KMS
// for one key period (RFC 6508 section 6.1.1). It may be used by several
// goroutines.
type UserKey struct {
	withheld
	s func() *userState
}

type userState struct {
	key       affine
	destroyed atomic.Bool
	table     atomic.Pointer[lineTable]
	bound     atomic.Pointer[binding] // set by Precompute
	asked     atomic.Pointer[binding] // the last answer of Verify
	lanes     atomic.Pointer[laneTables]
}

// binding is what is known of a key with one identifier under one Z.
type binding struct {
	z     [PointSize]byte
	id    string
	valid bool
	test  *comb // of [b]P + Z, if Precompute made this binding
}

func (b *binding) of(pub *PublicKey, id []byte) bool {
	return b != nil && b.z == pub.octets && b.id == string(id)
}

// known returns the binding with id under pub if there is one.
func (st *userState) known(pub *PublicKey, id []byte) *binding {
	if b := st.bound.Load(); b.of(pub, id) {
		return b
	}
	if b := st.asked.Load(); b.of(pub, id) {
		return b
	}
	return nil
}

func newUserKey(a affine) *UserKey {
	st := &userState{key: a}
	return &UserKey{s: func() *userState { return st }}
}

// ParseUserKey reads the 257 octets of an RSK: a point of order q. Whose key it
// is, is for Verify to say.
func ParseUserKey(rsk []byte) (*UserKey, error) {
	a, err := parsePoint(rsk)
	if err == nil && !a.hasOrderQ() {
		err = ErrOrder
	}
	if err != nil {
		return nil, &Error{"RSK", "RFC 6508 6.1.2", err}
	}
	return newUserKey(a), nil
}

// Reveal returns the 257 octets of the RSK, or nil after Destroy.
func (k *UserKey) Reveal() []byte {
	st := k.s()
	if st.destroyed.Load() {
		return nil
	}
	return st.key.bytes()
}

// Destroy overwrites the RSK and its tables. It must not run beside another
// call.
func (k *UserKey) Destroy() {
	st := k.s()
	st.destroyed.Store(true)
	st.key = affine{}
	if t := st.table.Swap(nil); t != nil {
		clear(t.coefficients)
	}
	if t := st.lanes.Swap(nil); t != nil {
		clear(t.lines)
	}
	st.bound.Store(nil)
	st.asked.Store(nil)
}

// MemorySize returns the octets held for k, tables included.
func (k *UserKey) MemorySize() int {
	st := k.s()
	n := 2 * ElementSize
	if t := st.table.Load(); t != nil {
		n += t.memory()
	}
	if t := st.lanes.Load(); t != nil {
		n += t.memory()
	}
	for _, b := range []*binding{st.bound.Load(), st.asked.Load()} {
		if b != nil {
			n += PointSize + len(b.id)
			if b.test != nil {
				n += b.test.memory()
			}
		}
	}
	return n
}

// pair is <R,K>, by the table if there is one.
func (st *userState) pair(r *affine) (fp.Element, bool) {
	if t := st.table.Load(); t != nil {
		return t.varTimePairing(r)
	}
	return varTimePairing(r, &st.key)
}

// Verify checks that k is the key of id under pub, as described in RFC 6508
// section 6.1.2: <[a]P + Z, K> = g. ErrKey is what a wrong identifier, period or
// KMS gives. The last answer is kept, so that asking again is cheap.
func (k *UserKey) Verify(pub *PublicKey, id []byte) error {
	st := k.s()
	if st.destroyed.Load() {
		return &Error{"RSK", "RFC 6508 6.1.2", ErrDestroyed}
	}
	b := st.known(pub, id)
	if b == nil {
		a, err := pub.receiverPoint(id)
		if err != nil {
			return err
		}
		w, ok := st.pair(&a)
		b = &binding{z: pub.octets, id: string(id), valid: ok && w.Equal(&elementG)}
		st.asked.Store(b)
	}
	if !b.valid {
		return &Error{"RSK", "RFC 6508 6.1.2", ErrKey}
	}
	return nil
}

// Precompute builds the tables which make Decapsulate more than three times as
// fast: the lines of the pairing for k, and the multiples of [b]P + Z for id
// under pub. They take about 450 kB, which MemorySize tells, and as long as four
// decapsulations without them, so that they pay from the fifth or sixth message
// on. A key which does not verify gets no tables and an error.
func (k *UserKey) Precompute(pub *PublicKey, id []byte) error {
	st := k.s()
	if st.destroyed.Load() {
		return &Error{"RSK", "RFC 6508 6.1.2", ErrDestroyed}
	}
	fresh := st.table.Load() == nil
	if b := st.known(pub, id); fresh && (b == nil || b.valid) {
		t, ok := newLineTable(&st.key)
		if !ok {
			return &Error{"RSK", "RFC 6508 6.1.2", ErrOrder}
		}
		st.table.Store(t) // Verify is faster with it
	}
	if err := k.Verify(pub, id); err != nil {
		if fresh {
			st.table.Store(nil)
		}
		return err
	}
	if !st.bound.Load().of(pub, id) {
		a, err := pub.receiverPoint(id)
		if err != nil {
			return err
		}
		st.lanes.Store(nil) // they are of the binding before
		st.bound.Store(&binding{z: pub.octets, id: string(id), valid: true, test: newComb(&a, combTeeth)})
	}
	return nil
}

// TableSize returns the octets Precompute adds to a key, for budgets.
func TableSize() int {
	n := 0
	for _, s := range schedule() {
		n += s.sizeA() + s.sizeB()
	}
	d := (orderBits + 1 + combTeeth - 1) / combTeeth
	tables := (d + combRows - 1) / combRows
	return n*ElementSize + tables*(1<<(combTeeth-1))*2*ElementSize
}

// DropTables frees what Precompute built. Calls which run meanwhile are not
// disturbed.
func (k *UserKey) DropTables() {
	st := k.s()
	st.table.Store(nil)
	st.bound.Store(nil)
	st.lanes.Store(nil)
}

// Decapsulate opens sed, made for id under pub, as described in RFC 6508
// section 6.2.2:
//
//	w = <R,K>,  SSV = H xor HashToIntegerRange(w, 2^n)
//	r = HashToIntegerRange(SSV ‖ b, q),  TEST = [r]([b]P + Z)
//
// and returns the SSV, of 16 or 32 octets, only if TEST = R. The Variant says
// in which way the message departs from the RFC; each which its length allows
// is tried.
//
// Errors: field SED (length) or R (encoding, curve, order) for a malformed
// message; field RSK with ErrKey when k is not the key of id under pub; field
// TEST with ErrTest when it is, and the message is damaged or was made for
// somebody else.
func (k *UserKey) Decapsulate(pub *PublicKey, id, sed []byte) (ssv []byte, v Variant, err error) {
	st := k.s()
	if st.destroyed.Load() {
		return nil, 0, &Error{"RSK", "RFC 6508 6.2.2", ErrDestroyed}
	}
	size, lost, ok := sizeOfH(len(sed) - PointSize)
	if !ok {
		return nil, 0, &Error{"SED", "RFC 6508 4", ErrLength}
	}
	r, err := parsePoint(sed[:PointSize])
	if err != nil {
		return nil, 0, &Error{"R", "RFC 6508 6.2.2", err}
	}
	b := st.known(pub, id)
	if b != nil && !b.valid {
		return nil, 0, k.Verify(pub, id)
	}
	h := make([]byte, size)
	copy(h[lost:], sed[PointSize:])
	w, ok := st.pair(&r)
	for _, v := range variants(&w, size) {
		if !ok {
			break
		}
		ssv := mask(&w, size, v)
		for i := range ssv {
			ssv[i] ^= h[i]
		}
		x := scalarR(ssv, id)
		var test point
		if b != nil && b.test != nil {
			test = mulCombs(b.test.recode(x))
		} else {
			test = pub.mulReceiver(x, id)
		}
		// R = TEST is a multiple of P, so its order needs no check
		if test.equalAffine(&r) {
			if lost > 0 {
				v |= ShortH
			}
			return ssv, v, nil
		}
	}
	if !r.hasOrderQ() {
		return nil, 0, &Error{"R", "RFC 6508 6.2.2", ErrOrder}
	}
	if err := k.Verify(pub, id); err != nil {
		return nil, 0, err
	}
	return nil, 0, &Error{"TEST", "RFC 6508 6.2.2", ErrTest}
}

// maxLost is how many leading zero octets H may have lost.
const maxLost = 2

// sizeOfH tells n/8 and how many leading zeros are missing from n octets of H.
func sizeOfH(n int) (size, lost int, ok bool) {
	for _, size := range []int{SSVSize, WideSSVSize} {
		if n <= size && n >= size-maxLost {
			return size, size - n, true
		}
	}
	return 0, 0, false
}

// variants lists the ways to make a mask of size octets from w, the RFC's first.
func variants(w *fp.Element, size int) []Variant {
	list := []Variant{0}
	if size == WideSSVSize {
		list = append(list, MaskV2)
	}
	if b := w.Bytes(); b[0] == 0 {
		for _, v := range list {
			list = append(list, v|ShortW)
		}
	}
	return list
}
