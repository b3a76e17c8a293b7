package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/internal/filter"
	"github.com/mcxdump/mcxdump/output"
)

// readOptions are the flags of read.
type readOptions struct {
	files       []string
	format      string
	tree, json  bool
	hex         bool
	fields      []string
	enc         []string // -E
	header      bool
	separator   string
	filter      string
	frames      uint64
	quiet       bool
	timeStyle   string
	color       string
	showSecrets bool
	redact      bool
	workers     int
	explain     uint64
	onePass     bool
	checks      bool
	grows       bool // frames are read as they come, and key logs may grow meanwhile
	keyFlags
	writeFlags
	hepFlags
}

func newRead(s *streams) *cobra.Command {
	var o readOptions
	cmd := &cobra.Command{
		Use:   "read FILE...|-",
		Short: "Decode captures; one line a message, a tree, JSON or fields",
		Long: `Decode captures: pcap and pcapng, plain, gzip or zstd, told by content; "-" is standard input; several files are
merged in time order. mcxdump's own JSON can be read back.

One line a message:
  number, time, source, destination, transport, method or status, marks, findings, frame, what it is about
` + output.Legend + `

Exit codes: 0 fine (malformed traffic included), 1 unreadable or cut-off input or lost output, 2 usage.`,
		Example: `  mcxdump read testdata/pcaps/register-protected.pcap
  mcxdump read testdata/pcaps/register-protected.pcap --tree --hex
  mcxdump read testdata/pcaps/publish-clear.pcap --json | jq -c 'select(.record == "message") | .sip.method'
  mcxdump read testdata/pcaps/publish-clear.pcap -T fields -e number -e sip.method -e mcptt_info.client_id --header
  mcxdump read testdata/pcaps/warnings.pcap -Y 'sip.warning.mc_code == 101'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files = append(o.files, args...)
			return o.run(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&o.files, "read-file", "r", nil, "capture `FILE`, the same as an argument")
	o.register(f)
	f.Uint64Var(&o.explain, "explain", 0, "for message `N`: every key, identity and variant tried, in order")
	f.BoolVar(&o.onePass, "one-pass", false, "do not read a file twice to let late keys open earlier messages")
	o.writeFlags.register(f)
	return cmd
}

// register adds the flags that read shares with live.
func (o *readOptions) register(f *pflag.FlagSet) {
	f.StringVarP(&o.format, "type", "T", "", "output `FORMAT`: table, tree, json or fields (default table)")
	f.StringArrayVarP(&o.fields, "field", "e", nil, "field `NAME` for -T fields (mcxdump fields lists them)")
	f.StringArrayVarP(&o.enc, "encoding", "E", nil, "as tshark's: header=y, separator=/t, occurrence=f|l|a, aggregator=, quote=d|s|n")
	f.BoolVar(&o.header, "header", false, "with -T fields: a first line with the names")
	f.StringVar(&o.separator, "separator", "", "with -T fields: what stands between fields (default tab)")
	f.BoolVar(&o.tree, "tree", false, "short for -T tree")
	f.BoolVar(&o.json, "json", false, "short for -T json: one object a line")
	f.BoolVar(&o.hex, "hex", false, "with the tree: octet ranges and a dump of every source of octets")
	f.StringVarP(&o.filter, "display-filter", "Y", "", "show only records that match `FILTER`, in Wireshark's language")
	f.Uint64VarP(&o.frames, "count", "c", 0, "stop after `N` frames")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "only the summary")
	f.StringVarP(&o.timeStyle, "time", "t", "auto", "times: auto, relative (r), utc or epoch (e)")
	f.StringVar(&o.color, "color", "auto", "colour: auto, always or never (NO_COLOR holds)")
	o.keyFlags.register(f)
	o.keyFlags.registerCapture(f)
	o.hepFlags.register(f)
	f.BoolVar(&o.checks, "check", false, "conformance checks and sessions in the one-line view and fields too (tree and JSON always have them)")
	f.BoolVar(&o.showSecrets, "show-secrets", false, "print keys and whole tokens")
	f.BoolVar(&o.redact, "redact", false, "replace identities and tokens by pseudonyms, for sharing")
	f.IntVar(&o.workers, "workers", 0, "parallel decoders (default: one per processor)")
}

func (o *readOptions) run(ctx context.Context, s *streams) error {
	if len(o.files) == 0 {
		return usage("read needs a capture FILE, or - for standard input")
	}
	o.grows = slices.Contains(o.files, "-")
	p, err := o.printing(s)
	if err != nil {
		return err
	}
	files, ndjson, err := o.sniff(s)
	if err != nil {
		return err
	}
	if ndjson {
		return o.readBack(ctx, s, files, p.sink)
	}
	opt, err := o.decoding(s, p)
	if err != nil {
		return err
	}
	if opt.Ring != nil {
		defer opt.Ring.Close()
	}
	src, err := capture.Open(files, o.keyFlags.source(s))
	if errors.Is(err, capture.ErrStopped) {
		s.interrupted(0)
		return nil
	}
	if err != nil {
		return err
	}
	defer src.Close()
	w, err := o.writeFlags.open(s, o.quiet, o.keyFlags.tls, capture.WriteOptions{})
	if err != nil {
		return err
	}
	h, err := o.hepFlags.open(true, true)
	if err != nil {
		return err
	}
	o.watch(&opt, w, h)
	bar := newProgress(s, src, terminal(s.out) > 0 && !o.quiet)
	sum, err := s.decode(ctx, src, opt, p.sink.best())
	bar.stop()
	h.close(s)
	if serr := o.summary(s, sum, p.format, p.ro, p.sink); err == nil {
		err = serr
	}
	if werr := o.writeFlags.close(s, w); err == nil {
		err = werr
	}
	if err == nil && ctx.Err() == nil && sum != nil && o.explain > sum.Messages() {
		err = fmt.Errorf("--explain %d: there are %d messages", o.explain, sum.Messages())
	}
	var faults capture.Errors
	if errors.As(err, &faults) {
		for _, e := range faults {
			s.complain(e)
		}
		return errReported
	}
	return err
}

// watch makes the writer and the sender see what is read; either may be nil.
func (o *readOptions) watch(opt *decode.Options, w *capture.FileWriter, h *hepSender) {
	if w != nil || h != nil {
		opt.Tap = &taps{w, h}
	}
	if h != nil {
		opt.Units = h.Unit
	}
}

// A printing is how records are shown.
type printing struct {
	format string
	ro     output.Options
	want   record.Want
	sink   *readSink
}

// printing reads the flags about output, and prints a first line where the format has one.
func (o *readOptions) printing(s *streams) (*printing, error) {
	format, err := o.formatName()
	if err != nil {
		return nil, err
	}
	ro, err := o.outputOptions(s)
	if err != nil {
		return nil, err
	}
	form, err := output.New(format, ro)
	if err != nil {
		return nil, &usageError{err}
	}
	if o.workers < 0 {
		return nil, usage("--workers is at least 1, or 0 for one per processor")
	}
	if o.explain != 0 && o.filter == "" {
		o.filter = fmt.Sprintf("number == %d", o.explain)
	}
	want := form.Needs()
	var filt *filter.Filter
	if o.filter != "" {
		if filt, err = filter.Compile(o.filter); err != nil {
			return nil, &usageError{err}
		}
		need := filt.Needs()
		want.Merge(need)
	}
	sink := &readSink{form: form, filt: filt, out: s.out, quiet: o.quiet, messagesOnly: format == "fields" && !o.wantsOthers()}
	if !o.quiet {
		if h := output.AppendHeader(nil, form); len(h) > 0 {
			if _, err := s.out.Write(h); err != nil {
				return nil, err
			}
		}
	}
	return &printing{format, ro, want, sink}, nil
}

// decoding reads the flags about decoding. The ring, if there is one, is the caller's to close.
func (o *readOptions) decoding(s *streams, p *printing) (decode.Options, error) {
	material, err := o.keyFlags.load(s)
	if err != nil {
		return decode.Options{}, err
	}
	opt := decode.Options{Want: p.want, ShowSecrets: o.showSecrets, Workers: o.workers, MaxFrames: o.frames, TwoPasses: !o.onePass, Explain: o.explain}
	opt.FieldsOnly = p.format == "fields" && !o.redact && !o.quiet && o.filter == "" && !o.wantsWords()
	if o.checks || p.want.Everything() {
		opt.Tracker = tracker{Tracker: session.NewTracker(session.Config{NoLadders: true})}
		opt.Checks = &decode.CheckConfig{}
	}
	if opt.Flow, err = o.keyFlags.flow(material); err != nil {
		return decode.Options{}, err
	}
	if o.grows {
		o.keyFlags.follow(material)
	}
	o.keyFlags.ring(&opt, material, o.files)
	return opt, nil
}

func (o *readOptions) formatName() (string, error) {
	n, format := 0, o.format
	if o.tree {
		n, format = n+1, "tree"
	}
	if o.json {
		n, format = n+1, "json"
	}
	if n > 1 || n == 1 && o.format != "" && o.format != format {
		return "", usage("choose one of --tree, --json and -T")
	}
	if format == "" {
		format = "table"
		if len(o.fields) > 0 {
			format = "fields"
		}
		if o.hex || o.explain != 0 {
			format = "tree"
		}
	}
	if format == "fields" && len(o.fields) == 0 {
		return "", usage("-T fields needs at least one -e NAME; mcxdump fields lists them")
	}
	return format, nil
}

func (o *readOptions) outputOptions(s *streams) (output.Options, error) {
	for i, name := range o.fields {
		o.fields[i] = filter.Resolve(name)
	}
	width := terminal(s.out)
	ro := output.Options{Terminal: width > 0, Width: width, Hex: o.hex, Secrets: o.showSecrets, Fields: o.fields, Header: o.header, Separator: o.separator, Clock: new(output.Clock)}
	switch o.color {
	case "auto":
		ro.Color = width > 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	case "always":
		ro.Color = true
	case "never":
	default:
		return ro, usage("--color is auto, always or never")
	}
	var err error
	if ro.Time, err = output.ParseTimeStyle(o.timeStyle); err != nil {
		return ro, &usageError{err}
	}
	if o.redact {
		ro.Redact = output.NewRedactor(nil)
	}
	for _, e := range o.enc {
		key, val, _ := strings.Cut(e, "=")
		switch key {
		case "header":
			ro.Header = val == "y"
		case "separator":
			ro.Separator = map[string]string{"/t": "\t", "/s": " "}[val]
			if ro.Separator == "" {
				ro.Separator = val
			}
		case "occurrence", "quote":
			if len(val) != 1 {
				return ro, usage("-E %s=%s: one letter is expected", key, val)
			}
			if key == "quote" {
				ro.Quote = val[0]
			} else {
				ro.Occurrence = val[0]
			}
		case "aggregator":
			ro.Aggregator = map[string]string{"/s": " "}[val]
			if ro.Aggregator == "" {
				ro.Aggregator = val
			}
		default:
			return ro, usage("-E %s is unknown; there are header, separator, occurrence, aggregator and quote", e)
		}
	}
	return ro, nil
}

// wantsOthers reports whether -e asks for something that records other than messages have.
func (o *readOptions) wantsOthers() bool {
	for _, e := range o.fields {
		if strings.HasPrefix(e, "findings") || strings.HasPrefix(e, "summary") || e == "record" {
			return true
		}
	}
	return false
}

// wantsWords reports whether -e asks for what is gathered from the whole message without being a field of its tree.
func (o *readOptions) wantsWords() bool {
	for _, e := range o.fields {
		if root, _, _ := strings.Cut(e, "."); root == "findings" || root == "info" || root == "summary" {
			return true
		}
	}
	return false
}

// sniff looks whether the inputs are captures or mcxdump's own JSON.
func (o *readOptions) sniff(s *streams) (files []string, ndjson bool, err error) {
	captures := 0
	for _, f := range o.files {
		if output.LooksLikeJSON(beginning(s, f)) {
			ndjson = true
		} else {
			captures++
		}
	}
	if ndjson && captures > 0 {
		return nil, false, usage("captures and JSON cannot be read in one call")
	}
	return o.files, ndjson, nil
}

// beginning returns the first octets of an input, none of what can be read only once but standard input.
func beginning(s *streams, name string) []byte {
	const enough = 512
	if name == "-" {
		r := bufio.NewReaderSize(s.in, 64<<10)
		s.in = r
		b, _ := r.Peek(1)
		if len(b) == 0 || b[0] != '\n' && b[0] != '\r' && b[0] != ' ' && b[0] != 0xef {
			return b // more may be long in coming
		}
		b, _ = r.Peek(enough)
		return b
	}
	f, err := os.Open(name)
	if err != nil {
		return nil // capture.Open says it better
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil // a pipe's octets can be read only once
	}
	b := make([]byte, enough)
	n, _ := io.ReadFull(f, b)
	return b[:n]
}

// maxWrongLines of JSON are complained about one by one.
const maxWrongLines = 10

// readBack prints records that an earlier run wrote as JSON.
func (o *readOptions) readBack(ctx context.Context, s *streams, files []string, sink *readSink) error {
	var buf []byte
	var wrong int
	for _, name := range files {
		in := s.in
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		}
		lines := output.NewReader(in)
		for {
			r, err := lines.Next()
			if err == io.EOF || err != nil && ctx.Err() != nil { // a line may be cut then
				break
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", capture.Name(name), err)
				if re, ok := errors.AsType[*output.ReadError](err); !ok || re.Fatal {
					return err
				}
				if wrong++; wrong <= maxWrongLines {
					s.complain(err)
				}
				continue
			}
			if buf = sink.Encode(buf[:0], r); len(buf) > 0 {
				if err := sink.Write(buf); err != nil {
					return err
				}
			}
		}
	}
	if wrong > maxWrongLines {
		s.complain(fmt.Errorf("%d more lines could not be read", wrong-maxWrongLines))
	}
	if wrong > 0 {
		return errReported
	}
	return nil
}

// readSink filters and formats in the workers and writes in order.
type readSink struct {
	form         output.Format
	filt         *filter.Filter
	out          io.Writer
	quiet        bool
	messagesOnly bool
}

func (k *readSink) Encode(dst []byte, r *record.Record) []byte {
	if k.quiet || k.messagesOnly && r.Type != record.Message || k.filt != nil && !k.filt.Match(r) {
		return dst
	}
	return k.form.Append(dst, r)
}

func (k *readSink) Write(b []byte) error {
	_, err := k.out.Write(b)
	return err
}

// best is the sink itself, or what can print records that the tracker may still add to.
func (k *readSink) best() decode.Sink {
	if open := k.open(); open != nil {
		return open
	}
	return k
}

// open is the sink for records that the tracker may still add to, nil when it has to print them whole: the filter looks
// at what is added, or the format cannot.
func (k *readSink) open() decode.Sink {
	form, ok := k.form.(output.OpenFormat)
	if !ok {
		return nil
	}
	want := k.filt.Needs()
	for _, f := range record.Fields() {
		if root, _, _ := strings.Cut(f.Name, "."); (root == "session" || root == "findings") && want.Has(f) {
			return nil
		}
	}
	return &openSink{k, form}
}

// openSink is a decode.OpenSink.
type openSink struct {
	*readSink
	open output.OpenFormat
}

func (k *openSink) EncodeOpen(dst []byte, r *record.Record) (out []byte, at int, ok bool) {
	for i := range r.Findings {
		if strings.HasPrefix(r.Findings[i].Field, "session") {
			return dst, -1, false // it may have its place in what is added
		}
	}
	if k.quiet || k.filt != nil && !k.filt.Match(r) {
		return dst, -1, true
	}
	out, at = k.open.AppendOpen(dst, r)
	return out, at, true
}

func (k *openSink) EncodeRoots(dst []byte, r *record.Record) []byte {
	return k.open.AppendRoots(dst, r)
}

// summary says how it ended: as the last JSON record; with --quiet as the only output; otherwise on a terminal's
// standard error, and on any standard error when something was lost.
func (o *readOptions) summary(s *streams, sum *decode.Summary, format string, ro output.Options, sink *readSink) error {
	if sum == nil {
		return nil
	}
	rec := sum.Record()
	switch {
	case (o.quiet || format == "json") && o.path != "-":
		if sink.filt != nil && format == "json" && !o.quiet && !sink.filt.Match(rec) {
			return nil
		}
		_, err := s.out.Write(sink.form.Append(nil, rec))
		return err
	case terminal(s.err) > 0 || sum.Lost():
		ro.Terminal, ro.Color = true, false
		ro.Width = terminal(s.err)
		t, err := output.New("table", ro)
		if err != nil {
			return err
		}
		s.err.Write(t.Append(nil, rec))
	}
	return nil
}
