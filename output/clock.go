package output

import (
	"strconv"
	"sync/atomic"
)

// A Clock is time zero of relative times: the first frame of the run. Set it before records are formatted
// concurrently; otherwise the first record that asks sets it.
type Clock struct {
	zero atomic.Pointer[int64]
}

// Set sets time zero in Unix nanoseconds; only the first call counts.
func (c *Clock) Set(ns int64) { c.zero.CompareAndSwap(nil, &ns) }

func (c *Clock) since(ns int64) int64 {
	z := c.zero.Load()
	if z == nil {
		c.set(ns)
		z = c.zero.Load()
	}
	return ns - *z
}

// set is apart from since so that its argument escapes to the heap only here.
func (c *Clock) set(ns int64) { c.Set(ns) }

// appendTime appends a time in a style other than TimeAuto.
func appendTime(dst []byte, ns int64, style TimeStyle, c *Clock) []byte {
	switch style {
	case TimeRelative:
		return appendSeconds(dst, c.since(ns), 6)
	case TimeEpoch:
		return appendSeconds(dst, ns, 9)
	}
	return appendRFC3339(dst, ns)
}

// appendSeconds appends nanoseconds as seconds with the given number of decimals, cut and not rounded.
func appendSeconds(dst []byte, ns int64, decimals int) []byte {
	u := uint64(ns)
	if ns < 0 {
		dst = append(dst, '-')
		u = -u
	}
	dst = strconv.AppendUint(dst, u/1e9, 10)
	frac := u % 1e9
	for range 9 - decimals {
		frac /= 10
	}
	dst = append(dst, '.')
	return appendPadded(dst, frac, decimals)
}

// appendPadded appends n with leading zeros to the width.
func appendPadded(dst []byte, n uint64, width int) []byte {
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; i >= at; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

// appendRFC3339 is record.AppendTime without the layout to interpret.
func appendRFC3339(dst []byte, ns int64) []byte {
	sec, nano := ns/1e9, ns%1e9
	if nano < 0 {
		sec, nano = sec-1, nano+1e9
	}
	day, rest := sec/86400, sec%86400
	if rest < 0 {
		day, rest = day-1, rest+86400
	}
	y, m, d := date(day)
	var b [len("2006-01-02T15:04:05.000000000Z")]byte
	s := uint32(rest)
	put4(b[:], y)
	b[4] = '-'
	put2(b[5:], m)
	b[7] = '-'
	put2(b[8:], d)
	b[10] = 'T'
	put2(b[11:], s/3600)
	b[13] = ':'
	put2(b[14:], s/60%60)
	b[16] = ':'
	put2(b[17:], s%60)
	b[19] = '.'
	put9(b[20:], uint32(nano))
	b[29] = 'Z'
	return append(dst, b[:]...)
}

// date is the civil date of a day counted from 1970-01-01, of those that int64 nanoseconds reach, the years 1677 to 2262. The
// calendar is taken to begin on 1 March of the year 0, so that a leap day is the last of its year.
func date(day int64) (y, m, d uint32) {
	n := uint32(day+719468)*4 + 3
	century, of := n/146097, n%146097/4
	n = of*4 + 3
	year, of := n/1461, n%1461/4
	// Five months from March on have 153 days.
	m = (of*5 + 2) / 153
	d = of - (m*153+2)/5 + 1
	y = century*100 + year
	if m += 3; m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}
