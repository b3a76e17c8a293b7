package decode

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"unsafe"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// message is the state of one SIP or HTTP message while it is decoded. A message/sip body has its own, one level deeper.
type message struct {
	sip   sipparse.Message
	split sipparse.Splitter
	parts []Part // leaf bodies, depth-first
	homes []home
	http  bool
	// secret is set when a header field may hold a credential or a token.
	secret bool
	src    int // source that the message's octets are in
	base   int // and where in it they begin
	depth  int
}

// home is where the content of a part lies: in the message's source, or in a decoded one.
type home struct{ src, off int }

// place is a span of the message as a place in the record.
func (m *message) place(s sipparse.Span) record.Place {
	return record.At(m.src, m.base+int(s.Off), int(s.Len))
}

// text is a span as a string that shares the message's octets, which never change once they are framed.
func text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

// worker decodes one message at a time. Its record and buffers serve the next one.
type worker struct {
	opt  *Options
	rec  record.Record
	b    record.Builder
	c    Context
	msgs []*message
	info []byte
	xml  xmlTemplates

	strings stringArena
	heads   sipparse.Memory
	mikeys  mikeyMemory
	seals   sealMemory

	skim   bool // bodies are not read, but for messages inside
	want   record.Want
	plain  bool     // want and skim where the ring is not asked
	start  bool     // and lean
	words  bool     // nothing but what is said of bodies may be wanted: no ring is asked, nothing looks at whole messages
	lean   bool     // of the SIP header only the start line is wanted, as in one line a message
	asleep bool     // it is not
	policy *policy  // what service configurations said
	steps  []string // of --explain
	checks checkRun

	response, mcx bool
	cut           bool     // the capture lacks the end of the message
	request       uint64   // number of the request that an HTTP response answers
	whole         *Options // those to go back to after a fault, or nil
}

func newWorker(opt *Options) *worker {
	w := &worker{opt: opt}
	w.b.Want = opt.Want
	w.b.MaxNodes = opt.Limits.Nodes
	if opt.Tracker != nil || opt.Checks != nil {
		w.b.Want = opt.tracked()
	}
	w.want, w.plain, w.start = w.b.Want, opt.headersOnly(), startLineOnly(&w.b.Want)
	w.asleep = true
	w.wake(opt.Ring != nil && !opt.Dormant)
	return w
}

// wake has the next message ask the ring, or not. A ring learns from what the bodies say, whatever is printed.
func (w *worker) wake(on bool) {
	w.asleep = !on
	w.b.Want, w.skim, w.lean = w.want, w.plain, w.start
	if on {
		w.b.Want, w.skim, w.lean = record.All(), false, false
	}
	w.words = !on && w.opt.Tracker == nil && w.opt.Checks == nil && w.opt.Explain == 0
}

// tracked is what is built when something looks at whole messages: everything, or what a tracker alone has use for.
func (o *Options) tracked() record.Want {
	t, ok := o.Tracker.(interface{ Needs() record.Want })
	if !ok || o.Checks != nil || o.Explain != 0 {
		return record.All()
	}
	var w record.Want
	w.Merge(t.Needs())
	w.Merge(o.Want)
	return w
}

// startLineOnly tells whether no field of the SIP header is wanted beyond those of the start line.
func startLineOnly(want *record.Want) bool {
	for _, f := range record.Fields() {
		switch f {
		case fSIP, fSIPType, fSIPMethod, fSIPRequestURI, fSIPStatus, fSIPReason, fSIPVersion:
		default:
			if strings.HasPrefix(f.Name, "sip.") && want.Has(f) {
				return false
			}
		}
	}
	return true
}

// headersOnly tells whether everything that is looked at stands in the header fields or beside the message.
func (o *Options) headersOnly() bool {
	if !o.FieldsOnly || o.Ring != nil && !o.Dormant || o.Tracker != nil || o.Checks != nil || o.Explain != 0 || o.Want.Everything() {
		return false
	}
	for _, f := range record.Fields() {
		if !o.Want.Has(f) {
			continue
		}
		switch root, _, _ := strings.Cut(f.Name, "."); {
		case root == "sip", root == "http", root == "tls":
		case root == "findings", root == "info", f.Get == nil:
			return false
		}
	}
	return true
}

