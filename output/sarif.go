package output

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// The members of SARIF 2.1.0 (OASIS) that AppendSARIF writes.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifRule struct {
		ID      string            `json:"id"`
		Short   sarifText         `json:"shortDescription"`
		Full    *sarifText        `json:"fullDescription,omitempty"`
		Default sarifLevel        `json:"defaultConfiguration"`
		Props   map[string]string `json:"properties,omitempty"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifResult struct {
		RuleID      string            `json:"ruleId"`
		RuleIndex   int               `json:"ruleIndex"`
		Level       string            `json:"level"`
		Message     sarifText         `json:"message"`
		Locations   []sarifLocation   `json:"locations"`
		Fingerprint map[string]string `json:"partialFingerprints,omitempty"`
		Occurrences uint64            `json:"occurrenceCount,omitempty"`
		Suppress    []sarifSuppress   `json:"suppressions,omitempty"`
		Props       map[string]string `json:"properties,omitempty"`
	}
	sarifSuppress struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification,omitempty"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind,omitempty"`
	}
)

// AppendSARIF appends the report as SARIF 2.1.0: a rule for each check, a result for each finding with the number of its
// occurrences, and a suppression for what the baseline accepts. A capture has no lines; the place inside it is the
// logical location: message, frame, body and field.
func AppendSARIF(dst []byte, r *CheckReport) []byte {
	b := bytes.NewBuffer(dst)
	WriteSARIF(b, r) // a Buffer takes everything
	return b.Bytes()
}

// WriteSARIF writes the report as AppendSARIF appends it, one result after the other.
func WriteSARIF(w io.Writer, r *CheckReport) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "mcxdump", Version: r.Version, Rules: []sarifRule{}}}, Results: []sarifResult{}}
	index := map[string]int{}
	rule := func(u CheckRule) {
		x := sarifRule{ID: u.ID, Short: sarifText{u.Title}, Default: sarifLevel{sarifSeverity(u.Severity)}, Props: map[string]string{"clause": u.Clause}}
		if u.Fires != "" {
			x.Full = &sarifText{u.Fires}
		}
		index[u.ID] = len(run.Tool.Driver.Rules)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, x)
	}
	for _, u := range r.Rules {
		rule(u)
	}
	for i := range r.Results {
		if x := &r.Results[i]; !has(index, x.ID) {
			rule(CheckRule{ID: x.ID, Title: "defect of the message", Clause: x.Clause, Severity: x.Severity})
		}
	}
	const empty = `"results": []`
	whole := sarifJSON(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}, "")
	at := bytes.LastIndex(whole, []byte(empty))
	b := bufio.NewWriter(w)
	b.Write(whole[:at+len(empty)-1])
	for i := range r.Results {
		b.WriteString([]string{"\n    ", ",\n    "}[min(i, 1)])
		b.Write(sarifJSON(sarifOf(&r.Results[i], index), "    "))
	}
	if len(r.Results) > 0 {
		b.WriteString("\n   ")
	}
	b.Write(whole[at+len(empty)-1:])
	b.WriteByte('\n')
	return b.Flush()
}

func has(m map[string]int, k string) bool {
	_, ok := m[k]
	return ok
}

// sarifJSON is a value as it stands behind a prefix.
func sarifJSON(v any, prefix string) []byte {
	b, err := json.MarshalIndent(v, prefix, " ")
	if err != nil {
		panic(fmt.Sprintf("output.WriteSARIF: %v", err)) // strings and numbers always encode
	}
	return b
}

func sarifOf(x *CheckResult, index map[string]int) sarifResult {
	name := "message " + strconv.FormatUint(x.Number, 10)
	if len(x.Frames) > 0 {
		name += "/frame " + strconv.FormatUint(x.Frames[0], 10)
	}
	if x.Body != "" {
		name += "/body " + x.Body
	}
	if x.Field != "" {
		name += "/" + x.Field
	}
	loc := sarifLocation{Logical: []sarifLogical{{Name: name, Kind: "object"}}}
	if x.File != "" && x.File != "-" {
		loc.Physical = &sarifPhysical{sarifArtifact{fileURI(x.File)}}
	}
	res := sarifResult{RuleID: x.ID, RuleIndex: index[x.ID], Level: sarifSeverity(x.Severity), Message: sarifText{Safe(x.Message)}, Locations: []sarifLocation{loc},
		Occurrences: x.Count, Props: map[string]string{"clause": x.Clause, "time": when(x.Time)}}
	if x.Session != "" {
		res.Props["session"] = Safe(x.Session)
	}
	if x.Fingerprint != "" {
		res.Fingerprint = map[string]string{"mcxdump/v1": x.Fingerprint}
	}
	if x.Accepted {
		res.Suppress = []sarifSuppress{{Kind: "external", Justification: "accepted by the baseline"}}
	}
	return res
}

func sarifSeverity(s record.Severity) string {
	switch s {
	case record.Error:
		return "error"
	case record.Warning:
		return "warning"
	}
	return "note"
}

// fileURI is a file's name as a URI reference: relative where the name is.
func fileURI(name string) string {
	u := url.URL{Path: filepath.ToSlash(name)}
	if strings.HasPrefix(u.Path, "/") {
		u.Scheme = "file"
	}
	return u.String()
}
