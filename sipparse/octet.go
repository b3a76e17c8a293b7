package sipparse

import "encoding/binary"

// Classes of octets, as in RFC 3261 25.1.
const (
	clToken  = 1 << iota // token
	clWS                 // SP, HTAB, CR, LF: white space inside a value, folds included
	clDigit              // DIGIT
	clAlpha              // ALPHA
	clScheme             // octets of a scheme after the first
	clURI                // octets that a URI may hold
	clHost               // octets of a host name or address
)

var class = func() (t [256]uint8) {
	add := func(s string, c uint8) {
		for i := range len(s) {
			t[s[i]] |= c
		}
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= clDigit | clToken | clScheme | clURI | clHost
	}
	for c := 'A'; c <= 'Z'; c++ {
		t[c] |= clAlpha | clToken | clScheme | clURI | clHost
		t[c|0x20] |= clAlpha | clToken | clScheme | clURI | clHost
	}
	add("-.!%*_+`'~", clToken)
	add(" \t\r\n", clWS)
	add("+-.", clScheme)
	add("-_.!~*'();/?:@&=+$,%[]#", clURI)
	add("-._:[]", clHost)
	return t
}()

func is(c byte, cl uint8) bool { return class[c]&cl != 0 }

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain tells whether all octets are printable ASCII. It works on eight octets at a time since it sees the whole header
// section of every message.
func plain(b []byte) bool {
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		del := x ^ (0x7f * ones)
		if (x|(x-0x20*ones)|(del-ones))&highs != 0 {
			// One of: an octet above 0x7f, one below 0x20, or DEL; borrows may also report a neighbour, so look closer.
			for _, c := range b[:8] {
				if c-0x20 > 0x5e {
					return false
				}
			}
		}
		b = b[8:]
	}
	for _, c := range b {
		if c-0x20 > 0x5e {
			return false
		}
	}
	return true
}

// trim cuts white space, folds included, off both ends and returns offsets.
func trim(b []byte, from, to int) (int, int) {
	for from < to && is(b[from], clWS) {
		from++
	}
	for to > from && is(b[to-1], clWS) {
		to--
	}
	return from, to
}

func skipWS(b []byte, i int) int {
	for i < len(b) && is(b[i], clWS) {
		i++
	}
	return i
}

// equalFold compares with a lower-case ASCII name.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func equalFoldBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lowerOctet(a[i]) != lowerOctet(b[i]) {
			return false
		}
	}
	return true
}

func lowerOctet(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// number reads decimal digits. ok is false when there is none or another octet is among them; over is true, and v all
// ones, when the value does not fit.
func number(b []byte) (v uint64, over, ok bool) {
	if len(b) == 0 {
		return 0, false, false
	}
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 {
			return 0, false, false
		}
		if v > (1<<64-1-d)/10 {
			over = true
			continue
		}
		if !over {
			v = v*10 + d
		}
	}
	if over {
		v = 1<<64 - 1
	}
	return v, over, true
}
