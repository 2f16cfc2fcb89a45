package geo

import (
	"math"
	"slices"
)

const (
	// strayRadians is how far a vehicle's way, a geodesic, may stray from the straight line in longitude and latitude that is
	// followed instead: a centimetre. A longer way is cut into pieces.
	strayRadians = 1.5e-9
	// finest bounds the pieces, for a way across a pole, where a straight line in longitude and latitude goes round it.
	finest = 1.0 / (1 << 24)
)

// Traverse follows the geodesic from a to b through the shape.
func (s *Polygons) Traverse(a, b Point) Traversal {
	w := way{shape: s, a: a, b: b}
	w.bx = a.Lon + math.Remainder(b.Lon-a.Lon, 360)
	w.straight = straightEnough(Point{a.Lon, a.Lat}, Point{w.bx, b.Lat})
	if w.straight {
		w.piece(0, 1, a, Point{w.bx, b.Lat})
	} else {
		w.geodesic = newSegment(a, b)
		w.follow(0, 1, a, b)
	}
	return w.traversal()
}

// way is one traversal in the making.
type way struct {
	shape    *Polygons
	a, b     Point
	bx       float64 // b's longitude, the short way from a's
	straight bool    // the geodesic is straight in longitude and latitude
	geodesic segment // when it is not
	met      meetings
}

// meetings are the fractions of a way at which it is on the boundary. The first few need no room elsewhere.
type meetings struct {
	few  [12]float64
	n    int
	more []float64
}

func (m *meetings) add(t float64) {
	if m.n < len(m.few) {
		m.few[m.n] = t
		m.n++
		return
	}
	m.more = append(m.more, t)
}

// sorted is all of them in order.
func (m *meetings) sorted() []float64 {
	all := m.few[:m.n]
	if m.more != nil {
		all = append(m.more, all...)
	}
	slices.Sort(all)
	return all
}

func (w *way) at(t float64) Point {
	if w.straight {
		return Point{NormalizeLon(w.a.Lon + (w.bx-w.a.Lon)*t), w.a.Lat + (w.b.Lat-w.a.Lat)*t}
	}
	return w.geodesic.at(t)
}

// straightEnough reports whether the geodesic from a to b strays no more than strayRadians from the straight line: by
// Δλ² sin φ cos φ / 8 in latitude, and by Δλ Δφ sin φ / 4 in longitude (on the ground).
func straightEnough(a, b Point) bool {
	dx, dy := (b.Lon-a.Lon)*radian, (b.Lat-a.Lat)*radian
	if math.Abs(dx) > 0.004 || math.Abs(dy) > 0.004 { // there the earth's flattening and the next terms count
		return false
	}
	north, along := dx*dx/8, math.Abs(dx*dy)/4
	if north <= 2*strayRadians && along <= strayRadians { // sin φ cos φ ≤ 1/2
		return true
	}
	sin := math.Sin(max(math.Abs(a.Lat), math.Abs(b.Lat)) * radian)
	cos := math.Cos(min(math.Abs(a.Lat), math.Abs(b.Lat)) * radian)
	return north*sin*cos <= strayRadians && along*sin <= strayRadians
}

// follow cuts the way into pieces that are straight enough, and leaves out those that are far from the shape.
func (w *way) follow(t0, t1 float64, p, q Point) {
	x := p.Lon + math.Remainder(q.Lon-p.Lon, 360)
	end := Point{x, q.Lat}
	if straightEnough(p, end) || t1-t0 < finest {
		w.piece(t0, t1, p, end)
		return
	}
	if w.far(t0, t1, p, q) {
		return
	}
	middle := (t0 + t1) / 2
	m := w.geodesic.at(middle)
	w.follow(t0, middle, p, m)
	w.follow(middle, t1, m, q)
}

// far reports whether a part of the way cannot come near the shape: every point of it is within its length of its ends, and
// within a box that wide.
func (w *way) far(t0, t1 float64, p, q Point) bool {
	box := Between(p, q)
	chord := w.geodesic.chord * (t1 - t0) * 1.01
	if w.geodesic.long {
		chord = w.geodesic.metres * (t1 - t0) * 1.01
	}
	return !box.Expand(chord / 2).Intersects(w.shape.box)
}

