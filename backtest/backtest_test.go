package backtest_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/backtest"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/test/usage"
	"github.com/trackmesh/trackmesh/track"
)

// memory is a history in memory, in order of time and vehicle.
type memory struct {
	history.Store
	fixes []history.Position
}

func (m *memory) span(from, to time.Time) []history.Position {
	at := func(t time.Time) int {
		i, _ := slices.BinarySearchFunc(m.fixes, t.UnixMilli(), func(p history.Position, ms int64) int { return cmp.Compare(p.Time, ms) })
		return i
	}
	return m.fixes[at(from):at(to)]
}

func (m *memory) Replay(_ context.Context, q history.ReplayQuery) ([]history.Position, error) {
	fixes := m.span(q.From, q.To)
	return fixes[:min(len(fixes), q.Limit)], nil
}

func (m *memory) At(_ context.Context, q history.AtQuery) ([]history.Position, error) {
	newest := map[string]history.Position{}
	for _, p := range m.span(q.At.Add(time.Millisecond-history.DefaultMaxAge), q.At.Add(time.Millisecond)) {
		newest[p.Vehicle] = p
	}
	var all []history.Position
	for _, p := range newest {
		all = append(all, p)
	}
	return all, nil
}

func (m *memory) Path(_ context.Context, q history.PathQuery) ([]history.Position, error) {
	var fixes []history.Position
	for _, p := range m.span(q.From, q.To) {
		if p.Vehicle == q.Vehicle && !p.Late {
			fixes = append(fixes, p)
		}
	}
	return fixes[max(0, len(fixes)-q.Limit):], nil
}

const start = 1_700_000_000_000 // UTC ms

var newYork = geo.Point{Lon: -73.95, Lat: 40.72}

// traffic is fixes of some vehicles every 10 s at about 15 m/s, most of them round one place.
func traffic(r *rand.Rand, vehicles, each int) *memory {
	m := &memory{}
	at, bearing := make([]geo.Point, vehicles), make([]float64, vehicles)
	for v := range at {
		at[v], bearing[v] = geo.Destination(newYork, 360*r.Float64(), 1500*r.Float64()), 360*r.Float64()
	}
	for n := range each {
		for v := range at {
			if r.IntN(10) == 0 {
				bearing[v] = geo.Bearing(at[v], newYork) + 60*r.Float64() - 30
			}
			at[v] = geo.Destination(at[v], bearing[v], 150)
			m.fixes = append(m.fixes, history.Position{
				Vehicle: fmt.Sprintf("car-%05d", v), Time: start + int64(n)*10_000, Location: at[v], SpeedMPS: math.NaN(), HeadingDegrees: math.NaN(),
			})
		}
	}
	return m
}

func yard(t require.TestingT) *fence.Fence {
	f, err := fence.Parse("yard", fmt.Appendf(nil, `{"type":"Feature","geometry":{"type":"Point","coordinates":[%v,%v]},"properties":{"radius_metres":700,"dwell_seconds":60}}`, newYork.Lon, newYork.Lat), 4)
	require.NoError(t, err)
	return f
}

func at(seconds int64) time.Time { return time.UnixMilli(start + 1000*seconds).UTC() }

// events are what a test says, in order of vehicle and sequence.
func events(t require.TestingT, m *memory, q backtest.Question) ([]string, backtest.Summary) {
	type event struct {
		vehicle  string
		sequence uint64
		text     string
	}
	var all []event
	q.Settings = track.DefaultSettings()
	sum, err := backtest.Run(context.Background(), m, q, func(e *track.Event) error {
		all = append(all, event{e.Vehicle, e.Sequence, fmt.Sprint(e.Vehicle, " ", e.Type, " ", e.Cause, " ", e.Time-start, " ", *e.Fence)})
		return nil
	})
	require.NoError(t, err)
	slices.SortStableFunc(all, func(a, b event) int {
		return cmp.Or(strings.Compare(a.vehicle, b.vehicle), cmp.Compare(a.sequence, b.sequence))
	})
	texts := make([]string, len(all))
	for i, e := range all {
		texts[i] = e.text
	}
	return texts, sum
}

// live are the events that the fence made of the same fixes as they came in.
func live(m *memory, f *fence.Fence) []string {
	settings := track.DefaultSettings()
	env := track.Env{Settings: &settings, Fences: fence.NewSet().Apply([]fence.Change{{ID: f.ID, Fence: f, Version: f.Version}})}
	tracks, out := map[string]*track.Track{}, map[string]*track.Output{}
	for _, p := range m.fixes {
		if tracks[p.Vehicle] == nil {
			tracks[p.Vehicle], out[p.Vehicle] = track.New(p.Vehicle), &track.Output{}
		}
		env.EventClock = p.Time
		nan := math.NaN()
		tracks[p.Vehicle].Observe(&env, &track.Fix{
			Vehicle: p.Vehicle, Time: p.Time, Position: p.Location, SpeedMPS: nan, HeadingDegrees: nan, AccuracyMetres: nan, AltitudeMetres: nan,
		}, out[p.Vehicle])
		for _, t := range tracks {
			t.Tick(&env, out[p.Vehicle])
		}
	}
	var texts []string
	for _, o := range out {
		for _, e := range o.Events {
			if e.Fence != nil {
				texts = append(texts, fmt.Sprint(e.Vehicle, " ", e.Type, " ", e.Cause, " ", e.Time-start, " ", *e.Fence))
			}
		}
	}
	return texts
}

