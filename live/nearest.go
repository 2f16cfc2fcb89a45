package live

import (
	"cmp"
	"math"
	"slices"

	"github.com/trackmesh/trackmesh/geo"
)

// Nearest returns the K tracks nearest to a point by the geodesic, nearest first (equals by vehicle).
func (f *Fleet) Nearest(q NearestQuery) ([]Neighbour, Coverage) { return f.all().Nearest(q) }

// Nearest is Fleet.Nearest of the selection.
func (s Selection) Nearest(q NearestQuery) ([]Neighbour, Coverage) {
	var found []Neighbour
	bound := q.RadiusMetres
	if bound <= 0 {
		bound = math.Inf(1)
	}
	c := s.each(func(p *Partition) {
		found = append(found, p.nearest(q, bound)...)
		slices.SortFunc(found, func(a, b Neighbour) int {
			return cmp.Or(cmp.Compare(a.Metres, b.Metres), cmp.Compare(a.View.Vehicle, b.View.Vehicle))
		})
		if q.K > 0 && len(found) >= q.K {
			found = found[:q.K]
			bound = min(bound, found[q.K-1].Metres) // the next partition need not look further
		}
	})
	return found, c
}

// nearest finds the K nearest of one partition within a bound in metres, in no particular order; all of them for K 0.
// With equals at the K-th place it finds those too, so that the order by vehicle decides.
func (p *Partition) nearest(q NearestQuery, bound float64) []Neighbour {
	var found []Neighbour
	from := newViewpoint(q.Point)
	distance := func(lo, hi [2]float32, e *entry, item bool) float64 {
		if !item {
			return from.below(lo, hi)
		}
		v := e.view.Load()
		if v == nil {
			return math.Inf(1)
		}
		return geo.Distance(q.Point, v.Position)
	}
	p.snapshot().Nearby(distance, func(_, _ [2]float32, e *entry, metres float64) bool {
		if metres > bound || (q.K > 0 && len(found) >= q.K && metres > found[q.K-1].Metres) {
			return false
		}
		// The view may be newer than the one that the order was made with; the answer is true of this one.
		v := e.view.Load()
		if v == nil || !statusFits(q.Statuses, v.Status) {
			return true
		}
		if metres = geo.Distance(q.Point, v.Position); metres <= bound {
			found = append(found, Neighbour{v, metres})
		}
		return true
	})
	return found
}

// viewpoint is a point from which rectangles are looked at.
type viewpoint struct {
	geo.Point
	sin, cos float64 // of the latitude
}

func newViewpoint(p geo.Point) viewpoint {
	sin, cos := math.Sincos(p.Lat * math.Pi / 180)
	return viewpoint{p, sin, cos}
}

// below is a lower bound in metres of the geodesic from the point to anything in a rectangle of longitude and latitude.
//
// It is the distance on the sphere of the mean radius, less 1.5 %: lengths on the ellipsoid are at least 0.9944 of those on
// that sphere (at the equator along a meridian), and geo.Distance is up to 5e-3 short for nearly antipodal points; less a metre for the rounding of acos.
func (v *viewpoint) below(lo, hi [2]float32) float64 {
	south, north := max(-90, float64(lo[1])), min(90, float64(hi[1]))
	var angle float64
	if v.spannedBy(float64(lo[0]), float64(hi[0])) {
		angle = max(0, south-v.Lat, v.Lat-north) * math.Pi / 180
	} else {
		angle = min(v.toMeridian(float64(lo[0])-v.Lon, south, north), v.toMeridian(float64(hi[0])-v.Lon, south, north))
	}
	const meanRadius = 6_371_008.8
	return max(0, 0.985*angle*meanRadius-1)
}

// spannedBy reports whether the point's meridian passes through a range of longitudes, which may reach beyond ±180.
func (v *viewpoint) spannedBy(west, east float64) bool {
	return (west <= v.Lon && v.Lon <= east) || (west <= v.Lon-360 && v.Lon-360 <= east) || (west <= v.Lon+360 && v.Lon+360 <= east)
}

// toMeridian is the angle in radians between the point and a piece of the meridian that is so many degrees east.
//
// Seen from latitude φ, the cosine of the angle to latitude φ' on a meridian λ away is r cos(φ'-α) with
// r² = sin²φ + cos²φ cos²λ and tan α = tan φ / cos λ: the nearest φ' is the one nearest to α round the circle.
func (v *viewpoint) toMeridian(degrees, south, north float64) float64 {
	c := v.cos * math.Cos(degrees*math.Pi/180)
	r, alpha := math.Hypot(v.sin, c), math.Atan2(v.sin, c)
	s, n := south*math.Pi/180, north*math.Pi/180
	if alpha >= s && alpha <= n {
		return math.Acos(min(1, r))
	}
	return math.Acos(max(-1, min(1, r*max(math.Cos(s-alpha), math.Cos(n-alpha)))))
}
