package sipparse

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"testing"
)

// The plain, slow reference: a message by splitting lines, a start line by a regular expression.

type refHeader struct{ name, value string }

func refHeaders(raw []byte, from int) (headers []refHeader, headerEnd int) {
	pos := from
	var fields []string
	for _, line := range bytes.SplitAfter(raw[from:], []byte("\n")) {
		if len(line) == 0 {
			break
		}
		pos += len(line)
		if s := string(line); s == "\n" || s == "\r\n" {
			return refSplit(fields), pos
		}
		if (line[0] == ' ' || line[0] == '\t') && len(fields) > 0 {
			fields[len(fields)-1] += string(line)
		} else {
			fields = append(fields, string(line))
		}
	}
	return refSplit(fields), len(raw)
}

func refSplit(fields []string) (hs []refHeader) {
	const ws = " \t\r\n"
	for _, f := range fields {
		first := f
		if i := bytes.IndexByte([]byte(f), '\n'); i >= 0 {
			first = f[:i]
		}
		i := bytes.IndexByte([]byte(first), ':')
		if i < 0 {
			hs = append(hs, refHeader{string(bytes.Trim([]byte(f), ws)), ""})
			continue
		}
		hs = append(hs, refHeader{string(bytes.Trim([]byte(f[:i]), ws)), string(bytes.Trim([]byte(f[i+1:]), ws))})
	}
	return hs
}

var (
	refRequest = regexp.MustCompile("^([-.!%*_+`'~A-Za-z0-9]{1,64})[ \\t]+([^\\n]*[^ \\t\\n])[ \\t]+(?i:SIP)/[0-9]+\\.[0-9]+[ \\t\\r]*(?:\\n|$)")
	refStatus  = regexp.MustCompile(`^(?i:SIP)/[0-9]+\.[0-9]+[ \t]+[0-9]{3,}([ \t][^\n]*|\r*)(?:\n|$)`)
	refScheme  = regexp.MustCompile(`^<?[A-Za-z][-+.A-Za-z0-9]{0,31}:`)
)

// refStart tells whether a complete line with a version is a start line.
func refStart(b []byte) bool {
	b = bytes.TrimLeft(b, "\r\n")
	if refStatus.Match(b) {
		return true
	}
	s := refRequest.FindSubmatch(b)
	return s != nil && (KnownMethod(s[1]) || refScheme.Match(s[2]))
}

