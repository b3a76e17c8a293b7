package lab

import (
	"bytes"
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
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/output"
)

// wire notes what one side of a connection writes, in the order of both.
type wire struct {
	net.Conn
	server bool
	log    *[]TLSWrite
	mu     *sync.Mutex
}

func (w wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	*w.log = append(*w.log, TLSWrite{w.server, bytes.Clone(b)})
	w.mu.Unlock()
	return w.Conn.Write(b)
}

type tlsPair struct {
	client, server *tls.Conn
	log            []TLSWrite
	mu             sync.Mutex
}

// signedChain is a capture of the whole chain, its HTTP wrapped.
func signedChain(t *testing.T, wrap func(s *Stream, up bool, b []byte) []TLSWrite) (*Scene, []byte) {
	t.Helper()
	sys, err := NewSystem(Options{Seed: 21, Users: 1})
	if err != nil {
		t.Fatal(err)
	}
	var pcap bytes.Buffer
	c, err := sys.Capture(&pcap, ethernet())
	if err != nil {
		t.Fatal(err)
	}
	c.wrapTLS = wrap
	scenario, err := ScenarioByName("chain-signed")
	if err != nil {
		t.Fatal(err)
	}
	c.turns([]Scenario{scenario})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return c, pcap.Bytes()
}

// TestChainTLS wraps every HTTP connection of the chain in TLS: with the key log alone, the capture opens to its end.
func TestChainTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"mc.example.org"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var keyLog bytes.Buffer
		pairs := map[*Stream]*tlsPair{}
		c, pcap := signedChain(t, func(s *Stream, up bool, b []byte) []TLSWrite {
			p := pairs[s]
			if p == nil {
				p = &tlsPair{}
				a, z := tcpPair(t)
				p.client = tls.Client(wire{a, false, &p.log, &p.mu}, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &keyLog, MinVersion: version, MaxVersion: version, ServerName: "kms.example.org"})
				p.server = tls.Server(wire{z, true, &p.log, &p.mu}, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
				pairs[s] = p
			}
			from, to := p.client, p.server
			if !up {
				from, to = to, from
			}
			done := make(chan error, 1)
			go func() { _, err := from.Write(b); done <- err }()
			if _, err := io.ReadFull(to, make([]byte, len(b))); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			out := p.log
			p.log = nil
			return out
		})
		name := filepath.Join(t.TempDir(), "tls.pcap")
		if err := os.WriteFile(name, pcap, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := keys.Read("tls.log", keyLog.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, dormant := range []bool{true, false} {
			got := readTLS(t, name, m, dormant)
			n := c.Messages()
			switch {
			case strings.Count(got, `"record":"message"`) != n:
				t.Errorf("%x, dormant %v: %d messages, sent were %d", version, dormant, strings.Count(got, `"record":"message"`), n)
			case !strings.Contains(got, `"state":"recovered"`), strings.Contains(got, `"state":"no_key","key_id"`), strings.Contains(got, `"state":"failed"`), !strings.Contains(got, `"transport":"tls"`):
				t.Errorf("%x, dormant %v: not everything opens\n%s", version, dormant, got)
			case strings.Count(got, `"value":"eyJ`) < 1 || strings.Count(got, `"integrity":"verified"`) < 2:
				t.Errorf("%x, dormant %v: no token was opened, or no signature verified", version, dormant)
			}
		}
	}
}

func readTLS(t *testing.T, name string, m *keys.Material, dormant bool) string {
	t.Helper()
	form, err := output.New("json", output.Options{Clock: new(output.Clock)})
	if err != nil {
		t.Fatal(err)
	}
	opt := decode.Options{Want: form.Needs(), Ring: keys.NewRing(m, keys.RingLimits{}), Dormant: dormant, TwoPasses: !dormant}
	opt.Flow.TLSKeys = keys.NewTLSKeys(m)
	defer opt.Ring.Close()
	src, err := capture.Open([]string{name}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var out bytes.Buffer
	if _, err := decode.Run(context.Background(), src, opt, tlsSink{form, &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

type tlsSink struct {
	output.Format
	out *bytes.Buffer
}

func (s tlsSink) Encode(dst []byte, r *record.Record) []byte { return s.Append(dst, r) }
func (s tlsSink) Write(b []byte) error                       { _, err := s.out.Write(b); return err }

// tcpPair is a connection with room in both directions, which net.Pipe has not.
func tcpPair(t *testing.T) (a, z net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	got := make(chan net.Conn, 1)
	go func() { z, _ := l.Accept(); got <- z }()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	z = <-got
	t.Cleanup(func() { a.Close(); z.Close() })
	return a, z
}
