package fence_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

const square = `{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1],[0,0]]]}`

func feature(geometry, properties string) []byte {
	return []byte(`{"type":"Feature","geometry":` + geometry + `,"properties":` + properties + `}`)
}

func TestAFenceIsReadWithAllItsSettings(t *testing.T) {
	f, err := fence.Parse("yard 1", feature(square, `{"name":"Yard","exit_margin_metres":25.5,"dwell_seconds":90,"events":["enter","dwell"],"colour":"red","deep":{"a":[1, 2]}}`), 7)
	require.NoError(t, err)
	require.Equal(t, "yard 1", f.ID)
	require.Equal(t, "Yard", f.Name)
	require.Equal(t, int64(7), f.Version)
	require.InDelta(t, 25.5, f.ExitMarginMetres, 0)
	require.True(t, f.HasMargin())
	require.Equal(t, int64(90_000), f.Dwell)
	require.Equal(t, fence.MaskEnter|fence.MaskDwell, f.Emits)
	require.JSONEq(t, `{"type":"Feature","id":"yard 1","geometry":`+square+`,"properties":{"name":"Yard","exit_margin_metres":25.5,"dwell_seconds":90,"events":["enter","dwell"],"colour":"red","deep":{"a":[1,2]}}}`, string(f.Feature()))
	require.NotContains(t, string(f.Properties()), " ")
	require.True(t, f.Contains(geo.Point{Lon: 0.5, Lat: 0.5}))

	f, err = fence.Parse("", []byte(`{"id": 12, "type":"Feature","properties":null,"geometry":`+square+`,"bbox":[0,0,1,1]}`), 0)
	require.NoError(t, err)
	require.Equal(t, "12", f.ID)
	require.Equal(t, fence.MaskAll, f.Emits)
	require.True(t, math.IsNaN(f.ExitMarginMetres))
	require.False(t, f.HasMargin())
	f, err = fence.Parse("x", feature(square, `{"events":[],"name":null,"schedule":null}`), 0)
	require.NoError(t, err)
	require.Zero(t, f.Emits)
	require.Nil(t, f.Schedule)
}

func TestEveryGeometrySurvivesItsFeature(t *testing.T) {
	for name, raw := range map[string][]byte{
		"polygon":      feature(`{"type":"Polygon","coordinates":[[[179,0,5],[-179,0],[-179,1.5],[179,0.1234567890123],[179,0]]]}`, `{}`),
		"holes":        feature(`{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,9],[0,0]],[[1,1],[1,2],[2,2],[1,1]]]}`, `{}`),
		"multipolygon": feature(`{"type":"MultiPolygon","coordinates":[[[[0,0],[9,0],[9,9],[0,9],[0,0]],[[1,1],[1,2],[2,2],[1,1]]],[[[20,0],[21,0],[21,1],[20,0]]]]}`, `{}`),
		"circle":       feature(`{"type":"Point","coordinates":[-0.0,1e1]}`, `{"radius_metres":12}`),
		"corridor":     feature(`{"coordinates":[[0,0],[0,1],[1,1]],"type":"LineString"}`, `{"width_metres":12}`),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := fence.Parse("x", raw, 1)
			require.NoError(t, err)
			again, err := fence.Parse("", f.Feature(), 1)
			require.NoError(t, err)
			require.Equal(t, string(f.Feature()), string(again.Feature()))
			require.Equal(t, f.Box(), again.Box())
			require.True(t, json.Valid(f.Feature()))
		})
	}
}

