package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
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

// track runs captures through the pipeline for their sessions alone.
func track(ctx context.Context, s *streams, files []string, k *keyFlags, release int, each func(*session.Event)) (*tracked, *decode.Summary, error) {
	if len(files) == 0 {
		return nil, nil, usage("a capture FILE is needed, or - for standard input")
	}
	m, err := k.load(s)
	if err != nil {
		return nil, nil, err
	}
	var evicted []*session.Session
	left := 0
	t := tracker{Tracker: session.NewTracker(session.Config{Release: release, Evicted: func(x *session.Session) {
		if len(evicted) >= maxEvicted {
			left++
		} else if evicted = append(evicted, x); len(evicted) == manyEvicted {
			giveRoom()
		}
	}}), each: each}
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
	if left > 0 {
		fmt.Fprintf(s.err, "mcxdump: %d sessions ended after %d others had, and are not shown: split the capture, or look at it with read\n", left, maxEvicted)
	}
	all := append(evicted, t.Sessions()...)
	sort.SliceStable(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	var faults capture.Errors
	if errors.As(err, &faults) {
		for _, e := range faults {
			s.complain(e)
		}
		err = errReported
	}
	return &tracked{sessions: all, tokens: t.Tokens()}, sum, err
}

// tracked is what came of a run: every session and token.
type tracked struct {
	sessions []*session.Session
	tokens   []*session.Trail
}

// redact replaces identities by pseudonyms.
func (t *tracked) redact(name func(string) string) {
	for i := range t.sessions {
		t.sessions[i] = t.sessions[i].Redacted(name)
	}
	for i := range t.tokens {
		t.tokens[i] = t.tokens[i].Redacted(name)
	}
}

// manyEvicted sessions no longer fit the memory that the program asks for otherwise.
const manyEvicted = 4096

// maxEvicted bounds the sessions that are kept although the tracker had to let them go.
var maxEvicted = 100_000 // a test lowers it

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
	got, sum, runErr := track(ctx, s, files, &o.keyFlags, o.release, nil)
	if sum == nil {
		return runErr
	}
	wanted := map[int]bool{}
	for _, x := range got.sessions {
		switch {
		case o.failed && !x.Failed():
		case o.user != "" && !x.Mentions(o.user):
		case !from.IsZero() && x.Last < from.UnixNano():
		case !to.IsZero() && x.First >= to.UnixNano():
		default:
			wanted[x.ID] = true
		}
	}
	if o.redact {
		got.redact(output.NewRedactor(nil).Name)
	}
	var list []*session.Session
	for _, x := range got.sessions {
		if wanted[x.ID] {
			list = append(list, x)
		}
	}
	// A chain is told whole when one of its sessions is asked for.
	var chains []*session.Chain
	if o.json || o.tree {
		for _, c := range session.Chains(got.sessions, got.tokens) {
			if slices.ContainsFunc(c.Sessions(), func(x *session.Session) bool { return wanted[x.ID] }) {
				chains = append(chains, c)
			}
		}
	}
	b := bufio.NewWriter(s.out)
	switch {
	case o.json:
		var line []byte
		for _, x := range list {
			line = append(output.AppendSafeJSON(line[:0], string(x.AppendJSON(nil))), '\n')
			b.Write(line)
		}
		for _, c := range chains {
			if c.HTTP() {
				line = append(output.AppendSafeJSON(line[:0], string(c.AppendJSON(nil))), '\n')
				b.Write(line)
			}
		}
		err = b.Flush()
	case o.tree:
		for _, c := range chains {
			chainTree(b, c)
			for _, x := range c.Sessions() {
				if wanted[x.ID] {
					sessionTree(b, x)
				}
			}
		}
		err = b.Flush()
	default:
		err = sessionTable(s, list)
	}
	if err != nil {
		return err
	}
	if len(list) == 0 && runErr == nil && !o.json {
		fmt.Fprintf(s.err, "mcxdump: no service authorisation among %d messages\n", sum.Messages())
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
