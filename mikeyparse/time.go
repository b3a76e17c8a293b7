package mikeyparse

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"
)

// TSType is the form of a time stamp (RFC 3830 6.6, RFC 6043 6.3).
type TSType uint8

// The registered time stamp types.
const (
	TSNTPUTC   TSType = 0 // RFC 3830 6.6, 8 octets
	TSNTP      TSType = 1 // RFC 3830 6.6, 8 octets
	TSCounter  TSType = 2 // RFC 3830 6.6, 4 octets
	TSNTPUTC32 TSType = 3 // RFC 6043, 4 octets
)

var tsTypeNames = []string{"NTP-UTC", "NTP", "COUNTER", "NTP-UTC-32"}

func (v TSType) String() string { return enumName("TSType", uint8(v), tsTypeNames) }

// width returns the octets of the value; 0 stands for a type nobody registered.
func (v TSType) width() int {
	switch v {
	case TSNTPUTC, TSNTP:
		return 8
	case TSCounter, TSNTPUTC32:
		return 4
	}
	return 0
}

// TimeForm tells how the octets of a time stamp are to be understood. Products
// do not all write NTP.
type TimeForm uint8

// The forms seen in the field.
const (
	TimeNone    TimeForm = iota // a counter, or nothing
	TimeNTP                     // as RFC 3830 6.6 says
	TimeUnixLE                  // Unix seconds, little-endian, in the first four octets
	TimeNTPLow                  // NTP seconds in the low 32 bits, the high ones 0
	TimeNTPEra1                 // NTP seconds counted from 2036-02-07
)

var timeFormNames = []string{"no time", "NTP", "Unix seconds little-endian", "NTP seconds in the low 32 bits", "NTP era 1"}

func (v TimeForm) String() string { return enumName("TimeForm", uint8(v), timeFormNames) }

// TS is a time stamp value: TSType and the four or eight octets as a number.
type TS struct {
	TSType TSType
	Value  uint64 // 64 bits, or 32 for COUNTER and NTP-UTC-32
}

const (
	ntpUnix = 2208988800 // seconds from 1900 to 1970
	// MIKEY-SAKKE is of 2012 (RFC 6509), its use in mission critical services of
	// 2016, and NTP era 0 ends in 2036: times outside are worth a second look.
	oldestUnix = 1356998400          // 2013-01-01
	newestUnix = 1<<32 - ntpUnix - 1 // 2036-02-07, end of era 0
	era        = 1 << 32 * time.Second
)

// A Reading is one way to understand a time stamp.
type Reading struct {
	Form TimeForm
	Time time.Time
}

// Readings returns the readings worth a thought, the most likely first. It is
// empty for a counter. NTP is among them otherwise, plausible or not.
func (t TS) Readings() []Reading {
	sec, frac, ok := t.split()
	if !ok {
		return nil
	}
	first, form := t.best()
	out := append(make([]Reading, 0, 4), Reading{form, first})
	add := func(f TimeForm, tm time.Time) {
		if f != form {
			out = append(out, Reading{f, tm})
		}
	}
	if sec == 0 && plausible(int64(frac)-ntpUnix) {
		add(TimeNTPLow, ntpTime(frac, 0))
	}
	if le := bits.ReverseBytes32(sec); frac == 0 && plausible(int64(le)) {
		add(TimeUnixLE, time.Unix(int64(le), 0).UTC())
	}
	add(TimeNTP, ntpTime(sec, frac))
	if sec < 1<<31 {
		add(TimeNTPEra1, ntpTime(sec, frac).Add(era))
	}
	return out
}

func plausible(unix int64) bool { return unix >= oldestUnix && unix <= newestUnix }

// Time returns the most likely reading in UTC; the zero time for a counter.
func (t TS) Time() time.Time { tm, _ := t.best(); return tm }

// Form names the most likely reading.
func (t TS) Form() TimeForm { _, f := t.best(); return f }

// best prefers NTP as the RFC has it, if that gives a time in which such
// messages exist, then the forms of products, then NTP after its wrap.
func (t TS) best() (time.Time, TimeForm) {
	sec, frac, ok := t.split()
	if !ok {
		return time.Time{}, TimeNone
	}
	switch le := bits.ReverseBytes32(sec); {
	case plausible(int64(sec) - ntpUnix):
	case sec == 0 && plausible(int64(frac)-ntpUnix):
		return ntpTime(frac, 0), TimeNTPLow
	case frac == 0 && plausible(int64(le)):
		return time.Unix(int64(le), 0).UTC(), TimeUnixLE
	case sec < 1<<29 && t.Value != 0: // to 2053
		return ntpTime(sec, frac).Add(era), TimeNTPEra1
	}
	return ntpTime(sec, frac), TimeNTP
}

// Near returns the reading closest to ref, the time of the packet: the octets
// of one form can be a plausible time in another.
func (t TS) Near(ref time.Time) Reading {
	var best Reading
	for i, r := range t.Readings() {
		if i == 0 || r.Time.Sub(ref).Abs() < best.Time.Sub(ref).Abs() {
			best = r
		}
	}
	return best
}

