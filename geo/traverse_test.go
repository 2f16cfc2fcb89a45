package geo

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// checkTraversal compares a traversal with many places along the way: what it says of them must hold for each.
func checkTraversal(t *rapid.T, s Shape, a, b Point, tolerance float64, edgeMetres func(Point) float64) {
	w := s.Traverse(a, b)
	length := Distance(a, b)
	by := 1e-9
	if length > 0 {
		by = max(by, tolerance/length)
	}
	require.True(t, w.First >= 0 && w.First <= w.Last && w.Last <= 1 || !w.Meets, "%+v", w)
	const steps = 60
	startIn := contains(s, a)
	require.True(t, w.Meets || startIn == contains(s, b), "never on the boundary, yet the ends differ: %+v", w)
	for i := range steps + 1 {
		f := float64(i) / steps
		p := Along(a, b, f)
		in := contains(s, p)
		if !w.Meets {
			require.Equal(t, startIn, in, "at %v of %+v", f, w)
			continue
		}
		if f < w.First-by {
			require.Equal(t, startIn, in, "at %v, before the first of %+v", f, w)
		}
		if f > w.Last+by {
			require.Equal(t, contains(s, b), in, "at %v, after the last of %+v", f, w)
		}
		if in && deepInside(s, p, tolerance) {
			require.True(t, w.Interior && w.In <= f+by, "inside at %v but %+v", f, w)
		}
	}
	if w.Interior && !startIn {
		require.True(t, w.Meets && w.In >= w.First-1e-9 && w.In <= w.Last+1e-9, "%+v", w)
	}
	if w.Meets {
		for _, f := range []float64{w.First, w.Last} {
			require.LessOrEqual(t, edgeMetres(Along(a, b, f)), tolerance, "%v of %+v is not on the boundary", f, w)
		}
	}
}

// deepInside reports whether all that is near a place is inside.
func deepInside(s Shape, p Point, metres float64) bool {
	for h := 0.0; h < 360; h += 45 {
		if !contains(s, Destination(p, h, metres)) {
			return false
		}
	}
	return true
}

// edgeMetres is the distance of a place from the nearest edge.
func (d *drawn) edgeMetres(p Point) float64 {
	nearest := math.Inf(1)
	for i := range d.coordinates.RingEnds {
		ring := d.coordinates.Ring(i)
		for j := 1; j < len(ring); j++ {
			nearest = min(nearest, nearestOf(p, ring[j-1], ring[j]))
		}
	}
	return nearest
}

func drawWay(t *rapid.T, d *drawn) (a, b Point) {
	a = d.drawPlace(t, "a")
	if rapid.Bool().Draw(t, "near") {
		return a, d.drawPlace(t, "b")
	}
	return a, Destination(a, rapid.Float64Range(0, 360).Draw(t, "bearing"), math.Pow(10, rapid.Float64Range(0, 5.5).Draw(t, "log metres")))
}

func TestATraversalOfPolygonsHoldsAtEveryPlaceOfTheWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawShape(t)
		s, err := NewPolygons(d.coordinates)
		require.NoError(t, err)
		a, b := drawWay(t, d)
		checkTraversal(t, s, a, b, 0.2, d.edgeMetres)
	})
}

