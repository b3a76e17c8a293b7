package xmlsec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

const sealedName = `<mcptt-calling-user-id type="Encrypted"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Content"><xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:KeyName>Krze8A==</ds:KeyName></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>AAECAwQFBgcICQoLrB8OcRLEIoiWXWvl0hokw/6GVBAKpYDPPNG5Ads/UgtGAQeJeeZtYbzL6uZBEIkWYsC91YgbR0M=</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></mcptt-calling-user-id>`

const benchXML = `<?xml version="1.0" encoding="UTF-8"?>` + "\r\n" + `<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<mcptt-Params><session-type>prearranged</session-type><mcptt-request-uri type="Normal"><mcpttURI>sip:group1@example.org</mcpttURI></mcptt-request-uri>` + sealedName + `<emergency-ind type="Normal"><mcpttBoolean>false</mcpttBoolean></emergency-ind></mcptt-Params>
</mcpttinfo>`

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		in   string
		off  int
		kind error
	}{
		{"", 0, ErrSyntax},
		{"   ", 3, ErrSyntax},
		{"garbage", 0, ErrSyntax},
		{"\ufeffgarbage", 3, ErrSyntax},
		{"<!-- only a comment -->", 23, ErrSyntax},
		{"<a/><b/>", 4, ErrSyntax},
		{"<a/>x", 4, ErrSyntax},
		{"<a/><![CDATA[]]>", 4, ErrSyntax},
		{"<a", 2, ErrSyntax},
		{"<", 0, ErrSyntax},
		{"<a>", 3, ErrSyntax},
		{"<a></b>", 3, ErrSyntax},
		{"<a></ab>", 3, ErrSyntax},
		{"<a></a", 6, ErrSyntax},
		{"</a>", 0, ErrSyntax},
		{"<a></a></a>", 7, ErrSyntax},
		{"<1a/>", 1, ErrSyntax},
		{"<a 1='2'/>", 3, ErrSyntax},
		{"<a b/>", 4, ErrSyntax},
		{"<a b=c/>", 5, ErrSyntax},
		{"<a b='c/>", 5, ErrSyntax},
		{"<a b='<'/>", 6, ErrSyntax},
		{"<a b='1'c='2'/>", 8, ErrSyntax},
		{"<a b='1' b='2'/>", 9, ErrSyntax},
		{"<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", 35, ErrSyntax},
		{"<a /x>", 3, ErrSyntax},
		{"<p:a/>", 1, ErrNamespace},
		{"<a p:b='1'/>", 3, ErrNamespace},
		{"<a xmlns:p=''/>", 3, ErrNamespace},
		{"<a xmlns:xml='urn:x'/>", 3, ErrNamespace},
		{"<a xmlns:xmlns='urn:x'/>", 3, ErrNamespace},
		{"<a xmlns='http://www.w3.org/XML/1998/namespace'/>", 3, ErrNamespace},
		{"<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", 3, ErrNamespace},
		{"<xmlns:a/>", 1, ErrNamespace},
		{"<:a/>", 1, ErrNamespace},
		{"<a:/>", 1, ErrNamespace},
		{"<a:b:c/>", 1, ErrNamespace},
		{"<a:1 xmlns:a='u'/>", 1, ErrNamespace},
		{"<a><b xmlns:p='u'/><p:c/></a>", 20, ErrNamespace},
		{"<?p:q?><a/>", 2, ErrNamespace},
		{"<!DOCTYPE a><a/>", 0, ErrDTD},
		{"<a>&foo;</a>", 3, ErrEntity},
		{"<a b='&foo;'/>", 6, ErrEntity},
		{"<a>&</a>", 3, ErrSyntax},
		{"<a>& b</a>", 3, ErrSyntax},
		{"<a>&amp</a>", 3, ErrSyntax},
		{"<a>&#;</a>", 3, ErrSyntax},
		{"<a>&#x;</a>", 3, ErrSyntax},
		{"<a>&#X41;</a>", 3, ErrSyntax},
		{"<a>&#0;</a>", 3, ErrSyntax},
		{"<a>&#xD800;</a>", 3, ErrSyntax},
		{"<a>&#xFFFE;</a>", 3, ErrSyntax},
		{"<a>&#x110000;</a>", 3, ErrSyntax},
		{"<a>&#x100000000000041;</a>", 3, ErrSyntax},
		{"<a>]]></a>", 3, ErrSyntax},
		{"<a><!-- -- --></a>", 8, ErrSyntax},
		{"<a><!-- --->", 8, ErrSyntax},
		{"<a><!--", 3, ErrSyntax},
		{"<a><![CDATA[", 3, ErrSyntax},
		{"<a><!ELEMENT b>", 3, ErrSyntax},
		{"<a><?xml version='1.0'?></a>", 3, ErrSyntax},
		{" <?xml version='1.0'?><a/>", 1, ErrSyntax},
		{"<a><?XML ?></a>", 3, ErrSyntax},
		{"<a><?p", 3, ErrSyntax},
		{"<a><?p/?></a>", 6, ErrSyntax},
		{"<?xml?><a/>", 0, ErrSyntax},
		{"<?xml version='1.1'?><a/>", 6, ErrSyntax},
		{"<?xml encoding='UTF-8'?><a/>", 6, ErrSyntax},
		{"<?xml version='1.0' encoding='ISO-8859-1'?><a/>", 20, ErrEncoding},
		{"<?xml version='1.0' standalone='maybe'?><a/>", 20, ErrSyntax},
		{"<?xml version='1.0'encoding='UTF-8'?><a/>", 19, ErrSyntax},
		{"<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>", 37, ErrSyntax},
		{"<?xml version='1.0'", 0, ErrSyntax},
		{"<a>\xff</a>", 3, ErrEncoding},
		{"<a>\xc0\x80</a>", 3, ErrEncoding},
		{"<a>\xed\xa0\x80</a>", 3, ErrEncoding},
		{"\xfe\xff\x00<\x00a", 0, ErrEncoding},
		{"<a>\x00</a>", 3, ErrSyntax},
		{"<a><!-- \x00 --></a>", 8, ErrSyntax},
		{"<a b=' \xff '/>", 7, ErrEncoding},
		{"<a b=c \xff", 5, ErrSyntax},
		{"<a></a \xff>", 7, ErrEncoding},
		{"<a>\x1b</a>", 3, ErrSyntax},
		{"<a>\ufffe</a>", 3, ErrSyntax},
		{"<\u00d7/>", 1, ErrSyntax},
		{"<a \u0300='1'/>", 3, ErrSyntax},
	} {
		d, err := Parse([]byte(c.in), Limits{})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("Parse(%q) = %v", c.in, err)
			continue
		}
		if e.Off != c.off || !errors.Is(err, c.kind) {
			t.Errorf("Parse(%q): %v (kind %v), want octet %d, kind %v", c.in, err, e.Err, c.off, c.kind)
		}
		if d == nil || !d.Partial {
			t.Errorf("Parse(%q): document not partial", c.in)
		}
	}
}

