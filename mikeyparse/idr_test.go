package mikeyparse

import (
	"bytes"
	"testing"
)

func TestIdentity(t *testing.T) {
	uid := bytes.Repeat([]byte{0x8f}, 32)
	for _, c := range []struct {
		name    string
		id      IDR
		text    string
		isText  bool
		isUID   bool
		deviate string // with data type SAKKE and all other payloads absent
	}{
		{"URI", IDR{Role: RoleInitiator, IDType: IDURI, ID: []byte("sip:a@b")}, "sip:a@b", true, false, ""},
		{"NAI", IDR{Role: RoleKMSInitiator, ID: []byte("kms")}, "kms", true, false, ""},
		{"UTF-8", IDR{Role: RoleResponder, IDType: IDURI, ID: []byte("sip:jürgen@b")}, "sip:jürgen@b", true, false, ""},
		{"hidden", IDR{Role: RoleUIDInitiator, IDType: IDByteString, ID: uid}, "", false, true, ""},
		{"hidden, labelled URI", IDR{Role: RoleUIDResponder, IDType: IDURI, ID: uid}, "", false, true, "uid-type"},
		{"hidden, 32 letters", IDR{Role: RoleUIDInitiator, IDType: IDURI, ID: bytes.Repeat([]byte("a"), 32)}, "", false, true, "uid-type"},
		{"hidden, short", IDR{Role: RoleUIDInitiator, IDType: IDByteString, ID: uid[:31]}, "", false, false, "uid-length"},
		{"UID under an open role", IDR{Role: RoleInitiator, IDType: IDURI, ID: uid}, "", false, true, "uid-role"},
		{"32 letters under an open role", IDR{Role: RoleInitiator, IDType: IDURI, ID: bytes.Repeat([]byte("a"), 32)}, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true, false, ""},
		{"octets for a KMS", IDR{Role: RoleKMSInitiator, IDType: IDURI, ID: uid}, "", false, false, "id-text"},
		{"zero at the end", IDR{Role: RoleKMSResponder, IDType: IDURI, ID: []byte("kms.x\x00")}, "kms.x", true, false, "id-nul"},
		{"byte string", IDR{Role: RoleApplication, IDType: IDByteString, ID: []byte("abc")}, "", false, false, ""},
		{"empty", IDR{Role: RoleApplication, IDType: IDURI}, "", false, false, "id-text"},
		{"role 0", IDR{Role: 0, IDType: IDURI, ID: []byte("x")}, "x", true, false, "id-role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, ok := c.id.Text()
			if text != c.text || ok != c.isText {
				t.Errorf("text %q, %v", text, ok)
			}
			if u, ok := c.id.UID(); ok != c.isUID || ok && !bytes.Equal(u, c.id.ID) {
				t.Errorf("UID %x, %v", u, ok)
			}
			m := Message{Header: Header{Version: 1, DataType: DataSAKKE, PRF: PRFHMACSHA256, MapType: MapEmpty}, Payloads: []Payload{&c.id}}
			m.Link()
			b, err := m.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			back, err := mustHold(t, b)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			for _, d := range back.Deviations {
				if d.Kind != DevMissing {
					got += string(d.Kind)
				}
			}
			if got != c.deviate {
				t.Errorf("deviations %q instead of %q", got, c.deviate)
			}
		})
	}
}

func TestKMSForBoth(t *testing.T) {
	a, b, r := &IDR{Role: RoleKMS, ID: []byte("a")}, &IDR{Role: RoleKMS, ID: []byte("b")}, &IDR{Role: RoleKMSResponder, ID: []byte("r")}
	for _, c := range []struct {
		ids    []Payload
		wi, wr *IDR
	}{
		{nil, nil, nil},
		{[]Payload{a}, a, a},
		{[]Payload{a, b}, a, b},
		{[]Payload{a, r}, a, r},
	} {
		m := Message{Payloads: c.ids}
		if m.InitiatorKMS() != c.wi || m.ResponderKMS() != c.wr {
			t.Errorf("%v: %v, %v", c.ids, m.InitiatorKMS(), m.ResponderKMS())
		}
	}
}
