package geo

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestContainsEqualsWindingNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawShape(t)
		s, err := NewPolygons(d.coordinates)
		require.NoError(t, err)
		for range 20 {
			p := d.drawPlace(t, "place")
			if in, sure := d.reference(p); sure {
				require.Equal(t, in, contains(s, p), "%v", p)
				if in {
					require.True(t, s.Box().Intersects(BoxOf(p)), "%v not in %v", p, s.Box())
				}
			}
		}
	})
}

func TestVerticesAndMiddlesOfEdgesAreInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawShape(t)
		s, err := NewPolygons(d.coordinates)
		require.NoError(t, err)
		for i := range d.coordinates.RingEnds {
			ring := d.coordinates.Ring(i)
			for j := 1; j < len(ring); j++ {
				a, b := ring[j-1], ring[j]
				m := Point{NormalizeLon(a.Lon + math.Remainder(b.Lon-a.Lon, 360)/2), (a.Lat + b.Lat) / 2}
				require.Equal(t, onBoundary, s.locate(a), "vertex %d of %d %v", j, i, a)
				require.Equal(t, onBoundary, s.locate(m), "middle %d of %d %v", j, i, m)
			}
		}
	})
}

func contains(s Shape, p Point) bool {
	q := Ask(p)
	return s.Contains(&q)
}

func box(w, s, e, n float64) []Point { return []Point{{w, s}, {e, s}, {e, n}, {w, n}, {w, s}} }

func polygons(parts ...[][]Point) Coordinates {
	var c Coordinates
	for _, rings := range parts {
		for _, r := range rings {
			c.Points = append(c.Points, r...)
			c.RingEnds = append(c.RingEnds, uint32(len(c.Points)))
		}
		c.PolygonEnds = append(c.PolygonEnds, uint32(len(c.RingEnds)))
	}
	return c
}

func mustPolygons(tb testing.TB, c Coordinates) *Polygons {
	tb.Helper()
	s, err := NewPolygons(c)
	require.NoError(tb, err)
	return s
}

func fiji(tb testing.TB) map[string]*Polygons {
	tb.Helper()
	return map[string]*Polygons{
		"split":     mustPolygons(tb, polygons([][]Point{box(179.9, -17.1, 180, -16.9)}, [][]Point{box(-180, -17.1, -179.9, -16.9)})),
		"unsplit":   mustPolygons(tb, Rings(box(179.9, -17.1, -179.9, -16.9))),
		"clockwise": mustPolygons(tb, Rings(reversed(box(179.9, -17.1, -179.9, -16.9)))),
	}
}

func TestTheAntimeridianIsNoBoundaryWhetherARingIsSplitThereOrNot(t *testing.T) {
	for name, s := range fiji(t) {
		t.Run(name, func(t *testing.T) {
			require.InDelta(t, 179.9, s.Box().West, 1e-9)
			require.InDelta(t, -179.9, s.Box().East, 1e-9)
			for _, p := range []Point{{180, -17}, {-180, -17}, {179.95, -17}, {-179.95, -17}} {
				require.Equal(t, inside, s.locate(p), "%v", p)
			}
			for _, p := range []Point{{180, -17.1}, {-180, -16.9}, {179.9, -17}, {-179.9, -17}} {
				require.Equal(t, onBoundary, s.locate(p), "%v", p)
			}
			for _, p := range []Point{{179.89, -17}, {-179.89, -17}, {0, -17}, {180, -16.89}} {
				require.Equal(t, outside, s.locate(p), "%v", p)
			}
			across := s.Traverse(Point{179.8, -17}, Point{-179.8, -17})
			require.True(t, across.Meets && across.Interior)
			require.InDelta(t, 0.25, across.First, 1e-6)
			require.InDelta(t, 0.25, across.In, 1e-6)
			require.InDelta(t, 0.75, across.Last, 1e-6)
			within := s.Traverse(Point{179.95, -17}, Point{-179.95, -17})
			require.Equal(t, Traversal{Interior: true}, within)
			along := s.Traverse(Point{180, -17.2}, Point{180, -17})
			require.True(t, along.Interior)
			require.InDelta(t, 0.5, along.In, 1e-6)
			q := Ask(Point{180, -17.0999})
			require.False(t, s.OutsideBy(&q, 0))
			q = Ask(Point{-179.899, -17})
			require.False(t, s.OutsideBy(&q, 110))
			require.True(t, s.OutsideBy(&q, 100))
		})
	}
}

