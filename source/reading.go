package source

import (
	"errors"
	"fmt"
	"maps"
	"mime"
	"strings"
)

// Parameters of a content type that say how its records are read, in the place of the node's options: map has the entries of
// Options.Map as the cells of a CSV line.
const (
	paramMap        = "map"
	paramTimeLayout = "time-layout"
	paramTimeZone   = "time-zone"
)

// reading is what the parameters of a content type say; nil: nothing.
type reading struct {
	entries              []string
	timeLayout, timeZone string
}

// readingOf takes the parameters out. It fails when they are wrong, or do not go with the format.
func readingOf(f format, params map[string]string) (*reading, error) {
	line, layout, zone := params[paramMap], params[paramTimeLayout], params[paramTimeZone]
	if line == "" && layout == "" && zone == "" {
		return nil, nil //nolint:nilnil // most content types say nothing
	}
	r := &reading{timeLayout: layout, timeZone: zone}
	if line != "" {
		cells, err := splitCells(nil, nil, []byte(line))
		if err != nil {
			return nil, fmt.Errorf("map: %w", err)
		}
		for _, c := range cells {
			r.entries = append(r.entries, string(c))
		}
	}
	if err := r.options(f).Validate(); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "--", "")) // it names them as flags
	}
	return r, nil
}

// options are those of a node that reads everything so.
func (r *reading) options(f format) Options {
	o := Options{Map: r.entries, TimeLayout: r.timeLayout, TimeZone: r.timeZone}
	for name, of := range formats {
		if of == f && name != "" {
			o.Format = name
		}
	}
	return o
}

// on adds the parameters to the content type of one record.
func (r *reading) on(contentType string) string {
	if r == nil {
		return contentType
	}
	return Options{Map: r.entries, TimeLayout: r.timeLayout, TimeZone: r.timeZone}.On(contentType)
}

// On adds to a content type the parameters that say how its records are read: Map, TimeLayout and TimeZone. A node reads what
// comes under it so, whatever its own options are.
func (o Options) On(contentType string) string {
	name, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return contentType
	}
	params = maps.Clone(params)
	for param, value := range map[string]string{paramMap: string(joinCells(o.Map)), paramTimeLayout: o.TimeLayout, paramTimeZone: o.TimeZone} {
		if value != "" {
			params[param] = value
		}
	}
	return mime.FormatMediaType(name, params)
}
