package decode

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// checkMikeyPlan reads message after message in the same memory, by plans and without, and counts those told by plans.
func checkMikeyPlan(t *testing.T, messages ...[]byte) int {
	t.Helper()
	dissect := func(mem *mikeyMemory, b []byte) (*record.Record, []string) {
		opt := &Options{}
		opt.Limits = opt.Limits.withDefaults()
		r := &record.Record{Sources: []record.Source{{Data: b, Parent: -1}}}
		c := &Context{B: &record.Builder{R: r}, Time: noon, opt: opt, mikeys: mem, planMikey: mem != nil}
		dissectMikey(c, &Part{Path: "1", Type: "application/mikey", Data: b})
		return r, c.words
	}
	mem := new(mikeyMemory)
	for _, b := range messages {
		slow, words := dissect(nil, b)
		fast, same := dissect(mem, bytes.Clone(b))
		if !reflect.DeepEqual(slow.Findings, fast.Findings) || !slices.Equal(words, same) {
			t.Fatalf("%x\nwithout a plan %q %+v\nwith one       %q %+v", b, words, slow.Findings, same, fast.Findings)
		}
	}
	return mem.fits
}

// Messages that differ in what every message has of its own are told by one plan; all others are read.
func TestMikeyPlan(t *testing.T) {
	other := func(change func(b []byte)) []byte {
		b := bytes.Clone(imessage)
		change(b)
		return b
	}
	key := bytes.Index(imessage[8:], imessage[4:8]) // the SPI
	if n := checkMikeyPlan(t, imessage, imessage, other(func(b []byte) { b[40]++; b[600]++; b[8+key]++ })); n != 2 {
		t.Errorf("%d of 2 messages were told by a plan", n)
	}
	if n := checkMikeyPlan(t, imessage, other(func(b []byte) { b[4] = 0x5a }), other(func(b []byte) { b[55] = 'x' }), imessage[:600], nil, other(func(b []byte) { b[1] = 2 }),
		other(func(b []byte) { b[4] = 0x1a })); n != 0 {
		t.Errorf("%d messages of other patterns were told by a plan", n)
	}
	// Ever new patterns do not pile up, nor are they learned for ever.
	var many [][]byte
	for i := range 200 {
		b := bytes.Replace(imessage, []byte("alice"), []byte{'a', 'a' + byte(i%26), 'a' + byte(i/26), 'b', 'b'}, 1)
		many = append(many, b)
	}
	checkMikeyPlan(t, many...)
	mem := &mikeyMemory{}
	c := &Context{B: &record.Builder{R: &record.Record{}}, opt: &Options{}, mikeys: mem, planMikey: true}
	for _, b := range many {
		dissectMikey(c, &Part{Data: b})
	}
	if len(mem.plans) > maxMikeyPlans || mem.learned > maxMikeyPlans {
		t.Errorf("%d plans, %d learned", len(mem.plans), mem.learned)
	}
}

func FuzzMikeyPlan(f *testing.F) {
	f.Add(imessage, imessage, uint16(40), byte(1))
	f.Add(imessage, imessage[:300], uint16(4), byte(0x10))
	f.Fuzz(func(t *testing.T, first, second []byte, at uint16, x byte) {
		third := append([]byte{0}, first...)[1:]
		if len(third) > 0 {
			third[int(at)%len(third)] ^= x
		}
		checkMikeyPlan(t, first, third, second, first, third)
	})
}
