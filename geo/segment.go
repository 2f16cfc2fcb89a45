package geo

import "math"

// segment is the geodesic between two points, made ready for places along it.
type segment struct {
	a, b         Point
	va, vb       vector
	theta, sin   float64 // the angle between the ends as seen from the centre of the earth, radians
	long         bool
	metres, head float64 // only when long
}

func newSegment(a, b Point) segment {
	s := segment{a: a, b: b, va: toVector(a), vb: toVector(b)}
	c := s.vb.sub(s.va).length()
	if c > shortChord {
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

// SegmentBox is a box that holds the geodesic between two points.
func SegmentBox(a, b Point) Box {
	return Between(a, b).Expand(Distance(a, b))
}
