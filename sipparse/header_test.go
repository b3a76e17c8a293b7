package sipparse

import (
	"strings"
	"testing"
)

// refLookup is LookupHeader by comparing with every name.
func refLookup(name string) HeaderID {
	for id := HdrOther + 1; id < hdrCount; id++ {
		info := headerTable[id]
		if asciiLower(name) == asciiLower(info.name) || info.compact != 0 && asciiLower(name) == string(info.compact) {
			return id
		}
	}
	return HdrOther
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 0x20
		}
	}
	return string(b)
}

func TestHeaderTable(t *testing.T) {
	seen := map[string]HeaderID{}
	for _, id := range HeaderIDs() {
		info := headerTable[id]
		if info.name == "" || info.clause == "" {
			t.Errorf("header %d has no name or no clause", id)
		}
		for _, k := range []string{asciiLower(info.name), string(info.compact)} {
			if k == "\x00" {
				continue
			}
			if other, dup := seen[k]; dup {
				t.Errorf("%q is %v and %v", k, other, id)
			}
			seen[k] = id
		}
		if id.Single() && id.List() {
			t.Errorf("%v is a list and single", id)
		}
		for _, v := range []string{info.name, strings.ToUpper(info.name), asciiLower(info.name)} {
			if got := LookupHeader([]byte(v)); got != id {
				t.Errorf("%q is %v, want %v", v, got, id)
			}
		}
		// One octet changed, added or taken away is another name.
		for i := range len(info.name) {
			for _, x := range []byte{0x20, 0x80, 1, 0x40} {
				b := []byte(info.name)
				b[i] ^= x
				if got, want := LookupHeader(b), refLookup(string(b)); got != want {
					t.Errorf("%q is %v, want %v", b, got, want)
				}
			}
			if b := info.name[:i]; LookupHeader([]byte(b)) != refLookup(b) {
				t.Errorf("%q is %v", b, LookupHeader([]byte(b)))
			}
		}
	}
	for c := range 256 {
		if got, want := LookupHeader([]byte{byte(c)}), refLookup(string([]byte{byte(c)})); got != want {
			t.Errorf("compact %#x is %v, want %v", c, got, want)
		}
	}
	if LookupHeader(nil) != HdrOther || LookupHeader(make([]byte, 100)) != HdrOther {
		t.Error("no name, or too long a name, has a number")
	}
	if HeaderID(250).String() != "HeaderID(250)" || HdrOther.String() != "Other" || HdrCallID.String() != "Call-ID" {
		t.Error("String")
	}
}

func FuzzLookupHeader(f *testing.F) {
	f.Add([]byte("P-Charging-Function-Addresses"))
	f.Add([]byte("content-type"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := LookupHeader(b), refLookup(string(b)); got != want {
			t.Fatalf("%q is %v, want %v", b, got, want)
		}
	})
}

func TestOctets(t *testing.T) {
	// Exhaustive: each octet at each place among printable ones, and two odd octets at once.
	for n := 1; n < 20; n++ {
		for at := range n {
			for c := range 256 {
				b := []byte(strings.Repeat("a", n))
				b[at] = byte(c)
				want := n
				if c < 0x20 || c > 0x7e {
					want = at
				}
				if got := printable(b); got != want {
					t.Fatalf("printable(%q) = %d, want %d", b, got, want)
				}
				if at > 0 {
					b[at-1] = 0xff
					if got := printable(b); got != at-1 {
						t.Fatalf("printable(%q) = %d, want %d", b, got, at-1)
					}
				}
			}
		}
	}
	for _, tt := range []struct {
		in       string
		v        uint64
		over, ok bool
	}{
		{"", 0, false, false}, {"0", 0, false, true}, {"0009", 9, false, true}, {"18446744073709551615", 1<<64 - 1, false, true},
		{"18446744073709551616", 1<<64 - 1, true, true}, {"36893488147419103232", 1<<64 - 1, true, true}, {"-1", 0, false, false},
		{"1 ", 0, false, false}, {strings.Repeat("9", 4000), 1<<64 - 1, true, true}, {"99999999999999999999a", 0, false, false},
		{"00000000000000000000000000000000000007", 7, false, true},
	} {
		if v, over, ok := number([]byte(tt.in)); over != tt.over || ok != tt.ok || ok && v != tt.v {
			t.Errorf("number(%q) = %d %v %v", tt.in, v, over, ok)
		}
	}
}
