package source

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

// HeaderContentType is the header of records that name their own format, as HTTP ingest does.
const HeaderContentType = "content-type"

// Reason why a record is refused: those of docs/semantics.md.
type Reason string

// The reasons.
const (
	Unparsable Reason = "unparsable"
	Vehicle    Reason = "vehicle"
	Position   Reason = "position"
	Time       Reason = "time"
	Future     Reason = "future"
)

// Refusal says why a record cannot become a fix.
type Refusal struct {
	Reason Reason
	Detail string
}

func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Detail }

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Bounds of a record.
const (
	maxVehicleBytes   = 128
	maxAccuracyMetres = 500
	maxAheadMS        = 60_000
)

// Decoder decodes records of one lane; it is not safe for concurrent use.
type Decoder struct {
	opts    Options
	mapping mapping
	zone    *time.Location
	json    *paths
	csv     layout
	taxi    layout
	intern  func([]byte) (string, bool)
	layouts map[string]*layout // CSV layouts by content type
	raw     observation
}

// NewDecoder makes a decoder. intern may give the string of a vehicle that is known already; nil: none is.
func NewDecoder(opts Options, intern func([]byte) (string, bool)) (*Decoder, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	m, _ := opts.mapping()
	zone, _ := time.LoadLocation(opts.TimeZone)
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		return nil, fmt.Errorf("loading the taxi layout's zone: %w", err)
	}
	if intern == nil {
		intern = func([]byte) (string, bool) { return "", false }
	}
	d := &Decoder{opts: opts, mapping: m, zone: zone, json: newPaths(&m), intern: intern, layouts: map[string]*layout{}}
	d.csv = d.csvLayout(fieldNames[:])
	d.taxi = layout{columns: taxiColumns[:], fields: [numFields]int{0, 1, 2, 3, -1, -1, -1, -1}, zone: newYork, least: 4}
	if opts.TimeZone != "" {
		d.taxi.zone = zone
	}
	return d, nil
}

// observation is what a format found in a record, before it is judged. It is used again for the next record.
type observation struct {
	vehicle    []byte
	when       []byte // the time's text
	isNumber   bool   // the time was a JSON number
	numbers    [numFields]float64
	attributes []byte
	zone       *time.Location
	badTime    bool
	timeMS     int64 // protobuf's
}

func (o *observation) reset(zone *time.Location) {
	*o = observation{vehicle: o.vehicle[:0], when: o.when[:0], zone: zone}
	for i := range o.numbers {
		o.numbers[i] = math.NaN()
	}
}

// Decode makes a fix of a record, or says why it cannot. now is the node's clock, UTC ms. What the fix points to lies in
// the record's value or is its own.
func (d *Decoder) Decode(rec *broker.Record, now int64, fix *track.Fix) *Refusal {
	contentType, _ := rec.Header(HeaderContentType)
	o := &d.raw
	o.reset(d.zone)
	if r := d.read(string(contentType), rec.Value, o); r != nil {
		return r
	}
	if len(o.vehicle) == 0 {
		o.vehicle = append(o.vehicle, rec.Key...)
	}
	if r := d.judge(o, rec, now, fix); r != nil {
		return r
	}
	fix.Offset, fix.RecordTime = rec.Offset, rec.Timestamp
	if fix.RecordTime == 0 {
		fix.RecordTime = now
	}
	return nil
}

// read fills the observation by the record's format.
func (d *Decoder) read(contentType string, value []byte, o *observation) *Refusal {
	format, layout, err := d.formatOf(contentType)
	if err != nil {
		return refuse(Unparsable, "%v", err)
	}
	switch format {
	case "json":
		return d.readJSON(value, o)
	case "geojson":
		return d.readGeoJSON(value, o)
	case "protobuf":
		return readProtobuf(value, o)
	}
	return d.readCSV(layout, value, o)
}

func (d *Decoder) judge(o *observation, rec *broker.Record, now int64, fix *track.Fix) *Refusal {
	if r := checkVehicle(o.vehicle); r != nil {
		return r
	}
	lon, lat := o.numbers[longitudeField], o.numbers[latitudeField]
	switch {
	case math.IsNaN(lon) || math.IsNaN(lat):
		return refuse(Position, "longitude or latitude is missing or no number")
	case math.Abs(lon) > 180 || math.Abs(lat) > 90:
		return refuse(Position, "%v, %v is not on earth: longitude reaches from -180 to 180, latitude from -90 to 90", lon, lat)
	case lon == 0 && lat == 0 && d.opts.RejectNullIsland:
		return refuse(Position, "0, 0 is what receivers without a fix send (--reject-null-island=off takes it)")
	}
	at, r := d.timeOf(o)
	if r != nil {
		return r
	}
	limit := now
	if rec.Timestamp > 0 {
		limit = min(limit, rec.Timestamp)
	}
	if at > limit+maxAheadMS {
		return refuse(Future, "its time is %s ahead", time.Duration(at-limit)*time.Millisecond)
	}
	vehicle, known := d.intern(o.vehicle)
	if !known {
		vehicle = string(o.vehicle)
	}
	*fix = track.Fix{
		Vehicle: vehicle, Time: at, Position: geo.Point{Lon: lon, Lat: lat},
		SpeedMPS: positive(o.numbers[speedField]), HeadingDegrees: direction(o.numbers[headingField]),
		AccuracyMetres: math.Min(positive(o.numbers[accuracyField]), maxAccuracyMetres), AltitudeMetres: finite(o.numbers[altitudeField]),
		Attributes: o.attributes,
	}
	return nil
}

func checkVehicle(v []byte) *Refusal {
	switch {
	case len(v) == 0:
		return refuse(Vehicle, "it is missing or empty")
	case len(v) > maxVehicleBytes:
		return refuse(Vehicle, "it has %d bytes, %d are allowed", len(v), maxVehicleBytes)
	case !utf8.Valid(v):
		return refuse(Vehicle, "it is not UTF-8")
	case bytes.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return refuse(Vehicle, "it has control characters")
	}
	return nil
}

func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

func positive(v float64) float64 {
	if v < 0 || math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// direction brings a heading into 0 ≤ h < 360; a negative one is absent.
func direction(v float64) float64 {
	if v = positive(v); v >= 360 {
		return math.Mod(v, 360)
	}
	return v
}

// VehicleOf reads the vehicle of a record, for choosing its partition. contentType empty: the node's format.
func (d *Decoder) VehicleOf(contentType string, value []byte) (string, *Refusal) {
	o := &d.raw
	o.reset(d.zone)
	if r := d.read(contentType, value, o); r != nil {
		return "", r
	}
	if r := checkVehicle(o.vehicle); r != nil {
		return "", r
	}
	return string(o.vehicle), nil
}

// formatOf is the format and, for CSV, the layout that a content type names.
func (d *Decoder) formatOf(contentType string) (string, *layout, error) {
	if contentType == "" {
		return d.opts.Format, d.layoutOf(d.opts.Format), nil
	}
	media, params, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "application/json", "application/x-ndjson", "application/ndjson":
		return "json", nil, nil
	case "application/geo+json":
		return "geojson", nil, nil
	case "application/x-protobuf", "application/protobuf":
		return "protobuf", nil, nil
	case "text/csv":
		l, err := d.layoutFor(contentType, params)
		return "csv", l, err
	}
	return "", nil, fmt.Errorf("content type %q is none that positions come in", contentType)
}

func (d *Decoder) layoutOf(format string) *layout {
	if format == "taxi" {
		return &d.taxi
	}
	return &d.csv
}
