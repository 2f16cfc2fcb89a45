package track_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/test/usage"
	"github.com/trackmesh/trackmesh/track"
)

const benchStart = 1_700_000_000_000 // UTC ms

// driver moves one vehicle at 10 m/s, a fix every two seconds, turning now and then.
type driver struct {
	fix     track.Fix
	bearing float64
}

func newDriver(r *rand.Rand, i int, centre geo.Point, spreadMetres float64) *driver {
	at := geo.Destination(centre, r.Float64()*360, math.Sqrt(r.Float64())*spreadMetres)
	return &driver{bearing: r.Float64() * 360, fix: track.Fix{
		Vehicle: fmt.Sprintf("taxi-%06d", i), Time: benchStart, Position: at,
		SpeedMPS: math.NaN(), HeadingDegrees: math.NaN(), AccuracyMetres: 5, AltitudeMetres: math.NaN(), RecordTime: benchStart,
	}}
}

// next is a cheap flat step: the benchmark is of the track, not of the driver.
func (d *driver) next(n int64) *track.Fix {
	const degree = 111_195.0
	if n%64 == 0 {
		d.bearing += 70
	}
	sin, cos := math.Sincos(d.bearing * math.Pi / 180)
	d.fix.Time += 2000
	d.fix.RecordTime += 2000
	d.fix.Offset = n
	d.fix.Position.Lat += 20 * cos / degree
	d.fix.Position.Lon += 20 * sin / (degree * 0.757)
	return &d.fix
}

var newYork = geo.Point{Lon: -73.97, Lat: 40.76}

func polygons(tb testing.TB, n, vertices int, spreadMetres, radiusMetres float64) *fence.Set {
	tb.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	changes := make([]fence.Change, n)
	for i := range changes {
		centre := geo.Destination(newYork, r.Float64()*360, math.Sqrt(r.Float64())*spreadMetres)
		ring := make([]string, vertices+1)
		for v := range ring {
			angle := float64(v%vertices) * 360 / float64(vertices)
			p := geo.Destination(centre, angle, radiusMetres*(0.8+0.2*math.Cos(5*angle*math.Pi/180)))
			ring[v] = fmt.Sprintf("[%.7f,%.7f]", p.Lon, p.Lat)
		}
		id := fmt.Sprintf("fence-%05d", i)
		f, err := fence.Parse(id, fmt.Appendf(nil, `{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[[%s]]}}`, strings.Join(ring, ",")), int64(i))
		require.NoError(tb, err)
		changes[i] = fence.Change{ID: id, Fence: f, Version: int64(i)}
	}
	return fence.NewSet().Apply(changes)
}

// BenchmarkStep is one fix through a track, as a partition gives it: noted for undoing, observed, asked for its next timer.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		name             string
		vehicles, fences int
	}{{"1 vehicle, no fences", 1, 0}, {"10k vehicles, no fences", 10_000, 0}, {"10k vehicles, 1000 polygons of 64 vertices", 10_000, 1000}} {
		b.Run(c.name, func(b *testing.B) {
			settings := track.DefaultSettings()
			env := track.Env{Settings: &settings, Fences: polygons(b, c.fences, 64, 15_000, 400)}
			r := rand.New(rand.NewPCG(3, 4))
			drivers, tracks := make([]*driver, c.vehicles), make([]*track.Track, c.vehicles)
			for i := range drivers {
				drivers[i] = newDriver(r, i, newYork, 15_000)
				tracks[i] = track.New(drivers[i].fix.Vehicle)
			}
			var out track.Output
			var saved track.Track
			n, events := 0, 0
			step := func() {
				i := n % c.vehicles
				fix := drivers[i].next(int64(n / c.vehicles))
				env.EventClock = max(env.EventClock, fix.Time)
				tracks[i].CopyTo(&saved)
				tracks[i].Observe(&env, fix, &out)
				tracks[i].Due(&env)
				if n++; n%256 == 0 {
					events += len(out.Events)
					out.Reset()
				}
			}
			laps := 300 // the paths are full
			if testing.Short() {
				laps = 3
			}
			for range laps * c.vehicles {
				step()
			}
			events = 0
			b.ReportAllocs()
			before, since := n, usage.CPU()
			for b.Loop() {
				step()
			}
			reportCPU(b, since)
			b.ReportMetric(float64(n-before)/b.Elapsed().Seconds(), "fixes/s")
			b.ReportMetric(float64(events)/float64(n-before), "events/fix")
		})
	}
}

