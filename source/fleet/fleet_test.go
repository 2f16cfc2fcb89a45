package fleet

import (
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/geo"
)

var start = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

var newYork = sync.OnceValues(NewYork)

func fleetOf(tb testing.TB, o Options) *Fleet {
	tb.Helper()
	n, err := newYork()
	require.NoError(tb, err)
	if o.Start.IsZero() {
		o.Start = start
	}
	f, err := New(n, o)
	require.NoError(tb, err)
	return f
}

// collect steps for so long and calls fn with each observation.
func collect(f *Fleet, from time.Time, long, step time.Duration, fn func(Observation)) {
	for at := step; at <= long; at += step {
		for _, o := range f.Step(from.Add(at)) {
			fn(o)
		}
	}
}

func TestTheSameSeedGivesTheSameObservationsHoweverOneSteps(t *testing.T) {
	t.Parallel()
	gather := func(seed uint64, step time.Duration) (all []Observation) {
		collect(fleetOf(t, Options{Vehicles: 40, Seed: seed}), start, 4*time.Minute, step, func(o Observation) { all = append(all, o) })
		return all
	}
	once := gather(7, 2*time.Second)
	require.Len(t, once, 40*120)
	require.Equal(t, once, gather(7, 2*time.Second))
	require.Equal(t, once, gather(7, 100*time.Millisecond))
	require.Equal(t, once, gather(7, 1250*time.Millisecond))
	require.NotEqual(t, once, gather(8, 2*time.Second))
}

func TestAFleetThatIsStartedAgainGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	const running = 7 * time.Hour // over two ends of shifts
	first := fleetOf(t, Options{Vehicles: 50, Seed: 3})
	first.Step(start.Add(running))
	again := fleetOf(t, Options{Vehicles: 50, Seed: 3, Start: start.Add(running)})
	for i := range 30 {
		now := start.Add(running + time.Duration(i+1)*2*time.Second)
		require.Equal(t, first.Step(now), again.Step(now))
	}
}

func TestVehiclesReachTheirStandsBeforeTheirShiftsEnd(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, Options{Vehicles: 300, Seed: 11})
	for i := range f.vehicles {
		v := &f.vehicles[i]
		for at := seconds(start.UnixMilli()); at < seconds(start.UnixMilli())+6*3600; at += 60 {
			f.advance(v, at)
			// A later shift that began at its time ended the one before it in time.
			require.LessOrEqual(t, v.street.began, f.shiftStart(v, v.shift+1), "vehicle %d", i)
			if v.returning && v.next < 0 {
				require.InDelta(t, f.shiftStart(v, v.shift+1), v.street.ends(), 0.001, "vehicle %d is late", i)
			}
		}
	}
}

func TestEveryVehicleReportsOnceEachInterval(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, Options{Vehicles: 333, Seed: 1})
	last := map[string]int64{}
	for i := range 20 {
		seen := map[string]bool{}
		previous := int64(0)
		for _, o := range f.Step(start.Add(time.Duration(i+1) * 2 * time.Second)) {
			require.False(t, seen[o.Vehicle], o.Vehicle)
			seen[o.Vehicle] = true
			require.GreaterOrEqual(t, o.Time, previous, "in the order of time")
			previous = o.Time
			if before, ok := last[o.Vehicle]; ok {
				require.Equal(t, int64(2000), o.Time-before)
			}
			last[o.Vehicle] = o.Time
		}
		require.Len(t, seen, 333)
	}
	require.Contains(t, last, "taxi-0001")
	require.Contains(t, last, "taxi-0333")
}

func TestAPauseIsNotMadeUpFor(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, Options{Vehicles: 10, Seed: 1})
	after := start.Add(8 * time.Hour)
	all := f.Step(after)
	require.Len(t, all, 10)
	for _, o := range all {
		require.Greater(t, o.Time, after.Add(-2*time.Second).UnixMilli())
	}
	require.Empty(t, f.Step(after))
	require.Empty(t, f.Step(after.Add(-time.Hour)))
	require.Len(t, f.Step(after.Add(2*time.Second)), 10)
}