// reset clears the record for the next message and keeps its memory.
func (w *worker) reset() *record.Record {
	r := &w.rec
	*r = record.Record{Nodes: r.Nodes[:0], Sources: r.Sources[:0], Prots: r.Prots[:0], Findings: r.Findings[:0]}
	w.b.Reset(r)
	w.c = Context{B: &w.b, opt: w.opt, words: w.c.words[:0], xml: &w.xml, mikeys: &w.mikeys, seals: &w.seals, strings: &w.strings, planMikey: w.words}
	w.seals.n = 0
	w.response, w.mcx, w.cut = false, false, false
	return r
}

// keep gives away the record just made; the next one gets other memory, from records that were printed.
func (w *worker) keep(spares *sync.Pool) *record.Record {
	r, _ := spares.Get().(*record.Record)
	if r == nil {
		r = new(record.Record)
	}
	*r, w.rec = w.rec, *r
	r.Info = strings.Clone(r.Info)
	return r
}

// message decodes one unit. The record is valid until the next call.
func (w *worker) message(ctx context.Context, u *flow.Unit, number uint64) *record.Record {
	r := w.open(ctx, u, number)
	if u.Truncated && len(u.Findings) == 0 {
		clause := "RFC 3261 18.3"
		if u.HTTP != nil {
			clause = "RFC 9112 8"
		}
		w.b.Finding(record.Finding{ID: "message-truncated", Severity: record.Warning, Clause: clause,
			Message: "the end of the message is not in the capture", Len: uint32(len(u.Data)), HasRange: true})
	}
	w.esp(u)
	w.tls(u.TLS)
	switch {
	case u.HTTP != nil:
		w.http(u)
	case w.sip(0, 0, 0, u.Data, !u.Stream):
		w.espVerified(u)
	}
	w.explained()
	w.finish()
	return r
}

// open begins the record of a unit, with its octets and what its framing found.
func (w *worker) open(ctx context.Context, u *flow.Unit, number uint64) *record.Record {
	r := w.reset()
	w.begin(number, u.Time, ctx)
	r.Type, r.Number, r.Time, r.Frames, r.File, r.Interface = record.Message, number, u.Time, u.Frames, u.File, u.Interface
	r.Transport, r.Encap, r.Quoted, r.Src, r.Dst = u.Transport, u.Encap, u.Quoted, u.Src, u.Dst
	w.c.Time, w.cut = u.Time, u.Truncated
	kind, name := record.Captured, "captured"
	if u.Reassembled {
		kind, name = record.Reassembled, "reassembled"
	}
	w.b.Source(record.Source{Kind: kind, Name: name, Data: u.Data, Parent: -1, Segments: u.Segments})
	for _, f := range u.Findings {
		w.b.Finding(f)
	}
	return r
}

// finish writes the one-line description and accounts for what did not fit.
func (w *worker) finish() {
	r := &w.rec
	w.mcx = w.c.mcx
	if w.b.Dropped > 0 {
		w.b.Finding(record.Finding{ID: "limit-nodes", Severity: record.Warning, Clause: "mcxdump",
			Message: "the message is larger than the limits of one record; " + itoa(w.b.Dropped) + " items were left out"})
	}
	w.info = w.info[:0]
	for i, s := range w.c.words {
		if i > 0 {
			w.info = append(w.info, ", "...)
		}
		w.info = append(w.info, s...)
	}
	r.Info = text(w.info)
}

// finding makes the record of a finding that belongs to no message.
func (w *worker) finding(f *record.Finding, ctx *flow.Context) *record.Record {
	r := w.reset()
	r.Type, r.Time, r.File, r.Interface = record.FindingType, ctx.Time, ctx.File, ctx.Interface
	r.Transport, r.Encap, r.Src, r.Dst = ctx.Transport, ctx.Encap, ctx.Src, ctx.Dst
	r.Frames = f.Frames
	if len(r.Frames) == 0 && ctx.Number != 0 {
		r.Frames = []uint64{ctx.Number}
	}
	r.Info = f.Message
	w.tls(ctx.TLS)
	w.b.Finding(*f)
	return r
}

// at returns the state for a nesting depth.
func (w *worker) at(depth int) *message {
	for len(w.msgs) <= depth {
		w.msgs = append(w.msgs, &message{})
	}
	return w.msgs[depth]
}

