package pcapng

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// plainNanos is the definition in whole numbers of any size.
func plainNanos(ticks uint64, resol uint8, offset int64) int64 {
	n := int64(resol & 0x7f)
	per := new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil)
	if resol&0x80 != 0 {
		per = new(big.Int).Lsh(big.NewInt(1), uint(n))
	}
	v := new(big.Int).SetUint64(ticks)
	v.Mul(v, big.NewInt(1e9)).Quo(v, per)
	v.Add(v, new(big.Int).Mul(big.NewInt(offset), big.NewInt(1e9)))
	switch {
	case v.IsInt64():
		return v.Int64()
	case v.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

// Every resolution, with ticks and offsets at all edges, equals the definition.
func TestClock(t *testing.T) {
	ticks := []uint64{0, 1, 2, 999, 1 << 31, 1 << 32, 1e9, 1e18, math.MaxInt64 / 1000, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64 - 1, math.MaxUint64}
	offsets := []int64{0, 1, -1, 3600, t0, -t0, math.MaxInt64 / 1000000000, math.MinInt64 / 1000000000, math.MaxInt64, math.MinInt64, math.MinInt64 + 1}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		ticks = append(ticks, rng.Uint64()>>rng.IntN(64))
		offsets = append(offsets, int64(rng.Uint64())>>rng.IntN(64))
	}
	for resol := range 256 {
		for _, off := range offsets {
			c := newClock(uint8(resol), off)
			for _, n := range ticks {
				if have, want := c.nanos(n), plainNanos(n, uint8(resol), off); have != want {
					t.Fatalf("resolution %#x offset %d ticks %d: %d, want %d", resol, off, n, have, want)
				}
			}
		}
	}
}

// Through a file: 2^-64 and 10^-64 do not divide by zero, 0 is whole seconds, an offset is added.
func TestResolutionsInFile(t *testing.T) {
	for _, tt := range []struct {
		resol string
		off   string
		ticks uint64
		want  int64
	}{
		{"\x06", "", 1_700_000_000_000_001, 1_700_000_000_000_001_000},
		{"\x00", "", 3, 3e9},
		{"\xc0", "", 1 << 63, 500_000_000},
		{"\x40", "", math.MaxUint64, 0},
		{"\xff", "", math.MaxUint64, 0},
		{"\x8a", "", 1536, 1_500_000_000},
		{"\x09", "\x01\x00\x00\x00\x00\x00\x00\x00", 5, 1_000_000_005},
		{"\x09", "\xff\xff\xff\xff\xff\xff\xff\xff", 5, -999_999_995},
		{"\x80", "", math.MaxUint64, math.MaxInt64},
	} {
		w := le().shb().idb(1, 0, option(9, tt.resol), option(14, tt.off)).epb(0, tt.ticks, 1, "x")
		list, faults, _ := readAll(t, rd(w.b), Limits{})
		if len(faults) > 0 || len(list) != 1 || list[0].Time != tt.want {
			t.Errorf("%q %q: %v %v, want %d", tt.resol, tt.off, list, faults, tt.want)
		}
	}
}
