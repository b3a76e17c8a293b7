package mikeyparse

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	msg := unhex(t, csk641)
	text := base64.StdEncoding.EncodeToString(msg) // ends in padding
	wrapped := ""
	for i := 0; i < len(text); i += 76 {
		wrapped += text[i:min(i+76, len(text))] + "\r\n"
	}
	if !strings.HasSuffix(text, "=") {
		t.Fatal("the specimen has no padding")
	}
	for _, c := range []struct {
		name, in string
		form     Form
	}{
		{"raw", string(msg), FormRaw},
		{"base64", text, FormBase64},
		{"wrapped", wrapped, FormBase64},
		{"no padding", strings.TrimRight(text, "="), FormBase64},
		{"URL alphabet", base64.RawURLEncoding.EncodeToString(msg), FormBase64},
		{"byte order mark", "\xef\xbb\xbf" + text, FormBase64},
		{"mikey", "mikey " + text, FormMikey},
		{"mikey, wrapped", " \r\nMIKEY\t" + wrapped, FormMikey},
		{"attribute", "a=key-mgmt:mikey " + text, FormKeyMgmt},
		{"attribute with a space", "a=key-mgmt: mikey " + text + "\r\n", FormKeyMgmt},
		{"attribute value", "key-mgmt:mikey " + text, FormKeyMgmt},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, form, err := Decode([]byte(c.in))
			if err != nil || form != c.form || !bytes.Equal(raw, msg) {
				t.Errorf("%s, %v, %x", form, err, raw)
			}
		})
	}
	for _, c := range []struct {
		name, in string
		off      int
		cause    error
	}{
		{"empty", "", 0, ErrForm},
		{"blank", " \r\n", 3, ErrForm},
		{"XML", "<a/>", 0, ErrForm},
		{"mikey alone", "mikey ", 6, ErrForm},
		{"other protocol", "a=key-mgmt:keyp1 AAAA", 11, ErrForm},
		{"attribute alone", "a=key-mgmt:", 11, ErrForm},
		{"digit behind padding", "ARo=A", 4, ErrForm},
		{"padding too early", "A===", 1, ErrForm},
		{"one digit too many", "ARoFA", 5, ErrForm},
		{"octet in between", "mikey ARo!", 9, ErrForm},
		{"too long", "\x01" + strings.Repeat("x", 64<<10), 64 << 10, ErrLimit},
		{"text too long", strings.Repeat("A", 128<<10+1), 128 << 10, ErrLimit},
		{"text too long for a message", strings.Repeat("AAAA", 30<<10), 0, ErrLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, _, err := Decode([]byte(c.in))
			e, ok := errors.AsType[*Error](err)
			if !ok || raw != nil || e.Off != c.off || !errors.Is(err, c.cause) {
				t.Errorf("%d octets, %v", len(raw), err)
			}
		})
	}
	// A message of another version is raw too.
	if _, form, err := Decode([]byte{2, 26, 5, 1}); form != FormRaw || err != nil {
		t.Errorf("version 2: %s, %v", form, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("a=key-mgmt: mikey ARoFASq8 3vAB\r\n"))
	f.Add([]byte("ARo="))
	f.Add([]byte("\x01\x1a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, form, err := Decode(b)
		if err != nil {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Off < 0 || e.Off > len(b) || raw != nil {
				t.Fatalf("%v with %d octets", err, len(raw))
			}
			return
		}
		if form == FormRaw {
			if !bytes.Equal(raw, b) {
				t.Fatal("raw octets changed")
			}
			return
		}
		// What was decoded decodes the same from its plain form.
		again, form, err := Decode([]byte("mikey " + base64.StdEncoding.EncodeToString(raw)))
		if err != nil || form != FormMikey || !bytes.Equal(again, raw) {
			t.Fatalf("%x, then %x (%s, %v)", raw, again, form, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	text := []byte("mikey " + base64.StdEncoding.EncodeToString(unhex(b, csk641)))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}
