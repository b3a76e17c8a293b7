package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// waiting is an input of which the rest is long in coming.
func waiting(t *testing.T, b []byte) io.Reader {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(); r.Close() })
	go w.Write(b)
	return r
}

// TestReadInterrupted: what was read is printed, the file that is written is whole, and the summary comes.
func TestReadInterrupted(t *testing.T) {
	whole, err := os.ReadFile("../../testdata/pcaps/publish-clear.pcap")
	if err != nil {
		t.Fatal(err)
	}
	all, _, _ := call(t, nil, "read", "../../testdata/pcaps/publish-clear.pcap")
	want := strings.Count(all, "PUBLISH")
	for _, cut := range []int{len(whole), len(whole) - 7} { // between two packets, and within one
		path := filepath.Join(t.TempDir(), "x.pcapng")
		ctx, cancel := context.WithCancel(context.Background())
		var out, errs buffer
		var work sync.WaitGroup
		work.Go(func() {
			until(func() bool { return strings.Count(out.String(), "PUBLISH") > 0 })
			cancel()
		})
		code := run(ctx, []string{"read", "-", "-w", path, "--json"}, waiting(t, whole[:cut]), &out, &errs)
		work.Wait()
		if code != exitOK || !strings.Contains(out.String(), `"record":"summary"`) || strings.Contains(out.String(), "faults") {
			t.Errorf("code %d: %s\n%.3000s", code, errs.String(), out.String())
		}
		if !strings.Contains(errs.String(), "interrupted after ") {
			t.Errorf("nothing is said: %s", errs.String())
		}
		got, e, code := call(t, nil, "read", path)
		if n := strings.Count(got, "PUBLISH"); code != exitOK || n == 0 || n > want {
			t.Errorf("the file that was written: code %d, %d of %d messages: %s", code, n, want, e)
		}
	}
}

// TestInterruptedEarly: nothing came, not even a header.
func TestInterruptedEarly(t *testing.T) {
	for args, want := range map[string]int{"read -": exitOK, "read --json -": exitOK, "check -": exitFailed, "sessions -": exitFailed} {
		for _, head := range []string{"", "\n", "\xd4\xc3\xb2\xa1", "\x1f\x8b\x08\x00", "\n{\"schema\""} {
			ctx, cancel := context.WithCancel(context.Background())
			in := &asked{r: waiting(t, []byte(head)), more: len(head), all: cancel}
			var out, errs buffer
			if code := run(ctx, strings.Fields(args), in, &out, &errs); code != want {
				t.Errorf("%s with %q: code %d, want %d: %s", args, head, code, want, errs.String())
			}
			cancel()
		}
	}
}

// asked calls all when more was read than there is.
type asked struct {
	r    io.Reader
	more int
	all  func()
}

func (a *asked) Read(b []byte) (int, error) {
	if a.more <= 0 {
		a.all()
	}
	n, err := a.r.Read(b)
	a.more -= n
	return n, err
}
