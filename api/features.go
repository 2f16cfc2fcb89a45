package api

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-faster/jx"
)

// lineTypes are the content types of one JSON document a line.
var lineTypes = []string{"application/x-ndjson", "application/ndjson", "application/jsonl", "application/geo+json-seq", "application/jsonlines"}

// errLineTooLong: a line is over the limit of one document. The rest of the body is still read.
var errLineTooLong = errors.New("too large")

// features calls fn with each GeoJSON Feature of a body: one a line, or those of a FeatureCollection, numbered from 1. raw is only
// good until fn returns. A line that is too large comes with an error. The body is read as a stream: it may be of any length.
func features(contentType string, body io.Reader, maxBytes int, fn func(line int, raw []byte, err error) error) error {
	in := bufio.NewReaderSize(body, 64<<10)
	t, _, _ := mime.ParseMediaType(contentType) // it was checked; "" means to look at the body
	if slices.Contains(lineTypes, t) {
		return eachLine(in, maxBytes, fn)
	}
	return eachInCollection(in, maxBytes, fn)
}

// eachLine reads lines; empty ones and the separators of RFC 8142 are passed over.
func eachLine(in *bufio.Reader, maxBytes int, fn func(line int, raw []byte, err error) error) error {
	var long []byte
	for line := 1; ; line++ {
		raw, tooLong, err := readLine(in, maxBytes, &long)
		if err != nil && !errors.Is(err, io.EOF) {
			return bodyError(err)
		}
		raw = bytes.TrimSpace(bytes.Trim(raw, "\x1e"))
		switch {
		case tooLong:
			if err := fn(line, nil, errLineTooLong); err != nil {
				return err
			}
		case len(raw) > 0:
			if err := fn(line, raw, nil); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// readLine reads up to a line feed without ever holding more than maxBytes.
func readLine(in *bufio.Reader, maxBytes int, long *[]byte) (line []byte, tooLong bool, err error) {
	*long = (*long)[:0]
	for {
		part, err := in.ReadSlice('\n')
		if len(*long)+len(part) > maxBytes {
			tooLong = true
		}
		if !tooLong {
			if err == nil && len(*long) == 0 {
				return part, false, nil
			}
			*long = append(*long, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if tooLong {
				return nil, true, err
			}
			return *long, false, err
		}
	}
}

// eachInCollection reads a FeatureCollection, or a single Feature, without holding more than one Feature.
func eachInCollection(in io.Reader, maxBytes int, fn func(line int, raw []byte, err error) error) error {
	limited := &refilled{in: in, each: int64(maxBytes)}
	limited.refill()
	d := jx.Decode(limited, 64<<10)
	if d.Next() != jx.Object {
		return bodyError(errors.Join(limited.err, errors.New("a GeoJSON FeatureCollection or Feature is wanted")))
	}
	n, called := 0, error(nil)
	single := map[string]jx.Raw{}
	err := d.Obj(func(d *jx.Decoder, key string) error {
		if key != "features" || d.Next() != jx.Array {
			raw, err := d.Raw()
			if len(single) < 64 {
				single[key] = slices.Clone(raw)
			}
			return err
		}
		return d.Arr(func(d *jx.Decoder) error {
			n++
			raw, err := d.Raw()
			if err != nil {
				return err
			}
			limited.refill()
			called = fn(n, raw, nil)
			return called
		})
	})
	switch {
	case called != nil:
		return called
	case errors.Is(limited.err, errLineTooLong):
		return named(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("Feature %d is over %d bytes", n, maxBytes))
	case limited.err != nil && !errors.Is(limited.err, io.EOF):
		return bodyError(limited.err)
	case err != nil:
		return newProblem(http.StatusBadRequest, fmt.Sprintf("the body cannot be read after Feature %d: %v", n, err))
	case d.Next() != jx.Invalid:
		return newProblem(http.StatusBadRequest, "something stands behind the first document; one document a line goes as application/x-ndjson")
	case string(single["type"]) == `"Feature"`:
		return fn(1, joinMembers(single), nil)
	case n == 0 && string(single["type"]) != `"FeatureCollection"`:
		return newProblem(http.StatusBadRequest, "the body is neither a FeatureCollection nor a Feature")
	}
	return nil
}

// refilled is a reader that gives out so many bytes between two refills: a Feature's worth, and what the decoder reads ahead.
type refilled struct {
	in         io.Reader
	left, each int64
	err        error
}

func (l *refilled) refill() { l.left = l.each + 128<<10 }

func (l *refilled) Read(b []byte) (int, error) {
	if l.left <= 0 {
		l.err = errLineTooLong
		return 0, l.err
	}
	n, err := l.in.Read(b[:min(int64(len(b)), l.left)])
	l.left -= int64(n)
	if err != nil {
		l.err = err
	}
	return n, err
}

func joinMembers(members map[string]jx.Raw) []byte {
	var e jx.Encoder
	e.Obj(func(e *jx.Encoder) {
		for key, raw := range members {
			e.Field(key, func(e *jx.Encoder) { e.Raw(raw) })
		}
	})
	return e.Bytes()
}

// featureID is a Feature's id: a string, or a number as it is written.
func featureID(raw []byte) (string, error) {
	id, found := "", false
	d := jx.DecodeBytes(raw)
	if d.Next() != jx.Object {
		return "", errors.New("a GeoJSON Feature is wanted")
	}
	err := d.ObjBytes(func(d *jx.Decoder, key []byte) error {
		if string(key) != "id" {
			return d.Skip()
		}
		found = true
		switch d.Next() { //nolint:exhaustive // the others are no ids
		case jx.String:
			v, err := d.Str()
			id = v
			return err
		case jx.Number:
			n, err := d.Num()
			id = n.String()
			if _, whole := strconv.ParseInt(id, 10, 64); whole != nil {
				return errors.New("id must be a string or a whole number")
			}
			return err
		}
		return errors.New("id must be a string or a whole number")
	})
	switch {
	case err != nil:
		return "", err
	case !found || id == "":
		return "", errors.New("the Feature has no id")
	case len(id) > 128 || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		return "", errors.New("an id has at most 128 bytes of UTF-8 and no control characters")
	}
	return id, nil
}
