package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-faster/jx"
)

// taxiColumns are those of the taxi layout.
var taxiColumns = [...]string{
	"taxiId", "observationTime", "longitude", "latitude", "passengerCount", "tripTimeInSecs", "tripDistance", "observationIx", "medallion",
	"hack_license", "vendor_id", "rate_code", "store_and_fwd_flag", "pickup_datetime", "dropoff_datetime", "pickup_longitude",
	"pickup_latitude", "dropoff_longitude", "dropoff_latitude",
}

// layout is the meaning of a CSV line's columns.
type layout struct {
	columns []string       // names, for attributes
	fields  [numFields]int // column of each field; -1: none
	zone    *time.Location // of times without one
	least   int            // columns that a line must have
}

// csvLayout is the node's mapping over named columns.
func (d *Decoder) csvLayout(columns []string) layout {
	l := layout{columns: columns, zone: d.zone, least: 1}
	for f := range numFields {
		l.fields[f] = slices.Index(columns, d.mapping.source[f])
		if n, err := strconv.Atoi(d.mapping.source[f]); err == nil && l.fields[f] < 0 {
			l.fields[f] = n - 1
		}
	}
	return l
}

// layoutFor is the layout that a content type's parameters name: layout=taxi, or columns="a,b,c" as Split writes it.
func (d *Decoder) layoutFor(contentType, params string) (*layout, error) {
	if params == "" {
		return d.layoutOf(d.opts.Format), nil
	}
	if l := d.layouts[contentType]; l != nil {
		return l, nil
	}
	_, values, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, err
	}
	l := &d.csv
	switch {
	case values["layout"] == "taxi":
		l = &d.taxi
	case values["layout"] != "":
		return nil, errors.New("there is no CSV layout " + strconv.Quote(values["layout"]) + ": use taxi")
	case values["columns"] != "":
		named := d.csvLayout(strings.Split(values["columns"], ","))
		l = &named
	}
	if len(d.layouts) < 1000 { // content types are the senders': do not keep them without end
		d.layouts[contentType] = l
	}
	return l, nil
}

// readCSV reads one line.
func (d *Decoder) readCSV(l *layout, value []byte, o *observation) *Refusal {
	cells, err := splitCSV(value)
	if err != nil {
		return refuse(Unparsable, "not a CSV line: %v", err)
	}
	if len(cells) < l.least {
		return refuse(Unparsable, "it has %d columns, at least %d are needed", len(cells), l.least)
	}
	o.zone = l.zone
	for f, column := range l.fields {
		if column >= 0 && column < len(cells) && cells[column] != "" {
			d.set(o, field(f), []byte(cells[column]))
		}
	}
	if d.opts.Header && string(o.when) == d.mapping.source[timeField] {
		return refuse(Unparsable, "it is a header line")
	}
	o.attributes = l.attributes(cells)
	return nil
}

// attributes are the columns that are no field, by name, as strings.
func (l *layout) attributes(cells []string) []byte {
	w := jx.Writer{}
	for i, cell := range cells {
		if cell == "" || slices.Contains(l.fields[:], i) {
			continue
		}
		name := "column_" + strconv.Itoa(i+1)
		if i < len(l.columns) {
			name = l.columns[i]
		}
		if len(w.Buf) == 0 {
			w.ObjStart()
		} else {
			w.Comma()
		}
		w.FieldStart(name)
		w.Str(strings.ToValidUTF8(cell, "\uFFFD"))
	}
	if len(w.Buf) > 0 {
		w.ObjEnd()
	}
	return w.Buf
}

// splitCSV cuts one line at its commas. Only lines with quotes need a real CSV reader.
func splitCSV(line []byte) ([]string, error) {
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 0 {
		return nil, errors.New("it is empty")
	}
	if bytes.IndexByte(line, '"') < 0 && bytes.IndexByte(line, '\n') < 0 {
		return strings.Split(string(line), ","), nil
	}
	r := csv.NewReader(bytes.NewReader(line))
	r.FieldsPerRecord = -1
	cells, err := r.Read()
	if err != nil {
		return nil, err
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one line")
	}
	return cells, nil
}
