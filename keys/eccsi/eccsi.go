package eccsi

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/big"

	"filippo.io/nistec"
)

const (
	// ScalarSize is N, the octets of an integer modulo p or q.
	ScalarSize = 32
	// PointSize is the length of an uncompressed point, 04‖x‖y.
	PointSize = 65
	// SignatureSize is the length of r‖s‖PVT.
	SignatureSize = 2*ScalarSize + PointSize
)

var (
	// fieldP is p and orderQ is q of P-256 (FIPS 186-4 D.1.2.3).
	fieldP, _ = new(big.Int).SetString("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", 16)
	orderQ, _ = new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	// baseG is G in its 65 octets, as hashed into HS.
	baseG = nistec.NewP256Point().SetGenerator().Bytes()
)

// parsePoint accepts 04‖x‖y, coordinates below p, on the curve. The cofactor of
// P-256 is 1, so nothing is left to check, and this form has no infinity.
func parsePoint(b []byte) (*nistec.P256Point, error) {
	if len(b) != PointSize {
		return nil, ErrLength
	}
	pt, err := nistec.NewP256Point().SetBytes(b)
	if err != nil {
		return nil, ErrPoint
	}
	return pt, nil
}

// scalar returns x mod q in ScalarSize octets.
func scalar(x *big.Int) []byte {
	return new(big.Int).Mod(x, orderQ).FillBytes(make([]byte, ScalarSize))
}

func mulBase(x *big.Int) *nistec.P256Point {
	pt, err := nistec.NewP256Point().ScalarBaseMult(scalar(x))
	if err != nil {
		panic("eccsi: " + err.Error()) // the length is right by construction
	}
	return pt
}

func mulPoint(p *nistec.P256Point, x *big.Int) *nistec.P256Point {
	pt, err := nistec.NewP256Point().ScalarMult(p, scalar(x))
	if err != nil {
		panic("eccsi: " + err.Error())
	}
	return pt
}

// hashHS is HS = hash(G ‖ KPAK ‖ ID ‖ PVT), RFC 6507 section 5.1.2.
func hashHS(kpak, id, pvt []byte) [32]byte {
	h := sha256.New()
	h.Write(baseG)
	h.Write(kpak)
	h.Write(id)
	h.Write(pvt)
	return [32]byte(h.Sum(nil))
}

// hashHE is HE = hash(HS ‖ r ‖ M), RFC 6507 section 5.2.1.
func hashHE(hs [32]byte, r, message []byte) [32]byte {
	h := sha256.New()
	h.Write(hs[:])
	h.Write(r)
	h.Write(message)
	return [32]byte(h.Sum(nil))
}

// A PublicKey is a KPAK, the KMS public authentication key (RFC 6507 section
// 5.1.1). It is immutable and may be shared.
type PublicKey struct {
	kpak   *nistec.P256Point
	octets [PointSize]byte
	lines  lines // for verification
}

// ParsePublicKey reads the 65 octets of a KPAK.
func ParsePublicKey(kpak []byte) (*PublicKey, error) {
	pt, err := parsePoint(kpak)
	if err != nil {
		return nil, &Error{"KPAK", "RFC 6507 5.1.1", err}
	}
	return &PublicKey{kpak: pt, octets: [PointSize]byte(kpak)}, nil
}

// Bytes returns the 65 octets of the KPAK.
func (p *PublicKey) Bytes() []byte { return bytes.Clone(p.octets[:]) }

// Equal reports whether both are the same KPAK.
func (p *PublicKey) Equal(other *PublicKey) bool {
	return p == other || p != nil && other != nil && p.octets == other.octets
}

// A MasterSecret is a KSAK, the KMS secret authentication key (RFC 6507 section
// 5.1.1).
type MasterSecret struct {
	withheld
	s func() *masterState
}

type masterState struct {
	ksak *big.Int
	pub  *PublicKey
}

