package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	xbpf "golang.org/x/net/bpf"
)

// A packet of the corpus, without its link header: type and payload.
type packet struct {
	typ  uint16
	data []byte
}

func ip4(proto byte, frag uint16, options int, srcdst [8]byte, payload []byte) []byte {
	b := []byte{0x45 + byte(options), 0, 0, 0, 0, 1, byte(frag >> 8), byte(frag), 64, proto, 0, 0}
	b = append(append(b, srcdst[:]...), make([]byte, 4*options)...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)+len(payload)))
	return append(b, payload...)
}

func ip6(next byte, src, dst byte, payload []byte) []byte {
	b := []byte{0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), next, 64}
	b = append(b, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, src)
	b = append(b, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, dst)
	return append(b, payload...)
}

func l4(sport, dport uint16, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	return append(append(b, rest...), "INVITE sip:a@example.org SIP/2.0\r\n and so on, long enough for every offset used here"...)
}

// corpus is made of every kind that an expression of the tests tells apart, and of random changes to them.
var corpus = sync.OnceValue(func() []packet {
	rnd := rand.New(rand.NewPCG(1, 2))
	hosts := [][8]byte{{10, 1, 1, 1, 10, 1, 1, 2}, {10, 1, 1, 2, 10, 1, 1, 1}, {192, 168, 7, 9, 224, 0, 0, 5}, {0, 0, 0, 10, 1, 2, 3, 4}, {10, 0, 0, 0, 10, 2, 0, 0}}
	ports := [][2]uint16{{5060, 5061}, {5061, 30000}, {40000, 5060}, {80, 443}, {2152, 2152}, {12345, 54321}, {5065, 53}, {22, 8080}}
	var list []packet
	for h, host := range hosts {
		for _, port := range ports {
			for _, proto := range []byte{6, 17, 132} {
				rest := []byte{0, 0, 0, 1, 0, 0, 0, 2, 0x50, byte(1 << rnd.IntN(8)), 0, 0, 0, 0, 0, 0}
				list = append(list, packet{0x800, ip4(proto, 0, rnd.IntN(3), host, l4(port[0], port[1], rest...))},
					packet{0x800, ip4(proto, 0x2000, 0, host, l4(port[0], port[1], rest...))},
					packet{0x800, ip4(proto, 185, 0, host, l4(port[0], port[1], rest...))},
					packet{0x86dd, ip6(proto, byte(h), byte(h+1), l4(port[0], port[1], rest...))},
					packet{0x86dd, ip6(44, byte(h), byte(h+1), append([]byte{proto, 0, 0, 1, 0, 0, 0, 9}, l4(port[0], port[1], rest...)...))})
			}
		}
		for _, proto := range []byte{1, 2, 4, 41, 47, 50, 51, 58, 103, 112, 9, 115} {
			list = append(list, packet{0x800, ip4(proto, 0, 0, host, l4(0x0800, 7))}, packet{0x86dd, ip6(proto, byte(h), 255, l4(0x8000, 7))})
		}
		arp := []byte{0, 1, 8, 0, 6, 4, 0, byte(1 + h&1), 2, 0, 0, 0, 0, 1, host[0], host[1], host[2], host[3], 0, 0, 0, 0, 0, 0, host[4], host[5], host[6], host[7]}
		list = append(list, packet{0x806, append(arp, make([]byte, 90)...)}, packet{0x8035, append(arp, make([]byte, 90)...)})
	}
	for _, p := range list[:len(list):len(list)] {
		tag := func(tci uint16, p packet) []byte {
			return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, tci), p.typ), p.data...)
		}
		switch rnd.IntN(6) {
		case 0:
			list = append(list, packet{0x8100, tag(0x2000|uint16(rnd.IntN(3)+99), p)})
		case 1:
			list = append(list, packet{0x88a8, tag(100, packet{0x8100, tag(uint16(200+rnd.IntN(2)), p)})})
		case 2:
			list = append(list, packet{0x8847, append([]byte{0, 0x06, 0x41, 64}, p.data...)}, // label 100, bottom
				packet{0x8847, append([]byte{0, 0x06, 0x40, 64, 0, 0x0c, 0x81, 64}, p.data...)})
		}
	}
	for _, p := range list[:len(list):len(list)] {
		q := packet{p.typ, bytes.Clone(p.data)}
		for range rnd.IntN(4) + 1 {
			q.data[rnd.IntN(min(len(q.data), 64))] = byte(rnd.Uint32())
		}
		list = append(list, q)
	}
	for range 200 {
		b := make([]byte, 60+rnd.IntN(100))
		for k := range b {
			b[k] = byte(rnd.Uint32())
		}
		list = append(list, packet{uint16(rnd.IntN(2000)), b}, packet{0x800, b})
	}
	return list
})

