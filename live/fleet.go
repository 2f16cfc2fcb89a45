package live

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Fleet holds the live indexes of the partitions that run on this node.
type Fleet struct {
	parts  []atomic.Pointer[Partition] // by number; nil: does not run here
	slots  *slots
	guests *Guests

	changing sync.Mutex    // held over Open and Drop, and over what is below
	open     int           // how many partitions run here
	broken   time.Time     // since when some are missing
	opened   chan struct{} // closed and replaced at each Open
	now      func() time.Time
}

// NewFleet makes a fleet of so many partitions, none of them open.
func NewFleet(partitions int32) *Fleet {
	slots := newSlots()
	return &Fleet{
		parts: make([]atomic.Pointer[Partition], partitions), slots: slots, guests: newGuests(partitions, slots),
		broken: time.Now(), opened: make(chan struct{}), now: time.Now,
	}
}

// Open starts an empty index for partition p, in the place of one that may be there.
func (f *Fleet) Open(p int32) *Partition {
	part := f.Prepare(p)
	f.Show(part)
	return part
}

// Prepare makes an index that answers do not see before Show: until its tracks are in it, the partition is missing, not empty.
func (f *Fleet) Prepare(p int32) *Partition { return newPartition(p, f.slots) }

// Show lets answers see a prepared index.
func (f *Fleet) Show(part *Partition) {
	f.changing.Lock()
	defer f.changing.Unlock()
	if old := f.parts[part.id].Swap(part); old != nil {
		old.close()
	} else {
		f.open++
	}
	close(f.opened)
	f.opened = make(chan struct{})
}

// Drop ends partition p's index: from now on it is missing in answers. Changes still applied to it are lost.
func (f *Fleet) Drop(p int32) {
	f.changing.Lock()
	defer f.changing.Unlock()
	if old := f.parts[p].Swap(nil); old != nil {
		old.close()
		if f.open == len(f.parts) {
			f.broken = f.now()
		}
		f.open--
	}
}

// Await returns when every partition runs here, when some have been missing for longer than patience, or when ctx ends: a partition
// that moves is worth waiting for, one that is stopped is not.
func (f *Fleet) Await(ctx context.Context, patience time.Duration) {
	for {
		f.changing.Lock()
		whole, left, opened := f.open == len(f.parts), patience-f.now().Sub(f.broken), f.opened
		f.changing.Unlock()
		if whole || left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-opened:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// Guests numbers the vehicles of other nodes.
func (f *Fleet) Guests() *Guests { return f.guests }

// Partition is the index of a partition, or nil when it does not run here.
func (f *Fleet) Partition(p int32) *Partition { return f.parts[p].Load() }
