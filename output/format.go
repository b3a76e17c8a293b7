package output

import (
	"fmt"
	"io"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A Format turns a record into octets. Append is pure: it depends on the record and the options alone and may be called
// from several goroutines at once. Needs is the set of fields it looks at, so that nothing else is decoded.
type Format interface {
	Append(dst []byte, r *record.Record) []byte
	Needs() record.Want
}

// An OpenFormat is a Format that can print a record before all is known of it: nodes may follow as further roots.
type OpenFormat interface {
	Format
	// AppendOpen is Append, and says where in the result such nodes belong.
	AppendOpen(dst []byte, r *record.Record) (out []byte, at int)
	// AppendRoots appends their text. They are all that r has; it is a message.
	AppendRoots(dst []byte, r *record.Record) []byte
}

// TimeStyle says how the table and the fields show times.
type TimeStyle uint8

const (
	TimeAuto     TimeStyle = iota // table on a terminal: TimeRelative; everything else: TimeUTC
	TimeRelative                  // seconds since Options.Clock, with microseconds
	TimeUTC                       // RFC 3339 with nanoseconds
	TimeEpoch                     // seconds since 1970 with nanoseconds
)

// ParseTimeStyle reads the argument of a time flag.
func ParseTimeStyle(s string) (TimeStyle, error) {
	switch s {
	case "", "auto":
		return TimeAuto, nil
	case "r", "relative":
		return TimeRelative, nil
	case "u", "utc", "rfc3339":
		return TimeUTC, nil
	case "e", "epoch":
		return TimeEpoch, nil
	}
	return 0, fmt.Errorf("unknown time style %q; there are auto, relative, utc and epoch", s)
}

// Options of a format. The zero value is plain output for a pipe.
type Options struct {
	Terminal bool // aligned, clipped to Width, relative times
	Color    bool
	Width    int // columns of the terminal; 0: no clipping
	Hex      bool
	Secrets  bool      // a dump shows masked octets
	Redact   *Redactor // nil: identities are shown
	Time     TimeStyle
	Clock    *Clock // time zero of TimeRelative; nil: the first record that the format sees

	// For "fields", as tshark's -e and -E.
	Fields     []string
	Header     bool
	Separator  string // "" means tab
	Occurrence byte   // 'f' first, 'l' last, 'a' or 0 all
	Aggregator string // "" means ","
	Quote      byte   // 'd' double, 's' single, 'n' or 0 none
}

// formats is the table of formats: a new one is one more line here and one file.
var formats = []struct {
	name string
	make func(Options) (Format, error)
}{
	{"table", newTable},
	{"tree", newTree},
	{"json", newJSON},
	{"fields", newFields},
}

// Formats lists the names that New takes.
func Formats() []string {
	var out []string
	for _, f := range formats {
		out = append(out, f.name)
	}
	return out
}

// New makes a format by name: "table" (one line a message), "tree", "json" or "fields".
func New(format string, o Options) (Format, error) {
	for _, f := range formats {
		if f.name != format {
			continue
		}
		made, err := f.make(o)
		if err != nil {
			return nil, err
		}
		if o.Redact != nil {
			return redacted{made, o.Redact}, nil
		}
		return made, nil
	}
	return nil, fmt.Errorf("unknown format %q; there are %s", format, strings.Join(Formats(), ", "))
}

// A header is written once before the first record.
type header interface{ appendHeader(dst []byte) []byte }

// AppendHeader appends what comes before the first record: the header line of the fields format, otherwise nothing.
// A Printer does this itself.
func AppendHeader(dst []byte, f Format) []byte {
	if r, ok := f.(redacted); ok {
		f = r.Format
	}
	if h, ok := f.(header); ok {
		dst = h.appendHeader(dst)
	}
	return dst
}

// A Printer writes records in order. It is for one goroutine.
type Printer interface {
	Print(*record.Record) error
	Close() error
}

// NewPrinter writes a format's octets to w. The first write error sticks: it is returned by every later call. Close
// writes the header when no record came and does not close w.
func NewPrinter(w io.Writer, f Format) Printer { return &printer{w: w, f: f} }

type printer struct {
	w      io.Writer
	f      Format
	buf    []byte
	headed bool
	err    error
}

func (p *printer) Print(r *record.Record) error {
	if p.err != nil {
		return p.err
	}
	p.buf = p.buf[:0]
	if !p.headed {
		p.headed = true
		p.buf = AppendHeader(p.buf, p.f)
	}
	p.buf = p.f.Append(p.buf, r)
	p.flush()
	return p.err
}

func (p *printer) flush() {
	if len(p.buf) == 0 {
		return
	}
	n, err := p.w.Write(p.buf)
	if err == nil && n < len(p.buf) {
		err = io.ErrShortWrite
	}
	p.err = err
	if cap(p.buf) > 1<<20 {
		p.buf = nil // one huge record must not hold its buffer for the rest of the run
	}
}

func (p *printer) Close() error {
	if p.err == nil && !p.headed {
		p.headed = true
		p.buf = AppendHeader(p.buf[:0], p.f)
		p.flush()
	}
	return p.err
}