func (p *packet) frame(link uint16) []byte {
	switch link {
	case LinkEthernet:
		mac := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
		switch len(p.data) % 5 {
		case 0:
			copy(mac, "\xff\xff\xff\xff\xff\xff")
		case 1:
			mac[0] = 3
		case 2:
			copy(mac, "\x02\x00\x00\x00\x00\x09")
		}
		return append(binary.BigEndian.AppendUint16(mac, p.typ), p.data...)
	case LinkSLL2:
		b := binary.BigEndian.AppendUint16(nil, p.typ)
		return append(append(b, 0, 0, 0, 0, 0, 3, 0, 1, byte(len(p.data)%5), 6, 2, 0, 0, 0, 0, 1, 0, 0), p.data...)
	}
	return p.data
}

// expressions that libpcap compiles too. They are also combined with each other.
var expressions = strings.Split(strings.TrimSpace(`
ip
ip6
arp
rarp
tcp
udp
sctp
icmp
icmp6
igmp
igrp
pim
vrrp
ah
esp
host 10.1.1.1
src host 10.1.1.1
dst host 10.1.1.1
src or dst host 10.1.1.1
src and dst host 10.1.1.1
src 10.1.1.1
dst 10.1.1.2
ip host 10.1.1.1
arp host 10.1.1.1
rarp host 10.1.1.2
arp src host 10.1.1.1
ip src 10.1.1.1
host 10.1.1.1 or 10.1.1.2
host 10.1.1.1 and 10.1.1.2
host 10.1.1.1 and not 10.1.1.2
host (10.1.1.1 or 192.168.7.9)
host 10.1
host 10
net 10
net 0
net 10.1
net 10.1.1
net 10.0.0.0
net 10.1.0.0/16
net 10.0.0.0/8
net 0.0.0.0/0
src net 10.1.1.0/30
dst net 224.0.0.0/4
net 10.1.1.0 mask 255.255.255.0
src net 192.168.0.0/16 or dst net 224.0.0.0/4
host 2001:db8::1
src host 2001:db8::1
dst host 2001:db8::ff
net 2001:db8::/32
net 2001:db8::/127
src net 2001:db8::4/126
dst net ::/0
ip6 host 2001:db8::1
host 2001:db8::1 or 2001:db8::3
port 5060
src port 5060
dst port 5060
src or dst port 5060
src and dst port 2152
tcp port 5060
udp port 5060
sctp port 5060
tcp src port 80
udp dst port 443
udp src or dst port 5061
port 5060 or 5061
port 5060 or port 5061
port (80 or 443)
port 80 or (443 or 8080)
port not 80
not port 80
not port 80 or not 443
not port 80 and not 443
! udp port 5060
port sip or domain
portrange 5060-5070
portrange 5070-5060
src portrange 5000-5060
tcp portrange 1-1023
udp dst portrange 30000-40000
portrange 80
portrange 80-80 or 440-450
proto 17
ip proto 17
ip6 proto 17
proto 50
ip proto 47
ip proto \udp
ip6 proto \tcp
proto \sctp
ip proto 6 or 17
ether proto 0x800
ether proto \ip
ether proto \arp
ether proto 0x86dd
ether proto 0x806 or 0x8035
ether proto 66
ether proto 1500
ether proto 1501
ip multicast
ip6 multicast
less 100
greater 150
len > 120
len <= 130 and len >= 90
len = 134
ip[0] & 0xf > 5
ip[0] & 0xf = 5
ip[6:2] & 0x1fff != 0
ip[6:2] & 0x1fff = 0 and udp
udp port 5060 or ip[6:2] & 0x1fff != 0
ip[2:2] > 100
ip[8] < 64
ip[16:4] = 0x0a010102
ip[9] = 17 or ip[9] = 6
ip6[6] = 44
ip6[6] == 17 and ip6[40:2] == 5060
arp[6:2] = 2
arp[7] = 1
tcp[13] & 2 != 0
tcp[tcpflags] & tcp-syn != 0
tcp[tcpflags] & (tcp-syn|tcp-fin) != 0
tcp[tcpflags] = tcp-ack
tcp[0:2] = 5060 or tcp[2:2] = 5060
tcp[((tcp[12] & 0xf0) >> 2):4] = 0x494e5649
udp[8:4] = 0x494e5649
udp[0:2] = udp[2:2]
udp[0:2] > udp[2:2]
udp[0:2] < udp[2:2]
udp[0:2] >= udp[2:2]
udp[0:2] != udp[2:2]
sctp[0:2] = 5060
icmp[icmptype] = icmp-echo
icmp[0] = 8 and icmp[1] = 0
icmp6[0] = 128
igmp[0] > 3
1 + 2 * 3 = ip[8]
ip[8] + 1 = 65
ip[8] - 1 = 63
ip[8] * 2 = 128
ip[8] / 2 = 32
ip[8] % 10 = 4
ip[8] ^ 1 = 65
ip[8] | 3 = 67
ip[8] << 2 = 256
ip[8] >> 2 = 16
64 = ip[8]
ip[8] & 0xf0 + 0x10 = 64
ip[8] | 3 & 2 = 66
ip[8] + 2 * 3 = 70
ip[8] - ip[9] > 40
ip[9] * ip[8] = 1088
ip[9] + ip[8] + ip[0] = 150
(ip[8] + ip[9]) * 2 = 162
ip[9] - (ip[8] - 2) > 5
ip[ip[9]] = 0
ip[ip[9] & 7 + 8] = 64
ip[2:2] - 20 - ((ip[0] & 0xf) << 2) > 100
len - 100 > 20
not ip[8] = 64
not (ip or ip6)
not not ip
ip and not tcp
ip or arp and tcp
ip and tcp or arp
arp or ip and tcp
(arp or ip) and tcp
arp or (ip and tcp)
tcp or udp or sctp
not tcp and not udp
host 10.1.1.1 and udp port 5060
host 10.1.1.1 and (udp port 5060 or tcp port 5061)
udp and (port 5060 or port 5061) and not host 10.1.1.1
(udp port 5060 or ip[6:2] & 0x1fff != 0) and net 10
src host 10.1.1.1 and dst port 5060 or src port 5060 and dst host 10.1.1.1
ip host 10.1.1.1 or ip6 host 2001:db8::1
ip and udp and dst port 5060 and src net 10.0.0.0/8
tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)
`), "\n")

