package geo

import (
	"math"
	"strconv"
)

// NewPolygons makes a shape of a polygon's or a MultiPolygon's coordinates, or says why they are none: an *ShapeError. The
// coordinates must not be written to afterwards.
//
// Edges go the short way round the earth; one of exactly 180 degrees goes the way in which its numbers run. A ring may touch
// itself or another in points, never cross or run along it; parts of a MultiPolygon may share borders. Consecutive equal
// vertices count as one.
func NewPolygons(c Coordinates) (*Polygons, error) {
	b := builder{c: &c}
	if err := b.unroll(); err != nil {
		return nil, err
	}
	if err := b.measure(); err != nil {
		return nil, err
	}
	b.chooseFrame()
	b.layOut()
	if b.bySeam {
		b.dissolveSeam()
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	s := b.finish()
	if b.dissolved {
		if err := b.checkSeam(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// builder carries a shape from coordinates to Polygons.
type builder struct {
	c      *Coordinates
	rings  []ring
	west   float64
	cut    bool
	edges  []edge // in the frame, cut at its ends
	bySeam bool   // some edges may lie on the antimeridian
	asIs   bool   // the frame's coordinates are those that were given

	dissolved bool // some of the antimeridian was no boundary
}

// edge is a straight line in the frame.
type edge struct {
	a, b Point
	ring int32
	seq  int32 // which edge of the ring
}

// unroll reads the rings, and refuses what is wrong with one by itself.
func (b *builder) unroll() error {
	total := 0
	b.asIs = true
	b.rings = make([]ring, 0, b.c.rings())
	for polygon := range b.c.Polygons() {
		from, to := b.c.RingsOf(polygon)
		if from == to {
			return &ShapeError{Polygon: polygon, Vertex: -1, Reason: "the polygon has no ring"}
		}
		for i := from; i < to; i++ {
			r := ring{polygon: polygon, number: i - from}
			given := b.c.Ring(i)
			total += max(len(given)-1, 0)
			if total > MaxVertices {
				return r.refuse(max(len(given)-1-(total-MaxVertices), 0), "more than %s vertices", strconv.Itoa(MaxVertices))
			}
			if err := r.unroll(given); err != nil {
				return err
			}
			b.asIs = b.asIs && r.vertex == nil
			b.rings = append(b.rings, r)
		}
	}
	if len(b.rings) == 0 {
		return &ShapeError{Vertex: -1, Reason: "has no polygon"}
	}
	return nil
}

// measure finds each ring's reach, area and direction, and refuses rings without an area.
func (b *builder) measure() error {
	for i := range b.rings {
		r := &b.rings[i]
		r.minX, r.maxX = math.Inf(1), math.Inf(-1)
		origin := r.points[0]
		var twice, length, lats float64
		for j, p := range r.points {
			r.minX, r.maxX = min(r.minX, p.Lon), max(r.maxX, p.Lon)
			if j == 0 {
				continue
			}
			q := r.points[j-1]
			twice += (q.Lon-origin.Lon)*(p.Lat-origin.Lat) - (p.Lon-origin.Lon)*(q.Lat-origin.Lat)
			length += math.Hypot(p.Lon-q.Lon, p.Lat-q.Lat)
			lats += (p.Lon - q.Lon) * (p.Lat + q.Lat) / 2
		}
		r.area = twice / 2
		switch {
		case r.turns > 1 || r.turns < -1:
			return r.refuse(-1, "the ring winds round the earth more than once")
		case r.turns != 0:
			mean := lats / (360 * float64(r.turns)) // the latitude that halves it
			r.north = mean > 0 || mean == 0 && r.turns > 0
			if math.Abs(mean) >= 90-boundary {
				return r.refuse(-1, "the ring has no area")
			}
			r.area = 1
			if r.north != (r.turns > 0) {
				r.area = -1
			}
		case r.flat():
			return r.refuse(-1, "the ring has no area")
		default:
			r.empty = math.Abs(r.area) <= boundary*length
		}
	}
	return nil
}

// finish makes the shape of edges that were found good.
func (b *builder) finish() *Polygons {
	s := &Polygons{west: b.west, cut: b.cut, extent: nowhere}
	for i := range b.rings {
		r := &b.rings[i]
		if r.turns != 0 && !r.north {
			s.southPole = !s.southPole
		}
	}
	if b.asIs {
		s.points, s.chainEnds = b.c.Points, b.c.RingEnds
	} else {
		b.chain(s)
	}
	for _, p := range s.points {
		s.extent.add(p.Lon, p.Lat)
	}
	b.reachPoles(s)
	s.box = s.extent.box(b.cut)
	s.buildIndex()
	return s
}

// reachPoles stretches the extent to the poles inside.
func (b *builder) reachPoles(s *Polygons) {
	for i := range b.rings {
		if r := &b.rings[i]; r.turns != 0 {
			s.extent.add(b.west, r.pole())
			s.extent.add(b.west+360, r.pole())
		}
	}
}

func (e *extent) box(cut bool) Box {
	b := Box{West: e.minX, South: e.minY, East: e.maxX, North: e.maxY}
	if cut && e.maxX-e.minX >= 360 {
		b.West, b.East = -180, 180
		return b
	}
	if b.West > 180 {
		b.West, b.East = b.West-360, b.East-360
	}
	if b.East > 180 {
		b.East -= 360
	}
	if b.West == 180 && b.East < 180 {
		b.West = -180
	}
	return b
}

// chain strings the edges together again where they meet.
func (b *builder) chain(s *Polygons) {
	s.points = make([]Point, 0, len(b.edges)+len(b.rings))
	s.chainEnds = make([]uint32, 0, len(b.rings))
	for i, e := range b.edges {
		if i == 0 || b.edges[i-1].b != e.a || b.edges[i-1].ring != e.ring {
			if i > 0 {
				s.chainEnds = append(s.chainEnds, uint32(len(s.points)))
			}
			s.points = append(s.points, e.a)
		}
		s.points = append(s.points, e.b)
	}
	s.chainEnds = append(s.chainEnds, uint32(len(s.points)))
	if len(s.chainEnds) == 1 {
		s.chainEnds = nil
	}
}
