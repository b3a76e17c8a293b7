package flow

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// Frame types (RFC 9113 6, RFC 7838 4, RFC 8336 2).
const (
	h2Data         = 0x0
	h2Headers      = 0x1
	h2Priority     = 0x2
	h2Reset        = 0x3
	h2Settings     = 0x4
	h2Push         = 0x5
	h2Ping         = 0x6
	h2GoAway       = 0x7
	h2Window       = 0x8
	h2Continuation = 0x9
	h2AltSvc       = 0xa
	h2Origin       = 0xc
	h2PriorityUpd  = 0x10 // RFC 9218 7.1
)

// Flags.
const (
	h2EndStream  = 0x1
	h2Ack        = 0x1
	h2EndHeaders = 0x4
	h2Padded     = 0x8
	h2Prioritise = 0x20
)

var h2Preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// Limits of HTTP/2 (docs/limits.md).
const (
	maxH2Streams = 1000     // exchanges of a connection that are open
	maxH2Block   = 64 << 10 // octets of a field block, encoded
	maxH2Frame   = 64 << 10 // octets of a frame that is no DATA
	maxH2Told    = 16       // findings about the streams of a connection
)

// An h2Conn is what both directions of an HTTP/2 connection share.
type h2Conn struct {
	streams map[uint32]*h2Exchange
	order   []uint32 // as they were opened
	open    int64    // octets held by messages that are open
	begun   [2]int   // messages of each side that are open
	told    int
	readers [2]*h2Reader // of the client, of the server
}

// An h2Reader reads the frames of one direction (RFC 9113 4.1).
type h2Reader struct {
	server  bool // it sends responses
	known   bool // which side it is is known
	preface bool // the preface is to come
	lost    bool // frames are looked for
	buf     []byte
	hpack   hpackDecoder
	mid     bool // the beginning is missing, and nothing was said of it

	// A frame that is taken as it comes: DATA, and what is too long.
	left   int64
	pad    int64
	stream uint32 // of the DATA; 0: left out
	ends   bool   // END_STREAM

	// A field block that goes on in CONTINUATION frames.
	block     []byte
	blockFrom int64 // stream offset of its first frame
	blockOf   uint32
	blockEnds bool
	blockPush bool
	inBlock   bool
	tooLong   bool
}

func (r *h2Reader) buffered() int64 {
	return int64(cap(r.buf)+cap(r.block)) + r.hpack.held()
}

// h2Prefix decides whether a stream begins with HTTP/2: the client's preface, or the SETTINGS that the server's
// direction begins with (RFC 9113 3.4).
func (d *Decoder) h2Prefix(st *stream, b []byte) sipparse.Verdict {
	if begins(b, h2Preface) {
		if len(b) < len(h2Preface) {
			return sipparse.More
		}
		return sipparse.Yes
	}
	p := d.peer(st)
	sure := p != nil && p.conn != nil && p.conn.h2 != nil
	if !sure && !st.syn && st.outer == nil {
		return sipparse.No
	}
	if b[0] != 0 || len(b) > 1 && b[1] != 0 {
		return sipparse.No // long SETTINGS
	}
	if len(b) < 9 {
		if len(b) > 3 && b[3] != h2Settings {
			return sipparse.No
		}
		return sipparse.More
	}
	n, typ, flags, id := h2Header(b)
	if typ != h2Settings || flags != 0 || id != 0 || n%6 != 0 || n > 6*64 {
		return sipparse.No
	}
	if len(b) < 9+n {
		return sipparse.More
	}
	for i := 9; i < 9+n; i += 6 {
		if !sure && binary.BigEndian.Uint16(b[i:]) > 0x20 {
			return sipparse.No
		}
	}
	return sipparse.Yes
}

// h2Header reads a frame header; b has 9 octets.
func h2Header(b []byte) (n int, typ, flags byte, id uint32) {
	return int(b[0])<<16 | int(b[1])<<8 | int(b[2]), b[3], b[4], binary.BigEndian.Uint32(b[5:]) & 0x7fffffff
}

