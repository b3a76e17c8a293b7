package flow

// icmp reads the datagram that an ICMP error quotes (RFC 792, RFC 4443). Everything else of ICMP is not ours.
func (d *Decoder) icmp(p *packet, v6 bool, b []byte) {
	d.see(VerdictOther)
	if len(b) < 8 || p.quoted {
		return // an error never quotes an error (RFC 1122 3.2.2)
	}
	quote := b[8:]
	n := 0 // length of the quoted datagram when extensions follow it (RFC 4884 4)
	if v6 {
		switch b[0] {
		case 1, 3:
			n = int(b[4]) * 8
		case 2, 4:
		default:
			return
		}
	} else {
		switch b[0] {
		case 3, 11, 12:
			n = int(b[5]) * 4
		case 4, 5:
		default:
			return
		}
	}
	if n > 0 && n < len(quote) {
		quote = quote[:n]
	}
	q := *p
	if !d.enter(&q, encICMP, 0, true) {
		return
	}
	q.quoted = true
	if v6 {
		d.ipv6(&q, quote)
	} else {
		d.ipv4(&q, quote)
	}
}
