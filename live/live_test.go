package live

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// genPoint draws places, often near the poles, the antimeridian, and each other.
func genPoint() *rapid.Generator[geo.Point] {
	lon := rapid.OneOf(
		rapid.Float64Range(-180, 180), rapid.Float64Range(179.99, 180), rapid.Float64Range(-180, -179.99),
		rapid.Float64Range(-74.01, -74), rapid.SampledFrom([]float64{-180, 180, 0}),
	)
	lat := rapid.OneOf(
		rapid.Float64Range(-90, 90), rapid.Float64Range(89.9, 90), rapid.Float64Range(-90, -89.9),
		rapid.Float64Range(40.7, 40.71), rapid.SampledFrom([]float64{-90, 90, 0}),
	)
	return rapid.Custom(func(t *rapid.T) geo.Point { return geo.Point{Lon: lon.Draw(t, "lon"), Lat: lat.Draw(t, "lat")} })
}

func genBox() *rapid.Generator[geo.Box] {
	return rapid.Custom(func(t *rapid.T) geo.Box {
		a, b := genPoint().Draw(t, "a"), genPoint().Draw(t, "b")
		return geo.Box{West: a.Lon, East: b.Lon, South: min(a.Lat, b.Lat), North: max(a.Lat, b.Lat)}
	})
}

// model is the fleet as a plain list.
type model map[string]*track.View

func (m model) views(keep func(*track.View) bool) []string {
	names := []string{}
	for name, v := range m {
		if keep(v) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

const partitions = 3

// drawFleet applies batches of additions, moves, small and large, and removals; it returns what must be there.
func drawFleet(t *rapid.T) (*Fleet, model) {
	f, m := NewFleet(partitions), model{}
	for p := range int32(partitions) {
		f.Open(p)
	}
	batches := rapid.IntRange(1, 6).Draw(t, "batches")
	for range batches {
		var changes [partitions][]Change
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			n := rapid.IntRange(0, 60).Draw(t, "vehicle")
			p, name := n%partitions, fmt.Sprintf("v%02d", n)
			if rapid.IntRange(0, 6).Draw(t, "what") == 0 {
				delete(m, name)
				changes[p] = append(changes[p], Change{Vehicle: name})
				continue
			}
			v := &track.View{
				Vehicle: name, Position: genPoint().Draw(t, "at"), Partition: int32(p), //nolint:gosec // small
				Status: track.Status(rapid.IntRange(0, 2).Draw(t, "status")), //nolint:gosec // small
			}
			if old := m[name]; old != nil && rapid.Bool().Draw(t, "near") { // within or about the slack
				v.Position = old.Position
				v.Position.Lat = max(-90, min(90, v.Position.Lat+rapid.Float64Range(-0.0015, 0.0015).Draw(t, "step")))
			}
			if rapid.Bool().Draw(t, "fenced") {
				v.Fences = []string{"a", "b", "c"}[rapid.IntRange(0, 2).Draw(t, "fence"):]
			}
			m[name] = v
			changes[p] = append(changes[p], Change{Vehicle: name, View: v})
		}
		for p := range changes {
			f.Partition(int32(p)).Apply(changes[p]) //nolint:gosec // small
		}
		f.Search(Query{Limit: 1}) // a copy of the tree between the batches
	}
	return f, m
}

func names(tracks []*track.View) []string {
	all := []string{}
	for _, v := range tracks {
		all = append(all, v.Vehicle)
	}
	slices.Sort(all)
	return all
}

func TestSearchFindsWhatALookAtEveryTrackFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, m := drawFleet(t)
		box := genBox().Draw(t, "box")
		found, coverage := f.Search(Query{Box: &box})
		require.True(t, coverage.Whole())
		require.Equal(t, m.views(func(v *track.View) bool { return box.Contains(v.Position) }), names(found.Tracks))

		found, _ = f.Search(Query{Fence: "b", Statuses: []track.Status{track.Moving, track.Silent}})
		require.Equal(t, m.views(func(v *track.View) bool {
			return slices.Contains(v.Fences, "b") && v.Status != track.Stopped
		}), names(found.Tracks))

		visible, _ := f.Visible(&box, 5)
		require.Equal(t, len(m.views(func(v *track.View) bool { return box.Contains(v.Position) })), visible.InView)
		require.Len(t, visible.Items, min(5, visible.InView))
	})
}

