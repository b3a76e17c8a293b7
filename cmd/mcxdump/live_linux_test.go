package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// until waits for a condition; the deadline of the test binary ends it if it never holds.
func until(f func() bool) {
	for !f() {
		time.Sleep(time.Millisecond)
	}
}

// loopbackOnly moves the test to a network namespace with nothing but a loopback.
func loopbackOnly(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace: %v", err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Skipf("ip link set lo up: %v: %s", err, out)
	}
}

// talk gives a function that sends a datagram to the loopback of the namespace at hand, and a socket that takes it.
func talk(t *testing.T) func(text string) {
	t.Helper()
	var fds [2]int
	for k := range fds {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(fd) })
		fds[k] = fd
	}
	to := &syscall.SockaddrInet4{Port: 5060, Addr: [4]byte{127, 0, 0, 1}}
	if err := syscall.Bind(fds[1], to); err != nil {
		t.Fatal(err)
	}
	return func(text string) { syscall.Sendto(fds[0], []byte(text), 0, to) }
}

func options(n int) string {
	return fmt.Sprintf("OPTIONS sip:b@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.org>;tag=1\r\nTo: <sip:b@example.org>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", n, n)
}

// TestLiveRun captures what the test sends, answers signals, and ends with the summary.
func TestLiveRun(t *testing.T) {
	loopbackOnly(t)
	send := talk(t)
	path := filepath.Join(t.TempDir(), "x.pcapng")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out, errs buffer
	var work sync.WaitGroup
	work.Go(func() {
		defer cancel()
		until(func() bool { _, err := os.Stat(path); return err == nil })
		for k := range 10 {
			send(options(k))
			send("\x80 this is media")
		}
		until(func() bool { return strings.Count(out.String(), `"record":"message"`) == 10 }) // without any further frame
		syscall.Kill(os.Getpid(), syscall.SIGUSR1)
		until(func() bool { return strings.Contains(errs.String(), "lo: 20 received, 0 lost") })
		if err := os.Rename(path, path+".1"); err != nil {
			t.Error(err)
		}
		syscall.Kill(os.Getpid(), syscall.SIGHUP)
		until(func() bool { _, err := os.Stat(path); return err == nil })
		send(options(10))
	})
	code := run(ctx, []string{"live", "-i", "lo", "-f", "udp port 5060", "--json", "-w", path, "--keep-rights"}, nil, &out, &errs)
	work.Wait()
	if code != exitOK {
		t.Errorf("code %d: %s", code, errs.String())
	}
	if !strings.Contains(errs.String(), "loses all fragments") || !strings.Contains(errs.String(), "-f 'ip[6:2] & 0x1fff != 0 or ip6[6] = 44 or (udp port 5060)'") {
		t.Errorf("no warning about fragments: %s", errs.String())
	}
	if !strings.Contains(errs.String(), "21 frames") && !strings.Contains(errs.String(), "20 frames, 10 messages") {
		t.Errorf("statistics: %s", errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var last struct {
		Record    string
		Interface string
		Summary   struct{ Frames, Messages, Drops int }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Record != "summary" || last.Summary.Frames != 21 || last.Summary.Messages != 11 || last.Summary.Drops != 0 {
		t.Errorf("%v %+v", err, last)
	}
	if err := json.Unmarshal([]byte(lines[0]), &last); err != nil || last.Interface != "lo" {
		t.Errorf("%v %+v", err, last)
	}
	for name, want := range map[string]int{path + ".1": 10, path: 1} {
		got, _, code := call(t, nil, "read", name)
		if code != exitOK || strings.Count(got, "OPTIONS") != want {
			t.Errorf("%s: %d messages, want %d", name, strings.Count(got, "OPTIONS"), want)
		}
		if _, err := exec.LookPath("tshark"); err == nil {
			b, err := exec.Command("tshark", "-r", name, "-Y", "sip.Method", "-T", "fields", "-e", "sip.Method", "-e", "frame.interface_name").Output()
			if err != nil || strings.Count(string(b), "OPTIONS\tlo") != want {
				t.Errorf("tshark on %s: %v %q", name, err, b)
			}
		}
	}
}

// TestLiveCount stops after so many frames, also those of a ring that was handed over as a whole.
func TestLiveCount(t *testing.T) {
	loopbackOnly(t)
	send := talk(t)
	path := filepath.Join(t.TempDir(), "x.pcapng")
	var out, errs buffer
	var work sync.WaitGroup
	work.Go(func() {
		until(func() bool { _, err := os.Stat(path); return err == nil })
		for k := range 10 {
			send(options(k))
		}
	})
	code := run(context.Background(), []string{"live", "-i", "lo", "-f", "udp", "-c", "5", "-w", path, "--keep-rights"}, nil, &out, &errs)
	work.Wait()
	if n := strings.Count(out.String(), "OPTIONS"); code != exitOK || n != 5 {
		t.Errorf("code %d, %d messages: %s", code, n, errs.String())
	}
}

// TestLiveStuck: nobody reads the output. The capture goes on, what is left out is counted and told, the file has all.
func TestLiveStuck(t *testing.T) {
	loopbackOnly(t)
	send := talk(t)
	path := filepath.Join(t.TempDir(), "x.pcapng")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, w := io.Pipe()
	const sent = 3000
	var errs buffer
	var work sync.WaitGroup
	lines := 0
	told := false
	work.Go(func() {
		until(func() bool { _, err := os.Stat(path); return err == nil })
		for k := range sent {
			send(options(k))
			if k%100 == 0 {
				time.Sleep(time.Millisecond) // the ring is not what is tested
			}
		}
		frames := 0
		until(func() bool { // all are in the file, though nobody reads
			syscall.Kill(os.Getpid(), syscall.SIGUSR1)
			time.Sleep(20 * time.Millisecond)
			s := errs.String()
			fmt.Sscanf(s[strings.LastIndex(s, "file 1, ")+len("file 1, "):], "%d frames", &frames)
			return frames == sent
		})
		cancel()
		for sc := bufio.NewScanner(r); sc.Scan(); {
			lines++
			told = told || strings.Contains(sc.Text(), "output-slow")
		}
	})
	code := run(ctx, []string{"live", "-i", "lo", "-f", "udp", "-w", path, "--keep-rights"}, nil, w, &errs)
	w.Close()
	work.Wait()
	if code != exitOK || !told || lines >= sent || lines < 64 {
		t.Errorf("code %d, %d lines, told: %v\n%.2000s", code, lines, told, errs.String())
	}
	if !strings.Contains(errs.String(), "output-slow") {
		t.Errorf("the summary does not tell: %.2000s", errs.String())
	}
}

// TestLivePrivileges looks at a process that captures: its rights are gone from every thread.
func TestLivePrivileges(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	loopbackOnly(t)
	dir := t.TempDir()
	bin := filepath.Join(dir, "mcxdump")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	path := filepath.Join(dir, "out", "x.pcapng")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	send := talk(t)
	cmd := exec.Command(bin, "live", "-i", "lo", "-f", "udp", "-w", path, "-b", "packets:5", "--json")
	var out, errs buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	for k := 0; !strings.Contains(out.String(), "OPTIONS"); k++ {
		send(options(k))
		time.Sleep(5 * time.Millisecond)
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", cmd.Process.Pid))
	if err != nil || len(tasks) < 2 {
		t.Fatalf("%d threads, %v", len(tasks), err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		for _, want := range []string{"CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s has not %q", task, want)
			}
		}
	}
	for k := range 20 { // files can still be begun
		send(options(1000 + k))
	}
	until(func() bool { return strings.Count(out.String(), "OPTIONS") >= 20 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || errs.String() != "" {
		t.Errorf("%v: %s", err, errs.String())
	}
	if !strings.Contains(out.String(), `"record":"summary"`) {
		t.Error("no summary after SIGTERM")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "out", "x_*.pcapng"))
	if len(files) < 3 {
		t.Errorf("files %q", files)
	}
	for _, f := range files {
		if _, e, code := call(t, nil, "read", f); code != exitOK {
			t.Errorf("%s: %s", f, e)
		}
	}
}
