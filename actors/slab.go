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
	for i := range s.chunks {
		clear(s.chunks[i][:min(max(s.used-i*slabChunk, 0), slabChunk)])
	}
	s.used = 0
}
