package bpf

// Names of numbers, as in pcap-filter(7).
var constants = map[string]uint32{
	"tcpflags": 13, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128,
	"icmptype": 0, "icmpcode": 1, "icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5, "icmp-echo": 8, "icmp-routeradvert": 9, "icmp-routersolicit": 10,
	"icmp-timxceed": 11, "icmp-paramprob": 12, "icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16, "icmp-maskreq": 17, "icmp-maskreply": 18,
	"icmp6type": 0, "icmp6code": 1, "icmp6-destinationrunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4, "icmp6-echo": 128, "icmp6-echoreply": 129,
	"icmp6-multicastlistenerquery": 130, "icmp6-multicastlistenerreportv1": 131, "icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133, "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135,
	"icmp6-neighboradvert": 136, "icmp6-redirect": 137,
}

// An arith is a number computed from a packet: straight code that leaves it in A, and what must hold before it may run.
type arith struct {
	code  []Instruction
	cond  *cond
	k     uint32
	fixed bool // a constant; code is empty
}

func fixed(k uint32) arith { return arith{k: k, fixed: true, cond: yes} }

func (a *arith) value() []Instruction {
	if a.fixed {
		return []Instruction{{Op: opLD | opIMM, K: a.k}}
	}
	return a.code
}

// relation compares two numbers.
func (p *parser) relation() *cond {
	l := p.arith(0, 0)
	t := p.peek()
	if p.err != nil {
		return no
	}
	if !t.is("=", "==", "!=", "<", ">", "<=", ">=") {
		return p.fail("a comparison is expected", "")
	}
	p.at++
	r := p.arith(0, 1)
	if p.err != nil {
		return no
	}
	var op uint16
	var inverted bool
	switch t.text {
	case "=", "==":
		op = opJEQ
	case "!=":
		op, inverted = opJEQ, true
	case ">":
		op = opJGT
	case "<=":
		op, inverted = opJGT, true
	case ">=":
		op = opJGE
	case "<":
		op, inverted = opJGE, true
	}
	var c *cond
	switch {
	case l.fixed && r.fixed:
		if c = no; jump(op, l.k, r.k) {
			c = yes
		}
	case r.fixed:
		c = check(l.code, op, r.k)
	default:
		code := append(append([]Instruction{}, l.value()...), Instruction{Op: opST, K: 0})
		code = append(append(code, r.value()...), Instruction{Op: opMISC | opTAX}, Instruction{Op: opLD | opMEM, K: 0})
		c = &cond{op: cTest, t: &test{code: code, op: op, x: true}}
	}
	if inverted {
		c = not(c)
	}
	return and(l.cond, r.cond, c)
}

