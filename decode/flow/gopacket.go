package flow

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/google/gopacket"
)

// This file is the only one that knows gopacket. Its DecodingLayerParser decodes the common stack (Ethernet with at most
// one 802.1Q tag or raw IP, IPv4 or IPv6, UDP, TCP or SCTP) of frames that the fixed-offset look lets through and quick
// leaves to it; it is held to the way layer by layer, which decodes everything else. The layers are this file's own, for gopacket/layers takes
// longer to initialise than a small capture to read.

// The layers that the parser knows, among the numbers that gopacket leaves to applications.
var (
	layerEthernet = gopacket.RegisterLayerType(1610, gopacket.LayerTypeMetadata{Name: "Ethernet"})
	layerTag      = gopacket.RegisterLayerType(1611, gopacket.LayerTypeMetadata{Name: "802.1Q"})
	layerIPv4     = gopacket.RegisterLayerType(1612, gopacket.LayerTypeMetadata{Name: "IPv4"})
	layerIPv6     = gopacket.RegisterLayerType(1613, gopacket.LayerTypeMetadata{Name: "IPv6"})
	layerUDP      = gopacket.RegisterLayerType(1614, gopacket.LayerTypeMetadata{Name: "UDP"})
	layerTCP      = gopacket.RegisterLayerType(1615, gopacket.LayerTypeMetadata{Name: "TCP"})
	layerSCTP     = gopacket.RegisterLayerType(1616, gopacket.LayerTypeMetadata{Name: "SCTP"})
)

// errUncommon sends a frame the way layer by layer: a header is cut off, contradicts itself, or is rare.
var errUncommon = errors.New("not of the common stack")

// A layer is what all layers of the common stack are to gopacket.
type layer struct {
	kind, next gopacket.LayerType
	payload    []byte
}

func (l *layer) CanDecode() gopacket.LayerClass    { return l.kind }
func (l *layer) NextLayerType() gopacket.LayerType { return l.next }
func (l *layer) LayerPayload() []byte              { return l.payload }

// byEtherType is the layer behind an EtherType, LayerTypeZero for one that is not common.
func byEtherType(t uint16) gopacket.LayerType {
	switch t {
	case etIPv4:
		return layerIPv4
	case etIPv6:
		return layerIPv6
	case etVLAN:
		return layerTag
	}
	return gopacket.LayerTypeZero
}

// byProtocol is the layer behind an IP protocol number.
func byProtocol(proto byte) gopacket.LayerType {
	switch proto {
	case protoUDP:
		return layerUDP
	case protoTCP:
		return layerTCP
	case protoSCTP:
		return layerSCTP
	}
	return gopacket.LayerTypeZero
}

type ethernetLayer struct{ layer }

func (l *ethernetLayer) DecodeFromBytes(b []byte, _ gopacket.DecodeFeedback) error {
	if len(b) < 14 {
		return errUncommon
	}
	l.next, l.payload = byEtherType(binary.BigEndian.Uint16(b[12:])), b[14:]
	return nil
}

type tagLayer struct {
	layer
	vlan int
}

func (l *tagLayer) DecodeFromBytes(b []byte, _ gopacket.DecodeFeedback) error {
	if len(b) < 4 {
		return errUncommon
	}
	l.vlan = int(binary.BigEndian.Uint16(b) & 0x0fff)
	l.next, l.payload = byEtherType(binary.BigEndian.Uint16(b[2:])), b[4:]
	return nil
}

type ipLayer struct {
	layer
	src, dst netip.Addr
}

type ipv4Layer struct{ ipLayer }

// DecodeFromBytes takes a whole datagram: no fragment, nothing missing, with options or without them.
func (l *ipv4Layer) DecodeFromBytes(b []byte, _ gopacket.DecodeFeedback) error {
	if len(b) < 20 || b[0]>>4 != 4 {
		return errUncommon
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		total = len(b) // segmentation offload
	}
	if header < 20 || total < header || total > len(b) || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return errUncommon
	}
	l.src, l.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	l.next, l.payload = byProtocol(b[9]), b[header:total]
	return nil
}

type ipv6Layer struct{ ipLayer }

