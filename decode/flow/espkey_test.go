package flow

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/esp"
)

var espTestKey = []byte("0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqr")

// espSuite is a pair of algorithms with key lengths in octets.
type espSuite struct {
	enc string
	ek  int
	alg string
	ak  int
}

func (s espSuite) String() string { return fmt.Sprintf("%s/%d,%s", s.enc, s.ek*8, s.alg) }

func (s espSuite) sa(t testing.TB) esp.SA {
	t.Helper()
	sa, err := esp.New(s.enc, espTestKey[:s.ek], s.alg, espTestKey[20:20+s.ak])
	if err != nil {
		t.Fatal(s, err)
	}
	return sa
}

func espSuites() (out []espSuite) {
	auths := []espSuite{{alg: "null"}, {alg: "hmac-md5-96", ak: 16}, {alg: "hmac-sha-1-96", ak: 20}, {alg: "hmac-sha-256-128", ak: 32}, {alg: "hmac-sha-256-96", ak: 32},
		{alg: "hmac-sha-384-192", ak: 40}, {alg: "hmac-sha-512-256", ak: 40}, {alg: "aes-xcbc-mac-96", ak: 16}, {alg: "aes-cmac-96", ak: 16}}
	for _, e := range []espSuite{{enc: "null"}, {enc: "aes-cbc", ek: 16}, {enc: "aes-cbc", ek: 24}, {enc: "aes-cbc", ek: 32}, {enc: "des-ede3-cbc", ek: 24},
		{enc: "des-ede3-cbc", ek: 16}, {enc: "des-cbc", ek: 8}, {enc: "aes-ctr", ek: 20}, {enc: "aes-ctr", ek: 28}, {enc: "aes-ctr", ek: 36}} {
		for _, a := range auths {
			out = append(out, espSuite{e.enc, e.ek, a.alg, a.ak})
		}
	}
	for _, name := range []string{"aes-gcm", "aes-gcm-12", "aes-gcm-8", "aes-gmac"} {
		for _, n := range []int{20, 28, 36} {
			out = append(out, espSuite{enc: name, ek: n})
		}
	}
	for _, name := range []string{"aes-ccm", "aes-ccm-12", "aes-ccm-8"} {
		for _, n := range []int{19, 27, 35} {
			out = append(out, espSuite{enc: name, ek: n})
		}
	}
	return out
}

// seal makes an ESP packet of SPI 0xbeef.
func seal(t testing.TB, sa esp.SA, seq uint32, next byte, payload []byte, high *uint32) []byte {
	t.Helper()
	o, err := sa.Opener()
	if err != nil {
		t.Fatal(err)
	}
	b, err := o.Seal(nil, 0xbeef, seq, []byte("an-initial-vector"), next, payload, -1, high)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// espWays puts ESP around SIP in every way.
func espWays(t testing.TB, sa esp.SA, seq uint32, high *uint32) map[string][]byte {
	u := build(udpHeader{40000, 40001}, sipRequest)
	tcp := func(v6 bool) []byte {
		b := build(tcpHeader{sport: 40000, dport: 40001, seq: seq, flags: tcpACK}, sipRequest)
		src, dst := ipHeader{v6: v6}.addrs()
		p := packet{src: src, dst: dst, v6: v6}
		sum := uint32(protoTCP + len(b))
		for _, w := range [][]byte{src.AsSlice(), dst.AsSlice(), append(b, 0)[:len(b)+len(b)&1]} {
			for ; len(w) > 0; w = w[2:] {
				sum += uint32(binary.BigEndian.Uint16(w))
			}
		}
		sum = sum&0xffff + sum>>16
		binary.BigEndian.PutUint16(b[16:], ^uint16(sum+sum>>16))
		if !checksumTCP(&p, b) {
			t.Fatal("the checksum is wrong")
		}
		return b
	}
	in4, in6 := build(udp4(sipRequest)...), build(udp6(sipRequest)...)
	s := func(next byte, b []byte) []byte { return seal(t, sa, seq, next, b, high) }
	return map[string][]byte{
		"udp4":       build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, s(protoUDP, u)),
		"udp6":       build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoESP}, s(protoUDP, u)),
		"tcp4":       build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, s(protoTCP, tcp(false))),
		"tcp6":       build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoESP}, s(protoTCP, tcp(true))),
		"tunnel4in4": build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, s(protoIPIP, in4)),
		"tunnel6in4": build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, s(protoIPv6, in6)),
		"tunnel4in6": build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoESP}, s(protoIPIP, in4)),
		"nat4":       build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{61000, 4500}, s(protoUDP, u)),
		"nat6tunnel": build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoUDP}, udpHeader{4500, 4500}, s(protoIPv6, in6)),
		"gtpu": build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{2152, 2152}, raw(cat([]byte{0x30, 255}, be16(20+len(s(protoUDP, u))), be32(7))),
			ipHeader{proto: protoESP}, s(protoUDP, u)),
	}
}

