package sipparse

// Limits bounds what untrusted octets can cost. The zero value of each field means the default beside it; nothing is
// ever unlimited.
type Limits struct {
	Header  int // octets of a start line and header section on a stream; default 256 KiB
	Body    int // octets of a body on a stream; default 4 MiB
	Headers int // header fields of a message or a MIME part; default 2048
	Parts   int // MIME parts of a message, containers included; default 1024
	Depth   int // levels of multipart; default 16
	Diags   int // diagnostics of a message, a frame or a part; default 128
	Decoded int // octets that transfer decoding may produce for one message; default 16 MiB
}

func (l Limits) withDefaults() Limits {
	if l == (Limits{}) {
		return defaults
	}
	return l.filled()
}

var defaults = Limits{}.filled()

func (l Limits) filled() Limits {
	set := func(p *int, d int) {
		if *p <= 0 {
			*p = d
		}
	}
	set(&l.Header, 256<<10)
	set(&l.Body, 4<<20)
	set(&l.Headers, 2048)
	l.Headers = min(l.Headers, 1<<16-1)
	set(&l.Parts, 1024)
	set(&l.Depth, 16)
	set(&l.Diags, 128)
	set(&l.Decoded, 16<<20)
	return l
}
