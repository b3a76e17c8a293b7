package sakke

import (
	"math/big"
	"sync"

	"github.com/mcxdump/mcxdump/keys/sakke/internal/fp"
)

// Fixed-base multiplication by signed combs (Lim and Lee, with all digits odd).
//
// For k odd and below 2^L let K = (k + 2^L - 1)/2 with bits b_i. Then
//
//	k = Σ s_i·2^i,  s_i = 2·b_i - 1 = ±1,  i = 0..L-1
//
// With L = w·d the digits are written in w rows ("teeth") of d columns. The
// part of column c is ±2^c times one of the 2^(w-1) sums
//
//	2^((w-1)d)·B ± 2^((w-2)d)·B ± … ± B
//
// which are kept in a table; the sign of the top tooth is taken out. Tables for
// columns combRows apart allow combRows-1 doublings instead of d-1. No digit is
// zero, so each column costs one addition. An even k is replaced by q-k, which
// is odd, and the result negated.

// combRows is the number of columns a table serves. Combs which share it share
// the doublings.
const combRows = 64

type comb struct {
	teeth, columns int
	tables         [][]affine // tables[t][index] serves columns t·combRows and on
}

// newComb builds the tables for base, which must have order q.
func newComb(base *affine, teeth int) *comb {
	d := (orderBits + 1 + teeth - 1) / teeth
	c := &comb{teeth: teeth, columns: d}
	half := 1 << (teeth - 1)
	n := (d + combRows - 1) / combRows

	// each 2^(j·d + t·combRows)·B, and its double
	var power []point
	at := make(map[int]int)
	for j := range teeth {
		for t := range n {
			at[j*d+t*combRows] = 0
		}
	}
	var run point
	run.setAffine(base)
	for i := range teeth * d {
		if _, ok := at[i]; ok {
			at[i] = len(power)
			power = append(power, run)
			run.double(&run)
			power = append(power, run)
			continue
		}
		run.double(&run)
	}
	aff, ok := allAffine(power)
	if !ok {
		panic("sakke: base of a comb not of order q")
	}

	var sums []point
	for t := range n {
		// first all signs negative, then one tooth after the other positive:
		// sum[i | 2^j] = sum[i] + 2·tooth j
		start := len(sums)
		var p point
		p.setAffine(&aff[at[(teeth-1)*d+t*combRows]])
		for j := range teeth - 1 {
			var minus affine
			p.add(&p, minus.neg(&aff[at[j*d+t*combRows]]))
		}
		sums = append(sums, p)
		for j := range teeth - 1 {
			for i := range 1 << j {
				var s point
				s.add(&sums[start+i], &aff[at[j*d+t*combRows]+1])
				sums = append(sums, s)
			}
		}
	}
	all, ok := allAffine(sums)
	if !ok {
		panic("sakke: base of a comb not of order q")
	}
	for t := range n {
		c.tables = append(c.tables, all[t*half:(t+1)*half:(t+1)*half])
	}
	return c
}

// memory is the size of the tables in octets.
func (c *comb) memory() int {
	return len(c.tables) * len(c.tables[0]) * 2 * ElementSize
}

// combScalar is k recoded for one comb.
type combScalar struct {
	c        *comb
	k        *big.Int // K above
	negative bool
}

// recode prepares [k]B; k is reduced modulo q.
func (c *comb) recode(k *big.Int) combScalar {
	return recodeOdd(k, c.teeth*c.columns, c)
}

func recodeOdd(k *big.Int, length int, c *comb) combScalar {
	k = new(big.Int).Mod(k, orderQ)
	s := combScalar{c: c}
	if k.Bit(0) == 0 {
		s.negative = true
		k.Sub(orderQ, k)
	}
	k.SetBit(k, length, 1) // k + 2^L; k is shorter than L bits
	s.k = k.Rsh(k.Sub(k, big.NewInt(1)), 1)
	return s
}

// digit returns the table index of column col and whether to negate it.
func (s *combScalar) digit(teeth, columns, col int) (index int, negate bool) {
	for j := teeth - 2; j >= 0; j-- {
		index = index<<1 | int(s.k.Bit(j*columns+col))
	}
	if s.k.Bit((teeth-1)*columns+col) == 0 {
		// the top tooth is negative: all signs turn round
		return ^index & (1<<(teeth-1) - 1), !s.negative
	}
	return index, s.negative
}

// mulCombs returns the sum of [k]B over all scalars, sharing the doublings.
func mulCombs(ks ...combScalar) point {
	var r point
	for row := combRows - 1; row >= 0; row-- {
		r.double(&r)
		for i := range ks {
			c := ks[i].c
			for t := range c.tables {
				col := t*combRows + row
				if col >= c.columns {
					continue
				}
				index, negate := ks[i].digit(c.teeth, c.columns, col)
				e := &c.tables[t][index]
				if negate {
					var minus affine
					r.add(&r, minus.neg(e))
				} else {
					r.add(&r, e)
				}
			}
		}
	}
	return r
}

// combP is the comb of P, built at its first use (131 kB).
var combP = sync.OnceValue(func() *comb { return newComb(&baseP, 9) })

// combTeeth is the width of the combs of Z and of [b]P+Z (65 kB each).
const combTeeth = 8

// powers of g: the same comb in PF_p, where 1/(1+it) is 1-it up to a factor in
// F_p, so that negating an entry is free here too.

const (
	powTeeth   = 8
	powColumns = 128
	powRows    = 32
)

var powG = sync.OnceValue(func() [][]fp.Element {
	n := powColumns / powRows
	run := quad{re: *new(fp.Element).One(), im: elementG}
	at := make(map[int]quad)
	for i := range powTeeth * powColumns {
		if i%powRows == 0 {
			at[i] = run
		}
		run.square(&run)
	}
	var sums []quad
	for t := range n {
		start := len(sums)
		p := at[(powTeeth-1)*powColumns+t*powRows]
		for j := range powTeeth - 1 {
			inv := at[j*powColumns+t*powRows]
			inv.im.Neg(&inv.im)
			p.mul(&p, &inv)
		}
		sums = append(sums, p)
		for j := range powTeeth - 1 {
			twice := at[j*powColumns+t*powRows]
			twice.square(&twice)
			for i := range 1 << j {
				var s quad
				s.mul(&sums[start+i], &twice)
				sums = append(sums, s)
			}
		}
	}
	inv := make([]fp.Element, len(sums))
	for i := range sums {
		inv[i] = sums[i].re
	}
	if !fp.VarTimeInvertAll(inv) {
		panic("sakke: a power of g has no real part")
	}
	for i := range sums {
		inv[i].Mul(&inv[i], &sums[i].im)
	}
	half := 1 << (powTeeth - 1)
	var out [][]fp.Element
	for t := range n {
		out = append(out, inv[t*half:(t+1)*half:(t+1)*half])
	}
	return out
})

// powerOfG returns g^r in PF_p, r taken modulo q.
func powerOfG(r *big.Int) fp.Element {
	s := recodeOdd(r, powTeeth*powColumns, nil)
	tables := powG()
	f := quad{re: *new(fp.Element).One()}
	for row := powRows - 1; row >= 0; row-- {
		f.square(&f)
		for t := range tables {
			index, negate := s.digit(powTeeth, powColumns, t*powRows+row)
			e := tables[t][index]
			if negate {
				e.Neg(&e)
			}
			f.mulUnit(&f, &e)
		}
	}
	w, _ := f.ratio() // the real part is not 0: f has odd order in PF_p
	return w
}
