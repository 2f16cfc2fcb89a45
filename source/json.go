package source

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/go-faster/jx"
)

// maxDepth bounds the nesting of a record: deeper than any store indexes.
const maxDepth = 100

// manyMembers is how many members of one object are compared with each other; more are told apart by a map.
const manyMembers = 32

// walker goes through one JSON record, puts what is mapped into the decoder's values and writes the rest as attributes.
type walker struct {
	d       *Decoder
	jx      *jx.Decoder
	step    func(*jx.Decoder, []byte) error // w.member, bound once
	element func(*jx.Decoder) error         // w.item, bound once

	at      *node    // whose members are read
	index   int      // of the array's next element
	out     []byte   // attributes so far, without the closing brace
	keys    [][]byte // members kept, of all objects under way
	base    int      // where this object's begin in keys
	doubled bool     // a member came twice
	dirty   bool     // the record is not UTF-8
}

func (w *walker) init(d *Decoder) {
	w.d, w.jx = d, jx.DecodeBytes(nil)
	w.step, w.element = w.member, w.item
}

func (d *Decoder) readJSON(p *profile, b []byte) *Refusal {
	if p.format == jsonFormat {
		if d.json.quick(p.root, b) {
			return nil
		}
		d.values = [numSlots]value{}
	}
	err := d.json.walk(p.root, b)
	if err != nil {
		if tolerated, ok := nullNonFinite(b); ok {
			d.values = [numSlots]value{}
			err = d.json.walk(p.root, tolerated)
		}
	}
	if err != nil {
		return refuse(Unparsable, "not a JSON object: "+brief(err))
	}
	return nil
}

func (d *Decoder) readGeoJSON(p *profile, b []byte) *Refusal {
	if r := d.readJSON(p, b); r != nil {
		return r
	}
	if v := d.values[slotFeature]; v.kind != text || string(v.bytes) != "Feature" {
		return refuse(Unparsable, "not a GeoJSON Feature")
	}
	if string(d.values[slotGeometry].bytes) == "Point" {
		return nil
	}
	// Any other geometry is no place: not even where its coordinates look like one.
	for _, slot := range []int{int(fieldLongitude), int(fieldLatitude), slotHeight} {
		if slot == slotHeight || p.origins[slot].path == nil {
			d.values[slot] = value{}
		}
	}
	return nil
}

var (
	errTooDeep  = errors.New("nested too deeply")
	errTrailing = errors.New("something follows the object")
)

// walk reads one object and nothing else.
func (w *walker) walk(root *node, b []byte) error {
	w.start(root, b)
	if tooDeep(b) {
		return errTooDeep
	}
	w.jx.ResetBytes(b)
	if err := w.jx.ObjBytes(w.step); err != nil {
		return err
	}
	// A value that is cut off ends like nothing does, so its beginning is asked for first.
	if w.jx.Next() != jx.Invalid {
		return errTrailing
	}
	if err := w.jx.Skip(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return errTrailing
	}
	return nil
}

// member handles one member of the object at w.at.
func (w *walker) member(j *jx.Decoder, key []byte) error {
	n := w.at.child(key)
	if n == nil {
		if w.at.loose {
			return j.Skip()
		}
		return w.keep(j, key)
	}
	return w.mapped(j, n, key)
}

// item handles one element of the array at w.at: its name is its index. Elements that are not mapped are dropped.
func (w *walker) item(j *jx.Decoder) error {
	var name [20]byte
	n := w.at.child(strconv.AppendInt(name[:0], int64(w.index), 10))
	w.index++
	if n == nil {
		return j.Skip()
	}
	return w.mapped(j, n, nil)
}

func (w *walker) mapped(j *jx.Decoder, n *node, key []byte) error {
	switch t := j.Next(); {
	case len(n.children) > 0 && t == jx.Object:
		return w.enter(j, n, key)
	case len(n.children) > 0 && t == jx.Array:
		outer, index := w.at, w.index
		w.at, w.index = n, 0
		err := j.Arr(w.element)
		w.at, w.index = outer, index
		return err
	case n.slot != noSlot:
		return w.value(j, t, &w.d.values[n.slot])
	case n.loose || t == jx.Null:
		return j.Skip()
	default:
		return w.keep(j, key)
	}
}