var ethernetOnly = strings.Split(strings.TrimSpace(`
multicast
broadcast
ether multicast
ether broadcast
ether host 02:00:00:00:00:01
ether src 02:00:00:00:00:02
ether dst 02:00:00:00:00:09
ether dst 2-0-0-0-0-9
ether host 02:00:00:00:00:01 and ip
ether[0] & 1 = 1
ether[12:2] = 0x800
ether[6:4] = 0x02000000
link[0] = 2
vlan
vlan 100
vlan 100 and ip
vlan and udp port 5060
vlan and vlan
vlan 100 and vlan 200
vlan 100 and vlan and host 10.1.1.1
ip or vlan
ip or (vlan and ip)
udp port 5060 or (vlan and udp port 5060)
udp port 5060 or (vlan 100 and udp port 5060) or (vlan and tcp)
not vlan
not vlan and udp
vlan and ip[8] = 64
vlan and tcp[13] & 2 != 0
mpls
mpls 100
mpls 100 and mpls 200
mpls and ip
mpls and host 10.1.1.1
mpls and mpls and host 10.1.1.2
mpls and udp port 5060
mpls and ip6
vlan and mpls
vlan and mpls and ip
`), "\n")

func linkName(link uint16) string {
	return map[uint16]string{LinkEthernet: "EN10MB", LinkSLL2: "LINUX_SLL2", LinkRaw: "RAW"}[link]
}

