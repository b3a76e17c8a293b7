package flow

import (
	"fmt"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/esp"
	"github.com/mcxdump/mcxdump/sipparse"
)

// Config bounds the Decoder. The zero value means the documented defaults; nothing is ever unlimited.
type Config struct {
	Memory          int64           // octets of all growing state together; default 64 MiB, least 1 MiB
	Streams         int             // TCP directions remembered; default 65536
	StreamBytes     int             // octets out of order or not yet decided about, per TCP direction; default 1 MiB
	StreamSegments  int             // segments out of order, per TCP direction; default 1024
	FragmentSets    int             // incomplete IP datagrams; default 4096
	FragmentPieces  int             // fragments of one IP datagram; default 1024
	FragmentTimeout time.Duration   // packet time until an incomplete datagram is given up; default 30 s
	Associations    int             // SCTP directions remembered; default 4096
	AssocBytes      int             // octets of incomplete SCTP messages, per direction; default 1 MiB
	Depth           int             // nesting of tunnels and tags; default 16
	MaxStep         time.Duration   // how far one frame moves packet time; default 10 s
	GapWait         time.Duration   // packet time until missing TCP octets are given up; default 5 s
	HEPInflated     int             // octets of one compressed payload of HEP, inflated; default 1 MiB
	SIP             sipparse.Limits // of one message on a stream
	SPIs            int             // ESP security associations remembered; default 4096

	ESP      []esp.SA // keys of security associations
	ESPPorts []uint16 // UDP ports of ESP beside 4500 (RFC 3948)
	// AllHTTP hands out every HTTP message. Otherwise only those of connections that have to do with mission critical
	// services are, and the others are counted.
	AllHTTP bool
	// Lend says that the handler holds and gives back the loans of units, so that their memory can be used again.
	Lend bool
	// Keep, if set, is told of frames that carry a TLS connection, for as long as the connection is followed: whoever writes
	// only the frames of messages needs them too, or nobody can open the connection again.
	Keep func(file string, frames []uint64)

	TLSKeys      TLSKeys // nil: there are none
	TLSServers   int     // kinds of findings about TLS connections, each of a server and a name, that are told apart; default 1024
	TLSSessions  int     // TLS sessions whose master secret is remembered for those that resume them; default 1024
	TLSHandshake int     // octets of one TLS handshake message; default 128 KiB
	TLSQueue     int     // octets of TLS records that wait for the other direction or for a key, per direction; default 256 KiB
}

func (c Config) withDefaults() Config {
	def(&c.Memory, 64<<20)
	c.Memory = max(c.Memory, 1<<20)
	def(&c.Streams, 65536)
	def(&c.StreamBytes, 1<<20)
	def(&c.StreamSegments, 1024)
	def(&c.FragmentSets, 4096)
	def(&c.FragmentPieces, 1024)
	def(&c.FragmentTimeout, 30*time.Second)
	def(&c.Associations, 4096)
	def(&c.AssocBytes, 1<<20)
	def(&c.Depth, 16)
	def(&c.MaxStep, 10*time.Second)
	def(&c.GapWait, 5*time.Second)
	def(&c.SPIs, 4096)
	def(&c.HEPInflated, 1<<20)
	def(&c.TLSServers, 1024)
	def(&c.TLSSessions, 1024)
	def(&c.TLSHandshake, 128<<10)
	def(&c.TLSQueue, 256<<10)
	if c.TLSKeys == nil {
		c.TLSKeys = noTLSKeys{}
	}
	return c
}

func def[T ~int | ~int64](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}

// A Limit is a bound that can bite.
type Limit uint8

const (
	LimitDepth          Limit = iota // Config.Depth: the inner layers of a frame were not read
	LimitMemory                      // Config.Memory: the oldest stream, association or datagram was given up
	LimitStreams                     // Config.Streams: the oldest stream was forgotten
	LimitStreamBytes                 // Config.StreamBytes: missing octets were not waited for
	LimitStreamSegments              // Config.StreamSegments: the same
	LimitFragmentSets                // Config.FragmentSets: the oldest incomplete datagram was given up
	LimitFragmentPieces              // Config.FragmentPieces: a datagram in too many fragments was given up
	LimitAssociations                // Config.Associations: the oldest association was forgotten
	LimitAssocBytes                  // Config.AssocBytes: incomplete messages of an association were given up
	LimitSPIs                        // Config.SPIs: the security association used longest ago was forgotten
	LimitESPTries                    // more keys fit an ESP packet than are tried on one
	LimitHTTPHead                    // octets of a header section: the message was given up
	LimitHTTPContent                 // octets of content: the rest was left out
	LimitHTTPPending                 // requests that wait for responses: they are not tied to them
	LimitHTTPHeld                    // octets that wait for the answer to a CONNECT or an upgrade: taken for the new protocol
	LimitHEPInflated                 // Config.HEPInflated: the rest of a compressed message was left out
	LimitTLSServers                  // Config.TLSServers: findings about further connections are counted only
	LimitH2Streams                   // open exchanges of an HTTP/2 connection: the oldest was given up
	NumLimits
)

var limitNames = [NumLimits]string{"depth", "memory", "streams", "stream-bytes", "stream-segments", "fragment-sets", "fragment-pieces", "associations", "assoc-bytes",
	"esp-spis", "esp-tries", "http-head", "http-content", "http-pending", "http-held", "hep-inflated", "tls-servers", "h2-streams"}

// String returns the name of the limit, in lower case with hyphens.
func (l Limit) String() string {
	if l < NumLimits {
		return limitNames[l]
	}
	return fmt.Sprintf("Limit(%d)", uint8(l))
}

// limit counts a limit that bit and reports it the first time and then at each tenfold count.
func (d *Decoder) limit(l Limit) {
	d.stats.Limits[l]++
	n := d.stats.Limits[l]
	if !tenfold(n) {
		return
	}
	d.h.Finding(record.Finding{ID: "flow-limit", Severity: record.Warning, Clause: "mcxdump",
		Message: fmt.Sprintf("limit %s reached (%d times so far)", l, n), Frames: d.frameList()}, d.context(nil, ""))
}

// tenfold reports whether n is 1, 10, 100 and so on.
func tenfold(n uint64) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// frameList is the frame at hand as a list for a finding.
func (d *Decoder) frameList() []uint64 {
	if d.cur.Number == 0 {
		return nil
	}
	return []uint64{d.cur.Number}
}
