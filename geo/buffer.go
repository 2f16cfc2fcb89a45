package geo

import (
	"math"
	"strconv"
)

// Buffer is everything within a distance of a point (a circle) or of a line (a corridor with round ends). Distances are
// taken in the earth's frame, where poles and the antimeridian are places like any other: the line is cut into pieces so
// short that their chords lie within centimetres of it.
type Buffer struct {
	line   []piece
	balls  []ball  // round each blockSize pieces; nil: so few that all are asked
	whole  ball    // round the shape
	radius float64 // metres over ground
	chord  float64 // the straight distance that is still inside, metres
	reach  float64 // the longest chord, metres, that lies near enough to the ground
	box    Box
}

// piece is one straight bit of the line: from a, by d, with 1/|d|²; 0 for a point.
type piece struct {
	a, d vector
	inv  float64
}

// ball holds pieces, and what is within the distance of them.
type ball struct {
	centre vector
	radius float64
}

const (
	// boundaryMetres is how near the boundary a point still counts as on it.
	boundaryMetres = 1e-4
	blockSize      = 16
)

// NewCircle is the circle of so many metres round a point.
func NewCircle(centre Point, radiusMetres float64) *Buffer {
	s := newBuffer(radiusMetres)
	s.line = []piece{{a: toVector(centre)}}
	s.whole = ball{s.line[0].a, s.chord}
	s.box = BoxOf(centre).Expand(radiusMetres*(1+1e-6) + 2*boundaryMetres)
	return s
}

// NewCorridor is a line's surroundings, so many metres wide from edge to edge, with round ends. The line is straight in
// longitude and latitude, the short way. The error is a *ShapeError.
func NewCorridor(line []Point, widthMetres float64) (*Buffer, error) {
	if len(line) > MaxVertices {
		return nil, &ShapeError{Vertex: MaxVertices, Reason: "more than " + strconv.Itoa(MaxVertices) + " vertices"}
	}
	for i, p := range line {
		if !p.valid() {
			return nil, &ShapeError{Vertex: i, Reason: "must be longitude -180..180 and latitude -90..90, in this order"}
		}
	}
	s := newBuffer(widthMetres / 2)
	first := true
	for i := 1; i < len(line); i++ {
		from, to := line[i-1], line[i]
		if from == to {
			continue
		}
		to.Lon = from.Lon + shortWay(from.Lon, to.Lon)
		s.addLine(from, to)
		if box := Between(line[i-1], line[i]); first {
			s.box, first = box, false
		} else {
			s.box = s.box.Union(box)
		}
	}
	if len(s.line) == 0 {
		return nil, &ShapeError{Vertex: -1, Reason: "a line needs two different points"}
	}
	s.box = s.box.Expand(s.radius*(1+1e-6) + 2*boundaryMetres)
	s.whole = s.ballRound(s.line)
	for i := 0; len(s.line) > blockSize && i < len(s.line); i += blockSize {
		s.balls = append(s.balls, s.ballRound(s.line[i:min(i+blockSize, len(s.line))]))
	}
	return s, nil
}

// ballRound holds pieces with their surroundings; it need not be the smallest.
func (s *Buffer) ballRound(pieces []piece) ball {
	var b ball
	for i := range pieces {
		b.centre = b.centre.add(pieces[i].a.mix(pieces[i].a.add(pieces[i].d), 0.5))
	}
	b.centre = b.centre.scale(1 / float64(len(pieces)))
	for i := range pieces {
		p := &pieces[i]
		b.radius = max(b.radius, p.a.sub(b.centre).length(), p.a.add(p.d).sub(b.centre).length())
	}
	b.radius += s.chord
	return b
}

func newBuffer(radius float64) *Buffer {
	// A chord that lies h below the ground narrows the shape by h²/2r: no more than a centimetre.
	return &Buffer{
		radius: radius, chord: chordOf(radius) + boundaryMetres,
		reach: math.Sqrt(4 * meanRadius * math.Sqrt(0.02*radius)),
	}
}

func (p Point) valid() bool {
	return p.Lon >= -180 && p.Lon <= 180 && p.Lat >= -90 && p.Lat <= 90
}

// shortWay is the change of longitude from one meridian to another, -180..180; of exactly half the way round it keeps the
// direction in which the numbers run.
func shortWay(from, to float64) float64 {
	d := to - from
	switch {
	case d > 180:
		return d - 360
	case d < -180:
		return d + 360
	}
	return d
}

// maxPieces bounds the pieces of one leg: one that spans the earth is off by metres, no more.
const maxPieces = 2048