// NewMasterSecret reads a KSAK, a big-endian integer in 1..q-1. Leading zero
// octets are allowed.
func NewMasterSecret(ksak []byte) (*MasterSecret, error) {
	k, err := parseScalar("KSAK", "RFC 6507 5.1.1", ksak)
	if err != nil {
		return nil, err
	}
	pt := mulBase(k)
	st := &masterState{k, &PublicKey{kpak: pt, octets: [PointSize]byte(pt.Bytes())}}
	return &MasterSecret{s: func() *masterState { return st }}, nil
}

// parseScalar takes 1..q-1 in any number of octets, so that the 34-octet SSKs of
// one product, which begin with two zero octets, are read.
func parseScalar(field, spec string, b []byte) (*big.Int, error) {
	b = bytes.TrimLeft(b, "\x00")
	if len(b) > ScalarSize {
		return nil, &Error{field, spec, ErrLength}
	}
	x := new(big.Int).SetBytes(b)
	if x.Sign() == 0 || x.Cmp(orderQ) >= 0 {
		return nil, &Error{field, spec, ErrRange}
	}
	return x, nil
}

// randomScalar draws 1..q-1 by rejection.
func randomScalar(random io.Reader) (*big.Int, error) {
	for {
		var b [ScalarSize]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return nil, &Error{"random scalar", "RFC 6507 5", err}
		}
		if x := new(big.Int).SetBytes(b[:]); x.Sign() != 0 && x.Cmp(orderQ) < 0 {
			return x, nil
		}
	}
}

// GenerateMasterSecret draws a KSAK from random.
func GenerateMasterSecret(random io.Reader) (*MasterSecret, error) {
	k, err := randomScalar(random)
	if err != nil {
		return nil, err
	}
	return NewMasterSecret(k.Bytes())
}

// Public returns KPAK = [KSAK]G.
func (m *MasterSecret) Public() *PublicKey { return m.s().pub }

// Reveal returns the 32 octets of the KSAK, or nil after Destroy.
func (m *MasterSecret) Reveal() []byte {
	if m.s().ksak.Sign() == 0 {
		return nil
	}
	return m.s().ksak.FillBytes(make([]byte, ScalarSize))
}

// Destroy overwrites the KSAK. It must not run beside another call.
func (m *MasterSecret) Destroy() { wipe(m.s().ksak) }

// wipe overwrites the words of x and makes it zero.
func wipe(x *big.Int) {
	clear(x.Bits())
	x.SetInt64(0)
}

// Extract makes the signing key of id, as described in RFC 6507 section 5.1.2:
//
//	PVT = [v]G,  HS = hash(G ‖ KPAK ‖ ID ‖ PVT),  SSK = KSAK + HS·v mod q
//
// with v drawn from random, and again when HS or SSK is zero modulo q.
func (m *MasterSecret) Extract(random io.Reader, id []byte) (*UserKey, error) {
	st := m.s()
	if st.ksak.Sign() == 0 {
		return nil, &Error{"KSAK", "RFC 6507 5.1.2", ErrDestroyed}
	}
	for {
		v, err := randomScalar(random)
		if err != nil {
			return nil, err
		}
		if k := m.extract(v, id); k != nil {
			return k, nil
		}
	}
}

// extract is Extract with v given; nil when v must be drawn again.
func (m *MasterSecret) extract(v *big.Int, id []byte) *UserKey {
	st := m.s()
	pt := mulBase(v)
	pvt := pt.Bytes()
	sum := hashHS(st.pub.octets[:], id, pvt)
	hs := new(big.Int).SetBytes(sum[:])
	if hs.Mod(hs, orderQ).Sign() == 0 {
		return nil
	}
	ssk := hs.Mul(hs, v)
	ssk.Add(ssk, st.ksak).Mod(ssk, orderQ)
	if ssk.Sign() == 0 {
		return nil
	}
	return newUserKey(ssk, pt, pvt)
}

// A UserKey is a signing key (SSK, PVT) of one identifier (RFC 6507 section
// 5.1.2). The SSK is secret, the PVT is not.
type UserKey struct {
	withheld
	s func() *userState
}

