// Command docgen writes the documents that follow from the registers: the JSON Schema of records and, beside it, the
// list of fields; the list of checks and the schema of their findings. Run it with go generate ./... after a field or a
// check was added.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/output"
)

//go:generate go run .

func main() {
	docs := filepath.Join("..", "..", "docs")
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(docs, name), b, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "docgen:", err)
			os.Exit(1)
		}
	}
	write(filepath.Join("schema", "mcxdump-1.schema.json"), output.SchemaJSON(record.Fields()))
	write("fields.md", fieldsDoc())
	write("checks.md", checksDoc())
	write(filepath.Join("schema", "mcxdump.check-1.schema.json"), output.CheckSchemaJSON())
}

func fieldsDoc() []byte {
	var b bytes.Buffer
	b.WriteString("# Fields\n\nGenerated from the register (`go generate ./...`). A name is the display filter's name, the argument of `-e` and, with\n`bodies[]` left out, the JSON path.\n\n| name | kind | clause | meaning |\n|---|---|---|---|\n")
	for _, f := range record.Fields() {
		kind := f.Kind.String()
		if f.Kind == record.Protected || f.Kind == record.Map {
			kind += " of " + f.Of.String()
		}
		if f.List {
			kind = "list of " + kind
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, kind, f.Clause, f.Title)
	}
	return b.Bytes()
}