func (l *ipv6Layer) DecodeFromBytes(b []byte, _ gopacket.DecodeFeedback) error {
	if len(b) < 40 || b[0]>>4 != 6 {
		return errUncommon
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n == 0 || n > len(b)-40 {
		return errUncommon
	}
	l.src, l.dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	l.next, l.payload = byProtocol(b[6]), b[40:40+n]
	return nil
}

type transportLayer struct {
	layer
	sport, dport uint16
}

func (l *transportLayer) ports(b []byte) {
	l.sport, l.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	l.next = gopacket.LayerTypeZero
}

type udpLayer struct{ transportLayer }

func (l *udpLayer) DecodeFromBytes(b []byte, _ gopacket.DecodeFeedback) error {
	if len(b) < 8 {
		return errUncommon
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n < 8 || n > len(b) {
		return errUncommon
	}
	l.ports(b)
	l.payload = b[8:n]
	return nil
}

type tcpLayer struct {
	transportLayer
	seq, ack uint32
	flags    byte
}

func (l *tcpLayer) DecodeFromBytes(b []byte, _ gopacket.DecodeFeedback) error {
	if len(b) < 20 {
		return errUncommon
	}
	header := int(b[12]>>4) * 4
	if header < 20 || header > len(b) {
		return errUncommon
	}
	l.ports(b)
	l.seq, l.ack, l.flags = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), b[13]&(tcpFIN|tcpSYN|tcpRST|tcpACK)
	l.payload = b[header:]
	return nil
}

type sctpLayer struct {
	transportLayer
	tag uint32
}

func (l *sctpLayer) DecodeFromBytes(b []byte, _ gopacket.DecodeFeedback) error {
	if len(b) < 12 {
		return errUncommon
	}
	l.ports(b)
	l.tag, l.payload = binary.BigEndian.Uint32(b[4:]), b[12:]
	return nil
}

// A seam holds one parser for each way into the stack; the layers are shared and re-used.
type seam struct {
	eth   ethernetLayer
	tag   tagLayer
	ip4   ipv4Layer
	ip6   ipv6Layer
	udp   udpLayer
	tcp   tcpLayer
	sctp  sctpLayer
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
	s.eth.kind, s.tag.kind, s.ip4.kind, s.ip6.kind = layerEthernet, layerTag, layerIPv4, layerIPv6
	s.udp.kind, s.tcp.kind, s.sctp.kind = layerUDP, layerTCP, layerSCTP
	parser := func(first gopacket.LayerType) *gopacket.DecodingLayerParser {
		p := gopacket.NewDecodingLayerParser(first)
		p.SetDecodingLayerContainer(gopacket.DecodingLayerArray(nil))
		for _, l := range []gopacket.DecodingLayer{&s.eth, &s.tag, &s.ip4, &s.ip6, &s.udp, &s.tcp, &s.sctp} {
			p.AddDecodingLayer(l)
		}
		p.IgnoreUnsupported = true // the payload is nobody's layer
		p.IgnorePanic = false      // a panic of a layer becomes an error
		return p
	}
	s.fromEthernet, s.fromIPv4, s.fromIPv6 = parser(layerEthernet), parser(layerIPv4), parser(layerIPv6)
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
	for _, t := range s.types {
		switch t {
		case layerEthernet:
		case layerTag:
			if c.vlan >= 0 {
				return false
			}
			c.vlan = s.tag.vlan
		case layerIPv4:
			ip, c.v6, c.src, c.dst = true, false, s.ip4.src, s.ip4.dst
		case layerIPv6:
			ip, c.v6, c.src, c.dst = true, true, s.ip6.src, s.ip6.dst
		case layerUDP:
			c.proto, c.sport, c.dport, c.payload = protoUDP, s.udp.sport, s.udp.dport, s.udp.payload
		case layerTCP:
			c.proto, c.sport, c.dport, c.payload = protoTCP, s.tcp.sport, s.tcp.dport, s.tcp.payload
			c.seq, c.ack, c.flags = s.tcp.seq, s.tcp.ack, s.tcp.flags
		case layerSCTP:
			c.proto, c.sport, c.dport, c.payload = protoSCTP, s.sctp.sport, s.sctp.dport, s.sctp.payload
			c.tag = s.sctp.tag
		}
	}
	return ip && c.proto != 0
}

// common decodes a frame through the seam; false when the frame is to be read layer by layer.
func (d *Decoder) common(p *packet, link uint16, b []byte) bool {
	c := &d.com
	switch quick(link, b, c) {
	case leaves:
		return false
	case stays:
		if !d.seam.decode(link, b, c) {
			return false
		}
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
