package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/output"
)

// What a finding says of its message, by the name of the field.
const (
	sawMethod = iota
	sawStatus
	sawCallID
	sawCSeqMethod
	sawFrom
	sawService
	sawIMPU
	sawMCID
	sawClientID
	sawKind
	sawState
	sawCount
)

var sawNames = [sawCount]string{"sip.method", "sip.status", "sip.call_id", "sip.cseq.method", "sip.from.uri", "session.service", "session.impu", "session.mc_id", "session.client_id", "session.kind", "session.state"}

// sawFields has 1 more than the index of a field's name, by the field's number.
var sawFields = sync.OnceValue(func() []uint8 {
	t := make([]uint8, len(record.Fields()))
	for i, n := range sawNames {
		if ref, ok := record.Lookup(n); ok {
			t[ref.Field.ID()] = uint8(i + 1)
		}
	}
	return t
})

// see takes the first value of each field out of a record: that of the captured message, since embedded ones come after.
func see(r *record.Record) (saw [sawCount]record.Value) {
	fields := sawFields()
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if n.Field.ID() >= len(fields) {
			continue
		}
		if k := fields[n.Field.ID()]; k > 0 && !saw[k-1].Valid {
			saw[k-1] = r.Value(n)
		}
	}
	return saw
}

// Encode is called by the workers. It appends what Write wants to know of each finding.
func (c *checkReport) Encode(dst []byte, r *record.Record) []byte {
	if r.Type == record.SummaryType || !slices.ContainsFunc(r.Findings, func(f record.Finding) bool { return shown(&f) }) {
		return dst
	}
	saw := see(r)
	base := checkFinding{Schema: checkSchema, Number: r.Number, Frames: r.Frames, File: r.File, Method: saw[sawMethod].Str, Status: saw[sawStatus].Num, CallID: saw[sawCallID].Str}
	if base.Method == "" || base.Status != 0 {
		base.Method = saw[sawCSeqMethod].Str
	}
	ses := checkSession{Service: saw[sawService].Str, IMPU: saw[sawIMPU].Str, MCID: saw[sawMCID].Str, ClientID: saw[sawClientID].Str, Kind: saw[sawKind].Str, State: saw[sawState].Str}
	if ses.IMPU == "" && ses.Service == "" {
		ses.IMPU = saw[sawFrom].Str
	}
	if ses != (checkSession{}) {
		base.Session = &ses
	}
	if c.json {
		base.Time = time.Unix(0, r.Time).UTC().Format("2006-01-02T15:04:05.000000000Z")
	}
	words := base.Session.words()
	for i := range r.Findings {
		f := &r.Findings[i]
		if !shown(f) {
			continue
		}
		x := base
		x.ID, x.Severity, x.Clause, x.Message, x.Body, x.Field = f.ID, f.Severity.String(), f.Clause, f.Message, f.Body, f.Field
		if k, ok := checkRules()[f.ID]; ok {
			x.Title = k.Title
		}
		if len(f.Frames) > 0 {
			x.Frames = f.Frames
		}
		if x.Frames == nil {
			x.Frames = []uint64{}
		}
		if f.HasRange {
			x.Source, x.Offset, x.Length = &f.Source, &f.Off, &f.Len
		}
		x.Fingerprint = fingerprint(&x)
		x.Accepted = c.accepted[x.ID+" "+x.Fingerprint]
		dst = appendFound(dst, &x, f.Severity, r.Time, words)
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		if c.json {
			dst = x.appendJSON(dst)
		}
		binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst
}

// appendFound appends a finding as takeFound reads it: numbers, frames, texts.
func appendFound(dst []byte, x *checkFinding, sev record.Severity, at int64, words string) []byte {
	accepted := byte(0)
	if x.Accepted {
		accepted = 1
	}
	dst = append(dst, byte(sev), accepted)
	dst = binary.AppendVarint(dst, at)
	dst = binary.AppendUvarint(dst, x.Number)
	frames := x.Frames[:min(len(x.Frames), groupFrames)] // what a group keeps
	dst = binary.AppendUvarint(dst, uint64(len(frames)))
	for _, n := range frames {
		dst = binary.AppendUvarint(dst, n)
	}
	for _, s := range [...]string{words, x.ID, x.Fingerprint, x.Clause, x.Message, x.File, x.Body, x.Field} {
		if !utf8.ValidString(s) {
			s = string([]rune(s)) // as in JSON
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	return dst
}

// found is a finding on its way from a worker to the report.
type found struct {
	sev      record.Severity
	accepted bool
	time     int64
	number   uint64
	frames   [groupFrames]uint64
	framesN  int
	words    []byte
	id       []byte
	print    []byte
	clause   []byte
	message  []byte
	file     []byte
	body     []byte
	field    []byte
	json     []byte
}

// takeFound reads a finding from the beginning of b and returns the rest.
func (f *found) takeFound(b []byte) []byte {
	f.sev, f.accepted, b = record.Severity(b[0]), b[1] != 0, b[2:]
	at, n := binary.Varint(b)
	f.time, b = at, b[n:]
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		b = b[n:]
		return v
	}
	f.number = number()
	f.framesN = int(number())
	for i := range f.framesN {
		f.frames[i] = number()
	}
	for _, p := range [...]*[]byte{&f.words, &f.id, &f.print, &f.clause, &f.message, &f.file, &f.body, &f.field} {
		n := number()
		*p, b = b[:n], b[n:]
	}
	size := binary.LittleEndian.Uint32(b)
	f.json = b[4 : 4+size]
	return b[4+size:]
}

// Write is called in input order by one goroutine.
func (c *checkReport) Write(b []byte) error {
	var f found
	for len(b) > 0 {
		b = f.takeFound(b)
		if f.accepted {
			c.known++
		} else {
			c.counts[f.sev]++
			if !c.never && f.sev >= c.least {
				c.failing++
			}
		}
		c.group(&f)
		if len(f.json) > 0 {
			if _, err := c.out.Write(f.json); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *checkFinding) appendJSON(dst []byte) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if enc.Encode(x) != nil {
		return dst // strings and numbers always encode
	}
	return output.AppendSafeJSON(dst, buf.String())
}

// groupKey tells the groups apart.
type groupKey struct {
	session, id, print string
	sev                record.Severity
}

func (c *checkReport) group(f *found) {
	g := c.groups[groupKey{string(f.words), string(f.id), string(f.print), f.sev}]
	if g == nil {
		if len(c.groups) >= maxGroups {
			c.left++
			return
		}
		g = &checkGroup{output.CheckResult{ID: c.shared(f.id), Clause: c.shared(f.clause), Message: c.shared(f.message), Fingerprint: c.shared(f.print), Severity: f.sev, Session: c.shared(f.words),
			File: c.shared(f.file), Number: f.number, Time: f.time, Body: c.shared(f.body), Field: c.shared(f.field), Accepted: f.accepted}}
		c.groups[groupKey{g.Session, g.ID, g.Fingerprint, f.sev}] = g
		c.order = append(c.order, g)
	}
	g.Count++
	if len(g.Frames) >= groupFrames || string(f.file) != g.File {
		return
	}
	for _, fr := range f.frames[:f.framesN] {
		if len(g.Frames) < groupFrames && !slices.Contains(g.Frames, fr) {
			g.Frames = append(g.Frames, fr)
		}
	}
}

// maxShared bounds the texts that groups share.
const maxShared = 16384

// shared is a text that several groups have.
func (c *checkReport) shared(b []byte) string {
	if s, ok := c.texts[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(c.texts) >= maxShared {
		clear(c.texts) // the groups keep theirs
	}
	c.texts[s] = s
	return s
}
