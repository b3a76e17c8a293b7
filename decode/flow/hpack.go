package flow

import (
	"errors"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// A hpackField is one field that HPACK gave. Unknown says that it refers to an entry of the dynamic table that was made
// before the capture began or in octets that are missing; what is empty is then not known.
type hpackField struct {
	name, value string
	unknown     bool
}

// A hpackDecoder reads the field blocks of one direction (RFC 7541). Unlike others it goes on when the beginning of the
// connection is missing: the entries of the dynamic table are counted from the newest, so those that were seen keep
// their places, and what refers to older ones is marked.
type hpackDecoder struct {
	table   []hpackField // oldest first; those before first have gone
	first   int
	size    int    // as RFC 7541 4.1 counts
	max     int    // of the table, as the encoder says
	allowed int    // what the other side's SETTINGS_HEADER_TABLE_SIZE allows
	partial bool   // entries are missing
	unknown int    // fields that could not be told
	broken  string // why the block cannot be read on
	str     []byte // scratch
}

const (
	hpackTable    = 4096    // SETTINGS_HEADER_TABLE_SIZE at the beginning (RFC 9113 6.5.2)
	maxHpackTable = 1 << 20 // octets of a dynamic table
	maxHpackText  = 1 << 20 // octets of one string
)

var errHpack = errors.New("hpack")

func (h *hpackDecoder) reset(partial bool) {
	*h = hpackDecoder{max: hpackTable, allowed: hpackTable, partial: partial, str: h.str}
}

// held is what the decoder holds.
func (h *hpackDecoder) held() int64 { return int64(h.size) + int64(cap(h.str)) }

// decode reads a whole field block and hands its fields to emit. After an error the table is not known any more.
func (h *hpackDecoder) decode(b []byte, emit func(f hpackField)) (err error) {
	h.unknown, h.broken = 0, ""
	defer func() {
		if err != nil {
			h.table, h.first, h.size, h.partial = nil, 0, 0, true
		}
	}()
	began := false
	for len(b) > 0 {
		var n int
		var f hpackField
		switch c := b[0]; {
		case c&0x80 != 0: // indexed (6.1)
			if n, b, err = h.integer(b, 7); err != nil {
				return err
			}
			if f, err = h.at(n); err != nil {
				return err
			}
			emit(f)
		case c&0xc0 == 0x40: // literal, added to the table (6.2.1)
			if f, b, err = h.literal(b, 6); err != nil {
				return err
			}
			h.add(f)
			emit(f)
		case c&0xe0 == 0x20: // size of the table (6.3)
			if n, b, err = h.integer(b, 5); err != nil {
				return err
			}
			if began && h.size > 0 || n > h.allowed && !h.partial || n > maxHpackTable {
				h.broken = "a size of the dynamic table that is not allowed"
				return errHpack
			}
			h.max = n
			h.evict()
			continue
		default: // literal (6.2.2, 6.2.3)
			if f, b, err = h.literal(b, 4); err != nil {
				return err
			}
			emit(f)
		}
		began = true
	}
	return nil
}

// integer reads an integer with an n-bit prefix (5.1).
func (h *hpackDecoder) integer(b []byte, n uint) (int, []byte, error) {
	v := int(b[0]) & (1<<n - 1)
	b = b[1:]
	if v < 1<<n-1 {
		return v, b, nil
	}
	for shift := uint(0); shift < 28; shift += 7 {
		if len(b) == 0 {
			break
		}
		c := b[0]
		b = b[1:]
		v += int(c&0x7f) << shift
		if c&0x80 == 0 {
			return v, b, nil
		}
	}
	h.broken = "an integer that ends early or is too large"
	return 0, nil, errHpack
}

// text reads a string (5.2).
func (h *hpackDecoder) text(b []byte) (string, []byte, error) {
	if len(b) == 0 {
		h.broken = "a string that ends early"
		return "", nil, errHpack
	}
	coded := b[0]&0x80 != 0
	n, b, err := h.integer(b, 7)
	if err != nil {
		return "", nil, err
	}
	if n > len(b) || n > maxHpackText {
		h.broken = "a string that ends early"
		return "", nil, errHpack
	}
	if !coded {
		return string(b[:n]), b[n:], nil
	}
	s, err := hpack.HuffmanDecodeToString(b[:n])
	if err != nil {
		h.broken = "a string whose Huffman code is wrong"
		return "", nil, errHpack
	}
	return s, b[n:], nil
}

// literal reads a literal field whose name is indexed or literal too.
func (h *hpackDecoder) literal(b []byte, prefix uint) (f hpackField, rest []byte, err error) {
	n, b, err := h.integer(b, prefix)
	if err != nil {
		return f, nil, err
	}
	if n > 0 {
		if f, err = h.at(n); err != nil {
			return f, nil, err
		}
		f.value = ""
	} else if f.name, b, err = h.text(b); err != nil {
		return f, nil, err
	}
	f.value, b, err = h.text(b)
	return f, b, err
}

// at is the entry of an index (2.3.3).
func (h *hpackDecoder) at(i int) (hpackField, error) {
	switch {
	case i == 0:
	case i <= len(hpackStatic):
		return hpackStatic[i-1], nil
	case i-len(hpackStatic) <= len(h.table)-h.first:
		f := h.table[len(h.table)-(i-len(hpackStatic))]
		if f.unknown {
			h.unknown++
		}
		return f, nil
	case h.partial:
		h.unknown++
		return hpackField{unknown: true}, nil
	}
	h.broken = "an index that is in no table"
	return hpackField{}, errHpack
}

// add puts an entry into the dynamic table (4.4).
func (h *hpackDecoder) add(f hpackField) {
	h.table = append(h.table, f)
	h.size += len(f.name) + len(f.value) + 32
	h.evict()
}

func (h *hpackDecoder) evict() {
	for h.size > h.max && h.first < len(h.table) {
		f := &h.table[h.first]
		h.size -= len(f.name) + len(f.value) + 32
		*f = hpackField{}
		h.first++
	}
	if n := len(h.table) - h.first; h.first > 64 && h.first > n { // moved once for as many that have gone
		copy(h.table, h.table[h.first:])
		clear(h.table[n:])
		h.table, h.first = h.table[:n], 0
	}
}

// hpackStatic is the static table (RFC 7541 A).
var hpackStatic = func() (t [61]hpackField) {
	const names = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`
	i := 0
	for line := range strings.SplitSeq(names, "\n") {
		t[i].name, t[i].value, _ = strings.Cut(line, " ")
		i++
	}
	return t
}()
