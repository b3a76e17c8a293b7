package flow

import "math"

const never = math.MaxInt64

// wake asks for expire to be called at a time of the clock.
func (d *Decoder) wake(at int64) { d.due = min(d.due, at) }

// expire does what is due by the clock.
func (d *Decoder) expire() {
	d.due = never
	d.due = min(d.expireFragments(), d.expireStreams(), d.expireESP())
	d.drain()
}

// enforce keeps all growing state within Config.Memory: while there is too much, the oldest entry of the kind that
// holds most goes.
func (d *Decoder) enforce() {
	for d.frags.bytes+d.streams.bytes()+d.assocs.bytes > d.cfg.Memory {
		d.limit(LimitMemory)
		plain, sip := d.streams.lists[listPlain].bytes, d.streams.lists[listSIP].bytes
		switch most := max(d.frags.bytes, plain, sip, d.assocs.bytes); most {
		case d.frags.bytes:
			d.stats.FragmentDropped++
			d.giveUp(d.frags.oldest)
		case d.assocs.bytes:
			d.forgetAssoc(d.assocs.oldest)
		case plain:
			d.forgetStream(d.streams.lists[listPlain].oldest)
		default:
			d.forgetStream(d.streams.lists[listSIP].oldest)
		}
	}
}
