package lab

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/internal/esp"
)

// An ESPSuite is a pair of algorithms with keys that everybody knows, and the SPI of its packets in both directions.
type ESPSuite struct {
	Name    string // "aes-cbc-128-hmac-sha-1-96"
	SPI     uint32
	Enc     string
	EncKey  []byte
	Auth    string
	AuthKey []byte
}

// ESPSuites lists the pairs of algorithms of TS 33.203 annex H, and others that are in use.
func ESPSuites() (out []ESPSuite) {
	add := func(enc string, ek int, auth string, ak int) {
		name := enc
		if ek > 0 {
			name = fmt.Sprintf("%s-%d", enc, ek*8)
		}
		if auth != "" {
			name += "-" + strings.Replace(auth, "null", "noauth", 1)
		}
		out = append(out, ESPSuite{name, uint32(0x1000 + len(out)), enc, espKey(1, ek), auth, espKey(101, ak)})
	}
	for _, e := range []struct {
		name string
		key  int
	}{{"null", 0}, {"aes-cbc", 16}, {"aes-cbc", 24}, {"aes-cbc", 32}, {"des-ede3-cbc", 24}, {"aes-ctr", 20}} {
		add(e.name, e.key, "null", 0)
		add(e.name, e.key, "hmac-md5-96", 16)
		add(e.name, e.key, "hmac-sha-1-96", 20)
		add(e.name, e.key, "hmac-sha-256-128", 32)
		add(e.name, e.key, "hmac-sha-384-192", 48)
		add(e.name, e.key, "hmac-sha-512-256", 64)
		add(e.name, e.key, "aes-xcbc-mac-96", 16)
	}
	for _, name := range []string{"aes-gcm-8", "aes-gcm-12", "aes-gcm-16", "aes-gmac"} {
		add(name, 20, "", 0)
		add(name, 36, "", 0)
	}
	add("aes-ccm-16", 19, "", 0)
	return out
}

// espKey is n octets that count from first; in DES they are no weak key.
func espKey(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)*3
	}
	return b
}

// Line is the suite as an ESP line of a key log.
func (s *ESPSuite) Line() string {
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	return fmt.Sprintf("ESP %08x * %s %s %s %s", s.SPI, s.Enc, dash(hex.EncodeToString(s.EncKey)), dash(s.Auth), dash(hex.EncodeToString(s.AuthKey)))
}

// seal puts a payload into ESP; the n-th packet has sequence number n.
func (s *ESPSuite) seal(n uint32, next byte, payload []byte) []byte {
	sa, err := esp.New(s.Enc, s.EncKey, s.Auth, s.AuthKey)
	if err != nil {
		panic(err) // the table above is wrong
	}
	o, err := sa.Opener()
	if err != nil {
		panic(err)
	}
	iv := make([]byte, 16)
	for i := range iv {
		iv[i] = byte(n)*29 + byte(i)*11 + 7
	}
	out, err := o.Seal(nil, s.SPI, n, iv, next, payload, -1, nil)
	if err != nil {
		panic(err)
	}
	return out
}

// A way is how ESP carries a packet.
type espWay struct {
	name            string
	tunnel, nat, v6 bool
}

var espWays = []espWay{
	{"transport", false, false, false}, {"transport-ipv6", false, false, true},
	{"tunnel", true, false, false}, {"tunnel-ipv6", true, false, true},
	{"nat", false, true, false}, {"nat-tunnel", true, true, false}, {"nat-tunnel-ipv6", true, true, true},
}

// ESPShapes lists every suite in every way of carrying ESP: transport and tunnel mode, IPv4 and IPv6, in UDP (RFC 3948).
func ESPShapes() (out []Shape) {
	for _, s := range ESPSuites() {
		for _, w := range espWays {
			out = append(out, espShape(&s, w))
		}
	}
	return out
}

func espShape(s *ESPSuite, w espWay) Shape {
	suite := *s
	return Shape{Name: "esp-" + suite.Name + "-" + w.name, Link: 1, V6: w.v6, Wrap: func(n *Net, ip []byte) []byte {
		p := suite.Wrap(n, ip, w.tunnel, w.nat)
		return n.eth(ipType(p), p)
	}}
}

// Wrap puts an IP packet into ESP: its payload behind its own header, or the whole of it between the tunnel's ends.
func (s *ESPSuite) Wrap(n *Net, ip []byte, tunnel, nat bool) []byte {
	seq := n.seq()
	if tunnel {
		e := s.seal(seq, ipProto(ip), ip)
		if nat {
			return n.ip(protoUDP, tunnelA, tunnelB, natUDP(e))
		}
		return n.ip(protoESP, tunnelA, tunnelB, e)
	}
	at, next := 20, 9
	if ip[0]>>4 == 6 {
		at, next = 40, 6
	}
	e, proto := s.seal(seq, ip[next], ip[at:]), byte(protoESP)
	if nat {
		e, proto = natUDP(e), protoUDP
	}
	out := cat(ip[:at], e)
	out[next] = proto
	if at == 40 {
		binary.BigEndian.PutUint16(out[4:], uint16(len(e)))
		return out
	}
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	out[10], out[11] = 0, 0
	binary.BigEndian.PutUint16(out[10:], checksum(out[:20], 0))
	return out
}

