package geo

import (
	"fmt"
	"math"
	"slices"
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

// ring is one ring, unrolled: its longitudes run on across the antimeridian.
type ring struct {
	polygon, number int
	points          []Point // the last repeats the first, shifted by turns × 360
	vertex          []int32 // the place of each point in the ring as given; nil: the same
	turns           int     // round the earth: 1 eastward, -1 westward
	minX, maxX      float64
	area            float64 // degrees², positive when counter-clockwise; of a ring round a pole, the sign only
	empty           bool    // the parts on the left and on the right of the ring's edges cancel out
	north           bool    // of a ring round a pole: which one
	edges           [2]int  // its range in builder.edges
}

func (r *ring) outer() bool { return r.number == 0 }

// at is the place of a point in the ring as it was given.
func (r *ring) at(point int) int {
	if r.vertex == nil {
		return point
	}
	return int(r.vertex[point])
}

// edge is a straight line in the frame.
type edge struct {
	a, b Point
	ring int32
	seq  int32 // which edge of the ring
}

func (r *ring) refuse(point int, format string, args ...any) error {
	v := -1
	if point >= 0 {
		v = r.at(point)
	}
	return &ShapeError{Polygon: r.polygon, Ring: r.number, Vertex: v, Reason: fmt.Sprintf(format, args...)}
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

func (r *ring) unroll(given []Point) error {
	for i, p := range given {
		if !p.valid() {
			return r.refuse(i, "must be longitude -180..180 and latitude -90..90, in this order")
		}
	}
	if len(given) < 4 {
		return r.refuse(-1, "a ring needs at least 4 positions, the last the same as the first; this has %d", len(given))
	}
	last := len(given) - 1
	if given[0].Lat != given[last].Lat || math.Mod(given[0].Lon-given[last].Lon, 360) != 0 {
		return r.refuse(last, "the ring is not closed: the last position must be the same as the first")
	}
	if r.straightforward(given) {
		r.points = given
		return nil
	}
	r.points = make([]Point, 1, len(given))
	r.points[0] = given[0]
	r.vertex = make([]int32, 1, len(given))
	turns := 0.0
	for i, p := range given[1:] {
		turns -= math.Round((p.Lon - given[i].Lon - shortWay(given[i].Lon, p.Lon)) / 360)
		p.Lon += 360 * turns
		if p == r.points[len(r.points)-1] {
			continue
		}
		r.points = append(r.points, p)
		r.vertex = append(r.vertex, int32(i+1)) //nolint:gosec // at most MaxVertices
	}
	r.turns = int(math.Round((r.points[len(r.points)-1].Lon - r.points[0].Lon) / 360))
	if len(r.points) < 4 && r.turns == 0 {
		return r.refuse(-1, "the ring has fewer than 3 different vertices")
	}
	return nil
}

// straightforward reports whether a ring's coordinates serve as they are: no step across the antimeridian, none of no length.
func (r *ring) straightforward(given []Point) bool {
	if given[0] != given[len(given)-1] {
		return false
	}
	for i := 1; i < len(given); i++ {
		if math.Abs(given[i].Lon-given[i-1].Lon) > 180 || given[i] == given[i-1] {
			return false
		}
	}
	return true
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

// flat reports whether all of a ring lies on one line, a boundary's thickness aside.
func (r *ring) flat() bool {
	a, far, most := r.points[0], Point{}, 0.0
	for _, p := range r.points {
		if d := math.Hypot(p.Lon-a.Lon, p.Lat-a.Lat); d > most {
			far, most = Point{p.Lon - a.Lon, p.Lat - a.Lat}, d
		}
	}
	for _, p := range r.points {
		if math.Abs((p.Lon-a.Lon)*far.Lat-(p.Lat-a.Lat)*far.Lon) > boundary*most {
			return false
		}
	}
	return true
}

// chooseFrame puts the frame's start where it cuts nothing, if there is such a meridian.
func (b *builder) chooseFrame() {
	b.west = -180
	var touchesWest, touchesEast, across, round bool
	for i := range b.rings {
		r := &b.rings[i]
		round = round || r.turns != 0 || r.maxX-r.minX >= 360
		shift := math.Floor((r.minX+180)/360) * 360
		across = across || r.maxX-shift > 180
		touchesWest = touchesWest || r.minX-shift == -180
		touchesEast = touchesEast || r.maxX-shift == 180
	}
	b.bySeam = touchesWest || touchesEast || across || round
	switch {
	case round:
		b.cut = true
	case across || touchesWest && touchesEast:
		b.west, b.cut = b.widestGap()
	}
	if b.cut {
		b.west = b.freeMeridian()
	}
}

// freeMeridian is one that no vertex is on, so that what meets where the frame cuts does so by chance only.
func (b *builder) freeMeridian() float64 {
	best, widest := 0.0, -1.0
	for k := 1; k <= 64 && widest < 1e-5; k++ {
		west := math.Mod(float64(k)*360/math.Phi, 360) - 180
		nearest := math.Inf(1)
		for i := range b.rings {
			for _, p := range b.rings[i].points {
				nearest = min(nearest, math.Abs(math.Remainder(p.Lon-west, 360)))
			}
		}
		if nearest > widest {
			best, widest = west, nearest
		}
	}
	return best
}

// widestGap is the middle of the widest stretch of longitudes that no ring reaches into.
func (b *builder) widestGap() (west float64, none bool) {
	type reach struct{ from, to float64 }
	var all []reach
	for i := range b.rings {
		r := &b.rings[i]
		from := NormalizeLon(r.minX)
		all = append(all, reach{from, from + (r.maxX - r.minX)})
	}
	slices.SortFunc(all, func(p, q reach) int { return sign(p.from - q.from) })
	end, widest := all[0].to, 0.0
	for _, r := range all { // once round, for what reaches over the start from behind
		end = max(end, r.to)
	}
	end -= 360
	for _, r := range all {
		if gap := r.from - end; gap > widest {
			widest, west = gap, NormalizeLon(end+gap/2)
		}
		end = max(end, r.to)
	}
	if widest < 1e-6 {
		return -180, true
	}
	return west, false
}

// layOut puts the edges into the frame.
func (b *builder) layOut() {
	n := 0
	for i := range b.rings {
		n += len(b.rings[i].points)
	}
	b.edges = make([]edge, 0, n+4)
	for i := range b.rings {
		r := &b.rings[i]
		shift := math.Floor((r.minX-b.west)/360) * 360
		b.asIs = b.asIs && shift == 0
		for j := 1; j < len(r.points); j++ {
			p, q := r.points[j-1], r.points[j]
			p.Lon -= shift
			q.Lon -= shift
			e := edge{p, q, int32(i), int32(j - 1)} //nolint:gosec // at most MaxVertices
			if b.cut {
				b.cutEdge(e)
			} else {
				b.edges = append(b.edges, e)
			}
		}
	}
	b.asIs = b.asIs && !b.cut
	b.rangeEdges()
}

// rangeEdges tells the rings where their edges are.
func (b *builder) rangeEdges() {
	at := 0
	for i := range b.rings {
		from := at
		for at < len(b.edges) && int(b.edges[at].ring) == i {
			at++
		}
		b.rings[i].edges = [2]int{from, at}
	}
}

// cutEdge cuts an edge at the frame's ends and moves what lies beyond into the frame. An edge along an end stays at the
// one that the rest of its ring is at, which does not matter: the other end is the same meridian.
func (b *builder) cutEdge(e edge) {
	shift := func(x float64) float64 { return math.Floor((x-b.west)/360) * 360 }
	low, high := min(e.a.Lon, e.b.Lon), max(e.a.Lon, e.b.Lon)
	s := shift(low)
	seam := b.west + s + 360
	if high <= seam {
		e.a.Lon -= s
		e.b.Lon -= s
		b.edges = append(b.edges, e)
		return
	}
	t := (seam - e.a.Lon) / (e.b.Lon - e.a.Lon)
	lat := e.a.Lat + t*(e.b.Lat-e.a.Lat)
	first, second := e, e
	first.b, second.a = Point{seam, lat}, Point{seam, lat}
	for _, half := range [...]edge{first, second} {
		s := shift((half.a.Lon + half.b.Lon) / 2)
		half.a.Lon -= s
		half.b.Lon -= s
		b.edges = append(b.edges, half)
	}
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

func (r *ring) pole() float64 {
	if r.north {
		return 90
	}
	return -90
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
				s.chainEnds = append(s.chainEnds, uint32(len(s.points))) //nolint:gosec // small
			}
			s.points = append(s.points, e.a)
		}
		s.points = append(s.points, e.b)
	}
	s.chainEnds = append(s.chainEnds, uint32(len(s.points))) //nolint:gosec // small
	if len(s.chainEnds) == 1 {
		s.chainEnds = nil
	}
}
