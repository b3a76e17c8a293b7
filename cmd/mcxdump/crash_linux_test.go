package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// built is the program as it is shipped.
func built(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "mcxdump")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// TestLiveCrash: SIGKILL leaves a file that is readable up to its last second; a full disk ends the writing and nothing else.
func TestLiveCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	bin := built(t)
	loopbackOnly(t)
	send := talk(t)
	const sent = 200

	// No subtests: they run in other threads, and so in another namespace.
	func() {
		path := filepath.Join(t.TempDir(), "x.pcapng")
		var out, errs buffer
		cmd := exec.Command(bin, "live", "-i", "lo", "-f", "udp", "-w", path)
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		until(func() bool { _, err := os.Stat(path); return err == nil })
		for k := range sent {
			send(options(k))
		}
		until(func() bool { return strings.Count(out.String(), "OPTIONS") == sent })
		time.Sleep(1500 * time.Millisecond) // frames may wait a second
		for k := range sent {
			send(options(sent + k))
		}
		until(func() bool { return strings.Count(out.String(), "OPTIONS") == 2*sent })
		cmd.Process.Kill()
		cmd.Wait()
		got, e, code := call(t, nil, "read", path)
		if n := strings.Count(got, "OPTIONS"); n < sent || n > 2*sent || code > exitFailed {
			t.Errorf("%d messages of %d, code %d: %s", n, 2*sent, code, e)
		}
	}()

	func() {
		dir := t.TempDir()
		if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
			t.Skip(err)
		}
		defer syscall.Unmount(dir, syscall.MNT_DETACH)
		path := filepath.Join(dir, "x.pcapng")
		var out, errs buffer
		cmd := exec.Command(bin, "live", "-i", "lo", "-f", "udp", "-w", path, "--json")
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Process.Kill()
		until(func() bool { _, err := os.Stat(path); return err == nil })
		const many = 1000
		for k := range many {
			send(options(k))
			if k%50 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		until(func() bool { return strings.Count(out.String(), `"record":"message"`) == many })
		for k := 0; !strings.Contains(out.String(), "write-failed"); k++ { // told with a frame
			send(options(many + k))
			time.Sleep(5 * time.Millisecond)
		}
		cmd.Process.Signal(syscall.SIGTERM)
		err := cmd.Wait()
		if ee, ok := err.(*exec.ExitError); !ok || ee.ExitCode() != exitFailed {
			t.Errorf("ended with %v", err)
		}
		if !strings.Contains(out.String(), `"record":"summary"`) || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("summary or reason is missing: %s", errs.String())
		}
		got, e, code := call(t, nil, "read", path)
		if n := strings.Count(got, "OPTIONS"); code != exitOK || n == 0 || n >= many {
			t.Errorf("the file: %d messages, code %d: %s", n, code, e)
		}
		if st, err := os.Stat(path); err != nil || st.Size() > 64<<10 {
			t.Error(fmt.Sprint(st, err))
		}
	}()
}
