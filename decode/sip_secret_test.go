package decode

import (
	"math/rand/v2"
	"strings"
	"testing"

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
