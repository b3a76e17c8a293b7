package output

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// plain[c] is true for the ASCII octets that AppendSafe copies as they are.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		t[c] = c != '\\'
	}
	return
}()

// Safe returns s fit for a terminal and for one line of text. Control characters (C0, DEL, C1), line and paragraph
// separators, bidirectional and other format controls, and everything else that does not print become \t \n \r \xNN
// \uNNNN or \UNNNNNNNN; an octet that is not UTF-8 becomes \xNN; a backslash becomes \\, so the original can be had
// back. A clean string is returned as it is.
func Safe(s string) string {
	if isSafe(s) {
		return s
	}
	return string(AppendSafe(make([]byte, 0, len(s)+16), s))
}

// isSafe reports whether AppendSafe would copy s unchanged.
func isSafe(s string) bool {
	for i := plainRun(s, 0); i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if !plain[c] {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !strconv.IsPrint(r) {
			return false
		}
		i += n
	}
	return true
}

// plainRun skips octets that stand for themselves from i on, eight at a time.
func plainRun(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		if odd := oddOctets(word(s[i:]), '\\'); odd != 0 {
			return i + bits.TrailingZeros64(odd)/8
		}
	}
	for i < len(s) && plain[s[i]] {
		i++
	}
	return i
}

// word is the first eight octets of a text.
func word(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// half is the first four octets of a text.
func half(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// oddOctets marks, by their highest bits, those of eight octets that are not printable ASCII, or a backslash, or odd. Above the
// first one others may be marked too.
func oddOctets(x uint64, odd byte) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	return (x | (x - ones*0x20) | (x ^ ones*uint64(odd) - ones) | (x ^ ones*'\\' - ones) | (x + ones)) & tops
}

// copyPlain copies s to the beginning of dst, which is at least as long, and reports whether it is printable ASCII without a
// backslash and without odd; otherwise nothing can be said of what is there now.
func copyPlain(dst []byte, s string, odd byte) bool {
	dst = dst[:len(s)]
	switch {
	case len(s) >= 8:
		marks := uint64(0)
		for to, rest := dst, s; len(rest) >= 8; to, rest = to[8:], rest[8:] {
			x := word(rest)
			marks |= oddOctets(x, odd)
			binary.LittleEndian.PutUint64(to, x)
		}
		x := word(s[len(s)-8:])
		binary.LittleEndian.PutUint64(dst[len(s)-8:], x)
		return marks|oddOctets(x, odd) == 0
	case len(s) >= 4:
		x, y := half(s), half(s[len(s)-4:])
		binary.LittleEndian.PutUint32(dst, uint32(x))
		binary.LittleEndian.PutUint32(dst[len(s)-4:], uint32(y))
		return oddOctets(x|y<<32, odd) == 0
	}
	for i := range len(s) {
		c := s[i]
		if !plain[c] || c == odd {
			return false
		}
		dst[i] = c
	}
	return true
}

// AppendSafe appends Safe(s).
func AppendSafe(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if i = plainRun(s, i); i == len(s) {
			break
		}
		c := s[i]
		n := 1
		r := rune(c)
		if c >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
			if strconv.IsPrint(r) && !(r == utf8.RuneError && n == 1) {
				i += n
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c, r, n)
		i += n
		start = i
	}
	return append(dst, s[start:]...)
}

const hexDigits = "0123456789abcdef"

func appendEscape(dst []byte, c byte, r rune, n int) []byte {
	switch {
	case c == '\\':
		return append(dst, `\\`...)
	case c == '\t':
		return append(dst, `\t`...)
	case c == '\n':
		return append(dst, `\n`...)
	case c == '\r':
		return append(dst, `\r`...)
	case n == 1: // a control character, or an octet that is not UTF-8
		return append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
	case r > 0xffff:
		dst = append(dst, '\\', 'U')
		for sh := 28; sh >= 0; sh -= 4 {
			dst = append(dst, hexDigits[r>>sh&15])
		}
		return dst
	}
	dst = append(dst, '\\', 'u')
	for sh := 12; sh >= 0; sh -= 4 {
		dst = append(dst, hexDigits[r>>sh&15])
	}
	return dst
}

