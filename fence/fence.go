package fence

import (
	"encoding/binary"
	"math"

	"github.com/trackmesh/trackmesh/geo"
)

// Traversal is what a vehicle's segment does with a fence's shape.
type Traversal = geo.Traversal

// Fence is one geofence at one version. It is immutable.
type Fence struct {
	// What a search needs of the fences that it finds, close together.
	disc  geo.Disc  // when it is a circle
	order [2]uint64 // the first bytes of the id, as numbers that sort like them

	ID, Name         string
	Version          int64     // of the last change: an edit, or for one that follows a vehicle also a move
	Edited           int64     // of the last edit
	ExitMarginMetres float64   // NaN: the node's
	Dwell            int64     // milliseconds inside until dwell; 0: none
	Schedule         *Schedule // nil: always open
	Follows          string    // the vehicle with which the circle moves; empty: it stays
	RadiusMetres     float64   // of a circle; 0: another shape
	Emits            Mask      // the events that are emitted

	// One of these is the shape; none when it follows a vehicle, whose place is not known here. They are no interface so
	// that a query stays on the caller's stack.
	polygons   *geo.Polygons
	buffer     *geo.Buffer
	geometry   geometry
	properties []byte // the JSON object, compact
}

// HasMargin reports whether the fence overrides the node's exit margin.
func (f *Fence) HasMargin() bool { return !math.IsNaN(f.ExitMarginMetres) }

// Contains reports whether the point is inside or on the boundary, whatever the schedule says. A fence that follows a vehicle
// contains nothing until Place puts it somewhere.
func (f *Fence) Contains(p geo.Point) bool {
	q := geo.Ask(p)
	return f.contains(&q)
}

func (f *Fence) contains(q *geo.Query) bool {
	switch {
	case f.disc.Is():
		return f.disc.Contains(q)
	case f.polygons != nil:
		return f.polygons.Contains(q)
	case f.buffer != nil:
		return f.buffer.Contains(q)
	}
	return false
}

func (f *Fence) mayMeet(w *geo.Way) bool {
	switch {
	case f.disc.Is():
		return f.disc.MayMeet(w)
	case f.polygons != nil:
		return f.polygons.MayMeet(w)
	case f.buffer != nil:
		return f.buffer.MayMeet(w)
	}
	return false
}

// OutsideBy reports whether the point is outside and further than so many metres from the boundary.
func (f *Fence) OutsideBy(p geo.Point, metres float64) bool {
	q := geo.Ask(p)
	switch {
	case f.polygons != nil:
		return f.polygons.OutsideBy(&q, metres)
	case f.buffer != nil:
		return f.buffer.OutsideBy(&q, metres)
	}
	return true
}

// Traverse follows the geodesic from a to b through the fence's shape.
func (f *Fence) Traverse(a, b geo.Point) Traversal {
	switch {
	case f.polygons != nil:
		return f.polygons.Traverse(a, b)
	case f.buffer != nil:
		return f.buffer.Traverse(a, b)
	}
	return Traversal{}
}

// Box is the bounding box of the shape; that of a fence that follows a vehicle is the one of the place it was drawn at.
func (f *Fence) Box() geo.Box {
	switch {
	case f.polygons != nil:
		return f.polygons.Box()
	case f.buffer != nil:
		return f.buffer.Box()
	}
	return geo.BoxOf(f.geometry.points[0]).Expand(f.RadiusMetres)
}

// Shape is the fence's shape; nil when it follows a vehicle and was not placed.
func (f *Fence) Shape() geo.Shape {
	switch {
	case f.polygons != nil:
		return f.polygons
	case f.buffer != nil:
		return f.buffer
	}
	return nil
}

// placed reports whether it is anywhere.
func (f *Fence) placed() bool { return f.polygons != nil || f.buffer != nil }

// Place is a fence that follows a vehicle, as the circle round the place where that vehicle is, at the version of the move;
// any other fence is itself.
func (f *Fence) Place(at geo.Point, version int64) *Fence {
	if f.Follows == "" {
		return f
	}
	placed := *f
	placed.Version = version
	placed.geometry.points = []geo.Point{at}
	placed.setBuffer(geo.NewCircle(at, f.RadiusMetres))
	return &placed
}

func (f *Fence) setBuffer(b *geo.Buffer) { f.buffer, f.disc = b, b.Disc() }

// setOrder prepares before.
func (f *Fence) setOrder() {
	var head [16]byte
	copy(head[:], f.ID)
	f.order = [2]uint64{binary.BigEndian.Uint64(head[:8]), binary.BigEndian.Uint64(head[8:])}
}

// before reports whether the fence comes before another by id. Most ids are told apart by the numbers, without going where
// their text is.
func (f *Fence) before(g *Fence) bool {
	switch {
	case f.order[0] != g.order[0]:
		return f.order[0] < g.order[0]
	case f.order[1] != g.order[1]:
		return f.order[1] < g.order[1]
	}
	return f.ID < g.ID
}

// Open reports whether the fence is open at a time, UTC milliseconds.
func (f *Fence) Open(at int64) bool { return f.Schedule == nil || f.Schedule.Open(at) }

// NextChange is the first time after another at which the fence opens or closes; ok is false when it never does.
func (f *Fence) NextChange(after int64) (at int64, opens, ok bool) {
	if f.Schedule == nil {
		return 0, false, false
	}
	return f.Schedule.NextChange(after)
}

// Mask says which events of a fence are emitted.
type Mask uint8

// The bits of a Mask.
const (
	MaskEnter Mask = 1 << iota
	MaskExit
	MaskCross
	MaskDwell
	MaskAll = MaskEnter | MaskExit | MaskCross | MaskDwell
)

// Has reports whether all of the events of o are emitted.
func (m Mask) Has(o Mask) bool { return m&o == o }
