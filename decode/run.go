package decode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
)

// A Sink takes what a run produces. Encode is pure and is called by several workers at once; Write is called in input
// order by one goroutine with what Encode appended for one batch of records.
type Sink interface {
	// Encode appends the printed form of a record, or nothing when a filter hides it. The record is valid during the
	// call only: its memory serves the next message.
	Encode(dst []byte, r *record.Record) []byte
	Write(b []byte) error
}

// An OpenSink is a Sink that can print a message before the tracker has spoken, so that the whole record need not wait
// for the ordered stage.
type OpenSink interface {
	Sink
	// EncodeOpen is Encode, and says where in the result the text of nodes belongs that are added behind the record's own;
	// -1 when the record is not shown. It does nothing and returns false for a record that has to be whole.
	EncodeOpen(dst []byte, r *record.Record) (out []byte, at int, ok bool)
	// EncodeRoots appends the text of such nodes, which are all that r has.
	EncodeRoots(dst []byte, r *record.Record) []byte
}

// A batch is what travels through the pipeline: units enough to make the hand-over cheap, few enough to keep the
// first line of a small capture fast and the memory in flight small.
type batch struct {
	items []item
	loans []*flow.Loan // that their units need
	size  int
	out   []byte
	held  []held           // messages that wait for the ordered stage, with their places in out
	found []record.Finding // of those that are printed already
	stats workStats
	done  chan struct{}
	// confessed is how many messages its findings say were left out.
	confessed uint64
}

// item is a message or a finding about a stream, in capture order.
type item struct {
	unit flow.Unit // zero for a finding
	planned
}

// planned is what the serial stage says of an item.
type planned struct {
	note    *note  // nil for a message
	number  uint64 // 0 for a finding
	request uint64 // number of the request that an HTTP response answers, 0 when it is not known
	promise *keys.Promise
	mikey   [][]byte // I_MESSAGEs inside, when there is a ring
	keys    bool     // the ring is asked
	teaches bool     // it may bring key material of a KMS
	policy  *policy  // what service configurations before it said
}

// note is a finding that belongs to no message.
type note struct {
	finding record.Finding
	ctx     flow.Context
}

// held is a message that what spans messages has a word about. Its record is printed in the ordered stage; or it was
// printed by the worker, with room for what the tracker adds.
type held struct {
	at       int // offset in batch.out
	rec      *record.Record
	ev       any
	item     int // without rec: index of the message in the batch
	root     int // and where the tracker's nodes belong in batch.out, -1 for nowhere
	end      int // and where the printed record ends
	from, to int // and its findings in batch.found
}

const (
	batchItems  = 64
	batchOctets = 256 << 10
	// heldItems is the same where records are held for the ordered stage: a whole record is ten times its message.
	heldItems = 16
	// maxSpareNodes keeps the memory of an outsize record from being used again.
	maxSpareNodes = 8192
	// flushAfter is how long a message may wait for company when the input is slower than the decoder.
	flushAfter = 20 * time.Millisecond
)

