package lab

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"time"

	"github.com/mcxdump/mcxdump/keys"
	mikey "github.com/mcxdump/mcxdump/mikeyparse"
)

// An Envelope is an I_MESSAGE to write: TS 33.180 annex E.
type Envelope struct {
	ID       uint32 // CSB ID
	Key      []byte // 16 octets
	From, To Party
	At       time.Time
	Plain    bool    // roles 1 and 2 instead of 8 and 9
	Sessions []uint8 // crypto sessions of a GENERIC-ID map with a security policy; none: empty map
	SPI      []byte  // of each session; the CSB ID when nil
	Params   bool    // key parameters, sealed with the DPCK (E.6)
	Group    string  // the group that they name
	Self     bool    // SAKKE-to-self (E.5)
	Damage   bool    // one bit of the signature is wrong

	// What products do otherwise.
	URIType bool // hidden identities are labelled as URIs
	Short   bool // the signature leaves the SIGN header out
	Hex     bool // signer and receiver are named by the hex digits of their UID (RFC 6507 and 6508 take any octets)
}

// imessage writes and signs an I_MESSAGE. Errors stick to the world, as those of writing do.
func (w *World) imessage(s *System, e Envelope) []byte {
	b, err := e.write(s)
	if err != nil && w.Net.err == nil {
		w.Net.err = err
	}
	return b
}

func (e *Envelope) write(s *System) ([]byte, error) {
	m := &mikey.Message{Header: mikey.Header{Version: 1, DataType: mikey.DataSAKKE, PRF: mikey.PRFHMACSHA256, CSBID: e.ID, MapType: mikey.MapEmpty}}
	spi := e.SPI
	if spi == nil {
		spi = be32(int(e.ID))
	}
	for _, id := range e.Sessions {
		m.Header.MapType = mikey.MapGenericID
		m.Header.Generic = append(m.Header.Generic, mikey.GenericID{CSID: id, ProtType: mikey.ProtSRTP, Policies: []byte{0}, SPI: spi})
	}
	add := func(p mikey.Payload) { m.Payloads = append(m.Payloads, p) }
	add(&mikey.T{TS: mikey.NTPTime(e.At)})
	add(&mikey.RAND{Data: s.octets(16)})
	from, to := e.From.Domain.uid(e.From.URI, e.At), e.To.Domain.uid(e.To.URI, e.At)
	if e.Plain {
		add(&mikey.IDR{Role: mikey.RoleInitiator, IDType: mikey.IDURI, ID: []byte(e.From.URI)})
		add(&mikey.IDR{Role: mikey.RoleResponder, IDType: mikey.IDURI, ID: []byte(e.To.URI)})
	} else {
		label := mikey.IDByteString
		if e.URIType {
			label = mikey.IDURI
		}
		add(&mikey.IDR{Role: mikey.RoleUIDInitiator, IDType: label, ID: from[:]})
		add(&mikey.IDR{Role: mikey.RoleUIDResponder, IDType: label, ID: to[:]})
	}
	name := func(uid [32]byte) []byte {
		if e.Hex {
			return []byte(hex.EncodeToString(uid[:]))
		}
		return uid[:]
	}
	add(&mikey.IDR{Role: mikey.RoleKMSInitiator, IDType: mikey.IDURI, ID: []byte(e.From.Domain.KMS)})
	add(&mikey.IDR{Role: mikey.RoleKMSResponder, IDType: mikey.IDURI, ID: []byte(e.To.Domain.KMS)})
	if len(e.Sessions) > 0 {
		add(&mikey.SP{ProtType: mikey.ProtSRTP, Params: mikey.DefaultProfile(mikey.KeyTypeOf(e.ID))})
	}
	sed, err := e.To.Domain.Z.EncapsulateSSV(name(to), e.Key, 0)
	if err != nil {
		return nil, err
	}
	add(&mikey.SAKKE{Params: mikey.SAKKEParamSet1, IDScheme: mikey.IDSchemeMCX, Data: sed})
	if e.Self {
		sed, err := e.From.Domain.Z.EncapsulateSSV(name(from), e.Key, 0)
		if err != nil {
			return nil, err
		}
		x, err := mikey.NewSAKKEToSelf(&mikey.SAKKE{Params: mikey.SAKKEParamSet1, IDScheme: mikey.IDSchemeMCX, Data: sed})
		if err != nil {
			return nil, err
		}
		add(x)
	}
	if e.Params {
		x, err := e.params(s)
		if err != nil {
			return nil, err
		}
		add(x)
	}
	add(&mikey.SIGN{SigType: mikey.SigECCSI, Signature: make([]byte, 129)})
	m.Link()
	b, err := m.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	ssk, err := e.From.Domain.signing(name(from))
	if err != nil {
		return nil, err
	}
	covered := b[:len(b)-129]
	if e.Short {
		covered = b[:len(b)-131]
	}
	sig, err := ssk.Sign(s.random, e.From.Domain.KPAK, name(from), covered)
	if err != nil {
		return nil, err
	}
	copy(b[len(b)-129:], sig)
	if e.Damage {
		b[len(b)-80] ^= 1 // in s, so that the PVT stays a point
	}
	return b, nil
}

// params seals key parameters under the key of the message itself, TS 33.180 E.6 and 8.5.4.1.
func (e *Envelope) params(s *System) (*mikey.GenExt, error) {
	p := &mikey.KeyParameters{KeyType: mikey.KeyTypeOf(e.ID), Status: mikey.StatusNotRevoked, Activation: uint64(e.At.Unix()), Expiry: uint64(e.At.Unix()) + 86400, HasText: true}
	if p.KeyTypeRaw = uint8(p.KeyType); p.KeyType.ForGroup() {
		p.HasGroups = true
		if e.Group != "" {
			p.Groups = []mikey.GroupID{{IEI: 0x7b, ID: []byte(e.Group)}}
		}
	}
	plain, err := p.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	q, err := s.envelope(3, 0, e.At, e.Key, e.ID, plain)
	if err != nil {
		return nil, err
	}
	return mikey.NewKeyParameters(q)
}

// envelope seals a payload of an MCData message type under the DPCK of a key, TS 33.180 8.5.4.1.
func (s *System) envelope(kind uint8, payload uint32, at time.Time, key []byte, id uint32, plain []byte) (*mikey.Protected, error) {
	q := &mikey.Protected{MessageType: 0x40 | kind, DateTime: uint64(at.Unix()), PayloadID: payload, Algorithm: mikey.ProtAES128GCM, IV: s.octets(16), DPPKID: id, IEI: 0x78}
	aad, err := q.AppendAAD(nil)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(keys.DPCK(key, id))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, 16)
	if err != nil {
		return nil, err
	}
	q.Sealed = gcm.Seal(nil, q.IV, plain, aad)
	return q, nil
}

// protectedMessage is an MCData message in such an envelope. Errors stick to the world.
func (c *Scene) protectedMessage(kind uint8, key []byte, id uint32, plain []byte) string {
	q, err := c.Sys.envelope(kind, c.rng.Uint32(), c.Net.Clock, key, id, plain)
	var b []byte
	if err == nil {
		b, err = q.AppendBinary(nil)
	}
	if err != nil && c.Net.err == nil {
		c.Net.err = err
	}
	return string(b)
}
