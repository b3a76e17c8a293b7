package sipparse

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// everything is all that a message says.
func everything(m *Message, err error) string {
	return fmt.Sprint(err, m.Request, m.Method, m.RequestURI, m.Version, m.Reason, m.StatusSpan, m.Status, m.StartLine, m.Headers, m.HeaderEnd, m.Body, m.Extra, allDiags(m.Diags),
		m.ContentLength, m.first, m.maxDiags, m.clCount, m.clBad, m.clOther, m.dropped, m.bareLF, m.nonASCII)
}

func allDiags(ds []Diag) (all []any) {
	for _, d := range ds {
		all = append(all, d.ID, d.Header, d.Off, d.Len, d.Detail)
	}
	return all
}

// allParts is all that the parts of a message say.
func allParts(ps []Part) string {
	var b []byte
	for i := range ps {
		p := &ps[i]
		b = fmt.Append(b, p.Path, p.Parent, p.Container, p.Depth, p.Type.Full, p.Type.Params, p.Headers, p.Raw, p.Off, p.Derived, p.Decoded, allDiags(p.Diags), p.base, len(p.src), len(p.Data))
		for _, s := range []string{string(p.Type.Raw), p.ContentID, p.Disposition, p.Encoding, string(p.Data)} {
			b = append(append(b, '|'), s...)
		}
	}
	return string(b)
}

// sameWithMemory parses octets with what was remembered of others before and without, and finds no difference.
func sameWithMemory(t testing.TB, mem *Memory, used *Message, sp *Splitter, raw []byte, o Options) {
	t.Helper()
	before := bytes.Clone(raw)
	var m Message
	err := m.Parse(raw, o)
	o.Memory = mem
	err2 := used.Parse(raw, o)
	if got, want := everything(used, err2), everything(&m, err); got != want {
		t.Fatalf("with memory %q\n got %s\nwant %s", raw, got, want)
	}
	if err == nil {
		if got, want := allParts(sp.Parts(used, o.Limits)), allParts(m.Parts(o.Limits)); got != want {
			t.Fatalf("with memory %q\n got %s\nwant %s", raw, got, want)
		}
	}
	if !bytes.Equal(raw, before) {
		t.Fatal("the input was changed")
	}
}

// spoilt is a message with a few changes, most of them in the header section or that of a part.
func spoilt(rnd *rand.Rand, raw []byte) []byte {
	b := bytes.Clone(raw)
	words := []string{" ", "  ", "\t", "\r\n", "\n", "\r", "\r\n ", ":", ": ", "x", "X-A: b\r\n", "Via: SIP/2.0/UDP a;branch=z9hG4bK\r\n", "\r\n\r\n", "v: SIP/2.0/TCP b\r\n", "\xff", "\xc3\xa4", ",", ";", "\"", "<", ">",
		"Content-ID: <>\r\n", "Content-Length: 7\r\n", "Event: a\r\n", "9", "CSeq: 1 BYE\r\n", "\x00", "Content-Type: text/plain\r\n", "ID: <x@y>\r\n"}
	for range rnd.IntN(4) {
		at := rnd.IntN(len(b))
		if nl := bytes.IndexByte(b[at:], '\n'); nl >= 0 && rnd.IntN(2) == 0 {
			at += nl + 1
		}
		end := min(len(b), at+[]int{0, 0, 0, 1, 2, 20, 60}[rnd.IntN(7)])
		w := words[rnd.IntN(len(words))]
		if rnd.IntN(3) == 0 {
			w = ""
		}
		b = append(append(bytes.Clone(b[:at]), w...), b[end:]...)
		if len(b) == 0 {
			return []byte("x")
		}
	}
	if rnd.IntN(8) == 0 {
		b = b[:rnd.IntN(len(b))]
	}
	return b
}

// TestMemory: what is remembered never changes what is found, whatever came before, whether it was kept or overwritten.
func TestMemory(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 5))
	some := append(append(traffic(12, false), traffic(4, true)...), mcpttInvite())
	for _, tt := range mimeRows {
		some = append(some, []byte("MESSAGE sip:a SIP/2.0\r\nContent-Type: "+tt.ct+"\r\n\r\n"+tt.body))
	}
	rounds := 30000
	if testing.Short() {
		rounds = 6000
	}
	var mem Memory
	var used Message
	var sp Splitter
	buf := make([]byte, 0, 1<<16)
	diags := 0
	for i := range rounds {
		raw := some[rnd.IntN(len(some))]
		if rnd.IntN(3) > 0 {
			raw = some[rnd.IntN(6)]
		}
		if rnd.IntN(2) == 0 {
			raw = spoilt(rnd, raw)
		}
		buf = append(buf[:0], raw...) // memory that the next message overwrites
		o := Options{Datagram: rnd.IntN(2) == 0}
		if rnd.IntN(6) == 0 {
			o.Limits = Limits{Headers: 1 + rnd.IntN(16), Diags: 1 + rnd.IntN(4), Parts: 1 + rnd.IntN(5)}
		}
		sameWithMemory(t, &mem, &used, &sp, buf, o)
		diags += len(used.Diags)
		if i%5000 == 4999 {
			mem, sp = Memory{}, Splitter{}
		}
	}
	if diags < rounds/4 {
		t.Error("only", diags, "diagnostics")
	}
}

