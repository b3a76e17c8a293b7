package decode

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// What is remembered of header field values is what looking at them gives.
func TestCheckMemo(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	values := []string{"", "*;+g.3gpp.mcptt;require;explicit", "*;+g.3gpp.mcvideo;require;explicit", "*;+G.3gpp.MCData.sds;Require;EXPLICIT", "*;+g.3gpp.mcptt;require",
		`*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt";require;explicit`, "urn:urn-7:3gpp-service.ims.icsi.mcptt", "urn:urn-7:3gpp-service.ims.icsi.mcdata.fd",
		"urn:urn-7:3gpp-service.ims.icsi.mcvideo", "*;+g.3gpp.mcptt;require;explicit" + strings.Repeat(";x", 200)}
	for i := range 40 {
		values = append(values, fmt.Sprintf("*;+g.3gpp.mcptt;x=%d;require;explicit", i), fmt.Sprintf("*;+g.3gpp.mcptt;x=%d;explicit", i),
			fmt.Sprintf("*;+g.3gpp.mcptt;x=%d;rexuire;explicit", i), fmt.Sprintf("urx:urn-7:3gpp-service.ims.icsi.mc%c%c%c", "pvd"[i%3], "tia"[i%3], "tet"[i/3%3]), fmt.Sprintf("urn:urn-7:3gpp-service.ims.icsi.mc%c%ct", "px"[i%2], "tx"[i/2%2]))
	}
	var m checkMemo
	icsi := func(b []byte) int { return icsiService(string(b)) }
	named := 0
	for range 5000 {
		v := []byte(values[g.IntN(len(values))])
		if got, want := m.accepts.of(v, required), required(v); got != want {
			t.Fatalf("%q: %d, want %d", v, got, want)
		} else if got > 0 {
			named++
		}
		if got, want := m.icsis.of(v, icsi), icsi(v); got != want {
			t.Fatalf("%q: %d, want %d", v, got, want)
		}
		clear(v) // the octets serve another message
	}
	if named < 1000 {
		t.Errorf("%d values named a service", named)
	}
}

func TestHasOldSettings(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 4))
	const want = "urn:3gpp:ns:mcsSettings:1.0"
	found := 0
	for range 20000 {
		var b []byte
		for range 1 + g.IntN(6) {
			from := g.IntN(len(want))
			if g.IntN(3) == 0 {
				from = 0
			}
			b = append(b, want[from:from+1+g.IntN(len(want)-from)]...)
			if g.IntN(4) == 0 {
				b = append(b, want...)
			}
		}
		got := hasOldSettings(b)
		if got != bytes.Contains(b, []byte(want)) {
			t.Fatalf("%q: %v", b, got)
		}
		if got {
			found++
		}
	}
	if found < 1000 || found > 19000 {
		t.Errorf("found in %d", found)
	}
}
