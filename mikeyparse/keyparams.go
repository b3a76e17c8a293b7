package mikeyparse

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"time"
)

// The bits of the key status (TS 33.180 E.6.9).
const (
	StatusNotRevoked = 1 << 0
	StatusShared     = 1 << 1 // with an MC security gateway
)

// KeyParameters is the content of the key parameters as described in TS 33.180,
// table E.6.1-1. It is what decryption of a [Protected] yields.
type KeyParameters struct {
	HasIEI     bool  // an IEI and a length precede, as for a TLV-E element
	IEI        uint8 // only with HasIEI
	KeyType    KeyType
	KeyTypeRaw uint8  // the octet; products of early releases count from 1
	Status     uint32 // a bit field, see StatusNotRevoked
	Activation uint64 // Unix seconds, 40 bits; 0 = at once
	Expiry     uint64 // Unix seconds, 40 bits; 0 or 0xffffffff = never
	HasText    bool   // some old products end before the text
	Text       []byte
	HasGroups  bool
	GroupCount uint8 // as read; AppendBinary writes the number of groups when that is greater
	NoCount    bool  // the list has length 0 and not even a count
	Groups     []GroupID
	GroupTail  []byte // octets within the list that form no entry
	Reserved   []byte // octets behind (TS 33.180 E.6.6)
}

var _ encoding.BinaryAppender = (*KeyParameters)(nil)

// GroupID is an entry of the group list as described in TS 33.180, E.6.3.
type GroupID struct {
	IEI uint8 // 7B in the field
	ID  []byte
}

// Revoked reports that the not-revoked bit is clear. One vendor sends 0 for
// live keys: this is information, not a defect.
func (k *KeyParameters) Revoked() bool { return k.Status&StatusNotRevoked == 0 }

// ActivationTime returns the time from which the key is valid; ok is false when
// there is no such limit.
func (k *KeyParameters) ActivationTime() (t time.Time, ok bool) { return unix40(k.Activation) }

// ExpiryTime returns the time until which the key is valid; ok is false when
// there is no such limit.
func (k *KeyParameters) ExpiryTime() (t time.Time, ok bool) { return unix40(k.Expiry) }

func unix40(v uint64) (time.Time, bool) {
	if v == 0 || v >= 0xffffffff {
		return time.Time{}, false
	}
	return time.Unix(int64(v), 0).UTC(), true
}

// normalise sets the key type from the octet: want is the purpose tag of the
// message's CSB ID, which plain parameters repeat counted from 1.
func (k *KeyParameters) normalise(want KeyType) {
	k.KeyType = KeyType(k.KeyTypeRaw)
	if k.KeyType != want && k.KeyType == want+1 {
		k.KeyType = want
	}
}

// ParseKeyParameters reads decrypted key parameters. What was read is returned
// with the error. A leading IEI and length are tolerated.
func ParseKeyParameters(b []byte, see Tracer) (*KeyParameters, error) {
	p := parser{reader: reader{b: b, end: len(b), see: see}, lim: Limits{}.withDefaults()}
	k := p.readKeyParameters(new(KeyParameters))
	return k, p.finish()
}

func (p *parser) readKeyParameters(k *KeyParameters) *KeyParameters {
	p.spec = "TS 33.180 E.6.1"
	// Octets 1 and 2 are the upper half of the status, of which no bit is in
	// use, unless an IEI and the length of all the rest stand first.
	if all := p.b[p.off:p.end]; len(all) > 3 && fits(all, 1) {
		k.HasIEI = true
		k.IEI = p.u8("keyparams.iei")
		p.u16("keyparams.length")
	}
	k.KeyTypeRaw = p.u8("keyparams.key_type")
	k.KeyType = KeyType(k.KeyTypeRaw)
	k.Status = p.u32("keyparams.status")
	k.Activation = p.u40("keyparams.activation")
	k.Expiry = p.u40("keyparams.expiry")
	if p.err != nil || p.left() == 0 {
		return k
	}
	text := p.lv16("keyparams.text_length", "keyparams.text")
	if p.err != nil {
		return k
	}
	k.HasText, k.Text = true, text
	// Old products count key types from 1, so that a GMK looks like a PCK:
	// a group list is recognised by its form too.
	if p.left() >= 2 && (k.KeyType.ForGroup() || p.left() > 2 && fits(p.b[p.off:p.end], 0)) {
		p.readGroups(k)
	}
	if p.err == nil && p.left() > 0 {
		k.Reserved = p.rest("keyparams.reserved")
	}
	return k
}

func (p *parser) readGroups(k *KeyParameters) {
	outer, ok := p.open("keyparams.groups_length")
	if !ok {
		return
	}
	k.HasGroups = true
	if p.left() == 0 {
		k.NoCount = true
		p.end = outer
		return
	}
	p.spec = "TS 33.180 E.6.3"
	k.GroupCount = p.u8("keyparams.groups_count")
	mark := p.off
	for range k.GroupCount {
		g := GroupID{p.u8("keyparams.group.iei"), p.lv16("keyparams.group.length", "keyparams.group.id")}
		if p.err != nil {
			break
		}
		k.Groups = append(k.Groups, g)
		mark = p.off
	}
	var inner *Error
	k.GroupTail, inner = p.close(outer, mark, "keyparams.undecoded")
	p.inner(inner)
	p.spec = "TS 33.180 E.6.1"
}

// AppendBinary appends the wire form.
func (k *KeyParameters) AppendBinary(b []byte) ([]byte, error) {
	if k.Activation >= 1<<40 || k.Expiry >= 1<<40 {
		return b, errTooLong
	}
	start := len(b)
	if k.HasIEI {
		b = append(b, k.IEI, 0, 0)
	}
	raw := k.KeyTypeRaw
	if raw == 0 {
		raw = uint8(k.KeyType)
	}
	b = append(b, raw)
	b = binary.BigEndian.AppendUint32(b, k.Status)
	b = binary.BigEndian.AppendUint32(append(b, uint8(k.Activation>>32)), uint32(k.Activation))
	b = binary.BigEndian.AppendUint32(append(b, uint8(k.Expiry>>32)), uint32(k.Expiry))
	var err error
	if k.HasText || len(k.Text) > 0 || k.HasGroups || len(k.Groups) > 0 {
		if b, err = appendLV16(b, k.Text); err != nil {
			return b, err
		}
	}
	if k.HasGroups || len(k.Groups) > 0 {
		b = append(b, 0, 0)
		at := len(b)
		if !k.NoCount {
			n := max(int(k.GroupCount), len(k.Groups))
			if n > 255 {
				return b, fmt.Errorf("%d groups: %w", n, errTooLong)
			}
			b = append(b, uint8(n))
			for _, g := range k.Groups {
				if b, err = appendLV16(append(b, g.IEI), g.ID); err != nil {
					return b, err
				}
			}
			b = append(b, k.GroupTail...)
		}
		if err = putLen16(b, at); err != nil {
			return b, err
		}
	}
	b = append(b, k.Reserved...)
	if k.HasIEI {
		return b, putLen16(b, start+3)
	}
	return b, nil
}
