package flow

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// hepPacket writes a packet by hand: from 10.9.8.7:5060 to 10.9.8.6:5070, agent 2001, at 1700000000.000123.
func hepPacket(proto, typ byte, payload string, more ...string) string {
	chunk := func(typ int, v string) string { return "\x00\x00" + string(be16(typ)) + string(be16(6+len(v))) + v }
	b := chunk(1, "\x02") + chunk(2, string([]byte{proto})) + chunk(3, "\x0a\x09\x08\x07") + chunk(4, "\x0a\x09\x08\x06") + chunk(7, "\x13\xc4") + chunk(8, "\x13\xce") +
		chunk(9, string(be32(1700000000))) + chunk(10, string(be32(123))) + chunk(11, string([]byte{typ})) + chunk(12, string(be32(2001))) +
		strings.Join(more, "")
	if payload != "" {
		b += chunk(15, payload)
	}
	return "HEP3" + string(be16(6+len(b))) + b
}

func hepChunk(typ int, v string) string {
	return "\x00\x00" + string(be16(typ)) + string(be16(6+len(v))) + v
}

func hepFrame(b string) []byte {
	return build(append(append([]any{}, lan(0, false)...), ipHeader{proto: protoUDP}, udpHeader{40000, 9060}, b)...)
}

// wantMirrored checks what a message gets from the packet around it.
func wantMirrored(t *testing.T, u *Unit, transport, text, agent string) {
	t.Helper()
	if string(u.Data) != text || u.Transport != transport || u.Src != netip.MustParseAddrPort("10.9.8.7:5060") || u.Dst != netip.MustParseAddrPort("10.9.8.6:5070") ||
		u.Time != time.Unix(1700000000, 123000).UnixNano() || u.Interface != agent || u.Encap[len(u.Encap)-1] != "hep" || u.Stream {
		t.Errorf("%+v", u)
	}
}

func TestHEPDatagram(t *testing.T) {
	f := newFeed(Config{})
	f.link = linkEthernet
	for proto, name := range map[byte]string{17: UDP, 6: TCP, 132: SCTP, 22: OverTLS, 0: UDP} {
		f.collect = collect{}
		f.frame(hepFrame(hepPacket(proto, 1, sipRequest)))
		if len(f.units) != 1 || len(f.findings) != 0 {
			t.Fatalf("%d units, %v", len(f.units), f.findings)
		}
		wantMirrored(t, f.units[0], name, sipRequest, "hep:2001")
		if !slices.Equal(f.units[0].Frames, []uint64{f.n}) || len(f.units[0].Findings) != 0 {
			t.Errorf("%+v", f.units[0])
		}
	}
	f.collect = collect{}
	f.frame(hepFrame(hepPacket(17, 1, sipRequest, hepChunk(19, "edge\x1b[1m-1"), hepChunk(14, "secret"))))
	wantMirrored(t, f.units[0], UDP, sipRequest, "hep:2001:edge\x1b[1m-1")
	if strings.Contains(fmt.Sprintf("%+v", f.units[0]), "secret") {
		t.Error("the authenticate key is shown")
	}
	// Payloads that are not SIP are counted and not looked into.
	f.collect = collect{}
	for _, typ := range []byte{5, 34, 100} {
		f.frame(hepFrame(hepPacket(17, typ, sipRequest)))
	}
	f.frame(hepFrame(hepPacket(17, 1, "\r\n\r\n")))
	if st := f.d.Stats(); len(f.units)+len(f.findings) != 0 || st.HEPOther != 3 || st.KeepAlives != 1 || st.HEP != 10 || st.HEPMalformed+st.HEPEmpty != 0 {
		t.Errorf("%d units, %v, %+v", len(f.units), f.findings, st)
	}
}

