package pcapng

import (
	"errors"
	"fmt"
	"io"
)

// ErrNotCapture is matched by every NotCaptureError.
var ErrNotCapture = errors.New("not a capture file")

// A NotCaptureError says that the input is neither pcap nor pcapng, what it looks like instead, and what helps.
type NotCaptureError struct {
	Looks string // "Microsoft NetMon 2.x", "HTML", ...; "" if nothing is known about it
	Hint  string // what to do about it, may be ""
	Empty bool   // the input has no octets at all
}

func (e *NotCaptureError) Error() string {
	switch {
	case e.Empty:
		return "the file is empty"
	case e.Looks == "":
		return "not a capture file: neither pcap nor pcapng, and nothing else known here"
	}
	s := "not a capture file: it looks like " + e.Looks
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Is makes errors.Is(err, ErrNotCapture) hold.
func (e *NotCaptureError) Is(target error) bool { return target == ErrNotCapture }

// An Error is a fault of the file: where it is, what is wrong, and whether reading can go on.
type Error struct {
	Off     int64  // offset of the faulty header, record or block
	End     int64  // where reading resumed, or how far the file was read
	Field   string // "file header", "packet record", "block", "enhanced packet block" ...
	Msg     string // the rest of the sentence
	Resumed bool   // Next may be called again and goes on at End
	Err     error  // cause: io.ErrUnexpectedEOF, ErrMalformed, or what the io.Reader said
}

// ErrMalformed is the cause of an Error where the octets contradict the format.
var ErrMalformed = errors.New("malformed")

func (e *Error) Error() string { return fmt.Sprintf("%s at octet %d %s", e.Field, e.Off, e.Msg) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// cut builds the Error of a record or block at off which the input does not hold whole.
func (r *Reader) cut(off int64, field, msg string) *Error {
	end := r.base + int64(r.end)
	e := &Error{Off: off, End: end, Field: field, Err: io.ErrUnexpectedEOF}
	switch {
	case r.rerr == nil || r.rerr == io.EOF:
		e.Msg = fmt.Sprintf("%s; the file ends at octet %d", msg, end)
	case r.rerr == io.ErrUnexpectedEOF:
		e.Msg = fmt.Sprintf("%s; the data ends early, at octet %d", msg, end)
	default:
		e.Msg = fmt.Sprintf("%s; reading stopped at octet %d: %v", msg, end, r.rerr)
		e.Err = r.rerr
	}
	return e
}

// octets prints a length as an engineer says it.
func octets(n uint64) string {
	switch {
	case n >= 1<<30:
		return trim(float64(n)/(1<<30), "GiB")
	case n >= 1<<20:
		return trim(float64(n)/(1<<20), "MiB")
	case n == 1:
		return "1 octet"
	}
	return fmt.Sprintf("%d octets", n)
}

func trim(f float64, unit string) string {
	s := fmt.Sprintf("%.1f", f)
	if s[len(s)-2:] == ".0" {
		s = s[:len(s)-2]
	}
	return s + " " + unit
}
