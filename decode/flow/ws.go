package flow

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// WebSocket frame header (RFC 6455 5.2).
const (
	wsFIN    = 0x80
	wsRSV1   = 0x40 // compressed (RFC 7692 6)
	wsRSV23  = 0x30
	wsMasked = 0x80
	wsText   = 1
	wsBinary = 2
)

// wsHeader reads a frame header. n is its length, 0 when octets are missing; ok is false when it cannot be one.
func wsHeader(b []byte) (n int, size uint64, mask [4]byte, ok bool) {
	if len(b) < 2 {
		return 0, 0, mask, true
	}
	op := b[0] & 15
	if b[0]&wsRSV23 != 0 || op > 10 || op > 2 && op < 8 {
		return 0, 0, mask, false
	}
	size, n = uint64(b[1]&0x7f), 2
	switch {
	case op >= 8 && (size > 125 || b[0]&wsFIN == 0): // control frames are short and whole (5.5)
		return 0, 0, mask, false
	case size == 126:
		if len(b) < 4 {
			return 0, 0, mask, true
		}
		if size, n = uint64(binary.BigEndian.Uint16(b[2:])), 4; size < 126 {
			return 0, 0, mask, false
		}
	case size == 127:
		if len(b) < 10 {
			return 0, 0, mask, true
		}
		if size, n = binary.BigEndian.Uint64(b[2:]), 10; size < 65536 || size>>63 != 0 {
			return 0, 0, mask, false
		}
	}
	if b[1]&wsMasked != 0 {
		if len(b) < n+4 {
			return 0, 0, mask, true
		}
		copy(mask[:], b[n:])
		n += 4
	}
	return n, size, mask, true
}

// unmask writes src, whose first octet is octet at of the payload, to dst (RFC 6455 5.3).
func unmask(dst, src []byte, mask [4]byte, at int) {
	for i, c := range src {
		dst[i] = c ^ mask[(at+i)&3]
	}
}

// begins reports whether b begins with p, or p with b.
func begins(b, p []byte) bool {
	n := min(len(b), len(p))
	return n > 0 && string(b[:n]) == string(p[:n])
}

func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// hasToken reports whether a comma list holds a token.
func hasToken(list []byte, lower string) bool {
	for t := range bytes.SplitSeq(list, []byte(",")) {
		if equalFold(bytes.TrimSpace(t), lower) {
			return true
		}
	}
	return false
}

// wsFirst judges the first frame of a stream that was captured from the middle.
func wsFirst(b []byte) sipparse.Verdict {
	if len(b) == 0 {
		return sipparse.More
	}
	if op := b[0] & 15; b[0]&(wsRSV1|wsRSV23) != 0 || op != wsText && op != wsBinary {
		return sipparse.No
	}
	n, size, mask, ok := wsHeader(b)
	switch {
	case !ok:
		return sipparse.No
	case n == 0:
		return sipparse.More
	}
	var head [512]byte
	b = b[n:]
	k := min(len(b), len(head))
	if uint64(k) > size {
		k = int(size)
	}
	unmask(head[:k], b[:k], mask, 0)
	v := sipparse.StartPrefix(head[:k])
	if v == sipparse.More && (k == len(head) || uint64(k) == size) {
		v = sipparse.No
		if sipparse.LooksLikeStart(head[:k]) {
			v = sipparse.Yes
		}
	}
	return v
}

// wsLooksSIP reports whether a segment in the middle of a stream begins with a SIP message in a WebSocket frame.
func wsLooksSIP(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	switch b[0] {
	case wsFIN | wsText, wsFIN | wsBinary, wsText, wsBinary:
		return wsFirst(b) == sipparse.Yes
	}
	return false
}

// wsReader puts WebSocket messages together.
type wsReader struct {
	buf  []byte
	off  int64 // stream offset of buf[0]
	msg  []byte
	runs []wsRun
	open bool   // a message is begun
	skip bool   // the message is too long and left out
	comp bool   // the message is compressed
	dict []byte // the last 32 KiB that were inflated: compression goes on across messages (RFC 7692 7.1.1)
	said bool   // that a message could not be inflated was reported
	left uint64
	mask [4]byte
	at   int // octets of the frame that were read
	bad  int // messages in a row that were not SIP
}

