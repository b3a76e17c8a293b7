package mikeyparse

import (
	"encoding"
	"fmt"
)

// EncrAlg is the encryption of key data (RFC 3830 6.2).
type EncrAlg uint8

// The registered algorithms.
const (
	EncrNULL     EncrAlg = 0 // RFC 3830 6.2
	EncrAESCM128 EncrAlg = 1 // RFC 3830 6.2
	EncrAESKW128 EncrAlg = 2 // RFC 3830 6.2
	EncrAESCM256 EncrAlg = 3 // RFC 6043 6.2
)

var encrAlgNames = []string{"NULL", "AES-CM-128", "AES-KW-128", "AES-CM-256"}

func (v EncrAlg) String() string { return enumName("EncrAlg", uint8(v), encrAlgNames) }

// MACAlg is the authentication of a KEMAC or V payload (RFC 3830 6.2).
type MACAlg uint8

// The registered algorithms.
const (
	MACNULL           MACAlg = 0 // RFC 3830 6.2
	MACHMACSHA1160    MACAlg = 1 // RFC 3830 6.2
	MACHMACSHA256_256 MACAlg = 2 // RFC 6043 6.2
)

var macAlgNames = []string{"NULL", "HMAC-SHA-1-160", "HMAC-SHA-256-256"}

func (v MACAlg) String() string { return enumName("MACAlg", uint8(v), macAlgNames) }

// width returns the octets of the MAC; ok is false for an algorithm nobody registered.
func (v MACAlg) width() (n int, ok bool) {
	switch v {
	case MACNULL:
		return 0, true
	case MACHMACSHA1160:
		return 20, true
	case MACHMACSHA256_256:
		return 32, true
	}
	return 0, false
}

func (p *parser) readMAC(algField, macField string) (alg MACAlg, mac []byte) {
	alg = MACAlg(p.u8(algField))
	n, ok := alg.width()
	if !ok {
		p.unknown(algField, 1, alg)
	}
	return alg, p.bytes(macField, n)
}

func appendMAC(b []byte, alg MACAlg, mac []byte) ([]byte, error) {
	if n, ok := alg.width(); !ok || n != len(mac) {
		return b, fmt.Errorf("%w: %s with %d octets", ErrValue, alg, len(mac))
	}
	return append(append(b, uint8(alg)), mac...), nil
}

// KEMAC is the key data transport payload as described in RFC 3830, 6.2.
type KEMAC struct {
	Base
	EncrAlg EncrAlg
	Data    []byte // a chain of Key data payloads, encrypted unless EncrAlg is NULL
	MACAlg  MACAlg
	MAC     []byte
}

var _ encoding.BinaryAppender = (*KEMAC)(nil)

// Type returns TypeKEMAC.
func (*KEMAC) Type() PayloadType { return TypeKEMAC }

func (p *parser) readKEMAC() *KEMAC {
	p.spec = "RFC 3830 6.2"
	k := new(KEMAC)
	k.Next = PayloadType(p.u8("kemac.next"))
	k.EncrAlg = EncrAlg(p.u8("kemac.encr_alg"))
	k.Data = p.lv16("kemac.length", "kemac.data")
	k.MACAlg, k.MAC = p.readMAC("kemac.mac_alg", "kemac.mac")
	return k
}

// AppendBinary appends the wire form.
func (k *KEMAC) AppendBinary(b []byte) ([]byte, error) {
	b, err := appendLV16(append(b, uint8(k.Next), uint8(k.EncrAlg)), k.Data)
	if err != nil {
		return b, err
	}
	return appendMAC(b, k.MACAlg, k.MAC)
}

// KeyDataType is the kind of a key in a Key data payload (RFC 3830 6.13). Only
// 4 bits are carried.
type KeyDataType uint8

// The registered kinds.
const (
	KeyTGK      KeyDataType = 0 // RFC 3830 6.13
	KeyTGKSalt  KeyDataType = 1 // RFC 3830 6.13
	KeyTEK      KeyDataType = 2 // RFC 3830 6.13
	KeyTEKSalt  KeyDataType = 3 // RFC 3830 6.13
	KeyGTGK     KeyDataType = 4 // RFC 6043 6.2.1
	KeyGTGKSalt KeyDataType = 5 // RFC 6043 6.2.1
	KeyMPK      KeyDataType = 6 // RFC 6043 6.2.1
	KeyKPR      KeyDataType = 7 // RFC 6267 table 4
)

var keyDataTypeNames = []string{"TGK", "TGK+SALT", "TEK", "TEK+SALT", "GTGK", "GTGK+SALT", "MPK", "K_PR"}

func (v KeyDataType) String() string { return enumName("KeyDataType", uint8(v), keyDataTypeNames) }

// Salted reports whether a salt follows the key.
func (v KeyDataType) Salted() bool { return v == KeyTGKSalt || v == KeyTEKSalt || v == KeyGTGKSalt }

