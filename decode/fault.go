package decode

import (
	"context"
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// trapFaults has a fault of ours end the reading of one message, not the run: captures are taken once. The tests of this package
// clear it.
var trapFaults = true

// FaultID is the finding of a message that mcxdump itself fails on: a panic, which ends that message alone.
const FaultID = "internal-fault"

// guarded is message, but for a panic: then the header fields of the message are read again without its bodies, keys and checks;
// when those cannot be read either, its octets are shown. What the worker remembers of other messages is given up.
func (w *worker) guarded(ctx context.Context, u *flow.Unit, number uint64) *record.Record {
	fault := try(func() { w.message(ctx, u, number) })
	if fault == "" {
		return &w.rec
	}
	opt := *w.opt
	opt.Checks, opt.Tracker, opt.Ring, opt.Explain = nil, nil, nil, 0
	fresh := func() {
		request, policy, whole := w.request, w.policy, w.whole
		if whole == nil {
			whole = w.opt
		}
		*w = *newWorker(&opt)
		w.request, w.policy, w.whole, w.skim = request, policy, whole, true
	}
	fresh()
	shown := "header fields"
	if try(func() { w.message(ctx, u, number) }) != "" {
		fresh()
		w.open(ctx, u, number)
		w.finish()
		shown = "octets"
	}
	w.b.Finding(faultFinding("", fault, "no more than its "+shown+" are shown"))
	return &w.rec
}

// mend gives the worker back what guarded took.
func (w *worker) mend() {
	if w.whole != nil {
		*w = *newWorker(w.whole)
	}
}

// try does something and says where and why it failed, "" if it did not.
func try(do func()) (fault string) {
	if trapFaults {
		defer func() {
			if e := recover(); e != nil {
				fault = faultOf(e)
			}
		}()
	}
	do()
	return ""
}

// faultFinding is what is said of a fault; what says what went wrong, and rest what there is all the same.
func faultFinding(what, fault, rest string) record.Finding {
	return record.Finding{ID: FaultID, Severity: record.Error, Clause: "mcxdump",
		Message: "mcxdump fails on this message, " + what + fault + "; " + rest + ". This is a fault of mcxdump, please report it"}
}

// encode is the sink's Encode. A record that cannot be printed is told of in the place of it.
func (p *pipeline) encode(b *batch, dst []byte, r *record.Record) []byte {
	out := dst
	fault := try(func() { out = p.sink.Encode(dst, r) })
	if fault == "" {
		return out
	}
	short := record.Record{Type: r.Type, Number: r.Number, Time: r.Time, Frames: r.Frames, File: r.File, Interface: r.Interface,
		Transport: r.Transport, Encap: r.Encap, Quoted: r.Quoted, Src: r.Src, Dst: r.Dst, Findings: []record.Finding{faultFinding("printing it ", fault, "nothing of it is shown")}}
	b.stats.findings(short.Findings)
	return p.sink.Encode(dst, &short)
}

// track is the tracker's Read, and trackAdd its Add.
func (p *pipeline) track(b *batch, r *record.Record) (ev any) {
	if fault := try(func() { ev = p.opt.Tracker.Read(r) }); fault != "" {
		f := faultFinding("following its session ", fault, "its session does not know of it")
		r.Findings = append(r.Findings, f)
		b.stats.findings([]record.Finding{f})
	}
	return ev
}

func (p *pipeline) trackAdd(ev any, b *record.Builder) (fs []record.Finding) {
	if fault := try(func() { fs = p.opt.Tracker.Add(ev, b) }); fault != "" {
		fs = []record.Finding{faultFinding("following its session ", fault, "its session does not know of it")}
		b.Finding(fs[0])
	}
	return fs
}

// faultOf names the function of ours that panicked, and says why if the runtime does: in other values there may be anything. It
// must be called from the deferred function itself.
func faultOf(e any) string {
	why := ""
	if err, ok := e.(runtime.Error); ok {
		why = ": " + strings.TrimPrefix(err.Error(), "runtime error: ")
	}
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("at %s (%s:%d)%s", path.Base(f.Function), path.Base(f.File), f.Line, why)
		}
		if !more {
			return "at a place unknown" + why
		}
	}
}