func TestARingRoundAPoleEnclosesIt(t *testing.T) {
	ring := []Point{{-150, 80}, {-90, 80}, {-30, 80}, {30, 80}, {90, 80}, {150, 80}, {-150, 80}}
	// As RFC 7946 would have it: along 180, over the pole and back.
	rfc := []Point{{-180, 80}, {-90, 80}, {0, 80}, {90, 80}, {180, 80}, {180, 90}, {-180, 90}, {-180, 80}}
	wide := []Point{{-180, 80}, {-90, 80}, {0, 80}, {90, 80}, {180, 80}, {180, 90}, {90, 90}, {0, 90}, {-90, 90}, {-180, 90}, {-180, 80}}
	for name, c := range map[string]Coordinates{"winding": Rings(ring), "westward": Rings(reversed(ring)), "split": Rings(rfc), "rectangle": Rings(wide)} {
		t.Run(name, func(t *testing.T) {
			for _, mirror := range []float64{1, -1} {
				m := Coordinates{Points: append([]Point(nil), c.Points...), RingEnds: c.RingEnds}
				for i := range m.Points {
					m.Points[i].Lat *= mirror
				}
				s := mustPolygons(t, m)
				for _, p := range []Point{{0, 90}, {77, 90}, {180, 90}, {-180, 85}, {180, 80.1}, {12, 80.0001}} {
					require.True(t, contains(s, Point{p.Lon, p.Lat * mirror}), "%v", p)
					require.False(t, contains(s, Point{p.Lon, -p.Lat * mirror}), "%v", p)
				}
				require.Equal(t, inside, s.locate(Point{180, 85 * mirror}))
				require.False(t, contains(s, Point{0, 79.9 * mirror}))
				over := s.Traverse(Point{20, 79 * mirror}, Point{-160, 79 * mirror})
				require.True(t, over.Meets && over.Interior)
				require.InDelta(t, 1.0/22, over.First, 1e-3)
				require.InDelta(t, 21.0/22, over.Last, 1e-3)
				seam := s.Traverse(Point{179, 85 * mirror}, Point{-179, 85 * mirror})
				require.Equal(t, Traversal{Interior: true}, seam)
			}
		})
	}
}

func TestInvalidShapesAreRefusedWithTheirVertexAndReason(t *testing.T) {
	square := box(0, 0, 10, 10)
	many := make([]Point, 0, 20_001)
	for i := range 20_000 {
		sin, cos := math.Sincos(float64(i) / 20_000 * 2 * math.Pi)
		many = append(many, Point{cos, sin})
	}
	many = append(many, many[0])
	tests := map[string]struct {
		c                     Coordinates
		polygon, ring, vertex int
		reason                string
	}{
		"crosses itself":      {Rings([]Point{{0, 0}, {10, 10}, {10, 0}, {0, 10}, {0, 0}}), 0, 0, 2, "crosses itself: its edge from vertex 0 and the one from vertex 2"},
		"crosses at a vertex": {Rings([]Point{{0, 0}, {5, 5}, {10, 10}, {10, 0}, {5, 5}, {0, 10}, {0, 0}}), 0, 0, 4, "crosses itself"},
		"turns back":          {Rings([]Point{{0, 0}, {10, 0}, {10, 10}, {10, 5}, {0, 10}, {0, 0}}), 0, 0, 2, "turns back"},
		"runs along itself":   {Rings([]Point{{0, 0}, {10, 0}, {10, 10}, {5, 10}, {5, 0}, {4, 0}, {4, 10}, {0, 10}, {0, 0}}), 0, 0, 4, "runs along itself"},
		"not closed":          {Rings([]Point{{0, 0}, {10, 0}, {10, 10}, {0, 10}}), 0, 0, 3, "not closed"},
		"too few":             {Rings([]Point{{0, 0}, {10, 0}, {0, 0}}), 0, 0, -1, "at least 4"},
		"one point":           {Rings([]Point{{0, 0}, {0, 0}, {0, 0}, {0, 0}}), 0, 0, -1, "fewer than 3"},
		"no area":             {Rings([]Point{{0, 0}, {5, 5}, {10, 10}, {0, 0}}), 0, 0, -1, "no area"},
		"no area at a pole":   {Rings([]Point{{0, 90}, {120, 90}, {-120, 90}, {0, 90}}), 0, 0, -1, "no area"},
		"world":               {Rings(box(-180, -90, 180, 90)), 0, 0, -1, "fewer than 3"},
		"NaN":                 {Rings([]Point{{0, 0}, {10, math.NaN()}, {10, 10}, {0, 0}}), 0, 0, 1, "longitude"},
		"infinite":            {Rings([]Point{{0, 0}, {math.Inf(1), 0}, {10, 10}, {0, 0}}), 0, 0, 1, "longitude"},
		"swapped":             {Rings([]Point{{40, 10}, {41, 10}, {40.5, 95}, {40, 10}}), 0, 0, 2, "longitude"},
		"20,000 vertices":     {Rings(many), 0, 0, 10_000, "more than 10000"},
		"hole outside":        {Rings(square, box(20, 0, 30, 10)), 0, 1, 0, "outside the outer ring"},
		"hole round":          {Rings(box(4, 4, 6, 6), square), 0, 1, 0, "outside the outer ring"},
		"hole crosses":        {Rings(square, box(5, 5, 15, 8)), 0, 1, 0, "crosses the outer ring at its edge from vertex 1"},
		"hole along":          {Rings(square, box(5, 0, 8, 8)), 0, 1, 0, "runs along the outer ring"},
		"hole in hole":        {Rings(square, box(1, 1, 9, 9), box(3, 3, 5, 5)), 0, 2, 0, "inside another hole"},
		"holes cross":         {Rings(square, box(1, 1, 5, 5), box(3, 3, 8, 8)), 0, 2, 3, "crosses hole 1"},
		"polygons cross":      {polygons([][]Point{square}, [][]Point{box(5, 5, 15, 15)}), 1, 0, 3, "crosses ring 0 of polygon 0"},
		"polygon in polygon":  {polygons([][]Point{square}, [][]Point{box(3, 3, 5, 5)}), 1, 0, 0, "inside another polygon"},
		"same polygon twice":  {polygons([][]Point{square}, [][]Point{square}), 1, 0, 0, "runs along ring 0 of polygon 0"},
		"no ring":             {Coordinates{PolygonEnds: []uint32{0}, RingEnds: []uint32{}}, 0, 0, -1, "no ring"},
		"nothing":             {Coordinates{PolygonEnds: []uint32{}, RingEnds: []uint32{}}, 0, 0, -1, "no polygon"},
		"crosses across 180":  {Rings([]Point{{179, 0}, {-179, 10}, {-179, 0}, {179, 10}, {179, 0}}), 0, 0, 2, "crosses itself"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := NewPolygons(tt.c)
			var se *ShapeError
			require.ErrorAs(t, err, &se)
			require.ErrorContains(t, err, tt.reason)
			require.Equal(t, [3]int{tt.polygon, tt.ring, tt.vertex}, [3]int{se.Polygon, se.Ring, se.Vertex}, "%v", err)
		})
	}
}

