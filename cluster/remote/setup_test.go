package remote

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/cluster"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// start runs a node with a handler; change may be nil.
func start(t testing.TB, handler Handler, change func(*Options)) *Remote {
	t.Helper()
	o := Options{
		Listen: "127.0.0.1:0", Handler: handler,
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	}
	if change != nil {
		change(&o)
	}
	r, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, r.Stop(ctx))
		require.NoError(t, r.Stop(ctx), "a second time")
	})
	return r
}

func member(r *Remote) cluster.Member {
	return cluster.Member{Name: r.Address(), Boot: "1", RPC: r.Address()}
}

// within is a context for one question.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func tracksOf(n int) *trackmeshv1.PeerAnswer {
	answer := &trackmeshv1.PeerAnswer{}
	for range n {
		answer.Tracks = append(answer.Tracks, &trackmeshv1.PeerTrack{Vehicle: "a vehicle with some name", Fences: []string{"one", "two"}})
	}
	return answer
}

func question(vehicle string) *trackmeshv1.PeerQuestion {
	return &trackmeshv1.PeerQuestion{Partitions: []int32{1}, Body: &trackmeshv1.PeerQuestion_Track{Track: &trackmeshv1.PeerTrackQuestion{Vehicle: vehicle}}}
}

func echo(_ context.Context, q *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
	return &trackmeshv1.PeerAnswer{Partitions: q.GetPartitions(), Detail: q.GetTrack().GetVehicle()}
}

func nobody(context.Context, *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
	return &trackmeshv1.PeerAnswer{}
}

// gossip is a membership whose members a test changes.
type gossip struct {
	mu       sync.Mutex
	members  []cluster.Member
	watchers []func()
}

func (g *gossip) Self() cluster.Member         { return cluster.Member{} }
func (g *gossip) SetStatus(cluster.Status)     {}
func (g *gossip) SetRunning([]cluster.Running) {}

func (g *gossip) Members() []cluster.Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.members)
}

func (g *gossip) Watch(fn func()) func() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watchers = append(g.watchers, fn)
	return func() {}
}

func (g *gossip) set(members ...cluster.Member) {
	g.mu.Lock()
	g.members = members
	watchers := g.watchers
	g.mu.Unlock()
	for _, fn := range watchers {
		fn()
	}
}
