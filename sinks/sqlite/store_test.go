package sqlite

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/sinks"
)

func open(t testing.TB, opts Options) *Store {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	opts.Logger, opts.Registerer = slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	s, err := Open(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// fixes are n documents of some vehicles, every step ms one each, on a circle.
func fixes(start int64, vehicles, n int, at int64, step int64) []sinks.Document {
	docs := make([]sinks.Document, n)
	for i := range docs {
		off := start + int64(i)
		v, round := i%vehicles, int64(i/vehicles)
		docs[i] = sinks.Document{
			Kind: sinks.Position, ID: fmt.Sprintf("0123abcd-0-%d", off), Offset: off, Timestamp: at + round*step,
			Body: fmt.Appendf(nil, `{"@timestamp":"%s","vehicle":"taxi-%04d","location":[%.6f,%.6f],"geohash":"dr5regw3pp","speed_mps":%.3f,"heading_degrees":%.3f,`+
				`"distance_metres":%.3f,"odometer_metres":%.3f,"status":"moving","flags":[],"fences":["manhattan"],"attributes":{"passengers":%d},`+
				`"source":{"topic":"positions","partition":0,"offset":%d},"ingested_at":"%s","lag_ms":1200}`,
				appendTime(nil, at+round*step-1200)[1:25], v, -74.0+float64(v%100)*0.001+float64(round%50)*0.0001, 40.7+float64(v%37)*0.001+float64(round%31)*0.0001,
				10.5+float64(i%7), float64(i%360), 21.337, float64(i)*1.5, v%5, off, appendTime(nil, at+round*step)[1:25]),
		}
	}
	return docs
}

func TestADocumentComesBackAsItWas(t *testing.T) {
	s := open(t, Options{})
	docs := fixes(5, 3, 300, 1_764_000_000_000, 2000)
	_, err := s.Write(t.Context(), docs)
	require.NoError(t, err)
	i := 0
	require.NoError(t, s.Documents(t.Context(), func(id string, body []byte) error {
		i++
		var off int
		_, err := fmt.Sscanf(id, "0123abcd-0-%d", &off)
		require.NoError(t, err)
		var want, got map[string]any
		require.NoError(t, json.Unmarshal(docs[off-5].Body, &want))
		require.NoError(t, json.Unmarshal(body, &got))
		delete(want, "geohash")
		delete(got, "geohash")
		require.Equal(t, want, got)
		return nil
	}))
	require.Equal(t, 300, i)
}
