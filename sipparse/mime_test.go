package sipparse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

func partText(ps []Part) string {
	var s []string
	for _, p := range ps {
		d := p.Path + " " + p.Type.Full
		if p.Container {
			d += " {}"
		} else {
			d += fmt.Sprintf(" %q", p.Data)
		}
		for _, x := range p.Diags {
			d += " " + x.ID.String()
		}
		s = append(s, d)
	}
	return strings.Join(s, "\n")
}

var mimeRows = []struct {
	name, ct, body, want string
	lim                  Limits
}{
	{"none", "application/sdp", "", "", Limits{}},
	{"single", "application/sdp", "v=0\r\n", `1 application/sdp "v=0\r\n"`, Limits{}},
	{"upper case", "Application / SDP ; x=y", "v", `1 application/sdp "v"`, Limits{}},
	{"no type", "", "v", `1  "v" missing-content-type`, Limits{}},
	{"bad type", "sdp", "v", `1 sdp "v" media-type`, Limits{}},
	{"message/sip is one part", "message/sip", "INVITE sip:a SIP/2.0\r\n\r\n", `1 message/sip "INVITE sip:a SIP/2.0\r\n\r\n"`, Limits{}},
	{"two parts", "multipart/mixed;boundary=b", "--b\r\nContent-Type: text/a\r\n\r\nA\r\n--b\r\nc: text/b\r\n\r\nB\r\n--b--\r\n",
		"1 multipart/mixed {}\n1.1 text/a \"A\"\n1.2 text/b \"B\"", Limits{}},
	{"quoted boundary", `multipart/mixed; boundary="a b"`, "--a b\r\n\r\nA\r\n--a b--", "1 multipart/mixed {}\n1.1 text/plain \"A\"", Limits{}},
	{"escaped boundary", `multipart/mixed; boundary="a\b"`, "--ab\r\n\r\nA\r\n--ab--", "1 multipart/mixed {}\n1.1 text/plain \"A\"", Limits{}},
	{"preamble and epilogue", "multipart/mixed;boundary=b", "pre\r\n--b\r\n\r\nA\r\n--b--\r\nepi", "1 multipart/mixed {} preamble epilogue\n1.1 text/plain \"A\"", Limits{}},
	{"padding after the delimiter", "multipart/mixed;boundary=b", "--b \t\r\n\r\nA\r\n--b-- \r\n", "1 multipart/mixed {}\n1.1 text/plain \"A\"", Limits{}},
	{"not closed", "multipart/mixed;boundary=b", "--b\r\n\r\nA\r\n--b\r\n\r\nB", "1 multipart/mixed {} boundary-not-closed\n1.1 text/plain \"A\"\n1.2 text/plain \"B\"", Limits{}},
	{"ends in a delimiter", "multipart/mixed;boundary=b", "--b\r\n\r\nA\r\n--b", "1 multipart/mixed {} boundary-not-closed\n1.1 text/plain \"A\"\n1.2 text/plain \"\"", Limits{}},
	{"bare LF", "multipart/mixed;boundary=b", "--b\nContent-Type: text/a\n\nA\n--b--\n", "1 multipart/mixed {} boundary-bare-lf\n1.1 text/a \"A\" bare-lf", Limits{}},
	{"boundary inside a line", "multipart/mixed;boundary=b", "--b\r\n\r\nA --b\r\n--bc\r\n--b-\r\n\r\n--b--", "1 multipart/mixed {}\n1.1 text/plain \"A --b\\r\\n--bc\\r\\n--b-\\r\\n\"", Limits{}},
	{"no part between delimiters", "multipart/mixed;boundary=b", "--b\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b--", "1 multipart/mixed {}\n1.1 text/plain \"\"\n1.2 text/plain \"\"\n1.3 text/plain \"\"", Limits{}},
	{"header only", "multipart/mixed;boundary=b", "--b\r\nContent-Type: text/a\r\n--b--", "1 multipart/mixed {}\n1.1 text/a \"\"", Limits{}},
	{"no empty line before XML", "multipart/mixed;boundary=b", "--b\r\nContent-Type: text/xml\r\n<?xml version=\"1.0\"?>\r\n<a:b/>\r\n--b--", "1 multipart/mixed {}\n1.1 text/xml \"<?xml version=\\\"1.0\\\"?>\\r\\n<a:b/>\" part-no-empty-line", Limits{}},
	{"no header and no empty line", "multipart/mixed;boundary=b", "--b\r\nHello world\r\n--b--", "1 multipart/mixed {}\n1.1 text/plain \"Hello world\" part-no-empty-line", Limits{}},
	{"only the closing delimiter", "multipart/mixed;boundary=b", "--b--", "1 multipart/mixed {} multipart-empty", Limits{}},
	{"never seen", "multipart/mixed;boundary=b", "v=0\r\n", "1 multipart/mixed \"v=0\\r\\n\" boundary-never-seen", Limits{}},
	{"no boundary parameter", "multipart/mixed", "\r\n--b\r\n\r\nA\r\n--b--", "1 multipart/mixed {} boundary-missing boundary-guessed\n1.1 text/plain \"A\"", Limits{}},
	{"no boundary at all", "multipart/mixed", "A", "1 multipart/mixed \"A\" boundary-missing", Limits{}},
	{"bad boundary", "multipart/mixed;boundary=\"<b>\"", "--<b>\r\n\r\nA\r\n--<b>--", "1 multipart/mixed {} boundary-bad\n1.1 text/plain \"A\"", Limits{}},
	{"nested", "multipart/mixed;boundary=a", "--a\r\nContent-Type: multipart/alternative;boundary=ab\r\n\r\n--ab\r\n\r\nX\r\n--ab\r\n\r\nY\r\n--ab--\r\n--a\r\n\r\nZ\r\n--a--",
		"1 multipart/mixed {}\n1.1 multipart/alternative {}\n1.1.1 text/plain \"X\"\n1.1.2 text/plain \"Y\"\n1.2 text/plain \"Z\"", Limits{}},
	{"nested and not closed", "multipart/mixed;boundary=a", "--a\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\n\r\nX\r\n--a\r\n\r\nZ\r\n--a--",
		"1 multipart/mixed {}\n1.1 multipart/mixed {} boundary-not-closed\n1.1.1 text/plain \"X\"\n1.2 text/plain \"Z\"", Limits{}},
	{"too deep", "multipart/mixed;boundary=a", "--a\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\n\r\nX\r\n--b--\r\n--a--",
		"1 multipart/mixed {}\n1.1 multipart/mixed \"--b\\r\\n\\r\\nX\\r\\n--b--\" depth-limit", Limits{Depth: 1}},
	{"too many", "multipart/mixed;boundary=a", strings.Repeat("--a\r\n\r\nX\r\n", 5) + "--a--", "1 multipart/mixed {} parts-limit\n1.1 text/plain \"X\"\n1.2 text/plain \"X\"", Limits{Parts: 3}},
	{"base64", "multipart/mixed;boundary=b", "--b\r\nContent-Transfer-Encoding: BASE64\r\n\r\nSGVs\r\nbG8=\r\n--b--", "1 multipart/mixed {}\n1.1 text/plain \"Hello\"", Limits{}},
	{"base64 without padding", "multipart/mixed;boundary=b", "--b\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8\r\n--b--", "1 multipart/mixed {}\n1.1 text/plain \"Hello\"", Limits{}},
	{"bad base64", "multipart/mixed;boundary=b", "--b\r\nContent-Transfer-Encoding: base64\r\n\r\nSG*VsbG8=x\r\n--b--", "1 multipart/mixed {}\n1.1 text/plain \"Hello\" base64", Limits{}},
	{"quoted-printable", "multipart/mixed;boundary=b", "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc=C3=a4 \r\nd\r\n--b--", "1 multipart/mixed {}\n1.1 text/plain \"a=bcä\\r\\nd\"", Limits{}},
	{"bad quoted-printable", "multipart/mixed;boundary=b", "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=ZZ\r\n--b--", "1 multipart/mixed {}\n1.1 text/plain \"a=ZZ\" quoted-printable", Limits{}},
	{"unknown encoding", "multipart/mixed;boundary=b", "--b\r\nContent-Transfer-Encoding: x\r\n\r\na\r\n--b--", "1 multipart/mixed {}\n1.1 text/plain \"a\" transfer-encoding-unknown", Limits{}},
	{"encoded multipart", "multipart/mixed;boundary=b", "--b\r\nContent-Type: multipart/mixed;boundary=x\r\nContent-Transfer-Encoding: base64\r\n\r\nLS14DQoNCkENCi0teC0t\r\n--b--",
		"1 multipart/mixed {}\n1.1 multipart/mixed {} transfer-encoding-composite\n1.1.1 text/plain \"A\"", Limits{}},
	{"decoding above the limit", "multipart/mixed;boundary=b", "--b\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n--b--", "1 multipart/mixed {}\n1.1 text/plain \"SGVsbG8=\" decoded-limit", Limits{Decoded: 4}},
	{"binary", "multipart/mixed;boundary=b", "--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\xff\r\n\n\x00\r\n--b--", "1 multipart/mixed {}\n1.1 application/octet-stream \"\\x00\\xff\\r\\n\\n\\x00\"", Limits{}},
	{"same Content-ID", "multipart/mixed;boundary=b", "--b\r\nContent-ID: <x@y>\r\n\r\n1\r\n--b\r\nContent-ID: <x@y>\r\n\r\n2\r\n--b\r\nContent-ID: z\r\n\r\n3\r\n--b--",
		"1 multipart/mixed {}\n1.1 text/plain \"1\"\n1.2 text/plain \"2\" duplicate-content-id\n1.3 text/plain \"3\" content-id-syntax", Limits{}},
}

