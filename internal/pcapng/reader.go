package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// Limits bound what a Reader holds. Zero values mean the documented defaults.
type Limits struct {
	Block      int // longest block or record kept in memory; default 16 MiB. Longer ones are stepped over.
	Interfaces int // interfaces remembered, over all sections; default 16384
	Comments   int // comments given with one packet; default 64
	Secrets    int // octets of decryption secrets given out in all; default 16 MiB
	Chunk      int // size of one read; default 256 KiB, at least 4 KiB
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Block, 16<<20)
	def(&l.Interfaces, 16384)
	def(&l.Comments, 64)
	def(&l.Secrets, 16<<20)
	def(&l.Chunk, 256<<10)
	l.Chunk = max(l.Chunk, 4<<10)
	l.Block = max(min(l.Block, 1<<30), 4<<10)
	return l
}

// Counts are what a Reader saw so far, tolerated defects included.
type Counts struct {
	Packets      uint64 // delivered
	Octets       uint64 // captured octets of them
	Truncated    uint64 // packets with fewer octets captured than were on the wire
	ShortPackets uint64 // packets whose block holds fewer octets than its captured length says
	BadOptions   uint64 // options with an impossible length
	BadTrailers  uint64 // blocks whose two lengths differ
	BadRecords   uint64 // name records, statistics and secrets blocks that could not be read
	Unknown      uint64 // blocks of an unknown type, skipped by length
	Custom       uint64 // custom blocks, skipped by length
	Skipped      uint64 // octets stepped over to find the next block or record
	OverLimit    uint64 // comments, interfaces, secrets or blocks left out because of Limits
	Faults       uint64 // errors returned, resumed ones included
}

// A Reader reads one capture file. It is not safe for concurrent use.
type Reader struct {
	// OnSecrets, OnStatistics, OnNames, OnSection and OnInterface, if set, are called from within Next in file
	// order. OnNames gets an address (4 or 16 octets, valid during the call) and one of its names.
	OnSecrets    func(Secrets)
	OnStatistics func(iface int, s Statistics)
	OnNames      func(addr []byte, name string)
	OnSection    func(Section)
	OnInterface  func(iface int, i Interface)

	r    io.Reader
	buf  []byte
	pos  int   // next octet to use
	end  int   // end of what was read
	base int64 // file offset of buf[0]
	rerr error // what the io.Reader said at last, sticky

	big    bool // byte order of the file or section
	ng     bool
	recLen int    // length of a classic record header
	frac   int64  // classic: nanoseconds in a unit of the second time field
	usual  uint32 // classic: a captured length up to this needs no second look
	swap   lenSwap

	ifaces   []Interface
	first    int  // index of the section's interface 0
	declared int  // interfaces of this section, those over the limit included
	foreign  bool // section of an unknown major version: skip to the next one

	sections int
	section  Section
	version  [2]uint16
	lastTime int64
	seen     bool
	secrets  int
	limits   Limits
	counts   Counts
	done     error
}

// lenSwap tells whether captured and original length may be the wrong way round in old classic files.
type lenSwap uint8

const (
	swapNever  lenSwap = iota
	swapMaybe          // version 2.3: where captured exceeds original
	swapAlways         // versions before 2.3, and DG/UX 543.0
)

// Classic pcap magics, in the order of a big-endian reader.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34
)

const usualLen = 256 << 10 // longest packet that ordinary writers make

// NewReader reads the file header and tells pcap from pcapng by content. What is neither gives a
// *NotCaptureError; a file that ends within its header gives an *Error.
func NewReader(src io.Reader, l Limits) (*Reader, error) {
	l = l.withDefaults()
	r := &Reader{r: src, limits: l, buf: make([]byte, l.Chunk)}
	if !r.need(4) {
		if r.end == 0 {
			if r.rerr != nil && r.rerr != io.EOF {
				return nil, r.cut(0, "file header", "cannot be read")
			}
			return nil, &NotCaptureError{Empty: true}
		}
		return nil, r.notCapture()
	}
	m := binary.BigEndian.Uint32(r.buf)
	switch {
	case m == blockSHB:
		return r.startNG()
	case r.classic(m):
		return r.startClassic()
	case r.classic(bits.ReverseBytes32(m)):
		r.big = false
		return r.startClassic()
	}
	return nil, r.notCapture()
}

