package lab

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/netip"
	"time"

	"github.com/mcxdump/mcxdump/internal/pcapng"
)

// IP protocol numbers and EtherTypes used below.
const (
	protoICMP = 1
	protoIPIP = 4
	protoTCP  = 6
	protoUDP  = 17
	protoIP6  = 41
	protoGRE  = 47
	protoSCTP = 132

	etherIP4  = 0x0800
	etherIP6  = 0x86dd
	etherVLAN = 0x8100
	etherQinQ = 0x88a8
	etherMPLS = 0x8847
	etherPPP  = 0x8864
)

// A Shape is a way for an IP packet to reach the wire: a link type and what is wrapped around the packet.
type Shape struct {
	Name string
	Link uint16 // LINKTYPE_
	Wrap func(n *Net, ip []byte) []byte
	// MTU cuts IP packets into fragments before wrapping; 0 means no limit.
	MTU int
	V6  bool // the SIP endpoints have IPv6 addresses
}

// Shapes lists every link layer and tunnel that the decoder opens.
var Shapes = []Shape{
	{Name: "ethernet", Link: 1, Wrap: func(n *Net, ip []byte) []byte { return n.eth(ipType(ip), ip) }},
	{Name: "ethernet-ipv6", Link: 1, V6: true, Wrap: func(n *Net, ip []byte) []byte { return n.eth(ipType(ip), ip) }},
	{Name: "vlan", Link: 1, Wrap: func(n *Net, ip []byte) []byte { return n.eth(etherVLAN, cat(be16(100), be16(ipType(ip)), ip)) }},
	{Name: "qinq", Link: 1, Wrap: func(n *Net, ip []byte) []byte {
		return n.eth(etherQinQ, cat(be16(200), be16(etherVLAN), be16(100), be16(ipType(ip)), ip))
	}},
	{Name: "sll", Link: 113, Wrap: func(n *Net, ip []byte) []byte {
		return cat(be16(0), be16(1), be16(6), []byte{2, 0, 0, 0, 0, 1, 0, 0}, be16(ipType(ip)), ip)
	}},
	{Name: "sll2", Link: 276, Wrap: func(n *Net, ip []byte) []byte {
		return cat(be16(ipType(ip)), be16(0), be32(2), be16(1), []byte{0, 6}, []byte{2, 0, 0, 0, 0, 1, 0, 0}, ip)
	}},
	{Name: "rawip", Link: 101, Wrap: func(n *Net, ip []byte) []byte { return ip }},
	{Name: "null", Link: 0, Wrap: func(n *Net, ip []byte) []byte {
		family := uint32(2)
		if ipType(ip) == etherIP6 {
			family = 30
		}
		return cat(binary.LittleEndian.AppendUint32(nil, family), ip)
	}},
	{Name: "ppp", Link: 9, Wrap: func(n *Net, ip []byte) []byte { return cat([]byte{0xff, 0x03}, pppProto(ip), ip) }},
	{Name: "pppoe", Link: 1, Wrap: func(n *Net, ip []byte) []byte {
		return n.eth(etherPPP, cat([]byte{0x11, 0}, be16(7), be16(len(ip)+2), pppProto(ip), ip))
	}},
	{Name: "mpls", Link: 1, Wrap: func(n *Net, ip []byte) []byte {
		return n.eth(etherMPLS, cat(be32(17<<12|0<<8|64), be32(42<<12|1<<8|64), ip))
	}},
	{Name: "gre", Link: 1, Wrap: func(n *Net, ip []byte) []byte {
		return n.outer(protoGRE, cat(be16(0x3000), be16(ipType(ip)), be32(0x2a), be32(int(n.seq())), ip))
	}},
	{Name: "erspan", Link: 1, Wrap: func(n *Net, ip []byte) []byte {
		return n.outer(protoGRE, cat(be16(0x1000), be16(0x88be), be32(int(n.seq())), be32(0x10640001), be32(5), n.eth(ipType(ip), ip)))
	}},
	{Name: "ipip", Link: 1, Wrap: func(n *Net, ip []byte) []byte { return n.outer(ipProto(ip), ip) }},
	{Name: "vxlan", Link: 1, Wrap: func(n *Net, ip []byte) []byte {
		return n.outerUDP(4789, cat(be32(0x08000000), be32(77<<8), n.eth(ipType(ip), ip)))
	}},
	{Name: "geneve", Link: 1, Wrap: func(n *Net, ip []byte) []byte {
		return n.outerUDP(6081, cat([]byte{0x01, 0}, be16(0x6558), be32(88<<8), be32(0x01020301), n.eth(ipType(ip), ip)))
	}},
	{Name: "nflog", Link: 239, Wrap: func(n *Net, ip []byte) []byte {
		family := byte(2)
		if ipType(ip) == etherIP6 {
			family = 10
		}
		tlv := cat(binary.LittleEndian.AppendUint16(nil, uint16(len(ip)+4)), binary.LittleEndian.AppendUint16(nil, 9), ip)
		return cat([]byte{family, 0, 0, 1}, []byte{8, 0, 1, 0, 0, 0, 0, 0}, pad4(tlv))
	}},
	{Name: "gtpu", Link: 1, Wrap: func(n *Net, ip []byte) []byte {
		return n.outerUDP(2152, cat([]byte{0x30, 0xff}, be16(len(ip)), be32(0x1234), ip))
	}},
	{Name: "gtpu-ext-ipv6", Link: 1, V6: true, Wrap: func(n *Net, ip []byte) []byte {
		// E and S flags, sequence number, then a PDU session container (type 0x85) of one unit of four octets.
		return n.outerUDP(2152, cat([]byte{0x36, 0xff}, be16(len(ip)+8), be32(0x1234), be16(int(n.seq())), []byte{0, 0x85}, []byte{1, 0x10, 5, 0}, ip))
	}},
	espShape(&ESPSuites()[2], espWays[0]),
	espShape(&ESPSuites()[3], espWays[6]),
	{Name: "ipv4-fragments", Link: 1, MTU: 576, Wrap: func(n *Net, ip []byte) []byte { return n.eth(ipType(ip), ip) }},
	{Name: "ipv6-fragments", Link: 1, MTU: 1280, V6: true, Wrap: func(n *Net, ip []byte) []byte { return n.eth(ipType(ip), ip) }},
}

