package peers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// genView draws a track; places are as exact as a frame of the map shows them, so that frames compare too.
func genView(vehicle string, partition int32) *rapid.Generator[*track.View] {
	return rapid.Custom(func(t *rapid.T) *track.View {
		number := func(name string, highest float64) float64 {
			if rapid.IntRange(0, 4).Draw(t, name+"?") == 0 {
				return math.NaN()
			}
			return math.Round(rapid.Float64Range(0, highest).Draw(t, name)*1000) / 1000
		}
		v := &track.View{
			Vehicle: vehicle, Partition: partition, Time: rapid.Int64Range(0, 1<<41).Draw(t, "time"), Offset: rapid.Int64Range(0, 1<<40).Draw(t, "offset"),
			Position: geo.Point{
				Lon: float64(rapid.IntRange(-74_5000000, -73_5000000).Draw(t, "lon")) / 1e7,
				Lat: float64(rapid.IntRange(40_0000000, 41_0000000).Draw(t, "lat")) / 1e7,
			},
			SpeedMPS: number("speed", 100), HeadingDegrees: number("heading", 359.9), Status: track.Status(rapid.IntRange(0, 2).Draw(t, "status")), //nolint:gosec // small
			OdometerMetres: rapid.Float64Range(0, 1e7).Draw(t, "odometer"),
		}
		if rapid.Bool().Draw(t, "fenced") {
			v.Fences = []string{"a", "b", "c"}[rapid.IntRange(0, 2).Draw(t, "fence"):]
		}
		if rapid.Bool().Draw(t, "attributed") {
			v.Attributes = []byte(`{"driver":"ü"}`)
		}
		return v
	})
}

// sameViews compares without tripping over NaN.
func sameViews(t require.TestingT, want, got []*track.View) {
	text := func(views []*track.View) []string {
		lines := make([]string, len(views))
		for i, v := range views {
			lines[i] = fmt.Sprintf("%+v", *v)
		}
		slices.Sort(lines)
		return lines
	}
	require.Equal(t, text(want), text(got))
}

func TestAViewIsTheSameAfterTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := genView(rapid.String().Draw(t, "vehicle"), rapid.Int32Range(0, 100).Draw(t, "partition")).Draw(t, "view")
		raw, err := toWire(v).MarshalVT()
		require.NoError(t, err)
		wire := &trackmeshv1.PeerTrack{}
		require.NoError(t, wire.UnmarshalVT(raw))
		sameViews(t, []*track.View{v}, []*track.View{fromWire(wire)})
	})
}

func TestAPathIsTheSameAfterTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var points []track.PathPoint
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			v := genView("v", 0).Draw(t, "point")
			points = append(points, track.PathPoint{Time: v.Time, Position: v.Position, SpeedMPS: v.SpeedMPS, HeadingDegrees: v.HeadingDegrees})
		}
		raw, err := pathToWire(points, 5).MarshalVT()
		require.NoError(t, err)
		wire := &trackmeshv1.PeerPath{}
		require.NoError(t, wire.UnmarshalVT(raw))
		require.Equal(t, fmt.Sprint(points), fmt.Sprint(pathFromWire(wire)))
	})
}

// one is a fleet that holds everything, as a node that is alone would.
func fill(t *rapid.T, w *world) (one *live.Fleet, views []*track.View) {
	one = live.NewFleet(partitions)
	changes := make([][]live.Change, partitions)
	for i := range rapid.IntRange(0, 60).Draw(t, "vehicles") {
		vehicle := fmt.Sprintf("taxi-%02d", i)
		p := home(vehicle)
		if rapid.IntRange(0, 9).Draw(t, "misplaced") == 0 {
			p = (p + 1) % partitions
		}
		v := genView(vehicle, p).Draw(t, "view")
		views = append(views, v)
		changes[p] = append(changes[p], live.Change{Vehicle: vehicle, View: v})
	}
	for p := range int32(partitions) {
		n := w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(t, "owner")]
		w.give(n, p, 1).Apply(changes[p])
		one.Open(p).Apply(changes[p])
	}
	return one, views
}

