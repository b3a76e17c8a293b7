package mikeyparse

import (
	"encoding"
	"fmt"
)

// HashFunc is a hash function (RFC 3830 6.8).
type HashFunc uint8

// The registered functions.
const (
	HashSHA1   HashFunc = 0 // RFC 3830 6.8
	HashMD5    HashFunc = 1 // RFC 3830 6.8
	HashSHA256 HashFunc = 2 // RFC 6043 6.7
)

var hashFuncNames = []string{"SHA-1", "MD5", "SHA-256"}

func (v HashFunc) String() string { return enumName("HashFunc", uint8(v), hashFuncNames) }

// width returns the octets of a hash; 0 for a function nobody registered.
func (v HashFunc) width() int {
	switch v {
	case HashSHA1:
		return 20
	case HashMD5:
		return 16
	case HashSHA256:
		return 32
	}
	return 0
}

// CHASH is the certificate hash payload as described in RFC 3830, 6.8.
type CHASH struct {
	Base
	Func HashFunc
	Hash []byte
}

var _ encoding.BinaryAppender = (*CHASH)(nil)

// Type returns TypeCHASH.
func (*CHASH) Type() PayloadType { return TypeCHASH }

func (p *parser) readCHASH() *CHASH {
	p.spec = "RFC 3830 6.8"
	c := new(CHASH)
	c.Next = PayloadType(p.u8("chash.next"))
	c.Func = HashFunc(p.u8("chash.func"))
	n := c.Func.width()
	if n == 0 {
		p.unknown("chash.func", 1, c.Func)
	}
	c.Hash = p.bytes("chash.hash", n)
	return c
}

// AppendBinary appends the wire form.
func (c *CHASH) AppendBinary(b []byte) ([]byte, error) {
	if n := c.Func.width(); n == 0 || n != len(c.Hash) {
		return b, fmt.Errorf("%w: %s with %d octets", ErrValue, c.Func, len(c.Hash))
	}
	return append(append(b, uint8(c.Next), uint8(c.Func)), c.Hash...), nil
}

// V is the verification message payload as described in RFC 3830, 6.9.
type V struct {
	Base
	AuthAlg MACAlg
	Data    []byte
}

var _ encoding.BinaryAppender = (*V)(nil)

// Type returns TypeV.
func (*V) Type() PayloadType { return TypeV }

func (p *parser) readV() *V {
	p.spec = "RFC 3830 6.9"
	v := new(V)
	v.Next = PayloadType(p.u8("v.next"))
	v.AuthAlg, v.Data = p.readMAC("v.auth_alg", "v.data")
	return v
}

// AppendBinary appends the wire form.
func (v *V) AppendBinary(b []byte) ([]byte, error) {
	return appendMAC(append(b, uint8(v.Next)), v.AuthAlg, v.Data)
}

// ErrorNo is the cause an ERR payload reports (RFC 3830 6.12).
type ErrorNo uint8

// The registered causes.
const (
	ErrorAuth        ErrorNo = 0  // RFC 3830 6.12
	ErrorTS          ErrorNo = 1  // RFC 3830 6.12
	ErrorPRF         ErrorNo = 2  // RFC 3830 6.12
	ErrorMAC         ErrorNo = 3  // RFC 3830 6.12
	ErrorEA          ErrorNo = 4  // RFC 3830 6.12
	ErrorHA          ErrorNo = 5  // RFC 3830 6.12
	ErrorDH          ErrorNo = 6  // RFC 3830 6.12
	ErrorID          ErrorNo = 7  // RFC 3830 6.12
	ErrorCert        ErrorNo = 8  // RFC 3830 6.12
	ErrorSP          ErrorNo = 9  // RFC 3830 6.12
	ErrorSPPar       ErrorNo = 10 // RFC 3830 6.12
	ErrorDT          ErrorNo = 11 // RFC 3830 6.12
	ErrorUnspecified ErrorNo = 12 // RFC 3830 6.12
	ErrorMessageType ErrorNo = 13 // RFC 4738
	ErrorTicket      ErrorNo = 14 // RFC 6043
	ErrorTPPar       ErrorNo = 15 // RFC 6043
)

var errorNoNames = []string{
	"Authentication failure", "Invalid timestamp", "PRF function not supported",
	"MAC algorithm not supported", "Encryption algorithm not supported",
	"Hash function not supported", "DH group not supported", "ID not supported",
	"Certificate not supported", "SP type not supported", "SP parameters not supported",
	"Data type not supported", "Unspecified error", "Unsupported message type",
	"Invalid TICKET", "Invalid TP parameters",
}

func (v ErrorNo) String() string { return enumName("ErrorNo", uint8(v), errorNoNames) }

// ERR is the error payload as described in RFC 3830, 6.12.
type ERR struct {
	Base
	ErrorNo  ErrorNo
	Reserved uint16 // 0
}

var _ encoding.BinaryAppender = (*ERR)(nil)

// Type returns TypeERR.
func (*ERR) Type() PayloadType { return TypeERR }

func (p *parser) readERR() *ERR {
	p.spec = "RFC 3830 6.12"
	e := new(ERR)
	e.Next = PayloadType(p.u8("err.next"))
	e.ErrorNo = ErrorNo(p.u8("err.error_no"))
	e.Reserved = p.u16("err.reserved")
	if p.err == nil && e.Reserved != 0 {
		p.deviate(DevReserved, p.off-2, p.off, "err.reserved", "RFC 3830 6.12", fmt.Sprintf("reserved octets are %04x", e.Reserved))
	}
	return e
}

// AppendBinary appends the wire form.
func (e *ERR) AppendBinary(b []byte) ([]byte, error) {
	return append(b, uint8(e.Next), uint8(e.ErrorNo), uint8(e.Reserved>>8), uint8(e.Reserved)), nil
}
