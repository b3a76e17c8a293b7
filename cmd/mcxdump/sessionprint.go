package main

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/output"
)

// maxStories bounds the sessions that are kept to be put together to users' stories although the tracker had to let them
// go.
var maxStories = 4096 // a test lowers it

// A sessionPrinter prints sessions in the order of their first messages. It is given them as they end, and keeps no more
// of one than its text, compressed; where that fills its budget, what waits is printed ahead of the sessions that it waits
// for.
type sessionPrinter struct {
	s        *streams
	o        *sessionsOptions
	from, to time.Time
	out      *bufio.Writer
	name     func(string) string // pseudonym; nil shows identities
	columns  *output.Columns     // of the table
	started  bool                // its head is written
	store    *textStore
	next     int // the lowest number that was not printed
	last     int // the highest one given
	text     []byte
	line     []byte
	shown    int // sessions that were asked for
	early    int // that were printed before the end
	late     int // that were printed behind later ones
	wanted   map[int]bool
	briefs   []*session.Session // for the stories
	alone    int                // sessions that no story knows
}

func newSessionPrinter(s *streams, o *sessionsOptions, from, to time.Time) *sessionPrinter {
	p := &sessionPrinter{s: s, o: o, from: from, to: to, out: bufio.NewWriter(s.out), store: newTextStore(), next: 1, wanted: map[int]bool{}}
	if o.redact {
		p.name = output.NewRedactor(nil).Name
	}
	p.columns = output.NewColumns(sessionColumns, output.Options{Terminal: terminal(s.out) > 0, Width: terminal(s.out)})
	return p
}

// wants reports whether a session was asked for.
func (p *sessionPrinter) wants(x *session.Session) bool {
	switch {
	case p.o.failed && !x.Failed():
	case p.o.user != "" && !x.Mentions(p.o.user):
	case !p.from.IsZero() && x.Last < p.from.UnixNano():
	case !p.to.IsZero() && x.First >= p.to.UnixNano():
	default:
		return true
	}
	return false
}

// add takes a session of which nothing more will be known.
func (p *sessionPrinter) add(x *session.Session) {
	id, wanted := x.ID, p.wants(x)
	stories := p.o.json || p.o.tree
	if !wanted && !stories {
		p.keep(id, nil)
		return
	}
	if p.name != nil {
		x = x.Redacted(p.name)
	}
	if stories {
		if len(p.briefs) < maxStories {
			p.briefs = append(p.briefs, x.Brief())
			if wanted {
				p.wanted[id] = true
			}
		} else {
			p.alone++
		}
	}
	if wanted {
		p.shown++
		p.text = p.render(p.text[:0], x)
		p.keep(id, p.text)
		return
	}
	p.keep(id, nil)
}

// render appends the text of a session.
func (p *sessionPrinter) render(dst []byte, x *session.Session) []byte {
	switch {
	case p.o.json:
		p.line = x.AppendJSON(p.line[:0])
		return append(output.AppendSafeJSON(dst, string(p.line)), '\n')
	case p.o.tree:
		b := bytes.NewBuffer(dst)
		w := bufio.NewWriter(b)
		sessionTree(w, x)
		w.Flush()
		return b.Bytes()
	}
	row := sessionRow(x)
	for i := range row {
		row[i] = output.Safe(row[i])
		if i > 0 {
			dst = append(dst, 0) // which is not safe
		}
		dst = append(dst, row[i]...)
	}
	p.columns.Measure(row)
	return dst
}

// keep puts a text in its place, and prints what has not to wait for others.
func (p *sessionPrinter) keep(id int, text []byte) {
	p.last = max(p.last, id)
	if id < p.next {
		// Others were printed ahead of it.
		if len(text) > 0 {
			p.late++
			p.print(text)
		}
		return
	}
	p.store.put(id, text)
	if p.o.json {
		for {
			text, ok := p.store.take(p.next)
			if !ok {
				break
			}
			p.out.Write(text)
			p.next++
		}
		p.store.drop(p.next)
	}
	if p.store.full() {
		p.early += p.flush()
	}
}

// flush prints everything that is kept, in order.
func (p *sessionPrinter) flush() (n int) {
	for ; p.next <= p.last; p.next++ {
		if text, ok := p.store.take(p.next); ok && len(text) > 0 {
			p.print(text)
			n++
		}
	}
	p.store.drop(p.next)
	return n
}

func (p *sessionPrinter) print(text []byte) {
	if p.o.json || p.o.tree {
		p.out.Write(text)
		return
	}
	if !p.started {
		p.started = true
		p.columns.Fix()
		p.columns.Head(p.out)
	}
	p.columns.Row(p.out, strings.Split(string(text), "\x00"))
}

// end prints what is left, and the stories.
func (p *sessionPrinter) end(tokens []*session.Trail) error {
	if p.name != nil {
		for i := range tokens {
			tokens[i] = tokens[i].Redacted(p.name)
		}
	}
	slices.SortFunc(p.briefs, func(a, b *session.Session) int { return a.ID - b.ID })
	// A chain is told whole when one of its sessions is asked for.
	var chains []*session.Chain
	for _, c := range session.Chains(p.briefs, tokens) {
		if slices.ContainsFunc(c.Sessions(), func(x *session.Session) bool { return p.wanted[x.ID] }) {
			chains = append(chains, c)
		}
	}
	if p.o.tree {
		for _, c := range chains {
			chainTree(p.out, c)
			for _, x := range c.Sessions() {
				text, _ := p.store.take(x.ID)
				p.out.Write(text)
			}
		}
	}
	p.flush()
	web := false
	if p.o.json {
		for _, c := range chains {
			if c.HTTP() {
				web = true
				p.out.Write(append(output.AppendSafeJSON(nil, string(c.AppendJSON(nil))), '\n'))
			}
		}
	}
	if !p.o.json && !p.o.tree && !p.started {
		p.columns.Head(p.out)
	}
	if err := p.out.Flush(); err != nil {
		return err
	}
	if p.late > 0 {
		fmt.Fprintf(p.s.err, "mcxdump: %d sessions are shown behind others that began later and ended before\n", p.late)
	}
	if p.early > 0 && p.o.tree {
		fmt.Fprintf(p.s.err, "mcxdump: %d sessions are shown apart from their users' stories\n", p.early)
	}
	if p.alone > 0 && (p.o.tree || web) {
		fmt.Fprintf(p.s.err, "mcxdump: %d sessions are in no user's story: only the first %d that end are put together\n", p.alone, maxStories)
	}
	if hidden := p.columns.Hidden(); len(hidden) > 0 && p.shown > 0 && !p.o.json && !p.o.tree {
		fmt.Fprintf(p.s.err, "mcxdump: not shown for want of columns: %s (a wider terminal, --tree or --json has them)\n", strings.Join(hidden, ", "))
	}
	return nil
}
