package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/output/schematest"
)

func TestSchema(t *testing.T) {
	b := SchemaJSON(record.Fields())
	if !json.Valid(b) || !bytes.Equal(b, SchemaJSON(record.Fields())) {
		t.Fatal("not JSON, or not the same twice")
	}
	s := testSchema(t)
	for _, r := range []*record.Record{sample(), big(), response(), summary(), peopled(), {}, {Type: record.FindingType}} {
		line := jsonFormat{}.Append(nil, r)
		if err := s.Validate(line); err != nil {
			t.Errorf("%v\n%s", err, line)
		}
	}
}

// The schema refuses what the contract forbids.
func TestSchemaRefuses(t *testing.T) {
	s := testSchema(t)
	good := strings.TrimSuffix(string(jsonFormat{}.Append(nil, sample())), "\n")
	if err := s.Validate([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{`"schema":"mcxdump/1"`, `"schema":"mcxdump/2"`},
		{`"record":"message",`, ``},
		{`"record":"message"`, `"record":"letter"`},
		{`"number":7`, `"number":"7"`},
		{`"number":7`, `"number":0`},
		{`"number":7`, `"number":1.5`},
		{`"frames":[11,12]`, `"frames":11`},
		{`"frames":[11,12]`, `"frames":[-1]`},
		{`.123456789Z`, `.123Z`},
		{`"port":5060`, `"port":70000`},
		{`"port":5060`, `"prt":5060`},
		{`"method":"INVITE"`, `"metod":"INVITE"`},
		{`"contact":[{`, `"contact":[1,{`},
		{`"path":["sip:p1;lr"]`, `"path":"sip:p1;lr"`},
		{`"expires":"60"`, `"expires":60`},
		{`"state":"no_key"`, `"state":"nokey"`},
		{`"reason":"no_key"`, `"reason":"other"`},
		{`"key_id":"2abcdef0"`, `"key_id":"2ABCDEF0"`},
		{`{"protection":"none","state":"clear","value":"sip:g2@example.org"}`, `"sip:g2@example.org"`},
		{`"protection":"none","state":"clear","value":"sip:g2@example.org"`, `"state":"clear"`},
		{`"rand":"00ff10"`, `"rand":"0ff10"`},
		{`"v":true`, `"v":1`},
		{`"severity":"error"`, `"severity":"fatal"`},
		{`"id":"SEC-10",`, ``},
		{`"info":"MCPTT`, `"extra":1,"info":"MCPTT`},
	} {
		if !strings.Contains(good, c[0]) {
			t.Errorf("%s is not in the sample", c[0])
			continue
		}
		bad := strings.Replace(good, c[0], c[1], 1)
		bad = strings.Replace(bad, `{"schema":"mcxdump/1",,`, `{"schema":"mcxdump/1",`, 1)
		if err := s.Validate([]byte(bad)); err == nil {
			t.Errorf("%s instead of %s passes", c[1], c[0])
		}
	}
}

func TestSchematestRefuses(t *testing.T) {
	for _, bad := range []string{``, `1`, `{"format":"x"}`, `{"$ref":"#/$defs/none"}`, `{"$ref":"other.json"}`, `{"pattern":"("}`, `{"properties":{"a":{"not":{}}}}`, `{"items":5}`, `{} {}`, `{"anyOf":[{"not":1}]}`} {
		if _, err := schematest.New([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// Each field of the register stands in the schema.
func TestSchemaIsWhole(t *testing.T) {
	var top map[string]any
	if err := json.Unmarshal(SchemaJSON(record.Fields()), &top); err != nil {
		t.Fatal(err)
	}
	defs := top["$defs"].(map[string]any)
	member := func(owner map[string]any, key string) bool {
		_, ok := owner["properties"].(map[string]any)[key]
		return ok
	}
	for _, f := range record.Fields() {
		switch {
		case strings.HasSuffix(f.Name, ".*"), strings.HasPrefix(f.Name, "src."), strings.HasPrefix(f.Name, "dst."):
		case f.Parent() == nil:
			if !member(top, f.Key()) {
				t.Errorf("%s is missing", f.Name)
			}
		case f.Parent() == record.FieldFindings:
			if !member(defs["finding"].(map[string]any), f.Key()) {
				t.Errorf("%s is missing", f.Name)
			}
		default:
			if !member(defs[f.Parent().Name].(map[string]any), f.Key()) {
				t.Errorf("%s is missing", f.Name)
			}
		}
	}
	for _, m := range Members() {
		if !member(top, m) {
			t.Errorf("%s is missing", m)
		}
	}
}
