package tlsopen

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// TestSuites opens a conversation in every suite of crypto/tls that it does not leave out by design, in pieces of
// several sizes.
func TestSuites(t *testing.T) {
	certs := testkit.TLSCertificates(t)
	for _, s := range goSuites() {
		for _, v := range s.SupportedVersions {
			if strings.Contains(s.Name, "RC4") {
				continue
			}
			name := fmt.Sprintf("%s in %s", s.Name, VersionName(v))
			k := &testkit.KeyLog{}
			cfg := &tls.Config{CipherSuites: []uint16{s.ID}, MinVersion: v, MaxVersion: v, InsecureSkipVerify: true, KeyLogWriter: k, ServerName: "sip.example.org", NextProtos: []string{"h2"}}
			log, errs := testkit.Converse(cfg, &tls.Config{Certificates: certs, MinVersion: v, MaxVersion: v, CipherSuites: []uint16{s.ID}, NextProtos: []string{"h2"}}, lines)
			if errs[0] != nil {
				t.Errorf("%s: %v", name, errs)
				continue
			}
			for _, size := range []int{0, 1, 7, 1448} {
				c, got := replay(log, k, nil, size)
				check(t, name, got, c, said(lines))
				if c.info.SNI != "sip.example.org" || c.info.ALPN != "h2" || c.info.Version != v || v < tls.VersionTLS13 && SuiteName(c.info.Suite) != s.Name || !c.info.Finished || !c.info.Opened {
					t.Errorf("%s: %+v", name, c.info)
				}
				if c.info.Certificates != 1 || c.info.Client != 0 {
					t.Errorf("%s: %+v", name, c.info)
				}
			}
			c, got := replay(log, &testkit.KeyLog{}, nil, 0)
			if got.end != EndNoKey || !c.info.Finished || got.data[0].Len()+got.data[1].Len() > 0 || len(got.problems) > 0 {
				t.Errorf("%s without a key: end %d %+v %+v", name, got.end, c.info, got.problems)
			}
		}
	}
}

func TestRSAKey(t *testing.T) {
	certs := testkit.TLSCertificates(t)
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12} {
		cfg := &tls.Config{CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, MinVersion: v, MaxVersion: v, InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4), ServerName: "a"}
		srv := &tls.Config{Certificates: certs[1:], MinVersion: v, MaxVersion: v, CipherSuites: cfg.CipherSuites}
		k, sess := &testkit.KeyLog{RSA: testkit.TLSKey()}, NewSessions(10)
		for i := range 2 {
			log, errs := testkit.Converse(cfg, srv, lines)
			if errs[0] != nil {
				t.Fatal(errs)
			}
			c, got := replay(log, k, sess, 0)
			check(t, VersionName(v), got, c, said(lines))
			if c.info.Resumed != (i == 1) {
				t.Errorf("%s, connection %d: %+v", VersionName(v), i, c.info)
			}
		}
		if sess.Len() == 0 {
			t.Error("nothing remembered")
		}
	}
}

func TestResumption(t *testing.T) {
	certs := testkit.TLSCertificates(t)
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		k, sess := &testkit.KeyLog{}, NewSessions(10) // the client of crypto/tls does not log the secret of a session that it resumes in TLS 1.2
		cfg := &tls.Config{MinVersion: v, MaxVersion: v, InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4), ServerName: "a", KeyLogWriter: k}
		srv := &tls.Config{Certificates: certs}
		for i := range 2 {
			log, errs := testkit.Converse(cfg, srv, lines)
			if errs[0] != nil {
				t.Fatal(errs)
			}
			c, got := replay(log, k, sess, 0)
			check(t, VersionName(v), got, c, said(lines))
			if c.info.Resumed != (i == 1) {
				t.Errorf("%s, connection %d: %+v", VersionName(v), i, c.info)
			}
		}
	}
}

func TestHelloRetry(t *testing.T) {
	k := &testkit.KeyLog{}
	cfg := &tls.Config{InsecureSkipVerify: true, KeyLogWriter: k, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP384}}
	log, errs := testkit.Converse(cfg, &tls.Config{Certificates: testkit.TLSCertificates(t), CurvePreferences: []tls.CurveID{tls.CurveP384}}, lines)
	if errs[0] != nil {
		t.Fatal(errs)
	}
	c, got := replay(log, k, nil, 0)
	check(t, "retry", got, c, said(lines))
	if !c.info.Retried {
		t.Errorf("%+v", c.info)
	}
}

// TestFailed: who ended the handshake and why, with the key log and without it.
func TestFailed(t *testing.T) {
	certs := testkit.TLSCertificates(t)
	for _, x := range []struct {
		name           string
		client, server *tls.Config
		alert          string
		by             int
		hidden         bool // without a key the alert is not readable
	}{
		{"1.2 ca", &tls.Config{MaxVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), ServerName: "sip.example.org"}, &tls.Config{}, "bad_certificate", 0, false},
		{"1.3 ca", &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "sip.example.org"}, &tls.Config{}, "bad_certificate", 0, true},
		{"alpn", &tls.Config{NextProtos: []string{"sip"}, InsecureSkipVerify: true}, &tls.Config{NextProtos: []string{"h2"}}, "no_application_protocol", 1, false},
		{"version", &tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true}, &tls.Config{MinVersion: tls.VersionTLS13}, "protocol_version", 1, false},
		{"1.3 client certificate", &tls.Config{InsecureSkipVerify: true}, &tls.Config{ClientAuth: tls.RequireAnyClientCert}, "certificate_required", 1, true},
		{"1.2 client certificate", &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}, &tls.Config{ClientAuth: tls.RequireAnyClientCert}, "handshake_failure", 1, false},
	} {
		k := &testkit.KeyLog{}
		x.client.KeyLogWriter = k
		x.server.Certificates = certs
		log, _ := testkit.Converse(x.client, x.server, lines[:1])
		c, got := replay(log, k, nil, 0)
		if len(got.alerts) != 1 || got.alerts[0].Name() != x.alert {
			t.Errorf("%s: %v, %+v", x.name, got.alerts, c.info)
		}
		c, got = replay(log, &testkit.KeyLog{}, nil, 0)
		if x.hidden && (c.info.HiddenAlert != x.by || got.end != EndHidden) || !x.hidden && (len(got.alerts) != 1 || c.info.HiddenAlert >= 0) {
			t.Errorf("%s without a key: %v, end %d, %+v", x.name, got.alerts, got.end, c.info)
		}
	}
}
