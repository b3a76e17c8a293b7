package bpf

// A cond is a condition on a packet: constant, a test, or made of two.
type cond struct {
	op   uint8 // one of the c constants
	a, b *cond
	t    *test
}

const (
	cTrue uint8 = iota
	cFalse
	cTest
	cAnd
	cOr
	cNot
)

// A test computes a value in A by straight code and compares it.
type test struct {
	code []Instruction
	op   uint16 // opJEQ, opJGT, opJGE, opJSET
	k    uint32
	x    bool // compare with X, which the code sets, and not with k
}

var (
	yes = &cond{op: cTrue}
	no  = &cond{op: cFalse}
)

func and(list ...*cond) *cond {
	var out *cond
	for _, c := range list {
		switch {
		case out == nil:
			out = c
		case out.op == cFalse || c.op == cTrue:
		case out.op == cTrue || c.op == cFalse:
			out = c
		default:
			out = &cond{op: cAnd, a: out, b: c}
		}
	}
	return out
}

func or(list ...*cond) *cond {
	var out *cond
	for _, c := range list {
		switch {
		case out == nil:
			out = c
		case out.op == cTrue || c.op == cFalse:
		case out.op == cFalse || c.op == cTrue:
			out = c
		default:
			out = &cond{op: cOr, a: out, b: c}
		}
	}
	return out
}

func not(c *cond) *cond {
	switch c.op {
	case cTrue:
		return no
	case cFalse:
		return yes
	case cNot:
		return c.a
	}
	return &cond{op: cNot, a: c}
}

// A frame of reference: where things stand in a packet, at one point of the filter's text.
type place struct {
	link   uint16
	kernel bool
	aux    bool // the program runs on packets that have a VLAN tag beside them

	typ   uint32 // offset of the type of what follows, 0 with atStart
	start bool   // the type is still the link header's own
	pl    uint32 // offset of what follows the link header
	auxed bool   // the tag beside the packet was asked for
	mpls  int    // labels so far
	tags  int
}

func newPlace(t Target, aux bool) place {
	p := place{link: t.Link, kernel: t.Kernel, aux: aux, start: true}
	switch {
	case t.Link == LinkEthernet:
		p.typ, p.pl = 12, 14
	case t.Link == LinkSLL2 && !t.Kernel:
		p.pl = 20
	}
	return p
}

func load(size uint16, at uint32) []Instruction {
	return []Instruction{{Op: opLD | opABS | size, K: at}}
}

func masked(code []Instruction, mask uint32) []Instruction {
	return append(code, Instruction{Op: opALU | opAND | opK, K: mask})
}

func check(code []Instruction, op uint16, k uint32) *cond {
	return &cond{op: cTest, t: &test{code: code, op: op, k: k}}
}

func equal(size uint16, at, k uint32) *cond { return check(load(size, at), opJEQ, k) }

// equalMasked compares under a mask; all ones needs none, and none is always true.
func equalMasked(size uint16, at, k, mask uint32) *cond {
	switch {
	case mask == 0:
		return yes
	case mask == 0xffffffff || size == opB && mask == 0xff || size == opH && mask == 0xffff:
		return equal(size, at, k)
	}
	return check(masked(load(size, at), mask), opJEQ, k)
}

// Types of what a link layer carries.
const (
	etherIP   = 0x0800
	etherARP  = 0x0806
	etherRARP = 0x8035
	etherIP6  = 0x86dd
	etherVLAN = 0x8100
	etherQinQ = 0x88a8
	etherOld  = 0x9100
	etherMPLS = 0x8847
)

// typeValue loads the type of what follows.
func (p *place) typeValue() []Instruction {
	if p.start && p.kernel && p.link == LinkSLL2 {
		return load(opH, adProtocol)
	}
	return load(opH, p.typ)
}

// carries is the condition that the link layer carries a protocol.
func (p *place) carries(typ uint32) *cond {
	if p.mpls > 0 {
		// The bottom of the stack, then the first four bits of what it carries; a stack says no more.
		nibble := map[uint32]uint32{etherIP: 0x40, etherIP6: 0x60}[typ]
		if nibble == 0 {
			return no
		}
		return and(equalMasked(opB, p.pl-2, 1, 1), equalMasked(opB, p.pl, nibble, 0xf0))
	}
	if p.link == LinkRaw {
		switch typ {
		case etherIP:
			return equalMasked(opB, p.pl, 0x40, 0xf0)
		case etherIP6:
			return equalMasked(opB, p.pl, 0x60, 0xf0)
		}
		return no
	}
	if typ > 1500 {
		return check(p.typeValue(), opJEQ, typ)
	}
	if p.link == LinkSLL2 && p.start { // 802.2: the first octet is the destination's access point
		return and(check(p.typeValue(), opJEQ, 4), equal(opB, p.pl, typ))
	}
	return and(not(check(p.typeValue(), opJGT, 1500)), equal(opB, p.pl, typ))
}