func TestATestMakesTheEventsThatTheFenceMade(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := traffic(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), 5, 100)
		q := backtest.Question{Fence: yard(t), From: at(0), To: at(2000), PageSize: rapid.IntRange(1, 700).Draw(t, "page")}
		got, sum := events(t, m, q)
		require.ElementsMatch(t, live(m, q.Fence), got)
		require.Equal(t, backtest.Summary{Fixes: 500, Vehicles: 5}, sum)
		// A few vehicles by name are the same, but for what only the clocks of others could show.
		q.Vehicles = []string{"car-00003", "car-00001"}
		few, sum := events(t, m, q)
		require.Equal(t, backtest.Summary{Fixes: 200, Vehicles: 2}, sum)
		require.Equal(t, slices.DeleteFunc(got, func(s string) bool {
			return !strings.HasPrefix(s, "car-00003") && !strings.HasPrefix(s, "car-00001")
		}), few)
	})
}

func TestAVehicleThatIsInsideAlreadyDoesNotEnter(t *testing.T) {
	t.Parallel()
	m := &memory{}
	for s := int64(0); s < 100; s += 10 {
		place := newYork
		if s >= 60 {
			place = geo.Destination(newYork, 90, 900+float64(s))
		}
		m.fixes = append(m.fixes, history.Position{Vehicle: "v", Time: start + 1000*s, Location: place, SpeedMPS: 1, HeadingDegrees: 1})
	}
	m.fixes = slices.Insert(m.fixes, 8, history.Position{Vehicle: "v", Time: start + 70_000, Location: newYork, Late: true, SpeedMPS: 1, HeadingDegrees: 1})
	for _, vehicles := range [][]string{nil, {"v"}} {
		got, sum := events(t, m, backtest.Question{Fence: yard(t), From: at(30), To: at(100), Vehicles: vehicles})
		require.Len(t, got, 1)
		require.Contains(t, got[0], "v exit fix")
		require.Equal(t, backtest.Summary{Fixes: 7, Vehicles: 1}, sum)
	}
}

func TestSenselessQuestionsAreRefused(t *testing.T) {
	t.Parallel()
	follows, err := fence.Parse("x", []byte(`{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]},"properties":{"radius_metres":7,"follows":"v"}}`), 4)
	require.NoError(t, err)
	for _, q := range []backtest.Question{
		{Fence: follows, From: at(0), To: at(1)},
		{Fence: yard(t), To: at(1)},
		{Fence: yard(t), From: at(1), To: at(1)},
		{Fence: yard(t), From: at(0), To: at(400 * 86_400)},
	} {
		_, err := backtest.Run(context.Background(), &memory{}, q, nil)
		require.ErrorIs(t, err, backtest.ErrQuestion)
	}
}

func TestItEndsWhenThereIsEnough(t *testing.T) {
	t.Parallel()
	m := traffic(rand.New(rand.NewPCG(1, 1)), 5, 100)
	n := 0
	sum, err := backtest.Run(context.Background(), m, backtest.Question{Fence: yard(t), From: at(0), To: at(2000), Settings: track.DefaultSettings()}, func(*track.Event) error {
		if n++; n == 3 {
			return backtest.ErrEnough
		}
		return nil
	})
	require.NoError(t, err)
	require.True(t, sum.Stopped)
	require.Equal(t, 3, n)
}

// BenchmarkRun is fixes of 1,000 vehicles in memory through the state machine.
func BenchmarkRun(b *testing.B) {
	m := traffic(rand.New(rand.NewPCG(1, 1)), 1000, 300)
	f := yard(b)
	fixes, found := 0, 0
	before := usage.CPU()
	b.ReportAllocs()
	for b.Loop() {
		sum, err := backtest.Run(context.Background(), m, backtest.Question{Fence: f, From: at(0), To: at(3000), Settings: track.DefaultSettings()}, func(*track.Event) error {
			found++
			return nil
		})
		require.NoError(b, err)
		fixes += sum.Fixes
	}
	cpu := (usage.CPU() - before).Seconds()
	b.ReportMetric(float64(fixes)/b.Elapsed().Seconds(), "fixes/s")
	b.ReportMetric(float64(fixes)/cpu, "fixes/cpu-s")
	b.ReportMetric(float64(found)/float64(fixes), "events/fix")
}
