package geo

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

//go:embed testdata/geodesics.csv
var geodesics string

type tableRow struct {
	kind                   string
	a, b, part             Point
	metres, initial, final float64
}

func readTable(tb testing.TB) []tableRow {
	tb.Helper()
	r := csv.NewReader(strings.NewReader(geodesics))
	r.Comment = '#'
	records, err := r.ReadAll()
	require.NoError(tb, err)
	var rows []tableRow
	for _, rec := range records {
		var v [9]float64
		for i := range v {
			v[i], err = strconv.ParseFloat(rec[i+1], 64)
			require.NoError(tb, err)
		}
		rows = append(rows, tableRow{rec[0], Point{v[1], v[0]}, Point{v[3], v[2]}, Point{v[8], v[7]}, v[4], v[5], v[6]})
	}
	require.Greater(tb, len(rows), 300)
	return rows
}

func angle(a, b float64) float64 { return math.Abs(math.Remainder(a-b, 360)) }

func TestGeodesyAgreesWithKarney(t *testing.T) {
	worst := map[string]float64{}
	for i, r := range readTable(t) {
		relative, degrees, metres := 3e-6, 2e-4, 0.02
		switch r.kind {
		case "long":
			relative, degrees, metres = 1e-8, 1e-6, 0.02
		case "antipodal":
			require.InEpsilon(t, r.metres, Distance(r.a, r.b), 6e-3, "row %d", i)
			continue
		}
		d := Distance(r.a, r.b)
		worst[r.kind] = max(worst[r.kind], math.Abs(d-r.metres)/r.metres)
		require.InDelta(t, r.metres, d, r.metres*relative+1e-6, "row %d %+v", i, r)
		if r.metres > 0.5 && math.Abs(r.a.Lat) < 89.9 && math.Abs(r.b.Lat) < 89.9 {
			if r.metres < 1000 {
				degrees = 1e-3
			}
			require.LessOrEqual(t, angle(r.initial, Bearing(r.a, r.b)), degrees, "row %d %+v", i, r)
			require.LessOrEqual(t, angle(r.final, FinalBearing(r.a, r.b)), degrees, "row %d %+v", i, r)
		}
		require.LessOrEqual(t, Distance(r.part, Along(r.a, r.b, 0.3)), metres+r.metres*1e-8, "row %d %+v", i, r)
		if math.Abs(r.a.Lat) < 90 {
			require.LessOrEqual(t, Distance(r.b, Destination(r.a, r.initial, r.metres)), 0.01+r.metres*1e-8, "row %d %+v", i, r)
		}
	}
	t.Logf("largest relative errors: %v", worst)
}

func anyPoint(t *rapid.T, label string) Point {
	return Point{
		rapid.Float64Range(-180, 180).Draw(t, label+" lon"),
		rapid.Float64Range(-90, 90).Draw(t, label+" lat"),
	}
}

func TestBearingsAreWithinTheCircle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyPoint(t, "a"), anyPoint(t, "b")
		for _, h := range []float64{Bearing(a, b), FinalBearing(a, b), Bearing(a, a), FinalBearing(a, a)} {
			require.True(t, h >= 0 && h < 360, "%v", h)
		}
	})
}

func TestAlongDividesTheDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := anyPoint(t, "a")
		b := Destination(a, rapid.Float64Range(0, 360).Draw(t, "bearing"), rapid.Float64Range(0.1, 1e6).Draw(t, "metres"))
		f := rapid.Float64Range(0, 1).Draw(t, "fraction")
		d := Distance(a, b)
		m := Along(a, b, f)
		require.InDelta(t, f*d, Distance(a, m), 1e-5*d+1e-3)
		require.InDelta(t, (1-f)*d, Distance(m, b), 1e-5*d+1e-3)
	})
}

func TestNormalizeLon(t *testing.T) {
	for in, want := range map[float64]float64{0: 0, 180: -180, -180: -180, 190: -170, -190: 170, 540: -180, 720: 0, 179.5: 179.5} {
		require.InDelta(t, want, NormalizeLon(in), 1e-12, "%v", in)
	}
	rapid.Check(t, func(t *rapid.T) {
		lon := rapid.Float64Range(-1e6, 1e6).Draw(t, "lon")
		n := NormalizeLon(lon)
		require.True(t, n >= -180 && n < 180)
		require.InDelta(t, 0, math.Remainder(n-lon, 360), 1e-9)
	})
}

