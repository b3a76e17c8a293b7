package output

import (
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Legend explains the marks of the table's columns, for help texts.
const Legend = `Marks: D2 two elements decrypted, E1 one encrypted without its key, F1 one whose decryption failed,
       V1 one covered by a verified signature, S1 by one that was not verified; "-" nothing protected.
Findings: worst severity, number, ids, as in error(2):SEC-10,sip-bare-lf; "-" none.
A terminal of less than 110 columns goes without ports, transport and frame.`

// tableFormat writes one line a message. Columns: number, time, source, destination, transport, method or status,
// marks, findings, frame, words. On a pipe they are separated by blanks, each column without a blank of its own except
// the last, so that awk can count on them; "-" stands for nothing.
type tableFormat struct {
	o     Options
	clock *Clock
	style TimeStyle
	needs record.Want

	roots                          [2]*record.Field // sip, http
	method, status, reason, target [2]*record.Field
}

func newTable(o Options) (Format, error) {
	t := &tableFormat{o: o, clock: o.Clock, style: o.Time}
	if t.clock == nil {
		t.clock = new(Clock)
	}
	if t.style == TimeAuto {
		t.style = TimeUTC
		if o.Terminal {
			t.style = TimeRelative
		}
	}
	field := func(name string) *record.Field {
		ref, ok := record.Lookup(name)
		if !ok {
			return nil
		}
		t.needs.Add(ref.Field)
		return ref.Field
	}
	for i, p := range []string{"sip", "http"} {
		if ref, ok := record.Lookup(p); ok {
			t.roots[i] = ref.Field
		}
		t.method[i] = field(p + ".method")
		t.status[i] = field(p + ".status")
		t.reason[i] = field(p + ".reason")
		t.target[i] = field(p + map[string]string{"sip": ".request_uri", "http": ".target"}[p])
	}
	// Marks are read from the protected elements, the summary from its own fields.
	for _, f := range record.Fields() {
		switch {
		case f.Kind == record.Protected:
			t.needs.AddAlone(f)
		case f.Name == "summary":
			t.needs.Add(f)
		}
	}
	return t, nil
}

func (t *tableFormat) Needs() record.Want { return t.needs }

// tightWidth is the width of a terminal below which ports, transport and frame are left out, for what matters (marks, findings
// and words) would be cut off otherwise.
const tightWidth = 110

// row is what the table reads from the tree.
type row struct {
	method, reason, target string
	status                 uint64
}

func (t *tableFormat) row(r *record.Record) (w row) {
	for j := 0; j < len(r.Nodes); {
		n := &r.Nodes[j]
		for i, root := range t.roots {
			if root == nil || n.Field != root {
				continue
			}
			for k := j + 1; k < int(n.End); k = max(int(r.Nodes[k].End), k+1) {
				switch c := &r.Nodes[k]; c.Field {
				case t.method[i]:
					w.method = c.Str
				case t.status[i]:
					w.status = uint64(c.Num)
				case t.reason[i]:
					w.reason = c.Str
				case t.target[i]:
					w.target = c.Str
				}
			}
			return w
		}
		j = max(int(n.End), j+1)
	}
	return w
}

// Append appends the record's line.
func (t *tableFormat) Append(dst []byte, r *record.Record) []byte {
	l := line{dst: dst, max: unlimited, color: t.o.Color}
	if t.o.Terminal && t.o.Width > 0 {
		l.max = t.o.Width
	}
	switch {
	case r.Type == record.SummaryType && t.o.Terminal:
		return t.summary(dst, r)
	case r.Type == record.Message && !t.o.Terminal && !t.o.Color:
		return t.pipe(dst, r)
	}
	t.line(&l, r)
	return append(l.dst, '\n')
}

func (t *tableFormat) line(l *line, r *record.Record) {
	w := t.row(r)
	var tmp [64]byte
	number, when, addr, method := 5, t.timeWidth(), 21, 10
	tight := l.max < tightWidth
	if tight {
		number, addr, method = 4, 12, 8
		if t.style == TimeRelative {
			when = 8
		}
	}
	if r.Number == 0 {
		l.cell("-", -number)
	} else {
		l.octets(strconv.AppendUint(tmp[:0], r.Number, 10), -number)
	}
	if r.Type == record.SummaryType {
		l.cell("-", -when)
	} else {
		at := appendTime(tmp[:0], r.Time, t.style, t.clock)
		if tight && t.style == TimeRelative {
			at = at[:max(len(at)-3, 0)] // milliseconds
		}
		l.octets(at, -when)
	}
	// A function value would send tmp to the heap.
	end := func(dst []byte, a netip.AddrPort) []byte {
		if tight {
			return appendIP(dst, a.Addr())
		}
		return appendAddrPort(dst, a)
	}
	l.octets(end(tmp[:0], r.Src), addr)
	if t.o.Terminal {
		l.cell("→", 1)
	} else {
		l.cell("->", 2)
	}
	l.octets(end(tmp[:0], r.Dst), addr)
	if !tight {
		l.cell(dash(r.Transport), 4)
	}
	l.color1(methodColor(r, &w))
	if w.status != 0 {
		l.octets(strconv.AppendUint(tmp[:0], w.status, 10), method)
	} else if w.method != "" {
		l.cell(oneWord(w.method), method)
	} else {
		l.cell(r.Type.String(), method)
	}
	l.color0()
	l.color1(markColor(r))
	l.octets(appendMarksColumn(tmp[:0], r), 5)
	l.color0()
	sev, any := r.Worst()
	if any {
		l.color1(severityColor(sev))
	}
	l.findings(r)
	if any {
		l.color0()
	}
	switch {
	case tight:
	case len(r.Frames) == 0:
		l.cell("-", 5)
	default:
		l.octets(strconv.AppendUint(tmp[:0], r.Frames[len(r.Frames)-1], 10), 5)
	}
	first := true
	word := func(s string) {
		if s == "" {
			return
		}
		if !first {
			l.blank()
		}
		first = false
		l.text(s)
	}
	if w.status != 0 {
		word(w.reason)
	}
	switch {
	case r.Info != "":
		word(r.Info)
	case w.status == 0 && w.target != "":
		word(w.target)
	case r.Type == record.FindingType && len(r.Findings) > 0:
		word(r.Findings[0].Message)
	case r.Type == record.SummaryType:
		for i := range r.Nodes {
			if n := &r.Nodes[i]; r.Value(n).Valid {
				word(n.Field.Key() + "=" + string(r.Value(n).AppendText(nil)))
			}
		}
	}
	if r.Quoted {
		word("(quoted in ICMP)")
	}
	l.trim()
}

func (t *tableFormat) timeWidth() int {
	switch t.style {
	case TimeRelative:
		return 12
	case TimeEpoch:
		return 20
	}
	return 30
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// oneWord keeps a column that must not hold a blank to one word.
func oneWord(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] == ' ' {
			return s[:i] + "…"
		}
	}
	return s
}

