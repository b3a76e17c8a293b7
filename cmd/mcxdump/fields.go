package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	_ "github.com/mcxdump/mcxdump/decode" // fills the register
	"github.com/mcxdump/mcxdump/decode/record"
)

func newFields(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "fields [PART]",
		Short: "List the fields: name, kind, clause and title",
		Long: `List the fields. A field's name is the filter name, the argument of -e and, with bodies[] left out, the JSON path.
PART lists only names that contain it. Columns are separated by tabs when piped.`,
		Example: "  mcxdump fields mcptt_info\n  mcxdump fields | cut -f1",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			part := ""
			if len(args) == 1 {
				part = strings.ToLower(args[0])
			}
			var list []*record.Field
			width := 0
			for _, f := range record.Fields() {
				if strings.Contains(f.Name, part) {
					list = append(list, f)
					width = max(width, len(f.Name))
				}
			}
			if len(list) == 0 {
				if near := record.Near(part); len(near) > 0 {
					return usage("no field's name contains %q; near it are: %s", part, strings.Join(near, ", "))
				}
				return usage("no field's name contains %q; mcxdump fields lists them all", part)
			}
			w := bufio.NewWriter(s.out)
			plain := terminal(s.out) == 0
			for _, f := range list {
				kind := f.Kind.String()
				if f.Kind == record.Protected || f.Kind == record.Map {
					kind += " of " + f.Of.String()
				}
				if f.List {
					kind = "list of " + kind
				}
				if plain {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Name, kind, f.Clause, f.Title)
				} else {
					fmt.Fprintf(w, "%-*s  %-20s  %-24s  %s\n", width, f.Name, kind, f.Clause, f.Title)
				}
			}
			return w.Flush()
		},
	}
}
