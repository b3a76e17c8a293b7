package sipparse

// decodeBase64 undoes base64, RFC 2045 6.8. Line ends and white space are passed over; other octets outside the alphabet
// too, but bad is then the offset of the first, and -1 when all was well.
func decodeBase64(b []byte) (out []byte, bad int) {
	bad = -1
	out = make([]byte, 0, len(b)/4*3+3)
	var acc uint32
	n := 0
	for i, c := range b {
		v := base64Value[c]
		if v < 64 {
			acc = acc<<6 | uint32(v)
			if n++; n == 4 {
				out = append(out, byte(acc>>16), byte(acc>>8), byte(acc))
				acc, n = 0, 0
			}
			continue
		}
		if c == '=' {
			// Padding ends the data; more of it, or white space, may follow.
			for j := i + 1; j < len(b); j++ {
				if b[j] != '=' && !is(b[j], clWS) {
					bad = firstBad(bad, j)
					break
				}
			}
			if n < 2 {
				bad = firstBad(bad, i)
			}
			break
		}
		if !is(c, clWS) {
			bad = firstBad(bad, i)
		}
	}
	switch n {
	case 1:
		bad = firstBad(bad, max(len(b)-1, 0))
	case 2:
		out = append(out, byte(acc>>4))
	case 3:
		out = append(out, byte(acc>>10), byte(acc>>2))
	}
	return out, bad
}

func firstBad(bad, i int) int {
	if bad < 0 {
		return i
	}
	return bad
}

var base64Value = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		t[c] = uint8(i)
	}
	return t
}()

// decodeQP undoes quoted-printable, RFC 2045 6.7. A broken escape stays as it is; bad is the offset of the first, or -1.
func decodeQP(b []byte) (out []byte, bad int) {
	bad = -1
	out = make([]byte, 0, len(b))
	line := 0 // where the line begins in out
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\r' && i+1 < len(b) && b[i+1] == '\n' || c == '\n' {
			for len(out) > line && (out[len(out)-1] == ' ' || out[len(out)-1] == '\t') {
				out = out[:len(out)-1] // white space at a line's end was added in transport
			}
			if c == '\r' {
				out = append(out, '\r')
				i++
			}
			out = append(out, '\n')
			line = len(out)
			continue
		}
		if c != '=' {
			out = append(out, c)
			continue
		}
		j := i + 1
		for j < len(b) && (b[j] == ' ' || b[j] == '\t') {
			j++
		}
		switch {
		case j == len(b):
			i = j - 1
		case b[j] == '\n':
			i = j
		case b[j] == '\r' && j+1 < len(b) && b[j+1] == '\n':
			i = j + 1
		case i+2 < len(b) && hexValue(b[i+1]) < 16 && hexValue(b[i+2]) < 16:
			out = append(out, hexValue(b[i+1])<<4|hexValue(b[i+2]))
			line = len(out) // what an escape gives is no white space of transport
			i += 2
			continue
		default:
			bad = firstBad(bad, i)
			out = append(out, '=')
			continue
		}
		line = len(out) // a soft line break
	}
	return out, bad
}

func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}
