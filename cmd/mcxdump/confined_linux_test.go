package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestConfinedServices: the program as it is shipped, with its rights given up, still takes HEP, answers metrics, reaches
// its collector again after the connection was lost, and begins files on SIGHUP.
func TestConfinedServices(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	bin := built(t)
	collector, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	var arrived buffer
	conns := make(chan net.Conn, 8)
	go func() {
		for {
			c, err := collector.Accept()
			if err != nil {
				return
			}
			conns <- c
			go io.Copy(&arrived, c)
		}
	}()
	addr, at := freePort(t), freePort(t)
	path := filepath.Join(t.TempDir(), "x.pcapng")
	var out, errs buffer
	cmd := exec.Command(bin, "live", "--hep", addr, "--metrics", at, "--to-hep", "tcp:"+collector.Addr().String(), "--json", "-w", path)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	var c net.Conn
	until(func() bool { c, err = net.Dial("tcp", addr); return err == nil })
	defer c.Close()
	send := func(n int) {
		c.Write(mirror(6, "192.0.2.1:5060", "192.0.2.2:40000", 1, options(n)))
	}
	send(1)
	until(func() bool { return strings.Contains(out.String(), `"call_id":"1"`) })
	status := readText(t, "/proc/"+strconv.Itoa(cmd.Process.Pid)+"/status")
	for _, want := range []string{"CapEff:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in %s", want, status)
		}
	}
	r, err := http.Get("http://" + at + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if m := readMetrics(t, string(b)); m["mcxdump_frames_total"] != 1 {
		t.Errorf("%s", b)
	}
	until(func() bool { return strings.Contains(arrived.String(), "Call-ID: 1") })
	(<-conns).Close() // the collector restarts
	n := 2
	for ; len(conns) == 0; n++ {
		send(n)
		time.Sleep(50 * time.Millisecond)
	}
	send(n)
	until(func() bool { return strings.Contains(arrived.String(), "Call-ID: "+strconv.Itoa(n)+"\r\n") })
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGHUP)
	until(func() bool { _, err := os.Stat(path); return err == nil })
	cmd.Process.Signal(syscall.SIGUSR1)
	until(func() bool { return strings.Contains(errs.String(), "HEP: ") })
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), `"record":"summary"`) {
		t.Errorf("%v: %s", err, errs.String())
	}
	if strings.Contains(errs.String(), "not every right") {
		t.Error(errs.String())
	}
	for _, p := range []string{path, path + ".1"} {
		if _, e, code := call(t, nil, "read", p); code != exitOK {
			t.Errorf("%s: %s", p, e)
		}
	}
}
