package decode

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// FuzzMembers holds the splitting of a JSON object to encoding/json: the same members, unique names, and the values of
// a repeated name gathered.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, ` { "a" : [1, 2] , "b":{"c":"}"} } `, `{"a":"\"","a":null}`, `{"\u0061":1,"a":2,"a":3}`, `[1]`, `{"a":-1.5e3,"b":true}`, `{"a":1`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		ms, repeated, ok := members(in)
		want, err := numberObject(in)
		if err != nil || want == nil {
			if ok {
				t.Fatalf("%q is split, but encoding/json says %v", in, err)
			}
			return
		}
		if !ok {
			return // not UTF-8, or too many members
		}
		obj := object(ms)
		got, err := numberObject(obj)
		if err != nil {
			t.Fatalf("%q gives %q: %v", in, obj, err)
		}
		if len(got) != len(ms) || len(got) != len(want) {
			t.Fatalf("%q: %d members, %d names, %d wanted", in, len(ms), len(got), len(want))
		}
		if bytes.ContainsAny(obj, "\n\r\t") {
			t.Fatalf("%q is not compact", obj)
		}
		if repeated != nil {
			return // encoding/json keeps the last
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q gives %q", in, obj)
		}
	})
}

// numberObject is encoding/json's reading of an object with the numbers as they are written: RFC 8259 clause 6 sets no
// limit to them, and a float64 has no room for 1e666.
func numberObject(b []byte) (map[string]any, error) {
	if !json.Valid(b) {
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v map[string]any
	err := d.Decode(&v)
	return v, err
}

// FuzzDecode64 holds the tolerant reader to the strict ones: what they read it reads alike.
func FuzzDecode64(f *testing.F) {
	f.Add([]byte("Krze8A=="))
	f.Add([]byte("4xsd-_8"))
	f.Add([]byte("A"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, ok := decode64(in)
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			want, err := e.DecodeString(string(in))
			if err != nil {
				continue
			}
			if !ok || !bytes.Equal(got, want) {
				t.Fatalf("%q gives %x %v, want %x", in, got, ok, want)
			}
		}
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			if back, ok := decode64([]byte(e.EncodeToString(in))); !ok || !bytes.Equal(back, in) {
				t.Fatalf("%x comes back as %x", in, back)
			}
		}
	})
}

func TestDecode64Rejects(t *testing.T) {
	for _, s := range []string{"A", "AAAAA", "A=", "AA=A", "AAAA=", "AAA===", "!!!!", "AA\x00A"} {
		if b, ok := decode64([]byte(s)); ok {
			t.Errorf("%q is read as %x", s, b)
		}
	}
	for _, s := range []string{"", "AA", "AA==", "AA A=", " AAAA\r\n", "-_+/"} {
		if _, ok := decode64([]byte(s)); !ok {
			t.Errorf("%q is not read", s)
		}
	}
}

func TestParseToken(t *testing.T) {
	for _, c := range []struct {
		what, in string
		jws      bool
		secret   string
	}{
		{"JWS", compactJWS(`{"alg":"ES256"}`, `{"a":1}`, "sig0"), true, "sig0"},
		{"padded", "eyJhIjoxfQ==.eyJhIjoxfQ==.AAAA", true, "AAAA"},
		{"standard alphabet", compactJWS(`{}`, `{"a":"???"}`, "+/+/"), true, "+/+/"},
		{"no signature", compactJWS(`{}`, `{}`, ""), true, ""},
		{"two parts", "eyJhIjoxfQ.eyJhIjoxfQ", false, ""},
		{"five parts, a JWE", "a.b.c.d.e", false, ""},
		{"claims no object", compactJWS(`{}`, `[1]`, "AAAA"), false, ""},
		{"header no JSON", compactJWS(`{`, `{}`, "AAAA"), false, ""},
		{"too long", strings.Repeat("A", maxToken+1), false, ""},
		{"empty", "", false, ""},
	} {
		tok := parseToken([]byte(c.in), "mcptt_id")
		if tok.jws != c.jws {
			t.Errorf("%s: JWS %v", c.what, tok.jws)
			continue
		}
		want := c.secret
		if !c.jws {
			want = c.in
		}
		if got := string(tok.raw[tok.secret:]); got != want {
			t.Errorf("%s: secret is %q", c.what, got)
		}
		if text, withheld := tok.shown(false); withheld != (want != "") || want != "" && strings.Contains(text, want) {
			t.Errorf("%s: shown as %q", c.what, text)
		}
		if text, _ := tok.shown(true); text != c.in {
			t.Errorf("%s: shown with secrets as %q", c.what, text)
		}
	}
	if tok := parseToken([]byte(compactJWS(`{}`, `{"exp":1704113940.7}`, "AAAA")), ""); !tok.hasExp || tok.exp != 1704113940 {
		t.Errorf("expiry %v %d", tok.hasExp, tok.exp)
	}
	if tok := parseToken([]byte(compactJWS(`{}`, `{"exp":"soon"}`, "AAAA")), ""); tok.hasExp {
		t.Error("an expiry that is text is read")
	}
}