// piece looks at a straight part of the way; b's longitude runs on from a's.
func (w *way) piece(t0, t1 float64, a, b Point) {
	s := w.shape
	x := s.toFrame(a.Lon)
	b.Lon += x - a.Lon
	a.Lon = x
	for _, shift := range [...]float64{0, -360, 360} {
		p, q := Point{a.Lon + shift, a.Lat}, Point{b.Lon + shift, b.Lat}
		e := extent{min(p.Lon, q.Lon), min(p.Lat, q.Lat), max(p.Lon, q.Lon), max(p.Lat, q.Lat)}
		if !s.extent.meets(e, boundary) {
			continue
		}
		c := chord{a: p, dx: q.Lon - p.Lon, dy: q.Lat - p.Lat, extent: e, t0: t0, t1: t1, met: &w.met}
		c.length = math.Hypot(c.dx, c.dy)
		s.near(e, &c)
	}
}

// near shows a chord all edges that it may meet; an edge may come more than once.
func (s *Polygons) near(e extent, c *chord) {
	if ix := s.index; ix != nil {
		from, to := ix.columnsOf(e.minX-boundary, e.maxX+boundary)
		for _, i := range ix.refs[ix.columns[from]:ix.columns[to+1]] {
			c.edge(s.points[i], s.points[i+1])
		}
		return
	}
	for from, to := range s.chains() {
		for i := from; i+1 < to; i++ {
			c.edge(s.points[i], s.points[i+1])
		}
	}
}

// chord is a straight part of a way in a shape's frame.
type chord struct {
	a      Point
	dx, dy float64
	length float64
	extent extent
	t0, t1 float64
	met    *meetings // of the whole way
}

func (c *chord) meet(t float64) {
	c.met.add(c.t0 + (c.t1-c.t0)*min(max(t, 0), 1))
}

// edge adds where the chord meets an edge: one point, or both ends of what they share.
func (c *chord) edge(p, q Point) {
	if !c.extent.meets(extent{min(p.Lon, q.Lon), min(p.Lat, q.Lat), max(p.Lon, q.Lon), max(p.Lat, q.Lat)}, boundary) ||
		alongPole(p, q) {
		return
	}
	ex, ey := q.Lon-p.Lon, q.Lat-p.Lat
	length := math.Hypot(ex, ey)
	px, py := p.Lon-c.a.Lon, p.Lat-c.a.Lat
	det := c.dx*ey - c.dy*ex
	if math.Abs(det) <= 1e-12*c.length*length || c.length <= boundary {
		c.parallel(px, py, ex, ey, length)
		return
	}
	t, u := (px*ey-py*ex)/det, (px*c.dy-py*c.dx)/det
	if by := boundary / c.length; t < -by || t > 1+by {
		return
	}
	if by := boundary / length; u < -by || u > 1+by {
		return
	}
	c.meet(t)
}

// parallel adds what a chord shares with an edge on the same line; a chord without length is a point.
func (c *chord) parallel(px, py, ex, ey, length float64) {
	if math.Abs(px*ey-py*ex) > boundary*length {
		return
	}
	if c.length <= boundary {
		c.meet(0)
		return
	}
	l2 := c.length * c.length
	t0 := (px*c.dx + py*c.dy) / l2
	t1 := ((px+ex)*c.dx + (py+ey)*c.dy) / l2
	if t0 > t1 {
		t0, t1 = t1, t0
	}
	if by := boundary / c.length; t1 < -by || t0 > 1+by {
		return
	}
	c.meet(t0)
	c.meet(t1)
}

// traversal puts together what the pieces met. Between two meetings all of the way is inside or outside, which its middle
// tells.
func (w *way) traversal() Traversal {
	start, end := w.shape.locate(w.a), w.shape.locate(w.b)
	if start == onBoundary {
		w.met.add(0)
	}
	if end == onBoundary {
		w.met.add(1)
	}
	if w.met.n == 0 {
		return Traversal{Interior: start == inside}
	}
	met := w.met.sorted()
	t := Traversal{Meets: true, First: met[0], Last: met[len(met)-1]}
	switch {
	case start == inside:
		t.Interior = true
	case end == inside && t.First == t.Last:
		t.Interior, t.In = true, t.First
	default:
		t.In, t.Interior = w.goesIn(met)
	}
	return t
}

// goesIn is where the way first goes into the interior, at one of the fractions at which it meets the boundary.
func (w *way) goesIn(met []float64) (at float64, ok bool) {
	for i, at := range met {
		next := 1.0
		if i+1 < len(met) {
			next = met[i+1]
		}
		if next-at > 1e-12 && w.shape.locate(w.at((at+next)/2)) == inside {
			return at, true
		}
	}
	return 0, false
}
