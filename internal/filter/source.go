package filter

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A source is where a field's values come from.
type source struct {
	ref        record.Ref
	transports []string // the record's transport must be one of these, when there are any
}

func (s source) want(w *record.Want) {
	f := s.ref.Field
	if f.Get == nil {
		w.Add(f)
	}
}

// A seq yields a record's values one by one without keeping state of its own: pos is 0 at first, then what was
// returned; a negative position is the end.
type seq func(r *record.Record, pos int64) (v val, next int64)

const end = -1

// values makes the seq of a source.
func (s source) values() seq {
	q := refValues(s.ref)
	if s.transports == nil {
		return q
	}
	ts := s.transports
	return func(r *record.Record, pos int64) (val, int64) {
		if !slices.Contains(ts, r.Transport) {
			return val{}, end
		}
		return q(r, pos)
	}
}

// concat yields the values of several sources one after the other. The source is kept in the upper bits of the
// position; positions of one source stay far below.
func concat(qs []seq) seq {
	if len(qs) == 1 {
		return qs[0]
	}
	const shift = 56
	return func(r *record.Record, pos int64) (val, int64) {
		for i := int(pos >> shift); i < len(qs); i++ {
			v, next := qs[i](r, pos&(1<<shift-1))
			if next >= 0 {
				return v, int64(i)<<shift | next
			}
			pos = 0
		}
		return val{}, end
	}
}

func refValues(ref record.Ref) seq {
	f := ref.Field
	if f.Get != nil {
		return metaValues(f)
	}
	kind := ref.Kind()
	if kind == record.Raw {
		kind = record.String
	}
	if ref.Sub != "" && ref.Sub != "value" {
		sub := ref.Sub
		return func(r *record.Record, pos int64) (val, int64) {
			for i := int(pos); i < len(r.Nodes); i++ {
				n := &r.Nodes[i]
				if n.Field != f {
					continue
				}
				if p := r.Protection(n); p != nil {
					if m := p.Member(sub); m != "" {
						return val{k: record.String, s: m}, int64(i) + 1
					}
				}
			}
			return val{}, end
		}
	}
	key := ref.Key
	isAddr := kind == record.Addr
	return func(r *record.Record, pos int64) (val, int64) {
		for i := int(pos); i < len(r.Nodes); i++ {
			n := &r.Nodes[i]
			if n.Field != f || n.Flags&record.HasValue == 0 || key != "" && !strings.EqualFold(n.Key, key) {
				continue
			}
			v := val{k: kind, s: n.Str, n: n.Num}
			if isAddr {
				a, err := netip.ParseAddr(n.Str)
				if err != nil {
					continue
				}
				v.a = a.Unmap().WithZone("")
			}
			return v, int64(i) + 1
		}
		return val{}, end
	}
}

// once yields one value.
func once(get func(r *record.Record) (val, bool)) seq {
	return func(r *record.Record, pos int64) (val, int64) {
		if pos == 0 {
			if v, ok := get(r); ok {
				return v, 1
			}
		}
		return val{}, end
	}
}

func text(s string) (val, bool)   { return val{k: record.String, s: s}, s != "" }
func number(u uint64) (val, bool) { return val{k: record.Uint, n: int64(u)}, true }

func endpointValues(src, port bool) seq {
	return once(func(r *record.Record) (val, bool) {
		ap := r.Dst
		if src {
			ap = r.Src
		}
		if !ap.Addr().IsValid() {
			return val{}, false
		}
		if port {
			return number(uint64(ap.Port()))
		}
		return val{k: record.Addr, a: ap.Addr().Unmap().WithZone("")}, true
	})
}

func findingValues(get func(f *record.Finding) (val, bool)) seq {
	return func(r *record.Record, pos int64) (val, int64) {
		for i := int(pos); i < len(r.Findings); i++ {
			if v, ok := get(&r.Findings[i]); ok {
				return v, int64(i) + 1
			}
		}
		return val{}, end
	}
}

