package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// ntpEpoch is 1 January 1900 in Unix seconds, negated: what is added to Unix time to give NTP time.
const ntpEpoch = 2208988800

// NTPSeconds is Unix time in seconds as the seconds of an NTP timestamp (RFC 5905 6), without the era.
func NTPSeconds(unix int64) uint64 { return uint64(unix + ntpEpoch) }

// Default key period and offset in seconds, assumed (and marked) where no KMS certificate gives them.
const (
	DefaultPeriod = 2592000
	DefaultOffset = 0
)

// PeriodNo is the number of the key period at an NTP time in seconds, TS 33.180 F.2.1: floor((t - offset) / period).
func PeriodNo(ntpSeconds, period, offset uint64) uint64 {
	if period == 0 || ntpSeconds < offset {
		return 0
	}
	return (ntpSeconds - offset) / period
}

// PeriodStart is the first Unix second of a key period.
func PeriodStart(no, period, offset uint64) int64 { return int64(no*period+offset) - ntpEpoch }

// UID is the identifier of a user or server in one key period, TS 33.180 F.2.1: SHA-256 over
// 00 ‖ P0 ‖ L0 ‖ ... ‖ P5 ‖ L5 with P0 "MIKEY-SAKKE-UID", P1 the URI as provisioned, P2 the KMS URI, P3 the period and P4 the
// offset in seconds, P5 the period number; integers in the fewest octets, 0 as one octet.
func UID(uri, kmsURI string, period, offset, periodNo uint64) [32]byte {
	b := make([]byte, 0, 128)
	b = append(b, 0)
	str := func(s string) {
		b = append(b, s...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	}
	num := func(v uint64) {
		n := 1
		for x := v >> 8; x > 0; x >>= 8 {
			n++
		}
		for i := n - 1; i >= 0; i-- {
			b = append(b, byte(v>>(8*i)))
		}
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	str("MIKEY-SAKKE-UID")
	str(uri)
	str(kmsURI)
	num(period)
	num(offset)
	num(periodNo)
	return sha256.Sum256(b)
}

// kdf is the key derivation function of TS 33.220 B.2: HMAC-SHA-256(key, FC ‖ P0 ‖ L0 ‖ P1 ‖ L1 ...).
func kdf(key []byte, fc byte, params ...[]byte) [32]byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte{fc})
	var l [2]byte
	for _, p := range params {
		m.Write(p)
		binary.BigEndian.PutUint16(l[:], uint16(len(p)))
		m.Write(l[:])
	}
	var out [32]byte
	m.Sum(out[:0])
	return out
}

// Purpose is what a key derived from an XPK is for, TS 33.180 F.1.4.
type Purpose byte

const (
	Confidentiality Purpose = 0x51
	Integrity       Purpose = 0x52
)

// A Variant is one way to read the points that TS 33.180 F.1.4 leaves open. The zero Variant is the expected one.
type Variant struct {
	ID    IDForm // how the XPK-ID enters the derivation
	First bool   // the first instead of the last octets of the output
	Raw   bool   // no derivation at all: the XPK itself (TS 33.179 era)
}

// IDForm is how the XPK-ID is written as P1.
type IDForm uint8

const (
	IDOctets IDForm = iota // four octets
	IDBase64               // base64 of them
	IDHex                  // 8 lower-case hex digits
)

// Variants lists the readings in the order in which they are tried.
func Variants() []Variant {
	var out []Variant
	for _, first := range []bool{false, true} {
		for _, id := range []IDForm{IDOctets, IDBase64, IDHex} {
			out = append(out, Variant{ID: id, First: first})
		}
	}
	return append(out, Variant{Raw: true})
}

// String names a variant for the record; the expected one has no name.
func (v Variant) String() string {
	if v.Raw {
		return "xpk-itself"
	}
	s := ""
	switch v.ID {
	case IDBase64:
		s = "xpk-id-base64"
	case IDHex:
		s = "xpk-id-hex"
	}
	if v.First {
		if s != "" {
			s += ","
		}
		s += "first-octets"
	}
	return s
}