func appendAddrPort(dst []byte, a netip.AddrPort) []byte {
	switch ip := a.Addr(); {
	case ip.Is4():
		dst = appendIPv4(dst, ip.As4())
	case !ip.IsValid():
		return append(dst, '-')
	default:
		return netip.AddrPortFrom(ip.WithZone(""), a.Port()).AppendTo(dst)
	}
	return appendUint(append(dst, ':'), uint64(a.Port()))
}

// marks counts the outcomes of a record's protected elements.
func marks(r *record.Record) (opened, sealed, failed, verified, signed int) {
	for i := range r.Prots {
		p := &r.Prots[i]
		if p.Encrypted {
			switch p.State {
			case record.Opened:
				opened++
			case record.Failed:
				failed++
			default:
				sealed++
			}
		}
		switch {
		case p.Verified:
			verified++
		case p.Signed:
			signed++
		}
	}
	return
}

func appendMarksColumn(dst []byte, r *record.Record) []byte {
	if len(r.Prots) == 0 {
		return append(dst, '-')
	}
	at := len(dst)
	o, e, f, v, s := marks(r)
	for _, m := range [...]struct {
		c byte
		n int
	}{{'D', o}, {'E', e}, {'F', f}, {'V', v}, {'S', s}} {
		if m.n > 0 {
			dst = strconv.AppendInt(append(dst, m.c), int64(m.n), 10)
		}
	}
	if len(dst) == at {
		dst = append(dst, '-')
	}
	return dst
}

// SGR parameters; "" is the terminal's own colour.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
	cyan   = "36"
	dim    = "2"
	bold   = "1"
)