// addLine cuts a leg into chords. It strays from a chord sideways by x² tan φ / 8R for what it goes east, and by R Δλ Δφ sin φ / 4
// as the meridians draw together; and down by L² / 8R.
func (s *Buffer) addLine(a, b Point) {
	length := Distance(a, Point{b.Lon, b.Lat})
	parallel := math.Abs(b.Lon-a.Lon) * radian * meanRadius * math.Cos(min(math.Abs(a.Lat), math.Abs(b.Lat))*radian)
	steep := math.Tan(min(max(math.Abs(a.Lat), math.Abs(b.Lat)), 89.999) * radian)
	tolerance := 0.02 + s.radius*1e-6
	together := math.Abs((b.Lon-a.Lon)*(b.Lat-a.Lat)) * radian * radian * meanRadius / 4
	n := math.Sqrt((parallel*parallel*steep/(8*meanRadius) + together) / tolerance)
	n = max(n, max(length, parallel)/s.reach, math.Abs(b.Lon-a.Lon)/5)
	count := int(min(math.Ceil(n), maxPieces))
	count = max(count, 1)
	last := toVector(a)
	for i := 1; i <= count; i++ {
		t := float64(i) / float64(count)
		next := toVector(Point{a.Lon + (b.Lon-a.Lon)*t, a.Lat + (b.Lat-a.Lat)*t})
		d := next.sub(last)
		if l := d.dot(d); l > 0 {
			s.line = append(s.line, piece{a: last, d: d, inv: 1 / l})
		}
		last = next
	}
	if len(s.line) == 0 {
		s.line = append(s.line, piece{a: last})
	}
}

// Contains reports whether the point is inside or on the boundary.
func (s *Buffer) Contains(q *Query) bool {
	v := q.vector()
	if len(s.line) == 1 && s.line[0].inv == 0 {
		return s.holds(q, v.sub(s.line[0].a))
	}
	limit := s.chord * s.chord
	for i := range s.blocks() {
		pieces, near := s.block(i, v)
		if !near {
			continue
		}
		for j := range pieces {
			if pieces[j].distance2(v) <= limit {
				return true
			}
		}
	}
	return false
}

// holds is Contains of a circle, by the place as seen from the centre. A sphere's chord is good to 3e-6 up to 200 km;
// beyond, what is near the edge is measured properly.
func (s *Buffer) holds(q *Query, d vector) bool {
	c2, limit := d.dot(d), s.chord*s.chord
	if s.radius < shortChord || c2 < limit*0.98 || c2 > limit*1.02 {
		return c2 <= limit
	}
	return Distance(q.Point, toPoint(s.line[0].a)) <= s.radius+boundaryMetres
}

func (s *Buffer) blocks() int { return max(len(s.balls), 1) }

// block is some of the pieces, and whether a place may be within the distance of them.
func (s *Buffer) block(i int, v vector) ([]piece, bool) {
	if s.balls == nil {
		return s.line, true
	}
	b := &s.balls[i]
	d := v.sub(b.centre)
	return s.line[i*blockSize : min((i+1)*blockSize, len(s.line))], d.dot(d) <= b.radius*b.radius
}

// OutsideBy reports whether the point is outside and further than so many metres from the boundary.
func (s *Buffer) OutsideBy(q *Query, metres float64) bool {
	limit := s.radius + max(metres, boundaryMetres)
	if limit > shortChord && len(s.line) == 1 {
		return Distance(q.Point, toPoint(s.line[0].a)) > limit
	}
	return s.distance(q.vector()) > limit
}

// distance is from a place to the line, metres over ground.
func (s *Buffer) distance(v vector) float64 {
	best := math.Inf(1)
	for i := range s.line {
		best = min(best, s.line[i].distance2(v))
	}
	return arcOfAny(math.Sqrt(best))
}

// arcOfAny is arcOf for chords of any length.
func arcOfAny(chord float64) float64 {
	if chord < shortChord {
		return arcOf(chord)
	}
	return 2 * meanRadius * math.Asin(min(1, chord/(2*meanRadius)))
}

// Box is the bounding box.
func (s *Buffer) Box() Box { return s.box }

// distance2 is the square of the distance from a place to the piece.
func (p *piece) distance2(v vector) float64 {
	w := v.sub(p.a)
	t := min(max(w.dot(p.d)*p.inv, 0), 1)
	r := w.sub(p.d.scale(t))
	return r.dot(r)
}

// Disc is what it takes to ask a circle of an ordinary size, small enough to be kept where a search finds it without going
// anywhere else. The zero value is none.
type Disc struct {
	centre vector
	chord2 float64
}

// Disc is the circle's disc; none when it is a corridor, or so large that a disc is not exact enough.
func (s *Buffer) Disc() Disc {
	if len(s.line) != 1 || s.line[0].inv != 0 || s.radius >= shortChord {
		return Disc{}
	}
	return Disc{s.line[0].a, s.chord * s.chord}
}

// Is reports whether there is a disc.
func (d *Disc) Is() bool { return d.chord2 > 0 }

// Contains is Buffer.Contains.
func (d *Disc) Contains(q *Query) bool {
	r := q.vector().sub(d.centre)
	return r.dot(r) <= d.chord2
}
