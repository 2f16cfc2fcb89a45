package fence_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/test/usage"
)

// polygonFeature is a wobbly polygon round a place, of so many metres.
func polygonFeature(r *rand.Rand, centre geo.Point, vertices int, metres float64) []byte {
	b := []byte(`{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[`)
	var first []byte
	for i := range vertices {
		p := geo.Destination(centre, -360*float64(i)/float64(vertices), metres*(0.7+0.3*r.Float64()))
		at := fmt.Appendf(nil, "[%.7f,%.7f]", p.Lon, p.Lat)
		if i == 0 {
			first = at
		}
		b = append(append(b, at...), ',')
	}
	b = append(b, first...)
	return append(b, `]]},"properties":{"name":"somewhere"}}`...)
}

func circleFeature(centre geo.Point, metres float64) []byte {
	return fmt.Appendf(nil, `{"type":"Feature","geometry":{"type":"Point","coordinates":[%.7f,%.7f]},"properties":{"radius_metres":%g}}`,
		centre.Lon, centre.Lat, metres)
}

// city is a square of so many kilometres round a place.
type city struct {
	centre geo.Point
	km     float64
}

func (c city) place(r *rand.Rand) geo.Point {
	half := c.km / 2 / 111.2
	return geo.Point{
		Lon: c.centre.Lon + (2*r.Float64()-1)*half/math.Cos(c.centre.Lat*math.Pi/180),
		Lat: c.centre.Lat + (2*r.Float64()-1)*half,
	}
}

// workload is a set of fences, and vehicles that move among them.
type workload struct {
	name     string
	fences   int
	area     city
	feature  func(r *rand.Rand, at geo.Point) []byte
	vehicles int
	long     bool
}

var newYork = geo.Point{Lon: -73.95, Lat: 40.72}

func workloads() []workload {
	polygon := func(vertices int, metres float64) func(*rand.Rand, geo.Point) []byte {
		return func(r *rand.Rand, at geo.Point) []byte { return polygonFeature(r, at, vertices, metres) }
	}
	return []workload{
		{"1000 polygons of 64 vertices", 1000, city{newYork, 60}, polygon(64, 1000), 10_000, false},
		// A circle of 1 km covers 3.14 km²; 40 km × 40 km hold 20 of them over each other.
		{"10000 circles of 1 km", 10_000, city{newYork, 40}, func(_ *rand.Rand, at geo.Point) []byte { return circleFeature(at, 1000) }, 10_000, false},
		{"100000 polygons of 16 vertices", 100_000, city{newYork, 500}, polygon(16, 500), 10_000, true},
		{"1000000 polygons of 16 vertices", 1_000_000, city{geo.Point{Lon: 10, Lat: 48}, 2000}, polygon(16, 500), 10_000, true},
	}
}

func (w *workload) features() [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, w.fences)
	for i := range out {
		out[i] = w.feature(r, w.area.place(r))
	}
	return out
}

// build applies features as an import does, some thousands at a time.
func build(tb testing.TB, features [][]byte) *fence.Set {
	tb.Helper()
	set := fence.NewSet()
	changes := make([]fence.Change, 0, 5000)
	for i, feature := range features {
		f, err := fence.Parse("fence-"+strconv.Itoa(i), feature, int64(i))
		require.NoError(tb, err)
		changes = append(changes, fence.Change{ID: f.ID, Fence: f, Version: int64(i)})
		if len(changes) == cap(changes) || i == len(features)-1 {
			set = set.Apply(changes)
			changes = changes[:0]
		}
	}
	return set
}