func markColor(r *record.Record) string {
	if len(r.Prots) == 0 {
		return ""
	}
	_, e, f, _, _ := marks(r)
	switch {
	case f > 0:
		return red
	case e > 0:
		return yellow
	}
	return green
}

func severityColor(s record.Severity) string {
	switch s {
	case record.Error:
		return red
	case record.Warning:
		return yellow
	}
	return cyan
}

func methodColor(r *record.Record, w *row) string {
	switch {
	case r.Type == record.SummaryType:
		return dim
	case w.status >= 400:
		return red
	case w.status >= 200:
		return green
	case w.status > 0:
		return dim
	}
	return blue
}

// A line is built column by column and never wider than max columns.
type line struct {
	dst   []byte
	col   int // columns used
	max   int
	color bool
	on    bool
	begun bool
}

func (l *line) color1(sgr string) {
	if l.color && sgr != "" && l.col < l.max {
		l.dst = append(append(append(l.dst, "\x1b["...), sgr...), 'm')
		l.on = true
	}
}

func (l *line) color0() {
	if l.on {
		l.dst = append(l.dst, "\x1b[0m"...)
		l.on = false
	}
}

// cell appends a column of text from the wire; a negative width aligns to the right. A column that is wider than its
// width is not cut: the columns after it move.
func (l *line) cell(s string, width int) {
	var tmp [128]byte
	if !isSafe(s) {
		l.put(AppendSafe(tmp[:0], s), width)
		return
	}
	l.put(append(tmp[:0], s...), width)
}

// octets appends a column of our own making.
func (l *line) octets(b []byte, width int) { l.put(b, width) }

func (l *line) put(b []byte, width int) {
	l.separate()
	n := width0(b)
	pad := width - n
	if width < 0 {
		for pad = -width - n; pad > 0; pad-- {
			l.blank()
		}
	}
	if l.max == unlimited {
		l.dst = append(l.dst, b...)
		l.col += n
	} else {
		l.clip(b)
	}
	for ; pad > 0; pad-- {
		l.blank()
	}
}

// unlimited is the width of a line that goes to a pipe.
const unlimited = 1 << 30

// width0 is Width of octets.
func width0(b []byte) int {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return Width(string(b))
		}
	}
	return len(b)
}

// separate appends the blank between two columns.
func (l *line) separate() {
	if l.begun {
		l.blank()
	}
	l.begun = true
}

func (l *line) blank() {
	if l.col < l.max {
		l.dst = append(l.dst, ' ')
		l.col++
	}
}

func (l *line) clip(b []byte) {
	if l.col >= l.max {
		return
	}
	var n int
	l.dst, n = appendClip(l.dst, string(b), l.max-l.col)
	l.col += n
}

// text appends words from the wire without a column of their own.
func (l *line) text(s string) {
	if l.begun {
		l.separate()
		l.begun = false
	}
	if isSafe(s) {
		if l.max == unlimited { // nothing after the words depends on where they end
			l.dst = append(l.dst, s...)
			return
		}
		if l.col < l.max {
			var n int
			l.dst, n = appendClip(l.dst, s, l.max-l.col)
			l.col += n
		}
		return
	}
	l.clip(AppendSafe(nil, s))
}

// findings appends the column: worst(number):id,id,id.
func (l *line) findings(r *record.Record) {
	sev, any := r.Worst()
	if !any {
		l.cell("-", 1)
		return
	}
	var tmp [160]byte
	b := append(tmp[:0], sev.String()...)
	b = append(b, '(')
	b = strconv.AppendInt(b, int64(len(r.Findings)), 10)
	b = append(b, ')', ':')
	shown := 0
	for i := range r.Findings {
		id := r.Findings[i].ID
		again := false
		for k := range i {
			again = again || r.Findings[k].ID == id
		}
		if again {
			continue
		}
		if shown == 3 {
			b = append(b, ",…"...)
			break
		}
		if shown > 0 {
			b = append(b, ',')
		}
		b = AppendSafe(b, oneWord(id))
		shown++
	}
	l.put(b, 1)
}

// trim takes blanks off the end.
func (l *line) trim() {
	for len(l.dst) > 0 && l.dst[len(l.dst)-1] == ' ' {
		l.dst = l.dst[:len(l.dst)-1]
		l.col--
	}
}
