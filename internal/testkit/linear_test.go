package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// profile reads a profile of n lines so many times.
func profile(t *testing.T, n, times int) {
	name := filepath.Join(t.TempDir(), "profile")
	if err := os.WriteFile(name, []byte("mode: count\n"+strings.Repeat("a.go:1.1,2.2 1 7\n", n)), 0o600); err != nil {
		t.Fatal(err)
	}
	for range times {
		if total, err := Blocks(name); err != nil || total != 7*n {
			t.Error(total, err)
		}
	}
}

func TestLinear(t *testing.T) {
	Linear(t, []Load{{"once", 1000, func(n int) { profile(t, n, 1) }}})
}

// TestQuadratic is what TestLinearFails runs.
func TestQuadratic(t *testing.T) {
	if os.Getenv("MCXDUMP_QUADRATIC") == "" {
		t.Skip("fails, as it should")
	}
	Linear(t, []Load{{"pairs", 100, func(n int) { profile(t, n, n) }}})
}

func TestLinearFails(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the test")
	}
	cmd := exec.Command("go", "test", "-run", "^TestQuadratic$", ".")
	cmd.Env = append(os.Environ(), "MCXDUMP_QUADRATIC=1")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "twice the input takes 3.9") {
		t.Errorf("%v: %s", err, out)
	}
}
