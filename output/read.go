package output

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Limits of reading back.
const (
	MaxLine  = 64 << 20 // octets of one line
	MaxDepth = 256      // nesting of one line
)

// A ReadError is one line that could not be read. The next call of next goes on with the line after it, unless Fatal.
type ReadError struct {
	Line  uint64 // 1-based
	Fatal bool   // the input itself failed
	Err   error
}

func (e *ReadError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *ReadError) Unwrap() error { return e.Err }

// ReadJSON reads our own NDJSON back. next returns io.EOF at the end. Octet ranges and sources are not part of JSON, so
// the records have none; members that the register does not know are left out (see [Reader.Unknown]).
func ReadJSON(r io.Reader) (next func() (*record.Record, error)) { return NewReader(r).Next }

// LooksLikeJSON reports whether the beginning of an input is our own NDJSON.
func LooksLikeJSON(prefix []byte) bool {
	prefix = bytes.TrimLeft(bytes.TrimPrefix(prefix, []byte("\xef\xbb\xbf")), " \t\r\n")
	rest, ok := bytes.CutPrefix(prefix, []byte("{"))
	if !ok {
		return false
	}
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) == 0 || rest[0] == '"'
}

// A Reader reads our own NDJSON back.
type Reader struct {
	in      *bufio.Reader
	line    uint64
	buf     []byte
	unknown uint64
	dropped uint64
	err     error
	cache   map[childKey]*record.Field
}

// A childKey is a member's name below a field; what it resolves to is kept for the next line. Only names of the
// register are kept, so the map is bounded.
type childKey struct {
	parent *record.Field
	key    string
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(r, 64<<10)} }

// Unknown is the number of members so far that the register does not know, or whose value is of another kind.
func (r *Reader) Unknown() uint64 { return r.unknown }

// Dropped is the number of nodes and findings so far that exceeded the limits of a record.
func (r *Reader) Dropped() uint64 { return r.dropped }

// Line is the number of lines read so far.
func (r *Reader) Line() uint64 { return r.line }

var errLineTooLong = fmt.Errorf("longer than %d octets", MaxLine)

// Next returns the next record, io.EOF at the end, or a *ReadError.
func (r *Reader) Next() (*record.Record, error) {
	for r.err == nil {
		line, err := r.readLine()
		if err != nil && err != errLineTooLong {
			r.err = err
			if err != io.EOF {
				r.err = &ReadError{Line: r.line + 1, Fatal: true, Err: err}
			}
			if len(line) == 0 {
				break
			}
		}
		r.line++
		if err == errLineTooLong {
			return nil, &ReadError{Line: r.line, Err: err}
		}
		if r.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		rec, perr := r.parse(line)
		if perr != nil {
			return nil, &ReadError{Line: r.line, Err: perr}
		}
		return rec, nil
	}
	return nil, r.err
}

// readLine returns the next line; one that is too long is skipped to its end.
func (r *Reader) readLine() ([]byte, error) {
	r.buf = r.buf[:0]
	long := false
	for {
		part, err := r.in.ReadSlice('\n')
		if !long && len(r.buf)+len(part) > MaxLine {
			long, r.buf = true, nil
		}
		if !long {
			r.buf = append(r.buf, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case long && (err == nil || err == io.EOF):
			return nil, errLineTooLong
		}
		return r.buf, err
	}
}

func (r *Reader) parse(line []byte) (*record.Record, error) {
	if !json.Valid(line) {
		var v json.RawMessage
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, err
		}
		return nil, errors.New("not JSON")
	}
	if line[0] != '{' {
		return nil, errors.New("not an object")
	}
	if depth(line) > MaxDepth {
		return nil, fmt.Errorf("nested deeper than %d", MaxDepth)
	}
	rec := new(record.Record)
	if r.cache == nil {
		r.cache = map[childKey]*record.Field{}
	}
	p := jsonReader{b: line, rec: rec, cache: r.cache}
	p.build = record.Builder{R: rec, Want: record.All()}
	p.object(p.top)
	r.unknown += p.unknown
	r.dropped += uint64(p.build.Dropped)
	if p.schema != record.Schema {
		if p.schema == "" {
			return nil, fmt.Errorf("no schema: this is not %s", record.Schema)
		}
		return nil, fmt.Errorf("schema %q is not %s", p.schema, record.Schema)
	}
	if !p.typed {
		return nil, errors.New("no known type of record")
	}
	return rec, nil
}

// depth is the deepest nesting of valid JSON.
func depth(b []byte) int {
	d, most := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			d++
			most = max(most, d)
		case '}', ']':
			d--
		}
	}
	return most
}

// A jsonReader walks one line of valid JSON.
type jsonReader struct {
	b       []byte
	pos     int
	rec     *record.Record
	build   record.Builder
	schema  string
	typed   bool
	unknown uint64
	cache   map[childKey]*record.Field
}

