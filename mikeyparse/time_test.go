package mikeyparse

import (
	"testing"
	"time"
)

func TestTimeForms(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		name string
		ts   TS
		form TimeForm
		want string
		sec  uint64
	}{
		{"NTP", TS{TSNTPUTC, 0xe93c7f0000000000}, TimeNTP, "2024-01-01T00:00:00Z", 0xe93c7f00},
		{"NTP with fraction", TS{TSNTP, 0xe93c7f0080000000}, TimeNTP, "2024-01-01T00:00:00.5Z", 0xe93c7f00},
		{"NTP-UTC-32", TS{TSNTPUTC32, 0xe93c7f00}, TimeNTP, "2024-01-01T00:00:00Z", 0xe93c7f00},
		{"Unix, little-endian", TS{TSNTPUTC, 0x6357566300000000}, TimeUnixLE, "2022-10-24T09:14:11Z", 0x63565763 + ntpUnix},
		{"Unix, little-endian, NTP in 2011", TS{TSNTPUTC, 0xd2257f6300000000}, TimeUnixLE, "2022-11-24T08:05:38Z", 0x637f25d2 + ntpUnix},
		{"low half", TS{TSNTPUTC, 0x00000000e43d14c0}, TimeNTPLow, "2021-05-05T12:57:36Z", 0xe43d14c0},
		{"end of era 0", TS{TSNTPUTC, 0xffffffffffffffff}, TimeNTP, "2036-02-07T06:28:16Z", 1 << 32},
		{"start of era 1", TS{TSNTPUTC, 0x0000000100000000}, TimeNTPEra1, "2036-02-07T06:28:17Z", 1<<32 + 1},
		{"nonsense", TS{TSNTPUTC, 0x8000000000000001}, TimeNTP, "1968-01-20T03:14:08Z", 1 << 31},
		{"zero", TS{TSNTPUTC, 0}, TimeNTP, "1900-01-01T00:00:00Z", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := day(c.want)
			if c.ts.Form() != c.form || !c.ts.Time().Equal(want) {
				t.Errorf("%s %s, want %s %s", c.ts.Form(), c.ts.Time().Format(time.RFC3339Nano), c.form, c.want)
			}
			if c.ts.NTPSeconds() != c.sec {
				t.Errorf("NTP seconds %d, want %d", c.ts.NTPSeconds(), c.sec)
			}
			if r := c.ts.Readings(); len(r) == 0 || r[0].Form != c.form || !r[0].Time.Equal(want) {
				t.Errorf("readings %v", r)
			}
		})
	}
	// 24 November 2022, 08:06:01 as Unix seconds in little-endian order is also
	// a possible NTP time of 2024; the packet's time decides.
	ts := TS{TSNTPUTC, 0xe9257f6300000000}
	if ts.Form() != TimeNTP {
		t.Errorf("without a reference %s", ts.Form())
	}
	if r := ts.Near(day("2022-11-24T09:00:00Z")); r.Form != TimeUnixLE || r.Time.Unix() != 0x637f25e9 {
		t.Errorf("near the packet %v", r)
	}
	if r := ts.Near(day("2023-12-14T00:00:00Z")); r.Form != TimeNTP {
		t.Errorf("near another packet %v", r)
	}
	for _, c := range []TS{{TSCounter, 5}, {9, 5}} {
		if !c.Time().IsZero() || c.Form() != TimeNone || c.NTPSeconds() != 0 || c.Readings() != nil || c.Near(time.Now()) != (Reading{}) {
			t.Errorf("%v has a time", c)
		}
	}
	now := day("2026-11-22T07:42:55.123456789Z")
	if got := NTPTime(now).Time(); !got.Equal(now) {
		t.Errorf("there and back gives %s", got.Format(time.RFC3339Nano))
	}
}

func FuzzTime(f *testing.F) {
	f.Add(uint8(0), uint64(0xe93c7f0000000000), int64(1700000000))
	f.Add(uint8(0), uint64(0x00000000e43d14c0), int64(1700000000))
	f.Add(uint8(0), uint64(0xe9257f6300000000), int64(1700000000))
	f.Add(uint8(3), uint64(0xe9257f63), int64(0))
	f.Fuzz(func(t *testing.T, kind uint8, v uint64, ref int64) {
		ts := TS{TSType(kind % 5), v}
		r := ts.Readings()
		if len(r) == 0 {
			if ts.Form() != TimeNone {
				t.Fatalf("no readings, but %s", ts.Form())
			}
			return
		}
		if r[0].Form != ts.Form() || !r[0].Time.Equal(ts.Time()) {
			t.Fatalf("first reading %v, best %s %s", r[0], ts.Form(), ts.Time())
		}
		near := ts.Near(time.Unix(ref, 0))
		seen := make(map[TimeForm]bool)
		for _, x := range r {
			if seen[x.Form] {
				t.Fatalf("%s twice", x.Form)
			}
			seen[x.Form] = true
			if x.Time.Sub(time.Unix(ref, 0)).Abs() < near.Time.Sub(time.Unix(ref, 0)).Abs() {
				t.Fatalf("%v is nearer than %v", x, near)
			}
		}
	})
}
