package geo

import (
	"math"
	"slices"
)

// check refuses rings that cross or run along themselves or each other, holes outside their polygon or inside one another,
// and polygons inside one another.
func (b *builder) check() error {
	if err := b.checkCrossings(); err != nil {
		return err
	}
	for i := range b.rings {
		if r := &b.rings[i]; r.empty {
			return r.refuse(-1, "the ring has no area")
		}
	}
	if len(b.rings) == 1 {
		return nil
	}
	return b.checkNesting()
}

// checkCrossings sweeps over the edges along the axis on which they overlap less, and looks at the pairs whose boxes meet.
func (b *builder) checkCrossings() error {
	type swept struct {
		from, to, low, high float64
		edge                int32
	}
	byLat := b.latitudesOverlapLess()
	all := make([]swept, 0, len(b.edges))
	for i := range b.edges {
		e := &b.edges[i]
		s := swept{
			min(e.a.Lon, e.b.Lon), max(e.a.Lon, e.b.Lon), min(e.a.Lat, e.b.Lat), max(e.a.Lat, e.b.Lat), int32(i),
		}
		if byLat {
			s.from, s.to, s.low, s.high = s.low, s.high, s.from, s.to
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(s, t swept) int {
		switch {
		case s.from < t.from:
			return -1
		case s.from > t.from:
			return 1
		}
		return 0
	})
	for i := range all {
		s := &all[i]
		for j := i + 1; j < len(all) && all[j].from <= s.to; j++ {
			if t := &all[j]; t.low <= s.high && t.high >= s.low {
				if err := b.checkPair(min(s.edge, t.edge), max(s.edge, t.edge)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// latitudesOverlapLess compares how many times over the edges cover each axis.
func (b *builder) latitudesOverlapLess() bool {
	var dx, dy float64
	reach := nowhere
	for i := range b.edges {
		e := &b.edges[i]
		dx += math.Abs(e.a.Lon - e.b.Lon)
		dy += math.Abs(e.a.Lat - e.b.Lat)
		reach.add(e.a.Lon, e.a.Lat)
	}
	return dy*(reach.maxX-reach.minX) < dx*(reach.maxY-reach.minY)
}

// alongPole reports whether an edge is no line on the ground: both its ends are the same pole.
func alongPole(a, b Point) bool { return math.Abs(a.Lat) == 90 && a.Lat == b.Lat }

// checkPair looks at two edges whose boxes meet; i comes before j.
func (b *builder) checkPair(i, j int32) error {
	e, f := &b.edges[i], &b.edges[j]
	if e.ring == f.ring && b.neighbours(e, f) {
		return b.checkNeighbours(e, f)
	}
	o1, o2 := orient(e.a, e.b, f.a), orient(e.a, e.b, f.b)
	if o1*o2 > 0 {
		return nil
	}
	o3, o4 := orient(f.a, f.b, e.a), orient(f.a, f.b, e.b)
	switch {
	case o3*o4 > 0:
		return nil
	case o1 == 0 && o2 == 0:
		return b.checkCollinear(e, f)
	case o1*o2 < 0 && o3*o4 < 0:
		return b.crossing(e, f)
	}
	// They touch in one point. Each vertex is looked at once, as the start of the edge that leaves it.
	if o1 == 0 && between(e.a, e.b, f.a) && f.a != e.b && b.crossesAt(e, f) {
		return b.crossing(e, f)
	}
	if o3 == 0 && between(f.a, f.b, e.a) && e.a != f.b && e.a != f.a && b.crossesAt(f, e) {
		return b.crossing(e, f)
	}
	return nil
}

// neighbours reports whether one edge of a ring starts where the other ends, or both are parts of one.
func (b *builder) neighbours(e, f *edge) bool {
	n := int32(len(b.rings[e.ring].points) - 1)
	d := f.seq - e.seq
	return d <= 1 && d >= -1 || d == n-1 || d == 1-n
}

// checkNeighbours refuses a ring that turns back along the edge it came by.
func (b *builder) checkNeighbours(e, f *edge) error {
	if e.seq == f.seq {
		return nil
	}
	if f.b == e.a { // the last edge and the first
		e, f = f, e
	}
	if e.b != f.a {
		return nil
	}
	if orient(e.a, e.b, f.b) != 0 || (e.a.Lon-e.b.Lon)*(f.b.Lon-f.a.Lon)+(e.a.Lat-e.b.Lat)*(f.b.Lat-f.a.Lat) <= 0 {
		return nil
	}
	r := &b.rings[e.ring]
	return r.refuse(int(f.seq), "the ring turns back along its own edge")
}

// checkCollinear refuses edges on one line that share more than a point, but for two polygons on either side of a border.
func (b *builder) checkCollinear(e, f *edge) error {
	key := func(p Point) float64 { return p.Lon }
	if math.Abs(e.a.Lon-e.b.Lon) < math.Abs(e.a.Lat-e.b.Lat) {
		key = func(p Point) float64 { return p.Lat }
	}
	low := max(min(key(e.a), key(e.b)), min(key(f.a), key(f.b)))
	high := min(max(key(e.a), key(e.b)), max(key(f.a), key(f.b)))
	if low > high {
		return nil
	}
	r, o := &b.rings[e.ring], &b.rings[f.ring]
	if low == high {
		return b.checkEndToEnd(e, f)
	}
	alike := (key(e.b) > key(e.a)) == (key(f.b) > key(f.a))
	if r.polygon != o.polygon && alike != (b.insideLeft(e.ring) == b.insideLeft(f.ring)) {
		return nil
	}
	return b.refusePair(e, f, "runs along")
}

// checkEndToEnd looks at two edges of one line that share an end only.
func (b *builder) checkEndToEnd(e, f *edge) error {
	if f.a == e.a && b.crossesAt(e, f) {
		return b.crossing(e, f)
	}
	return nil
}

// crossesAt reports whether f's ring goes through e's at f's start, which lies on e but is not its end.
func (b *builder) crossesAt(e, f *edge) bool {
	at := f.a
	back, forth := e.a, e.b
	if at == e.a {
		back = b.before(e)
	}
	came, goes := b.before(f), f.b
	return inSector(at, forth, back, came)*inSector(at, forth, back, goes) < 0
}

// before is the start of the edge that ends where e starts. Where the frame cut that edge off, it is straight on backwards.
func (b *builder) before(e *edge) Point {
	r := &b.rings[e.ring]
	n := int32(len(r.points) - 1)
	for i := r.edges[0]; i < r.edges[1]; i++ {
		if f := &b.edges[i]; f != e && f.b == e.a && (f.seq == e.seq || (f.seq+1)%n == e.seq) {
			return f.a
		}
	}
	return Point{2*e.a.Lon - e.b.Lon, 2*e.a.Lat - e.b.Lat}
}

// inSector says where the direction to p lies as seen from a vertex: 1 strictly within the sector that opens to the left of
// the direction to `from` and ends at the one to `to`, -1 strictly outside, 0 along either.
func inSector(at, from, to, p Point) int {
	l, r := orient(at, from, p), orient(at, to, p)
	if l == 0 && ahead(at, from, p) || r == 0 && ahead(at, to, p) {
		return 0
	}
	convex := orient(at, from, to)
	left, right := l > 0, r < 0
	var in bool
	switch {
	case convex > 0:
		in = left && right
	case convex < 0:
		in = left || right
	default: // straight through
		in = left
	}
	if in {
		return 1
	}
	return -1
}

// ahead reports whether two collinear directions from a place are the same.
func ahead(at, p, q Point) bool {
	return (p.Lon-at.Lon)*(q.Lon-at.Lon)+(p.Lat-at.Lat)*(q.Lat-at.Lat) > 0
}

func (b *builder) crossing(e, f *edge) error { return b.refusePair(e, f, "crosses") }

func (b *builder) refusePair(e, f *edge, what string) error {
	r, o := &b.rings[f.ring], &b.rings[e.ring]
	switch {
	case e.ring == f.ring:
		return r.refuse(int(f.seq), "the ring %s itself: its edge from vertex %d and the one from vertex %d",
			what, o.at(int(e.seq)), r.at(int(f.seq)))
	case r.polygon == o.polygon && o.outer():
		return r.refuse(int(f.seq), "the hole %s the outer ring at its edge from vertex %d", what, o.at(int(e.seq)))
	case r.polygon == o.polygon:
		return r.refuse(int(f.seq), "the hole %s hole %d at its edge from vertex %d", what, o.number, o.at(int(e.seq)))
	}
	return r.refuse(int(f.seq), "the ring %s ring %d of polygon %d at its edge from vertex %d",
		what, o.number, o.polygon, o.at(int(e.seq)))
}

// checkNesting looks where each ring lies, now that none cross.
func (b *builder) checkNesting() error {
	for i := range b.rings {
		r := &b.rings[i]
		if !r.outer() && b.ringLocation(i, b.outerOf(i)) == outside {
			return r.refuse(0, "the hole lies outside the outer ring")
		}
	}
	for i := range b.rings {
		r := &b.rings[i]
		around := 0
		for j := range b.rings {
			if i != j && b.ringLocation(i, j) == inside {
				around++
			}
		}
		switch {
		case r.outer() && around%2 == 1:
			return r.refuse(0, "the polygon lies inside another polygon")
		case !r.outer() && around%2 == 0:
			return r.refuse(0, "the hole lies inside another hole")
		}
	}
	return nil
}

func (b *builder) outerOf(ring int) int { return ring - b.rings[ring].number }

// ringLocation says where ring i lies as seen from ring j, by the first of its vertices and edges' middles that is not on j.
func (b *builder) ringLocation(i, j int) location {
	r, o := &b.rings[i], &b.rings[j]
	own := b.edges[r.edges[0]:r.edges[1]]
	other := b.edges[o.edges[0]:o.edges[1]]
	if o.turns == 0 && !b.reaches(r, o) {
		return outside
	}
	for k := range 2 * len(own) {
		e := own[k/2]
		p := e.a
		if k%2 == 1 {
			p = Point{(e.a.Lon + e.b.Lon) / 2, (e.a.Lat + e.b.Lat) / 2}
		}
		w := stab{x: p.Lon, y: p.Lat, odd: o.turns != 0 && !o.north}
		touches := false
		for _, f := range other {
			if touches = w.edge(f.a, f.b); touches {
				break
			}
		}
		if !touches {
			return w.location()
		}
	}
	return onBoundary
}

// reaches reports whether the first vertex of r is within the longitudes of o, the cheap half of ringLocation.
func (b *builder) reaches(r, o *ring) bool {
	if b.cut {
		return true
	}
	shift := func(q *ring) float64 { return math.Floor((q.minX-b.west)/360) * 360 }
	rs, os := shift(r), shift(o)
	return r.minX-rs <= o.maxX-os && r.maxX-rs >= o.minX-os
}
