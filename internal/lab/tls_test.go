package lab

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"os"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

var recordTLS = flag.Bool("record-tls", false, "record tls_talks.txt anew")

// TestRecordTLS holds the recorded connections to their form. They are a REGISTER over TLS 1.3, a handshake that the
// client ends since it does not know the issuer, and a connection without a key.
func TestRecordTLS(t *testing.T) {
	if *recordTLS {
		var register, answer []byte
		err := dialogs(40, func(w *World) {
			d := w.Dialog()
			register, answer = w.Register(d, "TLS", KnownCSK(), both), ok(d, "TLS")
		})(&bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		certs := testkit.TLSCertificates(t)[:1]
		var all []byte
		for _, x := range []struct {
			client *tls.Config
			lines  [][2]string
		}{
			{&tls.Config{InsecureSkipVerify: true}, [][2]string{{string(register), string(answer)}}},
			{&tls.Config{MaxVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}, nil},
			{&tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true}, [][2]string{{"\r\n\r\n", "\r\n"}}},
		} {
			k := &testkit.KeyLog{}
			x.client.KeyLogWriter, x.client.ServerName, x.client.CurvePreferences = k, "sip.example.org", []tls.CurveID{tls.X25519}
			log, _ := testkit.Converse(x.client, &tls.Config{Certificates: certs}, x.lines)
			talk := TLSTalk{Keys: k.Bytes()}
			for _, w := range log {
				talk.Writes = append(talk.Writes, TLSWrite{w.Side == 1, w.Octets})
			}
			all = AppendTLSTalk(all, talk)
		}
		if err := os.WriteFile("tls_talks.txt", all, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile("tls_talks.txt")
	if err != nil {
		t.Fatal(err)
	}
	talks, err := ParseTLSTalks(b)
	if err != nil || len(talks) != 3 {
		t.Fatal(len(talks), err)
	}
	var again []byte
	for _, x := range talks {
		again = AppendTLSTalk(again, x)
	}
	if !bytes.Equal(again, b) {
		t.Error("written and read again it is another")
	}
}
