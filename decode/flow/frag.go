package flow

func (d *Decoder) fragment(p *packet, proto byte, id uint32, off int, more bool, b []byte) {
	d.see(VerdictFragment)
}