func (p *place) next(v uint32) *cond { return equal(opB, p.pl+9, v) }

func (p *place) whole() *cond { return not(check(load(opH, p.pl+6), opJSET, 0x1fff)) }

// ipProto is the condition that IPv4 carries a protocol.
func (p *place) ipProto(v uint32) *cond { return and(p.carries(etherIP), p.next(v)) }

// ip6Proto is the same of IPv6, at once or behind a fragment header.
func (p *place) ip6Proto(v uint32) *cond {
	return and(p.carries(etherIP6), or(equal(opB, p.pl+6, v), and(equal(opB, p.pl+6, 44), equal(opB, p.pl+40, v))))
}

func (p *place) anyProto(v uint32) *cond { return or(p.ip6Proto(v), p.ipProto(v)) }

// header is the code that puts into X where the payload of IPv4 begins, less p.pl.
func (p *place) header() Instruction { return Instruction{Op: opLDX | opB | opMSH, K: p.pl} }

// ports is a condition on ports: from..to in the given direction, for any of the protocols.
func (p *place) ports(from, to uint32, d dir, protos []uint32) *cond {
	in := func(code func(at uint32) []Instruction) *cond {
		one := func(at uint32) *cond {
			if from == to {
				return check(code(at), opJEQ, from)
			}
			return and(check(code(at), opJGE, from), not(check(code(at), opJGT, to)))
		}
		return d.pick(func() *cond { return one(0) }, func() *cond { return one(2) })
	}
	var v6, v4 []*cond
	for _, proto := range protos {
		v6 = append(v6, equal(opB, p.pl+6, proto))
		v4 = append(v4, p.next(proto))
	}
	six := in(func(at uint32) []Instruction { return load(opH, p.pl+40+at) })
	four := in(func(at uint32) []Instruction {
		return []Instruction{p.header(), {Op: opLD | opIND | opH, K: p.pl + at}}
	})
	return or(and(p.carries(etherIP6), or(v6...), six), and(p.carries(etherIP), or(v4...), p.whole(), four))
}

// host4 compares addresses of IPv4, and of ARP and RARP unless one protocol was asked for.
func (p *place) host4(addr, mask uint32, d dir, proto string) (*cond, string) {
	at := func(typ, src, dst uint32) *cond {
		return and(p.carries(typ), d.pick(func() *cond { return equalMasked(opW, p.pl+src, addr, mask) }, func() *cond { return equalMasked(opW, p.pl+dst, addr, mask) }))
	}
	switch proto {
	case "":
		if p.mpls > 0 {
			return at(etherIP, 12, 16), ""
		}
		return or(at(etherIP, 12, 16), at(etherARP, 14, 24), at(etherRARP, 14, 24)), ""
	case "ip":
		return at(etherIP, 12, 16), ""
	case "arp":
		return at(etherARP, 14, 24), ""
	case "rarp":
		return at(etherRARP, 14, 24), ""
	}
	return nil, proto + " has no such addresses"
}

// host6 compares addresses of IPv6, word by word as far as the prefix goes.
func (p *place) host6(addr [16]byte, bits int, d dir) *cond {
	at := func(base uint32) *cond {
		c := yes
		for k := range 4 {
			n := min(max(bits-32*k, 0), 32)
			w := uint32(addr[4*k])<<24 | uint32(addr[4*k+1])<<16 | uint32(addr[4*k+2])<<8 | uint32(addr[4*k+3])
			c = and(c, equalMasked(opW, p.pl+base+4*uint32(k), w, uint32(0xffffffff<<(32-n)&0xffffffff)))
		}
		return c
	}
	return and(p.carries(etherIP6), d.pick(func() *cond { return at(8) }, func() *cond { return at(24) }))
}

// ether compares a hardware address at an offset.
func ether(mac [6]byte, at uint32) *cond {
	return and(equal(opW, at+2, uint32(mac[2])<<24|uint32(mac[3])<<16|uint32(mac[4])<<8|uint32(mac[5])),
		equal(opH, at, uint32(mac[0])<<8|uint32(mac[1])))
}

// A dir is which of the two ends is meant.
type dir uint8

const (
	either dir = iota
	src
	dst
	both
)

func (d dir) pick(s, t func() *cond) *cond {
	switch d {
	case src:
		return s()
	case dst:
		return t()
	case both:
		return and(s(), t())
	}
	return or(s(), t())
}