// Run decodes everything a source yields. It returns the summary together with the first error that cost output or
// input: a failing sink, a cancelled context, or a capture that could not be read to its end (everything before that
// point has then been decoded and written). With a ring and a source that can be read again, a first pass collects keys
// and identities, so that late ones open earlier messages.
func Run(ctx context.Context, src capture.Source, opt Options, sink Sink) (*Summary, error) {
	opt.Limits = opt.Limits.withDefaults()
	if opt.Workers <= 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	if opt.Dormant && (opt.Ring == nil || opt.headersOnly()) {
		opt.Ring, opt.Dormant = nil, false // nothing that is looked at can be opened
	}
	if again, ok := src.(capture.Rewinder); ok && opt.Ring != nil && opt.TwoPasses && !opt.Dormant && again.Seekable() {
		first := opt
		opt.Ring.Collect()
		first.TwoPasses, first.Explain, first.Tracker, first.Checks, first.Tap, first.Units = false, 0, nil, nil, nil, nil
		if _, err := Run(ctx, src, first, discard{}); err != nil && ctx.Err() != nil {
			return &Summary{}, err
		}
		if err := again.Rewind(); err != nil {
			return &Summary{}, err
		}
		opt.Ring.Freeze()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	p := &pipeline{opt: &opt, sink: sink, ctx: ctx, cancel: cancel, plan: planner{ring: opt.Ring, awake: opt.Ring != nil && !opt.Dormant, opt: &opt}}
	if opt.Ring == nil || opt.Dormant { // a ring learns, so that a message decoded twice may differ
		p.open, _ = sink.(OpenSink)
	}
	p.batchItems = batchItems
	if opt.Tracker != nil && p.open == nil {
		p.batchItems = heldItems
	}
	p.work = make(chan *batch, opt.Workers)
	p.order = make(chan *batch, 2*opt.Workers+2)

	var workers sync.WaitGroup
	for range opt.Workers {
		workers.Go(p.worker)
	}
	written := make(chan struct{})
	go func() { defer close(written); p.write() }()

	readErr := p.read(src)
	close(p.work)
	close(p.order)
	workers.Wait()
	<-written

	p.sum.add(p.flow, src.Stats())
	p.sum.unprinted = p.unprinted
	p.sum.headers = opt.headersOnly()
	if opt.Ring != nil {
		p.sum.ring = opt.Ring.Stats()
	}
	if p.writeErr != nil {
		return &p.sum, p.writeErr
	}
	if err := context.Cause(ctx); err != nil && readErr == nil {
		readErr = err
	}
	return &p.sum, readErr
}

// discard is the sink of the collecting pass.
type discard struct{}

func (discard) Encode(dst []byte, _ *record.Record) []byte { return dst }
func (discard) Write([]byte) error                         { return nil }

type pipeline struct {
	opt    *Options
	sink   Sink
	ctx    context.Context
	cancel context.CancelCauseFunc

	work  chan *batch // to any worker
	order chan *batch // to the writer, in input order

	mu     sync.Mutex // guards cur, which the flush timer shares with the reader
	cur    *batch
	pool   sync.Pool
	spares sync.Pool // records that were held and printed
	number uint64
	asked  exchanges
	plan   planner
	// learner decodes messages that nobody prints, for their keys.
	learner *worker

	dec        *flow.Decoder
	batchItems int
	open       OpenSink     // nil when records are held whole
	again      *worker      // the ordered stage's own, for what has to be printed again
	redone     atomic.Int64 // how much more often than hoped that was so
	added      record.Record
	adder      record.Builder

	stuck      bool   // output did not move on within Options.Patience; under mu, as the next two
	unprinted  uint64 // messages left out for it
	unreported uint64 // of them, those that no finding has told of

	flow     flow.Stats
	sum      Summary // the writer's until it has ended
	writeErr error
}

// errStop ends the reading loop after -c frames without being an error.
var errStop = errors.New("stop")

func (p *pipeline) read(src capture.Source) error {
	cfg := p.opt.Flow
	if p.opt.Tap != nil {
		cfg.Keep = p.opt.Tap.Message
	}
	cfg.Lend = p.opt.forgets(p.open != nil)
	dec := flow.New(cfg, p)
	p.dec = dec
	p.opt.Monitor.begin(p, dec)
	stop := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() { p.tick(stop) })
	err := p.frames(src, dec)
	p.opt.Monitor.flush(dec)
	close(stop)
	ticking.Wait()
	p.mu.Lock()
	p.stuck = false // be patient once more, with the last messages and with what was left out
	if p.flush(); p.unreported > 0 {
		p.confess()
	}
	p.stuck = false
	p.flush()
	p.mu.Unlock()
	p.flow = dec.Stats()
	if err == io.EOF || err == errStop {
		return nil
	}
	return err
}

func (p *pipeline) frames(src capture.Source, dec *flow.Decoder) error {
	var f capture.Frame
	var ff flow.Frame
	for n := uint64(0); ; n++ {
		if p.opt.MaxFrames > 0 && n >= p.opt.MaxFrames {
			return errStop
		}
		if n&0xff == 0 && p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		if err := src.Next(&f); err != nil {
			if notice, ok := err.(*capture.Notice); ok {
				p.notice(notice)
				n-- // it is no frame
				continue
			}
			return err
		}
		if p.opt.Tap != nil {
			if notice := p.opt.Tap.Frame(&f); notice != nil {
				p.notice(notice)
			}
		}
		ff.Number, ff.Time, ff.Data, ff.Orig, ff.Link = f.Number, f.Time, f.Data, f.Orig, f.Link
		ff.File, ff.FileIndex, ff.Interface = f.File, f.FileIndex, f.Interface
		p.opt.Monitor.frame(dec, &ff)
	}
}