// TestESPKeys reads every pair of algorithms in every way of carrying ESP.
func TestESPKeys(t *testing.T) {
	high := uint32(0)
	n := 0
	for _, suite := range espSuites() {
		sa := suite.sa(t)
		sa.SPI = 0xbeef
		for _, esn := range []*uint32{nil, &high} {
			for name, b := range espWays(t, sa, 9, esn) {
				f := newFeed(Config{ESP: []esp.SA{sa}})
				f.frame(b)
				f.d.Flush()
				n++
				if !slices.Equal(f.texts(), []string{sipRequest}) {
					t.Errorf("%s %s: %q %v %+v", suite, name, f.texts(), f.findings, f.d.stats)
					continue
				}
				l := f.units[0].ESP
				want := ICVOK
				if suite.alg == "null" {
					want = ICVNone
				}
				if l == nil || l.SPI != 0xbeef || l.Sequence != 9 || l.ICV != want || l.Enc != strings.ToLower(sa.Enc()) || l.UDP != strings.HasPrefix(name, "nat") || l.Tunnel != strings.Contains(name, "tunnel") {
					t.Errorf("%s %s: %+v", suite, name, l)
				}
				if f.d.stats.ESPDecrypted != 1 || f.d.stats.Encrypted+f.d.stats.ESPBadICV != 0 || len(f.units[0].Findings)+len(f.findings) != 0 {
					t.Errorf("%s %s: %+v %v", suite, name, f.d.stats, f.findings)
				}
			}
		}
	}
	if n < 2000 {
		t.Errorf("only %d packets", n)
	}
}

// TestESPWithoutKeys: null encryption needs no key, whatever the check value; the rest is told once.
func TestESPWithoutKeys(t *testing.T) {
	for _, suite := range espSuites() {
		sa := suite.sa(t)
		clear := suite.enc == "null" || suite.enc == "aes-gmac"
		for name, b := range espWays(t, sa, 9, nil) {
			f := newFeed(Config{})
			for range 3 {
				f.frame(b)
			}
			f.d.Flush()
			if clear {
				if len(f.units) == 0 || string(f.units[0].Data) != sipRequest || f.units[0].ESP.Enc != suite.enc || len(f.findings) != 0 {
					t.Errorf("%s %s: %q %v", suite, name, f.texts(), f.findings)
				}
				continue
			}
			if len(f.units) != 0 || len(f.findings) != 1 || f.findings[0].ID != "esp-no-key" || !strings.HasPrefix(f.findings[0].Message, "3 ESP packets with SPI 0000beef to ") || f.findings[0].Frames[0] != 1 {
				t.Errorf("%s %s: %q %v", suite, name, f.texts(), f.findings)
			}
			if s := f.d.Stats(); s.Encrypted != 3 || len(s.UnreadSPIs) != 1 || s.UnreadSPIs[0].Packets != 3 {
				t.Errorf("%+v", s)
			}
		}
	}
}