// sip parses octets as a SIP message and adds its nodes and those of its bodies. It reports whether they are one.
func (w *worker) sip(depth, src, base int, data []byte, datagram bool) bool {
	m := w.at(depth)
	m.src, m.base, m.depth, m.http = src, base, depth, false
	if err := m.sip.Parse(data, sipparse.Options{Datagram: datagram, Memory: &w.heads}); err != nil {
		return false
	}
	if depth == 0 {
		w.response = !m.sip.Request
	}
	if head := data[:m.sip.HeaderEnd]; bytes.Contains(head, []byte("</")) && !w.opt.ShowSecrets && len(record.PlainSecrets(head)) > 0 {
		// What follows on a gap in a stream can be the middle of a document of keys, which no header field knows to withhold.
		w.b.Finding(record.Finding{ID: "sip-holds-secrets", Severity: record.Error, Clause: "mcxdump", Source: uint16(src), Off: uint32(base), Len: uint32(len(head)), HasRange: true,
			Message: "the header section holds XML with elements that are secrets, such as keys of a KMS: nothing of it is shown"})
		return true
	}
	outer := w.c.msg
	w.c.msg = m
	defer func() { w.c.msg = outer }()
	first := len(w.rec.Findings)
	for i := range m.sip.Diags {
		if d := &m.sip.Diags[i]; depth > 0 || !w.cut || !blameTheCut(d, len(data)) {
			w.diag(m, d, "", 0)
		}
	}
	m.secret = headersMayHoldSecret(&m.sip)
	w.secrets(m)
	w.learnHeaders(m)
	from := len(w.rec.Nodes)
	w.header(m)
	if depth > 0 {
		// The bodies of an embedded message nest inside its sip object; those of the captured one stand beside it.
		w.bodies(m)
		w.check(m, from, first)
		w.b.Close()
		return true
	}
	w.b.Close()
	w.bodies(m)
	w.check(m, from, first)
	if len(w.c.words) == 0 && !w.skim {
		if m.sip.Request {
			w.c.Say(text(m.sip.Bytes(m.sip.RequestURI)))
		} else if cseq, err := sipparse.ParseCSeq(m.sip.Value(sipparse.HdrCSeq)); err == nil {
			w.c.Say(w.c.join("answer to ", text(cseq.Method.In(m.sip.Value(sipparse.HdrCSeq)))))
		}
	}
	return true
}

// blameTheCut reports whether a defect of a truncated message is only that its end is missing.
func blameTheCut(d *sipparse.Diag, size int) bool {
	return strings.Contains(d.ID.String(), "missing") || int(d.Off)+int(d.Len) >= size || d.Header == sipparse.HdrContentLength
}

// diag turns a diagnostic of sipparse into a finding.
func (w *worker) diag(m *message, d *sipparse.Diag, body string, shift int) {
	protocol := "sip-"
	if m.http {
		protocol = "http-"
	}
	f := record.Finding{ID: protocol + d.ID.String(), Severity: severity(d.Severity()), Clause: d.Clause(), Message: d.Message(), Body: body}
	if f.Clause == "" {
		f.Clause = "mcxdump" // a limit of ours, or octets that were not captured
	}
	if p := record.At(m.src, m.base+int(d.Off)+shift, int(d.Len)); p.Known {
		f.Source, f.Off, f.Len, f.HasRange = uint16(p.Src), p.Off, p.Len, true
	}
	if fld := headerField(d.Header); fld != nil {
		f.Field = fld.Name
	}
	w.b.Finding(f)
}

func severity(s sipparse.Severity) record.Severity {
	switch s {
	case sipparse.SevError:
		return record.Error
	case sipparse.SevWarning:
		return record.Warning
	}
	return record.Note
}

// bodies splits the MIME tree and hands every leaf to its dissector.
func (w *worker) bodies(m *message) {
	m.parts = m.parts[:0]
	if w.skim && w.opt.Monitor == nil && !m.sip.MayCarryMessage() {
		return // a Monitor counts what is wrong with the parts
	}
	w.mime(m, m.split.Parts(&m.sip, sipparse.Limits{Parts: w.opt.Limits.Parts}))
}

