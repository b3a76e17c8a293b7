package xmlsec

// xmlNS is bound to the prefix xml without a declaration (Namespaces 1.0, 3).
const (
	xmlNS   = "http://www.w3.org/XML/1998/namespace"
	xmlnsNS = "http://www.w3.org/2000/xmlns/"
)

// scope maps prefixes to namespace names. Bindings are undone by going back to
// a mark. Few bindings are searched; of many there is an index, so that every
// operation stays O(1).
type scope struct {
	stack []binding
	top   map[string]int // newest binding of a prefix, once there were more than few
}

const fewBindings = 16

type binding struct {
	prefix, uri string
	prev        int // binding of the same prefix that this one hides, or -1; only with the index
}

func (s *scope) mark() int { return len(s.stack) }

func (s *scope) bind(prefix, uri string) {
	s.stack = append(s.stack, binding{prefix: prefix, uri: uri})
	if s.top != nil {
		s.index(len(s.stack) - 1)
	} else if len(s.stack) > fewBindings {
		s.top = make(map[string]int, 4*fewBindings)
		for i := range s.stack {
			s.index(i)
		}
	}
}

func (s *scope) index(i int) {
	b := &s.stack[i]
	b.prev = -1
	if prev, ok := s.top[b.prefix]; ok {
		b.prev = prev
	}
	s.top[b.prefix] = i
}

func (s *scope) release(mark int) {
	if s.top != nil {
		for i := len(s.stack) - 1; i >= mark; i-- {
			if b := s.stack[i]; b.prev < 0 {
				delete(s.top, b.prefix)
			} else {
				s.top[b.prefix] = b.prev
			}
		}
	}
	s.stack = s.stack[:mark]
}

// lookup returns the namespace name of a prefix; the empty prefix without a
// binding has the empty name.
func (s *scope) lookup(prefix string) (uri string, bound bool) {
	if s.top != nil {
		if i, ok := s.top[prefix]; ok {
			return s.stack[i].uri, true
		}
	} else {
		for i := len(s.stack) - 1; i >= 0; i-- {
			if s.stack[i].prefix == prefix {
				return s.stack[i].uri, true
			}
		}
	}
	if prefix == "xml" {
		return xmlNS, true
	}
	return "", prefix == ""
}
