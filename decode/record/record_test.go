package record_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
)

func reg(name string, k, of record.Kind) *record.Field {
	return record.Register(record.Field{Name: name, Title: name, Clause: "test", Kind: k, Of: of})
}

var (
	fTop    = reg("top", record.Object, 0)
	fText   = reg("top.text", record.String, 0)
	fNum    = reg("top.num", record.Uint, 0)
	fParams = reg("top.params", record.Map, record.Uint)
	fProt   = reg("top.prot", record.Protected, record.String)
	fExtra  = reg("top.prot.extra", record.String, 0)
	fOther  = reg("topmost", record.Object, 0)
)

func TestRegisterRefuses(t *testing.T) {
	ok := record.Field{Name: "refused", Title: "t", Clause: "c"}
	for _, change := range []func(*record.Field){
		func(f *record.Field) { f.Name = "" },
		func(f *record.Field) { f.Name = "top" },
		func(f *record.Field) { f.Name = "Upper" },
		func(f *record.Field) { f.Name = "with-hyphen" },
		func(f *record.Field) { f.Name = "1digit" },
		func(f *record.Field) { f.Name = "_under" },
		func(f *record.Field) { f.Name = "top." },
		func(f *record.Field) { f.Name = "top..x" },
		func(f *record.Field) { f.Name = "nobody.x" },
		func(f *record.Field) { f.Title = "" },
		func(f *record.Field) { f.Clause = "" },
	} {
		f := ok
		change(&f)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v is registered", f)
				}
			}()
			record.Register(f)
		}()
	}
	if _, there := record.Lookup("refused"); there {
		t.Error("a refused field is in the register")
	}
}

