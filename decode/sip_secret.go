package decode

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// A bearer token's signature and a password never leave without --show-secrets (docs/json.md); claims and identities
// do. What follows finds them in header fields, wherever a stack puts them.

// secretScheme reports whether the credentials of an authentication scheme are the secret itself.
func secretScheme(scheme []byte) bool {
	return bytes.EqualFold(scheme, []byte("bearer")) || bytes.EqualFold(scheme, []byte("basic"))
}

// keyParam reports whether a parameter of a challenge is a key: the S-CSCF hands ck and ik to the P-CSCF in
// WWW-Authenticate (TS 24.229 7.2A.1).
func keyParam(name []byte) bool {
	return len(name) == 2 && (name[0]|0x20 == 'c' || name[0]|0x20 == 'i') && name[1]|0x20 == 'k'
}

// keyParams finds the values of keys among the parameters of a challenge.
func keyParams(id sipparse.HeaderID, v string) (out []cut) {
	if id != sipparse.HdrWWWAuthenticate && id != sipparse.HdrProxyAuthenticate {
		return nil
	}
	a, _ := sipparse.ParseAuth([]byte(v))
	for p := range a.ParamSeq() {
		if keyParam(p.Name.In(a.Raw)) && p.Value.Len > 0 {
			from, to := int(p.Value.Off), int(p.Value.Off+p.Value.Len)
			if p.Quoted && v[from] == '"' && to-from >= 2 && v[to-1] == '"' {
				from, to = from+1, to-1
			}
			out = append(out, cut{from, to})
		}
	}
	return out
}

// withhold returns a credential as it may be shown: a JWS without its signature, anything else as a fingerprint.
func withhold(token string, showSecrets bool) (shown string, cut bool) {
	if showSecrets || token == "" {
		return token, false
	}
	if from, to := jws(token, 0); from == 0 && to == len(token) {
		i := strings.LastIndexByte(token, '.') + 1
		return token[:i] + "[" + itoa(len(token)-i) + " characters withheld]", true
	}
	sum := sha256.Sum256([]byte(token))
	return "[" + itoa(len(token)) + " characters withheld, sha256 " + hex.EncodeToString(sum[:4]) + "...]", true
}

// jws finds the next JWS compact serialisation (RFC 7515 7.1) at or after from: base64url of `{"`, two dots.
func jws(s string, from int) (start, end int) {
	for {
		i := strings.Index(s[from:], "eyJ")
		if i < 0 {
			return -1, -1
		}
		start = from + i
		dots := 0
		for end = start; end < len(s) && (isBase64URL(s[end]) || s[end] == '.'); end++ {
			if s[end] == '.' {
				dots++
			}
		}
		if dots >= 2 {
			return start, end
		}
		from = end
		if from >= len(s) {
			return -1, -1
		}
	}
}

func isBase64URL(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '='
}

// mayHoldSecret is the cheap look before scrub.
func mayHoldSecret(id sipparse.HeaderID, v string) bool {
	return id == sipparse.HdrAuthorization || id == sipparse.HdrProxyAuthorization || id == sipparse.HdrWWWAuthenticate || id == sipparse.HdrProxyAuthenticate || strings.Contains(v, "eyJ")
}

// headersMayHoldSecret is mayHoldSecret for all header fields of a message at one look.
func headersMayHoldSecret(m *sipparse.Message) bool {
	return m.Has(sipparse.HdrAuthorization) || m.Has(sipparse.HdrProxyAuthorization) || m.Has(sipparse.HdrWWWAuthenticate) || m.Has(sipparse.HdrProxyAuthenticate) ||
		mayHoldToken(m.Raw[:m.HeaderEnd])
}

// mayHoldToken tells whether octets hold "eyJ". The last of the three is the rarest in a header section.
func mayHoldToken(b []byte) bool {
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], 'J')
		if i < 0 {
			return false
		}
		if i += from; i >= 2 && b[i-1] == 'y' && b[i-2] == 'e' {
			return true
		}
		from = i + 1
	}
}

// scrub returns a header field's value without secrets.
func scrub(id sipparse.HeaderID, v string, showSecrets bool) (string, bool) {
	if showSecrets {
		return v, false
	}
	if id == sipparse.HdrAuthorization || id == sipparse.HdrProxyAuthorization {
		scheme, rest, ok := strings.Cut(v, " ")
		if ok && secretScheme([]byte(scheme)) {
			shown, cut := withhold(strings.TrimSpace(rest), false)
			return scheme + " " + shown, cut
		}
	}
	cut := false
	if list := keyParams(id, v); len(list) > 0 {
		for i := len(list) - 1; i >= 0; i-- {
			shown, _ := withhold(v[list[i].from:list[i].to], false)
			v = v[:list[i].from] + shown + v[list[i].to:]
		}
		cut = true
	}
	for from := 0; ; {
		start, end := jws(v, from)
		if start < 0 {
			return v, cut
		}
		shown, _ := withhold(v[start:end], false)
		v = v[:start] + shown + v[end:]
		from = start + len(shown)
		cut = true
	}
}

// secrets masks credentials in the message's octets for hex dumps.
func (w *worker) secrets(m *message) {
	if w.opt.ShowSecrets || m.src < 0 || m.src >= len(w.rec.Sources) || !m.secret {
		return
	}
	for i := range m.sip.Headers {
		h := &m.sip.Headers[i]
		v := text(m.sip.Bytes(h.Value))
		if !mayHoldSecret(h.ID, v) {
			continue
		}
		off := m.base + int(h.Value.Off)
		scheme, rest, ok := strings.Cut(v, " ")
		if ok && secretScheme([]byte(scheme)) {
			if from, _ := jws(rest, 0); from < 0 {
				w.mask(m.src, off+len(scheme)+1, len(rest))
				continue
			}
		}
		for _, k := range keyParams(h.ID, v) {
			w.mask(m.src, off+k.from, k.to-k.from)
		}
		for from := 0; ; {
			start, end := jws(v, from)
			if start < 0 {
				break
			}
			sig := start + strings.LastIndexByte(v[start:end], '.') + 1
			w.mask(m.src, off+sig, end-sig)
			from = end
		}
	}
}

func (w *worker) mask(src, off, n int) {
	s := &w.rec.Sources[src]
	s.Masked = append(s.Masked, record.Range{Off: uint32(off), Len: uint32(n)})
}
