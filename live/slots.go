package live

import (
	"sync"
	"time"
)

// slotRest is how long a slot stays unused after its vehicle is gone, so that no viewer draws one vehicle as another.
const slotRest = 10 * time.Minute

// slots gives out the numbers of vehicles.
type slots struct {
	mu     sync.Mutex
	next   uint32
	births uint32
	freed  []freedSlot // oldest first
	now    func() time.Time
}

type freedSlot struct {
	slot uint32
	at   time.Time
}

func newSlots() *slots { return &slots{now: time.Now} }

// take returns a slot, and a number that no other taking ever returns (before 2^32 of them).
func (s *slots) take() (slot, birth uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.births++
	if len(s.freed) > 0 && s.now().Sub(s.freed[0].at) >= slotRest {
		slot = s.freed[0].slot
		s.freed = s.freed[1:]
		return slot, s.births
	}
	slot = s.next
	s.next++
	return slot, s.births
}

// free gives slots back.
func (s *slots) free(gone []uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	for _, slot := range gone {
		s.freed = append(s.freed, freedSlot{slot, at})
	}
}
