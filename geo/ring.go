package geo

import (
	"fmt"
	"math"
)

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

func (r *ring) refuse(point int, format string, args ...any) error {
	v := -1
	if point >= 0 {
		v = r.at(point)
	}
	return &ShapeError{Polygon: r.polygon, Ring: r.number, Vertex: v, Reason: fmt.Sprintf(format, args...)}
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
		r.vertex = append(r.vertex, int32(i+1))
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

func (r *ring) pole() float64 {
	if r.north {
		return 90
	}
	return -90
}
