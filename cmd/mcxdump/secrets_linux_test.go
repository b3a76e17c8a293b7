package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// sipOverTLS sends a request to a server over TLS 1.3; both say it again, whatever it is.
func sipOverTLS(t *testing.T, l net.Listener, log io.Writer, text string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
		b := make([]byte, len(text))
		if _, err := io.ReadFull(s, b); err != nil {
			t.Error(err)
		}
		s.Write(b)
		s.Close()
	})
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, KeyLogWriter: log})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, text)
	if b, err := io.ReadAll(c); err != nil || string(b) != text {
		t.Errorf("%q, %v", b, err)
	}
	c.Close()
	work.Wait()
}

// TestWriteSecrets: what is written with the secrets can be decrypted by whoever reads it, by tshark too.
func TestWriteSecrets(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("capturing needs root")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().String()[strings.LastIndex(l.Addr().String(), ":")+1:]
	dir := t.TempDir()
	live, again, without, ring, log := filepath.Join(dir, "live.pcapng"), filepath.Join(dir, "again.pcapng"), filepath.Join(dir, "without.pcapng"), filepath.Join(dir, "ring.pcapng"), filepath.Join(dir, "keys.log")
	lines, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	session := func(path string, log io.Writer, flags ...string) string {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var out, errs buffer
		var work sync.WaitGroup
		var code int
		work.Go(func() {
			code = run(ctx, append([]string{"live", "-i", "lo", "-f", "tcp port " + port, "--keep-rights", "-w", path}, flags...), nil, &out, &errs)
		})
		until(func() bool { _, err := os.Stat(path); return err == nil })
		sipOverTLS(t, l, log, options(1))
		cancel()
		work.Wait()
		if code != exitOK {
			t.Errorf("code %d: %s", code, errs.String())
		}
		return out.String() + errs.String()
	}
	session(live, lines)
	secret := strings.Fields(readText(t, log))[2]
	also := filepath.Join(dir, "also.pcapng")
	said := session(also, nil, "--keys", log, "--write-secrets")
	if !strings.Contains(said, "whoever gets it can read them") || strings.Contains(said, secret) {
		t.Errorf("said: %s", said)
	}
	if !strings.Contains(readText(t, also), secret) {
		t.Error("live writes no secrets")
	}
	for path, args := range map[string][]string{
		again: {"--write-secrets"}, without: nil, ring: {"--write-secrets", "-b", "packets:6"},
	} {
		if _, e, code := call(t, nil, append([]string{"read", live, "--keys", log, "-w", path}, args...)...); code != exitOK {
			t.Errorf("%s: %s", path, e)
		}
	}
	if got, _, _ := call(t, nil, "read", again); strings.Count(got, "OPTIONS") != 2 {
		t.Errorf("with secrets: %s", got)
	}
	if got, _, _ := call(t, nil, "read", without); strings.Contains(got, "OPTIONS") {
		t.Errorf("without secrets: %s", got)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "ring_*")); len(files) < 2 {
		t.Error(files)
	} else {
		for _, f := range files {
			if !strings.Contains(readText(t, f), secret) {
				t.Errorf("%s has no secrets", f)
			}
		}
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		return
	}
	for path, want := range map[string]int{again: 2, without: 0} {
		b, err := exec.Command("tshark", "-r", path, "-d", "tcp.port=="+port+",tls", "-d", "tls.port=="+port+",sip", "-Y", "sip.Method == \"OPTIONS\"", "-T", "fields", "-e", "sip.Method").Output()
		if n := strings.Count(string(b), "OPTIONS"); err != nil || n != want {
			t.Errorf("tshark on %s: %v, %d messages, want %d", filepath.Base(path), err, n, want)
		}
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWriteSecretsUsage(t *testing.T) {
	if _, e, code := call(t, nil, "read", "../../testdata/pcaps/publish-clear.pcap", "--write-secrets"); code != exitUsage || !strings.Contains(e, "need -w FILE") {
		t.Errorf("%d %s", code, e)
	}
	path := filepath.Join(t.TempDir(), "x.pcapng")
	if _, e, code := call(t, nil, "read", "../../testdata/pcaps/publish-clear.pcap", "-w", path, "--write-secrets"); code != exitOK || !strings.Contains(e, "so far there are none") {
		t.Errorf("%d %s", code, e)
	}
}
