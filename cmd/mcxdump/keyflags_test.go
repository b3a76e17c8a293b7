package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestShowsKeys: how far a file is searched for keys, also where the words lie across the pieces that are read.
func TestShowsKeys(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	for _, x := range []struct {
		word string
		at   int64
		want bool
	}{
		{"KmsResponse", 0, true}, {"KmsResponse", 1<<20 - 4, true}, {"KmsResponse", sniffKMS - 20, true}, {"KmsResponse", sniffKMS + 1, false},
		{"CLIENT_RANDOM ", sniffTLS - 20, true}, {"CLIENT_RANDOM ", sniffTLS + 1, false}, {"CLIENT_TRAFFIC_SECRET_0 ", 5, true}, {"KmsReply", 0, false},
	} {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteAt([]byte(x.word), x.at) // the rest is a hole
		f.Close()
		if got := showsKeys(name); got != x.want {
			t.Errorf("%s at %d: %v", x.word, x.at, got)
		}
	}
}

// Names of keys are found wherever they begin in what is looked at: at the seams between two readings, in either half and at the end.
func TestShowsKeysSeams(t *testing.T) {
	const size = 5<<20 + 77
	kms, tls := "<KmsResponse", "CLIENT_RANDOM "
	for _, c := range []struct {
		text string
		at   int
		want bool
	}{
		{kms, 0, true}, {kms, 128<<10 - 5, true}, {kms, 128<<10 + 60, true}, {kms, size/2 - 6, true}, {kms, size / 2, true}, {kms, size/2 + 128<<10 - 3, true},
		{kms, size - len(kms), true}, {tls, 300, true}, {tls, sniffTLS - 14, true}, {tls, sniffTLS - 7, false}, {tls, 2 << 20, false}, {tls, size - 100, false}, {"KmsRespons.", 4000, false},
	} {
		b := bytes.Repeat([]byte("Km"), size/2+1)[:size]
		copy(b[c.at:], c.text)
		name := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := showsKeys(name); got != c.want {
			t.Errorf("%q at %d: %v", c.text, c.at, got)
		}
	}
	for _, name := range []string{t.TempDir(), "/nonexistent"} {
		if showsKeys(name) {
			t.Error(name)
		}
	}
}
