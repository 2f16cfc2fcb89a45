package source

import (
	"bytes"
	"errors"
	"strconv"
)

const (
	maxColumns       = 1000
	taxiLeastColumns = 4
)

// taxiColumns are those of the replaced demo's files.
var taxiColumns = []string{
	"taxiId", "observationTime", "longitude", "latitude", "passengerCount", "tripTimeInSecs", "tripDistance", "observationIx",
	"medallion", "hack_license", "vendor_id", "rate_code", "store_and_fwd_flag", "pickup_datetime", "dropoff_datetime",
	"pickup_longitude", "pickup_latitude", "dropoff_longitude", "dropoff_latitude",
}

var taxiDefaults = [numFields]string{"taxiId", "observationTime", "longitude", "latitude", "speed", "heading", "accuracy", "altitude"}

// table is the columns of a CSV. Immutable.
type table struct {
	names  []string
	slots  []int    // by column; noSlot: an attribute
	keys   [][]byte // by column, the attribute's name as a JSON string; nil: a later column has the name
	least  int      // how many cells a record has at least
	needed []string // by what a header line is known
}

func newTable(names []string, from origins, defaults [numFields]string) *table {
	t := &table{names: names, slots: make([]int, len(names)), keys: make([][]byte, len(names)), least: 1}
	last := map[string]int{}
	for i, name := range names {
		t.slots[i] = noSlot
		last[name] = i
	}
	for f := range from {
		name := defaults[f]
		if from[f].path != nil {
			name = from[f].whole()
		}
		if field(f) == fieldTime || field(f) == fieldLongitude || field(f) == fieldLatitude {
			t.needed = append(t.needed, name)
		}
		i, ok := last[name]
		if !ok {
			if i, ok = column(name); !ok {
				continue
			}
			t.grow(i + 1)
		}
		if t.slots[i] == noSlot || from[f].path != nil { // a name that was given wins over another field's default
			t.slots[i] = f
		}
	}
	for i := range t.slots {
		if i < len(names) && last[names[i]] != i {
			continue
		}
		t.keys[i] = appendString(nil, []byte(t.name(i)))
	}
	return t
}

func (t *table) grow(n int) {
	for len(t.slots) < n {
		t.slots, t.keys = append(t.slots, noSlot), append(t.keys, nil)
	}
}

// name of a column; those without one are numbered from 1.
func (t *table) name(i int) string {
	if i < len(t.names) && t.names[i] != "" {
		return t.names[i]
	}
	return "column_" + strconv.Itoa(i+1)
}

// heads reports whether the cells are a header line: a data line never has the names of the time's and the place's columns.
func (t *table) heads(cells [][]byte) bool {
	for _, name := range t.needed {
		found := false
		for _, c := range cells {
			found = found || string(bytes.TrimSpace(c)) == name
		}
		if !found {
			return false
		}
	}
	return true
}

// readCSV reads one line, or a header line and one line.
func (d *Decoder) readCSV(p *profile, b []byte) (*profile, *Refusal) {
	b = trimNewline(b)
	line, rest := cutLine(b)
	if r := d.split(line); r != nil {
		return p, r
	}
	if p.header || len(rest) > 0 || d.cellsHead(p) {
		if !p.table.heads(d.cells) {
			if p.header {
				return p, refuse(Unparsable, "does not begin with a header line")
			}
			return p, refuse(Unparsable, "has more than one line")
		}
		if len(rest) == 0 {
			return p, refuse(Unparsable, "a header line without data")
		}
		p = d.headed(p, line)
		line, rest = cutLine(rest)
		if r := d.split(line); r != nil {
			return p, r
		}
		if len(rest) > 0 {
			return p, refuse(Unparsable, "has more than one line after its header")
		}
	}
	return p, d.assign(p.table)
}

// cellsHead is a cheap look before the dear one: where the time stands in a header line there is no digit.
func (d *Decoder) cellsHead(p *profile) bool {
	for i, slot := range p.table.slots {
		if slot == int(fieldLatitude) && i < len(d.cells) && len(d.cells[i]) > 0 {
			if c := d.cells[i][0]; c-'0' <= 9 || c == '-' {
				return false
			}
		}
	}
	return p.table.heads(d.cells)
}

// headed is the profile with the columns that are in d.cells, which the header line holds.
func (d *Decoder) headed(p *profile, line []byte) *profile {
	id := string(rune(p.format)) + string(line) // no content type begins with a control character
	if q := d.types[id]; q != nil {
		return q
	}
	if len(d.types) >= maxTypes {
		clear(d.types)
	}
	q := p.withColumns(names(d.cells))
	d.types[id] = q
	return q
}