// ShapeByName finds a shape.
func ShapeByName(name string) (Shape, error) {
	for _, list := range [][]Shape{Shapes, ESPShapes()} {
		for _, s := range list {
			if s.Name == name {
				return s, nil
			}
		}
	}
	return Shape{}, fmt.Errorf("lab has no shape %q", name)
}

// Net is one capture point: it turns payloads into packets of one shape, stamps them with a running clock and writes
// them. The first write error sticks and comes out of Close.
type Net struct {
	Clock time.Time
	Shape Shape

	w     *pcapng.Writer
	err   error
	ident uint32
	Frame uint64 // number of frames written

	octets int64 // of their data and record headers
}

func (n *Net) seq() uint32 { n.ident++; return n.ident }

// frame writes one link-layer frame at the current time and lets 50 µs pass.
func (n *Net) frame(b []byte) {
	if n.err != nil {
		return
	}
	n.Frame++
	n.octets += int64(len(b)) + 16
	n.err = n.w.WritePacket(&pcapng.Packet{Time: n.Clock.UnixNano(), Data: b, Orig: uint32(len(b)), Link: n.Shape.Link})
	n.Clock = n.Clock.Add(50 * time.Microsecond)
}

// Packet wraps an IP packet in the shape, cutting it into fragments where the shape has an MTU.
func (n *Net) Packet(ip []byte) {
	for _, p := range n.fragments(ip) {
		n.frame(n.Shape.Wrap(n, p))
	}
}

// UDP sends one datagram.
func (n *Net) UDP(src, dst netip.AddrPort, payload []byte) {
	n.Packet(n.ip(protoUDP, src.Addr(), dst.Addr(), udp(src, dst, payload)))
}

func (n *Net) ip(proto byte, src, dst netip.Addr, payload []byte) []byte {
	if src.Is4() {
		h := make([]byte, 20, 20+len(payload))
		h[0], h[8], h[9] = 0x45, 64, proto
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
		binary.BigEndian.PutUint16(h[4:], uint16(n.seq()))
		copy(h[12:], src.AsSlice())
		copy(h[16:], dst.AsSlice())
		binary.BigEndian.PutUint16(h[10:], checksum(h, 0))
		return append(h, payload...)
	}
	h := make([]byte, 40, 40+len(payload))
	h[0], h[6], h[7] = 0x60, proto, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	copy(h[8:], src.AsSlice())
	copy(h[24:], dst.AsSlice())
	return append(h, payload...)
}