// Width is the number of terminal columns of a string that Safe has passed.
func Width(s string) int {
	w := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			w++
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		w += runeWidth(r)
		i += n
	}
	return w
}

// appendClip appends as much of safe text as fits into max columns, ending in "…" when something was left out, and
// returns the columns used.
func appendClip(dst []byte, s string, max int) ([]byte, int) {
	if len(s) <= max {
		// Never more columns than octets: every rune of two columns has three octets or more.
		return append(dst, s...), Width(s)
	}
	w, cut, cutw := 0, 0, 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		rw := runeWidth(r)
		if w+rw > max {
			if max < 1 {
				return dst, 0
			}
			return append(append(dst, s[:cut]...), "…"...), cutw + 1
		}
		w += rw
		i += n
		if w <= max-1 {
			cut, cutw = i, w
		}
	}
	return append(dst, s...), w
}

// runeWidth is 0 for combining marks, 2 for East Asian wide and full-width characters and emoji, otherwise 1.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case inRanges(zeroWidth[:], r):
		return 0
	case r >= 0x1100 && inRanges(doubleWidth[:], r):
		return 2
	}
	return 1
}

func inRanges(t [][2]rune, r rune) bool {
	lo, hi := 0, len(t)
	for lo < hi {
		m := (lo + hi) / 2
		switch {
		case r < t[m][0]:
			hi = m
		case r > t[m][1]:
			lo = m + 1
		default:
			return true
		}
	}
	return false
}

// Combining marks of the common scripts (Unicode general categories Mn and Me), as ranges.
var zeroWidth = [...][2]rune{{0x300, 0x36f}, {0x483, 0x489}, {0x591, 0x5bd}, {0x5bf, 0x5bf}, {0x5c1, 0x5c2}, {0x5c4, 0x5c5},
	{0x610, 0x61a}, {0x64b, 0x65f}, {0x670, 0x670}, {0x6d6, 0x6dc}, {0x6df, 0x6e4}, {0x730, 0x74a}, {0x900, 0x902},
	{0x93c, 0x93c}, {0x941, 0x948}, {0x94d, 0x94d}, {0xe31, 0xe31}, {0xe34, 0xe3a}, {0xe47, 0xe4e}, {0x1ab0, 0x1ace},
	{0x1dc0, 0x1dff}, {0x20d0, 0x20f0}, {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
	{0xe0100, 0xe01ef}}

// East Asian Width W and F (UAX 11), merged to ranges.
var doubleWidth = [...][2]rune{{0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x23f0, 0x23f0},
	{0x23f3, 0x23f3}, {0x25fd, 0x25fe}, {0x2614, 0x2615}, {0x2648, 0x2653}, {0x267f, 0x267f}, {0x2693, 0x2693},
	{0x26a1, 0x26a1}, {0x26aa, 0x26ab}, {0x26bd, 0x26be}, {0x26c4, 0x26c5}, {0x26ce, 0x26ce}, {0x26d4, 0x26d4},
	{0x26ea, 0x26ea}, {0x26f2, 0x26f3}, {0x26f5, 0x26f5}, {0x26fa, 0x26fa}, {0x26fd, 0x26fd}, {0x2705, 0x2705},
	{0x270a, 0x270b}, {0x2728, 0x2728}, {0x274c, 0x274c}, {0x274e, 0x274e}, {0x2753, 0x2755}, {0x2757, 0x2757},
	{0x2795, 0x2797}, {0x27b0, 0x27b0}, {0x27bf, 0x27bf}, {0x2b1b, 0x2b1c}, {0x2b50, 0x2b50}, {0x2b55, 0x2b55},
	{0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0xa4cf}, {0xa960, 0xa97f}, {0xac00, 0xd7a3},
	{0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x16fe0, 0x18aff}, {0x1b000, 0x1b2ff},
	{0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f265},
	{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f7e0, 0x1f7eb}, {0x1f90c, 0x1f9ff}, {0x1fa70, 0x1faff},
	{0x20000, 0x3fffd}}
