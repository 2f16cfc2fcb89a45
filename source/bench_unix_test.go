//go:build unix

package source_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/source"
	"github.com/trackmesh/trackmesh/test/usage"
	"github.com/trackmesh/trackmesh/track"
)

func BenchmarkDecode(b *testing.B) {
	lon, lat, speed := -73.968073, 40.765454, 14.2
	pb, err := (&trackmeshv1.Position{Vehicle: "taxi-0001", TimeMs: 1767600000000, Longitude: &lon, Latitude: &lat, SpeedMps: &speed}).MarshalVT()
	require.NoError(b, err)
	for _, c := range []struct {
		name, value string
		opts        source.Options
	}{
		{"json", `{"vehicle":"taxi-0001","time":1767600000000,"longitude":-73.968073,"latitude":40.765454,"speed":14.2,"heading":91}`, source.Options{Format: "json"}},
		{"json+attributes", `{"vehicle":"taxi-0001","time":1767600000000,"longitude":-73.968073,"latitude":40.765454,"speed":14.2,"fleet":"yellow","occupied":true}`, source.Options{Format: "json"}},
		{"json rfc3339", `{"vehicle":"taxi-0001","time":"2026-01-05T08:00:00.000Z","longitude":-73.968073,"latitude":40.765454,"speed":14.2}`, source.Options{Format: "json"}},
		{"geojson", `{"type":"Feature","id":"taxi-0001","geometry":{"type":"Point","coordinates":[-73.968073,40.765454]},"properties":{"time":1767600000000,"speed":14.2}}`, source.Options{Format: "geojson"}},
		{"csv", `taxi-0001,1767600000000,-73.968073,40.765454,14.2,91`, source.Options{Format: "csv"}},
		{"taxi", `1,2013-01-01 00:00:01,-73.968073,40.765454,1,1,6.21,1,A020,034A,VTS,2,,2013-01-01 00:00:00,2013-01-01 00:15:00,-73.98,40.76,-73.97,40.75`, source.Options{Format: "taxi"}},
		{"protobuf", string(pb), source.Options{Format: "protobuf"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			d, err := source.NewDecoder(c.opts, func([]byte) (string, bool) { return "taxi-0001", true })
			require.NoError(b, err)
			rec := &broker.Record{Value: []byte(c.value), Timestamp: now}
			var fix track.Fix
			b.ReportAllocs()
			b.SetBytes(int64(len(c.value)))
			before := usage.CPU()
			for b.Loop() {
				if r := d.Decode(rec, now, &fix); r != nil {
					b.Fatal(r)
				}
			}
			b.ReportMetric(float64(usage.CPU()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
