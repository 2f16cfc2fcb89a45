package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
)

const (
	// maxJoined is how many lines a quoted cell may go over: a quote that never ends costs its own line only.
	maxJoined = 100
	// maxHeaderBytes bounds a header line, which is kept with every record.
	maxHeaderBytes = 16 << 10
)

// splitCSV takes the records of a CSV body. A header line goes with each of them, as the parameter columns of its content type.
func splitCSV(m mediaType, body io.Reader, fn func(Line) error) error {
	lines := &csvLines{in: withoutMark(body)}
	stored := m.reading.on(typeCSV)
	switch {
	case m.format == taxiFormat:
		stored = m.reading.on(typeTaxi)
	case m.columns != nil:
		stored = m.reading.on(columnsType(m.columns))
	}
	for first := true; ; {
		l, err := lines.record()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the body: %w", err)
		case len(bytes.TrimSpace(l.Value)) == 0 && l.Err == nil:
			continue
		}
		if first && m.format == csvFormat && m.columns == nil && m.header != headerAbsent {
			first = false
			columns, err := headerColumns(l, m.header == headerPresent)
			if err != nil {
				return err
			}
			if columns != "" {
				stored = m.reading.on(columns)
				continue
			}
		}
		first = false
		l.ContentType = stored
		if err := fn(l); err != nil {
			return err
		}
	}
}

// headerColumns is the content type of the records under a header line; empty: the line is none, and need not be one.
func headerColumns(l Line, must bool) (string, error) {
	cells, err := splitCells(nil, nil, l.Value)
	switch {
	case !must && (err != nil || l.Err != nil || !defaultTable.heads(cells)):
		return "", nil
	case err != nil || l.Err != nil || len(cells) > maxColumns || len(l.Value) > maxHeaderBytes:
		return "", errors.New("the first line does not name the columns")
	}
	return columnsType(names(cells)), nil
}

func columnsType(columns []string) string {
	return mime.FormatMediaType(typeCSV, map[string]string{"columns": string(joinCells(columns))})
}

// defaultTable knows a header line by the default names.
var defaultTable = newTable(fieldNames[:], origins{}, fieldNames)

// joinCells writes a CSV line.
func joinCells(cells []string) []byte {
	var out []byte
	for i, c := range cells {
		if i > 0 {
			out = append(out, ',')
		}
		if !bytes.ContainsAny([]byte(c), "\",\r\n") {
			out = append(out, c...)
			continue
		}
		out = append(out, '"')
		out = append(out, bytes.ReplaceAll([]byte(c), []byte{'"'}, []byte(`""`))...)
		out = append(out, '"')
	}
	return out
}

// csvLines joins lines that a quoted cell breaks.
type csvLines struct {
	in     *bufio.Reader
	number int
	queue  []Line // read ahead and not used
	ended  error
}

// record is the next record, numbered by its first line. Its bytes are its own.
func (c *csvLines) record() (Line, error) {
	l, err := c.line()
	if err != nil || quotesMatch(l.Value) {
		return l, err
	}
	joined, ahead := l.Value, []Line(nil)
	for len(ahead) < maxJoined {
		next, err := c.line()
		if err != nil {
			break // it comes again
		}
		ahead = append(ahead, next)
		if next.Err != nil || len(joined)+len(next.Value) >= MaxLineBytes {
			break
		}
		joined = append(append(slices.Clip(joined), '\n'), next.Value...)
		if quotesMatch(joined) {
			return Line{Number: l.Number, Value: joined}, nil
		}
	}
	c.queue = append(ahead, c.queue...)
	return l, nil
}

func quotesMatch(b []byte) bool { return bytes.Count(b, []byte{'"'})%2 == 0 }

func (c *csvLines) line() (Line, error) {
	if len(c.queue) > 0 {
		l := c.queue[0]
		c.queue = c.queue[1:]
		return l, nil
	}
	if c.ended != nil {
		return Line{}, c.ended
	}
	value, tooLong, err := readLine(c.in)
	if c.ended = err; err != nil && (!errors.Is(err, io.EOF) || len(value) == 0 && !tooLong) {
		return Line{}, err
	}
	c.number++
	l := Line{Number: c.number, Value: value}
	if tooLong {
		l.Value, l.Err = nil, errTooLong
	}
	return l, nil
}
