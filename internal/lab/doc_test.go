package lab

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDoc holds the lists in docs/lab.md to the code.
func TestDoc(t *testing.T) {
	const name, mark = "../../docs/lab.md", "<!-- what follows is written by `go test ./internal/lab -update` -->\n"
	doc, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, _, found := strings.Cut(string(doc), mark)
	if !found {
		t.Fatal("docs/lab.md has lost its mark")
	}
	var b strings.Builder
	b.WriteString(head + mark + "\n| Kind | Traffic |\n|---|---|\n")
	for _, k := range BulkKinds {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k.Name, k.Shows)
	}
	b.WriteString("\n## Scenarios\n\nThe last column says what fails with every key at hand, and with which form of keys where they differ.\n\n| Scenario | Shows | Clause | Fails |\n|---|---|---|---|\n")
	for _, s := range Scenarios() {
		var fails []string
		for _, f := range Forms {
			if e := s.Expect(f); e != "" && len(s.ByForm) > 0 {
				fails = append(fails, fmt.Sprintf("`%s` with `%s`", e, f))
			}
		}
		if s.Fault != "" && len(s.ByForm) == 0 {
			fails = append(fails, "`"+s.Fault+"`")
		}
		if s.Unsigned {
			fails = append(fails, "the signature of the I_MESSAGE")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, s.Shows, s.Clause, strings.Join(fails, ", "))
	}
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if b.String() != string(doc) {
		t.Error("docs/lab.md differs from the code (run with -update)")
	}
}
