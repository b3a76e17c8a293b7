package sipparse

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func uriText(u URI) string {
	return fmt.Sprintf("%s|%s|%s|%s|%d|%s|%s|%s", u.Text(u.Scheme), u.Text(u.User), u.Text(u.Password), u.Text(u.Host), u.PortNum, u.Text(u.Opaque), u.Text(u.Params), u.Text(u.Headers))
}

var uriRows = []struct {
	in, want string
	err      DiagID
}{
	{"sip:alice@example.org", "sip|alice||example.org|-1|||", DiagNone},
	{"SIPS:alice:secret@example.org:5061;transport=tcp;lr?subject=a&b=c", "SIPS|alice|secret|example.org|5061||transport=tcp;lr|subject=a&b=c", DiagNone},
	{"sip:example.org", "sip|||example.org|-1|||", DiagNone},
	{"sip:[2001:db8::1]:5060;lr", "sip|||[2001:db8::1]|5060||lr|", DiagNone},
	{"sip:a@[2001:db8::1]", "sip|a||[2001:db8::1]|-1|||", DiagNone},
	{"sip:a@[2001:db8::1", "sip|a||[2001:db8::1|-1|||", DiagURIHost},
	{"sip:a@[::1]x:5", "sip|a||[::1]|-1|||", DiagURIHost},
	// An encrypted MC service ID: ";" in the user part is no parameter.
	{"sip:3m/Gx+w==;iv=AAECAwQFBgcICQoL;key-id=Ld1b8A==;alg=128-aes-gcm@example.org", "sip|3m/Gx+w==;iv=AAECAwQFBgcICQoL;key-id=Ld1b8A==;alg=128-aes-gcm||example.org|-1|||", DiagNone},
	{"sip:user;par=u%40example.net@example.com", "sip|user;par=u%40example.net||example.com|-1|||", DiagNone},
	{"sip:a?b@example.org", "sip|a?b||example.org|-1|||", DiagNone},
	{"sip:bob@example.com@proxy.example.org", "sip|bob@example.com||proxy.example.org|-1|||", DiagURISyntax},
	{"sip:a@b;x=c@d", "sip|a||b|-1||x=c@d|", DiagNone},
	{"sip:@example.org", "sip|||example.org|-1|||", DiagNone},
	{"sip:", "sip|||||||", DiagURIHost},
	{"sip:a@", "sip|a|||-1|||", DiagURIHost},
	{"sip:a@b:", "sip|a||b|-1|||", DiagURIPort},
	{"sip:a@b:70000", "sip|a||b|-1|||", DiagURIPort},
	{"sip:a@b:99999999999999999999999", "sip|a||b|-1|||", DiagURIPort},
	{"sip:a@b:65535", "sip|a||b|65535|||", DiagNone},
	{"sip:a@b_c", "sip|a||b_c|-1|||", DiagNone},
	{"sip:a@b%20c", "sip|a||b%20c|-1|||", DiagURIHost},
	{"sip:a@b c", "sip|a||b c|-1|||", DiagURISyntax},
	{"tel:+358-555-1234567;phone-context=example.org", "tel||||-1|+358-555-1234567|phone-context=example.org|", DiagNone},
	{"urn:urn-7:3gpp-service.ims.icsi.mcptt", "urn||||-1|urn-7:3gpp-service.ims.icsi.mcptt||", DiagNone},
	{"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "urn||||-1|uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6||", DiagNone},
	{"soap.beep://192.0.2.103:3002", "soap.beep||||-1|//192.0.2.103:3002||", DiagNone},
	{"http://example.org/a;b?c", "http||||-1|//example.org/a|b|c", DiagNone},
	{"tel:", "tel||||-1|||", DiagURIHost},
	{"alice@example.org", "||||-1|alice@example.org||", DiagURIScheme},
	{"", "||||-1|||", DiagURIScheme},
	{":x", "||||-1|:x||", DiagURIScheme},
	{"1sip:a", "||||-1|1sip:a||", DiagURIScheme},
	{"sip:a@b;x=\x00", "sip|a||b|-1||x=\x00|", DiagURISyntax},
}

func TestParseURI(t *testing.T) {
	for _, tt := range uriRows {
		u, err := ParseURI([]byte(tt.in))
		want := tt.want
		if tt.in == "sip:" {
			want = "sip||||-1|||"
		}
		if got := uriText(u); got != want {
			t.Errorf("ParseURI(%q)\n got %s\nwant %s", tt.in, got, want)
		}
		checkError(t, tt.in, err, tt.err)
		for n := range tt.in {
			ParseURI([]byte(tt.in[:n]))
		}
	}
	u, _ := ParseURI([]byte("sip:a@b;LR;transport=TCP;;x="))
	if v, ok := u.Param("lr"); !ok || len(v) != 0 {
		t.Error("lr")
	}
	if v, ok := u.Param("Transport"); !ok || string(v) != "TCP" {
		t.Error("transport")
	}
	if v, ok := u.Param("x"); !ok || len(v) != 0 {
		t.Error("x")
	}
	if _, ok := u.Param("y"); ok {
		t.Error("y")
	}
}

// checkError holds an error of a typed view to its kind, and to what every such error has.
func checkError(t *testing.T, in string, err error, want DiagID) {
	t.Helper()
	var e *Error
	if err == nil && want == DiagNone {
		return
	}
	if !errors.As(err, &e) || e.ID != want {
		t.Errorf("%q: error %v, want %v", in, err, want)
		return
	}
	if e.Off < 0 || e.Off > len(in) || e.Field == "" || !strings.Contains(err.Error(), e.ID.Clause()) || len(in) > 8 && strings.Contains(err.Error(), in) {
		t.Errorf("%q: %v (octet %d)", in, err, e.Off)
	}
}

func FuzzURI(f *testing.F) {
	for _, tt := range uriRows {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		u, err := ParseURI(b)
		if !bytes.Equal(b, before) {
			t.Fatal("input was changed")
		}
		pos := 0
		for _, s := range []Span{u.Scheme, u.User, u.Password, u.Host, u.Port, u.Opaque, u.Params, u.Headers} {
			if s.Len == 0 {
				continue
			}
			if int(s.Off) < pos || s.End() > len(b) {
				t.Fatalf("%q: span %v is out of order", b, s)
			}
			pos = s.End()
		}
		for p := range u.ParamSeq() {
			if int(p.Name.Off) < int(u.Params.Off) || p.Value.End() > u.Params.End() {
				t.Fatalf("%q: parameter outside", b)
			}
		}
		if err != nil {
			return
		}
		// Put together again it is the same.
		s := u.Text(u.Scheme) + ":"
		if u.IsSIP() {
			if u.HasUser {
				s += u.Text(u.User)
				if u.Password.Off > 0 {
					s += ":" + u.Text(u.Password)
				}
				s += "@"
			}
			s += u.Text(u.Host)
			if u.Port.Off > 0 {
				s += ":" + u.Text(u.Port)
			}
		} else {
			s += u.Text(u.Opaque)
		}
		if u.Params.Off > 0 {
			s += ";" + u.Text(u.Params)
		}
		if u.Headers.Off > 0 {
			s += "?" + u.Text(u.Headers)
		}
		if s != string(b) {
			t.Fatalf("%q is put together as %q", b, s)
		}
	})
}