func TestTheClusterAnswersAsOneNodeThatHoldsEverything(t *testing.T) {
	square := []byte(`{"type":"Polygon","coordinates":[[[-74.2,40.2],[-73.7,40.3],[-73.8,40.8],[-74.1,40.7],[-74.2,40.2]]]}`)
	shape, err := fence.ParseShape(square)
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, "a", "b", "c")
		one, views := fill(rt, w)
		ctx := context.Background()
		l := w.nodes[rapid.IntRange(0, 2).Draw(rt, "asked")].peers.Live()
		box := geo.Box{West: -74.3, South: 40.1, East: -73.6, North: 40.9}

		for _, q := range []live.Query{
			{Limit: 1000},
			{Box: &box, Limit: 1000},
			{Fence: "b", Limit: 1000},
			{Statuses: []track.Status{track.Silent, track.Stopped}, Limit: 1000},
			{Inside: shape, InsideGeoJSON: square, Limit: 1000},
		} {
			want, _ := one.Search(q)
			got, c, err := l.Search(ctx, q)
			require.NoError(rt, err)
			require.Equal(rt, live.Coverage{Asked: partitions, Answered: partitions, Missing: []int32{}}, c)
			sameViews(rt, want.Tracks, got.Tracks)
			require.Equal(rt, want.Cut, got.Cut)
		}
		limit := rapid.IntRange(1, 30).Draw(rt, "limit")
		want, _ := one.Search(live.Query{Limit: limit})
		got, _, _ := l.Search(ctx, live.Query{Limit: limit})
		require.Len(rt, got.Tracks, len(want.Tracks))
		require.Equal(rt, want.Cut, got.Cut)

		nearest := live.NearestQuery{Point: geo.Point{Lon: -74, Lat: 40.5}, K: rapid.IntRange(1, 20).Draw(rt, "k")}
		wantNear, _ := one.Nearest(nearest)
		gotNear, _, _ := l.Nearest(ctx, nearest)
		require.Len(rt, gotNear, len(wantNear))
		for i := range wantNear {
			require.Equal(rt, wantNear[i].View.Vehicle, gotNear[i].View.Vehicle)
			require.InDelta(rt, wantNear[i].Metres, gotNear[i].Metres, 1e-9)
		}

		precision := rapid.IntRange(1, 9).Draw(rt, "precision")
		wantCells, _ := one.Cells(precision, &box)
		gotCells, _, _ := l.Cells(ctx, precision, box)
		require.Equal(rt, wantCells, gotCells)

		wantCounts, _ := one.Counts()
		gotCounts, _, _ := l.Counts(ctx)
		require.Equal(rt, wantCounts, gotCounts)

		for i := range min(5, len(views)) {
			v, c, err := l.Track(ctx, views[i].Vehicle)
			require.NoError(rt, err)
			require.True(rt, c.Whole())
			sameViews(rt, views[i:i+1], []*track.View{v})
		}
		_, c, err := l.Track(ctx, "nobody")
		require.ErrorIs(rt, err, api.ErrNotFound)
		require.Equal(rt, partitions, c.Answered)
	})
}

func TestAFrameShowsWhatAFrameOfOneNodeShows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, "a", "b", "c")
		one, views := fill(rt, w)
		l := w.nodes[0].peers.Frames()
		want, _ := one.Visible(&geo.World, 1000)
		got, c, err := l.Visible(context.Background(), geo.World, 1000)
		require.NoError(rt, err)
		require.True(rt, c.Whole())
		require.Equal(rt, want.InView, got.InView)
		text := func(items []live.Item) []string {
			lines := make([]string, len(items))
			for i, it := range items {
				v := it.View
				lines[i] = fmt.Sprint(v.Vehicle, v.Time, v.SpeedMPS, v.HeadingDegrees, v.Status, v.Partition, math.Round(v.Position.Lon*1e7), math.Round(v.Position.Lat*1e7))
			}
			slices.Sort(lines)
			return lines
		}
		require.Equal(rt, text(want.Items), text(got.Items))
		slots, births := map[uint32]bool{}, map[uint32]bool{}
		for _, it := range got.Items {
			slots[it.Slot], births[it.Birth] = true, true
		}
		require.Len(rt, slots, len(views), "each vehicle has a number of its own")
		require.Len(rt, births, len(views))
		again, _, _ := l.Visible(context.Background(), geo.World, 1000)
		numbers := func(items []live.Item) map[string]uint32 {
			m := map[string]uint32{}
			for _, it := range items {
				m[it.View.Vehicle] = it.Slot
			}
			return m
		}
		require.Equal(rt, numbers(got.Items), numbers(again.Items), "and keeps it")
		cut, _, _ := l.Visible(context.Background(), geo.World, 3)
		require.Len(rt, cut.Items, min(3, len(views)))
		require.Equal(rt, len(views), cut.InView)
	})
}

