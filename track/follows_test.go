package track_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/track"
)

func TestAVehicleIsNeitherInNorOutOfTheFenceThatFollowsIt(t *testing.T) {
	t.Parallel()
	circle := func(properties string, version int64) fence.Change {
		f, err := fence.Parse("convoy", fmt.Appendf(nil, `{"type":"Feature","geometry":{"type":"Point","coordinates":[-73.98,40.75]},"properties":{"radius_metres":500%s}}`, properties), version)
		require.NoError(t, err)
		return fence.Change{ID: "convoy", Fence: f, Version: version}
	}
	fixes := parkedAt(start, start+10_000, start+20_000)
	following := fence.NewSet().Apply([]fence.Change{circle(`,"follows":"v1"`, 1), {ID: "convoy", Moved: &fence.Move{Vehicle: "v1", At: fixes[0].Position}, Version: 2}})
	f := newFleet(track.DefaultSettings(), following)
	f.observe(&fixes[0])
	f.observe(&fixes[1])
	f.settle()
	f.change(following.Apply([]fence.Change{circle("", 3)}))
	require.Equal(t, []string{"convoy enter fence_changed"}, f.brief(), "it follows nobody any more")
	f.change(f.set.Apply([]fence.Change{circle(`,"follows":"v1"`, 4), {ID: "convoy", Moved: &fence.Move{Vehicle: "v1", At: fixes[0].Position}, Version: 5}}))
	f.observe(&fixes[2])
	f.settle()
	require.Equal(t, []string{"convoy exit fence_changed"}, f.brief())
}
