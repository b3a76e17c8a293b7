package xmlpull

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

var info = []byte(`<?xml version="1.0" encoding="UTF-8"?>
<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <mcptt-Params>
    <mcptt-access-token type="Normal">
      <mcpttString>eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.` + strings.Repeat("QUJDREVGR0hJSktMTU5P", 20) + `.` + strings.Repeat("x", 86) + `</mcpttString>
    </mcptt-access-token>
    <mcptt-client-id type="Normal">
      <mcpttString>urn:uuid:2f6b8c4e-1a2b-4c3d-9e8f-0a1b2c3d4e5f</mcpttString>
    </mcptt-client-id>
  </mcptt-Params>
</mcpttinfo>
`)

// drain writes the events in one line each, the error last.
func drain(r *Reader) string {
	var s strings.Builder
	for r.Next() {
		ev := r.Event()
		switch ev.Kind {
		case Start:
			fmt.Fprintf(&s, "<%s|%s", ev.Space, ev.Local)
			for _, a := range ev.Attrs {
				fmt.Fprintf(&s, " %s|%s=%q", a.Space, a.Local, a.Value)
			}
			s.WriteString(">")
		case End:
			fmt.Fprintf(&s, "</%s>", ev.Local)
		case Text:
			fmt.Fprintf(&s, "%q", ev.Text)
		case CData:
			fmt.Fprintf(&s, "[%q]", ev.Text)
		case Comment:
			fmt.Fprintf(&s, "--%q--", ev.Text)
		case PI:
			fmt.Fprintf(&s, "?%s %q", ev.Local, ev.Text)
		}
	}
	if e := r.err; e != nil {
		fmt.Fprintf(&s, " !%d %v", e.Off, e.Cause)
	}
	if e := r.nsErr; e != nil {
		fmt.Fprintf(&s, " ns!%d", e.Off)
	}
	return s.String()
}

