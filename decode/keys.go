package decode

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/mikeyparse"
	"github.com/mcxdump/mcxdump/sipparse"
)

// How keys enter the pipeline. The serial stage reads the names out of every I_MESSAGE and makes a promise to the ring;
// a worker first unwraps all I_MESSAGEs of its batch, which is where the time goes and needs nothing from other
// messages, and then decodes the messages one by one; a look-up that misses waits for earlier messages only.

// planner is the serial stage's part.
type planner struct {
	ring   *keys.Ring
	awake  bool // the ring is asked: keys were given, or a message came that may have brought some
	opt    *Options
	sip    [3]sipparse.Message
	split  sipparse.Splitter
	policy *policy
}

// maxPlanned bounds the I_MESSAGEs of one message that are opened ahead.
const maxPlanned = 16

// plan announces a message to the ring and notes the I_MESSAGEs that it carries.
func (p *planner) plan(it *planned, u *flow.Unit) {
	if u.HTTP != nil && p.opt.Checks != nil {
		p.policy = p.policy.after(p, u)
	}
	it.policy = p.policy
	if p.ring == nil {
		return
	}
	it.teaches = mayTeach(u)
	p.awake = p.awake || it.teaches
	if it.keys = p.awake; !it.keys {
		return
	}
	if it.teaches {
		it.promise = p.ring.PromiseMaterial(it.number)
		return
	}
	if u.HTTP != nil {
		if b := planContent(u.HTTP, u.Data); mayCarryMikey(b) {
			p.parts(0, sipparse.SplitParts([]byte(u.HTTP.Get("content-type")), b, 0, sipparse.Limits{}), &it.mikey)
		}
	} else if mayCarryMikey(u.Data) {
		p.collect(0, u.Data, !u.Stream, &it.mikey)
	}
	var ids []uint32
	for _, raw := range it.mikey {
		n, _ := mikeyparse.Names(raw)
		ids = append(ids, n.CSBID)
		if m, _ := mikeyparse.Parse(raw, nil); m != nil {
			if id, ok := m.GMKID(); ok {
				ids = append(ids, id)
			}
		}
	}
	it.promise = p.ring.Promise(it.number, ids)
}

// mayTeach is the cheap look whether a message may bring key material of a KMS: a response over HTTP that has the name of
// such a document in it, or whose coding hides it.
func mayTeach(u *flow.Unit) bool {
	h := u.HTTP
	if h == nil || h.Request || h.ContentEnd <= h.HeaderEnd {
		return false
	}
	if h.Get("content-encoding") != "" {
		return strings.Contains(h.RequestTarget, "/keymanagement/") || strings.Contains(h.Get("content-type"), "xml")
	}
	content := u.Data[h.HeaderEnd:h.ContentEnd]
	return bytes.Contains(content, []byte("Kms")) || bytes.Contains(content, []byte("kms")) && bytes.Contains(bytes.ToLower(content), []byte("<kms"))
}

// mayCarryMikey is the cheap look: a media type or an SDP attribute names it in one of these spellings.
func mayCarryMikey(b []byte) bool {
	return bytes.Contains(b, []byte("mikey")) || bytes.Contains(b, []byte("MIKEY")) || bytes.Contains(b, []byte("Mikey"))
}

func (p *planner) collect(depth int, data []byte, datagram bool, out *[][]byte) {
	if depth >= len(p.sip) || len(*out) >= maxPlanned {
		return
	}
	m := &p.sip[depth]
	if m.Parse(data, sipparse.Options{Datagram: datagram}) != nil {
		return
	}
	p.parts(depth, m.Parts(sipparse.Limits{}), out)
}

func (p *planner) parts(depth int, parts []sipparse.Part, out *[][]byte) {
	for _, part := range parts {
		switch {
		case len(*out) >= maxPlanned:
			return
		case part.Container:
		case part.Type.Full == "message/sip":
			p.collect(depth+1, part.Data, true, out)
		case part.Type.Full == "application/sdp":
			for l := range mikeyparse.KeyMgmt(part.Data) {
				if raw, err := l.Decode(); err == nil && l.Mikey() && len(*out) < maxPlanned {
					*out = append(*out, raw)
				}
			}
		case strings.Contains(part.Type.Full, "mikey") || looksLikeMikey(part.Data):
			if raw, _, err := mikeyparse.Decode(part.Data); err == nil {
				*out = append(*out, raw)
			}
		}
	}
}

