package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestASeedIsASchedule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		within := time.Duration(rapid.IntRange(5, 120).Draw(t, "seconds")) * time.Second
		faults := Schedule(seed, within, 6, 3)
		require.Equal(t, faults, Schedule(seed, within, 6, 3))
		for _, f := range faults {
			require.Less(t, f.At, within)
			require.Positive(t, f.For)
			for _, n := range f.Nodes {
				require.True(t, n >= 0 && n < 6)
			}
			require.Equal(t, slices.Compact(slices.Clone(f.Nodes)), f.Nodes)
		}
	})
}

func TestSchedulesHaveEveryKind(t *testing.T) {
	t.Parallel()
	seen := map[Kind]bool{}
	all := false
	for seed := range uint64(40) {
		for _, f := range Schedule(seed, time.Minute, 6, 3) {
			seen[f.Kind] = true
			all = all || (f.Kind == Kill && len(f.Nodes) == 6)
		}
	}
	for _, k := range weighted() {
		require.True(t, seen[k], "%s", k)
	}
	require.True(t, all, "all nodes at once")
}

// TestShrinkFindsTheFaultsThatMatter: of any schedule, the two faults that fail together.
func TestShrinkFindsTheFaultsThatMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		faults := Schedule(rapid.Uint64().Draw(t, "seed"), 90*time.Second, 6, 3)
		if len(faults) < 3 {
			return
		}
		a := rapid.IntRange(0, len(faults)-2).Draw(t, "a")
		b := rapid.IntRange(a+1, len(faults)-1).Draw(t, "b")
		tries := 0
		fails := func(some []Fault) bool {
			tries++
			has := func(f Fault) bool { return slices.ContainsFunc(some, func(g Fault) bool { return g.At == f.At }) }
			return has(faults[a]) && has(faults[b])
		}
		shrunk := Shrink(faults, fails, func() bool { return false })
		require.Equal(t, []Fault{faults[a], faults[b]}, shrunk)
		require.Less(t, tries, 20*len(faults))
	})
}

func TestShrinkEndsWhenTimeIsUp(t *testing.T) {
	t.Parallel()
	faults := Schedule(1, time.Minute, 6, 3)
	tries := 0
	shrunk := Shrink(faults, func([]Fault) bool { tries++; return true }, func() bool { return tries >= 2 })
	require.Equal(t, 2, tries)
	require.Less(t, len(shrunk), len(faults))
}
