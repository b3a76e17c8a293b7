package output

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// TestCareful: objects that are written while they are looked through come out as those that are looked through before.
func TestCareful(t *testing.T) {
	all := record.Fields()
	rnd := rand.New(rand.NewPCG(1, 2))
	twice := 0
	for range 20000 {
		few := make([]*record.Field, 2+rnd.IntN(6))
		for i := range few {
			few[i] = all[rnd.IntN(len(all))]
		}
		r := &record.Record{Type: record.Message, Number: 1}
		var grow func(depth int)
		grow = func(depth int) {
			for range rnd.IntN(5) {
				f := few[rnd.IntN(len(few))]
				at := len(r.Nodes)
				n := record.Node{Field: f, Num: int64(rnd.IntN(100)), Str: []string{"", "a", `"\`, "1"}[rnd.IntN(4)], Key: "k"}
				if rnd.IntN(4) > 0 {
					n.Flags = record.HasValue
				}
				r.Nodes = append(r.Nodes, n)
				if k := f.Kind; depth < 4 && (k == record.Object || k == record.Protected || k == record.Map) {
					grow(depth + 1)
				}
				r.Nodes[at].End = int32(len(r.Nodes))
			}
		}
		grow(0)
		slow := encoder{r: r, keys: loadKeys(), careful: true}
		fast := encoder{r: r, keys: loadKeys()}
		want := string(slow.members([]byte(`{"x":1`), 0, len(r.Nodes), slow.keys.top, true)) + "}"
		got := string(fast.members([]byte(`{"x":1`), 0, len(r.Nodes), fast.keys.top, true)) + "}"
		if got != want {
			t.Fatalf("%s\nwant\n%s", got, want)
		}
		if !json.Valid([]byte(got)) {
			t.Fatalf("no JSON: %s", got)
		}
		if fast.careful {
			twice++
		}
	}
	if twice < 1000 || twice > 19000 {
		t.Errorf("a name came twice in %d of 20000", twice)
	}
}

// TestCarefulCost: objects in one another, each with a name twice at its end, are not written over and over.
func TestCarefulCost(t *testing.T) {
	f, ok := record.Lookup("sip")
	g, ok2 := record.Lookup("sip.method")
	if !ok || !ok2 {
		f.Field, g.Field = record.Fields()[0], record.Fields()[1]
	}
	const depth = 200
	r := &record.Record{Type: record.Message}
	for range depth {
		r.Nodes = append(r.Nodes, record.Node{Field: f.Field})
	}
	for i := range depth {
		for range 2 {
			r.Nodes = append(r.Nodes, record.Node{Field: g.Field, Str: "x", Flags: record.HasValue, End: int32(len(r.Nodes) + 1)})
		}
		r.Nodes[depth-1-i].End = int32(len(r.Nodes))
	}
	e := encoder{r: r, keys: loadKeys()}
	if out := e.members(nil, 0, len(r.Nodes), nil, false); len(out) < 10*depth {
		t.Errorf("%d octets", len(out))
	}
}