func TestAnHourOfTheDemoIsPlausible(t *testing.T) {
	t.Parallel()
	const every = 5 * time.Second
	f := fleetOf(t, Options{Vehicles: 2000, Seed: 1, Interval: every})
	airports := map[string][]geo.Point{}
	for _, o := range parsedOutlines() {
		if strings.HasPrefix(o.id, "airport-") {
			airports[o.id] = o.polygons[0][0]
		}
	}
	streets := newStreetIndex(f.network)
	type history struct {
		last  Observation
		since int64 // stands since
		place geo.Point
	}
	vehicles := map[string]*history{}
	visits := map[string]map[string]bool{}
	stops, longStops, moving, occupied, count := 0, 0, 0, 0, 0
	fastest, farthest, jump := 0.0, 0.0, 0.0
	collect(f, start, time.Hour, every, func(o Observation) {
		count++
		fastest = max(fastest, o.SpeedMPS)
		if count%37 == 0 {
			farthest = max(farthest, streets.distance(o.Position))
		}
		if o.SpeedMPS > 0.5 {
			moving++
		}
		if o.Occupied {
			occupied++
		}
		if count%11 == 0 {
			for id, ring := range airports {
				if inRing(ring, o.Position) {
					if visits[id] == nil {
						visits[id] = map[string]bool{}
					}
					visits[id][o.Vehicle] = true
				}
			}
		}
		h := vehicles[o.Vehicle]
		if h == nil {
			vehicles[o.Vehicle] = &history{o, o.Time, o.Position}
			return
		}
		jump = max(jump, geo.Distance(h.last.Position, o.Position)/every.Seconds())
		if geo.Distance(h.place, o.Position) > 40 {
			if o.Time-h.since >= 60_000 {
				stops++
			}
			if o.Time-h.since >= 180_000 {
				longStops++
			}
			h.since, h.place = o.Time, o.Position
		}
		h.last = o
	})
	require.Equal(t, 2000*720, count)
	require.Less(t, fastest, 45.0)
	require.Greater(t, fastest, 15.0, "somebody is on a highway")
	require.Less(t, jump, 45.0, "between two reports")
	require.Less(t, farthest, 25.0, "metres from the streets")
	require.InDelta(t, 0.55, float64(moving)/float64(count), 0.2)
	require.InDelta(t, 0.4, float64(occupied)/float64(count), 0.2)
	require.Greater(t, stops, 2000, "stops of a minute")
	require.Greater(t, longStops, 500, "stops of three minutes")
	for _, id := range []string{"airport-jfk", "airport-lga", "airport-ewr"} {
		require.Greater(t, len(visits[id]), 10, id)
	}
	t.Logf("moving %d %%, occupied %d %%, fastest %.1f m/s, stops %d, of 3 min %d, airports %d %d %d", 100*moving/count, 100*occupied/count,
		fastest, stops, longStops, len(visits["airport-jfk"]), len(visits["airport-lga"]), len(visits["airport-ewr"]))
}

func inRing(ring []geo.Point, p geo.Point) bool {
	return within(flat(ring), p.Lon, p.Lat)
}

func flat(ring []geo.Point) [][2]float64 {
	out := make([][2]float64, len(ring))
	for i, q := range ring {
		out[i] = [2]float64{q.Lon, q.Lat}
	}
	return out
}

// streetIndex finds the distance to the nearest street by squares of a hundredth of a degree.
type streetIndex struct {
	n     *Network
	cells map[[2]int][]int32
}

func square(p geo.Point) [2]int {
	return [2]int{int(math.Floor(p.Lon * 100)), int(math.Floor(p.Lat * 100))}
}

func newStreetIndex(n *Network) *streetIndex {
	s := &streetIndex{n, map[[2]int][]int32{}}
	for i := range n.edges {
		e := &n.edges[i]
		seen := map[[2]int]bool{}
		for at := 0.0; ; at += 100 {
			p := n.along(e, min(at, float64(e.metres)))
			for dx := -1; dx <= 1; dx++ {
				for dy := -1; dy <= 1; dy++ {
					c := square(geo.Point{Lon: p.Lon + float64(dx)*0.0005, Lat: p.Lat + float64(dy)*0.0005})
					if !seen[c] {
						seen[c] = true
						s.cells[c] = append(s.cells[c], int32(i))
					}
				}
			}
			if at >= float64(e.metres) {
				break
			}
		}
	}
	return s
}

