package peers

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// ErrNotHere: the partition does not run on this node.
var ErrNotHere = errors.New("the partition does not run on this node")

// Asker puts one question to one member; cluster/remote is one. An error of Sure's kind means that the question never arrived.
type Asker interface {
	Ask(ctx context.Context, m cluster.Member, q *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error)
}

// Here is what this node knows beside its live index.
type Here interface {
	// Path reads a partition's memory; see api.Paths. ErrNotHere, api.ErrNotFound.
	Path(ctx context.Context, partition int32, vehicle string, from, to int64, limit int) (points []track.PathPoint, since int64, err error)
	// Send makes a command durable, whoever owns the track.
	Send(ctx context.Context, cmd *trackmeshv1.Command) (partition int32, offset int64, err error)
	// AwaitApplied returns when the command at an offset is applied and committed, or ErrNotHere when the partition left meanwhile.
	AwaitApplied(ctx context.Context, partition int32, offset int64) error
	// Status is how this node's partitions and sinks are.
	Status() *trackmeshv1.PeerStatus
}

// Options of Peers. Fields without a default must be set.
type Options struct {
	Members    cluster.Membership
	Asker      Asker
	Partitions int32
	Home       func(vehicle string) int32 // the partition that a vehicle's key computes to
	Fleet      *live.Fleet
	Here       Here
	Fences     api.Fences // of this node: reads, writes, and WaitLive for its own partitions

	// NeverSent recognises the errors of the Asker that say that the question did not leave this node. Nil: none.
	NeverSent func(error) bool

	Patience time.Duration // with a partition that is missing, from when it was first missed; default 8 s
	Attempt  time.Duration // how long one node is given before its partitions are looked for anew; default 3 s
	Frame    time.Duration // the same for a frame of the live map, which is not repeated; default 500 ms
	Logger   *slog.Logger

	now func() time.Time // for tests
}

// Peers asks and answers for one node.
type Peers struct {
	opts    Options
	routes  routing
	missing patience
	closed  atomic.Bool
	unwatch func()
}

// New starts to follow the membership. Close ends that.
func New(o Options) *Peers {
	o.Patience = cmp.Or(o.Patience, 8*time.Second)
	o.Attempt = cmp.Or(o.Attempt, 3*time.Second)
	o.Frame = cmp.Or(o.Frame, 500*time.Millisecond)
	if o.NeverSent == nil {
		o.NeverSent = func(error) bool { return false }
	}
	if o.now == nil {
		o.now = time.Now
	}
	p := &Peers{opts: o}
	p.missing = patience{since: map[int32]time.Time{}, limit: o.Patience, now: o.now}
	p.routes.init(o.Members, o.Partitions)
	p.unwatch = o.Members.Watch(p.routes.refresh)
	return p
}

// Close stops following the membership. Idempotent.
func (p *Peers) Close() {
	if p.closed.CompareAndSwap(false, true) {
		p.unwatch()
	}
}
