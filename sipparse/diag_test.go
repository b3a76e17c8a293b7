package sipparse

import (
	"regexp"
	"strings"
	"testing"
)

func TestDiagTable(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	clause := regexp.MustCompile(`^RFC [0-9]{4} [0-9]+(\.[0-9]+)*$`)
	seen := map[string]bool{}
	limits := 0
	for _, id := range DiagIDs() {
		if !name.MatchString(id.String()) || seen[id.String()] {
			t.Errorf("%d: name %q is not a name or not the only one", id, id)
		}
		seen[id.String()] = true
		if id.Clause() == "" {
			limits++ // not against a rule, but a limit or a loss
		} else if !clause.MatchString(id.Clause()) {
			t.Errorf("%v: clause %q", id, id.Clause())
		}
		if m := id.Message(); m == "" || strings.HasSuffix(m, ".") {
			t.Errorf("%v: message %q", id, m)
		}
	}
	if limits != 8 {
		t.Errorf("%d kinds without a clause", limits)
	}
	if DiagID(250).String() != "DiagID(250)" || DiagID(250).Severity() != SevNote || DiagID(250).Clause() != "" || DiagID(250).Message() == "" {
		t.Error("a kind that is not in the table")
	}
	if SevError.String() != "error" || Severity(9).String() != "Severity(9)" {
		t.Error("Severity.String")
	}
	d := Diag{ID: DiagCSeqRange, Header: HdrCSeq, Off: 7, Detail: "9"}
	if got, want := d.String(), "error cseq-range at octet 7 (CSeq): CSeq number is not below 2^31: 9"; got != want {
		t.Errorf("%s", got)
	}
	for id := range hdrCount {
		if c := id.Clause(); !clause.MatchString(c) && !regexp.MustCompile(`^TS 24\.229 7\.2\.[0-9]+$`).MatchString(c) {
			t.Errorf("%v: clause %q", id, c)
		}
	}
}
