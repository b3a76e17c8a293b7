package keys

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLoadedMaterialOpens gives what was loaded to a ring: as a key log, as XML in clear, and as master secrets.
func TestLoadedMaterialOpens(t *testing.T) {
	for name, text := range map[string]string{"key log": katKeyLog[:strings.Index(katKeyLog, "CSK ")], "XML": katClear()} {
		u := NewRing(mustRead(t, name, text), RingLimits{}).Unwrap(&Query{Seq: 1}, unhex(t, katMessage))
		if u.State != Recovered || u.Signature != SignatureValid || hex.EncodeToString(u.Key.Reveal()) != katCSK {
			t.Errorf("%s: %s, %s, %s", name, u.State, u.Signature, u.Hint)
		}
	}
	m := mustRead(t, "masters", katJSON(""))
	rsk, err := m.Masters[0].SAKKE.Extract(mustHex(katUIDServer))
	if err != nil {
		t.Fatal(err)
	}
	if err := rsk.Verify(m.Masters[0].KMS.Z, mustHex(katUIDServer)); err != nil {
		t.Error(err)
	}
}

func TestVerifyCertificate(t *testing.T) {
	good := mustRead(t, "x", katCertificate).KMSs[0]
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		change func(k *KMS)
		at     time.Time
		what   string
		ok     bool
		reason string
	}{
		{"good", func(*KMS) {}, at, ", public keys", true, ""},
		{"in time", func(*KMS) {}, at, ", validity at 2024-01-01T00:00:00Z", true, ""},
		{"early", func(*KMS) {}, at.AddDate(-2, 0, 0), ", validity at 2022-01-01T00:00:00Z", false, "valid from 2023-01-01T00:00:00Z"},
		{"late", func(*KMS) {}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), ", validity at 2030-01-01T00:00:00Z", false, "valid to 2030-01-01T00:00:00Z"},
		{"reversed", func(k *KMS) { k.ValidFrom, k.ValidTo = k.ValidTo, k.ValidFrom }, at, ", validity", false, "ends before it begins"},
		{"no Z", func(k *KMS) { k.Z = nil }, at, ", public keys", true, "without Z"},
		{"no KPAK", func(k *KMS) { k.KPAK = nil }, at, ", public keys", true, "without KPAK"},
		{"no keys", func(k *KMS) { k.Z, k.KPAK = nil, nil }, at, ", public keys", false, "neither Z nor KPAK"},
		{"format", func(k *KMS) { k.UserIDFormat = "1" }, at, ", UserIdFormat", false, `"1" is not 2 (TS 33.180 F.2.1)`},
		{"set", func(k *KMS) { k.ParameterSet = 2 }, at, ", ParameterSet", false, "2 is not 1 (RFC 6509 appendix A)"},
		{"offset", func(k *KMS) { k.Offset = k.Period }, at, ", UserKeyOffset", false, "not less than UserKeyPeriod (TS 33.180 F.2.1)"},
		{"revoked", func(k *KMS) { k.Revoked = true }, at, "", false, "revoked"},
	} {
		k := good
		tt.change(&k)
		m := &Material{KMSs: []KMS{k}}
		found := false
		for _, v := range m.Verify(tt.at) {
			if v.What == "certificate of kms.example.org"+tt.what {
				found = true
				if v.OK != tt.ok || v.Reason != tt.reason {
					t.Errorf("%s: %+v", tt.name, v)
				}
			} else if !v.OK {
				t.Errorf("%s: also %+v", tt.name, v)
			}
		}
		if !found {
			t.Errorf("%s: no verdict on%s", tt.name, tt.what)
		}
	}
}

