package source

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/track"
)

// A node of another format, map and zone reads records as their content type says.
func TestAContentTypeSaysHowItsRecordsAreRead(t *testing.T) {
	t.Parallel()
	client := Options{Map: []string{`vehicle=id`, `time=when`, `speed=v\.x:kmh`, `longitude=pos, east`}, TimeLayout: "02.01.2006 15:04", TimeZone: "Europe/Berlin"}
	node, err := NewDecoder(Options{Format: "taxi", Map: []string{"speed=3:knots"}}, nil)
	require.NoError(t, err)
	for name, c := range map[string]struct{ contentType, body string }{
		"json":    {"application/json", `{"id":"a","when":"04.03.2026 11:00","pos, east":1,"latitude":2,"v.x":36}`},
		"ndjson":  {"application/x-ndjson", `{"id":"a","when":"04.03.2026 11:00","pos, east":1,"latitude":2,"v.x":36}`},
		"geojson": {"application/geo+json", `{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{"id":"a","when":"04.03.2026 11:00","v.x":36}}`},
		"csv":     {"text/csv; header=present", "id,when,\"pos, east\",latitude,v.x\na,04.03.2026 11:00,1,2,36\n"},
	} {
		t.Run(name, func(t *testing.T) {
			client := client
			if name == "geojson" {
				client.Map = client.Map[:3]
			}
			var lines []Line
			require.NoError(t, Split(client.On(c.contentType), strings.NewReader(c.body), func(l Line) error { lines = append(lines, l); return nil }))
			require.Len(t, lines, 1)
			vehicle, refusal := node.VehicleOf(lines[0].ContentType, lines[0].Value)
			require.Nil(t, refusal)
			require.Equal(t, "a", vehicle)
			var fix track.Fix
			rec := &broker.Record{Value: lines[0].Value, Headers: []broker.Header{{Key: HeaderContentType, Value: []byte(lines[0].ContentType)}}}
			require.Nil(t, node.Decode(rec, time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC).UnixMilli(), &fix), lines[0].ContentType)
			require.Equal(t, time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC).UnixMilli(), fix.Time)
			require.InDelta(t, 10, fix.SpeedMPS, 1e-9)
			require.InDelta(t, 1, fix.Position.Lon, 0)
		})
	}
}

func TestWrongParametersOfAContentTypeAreToldWithTheReason(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]string{
		`application/json; map="speed=v:furlongs"`:     "furlongs",
		`text/csv; layout=taxi; time-zone="Mars/Base"`: "no zone",
		`application/x-protobuf; map="vehicle=id"`:     "fixed fields",
		`application/json; time-layout="15:04"`:        "offset from UTC",
		`application/json; map="a=b"`:                  "there is no field",
	} {
		err := Split(contentType, strings.NewReader("{}"), func(Line) error { return nil })
		require.ErrorContains(t, err, want, contentType)
		require.NotContains(t, err.Error(), "--")
	}
}