func (p *jsonReader) space() {
	for p.pos < len(p.b) && (p.b[p.pos] == ' ' || p.b[p.pos] == '\t' || p.b[p.pos] == '\r' || p.b[p.pos] == '\n') {
		p.pos++
	}
}

func (p *jsonReader) peek() byte {
	p.space()
	return p.b[p.pos]
}

// object calls member for each member; member reads the value.
func (p *jsonReader) object(member func(key string)) {
	p.pos++ // {
	for p.peek() != '}' {
		if p.b[p.pos] == ',' {
			p.pos++
			p.space()
		}
		key := p.str()
		p.peek()
		p.pos++ // :
		p.space()
		before := p.pos
		member(key)
		if p.pos == before {
			p.skip()
		}
	}
	p.pos++
}

// array calls item for each item; item reads the value.
func (p *jsonReader) array(item func()) {
	p.pos++ // [
	for p.peek() != ']' {
		if p.b[p.pos] == ',' {
			p.pos++
			p.space()
		}
		before := p.pos
		item()
		if p.pos == before {
			p.skip()
		}
	}
	p.pos++
}

// skip passes over a value and returns its octets.
func (p *jsonReader) skip() []byte {
	p.space()
	start, d := p.pos, 0
	for {
		switch p.b[p.pos] {
		case '"':
			for p.pos++; p.b[p.pos] != '"'; p.pos++ {
				if p.b[p.pos] == '\\' {
					p.pos++
				}
			}
			p.pos++
		case '{', '[':
			d++
			p.pos++
		case '}', ']':
			d--
			p.pos++
		case ',', ':', ' ', '\t', '\r', '\n':
			p.pos++
		default:
			for p.pos < len(p.b) && strings.IndexByte(",:]} \t\r\n", p.b[p.pos]) < 0 {
				p.pos++
			}
		}
		if d == 0 {
			return p.b[start:p.pos]
		}
	}
}

// bad passes over a value that cannot be kept.
func (p *jsonReader) bad() {
	p.unknown++
	p.skip()
}

// str reads a string.
func (p *jsonReader) str() string {
	p.pos++ // "
	start := p.pos
	for p.b[p.pos] != '"' && p.b[p.pos] != '\\' {
		p.pos++
	}
	if p.b[p.pos] == '"' {
		s := string(p.b[start:p.pos])
		p.pos++
		return s
	}
	out := append([]byte(nil), p.b[start:p.pos]...)
	for p.b[p.pos] != '"' {
		c := p.b[p.pos]
		p.pos++
		if c != '\\' {
			out = append(out, c)
			continue
		}
		c = p.b[p.pos]
		p.pos++
		switch c {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'u':
			u := p.hex4()
			if utf16.IsSurrogate(u) {
				low := utf8.RuneError
				if p.b[p.pos] == '\\' && p.b[p.pos+1] == 'u' {
					at := p.pos
					p.pos += 2
					if low = utf16.DecodeRune(u, p.hex4()); low == utf8.RuneError {
						p.pos = at
					}
				}
				u = low
			}
			out = utf8.AppendRune(out, u)
		default:
			out = append(out, c)
		}
	}
	p.pos++
	return string(out)
}

func (p *jsonReader) hex4() rune {
	v, _ := strconv.ParseUint(string(p.b[p.pos:p.pos+4]), 16, 32)
	p.pos += 4
	return rune(v)
}

// text reads a string value; false means that the value is of another kind and was passed over.
func (p *jsonReader) text() (string, bool) {
	if p.peek() != '"' {
		p.bad()
		return "", false
	}
	return p.str(), true
}

func (p *jsonReader) uint() (uint64, bool) {
	u, err := strconv.ParseUint(string(p.skip()), 10, 64)
	if err != nil {
		p.unknown++
	}
	return u, err == nil
}

func (p *jsonReader) uints() (out []uint64) {
	if p.peek() != '[' {
		p.bad()
		return nil
	}
	p.array(func() {
		if u, ok := p.uint(); ok {
			out = append(out, u)
		}
	})
	return out
}

