package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/internal/lab"
)

// tlsTalks are the connections of testdata/pcaps/tls.pcapng.
func tlsTalks(t *testing.T) []lab.TLSTalk {
	t.Helper()
	b, err := os.ReadFile("../../internal/lab/tls_talks.txt")
	if err != nil {
		t.Fatal(err)
	}
	talks, err := lab.ParseTLSTalks(b)
	if err != nil {
		t.Fatal(err)
	}
	return talks
}

// TestTLSKeyFile: the same capture with its secrets in it, with a key log beside it, and without.
func TestTLSKeyFile(t *testing.T) {
	talks := tlsTalks(t)
	dir := t.TempDir()
	write := func(name string, known int) string {
		var b bytes.Buffer
		if err := lab.WriteTLS(&b, talks, known, 700); err != nil {
			t.Fatal(err)
		}
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	with, without, keys := write("a.pcapng", 1), write("b.pcapng", 0), filepath.Join(dir, "keys.log")
	if err := os.WriteFile(keys, talks[0].Keys, 0o600); err != nil {
		t.Fatal(err)
	}
	want, _, code := call(t, nil, "read", "--json", with)
	want = strings.ReplaceAll(want, "a.pcapng", "b.pcapng")
	if code != exitOK || strings.Count(want, `"transport":"tls"`) != 4 || !strings.Contains(want, `"tls_decrypted":1`) {
		t.Fatalf("%d: %s", code, want)
	}
	for _, more := range [][]string{nil, {"--one-pass"}, {"--workers", "3"}} {
		got, errs, code := call(t, nil, append([]string{"read", "--json", without, "--keys", keys}, more...)...)
		if code != exitOK || got != want {
			t.Errorf("%v: %d %s\n%s", more, code, errs, firstDifference(got, want))
		}
	}
	got, _, _ := call(t, nil, "read", "--json", without)
	if strings.Contains(got, `"record":"message"`) || strings.Count(got, `"id":"tls-no-key"`) != 2 || !strings.Contains(got, `"id":"tls-alert"`) {
		t.Errorf("without keys: %s", got)
	}
	for _, secret := range strings.Fields(string(talks[0].Keys)) {
		if len(secret) >= 64 && strings.Contains(want, secret) {
			t.Error("a secret, or the random that names it, is printed")
		}
	}
}

// TestTLSGrows: frames come through a pipe, and the key log is written only after the first of them.
func TestTLSGrows(t *testing.T) {
	talks := tlsTalks(t)[:1]
	var b bytes.Buffer
	if err := lab.WriteTLS(&b, talks, 0, 700); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys.log")
	if err := os.WriteFile(keys, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	late := &lateReader{b: b.Bytes(), at: b.Len() / 2, do: func() {
		if err := os.WriteFile(keys, talks[0].Keys, 0o600); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Millisecond) // files are not looked at for each record
	}}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"read", "--json", "-", "--keys", keys}, late, &out, &errs); code != exitOK || strings.Count(out.String(), `"record":"message"`) != 2 {
		t.Errorf("%d: %s%s", code, errs.String(), out.String())
	}
}

// lateReader gives octets in small pieces and does something before the octet at an offset.
type lateReader struct {
	b   []byte
	off int
	at  int
	do  func()
}

func (r *lateReader) Read(p []byte) (int, error) {
	if r.off == len(r.b) {
		return 0, io.EOF
	}
	if r.off >= r.at && r.do != nil {
		r.do()
		r.do = nil
	}
	n := copy(p[:min(len(p), 256)], r.b[r.off:])
	r.off += n
	return n, nil
}
