package fence_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

// model is a set as a map: what the index must equal.
type model map[string]*fence.Fence

func (m model) ids(match func(*fence.Fence) bool) []string {
	ids := []string{}
	for id, f := range m {
		if match(f) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func idsOf(fences []*fence.Fence) []string {
	ids := []string{}
	for _, f := range fences {
		ids = append(ids, f.ID)
	}
	return ids
}

// scenes are places where fences are drawn: in town, across the antimeridian, round the poles.
var scenes = []geo.Point{newYork, {Lon: 180, Lat: -17}, {Lon: 0, Lat: 89.99}, {Lon: 100, Lat: -89.98}, {Lon: 0, Lat: 0}}

func randomFeature(r *rand.Rand, scene geo.Point) []byte {
	at := geo.Destination(scene, 360*r.Float64(), 5000*r.Float64())
	metres := 50 + 3000*r.Float64()*r.Float64()
	switch r.IntN(4) {
	case 0:
		return circleFeature(at, metres)
	case 1:
		to := geo.Destination(at, 360*r.Float64(), metres*2)
		return fmt.Appendf(nil, `{"type":"Feature","geometry":{"type":"LineString","coordinates":[[%.7f,%.7f],[%.7f,%.7f]]},"properties":{"width_metres":%g}}`,
			at.Lon, at.Lat, to.Lon, to.Lat, metres/3)
	default:
		if math.Abs(at.Lat) > 89.9 { // a ring of random radii need not be simple in longitude and latitude so near a pole
			return circleFeature(at, metres)
		}
		return polygonFeature(r, at, 3+r.IntN(60), metres)
	}
}

func compare(t *rapid.T, r *rand.Rand, set *fence.Set, m model, scene geo.Point) {
	require.Equal(t, len(m), set.Len())
	for range 12 {
		a := geo.Destination(scene, 360*r.Float64(), 6000*r.Float64())
		b := geo.Destination(a, 360*r.Float64(), math.Pow(10, 4.5*r.Float64()))
		if r.IntN(8) == 0 {
			b.Lon = 180 - 360*float64(r.IntN(2))
		}
		want := m.ids(func(f *fence.Fence) bool { return f.Contains(b) })
		at := set.At(b, nil)
		require.Equal(t, want, idsOf(at), "at %v", b)
		along := idsOf(set.Along(a, b, nil))
		require.True(t, slices.IsSorted(along))
		for _, id := range m.ids(func(f *fence.Fence) bool {
			w := f.Traverse(a, b)
			return w.Meets || w.Interior
		}) {
			require.Contains(t, along, id, "from %v to %v", a, b)
		}
		in, by := set.Step(a, b, nil, nil)
		require.Equal(t, want, idsOf(in))
		require.Equal(t, slices.DeleteFunc(slices.Clone(along), func(id string) bool { return slices.Contains(want, id) }), idsOf(by))
		looked, passed, zone := set.StepAndLook(a, b, math.Pow(10, 4*r.Float64()), nil, nil)
		require.Equal(t, want, idsOf(looked))
		require.Subset(t, idsOf(passed), idsOf(by))
		last := b
		for range 20 { // wherever it goes in its zone, it is where it was
			p := geo.Destination(b, 360*r.Float64(), math.Pow(10, 4*r.Float64()))
			if !zone.Holds(set, p) {
				continue
			}
			require.Equal(t, want, idsOf(set.At(p, nil)), "from %v to %v", b, p)
			for _, f := range set.Along(last, p, nil) {
				require.Equal(t, f.Contains(p), f.Traverse(last, p).Interior, "from %v to %v", last, p)
			}
			last = p
		}
		box := geo.SegmentBox(a, b)
		found := []string{}
		set.Search(box, func(f *fence.Fence) bool {
			if f.Box().Intersects(box) {
				found = append(found, f.ID)
			}
			return true
		})
		slices.Sort(found)
		require.Equal(t, m.ids(func(f *fence.Fence) bool { return f.Box().Intersects(box) }), found, "%v", box)
	}
}

func TestTheIndexEqualsBruteForceThroughAnyEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		scene := rapid.SampledFrom(scenes).Draw(t, "scene")
		set, m := fence.NewSet(), model{}
		first, firstModel := set, model{}
		version := int64(0)
		for range rapid.IntRange(1, 6).Draw(t, "batches") {
			old, before := set, maps.Clone(m)
			var changes []fence.Change
			for range rapid.IntRange(0, 40).Draw(t, "changes") {
				id := "f" + strconv.Itoa(r.IntN(60))
				c := fence.Change{ID: id, Version: version}
				if r.IntN(3) > 0 {
					f, err := fence.Parse(id, randomFeature(r, scene), version)
					require.NoError(t, err)
					c.Fence = f
				}
				version++
				changes = append(changes, c)
			}
			set = set.Apply(changes)
			for _, c := range changes {
				if delete(m, c.ID); c.Fence != nil {
					m[c.ID] = c.Fence
				}
			}
			requireDiff(t, old, set, before, m)
			compare(t, r, old, before, scene) // it did not change under its readers
		}
		require.Equal(t, version-1, set.Version())
		compare(t, r, set, m, scene)
		requireDiff(t, first, set, firstModel, m)
		requireDiff(t, set, first, m, firstModel)
		for id, f := range m {
			got, ok := set.Get(id)
			require.True(t, ok)
			require.Same(t, f, got)
		}
		_, ok := set.Get("nobody")
		require.False(t, ok)
	})
}