func TestVerifyPeriods(t *testing.T) {
	// Period 1509 is 2023-12-12 to 2024-01-11.
	set := func(from, to string) *Material {
		x := keySet("sip:alice@example.org", katUIDAlice, element("UserSigningKeySSK", katSSK)+element("UserPubTokenPVT", katPVT))
		x = strings.NewReplacer("2023-12-20T00:00:00Z", from, "2024-01-25T00:00:00Z", to).Replace(x)
		return mustRead(t, "x", katCertificate+x)
	}
	for _, tt := range []struct {
		from, to string
		ok       bool
		reason   string
	}{
		{"2023-12-12", "2024-01-11", true, ""},
		{"2024-01-10T23:59:59Z", "", true, ""},
		{"2024-01-11", "", false, "the period is 2023-12-12T00:00:00Z/2024-01-11T00:00:00Z, the keys are valid 2024-01-11T00:00:00Z/"},
		{"", "2023-12-12", false, "the period is 2023-12-12T00:00:00Z/2024-01-11T00:00:00Z, the keys are valid /2023-12-12T00:00:00Z"},
		{"2024-01-02", "2024-01-01", false, "the validity ends before it begins"},
	} {
		m := set(tt.from, tt.to)
		const what = "key period of sip:alice@example.org, period 1509, against its validity"
		for _, v := range []Verdict{verdict(t, m.Verdicts, what), verdict(t, m.Verify(time.Time{}), what)} {
			if v.OK != tt.ok || v.Reason != tt.reason {
				t.Errorf("%s to %s: %+v", tt.from, tt.to, v)
			}
		}
	}
	for _, tt := range []struct {
		at     string
		ok     bool
		reason string
	}{
		{"2023-12-25T00:00:00Z", true, ""},
		{"2023-12-15T00:00:00Z", false, "valid from 2023-12-20T00:00:00Z"},
		{"2024-01-12T00:00:00Z", false, "that moment is in period 1510"},
		{"2024-01-30T00:00:00Z", false, "valid to 2024-01-25T00:00:00Z"},
	} {
		at, _ := time.Parse(time.RFC3339, tt.at)
		v := verdict(t, set("2023-12-20T00:00:00Z", "2024-01-25T00:00:00Z").Verify(at), "key period of sip:alice@example.org, period 1509, at "+tt.at)
		if v.OK != tt.ok || v.Reason != tt.reason {
			t.Errorf("%+v", v)
		}
	}
}

func TestVerifyWithout(t *testing.T) {
	m := mustRead(t, "x", "RSK mcptt.example.org kms.example.org 1509 "+katRSKHex+"\nSSK sip:alice@example.org kms.example.org 1509 "+katSSK+"\n")
	if len(m.Verdicts) != 0 {
		t.Errorf("verdicts without anything to verify against: %+v", m.Verdicts)
	}
	all := m.Verify(time.Time{})
	if v := verdict(t, all, "RSK of "); v.OK || v.Reason != "no certificate of the KMS kms.example.org" {
		t.Errorf("%+v", v)
	}
	if v := verdict(t, all, "SSK of "); v.OK || v.Reason != "no PVT to verify it with" {
		t.Errorf("%+v", v)
	}
	m = mustRead(t, "x", "RSK mcptt.example.org k 1509 "+katRSKHex+"\nKMS k 2592000 0 - "+katKPAKHex+"\n")
	if v := verdict(t, m.Verify(time.Time{}), "RSK of "); v.OK || v.Reason != "the certificate of the KMS k lacks the public key" {
		t.Errorf("%+v", v)
	}
	// Leading zeros of an SSK, one product writing two octets of them and others none.
	for _, ssk := range []string{"0000" + katSSK, katSSK} {
		m = mustRead(t, "x", "SSK sip:alice@example.org kms.example.org 1509 "+ssk+"\n")
		if fmt.Sprintf("%x", m.UserKeys[0].SSK.Reveal()) != katSSK {
			t.Error("leading zeros change the SSK")
		}
	}
	if s, err := parseSSK(mustHex(katSSK[4:])); err != nil || s.Len() != 32 || s.Reveal()[0] != 0 || s.Reveal()[31] != 0x8f {
		t.Errorf("%v", err)
	}
}
