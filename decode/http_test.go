package decode

import (
	"slices"
	"strings"
	"testing"
)

const testJWS = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqb2VAZXhhbXBsZS5vcmcifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"

// secretTexts are what must not be seen without --show-secrets, wherever it stands.
var secretTexts = []string{"topsecret", "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"}

// TestHTTPSecrets: credentials stand in targets, fields and bodies; none is in a node, a word, a finding, or a dump.
func TestHTTPSecrets(t *testing.T) {
	for _, x := range []struct{ head, content string }{
		{"GET /cb?code=topsecret1&state=1 HTTP/1.1\r\nHost: idms.example.org\r\nReferer: https://x/?access_token=topsecret2#id_token=" + testJWS + "\r\n", ""},
		{"GET https://joe@x/cb?a=1&co%64e=topsecret1 HTTP/1.1\r\nHost: idms.example.org\r\n", ""},
		{"GET /x HTTP/1.1\r\nHost: kms\r\nAuthorization: Bearer " + testJWS + "\r\nCookie: a=topsecret1; b=topsecret2\r\n", ""},
		{"GET /x HTTP/1.1\r\nHost: kms\r\nAuthorization: Bearer topsecret-opaque\r\nProxy-Authorization: Basic topsecret==\r\n", ""},
		{"GET /x HTTP/1.1\r\nHost: kms\r\nAuthorization: DPoP topsecret\r\nX-Api-Key: topsecret1\r\nX-Auth-Token: topsecret2\r\nX-Y: see " + testJWS + " there\r\n", ""},
		{"GET /x HTTP/1.1\r\nHost: kms\r\nAuthorization: topsecret\r\nAuthorization: Unknown topsecret68==\r\n", ""},
		{"Location: https://x/cb?state=1&code=topsecret1\r\nSet-Cookie: sid=topsecret2; Path=/; HttpOnly\r\n", ""},
		{"Content-Type: application/json\r\n", `{"access_token":"` + testJWS + `","refresh_token":"topsecret","id_token":"` + testJWS + `","client_secret":"topsecret3"}`},
		{"POST /token HTTP/1.1\r\nHost: idms\r\nContent-Type: application/x-www-form-urlencoded\r\n", "grant_type=password&username=joe&password=topsecret&client_secret=topsecret2&code_verifier=topsecret3&code=topsecret4&refresh_token=topsecret5"},
	} {
		r := httpRecord(x.head, []byte(x.content), Options{})
		for _, s := range secretTexts {
			for i := range r.Nodes {
				if n := &r.Nodes[i]; strings.Contains(n.Str, s) {
					t.Errorf("%.40q: %s shows %q", x.head, n.Field.Name, n.Str)
				}
			}
			for i := range r.Findings {
				if strings.Contains(r.Findings[i].Message, s) {
					t.Errorf("%.40q: finding %q", x.head, r.Findings[i].Message)
				}
			}
			if strings.Contains(r.Info, s) {
				t.Errorf("%.40q: info %q", x.head, r.Info)
			}
			for i := range r.Sources {
				b := slices.Clone(r.Sources[i].Data)
				for _, m := range r.Sources[i].Masked {
					clear(b[m.Off : m.Off+m.Len])
				}
				if strings.Contains(string(b), s) {
					t.Errorf("%.40q: source %d shows %q: %.300q", x.head, i, s, b)
				}
			}
		}
		open := httpRecord(x.head, []byte(x.content), Options{ShowSecrets: true})
		found := false
		for i := range open.Nodes {
			found = found || strings.Contains(open.Nodes[i].Str, secretTexts[0]) || strings.Contains(open.Nodes[i].Str, secretTexts[1])
		}
		if !found {
			t.Errorf("%.40q: --show-secrets shows nothing", x.head)
		}
	}
}

// TestHTTPRecord: the fields of a request and of its response.
func TestHTTPRecord(t *testing.T) {
	r := httpRecord("POST /keymanagement/identity/v1/init HTTP/1.1\r\nHost: kms.example.org\r\nAuthorization: Bearer "+testJWS+"\r\nContent-Type: text/plain\r\n", []byte("hello"), Options{})
	for name, want := range map[string]string{"http.type": "request", "http.method": "POST", "http.target": "/keymanagement/identity/v1/init", "http.host": "kms.example.org",
		"http.exchange": "7", "http.content_length": "5", "http.authorization.scheme": "Bearer", "http.authorization.claims.*": `"joe@example.org"`, "text": "hello"} {
		if !hasValue(r, name, want) {
			t.Errorf("no %s of %s", name, want)
		}
	}
	if r.Info != "KMS init, text, token, /keymanagement/identity/v1/init kms.example.org" {
		t.Errorf("info %q", r.Info)
	}
	r = httpRecord("Content-Type: application/json\r\n", []byte(`{"a":1}`), Options{})
	for name, want := range map[string]string{"http.type": "response", "http.status": "200", "http.request.method": "GET", "http.request.host": "kms.example.org", "json": `{"a":1}`} {
		if !hasValue(r, name, want) {
			t.Errorf("no %s of %s", name, want)
		}
	}
}

// TestHTTPMultipart: the MIME splitter serves HTTP too.
func TestHTTPMultipart(t *testing.T) {
	body := "--b\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"
	r := httpRecord("Content-Type: multipart/mixed; boundary=b\r\nContent-Encoding: gzip\r\n", coded(t, "gzip", []byte(body)), Options{})
	if !hasValue(r, "bodies.path", "1.2") || !hasValue(r, "text", "hello") || !hasValue(r, "json", `{"a":1}`) || len(r.Findings) > 0 {
		t.Errorf("%v", r.Findings)
	}
}

// TestExchanges: the table of request numbers is bounded and the latest are there.
func TestExchanges(t *testing.T) {
	var e exchanges
	h := httpUnitOf
	for i := uint64(1); i <= 5*maxExchanges; i++ {
		e.of(h(true, i), 2*i)
		if n := len(e.young) + len(e.old); n > 2*maxExchanges {
			t.Fatalf("%d entries", n)
		}
		if back := i - min(i-1, maxExchanges-1); e.of(h(false, back), 0) != 2*back {
			t.Fatalf("%d after %d is forgotten", back, i)
		}
	}
	if e.of(h(false, 1), 0) != 0 || e.of(nil, 3) != 0 {
		t.Error("what is not known has a number")
	}
}
