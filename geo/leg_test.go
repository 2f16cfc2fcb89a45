package geo_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/geo"
)

func TestLegSaysWhatDistanceAndFinalBearingSay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := geo.Point{Lon: rapid.Float64Range(-180, 180).Draw(t, "lon"), Lat: rapid.Float64Range(-90, 90).Draw(t, "lat")}
		b := geo.Point{Lon: rapid.Float64Range(-180, 180).Draw(t, "lon2"), Lat: rapid.Float64Range(-90, 90).Draw(t, "lat2")}
		if rapid.Bool().Draw(t, "near") {
			b = geo.Destination(a, rapid.Float64Range(0, 360).Draw(t, "bearing"), rapid.Float64Range(0, 3000).Draw(t, "metres"))
		}
		leg := geo.NewLeg(a, b)
		require.InDelta(t, geo.Distance(a, b), leg.Metres, 1e-6)
		require.InDelta(t, 0, angleBetween(geo.FinalBearing(a, b), leg.Arrival()), 1e-6)
	})
}

func angleBetween(a, b float64) float64 {
	d := a - b
	if d > 180 {
		d -= 360
	}
	if d < -180 {
		d += 360
	}
	return d
}

func BenchmarkLeg(b *testing.B) {
	from, to := geo.Point{Lon: -73.97, Lat: 40.76}, geo.Point{Lon: -73.9698, Lat: 40.7601}
	b.ReportAllocs()
	for b.Loop() {
		leg := geo.NewLeg(from, to)
		if leg.Arrival() < 0 || leg.Metres <= 0 {
			b.Fatal("wrong")
		}
	}
}
