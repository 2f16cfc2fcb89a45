package geo

// Point is a place on WGS84 in degrees.
type Point struct {
	Lon float64 `json:"-"` // -180..180
	Lat float64 `json:"-"` // -90..90
}

// Box is a bounding box in degrees. West > East means that it crosses the antimeridian.
type Box struct {
	West, South, East, North float64
}

// Contains reports whether the point is in the box, edges included.
func (b Box) Contains(p Point) bool {
	if p.Lat < b.South || p.Lat > b.North {
		return false
	}
	if b.West <= b.East {
		return p.Lon >= b.West && p.Lon <= b.East
	}
	return p.Lon >= b.West || p.Lon <= b.East
}
