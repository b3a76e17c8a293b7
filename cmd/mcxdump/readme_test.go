package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestReadme runs every sh block of README.md as it stands, from the top of the repository, but for the test command,
// which is running.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program several times")
	}
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := shBlocks(string(b))
	if len(blocks) < 5 {
		t.Fatalf("README.md has %d sh blocks", len(blocks))
	}
	for _, block := range blocks {
		if strings.HasPrefix(block, "go test ") {
			continue
		}
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", block)
		if strings.Contains(block, "jq ") {
			if _, err := exec.LookPath("jq"); err != nil {
				continue
			}
		}
		cmd.Dir = "../.."
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s\n%v: %s", block, err, errs.String())
		}
		if len(out) == 0 {
			t.Errorf("%s\nprints nothing", block)
		}
	}
}

func shBlocks(s string) []string {
	var out []string
	for {
		_, rest, ok := strings.Cut(s, "```sh\n")
		if !ok {
			return out
		}
		block, after, _ := strings.Cut(rest, "```")
		out = append(out, strings.TrimSpace(block))
		s = after
	}
}