// TestESPBad: a check value that is wrong is a finding and the message is shown all the same; a wrong key is told once.
func TestESPBad(t *testing.T) {
	other := slices.Clone(espTestKey)
	for i := range other {
		other[i] ^= 0x55
	}
	for i, suite := range espSuites() {
		if testing.Short() && i%8 != 0 {
			continue
		}
		sa := suite.sa(t)
		sa.SPI = 0xbeef
		for name, b := range espWays(t, sa, 9, nil) {
			if suite.alg != "null" {
				f := newFeed(Config{ESP: []esp.SA{sa}})
				bad := slices.Clone(b)
				bad[len(bad)-1] ^= 1
				f.frame(bad)
				f.d.Flush()
				if len(f.units) != 1 || f.units[0].ESP.ICV != ICVBad || len(f.units[0].Findings) != 1 || f.units[0].Findings[0].ID != "esp-icv" || f.d.stats.ESPBadICV != 1 {
					t.Errorf("%s %s: %q %+v", suite, name, f.texts(), f.d.stats)
				}
			}
			if suite.ek == 0 || suite.enc == "aes-gmac" || suite.enc == "des-ede3-cbc" || suite.enc == "des-cbc" {
				continue
			}
			wrong, err := esp.New(suite.enc, other[:suite.ek], suite.alg, espTestKey[20:20+suite.ak])
			if err != nil {
				t.Fatal(err)
			}
			wrong.SPI = 0xbeef
			f := newFeed(Config{ESP: []esp.SA{wrong}})
			for range 4 {
				f.frame(b)
			}
			f.d.Flush()
			if len(f.units) != 0 || len(f.findings) != 1 || f.findings[0].ID != "esp-wrong-key" || f.d.stats.ESPWrongKey != 4 || f.d.stats.Encrypted != 4 {
				t.Errorf("%s %s: %q %v %+v", suite, name, f.texts(), f.findings, f.d.stats)
			}
			if half := suite.alg != "null" && suite.alg != ""; half != strings.Contains(f.findings[0].Message, "the authentication key is right") {
				t.Errorf("%s: %s", suite, f.findings[0].Message)
			}
			// The right one beside it, in either order.
			for _, list := range [][]esp.SA{{wrong, sa}, {sa, wrong}} {
				f := newFeed(Config{ESP: list})
				f.frame(b)
				f.d.Flush()
				if len(f.units) != 1 || len(f.findings) != 0 {
					t.Errorf("%s %s: %q %v", suite, name, f.texts(), f.findings)
				}
			}
		}
	}
}

// TestESPWildcards: which key is meant for which packet.
func TestESPWildcards(t *testing.T) {
	good := espSuite{"aes-cbc", 16, "hmac-sha-1-96", 20}.sa(t)
	wrong := espSuite{"aes-gcm", 20, "", 0}.sa(t)
	b := espWays(t, good, 1, nil)["udp4"]
	with := func(sa esp.SA, spi uint32, any bool, dst string) esp.SA {
		sa.SPI, sa.AnySPI = spi, any
		if dst != "" {
			sa.Dst = netip.MustParsePrefix(dst)
		}
		return sa
	}
	for name, c := range map[string]struct {
		list []esp.SA
		read bool
	}{
		"any":            {[]esp.SA{with(wrong, 0, true, ""), with(good, 0, true, "")}, true},
		"any SPI":        {[]esp.SA{with(good, 0, true, "192.0.2.2/32")}, true},
		"prefix":         {[]esp.SA{with(good, 0xbeef, false, "192.0.2.0/24")}, true},
		"other address":  {[]esp.SA{with(good, 0xbeef, false, "192.0.2.1/32")}, false},
		"other SPI":      {[]esp.SA{with(good, 0xbee0, false, "")}, false},
		"exact is first": {[]esp.SA{with(wrong, 0, true, ""), with(good, 0xbeef, false, "192.0.2.2/32")}, true},
	} {
		f := newFeed(Config{ESP: c.list})
		f.frame(b)
		f.d.Flush()
		if (len(f.units) == 1) != c.read || c.read != (len(f.findings) == 0) {
			t.Errorf("%s: %q %v", name, f.texts(), f.findings)
		}
	}
	var many []esp.SA
	for range maxESPTries + 1 {
		many = append(many, with(wrong, 0, true, ""))
	}
	f := newFeed(Config{ESP: append(many, with(good, 0, true, ""))})
	f.frame(b)
	if len(f.units) != 0 || f.d.stats.Limits[LimitESPTries] != 1 {
		t.Errorf("%+v", f.d.stats)
	}
}

// TestESPICVLengths: with the check value not known, or of another length than the entry says, the content decides.
func TestESPICVLengths(t *testing.T) {
	for _, suite := range espSuites() {
		if strings.Contains(suite.enc, "gcm") || strings.Contains(suite.enc, "ccm") || suite.enc == "aes-gmac" {
			continue
		}
		sa := suite.sa(t)
		for _, auth := range []string{"", "any", "null", "hmac-sha-512-256"} {
			blind, err := esp.New(suite.enc, espTestKey[:suite.ek], auth, nil)
			if err != nil {
				t.Fatal(err)
			}
			blind.AnySPI = true
			for name, b := range espWays(t, sa, 3, nil) {
				f := newFeed(Config{ESP: []esp.SA{blind}})
				f.frame(b)
				if !slices.Equal(f.texts(), []string{sipRequest}) || f.units[0].ESP.ICV > ICVUnchecked {
					t.Errorf("%s %s with %q: %q", suite, name, auth, f.texts())
				}
			}
		}
	}
}

