package keys

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUID holds the worked example of TS 33.180 F.2.1.2 and recomputed values of products.
func TestUID(t *testing.T) {
	if p := PeriodNo(3599719634, 2592000, 0); p != 1388 {
		t.Errorf("period %d, want 1388", p)
	}
	for _, c := range []struct {
		uri, kms               string
		period, offset, number uint64
		want                   string
	}{
		{"sip:user@example.org", "kms.example.org", 2592000, 0, 1388, "3a81fb14c3b1d0fe43c9c577104d55a6d81788bfd2f09743c4557746a5a0353b"},
		{"sip:user@example.org", "kms.example.org", 2592000, 0, 1, "74e2af803ab5d72841bbced0ce319ffe64f6fe23c88a2d258aabcf6ac5658ef4"},
		{"sip:user@example.org", "kms.example.org", 25920000, 100, 2048, "c88b3fa5e36a08985d10f7b31a631b0265e8249f0312435e4984dbc3765c7f0c"},
		{"sip:user@example.org", "kms.example.org", 25920000, 45920000, 20393844, "8dc05540167345538475101514f4eabd384abd6ba665782abb312ecaf05934e1"},
		{"sip:alice@example.org", "kms.example.org", 2592000, 0, 1509, "e700d7665f380c20c874a30b9b7bb469a8db616712df4242989e4789a71abc13"},
		{"mcptt.example.org", "kms.example.org", 2592000, 0, 1509, "e07166aa2f84967fb8bdfdf7bbe5dc5e526973773ae364f53379f9decedefa65"},
	} {
		if got := UID(c.uri, c.kms, c.period, c.offset, c.number); hex.EncodeToString(got[:]) != c.want {
			t.Errorf("UID(%s, %d) = %x, want %s", c.uri, c.number, got, c.want)
		}
	}
}

func TestPeriodBoundaries(t *testing.T) {
	const p, o = 2592000, 777
	for _, no := range []uint64{0, 1, 1388, 1509, 1 << 30} {
		start := uint64(PeriodStart(no, p, o) + ntpEpoch)
		if got := PeriodNo(start, p, o); got != no {
			t.Errorf("first second of period %d is in %d", no, got)
		}
		if got := PeriodNo(start+p-1, p, o); got != no {
			t.Errorf("last second of period %d is in %d", no, got)
		}
	}
	if PeriodNo(5, p, o) != 0 || PeriodNo(5, 0, 0) != 0 {
		t.Error("a time before the offset or a period of 0 is not period 0")
	}
}

// TestXPK holds the known answers of the end-to-end set.
func TestXPK(t *testing.T) {
	csk := unhex(t, "000102030405060708090a0b0c0d0e0f")
	if got := DeriveXPK(csk, Confidentiality, "sip:alice@example.org", 0x2abcdef0, Variant{}); hex.EncodeToString(got) != "14d4b8b07e0ccf4fa0d16f90ac16973f" {
		t.Errorf("confidentiality key %x", got)
	}
	if got := DeriveXPK(csk, Integrity, "sip:alice@example.org", 0x2abcdef0, Variant{}); hex.EncodeToString(got) != "aec8b2fa0cb4004a21a63d7723a3c9ff" {
		t.Errorf("integrity key %x", got)
	}
	if got := DeriveXPK(csk, Confidentiality, "sip:alice@example.org", 0x2abcdef0, Variant{First: true}); hex.EncodeToString(got) != "884ff9ed9c3695dcb41f3175e9798a7b" {
		t.Errorf("first octets %x", got)
	}
	seen := map[string]bool{}
	for i, v := range Variants() {
		k := string(DeriveXPK(csk, Confidentiality, "sip:alice@example.org", 0x2abcdef0, v))
		if seen[k] || len(k) != 16 {
			t.Errorf("variant %q gives a key of %d octets that is not new", v, len(k))
		}
		seen[k] = true
		if (v.String() == "") != (i == 0) {
			t.Errorf("variant %d is named %q", i, v)
		}
	}
	if got := DeriveXPK(make([]byte, 32), Confidentiality, "u", 1, Variant{}); len(got) != 32 {
		t.Errorf("a 256-bit XPK gives %d octets", len(got))
	}
}

