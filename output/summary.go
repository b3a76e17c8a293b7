package output

import (
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/mcxdump/mcxdump/decode/record"
)

// summary shows the record of a run's end as a block: one line a value, titles aligned.
func (t *tableFormat) summary(dst []byte, r *record.Record) []byte {
	wide := 0
	for i := range r.Nodes {
		if n := &r.Nodes[i]; n.Flags&record.HasValue != 0 {
			wide = max(wide, Width(summaryTitle(n)))
		}
	}
	wide = min(wide, 60)
	dst = append(dst, '\n')
	for i := range r.Nodes {
		n := &r.Nodes[i]
		title := summaryTitle(n)
		if n.Flags&record.HasValue == 0 {
			if int(n.End) > i+1 && i > 0 { // the heading of a group that is not empty
				dst = append(append(dst, title...), '\n')
			}
			continue
		}
		dst = append(dst, title...)
		for pad := wide - Width(title); pad > 0; pad-- {
			dst = append(dst, ' ')
		}
		dst = append(dst, ' ', ' ')
		dst = AppendSafe(dst, string(r.Value(n).AppendText(nil)))
		dst = append(dst, '\n')
	}
	for i := range r.Findings {
		dst = append(dst, r.Findings[i].Severity.String()...)
		dst = append(dst, ": "...)
		dst = AppendSafe(dst, r.Findings[i].Message)
		dst = append(dst, '\n')
	}
	return dst
}

func summaryTitle(n *record.Node) string {
	if n.Key != "" {
		return "  " + Safe(n.Key)
	}
	return Safe(n.Field.Title)
}

// WriteTable writes rows under headings: with rules and aligned to the width of what they hold on a terminal, and as
// plain columns, two blanks apart, on a pipe. Cells are made safe.
func WriteTable(w io.Writer, heads []string, rows [][]string, o Options) error {
	safe := make([][]string, len(rows))
	for i, row := range rows {
		safe[i] = make([]string, len(heads))
		for k := range heads {
			if k < len(row) {
				safe[i][k] = Safe(row[k])
			}
		}
	}
	if !o.Terminal {
		return plainTable(w, heads, safe)
	}
	opts := []tablewriter.Option{
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAlignment(tw.AlignLeft),
		tablewriter.WithRowAlignment(tw.AlignLeft),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Symbols: tw.NewSymbols(tw.StyleLight),
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off},
				Lines:      tw.Lines{ShowHeaderLine: tw.On},
			},
		})),
	}
	if o.Width > 0 {
		opts = append(opts, tablewriter.WithMaxWidth(o.Width), tablewriter.WithRowAutoWrap(tw.WrapTruncate))
	}
	t := tablewriter.NewTable(w, opts...)
	cells := make([]any, len(heads))
	for i, h := range heads {
		cells[i] = Safe(h)
	}
	t.Header(cells...)
	for _, row := range safe {
		if err := t.Append(row); err != nil {
			return err
		}
	}
	return t.Render()
}

func plainTable(w io.Writer, heads []string, rows [][]string) error {
	wide := make([]int, len(heads))
	all := append([][]string{heads}, rows...)
	for _, row := range all {
		for k, c := range row {
			wide[k] = max(wide[k], Width(c))
		}
	}
	var b strings.Builder
	for _, row := range all {
		line := ""
		for k, c := range row {
			line += c + strings.Repeat(" ", wide[k]-Width(c)+2)
		}
		b.WriteString(strings.TrimRight(line, " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}
