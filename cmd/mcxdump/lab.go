package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/output"
)

// labOptions are the flags of mcxdump lab.
type labOptions struct {
	out, keysOut, shape, bulk, size string
	seed                            uint64
	users, domains                  int
	scenarios                       []string
	hidden, reuse, tcp, list        bool
}

func newLab(s *streams) *cobra.Command {
	var o labOptions
	cmd := &cobra.Command{
		Use:   "lab -w FILE",
		Short: "Write a synthetic capture of mission critical signalling with its keys",
		Long: `Write a capture of a synthetic world: key management servers, users, and servers of MCPTT, MCVideo and MCData that act
out scenarios, one after another. Nothing of it touches a network, and the keys are nobody's. The capture is always a pcap
file that begins on 1 January 2024.

--keys-out writes the keys in every form that mcxdump reads; each alone opens the capture:
  keys.mcxkeys     MCX key log with the keys themselves
  master/          master secrets of every KMS, and the MC service IDs
  kms.xml          what each KMS gave each user
  wrapped/         the same under transport keys and signed

With a --seed the same flags give the same octets; without one the secrets are fresh.`,
		Example: `  mcxdump lab -w lab.pcap --keys-out keys
  mcxdump read lab.pcap --keys keys/kms.xml
  mcxdump lab --list
  mcxdump lab -w - --seed 7 --scenario fail-signature,fail-digest | mcxdump read -
  mcxdump lab -w big.pcap --keys-out keys --bulk fragments --size messages=200000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), s, cmd.Flags().Changed("scenario"))
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&o.out, "write-file", "w", "", "write the capture to `FILE`, - for standard output")
	f.StringVar(&o.keysOut, "keys-out", "", "write key files into the folder `DIR`, for the owner alone")
	f.Uint64Var(&o.seed, "seed", 0, "the same number gives the same octets; 0 draws fresh secrets")
	f.IntVar(&o.users, "users", 3, "users, who take turns")
	f.IntVar(&o.domains, "domains", 1, "security domains, each with a KMS of its own")
	f.StringSliceVar(&o.scenarios, "scenario", []string{"all"}, "scenarios by `NAME,...`, or all (--list shows them)")
	f.StringVar(&o.shape, "shape", "ethernet", "link type and tunnel: `NAME` (--list shows them)")
	f.BoolVar(&o.hidden, "hidden", true, "hide identities in I_MESSAGEs (TS 33.180 E.7)")
	f.BoolVar(&o.reuse, "reuse-csk", false, "send one CSK a user and service again and again instead of fresh ones")
	f.BoolVar(&o.tcp, "tcp", false, "SIP over TCP between users and core")
	f.StringVar(&o.size, "size", "", "at least `messages=N`; of bulk traffic messages=N, or a size such as 400MB")
	f.StringVar(&o.bulk, "bulk", "", "instead of scenarios a large capture for benchmarks: `KIND` "+lab.BulkNames())
	f.BoolVar(&o.list, "list", false, "list scenarios, shapes and kinds of bulk traffic")
	return cmd
}

func (o *labOptions) run(ctx context.Context, s *streams, chosen bool) error {
	if o.list {
		return o.show(s)
	}
	if o.out == "" {
		return usage("lab needs -w FILE, or - for standard output; --list shows what it can write")
	}
	if o.out == "-" && terminal(s.out) > 0 {
		return usage("a capture is not for a terminal: give a file to -w")
	}
	if o.users < 1 || o.users > lab.MaxUsers || o.domains < 1 || o.domains > lab.MaxDomains {
		return usage("--users is 1 to %d, --domains 1 to %d", lab.MaxUsers, lab.MaxDomains)
	}
	messages, octets, err := parseSize(o.size)
	if err != nil {
		return err
	}
	if o.bulk != "" {
		if chosen || o.tcp || o.shape != "ethernet" {
			return usage("--bulk has its own traffic: leave out --scenario, --shape and --tcp")
		}
		if !lab.IsBulk(o.bulk) {
			return usage("--bulk %s is unknown; there are %s", o.bulk, lab.BulkNames())
		}
		if messages == 0 && octets == 0 {
			return usage("--bulk needs --size, such as messages=200000 or 400MB")
		}
	} else if octets > 0 {
		return usage("--size %s is for --bulk; scenarios are counted in messages=N", o.size)
	}
	list, err := o.choose()
	if err != nil {
		return err
	}
	shape, err := lab.ShapeByName(o.shape)
	if err != nil {
		return usage("--shape %s is unknown; mcxdump lab --list shows them", o.shape)
	}
	sys, err := lab.NewSystem(lab.Options{Seed: o.seed, Users: o.users, Domains: o.domains, Plain: !o.hidden, Reuse: o.reuse, TCP: o.tcp})
	if err != nil {
		return err
	}
	out, done, err := o.open(ctx, s)
	if err != nil {
		return err
	}
	n, frames := 0, uint64(0)
	if o.bulk != "" {
		var st lab.BulkStats
		st, err = sys.Bulk(out, lab.BulkOptions{Kind: o.bulk, Messages: messages, Octets: octets})
		n, frames = st.Messages, st.Frames
	} else {
		n, frames, err = sys.Write(out, shape, list, messages)
	}
	if cerr := done(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	where := ""
	if o.keysOut != "" {
		if err := sys.WriteKeys(o.keysOut); err != nil {
			return err
		}
		where = "; keys in " + output.Safe(o.keysOut)
	}
	_, err = fmt.Fprintf(s.err, "mcxdump: %d messages in %d frames%s\n", n, frames, where)
	return err
}

// open opens the capture for writing. Writing stops when the user interrupts.
func (o *labOptions) open(ctx context.Context, s *streams) (io.Writer, func() error, error) {
	if o.out == "-" {
		w := bufio.NewWriterSize(s.out, 1<<16)
		return untilDone{ctx, w}, w.Flush, nil
	}
	f, err := os.Create(o.out)
	if err != nil {
		return nil, nil, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	return untilDone{ctx, w}, func() error {
		err := w.Flush()
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		return err
	}, nil
}

// untilDone is a writer that fails once its context has ended.
type untilDone struct {
	ctx context.Context
	w   io.Writer
}

func (u untilDone) Write(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(b)
}

func (o *labOptions) choose() ([]lab.Scenario, error) {
	var list []lab.Scenario
	for _, name := range o.scenarios {
		if name == "all" {
			list = append(list, lab.Scenarios()...)
			continue
		}
		s, err := lab.ScenarioByName(name)
		if err != nil {
			return nil, usage("--scenario %s is unknown; mcxdump lab --list shows them", output.Safe(name))
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, usage("--scenario is empty; mcxdump lab --list shows them")
	}
	return list, nil
}

// parseSize reads messages=N or a number of octets with a unit.
func parseSize(s string) (messages int, octets int64, err error) {
	if s == "" {
		return 0, 0, nil
	}
	if n, ok := strings.CutPrefix(s, "messages="); ok {
		v, err := strconv.ParseInt(n, 10, 32)
		if err != nil || v < 1 {
			return 0, 0, usage("--size messages=%s: a number from 1 is expected", n)
		}
		return int(v), 0, nil
	}
	digits := strings.TrimRight(s, "kKMGiB")
	unit, known := map[string]int64{"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}[s[len(digits):]]
	v, perr := strconv.ParseInt(digits, 10, 32)
	if perr != nil || v < 1 || !known {
		return 0, 0, usage("--size %s: messages=N or a size such as 400MB is expected", s)
	}
	return 0, v * unit, nil
}

// show prints what --list promises: in columns, with tabs when piped.
func (o *labOptions) show(s *streams) error {
	w := bufio.NewWriter(s.out)
	plain := terminal(s.out) == 0
	line := func(kind, name, clause, shows string) {
		if plain {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", kind, name, clause, shows)
			return
		}
		if clause != "" {
			shows += " (" + clause + ")"
		}
		fmt.Fprintf(w, "%-8s  %-25s  %s\n", kind, name, shows)
	}
	for _, c := range lab.Scenarios() {
		line("scenario", c.Name, c.Clause, c.Shows)
	}
	for _, sh := range lab.Shapes {
		line("shape", sh.Name, "", fmt.Sprintf("link type %d", sh.Link))
	}
	for _, k := range lab.BulkKinds {
		line("bulk", k.Name, "", k.Shows)
	}
	return w.Flush()
}