func TestGeohashNamesTheCellThatHoldsThePoint(t *testing.T) {
	require.Equal(t, "dr5ru7", Geohash(Point{-73.98, 40.75}, 6)[:5]+"7")
	rapid.Check(t, func(t *rapid.T) {
		p := anyPoint(t, "p")
		precision := rapid.IntRange(1, 12).Draw(t, "precision")
		hash := Geohash(p, precision)
		require.Len(t, hash, precision)
		require.True(t, ValidCell(hash))
		box := CellBox(hash)
		require.True(t, box.Expand(0.001).Intersects(BoxOf(p)), "%v %v", p, box)
		require.Equal(t, hash, GeohashString(GeohashInt(p, precision), precision))
	})
	require.False(t, ValidCell(""))
	require.False(t, ValidCell("dr5rua")) // there is no a
	require.False(t, ValidCell("dr5rudr5rudr5"))
}

func TestBoxesGrowAndJoinTheShortWay(t *testing.T) {
	require.Equal(t, Box{170, 0, -170, 0}, Box{170, 0, 175, 0}.Union(Box{-175, 0, -170, 0}))
	require.Equal(t, Box{-10, 0, 30, 5}, Box{-10, 0, 0, 0}.Union(Box{20, 5, 30, 5}))
	require.Equal(t, Box{170, 0, -170, 0}, Box{170, 0, -170, 0}.Union(Box{175, 0, 178, 0}))
	require.InDelta(t, -180, Box{0, 89.9, 1, 89.95}.Expand(10_000).West, 0)
	rapid.Check(t, func(t *rapid.T) {
		p, q := anyPoint(t, "p"), anyPoint(t, "q")
		u := BoxOf(p).Union(BoxOf(q))
		require.True(t, u.Contains(Point{NormalizeLon(p.Lon), p.Lat}) && u.Contains(Point{NormalizeLon(q.Lon), q.Lat}))
		require.LessOrEqual(t, u.Width(), 180+1e-9)
		metres := rapid.Float64Range(0.1, 3e6).Draw(t, "metres")
		near := Destination(p, rapid.Float64Range(0, 360).Draw(t, "bearing"), metres)
		require.True(t, BoxOf(p).Expand(metres).Contains(near), "%v is %v m from %v: %v", near, metres, p, BoxOf(p).Expand(metres))
		require.True(t, u.Intersects(BoxOf(p)))
	})
}

func TestSegmentBoxHoldsTheGeodesic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := anyPoint(t, "a")
		b := Destination(a, rapid.Float64Range(0, 360).Draw(t, "bearing"), math.Pow(10, rapid.Float64Range(-1, 6.5).Draw(t, "log metres")))
		box := SegmentBox(a, b)
		for i := range 11 {
			m := Along(a, b, float64(i)/10)
			require.True(t, box.Intersects(BoxOf(m).Expand(0.001)), "%v of %v..%v in %v", m, a, b, box)
		}
	})
}

func BenchmarkDistance(b *testing.B) {
	p, q := Point{-73.98, 40.75}, Point{-73.97, 40.76}
	for _, far := range []float64{0, 40} {
		q.Lon += far
		b.Run(fmt.Sprintf("%.0fkm", Distance(p, q)/1000), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Distance(p, q)
			}
		})
	}
}

func TestSincosOfDegreesIsThatOfRadians(t *testing.T) {
	t.Parallel()
	for _, d := range []float64{0, 30, 45, -45, 89.999999, 90, -90, 135, 179.9999999, 180, -180, 270, 359, 360, -360, 1e-12} {
		sin, cos := sincos(d)
		require.InDelta(t, math.Sin(d*radian), sin, 4e-16, d)
		require.InDelta(t, math.Cos(d*radian), cos, 4e-16, d)
	}
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.Float64Range(-360, 360).Draw(t, "degrees")
		sin, cos := sincos(d)
		require.InDelta(t, math.Sin(d*radian), sin, 2e-15)
		require.InDelta(t, math.Cos(d*radian), cos, 2e-15)
		require.InDelta(t, 1, sin*sin+cos*cos, 4e-16)
	})
}
