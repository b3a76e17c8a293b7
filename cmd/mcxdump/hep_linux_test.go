package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// mirror writes a HEP packet from the tables of the specification, without the codec that reads it.
func mirror(proto byte, src, dst string, agent uint32, payload string) []byte {
	chunk := func(b []byte, typ int, v ...byte) []byte {
		b = append(b, 0, 0, byte(typ>>8), byte(typ), byte((6+len(v))>>8), byte(6+len(v)))
		return append(b, v...)
	}
	u32 := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	b := []byte("HEP3\x00\x00")
	b = chunk(b, 1, 2)
	b = chunk(b, 2, proto)
	for k, a := range []string{src, dst} {
		host, port, _ := net.SplitHostPort(a)
		var n uint16
		fmt.Sscan(port, &n)
		b = chunk(b, 3+k, net.ParseIP(host).To4()...)
		b = chunk(b, 7+k, byte(n>>8), byte(n))
	}
	b = chunk(b, 9, u32(1700000000)...)
	b = chunk(b, 10, u32(250000)...)
	b = chunk(b, 11, 1)
	b = chunk(b, 12, u32(agent)...)
	b = chunk(b, 15, []byte(payload)...)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return b
}

// freePort is a port that nobody listens at, for UDP and TCP.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// listening starts live --hep and waits until it listens. The function that it gives ends the run.
func listening(t *testing.T, out, errs *buffer, args ...string) (addr string, end func() int) {
	t.Helper()
	addr = freePort(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"live", "--hep", addr, "--keep-rights"}, args...), nil, out, errs)
	}()
	wait := []string{addr} // which opens first, and metrics after it
	if i := slices.Index(args, "--metrics"); i >= 0 {
		wait = append(wait, args[i+1])
	}
	for _, at := range wait {
		until(func() bool {
			c, err := net.Dial("tcp", at)
			if err == nil {
				c.Close()
			}
			return err == nil || len(done) > 0
		})
	}
	return addr, func() int { cancel(); return <-done }
}

type hepRecord struct {
	Record, Time, Interface, Transport string
	Encapsulation                      []string
	Src, Dst                           struct {
		IP   string
		Port int
	}
	SIP     struct{ Method, Call_ID string }
	Summary map[string]any
}

func records(t *testing.T, text string) (list []hepRecord) {
	t.Helper()
	for l := range strings.Lines(text) {
		var r hepRecord
		if err := json.Unmarshal([]byte(l), &r); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		list = append(list, r)
	}
	return list
}