// checkMessage holds a parsed message to the reference and to the promises of Parse.
func checkMessage(t testing.TB, m *Message, raw []byte) {
	t.Helper()
	start := len(raw) - len(bytes.TrimLeft(raw, "\r\n"))
	if nl := bytes.IndexByte(raw[start:], '\n'); nl >= 0 {
		start += nl + 1
	} else {
		start = len(raw)
	}
	want, end := refHeaders(raw, start)
	if m.HeaderEnd != end {
		t.Errorf("header ends at %d, reference says %d: %q", m.HeaderEnd, end, raw)
	}
	if len(m.Headers) != len(want) {
		t.Fatalf("%d headers, reference says %d: %q", len(m.Headers), len(want), raw)
	}
	first := map[HeaderID]int{}
	pos := start
	for i, h := range m.Headers {
		if got := (refHeader{m.Text(h.Name), m.Text(h.Value)}); got != want[i] {
			t.Fatalf("header %d is %q, reference says %q", i, got, want[i])
		}
		if int(h.Name.Off) < pos || h.Name.End() > int(h.Value.Off) || h.Value.End() > end {
			t.Fatalf("header %d: spans %v %v are out of order", i, h.Name, h.Value)
		}
		pos = h.Value.End()
		if h.ID != refLookup(m.Text(h.Name)) {
			// A line without a colon is no header field, whatever it says.
			if h.ID != HdrOther || want[i].value != "" {
				t.Fatalf("header %d: %v for %q", i, h.ID, m.Text(h.Name))
			}
			continue
		}
		if _, ok := first[h.ID]; !ok {
			first[h.ID] = i
		}
	}
	for id, i := range first {
		if h, ok := m.First(id); !ok || h != &m.Headers[i] && id != HdrOther {
			t.Fatalf("First(%v) is not header %d", id, i)
		}
	}
	for _, s := range []Span{m.Method, m.RequestURI, m.Version, m.Reason, m.StatusSpan, m.StartLine} {
		if s.End() > start {
			t.Fatalf("span %v is outside the start line", s)
		}
	}
	if int(m.Body.Off) != m.HeaderEnd || m.Body.End() != int(m.Extra.Off) || m.Extra.End() != len(raw) {
		t.Fatalf("body %v and extra %v do not tile the rest after %d of %d", m.Body, m.Extra, m.HeaderEnd, len(raw))
	}
	for _, d := range m.Diags {
		if int(d.Off)+int(d.Len) > len(raw) {
			t.Fatalf("%v is outside the message", d)
		}
		if d.ID == DiagNone || d.String() == "" {
			t.Fatalf("diagnostic without a kind")
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mcpttInvite())
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nv:b\n c\r\nl: 3\r\n\r\nabcd"))
	f.Add([]byte("\r\nREGISTER <sip:a> sip/2.0 \r\n x\r\nno colon\r\nFrom : \"a\\\"b\" <sip:x>;tag=\"\r\nContact: *\r\n\tContact: a\r\n\n"))
	f.Add([]byte("INVITE sip:x;y=\"\\\" SIP/2.0\r\nContact: <sip:a>;a=\"b\\\",c, (x) \"q\" <sip:b?c>;expires=99999999999\r\nContent-Length: 1\r\nl: 2\r\n\r\nxx"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		var m Message
		err := m.Parse(raw, Options{Datagram: true})
		if (err == nil) != LooksLikeStart(raw) {
			t.Fatalf("Parse says %v, LooksLikeStart %v", err, LooksLikeStart(raw))
		}
		if err == nil {
			if len(m.Headers) < 2048 {
				checkMessage(t, &m, raw)
			}
			for na := range m.Addresses(HdrContact) {
				na.DisplayName()
				for range na.ParamSeq() {
				}
			}
			for range m.Vias() {
			}
			for w := range m.Warnings() {
				w.MCCode()
			}
			m.CallID()
			m.Expires()
		} else if refStart(raw) {
			t.Fatalf("reference says it is a start line: %q", raw)
		}
		if !bytes.Equal(raw, before) {
			t.Fatal("input was changed")
		}
		// A message that is used again is as good as new.
		again := Message{Headers: make([]Header, 3, 40)}
		again.Parse(mcpttInvite(), Options{})
		err2 := again.Parse(raw, Options{Datagram: true})
		if err2 != err || err == nil && (len(again.Headers) != len(m.Headers) || diagNames(again.Diags) != diagNames(m.Diags) || again.Body != m.Body) {
			t.Fatal("a message that was used before is parsed otherwise")
		}
	})
}

// slowDelimiter finds a delimiter line wherever its octets stand.
func slowDelimiter(b []byte, from int, delim []byte) (end, next int, closing, found bool) {
	start := from
	for from <= len(b) {
		i := bytes.Index(b[from:], delim)
		if i < 0 {
			return 0, 0, false, false
		}
		i += from
		from = i + 1
		if i > 0 && b[i-1] != '\n' {
			continue
		}
		j := i + len(delim)
		closing = bytes.HasPrefix(b[j:], []byte("--"))
		if closing {
			j += 2
		}
		rest := bytes.TrimLeft(b[j:], " \t")
		j = len(b) - len(rest)
		switch {
		case len(rest) == 0:
		case rest[0] == '\n':
			j++
		case bytes.HasPrefix(rest, []byte("\r\n")):
			j += 2
		case string(rest) == "\r":
			j++
		case !closing:
			continue
		}
		head := b[:i]
		head = bytes.TrimSuffix(head, []byte("\n"))
		if len(head) > 0 && len(head) < i {
			head = bytes.TrimSuffix(head, []byte("\r"))
		}
		return max(len(head), start), j, closing, true
	}
	return 0, 0, false, false
}

func TestFindDelimiter(t *testing.T) {
	words := []string{"--b", "--b", "--", "-", "b", "\r\n", "\n", "\r", " ", "\t", "x", "--b--\r\n", "--b\r\n", "--bb\n"}
	rnd := rand.New(rand.NewPCG(7, 8))
	found := 0
	for range 200000 {
		var b []byte
		for range rnd.IntN(10) {
			b = append(b, words[rnd.IntN(len(words))]...)
		}
		from := rnd.IntN(len(b) + 1)
		delim := []byte("--b")
		if rnd.IntN(8) == 0 {
			delim = []byte("--b\nb")
		}
		e1, n1, c1, f1 := findDelimiter(b, from, delim)
		e2, n2, c2, f2 := slowDelimiter(b, from, delim)
		if e1 != e2 || n1 != n2 || c1 != c2 || f1 != f2 {
			t.Fatalf("%q from %d: %d %d %v %v, not %d %d %v %v", b, from, e1, n1, c1, f1, e2, n2, c2, f2)
		}
		if f1 {
			found++
		}
	}
	if found < 10000 {
		t.Error("only", found, "found")
	}
}

// TestCommonTypes holds the quick look at a common media type to the scanner.
func TestCommonTypes(t *testing.T) {
	words := []string{"application/sdp", "multipart/mixed", "text/plain", "Text/plain", "application", "/", ";", ";", "boundary=", "\"", "x", " ", "\r\n ", "=", ",", "\\", "application/mikey"}
	rnd := rand.New(rand.NewPCG(9, 8))
	quick := 0
	for range 200000 {
		var b []byte
		if rnd.IntN(2) == 0 {
			b = append(b, "multipart/mixed"...)
		}
		for range rnd.IntN(7) {
			b = append(b, words[rnd.IntN(len(words))]...)
		}
		got, e1 := parseMediaType(b)
		want := MediaType{Raw: b}
		name, end, e2 := scanMediaType(b, nil)
		if end < len(b) {
			want.Params = span(end+1, len(b))
		}
		if e2.ID != DiagMediaType || bytes.IndexByte(name, '/') < 0 {
			want.Full = string(name)
		}
		if got.Full != want.Full || got.Params != want.Params || e1 != e2 {
			t.Fatalf("%q: %q %v %v, not %q %v %v", b, got.Full, got.Params, e1, want.Full, want.Params, e2)
		}
		if common(b[:end]) != "" {
			quick++
		}
	}
	if quick < 10000 {
		t.Error("only", quick, "were common")
	}
}

func TestTexts(t *testing.T) {
	var ts texts
	rnd := rand.New(rand.NewPCG(3, 8))
	for range 20000 {
		b := make([]byte, rnd.IntN(140))
		for i := range b {
			b[i] = byte('a' + rnd.IntN(2))
		}
		want := string(b)
		got := ts.text(b)
		for i := range b {
			b[i] = 0 // the string is not made of these octets
		}
		if got != want {
			t.Fatalf("%q, not %q", got, want)
		}
	}
	b := []byte("mcpttinfo@alice")
	if n := testing.AllocsPerRun(100, func() { ts.text(b) }); n != 0 {
		t.Error(n, "allocations")
	}
}
