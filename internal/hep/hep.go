package hep

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// Port is where collectors listen by custom.
const Port = 9060

// MaxSize is the longest packet: its length has 16 bits.
const MaxSize = 65535

// MaxChunks bounds the chunks of one packet; agents send about 15.
const MaxChunks = 64

const headerSize, chunkHeader = 6, 6

// Types of generic chunks.
const (
	chunkFamily      = 0x0001
	chunkProtocol    = 0x0002
	chunkSrc4        = 0x0003
	chunkDst4        = 0x0004
	chunkSrc6        = 0x0005
	chunkDst6        = 0x0006
	chunkSrcPort     = 0x0007
	chunkDstPort     = 0x0008
	chunkSeconds     = 0x0009
	chunkMicros      = 0x000a
	chunkType        = 0x000b
	chunkAgent       = 0x000c
	chunkKeepAlive   = 0x000d
	chunkKey         = 0x000e
	chunkPayload     = 0x000f
	chunkCompressed  = 0x0010
	chunkCorrelation = 0x0011
	chunkVLAN        = 0x0012
	chunkNode        = 0x0013
)

// sizes are the lengths of values that have one.
var sizes = [...]int{chunkFamily: 1, chunkProtocol: 1, chunkSrc4: 4, chunkDst4: 4, chunkSrc6: 16, chunkDst6: 16, chunkSrcPort: 2, chunkDstPort: 2,
	chunkSeconds: 4, chunkMicros: 4, chunkType: 1, chunkAgent: 4, chunkKeepAlive: 2, chunkVLAN: 2, chunkNode: 0}

// Payload types; there are many more.
const (
	TypeSIP = 0x01
)

// Protocols: IP protocol numbers, and what proxies put there for TLS.
const (
	ProtoTCP  = 6
	ProtoUDP  = 17
	ProtoTLS  = 22 // of Kamailio, which gives it for WebSocket too
	ProtoSCTP = 132
)

// A Packet is one HEP packet. Payload, Correlation and Node share the octets that were parsed.
type Packet struct {
	Protocol    uint8 // 0 when there is none
	Src, Dst    netip.AddrPort
	Time        time.Time // zero when there is none
	Type        uint8     // of the payload; 0 when there is none
	Agent       uint32    // capture agent's ID
	Node        []byte    // capture agent's name
	Correlation []byte    // internal correlation ID
	VLAN        uint16
	Keyed       bool // an authenticate key is there, which is not kept
	Payload     []byte
	PayloadOff  int  // of Payload in the packet
	Compressed  bool // Payload is compressed: see Inflate
	Truncated   bool // the octets end before the packet does
	Unknown     int  // chunks of vendors, and generic ones that are not known
}

// An Error is a defect of a packet: where it is and what is wrong. What could be read was read.
type Error struct {
	Off int // octet of the packet
	Msg string
}

func (e *Error) Error() string { return fmt.Sprintf("octet %d: %s", e.Off, e.Msg) }

// Looks reports whether b begins like a packet.
func Looks(b []byte) bool { return len(b) >= headerSize && string(b[:4]) == "HEP3" }

// Size is the length of the packet that b begins, by its header; 0 when it cannot be one.
func Size(b []byte) int {
	if !Looks(b) {
		return 0
	}
	if n := int(binary.BigEndian.Uint16(b[4:])); n >= headerSize {
		return n
	}
	return 0
}

// Parse reads a packet. With a defect it returns what it could read together with an *Error about the first one.
func Parse(b []byte) (p Packet, err error) {
	fault := func(off int, format string, a ...any) {
		if err == nil {
			err = &Error{off, fmt.Sprintf(format, a...)}
		}
	}
	n := Size(b)
	if n == 0 {
		return p, &Error{0, "no HEP3 header"}
	}
	if n > len(b) {
		p.Truncated = true
	} else if n < len(b) {
		fault(n, "%d octets behind the end of the packet", len(b)-n)
		b = b[:n]
	}
	var seen uint64
	var src, dst netip.Addr
	var sport, dport uint16
	var sec, usec uint32
	off, chunks := headerSize, 0
	for ; off < len(b); chunks++ {
		if chunks == MaxChunks {
			fault(off, "more than %d chunks", MaxChunks)
			break
		}
		if len(b)-off < chunkHeader {
			if !p.Truncated {
				fault(off, "%d octets left, which is no chunk", len(b)-off)
			}
			break
		}
		vendor, typ := binary.BigEndian.Uint16(b[off:]), binary.BigEndian.Uint16(b[off+2:])
		size := int(binary.BigEndian.Uint16(b[off+4:]))
		if size < chunkHeader {
			fault(off+4, "chunk length %d is shorter than a chunk's header", size)
			break
		}
		at, end := off+chunkHeader, off+size
		if end > len(b) {
			if !p.Truncated {
				fault(off+4, "chunk length %d, but %d octets are left", size, len(b)-off)
			}
			// Of a payload its beginning is of use.
			if vendor == 0 && typ == chunkPayload && p.Payload == nil {
				p.Truncated = true
				p.Payload, p.PayloadOff = b[at:], at
			}
			break
		}
		v := b[at:end]
		off = end
		if vendor != 0 || typ == 0 || typ > chunkNode {
			p.Unknown++
			continue
		}
		if seen&(1<<typ) != 0 {
			fault(at, "chunk %d is there twice; the first one counts", typ)
			continue
		}
		seen |= 1 << typ
		if want := sizes[typ]; want != 0 && len(v) != want {
			fault(at, "chunk %d has %d octets of value, not %d", typ, len(v), want)
			seen &^= 1 << typ
			continue
		}
		switch typ {
		case chunkFamily: // the addresses tell it
		case chunkProtocol:
			p.Protocol = v[0]
		case chunkSrc4, chunkSrc6:
			src, _ = netip.AddrFromSlice(v)
		case chunkDst4, chunkDst6:
			dst, _ = netip.AddrFromSlice(v)
		case chunkSrcPort:
			sport = binary.BigEndian.Uint16(v)
		case chunkDstPort:
			dport = binary.BigEndian.Uint16(v)
		case chunkSeconds:
			sec = binary.BigEndian.Uint32(v)
		case chunkMicros:
			usec = binary.BigEndian.Uint32(v)
		case chunkType:
			p.Type = v[0]
		case chunkAgent:
			p.Agent = binary.BigEndian.Uint32(v)
		case chunkKey:
			p.Keyed = true
		case chunkPayload, chunkCompressed:
			if p.Payload != nil {
				fault(at, "a second payload; the first one counts")
				continue
			}
			p.Payload, p.PayloadOff, p.Compressed = v, at, typ == chunkCompressed
		case chunkCorrelation:
			p.Correlation = v
		case chunkVLAN:
			p.VLAN = binary.BigEndian.Uint16(v)
		case chunkNode:
			p.Node = v
		}
	}
	p.Src, p.Dst = netip.AddrPortFrom(src, sport), netip.AddrPortFrom(dst, dport)
	if seen&(1<<chunkSeconds) != 0 {
		if usec > 999999 {
			fault(0, "%d microseconds", usec)
			usec = 999999
		}
		p.Time = time.Unix(int64(sec), int64(usec)*1000)
	}
	return p, err
}