// Any port will do, also through the fixed-offset look, and through tunnels.
func TestHEPAnywhere(t *testing.T) {
	f := newFeed(Config{})
	b := hepPacket(6, 1, sipRequest)
	f.link = linkEthernet
	f.frame(build(append(lan(2, true), ipHeader{v6: true, proto: protoUDP}, udpHeader{40000, 40001}, b)...))
	f.link = linkRaw
	f.frame(build(ipHeader{proto: protoGRE}, raw{0, 0, 8, 0}, ipHeader{proto: protoUDP}, udpHeader{1, 2}, b))
	dgram := build(udpHeader{40000, 9060}, b)
	for _, p := range split(len(dgram), 200) {
		f.link = linkEthernet
		f.frame(fragFrame(false, 7, false, dgram, p))
	}
	if len(f.units) != 3 {
		t.Fatalf("%d units", len(f.units))
	}
	for _, u := range f.units {
		wantMirrored(t, u, TCP, sipRequest, "hep:2001")
	}
	if e := strings.Join(f.units[1].Encap, " "); e != "gre hep" {
		t.Error(e)
	}
	u := f.units[2]
	if len(u.Frames) != len(split(len(dgram), 200)) || !u.Reassembled || len(u.Segments) < 2 || u.Segments[0].Off != 0 {
		t.Errorf("%+v", u)
	}
	// Where each octet came from: the fragment boundaries, less what lies before the payload.
	before := 8 + strings.Index(b, sipRequest)
	for k, p := range split(len(dgram), 200) {
		if k > 0 && int(u.Segments[k].Off) != p.off-before {
			t.Errorf("segment %d at %d, want %d", k, u.Segments[k].Off, p.off-before)
		}
	}
}

func TestHEPCompressed(t *testing.T) {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	text := long(5000)
	io.WriteString(w, text)
	w.Close()
	f := newFeed(Config{})
	f.link = linkEthernet
	f.frame(hepFrame(hepPacket(6, 1, "", hepChunk(16, z.String()))))
	wantMirrored(t, f.units[0], TCP, text, "hep:2001")
	if u := f.units[0]; u.Truncated || !u.Reassembled || len(u.Segments) != 1 || len(u.Findings) != 0 {
		t.Errorf("%+v", u)
	}
	f.frame(hepFrame(hepPacket(6, 1, "", hepChunk(16, z.String()[:z.Len()/2]))))
	if u := f.units[1]; !u.Truncated || !unitHas(u, "hep-compressed") || !strings.HasPrefix(text, string(u.Data)) || len(u.Data) == 0 {
		t.Errorf("%+v", u)
	}
	// Over the limit.
	f = newFeed(Config{HEPInflated: 1000})
	f.link = linkEthernet
	f.frame(hepFrame(hepPacket(6, 1, "", hepChunk(16, z.String()))))
	if u := f.units[0]; !u.Truncated || string(u.Data) != text[:1000] || f.d.Stats().Limits[LimitHEPInflated] != 1 || !f.has("flow-limit") {
		t.Errorf("%+v", u)
	}
}

func TestHEPMalformed(t *testing.T) {
	f := newFeed(Config{})
	f.link = linkEthernet
	b := hepPacket(17, 1, sipRequest)
	f.frame(hepFrame(b[:len(b)-20])) // the length says more
	if u := f.units[0]; !u.Truncated || !unitHas(u, "hep-malformed") || string(u.Data) != sipRequest[:len(sipRequest)-20] {
		t.Errorf("%+v", u)
	}
	f.frame(hepFrame(hepPacket(17, 1, sipRequest, hepChunk(3, "\x01\x02"))))
	if u := f.units[1]; u.Truncated || !unitHas(u, "hep-malformed") || string(u.Data) != sipRequest {
		t.Errorf("%+v", u)
	}
	f.collect = collect{}
	for range 20 {
		f.frame(hepFrame(hepPacket(17, 1, "this is no SIP")))
	}
	if len(f.units) != 0 || len(f.findings) != 2 || f.findings[1].ID != "hep-payload" || !strings.Contains(f.findings[1].Message, "hep:2001 holds no SIP message, though it says so (10 so far)") {
		t.Errorf("%v", f.findings)
	}
	// A frame that the capture cut off is no fault of HEP.
	f.collect = collect{}
	full := hepFrame(b)
	f.cut(full, len(full)-20)
	if u := f.units[0]; !u.Truncated || unitHas(u, "hep-malformed") {
		t.Errorf("%+v", u)
	}
}

// Packets on a TCP stream, in segments of any size and order, several in one segment.
func TestHEPStream(t *testing.T) {
	var stream string
	const n = 30
	for k := range n {
		stream += hepPacket(22, 1, strings.Replace(sipRequest, "Call-ID: 1", fmt.Sprintf("Call-ID: %d", k), 1))
		stream += hepPacket(17, 5, "{}")
	}
	for _, size := range []int{1, 5, 97, 700, 1400, 60000} {
		f := newFeed(Config{})
		f.link = linkEthernet
		co := conn{isn: 77, ports: [2]int{41000, 9060}, layers: lan(0, false)}
		f.frame(co.segment(tcpSYN, -1, ""))
		var frames [][]byte
		for at := 0; at < len(stream); at += size {
			frames = append(frames, co.segment(tcpACK, at, stream[at:min(at+size, len(stream))]))
		}
		if size < 100 {
			r := rand.New(rand.NewPCG(1, uint64(size)))
			for at := 0; at+8 <= len(frames); at += 8 {
				r.Shuffle(8, func(i, j int) { frames[at+i], frames[at+j] = frames[at+j], frames[at+i] })
			}
		}
		for _, b := range frames {
			f.frame(b)
		}
		if len(f.units) != n || len(f.findings) != 0 {
			t.Fatalf("size %d: %d units, %v", size, len(f.units), f.findings)
		}
		for k, u := range f.units {
			wantMirrored(t, u, OverTLS, strings.Replace(sipRequest, "Call-ID: 1", fmt.Sprintf("Call-ID: %d", k), 1), "hep:2001")
		}
		if st := f.d.Stats(); st.HEP != 2*n || st.HEPOther != n || st.Junk != 0 {
			t.Errorf("%+v", st)
		}
	}
}

