package fence_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

func follower(leader string) []byte {
	return fmt.Appendf(nil, `{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]},"properties":{"radius_metres":100,"follows":%q}}`, leader)
}

func TestAFenceIsWhereItsVehicleWasMovedTo(t *testing.T) {
	t.Parallel()
	put := fence.Change{ID: "near", Fence: mustParse(t, "near", follower("bus-1"), 1), Version: 1}
	move := func(vehicle string, at geo.Point, version int64) fence.Change {
		return fence.Change{ID: "near", Moved: &fence.Move{Vehicle: vehicle, At: at}, Version: version}
	}
	there := geo.Destination(newYork, 90, 5000)
	set := fence.NewSet().Apply([]fence.Change{put, move("bus-1", newYork, 2)})
	f, ok := set.Get("near")
	require.True(t, ok)
	require.Equal(t, []int64{2, 1}, []int64{f.Version, f.Edited})
	require.Equal(t, []string{"near"}, idsOf(set.At(newYork, nil)))
	require.JSONEq(t, fmt.Sprintf(`{"type":"Point","coordinates":[%v,%v]}`, newYork.Lon, newYork.Lat), string(f.Geometry()))
	moved := set.Apply([]fence.Change{move("bus-1", there, 3)})
	changed, removed := fence.Diff(set, moved)
	require.Equal(t, []string{"near"}, idsOf(changed))
	require.Empty(t, removed)
	require.Empty(t, moved.At(newYork, nil))
	require.Equal(t, []string{"near"}, idsOf(moved.At(there, nil)))
	other := moved.Apply([]fence.Change{{ID: "near", Fence: mustParse(t, "near", follower("bus-2"), 4), Version: 4}})
	require.Empty(t, other.At(there, nil), "another vehicle is to be followed")
	gone := moved.Apply([]fence.Change{{ID: "near", Moved: &fence.Move{Vehicle: "bus-1", Withdrawn: true}, Version: 4}})
	require.Empty(t, gone.At(there, nil))
	require.True(t, gone.HasFollowers())
	require.Equal(t, []string{"near"}, idsOf(set.At(newYork, nil)), "a set does not change under its readers")
	early := fence.NewSet().Apply([]fence.Change{move("bus-1", newYork, 2)}).Apply([]fence.Change{{ID: "near", Fence: put.Fence, Version: 3}})
	require.Equal(t, []string{"near"}, idsOf(early.At(newYork, nil)), "compaction may leave the move before its fence")
}

// TestACompactedLogMakesTheSameSet holds the set that was read as it was written against one of what compaction left.
func TestACompactedLogMakesTheSameSet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type record struct {
			key    string
			change fence.Change
			tomb   bool
		}
		var log []record
		version := int64(0)
		add := func(key string, c fence.Change, tomb bool) {
			c.Version = version
			version++
			log = append(log, record{key, c, tomb})
		}
		for range rapid.IntRange(1, 30).Draw(t, "records") {
			id := "f" + strconv.Itoa(rapid.IntRange(0, 2).Draw(t, "fence"))
			leader := rapid.SampledFrom([]string{"bus-1", "bus-2"}).Draw(t, "leader")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				add(id, fence.Change{ID: id, Fence: mustParse(t, id, follower(leader), version)}, false)
			case 1:
				add(id, fence.Change{ID: id, Fence: mustParse(t, id, circleFeature(newYork, 50), version)}, false)
			case 2:
				add("moved "+id, fence.Change{ID: id, Moved: &fence.Move{Withdrawn: true}}, true)
				add(id, fence.Change{ID: id}, true)
			default:
				at := geo.Destination(newYork, 90, float64(rapid.IntRange(0, 3).Draw(t, "place"))*1000)
				add("moved "+id, fence.Change{ID: id, Moved: &fence.Move{Vehicle: leader, At: at, Withdrawn: rapid.IntRange(0, 4).Draw(t, "gone") == 0}}, false)
			}
		}
		newest := map[string]int64{}
		live, rebuilt := fence.NewSet(), fence.NewSet()
		for _, r := range log {
			newest[r.key] = r.change.Version
			live = live.Apply([]fence.Change{r.change})
		}
		for _, r := range log {
			if newest[r.key] == r.change.Version && !r.tomb {
				rebuilt = rebuilt.Apply([]fence.Change{r.change})
			}
		}
		require.Equal(t, live.Len(), rebuilt.Len())
		live.All("", func(f *fence.Fence) bool {
			g, ok := rebuilt.Get(f.ID)
			require.True(t, ok)
			require.Equal(t, string(f.Feature()), string(g.Feature()))
			require.Equal(t, []int64{f.Version, f.Edited}, []int64{g.Version, g.Edited})
			return true
		})
		for km := range 4 {
			at := geo.Destination(newYork, 90, float64(km)*1000)
			require.Equal(t, idsOf(live.At(at, nil)), idsOf(rebuilt.At(at, nil)))
		}
	})
}
