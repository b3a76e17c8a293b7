package decode

import (
	"context"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/mikeyparse"
	"github.com/mcxdump/mcxdump/sipparse"
)

// Body decodes one body without a capture: data is taken as the given media type or register name ("mikey"), or
// recognised by content when that is empty. The record is a message record without addresses.
func Body(ctx context.Context, mediaType string, data []byte, at time.Time, opt Options) *record.Record {
	opt.Limits = opt.Limits.withDefaults()
	w := newWorker(&opt)
	if fault := try(func() { w.alone(ctx, mediaType, data, at) }); fault != "" {
		w = newWorker(&opt)
		r := w.reset()
		r.Type, r.Number, r.Time = record.Message, 1, at.UnixNano()
		w.b.Source(record.Source{Kind: record.Captured, Name: "input", Data: data, Parent: -1})
		w.b.Finding(faultFinding("", fault, "no more than its octets are shown"))
	}
	return &w.rec
}

// alone makes the record of Body.
func (w *worker) alone(ctx context.Context, mediaType string, data []byte, at time.Time) {
	opt := w.opt
	r := w.reset()
	r.Type, r.Number, r.Time = record.Message, 1, at.UnixNano()
	w.c.Time, w.c.learns = at.UnixNano(), true
	w.begin(1, r.Time, ctx)
	w.b.Source(record.Source{Kind: record.Captured, Name: "input", Data: data, Parent: -1})
	if opt.Ring != nil {
		if raw, _, err := mikeyparse.Decode(data); err == nil {
			opt.Ring.Unwrap(w.c.query(), raw)
		}
	}
	if mediaType == "" && sipparse.LooksLikeStart(data) || mediaType == "message/sip" || mediaType == "sip" {
		w.sip(0, 0, 0, data, true)
	} else {
		p := Part{Path: "1", Type: mediaType, Data: data}
		for _, t := range bodyTypes {
			if t.Name == mediaType && len(t.Types) > 0 {
				p.Type = t.Types[0]
			}
		}
		w.body(&p)
	}
	w.explained()
	w.finish()
}
