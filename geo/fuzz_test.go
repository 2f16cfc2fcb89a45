package geo

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// ringsFrom reads rings off bytes: pairs on a coarse grid, where vertices often coincide, line up and touch. A byte of 255
// begins the next ring.
func ringsFrom(raw []byte, step float64) [][]Point {
	var rings [][]Point
	var ring []Point
	end := func() {
		if len(ring) > 0 {
			rings = append(rings, append(ring, ring[0]))
			ring = nil
		}
	}
	for i := 0; i+1 < len(raw); i += 2 {
		if raw[i] == 255 {
			end()
			i--
			continue
		}
		ring = append(ring, Point{
			math.Mod(float64(raw[i])*step, 361) - 180,
			math.Mod(float64(raw[i+1])*step, 181) - 90,
		})
	}
	end()
	return rings
}

// unrolled follows a ring the short way, and closes one round a pole over the pole.
func unrolled(ring []Point) []Point {
	out := []Point{ring[0]}
	lats := 0.0
	for i := 1; i < len(ring); i++ {
		last := out[len(out)-1]
		next := Point{last.Lon + shortWay(ring[i-1].Lon, ring[i].Lon), ring[i].Lat}
		lats += (next.Lon - last.Lon) * (next.Lat + last.Lat) / 2
		out = append(out, next)
	}
	if turn := out[len(out)-1].Lon - out[0].Lon; math.Abs(turn) > 180 {
		pole := 90.0
		if mean := lats / turn; mean < 0 || mean == 0 && turn < 0 {
			pole = -90
		}
		out = append(out, Point{out[len(out)-1].Lon, pole}, Point{out[0].Lon, pole}, out[0])
	}
	return out
}

// FuzzPolygons makes polygons of anything: what is taken must answer as winding numbers do, however it is asked.
func FuzzPolygons(f *testing.F) {
	f.Add([]byte{0, 0, 10, 0, 10, 10, 0, 10}, uint8(10), uint16(5), uint16(5))
	f.Add([]byte{0, 0, 10, 0, 10, 10, 0, 10, 255, 2, 2, 8, 2, 8, 8}, uint8(10), uint16(50), uint16(50))
	f.Add([]byte{0, 17, 12, 17, 24, 17}, uint8(10), uint16(1800), uint16(1790))
	f.Add([]byte{17, 5, 19, 5, 19, 9, 17, 9, 34, 9, 3, 9, 3, 11}, uint8(10), uint16(1800), uint16(1000))
	f.Fuzz(func(t *testing.T, raw []byte, step uint8, x, y uint16) {
		rings := ringsFrom(raw, float64(step)/4)
		if len(raw) > 400 || len(rings) == 0 {
			return
		}
		c := Rings(rings...)
		s, err := NewPolygons(c)
		if err != nil {
			var se *ShapeError
			require.ErrorAs(t, err, &se)
			require.Less(t, se.Ring, len(rings))
			require.Less(t, se.Vertex, len(rings[se.Ring]))
			return
		}
		d := &drawn{coordinates: c}
		for i, ring := range rings {
			d.rings, d.holes = append(d.rings, unrolled(ring)), append(d.holes, i > 0)
			for _, v := range ring {
				require.NotEqual(t, outside, s.locate(v), "vertex %v of %v", v, rings)
			}
		}
		p := Point{math.Mod(float64(x)/10, 360.1) - 180, math.Mod(float64(y)/10, 180.1) - 90}
		if in, sure := d.reference(p); sure {
			require.Equal(t, in, contains(s, p), "%v in %v", p, rings)
		}
		q := Point{math.Mod(float64(y)/7, 360) - 180, math.Mod(float64(x)/7, 180) - 90}
		w := s.Traverse(p, q)
		require.True(t, w.Meets || contains(s, p) == contains(s, q), "%v %v in %v", p, q, rings)
		way := Go(p, q)
		require.True(t, s.MayMeet(&way) || !w.Meets && !w.Interior, "%v %v in %v", p, q, rings)
	})
}
