package decode

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestAuthParams sees every parameter of credentials and challenges: commas separate them, in quotes they do not.
func TestAuthParams(t *testing.T) {
	msg := strings.ReplaceAll(`REGISTER sip:example.org SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1
From: <sip:a@example.org>;tag=1
To: <sip:a@example.org>
Call-ID: x
CSeq: 1 REGISTER
Authorization: Digest username="a;b", realm="one, two", nonce="n", uri="sip:example.org"
Content-Length: 0

`, "\n", "\r\n")
	r := Body(context.Background(), "message/sip", []byte(msg), time.Unix(1_700_000_000, 0), everything())
	got := dump(r)
	for _, want := range []string{"a;b", "one, two", "sip:example.org"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	n := 0
	for i := range r.Nodes {
		if f := r.Nodes[i].Field; f != nil && strings.HasPrefix(f.Name, "sip.authorization.params") && r.Nodes[i].Key != "" {
			n++
		}
	}
	if n != 4 {
		t.Errorf("%d parameters, want 4", n)
	}
}
