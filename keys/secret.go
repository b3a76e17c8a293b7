package keys

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// A Secret is key octets that cannot be printed by accident: no verb of fmt, no encoder and no logger shows them, not
// even where the Secret is an unexported field. The zero Secret is empty.
//
// The octets sit behind a function because fmt prints unexported byte slices without asking any method.
type Secret struct{ octets func() []byte }

// NewSecret copies octets into a Secret.
func NewSecret(b []byte) Secret {
	own := append([]byte(nil), b...)
	return Secret{func() []byte { return own }}
}

// Reveal returns the octets themselves. It is named so that its uses can be found.
func (s Secret) Reveal() []byte {
	if s.octets == nil {
		return nil
	}
	return s.octets()
}

// Len is the number of octets.
func (s Secret) Len() int { return len(s.Reveal()) }

// Equal compares in constant time.
func (s Secret) Equal(o Secret) bool { return subtle.ConstantTimeCompare(s.Reveal(), o.Reveal()) == 1 }

// Zero overwrites the octets, in every copy of the Secret.
func (s Secret) Zero() { clear(s.Reveal()) }

// Fingerprint is a short SHA-256 that tells two keys apart without giving either away. Do not use it for secrets that
// could be guessed.
func (s Secret) Fingerprint() string {
	sum := sha256.Sum256(s.Reveal())
	return hex.EncodeToString(sum[:4])
}

func (s Secret) withheld() string { return "[" + strconv.Itoa(s.Len()) + " octets withheld]" }

// String, GoString, Format, MarshalText, MarshalJSON and LogValue all say how long the secret is and nothing else.
func (s Secret) String() string { return s.withheld() }

// GoString is for %#v.
func (s Secret) GoString() string { return s.withheld() }

// Format is for every other verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.withheld()) }

// MarshalText is for encoders of text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.withheld()), nil }

// MarshalJSON is for encoding/json.
func (s Secret) MarshalJSON() ([]byte, error) { return strconv.AppendQuote(nil, s.withheld()), nil }

// LogValue is for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.withheld()) }
