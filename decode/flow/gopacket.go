package flow

import (
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// This file is the only one that knows gopacket. It decodes the common stack (Ethernet with at most one 802.1Q tag or
// raw IP, IPv4 or IPv6, UDP, TCP or SCTP) of frames that the fixed-offset look lets through, and it is the plain
// reference that the look is compared with. Everything else is decoded by this package: gopacket's tunnels,
// fragments and reassembly are not used.

// A seam holds one parser for each way into the stack; the layers are shared and re-used.
type seam struct {
	eth   layers.Ethernet
	tag   layers.Dot1Q
	ip4   layers.IPv4
	ip6   layers.IPv6
	udp   layers.UDP
	tcp   layers.TCP
	sctp  layers.SCTP
	types []gopacket.LayerType

	fromEthernet, fromIPv4, fromIPv6 *gopacket.DecodingLayerParser
}

// A common is a frame of the common stack, decoded. Slices point into the frame.
type common struct {
	vlan         int // -1 without a tag
	v6           bool
	src, dst     netip.Addr
	proto        byte
	sport, dport uint16
	seq, ack     uint32 // TCP
	flags        byte   // TCP
	tag          uint32 // SCTP
	payload      []byte
}

func newSeam() *seam {
	s := &seam{types: make([]gopacket.LayerType, 0, 8)}
	parser := func(first gopacket.LayerType) *gopacket.DecodingLayerParser {
		p := gopacket.NewDecodingLayerParser(first, &s.eth, &s.tag, &s.ip4, &s.ip6, &s.udp, &s.tcp, &s.sctp)
		p.IgnoreUnsupported = true // the payload is nobody's layer
		p.IgnorePanic = false      // a panic of a layer becomes an error
		return p
	}
	s.fromEthernet, s.fromIPv4, s.fromIPv6 = parser(layers.LayerTypeEthernet), parser(layers.LayerTypeIPv4), parser(layers.LayerTypeIPv6)
	return s
}

// decode reads a frame of a link type. ok is false for everything that is not plainly of the common stack: another
// layer in between, a fragment, a header that was cut off or contradicts another one.
func (s *seam) decode(link uint16, b []byte, c *common) (ok bool) {
	var p *gopacket.DecodingLayerParser
	switch link {
	case linkEthernet:
		p = s.fromEthernet
	case linkIPv4:
		p = s.fromIPv4
	case linkIPv6:
		p = s.fromIPv6
	case linkRaw, linkRaw12, linkRaw14:
		if len(b) == 0 {
			return false
		}
		switch b[0] >> 4 {
		case 4:
			p = s.fromIPv4
		case 6:
			p = s.fromIPv6
		default:
			return false
		}
	default:
		return false
	}
	err := p.DecodeLayers(b, &s.types)
	if err != nil || p.Truncated {
		return false
	}
	c.vlan, c.proto = -1, 0
	ip := false
	for i, t := range s.types {
		switch t {
		case layers.LayerTypeEthernet:
			if i > 0 || s.eth.Length != 0 {
				return false
			}
		case layers.LayerTypeDot1Q:
			if c.vlan >= 0 || s.eth.EthernetType != layers.EthernetTypeDot1Q {
				return false
			}
			c.vlan = int(s.tag.VLANIdentifier)
		case layers.LayerTypeIPv4:
			if ip || s.ip4.Version != 4 {
				return false
			}
			ip, c.v6 = true, false
			c.src, c.dst = netip.AddrFrom4([4]byte(s.ip4.SrcIP)), netip.AddrFrom4([4]byte(s.ip4.DstIP))
		case layers.LayerTypeIPv6:
			// gopacket reckons the length of a hop-by-hop header twice.
			if ip || s.ip6.Version != 6 || s.ip6.HopByHop != nil {
				return false
			}
			ip, c.v6 = true, true
			c.src, c.dst = netip.AddrFrom16([16]byte(s.ip6.SrcIP)), netip.AddrFrom16([16]byte(s.ip6.DstIP))
		case layers.LayerTypeUDP:
			c.proto, c.sport, c.dport, c.payload = protoUDP, uint16(s.udp.SrcPort), uint16(s.udp.DstPort), s.udp.Payload
			if int(s.udp.Length) != len(s.udp.Payload)+8 {
				return false
			}
		case layers.LayerTypeTCP:
			c.proto, c.sport, c.dport, c.payload = protoTCP, uint16(s.tcp.SrcPort), uint16(s.tcp.DstPort), s.tcp.Payload
			c.seq, c.ack, c.flags = s.tcp.Seq, s.tcp.Ack, 0
			for i, f := range [4]bool{s.tcp.FIN, s.tcp.SYN, s.tcp.RST, s.tcp.ACK} {
				if f {
					c.flags |= [4]byte{tcpFIN, tcpSYN, tcpRST, tcpACK}[i]
				}
			}
		case layers.LayerTypeSCTP:
			c.proto, c.sport, c.dport, c.payload = protoSCTP, uint16(s.sctp.SrcPort), uint16(s.sctp.DstPort), s.sctp.Payload
			c.tag = s.sctp.VerificationTag
		default:
			return false
		}
	}
	return ip && c.proto != 0
}

// common decodes a frame through the seam; false when the frame is to be read layer by layer.
func (d *Decoder) common(p *packet, link uint16, b []byte) bool {
	c := &d.com
	if !d.seam.decode(link, b, c) {
		return false
	}
	if c.vlan >= 0 && !d.enter(p, encVLAN, uint64(c.vlan), true) {
		return true
	}
	p.v6, p.src, p.dst, p.sport, p.dport, p.cut = c.v6, c.src, c.dst, c.sport, c.dport, false
	switch c.proto {
	case protoUDP:
		d.udpPayload(p, c.payload)
	case protoTCP:
		d.segment(p, c.seq, c.ack, c.flags, c.payload)
	case protoSCTP:
		d.chunks(p, c.tag, c.payload)
	}
	return true
}