// TestESPSequences: copies are counted; extended sequence numbers are followed over the wrap.
func TestESPSequences(t *testing.T) {
	sa := espSuite{"aes-gcm", 20, "", 0}.sa(t)
	sa.SPI = 0xbeef
	f := newFeed(Config{ESP: []esp.SA{sa}})
	zero, one := uint32(0), uint32(1)
	for _, c := range []struct {
		seq  uint32
		high *uint32
	}{{0xfffffffe, &zero}, {0xffffffff, &zero}, {0, &one}, {1, &one}, {0xffffffff, &zero}, {2, &one}} {
		f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, seal(t, sa, c.seq, protoUDP, build(udpHeader{40000, 40001}, sipRequest), c.high)))
	}
	if len(f.units) != 6 || f.d.stats.ESPDuplicates != 1 || f.d.stats.ESPBadICV != 0 {
		t.Errorf("%d %+v", len(f.units), f.d.stats)
	}
	s := espState{}
	seen := 0
	for _, seq := range []uint32{5, 6, 6, 4, 4, 5, 200, 199, 6, 1 << 30, 1 << 30, 7} {
		if s.again(seq) {
			seen++
		}
	}
	if seen != 4 {
		t.Errorf("%d of 12 are copies", seen)
	}
}

// TestESPFragments: ESP in fragments, and fragments in ESP; each octet is attributed to its frame.
func TestESPFragments(t *testing.T) {
	sip := request("INVITE", 3000)
	for _, suite := range []espSuite{{"aes-cbc", 16, "hmac-sha-1-96", 20}, {"aes-gcm", 20, "", 0}, {"null", 0, "hmac-md5-96", 16}} {
		sa := suite.sa(t)
		sa.SPI = 0xbeef
		e := seal(t, sa, 1, protoUDP, build(udpHeader{40000, 40001}, sip), nil)
		f := newFeed(Config{ESP: []esp.SA{sa}})
		for _, off := range []int{1480, 0, 2960} { // outer fragments
			end := min(off+1480, len(e))
			word := off / 8
			if end < len(e) {
				word |= 0x2000
			}
			f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoESP, id: 5, frag: word}, e[off:end]))
		}
		if !slices.Equal(f.texts(), []string{sip}) || !slices.Equal(f.units[0].Frames, []uint64{1, 2, 3}) {
			t.Fatalf("%s: %d units %+v", suite, len(f.units), f.d.stats)
		}
		// The first frame to come brought the second stretch; how much of the first fragment is ESP and UDP header differs.
		segs := f.units[0].Segments
		if len(segs) != 3 || segs[0].Frame != 2 || segs[1].Frame != 1 || segs[2].Frame != 3 || segs[2].Off-segs[1].Off != 1480 || segs[1].Off > 1480-16 || segs[1].Off < 1480-32 {
			t.Errorf("%s: %v", suite, segs)
		}
		f = newFeed(Config{ESP: []esp.SA{sa}})
		u := build(udpHeader{40000, 40001}, sip)
		for i, off := range []int{1480, 0, 2960} { // inner fragments, tunnel mode
			end := min(off+1480, len(u))
			word := off / 8
			if end < len(u) {
				word |= 0x2000
			}
			in := build(ipHeader{proto: protoUDP, id: 5, frag: word}, u[off:end])
			f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, seal(t, sa, uint32(i+1), protoIPIP, in, nil)))
		}
		if !slices.Equal(f.texts(), []string{sip}) || !slices.Equal(f.units[0].Frames, []uint64{1, 2, 3}) || f.units[0].ESP == nil || f.units[0].ESP.Sequence != 3 {
			t.Fatalf("%s: %d units %+v", suite, len(f.units), f.d.stats)
		}
	}
}

