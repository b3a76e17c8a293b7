package filter

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

func isPrint(r rune) bool { return strconv.IsPrint(r) }

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokWord
	tokText // quoted or raw string; token.text is the value
	tokChar // character constant; token.text is one octet or more
	tokOp   // operator or punctuation; token.text is its canonical spelling
)

type token struct {
	kind tokenKind
	text string
	off  int
	end  int
}

// words that are operators, with their canonical spelling.
var wordOps = map[string]string{
	"and": "and", "or": "or", "not": "not", "xor": "xor",
	"eq": "==", "any_eq": "==", "ne": "!=", "all_ne": "!=", "all_eq": "===", "any_ne": "!==",
	"gt": ">", "lt": "<", "ge": ">=", "le": "<=",
	"contains": "contains", "matches": "matches", "in": "in", "any": "any", "all": "all",
	"bitand": "&", "bitwise_and": "&",
}

// symbols, longest first.
var symbols = []struct{ text, op string }{
	{"===", "==="}, {"!==", "!=="},
	{"==", "=="}, {"!=", "!="}, {"~=", "!=="}, {">=", ">="}, {"<=", "<="}, {"&&", "and"}, {"||", "or"}, {"^^", "xor"}, {"..", ".."},
	{">", ">"}, {"<", "<"}, {"!", "not"}, {"~", "matches"}, {"&", "&"}, {"+", "+"}, {"-", "-"}, {"*", "*"}, {"/", "/"}, {"%", "%"},
	{"(", "("}, {")", ")"}, {"{", "{"}, {"}", "}"}, {"[", "["}, {",", ","},
}

type lexer struct {
	text string
	pos  int
}

func alnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= utf8.RuneSelf
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (l *lexer) at(i int) byte {
	if i < len(l.text) {
		return l.text[i]
	}
	return 0
}

// next reads one token.
func (l *lexer) next() (token, *Error) {
	for l.pos < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.pos]) >= 0 {
		l.pos++
	}
	start := l.pos
	if start >= len(l.text) {
		return token{kind: tokEnd, off: start, end: start}, nil
	}
	c := l.text[start]
	switch {
	case c == '"':
		return l.quoted(start)
	case (c == 'r' || c == 'R') && l.at(start+1) == '"':
		return l.raw(start)
	case c == '\'':
		return l.char(start)
	case alnum(c), c == '.' && alnum(l.at(start+1)), c == ':' && (alnum(l.at(start+1)) || l.at(start+1) == ':'), c == '-' && digit(l.at(start+1)):
		return l.word(start), nil
	}
	for _, s := range symbols {
		if strings.HasPrefix(l.text[start:], s.text) {
			l.pos += len(s.text)
			return token{tokOp, s.op, start, l.pos}, nil
		}
	}
	_, n := utf8.DecodeRuneInString(l.text[start:])
	e := &Error{Off: start, Len: n, Msg: "unexpected character " + strconv.QuoteToASCII(l.text[start:start+n])}
	switch c {
	case '=':
		e.Hint = "equality is =="
	case '|':
		e.Hint = "alternatives are joined with || or \"or\""
	case '#', '@', '$':
		e.Hint = "layer, raw and reference operators are not supported"
	case ']':
		e.Msg = "] without ["
	}
	return token{}, e
}

// word reads a field name, keyword, number, address, octets or other unquoted literal. A ".." ends it; "/" belongs to
// it after a digit or colon (addresses, URIs), "-" when letters or digits follow, "@" after a colon (URIs), "+" after a dot (feature tags).
func (l *lexer) word(start int) token {
	i := start
	literal := digit(l.text[i]) || l.text[i] == ':'
scan:
	for ; i < len(l.text); i++ {
		c := l.text[i]
		switch {
		case alnum(c):
		case c == '.':
			if l.at(i+1) == '.' {
				break scan
			}
		case c == ':':
			literal = true
		case c == '-':
			if i > start && !alnum(l.at(i+1)) {
				break scan
			}
		case c == '+': // a feature tag: sip.contact.params.+g.3gpp.mcptt
			if i == start || l.text[i-1] != '.' {
				break scan
			}
		case c == '/':
			if !literal {
				break scan
			}
		case c == '@':
			if !literal {
				break scan
			}
		default:
			break scan
		}
	}
	l.pos = i
	w := l.text[start:i]
	if op, ok := wordOps[w]; ok {
		return token{tokOp, op, start, i}
	}
	return token{tokWord, w, start, i}
}

func (l *lexer) quoted(start int) (token, *Error) {
	s, end, err := l.unescape(start+1, '"')
	if err != nil {
		return token{}, err
	}
	l.pos = end
	return token{tokText, s, start, end}, nil
}

func (l *lexer) raw(start int) (token, *Error) {
	// As in Wireshark a backslash protects a quote and stays.
	for i := start + 2; i < len(l.text); i++ {
		switch l.text[i] {
		case '\\':
			i++
		case '"':
			l.pos = i + 1
			return token{tokText, l.text[start+2 : i], start, i + 1}, nil
		}
	}
	return token{}, &Error{Off: start, Len: len(l.text) - start, Msg: "a string has no closing quote"}
}

func (l *lexer) char(start int) (token, *Error) {
	s, end, err := l.unescape(start+1, '\'')
	if err != nil {
		return token{}, err
	}
	if len(s) == 0 || len(s) > 1 && utf8.RuneCountInString(s) != 1 {
		return token{}, &Error{Off: start, Len: end - start, Msg: "a character constant holds one character", Hint: "strings take double quotes"}
	}
	l.pos = end
	return token{tokChar, s, start, end}, nil
}

