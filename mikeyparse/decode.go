package mikeyparse

import (
	"bytes"
	"errors"
	"fmt"
)

// Form is the way a message was written where it was found.
type Form uint8

// The forms Decode knows.
const (
	FormUnknown Form = iota
	FormRaw          // the octets themselves
	FormBase64       // base64 text
	FormMikey        // "mikey " and base64 text
	FormKeyMgmt      // an SDP line "a=key-mgmt:mikey " and base64 text (RFC 4567 3.1)
)

var formNames = []string{"unknown", "raw octets", "base64", "mikey + base64", "a=key-mgmt line"}

func (v Form) String() string { return enumName("Form", uint8(v), formNames) }

// ErrForm is the cause of an error of Decode that is about the text.
var ErrForm = errors.New("neither octets of a message nor base64 text")

// maxText leaves room for base64 and its line breaks.
const maxText = 2 * 64 << 10

// Decode finds the octets of a message in a body, an attribute or an element,
// which is recognised by its content: raw octets, or base64 text with or
// without "mikey", or a whole SDP attribute. Line breaks, white space, missing
// padding and the URL-safe alphabet are accepted. Raw octets are returned as
// they are, not copied. err is nil or an *Error.
func Decode(b []byte) (raw []byte, form Form, err error) {
	limit := Limits{}.withDefaults().Message
	if isRaw(b) {
		if len(b) > limit {
			return nil, FormRaw, limitError(limit, len(b))
		}
		return b, FormRaw, nil
	}
	if len(b) > maxText {
		return nil, FormUnknown, limitError(maxText, len(b))
	}
	text, form := bytes.TrimLeft(bytes.TrimPrefix(b, utf8BOM), " \t\r\n"), FormBase64
	for _, prefix := range keyMgmtPrefixes {
		if rest, ok := cutPrefixFold(text, prefix); ok {
			text, form = bytes.TrimLeft(rest, " \t"), FormKeyMgmt
			break
		}
	}
	if rest, ok := cutPrefixFold(text, "mikey"); ok && len(rest) > 0 && isSpace(rest[0]) {
		text = rest
		if form == FormBase64 {
			form = FormMikey
		}
	} else if form == FormKeyMgmt {
		return nil, form, &Error{Off: len(b) - len(text), Field: "key-mgmt", Spec: "RFC 4567 3.1",
			Err: fmt.Errorf("%w: the protocol is not mikey", ErrForm)}
	}
	raw, at, err := decodeBase64(text)
	if err == nil && len(raw) > limit {
		err = fmt.Errorf("%w: %d octets, at most %d", ErrLimit, len(raw), limit)
	}
	if err != nil {
		if len(raw) == 0 {
			form = FormUnknown
		}
		return nil, form, &Error{Off: len(b) - len(text) + at, Field: "base64", Spec: "RFC 4648 4", Err: err}
	}
	return raw, form, nil
}

var (
	utf8BOM         = []byte("\xef\xbb\xbf")
	keyMgmtPrefixes = []string{"a=key-mgmt:", "key-mgmt:"}
)

func limitError(limit, n int) error {
	return &Error{Off: limit, Field: "message", Spec: "RFC 3830 6", Err: fmt.Errorf("%w: %d octets, at most %d", ErrLimit, n, limit)}
}

// isRaw tells octets from text. A message starts with its version, 1, which no
// text does; a broken one has other octets that no text has.
func isRaw(b []byte) bool {
	if len(b) > 0 && b[0] == 1 {
		return true
	}
	for _, c := range bytes.TrimPrefix(b, utf8BOM) {
		if c < 0x20 && !isSpace(c) || c >= 0x7f {
			return true
		}
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func cutPrefixFold(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || !bytes.EqualFold(b[:len(prefix)], []byte(prefix)) {
		return b, false
	}
	return b[len(prefix):], true
}

// digits maps an octet to its base64 value in either alphabet, or to 64.
var digits = func() (t [256]uint8) {
	for i := range t {
		t[i] = 64
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = uint8(i)
	}
	t['-'], t['_'] = 62, 63
	return t
}()

// decodeBase64 returns the octets, or with an error those before the place at
// which it stopped.
func decodeBase64(text []byte) (raw []byte, at int, err error) {
	raw = make([]byte, 0, len(text)/4*3+3)
	var acc uint32
	count, padded := 0, false
	for i, c := range text {
		switch v := digits[c]; {
		case v < 64 && !padded:
			acc = acc<<6 | uint32(v)
			count++
			if count%4 == 0 {
				raw = append(raw, byte(acc>>16), byte(acc>>8), byte(acc))
			}
		case isSpace(c):
		case c == '=':
			if count%4 < 2 && !padded {
				return raw, i, fmt.Errorf("%w: padding after %d digits", ErrForm, count)
			}
			padded = true
		case v == 64:
			return raw, i, fmt.Errorf("%w: octet %02x", ErrForm, c)
		default:
			return raw, i, fmt.Errorf("%w: %q behind the padding", ErrForm, c)
		}
	}
	switch count % 4 {
	case 1:
		return raw, len(text), fmt.Errorf("%w: %d digits, one too many or some too few", ErrForm, count)
	case 2:
		raw = append(raw, byte(acc>>4))
	case 3:
		raw = append(raw, byte(acc>>10), byte(acc>>2))
	}
	if count == 0 {
		return raw, len(text), fmt.Errorf("%w: nothing there", ErrForm)
	}
	return raw, 0, nil
}
