package pcapng

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Block types, pcapng 4 and 11.1.
const (
	blockSHB     = 0x0a0d0d0a // 4.1; reads the same in both byte orders
	blockIDB     = 1          // 4.2
	blockPB      = 2          // obsolete Packet Block, appendix A
	blockSPB     = 3          // 4.4
	blockNRB     = 4          // 4.5
	blockISB     = 5          // 4.6
	blockEPB     = 6          // 4.3
	blockJournal = 9          // systemd journal export, 4.9 of later drafts
	blockDSB     = 10         // 4.7
	blockCustom  = 0x00000bad // 4.8
	blockCustomN = 0x40000bad // 4.8, not to be copied

	byteOrderMagic = 0x1a2b3c4d
)

// known tells block types that may be stepped over by length alone however long they say they are.
func known(typ uint32) bool {
	switch typ {
	case blockSHB, blockIDB, blockPB, blockSPB, blockNRB, blockISB, blockEPB, blockJournal, blockDSB, blockCustom, blockCustomN:
		return true
	}
	return false
}

var blockNames = map[uint32]string{
	blockSHB: "section header block", blockIDB: "interface description block", blockPB: "packet block",
	blockSPB: "simple packet block", blockNRB: "name resolution block", blockISB: "interface statistics block",
	blockEPB: "enhanced packet block", blockJournal: "systemd journal block", blockDSB: "decryption secrets block",
	blockCustom: "custom block", blockCustomN: "custom block",
}

func blockName(typ uint32) string {
	if s := blockNames[typ]; s != "" {
		return s
	}
	return "block"
}

// startNG reads the first section header; the first four octets are known to be its type.
func (r *Reader) startNG() (*Reader, error) {
	r.ng = true
	if !r.need(12) {
		if d := damagedNG(r.buf[:r.end]); d != nil {
			return nil, d
		}
		return nil, r.cut(0, "section header block", fmt.Sprintf("has %d of the 12 octets that give its byte order", r.end))
	}
	if !r.byteOrder() {
		return nil, r.notCapture()
	}
	blen := r.u32(4)
	if blen < 28 || uint64(blen) > uint64(r.limits.Block) {
		return nil, &Error{Field: "section header block", End: int64(r.end), Err: ErrMalformed,
			Msg: fmt.Sprintf("says it is %s long", octets(uint64(blen)))}
	}
	if !r.need(int(blen)) {
		return nil, r.cut(0, "section header block", fmt.Sprintf("has %d of its %d octets", r.end, blen))
	}
	n, ok := r.framed(blen)
	if !ok {
		n = int(blen)
		r.counts.BadTrailers++
	}
	if r.shb(n); r.foreign {
		return nil, &Error{Field: "section header block", End: int64(n), Err: ErrMalformed,
			Msg: fmt.Sprintf("is of pcapng version %d.%d; known is 1", r.version[0], r.version[1])}
	}
	r.pos += n
	return r, nil
}

// byteOrder takes the byte order from the section header at the reading position.
func (r *Reader) byteOrder() bool {
	switch m := binary.BigEndian.Uint32(r.buf[r.pos+8:]); m {
	case byteOrderMagic:
		r.big = true
	case bits.ReverseBytes32(byteOrderMagic):
		r.big = false
	default:
		return false
	}
	return true
}

// framed tells how many octets the block at the reading position takes, if its two lengths agree. A length that
// is no multiple of four is tolerated without padding, and with padding before or behind its second copy. The
// block is in the buffer but for padding.
func (r *Reader) framed(blen uint32) (int, bool) {
	n := int(blen)
	pad := (n + 3) &^ 3
	switch {
	case r.u32(r.pos+n-4) == blen:
		if n != pad && !r.follows(n) && r.follows(pad) {
			return pad, true
		}
		return n, true
	case n != pad && r.need(pad) && r.u32(r.pos+pad-4) == blen:
		return pad, true
	}
	return n, false
}

// follows tells whether the input ends n octets behind the reading position, or a block of a known type with a
// possible length begins there. It is asked only about blocks that are not well-formed themselves.
func (r *Reader) follows(n int) bool {
	if !r.need(n + 12) {
		return r.end-r.pos == n
	}
	typ, blen := r.u32(r.pos+n), r.u32(r.pos+n+4)
	return typ == blockSHB || known(typ) && blen >= 12 && uint64(blen) <= uint64(r.limits.Block)
}

