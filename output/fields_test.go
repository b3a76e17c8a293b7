package output

import (
	"bytes"
	"encoding/csv"
	"net/netip"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

func TestFields(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"plain", Options{Fields: []string{"number", "sip.method", "sip.status", "sip.contact.uri"}}, "7\tINVITE\t\tsip:alice@10.0.0.1\n"},
		{"header", Options{Fields: []string{"number", "src.ip"}, Header: true, Separator: ";"}, "number;src.ip\n7;10.0.0.1\n"},
		{"several", Options{Fields: []string{"frames", "mcptt_info.groups", "bodies.path"}}, "11,12\tsip:group@example.org,sip:g2@example.org\t1,2\n"},
		{"first", Options{Fields: []string{"frames", "bodies.path"}, Occurrence: 'f'}, "11\t1\n"},
		{"last", Options{Fields: []string{"frames", "bodies.path"}, Occurrence: 'l'}, "12\t2\n"},
		{"aggregator", Options{Fields: []string{"frames"}, Aggregator: " + "}, "11 + 12\n"},
		{"members of a protected element", Options{Fields: []string{"mcptt_info.client_id", "mcptt_info.client_id.state", "mcptt_info.client_id.key_id", "mcptt_info.groups.state", "mcptt_info.groups.value"}},
			"\tno_key\t2abcdef0\tdecrypted,clear\tsip:group@example.org,sip:g2@example.org\n"},
		{"map", Options{Fields: []string{"sip.contact.params.expires", "sip.contact.params.Q", "sip.contact.params.+g.3gpp.mcptt", "sip.contact.params.none"}}, "60\t0.5,0.7\t\t\n"},
		{"object", Options{Fields: []string{"sip", "xml", "bodies", "sip.contact.params"}}, "1\t\t1,1\t1\n"},
		{"kinds", Options{Fields: []string{"time", "mikey.time", "mikey.rand", "mikey.v", "mcptt_info.access_token.claims.exp"}}, "2023-11-14T22:13:20.123456789Z\t2023-11-14T22:13:19.000000000Z\t00ff10\ttrue\t1700003600\n"},
		{"epoch", Options{Fields: []string{"time"}, Time: TimeEpoch}, "1700000000.123456789\n"},
		{"double quotes", Options{Fields: []string{"findings.message", "sip.status", "number"}, Quote: 'd', Separator: ","}, `"the digest of ""x"" differs",,"7"` + "\n"},
		{"single quotes", Options{Fields: []string{"number"}, Quote: 's'}, "'7'\n"},
		{"findings", Options{Fields: []string{"findings.id", "findings.severity", "findings.frames"}}, "SEC-10\terror\t12\n"},
		{"separator inside", Options{Fields: []string{"sip.path", "sip.method"}, Separator: ";"}, `sip:p1\x3blr;INVITE` + "\n"},
	} {
		f, err := New("fields", c.o)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var b bytes.Buffer
		if err := NewPrinter(&b, f).Print(sample()); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.want {
			t.Errorf("%s: got %q, want %q", c.name, b.String(), c.want)
		}
	}
	f, _ := New("fields", Options{Fields: []string{"number"}, Header: true, Redact: NewRedactor(nil)})
	var b bytes.Buffer
	if err := NewPrinter(&b, f).Close(); err != nil || b.String() != "number\n" {
		t.Errorf("a run without records: %q, %v", b.String(), err)
	}
}

// Whatever the wire holds, the number of columns and lines stays.
func TestFieldsColumns(t *testing.T) {
	names := []string{"file", "sip.method", "sip.headers.value", "mcptt_info.client_id.algorithm", "sip.contact.params.q", "findings.message"}
	for _, sep := range []string{"\t", ";", ",", "::"} {
		f, err := New("fields", Options{Fields: names, Separator: sep, Aggregator: "+"})
		if err != nil {
			t.Fatal(err)
		}
		quoted, _ := New("fields", Options{Fields: names, Separator: ",", Quote: 'd'})
		for seed := range uint64(300) {
			r := newGen(seed).record()
			out := string(f.Append(nil, r))
			if strings.Count(out, sep) != len(names)-1 || strings.Count(out, "\n") != 1 {
				t.Fatalf("seed %d, separator %q: %q", seed, sep, out)
			}
			row, err := csv.NewReader(bytes.NewReader(quoted.Append(nil, r))).Read()
			if err != nil || len(row) != len(names) {
				t.Fatalf("seed %d: %v, %q", seed, err, row)
			}
		}
	}
}

// What is appended directly is what the register's own way to it gives.
func TestFieldsDirect(t *testing.T) {
	for seed := range uint64(3000) {
		g := newGen(seed)
		r := g.record()
		if g.IntN(2) == 0 {
			r.Src, r.Dst = netip.AddrPortFrom(g.addr(), uint16(g.IntN(1<<16))), netip.AddrPortFrom(g.addr(), 0)
			r.Number = g.Uint64() >> g.IntN(64)
		}
		for _, style := range []TimeStyle{TimeUTC, TimeEpoch, TimeRelative} {
			for _, name := range []string{"number", "time", "src.ip", "dst.ip", "frames", "sip.method", "findings.id"} {
				made, err := New("fields", Options{Fields: []string{name}, Time: style, Clock: new(Clock)})
				if err != nil {
					t.Fatal(err)
				}
				f := made.(*fieldsFormat)
				got := string(f.Append(nil, r))
				if f.plain = !f.plain; f.plain {
					t.Fatal("not plain")
				}
				if want := string(f.Append(nil, r)); got != want {
					t.Fatalf("seed %d, %s: %q, not %q", seed, name, got, want)
				}
			}
		}
	}
}

func TestParseSeparator(t *testing.T) {
	for in, want := range map[string]string{"/t": "\t", `\t`: "\t", "/s": " ", ",": ",", "ü": "ü"} {
		if got, err := ParseSeparator(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "\x1b", "\n"} {
		if _, err := ParseSeparator(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestFieldsNeeds(t *testing.T) {
	f, _ := New("fields", Options{Fields: []string{"sip.contact.params.q", "time"}})
	w := f.Needs()
	for f, want := range map[*record.Field]bool{fSIP: true, fContact: true, fContactParams: true, fContactURI: false, fMikey: false} {
		if w.Has(f) != want {
			t.Errorf("%s: %v", f.Name, !want)
		}
	}
}
