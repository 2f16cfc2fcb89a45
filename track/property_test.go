package track_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

const start = 1767600000000

// walk draws a few vehicles that drive, rest, leap, fall silent, repeat themselves and come late.
func walk(t *rapid.T) []track.Fix {
	n := rapid.IntRange(5, 120).Draw(t, "fixes")
	at := map[string]geo.Point{}
	clock := map[string]int64{}
	nan := math.NaN()
	var fixes []track.Fix
	for i := range n {
		v := fmt.Sprintf("v%d", rapid.IntRange(1, 3).Draw(t, "vehicle"))
		p, seen := at[v]
		if !seen {
			p = geo.Point{Lon: -73.98, Lat: 40.75}
		}
		kind := rapid.IntRange(0, 19).Draw(t, "kind")
		wait := int64(rapid.IntRange(1, 60).Draw(t, "seconds")) * 1000
		switch {
		case kind < 7: // drive
			p.Lon += float64(rapid.IntRange(-30, 30).Draw(t, "east")) * 0.0001
			p.Lat += float64(rapid.IntRange(-30, 30).Draw(t, "north")) * 0.0001
		case kind == 17: // leap
			p.Lon += 0.5
		case kind == 18: // silence
			wait = int64(rapid.IntRange(300, 2000).Draw(t, "silence")) * 1000
		case kind == 19: // late
			wait = -wait
		}
		clock[v] += wait
		at[v] = p
		fixes = append(fixes, track.Fix{
			Vehicle: v, Time: start + clock[v], Position: p, SpeedMPS: nan, HeadingDegrees: nan,
			AccuracyMetres: float64(rapid.IntRange(0, 100).Draw(t, "accuracy")), AltitudeMetres: nan, Offset: int64(i),
		})
		if kind == 16 {
			fixes = append(fixes, fixes[len(fixes)-1])
		}
	}
	return fixes
}

func yards(t require.TestingT, version int64) *fence.Set {
	set := fence.NewSet()
	for id, feature := range map[string]string{
		"a": `{"type":"Feature","geometry":{"type":"Point","coordinates":[-73.98,40.75]},"properties":{"radius_metres":300,"dwell_seconds":90}}`,
		"b": `{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[-73.979,40.749],[-73.978,40.749],[-73.978,40.752],[-73.979,40.752],[-73.979,40.749]]]},"properties":{}}`,
		"c": `{"type":"Feature","geometry":{"type":"Point","coordinates":[-73.981,40.751]},"properties":{"radius_metres":400,"schedule":{"zone":"UTC","weekly":[{"days":["mon"],"from":"08:05","to":"08:20"}]}}}`,
	} {
		f, err := fence.Parse(id, []byte(feature), version)
		require.NoError(t, err)
		set = set.Apply([]fence.Change{{ID: id, Fence: f, Version: version}})
	}
	return set
}

// perVehicle is what came out for each vehicle, in order.
func perVehicle(lines [][]byte) map[string][]string {
	m := map[string][]string{}
	for _, l := range lines {
		var head struct{ Vehicle, Type string }
		_ = json.Unmarshal(l, &head)
		kind := head.Vehicle + " documents"
		if head.Type != "" {
			kind = head.Vehicle + " events"
		}
		m[kind] = append(m[kind], string(l))
	}
	return m
}

func run(fixes []track.Fix, settings track.Settings, set *fence.Set, batch func(i int) bool, after func(*fleet)) map[string][]string {
	f := newFleet(settings, set)
	for i := range fixes {
		f.observe(&fixes[i])
		if batch(i) {
			f.settle()
			if after != nil {
				after(f)
			}
		}
	}
	f.settle()
	f.clock += (2 * time.Hour).Milliseconds() // whatever is due becomes due in every run
	f.settle()
	return perVehicle(f.lines)
}

func drawSettings(t *rapid.T) track.Settings {
	s := track.DefaultSettings()
	if rapid.Bool().Draw(t, "reorder") {
		s.ReorderWindow = time.Duration(rapid.IntRange(1, 60).Draw(t, "window")) * time.Second
	}
	if rapid.Bool().Draw(t, "forget") {
		s.ForgetAfter = 20 * time.Minute
	}
	return s
}

func TestAnyBatchingEqualsAnyOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fixes, settings := walk(t), drawSettings(t)
		set := yards(t, 1)
		single := run(fixes, settings, set, func(int) bool { return true }, nil)
		cuts := rapid.SliceOfN(rapid.Bool(), len(fixes), len(fixes)).Draw(t, "cuts")
		require.Equal(t, single, run(fixes, settings, set, func(i int) bool { return cuts[i] }, nil))
		require.Equal(t, single, run(fixes, settings, set, func(int) bool { return false }, nil))
	})
}

