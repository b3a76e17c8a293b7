package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/output"
)

// exitFindings says that a check has found what --fail-on names.
const exitFindings = 3

// errFindings ends a run of check with that code; the findings have been printed.
var errFindings = errors.New("findings")

// checkSchema is the version string of check --json (docs/checks.md).
const checkSchema = "mcxdump.check/1"

// checkOptions are the flags of check.
type checkOptions struct {
	keyFlags
	json                       bool
	junit, sarif               string
	baseline, writeBaseline    string
	failOn                     string
	release                    int
	confidentiality, integrity string
	mdsi                       []string
	role, jwks                 string
}

func newCheck(s *streams) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check FILE...|-",
		Short: "What breaks which clause; for people and for CI",
		Long: `Run the conformance checks (docs/checks.md) over captures and print what breaks which clause, by session and check, with
the number of times and the first frames. What the service configuration says is told with --confidentiality and
--integrity; without them only what a message itself shows is held against it.

Exit codes: 0 nothing reaches --fail-on, 3 something does, 1 unreadable or cut-off input, 2 usage.`,
		Example: `  mcxdump check testdata/pcaps/failures.pcap
  mcxdump check testdata/pcaps/failures.pcap --fail-on never --json | jq -r '.id' | sort | uniq -c
  mcxdump check testdata/pcaps/register-protected.pcap --confidentiality on --integrity on --junit report.xml
  mcxdump check testdata/pcaps/failures.pcap --write-baseline known.txt
  mcxdump check testdata/pcaps/failures.pcap --baseline known.txt`,
		RunE: func(cmd *cobra.Command, files []string) error { return o.run(cmd.Context(), s, files) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.failOn, "fail-on", "error", "exit with code 3 when a finding reaches `SEVERITY`: error, warning, note or never")
	f.BoolVar(&o.json, "json", false, `one JSON object a finding, "schema":"mcxdump.check/1"`)
	f.StringVar(&o.junit, "junit", "", "write JUnit XML to `FILE`, - for standard output")
	f.StringVar(&o.sarif, "sarif", "", "write SARIF 2.1.0 to `FILE`, - for standard output")
	f.StringVar(&o.baseline, "baseline", "", "accept the findings that `FILE` lists")
	f.StringVar(&o.writeBaseline, "write-baseline", "", "list all findings in `FILE`, to be accepted later; nothing fails then")
	f.IntVar(&o.release, "release", 0, "3GPP release to judge by, 13 to 20 (default newest)")
	f.StringVar(&o.confidentiality, "confidentiality", "auto", "confidentiality protection by configuration: on, off or auto")
	f.StringVar(&o.integrity, "integrity", "auto", "integrity protection by configuration: on, off or auto")
	f.StringArrayVar(&o.mdsi, "mdsi", nil, "security `ID` of a server's domain that CSKs must be sent to; may be repeated")
	f.StringVar(&o.role, "role", "auto", "where the capture was taken: "+strings.Join(decode.Roles, ", "))
	f.StringVar(&o.jwks, "jwks", "", "JSON Web Key Set `FILE` of the identity management servers: verify token signatures")
	o.keyFlags.register(f)
	o.keyFlags.registerCapture(f)
	return cmd
}

// config turns the flags into what the checks may assume.
func (o *checkOptions) config() (*decode.CheckConfig, error) {
	c := &decode.CheckConfig{Release: o.release, MDSI: o.mdsi, Role: o.role}
	var err error
	if c.Confidentiality, err = decode.ParseTri(o.confidentiality); err != nil {
		return nil, usage("--confidentiality: %v", err)
	}
	if c.Integrity, err = decode.ParseTri(o.integrity); err != nil {
		return nil, usage("--integrity: %v", err)
	}
	if err := c.Check(); err != nil {
		return nil, &usageError{err}
	}
	if o.jwks != "" {
		b, err := os.ReadFile(o.jwks)
		if err != nil {
			return nil, err
		}
		if c.JWKS, err = decode.ParseJWKS(b); err != nil {
			return nil, fmt.Errorf("%s: %w", o.jwks, err)
		}
	}
	return c, nil
}

func parseFailOn(s string) (least record.Severity, never bool, err error) {
	switch s {
	case "error":
		return record.Error, false, nil
	case "warning":
		return record.Warning, false, nil
	case "note":
		return record.Note, false, nil
	case "never":
		return record.Error, true, nil
	}
	return 0, false, usage("--fail-on is error, warning, note or never")
}