func TestATraversalOfABufferHoldsAtEveryPlaceOfTheWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		radius := math.Pow(10, rapid.Float64Range(0, 5).Draw(t, "log radius"))
		centre := anyPoint(t, "centre")
		if rapid.IntRange(0, 3).Draw(t, "polar") == 0 {
			centre = Destination(Point{Lat: 90}, centre.Lon, radius*rapid.Float64Range(0, 20).Draw(t, "from the pole"))
		}
		s := NewCircle(centre, radius)
		line := []Point{centre, centre}
		if n := rapid.IntRange(0, 30).Draw(t, "vertices"); n > 1 {
			line = line[:1]
			for range n {
				leg := radius * math.Pow(10, rapid.Float64Range(-1, 1).Draw(t, "log leg"))
				line = append(line, Destination(line[len(line)-1], rapid.Float64Range(0, 360).Draw(t, "turn"), leg))
			}
			var err error
			s, err = NewCorridor(line, 2*radius)
			require.NoError(t, err)
		}
		a := Destination(centre, rapid.Float64Range(0, 360).Draw(t, "direction"), radius*rapid.Float64Range(0, 3).Draw(t, "a"))
		b := Destination(a, rapid.Float64Range(0, 360).Draw(t, "bearing"), radius*rapid.Float64Range(0, 6).Draw(t, "b"))
		checkTraversal(t, s, a, b, 0.3+radius*5e-5, func(p Point) float64 {
			nearest := math.Inf(1)
			for j := 1; j < len(line); j++ {
				nearest = min(nearest, nearestOf(p, line[j-1], line[j]))
			}
			return math.Abs(nearest - radius)
		})
	})
}

func TestTraverseOfASquare(t *testing.T) {
	s := mustPolygons(t, Rings(box(0, 0, 0.01, 0.01), box(0.004, 0.004, 0.006, 0.006)))
	tests := map[string]struct {
		a, b Point
		want Traversal
	}{
		"through":            {Point{-0.01, 0.002}, Point{0.02, 0.002}, Traversal{First: 1. / 3, Last: 2. / 3, In: 1. / 3, Meets: true, Interior: true}},
		"in":                 {Point{-0.01, 0.002}, Point{0.005, 0.002}, Traversal{First: 2. / 3, Last: 2. / 3, In: 2. / 3, Meets: true, Interior: true}},
		"out":                {Point{0.005, 0.002}, Point{-0.01, 0.002}, Traversal{First: 1. / 3, Last: 1. / 3, Meets: true, Interior: true}},
		"within":             {Point{0.001, 0.002}, Point{0.009, 0.002}, Traversal{Interior: true}},
		"past":               {Point{-0.01, 0.02}, Point{0.02, 0.02}, Traversal{}},
		"touches a corner":   {Point{-0.01, 0.01}, Point{0.01, -0.01}, Traversal{First: 0.5, Last: 0.5, Meets: true}},
		"along an edge":      {Point{0, -0.01}, Point{0, 0.02}, Traversal{First: 1. / 3, Last: 2. / 3, Meets: true}},
		"ends on an edge":    {Point{-0.01, 0.002}, Point{0, 0.002}, Traversal{First: 1, Last: 1, Meets: true}},
		"starts on an edge":  {Point{0, 0.002}, Point{0.003, 0.002}, Traversal{Meets: true, Interior: true}},
		"over the hole":      {Point{0.003, 0.005}, Point{0.007, 0.005}, Traversal{First: 0.25, Last: 0.75, Meets: true, Interior: true}},
		"out of the hole":    {Point{0.005, 0.005}, Point{0.007, 0.005}, Traversal{First: 0.5, Last: 0.5, In: 0.5, Meets: true, Interior: true}},
		"stands":             {Point{0.001, 0.001}, Point{0.001, 0.001}, Traversal{Interior: true}},
		"stands on an edge":  {Point{0, 0.001}, Point{0, 0.001}, Traversal{Meets: true, Last: 1}},
		"stands outside":     {Point{-1, 0.001}, Point{-1, 0.001}, Traversal{}},
		"along, then inside": {Point{0, -0.01}, Point{0.000000001, 0.02}, Traversal{First: 1. / 3, Last: 2. / 3, Meets: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := s.Traverse(tt.a, tt.b)
			require.Equal(t, [2]bool{tt.want.Meets, tt.want.Interior}, [2]bool{got.Meets, got.Interior}, "%+v", got)
			require.InDelta(t, tt.want.First, got.First, 1e-6)
			require.InDelta(t, tt.want.Last, got.Last, 1e-6)
			require.InDelta(t, tt.want.In, got.In, 1e-6)
		})
	}
}