// drive is where vehicles are, and where they are 5 s later at 15 m/s.
func (w *workload) drive() (from, to []geo.Point) {
	r := rand.New(rand.NewPCG(3, 4))
	for range w.vehicles {
		a := w.area.place(r)
		from, to = append(from, a), append(to, geo.Destination(a, 360*r.Float64(), 75))
	}
	return from, to
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkStep is the fence work of one step of a moving vehicle: which fences hold it now, and what its way does with the
// others that it comes near.
func BenchmarkStep(b *testing.B) {
	for _, w := range workloads() {
		b.Run(w.name, func(b *testing.B) {
			if w.long && testing.Short() {
				w.fences = 1000
			}
			features := w.features()
			before := heap()
			set := build(b, features)
			megabytes := float64(heap()-before) / 1e6
			from, to := w.drive()
			var inside, passed []*fence.Fence
			b.Run("at+along", func(b *testing.B) {
				b.ReportAllocs()
				i, found := 0, 0
				since := usage.CPU()
				for b.Loop() {
					inside = set.At(to[i], inside[:0])
					passed = set.Along(from[i], to[i], passed[:0])
					found += len(inside)
					if i++; i == len(from) {
						i = 0
					}
				}
				report(b, since, megabytes, found)
			})
			b.Run("step", func(b *testing.B) {
				b.ReportAllocs()
				i, found := 0, 0
				since := usage.CPU()
				for b.Loop() {
					inside, passed = set.Step(from[i], to[i], inside[:0], passed[:0])
					for _, f := range passed {
						if t := f.Traverse(from[i], to[i]); t.Interior {
							found++
						}
					}
					found += len(inside)
					if i++; i == len(from) {
						i = 0
					}
				}
				report(b, since, megabytes, found)
			})
			runtime.KeepAlive(set)
			runtime.KeepAlive(features)
		})
	}
}

func report(b *testing.B, since time.Duration, megabytes float64, found int) {
	b.Helper()
	cpu := usage.CPU() - since
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/cpu.Seconds(), "steps/cpu-s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64(found)/float64(b.N), "fences/step")
	b.ReportMetric(megabytes, "MB")
}

// BenchmarkBuild imports fences: parsing, checking, preparing, indexing.
func BenchmarkBuild(b *testing.B) {
	for _, w := range workloads() {
		b.Run(w.name, func(b *testing.B) {
			if w.long && testing.Short() {
				w.fences = 1000
			}
			features := w.features()
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				set := build(b, features)
				b.ReportMetric(float64(w.fences)/time.Since(start).Seconds(), "fences/s")
				require.Equal(b, w.fences, set.Len())
			}
		})
	}
}

// BenchmarkImport reads a million fences as a node does, and says how large the process became: run it by itself.
func BenchmarkImport(b *testing.B) {
	w := workloads()[3]
	if testing.Short() {
		w.fences = 1000
	}
	for b.Loop() {
		r := rand.New(rand.NewPCG(1, 2))
		set, work := fence.NewSet(), time.Duration(0)
		changes := make([]fence.Change, 0, 5000)
		for i := range w.fences {
			feature := w.feature(r, w.area.place(r))
			started := usage.CPU()
			f, err := fence.Parse("fence-"+strconv.Itoa(i), feature, int64(i))
			require.NoError(b, err)
			if changes = append(changes, fence.Change{ID: f.ID, Fence: f, Version: int64(i)}); len(changes) == cap(changes) || i == w.fences-1 {
				set = set.Apply(changes)
				changes = changes[:0]
			}
			work += usage.CPU() - started
		}
		require.Equal(b, w.fences, set.Len())
		b.ReportMetric(work.Seconds(), "cpu-s/import")
		b.ReportMetric(float64(heap())/1e6, "MB-heap")
		b.ReportMetric(float64(usage.PeakResident())/1e6, "MB-peak-resident")
		runtime.KeepAlive(set)
	}
}

// BenchmarkEdit puts one fence into a large set.
func BenchmarkEdit(b *testing.B) {
	w := workloads()[2]
	if testing.Short() {
		w.fences = 1000
	}
	set := build(b, w.features())
	r := rand.New(rand.NewPCG(5, 6))
	var edits []fence.Change
	for i := range 1000 {
		f, err := fence.Parse("fence-"+strconv.Itoa(r.IntN(w.fences)), w.feature(r, w.area.place(r)), int64(w.fences+i))
		require.NoError(b, err)
		edits = append(edits, fence.Change{ID: f.ID, Fence: f, Version: f.Version})
	}
	again := make([]*fence.Fence, len(edits)) // another version of each, to go on with
	for i, e := range edits {
		f, err := fence.Parse(e.ID, e.Fence.Feature(), e.Version+int64(len(edits)))
		require.NoError(b, err)
		again[i] = f
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		next := set.Apply(edits[i : i+1])
		changed, removed := fence.Diff(set, next)
		if len(changed) != 1 || len(removed) != 0 {
			b.Fatal("one fence changed", len(changed), len(removed))
		}
		set = next
		edits[i].Fence, again[i] = again[i], edits[i].Fence
		if i++; i == len(edits) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "edits/s")
}
