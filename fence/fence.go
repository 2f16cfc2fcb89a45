package fence

import (
	"math"

	"github.com/trackmesh/trackmesh/geo"
)

// Traversal is what a vehicle's segment does with a fence's shape.
type Traversal = geo.Traversal

// Fence is one geofence at one version. It is immutable.
type Fence struct {
	ID, Name         string
	Version          int64
	ExitMarginMetres float64   // NaN: the node's
	Dwell            int64     // milliseconds inside until dwell; 0: none
	Schedule         *Schedule // nil: always open
	Follows          string    // the vehicle with which the circle moves; empty: it stays
	RadiusMetres     float64   // of a circle; 0: another shape
	Emits            Mask      // the events that are emitted

	shape      geo.Shape // nil: it follows a vehicle, whose place is not known here
	geometry   geometry
	properties []byte // the JSON object, compact
}

// HasMargin reports whether the fence overrides the node's exit margin.
func (f *Fence) HasMargin() bool { return !math.IsNaN(f.ExitMarginMetres) }

// Contains reports whether the point is inside or on the boundary, whatever the schedule says. A fence that follows a vehicle
// contains nothing until Place puts it somewhere.
func (f *Fence) Contains(p geo.Point) bool {
	q := geo.Ask(p)
	return f.shape != nil && f.shape.Contains(&q)
}

// OutsideBy reports whether the point is outside and further than so many metres from the boundary.
func (f *Fence) OutsideBy(p geo.Point, metres float64) bool {
	q := geo.Ask(p)
	return f.shape == nil || f.shape.OutsideBy(&q, metres)
}

// Traverse follows the geodesic from a to b through the fence's shape.
func (f *Fence) Traverse(a, b geo.Point) Traversal {
	if f.shape == nil {
		return Traversal{}
	}
	return f.shape.Traverse(a, b)
}

// Box is the bounding box of the shape; that of a fence that follows a vehicle is the one of the place it was drawn at.
func (f *Fence) Box() geo.Box {
	if f.shape == nil {
		return geo.BoxOf(f.geometry.points[0]).Expand(f.RadiusMetres)
	}
	return f.shape.Box()
}

// Shape is the fence's shape; nil when it follows a vehicle and was not placed.
func (f *Fence) Shape() geo.Shape { return f.shape }

// Place is a fence that follows a vehicle, as the circle round the place where that vehicle is; any other fence is itself.
func (f *Fence) Place(at geo.Point) *Fence {
	if f.Follows == "" {
		return f
	}
	placed := *f
	placed.shape = geo.NewCircle(at, f.RadiusMetres)
	return &placed
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
