package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/internal/pcapng"
)

// A packet is one frame of a capture that is mutated.
type packet struct {
	sec, usec uint32
	orig      uint32 // octets on the wire, as the file says
	data      []byte
}

// A scene is a capture on its way through the mutations: its frames, or, when raw is set, the octets of the file.
type scene struct {
	link    uint32
	packets []packet
	raw     []byte
	names   []string // of the mutations
}

// sceneOf reads the frames of a capture of one link type; what cannot be read so is mutated by its octets.
func sceneOf(file []byte) *scene {
	s := &scene{link: 1}
	rd, err := pcapng.NewReader(bytes.NewReader(file), pcapng.Limits{})
	if err != nil {
		s.raw = file
		return s
	}
	var p pcapng.Packet
	for rd.Next(&p) == nil {
		s.packets = append(s.packets, packet{uint32(p.Time / 1e9), uint32(p.Time % 1e9 / 1000), p.Orig, bytes.Clone(p.Data)})
	}
	for _, i := range rd.Interfaces() {
		s.link = uint32(i.Link)
	}
	if len(s.packets) == 0 || len(rd.Interfaces()) != 1 || !strings.HasPrefix(rd.Format(), "pcap ") {
		s.raw, s.packets = file, nil
	}
	return s
}

func (s *scene) clone() *scene {
	c := &scene{link: s.link, raw: bytes.Clone(s.raw)}
	for _, p := range s.packets {
		p.data = bytes.Clone(p.data)
		c.packets = append(c.packets, p)
	}
	return c
}

// file is the capture as a file of the classic format.
func (s *scene) file() []byte {
	if s.raw != nil {
		return s.raw
	}
	b := pcapHeader()
	binary.LittleEndian.PutUint32(b[16:], 1<<18)
	binary.LittleEndian.PutUint32(b[20:], s.link)
	for _, p := range s.packets {
		b = binary.LittleEndian.AppendUint32(b, p.sec)
		b = binary.LittleEndian.AppendUint32(b, p.usec)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p.data)))
		b = binary.LittleEndian.AppendUint32(b, max(p.orig, uint32(len(p.data))))
		b = append(b, p.data...)
	}
	return b
}

// ip is the offset of the network layer in a frame, -1 when it is not found by the link type alone.
func (s *scene) ip(b []byte) int {
	at := -1
	switch s.link {
	case 0:
		at = 4
	case 1:
		at = 14
		for at+4 <= len(b) && (b[at-2] == 0x81 || b[at-2] == 0x88 && b[at-1] == 0xa8) {
			at += 4
		}
	case 101:
		at = 0
	case 113:
		at = 16
	case 276:
		at = 20
	}
	if at < 0 || at+20 > len(b) || b[at]>>4 != 4 && b[at]>>4 != 6 {
		return -1
	}
	return at
}

// payload is where the octets above UDP or TCP begin in a frame of IPv4, and their layer's header.
func (s *scene) payload(b []byte) (ip, header, payload int, ok bool) {
	if ip = s.ip(b); ip < 0 || b[ip]>>4 != 4 {
		return
	}
	header = ip + int(b[ip]&15)*4
	switch {
	case b[ip+9] == 17 && header+8 <= len(b):
		payload = header + 8
	case b[ip+9] == 6 && header+20 <= len(b):
		payload = header + int(b[header+12]>>4)*4
	default:
		return
	}
	return ip, header, payload, header >= ip+20 && payload >= header+8 && payload <= len(b) && (b[ip+9] == 17 || payload >= header+20) && binary.BigEndian.Uint16(b[ip+6:])&0x3fff == 0
}

// rewrite changes the payload of a packet and sets the lengths below it right again, in fragments where it has grown.
func (s *scene) rewrite(i int, f func(payload []byte) []byte) {
	p := &s.packets[i]
	ip, header, at, ok := s.payload(p.data)
	if !ok {
		p.data = f(p.data)
		return
	}
	body := f(bytes.Clone(p.data[at:]))
	head := p.data[:at:at]
	if udp := p.data[ip+9] == 17; len(body) > 65000 && udp {
		body = body[:65000]
	} else if !udp {
		// One segment after the other.
		var more []packet
		seq := binary.BigEndian.Uint32(head[header+4:])
		for off := 0; off < len(body) || off == 0; off += 60000 {
			piece := body[off:min(off+60000, len(body))]
			b := append(bytes.Clone(head), piece...)
			binary.BigEndian.PutUint32(b[header+4:], seq+uint32(off))
			binary.BigEndian.PutUint16(b[ip+2:], uint16(len(b)-ip))
			more = append(more, packet{p.sec, p.usec, 0, b})
		}
		s.packets = slices.Replace(s.packets, i, i+1, more...)
		return
	}
	b := append(bytes.Clone(head), body...)
	binary.BigEndian.PutUint16(b[ip+2:], uint16(len(b)-ip))
	binary.BigEndian.PutUint16(b[header+4:], uint16(len(b)-header))
	p.data, p.orig = b, 0
}

