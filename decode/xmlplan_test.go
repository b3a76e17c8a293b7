package decode

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// planDocs are documents of the bodies that may have plans, and whether they have one: there is none where a value is
// shown that nothing asks for, where something is found, and where the octets of other bodies count.
var planDocs = []struct {
	typ, doc string
	planned  bool
}{
	{typMCPTT, registerSealed, true},
	{typMCPTT, migrateSealed, true},
	{typMCPTT, registerClear, false},
	{typMCPTT, migrateClear, false},
	{typMCPTT, mcptt(`<mcptt-client-id type="Encrypted">` + encrypted(kat) + `</mcptt-client-id><later>x</later>`), false},
	{typMCPTT, mcptt(`<emergency-ind type="Normal"><mcpttBoolean>true</mcpttBoolean></emergency-ind>`), false},
	{"application/poc-settings+xml", poc(`<isb-settings><incoming-session-barring active="false"/></isb-settings><am-settings><answer-mode>automatic</answer-mode></am-settings><mcs10Set:selected-user-profile-index><mcs10Set:user-profile-index>1</mcs10Set:user-profile-index></mcs10Set:selected-user-profile-index>`), true},
	{typSigned, signedDoc, true},
	{typSigned, strings.Replace(signedDoc, `</ds:SignedInfo>`, `<ds:Reference URI="x"><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></ds:SignedInfo>`, 1), true},
	{typSigned, strings.Replace(signedDoc, `<ds:DigestMethod`, `<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/></ds:Transforms><ds:DigestMethod`, 1), false},
}

// planWants are the views that leave room for plans: nothing but words, and the marks of what is protected.
var planWants = sync.OnceValue(func() []record.Want {
	var marks record.Want
	for _, f := range record.Fields() {
		if f.Kind == record.Protected {
			marks.Add(f)
		}
	}
	return []record.Want{{}, marks}
})

// dissected is what a body comes to in the middle of a message, by templates or without any.
func dissected(x *xmlTemplates, typ string, doc []byte, want record.Want, siblings []Part) (*record.Record, *Context) {
	opt := &Options{Want: want}
	opt.Limits = opt.Limits.withDefaults()
	const before = "in front"
	data := append([]byte(before), doc...)
	r := &record.Record{Sources: []record.Source{{Data: data, Parent: -1}}, Prots: make([]record.Protection, 2)}
	c := &Context{B: &record.Builder{R: r, Want: want}, Time: noon, opt: opt, msg: &message{parts: siblings}, xml: x}
	c.B.Open(fBodies, record.Place{})
	p := &Part{Path: "1.2", Type: typ, Data: data[len(before):], Off: len(before)}
	if x != nil {
		x.dissect(c, bodyByType(typ), p)
	} else {
		bodyByType(typ).Dissect(c, p)
	}
	c.B.Close()
	return r, c
}

// checkPlan compares both.
func checkPlan(t *testing.T, x *xmlTemplates, typ string, doc []byte, want record.Want, siblings []Part) {
	t.Helper()
	slow, sc := dissected(nil, typ, doc, want, siblings)
	fast, fc := dissected(x, typ, doc, want, siblings)
	if !slices.Equal(slow.Nodes, fast.Nodes) || !slices.Equal(slow.Prots, fast.Prots) || !reflect.DeepEqual(slow.Findings, fast.Findings) ||
		!slices.Equal(sc.words, fc.words) || sc.mcx != fc.mcx || sc.B.Dropped != fc.B.Dropped {
		slow.Sources, fast.Sources = nil, nil
		t.Fatalf("%s %q\nwithout a plan %q %+v\nwith one       %q %+v", typ, doc, sc.words, slow, fc.words, fast)
	}
}

func planSiblings(id string) []Part {
	return []Part{{Path: "1", Type: "application/sdp", ContentID: "x"}, {Path: "2", Type: typMCPTT, ContentID: id, Data: []byte(signedPart)}}
}

// withValues is a document with other values, in order; an empty one stays what it is.
func withValues(doc []byte, values []string) []byte {
	t := newTemplate(templateContext(), doc)
	if t == nil || len(values) == 0 {
		return doc
	}
	var b []byte
	from := 0
	for i, s := range t.slots {
		if v := values[i%len(values)]; v != "" {
			b = append(append(b, doc[from:s.off]...), v...)
			from = s.end
		}
	}
	return append(b, doc[from:]...)
}

