package fence

import (
	"errors"
	"math"
	"strconv"

	"github.com/go-faster/jx"

	"github.com/trackmesh/trackmesh/geo"
)

// geometryKind is a GeoJSON geometry's type.
type geometryKind uint8

const (
	point geometryKind = iota
	lineString
	polygon
	multiPolygon
)

func (k geometryKind) String() string {
	return [...]string{"Point", "LineString", "Polygon", "MultiPolygon"}[k]
}

// depth is how many arrays lie round a position.
func (k geometryKind) depth() int { return int(k) }

// geometry is the coordinates of a fence as they were given, less altitudes.
type geometry struct {
	kind        geometryKind
	points      []geo.Point
	ringEnds    []uint32 // nil: one ring
	polygonEnds []uint32 // nil: one polygon
}

func (g *geometry) coordinates() geo.Coordinates {
	return geo.Coordinates{Points: g.points, RingEnds: g.ringEnds, PolygonEnds: g.polygonEnds}
}

func (g *geometry) parse(raw []byte) error {
	d := jx.DecodeBytes(raw)
	if d.Next() != jx.Object {
		return refuse("", "must be an object")
	}
	var typed bool
	var coordinates jx.Raw
	err := d.ObjBytes(func(d *jx.Decoder, key []byte) error {
		var err error
		switch string(key) {
		case "type":
			typed = true
			err = g.parseKind(d)
		case "coordinates":
			coordinates, err = d.Raw()
		default:
			err = d.Skip()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !typed:
		return refuse("/type", "is missing")
	case coordinates == nil:
		return refuse("/coordinates", "is missing")
	}
	return g.parseCoordinates(coordinates)
}

func (g *geometry) parseKind(d *jx.Decoder) error {
	s, err := text(d, "/type")
	if err != nil {
		return err
	}
	for k := point; k <= multiPolygon; k++ {
		if s == k.String() {
			g.kind = k
			return nil
		}
	}
	return refuse("/type", "must be Point, LineString, Polygon or MultiPolygon, not %q", s)
}

func (g *geometry) parseCoordinates(raw []byte) error {
	c := coordinateReader{g: g, d: jx.DecodeBytes(raw)}
	g.points = make([]geo.Point, 0, min(positions(raw, g.kind), geo.MaxVertices+2))
	if err := c.read(g.kind.depth()); err != nil {
		return err
	}
	if len(g.ringEnds) == 1 {
		g.ringEnds, g.polygonEnds = nil, nil
	}
	if len(g.polygonEnds) == 1 {
		g.polygonEnds = nil
	}
	return nil
}

// positions guesses how many positions the text holds, so that the slice is made once: one for each inner bracket.
func positions(raw []byte, kind geometryKind) int {
	n := 0
	for _, c := range raw {
		if c == '[' {
			n++
		}
	}
	if kind >= polygon {
		n -= int(kind) - 1 // at least one bracket round each level above
	} else if kind == lineString {
		n--
	}
	return max(n, 1)
}

// coordinateReader walks nested arrays and knows where it is.
type coordinateReader struct {
	g    *geometry
	d    *jx.Decoder
	path [3]int // indices below "coordinates", outermost first
	at   int    // how many of them count
}

func (c *coordinateReader) pointer() string {
	p := []byte("/coordinates")
	for _, i := range c.path[:c.at] {
		p = strconv.AppendInt(append(p, '/'), int64(i), 10)
	}
	return string(p)
}

func (c *coordinateReader) read(depth int) error {
	if c.d.Next() != jx.Array {
		return refuse(c.pointer(), "must be an array")
	}
	if depth == 0 {
		return c.position()
	}
	it, err := c.d.ArrIter()
	if err != nil {
		return err
	}
	level := c.at
	c.at++
	for c.path[level] = 0; it.Next(); c.path[level]++ {
		if err := c.read(depth - 1); err != nil {
			return err
		}
	}
	c.at--
	if err := it.Err(); err != nil {
		return err
	}
	c.close(depth)
	return nil
}

// close ends a ring (depth 1 of a polygon) or a polygon (depth 2 of it).
func (c *coordinateReader) close(depth int) {
	g := c.g
	switch {
	case g.kind < polygon:
	case depth == 1:
		g.ringEnds = append(g.ringEnds, uint32(len(g.points)))
	case depth == 2:
		g.polygonEnds = append(g.polygonEnds, uint32(len(g.ringEnds)))
	}
}

func (c *coordinateReader) position() error {
	it, err := c.d.ArrIter()
	if err != nil {
		return err
	}
	var v [2]float64
	n := 0
	for ; it.Next(); n++ {
		if c.d.Next() != jx.Number {
			return c.refuse("a position must be two or three numbers")
		}
		x, err := float(c.d)
		if err != nil {
			return err
		}
		if n < 2 {
			v[n] = x
		}
	}
	switch {
	case it.Err() != nil:
		return it.Err()
	case n < 2:
		return c.refuse("a position needs longitude and latitude")
	case math.IsNaN(v[0]) || math.IsNaN(v[1]) || math.Abs(v[0]) > 180 || math.Abs(v[1]) > 90:
		return c.refuse("must be longitude -180..180 and latitude -90..90, in this order")
	case len(c.g.points) >= geo.MaxVertices+c.closings():
		return c.refuse("more than " + strconv.Itoa(geo.MaxVertices) + " vertices")
	}
	c.g.points = append(c.g.points, geo.Point{Lon: v[0] + 0, Lat: v[1] + 0})
	return nil
}

// closings is how many of the positions so far only close a ring, the one being read included.
func (c *coordinateReader) closings() int {
	if c.g.kind < polygon {
		return 0
	}
	return len(c.g.ringEnds) + 1
}

func (c *coordinateReader) refuse(reason string) error {
	e := refuse(c.pointer(), "%s", reason)
	if c.at > 0 {
		e.Vertex = c.path[c.at-1]
	}
	if c.g.kind >= polygon && c.at > 1 {
		e.Ring = c.path[c.at-2]
	}
	return e
}

// refused turns a shape's refusal into one with the pointer to the vertex.
func (g *geometry) refused(err error, prefix string) error {
	se, ok := errors.AsType[*geo.ShapeError](err)
	if !ok {
		return err
	}
	p := prefix + "/coordinates"
	if g.kind == multiPolygon {
		p += "/" + strconv.Itoa(se.Polygon)
	}
	e := &ParseError{Ring: -1, Vertex: se.Vertex, Reason: se.Reason, Err: err}
	if g.kind >= polygon {
		e.Ring = se.Ring
		p += "/" + strconv.Itoa(se.Ring)
	}
	if se.Vertex >= 0 {
		p += "/" + strconv.Itoa(se.Vertex)
	}
	e.Pointer = p
	return e
}
