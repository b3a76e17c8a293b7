package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// hostile are inputs that grow: f gives one of about n octets for a command line. Bodies come by standard input, captures
// as a file.
var hostile = []struct {
	name string
	args []string
	f    func(n int) []byte
}{
	{"sip headers", sipArgs, sipMany("Supported: a\r\n")},
	{"sip unknown headers", sipArgs, sipMany("X-%d: a\r\n")},
	{"sip via list", sipArgs, sipLong("Via: SIP/2.0/UDP h;branch=1", ", SIP/2.0/UDP h;branch=1")},
	{"sip contact params", sipArgs, sipLong("Contact: <sip:a@b>", ";p%d=\"v\"")},
	{"sip contact list", sipArgs, sipLong("Contact: <sip:a@b>", ",<sip:a@b>")},
	{"sip folds", sipArgs, sipLong("Subject: a", "\r\n b")},
	{"sip commas", sipArgs, sipLong("Accept-Contact: a", ",")},
	{"sip quotes", sipArgs, sipLong("Contact: \"", "\\\"")},
	{"sip angle brackets", sipArgs, sipLong("Route: <", "<")},
	{"sip tokens", sipArgs, sipLong("Authorization: Digest a=1", ", p%d=\"x\"")},
	{"sip warnings", sipArgs, sipLong("Warning: 399 a \"1\"", ", 399 a \"101 x\"")},
	{"sip bare LF", sipArgs, sipMany("a: b\n")},
	{"multipart", sipArgs, sipBody("multipart/mixed;boundary=b", "--b\r\n\r\nx\r\n", "--b--")},
	{"multipart headers", sipArgs, sipBody("multipart/mixed;boundary=b", "--b\r\nContent-ID: <%d>\r\n\r\n", "--b--")},
	{"multipart near misses", sipArgs, sipBody("multipart/mixed;boundary=b", "--c\r\n--bb\r\n", "--b--")},
	{"quoted-printable", sipArgs, sipBody("text/plain\r\nContent-Transfer-Encoding: quoted-printable", "=41=\r\n", "")},
	{"xml elements", xmlArgs, around("<a>", "<b/>", "</a>")},
	{"xml attributes", xmlArgs, around("<a", " a%d=''", "/>")},
	{"xml text", xmlArgs, around("<a>", "x&amp;", "</a>")},
	{"xml mixed", xmlArgs, around("<a>", "x<b/>", "</a>")},
	{"xml comments", xmlArgs, around("<a>", "<!---->", "</a>")},
	{"xml names of one space", xmlArgs, around("<p:a xmlns:p='u'>", "<p:b p:c=''/>", "</p:a>")},
	{"xml brackets", xmlArgs, around("<a>", "]]", "</a>")},
	{"xml open", xmlArgs, around("<a>", "<a>", "")},
	{"mcptt-info", []string{"decode", "--json", "--type", "mcptt-info"}, around(`<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params>`, `<mcptt-client-id type="Normal"><mcpttString>a</mcpttString></mcptt-client-id><x/>`, `</mcptt-Params></mcpttinfo>`)},
	{"poc-settings", []string{"decode", "--json", "--type", "poc-settings"}, around(`<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings">`, `<entity id="%d"><am-settings><answer-mode>manual</answer-mode></am-settings><am-settings/></entity><x xmlns="y"/>`, `</poc-settings>`)},
	{"signatures", []string{"decode", "--json", "--type", "mcptt-signed"}, around(`<signatures xmlns="urn:3gpp:ns:mcpttSignedDoc:1.0">`, `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:Reference URI="cid:a"><ds:DigestMethod Algorithm="x#sha256"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></ds:SignedInfo></ds:Signature>`, `</signatures>`)},
	{"references", []string{"decode", "--json", "--type", "mcptt-signed"}, around(`<signatures xmlns="urn:3gpp:ns:mcpttSignedDoc:1.0"><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>`, `<ds:Reference URI="cid:a"><ds:Transforms><ds:Transform Algorithm="x"/></ds:Transforms></ds:Reference>`, `</ds:SignedInfo></ds:Signature></signatures>`)},
	{"sdp", []string{"decode", "--json", "--type", "sdp"}, around("v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n", "m=audio 1 RTP/AVP 0\r\na=x:%d\r\n", "")},
	{"mikey payloads", []string{"decode", "--json", "--type", "mikey", "--form", "raw"}, func(n int) []byte {
		return mikeyStamps(n / 32) // twice as many are within the limit of payloads
	}},
	{"mikey messages", sipArgs, sipBody("multipart/mixed;boundary=b", "--b\r\nContent-Type: application/mikey\r\n\r\n"+string(mikeyStamps(250))+"\r\n", "--b--")},
	{"text", []string{"decode", "--json", "--type", "text/plain"}, around("text", "\\\x00\xff\n", "")},
	{"tcp segments backwards", []string{"read", "--json"}, func(n int) []byte { return tcpCapture(n/60, 1, true) }},
	{"tcp octets one by one", []string{"read", "--json"}, func(n int) []byte { return tcpCapture(n/60, 1, false) }},
	{"tcp messages", []string{"read", "--json"}, func(n int) []byte { return tcpCapture(n/1400, 1400, false) }},
	{"tcp messages, checked", []string{"check", "--json"}, func(n int) []byte { return tcpCapture(n/1400, 1400, false) }},
	{"fragments overlapping", []string{"read", "--json"}, fragmentCapture},
	{"one datagram many times", []string{"sessions", "--json"}, func(n int) []byte {
		b := pcapHeader()
		for i := 0; len(b) < n; i++ {
			b = pcapFrame(b, udpFrame(fmt.Sprintf("REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%d\r\nFrom: <sip:%d@a>;tag=1\r\nTo: <sip:%d@a>\r\nCall-ID: %d\r\nCSeq: 1 REGISTER\r\n\r\n", i, i, i, i)))
		}
		return b
	}},
}

