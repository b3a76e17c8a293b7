package sakke

import (
	"sync"

	"github.com/mcxdump/mcxdump/keys/sakke/internal/fp"
)

// Eight messages for one receiver, opened side by side: the same loops as in
// table.go and comb.go with eight numbers in the place of each. The points and
// scalars differ from message to message, the tables do not.
//
// Nothing is decided here: what does not come out as it should, for whatever
// reason, is left to Decapsulate.

const laneCount = fp.LaneCount

// ManyMin is the least number of messages for which DecapsulateMany pays and does
// anything.
const ManyMin = 5

// laneEntry is an entry of a comb, with both signs.
type laneEntry struct{ x, y, minusY fp.Digits }

const laneEntrySize = 3 * 160

// laneTables are the tables of a key once more, in digits.
type laneTables struct {
	of    *comb // whose multiples comb has
	lines []fp.Digits
	comb  [][]laneEntry
}

// laneTables returns the tables for table and c, and makes them at the first call.
func (st *userState) laneTables(table *lineTable, c *comb) *laneTables {
	if t := st.lanes.Load(); t != nil && t.of == c {
		return t
	}
	t := newLaneTables(table, c)
	st.lanes.Store(t)
	return t
}

func (t *laneTables) memory() int {
	return len(t.lines)*160 + len(t.comb)*len(t.comb[0])*laneEntrySize
}

func newLaneTables(t *lineTable, c *comb) *laneTables {
	out := &laneTables{of: c, lines: make([]fp.Digits, len(t.coefficients))}
	for i := range t.coefficients {
		out.lines[i] = t.coefficients[i].Digits()
	}
	for _, table := range c.tables {
		entries := make([]laneEntry, len(table))
		for i := range table {
			var minus affine
			minus.neg(&table[i])
			entries[i] = laneEntry{table[i].x.Digits(), table[i].y.Digits(), minus.y.Digits()}
		}
		out.comb = append(out.comb, entries)
	}
	return out
}

type laneQuad struct{ re, im fp.Lanes }

// laneWork is the memory of one run. It must be on the heap, where an object of
// its size begins a page: loads of whole vectors take twice as long where they
// cross a cache line.
type laneWork struct {
	x, xy         [maxPowers]fp.Lanes
	f, l          laneQuad
	px, py, pz    fp.Lanes
	ax, ay        fp.Lanes
	s, d, t, u, v fp.Lanes
	zz, m         fp.Lanes
}

var laneWorks = sync.Pool{New: func() any { return new(laneWork) }}

// square sets f = f². Products are below 8p, so that differences with them may
// be taken with Sub; SubMore is for the others.
func (w *laneWork) square() {
	w.s.Add(&w.f.re, &w.f.im)
	w.d.SubMore(&w.f.re, &w.f.im)
	w.f.im.Mul(&w.f.re, &w.f.im)
	w.f.im.Add(&w.f.im, &w.f.im)
	w.f.re.Mul(&w.s, &w.d)
}

// mul sets f = f·l.
func (w *laneWork) mul() {
	w.t = fp.Lanes{}
	w.t.SubMore(&w.t, &w.f.im)
	w.s.Dot2(&w.f.re, &w.l.re, &w.t, &w.l.im)
	w.f.im.Dot2(&w.f.re, &w.l.im, &w.f.im, &w.l.re)
	w.f.re = w.s
}

// mulLine sets f = f·(l.re + i).
func (w *laneWork) mulLine() {
	w.s.Mul(&w.f.re, &w.l.re)
	w.t.Mul(&w.f.im, &w.l.re)
	w.s.SubMore(&w.s, &w.f.im)
	w.f.im.Add(&w.t, &w.f.re)
	w.f.re = w.s
}

