package filter

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A val is one value during a comparison.
type val struct {
	k    record.Kind // String, Octets, Uint, Int, Bool, Time or Addr
	bits uint8       // Addr literal: prefix length + 1, 0 for a plain address
	n    int64
	s    string
	a    netip.Addr
}

// class gathers the kinds that compare with each other.
type class uint8

const (
	noClass class = iota
	textClass
	numberClass
	boolClass
	timeClass
	addrClass
)

func classOf(k record.Kind) class {
	switch k {
	case record.String, record.Octets, record.Raw:
		return textClass
	case record.Uint, record.Int:
		return numberClass
	case record.Bool:
		return boolClass
	case record.Time:
		return timeClass
	case record.Addr:
		return addrClass
	}
	return noClass
}

func textual(k record.Kind) bool   { return classOf(k) == textClass }
func container(k record.Kind) bool { return classOf(k) == noClass }

// order compares two values of one class.
func order(a, b *val) int {
	switch classOf(a.k) {
	case textClass:
		return strings.Compare(a.s, b.s)
	case numberClass:
		return orderInts(a, b)
	case addrClass:
		return a.a.Compare(b.a)
	}
	return cmp.Compare(a.n, b.n)
}

// orderInts compares numbers of either sign: as uint64 a value may be beyond int64.
func orderInts(a, b *val) int {
	aBig := a.k == record.Uint && a.n < 0
	bBig := b.k == record.Uint && b.n < 0
	switch {
	case aBig && bBig:
		return cmp.Compare(uint64(a.n), uint64(b.n))
	case aBig:
		return 1
	case bBig:
		return -1
	}
	return cmp.Compare(a.n, b.n)
}

// equal reports equality; a literal with a prefix length equals every address inside.
func equal(a, b *val) bool {
	switch classOf(a.k) {
	case textClass:
		return a.s == b.s
	case addrClass:
		switch {
		case b.bits > 0:
			return netip.PrefixFrom(b.a, int(b.bits)-1).Contains(a.a)
		case a.bits > 0:
			return netip.PrefixFrom(a.a, int(a.bits)-1).Contains(b.a)
		}
		return a.a == b.a
	case numberClass:
		return orderInts(a, b) == 0
	}
	return a.n == b.n
}

// literalFor turns a literal into a value that compares with values of kind k. sliced says that k is a slice of text.
func (p *parser) literalFor(o *operand, k record.Kind, sliced bool) (val, *Error) {
	fail := func(format string, args ...any) (val, *Error) {
		return val{}, &Error{Off: o.off, Len: o.end - o.off, Msg: fmt.Sprintf(format, args...)}
	}
	shown := p.text[o.off:o.end]
	switch k {
	case record.String, record.Raw:
		if o.form == tokWord && misspelt(o.text) {
			return val{}, p.notField(o)
		}
		return val{k: record.String, s: o.text}, nil
	case record.Octets:
		if o.form != tokWord {
			return val{k: record.Octets, s: o.text}, nil
		}
		if b, ok := parseOctets(o.text); ok {
			return val{k: record.Octets, s: b}, nil
		}
		if sliced {
			if misspelt(o.text) {
				return val{}, p.notField(o)
			}
			return val{k: record.Octets, s: o.text}, nil
		}
		v, err := fail("%s is not octets", shown)
		err.Hint = "octets are written aa:bb:cc, text in double quotes"
		return v, err
	case record.Uint, record.Int:
		switch o.form {
		case tokChar:
			if len(o.text) == 1 {
				return val{k: record.Int, n: int64(o.text[0])}, nil
			}
			return fail("%s is not one octet", shown)
		case tokText:
			v, err := fail("text where a number is expected")
			err.Hint = "numbers have no quotes"
			return v, err
		}
		v, ok := parseNumber(o.text)
		if !ok {
			v, err := fail("%s is not a number", shown)
			err.Hint = fieldHint(o.text)
			return v, err
		}
		return v, nil
	case record.Bool:
		switch strings.ToLower(o.text) {
		case "true", "1":
			return val{k: record.Bool, n: 1}, nil
		case "false", "0":
			return val{k: record.Bool, n: 0}, nil
		}
		return fail("%s is neither true nor false", shown)
	case record.Time:
		if ns, ok := parseTime(o.text); ok {
			return val{k: record.Time, n: ns}, nil
		}
		v, err := fail("%s is not a time", shown)
		err.Hint = `times are "2024-01-31 12:00:00" (UTC), "2024-01-31T12:00:00+01:00" or seconds since 1970`
		return v, err
	case record.Addr:
		if a, err := netip.ParseAddr(o.text); err == nil {
			return val{k: record.Addr, a: a.Unmap().WithZone("")}, nil
		}
		if pf, err := netip.ParsePrefix(o.text); err == nil {
			if a := pf.Addr(); a.Is4In6() && pf.Bits() >= 96 {
				pf = netip.PrefixFrom(a.Unmap(), pf.Bits()-96)
			}
			return val{k: record.Addr, a: pf.Masked().Addr(), bits: uint8(pf.Bits() + 1)}, nil
		}
		v, err := fail("%s is not an address or network", shown)
		err.Hint = fieldHint(o.text)
		return v, err
	}
	return fail("nothing compares with a value of kind %s", k)
}

