package source

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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

// Options say how records are read. The zero value reads JSON with the default names and accepts 0,0.
type Options struct {
	// Format is json, taxi, csv, geojson or protobuf. Default json.
	Format string
	// Map has field=source[:unit] for each field that does not come from its default: the source is a path of member names
	// joined by dots (JSON, GeoJSON properties; a number is an index of an array), or a column's name or number from 1 (CSV).
	// A backslash takes a dot or colon literally.
	Map []string
	// TimeLayout is tried first on each time, as package time writes layouts. Default: none.
	TimeLayout string
	// TimeZone is the zone of times without one. Default: such times are refused, but for taxi's (America/New_York).
	TimeZone string
	// Header says that CSV comes under header lines: a file or an ingest body begins with one, a record of the log holds its own before
	// its data line. A line alone is read only where Map gives the columns by number.
	Header bool
	// RejectNullIsland refuses positions at exactly 0,0.
	RejectNullIsland bool
}

// ContentType is the content type of one record of the format, as HTTP writes it.
func (o Options) ContentType() string {
	switch o.Format {
	case FormatTaxi:
		return typeTaxi
	case FormatCSV:
		return typeCSV
	case FormatGeoJSON:
		return typeGeoJSON
	case FormatProtobuf:
		return typeProtobuf
	}
	return typeJSON
}

// Validate reports every bad field at once, each under the name of its flag.
func (o Options) Validate() error {
	var errs []error
	bad := func(flag, format string, args ...any) {
		errs = append(errs, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
	}
	if _, ok := formats[o.Format]; !ok {
		bad("format", "%q is not allowed: use json, taxi, csv, geojson or protobuf", o.Format)
	}
	if o.Format == FormatProtobuf && len(o.Map) > 0 {
		bad("map", "the protobuf format has fixed fields")
	}
	if o.Header && o.Format != FormatCSV {
		bad("header", "goes with --format csv")
	}
	if _, err := NewClock(o); err != nil {
		bad("time-zone", "%q is no zone of the tz database, such as America/New_York", o.TimeZone)
	}
	hasZone := strings.Contains(o.TimeLayout, "Z07") || strings.Contains(o.TimeLayout, "-07")
	if o.TimeLayout != "" && !hasZone && o.TimeZone == "" && o.Format != FormatTaxi {
		bad("time-layout", "%q has no offset from UTC (-07:00): add one, or --time-zone", o.TimeLayout)
	}
	if o.TimeLayout != "" {
		if _, err := time.Parse(o.TimeLayout, time.Unix(0, 0).UTC().Format(o.TimeLayout)); err != nil {
			bad("time-layout", "%q cannot be read back: write Go's reference time, e.g. 2006-01-02 15:04:05 -07:00", o.TimeLayout)
		}
	}
	_, mapErrs := parseMap(o.Map)
	return errors.Join(append(errs, mapErrs...)...)
}

// field is what a fix is made of.
type field uint8

const (
	fieldVehicle field = iota
	fieldTime
	fieldLongitude
	fieldLatitude
	fieldSpeed
	fieldHeading
	fieldAccuracy
	fieldAltitude
	numFields
)

var fieldNames = [numFields]string{"vehicle", "time", "longitude", "latitude", "speed", "heading", "accuracy", "altitude"}

// unitFactors turn a unit into metres or metres per second.
var unitFactors = map[string]struct {
	factor float64
	speed  bool
}{
	"mps": {1, true}, "kmh": {1 / 3.6, true}, "mph": {0.44704, true}, "knots": {1852.0 / 3600, true},
	"m": {1, false}, "ft": {0.3048, false},
}

// origin is where a field comes from. An empty path: from its default.
type origin struct {
	path   []string
	factor float64
}

// whole is the source as one name, for columns.
func (g origin) whole() string { return strings.Join(g.path, ".") }

// origins are the mapping of all fields.
type origins [numFields]origin

func parseMap(entries []string) (origins, []error) {
	var all origins
	var errs []error
	for f := range all {
		all[f].factor = 1
	}
	for _, entry := range entries {
		f, g, err := parseMapEntry(entry)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("--map: %q: %w", entry, err))
		case all[f].path != nil:
			errs = append(errs, fmt.Errorf("--map: %q: %s has a source already", entry, fieldNames[f]))
		default:
			all[f] = g
		}
	}
	return all, errs
}

func parseMapEntry(entry string) (field, origin, error) {
	name, source, ok := strings.Cut(entry, "=")
	if !ok {
		return 0, origin{}, errors.New("is not field=source[:unit]")
	}
	f := field(slices.Index(fieldNames[:], name)) //nolint:gosec // checked below
	if !slices.Contains(fieldNames[:], name) {
		return 0, origin{}, fmt.Errorf("there is no field %q: use %s", name, strings.Join(fieldNames[:], ", "))
	}
	g := origin{factor: 1}
	if i := lastColon(source); i >= 0 {
		unit := source[i+1:]
		source = source[:i]
		u, known := unitFactors[unit]
		if !known {
			return 0, origin{}, fmt.Errorf("there is no unit %q: use mps, kmh, mph, knots, m or ft (a colon of the name itself is written \\:)", unit)
		}
		if fits := f == fieldSpeed && u.speed || (f == fieldAccuracy || f == fieldAltitude) && !u.speed; !fits {
			return 0, origin{}, fmt.Errorf("%s cannot be in %s", name, unit)
		}
		g.factor = u.factor
	}
	if g.path = splitPath(source); slices.Contains(g.path, "") {
		return 0, origin{}, errors.New("the source has an empty name")
	}
	return f, g, nil
}

// lastColon finds the colon that begins a unit; -1: none.
func lastColon(source string) int {
	i := strings.LastIndexByte(source, ':')
	if i > 0 && source[i-1] == '\\' {
		return -1
	}
	return i
}

// splitPath cuts at dots; a backslash makes the next character an ordinary one.
func splitPath(source string) []string {
	path := []string{""}
	for i := 0; i < len(source); i++ {
		last := &path[len(path)-1]
		switch c := source[i]; {
		case c == '\\' && i+1 < len(source):
			i++
			*last += source[i : i+1]
		case c == '.':
			path = append(path, "")
		default:
			*last += source[i : i+1]
		}
	}
	return path
}

// column is the number of a column written as one, from 0.
func column(name string) (int, bool) {
	n, err := strconv.Atoi(name)
	return n - 1, err == nil && n >= 1 && n <= maxColumns
}

// numbered reports whether the columns of the vehicle, the time and the place are given by number.
func (all origins) numbered() bool {
	for _, f := range []field{fieldVehicle, fieldTime, fieldLongitude, fieldLatitude} {
		if _, ok := column(all[f].whole()); !ok {
			return false
		}
	}
	return true
}

// among is the mapping of those fields of which the columns have the source, for CSV at a node whose own format is another.
func (all origins) among(columns []string) origins {
	for f := range all {
		if all[f].path != nil && !slices.Contains(columns, all[f].whole()) {
			all[f] = origin{factor: 1}
		}
	}
	return all
}