// A wsRun says that the octets of a message from off on were at a stream offset.
type wsRun struct {
	off    int
	stream int64
}

func (w *wsReader) buffered() int64 {
	return int64(cap(w.buf) + cap(w.msg) + 16*cap(w.runs) + cap(w.dict))
}

const (
	maxOtherWS = 64       // messages in a row that are not SIP, after which the stream is ignored
	maxWSMsg   = 16 << 20 // octets of one message
	maxWSRuns  = 4096
)

// beWS makes the stream WebSocket, from octets b on.
func (d *Decoder) beWS(st *stream, b []byte) {
	d.stats.StreamsWS++
	d.see(VerdictTransport)
	st.state, st.ws, st.http, st.probe = streamWS, &wsReader{off: st.off - int64(len(b))}, nil, nil
	d.streams.move(st, listSIP)
	d.wsWrite(st, b)
}

// wsWrite takes the next octets of a WebSocket stream. The payload of a frame is taken as it comes, so that no more
// than a header waits.
func (d *Decoder) wsWrite(st *stream, b []byte) {
	w := st.ws
	w.buf = append(w.buf, b...)
	i := 0
	for !st.gone() {
		rest := w.buf[i:]
		if w.left > 0 {
			if len(rest) == 0 {
				break
			}
			k := len(rest)
			if uint64(k) > w.left {
				k = int(w.left)
			}
			w.take(rest[:k], w.off+int64(i))
			i += k
			w.left -= uint64(k)
			if w.left == 0 && !w.open {
				d.wsMessage(st, false)
			}
			continue
		}
		n, size, mask, ok := wsHeader(rest)
		if !ok {
			d.wsLost(st)
			return
		}
		if n == 0 {
			break
		}
		op, fin := rest[0]&15, rest[0]&wsFIN != 0
		if op >= 8 { // close, ping, pong: up to 125 octets, between the frames of a message too
			if len(rest) < n+int(size) {
				break
			}
			if op != 8 {
				d.stats.KeepAlives++
				d.see(VerdictKeepAlive)
			}
			i += n + int(size)
			continue
		}
		if op != 0 { // a new message; one that is open has lost its end
			if w.open {
				d.wsMessage(st, true)
				if st.gone() {
					return
				}
			}
			w.msg, w.runs, w.skip = w.msg[:0], w.runs[:0], false
			w.comp = rest[0]&wsRSV1 != 0
		}
		i += n
		w.left, w.mask, w.at = size, mask, 0
		w.open = !fin
		if size == 0 && fin {
			d.wsMessage(st, false)
		}
	}
	if st.gone() {
		return
	}
	if i > 0 {
		w.buf = append(w.buf[:0], w.buf[i:]...)
		w.off += int64(i)
	}
	keep := w.off
	if len(w.runs) > 0 {
		keep = w.runs[0].stream
	}
	st.spans.drop(keep)
}

// take unmasks octets of the payload that were at a stream offset.
func (w *wsReader) take(b []byte, stream int64) {
	n := len(w.msg)
	if !w.skip && n+len(b) > maxWSMsg {
		w.skip, w.msg = true, nil
	}
	if !w.skip {
		w.msg = append(w.msg, b...)
		unmask(w.msg[n:], b, w.mask, w.at)
		last := len(w.runs) - 1
		if (last < 0 || w.runs[last].stream+int64(n-w.runs[last].off) != stream) && len(w.runs) < maxWSRuns {
			w.runs = append(w.runs, wsRun{n, stream})
		}
	}
	w.at = (w.at + len(b)) & 3
}