// pairing is lineTable.varTimePairing for eight points, no y of which is zero.
func (w *laneWork) pairing(lines []fp.Digits, rs *[laneCount]affine) (out [laneCount]fp.Element, ok bool) {
	var inv [laneCount]fp.Element
	for i := range rs {
		inv[i] = rs[i].y
	}
	if !fp.VarTimeInvertAll(inv[:]) {
		return out, false
	}
	one := new(fp.Element).One().Digits()
	w.x[0].SetAll(&one)
	var minus fp.Element
	for i := range rs {
		d := inv[i].Digits()
		w.xy[0].Set(i, &d)
		d = minus.Neg(&rs[i].x).Digits()
		w.x[1].Set(i, &d)
	}
	w.xy[1].Mul(&w.xy[0], &w.x[1])
	for j := 2; j < maxPowers; j++ {
		w.x[j].Mul(&w.x[j-1], &w.x[1])
		w.xy[j].Mul(&w.xy[j-1], &w.x[1])
	}
	w.f.re, w.f.im = w.x[0], fp.Lanes{}
	for _, s := range schedule() {
		for range s.k {
			w.square()
		}
		na, nb := s.sizeA(), s.sizeB()
		w.l.re.InnerProduct(w.xy[:na], lines[:na])
		if nb == 0 {
			w.mulLine()
		} else {
			w.l.im.InnerProduct(w.x[:nb], lines[na:na+nb])
			w.l.im.Add(&w.l.im, &w.x[nb])
			w.mul()
		}
		lines = lines[na+nb:]
	}
	w.square()
	w.square()
	re, im := w.f.re.Elements(), w.f.im.Elements()
	if !fp.VarTimeInvertAll(re[:]) {
		return out, false
	}
	for i := range out {
		out[i].Mul(&re[i], &im[i])
	}
	return out, true
}

// double doubles the points as point.double does.
func (w *laneWork) double() {
	w.zz.Square(&w.pz)
	w.u.Square(&w.py)
	w.u.Add(&w.u, &w.u) // 2Y²
	w.m.SubMore(&w.px, &w.zz)
	w.t.Add(&w.px, &w.zz)
	w.m.Mul(&w.m, &w.t)
	w.t.Add(&w.m, &w.m)
	w.m.Add(&w.m, &w.t)
	w.s.Mul(&w.px, &w.u)
	w.s.Add(&w.s, &w.s) // 4XY²
	w.pz.Mul(&w.py, &w.pz)
	w.pz.Add(&w.pz, &w.pz)
	w.px.Square(&w.m)
	w.t.Add(&w.s, &w.s)
	w.px.Sub(&w.px, &w.t)
	w.s.SubMore(&w.s, &w.px)
	w.t.Add(&w.u, &w.u)
	w.v = fp.Lanes{}
	w.v.Sub(&w.v, &w.t)
	w.py.Dot2(&w.m, &w.s, &w.v, &w.u)
}

// add adds (ax, ay) as point.add does, the special cases left out: a point that
// meets one gets Z = 0 and keeps it.
func (w *laneWork) add() {
	w.zz.Square(&w.pz)
	w.s.Mul(&w.ax, &w.zz)
	w.s.SubMore(&w.s, &w.px) // H
	w.t.Mul(&w.zz, &w.pz)
	w.t.Mul(&w.t, &w.ay)
	w.t.Sub(&w.t, &w.py) // N
	w.u.Square(&w.s)     // H²
	w.v.Mul(&w.u, &w.px) // XH²
	w.u.Mul(&w.u, &w.s)  // H³
	w.pz.Mul(&w.pz, &w.s)
	w.px.Square(&w.t)
	w.m.Add(&w.v, &w.v)
	w.m.Add(&w.m, &w.u)
	w.px.Sub(&w.px, &w.m)
	w.v.SubMore(&w.v, &w.px)
	w.m = fp.Lanes{}
	w.m.Sub(&w.m, &w.u)
	w.py.Dot2(&w.t, &w.v, &w.m, &w.py)
}

// multiply sets the points to [k]B by the comb of B.
func (w *laneWork) multiply(tables [][]laneEntry, teeth, columns int, ks *[laneCount]combScalar) {
	first := true
	for row := combRows - 1; row >= 0; row-- {
		if !first {
			w.double()
		}
		for t := range tables {
			col := t*combRows + row
			if col >= columns {
				continue
			}
			for lane := range ks {
				index, negate := ks[lane].digit(teeth, columns, col)
				e := &tables[t][index]
				w.ax.Set(lane, &e.x)
				if negate {
					w.ay.Set(lane, &e.minusY)
				} else {
					w.ay.Set(lane, &e.y)
				}
			}
			if first {
				one := new(fp.Element).One().Digits()
				w.px, w.py, first = w.ax, w.ay, false
				w.pz.SetAll(&one)
				continue
			}
			w.add()
		}
	}
}

