package mikeyparse

import (
	"bytes"
	"fmt"
	"testing"
)

func TestHeader(t *testing.T) {
	for _, c := range []struct{ name, hex, want string }{
		{"shortest", "0106000000000000 00 01", "Error Last V=false MIKEY-1 0 Empty map [] [] end=10"},
		{"empty map with a count", "0106000000000000 05 01", "Error Last V=false MIKEY-1 5 Empty map [] [] end=10"},
		{"SRTP-ID", "01000081 00000001 02 00 00 cafebabe 00000007 01 00000000 00000000", "Pre-shared key Last V=true PRF-HMAC-SHA-256 2 SRTP-ID [{0 3405691582 7} {1 0 0}] [] end=28"},
		{"GENERIC-ID", "010e0001 00000001 02 02 04 00 82 0001 000a 00000009 00000001 0002 02 abcd 05 01 00 0000 00", "TRANSFER_INIT Last V=false PRF-HMAC-SHA-256 2 GENERIC-ID [] [{4 SRTP true [0 1] [0 0 0 9 0 0 0 1 0 2] [171 205]} {5 TESLA false [] [] []}] end=36"},
		{"three sessions", "010e0001 00000001 03 02 04 00 00 0000 00 04 00 00 0000 00 04 00 00 0000 00", "TRANSFER_INIT Last V=false PRF-HMAC-SHA-256 3 GENERIC-ID [] [{4 SRTP false [] [] []} {4 SRTP false [] [] []} {4 SRTP false [] [] []}] end=28"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.hex)
			m, err := mustHold(t, b)
			h := &m.Header
			if err != nil || len(m.Rest) != 0 {
				t.Fatalf("%v, rest %x", err, m.Rest)
			}
			if got := fmt.Sprintf("%s %s V=%v %s %d %s %v %v end=%d", h.DataType, h.Next, h.V, h.PRF, h.NumCS, h.MapType, h.SRTP, h.Generic, h.End); got != c.want {
				t.Errorf("read\n%s instead of\n%s", got, c.want)
			}
			if out, err := h.AppendBinary(nil); err != nil || !bytes.Equal(out, b) {
				t.Errorf("written back %x, %v", out, err)
			}
			for n := range b {
				if _, err := mustHold(t, b[:n:n]); err == nil {
					t.Errorf("cut at %d went unnoticed", n)
				}
			}
		})
	}
}

func TestGenericSSRC(t *testing.T) {
	for _, c := range []struct {
		g    GenericID
		ssrc uint32
		ok   bool
	}{
		{GenericID{Session: []byte{1, 2, 3, 4, 5}}, 0x01020304, true},
		{GenericID{Session: []byte{1, 2, 3}}, 0, false},
		{GenericID{ProtType: ProtTESLA, Session: []byte{1, 2, 3, 4}}, 0, false},
	} {
		if ssrc, ok := c.g.SSRC(); ssrc != c.ssrc || ok != c.ok {
			t.Errorf("%+v: %x, %v", c.g, ssrc, ok)
		}
	}
}

func TestGMKID(t *testing.T) {
	for _, c := range []struct {
		csb  uint32
		spi  string
		want uint32
		ok   bool
	}{
		{0x06a12aea, "0df9bc39 06a12aea", 0x0df9bc39, true},
		{0x06a12aeb, "0df9bc39 06a12aea", 0, false},
		{0x06a12aea, "06a12aea", 0, false},
		{0x26a12aea, "0df9bc39 26a12aea", 0, false}, // a CSK has none
	} {
		m := Message{Header: Header{CSBID: c.csb, Generic: []GenericID{{SPI: unhex(t, c.spi)}}}}
		if id, ok := m.GMKID(); id != c.want || ok != c.ok {
			t.Errorf("%08x %s: %08x, %v", c.csb, c.spi, id, ok)
		}
	}
}

// A map nobody registered hides the payloads; nothing is lost.
func TestUnknownMap(t *testing.T) {
	b := unhex(t, "011a0501 2abcdef0 01 07 aabbcc")
	m, err := mustHold(t, b)
	if err != nil || kinds(m) != "map-type" || m.CSBID() != 0x2abcdef0 || m.RestOff != 10 || len(m.Rest) != 3 || len(m.Payloads) != 0 {
		t.Errorf("%v %q %+v", err, kinds(m), m)
	}
}
