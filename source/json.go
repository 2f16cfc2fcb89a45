package source

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-faster/jx"
)

// paths is where fields are in a JSON object: a tree by member name.
type paths struct {
	members map[string]*paths
	field   field // numFields: none here, only below
}

func newPaths(m *mapping) *paths {
	root := &paths{members: map[string]*paths{}, field: numFields}
	for f := range numFields {
		at := root
		for name := range strings.SplitSeq(m.source[f], ".") {
			next := at.members[name]
			if next == nil {
				next = &paths{members: map[string]*paths{}, field: numFields}
				at.members[name] = next
			}
			at = next
		}
		at.field = f
	}
	return root
}

// readJSON reads one object. NaN and Infinity, which some writers put though JSON has none, read as absent.
func (d *Decoder) readJSON(value []byte, o *observation) *Refusal {
	if r := d.readObject(value, d.json, o); r == nil || !bytes.ContainsAny(value, "NI") {
		return r
	}
	o.reset(o.zone)
	return d.readObject(withoutNonFinite(value), d.json, o)
}

func (d *Decoder) readObject(value []byte, root *paths, o *observation) *Refusal {
	dec := jx.GetDecoder()
	defer jx.PutDecoder(dec)
	dec.ResetBytes(value)
	if dec.Next() != jx.Object {
		return refuse(Unparsable, "not a JSON object")
	}
	rest := jx.Writer{}
	if err := d.walk(dec, root, o, &rest); err != nil {
		return refuse(Unparsable, "not JSON: %v", err)
	}
	if err := dec.Skip(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse(Unparsable, "something follows the JSON object")
	}
	if len(rest.Buf) > 0 {
		rest.ObjEnd()
		o.attributes = rest.Buf
	}
	return nil
}

// walk takes the fields out of an object and writes what is left into rest, without the closing brace.
func (d *Decoder) walk(dec *jx.Decoder, at *paths, o *observation, rest *jx.Writer) error {
	return dec.ObjBytes(func(dec *jx.Decoder, key []byte) error {
		node := at.members[string(key)]
		switch {
		case node != nil && node.field < numFields:
			return d.take(dec, node.field, o)
		case node != nil && dec.Next() == jx.Object:
			inner := jx.Writer{}
			if err := d.walk(dec, node, o, &inner); err != nil || len(inner.Buf) == 0 {
				return err
			}
			inner.ObjEnd()
			leave(rest, key, inner.Buf)
			return nil
		}
		raw, err := dec.Raw()
		if err != nil {
			return err
		}
		leave(rest, key, raw)
		return nil
	})
}

func leave(rest *jx.Writer, key, raw []byte) {
	if len(rest.Buf) == 0 {
		rest.Buf = make([]byte, 0, 64+len(raw))
		rest.ObjStart()
	} else {
		rest.Comma()
	}
	rest.ByteStr(key)
	rest.RawStr(":")
	rest.Raw(raw)
}

// take reads a field's value: a number, a string, or null. Anything else is absent.
func (d *Decoder) take(dec *jx.Decoder, f field, o *observation) error {
	var text []byte
	switch dec.Next() {
	case jx.Number:
		n, err := dec.Num()
		if err != nil {
			return err
		}
		text, o.isNumber = n, true
	case jx.String:
		s, err := dec.StrBytes()
		if err != nil {
			return err
		}
		text = s
	default:
		return dec.Skip()
	}
	d.set(o, f, text)
	return nil
}

// set gives a field its text. Numbers that cannot be read are absent.
func (d *Decoder) set(o *observation, f field, text []byte) {
	switch f {
	case vehicleField:
		o.vehicle = append(o.vehicle[:0], text...)
	case timeField:
		o.when = append(o.when[:0], text...)
	default:
		n, err := strconv.ParseFloat(string(bytes.TrimSpace(text)), 64)
		if err != nil {
			n = math.NaN()
		}
		o.numbers[f] = n * d.mapping.factor[f]
	}
}

// withoutNonFinite replaces NaN and Infinity outside of strings by null.
func withoutNonFinite(value []byte) []byte {
	out := make([]byte, 0, len(value))
	inString := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case inString && c == '\\' && i+1 < len(value):
			out = append(out, c)
			i++
			c = value[i]
		case c == '"':
			inString = !inString
		case !inString:
			if n := nonFinite(value[i:]); n > 0 {
				out = append(out, "null"...)
				i += n - 1
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

func nonFinite(b []byte) int {
	for _, token := range []string{"NaN", "-NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(b, []byte(token)) {
			return len(token)
		}
	}
	return 0
}
