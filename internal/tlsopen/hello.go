package tlsopen

import (
	"bytes"
	"strings"
)

// Handshake message types (RFC 8446 4, RFC 5246 7.4).
const (
	msgHelloRequest      = 0
	msgClientHello       = 1
	msgServerHello       = 2
	msgNewSessionTicket  = 4
	msgEndOfEarlyData    = 5
	msgEncryptedExts     = 8
	msgCertificate       = 11
	msgServerHelloDone   = 14
	msgClientKeyExchange = 16
	msgFinished          = 20
	msgCertificateStatus = 22
	msgKeyUpdate         = 24
	msgCompressedCert    = 25
	msgNextProtocol      = 67
	maxMsgType           = msgNextProtocol
	extServerName        = 0
	extALPN              = 16
	extEncryptThenMAC    = 22
	extMasterSecret      = 23
	extSessionTicket     = 35
	extPreSharedKey      = 41
	extEarlyData         = 42
	extSupportedVersions = 43
	maxName              = 255
	version10            = 0x0301
	version11            = 0x0302
	version12            = 0x0303
	version13            = 0x0304
)

// retryRandom is the random of a ServerHello that is a HelloRetryRequest (RFC 8446 4.1.3).
var retryRandom = []byte("\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c")

type clientHello struct {
	version   uint16
	random    [32]byte
	session   []byte
	ticket    []byte
	sni       string
	alpn      []string
	earlyData bool
}

// parseClientHello reads RFC 8446 4.1.2 and RFC 5246 7.4.1.2. ok is false when it ends early; what was read stands.
func parseClientHello(b []byte) (h clientHello, ok bool) {
	r := reader{b: b}
	h.version = uint16(r.num(2))
	copy(h.random[:], r.take(32))
	h.session = bytes.Clone(r.vec(1))
	r.vec(2) // cipher suites
	r.vec(1) // compression methods
	ok = extensions(&r, func(typ int, e reader) {
		switch typ {
		case extServerName:
			list := reader{b: e.vec(2)}
			for list.more() {
				kind, name := list.num(1), list.vec(2)
				if kind == 0 && h.sni == "" {
					h.sni = wireName(name)
				}
			}
		case extALPN:
			list := reader{b: e.vec(2)}
			for list.more() && len(h.alpn) < 16 {
				h.alpn = append(h.alpn, wireName(list.vec(1)))
			}
		case extSessionTicket:
			h.ticket = bytes.Clone(e.b)
		case extEarlyData:
			h.earlyData = true
		}
	})
	return h, ok
}

// wireName is a name of the wire as text of a bounded length.
func wireName(b []byte) string {
	return strings.ToValidUTF8(string(b[:min(len(b), maxName)]), "\ufffd")
}

// extensions calls f for each extension; a message may end before them.
func extensions(r *reader, f func(typ int, e reader)) (ok bool) {
	if r.bad || len(r.b) == 0 {
		return !r.bad
	}
	list := reader{b: r.vec(2)}
	for list.more() {
		typ, body := list.num(2), list.vec(2)
		if !list.bad {
			f(typ, reader{b: body})
		}
	}
	return !r.bad && !list.bad
}

type serverHello struct {
	version    uint16 // negotiated
	random     [32]byte
	session    []byte
	suite      uint16
	compressed bool
	alpn       string
	etm, ems   bool
	psk        bool
}

func (h *serverHello) retry() bool { return bytes.Equal(h.random[:], retryRandom) }

// parseServerHello reads RFC 8446 4.1.3 and RFC 5246 7.4.1.3.
func parseServerHello(b []byte) (h serverHello, ok bool) {
	r := reader{b: b}
	h.version = uint16(r.num(2))
	copy(h.random[:], r.take(32))
	h.session = bytes.Clone(r.vec(1))
	h.suite = uint16(r.num(2))
	h.compressed = r.num(1) != 0
	if r.bad {
		return h, false
	}
	ok = extensions(&r, func(typ int, e reader) {
		switch typ {
		case extALPN:
			list := reader{b: e.vec(2)}
			h.alpn = wireName(list.vec(1))
		case extEncryptThenMAC:
			h.etm = true
		case extMasterSecret:
			h.ems = true
		case extPreSharedKey:
			h.psk = true
		case extSupportedVersions:
			if v := e.num(2); !e.bad {
				h.version = uint16(v)
			}
		}
	})
	return h, ok
}

// firstCertificate is the DER of the first certificate of a Certificate message, nil for none; in TLS 1.3 a context comes
// before the list (RFC 8446 4.4.2). n is how many there are.
func firstCertificate(b []byte, v13 bool) (der []byte, n int, ok bool) {
	r := reader{b: b}
	if v13 {
		r.vec(1)
	}
	list := reader{b: r.vec(3)}
	for list.more() {
		c := list.vec(3)
		if v13 {
			list.vec(2)
		}
		if n++; n == 1 {
			der = c
		}
	}
	return der, n, !r.bad && !list.bad
}
