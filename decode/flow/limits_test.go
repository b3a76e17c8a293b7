package flow

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

func TestClock(t *testing.T) {
	step := int64(10e9)
	run := func(times ...int64) clock {
		c := clock{maxStep: step}
		before := int64(math.MinInt64)
		for _, x := range times {
			c.tick(x)
			if c.now < before {
				t.Fatalf("time goes back: %v", times)
			}
			if before != math.MinInt64 && c.now-before > step {
				t.Fatalf("time jumps: %v", times)
			}
			before = c.now
		}
		return c
	}
	const s = int64(time.Second)
	start := int64(3600e9)
	if c := run(0, s, 2*s); c.now != start+2*s || c.jumps+c.backs != 0 {
		t.Errorf("%+v", c)
	}
	// One hostile time stamp moves the time by one step; what follows goes on after it has been behind for a while.
	times := []int64{0, s, 1 << 60}
	for i := range int64(200) {
		times = append(times, 2*s+i*s/10)
	}
	if c := run(times...); c.jumps != 1 || c.now < start+s+step+10*s || c.now > start+s+step+20*s {
		t.Errorf("%+v", c)
	}
	// A pause: time goes on at the pace of the frames after one step.
	if c := run(0, 86400*s, 86401*s); c.now != start+step+s || c.jumps != 1 {
		t.Errorf("%+v", c)
	}
	// Small disorder does not move it.
	if c := run(5*s, 4*s, 5*s, 3*s, 5*s+1); c.now != start+1 || c.backs != 2 {
		t.Errorf("%+v", c)
	}
	run(math.MinInt64, math.MaxInt64, 0, math.MinInt64, -1, math.MaxInt64, math.MaxInt64)
	r := rand.New(rand.NewPCG(1, 1))
	var wild []int64
	for range 100000 {
		wild = append(wild, int64(r.Uint64())>>r.IntN(64))
	}
	run(wild...)
}

// TestHostileTime: a time stamp in the far future does not age what is open.
func TestHostileTime(t *testing.T) {
	msg := long(2000)
	dgram := build(udpHeader{40000, 5070}, msg)
	list := split(len(dgram), 1200)
	f := newFeed(Config{})
	f.frame(fragFrame(false, 7, false, dgram, list[0]))
	now := f.time
	f.time = 1 << 62
	f.frame(rtpFrame(0, false))
	f.time = now
	f.frame(fragFrame(false, 7, false, dgram, list[1]))
	if !slices.Equal(f.texts(), []string{msg}) || f.d.Stats().TimeJumps != 1 {
		t.Errorf("%+v", f.d.Stats())
	}
}

// TestHostile: storms of what must be kept stay within the memory and take linear time.
func TestHostile(t *testing.T) {
	var loads []testkit.Load
	cfg := Config{Memory: 4 << 20}
	big := build(udpHeader{40000, 5070}, long(60000))
	for _, c := range []struct {
		name  string
		frame func(r *rand.Rand, i int) []byte
	}{
		{"tiny fragments of many datagrams", func(r *rand.Rand, i int) []byte {
			return fragFrame(true, i/3, false, big, part{8 * (1 + i%3), 8 * (2 + i%3), true})
		}},
		{"tiny fragments of one datagram", func(r *rand.Rand, i int) []byte {
			off := 8 * r.IntN(7000)
			return fragFrame(false, 1, false, big, part{off, off + 8, true})
		}},
		{"overlapping fragments", func(r *rand.Rand, i int) []byte {
			off := 8 * r.IntN(7000)
			return fragFrame(false, i/2000, false, big, part{off, min(len(big), off+8*(1+r.IntN(150))), true})
		}},
		{"segments out of order", func(r *rand.Rand, i int) []byte {
			co := conn{isn: 1, ports: [2]int{40000, 5070}, layers: []any{etherHeader{etIPv4}}}
			if i == 0 {
				return co.segment(tcpACK, 0, long(60000)[:200])
			}
			off := 300 + r.IntN(8<<20)
			return co.segment(tcpACK, off, "x")
		}},
		{"streams with holes", func(r *rand.Rand, i int) []byte {
			co := conn{isn: 1, ports: [2]int{r.IntN(60000), 5070}, layers: []any{etherHeader{etIPv4}}}
			return co.segment(tcpACK, []int{0, 3000, 9000}[r.IntN(3)], sipRequest[:200])
		}},
		{"syn flood", func(r *rand.Rand, i int) []byte {
			co := conn{isn: r.Uint32(), ports: [2]int{r.IntN(60000), r.IntN(60000)}, layers: []any{etherHeader{etIPv4}}}
			return co.segment(tcpSYN, -1, "")
		}},
		{"one octet segments", func(r *rand.Rand, i int) []byte {
			co := conn{isn: 1, ports: [2]int{40000, 5070}, layers: []any{etherHeader{etIPv4}}}
			m := "INVITE sip:a SIP/2.0\r\nContent-Length: 3000000\r\n\r\n"
			if i < len(m) {
				return co.segment(tcpACK, i, m[i:i+1])
			}
			return co.segment(tcpACK, i, "x")
		}},
		{"chunks of many associations", func(r *rand.Rand, i int) []byte {
			return sctpFrame(r.Uint32(), "", "", dataChunk(2, r.Uint32(), 0, 0, []byte(sipRequest[:200])))
		}},
		{"chunks of one association", func(r *rand.Rand, i int) []byte {
			return sctpFrame(5, "", "", dataChunk(0, r.Uint32()%100000, 0, 0, []byte("xxxxxxxxxxxx")))
		}},
	} {
		loads = append(loads, testkit.Load{Name: c.name, Size: 4000, Do: func(n int) {
			worst := int64(0)
			r := rand.New(rand.NewPCG(1, 1))
			f := newFeed(cfg)
			f.step = 1000
			for i := range n {
				f.frame(c.frame(r, i))
				worst = max(worst, f.d.frags.bytes+f.d.streams.bytes()+f.d.assocs.bytes)
			}
			if len(f.d.streams.heap) > len(f.d.streams.m) {
				t.Fatalf("%d in the heap, %d streams", len(f.d.streams.heap), len(f.d.streams.m))
			}
			f.d.Flush()
			if f.d.frags.bytes != 0 || f.d.streams.bytes() != 0 || f.d.assocs.bytes != 0 {
				t.Fatal("state left")
			}
			if worst > cfg.Memory {
				t.Errorf("%s: %d octets held, more than %d", c.name, worst, cfg.Memory)
			}
		}})
	}
	testkit.Linear(t, loads)
}

