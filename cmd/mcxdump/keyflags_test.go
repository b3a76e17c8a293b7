package main

import (
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