// theirs compiles with tcpdump, without its optimiser: that leaves out reads which may end the program.
func theirs(t *testing.T, link uint16, text string) ([]Instruction, bool) {
	out, err := exec.Command("tcpdump", "-O", "-s", "262144", "-y", linkName(link), "-ddd", text).CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "rejects all") {
			return nil, false
		}
		t.Errorf("tcpdump -y %s %q: %s", linkName(link), text, out)
		return nil, false
	}
	if i := bytes.IndexByte(out, ':'); i >= 0 { // a warning in front
		out = out[bytes.LastIndexByte(out, ':')+1:]
		out = out[bytes.IndexByte(out, '\n')+1:]
	}
	prog, ok, err := ParseDDD(string(out))
	if !ok || err != nil {
		t.Errorf("%q: %v, %s", text, err, out)
		return nil, false
	}
	return prog, true
}

func machine(t *testing.T, prog []Instruction) *xbpf.VM {
	raw := make([]xbpf.RawInstruction, len(prog))
	for k, i := range prog {
		raw[k] = xbpf.RawInstruction{Op: i.Op, Jt: i.Jt, Jf: i.Jf, K: i.K}
	}
	list, _ := xbpf.Disassemble(raw)
	vm, err := xbpf.NewVM(list)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// Verdicts are those of libpcap's programs, on every packet of the corpus, whole and cut.
func TestLikeTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	t.Parallel()
	for _, link := range []uint16{LinkEthernet, LinkSLL2, LinkRaw} {
		list := expressions
		if link == LinkEthernet {
			list = append(list[:len(list):len(list)], ethernetOnly...)
			rnd := rand.New(rand.NewPCG(3, 4))
			for range 60 {
				pick := func() string { return expressions[rnd.IntN(len(expressions))] }
				join := func() string { return []string{" and ", " or ", " and not ", " or not "}[rnd.IntN(4)] }
				list = append(list, "("+pick()+")"+join()+"("+pick()+")"+join()+"("+pick()+")")
			}
		}
		var mu sync.Mutex
		var work sync.WaitGroup
		next := 0
		for range 4 {
			work.Go(func() {
				for {
					mu.Lock()
					k := next
					next++
					mu.Unlock()
					if k >= len(list) {
						return
					}
					likeTcpdump(t, link, list[k])
				}
			})
		}
		work.Wait()
	}
}

func likeTcpdump(t *testing.T, link uint16, text string) {
	want, ok := theirs(t, link, text)
	prog, err := Compile(text, Target{Link: link})
	if !ok {
		if err == nil && Check(prog) != nil {
			t.Errorf("%q: %v", text, Check(prog))
		}
		return
	}
	if err != nil && strings.Contains(err.Error(), "no packet can match") {
		prog, err = []Instruction{{Op: opRET}}, nil
	}
	if err != nil {
		t.Errorf("%s %q: %v", linkName(link), text, err)
		return
	}
	if err := Check(prog); err != nil {
		t.Errorf("%s %q: %v", linkName(link), text, err)
		return
	}
	var vm *xbpf.VM
	if !slices.ContainsFunc(prog, func(i Instruction) bool { return i.Op == opALU|opNEG }) { // x/net does not know that one
		vm = machine(t, prog)
	}
	for k, p := range corpus() {
		b := p.frame(link)
		cuts := []int{len(b), len(b) * 2 / 3, 37, 24}
		if k%8 != 0 || strings.Contains(text, "net") {
			cuts = cuts[:1] // libpcap also reads octets that the mask makes meaningless, and rejects where they are missing
		}
		for _, cut := range cuts {
			b := b[:min(cut, len(b))]
			a, x := Run(prog, b, uint32(len(b)), nil), Run(want, b, uint32(len(b)), nil)
			if a != x {
				t.Errorf("%s %q gives %d, libpcap %d on %x", linkName(link), text, a, x, b)
				return
			}
			if k%16 == 0 && vm != nil {
				if n, err := vm.Run(b); err != nil || uint32(n) != a {
					t.Errorf("%q: Run gives %d, x/net %d %v on %x", text, a, n, err, b)
					return
				}
			}
		}
	}
}

