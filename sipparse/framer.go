package sipparse

import (
	"bytes"
	"errors"
	"strconv"
)

// ErrMore says that the framer needs more octets (or Flush) before there is another frame.
var ErrMore = errors.New("sipparse: more octets needed")

// FrameKind says what a frame is.
type FrameKind uint8

// The kinds of frames.
const (
	FrameMessage FrameKind = iota + 1 // a SIP message, start line to last body octet
	FramePing                         // CRLF CRLF between messages, RFC 5626 4.4.1
	FramePong                         // CRLF between messages, RFC 5626 4.4.1
	FrameJunk                         // octets that belong to no message
)

// String gives the kind's name.
func (k FrameKind) String() string {
	switch k {
	case FrameMessage:
		return "message"
	case FramePing:
		return "ping"
	case FramePong:
		return "pong"
	case FrameJunk:
		return "junk"
	}
	return "FrameKind(" + strconv.Itoa(int(k)) + ")"
}

// Frame is one piece of a stream. The frames of a stream tile it: no octet is in two frames or in none, but for those
// that Gap says were lost. Data and Diags are valid until the next call on the framer.
type Frame struct {
	Kind      FrameKind
	Off       uint64 // stream offset of the first octet, lost octets counted
	Data      []byte
	Truncated bool   // a message that a gap, the end of the stream or a limit cut off
	Diags     []Diag // of the framing only; offsets are octets of Data
}

const (
	junkChunk  = 4096      // junk is handed out in pieces of this size, so that it needs no memory
	keepBuffer = 256 << 10 // an idle framer keeps no larger buffer
)

type framerState uint8

const (
	betweenMessages framerState = iota
	inHeader
	inBody      // length known
	inOpenBody  // length not usable: the body goes to the next start line
	inJunk      // looking for a start line
	inRemainder // the rest of a body whose middle was lost
)

type gapMark struct {
	at int // index in buf
	n  int64
}

// Framer cuts one direction of a stream into messages by their Content-Length (RFC 3261 18.3), however the stream was
// cut into segments: the same octets give the same frames. Each octet is copied once and looked at a bounded number of
// times. When a length cannot be used, or octets are lost, the framer goes on at the next start line. Some frames come
// only with the octets after them: a single CRLF could be half a ping, and a message of unusable length ends where the
// next one begins; Flush gives them at the end of the stream.
type Framer struct {
	lim   Limits
	buf   []byte
	r     int    // first octet not yet handed out
	off   uint64 // stream offset of buf[r]
	scan  int    // where the search in the current state goes on, relative to r
	state framerState
	head  int   // inBody, inOpenBody: octets of the header section
	need  int   // inBody: octets of the message
	skip  int64 // inRemainder: octets left
	gaps  []gapMark
	diags []Diag
	lost  bool // why the framer is out of step was already reported
	mid   bool // inJunk: buf[r] is not the beginning of a line
	guess bool // inJunk: buf[r] may be the beginning of a line, or not: octets before it were lost
}

// NewFramer gives a framer at the beginning of a stream.
func NewFramer(l Limits) *Framer { return &Framer{lim: l.withDefaults()} }

// Write adds octets of the stream. Call Next until it gives ErrMore after each Write: then no more than one message's
// limits of octets stay in the framer.
func (f *Framer) Write(p []byte) {
	if f.r > 0 && f.r >= len(f.buf)-f.r { // what is moved was paid for by what was handed out
		n := copy(f.buf, f.buf[f.r:])
		f.buf = f.buf[:n]
		for i := range f.gaps {
			f.gaps[i].at -= f.r
		}
		f.r = 0
	}
	f.buf = append(f.buf, p...)
}

// Buffered is the number of octets that were written and not yet handed out.
func (f *Framer) Buffered() int { return len(f.buf) - f.r }

// Gap says that the next n octets of the stream are lost; n below 1 means an unknown number. What came before is handed
// out first by Next, cut off if need be; then the framer looks for the next start line, or goes on where the body ends
// when it can know that.
func (f *Framer) Gap(n int64) {
	n = max(n, 0)
	if k := len(f.gaps); k > 0 && f.gaps[k-1].at == len(f.buf) {
		if n == 0 || f.gaps[k-1].n == 0 {
			f.gaps[k-1].n = 0 // unknown and something is unknown
		} else {
			f.gaps[k-1].n += n
		}
		return
	}
	f.gaps = append(f.gaps, gapMark{len(f.buf), n})
}

