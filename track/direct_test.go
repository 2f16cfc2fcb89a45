package track_test

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// bench is one track on its own.
type bench struct {
	settings track.Settings
	env      track.Env
	track    *track.Track
	out      track.Output
	offset   int64
}

func newBench() *bench {
	b := &bench{settings: track.DefaultSettings(), track: track.New("v")}
	b.env = track.Env{Settings: &b.settings, Fences: fence.NewSet()}
	return b
}

// at observes a fix so many seconds after the start.
func (b *bench) at(seconds float64, p geo.Point) track.Outcome {
	nan := math.NaN()
	b.offset++
	f := &track.Fix{
		Vehicle: "v", Time: start + int64(seconds*1000), Position: p, SpeedMPS: nan, HeadingDegrees: nan, AccuracyMetres: nan, AltitudeMetres: nan, Offset: b.offset,
	}
	b.env.EventClock = max(b.env.EventClock, f.Time)
	return b.track.Observe(&b.env, f, &b.out)
}

func (b *bench) events() []string {
	var all []string
	for _, e := range b.out.Events {
		all = append(all, fmt.Sprintf("%s %s %d", e.Type, e.Cause, (e.Time-start)/1000))
	}
	b.out.Reset()
	return all
}

func (b *bench) view() *track.View {
	v := &track.View{}
	b.track.View(v)
	return v
}

func east(metres float64) geo.Point { return geo.Destination(newYork, 90, metres) }

func TestAJumpIsDiscardedConfirmedOrReplaced(t *testing.T) {
	t.Parallel()
	b := newBench()
	require.Equal(t, track.Accepted, b.at(0, newYork))
	require.Equal(t, track.Jump, b.at(10, east(50_000)), "5 km/s")
	require.Equal(t, track.Duplicate, b.at(10, east(50_000)), "a pending one is known")
	require.Equal(t, newYork, b.view().Position)
	require.Equal(t, track.Accepted, b.at(20, east(200)), "the jump was none")
	require.InDelta(t, 200, b.view().OdometerMetres, 0.1)

	require.Equal(t, track.Jump, b.at(30, east(50_000)))
	require.Equal(t, track.Jump, b.at(40, east(-70_000)), "near neither: it replaces the pending one")
	require.Equal(t, track.Accepted, b.at(50, east(-70_100)), "which is confirmed")
	require.InDelta(t, 300, b.view().OdometerMetres, 0.1, "the leap adds nothing")
	require.Len(t, b.track.Path(0, 0, 0), 3, "jumps are left out of paths")
	require.Equal(t, track.Late, b.at(45, newYork))
	flags := []track.DocumentFlags{}
	for _, d := range b.out.Documents {
		flags = append(flags, d.Flags)
	}
	require.Equal(t, []track.DocumentFlags{0, track.FlagJump, 0, track.FlagJump, track.FlagJump, 0, track.FlagLate}, flags, "one document each")
}

func TestAConfirmedJumpMakesTransitionsAtItsOwnTimeAndNoCross(t *testing.T) {
	t.Parallel()
	b := newBench()
	circle := func(id string, metres float64) fence.Change {
		f, err := fence.Parse(id, fmt.Appendf(nil, `{"type":"Feature","geometry":{"type":"Point","coordinates":[%v,%v]},"properties":{"radius_metres":500}}`, east(metres).Lon, east(metres).Lat), 1)
		require.NoError(t, err)
		return fence.Change{ID: id, Fence: f, Version: 1}
	}
	b.env.Fences = b.env.Fences.Apply([]fence.Change{circle("here", 0), circle("between", 10_000), circle("there", 20_000)})
	b.at(0, newYork)
	b.at(10, east(20_000))
	require.Equal(t, []string{"enter fix 0"}, b.events())
	b.at(20, east(20_050))
	require.Equal(t, []string{"exit fix 10", "enter fix 10"}, b.events())
}

func TestAGapStartsByTheClockAndEndsWithTheNextFix(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.at(0, newYork)
	b.env.EventClock = start + 300_000
	b.track.Tick(&b.env, &b.out)
	require.Empty(t, b.events(), "not before more than five minutes")
	b.env.EventClock++
	due, ok := b.track.Due(&b.env)
	require.True(t, ok)
	require.Equal(t, b.env.EventClock, due)
	b.track.Tick(&b.env, &b.out)
	require.Equal(t, []string{"gap_started clock 300"}, b.events())
	require.Equal(t, track.Silent, b.view().Status)
	require.Equal(t, track.Late, b.at(-10, newYork))
	require.Equal(t, track.Jump, b.at(301, east(5_000_000)))
	require.Empty(t, b.events(), "neither ends it")
	b.at(310, east(200))
	require.Equal(t, track.Moving, b.view().Status)
	require.False(t, b.out.Events[0].Gap.Delayed)
	require.Equal(t, []string{"gap_ended fix 310"}, b.events())

	b.env.EventClock += 1_000_000
	b.track.Tick(&b.env, &b.out)
	require.Equal(t, []string{"gap_started clock 610"}, b.events())
	b.at(320, east(400)) // its data was late all the time
	require.True(t, b.out.Events[0].Gap.Delayed)
	require.Equal(t, []string{"gap_ended fix 610"}, b.events())
}

