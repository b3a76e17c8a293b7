package lab

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// BulkKinds are the traffic that [System.Bulk] writes, with what it is.
var BulkKinds = []struct{ Name, Shows string }{
	{"udp", "SIP in single UDP datagrams of up to 4 kB"},
	{"fragments", "SIP over UDP in IPv4 fragments at an MTU of 1500"},
	{"tcp", "SIP over TCP: segmented, out of order, with repetitions"},
	{"gtpu", "SIP over UDP inside GTP-U"},
	{"mixed", "1 frame of 100 is SIP, the others are RTP and a bulk TCP download"},
}

// BulkOptions say how much of which traffic is written.
type BulkOptions struct {
	Kind     string // of BulkKinds
	Messages int    // stop after so many SIP messages; 0: no limit
	Octets   int64  // stop when the file has so many octets; 0: no limit
}

// BulkStats count what was written.
type BulkStats struct {
	Messages int    // SIP messages
	SIP      int64  // their octets
	Frames   uint64 // frames
	Octets   int64  // of the file
}

// Bulk writes a large capture for benchmarks, as fast as it can and without keeping it: PUBLISHes of all users for
// authorisation, encrypted and signed, and with settings only, encrypted, each with its 200. One CSK serves a user throughout. A message has about 2.2 kB in the
// mean; a capture of 200,000 fragmented ones about 470 MB.
func (s *System) Bulk(out io.Writer, o BulkOptions) (BulkStats, error) {
	var st BulkStats
	if !IsBulk(o.Kind) {
		return st, fmt.Errorf("lab has no bulk traffic %q", o.Kind)
	}
	if o.Messages <= 0 && o.Octets <= 0 {
		return st, fmt.Errorf("lab: bulk traffic needs a number of messages or octets")
	}
	shape := ethernet()
	switch o.Kind {
	case "fragments":
		shape.MTU = 1500
	case "gtpu":
		shape, _ = ShapeByName("gtpu")
	}
	count := &counter{w: bufio.NewWriterSize(out, 1<<20)}
	c, err := s.Capture(count, shape)
	if err != nil {
		return st, err
	}
	b := &bulk{Scene: c, stats: &st, o: o, streams: map[netip.AddrPort]*bulkStream{}}
	b.prepare()
	for i := 0; !b.full(); i++ {
		b.turn(&b.users[i%len(b.users)], i/len(b.users)%2 == 1)
	}
	b.finish()
	st.Frames = c.Net.Frame
	err = c.Close()
	if err == nil {
		err = count.w.Flush()
	}
	st.Octets = count.n
	return st, err
}

