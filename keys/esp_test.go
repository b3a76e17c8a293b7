package keys

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestESPOption(t *testing.T) {
	key := katCSK + "10111213"
	e, err := ParseESPOption(" ESP 0xBEEF  192.0.2.1 AES-CBC " + katCSK + " hmac-sha1-96 " + key)
	if err != nil || e.SPI != 0xbeef || e.AnySPI || e.Dst != "192.0.2.1" || e.Origin.Name != "--esp" {
		t.Fatalf("%+v %v", e, err)
	}
	sa, err := e.SA()
	if err != nil || sa.Enc() != "aes-cbc" || sa.Auth() != "hmac-sha-1-96" || !sa.Covers(0xbeef, netip.MustParseAddr("192.0.2.1")) || sa.Covers(0xbeef, netip.MustParseAddr("192.0.2.2")) {
		t.Errorf("%v %v", sa, err)
	}
	for spec, covers := range map[string]bool{
		"* * null - - -": true, "beef * null - - -": true, "bee0 * null - - -": false, "* 2001:db8::/32 null - - -": true,
		"* 2001:db9::/32 null - - -": false, "beef [2001:db8::1] null - - -": true, "beef 2001:db8:0:0::1 null - - -": true,
	} {
		e, err := ParseESPOption(spec)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		sa, err := e.SA()
		if err != nil || sa.Covers(0xbeef, netip.MustParseAddr("2001:db8::1")) != covers {
			t.Errorf("%s: %v %v", spec, sa, err)
		}
	}
	for spec, want := range map[string]string{
		"":                                "0 words",
		"beef 192.0.2.1":                  "2 words",
		"beef 192.0.2.1 aes-cbc - null -": "aes-cbc needs a key of 16, 24 or 32 octets",
		"beef 192.0.2.1 aes-gcm " + katCSK + " - -":  "the key of aes-gcm has 16 octets instead of 20, 28 or 36 (the last 4 are the salt)",
		"beef 192.0.2.1 blowfish " + katCSK + " - -": "the encryption algorithm is none of",
	} {
		_, err := ParseESPOption(spec)
		fe, ok := errors.AsType[*FileError](err)
		if !ok || fe.File != "--esp" || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), katCSK[:12]) {
			t.Errorf("%q: %v", spec, err)
		}
	}
	m, err := Load(nil, LoadOptions{ESP: []string{"* * aes-cbc " + katCSK + " - -", "* * aes-cbc " + katCSK + " - -", "beef 192.0.2.77/24 null - hmac-md5-96 " + katCSK}})
	if err != nil || len(m.ESP) != 2 || len(m.SAs()) != 2 || m.ForRing() {
		t.Fatalf("%+v %v", m, err)
	}
	if got := string(m.AppendKeyLog(nil)); !strings.Contains(got, "ESP * * aes-cbc "+katCSK+" - -\n") || !strings.Contains(got, "ESP 0000beef 192.0.2.0/24 null - hmac-md5-96 "+katCSK+"\n") {
		t.Errorf("%s", got)
	}
	if again := mustRead(t, "f", string(m.AppendKeyLog(nil))); string(again.AppendKeyLog(nil)) != string(m.AppendKeyLog(nil)) {
		t.Error("written and read again it is another")
	}
}