func TestARunCutAndRestoredEqualsTheUncutRun(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		fixes, settings := walk(rt), drawSettings(rt)
		set := yards(rt, 1)
		uncut := run(fixes, settings, set, func(int) bool { return true }, nil)
		cuts := rapid.SliceOfN(rapid.Bool(), len(fixes), len(fixes)).Draw(rt, "cuts")
		i := 0
		require.Equal(rt, uncut, run(fixes, settings, set, func(int) bool { return true }, func(f *fleet) {
			if cuts[i] {
				f.restart(t)
			}
			i++
		}))
	})
}

func TestSequencesHaveNoHolesAndEventsOfOneRecordAreInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		settings := track.DefaultSettings()
		for _, lines := range run(walk(t), settings, yards(t, 1), func(int) bool { return true }, nil) {
			for i, line := range lines {
				var e struct {
					Type     string
					Sequence int
				}
				require.NoError(t, json.Unmarshal([]byte(line), &e))
				if e.Type != "" {
					require.Equal(t, i+1, e.Sequence)
				}
			}
		}
	})
}

func TestAddingThenRemovingAFenceLeavesNothingButItsEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fixes := walk(t)
		plain := newFleet(track.DefaultSettings(), fence.NewSet())
		edited := newFleet(track.DefaultSettings(), fence.NewSet())
		add, remove := rapid.IntRange(0, len(fixes)-1).Draw(t, "add"), rapid.IntRange(0, len(fixes)-1).Draw(t, "remove")
		full := yards(t, 1)
		for i := range fixes {
			if i == add && add < remove {
				edited.change(full)
			}
			if i == remove && add < remove {
				edited.change(full.Apply([]fence.Change{{ID: "a", Version: 2}, {ID: "b", Version: 3}, {ID: "c", Version: 4}}))
			}
			plain.observe(&fixes[i])
			edited.observe(&fixes[i])
		}
		for v, tr := range plain.tracks {
			require.Equal(t, fmt.Sprint(tr.Path(0, 0, 0)), fmt.Sprint(edited.tracks[v].Path(0, 0, 0)))
			if add < remove {
				require.Empty(t, edited.tracks[v].FenceIDs())
			}
		}
	})
}

// change applies a fence set as a partition does between batches.
func (f *fleet) change(set *fence.Set) {
	changed, removed := fence.Diff(f.set, set)
	f.set = set
	for _, t := range f.tracks {
		t.FencesChanged(f.env(), changed, removed, &f.out)
	}
	f.settle()
}

func TestFenceEditsMakeTheRightEventsOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(track.DefaultSettings(), fence.NewSet())
	nan := math.NaN()
	f.observe(&track.Fix{Vehicle: "v1", Time: start, Position: geo.Point{Lon: -73.98, Lat: 40.75}, SpeedMPS: nan, HeadingDegrees: nan, AccuracyMetres: nan, AltitudeMetres: nan})
	set := yards(t, 1)
	f.change(set)
	require.Equal(t, []string{"a enter fence_changed"}, f.brief(), "c is closed at eight, b is elsewhere")
	moved, err := fence.Parse("a", []byte(`{"type":"Feature","geometry":{"type":"Point","coordinates":[-73.98,40.751]},"properties":{"radius_metres":300,"dwell_seconds":90}}`), 2)
	require.NoError(t, err)
	f.change(set.Apply([]fence.Change{{ID: "a", Fence: moved, Version: 2}}))
	require.Empty(t, f.brief(), "a vehicle that stays inside keeps its visit")
	away, err := fence.Parse("a", []byte(`{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]},"properties":{"radius_metres":300}}`), 3)
	require.NoError(t, err)
	f.change(f.set.Apply([]fence.Change{{ID: "a", Fence: away, Version: 3}}))
	require.Equal(t, []string{"a exit fence_changed"}, f.brief())
	f.change(f.set.Apply([]fence.Change{{ID: "a", Version: 4}}))
	require.Empty(t, f.brief())
}

// brief takes the events that came out: fence, type and cause.
func (f *fleet) brief() []string {
	var all []string
	for _, l := range f.lines {
		var e struct {
			Type, Cause string
			Fence       struct{ ID string }
		}
		if json.Unmarshal(l, &e) == nil && e.Type != "" {
			all = append(all, e.Fence.ID+" "+e.Type+" "+e.Cause)
		}
	}
	f.lines = nil
	slices.Sort(all)
	return all
}

func FuzzRestore(f *testing.F) {
	t := track.New("v1")
	f.Add(t.AppendSnapshot(nil))
	f.Add([]byte("\x08\x01\x12\xff"))
	f.Fuzz(func(t *testing.T, snapshot []byte) {
		restored, err := track.Restore("v1", snapshot)
		if err != nil {
			return
		}
		again, err := track.Restore("v1", restored.AppendSnapshot(nil))
		require.NoError(t, err)
		require.Equal(t, restored.AppendSnapshot(nil), again.AppendSnapshot(nil))
	})
}