// names of columns, from the cells of a header line.
func names(cells [][]byte) []string {
	all := make([]string, min(len(cells), maxColumns))
	for i := range all {
		all[i] = string(bytes.TrimSpace(cells[i]))
	}
	return all
}

func (d *Decoder) split(line []byte) *Refusal {
	cells, err := splitCells(d.cells[:0], &d.text, line)
	d.cells = cells
	switch {
	case err != nil:
		return refuse(Unparsable, err.Error())
	case len(cells) > maxColumns:
		return refuse(Unparsable, "has more than 1000 columns")
	}
	return nil
}

func (d *Decoder) assign(t *table) *Refusal {
	if len(d.cells) < t.least || len(d.cells) == 1 && len(d.cells[0]) == 0 {
		return refuse(Unparsable, "has "+strconv.Itoa(len(d.cells))+" columns of at least "+strconv.Itoa(max(t.least, 2)))
	}
	for i, c := range d.cells[:min(len(d.cells), len(t.slots))] {
		if t.slots[i] != noSlot && len(c) > 0 {
			d.values[t.slots[i]] = value{c, text}
		}
	}
	return nil
}

// cellAttributes are the cells that are not mapped and not empty. The result is overwritten by the next record.
func (d *Decoder) cellAttributes(t *table) []byte {
	out := append(d.json.out[:0], '{')
	for i, c := range d.cells {
		switch {
		case len(c) == 0 || i < len(t.slots) && (t.slots[i] != noSlot || t.keys[i] == nil):
			continue
		case len(out) > 1:
			out = append(out, ',')
		}
		if i < len(t.keys) {
			out = append(out, t.keys[i]...)
		} else {
			out = appendString(out, []byte(t.name(i)))
		}
		out = append(out, ':')
		out = appendString(out, c)
	}
	d.json.out = out
	if len(out) == 1 {
		return nil
	}
	d.json.out = append(out, '}')
	return d.json.out
}

func trimNewline(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b
}

// cutLine cuts at the first line break outside quotes.
func cutLine(b []byte) (line, rest []byte) {
	if bytes.IndexByte(b, '\n') < 0 {
		return b, nil
	}
	inQuotes := false
	for i, c := range b {
		switch {
		case c == '"':
			inQuotes = !inQuotes
		case c == '\n' && !inQuotes:
			return trimNewline(b[:i+1]), b[i+1:]
		}
	}
	return b, nil
}

var (
	errBareQuote = errors.New("a quote in a cell that is not quoted")
	errOpenQuote = errors.New("a quoted cell does not end, or goes on after its quote")
)

// splitCells cuts a line as encoding/csv does. Cells point into the line or, unescaped, into scratch.
func splitCells(cells [][]byte, scratch *[]byte, line []byte) ([][]byte, error) {
	if bytes.IndexByte(line, '"') < 0 {
		for {
			i := bytes.IndexByte(line, ',')
			if i < 0 {
				return append(cells, line), nil
			}
			cells, line = append(cells, line[:i]), line[i+1:]
		}
	}
	if scratch == nil {
		scratch = new([]byte)
	}
	for {
		cell, rest, more, err := cutCell(scratch, line)
		if err != nil {
			return cells, err
		}
		cells, line = append(cells, cell), rest
		if !more {
			return cells, nil
		}
	}
}

func cutCell(scratch *[]byte, line []byte) (cell, rest []byte, more bool, err error) {
	if len(line) > 0 && line[0] == '"' {
		return cutQuoted(scratch, line[1:])
	}
	cell, rest, more = bytes.Cut(line, []byte{','})
	if bytes.IndexByte(cell, '"') >= 0 {
		return nil, nil, false, errBareQuote
	}
	return cell, rest, more, nil
}

// cutQuoted cuts a cell whose opening quote is gone.
func cutQuoted(scratch *[]byte, line []byte) (cell, rest []byte, more bool, err error) {
	start, escaped := len(*scratch), false
	for {
		i := bytes.IndexByte(line, '"')
		if i < 0 {
			return nil, nil, false, errOpenQuote
		}
		after := line[i+1:]
		switch {
		case len(after) > 0 && after[0] == '"':
			*scratch = append(*scratch, line[:i+1]...)
			line, escaped = after[1:], true
			continue
		case len(after) > 0 && after[0] != ',':
			return nil, nil, false, errOpenQuote
		}
		cell = line[:i]
		if escaped {
			*scratch = append(*scratch, cell...)
			cell = (*scratch)[start:len(*scratch):len(*scratch)]
		}
		if len(after) == 0 {
			return cell, nil, false, nil
		}
		return cell, after[1:], true, nil
	}
}