func (o *checkOptions) run(ctx context.Context, s *streams, files []string) error {
	if len(files) == 0 {
		return usage("check needs a capture FILE, or - for standard input")
	}
	stdout := 0
	for _, on := range []bool{o.json, o.junit == "-", o.sarif == "-"} {
		if on {
			stdout++
		}
	}
	if stdout > 1 {
		return usage("choose one of --json, --junit - and --sarif -")
	}
	cfg, err := o.config()
	if err != nil {
		return err
	}
	rep := &checkReport{json: o.json, out: bufio.NewWriterSize(s.out, 64<<10), groups: map[groupKey]*checkGroup{}, texts: map[string]string{}}
	if rep.least, rep.never, err = parseFailOn(o.failOn); err != nil {
		return err
	}
	rep.never = rep.never || o.writeBaseline != ""
	if o.baseline != "" {
		if rep.accepted, err = readBaseline(o.baseline); err != nil {
			return err
		}
	}
	material, err := o.keyFlags.load(s)
	if err != nil {
		return err
	}
	opt := decode.Options{Want: record.All(), Checks: cfg, Tracker: tracker{Tracker: session.NewTracker(session.Config{Release: o.release, NoLadders: true})}, TwoPasses: true}
	if opt.Flow, err = o.keyFlags.flow(material); err != nil {
		return err
	}
	o.keyFlags.ring(&opt, material, files)
	defer opt.Ring.Close()
	src, err := capture.Open(files, o.keyFlags.source(s))
	if err != nil {
		return err
	}
	defer src.Close()
	bar := newProgress(s, src, false)
	sum, runErr := s.decode(ctx, src, opt, rep)
	bar.stop()
	if err := o.finish(s, rep, files, sum); err != nil {
		return err
	}
	var faults capture.Errors
	if errors.As(runErr, &faults) {
		for _, e := range faults {
			s.complain(e)
		}
		return errReported
	}
	if runErr != nil {
		return runErr
	}
	if ctx.Err() != nil {
		return errReported // not all was checked
	}
	if rep.failing > 0 {
		return errFindings
	}
	return nil
}

// finish prints what was gathered.
func (o *checkOptions) finish(s *streams, rep *checkReport, files []string, sum *decode.Summary) error {
	if o.writeBaseline != "" {
		if err := writeFile(s, o.writeBaseline, rep.baseline()); err != nil {
			return err
		}
	}
	if o.junit != "" || o.sarif != "" {
		r := rep.report(files)
		if o.junit != "" {
			if err := writeFile(s, o.junit, output.AppendJUnit(nil, r)); err != nil {
				return err
			}
		}
		if o.sarif != "" {
			if err := writeSARIF(s, o.sarif, r); err != nil {
				return err
			}
		}
	}
	if !o.json && o.junit != "-" && o.sarif != "-" && o.writeBaseline != "-" {
		messages := uint64(0)
		if sum != nil {
			messages = sum.Messages()
		}
		rep.text(messages)
	}
	return rep.out.Flush()
}

