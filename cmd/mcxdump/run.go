package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/internal/bpf"
	"github.com/mcxdump/mcxdump/internal/filter"
	"github.com/mcxdump/mcxdump/output"
)

// Exit codes (docs/json.md names them too).
const (
	exitOK     = 0
	exitFailed = 1 // unreadable or cut-off input, lost output
	exitUsage  = 2
)

// errReported marks a failure that has been told already.
var errReported = errors.New("reported")

// usageError is a wrong flag or argument.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, a ...any) error { return &usageError{fmt.Errorf(format, a...)} }

// streams are what the program reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// terminal returns the width of a terminal, 0 when w is none.
func terminal(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

// run is the program: arguments and streams in, exit code out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &streams{in: interruptible(ctx, stdin), out: stdout, err: stderr}
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, syscall.EPIPE):
		return exitOK // the reader has seen enough
	case errors.Is(err, errReported):
		return exitFailed
	case errors.Is(err, errFindings):
		return exitFindings
	}
	s.complain(err)
	var u *usageError
	if errors.As(err, &u) {
		return exitUsage
	}
	return exitFailed
}

// interruptible makes reading end with ctx, where it may wait for ever.
func interruptible(ctx context.Context, in io.Reader) io.Reader {
	if f, ok := in.(*os.File); ok {
		if st, err := f.Stat(); err != nil || st.Mode().IsRegular() {
			return in
		}
	}
	if in == nil || ctx.Done() == nil {
		return in
	}
	return capture.Interruptible(in, ctx.Done())
}

// decode runs the pipeline until the input ends. When ctx ends before, what was read is decoded and printed, and the
// user is told.
func (s *streams) decode(ctx context.Context, src capture.Source, opt decode.Options, sink decode.Sink) (*decode.Summary, error) {
	if src, ok := src.(capture.Stopper); ok {
		defer context.AfterFunc(ctx, src.Stop)()
	}
	sum, err := decode.Run(context.WithoutCancel(ctx), src, opt, sink)
	if ctx.Err() != nil {
		s.interrupted(src.Stats().Frames)
	}
	return sum, err
}

func (s *streams) interrupted(frames uint64) {
	fmt.Fprintf(s.err, "mcxdump: interrupted after %d frames; what follows in the input was not read\n", frames)
}

// complain prints an error with whatever helps: the place in a filter, a hint about a file.
func (s *streams) complain(err error) {
	fmt.Fprintf(s.err, "mcxdump: %s\n", output.Safe(err.Error()))
	var fe *filter.Error
	if errors.As(err, &fe) && fe.Hint != "" && !strings.Contains(err.Error(), fe.Hint) {
		fmt.Fprintf(s.err, "  %s\n", output.Safe(fe.Hint))
	}
	var be *bpf.Error
	if errors.As(err, &be) && be.Hint != "" {
		fmt.Fprintf(s.err, "  %s\n", output.Safe(be.Hint))
	}
	var ce *capture.FileError
	if errors.As(err, &ce) && ce.Hint != "" {
		fmt.Fprintf(s.err, "  %s\n", output.Safe(ce.Hint))
	}
	if u, ok := errors.AsType[*usageError](err); ok && strings.Contains(u.Error(), "flag") {
		fmt.Fprintln(s.err, "  mcxdump read --help lists the flags")
	}
}

func newRoot(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "mcxdump",
		Short: "Read captures of mission critical signalling: who authorised, with which key, and if not, why",
		Long: `mcxdump reads packet captures of 3GPP mission critical services (MCPTT, MCVideo, MCData), reassembles SIP, decodes
mcptt-info, poc-settings, signatures and MIKEY-SAKKE I_MESSAGEs, and says in words what is protected, with which key,
and what breaks which clause.`,
		Example: `  mcxdump read capture.pcap
  mcxdump read capture.pcap --tree
  mcxdump read capture.pcap --json | jq 'select(.sip.method == "REGISTER")'
  mcxdump read capture.pcap -Y 'mcptt_info.access_token.protection == "encrypted"'
  ssh host tcpdump -U -w - | mcxdump read -`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("mcxdump {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(newRead(s), newLive(s), newFields(s), newKeys(s), newDecode(s), newLab(s), newSessions(s), newLadder(s), newCheck(s), newMan())
	for _, c := range append(root.Commands(), root) {
		args := c.Args
		if args == nil {
			args = cobra.ArbitraryArgs
		}
		c.Args = func(cmd *cobra.Command, a []string) error {
			if err := args(cmd, a); err != nil {
				return &usageError{err}
			}
			return nil
		}
	}
	return root
}

// release is the version that packaging/release builds, "" in every other build.
var release string

// version comes from the build: a release's version or tag, or the revision that was built.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v, rev, dirty := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			rev = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "+changes"
			}
		}
	}
	if v == "" || v == "(devel)" {
		v = "devel"
		if rev != "" {
			v += "-" + rev + dirty
		}
	}
	return v
}