// inEach puts a vehicle into every partition of a world that is spread, and returns them.
func inEach(w *world) []*track.View {
	var views []*track.View
	w.spread()
	for p := range int32(partitions) {
		v := &track.View{Vehicle: fmt.Sprintf("in-%d", p), Partition: p, Position: geo.Point{Lon: float64(p), Lat: 1}}
		views = append(views, v)
		w.nodes[int(p)%len(w.nodes)].fleet.Partition(p).Apply([]live.Change{{Vehicle: v.Vehicle, View: v}})
	}
	return views
}

func TestAPeerThatHangsIsMissingAndStallsNobodyForLong(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	inEach(w)
	w.breaks(w.nodes[1], hang)
	began := time.Now()
	seen, c, err := w.nodes[0].peers.Frames().Visible(within(t, 10*time.Second), geo.World, 100)
	require.NoError(t, err)
	require.Less(t, time.Since(began), time.Second)
	require.Equal(t, live.Coverage{Asked: 6, Answered: 4, Missing: []int32{1, 4}}, c)
	require.Len(t, seen.Items, 4)

	began = time.Now()
	found, c, err := w.nodes[0].peers.Live().Search(within(t, time.Second), live.Query{Limit: 100})
	require.NoError(t, err)
	require.Less(t, time.Since(began), 2*time.Second, "the request's own timeout ends it")
	require.Equal(t, []int32{1, 4}, c.Missing)
	require.Len(t, found.Tracks, 4)
}

func TestADeadPeersPartitionsAreWaitedForWhereTheyGo(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	views := inEach(w)
	lost, heir := w.nodes[1], w.nodes[2]
	w.breaks(lost, dead)
	asked := make(chan struct{})
	go func() {
		<-asked
		w.leave(lost)
		for _, p := range []int32{1, 4} {
			index := heir.fleet.Prepare(p)
			index.Apply([]live.Change{{Vehicle: views[p].Vehicle, View: views[p]}})
			heir.fleet.Show(index)
			w.claim(heir, p, 2)
		}
	}()
	close(asked)
	found, c, err := w.nodes[0].peers.Live().Search(within(t, 10*time.Second), live.Query{Limit: 100})
	require.NoError(t, err)
	require.True(t, c.Whole(), "%v", c)
	sameViews(t, views, found.Tracks)
}

func TestAPartitionThatMovesDuringTheQueryIsAnsweredOnce(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	views := inEach(w)
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	// The question finds b without partition 4, which is at c when it is asked for again.
	w.breaks(b, func(_ context.Context, _ *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error) {
		if b.fleet.Partition(4) != nil {
			w.take(b, 4)
			w.give(c, 4, 2).Apply([]live.Change{{Vehicle: views[4].Vehicle, View: views[4]}})
		}
		return nil, nil
	})
	found, coverage, err := a.peers.Live().Search(within(t, 10*time.Second), live.Query{Limit: 100})
	require.NoError(t, err)
	require.True(t, coverage.Whole(), "%v", coverage)
	sameViews(t, views, found.Tracks)
}

func TestOfTwoThatClaimAPartitionTheHigherTermAnswers(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	inEach(w)
	old, next := w.nodes[1], w.nodes[2]
	moved := &track.View{Vehicle: "moved", Partition: 4}
	w.give(next, 4, 9).Apply([]live.Change{{Vehicle: "moved", View: moved}})
	require.NotNil(t, old.fleet.Partition(4), "the old owner does not know yet")
	for _, n := range w.nodes {
		found, c, err := n.peers.Live().Search(within(t, 10*time.Second), live.Query{Limit: 100})
		require.NoError(t, err)
		require.True(t, c.Whole())
		names := []string{}
		for _, v := range found.Tracks {
			names = append(names, v.Vehicle)
		}
		slices.Sort(names)
		require.Equal(t, []string{"in-0", "in-1", "in-2", "in-3", "in-5", "moved"}, names)
	}
	// Asked all the same, the old owner refuses.
	answer := old.peers.Answer(t.Context(), &trackmeshv1.PeerQuestion{Partitions: []int32{4}, Body: &trackmeshv1.PeerQuestion_Counts{Counts: &trackmeshv1.PeerCountsQuestion{}}})
	require.Equal(t, trackmeshv1.PeerCode_PEER_CODE_NOT_HERE, answer.GetCode())
}

