package sipparse

import (
	"bytes"
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
