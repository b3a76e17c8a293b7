package sipparse

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

var startRows = []struct {
	in   string
	want bool
}{
	{"INVITE sip:bob@example.org SIP/2.0\r\n", true},
	{"INVITE sip:bob@example.org SIP/2.0", true},
	{"\r\n\r\nINVITE sip:bob@example.org SIP/2.0\r\n", true},
	{"\nSIP/2.0 200 OK\r\n", true},
	{"NEWMETHOD tel:+123 SIP/2.0\r\n", true},
	{"x unknown-scheme:foo SIP/2.0\r\n", true},
	{"!interesting-Method0123456789_*+`.%indeed'~ sip:a@b SIP/2.0\n", true},
	{"INVITE  sip:user@example.com  SIP/2.0\r\n", true},
	{"INVITE <sip:user@example.com> SIP/2.0\r\n", true},
	{"INVITE sip:user@example.com; lr SIP/2.0\r\n", true},
	{"OPTIONS sip:a@b SIP/2.0  \r\n", true},
	{"OPTIONS sip:a@b SIP/7.0\r\n", true},
	{"OPTIONS sip:a@b SIP/1.0\r\n", true},
	{"OPTIONS sip:a@b sip/2.0\r\n", true},
	{"INVITE bob SIP/2.0\r\n", true}, // no URI at all, but nothing else than SIP
	{"OPTIONS * SIP/2.0\r\n", true},
	{"MESSAGE urn:service:sos SIP/2.0\r\n", true},
	{"SIP/2.0 200 OK\r\n", true},
	{"SIP/2.0 200\r\n", true},
	{"SIP/2.0 100 \r\n", true},
	{"sip/2.0 200 OK\r\n", true},
	{"SIP/3.0 200 OK\r\n", true},
	{"SIP/2.0  200 OK\r\n", true},
	{"SIP/2.0 4294967301 better not break the receiver\r\n", true},
	// cut off
	{"INVITE sip:bob@exam", true},
	{"INVITE sip:bob@example.org SI", true},
	{"INVITE sip:bob@example.org SIP/2.", true},
	{"REGISTER sips:example.org;transport=tcp ", true},
	{"MESSAGE tel:+1", true},
	{"SUBSCRIBE urn:x", true},
	{"PUBLISH sip:", true},
	{"INVITE sip:bob@example.org\r\nVia: SIP/2.0/UDP a\r\n", true}, // no version

	{"", false},
	{"\r\n", false},
	{"\r\n\r\n", false},
	{"INVITE", false},
	{"INVITE ", false},
	{"INVITE si", false},
	{"INVITE \r\n", false},
	{"INVITE SIP/2.0\r\n", false},
	{"INVITE http:", false},
	{"XYZZY sip:bob@example.org", false}, // unknown method and no version
	{"XYZZY bob SIP/2.0\r\n", false},
	{" INVITE sip:bob@example.org SIP/2.0\r\n", false},
	{"IN(VITE sip:bob@example.org SIP/2.0\r\n", false},
	{strings.Repeat("A", 65) + " sip:bob@example.org SIP/2.0\r\n", false},
	{"INVITE sip:a@b HTTP/1.1\r\n", false},
	{"OPTIONS sip:a@b RTSP/1.0\r\n", false},
	{"SIP/2.0", false},
	{"SIP/2.0 ", false},
	{"SIP/2.0 20", false},
	{"SIP/2.0 20 OK\r\n", false},
	{"SIP/2.0 2000OK\r\n", false},
	{"SIP/2 200 OK\r\n", false},
	{"SIP/x.0 200 OK\r\n", false},
	{"SIP/2.0\r\n200 OK\r\n", false},
	{"SIP-2.0 200 OK\r\n", false},
	// other protocols
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", false},
	{"GET http://example.org/ HTTP/1.1\r\n\r\n", false},
	{"OPTIONS * HTTP/1.1\r\n\r\n", false},
	{"CONNECT sip:443 HTTP/1.1\r\n\r\n", false},
	{"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n", false},
	{"M-SEARCH * HTTP/1.1\r\n", false},
	{"HTTP/1.1 200 OK\r\n", false},
	{"OPTIONS rtsp://example.org/a RTSP/1.0\r\n", false},
	{"DESCRIBE rtsp://example.org/a RTSP/1.0\r\n", false},
	{"RTSP/1.0 200 OK\r\n", false},
	{"MSRP d93kswow SEND\r\nTo-Path: msrp://a\r\n", false},
	{"MSRP d93kswow 200 OK\r\n", false},
	{"REGISTER icap://a ICAP/1.0\r\n", false},
	{"EHLO example.org\r\n", false},
	{"220 mail.example.org ESMTP\r\n", false},
	{"<134>Nov 22 07:00:00 host sip: SIP/2.0\r\n", false},
	{"Nov 22 07:00:00 host prog: INVITE sip:a@b SIP/2.0\r\n", false},
	{"We speak of the protocol SIP/2.0\r\n", false},
	{"From: <sip:a@b> SIP/2.0\r\n", false},
	{"Via: SIP/2.0/UDP a\r\n", false},
	{"SSH-2.0-OpenSSH_9.6\r\n", false},
	{"v=0\r\no=- 1 1 IN IP4 a\r\n", false},
	{"<?xml version=\"1.0\"?>", false},
	{"HEP3\x00\x10", false},
	{"\x80\x69\x12\x34\x00\x00\x00\xa0\xde\xad\xbe\xef", false},                        // RTP
	{"\x81\xc8\x00\x06", false},                                                        // RTCP
	{"\x00\x01\x00\x00\x21\x12\xa4\x42", false},                                        // STUN
	{"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", false},                            // TLS
	{"IN\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03sip\x07example\x03org\x00", false}, // DNS with the ID "IN"
	{"\x01\x1a\x80\x80\x2d\xdd\x5b\xf0\x00\x00", false},                                // MIKEY
	{"\x00\x00\x00\x00", false},
	{"\xff\xff\xff\xff", false},
	{strings.Repeat("\x00", 12) + "INVITE sip:a@b SIP/2.0\r\n", false},
}

