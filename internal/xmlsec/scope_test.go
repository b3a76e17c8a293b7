package xmlsec

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The scope against the plain way, a copy of a map for each level, with few and
// with many bindings.
func TestScope(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, prefixes := range []int{3, 60} {
		var s scope
		levels := []map[string]string{{}}
		var marks []int
		for range 4000 {
			top := levels[len(levels)-1]
			switch r.IntN(4) {
			case 0:
				next := map[string]string{}
				for k, v := range top {
					next[k] = v
				}
				levels = append(levels, next)
				marks = append(marks, s.mark())
			case 1:
				if len(marks) > 0 {
					s.release(marks[len(marks)-1])
					marks = marks[:len(marks)-1]
					levels = levels[:len(levels)-1]
				}
			default:
				if len(marks) == 0 {
					continue
				}
				p, u := fmt.Sprint("p", r.IntN(prefixes)), fmt.Sprint("u", r.IntN(9))
				s.bind(p, u)
				top[p] = u
			}
			p := fmt.Sprint("p", r.IntN(prefixes))
			want, ok := levels[len(levels)-1][p]
			if got, bound := s.lookup(p); got != want || bound != ok {
				t.Fatalf("%s is %q, %v, want %q, %v", p, got, bound, want, ok)
			}
		}
		if prefixes > fewBindings && s.top == nil {
			t.Error("the index was never used")
		}
	}
	var s scope
	if u, ok := s.lookup("xml"); u != xmlNS || !ok {
		t.Error("xml")
	}
	if u, ok := s.lookup(""); u != "" || !ok {
		t.Error("default")
	}
	if _, ok := s.lookup("p"); ok {
		t.Error("unbound")
	}
}
