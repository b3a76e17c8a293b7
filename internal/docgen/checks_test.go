package main

import (
	"os"
	"testing"

	"github.com/mcxdump/mcxdump/output"
)

// TestDocsAreCurrent holds the generated documents to what the registers give.
func TestDocsAreCurrent(t *testing.T) {
	for name, want := range map[string][]byte{"checks.md": checksDoc(), "fields.md": fieldsDoc(), "schema/mcxdump.check-1.schema.json": output.CheckSchemaJSON()} {
		if got, err := os.ReadFile("../../docs/" + name); err != nil || string(got) != string(want) {
			t.Errorf("docs/%s is not what the register gives (%v): run go generate ./...", name, err)
		}
	}
}