// wsMessage hands out the message that was put together.
func (d *Decoder) wsMessage(st *stream, truncated bool) {
	w := st.ws
	b, skip, comp := w.msg, w.skip, w.comp
	runs, raw := w.runs, len(w.msg)
	w.open, w.msg, w.runs, w.skip, w.comp = false, w.msg[:0], w.runs[:0], false, false
	if cap(w.msg) > 256<<10 {
		w.msg = nil
	}
	if comp && !skip {
		var ok bool
		if b, ok = d.inflate(w, b); !ok && !truncated {
			if !w.said {
				w.said = true
				d.h.Finding(record.Finding{ID: "ws-compressed", Severity: record.Warning, Clause: "RFC 7692 7.2.2",
					Message: "a compressed WebSocket message cannot be inflated", Frames: d.streamFrames(st)}, d.streamContext(st))
			}
			if !sipparse.LooksLikeStart(b) {
				return
			}
			truncated = true
		}
	}
	switch {
	case skip || len(b) == 0:
		return
	case sipparse.LooksLikeStart(b):
		w.bad = 0
		var segs []record.Segment
		var time int64
		if comp { // octets of the message are not at places of the stream: the message is attributed as a whole
			last := runs[len(runs)-1]
			segs, time = st.spans.segments(nil, runs[0].stream, last.stream+int64(raw-last.off), 0)
			u := d.newStreamUnit(st, st.wsTransport(), b, segs[:1:1], time, truncated, nil)
			u.Frames, u.Reassembled = frameNumbers(segs), true
			d.emit(u)
			return
		}
		for i, r := range runs {
			end := len(b)
			if i+1 < len(runs) {
				end = runs[i+1].off
			}
			var t int64
			segs, t = st.spans.segments(segs, r.stream, r.stream+int64(end-r.off), uint32(r.off))
			time = max(time, t)
		}
		d.streamUnit(st, st.wsTransport(), b, segs, time, truncated, nil)
	case keepAlive(b):
		d.stats.KeepAlives++
		d.see(VerdictKeepAlive)
	default:
		d.stats.Junk += uint64(len(b))
		if w.bad++; w.bad > maxOtherWS {
			d.ignore(st)
		}
	}
}

const (
	wsWindow     = 32 << 10               // RFC 1951
	maxInflated  = 4 << 20                // octets of one inflated message
	inflateTail1 = "\x00\x00\xff\xff"     // what the sender left out (RFC 7692 7.2.1)
	inflateTail2 = "\x01\x00\x00\xff\xff" // an empty last block, so that the reader ends
)

// inflate undoes the compression of one message and keeps the window for the next. A sender that does not carry its
// window over never refers to it, so that it need not be known whether it does.
func (d *Decoder) inflate(w *wsReader, b []byte) (out []byte, ok bool) {
	src := io.MultiReader(bytes.NewReader(b), strings.NewReader(inflateTail1+inflateTail2))
	if d.flate == nil {
		d.flate = flate.NewReader(src)
	}
	if err := d.flate.(flate.Resetter).Reset(src, w.dict); err != nil {
		return nil, false
	}
	var buf bytes.Buffer
	n, err := buf.ReadFrom(io.LimitReader(d.flate, maxInflated+1))
	out = buf.Bytes()
	if n > maxInflated {
		return out[:maxInflated], false
	}
	w.dict = append(w.dict, out...)
	if k := len(w.dict); k > wsWindow {
		w.dict = slices.Clone(w.dict[k-wsWindow:])
	}
	return out, err == nil
}

// wsLost gives up the framing of a WebSocket stream; it is found again at a segment that begins with a SIP message.
func (d *Decoder) wsLost(st *stream) {
	w := st.ws
	if w.open || w.left > 0 {
		d.wsMessage(st, true)
	}
	if st.gone() {
		return
	}
	d.h.Finding(record.Finding{ID: "stream-junk", Severity: record.Warning, Clause: "RFC 6455 5.2",
		Message: "octets of the stream begin no WebSocket frame", Frames: d.streamFrames(st)}, d.streamContext(st))
	d.ignore(st)
}

// wsGap tells the reader that octets are missing.
func (d *Decoder) wsGap(st *stream) {
	if w := st.ws; w.open || w.left > 0 {
		d.wsMessage(st, true)
	}
	if st.gone() {
		return
	}
	d.tell(st)
	// Frames have no mark to find them by: the next segment that begins with a message decides.
	st.ws, st.state, st.tries = nil, streamProbe, midTries
	st.spans.drop(st.off)
	d.streams.move(st, listPlain)
}

// wsFlush hands out the message that is open at the end.
func (d *Decoder) wsFlush(st *stream) {
	if w := st.ws; w.open || w.left > 0 {
		d.wsMessage(st, true)
	}
}
