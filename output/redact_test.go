package output

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

func TestRedactText(t *testing.T) {
	d := NewRedactor([]byte("seed"))
	u := func(s string) string { return d.name("user", s, 8) }
	h := func(s string) string { return d.name("host", s, 6) }
	for in, want := range map[string]string{
		"":                                   "",
		"nothing here: 12:30, a=b, 10.0.0.1": "nothing here: 12:30, a=b, 10.0.0.1",
		"sip:alice@example.org":              "sip:" + u("alice") + "@" + h("example.org"),
		"SIPS:alice@EXAMPLE.org:5061;transport=tls?a=b":    "SIPS:" + u("alice") + "@" + h("example.org") + ":5061;transport=tls?a=b",
		"sip:alice@10.0.0.1:5060":                          "sip:" + u("alice") + "@10.0.0.1:5060",
		"sip:alice@[2001:db8::1]":                          "sip:" + u("alice") + "@[2001:db8::1]",
		"sip:example.org":                                  "sip:" + h("example.org"),
		"sip:alice;phone-context=x@a.org":                  "sip:" + u("alice") + ";phone-context=x@" + h("a.org"),
		"call-1@10.0.0.1":                                  u("call-1") + "@10.0.0.1",
		"call-1@pc.example.org":                            u("call-1") + "@" + h("pc.example.org"),
		`"Alice" <sip:alice@a.org>;tag=1`:                  `"` + d.name("name", "Alice", 8) + `" <sip:` + u("alice") + "@" + h("a.org") + ">;tag=1",
		`Alice Smith <sip:alice@a.org>`:                    `"` + d.name("name", "Alice Smith", 8) + `" <sip:` + u("alice") + "@" + h("a.org") + ">",
		"<sip:alice@a.org>":                                "<sip:" + u("alice") + "@" + h("a.org") + ">",
		`Digest username="alice", realm="x"`:               `Digest username="` + d.name("id", "alice", 8) + `", realm="x"`,
		`<sip:a.org>;x="y";+sip.instance="<urn:uuid:1-2>"`: "<sip:" + h("a.org") + `>;x="y";+sip.instance="<urn:uuid:` + d.name("id", "1-2", 8) + `>"`,
		"Bearer abc.def":                                   "Bearer " + d.name("token", "abc.def", 12),
		"x eyJhbGci.eyJzdWIi.c2ln y":                       "x " + d.name("token", "eyJhbGci.eyJzdWIi", 12) + " y",
		"eyJhbGci.eyJzdWIi.[4 characters withheld]":        d.name("token", "eyJhbGci.eyJzdWIi", 12),
		"<urn:gsma:imei:90420156-025763-0>":                "<urn:gsma:imei:" + d.name("id", "90420156-025763-0", 8) + ">",
	} {
		if got := d.text(in, nil); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
		if once := d.text(in, nil); d.text(once, nil) != once && !strings.Contains(in, "eyJ") {
			t.Errorf("%q: twice is not once: %q", in, d.text(once, nil))
		}
	}
	if got := d.text("tel:+49 30", nil); !regexp.MustCompile(`^tel:\+999[0-9]{8} 30$`).MatchString(got) {
		t.Errorf("tel: %q", got)
	}
}

// unseeded redacts with a seed of its own.
func unseeded(s string) string { return NewRedactor(nil).text(s, nil) }

func TestRedactStability(t *testing.T) {
	a, b, c := NewRedactor([]byte("x")), NewRedactor([]byte("x")), NewRedactor([]byte("y"))
	in := "sip:alice@example.org"
	again := unseeded(in)
	if a.text(in, nil) != b.text(in, nil) || a.text(in, nil) == c.text(in, nil) || unseeded(in) == again {
		t.Error("the seed does not decide the pseudonym")
	}
	if a.text("sip:alice@a.org", nil)[:17] != a.text("sip:alice@b.org", nil)[:17] {
		t.Error("the same user at another host has another pseudonym")
	}
}

// people are what must not be seen, wherever it stands.
var people = []string{"alice", "Alice", "bob.smith", "+4930123456", "Bob Smith", "secret-client", "s3cr3tsig", "90420156", "example.org", "eyJzdWIi", "Kommissar"}

