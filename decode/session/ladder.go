package session

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// LadderOptions shape a text ladder.
type LadderOptions struct {
	Width int // columns; 0 means 100, less than 40 is 40
	Color bool
	ASCII bool
	// Names gives hosts a name; a host without one has the name of its Via header fields or of the Host field of requests
	// to it, or its address.
	Names map[netip.Addr]string
}

// hop is one arrow of a ladder.
type hop struct {
	at       int64
	number   uint64
	from, to int
	text     string
	note     string
	count    int
	bad      bool
	answer   bool
}

// flow is what both drawings share: hosts in the order in which they appear, and arrows.
type flow struct {
	hosts []string
	hops  []hop
	left  int // hosts that did not fit
	start int64
}

// maxHosts is the number of columns of a ladder; what else takes part shares the last one.
const maxHosts = 12

func flowOf(events []*Event, names map[netip.Addr]string, most int) flow {
	var f flow
	most = min(max(most, 2), maxHosts)
	// An address is a host; where one address talks to itself its ports are.
	self := map[netip.Addr]bool{}
	for _, e := range events {
		if e != nil && e.Src.Addr() == e.Dst.Addr() {
			self[e.Src.Addr()] = true
		}
	}
	via := map[netip.Addr]string{}
	for _, e := range events {
		if e != nil && e.Request && e.Host != "" && via[e.Dst.Addr()] == "" {
			via[e.Dst.Addr()] = e.Host // the server of an HTTP request
		}
		if e == nil || !e.Request || e.SentBy == "" || via[e.Src.Addr()] != "" {
			continue
		}
		host := e.SentBy
		if i := strings.LastIndexByte(host, ':'); i > 0 && host[len(host)-1] != ']' {
			host = host[:i]
		}
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil {
			via[e.Src.Addr()] = host
		}
	}
	nameOf := func(a netip.AddrPort) string {
		n := names[a.Addr()]
		if n == "" {
			n = via[a.Addr()]
		}
		if n == "" {
			if !a.Addr().IsValid() {
				return "unknown"
			}
			n = a.Addr().Unmap().String()
		}
		if self[a.Addr()] {
			n += fmt.Sprintf(":%d", a.Port())
		}
		return n
	}
	column := func(a netip.AddrPort) int {
		n := nameOf(a)
		if i := slices.Index(f.hosts, n); i >= 0 {
			return i
		}
		if len(f.hosts) >= most {
			f.left++
			f.hosts[most-1] = "others"
			return most - 1
		}
		f.hosts = append(f.hosts, n)
		return len(f.hosts) - 1
	}
	type id struct {
		digest   uint64
		src, dst netip.AddrPort
	}
	seen := map[id]int{}
	for _, e := range events {
		if e == nil {
			continue
		}
		k := id{e.Digest, e.Src, e.Dst}
		if i, ok := seen[k]; ok && e.Digest != 0 && len(f.hops)-i < 64 {
			f.hops[i].count += 1 + e.Repeats
			continue
		}
		if len(f.hops) == 0 {
			f.start = e.Time
		}
		h := hop{at: max(0, e.Time-f.start), number: e.Number, from: column(e.Src), to: column(e.Dst), count: 1 + e.Repeats, answer: !e.Request}
		if e.Request {
			h.text = e.Method
		} else {
			h.text = strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, e.Reason))
			h.bad = e.Status >= 300
		}
		h.text, h.note = printable(h.text), printable(e.label())
		seen[k] = len(f.hops)
		f.hops = append(f.hops, h)
	}
	return f
}

// printable keeps control characters and invalid octets of the wire out of a drawing.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029 || r == 0x200e || r == 0x200f || r == 0xfeff {
			return '?'
		}
		return r
	}, s)
}

// asciiText replaces what is not ASCII.
func asciiText(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0x7e {
			return '?'
		}
		return r
	}, s)
}

