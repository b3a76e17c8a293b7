package session

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func nano() int64 { return time.Now().UnixNano() }

func ladderScene() []*Event {
	var s scene
	clean(&s)
	r := *s.events[0]
	s.put(&r)
	s.put(&r)
	return s.events
}

func TestLadderFits(t *testing.T) {
	es := ladderScene()
	for _, ascii := range []bool{false, true} {
		for w := 1; w < 200; w++ {
			out := Ladder(es, LadderOptions{Width: w, ASCII: ascii})
			for _, line := range strings.Split(string(out), "\n") {
				if width(line) > max(w, 40) {
					t.Fatalf("width %d: %d columns: %q", w, width(line), line)
				}
				if !utf8.ValidString(line) {
					t.Fatalf("width %d: not UTF-8: %q", w, line)
				}
				if ascii && strings.ContainsFunc(line, func(r rune) bool { return r > 0x7e }) {
					t.Fatalf("not ASCII: %q", line)
				}
			}
		}
	}
}

func TestLadderSays(t *testing.T) {
	var s scene
	r := s.request("REGISTER", auth(alice, clientID))
	for range 2 {
		c := *r
		s.put(&c)
	}
	s.answer(r, 403, warning(101, "service authorisation failed"))
	for _, es := range [][]*Event{s.events, s.run(t).sessions[0].Events()} {
		out := string(Ladder(es, LadderOptions{Width: 80, Names: map[netip.Addr]string{ueAddr.Addr(): "UE one"}}))
		for _, want := range []string{"UE one", "192.0.2.1", "REGISTER (×3)", "403 Forbidden", "mcptt token", "101 service authorisation failed", "0.000", "0.030"} {
			if !strings.Contains(out, want) {
				t.Errorf("%q is missing in\n%s", want, out)
			}
		}
		if n := strings.Count(out, "REGISTER"); n != 1 {
			t.Errorf("%d arrows for one request in\n%s", n, out)
		}
	}
	if c := string(Ladder(s.events, LadderOptions{Color: true})); !strings.Contains(c, "\x1b[31m") || !strings.Contains(c, "\x1b[36m") {
		t.Error("no colour")
	}
	if string(Ladder(nil, LadderOptions{})) != "no messages\n" {
		t.Error("empty")
	}
}

// hostile texts must not reach a terminal or an image as they are.
func TestLadderEscapes(t *testing.T) {
	var s scene
	evil := "\x1b[2J<script>alert(1)</script>\u202e&\"'\xff\n" + strings.Repeat("x", 500) + "日本語"
	e := s.request("REGISTER", func(e *Event) { e.Method = evil })
	s.answer(e, 400, func(e *Event) { e.Reason = evil; e.Warnings = []Warning{{Code: 399, Text: evil, MC: -1}} })
	self := s.request("OPTIONS", from(ueAddr, netip.AddrPortFrom(ueAddr.Addr(), 5062)))
	s.answer(self, 200)
	s.put(&Event{Message: Message{Request: true, Method: "NOWHERE"}})
	for i := range 40 {
		s.request("OPTIONS", from(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1), pcscf))
	}
	names := map[netip.Addr]string{pcscf.Addr(): evil}
	for _, o := range []LadderOptions{{Width: 60, Names: names}, {Width: 250, ASCII: true, Names: names}} {
		out := Ladder(s.events, o)
		if bytes.ContainsAny(out, "\x1b\x07\r") || bytes.Contains(out, []byte("\u202e")) || !utf8.Valid(out) {
			t.Errorf("control characters in\n%q", out)
		}
		if !bytes.Contains(out, []byte("others")) {
			t.Error("hosts without a column are not mentioned")
		}
	}
	var b bytes.Buffer
	if err := LadderSVGNamed(append(s.events, nil), names, &b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "<script") {
		t.Error("markup of the wire in the image")
	}
	for d := xml.NewDecoder(&b); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if se, ok := tok.(xml.StartElement); ok && se.Name.Space != "http://www.w3.org/2000/svg" {
			t.Errorf("element %v", se.Name)
		}
	}
	if err := LadderSVG(nil, &b); err != nil {
		t.Error(err)
	}
	if err := LadderSVG(s.events, failing{}); err == nil {
		t.Error("a failing writer is not reported")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestTimes(t *testing.T) {
	for ns, want := range map[int64]string{0: "    0.000", 1_500_000_000: "    1.500", 12_345 * second: "  12345.0", 1 << 62: "99999999s", 200_000 * second: "  200000s"} {
		if got := relative(ns); got != want || len(got) != 9 {
			t.Errorf("relative(%d) = %q, want %q", ns, got, want)
		}
	}
	for s, n := range map[string]int{"": 0, "abc": 3, "日本": 4, "e\u0301": 1} {
		if width(s) != n {
			t.Errorf("width(%q) = %d", s, width(s))
		}
		for i := range 5 {
			if w := width(fit(s, i, false)); w > i {
				t.Errorf("fit(%q, %d) is %d wide", s, i, w)
			}
		}
	}
}