func TestWrongFeaturesAreRefusedWithWhereAndWhy(t *testing.T) {
	ring := func(n int) string {
		var b strings.Builder
		for i := range n {
			sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
			fmt.Fprintf(&b, "[%.9f,%.9f],", cos, sin)
		}
		return `{"type":"Polygon","coordinates":[[` + b.String() + `[1.000000000,0.000000000]]]}`
	}
	polygon := func(coordinates string) []byte {
		return feature(`{"type":"Polygon","coordinates":`+coordinates+`}`, `{}`)
	}
	schedule := func(s string) []byte { return feature(square, `{"schedule":`+s+`}`) }
	tests := map[string]struct {
		raw     []byte
		pointer string
		vertex  int
		reason  string
	}{
		"not JSON":            {[]byte(`{"type":`), "", -1, "not JSON"},
		"two values":          {append(feature(square, `{}`), feature(square, `{}`)...), "", -1, "not JSON"},
		"no object":           {[]byte(`[]`), "", -1, "Feature"},
		"no type":             {[]byte(`{"geometry":` + square + `}`), "/type", -1, "Feature"},
		"wrong type":          {[]byte(`{"type":"Fence"}`), "/type", -1, "Fence"},
		"no geometry":         {[]byte(`{"type":"Feature","geometry":null}`), "/geometry", -1, "missing"},
		"wrong geometry":      {feature(`{"type":"Circle"}`, `{}`), "/geometry/type", -1, "Circle"},
		"no coordinates":      {feature(`{"type":"Polygon"}`, `{}`), "/geometry/coordinates", -1, "missing"},
		"properties":          {feature(square, `[]`), "/properties", -1, "object"},
		"crosses itself":      {polygon(`[[[0,0],[10,11],[10,0],[0,10],[0,0]]]`), "/geometry/coordinates/0/2", 2, "crosses itself"},
		"not closed":          {polygon(`[[[0,0],[10,0],[10,10],[0,10]]]`), "/geometry/coordinates/0/3", 3, "not closed"},
		"hole outside":        {polygon(`[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[20,20],[21,20],[21,21],[20,20]]]`), "/geometry/coordinates/1/0", 0, "outside"},
		"no area":             {polygon(`[[[0,0],[1,1],[2,2],[0,0]]]`), "/geometry/coordinates/0", -1, "no area"},
		"out of range":        {polygon(`[[[0,0],[1,99],[2,2],[0,0]]]`), "/geometry/coordinates/0/1", 1, "latitude"},
		"infinite":            {polygon(`[[[0,0],[1e999,9],[2,2],[0,0]]]`), "/geometry/coordinates/0/1", 1, "latitude"},
		"one number":          {polygon(`[[[0,0],[1],[2,2],[0,0]]]`), "/geometry/coordinates/0/1", 1, "latitude"},
		"text":                {polygon(`[[[0,0],["1",2],[2,2],[0,0]]]`), "/geometry/coordinates/0/1", 1, "numbers"},
		"too deep":            {polygon(`[[[[0,0]]]]`), "/geometry/coordinates/0/0", 0, "numbers"},
		"too flat":            {polygon(`[[0,0],[1,1]]`), "/geometry/coordinates/0/0", -1, "array"},
		"20,000 vertices":     {feature(ring(20_000), `{}`), "/geometry/coordinates/0/10001", 10_001, "more than 10000"},
		"no radius":           {feature(`{"type":"Point","coordinates":[0,0]}`, `{}`), "/properties/radius_metres", -1, "needed"},
		"radius of nothing":   {feature(`{"type":"Point","coordinates":[0,0]}`, `{"radius_metres":0}`), "/properties/radius_metres", -1, "needed"},
		"negative radius":     {feature(`{"type":"Point","coordinates":[0,0]}`, `{"radius_metres":-1}`), "/properties/radius_metres", -1, "between"},
		"no width":            {feature(`{"type":"LineString","coordinates":[[0,0],[1,1]]}`, `{}`), "/properties/width_metres", -1, "needed"},
		"a line of one point": {feature(`{"type":"LineString","coordinates":[[0,0],[0,0]]}`, `{"width_metres":5}`), "/geometry/coordinates", -1, "two different"},
		"follows with shape":  {feature(square, `{"follows":"v"}`), "/geometry/type", -1, "Point"},
		"name":                {feature(square, `{"name":5}`), "/properties/name", -1, "string"},
		"margin":              {feature(square, `{"exit_margin_metres":"5"}`), "/properties/exit_margin_metres", -1, "number"},
		"dwell":               {feature(square, `{"dwell_seconds":-5}`), "/properties/dwell_seconds", -1, "between"},
		"event":               {feature(square, `{"events":["enter","leave"]}`), "/properties/events/1", -1, "leave"},
		"zone":                {schedule(`{"zone":"Mars/Base","weekly":[]}`), "/properties/schedule/zone", -1, "Mars"},
		"local zone":          {schedule(`{"zone":"Local","weekly":[]}`), "/properties/schedule/zone", -1, "New_York"},
		"no zone":             {schedule(`{"weekly":[{"days":["mon"],"from":"00:00","to":"01:00"}]}`), "/properties/schedule/zone", -1, "missing"},
		"never open":          {schedule(`{"zone":"UTC"}`), "/properties/schedule", -1, "never"},
		"weekday":             {schedule(`{"zone":"UTC","weekly":[{"days":["monday"],"from":"00:00","to":"01:00"}]}`), "/properties/schedule/weekly/0/days/0", -1, "monday"},
		"no days":             {schedule(`{"zone":"UTC","weekly":[{"days":[],"from":"00:00","to":"01:00"}]}`), "/properties/schedule/weekly/0/days", -1, "at least"},
		"clock":               {schedule(`{"zone":"UTC","weekly":[{"days":["mon"],"from":"24:00","to":"01:00"}]}`), "/properties/schedule/weekly/0/from", -1, "24:00"},
		"date":                {schedule(`{"zone":"UTC","dates":[{"from":"2026-02-30","to":"2026-03-01"}]}`), "/properties/schedule/dates/0/from", -1, "2026-02-30"},
		"dates backwards":     {schedule(`{"zone":"UTC","dates":[{"from":"2026-03-02","to":"2026-03-01"}]}`), "/properties/schedule/dates/0/to", -1, "before"},
		"unknown in schedule": {schedule(`{"zone":"UTC","monthly":[]}`), "/properties/schedule/monthly", -1, "not known"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := fence.Parse("x", tt.raw, 1)
			var pe *fence.ParseError
			require.ErrorAs(t, err, &pe)
			require.ErrorContains(t, err, tt.reason)
			require.Equal(t, tt.pointer, pe.Pointer, "%v", err)
			require.Equal(t, tt.vertex, pe.Vertex, "%v", err)
		})
	}
	for _, id := range []string{strings.Repeat("x", 257), "a\nb", "\xff"} {
		_, err := fence.Parse(id, feature(square, `{}`), 1)
		require.ErrorContains(t, err, "/id")
	}
	_, err := fence.Parse("", feature(square, `{}`), 1)
	require.ErrorContains(t, err, "/id: is missing")
}