// Next gives the next frame, or ErrMore.
func (f *Framer) Next() (Frame, error) {
	for {
		end, final := len(f.buf), false
		if len(f.gaps) > 0 {
			end, final = f.gaps[0].at, true
		}
		fr, ok := f.step(f.buf[f.r:end], final, DiagGap)
		if ok {
			return fr, nil
		}
		if !final {
			if f.r == len(f.buf) {
				f.r = 0
				if f.buf = f.buf[:0]; cap(f.buf) > keepBuffer {
					f.buf = nil
				}
			}
			return Frame{}, ErrMore
		}
		f.passGap()
	}
}

// Flush is the end of the stream: it gives what Next would still give, and then the unfinished rest, a frame a call.
func (f *Framer) Flush() (Frame, bool) {
	if fr, err := f.Next(); err == nil {
		return fr, true
	}
	return f.step(f.buf[f.r:], true, DiagEndOfStream)
}

// passGap is called when all octets before the first gap were handed out.
func (f *Framer) passGap() {
	g := f.gaps[0]
	f.gaps = append(f.gaps[:0], f.gaps[1:]...)
	f.off += uint64(g.n)
	f.scan = 0
	if f.state == inRemainder {
		if g.n > 0 && g.n <= f.skip {
			if f.skip -= g.n; f.skip == 0 {
				f.state = betweenMessages
			}
			return
		}
	}
	f.state = inJunk
	f.lost, f.mid, f.guess = true, false, true // a segment often begins with a message
}

// emit hands out the first n octets of what is buffered.
func (f *Framer) emit(kind FrameKind, n int, next framerState) Frame {
	fr := Frame{Kind: kind, Off: f.off, Data: f.buf[f.r : f.r+n : f.r+n], Diags: f.diags}
	f.r += n
	f.off += uint64(n)
	f.scan = 0
	f.state = next
	f.mid, f.guess = n > 0 && fr.Data[n-1] != '\n', false
	return fr
}

func (f *Framer) diag(id DiagID, off int, detail string) {
	if len(f.diags) < f.lim.Diags {
		f.diags = append(f.diags, Diag{ID: id, Off: uint32(off), Detail: detail})
	}
}

// step tries to get one frame out of b, all that is buffered before a gap. final says that b will not grow, for the
// reason why.
func (f *Framer) step(b []byte, final bool, why DiagID) (Frame, bool) {
	f.diags = f.diags[:0]
	for {
		if len(b) == 0 {
			if final && f.state != inRemainder {
				f.state = betweenMessages
			}
			return Frame{}, false
		}
		switch f.state {
		case betweenMessages:
			c := b[0]
			if c == '\r' {
				if len(b) == 1 && !final {
					return Frame{}, false
				}
				if len(b) >= 2 && b[1] == '\n' {
					if len(b) >= 4 && b[2] == '\r' && b[3] == '\n' {
						return f.emit(FramePing, 4, betweenMessages), true
					}
					if !final && (len(b) == 2 || len(b) == 3 && b[2] == '\r') {
						return Frame{}, false
					}
					return f.emit(FramePong, 2, betweenMessages), true
				}
			}
			ok, more := f.startLine(b, final)
			if more {
				return Frame{}, false
			}
			f.scan = 0
			if ok {
				f.state = inHeader
			} else {
				f.state = inJunk
			}
		case inJunk:
			n, more := f.junk(b, final)
			if more {
				return Frame{}, false
			}
			if n == 0 {
				f.state, f.scan, f.lost = inHeader, 0, false
				continue
			}
			if !f.lost {
				f.diag(DiagResync, 0, "")
			}
			return f.emit(FrameJunk, n, inJunk), true
		case inHeader:
			n, ended := f.headerEnd(b)
			switch {
			case ended && n <= f.lim.Header:
				fr, done := f.header(b, n)
				if done {
					return fr, true
				}
			case len(b) > f.lim.Header:
				f.diag(DiagHeaderTooLarge, f.lim.Header, strconv.Itoa(f.lim.Header))
				fr := f.emit(FrameMessage, f.lim.Header, inJunk)
				f.lost, fr.Truncated = true, true
				return fr, true
			case final:
				if cut, _, _ := readHead(b); cut > 0 {
					return f.emitCut(cut), true
				}
				f.diag(why, len(b), "")
				fr := f.emit(FrameMessage, len(b), betweenMessages)
				fr.Truncated = true
				return fr, true
			default:
				return Frame{}, false
			}
		case inBody:
			if len(b) >= f.need {
				return f.emit(FrameMessage, f.need, betweenMessages), true
			}
			if !final {
				return Frame{}, false
			}
			f.diag(why, len(b), strconv.Itoa(f.need-len(b))+" octets of the body are missing")
			f.skip = int64(f.need - len(b))
			fr := f.emit(FrameMessage, len(b), inRemainder)
			fr.Truncated = true
			return fr, true
		case inOpenBody:
			n, found, more := f.openBody(b, final)
			if more {
				return Frame{}, false
			}
			next := betweenMessages
			f.diag(DiagUnusableLength, f.head, "")
			if !found {
				next = inJunk
				f.lost = true
				if final {
					f.diag(why, n, "")
				} else {
					f.diag(DiagContentLengthLimit, f.head, strconv.Itoa(f.lim.Body))
				}
			}
			fr := f.emit(FrameMessage, n, next)
			fr.Truncated = !found
			return fr, true
		case inRemainder:
			n := int(min(int64(len(b)), f.skip, junkChunk))
			if !final && n < junkChunk && int64(n) < f.skip {
				return Frame{}, false
			}
			f.skip -= int64(n)
			next := inRemainder
			if f.skip == 0 {
				next = betweenMessages
			}
			return f.emit(FrameJunk, n, next), true
		}
	}
}

