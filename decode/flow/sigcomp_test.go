package flow

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/esp"
)

var sigcompMessages = map[string]struct {
	b    []byte
	want string
}{
	"bytecode":             {cat([]byte{0xf8, 0x00, 0x41}, []byte("code"), []byte("payload")), "7 octets behind 4 octets of bytecode for address 128"},
	"bytecode to the end":  {cat([]byte{0xf8, 0x00, 0x4f}, []byte("code")), "0 octets behind 4 octets of bytecode for address 1024"},
	"state 6":              {cat([]byte{0xf9}, []byte("\x01\x02\x03\x04\x05\x06payload")), "7 octets that continue from state 010203040506"},
	"state 9":              {cat([]byte{0xfa}, []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09")), "0 octets that continue from state 010203040506070809"},
	"state 12":             {cat([]byte{0xfb}, []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0cx")), "1 octets that continue from state 0102030405060708090a0b0c"},
	"feedback":             {cat([]byte{0xfd, 0x7f}, []byte("\x01\x02\x03\x04\x05\x06x")), "1 octets that continue from state 010203040506"},
	"long feedback":        {cat([]byte{0xfd, 0x83, 1, 2, 3}, []byte("\x01\x02\x03\x04\x05\x06x")), "1 octets that continue from state 010203040506"},
	"feedback of 0 octets": {cat([]byte{0xfd, 0x80}, []byte("\x01\x02\x03\x04\x05\x06x")), "1 octets that continue from state 010203040506"},
	"NACK":                 {cat([]byte{0xf8, 0x00, 0x01, 2, 0, 0, 0}, bytes.Repeat([]byte{0xab}, 20)), "a NACK (RFC 4077) with reason 2 for the message with SHA-1 abababababababababababababababababababab"},
}

var sigcompOthers = map[string][]byte{
	"reserved destination": cat([]byte{0xf8, 0x00, 0x40}, []byte("codepayload")),
	"bytecode too long":    cat([]byte{0xf8, 0x01, 0x01}, []byte("code")),
	"state too short":      []byte("\xf9abc"),
	"feedback too long":    []byte("\xfd\xffabc"),
	"NACK too short":       []byte("\xf8\x00\x01abc"),
	"RTP":                  cat([]byte{0x80, 8}, make([]byte, 170)),
	"one octet":            {0xf8},
	"two octets":           {0xf8, 0},
}

func TestSigComp(t *testing.T) {
	up := func(port int, b []byte) []byte {
		return build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{40000, port}, b)
	}
	sa := espSuite{"null", 0, "hmac-sha-1-96", 20}.sa(t)
	tunnel := func(b []byte) []byte {
		return build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, seal(t, sa, 1, protoIPIP, build(ipHeader{proto: protoUDP}, udpHeader{40000, 40001}, b), nil))
	}
	for name, c := range sigcompMessages {
		for way, frame := range map[string][]byte{
			"5060": up(5060, c.b), "5061": up(5061, c.b), "in ESP": build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, seal(t, sa, 1, protoUDP, build(udpHeader{5062, 5063}, c.b), nil)),
		} {
			f := newFeed(Config{})
			f.frame(frame)
			if len(f.findings) != 1 || f.findings[0].ID != "sigcomp" || !strings.HasSuffix(f.findings[0].Message, ": "+c.want) || f.d.stats.SigComp != 1 || f.findings[0].Frames[0] != 1 {
				t.Errorf("%s, %s: %v", name, way, f.findings)
			}
		}
		f := newFeed(Config{})
		f.frame(up(40001, c.b)) // may be media
		f.frame(tunnel(c.b))
		if len(f.findings) != 0 || f.d.stats.SigComp != 0 {
			t.Errorf("%s: %v", name, f.findings)
		}
		m, ok := parseSigComp(c.b)
		if got := m.append(nil); !ok || !bytes.Equal(got, c.b) {
			t.Errorf("%s: %x became %x", name, c.b, got)
		}
	}
	for name, b := range sigcompOthers {
		f := newFeed(Config{ESP: []esp.SA{}})
		f.frame(up(5060, b))
		if len(f.findings) != 0 || f.d.stats.SigComp != 0 {
			t.Errorf("%s: %v", name, f.findings)
		}
	}
}

func TestSigCompStream(t *testing.T) {
	first := sigcompMessages["bytecode"].b
	for name, c := range map[string]struct {
		port  int
		parts [][]byte
		want  string
	}{
		"whole":           {5060, [][]byte{cat(first, []byte{0xff, 0xff})}, "it uploads 4 octets of bytecode for address 128"},
		"two at once":     {5061, [][]byte{cat(first, []byte{0xff, 0xff}, first, []byte{0xff, 0xff})}, "it uploads 4 octets of bytecode for address 128"},
		"goes on":         {5060, [][]byte{first[:5], first[5:], {0xff, 0xff}}, "it uploads 4 octets of bytecode for address 128"},
		"quoted":          {5060, [][]byte{[]byte("\xff\x00\x83abc\xff\x02\xff\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x10x\xff\xff")}, "it continues from state ffffff010203040506070809"},
		"another port":    {5062, [][]byte{cat(first, []byte{0xff, 0xff})}, ""},
		"not SigComp":     {5060, [][]byte{[]byte("\xf8\x00\x40code")}, ""},
		"too short":       {5060, [][]byte{[]byte("\xf9abc\xff\xff")}, ""},
		"reserved escape": {5060, [][]byte{[]byte("\xf9abc\xff\x80")}, "it continues from state"},
	} {
		f := newFeed(Config{})
		seq := uint32(100)
		f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoTCP}, tcpHeader{sport: 40000, dport: c.port, seq: seq, flags: tcpSYN}, ""))
		seq++
		for _, b := range c.parts {
			f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoTCP}, tcpHeader{sport: 40000, dport: c.port, seq: seq, flags: tcpACK}, b))
			seq += uint32(len(b))
		}
		f.d.Flush()
		ids := 0
		for _, g := range f.findings {
			if g.ID == "sigcomp" && strings.Contains(g.Message, c.want) {
				ids++
			}
		}
		if want := min(1, len(c.want)); ids != want || f.d.stats.SigComp != uint64(want) || len(f.findings) != want {
			t.Errorf("%s: %v", name, f.findings)
		}
	}
}

// TestSigCompMedia: octets that are no SigComp are rarely taken for it even on the ports of SIP.
func TestSigCompMedia(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	f := newFeed(Config{})
	for range 2000 {
		b := make([]byte, 172)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		b[0] = 0x80 | b[0]&0x3f // RTP and RTCP have version 2
		f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{5060, 5060}, b))
	}
	if f.d.stats.SigComp != 0 {
		t.Errorf("%d of 2000 RTP packets", f.d.stats.SigComp)
	}
}

// FuzzSigComp: what is read as a header is written as the same octets.
func FuzzSigComp(f *testing.F) {
	for _, c := range sigcompMessages {
		f.Add(c.b)
	}
	for _, b := range sigcompOthers {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := parseSigComp(b); ok {
			if got := m.append(nil); !bytes.Equal(got, b) {
				t.Fatalf("%x became %x", b, got)
			}
			if m.String() == "" {
				t.Fatal("no words")
			}
		}
		was := slices.Clone(b)
		if plain, _ := sigcompUnquote(b); len(plain) > len(b) || !bytes.Equal(was, b) {
			t.Fatal("unquoting makes it longer")
		}
	})
}