// misspelt reports whether an unquoted word looks like the name of a field that does not exist rather than like text:
// it begins with a registered name and a dot.
func misspelt(w string) bool {
	head, rest, ok := strings.Cut(w, ".")
	if !ok || rest == "" || strings.Contains(w, ":") {
		return false
	}
	_, known := record.Lookup(head)
	return known
}

func fieldHint(w string) string {
	if misspelt(w) {
		return hint(w)
	}
	return ""
}

// parseOctets reads aa:bb:cc, aa-bb-cc, aa.bb.cc, aabbcc and 0xff.
func parseOctets(s string) (string, bool) {
	if h, ok := strings.CutPrefix(s, "0x"); ok {
		if len(h) == 1 {
			h = "0" + h
		}
		b, err := hex.DecodeString(h)
		return string(b), err == nil && len(b) == 1
	}
	for _, sep := range []byte{':', '-', '.'} {
		if strings.IndexByte(s, sep) < 0 {
			continue
		}
		var out []byte
		for part := range strings.SplitSeq(strings.TrimSuffix(s, string(sep)), string(sep)) {
			if len(part) == 1 {
				part = "0" + part
			}
			b, err := hex.DecodeString(part)
			if err != nil || len(b) == 0 {
				return "", false
			}
			out = append(out, b...)
		}
		return string(out), len(out) > 0
	}
	if len(s) == 1 {
		s = "0" + s
	}
	b, err := hex.DecodeString(s)
	return string(b), err == nil && len(b) > 0
}

// parseNumber reads decimal, 0x hexadecimal, 0b binary and 0 octal numbers, with a sign.
func parseNumber(s string) (val, bool) {
	if strings.Contains(s, "_") {
		return val{}, false
	}
	if n, err := strconv.ParseInt(s, 0, 64); err == nil {
		return val{k: record.Int, n: n}, true
	}
	if u, err := strconv.ParseUint(s, 0, 64); err == nil {
		return val{k: record.Uint, n: int64(u)}, true
	}
	return val{}, false
}

var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 MST", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02", "Jan _2, 2006 15:04:05.999999999", "Jan _2, 2006 15:04:05.999999999 MST", "Jan _2, 2006",
}

// parseTime reads a time; without a zone it is UTC, as everything that mcxdump prints.
func parseTime(s string) (int64, bool) {
	for _, l := range timeLayouts {
		t, err := time.ParseInLocation(l, s, time.UTC)
		if err != nil {
			continue
		}
		if y := t.Year(); y < 1678 || y > 2261 {
			return 0, false // beyond int64 nanoseconds
		}
		if name, off := t.Zone(); off == 0 && name != "UTC" && name != "GMT" && name != "Z" && name != "" {
			return 0, false // an abbreviation that Go invented a zone for
		}
		return t.UnixNano(), true
	}
	whole, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(frac) > 9 || sec > 9_223_372_035 || sec < -9_223_372_035 {
		return 0, false
	}
	ns := sec * 1e9
	if frac != "" {
		f, err := strconv.ParseUint(frac+strings.Repeat("0", 9-len(frac)), 10, 32)
		if err != nil {
			return 0, false
		}
		if strings.HasPrefix(whole, "-") {
			ns -= int64(f)
		} else {
			ns += int64(f)
		}
	}
	return ns, true
}
