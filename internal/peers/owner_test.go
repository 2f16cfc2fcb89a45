package peers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

func TestAPathIsReadFromTheMemoryOfTheOwner(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	inEach(w)
	p := home("v")
	owner := w.nodes[int(p)%3]
	owner.paths[fmt.Sprint(p, "v")] = []track.PathPoint{{Time: 1, Position: geo.Point{Lon: 1}}, {Time: 2, Position: geo.Point{Lon: 2}}}
	for _, n := range w.nodes {
		points, since, err := n.peers.Paths().Path(within(t, 5*time.Second), "v", 0, 0, 10)
		require.NoError(t, err)
		require.EqualValues(t, 7, since)
		require.Len(t, points, 2)
		_, _, err = n.peers.Paths().Path(within(t, 5*time.Second), "nobody", 0, 0, 10)
		require.ErrorIs(t, err, api.ErrNotFound)
	}
	// A producer that partitions otherwise has put it elsewhere: the live index knows where.
	elsewhere := (home("misplaced") + 1) % partitions
	there := w.nodes[int(elsewhere)%3]
	there.fleet.Partition(elsewhere).Apply([]live.Change{{Vehicle: "misplaced", View: &track.View{Vehicle: "misplaced", Partition: elsewhere}}})
	there.paths[fmt.Sprint(elsewhere, "misplaced")] = []track.PathPoint{{Time: 5}}
	for _, n := range w.nodes {
		points, _, err := n.peers.Paths().Path(within(t, 5*time.Second), "misplaced", 0, 0, 10)
		require.NoError(t, err)
		require.Len(t, points, 1)
	}
	w.breaks(owner, hang)
	for _, n := range w.nodes {
		if n != owner {
			_, _, err := n.peers.Paths().Path(within(t, 500*time.Millisecond), "v", 0, 0, 10)
			require.ErrorIs(t, err, api.ErrUnavailable)
		}
	}
}

func TestAMessageIsSentAnywhereAndItsOwnerSaysWhenItIsApplied(t *testing.T) {
	w := newWorld(t, "a", "b")
	inEach(w)
	cmd := &trackmeshv1.Command{Vehicle: "v"}
	p := home("v")
	owner, other := w.nodes[int(p)%2], w.nodes[1-int(p)%2]
	sent, err := other.peers.Messages().Send(within(t, 5*time.Second), cmd, time.Second)
	require.NoError(t, err)
	require.Equal(t, api.Sent{Partition: p, Offset: 41, Applied: true}, sent)
	require.Len(t, other.sent, 1, "the log carries it: the owner is not asked to")
	require.Empty(t, owner.sent)

	owner.wait = func(ctx context.Context, _ int32, _ int64) error { // not applied in time
		<-ctx.Done()
		return ctx.Err()
	}
	sent, err = other.peers.Messages().Send(within(t, 5*time.Second), cmd, 100*time.Millisecond)
	require.NoError(t, err)
	require.False(t, sent.Applied)
}

func TestAMessageIsWaitedForAtTheNextOwnerWhenTheFirstOneDies(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	inEach(w)
	p := home("v")
	i := int(p) % 3
	owner, heir, asker := w.nodes[i], w.nodes[(i+1)%3], w.nodes[(i+2)%3]
	owner.wait = func(context.Context, int32, int64) error {
		w.take(owner, p)
		w.give(heir, p, 2)
		return ErrNotHere
	}
	sent, err := asker.peers.Messages().Send(within(t, 5*time.Second), &trackmeshv1.Command{Vehicle: "v"}, 3*time.Second)
	require.NoError(t, err)
	require.True(t, sent.Applied)
}

const feature = `{"type":"Feature","id":"f","properties":{},"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}}`