// h2Plausible reports whether octets in the middle of a stream begin a frame: all headers up to the end of b make
// sense, and there is a HEADERS frame among them whose fields do.
func h2Plausible(b []byte) bool {
	fields := false
	for frames := 0; ; frames++ {
		if len(b) == 0 {
			return fields
		}
		if len(b) < 9 {
			return fields && frames > 0
		}
		n, typ, flags, id := h2Header(b)
		if n > 1<<20 || b[5]&0x80 != 0 {
			return false
		}
		onStream, ok := true, false
		switch typ {
		case h2Data:
			ok = flags&^(h2EndStream|h2Padded) == 0 && (flags&h2Padded == 0 || n > 0 && (len(b) < 10 || int(b[9]) < n))
		case h2Headers:
			ok = flags&^(h2EndStream|h2EndHeaders|h2Padded|h2Prioritise) == 0 && n > 0
		case h2Priority:
			ok = n == 5
		case h2Reset:
			ok = n == 4
		case h2Settings:
			ok, onStream = n%6 == 0 && flags&^h2Ack == 0, false
		case h2Push:
			ok = n >= 4 && flags&^(h2EndHeaders|h2Padded) == 0
		case h2Ping:
			ok, onStream = n == 8 && flags&^h2Ack == 0, false
		case h2GoAway:
			ok, onStream = n >= 8, false
		case h2Window:
			ok, onStream = n == 4, id != 0
		case h2Continuation:
			ok = flags&^h2EndHeaders == 0
		}
		if !ok || onStream != (id != 0) {
			return false
		}
		b = b[9:]
		if typ == h2Headers && !fields {
			block := b[:min(n, len(b))]
			if flags&h2Padded != 0 && len(block) > 0 {
				block = block[1:]
			}
			if flags&h2Prioritise != 0 && len(block) >= 5 {
				block = block[5:]
			}
			h := hpackDecoder{}
			h.reset(true)
			good, bad := 0, 0
			h.decode(block, func(f hpackField) {
				switch {
				case f.unknown:
				case f.name != "" && (f.name[0] == ':' && (h2Pseudo(f.name)) || isFieldName(f.name)) && !upper(f.name):
					good++
				default:
					bad++
				}
			})
			if bad > 0 || good == 0 || h.broken != "" && n <= len(b) {
				return false
			}
			fields = true
		}
		if n >= len(b) {
			return fields
		}
		b = b[n:]
	}
}

func h2Pseudo(name string) bool {
	switch name {
	case ":method", ":scheme", ":authority", ":path", ":status", ":protocol":
		return true
	}
	return false
}

