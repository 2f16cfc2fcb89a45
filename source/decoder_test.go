package source_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/source"
	"github.com/trackmesh/trackmesh/track"
)

const now = 1767700000000

func decoder(tb testing.TB, o source.Options) *source.Decoder {
	tb.Helper()
	if o.Format == "" {
		o.Format = "json"
	}
	d, err := source.NewDecoder(o, nil)
	require.NoError(tb, err)
	return d
}

func decode(tb testing.TB, o source.Options, value string) (track.Fix, *source.Refusal) {
	tb.Helper()
	o.RejectNullIsland = true
	var fix track.Fix
	r := decoder(tb, o).Decode(&broker.Record{Value: []byte(value), Offset: 7, Timestamp: now}, now, &fix)
	return fix, r
}

func TestEachFormatReadsTheSameFix(t *testing.T) {
	t.Parallel()
	lon, lat, speed := -73.98, 40.75, 14.2
	pb, err := (&trackmeshv1.Position{Vehicle: "v1", TimeMs: 1767600000000, Longitude: &lon, Latitude: &lat, SpeedMps: &speed}).MarshalVT()
	require.NoError(t, err)
	for name, c := range map[string]struct {
		opts  source.Options
		value string
	}{
		"json":     {source.Options{}, `{"vehicle":"v1","time":1767600000000,"longitude":-73.98,"latitude":40.75,"speed":14.2}`},
		"seconds":  {source.Options{}, `{"vehicle":"v1","time":"1767600000","longitude":"-73.98","latitude":40.75,"speed":14.2}`},
		"rfc3339":  {source.Options{}, `{"vehicle":"v1","time":"2026-01-05T03:00:00-05:00","longitude":-73.98,"latitude":40.75,"speed":14.2}`},
		"mapped":   {source.Options{Map: []string{"vehicle=car.id", "time=at", "longitude=pos.x", "latitude=pos.y", "speed=v:kmh"}, TimeLayout: "02.01.2006 15:04", TimeZone: "Europe/Berlin"}, `{"car":{"id":"v1"},"at":"05.01.2026 09:00","pos":{"x":-73.98,"y":40.75},"v":51.12}`},
		"geojson":  {source.Options{Format: "geojson"}, `{"type":"Feature","id":"v1","geometry":{"type":"Point","coordinates":[-73.98,40.75]},"properties":{"time":1767600000000,"speed":14.2}}`},
		"csv":      {source.Options{Format: "csv"}, `v1,1767600000000,-73.98,40.75,14.2`},
		"columns":  {source.Options{Format: "csv", Map: []string{"vehicle=3", "time=1", "longitude=5", "latitude=4", "speed=2"}}, `1767600000000,14.2,"v1",40.75,-73.98`},
		"protobuf": {source.Options{Format: "protobuf"}, string(pb)},
	} {
		fix, r := decode(t, c.opts, c.value)
		require.Nil(t, r, name)
		require.Equal(t, "v1", fix.Vehicle, name)
		require.Equal(t, int64(1767600000000), fix.Time, name)
		require.InDelta(t, lon, fix.Position.Lon, 1e-12, name)
		require.InDelta(t, lat, fix.Position.Lat, 1e-12, name)
		require.InDelta(t, speed, fix.SpeedMPS, 1e-9, name)
		require.True(t, math.IsNaN(fix.HeadingDegrees), name)
		require.Equal(t, int64(7), fix.Offset, name)
	}
}

func TestTaxiRowsMayBeShortAndAreInNewYorkTime(t *testing.T) {
	t.Parallel()
	opts := source.Options{Format: "taxi"}
	fix, r := decode(t, opts, "17,2013-07-01 12:00:00,-73.968073,40.765454")
	require.Nil(t, r)
	require.Equal(t, time.Date(2013, 7, 1, 16, 0, 0, 0, time.UTC).UnixMilli(), fix.Time)
	fix, r = decode(t, opts, `17,2013-01-01T12:00:00Z,-73.968073,40.765454,2,,6.21`)
	require.Nil(t, r)
	require.Equal(t, time.Date(2013, 1, 1, 12, 0, 0, 0, time.UTC).UnixMilli(), fix.Time)
	require.JSONEq(t, `{"passengerCount":"2","tripDistance":"6.21"}`, string(fix.Attributes))
	_, r = decode(t, opts, "17,2013-07-01 12:00:00,-73.968073")
	require.Equal(t, source.Unparsable, r.Reason)
}

func TestUnmappedMembersAreKeptAsTheyCame(t *testing.T) {
	t.Parallel()
	fix, r := decode(t, source.Options{Map: []string{"longitude=p.x", "latitude=p.y"}},
		`{"vehicle":"v1","a\"b":[1, {"c":null}],"time":1767600000,"p":{"x":1,"y":2,"z":3e2},"s":"\u00e9"}`)
	require.Nil(t, r)
	require.JSONEq(t, `{"a\"b":[1,{"c":null}],"p":{"z":3e2},"s":"é"}`, string(fix.Attributes))
}

