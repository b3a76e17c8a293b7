package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestTextStore: texts come back as they were, in whatever order they are put and taken, and what was taken out takes no
// room.
func TestTextStore(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string {
		if n%50 == 0 {
			return ""
		}
		return fmt.Sprintf("%d %s %d", n, strings.Repeat("session ", 20+n%30), n*7919)
	}
	const count = 20000
	for _, sorted := range []bool{true, false} {
		s := newTextStore()
		order := rnd.Perm(count)
		for i := range order {
			if sorted {
				order[i] = i
			}
			s.put(order[i]+1, []byte(text(order[i]+1)))
		}
		if s.size == 0 || s.size > count*60 {
			t.Errorf("%d octets", s.size)
		}
		for n := 1; n <= count; n++ {
			got, ok := s.take(n)
			if !ok || string(got) != text(n) {
				t.Fatalf("%d: %q %v", n, got, ok)
			}
			if _, ok := s.take(n); ok {
				t.Fatalf("%d is there twice", n)
			}
			if n%1000 == 0 {
				s.drop(n + 1)
			}
			if n == count/2 {
				s.put(count+n, []byte(text(count+n)))
			}
		}
		if got, ok := s.take(count + count/2); !ok || string(got) != text(count+count/2) {
			t.Errorf("%q %v", got, ok)
		}
		if _, ok := s.take(5); ok || s.size != 0 {
			t.Errorf("%d octets left", s.size)
		}
	}
}
