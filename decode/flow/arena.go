package flow

// An arena hands out slices that are cut from chunks, so that there is one allocation a chunk and not one a slice.
// A chunk is never used again: the garbage collector takes it when the last slice of it is gone.
type arena[T any] struct {
	free []T
	size int // elements in a chunk
}

// take returns n elements. Slices longer than a quarter of a chunk are allocated on their own.
func (a *arena[T]) take(n int) []T {
	if n > a.size/4 {
		return make([]T, n)
	}
	if n > len(a.free) {
		a.free = make([]T, a.size)
	}
	s := a.free[:n:n]
	a.free = a.free[n:]
	return s
}

func (a *arena[T]) copy(b []T) []T {
	s := a.take(len(b))
	copy(s, b)
	return s
}
