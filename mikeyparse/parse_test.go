package mikeyparse

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// csk641 is a CSK upload of alice to mcptt.example.org with one crypto session
// and protected key parameters; the keys in it are test keys.
const csk641 = `
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
a878ee65de2ab275f8513e9362a362347b`

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseCSK(t *testing.T) {
	b := unhex(t, csk641)
	m, err := Parse(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Payloads {
		t.Logf("%s %T", p.Type(), p)
	}
	for _, d := range m.Deviations {
		t.Log(d)
	}
	out, err := m.AppendBinary(nil)
	if err != nil || !bytes.Equal(out, b) {
		t.Fatalf("append: %v\n%x\n%x", err, out, b)
	}
}
