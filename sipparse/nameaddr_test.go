package sipparse

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

func TestParseNameAddr(t *testing.T) {
	for _, tt := range []struct {
		in, display, uri, params string
		err                      DiagID
	}{
		{`<sip:a@b>`, "", "sip:a@b", "", DiagNone},
		{`"A \"B\" C" <sip:a@b>;tag=1`, `A "B" C`, "sip:a@b", "tag=1", DiagNone},
		{`A B<sip:a@b;x=y> ; tag = 1`, "A B", "sip:a@b;x=y", " tag = 1", DiagNone},
		{`sip:a@b;tag=1`, "", "sip:a@b", "tag=1", DiagNone},
		{`tel:+1;tag=1`, "", "tel:+1", "tag=1", DiagNone},
		{`<tel:+1;phone-context=x>;tag=1`, "", "tel:+1;phone-context=x", "tag=1", DiagNone},
		{`sip:a@b ; tag=1`, "", "sip:a@b", " tag=1", DiagNone},
		{`<sip:a@b>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt";+g.3gpp.mcptt`, "", "sip:a@b", `+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt";+g.3gpp.mcptt`, DiagNone},
		{`sip:a@b;x="<y>"`, "", "sip:a@b", `x="<y>"`, DiagNone},
		{`"unclosed <sip:a@b>`, "unclosed", "sip:a@b", "", DiagUnbalancedQuotes},
		{`"closed" x <sip:a@b>`, "closed", "sip:a@b", "", DiagDisplayName},
		{`"closed"`, "closed", "", "", DiagAddrEmpty},
		{`A, B <sip:a@b>`, "A, B", "sip:a@b", "", DiagDisplayName},
		{`< sip:a@b >`, "", "sip:a@b", "", DiagAngleSpace},
		{`<sip:a@b`, "", "sip:a@b", "", DiagUnbalancedAngle},
		{`<>`, "", "", "", DiagAddrEmpty},
		{``, "", "", "", DiagAddrEmpty},
		{"\t \r\n ", "", "", "", DiagAddrEmpty},
		{`sip:a@b?x=y`, "", "sip:a@b?x=y", "", DiagAddrNeedsAngle},
		{`sip:a@b,sip:c@d`, "", "sip:a@b,sip:c@d", "", DiagAddrNeedsAngle},
		{`<sip:a@b>,<sip:c@d>`, "", "sip:a@b", "", DiagListNotAllowed},
		{`<sip:a@b> x`, "", "sip:a@b", "", DiagParamSyntax},
		{`<sip:a@b>;;`, "", "sip:a@b", ";", DiagParamEmpty},
		{`<sip:a@b>;tag=`, "", "sip:a@b", "tag=", DiagParamSyntax},
		{`<sip:a@b>;=x`, "", "sip:a@b", "=x", DiagParamSyntax},
		{`<sip:a@b>;a="b`, "", "sip:a@b", `a="b`, DiagUnbalancedQuotes},
		{`<alice>`, "", "alice", "", DiagURIScheme},
	} {
		na, err := ParseNameAddr([]byte(tt.in))
		if na.DisplayName() != tt.display || na.Text(na.URISpan) != tt.uri || na.Text(na.Params) != tt.params {
			t.Errorf("ParseNameAddr(%q) = %q %q %q", tt.in, na.DisplayName(), na.Text(na.URISpan), na.Text(na.Params))
		}
		checkError(t, tt.in, err, tt.err)
		for n := range tt.in {
			na, _ := ParseNameAddr([]byte(tt.in[:n]))
			na.Tag()
		}
	}
	na, err := ParseNameAddr([]byte(" * "))
	if !na.Star || err != nil {
		t.Error("star")
	}
	na, _ = ParseNameAddr([]byte("<sip:a@b>;+g.3gpp.icsi-ref=\"x;y\";TAG=z"))
	if v, ok := na.Param(ICSI); !ok || string(v) != "x;y" || na.Tag() != "z" {
		t.Error("parameters")
	}
	if Unescape([]byte("urn%3Aurn-7%3a3gpp%2%")) != "urn:urn-7:3gpp%2%" {
		t.Error("Unescape")
	}
}

func TestSplitList(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""}, {"a", "a"}, {"a, b ,c", "a|b|c"}, {",", "|"}, {"a,,b", "a||b"},
		{`"a,b" <sip:x,y>, c`, `"a,b" <sip:x,y>|c`},
		{`"a\",b",c`, `"a\",b"|c`},
		{`"a,b`, `"a|b`}, {`<a,b`, `<a|b`}, {`x (a, (b,c)), d`, `x (a, (b,c))|d`}, {`x (a, b`, `x (a|b`}, {`sip:(a,b)`, `sip:(a|b)`},
	} {
		var got []string
		for s := range SplitList([]byte(tt.in)) {
			got = append(got, string(s.In([]byte(tt.in))))
		}
		if strings.Join(got, "|") != tt.want {
			t.Errorf("SplitList(%q) = %q", tt.in, got)
		}
	}
}

// TestListsLinear holds list and parameter scanning to linear work on what is never closed.
func TestListsLinear(t *testing.T) {
	var loads []testkit.Load
	for _, unit := range []string{`\",`, `<,`, ` (,`, `",`, `;\"`, `;a="\`, `"\";`, `,`, `;`, `a,`, `(`, ` (`, `\`, `<sip:a>;a="b,c",`} {
		loads = append(loads, testkit.Load{Name: unit, Size: 20_000, Do: func(n int) {
			v := []byte(`"` + strings.Repeat(unit, n/len(unit)))
			for range SplitList(v) {
			}
			for range Params(v) {
			}
			ParseNameAddr(v)
			ParseVia(v)
			ParseAuth(append([]byte("Digest a=b,"), v...))
			raw := append(append([]byte("INVITE sip:a SIP/2.0\r\nContact: "), v...), "\r\nVia: SIP/2.0/UDP a;\r\n\r\n"...)
			var m Message
			if err := m.Parse(raw, Options{}); err != nil {
				t.Fatal(err)
			}
			for range m.Contacts() {
			}
			if len(m.Diags) > 129 {
				t.Errorf("%q: %d diagnostics", unit, len(m.Diags))
			}
		}})
	}
	testkit.Linear(t, loads)
}

// What is split without a look inside has the parts that the whole reading has.
func TestSplitAlone(t *testing.T) {
	words := []string{"\"", "<", ">", ";", ":", "sip:a@b", "tel:1", " ", "\r\n ", ",", "=", "x", "tag=1", "\\", "*", "?", "[", "]", "SIP/2.0/UDP", "/", "host", "5060", ";branch=z9hG4bK1", "é", "\x00", "(", ")"}
	rnd := rand.New(rand.NewPCG(6, 1))
	uris, params := 0, 0
	for range 100000 {
		var b []byte
		for range rnd.IntN(9) {
			b = append(b, words[rnd.IntN(len(words))]...)
		}
		whole, _ := parseNameAddr(b)
		if whole.URI.Host.Len > 0 {
			uris++
		}
		empty := NameAddr{URI: URI{PortNum: -1}}
		whole.URI = empty.URI
		if got := SplitNameAddr(b); !reflect.DeepEqual(got, whole) {
			t.Fatalf("%q: %+v, not %+v", b, got, whole)
		}
		via, _ := parseVia(b)
		if via.Params.Len > 0 {
			params++
		}
		if got := SplitVia(b); !reflect.DeepEqual(got, via) {
			t.Fatalf("%q: %+v, not %+v", b, got, via)
		}
	}
	if uris < 1000 || params < 1000 {
		t.Error("only", uris, "URIs and", params, "parameters")
	}
}
