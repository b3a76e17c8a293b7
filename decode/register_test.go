package decode

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

var update = flag.Bool("update", false, "write the goldens")

// TestFieldNames holds the register to a golden file: names are API, and a new or misspelt one is seen in review.
func TestFieldNames(t *testing.T) {
	var b strings.Builder
	for _, f := range record.Fields() {
		list := ""
		if f.List {
			list = "[]"
		}
		fmt.Fprintf(&b, "%s%s %s\n", f.Name, list, f.Kind)
		if f.Title != strings.TrimSpace(f.Title) || f.Clause != strings.TrimSpace(f.Clause) || len(f.Title) > 120 {
			t.Errorf("%s: title %q, clause %q", f.Name, f.Title, f.Clause)
		}
	}
	const golden = "testdata/fields.golden"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v (run with -update)", err)
	}
	if b.String() != string(want) {
		t.Errorf("the register differs from %s; look at the difference and run with -update", golden)
	}
}
