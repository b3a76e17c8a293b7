package decode

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// The look at the whole header section sees every field that scrub would have to look at.
func TestHeadersMayHoldSecret(t *testing.T) {
	words := []string{"e", "y", "J", "eyJ", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA", " ", "\r\n ", "Bearer", "x", "\"", "\x00"}
	names := []string{"Subject", "x-y", "Authorization", "proxy-authorization", "WWW-Authenticate", "Proxy-Authenticate", "f", "eyJ"}
	rnd := rand.New(rand.NewPCG(4, 4))
	held, free := 0, 0
	for range 50000 {
		var b strings.Builder
		b.WriteString("OPTIONS sip:a SIP/2.0\r\n")
		for range rnd.IntN(3) + 1 {
			n := rnd.IntN(len(names))
			if n > 1 && rnd.IntN(4) > 0 {
				n = 0
			}
			b.WriteString(names[n] + ": ")
			for range rnd.IntN(5) {
				b.WriteString(words[rnd.IntN(len(words))])
			}
			b.WriteString("\r\n")
		}
		var m sipparse.Message
		if m.Parse([]byte(b.String()+"\r\neyJ"), sipparse.Options{Datagram: true}) != nil {
			t.Fatal("no message")
		}
		may := headersMayHoldSecret(&m)
		for i := range m.Headers {
			h := &m.Headers[i]
			if mayHoldSecret(h.ID, text(m.Bytes(h.Value))) && !may {
				t.Fatalf("not seen: %q", b.String())
			}
		}
		if may {
			held++
		} else {
			free++
		}
	}
	if held < 1000 || free < 1000 {
		t.Error(held, "may hold one,", free, "not")
	}
}

// TestHeaderOfKeys: the middle of a KMS document that goes for a SIP header section is not shown, alone or in message/sip.
func TestHeaderOfKeys(t *testing.T) {
	const key = "eebb1c9fb2c4091a306015e53ab6bf15"
	rest := "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 SK\r\n"
	for _, head := range []string{"SK xsi:type>" + key + "</UserSigningKeySSK> SIP/2.0\r\n" + rest + "\r\n", "SK sip:a@b SIP/2.0\r\n" + rest + "<UserDecryptKey>" + key + "</UserDecryptKey>: x\r\n\r\n"} {
		for _, data := range []string{head, "MESSAGE sip:a@b SIP/2.0\r\n" + rest + "Content-Type: message/sip\r\n\r\n" + head} {
			for _, show := range []bool{false, true} {
				opt := Options{Want: record.All(), ShowSecrets: show}
				opt.Limits = opt.Limits.withDefaults()
				r := newWorker(&opt).message(context.Background(), &flow.Unit{Data: []byte(data), Transport: "udp"}, 1)
				checkTree(t, r)
				text := dump(r) + r.Info
				if strings.Contains(text, key) != show || strings.Contains(ids(r), "sip-holds-secrets") == show {
					t.Errorf("shown %v: %s of %q", show, text, data)
				}
			}
		}
	}
	opt := Options{Want: record.All()}
	opt.Limits = opt.Limits.withDefaults()
	r := newWorker(&opt).message(context.Background(), &flow.Unit{Data: []byte("SK sip:a</b> SIP/2.0\r\n" + rest + "\r\n"), Transport: "udp"}, 1)
	if strings.Contains(ids(r), "sip-holds-secrets") || len(r.Nodes) == 0 {
		t.Errorf("XML without secrets: %s", ids(r))
	}
}