// top reads a member of the record.
func (p *jsonReader) top(key string) {
	r := p.rec
	switch key {
	case "schema":
		p.schema, _ = p.text()
	case "record":
		s, _ := p.text()
		for _, t := range []record.Type{record.Message, record.FindingType, record.SummaryType} {
			if t.String() == s {
				r.Type, p.typed = t, true
			}
		}
	case "number":
		r.Number, _ = p.uint()
	case "time":
		if s, ok := p.text(); ok {
			if ns, ok := parseTime(s); ok {
				r.Time = ns
			} else {
				p.unknown++
			}
		}
	case "frames":
		r.Frames = p.uints()
	case "file":
		r.File, _ = p.text()
	case "interface":
		r.Interface, _ = p.text()
	case "transport":
		r.Transport, _ = p.text()
	case "encapsulation":
		if p.peek() != '[' {
			p.bad()
			return
		}
		p.array(func() {
			if s, ok := p.text(); ok {
				r.Encap = append(r.Encap, s)
			}
		})
	case "quoted":
		r.Quoted = string(p.skip()) == "true"
	case "src":
		r.Src = p.endpoint()
	case "dst":
		r.Dst = p.endpoint()
	case "info":
		r.Info, _ = p.text()
	case "findings":
		if p.peek() != '[' {
			p.bad()
			return
		}
		p.array(p.finding)
	default:
		p.member(nil, key)
	}
}

func parseTime(s string) (int64, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1677 || t.Year() > 2262 {
		return 0, false
	}
	ns := t.UnixNano()
	return ns, time.Unix(0, ns).Equal(t) // false beyond int64 nanoseconds
}

func (p *jsonReader) endpoint() (ap netip.AddrPort) {
	if p.peek() != '{' {
		p.bad()
		return
	}
	var a netip.Addr
	var port uint64
	p.object(func(key string) {
		switch key {
		case "ip":
			if s, ok := p.text(); ok {
				var err error
				if a, err = netip.ParseAddr(s); err != nil {
					p.unknown++
				}
			}
		case "port":
			port, _ = p.uint()
		default:
			p.bad()
		}
	})
	if port > 0xffff {
		p.unknown++
		port = 0
	}
	return netip.AddrPortFrom(a, uint16(port))
}

func (p *jsonReader) finding() {
	if p.peek() != '{' {
		p.bad()
		return
	}
	var f record.Finding
	p.object(func(key string) {
		switch key {
		case "id":
			f.ID, _ = p.text()
		case "severity":
			s, _ := p.text()
			f.Severity = 0
			for _, v := range []record.Severity{record.Note, record.Warning, record.Error} {
				if v.String() == s {
					f.Severity = v
				}
			}
		case "clause":
			f.Clause, _ = p.text()
		case "message":
			f.Message, _ = p.text()
		case "body":
			f.Body, _ = p.text()
		case "field":
			f.Field, _ = p.text()
		case "frames":
			f.Frames = p.uints()
		case "source":
			u, ok := p.uint()
			f.Source, f.HasRange = uint16(min(u, 0xffff)), ok
		case "offset":
			u, ok := p.uint()
			f.Off, f.HasRange = uint32(min(u, 0xffffffff)), ok
		case "length":
			u, ok := p.uint()
			f.Len, f.HasRange = uint32(min(u, 0xffffffff)), ok
		default:
			p.bad()
		}
	})
	p.build.Finding(f)
}

// child resolves a member's name below a field: its own member, a field of the root (a body stands inside "bodies"),
// or, in a tree of one's own kind, the field itself or one above it (an element's children's children).
func child(parent *record.Field, key string) *record.Field {
	for _, c := range key {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			return nil
		}
	}
	if parent == nil {
		ref, ok := record.Lookup(key)
		if ok && ref.Sub == "" && ref.Key == "" && ref.Field.Get == nil {
			return ref.Field
		}
		return nil
	}
	if ref, ok := record.Lookup(parent.Name + "." + key); ok && ref.Field.Name == parent.Name+"."+key {
		return ref.Field
	}
	for f := parent; f != nil; f = f.Parent() {
		if f.Key() == key {
			return f
		}
	}
	return child(nil, key)
}

// member reads a member that stands for one node or, when its field is a list, for several.
func (p *jsonReader) member(parent *record.Field, key string) {
	f := p.cache[childKey{parent, key}]
	if f == nil {
		if f = child(parent, key); f != nil {
			p.cache[childKey{parent, key}] = f
		}
	}
	if f == nil {
		if base, ok := strings.CutSuffix(key, repeated); ok {
			f = child(parent, base)
		}
		if f == nil || p.peek() != '[' {
			p.bad()
			return
		}
		p.array(func() { p.node(f) })
		return
	}
	if f.List && p.peek() == '[' {
		p.array(func() { p.node(f) })
		return
	}
	p.node(f)
}

// node reads the value of one node.
func (p *jsonReader) node(f *record.Field) {
	c := p.peek()
	if c == 'n' && f.Kind != record.Raw { // null
		p.skip()
		return
	}
	switch f.Kind {
	case record.Object, record.Map, record.Protected:
		if c != '{' {
			p.bad()
			return
		}
		p.build.Open(f, record.Place{})
		p.clearGenerated()
		switch f.Kind {
		case record.Object:
			p.object(func(key string) { p.member(f, key) })
		case record.Map:
			p.object(func(key string) { p.entry(f, key) })
		default:
			p.protected(f)
		}
		p.build.Close()
		return
	}
	n := p.build.Node(f, record.Place{})
	p.scalar(n, f.Kind)
}

