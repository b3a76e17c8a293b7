package bpf

import "encoding/binary"

// A block is a test with its two ways on, or one of the two ends.
type block struct {
	t      *test
	key    string // of the code: the same code gives the same value
	jt, jf *block
	ends   bool
	keep   uint32 // octets, of an end
	placed int    // instructions from its first to the end of the program

	reached bool
	facts   facts
	// The keys of what is in A and X on every way that leads here, "" when that is not certain.
	a, x string
}

// facts are what is certain on every way to some point.
type facts struct {
	value   map[string]uint32 // what a code's value is
	outcome map[fact]bool     // what a test's outcome is
}

type fact struct {
	key string
	op  uint16
	k   uint32
	x   bool
}

func (b *block) fact() fact { return fact{b.key, b.t.op, b.t.k, b.t.x} }

func (f *facts) decide(b *block) (outcome, known bool) {
	if v, ok := f.value[b.key]; ok && !b.t.x {
		return jump(b.t.op, v, b.t.k), true
	}
	outcome, known = f.outcome[b.fact()]
	return outcome, known
}

// maxFacts bounds what is remembered on a way, and so the work on long filters.
const maxFacts = 128

// after adds what the outcome of a block's test says.
func (f *facts) after(b *block, outcome bool) facts {
	g := facts{make(map[string]uint32, len(f.value)+1), make(map[fact]bool, len(f.outcome)+1)}
	for k, v := range f.value {
		if len(g.value) < maxFacts {
			g.value[k] = v
		}
	}
	for k, v := range f.outcome {
		if len(g.outcome) < maxFacts {
			g.outcome[k] = v
		}
	}
	g.outcome[b.fact()] = outcome
	if outcome && b.t.op == opJEQ && !b.t.x {
		g.value[b.key] = b.t.k
	}
	return g
}

// meet keeps what is certain on one more way.
func (b *block) meet(f facts) {
	if !b.reached {
		b.reached, b.facts = true, f
		return
	}
	for k, v := range b.facts.value {
		if w, ok := f.value[k]; !ok || v != w {
			delete(b.facts.value, k)
		}
	}
	for k, v := range b.facts.outcome {
		if w, ok := f.outcome[k]; !ok || v != w {
			delete(b.facts.outcome, k)
		}
	}
}

func keyOf(code []Instruction) string {
	b := make([]byte, 0, 6*len(code))
	for _, i := range code {
		b = binary.BigEndian.AppendUint16(b, i.Op)
		b = binary.BigEndian.AppendUint32(b, i.K)
	}
	return string(b)
}

// assemble makes a program of a condition: blocks, ways that are shortened by what is certain on them, instructions.
func assemble(c *cond, snap uint32) []Instruction {
	first := lay(c, &block{ends: true, keep: snap}, &block{ends: true})
	list := sorted(first)
	shorten(list)
	list = sorted(first)
	reuse(list)

	// From the end, so that the length of every way is known when it is needed. out is in reverse.
	var out []Instruction
	put := func(i Instruction) { out = append(out, i) }
	for k := len(list) - 1; k >= 0; k-- {
		b := list[k]
		if b.ends {
			put(Instruction{Op: opRET | opK, K: b.keep})
			b.placed = len(out)
			continue
		}
		far := func(to *block) int { return len(out) - to.placed }
		jt, jf := far(b.jt), far(b.jf)
		// A conditional jump spans 255 instructions; a longer way goes over a jump right behind it.
		farF := jf > 255 || jf == 255 && jt > 255
		if farF {
			put(Instruction{Op: opJMP | opJA, K: uint32(jf)})
			jf = 0
		}
		if jt = far(b.jt); jt > 255 {
			put(Instruction{Op: opJMP | opJA, K: uint32(jt)})
			jt, jf = 0, jf+1
		}
		i := Instruction{Op: opJMP | b.t.op, Jt: uint8(jt), Jf: uint8(jf), K: b.t.k}
		if b.t.x {
			i.Op |= opX
		}
		put(i)
		code := b.t.code
		switch {
		case b.a == b.key:
			code = nil
		case code[0].Op == opLDX|opB|opMSH && b.x == keyOf(code[:1]):
			code = code[1:]
		}
		for n := len(code) - 1; n >= 0; n-- {
			put(code[n])
		}
		b.placed = len(out)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// lay makes blocks of a condition and gives the first.
func lay(c *cond, t, f *block) *block {
	switch c.op {
	case cTrue:
		return t
	case cFalse:
		return f
	case cAnd:
		return lay(c.a, lay(c.b, t, f), f)
	case cOr:
		return lay(c.a, t, lay(c.b, t, f))
	case cNot:
		return lay(c.a, f, t)
	}
	return &block{t: c.t, key: keyOf(c.t.code), jt: t, jf: f}
}

// sorted lists what can be reached, each block before those that it leads to.
func sorted(first *block) []*block {
	var list []*block
	state := map[*block]uint8{}
	for stack := []*block{first}; len(stack) > 0; {
		b := stack[len(stack)-1]
		switch state[b] {
		case 0:
			state[b] = 1
			if !b.ends {
				for _, to := range []*block{b.jt, b.jf} {
					if state[to] == 0 {
						stack = append(stack, to)
					}
				}
			}
			continue
		case 1:
			state[b] = 2
			list = append(list, b)
		}
		stack = stack[:len(stack)-1]
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// shorten leads every way past tests whose outcome is certain on it. It is certain only where the same octets were read
// before, so that no read is left out that might have ended the program.
func shorten(list []*block) {
	list[0].reached = true
	for _, b := range list {
		if b.ends || !b.reached {
			continue
		}
		for _, outcome := range [2]bool{false, true} {
			f := b.facts.after(b, outcome)
			way := &b.jf
			if outcome {
				way = &b.jt
			}
			for !(*way).ends {
				v, known := f.decide(*way)
				if !known {
					break
				}
				if v {
					*way = (*way).jt
				} else {
					*way = (*way).jf
				}
			}
			if !(*way).ends {
				(*way).meet(f)
			}
		}
		b.facts = facts{}
	}
}

// reuse finds out which loads repeat what is in A or X already.
func reuse(list []*block) {
	for _, b := range list {
		b.reached = false
	}
	list[0].a, list[0].x, list[0].reached = "", "", true
	for _, b := range list {
		if b.ends {
			continue
		}
		x := b.x
		if b.a != b.key {
			for _, i := range b.t.code {
				switch i.Op {
				case opLDX | opB | opMSH:
					x = keyOf([]Instruction{i})
				case opMISC | opTAX, opLDX | opMEM:
					x = ""
				}
			}
		}
		for _, to := range [2]*block{b.jt, b.jf} {
			if !to.reached {
				to.reached, to.a, to.x = true, b.key, x
				continue
			}
			if to.a != b.key {
				to.a = ""
			}
			if to.x != x {
				to.x = ""
			}
		}
	}
}
