package actors

import (
	"container/heap"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/trackmesh/trackmesh/track"
)

// entry is a vehicle of a partition. Only the partition's lane touches it.
type entry struct {
	vehicle   string
	track     *track.Track
	pid       *actor.PID // nil: idle, no actor
	usedAt    int64      // the node's clock at its last message, UTC ms
	due       int64      // event clock of its next timer or earlier, while heapAt ≥ 0
	heapAt    int32      // place in the heap of timers; -1: none
	misplaced bool       // its records should be in another partition
	dirty     bool       // changed since the last commit
	published bool       // its newest view is in the live index

	first, last *fixMessage // while a batch is being read: what it has of the vehicle
}

// table holds a partition's vehicles and the heap of their timers.
type table struct {
	byVehicle map[string]*entry
	timers    timerHeap
	dirty     []*entry // in the order in which they were first touched since the last commit
	unseen    []*entry // to be published to the live index
}

func newTable() *table { return &table{byVehicle: map[string]*entry{}} }

func (t *table) add(vehicle string, tr *track.Track) *entry {
	e := &entry{vehicle: vehicle, track: tr, heapAt: -1, published: true}
	t.byVehicle[vehicle] = e
	return e
}

// touch notes that the entry's state may have changed.
func (t *table) touch(env *track.Env, e *entry) {
	if !e.dirty {
		e.dirty = true
		t.dirty = append(t.dirty, e)
	}
	if e.published {
		e.published = false
		t.unseen = append(t.unseen, e)
	}
	t.reschedule(env, e)
}

// reschedule moves the entry's timer to an earlier place where it must. One that is due later now stays where it is until the clock
// comes there: each fix puts off its track's timers, and most are never reached.
func (t *table) reschedule(env *track.Env, e *entry) {
	due, ok := e.track.Due(env)
	switch {
	case !ok:
	case e.heapAt < 0:
		e.due = due
		heap.Push(&t.timers, e)
	case due < e.due:
		e.due = due
		heap.Fix(&t.timers, int(e.heapAt))
	}
}

// silence takes the entry's timer away until something else touches it: one that panics would be due again for ever.
func (t *table) silence(e *entry) {
	if e.heapAt >= 0 {
		heap.Remove(&t.timers, int(e.heapAt))
	}
}

// putOff moves an entry whose timer went later than its place says, or away, and reports whether it did.
func (t *table) putOff(env *track.Env, e *entry) bool {
	due, ok := e.track.Due(env)
	switch {
	case e.heapAt < 0:
		return false
	case !ok:
		heap.Remove(&t.timers, int(e.heapAt))
		return true
	case due > e.due:
		e.due = due
		heap.Fix(&t.timers, int(e.heapAt))
		return true
	}
	return false
}

// nextDue returns an entry whose timer the event clock may have reached (putOff tells), or nil.
func (t *table) nextDue(eventClock int64) *entry {
	if len(t.timers) == 0 || t.timers[0].due > eventClock {
		return nil
	}
	return t.timers[0]
}

func (t *table) remove(e *entry) {
	delete(t.byVehicle, e.vehicle)
	if e.heapAt >= 0 {
		heap.Remove(&t.timers, int(e.heapAt))
	}
}

// timerHeap orders entries by when they are due.
type timerHeap []*entry

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].due < h[j].due }

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapAt, h[j].heapAt = int32(i), int32(j)
}

func (h *timerHeap) Push(x any) {
	e := x.(*entry)
	e.heapAt = int32(len(*h))
	*h = append(*h, e)
}

func (h *timerHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.heapAt = -1
	return e
}
