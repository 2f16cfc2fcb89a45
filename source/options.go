package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The formats of Options.Format.
const (
	FormatJSON     = "json"
	FormatTaxi     = "taxi"
	FormatCSV      = "csv"
	FormatGeoJSON  = "geojson"
	FormatProtobuf = "protobuf"
)

// Options of a Decoder.
type Options struct {
	// Format of records that do not name their own: json, taxi, csv, geojson or protobuf.
	Format string
	// Map says where fields come from: "field=source" or "field=source:unit". A source is a member's path in JSON (a.b.c), a
	// column's name or number (from 1) in CSV. Fields without an entry come from the member or column of their own name.
	Map []string
	// TimeLayout reads times as Go's time package writes them; empty: numbers and RFC 3339 only.
	TimeLayout string
	// TimeZone is that of times without one, e.g. America/New_York. Empty: UTC, for the taxi layout New York.
	TimeZone string
	// Header says that CSV has a header line; then columns are named by it.
	Header bool
	// RejectNullIsland refuses 0,0.
	RejectNullIsland bool
}

// field is one of those that a fix is made of.
type field uint8

const (
	vehicleField field = iota
	timeField
	longitudeField
	latitudeField
	speedField
	headingField
	accuracyField
	altitudeField
	numFields
)

var fieldNames = [numFields]string{"vehicle", "time", "longitude", "latitude", "speed", "heading", "accuracy", "altitude"}

// formats are the values of Options.Format.
var formats = []string{"json", "taxi", "csv", "geojson", "protobuf"}

// units are what a source's numbers are multiplied with to be metres and metres per second.
var units = map[string]float64{"mps": 1, "kmh": 1 / 3.6, "mph": 0.44704, "knots": 1852.0 / 3600, "m": 1, "ft": 0.3048}

// unitsOf are the units that a field may have.
var unitsOf = map[field][]string{
	speedField: {"mps", "kmh", "mph", "knots"}, accuracyField: {"m", "ft"}, altitudeField: {"m", "ft"},
}

// mapping is where each field comes from.
type mapping struct {
	source [numFields]string
	factor [numFields]float64
}

func (o Options) mapping() (mapping, error) {
	m := mapping{}
	for f := range numFields {
		m.source[f], m.factor[f] = fieldNames[f], 1
	}
	var errs []error
	for _, entry := range o.Map {
		if err := m.set(entry); err != nil {
			errs = append(errs, fmt.Errorf("--map %s: %w", entry, err))
		}
	}
	return m, errors.Join(errs...)
}

func (m *mapping) set(entry string) error {
	name, source, ok := strings.Cut(entry, "=")
	if !ok || source == "" {
		return errors.New("write it as field=source or field=source:unit")
	}
	f := field(slices.Index(fieldNames[:], name))
	if f >= numFields {
		return fmt.Errorf("there is no field %q: use %s", name, strings.Join(fieldNames[:], ", "))
	}
	if i := strings.LastIndexByte(source, ':'); i >= 0 {
		unit := source[i+1:]
		if !slices.Contains(unitsOf[f], unit) {
			return fmt.Errorf("%s has no unit %q: use %s", name, unit, strings.Join(unitsOf[f], ", "))
		}
		m.factor[f] = units[unit]
		source = source[:i]
	}
	m.source[f] = source
	return nil
}

// Validate reports everything that is wrong at once, by flag.
func (o Options) Validate() error {
	var errs []error
	if !slices.Contains(formats, o.Format) {
		errs = append(errs, fmt.Errorf("--format: %q is not allowed: use %s", o.Format, strings.Join(formats, ", ")))
	}
	if _, err := o.mapping(); err != nil {
		errs = append(errs, err)
	}
	if o.TimeZone != "" {
		if _, err := time.LoadLocation(o.TimeZone); err != nil {
			errs = append(errs, fmt.Errorf("--time-zone: %q is no zone: use a name such as America/New_York", o.TimeZone))
		}
	}
	if o.TimeLayout != "" {
		if _, err := time.Parse(o.TimeLayout, time.Unix(0, 0).UTC().Format(o.TimeLayout)); err != nil {
			errs = append(errs, fmt.Errorf("--time-layout: %q cannot be read back: write it as Go's reference time, e.g. 2006-01-02 15:04:05", o.TimeLayout))
		}
	}
	return errors.Join(errs...)
}