// Long lists need jumps that one instruction does not span.
func TestLongJumps(t *testing.T) {
	var b strings.Builder
	for k := range 150 {
		if k > 0 {
			b.WriteString(" or ")
		}
		fmt.Fprintf(&b, "(host 10.9.%d.1 and udp port %d)", k, 20000+k)
	}
	b.WriteString(" or host 10.1.1.1")
	for _, text := range []string{b.String(), "not (" + b.String() + ")", "ip6 or tcp and (" + b.String() + ")"} {
		prog, err := Compile(text, Target{Link: LinkEthernet})
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(prog); err != nil {
			t.Fatal(err)
		}
		ja := 0
		for _, i := range prog {
			if i.Op == opJMP|opJA {
				ja++
			}
		}
		if ja == 0 {
			t.Error("no long jump: the test proves nothing")
		}
		c, _ := reference(t, text)
		for _, p := range corpus() {
			f := p.frame(LinkEthernet)
			if got, want := Run(prog, f, uint32(len(f)), nil) != 0, c.holds(f); got != want {
				t.Fatalf("%v, want %v on %x", got, want, f)
			}
		}
	}
}

// reference gives the condition itself, which the test evaluates without jumps, optimiser and layout.
func reference(t *testing.T, text string) (*cond, *parser) {
	toks, err := lex(text)
	if err != nil {
		t.Fatal(err)
	}
	p := &parser{place: newPlace(Target{Link: LinkEthernet}, false), text: text, toks: toks}
	c := p.expr()
	if p.err != nil {
		t.Fatal(p.err)
	}
	return c, p
}

type outOfPacket struct{}

func (c *cond) holds(b []byte) (v bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(outOfPacket); !ok {
				panic(r)
			}
			v = false
		}
	}()
	return c.eval(b)
}

func (c *cond) eval(b []byte) bool {
	switch c.op {
	case cTrue:
		return true
	case cFalse:
		return false
	case cAnd:
		return c.a.eval(b) && c.b.eval(b)
	case cOr:
		return c.a.eval(b) || c.b.eval(b)
	case cNot:
		return !c.a.eval(b)
	}
	op := opJMP | c.t.op
	if c.t.x {
		op |= opX
	}
	prog := append(append([]Instruction{}, c.t.code...), Instruction{Op: op, K: c.t.k, Jf: 1}, Instruction{Op: opRET, K: 1}, Instruction{Op: opRET, K: 2})
	switch Run(prog, b, uint32(len(b)), nil) {
	case 1:
		return true
	case 2:
		return false
	}
	panic(outOfPacket{})
}

