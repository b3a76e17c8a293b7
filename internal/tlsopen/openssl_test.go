package tlsopen

import (
	"bufio"
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// An openSSL is a server of OpenSSL's that sends lines back with their letters reversed, behind a recording relay.
type openSSL struct {
	t    *testing.T
	dir  string
	addr string // of the server
	mute bool   // it does not answer
}

func newOpenSSL(t *testing.T, args ...string) *openSSL {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip(err)
	}
	o := &openSSL{t: t, dir: t.TempDir()}
	cert := testkit.TLSCertificates(t)[1]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})...)
	if err := os.WriteFile(filepath.Join(o.dir, "server.pem"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.addr = l.Addr().String()
	l.Close()
	if o.mute = slices.Contains(args, "-early_data"); !o.mute {
		args = append(args, "-rev")
	}
	cmd := exec.Command("openssl", append([]string{"s_server", "-accept", o.addr, "-cert", filepath.Join(o.dir, "server.pem"), "-key", filepath.Join(o.dir, "server.pem")}, args...)...)
	in, err := cmd.StdinPipe() // the server ends with its input
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("s_server: %s", said.String())
		}
	})
	for range 100 {
		if c, err := net.Dial("tcp", o.addr); err == nil {
			c.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return o
}

func (o *openSSL) file(name string) string { return filepath.Join(o.dir, name) }

// run runs one client of OpenSSL's which sends lines and waits for the answer to each that is no command.
func (o *openSSL) run(lines []string, args ...string) (log []testkit.TLSWrite, keys *testkit.KeyLog) {
	o.t.Helper()
	relay, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	defer relay.Close()
	var mu sync.Mutex
	var pipes sync.WaitGroup
	pipes.Go(func() {
		c, err := relay.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", o.addr)
		if err != nil {
			c.Close()
			return
		}
		var both sync.WaitGroup
		copying := func(side int, from, to net.Conn) {
			b := make([]byte, 32<<10)
			for {
				n, err := from.Read(b)
				if n > 0 {
					mu.Lock()
					log = append(log, testkit.TLSWrite{Side: side, Octets: bytes.Clone(b[:n])})
					mu.Unlock()
					to.Write(b[:n])
				}
				if err != nil {
					to.(*net.TCPConn).CloseWrite()
					return
				}
			}
		}
		both.Go(func() { copying(0, c, s) })
		both.Go(func() { copying(1, s, c) })
		both.Wait()
		c.Close()
		s.Close()
	})
	keyFile := o.file("keys.log")
	os.Remove(keyFile)
	cmd := exec.Command("openssl", append([]string{"s_client", "-connect", relay.Addr().String(), "-keylogfile", keyFile, "-servername", "sip.example.org"}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	stop := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
	defer stop.Stop()
	said := bufio.NewReader(out)
	var all strings.Builder
	until := func(word string) bool {
		for {
			s, err := said.ReadString('\n')
			all.WriteString(s)
			if strings.Contains(s, word) {
				return true
			}
			if err != nil {
				return false
			}
		}
	}
	for _, l := range lines {
		fmt.Fprintln(in, l)
		if len(l) == 1 { // a command: renegotiation, key update
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if !o.mute && !until(reversed(l)) {
			break
		}
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Fprintln(in, "Q")
	in.Close()
	io.Copy(&all, said)
	cmd.Wait()
	relay.Close()
	pipes.Wait()
	keys = &testkit.KeyLog{}
	if b, err := os.ReadFile(keyFile); err == nil {
		keys.Write(b)
	}
	if o.t.Failed() {
		o.t.Log(all.String())
	}
	return log, keys
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

var openSSLLines = []string{"INVITE sip:example.org SIP/2.0", strings.Repeat("long line ", 800), "MESSAGE sip:example.org SIP/2.0"} // none of the commands of s_client: Q, R, B, K, k

func openSSLText() (want [2]string) {
	for _, l := range openSSLLines {
		if len(l) > 1 {
			want[0] += l + "\n"
			want[1] += reversed(l) + "\n"
		}
	}
	return want
}

// TestOpenSSL opens what OpenSSL sends, in suites that crypto/tls has not: encrypt-then-MAC, CCM, NULL, 3DES, DHE.
func TestOpenSSL(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	for _, x := range []struct {
		suite, version string
		name           string
	}{
		{"ECDHE-RSA-AES128-GCM-SHA256", "-tls1_2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		{"ECDHE-RSA-AES256-GCM-SHA384", "-tls1_2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
		{"ECDHE-RSA-CHACHA20-POLY1305", "-tls1_2", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
		{"ECDHE-RSA-AES128-SHA", "-tls1_2", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
		{"ECDHE-RSA-AES128-SHA256", "-tls1_2", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"},
		{"ECDHE-RSA-AES256-SHA384", "-tls1_2", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"},
		{"DHE-RSA-AES128-CCM", "-tls1_2", "TLS_DHE_RSA_WITH_AES_128_CCM"},
		{"DHE-RSA-AES256-CCM8", "-tls1_2", "TLS_DHE_RSA_WITH_AES_256_CCM_8"},
		{"AES128-SHA256", "-tls1_2", "TLS_RSA_WITH_AES_128_CBC_SHA256"},
		{"AES256-GCM-SHA384", "-tls1_2", "TLS_RSA_WITH_AES_256_GCM_SHA384"},
		{"AES128-CCM8", "-tls1_2", "TLS_RSA_WITH_AES_128_CCM_8"},
		{"NULL-SHA256", "-tls1_2", "TLS_RSA_WITH_NULL_SHA256"},
		{"NULL-MD5", "-tls1_2", "TLS_RSA_WITH_NULL_MD5"},
		{"AES128-SHA", "-tls1_1", "TLS_RSA_WITH_AES_128_CBC_SHA"},
		{"ECDHE-RSA-AES256-SHA", "-tls1_1", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"},
		{"ECDHE-RSA-AES256-SHA", "-tls1", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"},
		{"AES256-SHA", "-tls1", "TLS_RSA_WITH_AES_256_CBC_SHA"},
		{"DES-CBC3-SHA", "-tls1", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"},
		{"TLS_AES_128_GCM_SHA256", "-tls1_3", ""},
		{"TLS_AES_256_GCM_SHA384", "-tls1_3", ""},
		{"TLS_CHACHA20_POLY1305_SHA256", "-tls1_3", ""},
		{"TLS_AES_128_CCM_SHA256", "-tls1_3", ""},
		{"TLS_AES_128_CCM_8_SHA256", "-tls1_3", ""},
	} {
		t.Run(x.suite+x.version, func(t *testing.T) {
			t.Parallel()
			args := []string{x.version, "-cipher", x.suite + ":@SECLEVEL=0"}
			if x.version == "-tls1_3" {
				args, x.name = []string{x.version, "-ciphersuites", x.suite}, x.suite
			}
			o := newOpenSSL(t, args...)
			log, keys := o.run(openSSLLines, args...)
			if len(log) < 4 || strings.Contains(string(log[1].Octets[:1]), "\x15") {
				t.Skip("this OpenSSL does not have it")
			}
			for _, size := range []int{0, 3} {
				c, got := replay(log, keys, nil, size)
				check(t, x.suite, got, c, openSSLText())
				if SuiteName(c.info.Suite) != x.name {
					t.Errorf("%+v", c.info)
				}
			}
			if strings.HasPrefix(x.name, "TLS_RSA") { // the private key alone
				c, got := replay(log, &testkit.KeyLog{RSA: o.key()}, nil, 0)
				check(t, x.suite+" by private key", got, c, openSSLText())
			}
		})
	}
}

func (o *openSSL) key() *rsa.PrivateKey { return testkit.TLSKey() }

// TestOpenSSLChanges: renegotiation, key update in both directions, resumption by ticket and by identifier.
func TestOpenSSLChanges(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	cases := []struct {
		name           string
		server, client []string
		lines          []string
		twice          bool
		rsa            bool
	}{
		{"renegotiation", []string{"-tls1_2", "-client_renegotiation"}, []string{"-tls1_2"}, []string{openSSLLines[0], "R", openSSLLines[1], "R", openSSLLines[2]}, false, false},
		{"renegotiation with RSA", []string{"-tls1_2", "-client_renegotiation", "-cipher", "AES128-SHA:@SECLEVEL=0"}, []string{"-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"}, []string{openSSLLines[0], "R", openSSLLines[1], openSSLLines[2]}, false, true},
		{"key update", []string{"-tls1_3"}, []string{"-tls1_3"}, []string{openSSLLines[0], "k", openSSLLines[1], "K", openSSLLines[2]}, false, false},
		{"ticket", []string{"-tls1_2"}, []string{"-tls1_2"}, openSSLLines, true, false},
		{"ticket with RSA", []string{"-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"}, []string{"-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"}, openSSLLines, true, true},
		{"identifier", []string{"-tls1_2", "-no_ticket"}, []string{"-tls1_2", "-no_ticket"}, openSSLLines, true, false},
		{"identifier with RSA", []string{"-tls1_2", "-no_ticket", "-cipher", "AES128-SHA:@SECLEVEL=0"}, []string{"-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"}, openSSLLines, true, true},
		{"pre-shared key", []string{"-tls1_3"}, []string{"-tls1_3"}, openSSLLines, true, false},
		{"retry", []string{"-tls1_3", "-groups", "P-384"}, []string{"-tls1_3", "-groups", "X25519:P-384"}, openSSLLines, false, false},
		{"middlebox", []string{"-tls1_3"}, []string{"-tls1_3", "-no_middlebox"}, openSSLLines, false, false},
		{"padding", []string{"-tls1_3", "-record_padding", "512"}, []string{"-tls1_3"}, openSSLLines, false, false},
		{"small records", []string{"-tls1_2", "-max_send_frag", "512"}, []string{"-tls1_2", "-max_send_frag", "512"}, openSSLLines, false, false},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			o := newOpenSSL(t, x.server...)
			sess := NewSessions(8)
			for i := range 2 {
				args := slices.Clone(x.client)
				switch {
				case x.twice && i == 0:
					args = append(args, "-sess_out", o.file("session"))
				case x.twice:
					args = append(args, "-sess_in", o.file("session"))
				case i == 1:
					continue
				}
				log, keys := o.run(x.lines, args...)
				c, got := replay(log, keys, nil, 0)
				check(t, x.name, got, c, openSSLText())
				if c.info.Resumed != (i == 1) {
					t.Errorf("%+v", c.info)
				}
				if x.name == "retry" && !c.info.Retried {
					t.Errorf("%+v", c.info)
				}
				if x.rsa {
					c, got := replay(log, &testkit.KeyLog{RSA: o.key()}, sess, 0)
					check(t, x.name+" by private key", got, c, openSSLText())
				}
			}
		})
	}
}

// TestOpenSSLEarlyData: 0-RTT, with its secret and without.
func TestOpenSSLEarlyData(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	o := newOpenSSL(t, "-tls1_3", "-early_data")
	early := strings.Repeat("early data ", 100)
	if err := os.WriteFile(o.file("early"), []byte(early), 0o600); err != nil {
		t.Fatal(err)
	}
	var log []testkit.TLSWrite
	keys := &testkit.KeyLog{}
	for range 5 { // the session ticket may come too late
		o.run([]string{"the first"}, "-tls1_3", "-sess_out", o.file("session"))
		log, keys = o.run([]string{"late data"}, "-tls1_3", "-sess_in", o.file("session"), "-early_data", o.file("early"))
		if strings.Contains(keys.String(), "CLIENT_EARLY_TRAFFIC_SECRET") {
			break
		}
	}
	c, got := replay(log, keys, nil, 0)
	if s := got.data[0].String(); !strings.HasPrefix(s, early+"late data\n") || !c.info.EarlyData || c.info.EarlyRefused || len(got.problems) > 0 {
		t.Errorf("%q %+v %+v", s, c.info, got.problems)
	}
	without := &testkit.KeyLog{}
	for l := range strings.Lines(keys.String()) {
		if !strings.HasPrefix(l, "CLIENT_EARLY") {
			without.WriteString(l)
		}
	}
	c, got = replay(log, without, nil, 0)
	if s := got.data[0].String(); !strings.HasPrefix(s, "late data\n") || !c.info.EarlyData || len(got.problems) != 1 || got.problems[0].Kind != ProblemEarlyData {
		t.Errorf("%q %+v %+v", s, c.info, got.problems)
	}
}

// TestOpenSSLFailed: handshakes that fail as they do in the field.
func TestOpenSSLFailed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	for _, x := range []struct {
		name           string
		server, client []string
		alert          string
		hidden         bool
	}{
		{"suite", []string{"-tls1_2", "-cipher", "AES128-SHA"}, []string{"-tls1_2", "-cipher", "AES256-SHA"}, "handshake_failure", false},
		{"version", []string{"-tls1_3"}, []string{"-tls1_2"}, "protocol_version", false},
		{"unknown ca 1.2", []string{"-tls1_2"}, []string{"-tls1_2", "-verify_return_error", "-no-CAfile", "-no-CApath", "-no-CAstore"}, "unknown_ca", false},
		{"unknown ca 1.3", []string{"-tls1_3"}, []string{"-tls1_3", "-verify_return_error", "-no-CAfile", "-no-CApath", "-no-CAstore"}, "unknown_ca", false},
		{"client certificate 1.2", []string{"-tls1_2", "-Verify", "1"}, []string{"-tls1_2"}, "handshake_failure", false},
		{"client certificate 1.3", []string{"-tls1_3", "-Verify", "1"}, []string{"-tls1_3"}, "certificate_required", true},
		{"name", []string{"-servername", "other.example.org", "-servername_fatal", "-cert2", "server.pem", "-key2", "server.pem"}, nil, "unrecognized_name", false},
		{"application protocol", []string{"-alpn", "h2"}, []string{"-alpn", "sip"}, "no_application_protocol", false},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			o := &openSSL{}
			for i, a := range x.server {
				if a == "server.pem" { // where the certificate will be is not known yet
					x.server[i] = certFile(t)
				}
			}
			o = newOpenSSL(t, x.server...)
			log, keys := o.run(openSSLLines[:1], x.client...)
			_, got := replay(log, keys, nil, 0)
			if len(got.alerts) == 0 || got.alerts[0].Name() != x.alert {
				t.Errorf("%v", got.alerts)
			}
			c, got := replay(log, &testkit.KeyLog{}, nil, 0)
			if x.hidden && got.end != EndHidden || !x.hidden && (len(got.alerts) == 0 || got.alerts[0].Name() != x.alert) {
				t.Errorf("without a key: %v, end %d, %+v", got.alerts, got.end, c.info)
			}
		})
	}
}

func certFile(t *testing.T) string {
	cert := testkit.TLSCertificates(t)[1]
	key, _ := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	name := filepath.Join(t.TempDir(), "c.pem")
	os.WriteFile(name, append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})...), 0o600)
	return name
}