type userState struct {
	ssk *big.Int
	pvt *nistec.P256Point
	raw [PointSize]byte
}

func newUserKey(ssk *big.Int, pt *nistec.P256Point, pvt []byte) *UserKey {
	st := &userState{ssk, pt, [PointSize]byte(pvt)}
	return &UserKey{s: func() *userState { return st }}
}

// ParseUserKey reads an SSK, an integer in 1..q-1 of any length, and the 65
// octets of a PVT. That they belong together, and to which identifier, is for
// Validate to say.
func ParseUserKey(ssk, pvt []byte) (*UserKey, error) {
	k, err := parseScalar("SSK", "RFC 6507 5.1.2", ssk)
	if err != nil {
		return nil, err
	}
	pt, err := parsePoint(pvt)
	if err != nil {
		return nil, &Error{"PVT", "RFC 6507 5.1.2", err}
	}
	return newUserKey(k, pt, pvt), nil
}

// PVT returns the 65 octets of the public validation token.
func (k *UserKey) PVT() []byte { return bytes.Clone(k.s().raw[:]) }

// Reveal returns the 32 octets of the SSK, or nil after Destroy.
func (k *UserKey) Reveal() []byte {
	if k.s().ssk.Sign() == 0 {
		return nil
	}
	return k.s().ssk.FillBytes(make([]byte, ScalarSize))
}

// Destroy overwrites the SSK. It must not run beside another call.
func (k *UserKey) Destroy() { wipe(k.s().ssk) }

// Validate checks that the key belongs to id under the KMS of pub, as described
// in RFC 6507 section 5.1.2: KPAK = [SSK]G - [HS]PVT. ErrInvalid is what a
// wrong identifier, period or KMS gives.
func (k *UserKey) Validate(pub *PublicKey, id []byte) error {
	st := k.s()
	if st.ssk.Sign() == 0 {
		return &Error{"SSK", "RFC 6507 5.1.2", ErrDestroyed}
	}
	sum := hashHS(pub.octets[:], id, st.raw[:])
	hs := new(big.Int).SetBytes(sum[:])
	if hs.Mod(hs, orderQ).Sign() == 0 {
		return &Error{"HS", "RFC 6507 5.1.2", ErrZero}
	}
	// compared as [SSK]G = KPAK + [HS]PVT
	y := mulPoint(st.pvt, hs)
	if y.Add(y, pub.kpak).Equal(mulBase(st.ssk)) != 1 {
		return &Error{"SSK", "RFC 6507 5.1.2", ErrInvalid}
	}
	return nil
}

// Sign returns r‖s‖PVT over message for id, as described in RFC 6507 section
// 5.2.1, with j drawn from random:
//
//	J = [j]G,  r = Jx,  HE = hash(HS ‖ r ‖ M),  s = j / (HE + r·SSK) mod q
func (k *UserKey) Sign(random io.Reader, pub *PublicKey, id, message []byte) ([]byte, error) {
	if k.s().ssk.Sign() == 0 {
		return nil, &Error{"SSK", "RFC 6507 5.2.1", ErrDestroyed}
	}
	for {
		j, err := randomScalar(random)
		if err != nil {
			return nil, err
		}
		if sig := k.sign(j, pub, id, message); sig != nil {
			return sig, nil
		}
	}
}

// sign is Sign with j given; nil when j must be drawn again.
func (k *UserKey) sign(j *big.Int, pub *PublicKey, id, message []byte) []byte {
	st := k.s()
	x, err := mulBase(j).BytesX()
	if err != nil {
		return nil // j = 0 mod q
	}
	he := hashHE(hashHS(pub.octets[:], id, st.raw[:]), x, message)
	d := new(big.Int).SetBytes(he[:])
	r := new(big.Int).SetBytes(x)
	d.Add(d, r.Mul(r, st.ssk)).Mod(d, orderQ)
	if d.Sign() == 0 {
		return nil
	}
	s := new(big.Int).ModInverse(d, orderQ)
	s.Mul(s, j)
	return append(append(x, scalar(s)...), st.raw[:]...)
}