func TestEvents(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`<a/>`, `<|a></a>`},
		{"\ufeff<a>x</a>\n<!-- y -->", `<|a>"x"</a>--" y "--`},
		{`<?xml version='1.0' encoding='utf-8' standalone="yes" ?><a b="1 &lt; 2&#x41;" c='"'/>`, `<|a |b="1 < 2A" |c="\"">` + `</a>`},
		{`<p:a xmlns:p="u" p:b="1" b="2"><c xmlns="d"/><p:e/></p:a>`, `<u|a http://www.w3.org/2000/xmlns/|p="u" u|b="1" |b="2"><d|c http://www.w3.org/2000/xmlns/|xmlns="d"></c><u|e></e></a>`},
		{"<a>\r\n\r&amp;<![CDATA[<&]]]>]</a>", `<|a>"\n\n&"["<&]"]"]"</a>`},
		{"<a b='x\ty\r\nz'/>", `<|a |b="x y z"></a>`},
		{`<a><?go on ?></a>`, `<|a>?go "on "</a>`},
		{`<a xml:lang="en"/>`, `<|a http://www.w3.org/XML/1998/namespace|lang="en"></a>`},
		{`<é ü="ß"/>`, `<|é |ü="ß"></é>`},
		{`<a><b xmlns="d" xmlns:p="u"/><c/><p:e/></a>`, `<|a><d|b http://www.w3.org/2000/xmlns/|xmlns="d" http://www.w3.org/2000/xmlns/|p="u"></b><|c></c><|e></e></a> ns!34`},
		// errors, each with what stood before
		{``, ` !0 no root`},
		{`  `, ` !2 no root`},
		{`<a>`, `<|a> !3 truncated`},
		{`<a>x`, `<|a>"x" !4 truncated`},
		{`<a>x</b>`, `<|a>"x" !4 mismatch`},
		{`<a>x&y;</a>`, `<|a>"x" !4 entity`},
		{`<a>x&#0;</a>`, `<|a>"x" !4 entity`},
		{`<a>x&am`, `<|a>"x" !7 truncated`},
		{"<a>x\x01</a>", `<|a>"x" !4 character`},
		{"<a>x\xff</a>", `<|a>"x" !4 character`},
		{`<a>]]></a>`, `<|a> !3 CDATA end`},
		{`<a b="1" b="2"/>`, ` !9 duplicate attribute`},
		{`<a b=1/>`, ` !5 attribute`},
		{`<a b/>`, ` !4 attribute`},
		{`<a b="<"/>`, ` !6 attribute`},
		{`<a b="1"c="2"/>`, ` !8 syntax`},
		{`<!DOCTYPE a><a/>`, ` !0 document type`},
		{`<a/><b/>`, `<|a></a> !4 outside root`},
		{`<a/>x`, `<|a></a> !4 outside root`},
		{`x<a/>`, ` !0 outside root`},
		{`<?xml version="1.1"?><a/>`, ` !15 version`},
		{`<?xml version="1.0" encoding="utf-16"?><a/>`, ` !30 encoding`},
		{`<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, ` !30 encoding`},
		{"\xff\xfe<\x00a\x00", ` !0 encoding`},
		{` <?xml version="1.0"?><a/>`, ` !1 declaration`},
		{`<a><!-- -- --></a>`, `<|a> !8 comment`},
		{`<a></a`, `<|a> !6 truncated`},
		{`<a></`, `<|a> !5 truncated`},
		{`<1/>`, ` !1 name`},
		{`</a>`, ` !0 mismatch`},
		{`<a><![FOO[x]]></a>`, `<|a> !3 syntax`},
		// name spaces only
		{`<p:a/>`, `<|a></a> ns!1`},
		{`<a p:b="1"/>`, `<|a |b="1"></a> ns!3`},
		{`<a:b:c/>`, `<|a:b:c></a:b:c> ns!1`},
		{`<a xmlns:p="u" xmlns:q="u" p:x="1" q:x="2"/>`, `<|a http://www.w3.org/2000/xmlns/|p="u" http://www.w3.org/2000/xmlns/|q="u" u|x="1" u|x="2"></a> ns!35`},
	} {
		var r Reader
		r.Reset([]byte(c.in), Limits{})
		if got := drain(&r); got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestContent(t *testing.T) {
	var r Reader
	r.ResetContent([]byte(`x<b/><p:c/>y`), Limits{}, []Binding{{nil, []byte("d")}, {[]byte("p"), []byte("u")}})
	if got, want := drain(&r), `"x"<d|b></b><u|c></c>"y"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	r.ResetContent([]byte(``), Limits{}, nil)
	if got := drain(&r); got != "" {
		t.Errorf("empty content gives %s", got)
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		in   string
		lim  Limits
		want Cause
	}{
		{strings.Repeat("<a>", 100), Limits{}, LimitDepth},
		{"<a>" + strings.Repeat("<b/>", 100) + "</a>", Limits{Items: 50}, LimitItems},
		{"<a " + manyAttrs(100) + "/>", Limits{Items: 50}, LimitItems},
		{"<a>" + strings.Repeat("x", 100) + "</a>", Limits{Size: 50}, LimitSize},
		{"<a><b c='" + strings.Repeat("x", 100) + "'/></a>", Limits{Size: 50}, LimitSize},
		{"<a " + manyDecls(300) + "/>", Limits{}, LimitItems},
		{"<a>" + strings.Repeat("<b/>", 100) + "</a>", Limits{Items: 101}, 0},
		{strings.Repeat("<a>", 64) + strings.Repeat("</a>", 64), Limits{}, 0},
	} {
		var r Reader
		r.Reset([]byte(c.in), c.lim)
		drain(&r)
		got := Cause(0)
		if r.err != nil {
			got = r.err.Cause
		}
		if got != c.want || got.Limit() != (got != 0) {
			t.Errorf("%.40s: %v, want %v", c.in, r.Err(), c.want)
		}
	}
}

func manyAttrs(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, " a%d='x'", i)
	}
	return s.String()
}

func manyDecls(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, " xmlns:a%d='x'", i)
	}
	return s.String()
}

// Many attributes take another road than few; both must see the duplicate.
func TestDuplicateAmongMany(t *testing.T) {
	for _, n := range []int{2, 11, 12, 13, 40} {
		var r Reader
		r.Reset([]byte("<x"+manyAttrs(n)+" a1='y'/>"), Limits{})
		drain(&r)
		if r.err == nil || r.err.Cause != DuplicateAttr {
			t.Errorf("%d attributes: %v", n, r.Err())
		}
	}
}

// Every cut of a document is an error inside the document, and what stood before it is delivered.
func TestEveryCut(t *testing.T) {
	var whole Reader
	whole.Reset(info, Limits{})
	all := drain(&whole)
	if whole.err != nil {
		t.Fatal(whole.err)
	}
	end := bytes.LastIndexByte(info, '>')
	for n := range end + 1 {
		var r Reader
		r.Reset(info[:n:n], Limits{})
		got := drain(&r)
		if r.err == nil {
			t.Fatalf("cut at %d is accepted", n)
		}
		if r.err.Off > n {
			t.Fatalf("cut at %d: error at %d", n, r.err.Off)
		}
		got, _, _ = strings.Cut(got, " !")
		got = strings.TrimSuffix(got, `"`)
		if !strings.HasPrefix(all, got) {
			t.Fatalf("cut at %d: %s", n, got)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	var r Reader
	run := func() {
		r.Reset(info, Limits{})
		for r.Next() {
		}
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
	}
	run()
	if n := testing.AllocsPerRun(100, run); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// deliberate are the reasons for which this package refuses what encoding/xml accepts. encoding/xml knows documents
// without end, with several roots, with a document type, in any version; it does not look at duplicates of attributes,
// and takes more for a processing instruction or a declaration.
var deliberate = map[Cause]bool{NoRoot: true, Outside: true, Doctype: true, Version: true, BadDecl: true, DuplicateAttr: true,
	Syntax: true, LimitDepth: true, LimitItems: true}

// FuzzAgainstStd reads with this package and with encoding/xml: where both accept, the events are the same; where one
// accepts alone, the reason is one of those listed.
func FuzzAgainstStd(f *testing.F) {
	f.Add(info)
	for _, s := range []string{`<a/>`, `<p:a xmlns:p="u" p:b="1"/>`, "<a>\r\n&amp;<![CDATA[x]]></a>", `<a><!--x--><?y z?></a>`, `<a b='&#65;'>]]</a>`, `<a xmlns="x"><b xmlns=""/></a>`, "<?A \xca?>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var r Reader
		r.Reset(in, Limits{})
		var mine []string
		text := ""
		flush := func() {
			if text != "" {
				mine = append(mine, "T"+text)
				text = ""
			}
		}
		last := 0
		for r.Next() {
			ev := r.Event()
			if ev.Off < last || ev.End < ev.Off || ev.End > len(in) {
				t.Fatalf("event %v at %d to %d after %d", ev.Kind, ev.Off, ev.End, last)
			}
			last = ev.End
			if ev.Exact && !bytes.Equal(ev.Text, in[ev.TextOff:ev.TextEnd]) {
				t.Fatalf("text %q is not at its place", ev.Text)
			}
			switch ev.Kind {
			case Text, CData:
				text += string(ev.Text)
				continue
			}
			flush()
			switch ev.Kind {
			case Start:
				s := fmt.Sprintf("S%s|%s", ev.Space, ev.Local)
				for _, a := range ev.Attrs {
					if a.Exact && !bytes.Equal(a.Value, in[a.ValOff:a.ValEnd]) {
						t.Fatalf("value %q is not at its place", a.Value)
					}
					if !a.Decl {
						s += fmt.Sprintf(" %s=%q", a.Local, a.Value)
					}
				}
				mine = append(mine, s)
			case End:
				mine = append(mine, fmt.Sprintf("E%s|%s", ev.Space, ev.Local))
			case Comment:
				mine = append(mine, "C"+string(ev.Text))
			case PI:
				mine = append(mine, "P"+string(ev.Local)+"|"+string(ev.Text))
			}
		}
		flush()
		if r.err != nil && (r.err.Off < 0 || r.err.Off > len(in)) {
			t.Fatalf("error at %d of %d", r.err.Off, len(in))
		}

		d := xml.NewDecoder(bytes.NewReader(in))
		spaces := strings.NewReplacer("\n", " ", "\t", " ") // encoding/xml leaves white space in values as it is
		var std []string
		var err error
		depth := 0
		var stext string
		sflush := func() {
			if stext != "" {
				std = append(std, "T"+stext)
				stext = ""
			}
		}
		for {
			var tok xml.Token
			tok, err = d.Token()
			if err != nil {
				break
			}
			if cd, ok := tok.(xml.CharData); ok {
				if depth > 0 {
					stext += string(cd)
				}
				continue
			}
			sflush()
			switch v := tok.(type) {
			case xml.StartElement:
				depth++
				s := fmt.Sprintf("S%s|%s", spaces.Replace(v.Name.Space), v.Name.Local)
				for _, a := range v.Attr {
					if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
						continue
					}
					s += fmt.Sprintf(" %s=%q", a.Name.Local, spaces.Replace(a.Value))
				}
				std = append(std, s)
			case xml.EndElement:
				depth--
				std = append(std, fmt.Sprintf("E%s|%s", spaces.Replace(v.Name.Space), v.Name.Local))
			case xml.Comment:
				std = append(std, "C"+string(v))
			case xml.ProcInst:
				if v.Target != "xml" {
					std = append(std, "P"+v.Target+"|"+string(v.Inst))
				}
			}
		}
		sflush()
		stdOK := errors.Is(err, io.EOF)
		switch {
		case r.err == nil && stdOK:
			if r.nsErr != nil || bytes.Contains(in, []byte("&#")) || bytes.Contains(in, []byte("\r")) || bytes.Contains(in, []byte("xml:")) || bytes.Contains(in, []byte("<xmlns")) {
				return // encoding/xml keeps unknown prefixes, makes no difference between "&#9;" and a tab, and has an element xmlns in no name space
			}
			if a, b := strings.Join(mine, "\n"), strings.Join(std, "\n"); a != b {
				t.Fatalf("%q\nmine\n%s\nencoding/xml\n%s", in, a, b)
			}
		case r.err == nil && !stdOK:
			// encoding/xml has the names of an older edition, and takes "xmlns" and colons in another way.
			s := err.Error()
			if r.nsErr != nil || strings.Contains(s, "invalid XML name") || strings.Contains(s, "expected element name") || strings.Contains(s, "expected attribute name") {
				return
			}
			t.Fatalf("%q: accepted, but encoding/xml says %v", in, err)
		case r.err != nil && stdOK:
			// encoding/xml takes any octets in comments and processing instructions.
			loose := r.err.Cause == BadChar && (bytes.Contains(in, []byte("<?")) || bytes.Contains(in, []byte("<!")))
			// encoding/xml sees an encoding only where its quote follows the = at once, and none where it is empty.
			unseen := r.err.Cause == Encoding && (!bytes.Contains(in, []byte(`encoding="`)) && !bytes.Contains(in, []byte("encoding='")) ||
				bytes.Contains(in, []byte(`encoding=""`)) || bytes.Contains(in, []byte("encoding=''")))
			if !deliberate[r.err.Cause] && !loose && !unseen {
				t.Fatalf("%q: %v, but encoding/xml accepts", in, r.err)
			}
		}
	})
}

func BenchmarkInfo(b *testing.B) {
	var r Reader
	b.ReportAllocs()
	b.SetBytes(int64(len(info)))
	for b.Loop() {
		r.Reset(info, Limits{})
		for r.Next() {
		}
		if r.err != nil {
			b.Fatal(r.err)
		}
	}
}
