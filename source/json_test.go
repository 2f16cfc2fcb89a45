package source

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func newTestDecoder(tb testing.TB, o Options) *Decoder {
	tb.Helper()
	d, err := NewDecoder(o, nil)
	require.NoError(tb, err)
	return d
}

// found is what a record gave: fields by name, and attributes.
func found(d *Decoder) (fields map[string]string, attributes string) {
	fields = map[string]string{}
	for f, name := range fieldNames {
		if v := d.values[f]; v.kind != absent {
			fields[name] = string(v.bytes)
		}
	}
	return fields, string(d.json.attributes())
}

// FuzzJSON compares with encoding/json, and the quick way with the walk.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"vehicle":"v1","time":1767600000000,"longitude":-73.98,"latitude":40.75,"fleet":"y","x":[1,{"a":null}]}`,
		`{"vehicle":"a","vehicle":"b","x":1,"x":2, "y" : true }`,
		`{"veh\u0069cle":"\u00e9\ud83d\ude00","k\"":{"k":1,"k":2}}`,
		`{"time":1e3,"longitude":-0,"latitude":"1.5","speed":null}`,
		"{\"a\":\"\xff\",\"\xff\":1}", `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":tru}`, `{,}`, `{"a":1,}`, `{"a" 1}`, `{}x`, " {} ", `[]`, ``, `{"a":NaN}`,
	} {
		f.Add([]byte(seed))
	}
	d := newTestDecoder(f, Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Contains(b, []byte(`\u`)) || !utf8.Valid(b) || tooDeep(b) {
			_, _ = d.read(d.own, b) // readers differ in what broken text means; it must not panic
			return
		}
		r := d.readOne(b)
		var want map[string]json.RawMessage
		err := json.Unmarshal(b, &want)
		if err != nil || want == nil {
			if _, tolerated := nullNonFinite(b); !tolerated {
				require.NotNil(t, r, "%q is not JSON: %v", b, err)
			}
			return
		}
		require.Nil(t, r, "%q", b)
		fields, attributes := found(d)
		for _, name := range fieldNames {
			raw, ok := want[name]
			delete(want, name)
			var s string
			switch {
			case !ok || string(raw) == "null":
				require.NotContains(t, fields, name)
			case json.Unmarshal(raw, &s) == nil:
				require.Equal(t, s, fields[name])
			default:
				require.Equal(t, string(raw), fields[name])
			}
		}
		if len(want) == 0 {
			require.Empty(t, attributes)
		} else {
			whole, err := json.Marshal(want)
			require.NoError(t, err)
			require.JSONEq(t, string(whole), attributes)
			require.Equal(t, len(want), topMembers(t, attributes), "no member twice: %s", attributes)
		}
		if !d.json.quick(d.own.root, b) {
			return
		}
		d.values = [numSlots]value{}
		d.text = d.text[:0]
		require.NoError(t, d.json.walk(d.own.root, b))
		walked, kept := found(d)
		require.Equal(t, walked, fields)
		if kept != attributes {
			require.JSONEq(t, kept, attributes)
		}
	})
}

func (d *Decoder) readOne(b []byte) *Refusal {
	_, r := d.read(d.own, b)
	return r
}

func topMembers(tb testing.TB, object string) (n int) {
	tb.Helper()
	dec := json.NewDecoder(strings.NewReader(object))
	_, err := dec.Token()
	require.NoError(tb, err)
	for dec.More() {
		_, err = dec.Token()
		require.NoError(tb, err)
		var skipped json.RawMessage
		require.NoError(tb, dec.Decode(&skipped))
		n++
	}
	return n
}

func TestAttributesAreWhatIsNotMappedOfNestedObjectsToo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts       Options
		body, want string
	}{
		"none":       {Options{}, `{"vehicle":"a","time":1}`, ``},
		"doubled":    {Options{}, `{"x":1,"y":2,"x":3}`, `{"y":2,"x":3}`},
		"escaped":    {Options{}, `{"a\"b":"\n"}`, `{"a\"b":"\n"}`},
		"nested":     {Options{Map: []string{"vehicle=a.b.c"}}, `{"a":{"b":{"c":1,"d":2},"e":3},"vehicle":"x"}`, `{"a":{"b":{"d":2},"e":3},"vehicle":"x"}`},
		"emptied":    {Options{Map: []string{"vehicle=a.b"}}, `{"a":{"b":1}}`, ``},
		"no object":  {Options{Map: []string{"vehicle=a.b"}}, `{"a":7}`, `{"a":7}`},
		"array":      {Options{Map: []string{"longitude=p.0", "latitude=p.1"}}, `{"p":[1,2,3],"q":[4]}`, `{"q":[4]}`},
		"dotted":     {Options{Map: []string{`vehicle=a\.b`}}, `{"a.b":1,"a":{"b":2}}`, `{"a":{"b":2}}`},
		"geojson":    {Options{Format: "geojson"}, `{"type":"Feature","bbox":[1],"geometry":{"type":"Point","coordinates":[1,2],"x":1},"properties":{"time":1,"longitude":9,"k":1},"z":2}`, `{"longitude":9,"k":1,"z":2}`},
		"same twice": {Options{Format: "geojson"}, `{"type":"Feature","k":1,"properties":{"k":2}}`, `{"k":2}`},
		"not UTF-8":  {Options{}, "{\"k\":\"\xff\"}", "{\"k\":\"\uFFFD\"}"},
	} {
		d := newTestDecoder(t, c.opts)
		require.Nil(t, d.readOne([]byte(c.body)), name)
		_, attributes := found(d)
		require.Equal(t, c.want, attributes, name)
	}
}

func TestManyMembersAreTakenInTimeAndOnceEach(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteString(`{"vehicle":"a"`)
	for i := range 50_000 {
		b.WriteString(`,"k`)
		b.WriteString(strings.Repeat("x", i%250))
		b.WriteString(`":1`)
	}
	b.WriteString(`}`)
	d := newTestDecoder(t, Options{})
	require.Nil(t, d.readOne(b.Bytes()))
	_, attributes := found(d)
	require.Equal(t, 250, topMembers(t, attributes))
}

func TestNestingIsBounded(t *testing.T) {
	t.Parallel()
	d := newTestDecoder(t, Options{})
	deep := func(n int) []byte {
		return []byte(`{"s":"[[[[","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	require.Nil(t, d.readOne(deep(maxDepth-1)))
	require.Equal(t, Unparsable, d.readOne(deep(maxDepth)).Reason)
	require.Equal(t, Unparsable, d.readOne(deep(1_000_000)).Reason)
	require.Nil(t, d.readOne([]byte(`{"x":[`+strings.Repeat("[],", 500)+`1]}`)), "many brackets are not deep ones")
}

func TestAGeometryThatIsNoPointIsNoPlace(t *testing.T) {
	t.Parallel()
	d := newTestDecoder(t, Options{Format: "geojson"})
	for _, geometry := range []string{`null`, `{"type":"MultiPoint","coordinates":[1,2]}`, `{"coordinates":[1,2]}`, `{"type":"LineString","coordinates":[[1,2],[3,4]]}`} {
		require.Nil(t, d.readOne([]byte(`{"type":"Feature","id":7,"geometry":`+geometry+`,"properties":null}`)))
		_, r := d.position()
		require.Equal(t, Position, r.Reason, geometry)
		vehicle, r := d.vehicle(nil)
		require.Nil(t, r)
		require.Equal(t, "7", string(vehicle))
	}
}
