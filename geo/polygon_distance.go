package geo

import "math"

const (
	// planeMetres and planeLat bound what is measured on the plane that touches the earth at the point: there it is within
	// 1e-3, which for a margin of tens of metres is centimetres.
	planeMetres = 2000
	planeLat    = 80
)

// OutsideBy reports whether the point is outside and further than so many metres from the boundary.
func (s *Polygons) OutsideBy(q *Query, metres float64) bool {
	window := BoxOf(q.Point).Expand(max(metres, boundaryMetres) * 1.001)
	if !window.Intersects(s.box) {
		return true
	}
	if s.locate(q.Point) != outside {
		return false
	}
	m := newMeter(q, metres)
	halves, n := window.Halves()
	for _, half := range halves[:n] {
		for _, shift := range [...]float64{-360, 0, 360} {
			e := extent{half.West + shift, half.South, half.East + shift, half.North}
			if s.extent.meets(e, 0) && s.anyWithin(&m, e) {
				return false
			}
		}
	}
	return true
}

// anyWithin reports whether an edge in a window of the frame is within the meter's reach.
func (s *Polygons) anyWithin(m *meter, e extent) bool {
	if ix := s.index; ix != nil {
		from, to := ix.columnsOf(e.minX, e.maxX)
		for _, i := range ix.refs[ix.columns[from]:ix.columns[to+1]] {
			if m.reaches(s.points[i], s.points[i+1], e) {
				return true
			}
		}
		return false
	}
	for from, to := range s.chains() {
		for i := from; i+1 < to; i++ {
			if m.reaches(s.points[i], s.points[i+1], e) {
				return true
			}
		}
	}
	return false
}

// meter measures from one point to edges.
type meter struct {
	p      Point
	v      vector
	metres float64
	plane  bool
	kx, ky float64 // metres per degree at p
}

func newMeter(q *Query, metres float64) meter {
	m := meter{p: q.Point, metres: metres}
	m.plane = metres <= planeMetres && math.Abs(q.Lat) <= planeLat
	if !m.plane {
		m.v = q.vector()
		return m
	}
	sin, cos := sincos(q.Lat)
	k := 1 / (1 - eccentricity2*sin*sin)
	n := equatorialRadius * math.Sqrt(k)
	m.kx, m.ky = n*cos*radian, n*(1-eccentricity2)*k*radian
	return m
}

// reaches reports whether an edge, in a window of the frame, is within reach.
func (m *meter) reaches(a, b Point, e extent) bool {
	if !e.meets(extent{min(a.Lon, b.Lon), min(a.Lat, b.Lat), max(a.Lon, b.Lon), max(a.Lat, b.Lat)}, 0) || alongPole(a, b) {
		return false
	}
	if m.plane {
		return m.onPlane(a, b)
	}
	return m.inSpace(a, b, e)
}

// onPlane measures on the plane that touches at p.
func (m *meter) onPlane(a, b Point) bool {
	turn := math.Round((a.Lon+b.Lon-2*m.p.Lon)/720) * 360
	ax, ay := (a.Lon-turn-m.p.Lon)*m.kx, (a.Lat-m.p.Lat)*m.ky
	dx, dy := (b.Lon-a.Lon)*m.kx, (b.Lat-a.Lat)*m.ky
	t := min(max(-(ax*dx+ay*dy)/(dx*dx+dy*dy), 0), 1)
	x, y := ax+t*dx, ay+t*dy
	return x*x+y*y <= m.metres*m.metres
}

// inSpace measures in the earth's frame, along chords of the part of the edge that is in the window.
func (m *meter) inSpace(a, b Point, e extent) bool {
	t0, t1 := clip(a.Lat, b.Lat, e.minY, e.maxY, 0, 1)
	t0, t1 = clip(a.Lon, b.Lon, e.minX, e.maxX, t0, t1)
	if t0 > t1 {
		return false
	}
	at := func(t float64) Point { return Point{a.Lon + (b.Lon-a.Lon)*t, a.Lat + (b.Lat-a.Lat)*t} }
	var line Buffer
	line.radius = m.metres
	line.addLine(at(t0), at(t1))
	return line.distance(m.v) <= m.metres
}

// clip narrows the fractions of the way from a to b to where it is within low..high.
func clip(a, b, low, high, t0, t1 float64) (float64, float64) {
	d := b - a
	if d == 0 {
		return t0, t1 // the caller has seen that the boxes meet
	}
	u, v := (low-a)/d, (high-a)/d
	if u > v {
		u, v = v, u
	}
	return max(t0, u), min(t1, v)
}
