package source

import (
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

// HeaderContentType is the header of records that name their own format, as HTTP ingest does.
const HeaderContentType = "content-type"

const (
	maxVehicleBytes   = 128
	maxAccuracyMetres = 500
	// maxNumber bounds speeds, accuracies and altitudes: above it they are no measurement, and no store's float takes them.
	maxNumber = 1e9
	// maxTypes bounds the content types that a decoder remembers: each CSV header is one.
	maxTypes = 64
)

// Decoder reads records one after the other. It serves one goroutine.
type Decoder struct {
	*profiles
	intern func([]byte) (string, bool)
	types  map[string]*profile

	// What follows is the record at hand's.
	values [numSlots]value
	text   []byte // unescaped strings; values point into it
	millis int64  // protobuf's time
	json   walker

	hasMillis bool
	cells     [][]byte
	arena     arena
}

// value is a field as it stands in a record.
type value struct {
	bytes []byte
	kind  kind
}

type kind uint8

const (
	absent kind = iota
	text
	number
	other // a boolean, an object, an array
)

// NewDecoder makes a decoder. It fails only on options that Validate refuses. intern returns the string of a vehicle that is
// known already, which saves an allocation; nil: none is.
func NewDecoder(o Options, intern func([]byte) (string, bool)) (*Decoder, error) {
	p, err := newProfiles(o)
	if err != nil {
		return nil, err
	}
	if intern == nil {
		intern = func([]byte) (string, bool) { return "", false }
	}
	d := &Decoder{profiles: p, intern: intern, types: map[string]*profile{}}
	d.json.init(d)
	return d, nil
}

// Decode fills fix from a record, or says why it cannot. now is the node's clock in UTC milliseconds. The record's content-type
// header overrides the format. The fix shares nothing with the decoder or the record.
func (d *Decoder) Decode(rec *broker.Record, now int64, fix *track.Fix) *Refusal {
	p := d.profileOf(rec)
	var read *profile
	var r *Refusal
	if read, r = d.read(p, rec.Value); r != nil {
		return r
	}
	if r = d.judge(read, rec, now, fix); r != nil {
		return r
	}
	fix.Attributes = d.attributes(read)
	return nil
}

// VehicleOf reads the vehicle of a record, for choosing its partition. contentType empty: the node's format.
func (d *Decoder) VehicleOf(contentType string, value []byte) (string, *Refusal) {
	p := d.own
	if contentType != "" {
		p = d.remembered(contentType)
	}
	if _, r := d.read(p, value); r != nil {
		return "", r
	}
	b, r := d.vehicle(nil)
	if r != nil {
		return "", r
	}
	return d.interned(b), nil
}

func (d *Decoder) profileOf(rec *broker.Record) *profile {
	if len(rec.Headers) == 0 {
		return d.own
	}
	contentType, ok := rec.Header(HeaderContentType)
	if !ok {
		return d.own
	}
	if p := d.types[string(contentType)]; p != nil { // does not allocate
		return p
	}
	return d.remembered(string(contentType))
}

func (d *Decoder) remembered(contentType string) *profile {
	if p := d.types[contentType]; p != nil {
		return p
	}
	if len(d.types) >= maxTypes {
		clear(d.types)
	}
	p := d.forType(contentType)
	d.types[contentType] = p
	return p
}

// read finds the fields in a record. The profile that it returns is the one that applies in the end.
func (d *Decoder) read(p *profile, b []byte) (*profile, *Refusal) {
	d.values = [numSlots]value{}
	d.text, d.hasMillis = d.text[:0], false
	switch p.format {
	case jsonFormat:
		return p, d.readJSON(p, b)
	case geojsonFormat:
		return p, d.readGeoJSON(p, b)
	case protobufFormat:
		return p, d.readProtobuf(b)
	default:
		return d.readCSV(p, b)
	}
}

// attributes are what was not mapped, as a JSON object; nil: none.
func (d *Decoder) attributes(p *profile) []byte {
	if p.table != nil {
		return d.arena.keep(d.cellAttributes(p.table))
	}
	return d.arena.keep(d.json.attributes())
}

func (d *Decoder) judge(p *profile, rec *broker.Record, now int64, fix *track.Fix) *Refusal {
	vehicle, r := d.vehicle(rec.Key)
	if r != nil {
		return r
	}
	position, r := d.position()
	if r != nil {
		return r
	}
	at, r := d.time(p, rec.Timestamp, now)
	if r != nil {
		return r
	}
	arrived := rec.Timestamp
	if arrived == 0 {
		arrived = now
	}
	*fix = track.Fix{
		Vehicle: d.interned(vehicle), Time: at, Position: position, Offset: rec.Offset, RecordTime: arrived,
		SpeedMPS:       d.measured(p, fieldSpeed),
		HeadingDegrees: d.measured(p, fieldHeading),
		AccuracyMetres: d.measured(p, fieldAccuracy),
		AltitudeMetres: d.measured(p, fieldAltitude),
	}
	if fix.AccuracyMetres > maxAccuracyMetres {
		fix.AccuracyMetres = maxAccuracyMetres
	}
	switch {
	case fix.HeadingDegrees == 360:
		fix.HeadingDegrees = 0
	case fix.HeadingDegrees > 360:
		fix.HeadingDegrees = math.NaN()
	}
	return nil
}

// vehicle is the body's, else the record's key.
func (d *Decoder) vehicle(key []byte) ([]byte, *Refusal) {
	v := &d.values[fieldVehicle]
	if v.kind == absent && d.values[slotID].kind != absent {
		v = &d.values[slotID]
	}
	id := v.bytes
	if v.kind == absent {
		if len(key) == 0 {
			return nil, refuse(Vehicle, "missing, and the record has no key")
		}
		id = key
	}
	switch {
	case v.kind == other:
		return nil, refuse(Vehicle, "neither text nor a number: "+quoted(id))
	case len(id) == 0:
		return nil, refuse(Vehicle, "empty")
	case len(id) > maxVehicleBytes:
		return nil, refuse(Vehicle, "over 128 bytes: "+quoted(id))
	case !plain(id):
		return nil, refuse(Vehicle, "not UTF-8, or with control characters: "+quoted(id))
	}
	return id, nil
}

// plain reports whether the text is UTF-8 without control characters: those of ids break paths and keys.
func plain(b []byte) bool {
	ascii := true
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if ascii {
		return true
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) {
			return false
		}
		b = b[n:]
	}
	return true
}

