package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLineBytes bounds one record of an ingest body. A longer line is reported and passed over.
const MaxLineBytes = 1 << 20

// ErrMediaType says that the content type is none that positions come in.
var ErrMediaType = errors.New("content type is not one of positions: use application/json, application/x-ndjson, application/geo+json, text/csv or application/x-protobuf")

// Line is one record of a body.
type Line struct {
	Number      int    // from 1
	Value       []byte // its bytes as they came; the receiver may keep them
	ContentType string // by which Decode reads it alone
	Err         error  // it cannot be a record: too long
}

// Split cuts a body into records and calls fn with each. It stops with fn's error; its own says that the body cannot be read on.
//
// JSON is an object, an array of them, or one after another; GeoJSON a Feature, a FeatureCollection, or one after another. In CSV the
// first line names the columns with the parameter header=present, and without the parameter when it has the default names.
//
// The parameters map, time-layout and time-zone say how the records are read (Options.On) and go with each of them.
func Split(contentType string, body io.Reader, fn func(Line) error) error {
	m, ok := parseType(contentType)
	switch {
	case m.wrong != nil:
		return fmt.Errorf("a parameter of its content type is wrong: %w", m.wrong)
	case !ok:
		return fmt.Errorf("%w (%.100q)", ErrMediaType, contentType)
	case m.format == protobufFormat:
		return splitWhole(m.reading.on(typeProtobuf), body, fn)
	case m.format == csvFormat || m.format == taxiFormat:
		return splitCSV(m, body, fn)
	case m.format == geojsonFormat && m.lines:
		return splitLines(m.reading.on(typeGeoJSON), 0, body, fn)
	case m.format == geojsonFormat:
		return splitJSON(m.reading.on(typeGeoJSON), true, body, fn)
	case m.lines:
		return splitLines(m.reading.on(typeJSON), 0, body, fn)
	}
	return splitJSON(m.reading.on(typeJSON), false, body, fn)
}

// splitWhole takes the body as one record.
func splitWhole(stored string, body io.Reader, fn func(Line) error) error {
	value, err := io.ReadAll(io.LimitReader(body, MaxLineBytes+1))
	if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	if len(value) > MaxLineBytes {
		return fn(Line{Number: 1, ContentType: stored, Err: errTooLong})
	}
	return fn(Line{Number: 1, Value: value, ContentType: stored})
}

var errTooLong = fmt.Errorf("it is longer than %d bytes", MaxLineBytes)

// splitLines takes each line that is not blank; number is that of the line before the first.
func splitLines(stored string, number int, body io.Reader, fn func(Line) error) error {
	r := withoutMark(body)
	for {
		value, tooLong, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading the body: %w", err)
		}
		ended := err != nil
		if len(value) > 0 || tooLong || !ended {
			number++
		}
		l := Line{Number: number, Value: value, ContentType: stored}
		switch {
		case tooLong:
			l.Value, l.Err = nil, errTooLong
		case len(bytes.TrimSpace(value)) == 0:
			if ended {
				return nil
			}
			continue
		}
		if err := fn(l); err != nil || ended {
			return err
		}
	}
}

// readLine reads a line into memory of its own, without its end. Of a too long one it keeps nothing.
func readLine(r *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		switch {
		case tooLong:
		case len(line)+len(part) > MaxLineBytes+2:
			tooLong, line = true, nil
		default:
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(line, "\r\n"), tooLong, err
		}
	}
}

// withoutMark reads a body from behind its byte order mark.
func withoutMark(body io.Reader) *bufio.Reader {
	in := bufio.NewReaderSize(body, 64<<10)
	if head, err := in.Peek(3); err == nil && string(head) == "\xef\xbb\xbf" {
		_, _ = in.Discard(3) // what was peeked is there
	}
	return in
}
