package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared reads a file of the shared test data, which lies beside the repository or where MCXDUMP_SHARED says. It is not
// part of the repository: the test is skipped without it, except where CI=true.
func Shared(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("MCXDUMP_SHARED")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return b
}

// root is the folder of go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = up
	}
}
