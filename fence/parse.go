package fence

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/go-faster/jx"

	"github.com/trackmesh/trackmesh/geo"
)

// MaxIDBytes is the longest id of a fence.
const MaxIDBytes = 256

// MaxNameBytes is the longest name of a fence: every event carries it, and an event that the log refuses would stop its partition.
const MaxNameBytes = 1024

// maxReachMetres bounds radius_metres and width_metres: a tenth of the way round the earth.
const maxReachMetres = 4_000_000

// maxDwellSeconds bounds dwell_seconds: ten years, far from where milliseconds overflow.
const maxDwellSeconds = 10 * 366 * 86_400

// Parse reads a fence from a GeoJSON Feature. An empty id takes the Feature's own. Properties that are not ours are kept;
// those that are ours and null are absent. The error is a *ParseError.
func Parse(id string, feature []byte, version int64) (*Fence, error) {
	p := parser{f: &Fence{ID: id, Version: version, Edited: version, ExitMarginMetres: math.NaN(), Emits: MaskAll}}
	if err := p.feature(feature); err != nil {
		return nil, err
	}
	return p.f, nil
}

// ParseShape reads a shape from a GeoJSON Polygon or MultiPolygon geometry. The error is a *ParseError.
func ParseShape(raw []byte) (geo.Shape, error) {
	var g geometry
	if err := g.parse(raw); err != nil {
		return nil, err
	}
	if g.kind != polygon && g.kind != multiPolygon {
		return nil, refuse("/type", "must be a Polygon or MultiPolygon")
	}
	s, err := geo.NewPolygons(g.coordinates())
	if err != nil {
		return nil, g.refused(err, "")
	}
	return s, nil
}

// parser carries what a Feature says until all of it is known.
type parser struct {
	f             *Fence
	typed         bool
	geometry      []byte
	properties    []byte
	radius, width float64
}

func (p *parser) feature(raw []byte) error {
	if err := jx.DecodeBytes(raw).Validate(); err != nil {
		return &ParseError{Ring: -1, Vertex: -1, Reason: "not JSON: " + err.Error(), Err: err}
	}
	d := jx.DecodeBytes(raw)
	if d.Next() != jx.Object {
		return refuse("", "must be a GeoJSON Feature")
	}
	if err := d.ObjBytes(p.member); err != nil {
		return asParseError(err)
	}
	switch {
	case !p.typed:
		return refuse("/type", `must be "Feature"`)
	case p.f.ID == "":
		return refuse("/id", "is missing")
	case len(p.f.ID) > MaxIDBytes:
		return refuse("/id", "is longer than %d bytes", MaxIDBytes)
	case !utf8.ValidString(p.f.ID) || hasControl(p.f.ID):
		return refuse("/id", "must be UTF-8 without control characters")
	case p.geometry == nil:
		return refuse("/geometry", "is missing")
	}
	if err := p.readProperties(); err != nil {
		return err
	}
	p.f.setOrder()
	return p.shape()
}

func (p *parser) member(d *jx.Decoder, key []byte) error {
	switch string(key) {
	case "type":
		s, err := text(d, "/type")
		if err == nil && s != "Feature" {
			err = refuse("/type", `must be "Feature", not %q`, s)
		}
		p.typed = err == nil
		return err
	case "id":
		return p.id(d)
	case "geometry":
		raw, err := d.Raw()
		if raw.Type() != jx.Null {
			p.geometry = raw
		}
		return err
	case "properties":
		raw, err := d.Raw()
		if t := raw.Type(); err == nil && t != jx.Object && t != jx.Null {
			return refuse("/properties", "must be an object")
		} else if t == jx.Object {
			p.properties = raw
		}
		return err
	}
	return d.Skip()
}

// id takes the Feature's id where the caller gave none. GeoJSON allows a number.
func (p *parser) id(d *jx.Decoder) error {
	if p.f.ID != "" {
		return d.Skip()
	}
	switch d.Next() {
	case jx.String:
		s, err := d.Str()
		p.f.ID = s
		return err
	case jx.Number:
		n, err := d.Num()
		p.f.ID = n.String()
		return err
	default:
		return refuse("/id", "must be a string or a number")
	}
}

func (p *parser) shape() error {
	g := &p.f.geometry
	if err := g.parse(p.geometry); err != nil {
		return prefixed(err, "/geometry")
	}
	if p.f.Follows != "" && g.kind != point {
		return refuse("/geometry/type", "a fence that follows a vehicle must be a Point with radius_metres")
	}
	switch g.kind {
	case point:
		if math.IsNaN(p.radius) || p.radius == 0 {
			return refuse("/properties/radius_metres", "is needed for a Point")
		}
		p.f.RadiusMetres = p.radius
		if p.f.Follows == "" {
			p.f.setBuffer(geo.NewCircle(g.points[0], p.radius))
		}
	case lineString:
		if math.IsNaN(p.width) || p.width == 0 {
			return refuse("/properties/width_metres", "is needed for a LineString")
		}
		s, err := geo.NewCorridor(g.points, p.width)
		if err != nil {
			return g.refused(err, "/geometry")
		}
		p.f.setBuffer(s)
	default:
		s, err := geo.NewPolygons(g.coordinates())
		if err != nil {
			return g.refused(err, "/geometry")
		}
		p.f.polygons = s
	}
	return nil
}

// asParseError undoes the wrapping by which jx carries an error out of its callbacks.
func asParseError(err error) error {
	if pe, ok := errors.AsType[*ParseError](err); ok {
		return pe
	}
	return &ParseError{Ring: -1, Vertex: -1, Reason: "not JSON: " + err.Error(), Err: err}
}

func prefixed(err error, pointer string) error {
	if pe, ok := errors.AsType[*ParseError](asParseError(err)); ok {
		pe.Pointer = pointer + pe.Pointer
		return pe
	}
	return fmt.Errorf("parsing a geometry: %w", err)
}

func hasControl(s string) bool {
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return true
		}
	}
	return false
}
