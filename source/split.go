package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxLineBytes bounds one record of an ingest body. A longer line is reported and passed over.
const MaxLineBytes = 1 << 20

// ErrMediaType: the content type is none that positions come in.
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
func Split(contentType string, body io.Reader, fn func(Line) error) error {
	m, ok := parseType(contentType)
	switch {
	case !ok:
		return fmt.Errorf("%w (%.100q)", ErrMediaType, contentType)
	case m.format == protobufFormat:
		return splitWhole(typeProtobuf, body, fn)
	case m.format == csvFormat || m.format == taxiFormat:
		return splitCSV(m, body, fn)
	case m.format == geojsonFormat && m.lines:
		return splitLines(typeGeoJSON, 0, body, fn)
	case m.format == geojsonFormat:
		return splitJSON(typeGeoJSON, "features", body, fn)
	case m.lines:
		return splitLines(typeJSON, 0, body, fn)
	}
	return splitJSON(typeJSON, "", body, fn)
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
	r := bufio.NewReaderSize(body, 64<<10)
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

// splitJSON takes the objects of a body: one, several one after another, or the elements of an array; collection is the
// member of an object whose elements count instead of it, as in a FeatureCollection.
func splitJSON(stored, collection string, body io.Reader, fn func(Line) error) error {
	in := bufio.NewReaderSize(&nonBlank{r: body}, 64<<10)
	first, err := in.Peek(1)
	if errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	dec := json.NewDecoder(in)
	number := 0
	emit := func(raw json.RawMessage) error {
		number++
		l := Line{Number: number, Value: bytes.Clone(raw), ContentType: stored}
		if len(raw) > MaxLineBytes {
			l.Value, l.Err = nil, errTooLong
		}
		return fn(l)
	}
	if first[0] == '[' {
		return elements(dec, emit)
	}
	if collection != "" {
		return collections(dec, collection, emit)
	}
	for {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("after object %d the body is no JSON: %w", number, err)
		}
		if err := emit(raw); err != nil {
			return err
		}
	}
}

func elements(dec *json.Decoder, emit func(json.RawMessage) error) error {
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("the body is no JSON: %w", err)
	}
	for n := 0; dec.More(); n++ {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return fmt.Errorf("after element %d the body is no JSON: %w", n, err)
		}
		if err := emit(raw); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("the array does not end: %w", err)
	}
	return nil
}

// collections reads objects one after another. Of one that has the member, its elements are taken; else the object itself.
// A collection is held in memory whole: unlike an array it says only at its end what it is.
func collections(dec *json.Decoder, member string, emit func(json.RawMessage) error) error {
	for {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the body is no JSON: %w", err)
		}
		var object map[string]json.RawMessage
		var inside []json.RawMessage
		if json.Unmarshal(raw, &object) != nil || object[member] == nil || json.Unmarshal(object[member], &inside) != nil {
			inside = []json.RawMessage{raw}
		}
		for _, one := range inside {
			if err := emit(one); err != nil {
				return err
			}
		}
	}
}

// nonBlank passes over white space and a byte order mark at the start.
type nonBlank struct {
	r       io.Reader
	started bool
}

func (n *nonBlank) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if !n.started {
		rest := bytes.TrimLeft(bytes.TrimPrefix(p[:k], []byte("\xef\xbb\xbf")), " \t\r\n")
		n.started = len(rest) > 0
		k = copy(p, rest)
	}
	return k, err
}
