package output

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// pairs holds the two digits of every number below a hundred.
const pairs = "00010203040506070809" +
	"10111213141516171819" +
	"20212223242526272829" +
	"30313233343536373839" +
	"40414243444546474849" +
	"50515253545556575859" +
	"60616263646566676869" +
	"70717273747576777879" +
	"80818283848586878889" +
	"90919293949596979899"

func put2(b []byte, n uint32) {
	_, i := b[1], n%100*2
	b[0], b[1] = pairs[i], pairs[i+1]
}

func put4(b []byte, n uint32) {
	_ = b[3]
	put2(b, n/100)
	put2(b[2:], n)
}

// put9 writes the nine digits of n.
func put9(b []byte, n uint32) {
	_ = b[8]
	b[0] = byte('0' + n/100_000_000)
	put4(b[1:], n/10_000%10_000)
	put4(b[5:], n%10_000)
}

// appendUint is strconv.AppendUint, made for numbers of few digits.
func appendUint(dst []byte, n uint64) []byte {
	switch {
	case n < 10:
		return append(dst, byte('0'+n))
	case n < 100:
		return append(dst, pairs[n*2], pairs[n*2+1])
	case n < 1_000:
		m := n % 100 * 2
		return append(dst, byte('0'+n/100), pairs[m], pairs[m+1])
	case n < 10_000:
		h, m := n/100*2, n%100*2
		return append(dst, pairs[h], pairs[h+1], pairs[m], pairs[m+1])
	case n < 1_000_000:
		var t [6]byte
		put2(t[:], uint32(n)/10_000)
		put4(t[2:], uint32(n)%10_000)
		if n < 100_000 {
			return append(dst, t[1:]...)
		}
		return append(dst, t[:]...)
	}
	return strconv.AppendUint(dst, n, 10)
}

// dotted holds each number of a dotted quad with a dot behind it, in the four low octets of a little-endian word, and above
// them how many octets that are: numbers of one, two and three digits come in no order that a branch could be foretold from.
var dotted = func() (t [256]uint64) {
	for i := range t {
		var w [8]byte
		w[4] = byte(copy(w[:], append(strconv.AppendUint(nil, uint64(i), 10), '.')))
		t[i] = binary.LittleEndian.Uint64(w[:])
	}
	return
}()

// appendIPv4 appends a dotted quad.
func appendIPv4(dst []byte, a [4]byte) []byte {
	var t [16]byte
	n := 0
	for _, c := range a {
		w := dotted[c]
		binary.LittleEndian.PutUint32(t[n:n+4], uint32(w))
		n += int(w >> 32)
	}
	return append(dst, t[:n-1]...)
}

// appendIP appends an address without its zone.
func appendIP(dst []byte, a netip.Addr) []byte {
	switch {
	case a.Is4():
		return appendIPv4(dst, a.As4())
	case a.IsValid():
		return a.WithZone("").AppendTo(dst)
	}
	return append(dst, '-')
}

// appendBlanks appends n blanks; none for less than one.
func appendBlanks(dst []byte, n int) []byte {
	const blanks = "                                "
	for n > len(blanks) {
		dst, n = append(dst, blanks...), n-len(blanks)
	}
	if n > 0 {
		dst = append(dst, blanks[:n]...)
	}
	return dst
}

// appendRight appends a number aligned to the right of a column.
func appendRight(dst []byte, n uint64, width int) []byte {
	var tmp [20]byte
	b := appendUint(tmp[:0], n)
	return append(appendBlanks(dst, width-len(b)), b...)
}
