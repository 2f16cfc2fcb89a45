package geo

// Coordinates are those of a GeoJSON Polygon or MultiPolygon, flat: a million of them are a million small slices less.
type Coordinates struct {
	Points      []Point  // of all rings, one after another, each closed: its last point repeats its first
	RingEnds    []uint32 // where each ring ends in Points; nil: one ring
	PolygonEnds []uint32 // where each polygon ends in RingEnds; nil: one polygon
}

// Rings makes the coordinates of one polygon: the outer ring, then the holes.
func Rings(rings ...[]Point) Coordinates {
	var c Coordinates
	for _, r := range rings {
		c.Points = append(c.Points, r...)
		c.RingEnds = append(c.RingEnds, uint32(len(c.Points)))
	}
	return c
}

// Polygons is the number of polygons.
func (c *Coordinates) Polygons() int {
	if c.PolygonEnds == nil {
		return 1
	}
	return len(c.PolygonEnds)
}

// RingsOf is the range of ring numbers that belong to a polygon.
func (c *Coordinates) RingsOf(polygon int) (from, to int) {
	if c.PolygonEnds == nil {
		return 0, c.rings()
	}
	if polygon > 0 {
		from = int(c.PolygonEnds[polygon-1])
	}
	return from, int(c.PolygonEnds[polygon])
}

func (c *Coordinates) rings() int {
	if c.RingEnds == nil {
		return 1
	}
	return len(c.RingEnds)
}

// Ring is one ring's points, the first repeated at the end.
func (c *Coordinates) Ring(ring int) []Point {
	if c.RingEnds == nil {
		return c.Points
	}
	from := uint32(0)
	if ring > 0 {
		from = c.RingEnds[ring-1]
	}
	return c.Points[from:c.RingEnds[ring]]
}
