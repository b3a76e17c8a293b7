package flow

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// plain decodes a frame layer by layer, with neither the fixed-offset look nor gopacket: the reference for both.
func plain(d *Decoder, f *Frame) {
	d.stats.Frames++
	d.stats.Octets += uint64(len(f.Data))
	d.clock.tick(f.Time)
	cut := uint64(f.Orig) > uint64(len(f.Data))
	if cut {
		d.stats.CutFrames++
	}
	d.cur, d.verdict = *f, VerdictNone
	if d.clock.now >= d.due {
		d.expire()
	}
	d.link(&packet{enc: d.encaps.root, cut: cut}, f.Link, f.Data)
	d.drain()
	d.stats.Verdicts[d.verdict]++
	d.cur.Data = nil
}

// pair feeds two decoders, one of them the plain way and without loans, and compares what comes out.
type pair struct {
	a, b   collect
	da, db *Decoder
	n      uint64
	now    int64
}

func newPair() *pair { return newPairOf(Config{}) }

func newPairOf(c Config) *pair {
	p := &pair{}
	p.db = New(c, &p.b)
	c.Lend = true
	p.da = New(c, &p.a)
	p.db.seed = p.da.seed
	p.db.frags.noRuns = true
	return p
}

func (p *pair) frame(link uint16, b []byte, orig int) error {
	p.n++
	p.now += 1e6
	f := Frame{Number: p.n, Time: p.now, Data: b, Orig: uint32(orig), Link: link}
	left := look(link, b) == leaves
	before := len(p.b.units) + len(p.b.findings)
	verdict := p.db.stats.Verdicts
	p.da.Frame(&f)
	plain(p.db, &f)
	if left {
		verdict[VerdictMedia]++
		if verdict != p.db.stats.Verdicts || len(p.b.units)+len(p.b.findings) != before {
			return fmt.Errorf("the look lets go what the long way does not")
		}
	}
	return p.same()
}

func (p *pair) same() error {
	if a, b := &p.da.frags, &p.db.frags; a.bytes != b.bytes || len(a.m) != len(b.m) || a.rawOctets > rawOctets {
		return fmt.Errorf("fragments: %d octets of %d datagrams, and %d of %d; %d as they are", a.bytes, len(a.m), b.bytes, len(b.m), a.rawOctets)
	}
	for _, d := range []*Decoder{p.da, p.db} { // what find looks at first is in the tables
		if s := d.frags.last; s != nil && d.frags.m[s.key] != s {
			return fmt.Errorf("the last datagram is not in the table")
		}
		for i, st := range d.streams.near {
			if st != nil && (d.streams.m[st.key] != st || st.key.place() != i) {
				return fmt.Errorf("a near stream is not in the table")
			}
		}
	}
	if a, b := p.da.stats, p.db.stats; !reflect.DeepEqual(a, b) {
		return fmt.Errorf("counters differ:\n%+v\n%+v", a, b)
	}
	if len(p.a.units) != len(p.b.units) || !reflect.DeepEqual(p.a.findings, p.b.findings) {
		return fmt.Errorf("%d and %d units, findings %v and %v", len(p.a.units), len(p.b.units), p.a.findings, p.b.findings)
	}
	for i := range p.a.units {
		a, b := p.a.units[i], p.b.units[i]
		l := a.Loan
		a.Loan = nil
		if !reflect.DeepEqual(a, b) {
			return fmt.Errorf("units differ:\n%+v\n%+v", a, b)
		}
		l.GiveBack()
	}
	p.a, p.b = collect{}, collect{}
	return nil
}

// seeds are frames of every kind: those of tunnels, and media, TCP, SCTP, fragments and ICMP errors.
func seeds() (links []uint16, frames [][]byte) {
	add := func(link uint16, b []byte) { links, frames = append(links, link), append(frames, b) }
	for _, c := range tunnels() {
		add(c.link, c.b)
	}
	for tags := range 3 {
		add(linkEthernet, rtpFrame(tags, false))
		add(linkEthernet, rtpFrame(tags, true))
	}
	msg := long(900)
	co := conn{isn: 5, ports: [2]int{5060, 40000}}
	for _, l := range [][]any{{etherHeader{etIPv4}}, lan(1, false), lan(2, false), nil} {
		co.layers = l
		link := uint16(linkEthernet)
		if l == nil {
			link = linkRaw
		}
		add(link, co.segment(tcpSYN, -1, ""))
		add(link, co.segment(tcpACK, 0, msg))
		add(link, co.segment(tcpACK, 100, msg[100:300]))
		add(link, co.segment(tcpACK|tcpFIN, 20, "\x16\x03\x01"))
	}
	add(linkEthernet, sctpFrame(7, "", "", dataChunk(3, 1, 0, 0, []byte(msg))))
	add(linkEthernet, sctpFrame(7, "", "", dataChunk(2, 2, 0, 0, []byte(msg[:100])), dataChunk(1, 3, 0, 0, []byte(msg[100:]))))
	dgram := build(udpHeader{40000, 5070}, msg)
	for _, p := range split(len(dgram), 400) {
		add(linkEthernet, fragFrame(false, 7, false, dgram, p))
		add(linkEthernet, fragFrame(true, 7, false, dgram, p))
	}
	add(linkEthernet, build(etherHeader{etIPv4}, ipHeader{proto: protoICMP}, raw{3, 3, 0, 0, 0, 0, 0, 0}, build(udp4(sipRequest)...)[:250]))
	return links, frames
}

