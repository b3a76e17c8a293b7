package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// An Error says what is wrong with a filter, and where.
type Error struct {
	Off, Len int    // octets of the filter's text
	Msg      string // what is wrong, lower case, without a full stop
	Hint     string // what would help, or ""
}

// Error gives the place, the message and the hint in one line.
func (e *Error) Error() string {
	s := fmt.Sprintf("filter, octet %d: %s", e.Off, e.Msg)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Caret draws the filter with the place marked below it, in two lines that end in a newline. Characters that do not
// print are drawn as blanks.
func (e *Error) Caret(text string) string {
	var line, mark strings.Builder
	off := min(max(e.Off, 0), len(text))
	end := min(off+max(e.Len, 1), len(text)+1)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r < 0x20 || r == 0x7f || r > 0x7e && !isPrint(r) || r == utf8.RuneError && n == 1 {
			r = ' '
		}
		line.WriteRune(r)
		switch {
		case i+n <= off:
			mark.WriteByte(' ')
		case i < end:
			if mark.Len() > 0 && strings.HasSuffix(mark.String()[max(0, mark.Len()-1):], "^") || i > off {
				mark.WriteByte('~')
			} else {
				mark.WriteByte('^')
			}
		}
		i += n
	}
	if off >= len(text) {
		mark.WriteByte('^')
	}
	return line.String() + "\n" + mark.String() + "\n"
}
