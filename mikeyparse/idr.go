package mikeyparse

import (
	"encoding"
	"fmt"
	"unicode/utf8"
)

// IDType is the form of an identity (RFC 3830 6.7, RFC 6043 6.5).
type IDType uint8

// The registered identity types.
const (
	IDNAI        IDType = 0 // RFC 3830 6.7
	IDURI        IDType = 1 // RFC 3830 6.7
	IDByteString IDType = 2 // RFC 6043 6.5
)

var idTypeNames = []string{"NAI", "URI", "Byte string"}

func (v IDType) String() string { return enumName("IDType", uint8(v), idTypeNames) }

// IDRole says whose identity an IDR payload holds (RFC 6043 6.6).
type IDRole uint8

// The registered roles.
const (
	RoleInitiator    IDRole = 1 // RFC 6043 6.6, IDRi
	RoleResponder    IDRole = 2 // RFC 6043 6.6, IDRr
	RoleKMS          IDRole = 3 // RFC 6043 6.6, IDRkms
	RolePSK          IDRole = 4 // RFC 6043 6.6, IDRpsk
	RoleApplication  IDRole = 5 // RFC 6043 6.6, IDRapp
	RoleKMSInitiator IDRole = 6 // RFC 6509 table 7, IDRkmsi
	RoleKMSResponder IDRole = 7 // RFC 6509 table 7, IDRkmsr
	RoleUIDInitiator IDRole = 8 // TS 33.180 E.7, IDRuidi
	RoleUIDResponder IDRole = 9 // TS 33.180 E.7, IDRuidr
)

var idRoleNames = []string{"", "IDRi", "IDRr", "IDRkms", "IDRpsk", "IDRapp", "IDRkmsi", "IDRkmsr", "IDRuidi", "IDRuidr"}

func (v IDRole) String() string { return enumName("IDRole", uint8(v), idRoleNames) }

// Hidden reports whether the role carries a hashed UID instead of an identity
// (TS 33.180 E.7).
func (v IDRole) Hidden() bool { return v == RoleUIDInitiator || v == RoleUIDResponder }

// IDR is the identity payload with role indicator as described in RFC 6043, 6.6.
type IDR struct {
	Base
	Role   IDRole
	IDType IDType
	ID     []byte
}

var _ encoding.BinaryAppender = (*IDR)(nil)

// Type returns TypeIDR.
func (*IDR) Type() PayloadType { return TypeIDR }

// Hidden reports whether ID is a UID. The role decides: products label UIDs
// with ID type URI.
func (d *IDR) Hidden() bool { return d.Role.Hidden() }

// Text returns the identity as text and true, or false when it is a hidden
// UID, a byte string, or labelled as text and none. Zero octets at the end,
// which one product writes, are left out.
func (d *IDR) Text() (string, bool) {
	b, ok := d.TextOctets()
	return string(b), ok
}

// TextOctets is Text as octets of the input.
func (d *IDR) TextOctets() ([]byte, bool) {
	b := d.ID
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	if d.Hidden() || d.IDType > IDURI || !isText(b) {
		return nil, false
	}
	return b, true
}

// UID returns the hashed identity of a party. Besides IDRuidi and IDRuidr these
// are 32 octets that are no text under the roles IDRi and IDRr, where one
// product puts them.
func (d *IDR) UID() (uid []byte, ok bool) {
	if len(d.ID) == uidLen && (d.Hidden() || d.openUID()) {
		return d.ID, true
	}
	return nil, false
}

const uidLen = 32 // TS 33.180 F.2.1: SHA-256

func (d *IDR) openUID() bool {
	return (d.Role == RoleInitiator || d.Role == RoleResponder) && len(d.ID) == uidLen && !isText(d.ID)
}

func isText(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && utf8.Valid(b)
}