func FuzzMemory(f *testing.F) {
	all := traffic(2, false)
	f.Add(all[0], all[2], uint8(0))
	f.Add(all[1], all[3], uint8(3))
	f.Add(mcpttInvite(), []byte("INVITE <sip:a> sip/2.0 \r\nFrom : \"a\\\"b\" <sip:x>;tag=\"\r\nContact: *\r\n\tContact: a\r\n\n"), uint8(2))
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nv:b\n c\r\nl: 3\r\n\r\nabcd"), []byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nl: 3\r\n\r\nabcd"), uint8(9))
	f.Add([]byte("MESSAGE sip:a SIP/2.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain;charset=utf-8\r\nContent-ID: <a@b>\r\n\r\nx\r\n--b\r\nContent-Type: text/plain;charset=utf-8\r\nContent-ID: <a@b>\r\n\r\ny\r\n--b--"),
		[]byte("MESSAGE sip:a SIP/2.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain;charset=utf-8\r\nContent-ID: <a@b>\r\n\r\nx\r\n--b\r\nContent-Type: text/plain;charset=utf-8\r\nContent-ID: <>\r\n\r\ny\r\n--b--"), uint8(0))
	f.Fuzz(func(t *testing.T, a, b []byte, cut uint8) {
		var mem Memory
		var used Message
		var sp Splitter
		o := Options{Datagram: cut&1 == 0}
		rnd := rand.New(rand.NewPCG(uint64(cut), 1))
		sameWithMemory(t, &mem, &used, &sp, mcpttInvite(), o)
		for range 4 {
			sameWithMemory(t, &mem, &used, &sp, a, o)
			sameWithMemory(t, &mem, &used, &sp, a, o)
			sameWithMemory(t, &mem, &used, &sp, b, o)
			if len(a) > 0 {
				sameWithMemory(t, &mem, &used, &sp, spoilt(rnd, a), o)
				sameWithMemory(t, &mem, &used, &sp, a[:max(len(a)-int(cut), 0)], o)
			}
		}
	})
}

// TestMemoryKnows: of traffic that repeats itself all is known soon, and what is remembered stays small whatever comes.
func TestMemoryKnows(t *testing.T) {
	var mem Memory
	var m Message
	var sp Splitter
	for _, raw := range traffic(30, false) {
		m.Parse(raw, Options{Datagram: true, Memory: &mem})
		sp.Parts(&m, Limits{})
	}
	for _, raw := range traffic(30, false) {
		s := mem.set(raw)
		if s.begin.text == nil || !bytes.HasPrefix(raw, s.begin.text) {
			t.Fatalf("the start line of %.60q is not known", raw)
		}
		m.reset(raw, true, defaults)
		m.expect(s)
		if pos, _ := m.parseHeaders(len(s.begin.text), 100); m.trail.wrong > 0 {
			t.Fatalf("%d lines were not expected in %q", m.trail.wrong, raw[:pos])
		}
	}
	// A Content-ID that never was before makes no difference.
	m.Parse([]byte("MESSAGE sip:a SIP/2.0\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: application/poc-settings+xml\r\nContent-ID: <new>\r\n\r\nx\r\n--b--"), Options{Datagram: true})
	if ps := sp.Parts(&m, Limits{}); sp.memory.prev == partHeads || len(ps) != 2 || ps[1].ContentID != "new" {
		t.Errorf("%+v is not known", ps)
	}
	heads := 0
	for i := range sp.memory.heads {
		if len(sp.memory.heads[i].text) > 0 {
			heads++
		}
	}
	if heads != 4 {
		t.Error(heads, "header sections of parts are known")
	}
	for i, raw := range traffic(4000, true) {
		for k := range raw[:8] { // so that each set gets some
			if raw[k] != ' ' && raw[0] == 'P' && k < i%8 {
				raw[k] = byte('A' + i>>(k*2)%26)
			}
		}
		if m.Parse(raw, Options{Datagram: true, Memory: &mem}) == nil {
			sp.Parts(&m, Limits{})
		}
	}
	for i := range mem.sets {
		for k := range mem.sets[i].forms {
			if f := &mem.sets[i].forms[k]; cap(f.text) > 2*formText || cap(f.lines) > 2*formLines || cap(mem.sets[i].begin.text) > 2*startText {
				t.Fatal(cap(f.text), cap(f.lines))
			}
		}
	}
	for i := range sp.memory.heads {
		if h := &sp.memory.heads[i]; cap(h.text) > 2*headText || cap(h.headers) > 2*headFields {
			t.Fatal(cap(h.text), cap(h.headers))
		}
	}
	// Credentials are not kept.
	secret := []byte("PUBLISH sip:a SIP/2.0\r\nAuthorization: Bearer abcdefghijkl\r\nMax-Forwards: 70\r\n\r\n" + string(make([]byte, 40)))
	mem = Memory{}
	for range 3 {
		m.Parse(secret, Options{Datagram: true, Memory: &mem})
	}
	if s := mem.set(secret); bytes.Contains(s.forms[0].text, []byte("abcdef")) || !bytes.Contains(s.forms[0].text, []byte("Authorization: ")) {
		t.Errorf("kept %q", s.forms[0].text)
	}
}

