package flow

import (
	"bytes"
	"slices"
	"sort"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A piece is a stretch of octets that waits for what comes before it: an IP fragment or a TCP segment out of order.
type piece struct {
	off  int64 // in the datagram or stream
	data []byte
	time int64
	segs []record.Segment // where the octets came from, offsets relative to data
}

func (q *piece) end() int64 { return q.off + int64(len(q.data)) }

// pieceCost is what a piece costs beside its octets.
const pieceCost = 128

// A piecePool keeps pieces of which nobody has need any more, with their memory.
type piecePool struct{ free []*piece }

const (
	maxFreePieces = 64
	maxFreePiece  = 4 << 10 // octets
)

func (pp *piecePool) take(off int64, b []byte, time int64, origin func(dst []record.Segment, b []byte) []record.Segment) *piece {
	n := len(pp.free)
	if n == 0 {
		return &piece{off: off, data: bytes.Clone(b), time: time, segs: origin(nil, b)}
	}
	q := pp.free[n-1]
	pp.free = pp.free[:n-1]
	q.off, q.time, q.data, q.segs = off, time, append(q.data[:0], b...), origin(q.segs[:0], b)
	return q
}

// put takes pieces back; their octets must not be used any more.
func (pp *piecePool) put(list []*piece) {
	for _, q := range list {
		if len(pp.free) < maxFreePieces && cap(q.data) <= maxFreePiece && cap(q.segs) <= 64 {
			poison(q.data)
			pp.free = append(pp.free, q)
		}
	}
}

// poisoned makes tests overwrite what is used again.
var poisoned bool

// Poison has all decoders overwrite memory before it is used again, so that whoever still holds it is found out. It is for
// tests.
func Poison() { poisoned = true }

func poisonPlaces(segs []record.Segment, frames []uint64) {
	if poisoned {
		for i := range segs {
			segs[i], frames[i] = record.Segment{Off: 0xdbdbdbdb, Frame: 0xdbdbdbdbdb}, 0xdbdbdbdbdb
		}
	}
}

func poison(b []byte) {
	if poisoned {
		for i := range b {
			b[i] = 0xdb
		}
	}
}

// put says what add found.
type put struct {
	added              int // octets that were new
	pieces             int // pieces added
	duplicate          bool
	overlaps, conflict bool
}

// add puts octets into a list of pieces that is sorted and free of overlaps. What is there already wins; only what
// is new is copied. conflict says that overlapping octets differ.
func (pp *piecePool) add(list []*piece, off int64, b []byte, time int64, origin func(dst []record.Segment, b []byte) []record.Segment) ([]*piece, put) {
	var r put
	end := off + int64(len(b))
	if n := len(list); n == 0 || list[n-1].end() <= off { // the usual case
		r.added, r.pieces = len(b), 1
		return append(list, pp.take(off, b, time, origin)), r
	}
	i := sort.Search(len(list), func(i int) bool { return list[i].end() > off })
	if i == len(list) || list[i].off >= end { // nothing overlaps
		r.added, r.pieces = len(b), 1
		return slices.Insert(list, i, pp.take(off, b, time, origin)), r
	}
	if q := list[i]; q.off == off && len(q.data) == len(b) && bytes.Equal(q.data, b) {
		r.duplicate = true
		return list, r
	}
	r.overlaps = true
	var fresh []*piece
	for at := off; at < end; {
		stop := end // of the hole that begins at at
		if i < len(list) {
			stop = min(stop, list[i].off)
		}
		if stop > at {
			c := b[at-off : stop-off]
			fresh = append(fresh, pp.take(at, c, time, origin))
			r.added += len(c)
			at = stop
			continue
		}
		q := list[i]
		stop = min(end, q.end())
		if !bytes.Equal(b[at-off:stop-off], q.data[at-q.off:stop-q.off]) {
			r.conflict = true
		}
		at = stop
		i++
	}
	if len(fresh) > 0 {
		r.pieces = len(fresh)
		list = append(list, fresh...)
		slices.SortFunc(list, func(a, b *piece) int {
			if a.off < b.off {
				return -1
			}
			return 1
		})
	}
	return list, r
}