func requireDiff(t *rapid.T, from, to *fence.Set, before, after model) {
	changed, removed := fence.Diff(from, to)
	require.Equal(t, after.ids(func(f *fence.Fence) bool {
		o, ok := before[f.ID]
		return !ok || o.Version != f.Version
	}), idsOf(changed))
	require.Equal(t, before.ids(func(f *fence.Fence) bool {
		_, ok := after[f.ID]
		return !ok
	}), idsOf(removed))
}

func mustParse(tb require.TestingT, id string, feature []byte, version int64) *fence.Fence {
	f, err := fence.Parse(id, feature, version)
	require.NoError(tb, err)
	return f
}

func TestOfSeveralChangesToOneFenceTheLastWins(t *testing.T) {
	a, b := mustParse(t, "x", circleFeature(newYork, 10), 1), mustParse(t, "x", circleFeature(newYork, 20), 3)
	set := fence.NewSet().Apply([]fence.Change{{ID: "x", Fence: a, Version: 1}, {ID: "x", Version: 2}, {ID: "x", Fence: b, Version: 3}})
	got, ok := set.Get("x")
	require.True(t, ok)
	require.Same(t, b, got)
	require.Equal(t, []string{"x"}, idsOf(set.At(newYork, nil)))
	set = set.Apply([]fence.Change{{ID: "x", Fence: a, Version: 4}, {ID: "x", Version: 5}})
	require.Zero(t, set.Len())
	require.Empty(t, set.At(newYork, nil))
	require.Equal(t, int64(5), set.Version())
	require.Equal(t, int64(-1), fence.NewSet().Version())
}

func TestSetsDerivedFromOneParentAreToldApart(t *testing.T) {
	parent := fence.NewSet().Apply([]fence.Change{{ID: "a", Fence: mustParse(t, "a", circleFeature(newYork, 10), 1), Version: 1}})
	left := parent.Apply([]fence.Change{{ID: "b", Fence: mustParse(t, "b", circleFeature(newYork, 10), 2), Version: 2}})
	right := parent.Apply([]fence.Change{{ID: "c", Fence: mustParse(t, "c", circleFeature(newYork, 10), 3), Version: 3}, {ID: "a", Version: 4}})
	changed, removed := fence.Diff(left, right)
	require.Equal(t, []string{"c"}, idsOf(changed))
	require.Equal(t, []string{"a", "b"}, idsOf(removed))
	changed, removed = fence.Diff(left, left)
	require.Empty(t, changed)
	require.Empty(t, removed)
}

func TestAFenceThatFollowsAVehicleIsNowhereUntilPlaced(t *testing.T) {
	f := mustParse(t, "near", []byte(`{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]},"properties":{"radius_metres":100,"follows":"bus-1"}}`), 1)
	set := fence.NewSet().Apply([]fence.Change{{ID: "near", Fence: f, Version: 1}})
	require.Empty(t, set.At(geo.Point{}, nil))
	require.False(t, f.Contains(geo.Point{}))
	require.True(t, f.OutsideBy(geo.Point{}, 1))
	placed := f.Place(newYork, 7)
	require.True(t, placed.Contains(newYork))
	require.False(t, f.Contains(newYork))
	require.Equal(t, "bus-1", placed.Follows)
	require.False(t, placed.OutsideBy(geo.Destination(newYork, 90, 130), 40))
	require.True(t, placed.OutsideBy(geo.Destination(newYork, 90, 150), 40))
	set = set.Apply([]fence.Change{{ID: "near", Version: 2}})
	require.Zero(t, set.Len())
}

func TestSetsAreReadWhileOthersAreDerived(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	set := fence.NewSet()
	for i := range 300 {
		id := strconv.Itoa(i)
		set = set.Apply([]fence.Change{{ID: id, Fence: mustParse(t, id, randomFeature(r, newYork), int64(i)), Version: int64(i)}})
	}
	want := idsOf(set.At(newYork, nil))
	edit := fence.Change{ID: "new", Fence: mustParse(t, "new", circleFeature(newYork, 5000), 1000), Version: 1000}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				require.Equal(t, want, idsOf(set.At(newYork, nil)))
				next := set.Apply([]fence.Change{edit, {ID: "5", Version: 1001}})
				changed, _ := fence.Diff(set, next)
				require.Equal(t, []string{"new"}, idsOf(changed))
			}
		})
	}
	wg.Wait()
}

func TestSearchesAllocateNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	set := fence.NewSet()
	for i := range 100 {
		id := strconv.Itoa(i)
		set = set.Apply([]fence.Change{{ID: id, Fence: mustParse(t, id, randomFeature(r, newYork), int64(i)), Version: int64(i)}})
	}
	to := geo.Destination(newYork, 45, 60)
	inside, passed := make([]*fence.Fence, 0, 200), make([]*fence.Fence, 0, 200)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		inside = set.At(newYork, inside[:0])
		passed = set.Along(newYork, to, passed[:0])
		inside, passed = set.Step(newYork, to, inside[:0], passed[:0])
	}))
}
