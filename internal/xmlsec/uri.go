package xmlsec

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ProtectedHost is the domain which marks the user part of a SIP URI as a
// protected identity (TS 23.003 26.2).
const ProtectedHost = "mc1-encrypted.3gppnetwork.org"

// ProtectedAlgorithm is the value of alg (TS 24.379 6.6.2.3.4).
const ProtectedAlgorithm = "128-aes-gcm"

// ErrNotProtected means that a URI is an ordinary one.
var ErrNotProtected = errors.New("xmlsec: not a protected URI")

// ProtectedURI is an identity encrypted as TS 33.180 9.3.4.3 and TS 24.379
// 6.6.2.3.4 say:
//
//	sip:BASE64(cipher text and tag);iv=BASE64;key-id=BASE64;alg=128-aes-gcm@mc1-encrypted.3gppnetwork.org
//
// The parameters belong to the user part.
type ProtectedURI struct {
	Scheme     string // lower case
	Host       string // lower case, without port
	Reserved   bool   // the host marks protected identities
	Octets     []byte // cipher text with the tag at its end
	IV         []byte
	KeyName    string // key-id as written, percent-decoded
	KeyID      string // the same as 8 hex digits, when it is an identifier
	Alg        string // as written; empty when absent
	Deviations []string
}

// IsProtectedURI reports whether the host of a SIP URI is one for protected
// identities. Nothing else of the URI is looked at.
func IsProtectedURI(uri string) bool {
	_, _, host, _ := splitSIP(uri)
	return reservedHost(host)
}

// reservedHost accepts mc1-encrypted.3gppnetwork.org and its like: "mc", digits,
// "-encrypted.", and whatever network.
func reservedHost(host string) bool {
	rest, ok := strings.CutPrefix(host, "mc")
	if !ok {
		return false
	}
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	return n > 0 && strings.HasPrefix(rest[n:], "-encrypted.")
}

// lowerASCII lowers ASCII letters and nothing else, so that places stay where they are: strings.ToLower makes octets that
// are no UTF-8 longer.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// splitSIP splits a SIP URI into scheme, user part and host. One sender in the
// field leaves the @ out, which glued tells.
func splitSIP(uri string) (scheme, user, host string, glued bool) {
	uri = strings.TrimSpace(uri)
	scheme, rest, ok := strings.Cut(uri, ":")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "sip" && scheme != "sips" {
		return "", "", "", false
	}
	user, host, ok = "", rest, true
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, host = rest[:i], rest[i+1:]
	} else {
		lower := lowerASCII(rest)
		if i := strings.LastIndex(lower, "-encrypted."); i > 0 {
			j := i
			for j > 0 && lower[j-1] >= '0' && lower[j-1] <= '9' {
				j--
			}
			if j < i && j > 2 && lower[j-2:j] == "mc" {
				user, host, glued = rest[:j-2], rest[j-2:], true
			}
		}
	}
	if i := strings.IndexAny(host, ";?:"); i >= 0 {
		host = host[:i]
	}
	return scheme, user, strings.ToLower(host), glued
}

// maxURI bounds what is taken apart as a protected URI.
const maxURI = 16 << 10

// ParseProtectedURI takes a protected URI apart. It accepts percent-encoding,
// either base64 alphabet, missing padding, parameters in any order and any host
// which begins as the reserved one; a URI with these parameters at another host
// is accepted with Reserved unset. The error is ErrNotProtected for any other
// URI, or [ErrMalformed] together with what was read.
func ParseProtectedURI(uri string) (*ProtectedURI, error) {
	scheme, user, host, glued := splitSIP(uri)
	if scheme == "" {
		return nil, ErrNotProtected
	}
	u := &ProtectedURI{Scheme: scheme, Host: host, Reserved: reservedHost(host)}
	body, params := splitUser(user)
	if len(params) == 0 && strings.IndexByte(user, '%') >= 0 {
		if body, params = splitUser(percentDecode(user)); len(params) > 0 {
			u.deviates("separators are percent-encoded")
		}
	}
	iv, hasIV := params["iv"]
	id, hasID := params["key-id"]
	alg, hasAlg := params["alg"]
	if !u.Reserved && !(hasIV && (hasID || hasAlg)) {
		return nil, ErrNotProtected
	}
	if len(uri) > maxURI {
		return u, ErrMalformed{"protected URI is longer than any identity"}
	}
	if glued {
		u.deviates("no @ before the host")
	}
	if !u.Reserved {
		u.deviates("host is not reserved for protected identities (TS 23.003 26.2)")
	}
	u.Alg = percentDecode(alg)
	u.KeyName = percentDecode(id)
	u.KeyID, _ = KeyIDFromName(u.KeyName)
	var bad []string
	octets := func(what, s string, min, max int) []byte {
		s = percentDecode(s)
		b, err := decodeBase64(s)
		switch {
		case err != nil:
			bad = append(bad, what+" is not base64")
		case len(b) < min || max > 0 && len(b) > max:
			bad = append(bad, fmt.Sprintf("%s has %d octets", what, len(b)))
		case strings.ContainsAny(s, "-_"):
			u.deviates(what + " uses the URL alphabet")
		case len(s)%4 != 0:
			u.deviates(what + " is not padded")
		}
		return b
	}
	if body == "" {
		bad = append(bad, "cipher text is missing")
	} else {
		u.Octets = octets("cipher text", body, gcmTag, 0)
	}
	if !hasIV {
		bad = append(bad, "iv is missing")
	} else {
		u.IV = octets("iv", iv, gcmIV, gcmIV)
	}
	if !hasID {
		u.deviates("key-id is missing")
	} else if u.KeyID == "" {
		u.deviates("key-id is not the base64 of 4 octets")
	}
	if !hasAlg {
		u.deviates("alg is missing")
	}
	if len(bad) > 0 {
		return u, ErrMalformed{"protected URI (TS 24.379 6.6.2.3.4): " + strings.Join(bad, ", ")}
	}
	return u, nil
}