// classic notes what a magic says, for a big-endian file.
func (r *Reader) classic(magic uint32) bool {
	r.big, r.recLen, r.frac = true, 16, 1000
	switch magic {
	case magicMicro:
	case magicNano:
		r.frac = 1
	case magicModified:
		r.recLen = 24
	default:
		return false
	}
	return true
}

func (r *Reader) startClassic() (*Reader, error) {
	if !r.need(24) {
		return nil, r.cut(0, "pcap file header", fmt.Sprintf("has %d of its 24 octets", r.end))
	}
	major, minor := r.u16(4), r.u16(6)
	switch {
	case major == 543, major == 2 && minor < 3:
		r.swap = swapAlways
	case major == 2 && minor == 3:
		r.swap = swapMaybe
	case major != 2:
		return nil, &Error{Off: 4, End: 24, Field: "pcap version", Err: ErrMalformed,
			Msg: fmt.Sprintf("is %d.%d; known are 2.0 to 2.4", major, minor)}
	}
	r.version = [2]uint16{major, minor}
	field := r.u32(20)
	i := Interface{Link: uint16(field), LinkField: field, SnapLen: r.u32(16), FCS: -1, Resolution: 6}
	// The upper six bits: length of the FCS in 16-bit words, and bit 26 which says that it is given.
	if field&0x04000000 != 0 {
		i.FCS = int(field>>28) * 2
	}
	if r.frac == 1 {
		i.Resolution = 9
	}
	r.ifaces = append(r.ifaces, i)
	r.declared = 1
	r.usual = min(usualLen, uint32(r.limits.Block))
	if s := i.SnapLen; s > r.usual && s <= uint32(r.limits.Block) {
		r.usual = s
	}
	r.pos = 24
	return r, nil
}

// Next reads the next packet. It returns io.EOF at a clean end, else an *Error: with Resumed set, Next may be
// called again and goes on behind the fault; without, every further call gives the same error.
func (r *Reader) Next(p *Packet) error {
	if r.ng {
		return r.nextNG(p)
	}
	return r.nextClassic(p)
}

func (r *Reader) nextClassic(p *Packet) error {
	if r.end-r.pos < r.recLen && !r.more(r.recLen) {
		return r.atEnd("packet record", r.recLen)
	}
	h := r.buf[r.pos : r.pos+16]
	sec, frac := binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
	caplen, orig := binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
	if r.big {
		sec, frac = bits.ReverseBytes32(sec), bits.ReverseBytes32(frac)
		caplen, orig = bits.ReverseBytes32(caplen), bits.ReverseBytes32(orig)
	}
	if r.swap != swapNever && (r.swap == swapAlways || caplen > orig) {
		caplen, orig = orig, caplen
	}
	if caplen > r.usual || sec|frac|caplen|orig == 0 {
		if err := r.suspect(sec|frac|caplen|orig == 0, caplen); err != nil {
			return err
		}
	}
	n := r.recLen + int(caplen)
	if r.end-r.pos < n && !r.more(n) {
		off := r.base + int64(r.pos)
		return r.fail(r.cut(off, "packet record", fmt.Sprintf("has %d of its %d octets", r.end-r.pos, n)))
	}
	b := r.buf[r.pos : r.pos+n]
	p.Data = b[r.recLen:n:n]
	p.Time = int64(sec)*1e9 + int64(frac)*r.frac
	p.Off = r.base + int64(r.pos)
	p.Orig = orig
	p.Flags = 0
	if r.recLen == 24 {
		p.Flags = packetType[b[22]&7]
	}
	i := &r.ifaces[0]
	i.Packets++
	p.Interface, p.Link, p.NoTime, p.Drops, p.Comments = 0, i.Link, false, 0, nil
	r.pos += n
	r.lastTime, r.seen = p.Time, true
	r.count(p)
	return nil
}

// packetType turns the sll packet type of modified pcap into epb_flags: direction and reception type.
var packetType = [8]uint32{
	0: DirInbound | 1<<2, // to us: unicast
	1: DirInbound | 3<<2, // broadcast
	2: DirInbound | 2<<2, // multicast
	3: DirInbound | 4<<2, // to another host: promiscuous
	4: DirOutbound,
}