func TestLooksLikeStart(t *testing.T) {
	var m Message
	for _, tt := range startRows {
		in := []byte(tt.in)
		if got := LooksLikeStart(in); got != tt.want {
			t.Errorf("LooksLikeStart(%q) = %v", tt.in, got)
		}
		if err := m.Parse(in, Options{Datagram: true}); (err == nil) != tt.want {
			t.Errorf("Parse(%q): %v", tt.in, err)
		}
		// On a stream, the answer never changes once it is there, and whole lines have one.
		last := More
		for n := range len(in) + 1 {
			v := StartPrefix(in[:n])
			if last != More && v != last {
				t.Errorf("StartPrefix(%q) = %v, with less it was %v", in[:n], v, last)
			}
			last = v
		}
		if trimmed := strings.TrimLeft(tt.in, "\r\n"); strings.Contains(trimmed, "\n") {
			if (last == Yes) != tt.want || last == More {
				t.Errorf("StartPrefix(%q) = %v", tt.in, last)
			}
		} else if last == Yes || last == No && tt.want {
			t.Errorf("StartPrefix(%q) = %v before the line is complete", tt.in, last)
		}
	}
	if v := StartPrefix([]byte("INVITE sip:" + strings.Repeat("a", maxStartLine))); v != Yes {
		t.Errorf("an endless request line of a known method: %v", v)
	}
	if v := StartPrefix([]byte("XYZZY sip:" + strings.Repeat("a", maxStartLine))); v != No {
		t.Errorf("an endless line: %v", v)
	}
	if More.String() != "more" || Yes.String() != "yes" || No.String() != "no" {
		t.Error("Verdict.String")
	}
}

func TestFirstOctet(t *testing.T) {
	for c := range 256 {
		b := append([]byte{byte(c)}, "NVITE sip:a@b SIP/2.0\r\n"...)
		want := bytes.IndexByte([]byte("-.!%*_+`'~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), byte(c)) >= 0 || c == '\r' || c == '\n'
		if got := LooksLikeStart(b); got != want {
			t.Errorf("first octet %#x: %v", c, got)
		}
	}
}

func TestFindStart(t *testing.T) {
	good := "INVITE sip:a@b SIP/2.0\r\nl: 0\r\n\r\n"
	for _, tt := range []struct {
		in   string
		from int
		want int
	}{
		{good, 0, 0}, {good, -5, 0}, {good, 1, -1}, {good + good, 1, len(good)}, {good + good, len(good), len(good)},
		{"junk\r\n" + good, 0, 6}, {"junk\n" + good, 3, 5}, {"junk " + good, 0, -1}, {"\r\n\r\n" + good, 0, 4},
		{"junk\r\nINVITE sip:a", 0, 6}, {"junk\r\nINVITE sip:a\r\nx", 0, -1}, {"junk\r\nSIP/2.0 200 OK", 0, 6},
		{"", 0, -1}, {"\n", 5, -1}, {"junk", 2, -1}, {"Via: SIP/2.0/UDP a\r\n", 0, -1},
	} {
		if got := FindStart([]byte(tt.in), tt.from); got != tt.want {
			t.Errorf("FindStart(%q, %d) = %d, want %d", tt.in, tt.from, got, tt.want)
		}
	}
}

// TestFindStartLinear holds the search for a start line to linear work.
func TestFindStartLinear(t *testing.T) {
	var loads []testkit.Load
	for name, text := range map[string]string{"line ends": "\n", "methods": "INVITE sip:a\n", "spaces": "INVITE ", "no end": "INVITE sip:a:b "} {
		loads = append(loads, testkit.Load{Name: name, Size: 40_000, Do: func(n int) {
			in := []byte(strings.Repeat(text, n/len(text)))
			if name == "spaces" || name == "no end" { // once, and what follows again and again
				in = []byte(text + strings.Repeat(text[len(text)-1:], n))
			}
			for range 20 { // the look at one line is short
				if got := FindStart(in, 0); got > 0 {
					t.Errorf("%s: %d", name, got)
				}
				LooksLikeStart(in)
			}
		}})
	}
	testkit.Linear(t, loads)
}

func FuzzLooksLikeStart(f *testing.F) {
	for _, tt := range startRows {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := LooksLikeStart(b)
		if ref := refStart(b); ref && !got {
			t.Fatalf("%q is a start line by the reference", b)
		}
		v := StartPrefix(b)
		if v == Yes && !got {
			t.Fatalf("%q: StartPrefix says yes, LooksLikeStart no", b)
		}
		if got && v == No {
			t.Fatalf("%q: StartPrefix says no, LooksLikeStart yes", b)
		}
		if at := FindStart(b, 0); at >= 0 && !LooksLikeStart(b[at:]) {
			t.Fatalf("%q: FindStart gives %d", b, at)
		}
		for n := range min(len(b), 100) {
			if p := StartPrefix(b[:n]); p != More && p != v {
				t.Fatalf("StartPrefix(%q) = %v, with all of %q %v", b[:n], p, b, v)
			}
		}
	})
}