// clearGenerated: what is read back was not inferred; it merely has no range.
func (p *jsonReader) clearGenerated() {
	if n := p.build.Last(); n != nil {
		n.Flags &^= record.Generated
	}
}

// scalar reads a value into a node; nil means that the node did not fit.
func (p *jsonReader) scalar(n *record.Node, k record.Kind) {
	var spare record.Node
	if n == nil {
		n = &spare
	}
	n.Flags &^= record.Generated
	ok := false
	switch k {
	case record.Uint:
		var u uint64
		u, ok = p.uint()
		n.Num = int64(u)
	case record.Int:
		i, err := strconv.ParseInt(string(p.skip()), 10, 64)
		if ok = err == nil; !ok {
			p.unknown++
		}
		n.Num = i
	case record.Bool:
		switch string(p.skip()) {
		case "true":
			n.Num, ok = 1, true
		case "false":
			ok = true
		default:
			p.unknown++
		}
	case record.Time:
		if s, is := p.text(); is {
			if n.Num, ok = parseTime(s); !ok {
				p.unknown++
			}
		}
	case record.Octets:
		if s, is := p.text(); is {
			s, n.Flags = trimMark(s, WithheldMark, n.Flags, record.Withheld)
			s, n.Flags = trimMark(s, CutMark, n.Flags, record.Cut)
			b, err := hex.DecodeString(s)
			if ok = err == nil; !ok {
				p.unknown++
				n.Flags &^= record.Withheld | record.Cut
			}
			n.Str = string(b)
		}
	case record.Raw:
		var b bytes.Buffer
		if err := json.Compact(&b, p.skip()); err == nil {
			n.Str, ok = b.String(), true
		}
	default:
		if n.Str, ok = p.text(); ok {
			if strings.Contains(n.Str, "withheld]") || strings.Contains(n.Str, "withheld,") {
				n.Flags |= record.Withheld
			}
			if strings.HasSuffix(strings.TrimSuffix(n.Str, WithheldMark), CutMark) {
				n.Flags |= record.Cut
			}
		}
	}
	if ok {
		n.Flags |= record.HasValue
	}
}

func trimMark(s, mark string, flags, flag record.Flags) (string, record.Flags) {
	if rest, ok := strings.CutSuffix(s, mark); ok {
		return rest, flags | flag
	}
	return s, flags
}

// entry reads a member of a Map: a value, or an array of the values of a name that was repeated.
func (p *jsonReader) entry(f *record.Field, key string) {
	one := func() {
		n := p.build.Entry(f, key, "", record.Place{})
		if n != nil {
			n.Flags &^= record.HasValue | record.Generated
		}
		if p.peek() == 'n' {
			p.skip()
			if n != nil && f.Entry().Kind == record.Raw {
				n.Str = "null"
				n.Flags |= record.HasValue
			}
			return
		}
		p.scalar(n, f.Entry().Kind)
	}
	if p.peek() == '[' && f.Entry().Kind != record.Raw {
		p.array(one)
		return
	}
	one()
}

// protected reads a protected object whose node is open.
func (p *jsonReader) protected(f *record.Field) {
	at := len(p.rec.Nodes) - 1
	if p.build.Last() == nil {
		at = -1
	}
	var prot record.Protection
	known := false
	p.object(func(key string) {
		switch key {
		case "protection":
			s, _ := p.text()
			prot.Encrypted, known = s == "encrypted", true
		case "state":
			s, _ := p.text()
			known = true
			for _, v := range []record.State{record.Clear, record.Opened, record.NoKey, record.Failed} {
				if v.String() == s {
					prot.State = v
				}
			}
		case "reason":
			s, _ := p.text()
			for i, name := range record.Reasons() {
				if name == s {
					prot.Reason = record.Reason(i + 1)
				}
			}
		case "variant":
			prot.Variant, _ = p.text()
		case "key_id":
			prot.KeyID, _ = p.text()
		case "algorithm":
			prot.Algorithm, _ = p.text()
		case "integrity":
			s, _ := p.text()
			prot.Signed, prot.Verified = s != "", s == "verified"
		case "value":
			if k := f.Of; k != record.Object && k != record.Map && k != record.Protected && (k == record.Raw || p.peek() != 'n') {
				var n *record.Node
				if at >= 0 {
					n = &p.rec.Nodes[at]
				}
				p.scalar(n, k)
				return
			}
			p.bad()
		default:
			p.member(f, key)
		}
	})
	if at >= 0 && known {
		p.build.Protect(&p.rec.Nodes[at], prot)
	}
}