func peopled() *record.Record {
	r := &record.Record{Number: 1, Transport: "udp", Info: "call from sip:alice@example.org, client secret-client, tel:+4930123456"}
	b := record.Builder{R: r, Want: record.All()}
	no := record.Place{}
	b.Source(record.Source{Name: "element of sip:alice@example.org", Data: []byte("From: Alice <sip:alice@example.org>")})
	b.Open(fSIP, no)
	b.Str(fRequestURI, "sip:bob.smith@mcptt.example.org;user=phone", no)
	b.Str(fCallID, "77@pc.example.org", no)
	b.Open(fFrom, no)
	b.Str(fFromURI, "tel:+4930123456", no)
	b.Str(fFromDisplay, "Bob Smith", no)
	b.Close()
	for _, h := range [][2]string{{"From", `"Alice" <sip:alice@example.org>;tag=9`}, {"Authorization", "Bearer eyJhbGci.eyJzdWIi.s3cr3tsig"}, {"Authorization", `Digest username="alice@example.org", nonce="n"`},
		{"Contact", `<sip:alice@10.0.0.1>;+sip.instance="<urn:gsma:imei:90420156-025763-0>"`}, {"Subject", "for Bob Smith"}, {"P-Asserted-Identity", "Kommissar <tel:+4930123456>"}} {
		b.Open(fHeaders, no)
		b.Str(fHeaderName, h[0], no)
		b.Str(fHeaderValue, h[1], no)
		b.Close()
	}
	b.Close()
	b.Open(fBodies, no)
	b.Open(fInfo, no)
	b.Str(fClientID, "secret-client", no)
	b.Str(fGroups, "sip:alice@example.org", no)
	b.Open(fToken, no)
	b.Last().Str = "eyJhbGci.eyJzdWIi.[9 characters withheld]"
	b.Last().Flags |= record.HasValue | record.Withheld
	b.Open(fClaims, no)
	b.Entry(fClaims, "sub", `"Kommissar"`, no)
	b.Entry(fClaims, "mcptt_id", `"sip:alice@example.org"`, no)
	b.Entry(fClaims, "nested", `{"a":["mailto:alice@example.org",{"name":"Bob Smith"}],"n":12345678901234567890}`, no)
	b.Close()
	b.Str(fTokenHead, `{"alg":"RS256","kid":"alice@example.org"}`, no)
	b.Close()
	b.Close()
	b.Close()
	b.Open(fMikey, no)
	b.Octets(fMikeyKeys, []byte("sip:alice@example.org"), no)
	b.Octets(fMikeyKeys, []byte("\x00\x01sip:alice@example.org\xff"), no)
	b.Octets(fMikeyRand, []byte{1, 2, 3}, no)
	b.Close()
	b.Finding(record.Finding{ID: "x", Message: `"sip:alice@example.org" and "secret-client" differ`})
	return r
}

// Nothing of the people is left in any format, and what is not theirs is kept.
func TestRedactRecord(t *testing.T) {
	r := peopled()
	before := jsonFormat{}.Append(nil, r)
	for _, name := range []string{"json", "tree", "table", "fields"} {
		o := Options{Redact: NewRedactor([]byte("s")), Hex: true}
		for _, f := range record.Fields() {
			o.Fields = append(o.Fields, f.Name)
		}
		f, err := New(name, o)
		if err != nil {
			t.Fatal(err)
		}
		out := string(f.Append(nil, r))
		for _, p := range people {
			if strings.Contains(out, p) {
				i := strings.Index(out, p)
				t.Errorf("%s shows %q: ...%s...", name, p, out[max(0, i-60):min(len(out), i+40)])
			}
			if strings.Contains(out, hexOf(p)) {
				t.Errorf("%s shows %q in hex", name, p)
			}
		}
		if name == "json" {
			for _, keep := range []string{"RS256", "12345678901234567890", `"010203"`, "10.0.0.1", "Digest", "tag=9", "tel:+999"} {
				if !strings.Contains(out, keep) {
					t.Errorf("%q is gone: %s", keep, out)
				}
			}
			// One person, one pseudonym, wherever it stands.
			d := o.Redact
			if n := strings.Count(out, d.name("user", "alice", 8)); n < 6 {
				t.Errorf("alice's pseudonym stands %d times: %s", n, out)
			}
			if err := testSchema(t).Validate([]byte(out)); err != nil {
				t.Error(err)
			}
		}
	}
	if after := (jsonFormat{}).Append(nil, r); !bytes.Equal(before, after) {
		t.Error("the record was changed")
	}
}

func hexOf(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(hexDigits[s[i]>>4])
		b.WriteByte(hexDigits[s[i]&15])
	}
	return b.String()
}

func TestRedactNeeds(t *testing.T) {
	f, _ := New("table", Options{Redact: NewRedactor(nil)})
	w := f.Needs()
	for _, f := range []*record.Field{fMethod, fFromDisplay, fHeaderValue, fClaims} {
		if !w.Has(f) {
			t.Errorf("%s is not asked for", f.Name)
		}
	}
	if w.Has(fMikeyRand) {
		t.Error("everything is asked for")
	}
}

// Redacted text holds no user part of a SIP URI or address, whatever surrounds it.
func FuzzRedact(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, s)
	}
	f.Add(`"`, `" <`)
	f.Add("a=", ";b")
	d := NewRedactor([]byte("seed"))
	f.Fuzz(func(t *testing.T, before, after string) {
		// A word of its own: what is glued to it makes it another user or host.
		in := before + " sip:secretuser@secrethost.org " + after
		if out := d.text(in, nil); strings.Contains(strings.ReplaceAll(strings.ReplaceAll(out, before, ""), after, ""), "secretuser") && !strings.Contains(before+after, "secret") {
			t.Fatalf("%q gave %q", in, out)
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	d := NewRedactor([]byte("seed"))
	r := peopled()
	b.ReportAllocs()
	for b.Loop() {
		d.Record(r)
	}
}
