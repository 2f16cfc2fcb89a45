package fleet

import (
	"math"
	"slices"

	"github.com/trackmesh/trackmesh/geo"
)

// grid is a borough's streets: rows and columns of intersections.
type grid struct {
	borough string
	// bearing of the columns (avenues), degrees east of north.
	bearing float64
	// rowMetres is from street to street, columnMetres from avenue to avenue.
	rowMetres, columnMetres float64
	// oneWay makes streets and avenues one-way by turns, but for each tenth street.
	oneWay                   bool
	streetSpeed, avenueSpeed float64 // m/s
}

// grids have Manhattan's true bearing and spacing (a street each 80 m, an avenue each 240 m or so); the others are coarse.
var grids = []grid{
	{"borough-manhattan", 29, 80.5, 240, true, 9, 11},
	{"borough-brooklyn", -8, 210, 330, false, 10.5, 12.5},
	{"borough-queens", 24, 220, 350, false, 10.5, 12.5},
	{"borough-bronx", 17, 210, 330, false, 10.5, 12.5},
	{"borough-staten-island", 38, 280, 450, false, 11, 13},
}

const (
	// minPieceDegrees2 leaves out islets: only outlines at least that large get streets (about 4 km²).
	minPieceDegrees2 = 4.2e-4
	// accessMetres is how near to a street a highway's bend must be to have an access there; its ends look further.
	accessMetres, endMetres = 220, 900
	rampSpeed               = 9.0
)

// centralPark has no streets of the grid.
var centralPark = []geo.Point{
	{Lon: -73.9815, Lat: 40.7685},
	{Lon: -73.9733, Lat: 40.7650},
	{Lon: -73.9497, Lat: 40.7971},
	{Lon: -73.9579, Lat: 40.8003},
	{Lon: -73.9815, Lat: 40.7685},
}

// NewYork is the built-in network: grids of our own in the outlines of the boroughs, joined by the bridges, tunnels and highways of
// highways.go. It is not a map of the real streets.
func NewYork() (*Network, error) {
	b := &builder{}
	closed := [][]geo.Point{centralPark}
	boroughs := map[string][][][]geo.Point{}
	for _, o := range parsedOutlines() {
		boroughs[o.id] = o.polygons
		if o.id[0] == 'a' { // an airport
			closed = append(closed, o.polygons[0][0])
		}
	}
	for _, g := range grids {
		for _, piece := range boroughs[g.borough] {
			if math.Abs(ringArea(piece[0])) >= minPieceDegrees2 {
				b.lay(g, piece, closed)
			}
		}
	}
	b.join(highways)
	b.wishes = errands
	return b.build()
}

// plane is a flat map round a place: metres along the bearing (up) and to the right of it.
type plane struct {
	origin               geo.Point
	sin, cos             float64
	metresLon, metresLat float64
}

func newPlane(origin geo.Point, bearing float64) plane {
	sin, cos := math.Sincos(bearing * math.Pi / 180)
	return plane{origin, sin, cos, metresPerDegree * math.Cos(origin.Lat*math.Pi/180), metresPerDegree}
}

func (p plane) project(q geo.Point) (right, up float64) {
	east, north := (q.Lon-p.origin.Lon)*p.metresLon, (q.Lat-p.origin.Lat)*p.metresLat
	return east*p.cos - north*p.sin, east*p.sin + north*p.cos
}

func (p plane) place(right, up float64) geo.Point {
	east, north := right*p.cos+up*p.sin, up*p.cos-right*p.sin
	return geo.Point{Lon: p.origin.Lon + east/p.metresLon, Lat: p.origin.Lat + north/p.metresLat}
}

// lay fills a piece of a borough with its grid.
func (b *builder) lay(g grid, piece, closed [][]geo.Point) {
	p := newPlane(piece[0][0], g.bearing)
	ring := make([][2]float64, len(piece[0]))
	left, right, bottom, top := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for i, q := range piece[0] {
		x, y := p.project(q)
		ring[i] = [2]float64{x, y}
		left, right, bottom, top = min(left, x), max(right, x), min(bottom, y), max(top, y)
	}
	inside := newMask(p, ring, closed)
	rows, columns := int((top-bottom)/g.rowMetres)+1, int((right-left)/g.columnMetres)+1
	nodes := make([]int32, rows*columns)
	for r := range rows {
		for c := range columns {
			x, y := left+(float64(c)+0.5)*g.columnMetres, bottom+(float64(r)+0.5)*g.rowMetres
			nodes[r*columns+c] = -1
			if inside.has(x, y) {
				nodes[r*columns+c] = b.node(p.place(x, y), true)
			}
		}
	}
	at := func(r, c int) int32 {
		if r >= rows || c >= columns {
			return -1
		}
		return nodes[r*columns+c]
	}
	for r := range rows {
		for c := range columns {
			x, y := left+(float64(c)+0.5)*g.columnMetres, bottom+(float64(r)+0.5)*g.rowMetres
			if n, to := at(r, c), at(r, c+1); n >= 0 && to >= 0 && inside.has(x+g.columnMetres/2, y) {
				b.street(n, to, g.streetSpeed, g.oneWay && r%10 != 0, r%2 == 0)
			}
			if n, to := at(r, c), at(r+1, c); n >= 0 && to >= 0 && inside.has(x, y+g.rowMetres/2) {
				b.street(n, to, g.avenueSpeed, g.oneWay && c%4 != 0, c%2 == 0)
			}
		}
	}
}

