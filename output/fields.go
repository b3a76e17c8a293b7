package output

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// An UnknownField is a name that the register does not have.
type UnknownField struct {
	Name string
	Near []string // registered names that resemble it
}

// Error says what was meant, perhaps.
func (e *UnknownField) Error() string {
	s := fmt.Sprintf("unknown field %q", e.Name)
	if len(e.Near) > 0 {
		return s + "; did you mean " + strings.Join(e.Near, ", ") + "?"
	}
	return s + "; mcxdump fields lists them"
}

// fieldsFormat writes one line a record with a column for each of Options.Fields, as tshark -T fields.
type fieldsFormat struct {
	o     Options
	sep   string
	agg   string
	refs  []record.Ref
	needs record.Want
	clock *Clock
	style TimeStyle
	plain bool // numbers and addresses need no escape
}

func newFields(o Options) (Format, error) {
	t := &fieldsFormat{o: o, sep: o.Separator, agg: o.Aggregator, clock: o.Clock, style: o.Time}
	if t.sep == "" {
		t.sep = "\t"
	}
	if t.agg == "" {
		t.agg = ","
	}
	if t.clock == nil {
		t.clock = new(Clock)
	}
	if t.style == TimeAuto {
		t.style = TimeUTC
	}
	t.plain = t.sep == "\t" && o.Quote != 'd' && o.Quote != 's'
	if len(o.Fields) == 0 {
		return nil, fmt.Errorf("the format fields needs the names of fields")
	}
	if !slices.Contains([]byte{0, 'f', 'l', 'a'}, o.Occurrence) {
		return nil, fmt.Errorf("unknown occurrence %q; there are f (first), l (last) and a (all)", o.Occurrence)
	}
	if !slices.Contains([]byte{0, 'd', 's', 'n'}, o.Quote) {
		return nil, fmt.Errorf("unknown quote %q; there are d (double), s (single) and n (none)", o.Quote)
	}
	for _, name := range o.Fields {
		ref, ok := record.Lookup(name)
		if !ok {
			return nil, &UnknownField{name, record.Near(name)}
		}
		t.refs = append(t.refs, ref)
		if ref.Field.Get == nil {
			t.needs.Add(ref.Field)
		}
	}
	return t, nil
}

