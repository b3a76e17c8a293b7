package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	if e := t.Tracker.Read(r); e != nil {
		return e
	}
	return nil
}

// Needs are the fields that Read looks at.
func (t tracker) Needs() record.Want { return session.Needs() }

func (t tracker) Add(event any, b *record.Builder) []record.Finding {
	e := event.(*session.Event)
	if t.each != nil {
		t.each(e)
	} else {
		defer session.Release(e)
	}
	eff := t.Tracker.Add(e)
	session.AppendNodes(b, eff.Session)
	if len(eff.Withdraw) > 0 {
		b.R.Findings = slices.DeleteFunc(b.R.Findings, func(f record.Finding) bool { return slices.Contains(eff.Withdraw, f.ID) })
	}
	b.R.Findings = append(b.R.Findings, eff.Findings...)
	return eff.Findings
}

// A tracking is how captures are followed for their sessions.
type tracking struct {
	release int
	ladders bool
	evicted func(*session.Session) // is given each session that the tables let go
	each    func(*session.Event)   // see tracker
}

// sessionLimits are those of the tables.
var sessionLimits session.Limits // a test lowers them

// track runs captures through the pipeline for their sessions alone. The tracker has finished then; it is nil when nothing
// could be run.
func track(ctx context.Context, s *streams, files []string, k *keyFlags, how tracking) (*session.Tracker, *decode.Summary, error) {
	if len(files) == 0 {
		return nil, nil, usage("a capture FILE is needed, or - for standard input")
	}
	m, err := k.load(s)
	if err != nil {
		return nil, nil, err
	}
	t := tracker{Tracker: session.NewTracker(session.Config{Limits: sessionLimits, Release: how.release, Evicted: how.evicted, NoLadders: !how.ladders}), each: how.each}
	opt := decode.Options{Tracker: t, TwoPasses: true}
	if opt.Flow, err = k.flow(m); err != nil {
		return nil, nil, err
	}
	k.ring(&opt, m, files)
	defer opt.Ring.Close()
	src, err := capture.Open(files, k.source(s))
	if err != nil {
		return nil, nil, err
	}
	defer src.Close()
	bar := newProgress(s, src, false)
	sum, err := s.decode(ctx, src, opt, &nothing{})
	bar.stop()
	t.Finish()
	var faults capture.Errors
	if errors.As(err, &faults) {
		for _, e := range faults {
			s.complain(e)
		}
		err = errReported
	}
	return t.Tracker, sum, err
}

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
		Long: `One line a service authorisation: over SIP (IMPU, MC service, client ID) or over HTTP (identity, key, configuration
and group management, recording); the user, how it was asked for (REGISTER, PUBLISH, migration, authorisation code, bearer
token), what was protected and with which key, the token's validity and scopes, profile and answer mode, the state it
reached and the cause, from which messages. --tree tells each user's way through the services as one story and names what
is missing (docs/sessions.md).`,
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
	f.StringVar(&o.user, "user", "", "only sessions of whom an identity (IMPU, MC service ID, client ID) contains `TEXT`")
	f.StringVar(&o.from, "from", "", "only sessions that were alive at or after `TIME`")
	f.StringVar(&o.to, "to", "", "only sessions that began before `TIME`")
	f.IntVar(&o.release, "release", 0, "3GPP release that Warning codes are judged by (default newest)")
	f.BoolVar(&o.redact, "redact", false, "replace identities by pseudonyms, for sharing")
	o.keyFlags.register(f)
	o.keyFlags.registerCapture(f)
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
	p := newSessionPrinter(s, o, from, to)
	t, sum, runErr := track(ctx, s, files, &o.keyFlags, tracking{release: o.release, evicted: p.add})
	if t == nil {
		return runErr
	}
	for _, x := range t.Sessions() {
		p.add(x)
	}
	if err := p.end(t.Tokens()); err != nil {
		return err
	}
	if p.shown == 0 && runErr == nil && !o.json {
		fmt.Fprintf(s.err, "mcxdump: no service authorisation among %d messages\n", sum.Messages())
	}
	return runErr
}

// sessionColumns are those of the table: what tells most of a session keeps its place longest on a narrow terminal.
var sessionColumns = []output.Column{{Head: "user", Rank: 1, Min: 26}, {Head: "client", Rank: 9, Min: 13}, {Head: "service", Rank: 3}, {Head: "how", Rank: 5, Min: 12},
	{Head: "protection", Rank: 7}, {Head: "key", Rank: 6, Min: 15}, {Head: "token", Rank: 12, Min: 30}, {Head: "profile", Rank: 13}, {Head: "answer", Rank: 14},
	{Head: "state", Rank: 2}, {Head: "cause", Rank: 4, Min: 28}, {Head: "messages", Rank: 11}, {Head: "frames", Rank: 8}, {Head: "duration", Rank: 10}}

func sessionRow(x *session.Session) []string {
	return []string{firstOf(x.MCID, x.IMPU), dash(shortClient(x.ClientID)), x.Service.String(), x.How, protection(x), keyWords(x),
		tokenWords(x), profileWords(x), dash(x.AnswerMode), x.State.String(), dash(x.Cause), fmt.Sprint(x.Messages), frameWords(x), seconds(x.Duration())}
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
	case x.Service.HTTP() && x.TrK+x.InK != "":
		return strings.TrimSpace("TrK " + x.TrK)
	case x.Service.HTTP():
		return "-"
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
	if n := len(x.KeySets); n > 0 {
		return session.Count(n, "key set")
	}
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
