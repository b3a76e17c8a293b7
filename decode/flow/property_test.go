package flow

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// wrappers put an IP datagram into a frame of Ethernet, through every tunnel there is.
var wrappers = []struct {
	name string
	wrap func(v6 bool, ip []byte) []byte
}{
	{"plain", func(v6 bool, ip []byte) []byte { return build(append(lan(0, v6), ip)...) }},
	{"vlan", func(v6 bool, ip []byte) []byte { return build(append(lan(1, v6), ip)...) }},
	{"qinq", func(v6 bool, ip []byte) []byte { return build(append(lan(2, v6), ip)...) }},
	{"gtpu", func(v6 bool, ip []byte) []byte {
		return outerUDP(portGTPU, cat([]byte{0x34, 255}, be16(8+len(ip)), be32(77), []byte{0, 0, 0, 0x85, 1, 0, 9, 0}, ip))
	}},
	{"vxlan", func(v6 bool, ip []byte) []byte {
		return outerUDP(portVXLAN, cat([]byte{8, 0, 0, 0, 0, 0, 9, 0}, build(append(lan(0, v6), ip)...)))
	}},
	{"geneve", func(v6 bool, ip []byte) []byte {
		return outerUDP(portGENEVE, cat([]byte{0, 0, 0x65, 0x58, 0, 0, 9, 0}, build(append(lan(1, v6), ip)...)))
	}},
	{"ipip", func(v6 bool, ip []byte) []byte {
		proto := byte(protoIPIP)
		if v6 {
			proto = protoIPv6
		}
		return build(etherHeader{etIPv4}, ipHeader{proto: proto, src: "198.51.100.1", dst: "198.51.100.2"}, ip)
	}},
	{"gre in pppoe", func(v6 bool, ip []byte) []byte {
		t := be16(etIPv4)
		if v6 {
			t = be16(etIPv6)
		}
		in := build(ipHeader{proto: protoGRE, src: "198.51.100.1", dst: "198.51.100.2"}, raw(cat([]byte{0x30, 0}, t, be32(5), be32(6))), ip)
		return build(etherHeader{etPPPoE}, raw(cat([]byte{0x11, 0, 0, 9}, be16(2+len(in)), []byte{0, 0x21})), in)
	}},
	{"mpls", func(v6 bool, ip []byte) []byte { return build(etherHeader{etMPLS}, be32(17<<12|0x100|64), ip) }},
}

func outerUDP(port int, b []byte) []byte {
	return build(etherHeader{etIPv6}, ipHeader{v6: true, proto: protoUDP, src: "2001:db8:f::1", dst: "2001:db8:f::2"}, udpHeader{1234, port}, b)
}

// shuffle moves each frame by at most window places and repeats some.
func shuffle(r *rand.Rand, frames [][]byte, window int) [][]byte {
	type item struct {
		at int
		b  []byte
	}
	var list []item
	for i, b := range frames {
		list = append(list, item{i + r.IntN(window+1), b})
		if r.IntN(5) == 0 {
			list = append(list, item{i + r.IntN(window+1), b})
		}
	}
	slices.SortStableFunc(list, func(a, b item) int { return a.at - b.at })
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = list[i].b
	}
	return out
}

