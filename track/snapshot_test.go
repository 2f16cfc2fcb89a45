package track_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/geo"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

func TestSnapshotsAreWhatTheProtoSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := newFleet(drawSettings(t), yards(t, 1))
		fixes := walk(t)
		for i := range fixes {
			f.observe(&fixes[i])
		}
		for v, tr := range f.tracks {
			radius := 30.0
			tr.Apply(f.env(), &trackmeshv1.Command{Body: &trackmeshv1.Command_Configure{Configure: &trackmeshv1.Configure{StopRadiusMetres: &radius}}}, &f.out)
			tr.Apply(f.env(), &trackmeshv1.Command{Body: &trackmeshv1.Command_Annotate{Annotate: &trackmeshv1.Annotate{Attributes: map[string]string{"driver": "Ada"}}}}, &f.out)
			raw := tr.AppendSnapshot(nil)
			var m trackmeshv1.Snapshot
			require.NoError(t, m.UnmarshalVT(raw))
			require.Equal(t, tr.FenceIDs(), visitIDs(&m))
			require.InDelta(t, 30, m.GetOwn().GetStopRadiusMetres(), 0)
			require.Equal(t, "Ada", m.GetAnnotations()["driver"])
			generated, err := m.MarshalVT()
			require.NoError(t, err)
			restored, err := track.Restore(v, generated)
			require.NoError(t, err)
			require.Equal(t, raw, restored.AppendSnapshot(nil))
		}
	})
}

func visitIDs(m *trackmeshv1.Snapshot) []string {
	var ids []string
	for _, v := range m.GetVisits() {
		ids = append(ids, v.GetId())
	}
	return ids
}

func TestASnapshotOfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	raw, err := (&trackmeshv1.Snapshot{Version: 3}).MarshalVT()
	require.NoError(t, err)
	_, err = track.Restore("v", raw)
	require.ErrorIs(t, err, track.ErrSnapshot)
	require.ErrorContains(t, err, "version 3")
	raw, err = (&trackmeshv1.Snapshot{Version: 1}).MarshalVT()
	require.NoError(t, err)
	_, err = track.Restore("v", raw)
	require.ErrorIs(t, err, track.ErrSnapshot)
	_, err = track.Restore("v", nil)
	require.ErrorIs(t, err, track.ErrSnapshot)
}

func TestASnapshotIsSmall(t *testing.T) {
	t.Parallel()
	tr, _ := driven(t)
	require.Less(t, len(tr.AppendSnapshot(nil)), 260, "with two fences and attributes")
}

func TestFixesThatWaitOutliveTheirTracksForgetting(t *testing.T) {
	t.Parallel()
	settings := track.DefaultSettings()
	settings.ReorderWindow = 30 * time.Second
	f := newFleet(settings, yards(t, 1))
	fixes := parkedAt(start, start+60_000)
	f.observe(&fixes[0])
	f.observe(&fixes[1])
	f.settle()
	tr := f.tracks["v1"]
	tr.Apply(f.env(), &trackmeshv1.Command{Body: &trackmeshv1.Command_Forget{Forget: &trackmeshv1.Forget{}}}, &f.out)
	require.False(t, tr.Forgotten(), "a fix waits for its time")
	f.clock += 40_000
	f.settle()
	require.Len(t, perVehicle(f.lines)["v1 documents"], 2)
	require.Equal(t, []string{"a enter fix", "a enter fix", "a exit command"}, f.brief())
}

// parkedAt are fixes in the middle of yard a.
func parkedAt(times ...int64) []track.Fix {
	nan := math.NaN()
	fixes := make([]track.Fix, len(times))
	for i, at := range times {
		fixes[i] = track.Fix{
			Vehicle: "v1", Time: at, Position: geo.Point{Lon: -73.98, Lat: 40.75}, SpeedMPS: nan, HeadingDegrees: nan,
			AccuracyMetres: nan, AltitudeMetres: nan, Offset: int64(i),
		}
	}
	return fixes
}
