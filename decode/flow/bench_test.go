package flow

import (
	"encoding/binary"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

type nobody struct{}

func (nobody) Unit(*Unit)                      {}
func (nobody) Finding(record.Finding, Context) {}

// rtpFrame is 160 octets of G.711 in Ethernet, with n VLAN tags.
func rtpFrame(tags int, v6 bool) []byte {
	rtp := make([]byte, 172)
	rtp[0], rtp[1] = 0x80, 8
	return build(lan(tags, v6), ipHeader{v6: v6, proto: protoUDP}, udpHeader{30000, 30002}, rtp)
}

func benchFrame(b *testing.B, f *Frame) {
	d := New(Config{}, nobody{})
	b.SetBytes(int64(len(f.Data)))
	b.ReportAllocs()
	for b.Loop() {
		f.Time += 1000
		d.Frame(f)
	}
}

// BenchmarkRTP is the hot path of the whole program. Budget: 15 ns and no allocation a frame.
func BenchmarkRTP(b *testing.B) {
	for _, c := range []struct {
		name string
		tags int
		v6   bool
	}{{"ipv4", 0, false}, {"vlan-ipv4", 1, false}, {"ipv6", 0, true}} {
		b.Run(c.name, func(b *testing.B) {
			data := rtpFrame(c.tags, c.v6)
			benchFrame(b, &Frame{Number: 1, Data: data, Orig: uint32(len(data)), Link: linkEthernet})
		})
	}
}

// BenchmarkTCPIgnored is a segment of a stream that is known not to be SIP.
func BenchmarkTCPIgnored(b *testing.B) {
	d := New(Config{}, nobody{})
	f := &Frame{Number: 1, Link: linkEthernet}
	for i := range uint32(midTries) { // that many segments are looked at more closely
		f.Data = build(lan(0, false), ipHeader{proto: protoTCP}, tcpHeader{sport: 443, dport: 50000, seq: 1 + 1400*i, flags: tcpACK}, make([]byte, 1400))
		f.Orig = uint32(len(f.Data))
		d.Frame(f)
	}
	b.SetBytes(int64(len(f.Data)))
	b.ReportAllocs()
	for b.Loop() {
		f.Time += 1000
		d.Frame(f)
	}
	if d.stats.StreamsIgnored != 1 {
		b.Fatalf("%+v", d.stats)
	}
}

const sipRequest = "MESSAGE sip:mcptt-server@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n" +
	"From: <sip:a@example.org>;tag=1\r\nTo: <sip:b@example.org>\r\nCall-ID: 1@example.org\r\nCSeq: 1 MESSAGE\r\n" +
	"Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

// BenchmarkSIPoverUDP is a SIP datagram through gopacket's decoder to a unit.
func BenchmarkSIPoverUDP(b *testing.B) {
	data := build(lan(0, false), ipHeader{proto: protoUDP}, udpHeader{5060, 5060}, []byte(sipRequest))
	benchFrame(b, &Frame{Number: 1, Data: data, Orig: uint32(len(data)), Link: linkEthernet})
}

// BenchmarkSIPoverTCP is a SIP message in one segment of a stream.
func BenchmarkSIPoverTCP(b *testing.B) {
	data := build(lan(0, false), ipHeader{proto: protoTCP}, tcpHeader{sport: 5060, dport: 5060, seq: 1, flags: tcpACK}, []byte(sipRequest))
	f := &Frame{Number: 1, Data: data, Orig: uint32(len(data)), Link: linkEthernet}
	d := New(Config{}, nobody{})
	b.SetBytes(int64(len(f.Data)))
	b.ReportAllocs()
	seq := uint32(1)
	for b.Loop() {
		f.Time += 1000
		binary.BigEndian.PutUint32(data[14+20+4:], seq)
		seq += uint32(len(sipRequest))
		d.Frame(f)
	}
	if d.stats.Messages < uint64(b.N) {
		b.Fatalf("%+v", d.stats)
	}
}
