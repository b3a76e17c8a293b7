package sipparse

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"testing"
)

func FuzzTransfer(f *testing.F) {
	f.Add([]byte("Hello\x00\xff"))
	f.Add([]byte("a b \r\nc=\td\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if got, bad := decodeBase64([]byte(base64.StdEncoding.EncodeToString(in))); !bytes.Equal(got, in) || bad >= 0 {
			t.Fatalf("base64 of %q gives %q (%d)", in, got, bad)
		}
		if got, bad := decodeBase64([]byte(base64.RawStdEncoding.EncodeToString(in))); !bytes.Equal(got, in) || bad >= 0 {
			t.Fatalf("unpadded base64 of %q gives %q (%d)", in, got, bad)
		}
		var enc bytes.Buffer
		w := quotedprintable.NewWriter(&enc)
		w.Binary = true
		w.Write(in)
		w.Close()
		if got, bad := decodeQP(enc.Bytes()); !bytes.Equal(got, in) || bad >= 0 {
			t.Fatalf("quoted-printable %q of %q gives %q (%d)", enc.Bytes(), in, got, bad)
		}
		// On other input: no panic, and where the standard library reads it, the same.
		if want, err := base64.StdEncoding.DecodeString(string(in)); err == nil {
			if got, bad := decodeBase64(in); !bytes.Equal(got, want) || bad >= 0 {
				t.Fatalf("base64 %q is %q, want %q", in, got, want)
			}
		}
		got, bad := decodeQP(in)
		if len(got) > len(in) || bad >= len(in) {
			t.Fatalf("quoted-printable %q is %q (%d)", in, got, bad)
		}
		if out, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(in))); err == nil && bad < 0 && bytes.IndexByte(in, '\r') < 0 && bytes.IndexByte(in, '=') < 0 && bytes.IndexByte(in, '\n') < 0 && bytes.IndexByte(in, ' ') < 0 && bytes.IndexByte(in, '\t') < 0 && !bytes.Equal(out, got) {
			t.Fatalf("quoted-printable %q is %q, want %q", in, got, out)
		}
	})
}