// In the kernel a tag stands beside the frame, and a cooked frame has no header: the verdict is that on the frame as it
// is written to a file.
func TestKernel(t *testing.T) {
	for _, text := range []string{"udp port 5060", "vlan", "vlan 100", "not vlan", "vlan and udp port 5060", "vlan 100 and vlan 200", "vlan and not tcp", "host 10.1.1.1 or (vlan and host 10.1.1.1)",
		"vlan and ip[8] = 64", "arp", "ether proto 66", "ip6 proto 44", "sip"} {
		for _, link := range []uint16{LinkEthernet, LinkSLL2} {
			file, err := Load(text, Target{Link: link})
			if err != nil {
				t.Fatal(err)
			}
			kern, err := Load(text, Target{Link: link, Kernel: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(kern); err != nil {
				t.Fatal(err)
			}
			for _, p := range corpus() {
				whole := p.frame(link)
				tci, beside, inner := uint32(0), uint32(0), p
				if p.typ == 0x8100 || p.typ == 0x88a8 {
					tci, beside = uint32(binary.BigEndian.Uint16(p.data)), 1
					inner = packet{binary.BigEndian.Uint16(p.data[2:]), p.data[4:]}
				}
				b := inner.frame(link)
				if link == LinkSLL2 {
					b = inner.data
				}
				ext := func(k uint32) (uint32, bool) {
					switch k {
					case adProtocol:
						return uint32(inner.typ), true
					case adVLAN:
						return tci, true
					case adVLANHere:
						return beside, true
					}
					return 0, false
				}
				if beside == 1 && !strings.Contains(text, "vlan") {
					continue // libpcap too passes what stands behind a tag that it does not see
				}
				if got, want := Run(kern, b, uint32(len(b)), ext), Run(file, whole, uint32(len(whole)), nil); got != want {
					t.Errorf("%d %q: %d, on the whole frame %d: %x", link, text, got, want, whole)
					break
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		text string
		link uint16
		off  int
		want string
	}{
		{"port", LinkEthernet, 4, "ends where more is expected"},
		{"port 70000", LinkEthernet, 5, "65535"},
		{"udp porr 5060", LinkEthernet, 4, "not expected"},
		{"host example.org", LinkEthernet, 5, "not an address"},
		{"example", LinkEthernet, 0, "unknown word"},
		{"1.2.3.4", LinkEthernet, 0, "a condition is expected"},
		{"port 80 or tcp or 443", LinkEthernet, 18, "no qualifier"},
		{"net 10.1.1.1/8", LinkEthernet, 4, "bits behind the mask"},
		{"net 2001:db8::1/32", LinkEthernet, 4, "bits behind the prefix"},
		{"host 10.0.0.0/8", LinkEthernet, 5, "no mask"},
		{"(udp", LinkEthernet, 4, "ends where"},
		{"udp)", LinkEthernet, 3, "not expected"},
		{"udp and", LinkEthernet, 7, "ends where"},
		{"ip[0:3] = 1", LinkEthernet, 6, "1, 2 or 4"},
		{"ip[0] = 1 / 0", LinkEthernet, 10, "division by zero"},
		{"ip[0] << 32 = 1", LinkEthernet, 6, "shift"},
		{"ip[0]", LinkEthernet, 5, "ends where"},
		{"gateway x", LinkEthernet, 0, "not supported"},
		{"icmp port 5", LinkEthernet, 10, "no ports"},
		{"vlan", LinkRaw, 0, "no VLAN"},
		{"ether host 02:00:00:00:00:01", LinkRaw, 11, "no such addresses"},
		{"arp", LinkRaw, 0, "no packet can match"},
		{"udp $", LinkEthernet, 4, "not part of the language"},
		{"udp", 147, 0, "link type 147"},
		{"ip broadcast", LinkEthernet, 3, "could be known"},
		{"ether[4294967295] = 1", LinkEthernet, 0, "far behind"},
		{strings.Repeat("(", 200) + "ip" + strings.Repeat(")", 200), LinkEthernet, 99, "too deeply"},
		{"ip[0] = " + strings.Repeat("-", 200) + "1", LinkEthernet, 106, "too deeply"},
	} {
		prog, err := Compile(tt.text, Target{Link: tt.link})
		e, ok := errors.AsType[*Error](err)
		if !ok || prog != nil || !strings.Contains(e.Msg, tt.want) {
			t.Errorf("%.40q: %v, want %s", tt.text, err, tt.want)
		} else if e.Off != tt.off && !strings.Contains(tt.want, "deeply") {
			t.Errorf("%.40q: at %d, want %d: %v", tt.text, e.Off, tt.off, err)
		}
	}
}

func TestDDD(t *testing.T) {
	prog, err := Load("4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n", Target{Link: LinkEthernet})
	if err != nil || len(prog) != 4 || prog[1] != (Instruction{21, 0, 1, 2048}) {
		t.Errorf("%v %v", prog, err)
	}
	if prog, err := Load("1,6 0 0 5", Target{}); err != nil || prog[0].K != 5 {
		t.Errorf("%v %v", prog, err)
	}
	for text, want := range map[string]string{
		"2\n6 0 0 0\n":                   "announced",
		"1\n6 0 0\n":                     "four numbers",
		"1\n6 0 x 0\n":                   "not a number",
		"1\n40 0 0 12\n":                 "does not end",
		"2\n21 5 0 1\n6 0 0 0\n":         "out of the program",
		"2\n52 0 0 0\n6 0 0 0\n":         "division",
		"2\n2 0 0 16\n6 0 0 0\n":         "scratch",
		"2\n5 0 0 4294967295\n6 0 0 0\n": "out of the program",
	} {
		if _, err := Load(text, Target{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestLosesFragments(t *testing.T) {
	for text, loses := range map[string]bool{
		"udp port 5060": true, "port 5060 or 5061": true, "host 10.1.1.1 and port 5060": true, "udp[8] = 1": true,
		"udp": false, "host 10.1.1.1": false, "sip": false, "": false, "udp port 5060 or ip[6:2] & 0x1fff != 0": false, "portrange 1-5 or tcp or udp or sctp": false,
		"nonsense": false,
	} {
		better, got := LosesFragments(text, Target{Link: LinkEthernet})
		if got != loses {
			t.Errorf("%q: %v", text, got)
		}
		if !got {
			continue
		}
		prog, err := Compile(better, Target{Link: LinkEthernet})
		if err != nil {
			t.Fatal(err)
		}
		if Run(prog, laterFragment(LinkEthernet, 17), 1514, nil) == 0 {
			t.Errorf("%q still loses them", better)
		}
		if _, again := LosesFragments(better, Target{Link: LinkEthernet}); again {
			t.Errorf("%q is warned of again", better)
		}
	}
}

// The preset keeps signalling and what may hold it, and sheds media.
func TestPreset(t *testing.T) {
	sip := l4(40000, 40001, append([]byte{0, 0, 0, 0}, "REGISTER sip:x SIP/2.0"...)...)
	rtp := l4(40000, 40002, 0, 0, 0, 0, 0x80, 0, 1, 2)
	for name, tt := range map[string]struct {
		p    packet
		want bool
	}{
		"SIP on any port":  {packet{0x800, ip4(17, 0, 0, [8]byte{1}, sip)}, true},
		"SIP over IPv6":    {packet{0x86dd, ip6(17, 1, 2, sip)}, true},
		"RTP":              {packet{0x800, ip4(17, 0, 0, [8]byte{1}, rtp)}, false},
		"RTP over IPv6":    {packet{0x86dd, ip6(17, 1, 2, rtp)}, false},
		"later fragment":   {packet{0x800, ip4(17, 185, 0, [8]byte{1}, rtp)}, true},
		"fragment of IPv6": {packet{0x86dd, ip6(44, 1, 2, rtp)}, true},
		"TCP":              {packet{0x800, ip4(6, 0, 0, [8]byte{1}, rtp)}, true},
		"GTP-U":            {packet{0x800, ip4(17, 0, 0, [8]byte{1}, l4(2152, 2152))}, true},
		"GRE":              {packet{0x800, ip4(47, 0, 0, [8]byte{1}, rtp)}, true},
		"ESP":              {packet{0x800, ip4(50, 0, 0, [8]byte{1}, rtp)}, true},
		"IP in IP":         {packet{0x800, ip4(4, 0, 0, [8]byte{1}, rtp)}, true},
		"ARP":              {packet{0x806, make([]byte, 60)}, false},
	} {
		for _, link := range []uint16{LinkEthernet, LinkSLL2, LinkRaw} {
			prog, err := Load("sip", Target{Link: link})
			if err != nil {
				t.Fatal(err)
			}
			if link == LinkRaw && tt.p.typ == 0x806 {
				continue
			}
			b := tt.p.frame(link)
			if got := Run(prog, b, uint32(len(b)), nil) != 0; got != tt.want {
				t.Errorf("%s, link type %d: %v", name, link, got)
			}
		}
	}
}

// Nothing that is compiled is refused by the kernel's rules, and the optimised program says what the condition says.
func FuzzCompile(f *testing.F) {
	for _, e := range expressions {
		f.Add(e)
	}
	for _, e := range ethernetOnly {
		f.Add(e)
	}
	f.Add("1\n6 0 0 0")
	f.Fuzz(func(t *testing.T, text string) {
		for _, target := range []Target{{Link: LinkEthernet}, {Link: LinkSLL2, Kernel: true}, {Link: LinkRaw}} {
			prog, err := Load(text, target)
			if err != nil {
				continue
			}
			if err := Check(prog); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
		prog, err := Compile(text, Target{Link: LinkEthernet})
		if err != nil || strings.TrimSpace(text) == "" {
			return
		}
		c, _ := reference(t, text)
		for k, p := range corpus() {
			if k%37 != 0 {
				continue
			}
			b := p.frame(LinkEthernet)
			if got, want := Run(prog, b, uint32(len(b)), nil) != 0, c.holds(b); got != want {
				t.Fatalf("%q: %v, want %v on %x", text, got, want, b)
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load("sip", Target{Link: LinkEthernet, Kernel: true}); err != nil {
			b.Fatal(err)
		}
	}
}
