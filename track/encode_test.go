package track_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

func TestDocumentsAreTheNumbersAndTextsThatWentIn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string) float64 {
			if rapid.Bool().Draw(t, name+" is absent") {
				return math.NaN()
			}
			return rapid.Float64Range(-1e9, 1e9).Draw(t, name)
		}
		d := track.Document{
			Fix: &track.Fix{
				Vehicle:  rapid.String().Draw(t, "vehicle"),
				Time:     rapid.Int64Range(-62_167_219_200_000, 253_402_300_799_999).Draw(t, "time"),
				Position: geo.Point{Lon: rapid.Float64Range(-180, 180).Draw(t, "lon"), Lat: rapid.Float64Range(-90, 90).Draw(t, "lat")}, AccuracyMetres: number("accuracy"),
				AltitudeMetres: number("altitude"), RecordTime: 1_700_000_000_123, Offset: 42,
			},
			SpeedMPS: number("speed"), HeadingDegrees: number("heading"), DistanceMetres: number("distance"), OdometerMetres: number("odometer"),
			Fences: rapid.SliceOf(rapid.String()).Draw(t, "fences"),
		}
		raw := track.AppendDocument(nil, &d, "positions", 3)
		var got map[string]any
		require.NoError(t, json.Unmarshal(raw, &got), "%s", raw)
		require.Equal(t, valid(d.Fix.Vehicle), got["vehicle"])
		require.Equal(t, time.UnixMilli(d.Fix.Time).UTC().Format("2006-01-02T15:04:05.000Z"), got["@timestamp"])
		require.Equal(t, geo.Geohash(d.Fix.Position, 12), got["geohash"])
		require.InDelta(t, float64(d.Fix.RecordTime-d.Fix.Time), got["lag_ms"], 1e-3)
		place := got["location"].([]any)
		require.InDelta(t, d.Fix.Position.Lon, place[0], 5.1e-9)
		require.InDelta(t, d.Fix.Position.Lat, place[1], 5.1e-9)
		for name, want := range map[string]float64{
			"speed_mps": d.SpeedMPS, "heading_degrees": d.HeadingDegrees, "accuracy_metres": d.Fix.AccuracyMetres,
			"altitude_metres": d.Fix.AltitudeMetres, "distance_metres": d.DistanceMetres, "odometer_metres": d.OdometerMetres,
		} {
			if math.IsNaN(want) {
				require.NotContains(t, got, name)
			} else {
				require.InDelta(t, want, got[name], 5.1e-4, name)
			}
		}
		require.Len(t, got["fences"], len(d.Fences))
		for i, id := range d.Fences {
			require.Equal(t, valid(id), got["fences"].([]any)[i])
		}
	})
}

// valid is a text as JSON can carry it.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func TestNumbersAreShort(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", math.Copysign(0, -1): "0", -0.0001: "0", 1: "1", -1.5: "-1.5", 0.1: "0.1", 10.05: "10.05", 123.4567: "123.457", 1e9: "1000000000",
		1e17: "100000000000000000", 0.001: "0.001", 99.9996: "100",
	} {
		d := track.Document{Fix: &track.Fix{}, SpeedMPS: v}
		raw := track.AppendDocument(nil, &d, "p", 0)
		require.Contains(t, string(raw), `"speed_mps":`+want+`,`)
	}
}

func TestAttributesAreOneLine(t *testing.T) {
	t.Parallel()
	d := track.Document{Fix: &track.Fix{Attributes: []byte("{\"driver\": {\r\n  \"name\": \"a\\nb\"\n}}")}}
	raw := track.AppendDocument(nil, &d, "p", 0)
	require.NotContains(t, string(raw), "\n")
	var got struct {
		Attributes struct{ Driver struct{ Name string } }
	}
	require.NoError(t, json.Unmarshal(raw, &got))
	require.Equal(t, "a\nb", got.Attributes.Driver.Name)
}