// TestLiveHEP takes messages by UDP and TCP, writes them to a file, and sends them on.
func TestLiveHEP(t *testing.T) {
	collector, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	path := filepath.Join(t.TempDir(), "x.pcapng")
	var out, errs buffer
	addr, end := listening(t, &out, &errs, "--json", "-w", path, "--to-hep", collector.LocalAddr().String(), "--hep-id", "77")
	for _, network := range []string{"udp", "tcp"} {
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Write(mirror(22, "192.0.2.1:5061", "192.0.2.2:40000", 2001, options(1)))
		c.Write(mirror(17, "192.0.2.3:5060", "192.0.2.4:5062", 2002, options(2)))
		c.Close()
	}
	until(func() bool { return strings.Count(out.String(), `"record":"message"`) == 4 })
	b := make([]byte, 65536)
	collector.SetReadDeadline(time.Now().Add(10 * time.Second))
	for range 4 {
		n, _, err := collector.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		want := [2]string{string(mirror(22, "192.0.2.1:5061", "192.0.2.2:40000", 77, options(1))), string(mirror(17, "192.0.2.3:5060", "192.0.2.4:5062", 77, options(2)))}
		if got := string(b[:n]); sortedChunks(got) != sortedChunks(want[0]) && sortedChunks(got) != sortedChunks(want[1]) {
			t.Errorf("sent on: %q", got)
		}
	}
	if code := end(); code != exitOK || errs.String() != "" {
		t.Errorf("code %d: %s", code, errs.String())
	}
	check := func(list []hepRecord) {
		t.Helper()
		if len(list) != 5 || list[4].Summary["hep_packets"] != 4.0 {
			t.Fatalf("%d records, %v", len(list), list[len(list)-1].Summary)
		}
		for _, r := range list[:4] {
			want := hepRecord{Transport: "tls", Interface: "hep:2001"}
			want.Src.IP, want.Src.Port, want.Dst.IP, want.Dst.Port = "192.0.2.1", 5061, "192.0.2.2", 40000
			if r.SIP.Call_ID == "2" {
				want = hepRecord{Transport: "udp", Interface: "hep:2002"}
				want.Src.IP, want.Src.Port, want.Dst.IP, want.Dst.Port = "192.0.2.3", 5060, "192.0.2.4", 5062
			}
			if r.Src != want.Src || r.Dst != want.Dst || r.Transport != want.Transport || r.Interface != want.Interface ||
				fmt.Sprint(r.Encapsulation) != "[hep]" || r.Time != "2023-11-14T22:13:20.250000000Z" || r.SIP.Method != "OPTIONS" {
				t.Errorf("%+v", r)
			}
		}
	}
	check(records(t, out.String()))
	again, e, code := call(t, nil, "read", path, "--json")
	if code != exitOK {
		t.Error(e)
	}
	check(records(t, again))
	if _, err := exec.LookPath("tshark"); err == nil {
		b, err := exec.Command("tshark", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields", "-e", "ip.checksum.status", "-e", "udp.checksum.status").Output()
		if n := strings.Count(string(b), "1\t1\n"); n != 4 {
			t.Errorf("tshark on the file: %v %s", err, b)
		}
	}
}

// sortedChunks makes packets comparable whose chunks are in another order.
func sortedChunks(p string) string {
	var list []string
	for b := p[6:]; len(b) >= 6; {
		n := int(b[4])<<8 | int(b[5])
		if n < 6 || n > len(b) {
			return "malformed " + p
		}
		list = append(list, b[:n])
		b = b[n:]
	}
	for i := range list { // few: a simple sort
		for j := range list[:i] {
			if list[i] < list[j] {
				list[i], list[j] = list[j], list[i]
			}
		}
	}
	return p[:4] + strings.Join(list, "|")
}

// TestReadToHEP feeds one live --hep from a capture, by TCP, and compares what both print.
func TestReadToHEP(t *testing.T) {
	for _, name := range []string{"register-clear", "migration-clear", "tcp-segments", "websocket"} {
		file := "../../testdata/pcaps/" + name + ".pcap"
		args := []string{"-T", "fields", "-e", "time", "-e", "src.ip", "-e", "src.port", "-e", "dst.ip", "-e", "dst.port", "-e", "sip.call_id", "-e", "sip.cseq.number"}
		want, _, _ := call(t, nil, append([]string{"read", file}, args...)...)
		var out, errs buffer
		addr, end := listening(t, &out, &errs, args...)
		if _, e, code := call(t, nil, "read", file, "--quiet", "--to-hep", "tcp:"+addr); code != exitOK || e != "" {
			t.Errorf("%s: code %d: %s", name, code, e)
		}
		until(func() bool { return strings.Count(out.String(), "\n") >= strings.Count(want, "\n") })
		end()
		trim := func(s string) string { // HEP tells microseconds
			var b strings.Builder
			for l := range strings.Lines(s) {
				at := strings.Index(l, "Z")
				b.WriteString(l[:at-3] + l[at:])
			}
			return b.String()
		}
		if trim(out.String()) != trim(want) {
			t.Errorf("%s:\n%s\nwant\n%s\n%s", name, out.String(), want, errs.String())
		}
	}
}

// TestToHEPLosses: a collector that takes nothing holds up nobody; what is lost is told.
func TestToHEPLosses(t *testing.T) {
	if testing.Short() {
		t.Skip("a collector that stands still is given up after seconds")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conns := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		conns <- c // and reads nothing
	}()
	var out, errs buffer
	addr, end := listening(t, &out, &errs, "--json", "--to-hep", "tcp:"+l.Addr().String())
	defer func() { (<-conns).Close() }()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const sent = 2000
	big := strings.Replace(options(1), "Content-Length: 0", "Subject: "+strings.Repeat("x", 20000)+"\r\nContent-Length: 0", 1)
	start := time.Now()
	for range sent {
		c.Write(mirror(6, "192.0.2.1:5060", "192.0.2.2:40000", 1, big))
	}
	until(func() bool { return strings.Count(out.String(), `"record":"message"`) == sent })
	if d := time.Since(start); d > 2*hepWrite {
		t.Errorf("decoding waited: %v", d)
	}
	c.Write(mirror(6, "192.0.2.1:5060", "192.0.2.2:40000", 1, options(2)))
	until(func() bool { return strings.Contains(out.String(), "hep-unsent") })
	l.Close()
	(<-conns).Close()
	conns <- c
	if code := end(); code != exitOK || !strings.Contains(errs.String(), "messages were not sent to the HEP collector") {
		t.Errorf("code %d: %.1000s", code, errs.String())
	}
}

func TestHEPUsage(t *testing.T) {
	for args, want := range map[string]string{
		"live --hep :9060 -i lo":                     "takes the place of an interface",
		"live --hep 127.0.0.1":                       "missing port",
		"live --hep 192.0.2.77:9060":                 "--hep:",
		"live --hep 127.0.0.1:0 --to-hep homer":      "HOST:PORT",
		"live --hep 127.0.0.1:0 --to-hep a:0":        "HOST:PORT",
		"live --hep :19061 --to-hep 127.0.0.1:19061": "go round for ever",
		"read x.pcap --to-hep tcp:127.0.0.1:1":       "x.pcap",
	} {
		if _, e, code := call(t, nil, strings.Fields(args)...); code == exitOK || !strings.Contains(e, want) {
			t.Errorf("%s: code %d: %s", args, code, e)
		}
	}
}

// TestKamailio: a proxy that talks TLS to one side mirrors what it says; sipp is the client.
func TestKamailio(t *testing.T) {
	for _, tool := range []string{"kamailio", "sipp"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) { kamailio(t, network) })
	}
}

