package output

import (
	"bufio"
	"math"
	"slices"
	"strings"
)

// A Column of a Columns table.
type Column struct {
	Head string
	Rank int // 1 for the most important one; the highest ones go first when a terminal is narrow
	Min  int // columns of the terminal that it may be shortened to; 0: it is shown as a whole or not
}

// Columns writes rows under headings, one after the other, once their widths are known. A pipe gets all columns whole; of a
// terminal's width the important ones get theirs first: others are shortened, or left out. Cells are
// what Safe returned.
type Columns struct {
	cols  []Column
	wide  []int
	fixed []int
	o     Options
	line  []byte
}

// NewColumns makes a table.
func NewColumns(cols []Column, o Options) *Columns {
	c := &Columns{cols: cols, wide: make([]int, len(cols)), o: o}
	for i := range cols {
		c.wide[i] = Width(cols[i].Head)
	}
	return c
}

// Measure notes how wide the cells of a row are.
func (c *Columns) Measure(row []string) {
	for i := range c.cols {
		if i < len(row) {
			c.wide[i] = max(c.wide[i], Width(row[i]))
		}
	}
}

const columnGap = 2

// fit chooses the columns to be shown, with their widths; 0 for one that is left out.
func (c *Columns) fit() []int {
	fit := make([]int, len(c.cols))
	if !c.o.Terminal || c.o.Width <= 0 {
		copy(fit, c.wide)
		return fit
	}
	order := make([]int, len(c.cols))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return c.cols[a].Rank - c.cols[b].Rank })
	left := c.o.Width + columnGap
	for k, i := range order {
		w := c.wide[i]
		if least := c.cols[i].Min; least > 0 {
			w = min(w, least)
		}
		if w+columnGap > left {
			if k > 0 {
				break // what is left is for those before
			}
			w = left - columnGap // the first one is shown, whatever is left of it
		}
		fit[i] = w
		left -= w + columnGap
	}
	// What lacks a few letters only is made whole first, then the rest by rank.
	for _, few := range []int{6, math.MaxInt} {
		for _, i := range order {
			if lacks := c.wide[i] - fit[i]; fit[i] > 0 && lacks <= few {
				more := min(left, lacks)
				fit[i] += more
				left -= more
			}
		}
	}
	return fit
}

// Hidden are the headings of columns that the terminal is too narrow for.
func (c *Columns) Hidden() (heads []string) {
	for i, w := range c.fit() {
		if w == 0 {
			heads = append(heads, c.cols[i].Head)
		}
	}
	return heads
}

// Fix chooses what is shown by the widths known so far; a row that is wider is shortened on a terminal.
func (c *Columns) Fix() { c.fixed = c.fit() }

// Head writes the headings.
func (c *Columns) Head(w *bufio.Writer) {
	if c.fixed == nil {
		c.Fix()
	}
	heads := make([]string, len(c.cols))
	for i := range c.cols {
		heads[i] = c.cols[i].Head
	}
	c.Row(w, heads)
	if !c.o.Terminal {
		return
	}
	total := -columnGap
	for _, n := range c.fixed {
		if n > 0 {
			total += n + columnGap
		}
	}
	w.WriteString(strings.Repeat("─", max(0, total)))
	w.WriteByte('\n')
}

// Row writes one row; a bufio.Writer keeps its errors until it is flushed.
func (c *Columns) Row(w *bufio.Writer, row []string) {
	line, pad := c.line[:0], 0
	for i, wide := range c.fixed {
		if wide == 0 {
			continue
		}
		cell := ""
		if i < len(row) {
			cell = row[i]
		}
		for range pad {
			line = append(line, ' ')
		}
		used := 0
		if c.o.Terminal && c.o.Width > 0 {
			line, used = appendClip(line, cell, wide)
		} else {
			line, used = append(line, cell...), Width(cell)
		}
		pad = max(0, wide-used) + columnGap
	}
	for len(line) > 0 && line[len(line)-1] == ' ' {
		line = line[:len(line)-1]
	}
	c.line = append(line, '\n')
	w.Write(c.line)
}
