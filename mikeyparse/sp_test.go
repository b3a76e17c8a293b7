package mikeyparse

import (
	"fmt"
	"testing"
)

func TestPolicyValues(t *testing.T) {
	for _, c := range []struct {
		q    SPParam
		want string
	}{
		{SPParam{SPEncrAlg, []byte{6}}, "AES-GCM"},
		{SPParam{SPEncrAlg, []byte{9}}, "9"},
		{SPParam{SPAuthAlg, []byte{4}}, "RCCm3"},
		{SPParam{SPSRTCPAuthAlg, []byte{1}}, "HMAC-SHA-1"},
		{SPParam{SPPRF, []byte{2}}, "ARIA-CTR"},
		{SPParam{SPSRTPEncr, []byte{1}}, "on"},
		{SPParam{SPFECOrder, []byte{0}}, "FEC then SRTP"},
		{SPParam{SPROCRate, []byte{1, 0}}, "256"},
		{SPParam{SPEncrKeyLen, nil}, ""},
		{SPParam{21, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8}}, "000102030405060708"},
	} {
		if got := c.q.ValueName(); got != c.want {
			t.Errorf("%s %x prints as %q instead of %q", c.q.Type, c.q.Value, got, c.want)
		}
	}
}

func TestDefaultProfile(t *testing.T) {
	show := func(k KeyType) (s string) {
		for _, q := range DefaultProfile(k) {
			s += fmt.Sprintf("%d=%d ", q.Type, q.Value[0])
		}
		return s
	}
	if got, want := show(KeyGMK), "0=6 1=16 2=4 4=12 5=0 6=0 13=1 18=4 19=0 20=16 "; got != want {
		t.Errorf("GMK: %s", got)
	}
	for _, k := range []KeyType{KeyPCK, KeyCSK, KeyMuSiK} {
		if got, want := show(k), "0=6 1=16 4=12 5=0 6=0 20=16 "; got != want {
			t.Errorf("%s: %s", k, got)
		}
	}
	// The known message states the profile of its key.
	m, err := Parse(unhex(t, csk641), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range DefaultProfile(m.KeyType()) {
		if got, ok := m.SP().Param(q.Type); !ok || got.Value[0] != q.Value[0] {
			t.Errorf("%s is %x, %v", q.Type, got.Value, ok)
		}
	}
	if _, ok := m.SP().Param(SPFECOrder); ok {
		t.Error("a parameter that is not there was found")
	}
}
