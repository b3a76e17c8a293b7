package flow

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bufio"
)

// A talk writes both directions of a connection: 0 is the client.
type talk struct {
	f   *feed
	off [2]uint32
	mss int
}

const talkISN = 1000

func newTalk(cfg Config) (*talk, *feed) {
	f := newFeed(cfg)
	return &talk{f: f, mss: 1 << 20}, f
}

func (k *talk) frame(side int, flags byte, off uint32, b string) {
	ip := []ipHeader{{proto: protoTCP, src: "192.0.2.1", dst: "192.0.2.2"}, {proto: protoTCP, src: "192.0.2.2", dst: "192.0.2.1"}}[side]
	ports := [][2]int{{40000, 8080}, {8080, 40000}}[side]
	k.f.frame(build(etherHeader{etIPv4}, ip, tcpHeader{sport: ports[0], dport: ports[1], seq: talkISN + 1 + off, ack: talkISN + 1 + k.off[1-side], flags: flags}, b))
}

func (k *talk) open() *talk {
	k.frame(0, tcpSYN, ^uint32(0), "")
	k.frame(1, tcpSYN|tcpACK, ^uint32(0), "")
	return k
}

func (k *talk) send(side int, s string) *talk {
	for len(s) > 0 {
		n := min(len(s), k.mss, 60000)
		k.frame(side, tcpACK, k.off[side], s[:n])
		k.off[side] += uint32(n)
		s = s[n:]
	}
	return k
}

func (k *talk) client(s string) *talk { return k.send(0, s) }
func (k *talk) server(s string) *talk { return k.send(1, s) }

// lose leaves octets of a direction out of the capture.
func (k *talk) lose(side, n int) *talk { k.off[side] += uint32(n); return k }

func (k *talk) close() *talk {
	for side := range 2 {
		k.frame(side, tcpFIN|tcpACK, k.off[side], "")
	}
	return k
}

func (k *talk) end() *feed { k.f.d.Flush(); return k.f }

// brief writes an HTTP unit as a line that a test can compare.
func brief(u *Unit) string {
	h := u.HTTP
	if h == nil {
		return "not HTTP: " + string(u.Data[:min(20, len(u.Data))])
	}
	s := fmt.Sprintf("%d %s", h.Status, h.RequestMethod+" "+h.RequestTarget)
	if h.Request {
		s = h.Method + " " + h.Target
	}
	s = fmt.Sprintf("%s #%d", strings.TrimSpace(s), h.Exchange)
	if h.Stream != 0 {
		s += fmt.Sprintf("/%d", h.Stream)
	}
	if b := u.Data[h.HeaderEnd:h.ContentEnd]; len(b) > 40 {
		s += fmt.Sprintf(" [%d octets]", len(b))
	} else if len(b) > 0 {
		s += fmt.Sprintf(" %q", b)
	}
	for _, f := range h.Header {
		if f.Trailer {
			s += " +" + f.Name
		}
	}
	if u.Truncated {
		s += " cut"
	}
	for _, f := range u.Findings {
		s += " !" + f.ID
	}
	return s
}

func briefs(f *feed) (out []string) {
	for _, u := range f.units {
		out = append(out, brief(u))
	}
	for _, x := range f.findings {
		out = append(out, "finding "+x.ID)
	}
	return out
}

// checkHTTP holds what is true of every HTTP unit.
func checkHTTP(t testing.TB, f *feed) {
	t.Helper()
	for _, u := range f.units {
		h := u.HTTP
		if h == nil {
			continue
		}
		if h.HeaderEnd < 0 || h.ContentEnd < h.HeaderEnd || h.ContentEnd > len(u.Data) || h.Conn == 0 || len(u.Frames) == 0 || len(u.Segments) == 0 {
			t.Fatalf("%d %d of %d, %+v", h.HeaderEnd, h.ContentEnd, len(u.Data), u)
		}
		for i := range h.Header {
			x := &h.Header[i]
			if int(x.Off)+int(x.Len) > len(u.Data) {
				t.Fatalf("field %+v lies outside", x)
			}
			if raw := string(u.Data[x.Off : x.Off+x.Len]); int(x.Len) == len(x.Value) && h.Stream == 0 && raw != x.Value {
				t.Fatalf("field %q is at %q", x.Value, raw)
			}
		}
		for _, x := range u.Findings {
			if x.HasRange && int(x.Off)+int(x.Len) > len(u.Data) {
				t.Fatalf("finding %+v lies outside of %d octets", x, len(u.Data))
			}
		}
		for i, s := range u.Segments {
			if !slices.Contains(u.Frames, s.Frame) || i > 0 && s.Off < u.Segments[i-1].Off || int(s.Off) > len(u.Data) {
				t.Fatalf("segments %v, frames %v", u.Segments, u.Frames)
			}
		}
	}
}

