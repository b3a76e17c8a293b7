package sakke

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
	"github.com/mcxdump/mcxdump/keys/sakke/internal/fp"
)

// TestDecapsulateMany: what is opened side by side is what Decapsulate opens,
// and what is wrong is left to it.
func TestDecapsulateMany(t *testing.T) {
	if !fp.HaveLanes() {
		t.Skip("no AVX-512 IFMA")
	}
	w := newWorld(t)
	var ssvs, seds [][]byte
	add := func(ssv, sed []byte) { ssvs, seds = append(ssvs, ssv), append(seds, sed) }
	for i := range 23 {
		switch {
		case i%5 == 4:
			ssv := bytes.Repeat([]byte{byte(i)}, WideSSVSize)
			sed, err := w.pub.EncapsulateSSV(w.id, ssv, 0)
			if err != nil {
				t.Fatal(err)
			}
			add(ssv, sed)
		default:
			ssv, sed, err := w.pub.Encapsulate(rand.Reader, w.id)
			if err != nil {
				t.Fatal(err)
			}
			add(ssv, sed)
		}
	}
	for i, got := range w.key.DecapsulateMany(w.pub, w.id, seds) {
		if got != nil {
			t.Fatalf("message %d was opened without tables", i)
		}
	}
	before := w.key.MemorySize()
	if err := w.key.Precompute(w.pub, w.id); err != nil {
		t.Fatal(err)
	}
	tables := w.key.MemorySize()

	// all good; 23 are two runs of eight and one of seven
	for i, got := range w.key.DecapsulateMany(w.pub, w.id, seds) {
		if !bytes.Equal(got, ssvs[i]) {
			t.Errorf("message %d: got %x, want %x", i, got, ssvs[i])
		}
	}
	if n := w.key.MemorySize(); n < tables+400000 {
		t.Errorf("%d octets after %d: the tables in digits are not counted", n, tables)
	}
	for i, got := range w.key.DecapsulateMany(w.pub, w.id, seds[:ManyMin-1]) {
		if got != nil {
			t.Errorf("message %d was opened although there are few", i)
		}
	}

	// bad ones among them
	bad := map[int][]byte{}
	spoil := func(i int, sed []byte) { bad[i], seds[i] = sed, sed }
	flip := func(sed []byte, at int) []byte {
		sed = bytes.Clone(sed)
		sed[at] ^= 1
		return sed
	}
	spoil(0, nil)
	spoil(1, flip(seds[1], 0))
	spoil(2, flip(seds[2], 100))
	spoil(3, flip(seds[3], len(seds[3])-1))
	spoil(9, seds[9][:len(seds[9])-1])
	origin := make([]byte, SEDSize) // (0,0) is on the curve
	origin[0] = 4
	spoil(10, origin)
	two, four, all := lowOrder(t)
	spoil(11, append(two.bytes(), make([]byte, SSVSize)...))
	spoil(12, append(four.bytes(), make([]byte, SSVSize)...))
	spoil(13, append(all.bytes(), make([]byte, SSVSize)...))
	_, other, err := w.pub.Encapsulate(rand.Reader, []byte("somebody else"))
	if err != nil {
		t.Fatal(err)
	}
	spoil(14, other)
	opened := 0
	for i, got := range w.key.DecapsulateMany(w.pub, w.id, seds) {
		if got != nil {
			opened++
		}
		want, _, err := w.key.Decapsulate(w.pub, w.id, seds[i])
		if _, is := bad[i]; is {
			if got != nil || err == nil {
				t.Errorf("bad message %d: got %x, %v", i, got, err)
			}
		} else if got != nil && !bytes.Equal(got, want) || !bytes.Equal(want, ssvs[i]) {
			t.Errorf("message %d: got %x, want %x", i, got, want)
		}
	}
	if opened <= len(seds)-len(bad)-ManyMin {
		t.Errorf("%d opened of %d good ones", opened, len(seds)-len(bad))
	}

	// for another identifier there are no tables
	for _, got := range w.key.DecapsulateMany(w.pub, []byte("another"), seds) {
		if got != nil {
			t.Error("opened for another identifier")
		}
	}
	w.key.DropTables()
	if n := w.key.MemorySize(); n > before+PointSize+len(w.id) {
		t.Errorf("%d octets after dropping tables, %d before", n, before)
	}
	if got := w.key.DecapsulateMany(w.pub, w.id, seds); got[4] != nil {
		t.Error("opened without tables")
	}
	w.key.Destroy()
	w.key.DecapsulateMany(w.pub, w.id, seds)
}

// TestLaneSpecialCases: a sum that meets the same or the opposite point is not
// taken for the right one.
func TestLaneSpecialCases(t *testing.T) {
	if !fp.HaveLanes() {
		t.Skip("no AVX-512 IFMA")
	}
	w := new(laneWork)
	var rs [laneCount]affine
	var minus affine
	minus.neg(&baseP)
	var twice point
	twice.setAffine(&baseP)
	twice.double(&twice)
	double, _ := twice.affine()
	one := new(fp.Element).One().Digits()
	w.pz.SetAll(&one)
	for i := range rs {
		rs[i] = baseP
		a := &baseP
		switch i {
		case 1:
			a = &minus
		case 2:
			a = &double
		}
		x, y := baseP.x.Digits(), baseP.y.Digits()
		w.px.Set(i, &x)
		w.py.Set(i, &y)
		x, y = a.x.Digits(), a.y.Digits()
		w.ax.Set(i, &x)
		w.ay.Set(i, &y)
	}
	w.add()
	var three point
	three.add(&twice, &baseP)
	rs[2], _ = three.affine()
	for i, same := range w.equal(&rs) {
		if same != (i == 2) {
			t.Errorf("lane %d: %v", i, same)
		}
	}
	w.double()
	three.double(&three)
	rs[2], _ = three.affine()
	for i, same := range w.equal(&rs) {
		if same != (i == 2) {
			t.Errorf("lane %d doubled: %v", i, same)
		}
	}
}

func BenchmarkDecapsulateMany(b *testing.B) {
	w := newWorld(b)
	if err := w.key.Precompute(w.pub, w.id); err != nil {
		b.Fatal(err)
	}
	var seds [][]byte
	for range laneCount {
		_, sed, err := w.pub.Encapsulate(rand.Reader, w.id)
		if err != nil {
			b.Fatal(err)
		}
		seds = append(seds, sed)
	}
	run := func(name string, f func() bool) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(laneCount * SEDSize)
			defer testkit.ReportCPU(b)()
			for b.Loop() {
				if !f() {
					b.Fatal("failed")
				}
			}
		})
	}
	run("one by one", func() bool {
		for _, sed := range seds {
			if _, _, err := w.key.Decapsulate(w.pub, w.id, sed); err != nil {
				return false
			}
		}
		return true
	})
	if fp.HaveLanes() {
		run("eight", func() bool { return w.key.DecapsulateMany(w.pub, w.id, seds)[laneCount-1] != nil })
	}
}
