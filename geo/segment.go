package geo

import "math"

// straightMetres is the longest segment whose places are found by turning its ends' vectors into one another, which is a
// great circle's way: it strays with the cube of the length, at 30 km by 5 mm. A longer one takes Vincenty's methods.
const straightMetres = 30_000

// segment is the geodesic between two points, made ready for places along it.
type segment struct {
	a, b         Point
	va, vb       vector
	theta, sin   float64 // the angle between the ends as seen from the centre of the earth, radians
	chord        float64 // metres, straight
	long         bool
	metres, head float64 // only when long
}

func newSegment(a, b Point) segment {
	s := segment{a: a, b: b, va: toVector(a), vb: toVector(b)}
	c := s.vb.sub(s.va).length()
	s.chord = c
	if c > straightMetres {
		g := inverse(a, b)
		s.long, s.metres, s.head = true, g.metres, g.initial
		return s
	}
	s.theta = 2 * math.Asin(c/(s.va.length()+s.vb.length()))
	s.sin = math.Sin(s.theta)
	return s
}

// at is the point at a fraction of the way.
func (s *segment) at(t float64) Point {
	if s.long {
		return Destination(s.a, s.head, t*s.metres)
	}
	return toPoint(s.vectorAt(t))
}

// vectorAt is at in the earth's frame; of a short segment it lies within metres of the surface, above or below.
func (s *segment) vectorAt(t float64) vector {
	if s.long {
		return toVector(s.at(t))
	}
	if s.theta < 1e-6 {
		return s.va.mix(s.vb, t)
	}
	return s.va.scale(math.Sin((1-t)*s.theta) / s.sin).add(s.vb.scale(math.Sin(t*s.theta) / s.sin))
}

// SegmentBox is a box that holds the geodesic between two points: the box of its ends, and as much more as it may bulge.
func SegmentBox(a, b Point) Box {
	box := Between(a, b)
	dx := math.Abs(math.Remainder(b.Lon-a.Lon, 360)) * radian
	furthest := max(math.Abs(a.Lat), math.Abs(b.Lat))
	// A geodesic bulges towards the pole by Δλ² sin φ cos φ / 8 ≤ Δλ² / 16 at first; twice that for what follows.
	if dx < 0.02 && furthest < 85 {
		bulge := dx * dx / 8 / radian
		box.South, box.North = box.South-bulge, box.North+bulge
		return box
	}
	return box.Expand(Distance(a, b)/2*1.01 + 1)
}