func TestNearestIsWhatSortingEveryTrackByDistanceGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, m := drawFleet(t)
		q := NearestQuery{Point: genPoint().Draw(t, "from"), K: rapid.IntRange(1, 20).Draw(t, "k")}
		if rapid.Bool().Draw(t, "bounded") {
			q.RadiusMetres = rapid.Float64Range(1, 2e7).Draw(t, "radius")
		}
		var want []Neighbour
		for _, v := range m {
			if d := geo.Distance(q.Point, v.Position); q.RadiusMetres == 0 || d <= q.RadiusMetres {
				want = append(want, Neighbour{v, d})
			}
		}
		slices.SortFunc(want, func(a, b Neighbour) int {
			return cmp.Or(cmp.Compare(a.Metres, b.Metres), cmp.Compare(a.View.Vehicle, b.View.Vehicle))
		})
		got, _ := f.Nearest(q)
		require.Equal(t, want[:min(q.K, len(want))], append([]Neighbour(nil), got...))
	})
}

func TestABoundIsNeverAboveTheDistanceToAnythingInTheRectangle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := newViewpoint(genPoint().Draw(t, "from"))
		a, b := genPoint().Draw(t, "a"), genPoint().Draw(t, "b")
		lo := [2]float32{float32(min(a.Lon, b.Lon)) - slack, float32(min(a.Lat, b.Lat)) - slack}
		hi := [2]float32{float32(max(a.Lon, b.Lon)) + slack, float32(max(a.Lat, b.Lat)) + slack}
		bound := from.below(lo, hi)
		for range 20 {
			p := geo.Point{
				Lon: min(a.Lon, b.Lon) + rapid.Float64Range(0, 1).Draw(t, "x")*math.Abs(a.Lon-b.Lon),
				Lat: min(a.Lat, b.Lat) + rapid.Float64Range(0, 1).Draw(t, "y")*math.Abs(a.Lat-b.Lat),
			}
			require.LessOrEqual(t, bound, geo.Distance(from.Point, p))
		}
	})
}

func TestTheBoundIsTightEnoughToBeOfUse(t *testing.T) {
	for _, lat := range []float64{0, 40, 80, -89} {
		from := newViewpoint(geo.Point{Lon: 10, Lat: lat})
		nearest := geo.Point{Lon: 12, Lat: lat}
		bound := from.below([2]float32{12, float32(lat) - 1}, [2]float32{14, float32(lat) + 0.5})
		require.Greater(t, bound, 0.96*geo.Distance(from.Point, nearest)-5000)
	}
}

func TestCellsAndCountsAddUpToTheFleet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, m := drawFleet(t)
		precision := rapid.IntRange(1, 9).Draw(t, "precision")
		box := genBox().Draw(t, "box")
		want := map[uint64]uint32{}
		for _, v := range m {
			if box.Contains(v.Position) {
				want[geo.GeohashInt(v.Position, precision)]++
			}
		}
		cells, _ := f.Cells(precision, &box)
		got := map[uint64]uint32{}
		for _, c := range cells {
			got[c.Geohash] = c.Count
		}
		require.Equal(t, want, got)
		counts, _ := f.Counts()
		require.Equal(t, len(m), counts.Total)
		require.Len(t, m.views(func(v *track.View) bool { return v.Status == track.Silent }), counts.Silent)
		require.Equal(t, counts.Total, counts.Moving+counts.Stopped+counts.Silent)
	})
}

func view(name string, lon, lat float64) *track.View {
	return &track.View{Vehicle: name, Position: geo.Point{Lon: lon, Lat: lat}}
}

