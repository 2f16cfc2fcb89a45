package source

import (
	"mime"
	"strings"
	"time"
)

// Content types of records.
const (
	typeJSON     = "application/json"
	typeGeoJSON  = "application/geo+json"
	typeCSV      = "text/csv"
	typeTaxi     = "text/csv; layout=taxi"
	typeProtobuf = "application/x-protobuf"
)

type format uint8

const (
	jsonFormat format = iota
	taxiFormat
	csvFormat
	geojsonFormat
	protobufFormat
	numFormats
)

var formats = map[string]format{
	"": jsonFormat, FormatJSON: jsonFormat, FormatTaxi: taxiFormat, FormatCSV: csvFormat, FormatGeoJSON: geojsonFormat, FormatProtobuf: protobufFormat,
}

// profile is how records of one content type are read. Immutable.
type profile struct {
	format  format
	clock   *Clock
	factors [numFields]float64
	origins origins
	root    *node  // JSON, GeoJSON
	table   *table // CSV, taxi
	header  bool   // a line alone does not tell its columns
}

// newProfile expects options that are valid.
func newProfile(o Options) *profile {
	p := &profile{format: formats[o.Format]}
	p.origins, _ = parseMap(o.Map)
	for f := range p.factors {
		p.factors[f] = p.origins[f].factor
	}
	p.clock, _ = NewClock(o)
	switch p.format {
	case jsonFormat:
		p.root = jsonTree(p.origins)
	case geojsonFormat:
		p.root = geojsonTree(p.origins)
	case csvFormat:
		p.table = newTable(fieldNames[:], p.origins, fieldNames)
		p.header = o.Header && !p.origins.numbered()
	case taxiFormat:
		p.table = newTable(taxiColumns, p.origins, taxiDefaults)
		p.table.least = taxiLeastColumns
	default: // protobuf has its own fields
	}
	return p
}

// withColumns is the same with the columns of a header line.
func (p *profile) withColumns(names []string) *profile {
	q := *p
	q.table, q.header = newTable(names, p.origins, fieldNames), false
	return &q
}

// mediaType is what a content type says about records.
type mediaType struct {
	format  format
	lines   bool     // JSON by lines
	columns []string // of CSV, nil: not said
	header  header
	reading *reading // what it says beside the node's options; nil: nothing
	wrong   error    // why what it says cannot be followed
}

// header of a CSV body (RFC 4180's parameter).
type header uint8

const (
	headerUnsaid header = iota
	headerPresent
	headerAbsent
)

// parseType understands a content type; false: it is none of ours.
func parseType(contentType string) (mediaType, bool) {
	name, params, err := mime.ParseMediaType(contentType)
	if err != nil && name == "" {
		return mediaType{}, false
	}
	m, ok := namedType(name, params)
	if !ok {
		return mediaType{}, false
	}
	m.reading, m.wrong = readingOf(m.format, params)
	return m, m.wrong == nil
}

func namedType(name string, params map[string]string) (mediaType, bool) {
	switch name {
	case typeJSON, "text/json":
		return mediaType{format: jsonFormat}, true
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-seq":
		return mediaType{format: jsonFormat, lines: true}, true
	case typeGeoJSON, "application/vnd.geo+json":
		return mediaType{format: geojsonFormat}, true
	case "application/geo+json-seq":
		return mediaType{format: geojsonFormat, lines: true}, true
	case typeProtobuf, "application/protobuf", "application/vnd.google.protobuf":
		return mediaType{format: protobufFormat}, true
	case typeCSV, "application/csv":
		return csvType(params)
	}
	return mediaType{format: jsonFormat}, strings.HasSuffix(name, "+json")
}

func csvType(params map[string]string) (mediaType, bool) {
	switch params["layout"] {
	case "":
	case FormatTaxi:
		return mediaType{format: taxiFormat, header: headerAbsent}, true
	default:
		return mediaType{}, false
	}
	m := mediaType{format: csvFormat}
	switch params["header"] {
	case "present":
		m.header = headerPresent
	case "absent":
		m.header = headerAbsent
	}
	if line := params["columns"]; line != "" {
		cells, err := splitCells(nil, nil, []byte(line))
		if err != nil || len(cells) > maxColumns {
			return mediaType{}, false
		}
		m.columns = make([]string, len(cells))
		for i := range cells {
			m.columns[i] = string(cells[i])
		}
	}
	return m, true
}

// profiles are the node's and, for what comes in another format, the defaults. Immutable.
type profiles struct {
	own     *profile
	all     [numFormats]*profile
	options Options
}

func newProfiles(o Options) (*profiles, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	all := &profiles{own: newProfile(o), options: o}
	for name, f := range formats {
		if f == all.own.format {
			all.all[f] = all.own
		} else if name != "" {
			all.all[f] = newProfile(Options{Format: name})
		}
	}
	return all, nil
}

// forType is the profile of a content type; ours for one that is not known.
func (a *profiles) forType(contentType string) *profile {
	m, ok := parseType(contentType)
	if !ok {
		return a.own
	}
	p := a.all[m.format]
	if m.reading != nil {
		p = newProfile(m.reading.options(m.format))
		if m.columns != nil {
			return p.withColumns(m.columns)
		}
		return p
	}
	switch {
	case m.columns != nil && p != a.own:
		q := *p
		q.origins = a.own.origins.among(m.columns)
		for f := range q.factors {
			q.factors[f] = q.origins[f].factor
		}
		return q.withColumns(m.columns)
	case m.columns != nil:
		return p.withColumns(m.columns)
	case m.header == headerAbsent && p.header:
		q := *p
		q.header = false
		return &q
	}
	return p
}

// maxFuture is how far ahead of the clock a fix may be.
const maxFuture = time.Minute
