package decode

import (
	"time"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
)

// Options of a run. The zero value decodes everything without keys and withholds secrets.
type Options struct {
	Want record.Want // what filter and printer look at
	// FieldsOnly says that nothing but Want is looked at: no words, no findings, no marks. Bodies that can hold none of it
	// are then not read, and the summary does not speak of them.
	FieldsOnly  bool
	ShowSecrets bool
	Workers     int // 0: one per processor
	MaxFrames   uint64
	Limits      Limits
	Flow        flow.Config
	// Ring opens what is protected; nil without keys.
	Ring *keys.Ring
	// Dormant says that Ring holds nothing yet: it is left alone, and costs nothing, until a message may have brought keys,
	// such as the response of a KMS.
	Dormant bool
	// Tracker follows what spans messages, in the ordered stage; nil for none. It needs whole records: all fields are
	// built, unless it has a method Needs that returns a record.Want, and Checks is nil: then those and Want.
	Tracker Tracker
	// Checks runs the conformance checks on each message; nil for none. All fields are built.
	Checks *CheckConfig
	// TwoPasses reads a source that can be rewound once for its keys before it is decoded.
	TwoPasses bool
	// Explain is the number of the message whose search for keys is recorded step by step; 0 for none.
	Explain uint64
	// Tap sees every frame before it is decoded, and which frames messages came in; nil for none. The collecting pass
	// of TwoPasses does not show it anything.
	Tap Tap
	// Units, if set, sees each message before it is decoded, in the goroutine that reads, like Tap.
	Units func(*flow.Unit)
	// Monitor, if set, can be asked how the run goes on.
	Monitor *Monitor
	// Patience is how long reading may wait for output that is stuck; 0 for ever. After that messages are left out,
	// counted and told of: a live capture must go on reading. Keys in them are learned all the same.
	Patience time.Duration
}

// A Tap looks on while frames are read, in the goroutine that reads. A capture.FileWriter is one.
type Tap interface {
	Frame(f *capture.Frame) *capture.Notice
	// Message names frames that a message came in, or that the TLS connection of messages needs.
	Message(file string, frames []uint64)
}

// A Tracker follows what spans messages (package session). Read is pure and called by the workers with each finished
// record, whose memory it must not keep; nil says that the message does not matter. Add is called in capture order by
// one goroutine with what Read returned; it adds nodes and findings to the message's record and returns the findings.
type Tracker interface {
	Read(r *record.Record) any
	Add(event any, b *record.Builder) []record.Finding
}

// Limits of one message; zero means the documented default (docs/limits.md).
type Limits struct {
	Nodes      int // nodes of one record
	Parts      int // bodies of one message
	Depth      int // message/sip inside message/sip
	XMLDepth   int
	XMLNodes   int // elements and attributes of one document
	XMLOctets  int
	ValueBytes int // one value in the tree; the rest is cut and marked
}

func (l Limits) withDefaults() Limits {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&l.Nodes, record.DefaultNodes)
	def(&l.Parts, 1000)
	def(&l.Depth, 4)
	def(&l.XMLDepth, 64)
	def(&l.XMLNodes, 50_000)
	def(&l.XMLOctets, 4<<20)
	def(&l.ValueBytes, 64<<10)
	return l
}
