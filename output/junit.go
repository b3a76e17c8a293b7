package output

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A CheckReport is the outcome of mcxdump check in the shape that CI systems want.
type CheckReport struct {
	Version string // of the program
	Files   []string
	Rules   []CheckRule
	Results []CheckResult
	// FailOn is the least severity that makes a rule fail; Never says that none does.
	FailOn record.Severity
	Never  bool
}

// A CheckRule is one check that was run.
type CheckRule struct {
	ID, Title, Fires, Clause string
	Severity                 record.Severity // at most
}

// A CheckResult is one finding with what repeats it.
type CheckResult struct {
	ID, Clause, Message, Fingerprint string
	Severity                         record.Severity
	Session                          string // whose, in words
	File                             string
	Number                           uint64   // of the first message
	Time                             int64    // of the first message, Unix nanoseconds
	Frames                           []uint64 // of the first messages
	Body, Field                      string
	Count                            uint64
	Accepted                         bool // the baseline has it
}

// fails tells whether a result makes its rule fail.
func (r *CheckReport) fails(x *CheckResult) bool {
	return !r.Never && !x.Accepted && x.Severity >= r.FailOn
}

// place is where a result stands, in words.
func (x *CheckResult) place() string {
	var b strings.Builder
	if x.File != "" {
		b.WriteString(x.File + ", ")
	}
	fmt.Fprintf(&b, "message %d", x.Number)
	if len(x.Frames) > 0 {
		b.WriteString(", frame")
		for i, f := range x.Frames {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(" " + strconv.FormatUint(f, 10))
		}
	}
	if x.Body != "" {
		b.WriteString(", body " + x.Body)
	}
	if x.Field != "" {
		b.WriteString(", " + x.Field)
	}
	return b.String()
}

// AppendJUnit appends the report as JUnit XML: one test suite, a test case for each rule, which fails when one of its
// results reaches the severity, and skipped results in its output.
func AppendJUnit(dst []byte, r *CheckReport) []byte {
	by := map[string][]*CheckResult{}
	var foreign []CheckRule
	known := map[string]bool{}
	for i := range r.Rules {
		known[r.Rules[i].ID] = true
	}
	for i := range r.Results {
		x := &r.Results[i]
		if by[x.ID] = append(by[x.ID], x); !known[x.ID] {
			known[x.ID] = true
			foreign = append(foreign, CheckRule{ID: x.ID, Title: "defect of the message", Clause: x.Clause, Severity: x.Severity})
		}
	}
	rules := append(append([]CheckRule(nil), r.Rules...), foreign...)
	failed := 0
	for _, u := range rules {
		for _, x := range by[u.ID] {
			if r.fails(x) {
				failed++
				break
			}
		}
	}
	var b bytes.Buffer
	count := fmt.Sprintf(`tests="%d" failures="%d" errors="0"`, len(rules), failed)
	fmt.Fprintf(&b, "%s<testsuites name=\"mcxdump check\" %s>\n <testsuite name=%s %s>\n", xml.Header, count, attr(strings.Join(r.Files, " ")), count)
	for _, u := range rules {
		class, _, _ := strings.Cut(u.ID, "-")
		fmt.Fprintf(&b, "  <testcase classname=%s name=%s", attr("mcxdump."+class), attr(u.ID+" "+u.Title+" ("+u.Clause+")"))
		xs := by[u.ID]
		if len(xs) == 0 {
			b.WriteString("/>\n")
			continue
		}
		b.WriteString(">\n")
		var failing, others []*CheckResult
		for _, x := range xs {
			if r.fails(x) {
				failing = append(failing, x)
			} else {
				others = append(others, x)
			}
		}
		if len(failing) > 0 {
			fmt.Fprintf(&b, "   <failure type=%s message=%s>%s</failure>\n", attr(failing[0].Severity.String()), attr(failing[0].Message), chars(lines(failing)))
		}
		if len(others) > 0 {
			fmt.Fprintf(&b, "   <system-out>%s</system-out>\n", chars(lines(others)))
		}
		b.WriteString("  </testcase>\n")
	}
	b.WriteString(" </testsuite>\n</testsuites>\n")
	return append(dst, b.Bytes()...)
}

func lines(xs []*CheckResult) string {
	var b strings.Builder
	for _, x := range xs {
		fmt.Fprintf(&b, "%s %s: %s\n  %s", x.Severity, x.Clause, x.Message, x.place())
		if x.Session != "" {
			b.WriteString("\n  " + x.Session)
		}
		if x.Count > 1 {
			fmt.Fprintf(&b, "\n  %d times", x.Count)
		}
		if x.Accepted {
			b.WriteString("\n  accepted by the baseline")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// xmlText makes text of the wire fit for XML 1.0, which has no place for most control characters.
func xmlText(s string) string {
	ok := func(r rune) bool { return r == '\n' || r == '\t' || r >= 0x20 && r != 0xfffe && r != 0xffff }
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for line := range strings.SplitAfterSeq(s, "\n") {
		text, nl := strings.CutSuffix(line, "\n")
		b.WriteString(Safe(text))
		if nl {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func attr(s string) string { return `"` + chars(s) + `"` }

func chars(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(xmlText(s))) // to a buffer, which takes everything
	return b.String()
}

// when is a time as RFC 3339 in UTC.
func when(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000Z") }