// ParseSeparator reads the argument of -E separator= and aggregator=: /t is a tab, /s a blank, anything else itself.
func ParseSeparator(s string) (string, error) {
	switch s {
	case "/t", `\t`:
		return "\t", nil
	case "/s":
		return " ", nil
	case "":
		return "", fmt.Errorf("an empty separator")
	}
	if !isSafe(strings.ReplaceAll(s, `\`, "/")) {
		return "", fmt.Errorf("separator %q does not print", s)
	}
	return s, nil
}

func (t *fieldsFormat) Needs() record.Want { return t.needs }

func (t *fieldsFormat) appendHeader(dst []byte) []byte {
	if !t.o.Header {
		return dst
	}
	for i, name := range t.o.Fields {
		if i > 0 {
			dst = append(dst, t.sep...)
		}
		dst = append(dst, name...)
	}
	return append(dst, '\n')
}

// Append appends the record's line. An absent field is an empty column; an object that is there but has no value of
// its own is a 1, as in tshark.
func (t *fieldsFormat) Append(dst []byte, r *record.Record) []byte {
	for i, ref := range t.refs {
		if i > 0 {
			dst = append(dst, t.sep...)
		}
		dst = t.column(dst, r, ref)
	}
	return append(dst, '\n')
}

func (t *fieldsFormat) column(dst []byte, r *record.Record, ref record.Ref) []byte {
	if t.plain {
		if out, ok := t.direct(dst, r, ref.Field); ok {
			return out
		}
	}
	start := len(dst)
	switch t.o.Quote {
	case 'd':
		dst = append(dst, '"')
	case 's':
		dst = append(dst, '\'')
	}
	c := cell{dst: dst, first: len(dst)}
	if ref.Field.Get != nil {
		c = t.fromRecord(c, r, ref.Field)
	} else {
		t.fromTree(&c, r, ref)
	}
	if c.count == 0 {
		return c.dst[:start] // an absent field has no quotes either, as in tshark
	}
	switch t.o.Quote {
	case 'd':
		return append(c.dst, '"')
	case 's':
		return append(c.dst, '\'')
	}
	return c.dst
}

// direct appends what stands beside the tree and is one number or address at most, where nothing can need an escape; false for
// everything else.
func (t *fieldsFormat) direct(dst []byte, r *record.Record, f *record.Field) ([]byte, bool) {
	switch f {
	case record.FieldNumber:
		if r.Number != 0 {
			dst = appendUint(dst, r.Number)
		}
	case record.FieldTime:
		if r.Type != record.SummaryType {
			dst = appendTime(dst, r.Time, t.style, t.clock)
		}
	case record.FieldSrcIP:
		return appendPlainIP(dst, r.Src.Addr())
	case record.FieldDstIP:
		return appendPlainIP(dst, r.Dst.Addr())
	default:
		return dst, false
	}
	return dst, true
}

func appendPlainIP(dst []byte, a netip.Addr) ([]byte, bool) {
	switch {
	case !a.IsValid():
		return dst, true
	case a.Zone() != "":
		return dst, false
	}
	return appendIP(dst, a), true
}

// A cell is a column at work.
type cell struct {
	dst   []byte
	first int // where its values begin
	count int
}

// add appends one value and tells whether more are wanted; n is nil for what does not stand in the tree.
func (t *fieldsFormat) add(c *cell, n *record.Node, v record.Value) bool {
	switch {
	case c.count > 0 && t.o.Occurrence == 'l':
		c.dst = c.dst[:c.first]
	case c.count > 0:
		c.dst = append(c.dst, t.agg...)
	}
	c.count++
	c.dst = t.value(c.dst, n, v)
	return t.o.Occurrence != 'f'
}

// fromRecord appends what stands beside the tree. The function that it hands on has c allocated, so that others need not.
func (t *fieldsFormat) fromRecord(c cell, r *record.Record, f *record.Field) cell {
	f.Get(r, func(v record.Value) bool { return !v.Valid || t.add(&c, nil, v) })
	return c
}

func (t *fieldsFormat) fromTree(c *cell, r *record.Record, ref record.Ref) {
	f := ref.Field
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if n.Field != f || ref.Key != "" && !strings.EqualFold(n.Key, ref.Key) {
			continue
		}
		var v record.Value
		switch {
		case ref.Sub != "" && ref.Sub != "value":
			if p := r.Protection(n); p != nil {
				v = record.StringValue(p.Member(ref.Sub))
			}
			if v.Valid && !t.add(c, nil, v) {
				return
			}
			continue
		case n.Flags&record.HasValue != 0:
			v = r.Value(n)
		case n.Flags&record.Withheld != 0 && f.Kind != record.Object && f.Kind != record.Map:
			v = record.Value{Kind: record.String, Valid: true}
		case f.Kind == record.Object || f.Kind == record.Map:
			v = record.Value{Kind: record.Uint, Num: 1, Valid: true}
		}
		if v.Valid && !t.add(c, n, v) {
			return
		}
	}
}

// value appends one value, escaped so that it can break neither the line nor the column.
func (t *fieldsFormat) value(dst []byte, n *record.Node, v record.Value) []byte {
	at := len(dst)
	switch v.Kind {
	case record.Time:
		dst = appendTime(dst, v.Num, t.style, t.clock)
	case record.Uint:
		dst = appendUint(dst, uint64(v.Num))
	case record.Int, record.Bool, record.Octets:
		dst = v.AppendText(dst)
	case record.Addr:
		if a, err := netip.ParseAddr(v.Str); err == nil && a.Zone() == "" {
			dst = a.AppendTo(dst)
			break
		}
		dst = AppendSafe(dst, v.Str)
	default:
		dst = AppendSafe(dst, v.Str)
	}
	if n != nil && n.Flags&(record.Withheld|record.Cut) != 0 {
		dst = appendMarks(dst, n)
	}
	switch t.o.Quote {
	case 'd':
		return replaceFrom(dst, at, `"`, `""`)
	case 's':
		return replaceFrom(dst, at, `'`, `''`)
	}
	if t.sep == "\t" {
		return dst // Safe left none
	}
	esc := `\x` + string([]byte{hexDigits[t.sep[0]>>4], hexDigits[t.sep[0]&15]}) + t.sep[1:]
	return replaceFrom(dst, at, t.sep, esc)
}

// replaceFrom replaces inside dst[at:].
func replaceFrom(dst []byte, at int, old, new string) []byte {
	if !strings.Contains(string(dst[at:]), old) {
		return dst
	}
	return append(dst[:at], strings.ReplaceAll(string(dst[at:]), old, new)...)
}