func TestParseAccepts(t *testing.T) {
	for _, in := range []string{
		"<a/>", "\ufeff<?xml version=\"1.0\"?><a/>", "<?xml version = '1.0' encoding = \"utf-8\" standalone='no' ?><a/>\n",
		"<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='x'/>", "<xml:a/>", "<\u00e9\u0300.-1/>", "<_/>", "<\U00010000/>",
		"<a xmlns=''/>", "<a\n>\r</a\t>", "<?xml-model x?><a/>", "<a b='>'/>", "<a b=\"]]>\"/>", "<!-- - --><a/>", "<a p:b='1' b='2' xmlns:p='u'/>",
		"<a>&lt;&gt;&amp;&quot;&apos;&#x10FFFF;&#9;</a>", "<a><!----></a>", "<a><?p?></a>",
	} {
		if _, err := Parse([]byte(in), Limits{}); err != nil {
			t.Errorf("Parse(%q): %v", in, err)
		}
	}
}

// What was read before a defect stays, and the place of each element is right.
func TestSpans(t *testing.T) {
	const in = "\ufeff<a x='1' p:y=\"2&amp;\" xmlns:p='u'>t<p:b/><c>é</c></a>"
	d := mustParse(t, in)
	at := func(s Span) string { return in[s.Start:s.End] }
	for path, want := range map[string][2]string{"/a": {in[3:], "t<p:b/><c>é</c>"}, "/a/p:b": {"<p:b/>", ""}, "/a/c": {"<c>é</c>", "é"}} {
		el := d.Tree.FindElement(path)
		s, ok := d.Span(el)
		c, ok2 := d.ContentSpan(el)
		if !ok || !ok2 || at(s) != want[0] || at(c) != want[1] {
			t.Errorf("%s: %q, %q", path, at(s), at(c))
		}
	}
	root := d.Root()
	for i, want := range []string{"1", "2&amp;", "u"} {
		if s, ok := d.AttrSpan(root, i); !ok || at(s) != want {
			t.Errorf("attribute %d: %q", i, at(s))
		}
	}
	if d.AttrNamespace(root, 0) != "" || d.AttrNamespace(root, 1) != "u" || d.AttrNamespace(root, 2) != xmlnsNS || d.AttrNamespace(root, 3) != "" {
		t.Error("attribute namespaces")
	}
	if root.Attr[1].NamespaceURI() != "u" || root.Attr[2].Element() != root {
		t.Error("etree does not know the attribute's element")
	}
	if _, ok := d.Span(etree.NewElement("a")); ok {
		t.Error("a stranger has a span")
	}
	if _, ok := d.AttrSpan(root, 3); ok {
		t.Error("an absent attribute has a span")
	}

	for n := range in {
		d, err := Parse([]byte(in[:n]), Limits{})
		if err == nil {
			t.Errorf("cut at %d is accepted", n)
		}
		for el, i := range d.info {
			if i.span.Start < 0 || i.span.End > n || i.content.Start < i.span.Start || i.content.End > i.span.End || i.content.Start > i.content.End {
				t.Errorf("cut at %d: %s has %v", n, el.FullTag(), *i)
			}
		}
	}
	d, err := Parse([]byte("<a><b>x</b><c>y"), Limits{})
	if err == nil || d.Root() == nil || Text(d.Tree.FindElement("/a/b")) != "x" || d.Tree.FindElement("/a/c") == nil || !d.Partial {
		t.Errorf("partial tree lost: %v", err)
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		lim  Limits
		in   string
		ok   bool
	}{
		{"bytes", Limits{Bytes: 4}, "<a/>", true},
		{"bytes", Limits{Bytes: 3}, "<a/>", false},
		{"depth", Limits{Depth: 2}, "<a><b/></a>", true},
		{"depth", Limits{Depth: 1}, "<a><b/></a>", false},
		{"elements", Limits{Elements: 2}, "<a><b/></a>", true},
		{"elements", Limits{Elements: 1}, "<a><b/></a>", false},
		{"nodes", Limits{Nodes: 3}, "<a>x<!----></a>", true},
		{"nodes", Limits{Nodes: 2}, "<a>x<!----></a>", false},
		{"nodes", Limits{Nodes: 2}, "<a>x<![CDATA[]]></a>", false},
		{"nodes", Limits{Nodes: 2}, "<?p?><?p?><a/>", false},
		{"attributes", Limits{Attributes: 2}, "<a b='' c=''/>", true},
		{"attributes", Limits{Attributes: 1}, "<a b='' c=''/>", false},
		{"all attributes", Limits{AllAttributes: 1}, "<a b=''><c d=''/></a>", false},
		{"name", Limits{Name: 3}, "<abc/>", true},
		{"name", Limits{Name: 2}, "<abc/>", false},
	} {
		_, err := Parse([]byte(c.in), c.lim)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrLimit) {
			t.Errorf("%s %q: %v", c.name, c.in, err)
		}
	}
	if _, err := Parse([]byte("<a/>"), Limits{Depth: -1}); err == nil {
		t.Error("a negative limit is accepted")
	}
	if _, err := ParseFragment([]byte("<a/>"), Context{}, Limits{Depth: -1}); err == nil {
		t.Error("a negative limit is accepted")
	}
}

