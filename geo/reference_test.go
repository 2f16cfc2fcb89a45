package geo

import (
	"math"
	"slices"

	"pgregory.net/rapid"
)

// drawn is a random shape with what the tests need to judge it without the code under test: rings unrolled by construction.
type drawn struct {
	coordinates Coordinates
	rings       [][]Point // unrolled, closed; of a ring round a pole closed over the pole
	holes       []bool
}

// reference says by winding numbers, the slow way, whether a place is inside; sure is false so near an edge that rounding
// decides.
func (d *drawn) reference(p Point) (in, sure bool) {
	in, sure = false, math.Abs(p.Lat) < 90
	for i, ring := range d.rings {
		winding := 0
		for _, shift := range []float64{-720, -360, 0, 360, 720} {
			x := p.Lon + shift
			for j := 1; j < len(ring); j++ {
				a, b := ring[j-1], ring[j]
				if alongPole(a, b) {
					continue
				}
				if distanceToLine(Point{x, p.Lat}, a, b) < 1e-8 {
					sure = false
				}
			}
			winding += windingNumber(Point{x, p.Lat}, ring)
		}
		if winding != 0 {
			in = !d.holes[i]
		}
	}
	return in, sure
}

func distanceToLine(p, a, b Point) float64 {
	dx, dy := b.Lon-a.Lon, b.Lat-a.Lat
	t := 0.0
	if l := dx*dx + dy*dy; l > 0 {
		t = min(max(((p.Lon-a.Lon)*dx+(p.Lat-a.Lat)*dy)/l, 0), 1)
	}
	return math.Hypot(p.Lon-a.Lon-t*dx, p.Lat-a.Lat-t*dy)
}

// windingNumber sums the angles under which the edges are seen.
func windingNumber(p Point, ring []Point) int {
	sum := 0.0
	for j := 1; j < len(ring); j++ {
		ax, ay := ring[j-1].Lon-p.Lon, ring[j-1].Lat-p.Lat
		bx, by := ring[j].Lon-p.Lon, ring[j].Lat-p.Lat
		sum += math.Atan2(ax*by-ay*bx, ax*bx+ay*by)
	}
	return int(math.Round(sum / (2 * math.Pi)))
}

// star is a ring round a centre whose radius never shrinks under a share of the largest; wrapped gives it in -180..180.
func star(t *rapid.T, centre Point, size, least float64, label string) []Point {
	n := rapid.IntRange(3, 120).Draw(t, label+" vertices")
	seed := rapid.Uint64().Draw(t, label+" seed")
	ring := make([]Point, 0, n+1)
	for i := range n {
		seed = seed*6364136223846793005 + 1442695040888963407
		r := size * (least + (1-least)*float64(seed>>40)/(1<<24))
		sin, cos := math.Sincos(2 * math.Pi * (float64(i) + 0.3) / float64(n))
		ring = append(ring, Point{centre.Lon + r*cos, centre.Lat + r*sin})
	}
	return append(ring, ring[0])
}

func wrapped(ring []Point) []Point {
	out := slices.Clone(ring)
	for i := range out {
		out[i].Lon = NormalizeLon(out[i].Lon)
	}
	return out
}

func reversed(ring []Point) []Point {
	out := slices.Clone(ring)
	slices.Reverse(out)
	return out
}

// drawStar draws a polygon, with a hole or none, anywhere, in either direction.
func drawStar(t *rapid.T) *drawn {
	size := math.Pow(10, rapid.Float64Range(-3, 1.5).Draw(t, "log size"))
	centre := Point{
		rapid.OneOf(rapid.Float64Range(-180, 180), rapid.Float64Range(170, 190)).Draw(t, "centre lon"),
		rapid.Float64Range(-89+size, 89-size).Draw(t, "centre lat"),
	}
	outer := star(t, centre, size, 0.6, "outer")
	if rapid.Bool().Draw(t, "clockwise") {
		outer = reversed(outer)
	}
	d := &drawn{rings: [][]Point{outer}, holes: []bool{false}}
	rings := [][]Point{wrapped(outer)}
	if rapid.Bool().Draw(t, "hole") && len(outer) > 6 {
		hole := star(t, centre, size*0.25, 0.3, "hole")
		d.rings, d.holes = append(d.rings, hole), append(d.holes, true)
		rings = append(rings, wrapped(hole))
	}
	d.coordinates = Rings(rings...)
	return d
}

// drawCap draws a ring round a pole.
func drawCap(t *rapid.T) *drawn {
	north := rapid.Bool().Draw(t, "north")
	n := rapid.IntRange(3, 80).Draw(t, "vertices")
	start := rapid.Float64Range(-180, 180).Draw(t, "start")
	ring := make([]Point, 0, n+1)
	for i := range n {
		lat := rapid.Float64Range(40, 89.99).Draw(t, "lat")
		ring = append(ring, Point{start + 360*float64(i)/float64(n), lat})
	}
	pole := 90.0
	if !north {
		pole = -90
		for i := range ring {
			ring[i].Lat = -ring[i].Lat
		}
	}
	ring = append(ring, Point{ring[0].Lon + 360, ring[0].Lat})
	closed := append(slices.Clone(ring), Point{ring[0].Lon + 360, pole}, Point{ring[0].Lon, pole}, ring[0])
	flat := wrapped(ring)
	flat[n] = flat[0]
	if rapid.Bool().Draw(t, "westward") {
		flat = reversed(flat)
	}
	return &drawn{coordinates: Rings(flat), rings: [][]Point{closed}, holes: []bool{false}}
}

func drawShape(t *rapid.T) *drawn {
	if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
		return drawCap(t)
	}
	return drawStar(t)
}

// drawPlace draws a place that is likely near the shape.
func (d *drawn) drawPlace(t *rapid.T, label string) Point {
	ring := d.rings[rapid.IntRange(0, len(d.rings)-1).Draw(t, label+" ring")]
	v := ring[rapid.IntRange(0, len(ring)-1).Draw(t, label+" vertex")]
	by := math.Pow(10, rapid.Float64Range(-5, 1).Draw(t, label+" log distance"))
	sin, cos := math.Sincos(rapid.Float64Range(0, 7).Draw(t, label+" direction"))
	return Point{NormalizeLon(v.Lon + by*cos), min(max(v.Lat+by*sin, -90), 90)}
}
