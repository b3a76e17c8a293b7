package output

import (
	"bufio"
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestColumns: what matters most has its place on a narrow terminal; nothing is wider than the terminal; a pipe has all.
func TestColumns(t *testing.T) {
	cols := []Column{{Head: "user", Rank: 1, Min: 10}, {Head: "client", Rank: 4, Min: 8}, {Head: "state", Rank: 2}, {Head: "cause", Rank: 3, Min: 12}}
	rows := [][]string{
		{"sip:alice@example.org", "fb6ace0e-941d-4910-8d03-7ab69d6f196a", "rejected", "403 Forbidden; 101 service authorisation failed"},
		{"sip:bob@example.org", "-", "accepted", "200 to REGISTER"},
	}
	write := func(width int) (lines []string, hidden []string) {
		c := NewColumns(cols, Options{Terminal: width > 0, Width: width})
		for _, r := range rows {
			c.Measure(r)
		}
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		c.Head(w)
		for _, r := range rows {
			c.Row(w, r)
		}
		w.Flush()
		return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n"), c.Hidden()
	}
	for width := 1; width < 150; width++ {
		lines, hidden := write(width)
		for _, l := range lines {
			if Width(l) > width {
				t.Errorf("%d columns: %q has %d", width, l, Width(l))
			}
		}
		if len(lines) != 4 || strings.TrimSpace(lines[2]) == "" || slices.Contains(hidden, "user") {
			t.Errorf("%d columns: %q", width, lines)
		}
		if width >= 20 && (slices.Contains(hidden, "state") || !strings.Contains(lines[2], "rejected")) {
			t.Errorf("%d columns: no state in %q", width, lines[2])
		}
		if width >= 34 && !strings.Contains(lines[2], "403 Forbidd") {
			t.Errorf("%d columns: no cause in %q", width, lines[2])
		}
		if slices.Contains(hidden, "client") != (width < 44) {
			t.Errorf("%d columns: hidden %q", width, hidden)
		}
	}
	if lines, hidden := write(0); len(hidden) > 0 || len(lines) != 3 || !strings.HasSuffix(lines[1], rows[0][3]) || strings.HasSuffix(lines[2], " ") {
		t.Errorf("in a pipe: %q, hidden %q", lines, hidden)
	}
	if lines, _ := write(140); !strings.HasSuffix(lines[2], rows[0][3]) || !strings.HasPrefix(lines[1], "──") {
		t.Errorf("on a wide terminal: %q", lines)
	}
}

// TestColumnsFew: a column that lacks a few letters gets them before a more important one that stays cut either way.
func TestColumnsFew(t *testing.T) {
	c := NewColumns([]Column{{Head: "cause", Rank: 1, Min: 5}, {Head: "key", Rank: 2, Min: 5}}, Options{Terminal: true, Width: 15})
	row := []string{strings.Repeat("x", 30), "no_rsk_8"}
	c.Measure(row)
	c.Fix()
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	c.Row(w, row)
	w.Flush()
	if want := "xxxx…  no_rsk_8\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