func TestFencesAreWrittenByTheOwnerOfPartitionZeroAlone(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.spread() // a has partition 0
	a, b := w.nodes[0], w.nodes[1]
	ctx := within(t, 5*time.Second)
	version, err := b.peers.Fences().Put(ctx, "f", []byte(feature), nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, version)
	_, err = b.peers.Fences().Delete(ctx, "f", nil)
	require.NoError(t, err)
	version, refused, err := b.peers.Fences().PutAll(ctx, []api.Fence{{ID: "x", Feature: []byte("{}")}, {ID: "y"}})
	require.NoError(t, err)
	require.EqualValues(t, 3, version)
	require.NoError(t, refused[0])
	require.EqualError(t, refused[1], "empty")
	require.Equal(t, 3, a.fences.writes)
	require.Zero(t, b.fences.writes)

	for want, told := range map[error]error{api.ErrVersion: api.ErrVersion, api.ErrNotFound: api.ErrNotFound, api.ErrUnavailable: errors.New("the disk is on fire")} {
		a.fences.err = told
		_, err = b.peers.Fences().Put(ctx, "f", []byte(feature), nil)
		require.ErrorIs(t, err, want)
	}
	a.fences.err = &api.InvalidError{Pointer: "/geometry", Reason: "no"}
	_, err = b.peers.Fences().Put(ctx, "f", []byte(feature), nil)
	invalid, ok := errors.AsType[*api.InvalidError](err)
	require.True(t, ok)
	require.Equal(t, "/geometry", invalid.Pointer)
	_, err = b.peers.Fences().Put(ctx, "f", []byte("{"), nil)
	require.Error(t, err, "what is no fence is refused here")
}

func TestAWriteThatMayHaveArrivedIsNotRepeated(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.spread()
	a, b := w.nodes[0], w.nodes[1]
	w.breaks(a, func(context.Context, *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error) {
		a.fences.mu.Lock()
		defer a.fences.mu.Unlock()
		a.fences.writes++
		return nil, errors.New("the connection broke")
	})
	_, err := b.peers.Fences().Put(within(t, 5*time.Second), "f", []byte(feature), nil)
	require.ErrorIs(t, err, api.ErrUnavailable)
	require.Equal(t, 1, a.fences.writes)
}

func TestAWriteWaitsForAnOwner(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.spread()
	a, b := w.nodes[0], w.nodes[1]
	w.take(a, 0)
	go w.give(a, 0, 2)
	_, err := b.peers.Fences().Put(within(t, 5*time.Second), "f", []byte(feature), nil)
	require.NoError(t, err)
	w.take(a, 0)
	_, err = b.peers.Fences().Put(within(t, 300*time.Millisecond), "f", []byte(feature), nil)
	require.ErrorIs(t, err, api.ErrUnavailable)
}

func TestAFenceIsLiveWhenEveryMemberWorksWithIt(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.spread()
	release := make(chan struct{})
	w.nodes[2].fences.wait = func(ctx context.Context) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f := w.nodes[0].peers.Fences()
	require.ErrorIs(t, f.WaitLive(within(t, 200*time.Millisecond), 1), context.DeadlineExceeded)
	close(release)
	require.NoError(t, f.WaitLive(within(t, 5*time.Second), 1))

	w.breaks(w.nodes[2], dead)
	gone := make(chan error, 1)
	go func() { gone <- f.WaitLive(within(t, 5*time.Second), 1) }()
	w.leave(w.nodes[2])
	require.NoError(t, <-gone, "who has left need not know")
}