// value takes a mapped value; of one that comes twice the last counts.
func (w *walker) value(j *jx.Decoder, t jx.Type, v *value) (err error) {
	switch t {
	case jx.String:
		start := len(w.d.text)
		if w.d.text, err = j.StrAppend(w.d.text); err != nil {
			return err
		}
		*v = value{w.d.text[start:], text}
		return nil
	case jx.Null:
		*v = value{}
		return j.Null()
	default:
	}
	raw, err := j.Raw()
	*v = value{raw, other}
	if t == jx.Number {
		v.kind = number
	}
	return err
}

// enter goes down into an object of which members are mapped; the others are kept in an object of the same name.
func (w *walker) enter(j *jx.Decoder, n *node, key []byte) error {
	outer, base, mark := w.at, w.base, len(w.out)
	w.at = n
	inner := mark
	if !n.open {
		w.base = len(w.keys)
		w.name(key)
		w.out = append(w.out, '{')
		inner = len(w.out)
	}
	err := j.ObjBytes(w.step)
	if !n.open {
		w.keys = w.keys[:w.base]
		w.base = base
		if len(w.out) == inner {
			w.out = w.out[:mark]
		} else {
			w.out = append(w.out, '}')
			w.remember(key)
		}
	}
	w.at = outer
	return err
}

func (w *walker) keep(j *jx.Decoder, key []byte) error {
	raw, err := j.Raw()
	if err != nil {
		return err
	}
	w.name(key)
	w.out = append(w.out, raw...)
	w.remember(key)
	return nil
}

// name begins a member.
func (w *walker) name(key []byte) {
	if last := w.out[len(w.out)-1]; last != '{' {
		w.out = append(w.out, ',')
	}
	w.out = appendString(w.out, key)
	w.out = append(w.out, ':')
}

// remember finds out whether the object had the member before.
func (w *walker) remember(key []byte) {
	if w.doubled {
		return
	}
	mine := w.keys[w.base:]
	if len(mine) >= manyMembers {
		w.doubled = true // perhaps: the map will tell
		return
	}
	for _, k := range mine {
		if bytes.Equal(k, key) {
			w.doubled = true
			return
		}
	}
	w.keys = append(w.keys, key)
}

// attributes are what was kept of the record; nothing when that is no member. The result is overwritten by the next record.
func (w *walker) attributes() []byte {
	if len(w.out) <= 1 {
		return nil
	}
	w.out = append(w.out, '}')
	if w.doubled {
		w.out = dedupe(w.out)
	}
	if w.dirty {
		w.out = bytes.ToValidUTF8(w.out, []byte("\uFFFD"))
	}
	return w.out
}

// dedupe leaves the last of each object's members of one name, as other readers of JSON do; stores refuse the object else.
func dedupe(object []byte) []byte {
	type member struct{ key, raw []byte }
	var members []member
	last := map[string]int{}
	// An error cannot be: the walker wrote the object.
	_ = jx.DecodeBytes(object).ObjBytes(func(j *jx.Decoder, key []byte) error {
		raw, err := j.Raw()
		if err == nil {
			last[string(key)] = len(members)
			members = append(members, member{key, raw})
		}
		return err
	})
	out := append(make([]byte, 0, len(object)), '{')
	for i, m := range members {
		if last[string(m.key)] != i {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(appendString(out, m.key), ':')
		out = append(out, m.raw...)
	}
	return append(out, '}')
}

// appendString writes a JSON string. What is not UTF-8 becomes U+FFFD.
func appendString(out, s []byte) []byte {
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			w := jx.Writer{Buf: out}
			w.ByteStr(bytes.ToValidUTF8(s, []byte("\uFFFD")))
			return w.Buf
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}

// tooDeep counts brackets before it looks at what is a string.
func tooDeep(b []byte) bool {
	if bytes.Count(b, []byte{'{'})+bytes.Count(b, []byte{'['}) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
			if c == '\\' {
				i++
			}
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// nullNonFinite replaces the NaN and Infinity that some programs write, which JSON does not have, by null: a record with such a
// place has no place, which is another reason than being no record. False: there are none.
func nullNonFinite(b []byte) ([]byte, bool) {
	var out []byte
	from, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
			if c == '\\' {
				i++
			}
		case c == 'N' || c == 'I' || c == '-':
			if n := nonFinite(b[i:]); n > 0 {
				out = append(append(out, b[from:i]...), "null"...)
				i += n - 1
				from = i + 1
			}
		}
	}
	return append(out, b[from:]...), from > 0
}

func nonFinite(b []byte) int {
	for _, token := range []string{"NaN", "Infinity", "-Infinity", "-NaN"} {
		if bytes.HasPrefix(b, []byte(token)) {
			return len(token)
		}
	}
	return 0
}

// brief is an error's text without its chain of places.
func brief(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
