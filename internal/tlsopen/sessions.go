package tlsopen

// Sessions remembers the master secrets of TLS 1.0 to 1.2 by session identifier and ticket, so that a resumed session
// opens whose own secret is in no key log. It is bounded: the oldest goes first. The zero value, and nil, remember nothing.
type Sessions struct {
	max   int
	m     map[string]secret
	order []string
}

// NewSessions returns one that remembers so many.
func NewSessions(max int) *Sessions { return &Sessions{max: max, m: make(map[string]secret)} }

// Len is how many are remembered.
func (s *Sessions) Len() int {
	if s == nil {
		return 0
	}
	return len(s.m)
}

func (s *Sessions) get(id []byte) []byte {
	if s == nil {
		return nil
	}
	return s.m[string(id)].reveal()
}

func (s *Sessions) put(id, master []byte) {
	if s == nil || s.max <= 0 {
		return
	}
	if _, ok := s.m[string(id)]; !ok {
		if len(s.order) >= s.max {
			old := s.order[0]
			s.m[old].zero()
			delete(s.m, old)
			s.order = append(s.order[:0], s.order[1:]...)
		}
		s.order = append(s.order, string(id))
	}
	s.m[string(id)] = newSecret(append([]byte(nil), master...))
}
