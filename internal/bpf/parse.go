package bpf

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Link types that programs are made for (tcpdump.org/linktypes.html).
const (
	LinkEthernet = 1
	LinkRaw      = 101
	LinkSLL2     = 276
)

// A Target says what a program is for.
type Target struct {
	Link    uint16
	Kernel  bool   // for a packet socket: cooked frames have no header, the outermost VLAN tag stands beside the frame
	SnapLen uint32 // what the program returns for packets to keep; 0 means 262144
}

// qualifiers of a value, which the next value inherits.
type qualifiers struct {
	proto string // "" for any
	dir   dir
	addr  string // "", host, net, port, portrange, proto
	valid bool
}

type parser struct {
	place
	text  string
	toks  []token
	at    int
	depth int
	err   *Error

	last  qualifiers
	vlans bool // the keyword was used
	ports bool // something was asked of a transport header, which later fragments do not have
}

// Compile makes a program of a filter.
func Compile(text string, t Target) ([]Instruction, error) {
	prog, _, err := compile(text, t)
	return prog, err
}

func compile(text string, t Target) ([]Instruction, *parser, error) {
	switch t.Link {
	case LinkEthernet, LinkRaw, LinkSLL2:
	default:
		return nil, nil, &Error{Text: text, Msg: fmt.Sprintf("there are no capture filters for link type %d", t.Link), Hint: "filter what is shown instead, with -Y"}
	}
	if t.SnapLen == 0 {
		t.SnapLen = 262144
	}
	toks, err := lex(text)
	if err != nil {
		return nil, nil, err
	}
	run := func(aux bool) (*cond, *parser) {
		p := &parser{place: newPlace(t, aux), text: text, toks: toks}
		if p.peek().kind == tEnd {
			return yes, p
		}
		c := p.expr()
		if p.err == nil && p.peek().kind != tEnd {
			p.fail("this is not expected here", "")
		}
		return c, p
	}
	c, p := run(false)
	if p.err != nil {
		return nil, p, p.err
	}
	if t.Kernel && t.Link != LinkRaw && p.vlans {
		// Packets with a tag beside them and packets without are two cases, which cannot change places.
		tagged, q := run(true)
		if q.err != nil {
			return nil, q, q.err
		}
		here := check(load(opW, adVLANHere), opJEQ, 0)
		c = or(and(not(here), tagged), and(here, c))
	}
	if c.op == cFalse {
		return nil, p, &Error{Text: text, Msg: "no packet can match"}
	}
	prog := assemble(c, t.SnapLen)
	if len(prog) > MaxInstructions {
		return nil, p, &Error{Text: text, Msg: fmt.Sprintf("it needs %d instructions, and the kernel takes %d", len(prog), MaxInstructions), Hint: "use portrange and net in place of long lists"}
	}
	return prog, p, nil
}

func (p *parser) peek() *token { return &p.toks[min(p.at, len(p.toks)-1)] }
func (p *parser) ahead(n int) *token {
	return &p.toks[min(p.at+n, len(p.toks)-1)]
}

func (t *token) is(words ...string) bool {
	return (t.kind == tWord || t.kind == tOp) && slices.Contains(words, t.text)
}

func (p *parser) accept(words ...string) bool {
	if p.peek().is(words...) {
		p.at++
		return true
	}
	return false
}

func (p *parser) fail(msg, hint string) *cond { return p.failAt(p.peek(), msg, hint) }

func (p *parser) failAt(t *token, msg, hint string) *cond {
	if p.err == nil {
		if t.kind == tEnd {
			msg = "it ends where more is expected"
		} else if t.text != "" && !strings.Contains(msg, "\"") {
			msg = fmt.Sprintf("%q: %s", t.text, msg)
		}
		p.err = &Error{Off: t.off, Text: p.text, Msg: msg, Hint: hint}
	}
	p.at = len(p.toks) - 1
	return no
}

func (p *parser) enter() bool {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested too deeply", "")
		return false
	}
	return true
}

// expr is terms joined by and, or, which bind alike and from left to right.
func (p *parser) expr() *cond {
	if !p.enter() {
		return no
	}
	defer func() { p.depth-- }()
	c := p.term()
	for p.err == nil {
		join := or
		switch {
		case p.accept("and", "&&"):
			join = and
		case p.accept("or", "||"):
		default:
			return c
		}
		var d *cond
		if p.value() {
			q := p.last
			if !q.valid {
				return p.fail("there is no qualifier before it that it could take", "say what it is: host, net, port, proto")
			}
			d = p.id(q)
			p.last = q
		} else {
			d = p.term()
		}
		c = join(c, d)
	}
	return c
}

