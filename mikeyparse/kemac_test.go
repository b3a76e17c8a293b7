package mikeyparse

import (
	"errors"
	"fmt"
	"testing"
)

func TestKeyDataChain(t *testing.T) {
	one, two := "14 00 0002 aabb", "00 31 0001 cc 0002 ddee 01 ff"
	for _, c := range []struct{ name, hex, want string }{
		{"two", one + two, "TGK:aabb: TEK+SALT:cc:ddee rest= <nil>"},
		{"octets behind", two + "99", "TEK+SALT:cc:ddee rest=99 <nil>"},
		{"none", "", "rest= <nil>"},
		{"another payload announced", "05 00 0000", "TGK:: rest= <nil>"},
		{"second cut", one + "00 31 0001 cc 0002 dd", "TGK:aabb: rest=00310001cc0002dd short"},
		{"unknown validity", one + "00 03 0001 cc", "TGK:aabb: rest=00030001cc value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.hex)
			trace := &tiles{t: t}
			keys, rest, err := ParseKeyData(b, trace.see)
			if trace.at != len(b) {
				t.Errorf("fields end at %d of %d", trace.at, len(b))
			}
			got, at := "", 0
			for _, k := range keys {
				got += fmt.Sprintf("%s:%x:%x ", k.KeyDataType, k.Key, k.Salt)
				if off, end := k.Range(); off != at || end <= off {
					t.Errorf("range [%d,%d) after %d", off, end, at)
				} else {
					at = end
				}
			}
			why := fmt.Sprint(err)
			if errors.Is(err, ErrShort) {
				why = "short"
			} else if errors.Is(err, ErrValue) {
				why = "value"
			}
			if got += fmt.Sprintf("rest=%x %s", rest, why); got != c.want {
				t.Errorf("read\n%s instead of\n%s", got, c.want)
			}
		})
	}
	many := unhex(t, "14000000")
	for len(many) < 4*300 {
		many = append(many, many...)
	}
	if keys, _, err := ParseKeyData(many, nil); !errors.Is(err, ErrLimit) || len(keys) != 256 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// A value that hides a length makes the payload and all behind it raw.
func TestUndecodable(t *testing.T) {
	for _, c := range []struct {
		name string
		kind PayloadType
		hex  string
		off  int
	}{
		{"MAC of KEMAC", TypeKEMAC, "00 00 0000 09 aabb", 14},
		{"MAC of V", TypeV, "00 09 aabb", 11},
		{"hash", TypeCHASH, "00 09 aabb", 11},
		{"DH group", TypeDH, "00 09 aabb", 11},
		{"DH validity", TypeDH, "00 01" + hex32 + hex32 + hex32 + "05 aabb", 10 + 2 + 96},
		{"key validity", TypeKeyData, "00 05 0000 aabb", 11},
		{"role of time", TypeTR, "00 01 07 aabb", 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := append([]byte{1, 0, uint8(c.kind), 0, 0, 0, 0, 0, 0, 1}, unhex(t, c.hex)...)
			m, err := mustHold(t, b)
			if err != nil || len(m.Payloads) != 1 {
				t.Fatalf("%v, %v", m.Payloads, err)
			}
			raw, ok := m.Payloads[0].(*Raw)
			if !ok || raw.Type() != c.kind || len(raw.Data) != len(b)-10 {
				t.Errorf("%+v", m.Payloads[0])
			}
			if d := m.Deviations[len(m.Deviations)-1]; d.Kind != DevUndecodable || d.Off != c.off || d.String() == "" {
				t.Errorf("%+v, want octet %d", d, c.off)
			}
		})
	}
}

func TestReservedBits(t *testing.T) {
	for _, c := range []struct {
		kind PayloadType
		hex  string
		off  int
	}{
		{TypeDH, "00 01" + hex32 + hex32 + hex32 + "10", 10 + 2 + 96},
		{TypeERR, "00 00 0100", 12},
		{TypeTP, "00 0001 00 00 000001 0000", 17},
	} {
		b := append([]byte{1, 0, uint8(c.kind), 0, 0, 0, 0, 0, 0, 1}, unhex(t, c.hex)...)
		m, err := mustHold(t, b)
		if err != nil || kinds(m) != "reserved-bits" || m.Deviations[0].Off != c.off {
			t.Errorf("%s: %v, %v", c.kind, err, m.Deviations)
		}
	}
}

func TestTicketFlags(t *testing.T) {
	p := TicketPolicy{Flags: 1<<11 | 1}
	for l := byte('A'); l <= 'Z'; l++ {
		if p.Flag(l) != (l == 'D' || l == 'O') {
			t.Errorf("flag %c is %v", l, p.Flag(l))
		}
	}
}