// equal tells of each point whether it is the affine one beside it; a point
// with Z = 0 is not.
func (w *laneWork) equal(rs *[laneCount]affine) (out [laneCount]bool) {
	for i := range rs {
		x, y := rs[i].x.Digits(), rs[i].y.Digits()
		w.ax.Set(i, &x)
		w.ay.Set(i, &y)
	}
	w.zz.Square(&w.pz)
	w.s.Mul(&w.ax, &w.zz)
	w.s.SubMore(&w.s, &w.px)
	w.t.Mul(&w.zz, &w.pz)
	w.t.Mul(&w.t, &w.ay)
	w.t.Sub(&w.t, &w.py)
	x, y, z := w.s.Elements(), w.t.Elements(), w.pz.Elements()
	for i := range out {
		out[i] = x[i].IsZero() && y[i].IsZero() && !z[i].IsZero()
	}
	return out
}

// Many tells whether DecapsulateMany does anything for id under pub.
func (k *UserKey) Many(pub *PublicKey, id []byte) bool {
	st := k.s()
	b := st.bound.Load()
	return fp.HaveLanes() && !st.destroyed.Load() && st.table.Load() != nil && b.of(pub, id) && b.test != nil
}

// DecapsulateMany opens messages for id under pub side by side, in about half of
// the time that Decapsulate takes for one after the other. It does so where the
// processor has AVX-512 IFMA, after Precompute for id under pub, and for ManyMin
// or more messages (Many). SSV i is nil if it did not open message i, for whatever
// reason: Decapsulate then opens it or tells what is wrong. The first call for a
// key makes tables of another 560 kB, which MemorySize tells and DropTables frees.
func (k *UserKey) DecapsulateMany(pub *PublicKey, id []byte, seds [][]byte) (ssvs [][]byte) {
	ssvs = make([][]byte, len(seds))
	if !k.Many(pub, id) {
		return ssvs
	}
	st := k.s()
	b, table := st.bound.Load(), st.table.Load()
	if b == nil || table == nil { // dropped meanwhile
		return ssvs
	}
	type message struct {
		at int
		r  affine
		h  []byte
	}
	var list []message
	for i, sed := range seds {
		if n := len(sed) - PointSize; n != SSVSize && n != WideSSVSize {
			continue
		}
		if r, err := parsePoint(sed[:PointSize]); err == nil && !r.y.IsZero() {
			list = append(list, message{i, r, sed[PointSize:]})
		}
	}
	if len(list) < ManyMin {
		return ssvs
	}
	tables := st.laneTables(table, b.test)
	w := laneWorks.Get().(*laneWork)
	defer func() {
		*w = laneWork{} // of secrets
		laneWorks.Put(w)
	}()
	for len(list) >= ManyMin {
		n := min(len(list), laneCount)
		var rs [laneCount]affine
		for i := range rs {
			rs[i] = list[min(i, n-1)].r // the last one fills up
		}
		values, ok := w.pairing(tables.lines, &rs)
		if !ok {
			list = list[n:]
			continue
		}
		var out [laneCount][]byte
		var scalars [laneCount]combScalar
		for i := range rs {
			m := &list[min(i, n-1)]
			out[i] = mask(&values[i], len(m.h), 0)
			for j := range m.h {
				out[i][j] ^= m.h[j]
			}
			scalars[i] = b.test.recode(scalarR(out[i], id))
		}
		w.multiply(tables.comb, b.test.teeth, b.test.columns, &scalars)
		for i, same := range w.equal(&rs) {
			if i < n && same {
				ssvs[list[i].at] = out[i]
			} else {
				clear(out[i])
			}
		}
		list = list[n:]
	}
	return ssvs
}