func (b *builder) street(n, to int32, speed float64, oneWay, forward bool) {
	switch {
	case !oneWay:
		b.bothWays(n, to, speed)
	case forward:
		b.oneWay(n, to, speed)
	default:
		b.oneWay(to, n, speed)
	}
}

// mask says what is on land and open, by rows of the plane, so that a borough costs milliseconds.
type mask struct {
	ring   *strips
	closed []*strips
}

func newMask(p plane, ring [][2]float64, closed [][]geo.Point) *mask {
	m := &mask{ring: newStrips(ring)}
	for _, c := range closed {
		projected := make([][2]float64, len(c))
		for i, q := range c {
			x, y := p.project(q)
			projected[i] = [2]float64{x, y}
		}
		m.closed = append(m.closed, newStrips(projected))
	}
	return m
}

func (m *mask) has(x, y float64) bool {
	if !m.ring.has(x, y) {
		return false
	}
	for _, c := range m.closed {
		if c.has(x, y) {
			return false
		}
	}
	return true
}

// strips are a ring's edges by the strips of y that they meet: a point is compared with a few only.
type strips struct {
	bottom, height float64
	edges          [][][2][2]float64
}

const stripCount = 256

func newStrips(ring [][2]float64) *strips {
	s := &strips{bottom: math.Inf(1), edges: make([][][2][2]float64, stripCount)}
	top := math.Inf(-1)
	for _, p := range ring {
		s.bottom, top = min(s.bottom, p[1]), max(top, p[1])
	}
	s.height = max(top-s.bottom, 1e-9) / stripCount
	for i, a := range ring[:len(ring)-1] {
		b := ring[i+1]
		for k := s.strip(min(a[1], b[1])); k <= s.strip(max(a[1], b[1])); k++ {
			s.edges[k] = append(s.edges[k], [2][2]float64{a, b})
		}
	}
	return s
}

func (s *strips) strip(y float64) int {
	return min(max(int((y-s.bottom)/s.height), 0), stripCount-1)
}

func (s *strips) has(x, y float64) bool {
	in := false
	for _, e := range s.edges[s.strip(y)] {
		in = in != crosses(e[0], e[1], x, y)
	}
	return in
}

// crosses reports whether the ray to the right of a point meets an edge.
func crosses(a, b [2]float64, x, y float64) bool {
	return (a[1] > y) != (b[1] > y) && x < a[0]+(y-a[1])/(b[1]-a[1])*(b[0]-a[0])
}

func ringArea(ring []geo.Point) float64 {
	sum := 0.0
	for i, a := range ring[:len(ring)-1] {
		b := ring[i+1]
		sum += (a.Lon-ring[0].Lon)*(b.Lat-ring[0].Lat) - (b.Lon-ring[0].Lon)*(a.Lat-ring[0].Lat)
	}
	return sum / 2
}

// join adds highways: bends at the same place are one node, and each bend near a street has an access.
func (b *builder) join(ways []highway) {
	streets := slices.Clip(b.nodes)
	bends := map[geo.Point]int32{}
	for _, h := range ways {
		before := int32(-1)
		for i, c := range h.course {
			p := geo.Point{Lon: c[0], Lat: c[1]}
			n, known := bends[p]
			if !known {
				n = b.node(p, false)
				bends[p] = n
				reach := float64(accessMetres)
				if i == 0 || i == len(h.course)-1 {
					reach = endMetres
				}
				if street, metres := nearest(streets, p); metres <= reach {
					b.bothWays(n, street, rampSpeed)
				}
			}
			if before >= 0 {
				b.bothWays(before, n, h.speed)
			}
			before = n
		}
	}
}