// KVType is the kind of key validity data (RFC 3830 6.14). Only 4 bits are carried.
type KVType uint8

// The registered kinds.
const (
	KVNull     KVType = 0 // RFC 3830 6.13
	KVSPI      KVType = 1 // RFC 3830 6.13
	KVInterval KVType = 2 // RFC 3830 6.13
)

var kvTypeNames = []string{"NULL", "SPI/MKI", "Interval"}

func (v KVType) String() string { return enumName("KVType", uint8(v), kvTypeNames) }

// KV is the key validity data as described in RFC 3830, 6.14.
type KV struct {
	Type      KVType
	SPI       []byte // KVSPI
	ValidFrom []byte // KVInterval
	ValidTo   []byte // KVInterval
}

type kvNames struct{ kind, spiLen, spi, fromLen, from, toLen, to string }

var (
	keyDataKV = kvNames{"keydata.type_kv", "keydata.kv.spi_length", "keydata.kv.spi", "keydata.kv.from_length", "keydata.kv.from", "keydata.kv.to_length", "keydata.kv.to"}
	dhKV      = kvNames{"dh.kv", "dh.kv.spi_length", "dh.kv.spi", "dh.kv.from_length", "dh.kv.from", "dh.kv.to_length", "dh.kv.to"}
)

func (p *parser) readKV(t KVType, at int, names *kvNames) (kv KV) {
	kv.Type = t
	switch t {
	case KVNull:
	case KVSPI:
		kv.SPI = p.lv8(names.spiLen, names.spi)
	case KVInterval:
		kv.ValidFrom = p.lv8(names.fromLen, names.from)
		kv.ValidTo = p.lv8(names.toLen, names.to)
	default:
		p.unknown(names.kind, p.off-at, t)
	}
	return kv
}

func (kv *KV) append(b []byte) ([]byte, error) {
	switch kv.Type {
	case KVNull:
		return b, nil
	case KVSPI:
		return appendLV8(b, kv.SPI)
	case KVInterval:
		b, err := appendLV8(b, kv.ValidFrom)
		if err != nil {
			return b, err
		}
		return appendLV8(b, kv.ValidTo)
	}
	return b, fmt.Errorf("%w: %s", ErrValue, kv.Type)
}

// KeyData is the key data sub-payload as described in RFC 3830, 6.13. It
// belongs into the decrypted data of a KEMAC payload.
type KeyData struct {
	Base
	KeyDataType KeyDataType
	Key         []byte
	Salt        []byte // only with a salted type
	KV          KV
}

var _ encoding.BinaryAppender = (*KeyData)(nil)

// Type returns TypeKeyData.
func (*KeyData) Type() PayloadType { return TypeKeyData }

func (p *parser) readKeyData() *KeyData {
	p.spec = "RFC 3830 6.13"
	k := new(KeyData)
	k.Next = PayloadType(p.u8("keydata.next"))
	at := p.off
	v := p.u8("keydata.type_kv")
	k.KeyDataType = KeyDataType(v >> 4)
	k.Key = p.lv16("keydata.length", "keydata.key")
	if k.KeyDataType.Salted() {
		k.Salt = p.lv16("keydata.salt_length", "keydata.salt")
	}
	p.spec = "RFC 3830 6.14"
	k.KV = p.readKV(KVType(v&0xf), at, &keyDataKV)
	return k
}

// AppendBinary appends the wire form.
func (k *KeyData) AppendBinary(b []byte) ([]byte, error) {
	if k.KeyDataType > 0xf || k.KV.Type > 0xf {
		return b, errTooLong
	}
	b, err := appendLV16(append(b, uint8(k.Next), uint8(k.KeyDataType)<<4|uint8(k.KV.Type)), k.Key)
	if err != nil {
		return b, err
	}
	if k.KeyDataType.Salted() {
		if b, err = appendLV16(b, k.Salt); err != nil {
			return b, err
		}
	}
	return k.KV.append(b)
}

// ParseKeyData reads the chain of Key data payloads in the decrypted data of a
// KEMAC payload. What was read is returned with the error.
func ParseKeyData(b []byte, see Tracer) (keys []*KeyData, rest []byte, err error) {
	p := parser{reader: reader{b: b, end: len(b), see: see}, lim: Limits{}.withDefaults()}
	next := TypeKeyData
	mark := 0
	for next == TypeKeyData && p.left() > 0 {
		if len(keys) >= p.lim.Payloads {
			p.fail("keydata.next", fmt.Errorf("%w: more than %d payloads", ErrLimit, p.lim.Payloads))
			break
		}
		k := p.readKeyData()
		if p.err != nil {
			break
		}
		k.Off, k.End = mark, p.off
		keys, mark, next = append(keys, k), p.off, k.Next
	}
	return keys, b[mark:], p.finish()
}
