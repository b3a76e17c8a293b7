package flow

import "encoding/binary"

// EtherTypes (IEEE 802 numbers, iana.org).
const (
	etIPv4         = 0x0800
	etVLAN         = 0x8100 // IEEE 802.1Q
	etQinQ         = 0x88a8 // IEEE 802.1ad
	etQinQ9100     = 0x9100 // before 802.1ad
	etQinQ9200     = 0x9200
	etIPv6         = 0x86dd
	etPPP          = 0x880b
	etMPLS         = 0x8847
	etMPLSUp       = 0x8848
	etPPPoEDisc    = 0x8863
	etPPPoE        = 0x8864
	etTransparent  = 0x6558 // transparent Ethernet bridging (RFC 1701)
	etERSPAN       = 0x88be // types I and II
	etERSPAN3      = 0x22eb
	etMACsec       = 0x88e5
	leastEtherType = 0x0600
)

func (d *Decoder) ethernet(p *packet, b []byte) {
	if d.need(b, 14) {
		d.ethertype(p, binary.BigEndian.Uint16(b[12:]), b[14:])
	}
}

// ethertype goes on with the protocol that an EtherType names.
func (d *Decoder) ethertype(p *packet, t uint16, b []byte) {
	for {
		switch t {
		case etIPv4:
			d.ipv4(p, b)
			return
		case etIPv6:
			d.ipv6(p, b)
			return
		case etVLAN, etQinQ, etQinQ9100, etQinQ9200:
			if !d.need(b, 4) {
				return
			}
			inner := binary.BigEndian.Uint16(b[2:])
			kind := encVLAN
			if t != etVLAN || inner == etVLAN || inner == etQinQ || inner == etQinQ9100 || inner == etQinQ9200 {
				kind = encQinQ // the outer tag of several
			}
			if !d.enter(p, kind, uint64(binary.BigEndian.Uint16(b)&0x0fff), true) {
				return
			}
			t, b = inner, b[4:]
			continue
		case etMPLS, etMPLSUp:
			d.mpls(p, b)
		case etPPPoE:
			d.pppoe(p, b)
		case etPPPoEDisc:
			d.stats.TunnelSignals++
			d.see(VerdictNetwork)
		case etPPP:
			d.ppp(p, b)
		case etTransparent:
			if d.enter(p, encLAN, 0, true) {
				d.ethernet(p, b)
			}
		case etERSPAN, etERSPAN3:
			d.erspan(p, t, true, b)
		default:
			if t < leastEtherType {
				d.llc(p, b[:min(len(b), int(t))])
				return
			}
			d.see(VerdictNetwork)
		}
		return
	}
}

// llc reads IEEE 802.2: SNAP with an EtherType (RFC 1042), or IP by its own service access point.
func (d *Decoder) llc(p *packet, b []byte) {
	if len(b) < 3 {
		d.see(VerdictNetwork)
		return
	}
	switch {
	case b[0] == 0xaa && b[1] == 0xaa && len(b) >= 8 && b[3] == 0 && b[4] == 0 && (b[5] == 0 || b[5] == 0xf8):
		t := binary.BigEndian.Uint16(b[6:])
		if t < leastEtherType || p.depth >= d.cfg.Depth {
			d.see(VerdictNetwork) // SNAP in SNAP would nest without an end
			return
		}
		p.depth++
		d.ethertype(p, t, b[8:])
	case b[0] == 0x06 && b[1] == 0x06:
		d.ip(p, b[3:])
	default:
		d.see(VerdictNetwork)
	}
}