func TestGUKID(t *testing.T) {
	gmk := unhex(t, "fcfe65cd967c58d260b603ccb9a887a9")
	for uri, want := range map[string]uint32{"sip:p25user01@etherstack.com": 0x01c8de7b, "sip:p25user02@etherstack.co.jp": 0x0abe69d0, "sip:92100002447@att.com": 0x0c449727} {
		if got := GUKID(gmk, 0x09bf9d37, uri); got != want {
			t.Errorf("GUK-ID of %s is %08x, want %08x", uri, got, want)
		}
		if got := GUKID(gmk, want, uri); got != 0x09bf9d37 {
			t.Errorf("GMK-ID back is %08x", got)
		}
	}
}

func TestDPCK(t *testing.T) {
	if got := DPCK(unhex(t, "000102030405060708090a0b0c0d0e0f"), 0xdeadbaad); hex.EncodeToString(got) != "d853d0bd6916ffc9837e2a2012a39491" {
		t.Errorf("%x", got)
	}
	if got := DPCK(unhex(t, "000102030405060708090a0b0c0d0e0f"), 0x2abcdef0); hex.EncodeToString(got) != "39de7cb4ce67c46bcc3d2387bb434dae" {
		t.Errorf("%x", got)
	}
}

func TestSRTP(t *testing.T) {
	for _, c := range []struct {
		tgk, rand string
		cs        uint8
		csb       uint32
		key, salt string
	}{
		{"fcfe65cd967c58d260b603ccb9a887a9", "6819e679461120e10ac458cce67b8024", 4, 0x01c8de7b, "64837d2b4d69a266e4489d3807353ad9", "8b2f081ce8e8bdab1f8d9eb8"},
		{"28ba74447f037dcc09ad7f2576dc2def", "30333032343661303730646133333265", 6, 0x1c5f7886, "185d08cb5a226d19d71679adf5e415be", "d1d648b2a0040633a3dd72e5"},
		{"a27b7d578eeb9b1ee7705e385996d300", "4339f62f55aac86348846a482c893802", 4, 0x0633f457, "59aaa49ebb54813602b7cc165961b4e8", "745eb4df7d155c473114a799"},
	} {
		key, salt := SRTP(unhex(t, c.tgk), c.cs, c.csb, unhex(t, c.rand))
		if hex.EncodeToString(key) != c.key || hex.EncodeToString(salt) != c.salt {
			t.Errorf("%08x: key %x salt %x", c.csb, key, salt)
		}
	}
}

// TestSecretNeverPrints tries every verb, nesting and encoder.
func TestSecretNeverPrints(t *testing.T) {
	octets := []byte("SIXTEEN OCTETS!!")
	s := NewSecret(octets)
	type nested struct {
		k  Secret
		P  *Secret
		in struct{ k Secret }
	}
	n := nested{k: s, P: &s}
	n.in.k = s
	bad := []string{string(octets), hex.EncodeToString(octets), strings.ToUpper(hex.EncodeToString(octets)), fmt.Sprint(octets), "53 49", "0x53"}
	check := func(how, out string) {
		t.Helper()
		for _, b := range bad {
			if strings.Contains(out, b) {
				t.Errorf("%s prints the secret: %s", how, out)
			}
		}
	}
	for _, verb := range strings.Split("v +v #v s q x X d o b c U t p T e g", " ") {
		for _, v := range []any{s, &s, n, &n, []Secret{s}, map[string]Secret{"a": s}} {
			check("%"+verb, fmt.Sprintf("%"+verb, v))
		}
	}
	for _, v := range []any{s, &s, n, []Secret{s}} {
		j, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		check("json", string(j))
	}
	var b strings.Builder
	l := slog.New(slog.NewTextHandler(&b, nil))
	l.Info("x", "s", s, "n", n)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "s", s, "n", n)
	check("slog", b.String())
	if !strings.Contains(fmt.Sprint(s), "16 octets withheld") {
		t.Errorf("a secret prints as %s", s)
	}
	s.Zero()
	if string(n.P.Reveal()) != strings.Repeat("\x00", 16) {
		t.Error("Zero leaves octets")
	}
}
