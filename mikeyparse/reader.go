package mikeyparse

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A Tracer is told where each field lies: its stable dotted name (listed by
// [Fields]) and the octets [off,end) of the input. The calls come in ascending
// order and tile the input; octets that could not be given to a field come as
// "undecoded" or, inside a structure of known length, with that suffix.
type Tracer func(field string, off, end int)

// The causes an [Error] can have.
var (
	ErrShort = errors.New("message ends early")
	ErrLimit = errors.New("limit exceeded")
	ErrValue = errors.New("value makes the layout unknown")
)

// An Error says at which octet and in which field reading stopped, and which
// clause describes that field. Off never exceeds the length of the input.
type Error struct {
	Off   int
	Field string
	Spec  string
	Err   error
}

func (e *Error) Error() string {
	return fmt.Sprintf("mikey: %s at octet %d (%s): %v", e.Field, e.Off, e.Spec, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// reader takes fields off the front of b. The first failure sticks: later
// calls return zero values and leave the position alone, so that a codec can
// read a whole payload and look at the error once.
type reader struct {
	b    []byte
	off  int
	end  int // octets from end on belong to an outer structure
	see  Tracer
	spec string // clause of the structure being read
	err  *Error
}

func (r *reader) left() int { return r.end - r.off }

func (r *reader) fail(field string, err error) {
	if r.err == nil {
		r.err = &Error{Off: r.off, Field: field, Spec: r.spec, Err: err}
	}
}

// unknown marks the field just read as one whose value hides the length of
// what follows.
func (r *reader) unknown(field string, width int, what fmt.Stringer) {
	if r.err == nil {
		r.err = &Error{Off: r.off - width, Field: field, Spec: r.spec, Err: fmt.Errorf("%w: %s", ErrValue, what)}
	}
}

func (r *reader) bytes(field string, n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > r.left() {
		r.fail(field, fmt.Errorf("%w: wants %d octets, has %d", ErrShort, n, r.left()))
		return nil
	}
	start := r.off
	r.off += n
	if n > 0 && r.see != nil {
		r.see(field, start, r.off)
	}
	return r.b[start:r.off:r.off]
}

func (r *reader) rest(field string) []byte { return r.bytes(field, r.left()) }

func (r *reader) u8(field string) uint8 {
	if p := r.bytes(field, 1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) u16(field string) uint16 {
	if p := r.bytes(field, 2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

func (r *reader) u32(field string) uint32 {
	if p := r.bytes(field, 4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (r *reader) u40(field string) uint64 {
	if p := r.bytes(field, 5); p != nil {
		return uint64(p[0])<<32 | uint64(binary.BigEndian.Uint32(p[1:]))
	}
	return 0
}

// u24 is kept apart from u40 because only the ticket policy has that width.
func (r *reader) u24(field string) uint32 {
	if p := r.bytes(field, 3); p != nil {
		return uint32(p[0])<<16 | uint32(binary.BigEndian.Uint16(p[1:]))
	}
	return 0
}

// lv8 and lv16 read a length and as many octets.
func (r *reader) lv8(length, field string) []byte {
	return r.bytes(field, int(r.u8(length)))
}

func (r *reader) lv16(length, field string) []byte {
	return r.bytes(field, int(r.u16(length)))
}

// open reads a length of two octets, narrows the reader to as many octets and
// returns the outer end for close. It fails when fewer are there.
func (r *reader) open(field string) (outer int, ok bool) {
	n := int(r.u16(field))
	if r.err != nil {
		return r.end, false
	}
	if n > r.left() {
		r.err = &Error{Off: r.off - 2, Field: field, Spec: r.spec,
			Err: fmt.Errorf("%w: wants %d octets, has %d", ErrShort, n, r.left())}
		return r.end, false
	}
	outer = r.end
	r.end = r.off + n
	return outer, true
}

// close leaves a structure opened with open. What is left in it from mark on
// (the end of the last complete entry) is returned as tail, and a failure
// inside it is handed out instead of sticking: the outer chain goes on.
func (r *reader) close(outer, mark int, tailField string) (tail []byte, inner *Error) {
	inner, r.err = r.err, nil
	tail = r.b[mark:r.end:r.end]
	r.rest(tailField)
	r.end = outer
	if len(tail) == 0 {
		tail = nil
	}
	return tail, inner
}

// undecodable reports whether the error is a value that hides a length, as
// opposed to octets that are missing.
func (e *Error) undecodable() bool { return errors.Is(e.Err, ErrValue) }
