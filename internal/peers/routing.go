package peers

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/trackmesh/trackmesh/cluster"
)

// routesLast is how long a table is used without news: what this node tells of itself need not make any.
const routesLast = 100 * time.Millisecond

// routes say who runs which partition, as of one moment. They are immutable.
type routes struct {
	members []cluster.Member
	self    int      // in members; -1: this node is not listed
	owner   []int32  // by partition: in members; -1: nobody
	term    []uint64 // by partition: of the owner's claim
	made    time.Time
}

// member is the owner of a partition.
func (r *routes) member(partition int32) (index int, ok bool) {
	if partition < 0 || int(partition) >= len(r.owner) || r.owner[partition] < 0 {
		return 0, false
	}
	return int(r.owner[partition]), true
}

// routing keeps the routes of the newest membership.
type routing struct {
	members    cluster.Membership
	partitions int32
	current    atomic.Pointer[routes]

	mu   sync.Mutex
	news chan struct{} // guarded by mu; closed and replaced at each change
}

func (r *routing) init(members cluster.Membership, partitions int32) {
	r.members, r.partitions, r.news = members, partitions, make(chan struct{})
	r.current.Store(r.make())
}

// make works the owners out, as cluster.Owner does for one partition: the highest term wins, sick members own nothing.
func (r *routing) make() *routes {
	t := &routes{members: r.members.Members(), self: -1, owner: make([]int32, r.partitions), term: make([]uint64, r.partitions), made: time.Now()}
	self := r.members.Self()
	for i := range t.owner {
		t.owner[i] = -1
	}
	for i, m := range t.members {
		if m.Name == self.Name {
			t.self = i
		}
		if m.Status == cluster.Sick {
			continue
		}
		for _, run := range m.Running {
			p := run.Partition
			if p >= 0 && p < r.partitions && (t.owner[p] < 0 || run.Term > t.term[p]) {
				t.owner[p], t.term[p] = int32(i), run.Term //nolint:gosec // members are few
			}
		}
	}
	return t
}

// refresh takes the newest membership, and wakes those who wait for one.
func (r *routing) refresh() {
	r.current.Store(r.make())
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.news)
	r.news = make(chan struct{})
}

func (r *routing) next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.news
}

// get returns the routes, made anew when they are old.
func (r *routing) get() *routes {
	t := r.current.Load()
	if time.Since(t.made) > routesLast {
		t = r.make()
		r.current.Store(t)
	}
	return t
}

// patience remembers since when partitions have been missing: one that moves is worth waiting for, one that is stopped is not.
type patience struct {
	limit time.Duration
	now   func() time.Time
	some  atomic.Int32 // how many are in since

	mu    sync.Mutex
	since map[int32]time.Time // guarded by mu
}

// left is for how long a partition is still worth waiting for; asking starts its clock.
func (p *patience) left(partition int32) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	since, known := p.since[partition]
	if !known {
		since = now
		p.since[partition] = now
		p.some.Store(int32(len(p.since))) //nolint:gosec // partitions are int32
	}
	return p.limit - now.Sub(since)
}

// found stops the clocks of partitions that answered.
func (p *patience) found(partitions []int32) {
	if p.some.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, partition := range partitions {
		delete(p.since, partition)
	}
	p.some.Store(int32(len(p.since))) //nolint:gosec // partitions are int32
}
