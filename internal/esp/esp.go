package esp

import (
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// HeaderSize is the length of SPI and sequence number.
const HeaderSize = 8

// ICVs lists the lengths of integrity check values in use, in octets: 96 bits (HMAC-MD5-96 and HMAC-SHA-1-96 of TS
// 33.203 annex H), 128 bits (HMAC-SHA-256-128, AES-GMAC, AES-GCM), 192 and 256 bits, none, and 64 bits.
var ICVs = [...]int{12, 16, 24, 32, 0, 8}

// An SA is what is known of one security association, or of all that a wildcard covers. It holds no state and may be
// shared; it prints names and lengths only.
type SA struct {
	SPI    uint32
	AnySPI bool
	Dst    netip.Prefix // the zero Prefix is any destination

	enc     *encAlg
	auth    *authAlg
	encKey  func() []byte // behind functions, because fmt prints unexported byte slices
	authKey func() []byte
}

// New checks the names of algorithms and the lengths of keys, which are copied. An empty name of an encryption algorithm
// is null, one of an integrity algorithm stands for a check value that nobody knows. An AEAD algorithm takes no
// integrity algorithm; its key ends with the salt.
func New(encName string, encKey []byte, authName string, authKey []byte) (SA, error) {
	if encName == "" {
		encName = "null"
	}
	enc := findEnc(encName)
	if enc == nil && strings.HasPrefix(canon(encName), "any") {
		return SA{}, errors.New("the encryption algorithm has to be known")
	}
	if enc == nil {
		return SA{}, fmt.Errorf("the encryption algorithm is none of %s", strings.Join(EncNames(), ", "))
	}
	if a := findEnc(authName); authName != "" && a != nil && a.mode == modeGMAC && enc.mode == modeNull {
		// "null - aes-gmac KEY", as TS 33.203 annex H writes it.
		if len(encKey) > 0 {
			return SA{}, errors.New("null encryption takes no key")
		}
		enc, encKey, authName, authKey = a, authKey, "", nil
	}
	if authName == "" {
		if authName = "any"; enc.icvs != nil {
			authName = "null"
		}
	}
	auth := findAuth(authName)
	if auth == nil {
		return SA{}, fmt.Errorf("the integrity algorithm is none of %s", strings.Join(AuthNames(), ", "))
	}
	if err := enc.check(encKey); err != nil {
		return SA{}, err
	}
	if err := auth.check(authKey); err != nil {
		return SA{}, err
	}
	if enc.icvs != nil && (auth.make != nil || auth.icv > 0) {
		return SA{}, fmt.Errorf("%s checks integrity itself and takes no %s beside it", enc.name, auth.name)
	}
	ek, ak := slices.Clone(encKey), slices.Clone(authKey)
	return SA{enc: enc, auth: auth, encKey: func() []byte { return ek }, authKey: func() []byte { return ak }}, nil
}

// Enc and Auth are the names of the algorithms.
func (s *SA) Enc() string { return s.enc.name }

// Auth is "" for an algorithm that encrypts and authenticates in one, and where the check value is not known.
func (s *SA) Auth() string {
	if s.enc.icvs != nil || s.auth.icv < 0 {
		return ""
	}
	return s.auth.name
}

// Covers reports whether the SA is meant for packets with an SPI to a destination.
func (s *SA) Covers(spi uint32, dst netip.Addr) bool {
	return (s.AnySPI || s.SPI == spi) && (!s.Dst.IsValid() || s.Dst.Contains(dst.Unmap()))
}

// String names the SA without its keys.
func (s SA) String() string {
	spi, dst := "*", "*"
	if !s.AnySPI {
		spi = fmt.Sprintf("%08x", s.SPI)
	}
	if s.Dst.IsValid() {
		dst = s.Dst.String()
	}
	if s.enc == nil {
		return spi + " " + dst
	}
	return spi + " " + dst + " " + s.enc.name + " " + s.auth.name
}

// Format prints the same for every verb.
func (s SA) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// Opener makes what opens and seals packets. It is for one goroutine.
func (s *SA) Opener() (*Opener, error) {
	o := &Opener{sa: *s}
	key := s.encKey()
	if s.enc.make != nil {
		var err error
		if o.block, err = s.enc.make(key[:len(key)-s.enc.salt]); err != nil {
			return nil, fmt.Errorf("%s: %w", s.enc.name, err)
		}
		o.salt = key[len(key)-s.enc.salt:]
		if m := s.enc.mode; m == modeGCM || m == modeGMAC {
			if o.aead, err = cipher.NewGCM(o.block); err != nil {
				return nil, fmt.Errorf("%s: %w", s.enc.name, err)
			}
		}
	}
	if k := s.authKey(); s.auth.make != nil && len(k) > 0 {
		var err error
		if o.mac, err = s.auth.make(k); err != nil {
			return nil, fmt.Errorf("%s: %w", s.auth.name, err)
		}
	}
	return o, nil
}

// An Opener holds the expanded keys of an SA.
type Opener struct {
	sa    SA
	block cipher.Block
	aead  cipher.AEAD
	salt  []byte
	mac   macFunc
	buf   []byte
}

// Format prints the SA.
func (o *Opener) Format(f fmt.State, _ rune) { io.WriteString(f, o.sa.String()) }

// SA is what the Opener was made from.
func (o *Opener) SA() *SA { return &o.sa }

// ICVs appends the lengths of check values to try, the likely one first. An AEAD algorithm has only its own.
func (o *Opener) ICVs(dst []int) []int {
	if o.sa.enc.icvs != nil {
		return append(dst, o.sa.enc.icvs...)
	}
	if o.sa.auth.icv >= 0 {
		dst = append(dst, o.sa.auth.icv)
	}
	for _, n := range ICVs {
		if n != o.sa.auth.icv {
			dst = append(dst, n)
		}
	}
	return dst
}

// Keyed reports whether check values can be verified.
func (o *Opener) Keyed() bool { return o.mac != nil || o.sa.enc.icvs != nil }

// Fits reports whether a packet of this length can have a check value of icv octets.
func (o *Opener) Fits(size, icv int) bool {
	n := size - HeaderSize - o.sa.enc.iv - icv
	return n >= 2 && n%o.sa.enc.unit == 0
}

// Open decrypts pkt, which begins with the SPI and ends with a check value of icv octets, into dst, which is as long. The
// plain text (payload, padding, pad length, next header) comes to lie where the cipher text is in pkt; Open returns it.
// Nothing is verified. Of a packet whose end is missing, give 0 for icv; whole blocks are decrypted. dst may be pkt only
// when the packet is not looked at again. nil says that the packet is too short.
func (o *Opener) Open(dst, pkt []byte, icv int) []byte {
	e := o.sa.enc
	from, to := HeaderSize+e.iv, len(pkt)-icv
	to -= max(0, to-from) % max(1, o.blockUnit())
	if to <= from || len(dst) < to {
		return nil
	}
	iv := pkt[HeaderSize:from]
	out := dst[from:to]
	switch e.mode {
	case modeNull, modeGMAC:
		copy(out, pkt[from:to])
	case modeCBC:
		cipher.NewCBCDecrypter(o.block, iv).CryptBlocks(out, pkt[from:to])
	default:
		o.stream(iv).XORKeyStream(out, pkt[from:to])
	}
	return out
}

// blockUnit is what CBC works on; other modes take any length.
func (o *Opener) blockUnit() int {
	if o.sa.enc.mode == modeCBC {
		return o.block.BlockSize()
	}
	return 1
}

// stream is the key stream of a counter mode. The counter takes the last 32 bits, which no packet makes run over.
func (o *Opener) stream(iv []byte) cipher.Stream {
	var c [16]byte
	switch o.sa.enc.mode {
	case modeCCM: // RFC 4309 4: flags, salt, IV, counter from 1
		c[0] = 3
		copy(c[1:], o.salt)
		copy(c[4:], iv)
		c[15] = 1
	case modeGCM: // RFC 4106 4: salt, IV, counter from 2, since 1 masks the tag
		copy(c[:], o.salt)
		copy(c[4:], iv)
		c[15] = 2
	default: // RFC 3686 4: nonce, IV, counter from 1
		copy(c[:], o.salt)
		copy(c[4:], iv)
		c[15] = 1
	}
	return cipher.NewCTR(o.block, c[:])
}

// Verify reports whether the check value of icv octets at the end of pkt is right; plain is what [Opener.Open] made of
// the packet. high are the upper 32 bits of an extended sequence number (RFC 4303 2.2.1), nil when it is not extended.
// A check value that is shorter than the algorithm's own verifies by what there is of it, but never by fewer than 8 octets.
func (o *Opener) Verify(pkt, plain []byte, icv int, high *uint32) bool {
	if icv < 8 || len(pkt) < HeaderSize+o.sa.enc.iv+icv || !o.Keyed() {
		return false
	}
	at := len(pkt) - icv
	tag := o.tag(pkt[:at], plain, icv, high)
	return len(tag) >= icv && hmac.Equal(tag[:icv], pkt[at:])
}

// tag computes the check value over pkt, which ends where it begins.
func (o *Opener) tag(pkt, plain []byte, icv int, high *uint32) []byte {
	e := o.sa.enc
	var h [4]byte
	if high != nil {
		binary.BigEndian.PutUint32(h[:], *high)
	}
	if o.mac != nil {
		o.buf = o.buf[:0]
		if high != nil {
			o.buf = o.mac(o.buf, pkt, h[:])
		} else {
			o.buf = o.mac(o.buf, pkt)
		}
		return o.buf
	}
	from := HeaderSize + e.iv
	// The additional data is the SPI and the sequence number, with its upper half in between when it is extended.
	aad := make([]byte, 0, 12)
	aad = append(aad, pkt[:4]...)
	if high != nil {
		aad = append(aad, h[:]...)
	}
	aad = append(aad, pkt[4:8]...)
	nonce := append(append(make([]byte, 0, 12), o.salt...), pkt[HeaderSize:from]...)
	switch e.mode {
	case modeGMAC: // RFC 4543 3.3: everything is additional data
		o.buf = o.aead.Seal(o.buf[:0], nonce, nil, append(aad, pkt[HeaderSize:]...))
		return o.buf
	case modeCCM:
		return ccmTag(o.block, nonce, aad, plain, icv)
	}
	o.buf = o.aead.Seal(o.buf[:0], nonce, plain, aad)
	return o.buf[len(plain):]
}

// Seal appends a packet to dst: it pads the payload with 1, 2, 3 and so on (RFC 4303 2.4), encrypts it and adds a check
// value of icv octets, or as many as the algorithm's own when icv is negative. iv is what the initialisation vector is
// cut from; high is as for [Opener.Verify].
func (o *Opener) Seal(dst []byte, spi, seq uint32, iv []byte, next byte, payload []byte, icv int, high *uint32) ([]byte, error) {
	e := o.sa.enc
	if icv < 0 {
		if icv = max(0, o.sa.auth.icv); e.icvs != nil {
			icv = e.icvs[0]
		}
	}
	if len(iv) < e.iv {
		return dst, fmt.Errorf("the initialisation vector has %d octets instead of %d", len(iv), e.iv)
	}
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, spi)
	dst = binary.BigEndian.AppendUint32(dst, seq)
	dst = append(dst, iv[:e.iv]...)
	from := len(dst)
	dst = append(dst, payload...)
	pad := 0
	for (len(dst)-from+2)%e.unit != 0 {
		pad++
		dst = append(dst, byte(pad))
	}
	dst = append(dst, byte(pad), next)
	plain := slices.Clone(dst[from:])
	text := dst[from:]
	switch e.mode {
	case modeNull, modeGMAC:
	case modeCBC:
		cipher.NewCBCEncrypter(o.block, iv[:e.iv]).CryptBlocks(text, text)
	default:
		o.stream(iv[:e.iv]).XORKeyStream(text, text)
	}
	if !o.Keyed() {
		return append(dst, make([]byte, icv)...), nil
	}
	if icv == 0 {
		return dst, nil
	}
	tag := o.tag(dst[start:], plain, icv, high)
	if len(tag) < icv {
		return dst, fmt.Errorf("a check value of %d octets is longer than the %d of the algorithm", icv, len(tag))
	}
	return append(dst, tag[:icv]...), nil
}