func (r *Reader) nextNG(p *Packet) error {
	for {
		if r.end-r.pos < 12 && !r.more(12) {
			return r.atEnd("block", 12)
		}
		h := r.buf[r.pos : r.pos+8]
		typ, blen := binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
		if r.big {
			typ, blen = bits.ReverseBytes32(typ), bits.ReverseBytes32(blen)
		}
		if typ == blockSHB {
			if !r.byteOrder() {
				off := r.base + int64(r.pos)
				return r.resync(off, "section header block", "has no byte-order magic", r.plausibleBlock)
			}
			blen = r.u32(r.pos + 4)
		}
		if blen < 12 || uint64(blen) > uint64(r.limits.Block) {
			if err := r.absurd(typ, blen); err != nil {
				return err
			}
			continue
		}
		n := int(blen)
		if r.end-r.pos < n && !r.more(n) {
			return r.cutBlock(typ, n)
		}
		if r.u32(r.pos+n-4) != blen || n&3 != 0 {
			var err error
			if n, err = r.oddBlock(typ, blen); err != nil {
				return err
			}
		}
		if r.foreign && typ != blockSHB {
			r.pos += n
			continue
		}
		var got bool
		var err error
		if typ == blockEPB && n >= 32 { // the usual case, without the detour
			got, err = r.packet(p, typ, n)
		} else {
			got, err = r.block(p, typ, n)
		}
		r.pos += n
		if got {
			r.count(p)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// absurd deals with a block whose length cannot be, or is over the limit. nil means that it was stepped over.
func (r *Reader) absurd(typ, blen uint32) error {
	off := r.base + int64(r.pos)
	switch typ {
	case blockNRB, blockISB, blockJournal, blockDSB, blockCustom, blockCustomN:
		if blen < 12 {
			break
		}
		// These may be long in earnest and hold no packets: step over them as they come.
		for left := int64(blen); left > 0; {
			if !r.need(1) {
				return r.fail(r.cut(off, blockName(typ), "says it is "+octets(uint64(blen))+" long"))
			}
			step := min(left, int64(r.end-r.pos))
			r.pos += int(step)
			left -= step
		}
		r.counts.OverLimit++
		return nil
	}
	return r.resync(off, blockName(typ), "says it is "+octets(uint64(blen))+" long", r.plausibleBlock)
}

// cutBlock is called where the input ends within a block. If the block makes sense the file was cut; if not,
// its length is wrong, and later blocks may be found in what was read.
func (r *Reader) cutBlock(typ uint32, n int) error {
	off := r.base + int64(r.pos)
	have := r.end - r.pos
	sane := known(typ)
	if typ == blockEPB && have >= 28 {
		rest := int64(n-32) - int64(r.u32(r.pos+20))
		sane = rest >= 0 && rest <= 64<<10
	} else if sane && typ != blockNRB && typ != blockDSB && typ != blockCustom && typ != blockCustomN && typ != blockJournal {
		sane = n <= 1<<20
	}
	if !sane {
		return r.resync(off, blockName(typ), "says it is "+octets(uint64(n))+" long", r.plausibleBlock)
	}
	return r.fail(r.cut(off, blockName(typ), fmt.Sprintf("has %d of its %d octets", have, n)))
}

// oddBlock deals with a block whose lengths differ or are no multiple of four. The block is used if the file goes
// on sensibly behind it.
func (r *Reader) oddBlock(typ, blen uint32) (int, error) {
	n, ok := r.framed(blen)
	if ok {
		return n, nil
	}
	for _, m := range []int{int(blen), (int(blen) + 3) &^ 3} {
		if r.follows(m) {
			r.counts.BadTrailers++
			return m, nil
		}
	}
	off := r.base + int64(r.pos)
	return 0, r.resync(off, blockName(typ), fmt.Sprintf("says it is %s long, and %d at its end", octets(uint64(blen)), r.u32(r.pos+int(blen)-4)), r.plausibleBlock)
}

// plausibleBlock tells whether a block stands at the reading position beyond reasonable doubt: a known type, two
// equal lengths, and for packets a captured length that fits.
func (r *Reader) plausibleBlock() bool {
	typ, blen := r.u32(r.pos), r.u32(r.pos+4)
	if !known(typ) {
		return false
	}
	if typ == blockSHB {
		big := r.big
		if !r.byteOrder() {
			return false
		}
		blen = r.u32(r.pos + 4)
		defer func() { r.big = big }() // set again when the block is read
	}
	n := int(blen)
	if blen < 12 || blen&3 != 0 || blen > usualLen+64<<10 || n > r.limits.Block || !r.more(n) || r.u32(r.pos+n-4) != blen {
		return false
	}
	switch typ {
	case blockSHB:
		return n >= 28
	case blockIDB:
		return n >= 20
	case blockEPB, blockPB:
		if n < 32 {
			return false
		}
		caplen := int64(r.u32(r.pos + 20))
		return (caplen+3)&^3 <= int64(n-32)
	case blockSPB:
		return n >= 16
	}
	return true
}

// block reads the block of n octets at the reading position. It tells whether p holds a packet now.
func (r *Reader) block(p *Packet, typ uint32, n int) (bool, error) {
	off := r.base + int64(r.pos)
	switch typ {
	case blockEPB, blockPB:
		if n < 32 {
			return false, r.small(typ, n, 32)
		}
		return r.packet(p, typ, n)
	case blockSPB:
		if n < 16 {
			return false, r.small(typ, n, 16)
		}
		return r.simple(p, n)
	case blockSHB:
		if n < 28 {
			return false, r.small(typ, n, 28)
		}
		r.shb(n)
		if r.foreign {
			return false, r.fail(&Error{Off: off, End: off + int64(n), Field: blockName(typ), Resumed: true, Err: ErrMalformed,
				Msg: fmt.Sprintf("is of pcapng version %d.%d; known is 1; the section is skipped", r.version[0], r.version[1])})
		}
	case blockIDB:
		if n < 20 {
			return false, r.small(typ, n, 20)
		}
		return false, r.idb(n)
	case blockISB:
		r.isb(n)
	case blockNRB:
		r.nrb(n)
	case blockDSB:
		r.dsb(n)
	case blockCustom, blockCustomN:
		r.counts.Custom++
	default:
		r.counts.Unknown++
	}
	return false, nil
}

func (r *Reader) small(typ uint32, n, want int) error {
	off := r.base + int64(r.pos)
	return r.fail(&Error{Off: off, End: off + int64(n), Field: blockName(typ), Resumed: true, Err: ErrMalformed,
		Msg: fmt.Sprintf("is %d octets long; it needs %d", n, want)})
}

// iface finds an interface of the section.
func (r *Reader) iface(id uint32) (int, *Interface) {
	if k := int64(r.first) + int64(id); int64(id) < int64(r.declared) && k < int64(len(r.ifaces)) {
		return int(k), &r.ifaces[k]
	}
	return -1, nil
}

func (r *Reader) noInterface(typ uint32, n int, id uint32) error {
	off := r.base + int64(r.pos)
	msg := fmt.Sprintf("names interface %d; the section has described %d", id, r.declared)
	if int64(id) < int64(r.declared) {
		msg = fmt.Sprintf("names interface %d, which is over the limit of %d interfaces", id, r.limits.Interfaces)
	}
	return r.fail(&Error{Off: off, End: off + int64(n), Field: blockName(typ), Msg: msg, Resumed: true, Err: ErrMalformed})
}

// packet reads an Enhanced Packet Block (4.3) or an obsolete Packet Block (appendix A), which differ in octets 8
// to 11 and in their options.
func (r *Reader) packet(p *Packet, typ uint32, n int) (bool, error) {
	b := r.buf[r.pos : r.pos+n]
	h := b[8:28]
	id, hi, lo := binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint32(h[8:])
	caplen, orig := binary.LittleEndian.Uint32(h[12:]), binary.LittleEndian.Uint32(h[16:])
	if r.big {
		id, hi, lo = bits.ReverseBytes32(id), bits.ReverseBytes32(hi), bits.ReverseBytes32(lo)
		caplen, orig = bits.ReverseBytes32(caplen), bits.ReverseBytes32(orig)
	}
	if typ == blockPB {
		id = uint32(r.u16(r.pos + 8))
	}
	k, i := r.iface(id)
	if i == nil {
		return false, r.noInterface(typ, n, id)
	}
	if uint64(caplen) > uint64(n-32) {
		caplen = uint32(n - 32)
		r.counts.ShortPackets++
	}
	end := 28 + int(caplen)
	p.Data = b[28:end:end]
	p.Time = i.clock.nanos(uint64(hi)<<32 | uint64(lo))
	p.Off = r.base + int64(r.pos)
	p.Orig = orig
	p.Flags, p.Drops, p.Comments, p.NoTime = 0, 0, nil, false
	p.Interface, p.Link = k, i.Link
	r.lastTime = p.Time
	i.Packets++
	if typ == blockPB {
		if d := r.u16(r.pos + 10); d != 0xffff {
			p.Drops = uint64(d)
		}
	}
	if end = (end + 3) &^ 3; end < n-4 {
		r.packetOptions(p, b[end:n-4])
	}
	if p.Drops != 0 {
		i.DropsEPB = satAdd(i.DropsEPB, p.Drops)
	}
	return true, nil
}

// packetOptions reads the options of a packet: opt_comment (3.5.1), epb_flags and epb_dropcount (4.3).
func (r *Reader) packetOptions(p *Packet, opts []byte) {
	r.options(opts, func(code uint16, v []byte) bool {
		switch code {
		case optComment:
			if len(p.Comments) >= r.limits.Comments {
				r.counts.OverLimit++
				return true
			}
			p.Comments = append(p.Comments, string(v))
		case 2:
			if len(v) != 4 {
				return false
			}
			p.Flags = uint32(r.number(v))
		case 4:
			if len(v) != 8 {
				return false
			}
			p.Drops = r.number(v)
		}
		return true
	})
}

// simple reads a Simple Packet Block (4.4): interface 0, no time, the captured length follows from the snap
// length and the block.
func (r *Reader) simple(p *Packet, n int) (bool, error) {
	k, i := r.iface(0)
	if i == nil {
		return false, r.noInterface(blockSPB, n, 0)
	}
	orig := r.u32(r.pos + 8)
	caplen := orig
	if i.SnapLen != 0 {
		caplen = min(caplen, i.SnapLen)
	}
	if uint64(caplen) > uint64(n-16) {
		caplen = uint32(n - 16)
		r.counts.ShortPackets++
	}
	from := r.pos + 12
	end := from + int(caplen)
	*p = Packet{Data: r.buf[from:end:end], Time: r.lastTime, Off: r.base + int64(r.pos), Orig: orig,
		Interface: k, Link: i.Link, NoTime: true}
	i.Packets++
	return true, nil
}

// shb begins a section, pcapng 4.1.
func (r *Reader) shb(n int) {
	b := r.buf[r.pos : r.pos+n]
	r.byteOrder()
	r.first, r.declared = len(r.ifaces), 0
	s := Section{Off: r.base + int64(r.pos), BigEndian: r.big, Major: r.u16(r.pos + 12), Minor: r.u16(r.pos + 14),
		Length: int64(r.number(b[16:24]))}
	r.foreign = s.Major != 1
	r.version = [2]uint16{s.Major, s.Minor}
	r.sections++
	r.options(b[24:n-4], func(code uint16, v []byte) bool {
		switch code {
		case optComment:
			setText(&s.Comment, v)
		case 2:
			setText(&s.Hardware, v)
		case 3:
			setText(&s.OS, v)
		case 4:
			setText(&s.Application, v)
		}
		return true
	})
	r.section = s
	if r.OnSection != nil {
		r.OnSection(s)
	}
}

// idb describes an interface, pcapng 4.2.
func (r *Reader) idb(n int) error {
	if r.declared++; len(r.ifaces) >= r.limits.Interfaces {
		r.counts.OverLimit++
		return nil
	}
	link := r.u16(r.pos + 8)
	i := Interface{Link: link, LinkField: uint32(link), SnapLen: r.u32(r.pos + 12), FCS: -1, Resolution: 6,
		Section: r.sections - 1, Off: r.base + int64(r.pos)}
	r.options(r.buf[r.pos+16:r.pos+n-4], func(code uint16, v []byte) bool {
		switch code {
		case optComment:
			setText(&i.Comment, v)
		case 2:
			setText(&i.Name, v)
		case 3:
			setText(&i.Description, v)
		case 9:
			if len(v) != 1 {
				return false
			}
			i.Resolution = v[0]
		case 11: // the first octet says what kind of filter it is; 0 is libpcap text
			if len(v) > 1 && v[0] == 0 {
				setText(&i.Filter, v[1:])
			}
		case 12:
			setText(&i.OS, v)
		case 13:
			if len(v) != 1 {
				return false
			}
			// "In bits" by the text, 4 by its own example: small values are octets.
			if i.FCS = int(v[0]); i.FCS > 8 {
				i.FCS /= 8
			}
		case 14:
			if len(v) != 8 {
				return false
			}
			i.Offset = int64(r.number(v))
		case 15:
			setText(&i.Hardware, v)
		}
		return true
	})
	i.clock = newClock(i.Resolution, i.Offset)
	r.ifaces = append(r.ifaces, i)
	if r.OnInterface != nil {
		r.OnInterface(len(r.ifaces)-1, i)
	}
	return nil
}

// isb reads interface statistics, pcapng 4.6.
func (r *Reader) isb(n int) {
	if n < 24 {
		r.counts.BadRecords++
		return
	}
	k, i := r.iface(r.u32(r.pos + 8))
	if i == nil {
		r.counts.BadRecords++
		return
	}
	stamp := func(at int) int64 { return i.clock.nanos(uint64(r.u32(at))<<32 | uint64(r.u32(at+4))) }
	s := &Statistics{Time: stamp(r.pos + 12)}
	r.options(r.buf[r.pos+20:r.pos+n-4], func(code uint16, v []byte) bool {
		if code < 2 || code > 8 {
			return true
		}
		if len(v) != 8 {
			return false
		}
		x := r.number(v)
		switch code {
		case 2, 3: // two 32-bit halves, the high one first, in either byte order
			x = r.number(v[:4])<<32 | r.number(v[4:])
			if t := i.clock.nanos(x); code == 2 {
				s.Start = t
			} else {
				s.End = t
			}
		case 4:
			s.Received = x
		case 5:
			s.Dropped = x
		case 6:
			s.Accepted = x
		case 7:
			s.OSDropped = x
		case 8:
			s.Delivered = x
		}
		s.Has |= 1 << code
		return true
	})
	i.Stats = s
	if r.OnStatistics != nil {
		r.OnStatistics(k, *s)
	}
}

// nrb offers names, pcapng 4.5.
func (r *Reader) nrb(n int) {
	b := r.buf[r.pos+8 : r.pos+n-4]
	for len(b) >= 4 {
		typ, size := uint16(r.number(b[:2])), int(r.number(b[2:4]))
		if b = b[4:]; typ == 0 {
			return
		}
		if size > len(b) {
			r.counts.BadRecords++
			return
		}
		v := b[:size]
		b = b[min((size+3)&^3, len(b)):]
		alen := 0
		switch typ {
		case 1:
			alen = 4
		case 2:
			alen = 16
		default:
			continue // EUI-48, EUI-64 and what comes later
		}
		if size < alen {
			r.counts.BadRecords++
			continue
		}
		if r.OnNames == nil {
			continue
		}
		for _, name := range bytes.Split(v[alen:], []byte{0}) {
			if len(name) > 0 {
				r.OnNames(v[:alen:alen], string(name))
			}
		}
	}
}

// dsb offers decryption secrets, pcapng 4.7.
func (r *Reader) dsb(n int) {
	if n < 20 {
		r.counts.BadRecords++
		return
	}
	size := r.u32(r.pos + 12)
	if uint64(size) > uint64(n-20) {
		// Lines of a key log stand on their own: what is there is of use.
		size = uint32(n - 20)
		r.counts.BadRecords++
	}
	if r.OnSecrets == nil {
		return
	}
	if r.secrets+int(size) > r.limits.Secrets {
		r.counts.OverLimit++
		return
	}
	r.secrets += int(size)
	data := bytes.Clone(r.buf[r.pos+16 : r.pos+16+int(size)])
	r.OnSecrets(Secrets{Type: SecretsType(r.u32(r.pos + 8)), Off: r.base + int64(r.pos), data: func() []byte { return data }})
}

const optComment = 1 // opt_comment, 3.5.1

// options walks a list of options (3.5). see tells whether it could use the value. A list that does not add up
// ends where it stops adding up.
func (r *Reader) options(b []byte, see func(code uint16, v []byte) bool) {
	for len(b) >= 4 {
		code, size := uint16(r.number(b[:2])), int(r.number(b[2:4]))
		if b = b[4:]; code == 0 {
			if size != 0 {
				r.counts.BadOptions++
			}
			return
		}
		if size > len(b) {
			r.counts.BadOptions++
			return
		}
		if !see(code, b[:size]) {
			r.counts.BadOptions++
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	if len(b) > 0 {
		r.counts.BadOptions++
	}
}

// number reads an unsigned number of 2, 4 or 8 octets in the byte order of the section.
func (r *Reader) number(b []byte) uint64 {
	var v uint64
	if r.big {
		for _, c := range b {
			v = v<<8 | uint64(c)
		}
		return v
	}
	for k := len(b) - 1; k >= 0; k-- {
		v = v<<8 | uint64(b[k])
	}
	return v
}

const maxText = 512 // octets kept of a text that describes a section or an interface

// setText keeps the first value of a text option, without the trailing zeros some writers add.
func setText(to *string, v []byte) {
	if *to == "" {
		*to = string(bytes.TrimRight(v[:min(len(v), maxText)], "\x00"))
	}
}
