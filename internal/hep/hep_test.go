package hep

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

var _ encoding.BinaryAppender = (*Packet)(nil)

// byHand is a packet written down octet by octet from the tables of the specification: INVITE of 192.0.2.10:5060 to
// 192.0.2.20:5070 over UDP, agent 2001, with a key, a correlation ID, a name and a vendor's chunk.
const byHand = "HEP3\x00\xa7" +
	"\x00\x00\x00\x01\x00\x07\x02" +
	"\x00\x00\x00\x02\x00\x07\x11" +
	"\x00\x00\x00\x03\x00\x0a\xc0\x00\x02\x0a" +
	"\x00\x00\x00\x04\x00\x0a\xc0\x00\x02\x14" +
	"\x00\x00\x00\x07\x00\x08\x13\xc4" +
	"\x00\x00\x00\x08\x00\x08\x13\xce" +
	"\x00\x00\x00\x09\x00\x0a\x65\x91\xff\x80" +
	"\x00\x00\x00\x0a\x00\x0a\x00\x01\xe2\x40" +
	"\x00\x00\x00\x0b\x00\x07\x01" +
	"\x00\x00\x00\x0c\x00\x0a\x00\x00\x07\xd1" +
	"\x00\x00\x00\x0e\x00\x0cmyhep1" +
	"\x00\x00\x00\x11\x00\x0aabcd" +
	"\x00\x00\x00\x13\x00\x0cedge-1" +
	"\x00\x01\x00\x01\x00\x08\x00\x00" +
	"\x00\x00\x00\x0f\x00\x20INVITE sip:b@h SIP/2.0\r\n\r\n"

func TestParse(t *testing.T) {
	b := []byte(byHand)
	if Size(b) != len(b) || !Looks(b) {
		t.Fatalf("size %d of %d", Size(b), len(b))
	}
	p, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	want := Packet{Protocol: 17, Src: netip.MustParseAddrPort("192.0.2.10:5060"), Dst: netip.MustParseAddrPort("192.0.2.20:5070"),
		Time: time.Unix(0x6591ff80, 123456000), Type: TypeSIP, Agent: 2001, Node: []byte("edge-1"), Correlation: []byte("abcd"), Keyed: true,
		Payload: []byte("INVITE sip:b@h SIP/2.0\r\n\r\n"), PayloadOff: len(b) - 26, Unknown: 1}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("%+v\nwant %+v", p, want)
	}
}

// Every cut of a packet is known as one, and gives the beginning of its payload.
func TestCuts(t *testing.T) {
	b := []byte(byHand)
	for n := headerSize; n < len(b); n++ {
		p, err := Parse(b[:n])
		if err != nil || !p.Truncated || !bytes.HasPrefix(b[len(b)-26:], p.Payload) || n > len(b)-26 && len(p.Payload) != n-len(b)+26 {
			t.Fatalf("%d octets: %+v, %v", n, p, err)
		}
	}
}

func TestDefects(t *testing.T) {
	chunk := func(s string) string { return "HEP3" + string([]byte{0, byte(6 + len(s))}) + s }
	for _, c := range []struct{ name, in, want string }{
		{"no header", "HEP2\x00\x06", "octet 0: no HEP3 header"},
		{"length", "HEP3\x00\x05", "octet 0: no HEP3 header"},
		{"behind", chunk("") + "x", "octet 6: 1 octets behind the end"},
		{"no chunk", chunk("\x00\x00\x00"), "octet 6: 3 octets left"},
		{"short", chunk("\x00\x00\x00\x01\x00\x05\x02"), "octet 10: chunk length 5"},
		{"beyond", chunk("\x00\x00\x00\x01\x00\x09\x02"), "octet 10: chunk length 9, but 7 octets"},
		{"size", chunk("\x00\x00\x00\x03\x00\x07\x02"), "octet 12: chunk 3 has 1 octets of value, not 4"},
		{"twice", chunk("\x00\x00\x00\x02\x00\x07\x06\x00\x00\x00\x02\x00\x07\x11"), "octet 19: chunk 2 is there twice"},
		{"payloads", chunk("\x00\x00\x00\x0f\x00\x06\x00\x00\x00\x10\x00\x06"), "octet 18: a second payload"},
		{"microseconds", chunk("\x00\x00\x00\x09\x00\x0a\x00\x00\x00\x01\x00\x00\x00\x0a\x00\x0a\x00\x0f\x42\x40"), "1000000 microseconds"},
	} {
		p, err := Parse([]byte(c.in))
		if e := (*Error)(nil); !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || e.Off > len(c.in) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.name == "twice" && p.Protocol != 6 {
			t.Errorf("%s: the second one counts", c.name)
		}
	}
	many := []byte("HEP3\x00\x00" + strings.Repeat("\x00\x01\x00\x01\x00\x06", MaxChunks+1))
	many[4], many[5] = byte(len(many)>>8), byte(len(many))
	if p, err := Parse(many); err == nil || p.Unknown != MaxChunks {
		t.Errorf("%d chunks, %v", p.Unknown, err)
	}
}