// The register holds each field once, under its id, with its parent before it.
func TestRegister(t *testing.T) {
	for i, f := range record.Fields() {
		if f.ID() != i {
			t.Errorf("%s has id %d at %d", f.Name, f.ID(), i)
		}
		if ref, ok := record.Lookup(f.Name); !ok || ref.Field != f {
			t.Errorf("%s is not found", f.Name)
		}
		if p := f.Parent(); p != nil && (p.ID() >= f.ID() || p.Name+"."+f.Key() != f.Name) || p == nil && f.Key() != f.Name {
			t.Errorf("%s: parent or key is wrong", f.Name)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		name     string
		field    *record.Field
		sub, key string
		kind     record.Kind
	}{
		{"top.text", fText, "", "", record.String},
		{"top.params", fParams, "", "", record.Map},
		{"top.params.a.b", fParams.Entry(), "", "a.b", record.Uint},
		{"top.params.+g.3gpp", fParams.Entry(), "", "+g.3gpp", record.Uint},
		{"top.prot", fProt, "", "", record.String},
		{"top.prot.state", fProt, "state", "", record.String},
		{"top.prot.value", fProt, "value", "", record.String},
		{"top.prot.extra", fExtra, "", "", record.String},
	} {
		ref, ok := record.Lookup(c.name)
		if !ok || ref.Field != c.field || ref.Sub != c.sub || ref.Key != c.key || ref.Kind() != c.kind {
			t.Errorf("%s: %+v, %v", c.name, ref, ok)
		}
	}
	for _, bad := range []string{"", ".", "top.", "top.none", "top.text.x", "top.prot.none", "top.params.", "nobody", ".top"} {
		if ref, ok := record.Lookup(bad); ok {
			t.Errorf("%q: %+v", bad, ref)
		}
	}
	for name, want := range map[string]string{"top.txt": "top.text", "top-text": "top.text", "TOP.TEXT": "top.text", "num": "top.num"} {
		if near := record.Near(name); !slices.Contains(near, want) || len(near) > 5 {
			t.Errorf("near %s: %v", name, near)
		}
	}
	if near := record.Near(strings.Repeat("x", 1000)); len(near) != 0 {
		t.Errorf("near nothing: %v", near)
	}
}

func TestWant(t *testing.T) {
	var w record.Want
	if w.Has(fText) || w.Everything() {
		t.Error("the zero Want wants something")
	}
	w.Add(fProt)
	for f, want := range map[*record.Field]bool{fTop: true, fProt: true, fExtra: true, fText: false, fOther: false} {
		if w.Has(f) != want {
			t.Errorf("%s: %v", f.Name, !want)
		}
	}
	var all record.Want
	all.Merge(w)
	if !all.Has(fExtra) || all.Has(fText) {
		t.Error("merge")
	}
	all.Merge(record.All())
	if !all.Has(fText) || !all.Everything() {
		t.Error("merge of everything")
	}
	// What a set wants, with the parents above it, can be built.
	for _, f := range record.Fields() {
		var w record.Want
		w.Add(f)
		for p := f; p != nil; p = p.Parent() {
			if !w.Has(p) {
				t.Errorf("%s without %s", f.Name, p.Name)
			}
		}
	}
}

func TestBuilder(t *testing.T) {
	r := &record.Record{}
	b := record.Builder{R: r, Want: record.All(), MaxNodes: 7}
	b.Open(fTop, record.At(0, 1, 9))
	b.Str(fText, "a", record.Place{})
	b.Num(fNum, -1, record.At(0, 2, 3))
	b.Open(fParams, record.Place{})
	b.Entry(fParams, "K", "v", record.Place{})
	b.Close()
	b.Open(fProt, record.Place{})
	if b.Depth() != 2 || b.Last() == nil {
		t.Error("depth")
	}
	b.Protect(b.Last(), record.Protection{Encrypted: true, State: record.NoKey, KeyID: "00000001"})
	b.Str(fExtra, "e", record.Place{})
	b.Str(fExtra, "one too many", record.Place{})
	b.Close()
	b.Close()
	if b.Open(fOther, record.Place{}) || b.Dropped != 2 {
		t.Errorf("%d dropped", b.Dropped)
	}
	b.Close()
	var ends []int32
	for i := range r.Nodes {
		ends = append(ends, r.Nodes[i].End)
	}
	if want := []int32{7, 2, 3, 5, 5, 7, 7}; !slices.Equal(ends, want) {
		t.Errorf("ends %v, want %v", ends, want)
	}
	if got := slices.Collect(r.Children(0)); !slices.Equal(got, []int{1, 2, 3, 5}) {
		t.Errorf("children %v", got)
	}
	if got := slices.Collect(r.Children(-1)); !slices.Equal(got, []int{0}) {
		t.Errorf("roots %v", got)
	}
	for name, want := range map[string]string{"top.text": "a", "top.num": "18446744073709551615", "top.params.k": "", "top.prot.state": "no_key", "top.prot.protection": "encrypted", "top.prot.key_id": "00000001", "top.prot.extra": "e"} {
		ref, _ := record.Lookup(name)
		var got []string
		for v := range ref.Values(r) {
			got = append(got, string(v.AppendText(nil)))
		}
		if name == "top.params.k" {
			want = "0" // a Uint entry: its text is not its value
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"top", "top.params", "top.prot", "top.prot.value", "top.prot.reason", "top.params.none"} {
		ref, _ := record.Lookup(name)
		for v := range ref.Values(r) {
			t.Errorf("%s has the value %v", name, v)
		}
	}
	b.Reset(&record.Record{})
	if b.Dropped != 0 || b.Depth() != 0 {
		t.Error("reset")
	}
}

func TestBuilderWant(t *testing.T) {
	r := &record.Record{}
	b := record.Builder{R: r}
	b.Want.Add(fNum)
	b.Open(fTop, record.Place{})
	if b.Str(fText, "x", record.Place{}) != nil || b.Num(fNum, 1, record.Place{}) == nil || b.Open(fProt, record.Place{}) {
		t.Error("more or less than is wanted")
	}
	if b.Last() != nil {
		t.Error("the last of an unwanted object")
	}
	b.Close()
	b.Close()
	if len(r.Nodes) != 2 || r.Nodes[0].End != 2 || b.Dropped != 0 {
		t.Errorf("%+v", r.Nodes)
	}
}

func TestBuilderLimits(t *testing.T) {
	r := &record.Record{}
	b := record.Builder{R: r, Want: record.All()}
	for range record.MaxFindings + 3 {
		b.Finding(record.Finding{})
	}
	for range record.MaxSources {
		b.Source(record.Source{})
	}
	if b.Source(record.Source{}) != -1 || len(r.Findings) != record.MaxFindings || b.Dropped != 4 {
		t.Errorf("%d findings, %d dropped", len(r.Findings), b.Dropped)
	}
	for _, bad := range []record.Place{record.At(-1, 0, 0), record.At(0, -1, 0), record.At(0, 0, -1), record.At(1<<16, 0, 0)} {
		if bad.Known {
			t.Errorf("%+v", bad)
		}
	}
}

func TestFrameAt(t *testing.T) {
	r := &record.Record{Sources: []record.Source{
		{Parent: -1, Segments: []record.Segment{{Off: 0, Frame: 3}, {Off: 100, Frame: 5}}},
		{Parent: 0, ParentOff: 120},
		{Parent: 1, ParentOff: 7},
		{Parent: 4}, {Parent: 3}, // a circle must end
		{Parent: 99},
	}}
	for _, c := range []struct {
		src   int
		off   uint32
		frame uint64
	}{{0, 0, 3}, {0, 99, 3}, {0, 100, 5}, {1, 0, 5}, {2, 1000, 5}, {3, 0, 0}, {5, 0, 0}, {-1, 0, 0}, {6, 0, 0}} {
		if got, ok := r.FrameAt(c.src, c.off); got != c.frame || ok != (c.frame != 0) {
			t.Errorf("source %d, octet %d: frame %d, %v", c.src, c.off, got, ok)
		}
	}
}

func TestAppendTime(t *testing.T) {
	for _, ns := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1704067200_123456789} {
		s := string(record.AppendTime(nil, ns))
		back, err := time.Parse(time.RFC3339Nano, s)
		if err != nil || !back.Equal(time.Unix(0, ns)) || len(s) != 30 {
			t.Errorf("%d: %s, %v", ns, s, err)
		}
	}
}

// Unknown numbers of the enumerations print as numbers.
func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		record.Kind(99).String(): "Kind(99)", record.Type(9).String(): "Type(9)", record.SourceKind(9).String(): "SourceKind(9)", record.State(9).String(): "State(9)",
		record.Reason(99).String(): "Reason(99)", record.Severity(9).String(): "Severity(9)", record.Raw.String(): "json", record.Message.String(): "message",
		record.Decrypted.String(): "decrypted", record.Opened.String(): "decrypted", record.ReasonMalformed.String(): "malformed", record.Error.String(): "error", record.NoReason.String(): "",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if rs := record.Reasons(); len(rs) != 13 || rs[0] != "no_key" {
		t.Errorf("%v", rs)
	}
	r := &record.Record{Findings: []record.Finding{{Severity: record.Note}, {Severity: record.Error}, {Severity: record.Warning}}}
	if w, any := r.Worst(); w != record.Error || !any {
		t.Error(w)
	}
	if _, any := new(record.Record).Worst(); any {
		t.Error("the worst of nothing")
	}
}