// value tells whether what follows is a value that inherits its qualifiers, maybe behind not or parentheses.
func (p *parser) value() bool {
	at := p.at
	defer func() { p.at = at }()
	for p.accept("not", "!") || p.peek().is("(") && !p.arithmetic() {
		if p.peek().is("(") {
			p.at++
		}
	}
	switch t := p.peek(); t.kind {
	case tNum, tQuad:
		if p.last.addr == "portrange" && p.ahead(1).is("-") && p.ahead(2).kind == tNum {
			return !operator(p.ahead(3))
		}
		return !p.arithmetic()
	case tIP6, tMAC, tName:
		return true
	case tWord:
		return !keyword(t.text)
	}
	return false
}

// arithmetic tells whether a comparison of numbers begins here rather than a condition.
func (p *parser) arithmetic() bool {
	t := p.peek()
	switch {
	case t.kind == tNum:
		return operator(p.ahead(1))
	case t.is("-", "len"):
		return true
	case t.kind == tWord && protoIndex(t.text):
		return p.ahead(1).is("[")
	case t.kind == tWord:
		_, ok := constants[t.text]
		return ok
	case t.is("("):
		deep := 0
		for k := p.at; k < len(p.toks); k++ {
			switch {
			case p.toks[k].is("("):
				deep++
			case p.toks[k].is(")"):
				if deep--; deep == 0 {
					return operator(&p.toks[min(k+1, len(p.toks)-1)])
				}
			}
		}
	}
	return false
}