func TestAppend(t *testing.T) {
	p, _ := Parse([]byte(byHand))
	p.Src, p.Dst = netip.MustParseAddrPort("[2001:db8::1]:5060"), netip.MustParseAddrPort("[2001:db8::2]:5061")
	p.VLAN, p.Compressed = 7, true
	b, err := p.AppendBinary([]byte("before"))
	if err != nil || string(b[:6]) != "before" {
		t.Fatal(err)
	}
	q, err := Parse(b[6:])
	if err != nil {
		t.Fatal(err)
	}
	q.PayloadOff, q.Keyed, q.Unknown = p.PayloadOff, p.Keyed, p.Unknown
	if !reflect.DeepEqual(p, q) {
		t.Errorf("%+v\n%+v", p, q)
	}
	p.Payload = make([]byte, MaxSize)
	if b, err := p.AppendBinary(nil); err != ErrTooLong || len(b) != 0 {
		t.Errorf("%d octets, %v", len(b), err)
	}
}

func TestInflate(t *testing.T) {
	text := strings.Repeat("OPTIONS sip:a@b SIP/2.0\r\n", 400)
	for name, wrap := range map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"zlib":    func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 9); return z },
	} {
		var buf bytes.Buffer
		w := wrap(&buf)
		io.WriteString(w, text)
		w.Close()
		p := Packet{Payload: buf.Bytes(), Compressed: true}
		if out, err := p.Inflate(len(text)); err != nil || string(out) != text {
			t.Errorf("%s: %d octets, %v", name, len(out), err)
		}
		if out, err := p.Inflate(len(text) - 1); err != ErrExpands || len(out) != len(text)-1 {
			t.Errorf("%s over the limit: %d octets, %v", name, len(out), err)
		}
		p.Payload = p.Payload[:len(p.Payload)/2]
		if _, err := p.Inflate(len(text)); err == nil {
			t.Errorf("%s: half of it is whole", name)
		}
	}
}

// FuzzParse: what can be read, and written again, reads the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(byHand))
	f.Add([]byte(byHand[:100]))
	f.Add([]byte("HEP3\x00\x06"))
	f.Add([]byte("HEP3\xff\xff\x00\x00\x00\x0f\xff\xf0REGISTER"))
	f.Add([]byte(strings.Replace(byHand, "\x00\x00\x00\x0f", "\x00\x00\x00\x10", 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		p, err := Parse(b)
		if !bytes.Equal(in, b) {
			t.Fatal("the input was changed")
		}
		if e, ok := err.(*Error); err != nil && (!ok || e.Off < 0 || e.Off > len(b)) {
			t.Fatalf("error %v about %d octets", err, len(b))
		}
		if p.Payload != nil && (p.PayloadOff < headerSize || p.PayloadOff+len(p.Payload) > len(b)) {
			t.Fatalf("payload of %d at %d in %d", len(p.Payload), p.PayloadOff, len(b))
		}
		if p.Compressed {
			if out, _ := p.Inflate(4096); len(out) > 4096 {
				t.Fatal(len(out))
			}
		}
		c, err := p.AppendBinary(nil)
		if err != nil {
			return
		}
		q, err := Parse(c)
		if err != nil {
			t.Fatalf("%v of what was written", err)
		}
		q.PayloadOff, q.Keyed, q.Truncated, q.Unknown = p.PayloadOff, p.Keyed, p.Truncated, p.Unknown
		if len(p.Node) == 0 {
			p.Node = nil
		}
		if len(p.Correlation) == 0 {
			p.Correlation = nil
		}
		if p.Src.Addr().Is4() != p.Dst.Addr().Is4() { // written in one family
			return
		}
		if !reflect.DeepEqual(p, q) {
			t.Fatalf("%+v\n%+v", p, q)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	in := []byte(byHand)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	p, _ := Parse([]byte(byHand))
	var buf []byte
	b.SetBytes(int64(len(byHand)))
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = p.AppendBinary(buf[:0])
	}
}