func TestXMLValues(t *testing.T) {
	for s, want := range map[string]bool{"true": true, " 1\n": true, "false": false, "0": false} {
		if v, ok := xmlBool([]byte(s)); !ok || v != want {
			t.Errorf("%q is %v %v", s, v, ok)
		}
	}
	for s, want := range map[string]int64{"0": 0, " 007 ": 7, "+3": 3, "9223372036854775807": 1<<63 - 1} {
		if v, ok := xmlUint([]byte(s)); !ok || v != want {
			t.Errorf("%q is %d %v", s, v, ok)
		}
	}
	for _, s := range []string{"", "-1", "1.0", "+", "9223372036854775808", "1 2"} {
		if v, ok := xmlUint([]byte(s)); ok {
			t.Errorf("%q is %d", s, v)
		}
	}
	for s, want := range map[string]bool{"2024-01-01T12:00:00": true, "2024-01-01T12:00:00Z": true, "2024-01-01T12:00:00.5+01:00": true, "2024-01-01": false, "2024-01-01T12:00:00+1": false, "2024-01-01T12:00:00+0a:00": false, "": false} {
		if got := xmlTime([]byte(s)); got != want {
			t.Errorf("%q is %v", s, got)
		}
	}
}

// A secret is masked where it stands and in everything it was decoded from.
func TestMaskFollowsSources(t *testing.T) {
	body := []byte(registerClear)
	coded := []byte("--b\r\n" + base64.StdEncoding.EncodeToString(body))
	r := newRecordWith(coded)
	c := &Context{B: newBuilderFor(r), Time: noon, opt: &Options{Want: everything().Want}}
	r.Sources = append(r.Sources, decodedSource(body, 5, len(coded)-5))
	bodyByType(typMCPTT).Dissect(c, &Part{Path: "1", Type: typMCPTT, Data: body, Src: 1})
	if m := r.Sources[1].Masked; len(m) != 1 || string(body[m[0].Off:m[0].Off+m[0].Len]) != sig86 {
		t.Errorf("decoded body: masked %v", m)
	}
	if m := r.Sources[0].Masked; len(m) != 1 || int(m[0].Off) != 5 || int(m[0].Len) != len(coded)-5 {
		t.Errorf("base64 around it: masked %v", m)
	}
	// Where the octets are the same in the parent, only they are masked.
	plain := append([]byte("--b\r\n"), body...)
	r = newRecordWith(plain)
	c = &Context{B: newBuilderFor(r), Time: noon, opt: &Options{Want: everything().Want}}
	r.Sources = append(r.Sources, decodedSource(body, 5, len(body)))
	bodyByType(typMCPTT).Dissect(c, &Part{Path: "1", Type: typMCPTT, Data: body, Src: 1})
	if m := r.Sources[0].Masked; len(m) != 1 || string(plain[m[0].Off:m[0].Off+m[0].Len]) != sig86 {
		t.Errorf("same octets: masked %v", m)
	}
}