// TestESPStream: a TCP stream in ESP, cut into segments under changing keys, and one ESP inside another.
func TestESPStream(t *testing.T) {
	a := espSuite{"aes-cbc", 16, "hmac-sha-1-96", 20}.sa(t)
	b := espSuite{"aes-gcm", 20, "", 0}.sa(t)
	a.SPI, b.SPI = 0xbeef, 0xbeef
	sip := request("INVITE", 3000)
	f := newFeed(Config{ESP: []esp.SA{a, b}})
	for i, off := range []int{0, 2000, 1000} {
		seg := build(tcpHeader{sport: 5060, dport: 5070, seq: uint32(off), flags: tcpACK}, sip[off:min(len(sip), off+1000+off/2000*1000)])
		sa := a
		if i == 1 {
			sa = b
		}
		f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, seal(t, sa, uint32(i), protoTCP, seg, nil)))
	}
	f.d.Flush()
	if !slices.Equal(f.texts(), []string{sip}) || f.units[0].Truncated || f.units[0].ESP.Sequence != 2 {
		t.Errorf("%d units %v %+v", len(f.units), f.findings, f.d.stats)
	}
	f = newFeed(Config{ESP: []esp.SA{a, b}})
	inner := build(ipHeader{proto: protoESP}, seal(t, a, 1, protoUDP, build(udpHeader{40000, 40001}, sipRequest), nil))
	f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, seal(t, b, 7, protoIPIP, inner, nil)))
	if !slices.Equal(f.texts(), []string{sipRequest}) || f.units[0].ESP.Enc != "aes-cbc" || strings.Join(f.units[0].Encap, " ") != "esp ipip esp" {
		t.Errorf("%q %+v", f.texts(), f.d.stats)
	}
}

// TestESPCut: of a packet that the capture cut off, what is there is shown.
func TestESPCut(t *testing.T) {
	for _, suite := range espSuites() {
		sa := suite.sa(t)
		sa.SPI = 0xbeef
		for name, b := range espWays(t, sa, 1, nil) {
			f := newFeed(Config{ESP: []esp.SA{sa}})
			f.cut(b, len(b)-90)
			f.d.Flush()
			if len(f.units) != 1 || !f.units[0].Truncated || !strings.HasPrefix(sipRequest, string(f.units[0].Data)) {
				t.Errorf("%s %s: %q %+v", suite, name, f.texts(), f.d.stats)
			}
		}
	}
}

// TestESPPorts: ESP in UDP on a port that was given, IKE and keep-alives beside it.
func TestESPPorts(t *testing.T) {
	sa := espSuite{"aes-cbc", 16, "hmac-sha-1-96", 20}.sa(t)
	e := seal(t, sa, 1, protoUDP, build(udpHeader{40000, 40001}, sipRequest), nil)
	e[0] = 0x80 // as RTP begins
	sa.AnySPI = true
	for port, want := range map[int]int{4500: 1, 14500: 1, 14501: 0} {
		f := newFeed(Config{ESP: []esp.SA{sa}, ESPPorts: []uint16{14500}})
		f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{61000, port}, e))
		if len(f.units) != want {
			t.Errorf("port %d: %d units", port, len(f.units))
		}
	}
	f := newFeed(Config{})
	f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{4500, 4500}, "\xff"))
	f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP}, udpHeader{4500, 4500}, make([]byte, 100)))
	if f.d.stats.TunnelSignals != 2 || f.d.stats.ESP != 0 {
		t.Errorf("%+v", f.d.stats)
	}
}