// Inputs built to cost much end soon.
func TestHostile(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString(`<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">`)
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&laughs, `<!ENTITY lol%d "%s">`, i, strings.Repeat(fmt.Sprintf("&lol%d;", i-1), 10))
	}
	laughs.WriteString("]><lolz>&lol9;</lolz>")
	var attrs, prefixes, declared strings.Builder
	for i := range 100000 {
		fmt.Fprintf(&attrs, " a%d=''", i)
		fmt.Fprintf(&prefixes, " xmlns:p%d='u%d'", i, i)
	}
	for i := range DefaultAttributes - 1 {
		fmt.Fprintf(&declared, " xmlns:p%d='u%d'", i, i)
	}
	var nested strings.Builder
	for range DefaultDepth - 1 {
		nested.WriteString("<a" + declared.String() + ">")
	}
	for range 50000 {
		nested.WriteString("<p0:b/>")
	}
	for range DefaultDepth - 1 {
		nested.WriteString("</a>")
	}
	for name, c := range map[string]struct {
		in   string
		kind error
	}{
		"billion laughs":            {laughs.String(), ErrDTD},
		"external entity":           {`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, ErrDTD},
		"depth":                     {strings.Repeat("<a>", 1<<20), ErrLimit},
		"100000 attributes":         {"<a" + attrs.String() + "/>", ErrLimit},
		"100000 declarations":       {"<a" + prefixes.String() + "/>", ErrLimit},
		"many elements":             {"<a>" + strings.Repeat("<b/>", 1<<20) + "</a>", ErrLimit},
		"many comments":             {"<a>" + strings.Repeat("<!---->", 1<<20) + "</a>", ErrLimit},
		"9 MiB":                     {"<a>" + strings.Repeat("x", 9<<20) + "</a>", ErrLimit},
		"long name":                 {"<" + strings.Repeat("a", 1<<20) + "/>", ErrLimit},
		"long entity name":          {"<a>&" + strings.Repeat("a", 1<<20) + ";</a>", ErrSyntax},
		"unclosed comments":         {"<a>" + strings.Repeat("<!-- ", 1<<20) + "</a>", ErrSyntax},
		"ampersands":                {"<a>" + strings.Repeat("&amp;", 1<<20) + "</a>", nil},
		"carriage returns":          {"<a>" + strings.Repeat("\r", 1<<20) + "</a>", nil},
		"deep scopes, many lookups": {nested.String(), nil},
	} {
		d, err := Parse([]byte(c.in), Limits{})
		if !errors.Is(err, c.kind) || c.kind == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
		}
		allForms(d)
	}
}

// allForms writes a document, and its last child, in every canonical form.
func allForms(d *Doc) {
	for _, m := range c14nURIs {
		m.m.Document(d.Tree)
		if d.Root() != nil {
			if ch := d.Root().ChildElements(); len(ch) > 0 {
				m.m.Element(ch[len(ch)-1])
			}
		}
	}
}

// TestParseLinear holds reading and the canonical forms to linear work.
func TestParseLinear(t *testing.T) {
	var loads []testkit.Load
	for _, x := range []struct{ name, head, unit, tail string }{
		{"depth", "", "<a>", ""},
		{"attributes", "<a", " a%d=''", "/>"},
		{"declarations", "<a", " xmlns:p%d='u%d'", "/>"},
		{"elements", "<a>", "<b/>", "</a>"},
		{"elements with attributes of a name space", "<a xmlns:p='u'>", "<p:b p:c='1' d='2'/>", "</a>"},
		{"elements that declare", "<a>", "<p:b xmlns:p='u%d'/>", "</a>"},
		{"comments", "<a>", "<!---->", "</a>"},
		{"text", "<a>", "x", "</a>"},
		{"comments without an end", "<a>", "<!-- ", "</a>"},
		{"ampersands", "<a>", "&amp;", "</a>"},
		{"carriage returns", "<a>", "\r", "</a>"},
	} {
		loads = append(loads, testkit.Load{Name: x.name, Size: 20_000, Do: func(n int) {
			b := []byte(x.head)
			for i := 0; len(b) < n; i++ {
				b = append(b, strings.ReplaceAll(x.unit, "%d", strconv.Itoa(i))...)
			}
			big := Limits{Depth: 1 << 20, Attributes: 1 << 20}
			if d, _ := Parse(append(b, x.tail...), big); d != nil {
				allForms(d)
			}
		}})
	}
	testkit.Linear(t, loads)
}

func TestParseFragment(t *testing.T) {
	d := mustParse(t, `<m:info xmlns:m="urn:m" xmlns="urn:d" xmlns:q="urn:q"><m:id type="Encrypted" xmlns:q="urn:q2" m:x="1"/></m:info>`)
	ctx := ContextOf(d.Root().ChildElements()[0])
	if ctx.Tag != "m:id" || len(ctx.Namespaces) != 3 || ctx.Namespaces["q"] != "urn:q2" || ctx.Namespaces[""] != "urn:d" {
		t.Fatalf("context %v", ctx)
	}
	for _, c := range []struct{ in, text, first, ns string }{
		{"sip:bob@example.org", "sip:bob@example.org", "", ""},
		{"", "", "", ""},
		{"<mcpttURI>sip:bob@example.org</mcpttURI>", "", "mcpttURI", "urn:d"},
		{"<m:a/><q:b/>tail&lt;", "tail<", "a", "urn:m"},
		{" <q:b xmlns:q='urn:q3'/>", " ", "b", "urn:q3"},
		{"\ufeff<?xml version='1.0'?><b/>", "", "b", "urn:d"},
		{"<!-- c --><b/>", "", "b", "urn:d"},
		{"<![CDATA[<x>]]>", "<x>", "", ""},
	} {
		f, err := ParseFragment([]byte(c.in), ctx, Limits{})
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		root := f.Root()
		if !Is(root, "urn:m", "id") || f.Namespace(root) != "urn:m" || Text(root) != c.text {
			t.Errorf("%q: root %s, text %q", c.in, root.FullTag(), Text(root))
		}
		if s, ok := f.ContentSpan(root); !ok || s != (Span{0, len(c.in)}) {
			t.Errorf("%q: content %v", c.in, s)
		}
		ch := root.ChildElements()
		if c.first == "" {
			if len(ch) != 0 {
				t.Errorf("%q: children", c.in)
			}
			continue
		}
		if len(ch) == 0 || ch[0].Tag != c.first || f.Namespace(ch[0]) != c.ns || Namespace(ch[0]) != c.ns {
			t.Errorf("%q: first child wrong", c.in)
		}
	}
	for in, off := range map[string]int{"<a>": 3, "</m:id>": 0, "<z:a/>": 1, "a]]>b": 1, "<!DOCTYPE a>": 0, "x\x00": 1} {
		var e *Error
		if _, err := ParseFragment([]byte(in), ctx, Limits{}); !errors.As(err, &e) || e.Off != off {
			t.Errorf("%q: %v", in, err)
		}
	}
	// A context that cannot be declared as it is given must not stop anything.
	odd := Context{Tag: "zz:t", Namespaces: map[string]string{"xml": "u", "xmlns": "u", "p": "", "": ""}}
	if f, err := ParseFragment([]byte("<a/>"), odd, Limits{}); err != nil || f.Root().FullTag() != "t" || len(f.Root().Attr) != 0 {
		t.Errorf("odd context: %v", err)
	}
	if f, err := ParseFragment(nil, Context{}, Limits{}); err != nil || f.Root().Tag != "fragment" {
		t.Errorf("empty context: %v", err)
	}
}

// A comment inside a value must not hide the rest of it.
func TestText(t *testing.T) {
	d := mustParse(t, "<a>sip:admin<!-- -->@evil<b>no</b>.example<?p?><![CDATA[&]]></a>")
	if got := Text(d.Root()); got != "sip:admin@evil.example&" {
		t.Errorf("%q", got)
	}
}

// Error texts hold no octets of the input, which may be decrypted text.
func TestErrorsKeepSilent(t *testing.T) {
	for _, in := range []string{"<s3cret>", "<a></s3cret>", "<a>&s3cret;</a>", "<a s3cret/>", "<s3cret:a/>", "s3cret", "<a b='s3cret'b='s3cret'/>"} {
		if _, err := Parse([]byte(in), Limits{}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range c14nExamples {
		f.Add([]byte(c.in))
	}
	f.Add([]byte(benchXML))
	f.Add([]byte(`<?xml version="1.0"?><!DOCTYPE a><a>&b;</a>`))
	f.Add([]byte("<\u023d x='t;'/>")) // a name of the fifth edition
	f.Fuzz(func(t *testing.T, b []byte) {
		in := string(b)
		d, err := Parse(b, Limits{})
		if string(b) != in {
			t.Fatal("input changed")
		}
		var e *Error
		switch {
		case err == nil:
			if d.Root() == nil || d.Partial {
				t.Fatal("accepted without a root")
			}
			// Whatever is accepted here, etree's own reader accepts too, with the same tree.
			ref := etree.NewDocument()
			ref.ReadSettings.MaxDepth = 1 << 20
			rerr := ref.ReadFromBytes([]byte(strings.TrimPrefix(in, "\ufeff")))
			if rerr != nil && newerName(rerr) {
				return
			}
			if rerr != nil {
				t.Fatalf("etree refuses %q: %v", in, rerr)
			}
			same(t, d.Root(), ref.Root())
		case !errors.As(err, &e):
			t.Fatalf("error without a place: %v", err)
		case e.Off < 0 || e.Off > len(b):
			t.Fatalf("offset %d of %d", e.Off, len(b))
		case !d.Partial:
			t.Fatal("not partial")
		}
		for el, i := range d.info {
			if i.span.Start > i.content.Start || i.content.Start > i.content.End || i.content.End > i.span.End || i.span.End > len(b) {
				t.Fatalf("%s has %v", el.Tag, *i)
			}
			if i.ns != Namespace(el) {
				t.Fatalf("%s: namespace %q, etree %q", el.FullTag(), i.ns, Namespace(el))
			}
		}
		ParseFragment(b, Context{Tag: "a", Namespaces: map[string]string{"": "u"}}, Limits{})
	})
}

// newerName tells whether etree complains of a name that only the fifth edition of XML 1.0 allows: encoding/xml has the
// characters of an older one.
func newerName(err error) bool {
	_, name, ok := strings.Cut(err.Error(), "invalid XML name: ")
	for i, r := range name {
		if !isNameRune(r, i == 0) {
			return false
		}
	}
	return ok && name != "" && strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 })
}

// same compares names, structure and text; attribute values differ where etree
// does not normalise white space.
func same(t *testing.T, a, b *etree.Element) {
	if b == nil || a.Space != b.Space || a.Tag != b.Tag || len(a.Attr) != len(b.Attr) {
		t.Fatalf("element %s", a.FullTag())
	}
	for i := range a.Attr {
		if a.Attr[i].Space != b.Attr[i].Space || a.Attr[i].Key != b.Attr[i].Key {
			t.Fatalf("attribute %s", a.Attr[i].FullKey())
		}
	}
	if Text(a) != Text(b) {
		t.Fatalf("text %q, %q", Text(a), Text(b))
	}
	ca, cb := a.ChildElements(), b.ChildElements()
	if len(ca) != len(cb) {
		t.Fatalf("children of %s", a.FullTag())
	}
	for i := range ca {
		same(t, ca[i], cb[i])
	}
}

func BenchmarkParse(b *testing.B) {
	in := []byte(benchXML)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := Parse(in, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// What etree's own reader takes, for comparison.
func BenchmarkEtreeReader(b *testing.B) {
	in := []byte(benchXML)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if err := etree.NewDocument().ReadFromBytes(in); err != nil {
			b.Fatal(err)
		}
	}
}

func TestManyAttributes(t *testing.T) {
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, " a%d='%d'", i, i)
	}
	d := mustParse(t, "<r"+b.String()+"/>")
	if len(d.Root().Attr) != 20 || d.Root().SelectAttrValue("a19", "") != "19" {
		t.Error("attributes lost")
	}
	var e *Error
	if _, err := Parse([]byte("<r"+b.String()+" a7=''/>"), Limits{}); !errors.As(err, &e) || e.Off != 2+b.Len()+1 {
		t.Errorf("%v", err)
	}
}

// Helpers on trees that Parse did not make.
func TestHandMadeTree(t *testing.T) {
	d := mustParse(t, "<a/>")
	el := etree.NewElement("p:x")
	el.CreateAttr("xmlns:p", "urn:p")
	el.CreateAttr("p:y", "1")
	el.CreateAttr("xml:lang", "en")
	el.CreateAttr("z", "2")
	el.CreateElement("xml:odd")
	for i, want := range []string{xmlnsNS, "urn:p", xmlNS, ""} {
		if got := d.AttrNamespace(el, i); got != want {
			t.Errorf("attribute %d: %q", i, got)
		}
	}
	if d.Namespace(el) != "urn:p" || !Is(el.ChildElements()[0], xmlNS, "odd") || Child(nil, "", "a") != nil || Children(nil, "", "a") != nil {
		t.Error("namespaces")
	}
	if _, ok := d.ContentSpan(el); ok {
		t.Error("a stranger has a span")
	}
	if got := d.Find(d.Root(), "", "a", 0); len(got) != 1 || d.Find(nil, "", "a", 0) != nil {
		t.Error("Find")
	}
}