func TestSharedBadRecordsAreRefusedWithTheirReason(t *testing.T) {
	t.Parallel()
	const dir = "../track/testdata/cases/bad-records/"
	expected, err := os.ReadFile(dir + "expected.jsonl")
	require.NoError(t, err)
	reasons := map[int]string{}
	for line := range bytes.Lines(expected) {
		var e struct {
			Kind, Reason string
			Source       struct{ Offset int }
		}
		require.NoError(t, json.Unmarshal(line, &e))
		if e.Kind == "dead" {
			reasons[e.Source.Offset] = e.Reason
		}
	}
	require.NotEmpty(t, reasons)
	raw, err := os.ReadFile(dir + "positions.jsonl")
	require.NoError(t, err)
	d := decoder(t, source.Options{RejectNullIsland: true})
	for offset, line := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
		rec := &broker.Record{Value: []byte(line)}
		var head struct {
			KafkaTime int64 `json:"kafka_time"`
		}
		if json.Unmarshal([]byte(line), &head) == nil {
			rec.Timestamp = head.KafkaTime
		}
		var fix track.Fix
		got := ""
		if r := d.Decode(rec, now, &fix); r != nil {
			got = string(r.Reason)
		}
		require.Equal(t, reasons[offset], got, "offset %d: %s", offset, line)
	}
}

func TestAbsentAndOddNumbers(t *testing.T) {
	t.Parallel()
	fix, r := decode(t, source.Options{}, `{"vehicle":12,"time":1767600000,"longitude":180,"latitude":-90,"speed":-1,"heading":360,"accuracy":9000,"altitude":"x"}`)
	require.Nil(t, r)
	require.Equal(t, "12", fix.Vehicle)
	require.True(t, math.IsNaN(fix.SpeedMPS))
	require.Zero(t, fix.HeadingDegrees)
	require.InDelta(t, 500, fix.AccuracyMetres, 0)
	require.True(t, math.IsNaN(fix.AltitudeMetres))
}

func TestTrailingBytesAndControlCharactersAreRefused(t *testing.T) {
	t.Parallel()
	for value, reason := range map[string]source.Reason{
		`{"vehicle":"v1","time":1767600000,"longitude":1,"latitude":1} x`:           source.Unparsable,
		`{"vehicle":"v\u0000","time":1767600000,"longitude":1,"latitude":1}`:        source.Vehicle,
		"{\"vehicle\":\"\xff\",\"time\":1767600000,\"longitude\":1,\"latitude\":1}": source.Vehicle,
		`{"vehicle":"v1","time":1e300,"longitude":1,"latitude":1}`:                  source.Time,
		`{"vehicle":"v1","time":1767600000,"longitude":Infinity,"latitude":1}`:      source.Position,
	} {
		_, r := decode(t, source.Options{}, value)
		require.NotNil(t, r, value)
		require.Equal(t, reason, r.Reason, value)
	}
}