// Documents that differ in what they always differ in are told by a plan: key, cipher text, reference, digest.
func TestXMLPlan(t *testing.T) {
	for k, want := range planWants() {
		for i, d := range planDocs {
			x := new(xmlTemplates)
			checkPlan(t, x, d.typ, []byte(d.doc), want, planSiblings("b1@example.org"))
			doc := strings.NewReplacer("Krze8A==", "KzSrZQ==", kat, kat[8:], "urn:uuid:1", "urn:uuid:22", "PJSa", "PJSb", "cid:b1@", "cid:other@").Replace(d.doc)
			checkPlan(t, x, d.typ, []byte(doc), want, planSiblings("other@example.org"))
			if planned := x.list[0].plan != nil && x.list[0].misfits == 0; k == 1 && planned != d.planned {
				t.Errorf("document %d: plan %v", i, planned)
			}
		}
	}
}

// Values of every kind, in all places.
func TestXMLPlanValues(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	values := []string{"", "", "", "", "Krze8A==", "MTIzNA==", " Krze8A== ", "Krze8A", "====", kat, "AAAA", "A", "!", "Normal", "Encrypted", "true", "2", "automatic", "manual-answer",
		"cid:b1@example.org", "cid:x", "x", "http://www.w3.org/2001/04/xmlenc#Content", "http://www.w3.org/2009/xmlenc11#aes128-gcm", strings.Repeat("QUJD", 9), "\xc3\xa9"}
	told := 0
	for range 2000 {
		d := planDocs[rnd.IntN(len(planDocs))]
		want := planWants()[rnd.IntN(2)]
		x := new(xmlTemplates)
		ids := []string{"b1@example.org", "b2@example.org"}
		checkPlan(t, x, d.typ, []byte(d.doc), want, planSiblings(ids[rnd.IntN(2)]))
		for range 6 {
			own := make([]string, 1+rnd.IntN(20))
			for i := range own {
				if rnd.IntN(4) == 0 {
					own[i] = values[rnd.IntN(len(values))]
				}
			}
			before := 0
			if len(x.list) > 0 {
				before = x.list[0].misfits
			}
			checkPlan(t, x, d.typ, withValues([]byte(d.doc), own), want, planSiblings(ids[rnd.IntN(2)]))
			if len(x.list) == 1 && x.list[0].plan != nil && x.list[0].misfits == before {
				told++
			}
		}
	}
	if told < 1000 {
		t.Errorf("only %d documents were told by plans", told)
	}
}

// A template whose plan fits nothing that follows makes room for another one, at ever greater distance.
func TestXMLPlanMisfits(t *testing.T) {
	x := new(xmlTemplates)
	want := planWants()[1]
	sealed := func(k string) []byte { return []byte(strings.ReplaceAll(registerSealed, "Krze8A==", k)) }
	checkPlan(t, x, typMCPTT, sealed("Krze8A=="), want, nil) // a CSK; those that follow are PCKs
	for range firstMisfits + 1 {
		checkPlan(t, x, typMCPTT, sealed("Grze8A=="), want, nil)
	}
	if len(x.list) != 1 || x.list[0].plan == nil || x.patience != 2*firstMisfits {
		t.Fatalf("%d templates, patience %d", len(x.list), x.patience)
	}
	for range 3 {
		checkPlan(t, x, typMCPTT, sealed("GrzeAA=="), want, nil)
	}
	if x.list[0].misfits != 0 {
		t.Errorf("the new template has %d misfits", x.list[0].misfits)
	}
}

func FuzzXMLPlan(f *testing.F) {
	for i, d := range planDocs {
		f.Add(uint8(i), []byte(d.doc), "", []byte(d.doc), "b1@example.org")
		f.Add(uint8(i), []byte(d.doc), "||Krze8A==|AAAA", []byte(strings.ReplaceAll(d.doc, "Krze8A==", "MTIzNA==")), "b2")
	}
	f.Fuzz(func(t *testing.T, which uint8, first []byte, values string, second []byte, id string) {
		typ := planDocs[int(which)%len(planDocs)].typ
		siblings, others := planSiblings("b1@example.org"), planSiblings(id)
		for _, want := range planWants() {
			x := new(xmlTemplates)
			checkPlan(t, x, typ, first, want, siblings)
			checkPlan(t, x, typ, bytes.Clone(first), want, others)
			checkPlan(t, x, typ, withValues(first, strings.Split(values, "|")), want, siblings)
			checkPlan(t, x, typ, second, want, siblings)
			checkPlan(t, x, typ, withValues(first, strings.Split(values, "|")), want, others)
		}
	})
}