// TestMemoryTrue: the octets that are accounted for are about those that are held.
func TestMemoryTrue(t *testing.T) {
	if testing.Short() {
		t.Skip("measures the heap")
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for name, frame := range map[string]func(i int) []byte{
		"fragments": func(i int) []byte {
			return fragFrame(true, i, false, make([]byte, 1200), part{8, 16 + 8*(i%100), true})
		},
		"streams": func(i int) []byte {
			co := conn{isn: 1, ports: [2]int{i % 60000, 5070}, layers: []any{etherHeader{etIPv4}}}
			return co.segment(tcpACK, 0, sipRequest[:200])
		},
		"ignored streams": func(i int) []byte {
			co := conn{isn: 1, ports: [2]int{i % 60000, 5070}, layers: []any{etherHeader{etIPv4}}}
			return co.segment(tcpACK, 0, "\x16\x03\x01")
		},
		"holes": func(i int) []byte {
			co := conn{isn: 1, ports: [2]int{i % 500, 5070}, layers: []any{etherHeader{etIPv4}}}
			return co.segment(tcpACK, i/500*300, sipRequest[:200])
		},
		"associations": func(i int) []byte {
			return sctpFrame(uint32(i), "", "", dataChunk(2, 1, 0, 0, []byte(sipRequest[:200])))
		},
	} {
		f := newFeed(Config{Memory: 8 << 20, Associations: 1 << 20, FragmentSets: 1 << 20, Streams: 1 << 20})
		f.step = 1000
		before := heap()
		for i := range 20000 {
			f.frame(frame(i))
			f.units, f.findings, f.contexts = nil, nil, nil
		}
		held := heap() - before
		said := f.d.frags.bytes + f.d.streams.bytes() + f.d.assocs.bytes
		if held > 2*said+4<<20 {
			t.Errorf("%s: %d octets held, %d accounted for", name, held, said)
		}
		t.Logf("%s: %d octets held, %d accounted for", name, held, said)
		runtime.KeepAlive(f)
	}
}

func TestNames(t *testing.T) {
	for v := range NumVerdicts {
		if v.String() == "" || strings.Contains(v.String(), "(") {
			t.Errorf("verdict %d has no name", v)
		}
	}
	for l := range NumLimits {
		if l.String() == "" || strings.Contains(l.String(), "(") {
			t.Errorf("limit %d has no name", l)
		}
	}
	if NumVerdicts.String() != "Verdict(11)" || NumLimits.String() != fmt.Sprintf("Limit(%d)", uint8(NumLimits)) || len(slices.Compact(slices.Sorted(slices.Values(EncapNames())))) != int(numEncap) {
		t.Errorf("%v %v", NumVerdicts, NumLimits)
	}
}
