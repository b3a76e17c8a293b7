package flow

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// clientTap records both directions of a connection as its client sees them.
type clientTap struct {
	net.Conn
	mu  *sync.Mutex
	log *[]testkit.TLSWrite
}

func (c *clientTap) keep(side int, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.log = append(*c.log, testkit.TLSWrite{Side: side, Octets: bytes.Clone(b)})
}

func (c *clientTap) Write(b []byte) (int, error) {
	c.keep(0, b)
	return c.Conn.Write(b)
}

func (c *clientTap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.keep(1, b[:n])
	}
	return n, err
}

// TestTLSHTTP2: what Go's own server and client say in HTTP/2 over TLS 1.3.
func TestTLSHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "answer to "+r.URL.Path)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	var mu sync.Mutex
	var log []testkit.TLSWrite
	k := &testkit.KeyLog{}
	tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, KeyLogWriter: k, ServerName: "kms.example.org"},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &clientTap{c, &mu, &log}, err
		}}
	for _, path := range []string{"/keymanagement/identity/v1/init", "/keymanagement/identity/v1/keyprov"} {
		resp, err := (&http.Client{Transport: tr}).Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Fatal(resp.Proto)
		}
	}
	tr.CloseIdleConnections()
	mu.Lock()
	defer mu.Unlock()
	f := newTLSFeed(Config{TLSKeys: k})
	f.play(log, 1400)
	f.d.Flush()
	n := 0
	for _, u := range f.units {
		h := u.HTTP
		if h == nil || h.Version != "2" || u.Transport != OverTLS || u.TLS == nil || u.TLS.ALPN != "h2" || u.TLS.State != TLSDecrypted {
			t.Errorf("%+v %+v", u, h)
			continue
		}
		if n++; !h.Request && (h.RequestTarget == "" || !strings.HasSuffix(string(u.Data), "answer to "+h.RequestTarget)) {
			t.Errorf("%+v %q", h, u.Data)
		}
	}
	if n != 4 {
		t.Errorf("%d messages, %v, %+v", n, f.findings, f.d.stats)
	}
}