func upper(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

// h2Looks is h2Plausible for a segment of a stream that was given up; the first octets decide nearly always.
func h2Looks(b []byte) bool {
	return len(b) > 10 && b[0] == 0 && b[5]&0x80 == 0 &&
		(b[3] == h2Headers || b[3] == h2Window && b[2] == 4 || b[3] == h2Settings || b[3] == h2Ping && b[2] == 8) && h2Plausible(b)
}

// beH2 makes the stream HTTP/2, from octets b on. mid says that its beginning is missing.
func (d *Decoder) beH2(st *stream, b []byte, mid bool) {
	d.stats.StreamsHTTP++
	c := d.h2Join(st)
	r := &h2Reader{mid: mid}
	r.hpack.reset(mid)
	if begins(b, h2Preface) {
		r.preface = true
		d.h2Is(c, r, false)
	} else if p := d.peer(st); p != nil && p.h2 != nil && p.h2.known {
		d.h2Is(c, r, !p.h2.server)
	}
	st.state, st.h2, st.http, st.probe = streamH2, r, nil, nil
	d.h2Write(st, b)
}

// h2Side makes a stream HTTP/2 from its beginning on, after an upgrade.
func (d *Decoder) h2Side(st *stream, client bool) {
	c := d.h2Join(st)
	r := &h2Reader{preface: client}
	r.hpack.reset(false)
	d.h2Is(c, r, !client)
	st.state, st.h2, st.http, st.probe = streamH2, r, nil, nil
}

func (d *Decoder) h2Join(st *stream) *httpConn {
	c := d.join(st)
	if c.h2 == nil {
		c.h2 = &h2Conn{streams: make(map[uint32]*h2Exchange)}
	}
	return c
}

// h2Is says which side a reader is.
func (d *Decoder) h2Is(c *httpConn, r *h2Reader, server bool) {
	r.server, r.known = server, true
	c.h2.readers[side(server)] = r
}

func side(server bool) int {
	if server {
		return 1
	}
	return 0
}

// h2Write takes the next octets of an HTTP/2 stream.
func (d *Decoder) h2Write(st *stream, b []byte) {
	r := st.h2
	in := b
	if len(r.buf) > 0 {
		r.buf = append(r.buf, b...)
		in = r.buf
	}
	n := d.h2Take(st, in)
	if st.gone() || st.h2 != r {
		return
	}
	if r.buf = append(r.buf[:0], in[n:]...); len(r.buf) == 0 && cap(r.buf) > maxProbe {
		r.buf = nil
	}
	keep := st.off - int64(len(r.buf))
	if r.inBlock {
		keep = min(keep, r.blockFrom)
	}
	st.spans.drop(keep)
}

// h2Take reads the frames in in, which ends where the stream stands, and returns how many octets were used up.
func (d *Decoder) h2Take(st *stream, in []byte) int {
	r := st.h2
	base := st.off - int64(len(in))
	i := 0
	for {
		rest := in[i:]
		switch {
		case len(rest) == 0:
			return i
		case r.preface:
			if len(rest) < len(h2Preface) {
				return i
			}
			i += len(h2Preface)
			r.preface = false
			continue
		case r.lost:
			if !h2Plausible(rest) {
				d.httpJunk(st, len(rest))
				return len(in)
			}
			r.lost, st.junk = false, 0
			continue
		case r.left > 0 || r.pad > 0:
			n := int(min(r.left, int64(len(rest))))
			d.h2Content(st, rest[:n], base+int64(i))
			r.left -= int64(n)
			i += n
			k := int(min(r.pad, int64(len(in)-i)))
			if r.left == 0 {
				i += k
				r.pad -= int64(k)
			}
			if r.left == 0 && r.pad == 0 {
				d.h2DataEnd(st, base+int64(i))
			}
			continue
		case len(rest) < 9:
			return i
		}
		n, typ, flags, id := h2Header(rest)
		if typ == h2Data {
			pad := 0
			if flags&h2Padded != 0 {
				if len(rest) < 10 {
					return i
				}
				pad = int(rest[9]) + 1
				if pad > n {
					i += 9 // or the same frame would be found again
					d.h2Lose(st, "the padding of a DATA frame is longer than the frame", "RFC 9113 6.1")
					continue
				}
				i++
			}
			if r.inBlock {
				d.h2Lose(st, "a field block is not continued", "RFC 9113 6.10")
				continue
			}
			i += 9
			r.left, r.pad, r.stream, r.ends = int64(n-pad), int64(max(pad-1, 0)), id, flags&h2EndStream != 0
			if r.left == 0 && r.pad == 0 {
				d.h2DataEnd(st, base+int64(i))
			}
			continue
		}
		if typ > h2Continuation && typ != h2AltSvc && typ != h2Origin && typ != h2PriorityUpd || n > maxH2Frame {
			// Unknown types are to be ignored (RFC 9113 5.5), but out of step everything is unknown.
			if n > 1<<20 || typ > h2Continuation && rest[5]&0x80 != 0 {
				d.h2Lose(st, "octets of the stream begin no HTTP/2 frame", "RFC 9113 4.1")
				continue
			}
			if typ == h2Headers || typ == h2Push || typ == h2Continuation {
				d.limit(LimitHTTPHead)
				r.hpack.reset(true)
				r.inBlock, r.tooLong = r.inBlock && flags&h2EndHeaders == 0, true
			}
			i += 9
			r.left, r.pad, r.stream, r.ends = int64(n), 0, 0, false
			continue
		}
		if len(rest) < 9+n {
			return i
		}
		from := base + int64(i)
		i += 9 + n
		if why, clause := d.h2Frame(st, typ, flags, id, rest[9:9+n], from, base+int64(i)); why != "" {
			d.h2Lose(st, why, clause)
		}
		if st.gone() {
			return 0
		}
	}
}

// h2Frame takes one whole frame that is no DATA, which was at stream offsets [from, end).
func (d *Decoder) h2Frame(st *stream, typ, flags byte, id uint32, b []byte, from, end int64) (why, clause string) {
	r, c := st.h2, st.conn
	if r.inBlock && (typ != h2Continuation || id != r.blockOf) {
		return "a field block is not continued", "RFC 9113 6.10"
	}
	switch typ {
	case h2Headers, h2Push:
		if id == 0 {
			return "a field block is on no stream", "RFC 9113 6.2"
		}
		if flags&h2Padded != 0 {
			if len(b) < 1 || int(b[0]) >= len(b) {
				return "the padding of a frame is longer than the frame", "RFC 9113 6.2"
			}
			b = b[1 : len(b)-int(b[0])]
		}
		if typ == h2Headers && flags&h2Prioritise != 0 {
			if len(b) < 5 {
				return "a HEADERS frame is too short", "RFC 9113 6.2"
			}
			b = b[5:]
		}
		r.blockPush = typ == h2Push
		if r.blockPush {
			if len(b) < 4 {
				return "a PUSH_PROMISE frame is too short", "RFC 9113 6.6"
			}
			id, b = binary.BigEndian.Uint32(b)&0x7fffffff, b[4:]
		}
		r.block, r.blockFrom, r.blockOf, r.blockEnds, r.tooLong = append(r.block[:0], b...), from, id, flags&h2EndStream != 0 && !r.blockPush, false
		r.inBlock = flags&h2EndHeaders == 0
		if !r.inBlock {
			d.h2Fields(st, end)
		}
	case h2Continuation:
		if !r.inBlock {
			return "a CONTINUATION frame continues nothing", "RFC 9113 6.10"
		}
		if len(r.block)+len(b) > maxH2Block && !r.tooLong {
			r.tooLong = true
			d.limit(LimitHTTPHead)
		}
		if !r.tooLong {
			r.block = append(r.block, b...)
		}
		if flags&h2EndHeaders != 0 {
			r.inBlock = false
			d.h2Fields(st, end)
		}
	case h2Settings:
		if flags&h2Ack != 0 || len(b)%6 != 0 {
			break
		}
		for ; len(b) >= 6; b = b[6:] {
			if binary.BigEndian.Uint16(b) == 1 { // SETTINGS_HEADER_TABLE_SIZE: of the table that the other side writes to
				size := int(min(binary.BigEndian.Uint32(b[2:]), maxHpackTable))
				if p := d.peer(st); p != nil && p.h2 != nil {
					p.h2.hpack.allowed = max(p.h2.hpack.allowed, size)
				} else {
					c.h2Table = max(c.h2Table, size)
				}
			}
		}
	case h2Reset:
		if len(b) != 4 || id == 0 {
			return "an RST_STREAM frame of the wrong size", "RFC 9113 6.4"
		}
		d.h2ResetStream(st, id, binary.BigEndian.Uint32(b), end)
	case h2GoAway:
		if len(b) < 8 {
			return "a GOAWAY frame is too short", "RFC 9113 6.8"
		}
		if code := binary.BigEndian.Uint32(b[4:]); code != 0 {
			text := fmt.Sprintf("%s ended the connection after stream %d: %s", r.name(), binary.BigEndian.Uint32(b)&0x7fffffff, h2Error(code))
			if debug := b[8:]; len(debug) > 0 {
				text += fmt.Sprintf(" (%q)", debug[:min(len(debug), 80)])
			}
			d.h2Tell(st, record.Finding{ID: "h2-goaway", Severity: record.Warning, Clause: "RFC 9113 6.8", Message: text})
		}
	}
	return "", ""
}

func (r *h2Reader) name() string {
	switch {
	case !r.known:
		return "one side"
	case r.server:
		return "the server"
	}
	return "the client"
}

// h2Tell reports something about a connection that belongs to no message.
func (d *Decoder) h2Tell(st *stream, f record.Finding) {
	c := st.conn
	if !c.mcx && !d.cfg.AllHTTP || c.h2.told >= maxH2Told {
		return
	}
	c.h2.told++
	f.Frames = d.streamFrames(st)
	d.h.Finding(f, d.streamContext(st))
}

var h2Errors = [...]string{"no error (NO_ERROR)", "the other side broke the protocol (PROTOCOL_ERROR)", "internal error (INTERNAL_ERROR)",
	"flow control was not kept (FLOW_CONTROL_ERROR)", "SETTINGS were not acknowledged in time (SETTINGS_TIMEOUT)",
	"a frame for a closed stream (STREAM_CLOSED)", "a frame of the wrong size (FRAME_SIZE_ERROR)", "the stream was refused before any work on it (REFUSED_STREAM)",
	"no longer needed (CANCEL)", "the field compression state was lost (COMPRESSION_ERROR)", "the connection made by CONNECT was reset (CONNECT_ERROR)",
	"too much load (ENHANCE_YOUR_CALM)", "the security of the connection does not suffice (INADEQUATE_SECURITY)", "HTTP/1.1 is required (HTTP_1_1_REQUIRED)"}

// h2Error is an error code in words (RFC 9113 7).
func h2Error(code uint32) string {
	if code < uint32(len(h2Errors)) {
		return h2Errors[code]
	}
	return fmt.Sprintf("error code 0x%x", code)
}

// h2Fields takes a whole field block; its last frame ended at a stream offset.
func (d *Decoder) h2Fields(st *stream, end int64) {
	r, c := st.h2, st.conn
	block := r.block
	if cap(r.block) > maxProbe {
		r.block = nil
	}
	if c.h2Table > 0 {
		r.hpack.allowed, c.h2Table = max(r.hpack.allowed, c.h2Table), 0
	}
	x := h2Section{end: end, from: r.blockFrom, stream: r.blockOf, ends: r.blockEnds, push: r.blockPush}
	var err error
	if r.tooLong {
		r.hpack.reset(true)
		x.partial = true
		x.note("h2-block", record.Error, "mcxdump", "a field block is longer than the limit")
	} else {
		partial := r.hpack.partial
		err = r.hpack.decode(block, x.add)
		x.partial = err != nil || r.hpack.unknown > 0
		if err != nil {
			x.note("h2-compression", record.Error, "RFC 7541 3", "a field block holds "+r.hpack.broken+"; its remaining fields are not known, nor are later ones that refer to them")
		} else if partial && r.hpack.unknown > 0 {
			x.note("h2-midstream", record.Note, "RFC 7541 2.3.2", fmt.Sprintf("%d fields refer to octets that are not in the capture and are not known", r.hpack.unknown))
		}
	}
	if x.dropped > 0 {
		d.limit(LimitHTTPHead)
		x.note("http-fields", record.Warning, "mcxdump", fmt.Sprintf("more fields than the limit; %d were left out", x.dropped))
	}
	d.h2Section(st, &x)
}

// h2Name is a field name or value as it may stand in a line.
func h2Line(s string) string {
	if !bytes.ContainsAny([]byte(s), "\r\n") {
		return s
	}
	return string(bytes.Map(func(c rune) rune {
		if c == '\r' || c == '\n' {
			return ' '
		}
		return c
	}, []byte(s)))
}
