package xmlsec

// xmlNS is bound to the prefix xml without a declaration (Namespaces 1.0, 3).
const (
	xmlNS   = "http://www.w3.org/XML/1998/namespace"
	xmlnsNS = "http://www.w3.org/2000/xmlns/"
)

// scope maps prefixes to namespace names. Bindings are undone by going back to
// a mark, so that every operation is O(1) however many are in scope.
type scope struct {
	stack []binding
	top   map[string]int
}

type binding struct {
	prefix, uri string
	prev        int // binding of the same prefix that this one hides, or -1
}

func (s *scope) mark() int { return len(s.stack) }

func (s *scope) bind(prefix, uri string) {
	if s.top == nil {
		s.top = make(map[string]int, 8)
	}
	prev, ok := s.top[prefix]
	if !ok {
		prev = -1
	}
	s.top[prefix] = len(s.stack)
	s.stack = append(s.stack, binding{prefix, uri, prev})
}

func (s *scope) release(mark int) {
	for i := len(s.stack) - 1; i >= mark; i-- {
		if b := s.stack[i]; b.prev < 0 {
			delete(s.top, b.prefix)
		} else {
			s.top[b.prefix] = b.prev
		}
	}
	s.stack = s.stack[:mark]
}

// lookup returns the namespace name of a prefix; the empty prefix without a
// binding has the empty name.
func (s *scope) lookup(prefix string) (uri string, bound bool) {
	if i, ok := s.top[prefix]; ok {
		return s.stack[i].uri, true
	}
	if prefix == "xml" {
		return xmlNS, true
	}
	return "", prefix == ""
}