func TestSplitParts(t *testing.T) {
	for _, tt := range mimeRows {
		t.Run(tt.name, func(t *testing.T) {
			ps := SplitParts([]byte(tt.ct), []byte(tt.body), 0, tt.lim)
			if got := partText(ps); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			checkParts(t, ps, []byte(tt.body))
			for n := range tt.body {
				checkParts(t, SplitParts([]byte(tt.ct), []byte(tt.body[:n]), 0, tt.lim), []byte(tt.body[:n]))
			}
			// In a message it is the same, further on.
			raw := []byte("MESSAGE sip:a SIP/2.0\r\nContent-Type: " + tt.ct + "\r\n\r\n" + tt.body)
			var m Message
			if err := m.Parse(raw, Options{Datagram: true}); err != nil {
				t.Fatal(err)
			}
			ps = m.Parts(tt.lim)
			if got := partText(ps); got != tt.want {
				t.Errorf("in a message\n got %s\nwant %s", got, tt.want)
			}
			checkParts(t, ps, raw)
			checkParts(t, SplitParts([]byte(tt.ct), []byte(tt.body), m.HeaderEnd, tt.lim), raw)
		})
	}
}

// A Splitter finds in used memory what Message.Parts finds in fresh memory, whichever message came before.
func TestSplitter(t *testing.T) {
	var sp Splitter
	for round := range 3 {
		for i := range mimeRows {
			tt := &mimeRows[i]
			if round == 1 {
				tt = &mimeRows[len(mimeRows)-1-i]
			}
			raw := []byte("MESSAGE sip:a SIP/2.0\r\nContent-Type: " + tt.ct + "\r\n\r\n" + tt.body)
			var m Message
			if err := m.Parse(raw, Options{Datagram: true}); err != nil {
				t.Fatal(err)
			}
			want, got := m.Parts(tt.lim), sp.Parts(&m, tt.lim)
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("%s\n got %+v\nwant %+v", tt.name, got, want)
			}
			checkParts(t, got, raw)
		}
	}
	plain := []byte("MESSAGE sip:a SIP/2.0\r\nContent-Type: multipart/mixed;boundary=\"b\"\r\n\r\n" +
		strings.Repeat("--b\r\nContent-Type: application/mikey\r\nContent-Transfer-Encoding: binary\r\nX: y\r\n\r\nx\r\n", 6) + "--b--")
	var m Message
	if err := m.Parse(plain, Options{Datagram: true}); err != nil {
		t.Fatal(err)
	}
	sp.Parts(&m, Limits{})
	if n := testing.AllocsPerRun(10, func() { sp.Parts(&m, Limits{}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// checkParts holds a tree to its promises; whole is what offsets point into.
func checkParts(t testing.TB, ps []Part, whole []byte) {
	t.Helper()
	for i := range ps {
		p := &ps[i]
		if i == 0 && (p.Parent != -1 || p.Path != "1" || p.Depth != 0) {
			t.Fatalf("the first part is %q", p.Path)
		}
		if i > 0 {
			up := ps[p.Parent]
			if p.Parent >= i || !up.Container || p.Depth != up.Depth+1 || !strings.HasPrefix(p.Path, up.Path+".") {
				t.Fatalf("part %q is in %q", p.Path, up.Path)
			}
			if up.Decoded && !p.Derived || up.Derived && !p.Derived {
				t.Fatalf("part %q of a decoded one is not marked", p.Path)
			}
			src := whole
			for a := p.Parent; p.Derived && a >= 0; a = ps[a].Parent {
				if ps[a].Decoded {
					src = ps[a].Data
					break
				}
			}
			if p.Raw.End() > len(src) || int(p.Raw.Off) != p.Off {
				t.Fatalf("part %q: %v is outside", p.Path, p.Raw)
			}
			if !p.Decoded && !bytes.Equal(p.Raw.In(src), p.Data) {
				t.Fatalf("part %q: the octets at its place are others", p.Path)
			}
			for _, h := range p.Headers {
				if !bytes.Equal(h.Name.In(src), p.Bytes(h.Name)) || !bytes.Equal(h.Value.In(src), p.Bytes(h.Value)) || h.Value.End() > p.Off {
					t.Fatalf("part %q: header outside", p.Path)
				}
			}
		}
		if p.Data == nil {
			t.Fatalf("part %q without data", p.Path)
		}
	}
}

func TestPartHeaders(t *testing.T) {
	ps := SplitParts([]byte("multipart/mixed;boundary=b"), []byte("--b\r\nContent-Type: application/vnd.3gpp.mcptt-info+xml;charset=\"utf-8\"\r\nContent-ID: <1@a>\r\nContent-Disposition: Render;handling=optional\r\nX-Other:\r\n folded\r\n\r\n<x/>\r\n--b--"), 0, Limits{})
	if len(ps) != 2 {
		t.Fatal(len(ps))
	}
	p := ps[1]
	if cs, _ := p.Type.Param("Charset"); p.Type.Full != "application/vnd.3gpp.mcptt-info+xml" || cs != "utf-8" || p.ContentID != "1@a" || p.Disposition != "render" || len(p.Headers) != 4 {
		t.Errorf("%+v", p)
	}
	if string(p.Value(HdrContentDisposition)) != "Render;handling=optional" || string(Unfold(p.Value(HdrOther))) != "folded" || p.Value(HdrVia) != nil {
		t.Error("Value")
	}
	var m Message
	raw := []byte("MESSAGE sip:a SIP/2.0\r\nContent-Type: application/sdp\r\nContent-ID: <2@a>\r\nContent-Disposition: session\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w")
	if err := m.Parse(raw, Options{Datagram: true}); err != nil {
		t.Fatal(err)
	}
	if ps := m.Parts(Limits{}); len(ps) != 1 || ps[0].ContentID != "2@a" || ps[0].Disposition != "session" || string(ps[0].Data) != "v=0" || !ps[0].Decoded {
		t.Errorf("%+v", ps)
	}
}

func TestManyParts(t *testing.T) {
	nest := func(depth int) string {
		head, tail := "", ""
		for i := range depth {
			head += fmt.Sprintf("--b%d\r\nContent-Type: multipart/mixed;boundary=b%d\r\n\r\n", i, i+1)
			tail = fmt.Sprintf("\r\n--b%d--", i) + tail
		}
		return head + "x" + tail
	}
	for _, tt := range []struct {
		name, ct, body string
		lim            Limits
		parts          int
	}{
		{"tiny parts", "multipart/mixed;boundary=b", strings.Repeat("--b\r\n\r\nx\r\n", 100000) + "--b--", Limits{}, 1024},
		{"tiny parts, all", "multipart/mixed;boundary=b", strings.Repeat("--b\r\n\r\nx\r\n", 100000) + "--b--", Limits{Parts: 1 << 20}, 100001},
		{"deep", "multipart/mixed;boundary=b0", nest(2000), Limits{}, 17},
		{"deep, one boundary", "multipart/mixed;boundary=b", strings.Repeat("--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n", 20000), Limits{}, 1024},
		{"near delimiters", "multipart/mixed;boundary=b", strings.Repeat("--", 200000) + "\r\n--b--", Limits{}, 1},
		{"no delimiters", "multipart/mixed;boundary=\"--------------------------------------------------------------------\"", strings.Repeat("-", 400000), Limits{}, 1},
		{"Content-IDs", "multipart/mixed;boundary=b", strings.Repeat("--b\r\nContent-ID: <a>\r\n\r\nx\r\n", 20000) + "--b--", Limits{Parts: 1 << 20}, 20001},
		{"headers", "multipart/mixed;boundary=b", "--b\r\n" + strings.Repeat("a:\r\n", 100000) + "\r\n--b--", Limits{}, 2},
	} {
		ps := SplitParts([]byte(tt.ct), []byte(tt.body), 0, tt.lim)
		if len(ps) != tt.parts {
			t.Errorf("%s: %d parts, want %d", tt.name, len(ps), tt.parts)
		}
	}
}

// TestPartsLinear holds the splitting of bodies to linear work.
func TestPartsLinear(t *testing.T) {
	var loads []testkit.Load
	for _, x := range []struct{ name, ct, unit, end string }{
		{"tiny parts", "multipart/mixed;boundary=b", "--b\r\n\r\nx\r\n", "--b--"},
		{"one boundary, inside itself", "multipart/mixed;boundary=b", "--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n", ""},
		{"near delimiters", "multipart/mixed;boundary=b", "--b-\r\n--c\r\n", "--b--"},
		{"Content-IDs", "multipart/mixed;boundary=b", "--b\r\nContent-ID: <a>\r\n\r\nx\r\n", "--b--"},
		{"headers", "multipart/mixed;boundary=b", "a:\r\n", "\r\n--b--"},
		{"quoted-printable", "multipart/mixed;boundary=b", "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41=\r\n", "--b--"},
		{"base64", "multipart/mixed;boundary=b", "--b\r\nContent-Transfer-Encoding: base64\r\n\r\nQUFB\r\n", "--b--"},
	} {
		loads = append(loads, testkit.Load{Name: x.name, Size: 20_000, Do: func(n int) {
			begin := ""
			if x.name == "headers" {
				begin = "--b\r\n"
			}
			SplitParts([]byte(x.ct), []byte(begin+strings.Repeat(x.unit, n/len(x.unit))+x.end), 0, Limits{Parts: 1 << 20, Depth: 1 << 20, Headers: 1<<16 - 1})
		}})
	}
	testkit.Linear(t, loads)
}

func FuzzParts(f *testing.F) {
	for _, tt := range mimeRows {
		f.Add([]byte(tt.ct), []byte(tt.body), uint16(len(tt.name)))
	}
	f.Fuzz(func(t *testing.T, ct, body []byte, base uint16) {
		before := bytes.Clone(body)
		ps := SplitParts(ct, body, int(base), Limits{Parts: 50, Depth: 5})
		if !bytes.Equal(before, body) {
			t.Fatal("input was changed")
		}
		if len(ps) > 50 || len(body) > 0 && len(ps) == 0 {
			t.Fatalf("%d parts", len(ps))
		}
		checkParts(t, ps, append(make([]byte, base), body...))
		// Leaves do not overlap and are in order.
		pos := 0
		for _, p := range ps {
			if p.Container || p.Derived {
				continue
			}
			if p.Off < pos || p.Raw.End() > int(base)+len(body) {
				t.Fatalf("part %q begins at %d, the one before ends at %d", p.Path, p.Off, pos)
			}
			pos = p.Raw.End()
		}
	})
}
