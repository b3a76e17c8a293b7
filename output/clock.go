package output

import (
	"strconv"
	"sync/atomic"

	"github.com/mcxdump/mcxdump/decode/record"
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
	// Days to a civil date by eras of 400 years that begin on 1 March.
	z := day + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d := doy - (153*mp+2)/5 + 1
	m := mp + 3
	y := yoe + era*400
	if m > 12 {
		m -= 12
		y++
	}
	if y < 1 || y > 9999 {
		return record.AppendTime(dst, ns)
	}
	dst = appendPadded(dst, uint64(y), 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, uint64(m), 2)
	dst = append(dst, '-')
	dst = appendPadded(dst, uint64(d), 2)
	dst = append(dst, 'T')
	dst = appendPadded(dst, uint64(rest/3600), 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, uint64(rest/60%60), 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, uint64(rest%60), 2)
	dst = append(dst, '.')
	dst = appendPadded(dst, uint64(nano), 9)
	return append(dst, 'Z')
}
