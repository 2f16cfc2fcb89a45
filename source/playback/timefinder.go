package playback

import (
	"bytes"
	"fmt"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/go-faster/jx"

	"github.com/trackmesh/trackmesh/source"
)

// taxiTimeColumn and csvTimeColumn are where the time is when no name says so, from 0.
const (
	taxiTimeColumn = 1
	csvTimeColumn  = 1
)

// timeFinder finds where in a record its time is written.
type timeFinder struct {
	name    string // as it was mapped
	path    []string
	csv     bool
	column  int
	columns map[string]int // by content type: what header lines say
}

func newTimeFinder(o source.Options) (*timeFinder, error) {
	f := &timeFinder{name: "time", columns: map[string]int{}}
	for _, m := range o.Map {
		if from, ok := strings.CutPrefix(m, "time="); ok {
			f.name = from
		}
	}
	switch o.Format {
	case source.FormatTaxi:
		f.csv, f.column = true, taxiTimeColumn
	case source.FormatCSV:
		f.csv, f.column = true, csvTimeColumn
		if n, err := strconv.Atoi(f.name); err == nil {
			f.column = n - 1
		} else if f.name != "time" && !o.Header {
			return nil, fmt.Errorf("--map time=%s: the file has no header line that names columns: give the column's number", f.name)
		}
	case source.FormatGeoJSON:
		f.path = append([]string{"properties"}, strings.Split(f.name, ".")...)
	default:
		f.path = strings.Split(f.name, ".")
	}
	return f, nil
}

// find returns where the time's text begins and ends; false: there is none.
func (f *timeFinder) find(value []byte, contentType string) (from, to int, ok bool) {
	if f.csv {
		return cell(value, f.columnOf(contentType))
	}
	raw := member(value, f.path)
	if len(raw) == 0 || raw[0] == 'n' {
		return 0, 0, false
	}
	from = offsetIn(value, raw)
	to = from + len(raw)
	if raw[0] == '"' {
		from, to = from+1, to-1
	}
	return from, to, true
}

// columnOf is the time's column by the names that a header line gave.
func (f *timeFinder) columnOf(contentType string) int {
	if c, ok := f.columns[contentType]; ok {
		return c
	}
	c := f.column
	if _, params, err := mime.ParseMediaType(contentType); err == nil && params["columns"] != "" {
		if i := slices.Index(strings.Split(params["columns"], ","), f.name); i >= 0 {
			c = i
		}
	}
	f.columns[contentType] = c // one file has one header line
	return c
}

// cell returns where the text of a CSV line's cell is, without its quotes.
func cell(line []byte, column int) (from, to int, ok bool) {
	for i := 0; ; i++ {
		start, end := from, 0
		if from < len(line) && line[from] == '"' {
			start = from + 1
			end = closing(line, start)
			to = end + 1
		} else {
			end = len(line)
			if n := bytes.IndexByte(line[from:], ','); n >= 0 {
				end = from + n
			}
			to = end
		}
		if i == column {
			return start, min(end, len(line)), end > start
		}
		if to >= len(line) {
			return 0, 0, false
		}
		from = to + 1
	}
}

// closing is where the quoted text that starts there ends.
func closing(line []byte, from int) int {
	for i := from; i < len(line); i++ {
		if line[i] != '"' {
			continue
		}
		if i+1 == len(line) || line[i+1] != '"' {
			return i
		}
		i++
	}
	return len(line)
}

// member is the value at a path, as it is written in the object; of one that comes twice the last. Nil: there is none.
func member(object []byte, path []string) (raw []byte) {
	d := jx.DecodeBytes(object)
	if d.Next() != jx.Object {
		return nil
	}
	err := d.ObjBytes(func(d *jx.Decoder, key []byte) error {
		value, err := d.Raw()
		if err == nil && string(key) == path[0] {
			raw = value
		}
		return err
	})
	if err != nil {
		return nil
	}
	if len(path) > 1 && raw != nil {
		return member(raw, path[1:])
	}
	return raw
}

// offsetIn is where a part that was sliced out of a whole begins in it.
func offsetIn(whole, part []byte) int { return cap(whole) - cap(part) }
