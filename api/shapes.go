package api

import (
	"encoding/json"
	"math"
	"time"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/track"
)

// timeLayout is RFC 3339 in UTC with milliseconds, as all times in answers are.
const timeLayout = "2006-01-02T15:04:05.000Z"

func formatMS(ms int64) string { return time.UnixMilli(ms).UTC().Format(timeLayout) }

func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// optionalTime is nil for the zero time.
func optionalTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := formatTime(t)
	return &s
}

// number is a float that is null in JSON when it is absent (NaN).
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// lonLat is a position in JSON: [longitude, latitude], to a centimetre.
type lonLat geo.Point

func (p lonLat) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]float64{roundE7(p.Lon), roundE7(p.Lat)})
}

func roundE7(degrees float64) float64 { return math.Round(degrees*1e7) / 1e7 }

// geometry is a GeoJSON geometry.
type geometry struct {
	Type        string `json:"type"`
	Coordinates any    `json:"coordinates"`
}

func pointGeometry(p geo.Point) *geometry { return &geometry{"Point", lonLat(p)} }

// feature is a GeoJSON Feature.
type feature struct {
	Type       string    `json:"type"` // "Feature"
	ID         string    `json:"id,omitempty"`
	Geometry   *geometry `json:"geometry"`
	Properties any       `json:"properties"`
}

func newFeature(id string, g *geometry, properties any) feature {
	return feature{"Feature", id, g, properties}
}

// collection is a GeoJSON FeatureCollection with what every list of ours says beside.
type collection struct {
	Type       string         `json:"type"` // "FeatureCollection"
	Features   any            `json:"features"`
	Limit      int            `json:"limit"`
	Truncated  bool           `json:"truncated"` // there is more than the limit
	Next       string         `json:"next,omitempty"`
	Partitions *live.Coverage `json:"partitions,omitempty"`
}

// trackProperties is a track's state beside its place.
type trackProperties struct {
	Vehicle        string          `json:"vehicle"`
	Time           string          `json:"time"`
	SpeedMPS       number          `json:"speed_mps"`
	HeadingDegrees number          `json:"heading_degrees"`
	Status         string          `json:"status"`
	OdometerMetres number          `json:"odometer_metres"`
	Fences         []string        `json:"fences"`
	Attributes     json.RawMessage `json:"attributes"`
	LastOffset     logPosition     `json:"last_offset"`
	DistanceMetres *number         `json:"distance_metres,omitempty"`
}

// logPosition names a record.
type logPosition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

func (s *Server) trackProperties(v *track.View) trackProperties {
	p := trackProperties{
		Vehicle: v.Vehicle, Time: formatMS(v.Time), SpeedMPS: number(v.SpeedMPS), HeadingDegrees: number(v.HeadingDegrees),
		Status: v.Status.String(), OdometerMetres: number(v.OdometerMetres), Fences: v.Fences, Attributes: v.Attributes,
		LastOffset: logPosition{s.opts.Log.Layout().Input, v.Partition, v.Offset},
	}
	if p.Fences == nil {
		p.Fences = []string{}
	}
	if len(p.Attributes) == 0 {
		p.Attributes = json.RawMessage("{}")
	}
	return p
}

func (s *Server) trackFeature(v *track.View) feature {
	return newFeature(v.Vehicle, pointGeometry(v.Position), s.trackProperties(v))
}

// rectangle is a box as a polygon, anticlockwise.
func rectangle(b geo.Box) *geometry {
	sw, se := lonLat{Lon: b.West, Lat: b.South}, lonLat{Lon: b.East, Lat: b.South}
	ne, nw := lonLat{Lon: b.East, Lat: b.North}, lonLat{Lon: b.West, Lat: b.North}
	return &geometry{"Polygon", [][]lonLat{{sw, se, ne, nw, sw}}}
}