func TestADroppedPartitionIsMissingAndTakesNoMoreChanges(t *testing.T) {
	f := NewFleet(2)
	zero, one := f.Open(0), f.Open(1)
	zero.Apply([]Change{{"a", view("a", 1, 1)}})
	one.Apply([]Change{{"b", view("b", 2, 2)}})
	f.Drop(1)
	one.Apply([]Change{{"c", view("c", 3, 3)}})

	found, coverage := f.Search(Query{})
	require.Equal(t, []string{"a"}, names(found.Tracks))
	require.Equal(t, Coverage{Asked: 2, Answered: 1, Missing: []int32{1}}, coverage)
	v, coverage := f.Track("b", 1)
	require.Nil(t, v)
	require.False(t, coverage.Whole())

	f.Open(1)
	found, coverage = f.Search(Query{})
	require.Equal(t, []string{"a"}, names(found.Tracks), "a partition starts empty")
	require.True(t, coverage.Whole())
}

func TestAVehicleInAnotherPartitionThanItsKeySaysIsFound(t *testing.T) {
	f := NewFleet(2)
	f.Open(0)
	f.Open(1).Apply([]Change{{"stray", view("stray", 1, 1)}})
	v, coverage := f.Track("stray", 0)
	require.NotNil(t, v)
	require.True(t, coverage.Whole())
}

func TestASlotIsReusedOnlyAWhileAfterItsVehicleIsGone(t *testing.T) {
	f := NewFleet(1)
	now := time.Unix(1000, 0)
	f.slots.now = func() time.Time { return now }
	p := f.Open(0)
	item := func(name string) Item {
		all, _ := f.Visible(nil, 100)
		for _, i := range all.Items {
			if i.View.Vehicle == name {
				return i
			}
		}
		return Item{}
	}
	p.Apply([]Change{{"a", view("a", 1, 1)}, {"b", view("b", 2, 2)}})
	a := item("a")
	p.Apply([]Change{{"a", view("a", 50, 50)}})
	require.Equal(t, a.Slot, item("a").Slot, "moving keeps the slot")

	p.Apply([]Change{{"a", nil}, {"c", view("c", 3, 3)}})
	require.NotEqual(t, a.Slot, item("c").Slot)
	now = now.Add(slotRest)
	p.Apply([]Change{{"d", view("d", 4, 4)}})
	require.Equal(t, a.Slot, item("d").Slot)
	require.NotEqual(t, a.Birth, item("d").Birth)
}

func TestQueriesAndChangesAtTheSameTimeSeeEachVehicleAtMostOnce(t *testing.T) {
	f := NewFleet(1)
	p := f.Open(0)
	const n = 500
	put := func(shift float64) {
		changes := make([]Change, n)
		for i := range changes {
			name := fmt.Sprintf("v%03d", i)
			changes[i] = Change{name, view(name, float64(i%25)+shift, float64(i/25))}
		}
		p.Apply(changes)
	}
	put(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				put(float64(i%7) * 0.3)
			}
		}
	}()
	for range 200 {
		found, _ := f.Search(Query{})
		require.Len(t, found.Tracks, n)
		seen := names(found.Tracks)
		require.Len(t, slices.Compact(seen), n)
		near, _ := f.Nearest(NearestQuery{Point: geo.Point{Lon: 5, Lat: 5}, K: 10})
		require.Len(t, near, 10)
	}
	close(stop)
	<-done
}

func TestAwaitWaitsForAPartitionOnTheMoveAndNotForOneThatIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFleet(2)
		f.Open(0)
		f.Open(1)
		began := time.Now()
		f.Await(t.Context(), 2*time.Second)
		require.Zero(t, time.Since(began), "nothing is missing")

		f.Drop(1)
		go func() {
			time.Sleep(time.Second) //nolint:forbidigo // of the test's own clock
			f.Open(1)
		}()
		f.Await(t.Context(), 2*time.Second)
		require.Equal(t, time.Second, time.Since(began))

		f.Drop(0)
		f.Await(t.Context(), 2*time.Second)
		f.Await(t.Context(), 2*time.Second)
		require.Equal(t, 3*time.Second, time.Since(began), "the second is not waited for again")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		f.Await(ctx, time.Hour)
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}
