package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A Load is work of a size, by name.
type Load struct {
	Name string
	Size int
	Do   func(n int)
}

// Linear fails when twice the size takes much more than twice the work, for any of the loads. Work is how often the basic
// blocks of this module run, which coverage counters tell without a clock: the test is built once more with counters, and
// runs itself for one load and size at a time. Octets that are searched, compared or copied by the standard library count
// nothing: whoever fears for them looks at what is handed to it. In short mode each load is run once, at its size.
func Linear(t *testing.T, loads []Load) {
	t.Helper()
	const env = "MCXDUMP_LOAD"
	if name, n, ok := strings.Cut(os.Getenv(env), "\x01"); ok {
		size, _ := strconv.Atoi(n)
		for _, l := range loads {
			if l.Name == name && size > 0 {
				l.Do(size)
			}
		}
		return
	}
	if testing.Short() {
		for _, l := range loads {
			l.Do(l.Size)
		}
		return
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "work.test")
	if out, err := exec.Command("go", "test", "-c", "-cover", "-covermode=count", "-coverpkg=github.com/mcxdump/mcxdump/...", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	work := func(name string, size int) int {
		profile := filepath.Join(dir, "profile")
		cmd := exec.Command(bin, "-test.run", "^"+t.Name()+"$", "-test.coverprofile", profile)
		cmd.Env = append(os.Environ(), env+"="+name+"\x01"+strconv.Itoa(size))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s, %d: %v\n%s", name, size, err, out)
		}
		total, err := Blocks(profile)
		if err != nil {
			t.Fatal(err)
		}
		return total
	}
	none := work("", 0)
	for _, l := range loads {
		once, twice := work(l.Name, l.Size), work(l.Name, 2*l.Size)
		Grows(t, l.Name, none, once, twice)
	}
}

// Grows fails when the work of twice the input is much more than twice that of once, each beyond the work of none; or when
// there is too little of it to tell.
func Grows(t *testing.T, name string, none, once, twice int) {
	t.Helper()
	ratio := float64(twice-none) / float64(max(once-none, 1))
	t.Logf("%s: %d and %d blocks, %.2f", name, once-none, twice-none, ratio)
	switch {
	case once-none < 200:
		t.Errorf("%s: only %d blocks ran", name, once-none)
	case ratio > 2.4:
		t.Errorf("%s: twice the input takes %.2f times the work", name, ratio)
	}
}

// Blocks adds the counts of a coverage profile.
func Blocks(profile string) (total int, err error) {
	raw, err := os.ReadFile(profile)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "mode:") {
			if line != "mode: count" {
				return 0, errors.New(line)
			}
			continue
		}
		n, err := strconv.Atoi(line[strings.LastIndexByte(line, ' ')+1:])
		if err != nil {
			return 0, fmt.Errorf("%q: %w", line, err)
		}
		total += n
	}
	return total, nil
}