func TestASickNodeAnswersForNothing(t *testing.T) {
	w := newWorld(t, "a", "b")
	inEach(w)
	w.change(func() { w.nodes[1].member.Status = cluster.Sick })
	_, c, err := w.nodes[0].peers.Frames().Counts(within(t, time.Second))
	require.NoError(t, err)
	require.Equal(t, []int32{1, 3, 5}, c.Missing)
	answer := w.nodes[1].peers.Answer(t.Context(), &trackmeshv1.PeerQuestion{Partitions: []int32{1}, Body: &trackmeshv1.PeerQuestion_Counts{Counts: &trackmeshv1.PeerCountsQuestion{}}})
	require.Equal(t, trackmeshv1.PeerCode_PEER_CODE_NOT_HERE, answer.GetCode())
	_, c, err = w.nodes[1].peers.Frames().Counts(within(t, time.Second))
	require.NoError(t, err)
	require.Equal(t, []int32{1, 3, 5}, c.Missing, "not even for itself")
}

func TestAPartitionThatStaysAwayIsWaitedForOnceNotAtEachQuery(t *testing.T) {
	w := newWorld(t, "a", "b")
	inEach(w)
	w.take(w.nodes[1], 3)
	l := w.nodes[0].peers.Live()
	began := time.Now()
	_, c, err := l.Search(within(t, 10*time.Second), live.Query{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, []int32{3}, c.Missing)
	require.GreaterOrEqual(t, time.Since(began), 1500*time.Millisecond)
	began = time.Now()
	_, c, err = l.Search(within(t, 10*time.Second), live.Query{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, []int32{3}, c.Missing)
	require.Less(t, time.Since(began), time.Second)
}

func TestWhatAPeerSaysOfPartitionsThatItWasNotAskedForIsNotBelieved(t *testing.T) {
	w := newWorld(t, "a", "b")
	inEach(w)
	w.breaks(w.nodes[1], func(context.Context, *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error) {
		return &trackmeshv1.PeerAnswer{Partitions: []int32{0, 1, 2, 3, 4, 5}, Counts: &trackmeshv1.PeerCounts{Total: 1000}}, nil
	})
	counts, c, err := w.nodes[0].peers.Frames().Counts(within(t, time.Second))
	require.NoError(t, err)
	require.Equal(t, 3, counts.Total)
	require.Equal(t, []int32{1, 3, 5}, c.Missing)
}

func TestChangedHearsOfANewStateWhereverTheVehicleRuns(t *testing.T) {
	w := newWorld(t, "a", "b")
	inEach(w)
	vehicle := "v"
	p := home(vehicle)
	owner, other := w.nodes[int(p)%2], w.nodes[1-int(p)%2]
	index := owner.fleet.Partition(p)
	index.Apply([]live.Change{{Vehicle: vehicle, View: &track.View{Vehicle: vehicle, Partition: p, Offset: 1}}})
	for _, n := range []*node{owner, other} {
		v, err := n.peers.Live().Changed(t.Context(), vehicle, 0, 5*time.Second)
		require.NoError(t, err)
		offset, seen := v.Offset, live.Mark(v)
		v, err = n.peers.Live().Changed(t.Context(), vehicle, seen, 150*time.Millisecond)
		require.NoError(t, err)
		require.Nil(t, v)
		go index.Apply([]live.Change{{Vehicle: vehicle, View: &track.View{Vehicle: vehicle, Partition: p, Offset: offset + 1}}})
		v, err = n.peers.Live().Changed(t.Context(), vehicle, seen, 5*time.Second)
		require.NoError(t, err)
		require.Equal(t, offset+1, v.Offset)
	}
}
