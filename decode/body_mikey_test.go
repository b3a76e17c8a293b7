package decode

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// imessage is an I_MESSAGE of 641 octets that carries the CSK 2abcdef0 from sip:alice@example.org to mcptt.example.org
// (keys of this test only).
var imessage = func() []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(`
  011a05012abcdef00102060001000000042abcdef00b00e93c7f00000000000e10a0a1a2a3a4a5a6a7a8a9aaabacadae
  af0e010100157369703a616c696365406578616d706c652e6f72670e020100116d637074742e6578616d706c652e6f72
  670e0601000f6b6d732e6578616d706c652e6f72670a0701000f6b6d732e6578616d706c652e6f72671a000000120001
  0601011004010c0501000601001401101501020111040e539c173778c14219bb0e048d02830aaefb2b0ffd0cf78f6398
  459ab4ced97ba975e6d788540aa48d52a734836f9090e1130cdec764fb03000df38ade34c071df63614749004d7569ab
  048cfc074278466c57f7a20b6bf8ba51447cd32dbe25d2d37b9964f3e02cc4674a52844c9842931c8050dd03e438181d
  b667485398934568ebd1ac0fed3208ce7af5abbbd7f114c452cb3c96ed673485f70d146fe43558032e636a4ed105b641
  1c630836279f8d8470d22363af288c27aaa0523ebd3da409a3193dc892068c874128287043b32386f1c533a3f7ccbb9b
  b6bf98a38382228140bc1013a43bd0ef5dd3d970546f82687242c17035774618440b418a78b2234bb41eb9c38a4c5450
  d5744440c1e904070044430065920080000000000001101112131415161718191a1b1c1d1e1f2abcdef07800219b5f37
  238ba34fc112baf76d736693eaa91c0c675d45ff6c21aaa834ab172c4cc020812fe1ebae51965c853e25e3f84f4a470d
  d89aed34a8f7e3e2b1e1ae2ca09514daf3625ae7546291650163ce85c3f19af6a14dfde8af686772650cd8c83b98e104
  04ed447e151155f0c88ea2710e19aa6c84f8e92730cddb425e68f92631b896b27b755c342a0e125acf74e010e18f3453
  a878ee65de2ab275f8513e9362a362347b`), ""))
	if err != nil {
		panic(err)
	}
	return b
}()

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
