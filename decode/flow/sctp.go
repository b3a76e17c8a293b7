package flow

func (d *Decoder) sctp(p *packet, b []byte) { d.see(VerdictStream) }