func (u *ProtectedURI) deviates(how string) {
	if !slices.Contains(u.Deviations, how) {
		u.Deviations = append(u.Deviations, how)
	}
}

// splitUser splits the user part at its semicolons. Parameter names are taken
// without regard to case, and the first of a name counts.
func splitUser(user string) (body string, params map[string]string) {
	body, rest, _ := strings.Cut(user, ";")
	for n := 0; rest != "" && n < 32; n++ {
		var p string
		p, rest, _ = strings.Cut(rest, ";")
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			continue
		}
		if params == nil {
			params = make(map[string]string, 3)
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := params[name]; !twice {
			params[name] = strings.TrimSpace(value)
		}
	}
	return body, params
}

// percentDecode leaves a percent sign that begins no escape as it is.
func percentDecode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if h, l := hexDigit(s[i+1]), hexDigit(s[i+2]); h >= 0 && l >= 0 {
				out = append(out, byte(h<<4|l))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// Open decrypts the identity. The key function is asked for alg as algorithm;
// an absent alg means 128-aes-gcm. The error is ErrNoKey, ErrTag, [ErrMalformed]
// or [ErrUnsupportedAlgorithm], and the info is never nil.
func (u *ProtectedURI) Open(keys KeyFunc) ([]byte, *DecryptInfo, error) {
	info := &DecryptInfo{Algorithm: u.Alg, KeyName: u.KeyName, KeyID: u.KeyID, IV: u.IV, Octets: len(u.Octets)}
	if u.Alg == "" {
		info.Algorithm, info.Assumed = ProtectedAlgorithm, true
	}
	size := 16
	switch strings.ToLower(info.Algorithm) {
	case ProtectedAlgorithm:
	case "256-aes-gcm":
		size = 32
	default:
		return nil, info, ErrUnsupportedAlgorithm{u.Alg}
	}
	if len(u.IV) != gcmIV || len(u.Octets) < gcmTag {
		return nil, info, ErrMalformed{"protected URI without a whole iv and cipher text"}
	}
	ct := slices.Concat(u.IV, u.Octets)
	work := budget(DefaultWork)
	for _, k := range keys.ask(u.KeyName, info.Algorithm) {
		key := k.reveal()
		if len(key) != size {
			continue
		}
		if !work.spend(len(ct)) {
			return nil, info, ErrWork
		}
		info.Tried++
		if plain, err := open(key, ct, true); err == nil {
			info.Key = k.Label
			return plain, info, nil
		}
	}
	if info.Tried == 0 {
		return nil, info, ErrNoKey
	}
	return nil, info, ErrTag
}

// SealOptions describe a URI to write with [SealURI].
type SealOptions struct {
	Key   []byte // 16 octets
	KeyID string // 8 hex digits
	IV    []byte // random when nil; given only in tests
	Host  string // default [ProtectedHost]
}

// SealURI encrypts an identity into the form of [ProtectedURI].
func SealURI(uri string, o SealOptions) (string, error) {
	if len(o.Key) != 16 {
		return "", fmt.Errorf("xmlsec: the key has %d octets, %s needs 16", len(o.Key), ProtectedAlgorithm)
	}
	id, err := hex.DecodeString(o.KeyID)
	if err != nil || len(id) != 4 {
		return "", errors.New("xmlsec: a key identifier is 8 hex digits")
	}
	if o.Host == "" {
		o.Host = ProtectedHost
	}
	ct, err := seal(o.Key, o.IV, []byte(uri), true)
	if err != nil {
		return "", err
	}
	b64 := base64.StdEncoding.EncodeToString
	return "sip:" + b64(ct[gcmIV:]) + ";iv=" + b64(ct[:gcmIV]) + ";key-id=" + b64(id) + ";alg=" + ProtectedAlgorithm + "@" + o.Host, nil
}
