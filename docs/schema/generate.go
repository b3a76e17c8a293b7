//go:build ignore

// This program writes mcxdump-1.schema.json from the register of fields: go run generate.go
package main

import (
	"log"
	"os"
	"path/filepath"
	"runtime"

	_ "github.com/mcxdump/mcxdump/decode" // fills the register
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/output"
)

func main() {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		log.Fatal("where am I?")
	}
	name := filepath.Join(filepath.Dir(here), "mcxdump-1.schema.json")
	if err := os.WriteFile(name, output.SchemaJSON(record.Fields()), 0o644); err != nil {
		log.Fatal(err)
	}
}
