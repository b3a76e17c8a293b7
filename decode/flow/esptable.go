package flow

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/esp"
)

// espKey tells one security association (RFC 4301 4.1).
type espKey struct {
	spi uint32
	dst [16]byte
}

// An espState is what is remembered of one security association.
type espState struct {
	key        espKey
	prev, next *espState // by last use
	dst        netip.Addr

	packets, read, unread uint64
	cur                   Frame // of the first packet that was not readable
	ctx                   Context
	since                 int64 // its time on the clock
	due, told             bool  // esp-no-key is to be told, has been told
	udp                   bool  // in UDP
	toldKey, toldICV      bool

	null  *espVariant // how its packets are laid out, in the clear
	used  *esp.Opener // what opened the last packet
	icv   int         // length of its check value, -1 when not known
	esn   bool        // extended sequence numbers
	high  uint32      // their upper half
	wrong *esp.SA     // a key that was meant for the packet at hand and does not open it
	half  bool        // but verifies it

	top    uint32 // highest sequence number
	window uint64 // which of the 64 up to it were seen
}

// again notes a sequence number and reports whether it was seen before: a packet captured twice, or replayed.
func (s *espState) again(seq uint32) bool {
	ahead := int32(seq - s.top)
	switch {
	case s.window == 0 || ahead <= -1<<16 || ahead >= 1<<16: // the first one, or a new start
		s.top, s.window = seq, 1
	case ahead > 0:
		if ahead >= 64 {
			s.window = 0
		}
		s.window = s.window<<(ahead&63) | 1
		s.top = seq
	case ahead > -64:
		bit := uint64(1) << -ahead
		if s.window&bit != 0 {
			return true
		}
		s.window |= bit
	}
	return false
}

// espTable holds the security associations, by last use.
type espTable struct {
	m              map[espKey]*espState
	oldest, newest *espState
	due            []*espState // with packets that were not readable, in the order of the first
	said           int         // findings made
}

const (
	// espWait is how long packets of an SPI are counted before it is told that they are not readable, nanoseconds.
	espWait = 10e9
	// maxESPTold bounds the findings about single SPIs; beyond it they are only counted.
	maxESPTold = 256
	// maxESPListed bounds the SPIs that Stats names.
	maxESPListed = 64
)

func (t *espTable) cut(s *espState) {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		t.oldest = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		t.newest = s.prev
	}
	s.prev, s.next = nil, nil
}

func (t *espTable) push(s *espState) {
	s.prev = t.newest
	if s.prev != nil {
		s.prev.next = s
	} else {
		t.oldest = s
	}
	t.newest = s
}

// espState finds or makes the entry of an SPI to the destination of p.
func (d *Decoder) espState(spi uint32, p *packet, udp bool) *espState {
	t := &d.esps
	k := espKey{spi, p.dst.As16()}
	if s := t.m[k]; s != nil {
		if t.newest != s {
			t.cut(s)
			t.push(s)
		}
		return s
	}
	if len(t.m) >= d.cfg.SPIs {
		old := t.oldest
		d.limit(LimitSPIs)
		t.cut(old)
		delete(t.m, old.key)
		if old.due {
			d.tellNoKey(old)
			if len(t.due) > 2*d.cfg.SPIs { // those told since are still in it
				t.due = slices.DeleteFunc(t.due, func(s *espState) bool { return !s.due })
			}
		}
	}
	s := &espState{key: k, dst: p.dst, icv: -1, udp: udp}
	t.m[k] = s
	t.push(s)
	return s
}

// espMayTell counts a finding about a single SPI and reports whether it is to be made.
func (d *Decoder) espMayTell() bool {
	if d.esps.said >= maxESPTold {
		return false
	}
	d.esps.said++
	return true
}

// espUnread counts a packet that is not readable. It is told after a while, with how many there were.
func (d *Decoder) espUnread(p *packet, s *espState) {
	d.stats.Encrypted++
	s.unread++
	if s.wrong != nil {
		d.espWrongKey(p, s)
		s.wrong, s.half = nil, false
		return
	}
	if s.due || s.told || s.toldKey {
		return
	}
	s.due, s.since, s.cur = true, d.clock.now, d.cur
	s.cur.Data = nil
	s.ctx = d.context(p, "")
	d.esps.due = append(d.esps.due, s)
	d.wake(s.since + espWait)
}

// expireESP tells of SPIs that have waited long enough and returns when the next one is due.
func (d *Decoder) expireESP() int64 {
	t := &d.esps
	for len(t.due) > 0 {
		s := t.due[0]
		if !s.due {
			t.due = t.due[1:]
			continue
		}
		if at := s.since + espWait; at > d.clock.now {
			return at
		}
		t.due = t.due[1:]
		d.tellNoKey(s)
	}
	t.due = nil
	return never
}

// flushESP tells of all of them.
func (d *Decoder) flushESP() {
	for _, s := range d.esps.due {
		if s.due {
			d.tellNoKey(s)
		}
	}
	d.esps.due = nil
}

// tellNoKey says once what key is missing, and whose registration it belongs to where Security-Client and
// Security-Server said so.
func (d *Decoder) tellNoKey(s *espState) {
	s.due = false
	switch {
	case s.read > s.unread || s.toldKey: // in the clear, only some packets of it hold other protocols
		return
	case s.udp && s.unread == 1: // something else on that port: in media, what would be the SPI differs in each packet
		return
	case !d.espMayTell():
		return
	}
	s.told = true
	var b strings.Builder
	packets := "packets"
	if s.unread == 1 {
		packets = "packet"
	}
	fmt.Fprintf(&b, "%d ESP %s with SPI %08x to %s cannot be read without the key", s.unread, packets, s.key.spi, s.dst)
	enc, auth, what := "ENC-ALG", "AUTH-ALG", "it"
	if a := d.agreed.of(s.key); a != nil {
		fmt.Fprintf(&b, "; it belongs to the registration of %q (frame %d)", a.aor, a.frame)
		if isToken(a.ealg) {
			enc = a.ealg
			fmt.Fprintf(&b, " with ealg %s", enc)
		}
		if isToken(a.alg) {
			auth = a.alg
			fmt.Fprintf(&b, " and alg %s", auth)
		}
		what = "its CK and IK"
	}
	fmt.Fprintf(&b, ": give %s with --esp '%08x %s %s KEY %s KEY' or as an ESP line of a key log", what, s.key.spi, s.dst, enc, auth)
	c := s.ctx
	d.h.Finding(record.Finding{ID: "esp-no-key", Severity: record.Note, Clause: "RFC 4303 3.4.2", Message: b.String(), Frames: []uint64{s.cur.Number}}, c)
}

// isToken reports whether text from the wire can be shown as the name of an algorithm.
func isToken(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// An SPICount says how many ESP packets of an SPI were not readable.
type SPICount struct {
	SPI     uint32
	Dst     netip.Addr
	Packets uint64
}

// unreadSPIs lists the SPIs of which packets were not readable, those with most first.
func (d *Decoder) unreadSPIs() (out []SPICount) {
	for s := d.esps.oldest; s != nil; s = s.next {
		if s.unread > 0 {
			out = append(out, SPICount{s.key.spi, s.dst, s.unread})
		}
	}
	slices.SortStableFunc(out, func(a, b SPICount) int {
		switch {
		case a.Packets != b.Packets:
			return cmp.Compare(b.Packets, a.Packets)
		case a.SPI != b.SPI:
			return cmp.Compare(a.SPI, b.SPI)
		}
		return a.Dst.Compare(b.Dst)
	})
	return out[:min(len(out), maxESPListed)]
}
