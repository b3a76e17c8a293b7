package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/output"
)

// tracker puts package session into the pipeline's ordered stage.
type tracker struct {
	*session.Tracker
	// each is shown every event in order; for the flow of one Call-ID.
	each func(*session.Event)
}

func (t tracker) Read(r *record.Record) any {
	if e := session.Read(r); e != nil {
		return e
	}
	return nil
}

func (t tracker) Add(event any, b *record.Builder) []record.Finding {
	e := event.(*session.Event)
	if t.each != nil {
		t.each(e)
	}
	eff := t.Tracker.Add(e)
	session.AppendNodes(b, eff.Session)
	if len(eff.Withdraw) > 0 {
		b.R.Findings = slices.DeleteFunc(b.R.Findings, func(f record.Finding) bool { return slices.Contains(eff.Withdraw, f.ID) })
	}
	b.R.Findings = append(b.R.Findings, eff.Findings...)
	return eff.Findings
}

// track runs captures through the pipeline for their sessions alone.
func track(ctx context.Context, s *streams, files []string, k *keyFlags, release int, each func(*session.Event)) ([]*session.Session, *decode.Summary, error) {
	if len(files) == 0 {
		return nil, nil, usage("a capture FILE is needed, or - for standard input")
	}
	m, err := k.load(s)
	if err != nil {
		return nil, nil, err
	}
	var evicted []*session.Session
	t := tracker{Tracker: session.NewTracker(session.Config{Release: release, Evicted: func(x *session.Session) {
		if len(evicted) < maxEvicted {
			evicted = append(evicted, x)
		}
	}}), each: each}
	opt := decode.Options{Tracker: t, TwoPasses: true}
	if opt.Flow, err = k.flow(m); err != nil {
		return nil, nil, err
	}
	if opt.Ring = newRing(m); opt.Ring != nil {
		defer opt.Ring.Close()
	}
	src, err := capture.Open(files, capture.Options{Stdin: s.in})
	if err != nil {
		return nil, nil, err
	}
	defer src.Close()
	bar := newProgress(s, src, false)
	sum, err := s.decode(ctx, src, opt, &nothing{})
	bar.stop()
	t.Finish()
	all := append(evicted, t.Sessions()...)
	sort.SliceStable(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	var faults capture.Errors
	if errors.As(err, &faults) {
		for _, e := range faults {
			s.complain(e)
		}
		err = errReported
	}
	return all, sum, err
}

// maxEvicted bounds the sessions that are kept although the tracker had to let them go.
const maxEvicted = 100_000

// sessionsOptions are the flags of sessions.
type sessionsOptions struct {
	keyFlags
	json, tree, failed bool
	user               string
	from, to           string
	release            int
	redact             bool
}

func newSessions(s *streams) *cobra.Command {
	var o sessionsOptions
	cmd := &cobra.Command{
		Use:   "sessions FILE...|-",
		Short: "Who authorised, how, with which key, and why not",
		Long: `One line a service authorisation (IMPU, MC service, client ID): the user, how it was asked for (REGISTER, PUBLISH,
migration), what was protected and with which key, the token's validity and scopes, profile and answer mode, the state
it reached and the cause, from which messages (docs/sessions.md).`,
		Example: `  mcxdump sessions testdata/pcaps/lab-world.pcap
  mcxdump sessions testdata/pcaps/failures.pcap --failed --tree
  mcxdump sessions testdata/pcaps/failures.pcap --json | jq -r 'select(.failed) | .cause'`,
		RunE: func(cmd *cobra.Command, files []string) error {
			return o.run(cmd.Context(), s, files)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, `one JSON object a line, "schema":"mcxdump.sessions/1"`)
	f.BoolVar(&o.tree, "tree", false, "everything known of each session, with its evidence")
	f.BoolVar(&o.failed, "failed", false, "only sessions that were not granted")
	f.StringVar(&o.user, "user", "", "only sessions whose IMPU, MC service ID or client ID contains `TEXT`")
	f.StringVar(&o.from, "from", "", "only sessions that were alive at or after `TIME`")
	f.StringVar(&o.to, "to", "", "only sessions that began before `TIME`")
	f.IntVar(&o.release, "release", 0, "3GPP release that Warning codes are judged by (default newest)")
	f.BoolVar(&o.redact, "redact", false, "replace identities by pseudonyms, for sharing")
	o.keyFlags.register(f)
	o.keyFlags.registerESP(f)
	return cmd
}

func (o *sessionsOptions) run(ctx context.Context, s *streams, files []string) error {
	var from, to time.Time
	var err error
	if o.from != "" {
		if from, err = parseTime(o.from); err != nil {
			return &usageError{err}
		}
	}
	if o.to != "" {
		if to, err = parseTime(o.to); err != nil {
			return &usageError{err}
		}
	}
	all, sum, runErr := track(ctx, s, files, &o.keyFlags, o.release, nil)
	if sum == nil {
		return runErr
	}
	var list []*session.Session
	for _, x := range all {
		switch {
		case o.failed && !x.Failed():
		case o.user != "" && !strings.Contains(x.IMPU+" "+x.MCID+" "+x.Primary+" "+x.ClientID, o.user):
		case !from.IsZero() && x.Last < from.UnixNano():
		case !to.IsZero() && x.First >= to.UnixNano():
		default:
			list = append(list, x)
		}
	}
	if o.redact {
		red := output.NewRedactor(nil)
		for i := range list {
			list[i] = list[i].Redacted(red.Name)
		}
	}
	b := bufio.NewWriter(s.out)
	switch {
	case o.json:
		var line []byte
		for _, x := range list {
			line = append(x.AppendJSON(line[:0]), '\n')
			b.Write(line)
		}
		err = b.Flush()
	case o.tree:
		for _, x := range list {
			sessionTree(b, x)
		}
		err = b.Flush()
	default:
		err = sessionTable(s, list)
	}
	if err != nil {
		return err
	}
	if len(list) == 0 && runErr == nil && !o.json {
		fmt.Fprintf(s.err, "mcxdump: no service authorisation among %d SIP messages\n", sum.Messages())
	}
	return runErr
}

func sessionTable(s *streams, list []*session.Session) error {
	heads := []string{"user", "client", "service", "how", "protection", "key", "token", "profile", "answer", "state", "cause", "messages", "frames", "duration"}
	var rows [][]string
	for _, x := range list {
		rows = append(rows, []string{firstOf(x.MCID, x.IMPU), dash(shortClient(x.ClientID)), x.Service.String(), x.How, protection(x), keyWords(x),
			tokenWords(x), profileWords(x), dash(x.AnswerMode), x.State.String(), dash(x.Cause), fmt.Sprint(x.Messages), frameWords(x), seconds(x.Duration())})
	}
	return s.table(heads, rows)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return dash(b)
}

// shortClient leaves the common prefix of client IDs out.
func shortClient(id string) string { return strings.TrimPrefix(id, "urn:uuid:") }

func protection(x *session.Session) string {
	switch {
	case x.Confidentiality && x.Integrity:
		return "encrypted, signed"
	case x.Confidentiality:
		return "encrypted"
	case x.Integrity:
		return "signed"
	}
	return "none"
}

func keyWords(x *session.Session) string {
	if x.Key == nil {
		return "-"
	}
	w := x.Key.ID
	if x.Key.State != "" {
		w += " " + x.Key.State
	}
	return w
}

func tokenWords(x *session.Session) string {
	t := &x.Token
	if t.Fingerprint == "" && !t.HasExp {
		return "-"
	}
	w := t.Fingerprint
	if expired, known := x.TokenExpired(); known {
		if expired {
			w += " expired"
		} else {
			w += " valid"
		}
		w += " to " + time.Unix(t.Exp, 0).UTC().Format("15:04:05")
	}
	if n := len(x.Scopes()); n > 0 {
		w += fmt.Sprintf(", %d scopes", n)
	}
	return strings.TrimSpace(w)
}

func profileWords(x *session.Session) string {
	if x.Profile < 0 {
		return "-"
	}
	return fmt.Sprint(x.Profile)
}

func frameWords(x *session.Session) string {
	if x.FirstFrame == x.LastFrame {
		return fmt.Sprint(x.FirstFrame)
	}
	return fmt.Sprintf("%d-%d", x.FirstFrame, x.LastFrame)
}

func seconds(ns int64) string { return fmt.Sprintf("%.3fs", float64(ns)/1e9) }

// sessionTree writes all that is known of one session, each fact with the message it came from.
func sessionTree(b *bufio.Writer, x *session.Session) {
	line := func(depth int, title, value string) {
		if value == "" {
			return
		}
		fmt.Fprintf(b, "%s%s: %s\n", strings.Repeat("    ", depth), title, output.Safe(value))
	}
	fmt.Fprintf(b, "Session %d: %s, %s by %s: %s\n", x.ID, output.Safe(firstOf(x.MCID, x.IMPU)), x.Service, x.How, x.State)
	line(1, "Cause", x.Cause)
	line(1, "IMPU", x.IMPU)
	for _, a := range x.Aliases {
		line(1, "Also seen as", a)
	}
	line(1, "MC service ID", x.MCID)
	line(1, "MC service ID in the primary system", x.Primary)
	line(1, "Client ID", x.ClientID)
	line(1, "Contact", x.Contact)
	line(1, "Instance", x.Instance)
	line(1, "Protection", protection(x))
	line(1, "What could be opened", x.KeyState)
	line(1, "Signatures", x.SignatureState)
	line(1, "Token", tokenWords(x))
	line(1, "Token issuer", x.Token.Issuer)
	line(1, "Scopes", strings.Join(x.Scopes(), " "))
	if x.Profile >= 0 {
		line(1, "Profile index", fmt.Sprint(x.Profile))
	}
	line(1, "Answer mode", x.AnswerMode)
	for _, k := range x.Keys {
		w := strings.TrimSpace(fmt.Sprintf("%s %s %s", k.Type, k.ID, k.Way))
		if k.State != "" {
			w += ", " + k.State
		}
		if k.Signature != "" {
			w += ", signature " + k.Signature
		}
		line(1, "Key", w+at(k.Number, k.Frame))
	}
	line(1, "Messages", fmt.Sprintf("%d, %d repeated, frames %s, %s", x.Messages, x.Retransmissions, frameWords(x), seconds(x.Duration())))
	if len(x.Evidence) > 0 {
		fmt.Fprintf(b, "    Evidence\n")
		for _, e := range x.Evidence {
			w := e.Value
			if e.KeyID != "" {
				w += ", opened with " + e.KeyID
			}
			line(2, strings.ReplaceAll(e.Fact, "_", " "), w+at(e.Number, e.Frame))
		}
	}
	if len(x.History) > 0 {
		fmt.Fprintf(b, "    History\n")
		for _, h := range x.History {
			w := fmt.Sprintf("%s to %s", h.From, h.To)
			if h.Cause != "" {
				w += ": " + h.Cause
			}
			line(2, string(record.AppendTime(nil, h.Time)), w+at(h.Number, h.Frame))
		}
	}
	if x.Lost > 0 {
		line(1, "Left out", fmt.Sprintf("%d facts over the limit", x.Lost))
	}
	b.WriteByte('\n')
}

func at(number, frame uint64) string {
	if number == 0 {
		return ""
	}
	return fmt.Sprintf(" (message %d, frame %d)", number, frame)
}

// newLadder draws the message flow of one session or Call-ID.
func newLadder(s *streams) *cobra.Command {
	var k keyFlags
	var id int
	var callID, svg string
	var width int
	var ascii bool
	cmd := &cobra.Command{
		Use:   "ladder FILE... (--session N | --call-id ID)",
		Short: "The message flow of one session or Call-ID",
		Example: `  mcxdump ladder testdata/pcaps/register-protected.pcap --session 1
  mcxdump ladder capture.pcap --call-id 1c961356@192.0.2.10 --svg flow.svg`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if (id == 0) == (callID == "") {
				return usage("say --session N (mcxdump sessions numbers them) or --call-id ID")
			}
			var events []*session.Event
			all, sum, runErr := track(cmd.Context(), s, files, &k, 0, func(e *session.Event) {
				if callID != "" && e.CallID == callID && len(events) < maxLadder {
					events = append(events, e)
				}
			})
			if sum == nil {
				return runErr
			}
			if id != 0 {
				for _, x := range all {
					if x.ID == id {
						events = x.Events()
					}
				}
			}
			if len(events) == 0 {
				return fmt.Errorf("no message of that session or Call-ID is in the capture; there are %d sessions", len(all))
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
	f.StringVar(&callID, "call-id", "", "Call-ID")
	f.StringVar(&svg, "svg", "", "write an SVG image to `FILE` instead")
	f.IntVar(&width, "width", 0, "columns (default the terminal's, 100 in a pipe)")
	f.BoolVar(&ascii, "ascii", false, "arrows in ASCII")
	k.register(f)
	k.registerESP(f)
	return cmd
}

// maxLadder bounds the messages of one Call-ID that are drawn.
const maxLadder = 10_000