func TestTenThousandVerticesAreAllowed(t *testing.T) {
	var b strings.Builder
	for i := range 10_000 {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / 10_000)
		fmt.Fprintf(&b, "[%.9f,%.9f],", cos, sin)
	}
	_, err := fence.Parse("x", feature(`{"type":"Polygon","coordinates":[[`+b.String()+`[1,0]]]}`, `{}`), 1)
	require.NoError(t, err)
}

func TestParseShapeTakesPolygonsOnly(t *testing.T) {
	s, err := fence.ParseShape([]byte(square))
	require.NoError(t, err)
	q := geo.Ask(geo.Point{Lon: 0.5, Lat: 0.5})
	require.True(t, s.Contains(&q))
	for _, raw := range []string{`{"type":"Point","coordinates":[0,0]}`, `5`, ``, `{"type":"Polygon","coordinates":[[[0,0],[1,1],[2,2],[0,0]]]}`} {
		_, err := fence.ParseShape([]byte(raw))
		var pe *fence.ParseError
		require.ErrorAs(t, err, &pe, raw)
	}
}

// FuzzParse feeds anything. What is taken must survive its own Feature and answer the same, and its places must make sense.
func FuzzParse(f *testing.F) {
	f.Add(feature(square, `{"name":"x","events":["enter"]}`), 0.5, 0.5)
	f.Add(feature(`{"type":"Point","coordinates":[180,90]}`, `{"radius_metres":1000}`), 0.0, 90.0)
	f.Add(feature(`{"type":"LineString","coordinates":[[179,0],[-179,0]]}`, `{"width_metres":1000}`), 180.0, 0.0)
	f.Add(feature(`{"type":"MultiPolygon","coordinates":[[[[179.9,-17.1],[180,-17.1],[180,-16.9],[179.9,-16.9],[179.9,-17.1]]],[[[-180,-17.1],[-179.9,-17.1],[-179.9,-16.9],[-180,-16.9],[-180,-17.1]]]]}`, `{}`), 180.0, -17.0)
	f.Add(feature(`{"type":"Polygon","coordinates":[[[-150,80],[-90,80],[-30,80],[30,80],[90,80],[150,80],[-150,80]]]}`, `{}`), 0.0, 90.0)
	f.Add(feature(square, `{"schedule":{"zone":"America/New_York","weekly":[{"days":["sun"],"from":"02:30","to":"01:30"}],"dates":[{"from":"2026-03-08","to":"2026-11-01"}]}}`), 1.0, 1.0)
	f.Fuzz(func(t *testing.T, raw []byte, lon, lat float64) {
		a, err := fence.Parse("", raw, 1)
		if err != nil {
			var pe *fence.ParseError
			require.ErrorAs(t, err, &pe)
			return
		}
		b, err := fence.Parse("", a.Feature(), 1)
		require.NoError(t, err, "%s", a.Feature())
		require.Equal(t, string(a.Feature()), string(b.Feature()))
		if !(math.Abs(lon) <= 180 && math.Abs(lat) <= 90) {
			return
		}
		p := geo.Point{Lon: lon, Lat: lat}
		in := a.Contains(p)
		require.Equal(t, in, b.Contains(p))
		require.False(t, in && a.OutsideBy(p, 0))
		require.False(t, in && !a.Box().Expand(0.01).Intersects(geo.BoxOf(p)), "%v is inside but not in %v", p, a.Box())
		q := geo.Destination(p, 45, 1000)
		w := a.Traverse(p, q)
		require.True(t, w.Meets || in == a.Contains(q), "%+v", w)
		open := a.Open(1.77e12)
		if next, opens, ok := a.NextChange(1.77e12); ok {
			require.Equal(t, opens, a.Open(next))
			require.NotEqual(t, open, opens)
		}
		set := fence.NewSet().Apply([]fence.Change{{ID: a.ID, Fence: a, Version: 1}})
		require.Len(t, set.At(p, nil), map[bool]int{true: 1}[in])
	})
}
