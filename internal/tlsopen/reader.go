package tlsopen

// A reader takes a message apart; the first field that is not there makes it bad, and everything after is empty.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) num(octets int) (n int) {
	for _, c := range r.take(octets) {
		n = n<<8 | int(c)
	}
	return n
}

// vec is a vector with a length of so many octets before it (RFC 8446 3.4).
func (r *reader) vec(octets int) []byte { return r.take(r.num(octets)) }

func (r *reader) more() bool { return !r.bad && len(r.b) > 0 }