// mutate changes, cuts or lengthens a frame.
func mutate(r *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range r.IntN(4) {
		if len(b) == 0 {
			break
		}
		i := r.IntN(min(len(b), 80)) // mostly headers
		switch r.IntN(6) {
		case 0:
			b[i] = byte(r.Uint32())
		case 1:
			b[i] ^= 1 << r.IntN(8)
		case 2:
			b = b[:r.IntN(len(b)+1)]
		case 3:
			b = append(b, byte(r.Uint32()), 0, 0, 0)
		case 4:
			b = append(b[:i], b[min(len(b), i+1+r.IntN(4)):]...)
		case 5:
			b[i] = []byte{0, 1, 4, 6, 17, 0x45, 0x60, 132, 0x81, 0xff}[r.IntN(10)]
		}
	}
	return b
}

// TestEqual compares the look and the seam with the plain way on mutated frames.
func TestEqual(t *testing.T) {
	links, frames := seeds()
	r := rand.New(rand.NewPCG(1, 2))
	p := newPair()
	n := 30000
	if testing.Short() {
		n = 3000
	}
	for i := range n {
		k := r.IntN(len(frames))
		b := frames[k]
		if i >= len(frames) {
			b = mutate(r, b)
		}
		orig := len(b)
		if r.IntN(4) == 0 {
			orig += r.IntN(100)
		}
		if err := p.frame(links[k], b, orig); err != nil {
			t.Fatalf("frame %d, link %d, %d of %d octets %x: %v", i, links[k], len(b), orig, b, err)
		}
		if i%1000 == 999 {
			p.da.Flush()
			p.db.Flush()
			if err := p.same(); err != nil {
				t.Fatal(err)
			}
			for _, d := range []*Decoder{p.da, p.db} {
				if d.frags.bytes != 0 || d.streams.bytes() != 0 || d.assocs.bytes != 0 || len(d.frags.m)+len(d.streams.m)+len(d.assocs.m) != 0 {
					t.Fatalf("state left: %d %d %d", d.frags.bytes, d.streams.bytes(), d.assocs.bytes)
				}
			}
		}
	}
	if s := p.da.Stats(); s.Messages < 1000 || s.Verdicts[VerdictMedia] < 100 || s.Malformed < 100 {
		t.Errorf("the frames are too alike: %+v", s)
	}
}

// TestQuick: what quick decodes the seam decodes alike, and what quick sends the long way the seam does not take.
func TestQuick(t *testing.T) {
	links, frames := seeds()
	r := rand.New(rand.NewPCG(3, 4))
	s := newSeam()
	counts := map[int]int{}
	for i := range 100000 {
		k := r.IntN(len(frames))
		b := frames[k]
		if i >= len(frames) {
			b = mutate(r, b)
		}
		var fast, slow common
		verdict, ok := quick(links[k], b, &fast), s.decode(links[k], b, &slow)
		counts[verdict]++
		fast.tag, slow.tag = 0, 0
		if slow.proto != protoTCP {
			slow.seq, slow.ack, slow.flags = 0, 0, 0
		}
		if verdict == 0 && (!ok || !reflect.DeepEqual(fast, slow)) || verdict == leaves && ok {
			t.Fatalf("link %d, %x: %d, %v\n%+v\n%+v", links[k], b, verdict, ok, fast, slow)
		}
	}
	if counts[0] < 10000 || counts[leaves] < 1000 || counts[stays] < 10000 {
		t.Error(counts)
	}
}

// TestSeamUsed: the common stack does go through gopacket, and what it must not decode does not.

func TestSeamUsed(t *testing.T) {
	s := newSeam()
	for _, c := range tunnels() {
		var x common
		got := s.decode(c.link, c.b, &x)
		want := false
		switch c.name {
		case "ethernet ipv4", "ethernet padding", "ethernet ipv6", "ethernet ipv6 padding", "802.1q", "802.1q ipv6",
			"raw ipv4", "raw ipv6", "raw 12", "raw 14", "ipv4", "ipv6", "ipv4 options", "ipv4 length zero":
			want = true
		}
		if len(c.encap) > 0 && c.encap != "vlan" {
			continue // tunnels over UDP are UDP to it
		}
		if got != want || got && string(x.payload) != sipRequest {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
}

// TestLook: what leaves at once and what does not.
func TestLook(t *testing.T) {
	for tags := range 3 {
		for _, v6 := range []bool{false, true} {
			if b := rtpFrame(tags, v6); look(linkEthernet, b) != leaves {
				t.Errorf("rtp with %d tags, v6=%v stays", tags, v6)
			}
		}
	}
	for _, c := range tunnels() {
		if look(c.link, c.b) == leaves {
			t.Errorf("%s leaves", c.name)
		}
	}
	b := rtpFrame(0, false)
	allocs := testing.AllocsPerRun(100, func() { look(linkEthernet, b) })
	d := New(Config{}, nobody{})
	f := Frame{Number: 1, Data: b, Orig: uint32(len(b)), Link: linkEthernet}
	allocs += testing.AllocsPerRun(100, func() { d.Frame(&f) })
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// FuzzFrame holds the look and gopacket to the plain way, and everything to its bounds.
func FuzzFrame(f *testing.F) {
	links, frames := seeds()
	for i := range frames {
		f.Add(links[i], frames[i], uint16(0))
	}
	f.Fuzz(func(t *testing.T, link uint16, b []byte, cut uint16) {
		p := newPair()
		for range 2 { // the second copy meets what the first left
			if err := p.frame(link, b, len(b)+int(cut)); err != nil {
				t.Fatal(err)
			}
		}
		p.da.Flush()
		p.db.Flush()
		if err := p.same(); err != nil {
			t.Fatal(err)
		}
		if d := p.da; d.frags.bytes != 0 || d.streams.bytes() != 0 || d.assocs.bytes != 0 {
			t.Fatal("state left")
		}
	})
}
