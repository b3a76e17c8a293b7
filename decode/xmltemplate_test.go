package decode

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/xmlpull"
)

// templateDocs are documents of the shapes that matter for templates.
var templateDocs = []string{
	`<?xml version="1.0" encoding="UTF-8"?><mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token type="Normal"><mcpttString>eyJh.eyJi.c</mcpttString></mcptt-access-token><mcptt-client-id type="Normal"><mcpttString>urn:uuid:1</mcpttString></mcptt-client-id></mcptt-Params></mcpttinfo>`,
	`<e:a xmlns:e="urn:x" e:k='v' l="w"><e:b>one</e:b> <e:c/> <e:b  m = "n" >two</e:b ></e:a>`,
	`<a><!-- a note --><b>text<!-- in text --></b><?pi data?><c><![CDATA[raw]]></c></a>`,
	`<a>before<b>in</b>behind</a>`,
	`<a>t&amp;u<b v="&lt;">x</b></a>`,
	`<a>  <b>  padded  </b>  </a>`,
	"<a>\r\n<b>one\r\ntwo</b>\r\n</a>",
	`<a><b></b><c x=""></c><d>]</d></a>`,
	`<a xml:lang="en" xmlns:p="urn:p"><p:b p:x="1" x="1">v</p:b></a>`,
	`<a><b>v</b></a> `,
	`<a>only text</a>`,
	`<a q='"'>v</a>`,
	"<a>\xc3\xa9<b>\xc3\xa9</b></a>",
}

// sameDoc tells where two readings of the same octets differ.
func sameDoc(a, b *xmlDoc) error {
	if !reflect.DeepEqual(a.err, b.err) || !reflect.DeepEqual(a.nsErr, b.nsErr) {
		return fmt.Errorf("errors %v, %v and %v, %v", a.err, a.nsErr, b.err, b.nsErr)
	}
	if len(a.nodes) != len(b.nodes) || len(a.attrs) != len(b.attrs) {
		return fmt.Errorf("%d and %d elements, %d and %d attributes", len(a.nodes), len(b.nodes), len(a.attrs), len(b.attrs))
	}
	for i := range a.nodes {
		x, y, n := a.nodes[i], b.nodes[i], int32(i)
		if !bytes.Equal(x.space, y.space) || !bytes.Equal(x.local, y.local) || !bytes.Equal(a.raw(n), b.raw(n)) {
			return fmt.Errorf("element %d: %q %q %q and %q %q %q", i, x.space, x.local, a.raw(n), y.space, y.local, b.raw(n))
		}
		x.space, x.local, y.space, y.local = nil, nil, nil, nil
		if !reflect.DeepEqual(x, y) {
			return fmt.Errorf("element %d: %+v and %+v", i, x, y)
		}
		for what := range xmlPlaces {
			if p, q := a.pos(n, what), b.pos(n, what); p != q {
				return fmt.Errorf("element %d: place %d is %d and %d", i, what, p, q)
			}
		}
	}
	for i := range a.attrs {
		x, y := fmt.Sprintf("%+v %+v", a.attrs[i], a.attrAt(int32(i))), fmt.Sprintf("%+v %+v", b.attrs[i], b.attrAt(int32(i)))
		if x != y {
			return fmt.Errorf("attribute %d: %s and %s", i, x, y)
		}
	}
	return nil
}

// checkTemplate reads a document with the templates at hand and without, and compares. It tells whether one was used.
func checkTemplate(t *testing.T, c *Context, doc []byte) bool {
	t.Helper()
	slow := &xmlDoc{p: &Part{Data: doc}}
	slow.read(c, nil, false)
	fast := &xmlDoc{p: slow.p, err: &xmlpull.Error{}}
	if !c.xml.read(c, fast) {
		c.xml.learn(c, slow)
		return false
	}
	if err := sameDoc(slow, fast); err != nil {
		t.Fatalf("%q: %v", doc, err)
	}
	return true
}

func templateContext() *Context {
	opt := Options{}
	opt.Limits = opt.Limits.withDefaults()
	return &Context{opt: &opt, xml: new(xmlTemplates)}
}

// A document that is read by a template of another one has the tree that it would have had without.
func TestXMLTemplate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	values := []string{"", " ", "x", "longer than before", "\n", " a ", "]", "]]>", "&amp;", "<", "\"", "'", "\xc3\xa9", "\x00", "\r\n", "a\tb", strings.Repeat("A", 300)}
	hits, tries := 0, 0
	for range 400 {
		c := templateContext()
		doc := templateDocs[rnd.IntN(len(templateDocs))]
		checkTemplate(t, c, []byte(doc))
		for range 20 {
			// Another value between ">" and "<", or between quotes; now and then anywhere.
			b := []byte(doc)
			for range 1 + rnd.IntN(3) {
				var at []int
				for i := range b {
					if i > 0 && (b[i-1] == '>' || b[i-1] == '"' || b[i-1] == '\'' || rnd.IntN(60) == 0) {
						at = append(at, i)
					}
				}
				if len(at) == 0 {
					continue
				}
				from := at[rnd.IntN(len(at))]
				to := from
				for to < len(b) && b[to] != '<' && b[to] != '"' && b[to] != '\'' {
					to++
				}
				b = append(append(append([]byte(nil), b[:from]...), values[rnd.IntN(len(values))]...), b[to:]...)
			}
			tries++
			if checkTemplate(t, c, b) {
				hits++
			}
		}
	}
	if hits < tries/20 {
		t.Errorf("%d of %d documents were read by templates", hits, tries)
	}
}

// Traffic of ever new markup is not read twice for long, and templates do not pile up.
func TestXMLTemplateFund(t *testing.T) {
	c := templateContext()
	for i := range 1000 {
		checkTemplate(t, c, fmt.Appendf(nil, "<a%d><b>v</b></a%d>", i, i))
	}
	if n := c.xml.clock; n > 50 || len(c.xml.list) > maxTemplates {
		t.Errorf("%d templates were made, %d are kept", n, len(c.xml.list))
	}
	hits := 0
	for i := range 100 {
		if checkTemplate(t, c, fmt.Appendf(nil, "<again><b>%d</b></again>", i)) {
			hits++
		}
	}
	if hits < 50 {
		t.Errorf("only %d of 100 equal documents were read by a template", hits)
	}
}

func FuzzXMLTemplate(f *testing.F) {
	for i, d := range templateDocs {
		f.Add([]byte(d), []byte(strings.NewReplacer(">v<", ">w w<", "one", "2", `"w"`, `"longer"`).Replace(d)))
		f.Add([]byte(d), []byte(templateDocs[(i+1)%len(templateDocs)]))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		c := templateContext()
		checkTemplate(t, c, first)
		checkTemplate(t, c, first)
		checkTemplate(t, c, second)
		checkTemplate(t, c, second)
	})
}

func BenchmarkXML(b *testing.B) {
	doc := []byte(templateDocs[0])
	for _, name := range []string{"template", "reader"} {
		b.Run(name, func(b *testing.B) {
			c := templateContext()
			if name == "reader" {
				c.xml = nil
			}
			p := &Part{Data: doc}
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				c.readXML(p).free()
			}
		})
	}
}
