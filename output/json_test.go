package output

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/output/schematest"
)

// reference is the contract written plainly: maps and encoding/json.
func reference(r *record.Record) map[string]any {
	m := map[string]any{"schema": record.Schema, "record": r.Type.String()}
	str := func(m map[string]any, k, s string) {
		if s != "" {
			m[k] = s
		}
	}
	if r.Number > 0 {
		m["number"] = r.Number
	}
	if r.Type != record.SummaryType {
		m["time"] = string(record.AppendTime(nil, r.Time))
	}
	if len(r.Frames) > 0 {
		m["frames"] = r.Frames
	}
	str(m, "file", r.File)
	str(m, "interface", r.Interface)
	str(m, "transport", r.Transport)
	str(m, "info", r.Info)
	if len(r.Encap) > 0 {
		m["encapsulation"] = r.Encap
	}
	if r.Quoted {
		m["quoted"] = true
	}
	if r.Src.Addr().IsValid() {
		m["src"] = map[string]any{"ip": r.Src.Addr().String(), "port": r.Src.Port()}
	}
	if r.Dst.Addr().IsValid() {
		m["dst"] = map[string]any{"ip": r.Dst.Addr().String(), "port": r.Dst.Port()}
	}
	var fs []any
	for _, f := range r.Findings {
		o := map[string]any{"id": f.ID, "severity": f.Severity.String(), "message": f.Message}
		str(o, "clause", f.Clause)
		str(o, "body", f.Body)
		str(o, "field", f.Field)
		if len(f.Frames) > 0 {
			o["frames"] = f.Frames
		}
		if f.HasRange {
			o["source"], o["offset"], o["length"] = f.Source, f.Off, f.Len
		}
		fs = append(fs, o)
	}
	if fs != nil {
		m["findings"] = fs
	}
	refMembers(r, m, -1, append(slices.Clone(topNames), "findings"))
	return m
}

func refMembers(r *record.Record, m map[string]any, parent int, reserved []string) {
	for j := range r.Children(parent) {
		n := &r.Nodes[j]
		v, ok := refValue(r, j)
		if !ok {
			continue
		}
		k := n.Field.Key()
		switch _, have := m[k]; {
		case slices.Contains(reserved, k), have && !n.Field.List:
			l, _ := m[k+"_repeated"].([]any)
			m[k+"_repeated"] = append(l, v)
		case n.Field.List:
			l, _ := m[k].([]any)
			m[k] = append(l, v)
		default:
			m[k] = v
		}
	}
}

func refScalar(n *record.Node, k record.Kind) (any, bool) {
	marks := ""
	if n.Flags&record.Cut != 0 && !strings.HasSuffix(strings.TrimSuffix(n.Str, "[withheld]"), "[cut]") {
		marks += "[cut]"
	}
	if n.Flags&record.Withheld != 0 && !strings.Contains(n.Str, "withheld]") && !strings.Contains(n.Str, "withheld,") {
		marks += "[withheld]"
	}
	if n.Flags&record.HasValue == 0 && (n.Flags&record.Withheld == 0 || k != record.String && k != record.Octets && k != record.Addr) {
		return nil, false
	}
	switch k {
	case record.Uint:
		return uint64(n.Num), true
	case record.Int:
		return n.Num, true
	case record.Bool:
		return n.Num != 0, true
	case record.Octets:
		return hex.EncodeToString([]byte(n.Str)) + marks, true
	case record.Time:
		return string(record.AppendTime(nil, n.Num)), true
	case record.Raw:
		return json.RawMessage(n.Str), true
	}
	return n.Str + marks, true
}

