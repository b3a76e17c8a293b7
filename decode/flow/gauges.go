package flow

// Gauges are how full the tables of a Decoder are.
type Gauges struct {
	Streams      int // TCP directions
	StreamsRead  int // of them those that are read: SIP, HTTP, WebSocket, HEP
	Associations int // SCTP directions
	FragmentSets int // incomplete datagrams
	Octets       int64
	Memory       int64 // the most that Octets may be
}

// Gauges tells how full the tables are.
func (d *Decoder) Gauges() Gauges {
	return Gauges{
		Streams: len(d.streams.m), StreamsRead: d.streams.lists[listSIP].n, Associations: len(d.assocs.m), FragmentSets: len(d.frags.m),
		Octets: d.frags.bytes + d.streams.bytes() + d.assocs.bytes, Memory: d.cfg.Memory,
	}
}
