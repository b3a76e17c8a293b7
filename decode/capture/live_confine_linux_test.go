package capture

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestConfine runs TestConfined in a process of its own, built without cgo as the program is.
func TestConfine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a test binary")
	}
	cmd := exec.Command("go", "test", "-run", "^TestConfined$", "-count", "1", "-v", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "MCXDUMP_CONFINED="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestConfined") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestConfined gives its rights up and tries what it must not.
func TestConfined(t *testing.T) {
	dir := os.Getenv("MCXDUMP_CONFINED")
	if dir == "" {
		t.Skip("run by TestConfine")
	}
	var ports [2]int
	for k := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[k] = l.Addr().(*net.TCPAddr).Port
	}
	c, err := Confine(Needs{Dirs: []string{dir}, Connect: uint16(ports[0])})
	if err != nil {
		t.Fatalf("%v: %v", c, err)
	}
	t.Log(c)
	if !c.NoNewPrivs || !c.Capabilities {
		t.Error(c)
	}
	if c.Seccomp > 0 {
		attempts := map[string]func() error{
			"execve":       func() error { return unix.Exec("/bin/true", []string{"true"}, nil) },
			"ptrace":       func() error { return unix.PtraceAttach(os.Getppid()) },
			"unshare":      func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
			"mount":        func() error { return unix.Mount("none", dir, "tmpfs", 0, "") },
			"chmod":        func() error { return unix.Chmod(dir, 0o777) },
			"memfd_create": func() error { _, err := unix.MemfdCreate("x", 0); return err },
			"keyctl":       func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false); return err },
		}
		for name, f := range attempts {
			if err := f(); !errors.Is(err, unix.EPERM) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte("x"), 0o600); err != nil {
		t.Error(err)
	}
	connect := func(port int) error { // by hand: net looks files up
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		return syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	if c.Landlock > 0 {
		if _, err := os.ReadFile("/etc/passwd"); !errors.Is(err, os.ErrPermission) {
			t.Errorf("/etc/passwd: %v", err)
		}
		if err := os.WriteFile("/tmp/mcxdump-must-not", nil, 0o600); !errors.Is(err, os.ErrPermission) {
			t.Errorf("a file elsewhere: %v", err)
		}
	}
	if c.Landlock >= 4 {
		if err := connect(ports[1]); !errors.Is(err, os.ErrPermission) {
			t.Errorf("connecting elsewhere: %v", err)
		}
	}
	if err := connect(ports[0]); err != nil {
		t.Errorf("connecting where it is needed: %v", err)
	}
}
