package tlsopen

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// kind is the construction that protects records.
type kind uint8

const (
	kindOther kind = iota // not opened
	kindNull
	kindCBC
	kindGCM
	kindCCM
	kindChaCha
)

// A suite is a cipher suite, taken apart by its name.
type suite struct {
	id     uint16
	name   string
	rsa    bool // RSA key exchange: the premaster secret is encrypted to the server's key
	kind   kind
	des    bool // 3DES instead of AES
	key    int  // octets
	tag    int
	mac    string // hash of the MAC: "MD5", "SHA", "SHA256", "SHA384"
	sha384 bool   // the PRF and key schedule use SHA-384 instead of SHA-256
}

var suites = sync.OnceValue(func() map[uint16]string {
	m := make(map[uint16]string, 384)
	for line := range strings.Lines(suiteNames) {
		id, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseUint(id, 16, 16); ok && err == nil {
			m[uint16(n)] = "TLS_" + name
		}
	}
	return m
})

// SuiteName is the registered name of a cipher suite, or its number in hex.
func SuiteName(id uint16) string {
	if n, ok := suites()[id]; ok {
		return n
	}
	return fmt.Sprintf("0x%04x", id)
}

// suiteOf takes a name like ECDHE_RSA_WITH_AES_128_CBC_SHA256 apart.
func suiteOf(id uint16) suite {
	s := suite{id: id, name: SuiteName(id)}
	name := strings.TrimPrefix(suites()[id], "TLS_")
	kx, rest, with := strings.Cut(name, "_WITH_")
	if !with {
		kx, rest = "", name // TLS 1.3
	}
	s.rsa = kx == "RSA"
	s.sha384 = strings.HasSuffix(rest, "SHA384")
	cut := func(prefix string) bool {
		after, ok := strings.CutPrefix(rest, prefix)
		if ok {
			rest = after
		}
		return ok
	}
	switch {
	case cut("NULL_"):
		s.kind, s.mac = kindNull, rest
	case cut("CHACHA20_POLY1305_"):
		s.kind, s.key, s.tag = kindChaCha, 32, 16
	case cut("3DES_EDE_CBC_"):
		s.kind, s.des, s.key, s.mac = kindCBC, true, 24, rest
	case cut("AES_128_"), cut("AES_256_"):
		if s.key = 16; strings.Contains(name, "AES_256_") {
			s.key = 32
		}
		switch {
		case cut("GCM_"):
			s.kind, s.tag = kindGCM, 16
		case cut("CCM_8"):
			s.kind, s.tag = kindCCM, 8
		case cut("CCM"):
			s.kind, s.tag = kindCCM, 16
		case cut("CBC_"):
			s.kind, s.mac = kindCBC, rest
		}
	}
	if s.mac != "" && macSize(s.mac) == 0 {
		s.kind = kindOther
	}
	return s
}

// macSize is the octets of a MAC, 0 for one that is not known.
func macSize(mac string) int {
	switch mac {
	case "MD5":
		return 16
	case "SHA":
		return 20
	case "SHA256":
		return 32
	case "SHA384":
		return 48
	}
	return 0
}

// VersionName is "1.2" for 0x0303; "" for 0.
func VersionName(v uint16) string {
	switch v {
	case 0:
		return ""
	case 0x0300:
		return "SSL 3.0"
	case 0x0301, 0x0302, 0x0303, 0x0304:
		return "1." + strconv.Itoa(int(v)-0x0301)
	}
	return fmt.Sprintf("0x%04x", v)
}