// DeriveXPK derives the key that protects XML from an XPK (CSK or SPK), TS 33.180 F.1.4: FC 0x51 or 0x52, P0 the MC
// service user ID, P1 the XPK-ID; as many octets as the XPK has, 16 or 32.
func DeriveXPK(xpk []byte, p Purpose, user string, id uint32, v Variant) []byte {
	if v.Raw {
		return append([]byte(nil), xpk...)
	}
	raw := binary.BigEndian.AppendUint32(nil, id)
	switch v.ID {
	case IDBase64:
		raw = []byte(base64.StdEncoding.EncodeToString(raw))
	case IDHex:
		raw = []byte(hex.EncodeToString(raw))
	}
	out := kdf(xpk, byte(p), []byte(user), raw)
	n := 16
	if len(xpk) >= 32 {
		n = 32
	}
	if v.First {
		return append([]byte(nil), out[:n]...)
	}
	return append([]byte(nil), out[32-n:]...)
}

// UserSalt is the salt of TS 33.180 F.1.3: the 28 least significant bits of the KDF with FC 0x50 over a user's URI.
func UserSalt(gmk []byte, uri string) uint32 {
	out := kdf(gmk, 0x50, []byte(uri))
	return binary.BigEndian.Uint32(out[28:]) & 0x0fffffff
}

// GUKID turns a GMK-ID into the GUK-ID of a user, and back: TS 33.180 5.2.3.
func GUKID(gmk []byte, id uint32, uri string) uint32 { return id ^ UserSalt(gmk, uri) }

// DPCK is the key of MCData payloads and key parameters, TS 33.180 F.1.5: FC 0x53 over the DPPK-ID, the last 16 octets
// for a key of 16 octets.
func DPCK(dppk []byte, id uint32) []byte {
	out := kdf(dppk, 0x53, binary.BigEndian.AppendUint32(nil, id))
	if len(dppk) >= 32 {
		return append([]byte(nil), out[:]...)
	}
	return append([]byte(nil), out[16:]...)
}

// Constants of RFC 3830 4.1.3 for keys made from a TGK.
const (
	labelTEK  = 0x2ad01c64
	labelSalt = 0x39a2c14b
)

// SRTP derives the SRTP master key (16 octets) and salt (12 octets) of one crypto session from a TGK, by PRF-HMAC-SHA-256:
// RFC 3830 4.1.2 and 4.1.3, RFC 6043 6.1, TS 33.180 7.4.
func SRTP(tgk []byte, csID uint8, csbID uint32, rand []byte) (key, salt []byte) {
	return prf(tgk, labelTEK, csID, csbID, rand, 16), prf(tgk, labelSalt, csID, csbID, rand, 12)
}

// prf is the MIKEY PRF: the TGK in blocks of 32 octets, P(s, label, m) of each, XORed.
func prf(tgk []byte, constant uint32, csID uint8, csbID uint32, rand []byte, n int) []byte {
	label := binary.BigEndian.AppendUint32(nil, constant)
	label = append(label, csID)
	label = binary.BigEndian.AppendUint32(label, csbID)
	label = append(label, rand...)
	out := make([]byte, n)
	for len(tgk) > 0 {
		block := tgk[:min(32, len(tgk))]
		tgk = tgk[len(block):]
		a := label
		for off := 0; off < n; off += 32 {
			m := hmac.New(sha256.New, block)
			m.Write(a)
			a = m.Sum(nil)
			m.Reset()
			m.Write(a)
			m.Write(label)
			for i, c := range m.Sum(nil) {
				if off+i < n {
					out[off+i] ^= c
				}
			}
		}
	}
	return out
}

// Type is what a key is for, by the four most significant bits of its identifier: TS 33.180 5.2.2 and annex G.
type Type uint8

const (
	GMK   Type = 0
	PCK   Type = 1
	CSK   Type = 2
	SPK   Type = 3
	MKFC  Type = 4
	MSCCK Type = 5
	MuSiK Type = 6
)

var typeNames = [...]string{"GMK", "PCK", "CSK", "SPK", "MKFC", "MSCCK", "MuSiK"}

// TypeOf is the type of a key by its identifier.
func TypeOf(id uint32) Type { return Type(id >> 28) }

// String names the type.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// FormatID writes a key identifier as everything prints it: 8 lower-case hex digits.
func FormatID(id uint32) string { return fmt.Sprintf("%08x", id) }

// PeriodOf is the key period of a moment.
func PeriodOf(t time.Time, period, offset uint64) uint64 {
	return PeriodNo(NTPSeconds(t.Unix()), period, offset)
}
