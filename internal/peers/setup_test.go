package peers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partitions = 6

func home(vehicle string) int32 {
	sum := 0
	for _, b := range []byte(vehicle) {
		sum += int(b)
	}
	return int32(sum % partitions) //nolint:gosec // small
}

// world is a cluster in one process: nodes with fleets, one gossip, and a network that a test breaks.
type world struct {
	mu       sync.Mutex
	nodes    []*node
	watchers map[int]func()
	last     int
}

// node is a member.
type node struct {
	world *world
	name  string
	fleet *live.Fleet
	peers *Peers
	paths map[string][]track.PathPoint
	wait  func(ctx context.Context, partition int32, offset int64) error
	sent  []*trackmeshv1.Command

	fences *fences

	// Under the world's mutex.
	member cluster.Member
	fault  func(ctx context.Context, q *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error) // nil: none
	asked  int
}

func newWorld(t testing.TB, names ...string) *world {
	w := &world{watchers: map[int]func(){}}
	for _, name := range names {
		n := &node{world: w, name: name, fleet: live.NewFleet(partitions), paths: map[string][]track.PathPoint{}, fences: &fences{}}
		n.member = cluster.Member{Name: name, Boot: "1", HTTP: name + ":http", RPC: name + ":rpc"}
		w.nodes = append(w.nodes, n)
	}
	for _, n := range w.nodes {
		n.peers = New(Options{
			Members: membership{n}, Asker: network{n}, Partitions: partitions, Home: home, Fleet: n.fleet, Here: n, Fences: n.fences,
			Patience: 2 * time.Second, Attempt: 300 * time.Millisecond, Frame: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
			NeverSent: func(err error) bool { return errors.Is(err, errDown) },
		})
		t.Cleanup(n.peers.Close)
	}
	return w
}

// change changes members and tells everybody.
func (w *world) change(fn func()) {
	w.mu.Lock()
	fn()
	var watchers []func()
	for _, watcher := range w.watchers {
		watchers = append(watchers, watcher)
	}
	w.mu.Unlock()
	for _, watcher := range watchers {
		watcher()
	}
}

// give lets a node claim a partition, with a fleet's index or without.
func (w *world) give(n *node, partition int32, term uint64) *live.Partition {
	index := n.fleet.Open(partition)
	w.claim(n, partition, term)
	return index
}

func (w *world) claim(n *node, partition int32, term uint64) {
	w.change(func() {
		n.member.Running = append(slices.Clone(n.member.Running), cluster.Running{Partition: partition, Term: term})
	})
}

func (w *world) take(n *node, partition int32) {
	n.fleet.Drop(partition)
	w.change(func() {
		n.member.Running = slices.DeleteFunc(slices.Clone(n.member.Running), func(r cluster.Running) bool { return r.Partition == partition })
	})
}

// spread gives the partitions round.
func (w *world) spread() {
	for p := range int32(partitions) {
		w.give(w.nodes[int(p)%len(w.nodes)], p, 1)
	}
}

func (w *world) breaks(n *node, fault func(ctx context.Context, q *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error)) {
	w.change(func() { n.fault = fault })
}

func (w *world) leave(n *node) {
	w.change(func() {
		w.nodes = slices.DeleteFunc(slices.Clone(w.nodes), func(o *node) bool { return o == n })
	})
}

// membership is the gossip as one node sees it.
type membership struct{ *node }

func (m membership) Self() cluster.Member {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	return m.member
}

func (m membership) Members() []cluster.Member {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	all := make([]cluster.Member, 0, len(m.world.nodes))
	for _, n := range m.world.nodes {
		all = append(all, n.member)
	}
	return all
}

func (m membership) Watch(fn func()) func() {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	id := m.world.last
	m.world.last++
	m.world.watchers[id] = fn
	return func() {
		m.world.mu.Lock()
		defer m.world.mu.Unlock()
		delete(m.world.watchers, id)
	}
}

func (m membership) SetStatus(cluster.Status)     {}
func (m membership) SetRunning([]cluster.Running) {}

var errDown = errors.New("nobody is there")