// metaValues reads a field that lives in the record itself. Field.Get would do, but it allocates: every field that the
// record package has is read directly, and a test compares the two.
func metaValues(f *record.Field) seq {
	switch f {
	case record.FieldSchema:
		return once(func(*record.Record) (val, bool) { return text(record.Schema) })
	case record.FieldRecord:
		return once(func(r *record.Record) (val, bool) { return text(r.Type.String()) })
	case record.FieldNumber:
		return once(func(r *record.Record) (val, bool) { v, _ := number(r.Number); return v, r.Number != 0 })
	case record.FieldTime:
		return once(func(r *record.Record) (val, bool) {
			return val{k: record.Time, n: r.Time}, r.Type != record.SummaryType
		})
	case record.FieldFrames:
		return func(r *record.Record, pos int64) (val, int64) {
			if pos >= int64(len(r.Frames)) {
				return val{}, end
			}
			v, _ := number(r.Frames[pos])
			return v, pos + 1
		}
	case record.FieldFile:
		return once(func(r *record.Record) (val, bool) { return text(r.File) })
	case record.FieldInterface:
		return once(func(r *record.Record) (val, bool) { return text(r.Interface) })
	case record.FieldTransport:
		return once(func(r *record.Record) (val, bool) { return text(r.Transport) })
	case record.FieldInfo:
		return once(func(r *record.Record) (val, bool) { return text(r.Info) })
	case record.FieldQuoted:
		return once(func(r *record.Record) (val, bool) { return val{k: record.Bool, n: 1}, r.Quoted })
	case record.FieldEncap:
		return func(r *record.Record, pos int64) (val, int64) {
			for ; pos < int64(len(r.Encap)); pos++ {
				if v, ok := text(r.Encap[pos]); ok {
					return v, pos + 1
				}
			}
			return val{}, end
		}
	case record.FieldSrcIP:
		return endpointValues(true, false)
	case record.FieldSrcPort:
		return endpointValues(true, true)
	case record.FieldDstIP:
		return endpointValues(false, false)
	case record.FieldDstPort:
		return endpointValues(false, true)
	case record.FieldFindingID:
		return findingValues(func(f *record.Finding) (val, bool) { return text(f.ID) })
	case record.FieldFindingSeverity:
		return findingValues(func(f *record.Finding) (val, bool) { return text(f.Severity.String()) })
	case record.FieldFindingClause:
		return findingValues(func(f *record.Finding) (val, bool) { return text(f.Clause) })
	case record.FieldFindingMessage:
		return findingValues(func(f *record.Finding) (val, bool) { return text(f.Message) })
	case record.FieldFindingBody:
		return findingValues(func(f *record.Finding) (val, bool) { return text(f.Body) })
	case record.FieldFindingField:
		return findingValues(func(f *record.Finding) (val, bool) { return text(f.Field) })
	case record.FieldFindingSource:
		return findingValues(func(f *record.Finding) (val, bool) { v, _ := number(uint64(f.Source)); return v, f.HasRange })
	case record.FieldFindingOffset:
		return findingValues(func(f *record.Finding) (val, bool) { v, _ := number(uint64(f.Off)); return v, f.HasRange })
	case record.FieldFindingLength:
		return findingValues(func(f *record.Finding) (val, bool) { v, _ := number(uint64(f.Len)); return v, f.HasRange })
	case record.FieldFindingFrames:
		return func(r *record.Record, pos int64) (val, int64) {
			for i, j := int(pos>>28), int(pos&(1<<28-1)); i < len(r.Findings); i, j = i+1, 0 {
				if fr := r.Findings[i].Frames; j < len(fr) {
					v, _ := number(fr[j])
					return v, int64(i)<<28 | int64(j+1)
				}
			}
			return val{}, end
		}
	}
	// A field with a Get of its own that this package has not met: correct, with an allocation a value.
	return func(r *record.Record, pos int64) (v val, next int64) {
		i := int64(0)
		next = end
		f.Get(r, func(rv record.Value) bool {
			if !rv.Valid {
				return true
			}
			if i++; i <= pos {
				return true
			}
			v, next = fromValue(rv), i
			return false
		})
		return v, next
	}
}

func fromValue(rv record.Value) val {
	v := val{k: rv.Kind, s: rv.Str, n: rv.Num}
	switch rv.Kind {
	case record.Addr:
		a, _ := netip.ParseAddr(rv.Str)
		v.a = a.Unmap().WithZone("")
	case record.Raw:
		v.k = record.String
	}
	return v
}

// exists makes the test for a bare field: an element counts when it is there, whether or not its value could be read.
func (s source) exists() func(r *record.Record) bool {
	f, ts := s.ref.Field, s.transports
	var has func(r *record.Record) bool
	switch {
	case f == record.FieldSrc:
		has = func(r *record.Record) bool { return r.Src.Addr().IsValid() }
	case f == record.FieldDst:
		has = func(r *record.Record) bool { return r.Dst.Addr().IsValid() }
	case f == record.FieldFindings:
		has = func(r *record.Record) bool { return len(r.Findings) > 0 }
	case f.Get != nil, s.ref.Sub != "":
		q := refValues(s.ref)
		has = func(r *record.Record) bool { _, next := q(r, 0); return next >= 0 }
	case s.ref.Key != "":
		key := s.ref.Key
		has = func(r *record.Record) bool {
			for i := range r.Nodes {
				if n := &r.Nodes[i]; n.Field == f && strings.EqualFold(n.Key, key) {
					return true
				}
			}
			return false
		}
	default:
		has = func(r *record.Record) bool {
			for i := range r.Nodes {
				if r.Nodes[i].Field == f {
					return true
				}
			}
			return false
		}
	}
	if ts == nil {
		return has
	}
	return func(r *record.Record) bool { return slices.Contains(ts, r.Transport) && has(r) }
}