// startLine tells whether b begins with a start line; more means that its end is not there yet.
func (f *Framer) startLine(b []byte, final bool) (ok, more bool) {
	if class[b[0]]&clToken == 0 {
		return false, false
	}
	nl := bytes.IndexByte(b[f.scan:], '\n')
	if nl >= 0 {
		return f.isStart(b[:f.scan+nl]), false
	}
	f.scan = len(b)
	if len(b) > f.lim.Header {
		return false, false
	}
	if !final {
		return false, true
	}
	return f.isCutStart(b), false
}

// isStart tells whether a complete line begins a message.
func (f *Framer) isStart(line []byte) bool {
	return len(line) <= f.lim.Header && strictStart(line, true)
}

// isCutStart is isStart for a line whose end will not come.
func (f *Framer) isCutStart(line []byte) bool {
	return len(line) <= f.lim.Header && strictStart(line, false)
}

// cannotStart tells whether a line whose end is not there yet can no longer become a start line.
func (f *Framer) cannotStart(line []byte) bool {
	return class[line[0]]&clToken == 0 || len(line) > f.lim.Header || prefix(line).v == No
}

// junk gives the number of octets before the next start line, up to a chunk. f.scan is the beginning of the line that is
// being looked at; f.head how far it was searched for its end.
func (f *Framer) junk(b []byte, final bool) (n int, more bool) {
	if f.scan == 0 {
		f.head = 0
	}
	for {
		if f.scan >= junkChunk {
			f.head = 0
			return junkChunk, false
		}
		from := max(f.scan, f.head)
		nl := bytes.IndexByte(b[from:], '\n')
		if nl < 0 {
			if final {
				if f.scan < len(b) && !f.skipLine(b) && f.isCutStart(b[f.scan:]) {
					return f.scan, false
				}
				return min(len(b), junkChunk), false
			}
			f.head = len(b)
			if len(b) >= junkChunk && (f.skipLine(b) || f.cannotStart(b[f.scan:])) {
				return junkChunk, false
			}
			return 0, true
		}
		end := from + nl
		if !f.skipLine(b) && f.isStart(b[f.scan:end]) {
			return f.scan, false
		}
		f.scan = end + 1
		f.head = f.scan
	}
}

// skipLine tells whether junk is in a line that cannot begin a message: its beginning was handed out before, or it may
// have been lost and what is left begins neither with a method of SIP nor as a response does. (What is left of "INVITE"
// would pass for an unknown method.)
func (f *Framer) skipLine(b []byte) bool {
	if f.scan > 0 || !f.mid && !f.guess {
		return false
	}
	return f.mid || !f.sureStart(b)
}

func (f *Framer) sureStart(b []byte) bool {
	if len(b) >= 4 && equalFold(b[:4], "sip/") {
		return true
	}
	sp := bytes.IndexByte(b[:min(len(b), maxMethod)], ' ')
	return sp > 0 && KnownMethod(b[:sp]) || sp < 0 && len(b) < maxMethod
}