func operator(t *token) bool {
	return t.is("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "=", "==", "!=", "<", ">", "<=", ">=")
}

func (p *parser) term() *cond {
	if !p.enter() {
		return no
	}
	defer func() { p.depth-- }()
	if p.peek().is("!", "not") {
		p.at++
		if p.value() && p.last.valid {
			q := p.last
			c := not(p.id(q))
			p.last = q
			return c
		}
		return not(p.term())
	}
	if p.arithmetic() {
		p.last = qualifiers{}
		return p.relation()
	}
	if p.accept("(") {
		c := p.expr()
		if p.err == nil && !p.accept(")") {
			return p.fail("a closing parenthesis is expected", "")
		}
		return c
	}
	return p.primitive()
}

var unsupported = []string{"gateway", "protochain", "pppoes", "pppoed", "geneve", "vxlan", "wlan", "type", "subtype", "vpi", "vci", "lane", "sio", "opc", "dpc", "sls",
	"rset", "ruleset", "rnr", "rulenum", "reason", "action", "ifname", "on", "iso", "clnp", "esis", "isis", "decnet", "atalk", "aarp", "netbeui", "ipx", "stp", "llc", "fddi", "tr", "ppp", "slip", "ifindex"}

func protoIndex(w string) bool {
	switch w {
	case "ether", "link", "ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "pim", "vrrp":
		return true
	}
	return false
}

var protoNumber = map[string]uint32{"icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "igrp": 9, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51, "icmp6": 58, "ipv6-icmp": 58, "ospf": 89, "pim": 103, "vrrp": 112, "carp": 112, "l2tp": 115, "sctp": 132, "udplite": 136}

var etherNumber = map[string]uint32{"ip": etherIP, "arp": etherARP, "rarp": etherRARP, "ip6": etherIP6, "vlan": etherVLAN, "mpls": etherMPLS}

var portNumber = map[string]uint32{"ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "http": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111,
	"ntp": 123, "imap2": 143, "snmp": 161, "snmp-trap": 162, "bgp": 179, "ldap": 389, "https": 443, "syslog": 514, "ldaps": 636, "radius": 1812, "radius-acct": 1813, "gtp-control": 2123, "gtp-user": 2152,
	"stun": 3478, "diameter": 3868, "ipsec-nat-t": 4500, "isakmp": 500, "vxlan": 4789, "sip": 5060, "sip-tls": 5061, "sips": 5061}

func keyword(w string) bool {
	switch w {
	case "and", "or", "not", "src", "dst", "host", "net", "port", "portrange", "proto", "mask", "less", "greater", "len", "vlan", "mpls", "multicast", "broadcast", "inbound", "outbound", "ah", "esp", "gre", "igrp", "carp":
		return true
	}
	_, c := constants[w]
	return c || protoIndex(w) || slices.Contains(unsupported, w)
}

// primitive is one condition with its qualifiers.
func (p *parser) primitive() *cond {
	t := p.peek()
	if t.kind != tWord {
		return p.fail("a condition is expected here", "a value needs a qualifier before it: host, net, port, proto")
	}
	q := qualifiers{valid: true}
	w := t.text
	if slices.Contains(unsupported, w) {
		return p.fail("this part of tcpdump's language is not supported", "let tcpdump compile it, and give what tcpdump -ddd prints as the filter")
	}
	p.last = qualifiers{}
	switch w {
	case "less", "greater":
		p.at++
		n, ok := p.number()
		if !ok {
			return no
		}
		code := []Instruction{{Op: opLD | opW | opLEN}}
		if w == "less" {
			return not(check(code, opJGT, n))
		}
		return check(code, opJGE, n)
	case "vlan":
		p.at++
		return p.vlan()
	case "mpls":
		p.at++
		return p.label()
	case "multicast", "broadcast":
		p.at++
		return p.cast(t, "", w)
	case "inbound", "outbound":
		p.at++
		return p.direction(t, w)
	case "ah", "esp", "gre", "igrp", "carp":
		p.at++
		if w == "igrp" || w == "carp" {
			return p.ipProto(protoNumber[w])
		}
		if p.peek().is("host", "net", "port", "portrange", "src", "dst") {
			return p.fail("cannot follow "+w, "")
		}
		return p.anyProto(protoNumber[w])
	}
	if protoIndex(w) {
		p.at++
		q.proto = w
		if q.proto == "link" {
			q.proto = "ether"
		}
		if n := p.peek(); n.is("multicast", "broadcast") {
			p.at++
			return p.cast(n, q.proto, n.text)
		}
	}
	if p.accept("proto") {
		q.addr = "proto"
		return p.finish(q)
	}
	q.dir = p.dir()
	if a := p.peek(); a.is("host", "net", "port", "portrange") {
		p.at++
		q.addr = a.text
	} else if q.dir == either && !p.directed() {
		if q.proto != "" && !p.plainValue() {
			if q.proto == "ether" {
				return p.failAt(t, "is not a condition alone", "")
			}
			return p.name(q.proto)
		}
		if q.proto == "" {
			return p.failAt(t, "unknown word, or a value without a qualifier", "names are not looked up: give addresses as numbers, and qualify values: host, net, port, proto")
		}
	}
	return p.finish(q)
}

func (p *parser) directed() bool { return p.at > 0 && p.ahead(-1).is("src", "dst") }

func (p *parser) finish(q qualifiers) *cond {
	c := p.id(q)
	if p.err == nil {
		p.last = q
	}
	return c
}

// plainValue tells whether a value stands here.
func (p *parser) plainValue() bool {
	switch p.peek().kind {
	case tNum, tQuad, tIP6, tMAC, tName:
		return true
	}
	return false
}

func (p *parser) dir() dir {
	one := func() dir {
		switch {
		case p.accept("src"):
			return src
		case p.accept("dst"):
			return dst
		}
		return either
	}
	d := one()
	if d == either {
		return d
	}
	if j := p.peek(); j.is("or", "||", "and", "&&") {
		if n := p.ahead(1); n.is("src", "dst") && !n.is(map[dir]string{src: "src", dst: "dst"}[d]) && p.ahead(2).kind != tOp {
			// src or dst port 5060, but not src host a or dst host b: there a value came between.
			p.at += 2
			if j.is("or", "||") {
				return either
			}
			return both
		}
	}
	return d
}

// name is a protocol alone.
func (p *parser) name(proto string) *cond {
	switch proto {
	case "ip":
		return p.carries(etherIP)
	case "ip6":
		return p.carries(etherIP6)
	case "arp":
		return p.carries(etherARP)
	case "rarp":
		return p.carries(etherRARP)
	case "icmp", "igmp", "vrrp":
		return p.ipProto(protoNumber[proto])
	case "icmp6":
		return p.ip6Proto(58)
	}
	return p.anyProto(protoNumber[proto])
}

// id is one value, or several in parentheses, with the same qualifiers.
func (p *parser) id(q qualifiers) *cond {
	if !p.enter() {
		return no
	}
	defer func() { p.depth-- }()
	if p.accept("!", "not") {
		return not(p.id(q))
	}
	if p.accept("(") {
		c := p.id(q)
		for p.err == nil {
			switch {
			case p.accept("and", "&&"):
				c = and(c, p.id(q))
			case p.accept("or", "||"):
				c = or(c, p.id(q))
			case p.accept(")"):
				return c
			default:
				return p.fail("a closing parenthesis is expected", "")
			}
		}
		return no
	}
	t := p.peek()
	p.at++
	switch q.addr {
	case "port", "portrange":
		return p.port(t, q)
	case "proto":
		return p.proto(t, q)
	}
	return p.host(t, q)
}

func (p *parser) portValue(t *token) (uint32, bool) {
	v := t.num
	switch t.kind {
	case tNum:
	case tWord, tName:
		n, ok := portNumber[t.text]
		if !ok {
			p.failAt(t, "not a port", "give its number")
			return 0, false
		}
		v = n
	default:
		p.failAt(t, "not a port", "")
		return 0, false
	}
	if v > 65535 {
		p.failAt(t, "ports end at 65535", "")
		return 0, false
	}
	return v, true
}

func (p *parser) port(t *token, q qualifiers) *cond {
	protos := []uint32{6, 17, 132}
	switch q.proto {
	case "":
	case "tcp", "udp", "sctp":
		protos = []uint32{protoNumber[q.proto]}
	default:
		return p.failAt(t, q.proto+" has no ports", "tcp, udp and sctp have")
	}
	p.ports = true
	from, ok := p.portValue(t)
	if !ok {
		return no
	}
	to := from
	if q.addr == "portrange" && p.accept("-") {
		if to, ok = p.portValue(p.peek()); !ok {
			return no
		}
		p.at++
		if to < from {
			from, to = to, from
		}
	}
	return p.place.ports(from, to, q.dir, protos)
}

func (p *parser) proto(t *token, q qualifiers) *cond {
	v, names := t.num, protoNumber
	if q.proto == "ether" {
		names = etherNumber
	}
	switch t.kind {
	case tNum:
	case tWord, tName:
		n, ok := names[t.text]
		if !ok {
			return p.failAt(t, "not a protocol", "give its number")
		}
		v = n
	default:
		return p.failAt(t, "not a protocol", "")
	}
	switch {
	case q.proto == "ether":
		if v > 0xffff {
			return p.failAt(t, "types of the link layer end at 65535", "")
		}
		return p.carries(v)
	case v > 255:
		return p.failAt(t, "protocols of IP end at 255", "")
	case q.proto == "ip":
		return p.ipProto(v)
	case q.proto == "ip6":
		return p.ip6Proto(v)
	case q.proto == "":
		return or(p.ipProto(v), p.ip6Proto(v))
	}
	return p.failAt(t, q.proto+" does not say what it carries", "")
}

func (p *parser) host(t *token, q qualifiers) *cond {
	switch t.kind {
	case tMAC:
		if q.proto != "ether" {
			return p.failAt(t, "an address of the link layer needs the qualifier ether", "ether host "+t.text)
		}
		if p.link != LinkEthernet {
			return p.failAt(t, "this link type has no such addresses", "")
		}
		return q.dir.pick(func() *cond { return ether(t.mac, 6) }, func() *cond { return ether(t.mac, 0) })
	case tIP6:
		if q.proto != "" && q.proto != "ip6" {
			return p.failAt(t, q.proto+" has no such addresses", "")
		}
		n := 128
		a := t.ip.As16()
		if p.accept("/") {
			l, ok := p.number()
			if !ok {
				return no
			}
			if n = int(l); l > 128 {
				return p.failAt(t, "the prefix of an IPv6 address has at most 128 bits", "")
			}
			for k := range a {
				if keep := min(max(n-8*k, 0), 8); a[k]&^byte(0xff<<(8-keep)) != 0 {
					return p.failAt(t, "bits behind the prefix are set", "")
				}
			}
		} else if q.addr == "net" {
			n = 128
		}
		if q.addr == "host" && n != 128 {
			return p.failAt(t, "a host has no prefix", "use net")
		}
		return p.host6(a, n, q.dir)
	case tNum, tQuad:
		if q.proto == "ether" {
			return p.failAt(t, "the link layer has no such addresses", "")
		}
		if q.proto == "ip6" {
			return p.failAt(t, "ip6 has no such addresses", "")
		}
		addr, mask := t.num, uint32(0xffffffff)
		size := t.bits
		if t.kind == tNum {
			size = 32
		}
		switch {
		case p.accept("/"):
			l, ok := p.number()
			if !ok {
				return no
			}
			if l > 32 {
				return p.failAt(t, "the prefix of an IPv4 address has at most 32 bits", "")
			}
			addr <<= 32 - uint(size)
			mask = uint32(uint64(0xffffffff) << (32 - l))
		case p.accept("mask"):
			m := p.peek()
			p.at++
			if m.kind != tQuad {
				return p.failAt(m, "a mask in dotted notation is expected", "")
			}
			addr <<= 32 - uint(size)
			mask = m.num << (32 - uint(m.bits))
		case q.addr == "net":
			// The network that the address stands for: as many octets as it has.
			if t.kind == tNum && addr != 0 {
				size = (bits.Len32(addr) + 7) &^ 7
			}
			addr <<= 32 - uint(size)
			mask = uint32(uint64(0xffffffff) << (32 - uint(size)))
		default: // an address with octets missing is a network here too, as in libpcap
			addr <<= 32 - uint(size)
			mask <<= 32 - uint(size)
		}
		if mask != 0xffffffff && size == 32 && q.addr == "host" {
			return p.failAt(t, "a host has no mask", "use net")
		}
		if addr&^mask != 0 {
			return p.failAt(t, "bits behind the mask are set", "")
		}
		c, msg := p.host4(addr, mask, q.dir, q.proto)
		if msg != "" {
			return p.failAt(t, msg, "")
		}
		return c
	}
	return p.failAt(t, "not an address", "names are not looked up: give addresses as numbers")
}

func (p *parser) number() (uint32, bool) {
	t := p.peek()
	if t.kind != tNum {
		p.fail("a number is expected", "")
		return 0, false
	}
	p.at++
	return t.num, true
}

// vlan asks for a tag. What follows in the filter is behind it.
func (p *parser) vlan() *cond {
	id, has := uint32(0), false
	word, t := p.ahead(-1), p.peek()
	if t.kind == tNum && !operator(p.ahead(1)) {
		id, has = t.num, true
		p.at++
		if id > 0xfff {
			return p.failAt(t, "VLAN identifiers end at 4095", "")
		}
	}
	if p.link == LinkRaw {
		return p.failAt(word, "raw IP has no VLAN tags", "")
	}
	if p.mpls > 0 {
		return p.failAt(word, "no VLAN tag is looked for behind MPLS labels", "")
	}
	p.vlans = true
	p.tags++
	if p.aux && !p.auxed {
		p.auxed = true
		if has {
			return check(masked(load(opW, adVLAN), 0xfff), opJEQ, id)
		}
		return yes
	}
	c := or(p.carries(etherVLAN), p.carries(etherQinQ), p.carries(etherOld))
	if has {
		c = and(c, equalMasked(opH, p.pl, id, 0xfff))
	}
	p.typ, p.pl, p.start = p.pl+2, p.pl+4, false
	return c
}

// label asks for an MPLS label. What follows in the filter is behind it.
func (p *parser) label() *cond {
	v, has := uint32(0), false
	word, t := p.ahead(-1), p.peek()
	if t.kind == tNum && !operator(p.ahead(1)) {
		v, has = t.num, true
		p.at++
		if v > 0xfffff {
			return p.failAt(t, "MPLS labels end at 1048575", "")
		}
	}
	if p.link == LinkRaw {
		return p.failAt(word, "raw IP has no MPLS labels", "")
	}
	var c *cond
	if p.mpls > 0 { // not the bottom of the stack
		c = equalMasked(opB, p.pl-2, 0, 1)
	} else {
		c = p.carries(etherMPLS)
	}
	if has {
		c = and(c, equalMasked(opW, p.pl, v<<12, 0xfffff000))
	}
	p.pl += 4
	p.mpls++
	return c
}

func (p *parser) packetType() []Instruction {
	if p.kernel {
		return load(opB, adPktType)
	}
	return load(opB, 10)
}

func (p *parser) cast(t *token, proto, what string) *cond {
	switch {
	case proto == "ip" && what == "multicast":
		return and(p.carries(etherIP), check(load(opB, p.pl+16), opJGE, 224))
	case proto == "ip6" && what == "multicast":
		return and(p.carries(etherIP6), equal(opB, p.pl+24, 255))
	case proto != "" && proto != "ether":
		return p.failAt(t, proto+" has no such thing that could be known here", "")
	case p.link == LinkEthernet && what == "multicast":
		return check(load(opB, 0), opJSET, 1)
	case p.link == LinkEthernet:
		return ether([6]byte{255, 255, 255, 255, 255, 255}, 0)
	case p.link == LinkSLL2 && what == "multicast": // PACKET_MULTICAST, PACKET_BROADCAST of linux/if_packet.h
		return check(p.packetType(), opJEQ, 2)
	case p.link == LinkSLL2:
		return check(p.packetType(), opJEQ, 1)
	}
	return p.failAt(t, "this link type does not tell", "")
}

func (p *parser) direction(t *token, what string) *cond {
	if !p.kernel && p.link != LinkSLL2 {
		return p.failAt(t, "this link type does not tell", "")
	}
	c := check(p.packetType(), opJEQ, 4) // PACKET_OUTGOING
	if what == "inbound" {
		return not(c)
	}
	return c
}
