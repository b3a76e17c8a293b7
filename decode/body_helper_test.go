package decode

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// noon is the time of the messages in these tests: 2024-01-01T12:00:00Z.
const noon = int64(1704110400) * 1e9

// dissectOne dissects one body without a message around it and checks what holds for every record.
func dissectOne(t testing.TB, typ string, data []byte, opt Options) (*record.Record, []string) {
	t.Helper()
	b := bodyByType(typ)
	if b == nil {
		t.Fatalf("no dissector for %s", typ)
	}
	return dissectWith(t, b, typ, data, opt, nil)
}

func dissectWith(t testing.TB, bt *BodyType, typ string, data []byte, opt Options, siblings []Part) (*record.Record, []string) {
	t.Helper()
	opt.Limits = opt.Limits.withDefaults()
	r := &record.Record{Sources: []record.Source{{Name: "captured", Data: data, Parent: -1}}}
	c := &Context{B: &record.Builder{R: r, Want: opt.Want}, Time: noon, opt: &opt}
	p := Part{Path: "1", Type: typ, Data: data}
	if siblings != nil {
		c.msg = &message{parts: siblings}
	}
	bt.Dissect(c, &p)
	if c.B.Depth() != 0 {
		t.Fatalf("%s: %d objects are left open", typ, c.B.Depth())
	}
	checkTree(t, r)
	return r, c.words
}

// checkTree checks that the tree is well nested, every range lies inside its source, and no object has two members of
// one name that is not a list.
func checkTree(t testing.TB, r *record.Record) {
	t.Helper()
	var walk func(i, end int)
	walk = func(i, end int) {
		seen := map[string]bool{}
		var last *record.Field
		for i < end {
			n := &r.Nodes[i]
			if int(n.End) <= i || int(n.End) > end {
				t.Fatalf("node %d (%s) ends at %d inside %d", i, n.Field.Name, n.End, end)
			}
			if n.Flags&record.HasRange != 0 {
				if int(n.Src) >= len(r.Sources) {
					t.Fatalf("node %s is in source %d of %d", n.Field.Name, n.Src, len(r.Sources))
				}
				if int(n.Off)+int(n.Len) > len(r.Sources[n.Src].Data) {
					t.Fatalf("node %s is at %d+%d in %d octets", n.Field.Name, n.Off, n.Len, len(r.Sources[n.Src].Data))
				}
			}
			if (n.Field.Kind == record.Protected) != (n.Prot != 0) {
				t.Fatalf("node %s: protected %v, protection %d", n.Field.Name, n.Field.Kind == record.Protected, n.Prot)
			}
			key := n.Field.Key() + "\x00" + n.Key
			// A parameter that a header field repeats is shown as often as it was sent: printers gather an array.
			entry := n.Field.Parent() != nil && n.Field.Parent().Entry() == n.Field && strings.HasSuffix(n.Field.Parent().Name, "params")
			if seen[key] && !entry && !(n.Field.List && n.Field == last) {
				t.Fatalf("%s occurs twice in one object", n.Field.Name)
			}
			last = n.Field
			seen[key] = true
			walk(i+1, int(n.End))
			i = int(n.End)
		}
	}
	walk(0, len(r.Nodes))
	for _, f := range r.Findings {
		if f.HasRange && int(f.Off)+int(f.Len) > len(r.Sources[f.Source].Data) {
			t.Fatalf("finding %s is at %d+%d", f.ID, f.Off, f.Len)
		}
		if f.Clause == "" || f.Message == "" {
			t.Fatalf("finding %+v lacks words", f)
		}
	}
	for _, s := range r.Sources {
		for _, m := range s.Masked {
			if int(m.Off)+int(m.Len) > len(s.Data) {
				t.Fatalf("mask %+v outside of %d octets", m, len(s.Data))
			}
		}
	}
}

// ids lists the findings.
func ids(r *record.Record) string {
	var s []string
	for _, f := range r.Findings {
		s = append(s, f.ID)
	}
	return strings.Join(s, " ")
}

// value is what -e NAME shows, values joined by commas.
func value(t testing.TB, r *record.Record, name string) string {
	t.Helper()
	ref, ok := record.Lookup(name)
	if !ok {
		t.Fatalf("no field %s", name)
	}
	var s []string
	for v := range ref.Values(r) {
		s = append(s, string(v.AppendText(nil)))
	}
	return strings.Join(s, ",")
}

// dump shows a record for the eye of whoever reads a failing test.
func dump(r *record.Record) string {
	var s strings.Builder
	var walk func(i, end, depth int)
	walk = func(i, end, depth int) {
		for i < end {
			n := &r.Nodes[i]
			fmt.Fprintf(&s, "%*s%s %s %q", 2*depth, "", n.Field.Key(), n.Key, r.Value(n).AppendText(nil))
			if p := r.Protection(n); p != nil {
				fmt.Fprintf(&s, " %+v", *p)
			}
			fmt.Fprintf(&s, " [%d %d+%d]\n", n.Src, n.Off, n.Len)
			walk(i+1, int(n.End), depth+1)
			i = int(n.End)
		}
	}
	walk(0, len(r.Nodes), 0)
	for _, f := range r.Findings {
		fmt.Fprintf(&s, "! %s %v %s: %s\n", f.ID, f.Severity, f.Clause, f.Message)
	}
	return s.String()
}

func everything() Options { return Options{Want: record.All()} }

// setUnsealer puts a function in the place of the keys for one test.
func setUnsealer(t *testing.T, f func(c *Context, s *sealedData) ([]byte, record.Protection)) {
	old := unsealer
	unsealer = f
	t.Cleanup(func() { unsealer = old })
}

func newRecordWith(data []byte) *record.Record {
	return &record.Record{Sources: []record.Source{{Name: "captured", Data: data, Parent: -1}}}
}

func newBuilderFor(r *record.Record) *record.Builder {
	return &record.Builder{R: r, Want: record.All()}
}

func decodedSource(data []byte, off, length int) record.Source {
	return record.Source{Kind: record.Decoded, Name: "decoded", Data: data, Parent: 0, ParentOff: uint32(off), ParentLen: uint32(length)}
}
