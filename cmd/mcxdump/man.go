package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newMan writes the man pages that packages carry. It is hidden: who has the package has the pages.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the man pages, one a command, to a directory",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var write func(c *cobra.Command) error
			write = func(c *cobra.Command) error {
				if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
					return nil
				}
				name := filepath.Join(args[0], pageName(c)+".1")
				if err := os.WriteFile(name, manPage(c), 0o644); err != nil {
					return err
				}
				for _, sub := range c.Commands() {
					if err := write(sub); err != nil {
						return err
					}
				}
				return nil
			}
			return write(cmd.Root())
		},
	}
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage is the page of a command in roff with the macros of man(7).
func manPage(c *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"mcxdump\" \"mcxdump\"\n.SH NAME\n%s \\- %s\n", roff(strings.ToUpper(pageName(c))), roff(pageName(c)), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.UseLine()))
	fmt.Fprint(&b, ".SH DESCRIPTION\n")
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	verbatim(&b, text)
	var subs []*cobra.Command
	for _, s := range c.Commands() {
		if !s.Hidden && s.Name() != "help" && s.Name() != "completion" {
			subs = append(subs, s)
		}
	}
	if len(subs) > 0 {
		fmt.Fprint(&b, ".SH COMMANDS\n")
		for _, s := range subs {
			fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", roff(pageName(s)), roff(s.Short))
		}
	}
	fmt.Fprint(&b, ".SH OPTIONS\n")
	flags := c.NonInheritedFlags()
	flags.SortFlags = c.Flags().SortFlags
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, words := pflag.UnquoteUsage(f)
		fmt.Fprint(&b, ".TP\n.B ")
		if f.Shorthand != "" {
			fmt.Fprintf(&b, "%s, ", roff("-"+f.Shorthand))
		}
		fmt.Fprint(&b, roff("--"+f.Name))
		if value != "" {
			fmt.Fprintf(&b, " %s", roff(value))
		}
		fmt.Fprintf(&b, "\n%s", roff(words))
		if d := f.DefValue; d != "" && d != "false" && d != "[]" && d != "0" {
			fmt.Fprintf(&b, " (default %s)", roff(d))
		}
		fmt.Fprint(&b, "\n")
	})
	fmt.Fprint(&b, ".TP\n.B \\-h, \\-\\-help\nhelp for this command\n")
	if c.Example != "" {
		fmt.Fprint(&b, ".SH EXAMPLES\n")
		verbatim(&b, c.Example)
	}
	if c.HasParent() {
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roff(pageName(c.Parent())))
	}
	return b.Bytes()
}

// verbatim writes text with its own line ends.
func verbatim(b *bytes.Buffer, text string) {
	b.WriteString(".nf\n")
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(roff(line) + "\n")
	}
	b.WriteString(".fi\n")
}

// roff escapes text: a backslash, a hyphen that is to be copied as one, and a control character at the line's beginning.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