// fragments cuts an IP packet to the shape's MTU, by RFC 791 3.2 or RFC 8200 4.5.
func (n *Net) fragments(ip []byte) [][]byte {
	mtu := n.Shape.MTU
	if mtu == 0 || len(ip) <= mtu {
		return [][]byte{ip}
	}
	var out [][]byte
	if ip[0]>>4 == 4 {
		size := (mtu - 20) &^ 7
		for off, body := 0, ip[20:]; off < len(body); off += size {
			end := min(off+size, len(body))
			h := append([]byte(nil), ip[:20]...)
			flags := off / 8
			if end < len(body) {
				flags |= 0x2000
			}
			binary.BigEndian.PutUint16(h[2:], uint16(20+end-off))
			binary.BigEndian.PutUint16(h[6:], uint16(flags))
			h[10], h[11] = 0, 0
			binary.BigEndian.PutUint16(h[10:], checksum(h, 0))
			out = append(out, append(h, body[off:end]...))
		}
		return out
	}
	size, id := (mtu-48)&^7, n.seq()
	for off, body := 0, ip[40:]; off < len(body); off += size {
		end := min(off+size, len(body))
		h := append([]byte(nil), ip[:40]...)
		more := 0
		if end < len(body) {
			more = 1
		}
		binary.BigEndian.PutUint16(h[4:], uint16(8+end-off))
		h[6] = 44
		h = append(h, cat([]byte{ip[6], 0}, be16(off|more), be32(int(id)))...)
		out = append(out, append(h, body[off:end]...))
	}
	return out
}

// The tunnel's own endpoints.
var (
	tunnelA = netip.MustParseAddr("198.51.100.1")
	tunnelB = netip.MustParseAddr("198.51.100.2")
)

func (n *Net) eth(etherType int, payload []byte) []byte {
	return cat([]byte{2, 0, 0, 0, 0, 2}, []byte{2, 0, 0, 0, 0, 1}, be16(etherType), payload)
}

func (n *Net) outer(proto byte, payload []byte) []byte {
	return n.eth(etherIP4, n.ip(proto, tunnelA, tunnelB, payload))
}

func (n *Net) outerUDP(port uint16, payload []byte) []byte {
	a, b := netip.AddrPortFrom(tunnelA, port), netip.AddrPortFrom(tunnelB, port)
	return n.outer(protoUDP, udp(a, b, payload))
}

func udp(src, dst netip.AddrPort, payload []byte) []byte {
	s := cat(be16(int(src.Port())), be16(int(dst.Port())), be16(8+len(payload)), be16(0), payload)
	sum := checksum(s, pseudo(src.Addr(), dst.Addr(), protoUDP, len(s)))
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(s[6:], sum)
	return s
}

// TCP flags.
const (
	fin = 1
	syn = 2
	rst = 4
	psh = 8
	ack = 16
)

// A Stream is one TCP connection as both ends see it.
type Stream struct {
	n      *Net
	A, B   netip.AddrPort
	sa, sb uint32
}

// Dial opens a connection with the three-way handshake. isn is the initial sequence number of the caller; the other
// side's is half the number space away.
func (n *Net) Dial(a, b netip.AddrPort, isn uint32) *Stream {
	s := &Stream{n: n, A: a, B: b, sa: isn, sb: isn + 1<<31}
	n.Segment(a, b, s.sa, 0, syn, nil)
	n.Segment(b, a, s.sb, s.sa+1, syn|ack, nil)
	s.sa++
	s.sb++
	n.Segment(a, b, s.sa, s.sb, ack, nil)
	return s
}

// Send cuts octets into segments of at most mss octets from A to B (or back) and returns them unsent, so that a test
// can lose, repeat or reorder them.
func (s *Stream) Send(fromA bool, b []byte, mss int) []func() {
	var out []func()
	for len(b) > 0 {
		k := min(mss, len(b))
		part := b[:k]
		b = b[k:]
		if fromA {
			seq, other := s.sa, s.sb
			out = append(out, func() { s.n.Segment(s.A, s.B, seq, other, psh|ack, part) })
			s.sa += uint32(k)
		} else {
			seq, other := s.sb, s.sa
			out = append(out, func() { s.n.Segment(s.B, s.A, seq, other, psh|ack, part) })
			s.sb += uint32(k)
		}
	}
	return out
}

// Close ends both directions.
func (s *Stream) Close() {
	s.n.Segment(s.A, s.B, s.sa, s.sb, fin|ack, nil)
	s.n.Segment(s.B, s.A, s.sb, s.sa+1, fin|ack, nil)
	s.n.Segment(s.A, s.B, s.sa+1, s.sb+1, ack, nil)
}