// headerEnd looks for the empty line. It gives the offset after it.
func (f *Framer) headerEnd(b []byte) (n int, ended bool) {
	for {
		nl := bytes.IndexByte(b[f.scan:], '\n')
		if nl < 0 {
			f.scan = len(b)
			return 0, false
		}
		i := f.scan + nl
		switch {
		case i+1 >= len(b) || b[i+1] == '\r' && i+2 >= len(b):
			f.scan = i // decided when the next octets are there
			return 0, false
		case b[i+1] == '\n':
			return i + 2, true
		case b[i+1] == '\r' && b[i+2] == '\n':
			return i + 3, true
		}
		f.scan = i + 1
	}
}

// header reads what the framing needs of a complete header section of n octets.
func (f *Framer) header(b []byte, n int) (Frame, bool) {
	cut, length, id := readHead(b[:n])
	if cut > 0 {
		return f.emitCut(cut), true
	}
	f.head = n
	switch {
	case id == DiagContentLengthMissing:
		f.diag(id, n, "")
		return f.emit(FrameMessage, n, betweenMessages), true
	case id != DiagNone || length > int64(f.lim.Body):
		f.state, f.scan, f.need = inOpenBody, n, n
	default:
		f.state, f.need = inBody, n+int(length)
	}
	return Frame{}, false
}

// endsInVersion is a cheap test that few header lines pass and all start lines do.
func endsInVersion(line []byte) bool {
	n := len(line)
	for n > 0 && is(line[n-1], clWS) {
		n--
	}
	return n >= 7 && (line[n-2] == '.' || line[0]|0x20 == 's' && equalFold(line[:4], "sip/"))
}

func (f *Framer) emitCut(n int) Frame {
	f.diag(DiagMissingEmptyLine, n, "")
	fr := f.emit(FrameMessage, n, betweenMessages)
	fr.Truncated = true
	return fr
}

// openBody looks for the start line that ends a body of unusable length.
func (f *Framer) openBody(b []byte, final bool) (n int, found, more bool) {
	limit := f.head + f.lim.Body
	for f.scan <= limit {
		from := max(f.scan, f.need)
		nl := bytes.IndexByte(b[from:], '\n')
		if nl < 0 {
			f.need = len(b)
			switch {
			case final && f.scan < len(b) && f.isCutStart(b[f.scan:]):
				return f.scan, true, false
			case final:
				return min(len(b), limit), false, false
			case len(b) >= limit && f.scan < len(b) && f.cannotStart(b[f.scan:]):
				return limit, false, false
			}
			return 0, false, true
		}
		if f.isStart(b[f.scan : from+nl]) {
			return f.scan, true, false
		}
		f.scan = from + nl + 1
		f.need = f.scan
	}
	return limit, false, false
}

// readHead walks over the lines behind the first one of a header section. cut is where a start line stands, after a message
// that broke off; 0 when there is none. The rest is the Content-Length. Of several that agree one is as good as another.
func readHead(b []byte) (cut int, length int64, id DiagID) {
	length, id = -1, DiagContentLengthMissing
	settled := false
	pos := bytes.IndexByte(b, '\n') + 1
	for pos > 0 && pos < len(b) {
		end := bytes.IndexByte(b[pos:], '\n') + pos
		whole := end >= pos
		if !whole {
			end = len(b)
		}
		line := b[pos:end]
		if whole && endsInVersion(line) && strictStart(line, true) {
			return pos, -1, DiagNone
		}
		if !settled && mayBeLength(line) {
			last, folded := end, false
			for next := end + 1; next < len(b) && (b[next] == ' ' || b[next] == '\t'); next = last + 1 {
				nl := bytes.IndexByte(b[next:], '\n')
				if nl < 0 {
					nl = len(b) - next
				}
				last, folded = next+nl, true
			}
			if h, _ := splitHeader(b, pos, min(last, len(b)), folded); h.ID == HdrContentLength {
				n, bad := contentLength(h.Value.In(b))
				switch {
				case bad != DiagNone:
					length, id, settled = -1, bad, true
				case id == DiagNone && n != length:
					length, id, settled = -1, DiagContentLengthConflict, true
				default:
					length, id = n, DiagNone
				}
			}
		}
		pos = end + 1
	}
	return 0, length, id
}

// mayBeLength is a cheap test that few header lines pass and all with the name of Content-Length do.
func mayBeLength(line []byte) bool {
	if len(line) == 0 {
		return false
	}
	switch line[0] | 0x20 {
	case 'c':
		return len(line) > 14 && line[8]|0x20 == 'l' && equalFold(line[:14], "content-length")
	case 'l':
		return len(line) > 1 && class[line[1]]&clToken == 0
	}
	return false
}