var (
	sipArgs = []string{"decode", "--json", "--type", "sip"}
	xmlArgs = []string{"decode", "--json", "--type", "application/xml"}
)

// mikeyStamps is a public key init of no crypto session, then time stamps.
func mikeyStamps(n int) []byte {
	b := []byte{1, 2, 5, 0, 0, 0, 0, 1, 0, 0}
	for len(b) < n {
		b = append(b, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	}
	return b
}

// around repeats a text between two others; %d in it counts.
func around(before, text, after string) func(n int) []byte {
	return func(n int) []byte {
		b := []byte(before)
		for i := 0; len(b)+len(after) < n; i++ {
			b = append(b, strings.ReplaceAll(text, "%d", strconv.Itoa(i))...)
		}
		return append(b, after...)
	}
}

const sipStart = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"

func sipMany(header string) func(n int) []byte { return around(sipStart, header, "\r\n") }
func sipLong(header, more string) func(n int) []byte {
	return around(sipStart+header, more, "\r\n\r\n")
}
func sipBody(typ, text, end string) func(n int) []byte {
	return func(n int) []byte {
		body := around("", text, end)(n)
		return append(fmt.Appendf(nil, "%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n", sipStart, typ, len(body)), body...)
	}
}

func pcapHeader() []byte {
	return []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0}
}

func pcapFrame(b, frame []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, 1700000000)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(frame))), frame...)
}

func ipFrame(proto byte, frag uint16, payload []byte) []byte {
	b := []byte{0x45, 0, 0, 0, 0, 7, 0, 0, 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(b[6:], frag)
	return append(b, payload...)
}

func udpFrame(text string) []byte {
	b := []byte{0x13, 0xc4, 0x13, 0xc4, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(text)))
	return ipFrame(17, 0, append(b, text...))
}

// tcpCapture is one direction of a connection that carries small messages in segments of a size, in order or backwards by
// groups that fit what the decoder waits for.
func tcpCapture(segments, size int, backwards bool) []byte {
	const message = "A a: SIP/2.0\r\nContent-Length: 0\r\n\r\n"
	stream := bytes.Repeat([]byte(message), segments*size/len(message)+1)[:segments*size]
	var frames [][]byte
	for i := 0; i < len(stream); i += size {
		b := []byte{0x13, 0xc4, 0x13, 0xc4, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 1, 0, 0, 0, 0, 0}
		binary.BigEndian.PutUint32(b[4:], uint32(1+i))
		frames = append(frames, ipFrame(6, 0, append(b, stream[i:i+size]...)))
	}
	b := pcapFrame(pcapHeader(), ipFrame(6, 0, []byte{0x13, 0xc4, 0x13, 0xc4, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0}))
	const group = 1000
	for i := range frames {
		if backwards {
			from := i / group * group
			i = min(from+group, len(frames)) - 1 - (i - from)
		}
		b = pcapFrame(b, frames[i])
	}
	return b
}

// fragmentCapture are fragments of 16 octets of few datagrams, each overlapping the next.
func fragmentCapture(n int) []byte {
	b := pcapHeader()
	for i := 0; len(b) < n; i++ {
		off := uint16(i % 800)
		frame := ipFrame(17, 0x2000|off, []byte("OPTIONS sip:a@b "))
		binary.BigEndian.PutUint16(frame[4:], uint16(i/800))
		b = pcapFrame(b, frame)
	}
	return b
}

// Twice the input takes twice the work. Work is how often the basic blocks of this module run, which the coverage counters of the
// program tell without a clock.
func TestLinearWork(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program with counters")
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "mcxdump")
	if out, err := exec.Command("go", "build", "-cover", "-covermode=count", "-coverpkg=github.com/mcxdump/mcxdump/...", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	work := func(t *testing.T, args []string, in []byte) (total int) {
		counters, err := os.MkdirTemp(dir, "c")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(counters)
		cmd := exec.Command(bin, args...)
		cmd.Stdin = bytes.NewReader(in)
		if args[0] != "decode" {
			name := filepath.Join(counters, "in.pcap")
			if err := os.WriteFile(name, in, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd.Args = append(cmd.Args, name)
		}
		cmd.Env = append(os.Environ(), "GOCOVERDIR="+counters)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != exitFindings {
			t.Fatalf("%v: %v\n%s", args, err, errs.String())
		}
		text := filepath.Join(counters, "text")
		if out, err := exec.Command("go", "tool", "covdata", "textfmt", "-i="+counters, "-o="+text).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		total, err = testkit.Blocks(text)
		if err != nil {
			t.Fatal(err)
		}
		return total
	}
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			const size = 40_000
			testkit.Grows(t, h.name, work(t, h.args, h.f(0)), work(t, h.args, h.f(size)), work(t, h.args, h.f(2*size)))
		})
	}
}