// network carries questions, as bytes.
type network struct{ *node }

func (n network) Ask(ctx context.Context, m cluster.Member, q *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error) {
	n.world.mu.Lock()
	var target *node
	for _, other := range n.world.nodes {
		if other.member.RPC == m.RPC {
			target = other
			target.asked++
		}
	}
	var fault func(context.Context, *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error)
	if target != nil {
		fault = target.fault
	}
	n.world.mu.Unlock()
	if target == nil {
		return nil, errDown
	}
	raw, err := q.MarshalVT()
	if err != nil {
		return nil, err
	}
	arrived := &trackmeshv1.PeerQuestion{}
	if err := arrived.UnmarshalVT(raw); err != nil {
		return nil, err
	}
	if fault != nil {
		if answer, err := fault(ctx, arrived); answer != nil || err != nil {
			return answer, err
		}
	}
	raw, err = target.peers.Answer(ctx, arrived).MarshalVT()
	if err != nil {
		return nil, err
	}
	answer := &trackmeshv1.PeerAnswer{}
	return answer, answer.UnmarshalVT(raw)
}

func hang(ctx context.Context, _ *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func dead(context.Context, *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error) {
	return nil, errors.New("the connection is gone")
}

// Path implements Here.
func (n *node) Path(_ context.Context, partition int32, vehicle string, _, _ int64, limit int) ([]track.PathPoint, int64, error) {
	if n.fleet.Partition(partition) == nil {
		return nil, 0, ErrNotHere
	}
	points, known := n.paths[fmt.Sprint(partition, vehicle)]
	if !known {
		return nil, 0, api.ErrNotFound
	}
	return points[max(0, len(points)-limit):], 7, nil
}

// Send implements Here.
func (n *node) Send(_ context.Context, cmd *trackmeshv1.Command) (int32, int64, error) {
	n.sent = append(n.sent, cmd)
	return home(cmd.GetVehicle()), 41, nil
}

// AwaitApplied implements Here.
func (n *node) AwaitApplied(ctx context.Context, partition int32, offset int64) error {
	if n.fleet.Partition(partition) == nil {
		return ErrNotHere
	}
	if n.wait == nil {
		return nil
	}
	return n.wait(ctx, partition, offset)
}

// Status implements Here.
func (n *node) Status() *trackmeshv1.PeerStatus {
	s := &trackmeshv1.PeerStatus{Sinks: []*trackmeshv1.PeerSinkStatus{
		{Name: "elasticsearch", Lag: 5, State: "running"}, {Name: "sqlite", Lag: int64(len(n.name)), State: "running", Whole: true},
	}}
	for p := range int32(partitions) {
		if n.fleet.Partition(p) != nil {
			s.Partitions = append(s.Partitions, &trackmeshv1.PeerPartitionStatus{Partition: p, Term: 1, State: "running", Lag: 3, Tracks: 10, InputOffset: 100})
		}
	}
	return s
}

// fences is one node's board.
type fences struct {
	mu      sync.Mutex
	version int64
	writes  int
	wait    func(ctx context.Context) error
	err     error
}

func (f *fences) Get(context.Context, string) (api.Fence, error) { return api.Fence{}, api.ErrNotFound }

func (f *fences) List(context.Context, *geo.Box, string, int) ([]api.Fence, error) {
	return nil, nil
}

func (f *fences) write() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	f.version++
	return f.version, f.err
}

func (f *fences) Put(context.Context, string, []byte, *int64) (int64, error) { return f.write() }
func (f *fences) Delete(context.Context, string, *int64) (int64, error)      { return f.write() }

func (f *fences) PutAll(_ context.Context, batch []api.Fence) (int64, []error, error) {
	refused := make([]error, len(batch))
	for i, one := range batch {
		if len(one.Feature) == 0 {
			refused[i] = &api.InvalidError{Pointer: "/x", Reason: "empty"}
		}
	}
	version, err := f.write()
	return version, refused, err
}

func (f *fences) WaitLive(ctx context.Context, _ int64) error {
	if f.wait == nil {
		return nil
	}
	return f.wait(ctx)
}

// within is a context for one question.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