// TestProperty: the same SIP octets, cut into random segments, chunks or fragments, out of order within a window, partly
// repeated, and in random tunnels, always give the same units, and each octet comes from a frame that holds it.
func TestProperty(t *testing.T) {
	rounds := 600
	if testing.Short() {
		rounds = 60
	}
	for round := range rounds {
		r := rand.New(rand.NewPCG(uint64(round), 7))
		var want []string
		stream := ""
		for i := range 1 + r.IntN(6) {
			m := request([]string{"INVITE", "MESSAGE", "BYE", "PUBLISH"}[r.IntN(4)], []int{0, 5, 300, 4000}[r.IntN(4)]+r.IntN(50))
			m = string(bytes.Replace([]byte(m), []byte("Call-ID: 1"), fmt.Appendf(nil, "Call-ID: %d", i), 1))
			want = append(want, m)
			stream += m
		}
		v6 := r.IntN(2) == 0
		w := wrappers[r.IntN(len(wrappers))]
		kind := []string{"tcp", "fragments", "sctp", "ws"}[r.IntN(4)]
		var frames [][]byte
		window := r.IntN(8)
		switch kind {
		case "tcp", "ws":
			if kind == "ws" {
				stream = wsUpgrade
				for _, m := range want {
					var key []byte
					if r.IntN(2) == 0 {
						key = be32(r.Uint32())
					}
					for at := 0; at < len(m); {
						n := min(len(m), at+1+r.IntN(3000))
						first := byte(0)
						if at == 0 {
							first = 1
						}
						if n == len(m) {
							first |= wsFIN
						}
						stream += wsFrame(first, key, m[at:n])
						at = n
					}
				}
			}
			isn := r.Uint32()
			seg := func(flags byte, off int, b string) {
				ip := build(ipHeader{v6: v6, proto: protoTCP}, tcpHeader{sport: 40000, dport: 5070, seq: isn + uint32(off), flags: flags}, b)
				frames = append(frames, w.wrap(v6, ip))
			}
			for at := 0; at < len(stream); {
				n := min(len(stream), at+1+r.IntN(1400))
				seg(tcpACK, 1+at, stream[at:n])
				if r.IntN(6) == 0 { // a retransmission that is cut otherwise
					lo := r.IntN(n)
					seg(tcpACK, 1+lo, stream[lo:min(n, lo+1400)])
				}
				at = n
			}
			seg(tcpACK|tcpFIN, 1+len(stream), "")
			frames = shuffle(r, frames, window)
			syn := w.wrap(v6, build(ipHeader{v6: v6, proto: protoTCP}, tcpHeader{sport: 40000, dport: 5070, seq: isn, flags: tcpSYN}))
			frames = append([][]byte{syn}, frames...)
		case "fragments":
			for i, m := range want {
				d := build(udpHeader{40000, 5070}, m)
				for _, p := range split(len(d), 8*(1+r.IntN(170))) {
					if !p.more && p.off == 0 {
						frames = append(frames, w.wrap(v6, build(ipHeader{v6: v6, proto: protoUDP}, d)))
						continue
					}
					inner := fragFrame(v6, 1000+i, r.IntN(2) == 0, d, p)[14:]
					frames = append(frames, w.wrap(v6, inner))
				}
			}
			if window > 0 { // duplicates of whole datagrams are messages of their own; see TestFragments for the others
				slices.Reverse(frames)
			}
		case "sctp":
			tsn := r.Uint32()
			for i, m := range want {
				for at := 0; at < len(m); {
					n := min(len(m), at+1+r.IntN(1400))
					flags := byte(0)
					if at == 0 {
						flags |= 2
					}
					if n == len(m) {
						flags |= 1
					}
					tsn++
					ip := build(ipHeader{v6: v6, proto: protoSCTP}, sctpHeader{5060, 5062, 99}, dataChunk(flags, tsn, 1, i, []byte(m[at:n])))
					frames = append(frames, w.wrap(v6, ip))
					at = n
				}
			}
			frames = shuffle(r, frames, window)
		}
		f := newFeed(Config{})
		for _, b := range frames {
			f.frame(b)
		}
		f.d.Flush()
		got := f.texts()
		name := fmt.Sprintf("round %d: %s in %s v6=%v window %d", round, kind, w.name, v6, window)
		if kind != "tcp" && kind != "ws" { // datagrams may overtake each other
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %d units, want %d, %v %+v", name, len(got), len(want), f.findings, f.d.stats)
		}
		if len(f.findings) > 0 {
			t.Fatalf("%s: %v", name, f.findings)
		}
		for _, u := range f.units {
			if u.Truncated || len(u.Findings) > 0 {
				t.Fatalf("%s: %v", name, u.Findings)
			}
			if kind == "ws" {
				continue // masked octets are not to be found in the frames
			}
			for i, s := range u.Segments {
				end := uint32(len(u.Data))
				if i+1 < len(u.Segments) {
					end = u.Segments[i+1].Off
				}
				if !bytes.Contains(frames[s.Frame-1], u.Data[s.Off:end]) && !multiple(u, s.Frame) {
					t.Fatalf("%s: octets %d to %d are not in frame %d; %v", name, s.Off, end, s.Frame, u.Segments)
				}
			}
		}
		d := f.d
		if d.frags.bytes != 0 || d.streams.bytes() != 0 || d.assocs.bytes != 0 || len(d.frags.m)+len(d.streams.m)+len(d.assocs.m)+len(d.streams.heap) != 0 {
			t.Fatalf("%s: state left", name)
		}
	}
}

// multiple reports whether a frame brought several stretches of a message (a bundle of chunks, or a segment around one
// that was there before), which a single search does not find.
func multiple(u *Unit, frame uint64) bool {
	n := 0
	for _, s := range u.Segments {
		if s.Frame == frame {
			n++
		}
	}
	return n > 1
}
