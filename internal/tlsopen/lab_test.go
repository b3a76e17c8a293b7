package tlsopen

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A write is what one side sent at once.
type write struct {
	side int
	b    []byte
}

// tap records what goes through both ends of a connection, in order.
type tap struct {
	net.Conn
	side int
	mu   *sync.Mutex
	log  *[]write
}

func (t *tap) Write(b []byte) (int, error) {
	t.mu.Lock()
	*t.log = append(*t.log, write{t.side, bytes.Clone(b)})
	t.mu.Unlock()
	return t.Conn.Write(b)
}

// keyLog is Keys from the text of a key log.
type keyLog struct {
	bytes.Buffer
	rsa     *rsa.PrivateKey
	growing bool
}

func (k *keyLog) Secret(label string, random [32]byte) []byte {
	for line := range strings.Lines(k.String()) {
		if w := strings.Fields(line); len(w) == 3 && w[0] == label && w[1] == hex.EncodeToString(random[:]) {
			b, _ := hex.DecodeString(w[2])
			return b
		}
	}
	return nil
}

func (k *keyLog) Premaster(b []byte) []byte {
	if k.rsa == nil {
		return nil
	}
	pre, err := rsa.DecryptPKCS1v15(nil, k.rsa, b)
	if err != nil {
		return nil
	}
	return pre
}

func (k *keyLog) Growing() bool { return k.growing }

var testRSA, _ = rsa.GenerateKey(rand.Reader, 2048)

func certificate(t testing.TB, key any, pub any, name string) tls.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func certificates(t testing.TB) []tls.Certificate {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{certificate(t, ec, &ec.PublicKey, "sip.example.org"), certificate(t, testRSA, &testRSA.PublicKey, "sip.example.org")}
}

// pipe is a connection over the loopback interface, which takes octets that nobody has read yet.
func pipe() (a, b net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		panic(err)
	}
	if b, err = l.Accept(); err != nil {
		panic(err)
	}
	return a, b
}

// converse runs one connection: the client says what, the server answers; both in turn. Errors are returned, the
// client's first.
func converse(client, server *tls.Config, lines [][2]string) (log []write, errs [2]error) {
	var mu sync.Mutex
	a, b := pipe()
	a.SetDeadline(time.Now().Add(5 * time.Second))
	b.SetDeadline(time.Now().Add(5 * time.Second))
	c, s := tls.Client(&tap{a, 0, &mu, &log}, client), tls.Server(&tap{b, 1, &mu, &log}, server)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer b.Close()
		if errs[1] = s.Handshake(); errs[1] != nil {
			return
		}
		for _, l := range lines {
			if _, errs[1] = io.ReadFull(s, make([]byte, len(l[0]))); errs[1] != nil {
				return
			}
			if _, errs[1] = io.WriteString(s, l[1]); errs[1] != nil {
				return
			}
		}
		io.Copy(io.Discard, s)
		s.Close()
	})
	errs[0] = c.Handshake()
	for _, l := range lines {
		if errs[0] != nil {
			break
		}
		if _, errs[0] = io.WriteString(c, l[0]); errs[0] != nil {
			break
		}
		_, errs[0] = io.ReadFull(c, make([]byte, len(l[1])))
	}
	if c.CloseWrite() == nil {
		io.Copy(io.Discard, a)
	}
	a.Close()
	wg.Wait()
	return log, errs
}

// seen is a Sink that keeps everything.
type seen struct {
	data     [2]bytes.Buffer
	lost     [2]int
	problems []Problem
	alerts   []Alert
	end      Reason
	spans    [2][][2]int64
}

func (s *seen) Data(side int, b []byte, off, end int64) {
	s.data[side].Write(b)
	s.spans[side] = append(s.spans[side], [2]int64{off, end})
}
func (s *seen) Lost(side int)           { s.lost[side]++ }
func (s *seen) Problem(p Problem)       { s.problems = append(s.problems, p) }
func (s *seen) Alert(side int, a Alert) { s.alerts = append(s.alerts, a) }
func (s *seen) End(r Reason)            { s.end = r }

// replay gives what was recorded to a Conn, in pieces of a size (0: as written).
func replay(log []write, k Keys, sess *Sessions, size int) (*Conn, *seen) {
	s := &seen{}
	c := New(k, s, sess, Limits{})
	var off [2]int64
	for _, w := range log {
		b := w.b
		for len(b) > 0 {
			n := len(b)
			if size > 0 {
				n = min(n, size)
			}
			c.Write(w.side, b[:n], off[w.side])
			off[w.side] += int64(n)
			b = b[n:]
		}
	}
	c.Close(0)
	c.Close(1)
	return c, s
}

var lines = [][2]string{{"REGISTER one", "200 OK"}, {strings.Repeat("long ", 9000), strings.Repeat("answer ", 5000)}, {"bye", "200 OK"}}

func said(lines [][2]string) (v [2]string) {
	for _, l := range lines {
		v[0] += l[0]
		v[1] += l[1]
	}
	return v
}

func check(t *testing.T, name string, s *seen, c *Conn, want [2]string) {
	t.Helper()
	for side := range want {
		if got := s.data[side].String(); got != want[side] {
			t.Errorf("%s: side %d: %d octets, want %d; %+v, end %d, %+v", name, side, len(got), len(want[side]), s.problems, s.end, c.info)
		}
	}
	if len(s.problems) > 0 || s.end != 0 || s.lost != [2]int{} {
		t.Errorf("%s: %+v, end %d, lost %v", name, s.problems, s.end, s.lost)
	}
}

// goSuites lists every suite of crypto/tls that can be negotiated, with its version.
func goSuites() (list []*tls.CipherSuite) {
	return append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
}
