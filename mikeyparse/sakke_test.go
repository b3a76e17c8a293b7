package mikeyparse

import (
	"bytes"
	"testing"
)

func TestSAKKEData(t *testing.T) {
	for _, c := range []struct {
		n, h int
		ok   bool
		want string
	}{
		{273, 16, true, ""},
		{272, 15, true, "sed-length"},
		{289, 32, true, "sed-length"},
		{258, 1, true, "sed-length"},
		{257, 0, false, "sed-length"},
		{0, 0, false, "sed-length"},
	} {
		s := &SAKKE{Params: SAKKEParamSet1, IDScheme: IDSchemeMCX, Data: bytes.Repeat([]byte{4}, c.n)}
		if r, h, ok := s.Split(); ok != c.ok || ok && (len(r) != 257 || len(h) != c.h) {
			t.Errorf("%d octets: %d and %d, %v", c.n, len(r), len(h), ok)
		}
		m := Message{Header: Header{Version: 1, MapType: MapEmpty}, Payloads: []Payload{s}}
		m.Link()
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		back, err := mustHold(t, b)
		if err != nil || kinds(back) != c.want {
			t.Errorf("%d octets: %v, %q", c.n, err, kinds(back))
		}
	}
}

func TestECCSIParts(t *testing.T) {
	for _, s := range []SIGN{{SigType: SigECCSI, Signature: make([]byte, 128)}, {SigType: SigRSAPSS, Signature: make([]byte, 129)}} {
		if _, _, _, ok := s.ECCSI(); ok {
			t.Errorf("%s with %d octets was split", s.SigType, len(s.Signature))
		}
	}
	if a, b := new(Message).SignedOctets(nil); a != nil || b != nil {
		t.Error("signed octets without a signature")
	}
}