// mime hands every leaf of a MIME tree to its dissector. Its spans count from m.base in source m.src.
func (w *worker) mime(m *message, mime []sipparse.Part) {
	if len(mime) == 0 {
		return
	}
	// home[i] is where the content of part i lies: in the message's source, or in a decoded one.
	homes := append(m.homes[:0], make([]home, len(mime))...)
	m.homes = homes
	for i := range mime {
		p := &mime[i]
		h := home{m.src, m.base + p.Off}
		if p.Derived {
			a := p.Parent
			for a >= 0 && !mime[a].Decoded {
				a = mime[a].Parent
			}
			if a >= 0 {
				h = home{homes[a].src, p.Off}
			}
		}
		if p.Decoded {
			s := w.b.Source(record.Source{Kind: record.Decoded, Name: p.Encoding + "-decoded body " + p.Path, Data: p.Data,
				Parent: h.src, ParentOff: uint32(h.off), ParentLen: p.Raw.Len})
			if s < 0 {
				continue
			}
			h = home{s, 0}
		}
		homes[i] = h
		for k := range p.Diags {
			d := p.Diags[k]
			if m.http && d.ID == sipparse.DiagMissingContentType {
				continue // which HTTP leaves to the receiver (RFC 9110 8.3)
			}
			if p.Derived {
				d.Off, d.Len = 0, 0
			}
			w.diag(m, &d, p.Path, 0)
		}
		if p.Container {
			continue
		}
		m.parts = append(m.parts, Part{Path: p.Path, Type: p.Type.Full, ContentID: p.ContentID, Data: p.Data, Src: h.src, Off: h.off, Depth: m.depth, mime: p})
	}
	for i := range m.parts {
		if w.skim && !holdsMessage(&m.parts[i]) {
			continue
		}
		from := len(w.rec.Nodes)
		w.body(&m.parts[i])
		w.learnBody(from)
	}
}

// body adds one leaf body: what every body has, then what its dissector finds.
func (w *worker) body(p *Part) {
	b := &w.b
	b.Open(fBodies, p.Place(0, len(p.Data)))
	b.Str(fBodyPath, p.Path, record.Place{})
	if p.Type != "" {
		b.Str(fBodyType, p.Type, record.Place{})
	}
	if p.ContentID != "" {
		b.Str(fBodyCID, p.ContentID, record.Place{})
	}
	if p.mime != nil {
		if p.mime.Disposition != "" {
			b.Str(fBodyDispo, p.mime.Disposition, record.Place{})
		}
		if p.mime.Encoding != "" {
			b.Str(fBodyEncoding, p.mime.Encoding, record.Place{})
		}
	}
	b.Num(fBodyLength, int64(len(p.Data)), record.Place{})
	w.dissect(p)
	b.Close()
}

// holdsMessage tells whether a body is a SIP message itself.
func holdsMessage(p *Part) bool {
	return p.Type == "message/sip" || p.Type == "message/sipfrag" || p.Type == "" && sipparse.LooksLikeStart(p.Data)
}

func (w *worker) dissect(p *Part) {
	if holdsMessage(p) {
		w.embedded(p)
		return
	}
	t := bodyFor(p)
	switch {
	case t == nil:
	case !t.plans || !w.words:
		t.Dissect(&w.c, p)
	default:
		w.xml.dissect(&w.c, t, p)
	}
}

// embedded decodes a message/sip or message/sipfrag body (RFC 3261 27.5, RFC 3420) as a message of its own.
func (w *worker) embedded(p *Part) {
	if p.Depth+1 > w.opt.Limits.Depth {
		w.c.Find("limit-depth", record.Warning, "mcxdump", "message/sip inside message/sip goes deeper than the limit; this one was not opened", p, fBodies, p.Place(0, len(p.Data)))
		return
	}
	if w.sip(p.Depth+1, p.Src, p.Off, p.Data, true) {
		inner := &w.at(p.Depth + 1).sip
		if p.Depth == 0 {
			if inner.Request {
				w.c.Say("carries " + text(inner.Bytes(inner.Method)))
			} else {
				w.c.Say("carries " + itoa(inner.Status))
			}
		}
		return
	}
	if p.Type == "message/sipfrag" {
		// A fragment may lack the start line (RFC 3420 2): show it as text.
		if t := bodyByType("text/plain"); t != nil {
			t.Dissect(&w.c, p)
		}
		return
	}
	w.b.Str(fBodyError, "no SIP start line", p.Place(0, 0))
	w.c.Find("TPR-02", record.Error, "TS 24.379 7.3.1A", "the "+strings.ToLower(p.Type)+" body does not begin with a SIP start line", p, fBodyError, p.Place(0, min(len(p.Data), 64)))
}