// A node in memory that served another record is as one in new memory.
func TestBuilderMemory(t *testing.T) {
	f := reg("memory_test", record.Map, record.String)
	old := record.Record{Nodes: make([]record.Node, 8)}
	for i := range old.Nodes {
		v := reflect.ValueOf(&old.Nodes[i]).Elem()
		for k := range v.NumField() {
			switch m := v.Field(k); m.Kind() {
			case reflect.String:
				m.SetString("old")
			case reflect.Int32, reflect.Int64:
				m.SetInt(77)
			case reflect.Uint8, reflect.Uint16, reflect.Uint32:
				m.SetUint(77)
			case reflect.Pointer:
				m.Set(reflect.ValueOf(f.Entry()))
			default:
				t.Fatal("a member of another kind:", v.Type().Field(k).Name)
			}
		}
	}
	build := func(r *record.Record) []record.Node {
		b := record.Builder{R: r, Want: record.All()}
		b.Open(f, record.At(1, 2, 3))
		b.Entry(f, "k", "v", record.Place{})
		b.Num(f, 5, record.At(0, 1, 1))
		b.Node(f, record.Place{})
		b.Close()
		return r.Nodes
	}
	old.Nodes = old.Nodes[:0]
	if used, fresh := build(&old), build(new(record.Record)); !reflect.DeepEqual(used, fresh) {
		t.Errorf("%+v\n%+v", used, fresh)
	}
}

func TestWantAlone(t *testing.T) {
	var w record.Want
	w.AddAlone(fProt)
	if !w.Has(fTop) || !w.Has(fProt) || w.Has(fExtra) || w.Has(fText) || w.Has(fOther) {
		t.Errorf("a protected field alone brings %v", w)
	}
}
