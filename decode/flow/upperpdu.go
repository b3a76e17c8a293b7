package flow

import (
	"encoding/binary"
	"net/netip"

	"github.com/mcxdump/mcxdump/sipparse"
)

// Tags and port types of Wireshark's exported PDUs (LINKTYPE_WIRESHARK_UPPER_PDU; epan/exported_pdu.h).
const (
	tagEnd      = 0
	tagLinkType = 11
	tagProto    = 12
	tagHeur     = 13
	tagTable    = 14
	tagIPv4Src  = 20
	tagIPv4Dst  = 21
	tagIPv6Src  = 22
	tagIPv6Dst  = 23
	tagPortType = 24
	tagSrcPort  = 25
	tagDstPort  = 26

	portTypeSCTP = 1
	portTypeTCP  = 2
	portTypeUDP  = 3
)

// exported reads an exported PDU: a list of tags, then the octets of one PDU of the protocol that the tags name.
func (d *Decoder) exported(p *packet, b []byte) {
	var proto string
	portType, link := uint32(0), -1
	for {
		if !d.need(b, 4) {
			return
		}
		tag, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		b = b[4:]
		if tag == tagEnd {
			break
		}
		if !d.need(b, n) {
			return
		}
		v := b[:n]
		b = b[n:]
		switch {
		case tag == tagProto || tag == tagHeur || tag == tagTable:
			if proto == "" {
				proto = protoName(v)
			}
		case tag == tagLinkType && n >= 4:
			link = int(binary.BigEndian.Uint32(v) & 0xffff)
		case (tag == tagIPv4Src || tag == tagIPv4Dst) && n >= 4:
			setAddr(p, tag == tagIPv4Src, netip.AddrFrom4([4]byte(v[:4])))
		case (tag == tagIPv6Src || tag == tagIPv6Dst) && n >= 16:
			setAddr(p, tag == tagIPv6Src, netip.AddrFrom16([16]byte(v[:16])))
			p.v6 = true
		case tag == tagPortType && n >= 4:
			portType = binary.BigEndian.Uint32(v)
		case tag == tagSrcPort && n >= 4:
			p.sport = uint16(binary.BigEndian.Uint32(v))
		case tag == tagDstPort && n >= 4:
			p.dport = uint16(binary.BigEndian.Uint32(v))
		}
	}
	if !d.enter(p, encExported, 0, true) {
		return
	}
	if !p.src.IsValid() || !p.dst.IsValid() { // no tags, or only one side: unspecified addresses stand for the rest
		for _, a := range [2]*netip.Addr{&p.src, &p.dst} {
			if !a.IsValid() {
				*a = netip.IPv4Unspecified()
			}
		}
	}
	transport := UDP
	switch portType {
	case portTypeSCTP:
		transport = SCTP
	case portTypeTCP:
		transport = TCP
	}
	switch {
	case sipparse.LooksLikeStart(b):
		d.datagram(p, transport, b, p.cut)
	case link >= 0 && link != linkExported:
		d.link(p, uint16(link), b)
	case proto == "ip" || proto == "ipv6":
		d.ip(p, b)
	case proto == "eth" || proto == "eth_withoutfcs" || proto == "eth_maybefcs":
		d.ethernet(p, b)
	case proto == "udp":
		d.udp(p, b)
	case proto == "tcp":
		d.tcp(p, b)
	case proto == "sctp":
		d.sctp(p, b)
	case proto == "gtp":
		if !d.gtpu(p, b) {
			d.see(VerdictNetwork)
		}
	default:
		d.see(VerdictOther)
	}
}

// protoName interns the names of protocols that are decoded; all others are "other".
func protoName(v []byte) string {
	for len(v) > 0 && v[len(v)-1] == 0 {
		v = v[:len(v)-1]
	}
	switch string(v) {
	case "sip", "ip", "ipv6", "eth", "eth_withoutfcs", "eth_maybefcs", "udp", "tcp", "sctp", "gtp":
		return string(v)
	}
	return "other"
}

func setAddr(p *packet, src bool, a netip.Addr) {
	if src {
		p.src = a
	} else {
		p.dst = a
	}
}