func refValue(r *record.Record, j int) (any, bool) {
	n := &r.Nodes[j]
	m := map[string]any{}
	switch n.Field.Kind {
	case record.Object:
		refMembers(r, m, j, nil)
	case record.Map:
		counts := map[string]int{}
		clean := func(s string) string {
			return strings.ToValidUTF8(strings.Map(func(c rune) rune { return c }, s), "\ufffd")
		}
		for c := range r.Children(j) {
			counts[clean(r.Nodes[c].Key)]++
		}
		for c := range r.Children(j) {
			k := clean(r.Nodes[c].Key)
			v, _ := refScalar(&r.Nodes[c], n.Field.Of)
			if counts[k] == 1 {
				m[k] = v
				continue
			}
			l, _ := m[k].([]any)
			m[k] = append(l, v)
		}
	case record.Protected:
		m["protection"], m["state"] = "none", "clear"
		if p := r.Protection(n); p != nil {
			for _, k := range []string{"protection", "state", "reason", "variant", "key_id", "algorithm"} {
				if s := p.Member(k); s != "" {
					m[k] = s
				}
			}
			if p.Signed {
				m["integrity"] = "signed"
			}
			if p.Verified {
				m["integrity"] = "verified"
			}
		}
		if v, ok := refScalar(n, n.Field.Of); ok {
			m["value"] = v
		}
		refMembers(r, m, j, protectedNames)
	default:
		return refScalar(n, n.Field.Kind)
	}
	return m, true
}

func parseAny(t testing.TB, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return v
}

// unique fails when an object has a member twice.
func unique(t testing.TB, b []byte) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var walk func()
	walk = func() {
		tok, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch tok {
		case json.Delim('{'):
			seen := map[string]bool{}
			for d.More() {
				k, _ := d.Token()
				if seen[k.(string)] {
					t.Fatalf("member %q twice in %s", k, b)
				}
				seen[k.(string)] = true
				walk()
			}
			d.Token()
		case json.Delim('['):
			for d.More() {
				walk()
			}
			d.Token()
		}
	}
	walk()
}

func checkJSON(t testing.TB, seed uint64, schema *schematest.Schema) {
	r := newGen(seed).record()
	got := jsonFormat{}.Append(nil, r)
	if !utf8.Valid(got) || bytes.IndexByte(got, '\n') != len(got)-1 {
		t.Fatalf("seed %d: not one line of UTF-8: %q", seed, got)
	}
	want, err := json.Marshal(reference(r))
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if g, w := parseAny(t, got), parseAny(t, want); !reflect.DeepEqual(g, w) {
		t.Fatalf("seed %d:\ngot  %s\nwant %s", seed, got, want)
	}
	unique(t, got)
	if err := schema.Validate(got); err != nil {
		t.Fatalf("seed %d: schema: %v\n%s", seed, err, got)
	}
	back, err := ReadJSON(bytes.NewReader(got))()
	if err != nil {
		t.Fatalf("seed %d: reading back: %v\n%s", seed, err, got)
	}
	if again := (jsonFormat{}).Append(nil, back); !bytes.Equal(again, got) {
		t.Fatalf("seed %d: after reading back\ngot  %s\nwant %s", seed, again, got)
	}
}

func testSchema(t testing.TB) *schematest.Schema {
	s, err := schematest.New(SchemaJSON(record.Fields()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJSONAgainstReference(t *testing.T) {
	s := testSchema(t)
	for seed := range uint64(3000) {
		checkJSON(t, seed, s)
	}
}

func FuzzJSONRecord(f *testing.F) {
	s := testSchema(f)
	for seed := range uint64(10) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { checkJSON(t, seed, s) })
}

// Every string must come back as encoding/json gives it, and print.
func FuzzJSONString(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := appendJSONString(nil, s)
		var got, want string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		std, _ := json.Marshal(s)
		json.Unmarshal(std, &want)
		if got != want {
			t.Fatalf("%q became %q, want %q", s, got, want)
		}
		for _, c := range string(b) {
			if !printing(c) {
				t.Fatalf("%q holds %U", b, c)
			}
		}
		p := jsonReader{b: b}
		if back := p.str(); back != want {
			t.Fatalf("reading %s gave %q, want %q", b, back, want)
		}
	})
}

