package lab

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/keys"
)

// heard notes what goes through the client's end of a connection, in both directions.
type heard struct {
	net.Conn
	p *tlsPair
}

func (h heard) note(server bool, b []byte) {
	h.p.mu.Lock()
	h.p.log = append(h.p.log, TLSWrite{server, bytes.Clone(b)})
	h.p.mu.Unlock()
}

func (h heard) Write(b []byte) (int, error) {
	h.note(false, b)
	return h.Conn.Write(b)
}

func (h heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 {
		h.note(true, b[:n])
	}
	return n, err
}

// A webPeer carries one connection's exchanges between net/http's own client and server.
type webPeer struct {
	tlsPair
	rt     *http.Transport
	url    string
	asked  chan bool // the server has read the request
	answer chan *http.Response
	got    chan error // the client has read the response
}

func newWebPeer(t *testing.T, proto string, keyLog io.Writer) *webPeer {
	p := &webPeer{asked: make(chan bool), answer: make(chan *http.Response), got: make(chan error, 1)}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		p.asked <- true
		a := <-p.answer
		body, _ := io.ReadAll(a.Body)
		for name, v := range a.Header {
			w.Header()[name] = v
		}
		w.Header().Del("Content-Length")
		var coded bytes.Buffer
		if len(body) > 0 {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(&coded)
			z.Write(body)
			z.Close()
		}
		w.WriteHeader(a.StatusCode)
		for b := range slices.Chunk(coded.Bytes(), 500) { // chunks, or DATA frames
			w.Write(b)
			w.(http.Flusher).Flush()
		}
	}))
	srv.EnableHTTP2 = proto == "h2"
	srv.StartTLS()
	t.Cleanup(srv.Close)
	p.url = srv.Listener.Addr().String()
	p.rt = &http.Transport{ForceAttemptHTTP2: proto == "h2", DisableCompression: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, KeyLogWriter: keyLog, ServerName: "kms.example.org", NextProtos: []string{proto}, CurvePreferences: []tls.CurveID{tls.X25519}},
		DialContext: func(ctx context.Context, network, at string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, at)
			return heard{c, &p.tlsPair}, err
		}}
	t.Cleanup(p.rt.CloseIdleConnections)
	return p
}

// say sends what the lab wrote as HTTP/1.1 through the client or the server and returns what went over the wire.
func (p *webPeer) say(t *testing.T, up bool, b []byte) []TLSWrite {
	in := bufio.NewReader(bytes.NewReader(b))
	if up {
		q, err := http.ReadRequest(in)
		if err != nil {
			t.Fatal(err)
		}
		q.RequestURI, q.URL.Scheme, q.URL.Host = "", "https", p.url
		go func() {
			a, err := p.rt.RoundTrip(q)
			if err == nil {
				_, err = io.Copy(io.Discard, a.Body)
				a.Body.Close()
			}
			p.got <- err
		}()
		select {
		case <-p.asked:
		case err := <-p.got:
			t.Fatal(err)
		}
	} else {
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.answer <- a
		if err := <-p.got; err != nil {
			t.Fatal(err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.log
	p.log = nil
	return out
}

// lockedBuffer is a key log of several connections.
type lockedBuffer struct {
	bytes.Buffer
	mu sync.Mutex
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

// TestChainHTTP has the whole chain go over net/http's own client and server in TLS, HTTP/2 and HTTP/1.1 as ALPN says,
// with gzip and chunks: the key log alone opens everything, and tshark sees the same requests and responses.
func TestChainHTTP(t *testing.T) {
	for _, proto := range []string{"h2", "http/1.1"} {
		t.Run(strings.ReplaceAll(proto, "/", ""), func(t *testing.T) {
			var keyLog lockedBuffer
			peers := map[*Stream]*webPeer{}
			c, pcap := signedChain(t, func(s *Stream, up bool, b []byte) []TLSWrite {
				if peers[s] == nil {
					peers[s] = newWebPeer(t, proto, &keyLog)
				}
				return peers[s].say(t, up, b)
			})
			dir := t.TempDir()
			name, log := filepath.Join(dir, "web.pcap"), filepath.Join(dir, "tls.log")
			for path, b := range map[string][]byte{name: pcap, log: keyLog.Bytes()} {
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			m, err := keys.Read("tls.log", keyLog.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			got := readTLS(t, name, m, false)
			version := map[string]string{"h2": "2", "http/1.1": "1.1"}[proto]
			mine := httpLines(t, got, version)
			switch {
			case strings.Count(got, `"record":"message"`) != c.Messages():
				t.Errorf("%d messages, sent were %d", strings.Count(got, `"record":"message"`), c.Messages())
			case strings.Contains(got, `"state":"failed"`), strings.Contains(got, `"state":"no_key","key_id"`), strings.Count(got, `"integrity":"verified"`) < 2, strings.Count(got, `"value":"eyJ`) < 1:
				t.Errorf("not everything opens\n%s", got)
			case strings.Count(got, `"content_encoding":"gzip"`) < 5, !strings.Contains(got, `"alpn":"`+proto+`"`), strings.Count(got, `"kms":{`) < 4:
				t.Errorf("not over gzip, %s, with a KMS\n%s", proto, got)
			case len(mine) < 20:
				t.Errorf("%d HTTP messages", len(mine))
			}
			if _, err := exec.LookPath("tshark"); err != nil {
				t.Skip("tshark is not installed")
			}
			its := tsharkHTTP(t, name, log, version)
			t.Logf("%d messages here, %d in tshark", len(mine), len(its))
			if !slices.Equal(mine, its) {
				t.Errorf("here:   %q\ntshark: %q", mine, its)
			}
		})
	}
}

// httpLines are "method target" and "status" of every HTTP message, sorted.
func httpLines(t *testing.T, ndjson, version string) (out []string) {
	for line := range strings.Lines(ndjson) {
		var r struct {
			HTTP *struct {
				Type, Version, Method, Target string
				Status                        int
			}
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		switch h := r.HTTP; {
		case h == nil:
		case h.Version != version:
			t.Errorf("version %s", h.Version)
		case h.Type == "request":
			out = append(out, h.Method+" "+h.Target)
		default:
			out = append(out, strconv.Itoa(h.Status))
		}
	}
	slices.Sort(out)
	return out
}

// tsharkHTTP is the same of tshark.
func tsharkHTTP(t *testing.T, pcap, log, version string) (out []string) {
	fields := []string{"http.request.method", "http.request.uri", "http.response.code"}
	if version == "2" {
		fields = []string{"http2.headers.method", "http2.headers.path", "http2.headers.status"}
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	args := []string{"-n", "-r", pcap, "-o", "tls.keylog_file:" + log, "-d", "tcp.port==80,tls", "-Y", cmp.Or(map[string]string{"2": "http2"}[version], "http"), "-T", "fields", "-E", "aggregator=^"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	b, err := exec.CommandContext(ctx, "tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		var v [3][]string
		for i, s := range strings.Split(strings.TrimRight(line, "\r\n"), "\t") {
			if s != "" {
				v[i] = strings.Split(s, "^")
			}
		}
		for i, method := range v[0] {
			out = append(out, method+" "+v[1][i])
		}
		out = append(out, v[2]...)
	}
	slices.Sort(out)
	return out
}
