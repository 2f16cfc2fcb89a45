package fence

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/go-faster/jx"
)

// Feature is the fence as a canonical GeoJSON Feature: id, geometry and properties, numbers in their shortest form, without
// altitudes and foreign members. It is written anew on each call: a million fences keep their coordinates once.
func (f *Fence) Feature() []byte {
	var e jx.Encoder
	e.SetBytes(make([]byte, 0, 128+len(f.properties)+40*len(f.geometry.points)))
	e.ObjStart()
	e.FieldStart("type")
	e.Str("Feature")
	e.FieldStart("id")
	e.Str(f.ID)
	e.FieldStart("geometry")
	f.geometry.encode(&e)
	e.FieldStart("properties")
	if f.properties == nil {
		e.Raw([]byte("{}"))
	} else {
		e.Raw(f.properties)
	}
	e.ObjEnd()
	return e.Bytes()
}

// Geometry is the fence's GeoJSON geometry, as in Feature.
func (f *Fence) Geometry() []byte {
	var e jx.Encoder
	f.geometry.encode(&e)
	return e.Bytes()
}

// Properties is the Feature's properties as one compact JSON object; not to be written to.
func (f *Fence) Properties() []byte {
	if f.properties == nil {
		return []byte("{}")
	}
	return f.properties
}

func (g *geometry) encode(e *jx.Encoder) {
	e.ObjStart()
	e.FieldStart("type")
	e.Str(g.kind.String())
	e.FieldStart("coordinates")
	c := g.coordinates()
	switch g.kind {
	case point:
		e.Raw(position(nil, g, 0))
	case lineString:
		e.Raw(positionList(g, 0, len(g.points)))
	case polygon:
		g.encodePolygon(e, 0)
	case multiPolygon:
		e.ArrStart()
		for i := range c.Polygons() {
			g.encodePolygon(e, i)
		}
		e.ArrEnd()
	}
	e.ObjEnd()
}

func (g *geometry) encodePolygon(e *jx.Encoder, i int) {
	c := g.coordinates()
	from, to := c.RingsOf(i)
	e.ArrStart()
	for r := from; r < to; r++ {
		start := 0
		if r > 0 {
			start = int(g.ringEnds[r-1])
		}
		e.Raw(positionList(g, start, start+len(c.Ring(r))))
	}
	e.ArrEnd()
}

func positionList(g *geometry, from, to int) []byte {
	b := make([]byte, 0, 40*(to-from)+2)
	b = append(b, '[')
	for i := from; i < to; i++ {
		if i > from {
			b = append(b, ',')
		}
		b = position(b, g, i)
	}
	return append(b, ']')
}

func position(b []byte, g *geometry, i int) []byte {
	b = strconv.AppendFloat(append(b, '['), g.points[i].Lon, 'f', -1, 64)
	b = strconv.AppendFloat(append(b, ','), g.points[i].Lat, 'f', -1, 64)
	return append(b, ']')
}

// compact takes the white space out of valid JSON.
func compact(raw []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(raw))
	if json.Compact(&b, raw) != nil {
		return bytes.Clone(raw) // cannot be: the Feature was validated
	}
	return bytes.Clone(b.Bytes())
}