// query is what the message at hand asks the ring with.
func (c *Context) query() *keys.Query { return &c.q }

// begin sets up the query for a message and gives the ring the URIs of its header fields.
func (w *worker) begin(seq uint64, ns int64, ctx context.Context) {
	if w.opt.Ring == nil || w.asleep {
		return
	}
	w.c.ring = w.opt.Ring
	w.c.q = keys.Query{Seq: seq, Ctx: ctx, Time: time.Unix(0, ns)}
	if w.opt.Explain == seq {
		w.c.q.Explain = func(step string) {
			if len(w.steps) < 1000 {
				w.steps = append(w.steps, step)
			}
		}
	}
}

// learnHeaders gives the ring the identities in a message's header fields.
func (w *worker) learnHeaders(m *message) {
	if w.c.ring == nil {
		return
	}
	s := &m.sip
	for i := range s.Headers {
		h := &s.Headers[i]
		switch h.ID {
		case sipparse.HdrFrom, sipparse.HdrTo, sipparse.HdrPAssertedIdentity, sipparse.HdrPPreferredIdentity, sipparse.HdrReferTo:
		default:
			continue
		}
		v := s.Bytes(h.Value)
		for e := range sipparse.SplitList(v) {
			na, _ := sipparse.ParseNameAddr(e.In(v))
			if u := na.URISpan.In(na.Raw); len(u) > 0 {
				w.learn(string(u))
			}
		}
	}
	if s.Request {
		w.learn(string(s.Bytes(s.RequestURI)))
	}
}

func (w *worker) learn(uri string) {
	w.c.ring.Learn(w.c.q.Seq, uri)
	if len(w.c.q.URIs) < 32 {
		w.c.q.URIs = append(w.c.q.URIs, uri)
	}
}

// learnBody gives the ring the URIs in the nodes that a body added, decrypted ones and claims of tokens included.
func (w *worker) learnBody(from int) {
	if w.c.ring == nil {
		return
	}
	n := 0
	for i := from; i < len(w.rec.Nodes) && n < 256; i++ {
		s := w.rec.Nodes[i].Str
		if len(s) < 5 || len(s) > 512 {
			continue
		}
		s = strings.Trim(s, `"`) // a claim is JSON text
		if strings.HasPrefix(s, "sip:") || strings.HasPrefix(s, "sips:") || strings.HasPrefix(s, "tel:") {
			w.learn(s)
			n++
		}
	}
}

// The steps of --explain.
var fExplain = regList("explain", "Key search", "mcxdump", record.String)

func (w *worker) explained() {
	if len(w.steps) == 0 {
		return
	}
	w.b.Depth()
	for _, s := range w.steps {
		w.b.Str(fExplain, s, record.Place{})
	}
	w.steps = w.steps[:0]
}

// fromRing turns an outcome of the ring into the protection that the record shows.
func fromRing(o keys.Outcome, algorithm string) record.Protection {
	p := record.Protection{Encrypted: true, Algorithm: algorithm}
	if o.KeyID != 0 {
		p.KeyID = keys.FormatID(o.KeyID)
	}
	switch {
	case o.OK:
		p.State, p.Variant = record.Opened, o.Variant
	case o.Reason == keys.ReasonTagMismatch || o.Reason == keys.ReasonHMACMismatch || o.Reason == keys.ReasonMalformed || o.Reason == keys.ReasonUnsupported:
		p.State = record.Failed
	default:
		p.State = record.NoKey
	}
	p.Reason = reasonOf(o.Reason)
	return p
}

func reasonOf(r keys.Reason) record.Reason {
	for i, name := range record.Reasons() {
		if name == string(r) {
			return record.Reason(i + 1)
		}
	}
	return record.NoReason
}