// The capture begins in the middle, octets are missing, junk lies between, and the end is cut off.
func TestHEPStreamDefects(t *testing.T) {
	one := hepPacket(6, 1, sipRequest)
	f := newFeed(Config{})
	f.link = linkEthernet
	co := conn{isn: 77, ports: [2]int{41000, 9060}, layers: lan(0, false)}
	stream := one[40:] + one + one + "some junk" + one + one[:300]
	at := 0
	send := func(n int) {
		f.frame(co.segment(tcpACK, at, stream[at:at+n]))
		at += n
	}
	send(len(one) - 40 + len(one) + 100)
	if len(f.units) != 1 {
		t.Fatalf("%d units", len(f.units))
	}
	at += 50 // lost
	send(len(stream) - at)
	f.time += int64(10 * time.Second)
	f.frame(rtpFrame(0, false))
	f.d.Flush()
	var whole, cut int
	for _, u := range f.units {
		if u.Truncated {
			cut++
		} else {
			whole++
			wantMirrored(t, u, TCP, sipRequest, "hep:2001")
		}
	}
	if whole != 2 || cut != 1 || !f.has("tcp-gap") {
		t.Errorf("%d whole and %d cut, %v", whole, cut, f.findings)
	}
	// Junk without a gap is told of.
	f = newFeed(Config{})
	f.link = linkEthernet
	co = conn{isn: 77, ports: [2]int{41000, 9060}, layers: lan(0, false)}
	f.frame(co.segment(tcpSYN, -1, ""))
	f.frame(co.segment(tcpACK, 0, one+"some junk"+one))
	if len(f.units) != 2 || !f.has("stream-junk") || f.d.Stats().Junk != 9 {
		t.Errorf("%d units, %v, %+v", len(f.units), f.findings, f.d.Stats())
	}
}

// Names of agents are bounded.
func TestHEPAgents(t *testing.T) {
	f := newFeed(Config{})
	f.link = linkEthernet
	for k := range 3 * maxAgents {
		f.frame(hepFrame(hepPacket(17, 1, sipRequest, hepChunk(19, fmt.Sprint(k)+strings.Repeat("x", 100)))))
	}
	if len(f.d.agents) > maxAgents || len(f.units) != 3*maxAgents {
		t.Errorf("%d agents", len(f.d.agents))
	}
	if n := len(f.units[0].Interface); n > 80 {
		t.Errorf("a name of %d octets", n)
	}
}

// FuzzHEP: no octets do harm, and a unit's places lie inside it.
func FuzzHEP(f *testing.F) {
	one := hepPacket(6, 1, sipRequest)
	for _, s := range []string{one, one[:200], one + one, one[40:] + one, hepPacket(17, 1, "", hepChunk(16, "\x1f\x8b\x08")), "HEP3\x00\x06", one + "junk" + one, hepPacket(17, 5, "{}") + one} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(100))
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		f := newFeed(Config{HEPInflated: 4096})
		f.link = linkEthernet
		co := conn{isn: 1, ports: [2]int{1, 9060}, layers: lan(0, false)}
		step := int(size)*8 + 1
		for at := 0; at < len(b); at += step {
			f.frame(co.segment(tcpACK, at, string(b[at:min(at+step, len(b))])))
		}
		if len(b) < 60000 {
			f.frame(hepFrame(string(b)))
		}
		f.d.Flush()
		for _, u := range f.units {
			for _, s := range u.Segments {
				if int(s.Off) > len(u.Data) {
					t.Fatalf("segment at %d of %d", s.Off, len(u.Data))
				}
			}
			if len(u.Frames) == 0 || len(u.Segments) == 0 {
				t.Fatalf("%+v comes from nowhere", u)
			}
		}
	})
}
