package decode

import (
	"context"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// TestESPVerified: a request in ESP whose SPI is none that its Security-Verify gives back is found, and only where that is
// certain.
func TestESPVerified(t *testing.T) {
	const agreed = "ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;spi-c=1;spi-s=4711;port-c=6062;port-s=6063"
	in := []string{"esp"}
	for name, c := range map[string]struct {
		start, verify string
		layer         *flow.ESPLayer
		encap         []string
		want          bool
	}{
		"another":            {"", agreed, &flow.ESPLayer{SPI: 4712}, in, true},
		"the client's":       {"", agreed, &flow.ESPLayer{SPI: 1}, in, true},
		"two mechanisms":     {"", "tls;q=0.9, " + agreed, &flow.ESPLayer{SPI: 4712}, in, true},
		"below GTP":          {"", agreed, &flow.ESPLayer{SPI: 4712}, []string{"gtpu", "esp"}, true},
		"the right one":      {"", agreed, &flow.ESPLayer{SPI: 4711}, in, false},
		"right among others": {"", agreed + "," + strings.Replace(agreed, "4711", "4712", 1), &flow.ESPLayer{SPI: 4712}, in, false},
		"no ESP":             {"", agreed, nil, nil, false},
		"tls":                {"", "tls;q=0.1;spi-s=4711", &flow.ESPLayer{SPI: 4712}, in, false},
		"the network's":      {"", agreed, &flow.ESPLayer{SPI: 4712}, []string{"esp", "gtpu"}, false},
		"a tunnel":           {"", agreed, &flow.ESPLayer{SPI: 4712, Tunnel: true}, in, false},
		"tunnel agreed":      {"", agreed + ";mod=UDP-enc-tun", &flow.ESPLayer{SPI: 4712, Tunnel: true}, in, true},
		"unreadable":         {"", "ipsec-3gpp;spi-s=x", &flow.ESPLayer{SPI: 4712}, in, false},
		"a response":         {"SIP/2.0 200 OK", agreed, &flow.ESPLayer{SPI: 4712}, in, false},
	} {
		if c.start == "" {
			c.start = "OPTIONS sip:a@b SIP/2.0"
		}
		sip := c.start + "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nSecurity-Verify: " + c.verify + "\r\nContent-Length: 0\r\n\r\n"
		opt := &Options{Want: record.All()}
		opt.Limits = opt.Limits.withDefaults()
		r := newWorker(opt).message(context.Background(), &flow.Unit{Data: []byte(sip), ESP: c.layer, Encap: c.encap, Frames: []uint64{1}}, 1)
		found := false
		for _, f := range r.Findings {
			if f.ID == "esp-spi" {
				found = true
				if at := sip[f.Off : f.Off+f.Len]; !f.HasRange || !strings.HasPrefix(at, c.verify[:8]) {
					t.Errorf("%s: at %q", name, at)
				}
			}
		}
		if found != c.want {
			t.Errorf("%s: found %v: %v", name, found, r.Findings)
		}
		if has := len(r.Nodes) > 0 && r.Nodes[0].Field.Name == "esp"; has != (c.layer != nil) {
			t.Errorf("%s: esp in the record: %v", name, has)
		}
	}
}