// runeWidth is the number of columns of a character: two for the wide scripts and most pictures, none for combining
// marks.
func runeWidth(r rune) int {
	switch {
	case r >= 0x300 && r <= 0x36f, r == 0x200b, r == 0x200c, r == 0x200d, r >= 0xfe00 && r <= 0xfe0f, r >= 0x20d0 && r <= 0x20ff:
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

func width(s string) (n int) {
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// fit cuts a text to a number of columns, with a mark where something is missing.
func fit(s string, n int, ascii bool) string {
	if n <= 0 {
		return ""
	}
	if width(s) <= n {
		return s
	}
	mark := "…"
	if ascii {
		mark = "~"
	}
	w := 0
	for i, r := range s {
		if w += runeWidth(r); w > n-1 {
			return s[:i] + mark
		}
	}
	return s
}

// relative is the time since the first message, in nine columns.
func relative(ns int64) string {
	s := float64(ns) / 1e9
	switch {
	case s < 1000:
		return fmt.Sprintf("%9.3f", s)
	case s < 100000:
		return fmt.Sprintf("%9.1f", s)
	}
	return fmt.Sprintf("%8.0fs", min(s, 99999999))
}

const (
	minColumn  = 14
	timeColumn = 10
)

// Ladder draws the message flow of one session or Call-ID as text: time since the first message, one column a host,
// one arrow a message with its label. Equal messages between the same hosts are one arrow with their number (×3). No
// line is wider than the width.
func Ladder(events []*Event, o LadderOptions) []byte {
	w := o.Width
	if w <= 0 {
		w = 100
	}
	w = max(w, 40)
	const first, margin = timeColumn + 2, 9
	f := flowOf(events, o.Names, 1+(w-margin-first)/minColumn)
	if len(f.hops) == 0 {
		return []byte("no messages\n")
	}
	// A host's name stands over its line and may reach over the time column and into the margin.
	cols, step := max(len(f.hosts), 1), 44
	if cols > 1 {
		step = min((w-margin-first)/(cols-1), step)
	}
	x := make([]int, cols) // where each host's line stands
	for i := range x {
		x[i] = first + i*step
	}
	bar, dash, right, left, times := "│", "─", "▶", "◀", "×"
	if o.ASCII {
		bar, dash, right, left, times = "|", "-", ">", "<", "x"
	}
	clean := func(s string) string {
		if o.ASCII {
			return asciiText(s)
		}
		return s
	}
	var b []byte
	line := func(cells []string) {
		b = append(b, strings.TrimRight(strings.Join(cells, ""), " ")...)
		b = append(b, '\n')
	}
	// Hosts: each name centred over its line.
	row := newRow(w)
	for i, h := range f.hosts {
		h = clean(printable(h))
		h = fit(h, min(step-1, 2*(w-x[i])-1, 2*x[i]), o.ASCII)
		row.put(min(x[i]-width(h)/2, w-width(h)), h)
	}
	line(row.cells)
	for _, h := range f.hops {
		head := h.text
		if h.count > 1 {
			head += fmt.Sprintf(" (%s%d)", times, h.count)
		}
		row := newRow(w)
		row.put(0, relative(h.at))
		for _, p := range x {
			row.put(p, bar)
		}
		a, z := h.from, h.to
		if a == z {
			row.put(x[a]+2, fit(clean(head+" (to itself)"), w-x[a]-3, o.ASCII))
		} else {
			lo, hi := min(x[a], x[z]), max(x[a], x[z])
			for p := lo + 1; p < hi; p++ {
				row.put(p, dash)
			}
			if x[a] < x[z] {
				row.put(hi-1, right)
			} else {
				row.put(lo+1, left)
			}
			text := " " + fit(clean(head), hi-lo-6, o.ASCII) + " "
			row.put(lo+max(2, (hi-lo-width(text))/2), text)
			if o.Color {
				row.paint(lo+1, hi-1, colour(&h))
			}
		}
		line(row.cells)
		if h.note != "" {
			row := newRow(w)
			for _, p := range x {
				row.put(p, bar)
			}
			from := min(x[a], x[z]) + 2
			note := fit(clean(h.note), w-from-1, o.ASCII)
			row.put(from, note)
			line(row.cells)
		}
	}
	if f.left > 0 {
		b = append(b, fit("others: hosts that have no column at this width", w, o.ASCII)...)
		b = append(b, '\n')
	}
	return b
}

func colour(h *hop) string {
	switch {
	case h.bad:
		return "\x1b[31m"
	case h.answer:
		return "\x1b[32m"
	}
	return "\x1b[36m"
}

// A row is one line of a drawing, a cell a column.
type row struct{ cells []string }

func newRow(w int) *row {
	r := &row{cells: make([]string, w)}
	for i := range r.cells {
		r.cells[i] = " "
	}
	return r
}

// put writes a text from a column on; what is outside the row is left out.
func (r *row) put(at int, s string) {
	for _, c := range s {
		n := runeWidth(c)
		if n == 0 {
			if at > 0 && at <= len(r.cells) {
				r.cells[at-1] += string(c)
			}
			continue
		}
		if at >= 0 && at+n <= len(r.cells) {
			r.cells[at] = string(c)
			if n == 2 {
				r.cells[at+1] = ""
			}
		}
		at += n
	}
}

// paint colours a stretch of the row.
func (r *row) paint(from, to int, code string) {
	if from >= 0 && to < len(r.cells) && from <= to {
		r.cells[from] = code + r.cells[from]
		r.cells[to] += "\x1b[0m"
	}
}

// LadderSVG draws the same as a plain SVG image: no script, no style sheet from elsewhere, all text escaped.
func LadderSVG(events []*Event, w io.Writer) error {
	return ladderSVG(events, nil, w)
}

// LadderSVGNamed is LadderSVG with names for hosts.
func LadderSVGNamed(events []*Event, names map[netip.Addr]string, w io.Writer) error {
	return ladderSVG(events, names, w)
}

func ladderSVG(events []*Event, names map[netip.Addr]string, w io.Writer) error {
	f := flowOf(events, names, maxHosts)
	const margin, step, top, row = 110, 230, 40, 44
	cols := max(len(f.hosts), 1)
	width, height := margin+cols*step, top+row*(len(f.hops)+1)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	x := func(i int) int { return margin + i*step + step/2 }
	for i, h := range f.hosts {
		fmt.Fprintf(&b, `<text x="%d" y="20" text-anchor="middle" font-weight="bold">%s</text>`+"\n", x(i), escape(fit(printable(h), 36, false)))
		fmt.Fprintf(&b, `<line x1="%d" y1="28" x2="%d" y2="%d" stroke="#888"/>`+"\n", x(i), x(i), height-8)
	}
	for i := range f.hops {
		h := &f.hops[i]
		y := top + row*i + 26
		fmt.Fprintf(&b, `<text x="8" y="%d" fill="#555">%s</text>`+"\n", y+4, escape(strings.TrimSpace(relative(h.at))+" s"))
		stroke := "#0b5"
		switch {
		case h.bad:
			stroke = "#c22"
		case !h.answer:
			stroke = "#06c"
		}
		head := h.text
		if h.count > 1 {
			head += fmt.Sprintf(" (×%d)", h.count)
		}
		a, z := x(h.from), x(h.to)
		if a == z {
			fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="4" fill="%s"/>`+"\n", a, y, stroke)
			fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", a+8, y+4, escape(fit(head, 60, false)))
		} else {
			tip := 7
			if z < a {
				tip = -7
			}
			fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s"/>`+"\n", a, y, z-tip, y, stroke)
			fmt.Fprintf(&b, `<polygon points="%d,%d %d,%d %d,%d" fill="%s"/>`+"\n", z, y, z-tip, y-4, z-tip, y+4, stroke)
			room := (max(a, z) - min(a, z)) / 7
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (a+z)/2, y-5, escape(fit(head, room, false)))
		}
		if h.note != "" {
			fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#555" font-size="10">%s</text>`+"\n", min(a, z)+8, y+13, escape(fit(h.note, max(20, (width-min(a, z)-16)/6), false)))
		}
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// escape makes a text safe inside SVG.
func escape(s string) string {
	var b strings.Builder
	// A strings.Builder takes everything.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