// Segment sends one TCP segment.
func (n *Net) Segment(src, dst netip.AddrPort, seq, ackn uint32, flags byte, payload []byte) {
	t := cat(be16(int(src.Port())), be16(int(dst.Port())), be32(int(seq)), be32(int(ackn)), []byte{0x50, flags}, be16(65535), be32(0), payload)
	binary.BigEndian.PutUint16(t[16:], checksum(t, pseudo(src.Addr(), dst.Addr(), protoTCP, len(t))))
	n.Packet(n.ip(protoTCP, src.Addr(), dst.Addr(), t))
}

// SCTP sends messages as DATA chunks of at most size octets, two chunks a packet, on stream 0 (RFC 9260 3.3.1).
func (n *Net) SCTP(src, dst netip.AddrPort, tsn *uint32, ssn uint16, size int, msg []byte) {
	var chunks [][]byte
	for off := 0; off < len(msg); off += size {
		end := min(off+size, len(msg))
		flags := byte(0)
		if off == 0 {
			flags |= 2
		}
		if end == len(msg) {
			flags |= 1
		}
		c := cat([]byte{0, flags}, be16(16+end-off), be32(int(*tsn)), be16(0), be16(int(ssn)), be32(0), msg[off:end])
		chunks = append(chunks, pad4(c))
		*tsn++
	}
	for len(chunks) > 0 {
		k := min(2, len(chunks))
		p := cat(be16(int(src.Port())), be16(int(dst.Port())), be32(0x5c7b), be32(0), cat(chunks[:k]...))
		binary.LittleEndian.PutUint32(p[8:], crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)))
		n.Packet(n.ip(protoSCTP, src.Addr(), dst.Addr(), p))
		chunks = chunks[k:]
	}
}

// Unreachable sends the ICMP port-unreachable error that quotes the start of an IP packet (RFC 792).
func (n *Net) Unreachable(from, to netip.Addr, quoted []byte) {
	p := cat([]byte{3, 3, 0, 0}, be32(0), quoted)
	binary.BigEndian.PutUint16(p[2:], checksum(p, 0))
	n.Packet(n.ip(protoICMP, from, to, p))
}

// Exported writes one Wireshark exported PDU (link type 252): tags for the dissector's name, addresses and ports, then
// the payload.
func (n *Net) Exported(src, dst netip.AddrPort, payload []byte) {
	tag := func(t int, v []byte) []byte { return cat(be16(t), be16(len(v)), v) }
	name := []byte("sip\x00")
	n.frame(cat(tag(12, name), tag(20, src.Addr().AsSlice()), tag(21, dst.Addr().AsSlice()), tag(24, be32(2)),
		tag(25, be32(int(src.Port()))), tag(26, be32(int(dst.Port()))), tag(0, nil), payload))
}

// wsFrame is one WebSocket frame (RFC 6455 5.2), masked when it comes from the client.
func wsFrame(op byte, final, masked bool, payload []byte) []byte {
	b0 := op
	if final {
		b0 |= 0x80
	}
	h := []byte{b0}
	m := byte(0)
	if masked {
		m = 0x80
	}
	switch {
	case len(payload) < 126:
		h = append(h, m|byte(len(payload)))
	case len(payload) < 1<<16:
		h = append(h, m|126)
		h = append(h, be16(len(payload))...)
	default:
		h = append(h, m|127)
		h = binary.BigEndian.AppendUint64(h, uint64(len(payload)))
	}
	if !masked {
		return append(h, payload...)
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	h = append(h, key[:]...)
	for i, c := range payload {
		h = append(h, c^key[i&3])
	}
	return h
}

func cat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

func pad4(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func ipType(ip []byte) int {
	if ip[0]>>4 == 6 {
		return etherIP6
	}
	return etherIP4
}

func ipProto(ip []byte) byte {
	if ip[0]>>4 == 6 {
		return protoIP6
	}
	return protoIPIP
}

func pppProto(ip []byte) []byte {
	if ip[0]>>4 == 6 {
		return be16(0x57)
	}
	return be16(0x21)
}

// checksum is the Internet checksum (RFC 1071) on top of a partial sum.
func checksum(b []byte, sum uint32) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func pseudo(src, dst netip.Addr, proto byte, length int) uint32 {
	var sum uint32
	add := func(b []byte) {
		for i := 0; i+1 < len(b); i += 2 {
			sum += uint32(b[i])<<8 | uint32(b[i+1])
		}
	}
	add(src.AsSlice())
	add(dst.AsSlice())
	return sum + uint32(proto) + uint32(length)
}