func (r *Reader) count(p *Packet) {
	r.counts.Packets++
	r.counts.Octets += uint64(len(p.Data))
	if uint64(len(p.Data)) < uint64(p.Orig) {
		r.counts.Truncated++
	}
}

// suspect looks twice at a record whose length no ordinary writer makes, or whose header is all zeros (what a
// crashed system leaves). It returns nil if the record may be used, else the error to give.
func (r *Reader) suspect(zeros bool, caplen uint32) error {
	off := r.base + int64(r.pos)
	if zeros {
		return r.resync(off, "packet record", "is all zeros", r.plausibleRecord)
	}
	said := "says it is " + octets(uint64(caplen)) + " long"
	if uint64(caplen) > uint64(r.limits.Block) {
		return r.resync(off, "packet record", said, r.plausibleRecord)
	}
	// Within the limit: believe it if the file ends with it or another record follows.
	n := r.recLen + int(caplen)
	if r.more(n) && (r.recordAt(n, false) || r.end-r.pos == n) {
		return nil
	}
	return r.resync(off, "packet record", said, r.plausibleRecord)
}

// recordAt tells whether a sensible record header stands k octets behind the reading position; near asks for a
// time within a day of the last packet's.
func (r *Reader) recordAt(k int, near bool) bool {
	if !r.need(k + r.recLen) {
		return false
	}
	sec, frac, caplen, orig := r.u32(r.pos+k), r.u32(r.pos+k+4), r.u32(r.pos+k+8), r.u32(r.pos+k+12)
	if r.swap != swapNever && (r.swap == swapAlways || caplen > orig) {
		caplen, orig = orig, caplen
	}
	if caplen == 0 || caplen > r.usual || orig > 1<<24 || orig < caplen || int64(frac)*r.frac >= 1e9 {
		return false
	}
	if d := int64(sec) - r.lastTime/1e9; near && r.seen && (d > 86400 || d < -86400) {
		return false
	}
	return true
}

// plausibleRecord tells whether resynchronising at the reading position is sound: a sensible header, behind it
// another one or the exact end of the file.
func (r *Reader) plausibleRecord() bool {
	if !r.recordAt(0, true) {
		return false
	}
	caplen := r.u32(r.pos + 8)
	if orig := r.u32(r.pos + 12); r.swap != swapNever && (r.swap == swapAlways || caplen > orig) {
		caplen = orig
	}
	n := r.recLen + int(caplen)
	if caplen > usualLen || !r.more(n) {
		return false
	}
	return r.recordAt(n, true) || r.end-r.pos == n
}

// zeroRun is the number of zeros that b begins with.
func zeroRun(b []byte) (n int) {
	for n+8 <= len(b) && binary.LittleEndian.Uint64(b[n:]) == 0 {
		n += 8
	}
	for n < len(b) && b[n] == 0 {
		n++
	}
	return n
}

// resync steps over octets until plausible says that the reading position holds a record or block again, and
// returns the error to give: resumed, or final if the input has no more.
func (r *Reader) resync(off int64, field, msg string, plausible func() bool) error {
	const need = 12
	zeros := true
	for {
		if n := zeroRun(r.buf[r.pos:r.end]); n > 64 {
			// Neither a record nor a block begins with 16 zeros: a hole is stepped over at once.
			n -= 16
			r.pos += n
			r.counts.Skipped += uint64(n)
		}
		if r.pos < r.end && r.buf[r.pos] != 0 {
			zeros = false
		}
		if r.pos < r.end {
			r.pos++
			r.counts.Skipped++
		}
		if !r.need(need) {
			break
		}
		if plausible() {
			at := r.base + int64(r.pos)
			return r.fail(&Error{Off: off, End: at, Field: field, Resumed: true, Err: ErrMalformed,
				Msg: fmt.Sprintf("%s; reading goes on at octet %d", msg, at)})
		}
	}
	for _, c := range r.buf[r.pos:r.end] {
		if c != 0 {
			zeros = false
		}
	}
	r.counts.Skipped += uint64(r.end - r.pos)
	r.pos = r.end
	if zeros {
		msg += ", and so is the rest of the file"
		if field != "packet record" {
			msg = "is zeros, as is the rest of the file"
		}
	}
	e := r.cut(off, field, msg)
	if e.Err == io.ErrUnexpectedEOF && zeros {
		e.Err = ErrMalformed
	}
	return r.fail(e)
}

