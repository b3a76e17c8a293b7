package bpf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// An Error is a place in a filter, and what is wrong there.
type Error struct {
	Off  int // octet of the text
	Text string
	Msg  string
	Hint string
}

func (e *Error) Error() string {
	return fmt.Sprintf("capture filter %q: %s (at octet %d)", e.Text, e.Msg, e.Off)
}

type kind uint8

const (
	tEnd  kind = iota
	tWord      // keyword or name
	tName      // a name that was escaped with \, never a keyword
	tNum
	tQuad // dotted, one to four numbers: at least one dot
	tIP6
	tMAC
	tOp
)

type token struct {
	kind kind
	text string
	off  int
	num  uint32
	bits int // of a tQuad
	ip   netip.Addr
	mac  [6]byte
}

const (
	maxText  = 32 << 10
	maxDepth = 100
)

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// lex cuts the text into tokens.
func lex(text string) ([]token, error) {
	if len(text) > maxText {
		return nil, &Error{Text: text[:40] + "...", Msg: fmt.Sprintf("longer than %d octets", maxText)}
	}
	var list []token
	for at := 0; at < len(text); {
		c := text[at]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			at++
			continue
		}
		t := token{off: at}
		n, err := t.read(text[at:], len(list) > 0 && list[len(list)-1].text == "[")
		if err != "" {
			return nil, &Error{Off: at, Text: text, Msg: err}
		}
		list = append(list, t)
		at += n
	}
	return append(list, token{off: len(text)}), nil
}

func (t *token) read(s string, index bool) (n int, err string) {
	if !index {
		if n := t.address(s); n > 0 {
			return n, ""
		}
	}
	c := s[0]
	switch {
	case c == '\\':
		for n = 1; n < len(s) && wordByte(s[n]); n++ {
		}
		if n == 1 {
			return 0, "a name is expected behind \\"
		}
		t.kind, t.text = tName, s[1:n]
		return n, ""
	case digit(c):
		return t.number(s)
	case wordByte(c) && c != '-' && c != '.':
		for n = 1; n < len(s) && wordByte(s[n]); n++ {
		}
		for s[n-1] == '-' { // an operator, not the end of a name
			n--
		}
		t.kind, t.text = tWord, s[:n]
		return n, ""
	}
	t.kind = tOp
	for _, op := range []string{"&&", "||", "!=", ">=", "<=", "==", "<<", ">>"} {
		if strings.HasPrefix(s, op) {
			t.text = op
			return 2, ""
		}
	}
	if strings.IndexByte("()[]!<>=&|^+-*/%:", c) < 0 {
		return 0, fmt.Sprintf("%q is not part of the language", c)
	}
	t.text = s[:1]
	return 1, ""
}

// address reads an IPv6 or MAC address.
func (t *token) address(s string) int {
	n := 0
	for n < len(s) && (digit(s[n]) || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'f' || s[n] == ':' || s[n] == '.' || s[n] == '-') {
		n++
	}
	if n < len(s) && wordByte(s[n]) {
		return 0
	}
	w := s[:n]
	for _, sep := range []string{":", "-", "."} {
		if parts := strings.Split(w, sep); len(parts) == 6 {
			ok := true
			for k, p := range parts {
				v, err := strconv.ParseUint(p, 16, 8)
				ok = ok && err == nil && len(p) <= 2
				t.mac[k] = byte(v)
			}
			if ok {
				t.kind, t.text = tMAC, w
				return n
			}
		}
	}
	if strings.Count(w, ":") >= 2 {
		if ip, err := netip.ParseAddr(w); err == nil && ip.Is6() {
			t.kind, t.text, t.ip = tIP6, w, ip
			return n
		}
	}
	return 0
}

// number reads a number in C's notation, or a dotted address of which trailing parts may be missing. A range, as in
// 5060-5070, is two numbers with a minus between them.
func (t *token) number(s string) (int, string) {
	n := 0
	for n < len(s) && (wordByte(s[n]) && s[n] != '-') {
		n++
	}
	t.text = s[:n]
	if strings.Contains(t.text, ".") {
		parts := strings.Split(t.text, ".")
		if len(parts) > 4 {
			return 0, fmt.Sprintf("%q is not an address", t.text)
		}
		for _, p := range parts {
			v, err := strconv.ParseUint(p, 10, 8)
			if err != nil {
				return 0, fmt.Sprintf("%q is not an address", t.text)
			}
			t.num = t.num<<8 | uint32(v)
		}
		t.kind, t.bits = tQuad, 8*len(parts)
		return n, ""
	}
	v, err := strconv.ParseUint(t.text, 0, 32)
	if err != nil || strings.Contains(t.text, "_") {
		return 0, fmt.Sprintf("%q is not a number of at most 32 bits", t.text)
	}
	t.kind, t.num = tNum, uint32(v)
	return n, ""
}
