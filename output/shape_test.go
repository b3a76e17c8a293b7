package output

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// eager are shapes that are remembered at once.
func eager() *shapes { return new(shapes) }

// vary changes what nodes hold, and now and then what they are.
func (g *gen) vary(r *record.Record, strange bool) {
	plain := []string{"", "a", "abc", "abcdefg", "sip:alice@example.org", "z9hG4bK2929777f", "urn:urn-7:3gpp-service.ims.icsi.mcptt", "a\"b", "back\\slash", "grüße, welt", "tab\there", "del\x7f at the end of it\x7f"}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		switch {
		case g.some(3):
			n.Str = plain[g.IntN(len(plain))]
		case g.some(20):
			n.Str = g.str()
		}
		if g.some(2) {
			n.Num = g.Int64N(1<<g.IntN(63)) - g.Int64N(3)
		}
		if !strange || !g.some(30) {
			continue
		}
		switch g.IntN(5) {
		case 0:
			n.Flags ^= 1 << g.IntN(5)
		case 1:
			n.Key = g.str()
		case 2:
			n.End += int32(g.IntN(3) - 1)
		case 3:
			n.Field = r.Nodes[g.IntN(len(r.Nodes))].Field
		case 4:
			n.Prot = uint16(g.IntN(len(r.Prots) + 2))
		}
	}
	for i := range r.Prots {
		p := &r.Prots[i]
		p.Encrypted, p.Signed, p.Verified, p.State, p.KeyID = g.some(2), g.some(3), g.some(4), record.State(g.IntN(4)), g.str()
	}
}

// checkShapes holds records printed by shapes to the plain road, and returns how many roots had one.
func checkShapes(t *testing.T, seed uint64) (known int) {
	g := newGen(seed)
	r := g.record()
	if !g.some(4) {
		r.Type, r.Findings = record.Message, nil
	}
	tree := Options{Color: g.some(2)}
	fast := []Format{jsonFormat{eager()}, &treeFormat{tree, eager()}}
	slow := []Format{jsonFormat{}, &treeFormat{o: tree}}
	for round := range 12 {
		for i := range fast {
			got, want := fast[i].Append([]byte("before"), r), slow[i].Append([]byte("before"), r)
			if !bytes.Equal(got, want) {
				t.Fatalf("seed %d, round %d:\ngot  %s\nwant %s", seed, round, got, want)
			}
		}
		for j := 0; j < len(r.Nodes); j = max(int(r.Nodes[j].End), j+1) {
			for _, s := range []*shapes{fast[0].(jsonFormat).shapes, fast[1].(*treeFormat).shapes} {
				if _, _, x := s.find(r.Nodes, j); x != nil {
					known++
				}
			}
		}
		g.vary(r, round%4 == 3)
		for j := range r.Nodes { // what the printers take for granted
			n := &r.Nodes[j]
			n.End = min(max(n.End, int32(j+1)), int32(len(r.Nodes)))
		}
	}
	return known
}

func TestShapes(t *testing.T) {
	known := 0
	for seed := range uint64(2000) {
		known += checkShapes(t, seed)
	}
	if known < 5000 {
		t.Errorf("only %d stretches had a shape", known)
	}
}

func FuzzShapes(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { checkShapes(t, seed) })
}

// Text is copied if and only if every octet stands for itself.
func FuzzCopyPlain(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	for _, s := range []string{"", "abc", "abcd", "abcdefg", "abcdefgh", "a longer text of plain octets", "0123456\x7f", "\"12345678", "12345678\"", "123\\", "\xff1234", "~~~~~~~~\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, odd := range []byte{'"', '\\'} {
			want := true
			for i := range len(s) {
				want = want && s[i] >= 0x20 && s[i] < 0x7f && s[i] != '\\' && s[i] != odd
			}
			b := bytes.Repeat([]byte{1}, len(s)+9)
			if got := copyPlain(b, s, odd); got != want {
				t.Fatalf("%q, %q: %v", s, odd, got)
			} else if got && string(b[:len(s)]) != s {
				t.Fatalf("%q became %q", s, b[:len(s)])
			}
			if !bytes.Equal(b[len(s):], bytes.Repeat([]byte{1}, 9)) {
				t.Fatalf("%q: written behind its end", s)
			}
		}
		if got, want := jsonRun(s, 0), run(s, &jsonPlain); got != want {
			t.Fatalf("%q: %d, want %d", s, got, want)
		}
		if got, want := plainRun(s, 0), run(s, &plain); got != want {
			t.Fatalf("%q: %d, want %d", s, got, want)
		}
	})
}

