package xmlsec

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Key is a candidate key: octets that cannot be printed, and a label which says
// to the user what it is.
type Key struct {
	Label  string
	octets func() []byte // a function, so that no formatting reaches the octets
}

// NewKey returns a key over a copy of the octets.
func NewKey(label string, octets []byte) Key {
	b := append([]byte(nil), octets...)
	return Key{label, func() []byte { return b }}
}

// KeyFrom returns a key whose octets are asked for when they are needed, so that
// a store can hand out its secrets without copying them.
func KeyFrom(label string, reveal func() []byte) Key { return Key{label, reveal} }

func (k Key) reveal() []byte {
	if k.octets == nil {
		return nil
	}
	return k.octets()
}

// String returns the label and the length of the key.
func (k Key) String() string {
	return fmt.Sprintf("%s [%d octets withheld]", k.Label, len(k.reveal()))
}

// Format makes every verb print what String returns.
func (k Key) Format(s fmt.State, _ rune) { fmt.Fprint(s, k.String()) }

// MarshalText returns what String returns.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue returns what String returns.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// KeyQuery says which keys are wanted.
type KeyQuery struct {
	Name      string // KeyName as written, white space trimmed; empty when there is none
	ID        string // the key identifier in it as 8 hex digits, or empty
	Algorithm string // algorithm identifier of the cipher, key wrap or signature; empty when not stated
}

// KeyFunc returns the candidates for a query in the order in which they are to be
// tried. The name on the wire is a hint: the function decides whether it also
// returns keys of other names, and for an empty name it returns all it has.
type KeyFunc func(KeyQuery) []Key

// Keys returns a KeyFunc which always answers with the same keys.
func Keys(keys ...Key) KeyFunc { return func(KeyQuery) []Key { return keys } }

func (f KeyFunc) ask(name, algorithm string) []Key {
	if f == nil {
		return nil
	}
	id, _ := KeyIDFromName(name)
	return f(KeyQuery{name, id, algorithm})
}

// DefaultWork bounds the octets that one call encrypts, decrypts, hashes or
// canonicalises over all candidates and variants.
const DefaultWork = 256 << 20

// ErrWork means that the candidates and variants together cost more than the
// budget, so that some were not tried.
var ErrWork = fmt.Errorf("%w: work budget", ErrLimit)

type budget int

func (b *budget) spend(n int) bool {
	*b -= budget(n + 64) // even an empty input costs something
	return *b >= 0
}

// KeyIDFromName returns, as 8 lower-case hex digits, the key identifier that a
// KeyName or key-id carries as the base64 of its 4 octets (TS 36.579-1 5.5.13).
// Padding may be missing and the alphabet may be that of URLs; 8 hex digits,
// which some stacks write instead, are taken too.
func KeyIDFromName(name string) (id string, ok bool) {
	name = strings.TrimSpace(name)
	if len(name) > 16 {
		return "", false
	}
	if b, err := decodeBase64(name); err == nil && len(b) == 4 {
		return hex.EncodeToString(b), true
	}
	if len(name) == 8 {
		if _, err := hex.DecodeString(name); err == nil {
			return strings.ToLower(name), true
		}
	}
	return "", false
}

// KeyNameFromID returns the KeyName of a key identifier of 8 hex digits.
func KeyNameFromID(id string) (string, error) {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 4 {
		return "", errors.New("xmlsec: a key identifier is 8 hex digits")
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// ErrMalformed means that a protected element or URI does not have its form.
type ErrMalformed struct{ What string }

func (e ErrMalformed) Error() string { return "xmlsec: malformed: " + e.What }

// ErrUnsupportedAlgorithm reports an algorithm URI outside those this package opens and verifies.
type ErrUnsupportedAlgorithm struct{ URI string }

func (e ErrUnsupportedAlgorithm) Error() string {
	return fmt.Sprintf("xmlsec: unsupported algorithm %q", clip(e.URI))
}

// Outcomes of trying keys.
var (
	ErrTag   = errors.New("xmlsec: no candidate key opens it")
	ErrNoKey = errors.New("xmlsec: no key")
)

// clip shortens what is quoted in an error.
func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}

// decodeBase64 is liberal: white space anywhere, either alphabet, padding
// optional. It is linear and allocates the result and one buffer.
func decodeBase64(s string) ([]byte, error) {
	buf := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case isSpace(c):
		case c == '-':
			buf = append(buf, '+')
		case c == '_':
			buf = append(buf, '/')
		default:
			buf = append(buf, c)
		}
	}
	n := len(buf)
	for n > 0 && len(buf)-n < 2 && buf[n-1] == '=' {
		n--
	}
	buf = buf[:n]
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(buf)))
	n, err := base64.RawStdEncoding.Decode(out, buf)
	if err != nil {
		return nil, ErrMalformed{"not base64"}
	}
	return out[:n], nil
}

// decodeHex takes hex digits with white space anywhere.
func decodeHex(s string) ([]byte, error) {
	out := make([]byte, 0, len(s)/2)
	high := -1
	for i := range len(s) {
		if isSpace(s[i]) {
			continue
		}
		d := hexDigit(s[i])
		if d < 0 {
			return nil, ErrMalformed{"not hex"}
		}
		if high < 0 {
			high = d
			continue
		}
		out = append(out, byte(high<<4|d))
		high = -1
	}
	if high >= 0 {
		return nil, ErrMalformed{"odd number of hex digits"}
	}
	return out, nil
}
