package geo

import "math"

// MaxVertices is the most that one shape may have.
const MaxVertices = 10_000

// boundary is how near an edge, in degrees, a point still counts as on it: a tenth of a millimetre. It is far above what
// doubles round off, so that no answer hangs on the last bit.
const boundary = 1e-9

// Polygons is a polygon or several, with holes. Its edges are straight in longitude and latitude.
//
// It lives in a frame of its own: longitudes from west up to west + 360, which starts in a gap of the shape where it has
// one, so that most shapes are not cut by the frame, also at the antimeridian. Edges of a shape all round the earth are cut
// there. A place is inside when the way from it to the south pole along its meridian crosses an odd number of edges
// (an even number, when the south pole itself is inside).
type Polygons struct {
	west      float64
	points    []Point  // chains of vertices in the frame; the coordinates as given where nothing had to be moved
	chainEnds []uint32 // where each chain ends in points; nil: one chain
	southPole bool     // the south pole is inside by a ring that winds round it
	cut       bool     // edges are cut at the frame's ends
	extent    extent   // in the frame
	box       Box
	index     *edgeIndex // nil: so few edges that all are asked
}

// extent is a rectangle in a frame.
type extent struct{ minX, minY, maxX, maxY float64 }

func (e *extent) add(x, y float64) {
	e.minX, e.maxX = min(e.minX, x), max(e.maxX, x)
	e.minY, e.maxY = min(e.minY, y), max(e.maxY, y)
}

func (e *extent) holds(x, y, by float64) bool {
	return x >= e.minX-by && x <= e.maxX+by && y >= e.minY-by && y <= e.maxY+by
}

func (e *extent) meets(o extent, by float64) bool {
	return o.maxX >= e.minX-by && o.minX <= e.maxX+by && o.maxY >= e.minY-by && o.minY <= e.maxY+by
}

var nowhere = extent{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}

// location of a place.
type location int8

const (
	outside location = iota
	onBoundary
	inside
)

// Box is the bounding box.
func (s *Polygons) Box() Box { return s.box }

// Contains reports whether the point is inside or on the boundary.
func (s *Polygons) Contains(q *Query) bool { return s.locate(q.Point) != outside }

// toFrame is a longitude in the shape's frame.
func (s *Polygons) toFrame(lon float64) float64 {
	if lon >= 180 {
		lon -= 360
	}
	if lon < s.west {
		lon += 360
	}
	return lon
}

func (s *Polygons) locate(p Point) location {
	x, y := s.toFrame(p.Lon), p.Lat
	if y >= 90-boundary || y <= boundary-90 {
		return s.locatePole(x, y)
	}
	at := outside
	if s.extent.holds(x, y, boundary) {
		at = s.locateIn(x, y)
	}
	if at != outside {
		return at
	}
	// A place at one end of the frame is also at the other, where it can only touch.
	if x <= s.west+boundary && s.extent.holds(x+360, y, boundary) && s.touches(x+360, y) ||
		x >= s.west+360-boundary && s.extent.holds(x-360, y, boundary) && s.touches(x-360, y) {
		return onBoundary
	}
	return outside
}

// locatePole is locate for a pole, which has all longitudes: a ring may run to it or along it at any of them. Along it is no
// boundary.
func (s *Polygons) locatePole(x, y float64) location {
	at := outside
	s.eachEdge(func(_ int, a, b Point) {
		switch {
		case math.Abs(a.Lat-y) > boundary && math.Abs(b.Lat-y) > boundary:
		case !alongPole(a, b):
			at = onBoundary
		case at == outside:
			at = inside
		}
	})
	if at != outside {
		return at
	}
	w := stab{x: x, y: y, odd: s.southPole}
	s.eachEdge(func(_ int, a, b Point) { w.edge(a, b) })
	return w.location()
}

// locateIn is locate for a place in the frame and the extent.
func (s *Polygons) locateIn(x, y float64) location {
	w := stab{x: x, y: y, odd: s.southPole}
	if ix := s.index; ix != nil {
		switch ix.cell(x, y) {
		case cellOutside:
			return outside
		case cellInside:
			return inside
		case cellEdge:
		}
		for _, i := range ix.column(x) {
			if w.edge(s.points[i], s.points[i+1]) {
				return onBoundary
			}
		}
		return w.location()
	}
	for from, to := range s.chains() {
		if w.chain(s.points[from:to]) {
			return onBoundary
		}
	}
	return w.location()
}

// touches reports whether a place in the frame, or just beside it, is on an edge.
func (s *Polygons) touches(x, y float64) bool {
	w := stab{x: x, y: y}
	for from, to := range s.chains() {
		if w.chain(s.points[from:to]) {
			return true
		}
	}
	return false
}

// chains gives the range in points of each chain.
func (s *Polygons) chains() func(yield func(from, to int) bool) {
	return func(yield func(from, to int) bool) {
		if s.chainEnds == nil {
			yield(0, len(s.points))
			return
		}
		from := 0
		for _, to := range s.chainEnds {
			if !yield(from, int(to)) {
				return
			}
			from = int(to)
		}
	}
}

// stab counts the edges on the way from a place to the south pole.
type stab struct {
	x, y float64
	odd  bool
}

func (w *stab) location() location {
	if w.odd {
		return inside
	}
	return outside
}

// chain counts a chain's edges and reports whether the place is on one.
func (w *stab) chain(points []Point) bool {
	x := w.x
	a := points[0]
	for _, b := range points[1:] {
		// Most edges lie wholly to one side.
		if a.Lon > x+boundary && b.Lon > x+boundary || a.Lon < x-boundary && b.Lon < x-boundary {
			a = b
			continue
		}
		if w.edge(a, b) {
			return true
		}
		a = b
	}
	return false
}

// edge counts one edge and reports whether the place is on it. An edge belongs to the meridians from its western end up to,
// not including, its eastern one, so that a vertex is counted once.
func (w *stab) edge(a, b Point) bool {
	if a.Lon > b.Lon {
		a, b = b, a
	}
	x, y := w.x, w.y
	if x < a.Lon-boundary || x > b.Lon+boundary {
		return false
	}
	low, high := a.Lat, b.Lat
	if low > high {
		low, high = high, low
	}
	if y < low-boundary {
		return false
	}
	counts := a.Lon <= x && x < b.Lon
	if y > high+boundary {
		w.odd = w.odd != counts
		return false
	}
	dx, dy := b.Lon-a.Lon, b.Lat-a.Lat
	cross := dx*(y-a.Lat) - dy*(x-a.Lon)
	if cross*cross <= boundary*boundary*(dx*dx+dy*dy) {
		return true
	}
	if cross > 0 && counts {
		w.odd = !w.odd
	}
	return false
}
