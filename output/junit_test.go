package output

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

func checkReport() *CheckReport {
	return &CheckReport{Version: "1", Files: []string{"a b.pcap"}, FailOn: record.Error,
		Rules: []CheckRule{{ID: "REG-06", Title: "client id missing", Fires: "a token alone", Clause: "TS 24.379 7.2.1", Severity: record.Error},
			{ID: "REG-08", Title: "CSK <for> nothing", Clause: "TS 24.379 7.2.1", Severity: record.Note}, {ID: "REG-09", Title: "state", Clause: "x", Severity: record.Error}},
		Results: []CheckResult{
			{ID: "REG-06", Severity: record.Error, Clause: "TS 24.379 7.2.1", Message: "missing \"x\" & <y>\x01]]>\xff", Number: 3, Frames: []uint64{7, 8}, File: "a b.pcap", Body: "1.2", Field: "mcptt_info.client_id", Count: 4, Fingerprint: "00ff", Session: "sip:a@b mcptt"},
			{ID: "REG-06", Severity: record.Error, Message: "known", Number: 4, Count: 1, Accepted: true},
			{ID: "REG-08", Severity: record.Note, Message: "only a note", Number: 5, Count: 1},
			{ID: "sip-bare-lf", Severity: record.Error, Message: "bare LF", Clause: "RFC 3261 7", Number: 6, Count: 1, File: "/tmp/c.pcap"},
		}}
}

// TestJUnit reads the report back as XML and counts.
func TestJUnit(t *testing.T) {
	for _, c := range []struct {
		failOn record.Severity
		never  bool
		want   int
	}{{record.Error, false, 2}, {record.Note, false, 3}, {record.Error, true, 0}} {
		r := checkReport()
		r.FailOn, r.Never = c.failOn, c.never
		out := string(AppendJUnit([]byte("x"), r))[1:]
		var doc struct {
			Suites []struct {
				Tests    int `xml:"tests,attr"`
				Failures int `xml:"failures,attr"`
				Cases    []struct {
					Class   string `xml:"classname,attr"`
					Name    string `xml:"name,attr"`
					Failure *struct {
						Message string `xml:"message,attr"`
						Text    string `xml:",chardata"`
					} `xml:"failure"`
					Out string `xml:"system-out"`
				} `xml:"testcase"`
			} `xml:"testsuite"`
		}
		if err := xml.Unmarshal([]byte(out), &doc); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		s := doc.Suites[0]
		if s.Tests != 4 || len(s.Cases) != 4 || s.Failures != c.want {
			t.Errorf("%+v: %d tests, %d cases, %d failures, want 4, 4, %d", c, s.Tests, len(s.Cases), s.Failures, c.want)
		}
		n := 0
		for _, x := range s.Cases {
			if x.Failure != nil {
				n++
			}
		}
		if n != c.want {
			t.Errorf("%+v: %d cases fail, want %d", c, n, c.want)
		}
		if c.failOn == record.Error && !c.never {
			f := s.Cases[0].Failure
			if f == nil || f.Message != `missing "x" & <y>\x01]]>\xff` || !strings.Contains(f.Text, "message 3, frame 7, 8, body 1.2, mcptt_info.client_id") || !strings.Contains(f.Text, "4 times") ||
				!strings.Contains(s.Cases[0].Out, "accepted by the baseline") || s.Cases[0].Class != "mcxdump.REG" || s.Cases[3].Class != "mcxdump.sip" {
				t.Errorf("%+v", s.Cases)
			}
		}
	}
}

// TestSARIF reads the log back and looks at what SARIF 2.1.0 requires of it.
func TestSARIF(t *testing.T) {
	out := AppendSARIF(nil, checkReport())
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct{ ID string }
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation *struct{ ArtifactLocation struct{ URI string } }
					LogicalLocations []struct{ FullyQualifiedName string }
				}
				OccurrenceCount int
				Suppressions    []struct{ Kind string }
			}
		}
	}
	if err := json.Unmarshal(out, &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name != "mcxdump" || len(log.Runs[0].Tool.Driver.Rules) != 4 {
		t.Fatalf("%s", out)
	}
	levels := map[string]bool{"error": true, "warning": true, "note": true}
	for _, x := range log.Runs[0].Results {
		if log.Runs[0].Tool.Driver.Rules[x.RuleIndex].ID != x.RuleID || !levels[x.Level] || x.Message.Text == "" || len(x.Locations) != 1 {
			t.Errorf("%+v", x)
		}
	}
	a := log.Runs[0].Results[0]
	if a.Locations[0].PhysicalLocation.ArtifactLocation.URI != "a%20b.pcap" || a.Locations[0].LogicalLocations[0].FullyQualifiedName != "message 3/frame 7/body 1.2/mcptt_info.client_id" || a.OccurrenceCount != 4 {
		t.Errorf("%+v", a)
	}
	if len(log.Runs[0].Results[1].Suppressions) != 1 || log.Runs[0].Results[3].Locations[0].PhysicalLocation.ArtifactLocation.URI != "file:///tmp/c.pcap" {
		t.Errorf("%+v", log.Runs[0].Results)
	}
	empty := AppendSARIF(nil, &CheckReport{})
	if !strings.Contains(string(empty), `"results": []`) || !strings.Contains(string(empty), `"rules": []`) {
		t.Errorf("an empty report lacks its lists: %s", empty)
	}
}

// FuzzJUnit holds the report to being XML whatever the wire put into the sentences.
func FuzzJUnit(f *testing.F) {
	f.Add("]]>", "<a>")
	f.Add("\x00\xff\ufffe\r\n", "&")
	f.Fuzz(func(t *testing.T, a, b string) {
		r := &CheckReport{Files: []string{b}, Results: []CheckResult{{ID: "X-1", Message: a, Session: b, Severity: record.Error}}, FailOn: record.Error}
		d := xml.NewDecoder(strings.NewReader(string(AppendJUnit(nil, r))))
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%q %q: %v", a, b, err)
			}
		}
		if !json.Valid(AppendSARIF(nil, r)) {
			t.Fatalf("%q %q: no JSON", a, b)
		}
	})
}