func TestTheClustersStateIsThatOfAllItsMembers(t *testing.T) {
	w := newWorld(t, "a", "b", "cc")
	w.spread()
	w.take(w.nodes[2], 5)
	c := Cluster{
		Peers: w.nodes[0].peers, Base: func() api.ClusterState { return api.ClusterState{Node: "a"} },
		Moves: func(context.Context, []api.ClusterPart) []api.ClusterMove { return []api.ClusterMove{} },
	}
	s, err := c.State(within(t, 5*time.Second))
	require.NoError(t, err)
	require.Len(t, s.Members, 3)
	require.Len(t, s.Partitions, partitions)
	for i, p := range s.Partitions {
		if i == 5 {
			require.Equal(t, "moving", p.State)
			require.Empty(t, p.Owner)
			continue
		}
		require.Equal(t, []string{"a", "b", "cc"}[i%3], p.Owner)
		require.EqualValues(t, 3, p.Lag)
		require.EqualValues(t, 100, p.InputOffset)
	}
	require.Equal(t, 50, s.Tracks)
	require.Equal(t, []api.ClusterSink{{Name: "elasticsearch", Lag: 15, State: "running"}, {Name: "sqlite", Lag: 2, State: "running"}}, s.Sinks)

	w.breaks(w.nodes[1], hang)
	s, err = c.State(within(t, 5*time.Second))
	require.NoError(t, err)
	at := slices.IndexFunc(s.Members, func(m api.ClusterMember) bool { return m.Name == "b" })
	require.Equal(t, cluster.Sick.String(), s.Members[at].State, "who does not answer is a suspect")
	require.Equal(t, "b", s.Partitions[1].Owner, "gossip still says so")
}

func TestOwnersHaveNames(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.spread()
	require.Equal(t, "b", w.nodes[0].peers.OwnerName(3))
	require.Empty(t, w.nodes[0].peers.OwnerName(99))
}

// FuzzAnswers: whatever another node says, it is taken in without a panic, and never more than was asked for.
func FuzzAnswers(f *testing.F) {
	w := newWorld(f, "a")
	seed := &trackmeshv1.PeerAnswer{
		Path:    pathToWire([]track.PathPoint{{Time: 1}}, 1),
		Visible: visibleToWire(live.Visible{InView: 1, Items: []live.Item{{View: &track.View{Vehicle: "v"}}}}),
		Tracks:  []*trackmeshv1.PeerTrack{toWire(&track.View{Vehicle: "v", Status: track.Silent})},
	}
	raw, err := seed.MarshalVT()
	require.NoError(f, err)
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		a := &trackmeshv1.PeerAnswer{}
		if a.UnmarshalVT(raw) != nil {
			return
		}
		pathFromWire(a.GetPath())
		require.LessOrEqual(t, len(visibleFromWire(a.GetVisible(), w.nodes[0].fleet.Guests(), 10, nil)), 10)
		for _, tr := range a.GetTracks() {
			require.LessOrEqual(t, fromWire(tr).Status, track.Silent)
		}
	})
}

// FuzzQuestions: whatever another node asks, it is answered without a panic.
func FuzzQuestions(f *testing.F) {
	w := newWorld(f, "a")
	inEach(w)
	for _, q := range []*trackmeshv1.PeerQuestion{
		{Partitions: []int32{0, -1, 99}, Body: &trackmeshv1.PeerQuestion_Search{Search: &trackmeshv1.PeerSearchQuestion{Inside: []byte("{}"), Statuses: []uint32{9}}}},
		{Partitions: []int32{1}, Body: &trackmeshv1.PeerQuestion_Cells{Cells: &trackmeshv1.PeerCellsQuestion{Precision: 99}}},
		{Partitions: []int32{1}, Body: &trackmeshv1.PeerQuestion_Nearest{Nearest: &trackmeshv1.PeerNearestQuestion{K: -1, Latitude: 1e300}}},
		{Partitions: []int32{1}, Body: &trackmeshv1.PeerQuestion_Visible{Visible: &trackmeshv1.PeerVisibleQuestion{Limit: -5}}},
	} {
		raw, err := q.MarshalVT()
		require.NoError(f, err)
		f.Add(raw)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel() // nothing waits
	f.Fuzz(func(t *testing.T, raw []byte) {
		q := &trackmeshv1.PeerQuestion{}
		if q.UnmarshalVT(raw) != nil {
			return
		}
		require.NotNil(t, w.nodes[0].peers.Answer(done, q))
	})
}