// natUDP is ESP in UDP behind an address translator: its port is another one, and the checksum is zero (RFC 3948 2.1).
func natUDP(e []byte) []byte { return cat(be16(61022), be16(4500), be16(8+len(e)), be16(0), e) }

const protoESP = 50

// The security agreement of the IMS capture: SPIs and protected ports of both ends, CK and IK of AKA.
const (
	imsClient = "ipsec-3gpp;alg=hmac-md5-96;ealg=des-ede3-cbc;prot=esp;mod=trans;spi-c=12001;spi-s=12002;port-c=5062;port-s=5063," +
		"ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;prot=esp;mod=trans;spi-c=12001;spi-s=12002;port-c=5062;port-s=5063"
	imsServer = "ipsec-3gpp;q=0.5;alg=hmac-sha-1-96;ealg=aes-cbc;prot=esp;mod=trans;spi-c=34001;spi-s=34002;port-c=6062;port-s=6063"
)

// imsSuite is aes-cbc with hmac-sha-1-96 under a CK and an IK.
func imsSuite(spi uint32) *ESPSuite {
	return &ESPSuite{SPI: spi, Enc: "aes-cbc", EncKey: espKey(0x31, 16), Auth: "hmac-sha-1-96", AuthKey: espKey(0x91, 16)}
}

// IMSKeys is the key log that opens ims-esp.pcap: what AKA gave, for whatever SPI.
func IMSKeys() []byte {
	s := imsSuite(0)
	return fmt.Appendf(nil, "# CK and IK of the registration in ims-esp.pcap, known to everybody\nESP * * aes-cbc %x hmac-sha-1-96 %x\n", s.EncKey, s.AuthKey)
}

// imsESP is a registration with AKA and a security agreement (TS 24.229 5.1.1, TS 33.203 7.2): the first REGISTER and its 401
// in the clear, everything after it in ESP.
func imsESP(out io.Writer) error {
	return dialogs(31, func(w *World) {
		ue, core := w.UE, w.Core
		d := w.Dialog()
		first := d.request("REGISTER", "sip:mcptt.example.org", "UDP", "Contact: <sip:ue1@192.0.2.10:5063>"+contactTags+";expires=600000\r\n"+
			"Authorization: Digest username=\"ue1@mcptt.example.org\",realm=\"mcptt.example.org\",nonce=\"\",uri=\"sip:mcptt.example.org\",response=\"\"\r\n"+
			"Require: sec-agree\r\nProxy-Require: sec-agree\r\nSecurity-Client: "+imsClient+"\r\n", nil)
		w.up(first)
		w.down(d.Response("UDP", 401, "Unauthorized", "WWW-Authenticate: Digest realm=\"mcptt.example.org\",nonce=\"qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\",algorithm=AKAv1-MD5\r\nSecurity-Server: "+imsServer+"\r\n", nil))
		seq := map[uint32]uint32{}
		send := func(spi uint32, src, dst netip.AddrPort, b []byte) {
			seq[spi]++
			s := imsSuite(spi)
			n := w.Net
			n.frame(n.Shape.Wrap(n, n.ip(protoESP, src.Addr(), dst.Addr(), s.seal(seq[spi], protoUDP, udp(src, dst, b)))))
			w.wait(20 * time.Millisecond)
		}
		up := func(b []byte) { // from the UE's client to the P-CSCF's server
			verify := []byte("\r\nSecurity-Verify: " + imsServer + "\r\nRequire: sec-agree\r\nMax-Forwards:")
			send(34002, netip.AddrPortFrom(ue.Addr(), 5062), netip.AddrPortFrom(core.Addr(), 6063), bytes.Replace(b, []byte("\r\nMax-Forwards:"), verify, 1))
		}
		down := func(b []byte) { // from the P-CSCF's client to the UE's server
			send(12002, netip.AddrPortFrom(core.Addr(), 6062), netip.AddrPortFrom(ue.Addr(), 5063), b)
		}
		k := KnownCSK()
		up(w.Register(d, "UDP", k, both))
		down(ok(d, "UDP"))
		d = w.Dialog()
		up(w.Publish(d, "UDP", k, both))
		down(d.Response("UDP", 200, "OK", "SIP-ETag: e1\r\nExpires: 4294967295\r\n", nil))
	})(out)
}
