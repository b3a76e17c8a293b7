package sipparse

import (
	"encoding/binary"
	"math/bits"
)

// Classes of octets, as in RFC 3261 25.1.
const (
	clToken    = 1 << iota // token
	clWS                   // SP, HTAB, CR, LF: white space inside a value, folds included
	clDigit                // DIGIT
	clAlpha                // ALPHA
	clScheme               // octets of a scheme after the first
	clURI                  // octets that a URI may hold
	clHost                 // octets of a host name or address
	clUser                 // octets of a user part that need no closer look
	clName                 // octets of a host name or IPv4 address
	clURIParam             // octets of URI parameters, ";" and "=" included
	clBoundary             // octets of a boundary, RFC 2046 5.1.1
)

var class = func() (t [256]uint16) {
	add := func(s string, c uint16) {
		for i := range len(s) {
			t[s[i]] |= c
		}
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= clDigit | clToken | clScheme | clURI | clHost | clUser | clName | clURIParam | clBoundary
	}
	for c := 'A'; c <= 'Z'; c++ {
		t[c] |= clAlpha | clToken | clScheme | clURI | clHost | clUser | clName | clURIParam | clBoundary
		t[c|0x20] |= clAlpha | clToken | clScheme | clURI | clHost | clUser | clName | clURIParam | clBoundary
	}
	add("-.!%*_+`'~", clToken)
	add(" \t\r\n", clWS)
	add("+-.", clScheme)
	add("-_.!~*'();/?:@&=+$,%[]#", clURI)
	add("-._:[]", clHost)
	add("-_.!~*'()&=+$,;/%", clUser)
	add("-._", clName)
	add("-_.!~*'()&=+$,;/%[]:", clURIParam)
	add("'()+_,-./:=? ", clBoundary)
	return t
}()

func is(c byte, cl uint16) bool { return class[c]&cl != 0 }

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// printable gives the number of printable ASCII octets that b begins with. It looks at eight octets at a time since it
// sees the whole header section of every message.
func printable(b []byte) int {
	p := b
	for len(p) >= 8 {
		x := binary.LittleEndian.Uint64(p)
		// A high bit is set for an octet above 0x7f, for one below 0x20, and for DEL. A carry or borrow can set a wrong
		// one, but only above a right one, and only the lowest counts.
		if odd := (x | (x - 0x20*ones) | (x + ones)) & highs; odd != 0 {
			return len(b) - len(p) + bits.TrailingZeros64(odd)/8
		}
		p = p[8:]
	}
	for i, c := range p {
		if c-0x20 > 0x5e {
			return len(b) - len(p) + i
		}
	}
	return len(b)
}

// plain tells whether all octets are printable ASCII.
func plain(b []byte) bool { return printable(b) == len(b) }

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
