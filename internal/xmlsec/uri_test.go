package xmlsec

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestProtectedURI(t *testing.T) {
	const bob = "sip:bob@example.org"
	escaped := strings.NewReplacer("=;", "%3D;", "+", "%2b", "==", "%3d%3D").Replace(katURI)
	for _, c := range []struct {
		name, in  string
		deviation string
	}{
		{"KAT", katURI, ""},
		{"percent-encoded values", escaped, ""},
		{"percent-encoded separators", strings.NewReplacer(";", "%3B", "=", "%3D").Replace(katURI), "separators are percent-encoded"},
		{"URL alphabet", strings.NewReplacer("+", "-", "/", "_").Replace(katURI), "cipher text uses the URL alphabet"},
		{"no padding", strings.Replace(katURI, "58=;", "58;", 1), "cipher text is not padded"},
		{"other order and case", "SIP:4xsdOwTfFZq6G3nh0kwjgvO0VkooBLMEm07+uh4X+y0CZ58=;ALG=128-AES-GCM;Key-ID=Krze8A==;IV=AAECAwQFBgcICQoL@MC1-Encrypted.3GPPnetwork.ORG", ""},
		{"port and parameters", katURI + ":5060;transport=tcp?a=b", ""},
		{"alias host", strings.Replace(katURI, "3gppnetwork.org", "3gppmcptt.org", 1), ""},
		{"second generation host", strings.Replace(katURI, "mc1-", "mc12-", 1), ""},
		{"no @", strings.Replace(katURI, "@", "", 1), "no @ before the host"},
		{"foreign host", strings.Replace(katURI, "mc1-encrypted.3gppnetwork.org", "example.org", 1), "host is not reserved for protected identities (TS 23.003 26.2)"},
		{"no key-id", strings.Replace(katURI, ";key-id=Krze8A==", "", 1), "key-id is missing"},
		{"odd key-id", strings.Replace(katURI, "Krze8A==", "AAAA", 1), "key-id is not the base64 of 4 octets"},
		{"no alg", strings.Replace(katURI, ";alg=128-aes-gcm", "", 1), "alg is missing"},
		{"twice", strings.Replace(katURI, ";alg", ";iv=AAAA;alg", 1), ""},
		{"spaces around", " " + katURI + "\n", ""},
	} {
		u, err := ParseProtectedURI(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		plain, info, err := u.Open(Keys(NewKey("wrong", make([]byte, 16)), conf(t)))
		if err != nil || string(plain) != bob || info.Key != "K_conf" || info.Tried != 2 {
			t.Errorf("%s: %q, %v, %+v", c.name, plain, err, info)
		}
		if c.deviation == "" && len(u.Deviations) > 0 || c.deviation != "" && !slices.Contains(u.Deviations, c.deviation) {
			t.Errorf("%s: deviations %q", c.name, u.Deviations)
		}
		if u.Reserved != IsProtectedURI(c.in) || u.Reserved == (c.name == "foreign host") {
			t.Errorf("%s: reserved %v", c.name, u.Reserved)
		}
	}
	got, err := SealURI(bob, SealOptions{Key: unhex(t, katConf), KeyID: "2abcdef0", IV: unhex(t, katIV)})
	if err != nil || got != katURI {
		t.Errorf("SealURI = %q, %v", got, err)
	}
	random, err := SealURI(bob, SealOptions{Key: unhex(t, katConf), KeyID: "2abcdef0"})
	if err != nil || random == katURI {
		t.Errorf("%q, %v", random, err)
	}
	if u, err := ParseProtectedURI(random); err != nil || u.KeyID != "2abcdef0" || u.Alg != ProtectedAlgorithm || u.Scheme != "sip" {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestProtectedURIErrors(t *testing.T) {
	for _, in := range []string{"", "sip:", "sip:bob@example.org", "tel:+123", "bob", "sip:mc1-encrypted", "sip:bob@example.org;iv=AA;key-id=BB", "sip:bob;iv=x@example.org",
		"sip:bob@mc-encrypted.3gppnetwork.org", "sip:bob@xmc1-encrypted.3gppnetwork.org", "sip:bob@mc1-encrypted", "mc1-encrypted.3gppnetwork.org"} {
		if u, err := ParseProtectedURI(in); !errors.Is(err, ErrNotProtected) || u != nil || IsProtectedURI(in) {
			t.Errorf("%q: %v, %v", in, u, err)
		}
	}
	const host = "@mc1-encrypted.3gppnetwork.org"
	for in, want := range map[string]string{
		"sip:bob" + host:                    "cipher text has 2 octets, iv is missing",
		"sip:b!b" + host:                    "cipher text is not base64, iv is missing",
		"sip:" + host:                       "cipher text is missing, iv is missing",
		"sip:mc1-encrypted.3gppnetwork.org": "cipher text is missing, iv is missing",
		strings.Replace(katURI, "AAECAwQFBgcICQoL", "AAEC", 1):        "iv has 3 octets",
		strings.Replace(katURI, "AAECAwQFBgcICQoL", "%%%", 1):         "iv is not base64",
		"sip:" + strings.Repeat("A", maxURI) + host:                   "longer than any identity",
		"sip:" + strings.Repeat("A", 20) + ";iv=" + host:              "cipher text has 15 octets, iv has 0 octets",
		"sip:" + strings.Repeat(";", 1000) + "iv=AAECAwQFBgcI" + host: "cipher text is missing, iv is missing",
	} {
		u, err := ParseProtectedURI(in)
		var m ErrMalformed
		if !errors.As(err, &m) || !strings.Contains(err.Error(), want) || u == nil {
			t.Errorf("%.60q: %v, want %s", in, err, want)
			continue
		}
		if plain, info, err := u.Open(Keys(conf(t))); !errors.As(err, &m) || plain != nil || info == nil {
			t.Errorf("%.60q opens: %v", in, err)
		}
	}
	u, err := ParseProtectedURI(strings.Replace(katURI, "128-aes-gcm", "rot13", 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := u.Open(Keys(conf(t))); !errors.Is(err, ErrUnsupportedAlgorithm{"rot13"}) {
		t.Error(err)
	}
	u, _ = ParseProtectedURI(katURI)
	if _, _, err := u.Open(nil); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
	if _, _, err := u.Open(Keys(NewKey("", make([]byte, 16)))); !errors.Is(err, ErrTag) {
		t.Error(err)
	}
	for n := range katURI {
		if u, err := ParseProtectedURI(katURI[:n]); err == nil {
			if _, _, err := u.Open(Keys(conf(t))); err == nil && (!strings.Contains(katURI[:n], "@") || u.Reserved != strings.Contains(katURI[:n], "@mc1-encrypted.")) {
				t.Errorf("cut at %d opens", n)
			}
		}
	}
}

func FuzzProtectedURI(f *testing.F) {
	f.Add(katURI)
	f.Add(strings.NewReplacer(";", "%3B", "=", "%3D").Replace(katURI))
	f.Add(strings.Replace(katURI, "@", "", 1))
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseProtectedURI(s)
		if (u == nil) != errors.Is(err, ErrNotProtected) {
			t.Fatalf("%v, %v", u, err)
		}
		if IsProtectedURI(s) && (u == nil || !u.Reserved) {
			t.Fatal("reserved host lost")
		}
		if u == nil {
			return
		}
		if err == nil && (len(u.IV) != 12 || len(u.Octets) < 16) {
			t.Fatalf("%+v", u)
		}
		u.Open(Keys(conf(t)))
	})
}

func BenchmarkProtectedURI(b *testing.B) {
	keys := Keys(conf(b))
	b.ReportAllocs()
	b.SetBytes(int64(len(katURI)))
	for b.Loop() {
		u, err := ParseProtectedURI(katURI)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := u.Open(keys); err != nil {
			b.Fatal(err)
		}
	}
}