func (s *streetIndex) distance(p geo.Point) float64 {
	best := math.Inf(1)
	pl := newPlane(p, 0)
	for _, i := range s.cells[square(p)] {
		e := s.n.edges[i]
		ax, ay := pl.project(s.n.nodes[e.from])
		bx, by := pl.project(s.n.nodes[e.to])
		dx, dy := bx-ax, by-ay
		f := min(1, max(0, -(ax*dx+ay*dy)/(dx*dx+dy*dy)))
		best = min(best, math.Hypot(ax+f*dx, ay+f*dy))
	}
	return best
}

func TestObservationsAreJSONOfTheInputFormat(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, Options{Vehicles: 20, Seed: 5})
	collect(f, start, time.Minute, 2*time.Second, func(o Observation) {
		var got struct {
			Vehicle, Fleet           string
			Time                     int64
			Longitude, Latitude      float64
			Speed, Heading, Accuracy float64
			Occupied                 bool
		}
		line := o.AppendJSON(nil)
		require.NoError(t, json.Unmarshal(line, &got), string(line))
		require.Equal(t, o.Vehicle, got.Vehicle)
		require.Equal(t, o.Time, got.Time)
		require.InDelta(t, o.Position.Lon, got.Longitude, 1e-6)
		require.InDelta(t, o.Position.Lat, got.Latitude, 1e-6)
		require.InDelta(t, o.SpeedMPS, got.Speed, 0.051)
		require.True(t, got.Heading >= 0 && got.Heading < 360, string(line))
		require.InDelta(t, o.AccuracyMetres, got.Accuracy, 0)
		require.Equal(t, o.Occupied, got.Occupied)
		require.Contains(t, []string{"yellow", "green"}, got.Fleet)
	})
}

func TestBadOptionsAreAllReported(t *testing.T) {
	t.Parallel()
	n, err := newYork()
	require.NoError(t, err)
	_, err = New(n, Options{Interval: -1})
	require.ErrorContains(t, err, "vehicles")
	require.ErrorContains(t, err, "interval")
	require.ErrorContains(t, err, "start")
}

func TestAStreetIsDrivenFromEndToEndWithoutLeaps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.Float64Range(shortestEdge, 8000).Draw(t, "length")
		top := rapid.Float64Range(2, 40).Draw(t, "top")
		enter := rapid.Float64Range(0, top).Draw(t, "enter")
		leave := rapid.Float64Range(0, top).Draw(t, "leave")
		var s street
		s.plan(length, enter, leave, top)
		require.Greater(t, s.driving(), 0.0)
		require.Less(t, s.driving(), 60+length/0.5)
		before, _ := s.at(0, length)
		require.InDelta(t, 0, before, 1e-6)
		steps := 200.0
		for i := 1.0; i <= steps; i++ {
			metres, speed := s.at(s.driving()*i/steps, length)
			require.GreaterOrEqual(t, metres, before-1e-6)
			require.LessOrEqual(t, metres-before, (max(top, enter)+0.01)*s.driving()/steps+1e-6, "not faster than allowed")
			require.True(t, speed >= -1e-9 && speed <= max(top, enter)+1e-9, speed)
			before = metres
		}
		require.InDelta(t, length, before, 1e-6)
	})
}

func BenchmarkStep(b *testing.B) {
	for _, vehicles := range []int{2000, 50_000} {
		b.Run(map[int]string{2000: "2k", 50_000: "50k"}[vehicles], func(b *testing.B) {
			f := fleetOf(b, Options{Vehicles: vehicles, Seed: 1})
			at, fixes := start, 0
			b.ReportAllocs()
			for b.Loop() {
				at = at.Add(2 * time.Second)
				fixes += len(f.Step(at))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(fixes), "ns/fix")
		})
	}
}

func BenchmarkNew(b *testing.B) {
	n, err := newYork()
	require.NoError(b, err)
	for _, part := range []struct {
		name string
		run  func()
	}{
		{"hubs", func() { newHubs(n) }},
		{"2k vehicles", func() { fleetOf(b, Options{Vehicles: 2000, Seed: 1}) }},
		{"50k vehicles", func() { fleetOf(b, Options{Vehicles: 50_000, Seed: 1}) }},
	} {
		b.Run(part.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				part.run()
			}
		})
	}
}

func BenchmarkNewYork(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, err := NewYork()
		require.NoError(b, err)
	}
}