// notice makes a finding of what a source or a tap has to tell.
func (p *pipeline) notice(n *capture.Notice) {
	p.Finding(n.Finding, flow.Context{Time: n.Time, Interface: n.Interface})
}

// tick hands over a batch that has been waiting, so that a growing pipe prints its messages as they come.
func (p *pipeline) tick(stop chan struct{}) {
	t := time.NewTicker(flushAfter)
	defer t.Stop()
	var last *batch
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			p.mu.Lock()
			if p.cur != nil && p.cur == last {
				p.flush()
			}
			last = p.cur
			p.mu.Unlock()
		}
	}
}

// forgets tells whether nothing outlives a message but its printed form, so that its octets can serve others: no keys, nothing
// that looks on. A Sink has a record during its calls only. What a Tracker reads owns its memory; open says that records need
// not wait for it whole.
func (o *Options) forgets(open bool) bool {
	return (o.Ring == nil || o.Dormant) && (open || o.Tracker == nil && o.Checks == nil) && o.Tap == nil && o.Units == nil && o.Explain == 0
}

// Unit takes one framed message from the flow decoder.
func (p *pipeline) Unit(u *flow.Unit) {
	p.number++
	if p.opt.Tap != nil {
		p.opt.Tap.Message(u.File, u.Frames)
	}
	if p.opt.Units != nil {
		p.opt.Units(u)
	}
	it := planned{number: p.number, request: p.asked.of(u.HTTP, p.number)}
	p.plan.plan(&it, u)
	if it.keys && p.opt.Dormant {
		p.dec.StopLending() // a ring keeps what it learns; units before this one do not ask it
		if p.opt.Tracker != nil {
			p.batchItems = heldItems // records are held from now on
		}
	}
	p.mu.Lock()
	p.append(u, &it, len(u.Data))
	p.mu.Unlock()
}

// Finding takes a finding about a stream from the flow decoder.
func (p *pipeline) Finding(f record.Finding, c flow.Context) {
	p.mu.Lock()
	p.append(nil, &planned{note: &note{f, c}}, 256)
	p.mu.Unlock()
}

// append adds an item to the batch at hand; u is nil for a finding.
func (p *pipeline) append(u *flow.Unit, it *planned, size int) {
	if p.cur == nil {
		b, _ := p.pool.Get().(*batch)
		if b == nil {
			b = &batch{items: make([]item, 0, batchItems)}
		}
		b.done = make(chan struct{})
		p.cur = b
	}
	b := p.cur
	k := len(b.items)
	b.items = b.items[:k+1] // of what is clear; a batch has room for as many as it may have
	b.items[k].planned = *it
	if u != nil {
		b.items[k].unit = *u
		if l := u.Loan; l != nil && (len(b.loans) == 0 || b.loans[len(b.loans)-1] != l) {
			l.Hold()
			b.loans = append(b.loans, l)
		}
	}
	b.size += size
	if len(b.items) >= p.batchItems || b.size >= batchOctets {
		p.flush()
	}
}

// flush hands the current batch on. It holds the lock while it waits for a free worker, which is the back-pressure
// that keeps memory bounded.
func (p *pipeline) flush() {
	b := p.cur
	if b == nil {
		return
	}
	p.cur = nil
	if !p.offer(b) {
		p.leaveOut(b)
		return
	}
	p.work <- b
	if p.unreported > 0 {
		p.confess()
	}
}

// offer queues a batch for output, with patience. Once it has run out, nothing waits until the output moves again.
func (p *pipeline) offer(b *batch) bool {
	select {
	case p.order <- b:
		p.stuck = false
		return true
	default:
	}
	if p.opt.Patience <= 0 {
		p.order <- b
		return true
	}
	if !p.stuck {
		t := time.NewTimer(p.opt.Patience)
		defer t.Stop()
		select {
		case p.order <- b:
			return true
		case <-t.C:
			p.stuck = true
		}
	}
	return false
}

