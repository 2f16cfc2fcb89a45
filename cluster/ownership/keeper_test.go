package ownership

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/cluster"
)

func simulated(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

var other = cluster.Member{Name: "b", Boot: "b1"}

func TestHandover(t *testing.T) {
	simulated(t, "what is assigned starts and is told to the others", func(t *testing.T) {
		r := newRig(t)
		_, joined := r.keeper.Assigned()
		require.False(t, joined)
		r.says.Assigned([]int32{3, 1})
		r.pass(time.Second)
		require.Equal(t, []int32{3, 1}, r.host.started())
		require.Len(t, r.members.Self().Running, 2)
		assigned, joined := r.keeper.Assigned()
		require.True(t, joined)
		require.Equal(t, []int32{1, 3}, assigned)
		r.stop()
		require.Empty(t, r.members.Self().Running)
	})
	simulated(t, "no share is a share", func(t *testing.T) {
		r := newRig(t)
		r.says.Assigned(nil)
		_, joined := r.keeper.Assigned()
		require.True(t, joined)
		r.stop()
	})
	simulated(t, "what is revoked commits all at once and not longer than 2 s", func(t *testing.T) {
		r := newRig(t)
		r.says.Assigned([]int32{1, 2, 3})
		r.host.hang = true
		began := time.Now()
		r.says.Revoked([]int32{1, 3})
		require.Equal(t, 2*time.Second, time.Since(began))
		r.host.hang = false
		assigned, _ := r.keeper.Assigned()
		require.Equal(t, []int32{2}, assigned)
		r.stop()
	})
	simulated(t, "what is lost stops without a commit", func(t *testing.T) {
		r := newRig(t)
		r.says.Assigned([]int32{1, 2})
		r.says.Lost([]int32{1, 2})
		require.Equal(t, []int32{1, 2}, r.host.abandoned)
		require.Empty(t, r.host.started())
		r.stop()
	})
}

func TestADeathMakesEverybodyJoinAnew(t *testing.T) {
	forced := func(r *rig) any { return r.group.get(func(g *fakeGroup) any { return g.forced }) }
	simulated(t, "once", func(t *testing.T) {
		r := newRig(t, other)
		r.pass(time.Second)
		r.members.become()
		r.pass(time.Second)
		require.Equal(t, 1, forced(r))
		r.stop()
	})
	simulated(t, "also when the dead is back already", func(t *testing.T) {
		r := newRig(t, other)
		r.pass(time.Second)
		r.members.become(cluster.Member{Name: "b", Boot: "b2"})
		r.pass(time.Second)
		require.Equal(t, 1, forced(r))
		r.stop()
	})
	simulated(t, "but not before a join that is under way has ended", func(t *testing.T) {
		r := newRig(t, other)
		r.pass(time.Second)
		r.group.set(func(g *fakeGroup) { g.waiting = time.Now() })
		r.pass(100 * time.Millisecond)
		r.members.become()
		r.pass(200 * time.Millisecond)
		require.Zero(t, forced(r))
		r.group.set(func(g *fakeGroup) { g.waiting = time.Time{} })
		r.pass(200 * time.Millisecond)
		require.Equal(t, 1, forced(r))
		r.stop()
	})
	simulated(t, "not when it had given everything away", func(t *testing.T) {
		gone := other
		gone.Status = cluster.Draining
		r := newRig(t, gone)
		r.pass(time.Second)
		r.members.become()
		r.pass(time.Second)
		require.Zero(t, forced(r))
		r.stop()
	})
	simulated(t, "a newcomer forces nothing: its own join does", func(t *testing.T) {
		r := newRig(t)
		r.pass(time.Second)
		r.members.become(other)
		r.pass(time.Second)
		require.Zero(t, forced(r))
		r.stop()
	})
}

func TestSickness(t *testing.T) {
	simulated(t, "two seconds without the coordinator are told, and its return", func(t *testing.T) {
		r := newRig(t)
		r.pass(time.Second)
		r.group.set(func(g *fakeGroup) { g.silent = true })
		r.pass(1800 * time.Millisecond)
		require.False(t, r.keeper.Sick())
		r.pass(400 * time.Millisecond)
		require.True(t, r.keeper.Sick())
		require.Equal(t, cluster.Sick, r.members.Self().Status)
		r.pass(2 * time.Second)
		require.GreaterOrEqual(t, r.group.get(func(g *fakeGroup) any { return g.refreshed }), 2, "the client is made to look for the coordinator")
		r.group.set(func(g *fakeGroup) { g.silent = false })
		r.pass(time.Second)
		require.False(t, r.keeper.Sick())
		require.Equal(t, cluster.Alive, r.members.Self().Status)
		r.stop()
	})
	simulated(t, "a join that waits is no sickness while the coordinator answers", func(t *testing.T) {
		r := newRig(t, other)
		r.group.set(func(g *fakeGroup) { g.waiting = time.Now() })
		r.pass(5 * time.Second)
		require.False(t, r.keeper.Sick())
		require.NotContains(t, r.members.statuses, cluster.Sick)
		r.stop()
	})
	simulated(t, "who drains goes on saying so", func(t *testing.T) {
		r := newRig(t)
		r.says.Assigned([]int32{1})
		r.group.set(func(g *fakeGroup) { g.silent = true })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		require.Error(t, r.keeper.Stop(ctx))
		require.Equal(t, cluster.Draining, r.members.Self().Status)
	})
}

func TestWhoBlocksTheGroupIsRemoved(t *testing.T) {
	group := []cluster.GroupMember{
		{MemberID: "m-a", ClientID: cluster.ClientID("a", "b1")},
		{MemberID: "m-b", ClientID: cluster.ClientID("b", "b1")},
	}
	removed := func(r *rig) any { return r.group.get(func(g *fakeGroup) any { return len(g.removed) }) }
	blocked := func(t *testing.T, others ...cluster.Member) *rig {
		t.Helper()
		r := newRig(t, others...)
		r.group.set(func(g *fakeGroup) { g.members = group })
		r.pass(time.Second)
		r.group.set(func(g *fakeGroup) { g.waiting = time.Now() })
		return r
	}
	simulated(t, "when it is dead to gossip and to pings", func(t *testing.T) {
		r := blocked(t)
		r.pass(400 * time.Millisecond)
		require.Zero(t, removed(r))
		r.pass(300 * time.Millisecond)
		require.Equal(t, []string{"m-b"}, r.group.get(func(g *fakeGroup) any { return g.removed }))
		r.stop()
	})
	simulated(t, "not when it answers a ping", func(t *testing.T) {
		r := blocked(t)
		r.pings["b"] = true
		r.pass(3 * time.Second)
		require.Zero(t, removed(r))
		r.stop()
	})
	simulated(t, "not when gossip knows it and it is well", func(t *testing.T) {
		r := blocked(t, other)
		r.pass(3 * time.Second)
		require.Zero(t, removed(r))
		r.stop()
	})
	simulated(t, "when it says that it is sick", func(t *testing.T) {
		sick := other
		sick.Status = cluster.Sick
		r := blocked(t, sick)
		r.pass(time.Second)
		require.NotZero(t, removed(r))
		r.stop()
	})
	simulated(t, "by nobody who was sick himself just now", func(t *testing.T) {
		sick := other
		sick.Status = cluster.Sick
		r := newRig(t, sick)
		r.group.set(func(g *fakeGroup) { g.members, g.silent = group, true })
		r.pass(3 * time.Second)
		r.group.set(func(g *fakeGroup) { g.silent, g.waiting = false, time.Now() })
		r.pass(5 * time.Second)
		require.Zero(t, removed(r))
		r.stop()
	})
}

func TestLeaving(t *testing.T) {
	simulated(t, "a node gives everything away before it leaves", func(t *testing.T) {
		r := newRig(t)
		r.says.Assigned([]int32{1, 2})
		r.group.set(func(g *fakeGroup) {
			g.onForce = func() {
				require.True(t, g.get(func(g *fakeGroup) any { return g.draining }).(bool))
				time.Sleep(time.Second) //nolint:forbidigo // time of synctest
				require.False(t, g.get(func(g *fakeGroup) any { return g.closed }).(bool))
				r.says.Revoked([]int32{1, 2})
			}
		})
		require.NoError(t, r.keeper.Stop(t.Context()))
		require.Equal(t, []cluster.Status{cluster.Draining}, r.members.statuses)
		require.True(t, r.group.closed)
		require.NoError(t, r.keeper.Stop(t.Context()), "twice is once")
	})
	simulated(t, "it is bounded", func(t *testing.T) {
		r := newRig(t)
		r.says.Assigned([]int32{1})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, r.keeper.Stop(ctx), context.DeadlineExceeded)
		require.Less(t, time.Since(began), 5*time.Second)
		require.True(t, r.group.closed)
	})
	simulated(t, "one that never started has nothing to stop", func(t *testing.T) {
		r := newRig(t)
		k := New(Options{Members: r.members, Registerer: prometheus.NewRegistry()})
		require.NoError(t, k.Stop(t.Context()))
		r.stop()
	})
}