func kamailio(t *testing.T, network string) {
	dir := t.TempDir()
	proxy := freePort(t)
	var out, errs buffer
	addr, end := listening(t, &out, &errs, "--json")
	conf := filepath.Join(dir, "kamailio.cfg")
	text := strings.NewReplacer("PROXY", proxy, "DIR", dir, "COLLECTOR", addr, "NET", network).Replace(`
debug=1
log_stderror=yes
fork=yes
children=1
disable_tcp=no
listen=udp:PROXY
listen=tcp:PROXY
auto_aliases=no
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "siptrace.so"
modparam("siptrace", "duplicate_uri", "sip:COLLECTOR;transport=NET")
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "hep_capture_id", 4711)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_mode", 1)
request_route {
	if (method == "ACK") { exit; }
	sl_send_reply("200", "OK");
}
`)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log buffer
	cmd := exec.Command("kamailio", "-f", conf, "-DD", "-E", "-Y", dir, "-m", "16", "-M", "4")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { cmd.Wait(); close(gone) }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
		}
	})
	up := false
	until(func() bool {
		c, err := net.Dial("tcp", proxy)
		if err == nil {
			c.Close()
			up = true
		}
		select {
		case <-gone:
			return true
		default:
			return up
		}
	})
	if !up {
		end()
		t.Fatalf("kamailio does not start: %s", log.String())
	}
	const calls = 20
	sipp := exec.Command("sipp", "-sn", "uac", "-m", fmt.Sprint(calls), "-r", "100", "-nostdin", "-timeout", "20s", "-i", "127.0.0.1", proxy)
	sipp.Dir = dir
	if b, err := sipp.CombinedOutput(); err != nil {
		t.Fatalf("sipp: %v: %s\n%s", err, b, log.String())
	}
	// INVITE and BYE with their answers, and the ACK.
	wait := time.Now().Add(20 * time.Second)
	until(func() bool {
		return strings.Count(out.String(), `"record":"message"`) >= 5*calls || time.Now().After(wait)
	})
	if code := end(); code != exitOK || errs.String() != "" {
		t.Errorf("code %d: %s", code, errs.String())
	}
	count := map[string]int{}
	for _, r := range records(t, out.String()) {
		if r.Record != "message" {
			continue
		}
		count[r.SIP.Method]++
		at := r.Src
		if r.SIP.Method != "" {
			at = r.Dst
		}
		if fmt.Sprintf("%s:%d", at.IP, at.Port) != proxy || r.Interface != "hep:4711" || r.Transport != "udp" || fmt.Sprint(r.Encapsulation) != "[hep]" {
			t.Errorf("%+v", r)
		}
	}
	if fmt.Sprint(count) != fmt.Sprintf("map[:%d ACK:%d BYE:%d INVITE:%d]", 2*calls, calls, calls, calls) {
		t.Errorf("%v\n%s", count, log.String())
	}
}