func writeSARIF(s *streams, name string, r *output.CheckReport) error {
	if name == "-" {
		return output.WriteSARIF(s.out, r)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = output.WriteSARIF(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func writeFile(s *streams, name string, b []byte) error {
	if name == "-" {
		_, err := s.out.Write(b)
		return err
	}
	return os.WriteFile(name, b, 0o644)
}

// checkFinding is one object of check --json, and what the workers hand to the writer.
type checkFinding struct {
	Schema      string        `json:"schema"`
	ID          string        `json:"id"`
	Severity    string        `json:"severity"`
	Clause      string        `json:"clause"`
	Title       string        `json:"title,omitempty"`
	Message     string        `json:"message"`
	Number      uint64        `json:"number,omitempty"`
	Time        string        `json:"time,omitempty"`
	Frames      []uint64      `json:"frames"`
	File        string        `json:"file,omitempty"`
	Method      string        `json:"method,omitempty"`
	Status      int64         `json:"status,omitempty"`
	CallID      string        `json:"call_id,omitempty"`
	Body        string        `json:"body,omitempty"`
	Field       string        `json:"field,omitempty"`
	Source      *uint16       `json:"source,omitempty"`
	Offset      *uint32       `json:"offset,omitempty"`
	Length      *uint32       `json:"length,omitempty"`
	Session     *checkSession `json:"session,omitempty"`
	Fingerprint string        `json:"fingerprint"`
	Accepted    bool          `json:"accepted,omitempty"`
}

type checkSession struct {
	Service  string `json:"service,omitempty"`
	IMPU     string `json:"impu,omitempty"`
	MCID     string `json:"mc_id,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	Kind     string `json:"kind,omitempty"`
	State    string `json:"state,omitempty"`
}

// words name the session in a heading. The kind and state of one message are not the session's.
func (c *checkSession) words() string {
	if c == nil {
		return ""
	}
	var parts []string
	for _, p := range []string{c.IMPU, c.Service} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " ")
}

// shown tells which findings are about conformance: not those about what mcxdump could not open or keep. Where it failed on a message
// or did not read all of it, that was not judged, and is not passed over.
func shown(f *record.Finding) bool {
	if f.Clause == "mcxdump" {
		return f.ID == decode.FaultID || strings.HasPrefix(f.ID, "sip-") || strings.HasPrefix(f.ID, "http-")
	}
	return f.ID != "key-missing"
}

// fingerprint tells a finding from others of its check in a way that another run of the same traffic repeats: without
// numbers and without what is quoted from the wire.
func fingerprint(f *checkFinding) string {
	var b strings.Builder
	inQuote, digits := false, false
	for i := 0; i < len(f.Message); i++ {
		c := f.Message[i]
		switch {
		case inQuote && c == '\\':
			i++
		case c == '"':
			if inQuote = !inQuote; inQuote {
				b.WriteString(`""`)
			}
		case inQuote:
		case c >= '0' && c <= '9' || digits && c >= 'a' && c <= 'f':
			if !digits {
				b.WriteByte('0')
			}
			digits = true
			continue
		default:
			b.WriteByte(c)
		}
		digits = false
	}
	h := sha256.Sum256([]byte(strings.Join([]string{f.ID, f.Method, fmt.Sprint(f.Status), f.Body, f.Field, b.String()}, "\x00")))
	return hex.EncodeToString(h[:8])
}

// checkReport is the sink of check: it gathers findings into groups, or prints them as JSON as they come.
type checkReport struct {
	json     bool
	out      *bufio.Writer
	least    record.Severity
	never    bool
	accepted map[string]bool

	groups  map[groupKey]*checkGroup
	texts   map[string]string
	order   []*checkGroup
	left    uint64    // findings of groups over the limit
	counts  [3]uint64 // by severity, without the accepted ones
	known   uint64    // accepted ones
	failing uint64
}

// maxGroups bounds the groups that are kept; findings beyond are counted.
var maxGroups = 50_000 // a test lowers it

// groupFrames is the number of first frames that a group keeps.
const groupFrames = 8

// A checkGroup is one finding of a session with what repeats it.
type checkGroup struct{ output.CheckResult }

// text prints the findings by session, the worst first.
func (c *checkReport) text(messages uint64) {
	var names []string
	by := map[string][]*checkGroup{}
	for _, g := range c.order {
		if g.Accepted {
			continue
		}
		if by[g.Session] == nil {
			names = append(names, g.Session)
		}
		by[g.Session] = append(by[g.Session], g)
	}
	for i, n := range names {
		if i > 0 {
			fmt.Fprintln(c.out)
		}
		head := n
		if head == "" {
			head = "outside of every session"
		}
		fmt.Fprintln(c.out, output.Safe(head))
		gs := by[n]
		slices.SortStableFunc(gs, func(a, b *checkGroup) int {
			return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.ID, b.ID))
		})
		for _, g := range gs {
			times := "once"
			if g.Count > 1 {
				times = fmt.Sprintf("%d times", g.Count)
			}
			fmt.Fprintf(c.out, "  %-7s %-8s %s, %s, message %d%s\n", g.Severity, g.ID, g.Clause, times, g.Number, framesOf(g))
			fmt.Fprintf(c.out, "          %s\n", output.Safe(g.Message))
		}
	}
	if len(names) > 0 {
		fmt.Fprintln(c.out)
	}
	fmt.Fprintf(c.out, "%s, %s, %s in %s", counted(c.counts[record.Error], "error"), counted(c.counts[record.Warning], "warning"), counted(c.counts[record.Note], "note"), counted(messages, "message"))
	if c.known > 0 {
		fmt.Fprintf(c.out, "; %d accepted by the baseline", c.known)
	}
	if c.left > 0 {
		fmt.Fprintf(c.out, "; %d findings beyond the limit of %d groups are counted only", c.left, maxGroups)
	}
	fmt.Fprintln(c.out)
}

func counted(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func framesOf(g *checkGroup) string {
	if len(g.Frames) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(", frame")
	if len(g.Frames) > 1 {
		b.WriteByte('s')
	}
	for _, f := range g.Frames {
		fmt.Fprintf(&b, " %d", f)
	}
	if len(g.Frames) == groupFrames && g.Count > groupFrames {
		b.WriteString(" ...")
	}
	return b.String()
}

// report is the same for CI systems.
func (c *checkReport) report(files []string) *output.CheckReport {
	r := &output.CheckReport{Version: version(), Files: files, FailOn: c.least, Never: c.never}
	for _, id := range checkOrder() {
		r.Rules = append(r.Rules, checkRules()[id])
	}
	for _, g := range c.order {
		r.Results = append(r.Results, g.CheckResult)
	}
	return r
}

// baseline lists the findings, one a line: id, fingerprint, and for the reader the sentence.
func (c *checkReport) baseline() []byte {
	var lines []string
	seen := map[string]bool{}
	for _, g := range c.order {
		if k := g.ID + " " + g.Fingerprint; !seen[k] {
			seen[k] = true
			lines = append(lines, k+" "+output.Safe(g.Message)+"\n")
		}
	}
	slices.Sort(lines)
	return []byte("# Findings that mcxdump check --baseline accepts: id, fingerprint, and what it was.\n" + strings.Join(lines, ""))
}

// readBaseline reads what --write-baseline wrote.
func readBaseline(name string) (map[string]bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := map[string]bool{}
	in := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if w := strings.Fields(line); len(w) > 0 && !strings.HasPrefix(w[0], "#") {
			if len(w) < 2 {
				return nil, fmt.Errorf("%s: line %d: an id and a fingerprint are expected", name, n)
			}
			if raw, err := hex.DecodeString(w[1]); err != nil || len(raw) != 8 {
				return nil, fmt.Errorf("%s: line %d: %q is no fingerprint of 16 hex digits", name, n, w[1])
			}
			m[w[0]+" "+w[1]] = true
		}
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
}