// TestBoundaryAlone holds the quick look at a boundary to the reader of parameters.
func TestBoundaryAlone(t *testing.T) {
	words := []string{"boundary=", "boundary=", "\"", "\"", "b", "b-1", ";", " ", "=", "\\", "Boundary", "\r\n ", "x", "ä", "'", "<"}
	rnd := rand.New(rand.NewPCG(3, 3))
	quick := 0
	for range 200000 {
		var b []byte
		for range rnd.IntN(7) {
			b = append(b, words[rnd.IntN(len(words))]...)
		}
		if rnd.IntN(50) == 0 {
			b = append(b, bytes.Repeat([]byte("b"), 80)...)
		}
		v := boundaryAlone(b)
		if v == nil {
			continue
		}
		quick++
		mt := MediaType{Raw: b, Params: span(0, len(b))}
		if want, ok := mt.Param("boundary"); !ok || want != string(v) || goodBoundary(v) != (len(v) <= 70) {
			t.Fatalf("%q: %q, not %q %v", b, v, want, ok)
		}
	}
	if quick < 2000 {
		t.Error("only", quick)
	}
}

// TestMemoryEdges: what looks like something remembered and is not.
func TestMemoryEdges(t *testing.T) {
	multi := func(parts ...string) string {
		s := "MESSAGE sip:a SIP/2.0\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n"
		for _, p := range parts {
			s += "--b\r\n" + p + "\r\n"
		}
		return s + "--b--"
	}
	const long = "Content-Type: text/plain;charset=utf-8;filler=aaaaaaaaaaaaaaaaaaaaaaaaa"
	id := func(s string) string { return long + "\r\nContent-ID: " + s }
	for _, row := range [][]string{
		{"SUBSCRIBE sip:a SIP/2.0\r\nCSeq: 1 SUBSCRIBE\r\n\r\n", "SUBSCRIBX sip:a SIP/2.0\r\nCSeq: 1 SUBSCRIBE\r\n\r\n"},
		{"PUBLISH sip:a SIP/2.0\r\nEvent: a b\r\nMax-Forwards: 256\r\nExpires: x\r\nTo: <sip:a\r\nDate: 1\r\nX: y\r\n\r\n"},
		{"PUBLISH sip:a SIP/2.0\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", "PUBLISH sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nabcdef"},
		{"PUBLISH sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nVia: SIP/2.0/UDP b\r\n\r\n", "PUBLISH sip:a SIP/2.0\r\nX: y\r\nVia: SIP/2.0/UDP b\r\n\r\n", "PUBLISH sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\r\n"},
		{"PUBLISH sip:a SIP/2.0\r\nCall-ID: a\r\nTo: <sip:a>\r\n\r\n", "PUBLISH sip:a SIP/2.0\r\nCall-ID: \r\nTo: \r\n\r\n"},
		{"PUBLISH sip:a SIP/2.0\r\nEvent: a\r\nEvent: bb\r\n\r\n", "PUBLISH sip:a SIP/2.0\r\nEvent: a\r\nEvent: ccc\r\n\r\n"},
		{"PUBLISH sip:a SIP/2.0\r\nEvent: a\r\nEvent: a\r\n\r\n", "PUBLISH sip:a SIP/2.0\r\nTo: <sip:a>\r\nEvent: a\r\n\r\n"},
		{"PUBLISH sip:a SIP/2.0\r\nSubject:  \r\nEvent: \r\n\r\n", "PUBLISH sip:a SIP/2.0\r\nSubject:  \r\n a\r\nEvent: a\r\n\r\n", "PUBLISH sip:a SIP/2.0\r\nSubject:   a  \r\nEvent:  a \r\n\r\n"},
		{"\r\nPUBLISH sip:a SIP/2.0\r\nEvent: a\r\n\r\n", "PUBLISH sip:a SIP/2.0\nEvent: a\n\n", "PUBLISH sip:a SIP/2.0\r\nEvent: a\r\n", "PUBLISH sip:a SIP/2.0\r\nEvent: a\r\n\r", "PUBLISH sip:a SIP/2.0\r\nEvent: a", "PUBLISH sip:a SIP/2.0"},
		{multi(long+"\r\nContent-ID: <>\r\n\r\nx", long+"\r\nContent-ID: <>\r\n\r\ny"), multi("Content-ID: <>\r\n\r\nx", long+"\r\nContent-ID: <>\r\n\r\ny")},
		{multi(long), multi(long + "\r\nContent-ID: <a@b>\r\n\r\nx"), multi(long + "\r\n\r\nx"), multi(long + "bbbbb\r\n\r\nx"), multi(long + "\r\n")},
		{multi(long + "\r\nContent-ID: a\r\n\r\nx"), multi(long + "\r\nContent-Type: text/a\r\n\r\nx"), multi(long + "\n\nx")},
		{multi(long+"\r\nContent-ID: <a@b>\r\n\r\nx", long+"\r\nContent-ID: <a@b>\r\n\r\nx", long+"\r\n\r\nContent-Type: x")},
		{multi("Content-Type: multipart/mixed;boundary=c;filler=aaaaaaaaaaaaaaaaa\r\n\r\n--c\r\n" + long + "\r\n\r\nx\r\n--c--")},
		{multi(long + "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: Render;x=y\r\n\r\nSGVsbG8="), multi(long + "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: Render;x=y\r\n\r\nSG*sbG8=")},
		{multi(id("<a@b>\r\n\r\nx"), id("<a@b>\r\n\r\nx"), id("<c@d>\r\n\r\ny")), multi(id("<a@b\r\n\r\nx")), multi(id("<>\r\n\r\nx"), id("<>\r\n\r\nx")), multi(id("<a>>\r\n\r\nx"), id("<a> \r\n\r\nx"), id("< a>\r\n\r\nx")),
			multi(id("<a>\r\n b>\r\n\r\nx"), id("<a>\r\nX: y\r\n\r\nx"), id("<a>\n\nx"), id("<\xff>\r\n\r\nx"), id("<a\tb>\r\n\r\nx"), id("<a>\r\n"), id("<a>"), id("<a>\r\n\r\n"), id("<"), id("<\r\n\r\n>\r\n\r\n"))},
		{"SIP/2.0 200 OK\r\nTo: <sip:a>;tag=1\r\nX-A: b\r\n\r\n", "SIP/2.0 200 OK\r\nTo: <sip:a>;tag=1\r\nX-B: b\r\n\r\n", "SIP/2.0 200 OK\r\nTo : <sip:a>;tag=1\r\nx-a: b\r\n\r\n", "SIP/2.0 200 OK\r\nTo:\t<sip:a>;tag=1\r\nX-A:  b\r\n\r\n", "SIP/2.0 2000 OK\r\n\r\n"},
	} {
		var mem Memory
		var used Message
		var sp Splitter
		for range 12 {
			for _, s := range row {
				for range 3 {
					sameWithMemory(t, &mem, &used, &sp, []byte(s), Options{Datagram: true})
				}
			}
			for _, s := range row {
				for n := range s {
					if rand.IntN(8) == 0 {
						sameWithMemory(t, &mem, &used, &sp, []byte(s[:n]), Options{Datagram: true})
					}
				}
			}
		}
		// A limit that was larger before.
		for _, s := range row {
			var m Message
			var fresh Splitter
			if m.Parse([]byte(s), Options{Datagram: true}) == nil {
				lim := Limits{Headers: 1}
				got, want := sp.Content(m.Raw, m.Body, m.Value(HdrContentType), nil, nil, nil, lim), fresh.Content(m.Raw, m.Body, m.Value(HdrContentType), nil, nil, nil, lim)
				if allParts(got) != allParts(want) {
					t.Errorf("%q\n got %s\nwant %s", s, allParts(got), allParts(want))
				}
			}
		}
	}
}