// counter counts octets on their way.
type counter struct {
	w *bufio.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

type bulk struct {
	*Scene
	stats   *BulkStats
	o       BulkOptions
	users   []bulkUser
	streams map[netip.AddrPort]*bulkStream

	rtp      []byte // payload, its header changes
	rtpSeq   int
	download *Stream
	segment  []byte
}

type bulkUser struct {
	scene *Scene
	key   CSK
}

// bulkStream holds back segments of one connection so that they can be disordered.
type bulkStream struct {
	*Stream
	queue []func()
	up    []bool // their directions
}

// prepare makes each user's key and bodies once.
func (b *bulk) prepare() {
	for _, u := range b.Sys.Users {
		c := b.as(u)
		b.users = append(b.users, bulkUser{scene: c, key: c.csk()})
	}
	b.rtp = cat([]byte{0x80, 0x69}, make([]byte, 10), b.octets(160))
	if b.o.Kind == "mixed" {
		b.download = b.Net.Dial(addr("192.0.2.200:40000"), addr("192.0.2.80:80"), 7)
		for _, send := range b.download.Send(true, []byte("GET /map.bin HTTP/1.1\r\nHost: maps.example.org\r\n\r\n"), 1400) {
			send()
		}
		for _, send := range b.download.Send(false, []byte("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: identity\r\n\r\n"), 1400) {
			send()
		}
		b.segment = b.octets(1360)
	}
}

func (b *bulk) full() bool {
	return b.Net.err != nil || b.o.Messages > 0 && b.stats.Messages >= b.o.Messages || b.o.Octets > 0 && b.Net.octets >= b.o.Octets
}

// turn writes one PUBLISH and its 200: for authorisation, encrypted and signed, or with settings only, encrypted.
func (b *bulk) turn(u *bulkUser, again bool) {
	c, d, via, etag := u.scene, u.scene.dialog(), "UDP", ""
	if b.o.Kind == "tcp" {
		via = "TCP"
	}
	var parts []Part
	if again {
		st := Style{Protection: conf, NoKey: true}
		etag, parts = "e1", c.protect(u.key, st, c.info(u.key, st, c.self(), c.client()), c.settings())
	} else {
		st := Style{Protection: both}
		parts = c.protect(u.key, st, c.info(u.key, st, c.token(), c.client()), c.settings())
	}
	b.send(c, true, d.request("PUBLISH", c.S.PSI, via, c.publication(forever, etag), parts))
	if !b.full() {
		b.send(c, false, d.Response(via, 200, "OK", published("e1", forever), nil))
	}
}

func (b *bulk) send(c *Scene, up bool, m []byte) {
	b.stats.Messages++
	b.stats.SIP += int64(len(m))
	b.wait(300 * time.Microsecond)
	from, to := c.ue(), b.Core
	if !up {
		from, to = to, from
	}
	switch b.o.Kind {
	case "tcp":
		b.stream(c.ue()).send(b, up, m)
	case "mixed":
		b.noise()
		fallthrough
	default:
		b.Net.UDP(from, to, m)
	}
}

func (b *bulk) stream(ue netip.AddrPort) *bulkStream {
	s := b.streams[ue]
	if s == nil {
		s = &bulkStream{Stream: b.Net.Dial(ue, b.Core, b.rng.Uint32())}
		b.streams[ue] = s
	}
	return s
}

// send queues the segments of a message. A queue of eight is let go out of order, now and then with one repeated.
func (s *bulkStream) send(b *bulk, up bool, m []byte) {
	for _, send := range s.Send(up, m, 1360) {
		s.queue, s.up = append(s.queue, send), append(s.up, up)
	}
	if len(s.queue) >= 8 {
		s.flush(b)
	}
}

func (s *bulkStream) flush(b *bulk) {
	for i := 0; i+1 < len(s.queue); i += 2 {
		if s.up[i] == s.up[i+1] && b.rng.Uint32()%4 == 0 {
			s.queue[i], s.queue[i+1] = s.queue[i+1], s.queue[i]
		}
	}
	for _, send := range s.queue {
		send()
	}
	if len(s.queue) > 0 && b.rng.Uint32()%16 == 0 {
		s.queue[0]()
	}
	s.queue, s.up = s.queue[:0], s.up[:0]
}

// noise writes 99 frames that are not SIP.
func (b *bulk) noise() {
	a, z := addr("192.0.2.10:49170"), addr("192.0.2.1:30000")
	for i := range 99 {
		if i%5 < 3 {
			b.rtpSeq++
			binary.BigEndian.PutUint16(b.rtp[2:], uint16(b.rtpSeq))
			binary.BigEndian.PutUint32(b.rtp[4:], uint32(b.rtpSeq*320))
			b.Net.UDP(a, z, b.rtp)
			continue
		}
		s := b.download
		b.Net.Segment(s.B, s.A, s.sb, s.sa, ack, b.segment)
		s.sb += uint32(len(b.segment))
	}
}

// finish lets go what is queued and closes the connections.
func (b *bulk) finish() {
	for _, u := range b.users {
		if s := b.streams[u.scene.ue()]; s != nil {
			s.flush(b)
			s.Close()
		}
	}
	if b.download != nil {
		b.download.Close()
	}
}

// BulkNames joins the names of the kinds of bulk traffic.
func BulkNames() string {
	var n []string
	for _, k := range BulkKinds {
		n = append(n, k.Name)
	}
	return strings.Join(n, ", ")
}

// IsBulk reports whether there is such a kind of bulk traffic.
func IsBulk(name string) bool {
	return slices.ContainsFunc(BulkKinds, func(k struct{ Name, Shows string }) bool { return k.Name == name })
}
