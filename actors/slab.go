package actors

// slab hands out values that live until the next reset and are then used again. Pointers stay valid while it grows.
type slab[T any] struct {
	chunks [][]T
	used   int
}

const slabChunk = 1024

func (s *slab[T]) next() *T {
	chunk, at := s.used/slabChunk, s.used%slabChunk
	if chunk == len(s.chunks) {
		s.chunks = append(s.chunks, make([]T, slabChunk))
	}
	s.used++
	return &s.chunks[chunk][at]
}

func (s *slab[T]) reset() {
	var zero T
	for i := range s.used {
		s.chunks[i/slabChunk][i%slabChunk] = zero
	}
	s.used = 0
}