// levels of binary operators, the loosest first, as yacc's table in libpcap has them.
var levels = [][]string{{"|"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%", "^"}}

// arith reads a number; cell is the first free scratch cell.
func (p *parser) arith(level int, cell uint32) arith {
	if !p.enter() {
		return fixed(0)
	}
	defer func() { p.depth-- }()
	if level == len(levels) {
		return p.factor(cell)
	}
	l := p.arith(level+1, cell)
	for p.err == nil && p.peek().is(levels[level]...) {
		t := p.peek()
		p.at++
		r := p.arith(level+1, cell+1)
		l = p.binary(t, l, r, cell)
	}
	return l
}

func (p *parser) binary(t *token, l, r arith, cell uint32) arith {
	op := map[string]uint16{"|": opOR, "&": opAND, "<<": opLSH, ">>": opRSH, "+": opADD, "-": opSUB, "*": opMUL, "/": opDIV, "%": opMOD, "^": opXOR}[t.text]
	if r.fixed {
		switch {
		case (op == opDIV || op == opMOD) && r.k == 0:
			p.failAt(t, "division by zero", "")
			return fixed(0)
		case (op == opLSH || op == opRSH) && r.k > 31:
			p.failAt(t, "shift by more than 31 bits", "")
			return fixed(0)
		case l.fixed:
			v, _ := alu(op, l.k, r.k)
			return fixed(v)
		}
		return arith{cond: l.cond, code: append(append([]Instruction{}, l.code...), Instruction{Op: opALU | op | opK, K: r.k})}
	}
	if cell >= scratch {
		p.failAt(t, "the numbers are nested too deeply", "")
		return fixed(0)
	}
	code := append(append([]Instruction{}, l.value()...), Instruction{Op: opST, K: cell})
	code = append(append(code, r.code...), Instruction{Op: opMISC | opTAX}, Instruction{Op: opLD | opMEM, K: cell}, Instruction{Op: opALU | op | opX})
	return arith{cond: and(l.cond, r.cond), code: code}
}

func (p *parser) factor(cell uint32) arith {
	t := p.peek()
	switch {
	case t.kind == tNum:
		p.at++
		return fixed(t.num)
	case t.is("-"):
		p.at++
		if !p.enter() {
			return fixed(0)
		}
		defer func() { p.depth-- }()
		a := p.factor(cell)
		if a.fixed {
			return fixed(-a.k)
		}
		return arith{cond: a.cond, code: append(append([]Instruction{}, a.code...), Instruction{Op: opALU | opNEG})}
	case t.is("("):
		p.at++
		a := p.arith(0, cell)
		if p.err == nil && !p.accept(")") {
			p.fail("a closing parenthesis is expected", "")
		}
		return a
	case t.is("len"):
		p.at++
		return arith{cond: yes, code: []Instruction{{Op: opLD | opW | opLEN}}}
	case t.kind == tWord && protoIndex(t.text):
		p.at++
		return p.index(t, cell)
	case t.kind == tWord:
		if v, ok := constants[t.text]; ok {
			p.at++
			return fixed(v)
		}
	}
	p.fail("a number is expected", "")
	return fixed(0)
}

// index reads octets of a protocol: proto[offset:size].
func (p *parser) index(t *token, cell uint32) arith {
	if !p.accept("[") {
		p.fail("[ is expected", "")
		return fixed(0)
	}
	at := p.arith(0, cell)
	size := uint16(opB)
	if p.accept(":") {
		n, ok := p.number()
		switch {
		case !ok:
			return fixed(0)
		case n == 1:
		case n == 2:
			size = opH
		case n == 4:
			size = opW
		default:
			p.fail("1, 2 or 4 octets can be read at once", "")
			return fixed(0)
		}
	}
	if !p.accept("]") {
		p.fail("] is expected", "")
		return fixed(0)
	}
	var base uint32
	c := at.cond
	switch t.text {
	case "ether", "link":
		if p.kernel && p.link == LinkSLL2 {
			p.failAt(t, "a cooked frame has no link header in the kernel", "name one interface instead of any")
			return fixed(0)
		}
	case "ip":
		c, base = and(c, p.carries(etherIP)), p.pl
	case "ip6":
		c, base = and(c, p.carries(etherIP6)), p.pl
	case "arp":
		c, base = and(c, p.carries(etherARP)), p.pl
	case "rarp":
		c, base = and(c, p.carries(etherRARP)), p.pl
	case "icmp6":
		p.ports = true
		c, base = and(c, p.carries(etherIP6), equal(opB, p.pl+6, 58)), p.pl+40
	default: // behind the header of IPv4, whose length is in the packet
		p.ports = true
		c = and(c, p.ipProto(protoNumber[t.text]), p.whole())
		if at.fixed {
			return arith{cond: c, code: []Instruction{p.header(), {Op: opLD | opIND | size, K: p.pl + at.k}}}
		}
		if cell >= scratch {
			p.failAt(t, "the numbers are nested too deeply", "")
			return fixed(0)
		}
		code := append(append([]Instruction{}, at.code...), Instruction{Op: opST, K: cell}, p.header(), Instruction{Op: opLD | opMEM, K: cell},
			Instruction{Op: opALU | opADD | opX}, Instruction{Op: opMISC | opTAX}, Instruction{Op: opLD | opIND | size, K: p.pl})
		return arith{cond: c, code: code}
	}
	if at.fixed {
		if base+at.k >= adOff || base+at.k < base { // would ask the kernel for something else than octets
			p.failAt(t, "there are no octets that far behind", "")
			return fixed(0)
		}
		return arith{cond: c, code: load(size, base+at.k)}
	}
	code := append(append([]Instruction{}, at.code...), Instruction{Op: opMISC | opTAX}, Instruction{Op: opLD | opIND | size, K: base})
	return arith{cond: c, code: code}
}
