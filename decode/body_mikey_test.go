package decode

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/lab/known"
)

// imessage is an I_MESSAGE of 641 octets that carries the CSK 2abcdef0 from sip:alice@example.org to mcptt.example.org
// (keys of this test only).
var imessage = known.IMessage()

func TestMikey(t *testing.T) {
	text := base64.StdEncoding.EncodeToString(imessage)
	for form, body := range map[string]string{"raw octets": string(imessage), "base64": text, "mikey + base64": "mikey " + text} {
		r, words := dissectOne(t, "application/mikey", []byte(body), everything())
		if ids(r) != "" {
			t.Errorf("%s: a good message has findings\n%s", form, dump(r))
		}
		for name, want := range map[string]string{
			"mikey.form": form, "mikey.data_type": "26", "mikey.csb_id": "2abcdef0", "mikey.key_type": "CSK",
			"mikey.time": "2024-01-01T00:00:00.000000000Z", "mikey.initiator": "sip:alice@example.org", "mikey.responder": "mcptt.example.org",
			"mikey.initiator_kms": "kms.example.org", "mikey.responder_kms": "kms.example.org",
			"mikey.signature.state": "no_key", "mikey.key.state": "no_key",
			"mikey.cs.id": "6", "mikey.cs.spi": "2abcdef0", "mikey.payloads.rand": "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
			"mikey.payloads.type":                        "5,11,14,14,14,14,10,26,21,4",
			"mikey.payloads.protected.dppk_id":           "2abcdef0",
			"mikey.payloads.protected.ciphertext_length": "33",
		} {
			if got := value(t, r, name); got != want {
				t.Errorf("%s: %s is %q, want %q", form, name, got, want)
			}
		}
		if got := strings.Join(words, ";"); got != "CSK upload 2abcdef0 → mcptt.example.org" {
			t.Errorf("words %q", got)
		}
		// Identities lie where they say.
		for _, n := range r.Nodes {
			if n.Field == mikeyBody.initiator || n.Field == mikeyBody.id {
				if got := string(r.Sources[n.Src].Data[n.Off : n.Off+n.Len]); got != n.Str {
					t.Errorf("%s: %q lies at %q", form, n.Str, got)
				}
			}
		}
	}
}

func TestMikeyFindings(t *testing.T) {
	change := func(off int, b ...byte) []byte {
		m := append([]byte(nil), imessage...)
		copy(m[off:], b)
		return m
	}
	for _, c := range []struct {
		what string
		in   []byte
		want string
	}{
		{"data type", change(1, 2), "SEC-01"},
		{"key type", change(4, 0x0a), "SEC-02"},
		{"no signature", append([]byte(nil), imessage[:510]...), "mikey-malformed"},
		{"no message", []byte("hello, world"), "mikey-form"},
		{"empty", nil, "mikey-form"},
	} {
		r, _ := dissectOne(t, "application/mikey", c.in, everything())
		if got := ids(r); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: findings %q, want %s\n%s", c.what, got, c.want, dump(r))
		}
		q, _ := dissectOne(t, "application/mikey", c.in, Options{})
		if ids(q) != ids(r) || len(q.Nodes) > 0 {
			t.Errorf("%s: line view has %q and %d nodes", c.what, ids(q), len(q.Nodes))
		}
	}
	// RAND left out: HDR T | IDR...
	in := append(append([]byte(nil), imessage[:31]...), imessage[31+18:]...)
	in[21] = 14
	r, _ := dissectOne(t, "application/mikey", in, everything())
	if got := ids(r); !strings.Contains(got, "SEC-03") {
		t.Errorf("without RAND: %q\n%s", got, dump(r))
	}
}

func TestMikeyHidden(t *testing.T) {
	uid := strings.Repeat("ab", 32)
	hidden, err := hex.DecodeString("0e" + "08" + "02" + "0020" + uid)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(imessage), "sip:alice") - 5
	in := append([]byte(nil), imessage[:i]...)
	in = append(in, hidden...)
	in = append(in, imessage[i+5+21:]...)
	r, words := dissectOne(t, "application/mikey", in, everything())
	if value(t, r, "mikey.initiator") != uid || value(t, r, "mikey.hidden") != "true" || ids(r) != "" {
		t.Errorf("%s", dump(r))
	}
	if got := strings.Join(words, ""); got != "CSK 2abcdef0 → mcptt.example.org" {
		t.Errorf("words %q", got)
	}
}

func BenchmarkMikey(b *testing.B) {
	for _, bm := range []struct {
		name string
		opt  Options
	}{{"tree", everything()}, {"line", Options{}}} {
		b.Run(bm.name, func(b *testing.B) { benchBody(b, "application/mikey", imessage, bm.opt) })
	}
}

func benchBody(b *testing.B, typ string, data []byte, opt Options) {
	opt.Limits = opt.Limits.withDefaults()
	r := &record.Record{}
	c := &Context{B: &record.Builder{R: r, Want: opt.Want}, Time: noon, opt: &opt}
	bt := bodyByType(typ)
	p := Part{Path: "1", Type: typ, Data: data}
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		*r = record.Record{Nodes: r.Nodes[:0], Prots: r.Prots[:0], Findings: r.Findings[:0], Sources: append(r.Sources[:0], record.Source{Data: data, Parent: -1})}
		c.B.Reset(r)
		c.words = c.words[:0]
		bt.Dissect(c, &p)
	}
}