func TestShapesThatOnlyTouchAreFine(t *testing.T) {
	tests := map[string]Coordinates{
		"touches itself":     Rings([]Point{{0, 0}, {10, 0}, {5, 5}, {10, 10}, {0, 10}, {5, 5}, {0, 0}}),
		"hole touches":       Rings(box(0, 0, 10, 10), []Point{{0, 5}, {5, 3}, {5, 7}, {0, 5}}),
		"shared border":      polygons([][]Point{box(0, 0, 10, 10)}, [][]Point{box(10, 3, 20, 8)}),
		"shared corner":      polygons([][]Point{box(0, 0, 10, 10)}, [][]Point{box(10, 10, 20, 20)}),
		"island in a lake":   polygons([][]Point{box(0, 0, 10, 10), box(2, 2, 8, 8)}, [][]Point{box(4, 4, 6, 6)}),
		"double vertices":    Rings([]Point{{0, 0}, {0, 0}, {10, 0}, {10, 0}, {10, 10}, {0, 10}, {0, 0}, {0, 0}}),
		"180 and -180":       Rings([]Point{{-180, 0}, {-170, 0}, {-170, 10}, {180, 10}, {180, 0}}),
		"half the way round": Rings([]Point{{-90, 0}, {90, 0}, {90, 10}, {-90, 10}, {-90, 0}}),
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			s := mustPolygons(t, c)
			for _, p := range c.Points {
				require.Equal(t, onBoundary, s.locate(p), "%v", p)
			}
		})
	}
}

func BenchmarkContains(b *testing.B) {
	for _, n := range []int{16, 64, 1000, 10_000} {
		ring := make([]Point, 0, n+1)
		for i := range n {
			sin, cos := math.Sincos(float64(i) / float64(n) * 2 * math.Pi)
			r := 1 + 0.1*math.Sin(float64(i))
			ring = append(ring, Point{r * cos, r * sin})
		}
		ring = append(ring, ring[0])
		b.Run(strconv.Itoa(n)+"/build", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mustPolygons(b, Coordinates{Points: ring})
			}
		})
		s := mustPolygons(b, Coordinates{Points: ring})
		for name, p := range map[string]Point{"deep": {0.1, 0.1}, "edge": {1.0001, 0.0001}, "outside": {1.05, 1.05}} {
			b.Run(strconv.Itoa(n)+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				q := Ask(p)
				for b.Loop() {
					s.Contains(&q)
				}
			})
		}
	}
}

func TestAWedgeThatEndsAtThePoleTouchesIt(t *testing.T) {
	s := mustPolygons(t, Rings([]Point{{10, 80}, {20, 80}, {20, 90}, {10, 90}, {10, 80}}))
	for _, p := range []Point{{0, 90}, {15, 90}, {-170, 90}} {
		require.Equal(t, onBoundary, s.locate(p), "%v", p)
	}
	require.Equal(t, inside, s.locate(Point{15, 89.9999}))
	require.Equal(t, outside, s.locate(Point{25, 89.9999}))
	require.Equal(t, outside, s.locate(Point{15, -90}))
}
