package flow

func (d *Decoder) tcp(p *packet, b []byte) { d.see(VerdictStream) }
