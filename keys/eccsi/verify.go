package eccsi

import (
	"bytes"
	"sync"

	"github.com/mcxdump/mcxdump/keys/eccsi/internal/p256"
)

// Verification, where everything is public: arithmetic in variable time, with
// the scalars multiplied out, so that J is one sum of multiples. With
// J = [s]([HE]G + [r]Y) and Y = [HS]PVT + KPAK,
//
//	J = [s·HE]G + [s·r·HS]PVT + [s·r]KPAK   of a signer not seen before
//	J = [s·HE]G + [s·r]Y                    with tables for Y
//
// G has tables for all, KPAK for its KMS. The doublings are those of PVT alone,
// 256, or 64 with the tables for Y.

const (
	kpakWidth, kpakParts     = 8, 4 // 16 kB a KMS
	pvtWidth                 = 5
	signerWidth, signerParts = 6, 4
)

// VerifierSize is about what a Verifier takes, in octets.
const VerifierSize = signerParts<<(signerWidth-2)*p256.AffineSize + 400

// lines is the table of KPAK, made at its first use.
type lines struct {
	once  sync.Once
	table *p256.Table
}

// table is that of KPAK.
func (p *PublicKey) table() *p256.Table {
	p.lines.once.Do(func() {
		var a p256.Affine
		a.SetBytes(p.octets[:]) // cannot fail: read when p was made
		p.lines.table = p256.NewTable(&a, kpakWidth, kpakParts)
	})
	return p.lines.table
}

// parsePVT is parsePoint for verification.
func parsePVT(pvt []byte) (a p256.Affine, err error) {
	if len(pvt) != PointSize {
		return a, &Error{"PVT", "RFC 6507 5.2.2 step 1", ErrLength}
	}
	if !a.SetBytes(pvt) {
		return a, &Error{"PVT", "RFC 6507 5.2.2 step 1", ErrPoint}
	}
	return a, nil
}

// Verify checks a signature by the holder of id over message, as described in
// RFC 6507 section 5.2.2. It returns nil when the signature is valid.
func (p *PublicKey) Verify(id, message, signature []byte) error {
	if len(signature) != SignatureSize {
		return &Error{"signature", "RFC 6507 5.2.2", ErrLength}
	}
	return p.verify(hashHS(p.octets[:], id, signature[2*ScalarSize:]), message, signature)
}

// verify is Verify with HS and a signature of the right length.
func (p *PublicKey) verify(hs [32]byte, message, signature []byte) error {
	pvt, err := parsePVT(signature[2*ScalarSize:])
	if err != nil {
		return err
	}
	she, sr, err := scalars(hs, message, signature)
	if err != nil {
		return err
	}
	var h p256.Scalar
	h.SetBytes(hs[:]).Mul(&h, &sr)
	var j p256.Point
	j.Sum(p256.Term{Table: p256.Generator(), Scalar: she},
		p256.Term{Table: p256.NewTable(&pvt, pvtWidth, 1), Scalar: h},
		p256.Term{Table: p.table(), Scalar: sr})
	return compare(&j, signature)
}

// scalars returns s·HE and s·r modulo q.
func scalars(hs [32]byte, message, signature []byte) (she, sr p256.Scalar, err error) {
	r := signature[:ScalarSize]
	var s p256.Scalar
	if s.SetBytes(signature[ScalarSize : 2*ScalarSize]).IsZero() { // J would be infinite
		return she, sr, &Error{"s", "RFC 6507 5.2.2 step 6", ErrZero}
	}
	he := hashHE(hs, r, message)
	she.SetBytes(he[:])
	she.Mul(&she, &s)
	sr.SetBytes(r)
	sr.Mul(&sr, &s)
	return she, sr, nil
}

// compare is step 6: Jx = r modulo p, and not 0.
func compare(j *p256.Point, signature []byte) error {
	if j.Infinite() {
		return &Error{"signature", "RFC 6507 5.2.2 step 6", ErrInfinity}
	}
	if j.X.IsZero() || !j.HasX(signature[:ScalarSize]) {
		return &Error{"signature", "RFC 6507 5.2.2 step 6", ErrMismatch}
	}
	return nil
}

// A Verifier checks signatures of one signer under one PVT. It holds
//
//	HS = hash(G ‖ KPAK ‖ ID ‖ PVT),  multiples of Y = [HS]PVT + KPAK
//
// and so makes a further signature about three times as cheap; to make it costs
// as much as two. It takes VerifierSize octets, is immutable and may be used by
// several goroutines.
type Verifier struct {
	y   *p256.Table // nil if Y is infinite
	hs  [32]byte
	pvt [PointSize]byte
}

// Verifier prepares for signatures of id which carry pvt.
func (p *PublicKey) Verifier(id, pvt []byte) (*Verifier, error) {
	return p.verifier(hashHS(p.octets[:], id, pvt), pvt)
}

// verifier is Verifier with HS.
func (p *PublicKey) verifier(hs [32]byte, pvt []byte) (*Verifier, error) {
	pt, err := parsePVT(pvt)
	if err != nil {
		return nil, err
	}
	var h, one p256.Scalar
	h.SetBytes(hs[:])
	one[0] = 1
	var y p256.Point
	y.Sum(p256.Term{Table: p256.NewTable(&pt, pvtWidth, 1), Scalar: h}, p256.Term{Table: p.table(), Scalar: one})
	return newVerifier(&y, hs, pvt), nil
}

func newVerifier(y *p256.Point, hs [32]byte, pvt []byte) *Verifier {
	v := &Verifier{hs: hs, pvt: [PointSize]byte(pvt)}
	if a, ok := y.Affine(); ok {
		v.y = p256.NewTable(&a, signerWidth, signerParts)
	}
	return v
}

// Verify checks r‖s‖PVT over message, as described in RFC 6507 section 5.2.2
// steps 3 to 6. A signature with another PVT is ErrMismatch in field PVT.
func (v *Verifier) Verify(message, signature []byte) error {
	if len(signature) != SignatureSize {
		return &Error{"signature", "RFC 6507 5.2.2", ErrLength}
	}
	if !bytes.Equal(signature[2*ScalarSize:], v.pvt[:]) {
		return &Error{"PVT", "RFC 6507 5.2.2", ErrMismatch}
	}
	she, sr, err := scalars(v.hs, message, signature)
	if err != nil {
		return err
	}
	terms := []p256.Term{{Table: p256.Generator(), Scalar: she}, {Table: v.y, Scalar: sr}}
	if v.y == nil {
		terms = terms[:1]
	}
	var j p256.Point
	j.Sum(terms...)
	return compare(&j, signature)
}