// leaveOut drops a batch that output has no room for, but learns the keys in it: they may be needed for days.
func (p *pipeline) leaveOut(b *batch) {
	for i := range b.items {
		it := &b.items[i]
		if it.number != 0 {
			p.unprinted++
			p.unreported++
		}
		if it.teaches {
			if p.learner == nil {
				p.learner = newWorker(p.opt)
			}
			p.decode(p.learner, it)
		}
		p.unwrap(it)
		if it.promise != nil {
			it.promise.Keep()
		}
	}
	p.unreported += b.confessed // nobody was told
	p.recycle(b)
}

// unwrapAll opens the I_MESSAGEs of a batch, as many as can be side by side.
func (p *pipeline) unwrapAll(items []item) {
	var queries []*keys.Query
	var raws [][]byte
	for i := range items {
		it := &items[i]
		if it.teaches {
			break // those behind it may need what it brings; they are opened when they are decoded
		}
		for _, raw := range it.mikey {
			queries, raws = append(queries, p.query(it)), append(raws, raw)
		}
	}
	if len(raws) == 0 {
		return
	}
	defer p.opt.Ring.Ahead(queries, raws)()
	for i, raw := range raws {
		p.opt.Ring.Unwrap(queries[i], raw)
	}
}

// unwrap opens the I_MESSAGEs of a message.
func (p *pipeline) unwrap(it *item) {
	for _, raw := range it.mikey {
		p.opt.Ring.Unwrap(p.query(it), raw)
	}
}

func (p *pipeline) query(it *item) *keys.Query {
	return &keys.Query{Seq: it.number, Ctx: p.ctx, Time: time.Unix(0, it.unit.Time)}
}

// decode makes the record of a message or finding.
func (p *pipeline) decode(w *worker, it *item) *record.Record {
	w.mend()
	if it.number == 0 {
		return w.finding(&it.note.finding, &it.note.ctx)
	}
	w.request, w.policy = it.request, it.policy
	w.wake(it.keys)
	return w.guarded(p.ctx, &it.unit, it.number)
}

// confess tells of messages that were left out, ahead of the next ones.
func (p *pipeline) confess() {
	n := p.unreported
	p.unreported = 0
	defer func() {
		if p.cur != nil {
			p.cur.confessed += n
		}
	}()
	p.append(nil, &planned{note: &note{finding: record.Finding{ID: "output-slow", Severity: record.Warning, Clause: "mcxdump",
		Message: fmt.Sprintf("%d messages were decoded by nobody: what reads the output stood still, and capturing does not wait for it", n)}}}, 256)
}

func (p *pipeline) recycle(b *batch) {
	for _, l := range b.loans {
		l.GiveBack()
	}
	clear(b.loans)
	clear(b.items)
	clear(b.held)
	clear(b.found)
	if cap(b.out) > 4<<20 {
		b.out = nil
	}
	b.loans = b.loans[:0]
	b.items, b.out, b.held, b.found, b.size, b.confessed, b.stats = b.items[:0], b.out[:0], b.held[:0], b.found[:0], 0, 0, workStats{}
	p.pool.Put(b)
}

func (p *pipeline) worker() {
	w := newWorker(p.opt)
	for b := range p.work {
		if p.ctx.Err() == nil {
			try(func() { p.unwrapAll(b.items) }) // what fails here fails again, and is told of, with its message
			for i := range b.items {
				it := &b.items[i]
				r := p.decode(w, it)
				if it.promise != nil {
					it.promise.Keep()
				}
				b.stats.count(r, w)
				p.opt.Monitor.record(r)
				if p.opt.Tracker != nil && it.number != 0 {
					if ev := p.track(b, r); ev != nil {
						if p.printOpen(b, i, r, ev) {
							continue
						}
						b.held = append(b.held, held{at: len(b.out), rec: w.keep(&p.spares), ev: ev})
						continue
					}
				}
				b.out = p.encode(b, b.out, r)
			}
		}
		for i := range b.items {
			if it := &b.items[i]; it.promise != nil {
				it.promise.Keep()
			}
		}
		close(b.done)
	}
}

func (p *pipeline) write() {
	var merged []byte
	for b := range p.order {
		<-b.done
		out := b.out
		if len(b.held) > 0 {
			merged = p.attach(merged[:0], b)
			out = merged
		}
		if p.writeErr == nil && len(out) > 0 && p.ctx.Err() == nil {
			if err := p.sink.Write(out); err != nil {
				p.writeErr = err
				p.cancel(err)
			}
		}
		p.sum.work.merge(&b.stats)
		p.recycle(b)
	}
}
