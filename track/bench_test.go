package track_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

// drivers move east at 15 m/s, one fix each in turn.
type drivers struct {
	tracks []*track.Track
	fixes  []track.Fix
}

func newDrivers(n int) *drivers {
	d := &drivers{}
	nan := math.NaN()
	for i := range n {
		v := fmt.Sprintf("v%06d", i)
		d.tracks = append(d.tracks, track.New(v))
		d.fixes = append(d.fixes, track.Fix{
			Vehicle: v, Time: start, Position: geo.Point{Lon: -74.2 + float64(i%100)*0.004, Lat: 40.5 + float64(i/100%100)*0.004},
			SpeedMPS: nan, HeadingDegrees: nan, AccuracyMetres: nan, AltitudeMetres: nan,
		})
	}
	return d
}

func (d *drivers) next(i int) (*track.Track, *track.Fix) {
	k := i % len(d.tracks)
	f := &d.fixes[k]
	f.Time += 2000
	f.Offset++
	f.Position.Lon += 0.00035
	if f.Offset%500 == 0 {
		f.Position.Lon -= 0.1749
		f.Time += 400_000
	}
	return d.tracks[k], f
}

func BenchmarkStep(b *testing.B) {
	for name, set := range map[string]*fence.Set{"no fences": fence.NewSet(), "1000 polygons of 64 vertices": polygons(b, 1000, 64)} {
		b.Run(name, func(b *testing.B) {
			d := newDrivers(10_000)
			settings := track.DefaultSettings()
			env := &track.Env{Settings: &settings, Fences: set}
			var out track.Output
			clock := int64(0)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				t, fix := d.next(i)
				env.ClockBefore = clock
				clock = max(clock, fix.Time)
				env.EventClock = clock
				t.Observe(env, fix, &out)
				if i++; i%1000 == 0 {
					out.Reset()
				}
			}
			b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "fixes/s")
		})
	}
}

func polygons(b *testing.B, n, vertices int) *fence.Set {
	b.Helper()
	var changes []fence.Change
	for i := range n {
		id := fmt.Sprintf("f%04d", i)
		lon, lat := -74.2+float64(i%32)*0.0125, 40.5+float64(i/32)*0.0125
		ring := ""
		for k := range vertices + 1 {
			a := 2 * math.Pi * float64(k%vertices) / float64(vertices)
			ring += fmt.Sprintf("[%.6f,%.6f],", lon+0.005*math.Cos(a), lat+0.004*math.Sin(a))
		}
		f, err := fence.Parse(id, []byte(`{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[`+ring[:len(ring)-1]+`]]},"properties":{}}`), int64(i))
		if err != nil {
			b.Fatal(err)
		}
		changes = append(changes, fence.Change{ID: id, Fence: f, Version: int64(i)})
	}
	return fence.NewSet().Apply(changes)
}

func BenchmarkSnapshot(b *testing.B) {
	d := newDrivers(1)
	settings := track.DefaultSettings()
	env := &track.Env{Settings: &settings, Fences: polygons(b, 1000, 64)}
	var out track.Output
	for i := range 40 {
		t, fix := d.next(i)
		env.ClockBefore, env.EventClock = env.EventClock, fix.Time
		t.Observe(env, fix, &out)
	}
	b.Run("encode", func(b *testing.B) {
		var shots track.Snapshots
		var buf []byte
		b.ReportAllocs()
		for b.Loop() {
			buf = shots.Append(buf[:0], d.tracks[0])
		}
		b.ReportMetric(float64(len(buf)), "B/snapshot")
	})
	b.Run("decode", func(b *testing.B) {
		buf := d.tracks[0].AppendSnapshot(nil)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := track.Restore("v", buf); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("copy", func(b *testing.B) {
		var saved track.Track
		b.ReportAllocs()
		for b.Loop() {
			d.tracks[0].CopyTo(&saved)
		}
	})
}

func BenchmarkAppendDocument(b *testing.B) {
	d := newDrivers(1)
	settings := track.DefaultSettings()
	env := &track.Env{Settings: &settings, Fences: fence.NewSet()}
	var out track.Output
	for i := range 2 {
		out.Reset()
		t, fix := d.next(i)
		env.ClockBefore, env.EventClock = env.EventClock, fix.Time
		t.Observe(env, fix, &out)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = track.AppendDocument(buf[:0], &out.Documents[0], "positions", 3)
	}
}
