package main

import (
	"encoding/binary"

	"github.com/klauspost/compress/zstd"
)

// storeBudget bounds the compressed text that waits to be printed in its place.
var storeBudget = 8 << 20 // a test lowers it

// storeChunk is how much text is compressed together.
const storeChunk = 64 << 10

// A textStore keeps texts under ascending numbers, compressed, until they are taken out.
type textStore struct {
	base   int         // number of places[0]
	places []textPlace // by number
	chunks []chunk     // compressed; the last one is being filled
	fill   []byte      // text of the last one
	size   int         // of all that is compressed
	recent [4]opened   // chunks that were looked into
	turn   int
	enc    *zstd.Encoder
	dec    *zstd.Decoder
}

// A textPlace is where a text stands; chunk is 1 more than its index, 0 for a number without text.
type textPlace struct{ chunk, off int32 }

type chunk struct {
	data []byte
	left int // texts in it that were not taken out
}

// An opened chunk; it is 1 more than the index, 0 for none.
type opened struct {
	chunk int32
	text  []byte
}

func newTextStore() *textStore {
	// The options are constants that cannot be wrong.
	enc, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(storeChunk), zstd.WithLowerEncoderMem(true))
	dec, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	return &textStore{base: 1, enc: enc, dec: dec, chunks: make([]chunk, 1)}
}

// full reports whether the budget is used up.
func (s *textStore) full() bool { return s.size+len(s.fill) > storeBudget }

// put keeps a text under a number that is not below the lowest one taken out.
func (s *textStore) put(n int, text []byte) {
	for n-s.base >= len(s.places) {
		s.places = append(s.places, textPlace{})
	}
	last := len(s.chunks) - 1
	s.places[n-s.base] = textPlace{int32(last + 1), int32(len(s.fill))}
	s.fill = append(binary.AppendUvarint(s.fill, uint64(len(text))), text...)
	s.chunks[last].left++
	if len(s.fill) < storeChunk {
		return
	}
	s.chunks[last].data = append([]byte(nil), s.enc.EncodeAll(s.fill, nil)...)
	s.size += len(s.chunks[last].data)
	s.fill = s.fill[:0]
	s.chunks = append(s.chunks, chunk{})
}

// take takes a text out; it is valid until the next call. ok is false when there is none of that number.
func (s *textStore) take(n int) (text []byte, ok bool) {
	i := n - s.base
	if i < 0 || i >= len(s.places) || s.places[i].chunk == 0 {
		return nil, false
	}
	p := s.places[i]
	s.places[i] = textPlace{}
	b := s.open(p.chunk)[p.off:]
	size, k := binary.Uvarint(b)
	text = b[k : k+int(size)]
	if c := &s.chunks[p.chunk-1]; c.data != nil {
		if c.left--; c.left == 0 {
			s.size -= len(c.data)
			c.data = nil
		}
	} else {
		c.left--
	}
	return text, true
}

// drop forgets places below a number.
func (s *textStore) drop(n int) {
	if k := min(n-s.base, len(s.places)); k > 0 {
		s.places = s.places[k:]
		s.base += k
	}
	if len(s.places) == 0 {
		s.base = max(s.base, n)
	}
}

func (s *textStore) open(c int32) []byte {
	if int(c) == len(s.chunks) {
		return s.fill
	}
	for i := range s.recent {
		if s.recent[i].chunk == c {
			return s.recent[i].text
		}
	}
	s.turn = (s.turn + 1) % len(s.recent)
	o := &s.recent[s.turn]
	o.chunk = c
	o.text, _ = s.dec.DecodeAll(s.chunks[c-1].data, o.text[:0]) // what was written by put
	return o.text
}
