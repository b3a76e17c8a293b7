package lab

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/pcaps")

const dir = "../../testdata/pcaps"

// TestCaptures holds the captures in the repository to what the lab writes today, octet for octet.
func TestCaptures(t *testing.T) {
	files := map[string][]byte{"README.md": []byte(README())}
	keys, err := WorldKeys()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range keys {
		files[name] = b
	}
	files["ims-esp.mcxkeys"] = IMSKeys()
	for _, c := range Captures() {
		var b bytes.Buffer
		if err := c.Write(&b); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if files[c.Name] != nil {
			t.Fatalf("%s is listed twice", c.Name)
		}
		files[c.Name] = b.Bytes()
		var again bytes.Buffer
		if err := c.Write(&again); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Errorf("%s differs when written twice (%v)", c.Name, err)
		}
	}
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%v (run with -update)", err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from what the lab writes (run with -update)", name)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()] == nil && e.Name() != "known-answer.mcxkeys" {
			t.Errorf("%s is in testdata/pcaps but the lab does not write it", e.Name())
		}
	}
}