func TestOutsideByMeasuresToTheBoundary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawShape(t)
		s, err := NewPolygons(d.coordinates)
		require.NoError(t, err)
		p := d.drawPlace(t, "p")
		q := Ask(p)
		metres := math.Pow(10, rapid.Float64Range(0, 5).Draw(t, "log metres"))
		nearest := d.edgeMetres(p)
		if math.Abs(nearest-metres) < 0.01+0.002*metres {
			return
		}
		require.Equal(t, !s.Contains(&q) && nearest > metres, s.OutsideBy(&q, metres), "%v m from %v: nearest %v", metres, p, nearest)
	})
}

// nearestOf is the distance to an edge by looking ever closer where it is least.
func nearestOf(p, a, b Point) float64 {
	b.Lon = a.Lon + math.Remainder(b.Lon-a.Lon, 360)
	at := func(t float64) float64 {
		return Distance(p, Point{NormalizeLon(a.Lon + (b.Lon-a.Lon)*t), a.Lat + (b.Lat-a.Lat)*t})
	}
	low, high, best, where := 0.0, 1.0, math.Inf(1), 0.0
	for range 20 {
		for i := range 21 {
			t := low + (high-low)*float64(i)/20
			if d := at(t); d < best {
				best, where = d, t
			}
		}
		width := (high - low) / 8
		low, high = max(0, where-width), min(1, where+width)
	}
	return best
}

func TestBoundaryPlacesOfCirclesAreInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		radius := math.Pow(10, rapid.Float64Range(0, 6.5).Draw(t, "log radius"))
		centre := anyPoint(t, "centre")
		s := NewCircle(centre, radius)
		bearing := rapid.Float64Range(0, 360).Draw(t, "bearing")
		in, out := Destination(centre, bearing, radius*(1-3e-6)), Destination(centre, bearing, radius*(1+3e-6)+0.001)
		require.True(t, contains(s, in))
		require.False(t, contains(s, out))
		require.True(t, s.Box().Intersects(BoxOf(in)))
	})
}

// The same scene elsewhere: mirrored or shifted, it must answer alike.
func TestMirroredAndShiftedScenesAnswerAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawStar(t)
		a, b := drawWay(t, d)
		shift := float64(rapid.IntRange(-360, 360).Draw(t, "shift"))
		moves := map[string]func(Point) Point{
			"shifted":  func(p Point) Point { return Point{NormalizeLon(p.Lon + shift), p.Lat} },
			"mirrored": func(p Point) Point { return Point{NormalizeLon(-p.Lon), p.Lat} },
			"upside":   func(p Point) Point { return Point{p.Lon, -p.Lat} },
		}
		s, err := NewPolygons(d.coordinates)
		require.NoError(t, err)
		want := s.Traverse(a, b)
		for name, move := range moves {
			c := Coordinates{RingEnds: d.coordinates.RingEnds}
			for _, p := range d.coordinates.Points {
				c.Points = append(c.Points, move(p))
			}
			m, err := NewPolygons(c)
			require.NoError(t, err)
			got := m.Traverse(move(a), move(b))
			require.Equal(t, [2]bool{want.Meets, want.Interior}, [2]bool{got.Meets, got.Interior}, name)
			by := 1e-6 + 0.1/(Distance(a, b)+1e-9)
			require.InDelta(t, want.First, got.First, by, name)
			require.InDelta(t, want.Last, got.Last, by, name)
			require.InDelta(t, want.In, got.In, by, name)
		}
	})
}

func TestCorridorsAreRefusedWithTheirVertex(t *testing.T) {
	for name, line := range map[string][]Point{
		"no points": nil, "one point": {{0, 0}}, "the same point": {{1, 1}, {1, 1}}, "NaN": {{0, 0}, {math.NaN(), 0}}, "out of range": {{0, 91}, {0, 0}},
	} {
		_, err := NewCorridor(line, 10)
		var se *ShapeError
		require.ErrorAs(t, err, &se, name)
	}
}