// TestESPAgreed: an SPI without a key is told whose it is, ten seconds after its first packet.
func TestESPAgreed(t *testing.T) {
	register := "REGISTER sip:ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nTo: <sip:alice@ims.example>\r\nFrom: <sip:alice@ims.example>;tag=1\r\nCall-ID: c1\r\nCSeq: 1 REGISTER\r\n" +
		"Security-Client: ipsec-3gpp;alg=hmac-md5-96;ealg=aes-cbc;spi-c=11;spi-s=12;port-c=5062;port-s=5063\r\nContent-Length: 0\r\n\r\n"
	challenge := "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nTo: <sip:alice@ims.example>;tag=2\r\nFrom: <sip:alice@ims.example>;tag=1\r\nCall-ID: c1\r\nCSeq: 1 REGISTER\r\n" +
		"Security-Server: ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;ealg=null;spi-c=48879;spi-s=21,ipsec-3gpp;q=0.5;alg=hmac-md5-96;ealg=aes-cbc;spi-c=20;spi-s=48879\r\nContent-Length: 0\r\n\r\n"
	sa := espSuite{"aes-cbc", 16, "hmac-md5-96", 16}.sa(t)
	f := newFeed(Config{})
	f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP, src: "192.0.2.1", dst: "192.0.2.2"}, udpHeader{5060, 5060}, register))
	f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP, src: "192.0.2.2", dst: "192.0.2.1"}, udpHeader{5060, 5060}, challenge))
	e := build(etherHeader{etIPv4}, ipHeader{proto: protoESP, src: "192.0.2.1", dst: "192.0.2.2"}, seal(t, sa, 1, protoUDP, build(udpHeader{40000, 40001}, sipRequest), nil))
	f.step = 1e9
	for range 15 {
		f.frame(e)
	}
	want := `10 ESP packets with SPI 0000beef to 192.0.2.2 cannot be read without the key; it belongs to the registration of "sip:alice@ims.example" (frame 1) with ealg aes-cbc and alg hmac-md5-96: give its CK and IK with --esp '0000beef 192.0.2.2 aes-cbc KEY hmac-md5-96 KEY' or as an ESP line of a key log`
	if len(f.findings) != 1 || f.findings[0].Message != want {
		t.Errorf("%v", f.findings)
	}
	f.d.Flush()
	if len(f.findings) != 1 || f.d.Stats().UnreadSPIs[0].Packets != 15 {
		t.Errorf("%v", f.findings)
	}
	// The table is bounded.
	for i := range 2 * maxAgreements {
		c := strings.ReplaceAll(strings.ReplaceAll(register, "Call-ID: c1", fmt.Sprintf("Call-ID: x%d", i)), "spi-c=11", fmt.Sprintf("spi-c=%d", 1000+i))
		f.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoUDP, src: "192.0.2.1", dst: "192.0.2.2"}, udpHeader{5060, 5060}, c))
	}
	if a := &f.d.agreed; len(a.ring) != maxAgreements || len(a.byCall) != maxAgreements || len(a.bySPI) > 2*maxAgreements {
		t.Errorf("%d %d %d", len(a.ring), len(a.byCall), len(a.bySPI))
	}
}

// FuzzESP: no octets behind an ESP header make trouble, with keys of every kind that cover them.
func FuzzESP(f *testing.F) {
	var list []esp.SA
	for _, s := range []espSuite{{"aes-cbc", 16, "hmac-sha-1-96", 20}, {"aes-gcm", 20, "", 0}, {"aes-ccm", 19, "", 0}, {"des-ede3-cbc", 24, "hmac-md5-96", 16}, {"aes-ctr", 20, "null", 0}, {"aes-gmac", 20, "", 0}} {
		sa := s.sa(f)
		for _, b := range espWays(f, sa, 1, nil) {
			f.Add(b, uint16(0))
		}
		sa.AnySPI = true
		list = append(list, sa)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		d := newFeed(Config{ESP: list})
		for range 2 {
			d.frame(build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, b))
			d.cut(b, max(0, len(b)-int(cut)))
		}
		d.d.Flush()
		s := d.d.Stats()
		if s.ESP != s.ESPNull+s.ESPDecrypted+s.Encrypted {
			t.Fatalf("%+v", s)
		}
		for _, u := range d.units {
			if u.ESP != nil && !slices.Contains(u.Encap, "esp") || len(u.Frames) == 0 {
				t.Fatalf("%+v", u)
			}
		}
	})
}

func BenchmarkESP(b *testing.B) {
	for _, s := range []espSuite{{"null", 0, "hmac-sha-1-96", 20}, {"aes-cbc", 16, "hmac-sha-1-96", 20}, {"aes-gcm", 20, "", 0}} {
		for _, keyed := range []bool{false, true} {
			sa := s.sa(b)
			sa.SPI = 0xbeef
			frame := build(etherHeader{etIPv4}, ipHeader{proto: protoESP}, seal(b, sa, 1, protoUDP, build(udpHeader{40000, 40001}, request("INVITE", 1000)), nil))
			var cfg Config
			if keyed {
				cfg.ESP = []esp.SA{sa}
			}
			b.Run(fmt.Sprintf("%s/keyed=%v", s, keyed), func(b *testing.B) {
				d := New(cfg, nobody{})
				fr := Frame{Data: frame, Orig: uint32(len(frame)), Link: linkEthernet}
				b.SetBytes(int64(len(frame)))
				b.ReportAllocs()
				for b.Loop() {
					fr.Number++
					d.Frame(&fr)
				}
			})
		}
	}
}