func (d *Decoder) interned(b []byte) string {
	if s, ok := d.intern(b); ok {
		return s
	}
	return string(b)
}

func (d *Decoder) position() (geo.Point, *Refusal) {
	lon, r := d.degrees(fieldLongitude, 180)
	if r != nil {
		return geo.Point{}, r
	}
	lat, r := d.degrees(fieldLatitude, 90)
	if r != nil {
		return geo.Point{}, r
	}
	if lon == 0 && lat == 0 && d.options.RejectNullIsland {
		return geo.Point{}, refuse(Position, "0,0 stands for an unknown place (--reject-null-island=off takes it)")
	}
	return geo.Point{Lon: lon, Lat: lat}, nil
}

func (d *Decoder) degrees(f field, limit float64) (float64, *Refusal) {
	v := &d.values[f]
	if v.kind == absent {
		return 0, refuse(Position, fieldNames[f]+" is missing")
	}
	x, ok := d.numeric(v)
	switch {
	case !ok:
		return 0, refuse(Position, fieldNames[f]+" is not a number: "+quoted(v.bytes))
	case !(math.Abs(x) <= limit): // NaN too
		return 0, refuse(Position, fieldNames[f]+" is out of range: "+quoted(v.bytes))
	}
	return x + 0, nil // -0 is 0
}

func (d *Decoder) numeric(v *value) (float64, bool) {
	if v.kind == other {
		return 0, false
	}
	return parseFloat(v.bytes)
}

func (d *Decoder) time(p *profile, recordTime, now int64) (int64, *Refusal) {
	v := &d.values[fieldTime]
	at, ok := d.millis, d.hasMillis && d.millis >= minTime
	if v.kind == text || v.kind == number {
		at, ok = p.clock.Read(v.bytes)
	}
	switch {
	case !ok && v.kind == absent && !d.hasMillis:
		return 0, refuse(Time, "missing")
	case !ok:
		return 0, refuse(Time, "unreadable: "+quoted(v.bytes))
	}
	limit := now
	if recordTime > 0 {
		limit = min(limit, recordTime)
	}
	if at > limit+maxFuture.Milliseconds() {
		return 0, refuse(Future, "it is "+strconv.FormatInt((at-limit)/1000, 10)+" s ahead")
	}
	return at, nil
}

// measured is an optional number, NaN where it is absent, in metres, metres per second or degrees.
func (d *Decoder) measured(p *profile, f field) float64 {
	v := &d.values[f]
	if v.kind == absent {
		if f != fieldAltitude || d.values[slotHeight].kind == absent {
			return math.NaN()
		}
		v = &d.values[slotHeight]
	}
	x, ok := d.numeric(v)
	x *= p.factors[f]
	if !ok || !(math.Abs(x) <= maxNumber) || x < 0 && f != fieldAltitude {
		return math.NaN()
	}
	return x + 0
}