// run is how many octets a table has.
func run(s string, table *[256]bool) int {
	for i := range len(s) {
		if !table[s[i]] {
			return i
		}
	}
	return len(s)
}

// Values of the tree are those of -T fields.
func TestTreeValues(t *testing.T) {
	g := newGen(1)
	for range 5000 {
		n := record.Node{Num: g.Int64() >> g.IntN(64), Str: g.str(), Flags: record.HasValue}
		if g.some(2) {
			n.Num = -n.Num
		}
		for _, k := range []record.Kind{record.Uint, record.Int, record.Bool, record.Time, record.Octets} {
			w := treeWriter{}
			w.value(&n, k)
			want := string(record.Value{Kind: k, Str: n.Str, Num: n.Num, Valid: true}.AppendText(nil))
			if got, _, _ := strings.Cut(string(w.dst), " ("); got != want {
				t.Fatalf("%+v as %v: %q, want %q", n, k, got, want)
			}
		}
	}
}

// There are never more shapes than the table has room for, none of them is long, and a record is compared with few; what has none is
// printed all the same.
func TestShapesBounded(t *testing.T) {
	f, plain := jsonFormat{eager()}, jsonFormat{}
	field := func(name string) *record.Field { ref, _ := record.Lookup(name); return ref.Field }
	headers, name, value := field("sip.headers"), field("sip.headers.name"), field("sip.headers.value")
	show := func(objects, members, flags int) {
		t.Helper()
		r := &record.Record{Type: record.Message}
		b := record.Builder{R: r, Want: record.All()}
		for range objects {
			b.Open(field("sip"), record.Place{})
			for i := range members {
				b.Open(headers, record.Place{})
				b.Str(name, "name", record.Place{}).Flags |= record.Flags(flags>>(i%8)&1) * record.Cut
				b.Str(value, strings.Repeat("v", 10), record.Place{})
				b.Close()
			}
			b.Close()
		}
		for range 2 {
			if got, want := f.Append(nil, r), plain.Append(nil, r); !bytes.Equal(got, want) {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		}
	}
	for members := 2; members < shapeMax/3+20; members++ {
		for flags := range 8 {
			show(1, members, flags)
		}
	}
	show(3*shapeTries, 3, 0)
	// Names of parameters are part of the text of a shape, and may be long.
	params := field("sip.contact.params")
	r := &record.Record{Type: record.Message}
	b := record.Builder{R: r, Want: record.All()}
	for _, o := range []string{"sip", "sip.contact", "sip.contact.params"} {
		b.Open(field(o), record.Place{})
	}
	for i := range 25 {
		b.Entry(params, strings.Repeat("k", 900)+strconv.Itoa(i), "v", record.Place{})
	}
	b.Close()
	b.Close()
	b.Close()
	for range 3 {
		if got, want := f.Append(nil, r), plain.Append(nil, r); !bytes.Equal(got, want) || len(want) < shapeText {
			t.Fatalf("%d octets, not %d", len(got), len(want))
		}
	}
	count := 0
	for i := range f.shapes.sets {
		for j := range f.shapes.sets[i].ways {
			if s := f.shapes.sets[i].ways[j].Load(); s != nil {
				count++
				if len(s.nodes) > shapeMax || len(s.text) > shapeText+shapeChunk {
					t.Errorf("a shape of %d nodes and %d octets", len(s.nodes), len(s.text))
				}
			}
		}
	}
	if count < shapeSets || count > shapeSets*shapeWays || shapeSets != 1<<shapeBits {
		t.Errorf("%d shapes", count)
	}
}