// unescape reads up to the closing quote and returns the value and the place after the quote.
func (l *lexer) unescape(i int, quote byte) (string, int, *Error) {
	start := i - 1
	var b []byte
	for i < len(l.text) {
		c := l.text[i]
		if c == quote {
			return string(b), i + 1, nil
		}
		if c != '\\' {
			b = append(b, c)
			i++
			continue
		}
		e := l.at(i + 1)
		switch e {
		case 'a':
			b = append(b, 7)
		case 'b':
			b = append(b, 8)
		case 'f':
			b = append(b, 12)
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'v':
			b = append(b, 11)
		case '\\', '"', '\'', '?':
			b = append(b, e)
		case 'x', 'u', 'U':
			n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[e]
			k := i + 2
			for k < len(l.text) && k < i+2+n && strings.IndexByte("0123456789abcdefABCDEF", l.text[k]) >= 0 {
				k++
			}
			v, err := strconv.ParseUint(l.text[i+2:k], 16, 32)
			if err != nil || e != 'x' && k != i+2+n {
				return "", 0, &Error{Off: i, Len: min(2+n, len(l.text)-i), Msg: "a malformed escape", Hint: `hexadecimal escapes are \xNN, \uNNNN and \UNNNNNNNN`}
			}
			if e == 'x' {
				b = append(b, byte(v))
			} else {
				b = utf8.AppendRune(b, rune(v))
			}
			i = k
			continue
		default:
			if e < '0' || e > '7' {
				return "", 0, &Error{Off: i, Len: min(2, len(l.text)-i), Msg: "an unknown escape", Hint: `write \\ for a backslash, or a raw string r"..."`}
			}
			k := i + 1
			for k < len(l.text) && k < i+4 && l.text[k] >= '0' && l.text[k] <= '7' {
				k++
			}
			v, _ := strconv.ParseUint(l.text[i+1:k], 8, 16)
			if v > 255 {
				return "", 0, &Error{Off: i, Len: k - i, Msg: "an octal escape above \\377"}
			}
			b = append(b, byte(v))
			i = k
			continue
		}
		i += 2
	}
	return "", 0, &Error{Off: start, Len: len(l.text) - start, Msg: "a string has no closing quote"}
}

// brackets reads the inside of a slice, after "[", up to and with "]".
func (l *lexer) brackets() ([]span, *Error) {
	open := l.pos - 1
	skip := func() {
		for l.at(l.pos) == ' ' {
			l.pos++
		}
	}
	number := func() (int, bool, *Error) {
		skip()
		i := l.pos
		if l.at(i) == '-' {
			i++
		}
		for digit(l.at(i)) {
			i++
		}
		s := l.text[l.pos:i]
		if s == "" || s == "-" {
			return 0, false, nil
		}
		v, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return 0, false, &Error{Off: l.pos, Len: len(s), Msg: "an offset out of range"}
		}
		l.pos = i
		skip()
		return int(v), true, nil
	}
	var out []span
	for {
		s := span{end: toEnd}
		from, ok, err := number()
		if err != nil {
			return nil, err
		}
		s.from = from
		switch c := l.at(l.pos); {
		case c == ':':
			l.pos++
			n, have, err := number()
			if err != nil {
				return nil, err
			}
			if have {
				if n <= 0 {
					return nil, &Error{Off: l.pos, Len: 1, Msg: "the length of a slice must be above 0"}
				}
				s.end, s.n = byLength, n
			} else if !ok {
				return nil, &Error{Off: l.pos, Len: 1, Msg: "a slice needs an offset or a length"}
			}
		case ok && c == '-':
			l.pos++
			n, have, err := number()
			if err != nil {
				return nil, err
			}
			if !have {
				return nil, &Error{Off: l.pos, Len: 1, Msg: "a slice [i-j] needs its last offset"}
			}
			s.end, s.n = byLast, n
		case ok:
			s.end, s.n = byLength, 1
		default:
			return nil, &Error{Off: open, Len: max(l.pos-open, 1), Msg: "a slice is [offset:length], [first-last], [offset], [:length] or [offset:]"}
		}
		out = append(out, s)
		skip()
		switch l.at(l.pos) {
		case ',':
			l.pos++
			if len(out) >= 64 {
				return nil, &Error{Off: open, Len: l.pos - open, Msg: "too many ranges in one slice"}
			}
		case ']':
			l.pos++
			return out, nil
		default:
			return nil, &Error{Off: open, Len: max(l.pos-open, 1), Msg: "a slice has no closing ]"}
		}
	}
}

type spanEnd uint8

const (
	toEnd spanEnd = iota
	byLength
	byLast
)

// A span is one range of a slice.
type span struct {
	from int
	n    int // length, or last offset
	end  spanEnd
}

// cut applies the span; ok is false when it lies outside, as in Wireshark.
func (sp span) cut(s string) (string, bool) {
	from := sp.from
	if from < 0 {
		from += len(s)
	}
	to := len(s)
	switch sp.end {
	case byLength:
		to = from + sp.n
	case byLast:
		to = sp.n
		if to < 0 {
			to += len(s)
		}
		to++
	}
	if from < 0 || from >= len(s) || to <= from || to > len(s) {
		return "", false
	}
	return s[from:to], true
}