// checkIDR reports what is wrong with an identity that starts at octet start.
func (p *parser) checkIDR(d *IDR, start int) {
	deviate := func(k Kind, off, end int, field, spec, format string, args ...any) {
		p.deviate(k, start+off, start+end, field, spec, fmt.Sprintf(format, args...))
	}
	end := p.off - start
	switch {
	case d.Hidden():
		if d.IDType != IDByteString {
			deviate(DevUIDType, 2, 3, "idr.type", "TS 33.180 E.7", "%s holds a hashed UID, but is labelled %s", d.Role, d.IDType)
		}
		if len(d.ID) != uidLen {
			deviate(DevUIDLength, 3, end, "idr.data", "TS 33.180 F.2.1", "%s has %d octets instead of %d", d.Role, len(d.ID), uidLen)
		}
	case int(d.IDType) >= len(idTypeNames):
		deviate(DevIDType, 2, 3, "idr.type", "RFC 6043 6.5", "%s is not registered", d.IDType)
	case p.sakkeMessage() && d.openUID():
		deviate(DevUIDRole, 1, 2, "idr.role", "TS 33.180 E.7", "%s holds what seems to be a hashed UID", d.Role)
	case d.IDType <= IDURI && !isText(d.ID):
		if text, ok := d.Text(); ok {
			deviate(DevIDNUL, 5+len(text), end, "idr.data", "RFC 3830 6.7", "%s ends in zero octets", d.Role)
		} else {
			deviate(DevIDText, 5, end, "idr.data", "RFC 3830 6.7", "%s is labelled %s, but is no text", d.Role, d.IDType)
		}
	}
	switch {
	case int(d.Role) >= len(idRoleNames) || d.Role == 0:
		deviate(DevIDRole, 1, 2, "idr.role", "RFC 6043 6.6", "%s is not registered", d.Role)
	case d.Role == RoleKMS && p.sakkeMessage():
		deviate(DevKMSRole, 1, 2, "idr.role", "RFC 6509 table 7", "IDRkms (3) instead of IDRkmsi (6) or IDRkmsr (7)")
	}
}

func (p *parser) readIDR() *IDR {
	p.spec = "RFC 6043 6.6"
	var d *IDR
	if r := p.room; r.nIDR < len(r.idr) {
		d = &r.idr[r.nIDR]
		r.nIDR++
	} else {
		d = new(IDR)
	}
	start := p.off
	d.Next = PayloadType(p.u8("idr.next"))
	d.Role = IDRole(p.u8("idr.role"))
	d.IDType = IDType(p.u8("idr.type"))
	d.ID = p.lv16("idr.length", "idr.data")
	if p.err != nil {
		return d
	}
	p.checkIDR(d, start)
	return d
}

// AppendBinary appends the wire form.
func (d *IDR) AppendBinary(b []byte) ([]byte, error) {
	return appendLV16(append(b, uint8(d.Next), uint8(d.Role), uint8(d.IDType)), d.ID)
}

// ID is the identity payload as described in RFC 3830, 6.7.
type ID struct {
	Base
	IDType IDType
	ID     []byte
}

var _ encoding.BinaryAppender = (*ID)(nil)

// Type returns TypeID.
func (*ID) Type() PayloadType { return TypeID }

func (p *parser) readID() *ID {
	p.spec = "RFC 3830 6.7"
	d := new(ID)
	d.Next = PayloadType(p.u8("id.next"))
	d.IDType = IDType(p.u8("id.type"))
	d.ID = p.lv16("id.length", "id.data")
	return d
}

// AppendBinary appends the wire form.
func (d *ID) AppendBinary(b []byte) ([]byte, error) {
	return appendLV16(append(b, uint8(d.Next), uint8(d.IDType)), d.ID)
}

// CertType is the form of a certificate (RFC 3830 6.7).
type CertType uint8

// The registered certificate types.
const (
	CertX509     CertType = 0 // RFC 3830 6.7
	CertX509URL  CertType = 1 // RFC 3830 6.7
	CertX509Sign CertType = 2 // RFC 3830 6.7
	CertX509Encr CertType = 3 // RFC 3830 6.7
)

var certTypeNames = []string{"X.509v3", "X.509v3 URL", "X.509v3 Sign", "X.509v3 Encr"}

func (v CertType) String() string { return enumName("CertType", uint8(v), certTypeNames) }

// CERT is the certificate payload as described in RFC 3830, 6.7.
type CERT struct {
	Base
	CertType CertType
	Data     []byte
}

var _ encoding.BinaryAppender = (*CERT)(nil)

// Type returns TypeCERT.
func (*CERT) Type() PayloadType { return TypeCERT }

func (p *parser) readCERT() *CERT {
	p.spec = "RFC 3830 6.7"
	c := new(CERT)
	c.Next = PayloadType(p.u8("cert.next"))
	c.CertType = CertType(p.u8("cert.type"))
	c.Data = p.lv16("cert.length", "cert.data")
	return c
}

// AppendBinary appends the wire form.
func (c *CERT) AppendBinary(b []byte) ([]byte, error) {
	return appendLV16(append(b, uint8(c.Next), uint8(c.CertType)), c.Data)
}
