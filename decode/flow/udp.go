package flow

import (
	"encoding/binary"
	"fmt"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/hep"
	"github.com/mcxdump/mcxdump/sipparse"
)

// Ports of tunnels over UDP, and the port that hints at SIP.
const (
	portSIP      = 5060
	portSIPS     = 5061
	portGTPU     = 2152 // TS 29.281 4.4.2
	portVXLAN    = 4789 // RFC 7348
	portVXLANOl  = 8472 // Linux before the number was assigned
	portVXLANGPE = 4790 // draft-ietf-nvo3-vxlan-gpe
	portGENEVE   = 6081 // RFC 8926
	portL2TP     = 1701 // RFC 2661
	portGRE      = 4754 // RFC 8086
	portMPLS     = 6635 // RFC 7510
	portESP      = 4500 // RFC 3948
)

func tunnelPort(port uint16) bool {
	switch port {
	case portGTPU, portVXLAN, portVXLANOl, portVXLANGPE, portGENEVE, portL2TP, portGRE, portMPLS, portESP:
		return true
	}
	return false
}

// udp reads RFC 768. The checksum is not verified.
func (d *Decoder) udp(p *packet, b []byte) {
	if !d.need(b, 8) {
		return
	}
	p.sport, p.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	n := int(binary.BigEndian.Uint16(b[4:]))
	truncated := p.cut
	loose := false
	switch {
	case n == 0: // segmentation offload, or a jumbogram (RFC 2675 4)
	case n < 8:
		loose = true
	case n <= len(b):
		b = b[:n]
		truncated = false
	default:
		truncated = true
		loose = !p.cut && !p.quoted
	}
	b = b[8:]
	if loose {
		d.stats.LooseLengths++
		if sipparse.LooksLikeStart(b) {
			p.findings = append(p.findings, record.Finding{ID: "udp-length", Severity: record.Warning, Clause: "RFC 768",
				Message: fmt.Sprintf("UDP length %d contradicts the %d octets of the IP payload", n, len(b)+8), Frames: d.frameList()})
		}
	}
	p.cut = truncated
	d.udpPayload(p, b)
}

// udpPayload decides what a UDP payload is: SIP by content on any port, a tunnel by port and a sane header, or nothing
// that is ours.
func (d *Decoder) udpPayload(p *packet, b []byte) {
	if sipparse.LooksLikeStart(b) {
		if p.quoted {
			d.stats.Quoted++
		}
		d.datagram(p, UDP, b, p.cut)
		return
	}
	if p.quoted {
		d.see(VerdictOther)
		return
	}
	if hep.Looks(b) {
		d.hepDatagram(p, b)
		return
	}
	if tunnelPort(p.dport) || tunnelPort(p.sport) || d.espPorts != nil && (d.espPort(p.dport) || d.espPort(p.sport)) {
		d.udpTunnel(p, b)
		return
	}
	if keepAlive(b) && (len(b) > 1 || sipPort(p)) {
		d.stats.KeepAlives++
		d.see(VerdictKeepAlive)
		return
	}
	if d.sigcompDatagram(p, b) {
		return
	}
	if sipPort(p) {
		if at := sipparse.FindStart(b, 0); at > 0 && at <= maxJunk {
			p.findings = append(p.findings, record.Finding{ID: "udp-junk", Severity: record.Warning, Clause: "RFC 3261 18.3",
				Message: fmt.Sprintf("%d octets before the start line were skipped", at), Frames: d.frameList()})
			d.stats.Junk += uint64(at)
			d.datagram(p, UDP, b[at:], p.cut)
			return
		}
	}
	if dtlsHello(b) {
		d.dtls(p)
	}
	d.see(VerdictMedia)
}

// maxJunk is how far a start line is looked for in a datagram of SIP's own port.
const maxJunk = 64

func sipPort(p *packet) bool {
	return p.dport == portSIP || p.sport == portSIP || p.dport == portSIPS || p.sport == portSIPS
}

// keepAlive reports whether b is one of the datagrams that user agents send to keep a binding open: CRLF and
// CRLF CRLF (RFC 5626 3.5.1 and what came before it), or up to four zero octets.
func keepAlive(b []byte) bool {
	if len(b) == 0 || len(b) > 4 {
		return false
	}
	for _, c := range b {
		if c != '\r' && c != '\n' && c != 0 {
			return false
		}
	}
	return true
}
