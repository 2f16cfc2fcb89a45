package live

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

// city spreads n vehicles over New York, in 8 partitions.
func city(n int) (*Fleet, [][]*track.View, *rand.Rand) {
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a fixed seed is wanted
	f := NewFleet(8)
	byPartition := make([][]*track.View, 8)
	for i := range n {
		p := i % 8
		byPartition[p] = append(byPartition[p], &track.View{
			Vehicle: fmt.Sprintf("taxi-%07d", i), Position: geo.Point{Lon: -74.25 + 0.55*rnd.Float64(), Lat: 40.5 + 0.4*rnd.Float64()}, Partition: int32(p), //nolint:gosec // small
		})
	}
	for p, views := range byPartition {
		changes := make([]Change, len(views))
		for i, v := range views {
			changes[i] = Change{v.Vehicle, v}
		}
		f.Open(int32(p)).Apply(changes) //nolint:gosec // small
	}
	return f, byPartition, rnd
}

// BenchmarkApply moves every vehicle by 25 m, as a taxi does in two seconds, with and without a viewer who copies the trees each
// round.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		for _, watched := range []bool{false, true} {
			b.Run(fmt.Sprintf("vehicles=%d/watched=%v", n, watched), func(b *testing.B) {
				f, byPartition, rnd := city(n)
				b.ReportAllocs()
				moved := 0
				for b.Loop() {
					if watched {
						f.Visible(&geo.Box{West: -74, South: 40.7, East: -73.99, North: 40.71}, 10)
					}
					for p, views := range byPartition {
						changes := make([]Change, len(views))
						for i, v := range views {
							next := *v
							next.Position.Lon += (rnd.Float64() - 0.5) * 0.0006
							next.Position.Lat += (rnd.Float64() - 0.5) * 0.0004
							views[i] = &next
							changes[i] = Change{v.Vehicle, &next}
						}
						f.Partition(int32(p)).Apply(changes) //nolint:gosec // small
					}
					moved += n
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(moved), "ns/vehicle")
			})
		}
	}
}

func BenchmarkNearest(b *testing.B) {
	f, _, rnd := city(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		f.Nearest(NearestQuery{Point: geo.Point{Lon: -74.2 + 0.4*rnd.Float64(), Lat: 40.55 + 0.3*rnd.Float64()}, K: 5})
	}
}

func BenchmarkVisible50k(b *testing.B) {
	f, _, _ := city(50_000)
	b.ReportAllocs()
	for b.Loop() {
		f.Visible(&geo.Box{West: -75, South: 40, East: -73, North: 41}, 50_000)
	}
}

func BenchmarkCells1M(b *testing.B) {
	f, _, _ := city(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		f.Cells(6, &geo.Box{West: -75, South: 40, East: -73, North: 41})
	}
}

// BenchmarkMemory reports what the index costs a vehicle beside its view.
func BenchmarkMemory(b *testing.B) {
	const n = 1_000_000
	var before, after runtime.MemStats
	var views [][]*track.View
	for b.Loop() {
		f, v, _ := city(n)
		views = v
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(f)
		f = nil //nolint:wastedassign,ineffassign // let it go
		runtime.GC()
		runtime.ReadMemStats(&before)
	}
	runtime.KeepAlive(views)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/vehicle")
}
