// Package layering holds the house's room plan as a test: which package may import which of our own and which may
// import what from outside. A package that is not in the table fails the test too.
package layering

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mcxdump/mcxdump"

// allowed lists our own packages that each package may import. Tests are not held to it.
var allowed = map[string][]string{
	"cmd/mcxdump":              {"*"},
	"decode":                   {"decode/record", "decode/capture", "decode/flow", "sipparse", "mikeyparse", "keys", "internal/xmlpull", "internal/xmlsec"},
	"decode/record":            nil,
	"decode/capture":           {"decode/record", "internal/pcapng", "internal/bpf", "internal/hep"},
	"decode/flow":              {"decode/record", "sipparse", "internal/esp", "internal/hep", "internal/tlsopen"},
	"decode/session":           {"decode/record", "sipparse"},
	"sipparse":                 nil,
	"mikeyparse":               nil,
	"keys":                     {"mikeyparse", "keys/sakke", "keys/eccsi", "internal/xmlsec", "internal/esp"},
	"output/schematest":        nil,
	"keys/sakke":               {"keys/sakke/internal/fp"},
	"keys/sakke/internal/fp":   nil,
	"keys/eccsi":               {"keys/eccsi/internal/p256"},
	"keys/eccsi/internal/p256": nil,
	"internal/xmlsec":          nil,
	"internal/xmlpull":         nil,
	"internal/pcapng":          nil,
	"internal/bpf":             nil,
	"internal/esp":             nil,
	"internal/hep":             nil,
	"internal/filter":          {"decode/record"},
	"output":                   {"decode/record", "internal/pcapng"},
	"internal/lab":             {"internal/lab/known", "keys", "keys/sakke", "keys/eccsi", "mikeyparse", "sipparse", "internal/xmlsec", "internal/pcapng", "internal/esp"},
	"internal/lab/known":       nil,
	"internal/layering":        nil,
	"internal/testkit":         nil,
	"internal/tlsopen":         nil,
	"internal/docgen":          {"decode", "decode/session", "decode/record", "output"},
}

// outside lists the third-party modules that each package may import; a package without an entry may import none.
var outside = map[string][]string{
	"cmd/mcxdump":              {"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term", "github.com/olekukonko/tablewriter", "github.com/klauspost/compress"},
	"decode/capture":           {"github.com/klauspost/compress", "golang.org/x/sys", "github.com/elastic/go-seccomp-bpf", "github.com/google/gopacket/pcap"}, // pcap: with -tags libpcap only
	"decode":                   {"github.com/klauspost/compress", "github.com/andybalholm/brotli"},
	"decode/flow":              {"github.com/google/gopacket", "golang.org/x/net/http2/hpack"},
	"output":                   {"golang.org/x/term", "github.com/olekukonko/tablewriter"},
	"internal/xmlsec":          {"github.com/beevik/etree"},
	"keys":                     {"github.com/beevik/etree"},
	"keys/sakke":               {"golang.org/x/sys"},
	"keys/sakke/internal/fp":   {"golang.org/x/sys"},
	"keys/eccsi":               {"filippo.io/nistec"},
	"keys/eccsi/internal/p256": {"golang.org/x/sys"},
	"internal/tlsopen":         {"golang.org/x/crypto"},
}

type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
	GoFiles    []string
	Dir        string
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles,Dir", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var ps []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return ps
		}
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

// TestRooms checks every import of every package against the plan.
func TestRooms(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		rooms, known := allowed[name]
		if !known {
			t.Errorf("%s is not in the room plan: add it to internal/layering and to docs/architecture.md", name)
			continue
		}
		seen[name] = true
		for _, imp := range p.Imports {
			own, isOwn := strings.CutPrefix(imp, module+"/")
			switch {
			case isOwn:
				if !slices.Contains(rooms, own) && !slices.Contains(rooms, "*") {
					t.Errorf("%s imports %s, which the plan does not allow", name, own)
				}
			case strings.Contains(strings.SplitN(imp, "/", 2)[0], "."):
				if !slices.ContainsFunc(outside[name], func(m string) bool { return imp == m || strings.HasPrefix(imp, m+"/") }) {
					t.Errorf("%s imports %s from outside, which the plan does not allow", name, imp)
				}
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("the plan names %s, which does not exist", name)
		}
	}
}

// TestSeam holds gopacket to one file, so that another packet library can take its place in an afternoon.
func TestSeam(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}`, module+"/decode/flow").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var users []string
	for f := range strings.FieldsSeq(string(out)) {
		src, err := exec.Command("go", "list", "-f", `{{join .Imports " "}}`, f).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", f, err)
		}
		if strings.Contains(string(src), "google/gopacket/layers") {
			t.Errorf("%s imports gopacket/layers, whose initialisers take longer than a small capture", f)
		}
		if strings.Contains(string(src), "google/gopacket") {
			users = append(users, f)
		}
	}
	if len(users) != 1 {
		t.Errorf("gopacket is imported by %v, want exactly one file", users)
	}
}