// atEnd is called where a header of n octets cannot be had.
func (r *Reader) atEnd(field string, n int) error {
	if r.done != nil {
		return r.done
	}
	left := r.end - r.pos
	if left == 0 && r.rerr == io.EOF {
		r.done = io.EOF
		return io.EOF
	}
	off := r.base + int64(r.pos)
	if left == 0 { // the file ends cleanly here, but its reader says that it should not
		return r.fail(r.cut(off, field, "cannot be read"))
	}
	return r.fail(r.cut(off, field, fmt.Sprintf("has %d of the %d octets of its header", left, n)))
}

// fail counts an error and, when it is final, makes every later call give it too.
func (r *Reader) fail(e *Error) error {
	if r.done != nil {
		return r.done
	}
	r.counts.Faults++
	if !e.Resumed {
		r.done = e
		r.pos = r.end
		if r.rerr == nil {
			r.rerr = io.EOF
		}
	}
	return e
}

// need makes n octets available at the reading position, and tells whether it could.
func (r *Reader) need(n int) bool { return r.end-r.pos >= n || r.more(n) }

// more reads until n octets are there. It makes one Read at a time and stops as soon as it has enough, so that
// a slow pipe gives its packets at once. The buffer grows only when it is full of octets that are needed.
func (r *Reader) more(n int) bool {
	for idle := 0; r.end-r.pos < n; {
		if r.rerr != nil {
			return false
		}
		if r.pos > 0 && (r.pos+n > len(r.buf) || r.pos >= len(r.buf)/2) {
			copy(r.buf, r.buf[r.pos:r.end])
			r.base += int64(r.pos)
			r.end -= r.pos
			r.pos = 0
		}
		if r.end == len(r.buf) {
			bigger := make([]byte, min(2*len(r.buf), r.limits.Block+r.limits.Chunk))
			if len(bigger) <= len(r.buf) {
				r.rerr = errors.New("internal: block limit exceeded")
				return false
			}
			copy(bigger, r.buf[:r.end])
			r.buf = bigger
		}
		m, err := r.r.Read(r.buf[r.end:])
		if m < 0 || m > len(r.buf)-r.end {
			m, err = 0, errors.New("reader returned an impossible count")
		}
		r.end += m
		r.rerr = err
		if m > 0 {
			idle = 0
		} else if idle++; err == nil && idle >= 100 {
			r.rerr = io.ErrNoProgress
		}
	}
	return true
}

// u16 and u32 read from the buffer in the byte order of the section.
func (r *Reader) u16(at int) uint16 {
	if r.big {
		return binary.BigEndian.Uint16(r.buf[at:])
	}
	return binary.LittleEndian.Uint16(r.buf[at:])
}

func (r *Reader) u32(at int) uint32 {
	if r.big {
		return binary.BigEndian.Uint32(r.buf[at:])
	}
	return binary.LittleEndian.Uint32(r.buf[at:])
}

// Counts gives what was seen so far.
func (r *Reader) Counts() Counts { return r.counts }

// Interfaces gives the interfaces described so far, over all sections. The slice belongs to the Reader: use it
// before the next call of Next.
func (r *Reader) Interfaces() []Interface { return r.ifaces }

// Section gives the section being read; the zero Section for classic pcap.
func (r *Reader) Section() Section { return r.section }

// Sections counts the sections so far; 0 for classic pcap.
func (r *Reader) Sections() int { return r.sections }

// Format names the file format with its version: "pcap 2.4", "pcapng 1.0".
func (r *Reader) Format() string {
	name := "pcap"
	if r.ng {
		name = "pcapng"
	}
	return fmt.Sprintf("%s %d.%d", name, r.version[0], r.version[1])
}

// Offset is the place in the (uncompressed) file that was read up to.
func (r *Reader) Offset() int64 { return r.base + int64(r.pos) }
