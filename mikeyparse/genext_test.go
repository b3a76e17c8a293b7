package mikeyparse

import (
	"fmt"
	"testing"
)

func TestExtensionReadings(t *testing.T) {
	for _, c := range []struct{ name, hex, want, deviate string }{
		{"SDP IDs", "01 000b 6d696b65793b6b65797031", "[mikey keyp1] 0 false BCASTType(0)  false", ""},
		{"SDP IDs, none", "01 0000", "[] 0 false BCASTType(0)  false", ""},
		{"CSB ID", "04 0004 12345678", "[] 12345678 true BCASTType(0)  false", ""},
		{"CSB ID, long", "04 0005 1234567800", "[] 0 false BCASTType(0)  false", "inner-structure"},
		{"CSB ID, short", "04 0003 123456", "[] 0 false BCASTType(0)  false", "inner-structure"},
		{"BCAST", "05 0003 02 aabb", "[] 0 false STKM aabb true", ""},
		{"BCAST, empty", "05 0000", "[] 0 false BCASTType(0)  false", "inner-structure"},
		{"Key ID, cut", "03 0004 00 01 aa 02", "[] 0 false BCASTType(0)  false", "inner-structure"},
		{"self", "06 0005 00 01 02 0000", "[] 0 false BCASTType(0)  false", "sed-length"},
		{"self, next", "06 0005 1a 01 02 0000", "[] 0 false BCASTType(0)  false", "sed-length reserved-bits"},
		{"self, cut", "06 0004 00 01 02 00", "[] 0 false BCASTType(0)  false", "inner-structure"},
		{"self, octets behind", "06 0006 00 02 02 0000 ff", "[] 0 false BCASTType(0)  false", "sakke-params inner-structure"},
		{"key parameters, none", "07 0000", "[] 0 false BCASTType(0)  false", "keyparams-plain inner-structure"},
		{"sealed, cut", "07 0002 4300", "[] 0 false BCASTType(0)  false", "inner-structure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A second payload shows that the chain goes on behind the extension.
			b := append(unhex(t, "01001500000000000001 05"), unhex(t, c.hex)...)
			b = append(b, unhex(t, "00 02 00000001")...)
			m, err := mustHold(t, b)
			if err != nil || len(m.Payloads) != 2 || m.Timestamp() == nil {
				t.Fatalf("%v, %d payloads", err, len(m.Payloads))
			}
			x := m.Payloads[0].(*GenExt)
			id, ok := x.CSBID()
			kind, body, bok := x.BCAST()
			if got := fmt.Sprintf("%v %x %v %s %x %v", x.SDPIDs(), id, ok, kind, body, bok); got != c.want {
				t.Errorf("read %s instead of %s", got, c.want)
			}
			if kinds(m) != c.deviate {
				t.Errorf("deviations %q instead of %q", kinds(m), c.deviate)
			}
		})
	}
}