// ErrTooLong is given for what does not fit into a packet.
var ErrTooLong = fmt.Errorf("longer than the %d octets of a HEP packet", MaxSize)

// AppendBinary appends the packet. Addresses of different families, which HEP cannot tell, are written as IPv6.
func (p *Packet) AppendBinary(dst []byte) ([]byte, error) {
	from := len(dst)
	dst = append(dst, "HEP3\x00\x00"...)
	chunk := func(typ uint16, size int) {
		dst = binary.BigEndian.AppendUint16(dst, 0)
		dst = binary.BigEndian.AppendUint16(dst, typ)
		dst = binary.BigEndian.AppendUint16(dst, uint16(size+chunkHeader))
	}
	u8 := func(typ uint16, v uint8) { chunk(typ, 1); dst = append(dst, v) }
	u16 := func(typ, v uint16) { chunk(typ, 2); dst = binary.BigEndian.AppendUint16(dst, v) }
	u32 := func(typ uint16, v uint32) { chunk(typ, 4); dst = binary.BigEndian.AppendUint32(dst, v) }
	octets := func(typ uint16, v []byte) { chunk(typ, len(v)); dst = append(dst, v...) }

	src, to := p.Src.Addr(), p.Dst.Addr()
	if src.IsValid() || to.IsValid() {
		if v4 := !(src.Is6() || to.Is6()); v4 {
			u8(chunkFamily, 2) // AF_INET
		} else {
			u8(chunkFamily, 10) // AF_INET6 of Linux, where agents take it from
		}
	}
	if p.Protocol != 0 {
		u8(chunkProtocol, p.Protocol)
	}
	for k, a := range [2]netip.Addr{src, to} {
		switch {
		case !a.IsValid():
		case src.Is6() || to.Is6():
			v := a.As16()
			octets(uint16(chunkSrc6+k), v[:])
		default:
			v := a.As4()
			octets(uint16(chunkSrc4+k), v[:])
		}
	}
	u16(chunkSrcPort, p.Src.Port())
	u16(chunkDstPort, p.Dst.Port())
	if !p.Time.IsZero() {
		u32(chunkSeconds, uint32(max(0, min(p.Time.Unix(), 1<<32-1))))
		u32(chunkMicros, uint32(p.Time.Nanosecond()/1000))
	}
	if p.Type != 0 {
		u8(chunkType, p.Type)
	}
	u32(chunkAgent, p.Agent)
	if p.VLAN != 0 {
		u16(chunkVLAN, p.VLAN)
	}
	if len(p.Node) > 0 {
		octets(chunkNode, p.Node)
	}
	if len(p.Correlation) > 0 {
		octets(chunkCorrelation, p.Correlation)
	}
	if p.Payload != nil {
		typ := uint16(chunkPayload)
		if p.Compressed {
			typ = chunkCompressed
		}
		octets(typ, p.Payload)
	}
	if len(dst)-from > MaxSize {
		return dst[:from], ErrTooLong
	}
	binary.BigEndian.PutUint16(dst[from+4:], uint16(len(dst)-from))
	return dst, nil
}

// ErrExpands is the error of Inflate where there is more than the limit.
var ErrExpands = errors.New("the compressed payload expands beyond the limit")

// Inflate gives the payload of a compressed packet: gzip (RFC 1952), zlib (RFC 1950) or bare deflate (RFC 1951), told by
// content. With an error it gives what came before.
func (p *Packet) Inflate(limit int) ([]byte, error) {
	var r io.ReadCloser
	var err error
	b := p.Payload
	switch {
	case len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b:
		r, err = gzip.NewReader(bytes.NewReader(b))
	case len(b) > 2 && b[0]&15 == 8 && (uint(b[0])<<8|uint(b[1]))%31 == 0:
		r, err = zlib.NewReader(bytes.NewReader(b))
	default:
		r = flate.NewReader(bytes.NewReader(b))
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if len(out) > limit {
		return out[:limit], ErrExpands
	}
	return out, err
}
