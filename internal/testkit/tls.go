package testkit

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
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// A TLSWrite is what one side of a connection sent at once; the client is side 0.
type TLSWrite struct {
	Side   int
	Octets []byte
}

// tap records what goes through both ends of a connection, in order.
type tap struct {
	net.Conn
	side int
	mu   *sync.Mutex
	log  *[]TLSWrite
}

func (t *tap) Write(b []byte) (int, error) {
	t.mu.Lock()
	*t.log = append(*t.log, TLSWrite{t.side, bytes.Clone(b)})
	t.mu.Unlock()
	return t.Conn.Write(b)
}

// A KeyLog finds secrets in the text of a TLS key log that is written to it.
type KeyLog struct {
	bytes.Buffer
	RSA  *rsa.PrivateKey
	More bool // it may grow
}

// Secret finds one by label and client random.
func (k *KeyLog) Secret(label string, random [32]byte) []byte {
	for line := range strings.Lines(k.String()) {
		if w := strings.Fields(line); len(w) == 3 && w[0] == label && w[1] == hex.EncodeToString(random[:]) {
			b, _ := hex.DecodeString(w[2])
			return b
		}
	}
	return nil
}

// Premaster opens with RSA.
func (k *KeyLog) Premaster(b []byte) []byte {
	if k.RSA == nil {
		return nil
	}
	//lint:ignore SA1019 the key exchange of TLS is PKCS #1 v1.5
	pre, err := rsa.DecryptPKCS1v15(nil, k.RSA, b)
	if err != nil {
		return nil
	}
	return pre
}

// Growing says More.
func (k *KeyLog) Growing() bool { return k.More }

// TLSKey is the RSA key of the second of TLSCertificates.
var TLSKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

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

// TLSCertificates are self-signed ones for sip.example.org, with ECDSA and RSA.
func TLSCertificates(t testing.TB) []tls.Certificate {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{certificate(t, ec, &ec.PublicKey, "sip.example.org"), certificate(t, TLSKey(), &TLSKey().PublicKey, "sip.example.org")}
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

// Converse runs one TLS connection: the client says what, the server answers; both in turn. Errors are returned, the
// client's first.
func Converse(client, server *tls.Config, lines [][2]string) (log []TLSWrite, errs [2]error) {
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

// AppendTLS writes a connection and its keys down: a line for each write, side and octets in hex, then the key log.
func AppendTLS(dst []byte, log []TLSWrite, k *KeyLog) []byte {
	for _, w := range log {
		dst = fmt.Appendf(dst, "%d %x\n", w.Side, w.Octets)
	}
	return append(append(dst, '\n'), k.Bytes()...)
}

// ReadTLS reads what AppendTLS wrote. Fuzz tests need connections that are the same in each of their processes.
func ReadTLS(t testing.TB, name string) (log []TLSWrite, k *KeyLog) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	writes, keys, _ := bytes.Cut(b, []byte("\n\n"))
	for line := range bytes.Lines(writes) {
		side, octets, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		x, err := hex.DecodeString(octets)
		if err != nil || len(side) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		log = append(log, TLSWrite{int(side[0] - '0'), x})
	}
	k = &KeyLog{}
	k.Write(keys)
	return log, k
}