// NTPSeconds returns the seconds since 1900 of the most likely reading, the
// number from which the key period of a UID is computed (TS 33.180 F.2.1). It
// is 0 for a counter.
func (t TS) NTPSeconds() uint64 {
	tm, form := t.best()
	if form == TimeNone {
		return 0
	}
	return uint64(tm.Unix() + ntpUnix)
}

func (t TS) split() (sec, frac uint32, ok bool) {
	switch t.TSType {
	case TSNTPUTC, TSNTP:
		return uint32(t.Value >> 32), uint32(t.Value), true
	case TSNTPUTC32:
		return uint32(t.Value), 0, true
	}
	return 0, 0, false
}

func ntpTime(sec, frac uint32) time.Time {
	// Rounded to the nearest nanosecond, so that NTPTime gives the octets back
	// as nearly as a nanosecond allows.
	ns := (uint64(frac)*1e9 + 1<<31) >> 32
	return time.Unix(int64(sec)-ntpUnix, int64(ns)).UTC()
}

// NTPTime returns the NTP-UTC time stamp of t.
func NTPTime(t time.Time) TS {
	sec := uint64(t.Unix()+ntpUnix) & (1<<32 - 1)
	frac := (uint64(t.Nanosecond())<<32 + 5e8) / 1e9
	return TS{TSNTPUTC, sec<<32 + frac}
}

func (t TS) appendValue(b []byte) ([]byte, error) {
	switch t.TSType.width() {
	case 8:
		return binary.BigEndian.AppendUint64(b, t.Value), nil
	case 4:
		if t.Value > 1<<32-1 {
			return b, errTooLong
		}
		return binary.BigEndian.AppendUint32(b, uint32(t.Value)), nil
	}
	return b, fmt.Errorf("%w: %s", ErrValue, t.TSType)
}

// T is the time stamp payload as described in RFC 3830, 6.6.
type T struct {
	Base
	TS
}

var _ encoding.BinaryAppender = (*T)(nil)

// Type returns TypeT.
func (*T) Type() PayloadType { return TypeT }

func (p *parser) readTS(typeField, valueField string) TS {
	ts := TS{TSType: TSType(p.u8(typeField))}
	switch ts.TSType.width() {
	case 8:
		if v := p.bytes(valueField, 8); v != nil {
			ts.Value = binary.BigEndian.Uint64(v)
		}
	case 4:
		ts.Value = uint64(p.u32(valueField))
	default:
		p.unknown(typeField, 1, ts.TSType)
	}
	return ts
}

func (p *parser) readT() *T {
	p.spec = "RFC 3830 6.6"
	t := pick(p.room, usedT, &p.room.t)
	start := p.off
	t.Next = PayloadType(p.u8("t.next"))
	t.TS = p.readTS("t.type", "t.value")
	if p.err != nil {
		return t
	}
	switch t.Form() {
	case TimeUnixLE:
		p.deviate(DevTimeUnixLE, start+2, p.off, "t.value", "RFC 3830 6.6", "Unix seconds in little-endian order instead of NTP")
	case TimeNTPLow:
		p.deviate(DevTimeLow32, start+2, p.off, "t.value", "RFC 3830 6.6", "NTP seconds in the low 32 bits, the high ones are 0")
	}
	if p.sakkeMessage() && t.TSType > TSNTP {
		p.deviate(DevTimeType, start+1, start+2, "t.type", "TS 33.180 E.1.2", t.TSType.String()+" instead of NTP-UTC or NTP")
	}
	return t
}

// AppendBinary appends the wire form.
func (t *T) AppendBinary(b []byte) ([]byte, error) {
	return t.appendValue(append(b, uint8(t.Next), uint8(t.TSType)))
}

// TSRole is the role of a time stamp in a TR payload (RFC 6043 6.4).
type TSRole uint8

// The registered roles.
const (
	TSIssue TSRole = 1 // RFC 6043 6.4, TRi
	TSStart TSRole = 2 // RFC 6043 6.4, TRs
	TSEnd   TSRole = 3 // RFC 6043 6.4, TRe
	TSRekey TSRole = 4 // RFC 6043 6.4, TRr
)

var tsRoleNames = []string{"", "issue (TRi)", "start (TRs)", "end (TRe)", "rekey (TRr)"}

func (v TSRole) String() string { return enumName("TSRole", uint8(v), tsRoleNames) }

// TR is the time stamp payload with role indicator as described in RFC 6043, 6.4.
type TR struct {
	Base
	Role TSRole
	TS
}

var _ encoding.BinaryAppender = (*TR)(nil)

// Type returns TypeTR.
func (*TR) Type() PayloadType { return TypeTR }

func (p *parser) readTR() *TR {
	p.spec = "RFC 6043 6.4"
	t := new(TR)
	t.Next = PayloadType(p.u8("tr.next"))
	t.Role = TSRole(p.u8("tr.role"))
	t.TS = p.readTS("tr.type", "tr.value")
	return t
}

// AppendBinary appends the wire form.
func (t *TR) AppendBinary(b []byte) ([]byte, error) {
	return t.appendValue(append(b, uint8(t.Next), uint8(t.Role), uint8(t.TSType)))
}