// driven is a track in the middle of a trip: it parked, left, and drives, within two fences.
func driven(tb testing.TB) (*track.Track, *track.Env) {
	tb.Helper()
	return drivenIn(tb, 2)
}

func drivenIn(tb testing.TB, fences int) (*track.Track, *track.Env) {
	tb.Helper()
	settings := track.DefaultSettings()
	env := &track.Env{Settings: &settings, Fences: polygons(tb, fences, 64, 1, 30_000)}
	t, out := track.New("taxi-0001"), track.Output{}
	d := newDriver(rand.New(rand.NewPCG(3, 4)), 1, newYork, 10)
	d.fix.Attributes = []byte(`{"passengerCount":2,"medallion":"5C30"}`)
	parked := d.fix
	for n := range int64(200) {
		fix := &parked
		if n < 50 {
			parked.Time += 2000
			d.fix.Time = parked.Time
		} else {
			fix = d.next(n)
		}
		env.EventClock = fix.Time
		t.Observe(env, fix, &out)
	}
	require.NotEmpty(tb, out.Events)
	return t, env
}

func BenchmarkSnapshot(b *testing.B) {
	for _, fences := range []int{0, 2} {
		b.Run(fmt.Sprintf("in %d fences", fences), func(b *testing.B) { benchmarkSnapshot(b, fences) })
	}
}

func benchmarkSnapshot(b *testing.B, fences int) {
	t, _ := drivenIn(b, fences)
	snapshot := t.AppendSnapshot(nil)
	b.Run("encode", func(b *testing.B) {
		var buf []byte
		b.ReportAllocs()
		since := usage.CPU()
		for b.Loop() {
			buf = t.AppendSnapshot(buf[:0])
		}
		reportCPU(b, since)
		b.ReportMetric(float64(len(buf)), "B/snapshot")
	})
	b.Run("copy", func(b *testing.B) {
		var saved track.Track
		b.ReportAllocs()
		for b.Loop() {
			t.CopyTo(&saved)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		since := usage.CPU()
		for b.Loop() {
			if _, err := track.Restore("taxi-0001", snapshot); err != nil {
				b.Fatal(err)
			}
		}
		reportCPU(b, since)
	})
}

func BenchmarkAppendDocument(b *testing.B) {
	t, env := driven(b)
	var out track.Output
	fix := track.Fix{
		Vehicle: "taxi-0001", Time: env.EventClock + 2000, Position: newYork, SpeedMPS: 11.2, HeadingDegrees: math.NaN(), AccuracyMetres: 5,
		AltitudeMetres: math.NaN(), Attributes: []byte(`{"passengerCount":2,"medallion":"5C30"}`), RecordTime: env.EventClock + 2100,
	}
	env.EventClock = fix.Time
	t.Observe(env, &fix, &out)
	require.Len(b, out.Documents, 1)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = track.AppendDocument(buf[:0], &out.Documents[0], "positions", 3)
	}
	b.SetBytes(int64(len(buf)))
}

// BenchmarkMemory is what a live track takes: 20 fixes of path, attributes, two fences.
func BenchmarkMemory(b *testing.B) {
	settings := track.DefaultSettings()
	env := track.Env{Settings: &settings, Fences: polygons(b, 2, 16, 1, 30_000)}
	r := rand.New(rand.NewPCG(3, 4))
	var out track.Output
	const vehicles = 20_000
	for b.Loop() {
		before := heapBytes()
		tracks := make([]*track.Track, vehicles)
		for i := range tracks {
			d := newDriver(r, i, newYork, 5_000)
			tracks[i] = track.New(d.fix.Vehicle)
			for n := range int64(20) {
				fix := d.next(n)
				fix.Attributes = fmt.Appendf(fix.Attributes[:0], `{"passengerCount":%d,"medallion":"5C30"}`, n%5)
				env.EventClock = fix.Time
				tracks[i].Observe(&env, fix, &out)
			}
			out.Reset()
		}
		b.ReportMetric(float64(heapBytes()-before)/vehicles, "B/track")
		runtime.KeepAlive(tracks)
	}
}

// reportCPU reports the CPU time of an operation since a moment.
func reportCPU(b *testing.B, since time.Duration) {
	b.Helper()
	b.ReportMetric(float64((usage.CPU()-since).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func heapBytes() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
