package mikeyparse

import (
	"bytes"
	"fmt"
	"testing"
)

const protectedCSK = "430065920080000000000001101112131415161718191a1b1c1d1e1f2abcdef07800219b5f37238ba34fc112baf76d736693eaa91c0c675d45ff6c21aaa834ab172c4cc0"

func TestProtected(t *testing.T) {
	iv := "101112131415161718191a1b1c1d1e1f"
	for _, c := range []struct {
		name, hex string
		id        uint32
		want      string
	}{
		{"CSK", protectedCSK, 0x2abcdef0, "43 sig=false 0 id=2abcdef0 iei=78 33 aad=32 tail= imsg="},
		{"identifier not known", protectedCSK, 0, "43 sig=false 0 id=2abcdef0 iei=78 33 aad=32 tail= imsg="},
		{"identifier wrong", protectedCSK, 1, "43 sig=false 0 id=2abcdef0 iei=78 33 aad=32 tail= imsg="},
		{"signalling algorithm", "40 0065920080 00000000 00 01 02" + iv + "2abcdef0 00 0002 aabb", 0x2abcdef0, "40 sig=true 2 id=2abcdef0 iei=00 2 aad=33 tail= imsg="},
		{"signalling algorithm by length", "40 0065920080 00000000 00 01 02" + iv + "2abcdef0 00 0002 aabb", 0, "40 sig=true 2 id=2abcdef0 iei=00 2 aad=33 tail= imsg="},
		{"I_MESSAGE behind", "41 0065920080 01020304 05 02" + iv + "1abcdef0 78 0002 aabb 79 0003 011a05", 0x1abcdef0, "41 sig=false 0 id=1abcdef0 iei=78 2 aad=32 tail=790003011a05 imsg=011a05"},
		{"tail", "c1 0065920080 01020304 05 02" + iv + "1abcdef0 78 0000 79 0003", 0x1abcdef0, "c1 sig=false 0 id=1abcdef0 iei=78 0 aad=32 tail=790003 imsg="},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.hex)
			trace := &tiles{t: t}
			q, err := ParseProtected(b, c.id, trace.see)
			if err != nil || trace.at != len(b) {
				t.Fatalf("%v, fields end at %d of %d", err, trace.at, len(b))
			}
			got := fmt.Sprintf("%02x sig=%v %d id=%08x iei=%02x %d aad=%d tail=%x imsg=%x", q.MessageType, q.HasSigAlg, q.SigAlg, q.DPPKID, q.IEI, len(q.Sealed), len(q.AAD), q.Tail, q.IMessage())
			if got != c.want {
				t.Errorf("read %s instead of %s", got, c.want)
			}
			if out, err := q.AppendBinary(nil); err != nil || !bytes.Equal(out, b) {
				t.Errorf("written back %x, %v", out, err)
			}
			if aad, err := q.AppendAAD(nil); err != nil || !bytes.Equal(aad, q.AAD) || !bytes.HasPrefix(b, aad) {
				t.Errorf("additional data %x, %v", aad, err)
			}
			for n := range b {
				if q, err := ParseProtected(b[:n:n], c.id, nil); q == nil || err == nil && len(q.Tail) >= n {
					t.Errorf("cut at %d: %+v, %v", n, q, err)
				}
			}
		})
	}
	for _, q := range []Protected{{}, {IV: make([]byte, 16), DateTime: 1 << 40}, {IV: make([]byte, 16), Sealed: make([]byte, 1<<16)}} {
		if _, err := q.AppendBinary(nil); err == nil {
			t.Errorf("%+v was written", q)
		}
	}
}

func TestExtensionsBuilt(t *testing.T) {
	self, err := NewSAKKEToSelf(&SAKKE{Params: SAKKEParamSet1, IDScheme: IDSchemeMCX, Data: bytes.Repeat([]byte{4}, 273)})
	if err != nil || len(self.Data) != 278 {
		t.Fatalf("%d octets, %v", len(self.Data), err)
	}
	q, err := ParseProtected(unhex(t, protectedCSK), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	kp, err := NewKeyParameters(q)
	if err != nil {
		t.Fatal(err)
	}
	self2, kp2 := *self, *kp
	m := &Message{Header: Header{Version: 1, CSBID: 0x2abcdef0, MapType: MapEmpty}, Payloads: []Payload{self, kp, &self2, &kp2}}
	m.Link()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := mustHold(t, b)
	if err != nil || kinds(back) != "" {
		t.Fatal(err, kinds(back))
	}
	if s := back.SAKKEToSelf(); s == nil || len(s.Data) != 273 || s.Off != 14 || s.End != 14+278 {
		t.Errorf("SAKKE-to-self %+v", s)
	}
	if x := back.KeyParameters(); x.Protected == nil || !x.Protected.Equal(q) {
		t.Errorf("key parameters %+v", x)
	}
}

func FuzzProtected(f *testing.F) {
	f.Add(unhex(f, protectedCSK), uint32(0x2abcdef0))
	f.Fuzz(func(t *testing.T, b []byte, id uint32) {
		trace := &tiles{t: t}
		q, err := ParseProtected(b, id, trace.see)
		if trace.at != len(b) {
			t.Fatalf("fields end at %d of %d", trace.at, len(b))
		}
		if err != nil {
			return
		}
		if out, err := q.AppendBinary(nil); err != nil || !bytes.Equal(out, b) {
			t.Fatalf("written back (%v)\n%x\ninstead of\n%x", err, out, b)
		}
	})
}
