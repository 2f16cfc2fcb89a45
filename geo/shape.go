package geo

import "fmt"

// Shape is a part of the earth's surface: Polygons, a circle or a corridor. Its boundary belongs to it.
type Shape interface {
	// Contains reports whether the point is inside or on the boundary.
	Contains(q *Query) bool
	// OutsideBy reports whether the point is outside and further than so many metres from the boundary.
	OutsideBy(q *Query, metres float64) bool
	// Traverse follows the geodesic from a to b.
	Traverse(a, b Point) Traversal
	// Box is the shape's bounding box.
	Box() Box
}

// Query is a point to be asked of many shapes: what several of them need of it is worked out once.
// It is not safe for several goroutines.
type Query struct {
	Point
	v     vector
	ready bool
}

// Ask makes a query of a point.
func Ask(p Point) Query { return Query{Point: p} }

func (q *Query) vector() vector {
	if !q.ready {
		q.v, q.ready = toVector(q.Point), true
	}
	return q.v
}

// Traversal is what a segment does with a shape. First and Last count only when Meets, In only when Interior.
type Traversal struct {
	First, Last float64 // the fractions, 0..1, at which the segment first and last is on the boundary
	In          float64 // the fraction at which it first goes into the interior; 0 when it starts there
	Meets       bool    // it is on the boundary somewhere
	Interior    bool    // it is in the interior somewhere
}

// ShapeError says why a shape is refused.
type ShapeError struct {
	Polygon int    // which polygon of a MultiPolygon
	Ring    int    // which ring of the polygon; 0 is the outer one
	Vertex  int    // which vertex of the ring or line; -1: the whole of it
	Reason  string // such as "the ring crosses itself between vertices 3 and 7"
}

func (e *ShapeError) Error() string {
	if e.Vertex < 0 {
		return fmt.Sprintf("polygon %d, ring %d: %s", e.Polygon, e.Ring, e.Reason)
	}
	return fmt.Sprintf("polygon %d, ring %d, vertex %d: %s", e.Polygon, e.Ring, e.Vertex, e.Reason)
}