func TestOptionsReportEverythingAtOnce(t *testing.T) {
	t.Parallel()
	err := source.Options{Format: "xml", Map: []string{"speed=v:furlongs", "colour=c", "vehicle"}, TimeZone: "Mars/Base"}.Validate()
	for _, want := range []string{"--format", "mps, kmh, mph, knots", `no field "colour"`, "field=source", "--time-zone"} {
		require.ErrorContains(t, err, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, format := range []string{"json", "taxi", "csv", "geojson", "protobuf"} {
		f.Add(format, []byte(`{"vehicle":"v1","time":1767600000000,"longitude":NaN,"latitude":40.75,"x":{"y":[1]}}`))
		f.Add(format, []byte(`"a,b",2013-01-01 00:00:01,-73.9,40.7`))
	}
	f.Fuzz(func(t *testing.T, format string, value []byte) {
		d, err := source.NewDecoder(source.Options{Format: format, Header: len(value)%2 == 0}, nil)
		if err != nil {
			return
		}
		var fix track.Fix
		if r := d.Decode(&broker.Record{Value: value}, now, &fix); r != nil {
			require.NotEmpty(t, r.Reason)
			return
		}
		require.True(t, math.Abs(fix.Position.Lat) <= 90 && math.Abs(fix.Position.Lon) <= 180)
		require.NotEmpty(t, fix.Vehicle)
		require.True(t, len(fix.Attributes) == 0 || json.Valid(fix.Attributes), "%q", fix.Attributes)
	})
}

func TestSharedReportedValuesAreRead(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../track/testdata/cases/reported-values/positions.jsonl")
	require.NoError(t, err)
	d := decoder(t, source.Options{RejectNullIsland: true})
	reported := 0
	for line := range strings.Lines(string(raw)) {
		var want struct {
			Vehicle             string
			Time                int64
			Longitude, Latitude float64
			Speed, Heading      *float64
		}
		require.NoError(t, json.Unmarshal([]byte(line), &want))
		var fix track.Fix
		require.Nil(t, d.Decode(&broker.Record{Value: []byte(line)}, now, &fix))
		require.Equal(t, want.Vehicle, fix.Vehicle)
		require.Equal(t, want.Time, fix.Time)
		require.InDelta(t, want.Longitude, fix.Position.Lon, 0)
		require.InDelta(t, want.Latitude, fix.Position.Lat, 0)
		if want.Speed == nil {
			require.True(t, math.IsNaN(fix.SpeedMPS) && math.IsNaN(fix.HeadingDegrees), line)
			continue
		}
		reported++
		require.InDelta(t, *want.Speed, fix.SpeedMPS, 0)
		require.InDelta(t, math.Mod(*want.Heading, 360), fix.HeadingDegrees, 0)
		require.True(t, math.IsNaN(fix.AltitudeMetres) && len(fix.Attributes) == 0)
	}
	require.Positive(t, reported)
}

func TestAFutureFixIsMeasuredByTheEarlierClock(t *testing.T) {
	t.Parallel()
	d := decoder(t, source.Options{})
	decodeAt := func(at, recordTime int64) string {
		var fix track.Fix
		value := fmt.Sprintf(`{"vehicle":"v","time":%d,"longitude":1,"latitude":1}`, at)
		if r := d.Decode(&broker.Record{Value: []byte(value), Timestamp: recordTime}, now, &fix); r != nil {
			return string(r.Reason)
		}
		return ""
	}
	require.Empty(t, decodeAt(now+60_000, 0))
	require.Equal(t, "future", decodeAt(now+60_001, 0))
	require.Equal(t, "future", decodeAt(now+60_001, now+3_600_000), "a record's timestamp may be wrong")
	require.Empty(t, decodeAt(now-3_540_000, now-3_600_000))
	require.Equal(t, "future", decodeAt(now-3_539_999, now-3_600_000))
	require.Equal(t, "future", decodeAt(now*1000, 0), "microseconds")
}

func TestTheKeyStandsInForAMissingVehicleOnly(t *testing.T) {
	t.Parallel()
	d := decoder(t, source.Options{RejectNullIsland: true})
	for vehicle, want := range map[string]string{`null`: "key", `"v"`: "v", `""`: "", `[1]`: "", `true`: "", `12.50`: "12.50"} {
		var fix track.Fix
		value := `{"vehicle":` + vehicle + `,"time":1767600000,"longitude":1,"latitude":1}`
		r := d.Decode(&broker.Record{Key: []byte("key"), Value: []byte(value)}, now, &fix)
		if want == "" {
			require.NotNil(t, r, vehicle)
			require.Equal(t, source.Vehicle, r.Reason)
			continue
		}
		require.Nil(t, r, vehicle)
		require.Equal(t, want, fix.Vehicle)
	}
}

func TestFixesShareNothingWithTheRecordOrEachOther(t *testing.T) {
	t.Parallel()
	d := decoder(t, source.Options{})
	value := []byte(`{"vehicle":"v1","time":1767600000,"longitude":1,"latitude":1,"k":"aaaa"}`)
	var first, second track.Fix
	require.Nil(t, d.Decode(&broker.Record{Value: value}, now, &first))
	copy(value, bytes.ReplaceAll(bytes.ReplaceAll(value, []byte("aaaa"), []byte("bbbb")), []byte("v1"), []byte("v2")))
	require.Nil(t, d.Decode(&broker.Record{Value: value}, now, &second))
	require.Equal(t, "v1", first.Vehicle)
	require.JSONEq(t, `{"k":"aaaa"}`, string(first.Attributes))
	require.Equal(t, "v2", second.Vehicle)
	require.JSONEq(t, `{"k":"bbbb"}`, string(second.Attributes))
	_ = append(first.Attributes, "xxxxxxxx"...)
	require.JSONEq(t, `{"k":"bbbb"}`, string(second.Attributes))
}

func TestJSONIsDecodedWithoutAllocations(t *testing.T) {
	d, err := source.NewDecoder(source.Options{}, func([]byte) (string, bool) { return "v1", true })
	require.NoError(t, err)
	rec := &broker.Record{Value: []byte(`{"vehicle":"v1","time":1767600000000,"longitude":-73.98,"latitude":40.75,"speed":14.2,"heading":91.5}`)}
	var fix track.Fix
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if r := d.Decode(rec, now, &fix); r != nil {
			panic(r)
		}
	}))
}
