package geo

import "math"

// Ball is everything within a straight distance of a place.
type Ball struct{ ball }

// About is the ball of so many metres round a point.
func About(p Point, metres float64) Ball { return Ball{ball{toVector(p), metres}} }

// Clear reports whether the boundary is certainly not in a box that does not cross the antimeridian.
func (s *Polygons) Clear(b Box) bool {
	for shift := -360.0; shift <= 360; shift += 360 {
		e := extent{b.West + shift, b.South, b.East + shift, b.North}
		if s.extent.meets(e, boundary) && s.edgeIn(e) {
			return false
		}
	}
	return true
}

// Clear reports whether the circle's line is certainly not in a ball.
func (d *Disc) Clear(in *Ball) bool {
	v := in.centre.sub(d.centre)
	distance, radius := v.length(), math.Sqrt(d.chord2)
	return math.Abs(distance-radius) > in.radius+1
}

// Clear reports whether all of the shape is certainly outside of a ball.
func (s *Buffer) Clear(of *Ball) bool {
	return of.centre.sub(s.whole.centre).length() > of.radius+s.whole.radius+1
}
