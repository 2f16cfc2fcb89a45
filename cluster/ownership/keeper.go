package ownership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/cluster"
)

const (
	// tellInterval is how often gossip is told what runs here.
	tellInterval = 25 * time.Millisecond
	// revokeWait is how long partitions may take for their last commit when they move.
	revokeWait = 2 * time.Second
	// lateAfter is the silence of the group's coordinator from which on the client is made to look for it.
	lateAfter = 1500 * time.Millisecond
	// refreshInterval is how often it is.
	refreshInterval = time.Second
	// stopWait bounds the farewell to the group.
	stopWait = 2 * time.Second
)

// Group is this node's membership in the log's consumer group.
type Group interface {
	// ForceRebalance makes all members join anew. It returns at once.
	ForceRebalance()
	// SetDraining makes the next joins say that this member wants no partitions.
	SetDraining()
	// Refresh makes the client look for the coordinator anew.
	Refresh()
	// Waiting is how long a join of ours has been unanswered; zero: none is.
	Waiting() time.Duration
	// Answered is when the coordinator last answered this member; zero: never.
	Answered() time.Time
	// MemberID is what the coordinator calls us, "" before the first join.
	MemberID() string
	Describe(ctx context.Context) ([]cluster.GroupMember, error)
	Remove(ctx context.Context, memberIDs []string, reason string) error
	// Close leaves the group, and drops the membership when ctx ends before.
	Close(ctx context.Context) error
}

// Callbacks are what the group says. One at a time.
type Callbacks struct{ Assigned, Revoked, Lost func(partitions []int32) }

// Host runs partitions.
type Host interface {
	// Start returns at once.
	Start(p int32)
	// Stop commits what is pending and lets go.
	Stop(ctx context.Context, p int32) error
	// Abandon lets go without a commit. It returns at once.
	Abandon(p int32)
	// Running are the partitions that run here and under which claims, by partition.
	Running() []cluster.Running
}

// Pinger asks nodes directly whether they live, each up to cluster.MissedPings times, and says how many it missed.
type Pinger interface {
	Missed(ctx context.Context, nodes []string) map[string]int
}

// Options of a Keeper. All are needed.
type Options struct {
	Members cluster.Membership
	Pinger  Pinger
	Host    Host
	// Join begins to join the group.
	Join       func(Callbacks) (Group, error)
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Keeper keeps the partitions that the group gives to this node running, and the group free of the dead.
//
//	new ──Start──> member ──Stop──> draining ──nothing left, or out of time──> gone
//	                │  ▲
//	 no contact 2 s ▼  │ contact
//	                sick: others take it for dead, it answers for nothing
type Keeper struct {
	opts    Options
	self    cluster.Member // name and boot: what never changes
	metrics *metrics
	group   Group
	cancel  context.CancelFunc
	work    sync.WaitGroup
	wasSick atomic.Bool
	sick    atomic.Bool

	mu       sync.Mutex         // guards what follows
	assigned map[int32]struct{} // by the group
	joined   bool               // it has said so at least once
	changed  chan struct{}      // closed and made anew at each change of assigned
	stopped  bool
}

// New makes a Keeper that does nothing yet.
func New(opts Options) *Keeper {
	return &Keeper{
		opts: opts, self: opts.Members.Self(), metrics: newMetrics(opts.Registerer),
		assigned: map[int32]struct{}{}, changed: make(chan struct{}),
	}
}

// Start joins the group. Partitions start when it says so.
func (k *Keeper) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	group, err := k.opts.Join(Callbacks{Assigned: k.take, Revoked: k.release, Lost: k.lose})
	if err != nil {
		cancel()
		return err
	}
	k.group, k.cancel = group, cancel
	k.work.Go(func() { k.tell(ctx) })
	k.work.Go(func() { k.guard(ctx) })
	return nil
}

// Stop gives the partitions away, leaves the group and returns; when ctx ends before, the others take them over as from a
// node that died. Idempotent.
func (k *Keeper) Stop(ctx context.Context) error {
	k.mu.Lock()
	stopped := k.stopped || k.group == nil
	k.stopped = true
	k.mu.Unlock()
	if stopped {
		return nil
	}
	k.opts.Members.SetStatus(cluster.Draining)
	k.group.SetDraining()
	k.group.ForceRebalance()
	draining, cancel := withPart(ctx)
	drained := k.await(draining, func() bool { return len(k.assigned) == 0 })
	cancel()
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	left := k.group.Close(leaving)
	k.cancel()
	k.work.Wait()
	if drained != nil {
		drained = fmt.Errorf("giving partitions away: %w", drained)
	}
	return errors.Join(drained, left)
}

// withPart leaves a quarter of the time to those who are stopped after the Keeper.
func withPart(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)*3/4)
}

// Sick says that this node has no contact to the group: it must answer for none of its partitions.
func (k *Keeper) Sick() bool { return k.sick.Load() }

// Assigned are the partitions that the group has given to this node, in order; ok is false while it has said nothing yet.
func (k *Keeper) Assigned() (partitions []int32, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for p := range k.assigned {
		partitions = append(partitions, p)
	}
	slices.Sort(partitions)
	return partitions, k.joined
}

// await returns when cond holds. cond is called under the lock.
func (k *Keeper) await(ctx context.Context, cond func() bool) error {
	for {
		k.mu.Lock()
		done, changed := cond(), k.changed
		k.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// change applies fn to what the group has said, under the lock, and wakes who waits for it.
func (k *Keeper) change(fn func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fn()
	close(k.changed)
	k.changed = make(chan struct{})
	k.metrics.assigned.Set(float64(len(k.assigned)))
}
