package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mcxdump/mcxdump/decode/session"
)

// newLadder draws the message flow of one session, user or Call-ID.
func newLadder(s *streams) *cobra.Command {
	var k keyFlags
	var id int
	var callID, svg, user string
	var width int
	var ascii bool
	cmd := &cobra.Command{
		Use:   "ladder FILE... (--session N | --user ID | --call-id ID)",
		Short: "The message flow of one session, user or Call-ID",
		Example: `  mcxdump ladder testdata/pcaps/register-protected.pcap --session 1
  mcxdump ladder capture.pcap --call-id 1c961356@192.0.2.10 --svg flow.svg`,
		RunE: func(cmd *cobra.Command, files []string) error {
			given := 0
			for _, is := range []bool{id != 0, callID != "", user != ""} {
				if is {
					given++
				}
			}
			if given != 1 {
				return usage("say --session N (mcxdump sessions numbers them), --user ID or --call-id ID")
			}
			var events []*session.Event
			var sessions []*session.Session
			count, left := 0, 0
			keep := func(x *session.Session) {
				switch count++; {
				case x.ID == id:
					events = x.Events()
				case user == "":
				case len(sessions) >= maxStories && !x.Is(user):
					left++
				default:
					sessions = append(sessions, x)
				}
			}
			t, sum, runErr := track(cmd.Context(), s, files, &k, tracking{ladders: true, evicted: keep, each: func(e *session.Event) {
				if callID != "" && e.CallID == callID && len(events) < maxLadder {
					events = append(events, e)
				}
			}})
			if t == nil || sum == nil {
				return runErr
			}
			for _, x := range t.Sessions() {
				keep(x)
			}
			if left > 0 {
				fmt.Fprintf(s.err, "mcxdump: %d sessions more were not looked at for what belongs together\n", left)
			}
			if user != "" {
				slices.SortFunc(sessions, func(a, b *session.Session) int { return a.ID - b.ID })
				for _, c := range session.Chains(sessions, t.Tokens()) {
					if slices.ContainsFunc(c.Sessions(), func(x *session.Session) bool { return x.Is(user) }) {
						events = append(events, c.Events()...)
					}
				}
				slices.SortStableFunc(events, func(a, b *session.Event) int { return cmp.Compare(a.Number, b.Number) })
				events = events[:min(len(events), maxLadder)]
			}
			if len(events) == 0 {
				return fmt.Errorf("no message of that session, user or Call-ID is in the capture; there are %d sessions", count)
			}
			if svg != "" {
				f, err := os.Create(svg)
				if err != nil {
					return err
				}
				err = session.LadderSVG(events, f)
				if cerr := f.Close(); err == nil {
					err = cerr
				}
				if err != nil {
					return err
				}
				return runErr
			}
			cols := terminal(s.out)
			if width == 0 {
				width = cols
			}
			if _, err := s.out.Write(session.Ladder(events, session.LadderOptions{Width: width, Color: cols > 0 && os.Getenv("NO_COLOR") == "", ASCII: ascii})); err != nil {
				return err
			}
			return runErr
		},
	}
	f := cmd.Flags()
	f.IntVar(&id, "session", 0, "number `N` of the session, as mcxdump sessions --json or --tree has it")
	f.StringVar(&user, "user", "", "every message of a user's sessions, over SIP and HTTP: an IMPU, MC service ID or client ID, or a part of one")
	f.StringVar(&callID, "call-id", "", "Call-ID")
	f.StringVar(&svg, "svg", "", "write an SVG image to `FILE` instead")
	f.IntVar(&width, "width", 0, "columns (default the terminal's, 100 in a pipe)")
	f.BoolVar(&ascii, "ascii", false, "arrows in ASCII")
	k.register(f)
	k.registerCapture(f)
	return cmd
}

// maxLadder bounds the messages of one Call-ID that are drawn.
const maxLadder = 10_000
