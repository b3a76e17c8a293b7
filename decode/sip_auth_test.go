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

// TestAuthKeys withholds the keys that an S-CSCF hands to the P-CSCF in a challenge, everywhere.
func TestAuthKeys(t *testing.T) {
	const ck, ik = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
	msg := strings.ReplaceAll(`SIP/2.0 401 Unauthorized
Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1
From: <sip:a@example.org>;tag=1
To: <sip:a@example.org>;tag=2
Call-ID: x
CSeq: 1 REGISTER
WWW-Authenticate: Digest realm="example.org", nonce="n", algorithm=AKAv1-MD5, ik="`+ik+`", CK=`+ck+`
Content-Length: 0

`, "\n", "\r\n")
	for _, show := range []bool{false, true} {
		opt := everything()
		opt.ShowSecrets = show
		r := Body(context.Background(), "message/sip", []byte(msg), time.Unix(1_700_000_000, 0), opt)
		got := dump(r)
		for _, key := range []string{ck, ik} {
			if strings.Contains(got, key) != show {
				t.Errorf("show secrets %v: %q in\n%s", show, key, got)
			}
			masked := false
			for _, m := range r.Sources[0].Masked {
				masked = masked || string(r.Sources[0].Data[m.Off:m.Off+m.Len]) == key
			}
			if masked == show {
				t.Errorf("show secrets %v: %q is masked: %v", show, key, masked)
			}
		}
	}
}