// some is a number of packets to be changed, few as a rule.
func (s *scene) some(r *rand.Rand) []int {
	n := 1 + r.IntN(3)
	if r.IntN(4) == 0 {
		n = len(s.packets)
	}
	var at []int
	for range min(n, 500) {
		at = append(at, r.IntN(len(s.packets)))
	}
	slices.Sort(at)
	slices.Reverse(at) // what is inserted leaves earlier places alone
	return slices.Compact(at)
}

var odd = []uint64{0, 1, 2, 3, 4, 7, 8, 9, 19, 20, 21, 40, 127, 128, 255, 256, 1500, 0x3fff, 0x4000, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x10000, 0xffffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff}

// number writes an odd number of one, two or four octets.
func number(r *rand.Rand, b []byte) {
	v := odd[r.IntN(len(odd))]
	switch n := 1 << r.IntN(3); {
	case n == 4 && len(b) >= 4:
		binary.BigEndian.PutUint32(b, uint32(v))
	case n >= 2 && len(b) >= 2:
		binary.BigEndian.PutUint16(b, uint16(v))
	case len(b) > 0:
		b[0] = byte(v)
	}
}

// A mutation changes a scene; frames says that it needs some.
type mutation struct {
	name   string
	frames bool
	f      func(r *rand.Rand, s *scene, others []*scene)
}

// each makes a mutation of one that changes the payload of some packets.
func each(name string, f func(r *rand.Rand, b []byte) []byte) mutation {
	return mutation{name, true, func(r *rand.Rand, s *scene, _ []*scene) {
		for _, i := range s.some(r) {
			s.rewrite(i, func(b []byte) []byte { return f(r, b) })
		}
	}}
}

// header makes a mutation of one that changes the octets of some packets from the network layer on.
func header(name string, f func(r *rand.Rand, ip []byte)) mutation {
	return mutation{name, true, func(r *rand.Rand, s *scene, _ []*scene) {
		for _, i := range s.some(r) {
			if at := s.ip(s.packets[i].data); at >= 0 {
				f(r, s.packets[i].data[at:])
			}
		}
	}}
}