func get(target string, more ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: kms.example.org\r\n" + strings.Join(more, "") + "\r\n"
}

func ok(body string, more ...string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", len(body), strings.Join(more, ""), body)
}

const (
	chunked = "Transfer-Encoding: chunked\r\n"
	kmsInit = "/keymanagement/identity/v1/init"
)

type line struct {
	side int
	s    string
}

func c(s string) line { return line{0, s} }
func s(s string) line { return line{1, s} }

var http1Cases = []struct {
	name  string
	lines []line
	want  []string
}{
	{"one exchange", []line{c(get("/a")), s(ok("hello"))}, []string{"GET /a #1", `200 GET /a #1 "hello"`}},
	{"keep-alive", []line{c(get("/a")), s(ok("1")), c(get("/b")), s(ok("2"))}, []string{"GET /a #1", `200 GET /a #1 "1"`, "GET /b #2", `200 GET /b #2 "2"`}},
	{"pipelined", []line{c(get("/a") + get("/b") + get("/c")), s(ok("1") + ok("2") + ok("3"))},
		[]string{"GET /a #1", "GET /b #2", "GET /c #3", `200 GET /a #1 "1"`, `200 GET /b #2 "2"`, `200 GET /c #3 "3"`}},
	{"post", []line{c("POST /x HTTP/1.1\r\nHost: kms\r\nContent-Length: 3\r\n\r\nabc" + get("/b")), s(ok("") + ok("2"))},
		[]string{`POST /x #1 "abc"`, "GET /b #2", "200 POST /x #1", `200 GET /b #2 "2"`}},
	{"head", []line{c("HEAD /a HTTP/1.1\r\nHost: kms\r\n\r\n" + get("/b")), s("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + ok("2"))},
		[]string{"HEAD /a #1", "GET /b #2", "200 HEAD /a #1", `200 GET /b #2 "2"`}},
	{"continue and early hints", []line{c("PUT /a HTTP/1.1\r\nHost: kms\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"), s("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), c("ab"), s(ok("1"))},
		[]string{"100 PUT /a #1", "103 PUT /a #1", `PUT /a #1 "ab"`, `200 PUT /a #1 "1"`}},
	{"204 and 304", []line{c(get("/a") + get("/b") + get("/c")), s("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n" + ok("3"))},
		[]string{"GET /a #1", "GET /b #2", "GET /c #3", "204 GET /a #1", "304 GET /b #2", `200 GET /c #3 "3"`}},
	{"chunked", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\n" + chunked + "\r\n5\r\nhello\r\n1;x=\"y\"\r\n!\r\n0\r\n\r\n" + ok("n"))},
		[]string{"GET /a #1", `200 GET /a #1 "hello!"`, `200 #2 "n"`}},
	{"trailers", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\n" + chunked + "\r\n3\r\nabc\r\n00\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n")},
		[]string{"GET /a #1", `200 GET /a #1 "abc" +X-Sum +X-More`}},
	{"close-delimited", []line{c("GET /a HTTP/1.0\r\nHost: kms\r\n\r\n"), s("HTTP/1.0 200 OK\r\n\r\nall of it")}, []string{"GET /a #1", `200 GET /a #1 "all of it"`}},
	{"bare LF", []line{c("GET /a HTTP/1.1\nHost: kms\n\n"), s(ok("1"))}, []string{"GET /a #1 !http-bare-lf", `200 GET /a #1 "1"`}},
	{"folded", []line{c(get("/a", "X-A: 1\r\n  2\r\n\t3\r\n")), s(ok("1"))}, []string{"GET /a #1 !http-fold", `200 GET /a #1 "1"`}},
	{"empty lines before", []line{c("\r\n\r\n" + get("/a") + "\r\n" + get("/b")), s(ok("1") + "\r\n" + ok("2"))},
		[]string{"GET /a #1", "GET /b #2", `200 GET /a #1 "1"`, `200 GET /b #2 "2"`}},
	{"lengths that agree", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab")}, []string{"GET /a #1", `200 GET /a #1 "ab" !http-length-repeated`}},
	{"list of lengths", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab")}, []string{"GET /a #1", `200 GET /a #1 "ab" !http-length-repeated`}},
	{"lengths that differ", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab")}, []string{"GET /a #1", `200 GET /a #1 "ab" !http-length-conflict`}},
	{"length and chunks", []line{c("POST /a HTTP/1.1\r\nHost: kms\r\nContent-Length: 3\r\n" + chunked + "\r\n1\r\nx\r\n0\r\n\r\n"), s(ok("1"))},
		[]string{`POST /a #1 "x" !http-length-conflict`, `200 POST /a #1 "1"`}},
	{"no number", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab")}, []string{"GET /a #1", `200 GET /a #1 "ab" !http-length`}},
	{"space before the colon", []line{c("POST /a HTTP/1.1\r\nHost: kms\r\nContent-Length : 2\r\n\r\nab"), s(ok("1"))}, []string{`POST /a #1 "ab" !http-field-space`, `200 POST /a #1 "1"`}},
	{"unknown coding", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nab")}, []string{"GET /a #1", `200 GET /a #1 "ab" !http-transfer-encoding`}},
	{"chunked twice", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n")}, []string{"GET /a #1", "200 GET /a #1 !http-transfer-encoding"}},
	{"bad chunk", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\n" + chunked + "\r\n3\r\nabc\r\nzz\r\nrest"), c(get("/b")), s(ok("2"))},
		[]string{"GET /a #1", `200 GET /a #1 "abc" cut !http-framing`, "GET /b #2", `200 GET /b #2 "2"`}},
	{"chunk too long", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\n" + chunked + "\r\n3\r\nabcdef\r\n0\r\n\r\n")}, []string{"GET /a #1", `200 GET /a #1 "abc" cut !http-framing`}},
	{"chunk with LF", []line{c(get("/a")), s("HTTP/1.1 200 OK\r\n" + chunked + "\r\n3\nabc\n0\r\n\r\n")}, []string{"GET /a #1", `200 GET /a #1 "abc" !http-bare-lf !http-bare-lf`}},
	{"no host", []line{c("GET /keymanagement/ HTTP/1.1\r\n\r\n"), s(ok("1"))}, []string{"GET /keymanagement/ #1 !http-host", `200 GET /keymanagement/ #1 "1"`}},
	{"absolute target", []line{c("GET http://kms.example.org/a HTTP/1.1\r\nHost: proxy\r\n\r\n"), s(ok("1"))}, []string{"GET http://kms.example.org/a #1", `200 GET http://kms.example.org/a #1 "1"`}},
	{"line that is no field", []line{c(get("/a", "rubbish\r\n")), s(ok("1"))}, []string{"GET /a #1 !http-field", `200 GET /a #1 "1"`}},
	{"content with 204", []line{c(get("/a")), s("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n")}, []string{"GET /a #1", "204 GET /a #1 !http-content-barred"}},
	{"junk between", []line{c(get("/a")), s(ok("1") + "rubbish of some length that begins nothing\r\n"), c(get("/b")), s(ok("2"))},
		[]string{"GET /a #1", `200 GET /a #1 "1"`, "GET /b #2", `200 GET /b #2 "2"`, "finding stream-junk"}},
	{"tunnel", []line{c("CONNECT kms.example.org:443 HTTP/1.1\r\nHost: kms.example.org:443\r\n\r\n"), s("HTTP/1.1 200 OK\r\n\r\n"), c(get("/in")), s(ok("1"))},
		[]string{"CONNECT kms.example.org:443 #1", "200 CONNECT kms.example.org:443 #1", "GET /in #2", `200 GET /in #2 "1"`}},
	{"tunnel refused", []line{c("CONNECT kms:443 HTTP/1.1\r\nHost: kms:443\r\n\r\n"), s("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"), c(get("/in")), s(ok("1"))},
		[]string{"CONNECT kms:443 #1", "407 CONNECT kms:443 #1", "GET /in #2", `200 GET /in #2 "1"`}},
	{"SIP in a tunnel", []line{c("CONNECT kms:5060 HTTP/1.1\r\nHost: kms:5060\r\n\r\n"), s("HTTP/1.1 200 OK\r\n\r\n"), c(request("BYE", 0))},
		[]string{"CONNECT kms:5060 #1", "200 CONNECT kms:5060 #1", "not HTTP: BYE sip:mcptt-server"}},
	{"upgrade ignored", []line{c(get("/a", "Upgrade: h2c\r\nConnection: upgrade\r\n")), s(ok("1")), c(get("/b")), s(ok("2"))},
		[]string{"GET /a #1", `200 GET /a #1 "1"`, "GET /b #2", `200 GET /b #2 "2"`}},
	{"upgrade to something else", []line{c(get("/a", "Upgrade: other\r\nConnection: upgrade\r\n")), s("HTTP/1.1 101 Switching\r\nUpgrade: other\r\n\r\n\x01\x02"), c("\x05\x06")},
		[]string{"GET /a #1", "101 GET /a #1"}},
	{"no answer", []line{c(get("/a"))}, []string{"GET /a #1"}},
	{"no request", []line{s(ok("", "Content-Type: application/vnd.3gpp.mcptt-info+xml\r\n"))}, []string{"200 #1"}},
}

// play writes a case in segments of a size, first with both directions from their beginnings.
func play(lines []line, size int) *feed {
	k, _ := newTalk(Config{})
	k.mss = size
	k.open()
	for _, l := range lines {
		k.send(l.side, l.s)
	}
	k.close()
	return k.end()
}

// TestHTTP1: the framing of RFC 9112, in segments of every kind: the same messages, findings and exchanges.
func TestHTTP1(t *testing.T) {
	for _, x := range http1Cases {
		for _, size := range []int{1 << 20, 100, 17, 3, 2, 1} {
			f := play(x.lines, size)
			if got := briefs(f); !slices.Equal(got, x.want) {
				t.Errorf("%s in segments of %d:\ngot  %q\nwant %q\n%+v", x.name, size, got, x.want, f.d.stats)
			}
			checkHTTP(t, f)
			if f.d.streams.bytes() != 0 {
				t.Errorf("%s: %d octets held", x.name, f.d.streams.bytes())
			}
		}
	}
}

// TestHTTPEveryCut: a case whose last octets are missing gives what came before, and never more.
func TestHTTPEveryCut(t *testing.T) {
	for _, x := range http1Cases {
		for i := range x.lines {
			for n := range len(x.lines[i].s) {
				k, f := newTalk(Config{})
				k.open()
				for _, l := range x.lines[:i] {
					k.send(l.side, l.s)
				}
				k.send(x.lines[i].side, x.lines[i].s[:n])
				k.end()
				checkHTTP(t, f)
				if len(f.units) > len(x.want)+1 {
					t.Fatalf("%s cut at %d:%d: %q", x.name, i, n, briefs(f))
				}
			}
		}
	}
}

// TestHTTPEverySplit: two segments, split at every octet.
func TestHTTPEverySplit(t *testing.T) {
	for _, x := range http1Cases {
		if len(x.lines) < 2 {
			continue
		}
		for side := range 2 {
			all := ""
			for _, l := range x.lines {
				if l.side == side {
					all += l.s
				}
			}
			var want []string
			for n := range all {
				k, f := newTalk(Config{AllHTTP: true})
				k.open()
				k.send(side, all[:n])
				k.send(side, all[n:])
				k.close()
				k.end()
				if got := briefs(f); n == 0 {
					want = got
				} else if !slices.Equal(got, want) {
					t.Fatalf("%s side %d split at %d:\ngot  %q\nwant %q", x.name, side, n, got, want)
				}
			}
		}
	}
}

func TestHTTPOther(t *testing.T) {
	movie := strings.Repeat("m", 300000)
	k, f := newTalk(Config{})
	k.open().client("GET /movie HTTP/1.1\r\nHost: www.example.org\r\n\r\n").server(ok(movie))
	if n := f.d.streams.bytes(); n > 16<<10 {
		t.Errorf("%d octets held", n)
	}
	k.client("GET /b HTTP/1.1\r\nHost: www.example.org\r\n\r\n").lose(1, 5000).server(ok("1"))
	k.close().end()
	if len(f.units) != 0 || len(f.findings) != 0 || f.d.stats.HTTPOther < 3 || f.d.stats.Gaps != 0 {
		t.Errorf("%q %+v", briefs(f), f.d.stats)
	}
	k, f = newTalk(Config{AllHTTP: true})
	k.open().client("GET /movie HTTP/1.1\r\nHost: www.example.org\r\n\r\n").server(ok(movie)).close().end()
	if got := briefs(f); !slices.Equal(got, []string{"GET /movie #1", "200 GET /movie #1 [300000 octets]"}) {
		t.Errorf("%q", got)
	}
}

// TestHTTPGap: what is missing is told, and the exchanges after it are right again.
func TestHTTPGap(t *testing.T) {
	for _, x := range []struct {
		name string
		do   func(k *talk)
		want []string
	}{
		{"inside content", func(k *talk) {
			k.open().client(get("/a")).server(ok(strings.Repeat("x", 500))[:100]).lose(1, 50).server(strings.Repeat("x", 500+len(ok(strings.Repeat("x", 500)))-500-150)).client(get("/b")).server(ok("2"))
		}, []string{"GET /a #1", "GET /b #2", `200 GET /a #1 [60 octets] cut !tcp-gap`, `200 GET /b #2 "2"`}},
		{"a response", func(k *talk) {
			k.open().client(get("/a")).lose(1, len(ok("1"))).client(get("/b")).server(ok("2")).client(get("/c")).server(ok("3"))
		}, []string{"GET /a #1", "GET /b #2", "GET /c #3", `200 GET /b #2 "2"`, `200 GET /c #3 "3"`}},
		{"a request", func(k *talk) {
			k.open().client(get("/a")).server(ok("1")).lose(0, len(get("/b"))).server(ok("2")).client(get("/c")).server(ok("3"))
		}, []string{"GET /a #1", `200 GET /a #1 "1"`, `200 #2 "2"`, `200 #3 "3"`, "GET /c #3", "finding tcp-gap"}},
		{"the head of a response", func(k *talk) {
			k.open().client(get("/a")).server("HTTP/1.1 200 OK\r\nConte").lose(1, 30).server("xyz").client(get("/b")).server(ok("2"))
		}, []string{"GET /a #1", "GET /b #2", "200 GET /a #1 cut !tcp-gap", `200 GET /b #2 "2"`}},
		{"inside a chunk", func(k *talk) {
			k.open().client(get("/a")).server("HTTP/1.1 200 OK\r\n"+chunked+"\r\n10\r\n01234").lose(1, 5).server("abcdef\r\n0\r\n\r\n").client(get("/b")).server(ok("2"))
		}, []string{"GET /a #1", "GET /b #2", `200 GET /a #1 "01234" cut !tcp-gap`, `200 GET /b #2 "2"`}},
	} {
		k, f := newTalk(Config{})
		x.do(k)
		k.close().end()
		if got := briefs(f); !slices.Equal(got, x.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", x.name, got, x.want)
		}
		checkHTTP(t, f)
	}
}

// TestHTTPMidstream: the capture begins inside a message.
func TestHTTPMidstream(t *testing.T) {
	k, f := newTalk(Config{})
	k.server("the rest of a body" + ok("1")).client(get("/b")).server(ok("2")).close().end()
	if got := briefs(f); !slices.Equal(got, []string{"GET /b #1", `200 GET /b #1 "2"`}) || f.d.stats.HTTPOther != 1 {
		t.Errorf("%q", got) // that the first one matters was not known then
	}
	// The answer to a HEAD whose request is missing has a length and no content.
	k, f = newTalk(Config{AllHTTP: true})
	k.server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + ok("2")).close().end()
	if got := briefs(f); !slices.Equal(got, []string{"200 #0", `200 #0 "2"`}) {
		t.Errorf("%q", got)
	}
	// Captured in the wrong order: the answer first.
	k, f = newTalk(Config{AllHTTP: true})
	k.open().server(ok("1")).client(get("/a")).client(get("/b")).server(ok("2")).close().end()
	if got := briefs(f); !slices.Equal(got, []string{`200 #1 "1"`, "GET /a #1", "GET /b #2", `200 GET /b #2 "2"`}) {
		t.Errorf("%q", got)
	}
}

// TestHTTPLimits drives each limit over its edge.
func TestHTTPLimits(t *testing.T) {
	for _, x := range []struct {
		name  string
		limit Limit
		n     int // at the limit
		do    func(k *talk, n int)
	}{
		{"head", LimitHTTPHead, maxHTTPHead, func(k *talk, n int) {
			k.client("GET " + kmsInit + " HTTP/1.1\r\nHost: kms\r\nX: " + strings.Repeat("x", n-len("GET  HTTP/1.1\r\nHost: kms\r\nX: \r\n\r\n")-len(kmsInit)) + "\r\n\r\n")
		}},
		{"content", LimitHTTPContent, maxHTTPContent, func(k *talk, n int) {
			k.client(get(kmsInit)).server(ok(strings.Repeat("x", n)))
		}},
		{"pending", LimitHTTPPending, maxHTTPPending, func(k *talk, n int) {
			k.client(strings.Repeat(get(kmsInit), n))
		}},
		{"held", LimitHTTPHeld, maxHTTPHeld, func(k *talk, n int) {
			k.client("CONNECT kms:1 HTTP/1.1\r\nHost: kms\r\n\r\n" + strings.Repeat("x", n))
		}},
	} {
		for over := range 2 {
			k, f := newTalk(Config{})
			k.open()
			x.do(k, x.n+over)
			if got := f.d.stats.Limits[x.limit]; (got > 0) != (over == 1) {
				t.Errorf("%s at %d: limit bit %d times", x.name, x.n+over, got)
			}
			k.close().end()
			checkHTTP(t, f)
		}
	}
}

// TestHTTPMemory: connections that never end stay within the memory.
func TestHTTPMemory(t *testing.T) {
	f := newFeed(Config{Memory: 1 << 20})
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 400 {
		co := conn{f: f, isn: 1, ports: [2]int{1000 + i, 8080}, layers: []any{etherHeader{etIPv4}}}
		co.syn()
		head := "POST " + kmsInit + " HTTP/1.1\r\nHost: kms\r\nContent-Length: 9999999\r\n\r\n"
		switch r.IntN(3) {
		case 0:
			head = strings.Repeat(get(kmsInit+strings.Repeat("a", 500)), 60)
		case 1:
			head = "GET / HTTP/1.1\r\nX: "
		}
		co.data(0, head)
		co.data(len(head), strings.Repeat("x", 50000))
		if n := f.d.streams.bytes(); n > 1<<20 {
			t.Fatalf("%d octets held", n)
		}
	}
	if f.d.stats.Limits[LimitMemory] == 0 {
		t.Error("memory was not full")
	}
}

// TestHTTPReference compares well-formed messages with net/http's parser.
func TestHTTPReference(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		var reqs, ress bytes.Buffer
		n := 1 + r.IntN(5)
		for i := range n {
			body := strings.Repeat("b", r.IntN(200))
			method := []string{"GET", "POST", "PUT", "HEAD", "DELETE"}[r.IntN(5)]
			q, _ := http.NewRequest(method, fmt.Sprintf("http://kms.example.org/p/%d", i), nil)
			if method == "POST" || method == "PUT" {
				q.Body = io.NopCloser(strings.NewReader(body))
				if q.ContentLength = int64(len(body)); r.IntN(2) == 0 {
					q.ContentLength = -1 // chunked
				}
			}
			if err := q.Write(&reqs); err != nil {
				t.Fatal(err)
			}
			a := &http.Response{StatusCode: []int{200, 204, 304, 404}[r.IntN(4)], ProtoMajor: 1, ProtoMinor: 1, Request: q, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Header: http.Header{"X-A": {"1", "2"}}}
			if r.IntN(2) == 0 {
				a.ContentLength = -1
				a.TransferEncoding = []string{"chunked"}
			}
			if a.StatusCode == 204 || a.StatusCode == 304 {
				a.ContentLength, a.Body, a.TransferEncoding = 0, nil, nil
			}
			if err := a.Write(&ress); err != nil {
				t.Fatal(err)
			}
		}
		k, f := newTalk(Config{})
		k.mss = 1 + r.IntN(300)
		k.open().client(reqs.String()).server(ress.String()).close().end()
		if len(f.units) != 2*n || len(f.findings) > 0 {
			t.Fatalf("%q, want %d messages", briefs(f), 2*n)
		}
		br, bs := bufio.NewReader(&reqs), bufio.NewReader(&ress)
		for i := range n {
			q, err := http.ReadRequest(br)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := io.ReadAll(q.Body)
			u := f.units[i]
			if string(u.Data[u.HTTP.HeaderEnd:u.HTTP.ContentEnd]) != string(want) || u.HTTP.Method != q.Method || u.HTTP.Target != q.RequestURI || u.HTTP.Authority != q.Host || len(u.Findings) > 0 {
				t.Fatalf("%s, want %s %s %q", brief(u), q.Method, q.RequestURI, want)
			}
			a, err := http.ReadResponse(bs, q)
			if err != nil {
				t.Fatal(err)
			}
			want, _ = io.ReadAll(a.Body)
			v := f.units[n+i]
			if string(v.Data[v.HTTP.HeaderEnd:v.HTTP.ContentEnd]) != string(want) || v.HTTP.Status != a.StatusCode || v.HTTP.Exchange != u.HTTP.Exchange || v.HTTP.RequestTarget != q.RequestURI || len(v.Findings) > 0 {
				t.Fatalf("%s, want %d %q", brief(v), a.StatusCode, want)
			}
		}
		checkHTTP(t, f)
	}
}