// The contract, member by member.
func TestJSONContract(t *testing.T) {
	r := sample()
	want := strings.Join([]string{
		`{"schema":"mcxdump/1","record":"message","number":7,"time":"2023-11-14T22:13:20.123456789Z","frames":[11,12],`,
		`"file":"a.pcap","transport":"udp","encapsulation":["gtpu"],"src":{"ip":"10.0.0.1","port":5060},"dst":{"ip":"2001:db8::2","port":5061},`,
		`"info":"MCPTT <group> call","sip":{"method":"INVITE","request_uri":"sip:psi@example.org","call_id":"1@a","cseq":{"number":3,"method":"INVITE"},`,
		`"from":{"uri":"sip:alice@example.org","display":"Alice Ü"},`,
		`"contact":[{"uri":"sip:alice@10.0.0.1","params":{"expires":"60","q":["0.5","0.7"],"+g.3gpp.mcptt":""}}],"path":["sip:p1;lr"]},`,
		`"bodies":[{"path":"1","type":"application/vnd.3gpp.mcptt-info+xml","mcptt_info":{`,
		`"client_id":{"protection":"encrypted","state":"no_key","reason":"no_key","key_id":"2abcdef0","algorithm":"AES-128-GCM","integrity":"verified","ciphertext_length":44},`,
		`"groups":[{"protection":"encrypted","state":"decrypted","variant":"ascii","key_id":"2abcdef0","value":"sip:group@example.org"},{"protection":"none","state":"clear","value":"sip:g2@example.org"}],`,
		`"access_token":{"protection":"none","state":"clear","value":"eyJh.eyJz.[withheld]","claims":{"mcptt_id":"sip:alice@example.org","exp":1700003600}}}},`,
		`{"path":"2","type":"application/mikey","mikey":{"time":"2023-11-14T22:13:19.000000000Z","rand":"00ff10","v":true}}],`,
		`"findings":[{"id":"SEC-10","severity":"error","clause":"TS 33.180 9.4","message":"the digest of \"x\" differs","body":"1","field":"mcptt_info.client_id","frames":[12],"source":0,"offset":10,"length":5}]}`,
	}, "") + "\n"
	if got := string(jsonFormat{}.Append(nil, r)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestJSONShapes(t *testing.T) {
	build := func(f func(b *record.Builder)) string {
		r := &record.Record{Type: record.SummaryType}
		b := &record.Builder{R: r, Want: record.All()}
		f(b)
		s := string(jsonFormat{}.Append(nil, r))
		s = strings.TrimPrefix(s, `{"schema":"mcxdump/1","record":"summary"`)
		return strings.TrimPrefix(strings.TrimSuffix(s, "}\n"), ",")
	}
	no := record.Place{}
	for _, c := range []struct {
		name, want string
		f          func(b *record.Builder)
	}{
		{"empty object", `"sip":{}`, func(b *record.Builder) { b.Open(fSIP, no); b.Close() }},
		{"list of one", `"sip":{"path":["a"]}`, func(b *record.Builder) { b.Open(fSIP, no); b.Str(fPath, "a", no); b.Close() }},
		{"list that is interrupted", `"sip":{"path":["a","b"],"method":"M"}`, func(b *record.Builder) {
			b.Open(fSIP, no)
			b.Str(fPath, "a", no)
			b.Str(fMethod, "M", no)
			b.Str(fPath, "b", no)
			b.Close()
		}},
		{"scalar that repeats", `"sip":{"call_id":"1","call_id_repeated":["2","3"],"method":"M"}`, func(b *record.Builder) {
			b.Open(fSIP, no)
			b.Str(fCallID, "1", no)
			b.Str(fCallID, "2", no)
			b.Str(fMethod, "M", no)
			b.Str(fCallID, "3", no)
			b.Close()
		}},
		{"object that repeats", `"mikey":{"v":true},"mikey_repeated":[{"v":false}]`, func(b *record.Builder) {
			for _, v := range []bool{true, false} {
				b.Open(fMikey, no)
				b.Bool(fMikeyV, v, no)
				b.Close()
			}
		}},
		{"member that the contract uses", `"mcptt_info":{"access_token":{"protection":"none","state":"clear","state_repeated":["odd"]}}`, func(b *record.Builder) {
			b.Open(fInfo, no)
			b.Open(fToken, no)
			b.Str(fTokenState, "odd", no)
			b.Close()
			b.Close()
		}},
		{"absent value", `"sip":{}`, func(b *record.Builder) { b.Open(fSIP, no); b.Node(fMethod, no); b.Close() }},
		{"list of absent values", `"sip":{"method":""}`, func(b *record.Builder) {
			b.Open(fSIP, no)
			b.Node(fPath, no)
			b.Node(fPath, no)
			b.Str(fMethod, "", no)
			b.Close()
		}},
		{"withheld octets", `"mikey":{"rand":"[withheld]"}`, func(b *record.Builder) {
			b.Open(fMikey, no)
			b.Node(fMikeyRand, no).Flags |= record.Withheld
			b.Close()
		}},
		{"cut octets", `"mikey":{"rand":"00[cut]"}`, func(b *record.Builder) {
			b.Open(fMikey, no)
			b.Octets(fMikeyRand, []byte{0}, no).Flags |= record.Cut
			b.Close()
		}},
		{"large numbers", `"mikey":{"numbers":[18446744073709551615],"offset":-9223372036854775808}`, func(b *record.Builder) {
			b.Open(fMikey, no)
			b.Num(fMikeyNums, -1, no)
			b.Num(fMikeyOff, -1<<63, no)
			b.Close()
		}},
		{"claims that are not JSON", `"mikey":{"notes":["{\"a\":","[1,2]"]}`, func(b *record.Builder) {
			b.Open(fMikey, no)
			b.Str(fMikeyJSON, `{"a":`, no)
			b.Str(fMikeyJSON, `"[1,2]"`, no)
			b.Close()
		}},
		{"spaces in claims", `"mikey":{"notes":[{"a":[1,"b c"]}]}`, func(b *record.Builder) {
			b.Open(fMikey, no)
			b.Str(fMikeyJSON, "{ \"a\" :\n[1, \"b c\"] }", no)
			b.Close()
		}},
		{"keys that become equal", `"mikey":{"counts":[{"x` + "\ufffd" + `":[1,2]}]}`, func(b *record.Builder) {
			b.Open(fMikey, no)
			b.Open(fMikeyMap, no)
			b.Entry(fMikeyMap, "x\xff", "", no).Num = 1
			b.Entry(fMikeyMap, "x\xfe", "", no).Num = 2
			b.Close()
			b.Close()
		}},
	} {
		if got := build(c.f); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// A tree as deep and as wide as hostile input can make it must take time in proportion to its size.
func TestJSONHostileShape(t *testing.T) {
	r := &record.Record{}
	b := record.Builder{R: r, Want: record.All()}
	b.Open(fXML, record.Place{})
	depth := 0
	for ; depth < 60; depth++ {
		b.Open(fXMLKids, record.Place{})
		for range 100 { // irregular at each level
			b.Str(fXMLKText, "t", record.Place{})
			b.Str(fXMLKName, "n", record.Place{})
		}
	}
	for range depth + 1 {
		b.Close()
	}
	out := jsonFormat{}.Append(nil, r)
	if !json.Valid(out) {
		t.Fatal("not JSON")
	}
	back, err := ReadJSON(bytes.NewReader(out))()
	if err != nil || len(back.Nodes) != len(r.Nodes) {
		t.Fatalf("%v, %d nodes of %d", err, len(back.Nodes), len(r.Nodes))
	}
}

func TestReadJSONErrors(t *testing.T) {
	head := `{"schema":"mcxdump/1","record":"message"`
	for _, c := range []struct{ in, err string }{
		{"", "EOF"},
		{"\n  \n", "EOF"},
		{"[1]", "line 1: not an object"},
		{"{", "line 1: unexpected end"},
		{"{}", "line 1: no schema"},
		{`{"schema":"mcxdump/2","record":"message"}`, `line 1: schema "mcxdump/2" is not mcxdump/1`},
		{`{"schema":"mcxdump/1"}`, "line 1: no known type"},
		{`{"schema":"mcxdump/1","record":"other"}`, "line 1: no known type"},
		{head + `,"sip":` + strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300) + "}", "line 1: nested deeper"},
		{head + `}{}`, "line 1: invalid character"},
	} {
		_, err := ReadJSON(strings.NewReader(c.in))()
		if err == nil || !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%.40s: %v, want %s", c.in, err, c.err)
		}
	}
	// A bad line does not end the input, and what is unknown is counted.
	rd := NewReader(strings.NewReader("\xef\xbb\xbf" + head + "}\nrubbish\n" + head + `,"x":1,"sip":{"method":5,"status":-1,"nope":[{}]},"src":{"ip":"bad","port":99999},"number":2}`))
	var got []string
	for {
		r, err := rd.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			got = append(got, "error")
			continue
		}
		got = append(got, fmt.Sprint(r.Number))
	}
	if want := []string{"0", "error", "2"}; !slices.Equal(got, want) || rd.Unknown() != 6 || rd.Line() != 3 {
		t.Errorf("got %v, unknown %d, line %d", got, rd.Unknown(), rd.Line())
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReadJSONInputFails(t *testing.T) {
	next := ReadJSON(io.MultiReader(strings.NewReader(`{"schema":"mcxdump/1","record":"message"}`+"\n"), failingReader{}))
	if _, err := next(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and again
		_, err := next()
		re, ok := err.(*ReadError)
		if !ok || !re.Fatal || re.Err != io.ErrClosedPipe {
			t.Fatalf("got %v", err)
		}
	}
}

// Cut-off and damaged lines of every kind give an error or a record, never a panic or an endless loop.
func FuzzReadJSON(f *testing.F) {
	line := jsonFormat{}.Append(nil, sample())
	for n := range line {
		if n%7 == 0 {
			f.Add(line[:n])
		}
	}
	f.Add(line)
	for seed := range uint64(5) {
		f.Add(jsonFormat{}.Append(nil, newGen(seed).record()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rd := NewReader(bytes.NewReader(b))
		for lines := 0; ; lines++ {
			r, err := rd.Next()
			if err == io.EOF {
				return
			}
			if lines > len(b) {
				t.Fatal("more lines than octets")
			}
			if err != nil {
				continue
			}
			one := jsonFormat{}.Append(nil, r)
			back, err := ReadJSON(bytes.NewReader(one))()
			if err != nil {
				t.Fatalf("%v: %s", err, one)
			}
			if two := (jsonFormat{}).Append(nil, back); !bytes.Equal(one, two) {
				t.Fatalf("not stable:\n%s%s", one, two)
			}
		}
	})
}

func TestReadJSONEveryCut(t *testing.T) {
	line := jsonFormat{}.Append(nil, sample())
	for n := range line[:len(line)-1] {
		if r, err := ReadJSON(bytes.NewReader(line[:n]))(); err == nil {
			t.Fatalf("cut at %d gave %v", n, r)
		}
	}
}

func TestLooksLikeJSON(t *testing.T) {
	for in, want := range map[string]bool{`{"schema"`: true, "\xef\xbb\xbf {": true, "\n{ \"": true, "{a": false, "\xd4\xc3\xb2\xa1": false, "": false, "[": false} {
		if LooksLikeJSON([]byte(in)) != want {
			t.Errorf("%q: want %v", in, want)
		}
	}
}

func TestTimeAgainstReference(t *testing.T) {
	g := newGen(1)
	times := []int64{0, -1, 1, 1e9, -1e9, 1<<63 - 1, -1 << 63, 951782400_000000000, 951868799_999999999, 1709164800_000000000}
	for range 20000 {
		times = append(times, g.Int64()-g.Int64())
	}
	for _, ns := range times {
		if got, want := string(appendRFC3339(nil, ns)), string(record.AppendTime(nil, ns)); got != want {
			t.Fatalf("%d: got %s, want %s", ns, got, want)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	r := big()
	f, _ := New("json", Options{})
	dst := f.Append(nil, r)
	b.Logf("%d nodes, %d octets", len(r.Nodes), len(dst))
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = f.Append(dst[:0], r)
	}
}

// loop is an endless stream of one line.
type loop struct {
	line []byte
	at   int
}

func (l *loop) Read(b []byte) (int, error) {
	n := copy(b, l.line[l.at:])
	l.at = (l.at + n) % len(l.line)
	return n, nil
}

func BenchmarkReadJSON(b *testing.B) {
	line := jsonFormat{}.Append(nil, big())
	r := NewReader(&loop{line: line})
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