// place is where one of the texts begins in b, from a random place on; -1 when there is none.
func place(r *rand.Rand, b []byte, texts ...string) int {
	from := r.IntN(len(b) + 1)
	for range 2 {
		for _, k := range r.Perm(len(texts)) {
			if i := bytes.Index(b[from:], []byte(texts[k])); i >= 0 {
				return from + i
			}
		}
		from = 0
	}
	return -1
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

var (
	lengthField = regexp.MustCompile(`(?i)(\r\n(?:content-length|l)\s*:\s*)[^\r\n]*`)
	anyField    = regexp.MustCompile(`\r\n[A-Za-z-]+[ \t]*:[^\r\n]*`)
	hostileText = []string{"\x1b[31m\x1b]0;x\a", "\x9b31m", "\u009b1m", "\u202eabc\u202c", "\x00", "\b\b\b", "\x7f", "\xff\xfe", "\u2028", "\U000e0001", "\\x1b", "%s%n", "\t", "\r", "\n",
		"]]>", "<!--", "<![CDATA[", "&lt;", "&#x1b;", "&#27;", "\"", "\\\"", "'", "<", ">", ";", ",", "//", "@", "--", "=1", "%00", "%1b%5b", "\ufeff", "\u0000"}
	hostileField = []string{"Content-Type: multipart/mixed;boundary=", "Content-Type: multipart/mixed;boundary=\"\"", "Content-Type: message/sip", "Content-Encoding: gzip", "Content-Transfer-Encoding: base64", "Content-Length: -1",
		"l: 99999999999999999999", "Call-ID:", "CSeq: 4294967296 X", "Via: SIP/2.0/UDP [::1", "Contact: *", "Contact: \"\\", "Warning: 399 \"", "Authorization: Digest a=\"", "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.", "Expires: 99999999999",
		"From: <sip:", "To: \"", "X: \x1b[0m", "Security-Client: ipsec-3gpp; alg=hmac-sha-1-96; spi-c=1; spi-s=2; port-c=3; port-s=4", "Transfer-Encoding: chunked", "Upgrade: websocket", "Identity-Info: x", "Geolocation: <cid:a>", "Accept-Contact: *;+g.3gpp.mcptt"}
)

// mutations are the classes of damage that captures and traffic come with.
var mutations = []mutation{
	{"cut-file", false, func(r *rand.Rand, s *scene, _ []*scene) { b := s.file(); s.raw = bytes.Clone(b[:r.IntN(len(b)+1)]) }},
	{"bits-file", false, func(r *rand.Rand, s *scene, _ []*scene) {
		s.raw = bytes.Clone(s.file())
		for range 1 + r.IntN(20) {
			if len(s.raw) > 0 {
				s.raw[r.IntN(len(s.raw))] ^= 1 << r.IntN(8)
			}
		}
	}},
	{"head-file", false, func(r *rand.Rand, s *scene, _ []*scene) {
		s.raw = bytes.Clone(s.file())
		for range 1 + r.IntN(4) {
			number(r, s.raw[r.IntN(min(len(s.raw), 64)+1):])
		}
	}},
	{"numbers-file", false, func(r *rand.Rand, s *scene, _ []*scene) {
		s.raw = bytes.Clone(s.file())
		for range 1 + r.IntN(8) {
			number(r, s.raw[r.IntN(len(s.raw)+1)&^3:])
		}
	}},
	{"hole-file", false, func(r *rand.Rand, s *scene, _ []*scene) {
		b := s.file()
		i, j := r.IntN(len(b)+1), r.IntN(len(b)+1)
		if i > j {
			i, j = j, i
		}
		s.raw = append(bytes.Clone(b[:i]), b[j:]...)
		if r.IntN(2) == 0 {
			s.raw = bytes.Clone(b)
			clear(s.raw[i:j])
		}
	}},
	{"gzip", false, func(r *rand.Rand, s *scene, _ []*scene) {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(s.file())
		w.Close()
		s.raw = z.Bytes()
		if r.IntN(2) == 0 {
			s.raw = s.raw[:r.IntN(len(s.raw))]
		} else if r.IntN(2) == 0 {
			s.raw[r.IntN(len(s.raw))] ^= 1 << r.IntN(8)
		} else {
			s.raw = append(s.raw, s.raw...)
		}
	}},
	{"pcapng", true, func(r *rand.Rand, s *scene, _ []*scene) {
		var out bytes.Buffer
		w, err := pcapng.NewWriter(&out, pcapng.WriterOptions{Interfaces: []pcapng.Interface{{Link: uint16(s.link)}, {Link: 1}}})
		if err != nil {
			panic(err)
		}
		for _, p := range s.packets {
			if err := w.WritePacket(&pcapng.Packet{Time: int64(p.sec)*1e9 + int64(p.usec)*1000, Data: p.data, Orig: max(uint32(len(p.data)), p.orig)}); err != nil {
				break
			}
		}
		w.Flush()
		s.raw = out.Bytes()
		for range r.IntN(6) {
			number(r, s.raw[r.IntN(len(s.raw))&^3:])
		}
	}},
	{"two-files", false, func(r *rand.Rand, s *scene, others []*scene) {
		s.raw = append(bytes.Clone(s.file()), others[r.IntN(len(others))].file()...)
	}},
	{"link", true, func(r *rand.Rand, s *scene, _ []*scene) {
		s.link = pick[uint32](r, 0, 1, 8, 9, 12, 14, 50, 51, 101, 104, 105, 107, 108, 113, 127, 141, 189, 192, 195, 224, 226, 228, 229, 239, 248, 252, 253, 264, 272, 276, 290, 65535, 1<<28|1, 0x0fff)
	}},
	{"times", true, func(r *rand.Rand, s *scene, _ []*scene) {
		for _, i := range s.some(r) {
			s.packets[i].sec = uint32(pick(r, append(odd, uint64(r.Uint32()))...))
			s.packets[i].usec = uint32(pick(r, append(odd, 999999, 1000000)...))
		}
	}},
	{"backwards", true, func(_ *rand.Rand, s *scene, _ []*scene) { slices.Reverse(s.packets) }},
	{"shuffle", true, func(r *rand.Rand, s *scene, _ []*scene) {
		r.Shuffle(len(s.packets), func(i, j int) {
			if i-j < 20 && j-i < 20 {
				s.packets[i], s.packets[j] = s.packets[j], s.packets[i]
			}
		})
	}},
	{"drop", true, func(r *rand.Rand, s *scene, _ []*scene) {
		for _, i := range s.some(r) {
			if len(s.packets) > 1 {
				s.packets = slices.Delete(s.packets, i, i+1)
			}
		}
	}},
	{"twice", true, func(r *rand.Rand, s *scene, _ []*scene) {
		for _, i := range s.some(r) {
			s.packets = slices.Insert(s.packets, r.IntN(len(s.packets)), s.packets[i])
		}
	}},
	{"many", true, func(r *rand.Rand, s *scene, _ []*scene) {
		size := 0
		for _, p := range s.packets {
			size += len(p.data) + 16
		}
		n, ps := min(1000, 4<<20/size), s.packets
		if r.IntN(10) == 0 {
			n = min(1000, 24<<20/size)
		}
		for range n {
			s.packets = append(s.packets, ps...)
		}
	}},
	{"splice", true, func(r *rand.Rand, s *scene, others []*scene) {
		o := others[r.IntN(len(others))]
		for i, p := range o.packets {
			if i == 300 {
				break
			}
			p.data = bytes.Clone(p.data)
			if from, to := o.ip(p.data), s.ip(s.packets[0].data); from >= 0 && to >= 0 {
				p.data = append(bytes.Clone(s.packets[0].data[:to]), p.data[from:]...)
			}
			s.packets = slices.Insert(s.packets, r.IntN(len(s.packets)+1), p)
		}
	}},
	{"graft", true, func(r *rand.Rand, s *scene, others []*scene) {
		// The payload of one message in the frame of another.
		o := others[r.IntN(len(others))]
		if len(o.packets) == 0 {
			return
		}
		for _, i := range s.some(r) {
			p := o.packets[r.IntN(len(o.packets))].data
			if _, _, from, ok := o.payload(p); ok {
				p = p[from:]
			}
			s.rewrite(i, func(b []byte) []byte {
				return slices.Concat(b[:r.IntN(len(b)+1)], p[r.IntN(len(p)+1):], b[r.IntN(len(b)+1):])
			})
		}
	}},
	{"snap", true, func(r *rand.Rand, s *scene, _ []*scene) {
		for _, i := range s.some(r) {
			p := &s.packets[i]
			p.orig, p.data = uint32(len(p.data)), p.data[:r.IntN(len(p.data)+1)]
		}
	}},
	{"bits", true, func(r *rand.Rand, s *scene, _ []*scene) {
		for _, i := range s.some(r) {
			for b := s.packets[i].data; len(b) > 0; {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
				if r.IntN(3) == 0 {
					break
				}
			}
		}
	}},
	{"numbers", true, func(r *rand.Rand, s *scene, _ []*scene) {
		for _, i := range s.some(r) {
			b := s.packets[i].data
			number(r, b[r.IntN(min(len(b), 120)+1):])
		}
	}},
	header("ip-length", func(r *rand.Rand, b []byte) { number(r, b[pick(r, 0, 2, 4, 6, 9):]) }),
	header("above-ip", func(r *rand.Rand, b []byte) {
		if n := int(b[0]&15) * 4; n+20 < len(b) {
			number(r, b[n+r.IntN(20):])
		}
	}),
	header("ip-fragment", func(r *rand.Rand, b []byte) {
		if b[0]>>4 == 4 {
			binary.BigEndian.PutUint16(b[6:], uint16(r.Uint32())&pick[uint16](r, 0x2001, 0x2000, 0x1fff, 0x3fff, 0xffff))
		}
	}),
	{"fragments", true, func(r *rand.Rand, s *scene, _ []*scene) {
		for _, i := range s.some(r) {
			b := s.packets[i].data
			ip := s.ip(b)
			if ip < 0 || b[ip]>>4 != 4 || len(b) < ip+60 {
				continue
			}
			head, body := b[:ip+20], b[ip+20:]
			var more []packet
			for off, step := 0, 8*(1+r.IntN(80)); off < len(body) && len(more) < 200; off += step {
				from := max(0, off-8*pick(r, 0, 0, 0, 1, 3)) // overlapping
				to := min(len(body), off+step+pick(r, 0, 0, 0, 1, 8, 64))
				f := append(bytes.Clone(head), body[from:to]...)
				binary.BigEndian.PutUint16(f[ip+2:], uint16(len(f)-ip))
				flags := uint16(from / 8)
				if to < len(body) || r.IntN(9) == 0 {
					flags |= 0x2000
				}
				binary.BigEndian.PutUint16(f[ip+6:], flags)
				more = append(more, packet{s.packets[i].sec, s.packets[i].usec, 0, f})
			}
			if r.IntN(2) == 0 {
				r.Shuffle(len(more), func(i, j int) { more[i], more[j] = more[j], more[i] })
			}
			s.packets = slices.Replace(s.packets, i, i+1, more...)
		}
	}},
	{"segments", true, func(r *rand.Rand, s *scene, _ []*scene) {
		for _, i := range s.some(r) {
			b := s.packets[i].data
			ip, header, at, ok := s.payload(b)
			if !ok || b[ip+9] != 6 || at == len(b) {
				continue
			}
			var more []packet
			seq := binary.BigEndian.Uint32(b[header+4:])
			for off, step := at, 1+r.IntN(1+(len(b)-at)); off < len(b) && len(more) < 200; off += step {
				from := max(at, off-pick(r, 0, 0, 1, 7, 100))
				f := append(bytes.Clone(b[:at]), b[from:min(len(b), off+step)]...)
				binary.BigEndian.PutUint16(f[ip+2:], uint16(len(f)-ip))
				binary.BigEndian.PutUint32(f[header+4:], seq+uint32(from-at))
				more = append(more, packet{s.packets[i].sec, s.packets[i].usec, 0, f})
			}
			if r.IntN(2) == 0 {
				r.Shuffle(len(more), func(i, j int) { more[i], more[j] = more[j], more[i] })
			}
			s.packets = slices.Replace(s.packets, i, i+1, more...)
		}
	}},
	each("cut", func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b)+1)] }),
	each("bits-payload", func(r *rand.Rand, b []byte) []byte {
		for range 1 + r.IntN(5) {
			if len(b) > 0 {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
		}
		return b
	}),
	each("numbers-payload", func(r *rand.Rand, b []byte) []byte {
		for range 1 + r.IntN(5) {
			number(r, b[r.IntN(len(b)+1):])
		}
		return b
	}),
	each("text", func(r *rand.Rand, b []byte) []byte {
		for range 1 + r.IntN(8) {
			b = slices.Insert(b, r.IntN(len(b)+1), []byte(pick(r, hostileText...))...)
		}
		return b
	}),
	each("content-length", func(r *rand.Rand, b []byte) []byte {
		v := pick(r, "0", "1", "-1", "4294967295", "4294967296", "2147483647", "99999999999999999999999", "1e3", "0x10", "", " ", "100 000", "65535", strconv.Itoa(r.IntN(4000)), "1\r\n 2")
		return lengthField.ReplaceAll(b, []byte("${1}"+v))
	}),
	each("fields", func(r *rand.Rand, b []byte) []byte {
		i := place(r, b, "\r\n")
		if i < 0 {
			return b
		}
		line := "\r\n" + pick(r, hostileField...)
		if was := anyField.Find(b[i:]); was != nil && r.IntN(2) == 0 {
			line = string(was)
		}
		return slices.Insert(b, i, []byte(strings.Repeat(line, pick(r, 1, 1, 1, 2, 10, 300)))...)
	}),
	each("field-long", func(r *rand.Rand, b []byte) []byte {
		if i := place(r, b, ";", ",", "\"", "<", "=", ": "); i >= 0 {
			return slices.Insert(b, i+1, bytes.Repeat([]byte(pick(r, "a", ";a=b", ",<sip:a@b>", "\"", "\\", "\r\n ", "(", "<", "%41", ", a", "=")), pick(r, 1, 3, 1000, 20000))...)
		}
		return b
	}),
	each("line-ends", func(r *rand.Rand, b []byte) []byte {
		for range 1 + r.IntN(4) {
			if i := place(r, b, "\r\n"); i >= 0 {
				b = slices.Replace(b, i, i+2, []byte(pick(r, "\n", "\r", "", "\r\n\r\n", "\r\n ", "\r\r\n", "\n\n"))...)
			}
		}
		return b
	}),
	each("multipart", func(r *rand.Rand, b []byte) []byte {
		i := bytes.LastIndex(b, []byte("\r\n--"))
		if i < 0 {
			return b
		}
		switch r.IntN(5) {
		case 0:
			return b[:i] // no end
		case 1: // each part many times
			j := max(0, bytes.Index(b, []byte("\r\n--")))
			return slices.Insert(b, j, bytes.Repeat(b[j:i], pick(r, 1, 5, 12))...)
		case 2:
			return bytes.ReplaceAll(b, []byte("\r\n--"), []byte("\r\n---"))
		case 3:
			return slices.Insert(b, i, bytes.Repeat([]byte("\r\n--mcx\r\n"), 2000)...)
		}
		return bytes.ReplaceAll(b, []byte("Content-Transfer-Encoding: binary"), []byte("Content-Transfer-Encoding: "+pick(r, "base64", "quoted-printable", "x", "7bit")))
	}),
	each("xml", func(r *rand.Rand, b []byte) []byte {
		for range 1 + r.IntN(3) {
			i := place(r, b, "<", ">", "</", "=\"", "=", "xmlns")
			if i < 0 {
				return b
			}
			switch r.IntN(7) {
			case 0:
				b = slices.Insert(b, i, []byte(strings.Repeat("<a>", pick(r, 1, 70, 5000)))...)
			case 1:
				b = slices.Delete(b, i, min(len(b), i+1+r.IntN(20)))
			case 2:
				b = slices.Insert(b, i, []byte(pick(r, "<!DOCTYPE a [<!ENTITY x \"y\"><!ENTITY z \"&x;&x;\">]>", "&z;", "<?xml version=\"1.1\"?>", "<?a b?>", "<![CDATA[", "]]>", "<!--", "\x00", "\xc3", "&#0;", "&#xffffffff;"))...)
			case 3:
				j := min(len(b), i+r.IntN(300))
				b = slices.Insert(b, i, bytes.Repeat(b[i:j], pick(r, 1, 2, 30))...)
			case 4:
				b = slices.Insert(b, i, []byte(fmt.Sprintf(" a%d='&lt;'", r.IntN(9)))...)
			case 5:
				b[i] = byte(r.Uint32())
			default:
				if j := place(r, b, "type=", "Type=", "Encrypted", "Algorithm="); j >= 0 {
					b = slices.Insert(b, j+pick(r, 0, 3, 6), 'x')
				}
			}
		}
		return b
	}),
	each("base64", func(r *rand.Rand, b []byte) []byte {
		if i := place(r, b, "<xenc:CipherValue>", "CipherValue>", "DigestValue>", "SignatureValue>", "KeyName>", "AAAA", "eyJ", "=="); i >= 0 {
			i = min(len(b), i+r.IntN(40))
			return slices.Replace(b, i, min(len(b), i+r.IntN(5)), []byte(pick(r, "", "=", "====", "\n", "A", "*", "AAAAAAAA", "\x80"))...)
		}
		return b
	}),
	each("mikey", func(r *rand.Rand, b []byte) []byte {
		i := bytes.Index(b, []byte{1, 26})
		if i < 0 {
			return b
		}
		for range 1 + r.IntN(3) {
			j := min(len(b), i+r.IntN(700))
			switch r.IntN(3) {
			case 0:
				number(r, b[j:])
			case 1:
				b = slices.Delete(b, j, min(len(b), j+1+r.IntN(9)))
			default:
				b = slices.Insert(b, j, bytes.Repeat([]byte{byte(r.Uint32()), 0, 1}, 1+r.IntN(300))...)
			}
		}
		return b
	}),
	each("again", func(r *rand.Rand, b []byte) []byte {
		return bytes.Repeat(b, 1+min(pick(r, 1, 2, 20), 60000/(len(b)+1)))
	}),
	each("inside", func(r *rand.Rand, b []byte) []byte {
		for range pick(r, 1, 2, 5, 9) {
			b = append(fmt.Appendf(nil, "MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nContent-Type: message/sip\r\nContent-Length: %d\r\n\r\n", len(b)), b...)
		}
		return b
	}),
}

// mutate changes a scene by one to three mutations, those of frames first.
func mutate(r *rand.Rand, from *scene, others []*scene) *scene {
	s := from.clone()
	ms := []mutation{mutations[r.IntN(6)]} // for what has no frames
	if s.raw == nil {
		ms = nil
	}
	for range 1 + r.IntN(3) {
		ms = append(ms, mutations[r.IntN(len(mutations))])
	}
	slices.SortStableFunc(ms, func(a, b mutation) int {
		switch {
		case a.frames && !b.frames:
			return -1
		case !a.frames && b.frames:
			return 1
		}
		return 0
	})
	for _, m := range ms {
		if !m.frames || s.raw == nil && len(s.packets) > 0 {
			s.names = append(s.names, m.name)
			m.f(r, s, others)
		}
	}
	return s
}
