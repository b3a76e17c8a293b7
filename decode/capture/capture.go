package capture

import (
	"errors"
	"fmt"
	"io"
)

// A Frame is one captured frame.
type Frame struct {
	Number    uint64 // 1-based within its file
	Time      int64  // Unix nanoseconds
	Data      []byte // captured octets, valid until the next call of Next
	Orig      uint32 // length on the wire
	Link      uint16 // LINKTYPE_ value
	Direction uint8  // Unknown, Inbound or Outbound, as the capture says
	FileIndex int    // index in the paths given to Open
	File      string // the path as given; "-" is standard input
	Interface string // name or description of the interface, "" if the capture has none
	Offset    int64  // of the record in the (uncompressed) file
	Comments  []string
}

// Direction of a frame as the capture tells it (pcapng 4.3.1).
const (
	Unknown  uint8 = 0
	Inbound  uint8 = 1
	Outbound uint8 = 2
)

// A Source gives frames in order. It is not safe for concurrent use, but for Progress where a Source has it.
type Source interface {
	// Next reads the next frame. At the end it returns io.EOF, or Errors if any file had a fault.
	Next(f *Frame) error
	Stats() Stats
	Close() error
}

// A Rewinder is a Source which can be read again from the start. Open gives one where every input is a regular
// file.
type Rewinder interface {
	Source
	Seekable() bool // whether Rewind will work
	Rewind() error  // begins again, with fresh Stats; callbacks come again too
}

// A Progresser tells how far reading has come. Progress may be called from any goroutine; total is 0 if it is not
// known (standard input, pipes). Both count octets of the files as they are on disk.
type Progresser interface {
	Progress() (read, total int64)
}

// Stats are what a Source has delivered so far.
type Stats struct {
	Files     int    // inputs
	Frames    uint64 // frames delivered
	Octets    uint64 // captured octets of them
	Truncated uint64 // frames with fewer octets captured than were on the wire
	Drops     uint64 // frames the capturing system says it lost
	Comments  uint64 // comments on frames
	Tolerated uint64 // defects of files that cost no frame: lengths that differ, bad options, unknown blocks
	Backward  uint64 // frames with a time before that of the frame before
	Errors    uint64 // faults, those in List and those beyond it
	List      Errors // the first faults of each file, in the order they were met
	Read      int64  // octets read of the files as they are on disk
	Size      int64  // what there is of them; 0 if not known
	Expanded  int64  // octets that came out of decompression
}

// A FileError is a fault of one file.
type FileError struct {
	File string // the path as given
	Off  int64  // octet of the (uncompressed) content where the fault is, -1 if it is the file as a whole
	Err  error
	Hint string // what helps, may be ""
}

func (e *FileError) Error() string { return Name(e.File) + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Name is how a path is shown: "standard input" for "-".
func Name(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// Errors are the faults of all files, returned by Next after the last frame.
type Errors []*FileError

func (e Errors) Error() string {
	switch len(e) {
	case 0:
		return "no error"
	case 1:
		return e[0].Error()
	}
	return fmt.Sprintf("%v (and %d more)", e[0], len(e)-1)
}

// Unwrap gives each of them to errors.Is and errors.As.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i := range e {
		list[i] = e[i]
	}
	return list
}

// ErrExpansion is the cause where a compressed file expands beyond Limits.
var ErrExpansion = errors.New("compressed data expands beyond the limit")

// Limits bound what compressed input may do and what is kept of errors. Zero values mean the defaults.
type Limits struct {
	ExpandFree  int64 // octets that may come out of a compressed file whatever its ratio; default 1 GiB
	ExpandRatio int64 // beyond ExpandFree: octets out for each octet in; default 250
	Window      int64 // largest window of zstd; default 128 MiB
	Block       int   // longest packet or block; default 16 MiB
	Errors      int   // faults kept for one file; default 16
	Secrets     int   // octets of decryption secrets given out for one file; default 16 MiB
}

func (l Limits) withDefaults() Limits {
	if l.ExpandFree <= 0 {
		l.ExpandFree = 1 << 30
	}
	if l.ExpandRatio <= 0 {
		l.ExpandRatio = 250
	}
	if l.Window <= 0 {
		l.Window = 128 << 20
	}
	if l.Block <= 0 {
		l.Block = 16 << 20
	}
	if l.Errors <= 0 {
		l.Errors = 16
	}
	if l.Secrets <= 0 {
		l.Secrets = 16 << 20
	}
	return l
}

// Options for Open. The zero value is useful.
type Options struct {
	Stdin  io.Reader // what "-" reads; nil makes "-" an error
	Limits Limits

	// OnError, if set, gets each fault as it is met, before later frames.
	OnError func(*FileError)
	// OnSecrets, if set, gets the secrets of each pcapng decryption secrets block (4.7): typ is its number, such
	// as SecretsTLS. They come before the frames that follow the block.
	OnSecrets func(path string, typ uint32, data []byte)
}

// SecretsTLS is the type of a decryption secrets block which holds a TLS key log in NSS format.
const SecretsTLS uint32 = 0x544c534b
