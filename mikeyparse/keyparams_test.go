package mikeyparse

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

const (
	keyParamsGMK = "00 00000001 0068d7eafa 00ffffffff 0003 414243 0021 01 7b 001d 7369703a67726f757040782e6578616d706c652e6f72672e6162636465"
	keyParamsCSK = "02 00000001 0065920080 0065935200 0000"
)

func TestKeyParameters(t *testing.T) {
	for _, c := range []struct{ name, hex, want string }{
		{"GMK", keyParamsGMK, "GMK 1 false 2025-09-27 true - false ABC [7b sip:group@x.example.org.abcde] 1 res="},
		{"CSK", keyParamsCSK, "CSK 1 false 2024-01-01 true 2024-01-02 true  [] 0 res="},
		{"empty group list", "00 00000001 0000000000 0000000000 0000 0001 00", "GMK 1 false - false - false  [] 0 res="},
		{"list without a count", "00 00000000 0000000000 0000000000 0000 0000", "GMK 0 true - false - false  [] 0 res="},
		{"no group list", "06 00000003 0000000000 0000000000 0001 61", "MuSiK 3 false - false - false a [] 0 res="},
		{"reserved", "02 00000001 0000000000 0000000000 0000 ff", "CSK 1 false - false - false  [] 0 res=ff"},
		{"IEI", "55 0012 02 00000001 0000000000 0000000000 0001 61", "CSK 1 false - false - false a [] 0 res="},
		{"no text", "00 00000001 00652caa11 0067074611", "GMK 1 false 2023-10-16 true 2024-10-10 true  [] 0 res="},
		{"unknown type", "0f 00000001 0000000000 0000000000 0000", "KeyType(15) 1 false - false - false  [] 0 res="},
		{"count too high", "00 00000001 0000000000 0000000000 0000 0005 02 7b 0001 61", "GMK 1 false - false - false  [7b a] 2 res="},
		{"group cut inside its list", "00 00000001 0000000000 0000000000 0000 0004 01 7b 0009 ee", "GMK 1 false - false - false  [] 1 res=ee"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.hex)
			trace := &tiles{t: t}
			k, err := ParseKeyParameters(b, trace.see)
			if err != nil || trace.at != len(b) {
				t.Fatalf("%v, fields end at %d of %d", err, trace.at, len(b))
			}
			act, exp := "-", "-"
			a, aok := k.ActivationTime()
			e, eok := k.ExpiryTime()
			if aok {
				act = a.Format("2006-01-02")
			}
			if eok {
				exp = e.Format("2006-01-02")
			}
			groups := []string{}
			for _, g := range k.Groups {
				groups = append(groups, fmt.Sprintf("%02x %s", g.IEI, g.ID))
			}
			got := fmt.Sprintf("%s %d %v %s %v %s %v %s %v %d res=%x", k.KeyType, k.Status, k.Revoked(), act, aok, exp, eok, k.Text, groups, k.GroupCount, k.Reserved)
			if got != c.want {
				t.Errorf("read\n%s instead of\n%s", got, c.want)
			}
			if out, err := k.AppendBinary([]byte("x")); err != nil || string(out) != "x"+string(b) {
				t.Errorf("written back %x, %v", out, err)
			}
			for n := range b {
				k, err := ParseKeyParameters(b[:n:n], nil)
				if k == nil {
					t.Fatal("no parameters")
				}
				e, bad := errors.AsType[*Error](err)
				if bad && (e.Off > n || !fieldNames[e.Field]) {
					t.Errorf("cut at %d: %v", n, err)
				}
				if !bad && n < 15 {
					t.Errorf("cut at %d went unnoticed", n)
				}
			}
		})
	}
}

func TestKeyParametersRefuses(t *testing.T) {
	for _, k := range []KeyParameters{
		{Activation: 1 << 40}, {Expiry: 1 << 40}, {Text: make([]byte, 1<<16)},
		{Groups: make([]GroupID, 256)}, {Groups: []GroupID{{ID: make([]byte, 1<<16)}}}, {HasGroups: true, GroupTail: make([]byte, 1<<16)},
		{HasIEI: true, Reserved: make([]byte, 1<<16)},
	} {
		if _, err := k.AppendBinary(nil); err == nil {
			t.Errorf("%d groups, %d octets of text written", len(k.Groups), len(k.Text))
		}
	}
}

func TestPlainKeyParameters(t *testing.T) {
	// Products of early releases count key types from 1, others from 0.
	for _, c := range []struct {
		csb, hex string
		want     KeyType
	}{
		{"048209a7", "01 00000001 0000000000 0000000000 0000", KeyGMK},
		{"1432feda", "02 00000001 0000000000 0000000000 0000 0000 0000", KeyPCK},
		{"1432feda", "01 00000001 0000000000 0000000000 0000", KeyPCK},
		{"048de7cf", "00 00000001 00652caa11 0067074611", KeyGMK},
		{"2abcdef0", "05 00000001 0000000000 0000000000 0000", KeyMSCCK},
	} {
		data := unhex(t, c.hex)
		b := append(unhex(t, "011a1501"+c.csb+"0001 00 07"), 0, uint8(len(data)))
		m, err := mustHold(t, append(b, data...))
		if err != nil {
			t.Fatal(err)
		}
		x := m.KeyParameters()
		if x.Protected != nil || x.Plain == nil || x.Plain.KeyType != c.want || x.Plain.KeyTypeRaw != data[0] {
			t.Errorf("%s %s: %+v", c.csb, c.hex, x.Plain)
		}
		if out, err := x.Plain.AppendBinary(nil); err != nil || !bytes.Equal(out, data) {
			t.Errorf("%s: written back %x, %v", c.hex, out, err)
		}
	}
}

func FuzzKeyParameters(f *testing.F) {
	f.Add(unhex(f, keyParamsGMK))
	f.Add(unhex(f, keyParamsCSK))
	f.Add(unhex(f, "78 0013 00 00000001 0000000000 0000000000 0000 ffff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		trace := &tiles{t: t}
		k, err := ParseKeyParameters(b, trace.see)
		if trace.at != len(b) {
			t.Fatalf("fields end at %d of %d", trace.at, len(b))
		}
		if err != nil {
			return
		}
		if out, err := k.AppendBinary(nil); err != nil || !bytes.Equal(out, b) {
			t.Fatalf("written back (%v)\n%x\ninstead of\n%x", err, out, b)
		}
	})
}
