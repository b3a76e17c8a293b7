package sipparse

import "encoding/binary"

// A partMemory is what a Splitter remembers of the parts of earlier bodies: some header sections and what they say, and the
// lines of others.
type partMemory struct {
	heads [partHeads]partHead
	after [partHeads + 1]uint8 // the one that followed last; of the last, what a body begins with
	prev  uint8                // the one of the part before
	pupil pupil
	lines formSet
}

// What a partMemory keeps at most.
const (
	partHeads  = 16
	headText   = 256 // octets of a header section
	headFields = 8   // header fields of one
)

// A partHead is the header section of a part, with the empty line, that has no defect. Where a Content-ID in angle brackets comes last,
// only what is before its octets is kept, and any may follow.
type partHead struct {
	text                            []byte
	open                            bool
	headers                         []Header // places in text
	full, id, disposition, encoding string
	kind, params                    Span // of Content-Type, in text; in its value
}

// begin is called before the first part of a body.
func (mem *partMemory) begin() { mem.prev = partHeads }

// slot is where a header section has its place; b has 48 octets or more.
func (mem *partMemory) slot(b []byte) uint8 {
	h := binary.LittleEndian.Uint64(b[16:]) + binary.LittleEndian.Uint64(b[24:])*3 + binary.LittleEndian.Uint64(b[32:])*5 + binary.LittleEndian.Uint64(b[40:])*7
	return uint8(h * 0x9E3779B97F4A7C15 >> 60)
}

// find gives the header section that b begins with, nil when it is not known.
func (mem *partMemory) find(b []byte) *partHead {
	if len(b) < 48 {
		return nil
	}
	i := mem.after[mem.prev]
	h := &mem.heads[i]
	if !h.begins(b) {
		if i = mem.slot(b); !mem.heads[i].begins(b) {
			return nil
		}
		mem.after[mem.prev] = i
		h = &mem.heads[i]
	}
	mem.prev = i
	mem.pupil.knew()
	return h
}

func (h *partHead) begins(b []byte) bool {
	n := len(h.text)
	return n > 0 && len(b) >= n && string(b[:n]) == string(h.text)
}

// learn remembers the header section text of a part that was read. Its headers have their places in what begins base octets
// before text.
func (mem *partMemory) learn(p *Part, text []byte, base int) {
	if len(text) > headText || len(p.Headers) > headFields || len(text) < 48 || !mem.pupil.learns() {
		return
	}
	i := mem.slot(text)
	mem.prev = i
	h := &mem.heads[i]
	h.text, h.headers, h.kind = append(h.text[:0], text...), append(h.headers[:0], p.Headers...), Span{}
	for k := len(h.headers) - 1; k >= 0; k-- {
		f := &h.headers[k]
		f.Name.Off -= uint32(base)
		f.Value.Off -= uint32(base)
		switch {
		case f.ID == HdrContentType:
			h.kind = f.Value
		case f.ID == HdrContentID && p.ContentID == "":
			h.text = h.text[:0] // the empty one, which may occur twice too
		}
	}
	h.open = false
	if n := len(h.headers); n > 0 && h.headers[n-1].ID == HdrContentID && !h.headers[n-1].Folded && p.ContentID != "" {
		v := int(h.headers[n-1].Value.Off) + 1
		if h.open = v >= 48 && string(text[v+len(p.ContentID):]) == idEnd; h.open {
			h.text = h.text[:v]
		}
	}
	h.full, h.params = p.Type.Full, p.Type.Params
	h.id, h.disposition, h.encoding = p.ContentID, p.Disposition, p.Encoding
}

// idEnd is what is after a Content-ID that ends a header section.
const idEnd = ">\r\n\r\n"

// section gives the length of the header section at the beginning of b, which begins with h, and its Content-ID when h has
// none of its own. The length is 0 when it is no such section after all.
func (h *partHead) section(b []byte) (n int, id []byte) {
	n = len(h.text)
	if !h.open {
		return n, nil
	}
	b = b[n:]
	end := printable(b) - 1
	if end <= 0 || len(b) < end+len(idEnd) || string(b[end:end+len(idEnd)]) != idEnd {
		return 0, nil
	}
	return n + end + len(idEnd), b[:end]
}

// recall makes a part, whose header section begins at octet at, what it was before.
func (h *partHead) recall(p *Part, at int) {
	p.Headers = append(p.Headers[:0], h.headers...)
	for i := range p.Headers {
		f := &p.Headers[i]
		f.Name.Off += uint32(at)
		f.Value.Off += uint32(at)
	}
	p.Type.Full, p.Type.Params = h.full, h.params
	p.ContentID, p.Disposition, p.Encoding = h.id, h.disposition, h.encoding
}