func TestAPathKeepsTheNewestFixes(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.settings.PathFixes = 10
	for i := range 25 {
		b.at(float64(i), east(float64(i)))
	}
	times := func() []int64 {
		all := []int64{}
		for _, p := range b.track.Path(0, 0, 0) {
			all = append(all, (p.Time-start)/1000)
		}
		return all
	}
	require.Equal(t, []int64{15, 16, 17, 18, 19, 20, 21, 22, 23, 24}, times())
	require.Equal(t, int64(start+14_001), b.track.PathStart(), "whole from after the last one that went")
	require.Len(t, b.track.Path(start+20_000, start+23_000, 0), 3)
	newest := b.track.Path(0, start+23_000, 2)
	require.Equal(t, []int64{start + 21_000, start + 22_000}, []int64{newest[0].Time, newest[1].Time})

	configure := func(fixes uint32) {
		b.track.Apply(&b.env, &trackmeshv1.Command{Body: &trackmeshv1.Command_Configure{Configure: &trackmeshv1.Configure{PathFixes: &fixes}}}, &b.out)
	}
	configure(3)
	b.at(25, east(25))
	require.Equal(t, []int64{23, 24, 25}, times())
	require.Equal(t, int64(start+22_001), b.track.PathStart())
	configure(0) // the node's again
	b.at(26, east(26))
	require.Equal(t, []int64{23, 24, 25, 26}, times())
}

// TestAPathGoesOnForMonths would take a copy of the path for each fix if its base did not go on with it.
func TestAPathGoesOnForMonths(t *testing.T) {
	b := newBench()
	b.settings.PathFixes, b.settings.ForgetAfter = 50, 1000*24*time.Hour
	const day = 86_400
	for i := range 1200 {
		b.at(float64(i)*day/10, east(float64(i)))
		b.out.Reset()
	}
	require.Len(t, b.track.Path(0, 0, 0), 50)
	b.at(300*day, east(0))
	require.Len(t, b.track.Path(0, 0, 0), 1, "nothing of the last 49 days")
	b.out.Reset()
	i := 0.0
	allocated := testing.AllocsPerRun(20, func() {
		i++
		b.at(300*day+i, east(i))
		b.out.Reset()
	})
	require.Less(t, allocated, 5.0)
}

func TestAVehicleCrossesThePole(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.at(0, geo.Point{Lon: 10, Lat: 89.999})
	b.at(10, geo.Point{Lon: -170, Lat: 89.999})
	require.InDelta(t, 223.4, b.view().OdometerMetres, 0.5, "over the pole, not round it")
	require.InDelta(t, 180, b.view().HeadingDegrees, 1)
	for i := range 10 { // it parks there, with noise to all sides
		b.at(20+10*float64(i), geo.Point{Lon: float64(i) * 36, Lat: 89.9999})
	}
	require.Equal(t, track.Stopped, b.view().Status)
	e := b.out.Events[0]
	require.Equal(t, track.StopStarted, e.Type)
	require.Less(t, geo.Distance(e.Stop.Location, geo.Point{Lat: 90}), 12.0)
}

func TestWhatATrackHoldsIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench()
	var changes []fence.Change
	for i := range 2100 {
		id := fmt.Sprintf("f%04d", i)
		f, err := fence.Parse(id, fmt.Appendf(nil, `{"type":"Feature","geometry":{"type":"Point","coordinates":[%v,%v]},"properties":{"radius_metres":500}}`, newYork.Lon, newYork.Lat), int64(i))
		require.NoError(t, err)
		changes = append(changes, fence.Change{ID: id, Fence: f, Version: int64(i)})
	}
	b.env.Fences = b.env.Fences.Apply(changes)
	b.at(0, newYork)
	require.Len(t, b.events(), 2048)
	require.Len(t, b.track.FenceIDs(), 2048)

	annotate := func(attributes map[string]string) {
		b.track.Apply(&b.env, &trackmeshv1.Command{Body: &trackmeshv1.Command_Annotate{Annotate: &trackmeshv1.Annotate{Attributes: attributes}}}, &b.out)
	}
	many := map[string]string{}
	for i := range 64 {
		many[strconv.Itoa(i)] = "x"
	}
	annotate(many)
	annotate(map[string]string{"one more": "x"})
	require.NotContains(t, string(b.view().Attributes), "one more")
	annotate(map[string]string{"1": "", "one more": "x"})
	require.Contains(t, string(b.view().Attributes), "one more")
	require.NotContains(t, string(b.view().Attributes), `"1":`)

	b = newBench()
	b.settings.ReorderWindow = time.Hour
	for i := range 600 {
		require.Equal(t, track.Held, b.at(float64(i), east(float64(i))))
	}
	require.Len(t, b.out.Documents, 88, "the oldest go when there are more than 512")
	require.Less(t, len(b.track.AppendSnapshot(nil)), 200_000)
}

func TestSettingsThatMakeNoSenseAreNamed(t *testing.T) {
	t.Parallel()
	good := track.DefaultSettings()
	require.NoError(t, good.Validate())
	bad := track.Settings{StopRadiusMetres: math.NaN(), StopAfter: -1, ReorderWindow: -1, ExitMarginMetres: -1, PathFixes: -1}
	err := bad.Validate()
	for _, name := range []string{
		"StopRadiusMetres", "StopAfter", "GapAfter", "JumpSpeedMPS", "ReorderWindow", "ExitMarginMetres", "ForgetAfter", "PathFixes",
	} {
		require.ErrorContains(t, err, name)
	}
}
