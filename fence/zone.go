package fence

import (
	"math"

	"github.com/trackmesh/trackmesh/geo"
)

// Zone is a box without the boundary of any fence: the fences that contain one place in it contain all. A vehicle that stays
// in its zone need not ask the set again. The zero value holds nothing.
type Zone struct {
	of                       *mark
	west, south, east, north float32
}

// mark tells sets apart for zones, without keeping a set in memory.
type mark struct{ _ byte }

// Holds reports whether a place is in the zone, and the zone one of the set.
func (z *Zone) Holds(s *Set, p geo.Point) bool {
	lon, lat := float32(p.Lon), float32(p.Lat)
	return z.of == s.mark && lon > z.west && lon < z.east && lat > z.south && lat < z.north
}

// Degrees within which a zone is looked for: nearer to a pole or to the antimeridian boxes are not what they seem.
const (
	zoneLat = 80
	zoneLon = 179
)

// StepAndLook is Step, and the zone about b in which the vehicle stays while it goes less than so many metres; a zone that
// holds nothing when there is a boundary.
func (s *Set) StepAndLook(a, b geo.Point, metres float64, inside, passed []*Fence) (in, by []*Fence, z Zone) {
	around := geo.BoxOf(b).Expand(metres)
	w := geo.Go(a, b)
	box := w.Box()
	if math.Abs(b.Lat) > zoneLat || around.West < -zoneLon || around.East > zoneLon || around.CrossesAntimeridian() || box.CrossesAntimeridian() {
		in, by = s.Step(a, b, inside, passed)
		return in, by, Zone{}
	}
	free := true
	far := geo.About(b, metres*1.5) // the corners are √2 away
	q := geo.Ask(b)
	in, by = inside, passed
	s.index.within(around.Union(box), func(f *Fence) bool {
		free = free && f.clear(&far, around)
		if f.contains(&q) {
			in = append(in, f)
		} else if f.mayMeet(&w) {
			by = append(by, f)
		}
		return true
	})
	if free {
		z = newZone(s.mark, around)
	}
	return ordered(in, len(inside)), ordered(by, len(passed)), z
}

// newZone leaves out as much at the north and south as a geodesic between two places in the box may bulge, and what a
// float32 rounds off.
func newZone(m *mark, b geo.Box) Zone {
	const radian = math.Pi / 180
	width := b.Width() * radian
	bulge := width * width / 8 / radian
	return Zone{of: m, west: above(b.West), east: below(b.East), south: above(b.South + bulge), north: below(b.North - bulge)}
}

// clear reports whether the boundary is certainly not in a box, all of which is in a ball.
func (f *Fence) clear(far *geo.Ball, box geo.Box) bool {
	switch {
	case f.disc.Is():
		return f.disc.Clear(far)
	case f.polygons != nil:
		return f.polygons.Clear(box)
	case f.buffer != nil:
		return f.buffer.Clear(far)
	}
	return true
}
