package decode

import (
	"encoding/hex"
	"strings"
	"unsafe"
)

// A stringArena puts short strings together in chunks, so that there is an allocation a chunk and not one a string. What
// was handed out is never written again.
type stringArena struct{ free []byte }

const stringChunk = 4 << 10

func (a *stringArena) join(parts ...string) string {
	n := 0
	for _, s := range parts {
		n += len(s)
	}
	if n == 0 {
		return ""
	}
	if n > stringChunk/8 {
		return strings.Join(parts, "")
	}
	if cap(a.free)-len(a.free) < n {
		a.free = make([]byte, 0, stringChunk)
	}
	from := len(a.free)
	for _, s := range parts {
		a.free = append(a.free, s...)
	}
	return unsafe.String(&a.free[from], n)
}

// copy is octets as a string.
func (a *stringArena) copy(b []byte) string {
	if len(b) == 0 || len(b) > stringChunk/8 {
		return string(b)
	}
	if cap(a.free)-len(a.free) < len(b) {
		a.free = make([]byte, 0, stringChunk)
	}
	from := len(a.free)
	a.free = append(a.free, b...)
	return unsafe.String(&a.free[from], len(b))
}

// join puts strings together.
func (c *Context) join(parts ...string) string {
	if c.strings == nil {
		return strings.Join(parts, "")
	}
	return c.strings.join(parts...)
}

// hex is octets as lower-case hex digits.
func (c *Context) hex(b []byte) string {
	var room [128]byte
	if len(b) > len(room)/2 || c.strings == nil {
		return hex.EncodeToString(b)
	}
	return c.strings.copy(hex.AppendEncode(room[:0], b))
}

// hex8 is four octets as 8 hex digits.
func (c *Context) hex8(v uint32) string {
	const digits = "0123456789abcdef"
	var b [8]byte
	for i := range b {
		b[i] = digits[v>>(28-4*i)&15]
	}
	if c.strings == nil {
		return string(b[:])
	}
	return c.strings.copy(b[:])
}
